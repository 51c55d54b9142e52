/* send_command.c - `veilleuse send`: the messages of files, sent and answered one by one. */
#include "feeds/feeds.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_COUNT_MAX  4096
#define CONNECTIONS_MAX 16384u

static const char usage[] =
    "usage: veilleuse send HOST:PORT FILE... [--connections N] [--rate N] [--repeat N] [--timeout "
    "S] [--json]\n"
    "\n"
    "Sends the HL7 v2 messages of each file over MLLP and waits for each answer. A file holds one "
    "message, several\n"
    "with or without blank lines between, a batch, or MLLP frames; - is standard input.\n"
    "\n"
    "  --connections N  so many connections at once, each stop and wait (1)\n"
    "  --rate N         messages a second, all together (as fast as answers come)\n"
    "  --repeat N       send everything N times (1)\n"
    "  --timeout S      seconds to wait for one answer (30)\n"
    "  --json           the report as one JSON object\n"
    "\n"
    "Exits 0 when all are accepted, 65 when one is not, 66 when a file is not there, 69 when the "
    "connection is\n"
    "refused or cut, 75 when an answer does not come in time. A host of colons stands in brackets: "
    "[::1]:2575.\n";

struct files {
    char **names;
    int count;
    struct bytes *contents;
    bool *is_mapped;
    int file; /* the one being read */
    size_t at;
    uint64_t repeats; /* still to come after this one */
    bool has_any;     /* this time round had a message */
};

struct arguments {
    char host[256], port[32];
    uint64_t connections, rate, repeat, timeout_s;
    bool is_json;
};

/* ---- files ---- */

static enum err read_stream(int fd, const char *name, struct bytes *content, struct fault *fault) {
    size_t size = 0, capacity = 1u << 16;
    uint8_t *data = memory_alloc(1, capacity);
    for (;;) {
        if (!data)
            return fault_set(fault, ERR_MEMORY, "there is no memory for so much input");
        ssize_t n = sys_read(NULL, fd, data + size, capacity - size);
        if (n < 0)
            return fault_set_errno(fault, ERR_IO, errno, "cannot be read", name);
        if (n == 0)
            break;
        size += (size_t)n;
        if (size == capacity)
            data = memory_grow(data, capacity *= 2, 1);
    }
    *content = bytes_from(data, size);
    return ERR_OK;
}

static enum err map_file(const char *name, struct bytes *content, bool *is_mapped,
                         struct fault *fault) {
    struct stat status;
    int fd = sys_open(NULL, name, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fault_set_errno(fault, ERR_NOT_FOUND, errno, "cannot be opened", name);
    enum err err = ERR_OK;
    void *data = MAP_FAILED;
    if (sys_fstat(NULL, fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    *is_mapped = data != MAP_FAILED;
    if (*is_mapped)
        *content = bytes_from(data, (size_t)status.st_size);
    else
        err = read_stream(fd, name, content, fault);
    sys_close(NULL, fd);
    return err == ERR_IO ? ERR_NOT_FOUND : err;
}

static void release_files(struct files *files) {
    for (int i = 0; i < files->count; i++) {
        /* Mapped or grown here, so not const in truth. */
        void *data = (void *)(uintptr_t)files->contents[i].data;
        if (data && files->is_mapped[i])
            munmap(data, files->contents[i].size);
        else
            memory_free(data);
    }
    memory_free(files->contents);
    memory_free(files->is_mapped);
}

static enum err open_files(struct files *files, struct fault *fault) {
    files->contents = memory_alloc((size_t)files->count, sizeof *files->contents);
    files->is_mapped = memory_alloc((size_t)files->count, sizeof *files->is_mapped);
    enum err err = files->contents && files->is_mapped ? ERR_OK : ERR_MEMORY;
    for (int i = 0; i < files->count && !err; i++)
        err = strcmp(files->names[i], "-") == 0
                  ? read_stream(STDIN_FILENO, "standard input", &files->contents[i], fault)
                  : map_file(files->names[i], &files->contents[i], &files->is_mapped[i], fault);
    return err;
}

static enum err next_message(void *owner, unsigned connection, struct bytes *message,
                             int64_t *due_us) {
    struct files *files = owner;
    (void)connection;
    *due_us = 0;
    for (;;) {
        if (files->file < files->count &&
            hl7_batch_next(files->contents[files->file], &files->at, message)) {
            files->has_any = true;
            return ERR_OK;
        }
        files->at = 0;
        if (++files->file < files->count)
            continue;
        if (files->repeats == 0 || !files->has_any)
            return ERR_MORE;
        files->repeats--;
        files->file = 0;
    }
}

/* ---- the command line ---- */

static bool read_number(const char *text, uint64_t low, uint64_t high, uint64_t *number) {
    return bytes_to_u64(bytes_from_string(text), number) && *number >= low && *number <= high;
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

/* False: the command line is wrong, or help was asked for (then *is_help). */
static bool read_arguments(int argc, char **argv, struct arguments *arguments, bool *is_help) {
    static const struct option options[] = {{"connections", required_argument, NULL, 'c'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"repeat", required_argument, NULL, 'n'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    *arguments = (struct arguments){.connections = 1, .repeat = 1, .timeout_s = 30};
    *is_help = false;
    bool is_good = true;
    optind = 1;
    for (int c; is_good && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        is_good = c == 'c'   ? read_number(optarg, 1, CONNECTIONS_MAX, &arguments->connections)
                  : c == 'r' ? read_number(optarg, 1, 10000000, &arguments->rate)
                  : c == 'n' ? read_number(optarg, 1, UINT32_MAX, &arguments->repeat)
                  : c == 't' ? read_number(optarg, 1, 86400, &arguments->timeout_s)
                             : c == 'j' || c == 'h';
        arguments->is_json |= c == 'j';
        *is_help |= c == 'h';
    }
    return is_good && !*is_help && argc - optind >= 2 && argc - optind <= FILE_COUNT_MAX &&
           read_address(argv[optind], arguments);
}

/* ---- the report ---- */

static double milliseconds(int64_t us) {
    return (double)us / 1000.0;
}

static double per_second(const struct feeds_sender_report *report) {
    uint64_t answered = report->aa + report->ae + report->ar + report->other;
    return report->seconds > 0 ? (double)answered / report->seconds : 0;
}

static void print_json(const struct feeds_sender_report *report) {
    char nak[sizeof report->first_nak * 6 + 3];
    struct text text;
    struct json json;
    text_init(&text, nak, sizeof nak);
    json_init(&json, &text);
    json_put_string(&json, report->first_nak);
    printf("{\"sent\":%llu,\"aa\":%llu,\"ae\":%llu,\"ar\":%llu,\"per_second\":%.1f,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f,"
           "\"max_ms\":%.3f,\"other\":%llu,\"mismatched\":%llu,\"unanswered\":%llu,\"seconds\":%."
           "3f,\"first_nak\":%s}\n",
           (unsigned long long)report->sent, (unsigned long long)report->aa,
           (unsigned long long)report->ae, (unsigned long long)report->ar, per_second(report),
           milliseconds(report->p50_us), milliseconds(report->p99_us), milliseconds(report->max_us),
           (unsigned long long)report->other, (unsigned long long)report->mismatched,
           (unsigned long long)report->unanswered, report->seconds, nak);
}

static void print_report(const struct feeds_sender_report *report) {
    printf("%llu sent: %llu AA, %llu AE, %llu AR", (unsigned long long)report->sent,
           (unsigned long long)report->aa, (unsigned long long)report->ae,
           (unsigned long long)report->ar);
    if (report->other)
        printf(", %llu without an answer asked or with another", (unsigned long long)report->other);
    if (report->mismatched)
        printf(", %llu answers to something else", (unsigned long long)report->mismatched);
    if (report->unanswered)
        printf(", %llu not answered", (unsigned long long)report->unanswered);
    printf("; %.0f/s, p50 %.3f ms, p99 %.3f ms\n", per_second(report), milliseconds(report->p50_us),
           milliseconds(report->p99_us));
    if (report->first_nak[0])
        printf("first not accepted: %s\n", report->first_nak);
}

static int fail(enum err err, const struct fault *fault) {
    char line[512];
    fault_format(fault, line, sizeof line);
    fprintf(stderr, "veilleuse send: %s\n", line);
    return err_exit_code(err);
}

static int send_files(const struct arguments *arguments, struct files *files) {
    struct fault fault = {0};
    struct feeds_sender_report report;
    struct feeds_sender_options options = {
        .host = arguments->host,
        .port = arguments->port,
        .connection_count = (unsigned)arguments->connections,
        .rate_per_second = arguments->rate,
        .timeout_ms = (int64_t)arguments->timeout_s * 1000,
    };
    enum err err = feeds_send(&options, next_message, files, &report, &fault);
    if (arguments->is_json)
        print_json(&report);
    else
        print_report(&report);
    if (err)
        return fail(err, &fault);
    return report.ae || report.ar ? err_exit_code(ERR_INPUT) : 0;
}

int feeds_send_command(int argc, char **argv) {
    struct arguments arguments;
    struct fault fault = {0};
    bool is_help;
    if (!read_arguments(argc, argv, &arguments, &is_help)) {
        fputs(usage, is_help ? stdout : stderr);
        return is_help ? 0 : err_exit_code(ERR_USAGE);
    }
    struct files files = {
        .names = argv + optind + 1, .count = argc - optind - 1, .repeats = arguments.repeat - 1};
    enum err err = open_files(&files, &fault);
    int code = err ? fail(err, &fault) : send_files(&arguments, &files);
    release_files(&files);
    return code;
}
