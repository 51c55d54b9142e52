/* role_chart.c - keeps the chart up with the vault: asks open for entries in order, takes them in, commits in batches.
 *
 * Invariants
 *   The applied index and the rows it made are one transaction: after a kill the next start goes on from there.
 *   An entry that killed this role twice (a crash of its own, not a signal from outside) is set aside, not tried again.
 *
 *   start --> READ from applied --> take... --> commit when caught up or the batch is old --> take...
 *   A chart of another schema or translator is left standing; a new generation is made from entry 0 and switched to.
 */
#include "chart/chart.h"
#include "node/role_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define CREDIT_STEP       2048u
#define BATCH_ENTRIES_MAX 20000u
#define BATCH_AGE_US      (400 * US_PER_MS)
#define CAUGHT_UP_AGE_US  (20 * US_PER_MS)
/* So far behind, larger batches catch up sooner: what a batch costs is mostly the patients it touches. */
#define FAR_BEHIND        20000u
#define FAR_BEHIND_AGE_US (3 * US_PER_S)
#define NICE              10

struct chart_role {
    struct role_life life;
    struct chart_writer *writer;
    uint64_t generation, durable, next, set_aside;
    uint32_t credit_used, batch_count;
    int64_t batch_at, reported_at;
    bool is_careful, is_rebuild;
    /* A body that comes in pieces. */
    struct entry_message large;
    bool is_large;
    uint64_t large_given;
    struct arena large_arena;
    enum err failed;
};

static void ask(struct chart_role *chart, uint64_t from, uint32_t count) {
    struct role_link *link = &chart->life.links[ROLE_OPEN];
    struct read_request request = {.from = from, .count = count};
    if (link->is_open && roles_put_read(&link->ipc, &request))
        trace_error("open takes no request");
}

static enum err commit_batch(struct chart_role *chart, struct fault *fault) {
    if (chart->batch_count == 0)
        return ERR_OK;
    chart->batch_count = 0;
    return chart_writer_commit(chart->writer, fault);
}

static enum err fail(struct chart_role *chart, enum err err, const struct fault *fault) {
    trace_fault("the chart cannot be written", fault);
    role_life_problem(&chart->life, err == ERR_FULL
                                        ? "the chart stands still: the disk is full"
                                        : "the chart stands still: it cannot be written");
    chart->failed = err;
    chart->life.loop.is_stopping = true; /* started again with a delay by the supervisor */
    return ERR_OK;
}

/* In careful mode the supervisor knows which entry is being taken, should this role die of it. */
static enum err say_taking(struct chart_role *chart, uint64_t index) {
    enum err err = roles_put_number(&chart->life.supervisor.ipc, MESSAGE_TAKING, index);
    return err ? err : ipc_flush(&chart->life.supervisor.ipc);
}

static enum err take(struct chart_role *chart, const struct entry_message *message) {
    if (message->index != chart->next)
        return ERR_INPUT;
    struct fault fault = {0};
    if (chart->is_careful && say_taking(chart, message->index))
        return ERR_INPUT;
    const char *reason = message->index == chart->set_aside ? "it stopped the program twice" : NULL;
    enum err err =
        chart_writer_take(chart->writer, message->index, &message->entry, reason, &fault);
    if (!err && chart->batch_count++ == 0)
        chart->batch_at = chart->life.loop.monotonic_us;
    if (!err && (chart->is_careful || chart->batch_count >= BATCH_ENTRIES_MAX))
        err = commit_batch(chart, &fault);
    if (err)
        return fail(chart, err, &fault);
    chart->next++;
    if (++chart->credit_used >= CREDIT_STEP / 2) {
        ask(chart, READ_MORE, chart->credit_used);
        chart->credit_used = 0;
    }
    return ERR_OK;
}

/* The views of a large entry's header must outlive its frame. */
static enum err begin_large(struct chart_role *chart, const struct entry_message *message) {
    chart->large = *message;
    struct vault_entry *entry = &chart->large.entry;
    struct bytes *views[] = {&entry->media_type, &entry->source,    &entry->author,
                             &entry->role,       &entry->blob_name, &entry->digest};
    arena_clear(&chart->large_arena);
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        *views[i] = arena_copy(&chart->large_arena, *views[i]);
    entry->body = BYTES_NONE;
    chart->large_given = 0;
    chart->is_large = true;
    struct fault fault = {0};
    enum err err = chart_writer_begin_large(chart->writer, entry, &fault);
    return err ? fail(chart, err, &fault) : ERR_OK;
}


static enum err take_piece(struct chart_role *chart, const struct ipc_frame *frame) {
    uint64_t token;
    struct bytes data;
    enum err err = roles_get_blob(frame, &token, &data);
    if (err || !chart->is_large || data.size > chart->large.given_bytes - chart->large_given)
        return ERR_INPUT;
    if (chart->failed)
        return ERR_OK;
    chart_writer_feed_large(chart->writer, data);
    chart->large_given += data.size;
    if (chart->large_given < chart->large.given_bytes)
        return ERR_OK;
    chart->is_large = false;
    return take(chart, &chart->large);
}

static enum err chart_frame(struct role_life *life, struct role_link *link,
                            const struct ipc_frame *frame) {
    struct chart_role *chart = life->owner;
    struct entry_message message;
    enum err err;
    if (link->peer != ROLE_OPEN)
        return ERR_INPUT;
    switch (frame->type) {
    case MESSAGE_DURABLE:
        return roles_get_number(frame, &chart->durable);
    case MESSAGE_ENTRY:
        err = roles_get_entry(frame, &message);
        if (err || chart->is_large)
            return ERR_INPUT;
        bool is_whole = message.entry.body.size == message.given_bytes;
        return is_whole ? take(chart, &message) : begin_large(chart, &message);
    case MESSAGE_ENTRY_DATA:
        return take_piece(chart, frame);
    default:
        return ERR_INPUT;
    }
}

static void chart_link(struct role_life *life, struct role_link *link) {
    struct chart_role *chart = life->owner;
    if (link->peer != ROLE_OPEN)
        return;
    chart->is_large = false;
    chart->credit_used = 0;
    ask(chart, chart->next, CREDIT_STEP);
}

static void report(struct chart_role *chart) {
    char buffer[256];
    struct text text;
    struct json json;
    uint64_t applied = chart_writer_applied(chart->writer);
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_u64(&json, "generation", chart->generation);
    json_member_u64(&json, "applied", applied);
    json_member_u64(&json, "lag", chart->durable > applied ? chart->durable - applied : 0);
    json_member_bool(&json, "rebuilding", chart->is_rebuild);
    json_object_end(&json);
    role_life_report(&chart->life, text_bytes(&text));
}

static void chart_round(struct role_life *life) {
    struct chart_role *chart = life->owner;
    int64_t now = life->loop.monotonic_us;
    int64_t age = now - chart->batch_at;
    bool caught_up = chart->next >= chart->durable;
    bool far_behind = chart->durable > chart->next + FAR_BEHIND;
    struct fault fault = {0};
    enum err err = ERR_OK;
    if (caught_up && chart->durable > 0)
        chart->is_rebuild = false;
    if (chart->batch_count > 0 &&
        (life->is_stopping || age >= (far_behind ? FAR_BEHIND_AGE_US : BATCH_AGE_US) ||
         (caught_up && age >= CAUGHT_UP_AGE_US)))
        err = commit_batch(chart, &fault);
    if (err)
        fail(chart, err, &fault);
    life->loop.tick_ms = chart->batch_count > 0 ? 10 : 100;
    if (life->is_stopping && (caught_up || now - chart->reported_at > 3 * US_PER_S))
        life->loop.is_stopping = true;
    if (now - chart->reported_at >= US_PER_S || life->loop.is_stopping) {
        chart->reported_at = now;
        report(chart);
    }
}

static void chart_stop(struct role_life *life) {
    struct chart_role *chart = life->owner;
    /* Go on until all that is durable is in, but not for long. */
    chart->reported_at = life->loop.monotonic_us;
    life->loop.tick_ms = 0;
}

/* What SQLite sorts beyond memory lies beside the chart: this role reaches no other directory. */
static void keep_temporary_files_here(const char *site_dir) {
    char path[SITE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/chart", site_dir);
    if (setenv("SQLITE_TMPDIR", path, 1))
        trace_warning("SQLite's temporary files are not beside the chart");
}

/* The current chart; or, when there is none that this program can read, a new generation from entry 0. */
static enum err open_chart(struct chart_role *chart, const struct role_start *start,
                           struct fault *fault) {
    char path[SITE_PATH_BYTES];
    struct facts_authority authorities[CONFIG_AUTHORITIES_MAX];
    struct chart_options options = {
        .zone = start->config->zone,
        .otherwise = start->config->characters,
        .authorities = authorities,
        .authority_count = config_authorities(start->config, authorities)};
    enum err err = chart_current_path(start->sys, start->site_dir, path, sizeof path,
                                      &chart->generation, fault);
    if (!err)
        err = chart_writer_open(&chart->writer, path, &options, fault);
    if (err != ERR_NOT_FOUND && err != ERR_STATE && err != ERR_CORRUPT)
        return err;
    *fault = (struct fault){0};
    chart->generation++;
    chart->is_rebuild = true;
    chart_generation_path(start->site_dir, chart->generation, path, sizeof path);
    trace_info("making chart generation %llu from the vault",
               (unsigned long long)chart->generation);
    err = chart_writer_open(&chart->writer, path, &options, fault);
    return err ? err : chart_switch_to(start->sys, start->site_dir, chart->generation, fault);
}

int role_chart_main(const struct role_start *start) {
    struct chart_role *chart = memory_alloc(1, sizeof *chart);
    struct fault fault = {0};
    enum err err = chart ? ERR_OK : ERR_MEMORY;
    if (!err)
        err = role_life_init(&chart->life, ROLE_CHART, start->sys, start->site_dir, &fault);
    keep_temporary_files_here(start->site_dir);
    if (!err)
        err = open_chart(chart, start, &fault);
    if (err) {
        trace_fault("the chart cannot be opened", &fault);
        return err_exit_code(err);
    }
    /* Taking in and showing go before understanding: under load this role is the one that lags, visibly. */
    if (setpriority(PRIO_PROCESS, 0, NICE))
        trace_warning("the chart runs at ordinary priority");
    arena_init(&chart->large_arena, 64 * 1024);
    chart->next = chart_writer_applied(chart->writer);
    chart->set_aside = start->set_aside;
    chart->is_careful = start->is_careful;
    chart->life.owner = chart;
    chart->life.on_frame = chart_frame;
    chart->life.on_link = chart_link;
    chart->life.on_round = chart_round;
    chart->life.on_stop = chart_stop;
    err = roles_put_number(&chart->life.supervisor.ipc, MESSAGE_GENERATION, chart->generation);
    int code = err ? err_exit_code(err) : role_life_run(&chart->life);
    arena_release(&chart->large_arena);
    role_life_release(&chart->life);
    chart_writer_close(chart->writer);
    code = chart->failed ? err_exit_code(chart->failed) : code;
    memory_free(chart);
    return code;
}
