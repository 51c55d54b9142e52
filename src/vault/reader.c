/* reader.c - sealed bytes by index: from bundles when published, else from the writer's segments. No key is needed.
 *
 * A segment goes away once it is published, a partial bundle once the full one stands: whenever a file is missing, the
 * checkpoint is read again and the other place is tried. */
#include "vault/layout.h"

#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define WINDOW_BYTES_MIN ((size_t)128 << 10) /* more than any record */
#define WINDOW_BYTES_MAX ((size_t)1 << 20)

struct vault_reader {
    struct sys *sys;
    char vault_dir[VAULT_PATH_BYTES_MAX];
    uint64_t published;
    /* The bundle at hand. */
    uint8_t *bundle;
    size_t bundle_bytes;
    uint64_t bundle_number; /* UINT64_MAX: none */
    unsigned bundle_width;
    uint32_t offsets[TLOG_TILE_WIDTH + 1];
    /* The segment at hand: a window on it, and where the next record stands. */
    int segment_fd;
    uint64_t segment_first, segment_next_first, next_index, next_at;
    uint8_t *window;
    uint64_t window_at;
    size_t window_bytes, window_wanted;
    uint64_t *firsts;
};

static enum err refresh(struct vault_reader *reader, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct checkpoint_file *file = memory_alloc(1, sizeof *file);
    if (!file)
        return fault_set(fault, ERR_MEMORY, "no memory for a checkpoint");
    vault_path(path, reader->vault_dir, "checkpoint");
    enum err err = checkpoint_load(reader->sys, path, file, fault);
    if (!err)
        reader->published = file->checkpoint.size;
    memory_free(file);
    return err;
}

enum err vault_reader_open(struct vault_reader **out, struct sys *sys, const char *vault_dir,
                           struct fault *fault) {
    struct vault_reader *reader = memory_alloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, ERR_MEMORY, "no memory for a reader");
    reader->sys = sys;
    reader->segment_fd = -1;
    reader->bundle_number = UINT64_MAX;
    snprintf(reader->vault_dir, sizeof reader->vault_dir, "%s", vault_dir);
    reader->window = memory_alloc(1, WINDOW_BYTES_MAX);
    reader->firsts = memory_alloc(SEGMENT_COUNT_MAX, sizeof *reader->firsts);
    enum err err = reader->window && reader->firsts ? refresh(reader, fault)
                                                    : fault_set(fault, ERR_MEMORY, "no memory");
    if (err) {
        vault_reader_close(reader);
        return err;
    }
    *out = reader;
    return ERR_OK;
}

void vault_reader_close(struct vault_reader *reader) {
    if (!reader)
        return;
    if (reader->segment_fd >= 0)
        sys_close(reader->sys, reader->segment_fd);
    memory_free(reader->bundle);
    memory_free(reader->window);
    memory_free(reader->firsts);
    memory_free(reader);
}

/* ---- bundles ---- */

/* Where each of the first `count` entries begins; the bundle must hold exactly `width`. */
static bool index_bundle(struct vault_reader *reader, unsigned count, unsigned width) {
    size_t at = 0;
    for (unsigned i = 0; i < width; i++) {
        if (i == count)
            reader->offsets[count] = (uint32_t)at;
        if (reader->bundle_bytes - at < 2)
            return false;
        size_t size = load_u16(reader->bundle + at);
        if (reader->bundle_bytes - at - 2 < size)
            return false;
        if (i < count)
            reader->offsets[i] = (uint32_t)at;
        at += 2 + size;
    }
    if (count == width)
        reader->offsets[count] = (uint32_t)at;
    return at == reader->bundle_bytes;
}

static enum err read_bundle(struct vault_reader *reader, const char *path, struct fault *fault) {
    struct stat st;
    int fd = sys_open(reader->sys, path, O_RDONLY, 0);
    if (fd < 0)
        return errno == ENOENT
                   ? ERR_NOT_FOUND
                   : fault_set_errno(fault, ERR_IO, errno, "a bundle cannot be read", path);
    enum err err = ERR_OK;
    if (sys_fstat(reader->sys, fd, &st))
        err = fault_set_errno(fault, ERR_IO, errno, "a bundle cannot be read", path);
    if (!err) {
        memory_free(reader->bundle);
        bool fits = (uint64_t)st.st_size <= BUNDLE_BYTES_MAX;
        reader->bundle_bytes = fits ? (size_t)st.st_size : 0;
        reader->bundle = memory_alloc(1, reader->bundle_bytes + 1);
        err = !fits ? fault_set_subject(fault, ERR_CORRUPT, "a bundle is too large", path)
              : reader->bundle ? ERR_OK
                               : fault_set_subject(fault, ERR_MEMORY, "no memory", path);
    }
    if (!err && reader->bundle_bytes)
        err = sys_pread_all(reader->sys, fd, reader->bundle, reader->bundle_bytes, 0, path, fault);
    sys_close(reader->sys, fd);
    return err;
}

static enum err load_width(struct vault_reader *reader, uint64_t number, unsigned width,
                           unsigned least, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], relative[128];
    struct text text;
    text_init(&text, relative, sizeof relative);
    tlog_put_tile_path(&text, TLOG_LEVEL_ENTRIES, number, width);
    vault_path(path, reader->vault_dir, "%s", relative);
    enum err err = read_bundle(reader, path, fault);
    if (err)
        return err;
    if (!index_bundle(reader, least, width))
        return fault_set_subject(fault, ERR_CORRUPT, "this bundle is not of the form", path);
    reader->bundle_number = number;
    reader->bundle_width = least;
    return ERR_OK;
}

/* Of the width that the checkpoint says; in a copy that one may be gone already, and a wider one begins with it. */
static enum err load_bundle(struct vault_reader *reader, uint64_t number, struct fault *fault) {
    uint64_t left = reader->published - number * TLOG_TILE_WIDTH;
    unsigned least = left < TLOG_TILE_WIDTH ? (unsigned)left : TLOG_TILE_WIDTH;
    if (reader->bundle_number == number && reader->bundle_width == least)
        return ERR_OK;
    reader->bundle_number = UINT64_MAX;
    enum err err = load_width(reader, number, least, least, fault);
    if (err == ERR_NOT_FOUND && least < TLOG_TILE_WIDTH)
        err = load_width(reader, number, TLOG_TILE_WIDTH, least, fault);
    for (unsigned width = TLOG_TILE_WIDTH; err == ERR_NOT_FOUND && --width > least;)
        err = load_width(reader, number, width, least, fault);
    return err;
}

static enum err from_bundle(struct vault_reader *reader, uint64_t index, struct bytes *sealed,
                            struct fault *fault) {
    uint64_t number = index / TLOG_TILE_WIDTH;
    enum err err = load_bundle(reader, number, fault);
    if (err == ERR_NOT_FOUND) { /* a partial one that has grown since */
        err = refresh(reader, fault);
        if (!err)
            err = load_bundle(reader, number, fault);
        if (err == ERR_NOT_FOUND)
            return fault_set_at(fault, ERR_CORRUPT, "a bundle is missing, of entry", index);
    }
    if (err)
        return err;
    unsigned at = (unsigned)(index % TLOG_TILE_WIDTH);
    const uint8_t *entry = reader->bundle + reader->offsets[at];
    *sealed = bytes_from(entry + 2, reader->offsets[at + 1] - reader->offsets[at] - 2);
    return ERR_OK;
}

/* ---- segments ---- */

static void leave_segment(struct vault_reader *reader) {
    if (reader->segment_fd >= 0)
        sys_close(reader->sys, reader->segment_fd);
    reader->segment_fd = -1;
}

/* Open the segment that holds `index` and stand at its start. ERR_NOT_FOUND: none does. */
static enum err enter_segment(struct vault_reader *reader, uint64_t index, struct fault *fault) {
    size_t count, i;
    leave_segment(reader);
    enum err err = segments_list(reader->sys, reader->vault_dir, reader->firsts, &count, fault);
    if (err)
        return err;
    for (i = count; i > 0 && reader->firsts[i - 1] > index; i--)
        continue;
    if (i == 0)
        return ERR_NOT_FOUND;
    char path[VAULT_PATH_BYTES_MAX];
    segment_path(path, reader->vault_dir, reader->firsts[i - 1]);
    reader->segment_fd = sys_open(reader->sys, path, O_RDONLY, 0);
    if (reader->segment_fd < 0)
        return errno == ENOENT
                   ? ERR_NOT_FOUND
                   : fault_set_errno(fault, ERR_IO, errno, "a segment cannot be read", path);
    reader->segment_first = reader->next_index = reader->firsts[i - 1];
    reader->segment_next_first = i < count ? reader->firsts[i] : UINT64_MAX;
    reader->next_at = reader->window_at = 0;
    reader->window_bytes = 0;
    reader->window_wanted = WINDOW_BYTES_MIN;
    return ERR_OK;
}

/* At the head of a living segment little is new each time; far behind it, much is. */
static enum err fill_window(struct vault_reader *reader, struct fault *fault) {
    uint64_t used = reader->next_at - reader->window_at;
    bool was_full = reader->window_bytes == reader->window_wanted;
    if (was_full && used + WINDOW_BYTES_MIN / 2 < reader->window_bytes)
        reader->window_wanted = WINDOW_BYTES_MIN;
    else if (was_full && reader->window_wanted < WINDOW_BYTES_MAX)
        reader->window_wanted *= 2;
    ssize_t size = sys_pread(reader->sys, reader->segment_fd, reader->window, reader->window_wanted,
                             (off_t)reader->next_at);
    if (size < 0)
        return fault_set_errno(fault, ERR_IO, errno, "a segment cannot be read", reader->vault_dir);
    reader->window_at = reader->next_at;
    reader->window_bytes = (size_t)size;
    return ERR_OK;
}

static struct bytes window_here(const struct vault_reader *reader) {
    uint64_t skip = reader->next_at - reader->window_at;
    return skip > reader->window_bytes
               ? BYTES_NONE
               : bytes_from(reader->window + skip, reader->window_bytes - (size_t)skip);
}

/* The record where the reader stands. What the window holds may be older than the file: look again once. */
static enum err read_record(struct vault_reader *reader, struct record *record,
                            struct fault *fault) {
    enum err err = record_read(window_here(reader), record);
    if (!err && record->index == reader->next_index)
        return ERR_OK;
    err = fill_window(reader, fault);
    if (err)
        return err;
    err = record_read(window_here(reader), record);
    if (err)
        return err;
    return record->index == reader->next_index ? ERR_OK : ERR_CORRUPT;
}

/* Stand at the whole record of `index`, wherever it is behind the damaged one here. */
static enum err seek_record(struct vault_reader *reader, uint64_t index, struct fault *fault) {
    for (;;) {
        struct bytes here = window_here(reader);
        struct record record;
        if (here.size < RECORD_HEADER_BYTES + TLOG_ENTRY_BYTES_MAX + 8 &&
            reader->next_at != reader->window_at && reader->window_bytes == reader->window_wanted) {
            enum err err = fill_window(reader, fault);
            if (err)
                return err;
            here = window_here(reader);
        }
        if (here.size < RECORD_HEADER_BYTES)
            return ERR_NOT_FOUND;
        if (load_u32(here.data) == RECORD_MAGIC && !record_read(here, &record) &&
            record.index == index) {
            reader->next_index = index;
            return ERR_OK;
        }
        reader->next_at += 8;
    }
}

static enum err from_segment(struct vault_reader *reader, uint64_t index, struct bytes *sealed,
                             struct fault *fault) {
    if (reader->segment_fd < 0 || index < reader->next_index ||
        index >= reader->segment_next_first) {
        enum err err = enter_segment(reader, index, fault);
        if (err)
            return err;
    }
    for (;;) {
        struct record record;
        enum err err = read_record(reader, &record, fault);
        /* Damage among what is published: its bundle has it, and the writer went on behind it. */
        if (err && err != ERR_IO && reader->next_index < reader->published &&
            index >= reader->published) {
            err = seek_record(reader, index, fault);
            if (!err)
                continue;
        }
        if (err == ERR_IO)
            return err;
        if (err) /* nothing whole here: perhaps the writer has begun another segment */
            return ERR_NOT_FOUND;
        reader->next_index++;
        reader->next_at += record_bytes(record.sealed.size);
        if (record.index == index) {
            *sealed = record.sealed;
            return ERR_OK;
        }
    }
}

/* The end of one segment may be reached while the next one has just been begun. */
static enum err from_segments(struct vault_reader *reader, uint64_t index, struct bytes *sealed,
                              struct fault *fault) {
    enum err err = from_segment(reader, index, sealed, fault);
    if (err != ERR_NOT_FOUND)
        return err;
    leave_segment(reader);
    return from_segment(reader, index, sealed, fault);
}

enum err vault_reader_sealed(struct vault_reader *reader, uint64_t index, uint64_t durable_size,
                             struct bytes *sealed, struct fault *fault) {
    if (index < reader->published)
        return from_bundle(reader, index, sealed, fault);
    if (index >= durable_size)
        return ERR_MORE;
    enum err err = from_segments(reader, index, sealed, fault);
    if (err != ERR_NOT_FOUND)
        return err;
    err = refresh(reader, fault); /* published since, and the segment gone? */
    if (err)
        return err;
    if (index < reader->published)
        return from_bundle(reader, index, sealed, fault);
    return durable_size == UINT64_MAX
               ? ERR_MORE
               : fault_set_at(fault, ERR_CORRUPT, "a durable entry cannot be found, number", index);
}

enum err vault_reader_size(struct vault_reader *reader, uint64_t *size, struct fault *fault) {
    enum err err = refresh(reader, fault);
    uint64_t index = reader->published;
    struct bytes sealed;
    /* Go on from where an earlier count stood, when that is further. */
    if (!err && reader->segment_fd >= 0 && reader->next_index > index)
        index = reader->next_index;
    while (!err && !(err = vault_reader_sealed(reader, index, UINT64_MAX, &sealed, fault)))
        index++;
    *size = index;
    return err == ERR_MORE ? ERR_OK : err;
}
