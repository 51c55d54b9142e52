/* site.c - the lock and the control socket of a site, and reading its vault from a command. */
#include "node/site.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_BYTES      (IPC_FRAME_BYTES_MAX + 4096u)
#define CONTROL_TIMEOUT_MS 15000
#define ROLE_LOCK_TRIES    500
#define ROLE_LOCK_WAIT_US  20000

static void site_path(char *path, const char *site_dir, const char *name) {
    snprintf(path, SITE_PATH_BYTES, "%s/%s", site_dir, name);
}

enum err site_is_there(struct sys *sys, const char *site_dir, struct fault *fault) {
    char path[SITE_PATH_BYTES];
    struct stat st;
    if (strlen(site_dir) > SITE_PATH_BYTES - 128)
        return fault_set_subject(fault, ERR_LIMIT, "the path is too long", "");
    site_path(path, site_dir, "veilleuse.conf");
    if (sys_stat(sys, path, &st))
        return fault_set_errno(fault, ERR_NOT_FOUND, errno, "this is not a site of Veilleuse",
                               site_dir);
    return ERR_OK;
}

static enum err lock_file(struct sys *sys, const char *path, const char *site_dir, int *lock_fd,
                          struct fault *fault) {
    int fd = sys_open(sys, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_set_errno(fault, ERR_IO, errno, "the lock cannot be opened", path);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        enum err err = fault_set_errno(fault, ERR_STATE, errno,
                                       "another process holds this site's lock", site_dir);
        sys_close(sys, fd);
        return err;
    }
    *lock_fd = fd;
    return ERR_OK;
}

enum err site_lock(struct sys *sys, const char *site_dir, int *lock_fd, struct fault *fault) {
    char path[SITE_PATH_BYTES];
    site_path(path, site_dir, "lock");
    return lock_file(sys, path, site_dir, lock_fd, fault);
}

enum err site_role_lock(struct sys *sys, const char *site_dir, const char *role, int *lock_fd,
                        struct fault *fault) {
    char path[SITE_PATH_BYTES], name[64];
    snprintf(name, sizeof name, "run/%s.lock", role);
    site_path(path, site_dir, name);
    for (int tries = 0;; tries++) {
        struct fault own = {0};
        enum err err = lock_file(sys, path, site_dir, lock_fd, &own);
        if (err == ERR_STATE && tries < ROLE_LOCK_TRIES) {
            usleep(ROLE_LOCK_WAIT_US);
            continue;
        }
        if (err && fault)
            *fault = own;
        return err;
    }
}

enum err site_publish(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                      uint64_t durable_size, struct fault *fault) {
    uint64_t lost_from;
    return site_publish_seeing(sys, site_dir, unlock, durable_size, &lost_from, fault);
}

enum err site_publish_seeing(struct sys *sys, const char *site_dir,
                             const struct vault_unlock *unlock, uint64_t durable_size,
                             uint64_t *lost_from, struct fault *fault) {
    struct vault_publisher *publisher = NULL;
    int lock_fd;
    *lost_from = UINT64_MAX;
    enum err err = site_role_lock(sys, site_dir, "publish", &lock_fd, fault);
    if (err)
        return err;
    if (!err)
        err = vault_publisher_open(&publisher, sys, site_dir, unlock, NULL, fault);
    for (uint64_t published = 0; !err && published < durable_size;)
        err = vault_publish(publisher, durable_size, false, &published, fault);
    *lost_from = publisher ? vault_publisher_lost_from(publisher) : UINT64_MAX;
    vault_publisher_close(publisher);
    sys_close(sys, lock_fd);
    return err;
}

/* A socket's path is at most 108 bytes, a site's is not: the directory's descriptor stands in for it. */
static enum err control_address(struct sys *sys, const char *site_dir, struct sockaddr_un *address,
                                int *dir_fd, struct fault *fault) {
    char path[SITE_PATH_BYTES];
    site_path(path, site_dir, "run");
    *dir_fd = sys_open(sys, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (*dir_fd < 0)
        return fault_set_errno(fault, ERR_STATE, errno, "the directory cannot be opened", path);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/control", *dir_fd);
    return ERR_OK;
}

enum err control_listen(struct sys *sys, const char *site_dir, int *fd, struct fault *fault) {
    struct sockaddr_un address;
    int dir_fd = -1;
    enum err err = control_address(sys, site_dir, &address, &dir_fd, fault);
    if (err)
        return err;
    *fd = sys_socket(sys, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t old = umask(0177);
    sys_unlink(sys, address.sun_path); /* left by a node that was killed; the lock is ours */
    bool failed = *fd < 0 || sys_bind(sys, *fd, (struct sockaddr *)&address, sizeof address) ||
                  sys_listen(sys, *fd, 16);
    if (failed)
        err = fault_set_errno(fault, ERR_IO, errno, "the control socket cannot be made", site_dir);
    umask(old);
    sys_close(sys, dir_fd);
    if (failed && *fd >= 0)
        sys_close(sys, *fd);
    return err;
}

enum err control_connect(struct sys *sys, const char *site_dir, struct ipc *ipc,
                         struct fault *fault) {
    struct sockaddr_un address;
    int dir_fd = -1;
    enum err err = control_address(sys, site_dir, &address, &dir_fd, fault);
    if (err)
        return err;
    int fd = sys_socket(sys, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sys_connect(sys, fd, (struct sockaddr *)&address, sizeof address)) {
        err = fault_set_errno(fault, ERR_STATE, errno, "no node runs here", site_dir);
        if (fd >= 0)
            sys_close(sys, fd);
    }
    sys_close(sys, dir_fd);
    if (err)
        return err;
    if (fcntl(fd, F_SETFL, O_NONBLOCK))
        return fault_set_errno(fault, ERR_IO, errno, "the control socket failed", site_dir);
    return ipc_init(ipc, sys, fd, 1u << 20, 1u << 20);
}

enum err ipc_wait_frame(struct ipc *ipc, int timeout_ms, struct ipc_frame *frame) {
    for (;;) {
        enum err err = ipc_next(ipc, frame);
        if (err != ERR_MORE)
            return err;
        err = ipc_flush(ipc);
        if (err)
            return err;
        struct pollfd poller = {
            .fd = ipc->fd,
            .events = (short)(POLLIN | (ipc_has_output(ipc) ? POLLOUT : 0)),
        };
        int ready = poll(&poller, 1, timeout_ms);
        if (ready == 0)
            return ERR_TIMEOUT;
        if (ready < 0 && errno != EINTR)
            return ERR_IO;
        err = ipc_read(ipc);
        if (err && err != ERR_MORE)
            return err;
    }
}

static enum err await_answer(struct ipc *ipc, struct bytes *answer, int *fd, struct fault *fault) {
    struct ipc_frame frame;
    enum err err = ipc_wait_frame(ipc, CONTROL_TIMEOUT_MS, &frame);
    if (err)
        return fault_set(fault, err, "the node does not answer");
    if (fd)
        *fd = ipc_take_fd(ipc);
    if (frame.type == CONTROL_LINK)
        return fd && *fd >= 0 ? ERR_OK : fault_set(fault, ERR_INPUT, "the node gave no link");
    struct ipc_reader reader;
    ipc_reader_init(&reader, frame.payload);
    uint8_t code = ipc_get_u8(&reader);
    *answer = ipc_get_bytes(&reader);
    err = ipc_reader_end(&reader);
    if (err || frame.type != CONTROL_ANSWER || code >= ERR_COUNT)
        return fault_set(fault, ERR_INPUT, "the node's answer cannot be read");
    return code ? fault_set(fault, (enum err)code, "the node refused") : ERR_OK;
}

enum err control_ask(struct ipc *ipc, enum control_message request, uint64_t number,
                     struct bytes *answer, int *fd, struct fault *fault) {
    ipc_put_begin(ipc, (uint16_t)request);
    ipc_put_u64(ipc, number);
    enum err err = ipc_put_end(ipc);
    return err ? fault_set(fault, err, "the node takes no question")
               : await_answer(ipc, answer, fd, fault);
}

enum err control_tell(struct ipc *ipc, enum control_message request, struct bytes text,
                      struct fault *fault) {
    struct bytes answer;
    ipc_put_begin(ipc, (uint16_t)request);
    ipc_put_bytes(ipc, text);
    enum err err = ipc_put_end(ipc);
    return err ? fault_set(fault, err, "the node takes no word")
               : await_answer(ipc, &answer, NULL, fault);
}

enum err site_entry_body(const struct site_entry *entry, vault_take take, void *owner,
                         struct fault *fault) {
    if (site_entry_is_large(entry))
        return vault_opener_blob(entry->opener, &entry->entry, take, owner, fault);
    return bytes_is_empty(entry->entry.body) ? ERR_OK : take(owner, entry->entry.body);
}

struct walk {
    const struct vault_unlock *unlock;
    uint64_t from, to;
    site_take take;
    void *owner;
};

static enum err unseal(struct vault_opener *opener, struct bytes sealed, struct site_entry *entry,
                       struct fault *fault) {
    enum err err = vault_opener_unseal(opener, sealed, &entry->entry, NULL);
    if (err == ERR_NOT_FOUND) {
        vault_entry_erased(&entry->entry);
        err = ERR_OK;
    }
    return err ? fault_set_at(fault, err, "this entry cannot be read, number", entry->index)
               : ERR_OK;
}

static enum err each_entry(struct vault_reader *reader, struct vault_opener *opener,
                           const struct walk *walk, struct fault *fault) {
    for (uint64_t index = walk->from; index < walk->to; index++) {
        struct bytes sealed;
        struct site_entry entry = {.index = index, .opener = opener};
        enum err err = vault_reader_sealed(reader, index, UINT64_MAX, &sealed, fault);
        if (err == ERR_MORE)
            return ERR_OK;
        if (!err)
            err = unseal(opener, sealed, &entry, fault);
        if (!err)
            err = walk->take(walk->owner, &entry, fault);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err walk_vault(struct sys *sys, const char *site_dir, const struct walk *walk,
                           struct fault *fault) {
    struct vault_reader *reader = NULL;
    struct vault_opener *opener = NULL;
    char vault_dir[SITE_PATH_BYTES];
    site_path(vault_dir, site_dir, "vault");
    enum err err = vault_opener_open(&opener, sys, site_dir, walk->unlock, fault);
    if (!err)
        err = vault_reader_open(&reader, sys, vault_dir, fault);
    if (!err)
        err = each_entry(reader, opener, walk, fault);
    if (reader)
        vault_reader_close(reader);
    if (opener)
        vault_opener_close(opener);
    return err;
}

enum err site_each_entry(struct sys *sys, const char *site_dir, const struct vault_unlock *unlock,
                         uint64_t from, uint64_t to, site_take take, void *owner,
                         struct fault *fault) {
    struct walk walk = {unlock, from, to, take, owner};
    return walk_vault(sys, site_dir, &walk, fault);
}

/* What is durable is on the disk: it is counted there rather than in a report that is a second old. */
uint64_t site_vault_size(const char *site_dir) {
    char vault_dir[SITE_PATH_BYTES];
    struct vault_reader *reader;
    struct fault fault = {0};
    uint64_t size = 0;
    site_path(vault_dir, site_dir, "vault");
    if (vault_reader_open(&reader, NULL, vault_dir, &fault))
        return 0;
    if (vault_reader_size(reader, &size, &fault))
        size = 0;
    vault_reader_close(reader);
    return size;
}

int command_fail(enum err err, const struct fault *fault) {
    char line[512];
    fault_format(fault, line, sizeof line);
    fprintf(stderr, "veilleuse: %s\n", fault->code ? line : err_sentence(err, false));
    return err_exit_code(err);
}

int command_usage(const char *usage) {
    fprintf(stderr, "usage: veilleuse %s\n", usage);
    return err_exit_code(ERR_USAGE);
}
