/* verify_test.c - a vault that is whole is found whole; a bit flipped anywhere is found, and where. */
#include "base/random.h"
#include "vault_site.h"

#include <sodium.h>

#define PUBLISHED     800u
#define FILES_MAX     64u
#define FLIPS         900u /* beside those in a segment */
#define SEGMENT_FLIPS 100u

static struct vault_report report;
static uint64_t durable;

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
    if (type != FTW_F || strstr(path, "/wal/"))
        return 0;
    assert(file_count < FILES_MAX);
    snprintf(files[file_count].path, sizeof files[0].path, "%s", path);
    files[file_count++].bytes = site_read(path);
    return 0;
}

/* keys/2, keys/1.2 and keys/2.2. */
static void begin_epoch_and_wrap(struct vault_writer *writer) {
    static const uint8_t secret[32] = {5};
    uint8_t public_key[32];
    uint32_t epoch_count;
    crypto_scalarmult_base(public_key, secret);
    site_must(vault_writer_sync(writer, NULL), NULL);
    site_must(vault_writer_rotate(writer, NULL), NULL);
    site_must(vault_writer_wrap_past(writer, public_key, &epoch_count, NULL), NULL);
    is_int(epoch_count, 2);
}

/* Published in two steps, with two blobs, of two epochs, and a tail that stands in segments only. */
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
    begin_epoch_and_wrap(writer);
    site_fill(writer, 501, 400, 7);
    site_publish_to(300);
    site_publish_to(PUBLISHED);
    durable = vault_writer_durable_size(writer);
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
    ok(report.is_whole && report.published_size == PUBLISHED && report.durable_size == durable);
    is_int(report.blob_count, 2);
    is_int(report.checkpoint_count, 2);
    is_string(report.origin, SITE_ORIGIN);
    is_int(report.damaged_index == UINT64_MAX, 1);
    is_int(verify(2, false), ERR_OK);
    is_int(verify(0, false), ERR_OK);
    is_int(verify(1, true), ERR_OK);
    ok(report.is_whole && report.durable_size == durable);
}

/* Of the newest bundles, the entry that holds this byte; UINT64_MAX: the file is another. */
static uint64_t entry_of(const char *path, struct bytes bundle, size_t byte) {
    const char *name = strstr(path, "/entries/");
    char newest[64];
    uint64_t index;
    snprintf(newest, sizeof newest, "/entries/%03u.p/%u", PUBLISHED / 256, PUBLISHED % 256);
    if (!name || (strchr(name, '.') && strcmp(name, newest)))
        return UINT64_MAX;
    index = 256 * strtoull(name + strlen("/entries/"), NULL, 10);
    for (size_t at = 2 + (size_t)load_u16(bundle.data); at <= byte; index++)
        at += 2 + (size_t)load_u16(bundle.data + at);
    return index;
}

/* Found, under the file's own name and, in a bundle, at the entry. */
static bool flip_is_found(const char *path, struct bytes bytes, uint64_t bit, unsigned workers) {
    uint8_t *changed = malloc(bytes.size);
    memcpy(changed, bytes.data, bytes.size);
    changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    site_write(path, bytes_from(changed, bytes.size));
    free(changed);
    enum err err = verify(workers, false);
    uint64_t entry = entry_of(path, bytes, (size_t)(bit / 8));
    bool is_found = (err == ERR_CORRUPT || err == ERR_CRYPTO) && !report.is_whole &&
                    report.damage[0] && !strcmp(report.damaged_file, path) &&
                    (entry == UINT64_MAX || report.damaged_index == entry);
    if (!is_found)
        printf("# %s bit %llu: %s, %s at %s, entry %llu\n", path, (unsigned long long)bit,
               err_name(err), report.damage, report.damaged_file,
               (unsigned long long)report.damaged_index);
    return is_found;
}

static void test_flips(void) {
    static const char *const kinds[] = {"/tile/entries/", "/tile/0/",      "/tile/1/",
                                        "/checkpoint",    "/checkpoints/", "/blob/",
                                        "/verifier",      "/keys/1",       "/keys/1.2"};
    struct random random;
    size_t found = 0, of_kind[sizeof kinds / sizeof kinds[0]] = {0};
    random_init(&random, 20261123);
    for (unsigned i = 0; i < FLIPS; i++) {
        size_t which = i < file_count ? i : (size_t)random_below(&random, file_count);
        struct bytes bytes = files[which].bytes;
        found += flip_is_found(files[which].path, bytes, random_below(&random, bytes.size * 8),
                               1 + i % 2);
        site_write(files[which].path, bytes);
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
            of_kind[k] += strstr(files[which].path, kinds[k]) != NULL;
    }
    is_int(found, FLIPS);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        ok(of_kind[k] >= 10, "bits of each kind of file");
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
    /* These gone. */
    struct bytes verifier;
    unlink(path);
    is_int(verify(2, false), ERR_CORRUPT);
    is_string(report.damaged_file, path);
    site_write(path, kept);
    site_path(path, "vault/verifier");
    verifier = site_read(path);
    unlink(path);
    is_int(verify(2, false), ERR_CORRUPT);
    is_string(report.damaged_file, path);
    site_write(path, verifier);
    free((void *)(uintptr_t)verifier.data);
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
    for (unsigned i = 0; i < SEGMENT_FLIPS; i++) {
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
    is_int(found, SEGMENT_FLIPS);
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
