/* trace_test.c - lines for the operator on stderr. */
#include "base/trace.h"
#include "tap.h"
#include <fcntl.h>
#include <unistd.h>

static int read_end, true_stderr;

static void catch_stderr(void) {
    int fds[2];
    true_stderr = dup(STDERR_FILENO);
    if (true_stderr < 0 || pipe2(fds, O_NONBLOCK) != 0 || dup2(fds[1], STDERR_FILENO) < 0)
        exit(1);
    close(fds[1]);
    read_end = fds[0];
}

static const char *caught(void) {
    static char buffer[65536];
    ssize_t size = read(read_end, buffer, sizeof buffer - 1);
    buffer[size > 0 ? size : 0] = 0;
    return buffer;
}

static unsigned count_lines(const char *lines) {
    unsigned count = 0;
    for (; *lines; lines++)
        count += *lines == '\n';
    return count;
}

static void test_lines(void) {
    unsetenv("JOURNAL_STREAM");
    trace_info("the lamp is %s", "lit");
    is_string(caught(), "veilleuse[-]: info: the lamp is lit\n");
    trace_name("commit");
    trace_warning("a\nb");
    is_string(caught(), "veilleuse[commit]: warning: a?b\n");
    struct fault fault = {.code = ERR_IO, .what = "cannot sync", .subject = "/x"};
    setenv("JOURNAL_STREAM", "8:1", 1);
    trace_fault("storing", &fault);
    is_string(caught(), "<3>veilleuse[commit]: error: storing: cannot sync: /x\n");
    char large[5000];
    memset(large, 'y', sizeof large - 1);
    large[sizeof large - 1] = 0;
    trace_error("%s", large);
    const char *line = caught();
    ok(count_lines(line) == 1 && strlen(line) < 1100, "a line is cut, and is one line");
}

static void test_limit(void) {
    sleep(1);
    for (int i = 0; i < 500; i++)
        trace_info("line %d", i);
    unsigned count = count_lines(caught());
    ok(count >= 50 && count < 300, "fifty lines a second");
    sleep(1);
    trace_info("later");
    const char *lines = caught();
    ok(strstr(lines, "lines were left out") && strstr(lines, "later"), "what was left out is said");
}

int main(void) {
    catch_stderr();
    test_lines();
    test_limit();
    dup2(true_stderr, STDERR_FILENO);
    return done();
}
