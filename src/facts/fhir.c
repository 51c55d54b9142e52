/* fhir.c - from a FHIR resource, a Bundle or NDJSON to the list of what each resource says. */
#include "facts/fhir.h"

#include <nettle/sha2.h>

#define FACTS_FIRST 8u
#define BATCH_FIRST 16u

void fhir_warn(struct fhir_work *w, const char *warning) {
    if (w->facts->warning_count++ == 0)
        w->facts->warning = warning;
}

/* Where a part of the body stands in it. */
static uint64_t place_in(const struct fhir_work *w, struct bytes part) {
    bool is_in = w->body.data && part.data && part.data >= w->body.data &&
                 part.data < w->body.data + w->body.size;
    return is_in ? (uint64_t)(part.data - w->body.data) : 0;
}

void fhir_aside(struct fhir_work *w, const char *reason) {
    if (w->facts->aside)
        return;
    w->facts->aside = reason;
    w->facts->aside_at = w->resource ? place_in(w, w->resource->raw) : 0;
}

struct fact *fhir_add(struct fhir_work *w, enum fact_kind kind) {
    struct facts *facts = w->facts;
    if (facts->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : FACTS_FIRST;
        struct fact *list = arena_array(w->arena, capacity, sizeof *list);
        if (!list) {
            w->is_full = true;
            return NULL;
        }
        if (facts->count)
            memcpy(list, facts->list, facts->count * sizeof *list);
        facts->list = list;
        w->capacity = capacity;
    }
    struct fact *fact = &facts->list[facts->count++];
    fact->kind = kind;
    return fact;
}

void facts_fhir_id(struct bytes json, char id[FACTS_FHIR_ID_BYTES]) {
    struct sha256_ctx sha;
    uint8_t digest[16];
    struct text text;
    sha256_init(&sha);
    sha256_update(&sha, json.size, json.data);
    sha256_digest(&sha, sizeof digest, digest);
    text_init(&text, id, FACTS_FHIR_ID_BYTES);
    text_put_hex(&text, bytes_from(digest, sizeof digest));
}

/* ---- which kinds there are ---- */

typedef void (*fhir_reader)(struct fhir_work *w);

/* NULL: it is of no patient, or says nothing that pages show; it is understood all the same. */
static const struct kind {
    const char *type;
    fhir_reader read;
    const char *patient; /* the member that names the patient */
} kinds[] = {
    {"Patient", fhir_patient, NULL},
    {"Encounter", fhir_encounter, "subject"},
    {"AllergyIntolerance", fhir_allergy, "patient"},
    {"Condition", fhir_condition, "subject"},
    {"Flag", fhir_flag, "subject"},
    {"Observation", fhir_observation, "subject"},
    {"DiagnosticReport", fhir_diagnostic_report, "subject"},
    {"DocumentReference", fhir_document_reference, "subject"},
    {"Composition", fhir_composition, "subject"},
    {"Procedure", fhir_procedure, "subject"},
    {"CarePlan", fhir_care_plan, "subject"},
    {"MedicationRequest", fhir_medication_request, "subject"},
    {"MedicationStatement", fhir_medication_statement, "subject"},
    {"MedicationAdministration", fhir_medication_administration, "subject"},
    {"MedicationDispense", fhir_medication_dispense, "subject"},
    {"Immunization", fhir_immunization, "patient"},
    {"ServiceRequest", fhir_service_request, "subject"},
    {"Appointment", fhir_appointment, NULL},
    {"Specimen", NULL, "subject"},
    {"Location", NULL, NULL},
    {"Practitioner", NULL, NULL},
    {"PractitionerRole", NULL, NULL},
    {"Organization", NULL, NULL},
    {"Medication", NULL, NULL},
    {"Binary", NULL, NULL},
    {"Slot", NULL, NULL},
    {"Schedule", NULL, NULL},
};

static const struct kind *kind_of(struct bytes type) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (bytes_is(type, kinds[i].type))
            return &kinds[i];
    return NULL;
}

/* ---- one resource ---- */

static struct facts *add_facts(struct fhir_work *w) {
    struct facts_batch *batch = w->batch;
    if (batch->count == w->batch_capacity) {
        size_t capacity = w->batch_capacity ? w->batch_capacity * 2 : BATCH_FIRST;
        struct facts *list = arena_array(w->arena, capacity, sizeof *list);
        if (!list) {
            w->is_full = true;
            return NULL;
        }
        if (batch->count)
            memcpy(list, batch->list, batch->count * sizeof *list);
        batch->list = list;
        w->batch_capacity = capacity;
    }
    return &batch->list[batch->count++];
}

/* Appointment: the participant who is the patient. Else, of what is not translated, whatever member may say whose it is. */
static const struct fhir_node *patient_member(const struct fhir_work *w, const struct kind *kind) {
    static const char *const names[] = {"subject", "patient", "beneficiary", "individual", "for"};
    if (kind && kind->patient)
        return own(w, kind->patient);
    if (bytes_is(w->type, "Appointment") || bytes_is(w->type, "AppointmentResponse")) {
        struct fhir_reference r;
        for (const struct fhir_node *p = fhir_items(own(w, "participant")); p; p = p->next) {
            r = fhir_reference(fhir_member(p, "actor"), w->arena);
            if (bytes_is(r.type, "Patient") || r.kind == FHIR_REFERENCE_URN)
                return fhir_member(p, "actor");
        }
        return bytes_is(w->type, "Appointment") ? NULL : own(w, "actor");
    }
    for (size_t i = 0; !kind && i < sizeof names / sizeof names[0]; i++)
        if (own(w, names[i]))
            return own(w, names[i]);
    return NULL;
}

static void find_patient(struct fhir_work *w, const struct kind *kind) {
    struct facts *facts = w->facts;
    if (bytes_is(w->type, "Patient")) {
        facts->subject =
            (struct fact_identifier){w->context->source, BYTES(FACTS_FHIR_ID_TYPE), w->id};
        facts->has_subject = true;
        return;
    }
    facts->has_subject = fhir_patient_of(w, patient_member(w, kind), &facts->subject);
}

static void set_times(struct fhir_work *w) {
    struct facts *facts = w->facts;
    int64_t said = fhir_instant(fhir_member(own(w, "meta"), "lastUpdated"), w->context->zone);
    if (said == INSTANT_NONE)
        said = w->bundle_at;
    facts->own_time = said;
    facts->said = said == INSTANT_NONE ? w->context->received_at : said;
    facts->is_date_doubtful = facts->said > w->context->received_at + FUTURE_US;
}

static struct bytes name_with_source(struct fhir_work *w, struct bytes type, struct bytes id) {
    bool is_usual = bytes_is(w->context->source, FACTS_FHIR_SOURCE);
    const struct bytes parts[] = {is_usual ? BYTES_NONE : w->context->source, type, id};
    return fhir_join(parts, 3, "/", w->arena);
}

/* The common start: who says it, when, and the resource itself. */
static bool begin_facts(struct fhir_work *w, struct bytes type, struct bytes id,
                        const struct fhir_node *resource) {
    struct facts *facts = add_facts(w);
    if (!facts)
        return false;
    *facts = (struct facts){.application = w->context->source, .type = type, .control_id = id};
    w->facts = facts;
    w->capacity = 0;
    w->type = type;
    w->id = id;
    w->resource = resource;
    w->name = name_with_source(w, type, id);
    set_times(w);
    struct fact *fact = fhir_add(w, FACT_RESOURCE);
    if (fact)
        fact->resource = (struct fact_resource){
            .source = w->context->source,
            .type = type,
            .id = id,
            .json = resource ? resource->raw : BYTES_NONE,
            .at = resource ? place_in(w, resource->raw) : 0,
            .is_deleted = !resource,
        };
    return fact != NULL;
}

static bool is_uuid(struct bytes name) {
    if (name.size != 36)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        bool is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        uint8_t c = name.data[i];
        bool is_hex = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
        if (is_hyphen ? c != '-' : !is_hex)
            return false;
    }
    return true;
}

struct bytes facts_fhir_entry_id(const struct fhir_node *entry,
                                 const char bundle_id[FACTS_FHIR_ID_BYTES], struct arena *arena) {
    const struct fhir_node *resource = fhir_member(entry, "resource");
    struct bytes id = fhir_member_text(resource, "id", arena);
    struct fhir_reference url = fhir_url(fhir_member_text(entry, "fullUrl", arena), arena);
    bool creates = fhir_member_is(fhir_member(entry, "request"), "method", "POST");
    bool is_urn = url.kind == FHIR_REFERENCE_URN;
    char digest[FACTS_FHIR_ID_BYTES];
    struct text name;
    if (!bytes_is_empty(id) && (!creates || is_uuid(id)))
        return id;
    if (is_urn && is_uuid(url.id))
        return url.id;
    if (!is_urn && !creates && !bytes_is_empty(url.id)) /* it stands under an address of its own */
        return url.id;
    struct bytes local = is_urn || !bytes_is_empty(url.whole) ? url.whole
                         : resource                           ? resource->raw
                                                              : BYTES_NONE;
    if (text_init_arena(&name, arena, local.size + FACTS_FHIR_ID_BYTES + 2))
        return BYTES_NONE;
    text_put_string(&name, bundle_id);
    text_put_char(&name, ' ');
    text_put(&name, local);
    facts_fhir_id(text_bytes(&name), digest);
    return arena_copy(arena, bytes_from_string(digest));
}

static struct bytes id_of(struct fhir_work *w, const struct fhir_node *resource,
                          const struct fhir_node *entry) {
    char digest[FACTS_FHIR_ID_BYTES];
    if (entry)
        return facts_fhir_entry_id(entry, w->bundle_id, w->arena);
    struct bytes id = fhir_member_text(resource, "id", w->arena);
    if (!bytes_is_empty(id))
        return id;
    facts_fhir_id(resource->raw, digest);
    return arena_copy(w->arena, bytes_from_string(digest));
}

/* `entry`: of a Bundle; NULL: it stands alone. */
static void read_resource(struct fhir_work *w, const struct fhir_node *resource,
                          const struct fhir_node *entry) {
    struct fhir_reference url = fhir_url(fhir_member_text(entry, "fullUrl", w->arena), w->arena);
    struct bytes type = fhir_member_text(resource, "resourceType", w->arena);
    const struct kind *kind = kind_of(type);
    if (!begin_facts(w, type, id_of(w, resource, entry), resource))
        return;
    find_patient(w, kind);
    w->base = url.kind == FHIR_REFERENCE_ABSOLUTE ? url.base : BYTES_NONE;
    if (!fhir_is_type(type))
        fhir_aside(w, "this JSON says no resourceType");
    else if (!kind)
        fhir_aside(w, "resources of this kind are kept and not translated");
    else if (kind->read && !w->facts->has_subject)
        fhir_aside(w, "the resource names no patient");
    else if (kind->read)
        kind->read(w);
}

static void read_deletion(struct fhir_work *w, const struct fhir_reference *url) {
    if (!begin_facts(w, url->type, url->id, NULL))
        return;
    if (bytes_is_empty(url->id))
        fhir_aside(w, "what is to be deleted is not named by its id");
}

/* ---- bundles ---- */

static void read_entry(struct fhir_work *w, const struct fhir_node *entry) {
    const struct fhir_node *request = fhir_member(entry, "request");
    const struct fhir_node *resource = fhir_member(entry, "resource");
    struct fhir_reference target = fhir_url(fhir_member_text(request, "url", w->arena), w->arena);
    if (fhir_member_is(request, "method", "DELETE"))
        read_deletion(w, &target);
    else if (resource && resource->kind == FHIR_OBJECT)
        read_resource(w, resource, entry);
}

/* A Bundle in a Bundle is kept as it is and not opened. */
static void read_bundle(struct fhir_work *w, const struct fhir_node *bundle) {
    w->bundle_at = fhir_instant(fhir_member(bundle, "timestamp"), w->context->zone);
    facts_fhir_id(bundle->raw, w->bundle_id);
    if (fhir_index(w, bundle)) {
        w->is_full = true;
        return;
    }
    for (const struct fhir_node *entry = fhir_items(fhir_member(bundle, "entry"));
         entry && !w->is_full; entry = entry->next)
        read_entry(w, entry);
}

/* Of what gives no facts of its own: why. */
static void set_body_aside(struct fhir_work *w, struct bytes type, const char *reason,
                           uint64_t at) {
    struct facts *facts = add_facts(w);
    if (!facts)
        return;
    *facts = (struct facts){.application = w->context->source,
                            .type = fhir_is_type(type) ? type : BYTES_NONE,
                            .own_time = INSTANT_NONE,
                            .said = w->context->received_at,
                            .aside = reason,
                            .aside_at = at};
}

enum err facts_from_deleted_fhir(const struct fact_resource *resource,
                                 const struct facts_context *context, int64_t said,
                                 struct arena *arena, struct facts *facts) {
    struct facts_context same = *context;
    struct facts_batch batch = {0};
    struct fhir_work w = {.context = &same, .arena = arena, .batch = &batch};
    struct facts given = *facts;
    const struct kind *kind = kind_of(resource->type);
    struct fault fault = {0};
    same.source = resource->source;
    w.bundle_at = INSTANT_NONE;
    enum err err = fhir_read(resource->json, arena, &w.resource, &fault);
    if (err || !begin_facts(&w, resource->type, resource->id, w.resource))
        return err == ERR_INPUT ? ERR_OK : ERR_LIMIT; /* what could not be read said nothing */
    *facts = *w.facts;
    facts->subject = given.subject;
    facts->has_subject = given.has_subject;
    facts->said = facts->own_time = said;
    facts->is_date_doubtful = given.is_date_doubtful;
    facts->count = 0; /* the resource itself is the caller's */
    w.facts = facts;
    w.is_withdrawn = true;
    if (kind && kind->read && kind->read != fhir_patient && facts->has_subject)
        kind->read(&w);
    return w.is_full ? ERR_LIMIT : ERR_OK;
}

/* One JSON document, at `at` of the body. */
static enum err read_document(struct fhir_work *w, struct bytes document) {
    const struct fhir_node *root;
    struct fault fault = {0};
    enum err err = fhir_read(document, w->arena, &root, &fault);
    if (err) {
        set_body_aside(w, BYTES_NONE, fault.what, place_in(w, document) + fault.at);
        return ERR_OK;
    }
    struct bytes type = fhir_member_text(root, "resourceType", w->arena);
    w->targets = NULL;
    w->target_count = 0;
    w->bundle_at = INSTANT_NONE;
    if (root->kind != FHIR_OBJECT || !fhir_is_type(type))
        set_body_aside(w, BYTES_NONE, "this JSON is no FHIR resource", place_in(w, document));
    else if (bytes_is(type, "Bundle"))
        read_bundle(w, root);
    else
        read_resource(w, root, NULL);
    return w->is_full ? ERR_LIMIT : ERR_OK;
}

/* NDJSON: each line that is not blank begins with a brace, and there are several. A resource that is printed over several lines
 * has no second line that begins and ends so. */
static bool is_lines(struct bytes body) {
    size_t end = bytes_find(body, '\n');
    if (end == BYTES_NOT_FOUND)
        return false;
    struct bytes first = bytes_trim(bytes_first(body, end));
    struct bytes rest = bytes_trim(bytes_skip(body, end));
    return first.size > 1 && first.data[0] == '{' && first.data[first.size - 1] == '}' &&
           rest.size && rest.data[0] == '{';
}

enum err facts_from_fhir(struct bytes body, const struct facts_context *context,
                         struct arena *arena, struct facts_batch *batch) {
    struct facts_context own = *context;
    struct fhir_work w = {.context = &own, .arena = arena, .batch = batch, .body = body};
    struct bytes rest = body, line;
    *batch = (struct facts_batch){.census_as_of = INSTANT_NONE};
    if (bytes_is_empty(own.source))
        own.source = BYTES(FACTS_FHIR_SOURCE);
    enum err err = is_lines(body) ? ERR_OK : read_document(&w, body);
    while (!err && is_lines(body) && bytes_next_part(&rest, '\n', &line))
        if (!bytes_is_empty(bytes_trim(line)))
            err = read_document(&w, bytes_trim(line));
    if (!err && batch->count == 0) /* an empty Bundle */
        set_body_aside(&w, BYTES("Bundle"), "there is no resource in it", 0);
    return w.is_full ? ERR_LIMIT : err;
}
