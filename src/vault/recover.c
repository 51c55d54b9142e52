/* recover.c - what a writer finds at its start beside the size: the clock, the repeats, what was left unfinished. */
#include "vault/writer.h"

#include "base/pool.h"

#include <dirent.h>
#include <string.h>

/* Blobs that were being written when the last life ended. */
static void remove_unfinished_blobs(struct vault_writer *writer) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, writer->vault_dir, "wal");
    DIR *dir = opendir(path);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (strncmp(entry->d_name, "blob-", 5) != 0)
            continue;
        vault_path(path, writer->vault_dir, "wal/%s", entry->d_name);
        if (sys_unlink(writer->sys, path))
            break; /* they only take space */
    }
    closedir(dir);
}

/* Entry `index` in plaintext; false: its epoch is erased. */
static enum err read_entry(struct vault_reader *reader, struct vault_opener *opener, uint64_t index,
                           uint64_t size, struct vault_entry *entry, bool *is_readable,
                           struct fault *fault) {
    struct bytes sealed;
    enum err err = vault_reader_sealed(reader, index, size, &sealed, fault);
    if (err)
        return err;
    err = vault_opener_unseal(opener, sealed, entry, fault);
    *is_readable = !err;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static void take_repeat(struct vault_writer *writer, uint64_t index,
                        const struct vault_entry *entry) {
    uint8_t record[REPEAT_RECORD_BYTES];
    if (entry->digest.size != DIGEST_BYTES || index < writer->repeats.known_size)
        return;
    repeats_add(&writer->repeats, entry->digest.data, index,
                entry->is_restated ? hlc_ms(entry->clock) * US_PER_MS : entry->received_at);
    repeat_record_put(record, entry->digest.data, index);
    repeats_save(&writer->repeats, writer->sys, bytes_from(record, sizeof record));
}

/* The clock goes on from the last entry; the repeats that the cache lacks are read from the entries. */
static enum err read_entries(struct vault_writer *writer, struct fault *fault) {
    struct vault_reader *reader = NULL;
    struct vault_opener *opener = NULL;
    uint64_t size = writer->durable_size, from = writer->repeats.known_size;
    uint64_t kept = writer->options.repeat_count_max;
    if (size > kept && from < size - kept)
        from = size - kept;
    if (from == size && size > 0)
        from = size - 1; /* at least the last, for the clock */
    struct fault own = {0};
    enum err err = vault_reader_open(&reader, writer->sys, writer->vault_dir, &own);
    if (!err)
        err =
            vault_opener_open(&opener, writer->sys, writer->site_dir, writer->options.unlock, &own);
    for (uint64_t index = from; index < size && !err; index++) {
        struct vault_entry entry;
        bool is_readable = false;
        err = read_entry(reader, opener, index, size, &entry, &is_readable, &own);
        if (err || !is_readable)
            continue;
        hlc_observe(&writer->hlc, entry.clock);
        take_repeat(writer, index, &entry);
    }
    vault_opener_close(opener);
    vault_reader_close(reader);
    if (err && fault)
        *fault = own;
    return err ? fault_set(fault, err, "the newest entries cannot be read") : ERR_OK;
}

enum err writer_recover(struct vault_writer *writer, struct fault *fault) {
    struct checkpoint_file *checkpoint = memory_alloc(1, sizeof *checkpoint);
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, writer->vault_dir, "checkpoint");
    enum err err = checkpoint ? ERR_OK : fault_set(fault, ERR_MEMORY, "no memory");
    if (!err)
        err = checkpoint_load(writer->sys, path, checkpoint, fault);
    if (!err)
        err = segments_measure(writer->sys, writer->vault_dir, checkpoint->checkpoint.size, true,
                               &writer->durable_size, fault);
    memory_free(checkpoint);
    if (err)
        return err;
    writer->next_index = writer->durable_size;
    remove_unfinished_blobs(writer);
    repeats_load(&writer->repeats, writer->sys, writer->site_dir, writer->durable_size,
                 sys_now_us(writer->sys));
    return read_entries(writer, fault);
}
