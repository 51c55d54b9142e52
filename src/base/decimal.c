/* decimal.c - exact decimal numbers, as they were written. */
#include "base/decimal.h"
#include <assert.h>

#define DIGITS_MAX 18u

__extension__ typedef __int128 wide; /* holds any mantissa moved by any scale */

/* Digits of the whole part without zeros in front, and all decimals: those are what must fit. */
static bool fits(struct bytes whole, struct bytes decimals) {
    while (whole.size && whole.data[0] == '0')
        whole = bytes_skip(whole, 1);
    return decimals.size <= DIGITS_MAX && whole.size <= DIGITS_MAX - decimals.size;
}

static int64_t append_digits(int64_t n, struct bytes digits) {
    for (size_t i = 0; i < digits.size; i++)
        n = n * 10 + (digits.data[i] - '0');
    return n;
}

bool decimal_read(struct bytes b, struct decimal *out) {
    bool is_negative = bytes_starts_with(b, BYTES("-"));
    if (is_negative || bytes_starts_with(b, BYTES("+")))
        b = bytes_skip(b, 1);
    size_t point = bytes_find(b, '.');
    struct bytes whole = bytes_first(b, point);
    struct bytes decimals = bytes_skip(b, point == BYTES_NOT_FOUND ? b.size : point + 1);
    if (!bytes_is_digits(whole) || (point != BYTES_NOT_FOUND && !bytes_is_digits(decimals)))
        return false;
    if (!fits(whole, decimals))
        return false;
    int64_t mantissa = append_digits(append_digits(0, whole), decimals);
    *out = (struct decimal){is_negative ? -mantissa : mantissa, (uint8_t)decimals.size};
    return true;
}

static wide power_of_ten(unsigned exponent) {
    wide power = 1;
    assert(exponent <= DIGITS_MAX);
    while (exponent--)
        power *= 10;
    return power;
}

int decimal_compare(struct decimal a, struct decimal b) {
    uint8_t scale = a.scale > b.scale ? a.scale : b.scale;
    wide left = a.mantissa * power_of_ten((unsigned)(scale - a.scale));
    wide right = b.mantissa * power_of_ten((unsigned)(scale - b.scale));
    return (left > right) - (left < right);
}

void decimal_put(struct text *text, struct decimal number) {
    bool is_negative = number.mantissa < 0;
    uint64_t digits = is_negative ? -(uint64_t)number.mantissa : (uint64_t)number.mantissa;
    uint64_t unit = (uint64_t)power_of_ten(number.scale);
    char line[48];
    struct text whole;
    text_init(&whole, line, sizeof line);
    if (is_negative)
        text_put_char(&whole, '-');
    text_put_u64(&whole, digits / unit);
    if (number.scale) {
        text_put_char(&whole, '.');
        text_put_padded(&whole, digits % unit, number.scale);
    }
    text_put(text, text_bytes(&whole));
}
