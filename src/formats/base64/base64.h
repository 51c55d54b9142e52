/* base64.h - take a file out of base64 as it comes in messages and documents, slice by slice.
 *
 * Shapes     in: any slice of the characters. out: the bytes that are complete by then.
 * Errors     ERR_INPUT: a character that is none of base64, padding in the wrong place, an end in the middle of a group (the
 *            content was cut off); fault.at is the offset in all that was fed. What was given before stands.
 * Lenient    white space and line breaks anywhere, and HL7's escapes for them: \.br\ \.sp\ \X0D\ \X0A\ \X0D0A\.
 * Ownership  nothing is allocated; the caller's `out` takes base64_room(in.size) bytes.
 * Source     RFC 4648 section 4; HL7 v2.5 2.7.7. libsodium decodes.
 */
#ifndef FORMATS_BASE64_BASE64_H
#define FORMATS_BASE64_BASE64_H

#include "base/bytes.h"
#include "base/err.h"

#define BASE64_CHUNK_BYTES  1024u /* a multiple of 4 */
#define BASE64_ESCAPE_BYTES 6u

struct base64_stream {
    uint8_t escape; /* HL7's escape character; 0: there is none */
    char chunk[BASE64_CHUNK_BYTES];
    size_t chunk_bytes;
    char escaped[BASE64_ESCAPE_BYTES];
    size_t escaped_bytes;
    bool is_in_escape, is_padded;
    uint64_t fed_bytes;
};

/* So many bytes at most come out of a slice, with what was waiting before it. */
#define BASE64_ROOM(in_bytes) (((in_bytes) / 4 + 2) * 3)

void base64_init(struct base64_stream *stream, uint8_t escape);
/* *out_bytes: how many were written. */
MUST_CHECK enum err base64_feed(struct base64_stream *stream, struct bytes in, uint8_t *out,
                                size_t *out_bytes, struct fault *fault);
MUST_CHECK enum err base64_end(const struct base64_stream *stream, struct fault *fault);

#endif
