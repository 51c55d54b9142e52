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
#include "node/supervisor_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEALTHY_US        (30 * US_PER_S)
#define STOP_PATIENCE_US  (8 * US_PER_S)
#define TAKINGS_COUNTED   2

static const enum role node_roles[] = {ROLE_COMMIT, ROLE_PUBLISH, ROLE_OPEN,
                                       ROLE_CHART,  ROLE_WEB,     ROLE_FEEDS,
                                       ROLE_FOLDER};
static const enum role viewer_roles[] = {ROLE_OPEN, ROLE_WEB};

static const enum role linked_pairs[][2] = {
    {ROLE_FEEDS, ROLE_COMMIT}, {ROLE_COMMIT, ROLE_PUBLISH}, {ROLE_COMMIT, ROLE_OPEN},
    {ROLE_OPEN, ROLE_CHART},   {ROLE_OPEN, ROLE_WEB},       {ROLE_WEB, ROLE_COMMIT},
    {ROLE_FOLDER, ROLE_COMMIT},
};

/* Who stops after whom: first those that take in, then those that finish what was taken. */
static const enum role stop_order[][2] = {
    {ROLE_FEEDS, ROLE_FOLDER}, {ROLE_COMMIT, ROLE_COMMIT}, {ROLE_CHART, ROLE_PUBLISH},
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

bool child_is_running(const struct child *child) {
    return child->state == CHILD_RUNNING && child->has_channel;
}

/* ---- links ---- */

void child_give_fd(struct child *child, enum role_message type, uint32_t argument, int fd) {
    if (ipc_send_fd(&child->ipc, (uint16_t)type, argument, fd))
        trace_warning("%s did not take a descriptor", role_name(child->role));
}

static void link_pair(struct supervisor *supervisor, enum role a, enum role b) {
    struct child *first = &supervisor->children[a], *second = &supervisor->children[b];
    if (!child_is_running(first) || !child_is_running(second))
        return;
    int fds[2];
    struct fault fault = {0};
    if (ipc_pair(supervisor->options->sys, fds, &fault)) {
        trace_fault("no link can be made", &fault);
        return;
    }
    child_give_fd(first, MESSAGE_PEER, b, fds[0]);
    child_give_fd(second, MESSAGE_PEER, a, fds[1]);
    sys_close(supervisor->options->sys, fds[0]);
    sys_close(supervisor->options->sys, fds[1]);
}

static void link_all(struct supervisor *supervisor, enum role role) {
    for (size_t i = 0; i < sizeof linked_pairs / sizeof linked_pairs[0]; i++)
        if (linked_pairs[i][0] == role || linked_pairs[i][1] == role)
            link_pair(supervisor, linked_pairs[i][0], linked_pairs[i][1]);
}

/* ---- starting ---- */

/* Where no folder is watched there is nobody to watch it. */
bool supervisor_wants(const struct supervisor *supervisor, enum role role) {
    return role != ROLE_FOLDER || supervisor->options->config->folder_count > 0;
}

static void child_ready(struct loop_watch *watch, uint32_t ready);

static bool reads_keys(enum role role) {
    return role == ROLE_COMMIT || role == ROLE_PUBLISH || role == ROLE_OPEN;
}

int give_unlock(const struct supervisor *supervisor, int *fd) {
    const struct vault_unlock *unlock = supervisor->options->unlock;
    struct sys *sys = supervisor->options->sys;
    int fds[2];
    *fd = -1;
    if (!unlock)
        return 0;
    if (sys_socketpair(sys, fds))
        return errno;
    bool is_given = sys_send(sys, fds[0], unlock, sizeof *unlock, 0) == sizeof *unlock;
    sys_close(sys, fds[0]);
    if (is_given) /* above those that the role will have: one is put in its place before the other */
        *fd = fcntl(fds[1], F_DUPFD_CLOEXEC, ROLE_UNLOCK_FD + 1);
    sys_close(sys, fds[1]);
    return *fd >= 0 ? 0 : EIO;
}

static int spawn(struct child *child, int channel_fd, int unlock_fd) {
    struct supervisor *supervisor = child->supervisor;
    char set_aside[32], program[] = "veilleuse", command[] = "role", careful[] = "--careful",
                        set_aside_option[] = "--set-aside", chart_option[] = "--chart",
                        below_option[] = "--below", unlock[] = "--unlock";
    char role[16], site_dir[SITE_PATH_BYTES], past_chart[SITE_PATH_BYTES], below[32];
    snprintf(role, sizeof role, "%s", role_name(child->role));
    snprintf(site_dir, sizeof site_dir, "%s", supervisor->options->site_dir);
    snprintf(set_aside, sizeof set_aside, "%llu", (unsigned long long)child->set_aside);
    char *argv[11] = {program, command, role, site_dir};
    int argc = 4;
    if (supervisor->options->past_chart) {
        snprintf(past_chart, sizeof past_chart, "%s", supervisor->options->past_chart);
        snprintf(below, sizeof below, "%llu",
                 (unsigned long long)supervisor->options->past_entry_count);
        argv[argc++] = child->role == ROLE_WEB ? chart_option : below_option;
        argv[argc++] = child->role == ROLE_WEB ? past_chart : below;
    }
    if (child->is_careful)
        argv[argc++] = careful;
    if (child->set_aside != UINT64_MAX) {
        argv[argc++] = set_aside_option;
        argv[argc++] = set_aside;
    }
    if (unlock_fd >= 0)
        argv[argc++] = unlock;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, channel_fd, ROLE_SUPERVISOR_FD);
    if (unlock_fd >= 0)
        posix_spawn_file_actions_adddup2(&actions, unlock_fd, ROLE_UNLOCK_FD);
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
        child_give_fd(child, MESSAGE_LISTEN, 0, options->mllp_fd);
    if (child->role == ROLE_WEB && options->web_fd >= 0)
        child_give_fd(child, MESSAGE_LISTEN, 0, options->web_fd);
}

static void wait_to_start(struct child *child) {
    child->state = CHILD_WAITING;
    child->start_at = child->supervisor->loop.monotonic_us +
                      restart_delay_us(++child->deaths_in_a_row);
}

static void start_child(struct child *child) {
    struct supervisor *supervisor = child->supervisor;
    int fds[2], unlock_fd = -1;
    struct fault fault = {0};
    if (ipc_pair(supervisor->options->sys, fds, &fault)) {
        trace_fault("no channel can be made", &fault);
        wait_to_start(child);
        return;
    }
    int failed = reads_keys(child->role) ? give_unlock(supervisor, &unlock_fd) : 0;
    if (!failed)
        failed = spawn(child, fds[1], unlock_fd);
    sys_close(supervisor->options->sys, fds[1]);
    if (unlock_fd >= 0)
        sys_close(supervisor->options->sys, unlock_fd);
    if (failed) {
        trace_error("%s cannot be started: %s", role_name(child->role), strerror(failed));
        sys_close(supervisor->options->sys, fds[0]);
        wait_to_start(child);
        return;
    }
    child->state = CHILD_RUNNING;
    child->is_ready = false;
    child->started_at = child->heard_at = supervisor->loop.monotonic_us;
    child->report_bytes = 0;
    child->confined = 0;
    child->problem[0] = 0;
    if (open_channel(child, fds[0])) {
        kill(child->pid, SIGKILL);
        return;
    }
    give_listener(child);
    link_all(supervisor, child->role);
}

static void start_due(struct supervisor *supervisor) {
    for (size_t i = 0; i < supervisor->role_count && !supervisor->is_stopping; i++) {
        struct child *child = &supervisor->children[supervisor->roles[i]];
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
    if (child_is_running(web) && (roles_put_number(&web->ipc, MESSAGE_CHART, generation) ||
                            ipc_flush(&web->ipc)))
        trace_warning("web was not told of the new chart");
}

static enum err child_frame(struct child *child, const struct ipc_frame *frame) {
    struct bytes text;
    uint64_t number;
    enum err err;
    child->heard_at = child->supervisor->loop.monotonic_us;
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
    case MESSAGE_ALIVE:
        return ERR_OK;
    case MESSAGE_CONFINED:
        return roles_get_number(frame, &child->confined);
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
    if (child->state == CHILD_STOPPING || supervisor->is_stopping ||
        !supervisor_wants(supervisor, child->role)) {
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
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (helper_ended(supervisor, pid, status))
            continue;
        for (unsigned i = 0; i < ROLE_COUNT; i++)
            if (supervisor->children[i].pid == pid)
                role_ended(&supervisor->children[i], status);
    }
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

/* Tell a service manager (sd_notify(3): a datagram to NOTIFY_SOCKET). */
static void notify(struct supervisor *supervisor, const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || !path[0] || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (address.sun_path[0] == '@')
        address.sun_path[0] = 0;
    int fd = sys_socket(supervisor->options->sys, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (fd < 0)
        return;
    if (sys_connect(supervisor->options->sys, fd, (struct sockaddr *)&address, size) ||
        sys_send(supervisor->options->sys, fd, state, strlen(state), 0) < 0)
        trace_warning("the service manager was not told");
    sys_close(supervisor->options->sys, fd);
}

static void begin_stop(struct supervisor *supervisor) {
    if (supervisor->is_stopping)
        return;
    supervisor->is_stopping = true;
    trace_info("stopping");
    notify(supervisor, "STOPPING=1");
    helper_stop(supervisor);
    for (size_t i = 0; i < supervisor->role_count; i++)
        if (supervisor->children[supervisor->roles[i]].state == CHILD_WAITING)
            supervisor->children[supervisor->roles[i]].state = CHILD_ENDED;
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
    static const enum role readers[] = {ROLE_FEEDS, ROLE_CHART, ROLE_WEB, ROLE_FOLDER};
    trace_info("new configuration taken");
    helper_hurry(supervisor);
    for (size_t i = 0; i < 4; i++) {
        struct child *child = &supervisor->children[readers[i]];
        if (child->pid > 0)
            kill(child->pid, SIGKILL);
    }
    struct child *folder = &supervisor->children[ROLE_FOLDER];
    if (folder->state == CHILD_ENDED && supervisor_wants(supervisor, ROLE_FOLDER) && !supervisor->is_stopping)
        folder->state = CHILD_WAITING;
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

/* ---- the state goes to the pages ---- */

static void send_state(struct supervisor *supervisor) {
    struct child *web = &supervisor->children[ROLE_WEB];
    struct bytes state = supervisor_state(supervisor);
    if (!child_is_running(web) || !web->is_ready || bytes_is_empty(state))
        return;
    /* One that does not fit is left out: the next comes in a second. */
    if (!roles_put_text(&web->ipc, MESSAGE_STATE, state) && ipc_flush(&web->ipc))
        trace_warning("web was not told the state");
}

/* ---- its own life ---- */

/* Once every role has come up for the first time: say where, to people and to the service manager. */
static void announce(struct supervisor *supervisor) {
    for (size_t i = 0; i < supervisor->role_count; i++)
        if (supervisor_wants(supervisor, supervisor->roles[i]) &&
            !supervisor->children[supervisor->roles[i]].is_ready)
            return;
    supervisor->is_announced = true;
    if (!supervisor->options->past_chart)
        printf("mllp %s\n", supervisor->options->mllp_address);
    printf("web http://%s/\n", supervisor->options->web_address);
    fflush(stdout);
    notify(supervisor, "READY=1");
}

static void supervisor_round(void *owner) {
    struct supervisor *supervisor = owner;
    reap(supervisor);
    if (!supervisor->is_announced)
        announce(supervisor);
    start_due(supervisor);
    helper_round(supervisor);
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
    for (size_t i = 0; i < supervisor->role_count; i++)
        if (supervisor_wants(supervisor, supervisor->roles[i]))
            supervisor->children[supervisor->roles[i]].state = CHILD_WAITING;
}

static enum err set_up(struct supervisor *supervisor, const struct supervisor_options *options,
                       struct fault *fault) {
    bool is_viewer = options->past_chart != NULL;
    supervisor->options = options;
    supervisor->roles = is_viewer ? viewer_roles : node_roles;
    supervisor->role_count = is_viewer ? sizeof viewer_roles / sizeof viewer_roles[0]
                                       : sizeof node_roles / sizeof node_roles[0];
    supervisor->started_at = sys_now_us(options->sys);
    set_up_children(supervisor);
    enum err err = loop_init(&supervisor->loop, options->sys, fault);
    if (err)
        return err;
    supervisor->loop.on_round = supervisor_round;
    supervisor->loop.owner = supervisor;
    supervisor->loop.tick_ms = 50;
    err = watch_signals(supervisor, fault);
    if (err || is_viewer) /* the control socket is the node's, which may run beside it */
        return err;
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
