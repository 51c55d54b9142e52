/* opener.c - gives plaintext to those who may have it: entries and blobs, with the epoch keys of this node. */
#include "vault/envelope.h"
#include "vault/keys.h"
#include "vault/layout.h"

#include "base/pool.h"
#include "formats/age/age.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

#define READ_BYTES 65536u

struct vault_opener {
    struct sys *sys;
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct epoch_keys *keys;
    struct sealer *sealer;
    struct vault_reader *reader; /* for dictionaries; opened at need */
    uint32_t blob_epoch;         /* of the last entry unsealed: its blob is of the same epoch */
    struct age_reader age;
    uint8_t sealed[READ_BYTES], plain[AGE_CHUNK_BYTES];
};

enum err vault_opener_open(struct vault_opener **out, struct sys *sys, const char *site_dir,
                           const struct vault_unlock *unlock, struct fault *fault) {
    char log_name[TLOG_ORIGIN_BYTES_MAX + 1];
    struct vault_opener *opener = memory_alloc(1, sizeof *opener);
    if (!opener || sodium_init() < 0)
        return fault_set(fault, ERR_MEMORY, "no memory for an opener");
    opener->sys = sys;
    vault_path(opener->vault_dir, site_dir, "vault");
    enum err err = keys_read_log_name(sys, site_dir, log_name, fault);
    if (!err)
        err = epoch_keys_open(&opener->keys, sys, site_dir, unlock, fault);
    if (!err && sealer_open(&opener->sealer, log_name))
        err = fault_set(fault, ERR_MEMORY, "no memory for an opener");
    if (err) {
        vault_opener_close(opener);
        return err;
    }
    *out = opener;
    return ERR_OK;
}

void vault_opener_close(struct vault_opener *opener) {
    if (!opener)
        return;
    sealer_close(opener->sealer);
    vault_reader_close(opener->reader);
    epoch_keys_close(opener->keys);
    sodium_memzero(opener, sizeof *opener);
    memory_free(opener);
}

/* The dictionary stands in an entry of the same epoch, compressed without one. */
static enum err load_dictionary(struct vault_opener *opener, uint32_t index, const uint8_t *key,
                                struct fault *fault) {
    struct bytes stored;
    struct vault_entry entry;
    uint32_t needed;
    enum err err = ERR_OK;
    if (!opener->reader)
        err = vault_reader_open(&opener->reader, opener->sys, opener->vault_dir, fault);
    if (!err)
        err = vault_reader_sealed(opener->reader, index, UINT64_MAX, &stored, fault);
    if (!err)
        err = sealer_unseal(opener->sealer, stored, key, &entry, &needed);
    if (!err && entry.kind != VAULT_DICTIONARY)
        err = ERR_CORRUPT;
    if (!err)
        err = sealer_add_dictionary(opener->sealer, index, entry.body);
    /* Never "erased" or "not there yet": the entry that needs it is here. */
    if (err == ERR_NOT_FOUND || err == ERR_MORE)
        err = ERR_CORRUPT;
    return err ? fault_set_at(fault, err, "the dictionary of an entry cannot be read, entry", index)
               : ERR_OK;
}

enum err vault_opener_unseal(struct vault_opener *opener, struct bytes sealed,
                             struct vault_entry *entry, struct fault *fault) {
    struct seal_header header;
    const uint8_t *key = NULL;
    uint32_t dictionary;
    enum err err = seal_header_read(sealed, &header);
    opener->blob_epoch = 0;
    if (!err && !header.is_open)
        err = epoch_keys_find(opener->keys, header.epoch, &key, NULL);
    if (err == ERR_NOT_FOUND)
        return fault_set_at(fault, err, "the key of this epoch is erased, epoch", header.epoch);
    if (!err)
        err = sealer_unseal(opener->sealer, sealed, key, entry, &dictionary);
    if (err == ERR_NOT_FOUND) {
        err = load_dictionary(opener, dictionary, key, fault);
        if (!err)
            err = sealer_unseal(opener->sealer, sealed, key, entry, &dictionary);
    }
    opener->blob_epoch = err ? 0 : header.epoch;
    return err ? fault_set(fault, err, "an entry cannot be unsealed") : ERR_OK;
}

void vault_entry_erased(struct vault_entry *entry) {
    *entry = (struct vault_entry){.kind = VAULT_NOTE, .media_type = BYTES(VAULT_ERASED_MEDIA_TYPE)};
}

void vault_opener_forget(struct vault_opener *opener, uint32_t epoch) {
    epoch_keys_forget(opener->keys, epoch);
}

static enum err give(struct vault_opener *opener, size_t plain_bytes, vault_take take,
                     void *owner) {
    return plain_bytes ? take(owner, bytes_from(opener->plain, plain_bytes)) : ERR_OK;
}

static enum err read_file(struct vault_opener *opener, int fd, const char *path, vault_take take,
                          void *owner, struct fault *fault) {
    ssize_t size;
    size_t plain_bytes;
    enum err err;
    while ((size = sys_read(opener->sys, fd, opener->sealed, sizeof opener->sealed)) > 0) {
        struct bytes in = bytes_from(opener->sealed, (size_t)size);
        while (!bytes_is_empty(in)) {
            err = age_reader_feed(&opener->age, &in, opener->plain, &plain_bytes);
            if (err)
                return fault_set_subject(fault, err, "this blob cannot be opened", path);
            err = give(opener, plain_bytes, take, owner);
            if (err)
                return err;
        }
    }
    if (size < 0)
        return fault_set_errno(fault, ERR_IO, errno, "a blob cannot be read", path);
    err = age_reader_finish(&opener->age, opener->plain, &plain_bytes);
    if (err)
        return fault_set_subject(fault, err, "this blob cannot be opened", path);
    return give(opener, plain_bytes, take, owner);
}

enum err vault_opener_blob(struct vault_opener *opener, const struct vault_entry *entry,
                           vault_take take, void *owner, struct fault *fault) {
    char hex[65], path[VAULT_PATH_BYTES_MAX];
    uint8_t secret[KEY_BYTES];
    struct text text;
    const uint8_t *key;
    if (entry->blob_name.size != TLOG_HASH_BYTES ||
        epoch_keys_find(opener->keys, opener->blob_epoch, &key, NULL))
        return fault_set(fault, ERR_STATE, "this entry has no blob that can be opened");
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, entry->blob_name);
    vault_path(path, opener->vault_dir, "blob/%.2s/%s", hex, hex);
    int fd = sys_open(opener->sys, path, O_RDONLY, 0);
    if (fd < 0)
        return fault_set_errno(fault, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                               "a blob cannot be read", path);
    epoch_blob_secret(key, secret);
    age_reader_init(&opener->age, secret);
    sodium_memzero(secret, sizeof secret);
    enum err err = read_file(opener, fd, path, take, owner, fault);
    age_reader_clear(&opener->age);
    sys_close(opener->sys, fd);
    return err;
}
