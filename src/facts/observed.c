/* observed.c - the value of an observation as a person reads it: OBX-5 by its type in OBX-2. */
#include "facts/translate.h"

/* ---- types ---- */

enum value_shape {
    SHAPE_TEXT,    /* as written, spaces in front kept */
    SHAPE_NUMBER,
    SHAPE_CODED,
    SHAPE_STRUCTURED_NUMBER,
    SHAPE_MOMENT,
    SHAPE_HOUR,
    SHAPE_DATA,    /* encapsulated, or elsewhere */
    SHAPE_PARTS    /* any other type: its components with spaces between */
};

static enum value_shape shape_of(struct bytes type) {
    static const struct {
        char type[4];
        enum value_shape shape;
    } shapes[] = {
        {"NM", SHAPE_NUMBER}, {"CE", SHAPE_CODED},  {"CWE", SHAPE_CODED}, {"ST", SHAPE_TEXT},
        {"TX", SHAPE_TEXT},   {"FT", SHAPE_TEXT},   {"CNE", SHAPE_CODED}, {"CF", SHAPE_CODED},
        {"CX", SHAPE_PARTS},  {"TS", SHAPE_MOMENT}, {"DTM", SHAPE_MOMENT}, {"DT", SHAPE_MOMENT},
        {"TM", SHAPE_HOUR},   {"ED", SHAPE_DATA},   {"RP", SHAPE_DATA},   {"SN", SHAPE_STRUCTURED_NUMBER},
        {"IS", SHAPE_CODED},  {"ID", SHAPE_CODED},
    };
    if (bytes_is_empty(type))
        return SHAPE_TEXT;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (bytes_is(type, shapes[i].type))
            return shapes[i].shape;
    return SHAPE_PARTS;
}

bool type_is_textual(struct bytes type) {
    enum value_shape shape = shape_of(type);
    return shape == SHAPE_TEXT || shape == SHAPE_CODED;
}

bool type_is_encapsulated(struct bytes type) {
    return shape_of(type) == SHAPE_DATA;
}

/* ---- encapsulated data: 1 source, 2 type, 3 subtype, 4 encoding, 5 data ---- */

static struct bytes lower_of(struct translation *t, struct bytes b) {
    uint8_t *copy = b.size ? arena_alloc(t->arena, b.size) : NULL;
    if (!copy) {
        t->is_full |= b.size > 0;
        return BYTES_NONE;
    }
    for (size_t i = 0; i < b.size; i++)
        copy[i] = b.data[i] >= 'A' && b.data[i] <= 'Z' ? (uint8_t)(b.data[i] - 'A' + 'a') : b.data[i];
    return bytes_from(copy, b.size);
}

struct media_name {
    const char *said, *meant;
};
static struct bytes renamed(struct bytes said, const struct media_name *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes_is(said, names[i].said))
            return bytes_from_string(names[i].meant);
    return said;
}

/* Tables 0191 and 0291 name types in their own way; many senders write the media type of RFC 2046 in one or two parts. */
struct bytes media_type_of(struct translation *t, const struct bytes *parts) {
    static const struct media_name types[] = {
        {"ap", "application"}, {"im", "image"}, {"si", "image"}, {"sd", "image"}, {"au", "audio"},
        {"tx", "text"},        {"ft", "text"},  {"ns", "application"}, {"multipart", "multipart"}};
    static const struct media_name subtypes[] = {{"jpg", "jpeg"}, {"tif", "tiff"}, {"txt", "plain"},
                                                 {"text", "plain"}, {"x-hl7-cda-level-one", "xml"}};
    static const struct media_name whole[] = {
        {"pdf", "application/pdf"}, {"rtf", "application/rtf"}, {"html", "text/html"},
        {"jpeg", "image/jpeg"},     {"png", "image/png"},       {"tiff", "image/tiff"},
        {"plain", "text/plain"},    {"xml", "application/xml"}};
    struct bytes type = lower_of(t, text_of(t, subcomponent(t, parts[1], 1)));
    struct bytes subtype = lower_of(t, text_of(t, subcomponent(t, parts[2], 1)));
    subtype = renamed(subtype, subtypes, sizeof subtypes / sizeof subtypes[0]);
    type = renamed(type, types, sizeof types / sizeof types[0]);
    if (bytes_find(type, '/') != BYTES_NOT_FOUND)
        return type;
    /* What a subtype alone says, or a type that is a subtype's name. */
    struct bytes only = bytes_is_empty(subtype) ? type : subtype;
    struct bytes known = renamed(only, whole, sizeof whole / sizeof whole[0]);
    bool is_generic = bytes_is_empty(type) || bytes_is_empty(subtype) || bytes_equal(type, subtype);
    if (is_generic)
        return bytes_is(only, "text") ? BYTES("text/plain") : known;
    const struct bytes both[] = {type, BYTES("/"), subtype};
    return join_texts(t, both, 3, "");
}

static bool is_base64(uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

uint64_t encapsulated_bytes(const struct translation *t, const struct bytes *parts) {
    struct bytes encoding = parts[3], data = parts[4];
    uint64_t cut_bytes = cut_behind(t, data), digits = cut_bytes;
    if (encoding.size && (encoding.data[0] | 0x20) == 'h')
        return (data.size + cut_bytes) / 2;
    if (!encoding.size || (encoding.data[0] | 0x20) != 'b')
        return data.size + cut_bytes;
    for (size_t i = 0; i < data.size; i++)
        digits += is_base64(data.data[i]);
    return digits * 3 / 4;
}

#define ED_PARTS 5

/* "[document, 812 bytes, application/pdf]"; a pointer (RP) says where instead: 1 pointer, 3 type, 4 subtype. */
static struct bytes data_text(struct translation *t, struct bytes type, struct bytes repetition) {
    struct bytes parts[ED_PARTS];
    char number[32];
    struct text text;
    split_components(t, repetition, parts, ED_PARTS);
    bool is_pointer = bytes_is(type, "RP");
    text_init(&text, number, sizeof number);
    if (!is_pointer)
        text_put_format(&text, "%llu bytes", (unsigned long long)encapsulated_bytes(t, parts));
    const struct bytes pieces[] = {BYTES("[document"),
                                   is_pointer ? text_of(t, parts[0]) : text_bytes(&text),
                                   media_type_of(t, is_pointer ? parts + 1 : parts)};
    const struct bytes closed[] = {join_texts(t, pieces, 3, ", "), BYTES("]")};
    return join_texts(t, closed, 2, "");
}

/* ---- numbers, moments, other types ---- */

/* SN: comparator, first number, separator, second number. */
static struct bytes structured_number(struct translation *t, struct bytes repetition) {
    struct bytes parts[4];
    split_components(t, repetition, parts, 4);
    for (size_t i = 0; i < 4; i++)
        parts[i] = text_of(t, parts[i]);
    return join_texts(t, parts, 4, "");
}

/* A moment as the hospital's clocks show it, no finer than it was said; what is none stays as it was sent. */
static struct bytes moment_text(struct translation *t, struct bytes repetition) {
    struct bytes raw = subcomponent(t, hl7_component_of(&t->message.delimiters, repetition, 1), 1);
    struct time_read time;
    if (bytes_is_empty(raw) || !time_read_hl7(raw, t->context->zone, &time))
        return text_of(t, raw);
    return time.precision > TIME_DAY ? local_time_text(t, time.at) : date_text(t, raw);
}

/* TM: HHMM[SS]. */
static struct bytes hour_text(struct translation *t, struct bytes repetition) {
    struct bytes raw = subcomponent(t, hl7_component_of(&t->message.delimiters, repetition, 1), 1);
    if (raw.size < 4 || !bytes_is_digits(bytes_first(raw, 4)))
        return text_of(t, raw);
    const struct bytes parts[] = {bytes_first(raw, 2), BYTES(":"),
                                  bytes_first(bytes_skip(raw, 2), 2)};
    return join_texts(t, parts, 3, "");
}

#define PARTS_MAX 12

static struct bytes parts_text(struct translation *t, struct bytes repetition) {
    struct bytes parts[PARTS_MAX];
    split_components(t, repetition, parts, PARTS_MAX);
    for (size_t i = 0; i < PARTS_MAX; i++)
        parts[i] = text_of(t, parts[i]);
    return join_texts(t, parts, PARTS_MAX, " ");
}

static struct bytes readable(struct translation *t, struct bytes type, struct bytes repetition) {
    switch (shape_of(type)) {
    case SHAPE_TEXT:
        return layout_of(t, repetition);
    case SHAPE_NUMBER:
        return text_of(t, hl7_component_of(&t->message.delimiters, repetition, 1));
    case SHAPE_CODED:
        return coded_of(t, repetition).text;
    case SHAPE_STRUCTURED_NUMBER:
        return structured_number(t, repetition);
    case SHAPE_MOMENT:
        return moment_text(t, repetition);
    case SHAPE_HOUR:
        return hour_text(t, repetition);
    case SHAPE_DATA:
        return data_text(t, type, repetition);
    case SHAPE_PARTS:
        break;
    }
    return parts_text(t, repetition);
}

void read_value(struct translation *t, struct bytes type, struct lines *lines) {
    struct bytes rest = t->fields[5], repetition;
    if (hl7_is_null(rest))
        return;
    while (next_repetition(t, &rest, &repetition))
        add_line(t, lines, readable(t, type, repetition));
}
