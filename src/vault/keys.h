/* keys.h - the keys of a vault: who signs, who reads, what seals. Only vault/ sees this.
 *
 * Ownership  secrets lie in locked memory (sodium_malloc) and are wiped by the _close functions.
 * Source     docs/format/vault.md, "Keys".
 */
#ifndef VAULT_KEYS_H
#define VAULT_KEYS_H

#include "vault/vault.h"

#define KEY_BYTES 32u

struct epoch_keys; /* all epoch keys this node can open, in locked memory */

/* Make the key files of a new site and its first epoch; vault/verifier comes last, and says that all are there. */
MUST_CHECK enum err keys_create(struct sys *sys, const char *site_dir, const char *origin,
                                struct fault *fault);
/* SHA-256 of vault/keys/<epoch>, which the log holds as an entry of kind VAULT_KEY. */
MUST_CHECK enum err keys_hash_epoch(struct sys *sys, const char *site_dir, uint32_t epoch,
                                    uint8_t hash[TLOG_HASH_BYTES], struct fault *fault);
MUST_CHECK enum err keys_read_origin(struct sys *sys, const char *site_dir,
                                     char origin[TLOG_ORIGIN_BYTES_MAX + 1], struct fault *fault);
/* The caller wipes signer->secret_key. */
MUST_CHECK enum err keys_read_signer(struct sys *sys, const char *site_dir,
                                     struct tlog_signer *signer, struct fault *fault);
MUST_CHECK enum err keys_read_repeat(struct sys *sys, const char *site_dir, uint8_t key[KEY_BYTES],
                                     struct fault *fault);

MUST_CHECK enum err epoch_keys_open(struct epoch_keys **keys, struct sys *sys, const char *site_dir,
                                    struct fault *fault);
void epoch_keys_close(struct epoch_keys *keys);
/* NULL when this node has no key of that epoch. */
const uint8_t *epoch_keys_find(struct epoch_keys *keys, uint32_t epoch);
/* The newest epoch, that new entries are sealed with. */
uint32_t epoch_keys_newest(const struct epoch_keys *keys);
/* The X25519 secret that opens this epoch's blobs, derived from the epoch's key. */
void epoch_blob_secret(const uint8_t epoch_key[KEY_BYTES], uint8_t secret[KEY_BYTES]);

#endif
