/* settle.c - the documents of a batch made durable together, before the entries that name them.
 *
 * Invariants
 *   1 A file has its name in blob/ only when its bytes are durable: what stands there is whole after any crash.
 *   2 A name is durable, with its directory, before the segment is written that holds its reference.
 *   3 Until then the files of a batch that fails are taken away. From there on they stay: an entry that nobody was answered
 *     for may be on the disk all the same, and be found by the next life.
 *
 *   wal/blob-<n> --synced, renamed--> named --directories synced, then the segment--> kept
 *          \--the batch is taken back: removed <--/
 *
 * The disk has been writing each file since it was finished, all at once (sys_write_back). A few are then synced one by one;
 * of many, each of which would make the disk empty its cache, the whole file system is, once before they get their names and
 * once after. It tells of no single file whether it failed: that is asked of each before, and of all, one by one, should it
 * fail. A file that failed once is never asked again: it would find nothing to do, and say so. */
#include "vault/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#define TOGETHER_FROM 8u /* files: below, the rest of the file system is left alone */

static void written_path(const struct vault_writer *writer, const struct pending_blob *blob,
                         char path[VAULT_PATH_BYTES_MAX]) {
    vault_path(path, writer->vault_dir, "wal/blob-%u", blob->number);
}

static void dir_path(const struct vault_writer *writer, uint8_t first,
                     char path[VAULT_PATH_BYTES_MAX]) {
    vault_path(path, writer->vault_dir, "blob/%02x", first);
}

static void named_path(const struct vault_writer *writer, const struct pending_blob *blob,
                       char path[VAULT_PATH_BYTES_MAX]) {
    char hex[2 * TLOG_HASH_BYTES + 1];
    struct text text;
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, bytes_from(blob->name, sizeof blob->name));
    vault_path(path, writer->vault_dir, "blob/%.2s/%s", hex, hex);
}

void writer_add_blob(struct vault_writer *writer, const struct pending_blob *blob) {
    assert(writer->blob_count < BLOB_COUNT_MAX && blob->fd >= 0);
    writer->blobs[writer->blob_count++] = *blob;
}

void writer_keep_blobs(struct vault_writer *writer) {
    for (uint32_t i = 0; i < writer->blob_count; i++)
        assert(writer->blobs[i].fd < 0);
    writer->blob_count = 0;
}

void writer_drop_blobs(struct vault_writer *writer, uint32_t count) {
    while (writer->blob_count > count) {
        struct pending_blob *blob = &writer->blobs[--writer->blob_count];
        char path[VAULT_PATH_BYTES_MAX];
        if (blob->fd < 0)
            named_path(writer, blob, path);
        else
            written_path(writer, blob, path);
        if (blob->fd >= 0)
            sys_close(writer->sys, blob->fd);
        if (sys_unlink(writer->sys, path)) {
            /* It only takes space: no entry names it. */
        }
    }
}

/* ---- settling ---- */

static enum err sync_each(struct vault_writer *writer, struct fault *fault) {
    for (uint32_t i = 0; i < writer->blob_count; i++)
        if (sys_fdatasync(writer->sys, writer->blobs[i].fd))
            return writer_sync_failed(writer, errno, "a blob cannot be synced", fault);
    return ERR_OK;
}

static bool sync_all(struct vault_writer *writer) {
    int fd = sys_open(writer->sys, writer->vault_dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return false;
    bool good = !sys_syncfs(writer->sys, fd);
    sys_close(writer->sys, fd);
    return good;
}

static enum err sync_bytes(struct vault_writer *writer, struct fault *fault) {
    if (writer->blob_count < TOGETHER_FROM)
        return sync_each(writer, fault);
    for (uint32_t i = 0; i < writer->blob_count; i++)
        if (sys_write_back(writer->sys, writer->blobs[i].fd, 0, 0, true))
            return writer_sync_failed(writer, errno, "a blob cannot be written out", fault);
    return sync_all(writer) ? ERR_OK : sync_each(writer, fault);
}

/* Directories are made when they are first needed. */
static int rename_into(struct vault_writer *writer, const char *from, const char *to,
                       const char *dir) {
    if (!sys_rename(writer->sys, from, to))
        return 0;
    if (errno != ENOENT || (sys_mkdir(writer->sys, dir, 0755) && errno != EEXIST))
        return -1;
    return sys_rename(writer->sys, from, to);
}

static enum err name_files(struct vault_writer *writer, bool is_used[256], struct fault *fault) {
    for (uint32_t i = 0; i < writer->blob_count; i++) {
        struct pending_blob *blob = &writer->blobs[i];
        char from[VAULT_PATH_BYTES_MAX], to[VAULT_PATH_BYTES_MAX], dir[VAULT_PATH_BYTES_MAX];
        written_path(writer, blob, from);
        named_path(writer, blob, to);
        dir_path(writer, blob->name[0], dir);
        if (rename_into(writer, from, to, dir))
            return fault_set_errno(fault, ERR_IO, errno, "a blob cannot be named", to);
        sys_close(writer->sys, blob->fd); /* synced: closing cannot lose anything */
        blob->fd = -1;
        is_used[blob->name[0]] = true;
    }
    return ERR_OK;
}

static enum err sync_dir(struct vault_writer *writer, const char *path, struct fault *fault) {
    struct fault own = {0};
    if (!sys_sync_dir(writer->sys, path, &own))
        return ERR_OK;
    return writer_sync_failed(writer, own.errnum, "a directory of blobs cannot be synced", fault);
}

/* With many, the file system whole; a directory then, so that what it wrote last has left the disk's cache whatever kind it is. */
static enum err sync_names(struct vault_writer *writer, const bool is_used[256],
                           struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    bool is_all = writer->blob_count >= TOGETHER_FROM && sync_all(writer);
    bool is_first_use = false;
    enum err err = ERR_OK;
    for (unsigned first = 0; first < 256 && !err; first++) {
        dir_path(writer, (uint8_t)first, path);
        if (is_used[first] && !is_all)
            err = sync_dir(writer, path, fault);
        is_first_use |= is_used[first] && !writer->is_blob_dir_lasting[first];
    }
    vault_path(path, writer->vault_dir, "blob");
    if (!err && (is_first_use || is_all))
        err = sync_dir(writer, path, fault);
    for (unsigned first = 0; first < 256 && !err; first++)
        writer->is_blob_dir_lasting[first] |= is_used[first];
    return err;
}

enum err writer_settle_blobs(struct vault_writer *writer, struct fault *fault) {
    bool is_used[256] = {false};
    if (writer->blob_count == 0)
        return ERR_OK;
    enum err err = sync_bytes(writer, fault);
    if (!err)
        err = name_files(writer, is_used, fault);
    return err ? err : sync_names(writer, is_used, fault);
}
