/* sender.c - sends messages over many connections, each waiting for its answer: a peer of our own,
 * and the load tool.
 *
 * Invariants
 *   A connection has at most one message under way; only an answer whose MSA-2 is its MSH-10 can
 *   count for it.
 *   After a time-out the connection is closed: an answer that comes late finds nobody.
 *   Once one connection has failed no further message is taken; those under way are still answered,
 *   or time out.
 *
 *   connecting --> idle --(a message and its time)--> sending --> waiting --(its answer)--> idle
 *                    \--(there are no more, or stopped)--> closed <--(cut, time-out)-- any
 */
#include "feeds/feeds.h"
#include "feeds/histogram.h"
#include "feeds/mllp.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#define ANSWER_BYTES_MAX 8192u
#define TIMEOUT_MS       30000
#define STOP_TIMEOUT_US  (2 * US_PER_S)
#define CHECK_US         (50 * US_PER_MS)
#define IDLE_TICK_MS     50

enum { CONNECTING, IDLE, SENDING, WAITING, CLOSED };

struct sending {
    struct sender *sender;
    struct loop_watch watch;
    int fd, state;
    unsigned number;
    struct bytes message, control_id;
    char unawaited[64]; /* the last control id whose message asked for no answer */
    bool has_message;   /* taken, and not sent yet: waits for due_us */
    int64_t due_us, sent_us;
    size_t sent_bytes; /* of the frame, with its three bytes */
    bool waits_accept, waits_application;
    struct mllp_reader reader;
    uint32_t in_end;
    uint8_t in[ANSWER_BYTES_MAX];
};

struct sender {
    struct loop loop;
    struct feeds_sender_options options;
    feeds_sender_next next;
    void *owner;
    struct feeds_sender_report *report;
    struct histogram *histogram;
    struct sending *connections;
    struct sockaddr_storage address;
    socklen_t address_bytes;
    unsigned open_count;
    uint64_t taken_count;
    int64_t started_us, checked_us, stopped_us;
    bool is_over; /* no further message is taken */
    enum err err; /* why it ended early */
};

/* ---- the end of a connection ---- */

static void close_connection(struct sending *connection) {
    struct sender *sender = connection->sender;
    if (connection->state == CLOSED)
        return;
    loop_watch_clear(&sender->loop, &connection->watch);
    if (connection->fd >= 0)
        sys_close(sender->options.sys, connection->fd);
    connection->fd = -1;
    connection->state = CLOSED;
    if (--sender->open_count == 0)
        sender->loop.is_stopping = true;
}

static void fail(struct sending *connection, enum err err) {
    struct sender *sender = connection->sender;
    if (!sender->err)
        sender->err = err;
    sender->is_over = true;
    if (connection->state == WAITING || connection->state == SENDING)
        sender->report->unanswered++;
    close_connection(connection);
}

/* ---- sending ---- */

/* Original mode asks for one answer; enhanced mode for what MSH-15 and 16 say (HL7 v2.5 2.9). */
static void expect_answers(struct sending *connection) {
    struct hl7_header header;
    hl7_header_read(&header, connection->message);
    connection->control_id = header.control_id;
    bool is_original = header.accept_ack.size == 0 && header.application_ack.size == 0;
    connection->waits_accept =
        is_original || bytes_is(header.accept_ack, "AL") || bytes_is(header.accept_ack, "SU");
    connection->waits_application =
        bytes_is(header.application_ack, "AL") || bytes_is(header.application_ack, "SU");
}

static void watch_for(struct sending *connection, uint32_t interest) {
    struct sender *sender = connection->sender;
    if (loop_watch_set(&sender->loop, &connection->watch, connection->fd, interest))
        fail(connection, ERR_IO);
}

/* Some answer all the same; that answer is then not for the next message. */
static void remember_unawaited(struct sending *connection) {
    struct text text;
    text_init(&text, connection->unawaited, sizeof connection->unawaited);
    text_put(&text, connection->control_id);
}

static void sent_whole(struct sending *connection) {
    connection->sender->report->sent++;
    connection->state = WAITING;
    if (!connection->waits_accept && !connection->waits_application) {
        connection->sender->report->other++; /* it asks for no answer: none is waited for */
        remember_unawaited(connection);
        connection->state = IDLE;
    }
    watch_for(connection, LOOP_READ);
}

static void send_more(struct sending *connection) {
    static const uint8_t start[1] = {MLLP_START}, end[2] = {MLLP_END, MLLP_RETURN};
    const struct bytes parts[3] = {{start, 1}, connection->message, {end, 2}};
    struct iovec vector[3];
    struct msghdr message = {.msg_iov = vector};
    size_t skip = connection->sent_bytes, whole = connection->message.size + 3;
    for (size_t i = 0; i < 3; i++) {
        struct bytes rest = bytes_skip(parts[i], skip);
        skip -= parts[i].size - rest.size;
        /* sendmsg does not write into what it sends; its interface only forgets to say so. */
        if (rest.size)
            vector[message.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)rest.data, rest.size};
    }
    ssize_t n = sys_sendmsg(connection->sender->options.sys, connection->fd, &message, 0);
    if (n < 0 && errno != EAGAIN) {
        fail(connection, ERR_STATE);
        return;
    }
    connection->sent_bytes += n > 0 ? (size_t)n : 0;
    if (connection->sent_bytes == whole)
        sent_whole(connection);
    else
        watch_for(connection, LOOP_READ | LOOP_WRITE);
}

static void begin_sending(struct sending *connection, int64_t now_us) {
    connection->has_message = false;
    connection->state = SENDING;
    connection->sent_bytes = 0;
    connection->sent_us = now_us;
    expect_answers(connection);
    send_more(connection);
}

/* When the n-th message of all may go. */
static int64_t paced_us(const struct sender *sender, uint64_t nth) {
    uint64_t rate = sender->options.rate_per_second;
    if (rate == 0)
        return 0;
    return sender->started_us + (int64_t)(nth / rate) * US_PER_S +
           (int64_t)(nth % rate * (uint64_t)US_PER_S / rate);
}

static bool take_message(struct sending *connection) {
    struct sender *sender = connection->sender;
    if (sender->is_over)
        return false;
    enum err err =
        sender->next(sender->owner, connection->number, &connection->message, &connection->due_us);
    if (err) {
        sender->is_over = true;
        if (err != ERR_MORE)
            sender->err = err;
        return false;
    }
    int64_t paced = paced_us(sender, sender->taken_count++);
    if (connection->due_us < paced)
        connection->due_us = paced;
    connection->has_message = true;
    return true;
}

/* What an idle connection does: the next message, now or later; or its end when none is left. */
static void idle(struct sending *connection) {
    while (connection->state == IDLE) {
        if (connection->has_message && connection->sender->is_over && connection->sender->err)
            connection->has_message = false;
        if (!connection->has_message && !take_message(connection)) {
            close_connection(connection);
            return;
        }
        int64_t now_us = sys_monotonic_us(connection->sender->options.sys);
        if (now_us < connection->due_us)
            return; /* round() looks again */
        begin_sending(connection, now_us);
    }
}

/* ---- answers ---- */

static void keep_nak(struct sender *sender, const struct hl7_segment *msa) {
    struct feeds_sender_report *report = sender->report;
    if (report->first_nak[0])
        return;
    struct text text;
    text_init(&text, report->first_nak, sizeof report->first_nak);
    for (unsigned field = 1; field <= 3; field++) {
        text_put_char(&text, field > 1 ? ' ' : '|');
        text_put(&text, hl7_field(msa, field));
    }
    memmove(report->first_nak, report->first_nak + 1, text.size);
}

static void settled(struct sending *connection) {
    struct sender *sender = connection->sender;
    histogram_add(sender->histogram, sys_monotonic_us(sender->options.sys) - connection->sent_us);
    connection->state = IDLE;
}

static bool is_code(struct bytes code, char second) {
    return code.size == 2 && (code.data[0] == 'A' || code.data[0] == 'C') &&
           code.data[1] == (uint8_t)second;
}

/* An answer to the message under way. */
static void take_answer(struct sending *connection, const struct hl7_segment *msa) {
    struct sender *sender = connection->sender;
    struct bytes code = hl7_value(msa, 1, 1);
    bool is_accept_code = code.size == 2 && code.data[0] == 'C';
    if (is_code(code, 'A')) {
        if (is_accept_code || !connection->waits_application)
            connection->waits_accept = false;
        if (!is_accept_code)
            connection->waits_accept = connection->waits_application = false;
        if (connection->waits_accept || connection->waits_application)
            return; /* CA came, AA is still to come */
        sender->report->aa++;
    } else {
        sender->report->ae += is_code(code, 'E');
        sender->report->ar += is_code(code, 'R');
        sender->report->other += !is_code(code, 'E') && !is_code(code, 'R');
        keep_nak(sender, msa);
    }
    settled(connection);
}

static void take_frame(struct sending *connection, struct bytes body) {
    struct hl7_message message;
    struct hl7_segment msa;
    struct fault fault = {0};
    if (connection->state != WAITING)
        return; /* nothing was asked */
    bool is_answer = !hl7_message_init(&message, body, HL7_LATIN9, &fault) &&
                     hl7_segment_find(&message, "MSA", &msa);
    struct bytes id = is_answer ? hl7_field(&msa, 2) : BYTES_NONE;
    if (is_answer && bytes_equal(id, connection->control_id))
        take_answer(connection, &msa);
    else if (!is_answer || id.size == 0 || !bytes_is(id, connection->unawaited))
        connection->sender->report->mismatched++; /* and it goes on waiting for its own */
}

static void take_input(struct sending *connection) {
    size_t at = 0, used;
    struct bytes view;
    enum mllp_event event;
    do {
        struct bytes rest = bytes_from(connection->in + at, connection->in_end - at);
        event = mllp_next(&connection->reader, rest, false, &used, &view);
        if (event == MLLP_MESSAGE)
            take_frame(connection, view);
        at += used;
    } while (event != MLLP_MORE);
    connection->in_end -= (uint32_t)at;
    if (connection->in_end > 0)
        memmove(connection->in, connection->in + at, connection->in_end);
}

static void receive(struct sending *connection) {
    ssize_t n =
        sys_recv(connection->sender->options.sys, connection->fd,
                 connection->in + connection->in_end, ANSWER_BYTES_MAX - connection->in_end, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) { /* also when an answer is larger than any should be: the room was 0 */
        fail(connection, ERR_STATE);
        return;
    }
    connection->in_end += (uint32_t)n;
    take_input(connection);
}

/* ---- connecting ---- */

static void connected(struct sending *connection) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) || error) {
        fail(connection, ERR_STATE);
        return;
    }
    connection->state = IDLE;
    watch_for(connection, LOOP_READ);
}

static int open_socket(struct sender *sender, int *error) {
    static const int one = 1;
    int fd = sys_socket(sender->options.sys, sender->address.ss_family,
                        SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *error = errno;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ||
        (sys_connect(sender->options.sys, fd, (const struct sockaddr *)&sender->address,
                     sender->address_bytes) &&
         errno != EINPROGRESS)) {
        *error = errno;
        sys_close(sender->options.sys, fd);
        return -1;
    }
    return fd;
}

/* Does somebody listen there? The first connection finds out, so that a host with several
 * addresses is tried through. */
static bool is_listening(struct sender *sender, int *error) {
    int fd = open_socket(sender, error);
    if (fd < 0)
        return false;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof *error;
    *error = ETIMEDOUT;
    bool is_open = poll(&wait, 1, 10000) == 1 &&
                   !getsockopt(fd, SOL_SOCKET, SO_ERROR, error, &size) && !*error;
    sys_close(sender->options.sys, fd);
    return is_open;
}

static enum err find_address(struct sender *sender, struct fault *fault) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    if (getaddrinfo(sender->options.host, sender->options.port, &hints, &found))
        return fault_set_subject(fault, ERR_STATE, "the host is not known", sender->options.host);
    int error = 0;
    bool is_open = false;
    for (struct addrinfo *at = found; at && !is_open; at = at->ai_next) {
        memcpy(&sender->address, at->ai_addr, at->ai_addrlen);
        sender->address_bytes = at->ai_addrlen;
        is_open = is_listening(sender, &error);
    }
    freeaddrinfo(found);
    return is_open
               ? ERR_OK
               : fault_set_errno(fault, ERR_STATE, error, "no connection", sender->options.host);
}

static void connection_event(struct loop_watch *watch, uint32_t ready) {
    struct sending *connection = watch->owner;
    if (connection->state == CONNECTING && (ready & LOOP_WRITE))
        connected(connection);
    else if (connection->state == SENDING && (ready & LOOP_WRITE))
        send_more(connection);
    if ((ready & LOOP_READ) && connection->state != CLOSED && connection->state != CONNECTING)
        receive(connection);
    idle(connection);
}

static enum err open_connections(struct sender *sender, struct fault *fault) {
    unsigned count = sender->options.connection_count;
    sender->connections = memory_alloc(count, sizeof *sender->connections);
    if (!sender->connections)
        return fault_set(fault, ERR_MEMORY, "there is no memory for so many connections");
    for (unsigned i = 0; i < count; i++)
        sender->connections[i].state = CLOSED;
    for (unsigned i = 0; i < count; i++) {
        struct sending *connection = &sender->connections[i];
        int error = 0;
        connection->fd = open_socket(sender, &error);
        if (connection->fd < 0)
            return fault_set_errno(fault, ERR_STATE, error, "no connection", sender->options.host);
        connection->sender = sender;
        connection->number = i;
        connection->state = CONNECTING;
        connection->watch =
            (struct loop_watch){.fd = -1, .on_ready = connection_event, .owner = connection};
        sender->open_count++;
        watch_for(connection, LOOP_WRITE);
    }
    return ERR_OK;
}

/* ---- rounds ---- */

static void check_timeout(struct sending *connection) {
    const struct sender *sender = connection->sender;
    int64_t limit_us = sender->options.timeout_ms * US_PER_MS;
    if (sender->stopped_us && limit_us > STOP_TIMEOUT_US)
        limit_us = STOP_TIMEOUT_US;
    if ((connection->state == SENDING || connection->state == WAITING) &&
        sender->loop.monotonic_us - connection->sent_us > limit_us)
        fail(connection, ERR_TIMEOUT);
}

static bool is_stop_wanted(const struct sender *sender) {
    return sender->options.stop && *(const volatile bool *)sender->options.stop;
}

static void stop(struct sender *sender) {
    if (sender->stopped_us)
        return;
    sender->stopped_us = sender->loop.monotonic_us;
    sender->is_over = true;
    if (!sender->err)
        sender->err = ERR_INTERRUPTED;
}

static void sender_round(void *owner) {
    struct sender *sender = owner;
    bool check = sender->loop.monotonic_us - sender->checked_us >= CHECK_US;
    if (is_stop_wanted(sender))
        stop(sender);
    if (check)
        sender->checked_us = sender->loop.monotonic_us;
    bool is_paced = false;
    for (unsigned i = 0; i < sender->options.connection_count; i++) {
        struct sending *connection = &sender->connections[i];
        if (check)
            check_timeout(connection);
        if (connection->state == IDLE && (connection->has_message || sender->is_over))
            idle(connection);
        is_paced |= connection->state == IDLE && connection->has_message &&
                    connection->due_us - sender->loop.monotonic_us < IDLE_TICK_MS * US_PER_MS;
    }
    sender->loop.tick_ms = is_paced ? 1 : IDLE_TICK_MS;
}

static void finish_report(struct sender *sender) {
    struct feeds_sender_report *report = sender->report;
    report->seconds = (double)(sys_monotonic_us(sender->options.sys) - sender->started_us) / 1e6;
    report->p50_us = histogram_at(sender->histogram, 500);
    report->p99_us = histogram_at(sender->histogram, 990);
    report->max_us = sender->histogram->max_us;
}

static enum err run(struct sender *sender, struct fault *fault) {
    enum err err = find_address(sender, fault);
    if (!err)
        err = open_connections(sender, fault);
    sender->started_us = sender->checked_us = sys_monotonic_us(sender->options.sys);
    if (!err)
        err = loop_run(&sender->loop, fault);
    for (unsigned i = 0; sender->connections && i < sender->options.connection_count; i++)
        close_connection(&sender->connections[i]);
    if (err || !sender->err || sender->err == ERR_INTERRUPTED)
        return err;
    return fault_set(fault, sender->err,
                     sender->err == ERR_TIMEOUT ? "no answer in time" : "the connection was cut");
}

enum err feeds_send(const struct feeds_sender_options *options, feeds_sender_next next, void *owner,
                    struct feeds_sender_report *report, struct fault *fault) {
    struct sender sender = {.options = *options, .next = next, .owner = owner, .report = report};
    *report = (struct feeds_sender_report){0};
    if (sender.options.connection_count == 0)
        sender.options.connection_count = 1;
    if (sender.options.timeout_ms == 0)
        sender.options.timeout_ms = TIMEOUT_MS;
    enum err err = loop_init(&sender.loop, options->sys, fault);
    if (err)
        return err;
    sender.loop.on_round = sender_round;
    sender.loop.owner = &sender;
    sender.loop.tick_ms = IDLE_TICK_MS;
    sender.histogram = memory_alloc(1, sizeof *sender.histogram);
    err = sender.histogram ? run(&sender, fault)
                           : fault_set(fault, ERR_MEMORY, "there is no memory for a sender");
    if (sender.histogram)
        finish_report(&sender);
    memory_free(sender.histogram);
    memory_free(sender.connections);
    loop_release(&sender.loop);
    return err;
}
