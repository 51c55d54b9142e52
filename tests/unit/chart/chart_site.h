/* chart_site.h - a throw-away chart for tests: messages in, questions asked through the public reader. */
#ifndef TESTS_CHART_SITE_H
#define TESTS_CHART_SITE_H

#include "chart/chart.h"
#include "tap.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW (1795446000 * US_PER_S) /* 2026-11-23T15:00:00Z */

static char chart_dir[64], chart_path[96];
static struct arena answers;

static inline void must(enum err err, const struct fault *fault) {
    char line[512] = "";
    if (!err)
        return;
    if (fault)
        fault_format(fault, line, sizeof line);
    printf("Bail out! %s: %s\n", err_name(err), line);
    exit(1);
}

static inline void chart_remove(void) {
    char path[128];
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    if (!chart_dir[0])
        return;
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", chart_path, ends[i]);
        unlink(path);
    }
    rmdir(chart_dir);
    chart_dir[0] = 0;
}

/* A path for a chart that is not there yet. */
static inline void chart_new(void) {
    chart_remove();
    snprintf(chart_dir, sizeof chart_dir, "%s/veilleuse-chart-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    char *made = mkdtemp(chart_dir);
    assert(made);
    snprintf(chart_path, sizeof chart_path, "%s/1.db", chart_dir);
}

static inline struct chart_writer *chart_writer(bool is_rebuild) {
    struct chart_writer *writer;
    struct fault fault = {0};
    struct chart_options options = {.is_rebuild = is_rebuild};
    must(chart_writer_open(&writer, chart_path, &options, &fault), &fault);
    return writer;
}

/* Entry `index` with these bytes; its clock follows its index, as in a vault. */
static inline void chart_take_at(struct chart_writer *writer, uint64_t index, struct bytes body,
                                 int64_t received_at, const char *set_aside) {
    struct fault fault = {0};
    struct vault_entry entry = {
        .kind = VAULT_MESSAGE,
        .media_type = BYTES("application/hl7-v2"),
        .source = BYTES("mllp/test"),
        .clock = ((hlc_stamp)(NOW / US_PER_MS) << 16) + index,
        .received_at = received_at,
        .body = body,
        .body_bytes = body.size,
    };
    must(chart_writer_take(writer, index, &entry, set_aside, &fault), &fault);
}

static inline void chart_commit(struct chart_writer *writer) {
    struct fault fault = {0};
    must(chart_writer_commit(writer, &fault), &fault);
}

/* ---- messages, one line of the test each ---- */

/* "GAM A01 10:00:00.000" then segments, '\n' between: the head becomes MSH (and EVN for events), said on 23 November 2026 in
 * France. ORU and MDM are types of their own; of others both are given, "ORM^O01". */
static inline struct bytes message_of(const char *line, char *to, size_t to_bytes) {
    char application[16], event[16], clock[32], day[16] = "20261123";
    int used = 0, parts = sscanf(line, "%15s %15s %31s%n", application, event, clock, &used);
    const char *rest = line + used, *at = strchr(clock, 'T');
    struct text text;
    assert(parts == 3);
    if (at)
        snprintf(day, sizeof day, "%.*s", (int)(at - clock), clock);
    const char *time = at ? at + 1 : clock;
    bool is_result = !strcmp(event, "R01"), is_document = event[0] == 'T';
    bool has_type = strchr(event, '^') != NULL;
    text_init(&text, to, to_bytes);
    text_put_format(
        &text, "MSH|^~\\&|%s|CHV|V|V|%s%.2s%.2s%s+0100||%s%s|%s%s|P|2.5|||||FRA|UNICODE UTF-8\r",
        application, day, time, time + 3, time + 6,
        has_type      ? ""
        : is_result   ? "ORU^"
        : is_document ? "MDM^"
                      : "ADT^",
        event, application, clock);
    if (!is_result && !has_type)
        text_put_format(&text, "EVN|%s|%s%.2s%.2s%s+0100\r", event, day, time, time + 3, time + 6);
    for (; *rest; rest++)
        if (*rest != '\n' || rest > line + used)
            text_put_char(&text, *rest == '\n' ? '\r' : *rest);
    text_put_char(&text, '\r');
    assert(!text.full);
    return text_bytes(&text);
}

/* Lines in, each an entry, in this order, in one batch each; the chart is left closed. */
static inline void chart_of(const char *const *lines, size_t count) {
    static char buffer[65536];
    chart_new();
    struct chart_writer *writer = chart_writer(false);
    for (size_t i = 0; i < count; i++) {
        chart_take_at(writer, i, message_of(lines[i], buffer, sizeof buffer), NOW, NULL);
        chart_commit(writer);
    }
    chart_writer_close(writer);
}
#define CHART(...)                                                                                 \
    chart_of((const char *const[]){__VA_ARGS__},                                                   \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* ---- questions ---- */

static inline struct chart_reader *chart_open(void) {
    struct chart_reader *reader;
    struct fault fault = {0};
    must(chart_reader_open(&reader, chart_path, &fault), &fault);
    must(chart_reader_begin(reader, &fault), &fault);
    return reader;
}

static inline void chart_shut(struct chart_reader *reader) {
    chart_reader_end(reader);
    chart_reader_close(reader);
}

static inline void chart_hash(char hex[65]) {
    struct fault fault = {0};
    struct chart_reader *reader = chart_open();
    must(chart_digest(reader, hex, &fault), &fault);
    chart_shut(reader);
}

/* A static copy, so that several can be compared in one line; valid until eight more were asked for. */
static inline const char *string_of(struct bytes b) {
    static char buffers[8][512];
    static unsigned n;
    char *to = buffers[n++ % 8];
    snprintf(to, 512, "%.*s", (int)(b.size < 511 ? b.size : 511),
             b.size ? (const char *)b.data : "");
    return to;
}

/* The only person known by this number, in the reader's arena; the program ends when there is none or more. */
static inline struct chart_patient patient_of(struct chart_reader *reader, const char *number) {
    struct fact_identifier wanted = {.number = bytes_from_string(number)};
    struct chart_patient patient;
    struct fault fault = {0};
    uint64_t id;
    size_t count;
    must(chart_find_identifier(reader, &wanted, &id, 1, &count, &fault), &fault);
    if (count != 1)
        must(ERR_NOT_FOUND, NULL);
    must(chart_patient(reader, &answers, id, &patient, &fault), &fault);
    return patient;
}

#endif
