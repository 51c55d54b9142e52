/* json.c - one JSON document into nodes that lie in it.
 *
 * Invariants
 *   A first pass counts what can become a node and checks the nesting, so that the nodes are one array and never move.
 *   open[] holds the objects and arrays around the cursor; it stands for recursion.
 */
#include "formats/fhir/fhir.h"

#include <assert.h>

struct reader {
    struct bytes text;
    size_t at;
    struct fhir_node *nodes;
    size_t count, capacity;
    struct fhir_node *open[FHIR_DEPTH_MAX];
    struct fhir_node **tail[FHIR_DEPTH_MAX]; /* where the next item of each is linked */
    unsigned depth;
    const char *what; /* what is wrong */
};

/* ---- the first pass ---- */

static size_t end_of_string(struct bytes text, size_t at) {
    while (at < text.size && text.data[at] != '"')
        at += text.data[at] == '\\' ? 2 : 1;
    return at;
}

/* At most so many values: one behind each comma and each opening bracket, and the document itself. */
static enum err count_values(struct bytes text, size_t *count, struct fault *fault) {
    size_t depth = 0;
    *count = 1;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"')
            i = end_of_string(text, i + 1);
        else if (c == '{' || c == '[') {
            ++*count;
            if (++depth > FHIR_DEPTH_MAX)
                return fault_set_at(fault, ERR_LIMIT, "this JSON is nested too deeply", i);
        } else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        else if (c == ',')
            ++*count;
    }
    return ERR_OK;
}

/* ---- scalars ---- */

static bool wrong(struct reader *reader, const char *what) {
    if (!reader->what)
        reader->what = what;
    return false;
}

static int peek(const struct reader *reader) {
    return reader->at < reader->text.size ? reader->text.data[reader->at] : -1;
}

static void skip_space(struct reader *reader) {
    int c;
    while ((c = peek(reader)) == ' ' || c == '\t' || c == '\n' || c == '\r')
        reader->at++;
}

static bool read_hex(struct reader *reader, unsigned *unit) {
    uint8_t bytes[2];
    if (reader->text.size - reader->at < 4 ||
        !hex_decode(bytes_from(reader->text.data + reader->at, 4), bytes, 2))
        return wrong(reader, "an escape of a character is not four hex digits");
    reader->at += 4;
    *unit = load_u16(bytes);
    return true;
}

static bool is_high(unsigned unit) {
    return unit >= 0xD800 && unit < 0xDC00;
}

static bool is_low(unsigned unit) {
    return unit >= 0xDC00 && unit < 0xE000;
}

/* Behind "\u". */
static bool skip_unit(struct reader *reader) {
    unsigned unit, low;
    if (!read_hex(reader, &unit))
        return false;
    if (unit == 0)
        return wrong(reader, "a text holds a NUL");
    if (is_low(unit))
        return wrong(reader, "half a character stands alone");
    if (!is_high(unit))
        return true;
    if (peek(reader) != '\\' || reader->at + 1 >= reader->text.size ||
        reader->text.data[reader->at + 1] != 'u')
        return wrong(reader, "half a character stands alone");
    reader->at += 2;
    return read_hex(reader, &low) &&
           (is_low(low) || wrong(reader, "half a character stands alone"));
}

static bool skip_escape(struct reader *reader) {
    int c = peek(reader);
    if (c < 0 || !strchr("\"\\/bfnrtu", c) || c == 0)
        return wrong(reader, "this escape does not exist");
    reader->at++;
    return c != 'u' || skip_unit(reader);
}

/* Behind the opening quote; leaves the cursor behind the closing one. */
static bool read_string(struct reader *reader, struct bytes *raw, bool *is_escaped) {
    size_t from = reader->at;
    *is_escaped = false;
    for (;;) {
        int c = peek(reader);
        if (c < 0)
            return wrong(reader, "a text does not end");
        if (c < ' ')
            return wrong(reader, "a text holds a control character");
        reader->at++;
        if (c == '"')
            break;
        if (c != '\\')
            continue;
        *is_escaped = true;
        if (!skip_escape(reader))
            return false;
    }
    *raw = bytes_from(reader->text.data + from, reader->at - 1 - from);
    return bytes_is_utf8(*raw, NULL) || wrong(reader, "a text is not UTF-8");
}

static size_t skip_digits(struct reader *reader) {
    size_t from = reader->at;
    for (int c = peek(reader); c >= '0' && c <= '9'; c = peek(reader))
        reader->at++;
    return reader->at - from;
}

static bool read_number(struct reader *reader) {
    if (peek(reader) == '-')
        reader->at++;
    bool is_zero = peek(reader) == '0';
    size_t digits = skip_digits(reader);
    if (digits == 0 || (is_zero && digits > 1))
        return wrong(reader, "a number is not of JSON's form");
    if (peek(reader) == '.') {
        reader->at++;
        if (skip_digits(reader) == 0)
            return wrong(reader, "a number is not of JSON's form");
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-')
            reader->at++;
        if (skip_digits(reader) == 0)
            return wrong(reader, "a number is not of JSON's form");
    }
    return true;
}

static bool read_word(struct reader *reader, struct fhir_node *node) {
    static const struct {
        const char *word;
        enum fhir_kind kind;
    } words[] = {{"true", FHIR_TRUE}, {"false", FHIR_FALSE}, {"null", FHIR_NULL}};
    struct bytes rest = bytes_skip(reader->text, reader->at);
    for (size_t i = 0; i < 3; i++) {
        struct bytes word = bytes_from_string(words[i].word);
        if (!bytes_starts_with(rest, word))
            continue;
        node->kind = words[i].kind;
        reader->at += word.size;
        return true;
    }
    return wrong(reader, "this is no JSON value");
}

/* ---- objects and arrays ---- */

static struct fhir_node *add_node(struct reader *reader) {
    assert(reader->count < reader->capacity);
    struct fhir_node *node = &reader->nodes[reader->count++];
    if (reader->depth) {
        *reader->tail[reader->depth - 1] = node;
        reader->tail[reader->depth - 1] = &node->next;
    }
    return node;
}

static bool read_name(struct reader *reader, struct bytes *name) {
    bool is_escaped;
    skip_space(reader);
    if (peek(reader) != '"')
        return wrong(reader, "a member has no name");
    reader->at++;
    if (!read_string(reader, name, &is_escaped))
        return false;
    skip_space(reader);
    if (peek(reader) != ':')
        return wrong(reader, "a colon is missing");
    reader->at++;
    return true;
}

/* The value at the cursor; an object or array is only opened. */
static bool read_value(struct reader *reader, struct bytes name) {
    skip_space(reader);
    struct fhir_node *node = add_node(reader);
    size_t from = reader->at;
    int c = peek(reader);
    bool is_read = true;
    node->name = name;
    if (c == '{' || c == '[') {
        node->kind = c == '{' ? FHIR_OBJECT : FHIR_ARRAY;
        node->raw = bytes_from(reader->text.data + from, 0);
        assert(reader->depth < FHIR_DEPTH_MAX);
        reader->open[reader->depth] = node;
        reader->tail[reader->depth++] = &node->first;
        reader->at++;
        return true;
    }
    if (c == '"') {
        node->kind = FHIR_STRING;
        reader->at++;
        return read_string(reader, &node->raw, &node->is_escaped);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        node->kind = FHIR_NUMBER;
        is_read = read_number(reader);
    } else {
        is_read = read_word(reader, node);
    }
    node->raw = bytes_from(reader->text.data + from, reader->at - from);
    return is_read;
}

/* The next item of the innermost open value, or its end. */
static bool read_next(struct reader *reader) {
    struct fhir_node *node = reader->open[reader->depth - 1];
    int end = node->kind == FHIR_OBJECT ? '}' : ']';
    skip_space(reader);
    if (peek(reader) == end) {
        reader->at++;
        reader->depth--;
        node->raw.size = (size_t)(reader->text.data + reader->at - node->raw.data);
        return true;
    }
    if (node->first) {
        if (peek(reader) != ',')
            return wrong(reader, "a comma or the end of a list is missing");
        reader->at++;
    }
    struct bytes name = BYTES_NONE;
    if (node->kind == FHIR_OBJECT && !read_name(reader, &name))
        return false;
    return read_value(reader, name);
}

static bool read_all(struct reader *reader) {
    bool is_read = read_value(reader, BYTES_NONE);
    while (is_read && reader->depth > 0)
        is_read = read_next(reader);
    skip_space(reader);
    return is_read && (reader->at == reader->text.size ||
                       wrong(reader, "something follows the end of the JSON"));
}

enum err fhir_read(struct bytes text, struct arena *arena, const struct fhir_node **root,
                   struct fault *fault) {
    struct reader reader = {.text = text};
    *root = NULL;
    if (text.size > FHIR_BYTES_MAX)
        return fault_set(fault, ERR_LIMIT, "this JSON is too large to be read");
    enum err err = count_values(text, &reader.capacity, fault);
    if (err)
        return err;
    if (reader.capacity > FHIR_VALUES_MAX)
        return fault_set(fault, ERR_LIMIT, "this JSON is too large to be read");
    reader.nodes = arena_array(arena, reader.capacity, sizeof *reader.nodes);
    if (!reader.nodes)
        return fault_set(fault, ERR_LIMIT, "this JSON is too large to be read");
    if (bytes_starts_with(text, BYTES("\xEF\xBB\xBF")))
        reader.at = 3;
    if (!read_all(&reader))
        return fault_set_at(fault, ERR_INPUT, reader.what, reader.at);
    *root = &reader.nodes[0];
    return ERR_OK;
}
