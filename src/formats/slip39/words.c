/* words.c - from a number to its word and back, in the same time for every word. */
#include "formats/slip39/words.h"

#include <assert.h>
#include <sodium.h>

#define LETTERS_ENOUGH 4u /* no two words of the list begin with the same four */

/* All bits when a == b, else none; both below 2^16. */
static uint32_t mask_of_equal(uint32_t a, uint32_t b) {
    return 0u - (((a ^ b) - 1u) >> 31);
}

void slip39_word_put(struct text *out, uint16_t index) {
    char word[SLIP39_WORD_BYTES_MAX + 1] = {0};
    assert(index < SLIP39_LIST_COUNT);
    for (uint32_t i = 0; i < SLIP39_LIST_COUNT; i++)
        for (size_t c = 0; c < SLIP39_WORD_BYTES_MAX; c++)
            word[c] = (char)(word[c] | (slip39_words[i][c] & (char)mask_of_equal(i, index)));
    text_put_string(out, word);
    sodium_memzero(word, sizeof word);
}

/* Letters in lower case into `lower`; false when there is anything else. */
static bool take_letters(struct bytes word, char lower[SLIP39_WORD_BYTES_MAX]) {
    for (size_t c = 0; c < word.size; c++) {
        lower[c] = (char)(word.data[c] | 0x20);
        if (lower[c] < 'a' || lower[c] > 'z')
            return false;
    }
    return true;
}

uint16_t slip39_word_find(struct bytes word) {
    char lower[SLIP39_WORD_BYTES_MAX] = {0};
    uint16_t found = SLIP39_LIST_COUNT;
    if (word.size < LETTERS_ENOUGH || word.size > sizeof lower)
        return found;
    bool has_letters = take_letters(word, lower);
    for (uint16_t i = 0; has_letters && i < SLIP39_LIST_COUNT; i++) {
        unsigned difference = 0;
        for (size_t c = 0; c < word.size; c++)
            difference |= (unsigned)(lower[c] ^ slip39_words[i][c]);
        if (!difference)
            found = i;
    }
    sodium_memzero(lower, sizeof lower);
    return found;
}
