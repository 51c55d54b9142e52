/* seeded.h - what libsodium calls random, from a seed: keys, nonces and with them the names of blobs, that a run has again. */
#ifndef TESTS_SEEDED_H
#define TESTS_SEEDED_H

#include "base/random.h"

#include <assert.h>
#include <sodium.h>

static struct random seeded_entropy;

static inline const char *seeded_name(void) {
    return "seeded";
}

static inline uint32_t seeded_u32(void) {
    return (uint32_t)random_u64(&seeded_entropy);
}

static inline void seeded_fill(void *bytes, const size_t size) {
    random_fill(&seeded_entropy, bytes, size);
}

/* From here on; before anything else is asked of libsodium. */
static inline void seeded_begin(void) {
    static struct randombytes_implementation seeded = {
        .implementation_name = seeded_name, .random = seeded_u32, .buf = seeded_fill};
    int result = randombytes_set_implementation(&seeded);
    assert(result == 0);
}

static inline void seeded_again(uint64_t seed) {
    random_init(&seeded_entropy, seed);
}

#endif
