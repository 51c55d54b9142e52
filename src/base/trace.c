/* trace.c - lines for the operator on stderr, so many a second and no more.
 *
 * What is kept here between calls (the role's name, the count of this second) belongs to the
 * process as its stderr does, and is the only state of that kind in base. */
#include "base/trace.h"
#include "base/sys.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINES_A_SECOND 50
#define LINE_BYTES_MAX 1024

enum level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO };

/* The numbers are those of syslog(3), which the journal reads. */
static const struct level_row {
    const char *name, *journal_prefix;
} level_rows[] = {
    [LEVEL_ERROR] = {"error", "<3>"},
    [LEVEL_WARNING] = {"warning", "<4>"},
    [LEVEL_INFO] = {"info", "<6>"},
};

static struct {
    char role[32];
    int64_t second;
    unsigned line_count, left_out_count;
} process;

void trace_name(const char *role) {
    struct text name;
    text_init(&name, process.role, sizeof process.role);
    text_put_string(&name, role);
}

/* What a line says may come from outside: it must not be able to begin another line. */
static void put_printable(struct text *line, const char *string) {
    for (; *string; string++) {
        bool is_control = (unsigned char)*string < ' ' || *string == 0x7f;
        text_put_char(line, is_control ? '?' : *string);
    }
}

static void write_line(enum level level, const char *message) {
    char buffer[LINE_BYTES_MAX];
    struct text line;
    text_init(&line, buffer, sizeof buffer - 1);
    if (getenv("JOURNAL_STREAM"))
        text_put_string(&line, level_rows[level].journal_prefix);
    text_put_format(&line, "veilleuse[%s]: %s: ", process.role[0] ? process.role : "-",
                    level_rows[level].name);
    put_printable(&line, message);
    buffer[line.size] = '\n';
    /* Nobody can be told that stderr does not take the line. */
    ssize_t n = sys_write(NULL, STDERR_FILENO, buffer, line.size + 1);
    (void)n;
}

/* May one more line be written in this second? When a new second begins, say what was left out. */
static bool may_write(void) {
    int64_t second = sys_monotonic_us(NULL) / 1000000;
    if (second != process.second) {
        char message[64];
        unsigned left_out_count = process.left_out_count;
        process.second = second;
        process.line_count = process.left_out_count = 0;
        if (left_out_count) {
            snprintf(message, sizeof message, "%u lines were left out", left_out_count);
            write_line(LEVEL_WARNING, message);
        }
    }
    if (process.line_count == LINES_A_SECOND) {
        process.left_out_count++;
        return false;
    }
    process.line_count++;
    return true;
}

__attribute__((format(printf, 2, 0))) static void trace(enum level level, const char *format,
                                                        va_list arguments) {
    char message[LINE_BYTES_MAX - 64];
    if (!may_write())
        return;
    vsnprintf(message, sizeof message, format, arguments);
    write_line(level, message);
}

void trace_info(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    trace(LEVEL_INFO, format, arguments);
    va_end(arguments);
}

void trace_warning(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    trace(LEVEL_WARNING, format, arguments);
    va_end(arguments);
}

void trace_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    trace(LEVEL_ERROR, format, arguments);
    va_end(arguments);
}

void trace_fault(const char *doing, const struct fault *fault) {
    char detail[512];
    fault_format(fault, detail, sizeof detail);
    trace_error("%s: %s", doing, detail);
}
