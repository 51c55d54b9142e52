/* bundle.c - write a Bundle entry by entry; what does not fit any more is taken back as a whole. */
#include "fhir/bundle.h"

#include "fhir/put.h"

#include <stdio.h>

/* The one entry of a bundle that cannot be asked for again: what is said of the others. */
#define NAMELESS  "urn:uuid:7665696c-6c65-8573-8000-616765000000"
#define END_BYTES ((size_t)16 << 10) /* links, totals, brackets */

void put_age_meta(struct json *json, const struct fhir_view *view) {
    char moment[40];
    struct text text;
    text_init(&text, moment, sizeof moment);
    json_name(json, "meta");
    json_object_begin(json);
    json_name(json, "tag");
    json_array_begin(json);
    if (view->newest_received_at != INSTANT_NONE) {
        time_put_iso_utc(&text, view->newest_received_at);
        put_coding(json, TAG_AS_OF, moment, "when the newest message was received");
    }
    put_coding(json, TAG_FRESHNESS, view->freshness, "of the feed that is furthest behind");
    json_array_end(json);
    json_object_end(json);
}

void bundle_begin(struct bundle *bundle, const struct fhir_view *view, struct text *out,
                  const char *type) {
    *bundle = (struct bundle){.out = out, .view = view, .capacity = out->capacity};
    if (out->capacity > 2 * END_BYTES)
        out->capacity -= END_BYTES;
    json_init(&bundle->json, out);
    json_object_begin(&bundle->json);
    json_member_string(&bundle->json, "resourceType", "Bundle");
    put_age_meta(&bundle->json, view);
    json_member_string(&bundle->json, "type", type);
    json_member_instant(&bundle->json, "timestamp", view->now);
}

static void entries_begin(struct bundle *bundle) {
    if (bundle->written > 0)
        return;
    json_name(&bundle->json, "entry");
    json_array_begin(&bundle->json);
}

void bundle_entry_begin(struct bundle *bundle, const char *type, const struct id *id) {
    char address[FHIR_BASE_BYTES + 128];
    bundle->json_before = bundle->json;
    bundle->size_before = bundle->out->size;
    entries_begin(bundle);
    json_object_begin(&bundle->json);
    if (id)
        snprintf(address, sizeof address, "%s/%s/%s", bundle->view->base, type, id->text);
    json_member_string(&bundle->json, "fullUrl", id ? address : NAMELESS);
    json_name(&bundle->json, "resource");
}

bool bundle_entry_end(struct bundle *bundle, const char *mode) {
    if (mode) {
        json_name(&bundle->json, "search");
        json_object_begin(&bundle->json);
        json_member_string(&bundle->json, "mode", mode);
        json_object_end(&bundle->json);
    }
    json_object_end(&bundle->json);
    if (!bundle->out->full) {
        bundle->written++;
        return true;
    }
    bundle->json = bundle->json_before;
    bundle->out->size = bundle->size_before;
    bundle->out->data[bundle->out->size] = 0;
    bundle->out->full = false;
    return false;
}

void bundle_put_age(struct bundle *bundle) {
    char what[200], moment[40] = "never";
    struct text text;
    const struct fhir_view *view = bundle->view;
    if (!strcmp(view->freshness, "current"))
        return;
    text_init(&text, moment, sizeof moment);
    if (view->newest_received_at != INSTANT_NONE)
        time_put_iso_utc(&text, view->newest_received_at);
    snprintf(what, sizeof what,
             "these data may be old: the newest message was received %s; feeds: %s", moment,
             view->freshness);
    bundle_entry_begin(bundle, "OperationOutcome", NULL);
    json_put_raw(&bundle->json, BYTES("")); /* it writes itself */
    fhir_put_outcome(bundle->out, "warning", "incomplete", what);
    bool fits = bundle_entry_end(bundle, "outcome");
    (void)fits; /* it is the first, in an empty page */
}
