/* state.c - the node's state out of JSON. */
#include "web/state.h"

#include <jansson.h>
#include <stdio.h>

static uint64_t number(json_t *object, const char *name) {
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

static const char *string(json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static void read_sources(struct node_state *state, json_t *report) {
    json_t *sources = json_object_get(report, "sources"), *source;
    size_t i;
    json_array_foreach(sources, i, source) {
        if (state->source_count == STATE_SOURCES_MAX)
            return;
        struct source_state *s = &state->sources[state->source_count++];
        snprintf(s->application, sizeof s->application, "%s", string(source, "application"));
        snprintf(s->facility, sizeof s->facility, "%s", string(source, "facility"));
        s->repeats = number(source, "repeats");
        s->refused = number(source, "ae") + number(source, "ar");
    }
}

void node_state_read(struct node_state *state, struct bytes json, int64_t monotonic_us) {
    json_t *root = json_loadb((const char *)json.data, json.size, 0, NULL), *problem;
    size_t i;
    if (!root)
        return;
    *state = (struct node_state){.received_at = monotonic_us, .is_known = true};
    state->durable = number(json_object_get(root, "vault"), "durable");
    json_array_foreach(json_object_get(root, "problems"), i, problem) {
        if (state->problem_count < STATE_PROBLEMS_MAX && json_string_value(problem))
            snprintf(state->problems[state->problem_count++], sizeof state->problems[0], "%s",
                     json_string_value(problem));
    }
    json_t *feeds = json_object_get(json_object_get(root, "roles"), "feeds");
    read_sources(state, json_object_get(feeds, "report"));
    json_decref(root);
}
