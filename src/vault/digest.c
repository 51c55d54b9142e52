/* digest.c - what tells whether the same message has come before. */
#include "vault/digest.h"

#include <sodium.h>

#define BLOB_CONTEXT BYTES("veilleuse blob digest/1")

void digest_keys_derive(struct digest_keys *keys) {
    uint8_t key[UMAC_KEY_SIZE];
    struct bytes context = BLOB_CONTEXT;
    crypto_generichash(key, sizeof key, context.data, context.size, keys->repeat,
                       sizeof keys->repeat);
    umac128_set_key(&keys->umac, key); /* its nonce is zero */
    sodium_memzero(key, sizeof key);
}

void digest_entry(const struct digest_keys *keys, const struct vault_entry *entry,
                  uint8_t digest[DIGEST_BYTES]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, keys->repeat, sizeof keys->repeat, DIGEST_BYTES);
    crypto_generichash_update(&state, entry->media_type.data, entry->media_type.size);
    crypto_generichash_update(&state, (const uint8_t *)"", 1);
    crypto_generichash_update(&state, entry->body.data, entry->body.size);
    crypto_generichash_final(&state, digest, DIGEST_BYTES);
    digest_restated(keys, entry, digest);
}

void digest_restated(const struct digest_keys *keys, const struct vault_entry *entry,
                     uint8_t digest[DIGEST_BYTES]) {
    uint8_t once[DIGEST_BYTES];
    if (!entry->is_restated)
        return;
    memcpy(once, digest, sizeof once);
    crypto_generichash(digest, DIGEST_BYTES, once, sizeof once, keys->repeat, sizeof keys->repeat);
}

void digest_typed(const struct digest_keys *keys, const struct vault_entry *entry,
                  uint8_t digest[DIGEST_BYTES]) {
    crypto_generichash_state state;
    if (bytes_find(entry->media_type, ';') == BYTES_NOT_FOUND)
        return;
    crypto_generichash_init(&state, keys->repeat, sizeof keys->repeat, DIGEST_BYTES);
    crypto_generichash_update(&state, entry->media_type.data, entry->media_type.size);
    crypto_generichash_update(&state, (const uint8_t *)"", 1);
    crypto_generichash_update(&state, digest, DIGEST_BYTES);
    crypto_generichash_final(&state, digest, DIGEST_BYTES);
}

void blob_digest_init(struct blob_digest *state, const struct digest_keys *keys) {
    state->umac = keys->umac;
}

void blob_digest_feed(struct blob_digest *state, struct bytes slice) {
    umac128_update(&state->umac, slice.size, slice.data);
}

/* As a MAC, UMAC takes a nonce only once. Here it is the same for all: that is the universal hash under it, which shows nothing
 * as long as its values are not shown. They go through BLAKE2b. */
void blob_digest_end(struct blob_digest *state, const struct digest_keys *keys,
                     uint8_t digest[DIGEST_BYTES]) {
    uint8_t tag[UMAC128_DIGEST_SIZE];
    struct bytes context = BLOB_CONTEXT;
    crypto_generichash_state outer;
    umac128_digest(&state->umac, sizeof tag, tag);
    crypto_generichash_init(&outer, keys->repeat, sizeof keys->repeat, DIGEST_BYTES);
    crypto_generichash_update(&outer, context.data, context.size);
    crypto_generichash_update(&outer, (const uint8_t *)"", 1);
    crypto_generichash_update(&outer, tag, sizeof tag);
    crypto_generichash_final(&outer, digest, DIGEST_BYTES);
    sodium_memzero(tag, sizeof tag);
}
