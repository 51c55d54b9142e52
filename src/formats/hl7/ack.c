/* ack.c - write acknowledgements in the delimiters, version and manner of what they answer. */
#include "formats/hl7/hl7.h"

struct writer {
    struct text *out;
    const struct hl7_delimiters *delimiters;
    bool has_escapes; /* without them there are no subcomponents either: 2.5.4 */
};

static void put_delimiter(struct writer *writer, uint8_t delimiter) {
    text_put_char(writer->out, (char)delimiter);
}

static void put_field(struct writer *writer, struct bytes value) {
    put_delimiter(writer, writer->delimiters->field);
    text_put(writer->out, value);
}

static void put_empty_fields(struct writer *writer, unsigned count) {
    for (; count > 0; count--)
        put_field(writer, BYTES_NONE);
}

/* The letter that a character is escaped with, or 0. */
static char letter_of(const struct hl7_delimiters *delimiters, char c) {
    const uint8_t special[] = {delimiters->field, delimiters->component, delimiters->subcomponent,
                               delimiters->repetition, delimiters->escape};
    for (size_t i = 0; i < sizeof special; i++)
        if (special[i] == (uint8_t)c)
            return "FSTRE"[i];
    return 0;
}

/* Text of ours in the message's escapes. The message's characters may be any, so only ASCII goes
 * out, and never a line end. */
static void put_escaped(struct writer *writer, const char *text) {
    for (; *text; text++) {
        bool is_printable = *text >= ' ' && *text <= '~';
        char letter = is_printable ? letter_of(writer->delimiters, *text) : 0;
        if (letter && writer->has_escapes) {
            put_delimiter(writer, writer->delimiters->escape);
            text_put_char(writer->out, letter);
            put_delimiter(writer, writer->delimiters->escape);
        } else if (letter) {
            text_put_char(writer->out, ' ');
        } else {
            text_put_char(writer->out, is_printable ? *text : '?');
        }
    }
}

/* "2.3.1" is 2003001; 0 for what is no version of HL7 2. */
static unsigned version_number(struct bytes version) {
    unsigned parts[3] = {0}, count = 0;
    if (version.size == 0 || version.data[0] != '2')
        return 0;
    for (size_t i = 0; i < version.size && count < 3; i++) {
        uint8_t c = version.data[i];
        if (c == '.')
            count++;
        else if (c < '0' || c > '9' || parts[count] > 99)
            break;
        else
            parts[count] = parts[count] * 10 + (unsigned)(c - '0');
    }
    return parts[0] * 1000000 + parts[1] * 1000 + parts[2];
}

/* What names no version is answered like the newest. */
static bool is_before(struct bytes version, unsigned number) {
    unsigned of_message = version_number(version);
    return of_message != 0 && of_message < number;
}

/* MSH-9: ACK, with the event answered from v2.2 on where it is known, and the structure from v2.3.1
 * on, where MSH-9.3 begins to exist. */
static void put_type(struct writer *writer, const struct hl7_header *header) {
    put_field(writer, BYTES("ACK"));
    if (bytes_is_empty(header->trigger) || is_before(header->version, 2002000))
        return;
    put_delimiter(writer, writer->delimiters->component);
    text_put(writer->out, header->trigger);
    if (is_before(header->version, 2003001))
        return;
    put_delimiter(writer, writer->delimiters->component);
    text_put(writer->out, BYTES("ACK"));
}

static void put_delimiters(struct writer *writer) {
    const struct hl7_delimiters *delimiters = writer->delimiters;
    put_delimiter(writer, delimiters->field);
    put_delimiter(writer, delimiters->component);
    put_delimiter(writer, delimiters->repetition);
    if (!writer->has_escapes)
        return;
    put_delimiter(writer, delimiters->escape);
    if (delimiters->subcomponent)
        put_delimiter(writer, delimiters->subcomponent);
    if (delimiters->subcomponent && delimiters->truncation)
        put_delimiter(writer, delimiters->truncation);
}

static struct bytes or_else(struct bytes value, struct bytes otherwise) {
    return bytes_is_empty(value) ? otherwise : value;
}

static void put_msh(struct writer *writer, const struct hl7_header *header,
                    const struct hl7_ack *ack) {
    text_put(writer->out, BYTES("MSH"));
    put_delimiters(writer);
    put_field(writer, header->receiving_application);
    put_field(writer, header->receiving_facility);
    put_field(writer, header->sending_application);
    put_field(writer, header->sending_facility);
    put_field(writer, ack->time);
    put_field(writer, BYTES_NONE);
    put_type(writer, header);
    put_field(writer, ack->control_id);
    put_field(writer, or_else(header->processing_id, BYTES("P")));
    put_field(writer, or_else(header->version, BYTES("2.5")));
    if (!bytes_is_empty(header->charset)) {
        put_empty_fields(writer, 5);
        put_field(writer, header->charset);
    }
    text_put_char(writer->out, '\r');
}

static void put_msa(struct writer *writer, const struct hl7_header *header,
                    const struct hl7_ack *ack) {
    text_put(writer->out, BYTES("MSA"));
    put_field(writer, bytes_from_string(ack->code));
    put_field(writer, header->control_id);
    if (ack->text) {
        put_field(writer, BYTES_NONE);
        put_escaped(writer, ack->text);
    }
    text_put_char(writer->out, '\r');
}

/* code, text, table: the parts of a coded element between `delimiter`. */
static void put_coded(struct writer *writer, const struct hl7_ack *ack, uint8_t delimiter) {
    put_escaped(writer, ack->error_code);
    put_delimiter(writer, delimiter);
    put_escaped(writer, ack->text ? ack->text : "");
    put_delimiter(writer, delimiter);
    text_put(writer->out, BYTES("HL70357"));
}

/* From v2.5 on ERR-3 and the severity ERR-4; before, the fourth component of ERR-1. */
static void put_err(struct writer *writer, const struct hl7_header *header,
                    const struct hl7_ack *ack) {
    const struct hl7_delimiters *delimiters = writer->delimiters;
    text_put(writer->out, BYTES("ERR"));
    if (!is_before(header->version, 2005000)) {
        put_empty_fields(writer, 3);
        put_coded(writer, ack, delimiters->component);
        put_field(writer, BYTES("E"));
    } else {
        put_field(writer, BYTES_NONE);
        for (int i = 0; i < 3; i++)
            put_delimiter(writer, delimiters->component);
        if (writer->has_escapes && delimiters->subcomponent)
            put_coded(writer, ack, delimiters->subcomponent);
        else
            put_escaped(writer, ack->error_code);
    }
    text_put_char(writer->out, '\r');
}

void hl7_put_ack(struct text *out, const struct hl7_header *header, const struct hl7_ack *ack) {
    struct writer writer = {out, &header->delimiters, header->delimiters.escape != 0};
    put_msh(&writer, header, ack);
    put_msa(&writer, header, ack);
    if (ack->error_code)
        put_err(&writer, header, ack);
}
