/* folder.c - watches the directories where files arrive; each file that is whole is stored, then moved to done/.
 *
 * Invariants
 *   A file is moved only when commit said that all of it is durable and it is still as it was read. Before that nothing of it is
 *   touched: killed at any moment, this role finds it again, and what was stored is known as a repeat.
 *   A file that its writer closes in done/ was not whole when it was taken: it is moved back and taken again.
 *   Nothing that lies in a folder stops the others: what cannot be read, stored or moved stays there and is said.
 */
#include "feeds/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>

#define SETTLED_US                                                                                 \
    (2 * US_PER_S) /* untouched for so long, a file is whole though nobody saw it closed */
#define LOOK_US       (60 * US_PER_S) /* all is gone through so often, whatever inotify says */
#define WAIT_US       US_PER_S        /* while there are files that are not whole */
#define HOLD_US       (2 * US_PER_S)  /* after a file that could not be stored */
#define STEPS_A_ROUND 256u

static const char cannot_move[] =
    "a file was stored and cannot be moved to done/: see the rights of its folder";

/* ---- which file ---- */

static bool is_closed(const struct watched *from, const char *name) {
    for (size_t i = 0; i < from->closed_count; i++)
        if (!strcmp(from->closed[i], name))
            return true;
    return false;
}

static void forget_closed(struct watched *from, const char *name) {
    for (size_t i = 0; i < from->closed_count; i++)
        if (!strcmp(from->closed[i], name)) {
            from->closed_count--;
            memmove(from->closed[i], from->closed[from->closed_count], FOLDER_NAME_BYTES);
            return;
        }
}

/* Names that programs give to what they have not finished. */
static bool is_unfinished(const char *name) {
    static const char *const suffixes[] = {".tmp",      ".part",       ".partial",
                                           ".filepart", ".crdownload", "~"};
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t tail = strlen(suffixes[i]);
        if (size >= tail && !strcmp(name + size - tail, suffixes[i]))
            return true;
    }
    return name[0] == '.';
}

static int64_t touched_at(const struct stat *stat) {
    const struct timespec *m = &stat->st_mtim, *c = &stat->st_ctim;
    int64_t modified = m->tv_sec * US_PER_S + m->tv_nsec / 1000;
    int64_t changed = c->tv_sec * US_PER_S + c->tv_nsec / 1000;
    return modified > changed ? modified : changed;
}

/* In the future, too, it was not touched just now: its clock is another. */
static bool is_untouched_for(const struct folder_role *role, const struct stat *stat, int64_t us) {
    int64_t age = sys_now_us(role->life.sys) - touched_at(stat);
    return age >= us || age < -us;
}

enum candidate { CANDIDATE_NONE, CANDIDATE_WAITS, CANDIDATE_READY };

static enum candidate look_at(const struct folder_role *role, const struct watched *from,
                              const char *name) {
    char path[1024];
    struct stat stat;
    if (is_unfinished(name) || !strcmp(name, "done") || strlen(name) >= FOLDER_NAME_BYTES ||
        !folder_path(from, "", name, path, sizeof path) || sys_stat(role->life.sys, path, &stat) ||
        !S_ISREG(stat.st_mode))
        return CANDIDATE_NONE;
    if (stat.st_size == 0) /* just made; or empty for good, and nothing is lost with it */
        return is_untouched_for(role, &stat, LOOK_US) ? CANDIDATE_NONE : CANDIDATE_WAITS;
    return is_closed(from, name) || is_untouched_for(role, &stat, SETTLED_US) ? CANDIDATE_READY
                                                                              : CANDIDATE_WAITS;
}

/* What is not there any more: renamed by its writer, or taken away. */
static void forget_gone(struct folder_role *role, struct watched *from) {
    char path[1024];
    struct stat stat;
    for (size_t i = from->closed_count; i-- > 0;)
        if (!folder_path(from, "", from->closed[i], path, sizeof path) ||
            sys_stat(role->life.sys, path, &stat))
            forget_closed(from, from->closed[i]);
}

static void end_look(struct folder_role *role, struct watched *from) {
    forget_gone(role, from);
    if (from->dir)
        closedir(from->dir);
    from->dir = NULL;
    int64_t wait_us = from->is_stale ? 0 : from->has_waiting ? WAIT_US : LOOK_US;
    from->look_at = role->life.loop.monotonic_us + wait_us;
}

static void begin_look(struct folder_role *role, struct watched *from) {
    from->has_waiting = from->is_stale = false;
    from->dir = opendir(from->folder->path);
    if (from->dir)
        return;
    role->problem = "a folder cannot be read: see its rights, and that it is there";
    from->has_waiting = true; /* it may come back: a share that is mounted late */
    end_look(role, from);
}

/* True: a file was begun. */
static bool next_file(struct folder_role *role, struct watched *from) {
    if (!from->dir && role->life.loop.monotonic_us >= from->look_at)
        begin_look(role, from);
    for (unsigned i = 0; from->dir && i < STEPS_A_ROUND; i++) {
        struct dirent *entry = readdir(from->dir);
        if (!entry) {
            end_look(role, from);
            return false;
        }
        enum candidate candidate = look_at(role, from, entry->d_name);
        from->has_waiting |= candidate == CANDIDATE_WAITS;
        if (candidate == CANDIDATE_READY && taking_begin(role, from, entry->d_name))
            return true;
    }
    return false;
}

/* ---- done with ---- */

/* A name that is not there yet: one of the same name lies there, of another day or content. */
static bool name_in_done(struct folder_role *role, char *path, size_t path_bytes) {
    const struct taking *taking = &role->taking;
    struct stat stat;
    char name[FOLDER_NAME_BYTES + 32];
    for (unsigned i = 1; i < 10000; i++) {
        if (i == 1)
            snprintf(name, sizeof name, "%s", taking->name);
        else
            snprintf(name, sizeof name, "%s.%u", taking->name, i);
        if (!folder_path(taking->from, "done/", name, path, path_bytes))
            return false;
        if (sys_stat(role->life.sys, path, &stat))
            return errno == ENOENT;
    }
    return false;
}

static bool move_to_done(struct folder_role *role) {
    const struct taking *taking = &role->taking;
    char from[1024], to[1024];
    if (!folder_path(taking->from, "", taking->name, from, sizeof from) ||
        !name_in_done(role, to, sizeof to) || sys_rename(role->life.sys, from, to))
        return false;
    /* Should the power fail before these names are on the disk, the file is taken again, as a repeat. */
    struct fault fault = {0};
    char done[1024];
    if (folder_path(taking->from, "done", "", done, sizeof done) &&
        (sys_sync_dir(role->life.sys, done, &fault) ||
         sys_sync_dir(role->life.sys, taking->from->folder->path, &fault)))
        trace_fault("a folder is not on the disk yet", &fault);
    return true;
}

static void finish(struct folder_role *role) {
    struct taking *taking = &role->taking;
    if (taking->has_failed) {
        role->failed_count++;
        role->hold_until = role->life.loop.monotonic_us + HOLD_US;
        taking->from->has_waiting = true;
    } else if (!taking_is_unchanged(role)) {
        forget_closed(taking->from, taking->name); /* somebody is writing it again */
        taking->from->has_waiting = true;
    } else if (move_to_done(role)) {
        forget_closed(taking->from, taking->name);
        role->file_count++;
        role->problem = NULL;
    } else {
        role->problem = cannot_move;
        role->failed_count++;
    }
    taking_end(role);
}

/* ---- the role ---- */

static bool can_send(const struct folder_role *role) {
    return role->life.links[ROLE_COMMIT].is_open && !role->is_suspect && !role->life.is_stopping &&
           role->life.loop.monotonic_us >= role->hold_until;
}

/* One step for a file; false: nothing can be done now. */
static bool go_on(struct folder_role *role) {
    struct taking *taking = &role->taking;
    if (taking->stage == TAKING_ASKED && taking->answered == taking->asked) {
        finish(role);
        return true;
    }
    if (taking->stage == TAKING_FILE)
        return taking_go_on(role);
    if (taking->stage != TAKING_NOTHING || !can_send(role))
        return false;
    for (size_t i = 0; i < role->options.folder_count; i++)
        if (next_file(role, &role->watched[i]))
            return true;
    return false;
}

static void report(struct folder_role *role) {
    char buffer[256];
    struct text text;
    struct json json;
    text_init(&text, buffer, sizeof buffer);
    json_init(&json, &text);
    json_object_begin(&json);
    json_member_u64(&json, "files", role->file_count);
    json_member_u64(&json, "repeats", role->repeat_count);
    json_member_u64(&json, "failed", role->failed_count);
    json_object_end(&json);
    role_life_report(&role->life, text_bytes(&text));
    role_life_problem(&role->life, role->problem);
}

static void folder_round(struct role_life *life) {
    struct folder_role *role = life->owner;
    unsigned steps = 0;
    while (steps < STEPS_A_ROUND && go_on(role))
        steps++;
    bool is_busy = steps == STEPS_A_ROUND;
    for (size_t i = 0; i < role->options.folder_count; i++)
        is_busy |= role->watched[i].dir && role->taking.stage == TAKING_NOTHING && can_send(role);
    life->loop.tick_ms = is_busy ? 0 : 100;
    if (life->loop.monotonic_us - role->reported_at < US_PER_S)
        return;
    role->reported_at = life->loop.monotonic_us;
    report(role);
}

static enum err folder_frame(struct role_life *life, struct role_link *link,
                             const struct ipc_frame *frame) {
    struct folder_role *role = life->owner;
    struct append_answer answer;
    if (link->peer != ROLE_COMMIT)
        return ERR_INPUT;
    if (frame->type == MESSAGE_VAULT_STATE)
        return roles_get_vault_state(frame, &role->is_full, &role->is_suspect);
    if (frame->type != MESSAGE_APPENDED)
        return ERR_INPUT;
    enum err err = roles_get_appended(frame, &answer);
    if (!err)
        taking_answered(role, &answer);
    return err;
}

static void folder_link_lost(struct role_life *life, struct role_link *link) {
    struct folder_role *role = life->owner;
    if (link->peer == ROLE_COMMIT && role->taking.stage != TAKING_NOTHING) {
        role->taking.from->has_waiting = true;
        role->taking.from->look_at = 0;
        taking_end(role);
    }
}

static void on_event(struct watched *from, const struct inotify_event *event) {
    from->look_at = 0;
    from->is_stale = true;
    bool is_closed_now = event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO);
    if (!is_closed_now || event->len == 0 || from->closed_count == FOLDER_CLOSED_MAX ||
        strlen(event->name) >= FOLDER_NAME_BYTES || is_unfinished(event->name) ||
        is_closed(from, event->name))
        return;
    snprintf(from->closed[from->closed_count++], FOLDER_NAME_BYTES, "%s", event->name);
}

/* Its writer paused so long that it was taken for whole, and has gone on since: it is taken again, with all it holds now. */
static void on_done_event(struct watched *from, const struct inotify_event *event) {
    char name[FOLDER_NAME_BYTES], back[1024], there[1024];
    struct stat stat;
    size_t size = event->len ? strlen(event->name) : 0, plain = size;
    if (!(event->mask & IN_CLOSE_WRITE) || size == 0 || size >= sizeof name)
        return;
    while (plain > 0 && event->name[plain - 1] >= '0' && event->name[plain - 1] <= '9')
        plain--;
    bool has_number =
        plain > 1 && plain < size && event->name[plain - 1] == '.'; /* of name_in_done */
    snprintf(name, sizeof name, "%.*s", (int)(has_number ? plain - 1 : size), event->name);
    if (!folder_path(from, "done/", event->name, there, sizeof there) ||
        !folder_path(from, "", name, back, sizeof back) ||
        !sys_stat(from->role->life.sys, back, &stat) ||
        sys_rename(from->role->life.sys, there, back)) {
        from->role->problem = "a file was still being written when it was taken: look at done/";
        return;
    }
    from->look_at = 0;
    from->is_stale = true;
}

static void read_events(struct watched *from, const struct loop_watch *watch,
                        void (*take)(struct watched *from, const struct inotify_event *event)) {
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t size = sys_read(from->role->life.sys, watch->fd, buffer, sizeof buffer);
    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= size;) {
        const void *here = buffer + at;
        const struct inotify_event *event = here;
        take(from, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
}

static void watch_ready(struct loop_watch *watch, uint32_t ready) {
    (void)ready;
    read_events(watch->owner, watch, on_event);
}

static void done_ready(struct loop_watch *watch, uint32_t ready) {
    (void)ready;
    read_events(watch->owner, watch, on_done_event);
}

struct inotify_pair {
    int folder, done; /* -1: none */
};

/* Before the role closes itself in. A folder that is not there now is looked for again, without inotify. */
static struct inotify_pair prepare(struct folder_role *role, struct watched *from) {
    char done[1024];
    struct inotify_pair fds = {-1, -1};
    if (!folder_path(from, "done", "", done, sizeof done))
        return fds;
    if (sys_mkdir(role->options.sys, done, 0770) && errno != EEXIST)
        role->problem = cannot_move;
    fds.folder = sys_watch_dir(role->options.sys, from->folder->path);
    fds.done = sys_watch_dir(role->options.sys, done);
    if (fds.folder < 0 || fds.done < 0)
        trace_warning("folder %s cannot be watched: it is looked through each minute",
                      from->folder->name);
    return fds;
}

static enum err watch(struct folder_role *role, struct watched *from, struct inotify_pair fds) {
    enum err err = ERR_OK;
    from->watch = (struct loop_watch){.fd = -1, .on_ready = watch_ready, .owner = from};
    from->done_watch = (struct loop_watch){.fd = -1, .on_ready = done_ready, .owner = from};
    if (fds.folder >= 0)
        err = loop_watch_set(&role->life.loop, &from->watch, fds.folder, LOOP_READ);
    if (!err && fds.done >= 0)
        err = loop_watch_set(&role->life.loop, &from->done_watch, fds.done, LOOP_READ);
    return err;
}

static enum err set_up(struct folder_role *role, struct fault *fault) {
    struct confine_path paths[FEEDS_FOLDERS_MAX];
    struct inotify_pair fds[FEEDS_FOLDERS_MAX];
    size_t count = role->options.folder_count;
    for (size_t i = 0; i < count; i++) {
        struct watched *from = &role->watched[i];
        from->folder = &role->options.folders[i];
        from->role = role;
        fds[i] = prepare(role, from);
        paths[i] = (struct confine_path){from->folder->path, true};
    }
    enum err err =
        role_life_init_with(&role->life, ROLE_FOLDER, role->options.sys, NULL, paths, count, fault);
    role->life.owner = role;
    role->life.on_frame = folder_frame;
    role->life.on_link_lost = folder_link_lost;
    role->life.on_round = folder_round;
    for (size_t i = 0; i < count && !err; i++)
        err = watch(role, &role->watched[i], fds[i]);
    return err;
}

int feeds_folder_role_main(const struct feeds_folder_options *options) {
    struct folder_role *role = memory_alloc(1, sizeof *role);
    struct fault fault = {0};
    enum err err = role ? ERR_OK : ERR_MEMORY;
    if (!err) {
        role->options = *options;
        if (role->options.message_bytes_max == 0)
            role->options.message_bytes_max = 64u << 20;
        role->taking.fd = -1;
        role->taking.window = memory_alloc(1, FOLDER_WINDOW_BYTES);
        err = role->taking.window ? set_up(role, &fault) : ERR_MEMORY;
    }
    if (err) {
        trace_fault("folders cannot be watched", &fault);
        return err_exit_code(err);
    }
    int code = role_life_run(&role->life);
    taking_end(role);
    for (size_t i = 0; i < role->options.folder_count; i++)
        if (role->watched[i].dir)
            closedir(role->watched[i].dir);
    role_life_release(&role->life);
    memory_free(role->taking.window);
    memory_free(role);
    return code;
}
