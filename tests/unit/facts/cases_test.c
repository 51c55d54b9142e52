/* cases_test.c - every file of tests/cases/hl7: a message, and the facts that the standard makes of it.
 *
 * A case file has three parts. The head, up to the line "--- message": one line that says what the case shows, then
 * settings, "received <RFC 3339>", "zone <name>" and "otherwise <character set>". The message: a line is a segment, <E9> is
 * the byte E9, a line that ends in a backslash and a space goes on in the next. After "--- facts": the dump of dump.h.
 * Lines that begin with # are for people. Given names, the program prints what those files' messages give. */
#include "dump.h"
#include "guard.h"
#include "tap.h"
#include <dirent.h>

#define CASES          "tests/cases/hl7"
#define CASE_BYTES_MAX ((size_t)256 * 1024)
#define ARENA_BYTES    ((size_t)4 << 20)

struct test_case {
    char title[200];
    int64_t received_at;
    char zone[64];
    enum hl7_charset otherwise;
    char message[CASE_BYTES_MAX], wanted[CASE_BYTES_MAX];
    size_t message_bytes;
};

static struct guard guard;

/* ---- reading a case ---- */

static enum hl7_charset charset_of(struct bytes name) {
    return bytes_is(name, "utf-8")    ? HL7_UTF8
           : bytes_is(name, "latin1") ? HL7_LATIN1
           : bytes_is(name, "ascii")  ? HL7_ASCII
                                      : HL7_LATIN9;
}

static void read_setting(struct test_case *c, struct bytes line) {
    struct time_read time;
    struct text zone;
    if (bytes_starts_with(line, BYTES("received ")) &&
        time_read_iso(bytes_skip(line, 9), NULL, &time)) {
        c->received_at = time.at;
    } else if (bytes_starts_with(line, BYTES("zone "))) {
        text_init(&zone, c->zone, sizeof c->zone);
        text_put(&zone, bytes_skip(line, 5));
    } else if (bytes_starts_with(line, BYTES("otherwise "))) {
        c->otherwise = charset_of(bytes_skip(line, 10));
    } else if (c->title[0] == 0 && line.size) {
        struct text title;
        text_init(&title, c->title, sizeof c->title);
        text_put(&title, line);
    }
}

static void put_line(struct text *message, struct bytes line) {
    bool goes_on = line.size > 1 && line.data[line.size - 1] == ' ' && line.data[line.size - 2] == '\\';
    line.size -= goes_on ? 2 : 0;
    for (size_t i = 0; i < line.size; i++) {
        uint8_t byte;
        bool is_hex = line.data[i] == '<' && i + 3 < line.size && line.data[i + 3] == '>' &&
                      hex_decode(bytes_from(line.data + i + 1, 2), &byte, 1);
        text_put_char(message, (char)(is_hex ? byte : line.data[i]));
        i += is_hex ? 3 : 0;
    }
    if (!goes_on)
        text_put_char(message, '\r');
}

static void read_case(struct test_case *c, struct bytes file) {
    struct bytes rest = file, line;
    struct text message, wanted;
    enum { HEAD, MESSAGE, FACTS } part = HEAD;
    c->title[0] = 0;
    c->otherwise = HL7_LATIN9;
    read_setting(c, BYTES("received 2026-11-23T15:00:00Z"));
    read_setting(c, BYTES("zone Europe/Paris"));
    text_init(&message, c->message, sizeof c->message);
    text_init(&wanted, c->wanted, sizeof c->wanted);
    while (bytes_next_part(&rest, '\n', &line)) {
        if (bytes_is(line, "--- message"))
            part = MESSAGE;
        else if (bytes_is(line, "--- facts"))
            part = FACTS;
        else if (line.size && line.data[0] == '#')
            continue;
        else if (part == HEAD)
            read_setting(c, line);
        else if (part == MESSAGE && (line.size || message.size))
            put_line(&message, line);
        else if (part == FACTS && line.size) {
            text_put(&wanted, line);
            text_put_char(&wanted, '\n');
        }
    }
    /* The last empty line of the part is the file's, not the message's. */
    while (message.size > 1 && message.data[message.size - 2] == '\r')
        message.size--;
    c->message_bytes = message.size;
}

static bool read_file(const char *path, char *buffer, size_t buffer_bytes, size_t *size) {
    FILE *file = fopen(path, "rb");
    *size = file ? fread(buffer, 1, buffer_bytes, file) : 0;
    bool is_read = file && *size < buffer_bytes && !ferror(file);
    if (file)
        fclose(file);
    return is_read;
}

/* ---- running it ---- */

static void dump_case(struct test_case *c, struct text *out) {
    struct zone zone;
    struct arena arena;
    struct facts facts;
    struct bytes body = guard_copy(&guard, bytes_from(c->message, c->message_bytes));
    enum err err = zone_init(&zone, c->zone, NULL);
    struct facts_context context = {.received_at = c->received_at, .zone = &zone, .otherwise = c->otherwise};
    arena_init(&arena, ARENA_BYTES);
    if (!err)
        err = facts_from_hl7(body, &context, &arena, &facts);
    if (err)
        text_put_format(out, "error %s\n", err_name(err));
    else
        dump_facts(out, &facts, body);
    arena_release(&arena);
}

static void print_difference(const char *got, const char *wanted) {
    struct bytes g = bytes_from_string(got), w = bytes_from_string(wanted), a, b;
    bool has_a = bytes_next_part(&g, '\n', &a), has_b = bytes_next_part(&w, '\n', &b);
    while (has_a && has_b && bytes_equal(a, b)) {
        has_a = bytes_next_part(&g, '\n', &a);
        has_b = bytes_next_part(&w, '\n', &b);
    }
    printf("# got    %.*s\n", has_a ? (int)a.size : 3, has_a ? (const char *)a.data : "end");
    printf("# wanted %.*s\n", has_b ? (int)b.size : 3, has_b ? (const char *)b.data : "end");
}

static struct test_case the_case;
static char file_bytes[CASE_BYTES_MAX], dumped[CASE_BYTES_MAX];

static bool load(const char *path, struct text *out) {
    size_t size;
    text_init(out, dumped, sizeof dumped);
    if (!read_file(path, file_bytes, sizeof file_bytes, &size))
        return false;
    read_case(&the_case, bytes_from(file_bytes, size));
    dump_case(&the_case, out);
    return true;
}

static void run(const char *name) {
    char path[512], label[700];
    struct text out;
    snprintf(path, sizeof path, CASES "/%s", name);
    if (!load(path, &out)) {
        tap_ok(false, "the case file is read", __FILE__, __LINE__, name);
        return;
    }
    bool same = !out.full && strcmp(out.data, the_case.wanted) == 0;
    snprintf(label, sizeof label, "%s: %s", name, the_case.title);
    if (!tap_ok(same, "the dump is as wanted", path, 1, label))
        print_difference(out.data, the_case.wanted);
}

static int is_case(const struct dirent *entry) {
    size_t size = strlen(entry->d_name);
    return size > 5 && strcmp(entry->d_name + size - 5, ".case") == 0;
}

/* Whatever a message is cut off at, or has one byte of changed to, reading stays within it. */
static void run_mangled(const char *name) {
    char path[512];
    struct text out;
    snprintf(path, sizeof path, CASES "/%s", name);
    if (!load(path, &out))
        return;
    size_t whole = the_case.message_bytes;
    for (size_t size = 0; size < whole; size++) {
        the_case.message_bytes = size;
        text_init(&out, dumped, sizeof dumped);
        dump_case(&the_case, &out);
    }
    the_case.message_bytes = whole;
    for (size_t at = 0; at < whole; at++) {
        static const char bytes[] = {'|', '^', '~', '\\', '&', '\r', '"', 0, (char)0xC3};
        char kept = the_case.message[at];
        the_case.message[at] = bytes[at % sizeof bytes];
        text_init(&out, dumped, sizeof dumped);
        dump_case(&the_case, &out);
        the_case.message[at] = kept;
    }
}

int main(int argument_count, char **arguments) {
    struct dirent **entries;
    struct text out;
    guard_init(&guard, CASE_BYTES_MAX);
    for (int i = 1; i < argument_count; i++)
        if (load(arguments[i], &out))
            fputs(out.data, stdout);
    if (argument_count > 1)
        return 0;
    int count = scandir(CASES, &entries, is_case, alphasort);
    ok(count >= 45, "there are cases");
    for (int i = 0; i < count; i++)
        run(entries[i]->d_name);
    for (int i = 0; i < count; i += 3)
        run_mangled(entries[i]->d_name);
    ok(true, "cut off or changed messages are read within their bounds");
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    guard_release(&guard);
    return done();
}
