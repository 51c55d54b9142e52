/* words.h - the standard's list of words, and a word found in it as people type it. */
#ifndef FORMATS_SLIP39_WORDS_H
#define FORMATS_SLIP39_WORDS_H

#include "formats/slip39/slip39.h"

#define SLIP39_LIST_COUNT 1024u

extern const char slip39_words[SLIP39_LIST_COUNT][SLIP39_WORD_BYTES_MAX + 1];

/* The word of a number below 1,024. The whole list is read each time, so that no cache line tells which. */
void slip39_word_put(struct text *out, uint16_t index);
/* The number of a word, in any case; four letters or more of its beginning are enough. SLIP39_LIST_COUNT:
 * no word of the list. */
uint16_t slip39_word_find(struct bytes word);

#endif
