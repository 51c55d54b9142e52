/* document.c - DocumentReference: letters and reports, with their text; what was sent as a file is in the entry that carried it. */
#include "fhir/kept.h"
#include "fhir/put.h"

#include <stdio.h>

static size_t count(const struct record *record) {
    return record->document_count;
}

static void identify(const struct record *record, size_t at, struct id *id) {
    const struct chart_document *d = &record->documents[at];
    id_make(id, record, d->member, "DocumentReference", &d->id, 1);
}

/* What came as a resource of another type (a Procedure, a Composition) is given as that, and not as a document. */
static bool is_one(const struct record *record, size_t at) {
    return !came_as_another(record, record->documents[at].id, "DocumentReference");
}

static const char *status_of(const struct chart_document *d) {
    return d->is_cancelled ? "entered-in-error" : d->is_replaced ? "superseded" : "current";
}

/* TXA-17, table 0271: authenticated ones are final. */
static const char *doc_status_of(struct bytes completion) {
    return bytes_is(completion, "AU") || bytes_is(completion, "LA") ? "final"
           : bytes_is(completion, "DI") || bytes_is(completion, "DO") ||
                   bytes_is(completion, "IN") || bytes_is(completion, "IP") ||
                   bytes_is(completion, "PA")
               ? "preliminary"
               : NULL;
}

static void facets(const struct record *record, size_t at, struct facets *out) {
    const struct chart_document *d = &record->documents[at];
    out->status = status_of(d);
    out->said = d->source.said;
    out->entry = d->source.entry;
    out->came_as = d->id;
    facets_add_code(out, d->kind, BYTES_NONE, record->view->arena);
    facets_date(out, d->at, d->at);
    out->identifiers[out->identifier_count++] = (struct fact_identifier){.number = d->id};
}

static bool is_mime(struct bytes type) {
    size_t slash = bytes_find(type, '/');
    return slash != BYTES_NOT_FOUND && slash > 0 && slash + 1 < type.size && is_fhir_code(type);
}

static void put_attachment(struct json *json, const struct record *record,
                           const struct chart_document *d) {
    struct text data;
    json_name(json, "attachment");
    json_object_begin(json);
    if (is_mime(d->media_type))
        json_member_bytes(json, "contentType", d->media_type);
    if (!bytes_is_empty(d->text)) {
        if (!text_init_arena(&data, record->view->arena, d->text.size * 4 / 3 + 8)) {
            text_put_base64(&data, d->text);
            json_member_bytes(json, "data", text_bytes(&data));
        }
        json_member_u64(json, "size", d->text.size);
    } else if (d->encapsulated_bytes) {
        json_member_u64(json, "size", d->encapsulated_bytes);
    }
    put_text(json, "title", bytes_is_empty(bytes_trim(d->title)) ? d->kind : d->title);
    put_instant(json, "creation", d->at);
    json_object_end(json);
}

/* The message itself, as it was received. */
static void put_carrier(struct json *json, const struct chart_document *d) {
    char address[64];
    snprintf(address, sizeof address, "Binary/entry-%llu", (unsigned long long)d->source.entry);
    json_name(json, "attachment");
    json_object_begin(json);
    json_member_string(json, "contentType", "application/hl7-v2");
    json_member_string(json, "url", address);
    json_member_string(json, "title", "the message that carried it");
    json_object_end(json);
}

static void put_relation(struct json *json, const struct chart_document *d) {
    if (bytes_is_empty(bytes_trim(d->parent_id)) || (!d->is_replacement && !d->is_addendum))
        return;
    json_name(json, "relatesTo");
    json_array_begin(json);
    json_object_begin(json);
    json_member_string(json, "code", d->is_replacement ? "replaces" : "appends");
    json_name(json, "target");
    json_object_begin(json);
    json_member_string(json, "type", "DocumentReference");
    json_name(json, "identifier");
    put_order_number(json, d->parent_id, NULL);
    json_object_end(json);
    json_object_end(json);
    json_array_end(json);
}

static void put(struct json *json, const struct record *record, size_t at) {
    const struct chart_document *d = &record->documents[at];
    const char *doc_status = doc_status_of(d->completion);
    struct id id;
    identify(record, at, &id);
    put_begin(json, "DocumentReference", &id, &d->source);
    if (!bytes_is_empty(bytes_trim(d->id))) {
        json_name(json, "masterIdentifier");
        put_order_number(json, d->id, NULL);
    }
    json_member_string(json, "status", status_of(d));
    if (doc_status)
        json_member_string(json, "docStatus", doc_status);
    put_words(json, "type", d->kind);
    put_subject(json, "subject", record);
    put_instant(json, "date", d->at);
    if (!bytes_is_empty(bytes_trim(d->author))) {
        json_name(json, "author");
        json_array_begin(json);
        json_object_begin(json);
        put_text(json, "display", d->author);
        json_object_end(json);
        json_array_end(json);
    }
    put_relation(json, d);
    json_name(json, "content");
    json_array_begin(json);
    json_object_begin(json);
    put_attachment(json, record, d);
    json_object_end(json);
    json_object_begin(json);
    put_carrier(json, d);
    json_object_end(json);
    json_array_end(json);
    json_object_end(json);
}

static const struct search_name names[] = {{"status", FACET_STATUS},
                                           {"type", FACET_CODE},
                                           {"date", FACET_DATE},
                                           {"identifier", FACET_IDENTIFIER},
                                           {NULL, FACET_NONE}};

const struct kind kind_document = {
    "DocumentReference", GATHER_DOCUMENTS, count, is_one, identify, facets, put, names};
