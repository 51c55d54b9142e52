/* site_chart.c - charts from the vault, in batches; of the past, only what had come by then.
 *
 * Invariants
 *   A chart of the past is made under another name and takes its own when it is whole and synced.
 *   What is in it depends on its limits and on the entries alone, not on when or how often it is made. */
#include "node/site_chart.h"

#include "node/site.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_ENTRIES 20000u
#define MAKING_SUFFIX ".making"
#define LOOK_EVERY_US 20000

struct catch_up {
    struct chart_writer *writer;
    const struct vault_unlock *unlock;
    const struct past_limits *limits; /* NULL: all entries */
    uint32_t batch_count;
    uint64_t taken_count;
    /* Of the past: what its moment is found from, and what makes its limits unsure. */
    int64_t newest_received_at, limit_received_at;
    uint64_t doubtful_count;
    bool has_erased;
};

/* Entries do not stand strictly in the order they were received: many connections, messages held while the disk was full, a
 * clock that was set back. So each is asked, to the end of the vault. */
static bool is_wanted(struct catch_up *up, uint64_t index, const struct vault_entry *entry) {
    const struct past_limits *limits = up->limits;
    if (!limits)
        return true;
    if (bytes_is(entry->media_type, VAULT_ERASED_MEDIA_TYPE)) {
        up->has_erased = true;
        return false;
    }
    /* A stay of which a part is erased already: what is left of it would look as if it had never ended. */
    if (bytes_is(entry->media_type, CHART_LET_GO_MEDIA_TYPE))
        return up->has_erased;
    if (index == limits->until_entry)
        up->limit_received_at = entry->received_at;
    up->doubtful_count += limits->until != INSTANT_NONE && (entry->flags & VAULT_CLOCK_DOUBTFUL);
    /* What was stated again before its epoch was erased counts where it stood first. */
    uint64_t stands_at = entry->is_restated ? entry->restated_index : index;
    return (limits->until == INSTANT_NONE || entry->received_at <= limits->until) &&
           (limits->until_entry == CHART_NO_ENTRY || stands_at <= limits->until_entry);
}

static enum err take_piece(void *owner, struct bytes piece) {
    struct catch_up *up = owner;
    chart_writer_feed_large(up->writer, piece);
    return ERR_OK;
}

static enum err take(void *owner, const struct site_entry *at, struct fault *fault) {
    struct catch_up *up = owner;
    const struct vault_entry *entry = &at->entry;
    enum err err = ERR_OK;
    if (!is_wanted(up, at->index, entry))
        return ERR_OK;
    if (site_entry_is_large(at)) {
        err = chart_writer_begin_large(up->writer, entry, fault);
        if (!err)
            err = site_entry_body(at, take_piece, up, fault);
    }
    if (!err)
        err = chart_writer_take(up->writer, at->index, entry, NULL, fault);
    up->taken_count++;
    bool is_let_go = bytes_is(entry->media_type, CHART_LET_GO_MEDIA_TYPE);
    if (entry->received_at > up->newest_received_at && !is_let_go)
        up->newest_received_at = entry->received_at;
    if (!err && ++up->batch_count >= BATCH_ENTRIES) {
        up->batch_count = 0;
        err = chart_writer_commit(up->writer, fault);
    }
    return err;
}

static enum err take_all(struct catch_up *up, const char *dir, struct fault *fault) {
    uint64_t from = chart_writer_applied(up->writer), to = UINT64_MAX;
    bool is_by_entry = up->limits && up->limits->until_entry != CHART_NO_ENTRY;
    if (is_by_entry)
        to = up->limits->until_entry + 1;
    enum err err = site_each_entry(NULL, dir, up->unlock, from, to, take, up, fault);
    /* Beyond the last entry wanted stand only restatements of what is erased below it. */
    if (!err && is_by_entry && up->has_erased)
        err = site_each_entry(NULL, dir, up->unlock, to, UINT64_MAX, take, up, fault);
    return err;
}

enum err site_chart_bring_up(const char *dir, const struct vault_unlock *unlock, const char *path,
                             const struct config *config, uint64_t *taken_count,
                             struct fault *fault) {
    struct facts_authority authorities[CONFIG_AUTHORITIES_MAX];
    struct chart_options options = {.zone = config->zone,
                                    .otherwise = config->characters,
                                    .authorities = authorities,
                                    .authority_count = config_authorities(config, authorities)};
    struct catch_up up = {.unlock = unlock, .newest_received_at = INSTANT_NONE};
    enum err err = chart_writer_open(&up.writer, path, &options, fault);
    if (err)
        return err;
    err = take_all(&up, dir, fault);
    if (!err)
        err = chart_writer_commit(up.writer, fault);
    chart_writer_close(up.writer);
    *taken_count = up.taken_count;
    return err;
}

/* ---- a file from entry 0 ---- */

enum err site_chart_remove(const char *path, struct fault *fault) {
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char stale[SITE_PATH_BYTES + 16];
        snprintf(stale, sizeof stale, "%s%s", path, suffixes[i]);
        if (sys_unlink(NULL, stale) && errno != ENOENT)
            return fault_set_errno(fault, ERR_IO, errno, "an old chart is in the way", stale);
    }
    return ERR_OK;
}

enum err site_chart_make(const char *dir, const struct vault_unlock *unlock,
                         const struct config *config, uint64_t generation, uint64_t *taken_count,
                         struct fault *fault) {
    char path[SITE_PATH_BYTES];
    struct facts_authority authorities[CONFIG_AUTHORITIES_MAX];
    struct chart_options options = {.zone = config->zone,
                                    .otherwise = config->characters,
                                    .is_rebuild = true,
                                    .authorities = authorities,
                                    .authority_count = config_authorities(config, authorities)};
    struct catch_up up = {.unlock = unlock, .newest_received_at = INSTANT_NONE};
    chart_generation_path(dir, generation, path, sizeof path);
    enum err err = site_chart_remove(path, fault);
    if (!err)
        err = chart_writer_open(&up.writer, path, &options, fault);
    if (err)
        return err;
    err = take_all(&up, dir, fault);
    if (!err)
        err = chart_writer_settle(up.writer, fault);
    chart_writer_close(up.writer);
    *taken_count = up.taken_count;
    return err;
}

enum err site_chart_try(const char *dir, const struct vault_unlock *unlock,
                        const struct config *config, const uint64_t *entries, size_t count,
                        const char *path, void (*before)(void *owner, uint64_t entry), void *owner,
                        struct fault *fault) {
    struct facts_authority authorities[CONFIG_AUTHORITIES_MAX];
    struct chart_options options = {.zone = config->zone,
                                    .otherwise = config->characters,
                                    .is_rebuild = true,
                                    .authorities = authorities,
                                    .authority_count = config_authorities(config, authorities)};
    struct catch_up up = {.unlock = unlock, .newest_received_at = INSTANT_NONE};
    enum err err = site_chart_remove(path, fault);
    if (!err)
        err = chart_writer_open(&up.writer, path, &options, fault);
    if (err)
        return err;
    for (size_t i = 0; i < count && !err; i++) {
        before(owner, entries[i]);
        err = site_each_entry(NULL, dir, unlock, entries[i], entries[i] + 1, take, &up, fault);
    }
    if (!err)
        err = chart_writer_settle(up.writer, fault);
    chart_writer_close(up.writer);
    return err;
}

/* ---- the current one ---- */

enum err site_chart_bring_current_up(const char *dir, const struct vault_unlock *unlock,
                                     const struct config *config, struct fault *fault) {
    char path[SITE_PATH_BYTES];
    uint64_t generation = 0, taken;
    enum err err = chart_current_path(NULL, dir, path, sizeof path, &generation, fault);
    if (!err)
        err = site_chart_bring_up(dir, unlock, path, config, &taken, fault);
    if (err != ERR_NOT_FOUND && err != ERR_STATE && err != ERR_CORRUPT)
        return err;
    *fault = (struct fault){0};
    err = site_chart_make(dir, unlock, config, generation + 1, &taken, fault);
    return err ? err : chart_switch_to(NULL, dir, generation + 1, fault);
}

static uint64_t applied_now(const char *dir) {
    char path[SITE_PATH_BYTES];
    uint64_t generation;
    struct chart_reader *reader;
    struct chart_state state = {0};
    struct fault fault = {0};
    if (chart_current_path(NULL, dir, path, sizeof path, &generation, &fault) ||
        chart_reader_open(&reader, path, &fault))
        return 0;
    if (chart_state(reader, &state, &fault))
        state.applied = 0;
    chart_reader_close(reader);
    return state.applied;
}

enum err site_chart_wait(const char *dir, uint64_t wanted, int64_t patience_us,
                         struct fault *fault) {
    int64_t start = sys_monotonic_us(NULL);
    uint64_t applied;
    while ((applied = applied_now(dir)) < wanted) {
        if (sys_monotonic_us(NULL) - start > patience_us)
            return fault_set_at(fault, ERR_TIMEOUT, "the chart is behind; entries in it:", applied);
        usleep(LOOK_EVERY_US);
    }
    return ERR_OK;
}

static enum err tell_node(const char *dir, uint64_t generation, struct fault *fault) {
    struct ipc ipc;
    struct bytes text;
    enum err err = control_connect(NULL, dir, &ipc, fault);
    if (!err) {
        err = control_ask(&ipc, CONTROL_SWITCH, generation, &text, NULL, fault);
        ipc_release(&ipc);
    }
    return err;
}

static void erased_path(char path[SITE_PATH_BYTES], const char *dir) {
    snprintf(path, SITE_PATH_BYTES, "%s/cache/erased", dir);
}

int64_t site_chart_erased_since(const char *dir) {
    char path[SITE_PATH_BYTES];
    struct stat st;
    erased_path(path, dir);
    return sys_stat(NULL, path, &st) ? INSTANT_NONE : st.st_mtim.tv_sec * US_PER_S;
}

/* Of several erasings the first counts. */
void site_chart_note_erased(const char *dir) {
    char path[SITE_PATH_BYTES];
    struct fault none = {0};
    erased_path(path, dir);
    if (site_chart_erased_since(dir) == INSTANT_NONE &&
        sys_replace_file(NULL, path, BYTES("\n"), 0600, &none))
        return; /* a cache: the next erasing is noted */
}

enum err site_chart_rebuild(const char *dir, const struct vault_unlock *unlock,
                            const struct config *config, uint64_t *taken_count,
                            struct fault *fault) {
    char path[SITE_PATH_BYTES];
    uint64_t generation = 0;
    int lock_fd = -1;
    bool is_ours = !site_lock(NULL, dir, &lock_fd, &(struct fault){0});
    bool was_erased = site_chart_erased_since(dir) != INSTANT_NONE;
    enum err err = chart_current_path(NULL, dir, path, sizeof path, &generation, fault);
    if (err == ERR_NOT_FOUND) {
        *fault = (struct fault){0};
        err = ERR_OK;
    }
    /* Taken away first: what is erased from here on may be in the new chart already. */
    erased_path(path, dir);
    if (was_erased && sys_unlink(NULL, path))
        was_erased = false;
    if (!err)
        err = site_chart_make(dir, unlock, config, generation + 1, taken_count, fault);
    if (!err)
        err = chart_switch_to(NULL, dir, generation + 1, fault);
    if (!err && !is_ours)
        err = tell_node(dir, generation + 1, fault);
    if (err && was_erased)
        site_chart_note_erased(dir);
    if (is_ours)
        sys_close(NULL, lock_fd);
    return err;
}

/* ---- of the past ---- */

static void say_who(struct chart_as_of *as_of, const struct config *config) {
    const struct passwd *account = getpwuid(getuid());
    if (account)
        snprintf(as_of->made_by, sizeof as_of->made_by, "%.64s", account->pw_name);
    else
        snprintf(as_of->made_by, sizeof as_of->made_by, "%u", getuid());
    snprintf(as_of->made_on, sizeof as_of->made_on, "%.64s", config->node);
}

/* The moment that is shown: the limit in time, or when the last entry wanted was received, whichever came first. Of an entry
 * whose own time is erased: the newest time that is known. */
static int64_t moment_of(const struct catch_up *up) {
    const struct past_limits *limits = up->limits;
    int64_t by_entry =
        up->limit_received_at != INSTANT_NONE ? up->limit_received_at : up->newest_received_at;
    if (limits->until_entry == CHART_NO_ENTRY)
        return limits->until;
    return limits->until != INSTANT_NONE && limits->until < by_entry ? limits->until : by_entry;
}

static enum err no_such_entry(uint64_t size, struct fault *fault) {
    char newest[24];
    snprintf(newest, sizeof newest, "%llu", (unsigned long long)(size - 1));
    return fault_set_subject(fault, ERR_NOT_FOUND,
                             "--until-entry: there is no such entry; the newest is number", newest);
}

static enum err check_limits(const char *dir, const struct past_limits *limits,
                             struct fault *fault) {
    struct vault_reader *reader = NULL;
    char vault_dir[SITE_PATH_BYTES];
    uint64_t size = 0;
    /* Nothing can be said of it yet: what is still to come would be missing. */
    if (limits->until != INSTANT_NONE && limits->until > sys_now_us(NULL))
        return fault_set(fault, ERR_USAGE, "--until: this moment has not come yet");
    if (limits->until_entry == CHART_NO_ENTRY)
        return ERR_OK;
    snprintf(vault_dir, sizeof vault_dir, "%s/vault", dir);
    enum err err = vault_reader_open(&reader, NULL, vault_dir, fault);
    if (!err)
        err = vault_reader_size(reader, &size, fault);
    vault_reader_close(reader);
    if (!err && limits->until_entry >= size)
        err = no_such_entry(size, fault);
    return err;
}

static enum err fill_past(struct catch_up *up, const char *dir, const struct config *config,
                          struct fault *fault) {
    struct chart_as_of as_of = {.until = up->limits->until,
                                .until_entry = up->limits->until_entry,
                                .made_at = sys_now_us(NULL)};
    enum err err = take_all(up, dir, fault);
    if (err)
        return err;
    as_of.at = moment_of(up);
    as_of.doubtful_count = up->doubtful_count;
    say_who(&as_of, config);
    if (as_of.at == INSTANT_NONE)
        return fault_set(fault, ERR_STATE,
                         "every entry up to there is erased: nothing is left to show");
    return chart_writer_settle_past(up->writer, &as_of, fault);
}

/* The last part of a path; what stands before it is *parent, "." when nothing does. */
static void parent_of(const char *path, char *parent, size_t parent_bytes) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(parent, parent_bytes, ".");
    else
        snprintf(parent, parent_bytes, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static enum err make_under(const char *making, const char *dir, const struct config *config,
                           struct catch_up *up, struct fault *fault) {
    struct facts_authority authorities[CONFIG_AUTHORITIES_MAX];
    struct chart_options options = {.zone = config->zone,
                                    .otherwise = config->characters,
                                    .is_rebuild = true,
                                    .is_past = true,
                                    .authorities = authorities,
                                    .authority_count = config_authorities(config, authorities)};
    enum err err = site_chart_remove(making, fault);
    mode_t old = umask(0077); /* SQLite's own mode is 0644, and this may lie anywhere */
    if (!err)
        err = chart_writer_open(&up->writer, making, &options, fault);
    if (!err) {
        err = fill_past(up, dir, config, fault);
        chart_writer_close(up->writer);
    }
    umask(old);
    return err;
}

enum err site_chart_make_past(const char *dir, const struct vault_unlock *unlock,
                              const struct config *config, const struct past_limits *limits,
                              const char *out, uint64_t *taken_count, struct fault *fault) {
    char making[SITE_PATH_BYTES], parent[SITE_PATH_BYTES];
    struct stat st;
    struct catch_up up = {.unlock = unlock,
                          .limits = limits,
                          .newest_received_at = INSTANT_NONE,
                          .limit_received_at = INSTANT_NONE};
    if (strlen(out) + sizeof MAKING_SUFFIX > sizeof making)
        return fault_set(fault, ERR_LIMIT, "the path is too long");
    if (!sys_stat(NULL, out, &st))
        return fault_set_subject(fault, ERR_STATE, "the file exists already", out);
    snprintf(making, sizeof making, "%s" MAKING_SUFFIX, out);
    parent_of(out, parent, sizeof parent);
    enum err err = check_limits(dir, limits, fault);
    if (err)
        return err;
    err = make_under(making, dir, config, &up, fault);
    if (!err && sys_rename(NULL, making, out))
        err = fault_set_errno(fault, ERR_IO, errno, "the chart cannot be put in its place", out);
    if (!err)
        err = sys_sync_dir(NULL, parent, fault);
    else if (site_chart_remove(making, &(struct fault){0}))
        fprintf(stderr, "veilleuse: a part of a chart is left: %s\n", making);
    if (!err && up.doubtful_count)
        fprintf(
            stderr,
            "veilleuse: the clock was doubtful when %llu entries were received, so it is not sure "
            "which of them had come by then; --until-entry does not depend on clocks\n",
            (unsigned long long)up.doubtful_count);
    *taken_count = up.taken_count;
    return err;
}

enum err site_chart_open_file(const char *path, struct chart_reader **reader, struct fault *fault) {
    struct stat st;
    if (sys_stat(NULL, path, &st))
        return fault_set_errno(fault, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO,
                               errno, "the chart cannot be read", path);
    if (!S_ISREG(st.st_mode))
        return fault_set_subject(fault, ERR_INPUT, "this is no file", path);
    return chart_reader_open(reader, path, fault);
}
