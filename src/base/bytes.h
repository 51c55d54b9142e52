/* bytes.h - a view of bytes that somebody else owns, and numbers to and from bytes.
 *
 * Shapes     struct bytes: where, how many. An empty view may have data NULL.
 * Units      sizes in bytes; numbers big-endian unless a name says `le`.
 * Ownership  a view owns nothing and lives as long as what it points into.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

#define BYTES_NONE ((struct bytes){NULL, 0})
/* A view of a string literal, without its final zero. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct bytes bytes_from(const void *data, size_t size) {
    return (struct bytes){data, size};
}

static inline struct bytes bytes_from_string(const char *string) {
    return (struct bytes){(const uint8_t *)string, string ? strlen(string) : 0};
}

static inline bool bytes_is_empty(struct bytes b) {
    return b.size == 0;
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool bytes_is(struct bytes a, const char *string) {
    return bytes_equal(a, bytes_from_string(string));
}

static inline bool bytes_starts_with(struct bytes b, struct bytes prefix) {
    return b.size >= prefix.size &&
           (prefix.size == 0 || memcmp(b.data, prefix.data, prefix.size) == 0);
}

/* From `at` on; empty when `at` is past the end. */
static inline struct bytes bytes_skip(struct bytes b, size_t at) {
    return at >= b.size ? (struct bytes){b.data ? b.data + b.size : NULL, 0}
                        : (struct bytes){b.data + at, b.size - at};
}

/* The first `size` bytes, or all when there are fewer. */
static inline struct bytes bytes_first(struct bytes b, size_t size) {
    return (struct bytes){b.data, size < b.size ? size : b.size};
}

#define BYTES_NOT_FOUND SIZE_MAX
/* Offset of the first `c`, or BYTES_NOT_FOUND. */
static inline size_t bytes_find(struct bytes b, uint8_t c) {
    const uint8_t *p = b.size ? memchr(b.data, c, b.size) : NULL;
    return p ? (size_t)(p - b.data) : BYTES_NOT_FOUND;
}

/* Less than, equal to or greater than 0, as memcmp; a prefix comes first. */
int bytes_compare(struct bytes a, struct bytes b);
/* Without ASCII white space at both ends. */
struct bytes bytes_trim(struct bytes b);
/* The part before the next `c`; *rest becomes what follows it. False when *rest is exhausted.
 * "a|b" gives "a", "b"; "a|" gives "a", ""; a view with data NULL gives nothing. */
bool bytes_next_part(struct bytes *rest, uint8_t c, struct bytes *part);
/* Every byte an ASCII digit, at least one. */
bool bytes_is_digits(struct bytes b);
/* The whole of `b` as an unsigned decimal number; false on anything else or overflow. */
bool bytes_to_u64(struct bytes b, uint64_t *number);
/* Is all of `b` valid UTF-8 (no surrogate, nothing overlong)? *has_multibyte may be NULL. */
bool bytes_is_utf8(struct bytes b, bool *has_multibyte);
/* Bytes of the UTF-8 character that `b` begins with, 1 to 4; 0 when there is no valid one. */
size_t bytes_utf8_length(struct bytes b);

static inline uint16_t load_u16(const uint8_t *p) {
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}
static inline uint32_t load_u32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t load_u64(const uint8_t *p) {
    return (uint64_t)load_u32(p) << 32 | load_u32(p + 4);
}
static inline void store_u16(uint8_t *p, uint16_t n) {
    p[0] = (uint8_t)(n >> 8);
    p[1] = (uint8_t)n;
}
static inline void store_u32(uint8_t *p, uint32_t n) {
    p[0] = (uint8_t)(n >> 24);
    p[1] = (uint8_t)(n >> 16);
    p[2] = (uint8_t)(n >> 8);
    p[3] = (uint8_t)n;
}
static inline void store_u64(uint8_t *p, uint64_t n) {
    store_u32(p, (uint32_t)(n >> 32));
    store_u32(p + 4, (uint32_t)n);
}

#endif
