/* patient.c - Patient: who it is, how sure that is, and what was merged into it. */
#include "fhir/put.h"

static size_t count(const struct record *record) {
    (void)record;
    return 1;
}

static void identify(const struct record *record, size_t at, struct id *id) {
    (void)at;
    id_of_patient(id, record->members[0]);
}

/* Table 0001 to AdministrativeGender, as HL7 maps it. */
const char *gender_word(struct bytes sex) {
    return bytes_is(sex, "M")                                               ? "male"
           : bytes_is(sex, "F")                                             ? "female"
           : bytes_is(sex, "O") || bytes_is(sex, "A") || bytes_is(sex, "N") ? "other"
           : bytes_is(sex, "U")                                             ? "unknown"
                                                                            : NULL;
}

static void facets(const struct record *record, size_t at, struct facets *out) {
    (void)at;
    out->said = record->patient.identity_source.said;
}

/* ---- how sure ---- */

static void put_tag(struct json *json, const char *code, const char *display) {
    put_coding(json, TAG_IDENTITY, code, display);
}

static void put_meta(struct json *json, const struct chart_patient *patient) {
    char address[64];
    struct text text;
    unsigned doubts =
        patient->doubt & (CHART_IN_DOUBT | CHART_DISPUTED | CHART_PROVISIONAL | CHART_MERGED);
    bool has_source = patient->identity_source.said && !bytes_is_empty(patient->family_name);
    if (!doubts && !has_source)
        return;
    json_name(json, "meta");
    json_object_begin(json);
    if (has_source) {
        text_init(&text, address, sizeof address);
        text_put_string(&text, "urn:veilleuse:entry:");
        text_put_u64(&text, patient->identity_source.entry);
        put_instant(json, "lastUpdated", patient->identity_source.said);
        json_member_string(json, "source", address);
    }
    if (doubts) {
        json_name(json, "tag");
        json_array_begin(json);
        if (patient->doubt & CHART_IN_DOUBT)
            put_tag(json, "in-doubt", patient->doubt_reason);
        if (patient->doubt & CHART_DISPUTED)
            put_tag(json, "disputed", "two sources disagree about name, birth date or sex");
        if (patient->doubt & CHART_PROVISIONAL)
            put_tag(json, "provisional", "the identity is not confirmed");
        if (patient->doubt & CHART_MERGED)
            put_tag(json, "merged", "other numbers were merged into this one");
        json_array_end(json);
    }
    json_object_end(json);
}

/* A person who reads the resource sees it too. */
static void put_warning(struct json *json, const struct record *record) {
    char buffer[256];
    struct text text;
    const struct chart_patient *patient = &record->patient;
    text_init(&text, buffer, sizeof buffer);
    if (patient->doubt & CHART_IN_DOUBT) {
        text_put_string(&text, "IDENTITY IN DOUBT: ");
        text_put_string(&text, patient->doubt_reason);
    } else if (patient->doubt & CHART_DISPUTED) {
        text_put_string(&text,
                        "IDENTITY DISPUTED: two sources disagree about name, birth date or sex");
    } else if (patient->doubt & CHART_PROVISIONAL) {
        text_put_string(&text, "IDENTITY PROVISIONAL: it is not confirmed");
    }
    if (text.size)
        put_narrative(json, record->view->arena, text_bytes(&text));
}

/* ---- members ---- */

static void put_identifiers(struct json *json, const struct chart_patient *patient) {
    json_name(json, "identifier");
    json_array_begin(json);
    put_identifier(json, &patient->main, "usual");
    for (size_t i = 0; i < patient->other_count; i++)
        put_identifier(json, &patient->others[i], NULL);
    for (size_t i = 0; i < patient->merged_count; i++)
        put_identifier(json, &patient->merged[i], "old");
    json_array_end(json);
}

static void put_list_of_one(struct json *json, const char *name, struct bytes text) {
    text = bytes_trim(text);
    if (bytes_is_empty(text))
        return;
    json_name(json, name);
    json_array_begin(json);
    json_put_bytes(json, text);
    json_array_end(json);
}

static void put_name(struct json *json, const char *use, struct bytes family, struct bytes given,
                     struct bytes prefix) {
    json_object_begin(json);
    json_member_string(json, "use", use);
    put_text(json, "family", family);
    put_list_of_one(json, "given", given);
    put_list_of_one(json, "prefix", prefix);
    json_object_end(json);
}

static void put_names(struct json *json, const struct chart_patient *p) {
    bool has_used = !bytes_is_empty(p->used_name) && !bytes_equal(p->used_name, p->family_name);
    bool has_birth = !bytes_is_empty(p->birth_name) && !bytes_equal(p->birth_name, p->family_name);
    bool has_name =
        !bytes_is_empty(bytes_trim(p->family_name)) || !bytes_is_empty(bytes_trim(p->given_name));
    if (!has_used && !has_birth && !has_name)
        return;
    json_name(json, "name");
    json_array_begin(json);
    if (has_name)
        put_name(json, has_used ? "official" : "usual", p->family_name, p->given_name, p->prefix);
    if (has_used)
        put_name(json, "usual", p->used_name, p->given_name, BYTES_NONE);
    if (has_birth)
        put_name(json, "maiden", p->birth_name, p->given_name, BYTES_NONE);
    json_array_end(json);
}

static void put_contact(struct json *json, const struct chart_patient *p) {
    if (!bytes_is_empty(bytes_trim(p->phone))) {
        json_name(json, "telecom");
        json_array_begin(json);
        json_object_begin(json);
        json_member_string(json, "system", "phone");
        put_text(json, "value", p->phone);
        json_object_end(json);
        json_array_end(json);
    }
    if (!bytes_is_empty(bytes_trim(p->address))) {
        json_name(json, "address");
        json_array_begin(json);
        json_object_begin(json);
        put_text(json, "text", p->address);
        json_object_end(json);
        json_array_end(json);
    }
}

static void put_link(struct json *json, const char name[65], const char *type) {
    struct id id;
    id_of_patient(&id, name);
    json_object_begin(json);
    put_reference(json, "other", "Patient", &id, BYTES_NONE);
    json_member_string(json, "type", type);
    json_object_end(json);
}

static void put(struct json *json, const struct record *record, size_t at) {
    const struct chart_patient *p = &record->patient;
    const char *gender = gender_word(p->sex);
    struct id id;
    identify(record, at, &id);
    put_begin(json, "Patient", &id, NULL);
    put_meta(json, p);
    put_warning(json, record);
    put_identifiers(json, p);
    json_member_bool(json, "active", true);
    put_names(json, p);
    if (gender)
        json_member_string(json, "gender", gender);
    if (p->birth_date.size > 10 || !put_date(json, "birthDate", p->birth_date))
        put_absent(json, "birthDate");
    if (!put_date(json, "deceasedDateTime", p->death) && bytes_is(p->death, "Y"))
        json_member_bool(json, "deceasedBoolean", true);
    put_contact(json, p);
    if (record->member_count > 1) {
        json_name(json, "link");
        json_array_begin(json);
        for (size_t i = 1; i < record->member_count; i++)
            put_link(json, record->members[i], "replaces");
        json_array_end(json);
    }
    json_object_end(json);
}

void patient_put_merged(struct json *json, const struct record *record, size_t member) {
    struct id id;
    id_of_patient(&id, record->members[member]);
    put_begin(json, "Patient", &id, NULL);
    json_name(json, "identifier");
    json_array_begin(json);
    put_identifier(json, &record->patient.merged[member - 1], "old");
    json_array_end(json);
    json_member_bool(json, "active", false);
    json_name(json, "link");
    json_array_begin(json);
    put_link(json, record->members[0], "replaced-by");
    json_array_end(json);
    json_object_end(json);
}

static const struct search_name names[] = {{"identifier", FACET_IDENTIFIER},
                                           {"name", FACET_NAME},
                                           {"family", FACET_FAMILY},
                                           {"given", FACET_GIVEN},
                                           {"gender", FACET_GENDER},
                                           {"birthdate", FACET_BIRTHDATE},
                                           {NULL, FACET_NONE}};

const struct kind kind_patient = {"Patient", 0, count, NULL, identify, facets, put, names};
