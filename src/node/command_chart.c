/* command_chart.c - chart, rebuild: the chart from the command line.
 *
 * A question sees everything that had been acknowledged when it was asked: with a node running it waits until the chart
 * has caught up; without one it takes the lock and brings the chart up itself. */
#include "node/node.h"

#include "chart/chart.h"
#include "node/options.h"
#include "node/passphrase.h"
#include "node/site.h"
#include "node/site_chart.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#define CATCH_UP_PATIENCE_US (20 * US_PER_S)

static const char chart_usage[] =
    "chart DIR census [WARD] | patient|results|moves|allergies|diagnoses|documents [NUMBER] | "
    "feeds "
    "| aside | state | digest [--lasting] [--patient NUMBER] [--ward CODE] [--id N] [--json] "
    "[--file CHART] "
    "[--passphrase-file FILE]";

static const char rebuild_usage[] =
    "rebuild DIR [[--until TIME] [--until-entry N] --out FILE] [--passphrase-file FILE]";

/* ---- fresh answers ---- */

static bool ask_numbers(const char *dir, uint64_t *durable, uint64_t *applied) {
    struct fault fault = {0};
    struct ipc ipc;
    struct bytes state;
    if (control_connect(NULL, dir, &ipc, &fault))
        return false;
    bool found = false;
    if (!control_ask(&ipc, CONTROL_STATUS, 0, &state, NULL, &fault)) {
        json_t *root = json_loadb((const char *)state.data, state.size, 0, NULL);
        json_t *vault = json_object_get(root, "vault"), *chart = json_object_get(root, "chart");
        *durable = (uint64_t)json_integer_value(json_object_get(vault, "durable"));
        *applied = (uint64_t)json_integer_value(json_object_get(chart, "applied"));
        found = root != NULL;
        json_decref(root);
    }
    ipc_release(&ipc);
    return found;
}

/* What is durable is on the disk: count it there rather than trust a report that is a second old. */
static uint64_t vault_size_now(const char *dir) {
    char vault_dir[SITE_PATH_BYTES];
    struct vault_reader *reader;
    struct fault fault = {0};
    uint64_t size = 0;
    snprintf(vault_dir, sizeof vault_dir, "%s/vault", dir);
    if (vault_reader_open(&reader, NULL, vault_dir, &fault))
        return 0;
    if (vault_reader_size(reader, &size, &fault))
        size = 0;
    vault_reader_close(reader);
    return size;
}

static uint64_t chart_applied_now(const char *path) {
    struct chart_reader *reader;
    struct chart_state state = {0};
    struct fault fault = {0};
    if (chart_reader_open(&reader, path, &fault))
        return 0;
    if (chart_state(reader, &state, &fault))
        state.applied = 0;
    chart_reader_close(reader);
    return state.applied;
}

static void wait_for_chart(const char *dir) {
    uint64_t wanted = vault_size_now(dir), applied = 0, durable;
    int64_t start = sys_monotonic_us(NULL);
    while (sys_monotonic_us(NULL) - start < CATCH_UP_PATIENCE_US) {
        char path[SITE_PATH_BYTES];
        uint64_t generation;
        struct fault fault = {0};
        if (!chart_current_path(NULL, dir, path, sizeof path, &generation, &fault))
            applied = chart_applied_now(path);
        if (applied >= wanted || !ask_numbers(dir, &durable, &applied))
            return;
        usleep(20000);
    }
    fprintf(stderr, "veilleuse: the chart is behind: %llu of %llu entries are in it\n",
            (unsigned long long)applied, (unsigned long long)wanted);
}

/* Under the lock, with no node: the chart takes in what it lacks. */
static enum err bring_current_up(const char *dir, const struct vault_unlock *unlock,
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

static enum err freshen(const char *dir, struct unlocking *unlocking, const struct config *config,
                        struct fault *fault) {
    int lock_fd;
    if (site_lock(NULL, dir, &lock_fd, &(struct fault){0})) {
        wait_for_chart(dir);
        return ERR_OK;
    }
    enum err err = unlocking_need(unlocking, dir, fault);
    if (!err)
        err = bring_current_up(dir, unlocking->unlock, config, fault);
    sys_close(NULL, lock_fd);
    return err;
}

/* ---- questions ---- */

static const struct question {
    const char *name;
    enum chart_question question;
    bool is_of_patients;
} questions[] = {
    {"census", CHART_CENSUS, false},      {"patient", CHART_PATIENT, true},
    {"results", CHART_RESULTS, true},     {"moves", CHART_MOVES, true},
    {"allergies", CHART_ALLERGIES, true}, {"diagnoses", CHART_DIAGNOSES, true},
    {"documents", CHART_DOCUMENTS, true}, {"feeds", CHART_FEEDS, false},
    {"aside", CHART_ASIDE, false},        {"state", CHART_STATE, false},
};

static enum err print_piece(void *owner, struct bytes piece) {
    (void)owner;
    return fwrite(piece.data, 1, piece.size, stdout) == piece.size ? ERR_OK : ERR_IO;
}

/* One person by any of their numbers. */
static enum err find_patient(struct chart_reader *reader, const char *number, uint64_t *id,
                             struct fault *fault) {
    struct fact_identifier wanted = {.number = bytes_from_string(number)};
    uint64_t ids[2];
    size_t count = 0;
    enum err err = chart_find_identifier(reader, &wanted, ids, 2, &count, fault);
    if (err)
        return err;
    if (count == 0)
        return fault_set(fault, ERR_NOT_FOUND, "no patient has this number");
    if (count > 1)
        return fault_set(fault, ERR_STATE, "several patients have this number: ask by --id");
    *id = ids[0];
    return ERR_OK;
}

static enum err answer(struct chart_reader *reader, const struct question *question,
                       const char *argument, uint64_t id, struct fault *fault) {
    const struct chart_as_of *as_of = chart_as_of(reader);
    struct chart_ask ask = {.question = question->question,
                            .now_us = as_of->at == INSTANT_NONE ? sys_now_us(NULL) : as_of->at};
    enum err err = ERR_OK;
    if (!question->is_of_patients)
        ask.ward = argument ? bytes_from_string(argument) : BYTES_NONE;
    else if (id != UINT64_MAX)
        ask.patient_id = id;
    else if (argument)
        err = find_patient(reader, argument, &ask.patient_id, fault);
    else
        ask.all_patients = true;
    if (!err)
        err = chart_answer_json(reader, &ask, print_piece, NULL, fault);
    if (!err)
        putchar('\n');
    return err;
}

static enum err print_digest(struct chart_reader *reader, bool lasting, bool in_json,
                             struct fault *fault) {
    char hex[65], buffer[1024];
    struct text text;
    struct json json;
    const struct chart_as_of *as_of = chart_as_of(reader);
    enum err err =
        lasting ? chart_digest_lasting(reader, hex, fault) : chart_digest(reader, hex, fault);
    if (err)
        return err;
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_string(&json, "digest", hex);
    if (as_of->at != INSTANT_NONE)
        chart_put_as_of(&json, as_of);
    json_object_end(&json);
    puts(in_json ? text.data : hex);
    return ERR_OK;
}

static enum err ask_chart(const char *path, const char *name, const char *argument, uint64_t id,
                          bool lasting, bool json, struct fault *fault) {
    struct chart_reader *reader;
    enum err err = site_chart_open_file(path, &reader, fault);
    if (err)
        return err;
    err = chart_reader_begin(reader, fault);
    if (!err && !strcmp(name, "digest"))
        err = print_digest(reader, lasting, json, fault);
    else if (!err)
        for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
            if (!strcmp(name, questions[i].name))
                err = answer(reader, &questions[i], argument, id, fault);
    chart_reader_end(reader);
    chart_reader_close(reader);
    return err;
}

static bool is_question(const char *name) {
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        if (!strcmp(name, questions[i].name))
            return true;
    return !strcmp(name, "digest");
}

int node_chart_command(int argc, char **argv) {
    bool json = false, lasting = false;
    const char *patient = NULL, *ward = NULL, *file = NULL;
    uint64_t id = UINT64_MAX;
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"json", &json, NULL, NULL},
                                        {"lasting", &lasting, NULL, NULL},
                                        {"patient", NULL, &patient, NULL},
                                        {"ward", NULL, &ward, NULL},
                                        {"file", NULL, &file, NULL},
                                        {"id", NULL, NULL, &id},
                                        {"passphrase-file", NULL, &unlocking.file, NULL},
                                        {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count < 2 || count > 3 ||
        !is_question(argv[2]) || (lasting && strcmp(argv[2], "digest")))
        return command_usage(chart_usage);
    const char *argument = count == 3 ? argv[3] : patient ? patient : ward;
    struct fault fault = {0};
    struct config config;
    char path[SITE_PATH_BYTES];
    uint64_t generation;
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = config_read(&config, NULL, argv[1], &fault);
    if (!err && !file)
        err = freshen(argv[1], &unlocking, &config, &fault);
    unlocking_end(&unlocking);
    if (!err && !file)
        err = chart_current_path(NULL, argv[1], path, sizeof path, &generation, &fault);
    if (!err)
        err = ask_chart(file ? file : path, argv[2], argument, id, lasting, json, &fault);
    return err ? command_fail(err, &fault) : 0;
}

/* ---- rebuild ---- */

/* A moment is given whole: a date alone, or an hour that the clocks showed twice, could be read in two ways. */
static enum err read_moment(const char *until, const struct config *config, int64_t *at,
                            struct fault *fault) {
    struct zone zone;
    struct time_read time;
    enum err err = zone_init(&zone, config->zone, fault);
    if (err)
        return err;
    if (!time_read_iso(bytes_from_string(until), &zone, &time) || time.precision < TIME_MINUTE)
        return fault_set_subject(
            fault, ERR_USAGE,
            "--until: this is not a time (RFC 3339, as 2021-02-08T23:14:00+01:00)", until);
    if (time.is_ambiguous)
        return fault_set_subject(
            fault, ERR_USAGE, "--until: the clocks showed this hour twice: give its offset", until);
    *at = time.at;
    return ERR_OK;
}

/* Make the next generation beside the living one, then switch: through the running node, or under the lock. */
static enum err rebuild_current(const char *dir, const struct vault_unlock *unlock,
                                const struct config *config, uint64_t *taken, struct fault *fault) {
    char path[SITE_PATH_BYTES];
    uint64_t generation = 0;
    int lock_fd = -1;
    bool is_ours = !site_lock(NULL, dir, &lock_fd, &(struct fault){0});
    enum err err = chart_current_path(NULL, dir, path, sizeof path, &generation, fault);
    if (err == ERR_NOT_FOUND) {
        *fault = (struct fault){0};
        err = ERR_OK;
    }
    if (!err)
        err = site_chart_make(dir, unlock, config, generation + 1, taken, fault);
    if (!err)
        err = chart_switch_to(NULL, dir, generation + 1, fault);
    if (err || is_ours)
        return err;
    struct ipc ipc;
    struct bytes text;
    err = control_connect(NULL, dir, &ipc, fault);
    if (!err) {
        err = control_ask(&ipc, CONTROL_SWITCH, generation + 1, &text, NULL, fault);
        ipc_release(&ipc);
    }
    return err;
}

int node_rebuild_command(int argc, char **argv) {
    const char *until = NULL, *out = NULL;
    struct past_limits limits = {INSTANT_NONE, CHART_NO_ENTRY};
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"until", NULL, &until, NULL},
                                        {"until-entry", NULL, NULL, &limits.until_entry},
                                        {"out", NULL, &out, NULL},
                                        {"passphrase-file", NULL, &unlocking.file, NULL},
                                        {0}};
    int count;
    bool is_read = options_read(argc, argv, specs, &count) && count == 1;
    bool is_past = until || limits.until_entry != CHART_NO_ENTRY;
    if (!is_read || is_past != (out != NULL))
        return command_usage(rebuild_usage);
    struct fault fault = {0};
    struct config config;
    uint64_t taken = 0;
    int64_t start = sys_monotonic_us(NULL);
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = config_read(&config, NULL, argv[1], &fault);
    if (!err && until)
        err = read_moment(until, &config, &limits.until, &fault);
    if (!err)
        err = unlocking_need(&unlocking, argv[1], &fault);
    if (!err)
        err = is_past ? site_chart_make_past(argv[1], unlocking.unlock, &config, &limits, out,
                                             &taken, &fault)
                      : rebuild_current(argv[1], unlocking.unlock, &config, &taken, &fault);
    unlocking_end(&unlocking);
    if (err)
        return command_fail(err, &fault);
    double seconds = (double)(sys_monotonic_us(NULL) - start) / 1e6;
    printf("%llu entries in %.1f s\n", (unsigned long long)taken, seconds);
    return 0;
}
