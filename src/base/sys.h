/* sys.h - every call to the kernel that can fail, so that any of them can be made to fail.
 *
 * Shapes     each function is the system call of its name with a `struct sys` in front. It returns
 *            as the call does (-1 and errno), retries EINTR itself where that is safe, and never
 *            retries fsync.
 * Errors     errno. A plan makes the Nth call fail: tests loop N = 0, 1, 2... until a run goes
 *            through clean. A watcher is told of every change to the disk, so that a test can make the
 *            states that a power cut may leave.
 * Ownership  the caller owns descriptors; those made here are close-on-exec. A struct sys is passed
 *            down from main; NULL means the real kernel, no plan.
 * Process    any.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/time.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

enum sys_fail_how {
    SYS_FAIL_ERRNO,
    SYS_FAIL_SHORT, /* write half, then ENOSPC */
    SYS_FAIL_CRASH  /* _exit(137) */
};

/* What a call has just changed on the disk, or made to last there: enough to do it again elsewhere. */
enum sys_change {
    SYS_OPENED,     /* fd, path, flags: with O_CREAT it may have been made, with O_TRUNC emptied */
    SYS_WRITTEN,    /* fd, data, at */
    SYS_GROWN,      /* fd, at: at least so large, with zeros */
    SYS_CUT,        /* fd, at: exactly so large */
    SYS_SYNCED,     /* fd, of a file or of a directory */
    SYS_ALL_SYNCED, /* everything of the file system that fd is in */
    SYS_RENAMED,    /* path, to */
    SYS_LINKED,     /* path, to */
    SYS_UNLINKED,
    SYS_DIR_MADE,
    SYS_DIR_REMOVED
};
struct sys_event {
    enum sys_change change;
    int fd, flags;
    const char *path, *to;
    struct bytes data;
    off_t at;
};

struct sys {
    uint64_t call_count; /* calls so far */
    uint64_t fail_at;    /* the call that fails, counted from 0; UINT64_MAX: none */
    bool fail_for_good;  /* and every later one (of ENOSPC: every later one that takes space) */
    int fail_errno;
    enum sys_fail_how fail_how;
    int64_t false_now_us; /* with has_false_clock: what sys_now_us says */
    bool has_false_clock;
    struct steady_clock clock;
    bool was_short; /* half was written: the next write fails */
    /* A test's: told of each change when it has been made. NULL: nobody is. */
    void (*watch)(void *watcher, const struct sys_event *event);
    void *watcher;
};

void sys_init(struct sys *sys); /* the real kernel, no failure planned */

int sys_open(struct sys *sys, const char *path, int flags, mode_t mode);
int sys_openat(struct sys *sys, int dir, const char *path, int flags, mode_t mode);
int sys_close(struct sys *sys, int fd);
ssize_t sys_read(struct sys *sys, int fd, void *buffer, size_t size);
ssize_t sys_pread(struct sys *sys, int fd, void *buffer, size_t size, off_t at);
ssize_t sys_write(struct sys *sys, int fd, const void *data, size_t size);
ssize_t sys_pwrite(struct sys *sys, int fd, const void *data, size_t size, off_t at);
ssize_t sys_writev(struct sys *sys, int fd, const struct iovec *parts, int count);
int sys_fdatasync(struct sys *sys, int fd);
int sys_fsync(struct sys *sys, int fd);
/* Everything that is dirty in the file system of `fd`, in one go. An error may be that of somebody else's file. */
int sys_syncfs(struct sys *sys, int fd);
/* Zeroed space at the end of a file; falls back to writing zeros. */
int sys_fallocate(struct sys *sys, int fd, off_t at, off_t size);
/* Begin to write out what is dirty of [at, at + size), size 0: to the end; with `wait`, until that is done and its errors
 * are told. It saves a later fdatasync time and never replaces it. 0 too where there is no such call. */
int sys_write_back(struct sys *sys, int fd, off_t at, off_t size, bool wait);
int sys_ftruncate(struct sys *sys, int fd, off_t size);
int sys_rename(struct sys *sys, const char *from, const char *to);
int sys_link(struct sys *sys, const char *from, const char *to);
int sys_unlink(struct sys *sys, const char *path);
int sys_mkdir(struct sys *sys, const char *path, mode_t mode);
int sys_rmdir(struct sys *sys, const char *path);
/* A descriptor, not blocking, that can be read when a file of this directory was made, closed after writing, or moved into it; what
 * is read are struct inotify_event. */
int sys_watch_dir(struct sys *sys, const char *path);
int sys_stat(struct sys *sys, const char *path, struct stat *out);
int sys_fstat(struct sys *sys, int fd, struct stat *out);
/* Free bytes and all bytes of the file system of `path`. */
int sys_disk_space(struct sys *sys, const char *path, uint64_t *free_bytes, uint64_t *total_bytes);
/* Does the file lie in memory that ends with the machine's run (tmpfs)? False too when that cannot be told. */
bool sys_is_memory(struct sys *sys, int fd);

int sys_socket(struct sys *sys, int domain, int type, int protocol);
int sys_socketpair(struct sys *sys, int fds[2]); /* stream, non-blocking */
int sys_bind(struct sys *sys, int fd, const struct sockaddr *address, socklen_t size);
int sys_listen(struct sys *sys, int fd, int backlog);
/* Non-blocking, close-on-exec; `address` may be NULL. */
int sys_accept(struct sys *sys, int fd, struct sockaddr_storage *address);
int sys_connect(struct sys *sys, int fd, const struct sockaddr *address, socklen_t size);
ssize_t sys_recv(struct sys *sys, int fd, void *buffer, size_t size, int flags);
/* Never SIGPIPE. */
ssize_t sys_send(struct sys *sys, int fd, const void *data, size_t size, int flags);
ssize_t sys_sendmsg(struct sys *sys, int fd, const struct msghdr *message, int flags);
ssize_t sys_recvmsg(struct sys *sys, int fd, struct msghdr *message, int flags);

/* CLOCK_REALTIME, believed as steady_clock_now says (with NULL: as it is). */
int64_t sys_now_us(struct sys *sys);
/* Has that clock jumped since the first look at it, and is it still away? */
bool sys_clock_has_jumped(const struct sys *sys);
int64_t sys_monotonic_us(struct sys *sys); /* CLOCK_BOOTTIME: goes on during sleep, never jumps */

/* Built from the calls above. */

/* All of it, or ERR_IO / ERR_FULL. */
MUST_CHECK enum err sys_write_all(struct sys *sys, int fd, struct bytes data, const char *path,
                                  struct fault *fault);
MUST_CHECK enum err sys_pwrite_all(struct sys *sys, int fd, struct bytes data, off_t at,
                                   const char *path, struct fault *fault);
/* Exactly `size` bytes; ERR_MORE at the end of the file. */
MUST_CHECK enum err sys_pread_all(struct sys *sys, int fd, void *buffer, size_t size, off_t at,
                                  const char *path, struct fault *fault);
/* Read a whole file of at most `size_max` bytes into `buffer`; ERR_LIMIT when larger, ERR_NOT_FOUND
 * when absent. */
MUST_CHECK enum err sys_read_file(struct sys *sys, const char *path, void *buffer, size_t size_max,
                                  size_t *size, struct fault *fault);
/* Write beside `path`, sync, rename over it, sync the directory: after a crash the old or the new
 * file stands, whole. */
MUST_CHECK enum err sys_replace_file(struct sys *sys, const char *path, struct bytes data,
                                     mode_t mode, struct fault *fault);
MUST_CHECK enum err sys_sync_dir(struct sys *sys, const char *path, struct fault *fault);
/* mkdir -p; existing directories are fine. */
MUST_CHECK enum err sys_make_dirs(struct sys *sys, const char *path, mode_t mode,
                                  struct fault *fault);

#endif
