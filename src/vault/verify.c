/* verify.c - does a vault hold? Every entry against its tile, every tile against the one above, every checkpoint against
 * the tree and its signature, every blob against its name, the segments against themselves. No secret is needed.
 *
 * The entries are hashed by several processes, each a range of bundles, against the level-0 tiles; the tree above is
 * made by the parent alone from those tiles. The first damaged place is the one with the lowest index. */
#include "vault/verify.h"

#include "base/pool.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEVELS          8u
#define WORKERS_MAX     64u
#define CHECKPOINTS_MAX 1000000u
#define VERIFIERS_BYTES ((size_t)1 << 20)

void damage_found(struct damage *damage, const char *file, uint64_t index, uint64_t at,
                  const char *what) {
    if (damage->is_found && damage->index <= index)
        return;
    damage->is_found = true;
    damage->index = index;
    damage->at = at;
    snprintf(damage->file, sizeof damage->file, "%s", file);
    snprintf(damage->what, sizeof damage->what, "%s", what);
}

static void tile_path(const struct verify *verify, int level, uint64_t number, unsigned width,
                      char path[VAULT_PATH_BYTES_MAX]) {
    char relative[160];
    struct text text;
    text_init(&text, relative, sizeof relative);
    tlog_put_tile_path(&text, level, number, width);
    vault_path(path, verify->vault_dir, "%s", relative);
}

static unsigned width_of(uint64_t size, uint64_t number) {
    uint64_t left = size - number * TLOG_TILE_WIDTH;
    return left < TLOG_TILE_WIDTH ? (unsigned)left : TLOG_TILE_WIDTH;
}

/* Read a tile or bundle of `width`. On a living vault a partial one may have grown full meanwhile, and gone: then the full
 * one, *is_wider. */
static enum err read_either(const struct verify *verify, int level, uint64_t number, unsigned width,
                            char path[VAULT_PATH_BYTES_MAX], uint8_t *buffer, size_t buffer_bytes,
                            size_t *size, bool *is_wider) {
    *is_wider = false;
    tile_path(verify, level, number, width, path);
    enum err err = sys_read_file(verify->sys, path, buffer, buffer_bytes, size, NULL);
    if (err != ERR_NOT_FOUND || width == TLOG_TILE_WIDTH)
        return err;
    char full_path[VAULT_PATH_BYTES_MAX];
    tile_path(verify, level, number, TLOG_TILE_WIDTH, full_path);
    err = sys_read_file(verify->sys, full_path, buffer, buffer_bytes, size, NULL);
    *is_wider = err == ERR_OK;
    return err;
}

/* The hashes of a tile; false, and the damage noted, when it is not there as it should be. */
static bool read_tile(const struct verify *verify, unsigned l, uint64_t number, unsigned width,
                      uint8_t hashes[TLOG_TILE_BYTES], struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    size_t size = 0;
    bool is_wider;
    enum err err =
        read_either(verify, (int)l, number, width, path, hashes, TLOG_TILE_BYTES, &size, &is_wider);
    damage->bytes_read += size;
    if (!err && size == (is_wider ? TLOG_TILE_WIDTH : width) * (size_t)TLOG_HASH_BYTES)
        return true;
    damage_found(damage, path, number << (8 * l) << 8, 0, "the tile is missing or of a wrong size");
    return false;
}

/* ---- a bundle against its level-0 tile ---- */

static bool load_edge(struct verify *verify, uint64_t size, const struct tlog_hash *wanted,
                      struct damage *damage);

/* An entry and its hash in the tile differ: which of the two is damaged? What stands above the tile tells. */
static bool tile_agrees_above(struct verify *verify, uint64_t number, unsigned width) {
    const struct tlog_checkpoint *checkpoint = &verify->checkpoint->checkpoint;
    struct damage none = {.index = UINT64_MAX};
    if (width < TLOG_TILE_WIDTH)
        return load_edge(verify, checkpoint->size, &checkpoint->root, &none);
    uint64_t count = checkpoint->size / TLOG_TILE_WIDTH, first = number - number % TLOG_TILE_WIDTH;
    unsigned above = count - first < TLOG_TILE_WIDTH ? (unsigned)(count - first) : TLOG_TILE_WIDTH;
    struct tlog_hash root;
    tlog_subtree_hash((const struct tlog_hash *)(const void *)verify->tile, TLOG_TILE_WIDTH, &root);
    return read_tile(verify, 1, number / TLOG_TILE_WIDTH, above, verify->file, &none) &&
           !memcmp(verify->file + number % TLOG_TILE_WIDTH * TLOG_HASH_BYTES, root.bytes,
                   TLOG_HASH_BYTES);
}

static void blame(struct verify *verify, uint64_t index, const char *bundle_path, size_t at,
                  struct damage *damage) {
    uint64_t number = index / TLOG_TILE_WIDTH;
    unsigned width = width_of(verify->checkpoint->checkpoint.size, number);
    char path[VAULT_PATH_BYTES_MAX];
    if (tile_agrees_above(verify, number, width)) {
        damage_found(damage, bundle_path, index, at,
                     "the entry is not the one whose hash stands in the tree");
        return;
    }
    tile_path(verify, 0, number, width, path);
    damage_found(damage, path, index, index % TLOG_TILE_WIDTH * TLOG_HASH_BYTES,
                 "the tile does not agree with what stands above it");
}

static bool check_entry(struct verify *verify, struct damage *damage, const char *path,
                        uint64_t index, struct bytes rest, size_t at, size_t *size) {
    if (rest.size < 2 || rest.size - 2 < load_u16(rest.data)) {
        damage_found(damage, path, index, at, "the bundle ends in the middle of an entry");
        return false;
    }
    struct tlog_hash leaf;
    *size = 2 + (size_t)load_u16(rest.data);
    tlog_leaf_hash(bytes_from(rest.data + 2, *size - 2), &leaf);
    const uint8_t *wanted = verify->tile + (index % TLOG_TILE_WIDTH) * TLOG_HASH_BYTES;
    if (memcmp(leaf.bytes, wanted, TLOG_HASH_BYTES) == 0) {
        if (index >= verify->from)
            verify_named_files(verify, bytes_from(rest.data + 2, *size - 2), index, damage);
        return true;
    }
    blame(verify, index, path, at, damage);
    return false;
}

static void check_bundle(struct verify *verify, uint64_t number, struct damage *damage) {
    uint64_t first = number * TLOG_TILE_WIDTH;
    unsigned width = width_of(verify->checkpoint->checkpoint.size, number);
    char path[VAULT_PATH_BYTES_MAX];
    size_t bundle_bytes = 0, at = 0;
    bool is_wider;
    if (!read_tile(verify, 0, number, width, verify->tile, damage))
        return;
    if (read_either(verify, TLOG_LEVEL_ENTRIES, number, width, path, verify->bundle,
                    BUNDLE_BYTES_MAX, &bundle_bytes, &is_wider)) {
        damage_found(damage, path, first, 0, "the bundle is missing or cannot be read");
        return;
    }
    damage->bytes_read += bundle_bytes;
    for (unsigned i = 0; i < width; i++) {
        size_t size;
        if (!check_entry(verify, damage, path, first + i,
                         bytes_from(verify->bundle + at, bundle_bytes - at), at, &size))
            return;
        at += size;
    }
    if (at != bundle_bytes && !is_wider)
        damage_found(damage, path, first + width - 1, at, "there are bytes behind the last entry");
}

static void check_range(struct verify *verify, uint64_t from, uint64_t to, struct damage *damage) {
    for (uint64_t number = from; number < to && !damage->is_found; number++)
        check_bundle(verify, number, damage);
}

/* One of several workers, or the only one: its range of bundles, its blobs. */
static void check_share(struct verify *verify, uint64_t first, uint64_t count, unsigned worker,
                        unsigned worker_count, struct damage *damage) {
    check_range(verify, first + count * worker / worker_count,
                first + count * (worker + 1) / worker_count, damage);
    if (!verify->is_quick)
        verify_blobs(verify, worker, worker_count, damage);
}

static enum err write_list(int fd, const void *list, uint64_t count, size_t size) {
    enum err err = sys_write_all(NULL, fd, bytes_from(&count, sizeof count), "pipe", NULL);
    return err ? err : sys_write_all(NULL, fd, bytes_from(list, count * size), "pipe", NULL);
}

/* A worker's whole life: its share, its finding into the pipe. */
static void work(struct verify *verify, uint64_t first, uint64_t count, unsigned worker,
                 unsigned worker_count, int fd) {
    struct damage damage = {.index = UINT64_MAX};
    check_share(verify, first, count, worker, worker_count, &damage);
    enum err err = sys_write_all(NULL, fd, bytes_from(&damage, sizeof damage), "pipe", NULL);
    if (!err)
        err = write_list(fd, verify->named, verify->named_count, sizeof *verify->named);
    if (!err)
        err = write_list(fd, verify->tallies, verify->tally_count, sizeof *verify->tallies);
    _exit(err ? 1 : 0);
}

/* All of `size` bytes that a worker writes; false: it ended early. */
static bool read_from_worker(int fd, void *to, size_t size) {
    size_t filled = 0;
    ssize_t got = 1;
    while (filled < size && got > 0) {
        got = sys_read(NULL, fd, (char *)to + filled, size - filled);
        filled += got > 0 ? (size_t)got : 0;
    }
    return filled == size;
}

static bool take_keys(struct verify *verify, int fd) {
    struct named_key key;
    uint64_t count = 0;
    bool is_whole = read_from_worker(fd, &count, sizeof count);
    for (uint64_t i = 0; i < count && is_whole; i++)
        is_whole = read_from_worker(fd, &key, sizeof key) && verify_name_key(verify, key);
    return is_whole;
}

static bool take_tallies(struct verify *verify, int fd) {
    struct tally tally;
    uint64_t count = 0;
    bool is_whole = read_from_worker(fd, &count, sizeof count);
    for (uint64_t i = 0; i < count && is_whole; i++)
        is_whole = read_from_worker(fd, &tally, sizeof tally) && verify_add_tally(verify, &tally);
    return is_whole;
}

static void take_finding(struct verify *verify, int fd, struct damage *damage) {
    struct damage own;
    if (!read_from_worker(fd, &own, sizeof own) || !take_keys(verify, fd) ||
        !take_tallies(verify, fd)) {
        damage_found(damage, "", 0, 0, "a verifying process ended early: run again");
        return;
    }
    damage->bytes_read += own.bytes_read;
    damage->blob_count += own.blob_count;
    damage->erased_count += own.erased_count;
    if (own.is_found)
        damage_found(damage, own.file, own.index, own.at, own.what);
}

static enum err check_bundles(struct verify *verify, unsigned workers, struct damage *damage,
                              struct fault *fault) {
    uint64_t size = verify->checkpoint->checkpoint.size;
    uint64_t first = verify->from / TLOG_TILE_WIDTH;
    uint64_t count = (size + TLOG_TILE_WIDTH - 1) / TLOG_TILE_WIDTH - first;
    if (workers < 2) {
        check_share(verify, first, count, 0, 1, damage);
        return ERR_OK;
    }
    int fds[WORKERS_MAX];
    pid_t pids[WORKERS_MAX];
    unsigned started = 0;
    for (; started < workers; started++) {
        int ends[2];
        if (pipe(ends))
            break;
        pids[started] = fork();
        if (pids[started] == 0)
            work(verify, first, count, started, workers, ends[1]);
        sys_close(NULL, ends[1]);
        fds[started] = ends[0];
        if (pids[started] < 0) {
            sys_close(NULL, ends[0]);
            break;
        }
    }
    for (unsigned i = 0; i < started; i++) {
        take_finding(verify, fds[i], damage);
        sys_close(NULL, fds[i]);
        waitpid(pids[i], NULL, 0);
    }
    return started == workers
               ? ERR_OK
               : fault_set_errno(fault, ERR_IO, errno, "no process can be started", "");
}

/* ---- the tree above ---- */

static void tree_root(const struct verify *verify, struct tlog_hash *root) {
    struct tlog_frontier all;
    tlog_frontier_init(&all);
    for (unsigned l = LEVELS; l-- > 0;) {
        struct tlog_frontier part;
        tlog_frontier_init(&part);
        for (unsigned i = 0; i < verify->levels[l].width; i++)
            tlog_frontier_add(&part, &verify->levels[l].hashes[i]);
        for (unsigned i = 0; i < part.count; i++)
            all.hashes[all.count++] = part.hashes[i];
    }
    tlog_frontier_root(&all, root);
}

static void check_tile(struct verify *verify, unsigned l, struct damage *damage) {
    const struct level *level = &verify->levels[l];
    if (!read_tile(verify, l, level->number, level->width, verify->tile, damage))
        return;
    for (unsigned i = 0; i < level->width; i++) {
        size_t at = (size_t)i * TLOG_HASH_BYTES;
        if (memcmp(verify->tile + at, level->hashes[i].bytes, TLOG_HASH_BYTES) == 0)
            continue;
        char path[VAULT_PATH_BYTES_MAX];
        tile_path(verify, (int)l, level->number, level->width, path);
        damage_found(damage, path, (level->number * TLOG_TILE_WIDTH + i) << (8 * l), at,
                     "the tile does not follow from those below");
        return;
    }
}

static void push(struct verify *verify, const uint8_t *leaf, struct damage *damage) {
    struct tlog_hash hash;
    memcpy(hash.bytes, leaf, TLOG_HASH_BYTES);
    for (unsigned l = 0; l < LEVELS; l++) {
        struct level *level = &verify->levels[l];
        level->hashes[level->width++] = hash;
        if (level->width < TLOG_TILE_WIDTH)
            return;
        if (l > 0) /* level 0 is where these come from */
            check_tile(verify, l, damage);
        tlog_subtree_hash(level->hashes, TLOG_TILE_WIDTH, &hash);
        level->width = 0;
        level->number++;
    }
}

/* Does a bundle hold exactly `count` entries? */
static bool holds_entries(struct bytes bundle, uint64_t count) {
    for (; count > 0; count--) {
        if (bundle.size < 2 || bundle.size - 2 < load_u16(bundle.data))
            return false;
        bundle = bytes_skip(bundle, 2 + (size_t)load_u16(bundle.data));
    }
    return bundle.size == 0;
}

/* Narrower partial tiles stay until the full one stands: each must be the beginning of the widest. */
static void check_narrower(struct verify *verify, int level, uint64_t number, unsigned width,
                           struct bytes widest, struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX], dir_path[VAULT_PATH_BYTES_MAX];
    tile_path(verify, level, number, width, path);
    snprintf(dir_path, sizeof dir_path, "%.*s", (int)(strrchr(path, '/') - path), path);
    uint8_t *narrow = memory_alloc(1, widest.size + 1);
    DIR *dir = opendir(dir_path);
    struct dirent *entry;
    while (narrow && dir && (entry = readdir(dir))) {
        uint64_t other;
        size_t size = 0;
        if (!bytes_to_u64(bytes_from_string(entry->d_name), &other) || other >= width)
            continue;
        vault_path(path, dir_path, "%s", entry->d_name);
        uint64_t index = level > 0 ? number << (8 * level) << 8 : number << 8;
        enum err err = sys_read_file(verify->sys, path, narrow, widest.size, &size, NULL);
        if (err == ERR_NOT_FOUND)
            continue; /* the full one has come */
        bool has_size = level >= 0 ? size == other * TLOG_HASH_BYTES
                                   : holds_entries(bytes_from(narrow, size), other);
        if (err || !has_size || memcmp(narrow, widest.data, size))
            damage_found(damage, path, index, 0,
                         "an older partial tile is not the beginning of the newer");
    }
    if (dir)
        closedir(dir);
    memory_free(narrow);
}

static void check_all_narrower(struct verify *verify, struct damage *damage) {
    for (unsigned l = 0; l < LEVELS; l++) {
        const struct level *level = &verify->levels[l];
        if (level->width > 0)
            check_narrower(verify, (int)l, level->number, level->width,
                           bytes_from(level->hashes, level->width * (size_t)TLOG_HASH_BYTES),
                           damage);
    }
    const struct level *level = &verify->levels[0];
    char path[VAULT_PATH_BYTES_MAX];
    size_t size = 0;
    if (level->width == 0)
        return;
    tile_path(verify, TLOG_LEVEL_ENTRIES, level->number, level->width, path);
    if (!sys_read_file(verify->sys, path, verify->bundle, BUNDLE_BYTES_MAX, &size, NULL))
        check_narrower(verify, TLOG_LEVEL_ENTRIES, level->number, level->width,
                       bytes_from(verify->bundle, size), damage);
}

/* Signed by one of the first `count` verifiers, under its own name as the origin? */
static bool note_holds(const struct verify *verify, const struct checkpoint_file *file,
                       size_t count, const char **why) {
    struct bytes body;
    *why = "the checkpoint's signature does not hold";
    for (size_t i = count; i-- > 0;) {
        const struct tlog_verifier *by = &verify->verifiers[i];
        if (tlog_note_verify(bytes_from(file->note, file->note_bytes), by, &body))
            continue;
        if (bytes_is(file->checkpoint.origin, by->name))
            return true;
        *why = "the checkpoint is of another log";
    }
    return false;
}

/* Its signature is that of any key of the log's, also of one that was lost with its node: what it says must be what stands under
 * the newest signature. */
static void check_kept_checkpoint(struct verify *verify, uint64_t size, struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    const char *why = "the checkpoint cannot be read";
    struct tlog_hash root;
    struct checkpoint_file *file = memory_alloc(1, sizeof *file);
    vault_path(path, verify->vault_dir, "checkpoints/%llu", (unsigned long long)size);
    tree_root(verify, &root);
    verify->report->checkpoint_count++;
    if (!file || checkpoint_load(verify->sys, path, file, NULL) || !file->note_bytes ||
        !note_holds(verify, file, verify->verifier_count, &why))
        damage_found(damage, path, size, 0, why);
    else if (file->checkpoint.size != size ||
             memcmp(file->checkpoint.root.bytes, root.bytes, TLOG_HASH_BYTES))
        damage_found(damage, path, size, 0, "the checkpoint is of another tree");
    memory_free(file);
}

static void found_checkpoint(const struct verify *verify, struct damage *damage) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, verify->vault_dir, "checkpoint");
    damage_found(damage, path, verify->checkpoint->checkpoint.size, 0,
                 "the tree is not the one that was signed");
}

static void check_tree(struct verify *verify, struct damage *damage) {
    uint64_t size = verify->checkpoint->checkpoint.size;
    uint8_t leaves[TLOG_TILE_BYTES];
    bool is_loaded = false;
    while (verify->size_at < verify->size_count && verify->sizes[verify->size_at] <= verify->from)
        verify->size_at++;
    for (uint64_t index = verify->from; index < size && !damage->is_found; index++) {
        uint64_t number = index / TLOG_TILE_WIDTH;
        if ((index % TLOG_TILE_WIDTH == 0 || !is_loaded) &&
            !read_tile(verify, 0, number, width_of(size, number), leaves, damage))
            return;
        is_loaded = true;
        push(verify, leaves + (index % TLOG_TILE_WIDTH) * TLOG_HASH_BYTES, damage);
        while (verify->size_at < verify->size_count && verify->sizes[verify->size_at] == index + 1)
            check_kept_checkpoint(verify, verify->sizes[verify->size_at++], damage);
    }
    for (unsigned l = 0; l < LEVELS && !damage->is_found; l++)
        if (verify->levels[l].width > 0)
            check_tile(verify, l, damage);
    if (!damage->is_found)
        check_all_narrower(verify, damage);
    struct tlog_hash root;
    tree_root(verify, &root);
    if (!damage->is_found &&
        memcmp(root.bytes, verify->checkpoint->checkpoint.root.bytes, TLOG_HASH_BYTES))
        found_checkpoint(verify, damage);
    if (!damage->is_found && verify->size_at < verify->size_count) {
        char path[VAULT_PATH_BYTES_MAX];
        vault_path(path, verify->vault_dir, "checkpoints/%llu",
                   (unsigned long long)verify->sizes[verify->size_at]);
        damage_found(damage, path, size, 0,
                     "a larger tree was signed than is here: the end is cut off");
    }
}

/* Take up the tree as it was at `size`: the right edge of its tiles must make the root. */
static bool load_edge(struct verify *verify, uint64_t size, const struct tlog_hash *wanted,
                      struct damage *damage) {
    for (unsigned l = 0; l < LEVELS; l++) {
        struct level *level = &verify->levels[l];
        level->width = tlog_partial_width(size, l);
        level->number = size >> (8 * l) >> 8;
        if (level->width == 0)
            continue;
        if (read_tile(verify, l, level->number, level->width, verify->tile, damage))
            memcpy(level->hashes, verify->tile, level->width * (size_t)TLOG_HASH_BYTES);
    }
    struct tlog_hash root;
    tree_root(verify, &root);
    return !damage->is_found && !memcmp(root.bytes, wanted->bytes, TLOG_HASH_BYTES);
}

/* ---- all of it ---- */

static int compare_sizes(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static enum err list_checkpoints(struct verify *verify, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, verify->vault_dir, "checkpoints");
    verify->sizes = memory_alloc(CHECKPOINTS_MAX, sizeof *verify->sizes);
    if (!verify->sizes)
        return fault_set(fault, ERR_MEMORY, "no memory to verify with");
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) && verify->size_count < CHECKPOINTS_MAX) {
        uint64_t size;
        /* Those published while this runs are for the next run. */
        if (bytes_to_u64(bytes_from_string(entry->d_name), &size) && size > 0)
            verify->sizes[verify->size_count++] = size;
    }
    if (dir)
        closedir(dir);
    qsort(verify->sizes, verify->size_count, sizeof *verify->sizes, compare_sizes);
    return ERR_OK;
}

static size_t count_lines(struct bytes lines) {
    size_t count = 0;
    struct bytes line;
    while (bytes_next_part(&lines, '\n', &line))
        count++;
    return count;
}

static bool is_key_of(const struct tlog_verifier *verifiers, size_t count,
                      const struct tlog_verifier *key) {
    for (size_t i = 0; i < count; i++)
        if (!memcmp(verifiers[i].public_key, key->public_key, sizeof key->public_key))
            return true;
    return false;
}

/* The lines that are keys, or of these those alone that are a key of the first `known`, or are not; false: some line is no key. */
enum which { ALL_KEYS, KNOWN_KEYS, OTHER_KEYS };
static bool add_verifiers(struct verify *verify, struct bytes lines, enum which which,
                          size_t known) {
    struct bytes line;
    bool all_read = true;
    while (bytes_next_part(&lines, '\n', &line)) {
        struct tlog_verifier *next = &verify->verifiers[verify->verifier_count];
        if (tlog_verifier_read(bytes_trim(line), next)) {
            all_read &= bytes_is_empty(bytes_trim(line));
            continue;
        }
        verify->verifier_count +=
            which == ALL_KEYS || is_key_of(verify->verifiers, known, next) == (which == KNOWN_KEYS);
    }
    return all_read;
}

/* Not of the log of another kind of writer, nor of something that is no vault. */
static bool has_keys_dir(const struct verify *verify) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    vault_path(path, verify->vault_dir, "keys");
    return !sys_stat(verify->sys, path, &st);
}

/* Key by key, each line as a writer puts it: the same key can be written otherwise, and then something has changed. */
static bool is_as_written(struct bytes lines) {
    struct bytes line;
    if (bytes_is_empty(lines) || lines.data[lines.size - 1] != '\n')
        return false;
    lines.size--;
    while (bytes_next_part(&lines, '\n', &line)) {
        struct tlog_verifier verifier;
        char buffer[TLOG_NAME_BYTES_MAX + 64];
        struct text again;
        text_init(&again, buffer, sizeof buffer);
        if (tlog_verifier_read(line, &verifier))
            return false;
        tlog_put_verifier(&again, &verifier);
        if (!bytes_equal(line, text_bytes(&again)))
            return false;
    }
    return true;
}

/* Keys from elsewhere, if there are any, and those beside the vault that are the same come first: they alone may have signed
 * `checkpoint`. */
static enum err take_verifiers(struct verify *verify, struct bytes beside, const char *given,
                               const char *path, struct damage *damage, struct fault *fault) {
    struct bytes elsewhere = bytes_from_string(given ? given : "");
    verify->verifiers =
        memory_alloc(count_lines(beside) + count_lines(elsewhere) + 1, sizeof *verify->verifiers);
    if (!verify->verifiers)
        return fault_set(fault, ERR_MEMORY, "no memory to verify with");
    if (given && !add_verifiers(verify, elsewhere, ALL_KEYS, 0))
        return fault_set(fault, ERR_INPUT, "a key that was given is no verifier key");
    size_t known = verify->verifier_count;
    bool good = true;
    if (given && known) {
        good = add_verifiers(verify, beside, KNOWN_KEYS, known);
        verify->vouched_count = verify->verifier_count;
        if (!add_verifiers(verify, beside, OTHER_KEYS, known))
            good = false;
    } else if (!given) {
        good = add_verifiers(verify, beside, ALL_KEYS, 0);
        verify->vouched_count = verify->verifier_count;
    }
    /* A key's line holds a hash of itself: a bit changed in it shows. */
    if (has_keys_dir(verify) ? !is_as_written(beside) : !good && verify->verifier_count) {
        damage_found(damage, path, DAMAGE_OF_NO_ENTRY, 0, "a line of it is no verifier key");
        return ERR_OK;
    }
    return verify->verifier_count ? ERR_OK
                                  : fault_set_subject(fault, ERR_INPUT, "this is no verifier key",
                                                      given ? given : path);
}

static enum err load_verifiers(struct verify *verify, const char *given, struct damage *damage,
                               struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    size_t size = 0;
    vault_path(path, verify->vault_dir, "verifier");
    char *beside = memory_alloc(1, VERIFIERS_BYTES);
    if (!beside)
        return fault_set(fault, ERR_MEMORY, "no memory to verify with");
    struct fault own = {0};
    enum err err = sys_read_file(verify->sys, path, beside, VERIFIERS_BYTES, &size, &own);
    if (err == ERR_NOT_FOUND && has_keys_dir(verify)) {
        damage_found(damage, path, DAMAGE_OF_NO_ENTRY, 0, "the file is missing");
        memory_free(beside);
        return ERR_OK;
    }
    if (err == ERR_NOT_FOUND && given)
        err = ERR_OK;
    else if (err && fault)
        *fault = own;
    if (!err)
        err = take_verifiers(verify, bytes_from(beside, size), given, path, damage, fault);
    memory_free(beside);
    return err;
}

static enum err load_checkpoint(struct verify *verify, struct damage *damage, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    const char *why;
    vault_path(path, verify->vault_dir, "checkpoint");
    verify->checkpoint = memory_alloc(1, sizeof *verify->checkpoint);
    if (!verify->checkpoint)
        return fault_set(fault, ERR_MEMORY, "no memory to verify with");
    enum err err = checkpoint_load(verify->sys, path, verify->checkpoint, fault);
    if (err == ERR_CORRUPT) {
        damage_found(damage, path, 0, 0, "the checkpoint cannot be read");
        return ERR_OK;
    }
    if (err)
        return err;
    if (verify->checkpoint->note_bytes == 0) {
        if (verify->size_count)
            damage_found(damage, path, 0, 0, "the file is missing");
        return ERR_OK;
    }
    if (!note_holds(verify, verify->checkpoint, verify->vouched_count, &why))
        damage_found(damage, path, 0, 0, why);
    return ERR_OK;
}

static void fill_report(struct verify *verify, const struct damage *damage) {
    struct vault_report *report = verify->report;
    struct text root;
    const struct tlog_checkpoint *checkpoint = &verify->checkpoint->checkpoint;
    report->published_size = checkpoint->size;
    report->bytes_read = damage->bytes_read;
    report->blob_count = damage->blob_count;
    report->erased_count = damage->erased_count;
    report->from = verify->from;
    struct bytes origin = checkpoint->origin;
    if (bytes_is_empty(origin) && verify->vouched_count)
        origin = bytes_from_string(verify->verifiers[verify->vouched_count - 1].name);
    snprintf(report->origin, sizeof report->origin, "%.*s", (int)origin.size,
             (const char *)origin.data);
    text_init(&root, report->root_base64, sizeof report->root_base64);
    text_put_base64(&root, bytes_from(checkpoint->root.bytes, TLOG_HASH_BYTES));
    report->is_whole = !damage->is_found;
    report->damaged_index = damage->index < UINT64_MAX - 1 ? damage->index : UINT64_MAX;
    report->damaged_at = damage->at;
    snprintf(report->damaged_file, sizeof report->damaged_file, "%s", damage->file);
    snprintf(report->damage, sizeof report->damage, "%s", damage->what);
}

/* How far the vault is published now: segments below it may be gone. */
static enum err published_now(struct verify *verify, uint64_t *size, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct checkpoint_file *file = memory_alloc(1, sizeof *file);
    if (!file)
        return fault_set(fault, ERR_MEMORY, "no memory to verify with");
    vault_path(path, verify->vault_dir, "checkpoint");
    enum err err = checkpoint_load(verify->sys, path, file, fault);
    *size = file->checkpoint.size;
    memory_free(file);
    return err;
}

/* On a living vault segments grow and go while they are read: what looks damaged is looked at again. */
static enum err check_segments(struct verify *verify, struct damage *damage, struct fault *fault) {
    struct fault own;
    enum err err = ERR_MORE;
    for (int attempt = 0; err && attempt < 3; attempt++) {
        uint64_t published = 0;
        own = (struct fault){0};
        err = published_now(verify, &published, &own);
        if (!err)
            err = segments_measure(verify->sys, verify->vault_dir, published, false,
                                   &verify->report->durable_size, &own);
    }
    if (err == ERR_CORRUPT) {
        damage_found(damage, own.subject, verify->report->durable_size, own.at, own.what);
        return ERR_OK;
    }
    if (err && fault)
        *fault = own;
    return err;
}

/* From the point verified last, or all of it; in haste and with no such point, that what is signed has its edge. */
static enum err check_published(struct verify *verify, unsigned workers, struct damage *damage,
                                struct fault *fault) {
    const struct tlog_checkpoint *checkpoint = &verify->checkpoint->checkpoint;
    if (verify->is_quick) {
        verify_load_point(verify);
        if (verify->from > checkpoint->size)
            verify->from = 0; /* of another vault, or a longer one: of no use here */
        if (verify->from == 0) {
            if (!load_edge(verify, checkpoint->size, &checkpoint->root, damage) &&
                !damage->is_found)
                found_checkpoint(verify, damage);
            verify->from = checkpoint->size;
            return ERR_OK;
        }
        if (!load_edge(verify, verify->from, &verify->from_root, damage)) {
            char path[VAULT_PATH_BYTES_MAX];
            vault_path(path, verify->vault_dir, "tile");
            damage_found(damage, path, verify->from, 0,
                         "the tree is not the one that was verified before");
            return ERR_OK;
        }
    }
    enum err err = check_bundles(verify, workers, damage, fault);
    if (!err && !damage->is_found)
        check_tree(verify, damage);
    if (!err && !damage->is_found && !verify->is_quick)
        verify_key_files(verify, damage);
    if (!err && !damage->is_found)
        verify_save_point(verify);
    return err;
}

static enum err verify_all(struct verify *verify, const struct vault_verify_options *options,
                           struct damage *damage, struct fault *fault) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned workers = options->worker_count ? options->worker_count
                       : cores > 0           ? (unsigned)cores
                                             : 1;
    verify->is_quick = options->quick;
    enum err err = load_verifiers(verify, options->verifier_text, damage, fault);
    if (!err)
        err = list_checkpoints(verify, fault);
    struct damage of_keys =
        *damage; /* of which a checkpoint that does not hold would only follow */
    if (!err)
        err = load_checkpoint(verify, damage, fault);
    if (of_keys.is_found)
        *damage = of_keys;
    if (err || damage->is_found)
        return err;
    /* What was published after the checkpoint was read does not belong to it. */
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    err = check_published(verify, workers < WORKERS_MAX ? workers : WORKERS_MAX, damage, fault);
    vault_path(path, verify->vault_dir, "wal");
    verify->report->durable_size = verify->checkpoint->checkpoint.size;
    if (!err && !sys_stat(verify->sys, path, &st))
        err = check_segments(verify, damage, fault);
    return err;
}

/* A site has its vault below it; a copy is the vault alone. */
static bool find_vault_dir(struct sys *sys, const char *path,
                           char vault_dir[VAULT_PATH_BYTES_MAX]) {
    struct stat st;
    vault_path(vault_dir, path, "vault");
    if (!sys_stat(sys, vault_dir, &st))
        return true;
    snprintf(vault_dir, VAULT_PATH_BYTES_MAX, "%s", path);
    return false;
}

enum err vault_verify(struct sys *sys, const char *path, const struct vault_verify_options *options,
                      struct vault_report *report, struct fault *fault) {
    char vault_dir[VAULT_PATH_BYTES_MAX], point_path[VAULT_PATH_BYTES_MAX];
    if (strlen(path) + 256 > sizeof vault_dir)
        return fault_set(fault, ERR_LIMIT, "the path is too long");
    bool is_site = find_vault_dir(sys, path, vault_dir);
    struct verify *verify = memory_alloc(1, sizeof *verify);
    struct damage damage = {.index = UINT64_MAX};
    if (!verify || sodium_init() < 0)
        return fault_set(fault, ERR_MEMORY, "no memory to verify with");
    *report = (struct vault_report){0};
    verify->sys = sys;
    verify->vault_dir = vault_dir;
    verify->report = report;
    if (is_site)
        vault_path(point_path, path, "cache/verified");
    verify->point_path = options->point_path ? options->point_path : is_site ? point_path : NULL;
    verify->bundle = memory_alloc(1, BUNDLE_BYTES_MAX);
    verify->file = memory_alloc(1, VERIFY_FILE_BYTES);
    enum err err = verify->bundle && verify->file
                       ? verify_all(verify, options, &damage, fault)
                       : fault_set(fault, ERR_MEMORY, "no memory to verify with");
    if (verify->checkpoint)
        fill_report(verify, &damage);
    if (!err && !damage.is_found && !options->quick)
        verify_count_erased(verify);
    memory_free(verify->bundle);
    memory_free(verify->file);
    memory_free(verify->verifiers);
    memory_free(verify->named);
    memory_free(verify->tallies);
    memory_free(verify->sizes);
    memory_free(verify->checkpoint);
    memory_free(verify);
    return err ? err : damage.is_found ? ERR_CORRUPT : ERR_OK;
}
