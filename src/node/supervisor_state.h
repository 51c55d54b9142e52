/* supervisor_state.h - what the supervisor knows, shared by its files: supervision, state, control socket, own commands. */
#ifndef NODE_SUPERVISOR_STATE_H
#define NODE_SUPERVISOR_STATE_H

#include "node/supervisor.h"

#define REPORT_BYTES_MAX  (64u * 1024u)
#define STATE_BYTES_MAX   (192u * 1024u)
#define CHANNEL_BYTES     (IPC_FRAME_BYTES_MAX + 4096u)
#define CONTROL_COUNT_MAX 16

enum child_state { CHILD_WAITING, CHILD_RUNNING, CHILD_STOPPING, CHILD_ENDED };

struct supervisor;

struct child {
    struct supervisor *supervisor;
    enum role role;
    enum child_state state;
    pid_t pid;
    struct ipc ipc;
    struct loop_watch watch;
    bool has_channel, is_ready;
    uint64_t restarts;
    unsigned deaths_in_a_row;
    int64_t started_at, start_at, heard_at; /* monotonic */
    uint64_t taking, taking_deaths, set_aside; /* chart */
    bool is_careful;
    uint64_t confined; /* as MESSAGE_CONFINED says */
    char problem[200];
    uint32_t report_bytes;
    char report[REPORT_BYTES_MAX];
};

struct control {
    struct supervisor *supervisor;
    struct ipc ipc;
    struct loop_watch watch;
    bool is_used, is_done;
};

struct supervisor {
    const struct supervisor_options *options;
    struct loop loop;
    struct child children[ROLE_COUNT];
    const enum role *roles; /* those it starts, in order */
    size_t role_count;
    struct loop_watch signals, control_watch;
    int signal_fd, control_fd;
    struct control controls[CONTROL_COUNT_MAX];
    bool is_stopping, is_announced;
    unsigned stop_stage;
    int64_t stop_stage_at, started_at, state_sent_at;
    uint64_t generation;
    /* The node's own commands, one after the other: what is due, and what is not said by a role. */
    pid_t helper_pid; /* 0: none runs */
    unsigned helper_next;
    int64_t helper_at; /* monotonic */
    uint32_t retention_bytes;
    char retention[RETENTION_BYTES_MAX];
    char state[STATE_BYTES_MAX];
};

/* Is there work for this role? It is started only then, and missed only then. */
bool supervisor_wants(const struct supervisor *supervisor, enum role role);
bool child_is_running(const struct child *child);
void child_give_fd(struct child *child, enum role_message type, uint32_t argument, int fd);

/* The node's state as JSON: a view into the supervisor until the next call; empty when it does not fit. */
struct bytes supervisor_state(struct supervisor *supervisor);

/* What a process that reads the site's keys reads once, by ROLE_UNLOCK_FD, and nobody after it. It waits in the kernel, which
 * never writes it to a disk; the other end is closed before the process runs. *fd is -1 where nothing is to be unlocked. Returns
 * an errno, or 0. */
int give_unlock(const struct supervisor *supervisor, int *fd);

/* helper.c: the node's own commands. Each round: start what is due. */
void helper_round(struct supervisor *supervisor);
/* Was it this process that ended? */
bool helper_ended(struct supervisor *supervisor, pid_t pid, int status);
/* Not in an hour, but now: the configuration is another. */
void helper_hurry(struct supervisor *supervisor);
void helper_stop(struct supervisor *supervisor);

/* A command of the same user has come to the control socket. */
void control_accept(struct loop_watch *watch, uint32_t ready);

#endif
