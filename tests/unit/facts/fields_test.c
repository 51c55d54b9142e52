/* fields_test.c - docs/hl7.md says which messages and which fields are read: it is held against the translator.
 *
 * A field is read when some case of tests/cases/hl7 says something else without it. The tables of the page are made by this
 * program (fields_test --print) and must be the same; every type of three letters and every event is asked for. */
#include "case.h"
#include "tap.h"

#define PAGE           "docs/hl7.md"
#define PAGE_BYTES_MAX ((size_t)256 * 1024)
#define SEGMENTS_MAX   64u
#define FIELDS         64u

/* ---- which family a message is of ---- */

static const struct family {
    const char *name, *types;
} families[] = {
    {"ADT", "ADT"},
    {"results", "ORU OUL"},
    {"documents", "MDM"},
    {"orders", "ORM OML OMG OMI OMP OMS OMN OMD OMB RDE RDS RAS RGV"},
    {"vaccines", "VXU"},
    {"appointments", "SIU SRM"},
    {"problems", "PPR PGL PPP"},
};
#define FAMILY_COUNT (sizeof families / sizeof families[0])

static size_t family_of(const struct test_case *c) {
    struct hl7_header header;
    char type[8];
    hl7_header_read(&header, bytes_from(c->message, c->message_bytes));
    snprintf(type, sizeof type, "%.*s", (int)bytes_first(header.type_code, 3).size,
             (const char *)header.type_code.data);
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        if (strlen(type) == 3 && strstr(families[i].types, type))
            return i;
    return FAMILY_COUNT;
}

struct seen {
    char name[4];
    bool fields[FIELDS];
};
static struct seen seen[FAMILY_COUNT][SEGMENTS_MAX];
static size_t seen_count[FAMILY_COUNT];

static void see(size_t family, struct bytes name, unsigned field) {
    size_t at = 0;
    while (at < seen_count[family] && !bytes_is(name, seen[family][at].name))
        at++;
    if (at == SEGMENTS_MAX || name.size != 3)
        return;
    if (at == seen_count[family]) {
        memcpy(seen[family][at].name, name.data, 3);
        seen_count[family]++;
    }
    seen[family][at].fields[field] = true;
}

/* ---- what a field changes ---- */

static struct guard guard;
static struct test_case whole, less;
static char said[CASE_BYTES_MAX], said_less[CASE_BYTES_MAX], file_bytes[CASE_BYTES_MAX];

static const char *say(struct test_case *c, char *out) {
    struct text text;
    text_init(&text, out, CASE_BYTES_MAX);
    dump_case(c, &text, false);
    return out;
}

/* The same message with `from` to `to` replaced. */
static bool says_else(size_t from, size_t to, const char *instead) {
    size_t size = strlen(instead);
    less.message_bytes = whole.message_bytes - (to - from) + size;
    memcpy(less.message, whole.message, from);
    memcpy(less.message + from, instead, size);
    memcpy(less.message + from + size, whole.message + to, whole.message_bytes - to);
    return strcmp(say(&less, said_less), said) != 0;
}

static void try_field(size_t family, struct bytes name, size_t from, size_t to, unsigned field) {
    bool is_header = bytes_is(name, "MSH");
    unsigned number = field + is_header; /* MSH-1 is the delimiter itself */
    if (from == to || number >= FIELDS || (is_header && number <= 2))
        return;
    if (says_else(from, to, "") || says_else(from, to, "\"\""))
        see(family, name, number);
}

static void try_segment(size_t family, size_t from, size_t to) {
    size_t at = from;
    while (at < to && whole.message[at] != '|')
        at++;
    struct bytes name = bytes_from(whole.message + from, at - from);
    for (unsigned field = 1; at < to; field++) {
        size_t begin = ++at;
        while (at < to && whole.message[at] != '|')
            at++;
        try_field(family, name, begin, at, field);
    }
}

static bool load(const char *name) {
    char path[512];
    size_t size;
    snprintf(path, sizeof path, CASES "/%s", name);
    if (!read_file(path, file_bytes, sizeof file_bytes, &size))
        return false;
    read_case(&whole, bytes_from(file_bytes, size));
    memcpy(&less, &whole, sizeof less);
    return true;
}

/* A case with other delimiters than | is of no use here. */
static void try_case(const char *name) {
    if (!load(name) || memcmp(whole.message, "MSH|", 4) != 0)
        return;
    size_t family = family_of(&whole), from = 0;
    if (family == FAMILY_COUNT)
        return;
    say(&whole, said);
    for (size_t at = 0; at < whole.message_bytes; at++)
        if (whole.message[at] == '\r') {
            try_segment(family, from, at);
            from = at + 1;
        }
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct seen *)a)->name, ((const struct seen *)b)->name);
}

static void put_fields(struct text *out) {
    text_put_string(out, "| message | segment | fields |\n| --- | --- | --- |\n");
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        qsort(seen[f], seen_count[f], sizeof seen[f][0], by_name);
        for (size_t i = 0; i < seen_count[f]; i++) {
            text_put_format(out, "| %s | %s |", families[f].name, seen[f][i].name);
            for (unsigned n = 1; n < FIELDS; n++)
                if (seen[f][i].fields[n])
                    text_put_format(out, " %u", n);
            text_put_string(out, " |\n");
        }
    }
}

/* ---- which messages ---- */

static bool understands(const char *type, const char *event) {
    struct hl7_header header;
    struct text text;
    char buffer[200];
    text_init(&text, buffer, sizeof buffer);
    text_put_format(&text, "MSH|^~\\&|A|B|C|D|20261123||%s^%s|1|P|2.5\r", type, event);
    hl7_header_read(&header, text_bytes(&text));
    return facts_understands(&header);
}

static void put_types(struct text *out) {
    char type[4] = "AAA";
    text_put_string(out, "types:");
    for (type[0] = 'A'; type[0] <= 'Z'; type[0]++)
        for (type[1] = 'A'; type[1] <= 'Z'; type[1]++)
            for (type[2] = 'A'; type[2] <= 'Z'; type[2]++)
                if (understands(type, strcmp(type, "ADT") == 0 ? "A01" : "X01"))
                    text_put_format(out, " %s", type);
    text_put_string(out, "\n");
}

static void put_events(struct text *out) {
    static const char letters[] = "AZ";
    text_put_string(out, "events of ADT:");
    for (size_t i = 0; letters[i]; i++)
        for (unsigned n = 0; n < 100; n++) {
            char event[8];
            snprintf(event, sizeof event, "%c%02u", letters[i], n);
            if (understands("ADT", event))
                text_put_format(out, " %s", event);
        }
    text_put_string(out, "\n");
}

/* ---- versions ---- */

static const char *const versions[] = {"2.1",   "2.2", "2.3", "2.3.1", "2.4", "2.5",
                                       "2.5.1", "2.6", "2.7", "2.7.1", "2.8"};

/* MSH-12 alone changes nothing: fields are read by where they stand. */
static unsigned try_versions(const char *name) {
    unsigned differing = 0;
    size_t at = 0, from = 0;
    if (!load(name) || memcmp(whole.message, "MSH|", 4) != 0)
        return 0;
    say(&whole, said);
    for (unsigned bars = 0; at < whole.message_bytes && whole.message[at] != '\r'; at++)
        if (whole.message[at] == '|' && ++bars == 11)
            from = at + 1;
    for (at = from; at < whole.message_bytes && strchr("|\r^", whole.message[at]) == NULL;)
        at++;
    for (size_t i = 0; from && i < sizeof versions / sizeof versions[0]; i++)
        differing += says_else(from, at, versions[i]);
    return differing;
}

/* ---- */

static char page[PAGE_BYTES_MAX], tables[PAGE_BYTES_MAX];

int main(int argument_count, char **arguments) {
    struct dirent **entries;
    struct text out;
    size_t size;
    unsigned differing = 0;
    bool prints = argument_count > 1 && strcmp(arguments[1], "--print") == 0;
    guard_init(&guard, CASE_BYTES_MAX);
    case_guard = &guard;
    int count = scandir(CASES, &entries, is_case, alphasort);
    for (int i = 0; i < count; i++) {
        try_case(entries[i]->d_name);
        differing += try_versions(entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    text_init(&out, tables, sizeof tables);
    put_types(&out);
    text_put_string(&out, "\n");
    put_events(&out);
    text_put_string(&out, "\n");
    put_fields(&out);
    guard_release(&guard);
    if (prints) {
        fputs(tables, stdout);
        return 0;
    }
    ok(count > 200, "there are cases");
    is_int(differing, 0);
    ok(read_file(PAGE, page, sizeof page - 1, &size), "the page is there");
    ok(strstr(page, tables) != NULL,
       "the page's tables are those that the translator gives (fields_test --print)");
    return done();
}
