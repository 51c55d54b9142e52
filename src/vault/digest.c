/* digest.c - what tells whether the same message has come before. */
#include "vault/digest.h"

#define BLOB_CONTEXT BYTES("veilleuse blob digest/1")

void digest_keys_derive(struct digest_keys *keys) {
    struct bytes context = BLOB_CONTEXT;
    crypto_generichash(keys->poly1305, sizeof keys->poly1305, context.data, context.size,
                       keys->repeat, sizeof keys->repeat);
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

void blob_digest_init(struct blob_digest *state, const struct digest_keys *keys) {
    crypto_onetimeauth_poly1305_init(&state->poly1305, keys->poly1305);
}

void blob_digest_feed(struct blob_digest *state, struct bytes slice) {
    crypto_onetimeauth_poly1305_update(&state->poly1305, slice.data, slice.size);
}

/* Poly1305's key serves for many bodies here, so its tags, two of which would give the key away, are never shown: they
 * go through BLAKE2b. */
void blob_digest_end(struct blob_digest *state, const struct digest_keys *keys,
                     uint8_t digest[DIGEST_BYTES]) {
    uint8_t tag[crypto_onetimeauth_poly1305_BYTES];
    struct bytes context = BLOB_CONTEXT;
    crypto_generichash_state outer;
    crypto_onetimeauth_poly1305_final(&state->poly1305, tag);
    crypto_generichash_init(&outer, keys->repeat, sizeof keys->repeat, DIGEST_BYTES);
    crypto_generichash_update(&outer, context.data, context.size);
    crypto_generichash_update(&outer, (const uint8_t *)"", 1);
    crypto_generichash_update(&outer, tag, sizeof tag);
    crypto_generichash_final(&outer, digest, DIGEST_BYTES);
    sodium_memzero(tag, sizeof tag);
}
