/* value.c - fields of a segment as texts, times, codes and names. */
#include "facts/translate.h"

/* ---- parts ---- */

bool next_repetition(const struct translation *t, struct bytes *rest, struct bytes *repetition) {
    return bytes_next_part(rest, t->message.delimiters.repetition, repetition);
}

/* Parts are a few bytes long: a loop over them is quicker than a call of memchr for each. */
static inline struct bytes up_to(const uint8_t *at, const uint8_t *end, uint8_t delimiter) {
    const uint8_t *stop = at, *near = end - at > 64 ? at + 64 : end;
    while (stop < near && *stop != delimiter)
        stop++;
    if (stop == near && near < end) {
        const uint8_t *found = memchr(near, delimiter, (size_t)(end - near));
        stop = found ? found : end;
    }
    return bytes_from(at, (size_t)(stop - at));
}

struct bytes first_repetition(const struct translation *t, unsigned field) {
    struct bytes whole = t->fields[field];
    if (bytes_is_empty(whole))
        return whole;
    return up_to(whole.data, whole.data + whole.size, t->message.delimiters.repetition);
}

/* Hardly any part has white space around it. */
static inline struct bytes trimmed(struct bytes b) {
    bool is_tight = b.size == 0 || (b.data[0] > ' ' && b.data[b.size - 1] > ' ');
    return is_tight ? b : bytes_trim(b);
}

/* `last` ends the whole as its end does; the component delimiter itself where nothing else does. */
static inline void split_until(struct bytes whole, uint8_t delimiter, uint8_t last,
                               struct bytes *parts, unsigned count) {
    unsigned filled = 0;
    const uint8_t *at = whole.data, *end = whole.size ? whole.data + whole.size : whole.data;
    while (at < end && filled < count) {
        const uint8_t *stop = at;
        while (stop < end && *stop != delimiter && *stop != last)
            stop++;
        parts[filled++] = trimmed(bytes_from(at, (size_t)(stop - at)));
        if (stop == end || *stop != delimiter)
            break;
        at = stop + 1;
    }
    for (; filled < count; filled++)
        parts[filled] = BYTES_NONE;
}

void split_components(const struct translation *t, struct bytes repetition, struct bytes *parts,
                      unsigned count) {
    uint8_t delimiter = t->message.delimiters.component;
    split_until(repetition, delimiter, delimiter, parts, count);
}

void split_field(const struct translation *t, unsigned field, struct bytes *parts, unsigned count) {
    const struct hl7_delimiters *d = &t->message.delimiters;
    split_until(t->fields[field], d->component, d->repetition, parts, count);
}

struct bytes subcomponent(const struct translation *t, struct bytes component, unsigned n) {
    if (bytes_is_empty(component))
        return component;
    if (n == 1)
        return trimmed(up_to(component.data, component.data + component.size,
                             t->message.delimiters.subcomponent));
    return bytes_trim(hl7_subcomponent_of(&t->message.delimiters, component, n));
}

/* Up to the first delimiter of any kind: the first subcomponent of what begins here. */
static struct bytes simple_value(const struct translation *t, const uint8_t *at,
                                 const uint8_t *end) {
    const struct hl7_delimiters *d = &t->message.delimiters;
    const uint8_t *stop = at;
    while (stop < end && *stop != d->component && *stop != d->repetition &&
           *stop != d->subcomponent)
        stop++;
    return trimmed(bytes_from(at, (size_t)(stop - at)));
}

struct bytes value_raw(const struct translation *t, unsigned field, unsigned component) {
    const struct hl7_delimiters *d = &t->message.delimiters;
    struct bytes whole = t->fields[field];
    if (bytes_is_empty(whole))
        return BYTES_NONE;
    const uint8_t *at = whole.data, *end = whole.data + whole.size;
    for (; component > 1; component--) {
        while (at < end && *at != d->component && *at != d->repetition)
            at++;
        if (at == end || *at == d->repetition)
            return BYTES_NONE;
        at++;
    }
    return simple_value(t, at, end);
}

/* ---- texts ---- */

uint64_t cut_behind(const struct translation *t, struct bytes raw) {
    for (unsigned i = 0; t->thin && raw.size && i < t->thin->cut_count; i++)
        if (raw.data + raw.size == t->thin->out + t->thin->cuts[i].at)
            return t->thin->cuts[i].bytes;
    return 0;
}

/* A person who reads it must see that it goes on, and where. */
static struct bytes marked_as_cut(struct translation *t, struct bytes text, uint64_t cut_bytes) {
    struct text marked;
    if (text_init_arena(&marked, t->arena, text.size + 96)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    text_put(&marked, text);
    text_put_format(&marked, "\xE2\x80\xA6 [%llu bytes more in entry %llu]",
                    (unsigned long long)cut_bytes, (unsigned long long)t->entry);
    return text_bytes(&marked);
}

static struct bytes decoded(struct translation *t, struct bytes raw) {
    if (bytes_is_empty(raw) || hl7_is_null(raw))
        return BYTES_NONE;
    struct bytes text = t->is_plain ? raw : hl7_text(t->arena, &t->message, raw);
    if (!text.data)
        t->is_full = true;
    uint64_t cut_bytes = cut_behind(t, raw);
    return cut_bytes ? marked_as_cut(t, text, cut_bytes) : text;
}

struct bytes text_of(struct translation *t, struct bytes raw) {
    return trimmed(decoded(t, trimmed(raw)));
}

struct bytes layout_of(struct translation *t, struct bytes raw) {
    struct bytes text = decoded(t, raw);
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

struct bytes value_text(struct translation *t, unsigned field, unsigned component) {
    return text_of(t, value_raw(t, field, component));
}

struct bytes upper_of(struct translation *t, struct bytes b) {
    size_t at = 0;
    while (at < b.size && !(b.data[at] >= 'a' && b.data[at] <= 'z'))
        at++;
    if (at == b.size)
        return b;
    uint8_t *copy = arena_alloc(t->arena, b.size);
    if (!copy) {
        t->is_full = true;
        return BYTES_NONE;
    }
    for (size_t i = 0; i < b.size; i++)
        copy[i] =
            b.data[i] >= 'a' && b.data[i] <= 'z' ? (uint8_t)(b.data[i] - 'a' + 'A') : b.data[i];
    return bytes_from(copy, b.size);
}

struct bytes value_upper(struct translation *t, unsigned field, unsigned component) {
    return upper_of(t, value_text(t, field, component));
}

struct bytes join_texts(struct translation *t, const struct bytes *parts, size_t count,
                        const char *between) {
    struct text text;
    size_t room = 1, filled = 0, only = 0;
    for (size_t i = 0; i < count; i++) {
        if (bytes_is_empty(parts[i]))
            continue;
        filled++;
        only = i;
        room += parts[i].size + strlen(between);
    }
    if (filled < 2)
        return filled ? parts[only] : BYTES_NONE;
    if (text_init_arena(&text, t->arena, room)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    for (size_t i = 0; i < count; i++) {
        if (bytes_is_empty(parts[i]))
            continue;
        text_put_string(&text, text.size ? between : "");
        text_put(&text, parts[i]);
    }
    return text_bytes(&text);
}

/* Each value is copied with all before it: what nobody would read to its end is not begun. */
#define APPENDED_BYTES_MAX 4096u

void append_text(struct translation *t, struct bytes *all, struct bytes value,
                 const char *between) {
    const struct bytes parts[] = {*all, value};
    if (all->size && value.size && all->size + value.size > APPENDED_BYTES_MAX) {
        translate_warn(t, "a list is longer than is read");
        return;
    }
    *all = join_texts(t, parts, 2, between);
}

#define LINES_BYTES_MIN 256u

/* Room for `size` bytes, with what the lines hold already; at least doubled, so that n lines are copied log n times. */
static uint8_t *grow_lines(struct translation *t, struct lines *lines, size_t size) {
    size_t capacity = size < LINES_BYTES_MIN / 2 ? LINES_BYTES_MIN : size * 2;
    uint8_t *memory = arena_alloc(t->arena, capacity);
    if (!memory) {
        t->is_full = true;
        return NULL;
    }
    if (lines->text.size)
        memcpy(memory, lines->text.data, lines->text.size);
    lines->text.data = memory;
    lines->capacity = capacity;
    return memory;
}

void add_line(struct translation *t, struct lines *lines, struct bytes line) {
    if (!lines->text.data) { /* the first line is not copied */
        *lines = (struct lines){line.data ? line : BYTES(""), 0};
        return;
    }
    size_t old = lines->text.size, size = old + 1 + line.size;
    /* With a capacity the memory is this translation's own, from the arena. */
    uint8_t *memory = size <= lines->capacity ? (uint8_t *)(uintptr_t)lines->text.data
                                              : grow_lines(t, lines, size);
    if (!memory)
        return;
    memory[old] = '\n';
    if (line.size)
        memcpy(memory + old + 1, line.data, line.size);
    lines->text.size = size;
}

/* ---- times ---- */

bool time_stated(struct translation *t, struct bytes raw, struct time_read *out) {
    if (bytes_is_empty(raw) || hl7_is_null(raw))
        return false;
    if (bytes_equal(raw, t->last_time)) {
        *out = t->last_read;
        return true;
    }
    if (time_read_hl7(raw, t->context->zone, out)) {
        t->last_time = raw;
        t->last_read = *out;
        return true;
    }
    translate_warn(t, "a time is not of the standard's form");
    return false;
}

int64_t value_time(struct translation *t, unsigned field) {
    struct time_read time;
    return time_stated(t, value_raw(t, field, 1), &time) ? time.at : INSTANT_NONE;
}

#define TIME_BYTES_MAX 40u

struct bytes instant_text(struct translation *t, int64_t at) {
    struct text text;
    if (text_init_arena(&text, t->arena, TIME_BYTES_MAX)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    time_put_iso_utc(&text, at);
    return text_bytes(&text);
}

struct bytes date_text(struct translation *t, struct bytes raw) {
    struct time_read time;
    struct text text;
    if (!time_stated(t, raw, &time))
        return BYTES_NONE;
    if (text_init_arena(&text, t->arena, TIME_BYTES_MAX)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    text_put(&text, bytes_first(raw, 4));
    for (size_t at = 4; at < TIME_DAY && at < (size_t)time.precision; at += 2) {
        text_put_char(&text, '-');
        text_put(&text, bytes_first(bytes_skip(raw, at), 2));
    }
    return text_bytes(&text);
}

struct bytes local_time_text(struct translation *t, int64_t at) {
    struct civil_time civil = time_civil(at, zone_offset_at(t->context->zone, at));
    struct text text;
    if (text_init_arena(&text, t->arena, TIME_BYTES_MAX)) {
        t->is_full = true;
        return BYTES_NONE;
    }
    const int fields[] = {civil.year, civil.month, civil.day, civil.hour, civil.minute};
    for (size_t i = 0; i < 5; i++) {
        text_put_string(&text, i == 0 ? "" : i < 3 ? "-" : i == 3 ? " " : ":");
        text_put_padded(&text, (uint64_t)fields[i], i == 0 ? 4 : 2);
    }
    return text_bytes(&text);
}

/* ---- people, entities, codes ---- */

bool check_digit_is_right(struct bytes digits) {
    unsigned sum = 0;
    for (size_t i = 0; i < digits.size; i++) {
        unsigned digit = digits.data[digits.size - 1 - i] - (unsigned)'0';
        unsigned doubled = digit * 2;
        if (digit > 9)
            return false;
        sum += i % 2 == 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
    }
    return sum % 10 == 0;
}

#define XCN_PARTS 13
#define XCN_TYPE  12

/* The national directory of professionals writes an 8 before the eleven digits. */
static void check_professional(struct translation *t, struct bytes id, struct bytes type) {
    if (!bytes_is(type, "RPPS") || bytes_is_empty(id))
        return;
    struct bytes digits = id.size == 12 && id.data[0] == '8' ? bytes_skip(id, 1) : id;
    if (digits.size != 11 || !check_digit_is_right(digits))
        translate_warn(t, "a professional's number (RPPS) is not one: its check digit is wrong");
}

struct bytes person_text(struct translation *t, unsigned field, bool has_id) {
    struct bytes parts[XCN_PARTS], id;
    if (bytes_is_empty(t->fields[field]))
        return BYTES_NONE;
    split_field(t, field, parts, XCN_PARTS);
    check_professional(t, subcomponent(t, parts[0], 1), parts[XCN_TYPE]);
    for (size_t i = 0; i < 3; i++)
        parts[i] = text_of(t, subcomponent(t, parts[i], 1));
    id = parts[0];
    if (bytes_is_empty(parts[1]))
        return id;
    struct bytes name = join_texts(t, parts + 1, 2, ", ");
    if (!has_id || bytes_is_empty(id))
        return name;
    const struct bytes named[] = {name, BYTES(" ("), id, BYTES(")")};
    return join_texts(t, named, 4, "");
}

struct bytes entity_text(struct translation *t, unsigned field) {
    struct bytes parts[3];
    split_field(t, field, parts, 3);
    return text_of(t, subcomponent(t, bytes_is_empty(parts[0]) ? parts[2] : parts[0], 1));
}

struct fact_place place_of(struct translation *t, unsigned field) {
    struct bytes parts[4];
    if (bytes_is_empty(t->fields[field]))
        return (struct fact_place){0};
    split_field(t, field, parts, 4);
    for (size_t i = 0; i < 4; i++)
        parts[i] = text_of(t, subcomponent(t, parts[i], 1));
    return (struct fact_place){parts[0], parts[1], parts[2], parts[3]};
}

#define CODED_ORIGINAL_TEXT 8

#define CODED_PARTS 9

static struct coded coded_parts(struct translation *t, const struct bytes *parts) {
    bool has_first = !bytes_is_empty(parts[0]) || !bytes_is_empty(parts[1]);
    const struct bytes *triplet = has_first ? parts : parts + 3;
    struct coded coded = {text_of(t, triplet[0]), text_of(t, triplet[1]), text_of(t, triplet[2])};
    if (bytes_is_empty(coded.text))
        coded.text = text_of(t, parts[CODED_ORIGINAL_TEXT]);
    if (bytes_is_empty(coded.text))
        coded.text = text_of(t, parts[4]);
    if (bytes_is_empty(coded.text))
        coded.text = coded.code;
    return coded;
}

struct coded coded_of(struct translation *t, struct bytes repetition) {
    struct bytes parts[CODED_PARTS];
    split_components(t, repetition, parts, CODED_PARTS);
    return coded_parts(t, parts);
}

struct coded coded_field(struct translation *t, unsigned field) {
    struct bytes parts[CODED_PARTS];
    if (bytes_is_empty(t->fields[field]))
        return (struct coded){0};
    split_field(t, field, parts, CODED_PARTS);
    return coded_parts(t, parts);
}

struct bytes unit_text(struct translation *t, unsigned field) {
    struct coded unit = coded_field(t, field);
    /* A code of digits alone (SNOMED CT) is none that a person reads. */
    return bytes_is_empty(unit.code) || bytes_is_digits(unit.code) ? unit.text : unit.code;
}

static struct bytes coded_joined(struct translation *t, unsigned field, const char *between,
                                 bool by_code) {
    struct bytes rest = t->fields[field], repetition, all = BYTES_NONE;
    /* Nobody lists more than a few; what is longer is cut so that the work stays linear. */
    for (unsigned i = 0; i < 32 && next_repetition(t, &rest, &repetition); i++) {
        if (bytes_is_empty(repetition))
            continue;
        struct coded coded = coded_of(t, repetition);
        const struct bytes parts[] = {all, by_code && coded.code.size ? coded.code : coded.text};
        all = join_texts(t, parts, 2, between);
    }
    return all;
}

struct bytes coded_texts(struct translation *t, unsigned field, const char *between) {
    return coded_joined(t, field, between, false);
}

struct bytes coded_codes(struct translation *t, unsigned field, const char *between) {
    return coded_joined(t, field, between, true);
}
