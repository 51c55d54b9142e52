/* site.h - who may touch a site's directory: its lock, its control socket, and reading it without a node.
 *
 * Shapes     DIR/lock is held by the one owner; DIR/run/control is the running node's door for commands of the same user.
 *            Control frames are those of base/ipc.h, one request a connection.
 * Errors     ERR_STATE: another owner (lock), or no node runs (control).
 * Process    supervisor and commands.
 */
#ifndef NODE_SITE_H
#define NODE_SITE_H

#include "node/config.h"
#include "vault/vault.h"

/* ERR_STATE when another process holds it. */
MUST_CHECK enum err site_lock(struct sys *sys, const char *site_dir, int *lock_fd,
                              struct fault *fault);
/* A role's own lock, waited for: after the supervisor alone was killed, its roles may still be leaving when the next
 * node's begin. There must never be two writers or two signers. Held until *lock_fd is closed, or the process ends. */
MUST_CHECK enum err site_role_lock(struct sys *sys, const char *site_dir, const char *role,
                                   int *lock_fd, struct fault *fault);
/* By the owner, with no node: everything below `durable_size` comes under a signed checkpoint. */
MUST_CHECK enum err site_publish(struct sys *sys, const char *site_dir,
                                 const struct vault_unlock *unlock, uint64_t durable_size,
                                 struct fault *fault);
/* The same; *lost_from: entries from there on were signed once and are not here any more, UINT64_MAX: none. */
MUST_CHECK enum err site_publish_seeing(struct sys *sys, const char *site_dir,
                                        const struct vault_unlock *unlock, uint64_t durable_size,
                                        uint64_t *lost_from, struct fault *fault);
MUST_CHECK enum err site_is_there(struct sys *sys, const char *site_dir, struct fault *fault);

enum control_message {
    CONTROL_STATUS = 256, /* -> CONTROL_ANSWER, the state as JSON */
    CONTROL_SWITCH,       /* a number: use this chart generation -> CONTROL_ANSWER */
    CONTROL_IMPORT,       /* -> CONTROL_LINK with a descriptor: a link to commit */
    CONTROL_ANSWER,       /* u8 enum err, text */
    CONTROL_LINK,
    CONTROL_RETENTION /* a JSON object, part of the state from here on -> CONTROL_ANSWER */
};
#define RETENTION_BYTES_MAX 2048u
MUST_CHECK enum err control_listen(struct sys *sys, const char *site_dir, int *fd,
                                   struct fault *fault);
MUST_CHECK enum err control_connect(struct sys *sys, const char *site_dir, struct ipc *ipc,
                                    struct fault *fault);
/* Ask and wait for the answer: a view into `ipc`. *fd gets a descriptor when one came, else -1 (may be NULL). */
MUST_CHECK enum err control_ask(struct ipc *ipc, enum control_message request, uint64_t number,
                                struct bytes *answer, int *fd, struct fault *fault);
/* Tell the supervisor a text, of CONTROL_RETENTION. */
MUST_CHECK enum err control_tell(struct ipc *ipc, enum control_message request, struct bytes text,
                                 struct fault *fault);
/* Send what was put and wait for a frame; ERR_TIMEOUT. */
MUST_CHECK enum err ipc_wait_frame(struct ipc *ipc, int timeout_ms, struct ipc_frame *frame);

/* Entries from..to-1 in plaintext, read with the site's own key and no lock. Of a large body an entry has the first bytes:
 * site_entry_body gives all of any body, in pieces, and may be called again, as long as `take` has not returned. */
struct site_entry {
    uint64_t index;
    struct vault_entry entry;
    struct vault_opener *opener;
};
typedef enum err (*site_take)(void *owner, const struct site_entry *entry, struct fault *fault);
MUST_CHECK enum err site_each_entry(struct sys *sys, const char *site_dir,
                                    const struct vault_unlock *unlock, uint64_t from, uint64_t to,
                                    site_take take, void *owner, struct fault *fault);
MUST_CHECK enum err site_entry_body(const struct site_entry *entry, vault_take take, void *owner,
                                    struct fault *fault);
static inline bool site_entry_is_large(const struct site_entry *entry) {
    return !bytes_is_empty(entry->entry.blob_name);
}

/* How many entries can be read there now; 0 when that cannot be told. */
uint64_t site_vault_size(const char *site_dir);

/* "veilleuse: <what> ..." on stderr; returns the exit code. */
int command_fail(enum err err, const struct fault *fault);
int command_usage(const char *usage);

#endif
