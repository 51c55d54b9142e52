/* rs1024.c - a Reed-Solomon code over GF(1024), as SLIP-0039 has it under "Checksum".
 *
 * The sum is a remainder of polynomials and so linear: words that differ have sums that differ by the sum of
 * the difference alone, begun at 0. rs1024_suspect lives on that. */
#include "formats/slip39/rs1024.h"

#define SUSPECTS_NONE  SIZE_MAX
#define EXTENDABLE_BIT 16u /* of the second word */

static uint32_t step(uint32_t sum, uint16_t word) {
    static const uint32_t generators[10] = {0xe0e040,   0x1c1c080,  0x3838100,  0x7070200,
                                            0xe0e0009,  0x1c0c2412, 0x38086c24, 0x3090fc48,
                                            0x21b1f890, 0x3f3f120};
    uint32_t top = sum >> 20;
    sum = (sum & 0xfffff) << 10 ^ word;
    for (unsigned i = 0; i < 10; i++)
        sum ^= generators[i] & (0u - (top >> i & 1u));
    return sum;
}

static uint32_t sum_of(const uint16_t *words, size_t count, bool is_extendable) {
    uint32_t sum = 1;
    for (const char *c = is_extendable ? "shamir_extendable" : "shamir"; *c; c++)
        sum = step(sum, (uint8_t)*c);
    for (size_t i = 0; i < count; i++)
        sum = step(sum, words[i]);
    return sum;
}

void rs1024_fill(uint16_t *words, size_t count, bool is_extendable) {
    for (size_t i = 0; i < RS1024_WORDS; i++)
        words[count - 1 - i] = 0;
    uint32_t sum = sum_of(words, count, is_extendable) ^ 1u;
    for (size_t i = 0; i < RS1024_WORDS; i++)
        words[count - 1 - i] = sum >> 10 * i & 1023u;
}

bool rs1024_holds(const uint16_t *words, size_t count, bool is_extendable) {
    return sum_of(words, count, is_extendable) == 1;
}

/* Is `error` what a change of one word can do, when `bits` is what each of its ten bits does? Of the change,
 * the bits in `mask` must be `wanted`. */
static bool can_explain(uint32_t error, const uint32_t bits[10], unsigned mask, unsigned wanted) {
    for (unsigned change = 1; change < 1024; change++) {
        uint32_t sum = 0;
        for (unsigned b = 0; b < 10; b++)
            sum ^= bits[b] & (0u - (change >> b & 1u));
        if (sum == error && (change & mask) == wanted)
            return true;
    }
    return false;
}

/* With `flips` the wrong word is the second, and chose the wrong customization string. */
static size_t suspect_when(const uint16_t *words, size_t count, bool flips) {
    uint32_t error = sum_of(words, count, rs1024_is_extendable(words) != flips) ^ 1u;
    uint32_t bits[10];
    for (unsigned b = 0; b < 10; b++)
        bits[b] = 1u << b;
    for (size_t at = count; at-- > 0;) {
        unsigned mask = at == 1 ? EXTENDABLE_BIT : 0;
        if ((mask || !flips) && can_explain(error, bits, mask, flips ? mask : 0))
            return at;
        for (unsigned b = 0; b < 10; b++)
            bits[b] = step(bits[b], 0);
    }
    return SUSPECTS_NONE;
}

size_t rs1024_suspect(const uint16_t *words, size_t count) {
    size_t at = suspect_when(words, count, false);
    if (at == SUSPECTS_NONE)
        at = suspect_when(words, count,
                          true); /* the wrong word chose the wrong customization string */
    return at == SUSPECTS_NONE ? count : at;
}
