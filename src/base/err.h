/* err.h - how a function says that it could not do its work.
 *
 * Shapes     enum err, 0 is ERR_OK; struct fault, the one place where detail goes.
 * Errors     the closed table err.def: what the caller must do, exit code, HTTP status, HL7 code,
 *            sentences.
 * Ownership  fault.what is a static text; nothing is allocated.
 *
 * A function that can fail returns enum err and must not be ignored. The place that first meets the
 * failure fills the fault (once); those above only pass the code on.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

enum err {
#define E(name, exit_code, http, ack, english, french) ERR_##name,
#include "base/err.def"
#undef E
    ERR_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))

struct fault {
    enum err code;
    int errnum;        /* errno, or 0 */
    uint64_t at;       /* byte offset or index the fault is about */
    const char *what;  /* static text: what failed, in words */
    char subject[160]; /* a path, key or address; never patient data; may be empty */
};

int err_exit_code(enum err err);
int err_http_status(enum err err);
const char *err_name(enum err err);
const char *err_hl7_code(enum err err);
/* The sentence of `err`, in French when `french`. */
const char *err_sentence(enum err err, bool french);

/* Fill `fault` (may be NULL; a fault already filled is kept) and return `code`. */
enum err fault_set(struct fault *fault, enum err code, const char *what);
/* The same with the errno of a failed call; ENOSPC and EDQUOT become ERR_FULL in any case. */
enum err fault_set_errno(struct fault *fault, enum err code, int errnum, const char *what,
                         const char *subject);
enum err fault_set_at(struct fault *fault, enum err code, const char *what, uint64_t at);
enum err fault_set_subject(struct fault *fault, enum err code, const char *what,
                           const char *subject);
/* "what: subject: strerror (at N)" into `line`. */
void fault_format(const struct fault *fault, char *line, unsigned long line_bytes);

#endif
