/* value.c - members, texts, numbers and times of FHIR JSON. */
#include "formats/fhir/fhir.h"

#include "base/decimal.h"

/* ---- finding ---- */

const struct fhir_node *fhir_items(const struct fhir_node *node) {
    if (!node || node->kind == FHIR_NULL)
        return NULL;
    return node->kind == FHIR_ARRAY ? node->first : node;
}

static const struct fhir_node *object_of(const struct fhir_node *node) {
    node = fhir_items(node);
    return node && node->kind == FHIR_OBJECT ? node : NULL;
}

const struct fhir_node *fhir_member(const struct fhir_node *node, const char *name) {
    node = object_of(node);
    for (node = node ? node->first : NULL; node; node = node->next)
        if (bytes_is(node->name, name))
            return node->kind == FHIR_NULL ? NULL : node;
    return NULL;
}

const struct fhir_node *fhir_choice(const struct fhir_node *node, const char *prefix,
                                    struct bytes *suffix) {
    struct bytes begin = bytes_from_string(prefix);
    node = object_of(node);
    for (node = node ? node->first : NULL; node; node = node->next) {
        struct bytes rest = bytes_skip(node->name, begin.size);
        if (!bytes_starts_with(node->name, begin) || rest.size == 0 || rest.data[0] < 'A' ||
            rest.data[0] > 'Z' || node->kind == FHIR_NULL)
            continue;
        if (suffix)
            *suffix = rest;
        return node;
    }
    return NULL;
}

/* ---- texts ---- */

static void put_character(struct text *out, uint32_t c) {
    if (c < 0x80) {
        text_put_char(out, (char)c);
    } else if (c < 0x800) {
        text_put_char(out, (char)(0xC0 | c >> 6));
        text_put_char(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        text_put_char(out, (char)(0xE0 | c >> 12));
        text_put_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        text_put_char(out, (char)(0x80 | (c & 0x3F)));
    } else {
        text_put_char(out, (char)(0xF0 | c >> 18));
        text_put_char(out, (char)(0x80 | (c >> 12 & 0x3F)));
        text_put_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        text_put_char(out, (char)(0x80 | (c & 0x3F)));
    }
}

static uint32_t unit_at(struct bytes raw, size_t at) {
    uint8_t bytes[2] = {0, 0};
    bool is_hex = at + 4 <= raw.size && hex_decode(bytes_from(raw.data + at, 4), bytes, 2);
    return is_hex ? load_u16(bytes) : 0xFFFD;
}

/* Behind the backslash; gives how many bytes the escape has. The reader has checked its form. */
static size_t put_escape(struct text *out, struct bytes raw, size_t at) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *simple = raw.data[at] ? strchr(from, raw.data[at]) : NULL;
    if (simple) {
        text_put_char(out, to[simple - from]);
        return 1;
    }
    uint32_t c = unit_at(raw, at + 1);
    if (c < 0xD800 || c >= 0xDC00) {
        put_character(out, c);
        return 5;
    }
    put_character(out, 0x10000 + ((c - 0xD800) << 10) + (unit_at(raw, at + 7) - 0xDC00));
    return 11;
}

static struct bytes decoded(struct bytes raw, struct arena *arena) {
    struct text text;
    if (text_init_arena(&text, arena, raw.size + 1))
        return BYTES_NONE;
    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] == '\\' && i + 1 < raw.size)
            i += put_escape(&text, raw, i + 1);
        else
            text_put_char(&text, (char)raw.data[i]);
    }
    return text_bytes(&text);
}

struct bytes fhir_text(const struct fhir_node *node, struct arena *arena) {
    node = fhir_items(node);
    if (!node || node->kind == FHIR_NULL || node->kind >= FHIR_OBJECT)
        return BYTES_NONE;
    return bytes_trim(node->is_escaped ? decoded(node->raw, arena) : node->raw);
}

struct bytes fhir_member_text(const struct fhir_node *node, const char *name, struct arena *arena) {
    return fhir_text(fhir_member(node, name), arena);
}

bool fhir_is(const struct fhir_node *node, const char *word) {
    node = fhir_items(node);
    return node && node->kind == FHIR_STRING && bytes_is(node->raw, word);
}

bool fhir_member_is(const struct fhir_node *node, const char *name, const char *word) {
    return fhir_is(fhir_member(node, name), word);
}

bool fhir_is_true(const struct fhir_node *node) {
    return node && node->kind == FHIR_TRUE;
}

struct bytes fhir_join(const struct bytes *parts, size_t count, const char *between,
                       struct arena *arena) {
    size_t room = 1, said = 0;
    struct bytes last = BYTES_NONE;
    struct text text;
    for (size_t i = 0; i < count; i++) {
        room += parts[i].size + strlen(between);
        said += !bytes_is_empty(parts[i]);
        last = bytes_is_empty(parts[i]) ? last : parts[i];
    }
    if (said < 2)
        return last;
    if (text_init_arena(&text, arena, room))
        return BYTES_NONE;
    for (size_t i = 0; i < count; i++) {
        if (bytes_is_empty(parts[i]))
            continue;
        if (text.size)
            text_put_string(&text, between);
        text_put(&text, parts[i]);
    }
    return text_bytes(&text);
}

#define TEXTS_MAX 64u

/* A string; of a CodeableConcept its text; of an Annotation what it says. */
static struct bytes text_of_item(const struct fhir_node *item, struct arena *arena) {
    if (item->kind != FHIR_OBJECT)
        return fhir_text(item, arena);
    if (fhir_member(item, "coding") || fhir_member(item, "code"))
        return fhir_coding(item, arena).text;
    struct bytes text = fhir_member_text(item, "text", arena);
    return bytes_is_empty(text) ? fhir_member_text(item, "display", arena) : text;
}

struct bytes fhir_texts(const struct fhir_node *list, const char *between, struct arena *arena) {
    struct bytes parts[TEXTS_MAX];
    size_t count = 0;
    for (const struct fhir_node *item = fhir_items(list); item && count < TEXTS_MAX;
         item = item->next)
        parts[count++] = text_of_item(item, arena);
    return fhir_join(parts, count, between, arena);
}

/* ---- times ---- */

static bool read_time(const struct fhir_node *node, struct zone *zone, struct time_read *time) {
    node = fhir_items(node);
    return node && node->kind == FHIR_STRING && time_read_iso(bytes_trim(node->raw), zone, time);
}

int64_t fhir_instant(const struct fhir_node *node, struct zone *zone) {
    struct time_read time;
    return read_time(node, zone, &time) ? time.at : INSTANT_NONE;
}

struct bytes fhir_time_text(const struct fhir_node *node, struct zone *zone, struct arena *arena) {
    struct time_read time;
    struct text text;
    if (!read_time(node, zone, &time))
        return BYTES_NONE;
    if (time.precision <= TIME_DAY)
        return bytes_trim(fhir_items(node)->raw);
    if (text_init_arena(&text, arena, 32))
        return BYTES_NONE;
    time_put_iso_utc(&text, time.at);
    return text_bytes(&text);
}

/* ---- numbers ---- */

#define EXPONENT_MAX 18

static bool split_exponent(struct bytes number, struct bytes *digits, int *exponent) {
    size_t at = 0;
    uint64_t n;
    while (at < number.size && (number.data[at] | 0x20) != 'e')
        at++;
    struct bytes rest = bytes_skip(number, at + 1);
    bool is_negative = rest.size && rest.data[0] == '-';
    if (is_negative || (rest.size && rest.data[0] == '+'))
        rest = bytes_skip(rest, 1);
    *digits = bytes_first(number, at);
    if (at == number.size || !bytes_to_u64(rest, &n) || n > EXPONENT_MAX)
        return false;
    *exponent = is_negative ? -(int)n : (int)n;
    return true;
}

static bool times_ten(struct decimal *number) {
    if (number->scale > 0) {
        number->scale--;
        return true;
    }
    if (number->mantissa > INT64_MAX / 10 || number->mantissa < INT64_MIN / 10)
        return false;
    number->mantissa *= 10;
    return true;
}

struct bytes fhir_decimal(struct bytes number, struct arena *arena) {
    struct bytes digits;
    struct decimal value;
    struct text text;
    int exponent;
    if (!split_exponent(number, &digits, &exponent) || !decimal_read(digits, &value) ||
        value.scale - exponent > EXPONENT_MAX || text_init_arena(&text, arena, 48))
        return number;
    for (; exponent < 0; exponent++)
        value.scale++;
    for (; exponent > 0; exponent--)
        if (!times_ten(&value))
            return number;
    decimal_put(&text, value);
    return text_bytes(&text);
}
