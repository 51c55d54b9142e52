/* command_import.c - import: files into the vault, through the running node or under its lock. */
#include "node/site.h"

#include "formats/hl7/hl7.h"
#include "node/node.h"
#include "node/options.h"
#include "node/passphrase.h"
#include "roles/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_BYTES    ((size_t)4 << 20) /* of a file: messages up to this size are looked at whole */
#define PIECE_BYTES     65536u
#define HEAD_BYTES_MAX  4096u
#define SYNC_FROM_BYTES (1u << 20)
#define IMPORT_WINDOW   4096u /* messages on their way to a node */

/* Where imported messages go: a running node's commit, or a writer of our own under the lock. */
struct import {
    struct ipc ipc;
    struct vault_writer *writer;
    bool is_linked;
    uint64_t sent, answered, taken, repeats;
    enum err refused;
    struct unlocking unlocking; /* needed by the writer alone */
};

static enum err take_answers(struct import *import, uint64_t until) {
    while (import->answered < until) {
        struct ipc_frame frame;
        bool full, suspect;
        struct append_answer answer;
        enum err err = ipc_wait_frame(&import->ipc, 60000, &frame);
        if (err)
            return err;
        if (frame.type == MESSAGE_VAULT_STATE) {
            err = roles_get_vault_state(&frame, &full, &suspect);
        } else {
            err = frame.type == MESSAGE_APPENDED ? roles_get_appended(&frame, &answer) : ERR_INPUT;
            import->answered++;
            if (!err && answer.err)
                import->refused = answer.err;
            import->taken += !err && !answer.err && !answer.is_repeat;
            import->repeats += !err && !answer.err && answer.is_repeat;
        }
        if (err)
            return err;
    }
    return import->refused;
}

static struct append_request request_of(struct bytes message, const char *media_type) {
    struct hl7_header header;
    hl7_header_read(&header, message);
    return (struct append_request){
        .check_repeat = !header.has_msh || !bytes_is_empty(header.control_id),
        .kind = VAULT_MESSAGE,
        .received_at = sys_now_us(NULL),
        .media_type = bytes_from_string(media_type),
        .source = BYTES("import"),
        .body = message,
    };
}

static enum err link_put(struct import *import, enum role_message type,
                         const struct append_request *request, struct bytes data) {
    for (;;) {
        enum err err = type == MESSAGE_BLOB_BEGIN || type == MESSAGE_BLOB_DATA
                           ? roles_put_blob(&import->ipc, type, request->token, data)
                           : roles_put_append(&import->ipc, type, request);
        if (err != ERR_FULL)
            return err;
        err = ipc_flush(&import->ipc);
        if (err)
            return err;
        if (ipc_has_output(&import->ipc))
            usleep(500);
    }
}

static enum err await_some(struct import *import) {
    if (import->sent - import->answered < IMPORT_WINDOW)
        return ERR_OK;
    return take_answers(import, import->sent - IMPORT_WINDOW / 2);
}

static enum err count_stored(struct import *import, enum err err, bool is_repeat) {
    import->sent++;
    import->taken += !err && !is_repeat;
    import->repeats += !err && is_repeat;
    return err;
}

static enum err sync_when_full(struct import *import, struct fault *fault) {
    if (vault_writer_pending_bytes(import->writer) <= SYNC_FROM_BYTES &&
        !vault_writer_is_ripe(import->writer) && !vault_writer_is_due(import->writer))
        return ERR_OK;
    enum err err = vault_writer_sync(import->writer, fault);
    return err ? err : vault_writer_tend(import->writer, fault);
}

static struct vault_entry entry_of(const struct append_request *request) {
    return (struct vault_entry){
        .kind = request->kind,
        .media_type = request->media_type,
        .source = request->source,
        .received_at = request->received_at,
        .body = request->body,
        .body_bytes = request->body.size,
    };
}

static enum err import_small(struct import *import, struct append_request *request,
                             struct fault *fault) {
    if (import->is_linked) {
        request->token = import->sent++;
        enum err err = link_put(import, MESSAGE_APPEND, request, BYTES_NONE);
        return err ? err : await_some(import);
    }
    struct vault_entry entry = entry_of(request);
    struct vault_append append = {&entry, request->check_repeat, false};
    uint64_t index;
    bool is_repeat = false;
    enum err err = vault_writer_append(import->writer, &append, &index, &is_repeat, fault);
    err = count_stored(import, err, is_repeat);
    return err ? err : sync_when_full(import, fault);
}

/* ---- what is too large for an entry, in pieces ---- */

struct upload {
    struct vault_blob_writer *blob; /* without a node */
    uint64_t token;                 /* with one */
    const char *media_type;
    uint8_t head[HEAD_BYTES_MAX];
    size_t head_bytes;
};

static enum err upload_begin(struct import *import, struct upload *upload, const char *media_type,
                             struct fault *fault) {
    *upload = (struct upload){.media_type = media_type};
    if (!import->is_linked)
        return vault_blob_begin(import->writer, &upload->blob, fault);
    upload->token = import->sent++;
    struct append_request request = {.token = upload->token};
    return link_put(import, MESSAGE_BLOB_BEGIN, &request, BYTES_NONE);
}

static void keep_head(struct upload *upload, struct bytes piece) {
    piece = bytes_first(piece, sizeof upload->head - upload->head_bytes);
    if (piece.size)
        memcpy(upload->head + upload->head_bytes, piece.data, piece.size);
    upload->head_bytes += piece.size;
}

static enum err upload_feed(struct import *import, struct upload *upload, struct bytes piece,
                            struct fault *fault) {
    struct append_request request = {.token = upload->token};
    enum err err = ERR_OK;
    keep_head(upload, piece);
    if (!import->is_linked)
        return vault_blob_feed(upload->blob, piece, fault);
    for (; !err && !bytes_is_empty(piece); piece = bytes_skip(piece, PIECE_BYTES))
        err = link_put(import, MESSAGE_BLOB_DATA, &request, bytes_first(piece, PIECE_BYTES));
    return err;
}

static enum err upload_store(struct import *import, struct upload *upload,
                             const struct append_request *request, struct fault *fault) {
    struct vault_entry entry = entry_of(request);
    struct vault_append append = {&entry, request->check_repeat, false};
    struct vault_blob_writer *blob = upload->blob;
    uint64_t index;
    bool is_repeat = false;
    upload->blob = NULL; /* finish takes it, whatever comes of it */
    enum err err = vault_blob_finish(blob, &append, &index, &is_repeat, fault);
    err = count_stored(import, err, is_repeat);
    return err ? err : sync_when_full(import, fault);
}

static enum err upload_end(struct import *import, struct upload *upload, struct fault *fault) {
    struct append_request request =
        request_of(bytes_from(upload->head, upload->head_bytes), upload->media_type);
    request.token = upload->token;
    if (!import->is_linked)
        return upload_store(import, upload, &request, fault);
    enum err err = link_put(import, MESSAGE_BLOB_END, &request, BYTES_NONE);
    return err ? err : await_some(import);
}

/* After an error: a node forgets it with the link. */
static void upload_clear(struct upload *upload) {
    if (upload->blob)
        vault_blob_abort(upload->blob);
    upload->blob = NULL;
}

static enum err import_message(struct import *import, struct bytes message, const char *media_type,
                               struct fault *fault) {
    struct append_request request = request_of(message, media_type);
    if (message.size <= VAULT_INLINE_BYTES_MAX)
        return import_small(import, &request, fault);
    struct upload upload;
    enum err err = upload_begin(import, &upload, media_type, fault);
    if (!err)
        err = upload_feed(import, &upload, message, fault);
    if (!err)
        err = upload_end(import, &upload, fault);
    upload_clear(&upload);
    return err;
}

/* ---- files ---- */

/* A file's part that is in memory. */
struct window {
    int fd;
    uint8_t *data;
    size_t size;
    bool is_last; /* it reaches the end of the file */
};

static struct bytes window_bytes(const struct window *window) {
    return bytes_from(window->data, window->size);
}

static enum err window_fill(struct window *window, const char *path, struct fault *fault) {
    while (window->size < WINDOW_BYTES && !window->is_last) {
        ssize_t n =
            sys_read(NULL, window->fd, window->data + window->size, WINDOW_BYTES - window->size);
        if (n < 0)
            return fault_set_errno(fault, ERR_IO, errno, "the file cannot be read", path);
        window->is_last = n == 0;
        window->size += (size_t)n;
    }
    return ERR_OK;
}

static void window_drop(struct window *window, size_t count) {
    window->size -= count;
    memmove(window->data, window->data + count, window->size);
}

/* Behind the last message, where only blank lines and an envelope's are: the last of them may not be whole yet. */
static size_t last_line(struct bytes all, size_t from) {
    size_t at = all.size;
    while (at > from && all.data[at - 1] != '\r' && all.data[at - 1] != '\n')
        at--;
    return at > from ? at : from > 0 ? from : all.size;
}

/* A message that ends where the window does may go on in the file: it waits for the next one, at whose start it then stands.
 * *used: bytes done with. */
static enum err import_window(struct import *import, const struct window *window, size_t *used,
                              struct fault *fault) {
    struct bytes all = window_bytes(window), message;
    size_t at = 0;
    *used = 0;
    while (hl7_batch_next(all, &at, &message)) {
        if (at >= window->size && !window->is_last) {
            *used = (size_t)(message.data - window->data);
            return ERR_OK;
        }
        enum err err = import_message(import, message, "application/hl7-v2", fault);
        if (err)
            return err;
        *used = at;
    }
    *used = window->is_last ? window->size : last_line(all, *used);
    return ERR_OK;
}

/* The window is full and its first message is not over: it goes on its way in parts. */
static enum err import_long_message(struct import *import, struct window *window, const char *path,
                                    struct fault *fault) {
    struct hl7_batch_parts parts = {0};
    struct upload upload;
    bool is_end = false;
    enum err err = upload_begin(import, &upload, "application/hl7-v2", fault);
    while (!err && !is_end) {
        bool was_full = window->size == WINDOW_BYTES;
        size_t part = hl7_batch_part(&parts, window_bytes(window), window->is_last, &is_end);
        err = upload_feed(import, &upload, bytes_first(window_bytes(window), part), fault);
        window_drop(window, part);
        is_end = is_end || (part == 0 && was_full); /* blank lines without end */
        if (!err && !is_end)
            err = window_fill(window, path, fault);
    }
    if (!err)
        err = upload_end(import, &upload, fault);
    upload_clear(&upload);
    return err;
}

static enum err import_hl7(struct import *import, struct window *window, const char *path,
                           struct fault *fault) {
    enum err err = ERR_OK;
    while (!err && window->size > 0) {
        size_t used;
        err = import_window(import, window, &used, fault);
        if (!err && used == 0 && !window->is_last)
            err = import_long_message(import, window, path, fault);
        window_drop(window, used);
        if (!err)
            err = window_fill(window, path, fault);
    }
    return err;
}

/* Kept whole for the translator. */
static enum err import_json(struct import *import, struct window *window, const char *path,
                            struct fault *fault) {
    static const char media_type[] = "application/fhir+json";
    struct upload upload;
    if (window->is_last)
        return import_message(import, window_bytes(window), media_type, fault);
    enum err err = upload_begin(import, &upload, media_type, fault);
    while (!err && window->size > 0) {
        err = upload_feed(import, &upload, window_bytes(window), fault);
        window->size = 0;
        if (!err)
            err = window_fill(window, path, fault);
    }
    if (!err)
        err = upload_end(import, &upload, fault);
    upload_clear(&upload);
    return err;
}

static enum err import_open_file(struct import *import, int fd, const char *path,
                                 struct fault *fault) {
    struct window window = {.fd = fd, .data = memory_alloc(1, WINDOW_BYTES)};
    enum err err = window.data
                       ? window_fill(&window, path, fault)
                       : fault_set_subject(fault, ERR_MEMORY, "no memory for this file", path);
    struct bytes start = bytes_trim(bytes_first(window_bytes(&window), 64));
    bool is_json = start.size && (start.data[0] == '{' || start.data[0] == '[');
    if (!err)
        err = is_json ? import_json(import, &window, path, fault)
                      : import_hl7(import, &window, path, fault);
    memory_free(window.data);
    return err;
}

static enum err import_file(struct import *import, const char *path, struct fault *fault) {
    int fd = sys_open(NULL, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fault_set_errno(fault, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                               "the file cannot be opened", path);
    enum err err = import_open_file(import, fd, path, fault);
    sys_close(NULL, fd);
    return err;
}

/* ---- directories ---- */

/* In a directory, what is neither HL7 nor JSON (a README, an archive) is passed over, aloud. */
static bool looks_importable(const char *path) {
    const char *dot = strrchr(path, '.');
    if (dot && (!strcmp(dot, ".hl7") || !strcmp(dot, ".json") || !strcmp(dot, ".ndjson")))
        return true; /* spoilt ones too: they are kept and set aside */
    static const char *const begins[] = {"MSH", "FHS", "BHS", "{", "["};
    uint8_t buffer[256];
    int fd = sys_open(NULL, path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? -1 : sys_read(NULL, fd, buffer, sizeof buffer);
    if (fd >= 0)
        sys_close(NULL, fd);
    struct bytes start = n > 0 ? bytes_from(buffer, (size_t)n) : BYTES_NONE;
    if (bytes_starts_with(start, BYTES("\xEF\xBB\xBF")))
        start = bytes_skip(start, 3);
    while (start.size && (start.data[0] <= ' '))
        start = bytes_skip(start, 1); /* blanks, and the 0x0B that begins a frame */
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (bytes_starts_with(start, bytes_from_string(begins[i])))
            return true;
    return false;
}

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static enum err import_entry(struct import *import, FTS *tree, FTSENT *entry, struct fault *fault) {
    if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
        fts_set(tree, entry, FTS_SKIP);
        return ERR_OK;
    }
    if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
        return fault_set_errno(fault, ERR_IO, entry->fts_errno, "this cannot be read",
                               entry->fts_path);
    if (entry->fts_info != FTS_F)
        return ERR_OK;
    if (looks_importable(entry->fts_path))
        return import_file(import, entry->fts_path, fault);
    fprintf(stderr, "veilleuse: passed over, neither HL7 nor JSON: %s\n", entry->fts_path);
    return ERR_OK;
}

/* All files below a directory, in the order of their names. */
static enum err import_directory(struct import *import, const char *path, struct fault *fault) {
    char top[SITE_PATH_BYTES];
    char *const paths[] = {top, NULL};
    if ((size_t)snprintf(top, sizeof top, "%s", path) >= sizeof top)
        return fault_set_subject(fault, ERR_LIMIT, "this path is too long", path);
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!tree)
        return fault_set_errno(fault, ERR_IO, errno, "the directory cannot be read", path);
    enum err err = ERR_OK;
    FTSENT *entry;
    while (!err && (entry = fts_read(tree)))
        err = import_entry(import, tree, entry, fault);
    fts_close(tree);
    return err;
}

static enum err import_path(struct import *import, const char *path, struct fault *fault) {
    struct stat st;
    if (sys_stat(NULL, path, &st))
        return fault_set_errno(fault, ERR_NOT_FOUND, errno, "there is no such file", path);
    return S_ISDIR(st.st_mode) ? import_directory(import, path, fault)
                               : import_file(import, path, fault);
}

/* ---- the command ---- */

static enum err begin_writer(struct import *import, const char *dir, struct fault *fault) {
    int role_fd;
    struct vault_writer_options options = {0};
    enum err err = site_role_lock(NULL, dir, "commit", &role_fd, fault);
    if (!err)
        err = unlocking_need(&import->unlocking, dir, fault);
    options.unlock = import->unlocking.unlock;
    return err ? err : vault_writer_open(&import->writer, NULL, dir, &options, fault);
}

static enum err import_begin(struct import *import, const char *dir, struct fault *fault) {
    struct ipc control;
    struct bytes answer;
    int fd = -1, lock_fd;
    enum err err = site_lock(NULL, dir, &lock_fd, fault);
    if (!err)
        return begin_writer(import, dir, fault);
    *fault = (struct fault){0};
    err = control_connect(NULL, dir, &control, fault);
    if (err)
        return err;
    err = control_ask(&control, CONTROL_IMPORT, 0, &answer, &fd, fault);
    ipc_release(&control);
    if (!err)
        err = ipc_init(&import->ipc, NULL, fd, 1u << 20, 1u << 20);
    import->is_linked = !err;
    return err;
}

/* Without a node nobody else would publish what came. */
static enum err end_writer(struct import *import, const char *dir, struct fault *fault) {
    enum err err = vault_writer_sync(import->writer, fault);
    uint64_t durable = vault_writer_durable_size(import->writer);
    vault_writer_close(import->writer);
    if (err)
        return fault_set(fault, err, "not everything was stored; import the same files again");
    return site_publish(NULL, dir, import->unlocking.unlock, durable, fault);
}

static enum err import_end(struct import *import, const char *dir, struct fault *fault) {
    if (!import->is_linked)
        return end_writer(import, dir, fault);
    enum err err = take_answers(import, import->sent);
    ipc_release(&import->ipc);
    return err ? fault_set(fault, err, "not everything was stored; import the same files again")
               : ERR_OK;
}

int node_import_command(int argc, char **argv) {
    struct import import = {0};
    const struct option_spec specs[] = {{"passphrase-file", NULL, &import.unlocking.file, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count < 2)
        return command_usage("import DIR PATH... [--passphrase-file FILE]");
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = import_begin(&import, argv[1], &fault);
    if (err)
        return command_fail(err, &fault);
    for (int i = 2; i <= count && !err; i++)
        err = import_path(&import, argv[i], &fault);
    enum err end = import_end(&import, argv[1], &fault);
    unlocking_end(&import.unlocking);
    err = err ? err : end;
    printf("%llu messages, %llu stored, %llu repeats\n", (unsigned long long)import.sent,
           (unsigned long long)import.taken, (unsigned long long)import.repeats);
    return err ? command_fail(err, &fault) : 0;
}
