/* dictionary.c - what entries are compressed with: learnt from the hospital's own messages, since a hospital repeats itself most.
 *
 * From the first SAMPLE_BYTES of what arrives one is learnt, within some 30 ms, and stated as an entry; later messages are sampled
 * more sparsely, and the next epoch begins with what was learnt from them. (One made beforehand from other messages was tried:
 * it made the real ones of another hospital no smaller. Learnt, it halves them.) */
#include "vault/dictionary.h"

#include "base/pool.h"

#include <sodium.h>
#include <string.h>
#include <zdict.h>

#define SAMPLE_BYTES     (512u * 1024u)
#define SAMPLE_COUNT_MAX 4096u
#define SAMPLE_COUNT_MIN 64u
#define ONE_SAMPLE_MAX   16384u
#define DICTIONARY_BYTES 16384u
#define STRIDE_SPARSE    64u

struct samples {
    uint8_t *bytes;
    size_t sizes[SAMPLE_COUNT_MAX];
    size_t count, used;
    uint64_t seen, stride; /* one message in `stride` is taken */
    bool is_ripe;          /* full for the first time since the stride changed */
    uint8_t learnt[DICTIONARY_BYTES];
};

enum err samples_open(struct samples **out) {
    struct samples *samples = memory_alloc(1, sizeof *samples);
    if (!samples)
        return ERR_MEMORY;
    samples->bytes = memory_alloc(1, SAMPLE_BYTES);
    samples->stride = 1;
    if (!samples->bytes) {
        samples_close(samples);
        return ERR_MEMORY;
    }
    *out = samples;
    return ERR_OK;
}

void samples_close(struct samples *samples) {
    if (!samples)
        return;
    if (samples->bytes)
        sodium_memzero(samples->bytes, samples->used);
    memory_free(samples->bytes);
    sodium_memzero(samples, sizeof *samples);
    memory_free(samples);
}

void samples_take(struct samples *samples, struct bytes plain) {
    if (samples->seen++ % samples->stride != 0 || samples->is_ripe)
        return;
    if (plain.size > ONE_SAMPLE_MAX)
        return;
    if (samples->used + plain.size > SAMPLE_BYTES || samples->count == SAMPLE_COUNT_MAX) {
        samples->is_ripe = true;
        return;
    }
    memcpy(samples->bytes + samples->used, plain.data, plain.size);
    samples->used += plain.size;
    samples->sizes[samples->count++] = plain.size;
}

bool samples_are_ripe(const struct samples *samples) {
    return samples->is_ripe && samples->stride == 1;
}

/* What was learnt from is given up, and the next is gathered over a longer time. */
static void begin_again(struct samples *samples) {
    sodium_memzero(samples->bytes, samples->used);
    samples->count = samples->used = 0;
    samples->seen = 0;
    samples->is_ripe = false;
    samples->stride = STRIDE_SPARSE;
}

void samples_begin_sparse(struct samples *samples) {
    begin_again(samples);
}

bool samples_learn(struct samples *samples, struct bytes *dictionary) {
    if (samples->count < SAMPLE_COUNT_MIN)
        return false;
    size_t size = ZDICT_trainFromBuffer(samples->learnt, sizeof samples->learnt, samples->bytes,
                                        samples->sizes, (unsigned)samples->count);
    begin_again(samples);
    if (ZDICT_isError(size))
        return false;
    *dictionary = bytes_from(samples->learnt, size);
    return true;
}
