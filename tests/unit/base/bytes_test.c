/* bytes_test.c - views of bytes. */
#include "base/bytes.h"
#include "guard.h"
#include "tap.h"

static struct guard guard;

static struct bytes at_edge(const char *string) {
    return guard_copy(&guard, bytes_from_string(string));
}

static void test_compare(void) {
    ok(bytes_compare(BYTES("a"), BYTES("b")) < 0);
    ok(bytes_compare(BYTES("b"), BYTES("a")) > 0);
    ok(bytes_compare(BYTES("a"), BYTES("ab")) < 0, "a prefix comes first");
    ok(bytes_compare(BYTES_NONE, BYTES("")) == 0);
    ok(bytes_compare(BYTES("\xff"), BYTES("a")) > 0, "bytes are unsigned");
    ok(bytes_is(BYTES("MSH"), "MSH") && !bytes_is(BYTES("MSH"), "MS"));
    ok(bytes_starts_with(BYTES("MSH|"), BYTES("MSH")) &&
       !bytes_starts_with(BYTES("MS"), BYTES("MSH")));
    ok(bytes_skip(BYTES("abc"), 9).size == 0 && bytes_is(bytes_skip(BYTES("abc"), 1), "bc"));
    ok(bytes_is(bytes_first(BYTES("abc"), 2), "ab") &&
       bytes_is(bytes_first(BYTES("abc"), 9), "abc"));
}

static void test_trim(void) {
    ok(bytes_is(bytes_trim(at_edge(" \t\r\na b\v\f ")), "a b"));
    ok(bytes_is_empty(bytes_trim(at_edge("   "))) && bytes_is_empty(bytes_trim(BYTES_NONE)));
}

static unsigned count_parts(struct bytes b, struct bytes *last) {
    unsigned count = 0;
    while (bytes_next_part(&b, '|', last))
        count++;
    return count;
}

static void test_parts(void) {
    struct bytes part = BYTES_NONE, rest = at_edge("a|b");
    ok(bytes_next_part(&rest, '|', &part) && bytes_is(part, "a"));
    ok(bytes_next_part(&rest, '|', &part) && bytes_is(part, "b"));
    ok(!bytes_next_part(&rest, '|', &part));
    is_int(count_parts(at_edge("a|"), &part), 2);
    ok(part.size == 0, "an empty part behind the last separator");
    is_int(count_parts(at_edge("||"), &part), 3);
    is_int(count_parts(at_edge(""), &part), 1);
    is_int(count_parts(BYTES_NONE, &part), 0);
}

static void test_numbers(void) {
    uint64_t n = 7;
    ok(bytes_to_u64(at_edge("18446744073709551615"), &n) && n == UINT64_MAX);
    ok(bytes_to_u64(at_edge("000000000000000000000000042"), &n) && n == 42);
    n = 7;
    ok(!bytes_to_u64(at_edge("18446744073709551616"), &n));
    ok(!bytes_to_u64(at_edge(""), &n) && !bytes_to_u64(at_edge("-1"), &n) &&
       !bytes_to_u64(at_edge("1 "), &n));
    is_int(n, 7);
    ok(bytes_is_digits(at_edge("0123456789")) && !bytes_is_digits(at_edge("12:")) &&
       !bytes_is_digits(at_edge("/1")) && !bytes_is_digits(BYTES_NONE));
    uint8_t raw[8];
    store_u64(raw, UINT64_C(0x0102030405060708));
    ok(raw[0] == 1 && raw[7] == 8 && load_u64(raw) == UINT64_C(0x0102030405060708));
    ok(load_u32(raw) == 0x01020304 && load_u16(raw) == 0x0102, "big-endian");
}

/* Against a second decoder, written from the table of RFC 3629 by values instead of by ranges. */
static bool is_utf8_by_value(const uint8_t *p, size_t size) {
    for (size_t i = 0; i < size;) {
        size_t length = p[i] < 0x80           ? 1
                        : (p[i] >> 5) == 6    ? 2
                        : (p[i] >> 4) == 0xe  ? 3
                        : (p[i] >> 3) == 0x1e ? 4
                                              : 0;
        static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
        if (length == 0 || length > size - i)
            return false;
        uint32_t value = length == 1 ? p[i] : p[i] & (0x7fu >> length);
        for (size_t k = 1; k < length; k++) {
            if (p[i + k] >> 6 != 2)
                return false;
            value = value << 6 | (p[i + k] & 0x3fu);
        }
        if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
            return false;
        i += length;
    }
    return true;
}

static void test_utf8_all_short(void) {
    static const uint8_t tails[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                    0xa0, 0xbf, 0xc0, 0xe0, 0xf0, 0xff};
    unsigned wrong = 0;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            for (size_t c = 0; c < sizeof tails; c++)
                for (size_t d = 0; d < sizeof tails; d++) {
                    const uint8_t raw[] = {(uint8_t)a, (uint8_t)b, tails[c], tails[d]};
                    for (size_t size = 1; size <= 4; size++)
                        wrong += bytes_is_utf8(bytes_from(raw, size), NULL) !=
                                 is_utf8_by_value(raw, size);
                }
    is_int(wrong, 0);
}

static void test_utf8(void) {
    bool has_multibyte = true;
    ok(bytes_is_utf8(at_edge("plain ASCII, long enough for words"), &has_multibyte));
    ok(!has_multibyte);
    ok(bytes_is_utf8(at_edge("Hélène à l'hôpital de Dax, chambre 12, 38,5 \u20ac"),
                     &has_multibyte));
    ok(has_multibyte);
    ok(bytes_is_utf8(BYTES_NONE, NULL));
    const char *text = "aaaaaaaaaaaaaaa\xf0\x9f\x8f\xa5";
    unsigned valid = 0;
    for (size_t size = 0; size <= strlen(text); size++)
        valid += bytes_is_utf8(guard_copy(&guard, bytes_from(text, size)), NULL);
    is_int(valid, 17);
    is_int(bytes_utf8_length(BYTES("\xc3\xa9x")), 2);
    is_int(bytes_utf8_length(BYTES("\xe9x")), 0);
}

int main(void) {
    guard_init(&guard, 4096);
    test_compare();
    test_trim();
    test_parts();
    test_numbers();
    test_utf8_all_short();
    test_utf8();
    guard_release(&guard);
    return done();
}
