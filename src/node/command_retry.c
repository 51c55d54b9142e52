/* command_retry.c - retry: what was set aside is translated again, and taken in if that says more now.
 *
 * A newer program makes its chart anew by itself. This is for what a changed setting (characters, zone, authorities) or a
 * repaired entry's neighbour may explain, and to see, entry by entry, what stands in the way. Each is tried in a process of
 * its own, beside the living chart: an entry that stops the program stops only that. */
#include "chart/chart.h"
#include "node/node.h"
#include "node/options.h"
#include "node/passphrase.h"
#include "node/site.h"
#include "node/site_chart.h"

#include <errno.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_ASIDES 10000u
#define ARENA_BYTES ((size_t)512 << 20)

static const char retry_usage[] =
    "retry DIR [ENTRY...] [--dry-run] [--json] [--passphrase-file FILE]";

struct tried {
    struct chart_aside before; /* as it was set aside */
    const char *now;           /* why it still is; NULL: it is understood */
    bool stops;                /* it stops the program */
};

struct retry {
    const char *dir;
    struct config config;
    struct unlocking unlocking;
    struct arena arena;
    char path[SITE_PATH_BYTES]; /* of the chart that is tried in */
    struct tried *list;
    size_t count, understood;
    bool is_dry_run, json;
};

/* ---- what was set aside ---- */

static enum err open_current(const struct retry *retry, struct chart_reader **reader,
                             struct fault *fault) {
    char path[SITE_PATH_BYTES];
    uint64_t generation;
    enum err err = chart_current_path(NULL, retry->dir, path, sizeof path, &generation, fault);
    return err ? err : chart_reader_open(reader, path, fault);
}

/* All of them, oldest first. */
static enum err read_asides(struct retry *retry, struct chart_reader *reader, struct fault *fault) {
    struct chart_state state;
    uint64_t from = UINT64_MAX;
    size_t count = 0;
    enum err err = chart_state(reader, &state, fault);
    if (err)
        return err;
    size_t room = (size_t)state.aside_count;
    struct tried *list = arena_array(&retry->arena, room, sizeof *list);
    while (!err && list && retry->count < room) {
        struct chart_aside *asides;
        err = chart_asides(reader, &retry->arena, from, PAGE_ASIDES, &asides, &count, fault);
        for (size_t i = 0; !err && i < count && retry->count < room; i++)
            list[room - ++retry->count] = (struct tried){.before = asides[i]};
        if (err || count < PAGE_ASIDES || asides[count - 1].entry == 0)
            break;
        from = asides[count - 1].entry - 1;
    }
    retry->list = list ? list + (room - retry->count) : NULL;
    return err || list || room == 0 ? err : fault_set(fault, ERR_LIMIT, "too much was set aside");
}

static enum err gather(struct retry *retry, struct fault *fault) {
    struct chart_reader *reader;
    enum err err = open_current(retry, &reader, fault);
    if (err)
        return err;
    err = chart_reader_begin(reader, fault);
    if (!err)
        err = read_asides(retry, reader, fault);
    chart_reader_end(reader);
    chart_reader_close(reader);
    return err;
}

static enum err keep_wanted(struct retry *retry, int count, char **entries, struct fault *fault) {
    size_t kept = 0;
    for (size_t i = 0; i < retry->count && count; i++)
        for (int k = 0; k < count; k++) {
            uint64_t wanted;
            if (!bytes_to_u64(bytes_from_string(entries[k]), &wanted))
                return fault_set_subject(fault, ERR_USAGE, "this is no number of an entry",
                                         entries[k]);
            if (retry->list[i].before.entry == wanted) {
                retry->list[kept++] = retry->list[i];
                break;
            }
        }
    if (count && kept == 0)
        return fault_set(fault, ERR_NOT_FOUND, "none of these entries is set aside");
    retry->count = count ? kept : retry->count;
    return ERR_OK;
}

/* ---- trying, in a process of its own ---- */

static void tell(void *owner, uint64_t entry) {
    const int *fd = owner;
    if (sys_write(NULL, *fd, &entry, sizeof entry) != sizeof entry)
        _exit(err_exit_code(ERR_IO));
}

static noreturn void try_all(const struct retry *retry, const uint64_t *entries, size_t count,
                             int fd) {
    struct fault fault = {0};
    enum err err = site_chart_try(retry->dir, retry->unlocking.unlock, &retry->config, entries,
                                  count, retry->path, tell, &fd, &fault);
    _exit(err ? command_fail(err, &fault) : 0);
}

/* *last: the entry that was being taken when the process ended. */
static enum err try_in_process(const struct retry *retry, const uint64_t *entries, size_t count,
                               bool *is_stopped, uint64_t *last, struct fault *fault) {
    int ends[2], status;
    uint64_t entry;
    if (pipe(ends))
        return fault_set_errno(fault, ERR_IO, errno, "no process can be started", "");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        try_all(retry, entries, count, ends[1]);
    }
    close(ends[1]);
    while (pid > 0 && read(ends[0], &entry, sizeof entry) == sizeof entry)
        *last = entry;
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return fault_set_errno(fault, ERR_IO, errno, "no process can be started", "");
    *is_stopped = WIFSIGNALED(status);
    if (!*is_stopped && WEXITSTATUS(status))
        return fault_set(fault, ERR_STATE, "what was set aside could not be tried");
    return ERR_OK;
}

static size_t entries_left(const struct retry *retry, uint64_t *entries) {
    size_t count = 0;
    for (size_t i = 0; i < retry->count; i++)
        if (!retry->list[i].stops)
            entries[count++] = retry->list[i].before.entry;
    return count;
}

static enum err try_until_none_stops(struct retry *retry, struct fault *fault) {
    uint64_t *entries = arena_array(&retry->arena, retry->count, sizeof *entries);
    if (retry->count && !entries)
        return fault_set(fault, ERR_LIMIT, "too much was set aside");
    for (bool is_stopped = true; is_stopped;) {
        uint64_t last = UINT64_MAX;
        enum err err =
            try_in_process(retry, entries, entries_left(retry, entries), &is_stopped, &last, fault);
        if (err)
            return err;
        for (size_t i = 0; i < retry->count && is_stopped; i++)
            retry->list[i].stops |= retry->list[i].before.entry == last;
        if (is_stopped && last == UINT64_MAX)
            return fault_set(fault, ERR_STATE, "the trial was stopped before its first entry");
    }
    return ERR_OK;
}

/* What the chart of the trial set aside again. */
static enum err compare(struct retry *retry, struct fault *fault) {
    struct chart_reader *reader;
    struct chart_aside *asides = NULL;
    size_t count = 0;
    enum err err = chart_reader_open(&reader, retry->path, fault);
    if (err)
        return err;
    err = chart_reader_begin(reader, fault);
    if (!err)
        err = chart_asides(reader, &retry->arena, UINT64_MAX, SIZE_MAX, &asides, &count, fault);
    chart_reader_end(reader);
    chart_reader_close(reader);
    for (size_t i = 0, k = count; i < retry->count && !err; i++) { /* newest first there */
        struct tried *tried = &retry->list[i];
        while (k > 0 && asides[k - 1].entry < tried->before.entry)
            k--;
        if (tried->stops)
            tried->now = "it stops the program";
        else if (k > 0 && asides[k - 1].entry == tried->before.entry)
            tried->now = arena_string(&retry->arena, asides[k - 1].reason);
        retry->understood += tried->now == NULL;
    }
    return err;
}

static enum err try_again(struct retry *retry, struct fault *fault) {
    snprintf(retry->path, sizeof retry->path, "%s/chart/retry.%d.db", retry->dir, (int)getpid());
    enum err err = try_until_none_stops(retry, fault);
    if (!err)
        err = compare(retry, fault);
    if (site_chart_remove(retry->path, &(struct fault){0}))
        fprintf(stderr, "veilleuse: a part of a chart is left: %s\n", retry->path);
    return err;
}

/* ---- what came of it ---- */

static void print_text(const struct retry *retry) {
    for (size_t i = 0; i < retry->count; i++) {
        const struct chart_aside *a = &retry->list[i].before;
        printf("%llu  %.*s  %.*s  at byte %llu: %.*s\n", (unsigned long long)a->entry,
               (int)a->feed.size, (const char *)a->feed.data, (int)a->type.size,
               (const char *)a->type.data, (unsigned long long)a->at, (int)a->reason.size,
               (const char *)a->reason.data);
        const char *now = retry->list[i].now;
        if (!now)
            printf("    now understood\n");
        else if (!bytes_is(a->reason, now))
            printf("    now: %s\n", now);
    }
    printf("%zu set aside, %zu now understood\n", retry->count, retry->understood);
}

static void print_json(const struct retry *retry) {
    for (size_t i = 0; i < retry->count; i++) {
        const struct chart_aside *a = &retry->list[i].before;
        char buffer[2048];
        struct text text;
        struct json json;
        text_init(&text, buffer, sizeof buffer);
        json_init(&json, &text);
        json_object_begin(&json);
        json_member_u64(&json, "entry", a->entry);
        json_member_bytes(&json, "feed", bytes_first(a->feed, 200));
        json_member_bytes(&json, "type", a->type);
        json_member_bytes(&json, "reason", a->reason);
        json_member_u64(&json, "at", a->at);
        json_member_bool(&json, "understood", retry->list[i].now == NULL);
        json_member_bytes(&json, "reason_now", bytes_from_string(retry->list[i].now));
        json_object_end(&json);
        puts(text.data);
    }
}

static enum err run(struct retry *retry, int count, char **entries, struct fault *fault) {
    uint64_t taken;
    enum err err = site_is_there(NULL, retry->dir, fault);
    if (!err)
        err = config_read(&retry->config, NULL, retry->dir, fault);
    if (!err)
        err = unlocking_need(&retry->unlocking, retry->dir, fault);
    if (!err)
        err = gather(retry, fault);
    if (!err)
        err = keep_wanted(retry, count, entries, fault);
    if (!err && retry->count)
        err = try_again(retry, fault);
    if (err)
        return err;
    if (retry->json)
        print_json(retry);
    else
        print_text(retry);
    if (retry->understood == 0 || retry->is_dry_run)
        return ERR_OK;
    err = site_chart_rebuild(retry->dir, retry->unlocking.unlock, &retry->config, &taken, fault);
    if (!err && !retry->json)
        printf("the chart was made again with them, from %llu entries\n",
               (unsigned long long)taken);
    return err;
}

int node_retry_command(int argc, char **argv) {
    struct retry retry = {0};
    const struct option_spec specs[] = {{"dry-run", &retry.is_dry_run, NULL, NULL},
                                        {"json", &retry.json, NULL, NULL},
                                        {"passphrase-file", NULL, &retry.unlocking.file, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count < 1)
        return command_usage(retry_usage);
    struct fault fault = {0};
    retry.dir = argv[1];
    arena_init(&retry.arena, ARENA_BYTES);
    enum err err = run(&retry, count - 1, argv + 2, &fault);
    unlocking_end(&retry.unlocking);
    arena_release(&retry.arena);
    return err ? command_fail(err, &fault) : 0;
}
