/* simulate_test.c - the synthetic hospital is repeatable, understood without remainder, and
 * believable. */
#include "facts/facts.h"
#include "simulate/simulate.h"
#include "tap.h"

#include <assert.h>

#define START INT64_C(1767589200000000) /* 2026-01-05T05:00:00Z */
#define DAY   (24 * INT64_C(3600) * US_PER_S)

static struct simulator *open_hospital(unsigned beds, uint64_t seed) {
    struct simulator *simulator;
    struct simulator_options options = {.bed_count = beds, .seed = seed, .start_at = START};
    struct fault fault = {0};
    assert(!simulator_open(&simulator, &options, &fault));
    return simulator;
}

static bool next(struct simulator *simulator, struct bytes *message, int64_t *at) {
    struct fault fault = {0};
    return simulator_next(simulator, message, at, &fault) == ERR_OK;
}

static void repeatable(void) {
    struct simulator *a = open_hospital(50, 7), *b = open_hospital(50, 7),
                     *c = open_hospital(50, 8);
    bool same = true, differs = false;
    for (int i = 0; i < 5000; i++) {
        struct bytes x, y, z;
        int64_t x_at, y_at, z_at;
        same &= next(a, &x, &x_at) && next(b, &y, &y_at) && x_at == y_at && bytes_equal(x, y);
        differs |= next(c, &z, &z_at) && !bytes_equal(x, z);
    }
    ok(same, "the same seed gives the same bytes");
    ok(differs, "another seed gives others");
    simulator_close(a);
    simulator_close(b);
    simulator_close(c);
}

static void small_hospitals(void) {
    bool good = true;
    for (unsigned beds = 1; beds < 40; beds++) {
        struct simulator *simulator = open_hospital(beds, beds);
        struct bytes message;
        int64_t at;
        for (int i = 0; i < 300; i++)
            good &= next(simulator, &message, &at);
        simulator_close(simulator);
    }
    ok(good, "hospitals of 1 to 39 beds go on");
}

/* ---- one large run, looked at from all sides ---- */

struct seen {
    uint64_t messages, bytes, asides, warnings, mismatches, observations, abnormal, wrong_flags;
    uint64_t critical, corrected, preliminary, allergies, none_known, latin9, documents, lines;
    uint64_t given, refused, omitted, dispensed, without_amount;
    unsigned triggers[64];
    char last_id[32], last_time[32];
    bool is_in_order, has_own_times, has_own_ids, said_is_time;
};

static const char *const wanted_triggers[] = {"A01", "A02", "A03", "A04", "A06", "A08",
                                              "A11", "A12", "A13", "A28", "A31", "A40",
                                              "R01", "T02", "O11", "O13", "O17", "O21"};
enum { TRIGGER_COUNT = sizeof wanted_triggers / sizeof *wanted_triggers };

static double number_of(struct bytes b) {
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)b.size, (const char *)b.data);
    return strtod(text, NULL);
}

/* Does the flag say what value and range say? Both are as they were printed. */
static bool flag_is_right(const struct fact_observation *observation) {
    double value = number_of(observation->value);
    size_t dash = bytes_find(observation->range, '-');
    double low = dash == BYTES_NOT_FOUND ? -1 : number_of(bytes_first(observation->range, dash));
    double high = number_of(bytes_skip(observation->range, dash == BYTES_NOT_FOUND ? 1 : dash + 1));
    uint8_t flag = observation->flags.size ? observation->flags.data[0] : 0;
    /* Vital signs are rounded more coarsely than they are judged: at the bound both are right. */
    if (value == low || value == high)
        return true;
    return flag == (value > high ? 'H' : value < low ? 'L' : 'N');
}

static void see_report(struct seen *seen, const struct fact_report *report) {
    seen->corrected += report->status == RESULT_CORRECTED;
    seen->preliminary += report->status == RESULT_PRELIMINARY;
    for (size_t i = 0; i < report->observation_count; i++) {
        const struct fact_observation *observation = &report->observations[i];
        seen->observations++;
        seen->abnormal += !bytes_is(observation->flags, "N");
        seen->critical += observation->flags.size == 2;
        if (!flag_is_right(observation) && seen->wrong_flags++ < 3)
            printf("# %.*s %.*s [%.*s] %.*s\n", (int)observation->text.size, observation->text.data,
                   (int)observation->value.size, observation->value.data,
                   (int)observation->range.size, observation->range.data,
                   (int)observation->flags.size, observation->flags.data);
    }
}

static void see_medication(struct seen *seen, const struct fact_medication_event *event) {
    seen->dispensed += event->kind == MEDICATION_DISPENSE;
    if (event->kind != MEDICATION_ADMINISTRATION)
        return;
    seen->given += event->state == MEDICATION_EVENT_COMPLETE;
    seen->refused += event->state == MEDICATION_EVENT_REFUSED;
    seen->omitted += event->state == MEDICATION_EVENT_NOT_DONE;
    seen->without_amount += bytes_is_empty(event->amount) || bytes_is_empty(event->unit) ||
                            bytes_is_empty(event->route);
}

static void see_fact(struct seen *seen, const struct fact *fact) {
    if (fact->kind == FACT_REPORT)
        see_report(seen, &fact->report);
    if (fact->kind == FACT_MEDICATION_EVENT)
        see_medication(seen, fact->medication_event);
    if (fact->kind == FACT_ALLERGY) {
        seen->allergies += fact->allergy.action != ALLERGY_NONE_KNOWN;
        seen->none_known += fact->allergy.action == ALLERGY_NONE_KNOWN;
    }
    if (fact->kind == FACT_DOCUMENT) {
        seen->documents++;
        for (size_t i = 0; i < fact->document.text.size; i++)
            seen->lines += fact->document.text.data[i] == '\n';
    }
}

static void see_header(struct seen *seen, struct bytes message) {
    struct hl7_header header;
    char id[32], time[32];
    hl7_header_read(&header, message);
    snprintf(id, sizeof id, "%.*s", (int)header.control_id.size,
             (const char *)header.control_id.data);
    snprintf(time, sizeof time, "%.*s", (int)header.time.size, (const char *)header.time.data);
    seen->has_own_ids &= strcmp(id, seen->last_id) > 0;
    seen->has_own_times &= strcmp(time, seen->last_time) > 0;
    seen->latin9 += bytes_is(header.charset, "8859/15");
    for (size_t i = 0; i < TRIGGER_COUNT; i++)
        seen->triggers[i] += bytes_is(header.trigger, wanted_triggers[i]);
    memcpy(seen->last_id, id, sizeof id);
    memcpy(seen->last_time, time, sizeof time);
}

static void see(struct seen *seen, struct bytes message, int64_t at, struct arena *arena,
                struct zone *zone) {
    struct facts facts;
    struct facts_context context = {.received_at = at, .zone = zone, .otherwise = HL7_LATIN9};
    arena_clear(arena);
    assert(!facts_from_hl7(message, &context, arena, &facts));
    if (facts.aside && seen->asides++ < 3)
        printf("# aside: %s at %llu\n", facts.aside, (unsigned long long)facts.aside_at);
    if (facts.warning && seen->warnings++ < 3)
        printf("# warning: %s\n", facts.warning);
    seen->mismatches += facts.is_charset_mismatch;
    seen->said_is_time &= facts.said == at && facts.own_time == at;
    for (size_t i = 0; i < facts.count; i++)
        see_fact(seen, &facts.list[i]);
    see_header(seen, message);
    seen->messages++;
    seen->bytes += message.size;
}

static void believable(void) {
    enum { BEDS = 150, DAYS = 4 };
    struct seen seen = {
        .is_in_order = true, .has_own_times = true, .has_own_ids = true, .said_is_time = true};
    struct simulator *simulator = open_hospital(BEDS, 42);
    struct arena arena;
    struct zone zone;
    struct bytes message;
    int64_t at, last = INT64_MIN;
    assert(!zone_init(&zone, "Europe/Paris", NULL));
    arena_init(&arena, 1 << 20);
    while (next(simulator, &message, &at) && at < START + DAYS * DAY) {
        seen.is_in_order &= at > last && at % US_PER_MS == 0;
        last = at;
        see(&seen, message, at, &arena, &zone);
    }
    simulator_close(simulator);
    arena_release(&arena);
    double a_day = (double)seen.messages / BEDS / DAYS,
           size = (double)seen.bytes / (double)seen.messages;
    printf("# %.0f messages a bed and day of %.0f bytes; %.1f %% of %llu figures abnormal, %llu "
           "critical\n",
           a_day, size, 100.0 * (double)seen.abnormal / (double)seen.observations,
           (unsigned long long)seen.observations, (unsigned long long)seen.critical);
    ok(seen.is_in_order, "times grow, in milliseconds");
    ok(seen.has_own_times, "each message has its own MSH-7");
    ok(seen.has_own_ids, "each message has its own control id");
    ok(seen.said_is_time, "it is said when MSH-7 says");
    is_int(seen.asides, 0);
    is_int(seen.warnings, 0);
    is_int(seen.mismatches, 0);
    is_int(seen.wrong_flags, 0);
    ok(a_day > 150 && a_day < 260, "about 200 messages a bed and day");
    ok(size > 900 && size < 1300, "of about 1.1 KB");
    for (size_t i = 0; i < TRIGGER_COUNT; i++) {
        ok(seen.triggers[i] > 0, "this kind of message is among them");
        printf("# %s: %u\n", wanted_triggers[i], seen.triggers[i]);
    }
    double abnormal = (double)seen.abnormal / (double)seen.observations;
    ok(abnormal > 0.04 && abnormal < 0.4, "most figures are usual, some are not");
    ok(seen.critical > 0 && seen.critical < seen.abnormal / 2, "a few are critical");
    ok(seen.preliminary > 0 && seen.corrected > 0, "some are preliminary, some corrected");
    ok(seen.allergies > 0 && seen.none_known > seen.allergies,
       "allergies, and that there are none");
    ok(seen.dispensed > 0 && seen.given > 20 * seen.refused, "drugs are dispensed and given");
    ok(seen.refused > 0 && seen.omitted > 0, "some are refused, some not given");
    is_int(seen.without_amount, 0);
    ok(seen.latin9 > 0 && seen.latin9 < seen.messages, "in two character sets");
    ok(seen.documents > 0 && seen.lines / seen.documents > 6, "documents have some ten lines");
}

/* Some messages are wrong, the others as without; of each the head can be read. */
static void spoilt(void) {
    struct simulator *whole = open_hospital(50, 7), *some;
    struct simulator_options options = {
        .bed_count = 50, .seed = 7, .start_at = START, .spoilt_per_mille = 100};
    int differing = 0, headless = 0, shorter = 0, longer = 0;
    assert(!simulator_open(&some, &options, NULL));
    for (int i = 0; i < 5000; i++) {
        struct bytes a, b;
        struct hl7_header one = {0}, other = {0};
        int64_t a_at, b_at;
        assert(next(whole, &a, &a_at) && next(some, &b, &b_at));
        hl7_header_read(&one, a);
        hl7_header_read(&other, b);
        headless += a_at != b_at || !bytes_equal(one.control_id, other.control_id);
        differing += !bytes_equal(a, b);
        shorter += b.size < a.size;
        longer += b.size > a.size;
    }
    ok(differing > 400 && differing < 600, "a tenth is spoilt, as was asked");
    is_int(headless, 0);
    ok(shorter > 100 && longer > 50, "some are cut, some declare another character set");
    simulator_close(whole);
    simulator_close(some);
}

/* One patient's name, by a speaker of UTF-8 and by one of ISO 8859-15. */
static void names_agree(void) {
    struct simulator *simulator = open_hospital(30, 3);
    struct bytes message;
    struct zone zone;
    int64_t at;
    int compared = 0, differing = 0;
    assert(!zone_init(&zone, "Europe/Paris", NULL));
    struct arena kept, arena;
    arena_init(&kept, 8 << 20);
    arena_init(&arena, 1 << 20);
    static struct { struct bytes number, name; } known[1000];
    int known_count = 0;
    for (int i = 0; i < 4000 && next(simulator, &message, &at); i++) {
        struct facts facts;
        struct facts_context context = {.received_at = at, .zone = &zone, .otherwise = HL7_LATIN9};
        arena_clear(&arena);
        assert(!facts_from_hl7(message, &context, &arena, &facts));
        for (size_t k = 0; k < facts.count; k++) {
            const struct fact *fact = &facts.list[k];
            if (fact->kind != FACT_PATIENT || fact->cell.field != PATIENT_FAMILY_NAME)
                continue;
            int n = 0;
            while (n < known_count && !bytes_equal(known[n].number, facts.subject.number))
                n++;
            if (n < known_count) {
                compared++;
                differing += !bytes_equal(known[n].name, fact->cell.value);
            } else if (n < 1000) {
                known[known_count].number = arena_copy(&kept, facts.subject.number);
                known[known_count++].name = arena_copy(&kept, fact->cell.value);
            }
        }
    }
    ok(compared > 1000 && differing == 0, "a name is the same in both character sets");
    arena_release(&kept);
    arena_release(&arena);
    simulator_close(simulator);
}

int main(void) {
    repeatable();
    small_hospitals();
    believable();
    names_agree();
    spoilt();
    return done();
}
