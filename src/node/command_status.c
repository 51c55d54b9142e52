/* command_status.c - status: how a node is, for a person at three in the morning or for a monitor. */
#include "node/node.h"

#include "base/base.h"
#include "chart/chart.h"
#include "node/options.h"
#include "node/site.h"

#include <jansson.h>
#include <stdio.h>

#define GIB (1024.0 * 1024.0 * 1024.0)

static const char status_usage[] = "status DIR [--json]";

/* ---- what to do ---- */

static const struct advice {
    const char *problem; /* a part of what a role says */
    const char *advice;
} advices[] = {
    {"messages wait at their senders",
     "Free space on this disk; it goes on by itself and nothing is lost."},
    {"the vault is suspect", "The disk failed. Copy the site's directory, run `veilleuse verify` "
                             "on the copy, go on from another disk."},
    {"the clock jumped", "Set the clock right (timedatectl), then start the node again."},
    {"were signed once are missing",
     "Is this disk the newest? Look for a copy of the vault that goes further; keep both."},
    {"the day's new key",
     "Messages are taken. Is keys/recipients as it should be, and may the node "
     "write in vault/keys? The node's traces say more."},
    {"publishing waits", "Free space on this disk; messages are still taken."},
    {"publishing stopped",
     "Run `veilleuse verify DIR`; the node's traces say what failed. Messages are still taken."},
    {"stands still: the disk is full",
     "Free space on this disk; pages show what was known until then."},
    {"it cannot be written", "Run `veilleuse rebuild DIR`: the chart is made again from the vault. "
                             "Pages show what was known until then."},
    {"cannot be opened", "Are all of DIR/keys there? Run `veilleuse verify DIR`. Pages show what "
                         "was known until then."},
    {"does not answer", "It waits for a disk, or works on one thing too long. If it lasts, look at "
                        "the disk, then start the node again."},
    {"not running", "It is started again by itself; the node's traces say why it ended (journalctl "
                    "-u veilleuse)."},
};

static const char *advice_for(const char *problem) {
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
        if (strstr(problem, advices[i].problem))
            return advices[i].advice;
    return NULL;
}

/* ---- lines ---- */

static const char *text_at(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static unsigned long long number_at(const json_t *object, const char *name) {
    return (unsigned long long)json_integer_value(json_object_get(object, name));
}

static void print_age(int64_t us) {
    long long s = us < 0 ? 0 : (long long)(us / US_PER_S);
    if (s < 120)
        printf("%lld s", s);
    else if (s < 120 * 60)
        printf("%lld min", s / 60);
    else if (s < 48 * 3600)
        printf("%lld h", s / 3600);
    else
        printf("%lld days", s / 86400);
}

static void print_problems(const json_t *state) {
    const json_t *problems = json_object_get(state, "problems");
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const char *problem = json_string_value(json_array_get(problems, i));
        const char *advice = problem ? advice_for(problem) : NULL;
        printf("PROBLEM    %s\n", problem ? problem : "?");
        if (advice)
            printf("           -> %s\n", advice);
    }
}

static void print_head(const json_t *state) {
    struct time_read started, now;
    printf("%s, node %s", text_at(state, "site"), text_at(state, "node"));
    if (*text_at(state, "name"))
        printf(" (%s)", text_at(state, "name"));
    printf(": %s", json_is_true(json_object_get(state, "ok")) ? "well" : "NOT WELL");
    if (time_read_iso(bytes_from_string(text_at(state, "started_at")), NULL, &started) &&
        time_read_iso(bytes_from_string(text_at(state, "now")), NULL, &now)) {
        printf(", running for ");
        print_age(now.at - started.at);
    }
    printf(", version %s\n", text_at(state, "version"));
}

static void print_signing(const json_t *state, const json_t *vault) {
    const json_t *publish = json_object_get(json_object_get(state, "roles"), "publish");
    const json_t *report = json_object_get(publish, "report");
    if (!*text_at(report, "origin"))
        return;
    printf("signed as  %s%s\n", text_at(report, "origin"),
           json_is_true(json_object_get(report, "origin_began_here"))
               ? ", which began at this start: that nothing was signed since could not be shown"
               : "");
    printf("sealed     under epoch %llu\n", number_at(vault, "epoch"));
    if (json_is_false(json_object_get(report, "origin_remembered")))
        printf("           what was signed cannot be remembered outside the disk (" VAULT_MEMORY_DIR
               "): every start begins another origin\n");
}

static void print_vault(const json_t *state) {
    const json_t *vault = json_object_get(state, "vault"), *chart = json_object_get(state, "chart");
    if (json_is_object(vault)) {
        printf("vault      %llu entries, %llu of them under a signed checkpoint\n",
               number_at(vault, "durable"), number_at(vault, "published"));
        print_signing(state, vault);
        printf("disk       %.1f GiB free of %.1f\n",
               (double)number_at(vault, "disk_free_bytes") / GIB,
               (double)number_at(vault, "disk_total_bytes") / GIB);
    }
    if (json_is_object(chart) && number_at(chart, "lag") == 0)
        printf("chart      everything is in it (generation %llu)\n",
               number_at(chart, "generation"));
    else if (json_is_object(chart))
        printf("chart      %llu entries behind (generation %llu%s)\n", number_at(chart, "lag"),
               number_at(chart, "generation"),
               json_is_true(json_object_get(chart, "rebuilding")) ? ", being made from the vault"
                                                                  : "");
}

static const char *retention_advice(const char *reason) {
    return strstr(reason, "hold") ? "When the investigator has what is wanted: retention = on, and reload."
           : strstr(reason, "was off, or its clock") || strstr(reason, "jumped") ||
                   strstr(reason, "behind the last look")
               ? "Is this machine's clock right? Then: veilleuse key retain DIR --go-on"
           : strstr(reason, "are missing")
               ? "Look for a copy that goes further. Then: veilleuse key retain DIR --go-on"
               : NULL;
}

/* When old epochs go, and what keeps them from it. */
static void print_retention(const json_t *state) {
    const json_t *retention = json_object_get(state, "retention");
    const char *reason = text_at(retention, "waits"), *advice = retention_advice(reason);
    if (!json_is_object(retention))
        return;
    if (*reason)
        printf("retention waits: %s\n", reason);
    else if (number_at(retention, "days") == 0)
        printf("retention  nothing is ever erased (retention_days = 0)\n");
    else
        printf("retention  %llu days after its newest entry an epoch is erased\n",
               number_at(retention, "days"));
    if (*reason && advice)
        printf("           -> %s\n", advice);
}

static void print_listeners(const json_t *state) {
    const json_t *listeners = json_object_get(state, "listeners");
    for (size_t i = 0; i < json_array_size(listeners); i++) {
        const json_t *listener = json_array_get(listeners, i);
        bool is_web = !strcmp(text_at(listener, "kind"), "web");
        printf("listens    %s %s%s%s\n", text_at(listener, "kind"), is_web ? "http://" : "",
               text_at(listener, "address"), is_web ? "/" : "");
    }
}

static void print_roles(json_t *state) {
    const char *name;
    json_t *role;
    json_object_foreach(json_object_get(state, "roles"), name, role) {
        printf("role       %-8s %s, pid %llu", name, text_at(role, "state"),
               number_at(role, "pid"));
        if (number_at(role, "restarts"))
            printf(", started again %llu times", number_at(role, "restarts"));
        if (number_at(role, "landlock_abi") == 0 || !json_is_true(json_object_get(role, "seccomp")))
            printf(", not closed in (%s%s)", number_at(role, "landlock_abi") ? "" : "no Landlock ",
                   json_is_true(json_object_get(role, "seccomp")) ? "" : "no seccomp");
        printf("\n");
    }
}

/* Terminals obey control characters, which a sender may put into its name. */
static void print_plain(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        putchar(text.data[i] < ' ' || text.data[i] == 0x7F ? '?' : text.data[i]);
}

static void print_feed(const struct chart_feed *feed, const struct config *config, struct zone *zone,
                       int64_t now) {
    int64_t age_us = now - feed->newest_received_at;
    const struct web_patience *own =
        web_patience_find(config->feeds, config->feed_count, feed->application);
    struct chart_patience patience = {own ? own->late_s : config->late_s,
                                      own ? own->silent_s : config->silent_s, own != NULL};
    enum freshness freshness = chart_feed_judge(feed, zone, now, &patience);
    static const char *const words[] = {"current", "late", "sends old messages", "SILENT", "never fed"};
    printf("feed       ");
    print_plain(bytes_is_empty(feed->application) ? BYTES("(no name)") : feed->application);
    if (feed->facility.size)
        printf("/");
    print_plain(feed->facility);
    printf("  %s, last message ", words[freshness]);
    print_age(age_us);
    printf(" ago; %llu messages, %llu set aside\n", (unsigned long long)feed->message_count,
           (unsigned long long)feed->aside_count);
}

/* Their ages are the chart's to tell; without one there are none. */
static void print_feeds(const char *dir) {
    char path[SITE_PATH_BYTES];
    uint64_t generation;
    struct config config;
    struct fault fault = {0};
    struct chart_reader *reader;
    struct chart_feed *feeds;
    size_t count;
    struct arena arena;
    struct zone zone;
    if (config_read(&config, NULL, dir, &fault) || zone_init(&zone, config.zone, &fault) ||
        chart_current_path(NULL, dir, path, sizeof path, &generation, &fault) ||
        chart_reader_open(&reader, path, &fault))
        return;
    arena_init(&arena, (size_t)8 << 20);
    if (!chart_feeds(reader, &arena, &feeds, &count, &fault)) {
        for (size_t i = 0; i < count; i++)
            if (feeds[i].newest_received_at != INSTANT_NONE)
                print_feed(&feeds[i], &config, &zone, sys_now_us(NULL));
        if (count == 0)
            printf("feed       none has sent anything yet\n");
    }
    arena_release(&arena);
    chart_reader_close(reader);
}

static void print_state(const char *dir, json_t *state) {
    print_head(state);
    print_problems(state);
    print_vault(state);
    print_retention(state);
    print_feeds(dir);
    print_listeners(state);
    print_roles(state);
}

/* ---- the command ---- */

static int status_stopped(const char *dir, bool json) {
    if (json)
        printf("{\"running\":false,\"ok\":false,\"problems\":[\"no node runs here\"]}\n");
    else
        printf("%s: no node runs here\n           -> veilleuse serve %s, or systemctl start "
               "veilleuse\n",
               dir, dir);
    return err_exit_code(ERR_STATE);
}

static int status_running(const char *dir, struct bytes text, bool json) {
    json_t *state = json_loadb((const char *)text.data, text.size, 0, NULL);
    struct fault fault = {0};
    if (!state)
        return command_fail(fault_set(&fault, ERR_INPUT, "the node's answer cannot be read"),
                            &fault);
    if (json)
        printf("%.*s\n", (int)text.size, (const char *)text.data);
    else
        print_state(dir, state);
    bool ok = json_is_true(json_object_get(state, "ok"));
    json_decref(state);
    return ok ? 0 : err_exit_code(ERR_STATE);
}

int node_status_command(int argc, char **argv) {
    bool json = false;
    const struct option_spec specs[] = {{"json", &json, NULL, NULL}, {0}};
    int count;
    if (!options_read(argc, argv, specs, &count) || count != 1)
        return command_usage(status_usage);
    struct fault fault = {0};
    struct ipc ipc = {.fd = -1};
    enum err err = site_is_there(NULL, argv[1], &fault);
    if (err)
        return command_fail(err, &fault);
    if (control_connect(NULL, argv[1], &ipc, &fault))
        return status_stopped(argv[1], json);
    struct bytes state = BYTES_NONE;
    err = control_ask(&ipc, CONTROL_STATUS, 0, &state, NULL, &fault);
    int code = err ? command_fail(err, &fault) : status_running(argv[1], state, json);
    ipc_release(&ipc);
    return code;
}
