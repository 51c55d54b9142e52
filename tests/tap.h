/* tap.h - the test harness: prints TAP, which `prove` reads. A test program calls ok() and the
 * like, then done(). */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

/* ok(condition) or ok(condition, "name") */
#define ok(...)                                                                                    \
    tap_ok(TAP_FIRST(__VA_ARGS__, ), #__VA_ARGS__, __FILE__, __LINE__,                             \
           TAP_SECOND(__VA_ARGS__, "", ))
#define TAP_FIRST(condition, ...)        (condition)
#define TAP_SECOND(condition, name, ...) "" name
#define is_int(got, wanted)                                                                        \
    tap_is_int((intmax_t)(got), (intmax_t)(wanted), #got, __FILE__, __LINE__)
#define is_string(got, wanted) tap_is_string((got), (wanted), #got, __FILE__, __LINE__)

static inline bool tap_ok(bool passed, const char *text, const char *file, int line,
                          const char *name) {
    tap_count++;
    tap_failed += !passed;
    printf("%sok %d - %s\n", passed ? "" : "not ", tap_count, *name ? name : text);
    if (!passed)
        printf("# %s:%d: %s\n", file, line, text);
    fflush(stdout);
    return passed;
}
static inline bool tap_is_int(intmax_t got, intmax_t wanted, const char *text, const char *file,
                              int line) {
    bool same = tap_ok(got == wanted, text, file, line, "");
    if (!same)
        printf("# got %" PRIdMAX ", wanted %" PRIdMAX "\n", got, wanted);
    return same;
}
static inline bool tap_is_string(const char *got, const char *wanted, const char *text,
                                 const char *file, int line) {
    bool same = tap_ok(got && wanted && strcmp(got, wanted) == 0, text, file, line, "");
    if (!same)
        printf("# got    '%s'\n# wanted '%s'\n", got ? got : "(none)", wanted ? wanted : "(none)");
    return same;
}
/* The whole program is skipped: said loudly, never silently. */
static inline void skip_all(const char *why) {
    printf("1..0 # SKIP %s\n", why);
    exit(0);
}
static inline int done(void) {
    printf("1..%d\n", tap_count);
    return tap_failed ? 1 : 0;
}

#endif
