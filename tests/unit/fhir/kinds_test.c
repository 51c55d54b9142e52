/* kinds_test.c - what each kind of resource says of a record, and what it does not say because nobody has. */
#include "sample.h"
#include "tap.h"

#include <jansson.h>

static struct arena arena, keep;
static struct fhir_view view;
static struct record record;
static char buffer[1 << 20];

/* The resource of the chart's item `at`, read again by a reader that is not ours. */
static json_t *resource(const struct kind *kind, size_t at) {
    struct text out;
    struct json json;
    text_init(&out, buffer, sizeof buffer);
    json_init(&json, &out);
    kind->put(&json, &record, at);
    json_error_t error;
    json_t *read = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, &error);
    if (!read)
        printf("# %s: %s in %s\n", kind->name, error.text, out.data);
    return read;
}

/* "a.0.b": the value at a path; NULL. */
static const json_t *at_path(const json_t *json, const char *path) {
    char part[64];
    while (json && *path) {
        size_t size = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)size, path);
        json = json_is_array(json) ? json_array_get(json, (size_t)strtoul(part, NULL, 10))
                                   : json_object_get(json, part);
        path += size + (path[size] == '.');
    }
    return json;
}

static const char *text_at(const json_t *json, const char *path) {
    const char *text = json_string_value(at_path(json, path));
    return text ? text : "";
}

static void every_kind(void) {
    for (size_t k = 0; k < KIND_COUNT; k++) {
        size_t written = 0, all = kinds[k]->count(&record);
        bool are_right = true, are_valid = true;
        char ids[16][100] = {""};
        for (size_t at = 0; at < all; at++) {
            if (kinds[k]->is_one && !kinds[k]->is_one(&record, at))
                continue;
            json_t *json = resource(kinds[k], at);
            struct id id;
            kinds[k]->identify(&record, at, &id);
            are_right &= !strcmp(text_at(json, "resourceType"), kinds[k]->name) &&
                         !strcmp(text_at(json, "id"), id.text);
            are_valid &=
                strlen(id.text) <= 64 && strspn(id.text, "0123456789abcdef-") == strlen(id.text);
            for (size_t i = 0; i < written; i++)
                are_valid &= strcmp(ids[i], id.text) != 0;
            snprintf(ids[written++], 100, "%s", id.text);
            json_decref(json);
        }
        if (!ok(written > 0 && are_right && are_valid))
            printf("# %s\n", kinds[k]->name);
    }
}

static void patient(void) {
    json_t *p = resource(&kind_patient, 0);
    is_string(text_at(p, "identifier.0.value"), "000111");
    is_string(text_at(p, "identifier.0.type.coding.0.code"), "PI");
    is_string(text_at(p, "identifier.0.assigner.display"), "CHV");
    is_string(text_at(p, "identifier.1.system"), "urn:oid:1.2.250.1.213.1.4.8");
    is_string(text_at(p, "identifier.1.type.text"), "INS");
    is_string(text_at(p, "identifier.3.use"), "old");
    is_string(text_at(p, "name.0.family"), "DUPONT");
    is_string(text_at(p, "name.1.use"), "maiden");
    is_string(text_at(p, "gender"), "female");
    is_string(text_at(p, "birthDate"), "1955-06-14");
    is_string(text_at(p, "link.0.type"), "replaces");
    /* An identity in doubt cannot be overlooked: in the tags, in the words, in each reference. */
    is_string(text_at(p, "meta.tag.0.code"), "in-doubt");
    is_string(text_at(p, "meta.tag.1.code"), "provisional");
    ok(strstr(text_at(p, "text.div"), "IDENTITY IN DOUBT") != NULL);
    json_decref(p);
    json_t *stay = resource(&kind_encounter, 0);
    ok(strncmp(text_at(stay, "subject.display"), "[identity in doubt]", 19) == 0);
    json_decref(stay);
}

static void stays(void) {
    json_t *here = resource(&kind_encounter, 0), *gone = resource(&kind_encounter, 1),
           *away = resource(&kind_encounter, 2);
    is_string(text_at(here, "status"), "in-progress");
    is_string(text_at(here, "class.code"), "IMP");
    ok(strncmp(text_at(here, "location.0.location.reference"), "Location/", 9) == 0);
    is_string(text_at(gone, "status"), "finished");
    is_string(text_at(gone, "class.code"), "X9");
    ok(!at_path(gone, "class.system"), "a class of no known table has no system");
    ok(!at_path(gone, "location.0.location.reference"), "the place of an ended stay is only named");
    is_string(text_at(away, "status"), "onleave");
    ok(at_path(away, "class._code") && !at_path(away, "class.code"),
       "no class was said, and none is");
    json_decref(here);
    json_decref(gone);
    json_decref(away);
}

static void results(void) {
    json_t *first = resource(&kind_observation, 1);
    ok(strstr(buffer, "\"value\":38.50,") != NULL, "a number keeps its decimals");
    json_decref(first);
    json_t *heart = resource(&kind_observation, 0), *potassium = resource(&kind_observation, 2),
           *crp = resource(&kind_observation, 3), *wrong = resource(&kind_observation, 5),
           *pending = resource(&kind_observation, 6), *temperature = resource(&kind_observation, 1);
    is_string(text_at(heart, "category.0.coding.0.code"), "vital-signs");
    is_string(text_at(heart, "code.coding.0.system"), "http://loinc.org");
    is_string(text_at(heart, "valueQuantity.code"), "/min");
    is_string(text_at(heart, "interpretation.0.coding.0.code"), "H");
    is_string(text_at(temperature, "status"), "corrected");
    ok(!at_path(potassium, "category"), "of no other result a category is known");
    is_string(text_at(potassium, "referenceRange.0.text"), "3.5-5.1");
    ok(at_path(potassium, "referenceRange.0.low.value") != NULL);
    is_string(text_at(potassium, "note.0.text"), "Hémolyse ?");
    is_string(text_at(potassium, "basedOn.0.identifier.value"), "P1");
    is_string(text_at(crp, "valueQuantity.comparator"), "<");
    is_string(text_at(crp, "valueQuantity.unit"), "MG/DL");
    ok(!at_path(crp, "valueQuantity.system"), "a unit that is not UCUM's is text alone");
    is_string(text_at(crp, "interpretation.1.text"), "ZZ");
    is_string(text_at(wrong, "status"), "entered-in-error");
    ok(!at_path(wrong, "valueQuantity"), "a result that was wrong has no value");
    is_string(text_at(pending, "status"), "registered");
    json_t *report = resource(&kind_report, 1);
    is_string(text_at(report, "status"), "preliminary");
    is_int(json_array_size(at_path(report, "result")), 7);
    struct id id;
    kind_observation.identify(&record, 2, &id);
    is_string(text_at(report, "result.0.reference") + strlen("Observation/"), id.text);
    json_decref(heart);
    json_decref(potassium);
    json_decref(crp);
    json_decref(wrong);
    json_decref(pending);
    json_decref(temperature);
    json_decref(report);
}

static void problems_and_allergies(void) {
    json_t *final = resource(&kind_condition, 0), *over = resource(&kind_condition, 2),
           *unsaid = resource(&kind_condition, 3), *error = resource(&kind_condition, 4),
           *penicillin = resource(&kind_allergy, 0), *latex = resource(&kind_allergy, 1);
    is_string(text_at(final, "code.coding.0.system"), "http://hl7.org/fhir/sid/icd-10");
    is_string(text_at(final, "verificationStatus.coding.0.code"), "confirmed");
    is_string(text_at(final, "category.0.coding.0.code"), "encounter-diagnosis");
    is_string(text_at(over, "clinicalStatus.coding.0.code"), "resolved");
    ok(!at_path(unsaid, "clinicalStatus"), "a state that nobody said is not said");
    is_string(text_at(error, "verificationStatus.coding.0.code"), "entered-in-error");
    ok(!at_path(error, "clinicalStatus"));
    is_string(text_at(penicillin, "category.0"), "medication");
    is_string(text_at(penicillin, "criticality"), "high");
    is_string(text_at(penicillin, "reaction.0.manifestation.0.text"), "Choc, œdème");
    is_string(text_at(penicillin, "onsetDateTime"), "2018-05");
    ok(!at_path(latex, "category") && !at_path(latex, "criticality"),
       "what the tables do not say is left out");
    json_decref(final);
    json_decref(over);
    json_decref(unsaid);
    json_decref(error);
    json_decref(penicillin);
    json_decref(latex);
    is_int(kind_allergy.count(&record), 3);
    record.patient.allergy_statement = ALLERGIES_NONE_KNOWN;
    record.patient.allergy_count = 0;
    is_int(kind_allergy.count(&record), 1);
    json_t *none = resource(&kind_allergy, 0);
    is_string(text_at(none, "code.coding.0.code"), "716186003");
    json_decref(none);
    record.patient.allergy_statement = ALLERGIES_NOT_RECORDED;
    is_int(kind_allergy.count(&record), 0);
    record.patient.allergy_statement = ALLERGIES_LISTED;
    record.patient.allergy_count = 3;
}

static void requests(void) {
    json_t *drug = resource(&kind_medication_request, 0),
           *stopped = resource(&kind_medication_request, 1),
           *lab = resource(&kind_service_request, 2), *given = resource(&kind_administration, 0),
           *refused = resource(&kind_administration, 1), *booked = resource(&kind_appointment, 0);
    is_string(text_at(drug, "status"), "active");
    is_string(text_at(drug, "dosageInstruction.0.text"), "1 - 2 g PO Q6H si douleur");
    ok(at_path(drug, "dosageInstruction.0.doseAndRate.0.doseRange.high.value") != NULL);
    ok(json_is_true(at_path(drug, "dosageInstruction.0.asNeededBoolean")));
    is_string(text_at(drug, "identifier.0.type.coding.0.code"), "PLAC");
    ok(!at_path(drug, "medicationCodeableConcept.coding.0.system"),
       "a code of a hospital's own has no system");
    is_string(text_at(stopped, "status"), "stopped");
    ok(!at_path(stopped, "dosageInstruction.0.doseAndRate"),
       "a dose that is no number is text alone");
    is_string(text_at(lab, "category.0.coding.0.code"), "108252007");
    is_string(text_at(lab, "priority"), "stat");
    ok(at_path(lab, "specimen.0.reference") != NULL);
    is_string(text_at(given, "status"), "completed");
    is_string(text_at(given, "dosage.dose.code"), "mg");
    is_string(text_at(refused, "status"), "not-done");
    is_string(text_at(refused, "statusReason.0.text"), "Refus du patient");
    ok(at_path(refused, "_effectiveDateTime") != NULL,
       "a time that nobody said is said to be unknown");
    ok(!at_path(refused, "dosage"), "no dose, no dosage");
    is_string(text_at(booked, "participant.0.status"), "accepted");
    is_int(json_array_size(at_path(booked, "participant")), 5);
    json_decref(drug);
    json_decref(stopped);
    json_decref(lab);
    json_decref(given);
    json_decref(refused);
    json_decref(booked);
    json_t *document = resource(&kind_document, 0), *file = resource(&kind_document, 1);
    is_string(text_at(document, "docStatus"), "final");
    is_string(text_at(document, "content.0.attachment.data"), "UGF0aWVudGUgZGUgNzEgYW5zLgpSQVMu");
    is_string(text_at(file, "status"), "superseded");
    is_string(text_at(file, "relatesTo.0.code"), "appends");
    is_string(text_at(file, "content.1.attachment.url"), "Binary/entry-51");
    json_decref(document);
    json_decref(file);
}

/* ids are made of what identifies a thing: another value, another message, another feed's row change nothing. */
static void names(void) {
    struct id before, after;
    kind_observation.identify(&record, 2, &before);
    sample_lab[0].value = BYTES("4.0");
    sample_lab[0].status = RESULT_CORRECTED;
    sample_lab[0].source.entry = 999;
    kind_observation.identify(&record, 2, &after);
    is_string(after.text, before.text);
    kind_allergy.identify(&record, 1, &before);
    ok(strncmp(before.text, record.members[1], 16) == 0,
       "what was said under a number keeps it when that is merged");
}

static void summary(void) {
    struct text out;
    struct json json;
    text_init(&out, buffer, sizeof buffer);
    json_init(&json, &out);
    summary_put(&json, &record);
    json_t *bundle = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
    is_string(text_at(bundle, "type"), "document");
    is_string(text_at(bundle, "entry.0.resource.type.coding.0.code"), "60591-5");
    is_string(text_at(bundle, "entry.0.resource.section.0.code.coding.0.code"), "11450-4");
    is_string(text_at(bundle, "entry.0.resource.section.1.code.coding.0.code"), "48765-2");
    is_string(text_at(bundle, "entry.0.resource.section.2.code.coding.0.code"), "10160-0");
    is_int(json_array_size(at_path(bundle, "entry.0.resource.section.0.entry")),
           4); /* not the one taken back */
    is_int(json_array_size(at_path(bundle, "entry.0.resource.section.2.entry")),
           1); /* that stands */
    /* Every reference is one of an entry. */
    size_t missing = 0, index, inner, place;
    const json_t *section, *reference, *entry;
    json_array_foreach(at_path(bundle, "entry.0.resource.section"), index, section)
        json_array_foreach(json_object_get(section, "entry"), inner, reference) {
        char wanted[200];
        bool is_there = false;
        snprintf(wanted, sizeof wanted, "%s/%s", view.base, text_at(reference, "reference"));
        json_array_foreach(json_object_get(bundle, "entry"), place, entry) is_there |=
            !strcmp(text_at(entry, "fullUrl"), wanted);
        missing += !is_there;
    }
    is_int(missing, 0);
    json_decref(bundle);
    /* Silence is said, and is not "none known". */
    record.diagnosis_count = record.order_count = record.patient.allergy_count = 0;
    record.patient.allergy_statement = ALLERGIES_NOT_RECORDED;
    text_init(&out, buffer, sizeof buffer);
    json_init(&json, &out);
    summary_put(&json, &record);
    bundle = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; i < 3; i++) {
        char path[80];
        snprintf(path, sizeof path, "entry.0.resource.section.%zu.emptyReason.coding.0.code", i);
        is_string(text_at(bundle, path), "unavailable");
    }
    json_decref(bundle);
}

static void units(void) {
    static const char *const good[] = {
        "mg",     "mmol/L", "10*9/L", "mL/min/{1.73_m2}", "/min",    "%",     "Cel",
        "mm[Hg]", "{INR}",  "U/L",    "[iU]/mL",          "ug/kg/h", "kg/m2", "g.m-2",
        "[pH]",   "10*-3",  "1"};
    static const char *const bad[] = {"",    "MG/DL", "ML",      "beats/min", "giga.l-1", "mm/hr",
                                      "/",   "mg/",   "{a",      "a}b{",      "cp",       "mg mL",
                                      "10*", "*",     "THOU/uL", "{}",        "mg{a b}",  "UI"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!ok(is_ucum(bytes_from_string(good[i]))))
            printf("# %s\n", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (!ok(!is_ucum(bytes_from_string(bad[i]))))
            printf("# %s\n", bad[i]);
}

static void dates(void) {
    static const char *const good[] = {"2018", "2018-05", "2018-05-01", "2018-05-01T10:00:00Z",
                                       "2018-05-01T10:00:00.123+02:00"};
    static const char *const bad[] = {
        "", "18", "2018-5", "2018-13", "2018-05-01T10:00", "2018-05-01T10:00:00", "20180501", "Y"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!ok(is_fhir_date(bytes_from_string(good[i]))))
            printf("# %s\n", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (!ok(!is_fhir_date(bytes_from_string(bad[i]))))
            printf("# %s\n", bad[i]);
}

static void pretty(void) {
    struct text out;
    text_init(&out, buffer, sizeof buffer);
    fhir_put_pretty(&out, BYTES("{\"a\":[1,{\"b\":\"x,\\\"{:\"}],\"c\":{}}"));
    is_string(
        out.data,
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x,\\\"{:\"\n    }\n  ],\n  \"c\": {}\n}");
}

int main(void) {
    arena_init(&arena, (size_t)16 << 20);
    arena_init(&keep, (size_t)1 << 20);
    record = sample_record(&view, &arena, &keep);
    every_kind();
    patient();
    stays();
    results();
    problems_and_allergies();
    requests();
    names();
    summary();
    units();
    dates();
    pretty();
    arena_release(&arena);
    arena_release(&keep);
    return done();
}
