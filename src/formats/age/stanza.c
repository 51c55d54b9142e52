/* stanza.c - the header of an age file, read to the letter. */
#include "formats/age/stanza.h"

#include <sodium.h>

#define LINE_COLUMNS 64u

/* At most `size` bytes; *got says how many. libsodium refuses spare bits that are not zero, as the standard does. */
static bool take_base64(struct bytes text, uint8_t *out, size_t size, size_t *got) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 0x80) /* libsodium 1.0.18 takes some of these for '+' or '/' */
            return false;
    return sodium_base642bin(out, size, (const char *)text.data, text.size, NULL, got, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0;
}

bool stanza_base64(struct bytes text, uint8_t *out, size_t size) {
    size_t got;
    return take_base64(text, out, size, &got) && got == size;
}

static bool line_next(struct bytes *rest, struct bytes *line) {
    size_t end = bytes_find(*rest, '\n');
    if (end == BYTES_NOT_FOUND)
        return false;
    *line = bytes_first(*rest, end);
    *rest = bytes_skip(*rest, end + 1);
    return true;
}

/* Words of characters that can be seen, one space between two, none at either end. */
static bool arguments_are_good(struct bytes text) {
    uint8_t before = ' ';
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == ' ' ? before == ' ' : c < 33 || c > 126)
            return false;
        before = c;
    }
    return before != ' ';
}

static enum err read_arguments(struct bytes line, struct stanza *stanza) {
    struct bytes start = BYTES("-> ");
    if (!bytes_starts_with(line, start) || !arguments_are_good(bytes_skip(line, start.size)))
        return ERR_INPUT;
    stanza->arguments = bytes_skip(line, start.size);
    return bytes_next_part(&stanza->arguments, ' ', &stanza->type) ? ERR_OK : ERR_INPUT;
}

static enum err read_body(struct bytes *rest, struct stanza *stanza) {
    uint8_t line_bytes[STANZA_LINE_BYTES];
    struct bytes line;
    size_t got;
    stanza->body_bytes = 0;
    do {
        if (!line_next(rest, &line) || line.size > LINE_COLUMNS ||
            !take_base64(line, line_bytes, sizeof line_bytes, &got))
            return ERR_INPUT;
        if (stanza->body_bytes == 0)
            memcpy(stanza->body, line_bytes, got);
        stanza->body_bytes += got;
    } while (line.size == LINE_COLUMNS);
    return ERR_OK;
}

enum err stanza_next(struct bytes *rest, struct stanza *stanza) {
    struct bytes line;
    if (bytes_starts_with(*rest, BYTES("---")))
        return ERR_MORE;
    if (!line_next(rest, &line))
        return ERR_INPUT;
    enum err err = read_arguments(line, stanza);
    return err ? err : read_body(rest, stanza);
}

enum err stanza_end_read(struct bytes line, uint8_t mac[32]) {
    struct bytes start = BYTES("--- ");
    if (!bytes_starts_with(line, start))
        return ERR_INPUT;
    return stanza_base64(bytes_skip(line, start.size), mac, 32) ? ERR_OK : ERR_INPUT;
}
