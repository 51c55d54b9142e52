/* json.c - write JSON as it is made: commas, nesting and escapes (RFC 8259). */
#include "base/json.h"
#include "base/time.h"
#include <assert.h>

void json_init(struct json *json, struct text *text) {
    *json = (struct json){.text = text};
}

/* A comma, unless this is a first item or the value of a name just written. */
static void before_value(struct json *json) {
    if (json->after_name) {
        json->after_name = false;
        return;
    }
    if (json->has_item[json->depth])
        text_put_char(json->text, ',');
    json->has_item[json->depth] = true;
}

static void begin(struct json *json, char bracket) {
    before_value(json);
    text_put_char(json->text, bracket);
    assert(json->depth + 1 < JSON_DEPTH_MAX);
    json->has_item[++json->depth] = false;
}

static void end(struct json *json, char bracket) {
    assert(json->depth > 0 && !json->after_name);
    json->depth--;
    text_put_char(json->text, bracket);
}

void json_object_begin(struct json *json) {
    begin(json, '{');
}

void json_object_end(struct json *json) {
    end(json, '}');
}

void json_array_begin(struct json *json) {
    begin(json, '[');
}

void json_array_end(struct json *json) {
    end(json, ']');
}

static bool is_plain(uint8_t c) {
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

#define EACH_BYTE(n) (UINT64_C(0x0101010101010101) * (n))

/* The top bit of some byte is set when one of the eight is not plain. A borrow from a lower byte
 * can only add a false alarm above a true one. */
static uint64_t special_bits(uint64_t word) {
    uint64_t quote = word ^ EACH_BYTE('"'), backslash = word ^ EACH_BYTE('\\');
    uint64_t below = (word - EACH_BYTE(' ')) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1));
    return (word | below) & EACH_BYTE(0x80);
}

static size_t plain_run(struct bytes b) {
    size_t size = 0;
    for (uint64_t word; size + sizeof word <= b.size; size += sizeof word) {
        memcpy(&word, b.data + size, sizeof word);
        if (special_bits(word))
            break;
    }
    while (size < b.size && is_plain(b.data[size]))
        size++;
    return size;
}

static void put_escape(struct text *text, uint8_t c) {
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    const char *form = short_forms;
    while (*form && (uint8_t)*form != c)
        form += 2;
    text_put_char(text, '\\');
    if (*form) {
        text_put_char(text, form[1]);
    } else {
        text_put_string(text, "u00");
        text_put_hex(text, bytes_from(&c, 1));
    }
}

/* The first character of `b`, which is not plain; how many bytes of `b` that was. */
static size_t put_special(struct text *text, struct bytes b) {
    if (b.data[0] < 0x80) {
        put_escape(text, b.data[0]);
        return 1;
    }
    size_t length = bytes_utf8_length(b);
    text_put(text, length ? bytes_first(b, length) : BYTES("\xef\xbf\xbd")); /* U+FFFD */
    return length ? length : 1;
}

static void put_quoted(struct text *text, struct bytes b) {
    text_put_char(text, '"');
    while (b.size) {
        size_t run = plain_run(b);
        text_put(text, bytes_first(b, run));
        b = bytes_skip(b, run);
        if (b.size)
            b = bytes_skip(b, put_special(text, b));
    }
    text_put_char(text, '"');
}

void json_name(struct json *json, const char *name) {
    assert(json->depth > 0 && !json->after_name);
    before_value(json);
    put_quoted(json->text, bytes_from_string(name));
    text_put_char(json->text, ':');
    json->after_name = true;
}

void json_put_bytes(struct json *json, struct bytes value) {
    before_value(json);
    put_quoted(json->text, value);
}

void json_put_string(struct json *json, const char *value) {
    if (value)
        json_put_bytes(json, bytes_from_string(value));
    else
        json_put_null(json);
}

void json_put_i64(struct json *json, int64_t value) {
    before_value(json);
    text_put_i64(json->text, value);
}

void json_put_u64(struct json *json, uint64_t value) {
    before_value(json);
    text_put_u64(json->text, value);
}

void json_put_raw(struct json *json, struct bytes value) {
    before_value(json);
    text_put(json->text, value);
}

void json_put_bool(struct json *json, bool value) {
    before_value(json);
    text_put_string(json->text, value ? "true" : "false");
}

void json_put_null(struct json *json) {
    before_value(json);
    text_put_string(json->text, "null");
}

void json_member_bytes(struct json *json, const char *name, struct bytes value) {
    json_name(json, name);
    if (value.size)
        json_put_bytes(json, value);
    else
        json_put_null(json);
}

void json_member_string(struct json *json, const char *name, const char *value) {
    json_name(json, name);
    json_put_string(json, value);
}

void json_member_i64(struct json *json, const char *name, int64_t value) {
    json_name(json, name);
    json_put_i64(json, value);
}

void json_member_u64(struct json *json, const char *name, uint64_t value) {
    json_name(json, name);
    json_put_u64(json, value);
}

void json_member_bool(struct json *json, const char *name, bool value) {
    json_name(json, name);
    json_put_bool(json, value);
}

void json_member_instant(struct json *json, const char *name, int64_t at) {
    json_name(json, name);
    if (at == INSTANT_NONE) {
        json_put_null(json);
        return;
    }
    before_value(json);
    text_put_char(json->text, '"');
    time_put_iso_utc(json->text, at);
    text_put_char(json->text, '"');
}
