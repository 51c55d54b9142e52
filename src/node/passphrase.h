/* passphrase.h - the passphrase of a site's secret keys: from a file, from the service manager, or from a person at the terminal.
 *
 * Shapes     one line of 1 to PASSPHRASE_BYTES_MAX bytes, taken as they are. What is worked out of it is a struct vault_unlock.
 * Errors     ERR_AUTH: it is another, or there is none to be had. ERR_INPUT, ERR_LIMIT: no such line.
 * Ownership  a passphrase lies in locked memory and is wiped as soon as its key is worked out; passphrase_free.
 * Process    serve, before it starts anything, and commands. A role gets the key alone (role_main.h), never the passphrase.
 * Source     systemd.exec(5), "Credentials".
 */
#ifndef NODE_PASSPHRASE_H
#define NODE_PASSPHRASE_H

#include "vault/vault.h"

#define PASSPHRASE_BYTES_MAX  1000u
#define PASSPHRASE_CREDENTIAL "veilleuse-passphrase"

/* What a command needs to read the keys of its site: asked for once, and only if they have a passphrase. */
struct unlocking {
    const char *file;            /* --passphrase-file, or NULL */
    struct vault_unlock *unlock; /* NULL before it is asked for, and where there is no passphrase */
    bool is_done;
};
MUST_CHECK enum err unlocking_need(struct unlocking *unlocking, const char *site_dir,
                                   struct fault *fault);
/* What the supervisor gives a role, or a command of its own, by ROLE_UNLOCK_FD. */
MUST_CHECK enum err unlocking_take(struct unlocking *unlocking, struct fault *fault);
void unlocking_end(struct unlocking *unlocking);
/* Is there a file, a credential or a terminal to have one from? */
bool passphrase_has_source(const char *file);

/* What a file holds; ERR_INPUT when that is not one line, or empty. */
MUST_CHECK enum err passphrase_read(const char *path, struct bytes *passphrase,
                                    struct fault *fault);
/* From the terminal, without echo; `again`: typed twice. ERR_AUTH: there is no terminal. */
MUST_CHECK enum err passphrase_ask(const char *prompt, bool again, struct bytes *passphrase,
                                   struct fault *fault);
void passphrase_free(struct bytes *passphrase);

/* The command `key passphrase`; argv[0] is "passphrase". */
int node_key_passphrase(int argc, char **argv);

#endif
