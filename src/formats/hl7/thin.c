/* thin.c - a very large message made small enough to be read: what is long in it is left out, the rest stays as it is.
 *
 * Invariants
 *   1. Every field of the message begins in `out`, as long as `out` is not full: only the inside of long ones is missing.
 *   2. A cut stands at the end of its field: what follows it in `out` is a delimiter, a line's end, or nothing.
 *   3. A cut splits no UTF-8 character, and no white space stands before it. */
#include "formats/hl7/header.h"
#include "formats/hl7/scan.h"

#include <assert.h>

void hl7_thin_init(struct hl7_thin *thin, uint8_t *out, size_t out_bytes_max,
                   size_t field_bytes_max) {
    assert(field_bytes_max >= 8);
    *thin = (struct hl7_thin){.out = out,
                              .out_bytes_max = out_bytes_max,
                              .field_bytes_max = field_bytes_max,
                              .delimiter = '|'};
}

struct bytes hl7_thin_bytes(const struct hl7_thin *thin) {
    return bytes_from(thin->out, thin->filled);
}

static void put(struct hl7_thin *thin, struct bytes b) {
    size_t room = thin->out_bytes_max - thin->filled;
    thin->is_full |= b.size > room;
    b = bytes_first(b, room);
    if (b.size)
        memcpy(thin->out + thin->filled, b.data, b.size);
    thin->filled += b.size;
}

/* Where a field's beginning can be cut off at or before its end. */
static size_t whole_characters(struct bytes b) {
    size_t end = b.size, lead = end;
    while (lead > 0 && end - lead < 3 && (b.data[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead > 0 && b.data[lead - 1] >= 0xC0 &&
        bytes_utf8_length(bytes_skip(b, lead - 1)) != end - (lead - 1))
        end = lead - 1;
    while (end > 0 && b.data[end - 1] <= ' ')
        end--;
    return end;
}

static void begin_cut(struct hl7_thin *thin) {
    struct bytes field = bytes_skip(hl7_thin_bytes(thin), thin->field_at);
    size_t kept = whole_characters(field);
    if (thin->cut_count == HL7_CUT_COUNT_MAX) {
        thin->is_full = true;
        return;
    }
    thin->filled = thin->field_at + kept;
    thin->cuts[thin->cut_count++] = (struct hl7_cut){thin->filled, field.size - kept};
    thin->is_cutting = true;
}

static void put_field_part(struct hl7_thin *thin, struct bytes part) {
    size_t begun = thin->filled - thin->field_at;
    size_t room = thin->field_bytes_max - begun;
    if (!thin->is_cutting) {
        put(thin, bytes_first(part, room));
        if (part.size <= room || thin->is_full)
            return;
        begin_cut(thin);
        part = bytes_skip(part, room);
        if (thin->is_full)
            return;
    }
    thin->cuts[thin->cut_count - 1].bytes += part.size;
}

/* What ends a field: its delimiter, or the end of its line. */
static void put_end(struct hl7_thin *thin, uint8_t c) {
    put(thin, bytes_from(&c, 1));
    thin->is_cutting = false;
    thin->field_at = thin->filled;
    if (hl7_is_terminator(c))
        thin->name_bytes = 0;
}

/* The first four bytes of a line: those of an MSH say how fields are delimited. */
static void take_name(struct hl7_thin *thin, uint8_t c) {
    if (hl7_is_terminator(c)) {
        put_end(thin, c);
        return;
    }
    thin->name[thin->name_bytes++] = c;
    if (thin->name_bytes == 4 && !memcmp(thin->name, "MSH", 3) && hl7_is_delimiter(c))
        thin->delimiter = c;
    if (c == thin->delimiter)
        put_end(thin, c);
    else
        put_field_part(thin, bytes_from(&c, 1));
}

static size_t field_end(struct bytes in, uint8_t delimiter) {
    for (size_t at = 0; at < in.size; at += SCAN_BYTES_MAX) {
        size_t size = in.size - at < SCAN_BYTES_MAX ? in.size - at : SCAN_BYTES_MAX;
        uint64_t mask = scan_mask(in.data + at, size, delimiter) |
                        scan_mask(in.data + at, size, '\r') | scan_mask(in.data + at, size, '\n');
        if (mask)
            return at + scan_lowest(mask);
    }
    return in.size;
}

bool hl7_thin_feed(struct hl7_thin *thin, struct bytes slice) {
    while (slice.size > 0 && !thin->is_full) {
        if (thin->name_bytes < 4) {
            take_name(thin, slice.data[0]);
            slice = bytes_skip(slice, 1);
            continue;
        }
        size_t end = field_end(slice, thin->delimiter);
        put_field_part(thin, bytes_first(slice, end));
        if (end < slice.size && !thin->is_full)
            put_end(thin, slice.data[end]);
        slice = bytes_skip(slice, end + 1);
    }
    return !thin->is_full;
}
