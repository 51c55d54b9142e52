/* offer.c - messages go to commit, and commit's word on each comes back to its slot.
 *
 * Invariants
 *   asked_bytes and asked_count are the sums over all slots in state ASKED.
 *   A token names connection, generation and sequence: an answer finds exactly the slot that asked,
 *   or nobody.
 *   What an earlier commit was asked is asked again of the next one, as a possible repeat. A stream
 *   cannot be asked again: its connection is closed without an answer, and its sender keeps the
 *   message.
 */
#include "feeds/listener.h"

#include <assert.h>

#define GENERATION_MASK 0xffffffu
#define SEQUENCE_MASK   0xffffffu
/* The largest slice, and the end with its first bytes behind it. */
#define STREAM_ROOM_BYTES (80u * 1024u)

static uint64_t token_of(const struct connection *connection, uint32_t sequence) {
    uint32_t generation = connection->feeds->generations[connection->index];
    return (uint64_t)connection->index << 48 | (uint64_t)(generation & GENERATION_MASK) << 24 |
           (sequence & SEQUENCE_MASK);
}

static struct ipc *commit_ipc(struct feeds *feeds) {
    return &feeds->life.links[ROLE_COMMIT].ipc;
}

static bool link_has_room(struct feeds *feeds, size_t size) {
    struct ipc *ipc = commit_ipc(feeds);
    if (ipc_room(ipc) >= size)
        return true;
    /* A failing link is found again, and closed, by the loop. */
    return !ipc_flush(ipc) && ipc_room(ipc) >= size;
}

static bool can_offer(struct feeds *feeds, size_t size) {
    return feeds->is_link_open && feeds->life.links[ROLE_COMMIT].is_open && !feeds->is_suspect &&
           feeds->life.loop.monotonic_us >= feeds->offer_at &&
           (feeds->asked_bytes == 0 || feeds->asked_bytes + size <= ASKED_BYTES_MAX) &&
           link_has_room(feeds, size + 1024);
}

/* ---- whole messages ---- */

static bool is_unframed(const struct slot *slot) {
    return slot->kind != SLOT_MESSAGE && slot->kind != SLOT_LARGE;
}

static bool has_control_id(struct bytes body) {
    struct hl7_header header;
    hl7_header_read(&header, body);
    return header.control_id.size > 0;
}

static struct append_request request_of(const struct connection *connection,
                                        const struct slot *slot, uint32_t sequence) {
    const struct feeds *feeds = connection->feeds;
    struct bytes body = slot_body(connection, slot);
    bool unframed = is_unframed(slot);
    return (struct append_request){
        .token = token_of(connection, sequence),
        .check_repeat =
            slot->was_asked || slot->kind == SLOT_OVERSIZE || (!unframed && has_control_id(body)),
        .kind = VAULT_MESSAGE,
        .flags = unframed ? VAULT_UNFRAMED : 0,
        .received_at = slot->received_at,
        .media_type = unframed && slot->kind == SLOT_UNFRAMED ? BYTES("application/octet-stream")
                                                              : BYTES("application/hl7-v2"),
        .source = bytes_from_string(feeds->source),
        .body = body,
    };
}

static void mark_asked(struct feeds *feeds, struct slot *slot) {
    slot->state = SLOT_ASKED;
    feeds->asked_bytes += slot->body_bytes;
    feeds->asked_count++;
}

static bool offer_slot(struct connection *connection, struct slot *slot, uint32_t sequence) {
    struct feeds *feeds = connection->feeds;
    if (feeds->is_suspect) {
        slot->state = SLOT_SETTLED;
        slot->err = ERR_STATE;
        return true;
    }
    if (feeds->life.is_stopping || !can_offer(feeds, slot->body_bytes))
        return false;
    struct append_request request = request_of(connection, slot, sequence);
    if (roles_put_append(commit_ipc(feeds), MESSAGE_APPEND, &request))
        return false;
    mark_asked(feeds, slot);
    return true;
}

void connection_offer(struct connection *connection) {
    for (uint32_t i = 0; i < connection->slot_count; i++) {
        struct slot *slot = connection_slot(connection, i);
        if (slot->state != SLOT_HELD)
            continue;
        if (!offer_slot(connection, slot, connection->first_sequence + i)) {
            feeds_put_stalled(connection->feeds, connection);
            return;
        }
    }
    /* What became settled here (a suspect vault) is answered in the same round. */
}

/* ---- streams ---- */

bool feeds_can_stream(struct feeds *feeds) {
    return can_offer(feeds, STREAM_ROOM_BYTES);
}

enum err stream_begin(struct connection *connection, struct slot *slot, uint32_t sequence) {
    struct feeds *feeds = connection->feeds;
    assert(slot->state == SLOT_STREAMING);
    enum err err = roles_put_blob(commit_ipc(feeds), MESSAGE_BLOB_BEGIN,
                                  token_of(connection, sequence), BYTES_NONE);
    if (err)
        return err;
    connection->stream = STREAM_BODY;
    feeds->stream_count++;
    return ERR_OK;
}

static uint64_t stream_token(const struct connection *connection) {
    return token_of(connection, connection->first_sequence + connection->slot_count - 1);
}

void stream_put(struct connection *connection, struct bytes part) {
    struct feeds *feeds = connection->feeds;
    if (part.size > 0 &&
        roles_put_blob(commit_ipc(feeds), MESSAGE_BLOB_DATA, stream_token(connection), part))
        connection_abort(connection); /* room was seen before: only a broken link does this */
}

void stream_abort(struct connection *connection) {
    struct feeds *feeds = connection->feeds;
    if (connection->stream != STREAM_BODY)
        return;
    connection->stream = STREAM_NONE;
    feeds->stream_count--;
    if (feeds->is_link_open &&
        roles_put_blob(commit_ipc(feeds), MESSAGE_BLOB_ABORT, stream_token(connection), BYTES_NONE))
        trace_warning("commit was not told that a large message is given up");
}

void stream_end(struct connection *connection, struct slot *slot) {
    struct feeds *feeds = connection->feeds;
    struct append_request request =
        request_of(connection, slot, connection->first_sequence + connection->slot_count - 1);
    feeds->stream_count--;
    connection->stream = STREAM_NONE;
    if (roles_put_append(commit_ipc(feeds), MESSAGE_BLOB_END, &request))
        connection_abort(connection);
    else
        mark_asked(feeds, slot);
}

/* ---- commit's word ---- */

static struct slot *slot_of(struct feeds *feeds, uint64_t token, struct connection **found) {
    uint32_t index = (uint32_t)(token >> 48);
    uint32_t generation = (uint32_t)(token >> 24) & GENERATION_MASK;
    if (index >= feeds->connection_count_max ||
        generation != (feeds->generations[index] & GENERATION_MASK))
        return NULL;
    struct connection *connection = pool_at(&feeds->connections, index);
    uint32_t nth = ((uint32_t)token - connection->first_sequence) & SEQUENCE_MASK;
    if (nth >= connection->slot_count)
        return NULL;
    *found = connection;
    struct slot *slot = connection_slot(connection, nth);
    return slot->state == SLOT_ASKED ? slot : NULL;
}

/* The disk is full. The message waits here, in its buffer, for space or for its peer to leave. */
static void hold_again(struct connection *connection, struct slot *slot) {
    struct feeds *feeds = connection->feeds;
    feeds->offer_at = feeds->life.loop.monotonic_us + US_PER_S;
    if (slot->kind == SLOT_LARGE || slot->kind == SLOT_LARGE_CUT || connection->has_ended) {
        connection_abort(connection);
        return;
    }
    slot->state = SLOT_HELD;
    slot->was_asked = true;
    feeds_put_stalled(feeds, connection);
}

static enum err take_appended(struct feeds *feeds, const struct ipc_frame *frame) {
    struct append_answer answer;
    enum err err = roles_get_appended(frame, &answer);
    if (err)
        return err;
    struct connection *connection = NULL;
    struct slot *slot = slot_of(feeds, answer.token, &connection);
    if (!slot)
        return ERR_OK; /* its connection was given up meanwhile */
    feeds->asked_bytes -= slot->body_bytes;
    feeds->asked_count--;
    slot->state = SLOT_SETTLED;
    slot->err = answer.err;
    slot->is_repeat = answer.is_repeat;
    if (answer.err == ERR_FULL)
        hold_again(connection, slot);
    feeds_put_work(feeds, connection);
    return ERR_OK;
}

static enum err take_vault_state(struct feeds *feeds, const struct ipc_frame *frame) {
    bool was_suspect = feeds->is_suspect;
    enum err err = roles_get_vault_state(frame, &feeds->is_full, &feeds->is_suspect);
    if (err)
        return err;
    if (!feeds->is_full)
        feeds->offer_at = 0;
    /* Which sockets are read depends on it. */
    for (uint32_t i = 0; feeds->is_suspect != was_suspect && i < feeds->active_count; i++)
        feeds_put_work(feeds, feeds->active[i]);
    return ERR_OK;
}

enum err feeds_commit_frame(struct feeds *feeds, const struct ipc_frame *frame) {
    if (frame->type == MESSAGE_APPENDED)
        return take_appended(feeds, frame);
    if (frame->type == MESSAGE_VAULT_STATE)
        return take_vault_state(feeds, frame);
    return ERR_INPUT;
}

void feeds_link_opened(struct feeds *feeds) {
    feeds->is_link_open = true;
    feeds->is_suspect = feeds->is_full = false;
    feeds->offer_at = 0;
    for (uint32_t i = 0; i < feeds->active_count; i++)
        feeds_put_work(feeds, feeds->active[i]);
}

/* Nothing asked on that link will be answered. */
static void ask_again(struct connection *connection) {
    for (uint32_t i = 0; i < connection->slot_count; i++) {
        struct slot *slot = connection_slot(connection, i);
        bool is_large = slot->kind == SLOT_LARGE || slot->kind == SLOT_LARGE_CUT;
        if (is_large && (slot->state == SLOT_ASKED || connection->stream == STREAM_BODY)) {
            connection_abort(connection);
            return;
        }
        if (slot->state != SLOT_ASKED)
            continue;
        connection->feeds->asked_bytes -= slot->body_bytes;
        connection->feeds->asked_count--;
        slot->state = SLOT_HELD;
        slot->was_asked = true;
    }
}

void feeds_link_lost(struct feeds *feeds) {
    feeds->is_link_open = false;
    for (uint32_t i = 0; i < feeds->active_count; i++)
        ask_again(feeds->active[i]);
    assert(feeds->asked_bytes == 0 && feeds->asked_count == 0);
}
