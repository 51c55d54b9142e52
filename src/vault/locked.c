/* locked.c - the site's secret key files under a passphrase, and the change from one passphrase to another.
 *
 * Invariants
 *   All three files are under one passphrase, with one salt, at every moment, whatever fails: a change writes the three
 *   new contents as one file, keys/changing, whose appearance is the change; from then on it counts, and not the files.
 *
 *     old --(write_change)--> keys/changing counts --(key_files_settle: the files replaced)--> new --(removed)--> new
 *
 *   Who writes a key file settles first, under the site's lock. Who only reads need not. */
#include "vault/keys.h"

#include "vault/layout.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

#define LOCKED_PREFIX    "veilleuse-locked-key/"
#define LOCKED_WORD      LOCKED_PREFIX "1"
#define CHANGE_WORD      "veilleuse-key-change/1"
#define CHANGE_FILE      "keys/changing"
#define SEALED_BYTES_MAX (KEY_FILE_BYTES_MAX / 4u * 3u)
#define SEAL_BYTES       (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)

/* A file that anyone could have put there must not make us work for minutes, nor take gigabytes. */
#define PASSES_DEFAULT   3u
#define PASSES_MAX       10u
#define MEMORY_DEFAULT   (64u << 20)
#define MEMORY_BYTES_MAX (256u << 20)

_Static_assert(VAULT_SALT_BYTES == crypto_pwhash_SALTBYTES, "a salt is as Argon2 takes it");
_Static_assert(KEY_BYTES == crypto_secretbox_KEYBYTES, "a key is as the box takes it");

static const char *const secret_files[] = {"signing.key", "node.key", "repeat.key"};
enum { SECRET_FILE_COUNT = sizeof secret_files / sizeof secret_files[0] };

/* ---- what unlocks ---- */

static struct vault_unlock *unlock_alloc(void) {
    struct vault_unlock *unlock = sodium_malloc(sizeof *unlock);
    if (unlock)
        sodium_memzero(unlock,
                       sizeof *unlock); /* it is handed on as bytes: no gap holds old memory */
    return unlock;
}

void vault_unlock_free(struct vault_unlock *unlock) {
    sodium_free(unlock); /* wipes */
}

struct vault_unlock *vault_unlock_copy(const struct vault_unlock *unlock) {
    struct vault_unlock *copy = unlock_alloc();
    if (copy)
        *copy = *unlock;
    return copy;
}

static enum err derive(struct vault_unlock *unlock, struct bytes passphrase, struct fault *fault) {
    if (crypto_pwhash(unlock->key, sizeof unlock->key, (const char *)passphrase.data,
                      passphrase.size, unlock->salt, unlock->passes, (size_t)unlock->memory_bytes,
                      crypto_pwhash_ALG_ARGON2ID13))
        return fault_set(fault, ERR_MEMORY, "no memory to work out the key of the passphrase");
    return ERR_OK;
}

static bool is_same_lock(const struct vault_unlock *a, const struct vault_unlock *b) {
    return a->passes == b->passes && a->memory_bytes == b->memory_bytes &&
           !memcmp(a->salt, b->salt, sizeof a->salt);
}

/* ---- one line ---- */

static bool is_locked(struct bytes line) {
    return bytes_starts_with(line, BYTES(LOCKED_PREFIX));
}

/* "veilleuse-locked-key/1 <salt> <passes> <memory> <nonce || sealed>"; *how gets all but the key. */
static enum err read_locked(const char *file, struct bytes line, struct vault_unlock *how,
                            struct bytes *sealed, struct fault *fault) {
    struct bytes word, salt, passes, memory;
    size_t salt_bytes;
    if (!bytes_next_part(&line, ' ', &word) || !bytes_is(word, LOCKED_WORD))
        return fault_set_subject(fault, ERR_UNSUPPORTED,
                                 "this key file is locked in a way of a later version", file);
    if (!bytes_next_part(&line, ' ', &salt) || !bytes_next_part(&line, ' ', &passes) ||
        !bytes_next_part(&line, ' ', &memory) ||
        !base64_decode(salt, how->salt, sizeof how->salt, &salt_bytes) ||
        salt_bytes != sizeof how->salt || !bytes_to_u64(passes, &how->passes) ||
        !bytes_to_u64(memory, &how->memory_bytes))
        return fault_set_subject(fault, ERR_CORRUPT, "this key file cannot be read", file);
    if (how->passes < crypto_pwhash_OPSLIMIT_MIN || how->passes > PASSES_MAX ||
        how->memory_bytes < crypto_pwhash_MEMLIMIT_MIN || how->memory_bytes > MEMORY_BYTES_MAX)
        return fault_set_subject(
            fault, ERR_LIMIT, "this key file asks for more memory or time than any of ours", file);
    *sealed = line;
    return ERR_OK;
}

static void put_locked(struct text *out, struct bytes content, const struct vault_unlock *unlock) {
    uint8_t sealed[SEALED_BYTES_MAX];
    assert(content.size + SEAL_BYTES <= sizeof sealed);
    randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, content.data, content.size, sealed,
                          unlock->key);
    text_put_string(out, LOCKED_WORD " ");
    text_put_base64(out, bytes_from(unlock->salt, sizeof unlock->salt));
    text_put_char(out, ' ');
    text_put_u64(out, unlock->passes);
    text_put_char(out, ' ');
    text_put_u64(out, unlock->memory_bytes);
    text_put_char(out, ' ');
    text_put_base64(out, bytes_from(sealed, content.size + SEAL_BYTES));
}

/* What the line holds, into `buffer`, where the line itself may lie. ERR_CRYPTO: another key locked it, or it is damaged. */
static enum err open_locked(const char *file, struct bytes line, const struct vault_unlock *unlock,
                            char buffer[KEY_FILE_BYTES_MAX], struct bytes *content,
                            struct fault *fault) {
    struct vault_unlock how;
    struct bytes text;
    uint8_t sealed[SEALED_BYTES_MAX];
    size_t size;
    enum err err = read_locked(file, line, &how, &text, fault);
    if (err)
        return err;
    if (!unlock)
        return fault_set(fault, ERR_AUTH, "the keys of this site are locked with a passphrase");
    if (!is_same_lock(&how, unlock))
        return fault_set_subject(fault, ERR_AUTH, "this key file is locked with another passphrase",
                                 file);
    if (!base64_decode(text, sealed, sizeof sealed, &size) || size < SEAL_BYTES)
        return fault_set_subject(fault, ERR_CORRUPT, "this key file cannot be read", file);
    if (crypto_secretbox_open_easy((uint8_t *)buffer, sealed + crypto_secretbox_NONCEBYTES,
                                   size - crypto_secretbox_NONCEBYTES, sealed, unlock->key))
        return fault_set_subject(
            fault, ERR_CRYPTO, "this key file is damaged, or locked with another passphrase", file);
    *content = bytes_trim(bytes_from(buffer, size - SEAL_BYTES));
    return ERR_OK;
}

/* ---- files ---- */

/* The line as it counts: of keys/changing while there is one. */
static enum err read_line(struct sys *sys, const char *site_dir, const char *file,
                          char buffer[KEY_FILE_BYTES_MAX], struct bytes *line,
                          struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    size_t size = 0;
    struct fault own = {0};
    struct bytes rest, name;
    vault_path(path, site_dir, CHANGE_FILE);
    enum err err = sys_read_file(sys, path, buffer, KEY_FILE_BYTES_MAX, &size, &own);
    if (err == ERR_NOT_FOUND) {
        vault_path(path, site_dir, "keys/%s", file);
        err = sys_read_file(sys, path, buffer, KEY_FILE_BYTES_MAX, &size, fault);
        *line = bytes_trim(bytes_from(buffer, size));
        return err;
    }
    if (err) {
        if (fault)
            *fault = own;
        return err;
    }
    rest = bytes_from(buffer, size);
    if (bytes_next_part(&rest, '\n', line) && bytes_is(*line, CHANGE_WORD))
        while (bytes_next_part(&rest, '\n', line))
            if (bytes_next_part(line, ' ', &name) && bytes_is(name, file))
                return ERR_OK;
    return fault_set_subject(fault, ERR_CORRUPT, "this key file cannot be read", path);
}

enum err key_file_read(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                       const char *file, char buffer[KEY_FILE_BYTES_MAX], struct bytes *content,
                       struct fault *fault) {
    enum err err = read_line(sys, site_dir, file, buffer, content, fault);
    if (!err && is_locked(*content))
        err = open_locked(file, *content, unlock, buffer, content, fault);
    return err;
}

enum err key_file_write(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                        const char *file, struct text *content, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[KEY_FILE_BYTES_MAX];
    struct text line;
    text_put_char(content, '\n');
    text_init(&line, buffer, sizeof buffer);
    if (unlock)
        put_locked(&line, text_bytes(content), unlock);
    else
        text_put(&line, text_bytes(content));
    if (unlock)
        text_put_char(&line, '\n');
    vault_path(path, site_dir, "keys/%s", file);
    enum err err = content->full || line.full
                       ? fault_set_subject(fault, ERR_LIMIT, "this key is too long", file)
                       : sys_replace_file(sys, path, text_bytes(&line), 0600, fault);
    sodium_memzero(buffer, sizeof buffer);
    sodium_memzero(content->data, content->capacity);
    return err;
}

/* ---- from a passphrase ---- */

/* The first locked file tells how; all must then open. */
static enum err find_lock(struct sys *sys, const char *site_dir, struct vault_unlock *how,
                          bool *found, struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes line, sealed;
    enum err err = ERR_OK;
    *found = false;
    for (size_t i = 0; i < SECRET_FILE_COUNT && !err && !*found; i++) {
        err = read_line(sys, site_dir, secret_files[i], buffer, &line, fault);
        *found = !err && is_locked(line);
        if (*found)
            err = read_locked(secret_files[i], line, how, &sealed, fault);
    }
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

enum err vault_keys_are_locked(struct sys *sys, const char *site_dir, bool *locked,
                               struct fault *fault) {
    struct vault_unlock how;
    return find_lock(sys, site_dir, &how, locked, fault);
}

static enum err try_all(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                        struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes content;
    bool has_opened = false;
    enum err err = ERR_OK;
    for (size_t i = 0; i < SECRET_FILE_COUNT && !err; i++) {
        struct fault own = {0};
        err = key_file_read(sys, site_dir, unlock, secret_files[i], buffer, &content, &own);
        if (err == ERR_CRYPTO && !has_opened)
            err = fault_set(fault, ERR_AUTH, "this is not the passphrase of the site's keys");
        else if (err && fault)
            *fault = own;
        has_opened = true;
    }
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

enum err vault_unlock_make(struct vault_unlock **out, struct sys *sys, const char *site_dir,
                           struct bytes passphrase, struct fault *fault) {
    bool found = false;
    *out = NULL;
    if (sodium_init() < 0)
        return fault_set(fault, ERR_CRYPTO, "the cryptographic library cannot start");
    struct vault_unlock *unlock = unlock_alloc();
    if (!unlock)
        return fault_set(fault, ERR_MEMORY, "no locked memory for keys");
    enum err err = find_lock(sys, site_dir, unlock, &found, fault);
    if (!err && found)
        err = derive(unlock, passphrase, fault);
    if (!err && found)
        err = try_all(sys, site_dir, unlock, fault);
    if (err || !found) {
        vault_unlock_free(unlock);
        return err;
    }
    *out = unlock;
    return ERR_OK;
}

/* ---- from one passphrase to another ---- */

enum err key_files_settle(struct sys *sys, const char *site_dir, struct fault *fault) {
    char change[VAULT_PATH_BYTES_MAX], path[VAULT_PATH_BYTES_MAX], buffer[KEY_FILE_BYTES_MAX];
    struct stat st;
    vault_path(change, site_dir, CHANGE_FILE);
    if (sys_stat(sys, change, &st))
        return errno == ENOENT ? ERR_OK
                               : fault_set_errno(fault, ERR_IO, errno,
                                                 "is a passphrase being changed?", change);
    enum err err = ERR_OK;
    for (size_t i = 0; i < SECRET_FILE_COUNT && !err; i++) {
        struct bytes line;
        err = read_line(sys, site_dir, secret_files[i], buffer, &line, fault);
        vault_path(path, site_dir, "keys/%s", secret_files[i]);
        if (!err) /* the line's own end stands behind it */
            err = sys_replace_file(sys, path, bytes_from(line.data, line.size + 1), 0600, fault);
    }
    sodium_memzero(buffer, sizeof buffer);
    if (!err && sys_unlink(sys, change))
        err = fault_set_errno(fault, ERR_IO, errno, "cannot remove", change);
    vault_path(path, site_dir, "keys");
    return err ? err : sys_sync_dir(sys, path, fault);
}

/* One file's new line behind those before it. What was locked is opened again before anything of it counts. */
static enum err put_change(struct sys *sys, const char *site_dir, const char *file,
                           const struct vault_unlock *from, const struct vault_unlock *to,
                           struct text *change, struct fault *fault) {
    char old[KEY_FILE_BYTES_MAX], again[KEY_FILE_BYTES_MAX];
    struct bytes content, opened;
    enum err err = key_file_read(sys, site_dir, from, file, old, &content, fault);
    if (err)
        goto out;
    text_put_string(change, file);
    text_put_char(change, ' ');
    size_t start = change->size;
    if (to) {
        struct text whole; /* the content of a file has its line's end */
        text_init(&whole, again, sizeof again);
        text_put(&whole, content);
        text_put_char(&whole, '\n');
        put_locked(change, text_bytes(&whole), to);
        err = open_locked(file, bytes_skip(text_bytes(change), start), to, again, &opened, fault);
        if (!err && !bytes_equal(opened, content))
            err = fault_set_subject(fault, ERR_CRYPTO, "this key does not come back", file);
    } else {
        text_put(change, content);
    }
    text_put_char(change, '\n');
out:
    sodium_memzero(old, sizeof old);
    sodium_memzero(again, sizeof again);
    return err;
}

static enum err write_change(struct sys *sys, const char *site_dir, const struct vault_unlock *from,
                             const struct vault_unlock *to, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[KEY_FILE_BYTES_MAX];
    struct text change;
    enum err err = ERR_OK;
    text_init(&change, buffer, sizeof buffer);
    text_put_string(&change, CHANGE_WORD "\n");
    for (size_t i = 0; i < SECRET_FILE_COUNT && !err; i++)
        err = put_change(sys, site_dir, secret_files[i], from, to, &change, fault);
    vault_path(path, site_dir, CHANGE_FILE);
    if (!err)
        err = change.full ? fault_set(fault, ERR_LIMIT, "these keys are too long")
                          : sys_replace_file(sys, path, text_bytes(&change), 0600, fault);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

/* A site made before there was this file would ask the node's secret for its public half whenever an epoch begins. */
static enum err complete_recipients(struct sys *sys, const char *site_dir,
                                    const struct vault_unlock *unlock, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct recipients recipients;
    struct stat st;
    vault_path(path, site_dir, "keys/recipients");
    if (!sys_stat(sys, path, &st))
        return ERR_OK;
    enum err err = recipients_read(sys, site_dir, unlock, &recipients, fault);
    return err ? err : recipients_write(sys, site_dir, &recipients, fault);
}

enum err vault_passphrase_change(struct sys *sys, const char *site_dir,
                                 const struct vault_unlock *unlock, struct bytes passphrase,
                                 const struct vault_lock_cost *cost, struct fault *fault) {
    struct vault_unlock *next = NULL;
    if (sodium_init() < 0)
        return fault_set(fault, ERR_CRYPTO, "the cryptographic library cannot start");
    enum err err = key_files_settle(sys, site_dir, fault);
    if (!err)
        err = complete_recipients(sys, site_dir, unlock, fault);
    if (!err && !bytes_is_empty(passphrase)) {
        next = unlock_alloc();
        if (!next)
            return fault_set(fault, ERR_MEMORY, "no locked memory for keys");
        next->passes = cost ? cost->passes : PASSES_DEFAULT;
        next->memory_bytes = cost ? cost->memory_bytes : MEMORY_DEFAULT;
        randombytes_buf(next->salt, sizeof next->salt);
        err = derive(next, passphrase, fault);
    }
    if (!err)
        err = write_change(sys, site_dir, unlock, next, fault);
    vault_unlock_free(next);
    return err ? err : key_files_settle(sys, site_dir, fault);
}
