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
};

struct vault_blob_reader {
    struct sys *sys;
    char path[VAULT_PATH_BYTES_MAX];
    int fd;
    bool is_ended;
    struct bytes in; /* of `sealed`: read, and not opened yet */
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

/* ---- blobs ---- */

static enum err open_file(struct vault_blob_reader *reader, const char *vault_dir,
                          struct bytes name, struct fault *fault) {
    char hex[2 * TLOG_HASH_BYTES + 1];
    struct text text;
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, name);
    vault_path(reader->path, vault_dir, "blob/%.2s/%s", hex, hex);
    reader->fd = sys_open(reader->sys, reader->path, O_RDONLY, 0);
    if (reader->fd < 0)
        return fault_set_errno(fault, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                               "a blob cannot be read", reader->path);
    return ERR_OK;
}

enum err vault_blob_open(struct vault_opener *opener, const struct vault_entry *entry,
                         struct vault_blob_reader **out, struct fault *fault) {
    uint8_t secret[KEY_BYTES];
    const uint8_t *key;
    if (entry->blob_name.size != TLOG_HASH_BYTES ||
        epoch_keys_find(opener->keys, opener->blob_epoch, &key, NULL))
        return fault_set(fault, ERR_STATE, "this entry has no blob that can be opened");
    struct vault_blob_reader *reader = memory_alloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, ERR_MEMORY, "no memory for a blob");
    reader->sys = opener->sys;
    epoch_blob_secret(key, secret);
    age_reader_init(&reader->age, secret);
    sodium_memzero(secret, sizeof secret);
    enum err err = open_file(reader, opener->vault_dir, entry->blob_name, fault);
    if (err)
        vault_blob_close(reader);
    else
        *out = reader;
    return err;
}

void vault_blob_close(struct vault_blob_reader *reader) {
    if (!reader)
        return;
    if (reader->fd >= 0)
        sys_close(reader->sys, reader->fd);
    sodium_memzero(reader, sizeof *reader);
    memory_free(reader);
}

static enum err read_more(struct vault_blob_reader *reader, struct fault *fault) {
    ssize_t size = sys_read(reader->sys, reader->fd, reader->sealed, sizeof reader->sealed);
    if (size < 0)
        return fault_set_errno(fault, ERR_IO, errno, "a blob cannot be read", reader->path);
    reader->in = bytes_from(reader->sealed, (size_t)size);
    return ERR_OK;
}

enum err vault_blob_next(struct vault_blob_reader *reader, struct bytes *piece,
                         struct fault *fault) {
    size_t size = 0;
    enum err err = ERR_OK;
    while (!err && size == 0 && !reader->is_ended) {
        if (bytes_is_empty(reader->in))
            err = read_more(reader, fault);
        if (err)
            return err;
        if (bytes_is_empty(reader->in)) {
            reader->is_ended = true;
            err = age_reader_finish(&reader->age, reader->plain, &size);
        } else {
            err = age_reader_feed(&reader->age, &reader->in, reader->plain, &size);
        }
    }
    *piece = bytes_from(reader->plain, size);
    if (err)
        return fault_set_subject(fault, err, "this blob cannot be opened", reader->path);
    return size ? ERR_OK : ERR_MORE;
}

enum err vault_opener_blob(struct vault_opener *opener, const struct vault_entry *entry,
                           vault_take take, void *owner, struct fault *fault) {
    struct vault_blob_reader *reader;
    struct bytes piece;
    enum err err = vault_blob_open(opener, entry, &reader, fault);
    if (err)
        return err;
    bool is_over = false;
    while (!err && !is_over) {
        err = vault_blob_next(reader, &piece, fault);
        is_over = err == ERR_MORE;
        if (!err)
            err = take(owner, piece);
    }
    vault_blob_close(reader);
    return is_over ? ERR_OK : err;
}
