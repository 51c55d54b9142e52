/* text.h - text being built, in a buffer that has a maximum.
 *
 * Shapes     characters and their count, always followed by a zero byte.
 * Errors     what does not fit is left out whole, with all that comes after it, and `full` is set
 *            for the caller to see at the end.
 * Ownership  text_init uses the caller's buffer; text_init_arena takes `capacity` bytes from the
 *            arena.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

struct text {
    char *data;
    size_t size, capacity; /* capacity counts the final zero */
    bool full;
};

void text_init(struct text *text, char *buffer, size_t buffer_bytes);
MUST_CHECK enum err text_init_arena(struct text *text, struct arena *arena, size_t capacity);
void text_clear(struct text *text);
static inline struct bytes text_bytes(const struct text *text) {
    return bytes_from(text->data, text->size);
}

void text_put(struct text *text, struct bytes b);
void text_put_string(struct text *text, const char *string);
void text_put_char(struct text *text, char c);
void text_put_u64(struct text *text, uint64_t number);
void text_put_i64(struct text *text, int64_t number);
/* At least `width` digits, zeros in front. */
void text_put_padded(struct text *text, uint64_t number, unsigned width);
void text_put_hex(struct text *text, struct bytes b);
void text_put_base64(struct text *text, struct bytes b);
void text_put_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Decode base64 with padding (RFC 4648); *size gets the count. False on anything else or if it does
 * not fit. */
bool base64_decode(struct bytes in, uint8_t *out, size_t out_bytes, size_t *size);
bool hex_decode(struct bytes in, uint8_t *out, size_t out_bytes);

#endif
