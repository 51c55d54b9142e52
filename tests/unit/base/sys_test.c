/* sys_test.c - system calls, and their failing one after the other. */
#include "base/sys.h"
#include "base/text.h"
#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static bool file_is(const char *path, const char *content) {
    char buffer[256];
    size_t size;
    return sys_read_file(NULL, path, buffer, sizeof buffer, &size, NULL) == ERR_OK &&
           bytes_is(bytes_from(buffer, size), content);
}

static void test_files(void) {
    struct fault fault = {0};
    const char *path = path_of("file");
    char buffer[8];
    size_t size;
    is_int(sys_replace_file(NULL, path, BYTES("12345678"), 0600, &fault), ERR_OK);
    is_int(sys_read_file(NULL, path, buffer, 8, &size, &fault), ERR_OK);
    is_int(size, 8);
    is_int(sys_read_file(NULL, path, buffer, 7, &size, &fault), ERR_LIMIT);
    is_int(sys_read_file(NULL, path_of("none"), buffer, 8, &size, NULL), ERR_NOT_FOUND);
    path = path_of("file");
    int fd = sys_open(NULL, path, O_RDWR, 0);
    ok(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC), "descriptors are close-on-exec");
    is_int(sys_pwrite_all(NULL, fd, BYTES("AB"), 2, path, &fault), ERR_OK);
    is_int(sys_pread_all(NULL, fd, buffer, 4, 1, path, &fault), ERR_OK);
    ok(memcmp(buffer, "2AB5", 4) == 0);
    is_int(sys_pread_all(NULL, fd, buffer, 4, 6, path, NULL), ERR_MORE);
    is_int(sys_fallocate(NULL, fd, 0, 10000), 0);
    struct stat stat;
    is_int(sys_fstat(NULL, fd, &stat), 0);
    is_int(stat.st_size, 10000);
    is_int(sys_pread_all(NULL, fd, buffer, 8, 0, path, NULL), ERR_OK);
    ok(memcmp(buffer, "12AB5678", 8) == 0, "what was there before fallocate stays");
    is_int(sys_ftruncate(NULL, fd, 3), 0);
    char ab[] = "ab", cd[] = "cd";
    struct iovec parts[] = {{ab, 2}, {cd, 2}};
    is_int(lseek(fd, 0, SEEK_END), 3);
    is_int(sys_writev(NULL, fd, parts, 2), 4);
    is_int(sys_close(NULL, fd), 0);
    ok(file_is(path, "12Aabcd"));
    uint64_t free_bytes, total_bytes;
    ok(sys_disk_space(NULL, dir, &free_bytes, &total_bytes) == 0 && total_bytes >= free_bytes);
    is_int(sys_unlink(NULL, path), 0);
}

static void test_dirs(void) {
    struct fault fault = {0};
    char line[512];
    is_int(sys_make_dirs(NULL, path_of("a/b//c/"), 0700, &fault), ERR_OK);
    is_int(sys_make_dirs(NULL, path_of("a/b"), 0700, &fault), ERR_OK);
    is_int(sys_sync_dir(NULL, path_of("a/b/c"), &fault), ERR_OK);
    is_int(sys_sync_dir(NULL, path_of("a/x"), NULL), ERR_NOT_FOUND);
    is_int(sys_replace_file(NULL, path_of("a/plain"), BYTES("x"), 0600, &fault), ERR_OK);
    is_int(sys_make_dirs(NULL, path_of("a/plain/d"), 0700, &fault), ERR_IO);
    fault_format(&fault, line, sizeof line);
    ok(strstr(line, "a/plain") && strstr(line, "Not a directory"));
    static char deep[5000];
    memset(deep, 'x', sizeof deep - 1);
    is_int(sys_make_dirs(NULL, deep, 0700, NULL), ERR_LIMIT);
    is_int(sys_replace_file(NULL, deep, BYTES_NONE, 0600, NULL), ERR_LIMIT);
}

/* After each failure the old or the new file stands, whole; when all is said to be well, the new.
 */
static void replace_with_failures(struct sys plan) {
    unsigned wrong = 0, failures = 0;
    for (uint64_t at = 0;; at++) {
        struct sys sys = plan;
        struct fault fault = {0};
        sys.fail_at = at;
        if (sys_replace_file(NULL, path_of("kept"), BYTES("the old one"), 0600, NULL))
            break;
        enum err err = sys_replace_file(&sys, path_of("kept"), BYTES("the new one"), 0600, &fault);
        bool is_new = file_is(path_of("kept"), "the new one");
        wrong += !is_new && !file_is(path_of("kept"), "the old one");
        wrong += err ? fault.code != err : !is_new;
        failures += err != ERR_OK;
        if (sys.call_count <= at)
            break;
    }
    is_int(wrong, 0);
    ok(failures >= 3);
}

static void test_stale_new_file(void) {
    struct stat stat;
    int fd = sys_open(NULL, path_of("kept.new"), O_WRONLY | O_CREAT, 0644);
    ok(fd >= 0 && sys_close(NULL, fd) == 0);
    is_int(sys_replace_file(NULL, path_of("kept"), BYTES("a key"), 0600, NULL), ERR_OK);
    is_int(sys_stat(NULL, path_of("kept"), &stat), 0);
    is_int(stat.st_mode & 0777, 0600);
}

static void test_failing(void) {
    replace_with_failures((struct sys){.fail_errno = EIO});
    replace_with_failures((struct sys){.fail_errno = ENOSPC});
    replace_with_failures((struct sys){.fail_errno = EIO, .fail_for_good = true});
    replace_with_failures((struct sys){.fail_how = SYS_FAIL_SHORT, .fail_for_good = true});

    struct sys sys = {.fail_at = 0, .fail_errno = ENOSPC, .fail_for_good = true};
    struct stat stat;
    is_int(sys_replace_file(&sys, path_of("kept"), BYTES("x"), 0600, NULL), ERR_FULL);
    is_int(sys_stat(&sys, dir, &stat), 0);
    is_int(sys_unlink(&sys, path_of("kept")), 0);

    sys_init(&sys);
    is_int(sys_stat(&sys, dir, &stat), 0);
    is_int(sys.call_count, 1);
}

static void test_short_write(void) {
    struct sys sys = {.fail_at = 1, .fail_how = SYS_FAIL_SHORT};
    const char *path = path_of("short");
    int fd = sys_open(&sys, path, O_WRONLY | O_CREAT, 0600);
    char abc[] = "abc", defg[] = "defg";
    struct iovec parts[] = {{abc, 3}, {defg, 4}};
    is_int(sys_writev(&sys, fd, parts, 2), 3);
    is_int(sys_fdatasync(&sys, fd), 0);
    ok(sys_write(&sys, fd, "rest", 4) == -1 && errno == ENOSPC);
    is_int(sys_write(&sys, fd, "rest", 4), 4);
    is_int(sys_close(&sys, fd), 0);
    ok(file_is(path, "abcrest"));

    struct fault fault = {0};
    sys = (struct sys){.fail_at = 1, .fail_how = SYS_FAIL_SHORT};
    fd = sys_open(&sys, path, O_WRONLY | O_TRUNC, 0600);
    is_int(sys_write_all(&sys, fd, BYTES("12345678"), path, &fault), ERR_FULL);
    is_int(sys_close(&sys, fd), 0);
    ok(file_is(path, "1234"));
}

static void test_planned_close(void) {
    struct sys sys = {.fail_at = 1, .fail_errno = EIO};
    int fd = sys_open(&sys, dir, O_RDONLY, 0);
    ok(sys_close(&sys, fd) == -1 && errno == EIO);
    ok(fcntl(fd, F_GETFD) == -1 && errno == EBADF, "a descriptor is gone though closing failed");
}

struct seen {
    struct text text;
    char buffer[2048];
};

static void see(void *watcher, const struct sys_event *event) {
    static const char *const names[] = {"open",   "write", "grow",   "cut",   "sync", "sync all",
                                        "rename", "link",  "unlink", "mkdir", "rmdir"};
    struct seen *seen = watcher;
    const char *path = event->path ? strrchr(event->path, '/') : NULL;
    const char *to = event->to ? strrchr(event->to, '/') : NULL;
    text_put_format(&seen->text, "%s%s%s %lld ", names[event->change], path ? path : "",
                    to ? to : "", (long long)event->at);
    text_put(&seen->text, event->data);
    text_put_char(&seen->text, ';');
    errno = 0; /* what a watcher does to errno is not the caller's */
}

/* Every change is told, once, when it has been made; what failed is not. */
static void test_watch(void) {
    struct sys sys;
    struct seen seen;
    char a[256], b[256], ab[] = "ab", cde[] = "cde";
    struct iovec parts[] = {{ab, 2}, {cde, 3}};
    sys_init(&sys);
    sys.watch = see;
    sys.watcher = &seen;
    text_init(&seen.text, seen.buffer, sizeof seen.buffer);
    snprintf(a, sizeof a, "%s", path_of("watched"));
    snprintf(b, sizeof b, "%s", path_of("beside"));
    int fd = sys_open(&sys, a, O_RDWR | O_CREAT, 0600);
    ok(sys_write(&sys, fd, "12", 2) == 2 && sys_write(&sys, fd, "3", 1) == 1);
    is_int(sys_pwrite(&sys, fd, "X", 1, 7), 1);
    is_int(sys_writev(&sys, fd, parts, 2), 5);
    is_int(sys_fallocate(&sys, fd, 10, 10), 0);
    is_int(sys_ftruncate(&sys, fd, 4), 0);
    ok(!sys_fsync(&sys, fd) && !sys_fdatasync(&sys, fd));
    ok(!sys_link(&sys, a, b) && !sys_rename(&sys, b, a) && !sys_unlink(&sys, a));
    ok(sys_unlink(&sys, a) == -1 && errno == ENOENT, "errno stays");
    ok(!sys_unlink(&sys, b) && !sys_mkdir(&sys, b, 0700) && !sys_rmdir(&sys, b));
    sys.fail_at = sys.call_count;
    sys.fail_how = SYS_FAIL_SHORT;
    is_int(sys_pwrite(&sys, fd, "half", 4, 0), 2);
    is_int(sys_pwrite(&sys, fd, "lf", 2, 2), -1);
    is_int(sys_close(&sys, fd), 0);
    text_put_char(&seen.text, 0);
    ok(!seen.text.full);
    is_string(seen.buffer,
              "open/watched 0 ;write 0 12;write 2 3;write 7 X;write 3 ab;write 5 cde;grow 20 ;"
              "cut 4 ;sync 0 ;sync 0 ;link/watched/beside 0 ;rename/beside/watched 0 ;"
              "unlink/watched 0 ;unlink/beside 0 ;mkdir/beside 0 ;rmdir/beside 0 ;write 0 ha;");
}

static void test_crash(void) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct sys sys = {.fail_at = 0, .fail_how = SYS_FAIL_CRASH};
        sys_unlink(&sys, path_of("none"));
        _exit(0);
    }
    waitpid(child, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 137, "a planned crash ends the process");
}

static void test_sockets(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage peer;
    socklen_t size = sizeof address;
    char buffer[8];
    int listener = sys_socket(NULL, AF_INET, SOCK_STREAM, 0);
    is_int(sys_bind(NULL, listener, (struct sockaddr *)&address, sizeof address), 0);
    is_int(sys_listen(NULL, listener, 1), 0);
    is_int(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    int client = sys_socket(NULL, AF_INET, SOCK_STREAM, 0);
    is_int(sys_connect(NULL, client, (struct sockaddr *)&address, sizeof address), 0);
    int server = sys_accept(NULL, listener, &peer);
    ok(server >= 0 && peer.ss_family == AF_INET && (fcntl(server, F_GETFL) & O_NONBLOCK));
    ok(sys_recv(NULL, server, buffer, sizeof buffer, 0) == -1 && errno == EAGAIN);
    is_int(sys_send(NULL, client, "ping", 4, 0), 4);
    is_int(sys_recv(NULL, server, buffer, sizeof buffer, 0), 4);
    sys_close(NULL, client);
    is_int(sys_recv(NULL, server, buffer, sizeof buffer, 0), 0);
    sys_send(NULL, server, "x", 1, 0);
    usleep(1000);
    ok(sys_send(NULL, server, "x", 1, 0) == -1 && errno == EPIPE, "an error and no SIGPIPE");
    sys_close(NULL, server);
    sys_close(NULL, listener);
}

static void test_clocks(void) {
    struct sys sys;
    sys_init(&sys);
    ok(sys_now_us(&sys) > INT64_C(1700000000000000) && sys_now_us(NULL) >= sys_now_us(&sys) - 1000);
    int64_t before = sys_monotonic_us(&sys);
    ok(sys_monotonic_us(&sys) >= before);
    sys.has_false_clock = true;
    sys.false_now_us = 42;
    is_int(sys_now_us(&sys), 42);
    is_int(sys.call_count, 0);
}

static void remove_all(void) {
    static const char *const names[] = {"kept", "kept.new", "short", "a/plain"};
    static const char *const dirs[] = {"a/b/c", "a/b", "a", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        rmdir(path_of(dirs[i]));
}

int main(void) {
    snprintf(dir, sizeof dir, "/tmp/veilleuse-sys-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    test_files();
    test_dirs();
    test_stale_new_file();
    test_failing();
    test_short_write();
    test_planned_close();
    test_watch();
    test_crash();
    test_sockets();
    test_clocks();
    remove_all();
    ok(access(dir, F_OK) != 0, "nothing is left behind");
    return done();
}
