/* blob_test.c - bodies too large for an entry: streamed in, streamed out, several at once, given up. */
#include "seeded.h"
#include "vault_site.h"

#include <dirent.h>
#include <errno.h>

/* Byte `at` of large body number n. */
static uint8_t body_byte(uint64_t n, uint64_t at) {
    return (uint8_t)(n * 131 + at * 7 + (at >> 9));
}

struct large {
    uint64_t n, fed, bytes;
    struct vault_blob_writer *blob;
};

static void feed_some(struct large *large, size_t slice_bytes) {
    static uint8_t slice[1 << 20];
    for (size_t i = 0; i < slice_bytes; i++)
        slice[i] = body_byte(large->n, large->fed + i);
    site_must(vault_blob_feed(large->blob, bytes_from(slice, slice_bytes), NULL), NULL);
    large->fed += slice_bytes;
}

static void begin(struct vault_writer *writer, struct large *large, uint64_t n, uint64_t bytes) {
    *large = (struct large){.n = n, .bytes = bytes};
    site_must(vault_blob_begin(writer, &large->blob, NULL), NULL);
}

static enum err finish(struct large *large, uint64_t *index, bool *is_repeat) {
    uint8_t first[8192];
    for (size_t i = 0; i < sizeof first; i++)
        first[i] = body_byte(large->n, i);
    struct vault_entry entry = {
        .kind = VAULT_MESSAGE,
        .media_type = BYTES("application/pdf"),
        .source = BYTES("folder/scans"),
        .received_at = 17,
        .body =
            bytes_from(first, large->bytes < sizeof first ? (size_t)large->bytes : sizeof first),
    };
    return vault_blob_finish(large->blob, &(struct vault_append){&entry, true, false}, index,
                             is_repeat, NULL);
}

static uint64_t store(struct vault_writer *writer, uint64_t n, uint64_t bytes, size_t slice,
                      bool *is_repeat) {
    struct large large;
    uint64_t index = 0;
    begin(writer, &large, n, bytes);
    while (large.fed < bytes)
        feed_some(&large,
                  large.bytes - large.fed < slice ? (size_t)(large.bytes - large.fed) : slice);
    is_int(finish(&large, &index, is_repeat), ERR_OK);
    return index;
}

struct check {
    uint64_t n, at;
    bool is_same;
};

static enum err take(void *owner, struct bytes piece) {
    struct check *check = owner;
    for (size_t i = 0; i < piece.size; i++)
        check->is_same = check->is_same && piece.data[i] == body_byte(check->n, check->at + i);
    check->at += piece.size;
    return ERR_OK;
}

static enum err stop(void *owner, struct bytes piece) {
    (void)owner;
    (void)piece;
    return ERR_INTERRUPTED;
}

static enum err open_blob(uint64_t index, vault_take take_piece, void *owner,
                          uint64_t *body_bytes) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader;
    struct vault_opener *opener;
    struct vault_entry entry;
    struct bytes sealed;
    site_path(vault_dir, "vault");
    site_must(vault_reader_open(&reader, NULL, vault_dir, NULL), NULL);
    site_must(vault_opener_open(&opener, NULL, site_dir, NULL, NULL), NULL);
    site_must(vault_reader_sealed(reader, index, UINT64_MAX, &sealed, NULL), NULL);
    site_must(vault_opener_unseal(opener, sealed, &entry, NULL), NULL);
    *body_bytes = entry.body_bytes;
    ok(entry.kind == VAULT_BLOB && entry.body.size <= 4096, "a reference with the first bytes");
    ok(bytes_is(entry.media_type, "application/pdf"));
    enum err err = vault_opener_blob(opener, &entry, take_piece, owner, NULL);
    vault_opener_close(opener);
    vault_reader_close(reader);
    return err;
}

static void holds(uint64_t index, uint64_t n, uint64_t bytes) {
    struct check check = {.n = n, .is_same = true};
    uint64_t body_bytes = 0;
    is_int(open_blob(index, take, &check, &body_bytes), ERR_OK);
    ok(check.is_same && check.at == bytes && body_bytes == bytes, "the same bytes came back");
}

/* How many files stand in blob/, and how many unfinished ones in wal/. */
static unsigned count_files(const char *relative, const char *prefix) {
    char path[VAULT_PATH_BYTES_MAX];
    unsigned count = 0;
    struct dirent *entry;
    site_path(path, relative);
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        char inner[VAULT_PATH_BYTES_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof inner, "%s/%s", relative, entry->d_name);
        if (entry->d_type == DT_DIR)
            count += count_files(inner, prefix);
        else
            count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    if (dir)
        closedir(dir);
    return count;
}

static void test_sizes(void) {
    bool is_repeat;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    is_int(store(writer, 1, 200 * 1024, 65536, &is_repeat), 1);
    is_int(store(writer, 2, 0, 1, &is_repeat), 2);
    is_int(store(writer, 3, 65536, 1000, &is_repeat), 3);
    is_int(store(writer, 4, UINT64_C(20) << 20, 999983, &is_repeat), 4);
    is_int(vault_writer_durable_size(writer), 1);
    is_int(count_files("vault/blob", ""), 0);
    is_int(store(writer, 1, 200 * 1024, 4096, &is_repeat), 1);
    ok(is_repeat, "a large repeat is noticed before it is durable");
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    is_int(store(writer, 1, 200 * 1024, 777, &is_repeat), 1);
    ok(is_repeat, "and afterwards");
    is_int(store(writer, 2, 0, 1, &is_repeat), 2);
    ok(is_repeat, "an empty one too");
    is_int(count_files("vault/blob", ""), 4);
    is_int(count_files("vault/wal", "blob-"), 0);
    vault_writer_close(writer);
    holds(1, 1, 200 * 1024);
    holds(2, 2, 0);
    holds(3, 3, 65536);
    holds(4, 4, UINT64_C(20) << 20);
    uint64_t body_bytes;
    is_int(open_blob(4, stop, NULL, &body_bytes), ERR_INTERRUPTED);
}

/* In every way of slicing that leaves a chunk full, or not, at a slice's end: the file opens to the same bytes. */
static void test_slices(void) {
    static const size_t slices[] = {65535, 65536, 65537, 131072, 3 * 65536 + 1, 300000, 1 << 20};
    bool is_repeat;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    for (uint64_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        is_int(store(writer, 100 + i, 9 * 65536 + i, slices[i], &is_repeat), 1 + i);
        ok(!is_repeat);
    }
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    for (uint64_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        holds(1 + i, 100 + i, 9 * 65536 + i);
        is_int(store(writer, 100 + i, 9 * 65536 + i, 1000, &is_repeat), 1 + i);
        ok(is_repeat, "sliced otherwise it is the same body");
    }
    vault_writer_close(writer);
}

static void test_several(void) {
    struct large large[3];
    uint64_t index;
    bool is_repeat;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    for (uint64_t i = 0; i < 3; i++)
        begin(writer, &large[i], 10 + i, 300000);
    for (size_t turn = 0; turn < 30; turn++)
        for (size_t i = 0; i < 3; i++)
            feed_some(&large[i], 10000);
    vault_blob_abort(large[1].blob);
    is_int(finish(&large[2], &index, &is_repeat), ERR_OK);
    is_int(index, 1);
    site_fill(writer, 50, 2, 2);
    is_int(finish(&large[0], &index, &is_repeat), ERR_OK);
    is_int(index, 4);
    is_int(count_files("vault/blob", ""), 1); /* the other was synced with the entries */
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    is_int(count_files("vault/blob", ""), 2);
    is_int(count_files("vault/wal", "blob-"), 0);
    holds(1, 12, 300000);
    holds(4, 10, 300000);
    vault_writer_close(writer);
    char path[VAULT_PATH_BYTES_MAX]; /* what a life that ended in the middle of a blob leaves */
    site_path(path, "vault/wal/blob-7");
    site_write(path, BYTES("age-encryption.org/v1\n"));
    writer = site_writer(NULL, 0);
    is_int(count_files("vault/wal", "blob-"), 0);
    vault_writer_close(writer);
}

/* Only so many files belong to one batch. */
static void test_ripe(void) {
    uint64_t n = 1, index = 0;
    bool is_repeat;
    struct large large;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    for (; !vault_writer_is_ripe(writer); n++)
        store(writer, n, 60000 + n, 65536, &is_repeat);
    ok(n > 64 && n < 256, "ripe after a good number, and before it is full");
    enum err err = ERR_OK;
    for (; !err; n++) {
        begin(writer, &large, n, 60000 + n);
        feed_some(&large, 60000 + n);
        err = finish(&large, &index, &is_repeat);
    }
    is_int(err, ERR_LIMIT);
    n -= 2; /* so many are in the batch */
    is_int(count_files("vault/wal", "blob-"), n);
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    is_int(vault_writer_durable_size(writer), 1 + n);
    is_int(count_files("vault/wal", "blob-"), 0);
    is_int(count_files("vault/blob", ""), n);
    ok(!vault_writer_is_ripe(writer));
    begin(writer, &large, n + 1, 60001 + n);
    feed_some(&large, 60001 + n);
    is_int(finish(&large, &index, &is_repeat), ERR_OK);
    vault_writer_close(writer); /* never synced */
    is_int(count_files("vault/wal", "blob-"), 0);
    is_int(count_files("vault/blob", ""), n);
    for (uint64_t i = 1; i <= n; i += 50)
        holds(i, i, 60000 + i);
}

/* The n-th call of a sync fails that has `count` blobs to make durable; gives how many calls it makes. The names of blobs are the
 * same for every n: how many directories they need, and so how many calls there are and which is the n-th, follows from them. */
static uint64_t fail_sync(uint64_t count, uint64_t n, int errnum, enum err *err) {
    struct sys sys;
    bool is_repeat;
    sys_init(&sys);
    seeded_again(count);
    site_make();
    struct vault_writer *writer = site_writer(&sys, 0);
    site_fill(writer, 1, 1, 1); /* it has its segment */
    for (uint64_t i = 0; i < count; i++)
        store(writer, i, 70000, 65536, &is_repeat);
    uint64_t before = sys.call_count;
    sys.fail_at = before + n;
    sys.fail_errno = errnum;
    *err = vault_writer_sync(writer, NULL);
    uint64_t calls = sys.call_count - before;
    sys.fail_at = UINT64_MAX;
    bool is_suspect = vault_writer_is_suspect(writer);
    ok(*err != ERR_FULL || !is_suspect, "a full disk is not suspect");
    if (*err && !is_suspect) {
        is_int(vault_writer_durable_size(writer), 2);
        is_int(vault_writer_pending_bytes(writer), 0);
        is_int(count_files("vault/blob", "") + count_files("vault/wal", "blob-"), 0);
        if (*err == ERR_FULL && n % 8 > 0)
            goto close; /* below one takes a second: the space is not measured more often */
        usleep(*err == ERR_FULL ? 1100000 : 0);
        is_int(store(writer, 0, 70000, 65536, &is_repeat), 2);
        ok(!is_repeat, "what was taken back is no repeat");
        is_int(vault_writer_sync(writer, NULL), ERR_OK);
        holds(2, 0, 70000);
    }
close:
    vault_writer_close(writer);
    /* Whatever the next life finds of the batch, it finds with its blobs. */
    writer = site_writer(NULL, 0);
    uint64_t size = vault_writer_durable_size(writer);
    for (uint64_t i = 2; i < size; i++)
        holds(i, i - 2, 70000);
    /* Once the segment may have been written, nothing is taken away. */
    unsigned found = count_files("vault/blob", "");
    ok(found == size - 2 || (is_suspect && found == count),
       "the blobs of a batch are all there, or none");
    is_int(count_files("vault/wal", "blob-"), 0);
    vault_writer_close(writer);
    return calls;
}

/* `least`: how many calls there are at any rate; `fatal`: and how many that end the writer's life when they fail so. */
static void every_call_fails(uint64_t count, int errnum, uint64_t least, unsigned fatal) {
    enum err err = ERR_OK;
    unsigned suspect = 0;
    uint64_t n = 0, calls = 1;
    for (; err || n < calls; n++) { /* closing may fail, and nothing comes of it */
        calls = fail_sync(count, n, errnum, &err);
        suspect += err == ERR_IO;
    }
    ok(n >= least, "sync and name of each; directories; the segment");
    ok(suspect >= fatal, "what is for good");
}

static void test_failing(void) {
    every_call_fails(3, EIO, 3 + 3 + 1 + 2, 3 + 1 + 2);
    every_call_fails(3, ENOSPC, 3 + 3 + 1 + 2, 2);
    every_call_fails(9, EIO, 9 + 1 + 9 + 1 + 2, 9 + 1 + 2);
    every_call_fails(9, ENOSPC, 9 + 1 + 9 + 1 + 2, 2);
}

static void test_damage(void) {
    char path[VAULT_PATH_BYTES_MAX] = "", inner[VAULT_PATH_BYTES_MAX];
    bool is_repeat;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    uint64_t index = store(writer, 5, 150000, 65536, &is_repeat), body_bytes;
    site_must(vault_writer_sync(writer, NULL), NULL);
    vault_writer_close(writer);
    site_path(inner, "vault/blob");
    for (int level = 0; level < 2; level++) {
        DIR *dir = opendir(inner);
        struct dirent *entry;
        while (dir && (entry = readdir(dir)))
            if (entry->d_name[0] != '.')
                vault_path(path, inner, "%s", entry->d_name);
        closedir(dir);
        snprintf(inner, sizeof inner, "%s", path);
    }
    struct bytes kept = site_read(path);
    uint8_t *changed = malloc(kept.size);
    memcpy(changed, kept.data, kept.size);
    changed[kept.size / 2] ^= 0x10;
    site_write(path, bytes_from(changed, kept.size));
    struct check check = {.n = 5, .is_same = true};
    is_int(open_blob(index, take, &check, &body_bytes), ERR_CRYPTO);
    ok(check.is_same, "what was given out before the damage is right");
    site_write(path, bytes_first(kept, kept.size - 1));
    ok(open_blob(index, take, &check, &body_bytes) != ERR_OK, "a cut blob");
    unlink(path);
    is_int(open_blob(index, take, &check, &body_bytes), ERR_NOT_FOUND);
    free(changed);
    free((void *)(uintptr_t)kept.data);
}

int main(void) {
    seeded_begin();
    seeded_again(1);
    test_sizes();
    test_slices();
    test_several();
    test_ripe();
    test_failing();
    test_damage();
    site_remove();
    return done();
}
