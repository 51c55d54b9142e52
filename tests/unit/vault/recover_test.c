/* recover_test.c - what a writer finds after a crash: torn tails are dropped, damage to synced data is refused. */
#include "vault_site.h"

struct segment {
    char path[VAULT_PATH_BYTES_MAX];
    struct bytes bytes;
    size_t record_at[64]; /* where each record begins; the last is the end */
    size_t record_count;
};

/* The newest segment, with the places of its records. */
static struct segment load_segment(void) {
    struct segment segment = {0};
    char vault_dir[VAULT_PATH_BYTES_MAX];
    static uint64_t firsts[SEGMENT_COUNT_MAX];
    size_t count = 0, at = 0;
    struct record record;
    site_path(vault_dir, "vault");
    site_must(segments_list(NULL, vault_dir, firsts, &count, NULL), NULL);
    segment_path(segment.path, vault_dir, firsts[count - 1]);
    segment.bytes = site_read(segment.path);
    while (!record_read(bytes_skip(segment.bytes, at), &record)) {
        segment.record_at[segment.record_count++] = at;
        at += record_bytes(record.sealed.size);
    }
    segment.record_at[segment.record_count] = at;
    return segment;
}

/* A site whose newest segment holds `count` entries, each a batch of its own, or all one batch. */
static struct segment make_segment(uint64_t count, bool one_batch) {
    site_make();
    struct vault_writer *writer = site_writer(NULL, 64 * 1024);
    site_fill(writer, 1, count, one_batch ? count : 1);
    vault_writer_close(writer);
    return load_segment();
}

static uint64_t reopened_size(void) {
    struct vault_writer *writer = site_writer(NULL, 64 * 1024);
    uint64_t size = vault_writer_durable_size(writer);
    vault_writer_close(writer);
    return size;
}

static bool opens_damaged(struct fault *fault) {
    struct vault_writer *writer;
    *fault = (struct fault){0};
    enum err err = vault_writer_open(&writer, NULL, site_dir, NULL, fault);
    if (!err)
        vault_writer_close(writer);
    return err == ERR_CORRUPT;
}

/* The last record torn at every byte, the rest zeros or rubbish: one entry less, and the vault goes on. */
static void test_torn(int rest) {
    struct segment segment = make_segment(6, false);
    uint8_t *copy = malloc(segment.bytes.size);
    size_t last = segment.record_at[segment.record_count - 1];
    size_t end = segment.record_at[segment.record_count];
    size_t good = 0, tried = 0;
    for (size_t cut = last; cut < end; cut++) {
        memcpy(copy, segment.bytes.data, segment.bytes.size);
        memset(copy + cut, rest, end - cut);
        bool is_whole = memcmp(copy, segment.bytes.data, segment.bytes.size) == 0;
        site_write(segment.path, bytes_from(copy, segment.bytes.size));
        tried++;
        good += reopened_size() == (is_whole ? 7 : 6);
    }
    is_int(good, tried);
    /* Go on behind the last tear: what is appended takes the place of what was torn off. */
    memset(copy + last + 60, rest, end - last - 60);
    site_write(segment.path, bytes_from(copy, segment.bytes.size));
    struct vault_writer *writer = site_writer(NULL, 64 * 1024);
    site_fill(writer, 6, 20, 3);
    is_int(vault_writer_durable_size(writer), 26);
    vault_writer_close(writer);
    is_int(reopened_size(), 26);
    ok(site_holds(1, 25), "the entries after the tear are the new ones");
    free(copy);
    free(segment.bytes.data ? (void *)(uintptr_t)segment.bytes.data : NULL);
}

/* A batch whose first record is torn and whose others are whole was never acknowledged: all of it goes. */
static void test_torn_batch(void) {
    struct segment segment = make_segment(6, true);
    uint8_t *copy = malloc(segment.bytes.size);
    memcpy(copy, segment.bytes.data, segment.bytes.size);
    is_int(segment.record_count, 6);
    copy[segment.record_at[2] + RECORD_HEADER_BYTES + 3] ^= 1;
    site_write(segment.path, bytes_from(copy, segment.bytes.size));
    is_int(reopened_size(), 3);
    struct vault_writer *writer = site_writer(NULL, 64 * 1024);
    site_fill(writer, 3, 10, 1);
    vault_writer_close(writer);
    is_int(reopened_size(), 13);
    ok(site_holds(1, 12), "the whole records of the torn batch are not taken for live ones");
    free(copy);
    free((void *)(uintptr_t)segment.bytes.data);
}

/* Any bit of an entry that others were written behind: refused, and nothing is cut off. */
static void test_damage(void) {
    struct segment segment = make_segment(6, false);
    uint8_t *copy = malloc(segment.bytes.size);
    size_t from = segment.record_at[2], to = segment.record_at[3], refused = 0, tried = 0;
    struct fault fault;
    for (size_t bit = from * 8; bit < to * 8; bit += 3) {
        if (bit / 8 >= from + 16 && bit / 8 < from + 24)
            continue; /* how much was durable: evidence for others, not of this entry */
        memcpy(copy, segment.bytes.data, segment.bytes.size);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        site_write(segment.path, bytes_from(copy, segment.bytes.size));
        tried++;
        refused += opens_damaged(&fault) && fault.at == from && strstr(fault.subject, "wal/");
    }
    is_int(refused, tried);
    struct bytes after = site_read(segment.path);
    ok(after.size == segment.bytes.size && !memcmp(after.data, copy, after.size),
       "nothing was cut off");
    free((void *)(uintptr_t)after.data);
    memset(copy + from, 0, to - from); /* a whole record gone */
    site_write(segment.path, bytes_from(copy, segment.bytes.size));
    ok(opens_damaged(&fault) && fault.at == from, "a record that is missing");
    site_write(segment.path, segment.bytes);
    is_int(reopened_size(), 7);
    /* Published, the same damage hurts nobody. */
    site_publish_to(7);
    memcpy(copy, segment.bytes.data, segment.bytes.size);
    copy[from + 80] ^= 1;
    site_write(segment.path, bytes_from(copy, segment.bytes.size));
    is_int(reopened_size(), 7);
    struct vault_writer *writer = site_writer(NULL, 64 * 1024);
    site_fill(writer, 7, 3, 1);
    vault_writer_close(writer);
    is_int(reopened_size(), 10);
    ok(site_holds(1, 9));
    free(copy);
    free((void *)(uintptr_t)segment.bytes.data);
}

/* Damage in what is published, with entries behind it that are not: those are still there. */
static void test_damage_below_published(void) {
    struct segment segment = make_segment(9, false);
    uint8_t *copy = malloc(segment.bytes.size);
    site_publish_to(5);
    memcpy(copy, segment.bytes.data, segment.bytes.size);
    copy[segment.record_at[1] + 70] ^= 1;
    site_write(segment.path, bytes_from(copy, segment.bytes.size));
    is_int(reopened_size(), 10);
    free(copy);
    free((void *)(uintptr_t)segment.bytes.data);
}

/* A segment in the middle is gone. */
static void test_missing_segment(void) {
    char vault_dir[VAULT_PATH_BYTES_MAX], path[VAULT_PATH_BYTES_MAX];
    static uint64_t firsts[SEGMENT_COUNT_MAX];
    size_t count = 0;
    struct fault fault;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 8 * 1024);
    site_fill(writer, 1, 100, 5);
    vault_writer_close(writer);
    site_path(vault_dir, "vault");
    site_must(segments_list(NULL, vault_dir, firsts, &count, NULL), NULL);
    ok(count > 4, "several segments");
    segment_path(path, vault_dir, firsts[2]);
    struct bytes kept = site_read(path);
    unlink(path);
    ok(opens_damaged(&fault), "a missing segment is noticed");
    site_write(path, kept);
    is_int(reopened_size(), 101);
    free((void *)(uintptr_t)kept.data);
}

int main(void) {
    test_torn(0);
    test_torn('#');
    test_torn_batch();
    test_damage();
    test_damage_below_published();
    test_missing_segment();
    site_remove();
    return done();
}
