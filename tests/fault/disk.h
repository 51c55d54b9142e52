/* disk.h - what a disk may hold after the power failed: a recorder of every change to a directory, and the states that a crash
 * may leave of it.
 *
 * A crash after the first `prefix` changes. What holds in every state:
 *   - data of a file up to its last fsync or fdatasync, and names in a directory up to its last fsync, are there; a syncfs is one
 *     of all of them;
 *   - of later writes each block of 512 (or 4096) bytes is there or not; a block that was written twice is as it was after any of
 *     the writes to it, in their order; one write may be torn at any byte. A file's size is one of those it had since its last sync;
 *     what lies below it and did not reach the disk is zeros. What follows a truncation is there only if the truncation is;
 *   - a rename is there wholly or not at all.
 * Two models of names: DISK_ORDERED, as a journal keeps them (ext4): changes of names are there up to some moment, in all directories
 * alike. DISK_STRICT, all that POSIX promises: each change of a name since its directory's last fsync is there or not, in any order.
 * A file that was synced is no more than its data then: its name may be missing. DISK_STRICT with `both` leaves the old name of a
 * rename beside the new one, too, as a file system without a journal may.
 * DISK_PROCESS: nothing is lost but the process; also what lies in memory (the directory `memory`) is still there. */
#ifndef TESTS_FAULT_DISK_H
#define TESTS_FAULT_DISK_H

#include "base/random.h"
#include "base/sys.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DISK_EVENTS_MAX 16384u
#define DISK_NAMES_MAX  4096u
#define DISK_INODES_MAX 8192u
#define DISK_FDS_MAX    1024u
#define DISK_PATH_BYTES 1024u
#define DISK_ROOT       1u
#define DISK_MEMORY     "memory" /* below the root: ends with the power */

enum disk_kind { DISK_WRITE, DISK_GROW, DISK_CUT, DISK_SYNC, DISK_NAMES };

struct disk_event {
    enum disk_kind kind;
    uint32_t inode; /* 0 for names; of a sync: of all there were */
    uint64_t call;  /* the recorder's: which call of its sys it was */
    size_t at, size;
    uint8_t *data;
    /* Names that now mean this inode (0: none any more). Of a rename the new one comes first. */
    struct {
        uint32_t name, inode;
    } sets[2];
    unsigned set_count;
};

struct disk {
    char root[DISK_PATH_BYTES];
    struct disk_event *events;
    uint32_t count;
    struct disk_name {
        uint32_t dir, inode; /* inode: as it is now */
        char text[80];
    } * names;
    uint32_t name_count;
    struct disk_inode {
        bool is_dir;
        uint32_t parent; /* of a directory */
        size_t size;     /* as it is now */
        ino_t imported;  /* the file it was made from; 0: none */
    } * inodes;
    uint32_t inode_count;
    uint32_t fds[DISK_FDS_MAX]; /* what each is open on; 0: nothing of ours */
};

/* ---- recording ---- */

static inline uint32_t disk_new_inode(struct disk *disk, bool is_dir, uint32_t parent) {
    assert(disk->inode_count < DISK_INODES_MAX);
    disk->inodes[disk->inode_count] = (struct disk_inode){.is_dir = is_dir, .parent = parent};
    return disk->inode_count++;
}

static inline void disk_init(struct disk *disk, const char *root) {
    *disk = (struct disk){0};
    snprintf(disk->root, sizeof disk->root, "%s", root);
    disk->events = calloc(DISK_EVENTS_MAX, sizeof *disk->events);
    disk->names = calloc(DISK_NAMES_MAX, sizeof *disk->names);
    disk->inodes = calloc(DISK_INODES_MAX, sizeof *disk->inodes);
    assert(disk->events && disk->names && disk->inodes);
    disk_new_inode(disk, false, 0); /* 0 is none */
    disk_new_inode(disk, true, DISK_ROOT);
}

static inline void disk_release(struct disk *disk) {
    for (uint32_t i = 0; i < disk->count; i++)
        free(disk->events[i].data);
    free(disk->events);
    free(disk->names);
    free(disk->inodes);
}

static inline struct disk_event *disk_add(struct disk *disk, enum disk_kind kind, uint32_t inode) {
    assert(disk->count < DISK_EVENTS_MAX);
    struct disk_event *event = &disk->events[disk->count++];
    *event = (struct disk_event){.kind = kind, .inode = inode};
    return event;
}

static inline uint32_t disk_name(struct disk *disk, uint32_t dir, struct bytes text) {
    for (uint32_t i = 0; i < disk->name_count; i++)
        if (disk->names[i].dir == dir && bytes_is(text, disk->names[i].text))
            return i;
    assert(disk->name_count < DISK_NAMES_MAX && text.size < sizeof disk->names[0].text);
    struct disk_name *name = &disk->names[disk->name_count];
    name->dir = dir;
    memcpy(name->text, text.data, text.size);
    return disk->name_count++;
}

/* The directory and name of a path below the root; false: it lies elsewhere. *name is UINT32_MAX for a directory named by what it
 * is, the root or "..". */
static inline bool disk_find(struct disk *disk, const char *path, uint32_t *dir, uint32_t *name) {
    size_t root_bytes = strlen(disk->root);
    if (strncmp(path, disk->root, root_bytes) || (path[root_bytes] && path[root_bytes] != '/'))
        return false;
    struct bytes rest = bytes_from_string(path + root_bytes), part;
    *dir = DISK_ROOT;
    *name = UINT32_MAX;
    while (bytes_next_part(&rest, '/', &part)) {
        if (bytes_is_empty(part) || bytes_is(part, "."))
            continue;
        if (*name != UINT32_MAX) {
            *dir = disk->names[*name].inode;
            *name = UINT32_MAX;
            assert(*dir && disk->inodes[*dir].is_dir);
        }
        if (bytes_is(part, ".."))
            *dir = disk->inodes[*dir].parent;
        else
            *name = disk_name(disk, *dir, part);
    }
    return true;
}

static inline void disk_set(struct disk *disk, struct disk_event *event, uint32_t name,
                            uint32_t inode) {
    event->sets[event->set_count].name = name;
    event->sets[event->set_count++].inode = inode;
    disk->names[name].inode = inode;
}

static inline void disk_record_open(struct disk *disk, const struct sys_event *event) {
    uint32_t dir, name;
    assert(event->fd >= 0 && event->fd < (int)DISK_FDS_MAX);
    disk->fds[event->fd] = 0;
    if (!disk_find(disk, event->path, &dir, &name))
        return;
    uint32_t inode = name == UINT32_MAX ? dir : disk->names[name].inode;
    if (!inode) {
        assert(event->flags & O_CREAT);
        inode = disk_new_inode(disk, false, 0);
        disk_set(disk, disk_add(disk, DISK_NAMES, 0), name, inode);
    } else if (event->flags & O_TRUNC && disk->inodes[inode].size) {
        disk_add(disk, DISK_CUT, inode)->size = 0;
        disk->inodes[inode].size = 0;
    }
    disk->fds[event->fd] = inode;
}

static inline void disk_record_write(struct disk *disk, uint32_t inode, struct bytes data,
                                     size_t at) {
    struct disk_event *event = disk_add(disk, DISK_WRITE, inode);
    event->at = at;
    event->size = data.size;
    event->data = malloc(data.size);
    memcpy(event->data, data.data, data.size);
    if (disk->inodes[inode].size < at + data.size)
        disk->inodes[inode].size = at + data.size;
}

static inline void disk_record_size(struct disk *disk, uint32_t inode, enum disk_kind kind,
                                    size_t size) {
    if (kind == DISK_GROW ? disk->inodes[inode].size >= size : disk->inodes[inode].size == size)
        return;
    disk_add(disk, kind, inode)->size = size;
    disk->inodes[inode].size = size;
}

static inline void disk_record_names(struct disk *disk, const struct sys_event *event) {
    uint32_t dir, name, to_dir, to;
    if (!disk_find(disk, event->path, &dir, &name))
        return;
    assert(name != UINT32_MAX);
    uint32_t inode = disk->names[name].inode;
    if (event->change == SYS_DIR_MADE) {
        inode = disk_new_inode(disk, true, dir);
        disk_set(disk, disk_add(disk, DISK_NAMES, 0), name, inode);
        return;
    }
    assert(inode);
    if (event->change == SYS_UNLINKED || event->change == SYS_DIR_REMOVED) {
        disk_set(disk, disk_add(disk, DISK_NAMES, 0), name, 0);
        return;
    }
    bool is_here = disk_find(disk, event->to, &to_dir, &to);
    assert(is_here && to != UINT32_MAX && !disk->inodes[inode].is_dir);
    if (disk->names[to].inode == inode)
        return; /* two names of one file: nothing happens */
    struct disk_event *names = disk_add(disk, DISK_NAMES, 0);
    disk_set(disk, names, to, inode);
    if (event->change == SYS_RENAMED)
        disk_set(disk, names, name, 0);
}

/* As a sys.watch. */
static inline void disk_watch(void *watcher, const struct sys_event *event) {
    struct disk *disk = watcher;
    bool has_fd =
        event->change >= SYS_WRITTEN && event->change <= SYS_SYNCED; /* of a file of ours */
    uint32_t inode = has_fd && event->fd < (int)DISK_FDS_MAX ? disk->fds[event->fd] : 0;
    if (has_fd && !inode)
        return;
    switch (event->change) {
    case SYS_OPENED:
        disk_record_open(disk, event);
        break;
    case SYS_WRITTEN:
        disk_record_write(disk, inode, event->data, (size_t)event->at);
        break;
    case SYS_GROWN:
        disk_record_size(disk, inode, DISK_GROW, (size_t)event->at);
        break;
    case SYS_CUT:
        disk_record_size(disk, inode, DISK_CUT, (size_t)event->at);
        break;
    case SYS_SYNCED:
        disk_add(disk, DISK_SYNC, inode);
        break;
    case SYS_ALL_SYNCED: /* there is one file system here */
        disk_add(disk, DISK_SYNC, 0);
        break;
    default:
        disk_record_names(disk, event);
    }
}

/* The file was met under another name already: a rename that a crash cut in two leaves it with both. */
static inline uint32_t disk_find_imported(const struct disk *disk, ino_t imported) {
    uint32_t inode = disk->inode_count;
    while (inode-- > 0)
        if (disk->inodes[inode].imported == imported)
            return inode;
    return 0;
}

static inline void disk_import_file(struct disk *disk, const char *path, const struct stat *st,
                                    uint32_t inode) {
    size_t size = (size_t)st->st_size;
    int fd = open(path, O_RDONLY);
    uint8_t *data = malloc(size + 1);
    assert(fd >= 0 && data);
    ssize_t got = read(fd, data, size);
    assert(got == st->st_size);
    if (got)
        disk_record_write(disk, inode, bytes_from(data, size), 0);
    disk_add(disk, DISK_SYNC, inode);
    disk->inodes[inode].imported = st->st_ino;
    free(data);
    close(fd);
}

/* Everything below `path` as it lies there, and lasting: what a recording that does not begin with nothing begins with. */
static inline void disk_import(struct disk *disk, const char *path, uint32_t dir) {
    DIR *listing = opendir(path);
    struct dirent *entry;
    assert(listing);
    while ((entry = readdir(listing))) {
        char below[DISK_PATH_BYTES];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        int size = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        assert(size < (int)sizeof below);
        struct stat st;
        int result = lstat(below, &st);
        assert(result == 0);
        bool is_dir = S_ISDIR(st.st_mode);
        uint32_t known = is_dir ? 0 : disk_find_imported(disk, st.st_ino);
        uint32_t inode = known ? known : disk_new_inode(disk, is_dir, dir);
        disk_set(disk, disk_add(disk, DISK_NAMES, 0),
                 disk_name(disk, dir, bytes_from_string(entry->d_name)), inode);
        if (is_dir)
            disk_import(disk, below, inode);
        else if (!known)
            disk_import_file(disk, below, &st, inode);
    }
    closedir(listing);
    disk_add(disk, DISK_SYNC, dir);
}

/* ---- what a crash may leave ---- */

enum disk_model { DISK_ORDERED, DISK_STRICT, DISK_PROCESS, DISK_MODELS };

struct disk_crash {
    enum disk_model model;
    uint32_t prefix;
    unsigned kept_per_mille; /* how likely it is that what was not synced is there all the same */
    size_t block_bytes;
    bool is_torn; /* the last write that was not synced */
    bool both;
    struct random random;
    /* What is made of it. */
    uint32_t *inodes; /* by name */
    uint32_t *syncs;  /* by inode: one behind the last sync that counts */
    uint32_t torn;    /* the event */
    size_t torn_bytes;
};

static inline bool disk_keeps(struct disk_crash *crash) {
    return crash->model == DISK_PROCESS || random_chance(&crash->random, crash->kept_per_mille);
}

static inline void disk_find_syncs(const struct disk *disk, struct disk_crash *crash) {
    for (uint32_t i = 0; i < crash->prefix; i++) {
        uint32_t inode = disk->events[i].inode;
        if (disk->events[i].kind != DISK_SYNC)
            continue;
        for (uint32_t each = 0; inode == 0 && each < disk->inode_count; each++)
            crash->syncs[each] = i + 1;
        crash->syncs[inode] = i + 1;
    }
    crash->torn = UINT32_MAX;
    for (uint32_t i = 0; crash->is_torn && i < crash->prefix; i++)
        if (disk->events[i].kind == DISK_WRITE && crash->syncs[disk->events[i].inode] <= i)
            crash->torn = i;
    if (crash->torn != UINT32_MAX)
        crash->torn_bytes =
            (size_t)random_below(&crash->random, disk->events[crash->torn].size + 1);
}

/* Has a directory that this change is in been synced since? */
static inline bool disk_set_lasts(const struct disk *disk, const struct disk_crash *crash,
                                  uint32_t at, unsigned set) {
    return crash->syncs[disk->names[disk->events[at].sets[set].name].dir] > at;
}

static inline bool disk_names_last(const struct disk *disk, const struct disk_crash *crash,
                                   uint32_t at) {
    const struct disk_event *event = &disk->events[at];
    return disk_set_lasts(disk, crash, at, 0) ||
           (event->set_count == 2 && disk_set_lasts(disk, crash, at, 1));
}

static inline void disk_apply_names(const struct disk *disk, struct disk_crash *crash, uint32_t at,
                                    bool leaves_both) {
    const struct disk_event *event = &disk->events[at];
    unsigned count = leaves_both ? 1 : event->set_count;
    for (unsigned i = 0; i < count; i++)
        crash->inodes[event->sets[i].name] = event->sets[i].inode;
}

static inline void disk_make_names(const struct disk *disk, struct disk_crash *crash) {
    uint32_t lasting = 0;
    for (uint32_t i = 0; i < crash->prefix; i++)
        if (disk->events[i].kind == DISK_NAMES && disk_names_last(disk, crash, i))
            lasting = i + 1;
    /* A journal: all up to some moment that is not before the last change that was synced. */
    uint32_t until = lasting;
    if (crash->model == DISK_ORDERED && crash->prefix > lasting)
        until += (uint32_t)random_below(&crash->random, crash->prefix - lasting + 1);
    for (uint32_t i = 0; i < crash->prefix; i++) {
        if (disk->events[i].kind != DISK_NAMES)
            continue;
        bool lasts = disk_names_last(disk, crash, i);
        bool is_there = crash->model == DISK_ORDERED ? i < until : lasts || disk_keeps(crash);
        bool is_rename = disk->events[i].set_count == 2;
        bool leaves_both = crash->both && is_rename && !disk_set_lasts(disk, crash, i, 1) &&
                           random_chance(&crash->random, 500);
        if (is_there)
            disk_apply_names(disk, crash, i, leaves_both);
    }
}

struct disk_content {
    uint8_t *data;
    size_t size, capacity;
    uint8_t *frozen; /* by block: later writes to it did not reach the disk */
    size_t block_bytes;
};

static inline void disk_put(struct disk_content *content, struct bytes data, size_t at) {
    assert(at + data.size <= content->capacity);
    memcpy(content->data + at, data.data, data.size);
    if (content->size < at + data.size)
        content->size = at + data.size;
}

static inline void disk_cut(struct disk_content *content, size_t size) {
    if (size < content->size)
        memset(content->data + size, 0, content->size - size);
    content->size = size;
}

/* A write that was not synced, block by block. */
static inline void disk_put_some(struct disk_content *content, struct disk_crash *crash,
                                 struct bytes data, size_t at) {
    size_t block_bytes = content->block_bytes;
    for (size_t from = at; from < at + data.size;) {
        size_t block = from / block_bytes, to = (block + 1) * block_bytes;
        if (to > at + data.size)
            to = at + data.size;
        if (!content->frozen[block] && disk_keeps(crash))
            disk_put(content, bytes_from(data.data + (from - at), to - from), from);
        else
            content->frozen[block] = 1;
        from = to;
    }
}

/* Sizes that were not synced: the file has one of those it went through, in their order. */
static inline void disk_take_size(size_t *size, bool *is_over, struct disk_crash *crash,
                                  size_t next) {
    if (*is_over || next <= *size)
        return;
    if (disk_keeps(crash))
        *size = next;
    else
        *is_over = true;
}

static inline void disk_make_content(const struct disk *disk, struct disk_crash *crash,
                                     uint32_t inode, struct disk_content *content) {
    bool is_over = false;
    size_t size = 0;
    for (uint32_t i = 0; i < crash->prefix; i++) {
        const struct disk_event *event = &disk->events[i];
        if (event->inode != inode || event->kind == DISK_SYNC)
            continue;
        bool lasts = i < crash->syncs[inode];
        struct bytes data = bytes_from(event->data, event->size);
        if (event->kind == DISK_CUT) {
            if (!lasts && !disk_keeps(crash))
                break; /* and nothing of what came later */
            disk_cut(content, event->size);
            memset(content->frozen, 0, content->capacity / content->block_bytes + 1);
            size = event->size;
            is_over = false;
        } else if (lasts) {
            if (event->kind == DISK_WRITE)
                disk_put(content, data, event->at);
            else if (content->size < event->size)
                content->size = event->size;
            size = content->size;
        } else if (event->kind == DISK_GROW) {
            disk_take_size(&size, &is_over, crash, event->size);
        } else {
            if (i == crash->torn)
                disk_put(content, bytes_first(data, crash->torn_bytes), event->at);
            else
                disk_put_some(content, crash, data, event->at);
            disk_take_size(&size, &is_over, crash, event->at + data.size);
        }
    }
    /* What was written behind the size does not count; what the size covers and was not written is zeros. */
    if (size < content->size)
        disk_cut(content, size);
    content->size = size;
}

static inline void disk_write_out(const struct disk *disk, struct disk_crash *crash, uint32_t inode,
                                  const char *path) {
    struct disk_content content = {.block_bytes = crash->block_bytes};
    for (uint32_t i = 0; i < crash->prefix; i++) {
        const struct disk_event *event = &disk->events[i];
        if (event->inode == inode && event->at + event->size > content.capacity)
            content.capacity = event->at + event->size;
    }
    content.data = calloc(1, content.capacity + 1);
    content.frozen = calloc(1, content.capacity / content.block_bytes + 1);
    assert(content.data && content.frozen);
    disk_make_content(disk, crash, inode, &content);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert(fd >= 0);
    ssize_t written = write(fd, content.data, content.size);
    assert(written == (ssize_t)content.size);
    close(fd);
    free(content.data);
    free(content.frozen);
}

/* A name that stands for a file that stands under another already becomes a second name of it. */
static inline void disk_materialize_dir(const struct disk *disk, struct disk_crash *crash,
                                        uint32_t dir, const char *path, char **made) {
    int result = mkdir(path, 0755);
    assert(result == 0);
    for (uint32_t i = 0; i < disk->name_count; i++) {
        uint32_t inode = crash->inodes[i];
        char below[DISK_PATH_BYTES];
        if (disk->names[i].dir != dir || !inode)
            continue;
        int size = snprintf(below, sizeof below, "%s/%s", path, disk->names[i].text);
        assert(size < (int)sizeof below);
        if (disk->inodes[inode].is_dir) {
            disk_materialize_dir(disk, crash, inode, below, made);
        } else if (made[inode]) {
            result = link(made[inode], below);
            assert(result == 0);
        } else {
            bool is_memory = dir != DISK_ROOT && disk->inodes[dir].parent == DISK_ROOT &&
                             strstr(path, "/" DISK_MEMORY);
            if (is_memory && crash->model != DISK_PROCESS)
                continue;
            disk_write_out(disk, crash, inode, below);
            made[inode] = strdup(below);
        }
    }
}

/* Make the state at `path`, which must not be there. */
static inline void disk_materialize(const struct disk *disk, struct disk_crash *crash,
                                    const char *path) {
    char **made = calloc(disk->inode_count, sizeof *made);
    crash->inodes = calloc(disk->name_count + 1, sizeof *crash->inodes);
    crash->syncs = calloc(disk->inode_count, sizeof *crash->syncs);
    assert(made && crash->inodes && crash->syncs);
    disk_find_syncs(disk, crash);
    disk_make_names(disk, crash);
    disk_materialize_dir(disk, crash, DISK_ROOT, path, made);
    for (uint32_t i = 0; i < disk->inode_count; i++)
        free(made[i]);
    free(made);
    free(crash->inodes);
    free(crash->syncs);
}

#endif
