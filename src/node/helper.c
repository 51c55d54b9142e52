/* helper.c - what a node does of its own accord now and then, each by a short-lived process of its own: epochs that are too
 * old (key retain), a chart that still shows what was erased (rebuild --after-erasing).
 *
 * The supervisor only starts them. They are commands that a person could give, and go through the node's own doors. */
#include "node/supervisor_state.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AFTER_START_US (3 * US_PER_S) /* by then the roles run */
#define EVERY_US       (3600 * US_PER_S)

static const char *const helpers[][4] = {
    {"key", "retain", "--by-node", NULL},
    {"rebuild", "--after-erasing", NULL, NULL},
};
enum { HELPER_COUNT = sizeof helpers / sizeof helpers[0] };

static int start(struct supervisor *supervisor, const char *const *words) {
    char program[] = "veilleuse", unlock[] = "--unlock", copies[3][24], site_dir[SITE_PATH_BYTES];
    char *argv[7] = {program};
    int argc = 1, unlock_fd;
    int failed = give_unlock(supervisor, &unlock_fd);
    if (failed)
        return failed;
    for (; words[argc - 1]; argc++) {
        snprintf(copies[argc - 1], sizeof copies[0], "%s", words[argc - 1]);
        argv[argc] = copies[argc - 1];
    }
    snprintf(site_dir, sizeof site_dir, "%s", supervisor->options->site_dir);
    argv[argc++] = site_dir;
    if (unlock_fd >= 0)
        argv[argc] = unlock;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    /* Standard output is the node's own: two lines, for whoever started it. */
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (unlock_fd >= 0)
        posix_spawn_file_actions_adddup2(&actions, unlock_fd, ROLE_UNLOCK_FD);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failed = posix_spawn(&supervisor->helper_pid, "/proc/self/exe", &actions, &attributes, argv,
                         environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (unlock_fd >= 0)
        sys_close(supervisor->options->sys, unlock_fd);
    return failed;
}

void helper_round(struct supervisor *supervisor) {
    int64_t now = supervisor->loop.monotonic_us;
    if (!supervisor->is_announced || supervisor->is_stopping || supervisor->options->past_chart ||
        supervisor->helper_pid)
        return;
    if (supervisor->helper_at == 0)
        supervisor->helper_at = now + AFTER_START_US;
    if (now < supervisor->helper_at)
        return;
    int failed = start(supervisor, helpers[supervisor->helper_next]);
    if (failed) {
        trace_error("the node's own command cannot be started: %s", strerror(failed));
        supervisor->helper_pid = 0;
    }
    supervisor->helper_next = (supervisor->helper_next + 1) % HELPER_COUNT;
    if (failed || supervisor->helper_next == 0)
        supervisor->helper_at = now + EVERY_US;
}

bool helper_ended(struct supervisor *supervisor, pid_t pid, int status) {
    if (pid != supervisor->helper_pid)
        return false;
    supervisor->helper_pid = 0;
    if (status && !supervisor->is_stopping)
        trace_warning("the node's own command ended (%s %d)",
                      WIFEXITED(status) ? "exit code" : "signal",
                      WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return true;
}

void helper_hurry(struct supervisor *supervisor) {
    supervisor->helper_next = 0;
    supervisor->helper_at = supervisor->loop.monotonic_us + AFTER_START_US;
}

/* What it was at is taken up by the next one. */
void helper_stop(struct supervisor *supervisor) {
    if (supervisor->helper_pid)
        kill(supervisor->helper_pid, SIGTERM);
}
