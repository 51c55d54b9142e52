/* fuzz_age.c - any bytes as an age file: shown whole and in slices, the same verdict and the same comes out. */
#include "formats/age/age.h"

#include <assert.h>
#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_BYTES_MAX (1u << 20)

/* The identity of the published test vectors of the format (C2SP CCTV, age; CC0), some of which are the corpus. */
#define IDENTITY "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"

struct opened {
    enum err err;
    bool has_key, has_header;
    size_t size;
    uint8_t plain[FILE_BYTES_MAX];
};

static void take(struct opened *opened, const uint8_t *plain, size_t size) {
    assert(size <= AGE_CHUNK_BYTES && opened->size + size <= FILE_BYTES_MAX);
    memcpy(opened->plain + opened->size, plain, size);
    opened->size += size;
}

static void open_sliced(struct bytes in, size_t step, struct opened *opened) {
    static struct age_reader reader;
    static uint8_t plain[AGE_CHUNK_BYTES];
    uint8_t secret[32];
    size_t plain_bytes;
    enum err err = age_secret_read(BYTES(IDENTITY), secret);
    assert(!err);
    opened->size = 0;
    age_reader_init(&reader, secret);
    while (!err && !bytes_is_empty(in)) {
        struct bytes slice = bytes_first(in, step);
        in = bytes_skip(in, slice.size);
        while (!err && !bytes_is_empty(slice)) {
            err = age_reader_feed(&reader, &slice, plain, &plain_bytes);
            take(opened, plain, plain_bytes);
        }
    }
    if (!err) {
        err = age_reader_finish(&reader, plain, &plain_bytes);
        take(opened, plain, plain_bytes);
    }
    opened->err = err;
    opened->has_key = reader.has_key;
    opened->has_header = reader.has_header;
    age_reader_clear(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct opened whole, sliced;
    if (sodium_init() < 0 || size > FILE_BYTES_MAX)
        return 0;
    struct bytes in = bytes_from(data, size);
    open_sliced(in, size + 1, &whole);
    open_sliced(in, size < 10000 ? 1 : 4097, &sliced);
    assert(whole.err == sliced.err && whole.size == sliced.size);
    assert(!memcmp(whole.plain, sliced.plain, whole.size));
    assert(whole.has_key == sliced.has_key && whole.has_header == sliced.has_header);
    assert(whole.has_header || whole.size == 0); /* nothing before the MAC held */
    return 0;
}
