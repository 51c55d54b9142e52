/* door.h - how a command puts entries into a site's vault, and gives orders about its keys: by a link to the running node's
 * commit, or by a writer of its own under the site's lock.
 *
 * Shapes     open, append and order as often as wanted, settle, close.
 * Errors     what the vault answers: ERR_FULL, ERR_STATE (suspect), ERR_INPUT; the link's: ERR_TIMEOUT, ERR_STATE. An append may
 *            show its error as late as at settle. ERR_AUTH: the passphrase.
 * Ownership  everything is given back by door_close, which also publishes when no node does.
 * Process    commands, and the node's own short-lived ones. One at a time a site, when there is no node.
 */
#ifndef NODE_DOOR_H
#define NODE_DOOR_H

#include "node/passphrase.h"
#include "node/site.h"
#include "roles/roles.h"

struct door {
    const char *site_dir;
    struct unlocking *unlocking;
    bool is_linked;
    struct ipc control, ipc;     /* linked: to the supervisor, to commit */
    struct vault_writer *writer; /* else */
    int lock_fd, role_fd;
    uint64_t sent, answered, taken, repeats;
    const char *source; /* what stands as the source of imported entries; NULL: "import" */
    uint64_t size; /* one more than the newest index answered */
    enum err refused;
};

/* Without a node the keys are read here: `unlocking` is asked then, and must last until the door is closed. */
MUST_CHECK enum err door_open(struct door *door, const char *site_dir, struct unlocking *unlocking,
                              struct fault *fault);
/* The body may be of any size, if it is held. `token` is given here. */
MUST_CHECK enum err door_append(struct door *door, struct append_request *request,
                                struct fault *fault);
/* The same for a body that comes in pieces, begin, feed, end; abort after an error, or instead. `first` are its first bytes, a
 * view until end; the request needs no body. Large or not, it becomes a blob. */
#define DOOR_FIRST_BYTES 4096u
struct door_upload {
    struct vault_blob_writer *blob; /* without a node */
    uint64_t token;                 /* with one */
    size_t first_bytes;
    uint8_t first[DOOR_FIRST_BYTES];
};
MUST_CHECK enum err door_upload_begin(struct door *door, struct door_upload *upload,
                                      struct fault *fault);
MUST_CHECK enum err door_upload_feed(struct door *door, struct door_upload *upload,
                                     struct bytes piece, struct fault *fault);
MUST_CHECK enum err door_upload_end(struct door *door, struct door_upload *upload,
                                    struct append_request *request, struct fault *fault);
void door_upload_abort(struct door_upload *upload);
/* Everything appended is durable. */
MUST_CHECK enum err door_settle(struct door *door, struct fault *fault);
/* Settles, then has the order carried out. */
MUST_CHECK enum err door_order(struct door *door, const struct keys_request *request,
                               uint64_t *number, struct fault *fault);
/* Linked: the node's state as JSON, a view until the next call. ERR_STATE: there is no node. */
MUST_CHECK enum err door_state(struct door *door, struct bytes *json, struct fault *fault);
/* The epoch in use. ERR_STATE: the node has not said yet. */
MUST_CHECK enum err door_epoch(struct door *door, uint32_t *epoch, struct fault *fault);
/* Linked: nothing from here on but what is open, and these directories of the site: chart, vault, keys, cache. */
void door_confine(const struct door *door);
/* Without a node: sync and publish what came. May be called after an error too. */
MUST_CHECK enum err door_close(struct door *door, struct fault *fault);

/* Carry out an order about keys. Nothing may be pending. */
MUST_CHECK enum err keys_obey(struct vault_writer *writer, const struct keys_request *request,
                              uint64_t *number, struct fault *fault);

#endif
