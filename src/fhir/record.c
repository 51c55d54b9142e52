/* record.c - one person's record, read part by part; the names of its things; the table of kinds. */
#include "fhir/put.h"

#include <nettle/sha2.h>

/* ---- reading ---- */

static enum err name_members(struct record *record, struct fault *fault) {
    const struct chart_patient *patient = &record->patient;
    record->member_count = patient->merged_count + 1;
    record->members =
        arena_array(record->view->arena, record->member_count, sizeof *record->members);
    if (!record->members)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    chart_name_identifier(&patient->main, record->members[0]);
    for (size_t i = 0; i < patient->merged_count; i++)
        chart_name_identifier(&patient->merged[i], record->members[i + 1]);
    return ERR_OK;
}

enum err record_open(struct record *record, const struct fhir_view *view, uint64_t person,
                     struct fault *fault) {
    arena_clear(view->arena);
    *record = (struct record){.view = view, .person = person};
    enum err err = chart_patient(view->chart, view->arena, person, &record->patient, fault);
    return err ? err : name_members(record, fault);
}

/* Reports hold their results: here each stands for itself. */
static enum err flatten(struct record *record, struct fault *fault) {
    size_t total = 0;
    for (size_t i = 0; i < record->report_count; i++)
        total += record->reports[i].result_count;
    record->results = arena_array(record->view->arena, total, sizeof *record->results);
    if (total && !record->results)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = 0; i < record->report_count; i++)
        for (size_t k = 0; k < record->reports[i].result_count; k++)
            record->results[record->result_count++] =
                (struct one_result){&record->reports[i], &record->reports[i].results[k]};
    return ERR_OK;
}

static enum err gather_others(struct record *r, struct fault *fault) {
    size_t count, kept = 0;
    enum err err = chart_resources_of(r->view->chart, r->view->arena, r->person, BYTES_NONE,
                                      &r->others, &count, fault);
    for (size_t i = 0; i < count && !err; i++)
        if (!r->others[i].is_deleted && !bytes_is_empty(r->others[i].json) &&
            !kind_named(r->others[i].type))
            r->others[kept++] = r->others[i];
    r->other_count = err ? 0 : kept;
    return err;
}

static enum err gather_one(struct record *r, enum gather part, struct fault *fault) {
    struct chart_reader *chart = r->view->chart;
    struct arena *arena = r->view->arena;
    enum err err;
    switch (part) {
    case GATHER_STAYS:
        return chart_stays(chart, arena, r->person, &r->stays, &r->stay_count, fault);
    case GATHER_RESULTS:
        err = chart_results(chart, arena, r->person, INSTANT_NONE, SIZE_MAX, &r->reports,
                            &r->report_count, fault);
        return err ? err : flatten(r, fault);
    case GATHER_DIAGNOSES:
        return chart_diagnoses(chart, arena, r->person, &r->diagnoses, &r->diagnosis_count, fault);
    case GATHER_DOCUMENTS:
        return chart_documents(chart, arena, r->person, &r->documents, &r->document_count, fault);
    case GATHER_ORDERS:
        return chart_orders(chart, arena, r->person, &r->orders, &r->order_count, fault);
    case GATHER_EVENTS:
        return chart_medication_events(chart, arena, r->person, &r->events, &r->event_count, fault);
    case GATHER_OTHERS:
        return gather_others(r, fault);
    case GATHER_APPOINTMENTS:
        return chart_appointments(chart, arena, r->person, &r->appointments, &r->appointment_count,
                                  fault);
    }
    return ERR_OK;
}

enum err record_gather(struct record *record, unsigned parts, struct fault *fault) {
    enum err err = ERR_OK;
    for (unsigned part = GATHER_STAYS; part <= GATHER_OTHERS && !err; part <<= 1) {
        if (!(parts & part) || (record->gathered & part))
            continue;
        err = gather_one(record, (enum gather)part, fault);
        record->gathered |= part;
    }
    return err;
}

/* ---- names ---- */

static void add_part(struct sha256_ctx *hash, struct bytes part) {
    uint8_t size[4];
    store_u32(size, (uint32_t)part.size);
    sha256_update(hash, sizeof size, size);
    if (part.size)
        sha256_update(hash, part.size, part.data);
}

static void put_hash(struct text *text, const char *kind, const struct bytes *parts, size_t count) {
    struct sha256_ctx hash;
    uint8_t digest[16];
    sha256_init(&hash);
    add_part(&hash, bytes_from_string(kind));
    for (size_t i = 0; i < count; i++)
        add_part(&hash, parts[i]);
    sha256_digest(&hash, sizeof digest, digest);
    text_put_hex(text, bytes_from(digest, sizeof digest));
}

void id_make(struct id *id, const struct record *record, size_t member, const char *kind,
             const struct bytes *parts, size_t count) {
    struct text text;
    text_init(&text, id->text, sizeof id->text);
    text_put(&text, bytes_from(record->members[member < record->member_count ? member : 0], 16));
    text_put_char(&text, '-');
    put_hash(&text, kind, parts, count);
}

void id_of_patient(struct id *id, const char name[65]) {
    memcpy(id->text, name, 32);
    id->text[32] = 0;
}

void id_of_place(struct id *id, const struct fact_place *place) {
    struct text text;
    const struct bytes parts[] = {place->unit, place->room, place->bed};
    text_init(&text, id->text, sizeof id->text);
    put_hash(&text, "Location", parts, 3);
}

struct bytes instant_bytes(const int64_t *at) {
    return bytes_from(at, sizeof *at);
}

/* ---- facets ---- */

void facets_add_code(struct facets *facets, struct bytes code, struct bytes system,
                     struct arena *arena) {
    char buffer[128];
    struct text room;
    text_init(&room, buffer, sizeof buffer);
    if (bytes_is_empty(code) || facets->code_count == CODES_MAX)
        return;
    facets->codes[facets->code_count++] = (struct facet_code){
        .code = bytes_trim(code), .system = arena_copy(arena, system_address(system, &room))};
}

void facets_add_category(struct facets *facets, const char *system, const char *code) {
    if (code && facets->category_count < CODES_MAX)
        facets->categories[facets->category_count++] =
            (struct facet_code){bytes_from_string(system), bytes_from_string(code)};
}

/* A moment; or from one to the other, with no end: for ever. */
void facets_date(struct facets *facets, int64_t from, int64_t to) {
    facets->from = from;
    facets->to = to;
}

/* ---- kinds ---- */

const struct kind *const kinds[KIND_COUNT] = {
    &kind_patient,        &kind_encounter, &kind_allergy,      &kind_condition,
    &kind_observation,    &kind_report,    &kind_specimen,     &kind_medication_request,
    &kind_administration, &kind_dispense,  &kind_immunization, &kind_service_request,
    &kind_appointment,    &kind_document,
};

const struct kind *kind_named(struct bytes name) {
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (bytes_is(name, kinds[i]->name))
            return kinds[i];
    return NULL;
}
