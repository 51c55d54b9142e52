/* zone.c - how far from UTC the hospital's clocks are, at any instant of the past or to come.
 *
 * The rules are tzdata's, through localtime_r; mktime is not used, because what it answers in a
 * repeated hour depends on what it was asked before. An hour goes into the cache only when the
 * whole of it has one answer, so that the few hours with a change inside are computed each time. */
#include "base/zone.h"
#include "base/sys.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#define CACHE_SLOTS  64
#define SECONDS_HOUR INT64_C(3600)
#define SECONDS_DAY  INT64_C(86400)

static int64_t floor_divide(int64_t n, int64_t by) {
    return n / by - (n % by < 0);
}

static size_t slot_of(int64_t hour) {
    return (size_t)((uint64_t)hour % CACHE_SLOTS);
}

/* A name like Europe/Paris: it becomes part of a path. */
static bool is_zone_name(struct bytes name) {
    if (name.size == 0 || name.data[0] == '/' || name.size >= sizeof((struct zone *)0)->name)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!is_letter && (c < '0' || c > '9') && (c == 0 || !strchr("/_-+", c)))
            return false;
    }
    return true;
}

/* glibc takes an unknown name for UTC without a word, so the file itself is looked at. */
static bool has_zone_file(const char *name) {
    char path[PATH_MAX], magic[4];
    struct text text;
    const char *dir = getenv("TZDIR");
    text_init(&text, path, sizeof path);
    text_put_format(&text, "%s/%s", dir && *dir ? dir : "/usr/share/zoneinfo", name);
    int fd = text.full ? -1 : sys_open(NULL, path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    ssize_t size = sys_read(NULL, fd, magic, sizeof magic);
    sys_close(NULL, fd);
    return size == sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
}

enum err zone_init(struct zone *zone, const char *name, struct fault *fault) {
    char tz[sizeof zone->name + 1];
    struct text text;
    bool is_known =
        is_zone_name(bytes_from_string(name)) && (strcmp(name, "UTC") == 0 || has_zone_file(name));
    if (!is_known)
        return fault_set_subject(fault, ERR_CONFIG, "this time zone is not known", name);
    *zone = (struct zone){0};
    text_init(&text, zone->name, sizeof zone->name);
    text_put_string(&text, name);
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        zone->cached_hour[i] = zone->cached_utc_hour[i] = INT64_MIN;
    text_init(&text, tz, sizeof tz);
    text_put_format(&text, ":%s", name);
    if (setenv("TZ", tz, 1) != 0)
        return fault_set(fault, ERR_MEMORY, "cannot set the time zone");
    tzset();
    return ERR_OK;
}

static int32_t ask_offset(int64_t utc_s) {
    time_t at = (time_t)utc_s;
    struct tm parts;
    return localtime_r(&at, &parts) ? (int32_t)parts.tm_gmtoff : 0;
}

int32_t zone_offset_at(struct zone *zone, int64_t at) {
    if (!zone)
        return 0;
    int64_t second = floor_divide(at, US_PER_S);
    int64_t hour = floor_divide(second, SECONDS_HOUR);
    size_t slot = slot_of(hour);
    if (zone->cached_utc_hour[slot] == hour)
        return zone->cached_utc_offset_s[slot];
    int32_t first = ask_offset(hour * SECONDS_HOUR);
    int32_t last = ask_offset(hour * SECONDS_HOUR + SECONDS_HOUR - 1);
    if (first != last)
        return ask_offset(second);
    zone->cached_utc_hour[slot] = hour;
    zone->cached_utc_offset_s[slot] = first;
    return first;
}

/* The offset that holds a day before and the one a day after frame any change between them. */
static struct zone_local ask_local(int64_t local_s) {
    int32_t before = ask_offset(local_s - SECONDS_DAY), after = ask_offset(local_s + SECONDS_DAY);
    if (before == after)
        return (struct zone_local){before, false};
    bool fits_before = ask_offset(local_s - before) == before;
    bool fits_after = ask_offset(local_s - after) == after;
    if (fits_before && fits_after)
        return (struct zone_local){before > after ? before : after, true};
    return (struct zone_local){fits_after ? after : before, false};
}

struct zone_local zone_local_at(struct zone *zone, int64_t local_s) {
    if (!zone)
        return (struct zone_local){0, false};
    int64_t hour = floor_divide(local_s, SECONDS_HOUR);
    size_t slot = slot_of(hour);
    if (zone->cached_hour[slot] == hour)
        return (struct zone_local){zone->cached_offset_s[slot], zone->cached_ambiguous[slot]};
    struct zone_local first = ask_local(hour * SECONDS_HOUR);
    struct zone_local last = ask_local(hour * SECONDS_HOUR + SECONDS_HOUR - 1);
    if (first.offset_s != last.offset_s || first.is_ambiguous != last.is_ambiguous)
        return ask_local(local_s);
    zone->cached_hour[slot] = hour;
    zone->cached_offset_s[slot] = first.offset_s;
    zone->cached_ambiguous[slot] = first.is_ambiguous;
    return first;
}
