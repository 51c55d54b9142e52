/* publisher.c - makes what is durable public: bundles, tiles, a signed checkpoint.
 *
 * Invariants
 *   1 Nothing is signed that was not read back from the disk and hashed again.
 *   2 keys/signed says the largest size ever signed, with its root, before that checkpoint can be seen; no other tree of
 *     that size is ever signed.
 *   3 A file that stands is never replaced by one that differs.
 *
 *   write *.new, sync -> read back, hash -> keys/signed -> rename, sync directories -> checkpoint -> checkpoints/<size>
 *   A crash in between leaves *.new files, or files that the old checkpoint does not know; the next round writes the same.
 *   The kept copy comes last, so that one larger than `checkpoint` always means that an old checkpoint was put back; a
 *   missing one is made good at the next start.
 */
#include "vault/continuity.h"
#include "vault/keys.h"
#include "vault/layout.h"

#include "base/pool.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define LEVELS            8u
#define BUNDLES_PER_ROUND 64u
#define FILES_PER_ROUND   (2 * BUNDLES_PER_ROUND + 4 * LEVELS + 8)
#define DIRS_PER_ROUND    64u
#define KEPT_COUNT        16u /* of the newest checkpoints none is taken away */
#define MEMORY_LINE_MAX   (TLOG_ORIGIN_BYTES_MAX + 128u)

/* The rightmost, not yet full tile of a level. */
struct level {
    struct tlog_hash hashes[TLOG_TILE_WIDTH];
    unsigned width;
    uint64_t number;
};

struct kept {
    uint64_t size;
    int64_t hour;
};

struct vault_publisher {
    struct sys *sys;
    char site_dir[VAULT_PATH_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX];
    struct tlog_signer *signer;  /* locked memory */
    struct vault_unlock *unlock; /* NULL: none; a new origin's key is written under it */
    struct vault_reader *reader;
    struct level levels[LEVELS];
    uint64_t size; /* of the tree in levels */
    uint64_t published;
    struct signed_tree signed_tree; /* the largest under this origin */
    struct continuity continuity;
    const char *memory_dir;
    struct kept kept[KEPT_COUNT]; /* of this life, the oldest first */
    unsigned kept_count;
    bool is_new_origin; /* it began in this life */
    bool
        is_adrift; /* the tree in memory is not the published one: it must be taken up again first */
    bool
        is_other_tree; /* what was signed under this origin is not what is here: the next must begin */
    uint64_t
        lost_from; /* entries from here on were signed once and are not here any more; UINT64_MAX: none */
    uint8_t *bundle;
    size_t bundle_bytes;
    uint8_t *back;      /* for reading back */
    char (*files)[160]; /* written in this round, relative, without .new */
    size_t file_count;
    char (*dirs)[128];
    size_t dir_count;
};

/* ---- the tree ---- */

static void tree_root(const struct vault_publisher *publisher, struct tlog_hash *root) {
    /* From the highest level down: the perfect subtrees of each rightmost tile, largest first. */
    struct tlog_frontier all;
    tlog_frontier_init(&all);
    for (unsigned l = LEVELS; l-- > 0;) {
        const struct level *level = &publisher->levels[l];
        struct tlog_frontier part;
        tlog_frontier_init(&part);
        for (unsigned i = 0; i < level->width; i++)
            tlog_frontier_add(&part, &level->hashes[i]);
        for (unsigned i = 0; i < part.count; i++)
            all.hashes[all.count++] = part.hashes[i];
    }
    tlog_frontier_root(&all, root);
}

/* ---- files of a round ---- */

static void note_dir(struct vault_publisher *publisher, const char *relative) {
    const char *slash = strrchr(relative, '/');
    size_t size = slash ? (size_t)(slash - relative) : 0;
    for (size_t i = 0; i < publisher->dir_count; i++)
        if (strlen(publisher->dirs[i]) == size && !memcmp(publisher->dirs[i], relative, size))
            return;
    assert(publisher->dir_count < DIRS_PER_ROUND && size < sizeof publisher->dirs[0]);
    char *dir = publisher->dirs[publisher->dir_count++];
    memcpy(dir, relative, size);
    dir[size] = 0;
    if (memchr(dir, '/', size)) {
        char parent[128];
        memcpy(parent, dir, size + 1);
        note_dir(publisher, parent);
    }
}

static enum err make_parent(struct vault_publisher *publisher, const char *relative,
                            struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    vault_path(path, publisher->vault_dir, "%s", relative);
    *strrchr(path, '/') = 0;
    return sys_make_dirs(publisher->sys, path, 0755, fault);
}

/* Read what was written, from the file, and compare it with what was meant. */
static enum err read_back(struct vault_publisher *publisher, int fd, struct bytes data,
                          const char *path, struct fault *fault) {
    if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)) {
        /* Then the cache is read: still another copy than the one hashed. */
    }
    enum err err = sys_pread_all(publisher->sys, fd, publisher->back, data.size, 0, path, fault);
    if (!err && memcmp(publisher->back, data.data, data.size))
        err = fault_set_subject(fault, ERR_CORRUPT,
                                "the disk gave back other bytes than were written", path);
    return err;
}

/* Hash the bundle again, as it was read back, against the level-0 tile that will stand beside it. */
static enum err check_back(struct vault_publisher *publisher, unsigned width, size_t bundle_bytes,
                           struct fault *fault) {
    size_t at = 0;
    for (unsigned i = 0; i < width; i++) {
        struct tlog_hash leaf;
        if (bundle_bytes - at < 2 || bundle_bytes - at - 2 < load_u16(publisher->back + at))
            return fault_set(fault, ERR_CORRUPT, "a bundle changed while it was written");
        size_t size = load_u16(publisher->back + at);
        tlog_leaf_hash(bytes_from(publisher->back + at + 2, size), &leaf);
        if (memcmp(leaf.bytes, publisher->levels[0].hashes[i].bytes, TLOG_HASH_BYTES))
            return fault_set(fault, ERR_CORRUPT, "an entry is not what was hashed before");
        at += 2 + size;
    }
    return at == bundle_bytes ? ERR_OK : fault_set(fault, ERR_CORRUPT, "a bundle is too long");
}

static enum err write_new(struct vault_publisher *publisher, const char *relative,
                          struct bytes data, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    assert(publisher->file_count < FILES_PER_ROUND);
    vault_path(path, publisher->vault_dir, "%s.new", relative);
    int fd = sys_open(publisher->sys, path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 && errno == ENOENT) {
        enum err err = make_parent(publisher, relative, fault);
        if (err)
            return err;
        fd = sys_open(publisher->sys, path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    }
    if (fd < 0)
        return fault_set_errno(fault, ERR_IO, errno, "a tile cannot be made", path);
    enum err err = sys_write_all(publisher->sys, fd, data, path, fault);
    if (!err && sys_fdatasync(publisher->sys, fd))
        err = fault_set_errno(fault, ERR_IO, errno, "a tile cannot be synced", path);
    if (!err)
        err = read_back(publisher, fd, data, path, fault);
    sys_close(publisher->sys, fd);
    if (err)
        return err;
    snprintf(publisher->files[publisher->file_count++], sizeof publisher->files[0], "%s", relative);
    note_dir(publisher, relative);
    return ERR_OK;
}

static enum err write_tile(struct vault_publisher *publisher, int level, uint64_t number,
                           unsigned width, struct bytes data, struct fault *fault) {
    char relative[160];
    struct text text;
    text_init(&text, relative, sizeof relative);
    tlog_put_tile_path(&text, level, number, width);
    return write_new(publisher, relative, data, fault);
}

/* A full tile is written and hashed into the one above it. */
static enum err push(struct vault_publisher *publisher, const struct tlog_hash *leaf,
                     struct fault *fault) {
    struct tlog_hash hash = *leaf;
    publisher->size++;
    for (unsigned l = 0; l < LEVELS; l++) {
        struct level *level = &publisher->levels[l];
        level->hashes[level->width++] = hash;
        if (level->width < TLOG_TILE_WIDTH)
            return ERR_OK;
        enum err err = write_tile(publisher, (int)l, level->number, TLOG_TILE_WIDTH,
                                  bytes_from(level->hashes, sizeof level->hashes), fault);
        if (err)
            return err;
        /* Of what was read back, not of what was meant. */
        tlog_subtree_hash((const struct tlog_hash *)publisher->back, TLOG_TILE_WIDTH, &hash);
        level->width = 0; /* the hashes stay: the bundle is checked against them */
        level->number++;
    }
    return fault_set(fault, ERR_LIMIT, "the tree is larger than can be");
}

static enum err add_entry(struct vault_publisher *publisher, uint64_t durable_size,
                          struct fault *fault) {
    struct bytes sealed;
    struct tlog_hash leaf;
    enum err err =
        vault_reader_sealed(publisher->reader, publisher->size, durable_size, &sealed, fault);
    if (err)
        return err;
    store_u16(publisher->bundle + publisher->bundle_bytes, (uint16_t)sealed.size);
    memcpy(publisher->bundle + publisher->bundle_bytes + 2, sealed.data, sealed.size);
    /* Hashed from the copy that goes to the disk. */
    tlog_leaf_hash(bytes_from(publisher->bundle + publisher->bundle_bytes + 2, sealed.size), &leaf);
    publisher->bundle_bytes += 2 + sealed.size;
    uint64_t number = publisher->size / TLOG_TILE_WIDTH;
    err = push(publisher, &leaf, fault);
    if (err || publisher->size % TLOG_TILE_WIDTH != 0)
        return err;
    struct bytes whole = bytes_from(publisher->bundle, publisher->bundle_bytes);
    publisher->bundle_bytes = 0;
    err = write_tile(publisher, TLOG_LEVEL_ENTRIES, number, TLOG_TILE_WIDTH, whole, fault);
    return err ? err : check_back(publisher, TLOG_TILE_WIDTH, whole.size, fault);
}

static enum err write_partials(struct vault_publisher *publisher, struct fault *fault) {
    for (unsigned l = 0; l < LEVELS; l++) {
        const struct level *level = &publisher->levels[l];
        if (level->width == 0)
            continue;
        struct bytes hashes = bytes_from(level->hashes, level->width * (size_t)TLOG_HASH_BYTES);
        enum err err = write_tile(publisher, (int)l, level->number, level->width, hashes, fault);
        if (!err && l == 0)
            err = write_tile(publisher, TLOG_LEVEL_ENTRIES, level->number, level->width,
                             bytes_from(publisher->bundle, publisher->bundle_bytes), fault);
        if (!err && l == 0)
            err = check_back(publisher, level->width, publisher->bundle_bytes, fault);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* ---- what has been signed ---- */

/* Nothing was signed under this origin yet when there is no such file, or it speaks of an earlier origin. */
static enum err read_signed(struct vault_publisher *publisher, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[MEMORY_LINE_MAX];
    size_t size = 0;
    struct fault own = {0};
    publisher->signed_tree = (struct signed_tree){0};
    tlog_empty_hash(&publisher->signed_tree.root);
    vault_path(path, publisher->site_dir, "keys/signed");
    enum err err = sys_read_file(publisher->sys, path, buffer, sizeof buffer, &size, &own);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    struct signed_tree tree;
    struct bytes line = bytes_trim(bytes_from(buffer, err ? 0 : size));
    if (err || !signed_tree_read(line, NULL, &tree))
        return fault_set_subject(fault, err ? err : ERR_CORRUPT,
                                 "what was signed last cannot be read", path);
    if (signed_tree_read(line, publisher->signer->verifier.name, &tree))
        publisher->signed_tree = tree;
    return ERR_OK;
}

static enum err write_signed(struct vault_publisher *publisher, const struct signed_tree *tree,
                             struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], buffer[MEMORY_LINE_MAX];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    signed_tree_put(&text, tree, publisher->signer->verifier.name);
    vault_path(path, publisher->site_dir, "keys/signed");
    return sys_replace_file(publisher->sys, path, text_bytes(&text), 0600, fault);
}

/* The compare-and-swap: a size signed before must have had this root. */
static enum err claim(struct vault_publisher *publisher, const struct tlog_hash *root,
                      struct fault *fault) {
    const struct signed_tree *last = &publisher->signed_tree;
    struct signed_tree next = {publisher->size, *root};
    if (next.size < last->size)
        return ERR_OK; /* on the way to what was signed already: nothing is signed here */
    if (next.size == last->size) {
        publisher->is_other_tree = memcmp(root, &last->root, sizeof *root);
        return publisher->is_other_tree
                   ? fault_set_at(fault, ERR_CORRUPT, "another tree was signed for size", next.size)
                   : ERR_OK;
    }
    enum err err = continuity_intend(&publisher->continuity, &next, fault);
    if (!err)
        err = write_signed(publisher, &next, fault);
    if (!err)
        err = continuity_settle(&publisher->continuity, &next, fault);
    if (!err)
        publisher->signed_tree = next;
    return err;
}

/* ---- making it visible ---- */

static enum err same_as_standing(struct vault_publisher *publisher, const char *path,
                                 const char *path_new, size_t standing_bytes, struct fault *fault) {
    size_t size = 0, size_new = 0;
    uint8_t *standing = memory_alloc(1, standing_bytes + 1);
    enum err err = standing ? ERR_OK : fault_set(fault, ERR_MEMORY, "no memory to compare with");
    if (!err)
        err = sys_read_file(publisher->sys, path, standing, standing_bytes, &size, fault);
    if (!err)
        err = sys_read_file(publisher->sys, path_new, publisher->back, BUNDLE_BYTES_MAX, &size_new,
                            fault);
    if (!err && (size != size_new || memcmp(standing, publisher->back, size)))
        err = fault_set_subject(fault, ERR_CORRUPT, "a file that stands would be changed: refused",
                                path);
    memory_free(standing);
    return err;
}

static enum err rename_all(struct vault_publisher *publisher, struct fault *fault) {
    for (size_t i = 0; i < publisher->file_count; i++) {
        char path[VAULT_PATH_BYTES_MAX], path_new[VAULT_PATH_BYTES_MAX];
        struct stat st;
        vault_path(path, publisher->vault_dir, "%s", publisher->files[i]);
        vault_path(path_new, publisher->vault_dir, "%s.new", publisher->files[i]);
        enum err err = ERR_OK;
        if (!sys_stat(publisher->sys, path, &st))
            err = same_as_standing(publisher, path, path_new, (size_t)st.st_size, fault);
        else if (errno != ENOENT)
            err = fault_set_errno(fault, ERR_IO, errno, "a tile cannot be looked at", path);
        if (!err && sys_rename(publisher->sys, path_new, path))
            err = fault_set_errno(fault, ERR_IO, errno, "a tile cannot be named", path);
        if (err)
            return err;
    }
    for (size_t i = 0; i < publisher->dir_count; i++) {
        char path[VAULT_PATH_BYTES_MAX];
        vault_path(path, publisher->vault_dir, "%s", publisher->dirs[i]);
        enum err err = sys_sync_dir(publisher->sys, path, fault);
        if (err)
            return err;
    }
    return ERR_OK;
}

static void kept_path(const struct vault_publisher *publisher, uint64_t size,
                      char path[VAULT_PATH_BYTES_MAX]) {
    vault_path(path, publisher->vault_dir, "checkpoints/%llu", (unsigned long long)size);
}

/* One that is no longer among the newest goes, unless it is the last of its hour. */
static void thin_checkpoints(struct vault_publisher *publisher, uint64_t size) {
    struct kept *kept = publisher->kept, oldest = kept[0];
    if (publisher->kept_count == KEPT_COUNT) {
        char path[VAULT_PATH_BYTES_MAX];
        kept_path(publisher, oldest.size, path);
        if (oldest.hour == kept[1].hour && sys_unlink(publisher->sys, path)) {
            /* It stays: one more than need be. */
        }
        memmove(kept, kept + 1, (KEPT_COUNT - 1) * sizeof *kept);
        publisher->kept_count--;
    }
    kept[publisher->kept_count++] =
        (struct kept){size, sys_now_us(publisher->sys) / (3600 * US_PER_S)};
}

/* A published checkpoint stays, under its size. */
static enum err keep_checkpoint(struct vault_publisher *publisher, uint64_t size, struct bytes note,
                                struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    kept_path(publisher, size, path);
    if (!sys_stat(publisher->sys, path, &st))
        return ERR_OK;
    enum err err = sys_replace_file(publisher->sys, path, note, 0644, fault);
    if (!err)
        thin_checkpoints(publisher, size);
    return err;
}

static enum err sign(struct vault_publisher *publisher, const struct tlog_hash *root,
                     struct fault *fault) {
    char buffer[OWN_NOTE_BYTES_MAX], path[VAULT_PATH_BYTES_MAX];
    struct text note;
    struct tlog_checkpoint checkpoint = {
        .origin = bytes_from_string(publisher->signer->verifier.name),
        .size = publisher->size,
        .root = *root,
    };
    text_init(&note, buffer, sizeof buffer);
    tlog_put_checkpoint(&note, &checkpoint);
    struct bytes body = text_bytes(&note);
    text_put_char(&note, '\n');
    tlog_put_signature(&note, publisher->signer, body);
    if (note.full)
        return fault_set(fault, ERR_LIMIT, "the checkpoint is too long");
    vault_path(path, publisher->vault_dir, "checkpoint");
    enum err err = sys_replace_file(publisher->sys, path, text_bytes(&note), 0644, fault);
    return err ? err : keep_checkpoint(publisher, publisher->size, text_bytes(&note), fault);
}

/* Everything in one directory of partial tiles, and the directory. What cannot be removed is harmless. */
static void remove_dir(struct vault_publisher *publisher, const char *path) {
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char file[VAULT_PATH_BYTES_MAX];
        vault_path(file, path, "%s", entry->d_name);
        if (entry->d_name[0] != '.' && sys_unlink(publisher->sys, file))
            break;
    }
    if (dir)
        closedir(dir);
    if (sys_rmdir(publisher->sys, path))
        return;
}

/* The partial tiles that led to a full one go once that stands: every width, since each publication wrote another. */
static void remove_old_partials(struct vault_publisher *publisher, uint64_t old_size) {
    for (unsigned l = 0; l < LEVELS; l++) {
        unsigned width = tlog_partial_width(old_size, l);
        uint64_t number = old_size >> (8 * l) >> 8;
        if (width == 0 || number == publisher->levels[l].number)
            continue;
        for (int is_bundle = 0; is_bundle <= (l == 0); is_bundle++) {
            char relative[160], path[VAULT_PATH_BYTES_MAX];
            struct text text;
            text_init(&text, relative, sizeof relative);
            tlog_put_tile_path(&text, is_bundle ? TLOG_LEVEL_ENTRIES : (int)l, number, width);
            vault_path(path, publisher->vault_dir, "%s", relative);
            *strrchr(path, '/') = 0;
            remove_dir(publisher, path);
        }
    }
}

static enum err finish_round(struct vault_publisher *publisher, struct fault *fault) {
    struct tlog_hash root;
    tree_root(publisher, &root);
    enum err err = claim(publisher, &root, fault);
    if (!err)
        err = rename_all(publisher, fault);
    if (!err && publisher->size >= publisher->signed_tree.size)
        err = sign(publisher, &root, fault);
    if (err)
        return err;
    if (publisher->size >= publisher->signed_tree.size) {
        remove_old_partials(publisher, publisher->published);
        publisher->published = publisher->size;
    }
    return ERR_OK;
}

/* ---- opening ---- */

static enum err load_level(struct vault_publisher *publisher, unsigned l, uint64_t size,
                           struct fault *fault) {
    struct level *level = &publisher->levels[l];
    char relative[160], path[VAULT_PATH_BYTES_MAX];
    struct text text;
    size_t got = 0;
    level->width = tlog_partial_width(size, l);
    level->number = size >> (8 * l) >> 8;
    if (level->width == 0)
        return ERR_OK;
    text_init(&text, relative, sizeof relative);
    tlog_put_tile_path(&text, (int)l, level->number, level->width);
    vault_path(path, publisher->vault_dir, "%s", relative);
    size_t wanted = level->width * (size_t)TLOG_HASH_BYTES;
    enum err err = sys_read_file(publisher->sys, path, level->hashes, wanted, &got, fault);
    if (!err && got != wanted)
        err = fault_set_subject(fault, ERR_CORRUPT, "this tile has another size than its name says",
                                path);
    return err;
}

/* Take the published tree up again; the unfinished bundle is read anew from its entries. */
static enum err load_tree(struct vault_publisher *publisher, struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX];
    struct checkpoint_file *file = memory_alloc(1, sizeof *file);
    if (!file)
        return fault_set(fault, ERR_MEMORY, "no memory for a checkpoint");
    vault_path(path, publisher->vault_dir, "checkpoint");
    enum err err = checkpoint_load(publisher->sys, path, file, fault);
    if (!err && file->note_bytes)
        err = keys_verify_own(publisher->sys, publisher->site_dir, publisher->signer,
                              bytes_from(file->note, file->note_bytes), fault);
    if (err)
        fault_set_subject(fault, err, "the published checkpoint is not ours", path);
    publisher->size = publisher->published = err ? 0 : file->checkpoint.size;
    for (unsigned l = 0; l < LEVELS && !err; l++)
        err = load_level(publisher, l, publisher->size, fault);
    struct tlog_hash root;
    tree_root(publisher, &root);
    if (!err && memcmp(&root, &file->checkpoint.root, sizeof root))
        err = fault_set_subject(fault, ERR_CORRUPT, "the tiles do not make the checkpoint's root",
                                path);
    /* It may have been named and not synced, when that failed or its life ended there: segments go on its word. */
    if (!err && file->note_bytes)
        err = sys_sync_dir(publisher->sys, publisher->vault_dir, fault);
    if (!err && file->note_bytes)
        err = keep_checkpoint(publisher, publisher->size, bytes_from(file->note, file->note_bytes),
                              fault);
    memory_free(file);
    return err;
}

static enum err load_bundle(struct vault_publisher *publisher, struct fault *fault) {
    publisher->bundle_bytes = 0;
    uint64_t from = publisher->size - publisher->size % TLOG_TILE_WIDTH;
    for (uint64_t index = from; index < publisher->size; index++) {
        struct bytes sealed;
        enum err err =
            vault_reader_sealed(publisher->reader, index, publisher->size, &sealed, fault);
        if (err)
            return err;
        store_u16(publisher->bundle + publisher->bundle_bytes, (uint16_t)sealed.size);
        memcpy(publisher->bundle + publisher->bundle_bytes + 2, sealed.data, sealed.size);
        publisher->bundle_bytes += 2 + sealed.size;
    }
    return ERR_OK;
}

static enum err load_state(struct vault_publisher *publisher, struct fault *fault) {
    enum err err = load_tree(publisher, fault);
    if (!err)
        err = load_bundle(publisher, fault);
    if (!err)
        err = read_signed(publisher, fault);
    publisher->is_adrift = err != ERR_OK;
    return err;
}

/* ---- epochs of the origin ---- */

/* The tree as it stands on the disk, under the new name. */
static enum err sign_anew(struct vault_publisher *publisher, struct fault *fault) {
    struct tlog_hash root;
    if (publisher->size == 0)
        return ERR_OK;
    tree_root(publisher, &root);
    enum err err = claim(publisher, &root, fault);
    return err ? err : sign(publisher, &root, fault);
}

static enum err begin_origin(struct vault_publisher *publisher, struct fault *fault) {
    continuity_close(&publisher->continuity);
    enum err err = keys_begin_origin(publisher->sys, publisher->site_dir, publisher->unlock,
                                     publisher->signer, fault);
    if (err)
        return err;
    publisher->signed_tree = (struct signed_tree){0};
    publisher->is_new_origin = true;
    continuity_open(&publisher->continuity, publisher->sys, publisher->memory_dir,
                    &publisher->signer->verifier);
    return sign_anew(publisher, fault);
}

/* What a start may go on with: the same origin, when nothing can have been signed since; else the next. */
static enum err take_up_origin(struct vault_publisher *publisher, struct fault *fault) {
    continuity_open(&publisher->continuity, publisher->sys, publisher->memory_dir,
                    &publisher->signer->verifier);
    const struct signed_tree *last = &publisher->signed_tree;
    bool is_first = last->size == 0 && publisher->published == 0 &&
                    !publisher->continuity.was_there && !publisher->continuity.is_held;
    if (is_first ||
        (last->size >= publisher->published && continuity_is_shown(&publisher->continuity, last)))
        return continuity_settle(&publisher->continuity, last, fault);
    return begin_origin(publisher, fault);
}

enum err vault_publisher_open(struct vault_publisher **out, struct sys *sys, const char *site_dir,
                              const struct vault_unlock *unlock, const char *memory_dir,
                              struct fault *fault) {
    struct vault_publisher *publisher = memory_alloc(1, sizeof *publisher);
    if (!publisher || sodium_init() < 0)
        return fault_set(fault, ERR_MEMORY, "no memory for a publisher");
    publisher->sys = sys;
    publisher->continuity.fd = -1;
    publisher->lost_from = UINT64_MAX;
    publisher->memory_dir = memory_dir ? memory_dir : VAULT_MEMORY_DIR;
    snprintf(publisher->site_dir, sizeof publisher->site_dir, "%s", site_dir);
    vault_path(publisher->vault_dir, site_dir, "vault");
    publisher->signer = sodium_malloc(sizeof *publisher->signer);
    publisher->unlock = unlock ? vault_unlock_copy(unlock) : NULL;
    publisher->bundle = memory_alloc(1, BUNDLE_BYTES_MAX);
    publisher->back = memory_alloc(1, BUNDLE_BYTES_MAX);
    publisher->files = memory_alloc(FILES_PER_ROUND, sizeof publisher->files[0]);
    publisher->dirs = memory_alloc(DIRS_PER_ROUND, sizeof publisher->dirs[0]);
    enum err err = ERR_OK;
    if (!publisher->signer || (unlock && !publisher->unlock) || !publisher->bundle ||
        !publisher->back || !publisher->files || !publisher->dirs)
        err = fault_set(fault, ERR_MEMORY, "no memory for a publisher");
    if (!err)
        err = key_files_settle(sys, site_dir, fault);
    if (!err)
        err = keys_read_signer(sys, site_dir, unlock, publisher->signer, fault);
    if (!err)
        err = vault_reader_open(&publisher->reader, sys, publisher->vault_dir, fault);
    if (!err)
        err = load_state(publisher, fault);
    if (!err)
        err = take_up_origin(publisher, fault);
    if (err) {
        vault_publisher_close(publisher);
        return err;
    }
    *out = publisher;
    return ERR_OK;
}

void vault_publisher_close(struct vault_publisher *publisher) {
    if (!publisher)
        return;
    continuity_close(&publisher->continuity);
    sodium_free(publisher->signer);
    vault_unlock_free(publisher->unlock);
    vault_reader_close(publisher->reader);
    memory_free(publisher->bundle);
    memory_free(publisher->back);
    memory_free(publisher->files);
    memory_free(publisher->dirs);
    memory_free(publisher);
}

const char *vault_publisher_origin(const struct vault_publisher *publisher, bool *is_new,
                                   bool *is_remembered) {
    *is_new = publisher->is_new_origin;
    *is_remembered = publisher->continuity.fd >= 0;
    return publisher->signer->verifier.name;
}

uint64_t vault_publisher_lost_from(const struct vault_publisher *publisher) {
    return publisher->lost_from;
}

uint64_t vault_published_size(const struct vault_publisher *publisher) {
    return publisher->published;
}

/* How far this round goes: never past a size that was signed before without stopping exactly there. */
static uint64_t round_target(const struct vault_publisher *publisher, uint64_t durable_size,
                             bool whole_only) {
    uint64_t target = durable_size;
    uint64_t round = (publisher->published / TLOG_TILE_WIDTH + BUNDLES_PER_ROUND) * TLOG_TILE_WIDTH;
    if (target > round)
        target = round;
    if (whole_only)
        target -= target % TLOG_TILE_WIDTH;
    if (publisher->signed_tree.size > publisher->published &&
        publisher->signed_tree.size <= durable_size)
        target = publisher->signed_tree.size;
    return target;
}

/* One round, to `target`. After an error the tree is taken up again as the disk has it. */
static enum err publish_round(struct vault_publisher *publisher, uint64_t durable_size,
                              uint64_t target, struct fault *fault) {
    enum err err = ERR_OK;
    publisher->file_count = publisher->dir_count = 0;
    while (publisher->size < target && !err)
        err = add_entry(publisher, durable_size, fault);
    if (!err)
        err = write_partials(publisher, fault);
    if (!err)
        err = finish_round(publisher, fault);
    if (err && load_state(publisher, NULL))
        return fault_set(fault, ERR_CORRUPT, "the published tree cannot be taken up again");
    return err;
}

/* Entries that were signed are missing, from `lost_from` on. What comes now cannot stand under the same name. */
static enum err begin_after_loss(struct vault_publisher *publisher, uint64_t lost_from,
                                 struct fault *fault) {
    publisher->is_other_tree = true; /* until the next epoch has begun */
    if (publisher->lost_from > lost_from)
        publisher->lost_from = lost_from;
    enum err err = begin_origin(publisher, fault);
    publisher->is_other_tree = err != ERR_OK;
    return err;
}

enum err vault_publish(struct vault_publisher *publisher, uint64_t durable_size, bool whole_only,
                       uint64_t *published, struct fault *fault) {
    enum err err = ERR_OK;
    *published = publisher->published;
    if (publisher->is_adrift && load_state(publisher, NULL))
        return fault_set(fault, ERR_CORRUPT, "the published tree cannot be taken up again");
    if (publisher->signed_tree.size > durable_size || publisher->is_other_tree)
        err = begin_after_loss(publisher, durable_size, fault);
    uint64_t target = round_target(publisher, durable_size, whole_only);
    if (err || target <= publisher->published)
        return err;
    err = publish_round(publisher, durable_size, target, fault);
    if (err && publisher->is_other_tree && !publisher->is_adrift)
        err = begin_after_loss(publisher, publisher->published, fault);
    *published = publisher->published;
    return err;
}
