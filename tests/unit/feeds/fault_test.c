/* fault_test.c - each system call of the feeds role fails in turn: it never breaks, and never
 * acknowledges what commit did not confirm. */
#include "role_harness.h"

struct outcome {
    bool was_confirmed, was_acknowledged;
    int exit_code; /* 1000: it broke */
};

/* As commit: the message is durable. */
static bool confirm(struct harness *harness) {
    static struct asked asked;
    commit_next(harness, &asked, 150);
    struct append_answer answer = {.token = asked.token, .err = ERR_OK};
    return asked.type == MESSAGE_APPEND && !roles_put_appended(&harness->commit, &answer) &&
           !ipc_flush(&harness->commit);
}

/* One message passes, or not, while call number `fail_at` fails. */
static struct outcome try(uint64_t fail_at, int fail_errno) {
    struct harness harness;
    struct outcome outcome = {0};
    struct sys sys;
    sys_init(&sys);
    sys.fail_at = fail_at;
    sys.fail_errno = fail_errno;
    struct feeds_options options = {.sys = &sys, .connection_count_max = 16};
    harness_start(&harness, &options);
    int fd = peer_open(&harness);
    const char *message = framed("N", "", "");
    if (fd >= 0 && send(fd, message, strlen(message), MSG_NOSIGNAL) > 0) {
        outcome.was_confirmed = confirm(&harness);
        outcome.was_acknowledged = strcmp(peer_ack(fd, 150), "AA N") == 0;
    }
    if (fd >= 0)
        close(fd);
    outcome.exit_code = harness_stop(&harness);
    return outcome;
}

int main(void) {
    static const int errnums[] = {ECONNRESET, ENOMEM, EMFILE, EAGAIN};
    signal(SIGPIPE, SIG_IGN);
    unsigned passed = 0, broken = 0, false_acknowledgements = 0;
    for (size_t e = 0; e < sizeof errnums / sizeof *errnums; e++)
        for (uint64_t n = 0; n < 40; n++) {
            struct outcome outcome = try(n, errnums[e]);
            passed += outcome.was_acknowledged;
            broken += outcome.exit_code == 1000 || outcome.exit_code < 0;
            false_acknowledgements += outcome.was_acknowledged && !outcome.was_confirmed;
            if (outcome.exit_code == 1000 || outcome.exit_code < 0)
                printf("# call %u, errno %d: exit %d\n", (unsigned)n, errnums[e],
                       outcome.exit_code);
        }
    ok(passed > 20, "most failures are of calls that are tried again");
    is_int(broken, 0);
    is_int(false_acknowledgements, 0);
    return done();
}
