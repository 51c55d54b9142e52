/* listener.h - what the files of the feeds role share: its state, its connections and their
 * messages under way.
 *
 * Shapes     a connection holds the bytes that came and, in order, a slot for each message found in
 *            them.
 * Units      monotonic microseconds for heard_at and offer_at, realtime for received_at.
 * Ownership  connections live in a pool; one is released only from the work list (listener.c),
 *            never in the middle of things.
 * Limits     SLOT_COUNT messages and 64 KiB a connection; ASKED_BYTES_MAX under way to commit.
 * Process    feeds.
 *
 * A slot's way:
 *
 *   taken --> HELD --(offer)--> ASKED --(APPENDED)--> SETTLED --(answer)--> gone
 *               ^                 |
 *               +--(disk full; commit restarted)
 *
 *   too large for one frame:  STREAMING --(its last byte came)--> ASKED
 *   larger than the limit:    STREAMING --(its last byte came)--> HELD, its first bytes only
 */
#ifndef FEEDS_LISTENER_H
#define FEEDS_LISTENER_H

#include "feeds/buffers.h"
#include "feeds/feeds.h"
#include "feeds/mllp.h"
#include "feeds/sources.h"
#include "roles/roles.h"

#define SLOT_COUNT       32u
#define HEAD_BYTES_MAX   4096u
#define ASKED_BYTES_MAX  (4u << 20)
#define STREAM_COUNT_MAX 200u /* commit holds 256 at once, web and import included */
#define LISTENER_COUNT   8u
#define SCRATCH_BYTES    (256u << 10)

enum slot_kind {
    SLOT_MESSAGE,  /* a framed body, in the input buffer */
    SLOT_UNFRAMED, /* bytes outside a frame, in the input buffer; answered AR */
    SLOT_CUT,      /* a frame that the peer's going cut off; cannot be answered */
    SLOT_EMPTY,    /* a frame with nothing in it: nothing to store; answered AR */
    SLOT_LARGE,    /* streamed; its first bytes in the head buffer */
    SLOT_LARGE_CUT,
    SLOT_OVERSIZE /* larger than the limit: its first bytes are stored; answered AR */
};
enum slot_state { SLOT_HELD, SLOT_STREAMING, SLOT_ASKED, SLOT_SETTLED };

struct slot {
    uint32_t at, body_bytes; /* in the input buffer; of large ones: in the head buffer, at 0 */
    enum slot_kind kind;
    enum slot_state state;
    enum err err;
    bool is_repeat;
    bool was_asked; /* of an earlier commit, which may have it: to be checked for a repeat */
    int64_t received_at;
};

enum stream { STREAM_NONE, STREAM_BODY, STREAM_DISCARD };

struct connection {
    struct feeds *feeds;
    struct loop_watch watch;
    int fd; /* -1: the peer is gone */
    uint32_t index, active_index;
    uint8_t address[16];         /* IPv4 as ::ffff:a.b.c.d */
    bool has_ended;              /* no more bytes will come */
    bool is_quiet;               /* silent for so long that undecided bytes are decided */
    bool asks_for_nothing;       /* its last message wanted no answer: it may never read one */
    bool is_starved;             /* a larger buffer was wanted and none was free */
    bool is_in_work, is_stalled; /* in those lists */
    int64_t heard_at;
    struct buffer in, out, head;
    uint32_t in_end, taken; /* of the input: how much there is, how much has become slots */
    uint32_t out_at, out_end, head_bytes;
    struct mllp_reader reader;
    enum stream stream;
    uint64_t stream_bytes;
    uint32_t first_sequence, slot_count;
    struct slot slots[SLOT_COUNT]; /* a ring: sequence % SLOT_COUNT */
};

struct feeds_counts {
    uint64_t messages, aa, ae, ar, repeats, oversize, unframed, cut, bytes, refused_connections;
};

/* Connections in the order they were put; each at most once, as its own flag says. */
struct queue {
    struct connection **ring;
    uint32_t at, count, count_max;
};

struct feeds {
    struct role_life life;
    struct feeds_options options;
    struct loop_watch listeners[LISTENER_COUNT];
    int listener_fds[LISTENER_COUNT];
    struct pool connections;
    uint32_t *generations;      /* by index; a token of an earlier connection finds nobody */
    struct connection **active; /* dense */
    uint32_t active_count, connection_count_max;
    struct queue work;    /* to be looked at in this round */
    struct queue stalled; /* wait until commit takes more */
    struct buffers buffers;
    struct sources sources;
    struct feeds_counts counts;
    char source[64];
    uint64_t asked_bytes, asked_count;
    uint32_t stream_count;
    bool is_link_open, is_full, is_suspect;
    int64_t offer_at; /* nothing is offered before: the disk was full */
    int64_t ticked_at, reported_at, stop_at;
    char *scratch; /* answers are written here */
    uint64_t ack_count;
    int64_t started_s;
    int64_t ack_time_ms; /* of ack_time */
    char ack_time[32];
};

/* ---- listener.c: the role ---- */
void feeds_put_work(struct feeds *feeds, struct connection *connection);
/* Look at it again when commit takes more. */
void feeds_put_stalled(struct feeds *feeds, struct connection *connection);

/* ---- connection.c: the socket and its buffers ---- */
void connection_open(struct feeds *feeds, int fd, const uint8_t address[16]);
void connection_ready(struct loop_watch *watch, uint32_t ready);
void connection_watch(struct connection *connection);   /* what to wait for now */
void connection_hang_up(struct connection *connection); /* close its socket; what came stays */
void connection_abort(
    struct connection *connection); /* and forget what came: it is not acknowledged */
bool connection_is_finished(const struct connection *connection);
void connection_release(struct connection *connection);
/* Send now what is in `text`; what the socket does not take waits in the output buffer. */
void connection_send(struct connection *connection, struct bytes text);
void connection_give_input(
    struct connection *connection); /* when nothing of it is needed any more */

static inline struct slot *connection_slot(struct connection *connection, uint32_t nth) {
    return &connection->slots[(connection->first_sequence + nth) % SLOT_COUNT];
}
static inline bool slot_is_in_head(const struct slot *slot) {
    return slot->kind == SLOT_LARGE || slot->kind == SLOT_LARGE_CUT || slot->kind == SLOT_OVERSIZE;
}
struct bytes slot_body(const struct connection *connection, const struct slot *slot);

/* ---- take.c: bytes become slots, or a stream ---- */
bool connection_take(struct connection *connection); /* true: something was found */

/* ---- offer.c: to commit and back ---- */
void connection_offer(struct connection *connection);
bool feeds_can_stream(struct feeds *feeds);
enum err stream_begin(struct connection *connection, struct slot *slot, uint32_t sequence);
void stream_put(struct connection *connection, struct bytes part);
void stream_abort(struct connection *connection);
void stream_end(struct connection *connection, struct slot *slot);
MUST_CHECK enum err feeds_commit_frame(struct feeds *feeds, const struct ipc_frame *frame);
void feeds_link_opened(struct feeds *feeds);
void feeds_link_lost(struct feeds *feeds);

/* ---- answer.c: acknowledgements ---- */
void connection_answer(struct connection *connection);

#endif
