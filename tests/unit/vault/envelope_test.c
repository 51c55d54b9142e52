/* envelope_test.c - entries as bytes: written, read, sealed, unsealed; every change noticed. */
#include "guard.h"
#include "tap.h"
#include "vault/envelope.h"

#include <sodium.h>

static const uint8_t key[32] = {1, 2, 3};

static struct vault_entry example(void) {
    return (struct vault_entry){
        .kind = VAULT_FACT,
        .flags = VAULT_CLOCK_DOUBTFUL,
        .media_type = BYTES("application/fhir+json"),
        .source = BYTES("web"),
        .clock = UINT64_C(0x0123456789ABCDEF),
        .received_at = -5,
        .author = BYTES("dupont"),
        .role = BYTES("nurse"),
        .body = BYTES("{\"resourceType\":\"Observation\"}"),
        .digest = BYTES("0123456789abcdef"),
    };
}

static bool is_example(const struct vault_entry *got) {
    struct vault_entry wanted = example();
    return got->kind == wanted.kind && got->flags == wanted.flags && got->clock == wanted.clock &&
           got->received_at == wanted.received_at &&
           bytes_equal(got->media_type, wanted.media_type) &&
           bytes_equal(got->source, wanted.source) && bytes_equal(got->author, wanted.author) &&
           bytes_equal(got->role, wanted.role) && bytes_equal(got->body, wanted.body) &&
           bytes_equal(got->digest, wanted.digest) && got->body_bytes == wanted.body.size;
}

/* The bytes of docs/format/vault.md's example, written out. */
static void test_exact(void) {
    struct vault_entry entry = {
        .kind = VAULT_NOTE, .source = BYTES("node"), .clock = 1, .body = BYTES("up")};
    uint8_t out[256];
    size_t size;
    is_int(envelope_put(&entry, out, sizeof out, &size), ERR_OK);
    static const uint8_t wanted[] = {1, 'k', 0, 1, 5, 's', 0, 4, 'n', 'o', 'd', 'e', 'c',
                                     0, 8,   0, 0, 0, 0,   0, 0, 0,   1,   'r', 0,   8,
                                     0, 0,   0, 0, 0, 0,   0, 0, 'B', 'u', 'p'};
    is_int(size, sizeof wanted);
    ok(memcmp(out, wanted, sizeof wanted) == 0, "byte for byte");
}

/* The restated message of docs/format/vault.md. */
static void test_restated_of_the_page(void) {
    static const char hex[] =
        "016b0001016d00126170706c69636174696f6e2f686c372d76327300096d6c6c702f6d61696e63000800"
        "0000000002000072000800000000000003e8690008000000000000002a77000800000000000100006800"
        "080000000000000001424d53487c5e7e5c267c47414d0d5049447c317c7c343731310d";
    struct vault_entry entry = {.kind = VAULT_MESSAGE,
                                .media_type = BYTES("application/hl7-v2"),
                                .source = BYTES("mllp/main"),
                                .clock = 2 << 16,
                                .received_at = 1000,
                                .body = BYTES("MSH|^~\\&|GAM\rPID|1||4711\r"),
                                .is_restated = true,
                                .restated_index = 42,
                                .restated_clock = 1 << 16,
                                .restated_parts = 1};
    uint8_t out[256], wanted[(sizeof hex - 1) / 2];
    size_t size;
    ok(hex_decode(bytes_from_string(hex), wanted, sizeof wanted));
    is_int(envelope_put(&entry, out, sizeof out, &size), ERR_OK);
    ok(size == sizeof wanted && !memcmp(out, wanted, size), "byte for byte");
}

/* The sealed bytes that docs/format/vault.md gives: they must be read for ever. */
static void test_example_of_the_page(void) {
    static const char hex[] =
        "01000000000000000001404142434445464748494a4b4c4d4e4f5051525354555657"
        "d5520571d5937912e19be3dbcc9c6d9292baadc4135952e86a39fd450904239016f9401b"
        "25a61aeb1805aadec584c6cdd06b44fb95";
    uint8_t sealed[(sizeof hex - 1) / 2], page_key[32], leaf[32];
    uint32_t needed;
    struct sealer *sealer;
    struct vault_entry entry;
    struct tlog_hash hash;
    for (uint8_t i = 0; i < 32; i++)
        page_key[i] = i;
    ok(hex_decode(bytes_from_string(hex), sealed, sizeof sealed));
    is_int(sealer_open(&sealer, "hospital.example/veilleuse/node-1/1"), ERR_OK);
    is_int(sealer_unseal(sealer, bytes_from(sealed, sizeof sealed), page_key, &entry, &needed),
           ERR_OK);
    ok(entry.kind == VAULT_NOTE && entry.clock == 1 && entry.received_at == 0 &&
       bytes_is(entry.source, "node") && bytes_is(entry.body, "up"));
    tlog_leaf_hash(bytes_from(sealed, sizeof sealed), &hash);
    ok(hex_decode(BYTES("bb391396873653fc52e7de495e0b176788932a1ed17519abe77ffa391e6df492"), leaf,
                  32) &&
       !memcmp(leaf, hash.bytes, sizeof leaf));
    sealer_close(sealer);
}

static void test_plain(void) {
    struct vault_entry entry = example(), got;
    struct guard guard;
    uint8_t out[1024];
    size_t size;
    is_int(envelope_put(&entry, out, sizeof out, &size), ERR_OK);
    guard_init(&guard, sizeof out);
    is_int(envelope_read(guard_copy(&guard, bytes_from(out, size)), &got), ERR_OK);
    ok(is_example(&got));
    size_t body_at = size - entry.body.size, taken = 0;
    for (size_t cut = 0; cut < body_at; cut++)
        taken += envelope_read(guard_copy(&guard, bytes_from(out, cut)), &got) == ERR_OK;
    is_int(taken, 0);
    for (size_t room = 0; room < size; room++)
        taken += envelope_put(&entry, guard.pages + guard.bytes_max - room - 1, room + 1, &size) ==
                 ERR_OK;
    is_int(taken, 0);
    entry.is_restated = true;
    entry.restated_index = 7;
    entry.restated_clock = 8;
    is_int(envelope_put(&entry, out, sizeof out, &size), ERR_OK);
    is_int(envelope_read(guard_copy(&guard, bytes_from(out, size)), &got), ERR_OK);
    ok(is_example(&got) && got.is_restated && got.restated_index == 7 && got.restated_clock == 8 &&
           got.restated_parts == 0,
       "stated again, all of it");
    entry.restated_parts = 31;
    is_int(envelope_put(&entry, out, sizeof out, &size), ERR_OK);
    is_int(envelope_read(guard_copy(&guard, bytes_from(out, size)), &got), ERR_OK);
    is_int(got.restated_parts, 31);
    is_int(envelope_read(BYTES("\x02k\0\1\1B"), &got), ERR_UNSUPPORTED);
    is_int(envelope_read(bytes_from("\1k\0\1\1z\0\2..Bbody", 15), &got), ERR_OK);
    ok(bytes_is(got.body, "body") && got.kind == VAULT_MESSAGE, "an unknown field is passed over");
    is_int(envelope_read(bytes_from("\1k\0\1\11B", 6), &got), ERR_INPUT);
    is_int(envelope_read(bytes_from("\1k\0\2\1\1B", 7), &got), ERR_INPUT);
    guard_release(&guard);
}

static void test_seal(const struct vault_entry *entry, bool in_haste) {
    static uint8_t out[PLAIN_BYTES_MAX + SEAL_BYTES], changed[PLAIN_BYTES_MAX + SEAL_BYTES];
    struct sealer *sealer, *elsewhere;
    struct vault_entry got;
    uint8_t other_key[32] = {9};
    uint32_t needed;
    size_t size, taken = 0;
    struct seal_header header;
    struct seal_options options = {.epoch = 7, .key = key, .in_haste = in_haste};
    is_int(sealer_open(&sealer, "a.example/log"), ERR_OK);
    is_int(sealer_open(&elsewhere, "b.example/log"), ERR_OK);
    is_int(sealer_seal(sealer, entry, &options, out, &size), ERR_OK);
    is_int(seal_header_read(bytes_from(out, size), &header), ERR_OK);
    is_int(header.epoch, 7);
    ok(!header.is_open && bytes_equal(header.blob_name, entry->blob_name),
       "the blob's name is there for all to see");
    is_int(sealer_unseal(sealer, bytes_from(out, size), key, &got, &needed), ERR_OK);
    ok(bytes_equal(got.body, entry->body), "the body came back");
    is_int(sealer_unseal(sealer, bytes_from(out, size), other_key, &got, &needed), ERR_CRYPTO);
    is_int(sealer_unseal(elsewhere, bytes_from(out, size), key, &got, &needed), ERR_CRYPTO);
    size_t step = size > 2000 ? 211 : 1;
    for (size_t bit = 0; bit < size * 8; bit += step) {
        memcpy(changed, out, size);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        taken += sealer_unseal(sealer, bytes_from(changed, size), key, &got, &needed) == ERR_OK;
    }
    for (size_t cut = 0; cut < size; cut += step)
        taken += sealer_unseal(sealer, bytes_from(out, cut), key, &got, &needed) == ERR_OK;
    is_int(taken, 0);
    sealer_close(sealer);
    sealer_close(elsewhere);
}

static void test_sizes(void) {
    static uint8_t body[VAULT_INLINE_BYTES_MAX], out[PLAIN_BYTES_MAX + SEAL_BYTES];
    struct sealer *sealer;
    struct vault_entry entry = example(), got;
    size_t size = 0, small = 0, large = 0;
    uint32_t needed;
    struct seal_options options = {.epoch = 1, .key = key};
    randombytes_buf(body, sizeof body);
    entry.body = bytes_from(body, sizeof body);
    test_seal(&entry, false);
    test_seal(&entry, true);
    memset(body, 'x', sizeof body);
    test_seal(&entry, false);
    is_int(sealer_open(&sealer, "a"), ERR_OK);
    is_int(sealer_seal(sealer, &entry, &options, out, &small), ERR_OK);
    ok(small < sizeof body / 10, "what repeats itself is compressed");
    randombytes_buf(body, sizeof body);
    is_int(sealer_seal(sealer, &entry, &options, out, &large), ERR_OK);
    ok(large <= sizeof body + 512 && large <= TLOG_ENTRY_BYTES_MAX,
       "what does not shrink stays as it is");
    static uint8_t long_source[600];
    memset(long_source, 's', sizeof long_source);
    entry.source = bytes_from(long_source, sizeof long_source);
    is_int(sealer_seal(sealer, &entry, &options, out, &size), ERR_LIMIT);
    entry = example();
    entry.body = BYTES_NONE;
    is_int(sealer_seal(sealer, &entry, &options, out, &size), ERR_OK);
    is_int(sealer_unseal(sealer, bytes_from(out, size), key, &got, &needed), ERR_OK);
    is_int(got.body.size, 0);
    sealer_close(sealer);
}

static void test_open(void) {
    static uint8_t out[PLAIN_BYTES_MAX + SEAL_BYTES];
    static const uint8_t hash[32] = {1, 2, 3};
    struct sealer *sealer;
    struct seal_header header;
    struct seal_options options = {.key = NULL};
    struct vault_entry entry = {.kind = VAULT_KEY,
                                .source = BYTES("vault/keys/12.3"),
                                .body = bytes_from(hash, sizeof hash)},
                       got;
    struct bytes name;
    uint32_t epoch = 0;
    size_t size, taken = 0;
    is_int(sealer_open(&sealer, "a"), ERR_OK);
    is_int(sealer_seal(sealer, &entry, &options, out, &size), ERR_OK);
    is_int(seal_header_read(bytes_from(out, size), &header), ERR_OK);
    ok(header.is_open && header.epoch == 0 && header.dictionary == 0);
    is_int(open_entry_read(bytes_from(out, size), &got), ERR_OK);
    ok(key_entry_name(&got, &name, &epoch) && epoch == 12 && bytes_is(name, "12.3"));
    for (size_t cut = 0; cut < size - sizeof hash; cut++)
        taken += open_entry_read(bytes_from(out, cut), &got) == ERR_OK;
    is_int(taken, 0);
    static const char *const others[] = {
        "vault/keys/",    "vault/keys/0",          "vault/keys/x", "vault/keys/1.1",
        "vault/keys/1.x", "vault/keys/4294967296", "elsewhere/1",  "vault/keys/../1"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        got.source = bytes_from_string(others[i]);
        taken += key_entry_name(&got, &name, &epoch);
    }
    is_int(taken, 0);
    for (unsigned form = 1; form < 256; form++) {
        out[1] = (uint8_t)form;
        taken += form != 4 && open_entry_read(bytes_from(out, size), &got) == ERR_OK;
    }
    is_int(taken, 0);
    sealer_close(sealer);
}

/* What is compressed with a dictionary needs just that one again. */
static void test_dictionary(void) {
    static uint8_t out[PLAIN_BYTES_MAX + SEAL_BYTES];
    static char words[] = "MSH|^~\\&|LABO|CHU|DPI|CHU|20261125||ORU^R01^ORU_R01|1|P|2.5\r"
                          "PID|1||4711^^^CHU^PI||MARTIN^ANNE||19800502|F\r"
                          "OBX|1|NM|718-7^Hemoglobin^LN||11.2|g/dL|12.0-16.0|L|||F\r";
    struct sealer *sealer, *reader;
    struct vault_entry entry = example(), got;
    uint32_t needed = 0;
    size_t without, with;
    struct seal_options options = {.epoch = 1, .key = key};
    entry.body = bytes_from_string(words);
    is_int(sealer_open(&sealer, "a"), ERR_OK);
    is_int(sealer_open(&reader, "a"), ERR_OK);
    is_int(sealer_seal(sealer, &entry, &options, out, &without), ERR_OK);
    is_int(sealer_use_dictionary(sealer, 3, entry.body), ERR_OK);
    ok(bytes_is(sealer_dictionary(sealer), words));
    is_int(sealer_use_dictionary(sealer, 4, sealer_dictionary(sealer)), ERR_OK);
    is_int(sealer_seal(sealer, &entry, &options, out, &with), ERR_OK);
    ok(with < without, "it is smaller");
    is_int(sealer_unseal(reader, bytes_from(out, with), key, &got, &needed), ERR_NOT_FOUND);
    is_int(needed, 4);
    for (uint32_t other = 10; other < 20; other++)
        is_int(sealer_add_dictionary(reader, other, BYTES("another")), ERR_OK);
    is_int(sealer_add_dictionary(reader, needed, bytes_from_string(words)), ERR_OK);
    is_int(sealer_unseal(reader, bytes_from(out, with), key, &got, &needed), ERR_OK);
    ok(bytes_is(got.body, words));
    sealer_use_no_dictionary(sealer);
    is_int(sealer_seal(sealer, &entry, &options, out, &with), ERR_OK);
    is_int(sealer_unseal(reader, bytes_from(out, with), key, &got, &needed), ERR_OK);
    entry.kind = VAULT_DICTIONARY;
    is_int(sealer_use_dictionary(sealer, 3, entry.body), ERR_OK);
    is_int(sealer_seal(sealer, &entry, &options, out, &with), ERR_OK);
    struct seal_header header;
    is_int(seal_header_read(bytes_from(out, with), &header), ERR_OK);
    is_int(header.dictionary, 0);
    sealer_close(sealer);
    sealer_close(reader);
}

int main(void) {
    if (sodium_init() < 0)
        skip_all("libsodium does not start");
    struct vault_entry entry = example();
    test_exact();
    test_restated_of_the_page();
    test_example_of_the_page();
    test_plain();
    test_seal(&entry, false);
    test_sizes();
    test_open();
    test_dictionary();
    return done();
}
