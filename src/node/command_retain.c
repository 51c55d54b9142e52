/* command_retain.c - key retain: epochs that are older than the configuration keeps them go, unless something says to wait.
 *
 * By the node's own clock alone, one after the other, the oldest first; before each, all that could freeze it is looked at
 * again. The node runs it every hour; it can be given by hand, or by cron where no node runs. */
#include "node/node.h"

#include "node/look.h"
#include "node/options.h"
#include "node/restate.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE         10
#define REASON_BYTES 256u

static const char retain_usage[] = "key retain DIR [--dry-run] [--go-on] [--json]";

struct retain {
    const char *dir;
    struct config config;
    struct door door;
    struct unlocking unlocking; /* asked also where a node runs: its entries are read here */
    struct look last, look;     /* at the clock: what was kept, and this one */
    bool is_dry_run, go_on, by_node;
    bool keep_look;
    uint32_t current;   /* the epoch in use */
    struct text reason; /* why it waits; empty: it does not */
    /* What came of it. */
    uint64_t epoch_count;
    struct restated done;
    uint32_t oldest; /* that is left; 0: none is known */
    int64_t oldest_newest_at;
    char reason_buffer[REASON_BYTES];
};

static void say(const struct retain *retain, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct retain *retain, const char *format, ...) {
    va_list arguments;
    if (retain->by_node)
        return;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

static bool waits(const struct retain *retain) {
    return retain->reason.size > 0;
}

static void wait_because(struct retain *retain, const char *why, const char *what) {
    if (waits(retain))
        return;
    text_put_string(&retain->reason, why);
    text_put_string(&retain->reason, what);
    if (retain->reason.full && retain->reason.size == 0)
        text_put_string(&retain->reason, why);
}

static void wait_because_of(struct retain *retain, const struct fault *fault) {
    char line[REASON_BYTES / 2];
    fault_format(fault, line, sizeof line);
    wait_because(retain, line, "");
}

/* ---- what freezes it ---- */

static void lose(struct retain *retain, uint64_t from) {
    snprintf(retain->look.lost, sizeof retain->look.lost, "%llu", (unsigned long long)from);
}

/* The node's own state: any role with a problem is an alarm, and a publisher that misses entries says from where on. */
static void judge_state(struct retain *retain, const json_t *state) {
    const json_t *problems = json_object_get(state, "problems");
    const json_t *roles = json_object_get(state, "roles");
    const json_t *publish = json_object_get(json_object_get(roles, "publish"), "report");
    const json_t *lost = json_object_get(publish, "lost_from");
    const json_t *vault = json_object_get(state, "vault");
    const char *problem = json_string_value(json_array_get(problems, 0));
    if (json_is_integer(lost) && !retain->go_on)
        lose(retain, (uint64_t)json_integer_value(lost));
    retain->current = (uint32_t)json_integer_value(json_object_get(vault, "epoch"));
    if (problem)
        wait_because(retain, "an alarm stands: ", problem);
    else if (retain->current == 0 || !json_is_object(publish))
        wait_because(retain, "the node has not said yet how it is", "");
}

static void judge_node(struct retain *retain) {
    struct fault fault = {0};
    struct bytes text;
    if (door_state(&retain->door, &text, &fault)) {
        wait_because_of(retain, &fault);
        return;
    }
    json_t *state = json_loadb((const char *)text.data, text.size, 0, NULL);
    if (state)
        judge_state(retain, state);
    else
        wait_because(retain, "the node's state cannot be read", "");
    json_decref(state);
}

/* With no node: what its roles would have said. */
static void judge_vault(struct retain *retain) {
    struct vault_writer *writer = retain->door.writer;
    struct fault fault = {0};
    uint64_t lost_from;
    retain->current = vault_writer_epoch(writer);
    if (vault_writer_is_suspect(writer))
        wait_because(retain, "the vault is suspect: the disk failed", "");
    if (vault_writer_is_full(writer))
        wait_because(retain, "the disk is full", "");
    if (vault_writer_clock_is_doubtful(writer))
        wait_because(retain, "the clock is doubtful", "");
    if (retain->is_dry_run)
        return; /* publishing would be a change */
    if (site_publish_seeing(NULL, retain->dir, retain->unlocking.unlock,
                            vault_writer_durable_size(writer), &lost_from, &fault))
        wait_because_of(retain, &fault);
    if (lost_from != UINT64_MAX && !retain->go_on)
        lose(retain, lost_from);
}

/* The clock is looked at once a run, the rest before each epoch. */
static void judge(struct retain *retain) {
    if (retain->door.is_linked)
        judge_node(retain);
    else
        judge_vault(retain);
    if (retain->look.lost[0])
        wait_because(retain, "entries that were signed once are missing, from number ",
                     retain->look.lost);
}

static void look_at_clock(struct retain *retain) {
    look_load(NULL, retain->dir, &retain->last);
    look_judge(&retain->last, &retain->look, &retain->keep_look, &retain->reason);
    if (!retain->go_on)
        return;
    look_go_on(&retain->look);
    text_clear(&retain->reason);
    retain->keep_look = true;
}

/* That entries are missing is kept also where the clock is not trusted. */
static void keep_look(const struct retain *retain) {
    struct look kept = retain->keep_look ? retain->look : retain->last;
    memcpy(kept.lost, retain->look.lost, sizeof kept.lost);
    look_save(NULL, retain->dir, &kept);
}

/* ---- epochs ---- */

struct numbers {
    uint32_t *list;
    size_t count, capacity;
    bool is_full;
};

static void take_epoch(void *owner, const struct vault_epoch *epoch) {
    struct numbers *numbers = owner;
    if (numbers->count == numbers->capacity) {
        size_t capacity = numbers->capacity ? numbers->capacity * 2 : 512;
        uint32_t *longer = memory_grow(numbers->list, capacity, sizeof *longer);
        numbers->is_full = numbers->is_full || !longer;
        if (!longer)
            return;
        numbers->list = longer;
        numbers->capacity = capacity;
    }
    numbers->list[numbers->count++] = epoch->number;
}

static void put_day(char day[16], int64_t at) {
    char buffer[40];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    time_put_iso_utc(&text, at);
    snprintf(day, 16, "%.10s", buffer);
}

static void say_done(const struct retain *retain, const struct epoch_look *look,
                     const struct restated *done) {
    char day[16];
    put_day(day, look->newest_at);
    say(retain,
        "epoch %u, whose newest entry is of %s, %s: %llu entries %s again, %llu ended stays %s, "
        "%llu "
        "documents removed\n",
        look->epoch, day, retain->is_dry_run ? "would go" : "is erased",
        (unsigned long long)done->entry_count, retain->is_dry_run ? "to state" : "stated",
        (unsigned long long)done->stay_count, retain->is_dry_run ? "to let go" : "let go",
        (unsigned long long)done->blob_count);
}

static enum err drop(struct retain *retain, const struct epoch_look *look, struct fault *fault) {
    char why[64];
    struct restated done;
    snprintf(why, sizeof why, "older than %lld days", (long long)retain->config.retention_days);
    enum err err = retain->is_dry_run
                       ? restate_count(&retain->door, &retain->config, look, &done, fault)
                       : restate_and_drop(&retain->door, &retain->config, look, why, &done, fault);
    if (err)
        return err;
    say_done(retain, look, &done);
    retain->epoch_count++;
    retain->done.entry_count += done.entry_count;
    retain->done.stay_count += done.stay_count;
    retain->done.blob_count += done.blob_count;
    return ERR_OK;
}

/* *is_over: this epoch stays, and with it all that are younger. One without entries is passed over. */
static enum err consider(struct retain *retain, uint32_t epoch, int64_t limit, bool *is_over,
                         struct fault *fault) {
    struct epoch_look look;
    bool is_younger = false;
    enum err err = epoch_is_younger(&retain->door, epoch, limit, &is_younger, fault);
    if (err == ERR_NOT_FOUND) {
        *fault = (struct fault){0};
        return ERR_OK;
    }
    if (!err && (is_younger || (waits(retain) && !retain->is_dry_run))) {
        *is_over = true;
        retain->oldest = epoch;
        return ERR_OK;
    }
    if (!err)
        err = epoch_look(&retain->door, epoch, &look, fault);
    if (err)
        return err;
    retain->oldest = epoch;
    retain->oldest_newest_at = look.newest_at;
    *is_over = look.newest_at > limit;
    if (*is_over)
        return ERR_OK;
    if (look.fact_count) {
        char number[16];
        snprintf(number, sizeof number, "%u", epoch);
        wait_because(retain, "entries of a downtime were not given back yet, in epoch ", number);
        *is_over = true;
        return ERR_OK;
    }
    return drop(retain, &look, fault);
}

/* What a run that was killed left of an epoch that it had erased. */
static enum err clean(struct retain *retain, struct fault *fault) {
    struct epoch_look look;
    struct restated done;
    uint32_t epoch = restate_interrupted(retain->dir);
    if (epoch == 0 || retain->is_dry_run || waits(retain))
        return ERR_OK;
    enum err err = epoch_look(&retain->door, epoch, &look, fault);
    if (!err && look.is_erased)
        err = restate_and_drop(&retain->door, &retain->config, &look, "", &done, fault);
    if (err == ERR_NOT_FOUND) {
        *fault = (struct fault){0};
        return ERR_OK;
    }
    return err;
}

static enum err go_through(struct retain *retain, struct fault *fault) {
    struct numbers numbers = {0};
    int64_t limit = retain->look.now_us - retain->config.retention_days * LOOK_DAY_US;
    bool is_over = false;
    enum err err =
        vault_epochs_each(NULL, retain->dir, retain->unlocking.unlock, take_epoch, &numbers, fault);
    if (!err && numbers.is_full)
        err = fault_set(fault, ERR_MEMORY, "no memory for the list of epochs");
    if (!err)
        err = clean(retain, fault);
    for (size_t i = 0; i < numbers.count && !err && !is_over; i++) {
        if (i > 0)
            judge(retain);
        if (retain->current && numbers.list[i] >= retain->current)
            break;
        err = consider(retain, numbers.list[i], limit, &is_over, fault);
    }
    memory_free(numbers.list);
    return err;
}

/* ---- what came of it ---- */

static void put_json(const struct retain *retain, struct text *text) {
    struct json json;
    json_init(&json, text);
    json_object_begin(&json);
    json_member_i64(&json, "days", retain->config.retention_days);
    json_member_instant(&json, "looked_at", retain->look.now_us);
    json_member_bytes(&json, "waits", text_bytes(&retain->reason));
    json_member_u64(&json, "epochs_erased", retain->epoch_count);
    json_member_u64(&json, "entries_stated_again", retain->done.entry_count);
    json_member_u64(&json, "stays_let_go", retain->done.stay_count);
    json_member_u64(&json, "blobs_removed", retain->done.blob_count);
    json_name(&json, "oldest_epoch");
    if (retain->oldest)
        json_put_u64(&json, retain->oldest);
    else
        json_put_null(&json);
    json_member_instant(&json, "oldest_newest_at", retain->oldest_newest_at);
    json_object_end(&json);
}

static void tell(struct retain *retain, bool json) {
    char buffer[RETENTION_BYTES_MAX];
    struct text text;
    struct fault fault = {0};
    text_init(&text, buffer, sizeof buffer);
    put_json(retain, &text);
    if (retain->door.is_linked && !retain->is_dry_run &&
        control_tell(&retain->door.control, CONTROL_RETENTION, text_bytes(&text), &fault))
        fprintf(stderr, "veilleuse: the node was not told what came of it\n");
    if (json)
        printf("%s\n", text.data);
    else if (waits(retain))
        say(retain, "retention waits: %s\n", retain->reason_buffer);
    else if (retain->config.retention_days == 0)
        say(retain, "nothing is ever erased: retention_days is 0\n");
    else if (retain->epoch_count == 0)
        say(retain, "nothing is older than %lld days\n", (long long)retain->config.retention_days);
}

/* ---- the command ---- */

static enum err run(struct retain *retain, struct fault *fault) {
    look_at_clock(retain);
    if (retain->config.is_retention_held) {
        text_clear(&retain->reason); /* whatever else there is: this is what somebody asked for */
        wait_because(retain, "the configuration says retention = hold", "");
    }
    judge(retain);
    enum err err = retain->config.retention_days ? go_through(retain, fault) : ERR_OK;
    if (!retain->is_dry_run)
        keep_look(retain);
    if (err) /* it is said where it is looked for, and tried again in an hour */
        wait_because_of(retain, fault);
    return err;
}

static enum err retain_site(struct retain *retain, bool json) {
    struct fault fault = {0}, end_fault = {0};
    int lock_fd;
    enum err err = restate_lock(retain->dir, &lock_fd, &fault);
    if (!err)
        err = door_open(&retain->door, retain->dir, &retain->unlocking, &fault);
    if (err) {
        command_fail(err, &fault);
        return err;
    }
    look_around(NULL,
                &retain->look); /* what tells the machine's start is out of reach after this */
    door_confine(&retain->door);
    err = run(retain, &fault);
    tell(retain, json);
    enum err end = door_close(&retain->door, &end_fault);
    if (err || end)
        command_fail(err ? err : end, err ? &fault : &end_fault);
    return err ? err : end;
}

/* As the node's own it gives way to all else, and does not outlive the node. */
static void be_helper(void) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || setpriority(PRIO_PROCESS, 0, NICE))
        trace_warning("retention runs at ordinary priority");
    trace_name("retention");
}

int node_key_retain(int argc, char **argv) {
    struct retain retain = {.oldest_newest_at = INSTANT_NONE};
    bool json = false, has_unlock = false;
    const struct option_spec specs[] = {{"dry-run", &retain.is_dry_run, NULL, NULL},
                                        {"go-on", &retain.go_on, NULL, NULL},
                                        {"by-node", &retain.by_node, NULL, NULL},
                                        {"unlock", &has_unlock, NULL, NULL},
                                        {"passphrase-file", NULL, &retain.unlocking.file, NULL},
                                        {"json", &json, NULL, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1)
        return command_usage(retain_usage);
    if (retain.by_node)
        be_helper();
    struct fault fault = {0};
    text_init(&retain.reason, retain.reason_buffer, sizeof retain.reason_buffer);
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = config_read(&retain.config, NULL, argv[1], &fault);
    char dir[PATH_MAX];
    if (!err && !realpath(argv[1], dir))
        err = fault_set_errno(&fault, ERR_IO, errno, "the directory cannot be found", argv[1]);
    if (!err)
        err = has_unlock ? unlocking_take(&retain.unlocking, &fault)
                         : unlocking_need(&retain.unlocking, dir, &fault);
    if (err)
        return command_fail(err, &fault);
    retain.dir = dir;
    err = retain_site(&retain, json);
    unlocking_end(&retain.unlocking);
    if (err || retain.by_node)
        return err_exit_code(err);
    return waits(&retain) ? err_exit_code(ERR_STATE) : 0;
}
