/* fhir_cases_test.c - every file of tests/cases/fhir: a FHIR document, and the facts that the standard makes of it.
 *
 * A case file has three parts. The head, up to the line "--- document": one line that says what the case shows, then settings,
 * "received <RFC 3339>", "source <name>", "authority <name> <system> [type]". The document as it stands. After
 * "--- facts": the dump of dump.h of each resource. Lines of the head and the facts that begin with # are for people. Given names,
 * the program prints what those files' documents give. */
#include "dump.h"
#include "guard.h"
#include "tap.h"
#include <dirent.h>

#define CASES          "tests/cases/fhir"
#define CASE_BYTES_MAX ((size_t)256 * 1024)
#define ARENA_BYTES    ((size_t)16 << 20)
#define AUTHORITIES    4u

struct test_case {
    char title[200];
    int64_t received_at;
    struct bytes source;
    struct facts_authority authorities[AUTHORITIES];
    size_t authority_count;
    struct bytes document;
    char wanted[CASE_BYTES_MAX];
};

static struct guard guard;
static struct zone zone;
static struct test_case the_case;
static char file_bytes[CASE_BYTES_MAX], dumped[CASE_BYTES_MAX];

static void read_setting(struct test_case *c, struct bytes line) {
    struct time_read time;
    struct text title;
    if (bytes_starts_with(line, BYTES("received ")) &&
        time_read_iso(bytes_skip(line, 9), NULL, &time)) {
        c->received_at = time.at;
    } else if (bytes_starts_with(line, BYTES("source "))) {
        c->source = bytes_skip(line, 7);
    } else if (bytes_starts_with(line, BYTES("authority ")) && c->authority_count < AUTHORITIES) {
        struct facts_authority *a = &c->authorities[c->authority_count++];
        line = bytes_skip(line, 10);
        *a = (struct facts_authority){0};
        if (bytes_next_part(&line, ' ', &a->name) && bytes_next_part(&line, ' ', &a->system))
            a->type = line;
    } else if (c->title[0] == 0 && line.size) {
        text_init(&title, c->title, sizeof c->title);
        text_put(&title, line);
    }
}

static bool read_case(struct test_case *c, struct bytes file) {
    static const char document[] = "--- document\n", facts[] = "\n--- facts\n";
    const uint8_t *at = memmem(file.data, file.size, document, strlen(document));
    const uint8_t *end = memmem(file.data, file.size, facts, strlen(facts));
    struct bytes rest = file, line;
    struct text wanted;
    *c = (struct test_case){0};
    read_setting(c, BYTES("received 2026-11-23T15:00:00Z"));
    if (!at || !end || end < at)
        return false;
    rest.size = (size_t)(at - file.data);
    while (bytes_next_part(&rest, '\n', &line))
        if (line.size && line.data[0] != '#')
            read_setting(c, line);
    at += strlen(document);
    c->document = bytes_from(at, (size_t)(end - at));
    rest = bytes_skip(file, (size_t)(end - file.data) + strlen(facts));
    text_init(&wanted, c->wanted, sizeof c->wanted);
    while (bytes_next_part(&rest, '\n', &line)) {
        if (!line.size || line.data[0] == '#')
            continue;
        text_put(&wanted, line);
        text_put_char(&wanted, '\n');
    }
    return true;
}

static void dump_case(const struct test_case *c, struct bytes document, struct text *out) {
    struct arena arena;
    struct facts_batch batch;
    struct bytes body = guard_copy(&guard, document);
    struct facts_context context = {.received_at = c->received_at,
                                    .zone = &zone,
                                    .source = c->source,
                                    .authorities = c->authorities,
                                    .authority_count = c->authority_count};
    arena_init(&arena, ARENA_BYTES);
    enum err err = facts_from_fhir(body, &context, &arena, &batch);
    if (err)
        text_put_format(out, "error %s\n", err_name(err));
    for (size_t i = 0; i < batch.count && !err; i++)
        dump_facts(out, &batch.list[i], body);
    arena_release(&arena);
}

static bool load(const char *path, struct text *out) {
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(file_bytes, 1, sizeof file_bytes, file) : 0;
    text_init(out, dumped, sizeof dumped);
    if (file)
        fclose(file);
    if (size == 0 || size == sizeof file_bytes ||
        !read_case(&the_case, bytes_from(file_bytes, size)))
        return false;
    dump_case(&the_case, the_case.document, out);
    return true;
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

/* Whatever a document is cut off at, or has one byte of changed to, reading stays within it. */
static void run_mangled(const char *name) {
    static char changed[CASE_BYTES_MAX];
    char path[512];
    struct text out;
    snprintf(path, sizeof path, CASES "/%s", name);
    if (!load(path, &out))
        return;
    struct bytes whole = the_case.document;
    for (size_t size = 0; size < whole.size; size++) {
        text_init(&out, dumped, sizeof dumped);
        dump_case(&the_case, bytes_first(whole, size), &out);
    }
    memcpy(changed, whole.data, whole.size);
    for (size_t at = 0; at < whole.size; at++) {
        static const char bytes[] = {'"', '{', '}', '[', ']', ',', ':', '\\', 0, '1', (char)0xC3};
        changed[at] = bytes[at % sizeof bytes];
        text_init(&out, dumped, sizeof dumped);
        dump_case(&the_case, bytes_from(changed, whole.size), &out);
        changed[at] = (char)whole.data[at];
    }
}

static int is_case(const struct dirent *entry) {
    size_t size = strlen(entry->d_name);
    return size > 5 && strcmp(entry->d_name + size - 5, ".case") == 0;
}

int main(int argument_count, char **arguments) {
    struct dirent **entries;
    struct text out;
    guard_init(&guard, CASE_BYTES_MAX);
    if (zone_init(&zone, "Europe/Paris", NULL))
        return 1;
    for (int i = 1; i < argument_count; i++)
        if (load(arguments[i], &out))
            fputs(out.data, stdout);
    if (argument_count > 1)
        return 0;
    int count = scandir(CASES, &entries, is_case, alphasort);
    ok(count > 0, "there are cases");
    for (int i = 0; i < count; i++)
        run(entries[i]->d_name);
    for (int i = 0; i < count; i++) {
        run_mangled(entries[i]->d_name);
        free(entries[i]);
    }
    ok(true, "cut or changed anywhere, a document is read within its bounds");
    if (count > 0)
        free(entries);
    guard_release(&guard);
    return done();
}
