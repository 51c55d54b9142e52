/* erase_test.c - the Nth system call fails while entries of an old epoch are stated again, while the epoch is erased, and its blobs
 * with it: for every N. The vault verifies wherever it was cut off; only what was sealed under that epoch cannot be read any
 * more; the next one that erases it ends what was begun, and nothing of it is left. */
#include "fault/fault.h"

#define OLD        1u /* the epoch that goes */
#define RESTATED_N 10u
#define BLOB_N     60u
#define OLD_BLOBS  3u

static uint8_t later_public[KEY_BYTES];

struct names {
    uint8_t list[OLD_BLOBS * TLOG_HASH_BYTES];
    size_t count;
};

static enum err take_name(void *owner, const uint8_t name[TLOG_HASH_BYTES]) {
    struct names *names = owner;
    assert(names->count < OLD_BLOBS);
    memcpy(names->list + TLOG_HASH_BYTES * names->count++, name, TLOG_HASH_BYTES);
    return ERR_OK;
}

/* Those of the old epoch that are there. */
static struct names old_blobs(void) {
    struct names names = {.count = 0};
    struct vault_span span = {0, witness->erased_to};
    site_must(vault_blobs_each(NULL, site_dir, &span, take_name, &names, NULL), NULL);
    return names;
}

static enum err drop_blobs(struct vault_writer *writer, const struct names *names) {
    uint64_t dropped;
    return vault_writer_drop_blobs(
        writer, OLD, bytes_from(names->list, names->count * TLOG_HASH_BYTES), &dropped, NULL);
}

static hlc_stamp clock_of(uint64_t index) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader;
    struct vault_opener *opener;
    struct bytes sealed;
    struct vault_entry entry;
    site_path(vault_dir, "vault");
    site_must(vault_reader_open(&reader, NULL, vault_dir, NULL), NULL);
    site_must(vault_opener_open(&opener, NULL, site_dir, NULL, NULL), NULL);
    site_must(vault_reader_sealed(reader, index, UINT64_MAX, &sealed, NULL), NULL);
    site_must(vault_opener_unseal(opener, sealed, &entry, NULL), NULL);
    hlc_stamp clock = entry.clock;
    vault_opener_close(opener);
    vault_reader_close(reader);
    return clock;
}

/* Entries 1 and 2, numbers RESTATED_N and the next, in one batch. */
static enum err state_again(struct vault_writer *writer) {
    uint64_t indexes[2];
    hlc_stamp clocks[2] = {clock_of(1), clock_of(2)};
    enum err err = ERR_OK;
    for (uint64_t i = 0; i < 2 && !err; i++) {
        struct vault_entry entry = site_entry(RESTATED_N + i);
        bool is_repeat;
        entry.is_restated = true;
        entry.restated_index = 1 + i;
        entry.restated_clock = clocks[i];
        err = vault_writer_append(writer, &(struct vault_append){&entry, false, true}, &indexes[i],
                                  &is_repeat, NULL);
    }
    if (!err)
        err = vault_writer_sync(writer, NULL);
    for (uint64_t i = 0; i < 2 && !err; i++)
        witness_restated(indexes[i], RESTATED_N + i);
    return err;
}

/* As restate.c goes: what must stay is stated again, and only when it is durable the key goes, and then the blobs. */
static bool erase(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    struct names names = old_blobs();
    assert(names.count == OLD_BLOBS);
    bool good = batch(writer, 300, 2) == ERR_OK;
    arm(sys);
    good = state_again(writer) == ERR_OK && good;
    good = good && vault_writer_erase_epoch(writer, OLD, "a test", NULL) == ERR_OK;
    good = good && drop_blobs(writer, &names) == ERR_OK;
    good = batch(writer, 310, 2) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

static bool publish_meanwhile(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    bool good = batch(writer, 300, 2) == ERR_OK;
    arm(sys);
    good = vault_writer_erase_epoch(writer, OLD, "a test", NULL) == ERR_OK && good;
    good = publish(sys, writer, vault_writer_durable_size(writer)) == ERR_OK && good;
    good = batch(writer, 310, 2) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

static bool is_there(const char *relative) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    site_path(path, relative);
    return stat(path, &st) == 0;
}

static bool erase_again(void) {
    struct sys sys;
    sound_sys(&sys);
    struct names names = old_blobs();
    struct vault_writer *writer = open_writer(&sys);
    if (!writer)
        return false;
    enum err err = vault_writer_erase_epoch(writer, OLD, "the next try", NULL);
    if (err == ERR_NOT_FOUND) /* the one before came so far */
        err = ERR_OK;
    if (!err)
        err = drop_blobs(writer, &names);
    vault_writer_close(writer);
    bool is_gone = !is_there("vault/keys/1") && !is_there("vault/keys/1.2") &&
                   !is_there("vault/keys/1.erasing") && old_blobs().count == 0;
    if (err || !is_gone)
        printf("# erasing is not ended: %s\n", err_name(err));
    return !err && is_gone;
}

/* What was begun ends with the next start alone, when it came so far that some of the files are gone. */
static bool is_all_or_nothing(void) {
    return is_there("vault/keys/1") == is_there("vault/keys/1.2");
}

static bool end(void) {
    if (!is_all_or_nothing())
        printf("# after a start some of the key's files are there, and some not\n");
    return is_all_or_nothing() && erase_again();
}

/* The old epoch, wrapped to one who came later, too, and two newer ones; the first entries published. */
static struct prepared prepare_epochs(void) {
    static const uint8_t later_secret[KEY_BYTES] = {7};
    struct sys sys;
    uint32_t epoch_count;
    run_make_site();
    sound_sys(&sys);
    crypto_scalarmult_base(later_public, later_secret);
    struct vault_writer *writer = open_writer(&sys);
    site_must(batch(writer, RESTATED_N, 4), NULL);
    for (uint64_t i = 0; i < OLD_BLOBS; i++)
        site_must(blob(writer, BLOB_N + i), NULL);
    witness->erased_to = vault_writer_durable_size(writer);
    for (uint64_t i = 0; i < 2; i++) {
        site_must(vault_writer_rotate(writer, NULL), NULL);
        witness_epoch(vault_writer_epoch(writer));
        site_must(batch(writer, 100 + 10 * i, 4), NULL);
    }
    site_must(vault_writer_wrap_past(writer, later_public, &epoch_count, NULL), NULL);
    site_must(blob(writer, BLOB_N + 10), NULL);
    site_must(publish(&sys, writer, 11), NULL);
    vault_writer_close(writer);
    witness->erased_epoch = OLD;
    return prepare("epochs");
}

int main(void) {
    fault_begin();
    struct prepared epochs = prepare_epochs();
    const struct sound_options sound = {.keeps_origin = true};
    try_all(&(struct scenario){"erasing", &epochs, erase, sound, 1, 20, NULL, end});
    try_all(
        &(struct scenario){"and publishing", &epochs, publish_meanwhile, sound, 3, 30, NULL, end});
    prepared_release(&epochs);
    run_clear();
    return done();
}
