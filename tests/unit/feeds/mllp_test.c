/* mllp_test.c - frames cut at every byte, without their last byte, with garbage between them and
 * frame bytes inside. */
#include "feeds/mllp.h"
#include "guard.h"
#include "tap.h"

/* Read `in` as it would come: first `cut` bytes, then all. What was found is written as letters
 * and bodies. */
static void read_cut(char *log, size_t log_bytes, struct bytes in, size_t cut, bool ends_quiet,
                     size_t parts_after) {
    struct mllp_reader reader = {0};
    size_t at = 0, seen = cut;
    log[0] = 0;
    for (;;) {
        size_t used;
        struct bytes view;
        struct bytes waiting = bytes_from(in.data + at, seen - at);
        enum mllp_event event =
            mllp_next(&reader, waiting, ends_quiet && seen == in.size, &used, &view);
        size_t length = strlen(log);
        static const char letters[] = {[MLLP_MORE] = ' ',    [MLLP_BLANK] = ' ', [MLLP_NOISE] = 'N',
                                       [MLLP_MESSAGE] = 'M', [MLLP_PART] = '+',  [MLLP_LAST] = '.'};
        if (letters[event] != ' ')
            snprintf(log + length, log_bytes - length, "%c(%.*s)", letters[event], (int)view.size,
                     (const char *)view.data);
        at += used;
        if (event != MLLP_MORE)
            continue;
        if (!reader.is_in_parts && mllp_is_frame(waiting) && waiting.size > parts_after)
            at += mllp_begin_parts(&reader, waiting);
        else if (seen < in.size)
            seen = in.size;
        else
            return;
    }
}

static void same_at_every_cut(struct bytes in, const char *wanted, const char *name) {
    struct guard guard;
    guard_init(&guard, in.size);
    struct bytes copy = guard_copy(&guard, in);
    char log[512];
    bool same = true;
    for (size_t cut = 0; cut <= in.size && same; cut++) {
        read_cut(log, sizeof log, copy, cut, true, SIZE_MAX);
        same = strcmp(log, wanted) == 0;
        if (!same)
            printf("# cut at %zu: %s\n", cut, log);
    }
    tap_ok(same, "same at every cut", __FILE__, __LINE__, name);
    guard_release(&guard);
}

/* In parts, the pieces depend on the cut, their sum does not. */
static void parts_add_up(void) {
    struct bytes in = BYTES("\x0b"
                            "AB\x1c"
                            "CD\x0b"
                            "E\x1c\r\x0b"
                            "F\x1c\r");
    bool same = true;
    for (size_t cut = 2; cut <= in.size; cut++) {
        char log[256], sum[64];
        read_cut(log, sizeof log, in, cut, true, 1);
        size_t n = 0;
        for (const char *c = log; *c; c++)
            if (!strchr("+.()M", *c))
                sum[n++] = *c;
        sum[n] = 0;
        if (strcmp(sum, "AB\x1c"
                        "CD\x0b"
                        "EF")) {
            same = false;
            printf("# cut at %zu: %s\n", cut, log);
        }
    }
    ok(same, "a body in parts adds up to the same, wherever it was cut");
}

static void quiet_decides(void) {
    struct mllp_reader reader = {0};
    struct bytes view, in = BYTES("\x0b"
                                  "A\x1c");
    size_t used;
    is_int(mllp_next(&reader, in, false, &used, &view), MLLP_MORE);
    ok(mllp_waits_for_quiet(&reader, in), "a last 0x1C waits for what follows");
    is_int(mllp_next(&reader, in, true, &used, &view), MLLP_MESSAGE);
    ok(bytes_is(view, "A") && used == 3, "silence ends the frame");
    reader = (struct mllp_reader){0};
    in = BYTES("GET / HTTP");
    is_int(mllp_next(&reader, in, false, &used, &view), MLLP_MORE);
    ok(mllp_waits_for_quiet(&reader, in), "so does garbage");
    is_int(mllp_next(&reader, in, true, &used, &view), MLLP_NOISE);
    is_int(used, in.size);
    in = BYTES("\x0b"
               "A");
    reader = (struct mllp_reader){0};
    is_int(mllp_next(&reader, in, true, &used, &view), MLLP_MORE);
    ok(!mllp_waits_for_quiet(&reader, in), "a frame under way does not");
}

int main(void) {
    same_at_every_cut(BYTES("\x0bMSH|A\x1c\r\x0bMSH|B\x1c\r"), "M(MSH|A)M(MSH|B)", "two frames");
    same_at_every_cut(BYTES("\x0b"
                            "A\x1c\x0b"
                            "B\x1c"),
                      "M(A)M(B)", "the last byte of frames left out");
    same_at_every_cut(BYTES("\r\n\x0b"
                            "A\x1c\r\r\n \x0b"
                            "B\x1c\r\n"),
                      "M(A)M(B)", "white space between");
    same_at_every_cut(BYTES("xx\x0b"
                            "A\x1c\ryy\r\n\x0b"
                            "B\x1c\r"),
                      "N(xx)M(A)N(yy\r\n)M(B)", "garbage between");
    same_at_every_cut(BYTES("\x0b"
                            "A\x0b"
                            "B\x1c"
                            "C\x1c\x1c"
                            "D\x1c\x1c\r"),
                      "M(A\x0b"
                      "B\x1c"
                      "C\x1c\x1c"
                      "D\x1c)",
                      "frame bytes inside a body");
    same_at_every_cut(BYTES("\x0b\x1c\r\x0b"
                            "A\x1c\r"),
                      "M()M(A)", "an empty frame");
    same_at_every_cut(BYTES("\x0b"
                            "A\x1c\r\x0b"
                            "BCD"),
                      "M(A)", "cut off in a frame");
    parts_add_up();
    quiet_decides();
    return done();
}
