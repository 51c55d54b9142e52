/* recovery.h - the offline recovery key of a site: made, split into shares that people keep, put together again.
 *
 * Shapes     an X25519 secret; `threshold` of `count` shares of SLIP-39 give it back. Nothing of it is kept on any disk: the shares
 *            are printed as text on stdout, or as a PDF with one sheet for each holder.
 * Errors     ERR_USAGE: not K/N. ERR_INPUT: shares that are mistyped, or not of this vault; a sentence on stderr names each.
 * Ownership  the caller wipes secrets (recovery_clear).
 * Process    init and key, on the command line.
 */
#ifndef NODE_RECOVERY_H
#define NODE_RECOVERY_H

#include "formats/slip39/slip39.h"
#include "vault/vault.h"

struct recovery {
    unsigned threshold, count;
    uint8_t secret[VAULT_PUBLIC_KEY_BYTES], public_key[VAULT_PUBLIC_KEY_BYTES];
    struct slip39_share shares[SLIP39_SHARE_COUNT_MAX];
};

/* "3/5". False, after a sentence on stderr, when it is not of the form. */
bool recovery_read_split(const char *text, struct recovery *recovery);
/* A new secret, split. */
MUST_CHECK enum err recovery_make(struct recovery *recovery, struct fault *fault);
void recovery_clear(struct recovery *recovery);
/* What the vault says of it: public half and hashes. */
MUST_CHECK enum err recovery_write_public(const struct recovery *recovery, const char *site_dir,
                                          struct fault *fault);
/* Give the shares out, once: as a PDF at `pdf_path`, or, when that is NULL, on stdout. */
MUST_CHECK enum err recovery_give_out(const struct recovery *recovery, const char *site_name,
                                      const char *origin, const char *pdf_path,
                                      struct fault *fault);
#define RECOVERY_SHARES_BYTES_MAX ((size_t)64 << 10)
/* Shares as they were written down: of a file, or, when `path` is NULL, typed on standard input. A view into `buffer`, of
 * RECOVERY_SHARES_BYTES_MAX. */
MUST_CHECK enum err recovery_read_shares(const char *path, char *buffer, struct bytes *text,
                                         struct fault *fault);
/* Read shares from `text`, one a line (or of several lines, each beginning with its number), check each against vault/recovery
 * where there is one, and put the secret together. What is wrong with which share is said on stderr. */
MUST_CHECK enum err recovery_combine(const char *vault_dir, struct bytes text,
                                     uint8_t secret[VAULT_PUBLIC_KEY_BYTES], struct fault *fault);

/* The command `key recover`; argv[0] is "recover". */
int node_key_recover(int argc, char **argv);

#endif
