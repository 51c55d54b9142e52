/* writer.h - the inside of a vault's writer, shared by writer.c, recover.c, rotate.c, wrap.c, blob.c and settle.c. */
#ifndef VAULT_WRITER_H
#define VAULT_WRITER_H

#include "vault/dictionary.h"
#include "vault/digest.h"
#include "vault/envelope.h"
#include "vault/keys.h"
#include "vault/layout.h"

/* In locked memory. */
struct writer_secrets {
    uint8_t epoch_key[KEY_BYTES];
    uint8_t blob_recipient[KEY_BYTES]; /* public, of the epoch's blobs */
    struct digest_keys digests;
};

#define BATCH_BYTES_MAX  ((size_t)8 << 20)
#define BATCH_BYTES_RIPE ((size_t)6 << 20)

struct pending_digest {
    uint8_t digest[DIGEST_BYTES];
    uint64_t index;
};
#define PENDING_COUNT_MAX  65536u
#define PENDING_COUNT_RIPE 60000u

/* The file of a blob whose reference is pending. */
struct pending_blob {
    uint8_t name[TLOG_HASH_BYTES];
    uint32_t number; /* written as wal/blob-<number> */
    int fd;          /* -1: it has its name */
};
#define BLOB_COUNT_MAX  256u /* files of one batch: they are held open */
#define BLOB_COUNT_RIPE 128u

struct vault_writer {
    struct sys *sys;
    char site_dir[VAULT_PATH_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_writer_options options;
    struct epoch_keys *keys;
    struct sealer *sealer;
    struct writer_secrets *secrets;
    uint32_t epoch; /* that new entries are sealed under */

    struct samples *samples;
    int64_t tend_at; /* monotonic: not before */
    uint32_t blob_open_count;
    struct repeats repeats;
    struct hlc hlc;
    char boot_id[40];
    int64_t clock_saved_us;
    bool is_clock_doubtful; /* it jumped between the last life and this one */
    /* The segment being written. */
    int segment_fd; /* -1: the next batch begins one */
    uint64_t segment_first, segment_size, segment_used;
    uint64_t durable_size, next_index;
    /* The pending batch. */
    uint8_t *batch;
    size_t batch_bytes;
    struct pending_digest *pending;
    uint32_t pending_count;
    struct pending_blob blobs[BLOB_COUNT_MAX];
    uint32_t blob_count;
    /* blob/<aa> was synced into blob/ in this life; one that is merely there may not last. */
    bool is_blob_dir_lasting[256];
    uint8_t *sealed; /* chunks on their way into a blob */
    struct vault_blob_writer *spare_blob;
    bool is_suspect, is_full;
    int64_t space_seen_at;
    uint32_t blob_number;
};

/* clock.c: compare the clock with what the last life saw of it; keep what this one sees. */
void writer_clock_open(struct vault_writer *writer);
void writer_clock_save(struct vault_writer *writer);
/* recover.c: durable_size, the clock and the repeats, from what lies on the disk. */
MUST_CHECK enum err writer_recover(struct vault_writer *writer, struct fault *fault);
/* Append an entry whose digest is made already. Of kind VAULT_KEY it is stored open. */
MUST_CHECK enum err writer_append_sealed(struct vault_writer *writer, struct vault_entry *entry,
                                         uint64_t *index, struct fault *fault);
/* One of the vault's own: of keys, dictionaries, notes. */
MUST_CHECK enum err writer_append_own(struct vault_writer *writer, struct vault_entry *entry,
                                      uint64_t *index, struct fault *fault);
/* What is pending is not to be: its blobs are taken away too. */
void writer_take_back(struct vault_writer *writer);
/* The disk took back what it had said it had, or would not sync: nothing is written from here on, whatever errno says, and
 * nothing is tried again. The batch is taken back. Gives ERR_IO. */
enum err writer_suspect(struct vault_writer *writer, int errnum, const char *what,
                        struct fault *fault);
/* Before the batch is written: a disk that is full is not broken. Gives ERR_FULL, or as above. */
enum err writer_sync_failed(struct vault_writer *writer, int errnum, const char *what,
                            struct fault *fault);

/* ---- settle.c: the blobs of the pending batch ---- */
/* wal/blob-<number> is written; it is the writer's from here on. */
void writer_add_blob(struct vault_writer *writer, const struct pending_blob *blob);
/* All of them durable, under their names. After an error the batch must be taken back. */
MUST_CHECK enum err writer_settle_blobs(struct vault_writer *writer, struct fault *fault);
/* From here on the disk may hold entries that name them: whatever comes, they stay. */
void writer_keep_blobs(struct vault_writer *writer);
/* Take the newest away again, until `count` are left. */
void writer_drop_blobs(struct vault_writer *writer, uint32_t count);

/* ---- blob.c ---- */
/* The key that blobs are sealed to follows from the epoch's. */
void writer_derive_recipient(struct vault_writer *writer);
enum err writer_open_blobs(struct vault_writer *writer);
void writer_close_blobs(struct vault_writer *writer);

/* rotate.c: the epoch and dictionary that the log ends with; a new log begins its first. */
MUST_CHECK enum err writer_find_epoch(struct vault_writer *writer, struct fault *fault);
void writer_find_dictionary(struct vault_writer *writer);
/* The entry of keys/<epoch> or keys/<epoch>.<nth>, whose file stands under that name and `end`. */
MUST_CHECK enum err writer_append_key(struct vault_writer *writer, uint32_t epoch, unsigned nth,
                                      const char *end, struct fault *fault);
/* wrap.c: what a wrapping that was cut off left in keys/ is named, or taken away. */
MUST_CHECK enum err writer_finish_wraps(struct vault_writer *writer, struct fault *fault);
/* erase.c: keys/<epoch>, keys/<epoch>.<n>; that they are gone lasts. */
MUST_CHECK enum err writer_remove_epoch_files(struct vault_writer *writer, uint32_t epoch,
                                              struct fault *fault);
/* What an erasure that was cut off left is removed. */
MUST_CHECK enum err writer_finish_erasures(struct vault_writer *writer, struct fault *fault);
/* keys/<epoch> stands: its first entries, durable. `dictionary` may be empty. */
MUST_CHECK enum err writer_begin_epoch(struct vault_writer *writer, uint32_t epoch,
                                       struct bytes dictionary, struct fault *fault);

/* May this entry be taken now? ERR_STATE: suspect. ERR_FULL: below the reserve. */
MUST_CHECK enum err writer_admits(struct vault_writer *writer, bool is_from_person,
                                  struct fault *fault);

#endif
