/* reader_test.c - search forgives and is not fooled; answers are JSON whatever is in them; files that are no chart. */
#include "chart_site.h"

#include <fcntl.h>
#include <jansson.h>

#define HOSTILE "O\\T\\BRIEN\\E\\X0A\\E\\\"<script>'; DROP TABLE subject; --"

static struct chart_reader *reader;
static struct fault fault;

static void people(void) {
    CHART("GAM A01 "
          "08:00:00.000\nPID|1||4711^^^CHV^PI||D'ÉTÉ-LEMAÎTRE^Jean-François||19450714|M\nPV1|1|I|"
          "CARD^101^A||||||||||||||||S1^^^CHV^VN",
          "GAM A01 08:01:00.000\nPID|1||4712^^^CHV^PI||NGUYEN^Thị "
          "Hồng||19800101|F\nPV1|1|I|CARD^102^B||||||||||||||||S2^^^CHV^VN",
          "GAM A08 08:02:00.000\nPID|1||4713^^^CHV^PI||" HOSTILE "^\"}]<b>||19700101|F",
          "GAM A08 08:03:00.000\nPID|1||0047^^^CHV^PI||PETIT^Anne||20010203|F");
}

static size_t found(struct bytes query) {
    struct chart_hit *hits;
    size_t count = SIZE_MAX;
    must(chart_search(reader, &answers, query, 20, &hits, &count, &fault), &fault);
    arena_clear(&answers);
    return count;
}
#define FOUND(query) found(BYTES(query))

static void test_search(void) {
    people();
    reader = chart_open();
    is_int(FOUND("ete"), 1);
    is_int(FOUND("dete"), 1);
    is_int(FOUND("lemaitre jean"), 1);
    is_int(FOUND("LEMAÎTRE"), 1);
    is_int(FOUND("jeanfrancois"), 1);
    is_int(FOUND("francois lem"), 1);
    is_int(FOUND("lemaitre paul"), 0);
    is_int(FOUND("hong"), 1);
    is_int(FOUND("nguyen thi"), 1);
    is_int(FOUND("4712"), 1);
    is_int(FOUND("0047"), 1);
    is_int(FOUND("14/07/1945"), 1);
    is_int(FOUND("1945-07-14"), 1);
    is_int(FOUND("14071945"), 1);
    is_int(FOUND("14.7.45"), 1);
    is_int(FOUND("14 07 1945"), 1);
    is_int(FOUND("31/12/1999"), 0);
    is_int(FOUND("101"), 1);
    is_int(FOUND("script"), 1);
    chart_shut(reader);
}

static void test_hostile_queries(void) {
    static char large[1 << 20];
    const struct bytes queries[] = {
        BYTES(""),           BYTES("   "),          BYTES("%"),          BYTES("_"),
        BYTES("*"),          BYTES("' OR 1=1 --"),  BYTES("\"\"\""),     BYTES("(((("),
        BYTES("NEAR/2 AND"), BYTES("\xFF\xFE\xC3"), BYTES("a\0b"),       BYTES("\xF0\x9F\x98\x80"),
        BYTES("-"),          BYTES("--"),           BYTES("99/99/9999"), BYTES("00000000"),
    };
    people();
    reader = chart_open();
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        size_t count = found(queries[i]);
        tap_ok(count <= 4, "answered", __FILE__, __LINE__,
               "a query that means nothing is answered");
    }
    memset(large, 'a', sizeof large);
    is_int(found(bytes_from((uint8_t *)large, sizeof large)), 0);
    for (size_t i = 0; i < sizeof large; i += 2)
        large[i] = ' ';
    found(bytes_from((uint8_t *)large, sizeof large));
    ok(true, "half a million words too");
    chart_shut(reader);
}

/* ---- JSON ---- */

struct gathered {
    char *data;
    size_t size, capacity;
};

static enum err gather(void *owner, struct bytes piece) {
    struct gathered *g = owner;
    while (g->capacity - g->size < piece.size + 1) {
        g->capacity = g->capacity ? g->capacity * 2 : 4096;
        g->data = realloc(g->data, g->capacity);
    }
    memcpy(g->data + g->size, piece.data, piece.size);
    g->size += piece.size;
    return ERR_OK;
}

static json_t *answer(enum chart_question question) {
    struct chart_ask ask = {.question = question, .all_patients = true, .now_us = NOW};
    struct gathered g = {0};
    json_error_t error;
    reader = chart_open();
    must(chart_answer_json(reader, &ask, gather, &g, &fault), &fault);
    chart_shut(reader);
    json_t *json = json_loadb(g.data, g.size, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        printf("# %s at %d\n", error.text, error.position);
    free(g.data);
    return json;
}

static void test_json(void) {
    people();
    for (int question = CHART_CENSUS; question <= CHART_STATE; question++) {
        json_t *json = answer((enum chart_question)question);
        ok(json != NULL, "an answer is JSON, no member twice");
        json_decref(json);
    }
    json_t *patients = answer(CHART_PATIENT);
    is_int(json_array_size(patients), 4);
    bool seen = false;
    for (size_t i = 0; i < json_array_size(patients); i++) {
        const char *name =
            json_string_value(json_object_get(json_array_get(patients, i), "given_name"));
        seen |= name && !strcmp(name, "\"}]<b>");
    }
    ok(seen, "a hostile name is the same name in JSON");
    json_decref(patients);
}

/* ---- files ---- */

static void write_file(const void *data, size_t size) {
    int fd = open(chart_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = write(fd, data, size);
    if (n != (ssize_t)size)
        must(ERR_IO, NULL);
    close(fd);
}

static enum err open_writer(void) {
    struct chart_writer *writer = NULL;
    struct fault own = {0};
    struct chart_options options = {0};
    enum err err = chart_writer_open(&writer, chart_path, &options, &own);
    ok(!err || own.code == err, "an error says what it is");
    chart_writer_close(writer);
    return err;
}

static enum err open_reader(void) {
    struct chart_reader *own_reader = NULL;
    struct chart_state state;
    struct fault own = {0};
    enum err err = chart_reader_open(&own_reader, chart_path, &own);
    if (!err)
        err = chart_reader_begin(own_reader, &own);
    if (!err)
        err = chart_state(own_reader, &state, &own);
    if (own_reader) {
        chart_reader_end(own_reader);
        chart_reader_close(own_reader);
    }
    return err;
}

static void test_files(void) {
    static char noise[65536];
    chart_new();
    ok(open_reader() != ERR_OK, "no file, no reader");
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 7919 >> 3);
    write_file(noise, sizeof noise);
    is_int(open_writer(), ERR_CORRUPT);
    ok(open_reader() != ERR_OK, "noise is no chart");
    people();
    is_int(truncate(chart_path, 20000), 0);
    enum err err = open_reader();
    ok(err == ERR_CORRUPT || err == ERR_IO || err == ERR_OK,
       "a file cut short is an error or still readable");
    chart_new();
    write_file("", 0);
    is_int(open_writer(), ERR_OK);
}

int main(void) {
    arena_init(&answers, (size_t)64 << 20);
    test_search();
    test_hostile_queries();
    test_json();
    test_files();
    chart_remove();
    arena_release(&answers);
    return done();
}
