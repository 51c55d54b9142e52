/* fields.c - take fields, repetitions, components and subcomponents out of a segment.
 *
 * Invariants
 *   1. Every view lies inside the one it was taken from; what is absent is empty.
 *   2. A delimiter of 0 is one that the message does not use: a byte of 0 is data, never a
 *      delimiter. */
#include "formats/hl7/hl7.h"
#include "formats/hl7/scan.h"

/* Part n (0..) of `b` between delimiters; empty past the last. */
static struct bytes part_at(struct bytes b, uint8_t delimiter, unsigned n) {
    if (delimiter == 0)
        return n == 0 ? b : BYTES_NONE;
    for (; n > 0; n--) {
        size_t at = bytes_find(b, delimiter);
        if (at == BYTES_NOT_FOUND)
            return BYTES_NONE;
        b = bytes_skip(b, at + 1);
    }
    size_t end = bytes_find(b, delimiter);
    return end == BYTES_NOT_FOUND ? b : bytes_first(b, end);
}

/* In these segments field 1 is the field delimiter itself, and field 2 is the other delimiters. */
static bool is_header(const struct hl7_segment *segment) {
    const uint8_t *name = segment->name.data;
    return segment->name.size == 3 &&
           (!memcmp(name, "MSH", 3) || !memcmp(name, "FHS", 3) || !memcmp(name, "BHS", 3));
}

struct bytes hl7_field(const struct hl7_segment *segment, unsigned field) {
    if (field > 0 && is_header(segment)) {
        if (field == 1)
            return bytes_first(bytes_skip(segment->all, 3), 1);
        field--;
    }
    return part_at(segment->all, segment->delimiters.field, field);
}

bool hl7_repetition(const struct hl7_segment *segment, unsigned field, unsigned repetition,
                    struct bytes *out) {
    struct bytes whole = hl7_field(segment, field);
    *out = BYTES_NONE;
    if (repetition == 0)
        return false;
    if (field <= 2 && is_header(segment)) { /* delimiters that stand for themselves */
        *out = repetition == 1 ? whole : BYTES_NONE;
        return repetition == 1;
    }
    for (; repetition > 1; repetition--) {
        size_t at = bytes_find(whole, segment->delimiters.repetition);
        if (at == BYTES_NOT_FOUND)
            return false;
        whole = bytes_skip(whole, at + 1);
    }
    *out = part_at(whole, segment->delimiters.repetition, 0);
    return true;
}

struct bytes hl7_component_of(const struct hl7_delimiters *delimiters, struct bytes repetition,
                              unsigned component) {
    return component ? part_at(repetition, delimiters->component, component - 1) : BYTES_NONE;
}

struct bytes hl7_subcomponent_of(const struct hl7_delimiters *delimiters, struct bytes component,
                                 unsigned subcomponent) {
    return subcomponent ? part_at(component, delimiters->subcomponent, subcomponent - 1)
                        : BYTES_NONE;
}

struct bytes hl7_value(const struct hl7_segment *segment, unsigned field, unsigned component) {
    const struct hl7_delimiters *delimiters = &segment->delimiters;
    struct bytes repetition;
    if (!hl7_repetition(segment, field, 1, &repetition))
        return BYTES_NONE;
    if (field <= 2 && is_header(segment))
        return component == 1 ? repetition : BYTES_NONE;
    return hl7_subcomponent_of(delimiters, hl7_component_of(delimiters, repetition, component), 1);
}

/* ---- all fields at once ---- */

struct splitter {
    struct bytes *fields;
    unsigned count, fields_max;
};

static inline void take_field(struct splitter *splitter, struct bytes field) {
    if (splitter->count < splitter->fields_max)
        splitter->fields[splitter->count++] = field;
}

/* The fields from offset `start` on. */
static void split_from(struct splitter *splitter, struct bytes all, size_t start,
                       uint8_t delimiter) {
    for (size_t at = start; at < all.size && splitter->count < splitter->fields_max;) {
        size_t size = all.size - at < SCAN_BYTES_MAX ? all.size - at : SCAN_BYTES_MAX;
        uint64_t mask = scan_mask(all.data + at, size, delimiter);
        for (; mask; mask &= mask - 1) {
            size_t stop = at + scan_lowest(mask);
            take_field(splitter, bytes_from(all.data + start, stop - start));
            start = stop + 1;
        }
        at += size;
    }
    take_field(splitter, bytes_skip(all, start));
}

unsigned hl7_segment_split(const struct hl7_segment *segment, struct bytes *fields,
                           unsigned fields_max) {
    struct splitter splitter = {fields, 0, fields_max};
    struct bytes all = segment->all;
    if (is_header(segment)) {
        take_field(&splitter, bytes_first(all, 3));
        if (all.size > 3)
            take_field(&splitter, bytes_from(all.data + 3, 1));
        if (all.size > 4)
            split_from(&splitter, all, 4, segment->delimiters.field);
    } else {
        split_from(&splitter, all, 0, segment->delimiters.field);
    }
    for (unsigned i = splitter.count; i < fields_max; i++)
        fields[i] = BYTES_NONE;
    return splitter.count;
}
