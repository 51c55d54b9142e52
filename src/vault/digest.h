/* digest.h - keyed digests of bodies, by which the writer notices repeats. Only vault/ sees this.
 *
 * Shapes     16 bytes of an entry's media type and body, all at once; of a blob's body, in slices.
 * Ownership  the caller's structs; keys lie in the writer's locked memory.
 * Source     docs/format/vault.md, "Digest". Who does not have the key cannot make two bodies with one digest: of an
 *            entry's body it is BLAKE2b, a pseudorandom function; of a blob's it is BLAKE2b over UMAC (RFC 4418) under a key
 *            of its own, a universal hash made pseudorandom, eight times as fast.
 */
#ifndef VAULT_DIGEST_H
#define VAULT_DIGEST_H

#include "vault/repeats.h"

#include <nettle/umac.h>

#define DIGEST_KEY_BYTES 32u

struct digest_keys {
    uint8_t repeat[DIGEST_KEY_BYTES]; /* keys/repeat.key */
    struct umac128_ctx umac;          /* keyed, with nothing in it yet */
};

/* keys->repeat is there: the other follows from it. */
void digest_keys_derive(struct digest_keys *keys);

void digest_entry(const struct digest_keys *keys, const struct vault_entry *entry,
                  uint8_t digest[DIGEST_BYTES]);
/* A body that is stated again is no repeat of itself, nor is one that a sender sends again a repeat of it: its digest becomes
 * one of its own. Of others it stays as it is. For blobs; digest_entry does it too. */
void digest_restated(const struct digest_keys *keys, const struct vault_entry *entry,
                     uint8_t digest[DIGEST_BYTES]);

/* The same file filed under two patients is no repeat: a media type with parameters belongs to the digest. For blobs, whose
 * digest is begun before their type is known; that of others has the type in it. */
void digest_typed(const struct digest_keys *keys, const struct vault_entry *entry,
                  uint8_t digest[DIGEST_BYTES]);

struct blob_digest {
    struct umac128_ctx umac;
};
void blob_digest_init(struct blob_digest *state, const struct digest_keys *keys);
void blob_digest_feed(struct blob_digest *state, struct bytes slice);
void blob_digest_end(struct blob_digest *state, const struct digest_keys *keys,
                     uint8_t digest[DIGEST_BYTES]);

#endif
