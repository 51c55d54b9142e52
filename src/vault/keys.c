/* keys.c - make, write and read the keys of a site. */
#include "vault/keys.h"

#include "base/pool.h"
#include "formats/age/age.h"
#include "vault/layout.h"

#include <assert.h>
#include <nettle/sha2.h>
#include <sodium.h>
#include <stdio.h>

#define EPOCH_COUNT_MAX    1024u
#define KEY_FILE_BYTES_MAX 4096u
#define EPOCH_KEY_LINE     "veilleuse-epoch-key/1"
#define SEALED_KEY_BYTES   (KEY_BYTES + crypto_box_SEALBYTES)

struct epoch_keys {
    struct sys *sys;
    char site_dir[VAULT_PATH_BYTES_MAX];
    uint32_t newest;
    uint8_t *secrets; /* locked: node secret, then EPOCH_COUNT_MAX keys */
    bool is_known[EPOCH_COUNT_MAX];
};

static enum err write_key(struct sys *sys, const char *site_dir, const char *file,
                          struct text *text, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    text_put_char(text, '\n');
    vault_path(path, site_dir, "keys/%s", file);
    enum err err = sys_replace_file(sys, path, text_bytes(text), 0600, fault);
    sodium_memzero(text->data, text->capacity);
    return err;
}

/* One line; the caller wipes the buffer. */
static enum err read_key(struct sys *sys, const char *site_dir, const char *file,
                         char buffer[KEY_FILE_BYTES_MAX], struct bytes *line, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    size_t size = 0;
    vault_path(path, site_dir, "keys/%s", file);
    enum err err = sys_read_file(sys, path, buffer, KEY_FILE_BYTES_MAX, &size, fault);
    *line = bytes_trim(bytes_from(buffer, size));
    return err;
}

static enum err unreadable(const char *file, struct fault *fault) {
    return fault_set_subject(fault, ERR_CORRUPT, "this key file cannot be read", file);
}

/* ---- making ---- */

static enum err write_epoch(struct sys *sys, const char *site_dir,
                            const uint8_t node_secret[KEY_BYTES], struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[KEY_FILE_BYTES_MAX];
    uint8_t public_key[KEY_BYTES], key[KEY_BYTES], sealed[SEALED_KEY_BYTES];
    crypto_scalarmult_base(public_key, node_secret);
    randombytes_buf(key, sizeof key);
    crypto_box_seal(sealed, key, sizeof key, public_key);
    sodium_memzero(key, sizeof key);
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_put_string(&text, EPOCH_KEY_LINE "\nepoch 1\nrecipient ");
    text_put_hex(&text, bytes_from(public_key, sizeof public_key));
    text_put_char(&text, ' ');
    text_put_base64(&text, bytes_from(sealed, sizeof sealed));
    text_put_char(&text, '\n');
    vault_path(path, site_dir, "vault/keys/1");
    return sys_replace_file(sys, path, text_bytes(&text), 0644, fault);
}

static enum err write_verifier(struct sys *sys, const char *site_dir,
                               const struct tlog_verifier *verifier, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[512];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    tlog_put_verifier(&text, verifier);
    text_put_char(&text, '\n');
    vault_path(path, site_dir, "vault/verifier");
    return sys_replace_file(sys, path, text_bytes(&text), 0644, fault);
}

static enum err write_keys(struct sys *sys, const char *site_dir, const struct tlog_signer *signer,
                           const uint8_t node[KEY_BYTES], struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    uint8_t repeat[KEY_BYTES];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    tlog_put_signer(&text, signer);
    enum err err = write_key(sys, site_dir, "signing.key", &text, fault);
    text_init(&text, buffer, sizeof buffer);
    age_put_secret(&text, node);
    if (!err)
        err = write_key(sys, site_dir, "node.key", &text, fault);
    randombytes_buf(repeat, sizeof repeat);
    text_init(&text, buffer, sizeof buffer);
    text_put_hex(&text, bytes_from(repeat, sizeof repeat));
    if (!err)
        err = write_key(sys, site_dir, "repeat.key", &text, fault);
    sodium_memzero(repeat, sizeof repeat);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

enum err keys_create(struct sys *sys, const char *site_dir, const char *origin,
                     struct fault *fault) {
    struct tlog_signer signer;
    uint8_t seed[KEY_BYTES], node[KEY_BYTES];
    randombytes_buf(seed, sizeof seed);
    randombytes_buf(node, sizeof node);
    enum err err = tlog_signer_from_seed(&signer, bytes_from_string(origin), seed);
    if (err)
        fault_set_subject(fault, err, "this is no name for a log", origin);
    if (!err)
        err = write_keys(sys, site_dir, &signer, node, fault);
    if (!err)
        err = write_epoch(sys, site_dir, node, fault);
    if (!err)
        err = write_verifier(sys, site_dir, &signer.verifier, fault);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(node, sizeof node);
    sodium_memzero(&signer, sizeof signer);
    return err;
}

/* ---- reading ---- */

enum err keys_read_signer(struct sys *sys, const char *site_dir, struct tlog_signer *signer,
                          struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes line;
    enum err err = read_key(sys, site_dir, "signing.key", buffer, &line, fault);
    if (!err && tlog_signer_read(line, signer))
        err = unreadable("signing.key", fault);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

/* The origin is the verifier's name: both are fixed when the site is made. */
enum err keys_read_origin(struct sys *sys, const char *site_dir,
                          char origin[TLOG_ORIGIN_BYTES_MAX + 1], struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[512];
    size_t size = 0;
    struct tlog_verifier verifier;
    vault_path(path, site_dir, "vault/verifier");
    enum err err = sys_read_file(sys, path, buffer, sizeof buffer, &size, fault);
    if (!err)
        err = tlog_verifier_read(bytes_from(buffer, size), &verifier);
    if (err)
        return fault_set_subject(fault, err, "the verifier key cannot be read", path);
    snprintf(origin, TLOG_ORIGIN_BYTES_MAX + 1, "%s", verifier.name);
    return ERR_OK;
}

enum err keys_read_repeat(struct sys *sys, const char *site_dir, uint8_t key[KEY_BYTES],
                          struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes line;
    enum err err = read_key(sys, site_dir, "repeat.key", buffer, &line, fault);
    if (!err && !hex_decode(line, key, KEY_BYTES))
        err = unreadable("repeat.key", fault);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

static enum err read_node_secret(struct sys *sys, const char *site_dir, uint8_t secret[KEY_BYTES],
                                 struct fault *fault) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes line;
    enum err err = read_key(sys, site_dir, "node.key", buffer, &line, fault);
    if (!err && age_secret_read(line, secret))
        err = unreadable("node.key", fault);
    sodium_memzero(buffer, sizeof buffer);
    return err;
}

/* ---- epochs ---- */

enum err keys_hash_epoch(struct sys *sys, const char *site_dir, uint32_t epoch,
                         uint8_t hash[TLOG_HASH_BYTES], struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[KEY_FILE_BYTES_MAX];
    size_t size = 0;
    struct sha256_ctx sha;
    vault_path(path, site_dir, "vault/keys/%u", epoch);
    enum err err = sys_read_file(sys, path, buffer, sizeof buffer, &size, fault);
    if (err)
        return err;
    sha256_init(&sha);
    sha256_update(&sha, size, (const uint8_t *)buffer);
    sha256_digest(&sha, TLOG_HASH_BYTES, hash);
    return ERR_OK;
}

static bool open_recipient(struct bytes line, const uint8_t *node_secret,
                           const uint8_t node_public[KEY_BYTES], uint8_t *key) {
    struct bytes word, id;
    uint8_t recipient[KEY_BYTES], sealed[SEALED_KEY_BYTES];
    size_t size;
    return bytes_next_part(&line, ' ', &word) && bytes_is(word, "recipient") &&
           bytes_next_part(&line, ' ', &id) && id.size == 2 * KEY_BYTES &&
           hex_decode(id, recipient, sizeof recipient) &&
           !memcmp(recipient, node_public, sizeof recipient) &&
           base64_decode(line, sealed, sizeof sealed, &size) && size == sizeof sealed &&
           !crypto_box_seal_open(key, sealed, sizeof sealed, node_public, node_secret);
}

/* ERR_NOT_FOUND: there is no such epoch. */
static enum err load_epoch(struct epoch_keys *keys, uint32_t epoch, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[KEY_FILE_BYTES_MAX];
    size_t size = 0;
    uint8_t public_key[KEY_BYTES];
    vault_path(path, keys->site_dir, "vault/keys/%u", epoch);
    enum err err = sys_read_file(keys->sys, path, buffer, sizeof buffer, &size, fault);
    if (err)
        return err;
    crypto_scalarmult_base(public_key, keys->secrets);
    struct bytes rest = bytes_from(buffer, size), line;
    while (bytes_next_part(&rest, '\n', &line))
        if (open_recipient(line, keys->secrets, public_key,
                           keys->secrets + (size_t)(1 + epoch) * KEY_BYTES)) {
            keys->is_known[epoch] = true;
            return ERR_OK;
        }
    return fault_set_subject(fault, ERR_CRYPTO, "this node's key does not open", path);
}

static enum err find_newest(struct epoch_keys *keys, struct fault *fault) {
    for (uint32_t epoch = 1; epoch < EPOCH_COUNT_MAX; epoch++) {
        struct fault own = {0};
        enum err err = load_epoch(keys, epoch, &own);
        if (err == ERR_NOT_FOUND && epoch > 1)
            return ERR_OK;
        if (err) {
            if (fault)
                *fault = own;
            return err;
        }
        keys->newest = epoch;
    }
    return ERR_OK;
}

enum err epoch_keys_open(struct epoch_keys **out, struct sys *sys, const char *site_dir,
                         struct fault *fault) {
    struct epoch_keys *keys = memory_alloc(1, sizeof *keys);
    if (!keys)
        return fault_set(fault, ERR_MEMORY, "no memory for keys");
    keys->sys = sys;
    snprintf(keys->site_dir, sizeof keys->site_dir, "%s", site_dir);
    keys->secrets = sodium_malloc((size_t)(1 + EPOCH_COUNT_MAX) * KEY_BYTES);
    enum err err =
        keys->secrets ? ERR_OK : fault_set(fault, ERR_MEMORY, "no locked memory for keys");
    if (!err)
        err = read_node_secret(sys, site_dir, keys->secrets, fault);
    if (!err)
        err = find_newest(keys, fault);
    if (err) {
        epoch_keys_close(keys);
        return err;
    }
    *out = keys;
    return ERR_OK;
}

void epoch_keys_close(struct epoch_keys *keys) {
    if (!keys)
        return;
    sodium_free(keys->secrets); /* wipes */
    memory_free(keys);
}

const uint8_t *epoch_keys_find(struct epoch_keys *keys, uint32_t epoch) {
    if (epoch == 0 || epoch >= EPOCH_COUNT_MAX)
        return NULL;
    if (!keys->is_known[epoch] && load_epoch(keys, epoch, NULL))
        return NULL;
    return keys->secrets + (size_t)(1 + epoch) * KEY_BYTES;
}

uint32_t epoch_keys_newest(const struct epoch_keys *keys) {
    return keys->newest;
}

void epoch_blob_secret(const uint8_t epoch_key[KEY_BYTES], uint8_t secret[KEY_BYTES]) {
    static const char label[] = "veilleuse blob identity/1";
    crypto_generichash(secret, KEY_BYTES, (const uint8_t *)label, sizeof label - 1, epoch_key,
                       KEY_BYTES);
}
