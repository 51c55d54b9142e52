/* profile.c - what is usual of a feed: how many messages came in each hour of the week, in the last weeks. */
#include "chart/profile.h"

#define HOUR_US        (3600 * US_PER_S)
#define LOOK_HOURS_MAX (14 * 24)
/* Where so many are usual and none came: once in 150 and once in 160,000 such times by chance. */
#define MISSED_LATE   5000
#define MISSED_SILENT 12000
/* Of a system that seldom speaks: once in 20 by chance, but half a day is long for a ward. */
#define MISSED_SELDOM 3000
#define SELDOM_MIN_S  (12 * 3600)
/* However many are usual: senders pause. */
#define LATE_MIN_S   60
#define SILENT_MIN_S 300
/* Zones taken for one another make three hours at most; what is further behind is not news. */
#define OWN_TIME_BEHIND_US (3 * HOUR_US)

/* Hours since the first of January 1970 on the hospital's clocks; weeks begin there, on a Thursday. */
static int64_t local_hour(struct zone *zone, int64_t at) {
    int64_t local = at + (int64_t)zone_offset_at(zone, at) * US_PER_S;
    return local >= 0 ? local / HOUR_US : -1;
}

void profile_count(struct chart_profile *profile, struct zone *zone, int64_t at) {
    int64_t hour = local_hour(zone, at);
    if (hour < 0)
        return;
    uint32_t week = (uint32_t)(hour / PROFILE_HOURS);
    struct chart_week *slot = &profile->weeks[week % PROFILE_WEEKS];
    if (slot->number != week) {
        if (slot->number > week)
            return; /* long ago: stated in a vault that was copied, or by a clock that was wrong */
        *slot = (struct chart_week){.number = week};
    }
    uint32_t *count = &slot->counts[hour % PROFILE_HOURS];
    *count += *count < UINT32_MAX;
}

void profile_pack(const struct chart_profile *profile, struct text *out) {
    for (size_t i = 0; i < PROFILE_WEEKS; i++) {
        const struct chart_week *week = &profile->weeks[i];
        pack_u64(out, week->number);
        for (size_t k = 0; week->number && k < PROFILE_HOURS; k++)
            pack_u64(out, week->counts[k]);
    }
}

void profile_unpack(struct unpack *in, struct chart_profile *profile) {
    for (size_t i = 0; i < PROFILE_WEEKS; i++) {
        struct chart_week *week = &profile->weeks[i];
        week->number = (uint32_t)unpack_u64(in);
        for (size_t k = 0; week->number && k < PROFILE_HOURS; k++)
            week->counts[k] = (uint32_t)unpack_u64(in);
    }
}

/* Whole weeks before `this` in which anything came; the feed's `first` was cut. What an outage left empty tells nothing of what is usual. */
static size_t usual_weeks(const struct chart_profile *profile, uint32_t this, uint32_t first,
                          const struct chart_week **weeks) {
    size_t count = 0;
    for (size_t i = 0; i < PROFILE_WEEKS; i++) {
        const struct chart_week *week = &profile->weeks[i];
        bool is_near = week->number < this && this - week->number < PROFILE_WEEKS;
        if (week->number && is_near && week->number != first)
            weeks[count++] = week;
    }
    return count;
}

/* The middle one: neither an outage nor a backlog that was sent at once is usual. Twice its value. */
static uint64_t middle_twice(const struct chart_week *const *weeks, size_t count, size_t hour) {
    uint32_t sorted[PROFILE_WEEKS];
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && sorted[at - 1] > weeks[i]->counts[hour]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = weeks[i]->counts[hour];
    }
    return (uint64_t)sorted[count / 2] + sorted[(count - 1) / 2];
}

int64_t chart_feed_missed(const struct chart_feed *feed, struct zone *zone, int64_t now) {
    const struct chart_week *weeks[PROFILE_WEEKS];
    int64_t from = feed->newest_received_at, missed = 0;
    int64_t hour = local_hour(zone, now);
    if (from == INSTANT_NONE || from > now || hour < 0)
        return -1;
    int64_t first = local_hour(zone, feed->first_received_at);
    size_t count = usual_weeks(&feed->profile, (uint32_t)(hour / PROFILE_HOURS),
                               (uint32_t)(first / PROFILE_HOURS), weeks);
    if (count < PROFILE_WEEKS_MIN)
        return -1;
    for (unsigned step = 0; from < now && step < LOOK_HOURS_MAX; step++) {
        int64_t end = from - from % HOUR_US + HOUR_US; /* zones are whole quarters: near enough */
        int64_t share = (end < now ? end : now) - from;
        uint64_t twice =
            middle_twice(weeks, count, (size_t)(local_hour(zone, from) % PROFILE_HOURS));
        missed += (int64_t)((double)twice * 500.0 * (double)share / (double)HOUR_US);
        from = end;
    }
    return missed;
}

enum freshness chart_feed_judge(const struct chart_feed *feed, struct zone *zone, int64_t now,
                                const struct chart_patience *patience) {
    if (feed->newest_received_at == INSTANT_NONE)
        return FRESH_NEVER;
    int64_t age_s = (now - feed->newest_received_at) / US_PER_S;
    int64_t missed = patience->is_own ? -1 : chart_feed_missed(feed, zone, now);
    bool is_silent =
        missed < 0 ? age_s >= patience->silent_s : missed >= MISSED_SILENT && age_s >= SILENT_MIN_S;
    bool is_late = missed < 0 ? age_s >= patience->late_s
                              : (missed >= MISSED_LATE && age_s >= LATE_MIN_S) ||
                                    (missed >= MISSED_SELDOM && age_s >= SELDOM_MIN_S);
    if (age_s < -CLOCK_JUMP_US / US_PER_S) /* received in the future: no age can be told */
        return FRESH_OLD;
    if (is_silent)
        return FRESH_SILENT;
    if (feed->newest_own_time != INSTANT_NONE &&
        feed->newest_received_at - feed->newest_own_time > OWN_TIME_BEHIND_US)
        return FRESH_OLD;
    return is_late ? FRESH_LATE : FRESH_CURRENT;
}
