/* layout.h - where things lie in a vault and a site's keys; the format's constants. See docs/format/vault.md. */
#ifndef VAULT_LAYOUT_H
#define VAULT_LAYOUT_H

#include "vault/vault.h"

/* A record of a write-ahead segment: this header, the sealed entry, zeros up to a multiple of 8. */
#define RECORD_MAGIC        0x56524543u /* "VREC" */
#define RECORD_HEADER_BYTES 56u
#define SEGMENT_BYTES       (UINT64_C(64) << 20)

/* 256 entries, each behind two bytes of length. */
#define BUNDLE_BYTES_MAX ((size_t)TLOG_TILE_WIDTH * (TLOG_ENTRY_BYTES_MAX + 2))

struct record {
    uint64_t index;
    uint64_t durable; /* how many entries were durable when this was written */
    struct tlog_hash leaf;
    struct bytes sealed;
};

static inline size_t record_bytes(size_t sealed_bytes) {
    return RECORD_HEADER_BYTES + ((sealed_bytes + 7) & ~(size_t)7);
}
/* Write header and padding around `sealed`, which lies at out + RECORD_HEADER_BYTES already. */
void record_put(uint8_t *out, uint64_t index, uint64_t durable, size_t sealed_bytes);
/* The whole record at the start of `b`, its hash checked. ERR_MORE: not whole (yet). ERR_CORRUPT: something else. */
MUST_CHECK enum err record_read(struct bytes b, struct record *record);

/* "<dir>/<rest>" into path; asserts that it fits (site paths are checked at the start). */
void vault_path(char path[VAULT_PATH_BYTES_MAX], const char *dir, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first indexes of the segments in wal/, ascending. At most `max` (the newest are kept); *count gets how many. */
#define SEGMENT_COUNT_MAX 4096u
MUST_CHECK enum err segments_list(struct sys *sys, const char *vault_dir, uint64_t *firsts,
                                  size_t *count, struct fault *fault);
void segment_path(char path[VAULT_PATH_BYTES_MAX], const char *vault_dir, uint64_t first);

/* How many entries the vault holds with its segments. ERR_CORRUPT: something that had been synced is damaged;
 * fault.subject is the file, fault.at the byte. The writer's own look, at its start, makes durable what it finds, and
 * passes over damage to what is published; every other is stricter, and changes nothing. */
MUST_CHECK enum err segments_measure(struct sys *sys, const char *vault_dir, uint64_t published,
                                     bool is_writer, uint64_t *size, struct fault *fault);

/* The published checkpoint as it lies on disk; size 0 and the empty root when there is none yet. */
#define OWN_NOTE_BYTES_MAX 2048u /* of a note we sign: with one signature */
struct checkpoint_file {
    char note[TLOG_NOTE_BYTES_MAX];
    size_t note_bytes;
    struct tlog_checkpoint checkpoint;
};
MUST_CHECK enum err checkpoint_load(struct sys *sys, const char *path, struct checkpoint_file *file,
                                    struct fault *fault);

#endif
