/* roles.h - what the roles of a node say to each other.
 *
 * Shapes     one put_ and one get_ function a message, over base/ipc.h. A get_ function must use up its payload.
 * Errors     ERR_INPUT from a get_: the peer is broken or taken over; the role stops. ERR_FULL from a put_: wait.
 * Ownership  views point into the frame, until the next ipc_next or ipc_read.
 * Process    all. See docs/ARCHITECTURE.md for who is linked to whom:
 *            feeds, folder -> commit -> publish, commit -> open -> chart, open -> web, and each role -> supervisor.
 */
#ifndef ROLES_ROLES_H
#define ROLES_ROLES_H

#include "base/confine.h"
#include "base/ipc.h"
#include "base/loop.h"
#include "vault/vault.h"

enum role { ROLE_SUPERVISOR, ROLE_COMMIT, ROLE_PUBLISH, ROLE_OPEN, ROLE_FEEDS, ROLE_CHART, ROLE_WEB, ROLE_IMPORT,
            ROLE_FOLDER, ROLE_COUNT };
const char *role_name(enum role role);
bool role_from_name(const char *name, enum role *role);

/* Every role starts with one descriptor: its channel to the supervisor. */
#define ROLE_SUPERVISOR_FD 3
/* A role that reads the site's secret keys, where they have a passphrase, has one more, as --unlock says: a struct vault_unlock
 * to be read, then the end. */
#define ROLE_UNLOCK_FD 4

enum role_message {
    /* supervisor -> role */
    MESSAGE_PEER = 1,   /* argument: enum role; with a descriptor: the (new) link to that role */
    MESSAGE_LISTEN,     /* argument: index of the listener; with a descriptor, already listening */
    MESSAGE_STOP,       /* finish and leave */
    MESSAGE_STATE,      /* to web: the node's state as JSON (what `status --json` prints) */
    MESSAGE_CHART,      /* to web: the chart's generation changed */
    /* role -> supervisor */
    MESSAGE_READY = 32,
    MESSAGE_REPORT,     /* a JSON object of this role's figures */
    MESSAGE_PROBLEM,    /* what is wrong in this role, in words; empty: nothing */
    MESSAGE_TAKING,     /* chart: the entry being taken, for the "killed twice" rule */
    MESSAGE_GENERATION, /* chart: made and switched to a new generation */
    MESSAGE_ALIVE,      /* every ALIVE_EVERY_US: its loop goes round */
    MESSAGE_CONFINED,   /* how far it is closed in: the ABI of Landlock, and CONFINED_CALLS when seccomp holds */
    /* feeds, web, import -> commit */
    MESSAGE_APPEND = 64,
    MESSAGE_BLOB_BEGIN,
    MESSAGE_BLOB_DATA,
    MESSAGE_BLOB_END,
    MESSAGE_BLOB_ABORT,
    /* commit -> feeds, web, import */
    MESSAGE_APPENDED,
    MESSAGE_VAULT_STATE, /* full, suspect: at the start of a link and at each change */
    /* import -> commit: an order about keys; commit -> import: what came of it */
    MESSAGE_KEYS,
    MESSAGE_KEYS_DONE,
    /* commit -> publish, open; open -> chart */
    MESSAGE_DURABLE = 96,
    /* commit -> open: an epoch's key is erased, forget it */
    MESSAGE_ERASED,
    /* publish -> commit */
    MESSAGE_PUBLISHED,
    /* chart, web -> open */
    MESSAGE_READ = 128,
    /* open -> chart, web */
    MESSAGE_ENTRY,
    MESSAGE_ENTRY_DATA,
    MESSAGE_NO_ENTRY
};

struct append_request {  /* MESSAGE_APPEND, MESSAGE_BLOB_END (then body is its first bytes) */
    uint64_t token;      /* the sender's; comes back in MESSAGE_APPENDED */
    bool check_repeat;
    bool is_from_person;
    enum vault_kind kind;
    uint32_t flags;      /* enum vault_flag */
    int64_t received_at;
    struct bytes media_type, source, author, role, body;
    /* From import alone: what an older entry said, stated again (struct vault_entry). */
    bool is_restated;
    uint64_t restated_index;
    hlc_stamp restated_clock;
    uint32_t restated_parts;
};
/* The entry that a request asks for; views into the request. */
struct vault_entry roles_entry_of(const struct append_request *request);
MUST_CHECK enum err roles_put_append(struct ipc *ipc, enum role_message type, const struct append_request *request);
MUST_CHECK enum err roles_get_append(const struct ipc_frame *frame, struct append_request *request);
/* BLOB_BEGIN, BLOB_DATA, BLOB_ABORT: data empty but for DATA (at most 64 KiB a frame). */
MUST_CHECK enum err roles_put_blob(struct ipc *ipc, enum role_message type, uint64_t token, struct bytes data);
MUST_CHECK enum err roles_get_blob(const struct ipc_frame *frame, uint64_t *token, struct bytes *data);

struct append_answer {
    uint64_t token, index;
    bool is_repeat;
    enum err err;        /* ERR_OK: durable. ERR_FULL, ERR_STATE (suspect), ERR_LIMIT, ERR_IO: not taken */
};
MUST_CHECK enum err roles_put_appended(struct ipc *ipc, const struct append_answer *answer);
MUST_CHECK enum err roles_get_appended(const struct ipc_frame *frame, struct append_answer *answer);
MUST_CHECK enum err roles_put_vault_state(struct ipc *ipc, bool is_full, bool is_suspect);
MUST_CHECK enum err roles_get_vault_state(const struct ipc_frame *frame, bool *is_full, bool *is_suspect);

/* DURABLE, ERASED, PUBLISHED, TAKING, GENERATION, CHART, NO_ENTRY: one number. */
MUST_CHECK enum err roles_put_number(struct ipc *ipc, enum role_message type, uint64_t number);
MUST_CHECK enum err roles_get_number(const struct ipc_frame *frame, uint64_t *number);
/* STATE, REPORT, PROBLEM: a text. READY, STOP: an empty one. */
MUST_CHECK enum err roles_put_text(struct ipc *ipc, enum role_message type, struct bytes text);
MUST_CHECK enum err roles_get_text(const struct ipc_frame *frame, struct bytes *text);

enum keys_order {
    KEYS_ROTATE,    /* begin the next epoch */
    KEYS_WRAP_PAST, /* wrap every epoch to public_key */
    KEYS_ERASE,     /* erase `epoch`; why: in words */
    KEYS_DROP_BLOBS /* remove the blobs `names` of `epoch`, which is erased */
};
/* So few at a time, because commit does nothing else meanwhile. */
#define KEYS_BLOB_COUNT_MAX 64u
struct keys_request {
    enum keys_order order;
    uint32_t epoch;
    struct bytes public_key, why;
    struct bytes names; /* 32 bytes each */
};
MUST_CHECK enum err roles_put_keys(struct ipc *ipc, const struct keys_request *request);
MUST_CHECK enum err roles_get_keys(const struct ipc_frame *frame, struct keys_request *request);
struct keys_answer {
    enum err err;
    uint64_t number;    /* the epoch in use; how many epochs were wrapped, blobs removed */
    struct bytes fault; /* what went wrong, in words */
};
MUST_CHECK enum err roles_put_keys_done(struct ipc *ipc, const struct keys_answer *answer);
MUST_CHECK enum err roles_get_keys_done(const struct ipc_frame *frame, struct keys_answer *answer);

#define READ_MORE UINT64_MAX
struct read_request {
    uint64_t token;      /* comes back with the entry */
    uint64_t from;       /* first index; READ_MORE: go on where you stand */
    uint32_t count;      /* how many may be sent: credit, added to what is left. 1 for the web */
    uint32_t bytes_max;  /* of each body; the rest is left out (0: all) */
};
MUST_CHECK enum err roles_put_read(struct ipc *ipc, const struct read_request *request);
MUST_CHECK enum err roles_get_read(const struct ipc_frame *frame, struct read_request *request);

struct entry_message {   /* MESSAGE_ENTRY: all there when body.size == given_bytes, else ENTRY_DATA frames follow */
    uint64_t token, index;
    uint64_t given_bytes; /* of the body: what was asked for, at most entry.body_bytes */
    struct vault_entry entry;
};
MUST_CHECK enum err roles_put_entry(struct ipc *ipc, const struct entry_message *message);
MUST_CHECK enum err roles_get_entry(const struct ipc_frame *frame, struct entry_message *message);
/* ENTRY_DATA uses roles_put_blob / roles_get_blob. NO_ENTRY uses roles_put_number with the token. */

#define ALIVE_EVERY_US US_PER_S
#define CONFINED_CALLS (UINT64_C(1) << 32)

/* ---- a role's life: the part that every role shares ---- */

struct role_link {       /* to a peer; lost and given again by the supervisor when the peer is restarted */
    struct ipc ipc;
    struct loop_watch watch;
    struct role_life *life;
    enum role peer;
    bool is_open;
    bool is_paused;      /* stop reading from it (back-pressure) */
};

struct role_life {
    struct sys *sys;
    struct loop loop;
    struct role_link supervisor;
    enum role role;
    const char *site_dir;
    struct role_link links[ROLE_COUNT]; /* by peer */
    size_t in_bytes_max, out_bytes_max; /* buffers of links */
    struct confinement confinement;
    bool is_stopping;
    int64_t alive_said_at; /* monotonic */
    const char *problem;
    /* All may be NULL. `owner` is the role's own state. */
    void *owner;
    enum err (*on_frame)(struct role_life *life, struct role_link *link, const struct ipc_frame *frame);
    void (*on_link)(struct role_life *life, struct role_link *link);      /* opened, or opened again */
    void (*on_link_lost)(struct role_life *life, struct role_link *link);
    void (*on_listen)(struct role_life *life, unsigned index, int fd);
    void (*on_state)(struct role_life *life, struct bytes json);
    void (*on_chart)(struct role_life *life, uint64_t generation);
    void (*on_round)(struct role_life *life);  /* after each round of events, before links are flushed */
    void (*on_stop)(struct role_life *life);   /* asked to stop: set life->loop.is_stopping when done; NULL: at once */
};

/* Take over ROLE_SUPERVISOR_FD, set up the loop, give up every right that the role does not need (confine.c); say nothing
 * yet. site_dir NULL: it needs nothing of the site any more. */
MUST_CHECK enum err role_life_init(struct role_life *life, enum role role, struct sys *sys,
                                   const char *site_dir, struct fault *fault);
/* The same of a role that also needs what the configuration names: `paths` may be reached too. */
MUST_CHECK enum err role_life_init_with(struct role_life *life, enum role role, struct sys *sys,
                                        const char *site_dir, const struct confine_path *paths,
                                        size_t path_count, struct fault *fault);
/* Say how far it is confined and READY, run until stopped or the supervisor is gone; flushes links after each round. Returns an exit code. */
int role_life_run(struct role_life *life);
void role_life_release(struct role_life *life);
/* Pause or resume reading from a link. */
void role_link_pause(struct role_link *link, bool pause);
/* Send this role's figures to the supervisor (JSON object). */
void role_life_report(struct role_life *life, struct bytes json);
/* Say what is wrong (a static text), or NULL when nothing is; sent when it changes. */
void role_life_problem(struct role_life *life, const char *problem);

#endif
