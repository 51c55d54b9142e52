/* rules_test.c - each rule of the order of facts, by one small hospital and what its chart answers. */
#include "chart_site.h"

#define P1              "\nPID|1||4711^^^CHV^PI"
#define V(place, visit) "\nPV1|1|I|" place "||||||||||||||||" visit "^^^CHV^VN"
#define OBR(filler, reported, status)                                                              \
    "\nOBR|1||" filler "|K^Potassium^L|||20261123084000+0100|||||||||||||||20261123" reported      \
    "+0100|||" status
#define OBX(value, flags, status)                                                                  \
    "\nOBX|1|NM|K^Potassium^L||" value "|mmol/L|3.5-5.0|" flags "|||" status

static struct chart_reader *reader;
static struct fault fault;

static struct chart_patient open_patient(const char *number) {
    reader = chart_open();
    return patient_of(reader, number);
}

static void shut(void) {
    chart_shut(reader);
    arena_clear(&answers);
}

static const char *place_of(const struct chart_stay *stay) {
    static char buffer[200];
    snprintf(buffer, sizeof buffer, "%s %s %s", string_of(stay->place.unit),
             string_of(stay->place.room), string_of(stay->place.bed));
    return buffer;
}

/* The first stay of a patient: present ones first. */
static struct chart_stay stay_of(uint64_t id) {
    struct chart_stay *stays;
    size_t count;
    must(chart_stays(reader, &answers, id, &stays, &count, &fault), &fault);
    return count ? stays[0] : (struct chart_stay){0};
}

static struct chart_report *reports_of(uint64_t id, size_t *count) {
    struct chart_report *reports;
    must(chart_results(reader, &answers, id, INSTANT_NONE, SIZE_MAX, &reports, count, &fault),
         &fault);
    return reports;
}

/* ---- single values: rules 3, 5, 10, 11 ---- */

static void test_values(void) {
    CHART("GAM A08 10:00:00.000" P1 "||DUPONT^Jeanne||19450714|F|||1 rue^^DAX||0501",
          "GAM A08 09:00:00.000" P1 "||AVANT^Jeanne||19400101|M",
          "GAM A08 11:00:00.000" P1 "||DUPONT^Jeanne||||||\"\"");
    struct chart_patient p = open_patient("4711");
    is_string(string_of(p.family_name), "DUPONT");
    is_string(string_of(p.birth_date), "1945-07-14");
    is_string(string_of(p.sex), "F");
    is_string(string_of(p.phone), "0501");
    is_int(p.address.size, 0);
    is_int(p.identity_source.entry, 2);
    shut();
}

static void test_equal_moment_of_one_source(void) {
    CHART("GAM A08 10:00:00.000" P1 "||DUPONT^Jeanne||19450714|F",
          "GAM A08 10:00:00.000" P1 "||DUPOND^Jeanne||19450714|F");
    struct chart_patient p = open_patient("4711");
    is_string(string_of(p.family_name), "DUPOND");
    is_int(p.dispute_count, 0);
    ok(!(p.doubt & CHART_DISPUTED), "one source that says it anew does not disagree with itself");
    shut();
}

static void test_disputes(void) {
    CHART("GAM A08 10:00:00.000" P1 "||DUPONT^Jeanne||19450714|F",
          "DPI A08 10:00:00.000" P1 "||DUPOND^Jeanne||19450714|F",
          "LABO A08 10:00:00.000" P1 "||DUPOND^Jeanne||19450714|M");
    struct chart_patient p = open_patient("4711");
    is_string(string_of(p.family_name), "DUPOND");
    is_string(string_of(p.sex), "M");
    ok(p.doubt & CHART_DISPUTED, "two sources disagree about who it is");
    is_int(p.dispute_count, 3);
    for (size_t i = 0; i < p.dispute_count; i++)
        if (!strcmp(p.disputes[i].field, "family_name")) {
            is_string(string_of(p.disputes[i].value), "DUPONT");
            is_string(string_of(p.disputes[i].feed), "GAM/CHV");
            is_int(p.disputes[i].source.entry, 0);
        }
    shut();
    CHART("GAM A08 10:00:00.000" P1 "||DUPONT^Jeanne||19450714|F",
          "DPI A08 10:00:00.000" P1 "||DUPOND^Jeanne||19450714|F",
          "GAM A08 10:00:00.001" P1 "||DUPONT^Jeanne||19450714|F");
    p = open_patient("4711");
    is_int(p.dispute_count, 0);
    ok(!(p.doubt & CHART_DISPUTED), "until one of them says it later");
    shut();
}

static void test_doubtful_date(void) {
    CHART("GAM A08 20270101T10:00:00.000" P1 "||FUTUR^Jeanne||19450714|F",
          "GAM A08 09:00:00.000" P1 "||DUPONT^Jeanne||19450714|F");
    struct chart_patient p = open_patient("4711");
    is_string(string_of(p.family_name), "DUPONT");
    shut();
}

/* ---- movements: rule 7 ---- */

static void test_moves(void) {
    CHART("GAM A01 08:00:00.000" P1 "||DUPONT^J" V("CARD^1^A", "S1"),
          "GAM A02 10:00:00.000" P1 V("REA^3^C", "S1"),
          "GAM A02 09:00:00.000" P1 V("CHIR^2^B", "S1"));
    struct chart_patient p = open_patient("4711");
    struct chart_stay stay = stay_of(p.id);
    is_string(place_of(&stay), "REA 3 C");
    ok(stay.is_present && !stay.is_place_stated, "present, by a movement");
    struct chart_movement *moves;
    size_t count;
    must(chart_moves(reader, &answers, p.id, &moves, &count, &fault), &fault);
    is_int(count, 3);
    is_string(string_of(moves[1].place.unit), "CHIR");
    shut();
}

static void test_cancels(void) {
    CHART("GAM A01 08:00:00.000" P1 "||DUPONT^J" V("CARD^1^A", "S1"),
          "GAM A12 09:30:00.000" P1 V("CARD^1^A", "S1"),
          "GAM A02 09:00:00.000" P1 V("CHIR^2^B", "S1"));
    struct chart_patient p = open_patient("4711");
    struct chart_stay stay = stay_of(p.id);
    is_string(place_of(&stay), "CARD 1 A");
    shut();
    CHART("GAM A01 08:00:00.000" P1 "||DUPONT^J" V("CARD^1^A", "S1"),
          "GAM A03 09:00:00.000" P1 V("CARD^1^A", "S1"));
    p = open_patient("4711");
    stay = stay_of(p.id);
    ok(!stay.is_present && stay.discharged_at != INSTANT_NONE, "discharged");
    shut();
    CHART("GAM A01 08:00:00.000" P1 "||DUPONT^J" V("CARD^1^A", "S1"),
          "GAM A03 09:00:00.000" P1 V("CARD^1^A", "S1"),
          "GAM A13 10:00:00.000" P1 V("CARD^1^A", "S1"));
    p = open_patient("4711");
    stay = stay_of(p.id);
    ok(stay.is_present && stay.discharged_at == INSTANT_NONE, "and not discharged after all");
    shut();
    CHART("GAM A11 09:00:00.000" P1 V("CARD^1^A", "S1"),
          "GAM A01 08:00:00.000" P1 "||DUPONT^J" V("CARD^1^A", "S1"));
    p = open_patient("4711");
    stay = stay_of(p.id);
    ok(!stay.is_present, "a cancel that came first waits for its movement");
    shut();
}

static void test_census(void) {
    CHART("GAM A01 08:00:00.000" P1 "||DUPONT^Jeanne||19450714|F" V("CARD^1^A", "S1"),
          "GAM A01 08:01:00.000\nPID|1||4712^^^CHV^PI||DUPONT^Jean||19600101|M" V("CARD^2^B", "S2"),
          "GAM A01 08:02:00.000\nPID|1||4713^^^CHV^PI||MARTIN^Paul||19700101|M" V("CARD^3^C", "S3"),
          "GAM A03 08:03:00.000\nPID|1||4713^^^CHV^PI" V("CARD^3^C", "S3"),
          "GAM A01 08:04:00.000\nPID|1||4714^^^CHV^PI||PETIT^Anne||19700101|F" V("REA^1^A", "S4"));
    reader = chart_open();
    struct chart_census_row *rows;
    struct chart_ward *wards;
    size_t count;
    must(chart_census(reader, &answers, BYTES("CARD"), NOW, &rows, &count, &fault), &fault);
    is_int(count, 2);
    is_string(string_of(rows[0].patient.given_name), "Jeanne");
    ok((rows[0].patient.doubt & CHART_SAME_NAME) && (rows[1].patient.doubt & CHART_SAME_NAME),
       "two of one name in a ward are both marked");
    is_int(rows[0].patient.allergy_statement, ALLERGIES_NOT_RECORDED);
    must(chart_census(reader, &answers, BYTES_NONE, NOW, &rows, &count, &fault), &fault);
    is_int(count, 3);
    must(chart_wards(reader, &answers, &wards, &count, &fault), &fault);
    is_int(count, 2);
    is_int(wards[0].present_count + wards[1].present_count, 3);
    must(chart_census(reader, &answers, BYTES("NULLE"), NOW, &rows, &count, &fault), &fault);
    is_int(count, 0);
    shut();
}

/* A monitor speaks every few minutes; what the laboratory found yesterday is counted all the same. */
static void test_census_counts_all(void) {
    static char lines[502][256];
    const char *all[502];
    snprintf(lines[0], sizeof lines[0], "%s",
             "GAM A01 20261121T08:00:00.000" P1 "||DUPONT^Jeanne||19450714|F" V("CARD^1^A", "S1"));
    snprintf(lines[1], sizeof lines[1], "%s",
             "LABO R01 20261121T12:30:00.000" P1
             "\nOBR|1||L1|T^Troponine^L|||20261121122000+0100|||||||||||||||20261121123000+0100|||F"
             "\nOBX|1|NM|T^Troponine^L||900|ng/L|<34|HH|||F");
    for (int i = 2; i < 502; i++)
        snprintf(lines[i], sizeof lines[i],
                 "MONIT R01 20261122T%02d:%02d:%02d.000" P1
                 "\nOBR|1||M%d|K^Pouls^L|||20261122%02d%02d%02d+0100|||||||||||||||20261122%02d%"
                 "02d%02d+0100|||F"
                 "\nOBX|1|NM|K^Pouls^L||80|/min|50-100||||F",
                 8 + i / 60, i % 60, i % 60, i, 8 + i / 60, i % 60, i % 60, 8 + i / 60, i % 60,
                 i % 60);
    for (int i = 0; i < 502; i++)
        all[i] = lines[i];
    chart_of(all, 502);
    reader = chart_open();
    struct chart_census_row *rows;
    size_t count;
    must(chart_census(reader, &answers, BYTES("CARD"), NOW, &rows, &count, &fault), &fault);
    is_int(count, 1);
    is_int(rows[0].abnormal_count, 1);
    shut();
}

/* ---- merges: rule 8 ---- */

static void test_merges(void) {
    CHART("GAM A01 08:00:00.000" P1 "||DUPONT^Jeanne||19450714|F" V("CARD^1^A", "S1"),
          "GAM A40 12:00:00.000" P1 "\nMRG|4712^^^CHV^PI",
          "LABO R01 12:30:00.000\nPID|1||4712^^^CHV^PI||DUPONT^J||19450714" OBR("F1", "122500", "F")
              OBX("4.0", "", "F"));
    struct chart_patient p = open_patient("4712");
    is_string(string_of(p.main.number), "4711");
    is_int(p.merged_count, 1);
    ok(p.doubt == CHART_MERGED, "merged, and not in doubt");
    size_t count;
    reports_of(p.id, &count);
    is_int(count, 1);
    shut();
    CHART("GAM A40 12:00:00.000\nPID|1||4801^^^CHV^PI\nMRG|4802^^^CHV^PI",
          "GAM A40 12:01:00.000\nPID|1||4802^^^CHV^PI\nMRG|4801^^^CHV^PI");
    p = open_patient("4801");
    ok((p.doubt & CHART_IN_DOUBT) && p.doubt_reason, "a circle is in doubt");
    shut();
    CHART("GAM A08 11:00:00.000" P1 "||DUPONT^Jeanne||19450714|F",
          "GAM A08 11:01:00.000\nPID|1||4712^^^CHV^PI||DUPONT^Jeanne||19500101|F",
          "GAM A40 12:00:00.000" P1 "\nMRG|4712^^^CHV^PI");
    p = open_patient("4711");
    ok(p.doubt & CHART_IN_DOUBT, "two birth dates under one person");
    shut();
    CHART("GAM A08 11:00:00.000" P1 "||DUPONT^Jeanne||19450714|F",
          "GAM A40 12:00:00.000" P1 "\nMRG|4712^^^CHV^PI",
          "GAM A37 12:30:00.000" P1 "\nPID|1||4712^^^CHV^PI");
    p = open_patient("4711");
    is_int(p.merged_count, 0);
    shut();
}

static void test_identifiers_match_whole(void) {
    CHART("GAM A08 11:00:00.000\nPID|1||4711^^^CHV^PI||DUPONT^Jeanne||19450714|F",
          "DPI A08 11:00:00.001\nPID|1||4711^^^AUTRE^PI||MARTIN^Paul||19600101|M");
    reader = chart_open();
    struct fact_identifier wanted = {.number = BYTES("4711")};
    uint64_t ids[4];
    size_t count;
    must(chart_find_identifier(reader, &wanted, ids, 4, &count, &fault), &fault);
    is_int(count, 2);
    wanted.authority = BYTES("AUTRE");
    must(chart_find_identifier(reader, &wanted, ids, 4, &count, &fault), &fault);
    is_int(count, 1);
    shut();
}

/* ---- results: rule 9 ---- */

static void test_results(void) {
    CHART("LABO R01 09:30:00.000" P1 OBR("F1", "092500", "F") OBX("5.9", "H", "F"),
          "LABO R01 09:40:00.000" P1 OBR("F1", "093500", "P") OBX("9.9", "HH", "P"));
    struct chart_patient p = open_patient("4711");
    size_t count;
    struct chart_report *reports = reports_of(p.id, &count);
    is_int(count, 1);
    is_string(string_of(reports[0].results[0].value), "5.9");
    is_int(reports[0].results[0].status, RESULT_FINAL);
    ok(result_is_abnormal(&reports[0].results[0]), "abnormal");
    shut();
    CHART("LABO R01 09:50:00.000" P1 OBR("F1", "094500", "C") OBX("4.1", "", "C"),
          "LABO R01 09:30:00.000" P1 OBR("F1", "092500", "F") OBX("5.9", "H", "F"));
    p = open_patient("4711");
    reports = reports_of(p.id, &count);
    is_string(string_of(reports[0].results[0].value), "4.1");
    is_int(reports[0].results[0].status, RESULT_CORRECTED);
    is_int(reports[0].results[0].before_count, 1);
    is_string(string_of(reports[0].results[0].before[0].value), "5.9");
    shut();
    CHART("LABO R01 09:30:00.000" P1 OBR("F1", "092500", "F") OBX("5.9", "H", "F"),
          "LABO R01 09:50:00.000" P1 OBR("F1", "094500", "F") OBX("5.9", "H", "D"));
    p = open_patient("4711");
    reports = reports_of(p.id, &count);
    is_int(reports[0].results[0].status, RESULT_DELETED);
    ok(!result_is_listed(&reports[0].results[0]) && !result_is_abnormal(&reports[0].results[0]),
       "a deleted result is neither listed nor abnormal");
    shut();
    CHART("LABO R01 09:30:00.000" P1 OBR("F1", "092500", "F") OBX("5.9", "H", "F"),
          "BIO R01 09:31:00.000" P1 OBR("F1", "092500", "F") OBX("4.0", "", "F"));
    p = open_patient("4711");
    reports_of(p.id, &count);
    is_int(count, 2); /* the same number of another sender is another report */
    shut();
}

/* ---- lists: rule 6 ---- */

static void test_allergies(void) {
    CHART("DPI A08 13:01:00.000" P1 "\nAL1|1|DA|716186003^No known allergy^SCT");
    struct chart_patient p = open_patient("4711");
    is_int(p.allergy_statement, ALLERGIES_NONE_KNOWN);
    is_int(p.allergy_count, 0);
    shut();
    CHART("GAM A08 13:00:00.000" P1 "\nAL1|1|DA|AMOX^Amoxicilline^L|SV|Choc",
          "DPI A08 13:01:00.000" P1 "\nAL1|1|DA|716186003^No known allergy^SCT",
          "GAM A08 13:02:00.000" P1 "||DUPONT^Jeanne");
    p = open_patient("4711");
    is_int(p.allergy_statement, ALLERGIES_LISTED);
    is_int(p.allergy_count, 1);
    is_string(string_of(p.allergies[0].text), "Amoxicilline");
    is_string(string_of(p.allergies[0].reaction), "Choc");
    is_string(string_of(p.allergies[0].feed), "GAM/CHV");
    shut();
    CHART("DPI A60 13:03:00.000" P1 "\nIAM|1|DA|LATEX^Latex^L|MO|Prurit|D",
          "DPI A60 13:02:00.000" P1 "\nIAM|1|DA|LATEX^Latex^L|MO|Prurit|A");
    p = open_patient("4711");
    is_int(p.allergy_count, 0);
    shut();
}

/* Who says so is named at once, also when it is the first that this source ever said. */
static void test_allergy_of_a_new_source(void) {
    struct chart_census_row *rows;
    size_t count;
    CHART("GAM A01 10:00:00.000" P1 V("CARD^1^A^CHV", "S1") "\nAL1|1|DA|AMOX^Amoxicilline^L");
    reader = chart_open();
    must(chart_census(reader, &answers, BYTES_NONE, NOW, &rows, &count, &fault), &fault);
    is_int(count, 1);
    is_string(string_of(rows[0].patient.allergies[0].feed), "GAM/CHV");
    shut();
}

static void test_documents(void) {
    CHART("DPI T02 13:05:00.000" P1 "\nTXA|1|CR|TX|20261123130000+0100||||||||D1|||||AU\nOBX|1|TX|"
          "D1^Compte rendu||premier||||||F",
          "DPI T10 13:06:00.000" P1 "\nTXA|1|CR|TX|20261123130500+0100||||||||D2|D1||||AU\nOBX|1|"
          "TX|D2^Compte rendu||second||||||F");
    struct chart_patient p = open_patient("4711");
    struct chart_document *documents;
    size_t count, replaced = 0;
    must(chart_documents(reader, &answers, p.id, &documents, &count, &fault), &fault);
    is_int(count, 2);
    for (size_t i = 0; i < count; i++) {
        replaced += documents[i].is_replaced;
        ok(documents[i].is_replaced == bytes_is(documents[i].id, "D1"), "the first is replaced");
    }
    is_int(replaced, 1);
    shut();
}

/* ---- what is set aside, and figures ---- */

static void test_asides(void) {
    static char buffer[4096];
    chart_new();
    struct chart_writer *writer = chart_writer(false);
    chart_take_at(writer, 0, BYTES("no HL7 at all"), NOW, NULL);
    chart_take_at(writer, 1,
                  message_of("GAM A08 10:00:00.000" P1 "||DUPONT^J", buffer, sizeof buffer),
                  NOW + 1, "it stopped the program twice");
    chart_take_at(writer, 2,
                  message_of("GAM A08 10:00:01.000" P1 "||DUPONT^J", buffer, sizeof buffer),
                  NOW + 2, NULL);
    chart_commit(writer);
    chart_writer_close(writer);
    reader = chart_open();
    struct chart_aside *asides;
    struct chart_state state;
    size_t count;
    must(chart_asides(reader, &answers, UINT64_MAX, 10, &asides, &count, &fault), &fault);
    is_int(count, 2);
    is_int(asides[0].entry, 1);
    is_string(string_of(asides[0].reason), "it stopped the program twice");
    is_int(asides[1].entry, 0);
    ok(asides[1].reason.size > 0, "each says why");
    must(chart_state(reader, &state, &fault), &fault);
    is_int(state.applied, 3);
    is_int(state.aside_count, 2);
    is_int(state.patient_count, 1);
    is_int(state.newest_received_at, NOW + 2);
    shut();
}

static void test_large_value(void) {
    size_t size = 200000;
    char *body = malloc(size + 4096);
    struct text text;
    chart_new();
    text_init(&text, body, size + 4096);
    text_put(&text,
             message_of("LABO R01 09:30:00.000" P1 OBR("F1", "092500", "F"), body + size, 4096));
    text_put_string(&text, "OBX|1|TX|CR^Texte^L||");
    for (size_t i = 0; i < size / 2; i++)
        text_put_string(&text, "\xC3\xA9");
    text_put_string(&text, "||||||F\r");
    if (text.full)
        must(ERR_LIMIT, NULL);
    struct chart_writer *writer = chart_writer(false);
    chart_take_at(writer, 0, text_bytes(&text), NOW, NULL);
    chart_commit(writer);
    chart_writer_close(writer);
    free(body);
    struct chart_patient p = open_patient("4711");
    size_t count;
    struct chart_report *reports = reports_of(p.id, &count);
    struct bytes value = reports[0].results[0].value;
    ok(value.size > 60000 && value.size < 70000 && bytes_is_utf8(value, NULL),
       "cut between characters");
    is_string(string_of(bytes_skip(value, value.size - 5)), "[...]");
    shut();
}

int main(void) {
    arena_init(&answers, (size_t)16 << 20);
    test_values();
    test_equal_moment_of_one_source();
    test_disputes();
    test_doubtful_date();
    test_moves();
    test_cancels();
    test_census();
    test_census_counts_all();
    test_merges();
    test_identifiers_match_whole();
    test_results();
    test_allergies();
    test_allergy_of_a_new_source();
    test_documents();
    test_asides();
    test_large_value();
    chart_remove();
    arena_release(&answers);
    return done();
}
