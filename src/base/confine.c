/* confine.c - Landlock's three calls, which no library wraps yet, and a list of system calls for libseccomp. */
#include "base/confine.h"

#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__
#define HAS_ADDRESS_SANITIZER 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#endif
#endif

/* ---- files ---- */

/* The kernel's own words, of <linux/landlock.h>; written out because an older header lacks the newer ones. */
struct landlock_rules { /* as many bytes as the ABI knows are passed */
    uint64_t files, network, scope;
};
struct landlock_path {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

enum {
    LANDLOCK_CREATE = 444,
    LANDLOCK_ADD = 445,
    LANDLOCK_RESTRICT = 446,
    LANDLOCK_ASK_VERSION = 1,
    LANDLOCK_BENEATH = 1
};

#define FILES_READ     UINT64_C(0x000C) /* read a file, list a directory */
#define FILES_OF_ABI_1 UINT64_C(0x1FFF)
#define FILES_REFER    UINT64_C(0x2000) /* ABI 2: move between directories */
#define FILES_TRUNCATE UINT64_C(0x4000) /* ABI 3 */
#define FILES_IOCTL    UINT64_C(0x8000) /* ABI 5: of devices */
#define FILES_NEVER    UINT64_C(0x1E41) /* run; make devices, sockets, FIFOs, symbolic links */
#define NETWORK_TCP    UINT64_C(0x3)    /* ABI 4: bind, connect */
#define SCOPE_ALL      UINT64_C(0x3)    /* ABI 6: abstract sockets and signals of others */

static struct landlock_rules rules_of(long abi, size_t *size) {
    struct landlock_rules rules = {.files = FILES_OF_ABI_1};
    rules.files |= (abi >= 2 ? FILES_REFER : 0) | (abi >= 3 ? FILES_TRUNCATE : 0) |
                   (abi >= 5 ? FILES_IOCTL : 0);
    rules.network = abi >= 4 ? NETWORK_TCP : 0;
    rules.scope = abi >= 6 ? SCOPE_ALL : 0;
    *size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    return rules;
}

static bool allow_path(struct sys *sys, int ruleset, const struct confine_path *path,
                       uint64_t handled) {
    uint64_t allowed = path->may_write ? handled & ~(FILES_NEVER | FILES_IOCTL) : FILES_READ;
    struct landlock_path rule = {.allowed = allowed};
    rule.fd = sys_open(sys, path->path, O_PATH | O_CLOEXEC, 0);
    if (rule.fd < 0)
        return errno == ENOENT;
    long failed = syscall(LANDLOCK_ADD, ruleset, LANDLOCK_BENEATH, &rule, 0);
    sys_close(sys, rule.fd);
    return !failed;
}

static uint32_t confine_files(struct sys *sys, const struct confine_path *paths,
                              size_t path_count) {
    long abi = syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_ASK_VERSION);
    if (abi <= 0)
        return 0;
    size_t size;
    struct landlock_rules rules = rules_of(abi, &size);
    int ruleset = (int)syscall(LANDLOCK_CREATE, &rules, size, 0);
    bool good = ruleset >= 0;
    for (size_t i = 0; i < path_count && good; i++)
        good = allow_path(sys, ruleset, &paths[i], rules.files);
    if (good)
        good = !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !syscall(LANDLOCK_RESTRICT, ruleset, 0);
    if (ruleset >= 0)
        sys_close(sys, ruleset);
    if (!good)
        trace_warning("files are not closed off: Landlock does not work here");
    return good ? (uint32_t)abi : 0;
}

/* ---- system calls ---- */

/* What a role's event loop, SQLite, libmicrohttpd and the C library call. Anything else answers ENOSYS, to which the C
 * library has an older way. Names that a kernel or library does not know yet are left out. */
static const char *const calls[] = {
    /* descriptors */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "lseek",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "pipe2",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
    "sendfile",
    /* sockets that are there */
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "accept",
    "accept4",
    /* files, where Landlock lets it */
    "open",
    "openat",
    "openat2",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "getdents64",
    "readlink",
    "readlinkat",
    "getcwd",
    "flock",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "link",
    "linkat",
    "truncate",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "syncfs",
    "sync_file_range",
    "fadvise64",
    "readahead",
    "fchmod",
    "fchown",
    "utimensat",
    "umask",
    /* memory */
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "msync",
    "mlock",
    "mlock2",
    "munlock",
    "mincore",
    "membarrier",
    /* time, and oneself */
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "getrandom",
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrusage",
    "getrlimit",
    "prlimit64",
    "sched_yield",
    "sched_getaffinity",
    "setpriority",
    "getpriority",
    "getcpu",
    "uname",
    "sysinfo",
    "times",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "restart_syscall",
    "tgkill",
    "futex",
    "rseq",
    "set_robust_list",
    "set_tid_address",
    "arch_prctl",
    "exit",
    "exit_group",
};

static bool confine_calls(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return false;
    bool good = true;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0] && good; i++) {
        int number = seccomp_syscall_resolve_name(calls[i]);
        if (number != __NR_SCMP_ERROR && number >= 0)
            good = !seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    good = good && !seccomp_load(filter);
    seccomp_release(filter);
    if (!good)
        trace_warning("system calls are not closed off: seccomp does not work here");
    return good;
}

struct confinement confine(struct sys *sys, const struct confine_path *paths, size_t path_count) {
#ifdef HAS_ADDRESS_SANITIZER
    (void)confine_files;
    (void)confine_calls;
    (void)sys;
    (void)paths;
    (void)path_count;
    return (struct confinement){0};
#else
    struct confinement done = {.landlock_abi = confine_files(sys, paths, path_count)};
    done.has_seccomp = confine_calls();
    return done;
#endif
}
