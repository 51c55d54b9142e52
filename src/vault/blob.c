/* blob.c - bodies too large for an entry: written as age files while they arrive, known by the hash of what lies there.
 *
 *   begin --feed*--> finish: last chunk; the file is handed to settle.c, its reference to the batch (durable together)
 *                 \-> abort: the file is taken away
 *
 * A slice is sealed chunk by chunk, and hashed while it is in the processor's cache; what is sealed is written in whole blocks,
 * which the page cache takes at half the cost of odd ones. What was written goes on to the disk meanwhile, at most two windows
 * behind, so that the end of a large body does not hold up the batch. What has arrived there leaves the page cache: a
 * gigabyte would drive out what the wards look at, and memory that was used a moment ago takes the next window twice as fast. */
#include "vault/writer.h"

#include "base/pool.h"
#include "formats/age/age.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <sodium.h>
#include <stdio.h>

#define BLOCK_BYTES     65536u
#define SEALED_CHUNKS   4u
#define WINDOW_BYTES    (UINT64_C(4) << 20)
#define FIRST_BYTES_MAX 4096u

struct vault_blob_writer {
    struct vault_writer *writer;
    uint32_t number;
    int fd;         /* -1: handed on */
    uint32_t epoch; /* that its file is sealed under, and its entry must be */
    uint64_t body_bytes;
    uint64_t file_bytes;  /* written */
    uint64_t begun_bytes; /* the disk has been asked to write so much */
    struct sha256_ctx sha;
    struct blob_digest digest;
    struct age_writer age;
    size_t held_bytes; /* of the file, behind its last whole block */
    uint8_t held[BLOCK_BYTES];
};

enum err writer_open_blobs(struct vault_writer *writer) {
    writer->sealed = memory_alloc(1, BLOCK_BYTES + SEALED_CHUNKS * AGE_SEALED_BYTES_MAX);
    return writer->sealed ? ERR_OK : ERR_MEMORY;
}

void writer_close_blobs(struct vault_writer *writer) {
    writer_drop_blobs(writer, 0);
    memory_free(writer->sealed);
    memory_free(writer->spare_blob);
}

void writer_derive_recipient(struct vault_writer *writer) {
    uint8_t secret[KEY_BYTES];
    epoch_blob_secret(writer->secrets->epoch_key, secret);
    age_public_key(secret, writer->secrets->blob_recipient);
    sodium_memzero(secret, sizeof secret);
}

static void blob_path(const struct vault_blob_writer *blob, char path[VAULT_PATH_BYTES_MAX]) {
    vault_path(path, blob->writer->vault_dir, "wal/blob-%u", blob->number);
}

/* ---- to the disk ---- */

static enum err write_failed(struct vault_blob_writer *blob, int errnum, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    blob_path(blob, path);
    /* Unless it is only full, this disk is not to be trusted with entries either. */
    if (errnum != ENOSPC && errnum != EDQUOT)
        blob->writer->is_suspect = true;
    return fault_set_errno(fault, ERR_IO, errnum, "a blob cannot be written out", path);
}

/* A full window is sent off, once the disk is done with the one before. */
static enum err write_out(struct vault_blob_writer *blob, struct fault *fault) {
    struct sys *sys = blob->writer->sys;
    uint64_t begun = blob->begun_bytes;
    if (blob->file_bytes - begun < WINDOW_BYTES)
        return ERR_OK;
    if (sys_write_back(sys, blob->fd, (off_t)begun, (off_t)(blob->file_bytes - begun), false) ||
        (begun > 0 && sys_write_back(sys, blob->fd, 0, (off_t)begun, true)))
        return write_failed(blob, errno, fault);
    if (begun > 0 && posix_fadvise(blob->fd, 0, (off_t)begun, POSIX_FADV_DONTNEED)) {
        /* The cache keeps it, and that is all. */
    }
    blob->begun_bytes = blob->file_bytes;
    return ERR_OK;
}

static enum err put(struct vault_blob_writer *blob, struct bytes data, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    blob_path(blob, path);
    enum err err = sys_write_all(blob->writer->sys, blob->fd, data, path, fault);
    blob->file_bytes += data.size;
    return err ? err : write_out(blob, fault);
}

/* In the buffer, behind room for what is held: so much was sealed. Whole blocks are written, the rest is held. */
static enum err put_blocks(struct vault_blob_writer *blob, size_t sealed_bytes,
                           struct fault *fault) {
    uint8_t *sealed = blob->writer->sealed;
    size_t size = blob->held_bytes + sealed_bytes, rest = size % BLOCK_BYTES;
    memcpy(sealed, blob->held, blob->held_bytes);
    memcpy(blob->held, sealed + size - rest, rest);
    blob->held_bytes = rest;
    return size > rest ? put(blob, bytes_from(sealed, size - rest), fault) : ERR_OK;
}

/* ---- beginning ---- */

static enum err hold_header(struct vault_blob_writer *blob, struct fault *fault) {
    struct text header;
    static_assert(AGE_HEADER_BYTES_MAX < BLOCK_BYTES, "a header is held");
    text_init(&header, (char *)blob->held, AGE_HEADER_BYTES_MAX);
    if (age_writer_init(&blob->age, blob->writer->secrets->blob_recipient, &header))
        return fault_set(fault, ERR_CRYPTO, "a blob cannot be sealed");
    sha256_update(&blob->sha, header.size, (const uint8_t *)header.data);
    blob->held_bytes = header.size;
    return ERR_OK;
}

static struct vault_blob_writer *blob_alloc(struct vault_writer *writer) {
    struct vault_blob_writer *blob = writer->spare_blob;
    writer->spare_blob = NULL;
    return blob ? blob : memory_alloc(1, sizeof *blob);
}

static void blob_free(struct vault_blob_writer *blob) {
    struct vault_writer *writer = blob->writer;
    if (blob->fd >= 0) {
        char path[VAULT_PATH_BYTES_MAX];
        blob_path(blob, path);
        sys_close(writer->sys, blob->fd);
        if (sys_unlink(writer->sys, path)) {
            /* It only takes space until the writer's next start. */
        }
    }
    writer->blob_open_count--;
    sodium_memzero(blob, sizeof *blob);
    if (writer->spare_blob)
        memory_free(blob);
    else
        writer->spare_blob = blob;
}

enum err vault_blob_begin(struct vault_writer *writer, struct vault_blob_writer **out,
                          struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    enum err err = writer_admits(writer, false, fault);
    if (err)
        return err;
    struct vault_blob_writer *blob = blob_alloc(writer);
    if (!blob)
        return fault_set(fault, ERR_MEMORY, "no memory for a blob");
    blob->writer = writer;
    blob->epoch = writer->epoch;
    blob->number = writer->blob_number++;
    writer->blob_open_count++;
    blob_path(blob, path);
    blob->fd = sys_open(writer->sys, path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (blob->fd < 0)
        err = fault_set_errno(fault, ERR_IO, errno, "a blob cannot be made", path);
    sha256_init(&blob->sha);
    blob_digest_init(&blob->digest, &writer->secrets->digests);
    if (!err)
        err = hold_header(blob, fault);
    if (err) {
        blob_free(blob);
        return err;
    }
    *out = blob;
    return ERR_OK;
}

/* ---- feeding ---- */

/* Of *slice, as many chunks as the buffer holds. */
static enum err feed_some(struct vault_blob_writer *blob, struct bytes *slice,
                          struct fault *fault) {
    uint8_t *sealed = blob->writer->sealed + blob->held_bytes;
    size_t filled = 0;
    for (unsigned chunks = 0; chunks < SEALED_CHUNKS && !bytes_is_empty(*slice);) {
        size_t sealed_bytes, before = slice->size;
        const uint8_t *from = slice->data;
        age_writer_feed(&blob->age, slice, sealed + filled, &sealed_bytes);
        blob_digest_feed(&blob->digest, bytes_from(from, before - slice->size));
        sha256_update(&blob->sha, sealed_bytes, sealed + filled);
        filled += sealed_bytes;
        chunks += sealed_bytes > 0;
    }
    return filled ? put_blocks(blob, filled, fault) : ERR_OK;
}

enum err vault_blob_feed(struct vault_blob_writer *blob, struct bytes slice, struct fault *fault) {
    enum err err = ERR_OK;
    blob->body_bytes += slice.size;
    while (!err && !bytes_is_empty(slice))
        err = feed_some(blob, &slice, fault);
    return err;
}

/* ---- finishing ---- */

static enum err put_last(struct vault_blob_writer *blob, struct fault *fault) {
    uint8_t *sealed = blob->writer->sealed;
    size_t held_bytes = blob->held_bytes, sealed_bytes;
    memcpy(sealed, blob->held, held_bytes);
    age_writer_finish(&blob->age, sealed + held_bytes, &sealed_bytes);
    sha256_update(&blob->sha, sealed_bytes, sealed + held_bytes);
    enum err err = put(blob, bytes_from(sealed, held_bytes + sealed_bytes), fault);
    if (!err && sys_write_back(blob->writer->sys, blob->fd, (off_t)blob->begun_bytes, 0, false))
        err = write_failed(blob, errno, fault);
    return err;
}

static enum err append_reference(struct vault_blob_writer *blob, const struct vault_append *append,
                                 const uint8_t *digest, uint64_t *index, struct fault *fault) {
    struct vault_writer *writer = blob->writer;
    struct pending_blob file = {.number = blob->number, .fd = blob->fd};
    uint32_t blob_count = writer->blob_count;
    sha256_digest(&blob->sha, sizeof file.name, file.name);
    writer_add_blob(writer, &file);
    blob->fd = -1;
    struct vault_entry entry = *append->entry;
    entry.kind = VAULT_BLOB;
    entry.blob_name = bytes_from(file.name, sizeof file.name);
    entry.body_bytes = blob->body_bytes;
    entry.body = bytes_first(entry.body, FIRST_BYTES_MAX);
    entry.digest = bytes_from(digest, DIGEST_BYTES);
    enum err err = writer_append_sealed(writer, &entry, index, fault);
    if (err)
        writer_drop_blobs(writer, blob_count);
    return err;
}

static enum err finish(struct vault_blob_writer *blob, const struct vault_append *append,
                       uint64_t *index, bool *is_repeat, struct fault *fault) {
    struct vault_writer *writer = blob->writer;
    uint8_t digest[DIGEST_BYTES];
    blob_digest_end(&blob->digest, &writer->secrets->digests, digest);
    digest_typed(&writer->secrets->digests, append->entry, digest);
    digest_restated(&writer->secrets->digests, append->entry, digest);
    *is_repeat = append->check_repeat && repeats_find(&writer->repeats, digest, index);
    if (*is_repeat)
        return writer->is_suspect ? fault_set(fault, ERR_STATE, "the vault is suspect") : ERR_OK;
    if (blob->epoch != writer->epoch)
        return fault_set(fault, ERR_STATE, "a new epoch began meanwhile: send it again");
    /* The caller syncs, since others wait for the answer to it. */
    if (writer->blob_count == BLOB_COUNT_MAX)
        return fault_set(fault, ERR_LIMIT, "the batch is full");
    enum err err = put_last(blob, fault);
    if (!err)
        err = writer_admits(writer, append->is_from_person, fault);
    return err ? err : append_reference(blob, append, digest, index, fault);
}

enum err vault_blob_finish(struct vault_blob_writer *blob, const struct vault_append *append,
                           uint64_t *index, bool *is_repeat, struct fault *fault) {
    enum err err = finish(blob, append, index, is_repeat, fault);
    blob_free(blob);
    return err;
}

void vault_blob_abort(struct vault_blob_writer *blob) {
    blob_free(blob);
}
