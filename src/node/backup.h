/* backup.h - the keys and the configuration of a site in one text, and that text sealed to one who can read it.
 *
 * Shapes     the files of DIR/keys and veilleuse.conf; as text, JSON of docs/format/backup.md; sealed, an age v1 file.
 * Errors     ERR_INPUT, ERR_LIMIT, ERR_UNSUPPORTED: this is no backup of ours; nothing of it is to be used. ERR_CRYPTO: not for
 *            this key, or damaged; the sentence says which.
 * Ownership  what is in a backup lies in locked memory until backup_release.
 * Limits     BACKUP_FILE_COUNT_MAX files, BACKUP_BYTES_MAX in all.
 * Process    commands.
 * Source     docs/format/backup.md
 */
#ifndef NODE_BACKUP_H
#define NODE_BACKUP_H

#include "vault/vault.h"

#define BACKUP_FILE_COUNT_MAX   64u
#define BACKUP_NAME_BYTES_MAX   63u
#define BACKUP_BYTES_MAX        ((size_t)512 << 10)
#define BACKUP_TEXT_BYTES_MAX   ((size_t)1 << 20)
#define BACKUP_SEALED_BYTES_MAX (BACKUP_TEXT_BYTES_MAX + ((size_t)16 << 10))

struct backup_file {
    char name[BACKUP_NAME_BYTES_MAX + 1]; /* "keys/node.key", "veilleuse.conf" */
    struct bytes content;
};
struct backup {
    char log[512];    /* the first line of vault/verifier: whose keys these are */
    char made_at[40]; /* RFC 3339, UTC */
    struct backup_file files[BACKUP_FILE_COUNT_MAX]; /* by name */
    size_t file_count;
    uint8_t *memory; /* what `content` points into */
    size_t filled;
};

/* As the files stood at one moment, whatever is written meanwhile. */
MUST_CHECK enum err backup_collect(struct backup *backup, struct sys *sys, const char *site_dir,
                                   struct fault *fault);
void backup_release(struct backup *backup);

void backup_put(struct text *out, const struct backup *backup);
/* Every name is one that belongs in a site, every file that a site cannot do without is there. */
MUST_CHECK enum err backup_read(struct backup *backup, struct bytes text, struct fault *fault);

/* `sealed` has room for BACKUP_SEALED_BYTES_MAX. */
MUST_CHECK enum err backup_seal(struct bytes text, const uint8_t recipient[VAULT_PUBLIC_KEY_BYTES],
                                uint8_t *sealed, size_t *sealed_bytes, struct fault *fault);
/* `text` has room for BACKUP_TEXT_BYTES_MAX; nothing of it counts after an error. */
MUST_CHECK enum err backup_open(struct bytes sealed, const uint8_t secret[VAULT_PUBLIC_KEY_BYTES],
                                char *text, size_t *text_bytes, struct fault *fault);

/* The commands `key backup` and `key restore`. */
int node_key_backup(int argc, char **argv);
int node_key_restore(int argc, char **argv);

#endif
