/* json_test.c - JSON as it is written; read back by jansson. */
#include "base/json.h"
#include "base/random.h"
#include "base/time.h"
#include "tap.h"
#include <jansson.h>

static void test_shapes(void) {
    char buffer[512];
    struct text text;
    struct json json;
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_string(&json, "a", "x");
    json_member_string(&json, "none", NULL);
    json_member_bytes(&json, "empty", BYTES_NONE);
    json_member_i64(&json, "i", INT64_MIN);
    json_member_u64(&json, "u", UINT64_MAX);
    json_member_bool(&json, "yes", true);
    json_member_instant(&json, "at", 1500000);
    json_member_instant(&json, "never", INSTANT_NONE);
    json_name(&json, "list");
    json_array_begin(&json);
    json_put_i64(&json, 1);
    json_array_begin(&json);
    json_array_end(&json);
    json_object_begin(&json);
    json_object_end(&json);
    json_put_bool(&json, false);
    json_put_string(&json, "");
    json_array_end(&json);
    json_object_end(&json);
    is_string(buffer, "{\"a\":\"x\",\"none\":null,\"empty\":null,\"i\":-9223372036854775808,"
                      "\"u\":18446744073709551615,\"yes\":true,\"at\":\"1970-01-01T00:00:01.500Z\","
                      "\"never\":null,\"list\":[1,[],{},false,\"\"]}");
    is_int(json.depth, 0);
}

static const char *quoted(struct bytes value) {
    static char buffer[256];
    struct text text;
    struct json json;
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_put_bytes(&json, value);
    return buffer;
}

static void test_escapes(void) {
    is_string(quoted(BYTES("a\"\\/\b\f\n\r\t")), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\"");
    is_string(quoted(BYTES("\0\x1f\x7f")), "\"\\u0000\\u001f\x7f\"");
    is_string(quoted(BYTES("H\xc3\xa9l\xc3\xa8ne \xf0\x9f\x8f\xa5")),
              "\"H\xc3\xa9l\xc3\xa8ne \xf0\x9f\x8f\xa5\"");
    is_string(quoted(BYTES("\xe9t\xe9")), "\"\xef\xbf\xbdt\xef\xbf\xbd\"");
}

/* Any bytes at all make JSON that a reader takes; UTF-8 comes back as it was. */
static void test_any_bytes(void) {
    static const char pieces[][8] = {"a",        "\"",           "\\",     "\x01",
                                     "\xc3\xa9", "\xe2\x82\xac", "bcdefg", "\x80"};
    struct random random;
    unsigned wrong = 0;
    random_init(&random, 7);
    for (int round = 0; round < 20000; round++) {
        char raw[40] = "";
        struct text text;
        text_init(&text, raw, sizeof raw);
        for (uint64_t n = random_below(&random, 8); n; n--)
            text_put_string(&text, pieces[random_below(&random, round % 2 ? 8 : 7)]);
        json_t *value = json_loads(quoted(text_bytes(&text)), JSON_DECODE_ANY, NULL);
        wrong += !value || (round % 2 == 0 && strcmp(json_string_value(value), raw) != 0);
        json_decref(value);
    }
    is_int(wrong, 0);
}

int main(void) {
    test_shapes();
    test_escapes();
    test_any_bytes();
    return done();
}
