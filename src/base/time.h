/* time.h - instants, the ways standards write them, and the hybrid logical clock.
 *
 * Shapes     an instant is microseconds since 1970-01-01 UTC, int64_t; INSTANT_NONE when there is
 *            none.
 * Units      microseconds, except where a name says _ms or _s.
 * Errors     parse functions return false and leave *out alone on anything not of the form.
 * Source     HL7 v2.5 2.A.22 DTM; RFC 3339; Kulkarni et al. 2014, Logical Physical Clocks.
 *            Real senders write 8, 10, 12, 14 digits, fractions of 1 to 6 digits, 0000 for no
 *            time; zones +HHMM.
 *
 * Times without a zone are in a zone the caller names (IANA name, tzdata). In the hour that a
 * change back from summer time repeats, the earlier reading is taken and is_ambiguous is set; a
 * time that the change to summer time leaves out is read as if the clocks had not changed. Zone
 * NULL means UTC.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

#define INSTANT_NONE INT64_MIN
#define US_PER_S     INT64_C(1000000)
#define US_PER_MS    INT64_C(1000)

/* How much of an HL7 time was given. */
enum time_precision {
    TIME_YEAR = 4,
    TIME_MONTH = 6,
    TIME_DAY = 8,
    TIME_HOUR = 10,
    TIME_MINUTE = 12,
    TIME_SECOND = 14,
    TIME_FRACTION = 15
};

struct time_read {
    int64_t at;
    enum time_precision precision;
    bool has_offset;
    bool is_ambiguous;
};

/* A zone's rules with a small cache of offsets; init once, then read-only for the caller. */
struct zone {
    char name[64];
    int64_t cached_hour[64]; /* local hour since 1970, or INT64_MIN */
    int32_t cached_offset_s[64];
    bool cached_ambiguous[64];
    int64_t cached_utc_hour[64];
    int32_t cached_utc_offset_s[64];
};

/* Sets TZ for the process (one zone a process) and checks that the zone is known: ERR_CONFIG if
 * not. */
MUST_CHECK enum err zone_init(struct zone *zone, const char *name, struct fault *fault);
/* Seconds east of UTC at the instant. */
int32_t zone_offset_at(struct zone *zone, int64_t at);

bool time_read_hl7(struct bytes b, struct zone *zone, struct time_read *out);
/* RFC 3339 or FHIR dateTime (date alone, year-month, year too). */
bool time_read_iso(struct bytes b, struct zone *zone, struct time_read *out);
/* YYYYMMDDHHMMSS.mmm+ZZZZ in the zone. */
void time_put_hl7(struct text *text, int64_t at, struct zone *zone);
/* 2026-11-23T14:05:06.123Z */
void time_put_iso_utc(struct text *text, int64_t at);

struct civil_time {
    int year, month, day, hour, minute, second, microsecond, weekday; /* weekday: 0 is Sunday */
};
struct civil_time time_civil(int64_t at, int32_t offset_s);
/* The inverse, proleptic Gregorian; fields must be in range. */
int64_t time_from_civil(const struct civil_time *civil, int32_t offset_s);
/* Whole years from a birth date to a day, both as instants read with the same zone offset. */
int time_age_years(struct civil_time birth, struct civil_time today);

/* A wall clock that is believed only while it goes as the monotonic clock goes. A jump of more than CLOCK_JUMP_US is not
 * followed: time goes on from before it, and has_jumped is true, until the wall clock comes back. */
#define CLOCK_JUMP_US (10 * 60 * US_PER_S)
struct steady_clock {
    int64_t ahead_us; /* of the monotonic clock */
    bool is_set, has_jumped;
};
int64_t steady_clock_now(struct steady_clock *clock, int64_t wall_us, int64_t monotonic_us);

/* Hybrid logical clock: 48 bits of milliseconds, 16 of counter; orders entries of one origin. */
typedef uint64_t hlc_stamp;
struct hlc {
    hlc_stamp last;
};
static inline int64_t hlc_ms(hlc_stamp stamp) {
    return (int64_t)(stamp >> 16);
}
/* The next stamp: greater than every earlier one, close to now_us. */
hlc_stamp hlc_next(struct hlc *hlc, int64_t now_us);
/* Never fall behind a stamp seen in storage. */
void hlc_observe(struct hlc *hlc, hlc_stamp seen);

#endif
