/* writer.c - the one writer of a vault: seals entries into a batch, makes the batch durable with one fdatasync.
 *
 * Invariants
 *   1 Entries below durable_size are whole on the disk; no other index was ever answered for.
 *   2 A batch lies in one segment, behind all earlier ones; a segment is never written below its used part.
 *     Nor is one written into once a later one has a name that a crash may leave.
 *   3 After a failed fdatasync, or a failed write into a segment, nothing is written again: the vault is suspect.
 *   4 The blobs that a batch names are durable, under their names, before the batch is written (settle.c).
 *   5 A segment made by an earlier life of the writer is never appended to: what a torn write left behind the last whole
 *     record of such a segment can so never be taken for a record of this life.
 *
 *   open --append--> pending --sync--> durable (open again)
 *                       |--no space for a segment--> taken back whole, ERR_FULL (open again)
 *                       |--write or fdatasync fails--> suspect: every append is ERR_STATE
 */
#include "vault/writer.h"

#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

#define FIRST_SEGMENT_BYTES                                                                        \
    (4u * 1024u) /* holds one entry: the next life of the writer begins another */
#define SPACE_EVERY_US US_PER_S
#define HASTE_FROM_BYTES                                                                           \
    (32u * 1024u) /* with so much waiting already, time counts for more than space */

/* ---- making a site's vault ---- */

/* That the directories are there lasts before anything says that the site is. */
static enum err sync_dirs(struct sys *sys, const char *site_dir, struct fault *fault) {
    static const char *const dirs[] = {"vault", ".", ".."};
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0] && !err; i++) {
        char path[VAULT_PATH_BYTES_MAX];
        vault_path(path, site_dir, "%s", dirs[i]);
        err = sys_sync_dir(sys, path, fault);
    }
    return err;
}

enum err vault_make_dirs(struct sys *sys, const char *site_dir, struct fault *fault) {
    static const struct {
        const char *name;
        mode_t mode;
    } dirs[] = {
        {"keys", 0700},       {"cache", 0700},
        {"vault", 0755},      {"vault/wal", 0700},
        {"vault/keys", 0755}, {"vault/tile", 0755},
        {"vault/blob", 0755}, {"vault/checkpoints", 0755},
    };
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char path[VAULT_PATH_BYTES_MAX];
        vault_path(path, site_dir, "%s", dirs[i].name);
        enum err err = sys_make_dirs(sys, path, dirs[i].mode, fault);
        if (err)
            return err;
    }
    return sync_dirs(sys, site_dir, fault);
}

enum err vault_create(struct sys *sys, const char *site_dir, const char *origin,
                      const uint8_t *recovery, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    if (sodium_init() < 0)
        return fault_set(fault, ERR_CRYPTO, "the cryptographic library cannot start");
    if (strlen(site_dir) + 256 > VAULT_PATH_BYTES_MAX)
        return fault_set(fault, ERR_LIMIT, "the path is too long");
    vault_path(path, site_dir, "vault/verifier");
    if (!sys_stat(sys, path, &st))
        return fault_set_subject(fault, ERR_STATE, "there is a vault already", path);
    if (errno != ENOENT && errno != ENOTDIR) /* never make new keys over keys that cannot be seen */
        return fault_set_errno(fault, ERR_IO, errno, "is there a vault already?", path);
    enum err err = vault_make_dirs(sys, site_dir, fault);
    if (!err)
        err = keys_create(sys, site_dir, origin, recovery, fault);
    struct vault_writer *writer = NULL;
    struct vault_writer_options options = {.segment_bytes = FIRST_SEGMENT_BYTES};
    if (!err)
        err = vault_writer_open(&writer, sys, site_dir, &options, fault);
    vault_writer_close(writer);
    return err;
}

/* ---- opening ---- */

static enum err writer_open_keys(struct vault_writer *writer, struct fault *fault) {
    char log_name[TLOG_ORIGIN_BYTES_MAX + 1];
    enum err err = keys_read_log_name(writer->sys, writer->site_dir, log_name, fault);
    /* A making that failed at its last step may have left it there without it being there to last. */
    if (!err)
        err = sys_sync_dir(writer->sys, writer->vault_dir, fault);
    if (!err)
        err = epoch_keys_open(&writer->keys, writer->sys, writer->site_dir, writer->options.unlock,
                              fault);
    if (!err)
        err = keys_read_repeat(writer->sys, writer->site_dir, writer->options.unlock,
                               writer->secrets->digests.repeat, fault);
    if (!err)
        digest_keys_derive(&writer->secrets->digests);
    if (!err && sealer_open(&writer->sealer, log_name))
        err = fault_set(fault, ERR_MEMORY, "no memory to seal with");
    return err;
}

enum err vault_writer_open(struct vault_writer **out, struct sys *sys, const char *site_dir,
                           const struct vault_writer_options *options, struct fault *fault) {
    if (sodium_init() < 0)
        return fault_set(fault, ERR_CRYPTO, "the cryptographic library cannot start");
    struct vault_writer *writer = memory_alloc(1, sizeof *writer);
    if (!writer)
        return fault_set(fault, ERR_MEMORY, "no memory for a writer");
    writer->sys = sys;
    writer->segment_fd = -1;
    writer->repeats.fd = -1;
    snprintf(writer->site_dir, sizeof writer->site_dir, "%s", site_dir);
    vault_path(writer->vault_dir, site_dir, "vault");
    if (options)
        writer->options = *options;
    if (writer->options.reserve_bytes == 0)
        writer->options.reserve_bytes = VAULT_RESERVE_BYTES;
    if (writer->options.segment_bytes == 0)
        writer->options.segment_bytes = SEGMENT_BYTES;
    if (writer->options.repeat_count_max == 0)
        writer->options.repeat_count_max = 2000000;
    writer->batch = memory_alloc(1, BATCH_BYTES_MAX);
    writer->pending = memory_alloc(PENDING_COUNT_MAX, sizeof *writer->pending);
    writer->secrets = sodium_malloc(sizeof *writer->secrets);
    enum err err = writer->batch && writer->pending && writer->secrets ? ERR_OK : ERR_MEMORY;
    if (!err)
        err = writer_open_blobs(writer);
    if (!err)
        err = samples_open(&writer->samples);
    if (!err)
        err = repeats_init(&writer->repeats, writer->options.repeat_count_max);
    if (err)
        fault_set(fault, err, "no memory for a writer");
    if (!err)
        err = writer_open_keys(writer, fault);
    if (!err)
        err = writer_recover(writer, fault);
    if (!err)
        writer_clock_open(writer);
    if (!err)
        err = writer_find_epoch(writer, fault);
    if (!err)
        err = writer_finish_wraps(writer, fault);
    if (!err)
        err = writer_finish_erasures(writer, fault);
    writer->options.unlock = NULL; /* the caller's, who may wipe it now */
    if (err) {
        vault_writer_close(writer);
        return err;
    }
    *out = writer;
    return ERR_OK;
}

void vault_writer_close(struct vault_writer *writer) {
    if (!writer)
        return;
    writer_close_blobs(writer);
    if (writer->segment_fd >= 0)
        sys_close(writer->sys, writer->segment_fd);
    repeats_release(&writer->repeats, writer->sys);
    sealer_close(writer->sealer);
    samples_close(writer->samples);
    epoch_keys_close(writer->keys);
    sodium_free(writer->secrets); /* wipes */
    memory_free(writer->batch);
    memory_free(writer->pending);
    sodium_memzero(writer, sizeof *writer);
    memory_free(writer);
}

/* ---- space ---- */

/* Without a reserve only a segment that could not be made is a full disk; it is over when one would fit again. */
bool vault_writer_is_full(struct vault_writer *writer) {
    bool has_reserve = writer->options.reserve_bytes != UINT64_MAX;
    int64_t now = sys_monotonic_us(writer->sys);
    if ((!has_reserve && !writer->is_full) ||
        (writer->space_seen_at && now - writer->space_seen_at < SPACE_EVERY_US))
        return writer->is_full;
    uint64_t free_bytes, total_bytes;
    uint64_t wanted = has_reserve ? writer->options.reserve_bytes : writer->options.segment_bytes;
    writer->space_seen_at = now;
    if (!sys_disk_space(writer->sys, writer->site_dir, &free_bytes, &total_bytes))
        writer->is_full = free_bytes < wanted;
    return writer->is_full;
}

enum err writer_admits(struct vault_writer *writer, bool is_from_person, struct fault *fault) {
    if (writer->is_suspect)
        return fault_set(fault, ERR_STATE, "the vault is suspect: the disk failed");
    if (!is_from_person && vault_writer_is_full(writer))
        return fault_set(fault, ERR_FULL, "the disk is full up to the reserve");
    return ERR_OK;
}

/* ---- appending ---- */

/* What a system said, or a note, can be stated again, and only what stands in this log. */
static bool is_restatement(const struct vault_writer *writer, const struct vault_entry *entry) {
    return (entry->kind == VAULT_MESSAGE || entry->kind == VAULT_BLOB ||
            entry->kind == VAULT_NOTE) &&
           entry->restated_index < writer->durable_size &&
           entry->restated_clock <= writer->hlc.last;
}

enum err writer_append_sealed(struct vault_writer *writer, struct vault_entry *entry,
                              uint64_t *index, struct fault *fault) {
    if (writer->batch_bytes + RECORD_HEADER_BYTES + PLAIN_BYTES_MAX + SEAL_BYTES + 8 >
            BATCH_BYTES_MAX ||
        writer->pending_count == PENDING_COUNT_MAX)
        return fault_set(fault, ERR_LIMIT, "the batch is full");
    struct seal_options options = {
        .epoch = writer->epoch,
        .key = entry->kind == VAULT_KEY ? NULL : writer->secrets->epoch_key,
        .in_haste = writer->batch_bytes > HASTE_FROM_BYTES,
    };
    uint8_t *record = writer->batch + writer->batch_bytes;
    size_t sealed_bytes;
    if (entry->is_restated && !is_restatement(writer, entry))
        return fault_set(fault, ERR_INPUT, "this states nothing again that stands here");
    /* A doubt of today says nothing about a time of receipt of then. */
    if (!entry->is_restated && vault_writer_clock_is_doubtful(writer))
        entry->flags |= VAULT_CLOCK_DOUBTFUL;
    entry->clock = hlc_next(&writer->hlc, sys_now_us(writer->sys));
    enum err err =
        sealer_seal(writer->sealer, entry, &options, record + RECORD_HEADER_BYTES, &sealed_bytes);
    if (err)
        return fault_set(fault, err == ERR_LIMIT ? ERR_INPUT : err, "this entry cannot be sealed");
    if (entry->kind == VAULT_MESSAGE || entry->kind == VAULT_FACT)
        samples_take(writer->samples, sealer_last_plain(writer->sealer));
    record_put(record, writer->next_index, writer->durable_size, sealed_bytes);
    writer->batch_bytes += record_bytes(sealed_bytes);
    struct pending_digest *pending = &writer->pending[writer->pending_count++];
    memcpy(pending->digest, entry->digest.data, DIGEST_BYTES);
    pending->index = *index = writer->next_index++;
    repeats_add(&writer->repeats, pending->digest, pending->index,
                entry->is_restated ? sys_now_us(writer->sys) : entry->received_at);
    return ERR_OK;
}

enum err writer_append_own(struct vault_writer *writer, struct vault_entry *entry, uint64_t *index,
                           struct fault *fault) {
    uint8_t digest[DIGEST_BYTES];
    digest_entry(&writer->secrets->digests, entry, digest);
    entry->digest = bytes_from(digest, sizeof digest);
    return writer_append_sealed(writer, entry, index, fault);
}

enum err vault_writer_append(struct vault_writer *writer, const struct vault_append *append,
                             uint64_t *index, bool *is_repeat, struct fault *fault) {
    uint8_t digest[DIGEST_BYTES];
    struct vault_entry entry = *append->entry;
    *is_repeat = false;
    if (entry.body.size > VAULT_INLINE_BYTES_MAX)
        return fault_set(fault, ERR_INPUT, "a body this large must be a blob");
    digest_entry(&writer->secrets->digests, &entry, digest);
    if (append->check_repeat && repeats_find(&writer->repeats, digest, index)) {
        *is_repeat = true;
        /* What a suspect vault holds pending will never be durable. */
        return writer->is_suspect ? fault_set(fault, ERR_STATE, "the vault is suspect") : ERR_OK;
    }
    enum err err = writer_admits(writer, append->is_from_person, fault);
    if (err)
        return err;
    entry.digest = bytes_from(digest, sizeof digest);
    return writer_append_sealed(writer, &entry, index, fault);
}

/* ---- making durable ---- */

void writer_take_back(struct vault_writer *writer) {
    for (uint32_t i = 0; i < writer->pending_count; i++)
        repeats_forget(&writer->repeats, writer->pending[i].digest, writer->pending[i].index);
    writer_drop_blobs(writer, 0);
    writer->pending_count = 0;
    writer->batch_bytes = 0;
    writer->next_index = writer->durable_size;
}

enum err writer_suspect(struct vault_writer *writer, int errnum, const char *what,
                        struct fault *fault) {
    writer->is_suspect = true;
    writer_take_back(writer);
    if (fault)
        *fault = (struct fault){.code = ERR_IO, .errnum = errnum, .what = what};
    return ERR_IO;
}

enum err writer_sync_failed(struct vault_writer *writer, int errnum, const char *what,
                            struct fault *fault) {
    if (errnum == ENOSPC || errnum == EDQUOT)
        return fault_set_errno(fault, ERR_FULL, errnum, what, writer->vault_dir);
    return writer_suspect(writer, errnum, what, fault);
}

/* One that could not be made. As long as its name may come back after a crash, empty, the segment before it ends where it begins:
 * what would be written there now would be looked for in the empty one. The next batch makes a segment then, or fails. */
static void take_segment_away(struct vault_writer *writer, const char *path, const char *wal) {
    struct fault own = {0};
    bool is_gone = !sys_unlink(writer->sys, path) && !sys_sync_dir(writer->sys, wal, &own);
    if (is_gone || writer->segment_fd < 0)
        return;
    sys_close(writer->sys, writer->segment_fd);
    writer->segment_fd = -1;
}

/* A new segment, zeroed and known to its directory; nothing of it counts before its first batch. */
static enum err begin_segment(struct vault_writer *writer, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], wal[VAULT_PATH_BYTES_MAX];
    uint64_t size = writer->options.segment_bytes;
    if (size < writer->batch_bytes)
        size = writer->batch_bytes;
    segment_path(path, writer->vault_dir, writer->durable_size);
    vault_path(wal, writer->vault_dir, "wal");
    /* Left by a life that made it and wrote nothing that counts. */
    if (sys_unlink(writer->sys, path) && errno != ENOENT)
        return fault_set_errno(fault, ERR_IO, errno, "an old segment is in the way", path);
    int fd = sys_open(writer->sys, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return fault_set_errno(fault, ERR_IO, errno, "a segment cannot be made", path);
    enum err err = ERR_OK;
    struct fault own = {0};
    if (sys_fallocate(writer->sys, fd, 0, (off_t)size))
        err = fault_set_errno(fault, ERR_IO, errno, "a segment cannot be made", path);
    else if (sys_fsync(writer->sys, fd))
        err = writer_sync_failed(writer, errno, "a new segment cannot be synced", fault);
    else if (sys_sync_dir(writer->sys, wal, &own))
        err = writer_sync_failed(writer, own.errnum, "the directory of segments cannot be synced",
                                 fault);
    if (err) {
        sys_close(writer->sys, fd);
        take_segment_away(writer, path, wal);
        return err;
    }
    if (writer->segment_fd >= 0)
        sys_close(writer->sys, writer->segment_fd);
    writer->segment_fd = fd;
    writer->segment_first = writer->durable_size;
    writer->segment_size = size;
    writer->segment_used = 0;
    return ERR_OK;
}

static void remember_batch(struct vault_writer *writer) {
    static const uint32_t step = 512;
    uint8_t records[512 * REPEAT_RECORD_BYTES];
    for (uint32_t i = 0; i < writer->pending_count; i += step) {
        uint32_t n = 0;
        for (; n < step && i + n < writer->pending_count; n++)
            repeat_record_put(records + n * REPEAT_RECORD_BYTES, writer->pending[i + n].digest,
                              writer->pending[i + n].index);
        repeats_save(&writer->repeats, writer->sys,
                     bytes_from(records, (size_t)n * REPEAT_RECORD_BYTES));
    }
}

/* Room for the batch, and its blobs durable. A full disk may show as late as here, and then nothing is lost. */
static enum err prepare_batch(struct vault_writer *writer, struct fault *fault) {
    if (writer->segment_fd < 0 ||
        writer->segment_size - writer->segment_used < writer->batch_bytes) {
        enum err err = begin_segment(writer, fault);
        if (err)
            return err;
        writer_clock_save(writer);
    }
    return writer_settle_blobs(writer, fault);
}

enum err vault_writer_sync(struct vault_writer *writer, struct fault *fault) {
    if (writer->is_suspect) {
        writer_take_back(writer);
        return fault_set(fault, ERR_STATE, "the vault is suspect: the disk failed");
    }
    if (writer->batch_bytes == 0)
        return ERR_OK;
    enum err err = prepare_batch(writer, fault);
    if (err) {
        writer->is_full = writer->is_full || err == ERR_FULL;
        writer->space_seen_at = sys_monotonic_us(writer->sys);
        writer_take_back(writer);
        return err;
    }
    assert(writer->segment_used + writer->batch_bytes <= writer->segment_size);
    writer_keep_blobs(writer);
    if (sys_pwrite_all(writer->sys, writer->segment_fd,
                       bytes_from(writer->batch, writer->batch_bytes), (off_t)writer->segment_used,
                       writer->vault_dir, NULL))
        return writer_suspect(writer, errno, "writing to the vault failed", fault);
    if (sys_fdatasync(writer->sys, writer->segment_fd))
        return writer_suspect(writer, errno, "syncing the vault failed", fault);
    writer->segment_used += writer->batch_bytes;
    writer->durable_size = writer->next_index;
    remember_batch(writer);
    writer->batch_bytes = 0;
    writer->pending_count = 0;
    return ERR_OK;
}

uint64_t vault_writer_durable_size(const struct vault_writer *writer) {
    return writer->durable_size;
}

size_t vault_writer_pending_bytes(const struct vault_writer *writer) {
    return writer->batch_bytes;
}

bool vault_writer_is_ripe(const struct vault_writer *writer) {
    return writer->batch_bytes > BATCH_BYTES_RIPE || writer->pending_count > PENDING_COUNT_RIPE ||
           writer->blob_count >= BLOB_COUNT_RIPE;
}

bool vault_writer_is_suspect(const struct vault_writer *writer) {
    return writer->is_suspect;
}

/* A segment ends where the next begins: it goes when that is published. The one being written stays. */
void vault_writer_published(struct vault_writer *writer, uint64_t size) {
    uint64_t *firsts = memory_alloc(SEGMENT_COUNT_MAX, sizeof *firsts);
    size_t count = 0;
    if (!firsts || segments_list(writer->sys, writer->vault_dir, firsts, &count, NULL))
        count = 0;
    for (size_t i = 0; i + 1 < count && firsts[i + 1] <= size; i++) {
        char path[VAULT_PATH_BYTES_MAX];
        segment_path(path, writer->vault_dir, firsts[i]);
        if (sys_unlink(writer->sys, path))
            break; /* the next call tries again */
    }
    memory_free(firsts);
}
