/* scan.h - find delimiters many bytes at a time.
 *
 * Shapes     in: bytes, and the one that is looked for. out: bit i is set when byte i is that one.
 * Limits     never reads past the bytes it is given: their end may be the end of memory.
 *
 * Fields are five bytes long on average, too short for a call of memchr each: SSE2 compares 16 at a
 * time where it exists; elsewhere arithmetic on words of eight bytes does the same. */
#ifndef FORMATS_HL7_SCAN_H
#define FORMATS_HL7_SCAN_H

#include "base/bytes.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SCAN_BYTES_MAX 64u

static inline uint64_t scan_8(const uint8_t *p, uint8_t c) {
    const uint64_t low = UINT64_C(0x7F7F7F7F7F7F7F7F);
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    word ^= UINT64_C(0x0101010101010101) * c; /* what is wanted becomes zero */
    uint64_t is_zero = ~(((word & low) + low) | word | low);
    /* The multiplication brings the eight marks together in the highest byte. */
    return (is_zero >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline uint64_t scan_16_plain(const uint8_t *p, uint8_t c) {
    return scan_8(p, c) | scan_8(p + 8, c) << 8;
}

static inline uint64_t scan_16(const uint8_t *p, uint8_t c) {
#ifdef __SSE2__
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8((char)c)));
#else
    return scan_16_plain(p, c);
#endif
}

/* Of the first `size` bytes, at most SCAN_BYTES_MAX. What is no multiple of a block is read with a
 * last block that overlaps the one before. */
static inline uint64_t scan_mask(const uint8_t *p, size_t size, uint8_t c) {
    uint64_t mask = 0;
    if (size >= SCAN_BYTES_MAX)
        return scan_16(p, c) | scan_16(p + 16, c) << 16 | scan_16(p + 32, c) << 32 |
               scan_16(p + 48, c) << 48;
    if (size >= 16) {
        for (size_t i = 0; i + 16 < size; i += 16)
            mask |= scan_16(p + i, c) << i;
        return mask | scan_16(p + size - 16, c) << (size - 16);
    }
    if (size >= 8)
        return scan_8(p, c) | scan_8(p + size - 8, c) << (size - 8);
    for (size_t i = 0; i < size; i++)
        mask |= (uint64_t)(p[i] == c) << i;
    return mask;
}

static inline unsigned scan_lowest(uint64_t mask) {
    return (unsigned)__builtin_ctzll(mask);
}

/* Where the line that `at` is in ends: the offset of the next CR or LF, or the size. */
static inline size_t scan_line_end(struct bytes in, size_t at) {
    while (at < in.size) {
        size_t size = in.size - at < SCAN_BYTES_MAX ? in.size - at : SCAN_BYTES_MAX;
        uint64_t mask = scan_mask(in.data + at, size, '\r') | scan_mask(in.data + at, size, '\n');
        if (mask)
            return at + scan_lowest(mask);
        at += size;
    }
    return in.size;
}

#endif
