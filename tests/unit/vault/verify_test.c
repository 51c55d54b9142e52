/* verify_test.c - a vault that is whole is found whole; a bit flipped anywhere is found, and where. */
#include "base/random.h"
#include "vault_site.h"

#define PUBLISHED 800u
#define FILES_MAX 64u
#define FLIPS     400u

static struct vault_report report;

static enum err verify(unsigned workers, bool quick) {
    struct vault_verify_options options = {.quick = quick, .worker_count = workers};
    return vault_verify(NULL, site_dir, &options, &report, NULL);
}

static struct {
    char path[VAULT_PATH_BYTES_MAX];
    struct bytes bytes;
    size_t from; /* only bytes from here on count */
} files[FILES_MAX];
static size_t file_count;

static int collect_one(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st;
    (void)place;
    if (type != FTW_F || strstr(path, "/keys/") || strstr(path, "/verifier") ||
        strstr(path, "/wal/"))
        return 0;
    assert(file_count < FILES_MAX);
    snprintf(files[file_count].path, sizeof files[0].path, "%s", path);
    files[file_count++].bytes = site_read(path);
    return 0;
}

/* Published in two steps, with two blobs, and a tail that stands in segments only. */
static void make_vault(void) {
    struct vault_blob_writer *blob;
    char vault_dir[VAULT_PATH_BYTES_MAX];
    uint64_t index;
    bool is_repeat;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 1024 * 1024);
    site_fill(writer, 1, 500, 50);
    for (uint64_t i = 0; i < 2; i++) {
        static uint8_t body[100000];
        store_u64(body, i);
        struct vault_entry entry = {.kind = VAULT_MESSAGE,
                                    .media_type = BYTES("application/pdf"),
                                    .body = bytes_from(body, 10)};
        site_must(vault_blob_begin(writer, &blob, NULL), NULL);
        site_must(vault_blob_feed(blob, bytes_from(body, sizeof body), NULL), NULL);
        site_must(vault_blob_finish(blob, &(struct vault_append){&entry, true, false}, &index,
                                    &is_repeat, NULL),
                  NULL);
    }
    site_fill(writer, 501, 400, 7);
    site_publish(300);
    site_publish(PUBLISHED);
    vault_writer_close(writer);
    site_path(vault_dir, "vault");
    file_count = 0;
    nftw(vault_dir, collect_one, 16, FTW_PHYS);
}

static void release_files(void) {
    for (size_t i = 0; i < file_count; i++)
        free((void *)(uintptr_t)files[i].bytes.data);
    file_count = 0;
}

static void test_whole(void) {
    is_int(verify(1, false), ERR_OK);
    ok(report.is_whole && report.published_size == PUBLISHED && report.durable_size == 903);
    is_int(report.blob_count, 2);
    is_int(report.checkpoint_count, 2);
    is_string(report.origin, SITE_ORIGIN);
    is_int(report.damaged_index == UINT64_MAX, 1);
    is_int(verify(2, false), ERR_OK);
    is_int(verify(0, false), ERR_OK);
    is_int(verify(1, true), ERR_OK);
    ok(report.is_whole && report.durable_size == 903);
}

static void test_flips(void) {
    struct random random;
    size_t found = 0, located = 0;
    random_init(&random, 20261123);
    for (unsigned i = 0; i < FLIPS; i++) {
        size_t which = i < file_count ? i : (size_t)random_below(&random, file_count);
        struct bytes bytes = files[which].bytes;
        uint8_t *changed = malloc(bytes.size);
        memcpy(changed, bytes.data, bytes.size);
        uint64_t bit = random_below(&random, bytes.size * 8);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        site_write(files[which].path, bytes_from(changed, bytes.size));
        enum err err = verify(1 + i % 2, false);
        bool is_found =
            (err == ERR_CORRUPT || err == ERR_CRYPTO) && !report.is_whole && report.damage[0];
        bool is_named = strcmp(report.damaged_file, files[which].path) == 0;
        found += is_found;
        located += is_found && is_named;
        if (!is_found || !is_named)
            printf("# %s bit %llu: %s, %s at %s\n", files[which].path, (unsigned long long)bit,
                   err_name(err), report.damage, report.damaged_file);
        site_write(files[which].path, bytes);
        free(changed);
    }
    is_int(found, FLIPS);
    is_int(located, FLIPS);
    is_int(verify(2, false), ERR_OK);
}

/* The exact place, for an entry: its index and the byte where it begins. */
static void test_place(void) {
    char path[VAULT_PATH_BYTES_MAX];
    site_path(path, "vault/tile/entries/001");
    struct bytes bundle = site_read(path);
    uint8_t *changed = malloc(bundle.size);
    memcpy(changed, bundle.data, bundle.size);
    size_t at = 0;
    for (unsigned i = 0; i < 77; i++)
        at += 2 + (size_t)load_u16(changed + at);
    changed[at + 20] ^= 1;
    site_write(path, bytes_from(changed, bundle.size));
    is_int(verify(2, false), ERR_CORRUPT);
    is_int(report.damaged_index, 256 + 77);
    is_int(report.damaged_at, at);
    is_string(report.damaged_file, path);
    /* Two entries of one size exchanged, or one left out. */
    memcpy(changed, bundle.data, bundle.size);
    size_t first = 2 + (size_t)load_u16(changed);
    memmove(changed, changed + first, bundle.size - first);
    site_write(path, bytes_from(changed, bundle.size - first));
    is_int(verify(1, false), ERR_CORRUPT);
    is_int(report.damaged_index, 256);
    memcpy(changed + bundle.size - first, bundle.data, first);
    site_write(path, bytes_from(changed, bundle.size));
    is_int(verify(1, false), ERR_CORRUPT);
    site_write(path, bundle);
    free(changed);
    free((void *)(uintptr_t)bundle.data);
}

static void swap_files(const char *a, const char *b) {
    struct bytes left = site_read(a), right = site_read(b);
    site_write(a, right);
    site_write(b, left);
    free((void *)(uintptr_t)left.data);
    free((void *)(uintptr_t)right.data);
}

static void test_attacks(void) {
    char path[VAULT_PATH_BYTES_MAX], other[VAULT_PATH_BYTES_MAX], tile[VAULT_PATH_BYTES_MAX],
        tile_other[VAULT_PATH_BYTES_MAX];
    /* Two bundles exchanged, with their tiles. */
    site_path(path, "vault/tile/entries/000");
    site_path(other, "vault/tile/entries/001");
    site_path(tile, "vault/tile/0/000");
    site_path(tile_other, "vault/tile/0/001");
    swap_files(path, other);
    swap_files(tile, tile_other);
    is_int(verify(2, false), ERR_CORRUPT);
    swap_files(path, other);
    swap_files(tile, tile_other);
    is_int(verify(2, false), ERR_OK);
    /* An old checkpoint put back. */
    site_path(path, "vault/checkpoint");
    site_path(other, "vault/checkpoints/300");
    struct bytes kept = site_read(path), old = site_read(other);
    site_write(path, old);
    is_int(verify(2, false), ERR_CORRUPT);
    site_write(path, kept);
    /* A file gone. */
    site_path(other, "vault/tile/entries/002");
    struct bytes bundle = site_read(other);
    unlink(other);
    is_int(verify(2, false), ERR_CORRUPT);
    is_int(report.damaged_index, 512);
    is_string(report.damaged_file, other);
    site_write(other, bundle);
    is_int(verify(2, false), ERR_OK);
    /* Another key. */
    struct vault_verify_options options = {
        .verifier_text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"};
    is_int(vault_verify(NULL, site_dir, &options, &report, NULL), ERR_CORRUPT);
    free((void *)(uintptr_t)kept.data);
    free((void *)(uintptr_t)old.data);
    free((void *)(uintptr_t)bundle.data);
}

/* Flips in the live part of the newest segment, but for its last batch, whose loss looks like a torn write. */
static void test_segment(void) {
    char vault_dir[VAULT_PATH_BYTES_MAX], path[VAULT_PATH_BYTES_MAX];
    static uint64_t firsts[SEGMENT_COUNT_MAX];
    size_t count = 0, at = 0, last_batch = 0, found = 0;
    struct record record;
    struct random random;
    site_path(vault_dir, "vault");
    site_must(segments_list(NULL, vault_dir, firsts, &count, NULL), NULL);
    segment_path(path, vault_dir, firsts[count - 1]);
    struct bytes kept = site_read(path);
    uint8_t *changed = malloc(kept.size);
    while (!record_read(bytes_skip(kept, at), &record)) {
        if (record.durable == record.index)
            last_batch = at;
        at += record_bytes(record.sealed.size);
    }
    random_init(&random, 3);
    memcpy(changed, kept.data, kept.size);
    int fd = open(path, O_WRONLY);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t bit = random_below(&random, last_batch * 8);
        uint8_t byte = changed[bit / 8] ^ (uint8_t)(1 << bit % 8);
        ok(pwrite(fd, &byte, 1, (off_t)(bit / 8)) == 1, "a bit is flipped");
        enum err err = verify(1, true);
        found += err == ERR_CORRUPT && strcmp(report.damaged_file, path) == 0 &&
                 report.damaged_at <= bit / 8;
        if (err != ERR_CORRUPT)
            printf("# bit %llu: %s\n", (unsigned long long)bit, err_name(err));
        byte = changed[bit / 8];
        ok(pwrite(fd, &byte, 1, (off_t)(bit / 8)) == 1, "and back");
    }
    is_int(found, 100);
    is_int(verify(1, true), ERR_OK);
    close(fd);
    free(changed);
    free((void *)(uintptr_t)kept.data);
}

/* A copy has no segments, and may be given by its own path. */
static void test_copy(void) {
    char path[VAULT_PATH_BYTES_MAX], away[VAULT_PATH_BYTES_MAX];
    site_path(path, "vault/wal");
    site_path(away, "wal");
    ok(rename(path, away) == 0);
    site_path(path, "vault");
    struct vault_verify_options options = {0};
    is_int(vault_verify(NULL, path, &options, &report, NULL), ERR_OK);
    is_int(report.durable_size, PUBLISHED);
    site_make(); /* nothing published yet */
    is_int(verify(2, false), ERR_OK);
    ok(report.published_size == 0 && report.durable_size == 1);
}

int main(void) {
    make_vault();
    test_whole();
    test_flips();
    test_place();
    test_attacks();
    test_segment();
    release_files();
    test_copy();
    site_remove();
    return done();
}
