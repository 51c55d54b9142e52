/* hl7.h - read HL7 v2 messages as views into their bytes; write acknowledgements.
 *
 * Shapes     in: one message (without MLLP frame) or a batch. out: segments, fields, repetitions,
 *            components, subcomponents, each a struct bytes INTO the input, still escaped and in
 *            the message's characters.
 * Units      numbers of fields and components count from 1, as in the standard.
 * Errors     ERR_INPUT: no MSH, or one too short to name its delimiters; fault.at is the offset.
 *            Everything after a good MSH is read leniently: an odd segment is given as it stands.
 * Ownership  nothing is allocated; hl7_put_text decodes into the caller's text.
 * Limits     none of its own: segments are found by walking and never stored.
 * Source     HL7 v2.5 chapter 2 (encoding rules 2.5, 2.6; escapes 2.7; batches 2.10.3), MSH-18
 *            table 0211. Real senders end segments with LF or CRLF, add blank lines, use other
 *            delimiters, name one character set and send another.
 */
#ifndef FORMATS_HL7_HL7_H
#define FORMATS_HL7_HL7_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

/* MSH-1 and MSH-2. Escape, subcomponent and truncation are 0 when MSH-2 leaves them out: then
 * backslashes and ampersands are ordinary characters. An empty MSH-2 means the usual ^~\&. */
struct hl7_delimiters {
    uint8_t field, component, repetition, escape, subcomponent, truncation;
};

enum hl7_charset { HL7_UTF8, HL7_LATIN1, HL7_LATIN9, HL7_ASCII, HL7_CHARSET_UNKNOWN };

struct hl7_message {
    struct bytes all; /* from MSH on */
    struct bytes msh; /* the MSH segment */
    struct hl7_delimiters delimiters;
    enum hl7_charset declared;   /* by MSH-18; HL7_CHARSET_UNKNOWN when absent or not known */
    enum hl7_charset characters; /* the set that hl7_text decodes with */
    bool is_charset_mismatch;    /* MSH-18 says one thing, the bytes another */
};

/* A segment, and where the walk over the message stands. */
struct hl7_segment {
    struct bytes all;                 /* without its terminator */
    struct bytes name;                /* "PID"; of a line without fields, the whole line */
    size_t at;                        /* offset in message.all */
    struct hl7_delimiters delimiters; /* copied, so that fields can be taken without the message */
};

/* A cursor; zero it, then call hl7_segment_next until false. Blank lines are passed over. */
struct hl7_walk {
    size_t at;
};

/* Find the MSH (leading white space, BOM and FHS/BHS segments are passed over) and the delimiters,
 * and decide the characters. Valid UTF-8 with a multi-byte sequence is UTF-8 whatever is declared;
 * else it is what the first repetition of MSH-18 says; else `otherwise`. Where that is UTF-8 and
 * the bytes are not, it stays UTF-8 if they hold at least one sequence (they were cut or spoilt),
 * and is `otherwise` if they hold none; where it is ASCII and the bytes are not, `otherwise`.
 * 8859/15 serves when `otherwise` is of no help. */
MUST_CHECK enum err hl7_message_init(struct hl7_message *message, struct bytes in,
                                     enum hl7_charset otherwise, struct fault *fault);
bool hl7_segment_next(const struct hl7_message *message, struct hl7_walk *walk,
                      struct hl7_segment *segment);
/* The first segment of that name; false when there is none. */
bool hl7_segment_find(const struct hl7_message *message, const char *name,
                      struct hl7_segment *segment);

/* Field n (1..), whole, with its repetitions; empty when absent. MSH-1 is the field delimiter,
 * MSH-2 the others (so too FHS and BHS); these two have no repetitions or components. */
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

/* Split a whole segment at once, in one pass: fields[0] is the name, fields[n] is field n, of MSH
 * too. Returns how many were filled, at most fields_max; the rest are set empty. */
unsigned hl7_segment_split(const struct hl7_segment *segment, struct bytes *fields,
                           unsigned fields_max);

/* "" as a value: the sender says "delete what you had". */
static inline bool hl7_is_null(struct bytes value) {
    return value.size == 2 && value.data[0] == '"' && value.data[1] == '"';
}

/* The characters of a value in UTF-8, whatever the value holds. Escapes are decoded: \F\ \S\ \T\
 * \R\ \E\ \P\ to the delimiters; \Xhh..\ to characters, its CR, LF and CRLF to LF; \.br\ \.sp\
 * \.ce\ to LF, \.sk\ to a space; \H\ \N\ \.in\ \.ti\ \.fi\ \.nf\ to nothing; others (\C..\ \M..\
 * \Z..\) stay as they stand. In 8859/1 and 8859/15 the bytes 0x80 to 0x9F are Windows-1252, which
 * is what senders mean. Bytes that are no character of the set become U+FFFD. Sets out->full when
 * it does not fit: what is there then is still valid UTF-8. */
void hl7_put_text(struct text *out, const struct hl7_message *message, struct bytes value);
/* The same into an arena; data NULL only when the arena is full (or the value is empty). */
struct bytes hl7_text(struct arena *arena, const struct hl7_message *message, struct bytes value);

/* The next message in `file` from *at, with the terminator of its last line; false at the end. FHS
 * BHS BTS FTS lines, blank lines between messages, byte order marks and MLLP frame bytes are passed
 * over. A message ends before the next line that starts with MSH or one of these, or where its
 * frame ends. Text before the first MSH is given as a message of its own, so that nothing is
 * skipped in silence. */
bool hl7_batch_next(struct bytes file, size_t *at, struct bytes *message);

/* The same for a message too large to be held. `in` begins with its first byte; at later calls with what was not used, and
 * more of the file behind it. Gives how many bytes of `in` are the message's; *is_end: it ends with them. What is held back,
 * because its next bytes decide, is less than 8 bytes behind the last blank line. The parts together are the message that
 * hl7_batch_next gives. */
struct hl7_batch_parts {
    bool is_at_line; /* zero it to begin */
};
size_t hl7_batch_part(struct hl7_batch_parts *parts, struct bytes in, bool is_last, bool *is_end);

/* ---- messages too large to be held, thinned to be read ---- */

/* So many bytes are missing at this place of the thinned message. */
struct hl7_cut {
    size_t at;
    uint64_t bytes;
};
#define HL7_CUT_COUNT_MAX 64u
struct hl7_thin {
    uint8_t *out;
    size_t filled, out_bytes_max, field_bytes_max;
    size_t field_at; /* where in `out` the present field begins */
    uint8_t delimiter, name[4];
    unsigned name_bytes; /* of the present line's beginning; 4: it is read as fields from here on */
    bool is_cutting, is_full;
    unsigned cut_count;
    struct hl7_cut cuts[HL7_CUT_COUNT_MAX];
};
/* Feed the message in slices: `out` gets all of it but what goes beyond `field_bytes_max` in a field. False: `out` is full (or
 * there were too many cuts), and what comes further is left out. */
void hl7_thin_init(struct hl7_thin *thin, uint8_t *out, size_t out_bytes_max,
                   size_t field_bytes_max);
bool hl7_thin_feed(struct hl7_thin *thin, struct bytes slice);
struct bytes hl7_thin_bytes(const struct hl7_thin *thin);

/* What an acknowledgement needs of a message, found even in poor ones; every view may be empty. */
struct hl7_header {
    bool has_msh; /* an MSH that names its delimiters; otherwise they are the usual ones */
    struct hl7_delimiters delimiters;
    struct bytes sending_application, sending_facility, receiving_application, receiving_facility;
    struct bytes time, type_code, trigger, structure, control_id, processing_id, version;
    struct bytes accept_ack, application_ack; /* MSH-15, MSH-16; both empty: original mode */
    struct bytes charset;
};
void hl7_header_read(struct hl7_header *header, struct bytes in);

struct hl7_ack {
    const char *code;        /* AA AE AR CA CE CR */
    const char *text;        /* why, when not accepted, in ASCII; may be NULL */
    const char *error_code;  /* table 0357; NULL: no ERR segment */
    struct bytes control_id; /* MSH-10 of the acknowledgement */
    struct bytes time;       /* MSH-7, already written */
};
/* The acknowledgement of `header`: sender and receiver exchanged, MSA-2 echoes MSH-10 byte for
 * byte; the delimiters, processing id, version and character set are the message's. MSH-9 is ACK up
 * to v2.1, ACK^<trigger> up to v2.3, ACK^<trigger>^ACK from v2.3.1 on; ERR has its newer form from
 * v2.5 on. No version means 2.5. */
void hl7_put_ack(struct text *out, const struct hl7_header *header, const struct hl7_ack *ack);

#endif
