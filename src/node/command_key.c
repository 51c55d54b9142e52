/* command_key.c - key: the epochs a vault is sealed under, who may read them, and the way back when every node is lost. */
#include "node/node.h"

#include "formats/age/age.h"
#include "node/backup.h"
#include "node/config.h"
#include "node/door.h"
#include "node/options.h"
#include "node/passphrase.h"
#include "node/recovery.h"
#include "node/restate.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const char key_usage[] =
    "key list DIR [--json]\n"
    "       veilleuse key rotate DIR\n"
    "       veilleuse key add-recipient DIR AGE1... --label TEXT [--past]\n"
    "       veilleuse key remove-recipient DIR LABEL\n"
    "       veilleuse key new-recovery DIR [--shares K/N] [--sheets FILE.pdf]\n"
    "       veilleuse key drop-epoch DIR EPOCH [--why TEXT]\n"
    "       veilleuse key retain DIR [--dry-run] [--go-on] [--json]\n"
    "       veilleuse key export DIR EPOCH\n"
    "       veilleuse key backup DIR FILE [--to AGE1...]\n"
    "       veilleuse key restore FILE DIR [--shares-file FILE | --identity FILE]\n"
    "       veilleuse key passphrase DIR [--remove] [--new-passphrase-file FILE]\n"
    "       veilleuse key recover COPY DIR [--shares-file FILE] [--node ID]\n"
    "Each takes --passphrase-file FILE where the keys of DIR have a passphrase.";

/* Through the running node, or under its lock. */
static enum err order(const char *dir, struct unlocking *unlocking,
                      const struct keys_request *request, uint64_t *number, struct fault *fault) {
    struct door door;
    struct fault end_fault = {0};
    enum err err = door_open(&door, dir, unlocking, fault);
    if (err)
        return err;
    err = door_order(&door, request, number, fault);
    enum err end = door_close(&door, &end_fault);
    if (!err && end)
        *fault = end_fault;
    return err ? err : end;
}

/* Before anything is changed: without a node the keys will be read here, and nothing may stay half done for want of a
 * passphrase. */
static enum err be_ready(const char *dir, struct unlocking *unlocking, struct fault *fault) {
    struct fault own = {0};
    int lock_fd;
    if (site_lock(NULL, dir, &lock_fd, &own))
        return ERR_OK; /* a node runs, and has them */
    sys_close(NULL, lock_fd);
    return unlocking_need(unlocking, dir, fault);
}

/* ---- list ---- */

struct listing {
    struct json *json;
    struct text *text;
};

static void put_epoch(void *owner, const struct vault_epoch *epoch) {
    struct listing *listing = owner;
    char day[40];
    struct text text;
    text_init(&text, day, sizeof day);
    time_put_iso_utc(&text, epoch->made_at);
    if (!listing->json) {
        printf("epoch %u  %.10s  %u file%s  %s\n", epoch->number, day, epoch->file_count,
               epoch->file_count == 1 ? "" : "s",
               epoch->can_open ? "this node can read it" : "this node CANNOT read it");
        return;
    }
    json_object_begin(listing->json);
    json_member_u64(listing->json, "epoch", epoch->number);
    json_member_string(listing->json, "made_at", day);
    json_member_u64(listing->json, "files", epoch->file_count);
    json_member_bool(listing->json, "can_open", epoch->can_open);
    json_object_end(listing->json);
}

static void put_recipient(void *owner, const uint8_t *public_key, const char *label) {
    struct listing *listing = owner;
    char name[128];
    struct text text;
    text_init(&text, name, sizeof name);
    age_put_recipient(&text, public_key);
    if (!listing->json) {
        printf("recipient %s  %s\n", name, label);
        return;
    }
    json_object_begin(listing->json);
    json_member_string(listing->json, "recipient", name);
    json_member_string(listing->json, "label", label);
    json_object_end(listing->json);
}

static enum err put_recovery(struct listing *listing, const char *dir) {
    char vault_dir[SITE_PATH_BYTES];
    struct vault_recovery recovery;
    struct fault own = {0};
    snprintf(vault_dir, sizeof vault_dir, "%s/vault", dir);
    if (vault_recovery_read(NULL, vault_dir, &recovery, &own)) {
        if (!listing->json)
            printf("There is no recovery key: `veilleuse key new-recovery` makes one.\n");
        return ERR_OK;
    }
    if (!listing->json) {
        printf("recovery: %u of %u shares\n", recovery.threshold, recovery.share_count);
        return ERR_OK;
    }
    json_name(listing->json, "recovery");
    json_object_begin(listing->json);
    json_member_u64(listing->json, "threshold", recovery.threshold);
    json_member_u64(listing->json, "shares", recovery.share_count);
    json_object_end(listing->json);
    return ERR_OK;
}

static enum err list_text(const char *dir, const struct vault_unlock *unlock, struct fault *fault) {
    struct listing listing = {0};
    enum err err = vault_epochs_each(NULL, dir, unlock, put_epoch, &listing, fault);
    if (!err)
        err = vault_recipients_each(NULL, dir, put_recipient, &listing, fault);
    if (!err)
        err = put_recovery(&listing, dir);
    if (!err)
        printf("The secret keys %s a passphrase.\n", unlock ? "have" : "do not have");
    return err;
}

static enum err list_json(const char *dir, const struct vault_unlock *unlock, struct fault *fault) {
    struct arena arena;
    struct text text;
    struct json json;
    arena_init(&arena, (size_t)64 << 20);
    enum err err = text_init_arena(&text, &arena, (size_t)32 << 20);
    if (!err) {
        struct listing listing = {.json = &json};
        json_init(&json, &text);
        json_object_begin(&json);
        json_name(&json, "epochs");
        json_array_begin(&json);
        err = vault_epochs_each(NULL, dir, unlock, put_epoch, &listing, fault);
        json_array_end(&json);
        json_name(&json, "recipients");
        json_array_begin(&json);
        if (!err)
            err = vault_recipients_each(NULL, dir, put_recipient, &listing, fault);
        json_array_end(&json);
        if (!err)
            err = put_recovery(&listing, dir);
        json_member_bool(&json, "passphrase", unlock);
        json_object_end(&json);
    }
    if (!err)
        printf("%s\n", text.data);
    arena_release(&arena);
    return err;
}

static int key_list(int argc, char **argv) {
    bool json = false;
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {
        {"json", &json, NULL, NULL}, {"passphrase-file", NULL, &unlocking.file, NULL}, {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1)
        return command_usage(key_usage);
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = unlocking_need(&unlocking, argv[1], &fault);
    if (!err)
        err = json ? list_json(argv[1], unlocking.unlock, &fault)
                   : list_text(argv[1], unlocking.unlock, &fault);
    unlocking_end(&unlocking);
    return err ? command_fail(err, &fault) : 0;
}

/* ---- rotate, recipients ---- */

static int rotate(const char *dir, struct unlocking *unlocking, struct fault *fault) {
    uint64_t epoch = 0;
    enum err err =
        order(dir, unlocking, &(struct keys_request){.order = KEYS_ROTATE}, &epoch, fault);
    unlocking_end(unlocking);
    if (err)
        return command_fail(err, fault);
    printf("epoch %llu begins\n", (unsigned long long)epoch);
    return 0;
}

static int key_rotate(int argc, char **argv) {
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"passphrase-file", NULL, &unlocking.file, NULL}, {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1)
        return command_usage(key_usage);
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    return err ? command_fail(err, &fault) : rotate(argv[1], &unlocking, &fault);
}

static enum err wrap_past(const char *dir, struct unlocking *unlocking, const uint8_t *public_key,
                          struct fault *fault) {
    uint64_t wrapped = 0;
    struct keys_request request = {.order = KEYS_WRAP_PAST,
                                   .public_key = bytes_from(public_key, VAULT_PUBLIC_KEY_BYTES)};
    enum err err = order(dir, unlocking, &request, &wrapped, fault);
    if (!err)
        printf("%llu earlier epochs are wrapped to it too\n", (unsigned long long)wrapped);
    return err;
}

static int key_add_recipient(int argc, char **argv) {
    const char *label = NULL;
    bool past = false;
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"label", NULL, &label, NULL},
                                        {"past", &past, NULL, NULL},
                                        {"passphrase-file", NULL, &unlocking.file, NULL},
                                        {0}};
    int count;
    uint8_t public_key[VAULT_PUBLIC_KEY_BYTES];
    if (!options_read(argc, argv, specs, &count) || count != 2 || !label)
        return command_usage(key_usage);
    if (age_recipient_read(bytes_from_string(argv[2]), public_key)) {
        fprintf(stderr, "veilleuse key: this is no age recipient (age1...): %s\n", argv[2]);
        return err_exit_code(ERR_INPUT);
    }
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = be_ready(argv[1], &unlocking, &fault);
    if (!err && past)
        err = wrap_past(argv[1], &unlocking, public_key, &fault);
    if (!err)
        err = vault_recipient_add(NULL, argv[1], public_key, label, &fault);
    return err ? command_fail(err, &fault) : rotate(argv[1], &unlocking, &fault);
}

static int key_remove_recipient(int argc, char **argv) {
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"passphrase-file", NULL, &unlocking.file, NULL}, {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 2)
        return command_usage(key_usage);
    if (!strcmp(argv[2], "node")) {
        fprintf(stderr, "veilleuse key: without its own key the node could read nothing\n");
        return err_exit_code(ERR_USAGE);
    }
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = be_ready(argv[1], &unlocking, &fault);
    if (!err)
        err = vault_recipient_remove(NULL, argv[1], argv[2], &fault);
    return err ? command_fail(err, &fault) : rotate(argv[1], &unlocking, &fault);
}

/* ---- a new recovery key ---- */

static enum err replace_recovery(const char *dir, struct unlocking *unlocking,
                                 struct recovery *recovery, const char *sheets,
                                 struct fault *fault) {
    struct config config;
    struct fault none = {0};
    char origin[CONFIG_VALUE_BYTES * 2 + 32];
    enum err err = config_read(&config, NULL, dir, fault);
    if (!err)
        err = recovery_make(recovery, fault);
    snprintf(origin, sizeof origin, "%s/veilleuse/%s", config.site, config.node);
    if (!err)
        err = recovery_give_out(recovery, config.name, origin, sheets, fault);
    if (!err)
        err = wrap_past(dir, unlocking, recovery->public_key, fault);
    if (err)
        return err;
    if (vault_recipient_remove(NULL, dir, "recovery", &none) && none.code != ERR_NOT_FOUND) {
        *fault = none;
        return none.code;
    }
    err = vault_recipient_add(NULL, dir, recovery->public_key, "recovery", fault);
    return err ? err : recovery_write_public(recovery, dir, fault);
}

static int key_new_recovery(int argc, char **argv) {
    const char *split = "3/5", *sheets = NULL;
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"shares", NULL, &split, NULL},
                                        {"sheets", NULL, &sheets, NULL},
                                        {"passphrase-file", NULL, &unlocking.file, NULL},
                                        {0}};
    int count;
    struct recovery recovery = {0};
    if (!options_read(argc, argv, specs, &count) || count != 1)
        return command_usage(key_usage);
    if (!recovery_read_split(split, &recovery))
        return err_exit_code(ERR_USAGE);
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = be_ready(argv[1], &unlocking, &fault);
    if (!err)
        err = replace_recovery(argv[1], &unlocking, &recovery, sheets, &fault);
    recovery_clear(&recovery);
    if (err)
        return command_fail(err, &fault);
    printf("The shares given out before open the epochs up to now, and none that begins from here "
           "on.\n");
    return rotate(argv[1], &unlocking, &fault);
}

/* ---- erasing ---- */

static bool read_epoch(const char *text, uint32_t *epoch) {
    uint64_t number;
    if (!bytes_to_u64(bytes_from_string(text), &number) || number == 0 || number > UINT32_MAX) {
        fprintf(stderr, "veilleuse key: this is no number of an epoch: %s\n", text);
        return false;
    }
    *epoch = (uint32_t)number;
    return true;
}

/* Before anything is stated again: an epoch in use would only grow by it. */
static enum err may_go(struct door *door, uint32_t epoch, struct fault *fault) {
    uint32_t current;
    enum err err = door_epoch(door, &current, fault);
    if (!err && epoch == current)
        err = fault_set_at(fault, ERR_STATE, "this epoch is in use; begin another first: epoch",
                           epoch);
    if (!err && epoch > current)
        err = fault_set_at(fault, ERR_NOT_FOUND, "no such epoch has begun:", epoch);
    return err;
}

/* One without entries has nothing that could be stated again. */
static enum err drop_epoch(struct door *door, const struct config *config, uint32_t epoch,
                           const char *why, struct fault *fault) {
    struct epoch_look look;
    struct restated done;
    uint64_t now;
    enum err err = may_go(door, epoch, fault);
    if (err)
        return err;
    err = epoch_look(door, epoch, &look, fault);
    if (err == ERR_NOT_FOUND) {
        struct keys_request request = {
            .order = KEYS_ERASE, .epoch = epoch, .why = bytes_from_string(why)};
        *fault = (struct fault){0};
        return door_order(door, &request, &now, fault);
    }
    if (!err)
        err = restate_and_drop(door, config, &look, why, &done, fault);
    if (err)
        return err;
    printf("%llu entries are stated again, %llu ended stays let go, %llu documents removed.\n",
           (unsigned long long)done.entry_count, (unsigned long long)done.stay_count,
           (unsigned long long)done.blob_count);
    printf(look.is_erased ? "epoch %u was erased already.\n" : "epoch %u is erased here.\n", epoch);
    return ERR_OK;
}

static enum err drop_epoch_of(const char *dir, struct unlocking *unlocking, uint32_t epoch,
                              const char *why, struct fault *fault) {
    struct config config;
    struct door door;
    struct fault end_fault = {0};
    int lock_fd;
    enum err err = config_read(&config, NULL, dir, fault);
    if (!err && config.is_retention_held)
        err = fault_set(fault, ERR_STATE,
                        "nothing is erased: the configuration says retention = hold");
    if (!err) /* also where a node runs: its entries are read here */
        err = unlocking_need(unlocking, dir, fault);
    if (!err)
        err = restate_lock(dir, &lock_fd, fault);
    if (err)
        return err;
    err = door_open(&door, dir, unlocking, fault);
    if (!err) {
        door_confine(&door);
        err = drop_epoch(&door, &config, epoch, why, fault);
        enum err end = door_close(&door, &end_fault);
        if (!err && end)
            *fault = end_fault;
        err = err ? err : end;
    }
    sys_close(NULL, lock_fd);
    return err;
}

static int key_drop_epoch(int argc, char **argv) {
    const char *why = "ordered on the command line";
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {
        {"why", NULL, &why, NULL}, {"passphrase-file", NULL, &unlocking.file, NULL}, {0}};
    int count;
    uint32_t epoch;
    if (!options_read(argc, argv, specs, &count) || count != 2)
        return command_usage(key_usage);
    if (!read_epoch(argv[2], &epoch))
        return err_exit_code(ERR_USAGE);
    if (strlen(why) > 128 || strpbrk(why, "\n\r")) {
        fprintf(stderr, "veilleuse key: --why is at most 128 bytes, in one line\n");
        return err_exit_code(ERR_USAGE);
    }
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    char dir[PATH_MAX];
    if (!err && !realpath(argv[1], dir))
        err = fault_set_errno(&fault, ERR_IO, errno, "the site cannot be reached", argv[1]);
    if (!err)
        err = drop_epoch_of(dir, &unlocking, epoch, why, &fault);
    unlocking_end(&unlocking);
    if (err)
        return command_fail(err, &fault);
    printf("Copies and backups of vault/keys/%u must go too; the chart still shows what it holds "
           "until it is "
           "rebuilt.\n",
           epoch);
    return 0;
}

static int key_export(int argc, char **argv) {
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"passphrase-file", NULL, &unlocking.file, NULL}, {0}};
    int count;
    uint32_t epoch;
    uint8_t secret[VAULT_PUBLIC_KEY_BYTES];
    char line[128];
    struct text text;
    if (!options_read(argc, argv, specs, &count) || count != 2)
        return command_usage(key_usage);
    if (!read_epoch(argv[2], &epoch))
        return err_exit_code(ERR_USAGE);
    struct fault fault = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = unlocking_need(&unlocking, argv[1], &fault);
    if (!err)
        err = vault_epoch_identity(NULL, argv[1], unlocking.unlock, epoch, secret, &fault);
    unlocking_end(&unlocking);
    if (err)
        return command_fail(err, &fault);
    text_init(&text, line, sizeof line);
    age_put_secret(&text, secret);
    printf("# opens the documents (vault/blob/) of epoch %u with the age tool\n%s\n", epoch, line);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(line, sizeof line);
    return 0;
}

/* ---- the command ---- */

int node_key_command(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } subcommands[] = {
        {"list", key_list},
        {"rotate", key_rotate},
        {"add-recipient", key_add_recipient},
        {"remove-recipient", key_remove_recipient},
        {"new-recovery", key_new_recovery},
        {"drop-epoch", key_drop_epoch},
        {"retain", node_key_retain},
        {"export", key_export},
        {"passphrase", node_key_passphrase},
        {"recover", node_key_recover},
        {"backup", node_key_backup},
        {"restore", node_key_restore},
    };
    for (size_t i = 0; argc > 1 && i < sizeof subcommands / sizeof subcommands[0]; i++)
        if (!strcmp(argv[1], subcommands[i].name))
            return subcommands[i].run(argc - 1, argv + 1);
    return command_usage(key_usage);
}
