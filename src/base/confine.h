/* confine.h - a process gives up, for good, what it will never need: files by Landlock, system calls by seccomp.
 *
 * Shapes     the paths that may still be reached, each for reading or for writing too. What is open already stays open.
 * Errors     best effort: an older kernel gives less, and `struct confinement` says how much. Nothing fails.
 * Limits     sockets that are open may be used and accepted from; no new one can be made. No other program is started.
 * Process    each role, before it takes its first message. Not under AddressSanitizer, which needs more than a role does.
 * Source     Linux: landlock(7), seccomp(2) through libseccomp.
 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include "base/sys.h"

struct confine_path {
    const char *path; /* a directory, with all that lies below it; one that is absent is left out */
    bool may_write;
};

struct confinement {
    uint32_t landlock_abi; /* 0: the kernel has none, or it is switched off */
    bool has_seccomp;
};

struct confinement confine(struct sys *sys, const struct confine_path *paths, size_t path_count);

#endif
