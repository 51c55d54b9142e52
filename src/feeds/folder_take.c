/* folder_take.c - one file of a folder becomes entries: an HL7 file one for each message, any other file one.
 *
 * Invariants
 *   1. `asked` counts the entries that were sent whole; the file is done with when each was answered as durable.
 *   2. A blob's bytes leave the window only when they have been put on the link.
 */
#include "feeds/folder.h"

#include "formats/cda/cda.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>

#define PIECE_BYTES 32768u
#define ROOM_BYTES  (80u * 1024u) /* the largest frame, and the end of a blob behind it */

bool folder_path(const struct watched *from, const char *below, const char *name, char *path,
                 size_t path_bytes) {
    int size = snprintf(path, path_bytes, "%s/%s%s", from->folder->path, below, name);
    return size > 0 && (size_t)size < path_bytes;
}

/* ---- what it is ---- */

static bool is_number_letter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

struct bytes feeds_folder_number(const char *pattern, const char *name) {
    const char *mark = strstr(pattern, "<IPP>");
    size_t before = mark ? (size_t)(mark - pattern) : 0, size = 0;
    if (!mark || strncmp(pattern, name, before) != 0)
        return BYTES_NONE;
    bool has_digit = false;
    for (; is_number_letter(name[before + size]); size++)
        has_digit |= name[before + size] <= '9';
    bool fits = has_digit && fnmatch(mark + 5, name + before + size, 0) == 0;
    return fits ? bytes_from(name + before, size) : BYTES_NONE;
}

static bool begins_as_hl7(struct bytes start) {
    static const char *const begins[] = {"MSH", "FHS", "BHS"};
    if (bytes_starts_with(start, BYTES("\xEF\xBB\xBF")))
        start = bytes_skip(start, 3);
    while (start.size && start.data[0] <= ' ') /* blanks, and the 0x0B that begins a frame */
        start = bytes_skip(start, 1);
    for (size_t i = 0; i < 3; i++)
        if (bytes_starts_with(start, bytes_from_string(begins[i])))
            return true;
    return false;
}

/* Names are UTF-8 on pages; one that is not, or too long, is known by its beginning. */
static struct bytes shown_name(const char *name) {
    struct bytes b = bytes_first(bytes_from_string(name), 120);
    size_t good = 0, size;
    while (good < b.size && (size = bytes_utf8_length(bytes_skip(b, good))) > 0)
        good += size;
    return bytes_first(b, good);
}

static void say_what_it_is(struct taking *taking) {
    const struct feeds_folder *folder = taking->from->folder;
    struct bytes start = bytes_first(bytes_from(taking->window, taking->window_bytes), 4096);
    struct text text;
    struct facts_filed filed = {
        .kind = bytes_starts_with(start, BYTES("%PDF-")) ? FILED_PDF
                : cda_is(start)                          ? FILED_CDA
                                                         : FILED_OTHER,
        .at = taking->stat.st_mtim.tv_sec * US_PER_S + taking->stat.st_mtim.tv_nsec / 1000,
        .feed = bytes_from_string(folder->name),
        .authority = bytes_from_string(folder->authority),
        .type = bytes_from_string(folder->type),
        .root = bytes_from_string(folder->root),
        .name = shown_name(taking->name),
    };
    if (filed.kind == FILED_PDF)
        filed.number = bytes_first(feeds_folder_number(folder->pattern, taking->name), 64);
    taking->is_hl7 = begins_as_hl7(start);
    text_init(&text, taking->media_type, sizeof taking->media_type);
    if (taking->is_hl7)
        text_put_string(&text, "application/hl7-v2");
    else
        facts_filed_put_type(&text, &filed);
}

/* ---- the window ---- */

static struct bytes window_of(const struct taking *taking) {
    return bytes_from(taking->window, taking->window_bytes);
}

static bool fill(struct folder_role *role) {
    struct taking *taking = &role->taking;
    while (taking->window_bytes < FOLDER_WINDOW_BYTES && !taking->is_at_end) {
        ssize_t n = sys_read(role->life.sys, taking->fd, taking->window + taking->window_bytes,
                             FOLDER_WINDOW_BYTES - taking->window_bytes);
        if (n < 0)
            return false;
        taking->is_at_end = n == 0;
        taking->window_bytes += (size_t)n;
    }
    return true;
}

static void drop(struct taking *taking, size_t count) {
    taking->window_bytes -= count;
    memmove(taking->window, taking->window + count, taking->window_bytes);
}

bool taking_is_unchanged(struct folder_role *role) {
    const struct taking *taking = &role->taking;
    struct stat now;
    return !sys_fstat(role->life.sys, taking->fd, &now) && now.st_size == taking->stat.st_size &&
           now.st_mtim.tv_sec == taking->stat.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == taking->stat.st_mtim.tv_nsec;
}

bool taking_begin(struct folder_role *role, struct watched *from, const char *name) {
    struct taking *taking = &role->taking;
    char path[1024];
    uint8_t *window = taking->window;
    if (!folder_path(from, "", name, path, sizeof path))
        return false;
    *taking = (struct taking){
        .from = from, .window = window, .fd = -1, .first_token = role->next_token};
    snprintf(taking->name, sizeof taking->name, "%s", name);
    taking->fd = sys_open(role->life.sys, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    bool good = taking->fd >= 0 && !sys_fstat(role->life.sys, taking->fd, &taking->stat) &&
                S_ISREG(taking->stat.st_mode);
    if (good && (uint64_t)taking->stat.st_size > role->options.message_bytes_max) {
        role->problem = "a file is larger than message_bytes_max: it stays in its folder";
        good = false;
    } else if (!good || !fill(role)) {
        role->problem = "a file of a folder cannot be read: it stays there";
        good = false;
    }
    if (!good) {
        taking_end(role);
        return false;
    }
    say_what_it_is(taking);
    taking->stage = TAKING_FILE;
    return true;
}

void taking_end(struct folder_role *role) {
    struct taking *taking = &role->taking;
    struct role_link *link = &role->life.links[ROLE_COMMIT];
    if (taking->blob.is_begun && link->is_open &&
        roles_put_blob(&link->ipc, MESSAGE_BLOB_ABORT, taking->blob.token, BYTES_NONE))
        trace_warning("commit was not told that a file is given up");
    if (taking->fd >= 0)
        sys_close(role->life.sys, taking->fd);
    taking->fd = -1;
    taking->blob = (struct folder_blob){0};
    taking->stage = TAKING_NOTHING;
}

/* ---- to commit ---- */

static struct append_request request_of(struct folder_role *role, uint64_t token, struct bytes body,
                                        char *source, size_t source_bytes) {
    const struct taking *taking = &role->taking;
    snprintf(source, source_bytes, "folder/%s", taking->from->folder->name);
    return (struct append_request){
        .token = token,
        .check_repeat = true, /* a file that is taken again is no other */
        .kind = VAULT_MESSAGE,
        .received_at = role->life.loop.now_us,
        .media_type = bytes_from_string(taking->media_type),
        .source = bytes_from_string(source),
        .body = body,
    };
}

static bool has_room(struct folder_role *role) {
    struct ipc *ipc = &role->life.links[ROLE_COMMIT].ipc;
    return ipc_room(ipc) >= ROOM_BYTES || (!ipc_flush(ipc) && ipc_room(ipc) >= ROOM_BYTES);
}

static bool send_whole(struct folder_role *role, struct bytes body) {
    char source[80];
    struct append_request request =
        request_of(role, ++role->next_token, body, source, sizeof source);
    if (roles_put_append(&role->life.links[ROLE_COMMIT].ipc, MESSAGE_APPEND, &request))
        return false;
    role->taking.asked++;
    return true;
}

static bool begin_blob(struct folder_role *role) {
    struct folder_blob *blob = &role->taking.blob;
    *blob = (struct folder_blob){.is_begun = true, .token = ++role->next_token};
    return !roles_put_blob(&role->life.links[ROLE_COMMIT].ipc, MESSAGE_BLOB_BEGIN, blob->token,
                           BYTES_NONE);
}

static bool send_piece(struct folder_role *role) {
    struct taking *taking = &role->taking;
    struct folder_blob *blob = &taking->blob;
    struct bytes piece =
        bytes_first(window_of(taking), blob->left < PIECE_BYTES ? blob->left : PIECE_BYTES);
    size_t room = FOLDER_FIRST_BYTES - blob->first_bytes;
    size_t kept = piece.size < room ? piece.size : room;
    if (roles_put_blob(&role->life.links[ROLE_COMMIT].ipc, MESSAGE_BLOB_DATA, blob->token, piece))
        return false;
    if (kept)
        memcpy(blob->first + blob->first_bytes, piece.data, kept);
    blob->first_bytes += kept;
    blob->bytes += piece.size;
    blob->left -= piece.size;
    drop(taking, piece.size);
    return true;
}

static bool end_blob(struct folder_role *role) {
    struct taking *taking = &role->taking;
    char source[80];
    struct append_request request =
        request_of(role, taking->blob.token,
                   bytes_from(taking->blob.first, taking->blob.first_bytes), source, sizeof source);
    if (roles_put_append(&role->life.links[ROLE_COMMIT].ipc, MESSAGE_BLOB_END, &request))
        return false;
    taking->blob = (struct folder_blob){0};
    taking->asked++;
    return true;
}

/* How much of the window belongs to the blob at hand. False: the file cannot be read. */
static bool see_more(struct folder_role *role) {
    struct taking *taking = &role->taking;
    struct folder_blob *blob = &taking->blob;
    if (!fill(role))
        return false;
    if (!taking->is_hl7) {
        blob->left = taking->window_bytes;
        blob->is_last = taking->is_at_end;
        return true;
    }
    bool is_end;
    blob->left = hl7_batch_part(&blob->parts, window_of(taking), taking->is_at_end, &is_end);
    blob->is_last = is_end || blob->left == 0; /* 0: blank lines without end, or the file's */
    return true;
}

static bool go_on_with_blob(struct folder_role *role) {
    struct folder_blob *blob = &role->taking.blob;
    if (blob->left > 0)
        return send_piece(role);
    if (blob->is_last)
        return end_blob(role);
    return see_more(role);
}

/* A whole message that the window holds: it is the first in it. */
static bool send_message(struct folder_role *role, size_t size) {
    struct taking *taking = &role->taking;
    if (size <= VAULT_INLINE_BYTES_MAX) {
        if (!send_whole(role, bytes_first(window_of(taking), size)))
            return false;
        drop(taking, size);
        return true;
    }
    if (!begin_blob(role))
        return false;
    taking->blob.left = size;
    taking->blob.is_last = true;
    return true;
}

static bool go_on_with_hl7(struct folder_role *role) {
    struct taking *taking = &role->taking;
    size_t at = 0;
    struct bytes message;
    if (!fill(role))
        return false;
    if (!hl7_batch_next(window_of(taking), &at, &message)) { /* blank lines, an envelope's end */
        drop(taking, taking->window_bytes);
        return true;
    }
    bool is_whole = at < taking->window_bytes || taking->is_at_end;
    size_t before = (size_t)(message.data - taking->window), size = message.size;
    if (before > 0)
        drop(taking, before);
    if (is_whole)
        return send_message(role, size);
    return before > 0 || begin_blob(role); /* longer than the window: it goes in parts */
}

static bool go_on_with_file(struct folder_role *role) {
    struct taking *taking = &role->taking;
    if (taking->is_hl7)
        return go_on_with_hl7(role);
    if (!taking->is_at_end || taking->window_bytes > VAULT_INLINE_BYTES_MAX)
        return begin_blob(role);
    return send_message(role, taking->window_bytes);
}

bool taking_go_on(struct folder_role *role) {
    struct taking *taking = &role->taking;
    if (taking->stage != TAKING_FILE || !has_room(role))
        return false;
    bool is_over = taking->is_at_end && taking->window_bytes == 0 && !taking->blob.is_begun;
    if (is_over) {
        taking->stage = TAKING_ASKED;
        return true;
    }
    if (taking->blob.is_begun ? go_on_with_blob(role) : go_on_with_file(role))
        return true;
    taking->has_failed = true;
    taking->stage = TAKING_ASKED;
    return true;
}

void taking_answered(struct folder_role *role, const struct append_answer *answer) {
    struct taking *taking = &role->taking;
    if (taking->stage == TAKING_NOTHING || answer->token <= taking->first_token)
        return; /* of a file that was given up */
    taking->answered++;
    taking->has_failed |= answer->err != ERR_OK;
    role->repeat_count += answer->is_repeat;
}
