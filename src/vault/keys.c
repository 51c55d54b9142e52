/* keys.c - make, write and read the keys of a site: signing key, node key, key of repeats, recipients. */
#include "vault/keys.h"

#include "base/pool.h"
#include "formats/age/age.h"
#include "vault/layout.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define VERIFIER_BYTES_MAX   ((size_t)1 << 20) /* a line for each epoch of the origin */
#define RECIPIENT_LINE_MAX   (128u + VAULT_LABEL_BYTES_MAX)
#define RECIPIENTS_BYTES_MAX ((size_t)RECIPIENT_COUNT_MAX * RECIPIENT_LINE_MAX)

static enum err unreadable(const char *file, struct fault *fault) {
    return fault_set_subject(fault, ERR_CORRUPT, "this key file cannot be read", file);
}

/* ---- making ---- */

/* One line for each epoch of the origin: those there were, and this one. */
static enum err write_verifier(struct sys *sys, const char *site_dir, struct bytes before,
                               const struct tlog_verifier *verifier, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    size_t capacity = before.size + 512;
    char *buffer = memory_alloc(1, capacity);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for a key's line");
    struct text text;
    text_init(&text, buffer, capacity);
    text_put(&text, before);
    tlog_put_verifier(&text, verifier);
    text_put_char(&text, '\n');
    vault_path(path, site_dir, "vault/verifier");
    enum err err = text.full ? fault_set(fault, ERR_LIMIT, "the verifier file is too long")
                             : sys_replace_file(sys, path, text_bytes(&text), 0644, fault);
    memory_free(buffer);
    return err;
}

enum err keys_write_node(struct sys *sys, const char *site_dir, const uint8_t node[KEY_BYTES],
                         struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    age_put_secret(&text, node);
    enum err err = key_file_write(sys, site_dir, NULL, "node.key", &text, fault);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

static enum err write_keys(struct sys *sys, const char *site_dir, const struct tlog_signer *signer,
                           const uint8_t node[KEY_BYTES], struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    uint8_t repeat[KEY_BYTES];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    tlog_put_signer(&text, signer);
    enum err err = key_file_write(sys, site_dir, NULL, "signing.key", &text, fault);
    if (!err)
        err = keys_write_node(sys, site_dir, node, fault);
    randombytes_buf(repeat, sizeof repeat);
    text_init(&text, buffer, sizeof buffer);
    text_put_hex(&text, bytes_from(repeat, sizeof repeat));
    if (!err)
        err = key_file_write(sys, site_dir, NULL, "repeat.key", &text, fault);
    sodium_memzero(repeat, sizeof repeat);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

static enum err write_first_recipients(struct sys *sys, const char *site_dir,
                                       const uint8_t node[KEY_BYTES], const uint8_t *recovery,
                                       struct recipients *recipients, struct fault *fault) {
    *recipients = (struct recipients){.count = recovery ? 2 : 1, .labels = {"node", "recovery"}};
    crypto_scalarmult_base(recipients->public_keys[0], node);
    if (recovery)
        memcpy(recipients->public_keys[1], recovery, KEY_BYTES);
    return recipients_write(sys, site_dir, recipients, fault);
}

static enum err write_first_epoch(struct sys *sys, const char *site_dir,
                                  const struct recipients *recipients, struct fault *fault) {
    char vault_dir[VAULT_PATH_BYTES_MAX], path[VAULT_PATH_BYTES_MAX];
    uint8_t key[KEY_BYTES];
    vault_path(vault_dir, site_dir, "vault");
    /* An unfinished start may have left one: nothing was sealed with it. */
    vault_path(path, vault_dir, "keys/1");
    if (sys_unlink(sys, path) && errno != ENOENT)
        return fault_set_errno(fault, ERR_IO, errno, "an unfinished key is in the way", path);
    randombytes_buf(key, sizeof key);
    enum err err = epoch_file_write(sys, vault_dir, 1, 1, "", key, recipients, fault);
    sodium_memzero(key, sizeof key);
    return err;
}

enum err keys_create(struct sys *sys, const char *site_dir, const char *origin,
                     const uint8_t *recovery, struct fault *fault) {
    struct tlog_signer signer;
    struct recipients recipients;
    uint8_t seed[KEY_BYTES], node[KEY_BYTES];
    randombytes_buf(seed, sizeof seed);
    randombytes_buf(node, sizeof node);
    enum err err = tlog_signer_from_seed(&signer, bytes_from_string(origin), seed);
    if (err)
        fault_set_subject(fault, err, "this is no name for a log", origin);
    if (!err)
        err = write_keys(sys, site_dir, &signer, node, fault);
    if (!err)
        err = write_first_recipients(sys, site_dir, node, recovery, &recipients, fault);
    if (!err)
        err = write_first_epoch(sys, site_dir, &recipients, fault);
    if (!err)
        err = write_verifier(sys, site_dir, BYTES_NONE, &signer.verifier, fault);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(node, sizeof node);
    sodium_memzero(&signer, sizeof signer);
    return err;
}

/* ---- reading ---- */

enum err keys_read_signer(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                          struct tlog_signer *signer, struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes line;
    enum err err = key_file_read(sys, site_dir, unlock, "signing.key", buffer, &line, fault);
    if (!err && tlog_signer_read(line, signer))
        err = unreadable("signing.key", fault);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

/* The whole of vault/verifier; the caller frees it. */
static enum err read_verifiers(struct sys *sys, const char *site_dir, uint8_t **buffer,
                               struct bytes *lines, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    size_t size = 0;
    vault_path(path, site_dir, "vault/verifier");
    *buffer = memory_alloc(1, VERIFIER_BYTES_MAX);
    if (!*buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for the verifier keys");
    enum err err = sys_read_file(sys, path, *buffer, VERIFIER_BYTES_MAX, &size, fault);
    *lines = bytes_from(*buffer, size);
    return err;
}

enum err keys_read_log_name(struct sys *sys, const char *site_dir,
                            char name[TLOG_ORIGIN_BYTES_MAX + 1], struct fault *fault) {
    uint8_t *buffer;
    struct bytes lines, first;
    struct tlog_verifier verifier;
    enum err err = read_verifiers(sys, site_dir, &buffer, &lines, fault);
    if (!err && (!bytes_next_part(&lines, '\n', &first) || tlog_verifier_read(first, &verifier)))
        err = fault_set(fault, ERR_CORRUPT, "vault/verifier cannot be read");
    if (!err)
        snprintf(name, TLOG_ORIGIN_BYTES_MAX + 1, "%s", verifier.name);
    memory_free(buffer);
    return err;
}

enum err keys_verify_own(struct sys *sys, const char *site_dir, const struct tlog_signer *signer,
                         struct bytes note, struct fault *fault) {
    uint8_t *buffer;
    struct bytes lines, line, body;
    struct tlog_verifier verifier;
    enum err err = read_verifiers(sys, site_dir, &buffer, &lines, fault);
    bool holds = !err && !tlog_note_verify(note, &signer->verifier, &body);
    while (!err && !holds && bytes_next_part(&lines, '\n', &line))
        holds = !tlog_verifier_read(line, &verifier) &&
                !memcmp(verifier.public_key, signer->verifier.public_key, KEY_BYTES) &&
                !tlog_note_verify(note, &verifier, &body);
    memory_free(buffer);
    return err || holds ? err : fault_set(fault, ERR_CRYPTO, "this note is not ours");
}

static unsigned count_lines(struct bytes lines) {
    unsigned count = 0;
    struct bytes line;
    while (bytes_next_part(&lines, '\n', &line))
        count += !bytes_is_empty(line);
    return count;
}

/* "<site>/veilleuse/<node>/<epoch>": what stands before the last slash stays. */
static bool name_next_origin(const char *old, struct bytes lines, char *name, size_t name_bytes) {
    const char *slash = strrchr(old, '/');
    uint8_t random[4];
    randombytes_buf(random, sizeof random);
    int size =
        snprintf(name, name_bytes, "%.*s/%u-%08x", slash ? (int)(slash - old) : (int)strlen(old),
                 old, count_lines(lines) + 1, load_u32(random));
    return size > 0 && (size_t)size < name_bytes;
}

enum err keys_begin_origin(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                           struct tlog_signer *signer, struct fault *fault) {
    char name[TLOG_NAME_BYTES_MAX + 1], buffer[KEY_FILE_BYTES_MAX];
    uint8_t *verifiers, seed[KEY_BYTES];
    struct bytes lines;
    struct tlog_signer next;
    enum err err = read_verifiers(sys, site_dir, &verifiers, &lines, fault);
    if (!err && !name_next_origin(signer->verifier.name, lines, name, sizeof name))
        err = fault_set(fault, ERR_LIMIT, "the origin's name is too long");
    crypto_sign_ed25519_sk_to_seed(seed, signer->secret_key);
    if (!err && tlog_signer_from_seed(&next, bytes_from_string(name), seed))
        err = fault_set(fault, ERR_INPUT, "this is no name for a log");
    sodium_memzero(seed, sizeof seed);
    if (!err)
        err = write_verifier(sys, site_dir, lines, &next.verifier, fault);
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    if (!err)
        tlog_put_signer(&text, &next);
    if (!err)
        err = key_file_write(sys, site_dir, unlock, "signing.key", &text, fault);
    if (!err)
        *signer = next;
    sodium_memzero(&next, sizeof next);
    sodium_memzero(buffer, sizeof buffer);
    memory_free(verifiers);
    return err;
}

enum err keys_read_repeat(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                          uint8_t key[KEY_BYTES], struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes line;
    enum err err = key_file_read(sys, site_dir, unlock, "repeat.key", buffer, &line, fault);
    if (!err && !hex_decode(line, key, KEY_BYTES))
        err = unreadable("repeat.key", fault);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

enum err keys_adopt(struct sys *sys, const char *site_dir, const uint8_t node[KEY_BYTES],
                    struct tlog_signer *signer, struct fault *fault) {
    char old[TLOG_ORIGIN_BYTES_MAX + 1], name[TLOG_NAME_BYTES_MAX + 1];
    uint8_t *verifiers = NULL, seed[KEY_BYTES];
    struct bytes lines;
    enum err err = keys_read_log_name(sys, site_dir, old, fault);
    if (!err)
        err = read_verifiers(sys, site_dir, &verifiers, &lines, fault);
    if (!err && !name_next_origin(old, lines, name, sizeof name))
        err = fault_set(fault, ERR_LIMIT, "the origin's name is too long");
    randombytes_buf(seed, sizeof seed);
    if (!err && tlog_signer_from_seed(signer, bytes_from_string(name), seed))
        err = fault_set(fault, ERR_INPUT, "this is no name for a log");
    sodium_memzero(seed, sizeof seed);
    if (!err)
        err = write_keys(sys, site_dir, signer, node, fault);
    if (!err)
        err = write_verifier(sys, site_dir, lines, &signer->verifier, fault);
    memory_free(verifiers);
    return err;
}

enum err keys_read_node(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                        uint8_t secret[KEY_BYTES], struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes line;
    enum err err = key_file_read(sys, site_dir, unlock, "node.key", buffer, &line, fault);
    if (!err && age_secret_read(line, secret))
        err = unreadable("node.key", fault);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

/* ---- recipients ---- */

static bool take_recipient(struct recipients *recipients, struct bytes line) {
    struct bytes key;
    line = bytes_trim(line);
    if (bytes_is_empty(line) || line.data[0] == '#')
        return true;
    if (recipients->count == RECIPIENT_COUNT_MAX || !bytes_next_part(&line, ' ', &key) ||
        age_recipient_read(key, recipients->public_keys[recipients->count]) ||
        line.size > VAULT_LABEL_BYTES_MAX)
        return false;
    char *label = recipients->labels[recipients->count++];
    if (line.size)
        memcpy(label, line.data, line.size);
    label[line.size] = 0;
    return true;
}

enum err recipients_read(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                         struct recipients *recipients, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    size_t size = 0;
    struct fault own = {0};
    *recipients = (struct recipients){0};
    char *buffer = memory_alloc(1, RECIPIENTS_BYTES_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for the recipients");
    vault_path(path, site_dir, "keys/recipients");
    enum err err = sys_read_file(sys, path, buffer, RECIPIENTS_BYTES_MAX, &size, &own);
    if (err == ERR_NOT_FOUND) { /* a site made before there were others */
        uint8_t secret[KEY_BYTES];
        err = keys_read_node(sys, site_dir, unlock, secret, fault);
        recipients->count = 1;
        snprintf(recipients->labels[0], sizeof recipients->labels[0], "node");
        if (!err)
            crypto_scalarmult_base(recipients->public_keys[0], secret);
        sodium_memzero(secret, sizeof secret);
    } else if (err && fault) {
        *fault = own;
    }
    struct bytes rest = bytes_from(buffer, size), line;
    while (!err && size && bytes_next_part(&rest, '\n', &line))
        if (!take_recipient(recipients, line))
            err = fault_set_subject(fault, ERR_CORRUPT, "a recipient cannot be read", path);
    memory_free(buffer);
    return err;
}

enum err recipients_write(struct sys *sys, const char *site_dir,
                          const struct recipients *recipients, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    char *buffer = memory_alloc(1, RECIPIENTS_BYTES_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for the recipients");
    struct text text;
    text_init(&text, buffer, RECIPIENTS_BYTES_MAX);
    for (size_t i = 0; i < recipients->count; i++) {
        age_put_recipient(&text, recipients->public_keys[i]);
        text_put_char(&text, ' ');
        text_put_string(&text, recipients->labels[i]);
        text_put_char(&text, '\n');
    }
    vault_path(path, site_dir, "keys/recipients");
    enum err err = text.full ? fault_set(fault, ERR_LIMIT, "too many recipients")
                             : sys_replace_file(sys, path, text_bytes(&text), 0600, fault);
    memory_free(buffer);
    return err;
}
