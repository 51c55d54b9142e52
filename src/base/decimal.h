/* decimal.h - exact decimal numbers for results and doses; never a float.
 *
 * Shapes     value = mantissa * 10^-scale. "0.50" keeps its two decimals.
 * Errors     decimal_read returns false on anything but [+-]digits[.digits], or more than 18
 *            digits (zeros in front are not counted).
 */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include "base/text.h"

struct decimal {
    int64_t mantissa;
    uint8_t scale;
};

bool decimal_read(struct bytes b, struct decimal *out);
/* -1, 0, 1 */
int decimal_compare(struct decimal a, struct decimal b);
/* Always a digit before the point: 0.5, never .5 */
void decimal_put(struct text *text, struct decimal number);

#endif
