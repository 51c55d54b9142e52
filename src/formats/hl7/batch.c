/* batch.c - take messages one by one out of a file that holds many, in whatever way it holds them.
 *
 * Invariants
 *   1. Nothing is skipped in silence: every byte of the file is in exactly one message, but for
 *      blank lines, byte order marks, MLLP frame bytes and the lines FHS BHS BTS FTS.
 *   2. No byte is looked at more than a few times, however long the lines or the file. */
#include "formats/hl7/header.h"
#include "formats/hl7/scan.h"

#define FRAME_START 0x0Bu
#define FRAME_END   0x1Cu

static struct bytes without_mark(struct bytes b) {
    return bytes_starts_with(b, HL7_BYTE_ORDER_MARK) ? bytes_skip(b, HL7_BYTE_ORDER_MARK.size) : b;
}

/* Does `b` begin with this name and a delimiter, or the end of its line? */
static bool is_line_of(struct bytes b, const char *name) {
    if (b.size < 3 || memcmp(b.data, name, 3) != 0)
        return false;
    return b.size == 3 || hl7_is_delimiter(b.data[3]) || hl7_is_terminator(b.data[3]);
}

static bool is_envelope(struct bytes b) {
    return is_line_of(b, "FHS") || is_line_of(b, "BHS") || is_line_of(b, "BTS") ||
           is_line_of(b, "FTS");
}

/* Does the line that `b` begins with belong to another message than the line before it? */
static bool is_boundary(struct bytes b) {
    b = without_mark(b);
    return b.size > 0 && (b.data[0] == FRAME_START || is_line_of(b, "MSH") || is_envelope(b));
}

/* 0x1C ends a frame only with what may follow a frame; elsewhere it is data. */
static size_t frame_end(struct bytes file, size_t at, size_t line_end) {
    while (at < line_end) {
        size_t found = bytes_find(bytes_from(file.data + at, line_end - at), FRAME_END);
        if (found == BYTES_NOT_FOUND)
            break;
        at += found;
        if (at + 1 >= line_end || file.data[at + 1] == FRAME_START)
            return at;
        at++;
    }
    return line_end;
}

/* CR, LF or CRLF. */
static size_t skip_terminator(struct bytes file, size_t at) {
    struct bytes rest = bytes_skip(file, at);
    return at + (bytes_starts_with(rest, BYTES("\r\n")) ? 2 : rest.size > 0);
}

static size_t skip_blank_lines(struct bytes file, size_t at) {
    while (at < file.size && hl7_is_terminator(file.data[at]))
        at++;
    return at;
}

/* The terminator of its last line belongs to a message, blank lines after it do not. */
static size_t message_end(struct bytes file, size_t start) {
    size_t end = start;
    for (size_t at = start; at < file.size; at = skip_blank_lines(file, end)) {
        if (at > start && is_boundary(bytes_skip(file, at)))
            break;
        size_t line_end = scan_line_end(file, at);
        size_t frame = frame_end(file, at, line_end);
        if (frame < line_end)
            return frame;
        end = skip_terminator(file, line_end);
    }
    return end;
}

/* Past what lies between messages, but for lines of an envelope. */
static size_t skip_between(struct bytes file, size_t at) {
    for (;;) {
        size_t from = at;
        while (at < file.size && (hl7_is_terminator(file.data[at]) ||
                                  file.data[at] == FRAME_START || file.data[at] == FRAME_END))
            at++;
        struct bytes rest = bytes_skip(file, at);
        at += rest.size - without_mark(rest).size;
        if (at == from)
            return at;
    }
}

bool hl7_batch_next(struct bytes file, size_t *at, struct bytes *message) {
    while (*at < file.size) {
        size_t start = skip_between(file, *at);
        if (is_envelope(bytes_skip(file, start))) {
            *at = frame_end(file, start, scan_line_end(file, start));
            continue;
        }
        *at = message_end(file, start);
        *message = bytes_from(file.data + start, *at - start);
        if (!bytes_is_empty(bytes_trim(*message)))
            return true;
    }
    return false;
}

/* ---- a message in parts ---- */

#define BOUNDARY_BYTES 8u /* a byte order mark, MSH, its delimiter */

/* A line begins at *end, behind what is the message's so far. True: it is known whether the message goes on with it. */
static bool decide_line(struct hl7_batch_parts *parts, struct bytes in, bool is_last, size_t *end,
                        bool *is_end) {
    size_t at = skip_blank_lines(in, *end);
    struct bytes rest = bytes_skip(in, at);
    if (!is_last && rest.size < BOUNDARY_BYTES)
        return false;
    *is_end = rest.size == 0 || is_boundary(rest);
    if (!*is_end)
        *end = at;
    parts->is_at_line = false;
    return true;
}

/* From *end on, in a line whose end is not in sight: all of it, but a byte that may be the frame's end. */
static void take_open_line(struct bytes in, size_t *end, bool *is_end) {
    size_t frame = frame_end(in, *end, in.size);
    *is_end = frame + 1 < in.size;
    *end = frame;
}

size_t hl7_batch_part(struct hl7_batch_parts *parts, struct bytes in, bool is_last, bool *is_end) {
    size_t end = 0;
    *is_end = false;
    while (!*is_end) {
        if (parts->is_at_line && !decide_line(parts, in, is_last, &end, is_end))
            break;
        if (*is_end)
            break;
        size_t line_end = scan_line_end(in, end);
        if (line_end == in.size && !is_last) {
            take_open_line(in, &end, is_end);
            break;
        }
        size_t frame = frame_end(in, end, line_end);
        end = frame;
        *is_end = frame < line_end || line_end == in.size;
        if (*is_end || (!is_last && line_end + 1 == in.size)) /* CR, and perhaps LF */
            break;
        end = skip_terminator(in, line_end);
        parts->is_at_line = true;
    }
    return end;
}
