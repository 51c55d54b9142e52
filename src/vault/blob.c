/* blob.c - bodies too large for an entry: written as age files while they arrive, known by the hash of what lies there.
 *
 *   begin --feed*--> finish: last chunk, fsync, rename to its hash, then its reference is appended (durable with the batch)
 *                 \-> abort: the file is taken away */
#include "vault/writer.h"

#include "base/pool.h"
#include "formats/age/age.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <sodium.h>
#include <stdio.h>

struct vault_blob_writer {
    struct vault_writer *writer;
    char path[VAULT_PATH_BYTES_MAX];
    int fd;
    uint32_t epoch; /* that its file is sealed under, and its entry must be */
    uint64_t body_bytes;
    struct sha256_ctx sha;           /* of the sealed file */
    crypto_generichash_state digest; /* of the body, for repeats */
    struct age_writer age;
    uint8_t sealed[AGE_SEALED_BYTES_MAX];
    bool has_digest;
};

static enum err put(struct vault_blob_writer *blob, struct bytes data, struct fault *fault) {
    sha256_update(&blob->sha, data.size, data.data);
    return sys_write_all(blob->writer->sys, blob->fd, data, blob->path, fault);
}

static enum err put_header(struct vault_blob_writer *blob, struct fault *fault) {
    uint8_t secret[KEY_BYTES], public_key[KEY_BYTES];
    char buffer[AGE_HEADER_BYTES_MAX];
    struct text header;
    epoch_blob_secret(blob->writer->secrets->epoch_key, secret);
    age_public_key(secret, public_key);
    sodium_memzero(secret, sizeof secret);
    text_init(&header, buffer, sizeof buffer);
    enum err err = age_writer_init(&blob->age, public_key, &header);
    return err ? fault_set(fault, err, "a blob cannot be sealed")
               : put(blob, text_bytes(&header), fault);
}

static void blob_free(struct vault_blob_writer *blob, bool remove) {
    if (blob->fd >= 0)
        sys_close(blob->writer->sys, blob->fd);
    if (remove && blob->path[0] && sys_unlink(blob->writer->sys, blob->path)) {
        /* It only takes space until the writer's next start. */
    }
    age_writer_clear(&blob->age);
    blob->writer->blob_open_count--;
    memory_free(blob);
}

enum err vault_blob_begin(struct vault_writer *writer, struct vault_blob_writer **out,
                          struct fault *fault) {
    enum err err = writer_admits(writer, false, fault);
    if (err)
        return err;
    struct vault_blob_writer *blob = memory_alloc(1, sizeof *blob);
    if (!blob)
        return fault_set(fault, ERR_MEMORY, "no memory for a blob");
    blob->writer = writer;
    blob->epoch = writer->epoch;
    writer->blob_open_count++;
    vault_path(blob->path, writer->vault_dir, "wal/blob-%u", writer->blob_number++);
    blob->fd = sys_open(writer->sys, blob->path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (blob->fd < 0)
        err = fault_set_errno(fault, ERR_IO, errno, "a blob cannot be made", blob->path);
    sha256_init(&blob->sha);
    crypto_generichash_init(&blob->digest, writer->secrets->repeat_key, KEY_BYTES, DIGEST_BYTES);
    if (!err)
        err = put_header(blob, fault);
    if (err) {
        blob_free(blob, true);
        return err;
    }
    *out = blob;
    return ERR_OK;
}

enum err vault_blob_feed(struct vault_blob_writer *blob, struct bytes slice, struct fault *fault) {
    crypto_generichash_update(&blob->digest, slice.data, slice.size);
    blob->body_bytes += slice.size;
    while (!bytes_is_empty(slice)) {
        size_t sealed_bytes;
        age_writer_feed(&blob->age, &slice, blob->sealed, &sealed_bytes);
        if (sealed_bytes == 0)
            continue;
        enum err err = put(blob, bytes_from(blob->sealed, sealed_bytes), fault);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* Give the file its name; durable with its directory when this returns. */
static enum err settle_file(struct vault_blob_writer *blob, const uint8_t name[TLOG_HASH_BYTES],
                            struct fault *fault) {
    struct sys *sys = blob->writer->sys;
    char hex[65], dir[VAULT_PATH_BYTES_MAX], path[VAULT_PATH_BYTES_MAX],
        parent[VAULT_PATH_BYTES_MAX];
    struct text text;
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, bytes_from(name, TLOG_HASH_BYTES));
    vault_path(parent, blob->writer->vault_dir, "blob");
    vault_path(dir, parent, "%.2s", hex);
    vault_path(path, dir, "%s", hex);
    if (sys_fsync(sys, blob->fd)) {
        int errnum = errno;
        /* Unless it is only full, this disk is not to be trusted with entries either. */
        blob->writer->is_suspect |= errnum != ENOSPC && errnum != EDQUOT;
        return fault_set_errno(fault, ERR_IO, errnum, "a blob cannot be synced", blob->path);
    }
    enum err err = sys_make_dirs(sys, dir, 0755, fault);
    if (!err && sys_rename(sys, blob->path, path))
        err = fault_set_errno(fault, ERR_IO, errno, "a blob cannot be named", path);
    if (!err) {
        blob->path[0] = 0;
        err = sys_sync_dir(sys, dir, fault);
    }
    return err ? err : sys_sync_dir(sys, parent, fault);
}

static enum err finish(struct vault_blob_writer *blob, const struct vault_append *append,
                       uint64_t *index, bool *is_repeat, struct fault *fault) {
    struct vault_writer *writer = blob->writer;
    uint8_t digest[DIGEST_BYTES], name[TLOG_HASH_BYTES];
    crypto_generichash_final(&blob->digest, digest, sizeof digest);
    *is_repeat = append->check_repeat && repeats_find(&writer->repeats, digest, index);
    if (*is_repeat)
        return writer->is_suspect ? fault_set(fault, ERR_STATE, "the vault is suspect") : ERR_OK;
    if (blob->epoch != writer->epoch)
        return fault_set(fault, ERR_STATE, "a new epoch began meanwhile: send it again");
    size_t sealed_bytes;
    age_writer_finish(&blob->age, blob->sealed, &sealed_bytes);
    enum err err = put(blob, bytes_from(blob->sealed, sealed_bytes), fault);
    if (!err)
        err = writer_admits(writer, append->is_from_person, fault);
    sha256_digest(&blob->sha, sizeof name, name);
    if (!err)
        err = settle_file(blob, name, fault);
    if (err)
        return err;
    struct vault_entry entry = *append->entry;
    entry.kind = VAULT_BLOB;
    entry.blob_name = bytes_from(name, sizeof name);
    entry.body_bytes = blob->body_bytes;
    entry.body = bytes_first(entry.body, 4096);
    entry.digest = bytes_from(digest, sizeof digest);
    /* ERR_LIMIT when the batch is full: it is the caller's to sync, since others wait for the answer to it. */
    return writer_append_sealed(writer, &entry, index, fault);
}

enum err vault_blob_finish(struct vault_blob_writer *blob, const struct vault_append *append,
                           uint64_t *index, bool *is_repeat, struct fault *fault) {
    enum err err = finish(blob, append, index, is_repeat, fault);
    blob_free(blob, true);
    return err;
}

void vault_blob_abort(struct vault_blob_writer *blob) {
    blob_free(blob, true);
}
