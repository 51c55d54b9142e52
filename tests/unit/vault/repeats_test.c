/* repeats_test.c - the memory of bodies: generations, taking back, and the cache file whole, damaged and overgrown. */
#include "vault/repeats.h"
#include "vault_site.h"

#define DAY_US (INT64_C(24) * 3600 * US_PER_S)

static const uint8_t *digest_of(uint64_t n) {
    static uint8_t digest[DIGEST_BYTES];
    store_u64(digest, n * UINT64_C(0x9E3779B97F4A7C15));
    store_u64(digest + 8, n);
    return digest;
}

static bool knows(const struct repeats *repeats, uint64_t n) {
    uint64_t index = 0;
    return repeats_find(repeats, digest_of(n), &index) && index == n;
}

static uint64_t count_known(const struct repeats *repeats, uint64_t from, uint64_t to) {
    uint64_t count = 0;
    for (uint64_t n = from; n < to; n++)
        count += knows(repeats, n);
    return count;
}

static void test_memory(void) {
    struct repeats repeats;
    is_int(repeats_init(&repeats, 40000), ERR_OK);
    for (uint64_t n = 0; n < 100000; n++)
        repeats_add(&repeats, digest_of(n), n, 1000);
    is_int(count_known(&repeats, 80000, 100000), 20000);
    is_int(count_known(&repeats, 0, 60000), 0);
    repeats_forget(&repeats, digest_of(99999), 99999);
    repeats_forget(&repeats, digest_of(99998), 5); /* of another index: not this one's */
    ok(!knows(&repeats, 99999) && knows(&repeats, 99998));
    repeats_release(&repeats, NULL);
    repeats_release(&repeats, NULL);
}

static void test_age(void) {
    struct repeats repeats;
    is_int(repeats_init(&repeats, 1000), ERR_OK);
    for (uint64_t day = 0; day < 30; day++) {
        repeats_add(&repeats, digest_of(day), day, (int64_t)(day + 1) * DAY_US);
        uint64_t week_ago = day < 7 ? 0 : day - 7;
        ok(count_known(&repeats, week_ago, day + 1) == day + 1 - week_ago,
           "seven days are remembered");
    }
    ok(!knows(&repeats, 10), "but not for ever");
    repeats_release(&repeats, NULL);
}

/* Taken back although the generations turned over within the batch. */
static void test_turn_over(void) {
    struct repeats repeats;
    is_int(repeats_init(&repeats, 20), ERR_OK);
    for (uint64_t n = 0; n < 15; n++)
        repeats_add(&repeats, digest_of(n), n, 1000);
    for (uint64_t n = 5; n < 15; n++)
        repeats_forget(&repeats, digest_of(n), n);
    is_int(count_known(&repeats, 0, 15), 5);
    repeats_release(&repeats, NULL);
}

/* ---- the cache file ---- */

static void save(struct repeats *repeats, uint64_t from, uint64_t to) {
    for (uint64_t n = from; n < to; n++) {
        uint8_t record[REPEAT_RECORD_BYTES];
        repeat_record_put(record, digest_of(n), n);
        repeats_save(repeats, NULL, bytes_from(record, sizeof record));
    }
}

static uint64_t load(struct repeats *repeats, uint32_t count_max, uint64_t durable_size) {
    site_must(repeats_init(repeats, count_max), NULL);
    repeats_load(repeats, NULL, site_dir, durable_size, 1000);
    return repeats->known_size;
}

static void test_file(void) {
    struct repeats repeats;
    char path[VAULT_PATH_BYTES_MAX];
    site_make();
    site_path(path, "cache/repeats");
    unlink(path);
    is_int(load(&repeats, 1000, 100), 0);
    save(&repeats, 0, 50);
    repeats_release(&repeats, NULL);
    is_int(load(&repeats, 1000, 100), 50);
    is_int(count_known(&repeats, 0, 100), 50);
    save(&repeats, 50, 60);
    repeats_release(&repeats, NULL);
    is_int(load(&repeats, 1000, 55), 55); /* never what is not durable */
    is_int(count_known(&repeats, 0, 100), 55);
    repeats_release(&repeats, NULL);
    is_int(load(&repeats, 1000, 100), 55);
    repeats_release(&repeats, NULL);

    struct bytes kept = site_read(path);
    uint8_t *changed = malloc(kept.size);
    uint64_t believed = 0;
    for (size_t bit = 0; bit < kept.size * 8; bit += 5) {
        memcpy(changed, kept.data, kept.size);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        site_write(path, bytes_from(changed, kept.size));
        believed += load(&repeats, 1000, 100) != bit / 8 / REPEAT_RECORD_BYTES;
        repeats_release(&repeats, NULL);
    }
    is_int(believed, 0);
    site_write(path, bytes_first(kept, kept.size - 3)); /* the last record cut */
    is_int(load(&repeats, 1000, 100), 54);
    repeats_release(&repeats, NULL);
    free(changed);
    free((void *)(uintptr_t)kept.data);
}

static void test_overgrown(void) {
    struct repeats repeats;
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    site_path(path, "cache/repeats");
    unlink(path);
    load(&repeats, 100, 1000);
    save(&repeats, 0, 205);
    repeats_release(&repeats, NULL);
    is_int(load(&repeats, 100, 1000), 205);
    is_int(count_known(&repeats, 155, 205), 50);
    ok(stat(path, &st) == 0 && st.st_size == 100 * REPEAT_RECORD_BYTES, "only the end is kept");
    save(&repeats, 205, 210);
    repeats_release(&repeats, NULL);
    is_int(load(&repeats, 100, 1000), 210);
    is_int(count_known(&repeats, 160, 210), 50);
    repeats_release(&repeats, NULL);
}

int main(void) {
    test_memory();
    test_age();
    test_turn_over();
    test_file();
    test_overgrown();
    site_remove();
    return done();
}
