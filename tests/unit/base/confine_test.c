/* confine_test.c - what a confined process can no longer do; each case in a process of its own. */
#include "base/confine.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char base_dir[] = "/tmp/veilleuse-confine-XXXXXX";

static const char *below(const char *name) {
    static char path[4][256];
    static unsigned n;
    char *to = path[n++ % 4];
    snprintf(to, 256, "%s/%s", base_dir, name);
    return to;
}

static bool may_open(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

enum { DID_WHAT_IT_SHOULD = 0, WAS_STOPPED = 1, WAS_NOT_STOPPED = 2, HAS_NONE = 3 };

/* Bits 1 and 2 of `needs`: Landlock, seccomp. */
static int run(int (*body)(void), int needs) {
    pid_t pid = fork();
    if (pid == 0) {
        struct confine_path paths[] = {
            {below("mine"), true}, {below("shown"), false}, {"/no/such/place", true}};
        struct confinement done = confine(NULL, paths, 3);
        if (((needs & 1) && !done.landlock_abi) || ((needs & 2) && !done.has_seccomp))
            _exit(HAS_NONE);
        _exit(body());
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static void check(const char *name, int (*body)(void), int needs, int wanted) {
    int got = run(body, needs);
    if (got == HAS_NONE)
        printf("ok %d - %s # SKIP this kernel or build does not confine\n", ++tap_count, name);
    else
        tap_ok(got == wanted, name, __FILE__, __LINE__, name);
}

static int own_files(void) {
    bool good = may_open(below("mine/new"), O_WRONLY | O_CREAT) &&
                !rename(below("mine/new"), below("mine/newer")) && !unlink(below("mine/newer")) &&
                !mkdir(below("mine/dir"), 0700) && !rmdir(below("mine/dir"));
    return good ? DID_WHAT_IT_SHOULD : WAS_STOPPED;
}

static int shown_files(void) {
    return may_open(below("shown/file"), O_RDONLY) && !may_open(below("shown/file"), O_WRONLY) &&
                   !may_open(below("shown/new"), O_WRONLY | O_CREAT) && unlink(below("shown/file"))
               ? WAS_STOPPED
               : WAS_NOT_STOPPED;
}

static int other_files(void) {
    return may_open(below("hidden"), O_RDONLY) || may_open("/etc/passwd", O_RDONLY) ||
                   may_open(below("new"), O_WRONLY | O_CREAT)
               ? WAS_NOT_STOPPED
               : WAS_STOPPED;
}

static int sockets(void) {
    return socket(AF_INET, SOCK_STREAM, 0) < 0 && socket(AF_UNIX, SOCK_STREAM, 0) < 0
               ? WAS_STOPPED
               : WAS_NOT_STOPPED;
}

static int programs(void) {
    char name[] = "/bin/true", *const argv[] = {name, NULL}, *const environment[] = {NULL};
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    execve(name, argv, environment);
    return pid < 0 ? WAS_STOPPED : WAS_NOT_STOPPED;
}

static int memory_and_time(void) {
    void *large = malloc(64 << 20);
    bool good = large && sys_now_us(NULL) > 0;
    free(large);
    return good ? DID_WHAT_IT_SHOULD : WAS_STOPPED;
}

static void make_file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

int main(void) {
    if (!mkdtemp(base_dir) || mkdir(below("mine"), 0700) || mkdir(below("shown"), 0700))
        return 1;
    make_file(below("shown/file"));
    make_file(below("hidden"));
    check("it works in its own directory", own_files, 0, DID_WHAT_IT_SHOULD);
    check("it reads, and only reads, what it is shown", shown_files, 1, WAS_STOPPED);
    check("it reaches no other file", other_files, 1, WAS_STOPPED);
    check("it makes no socket", sockets, 2, WAS_STOPPED);
    check("it starts no process and no program", programs, 2, WAS_STOPPED);
    check("memory and time are as before", memory_and_time, 0, DID_WHAT_IT_SHOULD);
    unlink(below("shown/file"));
    unlink(below("hidden"));
    rmdir(below("mine"));
    rmdir(below("shown"));
    rmdir(base_dir);
    return done();
}
