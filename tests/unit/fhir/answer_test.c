/* answer_test.c - questions to a chart, as a client asks them: reads, searches, pages, everything; what is refused, and how. */
#include "../chart/chart_site.h"
#include "fhir/fhir.h"

#include <jansson.h>

#define PID(number, family, birth) "\nPID|1||" number "^^^CHV^PI||" family "^Jeanne||" birth "|F"

static struct arena record_arena, keep;
static struct fhir_view view;
static struct text out;
static struct fhir_answer answer;
static char strict_or_not[1];
static struct fhir_token *token;
static const char *if_none_match;

/* Asks "Patient?name=x&_count=2"; nothing in it is encoded, unless it is a link that came. */
static json_t *ask(const char *question) {
    static char copy[4096];
    struct fhir_parameter parameters[32];
    size_t count = 0;
    struct fault fault = {0};
    snprintf(copy, sizeof copy, "%s", question);
    char *rest = strchr(copy, '?');
    if (rest)
        *rest++ = 0;
    for (char *next; rest && *rest; rest = next) {
        next = strchr(rest, '&');
        if (next)
            *next++ = 0;
        char *value = strchr(rest, '=');
        *value++ = 0;
        parameters[count++] = (struct fhir_parameter){rest, value};
    }
    const struct fhir_request request = {.path = copy,
                                         .parameters = parameters,
                                         .parameter_count = count,
                                         .is_strict = strict_or_not[0],
                                         .token = token,
                                         .if_none_match = if_none_match};
    arena_clear(&keep);
    must(text_init_arena(&out, &keep, (size_t)1 << 20), &fault);
    fhir_answer(&view, &request, &out, &answer);
    json_t *json = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json && answer.status != 304 && !answer.wants_entry)
        printf("# no JSON: %s\n", out.data);
    return json;
}

static unsigned status_of(const char *question) {
    json_decref(ask(question));
    return answer.status;
}

static size_t matches(const json_t *bundle) {
    size_t index, count = 0;
    const json_t *entry;
    json_array_foreach(json_object_get(bundle, "entry"), index, entry) count += !strcmp(
        json_string_value(json_object_get(json_object_get(entry, "search"), "mode")), "match");
    return count;
}

static size_t count_of(const char *question) {
    json_t *bundle = ask(question);
    size_t count = answer.status == 200 ? matches(bundle) : 9999;
    json_decref(bundle);
    return count;
}

/* The first match's id; a static copy of two. */
static const char *id_of(const char *question) {
    static char ids[4][80];
    static unsigned n;
    char *id = ids[n++ % 4];
    json_t *bundle = ask(question);
    const json_t *entry = json_array_get(json_object_get(bundle, "entry"), 0);
    const char *found =
        json_string_value(json_object_get(json_object_get(entry, "resource"), "id"));
    snprintf(id, 80, "%s", found ? found : "");
    json_decref(bundle);
    return id;
}

static const char *with(const char *before, const char *after, const char *id) {
    static char texts[4][300];
    static unsigned n;
    char *text = texts[n++ % 4];
    snprintf(text, 300, "%s%s%s", before, id, after);
    return text;
}

static struct chart_reader *open_view(void) {
    struct chart_reader *reader = chart_open();
    view = (struct fhir_view){.chart = reader,
                              .generation = 7,
                              .arena = &record_arena,
                              .keep = &keep,
                              .base = "http://localhost/fhir",
                              .freshness = "current",
                              .now = NOW,
                              .newest_received_at = NOW,
                              .site_name = BYTES("CHV")};
    return reader;
}

static void a_ward(void) {
    CHART("GAM A01 10:00:00.000" PID("111", "DUPÔNT",
                                     "19550614") "\nPV1|1|I|CARDIO^12^2||||||||||||||||V1^^^CHV^"
                                                 "VN\nAL1|1|DA|AMOX^Amoxicilline^L|SV|Choc",
          "GAM A01 11:00:00.000" PID("222", "MARTIN",
                                     "19550615") "\nPV1|1|I|CARDIO^12^1||||||||||||||||V2^^^CHV^VN",
          "GAM A04 11:00:00.000" PID("333", "DURAND",
                                     "1980") "\nPV1|1|E|URG||||||||||||||||V3^^^CHV^VN",
          "GAM A03 12:00:00.000" PID("333", "DURAND",
                                     "1980") "\nPV1|1|E|URG||||||||||||||||V3^^^CHV^VN",
          "LAB R01 10:30:00.000" PID(
              "111", "DUPÔNT",
              "19550614") "\nOBR|1|P1|F1|IONO^Ionogramme^L|||20261123103000+0100\n"
                          "OBX|1|NM|2823-3^Potassium^LN||6.8|mmol/"
                          "L|3.5-5.1|HH|||F\nOBX|2|NM|2951-2^Sodium^LN||140|mmol/L|136-145|N|||F\n"
                          "OBX|3|NM|8867-4^Pouls^LN||80|/min||N|||F");
}

static void searches(void) {
    const char *a = id_of("Patient?identifier=111");
    is_int(strlen(a), 32);
    is_int(count_of("Patient"), 3);
    is_int(count_of("Patient?identifier=CHV|111"), 1);
    is_int(count_of("Patient?identifier=OTHER|111"), 0);
    is_int(count_of("Patient?name=dupont"), 1);
    is_int(count_of("Patient?family=DUP"), 1);
    is_int(count_of("Patient?given=DUP"), 0);
    is_int(count_of("Patient?given=jean"), 3);
    is_int(count_of("Patient?name=dupont,martin"), 2);
    is_int(count_of("Patient?birthdate=1955-06-14"), 1);
    is_int(count_of("Patient?birthdate=1955-06"), 2);
    is_int(count_of("Patient?birthdate=ge1955-06-15&birthdate=lt1956"), 1);
    is_int(count_of("Patient?birthdate=gt1960"), 1);
    is_int(count_of("Patient?gender=female&family=martin"), 1);
    is_int(count_of("Patient?gender=male"), 0);
    is_int(count_of("Patient?unknown=1"), 3);
    is_int(count_of(with("Patient?_id=", "", a)), 1);
    is_int(count_of("Encounter?status=in-progress"), 2);
    is_int(count_of("Encounter?status=finished"), 1);
    is_int(count_of("Encounter?class=EMER"), 1);
    is_int(count_of("Encounter?identifier=V2"), 1);
    is_int(count_of("Encounter?date=ge2026-11-23"), 3);
    is_int(count_of("Encounter?date=2026-11-23"),
           0); /* none is known to have begun and ended that day */
    is_int(count_of("Encounter?date=eb2026-11-24"), 1);
    is_int(count_of("Encounter?date=lt2026-11-23&status=in-progress"), 0);
    is_int(count_of(with("Observation?patient=", "", a)), 3);
    is_int(count_of(with("Observation?subject=Patient/", "&code=http://loinc.org|2823-3", a)), 1);
    is_int(count_of(with("Observation?patient:Patient=", "&code=2823-3,2951-2", a)), 2);
    is_int(count_of(with("Observation?patient=", "&category=vital-signs", a)), 1);
    is_int(count_of(with("Observation?patient=", "&date=ge2026-11-23T09:30:00Z", a)), 3);
    is_int(count_of(with("Observation?patient=", "&date=gt2026-11-23", a)), 0);
    is_int(count_of(with("Observation?patient=", "&_lastUpdated=gt2026-11-24", a)), 0);
    is_int(count_of("Observation?patient.identifier=CHV|111"), 3);
    is_int(count_of("Observation?code=2951-2"), 1);
    is_int(count_of("AllergyIntolerance?category=medication"), 1);
    is_int(count_of("DiagnosticReport?identifier=F1"), 1);
    is_int(count_of("Location"), 3); /* the ward and its two beds: nobody is left in the other */
    is_int(count_of("Location?name=card"), 3);
    is_int(count_of(with("Encounter?location=Location/", "", id_of("Location?name=card"))),
           0); /* the ward has beds */
}

static void reads(void) {
    const char *patient = id_of("Patient?identifier=111");
    const char *potassium = id_of("Observation?code=2823-3");
    is_int(status_of(with("Patient/", "", patient)), 200);
    is_int(status_of(with("Observation/", "", potassium)), 200);
    char etag[40];
    snprintf(etag, sizeof etag, "%s", answer.etag);
    ok(*etag == 'W');
    if_none_match = etag;
    is_int(status_of(with("Observation/", "", potassium)), 304);
    is_int(status_of(with("Patient/", "", patient)), 200);
    if_none_match = NULL;
    is_int(status_of(with("Location/", "", id_of("Location"))), 200);
    is_int(status_of("Binary/entry-3"), 200);
    ok(answer.wants_entry && answer.entry == 3);
    json_t *bundle = ask(with("Patient/", "/$everything", patient));
    is_int(matches(bundle), 7); /* patient, stay, allergy, report, three results */
    json_decref(bundle);
    is_int(status_of(with("Patient/", "/$summary", patient)), 200);
    bundle = ask("Observation?code=2951-2&_include=Observation:patient");
    is_int(json_array_size(json_object_get(bundle, "entry")), 2);
    json_decref(bundle);
}

static void refusals(void) {
    static const struct {
        const char *question;
        unsigned status;
    } asked[] = {
        {"Patient/0000", 404},
        {"Patient/00000000000000000000000000000000", 404},
        {"Patient/x/$everything", 404},
        {"Patient/x/$other", 404},
        {"Observation/0000000000000000-00000000000000000000000000000000", 404},
        {"Procedure", 400}, /* kept as they came: of a patient alone */
        {"nothing", 404},
        {"Nothing/1", 404},
        {"Observation/a/_history", 404},
        {"", 400},
        {"Patient?birthdate=summer", 400},
        {"Patient?birthdate=ap1955", 400},
        {"Patient?name:exact=Dupont", 400},
        {"Patient?_count=many", 400},
        {"Patient?_page=1.2.3", 410},
        {"Patient?_page=7.1.99.x", 400},
        {"Patient?_page=x", 400},
        {"Patient?identifier=CHV|", 400},
        {"Patient?_format=xml", 406},
        {"Binary/3", 404},
        {"Location/none", 404},
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        json_t *json = ask(asked[i].question);
        const char *type = json_string_value(json_object_get(json, "resourceType"));
        if (!ok(answer.status == asked[i].status && type && !strcmp(type, "OperationOutcome")))
            printf("# %s: %u\n", asked[i].question, answer.status);
        json_decref(json);
    }
    strict_or_not[0] = 1;
    is_int(status_of("Patient?unknown=1"), 400);
    is_int(status_of("Patient?name=dupont"), 200);
    is_int(status_of("Patient?_summary=text"), 400);
    strict_or_not[0] = 0;
    view.chart = NULL;
    is_int(status_of("Patient"), 503);
    is_int(status_of("metadata"), 200);
}

static void scopes(void) {
    struct fhir_token patients = {.scope_count = 1}, everything = {.scope_count = 1},
                      writer = {.scope_count = 1};
    ok(fhir_scope_read(BYTES("system/Patient.read"), &patients.scopes[0]));
    ok(fhir_scope_read(BYTES("system/*.read"), &everything.scopes[0]));
    ok(fhir_scope_read(BYTES("system/*.write"), &writer.scopes[0]));
    const char *patient = id_of("Patient?identifier=111");
    token = &patients;
    is_int(status_of("Patient"), 200);
    is_int(status_of("Observation"), 403);
    is_int(status_of("Location"), 403);
    is_int(status_of("Binary/entry-1"), 403);
    is_int(status_of(with("Patient/", "/$everything", patient)), 403);
    is_int(status_of(with("Patient/", "/$summary", patient)), 403);
    token = &everything;
    is_int(status_of(with("Patient/", "/$everything", patient)), 200);
    token = &writer;
    is_int(status_of("Patient"), 403);
    token = NULL;
}

/* Follow the links to the end: each resource once, whatever the size of the page. */
static void pages(const char *first, size_t all) {
    char next[600];
    static char seen[64][80];
    size_t count = 0, rounds = 0;
    bool is_twice = false;
    snprintf(next, sizeof next, "%s", first);
    while (*next && rounds++ < 64) {
        json_t *bundle = ask(next);
        size_t index;
        const json_t *entry, *link;
        json_array_foreach(json_object_get(bundle, "entry"), index, entry) {
            const char *id =
                json_string_value(json_object_get(json_object_get(entry, "resource"), "id"));
            for (size_t i = 0; i < count; i++)
                is_twice |= !strcmp(seen[i], id);
            snprintf(seen[count++ % 64], 80, "%s", id);
        }
        *next = 0;
        json_array_foreach(
            json_object_get(bundle, "link"), index,
            link) if (!strcmp(json_string_value(json_object_get(link, "relation")), "next"))
            snprintf(next, sizeof next, "%s",
                     json_string_value(json_object_get(link, "url")) +
                         strlen("http://localhost/fhir/"));
        json_decref(bundle);
    }
    ok(!is_twice);
    is_int(count, all);
}

static void all_pages(void) {
    const char *patient = id_of("Patient?identifier=111");
    for (size_t size = 1; size < 9; size++) {
        char question[200];
        snprintf(question, sizeof question, "Patient?_count=%zu", size);
        pages(question, 3);
        snprintf(question, sizeof question, "Observation?_count=%zu", size);
        pages(question, 3);
        snprintf(question, sizeof question, "Patient/%s/$everything?_count=%zu", patient, size);
        pages(question, 7);
    }
    json_t *bundle = ask("Observation?_summary=count");
    is_int(json_integer_value(json_object_get(bundle, "total")), 3);
    is_int(json_array_size(json_object_get(bundle, "entry")), 0);
    json_decref(bundle);
}

/* Old data say so themselves. */
static void age(void) {
    view.freshness = "silent";
    json_t *bundle = ask("Patient?_count=1");
    const json_t *entry = json_array_get(json_object_get(bundle, "entry"), 0);
    is_string(json_string_value(json_object_get(json_object_get(entry, "search"), "mode")),
              "outcome");
    is_int(matches(bundle), 1);
    json_decref(bundle);
    view.freshness = "current";
}

/* A merge: the ids of what was said before it stay, and the old Patient says where to look. */
static void merge(void) {
    char before[80], loser[80];
    CHART("GAM A01 10:00:00.000" PID("111", "DUPONT",
                                     "19550614") "\nPV1|1|I|CARDIO^12^2||||||||||||||||V1^^^CHV^"
                                                 "VN\nAL1|1|DA|AMOX^Amoxicilline^L|SV|Choc",
          "LAB R01 10:30:00.000" PID(
              "111", "DUPONT",
              "19550614") "\nOBR|1|P1|F1|IONO^Ionogramme^L|||20261123103000+0100\nOBX|1|NM|2823-3^"
                          "Potassium^LN||6.8|mmol/L|3.5-5.1|HH|||P");
    struct chart_reader *reader = open_view();
    snprintf(loser, sizeof loser, "%s", id_of("Patient"));
    snprintf(before, sizeof before, "%s", id_of("Observation"));
    chart_shut(reader);
    CHART("LAB R01 10:30:00.000" PID(
              "111", "DUPONT",
              "19550614") "\nOBR|1|P1|F1|IONO^Ionogramme^L|||20261123103000+0100\nOBX|1|NM|2823-3^"
                          "Potassium^LN||6.8|mmol/L|3.5-5.1|HH|||P",
          "GAM A28 09:00:00.000" PID("222", "DUPONT", "19550614"),
          "GAM A40 11:00:00.000" PID("222", "DUPONT", "19550614") "\nMRG|111^^^CHV^PI",
          "LAB R01 12:30:00.000" PID(
              "222", "DUPONT",
              "19550614") "\nOBR|1|P1|F1|IONO^Ionogramme^L|||20261123103000+0100\nOBX|1|NM|2823-3^"
                          "Potassium^LN||4.8|mmol/L|3.5-5.1|N|||F",
          "GAM A01 10:00:00.000" PID("111", "DUPONT",
                                     "19550614") "\nPV1|1|I|CARDIO^12^2||||||||||||||||V1^^^CHV^"
                                                 "VN\nAL1|1|DA|AMOX^Amoxicilline^L|SV|Choc");
    reader = open_view();
    is_string(id_of("Observation"), before);
    json_t *observation = ask(with("Observation/", "", before));
    is_string(json_string_value(json_object_get(observation, "status")), "final");
    json_decref(observation);
    json_t *old = ask(with("Patient/", "", loser));
    ok(json_is_false(json_object_get(old, "active")));
    json_decref(old);
    ok(strcmp(id_of("Patient?identifier=111"), loser) != 0, "the old number finds the survivor");
    is_int(count_of(with("Observation?patient=", "", loser)), 1);
    is_int(count_of("Patient"), 1);
    chart_shut(reader);
}

/* What came as FHIR is given back as it came, every digit of it; with where it is kept. */
static void kept(void) {
    static const char sent[] =
        "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":["
        "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"pat1\","
        "\"identifier\":[{\"system\":\"urn:oid:1.2.3\",\"value\":\"777\"}],"
        "\"name\":[{\"family\":\"LEBEAU\"}]}},"
        "{\"resource\":{\"resourceType\":\"Observation\",\"id\":\"obs1\",\"status\":\"final\","
        "\"code\":{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"2823-3\"}]},"
        "\"subject\":{\"reference\":\"Patient/"
        "pat1\"},\"effectiveDateTime\":\"2026-11-23T10:00:00Z\",\"valueQuantity\":{\"value\":6.80,"
        "\"unit\":\"mmol/L\"},\"bodySite\":{\"text\":\"bras\"}}},"
        "{\"resource\":{\"resourceType\":\"MedicationRequest\",\"id\":\"rx1\",\"status\":"
        "\"active\",\"intent\":\"order\",\"medicationCodeableConcept\":{\"text\":\"PARACETAMOL\"},"
        "\"subject\":{\"reference\":\"Patient/pat1\"}}},"
        "{\"resource\":{\"resourceType\":\"Condition\",\"id\":\"cond1\",\"category\":[{\"coding\":["
        "{\"code\":\"problem-list-item\"}]}],\"code\":{\"text\":\"HTA\"},\"subject\":{"
        "\"reference\":\"Patient/pat1\"}}},"
        "{\"resource\":{\"resourceType\":\"Appointment\",\"id\":\"app1\",\"status\":\"booked\","
        "\"start\":\"2026-11-25T10:00:00Z\",\"end\":\"2026-11-25T10:30:00Z\","
        "\"participant\":[{\"actor\":{\"reference\":\"Patient/pat1\"},\"status\":\"accepted\"}]}},"
        "{\"resource\":{\"resourceType\":\"Procedure\",\"id\":\"proc1\","
        "\"meta\":{\"tag\":[{\"code\":\"x\"}]},\"status\":\"completed\","
        "\"subject\":{\"reference\":\"Patient/"
        "pat1\"},\"extension\":[{\"url\":\"urn:x\",\"valueDecimal\":1.50}],"
        "\"note\":[{\"text\":\"a \\\"b\\\" \\u00e9\"}]}}]}";
    struct fault fault = {0};
    chart_new();
    struct chart_writer *writer = chart_writer(false);
    struct vault_entry entry = {.kind = VAULT_MESSAGE,
                                .media_type = BYTES("application/fhir+json"),
                                .source = BYTES("fhir/test"),
                                .clock = ((hlc_stamp)(NOW / US_PER_MS) << 16),
                                .received_at = NOW,
                                .body = bytes_from(sent, sizeof sent - 1),
                                .body_bytes = sizeof sent - 1};
    must(chart_writer_take(writer, 0, &entry, NULL, &fault), &fault);
    chart_commit(writer);
    chart_writer_close(writer);
    struct chart_reader *reader = open_view();
    is_int(status_of("Procedure/proc1"), 200);
    ok(strstr(out.data, "\"valueDecimal\":1.50}") != NULL, "a decimal keeps its digits");
    ok(strstr(out.data, "\"note\":[{\"text\":\"a \\\"b\\\" \\u00e9\"}]") != NULL,
       "a text its escapes");
    ok(strstr(out.data, "\"meta\":{\"tag\":[{\"code\":\"x\"}],") &&
       strstr(out.data, "urn:veilleuse:entry:0"));
    is_int(status_of("Patient/pat1"), 200);
    ok(strstr(out.data, "LEBEAU") && strstr(out.data, "\"id\":\"pat1\""));
    char patient[80];
    snprintf(patient, sizeof patient, "%s", id_of("Patient?identifier=777"));
    is_int(strlen(patient), 32);
    is_int(count_of(with("Procedure?patient=", "", patient)), 1);
    is_int(count_of("Procedure?patient=pat1"), 1);
    is_int(count_of("Procedure?patient=0000"), 0);
    /* Of what the chart understands it too, once, and found by what the chart makes of it. */
    is_int(count_of(with("Observation?patient=", "", patient)), 1);
    ok(strstr(out.data, "\"value\":6.80,") != NULL && strstr(out.data, "bodySite"));
    is_string(id_of("Observation?patient=Patient/pat1&code=2823-3"), "obs1");
    is_string(id_of("Observation?_id=obs1"), "obs1");
    is_int(count_of("Observation?patient=pat1&code=1"), 0);
    is_int(status_of("Observation/obs1"), 200);
    is_int(count_of(with("DiagnosticReport?patient=", "", patient)), 0);
    is_string(id_of(with("MedicationRequest?patient=", "", patient)), "rx1");
    is_string(id_of(with("Condition?patient=", "", patient)), "cond1");
    is_string(id_of(with("Appointment?patient=", "", patient)), "app1");
    pages(with("Patient/", "/$everything?_count=2", patient), 6);
    json_decref(ask(with("Patient/", "/$everything", patient)));
    ok(strstr(out.data, "\"fullUrl\":\"http://localhost/fhir/Procedure/proc1\"") != NULL,
       "everything has what the chart makes nothing of");
    /* One of these is spoken of by another: then it is what both say, and the original is only read. */
    chart_shut(reader);
    static const char again[] =
        "{\"resourceType\":\"Observation\",\"id\":\"obs1\",\"status\":\"entered-in-error\","
        "\"code\":{\"coding\":[{\"system\":\"http://loinc.org\","
        "\"code\":\"2823-3\"}]},\"subject\":{\"reference\":\"Patient/"
        "pat1\"},\"meta\":{\"lastUpdated\":\"2026-11-23T15:01:00Z\"}}";
    writer = chart_writer(false);
    entry.body = bytes_from(again, sizeof again - 1);
    entry.body_bytes = sizeof again - 1;
    entry.clock++;
    must(chart_writer_take(writer, 1, &entry, NULL, &fault), &fault);
    chart_commit(writer);
    chart_writer_close(writer);
    reader = open_view();
    is_int(count_of("Observation?patient=pat1"), 1);
    ok(strstr(out.data, "entered-in-error") != NULL, "the last version");
    is_int(status_of("Procedure/none"), 404);
    chart_shut(reader);
}

int main(void) {
    arena_init(&answers, (size_t)16 << 20);
    arena_init(&record_arena, (size_t)16 << 20);
    arena_init(&keep, (size_t)16 << 20);
    a_ward();
    struct chart_reader *reader = open_view();
    searches();
    reads();
    all_pages();
    age();
    scopes();
    refusals();
    chart_shut(reader);
    merge();
    kept();
    chart_remove();
    arena_release(&keep);
    arena_release(&record_arena);
    arena_release(&answers);
    return done();
}
