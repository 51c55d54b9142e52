/* parts_test.c - what shares are made with: the field, the checksum, the list of words. */
#include "formats/slip39/gf256.h"
#include "formats/slip39/rs1024.h"
#include "formats/slip39/words.h"
#include "tap.h"

#include <nettle/sha2.h>

/* The product by logarithms to the base 3, which generates the field: another way to the same. */
static uint8_t product_by_logarithms(uint8_t a, uint8_t b) {
    static uint8_t exponentials[255], logarithms[256];
    if (!exponentials[0]) {
        unsigned power = 1;
        for (unsigned i = 0; i < 255; i++) {
            exponentials[i] = (uint8_t)power;
            logarithms[power] = (uint8_t)i;
            power ^= power << 1;
            power ^= power > 255 ? 0x11b : 0;
        }
    }
    return a && b ? exponentials[(logarithms[a] + logarithms[b]) % 255] : 0;
}

static void test_field(void) {
    unsigned wrong = 0;
    is_int(gf256_multiply(0x57, 0x83), 0xc1); /* FIPS 197, 4.2 */
    is_int(gf256_multiply(0x57, 0x13), 0xfe); /* FIPS 197, 4.2.1 */
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            wrong += gf256_multiply((uint8_t)a, (uint8_t)b) !=
                     product_by_logarithms((uint8_t)a, (uint8_t)b);
    is_int(wrong, 0);
}

/* y = 0x1b x^2 + 0x80 x + 0x2a, read off at three places, is found at all 256. */
static uint8_t parabola(uint8_t x) {
    return gf256_multiply(0x1b, gf256_multiply(x, x)) ^ gf256_multiply(0x80, x) ^ 0x2a;
}

static void test_interpolation(void) {
    uint8_t y[3][2], out[2];
    const uint8_t x[3] = {0, 7, 200};
    struct gf256_point points[3];
    unsigned wrong = 0;
    for (unsigned i = 0; i < 3; i++) {
        y[i][0] = parabola(x[i]);
        y[i][1] = 0x55;
        points[i] = (struct gf256_point){x[i], y[i]};
    }
    for (unsigned at = 0; at < 256; at++) {
        gf256_interpolate(points, 3, (uint8_t)at, out, 2);
        wrong += out[0] != parabola((uint8_t)at) || out[1] != 0x55;
    }
    is_int(wrong, 0);
}

static void test_list(void) {
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char hex[2 * SHA256_DIGEST_SIZE + 1], word[16];
    struct text text;
    unsigned wrong = 0;
    sha256_init(&context);
    for (uint16_t i = 0; i < SLIP39_LIST_COUNT; i++) {
        text_init(&text, word, sizeof word);
        slip39_word_put(&text, i);
        wrong += strcmp(word, slip39_words[i]) != 0;
        wrong += i && strncmp(slip39_words[i - 1], slip39_words[i], 4) >= 0;
        wrong += text.size < 4 || text.size > SLIP39_WORD_BYTES_MAX;
        text_put_char(&text, '\n');
        sha256_update(&context, text.size, (const uint8_t *)word);
    }
    is_int(wrong, 0);
    sha256_digest(&context, sizeof digest, digest);
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, bytes_from(digest, sizeof digest));
    is_string(hex, "bcc4555340332d169718aed8bf31dd9d5248cb7da6e5d355140ef4f1e601eec3");
}

/* Whole, cut after four letters, cut after five; in capitals; never with a letter more. */
static void test_finding(void) {
    unsigned wrong = 0;
    for (uint16_t i = 0; i < SLIP39_LIST_COUNT; i++) {
        char word[SLIP39_WORD_BYTES_MAX + 2] = {0};
        size_t size = strlen(slip39_words[i]);
        memcpy(word, slip39_words[i], size);
        for (size_t cut = 0; cut <= size; cut++)
            wrong += slip39_word_find(bytes_from(word, cut)) != (cut < 4 ? SLIP39_LIST_COUNT : i);
        for (size_t c = 0; c < size; c++)
            word[c] = (char)(word[c] - 'a' + 'A');
        wrong += slip39_word_find(bytes_from(word, size)) != i;
        word[size] = 'q';
        wrong += slip39_word_find(bytes_from(word, size + 1)) != SLIP39_LIST_COUNT;
    }
    is_int(wrong, 0);
    static const char *const strangers[] = {"",
                                            "aca",
                                            "academics",
                                            "acadamic",
                                            "zzzz",
                                            "aci1",
                                            "\x81"
                                            "cid",
                                            "a{id",
                                            "acid ",
                                            "acidacida"};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        is_int(slip39_word_find(bytes_from_string(strangers[i])), SLIP39_LIST_COUNT);
}

/* Any one, two or three wrong words are noticed; of one, the place is told. */
static void test_checksum(void) {
    uint16_t words[33], right[33];
    unsigned taken = 0, misplaced = 0;
    for (unsigned i = 0; i < 33; i++)
        right[i] = (uint16_t)(i * 331 + 17) & 1023;
    for (unsigned extendable = 0; extendable < 2; extendable++) {
        right[1] = (uint16_t)((right[1] & ~16u) | extendable << 4);
        rs1024_fill(right, 33, extendable);
        ok(rs1024_holds(right, 33, extendable) && !rs1024_holds(right, 33, !extendable));
        for (unsigned at = 0; at < 33; at++)
            for (unsigned change = 1; change < 1024; change += at == 1 ? 1 : 37) {
                memcpy(words, right, sizeof words);
                words[at] ^= (uint16_t)change;
                taken += rs1024_holds(words, 33, rs1024_is_extendable(words));
                misplaced += rs1024_suspect(words, 33) != at;
                words[(at + 5) % 33] ^= 1;
                taken += rs1024_holds(words, 33, extendable);
                words[(at + 20) % 33] ^= 512;
                taken += rs1024_holds(words, 33, extendable);
            }
    }
    is_int(taken, 0);
    is_int(misplaced, 0);
}

int main(void) {
    test_field();
    test_interpolation();
    test_list();
    test_finding();
    test_checksum();
    return done();
}
