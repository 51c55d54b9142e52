/* start_test.c - the Nth system call of a start fails: of making a site, and of opening one whose last life ended in the middle
 * of everything. It can be made again, or is there and usable; it opens the next time, and holds what it held. */
#include "fault/fault.h"

static bool create(struct sys *sys) {
    arm(sys);
    return vault_create(sys, site_dir, SITE_ORIGIN, NULL, NULL) == ERR_OK;
}

/* A site whose making was interrupted: what the one who made it would do. */
static void create_again(void) {
    struct sys sys;
    sound_sys(&sys);
    enum err err = vault_create(&sys, site_dir, SITE_ORIGIN, NULL, NULL);
    if (err && err != ERR_STATE)
        printf("# it cannot be made again: %s\n", err_name(err));
}

static bool open_and_close(struct sys *sys) {
    arm(sys);
    struct vault_writer *writer = open_writer(sys);
    if (!writer)
        return false;
    bool good = batch(writer, 1000, 3) == ERR_OK;
    uint64_t size = vault_writer_durable_size(writer);
    vault_writer_close(writer);
    return publish(sys, NULL, size) == ERR_OK && good;
}

/* One that does not open is started again, and what failed the first time may fail no more. */
static bool open_again(struct sys *sys) {
    arm(sys);
    struct vault_writer *writer = open_writer(sys);
    if (!writer)
        writer = open_writer(sys);
    if (!writer)
        return false;
    bool good = batch(writer, 1000, 3) == ERR_OK;
    vault_writer_close(writer);
    return good && sys->call_count <= sys->fail_at;
}

static void put(const char *relative, struct bytes data) {
    char path[VAULT_PATH_BYTES_MAX];
    site_path(path, relative);
    site_write(path, data);
}

/* The end of a batch that was cut off, behind the newest segment's last whole record. */
static void tear_batch(uint64_t first) {
    char path[VAULT_PATH_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX];
    struct record record;
    size_t at = 0;
    site_path(vault_dir, "vault");
    segment_path(path, vault_dir, first);
    struct bytes segment = site_read(path);
    while (!record_read(bytes_skip(segment, at), &record))
        at += record_bytes(record.sealed.size);
    int fd = open(path, O_WRONLY);
    ssize_t size = pwrite(fd, segment.data, 90, (off_t)at);
    assert(size == 90);
    close(fd);
    free((void *)(uintptr_t)segment.data);
}

/* Ended in the middle: of a batch, of a blob, of the next epoch's beginning, of publishing; the clock's and the repeats' caches
 * are gone. */
static struct prepared prepare_ended(void) {
    struct sys sys;
    struct vault_blob_writer *stream;
    char path[VAULT_PATH_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX];
    struct recipients recipients;
    uint8_t key[KEY_BYTES] = {9};
    run_make_site();
    sound_sys(&sys);
    struct vault_writer *writer = open_writer(&sys);
    site_must(batch(writer, 1, 20), NULL);
    site_must(vault_writer_rotate(writer, NULL), NULL);
    site_must(batch(writer, 30, 6), NULL);
    site_must(publish(&sys, writer, 25), NULL);
    site_must(batch(writer, 40, 6), NULL);
    site_must(vault_blob_begin(writer, &stream, NULL), NULL);
    site_must(vault_blob_feed(stream, BYTES("the beginning of a body"), NULL), NULL);
    vault_blob_abort(stream);
    uint64_t size = vault_writer_durable_size(writer);
    vault_writer_close(writer);
    put("vault/wal/blob-0", BYTES("unfinished"));
    put("vault/tile/0/000.p/30.new", BYTES("unfinished"));
    put("vault/checkpoint.new", BYTES("unfinished"));
    site_path(path, "vault/checkpoints/25");
    site_path(vault_dir, "vault");
    int result = unlink(path);
    site_path(path, "cache/repeats");
    result |= unlink(path);
    site_path(path, "cache/clock");
    result |= unlink(path);
    assert(result == 0);
    site_must(recipients_read(&sys, site_dir, NULL, &recipients, NULL), NULL);
    site_must(epoch_file_write(&sys, vault_dir, 3, 1, "", key, &recipients, NULL), NULL);
    put("vault/keys/1.2.new", BYTES("unfinished"));
    tear_batch(size - 6);
    return prepare("ended");
}

int main(void) {
    const struct sound_options sound = {.keeps_origin = true};
    fault_begin();
    run_make();
    struct prepared nothing = prepare("nothing"), ended = prepare_ended();
    try_all(
        &(struct scenario){"making a site", &nothing, create, sound, 3, 50, create_again, NULL});
    try_all(&(struct scenario){"a start", &ended, open_and_close, sound, 3, 100, NULL, NULL});
    try_all(&(struct scenario){"two starts", &ended, open_again, sound, 3, 50, NULL, NULL});
    prepared_release(&nothing);
    prepared_release(&ended);
    run_clear();
    return done();
}
