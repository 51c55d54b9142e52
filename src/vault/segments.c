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

struct walk {
    struct sys *sys;
    const char *vault_dir;
    uint8_t *segment; /* a whole segment */
    size_t segment_bytes;
    uint64_t next;        /* the index expected */
    uint64_t batch_first; /* of the record before it */
    bool is_writer;
};

static enum err load_segment(struct walk *walk, uint64_t first, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st = {0};
    struct sys *sys = walk->sys;
    segment_path(path, walk->vault_dir, first);
    int fd = sys_open(sys, path, O_RDONLY, 0);
    if (fd < 0)
        return fault_set_errno(fault, ERR_IO, errno, "a segment cannot be read", path);
    enum err err = ERR_OK;
    if (walk->is_writer && (sys_fdatasync(sys, fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)))
        err = fault_set_errno(fault, ERR_IO, errno, "a segment cannot be synced", path);
    if (!err && sys_fstat(sys, fd, &st))
        err = fault_set_errno(fault, ERR_IO, errno, "a segment cannot be read", path);
    memory_free(walk->segment);
    walk->segment_bytes = err ? 0 : (size_t)st.st_size;
    walk->segment = memory_alloc(1, walk->segment_bytes + 1);
    if (!err && !walk->segment)
        err = fault_set_subject(fault, ERR_MEMORY, "no memory for a segment", path);
    if (!err && walk->segment_bytes)
        err = sys_pread_all(sys, fd, walk->segment, walk->segment_bytes, 0, path, fault);
    sys_close(sys, fd);
    return err;
}

static bool record_at(const struct walk *walk, size_t at, struct record *record) {
    return !record_read(bytes_skip(bytes_from(walk->segment, walk->segment_bytes), at), record);
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

/* Behind `at`, the whole record of that index; the segment's end when there is none. */
static size_t find_record(const struct walk *walk, size_t at, uint64_t index) {
    struct record record;
    for (; at + RECORD_HEADER_BYTES <= walk->segment_bytes; at += 8)
        if (load_u32(walk->segment + at) == RECORD_MAGIC &&
            load_u64(walk->segment + at + 8) == index && record_at(walk, at, &record))
            return at;
    return walk->segment_bytes;
}

/* Is there, behind `at`, a record that was written when `missing` had been durable? */
static bool shows_damage(const struct walk *walk, size_t at, uint64_t missing) {
    for (; at + RECORD_HEADER_BYTES <= walk->segment_bytes; at += 8) {
        struct record record;
        if (load_u32(walk->segment + at) != RECORD_MAGIC)
            continue;
        if (record_at(walk, at, &record) && record.durable > missing)
            return true;
    }
    return false;
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
    enum err err = load_segment(walk, first, fault);
    if (err)
        return err;
    walk->next = walk->batch_first = first;
    size_t at = count_records(walk, 0);
    if (walk->next < counted) {
        /* What is damaged is published, and safe in its bundle: the writer can go on behind it. */
        if (!walk->is_writer)
            return damaged(walk, first, at, fault);
        walk->next = counted;
        at = count_records(walk, find_record(walk, at, counted));
    }
    return walk->next < wanted || shows_damage(walk, at, walk->next)
               ? damaged(walk, first, at, fault)
               : ERR_OK;
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
    struct walk walk = {
        .sys = sys, .vault_dir = vault_dir, .next = published, .is_writer = is_writer};
    size_t count = 0;
    enum err err = firsts ? segments_list(sys, vault_dir, firsts, &count, fault)
                          : fault_set(fault, ERR_MEMORY, "no memory");
    if (!err)
        err = walk_segments(&walk, firsts, count, fault);
    memory_free(walk.segment);
    memory_free(firsts);
    *size = walk.next;
    return err;
}
