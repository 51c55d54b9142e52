/* message.c - the writing of HL7 v2 messages by the simulator. */
#include "simulate/message.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void message_init(struct message *message, char *buffer, size_t buffer_bytes, struct zone *zone) {
    text_init(&message->text, buffer, buffer_bytes);
    message->zone = zone;
    message_clear(message);
}

void message_clear(struct message *message) {
    text_clear(&message->text);
    message->field = 0;
    message->is_latin9 = false;
}

/* ISO 8859-15 of a character, or '?'. */
static uint8_t latin9(uint32_t c) {
    static const struct {
        uint16_t from;
        uint8_t to;
    } special[] = {{0x20ac, 0xa4}, {0x160, 0xa6}, {0x161, 0xa8}, {0x17d, 0xb4},
                   {0x17e, 0xb8},  {0x152, 0xbc}, {0x153, 0xbd}, {0x178, 0xbe}};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (c == special[i].from)
            return special[i].to;
        if (c == special[i].to)
            return '?';
    }
    return c < 256 ? (uint8_t)c : '?';
}

static uint32_t decode(const uint8_t *at, size_t length) {
    if (length == 1)
        return at[0];
    uint32_t c = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (at[i] & 0x3fu);
    return c;
}

/* In place: a character of ISO 8859-15 is never longer than in UTF-8. */
static void to_latin9(struct text *text) {
    size_t to = 0;
    for (size_t from = 0; from < text->size;) {
        struct bytes rest = bytes_skip(text_bytes(text), from);
        size_t length = bytes_utf8_length(rest);
        assert(length > 0); /* our own tables */
        text->data[to++] = (char)latin9(decode(rest.data, length));
        from += length;
    }
    text->size = to;
    text->data[to] = 0;
}

struct bytes message_end(struct message *message) {
    text_put_char(&message->text, '\r');
    assert(!message->text.full);
    if (message->is_latin9)
        to_latin9(&message->text);
    return text_bytes(&message->text);
}

void put_segment(struct message *message, const char *name) {
    if (message->text.size > 0)
        text_put_char(&message->text, '\r');
    text_put_string(&message->text, name);
    message->field = 0;
}

void put_field(struct message *message, unsigned number) {
    assert(number > message->field);
    for (; message->field < number; message->field++)
        text_put_char(&message->text, '|');
}

void put_raw(struct message *message, const char *text) {
    text_put_string(&message->text, text);
}

void put_escaped(struct message *message, const char *text) {
    static const char special[] = "|^~\\&", letters[] = "FSRET";
    for (; *text; text++) {
        const char *found = strchr(special, *text);
        if (!found)
            text_put_char(&message->text, *text);
        else
            text_put_format(&message->text, "\\%c\\", letters[found - special]);
    }
}

void put_number(struct message *message, uint64_t number) {
    text_put_u64(&message->text, number);
}

void put_time(struct message *message, int64_t at) {
    time_put_hl7(&message->text, at, message->zone);
}

void put_format(struct message *message, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert(size >= 0 && (size_t)size < sizeof line);
    text_put_string(&message->text, line);
}

void put_milli(struct message *message, int64_t milli, unsigned decimals) {
    static const int64_t steps[] = {1000, 100, 10, 1};
    assert(decimals < 4);
    int64_t step = steps[decimals], sign = milli < 0 ? -1 : 1;
    int64_t rounded = (milli * sign + step / 2) / step;
    int64_t whole = rounded / (1000 / step), fraction = rounded % (1000 / step);
    if (sign < 0 && rounded > 0)
        text_put_char(&message->text, '-');
    text_put_i64(&message->text, whole);
    if (decimals > 0) {
        text_put_char(&message->text, '.');
        text_put_padded(&message->text, (uint64_t)fraction, decimals);
    }
}
