/* samples_test.c - real messages of the shared data: all are read, none loses a byte.
 *
 * The data are in VEILLEUSE_DATA, or beside the repository; without them the test is skipped. */
#include "hl7_site.h"
#include <dirent.h>
#include <sys/stat.h>

static uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    *size = 0;
    if (file && fseek(file, 0, SEEK_END) == 0) {
        long length = ftell(file);
        data = length >= 0 ? malloc((size_t)length + 1) : NULL;
        rewind(file);
        if (data)
            *size = fread(data, 1, (size_t)length, file);
    }
    if (file)
        fclose(file);
    return data;
}

/* A message of no more than this many bytes is also cut at every byte: time is the square of it. */
#define CUT_BYTES_MAX 3000u

struct totals {
    size_t files, messages, headless;
    bool is_good;
};

static void take_message(struct totals *totals, struct guard *guard, struct bytes message) {
    static char room[1 << 16];
    struct hl7_message read;
    totals->messages++;
    totals->headless += hl7_message_init(&read, message, HL7_LATIN9, NULL) != ERR_OK;
    totals->is_good &= walk_all(message, room, sizeof room);
    if (message.size <= CUT_BYTES_MAX && totals->messages % 25 == 0)
        totals->is_good &= walk_cut_everywhere(guard, message);
}

static void take_file(struct totals *totals, struct guard *guard, const char *path) {
    size_t size, at = 0;
    uint8_t *data = read_file(path, &size);
    struct bytes message;
    if (!data)
        return;
    totals->files++;
    while (hl7_batch_next(bytes_from(data, size), &at, &message))
        take_message(totals, guard, message);
    free(data);
}

static void take_directory(struct totals *totals, struct guard *guard, const char *path,
                           unsigned depth) {
    DIR *directory = depth < 8 ? opendir(path) : NULL;
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        char below[4096];
        struct stat status;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || stat(below, &status) != 0)
            continue;
        if (S_ISDIR(status.st_mode))
            take_directory(totals, guard, below, depth + 1);
        else
            take_file(totals, guard, below);
    }
    if (directory)
        closedir(directory);
}

/* The file is its messages with an empty line after each. */
static void test_simhospital(const char *data) {
    char path[4096];
    size_t size, at = 0, count = 0, expected_at = 0;
    bool is_good = true;
    struct bytes message;
    snprintf(path, sizeof path, "%s/hl7v2/simhospital/messages.out", data);
    uint8_t *file = read_file(path, &size);
    if (!ok(file != NULL, "the file is there"))
        return;
    while (hl7_batch_next(bytes_from(file, size), &at, &message)) {
        struct hl7_header header;
        count++;
        hl7_header_read(&header, message);
        is_good &= message.data == file + expected_at && bytes_is(header.version, "2.3");
        is_good &= message.data[message.size - 1] == '\n';
        expected_at += message.size + 1;
    }
    is_int(count, 1013);
    is_int(expected_at, size);
    ok(is_good, "every byte but the empty lines is in a message");
    free(file);
}

static const struct {
    const char *path;
    size_t messages;
} counted[] = {
    {"mirth-connect/TestADT.txt", 124},
    {"mirth-connect/filereader/batch/batch01.hl7", 3},
    {"mirth-connect/filereader/batch/batch03.hl7", 2},
    {"rethinkhealth/invalid-missing-msh.hl7", 1},
    {"rethinkhealth/edge-custom-delimiters.hl7", 1},
};

static void test_counts(const char *data, struct guard *guard) {
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
        char path[4096];
        struct totals totals = {.is_good = true};
        snprintf(path, sizeof path, "%s/hl7v2/%s", data, counted[i].path);
        take_file(&totals, guard, path);
        is_int(totals.messages, counted[i].messages);
    }
}

int main(void) {
    const char *data = getenv("VEILLEUSE_DATA");
    char path[4096];
    struct totals totals = {.is_good = true};
    struct guard guard;
    data = data ? data : "../shared/data";
    snprintf(path, sizeof path, "%s/hl7v2", data);
    if (access(path, R_OK) != 0)
        skip_all("NO SHARED DATA: set VEILLEUSE_DATA to test with real messages");
    guard_init(&guard, 1 << 16);
    test_simhospital(data);
    test_counts(data, &guard);
    take_directory(&totals, &guard, path, 0);
    ok(totals.is_good, "every file is read, cut or whole, without a view outside it");
    ok(totals.files > 100 && totals.messages > 1100, "there were many");
    printf("# %zu files, %zu messages, %zu of them without a good MSH\n", totals.files,
           totals.messages, totals.headless);
    guard_release(&guard);
    return done();
}
