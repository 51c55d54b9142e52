/* summary.c - the International Patient Summary: who, problems, allergies, medication, and what else is known, as one document.
 *
 * A section says nothing by being empty: of what nobody has said, that it is not available is said (emptyReason).
 * Source: HL7 International Patient Summary 2.0.1; sections 11450-4, 48765-2, 10160-0 are always there. */
#include "fhir/put.h"

#include <nettle/sha2.h>
#include <stdio.h>

#define SECTION_ITEMS_MAX 200u
#define RECENT_US         (INT64_C(30) * 24 * 3600 * US_PER_S)

struct section {
    const char *title, *code, *display;
    const struct kind *kind;
    bool (*is_of)(const struct record *record, size_t at);
    bool is_always;
};

static bool any(const struct record *record, size_t at) {
    (void)record;
    (void)at;
    return true;
}

static bool is_standing_condition(const struct record *record, size_t at) {
    return !record->diagnoses[at].is_deleted;
}

static bool is_standing_drug(const struct record *record, size_t at) {
    return chart_order_stands(&record->orders[at], record->view->now);
}

static bool is_given_vaccine(const struct record *record, size_t at) {
    return record->events[at].fact.state == MEDICATION_EVENT_COMPLETE;
}

/* Results of the last 30 days, those that stand. */
static bool is_recent_result(const struct record *record, size_t at) {
    const struct chart_result *result = record->results[at].result;
    int64_t since = record->view->now - RECENT_US;
    return (result->status == RESULT_FINAL || result->status == RESULT_CORRECTED) &&
           result->observed_at > since && !bytes_is_empty(result->value);
}

static const struct section sections[] = {
    {"Problems", "11450-4", "Problem list - Reported", &kind_condition, is_standing_condition,
     true},
    {"Allergies and intolerances", "48765-2", "Allergies and adverse reactions Document",
     &kind_allergy, any, true},
    {"Medication", "10160-0", "History of Medication use Narrative", &kind_medication_request,
     is_standing_drug, true},
    {"Immunizations", "11369-6", "History of Immunization note", &kind_immunization,
     is_given_vaccine, false},
    {"Results", "30954-2", "Relevant diagnostic tests/laboratory data note", &kind_observation,
     is_recent_result, false},
};
enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };

static bool is_in(const struct section *section, const struct record *record, size_t at) {
    return (!section->kind->is_one || section->kind->is_one(record, at)) &&
           section->is_of(record, at);
}

/* Walks a section: `at` becomes the next item; at most SECTION_ITEMS_MAX. */
static bool next_item(const struct section *section, const struct record *record, size_t *at,
                      size_t *given) {
    for (; *at < section->kind->count(record) && *given < SECTION_ITEMS_MAX; ++*at)
        if (is_in(section, record, *at)) {
            ++*given;
            return true;
        }
    return false;
}

/* ---- what identifies the document ---- */

static void make_uuid(const struct record *record, const char *what, char uuid[46]) {
    struct sha256_ctx hash;
    uint8_t digest[16];
    char hex[33];
    struct text text;
    sha256_init(&hash);
    sha256_update(&hash, strlen(what), (const uint8_t *)what);
    sha256_update(&hash, 64, (const uint8_t *)record->members[0]);
    sha256_update(&hash, sizeof record->view->now, (const uint8_t *)&record->view->now);
    sha256_digest(&hash, sizeof digest, digest);
    digest[6] = (uint8_t)(0x80 | (digest[6] & 0x0F)); /* version 8: made in a way of our own */
    digest[8] = (uint8_t)(0x80 | (digest[8] & 0x3F));
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, bytes_from(digest, sizeof digest));
    snprintf(uuid, 46, "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}

/* ---- sections ---- */

static struct bytes words_of_item(const struct section *section, const struct record *record,
                                  size_t at) {
    if (section->kind == &kind_condition)
        return record->diagnoses[at].text;
    if (section->kind == &kind_allergy)
        return at < record->patient.allergy_count ? record->patient.allergies[at].text
                                                  : BYTES("No known allergy");
    if (section->kind == &kind_medication_request)
        return record->orders[at].fact.text;
    if (section->kind == &kind_immunization)
        return record->events[at].fact.text;
    return record->results[at].result->text;
}

static void put_section_words(struct json *json, const struct section *section,
                              const struct record *record) {
    struct text text;
    size_t given = 0, bytes = 256;
    for (size_t at = 0; next_item(section, record, &at, &given); at++)
        bytes += words_of_item(section, record, at).size + 1;
    if (text_init_arena(&text, record->view->arena, bytes))
        return;
    given = 0;
    for (size_t at = 0; next_item(section, record, &at, &given); at++) {
        text_put_string(&text, text.size ? "\n" : "");
        text_put(&text, words_of_item(section, record, at));
    }
    put_narrative(json, record->view->arena,
                  text.size ? text_bytes(&text) : BYTES("No information is available."));
}

static void put_entries(struct json *json, const struct section *section,
                        const struct record *record) {
    size_t given = 0;
    bool has_any = false;
    struct id id;
    for (size_t at = 0; next_item(section, record, &at, &given); at++) {
        if (!has_any) {
            json_name(json, "entry");
            json_array_begin(json);
        }
        has_any = true;
        section->kind->identify(record, at, &id);
        put_reference(json, NULL, section->kind->name, &id, BYTES_NONE);
    }
    if (has_any)
        json_array_end(json);
    else
        put_code(json, "emptyReason", TERMINOLOGY "list-empty-reason", "unavailable",
                 "Unavailable");
}

static bool is_empty(const struct section *section, const struct record *record) {
    size_t at = 0, given = 0;
    return !next_item(section, record, &at, &given);
}

static void put_section(struct json *json, const struct section *section,
                        const struct record *record) {
    if (!section->is_always && is_empty(section, record))
        return;
    json_object_begin(json);
    json_member_string(json, "title", section->title);
    put_code(json, "code", "http://loinc.org", section->code, section->display);
    put_section_words(json, section, record);
    put_entries(json, section, record);
    json_object_end(json);
}

/* ---- the document ---- */

#define DEVICE_ID "veilleuse"

static void put_composition(struct json *json, const struct record *record, const struct id *id) {
    const struct id device = {DEVICE_ID};
    put_begin(json, "Composition", id, NULL);
    put_narrative(json, record->view->arena,
                  BYTES("Made by a program from what the hospital's systems had sent."));
    json_member_string(json, "status", "final");
    put_code(json, "type", "http://loinc.org", "60591-5", "Patient summary Document");
    put_subject(json, "subject", record);
    json_member_instant(json, "date", record->view->now);
    json_name(json, "author");
    json_array_begin(json);
    put_reference(json, NULL, "Device", &device, BYTES("Veilleuse"));
    json_array_end(json);
    json_member_string(json, "title", "Patient summary");
    json_name(json, "section");
    json_array_begin(json);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        put_section(json, &sections[i], record);
    json_array_end(json);
    json_object_end(json);
}

static void put_device(struct json *json, const struct record *record) {
    const struct id device = {DEVICE_ID};
    put_begin(json, "Device", &device, NULL);
    json_name(json, "deviceName");
    json_array_begin(json);
    json_object_begin(json);
    json_member_string(json, "name", "Veilleuse");
    json_member_string(json, "type", "model-name");
    json_object_end(json);
    json_array_end(json);
    json_name(json, "version");
    json_array_begin(json);
    json_object_begin(json);
    json_member_string(json, "value", VEILLEUSE_VERSION);
    json_object_end(json);
    json_array_end(json);
    put_display(json, "owner", record->view->site_name);
    json_object_end(json);
}

static void begin_entry(struct json *json, const struct record *record, const char *type,
                        const struct id *id) {
    char address[FHIR_BASE_BYTES + 128];
    snprintf(address, sizeof address, "%s/%s/%s", record->view->base, type, id->text);
    json_object_begin(json);
    json_member_string(json, "fullUrl", address);
    json_name(json, "resource");
}

static void put_items(struct json *json, const struct section *section,
                      const struct record *record) {
    size_t given = 0;
    struct id id;
    for (size_t at = 0; next_item(section, record, &at, &given); at++) {
        section->kind->identify(record, at, &id);
        begin_entry(json, record, section->kind->name, &id);
        section->kind->put(json, record, at);
        json_object_end(json);
    }
}

void summary_put(struct json *json, struct record *record) {
    const struct id device = {DEVICE_ID};
    char uuid[46];
    struct id id;
    make_uuid(record, "document", uuid);
    json_object_begin(json);
    json_member_string(json, "resourceType", "Bundle");
    put_age_meta(json, record->view);
    json_name(json, "identifier");
    json_object_begin(json);
    json_member_string(json, "system", "urn:ietf:rfc:3986");
    json_member_string(json, "value", uuid);
    json_object_end(json);
    json_member_string(json, "type", "document");
    json_member_instant(json, "timestamp", record->view->now);
    json_name(json, "entry");
    json_array_begin(json);
    snprintf(id.text, sizeof id.text, "%s", uuid + 9);
    begin_entry(json, record, "Composition", &id);
    put_composition(json, record, &id);
    json_object_end(json);
    id_of_patient(&id, record->members[0]);
    begin_entry(json, record, "Patient", &id);
    kind_patient.put(json, record, 0);
    json_object_end(json);
    begin_entry(json, record, "Device", &device);
    put_device(json, record);
    json_object_end(json);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        put_items(json, &sections[i], record);
    json_array_end(json);
    json_object_end(json);
}
