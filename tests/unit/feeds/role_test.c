/* role_test.c - the feeds role among good and bad peers, and with a commit that dies, fills up or
 * turns suspect. */
#include "role_harness.h"

static struct harness harness;
static struct asked asked;

/* Send one message and let commit take it. */
static const char *pass(int fd, const char *id) {
    peer_put_string(fd, framed(id, "", ""));
    commit_next(&harness, &asked, 3000);
    if (asked.type != MESSAGE_APPEND)
        return "not asked";
    commit_say(&harness, asked.token, ERR_OK, false);
    return peer_ack(fd, 3000);
}

static void only_after_durable(void) {
    int fd = peer_open(&harness);
    peer_put_string(fd, framed("ONE", "", ""));
    commit_next(&harness, &asked, 3000);
    is_int(asked.type, MESSAGE_APPEND);
    const char *sent = framed("ONE", "", "");
    ok(asked.body_bytes == strlen(sent) - 3 && !memcmp(asked.body, sent + 1, asked.body_bytes),
       "commit gets the body byte for byte");
    ok(asked.check_repeat && asked.flags == 0, "to be checked for a repeat");
    is_string(peer_get(fd, 150), "");
    commit_say(&harness, asked.token ^ (1u << 24), ERR_OK, false);
    is_string(peer_get(fd, 150), "");
    commit_say(&harness, asked.token, ERR_OK, false);
    is_string(peer_ack(fd, 3000), "AA ONE");
    commit_say(&harness, asked.token, ERR_OK, false);
    is_string(peer_get(fd, 150), "");
    peer_put_string(fd, framed("ONE", "", ""));
    commit_next(&harness, &asked, 3000);
    commit_say(&harness, asked.token, ERR_OK, true);
    is_string(peer_ack(fd, 3000), "AA ONE");
    close(fd);
}

static void enhanced(void) {
    static const struct {
        const char *accept, *application, *first, *second;
    } cases[] = {
        {"AL", "", "CA E", ""},   {"AL", "NE", "CA E", ""}, {"AL", "AL", "CA E", "AA E"},
        {"NE", "AL", "AA E", ""}, {"SU", "ER", "CA E", ""}, {"ER", "SU", "AA E", ""},
        {"NE", "NE", "CA E", ""}, {" ", "", "AA E", ""},    {"NE", "", "CA E", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = peer_open(&harness);
        peer_put_string(fd, framed("E", cases[i].accept, cases[i].application));
        commit_next(&harness, &asked, 3000);
        commit_say(&harness, asked.token, ERR_OK, false);
        is_string(peer_ack(fd, cases[i].first[0] ? 3000 : 100), cases[i].first);
        is_string(peer_ack(fd, cases[i].second[0] ? 3000 : 100), cases[i].second);
        close(fd);
    }
    int fd = peer_open(&harness);
    peer_put_string(fd, framed("E", "ER", ""));
    commit_next(&harness, &asked, 3000);
    commit_say(&harness, asked.token, ERR_IO, false);
    is_string(peer_ack(fd, 3000), "CE E");
    close(fd);
}

static void pipelined(void) {
    enum { COUNT = 50 };
    uint64_t tokens[COUNT];
    int fd = peer_open(&harness), count = 0;
    for (int i = 0; i < COUNT; i++) {
        char id[16];
        snprintf(id, sizeof id, "P%d", i);
        peer_put_string(fd, framed(id, "", ""));
    }
    for (commit_next(&harness, &asked, 1000); asked.type; commit_next(&harness, &asked, 200))
        tokens[count++] = asked.token;
    ok(count > 1 && count < COUNT, "a bounded number of them is under way");
    for (int i = count - 1; i > 0; i--)
        commit_say(&harness, tokens[i], ERR_OK, false);
    is_string(peer_get(fd, 100), "");
    commit_say(&harness, tokens[0], ERR_OK, false);
    bool in_order = true;
    for (int i = 0; i < COUNT; i++) {
        char wanted[16];
        if (i >= count) {
            commit_next(&harness, &asked, 3000);
            commit_say(&harness, asked.token, ERR_OK, false);
        }
        snprintf(wanted, sizeof wanted, "AA P%d", i);
        in_order &= strcmp(peer_ack(fd, 3000), wanted) == 0;
    }
    ok(in_order, "50 messages sent without waiting are answered in their order");
    close(fd);
}

static void commit_restarts(void) {
    int fd = peer_open(&harness), large = peer_open(&harness);
    peer_put_string(fd, framed("R", "", ""));
    commit_next(&harness, &asked, 3000);
    static char body[100000];
    memset(body, 'x', sizeof body);
    peer_put_string(large, "\x0bMSH|^~\\&|A|B|C|D|||ADT^A01|L|P|2.5\r");
    peer_put(large, body, sizeof body);
    for (int i = 0; i < 3; i++)
        commit_next(&harness, &asked, 3000);
    harness_give_commit(&harness);
    commit_next(&harness, &asked, 3000);
    ok(asked.type == MESSAGE_APPEND && asked.check_repeat, "a new commit is asked again");
    is_string(peer_get(fd, 100), "");
    commit_say(&harness, asked.token, ERR_OK, true);
    is_string(peer_ack(fd, 3000), "AA R");
    is_string(peer_get(large, 3000), "closed");
    peer_put_string(fd, "\x0bno header\x1c\r");
    commit_next(&harness, &asked, 3000);
    ok(!asked.check_repeat, "without a control id nothing is a repeat");
    harness_give_commit(&harness);
    commit_next(&harness, &asked, 3000);
    ok(asked.check_repeat, "but what an earlier commit was asked may be one");
    commit_say(&harness, asked.token, ERR_OK, false);
    is_string(peer_ack(fd, 3000), "AR ");
    close(fd);
    close(large);
}

static void slow_and_idle(void) {
    enum { IDLE_COUNT = 300 };
    int idle[IDLE_COUNT], slow = peer_open(&harness), fd = peer_open(&harness);
    for (int i = 0; i < IDLE_COUNT; i++)
        idle[i] = peer_open(&harness);
    char message[512];
    snprintf(message, sizeof message, "%s", framed("SLOW", "", ""));
    bool passed = true;
    for (size_t i = 0; message[i]; i++) {
        peer_put(slow, message + i, 1);
        if (i % 16 == 0)
            passed &= strcmp(pass(fd, "QUICK"), "AA QUICK") == 0;
    }
    ok(passed, "messages pass beside 300 idle connections and one of single bytes");
    commit_next(&harness, &asked, 3000);
    commit_say(&harness, asked.token, ERR_OK, false);
    is_string(peer_ack(slow, 3000), "AA SLOW");
    is_string(pass(idle[100], "IDLE"), "AA IDLE");
    for (int i = 0; i < IDLE_COUNT; i++)
        close(idle[i]);
    close(slow);
    close(fd);
}

static void asked_is(uint32_t flags, const char *body, const char *name) {
    commit_next(&harness, &asked, 3000);
    ok(asked.type == MESSAGE_APPEND && asked.flags == flags && asked.body_bytes == strlen(body) &&
       !memcmp(asked.body, body, asked.body_bytes));
    printf("# %s: type %d flags %u '%.*s'\n", name, asked.type, asked.flags, (int)asked.body_bytes,
           (const char *)asked.body);
    if (asked.type)
        commit_say(&harness, asked.token, ERR_OK, false);
}

static void garbage(void) {
    int fd = peer_open(&harness);
    peer_put_string(fd, "\r\n \n");
    commit_next(&harness, &asked, 600);
    is_int(asked.type, 0);
    peer_put_string(fd, "GET / HTTP/1.1\r\n\r\n");
    asked_is(VAULT_UNFRAMED, "GET / HTTP/1.1\r\n\r\n", "garbage of a peer that waits");
    is_string(peer_ack(fd, 3000), "AR ");
    peer_put_string(fd, "xx");
    peer_put_string(fd, framed("G", "", ""));
    asked_is(VAULT_UNFRAMED, "xx", "garbage before a frame");
    is_string(peer_ack(fd, 3000), "AR ");
    commit_next(&harness, &asked, 3000);
    commit_say(&harness, asked.token, ERR_OK, false);
    is_string(peer_ack(fd, 3000), "AA G");
    peer_put_string(fd, "\x0b\x1c\r");
    is_string(peer_ack(fd, 3000), "AR ");
    peer_put_string(fd, "\x0bnot HL7 at all\x1c\r");
    asked_is(0, "not HL7 at all", "a frame without MSH");
    is_string(peer_ack(fd, 3000), "AR ");
    peer_put_string(fd, "\x0b"
                        "A\x1c");
    asked_is(0, "A", "the last byte left out");
    is_string(peer_ack(fd, 3000), "AR ");
    peer_put_string(fd, "\r\x0bMSH|^~\\&|CUT");
    close(fd);
    asked_is(VAULT_UNFRAMED, "MSH|^~\\&|CUT", "cut off in a frame");
}

/* A peer that says all it has and shuts its side still hears the answers. */
static void half_closed(void) {
    int fd = peer_open(&harness);
    peer_put_string(fd, framed("H1", "", ""));
    peer_put_string(fd, framed("H2", "", ""));
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 2; i++) {
        commit_next(&harness, &asked, 3000);
        commit_say(&harness, asked.token, ERR_OK, false);
    }
    is_string(peer_ack(fd, 3000), "AA H1");
    is_string(peer_ack(fd, 3000), "AA H2");
    is_string(peer_ack(fd, 3000), "closed");
    close(fd);
}

/* Send a message of `body_bytes` and gather what commit gets; returns the sum of the parts. */
static size_t put_large(int fd, size_t body_bytes) {
    static const char head[] = "MSH|^~\\&|GAM|HOP|V|H|20260105||MDM^T02|BIG|P|2.5\rOBX|1|TX|||";
    size_t sum = 0, rest = body_bytes - strlen(head);
    char block[10000];
    memset(block, 'b', sizeof block);
    peer_put(fd, "\x0b", 1);
    peer_put_string(fd, head);
    bool is_first = true;
    for (;;) {
        size_t size = rest < sizeof block ? rest : sizeof block;
        if (size)
            peer_put(fd, block, size);
        if (rest && (rest -= size) == 0)
            peer_put(fd, "\x1c\r", 2);
        for (commit_next(&harness, &asked, rest ? 0 : 1000); asked.type;
             commit_next(&harness, &asked, rest ? 0 : 1000)) {
            if (is_first)
                is_int(asked.type,
                       body_bytes > VAULT_INLINE_BYTES_MAX ? MESSAGE_BLOB_BEGIN : MESSAGE_APPEND);
            is_first = false;
            if (asked.type == MESSAGE_BLOB_DATA)
                sum += asked.body_bytes;
            if (asked.type == MESSAGE_BLOB_END || asked.type == MESSAGE_APPEND)
                return sum;
        }
        if (!rest)
            return sum;
    }
}

static void large(size_t limit) {
    int fd = peer_open(&harness);
    is_int(put_large(fd, VAULT_INLINE_BYTES_MAX), 0);
    is_int(asked.body_bytes, VAULT_INLINE_BYTES_MAX);
    commit_say(&harness, asked.token, ERR_OK, false);
    is_string(peer_ack(fd, 3000), "AA BIG");
    const size_t sizes[] = {VAULT_INLINE_BYTES_MAX + 1, 65533, 65534, 65535, 65536, 300000, limit};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        is_int(put_large(fd, sizes[i]), sizes[i]);
        ok(asked.type == MESSAGE_BLOB_END && asked.check_repeat && asked.body_bytes == 4096 &&
               !memcmp(asked.body, "MSH|", 4),
           "its end brings its first bytes");
        is_string(peer_get(fd, 20), "");
        commit_say(&harness, asked.token, ERR_OK, false);
        is_string(peer_ack(fd, 3000), "AA BIG");
    }
    put_large(fd, limit + 1);
    ok(asked.type == MESSAGE_APPEND && asked.flags == VAULT_UNFRAMED && asked.body_bytes == 4096,
       "one byte too many: its beginning is kept");
    commit_say(&harness, asked.token, ERR_OK, false);
    is_string(peer_ack(fd, 3000), "AR BIG");
    is_string(pass(fd, "AFTER"), "AA AFTER");
    peer_put_string(fd, "\x0bMSH|^~\\&|A|B|C|D|||ADT^A01|L|P|2.5\r");
    static char body[60000];
    memset(body, 'x', sizeof body);
    peer_put(fd, body, sizeof body);
    close(fd);
    do
        commit_next(&harness, &asked, 3000);
    while (asked.type == MESSAGE_BLOB_BEGIN || asked.type == MESSAGE_BLOB_DATA);
    ok(asked.type == MESSAGE_BLOB_END && asked.flags == VAULT_UNFRAMED,
       "cut off in a large message: what came is kept");
    commit_say(&harness, asked.token, ERR_OK, false);
}

static void full_disk(void) {
    int fd = peer_open(&harness), leaver = peer_open(&harness), big = peer_open(&harness);
    peer_put_string(fd, framed("F", "", ""));
    commit_next(&harness, &asked, 3000);
    commit_state(&harness, true, false);
    commit_say(&harness, asked.token, ERR_FULL, false);
    is_string(peer_get(fd, 300), "");
    commit_next(&harness, &asked, 3000);
    ok(asked.type == MESSAGE_APPEND && asked.check_repeat, "it is offered again after a while");
    commit_say(&harness, asked.token, ERR_FULL, false);
    peer_put_string(leaver, framed("LEFT", "", ""));
    close(leaver);
    commit_state(&harness, false, false);
    int seen = 0;
    for (int i = 0; i < 2; i++) {
        commit_next(&harness, &asked, 3000);
        seen += asked.type == MESSAGE_APPEND;
        commit_say(&harness, asked.token, ERR_OK, false);
    }
    is_int(seen, 2);
    is_string(peer_ack(fd, 3000), "AA F");
    put_large(big, 200000);
    commit_say(&harness, asked.token, ERR_FULL, false);
    is_string(peer_ack(big, 3000), "closed");
    close(big);
    commit_state(&harness, false, false);
    is_string(pass(fd, "F2"), "AA F2");
    close(fd);
}

static void suspect_vault(void) {
    int fd = peer_open(&harness);
    peer_put_string(fd, framed("S", "", ""));
    commit_next(&harness, &asked, 3000);
    commit_state(&harness, false, true);
    commit_say(&harness, asked.token, ERR_STATE, false);
    is_string(peer_ack(fd, 3000), "AE S");
    peer_put_string(fd, framed("S2", "", ""));
    is_string(peer_ack(fd, 300), "");
    commit_next(&harness, &asked, 100);
    is_int(asked.type, 0);
    harness_give_commit(&harness);
    commit_state(&harness, false, false);
    commit_next(&harness, &asked, 3000);
    commit_say(&harness, asked.token, ERR_OK, false);
    is_string(peer_ack(fd, 3000), "AA S2");
    close(fd);
}

/* It sends and never reads: others go on, and the role holds no more than a little for it. */
static void deaf_peer(void) {
    int deaf = peer_open_sized(&harness, 4096), fd = peer_open(&harness);
    char message[512];
    snprintf(message, sizeof message, "%s", framed("DEAF", "", ""));
    size_t sent = 0;
    for (int quiet = 0; sent < 400000 && quiet < 200;) {
        ssize_t n = send(deaf, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0;
        quiet = n > 0 ? 0 : quiet + 1;
        for (commit_next(&harness, &asked, n > 0 ? 0 : 5); asked.type;
             commit_next(&harness, &asked, 0))
            commit_say(&harness, asked.token, ERR_OK, false);
        if (n > 0 && (size_t)n < strlen(message))
            break;
    }
    ok(sent < 400000, "a peer that reads no answer cannot send for ever");
    for (commit_next(&harness, &asked, 200); asked.type; commit_next(&harness, &asked, 200))
        commit_say(&harness, asked.token, ERR_OK, false);
    is_string(pass(fd, "WELL"), "AA WELL");
    close(deaf);
    /* What it had sent whole is stored all the same. */
    for (commit_next(&harness, &asked, 300); asked.type; commit_next(&harness, &asked, 300))
        commit_say(&harness, asked.token, ERR_OK, false);
    is_string(pass(fd, "STILL"), "AA STILL");
    close(fd);
}

/* It wants no answers and reads none: it must not be stopped by those it gets all the same. */
static void never_reads(void) {
    int fd = peer_open_sized(&harness, 4096);
    char message[512];
    snprintf(message, sizeof message, "%s", framed("NOACK", "NE", "NE"));
    size_t whole = strlen(message) * 60000, sent = 0, asked_count = 0;
    for (int quiet = 0; asked_count < 60000 && quiet < 500; quiet++) {
        size_t at = sent % strlen(message);
        ssize_t n = sent < whole
                        ? send(fd, message + at, strlen(message) - at, MSG_DONTWAIT | MSG_NOSIGNAL)
                        : 0;
        sent += n > 0 ? (size_t)n : 0;
        for (commit_next(&harness, &asked, n > 0 ? 0 : 5); asked.type;
             commit_next(&harness, &asked, 0)) {
            commit_say(&harness, asked.token, ERR_OK, false);
            asked_count++;
            quiet = 0;
        }
        quiet = n > 0 ? 0 : quiet;
    }
    is_int(asked_count, 60000);
    close(fd);
}

/* The newest report as text. */
static void report_is(const char *wanted) {
    static char report[70000];
    struct ipc_frame frame;
    struct bytes text;
    for (int i = 0; i < 300; i++) {
        struct pollfd wait = {.fd = harness.supervisor.fd, .events = POLLIN};
        while (!ipc_next(&harness.supervisor, &frame))
            if (frame.type == MESSAGE_REPORT && !roles_get_text(&frame, &text))
                snprintf(report, sizeof report, "%.*s", (int)text.size, (const char *)text.data);
        if (strstr(report, wanted))
            break;
        if (poll(&wait, 1, 10) == 1 && ipc_read(&harness.supervisor))
            break;
    }
    ok(strstr(report, wanted) != NULL, "the report counts for each application");
    if (!strstr(report, wanted))
        printf("# %s\n", report);
}

static void addresses(void) {
    struct feeds_options few = {.connection_count_max = 3};
    struct harness other;
    harness_start(&other, &few);
    int fds[4];
    for (int i = 0; i < 4; i++)
        fds[i] = peer_open(&other);
    is_string(peer_get(fds[3], 3000), "closed");
    close(fds[0]);
    usleep(50000);
    int again = peer_open(&other);
    is_string(peer_get(again, 100), "");
    is_int(harness_stop(&other), 0);
    for (int i = 1; i < 4; i++)
        close(fds[i]);
    close(again);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    const size_t limit = 1u << 20;
    struct feeds_options options = {.listener_name = "test", .message_bytes_max = limit};
    harness_start(&harness, &options);
    only_after_durable();
    enhanced();
    pipelined();
    commit_restarts();
    slow_and_idle();
    garbage();
    half_closed();
    large(limit);
    full_disk();
    suspect_vault();
    deaf_peer();
    never_reads();
    report_is("\"application\":\"GAM\",\"facility\":\"HOP\",\"messages\":");
    int fd = peer_open(&harness);
    peer_put_string(fd, framed("LAST", "", ""));
    commit_next(&harness, &asked, 3000);
    commit_say(&harness, asked.token, ERR_OK, false);
    is_int(harness_stop(&harness), 0);
    is_string(peer_ack(fd, 1000), "AA LAST");
    close(fd);
    addresses();
    return done();
}
