/* message.c - find a message's delimiters and characters, and walk its segments.
 *
 * Invariants
 *   1. Of a message only the MSH must be good; whatever follows is given as it stands.
 *   2. Every byte is looked at a fixed number of times: a walk over a message is linear in its
 *      size. */
#include "formats/hl7/header.h"
#include "formats/hl7/scan.h"

static const struct hl7_delimiters usual = {'|', '^', '~', '\\', '&', 0};

static struct bytes line_at(struct bytes in, size_t at) {
    return bytes_from(in.data + at, scan_line_end(in, at) - at);
}

/* ---- the header ---- */

static size_t skip_blank(struct bytes in, size_t at) {
    while (at < in.size &&
           (hl7_is_terminator(in.data[at]) || in.data[at] == ' ' || in.data[at] == '\t'))
        at++;
    return at;
}

/* Byte order mark, white space and batch headers may stand before the MSH. */
static bool find_msh(struct bytes in, size_t *at) {
    *at = bytes_starts_with(in, HL7_BYTE_ORDER_MARK) ? HL7_BYTE_ORDER_MARK.size : 0;
    for (;;) {
        *at = skip_blank(in, *at);
        struct bytes name = bytes_first(bytes_skip(in, *at), 3);
        if (bytes_is(name, "MSH"))
            return true;
        if (!bytes_is(name, "FHS") && !bytes_is(name, "BHS"))
            return false;
        *at = scan_line_end(in, *at);
    }
}

/* A character that stands there twice counts once: some write an escape character before their
 * escape character. */
static size_t without_doubles(struct bytes given, uint8_t *kept, size_t kept_max) {
    size_t count = 0;
    for (size_t i = 0; i < given.size && count < kept_max; i++)
        if (bytes_find(bytes_from(kept, count), given.data[i]) == BYTES_NOT_FOUND)
            kept[count++] = given.data[i];
    return count;
}

/* An MSH-2 that is empty means the usual delimiters. In one that is not, what is missing is not in
 * use (2.5.4 allows it for escapes and subcomponents); nobody does without components and
 * repetitions. */
static void read_others(struct bytes given, struct hl7_delimiters *delimiters) {
    uint8_t *const members[] = {&delimiters->component, &delimiters->repetition,
                                &delimiters->escape, &delimiters->subcomponent,
                                &delimiters->truncation};
    uint8_t kept[5];
    size_t count = without_doubles(given, kept, sizeof kept);
    if (count == 0)
        return;
    delimiters->escape = delimiters->subcomponent = 0;
    for (size_t i = 0; i < count; i++)
        if (hl7_is_delimiter(kept[i]))
            *members[i] = kept[i];
}

static enum err read_delimiters(struct bytes msh, struct hl7_delimiters *delimiters) {
    *delimiters = usual;
    if (msh.size < 4 || !hl7_is_delimiter(msh.data[3]))
        return ERR_INPUT;
    delimiters->field = msh.data[3];
    struct bytes others = bytes_skip(msh, 4);
    size_t end = bytes_find(others, delimiters->field);
    read_others(end == BYTES_NOT_FOUND ? others : bytes_first(others, end), delimiters);
    return ERR_OK;
}

static struct hl7_segment msh_segment(struct bytes line, const struct hl7_delimiters *delimiters) {
    return (struct hl7_segment){
        .all = line, .name = bytes_first(line, 3), .delimiters = *delimiters};
}

/* ---- characters ---- */

static bool is_same_word(struct bytes word, const char *wanted) {
    size_t i = 0;
    for (; i < word.size && wanted[i]; i++) {
        uint8_t c = word.data[i];
        if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != wanted[i])
            return false;
    }
    return i == word.size && !wanted[i];
}

/* Table 0211, and what senders write instead. What calls itself Windows-1252 is read like 8859-1,
 * of which it is a superset here. */
static enum hl7_charset charset_named(struct bytes name) {
    static const struct {
        const char *name;
        enum hl7_charset set;
    } names[] = {
        {"UNICODE UTF-8", HL7_UTF8}, {"UNICODE UTF8", HL7_UTF8},   {"UNICODE", HL7_UTF8},
        {"UTF-8", HL7_UTF8},         {"UTF8", HL7_UTF8},           {"8859/1", HL7_LATIN1},
        {"8859-1", HL7_LATIN1},      {"ISO-8859-1", HL7_LATIN1},   {"ISO8859-1", HL7_LATIN1},
        {"ISO8859/1", HL7_LATIN1},   {"WINDOWS-1252", HL7_LATIN1}, {"CP1252", HL7_LATIN1},
        {"8859/15", HL7_LATIN9},     {"8859-15", HL7_LATIN9},      {"ISO-8859-15", HL7_LATIN9},
        {"ISO8859-15", HL7_LATIN9},  {"ISO8859/15", HL7_LATIN9},   {"ASCII", HL7_ASCII},
        {"US-ASCII", HL7_ASCII},     {"ISO IR6", HL7_ASCII},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0] && name.size > 0; i++)
        if (is_same_word(name, names[i].name))
            return names[i].set;
    return HL7_CHARSET_UNKNOWN;
}

/* Is there at least one character of several bytes? In text of one byte a character they hardly
 * ever occur, so what holds one is UTF-8 that was cut or spoilt somewhere. */
static bool has_utf8_sequence(struct bytes b) {
    for (size_t i = 0; i < b.size; i++)
        if (b.data[i] >= 0xC2 && bytes_utf8_length(bytes_skip(b, i)) > 1)
            return true;
    return false;
}

/* The characters of bytes that are not UTF-8 although they are said, or supposed, to be, or that
 * are not ASCII although they are said to be. */
static enum hl7_charset characters_against(enum hl7_charset wanted, struct bytes all,
                                           enum hl7_charset otherwise) {
    if (wanted == HL7_UTF8 && has_utf8_sequence(all))
        return HL7_UTF8;
    return otherwise == HL7_LATIN1 ? HL7_LATIN1 : HL7_LATIN9;
}

static void decide_characters(struct hl7_message *message, enum hl7_charset otherwise) {
    struct hl7_segment msh = msh_segment(message->msh, &message->delimiters);
    struct bytes name;
    bool has_multibyte = false;
    (void)hl7_repetition(&msh, 18, 1, &name);
    message->declared = charset_named(bytes_trim(name));
    bool is_declared = message->declared != HL7_CHARSET_UNKNOWN;
    enum hl7_charset wanted = is_declared ? message->declared : otherwise;
    bool is_one_byte = wanted == HL7_LATIN1 || wanted == HL7_LATIN9;
    message->characters = wanted;
    if (!bytes_is_utf8(message->all, &has_multibyte)) {
        message->is_charset_mismatch = is_declared && !is_one_byte;
        if (!is_one_byte)
            message->characters = characters_against(wanted, message->all, otherwise);
    } else if (has_multibyte) {
        message->is_charset_mismatch = is_declared && wanted != HL7_UTF8;
        message->characters = HL7_UTF8;
    }
}

/* ---- messages ---- */

enum err hl7_message_init(struct hl7_message *message, struct bytes in, enum hl7_charset otherwise,
                          struct fault *fault) {
    size_t at;
    *message =
        (struct hl7_message){.all = in, .declared = HL7_CHARSET_UNKNOWN, .characters = otherwise};
    if (!find_msh(in, &at))
        return fault_set_at(fault, ERR_INPUT, "there is no MSH segment", at);
    message->all = bytes_skip(in, at);
    message->msh = line_at(message->all, 0);
    enum err err = read_delimiters(message->msh, &message->delimiters);
    if (err)
        return fault_set_at(fault, err, "MSH names no delimiters", at + 3);
    decide_characters(message, otherwise);
    return ERR_OK;
}

void hl7_header_read(struct hl7_header *header, struct bytes in) {
    size_t at;
    struct bytes fields[19];
    *header = (struct hl7_header){.delimiters = usual};
    if (!find_msh(in, &at))
        return;
    struct bytes line = line_at(in, at);
    if (read_delimiters(line, &header->delimiters))
        return;
    const struct hl7_delimiters *delimiters = &header->delimiters;
    struct hl7_segment msh = msh_segment(line, delimiters);
    hl7_segment_split(&msh, fields, 19);
    header->has_msh = true;
    header->sending_application = fields[3];
    header->sending_facility = fields[4];
    header->receiving_application = fields[5];
    header->receiving_facility = fields[6];
    header->time = hl7_component_of(delimiters, fields[7], 1);
    header->type_code = hl7_component_of(delimiters, fields[9], 1);
    header->trigger = hl7_component_of(delimiters, fields[9], 2);
    header->structure = hl7_component_of(delimiters, fields[9], 3);
    header->control_id = fields[10];
    header->processing_id = fields[11];
    header->version = fields[12];
    header->accept_ack = fields[15];
    header->application_ack = fields[16];
    header->charset = fields[18];
}

/* ---- segments ---- */

bool hl7_segment_next(const struct hl7_message *message, struct hl7_walk *walk,
                      struct hl7_segment *segment) {
    struct bytes all = message->all;
    size_t at = walk->at, name_size = 0;
    uint8_t delimiter = message->delimiters.field;
    while (at < all.size && hl7_is_terminator(all.data[at]))
        at++;
    walk->at = at;
    if (at >= all.size)
        return false;
    struct bytes line = line_at(all, at);
    while (name_size < line.size && line.data[name_size] != delimiter)
        name_size++;
    walk->at = at + line.size;
    *segment = (struct hl7_segment){line, bytes_first(line, name_size), at, message->delimiters};
    return true;
}

bool hl7_segment_find(const struct hl7_message *message, const char *name,
                      struct hl7_segment *segment) {
    struct hl7_walk walk = {0};
    struct bytes wanted = bytes_from_string(name);
    while (hl7_segment_next(message, &walk, segment))
        if (bytes_equal(segment->name, wanted))
            return true;
    return false;
}
