/* replay.c - run files through a fuzz target one by one, for compilers that have no libFuzzer.
 *
 * usage: fuzz_<name> FILE|DIRECTORY...     of a directory, every file in it (not below it) */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay_stream(FILE *file, size_t size) {
    /* Exactly as large as the input, so that AddressSanitizer sees the first byte read too far. */
    uint8_t *data = malloc(size ? size : 1);
    bool is_read = data && fread(data, 1, size, file) == size;
    if (is_read)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return is_read;
}

static bool replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    bool is_done = file && replay_stream(file, size);
    if (!is_done)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    if (file)
        fclose(file);
    return is_done;
}

static bool replay_directory(const char *path, unsigned *count) {
    struct dirent **entries;
    char file[PATH_MAX];
    struct stat stat_of_file;
    bool is_done = true;
    int entry_count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < entry_count; i++) {
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        free(entries[i]);
        if (stat(file, &stat_of_file) != 0 || !S_ISREG(stat_of_file.st_mode))
            continue;
        is_done &= replay_file(file, (size_t)stat_of_file.st_size);
        ++*count;
    }
    if (entry_count >= 0)
        free(entries);
    else
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return is_done && entry_count >= 0;
}

static bool replay(const char *path, unsigned *count) {
    struct stat stat_of_path;
    if (stat(path, &stat_of_path) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    if (S_ISDIR(stat_of_path.st_mode))
        return replay_directory(path, count);
    ++*count;
    return replay_file(path, (size_t)stat_of_path.st_size);
}

int main(int argument_count, char **arguments) {
    unsigned count = 0;
    bool is_done = true;
    for (int i = 1; i < argument_count; i++)
        is_done &= replay(arguments[i], &count);
    printf("%u inputs replayed\n", count);
    return is_done ? 0 : 1;
}
