/* connection.c - one peer's socket: reading into its buffer, sending answers, its end.
 *
 * Invariants
 *   The input holds the bodies of slots that are not answered yet, then bytes that are no slot yet;
 *   `taken` is between them.
 *   A peer who asks for answers and does not read them is read from no more.
 *   A socket is watched exactly while it is open and something is awaited from it.
 *
 *   open --(recv 0: has_ended; answers still go out)--> ended --(all answered)--> released
 *     \----(reset, or abort: connection_hang_up)-----------------------------/
 */
#include "feeds/listener.h"

#include <assert.h>
#include <errno.h>

void connection_open(struct feeds *feeds, int fd, const uint8_t address[16]) {
    struct connection *connection = pool_take(&feeds->connections);
    assert(connection); /* listener.c counted them */
    connection->feeds = feeds;
    connection->fd = fd;
    connection->index = pool_index(&feeds->connections, connection);
    memcpy(connection->address, address, 16);
    connection->watch =
        (struct loop_watch){.fd = -1, .on_ready = connection_ready, .owner = connection};
    connection->heard_at = feeds->life.loop.monotonic_us;
    connection->active_index = feeds->active_count;
    feeds->active[feeds->active_count++] = connection;
    feeds_put_work(feeds, connection);
}

static void close_socket(struct connection *connection) {
    struct feeds *feeds = connection->feeds;
    loop_watch_clear(&feeds->life.loop, &connection->watch);
    if (connection->fd >= 0)
        sys_close(feeds->life.sys, connection->fd);
    connection->fd = -1;
    connection->has_ended = true;
    buffers_give(&feeds->buffers, &connection->out);
    connection->out_at = connection->out_end = 0;
}

void connection_release(struct connection *connection) {
    struct feeds *feeds = connection->feeds;
    assert(!connection->is_in_work && !connection->is_stalled);
    close_socket(connection);
    buffers_give(&feeds->buffers, &connection->in);
    buffers_give(&feeds->buffers, &connection->head);
    struct connection *last = feeds->active[--feeds->active_count];
    feeds->active[connection->active_index] = last;
    last->active_index = connection->active_index;
    feeds->generations[connection->index]++;
    pool_give(&feeds->connections, connection);
}

void connection_hang_up(struct connection *connection) {
    close_socket(connection);
    feeds_put_work(connection->feeds, connection);
}

void connection_abort(struct connection *connection) {
    struct feeds *feeds = connection->feeds;
    stream_abort(connection);
    for (uint32_t i = 0; i < connection->slot_count; i++) {
        const struct slot *slot = connection_slot(connection, i);
        if (slot->state == SLOT_ASKED) {
            feeds->asked_bytes -= slot->body_bytes;
            feeds->asked_count--;
        }
    }
    connection->slot_count = 0;
    connection->taken = connection->in_end;
    /* Answers to what is forgotten may still come; they must find nobody. */
    feeds->generations[connection->index]++;
    connection_hang_up(connection);
}

bool connection_is_finished(const struct connection *connection) {
    return connection->has_ended && connection->slot_count == 0 && !connection->stream &&
           connection->taken == connection->in_end && connection->out_at == connection->out_end;
}

struct bytes slot_body(const struct connection *connection, const struct slot *slot) {
    const uint8_t *data =
        slot_is_in_head(slot) ? connection->head.data : connection->in.data + slot->at;
    return bytes_from(data, slot->body_bytes);
}

/* ---- reading ---- */

/* Where the first byte stands that is still needed. */
static uint32_t needed_from(struct connection *connection) {
    for (uint32_t i = 0; i < connection->slot_count; i++) {
        const struct slot *slot = connection_slot(connection, i);
        if (!slot_is_in_head(slot) && slot->state != SLOT_STREAMING)
            return slot->at;
    }
    return connection->taken;
}

static void compact_input(struct connection *connection, uint32_t from) {
    memmove(connection->in.data, connection->in.data + from, connection->in_end - from);
    connection->in_end -= from;
    connection->taken -= from;
    for (uint32_t i = 0; i < connection->slot_count; i++) {
        struct slot *slot = connection_slot(connection, i);
        if (!slot_is_in_head(slot))
            slot->at -= from;
    }
}

void connection_give_input(struct connection *connection) {
    if (!connection->in.data || needed_from(connection) != connection->in_end)
        return;
    buffers_give(&connection->feeds->buffers, &connection->in);
    connection->in_end = connection->taken = 0;
}

/* Room for at least one more byte, by moving what is needed to the front or into a larger piece. */
static bool make_input_room(struct connection *connection) {
    struct buffers *buffers = &connection->feeds->buffers;
    if (!connection->in.data)
        return buffers_take(buffers, BUFFER_SMALL, &connection->in);
    if (connection->in_end < buffer_bytes(connection->in.size))
        return true;
    uint32_t from = needed_from(connection);
    if (from > 0)
        compact_input(connection, from);
    return connection->in_end < buffer_bytes(connection->in.size) ||
           buffers_grow(buffers, &connection->in, connection->in_end);
}

static void read_some(struct connection *connection) {
    struct feeds *feeds = connection->feeds;
    if (!make_input_room(connection)) {
        connection->is_starved = true;
        feeds_put_stalled(feeds, connection);
        return;
    }
    size_t room = buffer_bytes(connection->in.size) - connection->in_end;
    ssize_t n = sys_recv(feeds->life.sys, connection->fd, connection->in.data + connection->in_end,
                         room, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0) {
        connection_hang_up(connection);
        return;
    }
    connection->has_ended = n == 0;
    connection->is_quiet = false;
    connection->in_end += (uint32_t)n;
    connection->heard_at = feeds->life.loop.monotonic_us;
    feeds->counts.bytes += (uint64_t)n;
}

/* ---- sending ---- */

/* False: the peer is gone. */
static bool send_some(struct connection *connection, struct bytes text, size_t *sent) {
    ssize_t n = sys_send(connection->feeds->life.sys, connection->fd, text.data, text.size, 0);
    *sent = n > 0 ? (size_t)n : 0;
    return n >= 0 || errno == EAGAIN;
}

void connection_send(struct connection *connection, struct bytes text) {
    struct buffers *buffers = &connection->feeds->buffers;
    size_t sent = 0;
    if (connection->fd < 0 || text.size == 0)
        return;
    assert(!connection->out.data);
    if (!send_some(connection, text, &sent)) {
        connection_hang_up(connection);
        return;
    }
    text = bytes_skip(text, sent);
    if (text.size == 0)
        return;
    if (text.size > buffer_bytes(BUFFER_LARGE) ||
        !buffers_take(buffers, buffer_size_for(text.size), &connection->out)) {
        connection_hang_up(connection); /* it reads no answers, and there is no memory for them */
        return;
    }
    memcpy(connection->out.data, text.data, text.size);
    connection->out_at = 0;
    connection->out_end = (uint32_t)text.size;
}

static void send_rest(struct connection *connection) {
    size_t sent = 0;
    struct bytes rest = bytes_from(connection->out.data + connection->out_at,
                                   connection->out_end - connection->out_at);
    if (!send_some(connection, rest, &sent)) {
        connection_hang_up(connection);
        return;
    }
    connection->out_at += (uint32_t)sent;
    if (connection->out_at < connection->out_end)
        return;
    buffers_give(&connection->feeds->buffers, &connection->out);
    connection->out_at = connection->out_end = 0;
}

/* ---- events ---- */

static bool wants_input(struct connection *connection) {
    const struct feeds *feeds = connection->feeds;
    bool is_deaf = connection->out.data && !connection->asks_for_nothing;
    if (connection->has_ended || connection->is_starved || is_deaf || feeds->is_suspect ||
        feeds->life.is_stopping)
        return false;
    return connection->in_end - needed_from(connection) < buffer_bytes(BUFFER_LARGE);
}

void connection_watch(struct connection *connection) {
    uint32_t interest = 0;
    if (connection->fd < 0)
        return;
    interest |= wants_input(connection) ? LOOP_READ : 0;
    interest |= connection->out.data ? LOOP_WRITE : 0;
    if (loop_watch_set(&connection->feeds->life.loop, &connection->watch, connection->fd, interest))
        connection_hang_up(connection);
}

void connection_ready(struct loop_watch *watch, uint32_t ready) {
    struct connection *connection = watch->owner;
    if ((ready & LOOP_WRITE) && connection->out.data)
        send_rest(connection);
    /* A hang-up is told to readers and writers alike; recv says which it is. */
    if ((ready & LOOP_READ) && connection->fd >= 0 && !connection->has_ended &&
        (watch->interest & LOOP_READ))
        read_some(connection);
    else if (connection->fd >= 0 && ready == (LOOP_READ | LOOP_WRITE) && !connection->out.data)
        connection_hang_up(connection);
    feeds_put_work(connection->feeds, connection);
}
