/* hl7.h - read HL7 v2 messages as views into their bytes; write acknowledgements.
 *
 * Shapes     in: one message (without MLLP frame) or a batch. out: segments, fields, repetitions, components,
 *            subcomponents, each a struct bytes INTO the input, still escaped and in the message's characters.
 * Units      numbers of fields and components count from 1, as in the standard: MSH-9.2 is (9, 1, 2, 1).
 * Errors     ERR_INPUT: no MSH, or a header too short to name delimiters; fault.at is the offset.
 *            Everything after a good MSH is read leniently: a segment that is odd is kept and flagged, never refused.
 * Ownership  nothing is allocated; hl7_text decodes into the caller's text.
 * Limits     HL7_SEGMENTS_MAX is not a limit on messages: the index of segments is kept by iteration, not stored.
 * Source     HL7 v2.5 chapter 2 (encoding rules 2.5, 2.6; escapes 2.7; batches 2.10.3), MSH-18 table 0211.
 *            Real senders end segments with LF or CRLF, add blank lines, use other delimiters, name one
 *            character set and send another.
 */
#ifndef FORMATS_HL7_HL7_H
#define FORMATS_HL7_HL7_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

struct hl7_delimiters {
    uint8_t field, component, repetition, escape, subcomponent, truncation; /* escape 0: none given */
};

enum hl7_charset { HL7_UTF8, HL7_LATIN1, HL7_LATIN9, HL7_ASCII, HL7_CHARSET_UNKNOWN };

struct hl7_message {
    struct bytes all;
    struct bytes msh; /* the MSH segment */
    struct hl7_delimiters delimiters;
    enum hl7_charset declared;    /* by MSH-18; HL7_CHARSET_UNKNOWN when absent or not known */
    enum hl7_charset characters;  /* the set that hl7_text decodes with */
    bool is_charset_mismatch;     /* MSH-18 says one thing, the bytes another */
};

/* A segment, and where the walk over the message stands. */
struct hl7_segment {
    struct bytes all;   /* without its terminator */
    struct bytes name;  /* "PID" */
    size_t at;          /* offset in message.all */
    struct hl7_delimiters delimiters; /* copied, so that fields can be taken without the message */
};

/* A cursor; zero it, then call hl7_segment_next until false. Blank lines are passed over. */
struct hl7_walk {
    size_t at;
};

/* Find the MSH (leading white space, BOM and FHS/BHS segments are passed over) and the delimiters, and decide the
 * characters: valid UTF-8 with a multi-byte sequence is UTF-8 whatever is declared; else what MSH-18 says; else `otherwise`. */
MUST_CHECK enum err hl7_message_init(struct hl7_message *message, struct bytes in,
                                     enum hl7_charset otherwise, struct fault *fault);
bool hl7_segment_next(const struct hl7_message *message, struct hl7_walk *walk,
                      struct hl7_segment *segment);
/* The first segment of that name; false when there is none. */
bool hl7_segment_find(const struct hl7_message *message, const char *name,
                      struct hl7_segment *segment);

/* Field n (1..), whole, with its repetitions; empty when absent. MSH-1 is the field delimiter, MSH-2 the others. */
struct bytes hl7_field(const struct hl7_segment *segment, unsigned field);
/* Repetition r (1..) of a field; false past the last. An empty field has one empty repetition. */
bool hl7_repetition(const struct hl7_segment *segment, unsigned field, unsigned repetition,
                    struct bytes *out);
/* Component c (1..) of a repetition, whole, with subcomponents. */
struct bytes hl7_component_of(const struct hl7_delimiters *delimiters, struct bytes repetition,
                              unsigned component);
struct bytes hl7_subcomponent_of(const struct hl7_delimiters *delimiters, struct bytes component,
                                 unsigned subcomponent);
/* First repetition, component c, first subcomponent: what is wanted nearly always. */
struct bytes hl7_value(const struct hl7_segment *segment, unsigned field, unsigned component);

/* Split a whole segment at once: fields[0] is the name, fields[n] is field n. Fast path for long messages.
 * Returns how many were filled, at most fields_max; the rest are set empty. For MSH, fields[1] is the delimiter. */
unsigned hl7_segment_split(const struct hl7_segment *segment, struct bytes *fields,
                           unsigned fields_max);

/* "" as a value: the sender says "delete what you had". */
static inline bool hl7_is_null(struct bytes value) {
    return value.size == 2 && value.data[0] == '"' && value.data[1] == '"';
}

/* The characters of a value in UTF-8: escapes decoded (\F\ \S\ \T\ \R\ \E\ \Xhh..\ \.br\ and the line breaks of
 * formatted text become LF; \H\ \N\ are dropped; unknown ones are kept as they stand), bytes that are not of the
 * character set become U+FFFD. Never fails; sets out->full when it does not fit. */
void hl7_put_text(struct text *out, const struct hl7_message *message, struct bytes value);
/* The same into an arena; data NULL only when the arena is full (or the value is empty). */
struct bytes hl7_text(struct arena *arena, const struct hl7_message *message, struct bytes value);

/* Batches and files of messages: the next message in `file` from *at (FHS BHS BTS FTS lines are passed over; a message ends
 * before the next line that starts with MSH, BHS, FHS, BTS or FTS). MLLP frames in a file are taken too. False at the end.
 * Text before the first MSH is given as a message of its own, so that nothing is skipped in silence. */
bool hl7_batch_next(struct bytes file, size_t *at, struct bytes *message);

/* What an acknowledgement needs of a message, found even in poor ones; every view may be empty. */
struct hl7_header {
    bool has_msh;
    struct hl7_delimiters delimiters;
    struct bytes sending_application, sending_facility, receiving_application, receiving_facility;
    struct bytes time, type_code, trigger, structure, control_id, processing_id, version;
    struct bytes accept_ack, application_ack; /* MSH-15, MSH-16; both empty: original mode */
    struct bytes charset;
};
void hl7_header_read(struct hl7_header *header, struct bytes in);

struct hl7_ack {
    const char *code;       /* AA AE AR CA CE CR */
    const char *text;       /* why, when not accepted; may be NULL */
    const char *error_code; /* table 0357, for ERR-3; may be NULL */
    struct bytes control_id; /* MSH-10 of the acknowledgement */
    struct bytes time;       /* MSH-7, already written */
};
/* The acknowledgement of `header`: sender and receiver exchanged, MSA-2 echoes MSH-10 byte for byte, the
 * delimiters, version and processing id of the message. */
void hl7_put_ack(struct text *out, const struct hl7_header *header, const struct hl7_ack *ack);

#endif
