/* merges.h - which patient numbers are one person: components of the graph of merges, and their survivor (rule 8).
 *
 * Shapes     an edge says that `loser` was merged into `survivor`; the greatest key for a pair decides whether it stands.
 *            The survivor of a component is its one member without an edge going out.
 * Errors     a cycle or two survivors are not resolved: the person is in doubt, and shown so.
 */
#ifndef CHART_MERGES_H
#define CHART_MERGES_H

#include "chart/db.h"
#include "chart/records.h"

enum merge_doubt { MERGE_SURE, MERGE_CYCLE, MERGE_TWO_SURVIVORS };
const char *merge_doubt_text(enum merge_doubt doubt);

/* Store the edge if its key is greater than the one that stands. */
MUST_CHECK enum err merges_take(struct db *db, uint64_t loser, uint64_t survivor,
                                const struct key *key, bool is_unlink, struct fault *fault);

/* Work out anew the persons that these numbers belong to or belonged to (NULL: all) and store them; `changed` is called with every
 * subject whose person may be another now. Costs what those persons have of merges, however many others there are. */
typedef enum err (*merges_changed)(void *owner, uint64_t subject);
MUST_CHECK enum err merges_work_out(struct db *db, const uint64_t *ends, size_t end_count,
                                    merges_changed changed, void *owner, struct fault *fault);

#endif
