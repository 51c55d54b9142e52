/* base64_test.c - what comes out of base64, whole and in slices, and where what is wrong is wrong. */
#include "formats/base64/base64.h"
#include "guard.h"
#include "tap.h"

static struct guard guard;

struct result {
    enum err err;
    struct fault fault;
    uint8_t out[8192];
    size_t size;
};

/* Slices of `step` characters, each against an unreadable page. */
static void decode(const char *text, size_t step, struct result *result) {
    struct base64_stream stream;
    struct bytes in = bytes_from_string(text);
    *result = (struct result){0};
    base64_init(&stream, '\\');
    for (size_t at = 0; at < in.size && !result->err; at += step) {
        size_t size = 0;
        struct bytes slice = guard_copy(&guard, bytes_first(bytes_skip(in, at), step));
        result->err =
            base64_feed(&stream, slice, result->out + result->size, &size, &result->fault);
        result->size += size;
    }
    if (!result->err)
        result->err = base64_end(&stream, &result->fault);
}

static void gives(const char *text, const char *wanted) {
    struct result result;
    for (size_t step = 1; step <= strlen(text) + 1; step++) {
        decode(text, step, &result);
        if (result.err || !bytes_is(bytes_from(result.out, result.size), wanted))
            break;
    }
    ok(!result.err && bytes_is(bytes_from(result.out, result.size), wanted),
       "decoded in slices of every size");
}

static void refuses(const char *text, uint64_t at, const char *what) {
    struct result result;
    for (size_t step = 1; step <= strlen(text) + 1; step++) {
        decode(text, step, &result);
        if (result.err != ERR_INPUT || result.fault.at != at ||
            strcmp(result.fault.what, what) != 0)
            break;
    }
    is_int(result.err, ERR_INPUT);
    is_int(result.fault.at, at);
    is_string(result.fault.what, what);
}

/* RFC 4648 section 10. */
static void test_vectors(void) {
    gives("", "");
    gives("Zg==", "f");
    gives("Zm8=", "fo");
    gives("Zm9v", "foo");
    gives("Zm9vYg==", "foob");
    gives("Zm9vYmE=", "fooba");
    gives("Zm9vYmFy", "foobar");
}

static void test_breaks(void) {
    gives("Zm9v\r\nYmFy\r\n", "foobar");
    gives("Zm\t9v Ym\nFy", "foobar");
    gives("Zm9v\\.br\\YmE=\\.br\\", "fooba");
    gives("Zm\\X0D0A\\9v\\X0a\\Yg==\\X0D\\ \r", "foob");
}

static void test_bad(void) {
    refuses("Zm9vY", 5, "the base64 ends in the middle: the content was cut off");
    refuses("Zm9vYmE", 7, "the base64 ends in the middle: the content was cut off");
    refuses("Zm9v\\.br", 8, "the base64 ends in the middle: the content was cut off");
    refuses("Zm9v*mFy", 4, "a character that is none of base64");
    refuses("Zm9v-_Fy", 4, "a character that is none of base64");
    refuses("Zg==Zg==", 4, "more base64 comes after its end");
    refuses("Zg===", 4, "more base64 comes after its end");
    refuses("Z===", 3, "the padding of the base64 is wrong");
    refuses("Zg=v", 4, "the padding of the base64 is wrong");
    refuses("Zh==", 3, "the padding of the base64 is wrong"); /* bits that belong to no byte */
    refuses("Zm9v\\E\\", 6, "an escape inside base64 that is no line break");
    refuses("Zm9v\\abcdefghij", 11, "an escape inside base64 does not end");
}

/* More than a chunk, cut at every place around its end. */
static void test_long(void) {
    char text[3000];
    struct result result;
    unsigned wrong = 0;
    memset(text, 'Q', sizeof text);
    text[2000] = 0;
    for (size_t step = 900; step < 1200; step++) {
        decode(text, step, &result);
        wrong += result.err != ERR_OK || result.size != 1500;
        for (size_t i = 0; i < result.size; i++)
            wrong += result.out[i] != (uint8_t)(0x410410 >> (16 - 8 * (i % 3)));
    }
    is_int(wrong, 0);
}

/* Without an escape character a backslash is as bad as any other. */
static void test_no_escape(void) {
    struct base64_stream stream;
    struct fault fault = {0};
    uint8_t out[16];
    size_t size;
    base64_init(&stream, 0);
    is_int(base64_feed(&stream, BYTES("Zm9v\\.br\\"), out, &size, &fault), ERR_INPUT);
    is_int(fault.at, 4);
}

int main(void) {
    guard_init(&guard, 4096);
    test_vectors();
    test_breaks();
    test_bad();
    test_long();
    test_no_escape();
    guard_release(&guard);
    return done();
}
