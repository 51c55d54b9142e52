/* kernel.h - the Nth system call of the whole program fails, whoever makes it: SQLite too. A program that includes this calls the
 * kernel by the functions here, in the C library's place; the linker gives them to its libraries as well.
 *
 * Counted are the calls that open, write, cut, sync, name and remove files, from the moment the plan is made. */
#ifndef TESTS_FAULT_KERNEL_H
#define TESTS_FAULT_KERNEL_H

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    bool is_made, was_short, for_good;
    uint64_t call_count, fail_at;
    enum sys_fail_how how;
    int errnum;
} kernel_plan;

static inline bool kernel_takes_space(int errnum) {
    return errnum == ENOSPC || errnum == EDQUOT;
}

static inline bool kernel_is_planned(bool takes_space) {
    uint64_t call = kernel_plan.call_count++;
    if (call == kernel_plan.fail_at)
        return true;
    return kernel_plan.for_good && call > kernel_plan.fail_at &&
           (takes_space || !kernel_takes_space(kernel_plan.errnum));
}

/* True: the call fails, with errno set. */
static inline bool kernel_fails(bool takes_space) {
    if (!kernel_plan.is_made || !kernel_is_planned(takes_space))
        return false;
    if (kernel_plan.how == SYS_FAIL_CRASH)
        _exit(137);
    errno = kernel_plan.errnum ? kernel_plan.errnum : ENOSPC;
    return true;
}

/* A write may also be cut in half; the next one fails then. */
static inline bool kernel_write_fails(int fd, size_t *size) {
    if (fd < 3 || !kernel_plan.is_made)
        return false;
    if (kernel_plan.was_short) {
        kernel_plan.was_short = kernel_plan.for_good;
        kernel_plan.call_count++;
        errno = ENOSPC;
        return true;
    }
    if (kernel_plan.how != SYS_FAIL_SHORT || *size < 2)
        return kernel_fails(true);
    if (kernel_is_planned(true)) {
        kernel_plan.was_short = true;
        *size /= 2;
    }
    return false;
}

#define KERNEL(symbol) __asm__(#symbol) __attribute__((used, visibility("default")))

ssize_t kernel_write(int fd, const void *data, size_t size) KERNEL(write);
ssize_t kernel_write(int fd, const void *data, size_t size) {
    return kernel_write_fails(fd, &size) ? -1 : syscall(SYS_write, fd, data, size);
}

static inline ssize_t kernel_put(int fd, const void *data, size_t size, off_t at) {
    return kernel_write_fails(fd, &size) ? -1 : syscall(SYS_pwrite64, fd, data, size, at);
}
ssize_t kernel_pwrite(int fd, const void *data, size_t size, off_t at) KERNEL(pwrite);
ssize_t kernel_pwrite(int fd, const void *data, size_t size, off_t at) {
    return kernel_put(fd, data, size, at);
}
ssize_t kernel_pwrite64(int fd, const void *data, size_t size, off_t at) KERNEL(pwrite64);
ssize_t kernel_pwrite64(int fd, const void *data, size_t size, off_t at) {
    return kernel_put(fd, data, size, at);
}

static inline int kernel_open_at(int dir, const char *path, int flags, mode_t mode) {
    return kernel_fails(flags & O_CREAT) ? -1 : (int)syscall(SYS_openat, dir, path, flags, mode);
}
#define KERNEL_OPEN(name, symbol)                                                                  \
    int name(const char *path, int flags, ...) KERNEL(symbol);                                     \
    int name(const char *path, int flags, ...) {                                                   \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;                                  \
        va_end(list);                                                                              \
        return kernel_open_at(AT_FDCWD, path, flags, mode);                                        \
    }
#define KERNEL_OPENAT(name, symbol)                                                                \
    int name(int dir, const char *path, int flags, ...) KERNEL(symbol);                            \
    int name(int dir, const char *path, int flags, ...) {                                          \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;                                  \
        va_end(list);                                                                              \
        return kernel_open_at(dir, path, flags, mode);                                             \
    }
KERNEL_OPEN(kernel_open, open)
KERNEL_OPEN(kernel_open64, open64)
KERNEL_OPENAT(kernel_openat, openat)
KERNEL_OPENAT(kernel_openat64, openat64)

#define KERNEL_CALL(name, symbol, parameters, space, call)                                         \
    int name parameters KERNEL(symbol);                                                            \
    int name parameters {                                                                          \
        return kernel_fails(space) ? -1 : (int)syscall call;                                       \
    }
KERNEL_CALL(kernel_fsync, fsync, (int fd), true, (SYS_fsync, fd))
KERNEL_CALL(kernel_fdatasync, fdatasync, (int fd), true, (SYS_fdatasync, fd))
KERNEL_CALL(kernel_syncfs, syncfs, (int fd), true, (SYS_syncfs, fd))
KERNEL_CALL(kernel_ftruncate, ftruncate, (int fd, off_t size), true, (SYS_ftruncate, fd, size))
KERNEL_CALL(kernel_ftruncate64, ftruncate64, (int fd, off_t size), true, (SYS_ftruncate, fd, size))
KERNEL_CALL(kernel_fallocate, fallocate, (int fd, int mode, off_t at, off_t size), true,
            (SYS_fallocate, fd, mode, at, size))
KERNEL_CALL(kernel_rename, rename, (const char *from, const char *to), true, (SYS_rename, from, to))
KERNEL_CALL(kernel_mkdir, mkdir, (const char *path, mode_t mode), true, (SYS_mkdir, path, mode))
KERNEL_CALL(kernel_unlink, unlink, (const char *path), false, (SYS_unlink, path))

/* From here on; `sys` is armed, and is not called itself. A call that a signal interrupts is made again, as long as it takes: here
 * it is interrupted once. */
static inline void kernel_begin(const struct sys *sys) {
    kernel_plan.how = sys->fail_how;
    kernel_plan.errnum = sys->fail_errno;
    kernel_plan.for_good = sys->fail_for_good && sys->fail_errno != EINTR;
    kernel_plan.fail_at = sys->fail_at - sys->call_count;
    kernel_plan.is_made = true;
}

/* Its count is what was counted here. */
static inline void kernel_end(struct sys *sys) {
    kernel_plan.is_made = false;
    sys->call_count += kernel_plan.call_count;
}

#endif
