/* ack.c - write acknowledgements in the delimiters, version and manner of the message they answer. */
#include "formats/hl7/hl7.h"

static void put_field(struct text *out, const struct hl7_header *header, struct bytes value) {
    text_put_char(out, (char)header->delimiters.field);
    text_put(out, value);
}

/* Text of ours in the message's escapes. */
static void put_escaped(struct text *out, const struct hl7_delimiters *delimiters, const char *text) {
    const uint8_t special[] = {delimiters->field, delimiters->component, delimiters->subcomponent,
                               delimiters->repetition, delimiters->escape};
    static const char letters[] = "FSTRE";
    for (; *text; text++) {
        size_t i = 0;
        while (i < 5 && special[i] != (uint8_t)*text)
            i++;
        if (i < 5 && delimiters->escape)
            text_put_format(out, "%c%c%c", delimiters->escape, letters[i], delimiters->escape);
        else
            text_put_char(out, i < 5 ? ' ' : *text);
    }
}

/* MSH-12 names 2.5 or later: ERR has its newer form. */
static bool is_from_2_5(struct bytes version) {
    return version.size >= 3 && version.data[0] == '2' && version.data[1] == '.' &&
           version.data[2] >= '5' && version.data[2] <= '9';
}

static void put_msh(struct text *out, const struct hl7_header *header, const struct hl7_ack *ack) {
    const struct hl7_delimiters *d = &header->delimiters;
    text_put_format(out, "MSH%c%c%c%c%c", d->field, d->component, d->repetition,
                    d->escape ? d->escape : '\\', d->subcomponent);
    put_field(out, header, header->receiving_application);
    put_field(out, header, header->receiving_facility);
    put_field(out, header, header->sending_application);
    put_field(out, header, header->sending_facility);
    put_field(out, header, ack->time);
    put_field(out, header, BYTES_NONE);
    put_field(out, header, BYTES("ACK"));
    if (!bytes_is_empty(header->trigger)) {
        text_put_char(out, (char)d->component);
        text_put(out, header->trigger);
        text_put_format(out, "%cACK", d->component);
    }
    put_field(out, header, ack->control_id);
    put_field(out, header, bytes_is_empty(header->processing_id) ? BYTES("P") : header->processing_id);
    put_field(out, header, bytes_is_empty(header->version) ? BYTES("2.5") : header->version);
    if (!bytes_is_empty(header->charset)) {
        for (int i = 13; i < 18; i++)
            put_field(out, header, BYTES_NONE);
        put_field(out, header, header->charset);
    }
    text_put_char(out, '\r');
}

static void put_err(struct text *out, const struct hl7_header *header, const struct hl7_ack *ack) {
    const struct hl7_delimiters *d = &header->delimiters;
    text_put_format(out, "ERR%c", d->field);
    if (is_from_2_5(header->version)) {
        text_put_format(out, "%c%c%s%c", d->field, d->field, ack->error_code, d->component);
        put_escaped(out, d, ack->text ? ack->text : "");
        text_put_format(out, "%cHL70357%cE\r", d->component, d->field);
        return;
    }
    text_put_format(out, "%c%c%c%s%c", d->component, d->component, d->component, ack->error_code,
                    d->subcomponent);
    put_escaped(out, d, ack->text ? ack->text : "");
    text_put_format(out, "%cHL70357\r", d->subcomponent);
}

void hl7_put_ack(struct text *out, const struct hl7_header *header, const struct hl7_ack *ack) {
    put_msh(out, header, ack);
    text_put_format(out, "MSA%c%s", header->delimiters.field, ack->code);
    put_field(out, header, header->control_id);
    if (ack->text) {
        text_put_char(out, (char)header->delimiters.field);
        put_escaped(out, &header->delimiters, ack->text);
    }
    text_put_char(out, '\r');
    if (ack->error_code)
        put_err(out, header, ack);
}
