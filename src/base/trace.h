/* trace.h - lines for the operator on stderr: rate-limited, without patient data.
 *
 * Shapes     "veilleuse[role]: level: text"; with `<n>` in front when stderr is the journal
 *            (JOURNAL_STREAM is set).
 * Limits     50 lines a second a process; what is left out is counted and said.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/err.h"

void trace_name(const char *role);
void trace_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace_fault(const char *doing, const struct fault *fault);

#endif
