/* stanza.h - the header of an age file, read to the letter: its stanzas, and the line that ends it.
 *
 * Shapes     in: the header, from its first stanza on. out: views INTO it, and the body's bytes.
 * Errors     ERR_INPUT: not of the form. A reader that let anything pass that the standard does not know would
 *            take files that others refuse.
 * Ownership  nothing is allocated or kept.
 * Source     C2SP age.md, "Header format": one space between arguments, each of characters 33 to 126; the body is
 *            base64 without padding, in lines of 64 columns, the last of them shorter, though it be empty.
 */
#ifndef FORMATS_AGE_STANZA_H
#define FORMATS_AGE_STANZA_H

#include "base/bytes.h"
#include "base/err.h"

#define STANZA_LINE_BYTES 48u /* that 64 columns stand for */

struct stanza {
    struct bytes type;               /* the first argument */
    struct bytes arguments;          /* the others, with a space between them; empty: none */
    size_t body_bytes;               /* of the whole body */
    uint8_t body[STANZA_LINE_BYTES]; /* its first line: no body that is read here is longer */
};

/* Take one stanza from *rest. ERR_MORE: there is none, *rest is the line that ends the header. */
MUST_CHECK enum err stanza_next(struct bytes *rest, struct stanza *stanza);
/* "--- " and the MAC, the line that ends the header. */
MUST_CHECK enum err stanza_end_read(struct bytes line, uint8_t mac[32]);
/* Base64 of exactly `size` bytes, without padding, in its one canonical form. */
bool stanza_base64(struct bytes text, uint8_t *out, size_t size);

#endif
