/* text_test.c - text with a maximum, base64 and hexadecimal. */
#include "base/text.h"
#include "guard.h"
#include "tap.h"

static void test_put(void) {
    char buffer[64];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_put_string(&text, "lit ");
    text_put_u64(&text, UINT64_MAX);
    text_put_char(&text, ' ');
    text_put_i64(&text, INT64_MIN);
    text_put_char(&text, ' ');
    text_put_padded(&text, 7, 3);
    is_string(buffer, "lit 18446744073709551615 -9223372036854775808 007");
    text_clear(&text);
    text_put_i64(&text, 0);
    text_put_padded(&text, 1234, 2);
    text_put_format(&text, "-%s-%d", "x", 5);
    text_put_hex(&text, BYTES("\x01\xab"));
    text_put(&text, BYTES_NONE);
    is_string(buffer, "01234-x-501ab");
    ok(!text.full && text.size == strlen(buffer));
}

/* Whatever the room, the text is a true beginning and nothing is written past the buffer. */
static void test_full(void) {
    struct guard guard;
    guard_init(&guard, 64);
    unsigned wrong = 0;
    static const char whole[] = "abc42YWJj616263d";
    for (size_t capacity = 1; capacity <= sizeof whole + 1; capacity++) {
        struct text text;
        text_init(&text, (char *)guard.pages + guard.bytes_max - capacity, capacity);
        text_put_string(&text, "abc");
        text_put_u64(&text, 42);
        text_put_base64(&text, BYTES("abc"));
        text_put_hex(&text, BYTES("abc"));
        text_put_format(&text, "%c", 'd');
        wrong += strncmp(text.data, whole, text.size) != 0 || text.data[text.size] != 0;
        wrong += text.full != (capacity < sizeof whole);
    }
    is_int(wrong, 0);
    guard_release(&guard);
}

static void test_sticky(void) {
    char buffer[4];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_put_string(&text, "long");
    text_put_string(&text, "a");
    is_string(buffer, "");
    ok(text.full, "what comes after something left out is left out too");
    text_clear(&text);
    text_put_string(&text, "abc");
    ok(!text.full && bytes_is(text_bytes(&text), "abc"));
}

static void test_arena(void) {
    struct arena arena;
    struct text text;
    arena_init(&arena, 100);
    is_int(text_init_arena(&text, &arena, 101), ERR_LIMIT);
    is_int(text_init_arena(&text, &arena, 0), ERR_LIMIT);
    is_int(text_init_arena(&text, &arena, 50), ERR_OK);
    text_put_string(&text, "in an arena");
    is_string(text.data, "in an arena");
    arena_release(&arena);
}

static void test_base64(void) {
    static const char *const vectors[][2] = {/* RFC 4648, section 10 */
                                             {"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char buffer[32];
        uint8_t out[32];
        size_t size;
        struct text text;
        text_init(&text, buffer, sizeof buffer);
        text_put_base64(&text, bytes_from_string(vectors[i][0]));
        is_string(buffer, vectors[i][1]);
        ok(base64_decode(bytes_from_string(vectors[i][1]), out, sizeof out, &size) &&
           bytes_is(bytes_from(out, size), vectors[i][0]));
    }
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zg===", "Z g==", "Zh==x", "Zm9v\n", "Zm9_", "Zm9\xBC", "\xBC\xBA\xAE\x97"};
    uint8_t out[8];
    size_t size;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ok(!base64_decode(bytes_from_string(wrong[i]), out, sizeof out, &size), "wrong base64");
    ok(!base64_decode(BYTES("Zm9vYmFy"), out, 5, &size), "no room for what it says");
}

static void test_hex(void) {
    uint8_t out[4];
    ok(hex_decode(BYTES("00fFAb10"), out, 4) && out[1] == 0xff && out[3] == 0x10);
    ok(!hex_decode(BYTES("00ff"), out, 4) && !hex_decode(BYTES("00ff00ff00"), out, 4));
    ok(!hex_decode(BYTES("00ff0g"), out, 3) && !hex_decode(BYTES("00f"), out, 1));
    ok(hex_decode(BYTES_NONE, out, 0));
}

int main(void) {
    test_put();
    test_full();
    test_sticky();
    test_arena();
    test_base64();
    test_hex();
    return done();
}
