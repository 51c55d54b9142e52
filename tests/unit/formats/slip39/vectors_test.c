/* vectors_test.c - the standard's own test vectors, each with its verdict.
 *
 * Vectors 8 to 10, 14 to 19, 27 to 29 and 33 to 38 are of several groups. Those are read as far as to be refused
 * with ERR_UNSUPPORTED, but 10 and 29, which no program should have written. */
#include "formats/slip39/slip39.h"
#include "tap.h"

#include <sodium.h>
#include <stdio.h>

#define VECTORS      "tests/cases/slip39/vectors.txt"
#define SHARES_MAX   8u
#define VECTOR_COUNT 45

static const struct expectation {
    int number;
    enum err err;
    enum slip39_problem problem;
} expectations[] = {
    {2, ERR_INPUT, SLIP39_CHECKSUM},      {3, ERR_INPUT, SLIP39_FIELDS},
    {5, ERR_MORE, SLIP39_TOO_FEW},        {6, ERR_INPUT, SLIP39_OTHER_SET},
    {7, ERR_INPUT, SLIP39_OTHER_SET},     {8, ERR_UNSUPPORTED, SLIP39_GROUPS},
    {9, ERR_UNSUPPORTED, SLIP39_GROUPS},  {10, ERR_INPUT, SLIP39_FIELDS},
    {11, ERR_INPUT, SLIP39_CONFLICT},     {12, ERR_INPUT, SLIP39_OTHER_SET},
    {13, ERR_CRYPTO, SLIP39_DIGEST},      {14, ERR_UNSUPPORTED, SLIP39_GROUPS},
    {15, ERR_UNSUPPORTED, SLIP39_GROUPS}, {16, ERR_UNSUPPORTED, SLIP39_GROUPS},
    {17, ERR_UNSUPPORTED, SLIP39_GROUPS}, {18, ERR_UNSUPPORTED, SLIP39_GROUPS},
    {19, ERR_UNSUPPORTED, SLIP39_GROUPS}, {21, ERR_INPUT, SLIP39_CHECKSUM},
    {22, ERR_INPUT, SLIP39_FIELDS},       {24, ERR_MORE, SLIP39_TOO_FEW},
    {25, ERR_INPUT, SLIP39_OTHER_SET},    {26, ERR_INPUT, SLIP39_OTHER_SET},
    {27, ERR_UNSUPPORTED, SLIP39_GROUPS}, {28, ERR_UNSUPPORTED, SLIP39_GROUPS},
    {29, ERR_INPUT, SLIP39_FIELDS},       {30, ERR_INPUT, SLIP39_CONFLICT},
    {31, ERR_INPUT, SLIP39_OTHER_SET},    {32, ERR_CRYPTO, SLIP39_DIGEST},
    {33, ERR_UNSUPPORTED, SLIP39_GROUPS}, {34, ERR_UNSUPPORTED, SLIP39_GROUPS},
    {35, ERR_UNSUPPORTED, SLIP39_GROUPS}, {36, ERR_UNSUPPORTED, SLIP39_GROUPS},
    {37, ERR_UNSUPPORTED, SLIP39_GROUPS}, {38, ERR_UNSUPPORTED, SLIP39_GROUPS},
    {39, ERR_INPUT, SLIP39_WORD_COUNT},   {40, ERR_INPUT, SLIP39_WORD_COUNT},
};

struct vector {
    char title[128];
    struct slip39_share shares[SHARES_MAX];
    size_t count;
    enum err err; /* of the first share that was refused */
    struct slip39_verdict verdict;
};

static struct expectation expected(int number) {
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++)
        if (expectations[i].number == number)
            return expectations[i];
    return (struct expectation){number, ERR_OK, SLIP39_FINE};
}

static void take_share(struct vector *vector, struct bytes text) {
    struct slip39_verdict verdict;
    char again[SLIP39_TEXT_BYTES_MAX];
    struct text written;
    if (vector->err || vector->count == SHARES_MAX)
        return;
    struct slip39_share *share = &vector->shares[vector->count++];
    vector->err = slip39_read_share(text, share, &verdict);
    vector->verdict = verdict;
    if (vector->err)
        return;
    text_init(&written, again, sizeof again);
    slip39_put_share(&written, share);
    ok(bytes_equal(text_bytes(&written), bytes_trim(text)), "written as it was read");
}

static void check_vector(struct vector *vector, struct bytes hex) {
    uint8_t secret[SLIP39_SECRET_BYTES_MAX], wanted[SLIP39_SECRET_BYTES_MAX];
    size_t size = 0;
    struct expectation want = expected(atoi(vector->title));
    enum err err = vector->err;
    if (!err)
        err = slip39_combine(vector->shares, vector->count, BYTES("TREZOR"), secret, &size,
                             &vector->verdict);
    bool is_right = err == want.err && vector->verdict.problem == want.problem;
    if (hex.size && want.err == ERR_OK)
        is_right = is_right && 2 * size == hex.size && hex_decode(hex, wanted, size) &&
                   memcmp(secret, wanted, size) == 0;
    else /* only what is of several groups may be unsupported where the standard has a secret */
        is_right = is_right && (!hex.size || err == ERR_UNSUPPORTED);
    ok(is_right, "a vector of the standard");
    printf("# %s: %s, %s\n", vector->title, err_name(err),
           slip39_problem_text(vector->verdict.problem));
}

int main(void) {
    static struct vector vector;
    char line[512];
    int vector_count = 0;
    if (sodium_init() < 0)
        skip_all("libsodium does not start");
    FILE *file = fopen(VECTORS, "r");
    if (!ok(file != NULL, "the vectors are there"))
        return done();
    while (fgets(line, sizeof line, file)) {
        struct bytes text = bytes_trim(bytes_from_string(line));
        if (line[0] == '#' || !text.size)
            continue;
        if (line[0] == ' ') {
            take_share(&vector, text);
        } else if (line[0] == '=') {
            check_vector(&vector, bytes_trim(bytes_skip(text, 1)));
            vector_count++;
        } else {
            memset(&vector, 0, sizeof vector);
            snprintf(vector.title, sizeof vector.title, "%.*s", (int)text.size,
                     (const char *)text.data);
        }
    }
    fclose(file);
    is_int(vector_count, VECTOR_COUNT);
    return done();
}
