/* random.c - the same random numbers again from the same seed, on every machine: whole numbers
 * only. */
#include "base/random.h"
#include "base/bytes.h"
#include <assert.h>

/* For the upper half of a product. */
__extension__ typedef unsigned __int128 wide;
__extension__ typedef __int128 signed_wide;

static uint64_t rotate_left(uint64_t n, unsigned by) {
    return n << by | n >> (64 - by);
}

/* splitmix64 spreads a seed, which may be small or zero, over the whole state. */
void random_init(struct random *random, uint64_t seed) {
    for (size_t i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        random->state[i] = z ^ z >> 31;
    }
}

uint64_t random_u64(struct random *random) {
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The 2^64 numbers do not divide evenly by `bound`: the first (2^64 mod bound) of them are thrown
 * back, and every remainder is left with the same number of chances. */
uint64_t random_below(struct random *random, uint64_t bound) {
    assert(bound > 0);
    uint64_t number, uneven = -bound % bound;
    do
        number = random_u64(random);
    while (number < uneven);
    return number % bound;
}

int64_t random_between(struct random *random, int64_t low, int64_t high) {
    assert(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t above = span == UINT64_MAX ? random_u64(random) : random_below(random, span + 1);
    return (int64_t)((uint64_t)low + above);
}

bool random_chance(struct random *random, unsigned per_mille) {
    return random_below(random, 1000) < per_mille;
}

/* Twelve uniforms from 0 to 1 add up to a mean of 6 and a spread of 1. Here 1 is 2^32. */
int64_t random_normal_milli(struct random *random, int64_t mean_milli, int64_t spread_milli) {
    int64_t sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (int64_t)(random_u64(random) >> 32);
    signed_wide away = (signed_wide)(sum - (INT64_C(6) << 32)) * spread_milli;
    return mean_milli + (int64_t)(away / (INT64_C(1) << 32));
}

/* Von Neumann's way, which only compares: of a falling run of uniforms the first is, when the run
 * is of odd length, the fraction of an exponential number; the failures before it are its whole
 * part. */
int64_t random_waiting(struct random *random, int64_t mean) {
    assert(mean >= 0);
    for (uint64_t whole = 0;; whole++) {
        uint32_t first = (uint32_t)(random_u64(random) >> 32), last = first;
        unsigned length = 1;
        for (;; length++) {
            uint32_t next = (uint32_t)(random_u64(random) >> 32);
            if (next >= last)
                break;
            last = next;
        }
        if (length % 2)
            return (int64_t)((((wide)whole << 32 | first) * (uint64_t)mean) >> 32);
    }
}

void random_fill(struct random *random, void *bytes, size_t size) {
    uint8_t *to = bytes, word[8];
    while (size) {
        size_t part = size < sizeof word ? size : sizeof word;
        store_u64(word, random_u64(random));
        memcpy(to, word, part);
        to += part;
        size -= part;
    }
}
