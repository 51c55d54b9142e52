/* record.h - all that is known of one person, read from the chart as far as it is asked for; and the kinds of resources made of it.
 *
 * Ownership  everything lives in the view's arena until the next record is read.
 */
#ifndef FHIR_RECORD_H
#define FHIR_RECORD_H

#include "fhir/fhir.h"

/* [A-Za-z0-9-.]{1,64}: 16 hex digits of the patient's number, a hyphen, 32 of what tells it from their others; a patient's own: 32
 * of the number. Made from what identifies the thing, so that every chart gives the same. */
struct id {
    char
        text[100]; /* of what is kept as it came: its type, a point and its id, where pages go on */
};

enum gather {
    GATHER_STAYS = 1,
    GATHER_RESULTS = 2,
    GATHER_DIAGNOSES = 4,
    GATHER_DOCUMENTS = 8,
    GATHER_ORDERS = 16,
    GATHER_EVENTS = 32,
    GATHER_APPOINTMENTS = 64,
    GATHER_OTHERS = 128 /* resources of types that the chart makes nothing of */
};

struct one_result {
    const struct chart_report *report;
    const struct chart_result *result;
};
struct record {
    const struct fhir_view *view;
    uint64_t person;
    unsigned gathered;
    struct chart_patient patient;
    char (*members)[65]; /* the names of their numbers */
    size_t member_count;
    struct chart_stay *stays;
    struct chart_report *reports;
    struct one_result *results;
    struct chart_diagnosis *diagnoses;
    struct chart_document *documents;
    struct chart_order *orders;
    struct chart_medication_event *events;
    struct chart_appointment *appointments;
    struct chart_resource *others;
    size_t stay_count, report_count, result_count, diagnosis_count, document_count, order_count,
        event_count, appointment_count, other_count;
};
/* Empties the view's arena first. */
MUST_CHECK enum err record_open(struct record *record, const struct fhir_view *view,
                                uint64_t person, struct fault *fault);
MUST_CHECK enum err record_gather(struct record *record, unsigned parts, struct fault *fault);

/* Of a thing: its patient's member, its kind, and the parts that tell it from others. */
void id_make(struct id *id, const struct record *record, size_t member, const char *kind,
             const struct bytes *parts, size_t count);
void id_of_patient(struct id *id, const char name[65]);
void id_of_place(struct id *id, const struct fact_place *place);
struct bytes instant_bytes(const int64_t *at); /* for id_make */

/* ---- what can be searched by ---- */

#define CODES_MAX 4u
struct facet_code {
    struct bytes system, code; /* system: an address, or empty */
};
struct facets {
    const char *status;
    struct facet_code codes[CODES_MAX], categories[CODES_MAX];
    size_t code_count, category_count;
    int64_t from, to; /* INSTANT_NONE: no date */
    int64_t said;
    struct bytes class;
    struct fact_identifier identifiers[2];
    size_t identifier_count;
    struct id location;
    bool has_location;
    /* Of the statement that is shown: its entry, and the resource it came as, as facts name it ("Type/id", a source before it
     * unless it is the usual one); empty: it did not come as FHIR, or that is not told. */
    uint64_t entry;
    struct bytes came_as;
};

enum facet {
    FACET_NONE,
    FACET_ID,
    FACET_UPDATED,
    FACET_PATIENT,
    FACET_PATIENT_IDENTIFIER, /* patient.identifier */
    FACET_STATUS,
    FACET_CODE,
    FACET_CATEGORY,
    FACET_DATE,
    FACET_IDENTIFIER,
    FACET_CLASS,
    FACET_LOCATION,
    FACET_NAME,
    FACET_FAMILY,
    FACET_GIVEN,
    FACET_BIRTHDATE,
    FACET_GENDER
};
struct search_name {
    const char *name;
    enum facet facet;
};

/* One type of resource, of which a person has any number. */
struct kind {
    const char *name;
    unsigned needs; /* enum gather */
    size_t (*count)(const struct record *record);
    /* false: the chart's item of this place is of another type. */
    bool (*is_one)(const struct record *record, size_t at);
    void (*identify)(const struct record *record, size_t at, struct id *id);
    void (*facets)(const struct record *record, size_t at, struct facets *facets);
    void (*put)(struct json *json, const struct record *record, size_t at);
    const struct search_name
        *names; /* besides _id, _lastUpdated, patient and subject; ends with NULL */
};

extern const struct kind kind_patient, kind_encounter, kind_allergy, kind_condition,
    kind_observation, kind_report, kind_specimen, kind_medication_request, kind_administration,
    kind_dispense, kind_immunization, kind_service_request, kind_appointment, kind_document;
extern const struct kind kind_others; /* of everything of a patient alone */
#define KIND_COUNT 14u
extern const struct kind *const kinds[KIND_COUNT];
const struct kind *kind_named(struct bytes name);

void facets_add_code(struct facets *facets, struct bytes code, struct bytes system,
                     struct arena *arena);
void facets_add_category(struct facets *facets, const char *system, const char *code);
void facets_date(struct facets *facets, int64_t from, int64_t to);

/* ---- medication.c, for every kind of request ---- */
void request_id(const struct record *record, size_t at, const char *kind, struct id *id);
void request_facets(const struct record *record, size_t at, struct facets *facets);
const char *request_priority(struct bytes priority);
void put_request_numbers(struct json *json, struct bytes placer, struct bytes filler);
void put_request_group(struct json *json, const char *name, struct bytes group);
/* A list of one CodeableConcept in words. */
void put_reason(struct json *json, const char *name, struct bytes reason);

/* ---- beside the kinds: what is no person's, and what is put together of several ---- */
void location_put(struct json *json, const struct fact_place *place);
/* A number that was merged into another: the Patient that says so. */
void patient_put_merged(struct json *json, const struct record *record, size_t member);
void capability_put(const struct fhir_view *view, struct json *json);
/* The International Patient Summary of a record with everything gathered. */
void summary_put(struct json *json, struct record *record);
const char *gender_word(struct bytes sex);

#endif
