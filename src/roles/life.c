/* life.c - what every role does from its start to its end: one loop, one channel to the supervisor, links to peers.
 *
 * Invariants
 *   A role stops, with an exit code, when the supervisor's channel ends or speaks nonsense: it never runs orphaned.
 *   A link that a peer breaks is closed; the supervisor gives a new one when the peer lives again.
 *   Links are flushed once a round, after the role's own on_round, so that answers leave in batches.
 *
 *     closed --(MESSAGE_PEER: link_open)--> open --(peer gone: link_close)--> closed
 */
#include "roles/rights.h"

#include "base/trace.h"


#define LINK_BYTES (1024u * 1024u)
#define ROUNDS_PER_READ 8

static void link_ready(struct loop_watch *watch, uint32_t ready);

static enum err link_watch(struct role_link *link) {
    uint32_t interest = (link->is_paused ? 0 : LOOP_READ) |
                        (ipc_has_output(&link->ipc) ? LOOP_WRITE : 0);
    return loop_watch_set(&link->life->loop, &link->watch, link->ipc.fd, interest);
}

static void link_close(struct role_link *link) {
    struct role_life *life = link->life;
    if (!link->is_open)
        return;
    link->is_open = false;
    loop_watch_clear(&life->loop, &link->watch);
    ipc_release(&link->ipc);
    if (link == &life->supervisor) {
        life->loop.is_stopping = true;
        return;
    }
    if (life->on_link_lost)
        life->on_link_lost(life, link);
}

static enum err link_open(struct role_life *life, struct role_link *link, enum role peer, int fd) {
    link_close(link);
    enum err err = ipc_init(&link->ipc, life->sys, fd, life->in_bytes_max, life->out_bytes_max);
    if (err)
        return err;
    link->life = life;
    link->peer = peer;
    link->is_paused = false;
    link->watch = (struct loop_watch){.fd = -1, .on_ready = link_ready, .owner = link};
    link->is_open = true;
    return link_watch(link);
}

static enum err take_peer(struct role_life *life, uint64_t number, int fd) {
    if (number >= ROLE_COUNT || fd < 0)
        return ERR_INPUT;
    struct role_link *link = &life->links[number];
    enum err err = link_open(life, link, (enum role)number, fd);
    if (err)
        return err;
    if (life->on_link)
        life->on_link(life, link);
    return ERR_OK;
}

static void begin_stop(struct role_life *life) {
    if (life->is_stopping)
        return;
    life->is_stopping = true;
    if (life->on_stop)
        life->on_stop(life);
    else
        life->loop.is_stopping = true;
}

static enum err fd_argument(const struct ipc_frame *frame, uint32_t *argument) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame->payload);
    *argument = ipc_get_u32(&reader);
    return ipc_reader_end(&reader);
}

static enum err supervisor_frame(struct role_life *life, const struct ipc_frame *frame) {
    uint32_t argument = 0;
    uint64_t number = 0;
    struct bytes text;
    enum err err = ERR_OK;
    switch (frame->type) {
    case MESSAGE_PEER:
        err = fd_argument(frame, &argument);
        return err ? err : take_peer(life, argument, ipc_take_fd(&life->supervisor.ipc));
    case MESSAGE_LISTEN: {
        err = fd_argument(frame, &argument);
        int fd = ipc_take_fd(&life->supervisor.ipc);
        if (err || fd < 0 || !life->on_listen)
            return ERR_INPUT;
        life->on_listen(life, argument, fd);
        return ERR_OK;
    }
    case MESSAGE_STOP:
        begin_stop(life);
        return ERR_OK;
    case MESSAGE_STATE:
        err = roles_get_text(frame, &text);
        if (!err && life->on_state)
            life->on_state(life, text);
        return err;
    case MESSAGE_CHART:
        err = roles_get_number(frame, &number);
        if (!err && life->on_chart)
            life->on_chart(life, number);
        return err;
    default:
        return ERR_INPUT;
    }
}

static enum err link_frames(struct role_link *link) {
    struct role_life *life = link->life;
    while (link->is_open && !link->is_paused) {
        struct ipc_frame frame;
        enum err err = ipc_next(&link->ipc, &frame);
        if (err == ERR_MORE)
            return ERR_OK;
        if (!err)
            err = link == &life->supervisor ? supervisor_frame(life, &frame)
                  : life->on_frame          ? life->on_frame(life, link, &frame)
                                            : ERR_INPUT;
        if (err)
            return err;
    }
    return ERR_OK;
}

/* A peer that speaks nonsense is broken or taken over: this role stops and the supervisor starts it anew. */
static void link_broken(struct role_link *link, enum err err) {
    trace_error("the link to %s is broken: %s", role_name(link->peer), err_sentence(err, false));
    link->life->loop.is_stopping = true;
    link->life->supervisor.is_paused = true;
}

/* A peer that takes nothing any more is gone. What it said before may still lie in the socket, and counts. */
static void link_gone(struct role_link *link) {
    enum err err = ERR_OK;
    while (link->is_open && !link->is_paused && !err) {
        enum err read = ipc_read(&link->ipc);
        err = read && read != ERR_FULL ? read : link_frames(link);
        if (read == ERR_STATE && link_frames(link))
            break; /* its last words are none */
    }
    link_close(link);
}

static void link_ready(struct loop_watch *watch, uint32_t ready) {
    struct role_link *link = watch->owner;
    if ((ready & LOOP_WRITE) && ipc_flush(&link->ipc)) {
        link_gone(link);
        return;
    }
    for (int i = 0; (ready & LOOP_READ) && link->is_open && i < ROUNDS_PER_READ; i++) {
        enum err err = ipc_read(&link->ipc);
        enum err frames = err == ERR_STATE || err == ERR_OK ? link_frames(link) : ERR_OK;
        if (frames)
            link_broken(link, frames);
        if (err == ERR_STATE)
            link_close(link);
        else if (err && err != ERR_MORE)
            link_broken(link, err);
        /* The supervisor's frames may carry descriptors, one a read: never read past them. */
        if (err || frames || link == &link->life->supervisor || link->is_paused)
            return;
    }
}

static void flush_link(struct role_link *link) {
    if (!link->is_open)
        return;
    if (ipc_has_output(&link->ipc) && ipc_flush(&link->ipc)) {
        link_gone(link);
        return;
    }
    if (link_watch(link))
        link_close(link);
}

/* One that does not fit is left out: the supervisor reads slowly, not this role. */
static void say_alive(struct role_life *life) {
    if (life->loop.monotonic_us - life->alive_said_at < ALIVE_EVERY_US || !life->supervisor.is_open)
        return;
    if (!roles_put_text(&life->supervisor.ipc, MESSAGE_ALIVE, BYTES_NONE))
        life->alive_said_at = life->loop.monotonic_us;
}

static void life_round(void *owner) {
    struct role_life *life = owner;
    if (life->on_round)
        life->on_round(life);
    say_alive(life);
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        flush_link(&life->links[i]);
    flush_link(&life->supervisor);
}

enum err role_life_init(struct role_life *life, enum role role, struct sys *sys,
                        const char *site_dir, struct fault *fault) {
    return role_life_init_with(life, role, sys, site_dir, NULL, 0, fault);
}

enum err role_life_init_with(struct role_life *life, enum role role, struct sys *sys,
                             const char *site_dir, const struct confine_path *more,
                             size_t more_count, struct fault *fault) {
    memset(life, 0, sizeof *life);
    life->sys = sys;
    life->role = role;
    life->site_dir = site_dir;
    life->in_bytes_max = life->out_bytes_max = LINK_BYTES;
    trace_name(role_name(role));
    enum err err = loop_init(&life->loop, sys, fault);
    if (err)
        return err;
    life->loop.on_round = life_round;
    life->loop.owner = life;
    life->loop.tick_ms = 100;
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        life->links[i].life = life;
    life->supervisor.life = life;
    err = link_open(life, &life->supervisor, ROLE_SUPERVISOR, ROLE_SUPERVISOR_FD);
    if (err)
        return fault_set(fault, err, "the supervisor's channel cannot be used");
    life->confinement = role_confine(role, site_dir, more, more_count);
    return ERR_OK;
}

int role_life_run(struct role_life *life) {
    struct fault fault = {0};
    uint64_t confined = life->confinement.landlock_abi;
    if (life->confinement.has_seccomp)
        confined |= CONFINED_CALLS;
    enum err err = roles_put_number(&life->supervisor.ipc, MESSAGE_CONFINED, confined);
    if (!err)
        err = roles_put_text(&life->supervisor.ipc, MESSAGE_READY, BYTES_NONE);
    if (!err)
        err = loop_run(&life->loop, &fault);
    if (err)
        trace_fault("the event loop ended", &fault);
    else if (life->supervisor.is_paused)
        err = ERR_INPUT;
    else if (!life->is_stopping)
        err = ERR_STATE; /* the supervisor went away */
    return err_exit_code(err);
}

void role_life_release(struct role_life *life) {
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        link_close(&life->links[i]);
    link_close(&life->supervisor);
    loop_release(&life->loop);
}

void role_link_pause(struct role_link *link, bool pause) {
    if (link->is_paused == pause || !link->is_open)
        return;
    link->is_paused = pause;
    if (!pause && link_frames(link))
        link_broken(link, ERR_INPUT);
}

void role_life_report(struct role_life *life, struct bytes json) {
    if (!life->supervisor.is_open)
        return;
    /* A report that does not fit is left out: the next one says the same, newer. */
    enum err err = roles_put_text(&life->supervisor.ipc, MESSAGE_REPORT, json);
    (void)err;
}

void role_life_problem(struct role_life *life, const char *problem) {
    if (problem == life->problem || !life->supervisor.is_open)
        return;
    if (!roles_put_text(&life->supervisor.ipc, MESSAGE_PROBLEM, bytes_from_string(problem)))
        life->problem = problem;
}
