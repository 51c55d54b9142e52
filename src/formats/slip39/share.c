/* share.c - one share as words, written and read as people type it.
 *
 * The bits, first word first (SLIP-0039, "Format of the share mnemonic"):
 *   identifier 15, extendable 1, iteration exponent 4                        two words
 *   group index 4, threshold - 1 4, count - 1 4, member index 4, threshold - 1 4   two words
 *   zeros up to a whole word, then the value
 *   checksum 30                                                              three words */
#include "formats/slip39/rs1024.h"
#include "formats/slip39/words.h"

#include <assert.h>
#include <sodium.h>

#define FIELD_WORDS 4u
#define FRAME_WORDS (FIELD_WORDS + RS1024_WORDS)
/* Zeros in front of a value are at most this many, so the count of words gives the count of bytes. */
#define PADDING_BITS_MAX 8u

/* The value lies in `words` from its own end backwards; bit 0 of the last word is bit 0 of the last byte. */
static void value_to_words(const uint8_t *value, size_t value_bytes, uint16_t *words,
                           size_t word_count) {
    for (size_t bit = 0; bit < 8 * value_bytes; bit++) {
        unsigned one = (unsigned)value[value_bytes - 1 - bit / 8] >> bit % 8 & 1u;
        uint16_t *word = words + word_count - 1 - bit / 10;
        *word = (uint16_t)(*word | one << bit % 10);
    }
}

static void words_to_value(const uint16_t *words, size_t word_count, uint8_t *value,
                           size_t value_bytes) {
    for (size_t bit = 0; bit < 8 * value_bytes; bit++) {
        unsigned one = (unsigned)words[word_count - 1 - bit / 10] >> bit % 10 & 1u;
        uint8_t *byte = value + value_bytes - 1 - bit / 8;
        *byte = (uint8_t)(*byte | one << bit % 8);
    }
}

void slip39_put_share(struct text *out, const struct slip39_share *share) {
    uint16_t words[SLIP39_WORD_COUNT_MAX] = {0};
    size_t value_words = (8u * share->value_bytes + 9u) / 10u, count = value_words + FRAME_WORDS;
    assert(share->value_bytes <= SLIP39_SECRET_BYTES_MAX && share->identifier < 1u << 15 &&
           share->iteration_exponent < 16 && share->member_index < 16 &&
           share->member_threshold >= 1 && share->member_threshold <= 16);
    unsigned set = (unsigned)share->identifier << 5 | (unsigned)share->is_extendable << 4 |
                   share->iteration_exponent;
    unsigned member = (unsigned)share->member_index << 4 | (share->member_threshold - 1u);
    words[0] = (uint16_t)(set >> 10);
    words[1] = set & 1023u;
    words[2] = 0; /* the only group of one, of which one is enough: all zeros */
    words[3] = (uint16_t)member;
    value_to_words(share->value, share->value_bytes, words + FIELD_WORDS, value_words);
    rs1024_fill(words, count, share->is_extendable);
    for (size_t i = 0; i < count; i++) {
        if (i)
            text_put_char(out, ' ');
        slip39_word_put(out, words[i]);
    }
    sodium_memzero(words, sizeof words);
}

static enum err refuse(struct slip39_verdict *verdict, enum err code, enum slip39_problem problem,
                       size_t at) {
    *verdict = (struct slip39_verdict){problem, (unsigned)at, 0};
    return code;
}

static bool separates(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || (c && strchr(".,:;()-", c));
}

/* The next word of *rest, without a number in front; a number alone is none. False at the end. */
static bool next_word(struct bytes *rest, struct bytes *word) {
    for (;;) {
        size_t start = 0, digits = 0;
        while (start < rest->size && separates(rest->data[start]))
            start++;
        *rest = bytes_skip(*rest, start);
        *word = *rest;
        for (word->size = 0; word->size < rest->size && !separates(rest->data[word->size]);)
            word->size++;
        if (!word->size)
            return false;
        *rest = bytes_skip(*rest, word->size);
        while (digits < word->size && word->data[digits] >= '0' && word->data[digits] <= '9')
            digits++;
        *word = bytes_skip(*word, digits);
        if (word->size)
            return true;
    }
}

/* *count may be larger than SLIP39_WORD_COUNT_MAX: so many words were there. */
static enum err find_words(struct bytes text, uint16_t *words, size_t *count,
                           struct slip39_verdict *verdict) {
    struct bytes word;
    for (*count = 0; next_word(&text, &word); ++*count) {
        uint16_t index = slip39_word_find(word);
        if (index == SLIP39_LIST_COUNT)
            return refuse(verdict, ERR_INPUT, SLIP39_NO_WORD, *count + 1);
        if (*count < SLIP39_WORD_COUNT_MAX)
            words[*count] = index;
    }
    return ERR_OK;
}

/* The value of `count` words has so many bytes; 0 when no share has so many words. */
static size_t value_bytes_of(size_t count) {
    if (count < SLIP39_WORD_COUNT_MIN || count > SLIP39_WORD_COUNT_MAX)
        return 0;
    size_t bits = 10 * (count - FRAME_WORDS);
    return bits % 16 > PADDING_BITS_MAX ? 0 : bits / 16 * 2;
}

static enum err read_fields(const uint16_t *words, size_t count, struct slip39_share *share,
                            struct slip39_verdict *verdict) {
    unsigned set = (unsigned)words[0] << 10 | words[1],
             member = (unsigned)words[2] << 10 | words[3];
    unsigned group_index = member >> 16, group_threshold = (member >> 12 & 15u) + 1;
    unsigned group_count = (member >> 8 & 15u) + 1;
    size_t value_words = count - FRAME_WORDS, value_bytes = value_bytes_of(count);
    unsigned padding_bits = (unsigned)(10 * value_words - 8 * value_bytes);
    bool is_padded = words[FIELD_WORDS] >> (10 - padding_bits) == 0;
    if (!is_padded || group_threshold > group_count || group_index >= group_count)
        return refuse(verdict, ERR_INPUT, SLIP39_FIELDS, 0);
    if (group_count > 1)
        return refuse(verdict, ERR_UNSUPPORTED, SLIP39_GROUPS, 0);
    share->identifier = (uint16_t)(set >> 5);
    share->is_extendable = set >> 4 & 1;
    share->iteration_exponent = set & 15;
    share->member_index = member >> 4 & 15;
    share->member_threshold = (uint8_t)((member & 15u) + 1);
    share->value_bytes = (uint8_t)value_bytes;
    words_to_value(words + FIELD_WORDS, value_words, share->value, value_bytes);
    return ERR_OK;
}

enum err slip39_read_share(struct bytes text, struct slip39_share *share,
                           struct slip39_verdict *verdict) {
    uint16_t words[SLIP39_WORD_COUNT_MAX];
    size_t count;
    memset(share, 0, sizeof *share);
    *verdict = (struct slip39_verdict){SLIP39_FINE, 0, 0};
    enum err err = find_words(text, words, &count, verdict);
    if (!err && !value_bytes_of(count))
        err = refuse(verdict, ERR_INPUT, SLIP39_WORD_COUNT, count);
    if (!err && !rs1024_holds(words, count, rs1024_is_extendable(words))) {
        size_t suspect = rs1024_suspect(words, count);
        err = refuse(verdict, ERR_INPUT, SLIP39_CHECKSUM, suspect == count ? 0 : suspect + 1);
    }
    if (!err)
        err = read_fields(words, count, share, verdict);
    sodium_memzero(words, sizeof words);
    return err;
}
