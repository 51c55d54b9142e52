/* orders_test.c - orders through their life, what is given, appointments, announced moves and merged stays: in whatever order they
 * are said. */
#include "base/random.h"
#include "chart_site.h"

#include <time.h>

#define P1              "\nPID|1||4711^^^CHV^PI||DUPONT^Jeanne"
#define V(place, visit) "\nPV1|1|I|" place "||||||||||||||||" visit "^^^CHV^VN"
#define NEW_DRUG                                                                                   \
    "PHA RDE^O11 09:00:00.000" P1                                                                  \
    "\nORC|NW|P1|F1\nRXE|1^Q8H^^20261123080000|PARA^Paracetamol^L|1||g"

static struct chart_reader *reader;
static struct fault fault;

static struct chart_order *orders_of(const char *number, size_t *count) {
    struct chart_order *orders;
    reader = chart_open();
    struct chart_patient p = patient_of(reader, number);
    must(chart_orders(reader, &answers, p.id, &orders, count, &fault), &fault);
    return orders;
}

static struct chart_stay stay_of(const char *number, size_t *count) {
    struct chart_stay *stays;
    reader = chart_open();
    struct chart_patient p = patient_of(reader, number);
    must(chart_stays(reader, &answers, p.id, &stays, count, &fault), &fault);
    return *count ? stays[0] : (struct chart_stay){0};
}

static void shut(void) {
    chart_shut(reader);
    arena_clear(&answers);
}

/* ---- an order's life ---- */

static void test_life(void) {
    size_t count;
    CHART(NEW_DRUG,
          "PHA RDE^O11 10:00:00.000" P1 "\nORC|XO|P1|F1\nRXE|^Q6H|PARA^Paracetamol^L|500||mg",
          "DPI ORM^O01 11:00:00.000" P1 "\nORC|HD|P1", "DPI ORM^O01 12:00:00.000" P1 "\nORC|RL|P1");
    struct chart_order *orders = orders_of("4711", &count);
    is_int(count, 1);
    is_int(orders[0].fact.kind, ORDER_MEDICATION);
    is_int(orders[0].fact.state, ORDER_ACTIVE);
    is_string(string_of(orders[0].fact.dose), "500");
    is_string(string_of(orders[0].fact.dose_unit), "mg");
    is_string(string_of(orders[0].fact.text), "Paracetamol");
    is_int(orders[0].steps.count, 4);
    shut();
    CHART(NEW_DRUG, "DPI ORM^O01 11:00:00.000" P1 "\nORC|HD|P1");
    orders = orders_of("4711", &count);
    is_int(orders[0].fact.state, ORDER_HELD);
    shut();
    CHART(NEW_DRUG, "DPI ORM^O01 11:00:00.000" P1 "\nORC|DC|P1");
    orders = orders_of("4711", &count);
    is_int(count, 1);
    is_int(orders[0].fact.state, ORDER_STOPPED);
    ok(!chart_order_stands(&orders[0], NOW), "what was stopped by its number alone does not stand");
    shut();
    CHART("DPI ORM^O01 11:00:00.000" P1 "\nORC|DC||F1", NEW_DRUG);
    orders = orders_of("4711", &count);
    ok(count == 1 && orders[0].fact.state == ORDER_STOPPED, "not even if that came first");
    shut();
    CHART(NEW_DRUG, "DPI ORM^O01 11:00:00.000" P1 "\nORC|UA|P1");
    orders = orders_of("4711", &count);
    ok(count == 1 && orders[0].fact.state == ORDER_ACTIVE,
       "a request that was not carried out changes nothing");
    shut();
}

static void test_numbers(void) {
    size_t count;
    CHART("DPI OML^O21 09:00:00.000" P1
          "\nORC|NW|77\nOBR|1|77||K^Potassium^L\nORC|NW|77\nOBR|2|77||NA^Sodium^L",
          "DPI OML^O21 10:00:00.000" P1 "\nORC|CA|77\nOBR|1|77||NA^Sodium^L");
    struct chart_order *orders = orders_of("4711", &count);
    is_int(count, 2);
    for (size_t i = 0; i < count; i++)
        is_int(orders[i].fact.state,
               bytes_is(orders[i].fact.code, "NA") ? ORDER_CANCELLED : ORDER_ACTIVE);
    shut();
    CHART("PHA RDE^O11 09:00:00.000" P1 "\nORC|NW|77\nRXE|1^Q8H|A^Amoxicilline^L|1||g",
          "DPI OML^O21 09:30:00.000" P1 "\nORC|NW|77\nOBR|1|77||K^Potassium^L");
    orders = orders_of("4711", &count);
    ok(count == 2, "a laboratory's number is not the pharmacy's");
    shut();
}

/* ---- what is announced ---- */

static void test_announced(void) {
    size_t count;
    CHART("GAM A01 08:00:00.000" P1 V("CARD^1^A", "V1"),
          "GAM A16 09:00:00.000\nEVN|A16|20261123090000|20261125100000" P1 V("CARD^1^A", "V1"));
    struct chart_stay stay = stay_of("4711", &count);
    ok(stay.is_present && stay.expected == MOVEMENT_PENDING_DISCHARGE,
       "a discharge is announced, nobody has left");
    is_string(string_of(stay.place.unit), "CARD");
    shut();
    CHART("GAM A01 08:00:00.000" P1 V("CARD^1^A", "V1"),
          "GAM A16 09:00:00.000\nEVN|A16|20261123090000|20261125100000" P1 V("CARD^1^A", "V1"),
          "GAM A25 10:00:00.000" P1 V("CARD^1^A", "V1"));
    stay = stay_of("4711", &count);
    ok(stay.is_present && stay.expected == 0, "its cancel need not say when it was to be");
    shut();
    CHART("GAM A01 08:00:00.000" P1 V("CARD^1^A", "V1"),
          "GAM A21 09:00:00.000" P1 V("CARD^1^A", "V1"));
    stay = stay_of("4711", &count);
    ok(stay.is_present && stay.is_on_leave && bytes_is(stay.place.bed, "A"),
       "on leave, the bed kept");
    shut();
    CHART("GAM A05 08:00:00.000\nEVN|A05|20261123080000|||20261125100000\n" P1 V("CHIR^9^A", "V1"),
          "GAM A01 09:00:00.000" P1 V("CARD^1^A", "V1"));
    stay = stay_of("4711", &count);
    ok(stay.is_present && bytes_is(stay.place.unit, "CARD"),
       "who comes before the day that was planned is there");
    shut();
}

static void test_merged_stays(void) {
    size_t count;
    CHART("GAM A01 08:00:00.000" P1 V("CARD^1^A", "V1"),
          "GAM A02 09:00:00.000" P1 V("REA^2^B", "V2"),
          "GAM A50 10:00:00.000" P1 "\nMRG|4711^^^CHV^PI||||V1^^^CHV^VN" V("REA^2^B", "V2"));
    struct chart_stay stay = stay_of("4711", &count);
    is_int(count, 1);
    ok(bytes_is(stay.visit.number, "V2") && bytes_is(stay.place.unit, "REA"), "two stays are one");
    ok(stay.admitted_at != INSTANT_NONE, "which began when the first did");
    shut();
}

/* ---- in any order ---- */

static const char *const said[] = {
    NEW_DRUG,
    "PHA RDE^O11 10:00:00.000" P1 "\nORC|XO|P1|F1\nRXE|^Q6H|PARA^Paracetamol^L|500||mg",
    "DPI ORM^O01 11:00:00.000" P1 "\nORC|HD|P1",
    "DPI ORM^O01 12:00:00.000" P1 "\nORC|RL|P1",
    "PHA RAS^O17 12:30:00.000" P1
    "\nORC|RE|P1|F1\nRXA|0|1|20261123123000||PARA^Paracetamol^L|1|g||||||||||||CP|A",
    "PHA RAS^O17 12:40:00.000" P1
    "\nORC|RE|P1|F1\nRXA|0|1|20261123123000||PARA^Paracetamol^L|1|g||||||||||||CP|D",
    "DPI OML^O21 09:00:00.001" P1
    "\nORC|NW|77\nOBR|1|77||K^Potassium^L\nORC|NW|77\nOBR|2|77||NA^Sodium^L",
    "LAB OML^O21 10:00:00.001" P1 "\nORC|SC|77|L9||CM\nOBR|1|77|L9|K^Potassium^L",
    "RDV SIU^S12 08:00:00.000\nSCH|A1|B1|||||SCAN^Scanner^L|||||^^^20261201090000^20261201093000" P1
    "\nRGS|1\nAIS|1||SCAN^Scanner^L|20261201090000",
    "RDV SIU^S13 08:30:00.000\nSCH|A1|B1|||||SCAN^Scanner^L|||||^^^20261202090000^20261202093000" P1
    "\nRGS|1\nAIS|1||SCAN^Scanner^L|20261202090000",
    "RDV SIU^S15 08:40:00.000\nSCH||B1" P1,
    "GAM A01 08:00:00.002" P1 V("CARD^1^A", "V1"),
    "GAM A16 09:00:00.003\nEVN|A16|20261123090000|20261125100000" P1 V("CARD^1^A", "V1"),
    "GAM A25 10:00:00.004" P1 V("CARD^1^A", "V1"),
    "GAM A02 09:00:00.005" P1 V("REA^2^B", "V2"),
    "GAM A50 10:00:00.006" P1 "\nMRG|4711^^^CHV^PI||||V1^^^CHV^VN" V("REA^2^B", "V2"),
};
enum { SAID = sizeof said / sizeof said[0] };

static void test_any_order(void) {
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    const char *lines[SAID];
    char wanted[65], got[65];
    struct random dice;
    printf("# SEED=%llu\n", (unsigned long long)seed);
    random_init(&dice, seed);
    memcpy(lines, said, sizeof said);
    chart_of(lines, SAID);
    chart_hash(wanted);
    for (int round = 0; round < 60; round++) {
        for (size_t i = SAID; i > 1; i--) {
            size_t k = random_u64(&dice) % i;
            const char *kept = lines[i - 1];
            lines[i - 1] = lines[k];
            lines[k] = kept;
        }
        chart_of(lines, SAID);
        chart_hash(got);
        if (strcmp(got, wanted) != 0)
            break;
    }
    is_string(got, wanted);
}

int main(void) {
    arena_init(&answers, (size_t)64 << 20);
    test_life();
    test_numbers();
    test_announced();
    test_merged_stays();
    test_any_order();
    chart_remove();
    arena_release(&answers);
    return done();
}
