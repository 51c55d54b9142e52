/* fuzz_base64.c - any characters as base64, whole and in slices: both must give the same. */
#include "formats/base64/base64.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
    uint8_t *out;
    size_t size;
    enum err err;
};

static void decode(struct bytes in, size_t step, struct decoded *result) {
    struct base64_stream stream;
    struct fault fault = {0};
    base64_init(&stream, '\\');
    for (size_t at = 0; at < in.size && !result->err; at += step) {
        size_t size;
        struct bytes slice = bytes_first(bytes_skip(in, at), step);
        result->err = base64_feed(&stream, slice, result->out + result->size, &size, &fault);
        assert(size <= BASE64_ROOM(slice.size));
        result->size += size;
    }
    if (!result->err)
        result->err = base64_end(&stream, &fault);
    assert(!result->err || fault.at <= in.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct bytes in = bytes_from(data + 1, size - 1);
    struct decoded whole = {.out = calloc(1, BASE64_ROOM(size))};
    struct decoded sliced = {.out = calloc(1, BASE64_ROOM(size) + 16)};
    if (whole.out && sliced.out) {
        decode(in, in.size, &whole);
        decode(in, 1 + data[0] % 64, &sliced);
        assert(whole.err == sliced.err);
        if (!whole.err)
            assert(whole.size == sliced.size && !memcmp(whole.out, sliced.out, whole.size));
    }
    free(whole.out);
    free(sliced.out);
    return 0;
}
