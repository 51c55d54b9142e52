/* writer_test.c - append, sync, reopen, read; repeats; a full disk and a failed sync. */
#include "vault_site.h"

#include <errno.h>

static uint64_t segment_count(void) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    static uint64_t firsts[SEGMENT_COUNT_MAX];
    size_t count = 0;
    site_path(vault_dir, "vault");
    site_must(segments_list(NULL, vault_dir, firsts, &count, NULL), NULL);
    return count;
}

static void test_round_trip(void) {
    site_make();
    struct vault_writer *writer = site_writer(NULL, 16 * 1024);
    is_int(vault_writer_durable_size(writer), 1);
    site_fill(writer, 100, 300, 7);
    is_int(vault_writer_durable_size(writer), 301);
    is_int(vault_writer_pending_bytes(writer), 0);
    ok(site_holds(100, 300), "everything is read again while the writer is open");
    vault_writer_close(writer);
    ok(segment_count() > 3, "several segments");
    ok(site_holds(100, 300), "and when it is closed");
    writer = site_writer(NULL, 16 * 1024);
    is_int(vault_writer_durable_size(writer), 301);
    site_fill(writer, 400, 50, 50);
    vault_writer_close(writer);
    ok(site_holds(100, 350), "and what a second life added");
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader;
    struct bytes sealed;
    uint64_t size;
    site_path(vault_dir, "vault");
    is_int(vault_reader_open(&reader, NULL, vault_dir, NULL), ERR_OK);
    is_int(vault_reader_size(reader, &size, NULL), ERR_OK);
    is_int(size, 351);
    is_int(vault_reader_sealed(reader, 351, UINT64_MAX, &sealed, NULL), ERR_MORE);
    is_int(vault_reader_sealed(reader, 20, 20, &sealed, NULL), ERR_MORE);
    bool all_read = true; /* backwards, which is not the fast way */
    for (uint64_t index = 351; index-- > 0;)
        all_read = all_read && !vault_reader_sealed(reader, index, 351, &sealed, NULL);
    ok(all_read, "every entry in the other order");
    vault_reader_close(reader);
}

static void is_repeat_of(struct vault_writer *writer, uint64_t n, uint64_t wanted,
                         bool wanted_repeat) {
    uint64_t index = 0;
    bool is_repeat = !wanted_repeat;
    is_int(site_append(writer, n, &index, &is_repeat, NULL), ERR_OK);
    ok(is_repeat == wanted_repeat && index == wanted);
}

static void test_repeats(void) {
    char cache[VAULT_PATH_BYTES_MAX];
    site_make();
    site_path(cache, "cache/repeats");
    struct vault_writer *writer = site_writer(NULL, 0);
    is_repeat_of(writer, 1, 1, false);
    is_repeat_of(writer, 2, 2, false);
    is_repeat_of(writer, 1, 1, true);
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    is_repeat_of(writer, 2, 2, true);
    is_int(vault_writer_durable_size(writer), 3);
    vault_writer_close(writer);

    writer = site_writer(NULL, 0); /* the cache remembers */
    is_repeat_of(writer, 1, 1, true);
    vault_writer_close(writer);
    unlink(cache); /* the vault remembers */
    writer = site_writer(NULL, 0);
    is_repeat_of(writer, 2, 2, true);
    is_repeat_of(writer, 3, 3, false);
    vault_writer_close(writer); /* never synced */
    site_write(cache, BYTES("this is no cache at all, but more than one record long"));
    writer = site_writer(NULL, 0);
    is_repeat_of(writer, 1, 1, true);
    is_repeat_of(writer, 3, 3, false);

    struct vault_entry entry = site_entry(1);
    uint64_t index;
    bool is_repeat;
    is_int(vault_writer_append(writer, &(struct vault_append){&entry, false, false}, &index,
                               &is_repeat, NULL),
           ERR_OK);
    ok(!is_repeat && index == 4, "stored again when nobody asks");
    entry.media_type = BYTES("text/plain");
    is_int(vault_writer_append(writer, &(struct vault_append){&entry, true, false}, &index,
                               &is_repeat, NULL),
           ERR_OK);
    ok(!is_repeat && index == 5, "the same bytes of another type are no repeat");
    vault_writer_close(writer);
}

static void test_limits(void) {
    static uint8_t large[VAULT_INLINE_BYTES_MAX + 1];
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    struct vault_entry entry = site_entry(1);
    uint64_t index = 0, appended = 0;
    bool is_repeat;
    entry.body = bytes_from(large, sizeof large);
    is_int(vault_writer_append(writer, &(struct vault_append){&entry, true, false}, &index,
                               &is_repeat, NULL),
           ERR_INPUT);
    enum err err = ERR_OK;
    for (uint64_t n = 1; !err; n++) {
        err = site_append(writer, n, &index, &is_repeat, NULL);
        appended += err == ERR_OK;
    }
    is_int(err, ERR_LIMIT);
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    is_int(vault_writer_durable_size(writer), 1 + appended);
    is_int(site_append(writer, appended + 1, &index, &is_repeat, NULL), ERR_OK);
    is_int(index, 1 + appended);
    vault_writer_close(writer);
    ok(site_holds(1, appended), "a batch of the largest size");
}

/* Enough system calls from here on fail, then one more try with a disk that works. */
static void test_full(void) {
    struct sys sys;
    sys_init(&sys);
    site_make();
    struct vault_writer *writer = site_writer(&sys, 0);
    uint64_t index;
    bool is_repeat;
    sys.fail_at = sys.call_count;
    sys.fail_for_good = true;
    sys.fail_errno = ENOSPC;
    is_int(site_append(writer, 5, &index, &is_repeat, NULL), ERR_OK);
    is_int(vault_writer_sync(writer, NULL), ERR_FULL);
    is_int(vault_writer_pending_bytes(writer), 0);
    is_int(vault_writer_durable_size(writer), 1);
    ok(!vault_writer_is_suspect(writer) && vault_writer_is_full(writer), "full, but not suspect");
    sys.fail_at = UINT64_MAX;
    is_int(site_append(writer, 5, &index, &is_repeat, NULL), ERR_FULL);
    usleep(1100000); /* the space is measured once a second */
    is_repeat_of(writer, 5, 1, false);
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    vault_writer_close(writer);
    ok(site_holds(5, 1));
}

static void test_reserve(void) {
    struct vault_writer *writer;
    struct vault_writer_options options = {.reserve_bytes = UINT64_MAX - 1};
    struct vault_entry entry = site_entry(4);
    uint64_t index;
    bool is_repeat;
    site_make();
    is_int(vault_writer_open(&writer, NULL, site_dir, &options, NULL), ERR_OK);
    ok(vault_writer_is_full(writer));
    is_int(site_append(writer, 1, &index, &is_repeat, NULL), ERR_FULL);
    is_int(vault_writer_append(writer, &(struct vault_append){&entry, true, true}, &index,
                               &is_repeat, NULL),
           ERR_OK);
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    vault_writer_close(writer);
}

/* The sync fails: nothing more is written by this life; the next one finds what was durable before. */
static void test_suspect(void) {
    struct sys sys;
    sys_init(&sys);
    site_make();
    struct vault_writer *writer = site_writer(&sys, 0);
    uint64_t index;
    bool is_repeat;
    site_fill(writer, 10, 3, 1);
    is_int(site_append(writer, 13, &index, &is_repeat, NULL), ERR_OK);
    sys.fail_at = sys.call_count + 1; /* the write, then the sync */
    sys.fail_errno = EIO;
    is_int(vault_writer_sync(writer, NULL), ERR_IO);
    ok(vault_writer_is_suspect(writer));
    sys.fail_at = UINT64_MAX;
    is_int(site_append(writer, 14, &index, &is_repeat, NULL), ERR_STATE);
    is_int(site_append(writer, 13, &index, &is_repeat, NULL), ERR_STATE);
    is_int(site_append(writer, 10, &index, &is_repeat, NULL), ERR_STATE);
    is_int(vault_writer_sync(writer, NULL), ERR_STATE);
    is_int(vault_writer_durable_size(writer), 4);
    vault_writer_close(writer);
    writer = site_writer(NULL, 0);
    ok(vault_writer_durable_size(writer) >= 4, "what was durable is");
    vault_writer_close(writer);
    ok(site_holds(10, 3));
}

/* A clock that was set back does not set the entries back. */
static void test_clock(void) {
    struct sys sys;
    sys_init(&sys);
    site_make();
    sys.has_false_clock = true;
    sys.false_now_us = sys_now_us(NULL) + INT64_C(240) * US_PER_S;
    struct vault_writer *writer = site_writer(&sys, 0);
    site_fill(writer, 1, 3, 3);
    vault_writer_close(writer);
    sys.false_now_us -= INT64_C(480) * US_PER_S;
    writer = site_writer(&sys, 0);
    site_fill(writer, 4, 3, 3);
    vault_writer_close(writer);
    ok(site_holds(1, 6), "the stamps rise all the same");
}

static void test_published(void) {
    site_make();
    struct vault_writer *writer = site_writer(NULL, 8 * 1024);
    site_fill(writer, 1, 600, 10);
    uint64_t before = segment_count();
    ok(before > 4, "several segments");
    site_publish_to(400);
    vault_writer_published(writer, 400);
    ok(segment_count() < before, "segments whose entries are all published go");
    ok(site_holds(1, 600), "nothing is missing");
    site_publish_to(601);
    vault_writer_published(writer, 601);
    is_int(segment_count(), 1);
    site_fill(writer, 601, 5, 1);
    ok(site_holds(1, 605), "the one being written goes on");
    vault_writer_close(writer);
    writer = site_writer(NULL, 8 * 1024);
    is_int(vault_writer_durable_size(writer), 606);
    vault_writer_close(writer);
}

static void test_create(void) {
    struct fault fault = {0};
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    static const char *const secrets[] = {"keys/signing.key", "keys/node.key", "keys/repeat.key"};
    site_make();
    is_int(vault_create(NULL, site_dir, SITE_ORIGIN, NULL, &fault), ERR_STATE);
    for (size_t i = 0; i < 3; i++) {
        site_path(path, secrets[i]);
        ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "a key file of its owner alone");
    }
    site_path(path, "keys");
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700, "in a directory of its owner alone");
    site_remove();
    snprintf(site_dir, sizeof site_dir, "/tmp/veilleuse-vault-XXXXXX");
    ok(mkdtemp(site_dir) != NULL);
    ok(vault_create(NULL, site_dir, "not a name", NULL, NULL) != ERR_OK,
       "an origin with a space is refused");
}

int main(void) {
    test_create();
    test_round_trip();
    test_repeats();
    test_limits();
    test_full();
    test_reserve();
    test_suspect();
    test_clock();
    test_published();
    site_remove();
    return done();
}
