/* time.c - read and write the times of HL7 and ISO 8601, count days, and keep the hybrid clock. */
#include "base/time.h"
#include "base/zone.h"
#include <assert.h>

#define SECONDS_DAY INT64_C(86400)
#define YEAR_MAX    9999

/* ---- the calendar ---- */

/* Years are counted from March, so that the odd day of a leap year is the last of its year; 400
 * such years always have 146,097 days, and the months from March on begin at (153 m + 2) / 5 days.
 */
#define DAYS_ERA     INT64_C(146097)
#define DAYS_TO_1970 INT64_C(719468) /* from 0000-03-01 */

static int64_t days_from_date(int year, int month, int day) {
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return era * DAYS_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           DAYS_TO_1970;
}

static void date_from_days(int64_t days, struct civil_time *out) {
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - DAYS_ERA + 1) / DAYS_ERA;
    int64_t day = days - era * DAYS_ERA;
    /* Take out the leap days passed so far in the era, and years are 365 days each. */
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = (int)(year + era * 400 + (out->month <= 2));
}

static int days_in_month(int year, int month) {
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month == 2)
        return is_leap ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static int64_t seconds_from_civil(const struct civil_time *civil) {
    return days_from_date(civil->year, civil->month, civil->day) * SECONDS_DAY +
           civil->hour * 3600 + civil->minute * 60 + civil->second;
}

struct civil_time time_civil(int64_t at, int32_t offset_s) {
    struct civil_time civil;
    int64_t us = at % US_PER_S, seconds = at / US_PER_S;
    if (us < 0) {
        us += US_PER_S;
        seconds--;
    }
    seconds += offset_s;
    int64_t second = seconds % SECONDS_DAY, days = seconds / SECONDS_DAY;
    if (second < 0) {
        second += SECONDS_DAY;
        days--;
    }
    date_from_days(days, &civil);
    civil.hour = (int)(second / 3600);
    civil.minute = (int)(second / 60 % 60);
    civil.second = (int)(second % 60);
    civil.microsecond = (int)us;
    civil.weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    return civil;
}

int64_t time_from_civil(const struct civil_time *civil, int32_t offset_s) {
    return (seconds_from_civil(civil) - offset_s) * US_PER_S + civil->microsecond;
}

int time_age_years(struct civil_time birth, struct civil_time today) {
    bool is_before_birthday =
        today.month < birth.month || (today.month == birth.month && today.day < birth.day);
    return today.year - birth.year - is_before_birthday;
}

/* ---- reading ---- */

/* A time as it is being read: what is left of the text, and the fields found so far. */
struct scan {
    struct bytes rest;
    struct civil_time civil;
    enum time_precision precision;
    int32_t offset_s;
    bool has_offset;
};

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static bool next_is(const struct scan *scan, char c) {
    return scan->rest.size && scan->rest.data[0] == (uint8_t)c;
}

static bool skip(struct scan *scan, char c) {
    if (!next_is(scan, c))
        return false;
    scan->rest = bytes_skip(scan->rest, 1);
    return true;
}

/* Exactly `count` digits, whose value lies within low and high. */
static bool scan_number(struct scan *scan, size_t count, int low, int high, int *out) {
    int n = 0;
    if (scan->rest.size < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(scan->rest.data[i]))
            return false;
        n = n * 10 + (scan->rest.data[i] - '0');
    }
    scan->rest = bytes_skip(scan->rest, count);
    *out = n;
    return n >= low && n <= high;
}

/* One to digits_max digits after the point; what is finer than a microsecond is dropped. */
static bool scan_fraction(struct scan *scan, size_t digits_max) {
    size_t count = 0;
    int us = 0;
    for (; count < scan->rest.size && is_digit(scan->rest.data[count]); count++)
        if (count < 6)
            us = us * 10 + (scan->rest.data[count] - '0');
    for (size_t i = count; i < 6; i++)
        us *= 10;
    if (count == 0 || count > digits_max)
        return false;
    scan->rest = bytes_skip(scan->rest, count);
    scan->civil.microsecond = us;
    scan->precision = TIME_FRACTION;
    return true;
}

static bool scan_second(struct scan *scan) {
    if (!scan_number(scan, 2, 0, 60, &scan->civil.second))
        return false;
    /* An instant has no leap second: it is read as the second before it. */
    if (scan->civil.second == 60)
        scan->civil.second = 59;
    scan->precision = TIME_SECOND;
    return true;
}

/* +HHMM or -HHMM; with a colon in between for ISO 8601. The widest in use is +14. */
static bool scan_offset(struct scan *scan, bool has_colon) {
    int hours, minutes;
    bool is_west = next_is(scan, '-');
    if (!skip(scan, '-') && !skip(scan, '+'))
        return false;
    if (!scan_number(scan, 2, 0, 15, &hours) || (has_colon && !skip(scan, ':')) ||
        !scan_number(scan, 2, 0, 59, &minutes))
        return false;
    scan->offset_s = (hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
    scan->has_offset = true;
    return true;
}

static bool finish(const struct scan *scan, struct zone *zone, struct time_read *out) {
    const struct civil_time *civil = &scan->civil;
    if (scan->rest.size || civil->day > days_in_month(civil->year, civil->month))
        return false;
    struct zone_local local = {scan->offset_s, false};
    if (!scan->has_offset)
        local = zone_local_at(zone, seconds_from_civil(civil));
    *out = (struct time_read){.at = time_from_civil(civil, local.offset_s),
                              .precision = scan->precision,
                              .has_offset = scan->has_offset,
                              .is_ambiguous = local.is_ambiguous};
    return true;
}

static struct scan scan_start(struct bytes b) {
    return (struct scan){.rest = b, .civil = {.month = 1, .day = 1}, .precision = TIME_YEAR};
}

/* The fields after the year: two digits each, any number of them left out from the end. */
static bool scan_hl7_fields(struct scan *scan) {
    struct civil_time *civil = &scan->civil;
    const struct {
        int *field;
        int low, high;
        enum time_precision precision;
    } fields[] = {{&civil->month, 1, 12, TIME_MONTH},
                  {&civil->day, 1, 31, TIME_DAY},
                  {&civil->hour, 0, 23, TIME_HOUR},
                  {&civil->minute, 0, 59, TIME_MINUTE}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (scan->rest.size == 0 || !is_digit(scan->rest.data[0]))
            return true;
        if (!scan_number(scan, 2, fields[i].low, fields[i].high, fields[i].field))
            return false;
        scan->precision = fields[i].precision;
    }
    if (scan->rest.size == 0 || !is_digit(scan->rest.data[0]))
        return true;
    return scan_second(scan) && (!skip(scan, '.') || scan_fraction(scan, 6));
}

bool time_read_hl7(struct bytes b, struct zone *zone, struct time_read *out) {
    struct scan scan = scan_start(b);
    while (scan.rest.size && scan.rest.data[scan.rest.size - 1] == ' ')
        scan.rest.size--;
    if (!scan_number(&scan, 4, 1, YEAR_MAX, &scan.civil.year) || !scan_hl7_fields(&scan))
        return false;
    if (scan.rest.size && !scan_offset(&scan, false))
        return false;
    return finish(&scan, zone, out);
}

/* After "T": HH:MM, then seconds (forms of web pages leave them out), a fraction, an offset. */
static bool scan_iso_time(struct scan *scan) {
    struct civil_time *civil = &scan->civil;
    if (!scan_number(scan, 2, 0, 23, &civil->hour) || !skip(scan, ':') ||
        !scan_number(scan, 2, 0, 59, &civil->minute))
        return false;
    scan->precision = TIME_MINUTE;
    if (skip(scan, ':') && !(scan_second(scan) && (!skip(scan, '.') || scan_fraction(scan, 12))))
        return false;
    if (skip(scan, 'Z') || skip(scan, 'z')) {
        scan->has_offset = true;
        return true;
    }
    return scan->rest.size == 0 || scan_offset(scan, true);
}

bool time_read_iso(struct bytes b, struct zone *zone, struct time_read *out) {
    struct scan scan = scan_start(b);
    struct civil_time *civil = &scan.civil;
    if (!scan_number(&scan, 4, 1, YEAR_MAX, &civil->year))
        return false;
    if (skip(&scan, '-')) {
        if (!scan_number(&scan, 2, 1, 12, &civil->month))
            return false;
        scan.precision = TIME_MONTH;
        if (skip(&scan, '-')) {
            if (!scan_number(&scan, 2, 1, 31, &civil->day))
                return false;
            scan.precision = TIME_DAY;
        }
    }
    bool has_time =
        scan.precision == TIME_DAY && (skip(&scan, 'T') || skip(&scan, 't') || skip(&scan, ' '));
    if (has_time && !scan_iso_time(&scan))
        return false;
    return finish(&scan, zone, out);
}

/* ---- writing ---- */

/* `width` digits at `to`, which is where the next ones go. */
static char *put_digits(char *to, int number, int width) {
    for (int i = width - 1; i >= 0; i--, number /= 10)
        to[i] = (char)('0' + number % 10);
    return to + width;
}

static char *put_char(char *to, char c) {
    *to = c;
    return to + 1;
}

/* Four digits is what both standards have for a year; no real time lies outside them. */
static struct civil_time writable(int64_t at, int32_t offset_s) {
    struct civil_time civil = time_civil(at, offset_s);
    if (civil.year < 0)
        return (struct civil_time){.month = 1, .day = 1};
    if (civil.year > YEAR_MAX)
        return (struct civil_time){YEAR_MAX, 12, 31, 23, 59, 59, 999999, 5};
    return civil;
}

void time_put_hl7(struct text *text, int64_t at, struct zone *zone) {
    char line[32], *to = line;
    int32_t offset_s = zone_offset_at(zone, at);
    struct civil_time civil = writable(at, offset_s);
    int offset_minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
    to = put_digits(to, civil.year, 4);
    to = put_digits(to, civil.month, 2);
    to = put_digits(to, civil.day, 2);
    to = put_digits(to, civil.hour, 2);
    to = put_digits(to, civil.minute, 2);
    to = put_digits(to, civil.second, 2);
    to = put_digits(put_char(to, '.'), civil.microsecond / 1000, 3);
    to = put_char(to, offset_s < 0 ? '-' : '+');
    to = put_digits(to, offset_minutes / 60, 2);
    to = put_digits(to, offset_minutes % 60, 2);
    text_put(text, bytes_from(line, (size_t)(to - line)));
}

void time_put_iso_utc(struct text *text, int64_t at) {
    char line[32], *to = line;
    struct civil_time civil = writable(at, 0);
    to = put_digits(to, civil.year, 4);
    to = put_digits(put_char(to, '-'), civil.month, 2);
    to = put_digits(put_char(to, '-'), civil.day, 2);
    to = put_digits(put_char(to, 'T'), civil.hour, 2);
    to = put_digits(put_char(to, ':'), civil.minute, 2);
    to = put_digits(put_char(to, ':'), civil.second, 2);
    to = put_digits(put_char(to, '.'), civil.microsecond / 1000, 3);
    to = put_char(to, 'Z');
    text_put(text, bytes_from(line, (size_t)(to - line)));
}

/* ---- clocks ---- */

int64_t steady_clock_now(struct steady_clock *clock, int64_t wall_us, int64_t monotonic_us) {
    int64_t ahead_us = wall_us - monotonic_us, jump_us = ahead_us - clock->ahead_us;
    clock->has_jumped = clock->is_set && (jump_us > CLOCK_JUMP_US || jump_us < -CLOCK_JUMP_US);
    if (!clock->has_jumped)
        clock->ahead_us = ahead_us;
    clock->is_set = true;
    return monotonic_us + clock->ahead_us;
}

/* When the counter of a millisecond is used up the addition carries into the milliseconds: the
 * stamp still only grows, and real time soon passes it again. */
hlc_stamp hlc_next(struct hlc *hlc, int64_t now_us) {
    uint64_t now_ms = now_us > 0 ? (uint64_t)(now_us / US_PER_MS) : 0;
    hlc_stamp now = now_ms << 16;
    hlc->last = now > hlc->last ? now : hlc->last + 1;
    return hlc->last;
}

void hlc_observe(struct hlc *hlc, hlc_stamp seen) {
    if (seen > hlc->last)
        hlc->last = seen;
}
