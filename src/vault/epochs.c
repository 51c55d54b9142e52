/* epochs.c - the keys that seal entries, one an epoch: made, sealed to their recipients, found again, forgotten. */
#include "vault/keys.h"

#include "base/pool.h"
#include "vault/layout.h"

#include <dirent.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define EPOCH_KEY_LINE     "veilleuse-epoch-key/1"
#define EPOCH_FILE_MAX     ((size_t)RECIPIENT_COUNT_MAX * 256u + 256u)
#define SEALED_KEY_BYTES   (KEY_BYTES + crypto_box_SEALBYTES)
#define KEYS_KEPT          64u
#define FILES_OF_EPOCH_MAX 1000u

/* ---- files ---- */

void epoch_file_name(char name[EPOCH_FILE_BYTES_MAX], uint32_t epoch, unsigned nth) {
    if (nth > 1)
        snprintf(name, EPOCH_FILE_BYTES_MAX, "%u.%u", epoch, nth);
    else
        snprintf(name, EPOCH_FILE_BYTES_MAX, "%u", epoch);
}

static void put_epoch_file(struct text *text, uint32_t epoch, const uint8_t key[KEY_BYTES],
                           const struct recipients *recipients) {
    uint8_t sealed[SEALED_KEY_BYTES];
    text_put_string(text, EPOCH_KEY_LINE "\nepoch ");
    text_put_u64(text, epoch);
    text_put_char(text, '\n');
    for (size_t i = 0; i < recipients->count; i++) {
        const uint8_t *public_key = recipients->public_keys[i];
        if (crypto_box_seal(sealed, key, KEY_BYTES, public_key))
            continue; /* no point of the curve: nobody could open it */
        text_put_string(text, "recipient ");
        text_put_hex(text, bytes_from(public_key, KEY_BYTES));
        text_put_char(text, ' ');
        text_put_base64(text, bytes_from(sealed, sizeof sealed));
        text_put_char(text, '\n');
    }
}

enum err epoch_file_write(struct sys *sys, const char *vault_dir, uint32_t epoch, unsigned nth,
                          const char *end, const uint8_t key[KEY_BYTES],
                          const struct recipients *recipients, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], name[EPOCH_FILE_BYTES_MAX];
    struct stat st;
    epoch_file_name(name, epoch, nth);
    vault_path(path, vault_dir, "keys/%s%s", name, end);
    if (!sys_stat(sys, path, &st))
        return fault_set_subject(fault, ERR_STATE, "there is such a key already", path);
    if (errno != ENOENT)
        return fault_set_errno(fault, ERR_IO, errno, "is there such a key already?", path);
    char *buffer = memory_alloc(1, EPOCH_FILE_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for a key");
    struct text text;
    text_init(&text, buffer, EPOCH_FILE_MAX);
    put_epoch_file(&text, epoch, key, recipients);
    enum err err = text.full ? fault_set(fault, ERR_LIMIT, "too many recipients")
                             : sys_replace_file(sys, path, text_bytes(&text), 0644, fault);
    memory_free(buffer);
    return err;
}

enum err epoch_file_hash(struct sys *sys, const char *vault_dir, const char *name,
                         uint8_t hash[TLOG_HASH_BYTES], struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    size_t size = 0;
    uint8_t *buffer = memory_alloc(1, EPOCH_FILE_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for a key");
    vault_path(path, vault_dir, "keys/%s", name);
    enum err err = sys_read_file(sys, path, buffer, EPOCH_FILE_MAX, &size, fault);
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, size, buffer);
    sha256_digest(&sha, TLOG_HASH_BYTES, hash);
    memory_free(buffer);
    return err;
}

/* ---- which there are ---- */

static bool add_epoch(struct epoch_list *list, uint32_t epoch) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        uint32_t *grown = memory_alloc(capacity, sizeof *grown);
        if (!grown)
            return false;
        if (list->count)
            memcpy(grown, list->epochs, list->count * sizeof *grown);
        memory_free(list->epochs);
        list->epochs = grown;
        list->capacity = capacity;
    }
    list->epochs[list->count++] = epoch;
    return true;
}

static int compare_epochs(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

bool epoch_is_erasing(const char *name, uint32_t *epoch) {
    struct bytes rest = bytes_from_string(name), number;
    uint64_t value;
    if (!bytes_next_part(&rest, '.', &number) || !bytes_is(rest, &EPOCH_ERASING[1]) ||
        !bytes_to_u64(number, &value) || value == 0 || value > UINT32_MAX)
        return false;
    *epoch = (uint32_t)value;
    return true;
}

/* The number of "<epoch>" or "<epoch>.<n>"; 0: the name of something else. */
static uint32_t epoch_of_file(const char *name) {
    struct bytes rest = bytes_from_string(name), number;
    uint64_t epoch, nth;
    if (!bytes_next_part(&rest, '.', &number) || !bytes_to_u64(number, &epoch) ||
        epoch > UINT32_MAX || (!bytes_is_empty(rest) && !bytes_to_u64(rest, &nth)))
        return 0;
    return (uint32_t)epoch;
}

static void sort_epochs(struct epoch_list *list) {
    if (list->count)
        qsort(list->epochs, list->count, sizeof *list->epochs, compare_epochs);
}

/* Each once, and none of those that are being erased; both are sorted. */
static void keep_living(struct epoch_list *list, const struct epoch_list *erasing) {
    size_t kept = 0, other = 0;
    for (size_t i = 0; i < list->count; i++) {
        uint32_t epoch = list->epochs[i];
        while (other < erasing->count && erasing->epochs[other] < epoch)
            other++;
        bool is_erasing = other < erasing->count && erasing->epochs[other] == epoch;
        if (!is_erasing && (kept == 0 || list->epochs[kept - 1] != epoch))
            list->epochs[kept++] = epoch;
    }
    list->count = kept;
}

enum err epochs_list(struct sys *sys, const char *vault_dir, struct epoch_list *list,
                     struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct epoch_list erasing = {0};
    vault_path(path, vault_dir, "keys");
    list->count = 0;
    struct stat st; /* counted as a call, so that a test can make it fail */
    DIR *dir = sys_stat(sys, path, &st) ? NULL : opendir(path);
    if (!dir)
        return fault_set_errno(fault, ERR_IO, errno, "cannot list", path);
    struct dirent *entry;
    bool good = true;
    while (good && (entry = readdir(dir))) {
        uint32_t epoch = epoch_of_file(entry->d_name);
        if (epoch)
            good = add_epoch(list, epoch);
        else if (epoch_is_erasing(entry->d_name, &epoch))
            good = add_epoch(&erasing, epoch);
    }
    closedir(dir);
    sort_epochs(list);
    sort_epochs(&erasing);
    keep_living(list, &erasing);
    epochs_release(&erasing);
    return good ? ERR_OK : fault_set(fault, ERR_MEMORY, "no memory for the list of epochs");
}

void epochs_release(struct epoch_list *list) {
    memory_free(list->epochs);
    *list = (struct epoch_list){0};
}

/* ---- opened ones ---- */

/* Locked memory: the node's secret, then KEYS_KEPT keys. */
struct epoch_keys {
    struct sys *sys;
    char vault_dir[VAULT_PATH_BYTES_MAX];
    uint8_t *secrets, public_key[KEY_BYTES];
    uint32_t epochs[KEYS_KEPT]; /* 0: free */
    uint64_t used_at[KEYS_KEPT], clock;
};

enum err epoch_keys_open(struct epoch_keys **out, struct sys *sys, const char *site_dir,
                         const struct vault_unlock *unlock, struct fault *fault) {
    struct epoch_keys *keys = memory_alloc(1, sizeof *keys);
    if (!keys)
        return fault_set(fault, ERR_MEMORY, "no memory for keys");
    keys->sys = sys;
    vault_path(keys->vault_dir, site_dir, "vault");
    keys->secrets = sodium_malloc((size_t)(1 + KEYS_KEPT) * KEY_BYTES);
    enum err err =
        keys->secrets ? ERR_OK : fault_set(fault, ERR_MEMORY, "no locked memory for keys");
    if (!err)
        err = keys_read_node(sys, site_dir, unlock, keys->secrets, fault);
    if (err) {
        epoch_keys_close(keys);
        return err;
    }
    crypto_scalarmult_base(keys->public_key, keys->secrets);
    *out = keys;
    return ERR_OK;
}

void epoch_keys_close(struct epoch_keys *keys) {
    if (!keys)
        return;
    sodium_free(keys->secrets); /* wipes */
    memory_free(keys);
}

static uint8_t *slot_key(const struct epoch_keys *keys, unsigned slot) {
    return keys->secrets + (size_t)(1 + slot) * KEY_BYTES;
}

static bool open_recipient(struct bytes line, const struct epoch_keys *keys, uint8_t *key) {
    struct bytes word, id;
    uint8_t recipient[KEY_BYTES], sealed[SEALED_KEY_BYTES];
    size_t size;
    return bytes_next_part(&line, ' ', &word) && bytes_is(word, "recipient") &&
           bytes_next_part(&line, ' ', &id) && id.size == 2 * KEY_BYTES &&
           hex_decode(id, recipient, sizeof recipient) &&
           !memcmp(recipient, keys->public_key, sizeof recipient) &&
           base64_decode(line, sealed, sizeof sealed, &size) && size == sizeof sealed &&
           !crypto_box_seal_open(key, sealed, sizeof sealed, keys->public_key, keys->secrets);
}

static bool is_of_epoch(struct bytes file, uint32_t epoch) {
    struct bytes line, word;
    uint64_t number;
    return bytes_next_part(&file, '\n', &line) && bytes_is(line, EPOCH_KEY_LINE) &&
           bytes_next_part(&file, '\n', &line) && bytes_next_part(&line, ' ', &word) &&
           bytes_is(word, "epoch") && bytes_to_u64(line, &number) && number == epoch;
}

/* One file of the epoch. ERR_CRYPTO: it is not for this node. */
static enum err open_file(struct epoch_keys *keys, uint32_t epoch, unsigned nth, char *buffer,
                          uint8_t *key, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], name[EPOCH_FILE_BYTES_MAX];
    size_t size = 0;
    epoch_file_name(name, epoch, nth);
    vault_path(path, keys->vault_dir, "keys/%s", name);
    enum err err = sys_read_file(keys->sys, path, buffer, EPOCH_FILE_MAX, &size, fault);
    if (err)
        return err;
    struct bytes file = bytes_from(buffer, size), line;
    if (!is_of_epoch(file, epoch))
        return fault_set_subject(fault, ERR_CORRUPT, "this is no key of that epoch", path);
    while (bytes_next_part(&file, '\n', &line))
        if (open_recipient(line, keys, key))
            return ERR_OK;
    return fault_set_subject(fault, ERR_CRYPTO, "this node's key does not open", path);
}

static enum err load_epoch(struct epoch_keys *keys, uint32_t epoch, uint8_t *key,
                           struct fault *fault) {
    char *buffer = memory_alloc(1, EPOCH_FILE_MAX);
    if (!buffer)
        return fault_set(fault, ERR_MEMORY, "no memory for a key");
    struct fault first = {0};
    enum err err = open_file(keys, epoch, 1, buffer, key, &first);
    /* To those who came later, in files of their own; the first may be gone. */
    for (unsigned nth = 2; err && nth < FILES_OF_EPOCH_MAX; nth++) {
        struct fault own = {0};
        enum err next = open_file(keys, epoch, nth, buffer, key, &own);
        if (!next)
            err = ERR_OK;
        if (next == ERR_NOT_FOUND)
            break;
    }
    memory_free(buffer);
    if (err && fault)
        *fault = first;
    return err;
}

static unsigned oldest_slot(const struct epoch_keys *keys) {
    unsigned oldest = 0;
    for (unsigned i = 1; i < KEYS_KEPT; i++)
        if (keys->used_at[i] < keys->used_at[oldest])
            oldest = i;
    return oldest;
}

enum err epoch_keys_find(struct epoch_keys *keys, uint32_t epoch, const uint8_t **key,
                         struct fault *fault) {
    unsigned slot = 0;
    while (slot < KEYS_KEPT && keys->epochs[slot] != epoch)
        slot++;
    if (epoch == 0)
        return fault_set(fault, ERR_NOT_FOUND, "there is no epoch 0");
    if (slot == KEYS_KEPT) {
        slot = oldest_slot(keys);
        keys->epochs[slot] = 0;
        keys->used_at[slot] = 0;
        enum err err = load_epoch(keys, epoch, slot_key(keys, slot), fault);
        if (err)
            return err;
        keys->epochs[slot] = epoch;
    }
    keys->used_at[slot] = ++keys->clock;
    *key = slot_key(keys, slot);
    return ERR_OK;
}

void epoch_keys_add(struct epoch_keys *keys, uint32_t epoch, const uint8_t key[KEY_BYTES]) {
    unsigned slot = oldest_slot(keys);
    memcpy(slot_key(keys, slot), key, KEY_BYTES);
    keys->epochs[slot] = epoch;
    keys->used_at[slot] = ++keys->clock;
}

void epoch_keys_forget(struct epoch_keys *keys, uint32_t epoch) {
    for (unsigned i = 0; i < KEYS_KEPT; i++)
        if (keys->epochs[i] == epoch) {
            sodium_memzero(slot_key(keys, i), KEY_BYTES);
            keys->epochs[i] = 0;
            keys->used_at[i] = 0;
        }
}

void epoch_blob_secret(const uint8_t epoch_key[KEY_BYTES], uint8_t secret[KEY_BYTES]) {
    static const char label[] = "veilleuse blob identity/1";
    crypto_generichash(secret, KEY_BYTES, (const uint8_t *)label, sizeof label - 1, epoch_key,
                       KEY_BYTES);
}
