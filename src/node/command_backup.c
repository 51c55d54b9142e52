/* command_backup.c - key backup, key restore: a site's keys and configuration in one sealed file, and back in their places. */
#include "node/backup.h"

#include "formats/age/age.h"
#include "node/config.h"
#include "node/options.h"
#include "node/recovery.h"
#include "node/site.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define IDENTITY_BYTES_MAX ((size_t)64 << 10)
#define LOG_LINE_BYTES_MAX ((size_t)1 << 20)

static const char backup_usage[] = "key backup DIR FILE [--to AGE1...]";
static const char restore_usage[] =
    "key restore FILE DIR [--shares-file FILE | --identity FILE]\n"
    "Without either, shares of the recovery key are read from standard input, one a line.";

/* ---- backup ---- */

/* Whom it is for: `to`, or, when that is NULL, who holds the recovery key. */
static enum err find_recipient(const char *dir, const char *to,
                               uint8_t recipient[VAULT_PUBLIC_KEY_BYTES], struct fault *fault) {
    char vault_dir[SITE_PATH_BYTES];
    struct vault_recovery recovery;
    if (to)
        return age_recipient_read(bytes_from_string(to), recipient)
                   ? fault_set_subject(fault, ERR_INPUT, "this is no age recipient (age1...)", to)
                   : ERR_OK;
    snprintf(vault_dir, sizeof vault_dir, "%s/vault", dir);
    enum err err = vault_recovery_read(NULL, vault_dir, &recovery, fault);
    if (err == ERR_NOT_FOUND)
        fault->what = "there is no recovery key to seal it to: give --to";
    if (!err)
        memcpy(recipient, recovery.public_key, VAULT_PUBLIC_KEY_BYTES);
    return err;
}

/* The last good backup is not written over by the next. */
static enum err write_out(const char *path, struct bytes sealed, struct fault *fault) {
    struct stat st;
    if (!strcmp(path, "-"))
        return fwrite(sealed.data, 1, sealed.size, stdout) == sealed.size && !fflush(stdout)
                   ? ERR_OK
                   : fault_set(fault, ERR_IO, "the output cannot be written");
    if (!sys_stat(NULL, path, &st))
        return fault_set_subject(fault, ERR_STATE, "the file exists already", path);
    return sys_replace_file(NULL, path, sealed, 0600, fault);
}

static enum err seal_text(struct bytes text, const uint8_t *recipient, const char *path,
                          struct fault *fault) {
    size_t size = 0;
    uint8_t *sealed = memory_alloc(1, BACKUP_SEALED_BYTES_MAX);
    if (!sealed)
        return fault_set(fault, ERR_MEMORY, "no memory for a backup");
    enum err err = backup_seal(text, recipient, sealed, &size, fault);
    if (!err)
        err = write_out(path, bytes_from(sealed, size), fault);
    memory_free(sealed);
    return err;
}

static enum err back_up(const struct backup *backup, const uint8_t *recipient, const char *path,
                        struct fault *fault) {
    struct text text;
    char *buffer = sodium_malloc(BACKUP_TEXT_BYTES_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no locked memory for keys");
    text_init(&text, buffer, BACKUP_TEXT_BYTES_MAX);
    backup_put(&text, backup);
    enum err err = text.full ? fault_set(fault, ERR_LIMIT, "the keys are too large for a backup")
                             : seal_text(text_bytes(&text), recipient, path, fault);
    sodium_free(buffer);
    return err;
}

static void say_backup(const struct backup *backup, const uint8_t *recipient, const char *path) {
    char name[128];
    struct text text;
    text_init(&text, name, sizeof name);
    age_put_recipient(&text, recipient);
    fprintf(strcmp(path, "-") ? stdout : stderr,
            "%zu key files and the configuration, sealed to %s: %s\n", backup->file_count - 1, name,
            path);
}

int node_key_backup(int argc, char **argv) {
    const char *to = NULL;
    const struct option_spec specs[] = {{"to", NULL, &to, NULL}, {0}};
    int count;
    uint8_t recipient[VAULT_PUBLIC_KEY_BYTES];
    if (!options_read(argc, argv, specs, &count) || count != 2)
        return command_usage(backup_usage);
    struct fault fault = {0};
    struct backup backup = {0};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = find_recipient(argv[1], to, recipient, &fault);
    if (!err)
        err = backup_collect(&backup, NULL, argv[1], &fault);
    if (!err)
        err = back_up(&backup, recipient, argv[2], &fault);
    if (!err)
        say_backup(&backup, recipient, argv[2]);
    backup_release(&backup);
    return err ? command_fail(err, &fault) : 0;
}

/* ---- restore: opening ---- */

struct opening {
    struct bytes sealed;
    char *text; /* locked memory */
    size_t text_bytes;
};

static enum err open_with(struct opening *opening, const uint8_t *secret, struct fault *fault) {
    return backup_open(opening->sealed, secret, opening->text, &opening->text_bytes, fault);
}

/* Any identity of a file as the age tool keeps them. */
static enum err open_by_identity(struct opening *opening, const char *path, struct fault *fault) {
    uint8_t secret[VAULT_PUBLIC_KEY_BYTES];
    size_t size = 0;
    struct bytes rest, line;
    char *buffer = sodium_malloc(IDENTITY_BYTES_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no locked memory for keys");
    enum err err = sys_read_file(NULL, path, buffer, IDENTITY_BYTES_MAX, &size, fault);
    rest = bytes_from(buffer, size);
    bool found = false, opened = false;
    while (!err && !opened && bytes_next_part(&rest, '\n', &line)) {
        if (age_secret_read(bytes_trim(line), secret))
            continue;
        *fault = (struct fault){0};
        found = true;
        opened = !open_with(opening, secret, fault);
    }
    sodium_memzero(secret, sizeof secret);
    sodium_free(buffer);
    if (!err && !found)
        return fault_set_subject(fault, ERR_INPUT, "this file holds no identity of age", path);
    return err || opened ? err : fault->code;
}

/* Shares are checked against those that the vault names, where it lies there; but the backup may be older than its recovery
 * key, and then older shares open it. */
static enum err open_by_shares(struct opening *opening, const char *path, const char *dir,
                               struct fault *fault) {
    char vault_dir[SITE_PATH_BYTES], *buffer = sodium_malloc(RECOVERY_SHARES_BYTES_MAX);
    uint8_t secret[VAULT_PUBLIC_KEY_BYTES];
    struct bytes text;
    struct stat st;
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no locked memory for shares");
    snprintf(vault_dir, sizeof vault_dir, "%s/vault", dir);
    bool has_vault = !sys_stat(NULL, vault_dir, &st);
    enum err err = recovery_read_shares(path, buffer, &text, fault);
    enum err read = err;
    if (!err)
        err = recovery_combine(vault_dir, text, secret, fault);
    if (!err)
        err = open_with(opening, secret, fault);
    if (err && !read && has_vault) {
        struct fault own = {0};
        if (!recovery_combine("", text, secret, &own) && !open_with(opening, secret, &own)) {
            *fault = (struct fault){0};
            err = ERR_OK;
        }
    }
    sodium_memzero(secret, sizeof secret);
    sodium_free(buffer);
    return err;
}

/* ---- restore: putting back ---- */

static enum err check_place(const char *dir, struct fault *fault) {
    static const char *const files[] = {"signing.key", "node.key", "repeat.key", "changing"};
    char path[SITE_PATH_BYTES];
    struct stat st;
    if (strlen(dir) > SITE_PATH_BYTES - 256)
        return fault_set(fault, ERR_LIMIT, "the path is too long");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/keys/%s", dir, files[i]);
        if (!sys_stat(NULL, path, &st))
            return fault_set_subject(fault, ERR_STATE, "there are keys already", path);
        if (errno != ENOENT && errno != ENOTDIR)
            return fault_set_errno(fault, ERR_IO, errno, "are there keys already?", path);
    }
    return ERR_OK;
}

/* Keys of another vault would only be found out by a node that does not start. */
static enum err check_vault(const char *dir, const struct backup *backup, bool *has_vault,
                            struct fault *fault) {
    char path[SITE_PATH_BYTES];
    size_t size = 0;
    struct bytes rest, line = BYTES_NONE;
    struct fault own = {0};
    char *buffer = memory_alloc(1, LOG_LINE_BYTES_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for the verifier keys");
    snprintf(path, sizeof path, "%s/vault/verifier", dir);
    enum err err = sys_read_file(NULL, path, buffer, LOG_LINE_BYTES_MAX, &size, &own);
    rest = bytes_from(buffer, size);
    *has_vault = err != ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    else if (err)
        *fault = own;
    else if (!bytes_next_part(&rest, '\n', &line) || !bytes_is(line, backup->log))
        err = fault_set_subject(fault, ERR_INPUT,
                                "these are keys of another vault than the one that lies there",
                                backup->log);
    memory_free(buffer);
    return err;
}

static enum err make_dirs(const char *dir, bool has_vault, struct fault *fault) {
    static const char *const parts[] = {"run", "chart", "cache", "keys.new"};
    char path[SITE_PATH_BYTES];
    enum err err = sys_make_dirs(NULL, dir, 0750, fault);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !err; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, parts[i]);
        err = sys_make_dirs(NULL, path, 0700, fault);
    }
    return err || !has_vault ? err : vault_make_dirs(NULL, dir, fault);
}

/* What a restore that was interrupted may have put there. */
static enum err clear_dir(const char *path, struct fault *fault) {
    char file[SITE_PATH_BYTES];
    DIR *dir = opendir(path);
    if (!dir)
        return fault_set_errno(fault, ERR_IO, errno, "cannot list", path);
    enum err err = ERR_OK;
    struct dirent *entry;
    while (!err && (entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        int size = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if ((size_t)size >= sizeof file || sys_unlink(NULL, file))
            err = fault_set_errno(fault, ERR_IO, errno, "something is in the way", path);
    }
    closedir(dir);
    return err;
}

/* In a directory of their own, which then takes its place: all the keys are there, or none. */
static enum err put_keys(const char *dir, const struct backup *backup, struct fault *fault) {
    char path[SITE_PATH_BYTES], keys[SITE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/keys.new", dir);
    enum err err = clear_dir(path, fault);
    for (size_t i = 0; i < backup->file_count && !err; i++) {
        const struct backup_file *file = &backup->files[i];
        if (strncmp(file->name, "keys/", 5))
            continue;
        snprintf(path, sizeof path, "%s/keys.new/%s", dir, file->name + 5);
        err = sys_replace_file(NULL, path, file->content, 0600, fault);
    }
    snprintf(path, sizeof path, "%s/keys.new", dir);
    snprintf(keys, sizeof keys, "%s/keys", dir);
    if (!err && sys_rename(NULL, path, keys))
        err = errno == ENOTEMPTY || errno == EEXIST
                  ? fault_set_subject(fault, ERR_STATE, "something lies there already", keys)
                  : fault_set_errno(fault, ERR_IO, errno, "the keys cannot take their place", keys);
    return err ? err : sys_sync_dir(NULL, dir, fault);
}

/* One that is there stays. */
static enum err put_config(const char *dir, const struct backup *backup, bool *is_kept,
                           struct fault *fault) {
    char path[SITE_PATH_BYTES];
    struct stat st;
    snprintf(path, sizeof path, "%s/veilleuse.conf", dir);
    *is_kept = !sys_stat(NULL, path, &st);
    for (size_t i = 0; i < backup->file_count && !*is_kept; i++)
        if (!strcmp(backup->files[i].name, "veilleuse.conf"))
            return sys_replace_file(NULL, path, backup->files[i].content, 0644, fault);
    return ERR_OK;
}

static enum err put_back(const char *dir, const struct backup *backup, struct fault *fault) {
    bool has_vault, is_kept;
    enum err err = check_vault(dir, backup, &has_vault, fault);
    if (!err)
        err = make_dirs(dir, has_vault, fault);
    if (!err)
        err = put_config(dir, backup, &is_kept, fault);
    if (!err)
        err = put_keys(dir, backup, fault);
    if (err)
        return err;
    printf("The keys of %s, as they were at %s, are back in %s/keys.\n", backup->log,
           backup->made_at, dir);
    if (is_kept)
        printf("The configuration that was there has stayed.\n");
    if (has_vault)
        printf("`veilleuse verify %s` checks the vault, `veilleuse serve %s` goes on.\n", dir, dir);
    else
        printf("Put a copy of the vault into %s/vault before the node is started.\n", dir);
    return ERR_OK;
}

static enum err restore(struct opening *opening, const char *dir, const char *shares,
                        const char *identity, struct fault *fault) {
    struct backup backup = {0};
    enum err err = identity ? open_by_identity(opening, identity, fault)
                            : open_by_shares(opening, shares, dir, fault);
    if (!err)
        err = backup_read(&backup, bytes_from(opening->text, opening->text_bytes), fault);
    if (!err)
        err = put_back(dir, &backup, fault);
    backup_release(&backup);
    return err;
}

int node_key_restore(int argc, char **argv) {
    const char *shares = NULL, *identity = NULL;
    const struct option_spec specs[] = {
        {"shares-file", NULL, &shares, NULL}, {"identity", NULL, &identity, NULL}, {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 2 || (shares && identity))
        return command_usage(restore_usage);
    struct fault fault = {0};
    size_t size = 0;
    uint8_t *sealed = memory_alloc(1, BACKUP_SEALED_BYTES_MAX);
    struct opening opening = {.text = sodium_malloc(BACKUP_TEXT_BYTES_MAX)};
    enum err err = sealed && opening.text ? check_place(argv[2], &fault)
                                          : fault_set(&fault, ERR_MEMORY, "no memory for a backup");
    if (!err)
        err = sys_read_file(NULL, argv[1], sealed, BACKUP_SEALED_BYTES_MAX, &size, &fault);
    opening.sealed = bytes_from(sealed, size);
    if (!err)
        err = restore(&opening, argv[2], shares, identity, &fault);
    sodium_free(opening.text);
    memory_free(sealed);
    return err ? command_fail(err, &fault) : 0;
}
