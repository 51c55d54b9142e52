/* answer.c - the chart's answers as JSON, in pieces; docs/chart-json.md describes every member. */
#include "chart/answer.h"
#include "chart/reader.h"

#define PIECE_BYTES     ((size_t)64 << 20)
#define PERSON_BYTES    ((size_t)512 << 20)
#define PERSONS_AT_ONCE 500

struct answer {
    struct chart_reader *reader;
    const struct chart_ask *ask;
    struct arena arena;
    struct text text;
    struct json json;
    chart_take take;
    void *owner;
    struct fault *fault;
    struct chart_patient patient; /* the person at hand */
};

/* ---- parts ---- */

static void put_identifier(struct json *json, const struct fact_identifier *identifier) {
    json_object_begin(json);
    json_member_bytes(json, "authority", identifier->authority);
    json_member_bytes(json, "type", identifier->type);
    json_member_bytes(json, "number", identifier->number);
    json_object_end(json);
}

static void put_identifiers(struct json *json, const char *name,
                            const struct fact_identifier *identifiers, size_t count) {
    json_name(json, name);
    json_array_begin(json);
    for (size_t i = 0; i < count; i++)
        put_identifier(json, &identifiers[i]);
    json_array_end(json);
}

static void put_named_source(struct json *json, const char *name,
                             const struct chart_source *source) {
    json_name(json, name);
    json_object_begin(json);
    json_member_u64(json, "entry", source->entry);
    json_member_instant(json, "said", source->said);
    json_object_end(json);
}

void put_source(struct json *json, const struct chart_source *source) {
    put_named_source(json, "source", source);
}

static void put_place(struct json *json, const struct fact_place *place) {
    json_member_bytes(json, "ward", place->unit);
    json_member_bytes(json, "room", place->room);
    json_member_bytes(json, "bed", place->bed);
    json_member_bytes(json, "facility", place->facility);
}

static const char *allergy_statement_name(enum allergy_statement statement) {
    static const char *const names[] = {"not recorded", "none known", "listed"};
    return names[statement];
}

static void put_allergies(struct json *json, const struct chart_patient *patient) {
    json_member_string(json, "allergy_statement",
                       allergy_statement_name(patient->allergy_statement));
    json_name(json, "allergies");
    json_array_begin(json);
    for (size_t i = 0; i < patient->allergy_count; i++) {
        const struct chart_allergy *a = &patient->allergies[i];
        json_object_begin(json);
        json_member_bytes(json, "code", a->code);
        json_member_bytes(json, "system", a->system);
        json_member_bytes(json, "text", a->text);
        json_member_bytes(json, "kind", a->kind);
        json_member_bytes(json, "severity", a->severity);
        json_member_bytes(json, "reaction", a->reaction);
        json_member_bytes(json, "identified_at", a->identified_at);
        json_member_bytes(json, "feed", a->feed);
        put_source(json, &a->source);
        json_object_end(json);
    }
    json_array_end(json);
}

/* Of the past: in every item of every list too, so that no line can be taken for the present. */
static void put_past(struct answer *answer) {
    const struct chart_as_of *as_of = chart_as_of(answer->reader);
    if (as_of->at != INSTANT_NONE)
        chart_put_as_of(&answer->json, as_of);
}

/* Who it is: in every item of every list, so that no line can be read without its patient. */
static void put_who(struct answer *answer, const struct chart_patient *patient) {
    struct json *json = &answer->json;
    json_member_u64(json, "id", patient->id);
    json_name(json, "identifier");
    put_identifier(json, &patient->main);
    json_member_bytes(json, "family_name", patient->family_name);
    json_member_bytes(json, "given_name", patient->given_name);
    json_member_bytes(json, "birth_date", patient->birth_date);
    json_member_bytes(json, "sex", patient->sex);
    put_past(answer);
}

static void put_doubt(struct json *json, const struct chart_patient *patient) {
    json_member_bool(json, "in_doubt", patient->doubt & CHART_IN_DOUBT);
    json_member_bytes(json, "doubt_reason", bytes_from_string(patient->doubt_reason));
    json_member_bool(json, "is_merged", patient->doubt & CHART_MERGED);
    json_member_bool(json, "is_provisional", patient->doubt & CHART_PROVISIONAL);
    json_member_bool(json, "is_disputed", patient->doubt & CHART_DISPUTED);
}

/* What other sources said at the same moment and that differs from what is shown. */
static void put_disputes(struct json *json, const struct chart_dispute *disputes, size_t count) {
    json_name(json, "disputes");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(json);
        json_member_string(json, "field", disputes[i].field);
        json_member_bytes(json, "value", disputes[i].value);
        json_member_bytes(json, "feed", disputes[i].feed);
        put_source(json, &disputes[i].source);
        json_object_end(json);
    }
    json_array_end(json);
}

static void put_expected(struct json *json, const struct chart_stay *stay) {
    json_name(json, "expected");
    if (!stay->expected) {
        json_put_null(json);
        return;
    }
    json_object_begin(json);
    json_member_string(json, "class", facts_movement_class_name(stay->expected));
    json_member_instant(json, "at", stay->expected_at);
    put_place(json, &stay->expected_place);
    json_object_end(json);
}

static void put_stay(struct json *json, const struct chart_stay *stay) {
    json_name(json, "visit");
    if (bytes_is_empty(stay->visit.number))
        json_put_null(json);
    else
        put_identifier(json, &stay->visit);
    json_member_bytes(json, "class", stay->class);
    json_member_bool(json, "is_present", stay->is_present);
    json_member_bool(json, "is_place_stated", stay->is_place_stated);
    put_place(json, &stay->place);
    json_member_bool(json, "is_from_census", stay->is_from_census);
    json_member_instant(json, "census_at", stay->census_at);
    json_member_bytes(json, "medical_unit", stay->medical_unit);
    json_member_bytes(json, "care_unit", stay->care_unit);
    json_member_bool(json, "is_on_leave", stay->is_on_leave);
    json_member_instant(json, "since", stay->since);
    json_member_instant(json, "admitted_at", stay->admitted_at);
    json_member_instant(json, "discharged_at", stay->discharged_at);
    json_member_bytes(json, "attending", stay->attending);
    json_member_bytes(json, "service", stay->service);
    json_member_bytes(json, "reason", stay->reason);
    put_expected(json, stay);
    put_disputes(json, stay->disputes, stay->dispute_count);
    put_source(json, &stay->source);
}

/* Give away what is written, so that the text never has to hold the whole answer. */
static enum err give(struct answer *answer) {
    if (answer->text.full)
        return fault_set(answer->fault, ERR_LIMIT, "one patient's answer is too large");
    enum err err = answer->take(answer->owner, text_bytes(&answer->text));
    text_clear(&answer->text);
    return err;
}

/* ---- census, feeds, aside, state ---- */

static enum err answer_census(struct answer *answer) {
    struct chart_census_row *rows;
    size_t count;
    struct json *json = &answer->json;
    enum err err = chart_census(answer->reader, &answer->arena, answer->ask->ward,
                                answer->ask->now_us, &rows, &count, answer->fault);
    json_array_begin(json);
    for (size_t i = 0; i < count && !err; i++) {
        json_object_begin(json);
        put_who(answer, &rows[i].patient);
        put_identifiers(json, "other_identifiers", rows[i].patient.others,
                        rows[i].patient.other_count);
        put_doubt(json, &rows[i].patient);
        json_member_bool(json, "same_name_in_ward", rows[i].patient.doubt & CHART_SAME_NAME);
        put_stay(json, &rows[i].stay);
        put_allergies(json, &rows[i].patient);
        json_member_instant(json, "newest_result_at", rows[i].newest_result_at);
        json_member_u64(json, "abnormal_results_72h", rows[i].abnormal_count);
        json_object_end(json);
        err = give(answer);
    }
    json_array_end(json);
    return err;
}

static enum err answer_feeds(struct answer *answer) {
    struct chart_feed *feeds;
    size_t count;
    struct json *json = &answer->json;
    enum err err = chart_feeds(answer->reader, &answer->arena, &feeds, &count, answer->fault);
    json_array_begin(json);
    for (size_t i = 0; i < count && !err; i++) {
        const struct chart_feed *f = &feeds[i];
        json_object_begin(json);
        json_member_bytes(json, "application", f->application);
        json_member_bytes(json, "facility", f->facility);
        json_member_u64(json, "messages", f->message_count);
        json_member_u64(json, "set_aside", f->aside_count);
        json_member_u64(json, "charset_mismatches", f->mismatch_count);
        json_member_u64(json, "warnings", f->warning_count);
        json_member_instant(json, "newest_own_time", f->newest_own_time);
        json_member_instant(json, "newest_received_at", f->newest_received_at);
        json_member_instant(json, "first_received_at", f->first_received_at);
        json_member_instant(json, "newest_movement_at", f->newest_movement_at);
        json_member_instant(json, "newest_result_at", f->newest_result_at);
        json_member_instant(json, "newest_medication_at", f->newest_medication_at);
        put_past(answer);
        json_object_end(json);
    }
    json_array_end(json);
    return err;
}

static enum err answer_aside(struct answer *answer) {
    uint64_t from = UINT64_MAX;
    size_t count;
    struct json *json = &answer->json;
    enum err err = ERR_OK;
    json_array_begin(json);
    do {
        struct chart_aside *asides;
        arena_clear(&answer->arena);
        err = chart_asides(answer->reader, &answer->arena, from, PERSONS_AT_ONCE, &asides, &count,
                           answer->fault);
        for (size_t i = 0; i < count && !err; i++) {
            json_object_begin(json);
            json_member_u64(json, "entry", asides[i].entry);
            json_member_instant(json, "received_at", asides[i].received_at);
            json_member_bytes(json, "feed", asides[i].feed);
            json_member_bytes(json, "type", asides[i].type);
            json_member_bytes(json, "reason", asides[i].reason);
            json_member_u64(json, "at", asides[i].at);
            put_past(answer);
            json_object_end(json);
        }
        from = count ? asides[count - 1].entry - 1 : 0;
        if (!err)
            err = give(answer);
    } while (!err && count == PERSONS_AT_ONCE && from != UINT64_MAX);
    json_array_end(json);
    return err;
}

static enum err answer_state(struct answer *answer) {
    struct chart_state state;
    struct json *json = &answer->json;
    enum err err = chart_state(answer->reader, &state, answer->fault);
    if (err)
        return err;
    json_object_begin(json);
    json_member_u64(json, "applied", state.applied);
    json_member_u64(json, "messages", state.entry_count);
    json_member_u64(json, "patients", state.patient_count);
    json_member_u64(json, "present", state.present_count);
    json_member_u64(json, "set_aside", state.aside_count);
    json_member_instant(json, "newest_received_at", state.newest_received_at);
    json_member_instant(json, "known_since", state.known_since);
    json_member_instant(json, "census_as_of", state.census_as_of);
    json_member_u64(json, "schema", CHART_SCHEMA_VERSION);
    json_member_u64(json, "translator", CHART_TRANSLATOR_VERSION);
    chart_put_as_of(json, chart_as_of(answer->reader));
    json_object_end(json);
    return ERR_OK;
}

/* ---- one person ---- */

static enum err put_patient(struct answer *answer) {
    const struct chart_patient *p = &answer->patient;
    struct json *json = &answer->json;
    struct chart_stay *stays;
    size_t count;
    enum err err =
        chart_stays(answer->reader, &answer->arena, p->id, &stays, &count, answer->fault);
    if (err)
        return err;
    put_identifiers(json, "other_identifiers", p->others, p->other_count);
    put_identifiers(json, "merged_identifiers", p->merged, p->merged_count);
    json_member_bytes(json, "birth_name", p->birth_name);
    json_member_bytes(json, "used_name", p->used_name);
    json_member_bytes(json, "prefix", p->prefix);
    json_member_bytes(json, "address", p->address);
    json_member_bytes(json, "phone", p->phone);
    json_member_bytes(json, "death", p->death);
    json_member_bytes(json, "identity_status", p->identity_status);
    put_doubt(json, p);
    put_disputes(json, p->disputes, p->dispute_count);
    put_allergies(json, p);
    json_name(json, "stays");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(json);
        put_stay(json, &stays[i]);
        json_object_end(json);
    }
    json_array_end(json);
    put_source(json, &p->identity_source);
    return ERR_OK;
}

static enum err put_moves(struct answer *answer) {
    struct chart_movement *moves;
    size_t count;
    struct json *json = &answer->json;
    enum err err = chart_moves(answer->reader, &answer->arena, answer->patient.id, &moves, &count,
                               answer->fault);
    if (err)
        return err;
    json_name(json, "moves");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        const struct chart_movement *m = &moves[i];
        json_object_begin(json);
        json_name(json, "visit");
        if (bytes_is_empty(m->visit.number))
            json_put_null(json);
        else
            put_identifier(json, &m->visit);
        json_member_string(json, "class", facts_movement_class_name(m->class));
        json_member_bytes(json, "movement_id", m->movement_id);
        json_member_instant(json, "holds", m->holds);
        put_place(json, &m->place);
        json_member_bytes(json, "medical_unit", m->medical_unit);
        json_member_bytes(json, "care_unit", m->care_unit);
        json_member_bool(json, "is_cancelled", m->is_cancelled);
        put_source(json, &m->source);
        if (m->is_cancelled)
            put_named_source(json, "cancel_source", &m->cancel_source);
        json_object_end(json);
    }
    json_array_end(json);
    return ERR_OK;
}

static void put_versions(struct json *json, const struct chart_result *result) {
    json_name(json, "before");
    json_array_begin(json);
    for (size_t i = 0; i < result->before_count; i++) {
        const struct chart_version *v = &result->before[i];
        json_object_begin(json);
        json_member_bytes(json, "value", v->value);
        json_member_bytes(json, "unit", v->unit);
        json_member_string(json, "status", facts_result_status_name(v->status));
        json_member_instant(json, "reported_at", v->reported_at);
        put_source(json, &v->source);
        json_object_end(json);
    }
    json_array_end(json);
}

static void put_result(struct json *json, const struct chart_result *result) {
    json_object_begin(json);
    json_member_bytes(json, "code", result->code);
    json_member_bytes(json, "system", result->system);
    json_member_bytes(json, "text", result->text);
    json_member_bytes(json, "sub_id", result->sub_id);
    json_member_bytes(json, "type", result->type);
    json_member_bytes(json, "value", result->value);
    json_member_bytes(json, "unit", result->unit);
    json_member_bytes(json, "range", result->range);
    json_member_bytes(json, "flags", result->flags);
    json_member_string(json, "status", facts_result_status_name(result->status));
    json_member_instant(json, "observed_at", result->observed_at);
    json_member_instant(json, "reported_at", result->reported_at);
    json_member_bytes(json, "notes", result->notes);
    put_versions(json, result);
    put_source(json, &result->source);
    json_object_end(json);
}

static enum err put_results(struct answer *answer) {
    struct chart_report *reports;
    size_t count;
    struct json *json = &answer->json;
    enum err err = chart_results(answer->reader, &answer->arena, answer->patient.id, INSTANT_NONE,
                                 SIZE_MAX, &reports, &count, answer->fault);
    if (err)
        return err;
    json_name(json, "reports");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        const struct chart_report *r = &reports[i];
        json_object_begin(json);
        json_member_bytes(json, "placer", r->placer);
        json_member_bytes(json, "filler", r->filler);
        json_member_bytes(json, "code", r->code);
        json_member_bytes(json, "system", r->system);
        json_member_bytes(json, "text", r->text);
        json_member_string(json, "status", facts_result_status_name(r->status));
        json_member_instant(json, "collected_at", r->collected_at);
        json_member_instant(json, "reported_at", r->reported_at);
        json_member_bytes(json, "requester", r->requester);
        json_member_bytes(json, "notes", r->notes);
        json_member_bytes(json, "feed", r->feed);
        json_name(json, "results");
        json_array_begin(json);
        for (size_t k = 0; k < r->result_count; k++)
            put_result(json, &r->results[k]);
        json_array_end(json);
        put_source(json, &r->source);
        json_object_end(json);
    }
    json_array_end(json);
    return ERR_OK;
}

static enum err put_diagnoses(struct answer *answer) {
    struct chart_diagnosis *diagnoses;
    size_t count;
    struct json *json = &answer->json;
    enum err err = chart_diagnoses(answer->reader, &answer->arena, answer->patient.id, &diagnoses,
                                   &count, answer->fault);
    if (err)
        return err;
    json_name(json, "diagnoses");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(json);
        json_member_bytes(json, "code", diagnoses[i].code);
        json_member_bytes(json, "system", diagnoses[i].system);
        json_member_bytes(json, "text", diagnoses[i].text);
        json_member_bytes(json, "type", diagnoses[i].type);
        json_member_instant(json, "at", diagnoses[i].at);
        json_member_bool(json, "is_problem", diagnoses[i].is_problem);
        json_member_bytes(json, "onset_at", diagnoses[i].onset_at);
        json_member_bytes(json, "ended_at", diagnoses[i].ended_at);
        json_member_bytes(json, "state", diagnoses[i].state);
        json_member_bool(json, "is_deleted", diagnoses[i].is_deleted);
        put_source(json, &diagnoses[i].source);
        json_object_end(json);
    }
    json_array_end(json);
    return ERR_OK;
}

static enum err put_documents(struct answer *answer) {
    struct chart_document *documents;
    size_t count;
    struct json *json = &answer->json;
    enum err err = chart_documents(answer->reader, &answer->arena, answer->patient.id, &documents,
                                   &count, answer->fault);
    if (err)
        return err;
    json_name(json, "documents");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        const struct chart_document *d = &documents[i];
        json_object_begin(json);
        json_member_bytes(json, "document", d->id);
        json_member_bytes(json, "parent", d->parent_id);
        json_member_bytes(json, "kind", d->kind);
        json_member_bytes(json, "title", d->title);
        json_member_bytes(json, "completion", d->completion);
        json_member_bytes(json, "availability", d->availability);
        json_member_bytes(json, "author", d->author);
        json_member_bytes(json, "media_type", d->media_type);
        json_member_u64(json, "encapsulated_bytes", d->encapsulated_bytes);
        json_member_instant(json, "at", d->at);
        json_member_bool(json, "is_replaced", d->is_replaced);
        json_member_bool(json, "is_cancelled", d->is_cancelled);
        json_member_bool(json, "is_replacement", d->is_replacement);
        json_member_bool(json, "is_addendum", d->is_addendum);
        json_member_bytes(json, "text", d->text);
        put_source(json, &d->source);
        json_object_end(json);
    }
    json_array_end(json);
    return ERR_OK;
}

/* `kind`: of one kind alone; 0: all. */
static enum err orders_of(struct answer *answer, enum order_kind kind) {
    struct chart_order *orders;
    size_t count, kept = 0;
    enum err err = chart_orders(answer->reader, &answer->arena, answer->patient.id, &orders, &count,
                                answer->fault);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++)
        if (!kind || orders[i].fact.kind == kind)
            orders[kept++] = orders[i];
    put_orders(&answer->json, orders, kept, answer->ask->now_us);
    return ERR_OK;
}

static enum err administrations_of(struct answer *answer) {
    struct chart_medication_event *events;
    size_t count;
    enum err err = chart_medication_events(answer->reader, &answer->arena, answer->patient.id,
                                           &events, &count, answer->fault);
    if (!err)
        put_medication_events(&answer->json, events, count);
    return err;
}

static enum err appointments_of(struct answer *answer) {
    struct chart_appointment *appointments;
    size_t count;
    enum err err = chart_appointments(answer->reader, &answer->arena, answer->patient.id,
                                      &appointments, &count, answer->fault);
    if (!err)
        put_appointments(&answer->json, appointments, count);
    return err;
}

static enum err put_parts(struct answer *answer) {
    switch (answer->ask->question) {
    case CHART_PATIENT:
        return put_patient(answer);
    case CHART_MOVES:
        return put_moves(answer);
    case CHART_RESULTS:
        return put_results(answer);
    case CHART_DIAGNOSES:
        return put_diagnoses(answer);
    case CHART_DOCUMENTS:
        return put_documents(answer);
    case CHART_ORDERS:
        return orders_of(answer, 0);
    case CHART_MEDICATION: {
        enum err err = orders_of(answer, ORDER_MEDICATION);
        return err ? err : administrations_of(answer);
    }
    case CHART_ADMINISTRATIONS:
        return administrations_of(answer);
    case CHART_APPOINTMENTS:
        return appointments_of(answer);
    default:
        put_allergies(&answer->json, &answer->patient);
        return ERR_OK;
    }
}

static enum err answer_person(struct answer *answer, uint64_t id) {
    arena_clear(&answer->arena);
    enum err err =
        chart_patient(answer->reader, &answer->arena, id, &answer->patient, answer->fault);
    if (err)
        return err;
    json_object_begin(&answer->json);
    put_who(answer, &answer->patient);
    err = put_parts(answer);
    json_object_end(&answer->json);
    return err ? err : give(answer);
}

static enum err answer_everyone(struct answer *answer) {
    uint64_t ids[PERSONS_AT_ONCE], last = 0;
    size_t count;
    enum err err;
    json_array_begin(&answer->json);
    do {
        count = 0;
        sqlite3_stmt *rows = db_statement(&answer->reader->db, SQL_SUBJECT_ALL, answer->fault);
        db_bind_i64(rows, 1, (int64_t)last);
        db_bind_i64(rows, 2, PERSONS_AT_ONCE);
        while (!(err = db_next(&answer->reader->db, rows, answer->fault)))
            ids[count++] = last = (uint64_t)sqlite3_column_int64(rows, 0);
        err = err == ERR_MORE ? ERR_OK : err;
        for (size_t i = 0; i < count && !err; i++)
            err = answer_person(answer, ids[i]);
    } while (!err && count == PERSONS_AT_ONCE);
    json_array_end(&answer->json);
    return err;
}

static enum err answer_question(struct answer *answer) {
    switch (answer->ask->question) {
    case CHART_CENSUS:
        return answer_census(answer);
    case CHART_FEEDS:
        return answer_feeds(answer);
    case CHART_ASIDE:
        return answer_aside(answer);
    case CHART_STATE:
        return answer_state(answer);
    default:
        return answer->ask->all_patients ? answer_everyone(answer)
                                         : answer_person(answer, answer->ask->patient_id);
    }
}

enum err chart_answer_json(struct chart_reader *reader, const struct chart_ask *ask,
                           chart_take take, void *owner, struct fault *fault) {
    struct answer answer = {
        .reader = reader, .ask = ask, .take = take, .owner = owner, .fault = fault};
    struct arena buffer;
    arena_init(&answer.arena, PERSON_BYTES);
    arena_init(&buffer, PIECE_BYTES + 64);
    enum err err = text_init_arena(&answer.text, &buffer, PIECE_BYTES);
    json_init(&answer.json, &answer.text);
    if (!err)
        err = answer_question(&answer);
    if (!err)
        err = give(&answer);
    arena_release(&answer.arena);
    arena_release(&buffer);
    return err;
}
