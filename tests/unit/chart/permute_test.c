/* permute_test.c - the chart is a function of the set of entries: any order, any batches, twice, closed in between, by a
 * rebuild. SEED repeats a run. */
#include "chart_site.h"

#include <time.h>

#define P1              "\nPID|1||4711^^^CHV^PI"
#define P2              "\nPID|1||4712^^^CHV^PI"
#define P3              "\nPID|1||4713^^^CHV^PI"
#define P4              "\nPID|1||4714^^^CHV^PI"
#define V(place, visit) "\nPV1|1|I|" place "||||||||||||||||" visit "^^^CHV^VN"

/* No two are said at the same moment. */
static const char *const lines[] = {
    /* one stay: moves, two of them taken back, a name that changes, a field that is deleted and said again */
    "GAM A01 08:00:00.001" P1
    "||DUPONT^Jeanne||19450714|F|||1 rue^^DAX||0501" V("CARD^1^A^CHV", "S1"),
    "GAM A02 09:00:00.002" P1 "||DUPONT^Jeanne||19450714|F" V("CHIR^2^B^CHV", "S1"),
    "GAM A12 09:10:00.003" P1 V("CARD^1^A^CHV", "S1"),
    "GAM A02 10:00:00.004" P1 V("REA^3^C^CHV", "S1"),
    "GAM A08 10:30:00.005" P1
    "||DUPOND^Jeanne Marie||19450714|F|||\"\"||\"\"" V("REA^3^C^CHV", "S1"),
    "GAM A31 10:40:00.006" P1 "||DUPONT^Jeanne Marie||1945||||2 rue^^DAX",
    "GAM A03 11:00:00.007" P1 V("REA^3^C^CHV", "S1"),
    "GAM A13 11:30:00.008" P1 V("REA^3^C^CHV", "S1"),
    /* a second number, merged, and a third merged into the second; what is said of losers lands on the survivor */
    "GAM A01 08:05:00.009" P2 "||DUPONT^J.||19450714|F" V("MED^4^D^CHV", "S2"),
    "GAM A40 12:00:00.010" P1 "\nMRG|4712^^^CHV^PI",
    "GAM A08 12:10:00.011" P2 "||DUPONT^Jeanne Marie||19450714|F|||||0502" V("MED^4^D^CHV", "S2"),
    "GAM A40 12:20:00.012" P2 "\nMRG|4713^^^CHV^PI",
    "LABO R01 12:30:00.013" P3
    "||DUPONT^Jeanne\nOBR|1||F9|NA^Sodium^L|||20261123122000+0100|||||||||||||||20261123122500+"
    "0100|||F\nOBX|1|NM|NA^Sodium^L||139|mmol/L|135-145||||F",
    "GAM A37 12:40:00.014" P2 "\nPID|1||4713^^^CHV^PI",
    "GAM A40 12:50:00.015" P2 "\nMRG|4713^^^CHV^PI",
    /* results: preliminary, final, corrected, deleted; a late preliminary */
    "LABO R01 09:00:00.016" P1
    "\nOBR|1||F1|K^Potassium^L|||20261123084000+0100|||||||||||||||20261123085500+0100|||P\nOBX|1|"
    "NM|K^Potassium^L||3.1|mmol/L|3.5-5.0|L|||P",
    "LABO R01 09:30:00.017" P1
    "\nOBR|1||F1|K^Potassium^L|||20261123084000+0100|||||||||||||||20261123092500+0100|||F\nOBX|1|"
    "NM|K^Potassium^L||5.9|mmol/L|3.5-5.0|H|||F",
    "LABO R01 09:50:00.018" P1
    "\nOBR|1||F1|K^Potassium^L|||20261123084000+0100|||||||||||||||20261123094500+0100|||C\nOBX|1|"
    "NM|K^Potassium^L||4.1|mmol/L|3.5-5.0||||C",
    "LABO R01 09:55:00.019" P1
    "\nOBR|1||F1|K^Potassium^L|||20261123084000+0100|||||||||||||||20261123095000+0100|||P\nOBX|1|"
    "NM|K^Potassium^L||9.9|mmol/L|3.5-5.0|HH|||P",
    "LABO R01 09:56:00.020" P1 "\nOBR|1||F2|CRP^CRP^L|||20261123084000+0100|||||||||||||||"
                               "20261123095100+0100|||F\nOBX|1|NM|CRP^CRP^L||12|mg/L|<5|H|||F",
    "LABO R01 10:05:00.021" P1 "\nOBR|1||F2|CRP^CRP^L|||20261123084000+0100|||||||||||||||"
                               "20261123100100+0100|||F\nOBX|1|NM|CRP^CRP^L||12|mg/L|<5|H|||D",
    /* allergies of two sources, one taken away, one that says none is known */
    "GAM A08 13:00:00.022" P1 "\nAL1|1|DA|AMOX^Amoxicilline^L|SV|Choc",
    "DPI A08 13:01:00.023" P1 "\nAL1|1|DA|716184000^No known allergy^SCT",
    "DPI A60 13:02:00.024" P1 "\nIAM|1|DA|LATEX^Latex^L|MO|Prurit|A",
    "DPI A60 13:03:00.025" P1 "\nIAM|1|DA|LATEX^Latex^L|MO|Prurit|D",
    /* diagnoses and documents, one replaced */
    "GAM A08 13:04:00.026" P1 "\nDG1|1||I10^Hypertension^I10||20260105|W",
    "DPI T02 13:05:00.027" P1
    "\nTXA|1|CR|TX|20261123130000+0100||||||||D1|||||AU\nOBX|1|TX|D1^Compte rendu||premier||||||F",
    "DPI T10 13:06:00.028" P1
    "\nTXA|1|CR|TX|20261123130500+0100||||||||D2|D1||||AU\nOBX|1|TX|D2^Compte rendu||second||||||F",
    /* a stay that never was, a patient in a circle of merges, one known from a result alone */
    "GAM A01 08:30:00.029" P4 "||MARTIN^Paul||19800101|M" V("CARD^5^E^CHV", "S4"),
    "GAM A11 08:40:00.030" P4 V("CARD^5^E^CHV", "S4"),
    "GAM A40 14:00:00.031\nPID|1||4801^^^CHV^PI\nMRG|4802^^^CHV^PI",
    "GAM A40 14:01:00.032\nPID|1||4802^^^CHV^PI\nMRG|4801^^^CHV^PI",
    "LABO R01 "
    "14:02:00.033\nPID|1||4900^^^LAB^PI||INCONNU^X||19700101|M\nOBR|1||F7|GLU^Glucose^L|||"
    "20261123135000+0100\nOBX|1|NM|GLU^Glucose^L||5|mmol/L|||||F",
    /* a date in the future outranks nothing; a message that cannot be read */
    "GAM A08 20270101T10:00:00.034" P1 "||FUTUR^Jeanne||19450714|F",
    "GAM A08 13:30:00.035\nPID|1||||SANS^Numero",
    "GAM A08 13:31:00.036" P1 "||DUPONT^Jeanne Marie~MARTIN^Jeanne^^^^^M||19450714|F",
};
enum { COUNT = sizeof lines / sizeof lines[0] };
static char bodies[COUNT][4096];
static struct bytes messages[COUNT];

static uint64_t state;
static uint32_t below(uint32_t limit) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % limit);
}

static void shuffle(unsigned *order, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        unsigned k = i + below(count - i), held = order[i];
        order[i] = order[k];
        order[k] = held;
    }
}

/* How the entries come. */
struct delivery {
    bool is_rebuild;
    unsigned batch_max; /* 0: all in one batch */
    bool reopens;
};

static void deliver(const unsigned *order, unsigned count, const struct delivery *how,
                    char hex[65]) {
    chart_new();
    struct chart_writer *writer = chart_writer(how->is_rebuild);
    for (unsigned i = 0; i < count; i++) {
        chart_take_at(writer, i, messages[order[i]], NOW, NULL);
        if (!how->batch_max || below(how->batch_max))
            continue;
        chart_commit(writer);
        if (how->reopens && below(2)) {
            chart_writer_close(writer);
            writer = chart_writer(how->is_rebuild);
        }
    }
    struct fault fault = {0};
    if (how->is_rebuild)
        must(chart_writer_settle(writer, &fault), &fault);
    else
        chart_commit(writer);
    chart_writer_close(writer);
    chart_hash(hex);
}

static bool same_as(const char *wanted, unsigned *order, unsigned count,
                    const struct delivery *how) {
    char hex[65];
    deliver(order, count, how, hex);
    if (!strcmp(hex, wanted))
        return true;
    printf("# order:");
    for (unsigned i = 0; i < count; i++)
        printf(" %u", order[i]);
    printf("\n");
    return false;
}

/* Said again, taken back or outranked by a later message, or about nobody. */
static bool is_without_trace(unsigned n) {
    static const unsigned outranked[] = {4, 11, 13, 22, 23, 33, 34};
    for (size_t i = 0; i < sizeof outranked / sizeof outranked[0]; i++)
        if (outranked[i] == n)
            return true;
    return false;
}

/* The digest sees what is said: without any one message that counts it is another. */
static void test_each_counts(const char *wanted) {
    unsigned order[COUNT], wrong = 0;
    for (unsigned left_out = 0; left_out < COUNT; left_out++) {
        char hex[65];
        unsigned count = 0;
        for (unsigned i = 0; i < COUNT; i++)
            if (i != left_out)
                order[count++] = i;
        deliver(order, count, &(struct delivery){0}, hex);
        if ((strcmp(hex, wanted) == 0) == is_without_trace(left_out))
            continue;
        wrong++;
        printf("# not as it should be without: %.60s\n", lines[left_out]);
    }
    is_int(wrong, 0);
}

int main(void) {
    const char *given = getenv("SEED");
    state = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("# SEED=%llu\n", (unsigned long long)state);
    unsigned order[COUNT * 2];
    char wanted[65];
    for (unsigned i = 0; i < COUNT; i++) {
        messages[i] = message_of(lines[i], bodies[i], sizeof bodies[i]);
        order[i] = i;
    }
    deliver(order, COUNT, &(struct delivery){.batch_max = 1}, wanted);
    ok(same_as(wanted, order, COUNT, &(struct delivery){0}), "in one batch");
    ok(same_as(wanted, order, COUNT, &(struct delivery){.is_rebuild = true}), "by a rebuild");
    unsigned same = 0, tries = 300;
    for (unsigned n = 0; n < tries; n++) {
        shuffle(order, COUNT);
        same += same_as(wanted, order, COUNT,
                        &(struct delivery){.is_rebuild = below(4) == 0,
                                           .batch_max = below(3) ? 1 + below(9) : 0,
                                           .reopens = below(2)});
    }
    is_int(same, tries);
    test_each_counts(wanted);
    /* Every entry twice, as when its repeat was not known. */
    same = 0;
    for (unsigned n = 0; n < 40; n++) {
        for (unsigned i = 0; i < COUNT * 2; i++)
            order[i] = i % COUNT;
        shuffle(order, COUNT * 2);
        same += same_as(wanted, order, COUNT * 2, &(struct delivery){.batch_max = 1 + below(9)});
    }
    is_int(same, 40);
    chart_remove();
    return done();
}
