/* repeats.h - has this body been taken within the last days? Keyed digests, kept in memory and beside the vault.
 *
 * Shapes     16-byte digests to indexes, in two generations: the older is dropped when the newer is full or 7 days old,
 *            so that at least 7 days (or half of `count_max`) are remembered.
 * Errors     the file is a cache: what cannot be read or written is made again from the vault, never an error.
 */
#ifndef VAULT_REPEATS_H
#define VAULT_REPEATS_H

#include "vault/vault.h"

#define DIGEST_BYTES 16u

struct repeat_table {
    struct repeat_slot *slots;
    uint32_t capacity, count;
    int64_t begun_at;
};

struct repeats {
    struct repeat_table current, previous;
    uint32_t count_max;
    int fd;              /* of the cache file; -1: none */
    uint64_t known_size; /* entries below this are in the tables or too old */
};

MUST_CHECK enum err repeats_init(struct repeats *repeats, uint32_t count_max);
void repeats_release(struct repeats *repeats, struct sys *sys);
/* The index where this body stands. */
bool repeats_find(const struct repeats *repeats, const uint8_t digest[DIGEST_BYTES],
                  uint64_t *index);
/* ERR_MEMORY is not fatal to the caller: the body is then not remembered. */
void repeats_add(struct repeats *repeats, const uint8_t digest[DIGEST_BYTES], uint64_t index,
                 int64_t now_us);
/* Take back what a failed batch had added for `index`. */
void repeats_forget(struct repeats *repeats, const uint8_t digest[DIGEST_BYTES], uint64_t index);

/* Read the cache file: what it says of entries below durable_size. Sets known_size. */
void repeats_load(struct repeats *repeats, struct sys *sys, const char *site_dir,
                  uint64_t durable_size, int64_t now_us);
/* Append records of REPEAT_RECORD_BYTES to the cache file; not synced. */
#define REPEAT_RECORD_BYTES 28u
void repeat_record_put(uint8_t out[REPEAT_RECORD_BYTES], const uint8_t digest[DIGEST_BYTES],
                       uint64_t index);
void repeats_save(struct repeats *repeats, struct sys *sys, struct bytes records);

#endif
