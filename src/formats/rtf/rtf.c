/* rtf.c - walks over an RTF document once and keeps what is text.
 *
 * Invariants
 *   1. What a group sets ends with it: its settings are a copy of those around it, on a stack of fixed size.
 *   2. Nothing is read twice; every step uses up at least one byte.
 *   3. Text that its author struck out (\deleted) or hid (\v) is not given: it would be read as if it stood.
 */
#include "formats/rtf/rtf.h"

#include <assert.h>

#define WORD_BYTES_MAX 32u
#define LETTER_UNKNOWN 0xFFFDu

struct settings {
    bool is_skipped; /* of a destination that is no text */
    bool is_hidden, is_deleted;
    uint8_t fallback_count; /* letters that follow a \u for those who cannot read it */
};

struct reader {
    struct bytes in;
    size_t at;
    struct text *out;
    struct rtf_report *report;
    struct settings stack[RTF_DEPTH_MAX];
    size_t depth; /* of groups that are open */
    struct settings now;
    bool is_code_page_known;
    bool is_optional;       /* \* was said: the word that comes next names a destination */
    unsigned fallback_left; /* letters still to be passed over */
    uint32_t high_half;     /* of a pair of \u; 0: none */
};

struct word {
    struct bytes name;
    bool has_number;
    int64_t number;
};

/* ---- letters ---- */

static void put_utf8(struct text *out, uint32_t letter) {
    uint8_t b[4];
    size_t size;
    if (letter < 0x80) {
        b[0] = (uint8_t)letter;
        size = 1;
    } else if (letter < 0x800) {
        b[0] = (uint8_t)(0xC0 | letter >> 6);
        b[1] = (uint8_t)(0x80 | (letter & 0x3F));
        size = 2;
    } else if (letter < 0x10000) {
        b[0] = (uint8_t)(0xE0 | letter >> 12);
        b[1] = (uint8_t)(0x80 | (letter >> 6 & 0x3F));
        b[2] = (uint8_t)(0x80 | (letter & 0x3F));
        size = 3;
    } else {
        b[0] = (uint8_t)(0xF0 | letter >> 18);
        b[1] = (uint8_t)(0x80 | (letter >> 12 & 0x3F));
        b[2] = (uint8_t)(0x80 | (letter >> 6 & 0x3F));
        b[3] = (uint8_t)(0x80 | (letter & 0x3F));
        size = 4;
    }
    text_put(out, bytes_from(b, size));
}

static bool is_shown(const struct reader *r) {
    return !r->now.is_skipped && !r->now.is_hidden && !r->now.is_deleted;
}

/* A lone half of a pair is no letter. */
static void end_pair(struct reader *r) {
    if (r->high_half)
        put_utf8(r->out, LETTER_UNKNOWN);
    r->high_half = 0;
}

static void put_letter(struct reader *r, uint32_t letter) {
    if (!is_shown(r))
        return;
    end_pair(r);
    bool is_text = letter >= ' ' || letter == '\n' || letter == '\t';
    put_utf8(r->out, is_text && letter != 0x7F ? letter : LETTER_UNKNOWN);
}

/* Windows-1252, the part that is not Latin-1. */
static uint32_t letter_of(struct reader *r, uint8_t byte) {
    static const uint16_t windows[32] = {
        0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178};
    if (byte < 0x80)
        return byte;
    if (!r->is_code_page_known) {
        r->report->has_unknown_letters |= is_shown(r);
        return LETTER_UNKNOWN;
    }
    return byte < 0xA0 ? windows[byte - 0x80] : byte;
}

/* A letter by its byte; those that stand in for a \u are passed over. */
static void take_byte(struct reader *r, uint8_t byte) {
    if (r->fallback_left > 0)
        r->fallback_left--;
    else
        put_letter(r, letter_of(r, byte));
}

/* \u: a number of 16 bits, with its sign; what lies beyond 16 bits comes as two halves. */
static void take_unicode(struct reader *r, int64_t number) {
    bool is_possible = number >= INT16_MIN && number <= UINT16_MAX;
    uint32_t unit = is_possible ? (uint32_t)(number & 0xFFFF) : LETTER_UNKNOWN;
    r->fallback_left = r->now.fallback_count;
    if (!is_shown(r))
        return;
    if (unit >= 0xD800 && unit < 0xDC00) {
        end_pair(r);
        r->high_half = unit;
    } else if (unit >= 0xDC00 && unit < 0xE000) {
        uint32_t high = r->high_half;
        r->high_half = 0;
        put_utf8(r->out,
                 high ? 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00) : LETTER_UNKNOWN);
    } else {
        put_letter(r, unit);
    }
}

/* ---- words that begin with a backslash ---- */

static bool is_one_of(struct bytes name, const char *const *names) {
    for (; *names; names++)
        if (bytes_is(name, *names))
            return true;
    return false;
}

/* Destinations that hold no text of the document. */
static bool is_no_text(struct bytes name) {
    static const char *const names[] = {"fonttbl",
                                        "colortbl",
                                        "stylesheet",
                                        "info",
                                        "pict",
                                        "object",
                                        "objdata",
                                        "fldinst",
                                        "listtable",
                                        "listoverridetable",
                                        "rsidtbl",
                                        "revtbl",
                                        "filetbl",
                                        "generator",
                                        "themedata",
                                        "datastore",
                                        "xmlnstbl",
                                        "colorschememapping",
                                        "latentstyles",
                                        "mmathPr",
                                        "bkmkstart",
                                        "bkmkend",
                                        "nonshppict",
                                        "private",
                                        "template",
                                        "passwordhash",
                                        "xe",
                                        "tc",
                                        "panose",
                                        "falt",
                                        NULL};
    return is_one_of(name, names);
}

/* Destinations marked \* that hold text all the same. */
static bool is_optional_text(struct bytes name) {
    static const char *const names[] = {"shptxt",     "shpinst", "shppict", "footnote",
                                        "annotation", "ud",      NULL};
    return is_one_of(name, names);
}

struct named_letter {
    const char *name;
    uint32_t letter;
};
static bool take_named_letter(struct reader *r, struct bytes name) {
    static const struct named_letter letters[] = {
        {"par", '\n'},       {"line", '\n'},      {"sect", '\n'},        {"page", '\n'},
        {"row", '\n'},       {"nestrow", '\n'},   {"tab", '\t'},         {"cell", '\t'},
        {"nestcell", '\t'},  {"emdash", 0x2014},  {"endash", 0x2013},    {"bullet", 0x2022},
        {"lquote", 0x2018},  {"rquote", 0x2019},  {"ldblquote", 0x201C}, {"rdblquote", 0x201D},
        {"emspace", 0x2003}, {"enspace", 0x2002}, {"qmspace", 0x2005}};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (bytes_is(name, letters[i].name)) {
            put_letter(r, letters[i].letter);
            return true;
        }
    return false;
}

/* \ansicpg: 0 and 65001 are written by programs that mean 1252, or say every letter as \u. */
static void take_code_page(struct reader *r, int64_t number) {
    r->is_code_page_known = number == 1252 || number == 0 || number == 65001;
}

static void skip_binary(struct reader *r, int64_t size) {
    size_t left = r->in.size - r->at;
    r->report->is_cut |= size > 0 && (uint64_t)size > left;
    if (size > 0)
        r->at += (uint64_t)size < left ? (size_t)size : left;
}

static void take_setting(struct reader *r, const struct word *word) {
    bool is_on = !word->has_number || word->number != 0;
    if (bytes_is(word->name, "v"))
        r->now.is_hidden = is_on;
    else if (bytes_is(word->name, "deleted"))
        r->now.is_deleted = is_on;
    else if (bytes_is(word->name, "plain"))
        r->now.is_hidden = r->now.is_deleted = false;
    else if (bytes_is(word->name, "uc") && word->number >= 0 && word->number < 256)
        r->now.fallback_count = (uint8_t)word->number;
    else if (bytes_is(word->name, "ansicpg"))
        take_code_page(r, word->number);
    else if (bytes_is(word->name, "mac") || bytes_is(word->name, "pc") ||
             bytes_is(word->name, "pca"))
        r->is_code_page_known = false;
}

static void take_word(struct reader *r, const struct word *word) {
    bool is_optional = r->is_optional;
    r->is_optional = false;
    if (bytes_is(word->name, "bin")) {
        skip_binary(r, word->number);
        return;
    }
    if (bytes_is(word->name, "u") && word->has_number) {
        take_unicode(r, word->number);
        return;
    }
    r->fallback_left = r->fallback_left > 0 ? r->fallback_left - 1 : 0;
    if (bytes_is(word->name, "pict"))
        r->report->has_pictures |= is_shown(r);
    if (is_no_text(word->name) || (is_optional && !is_optional_text(word->name)))
        r->now.is_skipped = true;
    else if (!take_named_letter(r, word->name))
        take_setting(r, word);
}

static bool is_letter(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_number(uint8_t c) {
    return c >= '0' && c <= '9';
}

static bool byte_at(const struct reader *r, uint8_t *c) {
    if (r->at >= r->in.size)
        return false;
    *c = r->in.data[r->at];
    return true;
}

/* The number behind a word; digits beyond any meaning are read and forgotten. */
static void read_number(struct reader *r, struct word *word) {
    uint8_t c;
    size_t sign = byte_at(r, &c) && c == '-';
    if (r->at + sign >= r->in.size || !is_number(r->in.data[r->at + sign]))
        return;
    word->has_number = true;
    for (r->at += sign; byte_at(r, &c) && is_number(c); r->at++)
        if (word->number < INT32_MAX)
            word->number = word->number * 10 + (c - '0');
    word->number = sign ? -word->number : word->number;
}

static void read_word(struct reader *r) {
    struct word word = {.name = bytes_from(r->in.data + r->at, 0)};
    uint8_t c;
    for (; byte_at(r, &c) && is_letter(c) && word.name.size < WORD_BYTES_MAX; r->at++)
        word.name.size++;
    read_number(r, &word);
    if (byte_at(r, &c) && c == ' ')
        r->at++;
    take_word(r, &word);
}

static unsigned hex_of(uint8_t c) {
    return is_number(c)           ? c - (unsigned)'0'
           : c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10
           : c >= 'A' && c <= 'F' ? c - (unsigned)'A' + 10
                                  : 16;
}

/* \'hh */
static void read_hex(struct reader *r) {
    if (r->in.size - r->at < 2) {
        r->at = r->in.size;
        r->report->is_cut = true;
        return;
    }
    unsigned high = hex_of(r->in.data[r->at]), low = hex_of(r->in.data[r->at + 1]);
    if (high > 15 || low > 15) /* none: what stands there is text */
        return;
    r->at += 2;
    take_byte(r, (uint8_t)(high << 4 | low));
}

static void read_symbol(struct reader *r, uint8_t c) {
    switch (c) {
    case '\'':
        read_hex(r);
        break;
    case '*':
        r->is_optional = true;
        break;
    case '~':
        take_byte(r, ' ');
        break;
    case '_':
        take_byte(r, '-');
        break;
    case '\r':
    case '\n':
        put_letter(r, '\n');
        break;
    case '\\':
    case '{':
    case '}':
        take_byte(r, c);
        break;
    default: /* \- and index marks are nothing in running text */
        break;
    }
}

static void read_backslash(struct reader *r) {
    uint8_t c;
    if (!byte_at(r, &c))
        r->report->is_cut = true;
    else if (is_letter(c))
        read_word(r);
    else {
        r->at++;
        read_symbol(r, c);
    }
}

/* ---- groups ---- */

static enum err begin_group(struct reader *r, struct fault *fault) {
    if (r->depth == RTF_DEPTH_MAX)
        return fault_set_at(fault, ERR_LIMIT, "the RTF is nested too deeply", r->at);
    r->stack[r->depth++] = r->now;
    r->fallback_left = 0;
    r->is_optional = false;
    return ERR_OK;
}

static void end_group(struct reader *r) {
    assert(r->depth > 0);
    r->now = r->stack[--r->depth];
    r->fallback_left = 0;
    r->is_optional = false;
}

bool rtf_is(struct bytes in) {
    return bytes_starts_with(in, BYTES("{\\rtf"));
}

static enum err read_all(struct reader *r, struct fault *fault) {
    enum err err = ERR_OK;
    do {
        uint8_t c = r->in.data[r->at++];
        if (c == '{')
            err = begin_group(r, fault);
        else if (c == '}')
            end_group(r);
        else if (c == '\\')
            read_backslash(r);
        else if (c != '\r' && c != '\n' && c != 0)
            take_byte(r, c);
    } while (!err && r->depth > 0 && r->at < r->in.size);
    end_pair(r);
    return err;
}

enum err rtf_put_text(struct text *out, struct bytes in, struct rtf_report *report,
                      struct fault *fault) {
    struct reader r = {.in = in, .out = out, .report = report, .is_code_page_known = true};
    *report = (struct rtf_report){0};
    r.now.fallback_count = 1;
    if (!rtf_is(in))
        return fault_set_at(fault, ERR_INPUT, "this does not begin as RTF", 0);
    enum err err = read_all(&r, fault);
    report->is_cut |= r.depth > 0;
    if (!err && out->full)
        err = fault_set_at(fault, ERR_LIMIT, "the text of the RTF is too long", r.at);
    return err;
}
