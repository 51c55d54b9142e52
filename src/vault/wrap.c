/* wrap.c - the keys of past epochs, sealed to those who came later: one file for each, named only when the log names it.
 *
 * Invariants
 *   1 A file keys/<epoch>.<n> has its name only when the entry that holds its hash is durable.
 *   2 Nothing is appended behind that entry, but others of its kind, before the file has its name: so a start that finds one
 *     unnamed knows from the last entries of the log whether it is to have it.
 *
 *   keys/<e>.<n>.new durable --entries durable--> renamed, directory synced
 *                  |--nothing was written: taken away
 *                  \--suspect, or crash: the next start names it, or takes it away */
#include "vault/writer.h"

#include "base/pool.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#define UNFINISHED ".new"

struct wrapped {
    uint32_t epoch;
    unsigned nth;
};

/* The files of the pending batch. */
struct wrapping {
    struct vault_writer *writer;
    const struct recipients *recipients;
    struct wrapped *files;
    size_t count;
};

static void file_path(const struct vault_writer *writer, const struct wrapped *file,
                      const char *end, char path[VAULT_PATH_BYTES_MAX]) {
    char name[EPOCH_FILE_BYTES_MAX];
    epoch_file_name(name, file->epoch, file->nth);
    vault_path(path, writer->vault_dir, "keys/%s%s", name, end);
}

/* The first number that no file of the epoch has; one that was being written does not count. */
static enum err next_number(struct vault_writer *writer, struct wrapped *file,
                            struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    for (file->nth = 2;; file->nth++) {
        file_path(writer, file, "", path);
        if (!sys_stat(writer->sys, path, &st))
            continue;
        if (errno != ENOENT)
            return fault_set_errno(fault, ERR_IO, errno, "is there such a key already?", path);
        file_path(writer, file, UNFINISHED, path);
        if (sys_unlink(writer->sys, path) && errno != ENOENT)
            return fault_set_errno(fault, ERR_IO, errno, "an unfinished key is in the way", path);
        return ERR_OK;
    }
}

static enum err wrap_epoch(struct wrapping *wrapping, uint32_t epoch, struct fault *fault) {
    struct vault_writer *writer = wrapping->writer;
    struct wrapped file = {.epoch = epoch};
    const uint8_t *key;
    enum err err = next_number(writer, &file, fault);
    if (err)
        return err;
    wrapping->files[wrapping->count++] = file;
    err = epoch_keys_find(writer->keys, epoch, &key, fault);
    if (!err)
        err = epoch_file_write(writer->sys, writer->vault_dir, epoch, file.nth, UNFINISHED, key,
                               wrapping->recipients, fault);
    return err ? err : writer_append_key(writer, epoch, file.nth, UNFINISHED, fault);
}

/* The entries are durable: from here on a start would find them, so only a start may go on after a failure. */
static enum err name_files(struct wrapping *wrapping, struct fault *fault) {
    struct vault_writer *writer = wrapping->writer;
    char from[VAULT_PATH_BYTES_MAX], to[VAULT_PATH_BYTES_MAX];
    enum err err = ERR_OK;
    for (size_t i = 0; i < wrapping->count && !err; i++) {
        file_path(writer, &wrapping->files[i], UNFINISHED, from);
        file_path(writer, &wrapping->files[i], "", to);
        if (sys_rename(writer->sys, from, to))
            err = fault_set_errno(fault, ERR_IO, errno, "a key cannot be named", to);
    }
    vault_path(to, writer->vault_dir, "keys");
    if (!err)
        err = sys_sync_dir(writer->sys, to, fault);
    wrapping->count = 0;
    writer->is_suspect |= err != ERR_OK;
    return err;
}

static enum err settle(struct wrapping *wrapping, struct fault *fault) {
    enum err err = vault_writer_sync(wrapping->writer, fault);
    return err ? err : name_files(wrapping, fault);
}

static void take_away(struct wrapping *wrapping) {
    struct vault_writer *writer = wrapping->writer;
    writer_take_back(writer);
    for (size_t i = 0; i < wrapping->count && !writer->is_suspect; i++) {
        char path[VAULT_PATH_BYTES_MAX];
        file_path(writer, &wrapping->files[i], UNFINISHED, path);
        if (sys_unlink(writer->sys, path)) {
            /* The next start takes it away. */
        }
    }
}

static enum err wrap_all(struct wrapping *wrapping, const struct epoch_list *list,
                         uint32_t *epoch_count, struct fault *fault) {
    struct vault_writer *writer = wrapping->writer;
    enum err err = ERR_OK;
    for (size_t i = 0; i < list->count && !err; i++) {
        if (list->epochs[i] > writer->epoch)
            continue; /* never begun */
        err = wrap_epoch(wrapping, list->epochs[i], fault);
        if (!err && writer->batch_bytes > BATCH_BYTES_MAX / 2)
            err = settle(wrapping, fault);
        *epoch_count += !err;
    }
    return err ? err : settle(wrapping, fault);
}

enum err vault_writer_wrap_past(struct vault_writer *writer,
                                const uint8_t public_key[VAULT_PUBLIC_KEY_BYTES],
                                uint32_t *epoch_count, struct fault *fault) {
    assert(writer->batch_bytes == 0);
    struct epoch_list list = {0};
    struct recipients recipients = {.count = 1};
    struct wrapping wrapping = {.writer = writer, .recipients = &recipients};
    memcpy(recipients.public_keys[0], public_key, KEY_BYTES);
    *epoch_count = 0;
    enum err err = writer_admits(writer, true, fault);
    if (!err)
        err = epochs_list(writer->sys, writer->vault_dir, &list, fault);
    if (!err && !(wrapping.files = memory_alloc(list.count + 1, sizeof *wrapping.files)))
        err = fault_set(fault, ERR_MEMORY, "no memory for the list of epochs");
    if (!err)
        err = wrap_all(&wrapping, &list, epoch_count, fault);
    if (err)
        take_away(&wrapping);
    epochs_release(&list);
    memory_free(wrapping.files);
    return err;
}

/* ---- what a start finds ---- */

static enum err finish_file(struct vault_writer *writer, struct bytes name, struct bytes hash,
                            struct fault *fault) {
    char file[EPOCH_FILE_BYTES_MAX + sizeof UNFINISHED], from[VAULT_PATH_BYTES_MAX],
        to[VAULT_PATH_BYTES_MAX];
    uint8_t found[TLOG_HASH_BYTES];
    struct fault own = {0};
    if (name.size >= EPOCH_FILE_BYTES_MAX)
        return ERR_OK;
    snprintf(file, sizeof file, "%.*s" UNFINISHED, (int)name.size, (const char *)name.data);
    vault_path(from, writer->vault_dir, "keys/%s", file);
    vault_path(to, writer->vault_dir, "keys/%.*s", (int)name.size, (const char *)name.data);
    enum err err = epoch_file_hash(writer->sys, writer->vault_dir, file, found, &own);
    if (err == ERR_NOT_FOUND || (!err && memcmp(found, hash.data, sizeof found)))
        return ERR_OK;
    if (!err && sys_rename(writer->sys, from, to))
        err = fault_set_errno(&own, ERR_IO, errno, "a key cannot be named", to);
    if (err && fault)
        *fault = own;
    return err;
}

/* Those that the last entries name. */
static enum err finish_named(struct vault_writer *writer, struct vault_reader *reader,
                             struct fault *fault) {
    enum err err = ERR_OK;
    for (uint64_t index = writer->durable_size; index-- > 0 && !err;) {
        struct bytes stored, name;
        struct vault_entry entry;
        uint32_t epoch;
        err = vault_reader_sealed(reader, index, writer->durable_size, &stored, fault);
        if (err || open_entry_read(stored, &entry))
            break;
        if (key_entry_name(&entry, &name, &epoch) && bytes_find(name, '.') != BYTES_NOT_FOUND)
            err = finish_file(writer, name, entry.body, fault);
    }
    return err;
}

/* And none but those: what is left was never named. */
static void remove_unfinished(struct vault_writer *writer) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, writer->vault_dir, "keys");
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        size_t size = strlen(entry->d_name), end = sizeof UNFINISHED - 1;
        if (size < end || strcmp(entry->d_name + size - end, UNFINISHED))
            continue;
        vault_path(path, writer->vault_dir, "keys/%s", entry->d_name);
        if (sys_unlink(writer->sys, path))
            break; /* they only take space */
    }
    if (dir)
        closedir(dir);
}

enum err writer_finish_wraps(struct vault_writer *writer, struct fault *fault) {
    struct vault_reader *reader;
    char path[VAULT_PATH_BYTES_MAX];
    enum err err = vault_reader_open(&reader, writer->sys, writer->vault_dir, fault);
    if (err)
        return err;
    err = finish_named(writer, reader, fault);
    vault_reader_close(reader);
    if (err)
        return err;
    remove_unfinished(writer);
    vault_path(path, writer->vault_dir, "keys");
    return sys_sync_dir(writer->sys, path, fault);
}
