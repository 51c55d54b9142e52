/* condition.c - Condition: problems of the list, diagnoses of a stay. */
#include "fhir/put.h"

static size_t count(const struct record *record) {
    return record->diagnosis_count;
}

static void identify(const struct record *record, size_t at, struct id *id) {
    const struct chart_diagnosis *d = &record->diagnoses[at];
    id_make(id, record, d->member, "Condition", &d->agent, 1);
}

/* PRB-14 in the words of FHIR, kept so by the chart; a resolution's date says the same. */
static const struct {
    const char *code, *display;
    bool is_over;
} states[] = {
    {"active", "Active", false},      {"recurrence", "Recurrence", false},
    {"relapse", "Relapse", false},    {"inactive", "Inactive", true},
    {"remission", "Remission", true}, {"resolved", "Resolved", true},
};
enum { STATE_COUNT = sizeof states / sizeof states[0], STATE_RESOLVED = STATE_COUNT - 1 };

static size_t state_of(const struct chart_diagnosis *d) {
    for (size_t i = 0; i < STATE_COUNT; i++)
        if (bytes_is(d->state, states[i].code))
            return i;
    return is_fhir_date(d->ended_at) ? STATE_RESOLVED : STATE_COUNT;
}

static const char *category_of(const struct chart_diagnosis *d) {
    return d->is_problem ? "problem-list-item" : "encounter-diagnosis";
}

static void put_states(struct json *json, const struct chart_diagnosis *d) {
    size_t state = state_of(d);
    if (d->is_deleted) {
        put_code(json, "verificationStatus", TERMINOLOGY "condition-ver-status", "entered-in-error",
                 "Entered in Error");
        return;
    }
    if (state < STATE_COUNT)
        put_code(json, "clinicalStatus", TERMINOLOGY "condition-clinical", states[state].code,
                 states[state].display);
    /* DG1-6: working and final; an admitting diagnosis is neither. */
    if (bytes_is(d->type, "W"))
        put_code(json, "verificationStatus", TERMINOLOGY "condition-ver-status", "provisional",
                 "Provisional");
    else if (bytes_is(d->type, "F"))
        put_code(json, "verificationStatus", TERMINOLOGY "condition-ver-status", "confirmed",
                 "Confirmed");
}

static void facets(const struct record *record, size_t at, struct facets *out) {
    const struct chart_diagnosis *d = &record->diagnoses[at];
    struct time_read onset;
    size_t state = state_of(d);
    out->status = d->is_deleted ? "" : state < STATE_COUNT ? states[state].code : NULL;
    out->said = d->source.said;
    out->entry = d->source.entry;
    size_t bar = bytes_find(d->agent, '|');
    out->came_as = bar == BYTES_NOT_FOUND ? BYTES_NONE : bytes_skip(d->agent, bar + 1);
    facets_add_code(out, d->code, d->system, record->view->arena);
    facets_add_category(out, TERMINOLOGY "condition-category", category_of(d));
    int64_t at_time = d->at;
    if (time_read_iso(d->onset_at, NULL, &onset))
        at_time = onset.at;
    facets_date(out, at_time, at_time);
}

static void put(struct json *json, const struct record *record, size_t at) {
    const struct chart_diagnosis *d = &record->diagnoses[at];
    size_t state = state_of(d);
    struct id id;
    identify(record, at, &id);
    put_begin(json, "Condition", &id, &d->source);
    put_states(json, d);
    json_name(json, "category");
    json_array_begin(json);
    json_object_begin(json);
    json_name(json, "coding");
    json_array_begin(json);
    put_coding(json, TERMINOLOGY "condition-category", category_of(d),
               d->is_problem ? "Problem List Item" : "Encounter Diagnosis");
    json_array_end(json);
    json_object_end(json);
    json_array_end(json);
    put_concept(json, "code", d->code, d->system, d->text, true);
    put_subject(json, "subject", record);
    put_date(json, "onsetDateTime", d->onset_at);
    if (!d->is_deleted && state < STATE_COUNT && states[state].is_over)
        put_date(json, "abatementDateTime", d->ended_at);
    put_instant(json, "recordedDate", d->at);
    json_object_end(json);
}

static const struct search_name names[] = {
    {"clinical-status", FACET_STATUS}, {"code", FACET_CODE},       {"category", FACET_CATEGORY},
    {"recorded-date", FACET_DATE},     {"onset-date", FACET_DATE}, {NULL, FACET_NONE}};

const struct kind kind_condition = {"Condition", GATHER_DIAGNOSES, count, NULL,
                                    identify,    facets,           put,   names};
