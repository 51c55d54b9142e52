/* loop.h - one event loop for each role: descriptors and a tick.
 *
 * Shapes     epoll, level-triggered; a watch is owned by the caller and must outlive its
 *            registration.
 * Units      milliseconds for waits and ticks.
 * Ownership  loop_watch_set does not take the descriptor over; take a watch out before closing its
 *            descriptor, whose number may come back as another's.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/err.h"
#include "base/sys.h"

#define LOOP_READ  1u
#define LOOP_WRITE 2u

struct loop_watch {
    int fd;            /* -1 when not watched */
    uint32_t interest; /* what the kernel was told */
    /* `ready` is a set of LOOP_READ, LOOP_WRITE; a hang-up or error sets both. */
    void (*on_ready)(struct loop_watch *watch, uint32_t ready);
    void *owner;
};

#define LOOP_NO_TICK (-1)
struct loop {
    struct sys *sys;
    int epoll_fd;
    bool is_stopping;
    int64_t now_us; /* realtime, read once a round */
    int64_t monotonic_us;
    /* Called once after each round's events (batching: flush, sync, answer), and at least every
     * tick_ms: 0 goes on at once, LOOP_NO_TICK waits for events alone. */
    void (*on_round)(void *owner);
    void *owner;
    int tick_ms;
    void *dispatching; /* the events of this round, so that a watch may be removed during it */
    int dispatch_count, dispatch_at;
};

MUST_CHECK enum err loop_init(struct loop *loop, struct sys *sys, struct fault *fault);
void loop_release(struct loop *loop);
/* Watch `fd` for `interest`; 0 takes it out. Cheap when nothing changes. Safe during dispatch. */
MUST_CHECK enum err loop_watch_set(struct loop *loop, struct loop_watch *watch, int fd,
                                   uint32_t interest);
void loop_watch_clear(struct loop *loop, struct loop_watch *watch);
/* Run until loop->is_stopping. */
MUST_CHECK enum err loop_run(struct loop *loop, struct fault *fault);

#endif
