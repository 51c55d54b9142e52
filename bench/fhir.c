/* fhir.c - how fast FHIR is read: JSON into nodes, and documents into facts.
 *
 * usage: fhir [FILE]    FILE in place of a Bundle of a simulated patient */
#include "formats/fhir/fhir.h"
#include "bench.h"
#include "facts/facts.h"

#include <fcntl.h>
#include <unistd.h>

#define SAMPLE_COUNT   50u
#define RESOURCE_COUNT 2000u
#define FILE_BYTES_MAX ((size_t)64 << 20)

static struct arena arena;

static void put_bundle(struct text *out) {
    text_put_string(
        out, "{\n  \"resourceType\": \"Bundle\",\n  \"type\": \"transaction\",\n  \"entry\": [\n");
    for (unsigned n = 0; n < RESOURCE_COUNT; n++)
        text_put_format(out,
                        "%s    {\n      \"fullUrl\": \"urn:uuid:00000000-0000-4000-8000-%012u\",\n "
                        "     \"resource\": {\n        "
                        "\"resourceType\": \"Observation\",\n        \"id\": \"o%u\",\n        "
                        "\"status\": \"final\",\n        "
                        "\"category\": [ { \"coding\": [ { \"system\": "
                        "\"http://terminology.hl7.org/CodeSystem/observation-category\", \"code\": "
                        "\"vital-signs\" } ] } ],\n"
                        "        \"code\": { \"coding\": [ { \"system\": \"http://loinc.org\", "
                        "\"code\": \"8302-2\", \"display\": "
                        "\"Body Height\" } ], \"text\": \"Body Height\" },\n        \"subject\": { "
                        "\"reference\": "
                        "\"Patient/p1\" },\n        \"effectiveDateTime\": "
                        "\"2026-11-23T10:%02u:00+01:00\",\n        "
                        "\"issued\": \"2026-11-23T10:30:00.000+01:00\",\n        "
                        "\"valueQuantity\": { \"value\": %u.50, "
                        "\"unit\": \"cm\", \"system\": \"http://unitsofmeasure.org\", \"code\": "
                        "\"cm\" }\n      },\n      "
                        "\"request\": { \"method\": \"POST\", \"url\": \"Observation\" }\n    }",
                        n ? ",\n" : "", n, n, n % 60, 100 + n % 90);
    text_put_string(out, "\n  ]\n}\n");
}

static struct bytes load(const char *path, uint8_t *room) {
    size_t size = 0;
    int fd = open(path, O_RDONLY);
    for (ssize_t n; fd >= 0 && (n = read(fd, room + size, FILE_BYTES_MAX - size)) > 0;)
        size += (size_t)n;
    bench_must(size ? ERR_OK : ERR_IO, path);
    return bytes_from(room, size);
}

static void measure_json(struct bench *bench, struct bytes body) {
    bench_clear(bench);
    for (unsigned i = 0; i < SAMPLE_COUNT; i++) {
        const struct fhir_node *root;
        int64_t from = bench_now_us();
        arena_clear(&arena);
        bench_must(fhir_read(body, &arena, &root, NULL), "reading JSON");
        int64_t took_us = bench_now_us() - from;
        bench_add(bench, (double)body.size / (double)(took_us > 0 ? took_us : 1));
    }
    bench_line(bench, "fhir_json", bench_mean(bench), "MB/s");
}

static void measure_facts(struct bench *bench, struct bytes body) {
    struct facts_context context = {.received_at = 1795446000 * US_PER_S};
    bench_clear(bench);
    for (unsigned i = 0; i < SAMPLE_COUNT; i++) {
        struct facts_batch batch;
        int64_t from = bench_now_us();
        arena_clear(&arena);
        bench_must(facts_from_fhir(body, &context, &arena, &batch), "translating");
        int64_t took_us = bench_now_us() - from;
        bench_add(bench, (double)batch.count * 1e6 / (double)(took_us > 0 ? took_us : 1));
    }
    bench_line(bench, "fhir_facts", bench_mean(bench), "resources/s");
}

int main(int argument_count, char **arguments) {
    struct bench bench;
    struct text text;
    uint8_t *room = memory_alloc(1, FILE_BYTES_MAX);
    bench_must(room ? ERR_OK : ERR_MEMORY, "room");
    bench_header("fhir");
    bench_init(&bench, SAMPLE_COUNT);
    arena_init(&arena, (size_t)512 << 20);
    text_init(&text, (char *)room, FILE_BYTES_MAX);
    if (argument_count < 2)
        put_bundle(&text);
    struct bytes body = argument_count < 2 ? text_bytes(&text) : load(arguments[1], room);
    printf("# %zu bytes\n", body.size);
    measure_json(&bench, body);
    measure_facts(&bench, body);
    arena_release(&arena);
    bench_release(&bench);
    memory_free(room);
    return 0;
}
