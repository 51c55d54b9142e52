/* held_test.c - what must outlast its epoch: stated again, the chart says the same after the epoch is erased and all is made
 * anew; what must not stay is gone.
 *
 * By hand, rule by rule; then invented hospitals, some hundred messages each in random order of arrival, whose epochs are
 * erased one after the other. SEED repeats a run, RUNS says how many. */
#include "chart_site.h"

#include <time.h>

#define ENTRIES_MAX 4000u
#define BODY_MAX    2048u

/* ---- a vault without a vault: entries, some of which are erased ---- */

struct stored {
    char body[BODY_MAX];
    size_t size;
    int64_t received_at;
    bool is_erased, is_restated, is_note;
    uint64_t first_index;
    hlc_stamp clock, first_clock;
    unsigned parts;
};
static struct stored *entries;
static uint64_t entry_count;
static struct zone zone;
static struct arena arena;
static char dir[64];

static void path_of(const char *name, char path[128]) {
    snprintf(path, 128, "%s/%s.db", dir, name);
}

static void remove_chart(const char *name) {
    char path[128], file[160];
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    path_of(name, path);
    for (size_t i = 0; i < 4; i++) {
        snprintf(file, sizeof file, "%s%s", path, ends[i]);
        unlink(file);
    }
}

static void begin(void) {
    remove_chart("living");
    remove_chart("again");
    entry_count = 0;
}

static void add(struct bytes body) {
    struct stored *s = &entries[entry_count];
    assert(entry_count < ENTRIES_MAX && body.size <= BODY_MAX);
    *s = (struct stored){.size = body.size, .received_at = NOW};
    memcpy(s->body, body.data, body.size);
    s->clock = ((hlc_stamp)(NOW / US_PER_MS) << 16) + entry_count++;
}

static void add_line(const char *line) {
    char buffer[BODY_MAX];
    add(message_of(line, buffer, sizeof buffer));
}

/* Into the chart what it lacks; of erased entries nothing. */
static void bring_up(const char *name) {
    char path[128];
    struct chart_writer *writer;
    struct fault fault = {0};
    struct chart_options options = {0};
    path_of(name, path);
    must(chart_writer_open(&writer, path, &options, &fault), &fault);
    for (uint64_t i = chart_writer_applied(writer); i < entry_count; i++) {
        const struct stored *s = &entries[i];
        struct vault_entry entry = {
            .kind = s->is_note ? VAULT_NOTE : VAULT_MESSAGE,
            .media_type =
                bytes_from_string(s->is_note ? CHART_LET_GO_MEDIA_TYPE : "application/hl7-v2"),
            .source = BYTES("mllp/test"),
            .clock = s->clock,
            .received_at = s->received_at,
            .body = bytes_from(s->body, s->size),
            .body_bytes = s->size,
            .is_restated = s->is_restated,
            .restated_index = s->first_index,
            .restated_clock = s->first_clock,
            .restated_parts = s->parts,
        };
        if (s->is_erased)
            vault_entry_erased(&entry);
        must(chart_writer_take(writer, i, &entry, NULL, &fault), &fault);
    }
    must(chart_writer_commit(writer, &fault), &fault);
    chart_writer_close(writer);
}

static struct chart_reader *open_chart(const char *name) {
    char path[128];
    struct chart_reader *opened;
    struct fault fault = {0};
    path_of(name, path);
    must(chart_reader_open(&opened, path, &fault), &fault);
    must(chart_reader_begin(opened, &fault), &fault);
    return opened;
}

static void lasting(const char *name, char hex[65]) {
    struct fault fault = {0};
    struct chart_reader *opened = open_chart(name);
    must(chart_digest_lasting(opened, hex, &fault), &fault);
    chart_shut(opened);
}

static bool has_older(uint64_t from) {
    for (uint64_t i = 0; i < from; i++)
        if (!entries[i].is_erased)
            return true;
    return false;
}

/* What [from, to) holds, by that chart; lives until the next call. */
static struct chart_held held_by(const char *name, uint64_t from, uint64_t to) {
    static uint8_t parts[ENTRIES_MAX];
    struct chart_held held = {.span = {from, to}, .is_oldest = !has_older(from), .parts = parts};
    struct fault fault = {0};
    struct chart_reader *opened = open_chart(name);
    for (uint64_t i = from; i < to; i++)
        if (!entries[i].is_restated)
            held.until = entries[i].clock;
    arena_clear(&arena);
    must(chart_held(opened, &arena, &held, &fault), &fault);
    chart_shut(opened);
    return held;
}

static bool nothing_is_held(const char *name, uint64_t from, uint64_t to) {
    struct chart_held held = held_by(name, from, to);
    return held.count == 0 && held.let_go_count == 0;
}

static void let_go(const struct chart_held *held) {
    char body[BODY_MAX];
    struct text text;
    text_init(&text, body, sizeof body);
    for (size_t i = 0; i < held->let_go_count; i++)
        chart_let_go_put(&text, &held->let_go[i]);
    assert(!text.full);
    add(text_bytes(&text));
    entries[entry_count - 1].is_note = true;
}

static void state_again(uint64_t i, unsigned parts) {
    struct stored *s = &entries[i], *again = &entries[entry_count];
    struct facts_context context = {.received_at = s->received_at, .zone = &zone, .otherwise = HL7_LATIN9};
    struct bytes excerpt = bytes_from(s->body, s->size);
    if (!s->is_note)
        must(facts_excerpt(excerpt, parts, &context, &arena, &excerpt), NULL);
    add(excerpt);
    again->is_note = s->is_note;
    again->received_at = s->received_at;
    again->is_restated = true;
    again->first_index = s->is_restated ? s->first_index : i;
    again->first_clock = s->is_restated ? s->first_clock : s->clock;
    again->parts = parts;
}

/* State again what [from, to) holds, let go what ended; gives how many entries were stated again. */
static uint64_t restate(const char *name, uint64_t from, uint64_t to) {
    struct chart_held held = held_by(name, from, to);
    uint64_t done = 0;
    for (uint64_t i = from; i < to; i++)
        if (held.parts[i - from]) {
            state_again(i, held.parts[i - from]);
            done++;
        }
    if (held.let_go_count)
        let_go(&held);
    if (done != held.count)
        must(ERR_CORRUPT, NULL);
    return done;
}

static void erase(uint64_t from, uint64_t to) {
    for (uint64_t i = from; i < to; i++)
        entries[i].is_erased = true;
}

/* The chart as it is made from what is left. */
static void rebuild(void) {
    remove_chart("again");
    bring_up("again");
}

/* One epoch goes: stated again, erased, made anew. Gives how many entries were stated again. */
static uint64_t drop(uint64_t from, uint64_t to) {
    char before[65], after[65];
    bring_up("living");
    lasting("living", before);
    uint64_t count = restate("living", from, to);
    bring_up("living");
    ok(nothing_is_held("living", from, to), "then nothing is held any more");
    erase(from, to);
    rebuild();
    lasting("again", after);
    is_string(after, before);
    lasting("living", after);
    is_string(after, before);
    return count;
}

/* ---- by hand ---- */

#define P1              "\nPID|1||4711^^^CHV^PI"
#define P2              "\nPID|1||4712^^^CHV^PI"
#define V(place, visit) "\nPV1|1|I|" place "||||||||||||||||" visit "^^^CHV^VN"
#define RESULT                                                                                     \
    "\nOBR|1||F1|K^Potassium^L|||20261123084000+0100\nOBX|1|NM|K^Potassium^L||5.1|mmol/L|||||F"

static struct chart_reader *reader;

static struct chart_patient again_patient(const char *number) {
    reader = open_chart("again");
    return patient_of(reader, number);
}

static void shut(void) {
    chart_shut(reader);
    arena_clear(&answers);
}

static size_t stay_count(uint64_t id, size_t *present) {
    struct chart_stay *stays;
    size_t count;
    must(chart_stays(reader, &answers, id, &stays, &count, NULL), NULL);
    *present = 0;
    for (size_t i = 0; i < count; i++)
        *present += stays[i].is_present;
    return count;
}

static size_t report_count(uint64_t id) {
    struct chart_report *reports;
    size_t count;
    must(chart_results(reader, &answers, id, INSTANT_NONE, SIZE_MAX, &reports, &count, NULL), NULL);
    return count;
}

static void test_known_from_results_alone(void) {
    begin();
    add_line("LABO R01 09:00:00.000" P1 "~77^^^CLIN^MR||DUPONT^Jeanne||19450714|F" RESULT);
    add_line("LABO R01 09:00:01.000" P2 RESULT);
    is_int(drop(0, 2), 2);
    struct chart_patient p = again_patient("4711");
    is_string(string_of(p.family_name), "DUPONT");
    is_int(p.other_count, 1);
    is_int(report_count(p.id), 0);
    ok(!memmem(entries[2].body, entries[2].size, "OBX", 3), "the results are in no entry either");
    p = patient_of(reader, "4712");
    is_int(report_count(p.id), 0);
    shut();
    is_int(drop(2, 4), 2); /* and again, when that epoch goes */
    ok(entries[4].first_index == 0 && entries[5].first_index == 1 &&
           entries[4].first_clock == entries[0].clock,
       "what is stated a third time names who said it first");
}

static void test_allergies(void) {
    begin();
    add_line("GAM A08 09:00:00.000" P1
             "||DUPONT^Jeanne\nAL1|1|DA|LATEX^Latex^L\nAL1|2|DA|AMOX^Amoxicilline^L");
    add_line("DPI A60 10:00:00.000" P1
             "\nIAM|1|DA|LATEX^Latex^L|||D"); /* of another source: hides nothing */
    add_line("GAM A60 11:00:00.000" P1 "\nIAM|1|DA|LATEX^Latex^L|||D");
    add_line("DPI A08 12:00:00.000" P2 "||MARTIN^Paul\nAL1|1|DA|716184000^No known allergy^SCT");
    is_int(drop(0, 2), 2);
    is_int(drop(2, 4), 2);
    struct chart_patient p = again_patient("4711");
    is_int(p.allergy_count, 1);
    is_string(string_of(p.allergies[0].text), "Amoxicilline");
    is_int(patient_of(reader, "4712").allergy_statement, ALLERGIES_NONE_KNOWN);
    shut();
}

static void test_merges(void) {
    begin();
    add_line("GAM A28 08:00:00.000" P1 "||DUPONT^Jeanne");
    add_line("GAM A28 08:00:01.000" P2 "||DUPONT^J.");
    add_line("GAM A40 09:00:00.000" P1 "\nMRG|4712^^^CHV^PI");
    add_line("GAM A40 09:00:01.000" P1 "\nMRG|4799^^^CHV^PI");
    add_line("GAM A37 10:00:00.000" P1 "\nPID|1||4799^^^CHV^PI");
    drop(0, 5);
    struct chart_patient p = again_patient("4712");
    is_string(string_of(p.main.number), "4711");
    is_int(p.merged_count, 1);
    ok(patient_of(reader, "4799").id != p.id, "a link taken away stays away");
    shut();
}

static void test_stays(void) {
    size_t present;
    begin();
    add_line("GAM A01 08:00:00.000" P1
             "||DUPONT^Jeanne" V("CARD^1^A^CHV", "S1") "\nDG1|1||I10^Hypertension^I10");
    add_line("GAM A02 09:00:00.000" P1 V("CHIR^2^B^CHV", "S1"));
    add_line("GAM A02 10:00:00.000" P1 V("REA^3^C^CHV", "S1"));
    add_line("GAM A12 10:10:00.000" P1 V("CHIR^2^B^CHV", "S1"));
    add_line("GAM A01 08:00:01.000" P2
             "||MARTIN^Paul" V("MED^4^D^CHV", "S2") "\nDG1|1||J45^Asthme^I10");
    add_line("GAM A03 12:00:00.000" P2 V("MED^4^D^CHV", "S2"));
    drop(0, 6);
    struct chart_patient p = again_patient("4711");
    struct chart_movement *moves;
    struct chart_diagnosis *diagnoses;
    size_t count;
    is_int(stay_count(p.id, &present), 1);
    is_int(present, 1);
    must(chart_moves(reader, &answers, p.id, &moves, &count, NULL), NULL);
    is_int(count, 3);
    must(chart_diagnoses(reader, &answers, p.id, &diagnoses, &count, NULL), NULL);
    is_int(count, 1);
    p = patient_of(reader, "4712");
    is_int(stay_count(p.id, &present), 0);
    must(chart_diagnoses(reader, &answers, p.id, &diagnoses, &count, NULL), NULL);
    is_int(count, 0);
    is_string(string_of(p.family_name), "MARTIN");
    shut();
}

/* The discharge came before the admission did: who left must not be there again, whatever goes first. */
static void test_discharge_in_an_older_epoch(void) {
    size_t present;
    begin();
    add_line("GAM A03 12:00:00.000" P1 "||DUPONT^Jeanne" V("CARD^1^A^CHV", "S1"));
    add_line("GAM A01 08:00:00.000" P1 V("CARD^1^A^CHV", "S1"));
    bring_up("living");
    is_int(held_by("living", 0, 1).parts[0], FACTS_PATIENT | FACTS_STAY);
    is_int(drop(0, 1), 1);
    struct chart_patient p = again_patient("4711");
    is_int(stay_count(p.id, &present), 1);
    is_int(present, 0);
    shut();
    bring_up("living");
    is_int(held_by("living", 1, 2).let_go_count, 1);
    is_int(drop(1, 2), 0); /* the newest that was said of it goes: all of it does */
    p = again_patient("4711");
    is_int(stay_count(p.id, &present), 0);
    shut();
    is_int(drop(2, 4), 1); /* who it was stays */
}

/* A stay of two epochs is whole until the second goes. A result of later that says where the patient was begins nothing. */
static void test_stays_go_whole(void) {
    size_t present;
    begin();
    add_line("GAM A01 08:00:00.000" P1 "||DUPONT^Jeanne" V("CARD^1^A^CHV", "S1"));
    add_line("GAM A03 12:00:00.000" P1 V("CARD^1^A^CHV", "S1"));
    is_int(drop(0, 1), 1);
    struct chart_patient p = again_patient("4711");
    struct chart_stay *stays;
    size_t count;
    must(chart_stays(reader, &answers, p.id, &stays, &count, NULL), NULL);
    is_int(count, 1);
    ok(stays[0].admitted_at != INSTANT_NONE && stays[0].discharged_at != INSTANT_NONE,
       "with both its ends");
    shut();
    drop(1, 2);
    add_line("LABO R01 13:00:00.000" P1 V("CARD^1^A^CHV", "S1") RESULT);
    bring_up("living");
    rebuild();
    p = again_patient("4711");
    stay_count(p.id, &present);
    is_int(present, 0);
    is_int(report_count(p.id), 1);
    shut();
    add_line("GAM A01 14:00:00.000" P1 V("CHIR^2^B^CHV", "S1")); /* a number that is used again */
    rebuild();
    p = again_patient("4711");
    stay_count(p.id, &present);
    is_int(present, 1);
    shut();
}

/* An epoch erased out of turn: what is older and still there must not bring an ended stay back. */
static void test_out_of_turn(void) {
    size_t present;
    begin();
    add_line("GAM A01 08:00:00.000" P1 "||DUPONT^Jeanne" V("CARD^1^A^CHV", "S1"));
    add_line("GAM A03 12:00:00.000" P1 V("CARD^1^A^CHV", "S1"));
    is_int(drop(1, 2), 0);
    struct chart_patient p = again_patient("4711");
    is_int(stay_count(p.id, &present), 0);
    shut();
    is_int(drop(2, 3), 1); /* the entry that lets it go is stated again, because entry 0 is left */
    p = again_patient("4711");
    is_int(stay_count(p.id, &present), 0);
    shut();
    is_int(drop(0, 1), 1);
    is_int(drop(3, 4), 0); /* now not any more */
}

/* ---- invented hospitals ---- */

static uint64_t state;
static uint32_t below(uint32_t limit) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % limit);
}

static const char *one_of(const char *const *list, uint32_t count) {
    return list[below(count)];
}
#define ONE_OF(...)                                                                                \
    one_of((const char *const[]){__VA_ARGS__},                                                     \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void put_pid(struct text *text, unsigned patient) {
    text_put_format(text, "\nPID|1||47%02u^^^CHV^PI%s||%s^%s||%s|%s|||%s||%s", patient,
                    ONE_OF("", "", "~9^^^CLIN^MR", "~\"\"", "~8^^^CLIN2^XX"),
                    ONE_OF("", "DUPONT", "DUPOND", "MARTIN"), ONE_OF("", "Jeanne", "Paul"),
                    ONE_OF("", "", "19450714", "19500101"), ONE_OF("", "F", "M"),
                    ONE_OF("", "", "1 rue^^DAX", "\"\""), ONE_OF("", "", "0501", "0502", "\"\""));
}

/* How a hospital is. In a wild one numbers of stays that were let go come back, and many messages name no stay; else a number
 * is used for a while and then never again, as in life. */
struct world {
    bool is_living, is_in_turn, is_wild;
    unsigned turn;
};

static void put_pv1(struct text *text, const struct world *world, unsigned patient) {
    text_put_format(text, "\nPV1|1|%s|%s||||%s||||||||||||", ONE_OF("I", "I", "I", "E", "O", ""),
                    ONE_OF("CARD^1^A^CHV", "CHIR^2^B^CHV", "REA^3^C^CHV", ""),
                    ONE_OF("", "MED1^Nom"));
    if (!world->is_wild)
        text_put_format(text, "S%u^^^CHV^VN", patient * 3 + below(3) + world->turn / 2 * 18);
    else if (below(6))
        text_put_format(text, "S%u^^^CHV^VN", patient * 3 + below(2 + (below(20) == 0) * 6));
    if (below(8) == 0)
        text_put_format(text, "|||||||||||||||||||||||||%s|%s", ONE_OF("", "20261120080000"),
                        ONE_OF("", "", "20261121080000", "\"\""));
}

static void put_rest(struct text *text, const struct world *world, unsigned patient,
                     const char *event) {
    if (!strcmp(event, "A40"))
        text_put_format(text, "\nMRG|47%02u^^^CHV^PI", below(6));
    if (!strcmp(event, "A24") || !strcmp(event, "A37"))
        text_put_format(text, "\nPID|1||47%02u^^^CHV^PI", below(6));
    if (below(5) == 0)
        text_put_format(
            text, "\nAL1|1|DA|%s",
            ONE_OF("LATEX^Latex^L", "AMOX^Amoxicilline^L", "716184000^No known allergy^SCT"));
    if (!strcmp(event, "A60"))
        text_put_format(text, "\nIAM|1|DA|%s|||%s", ONE_OF("LATEX^Latex^L", "AMOX^Amoxicilline^L"),
                        ONE_OF("A", "U", "D"));
    if (!world->is_living && below(6) == 0)
        text_put_format(text, "\nDG1|1||%s", ONE_OF("I10^Hypertension^I10", "J45^Asthme^I10"));
    if (event[0] == 'A' && below(4) == 0)
        text_put_format(text, "\nZBE|M%u|2026112%u%02u0000|||%s", patient * 4 + below(4), below(3),
                        below(24), ONE_OF("INSERT", "INSERT", "UPDATE", "CANCEL"));
    if (!strcmp(event, "R01"))
        text_put_format(text,
                        "\nOBR|1||F%u|K^Potassium^L|||20261123084000+0100\nOBX|1|NM|K^Potassium^L||"
                        "%u|mmol/L|||||%s",
                        below(5), below(9), ONE_OF("P", "F", "C"));
    if (event[0] == 'T')
        text_put_format(text, "\nTXA|1|CR|TX||||||||||D%u\nOBX|1|TX|D||texte||||||F", below(5));
}

/* Said at any time of three days, so that arrival says nothing about order; sometimes at the same moment as another. */
static void invent(const struct world *world) {
    static const char *const events[] = {
        "A01", "A01", "A02", "A02", "A03", "A03", "A04", "A05", "A06", "A08", "A08", "A11", "A12",
        "A13", "A13", "A24", "A28", "A31", "A37", "A40", "A60", "R01", "R01", "R01", "T02"};
    char line[BODY_MAX];
    struct text text;
    unsigned patient = below(6);
    const char *event = one_of(events, sizeof events / sizeof events[0]);
    text_init(&text, line, sizeof line);
    text_put_format(&text, "%s %s 2026112%uT%02u:%02u:%02u.%03u",
                    ONE_OF("GAM", "GAM", "DPI", "LABO"), event, below(3), below(24), below(2) * 30,
                    below(2) * 30, below(2) * 500);
    put_pid(&text, patient);
    if (!world->is_wild || below(3))
        put_pv1(&text, world, patient);
    put_rest(&text, world, patient, event);
    assert(!text.full);
    add_line(line);
}

/* The oldest of several epochs goes each time, or now and then one out of turn, while new ones come; at the end they go
 * almost without new ones. Asked is the chart as it is made anew before each, or one that lives through it all (without
 * diagnoses, which it remembers of patients who had left when they went). */
static void run_hospital(uint64_t seed, uint64_t *restated, uint64_t *differing,
                         uint64_t *left_over) {
    struct vault_span epochs[32];
    size_t epoch_count = 0;
    char before[65], after[65];
    state = seed;
    begin();
    struct world world = {.is_living = below(3) == 0, .is_in_turn = below(3) != 0};
    world.is_wild = world.is_in_turn && !world.is_living;
    const char *name = world.is_living ? "living" : "again";
    for (; world.turn < 24; world.turn++) {
        epochs[epoch_count].from = entry_count;
        for (unsigned n = world.turn < 16 ? 5 + below(15) : 1; n > 0; n--)
            invent(&world);
        epochs[epoch_count++].to = entry_count;
        if (world.turn < 6)
            continue;
        if (world.is_living)
            bring_up(name);
        else
            rebuild();
        lasting(name, before);
        size_t which = world.is_in_turn || below(5) ? 0 : below(4);
        struct vault_span span = epochs[which];
        epoch_count--;
        memmove(epochs + which, epochs + which + 1, (epoch_count - which) * sizeof *epochs);
        *restated += restate(name, span.from, span.to);
        epochs[epoch_count - 1].to = entry_count; /* stated again in the newest */
        bring_up(name);
        *left_over += !nothing_is_held(name, span.from, span.to);
        erase(span.from, span.to);
        rebuild();
        lasting("again", after);
        if (strcmp(before, after)) {
            ++*differing;
            printf("# SEED=%" PRIu64 ": turn %u differs\n", seed, world.turn);
        }
    }
}

static void test_hospitals(void) {
    const char *given = getenv("SEED"), *often = getenv("RUNS");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    unsigned runs = often ? (unsigned)strtoul(often, NULL, 0) : given ? 1 : 30;
    uint64_t restated = 0, differing = 0, left_over = 0;
    printf("# SEED=%" PRIu64 "\n", seed);
    for (unsigned i = 0; i < runs; i++)
        run_hospital(seed + i, &restated, &differing, &left_over);
    printf("# %u hospitals, %" PRIu64 " entries stated again\n", runs, restated);
    is_int(differing, 0);
    is_int(left_over, 0);
    ok(restated > runs, "much had to stay");
}

/* The note's body of docs/format/vault.md. */
static void test_let_go_of_the_page(void) {
    static const char hex[] = "0003484f500002564e000231370003484f5000025049000434373131";
    const struct chart_let_go stay = {{BYTES("HOP"), BYTES("VN"), BYTES("17")},
                                      {BYTES("HOP"), BYTES("PI"), BYTES("4711")}};
    uint8_t wanted[(sizeof hex - 1) / 2];
    char buffer[64];
    struct text body;
    text_init(&body, buffer, sizeof buffer);
    chart_let_go_put(&body, &stay);
    ok(hex_decode(bytes_from_string(hex), wanted, sizeof wanted), "hexadecimal");
    ok(bytes_equal(text_bytes(&body), bytes_from(wanted, sizeof wanted)), "byte for byte");
}

int main(void) {
    entries = calloc(ENTRIES_MAX, sizeof *entries);
    snprintf(dir, sizeof dir, "%s/veilleuse-held-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    char *made = mkdtemp(dir);
    assert(made);
    arena_init(&arena, (size_t)16 << 20);
    arena_init(&answers, (size_t)16 << 20);
    ok(!zone_init(&zone, "Europe/Paris", NULL), "the zone is known");
    test_known_from_results_alone();
    test_allergies();
    test_merges();
    test_stays();
    test_discharge_in_an_older_epoch();
    test_stays_go_whole();
    test_out_of_turn();
    test_hospitals();
    test_let_go_of_the_page();
    remove_chart("living");
    remove_chart("again");
    rmdir(dir);
    arena_release(&arena);
    arena_release(&answers);
    free(entries);
    return done();
}
