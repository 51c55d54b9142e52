/* segments.c - how much of the write-ahead segments counts.
 *
 * A record counts when it is whole and follows the one before. Behind the last that counts there may be the rest of a
 * write that was cut off: nobody was answered for it. But a whole record further on that was written when a missing
 * index had already been durable shows that synced data were damaged: then nothing is cut off and the caller refuses. */
#include "vault/layout.h"

#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>

struct walk {
    struct sys *sys;
    const char *vault_dir;
    uint8_t *segment; /* a whole segment */
    size_t segment_bytes;
    uint64_t next; /* the index expected */
};

static enum err load_segment(struct walk *walk, uint64_t first, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    struct sys *sys = walk->sys;
    segment_path(path, walk->vault_dir, first);
    int fd = sys_open(sys, path, O_RDONLY, 0);
    if (fd < 0)
        return fault_set_errno(fault, ERR_IO, errno, "a segment cannot be read", path);
    enum err err = ERR_OK;
    if (sys_fstat(sys, fd, &st))
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

/* The whole records from the segment's start; walk->next moves behind them. */
static size_t count_records(struct walk *walk) {
    size_t at = 0;
    struct record record;
    while (!record_read(bytes_skip(bytes_from(walk->segment, walk->segment_bytes), at), &record) &&
           record.index == walk->next) {
        walk->next++;
        at += record_bytes(record.sealed.size);
    }
    return at;
}

/* Is there, behind `at`, a record that was written when `missing` had been durable? */
static bool shows_damage(const struct walk *walk, size_t at, uint64_t missing) {
    for (; at + RECORD_HEADER_BYTES <= walk->segment_bytes; at += 8) {
        struct record record;
        if (load_u32(walk->segment + at) != RECORD_MAGIC)
            continue;
        if (!record_read(bytes_from(walk->segment + at, walk->segment_bytes - at), &record) &&
            record.durable > missing)
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

static enum err walk_segments(struct walk *walk, const uint64_t *firsts, size_t count,
                              uint64_t published, struct fault *fault) {
    walk->next = published;
    /* Segments wholly below what is published are only waiting to be taken away. */
    size_t i = 0;
    while (i + 1 < count && firsts[i + 1] <= published)
        i++;
    for (; i < count; i++) {
        if (firsts[i] > walk->next)
            return damaged(walk, firsts[i], 0, fault);
        enum err err = load_segment(walk, firsts[i], fault);
        if (err)
            return err;
        uint64_t before = walk->next;
        walk->next = firsts[i];
        size_t at = count_records(walk);
        bool is_last = i + 1 == count;
        uint64_t wanted = is_last ? 0 : firsts[i + 1];
        if (walk->next < wanted || walk->next < before || shows_damage(walk, at, walk->next))
            return damaged(walk, firsts[i], at, fault);
    }
    return ERR_OK;
}

enum err segments_measure(struct sys *sys, const char *vault_dir, uint64_t published,
                          uint64_t *size, struct fault *fault) {
    uint64_t *firsts = memory_alloc(SEGMENT_COUNT_MAX, sizeof *firsts);
    struct walk walk = {.sys = sys, .vault_dir = vault_dir, .next = published};
    size_t count = 0;
    enum err err = firsts ? segments_list(sys, vault_dir, firsts, &count, fault)
                          : fault_set(fault, ERR_MEMORY, "no memory");
    if (!err)
        err = walk_segments(&walk, firsts, count, published, fault);
    memory_free(walk.segment);
    memory_free(firsts);
    *size = walk.next;
    return err;
}
