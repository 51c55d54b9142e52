/* sys.c - every call to the kernel that can fail, counted, so that a test can make any of them
 * fail.
 *
 * Each call first asks the plan (`is_failing`). A planned failure leaves the kernel's state alone,
 * with two exceptions that real failures share: a descriptor is gone after a failed close, and a
 * short write has written. */
#include "base/sys.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>
#include <sys/inotify.h>
#include <unistd.h>

/* What a call needs of the disk: a full one goes on reading and deleting. */
enum need { NEED_NOTHING, NEED_SPACE };

#define CRASH_EXIT_CODE 137

void sys_init(struct sys *sys) {
    *sys = (struct sys){.fail_at = UINT64_MAX};
}

static bool is_planned(const struct sys *sys, uint64_t call, enum need need) {
    if (call == sys->fail_at)
        return true;
    if (!sys->fail_for_good || call < sys->fail_at)
        return false;
    return need == NEED_SPACE || (sys->fail_errno != ENOSPC && sys->fail_errno != EDQUOT);
}

/* Count this call; true when the plan says that it fails, with errno set. */
static bool is_failing(struct sys *sys, enum need need) {
    if (!sys || !is_planned(sys, sys->call_count++, need))
        return false;
    if (sys->fail_how == SYS_FAIL_CRASH)
        _exit(CRASH_EXIT_CODE);
    errno = sys->fail_errno ? sys->fail_errno : ENOSPC;
    return true;
}

/* For the calls that write: as is_failing, but a failure may also be a write cut in half, the next
 * one failing. *size becomes what is to be written. */
static bool is_write_failing(struct sys *sys, size_t *size) {
    if (!sys)
        return false;
    if (sys->was_short) {
        sys->was_short = sys->fail_for_good;
        sys->call_count++;
        errno = ENOSPC;
        return true;
    }
    if (sys->fail_how != SYS_FAIL_SHORT || *size < 2)
        return is_failing(sys, NEED_SPACE);
    if (is_planned(sys, sys->call_count++, NEED_SPACE)) {
        sys->was_short = true;
        *size /= 2;
    }
    return false;
}

/* ---- a test that watches: NULL in earnest ---- */

/* Of a call that was made; errno stays. */
static void tell(struct sys *sys, const struct sys_event *event) {
    int errnum = errno;
    if (sys && sys->watch)
        sys->watch(sys->watcher, event);
    errno = errnum;
}

/* For the calls that give 0: one that failed changed nothing. */
static int told(struct sys *sys, int result, const struct sys_event *event) {
    if (result == 0)
        tell(sys, event);
    return result;
}

static void tell_written(struct sys *sys, int fd, const void *data, size_t size, off_t at) {
    if (size > 0)
        tell(sys, &(struct sys_event){SYS_WRITTEN, .fd = fd, .data = {data, size}, .at = at});
}

/* Where the bytes went that have just been written where the descriptor stood. */
static off_t stood_at(const struct sys *sys, int fd, ssize_t written) {
    return sys && sys->watch && written > 0 ? lseek(fd, 0, SEEK_CUR) - written : 0;
}

/* ---- files ---- */

int sys_open(struct sys *sys, const char *path, int flags, mode_t mode) {
    return sys_openat(sys, AT_FDCWD, path, flags, mode);
}

int sys_openat(struct sys *sys, int dir, const char *path, int flags, mode_t mode) {
    int fd;
    if (is_failing(sys, flags & O_CREAT ? NEED_SPACE : NEED_NOTHING))
        return -1;
    do
        fd = openat(dir, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0)
        tell(sys, &(struct sys_event){SYS_OPENED, .fd = fd, .path = path, .flags = flags});
    return fd;
}

int sys_close(struct sys *sys, int fd) {
    bool fails = is_failing(sys, NEED_NOTHING);
    int planned = errno, result = close(fd);
    if (!fails)
        return result;
    errno = planned;
    return -1;
}

ssize_t sys_read(struct sys *sys, int fd, void *buffer, size_t size) {
    ssize_t n;
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    do
        n = read(fd, buffer, size);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t sys_pread(struct sys *sys, int fd, void *buffer, size_t size, off_t at) {
    ssize_t n;
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    do
        n = pread(fd, buffer, size, at);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t sys_write(struct sys *sys, int fd, const void *data, size_t size) {
    ssize_t n;
    if (is_write_failing(sys, &size))
        return -1;
    do
        n = write(fd, data, size);
    while (n < 0 && errno == EINTR);
    tell_written(sys, fd, data, n > 0 ? (size_t)n : 0, stood_at(sys, fd, n));
    return n;
}

ssize_t sys_pwrite(struct sys *sys, int fd, const void *data, size_t size, off_t at) {
    ssize_t n;
    if (is_write_failing(sys, &size))
        return -1;
    do
        n = pwrite(fd, data, size, at);
    while (n < 0 && errno == EINTR);
    tell_written(sys, fd, data, n > 0 ? (size_t)n : 0, at);
    return n;
}

ssize_t sys_writev(struct sys *sys, int fd, const struct iovec *parts, int count) {
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    size_t size = total;
    if (is_write_failing(sys, &size))
        return -1;
    ssize_t n;
    /* A write cut in half by the plan stops inside the first part: that is short enough. */
    do
        n = size == total
                ? writev(fd, parts, count)
                : write(fd, parts[0].iov_base, size < parts[0].iov_len ? size : parts[0].iov_len);
    while (n < 0 && errno == EINTR);
    off_t at = stood_at(sys, fd, n);
    size_t left = n > 0 ? (size_t)n : 0;
    for (int i = 0; i < count && left > 0; i++) {
        size_t part = left < parts[i].iov_len ? left : parts[i].iov_len;
        tell_written(sys, fd, parts[i].iov_base, part, at);
        at += (off_t)part;
        left -= part;
    }
    return n;
}

int sys_fdatasync(struct sys *sys, int fd) {
    if (is_failing(sys, NEED_SPACE))
        return -1;
    return told(sys, fdatasync(fd), &(struct sys_event){SYS_SYNCED, .fd = fd});
}

int sys_fsync(struct sys *sys, int fd) {
    if (is_failing(sys, NEED_SPACE))
        return -1;
    return told(sys, fsync(fd), &(struct sys_event){SYS_SYNCED, .fd = fd});
}

int sys_syncfs(struct sys *sys, int fd) {
    if (is_failing(sys, NEED_SPACE))
        return -1;
    return told(sys, syncfs(fd), &(struct sys_event){SYS_ALL_SYNCED, .fd = fd});
}

/* Zeros from the end of the file to `end`; what is there already stays, as with fallocate itself.
 */
static int write_zeros(int fd, off_t at, off_t end) {
    static const char zeros[64 * 1024];
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return -1;
    for (at = stat.st_size > at ? stat.st_size : at; at < end;) {
        size_t left = (size_t)(end - at);
        ssize_t n = pwrite(fd, zeros, left < sizeof zeros ? left : sizeof zeros, at);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            at += n;
    }
    return 0;
}

int sys_fallocate(struct sys *sys, int fd, off_t at, off_t size) {
    int result;
    if (is_failing(sys, NEED_SPACE))
        return -1;
    do
        result = fallocate(fd, 0, at, size);
    while (result < 0 && errno == EINTR);
    if (result < 0 && errno == EOPNOTSUPP)
        result = write_zeros(fd, at, at + size);
    return told(sys, result, &(struct sys_event){SYS_GROWN, .fd = fd, .at = at + size});
}

int sys_write_back(struct sys *sys, int fd, off_t at, off_t size, bool wait) {
    unsigned flags = SYNC_FILE_RANGE_WRITE;
    if (wait)
        flags |= SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (is_failing(sys, NEED_SPACE))
        return -1;
    if (sync_file_range(fd, at, size, flags) == 0)
        return 0;
    return errno == ENOSYS || errno == EINVAL || errno == ESPIPE ? 0 : -1;
}

int sys_ftruncate(struct sys *sys, int fd, off_t size) {
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    return told(sys, ftruncate(fd, size), &(struct sys_event){SYS_CUT, .fd = fd, .at = size});
}

int sys_rename(struct sys *sys, const char *from, const char *to) {
    if (is_failing(sys, NEED_SPACE))
        return -1;
    return told(sys, rename(from, to), &(struct sys_event){SYS_RENAMED, .path = from, .to = to});
}

int sys_link(struct sys *sys, const char *from, const char *to) {
    if (is_failing(sys, NEED_SPACE))
        return -1;
    return told(sys, link(from, to), &(struct sys_event){SYS_LINKED, .path = from, .to = to});
}

int sys_unlink(struct sys *sys, const char *path) {
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    return told(sys, unlink(path), &(struct sys_event){SYS_UNLINKED, .path = path});
}

int sys_mkdir(struct sys *sys, const char *path, mode_t mode) {
    if (is_failing(sys, NEED_SPACE))
        return -1;
    return told(sys, mkdir(path, mode), &(struct sys_event){SYS_DIR_MADE, .path = path});
}

int sys_rmdir(struct sys *sys, const char *path) {
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    return told(sys, rmdir(path), &(struct sys_event){SYS_DIR_REMOVED, .path = path});
}

int sys_watch_dir(struct sys *sys, const char *path) {
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd >= 0 && inotify_add_watch(fd, path, IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
        int failed = errno;
        close(fd);
        errno = failed;
        return -1;
    }
    return fd;
}

int sys_stat(struct sys *sys, const char *path, struct stat *out) {
    return is_failing(sys, NEED_NOTHING) ? -1 : stat(path, out);
}

int sys_fstat(struct sys *sys, int fd, struct stat *out) {
    return is_failing(sys, NEED_NOTHING) ? -1 : fstat(fd, out);
}

int sys_disk_space(struct sys *sys, const char *path, uint64_t *free_bytes, uint64_t *total_bytes) {
    struct statvfs disk;
    if (is_failing(sys, NEED_NOTHING) || statvfs(path, &disk) < 0)
        return -1;
    *free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    *total_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
    return 0;
}

bool sys_is_memory(struct sys *sys, int fd) {
    struct statfs disk;
    return !is_failing(sys, NEED_NOTHING) && !fstatfs(fd, &disk) &&
           (disk.f_type == TMPFS_MAGIC || disk.f_type == RAMFS_MAGIC);
}

/* ---- sockets ---- */

int sys_socket(struct sys *sys, int domain, int type, int protocol) {
    return is_failing(sys, NEED_NOTHING) ? -1 : socket(domain, type | SOCK_CLOEXEC, protocol);
}

int sys_socketpair(struct sys *sys, int fds[2]) {
    return is_failing(sys, NEED_NOTHING)
               ? -1
               : socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
}

int sys_bind(struct sys *sys, int fd, const struct sockaddr *address, socklen_t size) {
    return is_failing(sys, NEED_NOTHING) ? -1 : bind(fd, address, size);
}

int sys_listen(struct sys *sys, int fd, int backlog) {
    return is_failing(sys, NEED_NOTHING) ? -1 : listen(fd, backlog);
}

int sys_accept(struct sys *sys, int fd, struct sockaddr_storage *address) {
    int accepted;
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    do {
        socklen_t size = sizeof *address;
        accepted = accept4(fd, (struct sockaddr *)address, address ? &size : NULL,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (accepted < 0 && errno == EINTR);
    return accepted;
}

/* Not tried again after EINTR: the connection goes on being made, and a second call says EALREADY.
 */
int sys_connect(struct sys *sys, int fd, const struct sockaddr *address, socklen_t size) {
    return is_failing(sys, NEED_NOTHING) ? -1 : connect(fd, address, size);
}

ssize_t sys_recv(struct sys *sys, int fd, void *buffer, size_t size, int flags) {
    ssize_t n;
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    do
        n = recv(fd, buffer, size, flags);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t sys_send(struct sys *sys, int fd, const void *data, size_t size, int flags) {
    ssize_t n;
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    do
        n = send(fd, data, size, flags | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t sys_sendmsg(struct sys *sys, int fd, const struct msghdr *message, int flags) {
    ssize_t n;
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    do
        n = sendmsg(fd, message, flags | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t sys_recvmsg(struct sys *sys, int fd, struct msghdr *message, int flags) {
    ssize_t n;
    if (is_failing(sys, NEED_NOTHING))
        return -1;
    do
        n = recvmsg(fd, message, flags | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    return n;
}

/* ---- clocks: not counted, they cannot fail ---- */

static int64_t read_clock(clockid_t clock) {
    struct timespec now;
    int result = clock_gettime(clock, &now);
    assert(result == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sys_now_us(struct sys *sys) {
    if (!sys)
        return read_clock(CLOCK_REALTIME);
    if (sys->has_false_clock)
        return sys->false_now_us;
    return steady_clock_now(&sys->clock, read_clock(CLOCK_REALTIME), read_clock(CLOCK_BOOTTIME));
}

bool sys_clock_has_jumped(const struct sys *sys) {
    return sys && sys->clock.has_jumped;
}

int64_t sys_monotonic_us(struct sys *sys) {
    (void)sys;
    return read_clock(CLOCK_BOOTTIME);
}
