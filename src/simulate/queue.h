/* queue.h - what is still to happen, the soonest first; equal times in the order they were put.
 *
 * Errors     ERR_MEMORY when it cannot grow.
 * Ownership  events are copied in and out.
 */
#ifndef SIMULATE_QUEUE_H
#define SIMULATE_QUEUE_H

#include "base/base.h"

struct event {
    int64_t at;
    uint64_t sequence; /* given by the queue */
    int kind;
    uint32_t index;      /* of a stay, an order, a ward... as the kind says */
    uint32_t generation; /* the event is void when that stay or order has become another */
    uint32_t argument;
};

struct event_queue {
    struct event *heap;
    size_t count, capacity;
    uint64_t sequence;
};

void event_queue_release(struct event_queue *queue);
MUST_CHECK enum err event_queue_put(struct event_queue *queue, const struct event *event);
/* False: there is none. */
bool event_queue_take(struct event_queue *queue, struct event *event);

#endif
