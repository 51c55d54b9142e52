/* facts_test.c - what holds of every translation: memory that ends early, messages as large as they come, names of things,
 * and the light look that feeds take. */
#include "dump.h"
#include "tap.h"

#define RECEIVED_AT (1795446000 * US_PER_S)

static struct zone zone;
static char dumped[1 << 16];

static enum err translate(struct bytes body, struct arena *arena, struct facts *facts) {
    struct facts_context context = {
        .received_at = RECEIVED_AT, .zone = &zone, .otherwise = HL7_LATIN9};
    return facts_from_hl7(body, &context, arena, facts);
}

static const char message[] =
    "MSH|^~\\&|DPI|CHU|V|V|20261123100000||ORU^R01|1|P|2.5\r"
    "PID|1||4711^^^chu^pi~8^^^LABO^xx||MARTIN\\T\\CO^ANNE^MARIE||19800502|f|||1 "
    "rue^^DAX||^PRN^PH^^33^5^58\r"
    "PV1|1|I|CARDIO^101^A||||C7^WOOLFSON^K|||CAR\r"
    "AL1|1|DA|AMOX|SV|Rash~Choc|20200101\r"
    "OBR|1|P|F|X|||20261123083000\rNTE|1||un\rNTE|2||deux\r"
    "OBX|1|FT|A||un~deux||||||F\rOBX|2|FT|A||trois||||||F\rNTE|1||note\rNTE|1||encore\r"
    "OBX|3|TS|B||202611231405||||||F\rOBX|4|ED|C||^AP^PDF^Base64^AAAA||||||F\r";

static void test_memory_that_ends(void) {
    struct facts facts;
    unsigned limit_count = 0, other_count = 0;
    enum err err = ERR_LIMIT;
    for (size_t bytes_max = 0; err == ERR_LIMIT && bytes_max < (1 << 20); bytes_max += 16) {
        struct arena arena;
        arena_init(&arena, bytes_max);
        err = translate(bytes_from_string(message), &arena, &facts);
        limit_count += err == ERR_LIMIT;
        other_count += err != ERR_OK && err != ERR_LIMIT;
        arena_release(&arena);
    }
    is_int(err, ERR_OK);
    is_int(other_count, 0);
    ok(limit_count > 10, "an arena that ends anywhere gives ERR_LIMIT");
}

/* The same message is the same facts, whatever the arena held before. */
static void test_reused_arena(void) {
    struct arena arena;
    struct facts facts;
    struct text out;
    static char first[sizeof dumped];
    arena_init(&arena, (size_t)1 << 20);
    for (int i = 0; i < 2; i++) {
        arena_clear(&arena);
        enum err err = translate(bytes_from_string(message), &arena, &facts);
        text_init(&out, i ? dumped : first, sizeof dumped);
        dump_facts(&out, &facts, bytes_from_string(message));
        is_int(err, ERR_OK);
    }
    is_string(dumped, first);
    arena_release(&arena);
}

static void put_times(struct text *out, const char *string, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        text_put_string(out, string);
}

/* Work grows with the size: these would take hours if it grew with its square. */
static void test_large_of(const char *type, const char *what, const char *begin, const char *part,
                          const char *end, unsigned count) {
    size_t room = strlen(begin) + strlen(part) * count + strlen(end) + 200;
    char *buffer = malloc(room);
    struct arena arena;
    struct facts facts;
    struct text body;
    arena_init(&arena, (size_t)1 << 30);
    text_init(&body, buffer, room);
    text_put_format(&body, "MSH|^~\\&|A|B|||20261123100000||%s|1|P|2.5\r", type);
    text_put_string(&body, begin);
    put_times(&body, part, count);
    text_put_string(&body, end);
    enum err err = translate(text_bytes(&body), &arena, &facts);
    tap_ok(err == ERR_OK && !body.full, "translated", __FILE__, __LINE__, what);
    ok(arena.bytes_used < 100 * room + (1 << 20), "memory grows with the size");
    arena_release(&arena);
    free(buffer);
}

static void test_large(const char *what, const char *begin, const char *part, const char *end,
                       unsigned count) {
    test_large_of("ORU^R01", what, begin, part, end, count);
}

static void test_sizes_of_orders(void) {
    const char *order = "PID|1||4711\rORC|NW|P1\r";
    test_large_of("OMP^O09", "100,000 ORC", order, "ORC|NW|P2|F2\rRXO|A^Aspirine|1||g\r", "",
                  100000);
    test_large_of("OMP^O09", "100,000 times", order, "TQ1|1||BID\r", "", 100000);
    test_large_of("OMP^O09", "100,000 components", order, "RXC|A|KCL|1|g\r", "", 100000);
    test_large_of("OMP^O09", "100,000 routes", order, "RXR|PO^Orale\r", "", 100000);
    test_large_of("OMD^O03", "100,000 diets", order, "ODS|D||A^Aliment|texte\r", "", 100000);
    test_large_of("OML^O21", "100,000 specimens", order, "SPM|1|||SANG\r", "", 100000);
    test_large_of("OMP^O09", "a million times of day", "PID|1||4711\rORC|NW|P1|||||1^BID&", "0800,",
                  "\r", 1000000);
    test_large_of("RDE^O11", "a million repetitions of a timing", "PID|1||4711\rRXE|1^BID",
                  "~1^BID", "|A^Aspirine\r", 1000000);
    test_large_of("RAS^O17", "50,000 administrations and as many routes", order,
                  "RXA|0|1|20261123080000||A^Aspirine\rRXR|PO\r", "", 50000);
    test_large_of("RAS^O17", "50,000 routes of 2 administrations",
                  "PID|1||4711\rORC|RE|P1\rRXA|0|1|||A\rRXA|0|2|||A\r", "RXR|PO\r", "", 50000);
    test_large_of("SIU^S12", "100,000 services", "SCH|A1\rPID|1||4711\r", "AIS|1|A|RX^Radio\r", "",
                  100000);
    test_large_of("SIU^S12", "100,000 people", "SCH|A1\rPID|1||4711\r", "AIP|1|A|7^PETIT^LUC\r", "",
                  100000);
    test_large_of("SIU^S12", "100,000 patients", "SCH|A1\rPID|1||4711\r", "PID|1||5011\r", "",
                  100000);
    test_large_of("ADT^A45", "100,000 stays", "PID|1||4711\r", "MRG|1||||S1\rPV1|1|I\r", "",
                  100000);
    test_large_of("PPR^PC1", "100,000 problems", "PID|1||4711\r", "PRB|AD||R05^Toux|PB4\r", "",
                  100000);
}

/* An entry gives the facts of each patient of its message. */
static void test_entry(void) {
    static const char swap[] =
        "MSH|^~\\&|A|B|||20261123100000||ADT^A17|1|P|2.5\rPID|1||4711\rPV1|1|I|REA^1\rPID|2||5011\r"
        "PV1|1|I|REA^2\r";
    struct facts_context context = {
        .received_at = RECEIVED_AT, .zone = &zone, .otherwise = HL7_LATIN9};
    struct facts_batch batch;
    struct arena arena;
    arena_init(&arena, (size_t)1 << 20);
    is_int(facts_from_entry(BYTES("application/hl7-v2"), bytes_from_string(swap), &context, &arena,
                            &batch),
           ERR_OK);
    is_int(batch.count, 2);
    ok(bytes_is(batch.list[0].subject.number, "4711") &&
           bytes_is(batch.list[1].subject.number, "5011"),
       "in the order they stand in");
    is_int(batch.list[1].count, 2);
    arena_release(&arena);
}

static void test_sizes(void) {
    const char *pid = "PID|1||4711^^^CHU^PI\rOBR|1|P|F|X\r";
    test_large("a text of 200,000 lines", pid, "OBX|1|TX|A||une ligne||||||F\r", "", 200000);
    test_large("a value of a million repetitions", "PID|1||4711\rOBR|1\rOBX|1|ST|A||", "a~", "\r",
               1000000);
    test_large("a note of a million repetitions", "PID|1||4711\rOBR|1\rOBX|1|ST|A||b\rNTE|1||",
               "a~", "\r", 1000000);
    test_large("50,000 results", pid, "OBX|1|NM|A||1||||||F\r", "", 50000);
    test_large("100,000 orders", pid, "OBR|1|P|F|X\r", "", 100000);
    test_large("a million numbers", "PID|1||4711", "~1", "\r", 1000000);
    test_large("a million names", "PID|1||4711||A^B", "~A^B", "\r", 1000000);
    test_large("a million addresses", "PID|1||4711||||||||", "~", "\r", 1000000);
    test_large("a million phones and flags", "PID|1||4711||||||||||", "~^NET",
               "\rOBX|1|NM|A||1|||~~\r", 1000000);
    test_large("100,000 patients", pid, "PID|1||5011\r", "", 100000);
    test_large("an attachment of 8 MB", "PID|1||4711\rOBR|1\rOBX|1|ED|A||^AP^PDF^Base64^", "AAAA",
               "\r", 2000000);
}

static bool understands(const char *type) {
    struct hl7_header header;
    struct text text;
    char buffer[200];
    text_init(&text, buffer, sizeof buffer);
    text_put_format(&text, "MSH|^~\\&|A|B|C|D|20261123||%s|1|P|2.5\r", type);
    hl7_header_read(&header, text_bytes(&text));
    return facts_understands(&header);
}

static void test_understands(void) {
    static const char *const yes[] = {"ADT^A01", "ADT^A31^ADT_A05", "ADT^A40", "ADT",     "ORU^R01",
                                      "ORU^R30", "OUL^R22",         "MDM^T02", "MDM^T11", "ADT^A15",
                                      "ADT^A17", "ADT^A45",         "ORM^O01", "OMP^O09", "RAS^O17",
                                      "VXU^V04", "SIU^S12",         "SRM^S01", "PPR^PC1"};
    static const char *const no[] = {"ADT^A23", "ADT^A29", "ADT^Z01", "ORR^O02", "BAR^P01",
                                     "ACK",     "QBP^Q22", "MFN^M02", "ZZZ^Z01", ""};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        tap_ok(understands(yes[i]), "understood", __FILE__, __LINE__, yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        tap_ok(!understands(no[i]), "not understood", __FILE__, __LINE__,
               *no[i] ? no[i] : "no type");
    struct hl7_header none;
    hl7_header_read(&none, BYTES("nothing"));
    ok(!facts_understands(&none), "without MSH nothing is understood");
}

static void test_names(void) {
    is_string(facts_result_status_name(RESULT_UNKNOWN), "unknown");
    is_string(facts_result_status_name(RESULT_FINAL), "final");
    is_string(facts_result_status_name(RESULT_CANCELLED), "cancelled");
    is_string(facts_result_status_name((enum result_status)99), "unknown");
    is_string(facts_movement_class_name(MOVEMENT_ADMIT), "admit");
    is_string(facts_movement_class_name(MOVEMENT_TO_OUTPATIENT), "to_outpatient");
    is_string(facts_movement_class_name((enum movement_class)99), "unknown");
}

/* Thinned with room for everything a message is read as ever; with less, what is cut says so, and sizes are of the whole. */
static void test_thinned(void) {
    static uint8_t room[4096];
    struct facts_context context = {
        .received_at = RECEIVED_AT, .zone = &zone, .otherwise = HL7_LATIN9};
    struct hl7_thin thin;
    struct facts facts;
    struct text out;
    struct arena arena;
    static char whole[sizeof dumped];
    struct bytes in = bytes_from_string(message);
    arena_init(&arena, (size_t)1 << 20);
    is_int(translate(in, &arena, &facts), ERR_OK);
    text_init(&out, whole, sizeof whole);
    dump_facts(&out, &facts, in);
    hl7_thin_init(&thin, room, sizeof room, 64);
    ok(hl7_thin_feed(&thin, in) && thin.cut_count == 0);
    is_int(facts_from_thinned_hl7(&thin, 17, &context, &arena, &facts), ERR_OK);
    text_init(&out, dumped, sizeof dumped);
    dump_facts(&out, &facts, hl7_thin_bytes(&thin));
    is_string(dumped, whole);

    hl7_thin_init(&thin, room, sizeof room, 32);
    ok(hl7_thin_feed(
        &thin,
        BYTES("MSH|^~\\&|DPI|CHU|V|V|20261123100000||MDM^T02|1|P|2.5\rPID|1||4711^^^chu^pi||M^A\r"
              "TXA|1|CR|||20261123||||||D1\r"
              "OBX|1|TX|A||0123456789 123456789 123456789 1\xC3\xA9tail||||||F\r"
              "OBX|2|ED|B||^application^pdf^Base64^AAAABBBBCCCC||||||F\r"
              "OBX|3|ED|B||^application^pdf^Hex^001122334455667788||||||F\r"
              "NTE|1||the end\r")));
    is_int(facts_from_thinned_hl7(&thin, 17, &context, &arena, &facts), ERR_OK);
    const struct fact_document *document = NULL;
    for (size_t i = 0; i < facts.count; i++)
        if (facts.list[i].kind == FACT_DOCUMENT)
            document = &facts.list[i].document;
    if (ok(document && !facts.aside)) {
        ok(bytes_is(document->text, "0123456789 123456789 123456789 1\xE2\x80\xA6 [6 bytes more in "
                                    "entry 17]\nthe end"),
           "the text says that it goes on");
        is_int(document->encapsulated_bytes, 9 + 9);
    }
    hl7_thin_init(&thin, room, 200, 32);
    ok(!hl7_thin_feed(&thin, in));
    is_int(facts_from_thinned_hl7(&thin, 17, &context, &arena, &facts), ERR_OK);
    ok(facts.aside && strstr(facts.aside, "only its beginning"), "what was not read is said");
    ok(facts.count > 0, "and what was read stands");
    arena_release(&arena);
}

int main(void) {
    ok(!zone_init(&zone, "Europe/Paris", NULL), "the zone is known");
    test_memory_that_ends();
    test_reused_arena();
    test_sizes();
    test_sizes_of_orders();
    test_entry();
    test_understands();
    test_names();
    test_thinned();
    return done();
}
