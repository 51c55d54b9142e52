/* histogram.c - counts of times in steps that grow with the time.
 *
 * Below 32 us a step is 1 us; from there each doubling has 32 steps. */
#include "feeds/histogram.h"

#include <assert.h>
#include <stddef.h>

enum { STEP_COUNT = 40 * HISTOGRAM_STEPS };

static size_t step_of(uint64_t us) {
    if (us < HISTOGRAM_STEPS)
        return (size_t)us;
    unsigned doubling = 58u - (unsigned)__builtin_clzll(us); /* 0 for 32 to 63 */
    size_t step = HISTOGRAM_STEPS * (doubling + 1) + ((us >> doubling) - HISTOGRAM_STEPS);
    return step < STEP_COUNT ? step : STEP_COUNT - 1;
}

/* The last step is open: its end is the longest time there was. */
static int64_t end_of(size_t step) {
    if (step == STEP_COUNT - 1)
        return INT64_MAX;
    if (step < HISTOGRAM_STEPS)
        return (int64_t)step;
    size_t doubling = step / HISTOGRAM_STEPS - 1;
    return (int64_t)((step % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << doubling) - 1;
}

void histogram_add(struct histogram *histogram, int64_t us) {
    if (us < 0)
        us = 0;
    histogram->counts[step_of((uint64_t)us)]++;
    histogram->count++;
    if (us > histogram->max_us)
        histogram->max_us = us;
}

int64_t histogram_at(const struct histogram *histogram, unsigned per_mille) {
    assert(per_mille <= 1000);
    uint64_t wanted = (histogram->count * per_mille + 999) / 1000, seen = 0;
    for (size_t step = 0; step < STEP_COUNT && wanted > 0; step++) {
        seen += histogram->counts[step];
        if (seen >= wanted)
            return end_of(step) < histogram->max_us ? end_of(step) : histogram->max_us;
    }
    return histogram->max_us;
}
