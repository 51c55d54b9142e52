/* rotate_test.c - the Nth system call fails while the next epoch begins, by hand or because midnight has passed, while a
 * dictionary that was learnt is stated, while past epochs are wrapped to one who came later: for every N. Nothing is sealed
 * under a key that the log does not name, and every entry can be opened afterwards. */
#include "fault/fault.h"
#include "formats/age/age.h"

#define LEARNT_FROM 70u /* entries: enough for a dictionary when the next epoch begins */
#define RIPE_FROM   70u /* large ones: enough for one at once */
#define RIPE_BYTES  8000u

static uint8_t later_secret[KEY_BYTES] = {7}, later_public[KEY_BYTES];

/* What can fail without anything being wrong for good is tried once more, as the commit role does in a minute. */
static enum err rotate(struct vault_writer *writer) {
    uint32_t before = vault_writer_epoch(writer);
    enum err err = vault_writer_rotate(writer, NULL);
    if (err && !vault_writer_is_suspect(writer)) {
        assert(vault_writer_epoch(writer) == before);
        err = vault_writer_rotate(writer, NULL);
    }
    if (!err)
        witness_epoch(vault_writer_epoch(writer));
    return err;
}

/* Twice, with entries before, between and after; a blob under the new key. */
static bool by_hand(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    bool good = batch(writer, 100, 5) == ERR_OK;
    arm(sys);
    good = rotate(writer) == ERR_OK && good;
    good = batch(writer, 300, 3) == ERR_OK && good;
    good = rotate(writer) == ERR_OK && good;
    good = batch(writer, 310, 2) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

/* One that did not come about, and the next one, in a writer whose disk has been mended meanwhile: of what the first left nothing
 * counts. */
static bool after_one_that_failed(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    bool good = batch(writer, 100, 5) == ERR_OK;
    arm(sys);
    good = vault_writer_rotate(writer, NULL) == ERR_OK && good;
    bool is_over = sys->call_count <= sys->fail_at;
    sys->fail_at = is_over ? sys->fail_at : UINT64_MAX;
    sys->was_short = false;
    good = batch(writer, 300, 3) == ERR_OK && good;
    good = rotate(writer) == ERR_OK && good;
    good = batch(writer, 310, 2) == ERR_OK && good;
    vault_writer_close(writer);
    if (!is_over)
        sys->fail_at = 0;
    return good;
}

static bool past_midnight_with(struct sys *sys, uint64_t count) {
    struct vault_writer *writer = open_writer(sys);
    bool good = batch(writer, 100, count) == ERR_OK && !vault_writer_is_due(writer);
    sys->false_now_us = MIDNIGHT_US + 60 * US_PER_S;
    good = vault_writer_is_due(writer) && good;
    arm(sys);
    enum err err = vault_writer_tend(writer, NULL);
    if (!err)
        witness_epoch(vault_writer_epoch(writer));
    good = !err && !vault_writer_is_due(writer) && vault_writer_epoch(writer) == 2 && good;
    good = batch(writer, 300, 3) == ERR_OK && good;
    good = batch(writer, 310, 2) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

static bool past_midnight(struct sys *sys) {
    return past_midnight_with(sys, 4);
}

static bool past_midnight_learnt(struct sys *sys) {
    return past_midnight_with(sys, LEARNT_FROM);
}

/* Samples are messages and facts; these are none of the numbered ones, and only have to be opened again. */
static enum err append_large(struct vault_writer *writer, uint64_t i) {
    static uint8_t body[RIPE_BYTES];
    uint64_t index;
    bool is_repeat;
    struct vault_entry entry = {.kind = VAULT_MESSAGE,
                                .media_type = BYTES("text/plain"),
                                .source = BYTES("sample"),
                                .body = bytes_from(body, sizeof body)};
    for (size_t at = 0; at < sizeof body; at++)
        body[at] = (uint8_t)('a' + (at / 40 + at % 7 + i * (at % 3)) % 26);
    store_u64(body, i); /* no two are the same */
    return vault_writer_append(writer, &(struct vault_append){&entry, true, false}, &index,
                               &is_repeat, NULL);
}

/* Enough has come for a first dictionary: it is stated within the epoch, and used. */
static bool learnt(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    bool good = true;
    for (uint64_t i = 0; i < RIPE_FROM; i++)
        good = append_large(writer, i) == ERR_OK && good;
    good = vault_writer_sync(writer, NULL) == ERR_OK && vault_writer_is_due(writer) && good;
    arm(sys);
    good = vault_writer_tend(writer, NULL) == ERR_OK && !vault_writer_is_due(writer) && good;
    good = batch(writer, 300, 3) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

/* One who came later reads all epochs there were, with a key of his own, from the vault's files alone. */
static bool later_one_can_read(uint64_t size) {
    char own_dir[VAULT_PATH_BYTES_MAX], path[VAULT_PATH_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX],
        buffer[128];
    struct vault_opener *opener;
    struct vault_reader *reader;
    struct text text;
    run_path(own_dir, "run/later");
    site_path(vault_dir, "vault");
    vault_path(path, own_dir, "keys");
    site_must(sys_make_dirs(NULL, path, 0700, NULL), NULL);
    text_init(&text, buffer, sizeof buffer);
    age_put_secret(&text, later_secret);
    vault_path(path, own_dir, "keys/node.key");
    site_write(path, text_bytes(&text));
    vault_path(path, own_dir, "vault");
    int result = symlink(vault_dir, path);
    assert(result == 0);
    site_must(vault_reader_open(&reader, NULL, vault_dir, NULL), NULL);
    site_must(vault_opener_open(&opener, NULL, own_dir, NULL, NULL), NULL);
    bool good = true;
    for (uint64_t i = 0; i < size && good; i++) {
        struct bytes sealed;
        struct vault_entry entry;
        good = !vault_reader_sealed(reader, i, size, &sealed, NULL) &&
               !vault_opener_unseal(opener, sealed, &entry, NULL);
    }
    vault_opener_close(opener);
    vault_reader_close(reader);
    return good;
}

static bool wrap_past(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    uint32_t epoch_count = 0;
    bool good = batch(writer, 300, 3) == ERR_OK;
    uint64_t size = vault_writer_durable_size(writer);
    arm(sys);
    enum err err = vault_writer_wrap_past(writer, later_public, &epoch_count, NULL);
    if (err && !vault_writer_is_suspect(writer))
        err = vault_writer_wrap_past(writer, later_public, &epoch_count, NULL);
    if (!err && (epoch_count != 3 || !later_one_can_read(size))) {
        printf("# wrapped to another, who cannot read\n");
        _exit(EXIT_WRONG);
    }
    good = !err && batch(writer, 310, 2) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

static struct prepared prepare_epochs(void) {
    struct sys sys;
    run_make_site();
    sound_sys(&sys);
    struct vault_writer *writer = open_writer(&sys);
    for (uint64_t i = 0; i < 2; i++) {
        site_must(batch(writer, 10 + 10 * i, 4), NULL);
        site_must(rotate(writer), NULL);
    }
    site_must(publish(&sys, writer, 8), NULL);
    vault_writer_close(writer);
    return prepare("epochs");
}

int main(void) {
    fault_begin();
    crypto_scalarmult_base(later_public, later_secret);
    run_make_site();
    struct prepared empty = prepare("empty"), epochs = prepare_epochs();
    const struct sound_options sound = {.keeps_origin = true};
    try_all(&(struct scenario){"the next epoch", &empty, by_hand, sound, 1, 40, NULL, NULL});
    try_all(&(struct scenario){"after one that failed", &empty, after_one_that_failed, sound, 1, 20,
                               NULL, NULL});
    try_all(&(struct scenario){"midnight", &empty, past_midnight, sound, 1, 20, NULL, NULL});
    try_all(&(struct scenario){"learnt", &empty, past_midnight_learnt, sound, 4, 20, NULL, NULL});
    try_all(&(struct scenario){"a dictionary", &empty, learnt, sound, 4, 5, NULL, NULL});
    try_all(&(struct scenario){"wrapped", &epochs, wrap_past, sound, 3, 20, NULL, NULL});
    prepared_release(&empty);
    prepared_release(&epochs);
    run_clear();
    return done();
}
