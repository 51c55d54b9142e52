/* fhir_test.c - FHIR into the chart: in any order the same, deletions, later versions, what is not understood given back whole, and a
 * hospital's page the same as from HL7 v2. */
#include "base/random.h"
#include "chart_site.h"

#include <time.h>

#define SYSTEM "urn:oid:1.2.250.1.71.4.2.7"
static const struct facts_authority authority = {
    {(const uint8_t *)"CHU", 3}, {(const uint8_t *)SYSTEM, sizeof SYSTEM - 1}, {NULL, 0}};

static struct chart_writer *fhir_writer(bool is_rebuild) {
    struct chart_writer *writer;
    struct fault fault = {0};
    struct chart_options options = {
        .is_rebuild = is_rebuild, .authorities = &authority, .authority_count = 1};
    must(chart_writer_open(&writer, chart_path, &options, &fault), &fault);
    return writer;
}

static struct vault_entry entry_of(uint64_t index, struct bytes body) {
    return (struct vault_entry){
        .kind = VAULT_MESSAGE,
        .media_type = BYTES("application/fhir+json"),
        .source = BYTES("import"),
        .clock = ((hlc_stamp)(NOW / US_PER_MS) << 16) + index,
        .received_at = NOW,
        .body = body,
        .body_bytes = body.size,
    };
}

static void take(struct chart_writer *writer, uint64_t index, const char *json) {
    struct fault fault = {0};
    struct vault_entry entry = entry_of(index, bytes_from_string(json));
    must(chart_writer_take(writer, index, &entry, NULL, &fault), &fault);
}

static void chart_of_documents(const char *const *documents, const size_t *order, size_t count,
                               size_t batch, bool is_rebuild) {
    struct fault fault = {0};
    chart_new();
    struct chart_writer *writer = fhir_writer(is_rebuild);
    for (size_t i = 0; i < count; i++) {
        take(writer, i, documents[order ? order[i] : i]);
        if ((i + 1) % batch == 0)
            chart_commit(writer);
    }
    must(is_rebuild ? chart_writer_settle(writer, &fault) : chart_writer_commit(writer, &fault),
         &fault);
    chart_writer_close(writer);
}
#define FHIR(...)                                                                                  \
    chart_of_documents((const char *const[]){__VA_ARGS__}, NULL,                                   \
                       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), 1,       \
                       false)

/* ---- the set, not the order ---- */

#define P1    "\"subject\":{\"reference\":\"Patient/p1\"}"
#define AT(t) "\"meta\":{\"lastUpdated\":\"2026-11-23T" t "Z\"}"
#define GONE(t, url)                                                                               \
    "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"timestamp\":\"2026-11-23T" t          \
    "Z\",\"entry\":[{\"request\":{\"method\":\"DELETE\",\"url\":\"" url "\"}}]}"

/* No two are said at the same moment. */
static const char *const documents[] = {
    "{\"resourceType\":\"Patient\",\"id\":\"p1\"," AT(
        "08:00:00") ",\"name\":[{\"family\":\"A\"}],\"birthDate\":\"1980\"}",
    "{\"resourceType\":\"Patient\",\"id\":\"p1\"," AT(
        "08:30:00") ",\"name\":[{\"family\":\"B\"}],\"birthDate\":\"1980-01-02\","
                    "\"identifier\":[{\"system\":\"" SYSTEM "\",\"value\":\"4711\"}]}",
    "{\"resourceType\":\"Encounter\",\"id\":\"e1\"," AT(
        "09:00:00") ",\"status\":\"in-progress\",\"class\":{\"code\":\"IMP\"}," P1
                    ",\"period\":{\"start\":\"2026-11-23T07:00:00Z\"},\"location\":[{\"location\":{"
                    "\"display\":\"CARDIO\"}},"
                    "{\"location\":{\"display\":\"REA\"},\"period\":{\"start\":\"2026-11-23T08:00:"
                    "00Z\"}}]}",
    "{\"resourceType\":\"Encounter\",\"id\":\"e1\"," AT(
        "09:10:00") ",\"status\":\"finished\",\"class\":{\"code\":\"IMP\"}," P1
                    ",\"period\":{\"start\":\"2026-11-23T07:00:00Z\",\"end\":\"2026-11-23T09:05:"
                    "00Z\"},\"location\":[{\"location\":{\"display\":\"CARDIO\"}}]}",
    "{\"resourceType\":\"Encounter\",\"id\":\"e1\"," AT(
        "09:20:00") ",\"status\":\"in-progress\",\"class\":{\"code\":\"IMP\"}," P1
                    ",\"period\":{\"start\":\"2026-11-23T07:00:00Z\"},\"location\":[{\"location\":{"
                    "\"display\":\"CARDIO\"}}]}",
    "{\"resourceType\":\"Observation\",\"id\":\"o1\"," AT(
        "09:30:00") ",\"status\":\"final\"," P1
                    ",\"code\":{\"text\":\"K\"},\"valueQuantity\":{\"value\":4.10,\"unit\":\"mmol/"
                    "L\"},\"issued\":\"2026-11-23T09:30:00Z\"}",
    GONE("09:40:00", "Observation/o1"),
    "{\"resourceType\":\"Observation\",\"id\":\"o2\"," AT(
        "09:31:00") ",\"status\":\"final\"," P1
                    ",\"code\":{\"text\":\"Na\"},\"valueQuantity\":{\"value\":139},\"issued\":"
                    "\"2026-11-23T09:31:00Z\"}",
    GONE("09:20:30", "Observation/o2"), /* before it was said again */
    "{\"resourceType\":\"Condition\",\"id\":\"c1\"," AT(
        "09:50:00") ",\"code\":{\"text\":\"Gout\"}," P1 "}",
    "{\"resourceType\":\"Condition\",\"id\":\"c1\"," AT(
        "09:51:00") ",\"code\":{\"text\":\"Gout, acute\"}," P1 "}",
    GONE("09:52:00", "Condition/c1"),
    "{\"resourceType\":\"MedicationAdministration\",\"id\":\"m1\"," AT(
        "10:00:00") ",\"status\":\"completed\","
                    "\"medicationCodeableConcept\":{\"text\":\"X\"}," P1
                    ",\"effectiveDateTime\":\"2026-11-23T09:00:00Z\"}",
    "{\"resourceType\":\"MedicationAdministration\",\"id\":\"m1\"," AT(
        "10:01:00") ",\"status\":\"completed\","
                    "\"medicationCodeableConcept\":{\"text\":\"X\"}," P1
                    ",\"effectiveDateTime\":\"2026-11-23T09:30:00Z\"}",
    "{\"resourceType\":\"Claim\",\"id\":\"cl\"," AT(
        "10:10:00") ",\"patient\":{\"reference\":\"Patient/p1\"},\"x\":1.50}",
    "{\"resourceType\":\"Location\",\"id\":\"l1\"," AT("10:11:00") ",\"name\":\"Ward\"}",
    "{\"resourceType\":\"Flag\",\"id\":\"f1\"," AT(
        "10:12:00") ",\"status\":\"active\",\"code\":{\"text\":\"Falls\"},"
                    "\"subject\":{\"reference\":\"Patient?identifier=" SYSTEM "|4711\"}}",
};
enum { COUNT = sizeof documents / sizeof documents[0] };

static struct random dice;

static void shuffle(size_t *order) {
    for (size_t i = 0; i < COUNT; i++)
        order[i] = i;
    for (size_t i = COUNT; i > 1; i--) {
        size_t k = random_u64(&dice) % i, kept = order[i - 1];
        order[i - 1] = order[k];
        order[k] = kept;
    }
}

static void test_any_order(void) {
    char wanted[65], got[65];
    size_t order[COUNT];
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("# SEED=%llu\n", (unsigned long long)seed);
    random_init(&dice, seed);
    chart_of_documents(documents, NULL, COUNT, 1, false);
    chart_hash(wanted);
    for (int round = 0; round < 40; round++) {
        shuffle(order);
        chart_of_documents(documents, order, COUNT, 1 + random_u64(&dice) % 5, round % 4 == 3);
        chart_hash(got);
        if (strcmp(got, wanted) != 0) {
            for (size_t i = 0; i < COUNT; i++)
                printf("# %zu: %.90s\n", i, documents[order[i]]);
            break;
        }
    }
    is_string(got, wanted);
}

/* ---- what the set says ---- */

static uint64_t id_of(struct chart_reader *reader, const char *number) {
    return patient_of(reader, number).id;
}

static void test_versions(void) {
    struct chart_stay *stays;
    struct chart_report *reports;
    struct chart_diagnosis *diagnoses;
    struct chart_medication_event *events;
    struct fault fault = {0};
    size_t count;
    chart_of_documents(documents, NULL, COUNT, 3, false);
    struct chart_reader *reader = chart_open();
    struct chart_patient patient = patient_of(reader, "4711");
    is_string(string_of(patient.family_name), "B");
    is_string(string_of(patient.main.authority), "CHU");
    is_int(patient.merged_count, 0);
    is_int(patient.doubt & (CHART_MERGED | CHART_IN_DOUBT), 0);
    ok(id_of(reader, "p1") == patient.id, "the logical id finds the same person");
    must(chart_stays(reader, &answers, patient.id, &stays, &count, &fault), &fault);
    is_int(count, 1);
    ok(stays[0].is_present, "a stay that was ended by mistake goes on");
    is_string(string_of(stays[0].place.unit), "CARDIO");
    must(chart_results(reader, &answers, patient.id, INSTANT_NONE, 10, &reports, &count, &fault),
         &fault);
    is_int(count, 2);
    for (size_t i = 0; i < count; i++)
        is_string(facts_result_status_name(reports[i].results[0].status),
                  bytes_is(reports[i].text, "K") ? "entered-in-error" : "final");
    must(chart_diagnoses(reader, &answers, patient.id, &diagnoses, &count, &fault), &fault);
    is_int(count, 2);
    for (size_t i = 0; i < count; i++)
        is_int(diagnoses[i].is_deleted, bytes_is(diagnoses[i].text, "Gout, acute"));
    must(chart_medication_events(reader, &answers, patient.id, &events, &count, &fault), &fault);
    is_int(count, 1);
    chart_shut(reader);
}

/* ---- given back whole ---- */

static void test_given_back(void) {
    struct chart_resource resource, *list;
    struct chart_aside *asides;
    struct fault fault = {0};
    size_t count;
    chart_of_documents(documents, NULL, COUNT, 3, false);
    struct chart_reader *reader = chart_open();
    uint64_t id = id_of(reader, "4711");
    must(chart_resource(reader, &answers, BYTES("Claim"), BYTES("cl"), BYTES_NONE, &resource,
                        &fault),
         &fault);
    is_string(string_of(resource.json), documents[14]);
    ok(resource.patient == id && !resource.is_deleted,
       "what is not understood is kept with its patient");
    must(chart_resource(reader, &answers, BYTES("Observation"), BYTES("o1"), BYTES("FHIR"),
                        &resource, &fault),
         &fault);
    ok(resource.is_deleted, "a deleted one says so");
    is_string(string_of(resource.json), documents[5]);
    must(chart_resource(reader, &answers, BYTES("Observation"), BYTES("o2"), BYTES_NONE, &resource,
                        &fault),
         &fault);
    ok(!resource.is_deleted, "one that was said again after its deletion stands");
    is_int(chart_resource(reader, &answers, BYTES("Observation"), BYTES("o1"), BYTES("EHR"),
                          &resource, &fault),
           ERR_NOT_FOUND);
    must(chart_resources_of(reader, &answers, id, BYTES("Condition"), &list, &count, &fault),
         &fault);
    is_int(count, 1);
    must(chart_resources_of(reader, &answers, id, BYTES_NONE, &list, &count, &fault), &fault);
    is_int(count, 8);
    must(chart_resources_loose(reader, &answers, BYTES("Location"), BYTES_NONE, BYTES_NONE, 10,
                               &list, &count, &fault),
         &fault);
    is_int(count, 1);
    must(chart_resources_loose(reader, &answers, BYTES("Location"), BYTES("l1"), BYTES("FHIR"), 10,
                               &list, &count, &fault),
         &fault);
    is_int(count, 0);
    must(chart_asides(reader, &answers, UINT64_MAX, 10, &asides, &count, &fault), &fault);
    is_int(count, 1);
    is_string(string_of(asides[0].type), "Claim");
    is_string(string_of(asides[0].reason), "resources of this kind are kept and not translated");
    chart_shut(reader);
}

/* ---- the same hospital, told in two ways ---- */

static const char hl7[] =
    "MSH|^~\\&|FHIR||V|V|20261123090000+0100||ADT^A01^ADT_A01|1|P|2.5|||||FRA|UNICODE UTF-8\r"
    "EVN|A01|20261123090000+0100\r"
    "PID|1||4711^^^CHU^PI||MARTIN^Anne Marie^^^Mme^^D~DUPONT^Anne Marie^^^^^M||19800502|F|||3 rue "
    "de "
    "l'Église^^Dax^^40100^FR||0558\r"
    "PV1|1|I|CARDIO^101^A||||C7^WOOLFSON^KATHLEEN|||CAR|||||||||S77^^^CHU^VN|||||||||||||||||||||||"
    "||20261123083000+0100\r"
    "AL1|1|DA|91936005^Allergy to penicillin^SCT|SV|rash\r";
static const char same[] =
    "{\"resourceType\":\"Bundle\",\"type\":\"message\",\"timestamp\":\"2026-11-23T09:00:00+01:00\","
    "\"entry\":["
    "{\"fullUrl\":\"urn:uuid:1\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"p\","
    "\"identifier\":[{\"system\":\"" SYSTEM
    "\",\"value\":\"4711\"}],\"name\":[{\"use\":\"usual\",\"family\":\"MARTIN\",\"given\":["
    "\"Anne\",\"Marie\"],\"prefix\":[\"Mme\"]},"
    "{\"use\":\"maiden\",\"family\":\"DUPONT\"}],\"gender\":\"female\",\"birthDate\":\"1980-05-"
    "02\",\"address\":[{\"line\":[\"3 rue de "
    "l'\\u00c9glise\"],\"city\":\"Dax\",\"postalCode\":\"40100\",\"country\":\"FR\"}],\"telecom\":["
    "{\"system\":\"phone\",\"value\":\"0558\"}]}},"
    "{\"resource\":{\"resourceType\":\"Location\",\"id\":\"w\",\"name\":\"CARDIO\","
    "\"physicalType\":{\"coding\":[{\"code\":\"wa\"}]}}},"
    "{\"resource\":{\"resourceType\":\"Location\",\"id\":\"r\",\"name\":\"101\",\"physicalType\":{"
    "\"coding\":[{\"code\":\"ro\"}]},"
    "\"partOf\":{\"reference\":\"Location/w\"}}},"
    "{\"resource\":{\"resourceType\":\"Location\",\"id\":\"b\",\"name\":\"A\",\"physicalType\":{"
    "\"coding\":[{\"code\":\"bd\"}]},"
    "\"partOf\":{\"reference\":\"Location/r\"}}},"
    "{\"resource\":{\"resourceType\":\"Practitioner\",\"id\":\"d\",\"name\":[{\"family\":"
    "\"WOOLFSON\",\"given\":[\"KATHLEEN\"]}],"
    "\"identifier\":[{\"value\":\"C7\"}]}},"
    "{\"resource\":{\"resourceType\":\"Encounter\",\"id\":\"e\",\"status\":\"in-progress\","
    "\"class\":{\"code\":\"IMP\"},\"subject\":"
    "{\"reference\":\"urn:uuid:1\"},\"identifier\":[{\"system\":\"" SYSTEM
    "\",\"type\":{\"coding\":[{\"code\":\"VN\"}]},\"value\":\"S77\"}],"
    "\"participant\":[{\"type\":[{\"coding\":[{\"code\":\"ATND\"}]}],\"individual\":{\"reference\":"
    "\"Practitioner/d\"}}],"
    "\"serviceType\":{\"coding\":[{\"code\":\"CAR\"}]},\"period\":{\"start\":\"2026-11-23T08:30:00+"
    "01:00\"},"
    "\"location\":[{\"location\":{\"reference\":\"Location/b\"}}]}},"
    "{\"resource\":{\"resourceType\":\"AllergyIntolerance\",\"id\":\"a\",\"patient\":{"
    "\"reference\":\"urn:uuid:1\"},\"category\":[\"medication\"],"
    "\"code\":{\"coding\":[{\"system\":\"http://snomed.info/"
    "sct\",\"code\":\"91936005\",\"display\":\"Allergy to penicillin\"}]},"
    "\"reaction\":[{\"severity\":\"severe\",\"manifestation\":[{\"text\":\"rash\"}]}]}}]}";

static char pages[2][16384];

static enum err keep(void *owner, struct bytes piece) {
    text_put(owner, piece);
    return ERR_OK;
}

static void census_page(size_t n) {
    struct fault fault = {0};
    struct text text;
    struct chart_reader *reader = chart_open();
    struct chart_ask ask = {.question = CHART_CENSUS, .now_us = NOW};
    text_init(&text, pages[n], sizeof pages[n]);
    must(chart_answer_json(reader, &ask, keep, &text, &fault), &fault);
    ok(!text.full && text.size > 0, "the page is there");
    chart_shut(reader);
}

static void test_same_page(void) {
    chart_new();
    struct chart_writer *writer = fhir_writer(false);
    chart_take_at(writer, 0, bytes_from_string(hl7), NOW, NULL);
    chart_commit(writer);
    chart_writer_close(writer);
    census_page(0);
    FHIR(same);
    census_page(1);
    ok(strstr(pages[0], "CARDIO") && strstr(pages[0], "MARTIN"), "the ward shows its patient");
    /* Ids of a chart depend on the order in which numbers were met. */
    for (size_t n = 0; n < 2; n++)
        for (char *at = pages[n]; (at = strstr(at, "\"id\":")) != NULL; at += 5)
            for (char *c = at + 5; *c >= '0' && *c <= '9'; c++)
                *c = '#';
    is_string(pages[1], pages[0]);
}

/* ---- local names ---- */

#define CREATED(name, family)                                                                      \
    "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{\"fullUrl\":\"urn:"         \
    "uuid:" name "\",\"resource\":{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"" family   \
    "\"}]},\"request\":{\"method\":\"POST\",\"url\":\"Patient\"}}]}"

/* The patient-1 of one Bundle is not that of the next; a UUID is the same everywhere. */
static void test_local_names(void) {
    struct chart_state state;
    struct fault fault = {0};
    FHIR(CREATED("patient-1", "A"), CREATED("patient-1", "B"),
         CREATED("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "C"),
         CREATED("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "C"));
    struct chart_reader *reader = chart_open();
    must(chart_state(reader, &state, &fault), &fault);
    is_int(state.patient_count, 3);
    chart_shut(reader);
}

int main(void) {
    arena_init(&answers, (size_t)64 << 20);
    test_any_order();
    test_local_names();
    test_versions();
    test_given_back();
    test_same_page();
    chart_remove();
    arena_release(&answers);
    return done();
}
