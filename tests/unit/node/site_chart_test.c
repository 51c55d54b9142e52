/* site_chart_test.c - which entries are in a chart of the past: by time, by number, by both; out of order, erased, stated
 * again, of a doubtful clock; and that the file stands there whole, for its owner alone, or not at all. */
#include "node/site_chart.h"
#include "unit/chart/chart_site.h"
#include "unit/vault/vault_site.h"

/* 2021-02-08T23:00:00Z: long past, wherever this runs. */
#define THEN (1612825200 * US_PER_S)

static struct fault fault;
static struct config config;
static char out[128];
static struct vault_writer *vault;

/* Entry of patient `number`, received at THEN + offset_us; gives its index. */
static uint64_t append(unsigned number, int64_t offset_us, uint32_t flags,
                       const struct vault_entry *restates, uint64_t restated_index) {
    char line[256], buffer[4096];
    uint64_t index;
    bool is_repeat;
    snprintf(line, sizeof line,
             "GAM A01 20210208T08:00:%02u.000\nPID|1||%u^^^CHV^PI||DUPONT^Jeanne||19450714|F\n"
             "PV1|1|I|CARD^101^A||||||||||||||||S%u^^^CHV^VN",
             number % 60, number, number);
    struct bytes body = message_of(line, buffer, sizeof buffer);
    struct vault_entry entry = {
        .kind = VAULT_MESSAGE,
        .flags = flags,
        .media_type = BYTES("application/hl7-v2"),
        .source = BYTES("mllp/test"),
        .received_at = THEN + offset_us,
        .body = body,
        .body_bytes = body.size,
    };
    if (restates) {
        entry.is_restated = true;
        entry.restated_index = restated_index;
        entry.restated_clock = restates->clock;
    }
    struct vault_append one = {.entry = &entry};
    must(vault_writer_append(vault, &one, &index, &is_repeat, &fault), &fault);
    must(vault_writer_sync(vault, &fault), &fault);
    return index;
}

static void begin(void) {
    chart_new(); /* a directory of its own for what is made */
    site_make();
    config_default(&config);
    snprintf(config.node, sizeof config.node, "node1");
    vault = site_writer(NULL, 0);
    snprintf(out, sizeof out, "%s/past.db", chart_dir);
}

static void end(void) {
    vault_writer_close(vault);
    unlink(out);
    site_remove();
}

static enum err make(int64_t until, uint64_t until_entry) {
    struct past_limits limits = {until, until_entry};
    uint64_t taken;
    fault = (struct fault){0};
    unlink(out);
    return site_chart_make_past(site_dir, NULL, &config, &limits, out, &taken, &fault);
}

/* The numbers of the patients in it, as "1 3 "; and what it is of. */
static const char *people(struct chart_as_of *as_of) {
    static char text[256];
    struct chart_reader *reader;
    size_t used = 0;
    must(site_chart_open_file(out, &reader, &fault), &fault);
    must(chart_reader_begin(reader, &fault), &fault);
    text[0] = 0;
    for (unsigned number = 1; number < 20; number++) {
        char digits[16];
        uint64_t id;
        size_t count;
        snprintf(digits, sizeof digits, "%u", number);
        struct fact_identifier wanted = {.number = bytes_from_string(digits)};
        must(chart_find_identifier(reader, &wanted, &id, 1, &count, &fault), &fault);
        if (count)
            used += (size_t)snprintf(text + used, sizeof text - used, "%u ", number);
    }
    *as_of = *chart_as_of(reader);
    chart_shut(reader);
    return text;
}

/* Received in the order 1, 3, 4, 2: a message that was held, a clock that was set back. */
static void test_by_time(void) {
    struct chart_as_of as_of;
    begin();
    append(1, 100, 0, NULL, 0);
    append(2, 300, 0, NULL, 0);
    append(3, 200, 0, NULL, 0);
    uint64_t last = append(4, 250, 0, NULL, 0);
    static const struct {
        int64_t until;
        const char *people;
    } cases[] = {{99, ""},        {100, "1 "},       {199, "1 "},
                 {200, "1 3 "},   {249, "1 3 "},     {250, "1 3 4 "},
                 {299, "1 3 4 "}, {300, "1 2 3 4 "}, {999, "1 2 3 4 "}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        must(make(THEN + cases[i].until, CHART_NO_ENTRY), &fault);
        is_string(people(&as_of), cases[i].people);
        is_int(as_of.at, THEN + cases[i].until);
        is_int(as_of.until, as_of.at);
    }
    is_int(as_of.newest_entry, last);
    ok(as_of.until_entry == CHART_NO_ENTRY, "no limit by entry is said");
    is_int(as_of.doubtful_count, 0);
    is_string(as_of.made_on, "node1");
    ok(as_of.made_by[0] && as_of.made_at > 0, "who made it and when");
    end();
}

static void test_by_entry(void) {
    struct chart_as_of as_of;
    begin();
    append(1, 100, 0, NULL, 0);
    uint64_t second = append(2, 300, 0, NULL, 0);
    uint64_t third = append(3, 200, 0, NULL, 0);
    must(make(INSTANT_NONE, second), &fault);
    is_string(people(&as_of), "1 2 ");
    is_int(as_of.at, THEN + 300);
    is_int(as_of.until_entry, second);
    is_int(as_of.newest_entry, second);
    ok(as_of.until == INSTANT_NONE, "no limit in time is said");
    must(make(INSTANT_NONE, third), &fault);
    is_string(people(&as_of), "1 2 3 ");
    is_int(as_of.at, THEN + 200);
    must(make(INSTANT_NONE, 0), &fault);
    is_string(people(&as_of), "");

    must(make(THEN + 250, second), &fault);
    is_string(people(&as_of), "1 ");
    is_int(as_of.at, THEN + 250);
    must(make(THEN + 250, third), &fault);
    is_string(people(&as_of), "1 3 ");
    is_int(as_of.at, THEN + 200);
    end();
}

static void test_doubtful_clock(void) {
    struct chart_as_of as_of;
    begin();
    append(1, 100, 0, NULL, 0);
    append(2, 900, VAULT_CLOCK_DOUBTFUL, NULL, 0);
    append(3, 200, VAULT_CLOCK_DOUBTFUL, NULL, 0);
    must(make(THEN + 500, CHART_NO_ENTRY), &fault);
    is_string(people(&as_of), "1 3 ");
    is_int(as_of.doubtful_count, 2);
    must(make(INSTANT_NONE, 2), &fault);
    is_string(people(&as_of), "1 2 ");
    is_int(as_of.doubtful_count, 0);
    end();
}

/* What was stated again before its epoch was erased stands where it stood first. */
static void test_erased(void) {
    struct chart_as_of as_of;
    begin();
    uint64_t first = append(1, 100, 0, NULL, 0);
    uint64_t second = append(2, 200, 0, NULL, 0);
    append(3, 300, 0, NULL, 0);
    uint32_t epoch = vault_writer_epoch(vault);
    must(vault_writer_rotate(vault, &fault), &fault);
    append(4, 400, 0, NULL, 0);
    struct vault_entry before = {.clock = (hlc_stamp)(THEN / US_PER_MS) << 16};
    append(1, 100, 0, &before, first);
    append(3, 300, 0, &before, second + 1);
    must(vault_writer_erase_epoch(vault, epoch, "test", &fault), &fault);

    must(make(INSTANT_NONE, second), &fault);
    is_string(people(&as_of), "1 ");
    ok(as_of.at > THEN + 200,
       "of an erased entry, the newest time known: that of the vault's first");
    must(make(INSTANT_NONE, second + 1), &fault);
    is_string(people(&as_of), "1 3 ");
    must(make(THEN + 350, CHART_NO_ENTRY), &fault);
    is_string(people(&as_of), "1 3 ");
    must(make(THEN + 400, CHART_NO_ENTRY), &fault);
    is_string(people(&as_of), "1 3 4 ");
    end();
}

static bool is_there(const char *path) {
    struct stat st;
    return !stat(path, &st);
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert(file);
    fputs(text, file);
    fclose(file);
}

static void test_file(void) {
    char making[160];
    struct stat st;
    struct past_limits limits = {THEN, CHART_NO_ENTRY};
    struct chart_reader *reader = NULL;
    uint64_t taken;
    begin();
    append(1, 0, 0, NULL, 0);
    snprintf(making, sizeof making, "%s.making", out);
    write_text(making, "left by one that was killed");
    umask(022);
    must(make(THEN, CHART_NO_ENTRY), &fault);
    ok(!stat(out, &st) && (st.st_mode & 0777) == 0600, "its owner's alone");
    ok(!is_there(making), "what an interrupted making left is gone");
    is_int(umask(022), 022);

    write_text(out, "mine");
    fault = (struct fault){0};
    is_int(site_chart_make_past(site_dir, NULL, &config, &limits, out, &taken, &fault), ERR_STATE);
    ok(!stat(out, &st) && st.st_size == 4, "a file that is there is left alone");

    is_int(make(INT64_MAX, CHART_NO_ENTRY), ERR_USAGE);
    ok(!is_there(out) && !is_there(making), "nothing is made of a moment that has not come");
    is_int(make(INSTANT_NONE, 2), ERR_NOT_FOUND);
    is_string(fault.subject, "1");
    ok(!is_there(out) && !is_there(making), "nor of an entry that is not there");

    is_int(site_chart_open_file(out, &reader, &fault), ERR_NOT_FOUND);
    fault = (struct fault){0};
    is_int(site_chart_open_file(chart_dir, &reader, &fault), ERR_INPUT);
    end();
}

int main(void) {
    arena_init(&answers, (size_t)64 << 20);
    test_by_time();
    test_by_entry();
    test_doubtful_clock();
    test_erased();
    test_file();
    chart_remove();
    arena_release(&answers);
    return done();
}
