/* mllp.c - find where messages begin and end in a stream of bytes.
 *
 * Invariants
 *   No byte is scanned twice while a frame grows: `scanned` stands before the first 0x1C that is
 *   not decided yet.
 *   `scanned` is 0 whenever bytes were used, since it counts from the start of `in`.
 *
 *     between frames --(mllp_begin_parts)--> in parts --(MLLP_LAST)--> between frames
 */
#include "feeds/mllp.h"

#include <assert.h>

static bool is_blank(uint8_t c) {
    return c == '\r' || c == '\n' || c == ' ' || c == '\t';
}

struct body_end {
    bool is_found;
    size_t at;      /* of 0x1C; without an end: how far nothing was found */
    size_t trailer; /* bytes of the end that belong to this frame */
};

static struct body_end find_end(struct bytes in, size_t from, bool is_quiet) {
    while (from < in.size) {
        size_t found = bytes_find(bytes_skip(in, from), MLLP_END);
        if (found == BYTES_NOT_FOUND)
            break;
        size_t at = from + found;
        if (at + 1 == in.size)
            return (struct body_end){is_quiet, at, 1};
        if (in.data[at + 1] == MLLP_RETURN)
            return (struct body_end){true, at, 2};
        if (in.data[at + 1] == MLLP_START)
            return (struct body_end){true, at, 1};
        from = at + 1;
    }
    return (struct body_end){false, in.size, 0};
}

static enum mllp_event next_part(struct mllp_reader *reader, struct bytes in, bool is_quiet,
                                 size_t *used, struct bytes *view) {
    struct body_end end = find_end(in, 0, is_quiet);
    *view = bytes_first(in, end.at);
    *used = end.at + (end.is_found ? end.trailer : 0);
    if (!end.is_found)
        return end.at ? MLLP_PART : MLLP_MORE;
    reader->is_in_parts = false;
    return MLLP_LAST;
}

static enum mllp_event next_frame(struct mllp_reader *reader, struct bytes in, bool is_quiet,
                                  size_t *used, struct bytes *view) {
    size_t from = reader->scanned > 1 ? reader->scanned : 1;
    struct body_end end = find_end(in, from, is_quiet);
    if (!end.is_found) {
        reader->scanned = end.at;
        return MLLP_MORE;
    }
    reader->scanned = 0;
    *view = bytes_from(in.data + 1, end.at - 1);
    *used = end.at + end.trailer;
    return MLLP_MESSAGE;
}

static enum mllp_event next_noise(struct mllp_reader *reader, struct bytes in, bool is_quiet,
                                  size_t *used, struct bytes *view) {
    size_t frame = bytes_find(bytes_skip(in, reader->scanned), MLLP_START);
    if (frame == BYTES_NOT_FOUND && !is_quiet) {
        reader->scanned = in.size;
        return MLLP_MORE;
    }
    *used = frame == BYTES_NOT_FOUND ? in.size : reader->scanned + frame;
    *view = bytes_first(in, *used);
    reader->scanned = 0;
    return MLLP_NOISE;
}

enum mllp_event mllp_next(struct mllp_reader *reader, struct bytes in, bool is_quiet, size_t *used,
                          struct bytes *view) {
    *used = 0;
    *view = BYTES_NONE;
    assert(reader->scanned <= in.size);
    if (in.size == 0)
        return MLLP_MORE;
    if (reader->is_in_parts)
        return next_part(reader, in, is_quiet, used, view);
    if (in.data[0] == MLLP_START)
        return next_frame(reader, in, is_quiet, used, view);
    if (!is_blank(in.data[0]))
        return next_noise(reader, in, is_quiet, used, view);
    while (*used < in.size && is_blank(in.data[*used]))
        ++*used;
    return MLLP_BLANK;
}

size_t mllp_begin_parts(struct mllp_reader *reader, struct bytes in) {
    assert(mllp_is_frame(in) && !reader->is_in_parts);
    *reader = (struct mllp_reader){.is_in_parts = true};
    return 1;
}

bool mllp_waits_for_quiet(const struct mllp_reader *reader, struct bytes in) {
    if (in.size == 0)
        return false;
    if (!reader->is_in_parts && in.data[0] != MLLP_START)
        return true;
    return in.data[in.size - 1] == MLLP_END;
}
