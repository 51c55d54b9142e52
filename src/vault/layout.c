/* layout.c - paths, records and segments of a vault's files. */
#include "vault/layout.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void record_put(uint8_t *out, uint64_t index, uint64_t durable, size_t sealed_bytes) {
    struct tlog_hash leaf;
    tlog_leaf_hash(bytes_from(out + RECORD_HEADER_BYTES, sealed_bytes), &leaf);
    store_u32(out, RECORD_MAGIC);
    store_u32(out + 4, (uint32_t)sealed_bytes);
    store_u64(out + 8, index);
    store_u64(out + 16, durable);
    memcpy(out + 24, leaf.bytes, TLOG_HASH_BYTES);
    size_t end = RECORD_HEADER_BYTES + sealed_bytes;
    memset(out + end, 0, record_bytes(sealed_bytes) - end);
}

enum err record_read(struct bytes b, struct record *record) {
    if (b.size < RECORD_HEADER_BYTES)
        return ERR_MORE;
    uint32_t magic = load_u32(b.data), size = load_u32(b.data + 4);
    if (magic == 0 && size == 0)
        return ERR_MORE;
    if (magic != RECORD_MAGIC || size == 0 || size > TLOG_ENTRY_BYTES_MAX)
        return ERR_CORRUPT;
    if (b.size < record_bytes(size))
        return ERR_MORE;
    record->index = load_u64(b.data + 8);
    record->durable = load_u64(b.data + 16);
    memcpy(record->leaf.bytes, b.data + 24, TLOG_HASH_BYTES);
    record->sealed = bytes_from(b.data + RECORD_HEADER_BYTES, size);
    for (size_t i = RECORD_HEADER_BYTES + size; i < record_bytes(size); i++)
        if (b.data[i])
            return ERR_CORRUPT;
    struct tlog_hash leaf;
    tlog_leaf_hash(record->sealed, &leaf);
    return memcmp(leaf.bytes, record->leaf.bytes, sizeof leaf.bytes) ? ERR_CORRUPT : ERR_OK;
}

void vault_path(char path[VAULT_PATH_BYTES_MAX], const char *dir, const char *format, ...) {
    int size = snprintf(path, VAULT_PATH_BYTES_MAX, "%s/", dir);
    assert(size > 0 && size < (int)VAULT_PATH_BYTES_MAX);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(path + size, VAULT_PATH_BYTES_MAX - (size_t)size, format, arguments);
    va_end(arguments);
    assert(more >= 0 && size + more < (int)VAULT_PATH_BYTES_MAX);
}

void segment_path(char path[VAULT_PATH_BYTES_MAX], const char *vault_dir, uint64_t first) {
    vault_path(path, vault_dir, "wal/%020llu", (unsigned long long)first);
}

static int compare_firsts(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

enum err segments_list(struct sys *sys, const char *vault_dir, uint64_t *firsts, size_t *count,
                       struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, vault_dir, "wal");
    *count = 0;
    struct stat st; /* counted as a call, so that a test can make it fail */
    if (sys_stat(sys, path, &st))
        return errno == ENOENT ? ERR_OK
                               : fault_set_errno(fault, ERR_IO, errno, "cannot list", path);
    DIR *dir = opendir(path);
    if (!dir)
        return fault_set_errno(fault, ERR_IO, errno, "cannot list", path);
    enum err err = ERR_OK;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        uint64_t first;
        struct bytes name = bytes_from_string(entry->d_name);
        if (name.size != 20 || !bytes_to_u64(name, &first))
            continue;
        if (*count == SEGMENT_COUNT_MAX) {
            err = fault_set_subject(fault, ERR_LIMIT, "too many segments", path);
            break;
        }
        firsts[(*count)++] = first;
    }
    closedir(dir);
    qsort(firsts, *count, sizeof *firsts, compare_firsts);
    return err;
}

enum err checkpoint_load(struct sys *sys, const char *path, struct checkpoint_file *file,
                         struct fault *fault) {
    struct fault own = {0};
    *file = (struct checkpoint_file){0};
    enum err err = sys_read_file(sys, path, file->note, sizeof file->note, &file->note_bytes, &own);
    if (err == ERR_NOT_FOUND) {
        tlog_empty_hash(&file->checkpoint.root);
        return ERR_OK;
    }
    if (err) {
        if (fault)
            *fault = own;
        return err;
    }
    struct bytes body;
    err = tlog_checkpoint_read(bytes_from(file->note, file->note_bytes), &file->checkpoint, &body);
    return err ? fault_set_subject(fault, ERR_CORRUPT, "this is no checkpoint", path) : ERR_OK;
}
