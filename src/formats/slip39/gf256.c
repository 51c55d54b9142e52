/* gf256.c - GF(256) modulo x^8 + x^4 + x^3 + x + 1, by shifts and masks: no branch and no table depends on a value. */
#include "formats/slip39/gf256.h"

#include <string.h>

uint8_t gf256_multiply(uint8_t a, uint8_t b) {
    unsigned product = 0, shifted = a;
    for (unsigned bit = 0; bit < 8; bit++) {
        product ^= shifted & (0u - ((unsigned)b >> bit & 1u));
        shifted = shifted << 1 ^ (0x11bu & (0u - (shifted >> 7 & 1u)));
    }
    return (uint8_t)product;
}

/* a^254, which is 1/a for all but 0. */
static uint8_t inverse(uint8_t a) {
    uint8_t result = 1, square = a;
    for (unsigned bit = 1; bit < 8; bit++) {
        square = gf256_multiply(square, square);
        result = gf256_multiply(result, square);
    }
    return result;
}

/* The value at `x` of the polynomial that is 1 at the i-th point and 0 at the others (Lagrange). */
static uint8_t basis(const struct gf256_point *points, size_t count, size_t i, uint8_t x) {
    uint8_t above = 1, below = 1;
    for (size_t j = 0; j < count; j++) {
        if (j == i)
            continue;
        above = gf256_multiply(above, x ^ points[j].x);
        below = gf256_multiply(below, points[i].x ^ points[j].x);
    }
    return gf256_multiply(above, inverse(below));
}

void gf256_interpolate(const struct gf256_point *points, size_t count, uint8_t x, uint8_t *out,
                       size_t size) {
    memset(out, 0, size);
    for (size_t i = 0; i < count; i++) {
        uint8_t factor = basis(points, count, i, x);
        for (size_t k = 0; k < size; k++)
            out[k] ^= gf256_multiply(factor, points[i].y[k]);
    }
}
