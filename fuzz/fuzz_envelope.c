/* fuzz_envelope.c - the plain form of an entry, and records of the write-ahead log, from any bytes. */
#include "vault/envelope.h"
#include "vault/layout.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct bytes view, struct bytes whole) {
    return view.size == 0 ||
           (view.data >= whole.data && view.data + view.size <= whole.data + whole.size);
}

static bool is_same(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void check_views(const struct vault_entry *entry, struct bytes in) {
    const struct bytes views[] = {entry->media_type, entry->source,    entry->author, entry->role,
                                  entry->body,       entry->blob_name, entry->digest};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        assert(is_inside(views[i], in));
}

/* What was read can be written, and then says the same; unknown fields may be gone, and the form be another. */
static void check_envelope(struct bytes in) {
    static uint8_t out[PLAIN_BYTES_MAX];
    struct vault_entry entry, again;
    size_t size;
    if (envelope_read(in, &entry))
        return;
    check_views(&entry, in);
    if (envelope_put(&entry, out, sizeof out, &size))
        return;
    enum err err = envelope_read(bytes_from(out, size), &again);
    assert(!err);
    assert(entry.kind == again.kind && entry.flags == again.flags && entry.clock == again.clock &&
           entry.received_at == again.received_at && entry.body_bytes == again.body_bytes);
    assert(is_same(entry.media_type, again.media_type) && is_same(entry.source, again.source) &&
           is_same(entry.author, again.author) && is_same(entry.role, again.role) &&
           is_same(entry.body, again.body) && is_same(entry.blob_name, again.blob_name) &&
           is_same(entry.digest, again.digest));
}

static void check_stored(struct bytes in) {
    struct seal_header header;
    struct vault_entry entry;
    struct bytes name;
    uint32_t epoch;
    if (seal_header_read(in, &header))
        return;
    assert(header.bytes <= in.size && is_inside(header.blob_name, in));
    if (open_entry_read(in, &entry))
        return;
    check_views(&entry, in);
    if (key_entry_name(&entry, &name, &epoch))
        assert(epoch > 0 && is_inside(name, in));
}

static void check_record(struct bytes in) {
    struct record record;
    if (record_read(in, &record))
        return;
    assert(is_inside(record.sealed, in) && record_bytes(record.sealed.size) <= in.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = bytes_from(data, size);
    check_envelope(in);
    check_stored(in);
    check_record(in);
    return 0;
}
