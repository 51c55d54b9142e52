/* vault_site.h - a throw-away site for the benchmarks of the vault, and the entries that fill it. */
#ifndef BENCH_VAULT_SITE_H
#define BENCH_VAULT_SITE_H

#include "bench.h"
#include "vault/vault.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>

#define ENTRY_BYTES 1024u

/* VEILLEUSE_BENCH_DIR names the disk to measure; the working directory by default, since /tmp may be memory. */
static inline void site_make(char dir[VAULT_PATH_BYTES_MAX]) {
    const char *where = getenv("VEILLEUSE_BENCH_DIR");
    struct fault fault = {0};
    snprintf(dir, VAULT_PATH_BYTES_MAX, "%s/bench-vault-XXXXXX", where ? where : ".");
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(1);
    }
    bench_must(vault_create(NULL, dir, "bench.example/veilleuse/node-1/1", NULL, &fault),
               "making a site");
}

static inline int site_remove_one(const char *path, const struct stat *st, int type,
                                  struct FTW *place) {
    (void)st;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void site_remove(const char *dir) {
    if (nftw(dir, site_remove_one, 32, FTW_DEPTH | FTW_PHYS))
        fprintf(stderr, "bench: %s is left: %s\n", dir, strerror(errno));
}

/* A laboratory result as hospitals send them, filled up to a kilobyte; no two are alike. */
static inline size_t message_like_hl7(uint8_t out[ENTRY_BYTES], struct random *random,
                                      uint64_t number) {
    static const char *const tests[] = {"2345-7^Glucose",   "2951-2^Sodium",
                                        "2823-3^Potassium", "2160-0^Creatinine",
                                        "718-7^Hemoglobin", "6690-2^Leukocytes"};
    struct text text;
    text_init(&text, (char *)out, ENTRY_BYTES);
    text_put_format(
        &text,
        "MSH|^~\\&|LAB|HOPITAL|VEILLEUSE|HOPITAL|202611%02u%02u%02u%02u.%03u+0100||ORU^R01^"
        "ORU_R01|%llu|P|2.5|||||FRA|8859/15\rPID|1||%08llu^^^HOP^PI~1%014llu^^^INS-NIR^NH||",
        1 + (unsigned)random_below(random, 28), (unsigned)random_below(random, 24),
        (unsigned)random_below(random, 60), (unsigned)random_below(random, 60),
        (unsigned)random_below(random, 1000), (unsigned long long)number,
        (unsigned long long)random_below(random, 100000000),
        (unsigned long long)random_below(random, 100000000000000));
    text_put_format(
        &text, "NOM%llu^PRENOM%llu||19%02u0412|F\rPV1|1|I|CARD^2%02u^1^HOP\rORC|RE|%llu\r",
        (unsigned long long)random_below(random, 50000),
        (unsigned long long)random_below(random, 5000), (unsigned)random_below(random, 100),
        (unsigned)random_below(random, 30), (unsigned long long)random_below(random, 10000000));
    for (unsigned i = 1; !text.full; i++) {
        uint64_t value = random_below(random, 2000);
        text_put_format(&text, "OBX|%u|NM|%s^LN||%llu.%llu|mmol/L|3.5-14.5|%s|||F|||202611231405\r",
                        i, tests[random_below(random, 6)], (unsigned long long)value / 10,
                        (unsigned long long)value % 10, value > 1450 ? "H" : "N");
    }
    while (text.size < ENTRY_BYTES - 1) {
        out[text.size++] = (uint8_t)('A' + random_below(random, 26));
    }
    return text.size;
}

/* Bodies made beforehand, so that the time measured is the vault's; a counter makes each one new. */
struct bodies {
    uint8_t *bytes;
    size_t count, next;
    uint64_t number;
};

static inline void bodies_init(struct bodies *bodies, size_t count, bool is_random) {
    struct random random;
    random_init(&random, 7);
    *bodies = (struct bodies){.bytes = (uint8_t *)memory_alloc(count, ENTRY_BYTES), .count = count};
    bench_must(bodies->bytes ? ERR_OK : ERR_MEMORY, "bodies");
    for (size_t i = 0; i < count; i++) {
        if (is_random)
            random_fill(&random, bodies->bytes + i * ENTRY_BYTES, ENTRY_BYTES);
        else
            message_like_hl7(bodies->bytes + i * ENTRY_BYTES, &random, i);
    }
}

static inline void bodies_release(struct bodies *bodies) {
    memory_free(bodies->bytes);
    *bodies = (struct bodies){0};
}

static inline struct bytes bodies_next(struct bodies *bodies) {
    uint8_t *body = bodies->bytes + bodies->next * ENTRY_BYTES;
    bodies->next = (bodies->next + 1) % bodies->count;
    uint64_t number = bodies->number++;
    for (unsigned i = 0; i < 10;
         i++, number /= 10) /* where the message's control id stands, about */
        body[100 + i] = (uint8_t)('0' + number % 10);
    return bytes_from(body, ENTRY_BYTES);
}

static inline struct vault_entry site_entry(struct bytes body) {
    return (struct vault_entry){
        .kind = VAULT_MESSAGE,
        .media_type = BYTES("application/hl7-v2"),
        .source = BYTES("mllp/lab"),
        .received_at = sys_now_us(NULL),
        .body = body,
    };
}

/* `batch` entries appended and made durable, as commit does with what arrived during the last sync. */
static inline void site_batch(struct vault_writer *writer, struct bodies *bodies, size_t batch) {
    struct fault fault = {0};
    for (size_t i = 0; i < batch; i++) {
        uint64_t index;
        bool is_repeat;
        struct vault_entry entry = site_entry(bodies_next(bodies));
        bench_must(vault_writer_append(writer, &(struct vault_append){&entry, true, false}, &index,
                                       &is_repeat, &fault),
                   "appending");
        bench_must(is_repeat ? ERR_STATE : ERR_OK, "a body came twice");
    }
    bench_must(vault_writer_sync(writer, &fault), "syncing");
}

static inline struct vault_writer *site_writer(const char *dir) {
    struct vault_writer *writer;
    struct fault fault = {0};
    struct vault_writer_options options = {.reserve_bytes = UINT64_MAX};
    bench_must(vault_writer_open(&writer, NULL, dir, &options, &fault), "opening the writer");
    return writer;
}

#endif
