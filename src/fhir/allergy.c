/* allergy.c - AllergyIntolerance: what a patient must not be given; "none known" is a statement of its own. */
#include "fhir/put.h"

#define NONE_KNOWN_CODE "716186003"

static bool is_none_known(const struct record *record) {
    return record->patient.allergy_statement == ALLERGIES_NONE_KNOWN;
}

static size_t count(const struct record *record) {
    return record->patient.allergy_count + is_none_known(record);
}

static void identify(const struct record *record, size_t at, struct id *id) {
    if (at == record->patient.allergy_count) {
        id_make(id, record, 0, "AllergyIntolerance none known", NULL, 0);
        return;
    }
    const struct chart_allergy *a = &record->patient.allergies[at];
    const struct bytes parts[] = {a->code, a->text, a->reaction};
    id_make(id, record, a->member, "AllergyIntolerance", parts, 3);
}

/* Table 0127 to the category; the rest of that table says nothing of it. */
static const char *category_of(struct bytes kind) {
    return bytes_is(kind, "DA")                                                   ? "medication"
           : bytes_is(kind, "FA")                                                 ? "food"
           : bytes_is(kind, "AA")                                                 ? "biologic"
           : bytes_is(kind, "EA") || bytes_is(kind, "PA") || bytes_is(kind, "LA") ? "environment"
                                                                                  : NULL;
}

/* Table 0128: of the criticality, and of a reaction if one is told. */
static const char *criticality_of(struct bytes severity) {
    return bytes_is(severity, "SV") ? "high" : bytes_is(severity, "MI") ? "low" : NULL;
}

static const char *severity_of(struct bytes severity) {
    return bytes_is(severity, "SV")   ? "severe"
           : bytes_is(severity, "MO") ? "moderate"
           : bytes_is(severity, "MI") ? "mild"
                                      : NULL;
}

static void put_status(struct json *json) {
    put_code(json, "clinicalStatus", TERMINOLOGY "allergyintolerance-clinical", "active", "Active");
}

static void put_none_known(struct json *json, const struct record *record) {
    struct id id;
    identify(record, record->patient.allergy_count, &id);
    put_begin(json, "AllergyIntolerance", &id, NULL);
    put_status(json);
    put_code(json, "code", "http://snomed.info/sct", NONE_KNOWN_CODE, "No known allergy");
    put_subject(json, "patient", record);
    json_object_end(json);
}

static void put_reaction(struct json *json, const struct chart_allergy *a) {
    const char *severity = severity_of(a->severity);
    if (bytes_is_empty(bytes_trim(a->reaction)))
        return;
    json_name(json, "reaction");
    json_array_begin(json);
    json_object_begin(json);
    json_name(json, "manifestation");
    json_array_begin(json);
    put_concept(json, NULL, BYTES_NONE, BYTES_NONE, a->reaction, true);
    json_array_end(json);
    if (severity)
        json_member_string(json, "severity", severity);
    json_object_end(json);
    json_array_end(json);
}

static void facets(const struct record *record, size_t at, struct facets *out) {
    out->status = "active";
    if (at == record->patient.allergy_count) {
        facets_add_code(out, BYTES(NONE_KNOWN_CODE), BYTES("SCT"), record->view->arena);
        out->said = record->patient.identity_source.said;
        return;
    }
    const struct chart_allergy *a = &record->patient.allergies[at];
    facets_add_code(out, a->code, a->system, record->view->arena);
    facets_add_category(out, "http://hl7.org/fhir/allergy-intolerance-category",
                        category_of(a->kind));
    out->said = a->source.said;
}

static void put(struct json *json, const struct record *record, size_t at) {
    struct id id;
    if (at == record->patient.allergy_count) {
        put_none_known(json, record);
        return;
    }
    const struct chart_allergy *a = &record->patient.allergies[at];
    const char *category = category_of(a->kind), *criticality = criticality_of(a->severity);
    identify(record, at, &id);
    put_begin(json, "AllergyIntolerance", &id, &a->source);
    put_status(json);
    if (category) {
        json_name(json, "category");
        json_array_begin(json);
        json_put_string(json, category);
        json_array_end(json);
    }
    if (criticality)
        json_member_string(json, "criticality", criticality);
    put_concept(json, "code", a->code, a->system, a->text, true);
    put_subject(json, "patient", record);
    put_date(json, "onsetDateTime", a->identified_at);
    put_reaction(json, a);
    json_object_end(json);
}

static const struct search_name names[] = {{"clinical-status", FACET_STATUS},
                                           {"code", FACET_CODE},
                                           {"category", FACET_CATEGORY},
                                           {NULL, FACET_NONE}};

const struct kind kind_allergy = {
    "AllergyIntolerance", 0, count, NULL, identify, facets, put, names};
