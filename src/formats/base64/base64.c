/* base64.c - leaves out what is no character of base64 but may stand there, and gives whole groups to libsodium.
 *
 * Invariants
 *   1. `chunk` holds characters of base64 and padding only; fewer than four of them between two calls.
 *   2. After padding that ended a group nothing but white space may come.
 */
#include "formats/base64/base64.h"

#include <assert.h>
#include <sodium.h>

void base64_init(struct base64_stream *stream, uint8_t escape) {
    *stream = (struct base64_stream){.escape = escape};
}

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\r' || c == '\n' || c == '\t';
}

static bool is_digit(uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
}

/* The whole groups of the chunk. */
static enum err decode(struct base64_stream *stream, uint8_t *out, size_t *out_bytes,
                       struct fault *fault) {
    size_t whole = stream->chunk_bytes / 4 * 4, size;
    if (whole == 0)
        return ERR_OK;
    if (sodium_base642bin(out + *out_bytes, whole / 4 * 3, stream->chunk, whole, NULL, &size, NULL,
                          sodium_base64_VARIANT_ORIGINAL))
        return fault_set_at(fault, ERR_INPUT, "the padding of the base64 is wrong",
                            stream->fed_bytes);
    *out_bytes += size;
    stream->is_padded = stream->chunk[whole - 1] == '=';
    memmove(stream->chunk, stream->chunk + whole, stream->chunk_bytes - whole);
    stream->chunk_bytes -= whole;
    return ERR_OK;
}

static enum err end_escape(struct base64_stream *stream, struct fault *fault) {
    static const char *const breaks[] = {".br",   ".sp", "X0D", "X0A",
                                         "X0D0A", "X0d", "X0a", "X0d0a"};
    struct bytes name = bytes_from(stream->escaped, stream->escaped_bytes);
    stream->is_in_escape = false;
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++)
        if (bytes_is(name, breaks[i]))
            return ERR_OK;
    return fault_set_at(fault, ERR_INPUT, "an escape inside base64 that is no line break",
                        stream->fed_bytes);
}

/* One character between two escape characters. */
static enum err take_escaped(struct base64_stream *stream, uint8_t c, struct fault *fault) {
    if (c == stream->escape)
        return end_escape(stream, fault);
    if (stream->escaped_bytes == sizeof stream->escaped)
        return fault_set_at(fault, ERR_INPUT, "an escape inside base64 does not end",
                            stream->fed_bytes);
    stream->escaped[stream->escaped_bytes++] = (char)c;
    return ERR_OK;
}

static enum err take(struct base64_stream *stream, uint8_t c, struct fault *fault) {
    if (stream->is_in_escape)
        return take_escaped(stream, c, fault);
    if (is_space(c))
        return ERR_OK;
    if (stream->escape && c == stream->escape) {
        stream->is_in_escape = true;
        stream->escaped_bytes = 0;
        return ERR_OK;
    }
    if (!is_digit(c))
        return fault_set_at(fault, ERR_INPUT, "a character that is none of base64",
                            stream->fed_bytes);
    if (stream->is_padded)
        return fault_set_at(fault, ERR_INPUT, "more base64 comes after its end", stream->fed_bytes);
    stream->chunk[stream->chunk_bytes++] = (char)c;
    return ERR_OK;
}

enum err base64_feed(struct base64_stream *stream, struct bytes in, uint8_t *out, size_t *out_bytes,
                     struct fault *fault) {
    enum err err = ERR_OK;
    *out_bytes = 0;
    for (size_t i = 0; i < in.size && !err; i++) {
        err = take(stream, in.data[i], fault);
        bool ends_group = stream->chunk_bytes % 4 == 0 && stream->chunk_bytes > 0;
        if (!err && ends_group &&
            (stream->chunk_bytes == BASE64_CHUNK_BYTES ||
             stream->chunk[stream->chunk_bytes - 1] == '='))
            err = decode(stream, out, out_bytes, fault);
        stream->fed_bytes += !err;
    }
    if (!err)
        err = decode(stream, out, out_bytes, fault);
    assert(*out_bytes <= BASE64_ROOM(in.size));
    return err;
}

enum err base64_end(const struct base64_stream *stream, struct fault *fault) {
    bool is_whole = stream->chunk_bytes == 0 && !stream->is_in_escape;
    return is_whole ? ERR_OK
                    : fault_set_at(fault, ERR_INPUT,
                                   "the base64 ends in the middle: the content was cut off",
                                   stream->fed_bytes);
}
