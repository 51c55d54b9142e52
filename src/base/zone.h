/* zone.h - what time.c asks of zone.c: the offset that holds at a local time. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/time.h"

struct zone_local {
    int32_t offset_s;
    bool is_ambiguous;
};
/* Of seconds since 1970 on the zone's own clocks; by the rule at the head of time.h. */
struct zone_local zone_local_at(struct zone *zone, int64_t local_s);

#endif
