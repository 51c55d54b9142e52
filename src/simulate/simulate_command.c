/* simulate_command.c - `veilleuse simulate`: the synthetic hospital into a file, or alive against
 * a node. */
#include "feeds/feeds.h"
#include "simulate/simulate.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HOUR_US           (INT64_C(3600) * US_PER_S)
#define FILE_HOURS        24.0
#define FILE_START        "2026-01-05T06:00:00+01:00"
#define BEDS_MAX          6000u
#define CONNECTIONS_MAX   64u
#define MESSAGE_BYTES_MAX 32768u
#define WRITE_BYTES       (1u << 20)
#define RETRY_MS          1000
#define ANSWER_TIMEOUT_MS 30000

static const char usage[] =
    "usage: veilleuse simulate [options] HOST:PORT       live, over MLLP\n"
    "       veilleuse simulate [options] --out FILE      into a file (- is standard output)\n"
    "\n"
    "A hospital that does not exist: its patients come, move, are examined and leave, and its "
    "systems say so in HL7 v2.\n"
    "The same seed and start give the same bytes.\n"
    "\n"
    "  --beds N         beds (300)\n"
    "  --seed N         of all chance (1)\n"
    "  --hours H        simulated hours; to a file 24, live without end\n"
    "  --history H      live: begin with so many hours of the past, sent as fast as they are "
    "answered (0)\n"
    "  --speed X        live: simulated seconds a second (1); 0: as fast as answers come, 24 hours "
    "unless told\n"
    "  --connections N  live: over so many connections at once (4)\n"
    "  --spoilt N       of 1,000 messages, so many wrong: character set, missing end, segment "
    "without a name (0)\n"
    "\n"
    "Live, the simulated clock never runs ahead of the real one, since messages from the future "
    "are\n"
    "doubtful. With a speed above 1 it therefore begins in the past, hours x (1 - 1/speed) ago, "
    "and\n"
    "meets the real clock at its end; --hours is 24 then unless told. At speed 1 it keeps real "
    "time.\n"
    "When the node goes away, the simulator tries again every second and loses nothing.\n"
    "Ctrl-C ends it with a report. A file begins at 2026-01-05T06:00+01:00.\n";

struct arguments {
    uint64_t beds, seed, connections, spoilt;
    double hours, history, speed;
    bool has_hours;
    const char *out;
    char host[256], port[32];
};

/* One message of each connection is kept until the connection asks for the next. */
struct kept {
    uint8_t bytes[MESSAGE_BYTES_MAX];
    size_t size;
    int64_t due_us;
    bool is_open;  /* given, and not known to be answered */
    bool is_again; /* the sender begins anew: to be given again */
};

struct live {
    struct simulator *simulator;
    struct kept *kept;
    unsigned connections;
    int64_t paced_from, end_at; /* simulated */
    int64_t paced_us;           /* monotonic, when the clock stood at paced_from */
    double speed;
    uint64_t told;
};

/* The one thing a signal can reach. */
static bool is_stopped;

static void on_signal(int number) {
    (void)number;
    *(volatile bool *)&is_stopped = true;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    if (sigaction(SIGINT, &action, NULL) || sigaction(SIGTERM, &action, NULL))
        trace_warning("signals cannot be caught");
}

static int fail(enum err err, const struct fault *fault) {
    char line[512];
    fault_format(fault, line, sizeof line);
    fprintf(stderr, "veilleuse simulate: %s\n", line);
    return err_exit_code(err);
}

/* ---- into a file ---- */

struct writer {
    int fd;
    const char *path;
    uint8_t *buffer;
    size_t size;
};

static enum err writer_flush(struct writer *writer, struct fault *fault) {
    struct bytes all = bytes_from(writer->buffer, writer->size);
    writer->size = 0;
    return all.size ? sys_write_all(NULL, writer->fd, all, writer->path, fault) : ERR_OK;
}

static enum err writer_put(struct writer *writer, struct bytes b, struct fault *fault) {
    if (writer->size + b.size > WRITE_BYTES) {
        enum err err = writer_flush(writer, fault);
        if (err)
            return err;
    }
    memcpy(writer->buffer + writer->size, b.data, b.size);
    writer->size += b.size;
    return ERR_OK;
}

static enum err write_until(struct simulator *simulator, int64_t end_at, struct writer *writer,
                            uint64_t *count, struct fault *fault) {
    for (*count = 0; !*(volatile bool *)&is_stopped; ++*count) {
        struct bytes message;
        int64_t at;
        enum err err = simulator_next(simulator, &message, &at, fault);
        if (!err && at >= end_at)
            break;
        if (!err)
            err = writer_put(writer, message, fault);
        if (!err)
            err = writer_put(writer, BYTES("\n\n"), fault);
        if (err)
            return err;
    }
    return writer_flush(writer, fault);
}

static enum err open_out(struct writer *writer, const char *path, struct fault *fault) {
    bool is_stdout = strcmp(path, "-") == 0;
    *writer = (struct writer){.path = path, .buffer = memory_alloc(1, WRITE_BYTES)};
    if (!writer->buffer)
        return fault_set(fault, ERR_MEMORY, "there is no memory to write with");
    writer->fd = is_stdout ? STDOUT_FILENO
                           : sys_open(NULL, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return writer->fd >= 0 ? ERR_OK
                           : fault_set_errno(fault, ERR_IO, errno, "cannot be written", path);
}

static int to_file(const struct arguments *arguments) {
    struct fault fault = {0};
    struct writer writer;
    struct time_read start;
    struct simulator *simulator = NULL;
    uint64_t count = 0;
    enum err err = open_out(&writer, arguments->out, &fault);
    if (!err && !time_read_iso(BYTES(FILE_START), NULL, &start))
        err = ERR_INPUT;
    if (!err) {
        struct simulator_options options = {.bed_count = (unsigned)arguments->beds,
                                            .seed = arguments->seed,
                                            .start_at = start.at,
                                            .spoilt_per_mille = (unsigned)arguments->spoilt};
        err = simulator_open(&simulator, &options, &fault);
    }
    double hours = arguments->has_hours ? arguments->hours : FILE_HOURS;
    if (!err)
        err = write_until(simulator, start.at + (int64_t)(hours * (double)HOUR_US), &writer, &count,
                          &fault);
    simulator_close(simulator);
    memory_free(writer.buffer);
    if (writer.fd > STDERR_FILENO && sys_close(NULL, writer.fd) && !err)
        err = fault_set_errno(&fault, ERR_IO, errno, "cannot be written", arguments->out);
    if (err)
        return fail(err, &fault);
    fprintf(stderr, "%llu messages\n", (unsigned long long)count);
    return 0;
}

/* ---- alive ---- */

/* When a message of this simulated time goes; the past goes at once. */
static int64_t due_us(const struct live *live, int64_t at) {
    if (live->speed <= 0 || at <= live->paced_from)
        return 0;
    return live->paced_us + (int64_t)((double)(at - live->paced_from) / live->speed);
}

static enum err next_message(void *owner, unsigned connection, struct bytes *message,
                             int64_t *due) {
    struct live *live = owner;
    struct kept *kept = &live->kept[connection];
    struct fault fault = {0};
    int64_t at;
    if (!kept->is_again) {
        kept->is_open = false;
        enum err err = simulator_next(live->simulator, message, &at, &fault);
        if (err)
            return err;
        if (at >= live->end_at)
            return ERR_MORE;
        if (message->size > sizeof kept->bytes)
            return ERR_LIMIT;
        memcpy(kept->bytes, message->data, message->size);
        kept->size = message->size;
        kept->due_us = due_us(live, at);
        kept->is_open = true;
        live->told++;
    }
    kept->is_again = false;
    *message = bytes_from(kept->bytes, kept->size);
    *due = kept->due_us;
    return ERR_OK;
}

static void add_report(struct feeds_sender_report *sum, const struct feeds_sender_report *report) {
    sum->sent += report->sent;
    sum->aa += report->aa;
    sum->ae += report->ae;
    sum->ar += report->ar;
    sum->other += report->other;
    sum->seconds += report->seconds;
    if (!sum->first_nak[0])
        memcpy(sum->first_nak, report->first_nak, sizeof sum->first_nak);
}

/* Wait, but not for a signal; a poll of nothing is a sleep that a signal ends. */
static void wait_a_little(void) {
    struct timespec wait = {.tv_sec = RETRY_MS / 1000, .tv_nsec = RETRY_MS % 1000 * 1000000L};
    nanosleep(&wait, NULL);
}

/* Until all is told or somebody stops it: a node that goes away is tried again, with what it did
 * not answer. */
static enum err keep_sending(struct live *live, const struct arguments *arguments,
                             struct feeds_sender_report *sum, struct fault *fault) {
    const struct feeds_sender_options options = {.host = arguments->host,
                                                 .port = arguments->port,
                                                 .connection_count = live->connections,
                                                 .timeout_ms = ANSWER_TIMEOUT_MS,
                                                 .stop = &is_stopped};
    for (bool was_cut = false;;) {
        struct feeds_sender_report report;
        *fault = (struct fault){0};
        enum err err = feeds_send(&options, next_message, live, &report, fault);
        add_report(sum, &report);
        if (*(volatile bool *)&is_stopped)
            return ERR_OK;
        if (err != ERR_STATE && err != ERR_TIMEOUT)
            return err;
        if (!was_cut || report.sent > 0)
            fprintf(stderr, "the node does not answer; trying again every second\n");
        was_cut = true;
        for (unsigned i = 0; i < live->connections; i++)
            live->kept[i].is_again = live->kept[i].is_open;
        wait_a_little();
    }
}

static void print_report(const struct live *live, const struct feeds_sender_report *sum) {
    printf("%llu messages told; %llu AA, %llu AE, %llu AR\n", (unsigned long long)live->told,
           (unsigned long long)sum->aa, (unsigned long long)sum->ae, (unsigned long long)sum->ar);
    if (sum->first_nak[0])
        printf("first not accepted: %s\n", sum->first_nak);
}

/* Where the simulated clock begins, is paced from, and ends. */
static int64_t set_clock(struct live *live, const struct arguments *arguments) {
    int64_t now = sys_now_us(NULL);
    int64_t hours_us =
        (int64_t)((arguments->has_hours ? arguments->hours : FILE_HOURS) * (double)HOUR_US);
    bool is_endless = !arguments->has_hours && arguments->speed > 0 && arguments->speed <= 1;
    live->speed = arguments->speed;
    live->paced_us = sys_monotonic_us(NULL);
    live->paced_from = arguments->speed <= 0 ? now - hours_us
                       : arguments->speed > 1
                           ? now - (int64_t)((double)hours_us * (1 - 1 / arguments->speed))
                           : now;
    live->end_at = is_endless ? INT64_MAX : live->paced_from + hours_us;
    return live->paced_from - (int64_t)(arguments->history * (double)HOUR_US);
}

static int to_node(const struct arguments *arguments) {
    struct fault fault = {0};
    struct feeds_sender_report sum = {0};
    struct live live = {.connections = (unsigned)arguments->connections};
    struct simulator_options options = {.bed_count = (unsigned)arguments->beds,
                                        .seed = arguments->seed,
                                        .spoilt_per_mille = (unsigned)arguments->spoilt,
                                        .start_at = set_clock(&live, arguments)};
    live.kept = memory_alloc(live.connections, sizeof *live.kept);
    enum err err = live.kept ? simulator_open(&live.simulator, &options, &fault) : ERR_MEMORY;
    catch_signals();
    if (!err) {
        err = keep_sending(&live, arguments, &sum, &fault);
        print_report(&live, &sum);
    }
    simulator_close(live.simulator);
    memory_free(live.kept);
    if (err)
        return fail(err, &fault);
    return sum.ae || sum.ar ? err_exit_code(ERR_INPUT) : 0;
}

/* ---- the command line ---- */

static bool read_number(const char *text, uint64_t low, uint64_t high, uint64_t *number) {
    return bytes_to_u64(bytes_from_string(text), number) && *number >= low && *number <= high;
}

static bool read_real(const char *text, double high, double *number) {
    char *end;
    *number = strtod(text, &end);
    return end != text && !*end && *number >= 0 && *number <= high;
}

/* HOST:PORT, [HOST]:PORT. */
static bool read_address(const char *text, struct arguments *arguments) {
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1] || strlen(colon + 1) >= sizeof arguments->port)
        return false;
    struct bytes host = bytes_from(text, (size_t)(colon - text));
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = bytes_from(host.data + 1, host.size - 2);
    if (host.size >= sizeof arguments->host)
        return false;
    memcpy(arguments->host, host.data, host.size);
    arguments->host[host.size] = 0;
    snprintf(arguments->port, sizeof arguments->port, "%s", colon + 1);
    return true;
}

static bool read_option(int option, const char *text, struct arguments *arguments) {
    switch (option) {
    case 'b':
        return read_number(text, 1, BEDS_MAX, &arguments->beds);
    case 's':
        return read_number(text, 0, UINT64_MAX, &arguments->seed);
    case 'c':
        return read_number(text, 1, CONNECTIONS_MAX, &arguments->connections);
    case 'p':
        return read_number(text, 0, 1000, &arguments->spoilt);
    case 'h':
        arguments->has_hours = true;
        return read_real(text, 100000, &arguments->hours);
    case 'y':
        return read_real(text, 100000, &arguments->history);
    case 'x':
        return read_real(text, 1000000, &arguments->speed);
    case 'o':
        arguments->out = text;
        return true;
    default:
        return false;
    }
}

static bool read_arguments(int argc, char **argv, struct arguments *arguments, bool *is_help) {
    static const struct option options[] = {
        {"beds", required_argument, NULL, 'b'},    {"seed", required_argument, NULL, 's'},
        {"speed", required_argument, NULL, 'x'},   {"hours", required_argument, NULL, 'h'},
        {"history", required_argument, NULL, 'y'}, {"connections", required_argument, NULL, 'c'},
        {"spoilt", required_argument, NULL, 'p'},  {"out", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, '?' + 1},      {NULL, 0, NULL, 0}};
    *arguments = (struct arguments){.beds = 300, .seed = 1, .connections = 4, .speed = 1};
    bool is_good = true;
    optind = 1;
    for (int c; is_good && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        *is_help = c == '?' + 1;
        is_good = read_option(c, optarg, arguments);
    }
    if (!is_good)
        return false;
    return arguments->out ? argc == optind
                          : argc - optind == 1 && read_address(argv[optind], arguments);
}

int simulate_command(int argc, char **argv) {
    struct arguments arguments;
    bool is_help = false;
    if (!read_arguments(argc, argv, &arguments, &is_help)) {
        fputs(usage, is_help ? stdout : stderr);
        return is_help ? 0 : err_exit_code(ERR_USAGE);
    }
    return arguments.out ? to_file(&arguments) : to_node(&arguments);
}
