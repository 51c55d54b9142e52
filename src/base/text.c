/* text.c - build text in a buffer that cannot overflow; base64 and hexadecimal through libsodium.
 *
 * Invariants
 *   1. size < capacity and data[size] is zero.
 *   2. Once `full` is set nothing more is put: the text is a true beginning of what was meant. */
#include "base/text.h"
#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *text, char *buffer, size_t buffer_bytes) {
    assert(buffer && buffer_bytes > 0);
    *text = (struct text){.data = buffer, .capacity = buffer_bytes};
    buffer[0] = 0;
}

enum err text_init_arena(struct text *text, struct arena *arena, size_t capacity) {
    char *buffer = capacity ? arena_alloc(arena, capacity) : NULL;
    if (!buffer)
        return ERR_LIMIT;
    text_init(text, buffer, capacity);
    return ERR_OK;
}

void text_clear(struct text *text) {
    text_init(text, text->data, text->capacity);
}

/* Where `size` bytes and a final zero may be written, or NULL, with `full` set. */
static char *room_for(struct text *text, size_t size) {
    if (text->full || size >= text->capacity - text->size) {
        text->full = true;
        return NULL;
    }
    return text->data + text->size;
}

static void take_room(struct text *text, size_t size) {
    text->size += size;
    text->data[text->size] = 0;
}

void text_put(struct text *text, struct bytes b) {
    char *room = room_for(text, b.size);
    if (!room || b.size == 0)
        return;
    memcpy(room, b.data, b.size);
    take_room(text, b.size);
}

void text_put_string(struct text *text, const char *string) {
    text_put(text, bytes_from_string(string));
}

void text_put_char(struct text *text, char c) {
    char *room = room_for(text, 1);
    if (!room)
        return;
    *room = c;
    take_room(text, 1);
}

#define U64_DIGITS_MAX 20u

void text_put_padded(struct text *text, uint64_t number, unsigned width) {
    char digits[64];
    size_t at = sizeof digits;
    assert(width <= sizeof digits - U64_DIGITS_MAX);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (sizeof digits - at < width)
        digits[--at] = '0';
    text_put(text, bytes_from(digits + at, sizeof digits - at));
}

void text_put_u64(struct text *text, uint64_t number) {
    text_put_padded(text, number, 1);
}

void text_put_i64(struct text *text, int64_t number) {
    char sign_and_digits[U64_DIGITS_MAX + 2];
    struct text whole;
    text_init(&whole, sign_and_digits, sizeof sign_and_digits);
    if (number < 0)
        text_put_char(&whole, '-');
    text_put_u64(&whole, number < 0 ? -(uint64_t)number : (uint64_t)number);
    text_put(text, text_bytes(&whole));
}

void text_put_hex(struct text *text, struct bytes b) {
    char *room = b.size < SIZE_MAX / 2 ? room_for(text, b.size * 2) : NULL;
    if (!room || b.size == 0)
        return;
    sodium_bin2hex(room, b.size * 2 + 1, b.data, b.size);
    take_room(text, b.size * 2);
}

void text_put_base64(struct text *text, struct bytes b) {
    if (b.size == 0)
        return;
    size_t size = (b.size + 2) / 3 * 4;
    char *room = room_for(text, size);
    if (!room)
        return;
    sodium_bin2base64(room, size + 1, b.data, b.size, sodium_base64_VARIANT_ORIGINAL);
    take_room(text, size);
}

void text_put_format(struct text *text, const char *format, ...) {
    va_list arguments;
    char *room = room_for(text, 0);
    if (!room)
        return;
    size_t room_bytes = text->capacity - text->size;
    va_start(arguments, format);
    int size = vsnprintf(room, room_bytes, format, arguments);
    va_end(arguments);
    assert(size >= 0);
    if ((size_t)size < room_bytes) {
        take_room(text, (size_t)size);
    } else {
        *room = 0;
        text->full = true;
    }
}

bool base64_decode(struct bytes in, uint8_t *out, size_t out_bytes, size_t *size) {
    *size = 0;
    if (in.size == 0)
        return true;
    for (size_t i = 0; i < in.size; i++)
        if (in.data[i] >= 0x80) /* libsodium 1.0.18 takes some of these for '+' or '/' */
            return false;
    return sodium_base642bin(out, out_bytes, (const char *)in.data, in.size, NULL, size, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}

bool hex_decode(struct bytes in, uint8_t *out, size_t out_bytes) {
    size_t size = 0;
    if (in.size != out_bytes * 2)
        return false;
    if (in.size == 0)
        return true;
    return sodium_hex2bin(out, out_bytes, (const char *)in.data, in.size, NULL, &size, NULL) == 0 &&
           size == out_bytes;
}
