/* mllp.h - take HL7 v2 messages out of an MLLP byte stream.
 *
 * Shapes     in: all bytes of the stream that are not used up yet. out: a view INTO `in`, without
 *            frame bytes, and how many bytes the caller may now forget.
 * Errors     none: every byte stream is read as messages, white space and noise.
 * Ownership  nothing is allocated or kept; the view lives as long as `in`.
 * Limits     none here: a caller who can hold no more asks for parts (mllp_begin_parts).
 * Process    feeds, and the sender.
 * Source     HL7 MLLP release 1: 0x0B body 0x1C 0x0D. Real devices leave out the 0x0D, send garbage
 *            between frames, or bodies with 0x0B and 0x1C inside.
 *
 * Where a body ends: at 0x1C 0x0D; at 0x1C 0x0B (a new frame; the 0x0D was left out); at a 0x1C
 * that is the last byte of a peer who has fallen silent (`is_quiet`) and so waits for an answer.
 * 0x1C before any other byte is part of the body, and so is every 0x0B in it.
 */
#ifndef FEEDS_MLLP_H
#define FEEDS_MLLP_H

#include "base/bytes.h"

#define MLLP_START  0x0Bu
#define MLLP_END    0x1Cu
#define MLLP_RETURN 0x0Du

enum mllp_event {
    MLLP_MORE,    /* nothing can be told yet: call again with more bytes behind these */
    MLLP_BLANK,   /* white space between frames */
    MLLP_NOISE,   /* other bytes between frames, up to the next frame or the end of `in` */
    MLLP_MESSAGE, /* a whole body */
    MLLP_PART,    /* the next bytes of a body of which parts were asked; never empty */
    MLLP_LAST     /* its last bytes; may be empty */
};

/* Zero it to begin. */
struct mllp_reader {
    bool is_in_parts;
    size_t scanned; /* so many bytes of `in` hold no end, as was seen when they came */
};

/* What `in` begins with. With `is_quiet` (the peer has fallen silent or has gone) noise ends where
 * `in` ends. */
enum mllp_event mllp_next(struct mllp_reader *reader, struct bytes in, bool is_quiet, size_t *used,
                          struct bytes *view);
/* `in` begins with a frame too large to wait for: from now on its body comes in parts. Returns the
 * bytes used (the 0x0B). */
size_t mllp_begin_parts(struct mllp_reader *reader, struct bytes in);
/* Does `in`, of which mllp_next has said MLLP_MORE, begin with a frame (true) or with noise? */
static inline bool mllp_is_frame(struct bytes in) {
    return in.size > 0 && in.data[0] == MLLP_START;
}
/* Would silence decide what these bytes are? True for noise and for a frame whose last byte is
 * 0x1C. */
bool mllp_waits_for_quiet(const struct mllp_reader *reader, struct bytes in);

#endif
