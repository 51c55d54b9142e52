/* statement.h - what is said of an order, an event of medication, an appointment: every statement is kept as it came, and what
 * they say together is worked out at reading, so that the order of arrival cannot matter.
 *
 * Shapes     a statement is one fact with its key and its feed. Those that speak of one thing (by placer or filler number) are
 *            put together in the order of their keys: what is not empty holds until something later is said.
 * Ownership  answers live in the arena.
 */
#ifndef CHART_STATEMENT_H
#define CHART_STATEMENT_H

#include "chart/fold.h"

enum statement_kind {
    STATEMENT_ORDER = 1,
    STATEMENT_MEDICATION_EVENT,
    STATEMENT_APPOINTMENT
}; /* stored */

struct statement {
    enum statement_kind kind;
    struct key key;
    uint64_t feed;
    union {
        struct fact_order order;
        struct fact_medication_event event;
        struct fact_appointment appointment;
    };
};
/* false: facts of this kind are kept otherwise. */
bool statement_of(const struct fact *fact, struct statement *statement);
void statement_pack(const struct statement *statement, struct text *out);
MUST_CHECK enum err statement_unpack(struct statement *statement, struct bytes record,
                                     struct arena *arena);

MUST_CHECK enum err fold_orders(struct db *db, const struct person *person, struct arena *arena,
                                struct chart_order **orders, size_t *count, struct fault *fault);
MUST_CHECK enum err fold_medication_events(struct db *db, const struct person *person,
                                           struct arena *arena,
                                           struct chart_medication_event **events, size_t *count,
                                           struct fault *fault);
MUST_CHECK enum err fold_appointments(struct db *db, const struct person *person,
                                      struct arena *arena, struct chart_appointment **appointments,
                                      size_t *count, struct fault *fault);

#endif
