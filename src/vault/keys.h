/* keys.h - the keys of a vault: who signs, who reads, what seals. Only vault/ sees this.
 *
 * Shapes     the site's secrets are DIR/keys/{signing,node,repeat}.key; an epoch's key is in vault/keys/<epoch>, sealed to
 *            each recipient, and in vault/keys/<epoch>.<n>, sealed to those who came later.
 * Errors     ERR_NOT_FOUND: there is no such epoch (erased, or never begun). ERR_CRYPTO: no file of it opens with our key.
 * Ownership  secrets lie in locked memory (sodium_malloc) and are wiped by the _close functions.
 * Source     docs/format/vault.md, "Keys".
 */
#ifndef VAULT_KEYS_H
#define VAULT_KEYS_H

#include "vault/vault.h"

#define KEY_BYTES           32u
#define KEY_FILE_BYTES_MAX  4096u
#define RECIPIENT_COUNT_MAX 64u

struct recipients {
    uint8_t public_keys[RECIPIENT_COUNT_MAX][KEY_BYTES];
    char labels[RECIPIENT_COUNT_MAX][VAULT_LABEL_BYTES_MAX + 1];
    size_t count;
};

/* ---- the secret key files, in clear or under the site's passphrase: locked.c ---- */

/* What DIR/keys/<file> holds, without the line's end, in `buffer`, which the caller wipes. */
MUST_CHECK enum err key_file_read(struct sys *sys, const char *site_dir,
                                  const struct vault_unlock *unlock, const char *file,
                                  char buffer[KEY_FILE_BYTES_MAX], struct bytes *content,
                                  struct fault *fault);
/* Durably; `content` is wiped. */
MUST_CHECK enum err key_file_write(struct sys *sys, const char *site_dir,
                                   const struct vault_unlock *unlock, const char *file,
                                   struct text *content, struct fault *fault);
/* End a change of passphrase that was interrupted: before any key file is written, under the site's lock. */
MUST_CHECK enum err key_files_settle(struct sys *sys, const char *site_dir, struct fault *fault);

/* ---- what they hold ---- */

/* Make the key files of a new site and its first epoch; vault/verifier comes last, and says that all are there.
 * `recovery`: the public half of the offline key, or NULL. */
MUST_CHECK enum err keys_create(struct sys *sys, const char *site_dir, const char *origin,
                                const uint8_t *recovery, struct fault *fault);
/* The name in the first line of vault/verifier: what entries are sealed for. */
MUST_CHECK enum err keys_read_log_name(struct sys *sys, const char *site_dir,
                                       char name[TLOG_ORIGIN_BYTES_MAX + 1], struct fault *fault);
/* The caller wipes signer->secret_key. */
MUST_CHECK enum err keys_read_signer(struct sys *sys, const char *site_dir,
                                     const struct vault_unlock *unlock, struct tlog_signer *signer,
                                     struct fault *fault);
/* Is the note signed by this key under any of its names in vault/verifier? ERR_CRYPTO: no. */
MUST_CHECK enum err keys_verify_own(struct sys *sys, const char *site_dir,
                                    const struct tlog_signer *signer, struct bytes note,
                                    struct fault *fault);
/* The same seed under the name of the origin's next epoch: a line is added to vault/verifier, then the signing key is
 * written anew. */
MUST_CHECK enum err keys_begin_origin(struct sys *sys, const char *site_dir,
                                      const struct vault_unlock *unlock, struct tlog_signer *signer,
                                      struct fault *fault);
/* For a node that goes on with another's log: node.key is `node`, signing and repeat keys are new, the origin's next epoch is
 * added to vault/verifier. The caller wipes *signer. */
MUST_CHECK enum err keys_adopt(struct sys *sys, const char *site_dir, const uint8_t node[KEY_BYTES],
                               struct tlog_signer *signer, struct fault *fault);
MUST_CHECK enum err keys_write_node(struct sys *sys, const char *site_dir,
                                    const uint8_t node[KEY_BYTES], struct fault *fault);
MUST_CHECK enum err keys_read_repeat(struct sys *sys, const char *site_dir,
                                     const struct vault_unlock *unlock, uint8_t key[KEY_BYTES],
                                     struct fault *fault);

/* The node's X25519 secret; the caller wipes it. */
MUST_CHECK enum err keys_read_node(struct sys *sys, const char *site_dir,
                                   const struct vault_unlock *unlock, uint8_t secret[KEY_BYTES],
                                   struct fault *fault);

/* Node alone when there is no such file. */
MUST_CHECK enum err recipients_read(struct sys *sys, const char *site_dir,
                                    const struct vault_unlock *unlock,
                                    struct recipients *recipients, struct fault *fault);
MUST_CHECK enum err recipients_write(struct sys *sys, const char *site_dir,
                                     const struct recipients *recipients, struct fault *fault);

/* ---- epochs ---- */

/* While vault/keys/<epoch>.erasing stands that epoch is erased, whatever of its files is left. */
#define EPOCH_ERASING ".erasing"
/* Is this the name of such a mark? */
bool epoch_is_erasing(const char *name, uint32_t *epoch);
/* The epochs that have a file in vault/keys and are not erased, ascending, each once; a view until the next call. */
struct epoch_list {
    uint32_t *epochs;
    size_t count, capacity;
};
MUST_CHECK enum err epochs_list(struct sys *sys, const char *vault_dir, struct epoch_list *list,
                                struct fault *fault);
void epochs_release(struct epoch_list *list);

/* "<epoch>", or "<epoch>.<n>" for the n-th file of that epoch, n from 2. */
#define EPOCH_FILE_BYTES_MAX 24u
void epoch_file_name(char name[EPOCH_FILE_BYTES_MAX], uint32_t epoch, unsigned nth);
/* Seal `key` to each recipient, durably; the file's name is followed by `end`. ERR_STATE: such a file stands already. */
MUST_CHECK enum err epoch_file_write(struct sys *sys, const char *vault_dir, uint32_t epoch,
                                     unsigned nth, const char *end, const uint8_t key[KEY_BYTES],
                                     const struct recipients *recipients, struct fault *fault);
/* SHA-256 of vault/keys/<name>, which the log holds as an entry of kind VAULT_KEY. */
MUST_CHECK enum err epoch_file_hash(struct sys *sys, const char *vault_dir, const char *name,
                                    uint8_t hash[TLOG_HASH_BYTES], struct fault *fault);

struct epoch_keys; /* the epoch keys this node has opened, the last used ones, in locked memory */
MUST_CHECK enum err epoch_keys_open(struct epoch_keys **keys, struct sys *sys, const char *site_dir,
                                    const struct vault_unlock *unlock, struct fault *fault);
void epoch_keys_close(struct epoch_keys *keys);
/* A view until the next call. */
MUST_CHECK enum err epoch_keys_find(struct epoch_keys *keys, uint32_t epoch, const uint8_t **key,
                                    struct fault *fault);
/* A key from elsewhere: of an epoch just made. */
void epoch_keys_add(struct epoch_keys *keys, uint32_t epoch, const uint8_t key[KEY_BYTES]);
void epoch_keys_forget(struct epoch_keys *keys, uint32_t epoch);
/* The X25519 secret that opens this epoch's blobs, derived from the epoch's key. */
void epoch_blob_secret(const uint8_t epoch_key[KEY_BYTES], uint8_t secret[KEY_BYTES]);

#endif
