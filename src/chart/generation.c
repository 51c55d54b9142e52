/* generation.c - which file is the chart: DIR/chart/current names one of DIR/chart/<generation>.db. */
#include "chart/chart.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

void chart_generation_path(const char *site_dir, uint64_t generation, char *path, size_t path_bytes) {
    snprintf(path, path_bytes, "%s/chart/%llu.db", site_dir, (unsigned long long)generation);
}

enum err chart_current_path(struct sys *sys, const char *site_dir, char *path, size_t path_bytes,
                            uint64_t *generation, struct fault *fault) {
    char buffer[64];
    size_t size = 0;
    *generation = 0;
    snprintf(path, path_bytes, "%s/chart/current", site_dir);
    enum err err = sys_read_file(sys, path, buffer, sizeof buffer, &size, fault);
    if (err)
        return err;
    if (!bytes_to_u64(bytes_trim(bytes_from(buffer, size)), generation))
        return fault_set_subject(fault, ERR_CORRUPT, "this does not name a chart", path);
    chart_generation_path(site_dir, *generation, path, path_bytes);
    return ERR_OK;
}

/* "12.db", "12.db-wal", "12.db-shm" of a generation below `kept`. */
static bool is_older(const char *name, uint64_t kept) {
    struct bytes rest = bytes_from_string(name), number;
    uint64_t generation;
    return bytes_next_part(&rest, '.', &number) && bytes_to_u64(number, &generation) &&
           generation < kept && bytes_starts_with(rest, BYTES("db"));
}

static void remove_older(struct sys *sys, const char *site_dir, uint64_t kept) {
    char path[1024];
    snprintf(path, sizeof path, "%s/chart", site_dir);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!is_older(entry->d_name, kept))
            continue;
        snprintf(path, sizeof path, "%s/chart/%s", site_dir, entry->d_name);
        if (sys_unlink(sys, path))
            break; /* an old chart only takes space; the next switch tries again */
    }
    if (dir)
        closedir(dir);
}

enum err chart_switch_to(struct sys *sys, const char *site_dir, uint64_t generation,
                         struct fault *fault) {
    char path[1024], line[32];
    int size = snprintf(line, sizeof line, "%llu\n", (unsigned long long)generation);
    snprintf(path, sizeof path, "%s/chart/current", site_dir);
    enum err err = sys_replace_file(sys, path, bytes_from(line, (size_t)size), 0644, fault);
    if (!err)
        remove_older(sys, site_dir, generation);
    return err;
}
