/* continuity.h - what was signed last, kept outside the disk, so that a disk restored from the past cannot be signed on. Only
 * vault/ sees this.
 *
 * Shapes     one file for each origin, in memory that ends with the machine's run (tmpfs): a line `<size> <root> <origin>` of
 *            what was signed last, and while a claim is under way a second one of what is about to be.
 * Errors     what cannot be read or locked shows no continuity; that is no error. ERR_IO: it could not be written.
 * Process    publish: the one signer, who holds it locked.
 * Source     docs/format/vault.md, "Epochs of the origin".
 */
#ifndef VAULT_CONTINUITY_H
#define VAULT_CONTINUITY_H

#include "vault/vault.h"

struct signed_tree {
    uint64_t size; /* 0: nothing was signed yet */
    struct tlog_hash root;
};

struct continuity {
    struct sys *sys;
    int fd; /* -1: there is no such memory here */
    bool was_there;
    bool is_held; /* another process signs under this origin now */
    char origin[TLOG_ORIGIN_BYTES_MAX + 1];
    struct signed_tree last, next; /* next.size 0: no claim is under way */
};

/* `<size> SP base64(root) SP <origin> LF`, the form of keys/signed too. */
void signed_tree_put(struct text *out, const struct signed_tree *tree, const char *origin);
/* False: not of the form, or of another origin (NULL: whichever). A line without an origin is of any. */
bool signed_tree_read(struct bytes line, const char *origin, struct signed_tree *tree);

/* Find and lock the memory of this origin in `memory_dir`; without it every later start will begin an epoch. */
void continuity_open(struct continuity *continuity, struct sys *sys, const char *memory_dir,
                     const struct tlog_verifier *verifier);
void continuity_close(struct continuity *continuity);
/* Does the memory agree with what the disk says was signed last? */
bool continuity_is_shown(const struct continuity *continuity, const struct signed_tree *on_disk);
/* Before keys/signed says `next`; after it does. */
MUST_CHECK enum err continuity_intend(struct continuity *continuity, const struct signed_tree *next,
                                      struct fault *fault);
MUST_CHECK enum err continuity_settle(struct continuity *continuity, const struct signed_tree *tree,
                                      struct fault *fault);

#endif
