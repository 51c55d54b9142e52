/* command_import.c - import: files into the vault, through the running node or under its lock. */
#include "formats/hl7/hl7.h"
#include "node/door.h"
#include "node/node.h"
#include "node/options.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_BYTES ((size_t)4 << 20) /* of a file: messages up to this size are looked at whole */

static struct append_request request_of(const struct door *door, struct bytes message,
                                        const char *media_type) {
    struct hl7_header header;
    hl7_header_read(&header, message);
    return (struct append_request){
        .check_repeat = !header.has_msh || !bytes_is_empty(header.control_id),
        .kind = VAULT_MESSAGE,
        .received_at = sys_now_us(NULL),
        .media_type = bytes_from_string(media_type),
        .source = bytes_from_string(door->source ? door->source : "import"),
        .body = message,
    };
}

#define PROGRESS_EVERY 1000u

/* On a terminal only: a large export takes minutes. */
static void say_progress(const struct door *door, bool is_end) {
    if (!isatty(STDERR_FILENO) || (!is_end && door->sent % PROGRESS_EVERY != 0))
        return;
    fprintf(stderr, "\r%llu%s", (unsigned long long)door->sent, is_end ? "\n" : "");
}

static enum err import_message(struct door *door, struct bytes message, const char *media_type,
                               struct fault *fault) {
    say_progress(door, false);
    struct append_request request = request_of(door, message, media_type);
    return door_append(door, &request, fault);
}

/* After the first bytes have told what it is. */
static enum err end_upload(struct door *door, struct door_upload *upload, const char *media_type,
                           struct fault *fault) {
    struct append_request request =
        request_of(door, bytes_from(upload->first, upload->first_bytes), media_type);
    return door_upload_end(door, upload, &request, fault);
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
static enum err import_window(struct door *door, const struct window *window, size_t *used,
                              struct fault *fault) {
    struct bytes all = window_bytes(window), message;
    size_t at = 0;
    *used = 0;
    while (hl7_batch_next(all, &at, &message)) {
        if (at >= window->size && !window->is_last) {
            *used = (size_t)(message.data - window->data);
            return ERR_OK;
        }
        enum err err = import_message(door, message, "application/hl7-v2", fault);
        if (err)
            return err;
        *used = at;
    }
    *used = window->is_last ? window->size : last_line(all, *used);
    return ERR_OK;
}

/* The window is full and its first message is not over: it goes on its way in parts. */
static enum err import_long_message(struct door *door, struct window *window, const char *path,
                                    struct fault *fault) {
    struct hl7_batch_parts parts = {0};
    struct door_upload upload;
    bool is_end = false;
    enum err err = door_upload_begin(door, &upload, fault);
    while (!err && !is_end) {
        bool was_full = window->size == WINDOW_BYTES;
        size_t part = hl7_batch_part(&parts, window_bytes(window), window->is_last, &is_end);
        err = door_upload_feed(door, &upload, bytes_first(window_bytes(window), part), fault);
        window_drop(window, part);
        is_end = is_end || (part == 0 && was_full); /* blank lines without end */
        if (!err && !is_end)
            err = window_fill(window, path, fault);
    }
    if (!err)
        err = end_upload(door, &upload, "application/hl7-v2", fault);
    door_upload_abort(&upload);
    return err;
}

static enum err import_hl7(struct door *door, struct window *window, const char *path,
                           struct fault *fault) {
    enum err err = ERR_OK;
    while (!err && window->size > 0) {
        size_t used;
        err = import_window(door, window, &used, fault);
        if (!err && used == 0 && !window->is_last)
            err = import_long_message(door, window, path, fault);
        window_drop(window, used);
        if (!err)
            err = window_fill(window, path, fault);
    }
    return err;
}

/* ---- FHIR ---- */

#define FHIR_MEDIA_TYPE "application/fhir+json"

/* The line goes on behind the window: on its way in parts. */
static enum err import_long_line(struct door *door, struct window *window, const char *path,
                                 struct fault *fault) {
    struct door_upload upload;
    bool is_end = false;
    enum err err = door_upload_begin(door, &upload, fault);
    while (!err && !is_end && window->size > 0) {
        size_t end = bytes_find(window_bytes(window), '\n');
        size_t part = end == BYTES_NOT_FOUND ? window->size : end;
        is_end = end != BYTES_NOT_FOUND;
        err = door_upload_feed(door, &upload, bytes_first(window_bytes(window), part), fault);
        window_drop(window, is_end ? part + 1 : part);
        if (!err && !is_end)
            err = window_fill(window, path, fault);
    }
    if (!err)
        err = end_upload(door, &upload, FHIR_MEDIA_TYPE, fault);
    door_upload_abort(&upload);
    return err;
}

/* The whole lines of the window. */
static enum err import_lines(struct door *door, const struct window *window, size_t *used,
                             struct fault *fault) {
    enum err err = ERR_OK;
    *used = 0;
    while (!err && *used < window->size) {
        struct bytes rest = bytes_skip(window_bytes(window), *used);
        size_t end = bytes_find(rest, '\n');
        if (end == BYTES_NOT_FOUND && !window->is_last)
            break;
        struct bytes line = bytes_trim(bytes_first(rest, end));
        if (!bytes_is_empty(line))
            err = import_message(door, line, FHIR_MEDIA_TYPE, fault);
        *used += end == BYTES_NOT_FOUND ? rest.size : end + 1;
    }
    return err;
}

/* NDJSON: each line is an entry of its own, whatever the file's size. */
static enum err import_ndjson(struct door *door, struct window *window, const char *path,
                              struct fault *fault) {
    enum err err = ERR_OK;
    while (!err && window->size > 0) {
        size_t used;
        err = import_lines(door, window, &used, fault);
        window_drop(window, used);
        if (!err && used == 0)
            err = import_long_line(door, window, path, fault);
        if (!err)
            err = window_fill(window, path, fault);
    }
    return err;
}

/* By its name; else a first line that begins and ends with a brace, and another behind it that begins with one. */
static bool is_ndjson(const struct window *window, const char *path) {
    const char *dot = strrchr(path, '.');
    if (dot && !strcmp(dot, ".ndjson"))
        return true;
    struct bytes all = window_bytes(window);
    size_t end = bytes_find(all, '\n');
    if (end == BYTES_NOT_FOUND)
        return false;
    struct bytes first = bytes_trim(bytes_first(all, end)), rest = bytes_trim(bytes_skip(all, end));
    return first.size > 1 && first.data[0] == '{' && first.data[first.size - 1] == '}' &&
           rest.size && rest.data[0] == '{';
}

/* Kept whole for the translator. */
static enum err import_json(struct door *door, struct window *window, const char *path,
                            struct fault *fault) {
    static const char media_type[] = FHIR_MEDIA_TYPE;
    struct door_upload upload;
    if (window->is_last)
        return import_message(door, window_bytes(window), media_type, fault);
    enum err err = door_upload_begin(door, &upload, fault);
    while (!err && window->size > 0) {
        err = door_upload_feed(door, &upload, window_bytes(window), fault);
        window->size = 0;
        if (!err)
            err = window_fill(window, path, fault);
    }
    if (!err)
        err = end_upload(door, &upload, media_type, fault);
    door_upload_abort(&upload);
    return err;
}

static enum err import_open_file(struct door *door, int fd, const char *path, struct fault *fault) {
    struct window window = {.fd = fd, .data = memory_alloc(1, WINDOW_BYTES)};
    enum err err = window.data
                       ? window_fill(&window, path, fault)
                       : fault_set_subject(fault, ERR_MEMORY, "no memory for this file", path);
    struct bytes start = bytes_trim(bytes_first(window_bytes(&window), 64));
    bool is_json = start.size && (start.data[0] == '{' || start.data[0] == '[');
    if (!err)
        err = is_json && is_ndjson(&window, path) ? import_ndjson(door, &window, path, fault)
              : is_json                           ? import_json(door, &window, path, fault)
                                                  : import_hl7(door, &window, path, fault);
    memory_free(window.data);
    return err;
}

static enum err import_file(struct door *door, const char *path, struct fault *fault) {
    int fd = sys_open(NULL, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fault_set_errno(fault, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                               "the file cannot be opened", path);
    enum err err = import_open_file(door, fd, path, fault);
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

static enum err import_entry(struct door *door, FTS *tree, FTSENT *entry, struct fault *fault) {
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
        return import_file(door, entry->fts_path, fault);
    fprintf(stderr, "veilleuse: passed over, neither HL7 nor JSON: %s\n", entry->fts_path);
    return ERR_OK;
}

/* All files below a directory, in the order of their names. */
static enum err import_directory(struct door *door, const char *path, struct fault *fault) {
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
        err = import_entry(door, tree, entry, fault);
    fts_close(tree);
    return err;
}

static enum err import_path(struct door *door, const char *path, struct fault *fault) {
    struct stat st;
    if (sys_stat(NULL, path, &st))
        return fault_set_errno(fault, ERR_NOT_FOUND, errno, "there is no such file", path);
    return S_ISDIR(st.st_mode) ? import_directory(door, path, fault)
                               : import_file(door, path, fault);
}

/* ---- the command ---- */

#define SOURCE_BYTES 96

/* Whose logical ids the FHIR in these files has; false: this cannot be a name. */
static bool name_source(const char *name, char source[SOURCE_BYTES]) {
    if (!name)
        return true;
    struct bytes b = bytes_from_string(name);
    return b.size > 0 && b.size <= 64 && bytes_is_utf8(b, NULL) &&
           snprintf(source, SOURCE_BYTES, "import:%s", name) < SOURCE_BYTES;
}

int node_import_command(int argc, char **argv) {
    struct unlocking unlocking = {0};
    const char *name = NULL;
    char source[SOURCE_BYTES];
    const struct option_spec specs[] = {
        {"passphrase-file", NULL, &unlocking.file, NULL}, {"source", NULL, &name, NULL}, {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count < 2 || !name_source(name, source))
        return command_usage("import DIR PATH... [--source NAME] [--passphrase-file FILE]");
    struct door door;
    struct fault fault = {0}, end_fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = door_open(&door, argv[1], &unlocking, &fault);
    if (err)
        return command_fail(err, &fault);
    door.source = name ? source : NULL;
    for (int i = 2; i <= count && !err; i++)
        err = import_path(&door, argv[i], &fault);
    say_progress(&door, true);
    enum err end = door_close(&door, &end_fault);
    unlocking_end(&unlocking);
    printf("%llu messages, %llu stored, %llu repeats\n", (unsigned long long)door.sent,
           (unsigned long long)door.taken, (unsigned long long)door.repeats);
    if (err)
        return command_fail(err, &fault);
    if (!end)
        return 0;
    fprintf(stderr, "veilleuse: not everything was stored; import the same files again\n");
    return command_fail(end, &end_fault);
}
