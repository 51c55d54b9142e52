/* dictionary.h - samples of what arrives, and the dictionary learnt from them. Only vault/ sees this.
 *
 * Shapes     a sample is an entry's plaintext envelope with its body; a dictionary is Zstandard's.
 * Ownership  samples are patients' data: in memory alone, wiped when they have been learnt from.
 * Limits     512 KiB of samples, none larger than 16 KiB; a dictionary of 16 KiB.
 * Process    commit.
 */
#ifndef VAULT_DICTIONARY_H
#define VAULT_DICTIONARY_H

#include "vault/vault.h"

struct samples;
MUST_CHECK enum err samples_open(struct samples **samples);
void samples_close(struct samples *samples);
/* There is a dictionary already: gather over a longer time. */
void samples_begin_sparse(struct samples *samples);
void samples_take(struct samples *samples, struct bytes plain);
/* Is there, for the first time, enough to learn from? */
bool samples_are_ripe(const struct samples *samples);
/* A view until the next call; false: too few, or too different from each other. */
bool samples_learn(struct samples *samples, struct bytes *dictionary);

#endif
