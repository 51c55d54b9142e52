/* role_harness.h - the feeds role in a process of its own; the test is its supervisor, its commit
 * and its peers. */
#ifndef TESTS_ROLE_HARNESS_H
#define TESTS_ROLE_HARNESS_H

#include "feeds/feeds.h"
#include "roles/roles.h"
#include "tap.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct harness {
    pid_t pid;
    struct ipc supervisor, commit;
    bool has_commit, is_gone; /* gone: it ended before it had been told all */
    uint16_t port;
};

/* A frame that the role sent to commit, copied. */
struct asked {
    int type; /* 0: none came */
    uint64_t token;
    bool check_repeat;
    uint32_t flags;
    size_t body_bytes;
    uint8_t body[70000];
};

static inline void be_the_role(int supervisor_fd, const struct feeds_options *options) {
    if (supervisor_fd != ROLE_SUPERVISOR_FD)
        assert(dup2(supervisor_fd, ROLE_SUPERVISOR_FD) == ROLE_SUPERVISOR_FD);
    _exit(feeds_role_main(options));
}

static inline void harness_give_commit(struct harness *harness) {
    int fds[2];
    struct fault fault = {0};
    assert(!ipc_pair(NULL, fds, &fault));
    if (harness->has_commit)
        ipc_release(&harness->commit);
    assert(!ipc_init(&harness->commit, NULL, fds[0], 1 << 20, 1 << 20));
    harness->is_gone |= ipc_send_fd(&harness->supervisor, MESSAGE_PEER, ROLE_COMMIT, fds[1]) != 0;
    close(fds[1]);
    harness->has_commit = true;
}

static inline void harness_listen(struct harness *harness) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert(!bind(fd, (struct sockaddr *)&address, size) && !listen(fd, 1024));
    assert(!getsockname(fd, (struct sockaddr *)&address, &size));
    harness->port = ntohs(address.sin_port);
    harness->is_gone |= ipc_send_fd(&harness->supervisor, MESSAGE_LISTEN, 0, fd) != 0;
    close(fd);
}

static inline void harness_start(struct harness *harness, const struct feeds_options *options) {
    int fds[2];
    struct fault fault = {0};
    *harness = (struct harness){0};
    assert(!ipc_pair(NULL, fds, &fault));
    fflush(stdout);
    harness->pid = fork();
    if (harness->pid == 0)
        be_the_role(fds[1], options);
    close(fds[1]);
    assert(!ipc_init(&harness->supervisor, NULL, fds[0], 1 << 20, 1 << 20));
    harness_give_commit(harness);
    harness_listen(harness);
}

/* Ask it to stop; its exit code, 1000 when it broke, or -1 when it went on. */
static inline int harness_stop(struct harness *harness) {
    /* It may have ended already: then its code is what counts. */
    harness->is_gone |= roles_put_text(&harness->supervisor, MESSAGE_STOP, BYTES_NONE) ||
                        ipc_flush(&harness->supervisor);
    int status = 0, code = -1;
    for (int i = 0; i < 500 && code < 0; i++) {
        if (waitpid(harness->pid, &status, WNOHANG) == harness->pid)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
        else
            usleep(10000);
    }
    if (code < 0)
        kill(harness->pid, SIGKILL);
    ipc_release(&harness->supervisor);
    ipc_release(&harness->commit);
    return code;
}

/* ---- as commit ---- */

static inline void copy_append(struct asked *asked, const struct ipc_frame *frame) {
    struct append_request request;
    assert(!roles_get_append(frame, &request));
    assert(request.body.size <= sizeof asked->body);
    asked->token = request.token;
    asked->check_repeat = request.check_repeat;
    asked->flags = request.flags;
    asked->body_bytes = request.body.size;
    if (request.body.size)
        memcpy(asked->body, request.body.data, request.body.size);
}

static inline void copy_part(struct asked *asked, const struct ipc_frame *frame) {
    struct bytes data;
    assert(!roles_get_blob(frame, &asked->token, &data));
    assert(data.size <= sizeof asked->body);
    asked->body_bytes = data.size;
    if (data.size)
        memcpy(asked->body, data.data, data.size);
}

/* The next frame the role sends within `wait_ms`; type 0 when none. */
static inline void commit_next(struct harness *harness, struct asked *asked, int wait_ms) {
    struct ipc_frame frame;
    asked->type = 0;
    while (ipc_next(&harness->commit, &frame) == ERR_MORE) {
        struct pollfd wait = {.fd = harness->commit.fd, .events = POLLIN};
        if (poll(&wait, 1, wait_ms) != 1 || ipc_read(&harness->commit))
            return;
    }
    asked->type = frame.type;
    if (frame.type == MESSAGE_APPEND || frame.type == MESSAGE_BLOB_END)
        copy_append(asked, &frame);
    else
        copy_part(asked, &frame);
}

static inline void commit_say(struct harness *harness, uint64_t token, enum err err,
                              bool is_repeat) {
    struct append_answer answer = {.token = token, .err = err, .is_repeat = is_repeat};
    assert(!roles_put_appended(&harness->commit, &answer));
    assert(!ipc_flush(&harness->commit));
}

static inline void commit_state(struct harness *harness, bool is_full, bool is_suspect) {
    assert(!roles_put_vault_state(&harness->commit, is_full, is_suspect));
    assert(!ipc_flush(&harness->commit));
}

/* ---- as a peer ---- */

/* -1 when nobody listens. */
/* With a receive buffer of its own size (0: the system's). It must be set before the connection is made: a window that
 * shrinks afterwards makes the kernel drop the other side's acknowledgements too. */
static inline int peer_open_sized(const struct harness *harness, int receive_bytes) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(harness->port)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline int peer_open(const struct harness *harness) {
    return peer_open_sized(harness, 0);
}

static inline void peer_put(int fd, const void *data, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t n = send(fd, (const char *)data + at, size - at, MSG_NOSIGNAL);
        assert(n > 0);
        at += (size_t)n;
    }
}

static inline void peer_put_string(int fd, const char *string) {
    peer_put(fd, string, strlen(string));
}

/* One frame of the answers, byte by byte so that the next one stays; "" none in time, "closed" at
 * the end. */
static inline const char *peer_get(int fd, int wait_ms) {
    static char frame[70000];
    size_t size = 0;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, wait_ms) != 1)
            return "";
        ssize_t n = recv(fd, frame + size, 1, 0);
        if (n <= 0)
            return "closed";
        if (frame[size] == '\r' && size > 0 && frame[size - 1] == 0x1c) {
            frame[size - 1] = 0;
            return frame + 1;
        }
        assert(++size < sizeof frame);
    }
}

/* Its MSA-1 and MSA-2 as "AA ID", or what peer_get says. */
static inline const char *peer_ack(int fd, int wait_ms) {
    static char ack[256];
    const char *frame = peer_get(fd, wait_ms), *msa = strstr(frame, "\rMSA|");
    if (!msa)
        return frame;
    snprintf(ack, sizeof ack, "%.2s %.*s", msa + 5, (int)strcspn(msa + 8, "|\r"), msa + 8);
    return ack;
}

/* A framed message with MSH-15 and MSH-16 as given. */
static inline const char *framed(const char *id, const char *accept, const char *application) {
    static char message[512];
    snprintf(message, sizeof message,
             "\x0bMSH|^~\\&|GAM|HOP|VEIL|HOP|20260105080000||ADT^A01^ADT_A01|%s|P|2.5|||%s|%s\r"
             "EVN|A01|20260105080000\rPID|1||7^^^HOP^PI||DUPONT^Jeanne\r\x1c\r",
             id, accept, application);
    return message;
}

#endif
