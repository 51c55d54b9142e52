/* segments.c - how much of the write-ahead segments counts.
 *
 * A record counts when it is whole and follows the one before. Behind the last that counts there may be the rest of a
 * write that was cut off: nobody was answered for it. But a whole record further on that was written when a missing
 * index had already been durable shows that synced data were damaged: then nothing is cut off and the caller refuses.
 *
 * A record that was written but not synced when its process died may stand in the page cache only. The writer counts
 * what it finds at its start as durable, so it has the last segment synced first, and reads it from the disk. */
#include "vault/layout.h"

#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>

#define WINDOW_BYTES     ((size_t)1 << 20)
#define RECORD_BYTES_MAX (RECORD_HEADER_BYTES + (size_t)TLOG_ENTRY_BYTES_MAX + 8)

struct walk {
    struct sys *sys;
    const char *vault_dir;
    int fd; /* of the segment at hand; -1: none */
    size_t segment_bytes;
    uint8_t *window; /* what of it is in memory */
    size_t window_at, window_bytes;
    enum err err;         /* the segment could not be read on: then nothing more is found in it */
    uint64_t next;        /* the index expected */
    uint64_t batch_first; /* of the record before it */
    bool is_writer;
};

static void leave_segment(struct walk *walk) {
    if (walk->fd >= 0)
        sys_close(walk->sys, walk->fd);
    walk->fd = -1;
    walk->segment_bytes = walk->window_bytes = 0;
}

static enum err enter_segment(struct walk *walk, uint64_t first, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    leave_segment(walk);
    segment_path(path, walk->vault_dir, first);
    walk->fd = sys_open(walk->sys, path, O_RDONLY, 0);
    if (walk->fd < 0)
        return fault_set_errno(fault, ERR_IO, errno, "a segment cannot be read", path);
    if (walk->is_writer &&
        (sys_fdatasync(walk->sys, walk->fd) || posix_fadvise(walk->fd, 0, 0, POSIX_FADV_DONTNEED)))
        return fault_set_errno(fault, ERR_IO, errno, "a segment cannot be synced", path);
    if (sys_fstat(walk->sys, walk->fd, &st))
        return fault_set_errno(fault, ERR_IO, errno, "a segment cannot be read", path);
    walk->segment_bytes = (size_t)st.st_size;
    return ERR_OK;
}

/* The segment from `at` on, as far as the window shows it: `need` bytes at least, or to its end. */
static struct bytes view(struct walk *walk, size_t at, size_t need) {
    size_t left = at < walk->segment_bytes ? walk->segment_bytes - at : 0;
    need = need < left ? need : left;
    bool is_in_sight = at >= walk->window_at && at + need <= walk->window_at + walk->window_bytes;
    if (!is_in_sight && !walk->err) {
        walk->window_at = at;
        walk->window_bytes = left < WINDOW_BYTES ? left : WINDOW_BYTES;
        walk->err = sys_pread_all(walk->sys, walk->fd, walk->window, walk->window_bytes, (off_t)at,
                                  walk->vault_dir, NULL);
    }
    if (walk->err || need == 0)
        return BYTES_NONE;
    return bytes_skip(bytes_from(walk->window, walk->window_bytes), at - walk->window_at);
}

/* A view until the next look at the segment. */
static bool record_at(struct walk *walk, size_t at, struct record *record) {
    return !record_read(view(walk, at, RECORD_BYTES_MAX), record);
}

/* Every record of a batch says where the batch begins, which is how much was durable then. */
static bool is_of_batch(const struct walk *walk, const struct record *record) {
    return record->durable == record->index || record->durable == walk->batch_first;
}

/* The whole records from `at` on; walk->next moves behind them. */
static size_t count_records(struct walk *walk, size_t at) {
    struct record record;
    while (record_at(walk, at, &record) && record.index == walk->next &&
           (walk->is_writer || is_of_batch(walk, &record))) {
        walk->next++;
        walk->batch_first = record.durable;
        at += record_bytes(record.sealed.size);
    }
    return at;
}

/* From `at` on, the next place where a record may begin; the segment's end when there is none. */
static size_t find_mark(struct walk *walk, size_t at) {
    for (;;) {
        struct bytes b = view(walk, at, RECORD_HEADER_BYTES);
        if (b.size < RECORD_HEADER_BYTES)
            return walk->segment_bytes;
        for (size_t i = 0; i + RECORD_HEADER_BYTES <= b.size; i += 8, at += 8)
            if (load_u32(b.data + i) == RECORD_MAGIC)
                return at;
    }
}

/* Behind `at`, the whole record of that index; the segment's end when there is none. */
static size_t find_record(struct walk *walk, size_t at, uint64_t index) {
    struct record record;
    while ((at = find_mark(walk, at)) < walk->segment_bytes) {
        if (record_at(walk, at, &record) && record.index == index)
            return at;
        at += 8;
    }
    return walk->segment_bytes;
}

/* Is there, behind `at`, a record that was written when `missing` had been durable? */
static bool shows_damage(struct walk *walk, size_t at, uint64_t missing) {
    struct record record;
    while ((at = find_mark(walk, at)) < walk->segment_bytes) {
        if (record_at(walk, at, &record) && record.durable > missing)
            return true;
        at += 8;
    }
    return false;
}

/* Beside a living writer, what was missing may have been written since it was looked at. */
static bool went_on(struct walk *walk, size_t *at) {
    uint64_t before = walk->next;
    walk->window_bytes = 0;
    *at = count_records(walk, *at);
    return walk->next > before;
}

static enum err damaged(struct walk *walk, uint64_t first, size_t at, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    segment_path(path, walk->vault_dir, first);
    fault_set_subject(fault, ERR_CORRUPT, "a synced part of the write-ahead log is damaged", path);
    if (fault)
        fault->at = at;
    return ERR_CORRUPT;
}

/* One segment, whose records follow what is counted already. `wanted`: where the next segment begins; 0: it is the last. */
static enum err walk_segment(struct walk *walk, uint64_t first, uint64_t wanted,
                             struct fault *fault) {
    uint64_t counted = walk->next;
    if (first > counted)
        return damaged(walk, first, 0, fault);
    enum err err = enter_segment(walk, first, fault);
    if (err)
        return err;
    walk->next = walk->batch_first = first;
    size_t at = count_records(walk, 0);
    if (walk->next < counted && !walk->err) {
        /* What is damaged is published, and safe in its bundle: the writer can go on behind it. */
        if (!walk->is_writer)
            return damaged(walk, first, at, fault);
        walk->next = counted;
        at = count_records(walk, find_record(walk, at, counted));
    }
    bool is_damaged = walk->next < wanted;
    while (!is_damaged && shows_damage(walk, at, walk->next))
        is_damaged = !went_on(walk, &at);
    if (walk->err)
        return fault_set(fault, walk->err, "a segment cannot be read");
    return is_damaged ? damaged(walk, first, at, fault) : ERR_OK;
}

static enum err walk_segments(struct walk *walk, const uint64_t *firsts, size_t count,
                              struct fault *fault) {
    /* Segments wholly below what is published are only waiting to be taken away. */
    size_t i = 0;
    while (i + 1 < count && firsts[i + 1] <= walk->next)
        i++;
    enum err err = ERR_OK;
    for (; i < count && !err; i++)
        err = walk_segment(walk, firsts[i], i + 1 < count ? firsts[i + 1] : 0, fault);
    return err;
}

enum err segments_measure(struct sys *sys, const char *vault_dir, uint64_t published,
                          bool is_writer, uint64_t *size, struct fault *fault) {
    uint64_t *firsts = memory_alloc(SEGMENT_COUNT_MAX, sizeof *firsts);
    struct walk walk = {.sys = sys,
                        .vault_dir = vault_dir,
                        .fd = -1,
                        .window = memory_alloc(1, WINDOW_BYTES),
                        .next = published,
                        .is_writer = is_writer};
    size_t count = 0;
    enum err err = firsts && walk.window ? segments_list(sys, vault_dir, firsts, &count, fault)
                                         : fault_set(fault, ERR_MEMORY, "no memory");
    if (!err)
        err = walk_segments(&walk, firsts, count, fault);
    leave_segment(&walk);
    memory_free(walk.window);
    memory_free(firsts);
    *size = walk.next;
    return err;
}
