/* fuzz_slip39.c - shares from any bytes, one a line: read, written and read again, the same; then combined. */
#include "formats/slip39/slip39.h"

#include <assert.h>
#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SHARES_MAX 20u

static bool is_same(const struct slip39_share *a, const struct slip39_share *b) {
    return a->identifier == b->identifier && a->is_extendable == b->is_extendable &&
           a->iteration_exponent == b->iteration_exponent && a->member_index == b->member_index &&
           a->member_threshold == b->member_threshold && a->value_bytes == b->value_bytes &&
           memcmp(a->value, b->value, sizeof a->value) == 0;
}

static bool take(struct bytes line, struct slip39_share *share) {
    struct slip39_share again;
    struct slip39_verdict verdict;
    char buffer[SLIP39_TEXT_BYTES_MAX];
    struct text text;
    enum err err = slip39_read_share(line, share, &verdict);
    assert(!err == (verdict.problem == SLIP39_FINE));
    assert(verdict.problem < SLIP39_OTHER_SET && verdict.at <= line.size + SLIP39_WORD_COUNT_MAX);
    if (err)
        return false;
    text_init(&text, buffer, sizeof buffer);
    slip39_put_share(&text, share);
    assert(!text.full && text.size <= SLIP39_TEXT_BYTES_MAX - 1);
    err = slip39_read_share(text_bytes(&text), &again, &verdict);
    assert(!err && is_same(share, &again));
    return true;
}

static void check_secret(const struct slip39_share *shares, size_t count) {
    uint8_t secret[SLIP39_SECRET_BYTES_MAX];
    size_t size;
    struct slip39_verdict verdict;
    enum err err = slip39_combine(shares, count, BYTES_NONE, secret, &size, &verdict);
    assert(!err == (verdict.problem == SLIP39_FINE));
    if (err)
        assert(size == 0 && sodium_is_zero(secret, sizeof secret));
    else
        assert(size == shares[0].value_bytes && count >= shares[0].member_threshold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slip39_share shares[SHARES_MAX];
    struct bytes rest = bytes_from(data, size), line;
    size_t count = 0;
    if (sodium_init() < 0)
        return 0;
    while (count < SHARES_MAX && bytes_next_part(&rest, '\n', &line))
        if (take(line, &shares[count]))
            shares[count++].iteration_exponent = 0; /* an input that takes an hour finds nothing */
    check_secret(shares, count);
    return 0;
}
