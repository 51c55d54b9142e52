/* writer.h - the inside of a vault's writer, shared by writer.c, recover.c and blob.c. */
#ifndef VAULT_WRITER_H
#define VAULT_WRITER_H

#include "vault/envelope.h"
#include "vault/keys.h"
#include "vault/layout.h"
#include "vault/repeats.h"

#define BATCH_BYTES_MAX ((size_t)8 << 20)

struct pending_digest {
    uint8_t digest[DIGEST_BYTES];
    uint64_t index;
};
#define PENDING_COUNT_MAX 65536u

struct vault_writer {
    struct sys *sys;
    char site_dir[VAULT_PATH_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_writer_options options;
    struct epoch_keys *keys;
    struct sealer *sealer;
    uint8_t repeat_key[KEY_BYTES];
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
    bool is_suspect, is_full;
    int64_t space_seen_at;
    uint32_t blob_number;
};

/* clock.c: compare the clock with what the last life saw of it; keep what this one sees. */
void writer_clock_open(struct vault_writer *writer);
void writer_clock_save(struct vault_writer *writer);
/* recover.c: durable_size, the clock and the repeats, from what lies on the disk. */
MUST_CHECK enum err writer_recover(struct vault_writer *writer, struct fault *fault);
/* Append an entry whose digest is made already. */
MUST_CHECK enum err writer_append_sealed(struct vault_writer *writer,
                                         const struct vault_append *append,
                                         struct vault_entry *entry, uint64_t *index,
                                         struct fault *fault);
/* May this entry be taken now? ERR_STATE: suspect. ERR_FULL: below the reserve. */
MUST_CHECK enum err writer_admits(struct vault_writer *writer, bool is_from_person,
                                  struct fault *fault);

#endif
