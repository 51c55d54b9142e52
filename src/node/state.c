/* state.c - the node's state in one JSON document, for `status` and the pages; put together, not parsed. */
#include "node/supervisor_state.h"

#include <stdio.h>
#include <unistd.h>

/* JSON as it came; null before anything did. */
static void put_as_it_came(struct json *json, const char *name, struct bytes value) {
    json_name(json, name);
    if (bytes_is_empty(value)) {
        json_put_null(json);
        return;
    }
    text_put(json->text, value);
    json->after_name = false;
}

static void put_report(struct json *json, const char *name, const struct child *child) {
    put_as_it_came(json, name, bytes_from(child->report, child->report_bytes));
}

static const char *state_name(const struct child *child) {
    static const char *const names[] = {"waiting", "running", "stopping", "ended"};
    return child->state == CHILD_RUNNING && !child->is_ready ? "starting" : names[child->state];
}

/* Its loop does not go round: it waits for a disk that does not answer, or works on something too long. */
#define SILENT_US (15 * US_PER_S)

/* A role that died a moment ago is a problem until it has been started again; NULL: nothing is wrong. */
static const char *problem_of(const struct child *child) {
    if (child->state != CHILD_RUNNING)
        return "not running";
    if (child->problem[0])
        return child->problem;
    return child->supervisor->loop.monotonic_us - child->heard_at > SILENT_US ? "it does not answer"
                                                                              : NULL;
}

static bool put_problems(struct supervisor *supervisor, struct json *json) {
    bool ok = true;
    json_name(json, "problems");
    json_array_begin(json);
    for (size_t i = 0; i < supervisor->role_count; i++) {
        const struct child *child = &supervisor->children[supervisor->roles[i]];
        const char *problem = problem_of(child);
        char line[256];
        if (!problem || !supervisor_wants(supervisor, child->role))
            continue;
        snprintf(line, sizeof line, "%s: %s", role_name(child->role), problem);
        json_put_string(json, line);
        ok = false;
    }
    json_array_end(json);
    return ok;
}

static void put_roles(struct supervisor *supervisor, struct json *json) {
    json_name(json, "roles");
    json_object_begin(json);
    for (size_t i = 0; i < supervisor->role_count; i++) {
        const struct child *child = &supervisor->children[supervisor->roles[i]];
        if (!supervisor_wants(supervisor, child->role))
            continue;
        json_name(json, role_name(child->role));
        json_object_begin(json);
        json_member_string(json, "state", state_name(child));
        json_member_i64(json, "pid", child->pid);
        json_member_u64(json, "restarts", child->restarts);
        json_member_u64(json, "landlock_abi", child->confined & (CONFINED_CALLS - 1));
        json_member_bool(json, "seccomp", child->confined & CONFINED_CALLS);
        put_report(json, "report", child);
        json_object_end(json);
    }
    json_object_end(json);
}

static void put_listener(struct json *json, const char *kind, const char *address) {
    if (!address[0])
        return;
    json_object_begin(json);
    json_member_string(json, "kind", kind);
    json_member_string(json, "address", address);
    json_object_end(json);
}

struct bytes supervisor_state(struct supervisor *supervisor) {
    struct text text;
    struct json json;
    const struct supervisor_options *options = supervisor->options;
    text_init(&text, supervisor->state, sizeof supervisor->state);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_string(&json, "site", options->config->site);
    json_member_string(&json, "name", options->config->name);
    json_member_string(&json, "node", options->config->node);
    json_member_string(&json, "version", VEILLEUSE_VERSION);
    json_member_bool(&json, "running", true);
    json_member_i64(&json, "pid", getpid());
    json_member_instant(&json, "started_at", supervisor->started_at);
    json_member_instant(&json, "now", supervisor->loop.now_us);
    bool ok = put_problems(supervisor, &json);
    json_member_bool(&json, "ok", ok);
    put_report(&json, "vault", &supervisor->children[ROLE_COMMIT]);
    put_report(&json, "chart", &supervisor->children[ROLE_CHART]);
    put_as_it_came(&json, "retention", bytes_from(supervisor->retention, supervisor->retention_bytes));
    json_name(&json, "listeners");
    json_array_begin(&json);
    put_listener(&json, "mllp", options->mllp_address);
    put_listener(&json, "web", options->web_address);
    json_array_end(&json);
    put_roles(supervisor, &json);
    json_object_end(&json);
    return text.full ? BYTES_NONE : text_bytes(&text);
}
