/* as_of_test.c - a chart of the past says what it is of, in every answer; it says the same as a chart of the present made of
 * the same entries; a file that is no chart, or was never finished, is not read. */
#include "chart_site.h"

#include <fcntl.h>
#include <jansson.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define MADE_AT (NOW + 3600 * US_PER_S)

static const char *const lines[] = {
    "GAM A01 08:00:00.000\nPID|1||4711^^^CHV^PI||DUPONT^Jeanne||19450714|F\nPV1|1|I|CARD^101^A"
    "||||||||||||||||S1^^^CHV^VN\nAL1|1|DA|PEN^Penicilline^L|SV|Choc\nDG1|1||I10^Hypertension^I10",
    "LABO R01 09:00:00.000\nPID|1||4711^^^CHV^PI||DUPONT^Jeanne||19450714|F\nOBR|1||F1|NA^Sodium^LN"
    "|||20261123090000\nOBX|1|NM|NA^Sodium^LN||128|mmol/L|135-145|L|||F",
    "DPI T02 10:00:00.000\nPID|1||4711^^^CHV^PI||DUPONT^Jeanne||19450714|F\nTXA|1|CR|TX||||||||||D1"
    "\nOBX|1|TX|T^Texte^L||Vu||||||F",
    "GAM A01 11:00:00.000\nPID|1||4712^^^CHV^PI||MARTIN^Paul||19800101|M\nPV1|1|I|CARD^101^B"
    "||||||||||||||||S2^^^CHV^VN",
    "ZZZ Z99 11:30:00.000\nZZZ|nothing",
};
enum { LINE_COUNT = sizeof lines / sizeof lines[0] };

static struct chart_as_of as_of_entry(void) {
    return (struct chart_as_of){.at = NOW,
                                .until = INSTANT_NONE,
                                .until_entry = LINE_COUNT - 1,
                                .newest_entry = CHART_NO_ENTRY,
                                .made_at = MADE_AT,
                                .made_by = "alice",
                                .made_on = "node1"};
}

/* Entries are taken and committed one by one; `as_of` NULL: the making stops there. */
static void past_of(size_t count, const struct chart_as_of *as_of) {
    static char buffer[65536];
    struct chart_writer *writer;
    struct fault fault = {0};
    struct chart_options options = {.is_rebuild = true, .is_past = true};
    chart_new();
    must(chart_writer_open(&writer, chart_path, &options, &fault), &fault);
    for (size_t i = 0; i < count; i++) {
        chart_take_at(writer, i, message_of(lines[i], buffer, sizeof buffer), NOW, NULL);
        chart_commit(writer);
    }
    if (as_of)
        must(chart_writer_settle_past(writer, as_of, &fault), &fault);
    chart_writer_close(writer);
}

static enum err open_reader(struct fault *fault) {
    struct chart_reader *reader = NULL;
    *fault = (struct fault){0};
    enum err err = chart_reader_open(&reader, chart_path, fault);
    chart_reader_close(reader);
    return err;
}

/* ---- what it is of ---- */

static void test_said(void) {
    struct chart_as_of wanted = as_of_entry();
    past_of(LINE_COUNT, &wanted);
    struct chart_reader *reader = chart_open();
    const struct chart_as_of *got = chart_as_of(reader);
    is_int(got->at, NOW);
    ok(got->until == INSTANT_NONE, "no limit in time was given, none is said");
    is_int(got->until_entry, LINE_COUNT - 1);
    is_int(got->newest_entry, LINE_COUNT - 1);
    is_int(got->doubtful_count, 0);
    is_int(got->made_at, MADE_AT);
    is_string(got->made_by, "alice");
    is_string(got->made_on, "node1");
    chart_shut(reader);

    wanted.until = NOW - 1;
    wanted.until_entry = CHART_NO_ENTRY;
    wanted.doubtful_count = 7;
    past_of(0, &wanted);
    reader = chart_open();
    got = chart_as_of(reader);
    is_int(got->until, NOW - 1);
    ok(got->until_entry == CHART_NO_ENTRY && got->newest_entry == CHART_NO_ENTRY,
       "of no entry at all, none is the newest");
    is_int(got->doubtful_count, 7);
    chart_shut(reader);

    chart_of(lines, LINE_COUNT);
    reader = chart_open();
    ok(chart_as_of(reader)->at == INSTANT_NONE, "a chart of the present is of no moment");
    chart_shut(reader);
}

static void test_same_digest(void) {
    char present[65], past[65];
    struct chart_as_of as_of = as_of_entry();
    for (size_t count = 0; count <= LINE_COUNT; count++) {
        chart_of(lines, count);
        chart_hash(present);
        past_of(count, &as_of);
        chart_hash(past);
        is_string(past, present);
        as_of.made_at += US_PER_S; /* when and of what it was made is no part of it */
        as_of.until = NOW;
    }
}

/* ---- every answer ---- */

struct gathered {
    char data[1 << 18];
    size_t size;
};

static enum err gather(void *owner, struct bytes piece) {
    struct gathered *g = owner;
    assert(piece.size <= sizeof g->data - g->size);
    memcpy(g->data + g->size, piece.data, piece.size);
    g->size += piece.size;
    return ERR_OK;
}

static json_t *answer(enum chart_question question) {
    static struct gathered g;
    struct chart_ask ask = {.question = question, .all_patients = true, .now_us = NOW};
    struct fault fault = {0};
    struct chart_reader *reader = chart_open();
    g.size = 0;
    must(chart_answer_json(reader, &ask, gather, &g, &fault), &fault);
    chart_shut(reader);
    return json_loadb(g.data, g.size, JSON_REJECT_DUPLICATES, NULL);
}

static bool says_when(json_t *item) {
    json_t *as_of = json_object_get(item, "as_of");
    const char *at = json_string_value(json_object_get(as_of, "at"));
    return at && !strcmp(at, "2026-11-23T15:00:00.000Z") &&
           json_integer_value(json_object_get(as_of, "until_entry")) == LINE_COUNT - 1 &&
           json_is_null(json_object_get(as_of, "until"));
}

/* How many items of the answer say it, and how many there are. */
static size_t count_saying(json_t *json, size_t *item_count) {
    size_t i, said = 0;
    json_t *item;
    *item_count = json_is_array(json) ? json_array_size(json) : 1;
    if (!json_is_array(json))
        return says_when(json);
    json_array_foreach(json, i, item) said += says_when(item);
    return said;
}

static void test_answers(void) {
    struct chart_as_of as_of = as_of_entry();
    size_t item_count;
    past_of(LINE_COUNT, &as_of);
    for (int question = CHART_CENSUS; question <= CHART_STATE; question++) {
        json_t *json = answer((enum chart_question)question);
        size_t said = count_saying(json, &item_count);
        tap_ok(item_count > 0 && said == item_count, "says when", __FILE__, __LINE__,
               "every item of every answer says what it is of");
        json_decref(json);
    }
    chart_of(lines, LINE_COUNT);
    for (int question = CHART_CENSUS; question < CHART_STATE; question++) {
        json_t *json = answer((enum chart_question)question);
        tap_ok(json_array_size(json) && !json_object_get(json_array_get(json, 0), "as_of"),
               "says nothing", __FILE__, __LINE__, "of the present, none does");
        json_decref(json);
    }
    json_t *state = answer(CHART_STATE);
    ok(json_is_null(json_object_get(state, "as_of")), "but state, which says null");
    json_decref(state);
}

/* ---- files ---- */

static void change(const char *sql) {
    sqlite3 *db;
    if (sqlite3_open_v2(chart_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ||
        sqlite3_exec(db, sql, NULL, NULL, NULL))
        must(ERR_IO, NULL);
    sqlite3_close(db);
}

static bool stands_beside(const char *suffix) {
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", chart_path, suffix);
    return !stat(path, &st);
}

static void test_files(void) {
    struct chart_as_of as_of = as_of_entry();
    struct fault fault;
    struct chart_writer *writer = NULL;
    past_of(LINE_COUNT, NULL);
    is_int(open_reader(&fault), ERR_STATE);
    is_string(fault.what, "this chart of the past was never finished: make it again");

    past_of(LINE_COUNT, &as_of);
    ok(!stands_beside("-wal") && !stands_beside("-shm"), "one file, and nothing beside it");
    struct chart_reader *reader = chart_open();
    ok(!stands_beside("-wal") && !stands_beside("-shm"), "not while it is read either");
    chart_shut(reader);
    struct chart_options options = {0};
    fault = (struct fault){0};
    is_int(chart_writer_open(&writer, chart_path, &options, &fault), ERR_STATE);
    is_string(fault.what, "this is a chart of the past: it takes no more entries");

    change("UPDATE meta SET value = 99 WHERE name = 'schema'");
    is_int(open_reader(&fault), ERR_STATE);
    is_string(fault.what, "this chart was made by a newer version of the program");
    change("UPDATE meta SET value = 0 WHERE name = 'schema'");
    is_int(open_reader(&fault), ERR_STATE);
    is_string(fault.what, "this chart was made by an older version of the program");

    chart_new();
    change("CREATE TABLE other (number)");
    is_int(open_reader(&fault), ERR_INPUT);
    chart_new();
    change("CREATE TABLE meta (name TEXT PRIMARY KEY, value)");
    is_int(open_reader(&fault), ERR_INPUT);
    is_string(fault.what, "this file is not a chart");
}

int main(void) {
    arena_init(&answers, (size_t)64 << 20);
    test_said();
    test_same_digest();
    test_answers();
    test_files();
    chart_remove();
    arena_release(&answers);
    return done();
}
