/* err.c - the closed table of errors, and the one place where the detail of a failure is kept. */
#include "base/err.h"
#include "base/text.h"
#include <assert.h>
#include <errno.h>

struct err_row {
    const char *name, *ack, *english, *french;
    int exit_code, http;
};

static const struct err_row err_rows[ERR_COUNT] = {
#define E(name, exit_code, http, ack, english, french)                                             \
    [ERR_##name] = {#name, ack, english, french, exit_code, http},
#include "base/err.def"
#undef E
};

static const struct err_row *row_of(enum err err) {
    assert((unsigned)err < ERR_COUNT);
    return &err_rows[err];
}

int err_exit_code(enum err err) {
    return row_of(err)->exit_code;
}

int err_http_status(enum err err) {
    return row_of(err)->http;
}

const char *err_name(enum err err) {
    return row_of(err)->name;
}

const char *err_hl7_code(enum err err) {
    return row_of(err)->ack;
}

const char *err_sentence(enum err err, bool french) {
    return french ? row_of(err)->french : row_of(err)->english;
}

/* The first failure is the cause; what fails after it is only a consequence, and is not kept. */
static bool takes_detail(const struct fault *fault) {
    return fault && fault->code == ERR_OK;
}

static enum err fill(struct fault *fault, struct fault detail, const char *subject) {
    assert(detail.code != ERR_OK);
    if (takes_detail(fault)) {
        struct bytes kept = bytes_first(bytes_from_string(subject), sizeof detail.subject - 1);
        if (kept.size)
            memcpy(detail.subject, kept.data, kept.size);
        *fault = detail;
    }
    return detail.code;
}

enum err fault_set(struct fault *fault, enum err code, const char *what) {
    return fill(fault, (struct fault){.code = code, .what = what}, NULL);
}

enum err fault_set_errno(struct fault *fault, enum err code, int errnum, const char *what,
                         const char *subject) {
    if (errnum == ENOSPC || errnum == EDQUOT)
        code = ERR_FULL;
    return fill(fault, (struct fault){.code = code, .errnum = errnum, .what = what}, subject);
}

enum err fault_set_at(struct fault *fault, enum err code, const char *what, uint64_t at) {
    return fill(fault, (struct fault){.code = code, .at = at, .what = what}, NULL);
}

enum err fault_set_subject(struct fault *fault, enum err code, const char *what,
                           const char *subject) {
    return fill(fault, (struct fault){.code = code, .what = what}, subject);
}

void fault_format(const struct fault *fault, char *line, unsigned long line_bytes) {
    struct text text;
    char reason[128];
    text_init(&text, line, line_bytes);
    text_put_string(&text, fault->what ? fault->what : err_sentence(fault->code, false));
    if (fault->subject[0])
        text_put_format(&text, ": %s", fault->subject);
    if (fault->errnum)
        text_put_format(&text, ": %s", strerror_r(fault->errnum, reason, sizeof reason));
    if (fault->at)
        text_put_format(&text, " (at %llu)", (unsigned long long)fault->at);
}
