/* command_chart.c - chart, rebuild: the chart from the command line.
 *
 * A question sees everything that had been acknowledged when it was asked: with a node running it waits until the chart
 * has caught up; without one it takes the lock and brings the chart up itself. */
#include "node/node.h"

#include "base/trace.h"
#include "chart/chart.h"
#include "node/options.h"
#include "node/passphrase.h"
#include "node/site.h"
#include "node/site_chart.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define CATCH_UP_PATIENCE_US (20 * US_PER_S)
#define AFTER_ERASING_US     (INT64_C(7) * 86400 * US_PER_S)
#define NICE                 10

static const char chart_usage[] =
    "chart DIR census [WARD] | "
    "patient|results|moves|allergies|diagnoses|documents|orders|medication|"
    "administrations|appointments [NUMBER] | feeds | aside | state | digest [--lasting] [--patient "
    "NUMBER] [--ward CODE] [--id N] [--json] "
    "[--file CHART] "
    "[--passphrase-file FILE]";

static const char rebuild_usage[] =
    "rebuild DIR [[--until TIME] [--until-entry N] --out FILE] [--passphrase-file FILE]";

/* ---- fresh answers ---- */

/* Where another command holds the site there is nothing to wait for. */
static void wait_for_chart(const char *dir) {
    struct fault fault = {0};
    struct ipc ipc;
    if (control_connect(NULL, dir, &ipc, &fault))
        return;
    ipc_release(&ipc);
    uint64_t wanted = site_vault_size(dir);
    if (site_chart_wait(dir, wanted, CATCH_UP_PATIENCE_US, &fault))
        fprintf(stderr, "veilleuse: the chart is behind: %llu of %llu entries are in it\n",
                (unsigned long long)fault.at, (unsigned long long)wanted);
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
        err = site_chart_bring_current_up(dir, unlocking->unlock, config, fault);
    sys_close(NULL, lock_fd);
    return err;
}

/* ---- questions ---- */

static const struct question {
    const char *name;
    enum chart_question question;
    bool is_of_patients;
} questions[] = {
    {"census", CHART_CENSUS, false},
    {"patient", CHART_PATIENT, true},
    {"results", CHART_RESULTS, true},
    {"moves", CHART_MOVES, true},
    {"allergies", CHART_ALLERGIES, true},
    {"diagnoses", CHART_DIAGNOSES, true},
    {"documents", CHART_DOCUMENTS, true},
    {"orders", CHART_ORDERS, true},
    {"medication", CHART_MEDICATION, true},
    {"administrations", CHART_ADMINISTRATIONS, true},
    {"appointments", CHART_APPOINTMENTS, true},
    {"feeds", CHART_FEEDS, false},
    {"aside", CHART_ASIDE, false},
    {"state", CHART_STATE, false},
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

/* The node asks every hour; what was erased a week ago is a reason. */
static bool is_due(const char *dir) {
    int64_t since = site_chart_erased_since(dir);
    return since != INSTANT_NONE && sys_now_us(NULL) - since >= AFTER_ERASING_US;
}

int node_rebuild_command(int argc, char **argv) {
    const char *until = NULL, *out = NULL;
    bool after_erasing = false, has_unlock = false;
    struct past_limits limits = {INSTANT_NONE, CHART_NO_ENTRY};
    struct unlocking unlocking = {0};
    const struct option_spec specs[] = {{"until", NULL, &until, NULL},
                                        {"until-entry", NULL, NULL, &limits.until_entry},
                                        {"out", NULL, &out, NULL},
                                        {"passphrase-file", NULL, &unlocking.file, NULL},
                                        {"after-erasing", &after_erasing, NULL, NULL},
                                        {"unlock", &has_unlock, NULL, NULL},
                                        {0}};
    int count;
    bool is_read = options_read(argc, argv, specs, &count) && count == 1;
    bool is_past = until || limits.until_entry != CHART_NO_ENTRY;
    if (!is_read || is_past != (out != NULL) || (is_past && after_erasing))
        return command_usage(rebuild_usage);
    if (after_erasing && (prctl(PR_SET_PDEATHSIG, SIGKILL) || setpriority(PRIO_PROCESS, 0, NICE)))
        trace_warning("a rebuild runs at ordinary priority");
    if (after_erasing && !is_due(argv[1]))
        return 0;
    struct fault fault = {0};
    struct config config;
    uint64_t taken = 0;
    int64_t start = sys_monotonic_us(NULL);
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (!err)
        err = config_read(&config, NULL, argv[1], &fault);
    if (!err && until)
        err = config_read_moment(&config, "--until", until, &limits.until, &fault);
    if (!err)
        err = has_unlock ? unlocking_take(&unlocking, &fault)
                         : unlocking_need(&unlocking, argv[1], &fault);
    if (!err)
        err = is_past ? site_chart_make_past(argv[1], unlocking.unlock, &config, &limits, out,
                                             &taken, &fault)
                      : site_chart_rebuild(argv[1], unlocking.unlock, &config, &taken, &fault);
    unlocking_end(&unlocking);
    if (err)
        return command_fail(err, &fault);
    double seconds = (double)(sys_monotonic_us(NULL) - start) / 1e6;
    printf("%llu entries in %.1f s\n", (unsigned long long)taken, seconds);
    return 0;
}
