/* recover.c - what a writer finds on the disk at its start: how many entries count, and what they were.
 *
 * A record counts when it is whole and follows the one before. Behind the last that counts there may be the rest of a
 * write that was cut off: nobody was answered for it. But a whole record further on that was written when a missing
 * index had already been durable shows that synced data were damaged: then nothing is cut off and the writer refuses. */
#include "vault/writer.h"

#include "base/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct walk {
    struct vault_writer *writer;
    uint8_t *segment; /* a whole segment */
    size_t segment_bytes;
    uint64_t next; /* the index expected */
    uint64_t damaged_at;
};

static enum err load_segment(struct walk *walk, uint64_t first, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    struct sys *sys = walk->writer->sys;
    segment_path(path, walk->writer->vault_dir, first);
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
    segment_path(path, walk->writer->vault_dir, first);
    walk->damaged_at = at;
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

/* Blobs that were being written when the last life ended. */
static void remove_unfinished_blobs(struct vault_writer *writer) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, writer->vault_dir, "wal");
    DIR *dir = opendir(path);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (strncmp(entry->d_name, "blob-", 5) != 0)
            continue;
        vault_path(path, writer->vault_dir, "wal/%s", entry->d_name);
        if (sys_unlink(writer->sys, path))
            break; /* they only take space */
    }
    closedir(dir);
}

/* The clock goes on from the last entry; the repeats that the cache lacks are read from the entries. */
static enum err read_entries(struct vault_writer *writer, struct fault *fault) {
    struct vault_reader *reader;
    enum err err = vault_reader_open(&reader, writer->sys, writer->vault_dir, fault);
    if (err)
        return err;
    uint64_t size = writer->durable_size, from = writer->repeats.known_size;
    uint64_t kept = writer->options.repeat_count_max;
    if (size > kept && from < size - kept)
        from = size - kept;
    if (from == size && size > 0)
        from = size - 1; /* at least the last, for the clock */
    for (uint64_t index = from; index < size && !err; index++) {
        struct bytes sealed;
        struct vault_entry entry;
        uint32_t epoch = 0;
        err = vault_reader_sealed(reader, index, size, &sealed, fault);
        if (!err)
            err = sealed_epoch(sealed, &epoch);
        const uint8_t *key = err ? NULL : epoch_keys_find(writer->keys, epoch);
        if (!err && key)
            err = sealer_unseal(writer->sealer, sealed, key, &entry);
        if (err || !key)
            continue;
        hlc_observe(&writer->hlc, entry.clock);
        if (entry.digest.size != DIGEST_BYTES || index < writer->repeats.known_size)
            continue;
        uint8_t record[REPEAT_RECORD_BYTES];
        repeats_add(&writer->repeats, entry.digest.data, index, entry.received_at);
        repeat_record_put(record, entry.digest.data, index);
        repeats_save(&writer->repeats, writer->sys, bytes_from(record, sizeof record));
    }
    vault_reader_close(reader);
    return err ? fault_set(fault, err, "the newest entries cannot be read") : ERR_OK;
}

enum err writer_recover(struct vault_writer *writer, struct fault *fault) {
    struct checkpoint_file *checkpoint = memory_alloc(1, sizeof *checkpoint);
    uint64_t *firsts = memory_alloc(SEGMENT_COUNT_MAX, sizeof *firsts);
    struct walk walk = {.writer = writer};
    size_t count = 0;
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, writer->vault_dir, "checkpoint");
    enum err err = checkpoint && firsts ? ERR_OK : fault_set(fault, ERR_MEMORY, "no memory");
    if (!err)
        err = checkpoint_load(writer->sys, path, checkpoint, fault);
    if (!err)
        err = segments_list(writer->sys, writer->vault_dir, firsts, &count, fault);
    if (!err)
        err = walk_segments(&walk, firsts, count, checkpoint->checkpoint.size, fault);
    writer->durable_size = writer->next_index = walk.next;
    memory_free(walk.segment);
    memory_free(firsts);
    memory_free(checkpoint);
    if (err)
        return err;
    remove_unfinished_blobs(writer);
    repeats_load(&writer->repeats, writer->sys, writer->site_dir, writer->durable_size,
                 sys_now_us(writer->sys));
    return read_entries(writer, fault);
}
