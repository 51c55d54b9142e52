/* decimal_test.c - exact decimal numbers. */
#include "base/decimal.h"
#include "guard.h"
#include "tap.h"

static struct guard guard;

static struct decimal read_one(const char *string) {
    struct decimal number = {-1, 99};
    ok(decimal_read(guard_copy(&guard, bytes_from_string(string)), &number), "a decimal is read");
    return number;
}

static void writes(const char *in, const char *out) {
    char buffer[64];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    decimal_put(&text, read_one(in));
    is_string(buffer, out);
}

int main(void) {
    guard_init(&guard, 64);
    struct decimal half = read_one("0.50");
    ok(half.mantissa == 50 && half.scale == 2);
    writes("0.50", "0.50");
    writes("+12", "12");
    writes("-0.5", "-0.5");
    writes("007.10", "7.10");
    writes("-0", "0");
    writes("999999999999999999", "999999999999999999");
    writes("0.000000000000000001", "0.000000000000000001");
    writes("-12345678.0123456789", "-12345678.0123456789");
    static const char *const wrong[] = {"",
                                        "+",
                                        "-",
                                        ".",
                                        ".5",
                                        "5.",
                                        "1e5",
                                        "1,5",
                                        " 1",
                                        "1 ",
                                        "--1",
                                        "1.-5",
                                        "1.2.3",
                                        "0x1",
                                        "1234567890123456789",
                                        "1.234567890123456789"};
    struct decimal number = {7, 7};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ok(!decimal_read(guard_copy(&guard, bytes_from_string(wrong[i])), &number),
           "not a decimal");
    ok(number.mantissa == 7 && number.scale == 7, "a refused number leaves the last one alone");
    is_int(decimal_compare(read_one("0.50"), read_one("0.5")), 0);
    is_int(decimal_compare(read_one("-1"), read_one("0.5")), -1);
    is_int(decimal_compare(read_one("10"), read_one("9.999")), 1);
    is_int(decimal_compare(read_one("999999999999999999"), read_one("0.000000000000000001")), 1);
    guard_release(&guard);
    return done();
}
