/* thin_test.c - what is long in a message is cut, the rest stays; however it comes. */
#include "hl7_site.h"

#define OUT_BYTES   4096u
#define FIELD_BYTES 16u

static uint8_t out[OUT_BYTES];

static void feed_in(struct guard *guard, struct hl7_thin *thin, struct bytes in, size_t slice,
                    size_t out_bytes) {
    hl7_thin_init(thin, out, out_bytes, FIELD_BYTES);
    while (in.size) {
        struct bytes part = guard_copy(guard, bytes_first(in, slice));
        if (!hl7_thin_feed(thin, part))
            return;
        in = bytes_skip(in, slice);
    }
}

/* `wanted`, with the cuts where it has '#', each of so many bytes. */
static void becomes(struct guard *guard, const char *in, const char *wanted,
                    const uint64_t *cut_bytes) {
    char plain[512];
    size_t size = 0, cut_at[8], cut_count = 0;
    for (const char *c = wanted; *c; c++)
        if (*c == '#')
            cut_at[cut_count++] = size;
        else
            plain[size++] = *c;
    plain[size] = 0;
    size_t bad = 0;
    for (size_t slice = 1; slice <= strlen(in); slice++) {
        struct hl7_thin thin;
        feed_in(guard, &thin, bytes_from_string(in), slice, OUT_BYTES);
        bool same =
            bytes_is(hl7_thin_bytes(&thin), plain) && thin.cut_count == cut_count && !thin.is_full;
        for (size_t i = 0; same && i < cut_count; i++)
            same = thin.cuts[i].at == cut_at[i] && thin.cuts[i].bytes == cut_bytes[i];
        if (!same && bad++ == 0)
            printf("# slices of %zu: '%.*s'\n", slice, (int)thin.filled, (const char *)out);
    }
    tap_ok(bad == 0, "cut as it should be", __FILE__, __LINE__, "");
}

static void test_cuts(struct guard *guard) {
    becomes(guard, MSH "PID|1||12^^^A\r", MSH "PID|1||12^^^A\r", NULL);
    becomes(guard, "MSH|^~\\&|A\rOBX|1|ED|||0123456789abcdefXYZ||||||F\rNTE|1\r",
            "MSH|^~\\&|A\rOBX|1|ED|||0123456789abcdef#||||||F\rNTE|1\r", (uint64_t[]){3});
    becomes(guard, "MSH|^~\\&|A\rOBX|0123456789abcdefXYZ\nNTE|0123456789abcdef0123456789abcdef",
            "MSH|^~\\&|A\rOBX|0123456789abcdef#\nNTE|0123456789abcdef#", (uint64_t[]){3, 16});
}

static void test_delimiters(struct guard *guard) {
    struct hl7_thin thin;
    struct bytes in = BYTES("MSH*^~\\&*A\rOBX*0123456789|abcdefXYZ*1\r");
    for (size_t slice = 1; slice <= in.size; slice++) {
        feed_in(guard, &thin, in, slice, OUT_BYTES);
        is_bytes(hl7_thin_bytes(&thin), "MSH*^~\\&*A\rOBX*0123456789|abcde*1\r");
    }
    /* Without an MSH the usual one is taken; a line longer than its name, without any, is one field. */
    becomes(guard, "0123456789abcdefghi\r0123456789|0123456789\r",
            "0123456789abcdef#\r0123456789|0123456789\r", (uint64_t[]){3});
}

static void test_characters(struct guard *guard) {
    becomes(guard, "MSH|0123456789abcd\xC3\xA9\xC3\xA9|1", "MSH|0123456789abcd\xC3\xA9#|1",
            (uint64_t[]){2});
    becomes(guard, "MSH|0123456789abcde\xC3\xA9\xC3\xA9|1", "MSH|0123456789abcde#|1",
            (uint64_t[]){4});
    becomes(guard, "MSH|0123456789abcd\xE2\x82\xAC|1", "MSH|0123456789abcd#|1", (uint64_t[]){3});
    becomes(guard, "MSH|0123456789abc\xE2\x82\xACx|1", "MSH|0123456789abc\xE2\x82\xAC#|1",
            (uint64_t[]){1});
    becomes(guard, "MSH|0123456789abc\xF0\x9F\x98\x80x|1", "MSH|0123456789abc#|1", (uint64_t[]){5});
    becomes(guard, "MSH|0123456789abc\xE9\xE9\xE9\xE9|1", "MSH|0123456789abc\xE9\xE9#|1",
            (uint64_t[]){2}); /* no UTF-8: a letter may go with what is cut */
    becomes(guard, "MSH|0123456789abc \t \x0Bx|1", "MSH|0123456789abc#|1", (uint64_t[]){5});
    becomes(guard, "MSH|                  |1", "MSH|#|1", (uint64_t[]){18});
}

static void test_full(struct guard *guard) {
    struct hl7_thin thin;
    struct bytes in = BYTES("MSH|^~\\&|A\rOBX|0123456789abcdefXYZ\rNTE|1\r");
    for (size_t room = 0; room < in.size; room++) {
        feed_in(guard, &thin, in, 7, room);
        ok(thin.filled <= room && thin.is_full == (room < 11 + 4 + 16 + 1 + 6));
    }
    static char spaces[200 * 20];
    memset(spaces, ' ', sizeof spaces);
    for (size_t i = 19; i < sizeof spaces; i += 20)
        spaces[i] = '|';
    feed_in(guard, &thin, bytes_from(spaces, sizeof spaces), 33, OUT_BYTES);
    ok(thin.is_full && thin.cut_count == HL7_CUT_COUNT_MAX, "more cuts than are remembered");
}

/* What is left is read as before: the segments and fields are all there. */
static void test_large(void) {
    static uint8_t room[1 << 20];
    static char line[] = "OBX|1|ED|PDF^Report||^application^pdf^Base64^";
    struct hl7_thin thin;
    uint8_t *slice = malloc(1 << 20);
    memset(slice, 'Q', 1 << 20);
    hl7_thin_init(&thin, room, sizeof room, 64 << 10);
    ok(hl7_thin_feed(&thin, BYTES(MSH "PID|1||4711\r")));
    for (unsigned document = 0; document < 3; document++) {
        ok(hl7_thin_feed(&thin, bytes_from_string(line)));
        for (unsigned i = 0; i < 100; i++)
            hl7_thin_feed(&thin, bytes_from(slice, 1 << 20));
        ok(hl7_thin_feed(&thin, BYTES("||||||F|||20261123\r")));
    }
    ok(hl7_thin_feed(&thin, BYTES("NTE|1||the end\r")));
    struct bytes all = hl7_thin_bytes(&thin);
    struct hl7_message message = message_of(all, HL7_LATIN9);
    struct hl7_segment segment = segment_of(&message, "NTE");
    is_bytes(hl7_value(&segment, 3, 1), "the end");
    segment = segment_of(&message, "OBX");
    is_bytes(hl7_value(&segment, 11, 1), "F");
    is_bytes(hl7_value(&segment, 14, 1), "20261123");
    struct bytes value = hl7_field(&segment, 5);
    is_int(value.size, 64 << 10);
    is_int(thin.cut_count, 3);
    is_int(value.size + thin.cuts[0].bytes, (100 << 20) + strlen("^application^pdf^Base64^"));
    ok(all.data + thin.cuts[0].at == value.data + value.size, "the cut is at the value's end");
    free(slice);
}

int main(void) {
    struct guard guard;
    guard_init(&guard, 8192);
    test_cuts(&guard);
    test_delimiters(&guard);
    test_characters(&guard);
    test_full(&guard);
    test_large();
    guard_release(&guard);
    return done();
}
