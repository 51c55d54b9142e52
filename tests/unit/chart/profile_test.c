/* profile_test.c - what is usual of a feed at an hour of the week, and from when on its silence is told. */
#include "chart/profile.h"
#include "tap.h"

#define MINUTE (60 * US_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct zone zone;

static int64_t at(const char *text) {
    struct time_read time;
    bool is_read = time_read_iso(bytes_from_string(text), &zone, &time);
    ok(is_read, "a time");
    return time.at;
}

/* One message every ten minutes from 8 to 18 on weekdays, one an hour else; the clocks are Paris's. */
static void fill(struct chart_feed *feed, int64_t from, int64_t to) {
    for (int64_t now = from; now < to; now += 10 * MINUTE) {
        struct civil_time civil = time_civil(now, zone_offset_at(&zone, now));
        bool is_busy =
            civil.hour >= 8 && civil.hour < 18 && civil.weekday >= 1 && civil.weekday <= 5;
        if (!is_busy && civil.minute != 0)
            continue;
        profile_count(&feed->profile, &zone, now);
        if (feed->first_received_at == INSTANT_NONE)
            feed->first_received_at = now;
        feed->newest_received_at = feed->newest_own_time = now;
    }
}

static struct chart_feed empty(void) {
    return (struct chart_feed){.first_received_at = INSTANT_NONE,
                               .newest_received_at = INSTANT_NONE,
                               .newest_own_time = INSTANT_NONE};
}

static const struct chart_patience usual = {300, 900, false}, own = {300, 900, true};

static void test_usual(void) {
    struct chart_feed feed = empty();
    int64_t monday = at("2026-11-02T00:00:00+01:00");
    is_int(chart_feed_judge(&feed, &zone, monday, &usual), FRESH_NEVER);
    fill(&feed, monday, monday + 10 * DAY);
    ok(chart_feed_missed(&feed, &zone, monday + 10 * DAY) == -1,
       "in its first weeks nothing is usual");
    is_int(chart_feed_judge(&feed, &zone, monday + 10 * DAY + 20 * MINUTE, &usual), FRESH_SILENT);
    fill(&feed, monday + 10 * DAY, monday + 28 * DAY + 10 * HOUR);
    int64_t last = feed.newest_received_at; /* a Monday, 9:50 */
    int64_t missed = chart_feed_missed(&feed, &zone, last + HOUR);
    ok(missed > 5500 && missed < 6500, "six are usual in an hour of a weekday");
    is_int(chart_feed_judge(&feed, &zone, last + 20 * MINUTE, &usual), FRESH_CURRENT);
    is_int(chart_feed_judge(&feed, &zone, last + HOUR, &usual), FRESH_LATE);
    is_int(chart_feed_judge(&feed, &zone, last + 3 * HOUR, &usual), FRESH_SILENT);
    is_int(chart_feed_judge(&feed, &zone, last + 20 * MINUTE, &own), FRESH_SILENT);
    feed.newest_received_at = at("2026-11-28T02:00:00+01:00"); /* a Saturday's night */
    missed = chart_feed_missed(&feed, &zone, feed.newest_received_at + 4 * HOUR);
    ok(missed > 3500 && missed < 4500, "four in four hours of a night");
    is_int(chart_feed_judge(&feed, &zone, feed.newest_received_at + 4 * HOUR, &usual),
           FRESH_CURRENT);
}

/* Once a day at noon: days without a word are late, though few were missed. */
static void test_seldom(void) {
    struct chart_feed feed = empty();
    int64_t noon = at("2026-11-02T12:00:00+01:00");
    for (int day = 0; day < 28; day++) {
        profile_count(&feed.profile, &zone, noon + day * DAY);
        feed.newest_received_at = feed.newest_own_time = noon + day * DAY;
    }
    feed.first_received_at = noon;
    is_int(chart_feed_judge(&feed, &zone, feed.newest_received_at + DAY + HOUR, &usual),
           FRESH_CURRENT);
    is_int(chart_feed_judge(&feed, &zone, feed.newest_received_at + 4 * DAY + HOUR, &usual),
           FRESH_LATE);
}

/* An outage of a week does not become usual; a clock that goes back does not spoil what is known. */
static void test_outage(void) {
    struct chart_feed feed = empty();
    int64_t monday = at("2026-11-02T00:00:00+01:00");
    fill(&feed, monday, monday + 21 * DAY);
    int64_t last = feed.newest_received_at, later = monday + 29 * DAY + 9 * HOUR;
    feed.newest_received_at = later;
    int64_t missed = chart_feed_missed(&feed, &zone, later + HOUR);
    ok(missed > 5500 && missed < 6500, "what was usual before an outage is usual after it");
    profile_count(&feed.profile, &zone, last - 400 * DAY);
    profile_count(&feed.profile, &zone, -1);
    ok(chart_feed_missed(&feed, &zone, later + HOUR) == missed,
       "what is long ago counts for nothing");
}

static void test_pack(void) {
    static char buffer[1 << 16];
    static struct chart_feed feed, read;
    struct text text;
    feed = empty();
    int64_t monday = at("2026-11-02T00:00:00+01:00");
    fill(&feed, monday, monday + 40 * DAY);
    text_init(&text, buffer, sizeof buffer);
    profile_pack(&feed.profile, &text);
    struct unpack in = {text_bytes(&text), false};
    profile_unpack(&in, &read.profile);
    ok(!in.is_short && in.rest.size == 0 &&
           !memcmp(&feed.profile, &read.profile, sizeof read.profile),
       "a profile comes back as it was");
    for (size_t cut = 0; cut < text.size; cut += 37) {
        in = (struct unpack){bytes_first(text_bytes(&text), cut), false};
        profile_unpack(&in, &read.profile);
        ok(in.is_short, "a profile that was cut says so");
    }
}

int main(void) {
    struct fault fault = {0};
    is_int(zone_init(&zone, "Europe/Paris", &fault), ERR_OK);
    test_usual();
    test_outage();
    test_seldom();
    test_pack();
    return done();
}
