/* supervisor.c - the parent of all roles.
 *
 * Invariants
 *   For every pair of roles that talk, both running, there is exactly one link, made when the later of the two started.
 *   A dead role is started again after a growing delay; the others go on.
 *   Nothing that a role sends is parsed here beyond its frame: reports go out as they came.
 *
 *     waiting --(delay over: role_start)--> running --(SIGCHLD: role_ended)--> waiting
 *     running --(stop_next)--> stopping --(SIGCHLD)--> ended;  all ended: the loop stops
 */
#include "node/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_BYTES_MAX  (64u * 1024u)
#define STATE_BYTES_MAX   (192u * 1024u)
#define CHANNEL_BYTES     (IPC_FRAME_BYTES_MAX + 4096u)
#define HEALTHY_US        (30 * US_PER_S)
#define STOP_PATIENCE_US  (8 * US_PER_S)
#define CONTROL_COUNT_MAX 16
#define TAKINGS_COUNTED   2

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
    int64_t started_at, start_at; /* monotonic */
    uint64_t taking, taking_deaths, set_aside; /* chart */
    bool is_careful;
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
    struct loop_watch signals, control_watch;
    int signal_fd, control_fd;
    struct control controls[CONTROL_COUNT_MAX];
    bool is_stopping;
    unsigned stop_stage;
    int64_t stop_stage_at, started_at, state_sent_at;
    uint64_t generation;
    char state[STATE_BYTES_MAX];
};

static const enum role roles_started[] = {ROLE_COMMIT, ROLE_PUBLISH, ROLE_OPEN,
                                          ROLE_CHART,  ROLE_WEB,     ROLE_FEEDS};
enum { STARTED_COUNT = sizeof roles_started / sizeof roles_started[0] };

static const enum role linked_pairs[][2] = {
    {ROLE_FEEDS, ROLE_COMMIT}, {ROLE_COMMIT, ROLE_PUBLISH}, {ROLE_COMMIT, ROLE_OPEN},
    {ROLE_OPEN, ROLE_CHART},   {ROLE_OPEN, ROLE_WEB},       {ROLE_WEB, ROLE_COMMIT},
};

/* Who stops after whom: first those that take in, then those that finish what was taken. */
static const enum role stop_order[][2] = {
    {ROLE_FEEDS, ROLE_FEEDS}, {ROLE_COMMIT, ROLE_COMMIT}, {ROLE_CHART, ROLE_PUBLISH},
    {ROLE_OPEN, ROLE_WEB},
};
enum { STOP_STAGES = sizeof stop_order / sizeof stop_order[0] };

enum child_end child_end_of(int wait_status) {
    if (WIFEXITED(wait_status))
        return CHILD_LEFT;
    int signal_number = WTERMSIG(wait_status);
    bool crashed = signal_number == SIGSEGV || signal_number == SIGABRT ||
                   signal_number == SIGBUS || signal_number == SIGFPE || signal_number == SIGILL ||
                   signal_number == SIGSYS;
    return crashed ? CHILD_CRASHED : CHILD_KILLED_FROM_OUTSIDE;
}

int64_t restart_delay_us(unsigned deaths_in_a_row) {
    if (deaths_in_a_row == 0)
        return 0;
    unsigned doublings = deaths_in_a_row < 9 ? deaths_in_a_row - 1 : 8;
    int64_t delay = (50 * US_PER_MS) << doublings;
    return delay < 10 * US_PER_S ? delay : 10 * US_PER_S;
}

static bool is_running(const struct child *child) {
    return child->state == CHILD_RUNNING && child->has_channel;
}

/* ---- links ---- */

static void give_fd(struct child *child, enum role_message type, uint32_t argument, int fd) {
    if (ipc_send_fd(&child->ipc, (uint16_t)type, argument, fd))
        trace_warning("%s did not take a descriptor", role_name(child->role));
}

static void link_pair(struct supervisor *supervisor, enum role a, enum role b) {
    struct child *first = &supervisor->children[a], *second = &supervisor->children[b];
    if (!is_running(first) || !is_running(second))
        return;
    int fds[2];
    struct fault fault = {0};
    if (ipc_pair(supervisor->options->sys, fds, &fault)) {
        trace_fault("no link can be made", &fault);
        return;
    }
    give_fd(first, MESSAGE_PEER, b, fds[0]);
    give_fd(second, MESSAGE_PEER, a, fds[1]);
    sys_close(supervisor->options->sys, fds[0]);
    sys_close(supervisor->options->sys, fds[1]);
}

static void link_all(struct supervisor *supervisor, enum role role) {
    for (size_t i = 0; i < sizeof linked_pairs / sizeof linked_pairs[0]; i++)
        if (linked_pairs[i][0] == role || linked_pairs[i][1] == role)
            link_pair(supervisor, linked_pairs[i][0], linked_pairs[i][1]);
}

/* ---- starting ---- */

static void child_ready(struct loop_watch *watch, uint32_t ready);

static int spawn(struct child *child, int channel_fd) {
    struct supervisor *supervisor = child->supervisor;
    char set_aside[32], program[] = "veilleuse", command[] = "role", careful[] = "--careful",
                        set_aside_option[] = "--set-aside";
    char role[16], site_dir[SITE_PATH_BYTES];
    snprintf(role, sizeof role, "%s", role_name(child->role));
    snprintf(site_dir, sizeof site_dir, "%s", supervisor->options->site_dir);
    snprintf(set_aside, sizeof set_aside, "%llu", (unsigned long long)child->set_aside);
    char *argv[9] = {program, command, role, site_dir};
    int argc = 4;
    if (child->is_careful)
        argv[argc++] = careful;
    if (child->set_aside != UINT64_MAX) {
        argv[argc++] = set_aside_option;
        argv[argc++] = set_aside;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, channel_fd, ROLE_SUPERVISOR_FD);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawn(&child->pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static enum err open_channel(struct child *child, int fd) {
    struct supervisor *supervisor = child->supervisor;
    enum err err =
        ipc_init(&child->ipc, supervisor->options->sys, fd, CHANNEL_BYTES, 2 * CHANNEL_BYTES);
    if (err)
        return err;
    child->has_channel = true;
    child->watch = (struct loop_watch){.fd = -1, .on_ready = child_ready, .owner = child};
    return loop_watch_set(&supervisor->loop, &child->watch, fd, LOOP_READ);
}

static void close_channel(struct child *child) {
    if (!child->has_channel)
        return;
    loop_watch_clear(&child->supervisor->loop, &child->watch);
    ipc_release(&child->ipc);
    child->has_channel = false;
}

static void give_listener(struct child *child) {
    const struct supervisor_options *options = child->supervisor->options;
    if (child->role == ROLE_FEEDS && options->mllp_fd >= 0)
        give_fd(child, MESSAGE_LISTEN, 0, options->mllp_fd);
    if (child->role == ROLE_WEB && options->web_fd >= 0)
        give_fd(child, MESSAGE_LISTEN, 0, options->web_fd);
}

static void wait_to_start(struct child *child) {
    child->state = CHILD_WAITING;
    child->start_at = child->supervisor->loop.monotonic_us +
                      restart_delay_us(++child->deaths_in_a_row);
}

static void start_child(struct child *child) {
    struct supervisor *supervisor = child->supervisor;
    int fds[2];
    struct fault fault = {0};
    if (ipc_pair(supervisor->options->sys, fds, &fault)) {
        trace_fault("no channel can be made", &fault);
        wait_to_start(child);
        return;
    }
    int failed = spawn(child, fds[1]);
    sys_close(supervisor->options->sys, fds[1]);
    if (failed) {
        trace_error("%s cannot be started: %s", role_name(child->role), strerror(failed));
        sys_close(supervisor->options->sys, fds[0]);
        wait_to_start(child);
        return;
    }
    child->state = CHILD_RUNNING;
    child->is_ready = false;
    child->started_at = supervisor->loop.monotonic_us;
    child->report_bytes = 0;
    child->problem[0] = 0;
    if (open_channel(child, fds[0])) {
        kill(child->pid, SIGKILL);
        return;
    }
    give_listener(child);
    link_all(supervisor, child->role);
}

static void start_due(struct supervisor *supervisor) {
    for (size_t i = 0; i < STARTED_COUNT && !supervisor->is_stopping; i++) {
        struct child *child = &supervisor->children[roles_started[i]];
        if (child->state == CHILD_WAITING && supervisor->loop.monotonic_us >= child->start_at)
            start_child(child);
    }
}

/* ---- what children say ---- */

static void copy_text(char *to, size_t to_bytes, struct bytes text) {
    text = bytes_first(text, to_bytes - 1);
    if (text.size)
        memcpy(to, text.data, text.size);
    to[text.size] = 0;
}

static void chart_changed(struct supervisor *supervisor, uint64_t generation) {
    supervisor->generation = generation;
    struct child *web = &supervisor->children[ROLE_WEB];
    if (is_running(web) && (roles_put_number(&web->ipc, MESSAGE_CHART, generation) ||
                            ipc_flush(&web->ipc)))
        trace_warning("web was not told of the new chart");
}

static enum err child_frame(struct child *child, const struct ipc_frame *frame) {
    struct bytes text;
    uint64_t number;
    enum err err;
    switch (frame->type) {
    case MESSAGE_READY:
        child->is_ready = true;
        return ERR_OK;
    case MESSAGE_REPORT:
        err = roles_get_text(frame, &text);
        if (err || text.size > REPORT_BYTES_MAX)
            return ERR_INPUT;
        memcpy(child->report, text.data, text.size);
        child->report_bytes = (uint32_t)text.size;
        return ERR_OK;
    case MESSAGE_PROBLEM:
        err = roles_get_text(frame, &text);
        copy_text(child->problem, sizeof child->problem, text);
        return err;
    case MESSAGE_TAKING:
        return roles_get_number(frame, &child->taking);
    case MESSAGE_GENERATION:
        err = roles_get_number(frame, &number);
        if (!err)
            chart_changed(child->supervisor, number);
        return err;
    default:
        return ERR_INPUT;
    }
}

static void child_ready(struct loop_watch *watch, uint32_t ready) {
    struct child *child = watch->owner;
    (void)ready;
    enum err err = ipc_flush(&child->ipc);
    if (!err)
        err = ipc_read(&child->ipc);
    bool is_gone = err == ERR_STATE;
    struct ipc_frame frame;
    while (!(err = ipc_next(&child->ipc, &frame)))
        if ((err = child_frame(child, &frame)))
            break;
    if (is_gone) {
        close_channel(child); /* its end comes by SIGCHLD */
    } else if (err && err != ERR_MORE) {
        trace_error("%s speaks nonsense: ended", role_name(child->role));
        kill(child->pid, SIGKILL);
    }
}

/* ---- ends ---- */

/* An entry that makes the chart crash twice, taken alone, is set aside. */
static void count_crash(struct child *child) {
    if (!child->is_careful) {
        child->is_careful = true;
        child->taking_deaths = 0;
        child->taking = UINT64_MAX;
        return;
    }
    if (child->taking == UINT64_MAX || ++child->taking_deaths < TAKINGS_COUNTED)
        return;
    trace_error("entry %llu stopped the chart twice: set aside",
                (unsigned long long)child->taking);
    child->set_aside = child->taking;
    child->taking_deaths = 0;
}

static void role_ended(struct child *child, int status) {
    struct supervisor *supervisor = child->supervisor;
    struct ipc_frame frame;
    /* What it said last still counts: which entry it was taking. */
    if (child->has_channel && !ipc_read(&child->ipc))
        while (!ipc_next(&child->ipc, &frame) && !child_frame(child, &frame))
            continue;
    close_channel(child);
    child->pid = 0;
    if (child->state == CHILD_STOPPING || supervisor->is_stopping) {
        child->state = CHILD_ENDED;
        return;
    }
    enum child_end end = child_end_of(status);
    if (child->role == ROLE_CHART && end == CHILD_CRASHED)
        count_crash(child);
    if (supervisor->loop.monotonic_us - child->started_at > HEALTHY_US) {
        child->deaths_in_a_row = 0;
        child->is_careful = child->is_careful && end == CHILD_CRASHED;
    }
    child->restarts++;
    wait_to_start(child);
    trace_error("%s ended (%s %d): started again in %lld ms", role_name(child->role),
                WIFEXITED(status) ? "exit code" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                (long long)((child->start_at - supervisor->loop.monotonic_us) / US_PER_MS));
}

static void reap(struct supervisor *supervisor) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned i = 0; i < ROLE_COUNT; i++)
            if (supervisor->children[i].pid == pid)
                role_ended(&supervisor->children[i], status);
}

static void stop_child(struct child *child) {
    if (child->state == CHILD_WAITING)
        child->state = CHILD_ENDED;
    if (child->state != CHILD_RUNNING)
        return;
    child->state = CHILD_STOPPING;
    if (!child->has_channel || roles_put_text(&child->ipc, MESSAGE_STOP, BYTES_NONE) ||
        ipc_flush(&child->ipc))
        kill(child->pid, SIGKILL);
}

static bool stage_is_over(struct supervisor *supervisor, unsigned stage) {
    return supervisor->children[stop_order[stage][0]].state == CHILD_ENDED &&
           supervisor->children[stop_order[stage][1]].state == CHILD_ENDED;
}

static void enter_stage(struct supervisor *supervisor) {
    supervisor->stop_stage_at = supervisor->loop.monotonic_us;
    stop_child(&supervisor->children[stop_order[supervisor->stop_stage][0]]);
    stop_child(&supervisor->children[stop_order[supervisor->stop_stage][1]]);
}

static void stop_next(struct supervisor *supervisor) {
    while (supervisor->stop_stage < STOP_STAGES &&
           stage_is_over(supervisor, supervisor->stop_stage)) {
        supervisor->stop_stage++;
        if (supervisor->stop_stage < STOP_STAGES)
            enter_stage(supervisor);
    }
    if (supervisor->stop_stage == STOP_STAGES) {
        supervisor->loop.is_stopping = true;
        return;
    }
    if (supervisor->loop.monotonic_us - supervisor->stop_stage_at < STOP_PATIENCE_US)
        return;
    for (int i = 0; i < 2; i++) {
        struct child *child = &supervisor->children[stop_order[supervisor->stop_stage][i]];
        if (child->pid > 0)
            kill(child->pid, SIGKILL);
    }
}

static void begin_stop(struct supervisor *supervisor) {
    if (supervisor->is_stopping)
        return;
    supervisor->is_stopping = true;
    trace_info("stopping");
    for (size_t i = 0; i < STARTED_COUNT; i++)
        if (supervisor->children[roles_started[i]].state == CHILD_WAITING)
            supervisor->children[roles_started[i]].state = CHILD_ENDED;
    enter_stage(supervisor);
}

static void take_new_configuration(struct supervisor *supervisor) {
    struct config config;
    struct fault fault = {0};
    enum err err = config_read(&config, supervisor->options->sys, supervisor->options->site_dir,
                               &fault);
    if (err) {
        trace_fault("the new configuration is refused, the old one stays", &fault);
        return;
    }
    *supervisor->options->config = config;
    /* Roles read the file when they start; the sockets and the vault stay as they are. */
    static const enum role readers[] = {ROLE_FEEDS, ROLE_CHART, ROLE_WEB};
    trace_info("new configuration taken");
    for (size_t i = 0; i < 3; i++) {
        struct child *child = &supervisor->children[readers[i]];
        if (child->pid > 0)
            kill(child->pid, SIGKILL);
    }
}

static void signals_ready(struct loop_watch *watch, uint32_t ready) {
    struct supervisor *supervisor = watch->owner;
    struct signalfd_siginfo info;
    (void)ready;
    while (sys_read(supervisor->options->sys, watch->fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap(supervisor);
        else if (info.ssi_signo == SIGHUP)
            take_new_configuration(supervisor);
        else
            begin_stop(supervisor);
    }
}

/* ---- the state, for status and the pages ---- */

static void put_report(struct json *json, const char *name, const struct child *child) {
    json_name(json, name);
    if (child->report_bytes == 0) {
        json_put_null(json);
        return;
    }
    text_put(json->text, bytes_from(child->report, child->report_bytes));
    json->after_name = false;
}

static const char *state_name(const struct child *child) {
    static const char *const names[] = {"waiting", "running", "stopping", "ended"};
    return child->state == CHILD_RUNNING && !child->is_ready ? "starting" : names[child->state];
}

/* A role that died a moment ago is a problem until it has been up for as long as its delay. */
static bool is_down(const struct child *child) {
    return child->state != CHILD_RUNNING;
}

static bool put_problems(struct supervisor *supervisor, struct json *json) {
    bool ok = true;
    json_name(json, "problems");
    json_array_begin(json);
    for (size_t i = 0; i < STARTED_COUNT; i++) {
        const struct child *child = &supervisor->children[roles_started[i]];
        char line[256];
        if (!is_down(child) && !child->problem[0])
            continue;
        snprintf(line, sizeof line, "%s: %s", role_name(child->role),
                 is_down(child) ? "not running" : child->problem);
        json_put_string(json, line);
        ok = false;
    }
    json_array_end(json);
    return ok;
}

static void put_roles(struct supervisor *supervisor, struct json *json) {
    json_name(json, "roles");
    json_object_begin(json);
    for (size_t i = 0; i < STARTED_COUNT; i++) {
        const struct child *child = &supervisor->children[roles_started[i]];
        json_name(json, role_name(child->role));
        json_object_begin(json);
        json_member_string(json, "state", state_name(child));
        json_member_i64(json, "pid", child->pid);
        json_member_u64(json, "restarts", child->restarts);
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

static struct bytes make_state(struct supervisor *supervisor) {
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
    json_name(&json, "listeners");
    json_array_begin(&json);
    put_listener(&json, "mllp", options->mllp_address);
    put_listener(&json, "web", options->web_address);
    json_array_end(&json);
    put_roles(supervisor, &json);
    json_object_end(&json);
    return text.full ? BYTES_NONE : text_bytes(&text);
}

static void send_state(struct supervisor *supervisor) {
    struct child *web = &supervisor->children[ROLE_WEB];
    struct bytes state = make_state(supervisor);
    if (!is_running(web) || !web->is_ready || bytes_is_empty(state))
        return;
    /* One that does not fit is left out: the next comes in a second. */
    if (!roles_put_text(&web->ipc, MESSAGE_STATE, state) && ipc_flush(&web->ipc))
        trace_warning("web was not told the state");
}

/* ---- the control socket ---- */

static void put_answer(struct control *control, enum err code, struct bytes text) {
    ipc_put_begin(&control->ipc, CONTROL_ANSWER);
    ipc_put_u8(&control->ipc, (uint8_t)code);
    ipc_put_bytes(&control->ipc, text);
    if (ipc_put_end(&control->ipc) || ipc_flush(&control->ipc))
        control->is_done = true;
}

static void control_import(struct control *control) {
    struct supervisor *supervisor = control->supervisor;
    struct child *commit = &supervisor->children[ROLE_COMMIT];
    int fds[2];
    struct fault fault = {0};
    if (!is_running(commit) || ipc_pair(supervisor->options->sys, fds, &fault)) {
        put_answer(control, ERR_STATE, BYTES_NONE);
        return;
    }
    give_fd(commit, MESSAGE_PEER, ROLE_IMPORT, fds[0]);
    if (ipc_send_fd(&control->ipc, CONTROL_LINK, 0, fds[1]))
        control->is_done = true;
    sys_close(supervisor->options->sys, fds[0]);
    sys_close(supervisor->options->sys, fds[1]);
}

/* A rebuilt generation lies ready: the file that names the current one is changed by the command, under this
 * socket's order; the chart role is started anew on it. */
static void control_switch(struct control *control) {
    struct child *chart = &control->supervisor->children[ROLE_CHART];
    if (chart->pid > 0)
        kill(chart->pid, SIGKILL);
    chart->deaths_in_a_row = 0;
    put_answer(control, ERR_OK, BYTES_NONE);
}

static enum err control_frame(struct control *control, const struct ipc_frame *frame) {
    uint64_t number;
    enum err err = roles_get_number(frame, &number);
    if (err)
        return err;
    switch (frame->type) {
    case CONTROL_STATUS:
        put_answer(control, ERR_OK, make_state(control->supervisor));
        return ERR_OK;
    case CONTROL_SWITCH:
        control_switch(control);
        return ERR_OK;
    case CONTROL_IMPORT:
        control_import(control);
        return ERR_OK;
    default:
        return ERR_INPUT;
    }
}

static void control_ready(struct loop_watch *watch, uint32_t ready) {
    struct control *control = watch->owner;
    struct ipc_frame frame;
    (void)ready;
    enum err read = ipc_read(&control->ipc);
    enum err err;
    while (!(err = ipc_next(&control->ipc, &frame)) && !(err = control_frame(control, &frame)))
        continue;
    if (ipc_flush(&control->ipc) || (read && read != ERR_MORE) || (err && err != ERR_MORE))
        control->is_done = true;
    if (control->is_done) {
        loop_watch_clear(&control->supervisor->loop, watch);
        ipc_release(&control->ipc);
        control->is_used = false;
        return;
    }
    uint32_t interest = LOOP_READ | (ipc_has_output(&control->ipc) ? LOOP_WRITE : 0);
    if (loop_watch_set(&control->supervisor->loop, watch, control->ipc.fd, interest))
        control->is_done = true;
}

static bool peer_is_owner(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
           (peer.uid == getuid() || peer.uid == 0);
}

static void control_accept(struct loop_watch *watch, uint32_t ready) {
    struct supervisor *supervisor = watch->owner;
    struct sockaddr_storage address;
    (void)ready;
    int fd = sys_accept(supervisor->options->sys, watch->fd, &address);
    if (fd < 0)
        return;
    struct control *control = NULL;
    for (size_t i = 0; i < CONTROL_COUNT_MAX && !control; i++)
        if (!supervisor->controls[i].is_used)
            control = &supervisor->controls[i];
    if (!control || !peer_is_owner(fd) ||
        ipc_init(&control->ipc, supervisor->options->sys, fd, CHANNEL_BYTES, 2 * CHANNEL_BYTES)) {
        sys_close(supervisor->options->sys, fd);
        return;
    }
    control->supervisor = supervisor;
    control->is_used = true;
    control->is_done = false;
    control->watch = (struct loop_watch){.fd = -1, .on_ready = control_ready, .owner = control};
    if (loop_watch_set(&supervisor->loop, &control->watch, fd, LOOP_READ)) {
        ipc_release(&control->ipc);
        control->is_used = false;
    }
}

/* ---- its own life ---- */

static void supervisor_round(void *owner) {
    struct supervisor *supervisor = owner;
    reap(supervisor);
    start_due(supervisor);
    if (supervisor->is_stopping)
        stop_next(supervisor);
    if (supervisor->loop.monotonic_us - supervisor->state_sent_at < US_PER_S)
        return;
    supervisor->state_sent_at = supervisor->loop.monotonic_us;
    send_state(supervisor);
}

static enum err watch_signals(struct supervisor *supervisor, struct fault *fault) {
    sigset_t set;
    sigemptyset(&set);
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < 4; i++)
        sigaddset(&set, wanted[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    supervisor->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (supervisor->signal_fd < 0)
        return fault_set_errno(fault, ERR_IO, errno, "signals cannot be watched", "");
    supervisor->signals =
        (struct loop_watch){.fd = -1, .on_ready = signals_ready, .owner = supervisor};
    return loop_watch_set(&supervisor->loop, &supervisor->signals, supervisor->signal_fd,
                          LOOP_READ);
}

static void set_up_children(struct supervisor *supervisor) {
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        supervisor->children[i] = (struct child){
            .supervisor = supervisor,
            .role = (enum role)i,
            .state = CHILD_ENDED,
            .taking = UINT64_MAX,
            .set_aside = UINT64_MAX,
        };
    for (size_t i = 0; i < STARTED_COUNT; i++)
        supervisor->children[roles_started[i]].state = CHILD_WAITING;
}

static enum err set_up(struct supervisor *supervisor, const struct supervisor_options *options,
                       struct fault *fault) {
    supervisor->options = options;
    supervisor->started_at = sys_now_us(options->sys);
    set_up_children(supervisor);
    enum err err = loop_init(&supervisor->loop, options->sys, fault);
    if (err)
        return err;
    supervisor->loop.on_round = supervisor_round;
    supervisor->loop.owner = supervisor;
    supervisor->loop.tick_ms = 50;
    err = watch_signals(supervisor, fault);
    if (!err)
        err = control_listen(options->sys, options->site_dir, &supervisor->control_fd, fault);
    if (err)
        return err;
    supervisor->control_watch =
        (struct loop_watch){.fd = -1, .on_ready = control_accept, .owner = supervisor};
    return loop_watch_set(&supervisor->loop, &supervisor->control_watch, supervisor->control_fd,
                          LOOP_READ);
}

int supervisor_run(const struct supervisor_options *options) {
    struct supervisor *supervisor = memory_alloc(1, sizeof *supervisor);
    struct fault fault = {0};
    if (!supervisor)
        return err_exit_code(ERR_MEMORY);
    trace_name("supervisor");
    enum err err = set_up(supervisor, options, &fault);
    if (!err)
        err = loop_run(&supervisor->loop, &fault);
    if (err)
        trace_fault("the node cannot run", &fault);
    loop_release(&supervisor->loop);
    memory_free(supervisor);
    return err_exit_code(err);
}
