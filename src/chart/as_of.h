/* as_of.h - what a chart of the past says of itself, kept in its table `meta`. */
#ifndef CHART_AS_OF_H
#define CHART_AS_OF_H

#include "chart/chart.h"
#include "chart/db.h"

/* In the transaction that makes the tables: from its first row on the file is no chart of the present. */
MUST_CHECK enum err as_of_begin(struct db *db, struct fault *fault);
bool as_of_is_begun(struct db *db);
/* In the transaction that makes the rows that are read. */
MUST_CHECK enum err as_of_write(struct db *db, const struct chart_as_of *as_of,
                                struct fault *fault);
/* `at` is INSTANT_NONE in a chart of the present. ERR_STATE: begun and never finished. */
MUST_CHECK enum err as_of_read(struct db *db, struct chart_as_of *as_of, struct fault *fault);

#endif
