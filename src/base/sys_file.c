/* sys_file.c - whole files and directories, built from the single calls of sys.c. */
#include "base/sys.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

enum err sys_write_all(struct sys *sys, int fd, struct bytes data, const char *path,
                       struct fault *fault) {
    while (data.size) {
        ssize_t n = sys_write(sys, fd, data.data, data.size);
        if (n < 0)
            return fault_set_errno(fault, ERR_IO, errno, "cannot write", path);
        data = bytes_skip(data, (size_t)n);
    }
    return ERR_OK;
}

enum err sys_pwrite_all(struct sys *sys, int fd, struct bytes data, off_t at, const char *path,
                        struct fault *fault) {
    while (data.size) {
        ssize_t n = sys_pwrite(sys, fd, data.data, data.size, at);
        if (n < 0)
            return fault_set_errno(fault, ERR_IO, errno, "cannot write", path);
        data = bytes_skip(data, (size_t)n);
        at += n;
    }
    return ERR_OK;
}

enum err sys_pread_all(struct sys *sys, int fd, void *buffer, size_t size, off_t at,
                       const char *path, struct fault *fault) {
    uint8_t *to = buffer;
    while (size) {
        ssize_t n = sys_pread(sys, fd, to, size, at);
        if (n < 0)
            return fault_set_errno(fault, ERR_IO, errno, "cannot read", path);
        if (n == 0)
            return fault_set_subject(fault, ERR_MORE, "the file ends too early", path);
        to += n;
        at += n;
        size -= (size_t)n;
    }
    return ERR_OK;
}

static enum err open_failed(struct fault *fault, const char *what, const char *path) {
    return fault_set_errno(fault, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, what, path);
}

/* Read to the end; a file that is exactly size_max long shows it by one more read that gives 0. */
static enum err read_to_end(struct sys *sys, int fd, uint8_t *buffer, size_t size_max, size_t *size,
                            const char *path, struct fault *fault) {
    uint8_t beyond;
    for (*size = 0;;) {
        bool is_full = *size == size_max;
        ssize_t n = is_full ? sys_read(sys, fd, &beyond, 1)
                            : sys_read(sys, fd, buffer + *size, size_max - *size);
        if (n < 0)
            return fault_set_errno(fault, ERR_IO, errno, "cannot read", path);
        if (n == 0)
            return ERR_OK;
        if (is_full)
            return fault_set_subject(fault, ERR_LIMIT, "the file is too large", path);
        *size += (size_t)n;
    }
}

enum err sys_read_file(struct sys *sys, const char *path, void *buffer, size_t size_max,
                       size_t *size, struct fault *fault) {
    *size = 0;
    int fd = sys_open(sys, path, O_RDONLY, 0);
    if (fd < 0)
        return open_failed(fault, "cannot open", path);
    enum err err = read_to_end(sys, fd, buffer, size_max, size, path, fault);
    sys_close(sys, fd); /* nothing was written: closing cannot lose anything */
    return err;
}

/* Write and sync; the descriptor is closed on every way out. What an interrupted replacement left
 * is taken away first: written into, it would keep its own mode, and the data may be a key. */
static enum err write_new_file(struct sys *sys, const char *path, struct bytes data, mode_t mode,
                               struct fault *fault) {
    if (sys_unlink(sys, path) < 0 && errno != ENOENT)
        return fault_set_errno(fault, ERR_IO, errno, "cannot remove", path);
    int fd = sys_open(sys, path, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd < 0)
        return open_failed(fault, "cannot create", path);
    enum err err = sys_write_all(sys, fd, data, path, fault);
    if (!err && sys_fsync(sys, fd) < 0)
        err = fault_set_errno(fault, ERR_IO, errno, "cannot sync", path);
    if (sys_close(sys, fd) < 0 && !err)
        err = fault_set_errno(fault, ERR_IO, errno, "cannot close", path);
    return err;
}

/* The directory that holds `path`: "." when there is no slash, "/" at the root. */
static enum err parent_of(const char *path, char *parent, size_t parent_bytes,
                          struct fault *fault) {
    struct text text;
    const char *slash = strrchr(path, '/');
    text_init(&text, parent, parent_bytes);
    if (!slash)
        text_put_char(&text, '.');
    else if (slash == path)
        text_put_char(&text, '/');
    else
        text_put(&text, bytes_from(path, (size_t)(slash - path)));
    return text.full ? fault_set_subject(fault, ERR_LIMIT, "the path is too long", path) : ERR_OK;
}

enum err sys_replace_file(struct sys *sys, const char *path, struct bytes data, mode_t mode,
                          struct fault *fault) {
    char beside[PATH_MAX], parent[PATH_MAX];
    struct text text;
    text_init(&text, beside, sizeof beside);
    text_put_format(&text, "%s.new", path);
    if (text.full)
        return fault_set_subject(fault, ERR_LIMIT, "the path is too long", path);
    enum err err = parent_of(path, parent, sizeof parent, fault);
    if (err)
        return err;
    err = write_new_file(sys, beside, data, mode, fault);
    if (!err && sys_rename(sys, beside, path) < 0)
        err = fault_set_errno(fault, ERR_IO, errno, "cannot rename over", path);
    if (err) {
        sys_unlink(sys, beside); /* best effort: the next replacement does it first */
        return err;
    }
    return sys_sync_dir(sys, parent, fault);
}

enum err sys_sync_dir(struct sys *sys, const char *path, struct fault *fault) {
    enum err err = ERR_OK;
    int fd = sys_open(sys, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return open_failed(fault, "cannot open the directory", path);
    if (sys_fsync(sys, fd) < 0)
        err = fault_set_errno(fault, ERR_IO, errno, "cannot sync the directory", path);
    sys_close(sys, fd);
    return err;
}

static enum err make_dir(struct sys *sys, const char *path, mode_t mode, struct fault *fault) {
    struct stat stat;
    if (sys_mkdir(sys, path, mode) == 0)
        return ERR_OK;
    int errnum = errno;
    if (errnum == EEXIST && sys_stat(sys, path, &stat) == 0) {
        if (S_ISDIR(stat.st_mode))
            return ERR_OK;
        errnum = ENOTDIR;
    }
    return fault_set_errno(fault, ERR_IO, errnum, "cannot make the directory", path);
}

enum err sys_make_dirs(struct sys *sys, const char *path, mode_t mode, struct fault *fault) {
    char upto[PATH_MAX];
    struct text text;
    text_init(&text, upto, sizeof upto);
    text_put_string(&text, path);
    if (text.full)
        return fault_set_subject(fault, ERR_LIMIT, "the path is too long", path);
    for (char *slash = strchr(upto + (upto[0] == '/'), '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        enum err err = make_dir(sys, upto, mode, fault);
        *slash = '/';
        if (err)
            return err;
    }
    return make_dir(sys, upto, mode, fault);
}
