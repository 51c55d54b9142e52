/* sender_test.c - the sender against small servers that answer well, wrongly, late, with a NAK, or
 * not at all. */
#include "feeds/feeds.h"
#include "feeds/histogram.h"
#include "tap.h"

#include <assert.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum manner { GOOD, WRONG_ID, SILENT, NAK, HANGS_UP, TWO_STEPS, LATE_THEN_GOOD };

struct server {
    pid_t pid;
    char port[16];
};

static const char *code_of(enum manner manner) {
    return manner == NAK ? "AE" : manner == TWO_STEPS ? "CA" : "AA";
}

/* Answer the message in `body` as the manner is. */
static void answer(int fd, enum manner manner, const char *id, unsigned nth) {
    char text[512];
    if (manner == SILENT)
        return;
    if (manner == LATE_THEN_GOOD && nth == 0)
        usleep(400000);
    int size = snprintf(text, sizeof text, "\x0bMSH|^~\\&|S|S|C|C|||ACK|1|P|2.5\rMSA|%s|%s\r\x1c\r",
                        code_of(manner), manner == WRONG_ID ? "OTHER" : id);
    if (manner == TWO_STEPS)
        size += snprintf(text + size, sizeof text - (size_t)size,
                         "\x0bMSH|^~\\&|S|S|C|C|||ACK|1|P|2.5\rMSA|AA|%s\r\x1c\r", id);
    if (send(fd, text, (size_t)size, MSG_NOSIGNAL) < 0)
        _exit(0);
}

/* One connection at a time is enough: peers wait. Each connection is served by a process of its
 * own. */
static void serve(int listener, enum manner manner) {
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fork()) {
            close(fd);
            continue;
        }
        char in[65536];
        size_t size = 0;
        for (unsigned nth = 0;;) {
            ssize_t n = recv(fd, in + size, sizeof in - 1 - size, 0);
            if (n <= 0 || (manner == HANGS_UP && nth == 2))
                _exit(0);
            in[size += (size_t)n] = 0;
            char *end = strstr(in, "\x1c\r");
            if (!end)
                continue;
            char id[32] = "", *field = in;
            for (int i = 0; field && i < 9; i++)
                field = strchr(field + 1, '|');
            if (field)
                snprintf(id, sizeof id, "%.*s", (int)strcspn(field + 1, "|"), field + 1);
            answer(fd, manner, id, nth++);
            size = 0;
        }
    }
}

static struct server start(enum manner manner) {
    struct server server;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert(!bind(fd, (struct sockaddr *)&address, size) && !listen(fd, 64));
    assert(!getsockname(fd, (struct sockaddr *)&address, &size));
    snprintf(server.port, sizeof server.port, "%u", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    server.pid = fork();
    if (server.pid == 0) {
        signal(SIGCHLD, SIG_IGN);
        serve(fd, manner);
    }
    close(fd);
    return server;
}

static void stop(const struct server *server) {
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

struct source {
    unsigned count, given, per_connection[8];
    const char *accept, *application;
    char text[8][256];
};

static enum err next(void *owner, unsigned connection, struct bytes *message, int64_t *due_us) {
    struct source *source = owner;
    if (source->given == source->count)
        return ERR_MORE;
    source->per_connection[connection]++;
    snprintf(source->text[connection], sizeof source->text[connection],
             "MSH|^~\\&|A|B|C|D|20260105||ADT^A01|ID%u|P|2.5|||%s|%s\rPID|1||7\r", source->given++,
             source->accept, source->application);
    *message = bytes_from_string(source->text[connection]);
    *due_us = 0;
    return ERR_OK;
}

static enum err try(enum manner manner, struct source *source, unsigned connections, uint64_t rate,
                    struct feeds_sender_report *report) {
    struct server server = start(manner);
    struct fault fault = {0};
    struct feeds_sender_options options = {.host = "127.0.0.1",
                                           .port = server.port,
                                           .connection_count = connections,
                                           .rate_per_second = rate,
                                           .timeout_ms = 300};
    enum err err = feeds_send(&options, next, source, report, &fault);
    stop(&server);
    return err;
}

static void answers(void) {
    struct feeds_sender_report report;
    struct source source = {.count = 40, .accept = "", .application = ""};
    is_int(try(GOOD, &source, 4, 0, &report), ERR_OK);
    is_int(report.sent, 40);
    is_int(report.aa, 40);
    ok(source.per_connection[0] > 0 && source.per_connection[3] > 0, "over all connections");
    ok(report.p50_us > 0 && report.p50_us <= report.p99_us && report.p99_us <= report.max_us,
       "times are in order");
    source = (struct source){.count = 10, .accept = "AL", .application = "AL"};
    is_int(try(TWO_STEPS, &source, 1, 0, &report), ERR_OK);
    is_int(report.aa, 10);
    is_int(report.mismatched, 0);
    source = (struct source){.count = 5, .accept = "NE", .application = "NE"};
    is_int(try(SILENT, &source, 1, 0, &report), ERR_OK);
    is_int(report.other, 5);
    source = (struct source){.count = 3, .accept = "", .application = ""};
    is_int(try(NAK, &source, 1, 0, &report), ERR_OK);
    is_int(report.ae, 3);
    is_string(report.first_nak, "AE ID0 ");
    source = (struct source){.count = 20, .accept = "", .application = ""};
    is_int(try(GOOD, &source, 2, 100, &report), ERR_OK);
    ok(report.seconds > 0.15, "no faster than the rate");
}

static void failures(void) {
    struct feeds_sender_report report;
    struct source source = {.count = 10, .accept = "", .application = ""};
    is_int(try(WRONG_ID, &source, 1, 0, &report), ERR_TIMEOUT);
    is_int(report.mismatched, 1);
    is_int(report.aa, 0);
    is_int(report.unanswered, 1);
    source = (struct source){.count = 10, .accept = "", .application = ""};
    is_int(try(SILENT, &source, 1, 0, &report), ERR_TIMEOUT);
    is_int(report.sent, 1);
    source = (struct source){.count = 10, .accept = "", .application = ""};
    is_int(try(LATE_THEN_GOOD, &source, 1, 0, &report), ERR_TIMEOUT);
    is_int(report.aa, 0);
    source = (struct source){.count = 10, .accept = "", .application = ""};
    is_int(try(HANGS_UP, &source, 1, 0, &report), ERR_STATE);
    is_int(report.aa, 2);
    is_int(report.unanswered, 1);
    struct server server = start(GOOD);
    stop(&server);
    struct fault fault = {0};
    struct feeds_sender_options options = {.host = "127.0.0.1", .port = server.port};
    is_int(feeds_send(&options, next, &source, &report, &fault), ERR_STATE);
    is_int(report.sent, 0);
}

static void percentiles(void) {
    static struct histogram histogram;
    for (int64_t us = 1; us <= 100000; us++)
        histogram_add(&histogram, us);
    int64_t p50 = histogram_at(&histogram, 500), p99 = histogram_at(&histogram, 990);
    ok(p50 >= 50000 && p50 <= 52000, "p50");
    ok(p99 >= 99000 && p99 <= 100000, "p99");
    is_int(histogram.max_us, 100000);
    histogram_add(&histogram, INT64_MAX);
    is_int(histogram_at(&histogram, 1000), INT64_MAX);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    answers();
    failures();
    percentiles();
    return done();
}
