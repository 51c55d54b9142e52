/* cases_test.c - every file of tests/cases/hl7: a message, and the facts that the standard makes of it.
 *
 * Given names, the program prints what those files' messages give. */
#include "case.h"
#include "tap.h"

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

static struct guard guard;
static struct test_case the_case;
static char file_bytes[CASE_BYTES_MAX], dumped[CASE_BYTES_MAX];

static bool load(const char *path, struct text *out) {
    size_t size;
    text_init(out, dumped, sizeof dumped);
    if (!read_file(path, file_bytes, sizeof file_bytes, &size))
        return false;
    read_case(&the_case, bytes_from(file_bytes, size));
    dump_case(&the_case, out, true);
    return true;
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

/* Whatever a message is cut off at, or has one byte of changed to, reading stays within it. */
static void run_mangled(const char *name) {
    char path[512];
    struct text out;
    snprintf(path, sizeof path, CASES "/%s", name);
    if (!load(path, &out))
        return;
    size_t whole = the_case.message_bytes;
    for (size_t size = 0; size < whole; size++) {
        the_case.message_bytes = size;
        text_init(&out, dumped, sizeof dumped);
        dump_case(&the_case, &out, true);
    }
    the_case.message_bytes = whole;
    for (size_t at = 0; at < whole; at++) {
        static const char bytes[] = {'|', '^', '~', '\\', '&', '\r', '"', 0, (char)0xC3};
        char kept = the_case.message[at];
        the_case.message[at] = bytes[at % sizeof bytes];
        text_init(&out, dumped, sizeof dumped);
        dump_case(&the_case, &out, true);
        the_case.message[at] = kept;
    }
}

int main(int argument_count, char **arguments) {
    struct dirent **entries;
    struct text out;
    guard_init(&guard, CASE_BYTES_MAX);
    case_guard = &guard;
    for (int i = 1; i < argument_count; i++)
        if (load(arguments[i], &out))
            fputs(out.data, stdout);
    if (argument_count > 1)
        return 0;
    int count = scandir(CASES, &entries, is_case, alphasort);
    ok(count >= 45, "there are cases");
    for (int i = 0; i < count; i++)
        run(entries[i]->d_name);
    for (int i = 0; i < count; i += 3)
        run_mangled(entries[i]->d_name);
    ok(true, "cut off or changed messages are read within their bounds");
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    guard_release(&guard);
    return done();
}
