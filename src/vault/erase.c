/* erase.c - an epoch is erased by removing its key: what was sealed under it stays in the tree and is readable by nobody.
 *
 *   a note says so, durable --> keys/<epoch>.<n>, ..., keys/<epoch> removed, directory synced --> forgotten in memory
 *   A crash in between leaves the note and some files: erasing again ends it. */
#include "vault/writer.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define FILES_OF_EPOCH_MAX 1000u

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

static enum err remove_files(struct vault_writer *writer, uint32_t epoch, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], name[EPOCH_FILE_BYTES_MAX];
    struct stat st;
    unsigned count = 1;
    while (count < FILES_OF_EPOCH_MAX) { /* of numbers from 2 on there are no gaps */
        epoch_file_name(name, epoch, count + 1);
        vault_path(path, writer->vault_dir, "keys/%s", name);
        if (sys_stat(writer->sys, path, &st))
            break;
        count++;
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
    epoch_keys_forget(writer->keys, epoch);
    return remove_files(writer, epoch, fault);
}
