/* door.c - entries and orders from a command into the vault: through the running node, or under its lock. */
#include "node/door.h"

#include "base/confine.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINK_BYTES       (1u << 20)
#define WINDOW           4096u /* appends under way without an answer */
#define ANSWER_WAIT_MS   60000
#define ORDER_TIMEOUT_MS 600000
#define PIECE_BYTES      65536u
#define SYNC_AT_BYTES    (1u << 20)

/* ---- opening and closing ---- */

static enum err open_link(struct door *door, struct fault *fault) {
    struct bytes answer;
    int fd = -1;
    enum err err = control_connect(NULL, door->site_dir, &door->control, fault);
    if (err)
        return err;
    err = control_ask(&door->control, CONTROL_IMPORT, 0, &answer, &fd, fault);
    if (!err)
        err = ipc_init(&door->ipc, NULL, fd, LINK_BYTES, LINK_BYTES);
    if (err)
        ipc_release(&door->control);
    door->is_linked = !err;
    return err;
}

static enum err open_writer(struct door *door, struct fault *fault) {
    struct vault_writer_options options = {0};
    enum err err = site_role_lock(NULL, door->site_dir, "commit", &door->role_fd, fault);
    if (err)
        return err;
    err = unlocking_need(door->unlocking, door->site_dir, fault);
    options.unlock = door->unlocking->unlock;
    if (!err)
        err = vault_writer_open(&door->writer, NULL, door->site_dir, &options, fault);
    if (err)
        sys_close(NULL, door->role_fd);
    return err;
}

enum err door_open(struct door *door, const char *site_dir, struct unlocking *unlocking,
                   struct fault *fault) {
    *door =
        (struct door){.site_dir = site_dir, .unlocking = unlocking, .lock_fd = -1, .role_fd = -1};
    if (site_lock(NULL, site_dir, &door->lock_fd, &(struct fault){0}))
        return open_link(door, fault);
    enum err err = open_writer(door, fault);
    if (err)
        sys_close(NULL, door->lock_fd);
    return err;
}

/* Without a node nobody else would publish what came. */
static enum err close_writer(struct door *door, struct fault *fault) {
    enum err err = vault_writer_sync(door->writer, fault);
    uint64_t durable = vault_writer_durable_size(door->writer);
    vault_writer_close(door->writer);
    sys_close(NULL, door->role_fd);
    if (!err)
        err = site_publish(NULL, door->site_dir, door->unlocking->unlock, durable, fault);
    sys_close(NULL, door->lock_fd);
    return err;
}

static enum err take_answers(struct door *door, uint64_t until);

enum err door_close(struct door *door, struct fault *fault) {
    if (!door->is_linked)
        return close_writer(door, fault);
    enum err err = take_answers(door, door->sent);
    ipc_release(&door->ipc);
    ipc_release(&door->control);
    return err ? fault_set(fault, err, "not everything was stored") : ERR_OK;
}

void door_confine(const struct door *door) {
    static const struct {
        const char *name;
        bool may_write;
    } parts[] = {{"chart", true}, {"vault", false}, {"keys", false}, {"cache", true}};
    char names[4][SITE_PATH_BYTES];
    struct confine_path paths[5];
    if (!door->is_linked)
        return;
    for (size_t i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "%s/%s", door->site_dir, parts[i].name);
        paths[i] = (struct confine_path){names[i], parts[i].may_write};
    }
    paths[4] = (struct confine_path){"/usr/share/zoneinfo", false};
    struct confinement confinement = confine(NULL, paths, 5);
    (void)confinement; /* best effort; `status` says what the kernel gives the roles */
}

/* ---- by a link ---- */

static enum err take_answer(struct door *door, const struct ipc_frame *frame) {
    bool full, suspect;
    struct append_answer answer;
    if (frame->type == MESSAGE_VAULT_STATE)
        return roles_get_vault_state(frame, &full, &suspect);
    enum err err = frame->type == MESSAGE_APPENDED ? roles_get_appended(frame, &answer) : ERR_INPUT;
    if (err)
        return err;
    door->answered++;
    if (answer.err)
        door->refused = answer.err;
    else if (answer.index >= door->size)
        door->size = answer.index + 1;
    door->taken += !answer.err && !answer.is_repeat;
    door->repeats += !answer.err && answer.is_repeat;
    return ERR_OK;
}

static enum err take_answers(struct door *door, uint64_t until) {
    while (door->answered < until) {
        struct ipc_frame frame;
        enum err err = ipc_wait_frame(&door->ipc, ANSWER_WAIT_MS, &frame);
        if (!err)
            err = take_answer(door, &frame);
        if (err)
            return err;
    }
    return door->refused;
}

static enum err link_put(struct door *door, enum role_message type,
                         const struct append_request *request, struct bytes data) {
    for (;;) {
        enum err err = type == MESSAGE_BLOB_BEGIN || type == MESSAGE_BLOB_DATA
                           ? roles_put_blob(&door->ipc, type, request->token, data)
                           : roles_put_append(&door->ipc, type, request);
        if (err != ERR_FULL)
            return err;
        err = ipc_flush(&door->ipc);
        if (err)
            return err;
        if (ipc_has_output(&door->ipc))
            usleep(500);
    }
}

static enum err await_some(struct door *door) {
    return door->sent - door->answered < WINDOW ? ERR_OK
                                                : take_answers(door, door->sent - WINDOW / 2);
}

static enum err append_by_link(struct door *door, struct append_request *request) {
    request->token = door->sent++;
    enum err err = link_put(door, MESSAGE_APPEND, request, BYTES_NONE);
    return err ? err : await_some(door);
}

static enum err await_done(struct ipc *ipc, uint64_t *number, struct fault *fault) {
    for (;;) {
        struct ipc_frame frame;
        struct keys_answer answer;
        enum err err = ipc_wait_frame(ipc, ORDER_TIMEOUT_MS, &frame);
        if (!err && frame.type == MESSAGE_VAULT_STATE)
            continue;
        if (!err)
            err =
                frame.type == MESSAGE_KEYS_DONE ? roles_get_keys_done(&frame, &answer) : ERR_INPUT;
        if (err)
            return fault_set(fault, err, "the node does not answer");
        *number = answer.number;
        if (!answer.err)
            return ERR_OK;
        fault_set(fault, answer.err, "the node could not do it");
        snprintf(fault->subject, sizeof fault->subject, "%.*s", (int)answer.fault.size,
                 (const char *)answer.fault.data);
        return answer.err;
    }
}

/* ---- by a writer ---- */

/* Writes an entry, or with `blob` one whose body is there; takes the blob, whatever comes of it. */
static enum err append_by_writer(struct door *door, const struct append_request *request,
                                 struct vault_blob_writer *blob, struct fault *fault) {
    struct vault_entry entry = roles_entry_of(request);
    struct vault_append append = {&entry, request->check_repeat, request->is_from_person};
    uint64_t index;
    bool is_repeat = false;
    enum err err = blob
                       ? vault_blob_finish(blob, &append, &index, &is_repeat, fault)
                       : vault_writer_append(door->writer, &append, &index, &is_repeat, fault);
    door->sent++;
    door->taken += !err && !is_repeat;
    door->repeats += !err && is_repeat;
    if (!err && index >= door->size)
        door->size = index + 1;
    if (err || (vault_writer_pending_bytes(door->writer) <= SYNC_AT_BYTES &&
                !vault_writer_is_ripe(door->writer) && !vault_writer_is_due(door->writer)))
        return err;
    err = vault_writer_sync(door->writer, fault);
    return err ? err : vault_writer_tend(door->writer, fault);
}

/* ---- both ---- */

static enum err node_took(enum err err, struct fault *fault) {
    return err ? fault_set(fault, err, "the node did not take an entry") : ERR_OK;
}

static enum err append_large(struct door *door, struct append_request *request,
                             struct fault *fault) {
    struct door_upload upload;
    enum err err = door_upload_begin(door, &upload, fault);
    if (!err)
        err = door_upload_feed(door, &upload, request->body, fault);
    if (!err)
        return door_upload_end(door, &upload, request, fault);
    door_upload_abort(&upload);
    return err;
}

enum err door_append(struct door *door, struct append_request *request, struct fault *fault) {
    if (request->body.size > VAULT_INLINE_BYTES_MAX)
        return append_large(door, request, fault);
    return door->is_linked ? node_took(append_by_link(door, request), fault)
                           : append_by_writer(door, request, NULL, fault);
}

enum err door_upload_begin(struct door *door, struct door_upload *upload, struct fault *fault) {
    upload->blob = NULL;
    upload->first_bytes = 0;
    if (!door->is_linked)
        return vault_blob_begin(door->writer, &upload->blob, fault);
    upload->token = door->sent++;
    struct append_request request = {.token = upload->token};
    return node_took(link_put(door, MESSAGE_BLOB_BEGIN, &request, BYTES_NONE), fault);
}

static void keep_first(struct door_upload *upload, struct bytes piece) {
    piece = bytes_first(piece, sizeof upload->first - upload->first_bytes);
    if (piece.size)
        memcpy(upload->first + upload->first_bytes, piece.data, piece.size);
    upload->first_bytes += piece.size;
}

enum err door_upload_feed(struct door *door, struct door_upload *upload, struct bytes piece,
                          struct fault *fault) {
    struct append_request request = {.token = upload->token};
    enum err err = ERR_OK;
    keep_first(upload, piece);
    if (!door->is_linked)
        return vault_blob_feed(upload->blob, piece, fault);
    for (; !err && !bytes_is_empty(piece); piece = bytes_skip(piece, PIECE_BYTES))
        err = link_put(door, MESSAGE_BLOB_DATA, &request, bytes_first(piece, PIECE_BYTES));
    return node_took(err, fault);
}

enum err door_upload_end(struct door *door, struct door_upload *upload,
                         struct append_request *request, struct fault *fault) {
    struct vault_blob_writer *blob = upload->blob;
    request->body = bytes_from(upload->first, upload->first_bytes);
    request->token = upload->token;
    upload->blob = NULL;
    if (!door->is_linked)
        return append_by_writer(door, request, blob, fault);
    enum err err = link_put(door, MESSAGE_BLOB_END, request, BYTES_NONE);
    return node_took(err ? err : await_some(door), fault);
}

/* A node forgets it with the link. */
void door_upload_abort(struct door_upload *upload) {
    if (upload->blob)
        vault_blob_abort(upload->blob);
    upload->blob = NULL;
}

enum err door_settle(struct door *door, struct fault *fault) {
    if (!door->is_linked)
        return vault_writer_sync(door->writer, fault);
    return node_took(take_answers(door, door->sent), fault);
}

enum err door_order(struct door *door, const struct keys_request *request, uint64_t *number,
                    struct fault *fault) {
    enum err err = door_settle(door, fault);
    if (err || !door->is_linked)
        return err ? err : keys_obey(door->writer, request, number, fault);
    err = roles_put_keys(&door->ipc, request);
    return err ? fault_set(fault, err, "the node takes no order")
               : await_done(&door->ipc, number, fault);
}

enum err door_state(struct door *door, struct bytes *json, struct fault *fault) {
    return door->is_linked ? control_ask(&door->control, CONTROL_STATUS, 0, json, NULL, fault)
                           : fault_set(fault, ERR_STATE, "no node runs here");
}

enum err door_epoch(struct door *door, uint32_t *epoch, struct fault *fault) {
    struct bytes text;
    if (!door->is_linked) {
        *epoch = vault_writer_epoch(door->writer);
        return ERR_OK;
    }
    enum err err = door_state(door, &text, fault);
    if (err)
        return err;
    json_t *state = json_loadb((const char *)text.data, text.size, 0, NULL);
    json_t *number = json_object_get(json_object_get(state, "vault"), "epoch");
    *epoch = (uint32_t)json_integer_value(number);
    json_decref(state);
    return *epoch ? ERR_OK : fault_set(fault, ERR_STATE, "the node has not said yet how it is");
}

enum err keys_obey(struct vault_writer *writer, const struct keys_request *request,
                   uint64_t *number, struct fault *fault) {
    char why[129];
    uint32_t count = 0;
    enum err err = ERR_OK;
    switch (request->order) {
    case KEYS_WRAP_PAST:
        err = vault_writer_wrap_past(writer, request->public_key.data, &count, fault);
        *number = count;
        return err;
    case KEYS_DROP_BLOBS:
        return vault_writer_drop_blobs(writer, request->epoch, request->names, number, fault);
    case KEYS_ERASE:
        snprintf(why, sizeof why, "%.*s", (int)request->why.size, (const char *)request->why.data);
        err = vault_writer_erase_epoch(writer, request->epoch, why, fault);
        break;
    case KEYS_ROTATE:
        err = vault_writer_rotate(writer, fault);
        break;
    }
    *number = vault_writer_epoch(writer);
    return err;
}
