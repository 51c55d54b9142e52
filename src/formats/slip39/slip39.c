/* slip39.c - a secret encrypted and split, shares put together and decrypted (SLIP-0039).
 *
 * Of threshold 1 the one share is the encrypted secret. Else all shares lie on one polynomial for each byte,
 * which at 255 is the encrypted secret and at 254 a digest of it: four bytes of HMAC-SHA256, and the random key
 * of that HMAC. So shares of different sets are noticed, and threshold - 1 of them say nothing. */
#include "formats/slip39/slip39.h"
#include "formats/slip39/gf256.h"

#include <assert.h>
#include <nettle/hmac.h>
#include <nettle/pbkdf2.h>
#include <sodium.h>

#define SECRET_X             255u
#define DIGEST_X             254u
#define DIGEST_BYTES         4u
#define ROUND_COUNT          4u
#define ROUND_ITERATIONS     2500u
#define PASSPHRASE_BYTES_MAX 256u
/* What functions called from here may have left on the stack: nettle's HMAC states and our buffers. */
#define STACK_BYTES 4096u

/* ---- encryption: four rounds of a Feistel network with PBKDF2 ---- */

struct cipher {
    uint8_t password[1 + PASSPHRASE_BYTES_MAX]; /* the round's number first */
    uint8_t salt[8 + SLIP39_SECRET_BYTES_MAX / 2];
    size_t password_bytes,
        salt_bytes; /* salt_bytes: without the half that is added in each round */
    unsigned iterations;
};

static void cipher_init(struct cipher *cipher, struct bytes passphrase, uint16_t identifier,
                        bool is_extendable, unsigned exponent) {
    assert(passphrase.size <= PASSPHRASE_BYTES_MAX && exponent < 16);
    if (passphrase.size)
        memcpy(cipher->password + 1, passphrase.data, passphrase.size);
    cipher->password_bytes = 1 + passphrase.size;
    cipher->iterations = ROUND_ITERATIONS << exponent;
    cipher->salt_bytes = 0;
    if (!is_extendable) { /* a set that can be extended has no salt: another set's identifier differs */
        memcpy(cipher->salt, "shamir", 6);
        store_u16(cipher->salt + 6, identifier);
        cipher->salt_bytes = 8;
    }
}

/* Encryption counts the rounds up, decryption down; the halves change places after each, and at the end. */
static void cipher_run(struct cipher *cipher, uint8_t *secret, size_t size, bool is_decrypting) {
    uint8_t mixed[SLIP39_SECRET_BYTES_MAX / 2], right[SLIP39_SECRET_BYTES_MAX / 2];
    size_t half = size / 2;
    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        cipher->password[0] = (uint8_t)(is_decrypting ? ROUND_COUNT - 1 - round : round);
        memcpy(right, secret + half, half);
        memcpy(cipher->salt + cipher->salt_bytes, right, half);
        pbkdf2_hmac_sha256(cipher->password_bytes, cipher->password, cipher->iterations,
                           cipher->salt_bytes + half, cipher->salt, half, mixed);
        for (size_t k = 0; k < half; k++)
            secret[half + k] = secret[k] ^ mixed[k];
        memcpy(secret, right, half);
    }
    memcpy(right, secret + half, half);
    memcpy(secret + half, secret, half);
    memcpy(secret, right, half);
    sodium_memzero(mixed, sizeof mixed);
    sodium_memzero(right, sizeof right);
}

static void encrypt(uint8_t *secret, size_t size, struct bytes passphrase,
                    const struct slip39_share *share, bool is_decrypting) {
    struct cipher cipher;
    cipher_init(&cipher, passphrase, share->identifier, share->is_extendable,
                share->iteration_exponent);
    cipher_run(&cipher, secret, size, is_decrypting);
    sodium_memzero(&cipher, sizeof cipher);
}

/* The first four bytes of HMAC-SHA256 of the secret, with the rest of `digest` as its key. */
static void digest_of(const uint8_t *secret, const uint8_t *digest, size_t size,
                      uint8_t out[DIGEST_BYTES]) {
    struct hmac_sha256_ctx context;
    hmac_sha256_set_key(&context, size - DIGEST_BYTES, digest + DIGEST_BYTES);
    hmac_sha256_update(&context, size, secret);
    hmac_sha256_digest(&context, DIGEST_BYTES, out);
    sodium_memzero(&context, sizeof context);
}

/* ---- splitting ---- */

static bool are_possible(struct bytes secret, const struct slip39_options *options) {
    return secret.size >= SLIP39_SECRET_BYTES_MIN && secret.size <= SLIP39_SECRET_BYTES_MAX &&
           secret.size % 2 == 0 && options->threshold >= 1 &&
           options->threshold <= options->count && options->count <= SLIP39_SHARE_COUNT_MAX &&
           (options->threshold > 1 || options->count == 1) && options->iteration_exponent < 16 &&
           options->passphrase.size <= PASSPHRASE_BYTES_MAX;
}

/* threshold - 2 shares are random; with the digest and the secret they fix the polynomial, which gives the
 * others. */
static void share_out(const uint8_t *secret, size_t size, const struct slip39_options *options,
                      void (*random)(void *bytes, size_t size), struct slip39_share *shares) {
    struct gf256_point points[SLIP39_SHARE_COUNT_MAX];
    uint8_t digest[SLIP39_SECRET_BYTES_MAX];
    size_t random_count = options->threshold - 2, i;
    for (i = 0; i < random_count; i++) {
        random(shares[i].value, size);
        points[i] = (struct gf256_point){(uint8_t)i, shares[i].value};
    }
    random(digest + DIGEST_BYTES, size - DIGEST_BYTES);
    digest_of(secret, digest, size, digest);
    points[i++] = (struct gf256_point){DIGEST_X, digest};
    points[i++] = (struct gf256_point){SECRET_X, secret};
    for (size_t x = random_count; x < options->count; x++)
        gf256_interpolate(points, i, (uint8_t)x, shares[x].value, size);
    sodium_memzero(digest, sizeof digest);
}

enum err slip39_split(struct bytes secret, const struct slip39_options *options,
                      void (*random)(void *bytes, size_t size), struct slip39_share *shares) {
    uint8_t encrypted[SLIP39_SECRET_BYTES_MAX], identifier[2];
    if (!are_possible(secret, options))
        return ERR_INPUT;
    random(identifier, sizeof identifier);
    for (size_t i = 0; i < options->count; i++)
        shares[i] = (struct slip39_share){
            .identifier = load_u16(identifier) & 0x7fff,
            .is_extendable = true,
            .iteration_exponent = (uint8_t)options->iteration_exponent,
            .member_index = (uint8_t)i,
            .member_threshold = (uint8_t)options->threshold,
            .value_bytes = (uint8_t)secret.size,
        };
    memcpy(encrypted, secret.data, secret.size);
    encrypt(encrypted, secret.size, options->passphrase, &shares[0], false);
    if (options->threshold == 1)
        memcpy(shares[0].value, encrypted, secret.size);
    else
        share_out(encrypted, secret.size, options, random, shares);
    sodium_memzero(encrypted, sizeof encrypted);
    sodium_stackzero(STACK_BYTES);
    return ERR_OK;
}

/* ---- combining ---- */

static enum err refuse(struct slip39_verdict *verdict, enum err code, enum slip39_problem problem,
                       size_t at, size_t with) {
    *verdict = (struct slip39_verdict){problem, (unsigned)at, (unsigned)with};
    return code;
}

static bool are_of_one_set(const struct slip39_share *a, const struct slip39_share *b) {
    return a->identifier == b->identifier && a->is_extendable == b->is_extendable &&
           a->iteration_exponent == b->iteration_exponent &&
           a->member_threshold == b->member_threshold && a->value_bytes == b->value_bytes;
}

/* The set that most shares are of (of sets alike in size, the first) is the right one. */
static enum err check_set(const struct slip39_share *shares, size_t count,
                          struct slip39_verdict *verdict) {
    size_t most = 0, right = 0;
    for (size_t i = 0; i < count; i++) {
        size_t alike = 0;
        for (size_t j = 0; j < count; j++)
            alike += are_of_one_set(&shares[i], &shares[j]);
        if (alike > most) {
            most = alike;
            right = i;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (!are_of_one_set(&shares[i], &shares[right]))
            return refuse(verdict, ERR_INPUT, SLIP39_OTHER_SET, i, right);
    return ERR_OK;
}

static enum err check_indices(const struct slip39_share *shares, size_t count,
                              struct slip39_verdict *verdict) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            if (shares[i].member_index != shares[j].member_index)
                continue;
            bool is_same = !sodium_memcmp(shares[i].value, shares[j].value, shares[i].value_bytes);
            return refuse(verdict, ERR_INPUT, is_same ? SLIP39_TWICE : SLIP39_CONFLICT, i, j);
        }
    return ERR_OK;
}

/* What the points say the encrypted secret is; false when its digest is another. */
static bool put_together(const struct gf256_point *points, unsigned threshold, uint8_t *secret,
                         size_t size) {
    uint8_t digest[SLIP39_SECRET_BYTES_MAX], wanted[DIGEST_BYTES];
    gf256_interpolate(points, threshold, SECRET_X, secret, size);
    if (threshold == 1) /* the standard has no digest then */
        return true;
    gf256_interpolate(points, threshold, DIGEST_X, digest, size);
    digest_of(secret, digest, size, wanted);
    bool is_good = !sodium_memcmp(digest, wanted, DIGEST_BYTES);
    sodium_memzero(digest, sizeof digest);
    return is_good;
}

/* Any that are more than needed must lie on the polynomial of the others. */
static enum err check_others(const struct gf256_point *points, size_t count, unsigned threshold,
                             size_t size, struct slip39_verdict *verdict) {
    uint8_t value[SLIP39_SECRET_BYTES_MAX];
    enum err err = ERR_OK;
    for (size_t i = threshold; !err && i < count; i++) {
        gf256_interpolate(points, threshold, points[i].x, value, size);
        if (sodium_memcmp(value, points[i].y, size))
            err = refuse(verdict, ERR_CRYPTO, SLIP39_DIGEST, 0, 0);
    }
    sodium_memzero(value, sizeof value);
    return err;
}

static enum err recover(const struct slip39_share *shares, size_t count, uint8_t *secret,
                        struct slip39_verdict *verdict) {
    struct gf256_point points[SLIP39_SHARE_COUNT_MAX];
    unsigned threshold = shares[0].member_threshold;
    size_t size = shares[0].value_bytes;
    assert(count <= SLIP39_SHARE_COUNT_MAX && threshold <= count);
    for (size_t i = 0; i < count; i++)
        points[i] = (struct gf256_point){shares[i].member_index, shares[i].value};
    if (!put_together(points, threshold, secret, size))
        return refuse(verdict, ERR_CRYPTO, SLIP39_DIGEST, 0, 0);
    return check_others(points, count, threshold, size, verdict);
}

enum err slip39_combine(const struct slip39_share *shares, size_t count, struct bytes passphrase,
                        uint8_t *secret, size_t *secret_bytes, struct slip39_verdict *verdict) {
    *verdict = (struct slip39_verdict){SLIP39_FINE, 0, 0};
    *secret_bytes = 0;
    sodium_memzero(secret, SLIP39_SECRET_BYTES_MAX);
    if (passphrase.size > PASSPHRASE_BYTES_MAX)
        return ERR_INPUT;
    if (count == 0)
        return refuse(verdict, ERR_MORE, SLIP39_TOO_FEW, 1, 0);
    enum err err = check_set(shares, count, verdict);
    if (!err)
        err = check_indices(shares, count, verdict);
    if (!err && count < shares[0].member_threshold)
        err = refuse(verdict, ERR_MORE, SLIP39_TOO_FEW, shares[0].member_threshold - count, 0);
    if (!err)
        err = recover(shares, count, secret, verdict);
    if (err) {
        sodium_memzero(secret, SLIP39_SECRET_BYTES_MAX);
    } else {
        *secret_bytes = shares[0].value_bytes;
        encrypt(secret, *secret_bytes, passphrase, &shares[0], true);
    }
    sodium_stackzero(STACK_BYTES);
    return err;
}

void slip39_share_clear(struct slip39_share *shares, size_t count) {
    sodium_memzero(shares, count * sizeof *shares);
}

const char *slip39_problem_text(enum slip39_problem problem) {
    switch (problem) {
    case SLIP39_FINE:
        return "nothing is wrong";
    case SLIP39_NO_WORD:
        return "this is no word of the list";
    case SLIP39_WORD_COUNT:
        return "no share has so many words";
    case SLIP39_CHECKSUM:
        return "a word is mistyped, or words are exchanged";
    case SLIP39_FIELDS:
        return "the words say what no share can say";
    case SLIP39_GROUPS:
        return "the share is of a set of several groups";
    case SLIP39_OTHER_SET:
        return "the share is of another set";
    case SLIP39_TWICE:
        return "the same share was given twice";
    case SLIP39_CONFLICT:
        return "two different shares have the same number";
    case SLIP39_TOO_FEW:
        return "more shares are needed";
    case SLIP39_DIGEST:
        return "the shares do not hold together: one is forged";
    }
    return "";
}
