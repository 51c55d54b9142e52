/* hl7_site.h - what the tests of HL7 share: a message from a string literal, and comparisons. */
#ifndef TESTS_UNIT_FORMATS_HL7_SITE_H
#define TESTS_UNIT_FORMATS_HL7_SITE_H

#include "formats/hl7/hl7.h"
#include "guard.h"
#include "tap.h"

#define MSH "MSH|^~\\&|LAB|NORD|CHART|SUD|20261123101500||ORU^R01^ORU_R01|42|P|2.5\r"

#define is_bytes(got, wanted) hl7_is_bytes((got), (wanted), #got, __FILE__, __LINE__)

static inline bool hl7_is_bytes(struct bytes got, const char *wanted, const char *text,
                                const char *file, int line) {
    bool same = tap_ok(bytes_is(got, wanted), text, file, line, "");
    if (!same)
        printf("# got    '%.*s'\n# wanted '%s'\n", (int)got.size, (const char *)got.data, wanted);
    return same;
}

static inline bool is_inside(struct bytes outer, struct bytes inner) {
    return inner.size == 0 || (inner.data >= outer.data && inner.size <= outer.size &&
                               inner.data - outer.data <= (ptrdiff_t)(outer.size - inner.size));
}

static inline struct hl7_message message_of(struct bytes in, enum hl7_charset otherwise) {
    struct hl7_message message;
    struct fault fault = {0};
    enum err err = hl7_message_init(&message, in, otherwise, &fault);
    if (err)
        tap_ok(false, "the message is read", __FILE__, __LINE__, fault.what);
    return message;
}

static inline struct hl7_segment segment_of(const struct hl7_message *message, const char *name) {
    struct hl7_segment segment = {0};
    if (!hl7_segment_find(message, name, &segment))
        tap_ok(false, "the segment is found", __FILE__, __LINE__, name);
    return segment;
}

/* Look at everything that can be looked at; false when a view lies outside the message. */
static inline bool walk_all(struct bytes in, char *room, size_t room_bytes) {
    struct hl7_message message;
    struct hl7_segment segment;
    struct hl7_walk walk = {0};
    struct bytes fields[24], part;
    struct text text;
    bool is_good = true;
    if (hl7_message_init(&message, in, HL7_LATIN9, NULL))
        return true;
    while (hl7_segment_next(&message, &walk, &segment)) {
        is_good &= is_inside(in, segment.all) && is_inside(segment.all, segment.name);
        is_good &= segment.all.data == message.all.data + segment.at;
        unsigned count = hl7_segment_split(&segment, fields, 24);
        for (unsigned i = 0; i < count; i++) {
            is_good &= is_inside(segment.all, fields[i]);
            is_good &= bytes_equal(fields[i], hl7_field(&segment, i));
            for (unsigned r = 1; hl7_repetition(&segment, i, r, &part); r++)
                is_good &= is_inside(fields[i], part);
            is_good &= is_inside(fields[i], hl7_value(&segment, i, 2));
            text_init(&text, room, room_bytes);
            hl7_put_text(&text, &message, fields[i]);
            is_good &= bytes_is_utf8(text_bytes(&text), NULL);
        }
    }
    return is_good;
}

/* The sample's beginnings of every length, each against the end of memory. */
static inline bool walk_cut_everywhere(struct guard *guard, struct bytes sample) {
    char room[512];
    bool is_good = true;
    for (size_t size = 0; size <= sample.size; size++) {
        struct bytes cut = guard_copy(guard, bytes_first(sample, size)), message;
        struct hl7_header header;
        is_good &= walk_all(cut, room, sizeof room);
        hl7_header_read(&header, cut);
        is_good &= is_inside(cut, header.control_id) && is_inside(cut, header.charset);
        for (size_t at = 0; hl7_batch_next(cut, &at, &message);)
            is_good &= at <= cut.size && message.size > 0 && is_inside(cut, message);
    }
    return is_good;
}

#endif
