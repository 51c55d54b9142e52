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

#define MESSAGE_BYTES_MAX  ((size_t)1 << 30) /* longer ones are no messages */
#define BUFFER_BYTES_FIRST ((size_t)8 << 20)
#define IMPORT_WINDOW      4096u

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

static enum err link_large(struct import *import, struct append_request *request) {
    struct bytes rest = request->body;
    enum err err = link_put(import, MESSAGE_BLOB_BEGIN, request, BYTES_NONE);
    for (; !err && !bytes_is_empty(rest); rest = bytes_skip(rest, 65536))
        err = link_put(import, MESSAGE_BLOB_DATA, request, bytes_first(rest, 65536));
    request->body = bytes_first(request->body, 4096);
    return err ? err : link_put(import, MESSAGE_BLOB_END, request, BYTES_NONE);
}

static enum err import_by_link(struct import *import, struct append_request *request) {
    request->token = import->sent++;
    enum err err = request->body.size <= VAULT_INLINE_BYTES_MAX
                       ? link_put(import, MESSAGE_APPEND, request, BYTES_NONE)
                       : link_large(import, request);
    if (err || import->sent - import->answered < IMPORT_WINDOW)
        return err;
    return take_answers(import, import->sent - IMPORT_WINDOW / 2);
}

static enum err write_large(struct import *import, const struct vault_append *append,
                            struct bytes body, uint64_t *index, bool *is_repeat,
                            struct fault *fault) {
    struct vault_blob_writer *blob;
    enum err err = vault_blob_begin(import->writer, &blob, fault);
    if (err)
        return err;
    err = vault_blob_feed(blob, body, fault);
    if (err) {
        vault_blob_abort(blob);
        return err;
    }
    return vault_blob_finish(blob, append, index, is_repeat, fault);
}

static enum err import_by_writer(struct import *import, const struct append_request *request,
                                 struct fault *fault) {
    struct vault_entry entry = {
        .kind = request->kind,
        .media_type = request->media_type,
        .source = request->source,
        .received_at = request->received_at,
        .body = request->body,
        .body_bytes = request->body.size,
    };
    struct vault_append append = {&entry, request->check_repeat, false};
    uint64_t index;
    bool is_repeat = false, is_large = request->body.size > VAULT_INLINE_BYTES_MAX;
    if (is_large)
        entry.body = bytes_first(entry.body, 4096);
    enum err err = is_large
                       ? write_large(import, &append, request->body, &index, &is_repeat, fault)
                       : vault_writer_append(import->writer, &append, &index, &is_repeat, fault);
    import->sent++;
    import->taken += !err && !is_repeat;
    import->repeats += !err && is_repeat;
    if (err || (vault_writer_pending_bytes(import->writer) <= (1u << 20) &&
                !vault_writer_is_ripe(import->writer) && !vault_writer_is_due(import->writer)))
        return err;
    err = vault_writer_sync(import->writer, fault);
    return err ? err : vault_writer_tend(import->writer, fault);
}

static enum err import_message(struct import *import, struct bytes message, const char *media_type,
                               struct fault *fault) {
    struct append_request request = request_of(message, media_type);
    return import->is_linked ? import_by_link(import, &request)
                             : import_by_writer(import, &request, fault);
}

/* ---- files ---- */

/* A file's part that is in memory. */
struct window {
    int fd;
    uint8_t *data;
    size_t size, capacity;
    bool is_last; /* it reaches the end of the file */
};

static enum err window_fill(struct window *window, const char *path, struct fault *fault) {
    while (window->size < window->capacity) {
        ssize_t n = sys_read(NULL, window->fd, window->data + window->size,
                             window->capacity - window->size);
        if (n < 0)
            return fault_set_errno(fault, ERR_IO, errno, "the file cannot be read", path);
        window->is_last = n == 0;
        if (n == 0)
            break;
        window->size += (size_t)n;
    }
    return ERR_OK;
}

static enum err window_grow(struct window *window, const char *path, struct fault *fault) {
    if (window->capacity >= MESSAGE_BYTES_MAX)
        return fault_set_subject(fault, ERR_LIMIT, "this file holds a message of more than 1 GiB",
                                 path);
    uint8_t *larger = memory_grow(window->data, window->capacity * 2, 1);
    if (!larger)
        return fault_set_subject(fault, ERR_MEMORY, "no memory for this file", path);
    window->data = larger;
    window->capacity *= 2;
    return ERR_OK;
}

static void window_drop(struct window *window, size_t count) {
    window->size -= count;
    memmove(window->data, window->data + count, window->size);
}

/* A message that ends where the window does may go on in the file: it waits for the next one. *used: bytes done with. */
static enum err import_window(struct import *import, const struct window *window, size_t *used,
                              struct fault *fault) {
    struct bytes all = bytes_from(window->data, window->size), message;
    enum err err = ERR_OK;
    size_t at = 0;
    *used = 0;
    while (!err && hl7_batch_next(all, &at, &message)) {
        if (at >= window->size && !window->is_last)
            break;
        err = import_message(import, message, "application/hl7-v2", fault);
        *used = at;
    }
    return err;
}

static enum err import_hl7(struct import *import, struct window *window, const char *path,
                           struct fault *fault) {
    enum err err = ERR_OK;
    for (bool is_over = false; !err && !is_over;) {
        size_t used;
        is_over = window->is_last;
        err = import_window(import, window, &used, fault);
        if (err || is_over)
            break;
        if (used == 0)
            err = window_grow(window, path, fault);
        window_drop(window, used);
        if (!err)
            err = window_fill(window, path, fault);
    }
    return err;
}

/* Kept whole for the translator. */
static enum err import_json(struct import *import, struct window *window, const char *path,
                            struct fault *fault) {
    enum err err = ERR_OK;
    while (!err && !window->is_last) {
        err = window_grow(window, path, fault);
        if (!err)
            err = window_fill(window, path, fault);
    }
    return err ? err
               : import_message(import, bytes_from(window->data, window->size),
                                "application/fhir+json", fault);
}

static enum err import_open_file(struct import *import, int fd, const char *path,
                                 struct fault *fault) {
    struct window window = {.fd = fd, .capacity = BUFFER_BYTES_FIRST};
    window.data = memory_alloc(1, window.capacity);
    enum err err = window.data
                       ? window_fill(&window, path, fault)
                       : fault_set_subject(fault, ERR_MEMORY, "no memory for this file", path);
    struct bytes start = bytes_trim(bytes_first(bytes_from(window.data, window.size), 64));
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
