/* sources.h - how each sending application of the hospital speaks: counts and its newest message.
 *
 * Shapes     a bounded table by (MSH-3, MSH-4). Names longer than the column are cut; what does not
 *            fit in the table is counted together under "(others)".
 * Units      newest_at: when its newest message came. Its own times are the chart's matter, which
 *            knows the zone.
 * Process    feeds.
 */
#ifndef FEEDS_SOURCES_H
#define FEEDS_SOURCES_H

#include "base/base.h"

#define SOURCE_COUNT_MAX  128u
#define SOURCE_NAME_BYTES 48u

struct source {
    char application[SOURCE_NAME_BYTES], facility[SOURCE_NAME_BYTES];
    uint64_t messages, aa, ae, ar, repeats, oversize, unframed;
    int64_t newest_at;
};

struct sources {
    struct source list[SOURCE_COUNT_MAX]; /* in order of first appearance */
    uint32_t count;
    uint8_t table[512]; /* index + 1 into the list, by hash; 0: free */
};

void sources_init(struct sources *sources);
struct source *sources_find(struct sources *sources, struct bytes application,
                            struct bytes facility);
void sources_put_json(const struct sources *sources, struct json *json);

#endif
