/* loop.c - one event loop for each role, on epoll.
 *
 * Invariants
 *   1. A watch is known to the kernel exactly when its fd is not -1.
 *   2. An event of this round whose watch was taken out has no watch any more (data.ptr NULL): the
 *      memory of the watch may be gone. */
#include "base/loop.h"
#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

#define EVENTS_A_ROUND 256

enum err loop_init(struct loop *loop, struct sys *sys, struct fault *fault) {
    *loop = (struct loop){.sys = sys, .now_us = sys_now_us(sys), .tick_ms = LOOP_NO_TICK};
    loop->monotonic_us = sys_monotonic_us(sys);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return fault_set_errno(fault, ERR_IO, errno, "cannot make an event loop", NULL);
    return ERR_OK;
}

void loop_release(struct loop *loop) {
    if (loop->epoll_fd >= 0)
        sys_close(loop->sys, loop->epoll_fd);
    loop->epoll_fd = -1;
}

/* Forget the events of this round that are still to be handed to `watch`. */
static void forget_events(struct loop *loop, const struct loop_watch *watch) {
    struct epoll_event *events = loop->dispatching;
    for (int i = loop->dispatch_at; i < loop->dispatch_count; i++)
        if (events[i].data.ptr == watch)
            events[i].data.ptr = NULL;
}

/* That the kernel does not know the descriptor any more is no error: its owner closed it first. */
void loop_watch_clear(struct loop *loop, struct loop_watch *watch) {
    if (watch->fd < 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
    watch->interest = 0;
    forget_events(loop, watch);
}

enum err loop_watch_set(struct loop *loop, struct loop_watch *watch, int fd, uint32_t interest) {
    if (watch->fd == fd && watch->interest == interest)
        return ERR_OK;
    if (watch->fd != fd || interest == 0)
        loop_watch_clear(loop, watch);
    if (interest == 0)
        return ERR_OK;
    assert(fd >= 0 && watch->on_ready);
    struct epoll_event event = {.events = (interest & LOOP_READ ? EPOLLIN : 0u) |
                                          (interest & LOOP_WRITE ? EPOLLOUT : 0u),
                                .data.ptr = watch};
    int operation = watch->fd < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0)
        return errno == ENOMEM ? ERR_MEMORY : ERR_IO;
    watch->fd = fd;
    watch->interest = interest;
    return ERR_OK;
}

static uint32_t ready_of(uint32_t events) {
    if (events & (EPOLLHUP | EPOLLERR))
        return LOOP_READ | LOOP_WRITE;
    return (events & EPOLLIN ? LOOP_READ : 0u) | (events & EPOLLOUT ? LOOP_WRITE : 0u);
}

static void dispatch(struct loop *loop, struct epoll_event *events, int count) {
    loop->dispatching = events;
    loop->dispatch_count = count;
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        loop->dispatch_at = i + 1;
        if (!watch)
            continue;
        uint32_t ready = ready_of(events[i].events);
        /* An earlier event of this round may have narrowed what the watch wants. */
        if (!(events[i].events & (EPOLLHUP | EPOLLERR)))
            ready &= watch->interest;
        if (ready)
            watch->on_ready(watch, ready);
    }
    loop->dispatching = NULL;
    loop->dispatch_count = loop->dispatch_at = 0;
}

enum err loop_run(struct loop *loop, struct fault *fault) {
    struct epoll_event events[EVENTS_A_ROUND];
    while (!loop->is_stopping) {
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_ROUND, loop->tick_ms);
        if (count < 0 && errno != EINTR)
            return fault_set_errno(fault, ERR_IO, errno, "cannot wait for events", NULL);
        loop->now_us = sys_now_us(loop->sys);
        loop->monotonic_us = sys_monotonic_us(loop->sys);
        if (count > 0)
            dispatch(loop, events, count);
        if (loop->on_round)
            loop->on_round(loop->owner);
    }
    return ERR_OK;
}
