/* case.h - a file of tests/cases/hl7: a message, and the facts that the standard makes of it.
 *
 * A case file has three parts. The head, up to the line "--- message": one line that says what the case shows, then
 * settings, "received <RFC 3339>", "zone <name>" and "otherwise <character set>". The message: a line is a segment, <E9> is
 * the byte E9, a line that ends in a backslash and a space goes on in the next. After "--- facts": the dump of dump.h.
 * Lines that begin with # are for people. */
#ifndef TESTS_FACTS_CASE_H
#define TESTS_FACTS_CASE_H

#include "dump.h"
#include "guard.h"
#include <dirent.h>
#include <stdio.h>

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

static struct guard *case_guard;

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
    bool goes_on =
        line.size > 1 && line.data[line.size - 1] == ' ' && line.data[line.size - 2] == '\\';
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

/* where_shown: with eight bytes of where something was set aside. */
static inline void dump_case(struct test_case *c, struct text *out, bool where_shown) {
    struct zone zone;
    struct arena arena;
    struct facts facts;
    struct bytes body = guard_copy(case_guard, bytes_from(c->message, c->message_bytes));
    enum err err = zone_init(&zone, c->zone, NULL);
    struct facts_context context = {
        .received_at = c->received_at, .zone = &zone, .otherwise = c->otherwise};
    arena_init(&arena, ARENA_BYTES);
    if (!err)
        err = facts_from_hl7(body, &context, &arena, &facts);
    if (err)
        text_put_format(out, "error %s\n", err_name(err));
    else
        dump_facts(out, &facts, where_shown ? body : BYTES_NONE);
    arena_release(&arena);
}

static int is_case(const struct dirent *entry) {
    size_t size = strlen(entry->d_name);
    return size > 5 && strcmp(entry->d_name + size - 5, ".case") == 0;
}

#endif
