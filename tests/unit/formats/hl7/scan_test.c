/* scan_test.c - bytes are found at every place, in runs of any length, to the end of memory. */
#include "formats/hl7/scan.h"
#include "guard.h"
#include "tap.h"

static uint64_t mask_slowly(struct bytes b, uint8_t c) {
    uint64_t mask = 0;
    for (size_t i = 0; i < b.size; i++)
        mask |= (uint64_t)(b.data[i] == c) << i;
    return mask;
}

/* Neighbours of '|' by one bit or by one, and bytes with the highest bit, are what arithmetic on
 * words could mistake for it. */
static const uint8_t others[] = {'{', '}', 0x7C ^ 0x80, 0x00, 0x80, 0xFF, 'A', 0x7C ^ 1};

static bool is_right(struct guard *guard, size_t size, unsigned seed) {
    uint8_t made[SCAN_BYTES_MAX];
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1103515245u + 12345u;
        made[i] = seed >> 16 & 1 ? '|' : others[seed >> 17 & 7];
    }
    struct bytes b = guard_copy(guard, bytes_from(made, size));
    bool is_good = scan_mask(b.data, b.size, '|') == mask_slowly(b, '|');
    if (size == 16)
        is_good &= scan_16(b.data, '|') == scan_16_plain(b.data, '|');
    if (size == 8)
        is_good &= scan_8(b.data, '|') == mask_slowly(b, '|');
    return is_good;
}

static void test_masks(struct guard *guard) {
    bool is_good = true;
    for (size_t size = 0; size <= SCAN_BYTES_MAX; size++)
        for (unsigned seed = 0; seed < 500; seed++)
            is_good &= is_right(guard, size, seed);
    ok(is_good, "random bytes of every size up to a block's");
}

static void test_line_ends(struct guard *guard) {
    uint8_t line[200];
    bool is_good = true;
    for (size_t size = 0; size <= sizeof line; size++)
        for (size_t end = 0; end <= size; end++) {
            memset(line, 'x', sizeof line);
            if (end < size)
                line[end] = end % 2 ? '\r' : '\n';
            struct bytes b = guard_copy(guard, bytes_from(line, size));
            is_good &= scan_line_end(b, 0) == end && scan_line_end(b, end) == end;
        }
    ok(is_good, "a line's end at every place in lines of every size");
    is_int(scan_line_end(BYTES("a\rb\nc"), 2), 3);
    is_int(scan_line_end(BYTES("a\rb\nc"), 5), 5);
    is_int(scan_line_end(BYTES_NONE, 0), 0);
}

int main(void) {
    struct guard guard;
    guard_init(&guard, 4096);
    test_masks(&guard);
    test_line_ends(&guard);
    guard_release(&guard);
    return done();
}
