/* state.h - what the supervisor says of the node each second, read once into plain members. */
#ifndef WEB_STATE_H
#define WEB_STATE_H

#include "base/base.h"

#define STATE_PROBLEMS_MAX 16
#define STATE_SOURCES_MAX  128

struct source_state {
    char application[100], facility[100];
    uint64_t repeats, refused;
};
struct node_state {
    int64_t received_at; /* monotonic */
    uint64_t durable;
    bool is_known;
    char problems[STATE_PROBLEMS_MAX][200];
    size_t problem_count;
    struct source_state sources[STATE_SOURCES_MAX];
    size_t source_count;
};

/* Members that are missing stay as they were made: empty. A text that is no JSON leaves `state` alone. */
void node_state_read(struct node_state *state, struct bytes json, int64_t monotonic_us);

#endif
