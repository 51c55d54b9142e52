/* message.c - find a message's delimiters and characters, walk its segments, take its fields.
 *
 * Everything is a view: a field is found by counting delimiters from the start of its segment. */
#include "formats/hl7/hl7.h"

static bool is_terminator(uint8_t c) {
    return c == '\r' || c == '\n';
}


/* Up to the next CR or LF. */
static struct bytes line_at(struct bytes in, size_t at) {
    struct bytes rest = bytes_skip(in, at);
    size_t cr = bytes_find(rest, '\r');
    rest = bytes_first(rest, cr == BYTES_NOT_FOUND ? rest.size : cr);
    size_t lf = bytes_find(rest, '\n');
    return bytes_first(rest, lf == BYTES_NOT_FOUND ? rest.size : lf);
}

static size_t skip_blank(struct bytes in, size_t at) {
    while (at < in.size && (is_terminator(in.data[at]) || in.data[at] == ' ' || in.data[at] == '\t'))
        at++;
    return at;
}

/* Byte order mark, white space and batch headers may stand before the MSH. */
static bool find_msh(struct bytes in, size_t *at) {
    static const struct bytes mark = {(const uint8_t *)"\xEF\xBB\xBF", 3};
    *at = bytes_starts_with(in, mark) ? mark.size : 0;
    for (;;) {
        *at = skip_blank(in, *at);
        struct bytes line = line_at(in, *at), name = bytes_first(line, 3);
        if (bytes_is(name, "MSH"))
            return true;
        if (!bytes_is(name, "FHS") && !bytes_is(name, "BHS"))
            return false;
        *at += line.size;
    }
}

/* A delimiter may be anything but a letter, a digit, white space or a control character. */
static bool is_delimiter(uint8_t c) {
    return c > ' ' && c < 0x7F &&
           !((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
}

/* MSH-1 and MSH-2. What MSH-2 leaves out has its usual value. */
static enum err read_delimiters(struct bytes msh, struct hl7_delimiters *delimiters) {
    *delimiters = (struct hl7_delimiters){'|', '^', '~', '\\', '&', 0};
    if (msh.size < 4 || !is_delimiter(msh.data[3]))
        return ERR_INPUT;
    delimiters->field = msh.data[3];
    uint8_t *const members[] = {&delimiters->component, &delimiters->repetition, &delimiters->escape,
                                &delimiters->subcomponent, &delimiters->truncation};
    struct bytes given = bytes_skip(msh, 4);
    size_t end = bytes_find(given, delimiters->field);
    given = bytes_first(given, end == BYTES_NOT_FOUND ? given.size : end);
    for (size_t i = 0; i < given.size && i < 5; i++)
        if (is_delimiter(given.data[i]))
            *members[i] = given.data[i];
    return ERR_OK;
}

/* ---- fields ---- */

/* Part n (0..) of `b` between delimiters; empty past the last. */
static struct bytes part_at(struct bytes b, uint8_t delimiter, unsigned n) {
    const uint8_t *at = b.data, *end = b.data + b.size;
    for (; n > 0; n--) {
        at = at < end ? memchr(at, delimiter, (size_t)(end - at)) : NULL;
        if (!at)
            return BYTES_NONE;
        at++;
    }
    const uint8_t *stop = at < end ? memchr(at, delimiter, (size_t)(end - at)) : NULL;
    return bytes_from(at, (size_t)((stop ? stop : end) - at));
}

struct bytes hl7_field(const struct hl7_segment *segment, unsigned field) {
    if (bytes_is(segment->name, "MSH") || bytes_is(segment->name, "FHS") ||
        bytes_is(segment->name, "BHS")) {
        if (field == 1)
            return bytes_first(bytes_skip(segment->all, 3), 1);
        field--;
    }
    if (segment->all.size < 3)
        return BYTES_NONE;
    return part_at(segment->all, segment->delimiters.field, field);
}

bool hl7_repetition(const struct hl7_segment *segment, unsigned field, unsigned repetition,
                    struct bytes *out) {
    struct bytes rest = hl7_field(segment, field);
    if (repetition > 1) {
        for (unsigned i = 1; i < repetition; i++) {
            size_t at = bytes_find(rest, segment->delimiters.repetition);
            if (at == BYTES_NOT_FOUND)
                return false;
            rest = bytes_skip(rest, at + 1);
        }
    }
    size_t end = bytes_find(rest, segment->delimiters.repetition);
    *out = bytes_first(rest, end == BYTES_NOT_FOUND ? rest.size : end);
    return repetition > 0;
}

struct bytes hl7_component_of(const struct hl7_delimiters *delimiters, struct bytes repetition,
                              unsigned component) {
    return component ? part_at(repetition, delimiters->component, component - 1) : BYTES_NONE;
}

struct bytes hl7_subcomponent_of(const struct hl7_delimiters *delimiters, struct bytes component,
                                 unsigned subcomponent) {
    return subcomponent ? part_at(component, delimiters->subcomponent, subcomponent - 1) : BYTES_NONE;
}

struct bytes hl7_value(const struct hl7_segment *segment, unsigned field, unsigned component) {
    struct bytes repetition;
    if (!hl7_repetition(segment, field, 1, &repetition))
        return BYTES_NONE;
    return hl7_subcomponent_of(&segment->delimiters,
                               hl7_component_of(&segment->delimiters, repetition, component), 1);
}

unsigned hl7_segment_split(const struct hl7_segment *segment, struct bytes *fields,
                           unsigned fields_max) {
    bool is_header = bytes_is(segment->name, "MSH");
    const uint8_t *at = segment->all.data, *end = at + segment->all.size;
    unsigned count = 0;
    while (count < fields_max) {
        const uint8_t *stop = memchr(at, segment->delimiters.field, (size_t)(end - at));
        fields[count++] = bytes_from(at, (size_t)((stop ? stop : end) - at));
        if (!stop)
            break;
        if (count == 1 && is_header && count < fields_max)
            fields[count++] = bytes_from(stop, 1);
        at = stop + 1;
    }
    for (unsigned i = count; i < fields_max; i++)
        fields[i] = BYTES_NONE;
    return count;
}

/* ---- segments ---- */

bool hl7_segment_next(const struct hl7_message *message, struct hl7_walk *walk,
                      struct hl7_segment *segment) {
    struct bytes all = message->all;
    size_t at = walk->at;
    while (at < all.size && is_terminator(all.data[at]))
        at++;
    if (at >= all.size)
        return false;
    struct bytes line = line_at(all, at);
    walk->at = at + line.size;
    segment->all = line;
    segment->at = at;
    segment->delimiters = message->delimiters;
    size_t end = bytes_find(line, message->delimiters.field);
    segment->name = bytes_first(line, end == BYTES_NOT_FOUND ? line.size : end);
    return true;
}

bool hl7_segment_find(const struct hl7_message *message, const char *name,
                      struct hl7_segment *segment) {
    struct hl7_walk walk = {0};
    while (hl7_segment_next(message, &walk, segment))
        if (bytes_is(segment->name, name))
            return true;
    return false;
}

/* ---- characters ---- */

static enum hl7_charset charset_named(struct bytes name) {
    static const struct {
        const char *name;
        enum hl7_charset set;
    } names[] = {
        {"UNICODE UTF-8", HL7_UTF8}, {"UNICODE", HL7_UTF8},    {"UTF-8", HL7_UTF8},
        {"UTF8", HL7_UTF8},          {"8859/1", HL7_LATIN1},   {"ISO-8859-1", HL7_LATIN1},
        {"8859-1", HL7_LATIN1},      {"8859/15", HL7_LATIN9},  {"ISO-8859-15", HL7_LATIN9},
        {"8859-15", HL7_LATIN9},     {"ASCII", HL7_ASCII},     {"ISO IR6", HL7_ASCII},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bytes_is(name, names[i].name))
            return names[i].set;
    return HL7_CHARSET_UNKNOWN;
}

static bool is_ascii(struct bytes b) {
    size_t i = 0;
    for (; i + 8 <= b.size; i += 8) {
        uint64_t word;
        memcpy(&word, b.data + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            return false;
    }
    for (; i < b.size; i++)
        if (b.data[i] & 0x80)
            return false;
    return true;
}

static void decide_characters(struct hl7_message *message, const struct hl7_segment *msh,
                              enum hl7_charset otherwise) {
    struct bytes name = BYTES_NONE;
    if (hl7_repetition(msh, 18, 1, &name))
        name = bytes_trim(name);
    message->declared = charset_named(name);
    message->characters = message->declared != HL7_CHARSET_UNKNOWN ? message->declared : otherwise;
    message->is_charset_mismatch = false;
    if (is_ascii(message->all))
        return;
    bool has_multibyte = false;
    bool utf8 = bytes_is_utf8(message->all, &has_multibyte) && has_multibyte;
    if (utf8) {
        message->is_charset_mismatch =
            message->declared != HL7_UTF8 && message->declared != HL7_CHARSET_UNKNOWN;
        message->characters = HL7_UTF8;
    } else if (message->characters == HL7_UTF8 || message->characters == HL7_ASCII) {
        /* It says UTF-8 or ASCII and is neither: the configured set reads it best. */
        message->is_charset_mismatch = message->declared != HL7_CHARSET_UNKNOWN;
        message->characters = otherwise == HL7_UTF8 || otherwise == HL7_ASCII ? HL7_LATIN9 : otherwise;
    }
}

enum err hl7_message_init(struct hl7_message *message, struct bytes in, enum hl7_charset otherwise,
                          struct fault *fault) {
    size_t at;
    *message = (struct hl7_message){.all = in, .declared = HL7_CHARSET_UNKNOWN};
    if (!find_msh(in, &at))
        return fault_set_at(fault, ERR_INPUT, "there is no MSH segment", at);
    message->msh = line_at(in, at);
    message->all = bytes_skip(in, at);
    enum err err = read_delimiters(message->msh, &message->delimiters);
    if (err)
        return fault_set_at(fault, err, "MSH names no delimiters", at + 3);
    struct hl7_segment msh = {message->msh, bytes_first(message->msh, 3), at, message->delimiters};
    decide_characters(message, &msh, otherwise);
    return ERR_OK;
}

void hl7_header_read(struct hl7_header *header, struct bytes in) {
    size_t at;
    *header = (struct hl7_header){.delimiters = {'|', '^', '~', '\\', '&', 0}};
    if (!find_msh(in, &at))
        return;
    struct bytes line = line_at(in, at);
    header->has_msh = read_delimiters(line, &header->delimiters) == ERR_OK;
    if (!header->has_msh)
        return;
    struct hl7_segment msh = {line, bytes_first(line, 3), at, header->delimiters};
    struct bytes fields[19];
    hl7_segment_split(&msh, fields, 19);
    header->sending_application = fields[3];
    header->sending_facility = fields[4];
    header->receiving_application = fields[5];
    header->receiving_facility = fields[6];
    header->time = hl7_component_of(&header->delimiters, fields[7], 1);
    header->type_code = hl7_component_of(&header->delimiters, fields[9], 1);
    header->trigger = hl7_component_of(&header->delimiters, fields[9], 2);
    header->structure = hl7_component_of(&header->delimiters, fields[9], 3);
    header->control_id = fields[10];
    header->processing_id = fields[11];
    header->version = fields[12];
    header->accept_ack = fields[15];
    header->application_ack = fields[16];
    header->charset = fields[18];
}

/* ---- batches ---- */

static bool starts_message(struct bytes line) {
    struct bytes name = bytes_first(line, 3);
    bool is_last = line.size == 3;
    return (bytes_is(name, "MSH") || bytes_is(name, "BHS") || bytes_is(name, "FHS") ||
            bytes_is(name, "BTS") || bytes_is(name, "FTS")) &&
           (is_last || is_delimiter(line.data[3]));
}

/* The frame bytes of MLLP, where a file holds them. */
static bool is_frame_byte(uint8_t c) {
    return c == 0x0B || c == 0x1C;
}

static size_t skip_between(struct bytes file, size_t at) {
    while (at < file.size && (is_terminator(file.data[at]) || is_frame_byte(file.data[at])))
        at++;
    return at;
}

/* Where the message that begins at `at` ends: before the next that starts, a frame's end, or trailing blank lines. */
static size_t message_end(struct bytes file, size_t at) {
    size_t end = at, line_start = at;
    while (line_start < file.size) {
        struct bytes line = line_at(file, line_start);
        size_t frame = bytes_find(line, 0x1C);
        if (line_start > at && (starts_message(line) || is_frame_byte(line.size ? line.data[0] : 0)))
            return end;
        if (frame != BYTES_NOT_FOUND)
            return line_start + frame;
        size_t next = line_start + line.size;
        if (line.size > 0) { /* its own terminator belongs to it: CR, LF or CRLF */
            end = next + (next < file.size);
            if (next + 1 < file.size && file.data[next] == '\r' && file.data[next + 1] == '\n')
                end++;
        }
        line_start = next;
        while (line_start < file.size && is_terminator(file.data[line_start]))
            line_start++;
    }
    return end;
}

bool hl7_batch_next(struct bytes file, size_t *at, struct bytes *message) {
    static const struct bytes mark = {(const uint8_t *)"\xEF\xBB\xBF", 3};
    if (*at == 0 && bytes_starts_with(file, mark))
        *at = mark.size;
    for (;;) {
        size_t start = skip_between(file, *at);
        if (start >= file.size) {
            *at = start;
            return false;
        }
        struct bytes line = line_at(file, start), name = bytes_first(line, 3);
        bool is_envelope = starts_message(line) && !bytes_is(name, "MSH");
        if (is_envelope) {
            *at = start + line.size;
            continue;
        }
        size_t end = message_end(file, start);
        *at = end;
        *message = bytes_from(file.data + start, end - start);
        if (bytes_is_empty(bytes_trim(*message)))
            continue;
        return true;
    }
}
