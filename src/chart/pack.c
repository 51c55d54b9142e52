/* pack.c - small records as bytes. */
#include "chart/pack.h"

#include "base/time.h"

void pack_u64(struct text *out, uint64_t number) {
    char encoded[10];
    size_t size = 0;
    do {
        encoded[size] = (char)(number & 0x7F);
        number >>= 7;
        if (number)
            encoded[size] = (char)(encoded[size] | (char)0x80);
        size++;
    } while (number);
    text_put(out, bytes_from(encoded, size));
}

/* 0 is INSTANT_NONE, which no other number uses. */
void pack_i64(struct text *out, int64_t number) {
    if (number == INSTANT_NONE) {
        pack_u64(out, 0);
        return;
    }
    uint64_t zigzag = (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
    pack_u64(out, zigzag + 1);
}

void pack_bytes(struct text *out, struct bytes b) {
    pack_u64(out, b.size);
    text_put(out, b);
}

uint64_t unpack_u64(struct unpack *in) {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->rest.size == 0)
            break;
        uint8_t c = in->rest.data[0];
        in->rest = bytes_skip(in->rest, 1);
        number |= (uint64_t)(c & 0x7F) << shift;
        if (!(c & 0x80))
            return number;
    }
    in->is_short = true;
    return 0;
}

int64_t unpack_i64(struct unpack *in) {
    uint64_t zigzag = unpack_u64(in);
    if (zigzag == 0)
        return INSTANT_NONE;
    zigzag--;
    return (int64_t)(zigzag >> 1 ^ (zigzag & 1 ? UINT64_MAX : 0));
}

struct bytes unpack_bytes(struct unpack *in) {
    uint64_t size = unpack_u64(in);
    if (size > in->rest.size) {
        in->is_short = true;
        in->rest = BYTES_NONE;
        return BYTES_NONE;
    }
    struct bytes b = bytes_first(in->rest, (size_t)size);
    in->rest = bytes_skip(in->rest, (size_t)size);
    return b;
}

size_t unpack_count(struct unpack *in) {
    uint64_t count = unpack_u64(in);
    if (count <= in->rest.size)
        return (size_t)count;
    in->is_short = true;
    return 0;
}
