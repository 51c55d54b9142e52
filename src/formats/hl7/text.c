/* text.c - the characters of a value: escapes decoded, everything in UTF-8.
 *
 * Invariants
 *   1. What is put is valid UTF-8, also when the text becomes full in the middle of a value.
 *   2. Bytes written in hexadecimal wait in `pending` until they make a character, since some
 *      senders write one escape a byte; anything else that is put settles them first. */
#include "formats/hl7/hl7.h"

#define REPLACEMENT 0xFFFDu

struct decoder {
    struct text *out;
    const struct hl7_delimiters *delimiters;
    enum hl7_charset set;
    uint8_t pending[4];
    size_t pending_count;
    bool is_after_return; /* the last character was \X0D\; \X0A\ behind it is the same line break */
};

/* ---- characters ---- */

/* What stands in 8859-1 at 0x80 to 0x9F are control characters, which nobody sends: Windows-1252
 * is meant. */
static const uint16_t windows_1252[32] = {
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
};

/* The eight characters in which 8859-15 differs from 8859-1. */
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

static uint16_t code_point_of(enum hl7_charset set, uint8_t c) {
    if (c < 0x80)
        return c;
    if (set != HL7_LATIN1 && set != HL7_LATIN9)
        return REPLACEMENT;
    if (c < 0xA0)
        return windows_1252[c - 0x80];
    return set == HL7_LATIN9 ? latin9(c) : c;
}

static void put_code_point(struct text *out, uint16_t code) {
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

/* The first character of `b`; returns how many bytes it took. */
static size_t put_character(const struct decoder *decoder, struct bytes b) {
    size_t size = decoder->set == HL7_UTF8 ? bytes_utf8_length(b) : 0;
    if (size > 0) {
        text_put(decoder->out, bytes_first(b, size));
        return size;
    }
    put_code_point(decoder->out, code_point_of(decoder->set, b.data[0]));
    return 1;
}

static size_t ascii_count(struct bytes b) {
    size_t count = 0;
    for (uint64_t word; count + sizeof word <= b.size; count += sizeof word) {
        memcpy(&word, b.data + count, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (count < b.size && b.data[count] < 0x80)
        count++;
    return count;
}

/* ASCII, as much of it as fits; what is left over makes the text full. */
static void put_ascii(struct text *out, struct bytes b) {
    size_t room = out->capacity - out->size - 1;
    if (b.size > room) {
        text_put(out, bytes_first(b, room));
        b = bytes_skip(b, room);
    }
    text_put(out, b);
}

static void settle(struct decoder *decoder);

/* Bytes of the message's characters, without escapes. */
static void put_plain(struct decoder *decoder, struct bytes b) {
    if (b.size == 0)
        return;
    settle(decoder);
    while (b.size > 0) {
        size_t count = ascii_count(b);
        put_ascii(decoder->out, bytes_first(b, count));
        b = bytes_skip(b, count);
        if (b.size > 0)
            b = bytes_skip(b, put_character(decoder, b));
    }
}

/* ---- bytes in hexadecimal ---- */

/* Both line ends of files become one LF. */
static void put_pending_byte(struct decoder *decoder, uint8_t c) {
    if (c != '\n' || !decoder->is_after_return)
        text_put_char(decoder->out, c == '\r' ? '\n' : (char)c);
    decoder->is_after_return = c == '\r';
}

/* Put what is a character, and what can no longer become one. */
static void drain(struct decoder *decoder, bool is_end) {
    while (decoder->pending_count > 0) {
        struct bytes pending = bytes_from(decoder->pending, decoder->pending_count);
        bool may_grow = !is_end && pending.size < sizeof decoder->pending;
        size_t size = 1;
        if (decoder->set == HL7_UTF8 && bytes_utf8_length(pending) == 0 && may_grow)
            return;
        if (pending.data[0] < 0x80) {
            put_pending_byte(decoder, pending.data[0]);
        } else {
            size = put_character(decoder, pending);
            decoder->is_after_return = false;
        }
        decoder->pending_count -= size;
        memmove(decoder->pending, decoder->pending + size, decoder->pending_count);
    }
}

static void settle(struct decoder *decoder) {
    if (decoder->pending_count > 0)
        drain(decoder, true);
    decoder->is_after_return = false;
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(struct bytes digits) {
    for (size_t i = 0; i < digits.size; i++)
        if (hex_digit(digits.data[i]) < 0)
            return false;
    return digits.size > 0 && digits.size % 2 == 0;
}

/* \Xhh..\: bytes of the message's characters. False when it is not of the form. */
static bool put_hex(struct decoder *decoder, struct bytes digits) {
    if (!is_hex(digits))
        return false;
    for (size_t i = 0; i < digits.size; i += 2) {
        int byte = hex_digit(digits.data[i]) << 4 | hex_digit(digits.data[i + 1]);
        decoder->pending[decoder->pending_count++] = (uint8_t)byte;
        drain(decoder, false);
    }
    return true;
}

/* ---- escapes ---- */

/* What a letter stands for; 0 when it stands for nothing. */
static uint8_t delimiter_of(const struct hl7_delimiters *delimiters, uint8_t letter) {
    switch (letter) {
    case 'F':
        return delimiters->field;
    case 'S':
        return delimiters->component;
    case 'T':
        return delimiters->subcomponent ? delimiters->subcomponent : '&';
    case 'R':
        return delimiters->repetition;
    case 'E':
        return delimiters->escape;
    case 'P':
        return delimiters->truncation;
    default:
        return 0;
    }
}

/* How far a command moves: nothing, digits, or a sign and digits. */
static bool is_count(struct bytes b) {
    bool is_signed = b.size > 0 && (b.data[0] == '+' || b.data[0] == '-');
    return b.size == 0 || bytes_is_digits(bytes_skip(b, is_signed));
}

/* Formatting commands (2.7.4): what begins a line becomes LF, what moves to the right a space, and
 * the others leave nothing. False when it is none: a dot also begins words and paths. */
static bool put_command(struct text *out, struct bytes name) {
    static const struct {
        char letters[3], put;
    } commands[] = {{"br", '\n'}, {"sp", '\n'}, {"ce", '\n'}, {"sk", ' '},
                    {"in", 0},    {"ti", 0},    {"fi", 0},    {"nf", 0}};
    if (name.size < 3 || name.data[0] != '.' || !is_count(bytes_skip(name, 3)))
        return false;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *letters = commands[i].letters;
        if ((name.data[1] | 0x20) != letters[0] || (name.data[2] | 0x20) != letters[1])
            continue;
        if (commands[i].put)
            text_put_char(out, commands[i].put);
        return true;
    }
    return false;
}

/* One escape, without its two escape characters. False: kept as it stands. */
static bool put_escape(struct decoder *decoder, struct bytes name) {
    if (name.size > 1 && name.data[0] == 'X')
        return put_hex(decoder, bytes_skip(name, 1));
    settle(decoder);
    if (name.size != 1)
        return put_command(decoder->out, name);
    if (name.data[0] == 'H' || name.data[0] == 'N') /* highlighting begins, ends */
        return true;
    uint8_t delimiter = delimiter_of(decoder->delimiters, name.data[0]);
    if (delimiter)
        text_put_char(decoder->out, (char)delimiter);
    return delimiter != 0;
}

void hl7_put_text(struct text *out, const struct hl7_message *message, struct bytes value) {
    struct decoder decoder = {
        .out = out, .delimiters = &message->delimiters, .set = message->characters};
    uint8_t escape = message->delimiters.escape;
    while (value.size > 0) {
        size_t at = escape ? bytes_find(value, escape) : BYTES_NOT_FOUND;
        if (at == BYTES_NOT_FOUND)
            break;
        put_plain(&decoder, bytes_first(value, at));
        struct bytes rest = bytes_skip(value, at + 1);
        size_t end = bytes_find(rest, escape);
        if (end != BYTES_NOT_FOUND && put_escape(&decoder, bytes_first(rest, end))) {
            value = bytes_skip(rest, end + 1);
        } else { /* an escape character alone, or an unknown escape: as it stands */
            put_plain(&decoder, bytes_from(&escape, 1));
            value = rest;
        }
    }
    put_plain(&decoder, value);
    settle(&decoder);
}

/* ---- into an arena ---- */

static size_t high_count(struct bytes b) {
    size_t count = 0;
    for (size_t i = 0; i < b.size; i++)
        count += b.data[i] >> 7;
    return count;
}

struct bytes hl7_text(struct arena *arena, const struct hl7_message *message, struct bytes value) {
    uint8_t escape = message->delimiters.escape;
    struct text text;
    if (value.size == 0)
        return BYTES_NONE;
    size_t high = high_count(value);
    bool has_escape = escape && bytes_find(value, escape) != BYTES_NOT_FOUND;
    bool is_utf8 = message->characters == HL7_UTF8 && bytes_is_utf8(value, NULL);
    if (!has_escape && (high == 0 || is_utf8))
        return value; /* most values are given as they lie in the message */
    /* A byte past ASCII becomes three at the most; escapes grow by less than half, as \X8080..\
     * does, of which two digits become three bytes. */
    if (text_init_arena(&text, arena, value.size + value.size / 2 + 2 * high + 1))
        return BYTES_NONE;
    hl7_put_text(&text, message, value);
    return text_bytes(&text);
}
