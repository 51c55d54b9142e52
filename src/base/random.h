/* random.h - repeatable random numbers from a seed, for simulator and tests; never for keys.
 *
 * Source     splitmix64 and xoshiro256** (Blackman and Vigna). Keys and nonces come from libsodium.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
/* 0 to bound-1, without bias; bound > 0. */
uint64_t random_below(struct random *random, uint64_t bound);
/* low to high, both possible. */
int64_t random_between(struct random *random, int64_t low, int64_t high);
/* True `per_mille` times of 1,000. */
bool random_chance(struct random *random, unsigned per_mille);
/* Mean and spread in thousandths of the unit; a sum of 12 uniforms, so within 6 spreads. */
int64_t random_normal_milli(struct random *random, int64_t mean_milli, int64_t spread_milli);
/* Waiting time with this mean (exponential), same unit. */
int64_t random_waiting(struct random *random, int64_t mean);
void random_fill(struct random *random, void *bytes, size_t size);

#endif
