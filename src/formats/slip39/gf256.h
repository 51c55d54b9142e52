/* gf256.h - polynomials through points, for each byte of a secret, over the field of AES. */
#ifndef FORMATS_SLIP39_GF256_H
#define FORMATS_SLIP39_GF256_H

#include <stddef.h>
#include <stdint.h>

struct gf256_point {
    uint8_t x;
    const uint8_t *y; /* as many bytes as the secret has */
};

uint8_t gf256_multiply(uint8_t a, uint8_t b);
/* The polynomial of least degree through the points (no two with one x), at `x`. `out` may be none of the y. */
void gf256_interpolate(const struct gf256_point *points, size_t count, uint8_t x, uint8_t *out,
                       size_t size);

#endif
