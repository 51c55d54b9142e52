/* rights.c - which directories each role may reach, and nothing else. */
#include "roles/rights.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES 4096u
#define RIGHTS_MAX 5u

struct right {
    const char *path; /* below the site, or from the root */
    bool may_write;
};

static const struct right *rights_of(enum role role) {
    static const struct right commit[] = {{"vault", true},
                                          {"cache", true},
                                          {"run", true},
                                          {"keys", false},
                                          {"/proc/sys/kernel/random", false}};
    static const struct right publish[RIGHTS_MAX] = {
        {"vault", true}, {"keys", true}, {"run", true}, {VAULT_MEMORY_DIR, true}};
    static const struct right open[RIGHTS_MAX] = {{"vault", false}, {"keys", false}};
    static const struct right chart[RIGHTS_MAX] = {{"chart", true}, {"/usr/share/zoneinfo", false}};
    /* SQLite's readers share a file of locks with the writer. */
    static const struct right web[RIGHTS_MAX] = {
        {"chart", true}, {"access", false}, {"/usr/share/zoneinfo", false}};
    static const struct right none[RIGHTS_MAX];
    switch (role) {
    case ROLE_COMMIT:
        return commit;
    case ROLE_PUBLISH:
        return publish;
    case ROLE_OPEN:
        return open;
    case ROLE_CHART:
        return chart;
    case ROLE_WEB:
        return web;
    default:
        return none;
    }
}

struct confinement role_confine(enum role role, const char *site_dir,
                                const struct confine_path *more, size_t more_count) {
    const struct right *rights = rights_of(role);
    struct confine_path paths[RIGHTS_MAX + RIGHTS_MORE_MAX];
    char names[RIGHTS_MAX][PATH_BYTES];
    size_t count = 0;
    for (size_t i = 0; i < RIGHTS_MAX && rights[i].path; i++) {
        if (rights[i].path[0] != '/' && !site_dir)
            continue;
        if (rights[i].path[0] == '/')
            snprintf(names[count], PATH_BYTES, "%s", rights[i].path);
        else
            snprintf(names[count], PATH_BYTES, "%s/%s", site_dir, rights[i].path);
        paths[count] = (struct confine_path){names[count], rights[i].may_write};
        count++;
    }
    for (size_t i = 0; i < more_count && i < RIGHTS_MORE_MAX; i++)
        paths[count++] = more[i];
    return confine(NULL, paths, count);
}
