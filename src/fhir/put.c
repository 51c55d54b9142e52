/* put.c - FHIR's data types, in JSON. */
#include "fhir/put.h"

#include <stdio.h>

/* ---- texts, dates, absence ---- */

void put_text(struct json *json, const char *name, struct bytes text) {
    text = bytes_trim(text);
    if (!bytes_is_empty(text))
        json_member_bytes(json, name, text);
}

void put_instant(struct json *json, const char *name, int64_t at) {
    if (at != INSTANT_NONE)
        json_member_instant(json, name, at);
}

/* YYYY, YYYY-MM, YYYY-MM-DD; a time of day has seconds and a zone. */
bool is_fhir_date(struct bytes date) {
    struct time_read read;
    if (!time_read_iso(date, NULL, &read) || (date.size && date.data[0] == '0'))
        return false;
    return date.size == 4 || date.size == 7 || date.size == 10 ||
           (date.size >= 20 && read.has_offset && date.data[16] == ':');
}

bool put_date(struct json *json, const char *name, struct bytes date) {
    if (!is_fhir_date(date))
        return false;
    json_member_bytes(json, name, date);
    return true;
}

static void put_absence(struct json *json) {
    json_name(json, "extension");
    json_array_begin(json);
    json_object_begin(json);
    json_member_string(json, "url", "http://hl7.org/fhir/StructureDefinition/data-absent-reason");
    json_member_string(json, "valueCode", "unknown");
    json_object_end(json);
    json_array_end(json);
}

void put_absent(struct json *json, const char *name) {
    char member[64];
    snprintf(member, sizeof member, "_%s", name);
    json_name(json, member);
    json_object_begin(json);
    put_absence(json);
    json_object_end(json);
}

/* ---- codes ---- */

/* No white space at the ends, nor two in a row. */
bool is_fhir_code(struct bytes code) {
    bool was_space = true;
    for (size_t i = 0; i < code.size; i++) {
        bool is_space = code.data[i] <= ' ';
        if (is_space && (was_space || code.data[i] != ' '))
            return false;
        was_space = is_space;
    }
    return code.size > 0 && !was_space;
}

static bool is_oid(struct bytes text) {
    size_t dots = 0;
    for (size_t i = 0; i < text.size; i++) {
        bool is_dot = text.data[i] == '.';
        if (!is_dot && (text.data[i] < '0' || text.data[i] > '9'))
            return false;
        if (is_dot && (i == 0 || text.data[i - 1] == '.'))
            return false;
        dots += is_dot;
    }
    return dots > 1 && text.data[0] >= '0' && text.data[0] <= '2' &&
           text.data[text.size - 1] != '.';
}

static struct bytes address_of(struct bytes name, struct text *room) {
    text_clear(room);
    if (bytes_starts_with(name, BYTES("http://")) || bytes_starts_with(name, BYTES("https://")) ||
        bytes_starts_with(name, BYTES("urn:")))
        return name;
    if (!is_oid(name))
        return BYTES_NONE;
    text_put_string(room, "urn:oid:");
    text_put(room, name);
    return room->full ? BYTES_NONE : text_bytes(room);
}

struct bytes system_address(struct bytes system, struct text *room) {
    static const struct {
        const char *name, *address;
    } systems[] = {
        {"LN", "http://loinc.org"},
        {"LOINC", "http://loinc.org"},
        {"SCT", "http://snomed.info/sct"},
        {"SNOMED-CT", "http://snomed.info/sct"},
        {"I10", "http://hl7.org/fhir/sid/icd-10"},
        {"ICD10", "http://hl7.org/fhir/sid/icd-10"},
        {"ICD-10", "http://hl7.org/fhir/sid/icd-10"},
        {"CIM10", "http://hl7.org/fhir/sid/icd-10"},
        {"I10C", "http://hl7.org/fhir/sid/icd-10-cm"},
        {"I9C", "http://hl7.org/fhir/sid/icd-9-cm"},
        {"CVX", "http://hl7.org/fhir/sid/cvx"},
        {"NDC", "http://hl7.org/fhir/sid/ndc"},
        {"RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"},
        {"ATC", "http://www.whocc.no/atc"},
        {"C4", "http://www.ama-assn.org/go/cpt"},
        {"UCUM", "http://unitsofmeasure.org"},
    };
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        if (bytes_is(system, systems[i].name))
            return bytes_from_string(systems[i].address);
    return address_of(system, room);
}

void put_coding(struct json *json, const char *system, const char *code, const char *display) {
    json_object_begin(json);
    put_text(json, "system", bytes_from_string(system));
    put_text(json, "code", bytes_from_string(code));
    put_text(json, "display", bytes_from_string(display));
    json_object_end(json);
}

void put_code(struct json *json, const char *name, const char *system, const char *code,
              const char *display) {
    json_name(json, name);
    json_object_begin(json);
    json_name(json, "coding");
    json_array_begin(json);
    put_coding(json, system, code, display);
    json_array_end(json);
    json_object_end(json);
}

void put_words(struct json *json, const char *name, struct bytes text) {
    text = bytes_trim(text);
    if (bytes_is_empty(text))
        return;
    json_name(json, name);
    json_object_begin(json);
    json_member_bytes(json, "text", text);
    json_object_end(json);
}

void put_concept(struct json *json, const char *name, struct bytes code, struct bytes system,
                 struct bytes text, bool is_needed) {
    char buffer[128];
    struct text room;
    code = bytes_trim(code);
    text = bytes_trim(text);
    bool has_code = is_fhir_code(code);
    if (!has_code && bytes_is_empty(text))
        text = code;
    if (!has_code && bytes_is_empty(text) && !is_needed)
        return;
    if (name)
        json_name(json, name);
    json_object_begin(json);
    text_init(&room, buffer, sizeof buffer);
    if (has_code) {
        json_name(json, "coding");
        json_array_begin(json);
        json_object_begin(json);
        put_text(json, "system", system_address(system, &room));
        json_member_bytes(json, "code", code);
        json_object_end(json);
        json_array_end(json);
    }
    if (!bytes_is_empty(text))
        json_member_bytes(json, "text", text);
    else if (!has_code)
        put_absence(json);
    json_object_end(json);
}

/* ---- identifiers ---- */

static const char *identifier_kind_display(struct bytes type) {
    static const struct {
        const char *code, *display;
    } kinds_known[] = {
        {"MR", "Medical record number"},
        {"PI", "Patient internal identifier"},
        {"PT", "Patient external identifier"},
        {"VN", "Visit number"},
        {"AN", "Account number"},
        {"SS", "Social Security number"},
        {"NI", "National unique individual identifier"},
        {"PPN", "Passport number"},
        {"DL", "Driver's license number"},
    };
    for (size_t i = 0; i < sizeof kinds_known / sizeof kinds_known[0]; i++)
        if (bytes_is(type, kinds_known[i].code))
            return kinds_known[i].display;
    return NULL;
}

struct bytes identifier_system(const struct fact_identifier *identifier, struct text *room) {
    return address_of(identifier->authority, room);
}

static void put_identifier_kind(struct json *json, struct bytes type) {
    char code[8];
    const char *display = identifier_kind_display(type);
    if (display) {
        snprintf(code, sizeof code, "%.*s", (int)type.size, (const char *)type.data);
        put_code(json, "type", TERMINOLOGY "v2-0203", code, display);
    } else {
        put_words(json, "type", type);
    }
}

void put_identifier(struct json *json, const struct fact_identifier *identifier, const char *use) {
    char buffer[128];
    struct text room;
    text_init(&room, buffer, sizeof buffer);
    struct bytes system = identifier_system(identifier, &room);
    json_object_begin(json);
    if (use)
        json_member_string(json, "use", use);
    put_identifier_kind(json, identifier->type);
    put_text(json, "system", system);
    put_text(json, "value", identifier->number);
    if (bytes_is_empty(system) && !bytes_is_empty(bytes_trim(identifier->authority)))
        put_display(json, "assigner", identifier->authority);
    json_object_end(json);
}

void put_order_number(struct json *json, struct bytes value, const char *kind) {
    if (bytes_is_empty(bytes_trim(value)))
        return;
    json_object_begin(json);
    if (kind)
        put_code(json, "type", TERMINOLOGY "v2-0203", kind,
                 !strcmp(kind, "PLAC") ? "Placer Identifier" : "Filler Identifier");
    put_text(json, "value", value);
    json_object_end(json);
}

/* ---- quantities ---- */

static const char *take_comparator(struct bytes *value) {
    static const char *const signs[] = {"<=", ">=", "<", ">"};
    for (size_t i = 0; i < 4; i++)
        if (bytes_starts_with(*value, bytes_from_string(signs[i]))) {
            *value = bytes_trim(bytes_skip(*value, strlen(signs[i])));
            return signs[i];
        }
    return NULL;
}

bool put_quantity(struct json *json, const char *name, struct bytes value, struct bytes unit) {
    char buffer[48];
    struct text number;
    struct decimal decimal;
    value = bytes_trim(value);
    unit = bytes_trim(unit);
    const char *comparator = take_comparator(&value);
    if (!decimal_read(value, &decimal))
        return false;
    text_init(&number, buffer, sizeof buffer);
    decimal_put(&number, decimal);
    json_name(json, name);
    json_object_begin(json);
    json_name(json, "value");
    json_put_raw(json, text_bytes(&number));
    if (comparator)
        json_member_string(json, "comparator", comparator);
    put_text(json, "unit", unit);
    if (is_ucum(unit)) {
        json_member_string(json, "system", "http://unitsofmeasure.org");
        json_member_bytes(json, "code", unit);
    }
    json_object_end(json);
    return true;
}

/* ---- references ---- */

void put_note(struct json *json, struct bytes text) {
    text = bytes_trim(text);
    if (bytes_is_empty(text))
        return;
    json_name(json, "note");
    json_array_begin(json);
    json_object_begin(json);
    json_member_bytes(json, "text", text);
    json_object_end(json);
    json_array_end(json);
}

void put_display(struct json *json, const char *name, struct bytes display) {
    display = bytes_trim(display);
    if (bytes_is_empty(display))
        return;
    json_name(json, name);
    json_object_begin(json);
    json_member_bytes(json, "display", display);
    json_object_end(json);
}

void put_reference(struct json *json, const char *name, const char *type, const struct id *id,
                   struct bytes display) {
    char reference[160];
    snprintf(reference, sizeof reference, "%s/%s", type, id->text);
    if (name)
        json_name(json, name);
    json_object_begin(json);
    json_member_string(json, "reference", reference);
    put_text(json, "display", display);
    json_object_end(json);
}

void put_subject(struct json *json, const char *name, const struct record *record) {
    char buffer[512];
    struct text text;
    struct id id;
    const struct chart_patient *patient = &record->patient;
    text_init(&text, buffer, sizeof buffer);
    if (patient->doubt & CHART_IN_DOUBT)
        text_put_string(&text, "[identity in doubt] ");
    else if (patient->doubt & CHART_DISPUTED)
        text_put_string(&text, "[identity disputed] ");
    else if (patient->doubt & CHART_PROVISIONAL)
        text_put_string(&text, "[identity provisional] ");
    text_put(&text, patient->family_name);
    text_put_string(&text, patient->given_name.size ? ", " : "");
    text_put(&text, patient->given_name);
    id_of_patient(&id, record->members[0]);
    put_reference(json, name, "Patient", &id, text_bytes(&text));
}

void put_based_on(struct json *json, const char *name, struct bytes placer, const char *type,
                  bool is_list) {
    placer = bytes_trim(placer);
    if (bytes_is_empty(placer))
        return;
    json_name(json, name);
    if (is_list)
        json_array_begin(json);
    json_object_begin(json);
    json_member_string(json, "type", type);
    json_name(json, "identifier");
    put_order_number(json, placer, "PLAC");
    json_object_end(json);
    if (is_list)
        json_array_end(json);
}

void put_begin(struct json *json, const char *type, const struct id *id,
               const struct chart_source *source) {
    char address[64];
    json_object_begin(json);
    json_member_string(json, "resourceType", type);
    json_member_string(json, "id", id->text);
    if (!source || strcmp(type, "Patient") == 0)
        return; /* a patient's has tags too */
    json_name(json, "meta");
    json_object_begin(json);
    put_instant(json, "lastUpdated", source->said);
    snprintf(address, sizeof address, "urn:veilleuse:entry:%llu",
             (unsigned long long)source->entry);
    json_member_string(json, "source", address);
    json_object_end(json);
}

/* ---- narrative ---- */

static void put_xhtml(struct text *out, struct bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '&')
            text_put_string(out, "&amp;");
        else if (c == '<')
            text_put_string(out, "&lt;");
        else if (c == '>')
            text_put_string(out, "&gt;");
        else if (c == '\n')
            text_put_string(out, "<br/>");
        else if (c >= ' ')
            text_put_char(out, (char)c);
    }
}

void put_narrative(struct json *json, struct arena *arena, struct bytes text) {
    struct text out;
    if (text_init_arena(&out, arena, text.size * 5 + 128))
        return;
    text_put_string(&out, "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>");
    put_xhtml(&out, text);
    text_put_string(&out, "</p></div>");
    json_name(json, "text");
    json_object_begin(json);
    json_member_string(json, "status", "generated");
    json_member_bytes(json, "div", text_bytes(&out));
    json_object_end(json);
}
