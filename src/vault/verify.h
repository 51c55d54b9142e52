/* verify.h - the inside of verifying, shared by verify.c (the tree) and verify_files.c (blobs, keys, what was verified last). */
#ifndef VAULT_VERIFY_H
#define VAULT_VERIFY_H

#include "vault/envelope.h"
#include "vault/layout.h"

struct damage { /* also what a worker writes to its pipe */
    uint64_t index, at, bytes_read, blob_count, erased_count;
    char file[VAULT_PATH_BYTES_MAX];
    char what[200];
    bool is_found;
};
/* A file of keys/ that an entry names: <epoch>, or <epoch>.<nth>. */
struct named_key {
    uint32_t epoch, nth;
};

/* Of the entries looked at, those sealed under one epoch. */
struct tally {
    uint32_t epoch;
    uint64_t entry_count, gone_count; /* gone: blobs that they name and that are not there */
};

/* The first damaged place is kept: the one with the lowest index. */
#define DAMAGE_OF_NO_ENTRY (UINT64_MAX - 1)
void damage_found(struct damage *damage, const char *file, uint64_t index, uint64_t at,
                  const char *what);

struct verify {
    struct sys *sys;
    const char *vault_dir;
    const char *point_path; /* where what was verified last is remembered; NULL: nowhere */
    struct tlog_verifier *verifiers; /* first those that may sign `checkpoint` */
    size_t vouched_count, verifier_count;
    struct checkpoint_file *checkpoint;
    struct vault_report *report;
    bool is_quick;
    uint64_t from; /* entries below are taken as verified before */
    struct tlog_hash from_root;
    uint8_t *bundle, *file;
    uint8_t tile[TLOG_TILE_BYTES];
    struct level {
        struct tlog_hash hashes[TLOG_TILE_WIDTH];
        unsigned width;
        uint64_t number;
    } levels[8];
    struct named_key *named; /* by the entries looked at so far */
    size_t named_count, named_max;
    uint32_t
        newest; /* of the epochs that have begun, once all entries were looked at; before that 0 */
    struct tally *tallies; /* likewise; the one used last is the last */
    size_t tally_count, tally_max;
    uint64_t *sizes; /* of the kept checkpoints, ascending */
    size_t size_count, size_at;
};
#define VERIFY_FILE_BYTES ((size_t)1 << 20)

/* What an entry names: its blob must be there, its file in keys/ must be the one that was meant. */
void verify_named_files(struct verify *verify, struct bytes stored, uint64_t index,
                        struct damage *damage);
/* Another one that a worker has seen; false: no memory. */
bool verify_name_key(struct verify *verify, struct named_key key);
bool verify_add_tally(struct verify *verify, const struct tally *more);
/* The directory keys/ against what was named, once all entries were looked at: nothing there that no entry states, nothing of
 * a living epoch gone. */
void verify_key_files(struct verify *verify, struct damage *damage);
/* How much is erased, into the report; once all entries and keys were looked at. */
void verify_count_erased(struct verify *verify);
/* Every blob there is, of the directories that are `worker`'s of `worker_count`. */
void verify_blobs(struct verify *verify, unsigned worker, unsigned worker_count,
                  struct damage *damage);
/* The point up to which all was whole once; size 0 when none is known. */
void verify_load_point(struct verify *verify);
void verify_save_point(struct verify *verify);

#endif
