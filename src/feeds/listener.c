/* listener.c - the feeds role: listens for the hospital's systems, and looks after every connection
 * once a round.
 *
 * Invariants
 *   Events only read and write sockets; what they brought is worked on in on_round, in the order of
 *   its coming.
 *   A connection is released only when it has just been taken from the work queue and stands in no
 *   other.
 *   Nothing is answered AA before commit said that it is durable (answer.c looks at settled slots
 *   only).
 *   When commit takes no more, connections stall; their sockets are read no further than their
 *   buffers reach.
 */
#include "feeds/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#define MESSAGE_BYTES_MAX       (UINT64_C(64) << 20)
#define CONNECTION_COUNT        4096u
#define CONNECTIONS_PER_ADDRESS 1024u
#define CONNECTION_COUNT_LIMIT  UINT16_MAX
#define LINK_OUT_BYTES          (2u << 20)

#define REPORT_BYTES    (60u << 10)
#define ACCEPTS_A_ROUND 64
#define TICK_US         (100 * US_PER_MS)
#define QUIET_US        (300 * US_PER_MS)
#define STUCK_US        (30 * US_PER_S)
#define STOP_US         (2 * US_PER_S)

/* ---- queues ---- */

static bool queue_init(struct queue *queue, uint32_t count_max) {
    *queue = (struct queue){.ring = memory_alloc(count_max, sizeof *queue->ring),
                            .count_max = count_max};
    return queue->ring != NULL;
}

static void queue_put(struct queue *queue, struct connection *connection) {
    assert(queue->count < queue->count_max);
    queue->ring[(queue->at + queue->count++) % queue->count_max] = connection;
}

static struct connection *queue_take(struct queue *queue) {
    assert(queue->count > 0);
    struct connection *connection = queue->ring[queue->at];
    queue->at = (queue->at + 1) % queue->count_max;
    queue->count--;
    return connection;
}

void feeds_put_work(struct feeds *feeds, struct connection *connection) {
    if (!connection->is_in_work)
        queue_put(&feeds->work, connection);
    connection->is_in_work = true;
}

void feeds_put_stalled(struct feeds *feeds, struct connection *connection) {
    if (!connection->is_stalled)
        queue_put(&feeds->stalled, connection);
    connection->is_stalled = true;
}

/* ---- a round ---- */

static void do_work(struct connection *connection) {
    bool took;
    do {
        connection_answer(connection);
        took = connection_take(connection);
        connection_offer(connection);
    } while (took);
    connection_answer(connection);
    connection_give_input(connection);
    if (!connection_is_finished(connection))
        connection_watch(connection);
    else if (!connection->is_in_work && !connection->is_stalled)
        connection_release(connection);
}

static void do_all_work(struct feeds *feeds) {
    while (feeds->work.count > 0) {
        struct connection *connection = queue_take(&feeds->work);
        connection->is_in_work = false;
        do_work(connection);
    }
}

/* Each stalled connection gets one chance a round, in order; those that still find no room stall
 * again behind. */
static void revive_stalled(struct feeds *feeds) {
    if (!feeds->is_link_open || feeds->life.loop.monotonic_us < feeds->offer_at)
        return;
    for (uint32_t left = feeds->stalled.count; left > 0; left--) {
        if (feeds->asked_bytes >= ASKED_BYTES_MAX)
            return;
        struct connection *connection = queue_take(&feeds->stalled);
        connection->is_stalled = connection->is_starved = false;
        do_work(connection);
    }
}

/* Undecided bytes of a silent peer are decided: he may be waiting for an answer to them. */
static void decide_quiet(struct feeds *feeds, struct connection *connection) {
    struct bytes rest =
        bytes_from(connection->in.data + connection->taken, connection->in_end - connection->taken);
    if (!connection->in.data || connection->is_quiet ||
        feeds->life.loop.monotonic_us - connection->heard_at < QUIET_US ||
        !mllp_waits_for_quiet(&connection->reader, rest))
        return;
    connection->is_quiet = true;
    feeds_put_work(feeds, connection);
}

/* Somebody waits for memory that this one has held for long without sending. */
static bool is_stuck(const struct feeds *feeds, const struct connection *connection) {
    bool holds = connection->in.data && connection->in.size == BUFFER_LARGE;
    return (holds || connection->stream) && connection->slot_count <= 1 &&
           feeds->life.loop.monotonic_us - connection->heard_at > STUCK_US;
}

static void tick(struct feeds *feeds) {
    struct connection *stuck = NULL;
    bool is_starved = feeds->stream_count == STREAM_COUNT_MAX;
    for (uint32_t i = 0; i < feeds->active_count; i++) {
        struct connection *connection = feeds->active[i];
        is_starved |= connection->is_starved;
        decide_quiet(feeds, connection);
        if (is_stuck(feeds, connection) && (!stuck || connection->heard_at < stuck->heard_at))
            stuck = connection;
    }
    if (is_starved && stuck) {
        trace_warning("a connection that stopped in the middle of a message is closed");
        connection_abort(stuck);
    }
}

static void put_counts(struct feeds *feeds, struct json *json) {
    const struct feeds_counts *counts = &feeds->counts;
    uint64_t waiting = 0;
    for (uint32_t i = 0; i < feeds->active_count; i++)
        waiting += feeds->active[i]->slot_count;
    json_member_u64(json, "connections", feeds->active_count);
    json_member_u64(json, "messages", counts->messages);
    json_member_u64(json, "aa", counts->aa);
    json_member_u64(json, "ae", counts->ae);
    json_member_u64(json, "ar", counts->ar);
    json_member_u64(json, "repeats", counts->repeats);
    json_member_u64(json, "bytes", counts->bytes);
    json_member_u64(json, "waiting", waiting);
    json_member_u64(json, "oversize", counts->oversize);
    json_member_u64(json, "unframed", counts->unframed);
    json_member_u64(json, "cut", counts->cut);
    json_member_u64(json, "refused_connections", counts->refused_connections);
}

static void report(struct feeds *feeds) {
    struct text text;
    struct json json;
    for (int with_sources = 1; with_sources >= 0; with_sources--) {
        text_init(&text, feeds->scratch, REPORT_BYTES);
        json_init(&json, &text);
        json_object_begin(&json);
        put_counts(feeds, &json);
        if (with_sources) {
            json_name(&json, "sources");
            sources_put_json(&feeds->sources, &json);
        }
        json_object_end(&json);
        if (!text.full)
            break; /* names of nothing but control characters may grow past it; then without them */
    }
    role_life_report(&feeds->life, text_bytes(&text));
}

static void stop_when_answered(struct feeds *feeds) {
    if (feeds->asked_count == 0 || feeds->life.loop.monotonic_us > feeds->stop_at)
        feeds->life.loop.is_stopping = true;
}

static void feeds_round(struct role_life *life) {
    struct feeds *feeds = life->owner;
    do_all_work(feeds);
    revive_stalled(feeds);
    if (life->is_stopping) {
        stop_when_answered(feeds);
        return;
    }
    if (life->loop.monotonic_us - feeds->ticked_at >= TICK_US) {
        feeds->ticked_at = life->loop.monotonic_us;
        tick(feeds);
        do_all_work(feeds);
    }
    if (life->loop.monotonic_us - feeds->reported_at >= US_PER_S) {
        feeds->reported_at = life->loop.monotonic_us;
        report(feeds);
    }
}

/* ---- listening ---- */

static void address_of(const struct sockaddr_storage *from, uint8_t address[16]) {
    memset(address, 0, 16);
    if (from->ss_family == AF_INET6) {
        memcpy(address, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
    } else if (from->ss_family == AF_INET) {
        address[10] = address[11] = 0xff;
        memcpy(address + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    }
}

static bool is_loopback(const uint8_t address[16]) {
    static const uint8_t v6[16] = {[15] = 1};
    static const uint8_t v4[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    return memcmp(address, v6, sizeof v6) == 0 || memcmp(address, v4, sizeof v4) == 0;
}

static bool may_connect(const struct feeds *feeds, const uint8_t address[16]) {
    if (feeds->active_count >= feeds->connection_count_max || feeds->life.is_stopping)
        return false;
    if (is_loopback(address))
        return true;
    uint32_t count = 0;
    for (uint32_t i = 0; i < feeds->active_count; i++)
        count += memcmp(feeds->active[i]->address, address, 16) == 0;
    return count < feeds->options.connections_per_address_max;
}

/* Answers must not wait for each other, and a peer whose machine died must not hold its place for
 * ever. */
static void set_socket_options(int fd) {
    static const int one = 1, idle_s = 120, between_s = 30, count = 4;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s) ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof between_s) ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count))
        trace_warning("a connection cannot be watched for a dead peer");
}

static void listener_ready(struct loop_watch *watch, uint32_t ready) {
    struct feeds *feeds = watch->owner;
    (void)ready;
    for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
        struct sockaddr_storage from = {0};
        uint8_t address[16];
        int fd = sys_accept(feeds->life.sys, watch->fd, &from);
        if (fd < 0)
            return; /* none left, one that ended already, or no descriptor left */
        address_of(&from, address);
        if (may_connect(feeds, address)) {
            set_socket_options(fd);
            connection_open(feeds, fd, address);
        } else {
            feeds->counts.refused_connections++;
            sys_close(feeds->life.sys, fd);
        }
    }
}

static void feeds_listen(struct role_life *life, unsigned index, int fd) {
    struct feeds *feeds = life->owner;
    int flags = fcntl(fd, F_GETFL);
    struct loop_watch *watch = index < LISTENER_COUNT ? &feeds->listeners[index] : NULL;
    if (!watch || watch->fd >= 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK)) {
        trace_error("a listener cannot be used");
        sys_close(life->sys, fd);
        return;
    }
    *watch = (struct loop_watch){.fd = -1, .on_ready = listener_ready, .owner = feeds};
    if (loop_watch_set(&life->loop, watch, fd, LOOP_READ))
        trace_error("a listener cannot be watched");
    feeds->listener_fds[index] = fd;
}

static void stop_listening(struct feeds *feeds) {
    for (unsigned i = 0; i < LISTENER_COUNT; i++) {
        loop_watch_clear(&feeds->life.loop, &feeds->listeners[i]);
        if (feeds->listener_fds[i] >= 0)
            sys_close(feeds->life.sys, feeds->listener_fds[i]);
        feeds->listener_fds[i] = -1;
    }
}

/* ---- life ---- */

static enum err feeds_frame(struct role_life *life, struct role_link *link,
                            const struct ipc_frame *frame) {
    return link->peer == ROLE_COMMIT ? feeds_commit_frame(life->owner, frame) : ERR_INPUT;
}

static void feeds_link(struct role_life *life, struct role_link *link) {
    if (link->peer == ROLE_COMMIT)
        feeds_link_opened(life->owner);
}

static void feeds_lost(struct role_life *life, struct role_link *link) {
    if (link->peer == ROLE_COMMIT)
        feeds_link_lost(life->owner);
}

/* No new message is taken; those that commit has are answered first. */
static void feeds_stop(struct role_life *life) {
    struct feeds *feeds = life->owner;
    feeds->stop_at = life->loop.monotonic_us + STOP_US;
    stop_listening(feeds);
    for (uint32_t i = 0; i < feeds->active_count; i++)
        feeds_put_work(feeds, feeds->active[i]);
}

static void set_defaults(struct feeds *feeds, const struct feeds_options *options) {
    feeds->options = *options;
    if (feeds->options.message_bytes_max == 0)
        feeds->options.message_bytes_max = MESSAGE_BYTES_MAX;
    if (feeds->options.connections_per_address_max == 0)
        feeds->options.connections_per_address_max = CONNECTIONS_PER_ADDRESS;
    uint32_t count =
        options->connection_count_max ? options->connection_count_max : CONNECTION_COUNT;
    feeds->connection_count_max = count < CONNECTION_COUNT_LIMIT ? count : CONNECTION_COUNT_LIMIT;
    snprintf(feeds->source, sizeof feeds->source, "mllp/%s",
             options->listener_name ? options->listener_name : "main");
    for (unsigned i = 0; i < LISTENER_COUNT; i++) {
        feeds->listeners[i].fd = -1;
        feeds->listener_fds[i] = -1;
    }
}

static enum err feeds_init(struct feeds *feeds, const struct feeds_options *options,
                           struct fault *fault) {
    set_defaults(feeds, options);
    uint32_t count = feeds->connection_count_max;
    enum err err = role_life_init(&feeds->life, ROLE_FEEDS, options->sys, options->site_dir, fault);
    if (err)
        return err;
    feeds->life.out_bytes_max = LINK_OUT_BYTES;
    feeds->life.owner = feeds;
    feeds->life.on_frame = feeds_frame;
    feeds->life.on_link = feeds_link;
    feeds->life.on_link_lost = feeds_lost;
    feeds->life.on_listen = feeds_listen;
    feeds->life.on_round = feeds_round;
    feeds->life.on_stop = feeds_stop;
    sources_init(&feeds->sources);
    feeds->started_s = sys_now_us(options->sys) / US_PER_S;
    feeds->generations = memory_alloc(count, sizeof *feeds->generations);
    feeds->active = memory_alloc(count, sizeof *feeds->active);
    feeds->scratch = memory_alloc(SCRATCH_BYTES, 1);
    if (!feeds->generations || !feeds->active || !feeds->scratch ||
        buffers_init(&feeds->buffers, count) ||
        pool_init(&feeds->connections, count, sizeof(struct connection)) ||
        !queue_init(&feeds->work, count) || !queue_init(&feeds->stalled, count))
        return fault_set(fault, ERR_MEMORY, "there is no memory for connections");
    return ERR_OK;
}

static void feeds_release(struct feeds *feeds) {
    feeds->life.on_link_lost = NULL;
    stop_listening(feeds);
    for (uint32_t i = 0; i < feeds->active_count; i++)
        connection_hang_up(feeds->active[i]);
    if (feeds->life.owner)
        role_life_release(&feeds->life);
    buffers_release(&feeds->buffers);
    pool_release(&feeds->connections);
    memory_free(feeds->work.ring);
    memory_free(feeds->stalled.ring);
    memory_free(feeds->generations);
    memory_free(feeds->active);
    memory_free(feeds->scratch);
    memory_free(feeds);
}

int feeds_role_main(const struct feeds_options *options) {
    struct fault fault = {0};
    struct feeds *feeds = memory_alloc(1, sizeof *feeds);
    if (!feeds)
        return err_exit_code(ERR_MEMORY);
    enum err err = feeds_init(feeds, options, &fault);
    if (err)
        trace_fault("feeds cannot start", &fault);
    int code = err ? err_exit_code(err) : role_life_run(&feeds->life);
    feeds_release(feeds);
    return code;
}
