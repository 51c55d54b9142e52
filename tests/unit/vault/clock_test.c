/* clock_test.c - which entries a clock that jumps marks as doubtful. */
#include "vault_site.h"

#define HOUR (3600 * US_PER_S)

static bool is_marked(uint64_t index) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader;
    struct vault_opener *opener;
    struct bytes sealed;
    struct vault_entry entry;
    struct fault fault = {0};
    site_path(vault_dir, "vault");
    site_must(vault_reader_open(&reader, NULL, vault_dir, &fault), &fault);
    site_must(vault_opener_open(&opener, NULL, site_dir, NULL, &fault), &fault);
    site_must(vault_reader_sealed(reader, index, UINT64_MAX, &sealed, &fault), &fault);
    site_must(vault_opener_unseal(opener, sealed, &entry, &fault), &fault);
    bool marked = entry.flags & VAULT_CLOCK_DOUBTFUL;
    vault_opener_close(opener);
    vault_reader_close(reader);
    return marked;
}

/* One life of a writer whose clock is `ahead_us` ahead of the real one: is what it writes marked? */
static bool life_is_doubtful(int64_t ahead_us) {
    struct sys sys;
    static uint64_t number = 1; /* never one whose flag the body's number sets */
    uint64_t index = 0;
    bool is_repeat;
    sys_init(&sys);
    sys.has_false_clock = true;
    sys.false_now_us = sys_now_us(NULL) + ahead_us;
    struct vault_writer *writer = site_writer(&sys, 0);
    bool said = vault_writer_clock_is_doubtful(writer);
    is_int(site_append(writer, number += 7, &index, &is_repeat, NULL), ERR_OK);
    is_int(vault_writer_sync(writer, NULL), ERR_OK);
    vault_writer_close(writer);
    bool marked = is_marked(index);
    ok(said == marked, "the writer says what it marks");
    return marked;
}

static void test_lives(void) {
    char cache[VAULT_PATH_BYTES_MAX];
    site_make();
    site_path(cache, "cache/clock");
    ok(!life_is_doubtful(0), "a clock that goes on is believed");
    ok(!life_is_doubtful(9 * 60 * US_PER_S), "nine minutes are followed");
    ok(!life_is_doubtful(18 * 60 * US_PER_S), "and nine more");
    ok(life_is_doubtful(3 * HOUR), "hours ahead between two lives");
    ok(!life_is_doubtful(3 * HOUR), "the next life takes it as it is");
    ok(life_is_doubtful(-HOUR), "back, before the newest entry");
    ok(life_is_doubtful(-HOUR), "for as long as it is behind");
    unlink(cache);
    ok(life_is_doubtful(-HOUR), "which the vault itself knows");
    unlink(cache);
    ok(!life_is_doubtful(72 * HOUR), "without the cache, ahead cannot be told from a long night");
    site_write(cache, BYTES("no boot 12\n"));
    ok(!life_is_doubtful(96 * HOUR), "nor with one of another start of the machine");
}

int main(void) {
    test_lives();
    site_remove();
    return done();
}
