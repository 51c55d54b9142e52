/* site_chart.h - a site's charts made from its vault by a command, with no chart role: the living one, and those of the past.
 *
 * Shapes     entries in plaintext, read without a lock, into a chart's writer.
 *            `unlock`: of the site's keys, NULL where they have no passphrase.
 * Errors     those of chart.h and site.h; ERR_USAGE and ERR_NOT_FOUND for limits that name nothing.
 * Process    commands. The living chart is touched only under the site's lock.
 */
#ifndef NODE_SITE_CHART_H
#define NODE_SITE_CHART_H

#include "chart/chart.h"
#include "node/config.h"

/* Take in what the chart at `path` lacks; *taken_count gets how many entries that were. */
MUST_CHECK enum err site_chart_bring_up(const char *dir, const struct vault_unlock *unlock,
                                        const char *path, const struct config *config,
                                        uint64_t *taken_count, struct fault *fault);
/* Make DIR/chart/<generation>.db from entry 0, over what a making that was interrupted left there. */
MUST_CHECK enum err site_chart_make(const char *dir, const struct vault_unlock *unlock,
                                    const struct config *config, uint64_t generation,
                                    uint64_t *taken_count, struct fault *fault);

/* The current chart takes in what it lacks, or is made anew where it cannot be used: with no node, under its lock. */
MUST_CHECK enum err site_chart_bring_current_up(const char *dir, const struct vault_unlock *unlock,
                                                const struct config *config, struct fault *fault);
/* Wait until the running node's chart has taken in `wanted` entries. ERR_TIMEOUT: not within the time given;
 * fault.at says how many are in it. */
MUST_CHECK enum err site_chart_wait(const char *dir, uint64_t wanted, int64_t patience_us,
                                    struct fault *fault);
/* Make the next generation beside the living one, and switch to it: through the running node, or under its lock. */
MUST_CHECK enum err site_chart_rebuild(const char *dir, const struct vault_unlock *unlock,
                                       const struct config *config, uint64_t *taken_count,
                                       struct fault *fault);

/* Take these entries alone, in rising order, into a new chart `path`, to see what becomes of them; `before` is told each first. */
MUST_CHECK enum err site_chart_try(const char *dir, const struct vault_unlock *unlock,
                                   const struct config *config, const uint64_t *entries,
                                   size_t count, const char *path,
                                   void (*before)(void *owner, uint64_t entry), void *owner,
                                   struct fault *fault);
/* Such a file goes, with what SQLite leaves beside it. */
MUST_CHECK enum err site_chart_remove(const char *path, struct fault *fault);

/* Something was erased that the chart still shows. Remembered in DIR/cache until the next rebuild. */
void site_chart_note_erased(const char *dir);
/* Since when, by this machine's clock; INSTANT_NONE: nothing that is known of. */
int64_t site_chart_erased_since(const char *dir);

struct past_limits {
    int64_t until;        /* received up to this moment, itself included; INSTANT_NONE: any */
    uint64_t until_entry; /* up to this entry, itself included; CHART_NO_ENTRY: any */
};
/* Make the chart of the past `out`, which must not exist, readable by the owner alone. It stands there once it is whole. */
MUST_CHECK enum err site_chart_make_past(const char *dir, const struct vault_unlock *unlock,
                                         const struct config *config,
                                         const struct past_limits *limits, const char *out,
                                         uint64_t *taken_count, struct fault *fault);
/* A file that somebody named. ERR_NOT_FOUND: there is none. */
MUST_CHECK enum err site_chart_open_file(const char *path, struct chart_reader **reader,
                                         struct fault *fault);

#endif
