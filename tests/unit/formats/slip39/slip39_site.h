/* slip39_site.h - what the tests of shares have in common: a source of bytes that repeats, a secret, a set. */
#ifndef TESTS_SLIP39_SITE_H
#define TESTS_SLIP39_SITE_H

#include "formats/slip39/slip39.h"

static unsigned site_random_at;

/* The same bytes after each site_random_at = 0. */
static inline void site_random(void *bytes, size_t size) {
    uint8_t *to = bytes;
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(site_random_at++ * 7 + 13);
}

/* A secret of 1, 2, 3... */
static inline struct bytes site_secret(size_t size) {
    static uint8_t secret[SLIP39_SECRET_BYTES_MAX];
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)(i + 1);
    return bytes_from(secret, size);
}

static inline bool site_is_same(const struct slip39_share *a, const struct slip39_share *b) {
    return a->identifier == b->identifier && a->is_extendable == b->is_extendable &&
           a->iteration_exponent == b->iteration_exponent && a->member_index == b->member_index &&
           a->member_threshold == b->member_threshold && a->value_bytes == b->value_bytes &&
           memcmp(a->value, b->value, sizeof a->value) == 0;
}

/* One share as text, ended by a zero. */
static inline struct bytes site_text(const struct slip39_share *share,
                                     char buffer[SLIP39_TEXT_BYTES_MAX]) {
    struct text text;
    text_init(&text, buffer, SLIP39_TEXT_BYTES_MAX);
    slip39_put_share(&text, share);
    return text.full ? BYTES_NONE : text_bytes(&text);
}

#endif
