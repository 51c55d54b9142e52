/* time_test.c - instants, zones, the times of HL7 and ISO 8601, the hybrid clock. */
#include "base/random.h"
#include "base/time.h"
#include "guard.h"
#include "tap.h"
#include <time.h>

static struct guard guard;
static struct zone zone;

static struct bytes at_edge(const char *string) {
    return guard_copy(&guard, bytes_from_string(string));
}

static const char *iso(int64_t at) {
    static char buffer[64];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    time_put_iso_utc(&text, at);
    return buffer;
}

static const char *hl7(int64_t at) {
    static char buffer[64];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    time_put_hl7(&text, at, &zone);
    return buffer;
}

static struct time_read read_hl7(const char *string) {
    struct time_read read = {.at = -1};
    ok(time_read_hl7(at_edge(string), &zone, &read), "an HL7 time is read");
    return read;
}

static struct time_read read_iso(const char *string) {
    struct time_read read = {.at = -1};
    ok(time_read_iso(at_edge(string), &zone, &read), "an ISO time is read");
    return read;
}

/* Our calendar against libc's, over all the years that can be written. */
static void test_calendar(void) {
    struct random random;
    unsigned wrong = 0;
    random_init(&random, 1);
    for (int i = 0; i < 200000; i++) {
        time_t second = random_between(&random, INT64_C(-62135596800), INT64_C(253402300799));
        int64_t at = second * US_PER_S + random_between(&random, 0, 999999);
        int32_t offset_s = (int32_t)random_between(&random, -50400, 50400);
        time_t shifted = second + offset_s;
        struct tm wanted;
        gmtime_r(&shifted, &wanted);
        struct civil_time got = time_civil(at, offset_s);
        wrong += got.year != wanted.tm_year + 1900 || got.month != wanted.tm_mon + 1 ||
                 got.day != wanted.tm_mday || got.hour != wanted.tm_hour ||
                 got.minute != wanted.tm_min || got.second != wanted.tm_sec ||
                 got.weekday != wanted.tm_wday;
        wrong += time_from_civil(&got, offset_s) != at;
    }
    is_int(wrong, 0);
}

static void test_hl7_forms(void) {
    is_string(iso(read_hl7("20261123140506.123").at), "2026-11-23T13:05:06.123Z");
    is_string(iso(read_hl7("20260723140506").at), "2026-07-23T12:05:06.000Z");
    is_string(iso(read_hl7("202611231405").at), "2026-11-23T13:05:00.000Z");
    is_string(iso(read_hl7("2026112314").at), "2026-11-23T13:00:00.000Z");
    is_string(iso(read_hl7("20261123").at), "2026-11-22T23:00:00.000Z");
    is_string(iso(read_hl7("202611").at), "2026-10-31T23:00:00.000Z");
    is_string(iso(read_hl7("2026").at), "2025-12-31T23:00:00.000Z");
    is_string(iso(read_hl7("20261123140506.1+0530").at), "2026-11-23T08:35:06.100Z");
    is_string(iso(read_hl7("20261123140506-0800").at), "2026-11-23T22:05:06.000Z");
    is_string(iso(read_hl7("202611231405+0000  ").at), "2026-11-23T14:05:00.000Z");
    is_string(iso(read_hl7("20161231235960+0000").at), "2016-12-31T23:59:59.000Z");
    is_int(read_hl7("20261123140506.123456").at % 1000000, 123456);
    is_int(read_hl7("2026").precision, TIME_YEAR);
    is_int(read_hl7("202611").precision, TIME_MONTH);
    is_int(read_hl7("20261123").precision, TIME_DAY);
    is_int(read_hl7("202611230000").precision, TIME_MINUTE);
    is_int(read_hl7("20261123140506").precision, TIME_SECOND);
    is_int(read_hl7("20261123140506.0").precision, TIME_FRACTION);
    ok(read_hl7("20261123+0100").has_offset && !read_hl7("20261123").has_offset);
    is_string(iso(read_hl7("20240229").at), "2024-02-28T23:00:00.000Z");
}

static void test_hl7_refused(void) {
    static const char *const wrong[] = {"",
                                        " ",
                                        "202",
                                        "20261",
                                        "202613",
                                        "202600",
                                        "20260230",
                                        "20230229",
                                        "20260431",
                                        "20260100",
                                        "20260132",
                                        "2026112324",
                                        "202611231460",
                                        "20261123140561",
                                        "2026112314050",
                                        "20261123140506.",
                                        "20261123140506.1234567",
                                        "20261123140506+01",
                                        "20261123140506+0160",
                                        "20261123140506+1600",
                                        "20261123140506Z",
                                        "202611231405.5",
                                        " 20261123",
                                        "2026-11-23",
                                        "0000",
                                        "00000000",
                                        "\"\"",
                                        "202611231405060",
                                        "20261123140506+0100x"};
    struct time_read read = {.at = 42};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!ok(!time_read_hl7(at_edge(wrong[i]), &zone, &read), "not an HL7 time"))
            printf("# '%s'\n", wrong[i]);
    is_int(read.at, 42);
    unsigned read_count = 0;
    const char *whole = "20261123140506.123456+0100";
    for (size_t size = 0; size <= strlen(whole); size++)
        read_count += time_read_hl7(guard_copy(&guard, bytes_from(whole, size)), &zone, &read);
    is_int(read_count, 6 + 6 + 1);
}

static void test_iso_forms(void) {
    is_string(iso(read_iso("2026-11-23T14:05:06.123Z").at), "2026-11-23T14:05:06.123Z");
    is_string(iso(read_iso("2026-11-23t14:05:06z").at), "2026-11-23T14:05:06.000Z");
    is_string(iso(read_iso("2026-11-23 14:05:06+01:00").at), "2026-11-23T13:05:06.000Z");
    is_string(iso(read_iso("2026-11-23T14:05:06.1234567-05:30").at), "2026-11-23T19:35:06.123Z");
    is_string(iso(read_iso("2026-11-23T14:05").at), "2026-11-23T13:05:00.000Z");
    is_string(iso(read_iso("2026-11-23").at), "2026-11-22T23:00:00.000Z");
    is_string(iso(read_iso("2026-11").at), "2026-10-31T23:00:00.000Z");
    is_string(iso(read_iso("2026").at), "2025-12-31T23:00:00.000Z");
    is_int(read_iso("2026-11").precision, TIME_MONTH);
    is_int(read_iso("2026-11-23T14:05").precision, TIME_MINUTE);
    ok(read_iso("2026-11-23T14:05:06Z").has_offset);
    static const char *const wrong[] = {"",
                                        "26",
                                        "2026-",
                                        "2026-1",
                                        "2026-13",
                                        "2026-02-30",
                                        "2026-11-23T",
                                        "2026-11T10:00Z",
                                        "2026-11-23T14",
                                        "2026-11-23T24:00:00Z",
                                        "20261123",
                                        "2026-11-23T14:05:06.Z",
                                        "2026-11-23T14:05:06+0100",
                                        "2026-11-23T14:05:06ZZ",
                                        "2026Z",
                                        "2026-11-23T14:05:06.1234567890123Z"};
    struct time_read read = {.at = 42};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!ok(!time_read_iso(at_edge(wrong[i]), &zone, &read), "not an ISO time"))
            printf("# '%s'\n", wrong[i]);
}

static void test_writing(void) {
    is_string(hl7(read_hl7("20260723140506.123").at), "20260723140506.123+0200");
    is_string(hl7(read_hl7("20261123140506.9999").at), "20261123140506.999+0100");
    is_string(iso(0), "1970-01-01T00:00:00.000Z");
    is_string(iso(-1), "1969-12-31T23:59:59.999Z");
    is_string(iso(INT64_MAX), "9999-12-31T23:59:59.999Z");
    is_string(iso(INSTANT_NONE), "0000-01-01T00:00:00.000Z");
}

/* In 2026 Paris goes forward on 29 March at 02:00 and back on 25 October at 03:00. */
static void test_summer_time(void) {
    is_string(iso(read_hl7("202603290159").at), "2026-03-29T00:59:00.000Z");
    is_string(iso(read_hl7("202603290300").at), "2026-03-29T01:00:00.000Z");
    is_string(iso(read_hl7("202603290230").at), "2026-03-29T01:30:00.000Z");
    is_string(iso(read_hl7("202610250130").at), "2026-10-24T23:30:00.000Z");
    is_string(iso(read_hl7("202610250230").at), "2026-10-25T00:30:00.000Z");
    is_string(iso(read_hl7("202610250300").at), "2026-10-25T02:00:00.000Z");
    ok(read_hl7("202610250230").is_ambiguous && !read_hl7("202610250230+0100").is_ambiguous);
    ok(!read_hl7("202610250159").is_ambiguous && !read_hl7("202610250300").is_ambiguous);
    is_string(hl7(read_hl7("202610250230+0100").at), "20261025023000.000+0100");
    is_string(hl7(read_hl7("202610250230+0200").at), "20261025023000.000+0200");
}

/* Every instant, written and read again, is the same, but for the repeated hour's second half. The
 * cache must give what a fresh zone gives. */
static void test_round_trip(const char *name) {
    struct random random;
    unsigned wrong = 0, ambiguous = 0;
    is_int(zone_init(&zone, name, NULL), ERR_OK);
    random_init(&random, 5);
    for (int i = 0; i < 100000; i++) {
        int64_t minute =
            i < 50000 ? INT64_C(29000000) + i * 23 : random_between(&random, -30000000, 40000000);
        int64_t at = minute * 60 * US_PER_S;
        const char *written = hl7(at);
        struct time_read exact, local;
        char plain[32];
        snprintf(plain, sizeof plain, "%.18s", written);
        bool is_read = time_read_hl7(bytes_from_string(written), &zone, &exact) &&
                       time_read_hl7(bytes_from_string(plain), &zone, &local);
        time_t second = (time_t)(at / US_PER_S);
        struct tm parts;
        localtime_r(&second, &parts);
        wrong += !is_read || zone_offset_at(&zone, at) != parts.tm_gmtoff;
        if (parts.tm_gmtoff % 60 == 0) /* before standard time offsets had seconds */
            wrong += exact.at != at || (local.at != at && !local.is_ambiguous) || local.at > at;
        ambiguous += local.is_ambiguous;
    }
    is_int(wrong, 0);
    ok(ambiguous < 100);
}

static void test_zones(void) {
    struct zone other;
    struct fault fault = {0};
    char line[256];
    is_int(zone_init(&other, "Europe/Dax", &fault), ERR_CONFIG);
    fault_format(&fault, line, sizeof line);
    is_string(line, "this time zone is not known: Europe/Dax");
    static const char *const wrong[] = {
        "", "Europe", "../../etc/passwd", "/etc/localtime", "Europe/Paris:", "tzdata.zi"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        is_int(zone_init(&other, wrong[i], NULL), ERR_CONFIG);
    test_round_trip("Australia/Lord_Howe"); /* changes by half an hour */
    test_round_trip("America/St_Johns");
    test_round_trip("UTC");
    test_round_trip("Europe/Paris");
    struct time_read read;
    ok(time_read_hl7(BYTES("20260723"), NULL, &read), "no zone means UTC");
    is_string(iso(read.at), "2026-07-23T00:00:00.000Z");
}

static void test_ages(void) {
    struct civil_time birth = {.year = 2000, .month = 2, .day = 29};
    is_int(time_age_years(birth, (struct civil_time){.year = 2026, .month = 2, .day = 28}), 25);
    is_int(time_age_years(birth, (struct civil_time){.year = 2026, .month = 3, .day = 1}), 26);
    is_int(time_age_years(birth, birth), 0);
}

static void test_hybrid_clock(void) {
    struct hlc hlc = {0};
    hlc_stamp a = hlc_next(&hlc, 5000000), b = hlc_next(&hlc, 5000999), c = hlc_next(&hlc, 4000000);
    is_int(hlc_ms(a), 5000);
    ok(a < b && b < c && hlc_ms(c) == 5000, "it grows though time stands still or goes back");
    ok(hlc_ms(hlc_next(&hlc, 6000000)) == 6000);
    hlc_observe(&hlc, (hlc_stamp)9000 << 16 | 0xffff);
    hlc_observe(&hlc, 1);
    ok(hlc_ms(hlc_next(&hlc, 6000000)) == 9001, "a full counter carries into the milliseconds");
    ok(hlc_next(&hlc, -5) > (hlc_stamp)9001 << 16);
}

static void test_steady_clock(void) {
    struct steady_clock clock = {0};
    const int64_t minute = 60 * US_PER_S, wall = 1795446000 * US_PER_S, start = 77 * US_PER_S;
    ok(steady_clock_now(&clock, wall, start) == wall, "the first look is believed");
    ok(steady_clock_now(&clock, wall + 9 * minute, start + minute) == wall + 9 * minute &&
           !clock.has_jumped,
       "eight minutes ahead are followed");
    ok(steady_clock_now(&clock, wall + 600 * minute, start + 2 * minute) == wall + 10 * minute &&
           clock.has_jumped,
       "hours are not: time goes on from before");
    ok(steady_clock_now(&clock, wall + 601 * minute, start + 3 * minute) == wall + 11 * minute &&
           clock.has_jumped,
       "for as long as it is away");
    ok(steady_clock_now(&clock, wall + 12 * minute, start + 4 * minute) == wall + 12 * minute &&
           !clock.has_jumped,
       "until it comes back");
    ok(steady_clock_now(&clock, wall - 600 * minute, start + 5 * minute) == wall + 13 * minute &&
           clock.has_jumped,
       "nor backwards");
}

int main(void) {
    guard_init(&guard, 64);
    is_int(zone_init(&zone, "Europe/Paris", NULL), ERR_OK);
    test_calendar();
    test_hl7_forms();
    test_hl7_refused();
    test_iso_forms();
    test_writing();
    test_summer_time();
    test_zones();
    test_ages();
    test_hybrid_clock();
    guard_release(&guard);
    test_steady_clock();
    return done();
}
