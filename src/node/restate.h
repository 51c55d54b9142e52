/* restate.h - an epoch of a site's vault goes: what must outlast it is stated again first, then its key and its blobs are removed.
 *
 * Shapes     by epoch. The chart says which entries hold what must stay; each of them is appended again, and the chart is
 *            asked anew once it has taken them: an epoch is erased only when it holds nothing any more.
 * Errors     ERR_STATE: it is in use, or holds what people entered and nobody gave back yet, or something that cannot be
 *            stated again. ERR_NOT_FOUND: it never began. ERR_TIMEOUT: the chart does not follow.
 * Ownership  entries are read here, also where a node runs: the door's `unlocking` must have been asked.
 * Process    commands and the node's own short-lived ones, one at a time (restate_lock).
 */
#ifndef NODE_RESTATE_H
#define NODE_RESTATE_H

#include "node/door.h"

/* What can be seen of an epoch's entries. */
struct epoch_look {
    uint32_t epoch;
    struct vault_span span;
    int64_t newest_at; /* when the newest of them was received, or stated again */
    hlc_stamp
        until; /* the clock of the newest that states nothing again; of such alone, the newest */
    uint64_t fact_count; /* entries of a downtime, which must have been given back */
    bool is_erased;      /* its key is gone */
    bool is_oldest;      /* of those before it nothing can be read any more */
};
/* ERR_NOT_FOUND: there are no entries of it. */
MUST_CHECK enum err epoch_look(const struct door *door, uint32_t epoch, struct epoch_look *look,
                               struct fault *fault);
/* Is the newest of its last entries received after `at`? Far cheaper, and true is certain. */
MUST_CHECK enum err epoch_is_younger(const struct door *door, uint32_t epoch, int64_t at,
                                     bool *is_younger, struct fault *fault);

/* Only one process at a time erases. ERR_STATE: another does. Held until *fd is closed. */
MUST_CHECK enum err restate_lock(const char *dir, int *fd, struct fault *fault);

struct restated {
    uint64_t entry_count; /* stated again */
    uint64_t stay_count;  /* ended stays that were let go */
    uint64_t blob_count;  /* removed */
};
/* How much there is to do for an epoch. Changes nothing. */
MUST_CHECK enum err restate_count(struct door *door, const struct config *config,
                                  const struct epoch_look *look, struct restated *count,
                                  struct fault *fault);
/* State again, erase, remove blobs. An interrupted one is simply begun again. Of an epoch that is erased already the blobs that
 * are left are removed. `why`: in words, at most 128 bytes. */
MUST_CHECK enum err restate_and_drop(struct door *door, const struct config *config,
                                     const struct epoch_look *look, const char *why,
                                     struct restated *done, struct fault *fault);
/* Which epoch was being erased when a process that did so was killed, blobs and all; 0: none that is known of. */
uint32_t restate_interrupted(const char *dir);

/* The command `key retain`; argv[0] is "retain". */
int node_key_retain(int argc, char **argv);

#endif
