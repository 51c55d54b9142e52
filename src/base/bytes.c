/* bytes.c - look into bytes: compare, trim, split, read numbers, check UTF-8. */
#include "base/bytes.h"

int bytes_compare(struct bytes a, struct bytes b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct bytes bytes_trim(struct bytes b) {
    while (b.size && is_space(b.data[b.size - 1]))
        b.size--;
    while (b.size && is_space(b.data[0])) {
        b.data++;
        b.size--;
    }
    return b;
}

/* An exhausted rest is told from an empty last part by its data being NULL. */
bool bytes_next_part(struct bytes *rest, uint8_t c, struct bytes *part) {
    if (!rest->data)
        return false;
    size_t at = bytes_find(*rest, c);
    if (at == BYTES_NOT_FOUND) {
        *part = *rest;
        *rest = BYTES_NONE;
    } else {
        *part = bytes_first(*rest, at);
        *rest = bytes_skip(*rest, at + 1);
    }
    return true;
}

bool bytes_is_digits(struct bytes b) {
    for (size_t i = 0; i < b.size; i++)
        if (b.data[i] < '0' || b.data[i] > '9')
            return false;
    return b.size > 0;
}

bool bytes_to_u64(struct bytes b, uint64_t *number) {
    uint64_t n = 0;
    if (!bytes_is_digits(b))
        return false;
    for (size_t i = 0; i < b.size; i++) {
        uint64_t digit = (uint64_t)(b.data[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *number = n;
    return true;
}

/* RFC 3629, section 4: the second byte's range rules out overlong forms, surrogates and what lies
 * past U+10FFFF; the bytes after it are plain continuations. */
size_t bytes_utf8_length(struct bytes b) {
    if (b.size == 0)
        return 0;
    uint8_t lead = b.data[0], low = 0x80, high = 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (b.size < length)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (b.data[1] < low || b.data[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((b.data[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* Most of what hospitals send is ASCII: eight bytes at a time, as long as it lasts. */
static size_t ascii_run(struct bytes b) {
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= b.size; i += sizeof word) {
        memcpy(&word, b.data + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < b.size && b.data[i] < 0x80)
        i++;
    return i;
}

bool bytes_is_utf8(struct bytes b, bool *has_multibyte) {
    bool multibyte = false;
    for (b = bytes_skip(b, ascii_run(b)); b.size; b = bytes_skip(b, ascii_run(b))) {
        size_t length = bytes_utf8_length(b);
        if (length == 0)
            return false;
        multibyte = true;
        b = bytes_skip(b, length);
    }
    if (has_multibyte)
        *has_multibyte = multibyte;
    return true;
}
