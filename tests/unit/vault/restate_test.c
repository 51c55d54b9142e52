/* restate_test.c - entries that state an older one again, epochs erased, their spans and blobs. */
#include "vault/keys.h"
#include "vault_site.h"

#define BLOB_BYTES 70000u

static struct vault_writer *writer;
static struct fault fault;

static void must_sync(void) {
    site_must(vault_writer_sync(writer, &fault), &fault);
}

static struct vault_entry restated(uint64_t n, uint64_t index, hlc_stamp clock) {
    struct vault_entry entry = site_entry(n);
    entry.kind = VAULT_MESSAGE;
    entry.flags = 0;
    entry.is_restated = true;
    entry.restated_index = index;
    entry.restated_clock = clock;
    entry.restated_parts = 9;
    return entry;
}

static enum err append(const struct vault_entry *entry, bool check_repeat, uint64_t *index,
                       bool *is_repeat) {
    fault = (struct fault){0};
    return vault_writer_append(writer, &(struct vault_append){entry, check_repeat, false}, index,
                               is_repeat, &fault);
}

/* Views of a static opener, until the next call. */
static enum err read_entry(uint64_t index, struct vault_entry *entry) {
    static struct vault_opener *opener;
    static struct vault_reader *reader;
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct bytes sealed;
    vault_opener_close(opener);
    vault_reader_close(reader);
    site_path(vault_dir, "vault");
    site_must(vault_opener_open(&opener, NULL, site_dir, NULL, &fault), &fault);
    site_must(vault_reader_open(&reader, NULL, vault_dir, &fault), &fault);
    site_must(vault_reader_sealed(reader, index, UINT64_MAX, &sealed, &fault), &fault);
    return vault_opener_unseal(opener, sealed, entry, NULL);
}

static hlc_stamp clock_of(uint64_t index) {
    struct vault_entry entry;
    site_must(read_entry(index, &entry), NULL);
    return entry.clock;
}

static void test_kept_as_it_was(void) {
    struct vault_entry got;
    uint64_t first, again;
    bool is_repeat;
    site_make();
    writer = site_writer(NULL, 0);
    site_must(site_append(writer, 3, &first, &is_repeat, &fault), &fault);
    must_sync();
    site_must(vault_writer_rotate(writer, &fault), &fault);
    struct vault_entry entry = restated(3, first, clock_of(first));
    is_int(append(&entry, false, &again, &is_repeat), ERR_OK);
    must_sync();
    ok(!is_repeat && again > first, "the same body stands a second time");
    is_int(read_entry(again, &got), ERR_OK);
    ok(got.is_restated && got.restated_index == first &&
           got.restated_clock == entry.restated_clock && got.restated_parts == 9,
       "it says what it states again, and what of it counts");
    ok(got.received_at == entry.received_at && got.clock > entry.restated_clock && !got.flags &&
           site_is_same(got.body, entry.body),
       "received when it was first received, written now");
    vault_writer_close(writer);
}

/* The memory of repeats is about what senders send. */
static void test_no_repeat_of_senders(void) {
    uint64_t first, again, index;
    bool is_repeat;
    site_make();
    writer = site_writer(NULL, 0);
    site_must(site_append(writer, 3, &first, &is_repeat, &fault), &fault);
    must_sync();
    struct vault_entry entry = restated(8, first, clock_of(first)), sent = restated(8, 0, 0);
    is_int(append(&entry, true, &again, &is_repeat), ERR_OK);
    must_sync();
    sent.is_restated = false;
    is_int(append(&sent, true, &index, &is_repeat), ERR_OK);
    ok(!is_repeat && index == again + 1,
       "what a sender sends now is stored, though it was stated again");
    must_sync();
    vault_writer_close(writer);
    writer = site_writer(NULL, 0);
    is_int(append(&sent, true, &index, &is_repeat), ERR_OK);
    ok(is_repeat && index == again + 1, "and a repeat afterwards, also in the writer's next life");
    vault_writer_close(writer);
}

static void test_what_is_refused(void) {
    uint64_t first, index;
    bool is_repeat;
    site_make();
    writer = site_writer(NULL, 0);
    site_must(site_append(writer, 3, &first, &is_repeat, &fault), &fault);
    must_sync();
    hlc_stamp clock = clock_of(first);
    uint64_t size = vault_writer_durable_size(writer);
    struct vault_entry entry = restated(5, first, clock);
    entry.kind = VAULT_FACT;
    is_int(append(&entry, false, &index, &is_repeat), ERR_INPUT);
    entry.kind = VAULT_KEY;
    is_int(append(&entry, false, &index, &is_repeat), ERR_INPUT);
    entry = restated(5, size, clock);
    is_int(append(&entry, false, &index, &is_repeat), ERR_INPUT);
    entry = restated(5, first, clock + ((hlc_stamp)3600000 << 16));
    is_int(append(&entry, false, &index, &is_repeat), ERR_INPUT);
    is_int(vault_writer_pending_bytes(writer), 0);
    vault_writer_close(writer);
}

/* ---- blobs and spans ---- */

static void append_blob(char letter, bool is_restated, uint64_t *index) {
    static uint8_t body[BLOB_BYTES];
    struct vault_blob_writer *blob;
    struct vault_entry entry = is_restated ? restated(1, 1, 0) : site_entry(1);
    bool is_repeat;
    memset(body, letter, sizeof body);
    entry.kind = VAULT_MESSAGE;
    entry.body = bytes_from(body, 4096);
    site_must(vault_blob_begin(writer, &blob, &fault), &fault);
    site_must(vault_blob_feed(blob, bytes_from(body, sizeof body), &fault), &fault);
    site_must(vault_blob_finish(blob, &(struct vault_append){&entry, true, false}, index,
                                &is_repeat, &fault),
              &fault);
    ok(!is_repeat, "a blob of its own");
    must_sync();
}

struct names {
    uint8_t list[8 * TLOG_HASH_BYTES];
    size_t count;
};

static enum err take_name(void *owner, const uint8_t name[TLOG_HASH_BYTES]) {
    struct names *names = owner;
    memcpy(names->list + TLOG_HASH_BYTES * names->count++, name, TLOG_HASH_BYTES);
    return ERR_OK;
}

static struct names blobs_of(uint64_t from, uint64_t to) {
    struct names names = {.count = 0};
    site_must(
        vault_blobs_each(NULL, site_dir, &(struct vault_span){from, to}, take_name, &names, &fault),
        &fault);
    return names;
}

static enum err take_span(void *owner, const struct vault_span *span) {
    struct text *text = owner;
    text_put_format(text, "%llu-%llu ", (unsigned long long)span->from,
                    (unsigned long long)span->to);
    return ERR_OK;
}

static void is_erased(const char *wanted) {
    char buffer[200];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    site_must(vault_erased_each(NULL, site_dir, take_span, &text, &fault), &fault);
    is_string(buffer, wanted);
}

static bool is_whole(void) {
    static struct vault_report report;
    struct vault_verify_options options = {.worker_count = 1};
    site_publish_to(vault_writer_durable_size(writer));
    return vault_verify(NULL, site_dir, &options, &report, &fault) == ERR_OK;
}

/* Epochs 1 to 5, each of 4 messages; epoch 2 holds a blob, which epoch 5 states again. */
static void make_epochs(uint64_t *blob, uint64_t *again) {
    site_make();
    writer = site_writer(NULL, 0);
    for (uint64_t epoch = 1; epoch <= 5; epoch++) {
        if (epoch > 1)
            site_must(vault_writer_rotate(writer, &fault), &fault);
        site_fill(writer, epoch * 100, 4, 4);
        if (epoch == 2)
            append_blob('b', false, blob);
    }
    append_blob('b', true, again);
}

static void test_erasing(void) {
    uint64_t blob, again, from, to, dropped;
    struct vault_entry entry;
    make_epochs(&blob, &again);
    is_erased("");
    site_must(vault_epoch_range(NULL, site_dir, 2, &from, &to, &fault), &fault);
    ok(from <= blob && blob < to, "the blob is of epoch 2");
    struct names names = blobs_of(from, to), all = blobs_of(0, again + 1);
    is_int(names.count, 1);
    is_int(all.count, 2);
    struct bytes list = bytes_from(names.list, TLOG_HASH_BYTES);
    is_int(vault_writer_drop_blobs(writer, 2, list, &dropped, &fault), ERR_STATE);
    is_int(vault_writer_drop_blobs(writer, 5, list, &dropped, &fault), ERR_STATE);
    is_int(vault_writer_drop_blobs(writer, 6, list, &dropped, &fault), ERR_STATE);
    is_int(blobs_of(from, to).count, 1);
    site_must(vault_writer_erase_epoch(writer, 2, "a test", &fault), &fault);
    ok(is_whole(), "whole with the blob of an erased epoch");
    is_int(vault_writer_drop_blobs(writer, 2, list, &dropped, &fault), ERR_OK);
    is_int(dropped, 1);
    is_int(vault_writer_drop_blobs(writer, 2, list, &dropped, &fault), ERR_OK);
    is_int(dropped, 0);
    is_int(blobs_of(0, again + 1).count, 1);
    ok(is_whole(), "and without it");
    is_int(read_entry(blob, &entry), ERR_NOT_FOUND);
    is_int(read_entry(again, &entry), ERR_OK);
    ok(entry.kind == VAULT_BLOB && entry.body_bytes == BLOB_BYTES && entry.is_restated,
       "what was stated again is there");
    is_int(vault_writer_erase_epoch(writer, 2, "again", &fault), ERR_NOT_FOUND);
    vault_writer_close(writer);
}

static void erase(uint32_t epoch) {
    site_must(vault_writer_erase_epoch(writer, epoch, "a test", &fault), &fault);
}

/* Entry 0 and the beginning of each epoch are open: they belong to what stands before them. */
static void test_spans(void) {
    uint64_t blob, again;
    make_epochs(&blob, &again);
    erase(2);
    is_erased("6-12 ");
    erase(4);
    is_erased("6-12 17-22 ");
    erase(3);
    is_erased("6-22 ");
    erase(1);
    is_erased("1-22 ");
    vault_writer_close(writer);
}

int main(void) {
    test_kept_as_it_was();
    test_no_repeat_of_senders();
    test_what_is_refused();
    test_erasing();
    test_spans();
    site_remove();
    return done();
}
