/* access.c - who may read a vault: its recipients, the offline recovery key and its shares, what is left when a node is lost. */
#include "vault/keys.h"

#include "base/pool.h"
#include "formats/age/age.h"
#include "vault/writer.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define RECOVERY_LINE      "veilleuse-recovery/1"
#define RECOVERY_BYTES_MAX 4096u

/* ---- recipients ---- */

enum err vault_recipient_add(struct sys *sys, const char *site_dir,
                             const uint8_t public_key[VAULT_PUBLIC_KEY_BYTES], const char *label,
                             struct fault *fault) {
    struct recipients recipients;
    enum err err = recipients_read(sys, site_dir, NULL, &recipients, fault);
    if (err)
        return err;
    for (size_t i = 0; i < recipients.count; i++)
        if (!memcmp(recipients.public_keys[i], public_key, KEY_BYTES))
            return fault_set_subject(fault, ERR_STATE, "this key is a recipient already, as",
                                     recipients.labels[i]);
    if (recipients.count == RECIPIENT_COUNT_MAX)
        return fault_set(fault, ERR_LIMIT, "there are too many recipients");
    if (strlen(label) > VAULT_LABEL_BYTES_MAX || strpbrk(label, "\n\r"))
        return fault_set(fault, ERR_INPUT, "this label is too long, or has a line break");
    memcpy(recipients.public_keys[recipients.count], public_key, KEY_BYTES);
    snprintf(recipients.labels[recipients.count++], sizeof recipients.labels[0], "%s", label);
    return recipients_write(sys, site_dir, &recipients, fault);
}

enum err vault_recipient_remove(struct sys *sys, const char *site_dir, const char *label,
                                struct fault *fault) {
    struct recipients recipients, kept = {0};
    enum err err = recipients_read(sys, site_dir, NULL, &recipients, fault);
    if (err)
        return err;
    for (size_t i = 0; i < recipients.count; i++) {
        if (!strcmp(recipients.labels[i], label))
            continue;
        memcpy(kept.public_keys[kept.count], recipients.public_keys[i], KEY_BYTES);
        memcpy(kept.labels[kept.count++], recipients.labels[i], sizeof kept.labels[0]);
    }
    if (kept.count == recipients.count)
        return fault_set_subject(fault, ERR_NOT_FOUND, "there is no such recipient", label);
    return recipients_write(sys, site_dir, &kept, fault);
}

enum err vault_recipients_each(struct sys *sys, const char *site_dir, vault_recipient_take take,
                               void *owner, struct fault *fault) {
    struct recipients recipients;
    enum err err = recipients_read(sys, site_dir, NULL, &recipients, fault);
    for (size_t i = 0; i < recipients.count && !err; i++)
        take(owner, recipients.public_keys[i], recipients.labels[i]);
    return err;
}

/* ---- epochs ---- */

enum err vault_epochs_each(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                           vault_epoch_take take, void *owner, struct fault *fault) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct epoch_list list = {0};
    struct epoch_keys *keys = NULL;
    vault_path(vault_dir, site_dir, "vault");
    enum err err = epoch_keys_open(&keys, sys, site_dir, unlock, fault);
    if (!err)
        err = epochs_list(sys, vault_dir, &list, fault);
    for (size_t i = 0; i < list.count && !err; i++) {
        struct vault_epoch epoch = {.number = list.epochs[i]};
        const uint8_t *key;
        struct fault own = {0};
        epoch.can_open = !epoch_keys_find(keys, list.epochs[i], &key, &own);
        for (unsigned nth = 1;; nth++) {
            char name[EPOCH_FILE_BYTES_MAX], path[VAULT_PATH_BYTES_MAX];
            struct stat st;
            epoch_file_name(name, list.epochs[i], nth);
            vault_path(path, vault_dir, "keys/%s", name);
            if (!sys_stat(sys, path, &st)) {
                epoch.file_count++;
                epoch.made_at = epoch.made_at ? epoch.made_at : st.st_mtim.tv_sec * US_PER_S;
            } else if (nth > 1) {
                break;
            }
        }
        take(owner, &epoch);
    }
    epochs_release(&list);
    epoch_keys_close(keys);
    return err;
}

/* Of the entry, or, where that is open, of the nearest one before it; epochs only rise. */
static enum err epoch_at(struct vault_reader *reader, uint64_t index, uint32_t *epoch,
                         struct fault *fault) {
    for (;; index--) {
        struct bytes stored;
        struct seal_header header;
        enum err err = vault_reader_sealed(reader, index, UINT64_MAX, &stored, fault);
        if (!err && seal_header_read(stored, &header))
            err = fault_set_at(fault, ERR_CORRUPT, "this entry is not of the form, number", index);
        if (err)
            return err;
        *epoch = header.epoch;
        if (!header.is_open || index == 0)
            return ERR_OK;
    }
}

/* The first entry of an epoch not below `epoch`. */
static enum err find_first(struct vault_reader *reader, uint64_t size, uint64_t epoch,
                           uint64_t *first, struct fault *fault) {
    uint64_t low = 0, high = size;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint32_t here;
        enum err err = epoch_at(reader, middle, &here, fault);
        if (err)
            return err;
        if (here < epoch)
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    return ERR_OK;
}

enum err vault_epoch_range(struct sys *sys, const char *site_dir, uint32_t epoch, uint64_t *from,
                           uint64_t *to, struct fault *fault) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader = NULL;
    uint64_t size;
    vault_path(vault_dir, site_dir, "vault");
    enum err err = vault_reader_open(&reader, sys, vault_dir, fault);
    if (!err)
        err = vault_reader_size(reader, &size, fault);
    if (!err)
        err = find_first(reader, size, epoch, from, fault);
    if (!err)
        err = find_first(reader, size, (uint64_t)epoch + 1, to, fault);
    vault_reader_close(reader);
    if (!err && *from == *to)
        err = fault_set_at(fault, ERR_NOT_FOUND, "there are no entries of epoch", epoch);
    return err;
}

/* ---- what is erased ---- */

/* Between two epochs that have their keys, all are erased; so are those before the first. */
static enum err take_gap(struct vault_reader *reader, uint64_t size, uint64_t after,
                         uint64_t before, vault_span_take take, void *owner, struct fault *fault) {
    struct vault_span span;
    if (after + 1 >= before)
        return ERR_OK;
    enum err err = find_first(reader, size, after + 1, &span.from, fault);
    if (!err)
        err = find_first(reader, size, before, &span.to, fault);
    return err || span.from == span.to ? err : take(owner, &span);
}

enum err vault_erased_each(struct sys *sys, const char *site_dir, vault_span_take take, void *owner,
                           struct fault *fault) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader = NULL;
    struct epoch_list list = {0};
    uint64_t size = 0, last = 0;
    vault_path(vault_dir, site_dir, "vault");
    enum err err = epochs_list(sys, vault_dir, &list, fault);
    if (!err)
        err = vault_reader_open(&reader, sys, vault_dir, fault);
    if (!err)
        err = vault_reader_size(reader, &size, fault);
    for (size_t i = 0; i < list.count && !err; i++) {
        err = take_gap(reader, size, last, list.epochs[i], take, owner, fault);
        last = list.epochs[i];
    }
    vault_reader_close(reader);
    epochs_release(&list);
    return err;
}

enum err vault_blobs_each(struct sys *sys, const char *site_dir, const struct vault_span *span,
                          vault_blob_take take, void *owner, struct fault *fault) {
    char vault_dir[VAULT_PATH_BYTES_MAX], path[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader = NULL;
    vault_path(vault_dir, site_dir, "vault");
    enum err err = vault_reader_open(&reader, sys, vault_dir, fault);
    for (uint64_t index = span->from; index < span->to && !err; index++) {
        char hex[2 * TLOG_HASH_BYTES + 1];
        struct bytes stored;
        struct seal_header header;
        struct text text;
        struct stat st;
        err = vault_reader_sealed(reader, index, UINT64_MAX, &stored, fault);
        if (!err && seal_header_read(stored, &header))
            err = fault_set_at(fault, ERR_CORRUPT, "this entry is not of the form, number", index);
        if (err || bytes_is_empty(header.blob_name))
            continue;
        text_init(&text, hex, sizeof hex);
        text_put_hex(&text, header.blob_name);
        vault_path(path, vault_dir, "blob/%.2s/%s", hex, hex);
        if (!sys_stat(sys, path, &st))
            err = take(owner, header.blob_name.data);
    }
    vault_reader_close(reader);
    return err;
}

enum err vault_epoch_identity(struct sys *sys, const char *site_dir,
                              const struct vault_unlock *unlock, uint32_t epoch,
                              uint8_t secret[VAULT_PUBLIC_KEY_BYTES], struct fault *fault) {
    struct epoch_keys *keys = NULL;
    const uint8_t *key;
    enum err err = epoch_keys_open(&keys, sys, site_dir, unlock, fault);
    if (!err)
        err = epoch_keys_find(keys, epoch, &key, fault);
    if (!err)
        epoch_blob_secret(key, secret);
    epoch_keys_close(keys);
    return err;
}

/* ---- the recovery key ---- */

static void put_recovery(struct text *text, const struct vault_recovery *recovery) {
    text_put_string(text, RECOVERY_LINE "\nrecipient ");
    age_put_recipient(text, recovery->public_key);
    text_put_string(text, "\nthreshold ");
    text_put_u64(text, recovery->threshold);
    text_put_char(text, '\n');
    for (unsigned i = 0; i < recovery->share_count; i++) {
        text_put_string(text, "share ");
        text_put_u64(text, i + 1);
        text_put_char(text, ' ');
        text_put_hex(text, bytes_from(recovery->share_hashes[i], TLOG_HASH_BYTES));
        text_put_char(text, '\n');
    }
}

enum err vault_recovery_write(struct sys *sys, const char *vault_dir,
                              const struct vault_recovery *recovery, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[RECOVERY_BYTES_MAX];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    put_recovery(&text, recovery);
    vault_path(path, vault_dir, "recovery");
    return text.full ? fault_set(fault, ERR_LIMIT, "too many shares")
                     : sys_replace_file(sys, path, text_bytes(&text), 0644, fault);
}

static bool take_share_line(struct vault_recovery *recovery, struct bytes line) {
    struct bytes number;
    uint64_t n;
    if (!bytes_next_part(&line, ' ', &number) || !bytes_to_u64(number, &n) || n == 0 ||
        n > VAULT_SHARE_COUNT_MAX || line.size != 2 * TLOG_HASH_BYTES ||
        !hex_decode(line, recovery->share_hashes[n - 1], TLOG_HASH_BYTES))
        return false;
    if (n > recovery->share_count)
        recovery->share_count = (unsigned)n;
    return true;
}

/* Lines it does not know are passed over. */
static bool take_recovery_line(struct vault_recovery *recovery, struct bytes line) {
    struct bytes word;
    uint64_t n;
    if (!bytes_next_part(&line, ' ', &word))
        return true;
    if (bytes_is(word, "recipient"))
        return !age_recipient_read(line, recovery->public_key);
    if (bytes_is(word, "share"))
        return take_share_line(recovery, line);
    if (!bytes_is(word, "threshold"))
        return true;
    recovery->threshold = bytes_to_u64(line, &n) && n <= VAULT_SHARE_COUNT_MAX ? (unsigned)n : 0;
    return recovery->threshold > 0;
}

enum err vault_recovery_read(struct sys *sys, const char *vault_dir,
                             struct vault_recovery *recovery, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[RECOVERY_BYTES_MAX];
    size_t size = 0;
    vault_path(path, vault_dir, "recovery");
    *recovery = (struct vault_recovery){0};
    enum err err = sys_read_file(sys, path, buffer, sizeof buffer, &size, fault);
    if (err)
        return err;
    struct bytes rest = bytes_from(buffer, size), line;
    bool good = bytes_next_part(&rest, '\n', &line) && bytes_is(line, RECOVERY_LINE);
    while (good && bytes_next_part(&rest, '\n', &line))
        good = take_recovery_line(recovery, line);
    return good && recovery->threshold
               ? ERR_OK
               : fault_set_subject(fault, ERR_CORRUPT, "this file cannot be read", path);
}

/* ---- a new node around a copy ---- */

/* The tree as the copy has it, under the new key: from here on the new node is the one who signs. */
static enum err sign_copy(struct sys *sys, const char *site_dir, struct tlog_signer *signer,
                          struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX], buffer[OWN_NOTE_BYTES_MAX];
    struct checkpoint_file *file = memory_alloc(1, sizeof *file);
    struct text note;
    vault_path(vault_dir, site_dir, "vault");
    vault_path(path, vault_dir, "checkpoint");
    enum err err = file ? checkpoint_load(sys, path, file, fault)
                        : fault_set(fault, ERR_MEMORY, "no memory for a checkpoint");
    if (!err && file->note_bytes) {
        struct tlog_checkpoint checkpoint = {
            .origin = bytes_from_string(signer->verifier.name),
            .size = file->checkpoint.size,
            .root = file->checkpoint.root,
        };
        text_init(&note, buffer, sizeof buffer);
        tlog_put_checkpoint(&note, &checkpoint);
        struct bytes body = text_bytes(&note);
        text_put_char(&note, '\n');
        tlog_put_signature(&note, signer, body);
        err = sys_replace_file(sys, path, text_bytes(&note), 0644, fault);
    }
    memory_free(file);
    return err;
}

static enum err write_adopted_keys(struct sys *sys, const char *site_dir, const uint8_t *recovered,
                                   const uint8_t *node, struct fault *fault) {
    struct recipients recipients = {.count = 2, .labels = {"node", "recovery"}};
    struct tlog_signer signer;
    enum err err = keys_adopt(sys, site_dir, recovered, &signer, fault);
    crypto_scalarmult_base(recipients.public_keys[0], node);
    crypto_scalarmult_base(recipients.public_keys[1], recovered);
    if (!err)
        err = recipients_write(sys, site_dir, &recipients, fault);
    if (!err)
        err = sign_copy(sys, site_dir, &signer, fault);
    sodium_memzero(&signer, sizeof signer);
    return err;
}

/* Open with the recovered key, wrap every epoch to the node's own and begin the next under it. */
static enum err hand_over(struct sys *sys, const char *site_dir, const uint8_t *node,
                          struct fault *fault) {
    struct vault_writer *writer;
    uint8_t public_key[KEY_BYTES];
    uint32_t count;
    struct vault_writer_options options = {.reserve_bytes = UINT64_MAX};
    enum err err = vault_writer_open(&writer, sys, site_dir, &options, fault);
    if (err)
        return err;
    crypto_scalarmult_base(public_key, node);
    err = vault_writer_wrap_past(writer, public_key, &count, fault);
    if (!err)
        err = vault_writer_rotate(writer, fault);
    vault_writer_close(writer);
    return err ? err : keys_write_node(sys, site_dir, node, fault);
}

enum err vault_adopt(struct sys *sys, const char *site_dir,
                     const uint8_t recovered[VAULT_PUBLIC_KEY_BYTES], struct fault *fault) {
    uint8_t node[KEY_BYTES];
    if (sodium_init() < 0)
        return fault_set(fault, ERR_CRYPTO, "the cryptographic library cannot start");
    enum err err = vault_make_dirs(sys, site_dir, fault);
    randombytes_buf(node, sizeof node);
    if (!err)
        err = write_adopted_keys(sys, site_dir, recovered, node, fault);
    if (!err)
        err = hand_over(sys, site_dir, node, fault);
    sodium_memzero(node, sizeof node);
    return err;
}
