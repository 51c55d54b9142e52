/* rotate.c - under which epoch's key a writer seals, and how the next epoch begins.
 *
 * Invariants
 *   1 A writer seals only under an epoch that begins in its own log: its key file's hash stands there, before any entry sealed
 *     with it. A key file that somebody put beside it is not used.
 *   2 An epoch begins with its key file's hash and, once one is learnt, a dictionary, durable together before anything is sealed
 *     with either. When they cannot be made durable the old epoch goes on.
 *   3 No file is left of an epoch that never began once a later one has begun.
 *
 *   epoch e --rotate: file of e+1 durable--> begin --both entries durable--> epoch e+1
 *                                              |--nothing was written--> epoch e, the file is taken away
 *                                              \--suspect--> epoch e, the file stays: the entries may be on the disk all the same;
 *                                                 if they are not, the next rotate takes it away
 */
#include "vault/writer.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

#define DICTIONARY_SOUGHT 8192u /* entries looked at for the dictionary in use */
#define US_PER_DAY        (INT64_C(86400) * US_PER_S)
#define BLOB_PATIENCE_US  (INT64_C(3600) * US_PER_S)
#define TEND_AGAIN_US     (60 * US_PER_S)

/* ---- beginning ---- */

enum err writer_append_key(struct vault_writer *writer, uint32_t epoch, unsigned nth,
                           const char *end, struct fault *fault) {
    uint8_t hash[TLOG_HASH_BYTES];
    char name[EPOCH_FILE_BYTES_MAX], file[EPOCH_FILE_BYTES_MAX + 8],
        source[EPOCH_FILE_BYTES_MAX + 16];
    uint64_t index;
    epoch_file_name(name, epoch, nth);
    snprintf(file, sizeof file, "%s%s", name, end);
    snprintf(source, sizeof source, "vault/keys/%s", name);
    enum err err = epoch_file_hash(writer->sys, writer->vault_dir, file, hash, fault);
    struct vault_entry entry = {
        .kind = VAULT_KEY,
        .media_type = BYTES("application/octet-stream"),
        .source = bytes_from_string(source),
        .received_at = sys_now_us(writer->sys),
        .body = bytes_from(hash, sizeof hash),
    };
    return err ? err : writer_append_own(writer, &entry, &index, fault);
}

static enum err append_dictionary(struct vault_writer *writer, struct bytes dictionary,
                                  struct fault *fault) {
    uint64_t index;
    struct vault_entry entry = {
        .kind = VAULT_DICTIONARY,
        .media_type = BYTES("application/zstd-dictionary"),
        .source = BYTES("vault"),
        .received_at = sys_now_us(writer->sys),
        .body = dictionary,
    };
    enum err err = writer_append_own(writer, &entry, &index, fault);
    if (!err && index <= UINT32_MAX &&
        sealer_use_dictionary(writer->sealer, (uint32_t)index, dictionary))
        err = fault_set(fault, ERR_MEMORY, "no memory for the dictionary");
    return err;
}

static void use_epoch(struct vault_writer *writer, uint32_t epoch, const uint8_t *key) {
    writer->epoch = epoch;
    memcpy(writer->secrets->epoch_key, key, KEY_BYTES);
    writer_derive_recipient(writer);
}

enum err writer_begin_epoch(struct vault_writer *writer, uint32_t epoch, struct bytes dictionary,
                            struct fault *fault) {
    const uint8_t *key;
    enum err err = epoch_keys_find(writer->keys, epoch, &key, fault);
    if (!err)
        err = writer_append_key(writer, epoch, 1, "", fault);
    if (err)
        return err;
    use_epoch(writer, epoch, key);
    /* The entry of a dictionary is compressed without one. */
    if (!bytes_is_empty(dictionary))
        err = append_dictionary(writer, dictionary, fault);
    return err ? err : vault_writer_sync(writer, fault);
}

/* ---- the next one ---- */

/* Without one, entries are longer and whole. */
static enum err state_dictionary(struct vault_writer *writer, struct bytes dictionary,
                                 struct fault *fault) {
    enum err err = writer_admits(writer, true, fault);
    if (!err)
        err = append_dictionary(writer, dictionary, fault);
    if (!err)
        err = vault_writer_sync(writer, fault);
    if (err) {
        writer_take_back(writer);
        writer_find_dictionary(writer);
    }
    return err;
}

static bool epoch_is_due(const struct vault_writer *writer) {
    int64_t last_us = hlc_ms(writer->hlc.last) * US_PER_MS, now_us = sys_now_us(writer->sys);
    if (now_us / US_PER_DAY <= last_us / US_PER_DAY)
        return false;
    /* What is being received is sealed under the epoch it began in: wait for it, for a while. */
    return writer->blob_open_count == 0 || now_us % US_PER_DAY > BLOB_PATIENCE_US;
}

bool vault_writer_is_due(const struct vault_writer *writer) {
    if (writer->is_suspect || writer->is_full || sys_monotonic_us(writer->sys) < writer->tend_at)
        return false;
    return samples_are_ripe(writer->samples) || epoch_is_due(writer);
}

enum err vault_writer_tend(struct vault_writer *writer, struct fault *fault) {
    struct bytes learnt;
    enum err err = ERR_OK;
    if (!vault_writer_is_due(writer))
        return ERR_OK;
    if (epoch_is_due(writer))
        err = vault_writer_rotate(writer, fault);
    else if (samples_learn(writer->samples, &learnt))
        err = state_dictionary(writer, learnt, fault);
    if (err)
        writer->tend_at = sys_monotonic_us(writer->sys) + TEND_AGAIN_US;
    return err;
}

uint32_t vault_writer_epoch(const struct vault_writer *writer) {
    return writer->epoch;
}

/* The next number, above all there are: none is given twice. What a beginning left that came to nothing is taken away, since
 * from now on it would be of an epoch below the newest, which no entry names. */
static enum err next_number(struct vault_writer *writer, uint32_t *epoch, struct fault *fault) {
    struct epoch_list list = {0};
    enum err err = epochs_list(writer->sys, writer->vault_dir, &list, fault);
    uint32_t largest = list.count ? list.epochs[list.count - 1] : 0;
    if (largest < writer->epoch)
        largest = writer->epoch;
    if (!err && largest == UINT32_MAX)
        err = fault_set(fault, ERR_LIMIT, "there is no number left for an epoch");
    for (size_t i = list.count; i-- > 0 && !err && list.epochs[i] > writer->epoch;)
        err = writer_remove_epoch_files(writer, list.epochs[i], fault);
    epochs_release(&list);
    *epoch = largest + 1;
    return err;
}

/* A batch whose sync failed may be found whole by the next life: then its epoch has begun, and needs its key. */
static void remove_key_file(struct vault_writer *writer, uint32_t epoch) {
    char path[VAULT_PATH_BYTES_MAX];
    if (writer->is_suspect)
        return;
    vault_path(path, writer->vault_dir, "keys/%u", epoch);
    if (sys_unlink(writer->sys, path)) {
        /* It stays, of an epoch that never began, which nobody uses, until the next one begins. */
    }
}

/* What the log's newest epoch was sealed with is in use again. */
static void go_back(struct vault_writer *writer, uint32_t old_epoch, const uint8_t *old_key) {
    use_epoch(writer, old_epoch, old_key);
    writer_find_dictionary(writer);
}

enum err vault_writer_rotate(struct vault_writer *writer, struct fault *fault) {
    assert(writer->batch_bytes == 0);
    struct recipients recipients;
    struct bytes dictionary;
    uint8_t key[KEY_BYTES], old_key[KEY_BYTES];
    uint32_t epoch = 0, old_epoch = writer->epoch;
    enum err err = writer_admits(writer, true, fault);
    if (!err)
        err = recipients_read(writer->sys, writer->site_dir, NULL, &recipients, fault);
    if (!err)
        err = next_number(writer, &epoch, fault);
    if (err)
        return err;
    randombytes_buf(key, sizeof key);
    memcpy(old_key, writer->secrets->epoch_key, sizeof old_key);
    err = epoch_file_write(writer->sys, writer->vault_dir, epoch, 1, "", key, &recipients, fault);
    if (!samples_learn(writer->samples, &dictionary))
        dictionary = sealer_dictionary(writer->sealer);
    if (!err) {
        epoch_keys_add(writer->keys, epoch, key);
        err = writer_begin_epoch(writer, epoch, dictionary, fault);
    }
    if (err) {
        writer_take_back(writer);
        epoch_keys_forget(writer->keys, epoch);
        remove_key_file(writer, epoch);
        go_back(writer, old_epoch, old_key);
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(old_key, sizeof old_key);
    return err;
}

/* ---- what a writer finds at its start ---- */

/* The newest epoch that began in this log: of the last entry that is sealed, or whose beginning is all there is. */

static enum err find_epoch(struct vault_writer *writer, struct vault_reader *reader,
                           struct fault *fault) {
    for (uint64_t index = writer->durable_size; index-- > 0;) {
        struct bytes stored, name;
        struct seal_header header;
        struct vault_entry entry;
        uint32_t epoch;
        enum err err = vault_reader_sealed(reader, index, writer->durable_size, &stored, fault);
        if (!err && seal_header_read(stored, &header))
            err = fault_set_at(fault, ERR_CORRUPT, "this entry is not of the form, number", index);
        if (err)
            return err;
        writer->epoch = header.epoch;
        if (!header.is_open)
            return ERR_OK;
        if (!open_entry_read(stored, &entry) && key_entry_name(&entry, &name, &epoch) &&
            bytes_find(name, '.') == BYTES_NOT_FOUND) {
            writer->epoch = epoch;
            return ERR_OK;
        }
    }
    return fault_set(fault, ERR_CORRUPT, "no epoch begins in this log");
}

/* What this entry says of the dictionary in use: it is the one that the newest entries use; or, when none does yet, what
 * stands behind the epoch's beginning. */
static enum err look_for_dictionary(struct vault_writer *writer, struct vault_reader *reader,
                                    uint64_t index, uint64_t *found) {
    struct bytes stored;
    struct seal_header header;
    enum err err = vault_reader_sealed(reader, index, writer->durable_size, &stored, NULL);
    if (!err)
        err = seal_header_read(stored, &header);
    if (err)
        return err;
    if (header.is_open && index + 1 < writer->durable_size)
        *found = index + 1;
    if (header.epoch == writer->epoch && header.dictionary)
        *found = header.dictionary;
    return ERR_OK;
}

static enum err use_found(struct vault_writer *writer, struct vault_reader *reader,
                          uint64_t index) {
    struct bytes stored;
    struct vault_entry entry;
    uint32_t needed;
    enum err err = vault_reader_sealed(reader, index, writer->durable_size, &stored, NULL);
    if (!err)
        err = sealer_unseal(writer->sealer, stored, writer->secrets->epoch_key, &entry, &needed);
    if (!err && entry.kind != VAULT_DICTIONARY)
        err = ERR_CORRUPT;
    return err ? err : sealer_use_dictionary(writer->sealer, (uint32_t)index, entry.body);
}

void writer_find_dictionary(struct vault_writer *writer) {
    struct vault_reader *reader;
    uint64_t size = writer->durable_size, found = 0;
    sealer_use_no_dictionary(writer->sealer);
    if (vault_reader_open(&reader, writer->sys, writer->vault_dir, NULL))
        return;
    /* Forwards, which is the fast way to read. */
    uint64_t index = size > DICTIONARY_SOUGHT ? size - DICTIONARY_SOUGHT : 0;
    while (index < size && !look_for_dictionary(writer, reader, index, &found))
        index++;
    if (found && !use_found(writer, reader, found))
        samples_begin_sparse(writer->samples);
    vault_reader_close(reader);
}

enum err writer_find_epoch(struct vault_writer *writer, struct fault *fault) {
    struct vault_reader *reader;
    const uint8_t *key;
    if (writer->durable_size == 0)
        return writer_begin_epoch(writer, 1, BYTES_NONE, fault);
    enum err err = vault_reader_open(&reader, writer->sys, writer->vault_dir, fault);
    if (err)
        return err;
    err = find_epoch(writer, reader, fault);
    vault_reader_close(reader);
    if (!err)
        err = epoch_keys_find(writer->keys, writer->epoch, &key, fault);
    if (err)
        return err;
    use_epoch(writer, writer->epoch, key);
    writer_find_dictionary(writer);
    return ERR_OK;
}
