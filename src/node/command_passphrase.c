/* command_passphrase.c - key passphrase: sets, changes or removes the passphrase of a site's secret keys. */
#include "node/passphrase.h"

#include "node/options.h"
#include "node/site.h"

#include <stdio.h>

static const char passphrase_usage[] =
    "key passphrase DIR [--remove] [--passphrase-file FILE] [--new-passphrase-file FILE]";

/* Nobody else may write a key file meanwhile: no node, no command, no role that is still leaving. */
static enum err lock_all(const char *dir, int fds[3], struct fault *fault) {
    fds[0] = fds[1] = fds[2] = -1;
    enum err err = site_lock(NULL, dir, &fds[0], fault);
    if (err == ERR_STATE)
        fault->what = "the node must be stopped while the passphrase changes";
    if (!err)
        err = site_role_lock(NULL, dir, "commit", &fds[1], fault);
    return err ? err : site_role_lock(NULL, dir, "publish", &fds[2], fault);
}

static enum err have_new(const char *file, struct bytes *passphrase, struct fault *fault) {
    if (file)
        return passphrase_read(file, passphrase, fault);
    enum err err = passphrase_ask("The new passphrase of the keys: ", true, passphrase, fault);
    if (err == ERR_AUTH)
        fault->what = "there is no terminal to type the new passphrase at: --new-passphrase-file";
    return err;
}

/* After a failure in the middle: it counts already, or it does not. */
static void say_which(const char *dir, struct bytes passphrase) {
    struct vault_unlock *unlock = NULL;
    bool locked = false;
    bool is_new = !vault_keys_are_locked(NULL, dir, &locked, NULL) &&
                  (bytes_is_empty(passphrase)
                       ? !locked
                       : locked && !vault_unlock_make(&unlock, NULL, dir, passphrase, NULL));
    vault_unlock_free(unlock);
    fprintf(stderr, "veilleuse key: %s\n",
            is_new ? "not everything could be written, but the change counts from now on"
                   : "nothing is changed: the keys are as they were");
}

static enum err change(const char *dir, struct unlocking *unlocking, const char *new_file,
                       bool remove, struct fault *fault) {
    struct bytes passphrase = BYTES_NONE;
    enum err err = unlocking_need(unlocking, dir, fault);
    if (!err && remove && !unlocking->unlock)
        err = fault_set(fault, ERR_STATE, "the keys of this site have no passphrase");
    if (!err && !remove)
        err = have_new(new_file, &passphrase, fault);
    if (!err) {
        err = vault_passphrase_change(NULL, dir, unlocking->unlock, passphrase, NULL, fault);
        if (err)
            say_which(dir, passphrase);
    }
    passphrase_free(&passphrase);
    return err;
}

int node_key_passphrase(int argc, char **argv) {
    const char *new_file = NULL;
    bool remove = false;
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"remove", &remove, NULL, NULL},
                                        {"passphrase-file", NULL, &unlocking.file, NULL},
                                        {"new-passphrase-file", NULL, &new_file, NULL},
                                        {0}};
    int count, fds[3];
    if (!options_read(argc, argv, specs, &count) || count != 1 || (remove && new_file))
        return command_usage(passphrase_usage);
    struct fault fault = {0};
    const char *dir = argv[1];
    enum err err = site_is_there(NULL, dir, &fault);
    if (err)
        return command_fail(err, &fault);
    err = lock_all(dir, fds, &fault);
    if (!err)
        err = change(dir, &unlocking, new_file, remove, &fault);
    bool had_one = unlocking.unlock;
    unlocking_end(&unlocking);
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0)
            sys_close(NULL, fds[i]);
    if (err)
        return command_fail(err, &fault);
    printf("%s\n", remove ? "The keys have no passphrase any more."
                   : had_one
                       ? "The keys have a new passphrase."
                       : "The keys have a passphrase: without it the node does not start, and "
                         "nobody can help who forgot it.");
    return 0;
}
