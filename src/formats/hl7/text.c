/* text.c - the characters of a value: escapes decoded, everything in UTF-8. */
#include "formats/hl7/hl7.h"

/* ISO 8859-15 where it differs from 8859-1, and what senders of "8859/1" mean by 0x80 to 0x9F (Windows-1252). */
static const uint16_t windows_1252[32] = {
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
};

static uint16_t latin9(uint8_t c) {
    switch (c) {
    case 0xA4:
        return 0x20AC;
    case 0xA6:
        return 0x0160;
    case 0xA8:
        return 0x0161;
    case 0xB4:
        return 0x017D;
    case 0xB8:
        return 0x017E;
    case 0xBC:
        return 0x0152;
    case 0xBD:
        return 0x0153;
    case 0xBE:
        return 0x0178;
    default:
        return c;
    }
}

static void put_code_point(struct text *out, uint32_t code) {
    char encoded[3];
    size_t size = 0;
    if (code < 0x80) {
        encoded[size++] = (char)code;
    } else if (code < 0x800) {
        encoded[size++] = (char)(0xC0 | code >> 6);
        encoded[size++] = (char)(0x80 | (code & 0x3F));
    } else {
        encoded[size++] = (char)(0xE0 | code >> 12);
        encoded[size++] = (char)(0x80 | (code >> 6 & 0x3F));
        encoded[size++] = (char)(0x80 | (code & 0x3F));
    }
    text_put(out, bytes_from(encoded, size));
}

static void put_byte(struct text *out, enum hl7_charset set, uint8_t c) {
    if (c < 0x80)
        text_put_char(out, (char)c);
    else if (c < 0xA0 && (set == HL7_LATIN1 || set == HL7_LATIN9))
        put_code_point(out, windows_1252[c - 0x80]);
    else if (set == HL7_LATIN9)
        put_code_point(out, latin9(c));
    else if (set == HL7_LATIN1)
        put_code_point(out, c);
    else
        put_code_point(out, 0xFFFD);
}

/* Bytes of the message's characters, without escapes. */
static void put_plain(struct text *out, enum hl7_charset set, struct bytes b) {
    if (set == HL7_UTF8) {
        while (!bytes_is_empty(b)) {
            size_t size = bytes_utf8_length(b);
            if (size == 0) {
                put_code_point(out, 0xFFFD);
                size = 1;
            } else {
                text_put(out, bytes_first(b, size));
            }
            b = bytes_skip(b, size);
        }
        return;
    }
    for (size_t i = 0; i < b.size; i++)
        put_byte(out, set, b.data[i]);
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \Xhh..\: bytes of the message's characters. CR and LF become a line break. False when it is not of the form. */
static bool put_hex_escape(struct text *out, enum hl7_charset set, struct bytes digits) {
    uint8_t decoded[128];
    size_t count = digits.size / 2;
    if (digits.size == 0 || digits.size % 2 || count > sizeof decoded)
        return false;
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit(digits.data[2 * i]), low = hex_digit(digits.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        decoded[i] = (uint8_t)(high << 4 | low);
        if (decoded[i] == '\r')
            decoded[i] = '\n';
    }
    put_plain(out, set, bytes_from(decoded, count));
    return true;
}

static bool is_formatting(struct bytes name) {
    return bytes_is(name, "H") || bytes_is(name, "N") || bytes_is(name, ".fi") ||
           bytes_is(name, ".nf") || bytes_starts_with(name, BYTES(".in")) ||
           bytes_starts_with(name, BYTES(".ti")) || bytes_starts_with(name, BYTES(".sk"));
}

static bool is_line_break(struct bytes name) {
    return bytes_is(name, ".br") || bytes_is(name, ".ce") || bytes_starts_with(name, BYTES(".sp")) ||
           bytes_is(name, ".BR");
}

/* One escape, without its two escape characters. False: kept as it stands. */
static bool put_escape(struct text *out, const struct hl7_message *message, struct bytes name) {
    const struct hl7_delimiters *delimiters = &message->delimiters;
    static const char letters[] = "FSTRE";
    const uint8_t meant[] = {delimiters->field, delimiters->component, delimiters->subcomponent,
                             delimiters->repetition, delimiters->escape};
    if (name.size == 1)
        for (size_t i = 0; i < 5; i++)
            if (name.data[0] == (uint8_t)letters[i]) {
                text_put_char(out, (char)meant[i]);
                return true;
            }
    if (is_formatting(name))
        return true;
    if (is_line_break(name)) {
        text_put_char(out, '\n');
        return true;
    }
    return name.size > 1 && name.data[0] == 'X' &&
           put_hex_escape(out, message->characters, bytes_skip(name, 1));
}

void hl7_put_text(struct text *out, const struct hl7_message *message, struct bytes value) {
    uint8_t escape = message->delimiters.escape;
    while (!bytes_is_empty(value)) {
        size_t at = escape ? bytes_find(value, escape) : BYTES_NOT_FOUND;
        if (at == BYTES_NOT_FOUND) {
            put_plain(out, message->characters, value);
            return;
        }
        put_plain(out, message->characters, bytes_first(value, at));
        struct bytes rest = bytes_skip(value, at + 1);
        size_t end = bytes_find(rest, escape);
        bool is_decoded = end != BYTES_NOT_FOUND && put_escape(out, message, bytes_first(rest, end));
        if (is_decoded) {
            value = bytes_skip(rest, end + 1);
        } else { /* an escape character alone, or an unknown escape: as it stands */
            text_put_char(out, (char)escape);
            value = rest;
        }
    }
}

/* Most values need no decoding and are given as they lie in the message. */
static bool is_plain(const struct hl7_message *message, struct bytes value) {
    if (message->delimiters.escape && bytes_find(value, message->delimiters.escape) != BYTES_NOT_FOUND)
        return false;
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] & 0x80)
            return message->characters == HL7_UTF8 && bytes_is_utf8(value, NULL);
    return true;
}

struct bytes hl7_text(struct arena *arena, const struct hl7_message *message, struct bytes value) {
    struct text text;
    if (is_plain(message, value))
        return value;
    /* One byte becomes three at the most. */
    if (text_init_arena(&text, arena, value.size * 3 + 1))
        return BYTES_NONE;
    hl7_put_text(&text, message, value);
    return text_bytes(&text);
}
