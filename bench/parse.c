/* parse.c - how fast HL7 messages are read: walked, split into fields, and the text of values taken.
 *
 * usage: parse [FILE]    FILE in place of ../shared/data/hl7v2/simhospital/messages.out */
#include "bench.h"
#include "formats/hl7/hl7.h"

#define SAMPLE_COUNT    200u
#define FIELDS_MAX      48u
#define BATCH_BYTES_MAX (4u << 20) /* more than a core's own cache */

/* What is read is added up here, so that no compiler leaves the reading out. */
struct sink {
    uint64_t fields, bytes;
};

static void read_split(const struct hl7_message *message, struct sink *sink) {
    struct hl7_walk walk = {0};
    struct hl7_segment segment;
    struct bytes fields[FIELDS_MAX];
    while (hl7_segment_next(message, &walk, &segment)) {
        unsigned count = hl7_segment_split(&segment, fields, FIELDS_MAX);
        sink->fields += count;
        sink->bytes += fields[count - 1].size;
    }
}

static void read_walk(const struct hl7_message *message, struct sink *sink) {
    struct hl7_walk walk = {0};
    struct hl7_segment segment;
    while (hl7_segment_next(message, &walk, &segment))
        sink->bytes += segment.name.size;
}

static void read_nothing(const struct hl7_message *message, struct sink *sink) {
    sink->bytes += message->msh.size;
}

static void read_text(const struct hl7_message *message, struct sink *sink) {
    struct hl7_walk walk = {0};
    struct hl7_segment segment;
    struct bytes fields[FIELDS_MAX];
    char room[4096];
    while (hl7_segment_next(message, &walk, &segment)) {
        unsigned count = hl7_segment_split(&segment, fields, FIELDS_MAX);
        for (unsigned i = 1; i < count; i++) {
            struct text text;
            text_init(&text, room, sizeof room);
            hl7_put_text(&text, message, fields[i]);
            sink->bytes += text.size;
        }
    }
}

typedef void reading(const struct hl7_message *message, struct sink *sink);

static size_t read_batch(struct bytes batch, reading *read, struct sink *sink) {
    struct bytes in;
    size_t at = 0, count = 0;
    while (hl7_batch_next(batch, &at, &in)) {
        struct hl7_message message;
        if (!hl7_message_init(&message, in, HL7_LATIN9, NULL))
            read(&message, sink);
        count++;
    }
    return count;
}

/* The messages are found beforehand, as the MLLP reader finds them in a stream. */
static void read_messages(const struct bytes *messages, size_t count, reading *read,
                          struct sink *sink) {
    for (size_t i = 0; i < count; i++) {
        struct hl7_message message;
        if (!hl7_message_init(&message, messages[i], HL7_LATIN9, NULL))
            read(&message, sink);
    }
}

struct load {
    const char *name;
    struct bytes batch;
    struct bytes *messages;
    size_t message_count;
    uint64_t bytes;
};

static void measure(struct bench *bench, const struct load *load, const char *what, reading *read) {
    struct sink sink = {0};
    char name[64];
    bench_clear(bench);
    for (unsigned i = 0; i < SAMPLE_COUNT; i++) {
        int64_t from = bench_now_us();
        read_messages(load->messages, load->message_count, read, &sink);
        int64_t took_us = bench_now_us() - from;
        bench_add(bench, (double)load->bytes / 1e3 / (double)(took_us > 0 ? took_us : 1));
    }
    snprintf(name, sizeof name, "%s_%s", load->name, what);
    bench_line(bench, name, bench_mean(bench), "GB/s");
    if (sink.bytes == 0)
        printf("# %s read nothing\n", name);
}

static void measure_batch(struct bench *bench, const struct load *load) {
    struct sink sink = {0};
    char name[64];
    bench_clear(bench);
    for (unsigned i = 0; i < SAMPLE_COUNT; i++) {
        int64_t from = bench_now_us();
        read_batch(load->batch, read_nothing, &sink);
        int64_t took_us = bench_now_us() - from;
        bench_add(bench, (double)load->batch.size / 1e3 / (double)(took_us > 0 ? took_us : 1));
    }
    snprintf(name, sizeof name, "%s_batch", load->name);
    bench_line(bench, name, bench_mean(bench), "GB/s");
}

static void load_messages(struct load *load) {
    struct bytes message;
    size_t at = 0, count = 0;
    while (hl7_batch_next(load->batch, &at, &message))
        count++;
    load->messages = (struct bytes *)memory_alloc(count ? count : 1, sizeof *load->messages);
    bench_must(load->messages ? ERR_OK : ERR_MEMORY, "messages");
    for (at = 0; hl7_batch_next(load->batch, &at, &message);) {
        load->messages[load->message_count++] = message;
        load->bytes += message.size;
    }
}

static void measure_all(struct bench *bench, struct load *load) {
    load_messages(load);
    if (load->message_count > 0) {
        printf("# %s: %zu messages of %llu bytes on average\n", load->name, load->message_count,
               (unsigned long long)(load->bytes / load->message_count));
        measure(bench, load, "split", read_split);
        measure(bench, load, "walk", read_walk);
        measure(bench, load, "init", read_nothing);
        measure(bench, load, "text", read_text);
        measure_batch(bench, load);
    }
    memory_free(load->messages);
}

/* Messages of 1.1 KB like those of the simulated hospital: a header, a patient, a visit, an order
 * and a few results. `accent` is one character of the name: it decides the character set. */
static void put_message(struct text *out, unsigned number, const char *accent) {
    unsigned result_count = 4 + number % 3;
    text_put_format(
        out,
        "MSH|^~\\&|LABO|NORD|VEILLEUSE|NORD|20261123%06u||ORU^R01^ORU_R01|%u|P|2.5|||AL|"
        "NE|FRA\r",
        number % 240000, number);
    text_put_format(out,
                    "PID|1||%08u^^^HOPITAL&1.2.250.1.9.1&ISO^PI~1%014u^^^ASIP&1.2.250.1.213.1.4.8&"
                    "ISO^INS||LEF%sVRE^ADELINE^ADELINE^^Mme^^L||19620417|F|||12 rue des "
                    "Lilas^^DAX^^40100^FRA^H||0558000000^PRN^PH|||M||%u^^^HOPITAL^AN\r",
                    number * 7, number * 11, accent, number * 3);
    text_put_format(out,
                    "PV1|1|I|CARD^%u^2^NORD|||||10001234567^MARTIN^PAUL|||||||||||%u^^^HOPITAL^"
                    "VN||||||||||||||||||||||||||20261120083000\r",
                    100 + number % 40, number * 3);
    text_put_format(out, "ORC|RE|%u|%u||CM||||20261123101500\r", number * 5, number * 13);
    text_put_format(out,
                    "OBR|1|%u|%u|IONO^Ionogramme sanguin^L|||20261123093000|||||||20261123094500||"
                    "10001234567^MARTIN^PAUL||||||20261123101500|||F\r",
                    number * 5, number * 13);
    for (unsigned i = 1; i <= result_count; i++)
        text_put_format(out,
                        "OBX|%u|NM|2951-2^Sodium^LN||%u.%u|mmol/L^^UCUM|136 - 145|N|||F|||"
                        "20261123093000||LABO\r",
                        i, 136 + number % 9, i);
    text_put_char(out, '\n');
}

static void measure_made(struct bench *bench, const char *name, const char *accent) {
    char *room = (char *)memory_alloc(BATCH_BYTES_MAX, 1);
    struct text out;
    bench_must(room ? ERR_OK : ERR_MEMORY, "messages");
    text_init(&out, room, BATCH_BYTES_MAX);
    for (unsigned number = 1; out.size + 4096 < BATCH_BYTES_MAX; number++)
        put_message(&out, number, accent);
    struct load load = {.name = name, .batch = text_bytes(&out)};
    measure_all(bench, &load);
    memory_free(room);
}

static void measure_file(struct bench *bench, const char *path) {
    FILE *file = fopen(path, "rb");
    long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size <= 0) {
        printf("# no %s\n", path);
    } else {
        uint8_t *data = (uint8_t *)memory_alloc((size_t)size, 1);
        bench_must(data ? ERR_OK : ERR_MEMORY, "file");
        rewind(file);
        size_t read = fread(data, 1, (size_t)size, file);
        struct load load = {.name = "file", .batch = bytes_from(data, read)};
        measure_all(bench, &load);
        memory_free(data);
    }
    if (file)
        fclose(file);
}

int main(int argument_count, char **arguments) {
    struct bench bench;
    bench_header("parse");
    bench_init(&bench, SAMPLE_COUNT);
    measure_made(&bench, "ascii", "E");
    measure_made(&bench, "utf8", "\xC3\x88");
    measure_made(&bench, "latin9", "\xC8");
    measure_file(&bench, argument_count > 1 ? arguments[1]
                                            : "../shared/data/hl7v2/simhospital/messages.out");
    bench_release(&bench);
    return 0;
}
