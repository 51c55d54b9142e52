/* data_test.c - real messages: all are translated without a crash into valid UTF-8, and what was set aside is told.
 *
 * They lie in $VEILLEUSE_DATA/hl7v2, else ../shared/data/hl7v2, and are no part of the project: without them, skipped. */
#include "dump.h"
#include "guard.h"
#include "tap.h"
#include <ftw.h>

#define FILE_BYTES_MAX ((size_t)8 << 20)
#define ARENA_BYTES    ((size_t)64 << 20)
#define DUMP_BYTES     ((size_t)16 << 20)
#define TALLY_MAX      64u

struct tally {
    struct {
        const char *what; /* static texts, compared as such */
        unsigned count;
        char example[200];
    } rows[TALLY_MAX];
    size_t count;
};

struct figures {
    unsigned files, messages, with_facts, facts[FACT_VISIT_MERGE + 1], observations, errors,
        not_utf8;
};

static struct tally asides, warnings;
static struct figures figures;
static struct guard guard;
static struct zone zone;
static struct arena arena;
static char *file_bytes, *dumped;

static void tally_add(struct tally *tally, const char *what, const char *path) {
    size_t i = 0;
    while (i < tally->count && strcmp(tally->rows[i].what, what) != 0)
        i++;
    if (i == TALLY_MAX)
        return;
    if (i == tally->count) {
        tally->rows[tally->count++].what = what;
        snprintf(tally->rows[i].example, sizeof tally->rows[i].example, "%s", path);
    }
    tally->rows[i].count++;
}

static void tally_print(const char *title, const struct tally *tally) {
    printf("# %s\n", title);
    for (size_t i = 0; i < tally->count; i++)
        printf("# %5u  %s (%s)\n", tally->rows[i].count, tally->rows[i].what,
               tally->rows[i].example);
}

static void count_facts(const struct facts *facts) {
    figures.with_facts += facts->count > 0;
    for (size_t i = 0; i < facts->count; i++) {
        figures.facts[facts->list[i].kind]++;
        if (facts->list[i].kind == FACT_REPORT)
            figures.observations += (unsigned)facts->list[i].report.observation_count;
    }
}

static void translate_one(struct bytes message, const char *name) {
    struct facts facts;
    struct text out;
    struct facts_context context = {.received_at = 1795446000 * US_PER_S, .zone = &zone, .otherwise = HL7_LATIN9}; /* 2026-11-23 15:00 */
    struct bytes body = guard_copy(&guard, message);
    arena_clear(&arena);
    figures.messages++;
    if (facts_from_hl7(body, &context, &arena, &facts)) {
        figures.errors++;
        return;
    }
    text_init(&out, dumped, DUMP_BYTES);
    dump_facts(&out, &facts, BYTES_NONE);
    figures.not_utf8 += !bytes_is_utf8(text_bytes(&out), NULL);
    count_facts(&facts);
    if (facts.aside)
        tally_add(&asides, facts.aside, name);
    if (facts.warning)
        tally_add(&warnings, facts.warning, name);
}

static int take_file(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    size_t at = 0;
    struct bytes message;
    if (kind != FTW_F || (size_t)status->st_size > FILE_BYTES_MAX)
        return 0;
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(file_bytes, 1, FILE_BYTES_MAX, file) : 0;
    if (file)
        fclose(file);
    figures.files++;
    while (hl7_batch_next(bytes_from(file_bytes, size), &at, &message))
        translate_one(message, path + walk->base);
    return 0;
}

static void read_folder(const char *root, const char *folder) {
    char path[4096];
    figures = (struct figures){0};
    asides = warnings = (struct tally){0};
    snprintf(path, sizeof path, "%s/hl7v2/%s", root, folder);
    nftw(path, take_file, 16, FTW_PHYS);
    printf("# %s: %u files, %u messages, %u with facts\n", folder, figures.files, figures.messages,
           figures.with_facts);
    tally_print("set aside:", &asides);
    tally_print("warnings (the first of each message):", &warnings);
    tap_ok(figures.messages > 0, "there are messages", __FILE__, __LINE__, folder);
    is_int(figures.errors, 0);
    is_int(figures.not_utf8, 0);
}

static void check_simhospital(void) {
    is_int(figures.messages, 1013);
    is_int(figures.with_facts, 1013);
    is_int(asides.count, 0);
    is_int(warnings.count, 0);
    is_int(figures.facts[FACT_MOVEMENT], 400);
    is_int(figures.facts[FACT_REPORT], 610);
    is_int(figures.facts[FACT_ALLERGY], 162);
    is_int(figures.facts[FACT_MERGE], 1);
    is_int(figures.facts[FACT_DOCUMENT], 2);
    ok(figures.observations > 3000, "observations are many");
}

int main(void) {
    const char *data = getenv("VEILLEUSE_DATA"), *root = data ? data : "../shared/data";
    static const char *const folders[] = {"simhospital",   "microsoft-fhir-converter",
                                          "mirth-connect", "linuxforhealth",
                                          "rethinkhealth", "v2-to-fhir"};
    char path[4096];
    struct stat status;
    snprintf(path, sizeof path, "%s/hl7v2", root);
    if (stat(path, &status) != 0)
        skip_all("the shared real messages are not here (set VEILLEUSE_DATA)");
    guard_init(&guard, FILE_BYTES_MAX);
    arena_init(&arena, ARENA_BYTES);
    file_bytes = malloc(FILE_BYTES_MAX);
    dumped = malloc(DUMP_BYTES);
    ok(!zone_init(&zone, "Europe/Paris", NULL), "the zone is known");
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        read_folder(root, folders[i]);
        if (i == 0)
            check_simhospital();
    }
    free(file_bytes);
    free(dumped);
    arena_release(&arena);
    guard_release(&guard);
    return done();
}
