/* take.c - what came over a connection becomes slots, or is streamed when it is too large to be
 * held.
 *
 * Invariants
 *   Bytes are taken once: `taken` only grows, until the input is compacted.
 *   While a large message is under way, or waits for its answer, nothing behind it is taken: there
 *   is one head buffer.
 *   Whatever was framed gets a slot, and so do bytes outside frames unless they are white space.
 */
#include "feeds/listener.h"

#include <assert.h>

static struct bytes rest_of(const struct connection *connection) {
    if (!connection->in.data)
        return BYTES_NONE;
    return bytes_from(connection->in.data + connection->taken,
                      connection->in_end - connection->taken);
}

/* A large message holds the head buffer until its answer has gone. */
static bool is_blocked(const struct connection *connection) {
    return connection->head.data && !connection->stream;
}

static struct slot *add_slot(struct connection *connection, enum slot_kind kind,
                             enum slot_state state, struct bytes body) {
    assert(connection->slot_count < SLOT_COUNT);
    struct slot *slot = connection_slot(connection, connection->slot_count++);
    *slot = (struct slot){
        .at = body.size ? (uint32_t)(body.data - connection->in.data) : connection->taken,
        .body_bytes = (uint32_t)body.size,
        .kind = kind,
        .state = state,
        .received_at = connection->feeds->life.loop.now_us,
    };
    return slot;
}

/* ---- large messages ---- */

static bool begin_stream(struct connection *connection) {
    struct feeds *feeds = connection->feeds;
    if (!feeds_can_stream(feeds) || feeds->stream_count >= STREAM_COUNT_MAX ||
        !buffers_take(&feeds->buffers, BUFFER_SMALL, &connection->head)) {
        feeds_put_stalled(feeds, connection);
        return false;
    }
    struct slot *slot = add_slot(connection, SLOT_LARGE, SLOT_STREAMING, BYTES_NONE);
    connection->head_bytes = 0;
    connection->stream_bytes = 0;
    if (stream_begin(connection, slot, connection->first_sequence + connection->slot_count - 1)) {
        connection_abort(connection);
        return false;
    }
    connection->taken += (uint32_t)mllp_begin_parts(&connection->reader, rest_of(connection));
    return true;
}

static void keep_head(struct connection *connection, struct bytes part) {
    struct bytes wanted = bytes_first(part, HEAD_BYTES_MAX - connection->head_bytes);
    if (wanted.size)
        memcpy(connection->head.data + connection->head_bytes, wanted.data, wanted.size);
    connection->head_bytes += (uint32_t)wanted.size;
}

static void take_part(struct connection *connection, struct bytes part) {
    keep_head(connection, part);
    if (connection->stream == STREAM_DISCARD)
        return;
    connection->stream_bytes += part.size;
    if (connection->stream_bytes <= connection->feeds->options.message_bytes_max) {
        stream_put(connection, part);
        return;
    }
    stream_abort(connection);
    connection->stream = STREAM_DISCARD;
}

static void take_last(struct connection *connection, bool is_cut) {
    struct slot *slot = connection_slot(connection, connection->slot_count - 1);
    assert(slot->state == SLOT_STREAMING);
    slot->body_bytes = connection->head_bytes;
    slot->kind = connection->stream == STREAM_DISCARD ? SLOT_OVERSIZE
                 : is_cut                             ? SLOT_LARGE_CUT
                                                      : SLOT_LARGE;
    if (connection->stream == STREAM_DISCARD)
        slot->state = SLOT_HELD;
    else
        stream_end(connection, slot);
    connection->stream = STREAM_NONE;
}

static bool take_stream(struct connection *connection) {
    struct feeds *feeds = connection->feeds;
    size_t used;
    struct bytes view;
    if (connection->stream == STREAM_BODY && !feeds_can_stream(feeds)) {
        feeds_put_stalled(feeds, connection);
        return false;
    }
    bool is_quiet = connection->has_ended || connection->is_quiet;
    enum mllp_event event =
        mllp_next(&connection->reader, rest_of(connection), is_quiet, &used, &view);
    connection->taken += (uint32_t)used;
    if (event == MLLP_PART || event == MLLP_LAST)
        take_part(connection, view);
    if (!connection->stream)
        return false; /* given up: the link to commit failed in the middle */
    if (event == MLLP_LAST) {
        take_last(connection, false);
    } else if (connection->has_ended && connection->taken == connection->in_end) {
        connection->reader = (struct mllp_reader){0};
        take_last(connection, true);
    }
    return event != MLLP_MORE;
}

/* ---- messages that the buffer holds ---- */

/* Bytes outside frames, at most so many at a time as an entry holds. */
static void take_noise(struct connection *connection, struct bytes noise) {
    noise = bytes_first(noise, VAULT_INLINE_BYTES_MAX);
    add_slot(connection, SLOT_UNFRAMED, SLOT_HELD, noise);
    connection->taken += (uint32_t)noise.size;
}

static bool take_message(struct connection *connection, struct bytes body, size_t used) {
    if (body.size > VAULT_INLINE_BYTES_MAX) {
        /* Whole in the buffer, yet too large for one frame to commit. */
        connection->reader.scanned = 0;
        return begin_stream(connection);
    }
    if (body.size > 0)
        add_slot(connection, SLOT_MESSAGE, SLOT_HELD, body);
    else
        add_slot(connection, SLOT_EMPTY, SLOT_SETTLED, body);
    connection->taken += (uint32_t)used;
    return true;
}

/* The peer is gone and a frame has no end: what came of it is kept. */
static bool take_cut(struct connection *connection, struct bytes rest) {
    struct bytes body = bytes_skip(rest, mllp_is_frame(rest) ? 1 : 0);
    connection->reader = (struct mllp_reader){0};
    if (body.size > 0)
        add_slot(connection, SLOT_CUT, SLOT_HELD, body);
    connection->taken = connection->in_end;
    return true;
}

static bool take_whole(struct connection *connection) {
    struct bytes view, rest = rest_of(connection);
    size_t used;
    bool is_large = rest.size > VAULT_INLINE_BYTES_MAX + 1;
    bool is_quiet =
        connection->has_ended || connection->is_quiet || (is_large && !mllp_is_frame(rest));
    switch (mllp_next(&connection->reader, rest, is_quiet, &used, &view)) {
    case MLLP_MESSAGE:
        return take_message(connection, view, used);
    case MLLP_NOISE:
        take_noise(connection, view);
        return true;
    case MLLP_BLANK:
        connection->taken += (uint32_t)used;
        return true;
    default:
        if (rest.size > 0 && is_large)
            return begin_stream(connection);
        return connection->has_ended && rest.size > 0 && take_cut(connection, rest);
    }
}

bool connection_take(struct connection *connection) {
    const struct feeds *feeds = connection->feeds;
    bool took = false;
    while (!feeds->life.is_stopping) {
        bool more = connection->stream ? take_stream(connection)
                    : connection->slot_count < SLOT_COUNT && !is_blocked(connection)
                        ? take_whole(connection)
                        : false;
        if (!more)
            return took;
        took = true;
    }
    return false;
}
