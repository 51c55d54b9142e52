/* erase.c - an epoch is erased by removing its key: what was sealed under it stays in the tree and is readable by nobody.
 *
 * Invariant
 *   While keys/<epoch>.erasing stands, the epoch is erased, whatever of its files is left; without it all of them are there, or none.
 *
 *   a note says so, durable --> keys/<epoch>.erasing, durable --> keys/<epoch>.<n>, ..., keys/<epoch> removed, directory synced
 *   --> keys/<epoch>.erasing removed --> forgotten in memory --> its blobs removed, when the caller names them
 *   Cut off before that mark is durable, it leaves the note alone: erasing again ends it. From there on the next start does.
 *   Blobs go last, because an entry that can be read must have its blob. */
#include "vault/writer.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define FILES_OF_EPOCH_MAX 1000u
#define MARK               "veilleuse-erasing/1\n"

static enum err note_erasure(struct vault_writer *writer, uint32_t epoch, const char *why,
                             struct fault *fault) {
    char body[256];
    uint64_t index;
    snprintf(body, sizeof body, "epoch %u is erased: %s", epoch, why);
    struct vault_entry entry = {
        .kind = VAULT_NOTE,
        .media_type = BYTES("text/plain; charset=utf-8"),
        .source = BYTES("vault"),
        .received_at = sys_now_us(writer->sys),
        .body = bytes_from_string(body),
    };
    enum err err = writer_append_own(writer, &entry, &index, fault);
    return err ? err : vault_writer_sync(writer, fault);
}

enum err writer_remove_epoch_files(struct vault_writer *writer, uint32_t epoch,
                                   struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], name[EPOCH_FILE_BYTES_MAX];
    struct stat st;
    unsigned count = 1;
    while (count < FILES_OF_EPOCH_MAX) { /* of numbers from 2 on there are no gaps */
        epoch_file_name(name, epoch, count + 1);
        vault_path(path, writer->vault_dir, "keys/%s", name);
        if (!sys_stat(writer->sys, path, &st))
            count++;
        else if (errno == ENOENT)
            break;
        else
            return fault_set_errno(fault, ERR_IO, errno, "is there another such key?", path);
    }
    for (unsigned nth = count; nth > 0; nth--) {
        epoch_file_name(name, epoch, nth);
        vault_path(path, writer->vault_dir, "keys/%s", name);
        if (sys_unlink(writer->sys, path) && errno != ENOENT)
            return fault_set_errno(fault, ERR_IO, errno, "a key cannot be erased", path);
    }
    vault_path(path, writer->vault_dir, "keys");
    return sys_sync_dir(writer->sys, path, fault);
}

static void mark_path(const struct vault_writer *writer, uint32_t epoch,
                      char path[VAULT_PATH_BYTES_MAX]) {
    vault_path(path, writer->vault_dir, "keys/%u" EPOCH_ERASING, epoch);
}

/* The files of an epoch that is marked, then the mark. */
static enum err end_erasure(struct vault_writer *writer, uint32_t epoch, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    enum err err = writer_remove_epoch_files(writer, epoch, fault);
    if (err)
        return err;
    mark_path(writer, epoch, path);
    if (sys_unlink(writer->sys, path)) {
        /* It stays, of an epoch that has no files: the next start takes it away. */
    }
    return ERR_OK;
}

static enum err mark_and_remove(struct vault_writer *writer, uint32_t epoch, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    mark_path(writer, epoch, path);
    enum err err = sys_replace_file(writer->sys, path, BYTES(MARK), 0644, fault);
    if (err)
        return err;
    epoch_keys_forget(writer->keys, epoch);
    return end_erasure(writer, epoch, fault);
}

enum err writer_finish_erasures(struct vault_writer *writer, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, writer->vault_dir, "keys");
    DIR *dir = opendir(path);
    struct dirent *entry;
    enum err err = ERR_OK;
    while (dir && !err && (entry = readdir(dir))) {
        uint32_t epoch;
        /* What is in use cannot have been erased: whoever put that there, it does not count. */
        if (epoch_is_erasing(entry->d_name, &epoch) && epoch < writer->epoch)
            err = end_erasure(writer, epoch, fault);
    }
    if (dir)
        closedir(dir);
    return err;
}

enum err vault_writer_erase_epoch(struct vault_writer *writer, uint32_t epoch, const char *why,
                                  struct fault *fault) {
    assert(writer->batch_bytes == 0);
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    vault_path(path, writer->vault_dir, "keys/%u", epoch);
    enum err err = writer_admits(writer, true, fault);
    if (!err && epoch == writer->epoch)
        err = fault_set_at(fault, ERR_STATE, "this epoch is in use; begin another first: epoch",
                           epoch);
    if (!err && epoch > writer->epoch)
        err = fault_set_at(fault, ERR_NOT_FOUND, "no such epoch has begun:", epoch);
    if (!err && sys_stat(writer->sys, path, &st))
        err = fault_set_errno(fault, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                              "there is no key of that epoch", path);
    if (!err)
        err = note_erasure(writer, epoch, why, fault);
    if (err) {
        writer_take_back(writer);
        return err;
    }
    return mark_and_remove(writer, epoch, fault);
}

/* ---- blobs ---- */

static bool is_erased(struct vault_writer *writer, uint32_t epoch) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    vault_path(path, writer->vault_dir, "keys/%u", epoch);
    return epoch < writer->epoch && sys_stat(writer->sys, path, &st) && errno == ENOENT;
}

/* Not synced: the key is gone for good, and a file that a power cut brings back is still closed to everybody. */
static enum err drop_blob(struct vault_writer *writer, struct bytes name, uint64_t *dropped,
                          struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], hex[2 * TLOG_HASH_BYTES + 1];
    struct text text;
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, name);
    vault_path(path, writer->vault_dir, "blob/%.2s/%s", hex, hex);
    if (sys_unlink(writer->sys, path))
        return errno == ENOENT
                   ? ERR_OK
                   : fault_set_errno(fault, ERR_IO, errno, "a blob cannot be removed", path);
    ++*dropped;
    return ERR_OK;
}

enum err vault_writer_drop_blobs(struct vault_writer *writer, uint32_t epoch, struct bytes names,
                                 uint64_t *dropped, struct fault *fault) {
    *dropped = 0;
    if (writer->is_suspect)
        return fault_set(fault, ERR_STATE, "the vault is suspect: the disk failed");
    if (!is_erased(writer, epoch))
        return fault_set_at(fault, ERR_STATE, "these blobs can still be read, of epoch", epoch);
    enum err err = ERR_OK;
    for (; names.size >= TLOG_HASH_BYTES && !err; names = bytes_skip(names, TLOG_HASH_BYTES))
        err = drop_blob(writer, bytes_first(names, TLOG_HASH_BYTES), dropped, fault);
    return err;
}
