/* observation.c - Observation, DiagnosticReport and Specimen: what was measured, in which report, of what. */
#include "fhir/kept.h"
#include "fhir/put.h"

/* ---- which is which ---- */

/* As the chart tells reports apart: sender and filler number with the service, else placer, service and collection. */
static void identify_report(const struct record *record, const struct chart_report *report,
                            const char *kind, const struct chart_result *result, struct id *id) {
    bool has_filler = !bytes_is_empty(report->filler);
    const struct bytes none = BYTES_NONE;
    const struct bytes parts[] = {
        report->feed,
        report->filler,
        report->code,
        has_filler ? none : report->placer,
        has_filler ? none : instant_bytes(&report->collected_at),
        has_filler ? none : report->text,
        result ? result->code : none,
        result && bytes_is_empty(result->code) ? result->text : none,
        result ? result->sub_id : none,
    };
    id_make(id, record, report->member, kind, parts, sizeof parts / sizeof parts[0]);
}

static void result_id(const struct record *record, size_t at, struct id *id) {
    const struct one_result *one = &record->results[at];
    identify_report(record, one->report, "Observation", one->result, id);
}

static void report_id(const struct record *record, size_t at, struct id *id) {
    identify_report(record, &record->reports[at], "DiagnosticReport", NULL, id);
}

static size_t result_count(const struct record *record) {
    return record->result_count;
}

static size_t report_count(const struct record *record) {
    return record->report_count;
}

/* ---- states ---- */

static const char *observation_status(enum result_status status) {
    switch (status) {
    case RESULT_PENDING:
        return "registered";
    case RESULT_PRELIMINARY:
        return "preliminary";
    case RESULT_FINAL:
        return "final";
    case RESULT_CORRECTED:
        return "corrected";
    case RESULT_DELETED:
    case RESULT_WRONG:
        return "entered-in-error";
    case RESULT_CANCELLED:
        return "cancelled";
    case RESULT_UNKNOWN:
        break;
    }
    return "unknown";
}

static bool is_gone(const struct chart_result *result) {
    return result->status == RESULT_DELETED || result->status == RESULT_WRONG;
}

/* ---- vital signs: by their LOINC codes, as the standard lists them ---- */

static bool is_vital_sign(const struct chart_result *result) {
    static const char *const codes[] = {"85353-1", "9279-1", "8867-4", "2708-6",  "59408-5",
                                        "8310-5",  "8302-2", "9843-4", "29463-7", "39156-5",
                                        "85354-9", "8480-6", "8462-4", "8478-0"};
    if (!bytes_is(result->system, "LN"))
        return false;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (bytes_is(result->code, codes[i]))
            return true;
    return false;
}

static void put_vital_category(struct json *json) {
    json_name(json, "category");
    json_array_begin(json);
    json_object_begin(json);
    json_name(json, "coding");
    json_array_begin(json);
    put_coding(json, TERMINOLOGY "observation-category", "vital-signs", "Vital Signs");
    json_array_end(json);
    json_object_end(json);
    json_array_end(json);
}

/* ---- the value ---- */

static bool is_coded(struct bytes type) {
    return bytes_is(type, "CE") || bytes_is(type, "CWE") || bytes_is(type, "CNE") ||
           bytes_is(type, "IS");
}

static void put_value(struct json *json, const struct chart_result *result) {
    struct bytes value = bytes_trim(result->value);
    bool is_number = bytes_is(result->type, "NM") || bytes_is(result->type, "SN") ||
                     (bytes_is_empty(result->type) && !bytes_is_empty(result->unit));
    if (is_gone(result))
        return;
    if (bytes_is_empty(value)) {
        if (result->status != RESULT_PENDING)
            put_concept(json, "dataAbsentReason", BYTES_NONE, BYTES_NONE, BYTES_NONE, true);
    } else if (is_number && put_quantity(json, "valueQuantity", value, result->unit)) {
        return;
    } else if (is_coded(result->type)) {
        put_words(json, "valueCodeableConcept", value);
    } else {
        json_member_bytes(json, "valueString", value);
    }
}

/* Table 0078 as v3-ObservationInterpretation has it; what was withdrawn from that is text. */
static bool is_interpretation(struct bytes flag) {
    static const char *const codes[] = {
        "<",   ">", "A",  "AA",  "B",   "CAR",   "D",     "DET", "E",   "EX", "EXP", "H",  "HH",
        "HU",  "I", "IE", "IND", "L",   "LL",    "LU",    "N",   "NCL", "ND", "NEG", "NR", "NS",
        "POS", "R", "RR", "S",   "SDD", "SYN-R", "SYN-S", "U",   "UNE", "W",  "WR"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (bytes_is(flag, codes[i]))
            return true;
    return false;
}

static void put_interpretation(struct json *json, struct bytes flags) {
    struct bytes flag, rest = bytes_trim(flags);
    if (bytes_is_empty(rest))
        return;
    json_name(json, "interpretation");
    json_array_begin(json);
    while (bytes_next_part(&rest, ' ', &flag))
        if (!bytes_is_empty(flag))
            put_concept(json, NULL, is_interpretation(flag) ? flag : BYTES_NONE,
                        BYTES(TERMINOLOGY "v3-ObservationInterpretation"), flag, false);
    json_array_end(json);
}

/* "3.5-5.1": both ends as quantities beside the text; "<5.0" and all else: the text. */
static void put_range(struct json *json, const struct chart_result *result) {
    struct bytes range = bytes_trim(result->range);
    struct decimal low, high;
    if (bytes_is_empty(range))
        return;
    size_t dash = bytes_find(range, '-');
    struct bytes from = bytes_first(range, dash), to = BYTES_NONE;
    if (dash != BYTES_NOT_FOUND)
        to = bytes_trim(bytes_skip(range, dash + 1));
    json_name(json, "referenceRange");
    json_array_begin(json);
    json_object_begin(json);
    if (dash != BYTES_NOT_FOUND && decimal_read(bytes_trim(from), &low) &&
        decimal_read(to, &high) && decimal_compare(low, high) <= 0) {
        put_quantity(json, "low", from, result->unit);
        put_quantity(json, "high", to, result->unit);
    }
    json_member_bytes(json, "text", range);
    json_object_end(json);
    json_array_end(json);
}

/* ---- Observation ---- */

static void result_facets(const struct record *record, size_t at, struct facets *out) {
    const struct one_result *one = &record->results[at];
    out->status = observation_status(one->result->status);
    out->said = one->result->source.said;
    out->entry = one->result->source.entry;
    out->came_as = one->report->filler;
    facets_add_code(out, one->result->code, one->result->system, record->view->arena);
    facets_add_category(out, TERMINOLOGY "observation-category",
                        is_vital_sign(one->result) ? "vital-signs" : NULL);
    facets_date(out, one->result->observed_at, one->result->observed_at);
}

static void put_result(struct json *json, const struct record *record, size_t at) {
    const struct one_result *one = &record->results[at];
    const struct chart_result *result = one->result;
    struct id id;
    result_id(record, at, &id);
    put_begin(json, "Observation", &id, &result->source);
    put_based_on(json, "basedOn", one->report->placer, "ServiceRequest", true);
    json_member_string(json, "status", observation_status(result->status));
    if (is_vital_sign(result))
        put_vital_category(json);
    put_concept(json, "code", result->code, result->system, result->text, true);
    put_subject(json, "subject", record);
    put_instant(json, "effectiveDateTime", result->observed_at);
    put_instant(json, "issued", result->reported_at);
    put_value(json, result);
    if (!is_gone(result)) {
        put_interpretation(json, result->flags);
        put_note(json, result->notes);
        put_range(json, result);
    }
    json_object_end(json);
}

static const struct search_name names[] = {{"status", FACET_STATUS},
                                           {"code", FACET_CODE},
                                           {"category", FACET_CATEGORY},
                                           {"date", FACET_DATE},
                                           {NULL, FACET_NONE}};

const struct kind kind_observation = {"Observation", GATHER_RESULTS, result_count, NULL,
                                      result_id,     result_facets,  put_result,   names};

/* ---- DiagnosticReport ---- */

static const char *report_status(enum result_status status) {
    return observation_status(status); /* the words are the same */
}

static int64_t report_at(const struct chart_report *report) {
    return report->collected_at == INSTANT_NONE ? report->reported_at : report->collected_at;
}

static void report_facets(const struct record *record, size_t at, struct facets *out) {
    const struct chart_report *report = &record->reports[at];
    out->status = report_status(report->status);
    out->said = report->source.said;
    out->entry = report->source.entry;
    out->came_as = report->filler;
    facets_add_code(out, report->code, report->system, record->view->arena);
    facets_date(out, report_at(report), report_at(report));
    out->identifiers[out->identifier_count++] = (struct fact_identifier){.number = report->placer};
    out->identifiers[out->identifier_count++] = (struct fact_identifier){.number = report->filler};
}

static void put_numbers(struct json *json, struct bytes placer, struct bytes filler) {
    if (bytes_is_empty(bytes_trim(placer)) && bytes_is_empty(bytes_trim(filler)))
        return;
    json_name(json, "identifier");
    json_array_begin(json);
    put_order_number(json, placer, "PLAC");
    put_order_number(json, filler, "FILL");
    json_array_end(json);
}

static void put_results_of(struct json *json, const struct record *record,
                           const struct chart_report *report) {
    struct id id;
    if (report->result_count == 0)
        return;
    json_name(json, "result");
    json_array_begin(json);
    for (size_t i = 0; i < report->result_count; i++) {
        identify_report(record, report, "Observation", &report->results[i], &id);
        put_reference(json, NULL, "Observation", &id, report->results[i].text);
    }
    json_array_end(json);
}

static void put_report(struct json *json, const struct record *record, size_t at) {
    const struct chart_report *report = &record->reports[at];
    struct id id;
    report_id(record, at, &id);
    put_begin(json, "DiagnosticReport", &id, &report->source);
    put_numbers(json, report->placer, report->filler);
    put_based_on(json, "basedOn", report->placer, "ServiceRequest", true);
    json_member_string(json, "status", report_status(report->status));
    put_concept(json, "code", report->code, report->system, report->text, true);
    put_subject(json, "subject", record);
    put_instant(json, "effectiveDateTime", report->collected_at);
    put_instant(json, "issued", report->reported_at);
    put_results_of(json, record, report);
    if (!bytes_is_empty(bytes_trim(report->notes)))
        put_text(json, "conclusion", report->notes);
    json_object_end(json);
}

static const struct search_name report_names[] = {{"status", FACET_STATUS},
                                                  {"code", FACET_CODE},
                                                  {"date", FACET_DATE},
                                                  {"identifier", FACET_IDENTIFIER},
                                                  {NULL, FACET_NONE}};

/* An Observation that came alone is in a report of its own, in the chart: nobody has sent that. */
static bool is_report(const struct record *record, size_t at) {
    return !came_as_another(record, record->reports[at].filler, "DiagnosticReport");
}

const struct kind kind_report = {"DiagnosticReport", GATHER_RESULTS, report_count, is_report,
                                 report_id,          report_facets,  put_report,   report_names};
