/* histogram.h - how long many things took: counts in steps of about 3 %, whatever the size.
 *
 * Units      microseconds. A percentile is the upper end of its step, never less than the truth.
 */
#ifndef FEEDS_HISTOGRAM_H
#define FEEDS_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 32u /* in each doubling */

struct histogram {
    uint64_t counts[40 * HISTOGRAM_STEPS];
    uint64_t count;
    int64_t max_us;
};

void histogram_add(struct histogram *histogram, int64_t us);
/* The time that `per_mille` of 1,000 stayed within; 0 when there are none. */
int64_t histogram_at(const struct histogram *histogram, unsigned per_mille);

#endif
