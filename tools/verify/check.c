/* check.c - the page's "To verify".
 *
 * Every bundle is read once. The hashes of its entries are compared with the level-0 tile and pushed into a tree that is
 * computed here; upper tiles, the roots at every kept checkpoint's size and the final root are compared as that tree
 * passes them. When a bundle and its tile disagree, the tile above (or, at the right edge, the signed root) says which of
 * the two is damaged; the tree goes on with the other, so that everything behind the damage is checked as well. */
#include "verify.h"

#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FAULTS_MAX = 100, KEY_FILES_MAX = 20000, KEPT_MAX = 1 << 18 };
#define NOWHERE UINT64_MAX
#define ERASING UINT64_MAX

/* A name in keys/: what is there, and what the newest entry of kind 3 that names it says. */
struct key_file {
    uint64_t epoch, part; /* part 0: keys/<epoch>; ERASING: keys/<epoch>.erasing */
    bool there, stated,
        late; /* late: a running writer may not have stated it when the log was read */
    uint8_t hash[HASH], stated_hash[HASH];
    uint64_t stated_at; /* the entry */
};
struct check {
    struct vault *vault;
    unsigned faults;
    struct tree tree;
    uint8_t upper[LEVELS][WIDTH][HASH]; /* the tile that is filling at each level from 1 */
    struct key_file keys[KEY_FILES_MAX];
    size_t key_count;
    uint64_t
        epoch_begun; /* the last epoch found to have begun: nearly every entry asks for the same one */
    uint64_t kept[KEPT_MAX]; /* sizes of checkpoints/, rising */
    size_t kept_count, kept_next;
    uint64_t blobs; /* looked at */
    bool all_read;  /* every entry was */
    struct wal wal;
    uint8_t bundle[BUNDLE_MAX], other[BUNDLE_MAX];
};

__attribute__((format(printf, 5, 6))) static void
damaged(struct check *c, const char *file, uint64_t entry, uint64_t byte, const char *what, ...) {
    fputs("DAMAGED: ", stdout);
    for (; *file; file++) { /* a name that was found may hold anything */
        putchar(*file > ' ' && *file < 0x7f ? *file : '?');
    }
    if (entry != NOWHERE) {
        printf(", entry %" PRIu64, entry);
    }
    if (byte != NOWHERE) {
        printf(", byte %" PRIu64, byte);
    }
    fputs(": ", stdout);
    va_list list;
    va_start(list, what);
    vprintf(what, list);
    va_end(list);
    putchar('\n');
    if (++c->faults == FAULTS_MAX) {
        puts("and more; stopped here");
        exit(EXIT_DAMAGED);
    }
}

static const char *why_unread(void) {
    return errno == ENOENT  ? "is missing"
           : errno == EFBIG ? "is larger than it may be"
                            : strerror(errno);
}

/* ---- 1: whom to believe ---- */

/* A checkpoint, signed by the key that `verifier` names for its origin. */
static const char *signed_read(const struct vault *vault, const char *file, struct checkpoint *out,
                               struct key *key) {
    char note[NOTE_MAX];
    if (text_read(vault, file, note, sizeof note) < 0) {
        return why_unread();
    }
    const char *wrong = checkpoint_read(note, out);
    for (const char *lines = vault->lines; !wrong && *lines;) {
        wrong = verifier_line_next(&lines, key);
        if (!wrong && strcmp(key->name, out->origin) == 0) {
            return checkpoint_signed(note, out, key->public_key);
        }
    }
    return wrong ? wrong : "its origin is in no line of verifier";
}

/* The key is believed when a line that was given has it, under an origin that differs in its epoch only ("The seed of the
 * key stays"): one line from elsewhere vouches for the epochs that come after it, unless a recovery made another key. */
static bool is_vouched_for(const struct key *key, const char *given) {
    struct key line;
    while (*given) {
        if (!verifier_line_next(&given, &line) && same_stem(line.name, key->name) &&
            memcmp(line.public_key, key->public_key, HASH) == 0) {
            return true;
        }
    }
    return false;
}

const char *vault_begin(struct vault *vault, const char *given, const char **file) {
    struct key key;
    *file = "verifier";
    if (text_read(vault, *file, vault->lines, sizeof vault->lines) < 0) {
        return why_unread();
    }
    const char *lines = vault->lines;
    do {
        bool first = lines == vault->lines;
        const char *wrong = verifier_line_next(&lines, &key);
        if (wrong) {
            return wrong;
        }
        if (first) {
            memcpy(vault->first_name, key.name, sizeof key.name);
        }
    } while (*lines);
    *file = "checkpoint";
    const char *wrong = signed_read(vault, *file, &vault->checkpoint, &key);
    return wrong ? wrong
           : given && !is_vouched_for(&key, given)
               ? "it is signed by another key than the one given"
               : NULL;
}

/* ---- 5, the first half: names in keys/ ---- */

static bool key_name_read(const char *name, uint64_t *epoch, uint64_t *part) {
    size_t digits = strcspn(name, ".");
    bool is_mark = strcmp(name + digits, ".erasing") == 0;
    *part = is_mark ? ERASING : 0;
    return number_read(name, digits, epoch) && *epoch > 0 && *epoch <= UINT32_MAX &&
           (!name[digits] || is_mark ||
            (number_read(name + digits + 1, strlen(name + digits + 1), part) && *part >= 2));
}

static struct key_file *key_of(struct check *c, uint64_t epoch, uint64_t part) {
    for (size_t i = c->key_count; i-- > 0;) {
        if (c->keys[i].epoch == epoch && c->keys[i].part == part) {
            return &c->keys[i];
        }
    }
    if (c->key_count == KEY_FILES_MAX) {
        damaged(c, "keys", NOWHERE, NOWHERE, "more files and statements than this reader can hold");
        exit(EXIT_DAMAGED);
    }
    c->keys[c->key_count] = (struct key_file){.epoch = epoch, .part = part};
    return &c->keys[c->key_count++];
}

/* An epoch has begun with the entry for keys/<epoch>; it is erased when none of its files is there any more, or the mark is that
 * says so. */
static void epoch_state(const struct check *c, uint64_t epoch, bool *begun, bool *erased) {
    bool any = false, marked = false;
    *begun = false;
    for (size_t i = 0; i < c->key_count; i++) {
        if (c->keys[i].epoch == epoch && c->keys[i].part == ERASING) {
            marked = c->keys[i].there;
        } else if (c->keys[i].epoch == epoch) {
            *begun |= c->keys[i].stated && c->keys[i].part == 0;
            any |= c->keys[i].there;
        }
    }
    *erased = marked || !any;
}

/* ---- an entry whose hash stands in the tree (or in wal/) ---- */

/* Kind 3, the only open one: its body is the SHA-256 of the file in keys/ that its source names. */
static const char *statement_take(struct check *c, uint64_t index, const uint8_t *plaintext,
                                  size_t bytes) {
    static const char place[] = "vault/keys/";
    struct plain plain;
    uint64_t epoch, part;
    char name[48] = "";
    const char *wrong = plain_read(plaintext, bytes, &plain);
    size_t place_bytes = strlen(place);
    if (wrong) {
        return wrong;
    }
    if (plain.source.size > place_bytes && plain.source.size - place_bytes < sizeof name &&
        memcmp(plain.source.data, place, place_bytes) == 0) {
        memcpy(name, plain.source.data + place_bytes, plain.source.size - place_bytes);
    }
    if (plain.kind != KEY_FILE || plain.body.size != HASH || !key_name_read(name, &epoch, &part) ||
        part == ERASING) {
        return "is open, but does not state a file in keys/";
    }
    struct key_file *key = key_of(c, epoch, part);
    key->stated = true;
    key->stated_at = index;
    memcpy(key->stated_hash, plain.body.data, HASH);
    return index > 0 || (epoch == 1 && part == 0) ? NULL : "is the first, but not for keys/1";
}

static void entry_take(void *context, uint64_t index, const uint8_t *entry, size_t bytes,
                       const char *file, uint64_t at) {
    struct check *c = context;
    struct header header;
    bool begun = true, erased = false;
    if (c->wal.fault) {
        return; /* behind a gap in wal/ nothing can be said */
    }
    const char *wrong = header_read(entry, bytes, &header);
    if (!wrong && header.open) {
        wrong = statement_take(c, index, entry + header.bytes, bytes - header.bytes);
    } else if (!wrong && (header.epoch != c->epoch_begun || header.has_blob)) {
        epoch_state(c, header.epoch, &begun, &erased);
        wrong = begun ? NULL : "is sealed under an epoch that has not begun";
        c->epoch_begun = begun ? header.epoch : 0;
    }
    if (wrong) {
        damaged(c, file, index, at, "the entry %s", wrong);
        if (bytes > 0 && entry[0] > 1) {
            exit(EXIT_DAMAGED); /* "A reader that meets a larger one says so and stops" */
        }
    } else if (header.has_blob && !erased) { /* what is in it is looked at with all other blobs */
        char name[NAME_ROOM];
        blob_name(name, header.blob);
        FILE *blob = vault_open(c->vault, name);
        if (!blob) {
            damaged(c, name, index, NOWHERE, "the blob that the entry names %s", why_unread());
        } else {
            fclose(blob);
        }
    }
}

/* ---- 4: kept checkpoints. As the tree passes the size of one, the two roots must be the same ---- */

static void kept_check(struct check *c) {
    while (c->kept_next < c->kept_count && c->kept[c->kept_next] == c->tree.size) {
        char name[NAME_ROOM];
        struct checkpoint kept;
        struct key key;
        uint8_t root[HASH];
        snprintf(name, sizeof name, "checkpoints/%" PRIu64, c->kept[c->kept_next++]);
        const char *wrong = signed_read(c->vault, name, &kept, &key);
        if (wrong && errno == ENOENT) {
            continue; /* a running writer has just let an old one go */
        }
        tree_root(&c->tree, root);
        if (!wrong && kept.size != c->tree.size) {
            wrong = "it is of another size than its name";
        } else if (!wrong && memcmp(kept.root, root, HASH) != 0) {
            wrong = "another tree of this size was signed than the one that stands here";
        }
        if (wrong) {
            damaged(c, name, c->tree.size, NOWHERE, "%s", wrong);
        }
    }
}

/* ---- 2 and 3: bundles and tiles ---- */

/* "Narrower partial tiles are the beginning of the widest", and so with bundles. data is what the checkpoint covers, its
 * first w hashes or entries end at end[w]. A wider file was written for a checkpoint that is not there yet: it begins alike. */
static void partials_check(struct check *c, int level, uint64_t n, unsigned width,
                           const uint8_t *data, const uint64_t end[WIDTH + 1]) {
    char name[NAME_ROOM], path[PATH_ROOM];
    struct stat status;
    tile_name(name, level, n, 1);
    snprintf(path, sizeof path, "%s/%.*s", c->vault->dir, (int)(strrchr(name, '/') - name), name);
    bool has_partials = stat(path, &status) == 0;
    for (unsigned w = has_partials ? 1 : WIDTH; w <= WIDTH; w++) {
        tile_name(name, level, n, w);
        int64_t size = w == width ? -1 : vault_read(c->vault, name, c->other, BUNDLE_MAX);
        uint64_t common = end[w < width ? w : width];
        if (size >= 0 && ((uint64_t)size < common || (w < width && (uint64_t)size != common) ||
                          memcmp(c->other, data, common) != 0)) {
            damaged(c, name, NOWHERE, NOWHERE, "it and the one of %u do not begin alike", width);
        }
    }
}

/* A tile whose hashes are known. */
static void tile_check(struct check *c, int level, uint64_t n, unsigned width,
                       uint8_t wanted[][HASH]) {
    uint8_t found[WIDTH * HASH];
    char name[NAME_ROOM];
    uint64_t end[WIDTH + 1];
    int64_t size = tile_read(c->vault, level, n, width, found, sizeof found, name);
    unsigned i = 0;
    while (i < width && size >= (int64_t)(i + 1) * HASH &&
           memcmp(found + i * HASH, wanted[i], HASH) == 0) {
        i++;
    }
    if (size < 0) {
        damaged(c, name, NOWHERE, NOWHERE, "the tile %s", why_unread());
    } else if (i < width) {
        damaged(c, name, (n * WIDTH + i) << 8 * level, i * HASH, "the hash is not that of the %s",
                level > 0 ? "tile below" : "entry");
    } else if (size != (strstr(name, ".p/") ? (int64_t)width : WIDTH) * HASH) {
        damaged(c, name, NOWHERE, (uint64_t)width * HASH,
                "there is something behind the last hash, or it is cut off");
    }
    for (i = 0; i <= WIDTH; i++) {
        end[i] = (uint64_t)i * HASH;
    }
    partials_check(c, level, n, width, *wanted, end);
}

/* Bundle n and its tile disagree: is the tile right? The tile above says so; at the right edge, the signed root. */
static bool tile_is_right(const struct check *c, uint64_t n, unsigned width,
                          uint8_t stated[][HASH]) {
    uint8_t root[HASH], above[WIDTH * HASH];
    char name[NAME_ROOM];
    const struct checkpoint *checkpoint = &c->vault->checkpoint;
    struct tree tree = {0};
    if (width < WIDTH) {
        tree = c->tree;
    }
    for (unsigned i = 0; i < width; i++) {
        tree_push(&tree, stated[i]);
    }
    tree_root(&tree, root);
    if (width < WIDTH) {
        return memcmp(root, checkpoint->root, HASH) == 0;
    }
    uint64_t wide = checkpoint->size / WIDTH - n / WIDTH * WIDTH, place = n % WIDTH * HASH;
    int64_t size = tile_read(c->vault, 1, n / WIDTH, wide < WIDTH ? (unsigned)wide : WIDTH, above,
                             sizeof above, name);
    return size >= (int64_t)place + HASH && memcmp(root, above + place, HASH) == 0;
}

/* Bundle n, its tile, its entries, and what they complete above. False: both are lost, nothing can go on. */
static bool bundle_check(struct check *c, uint64_t n, unsigned width) {
    uint8_t hash[WIDTH][HASH], stated[WIDTH][HASH];
    uint64_t place[WIDTH + 1];
    char name[NAME_ROOM], tile[NAME_ROOM];
    int64_t size = tile_read(c->vault, -1, n, width, c->bundle, BUNDLE_MAX, name);
    const char *lost = size < 0 ? why_unread() : NULL;
    unsigned count = bundle_split(c->bundle, size, width, place), same = 0;
    bool has_tile =
        tile_read(c->vault, 0, n, width, stated, sizeof stated, tile) >= (int64_t)width * HASH;
    for (unsigned i = 0; i < count; i++) {
        leaf_hash(c->bundle + place[i] + 2, place[i + 1] - place[i] - 2, hash[i]);
        same += same == i && has_tile && memcmp(hash[i], stated[i], HASH) == 0;
    }
    /* same: how many entries are the tile's, up to the first that is not */
    bool bundle_is_wrong =
        count < width || (has_tile && same < width && tile_is_right(c, n, width, stated));
    if (lost) {
        damaged(c, name, n * WIDTH, NOWHERE, "the bundle %s", lost);
    } else if (bundle_is_wrong) {
        unsigned first = has_tile ? same : count;
        damaged(c, name, n * WIDTH + first, place[first],
                "the entry is not the one whose hash is in the tree");
    } else if (place[width] != (uint64_t)size && (width == WIDTH || strstr(name, ".p/"))) {
        damaged(c, name, NOWHERE, place[width], "there is something behind the last entry");
    }
    if (bundle_is_wrong && !has_tile) {
        damaged(c, tile, n * WIDTH, NOWHERE,
                "bundle and tile are both lost: from here on nothing can be checked");
        return false;
    }
    uint8_t(*right)[HASH] = bundle_is_wrong ? stated : hash;
    for (unsigned i = 0; i < width; i++) {
        tree_push(&c->tree, right[i]);
        if (i < count && memcmp(hash[i], right[i], HASH) == 0) {
            entry_take(c, n * WIDTH + i, c->bundle + place[i] + 2, place[i + 1] - place[i] - 2,
                       name, place[i]);
        }
        kept_check(c);
    }
    tile_check(c, 0, n, width, right);
    if (!bundle_is_wrong) {
        partials_check(c, -1, n, width, c->bundle, place);
    }
    uint64_t done = c->tree.size;
    for (int level = 1; level < LEVELS && done % WIDTH == 0; level++) {
        done /= WIDTH; /* so many hashes at this level */
        memcpy(c->upper[level][(done - 1) % WIDTH], c->tree.peak[8 * level], HASH);
        if (done % WIDTH == 0) {
            tile_check(c, level, done / WIDTH - 1, WIDTH, c->upper[level]);
        }
    }
    return true;
}

static void tree_check(struct check *c) {
    const struct checkpoint *checkpoint = &c->vault->checkpoint;
    uint8_t root[HASH];
    kept_check(c);
    for (uint64_t n = 0; n * WIDTH < checkpoint->size; n++) {
        uint64_t left = checkpoint->size - n * WIDTH;
        if (!bundle_check(c, n, left < WIDTH ? (unsigned)left : WIDTH)) {
            return;
        }
    }
    for (int level = 1; level < LEVELS; level++) {
        uint64_t hashes = checkpoint->size >> 8 * level;
        if (hashes % WIDTH > 0) {
            tile_check(c, level, hashes / WIDTH, (unsigned)(hashes % WIDTH), c->upper[level]);
        }
    }
    tree_root(&c->tree, root);
    if (memcmp(root, checkpoint->root, HASH) != 0) {
        damaged(c, "checkpoint", checkpoint->size, NOWHERE,
                "the tree that stands here is not the one that was signed");
    }
    while (c->kept_next < c->kept_count) {
        damaged(c, "checkpoint", checkpoint->size, NOWHERE,
                "an old one was put back: checkpoints/%" PRIu64 " is there",
                c->kept[c->kept_next++]);
    }
}

/* ---- 5: blobs and keys ---- */

static const char *file_hash(const struct vault *vault, const char *name, uint8_t out[HASH]) {
    static uint8_t part[1 << 16];
    FILE *file = vault_open(vault, name);
    if (!file) {
        return why_unread();
    }
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;) {
        crypto_hash_sha256_update(&state, part, size);
    }
    crypto_hash_sha256_final(&state, out);
    const char *wrong = ferror(file) ? "cannot be read" : NULL;
    fclose(file);
    return wrong;
}

/* Calls look for every regular file below part of the vault, with its name in the vault, in order of names. */
static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}
static void files_walk(struct check *c, const char *part,
                       void look(struct check *c, const char *name)) {
    char path[PATH_ROOM], *roots[] = {path, NULL};
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", c->vault->dir, part);
    FTS *walk =
        stat(path, &status) == 0 ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
    for (FTSENT *file; walk && (file = fts_read(walk));) {
        const char *name = file->fts_path + strlen(c->vault->dir) + 1;
        size_t bytes = strlen(name);
        if (file->fts_info == FTS_DNR || file->fts_info == FTS_ERR) {
            damaged(c, name, NOWHERE, NOWHERE, "%s", strerror(file->fts_errno));
        } else if (file->fts_info == FTS_D && file->fts_level > 2) {
            fts_set(walk, file, FTS_SKIP);
        } else if (file->fts_info == FTS_F &&
                   (bytes < 4 || strcmp(name + bytes - 4, ".new") != 0)) {
            look(c, name); /* "<path>.new: it is unfinished and does not count" */
        }
    }
    if (walk) {
        fts_close(walk);
    }
}

static void blob_check(struct check *c, const char *name) {
    uint8_t hash[HASH];
    char wanted[NAME_ROOM];
    const char *wrong = file_hash(c->vault, name, hash);
    if (!wrong) {
        blob_name(wanted, hash);
        wrong = strcmp(name, wanted) == 0 ? NULL : "its SHA-256 is not its name";
    }
    if (wrong) {
        damaged(c, name, NOWHERE, NOWHERE, "the blob: %s", wrong);
    }
    c->blobs++;
}

/* These two are listed before the checkpoint is read, so that a running writer cannot make them newer than it. */
static void kept_list(struct check *c, const char *name) {
    uint64_t size;
    if (!number_read(strchr(name, '/') + 1, strlen(strchr(name, '/') + 1), &size) ||
        c->kept_count == KEPT_MAX) {
        damaged(c, name, NOWHERE, NOWHERE, "no file of this name belongs here");
    } else {
        c->kept[c->kept_count++] = size;
    }
}
static void key_list(struct check *c, const char *name) {
    uint64_t epoch, part;
    if (key_name_read(strchr(name, '/') + 1, &epoch, &part)) {
        struct key_file *key = key_of(c, epoch, part);
        key->late = c->all_read && !key->there;
        key->there = file_hash(c->vault, name, key->hash) == NULL;
    } else if (!c->all_read) {
        damaged(c, name, NOWHERE, NOWHERE, "no file of this name belongs here");
    }
}

/* After all entries: what is there now against what they say. */
static void keys_check(struct check *c) {
    uint64_t newest = 0;
    c->all_read = true;
    files_walk(c, "keys", key_list);
    for (size_t i = 0; i < c->key_count; i++) {
        newest = c->keys[i].stated && c->keys[i].epoch > newest ? c->keys[i].epoch : newest;
    }
    for (size_t i = 0; i < c->key_count; i++) {
        const struct key_file *key = &c->keys[i];
        char name[64];
        bool begun, erased;
        if (key->part == ERASING) {
            continue;
        }
        epoch_state(c, key->epoch, &begun, &erased);
        int at = snprintf(name, sizeof name, "keys/%" PRIu64, key->epoch);
        if (key->part) {
            snprintf(name + at, sizeof name - (size_t)at, ".%" PRIu64, key->part);
        }
        if (!key->stated && !key->late && key->epoch <= newest) {
            damaged(c, name, NOWHERE, NOWHERE, "no entry of the log states this file");
        } else if (key->stated && key->there && memcmp(key->hash, key->stated_hash, HASH) != 0) {
            damaged(c, name, key->stated_at, NOWHERE,
                    "the file is not the one that the entry states");
        } else if (key->stated && !key->there && !erased) {
            damaged(c, name, key->stated_at, NOWHERE,
                    "the file is missing, though others of its epoch are there");
        }
    }
}

/* ---- 6: wal/. A running writer may have published, and let a segment go, since the checkpoint was read ---- */

static void wal_check(struct check *c, const char *given) {
    struct checkpoint checked = c->vault->checkpoint;
    const char *file;
    uint64_t published;
    int tries = 0;
    do {
        published = c->vault->checkpoint.size;
        wal_walk(c->vault, published, &c->wal, entry_take, c);
    } while (c->wal.fault && ++tries < 10 && !vault_begin(c->vault, given, &file) &&
             c->vault->checkpoint.size != published);
    c->vault->checkpoint = checked;
    if (c->wal.fault) {
        damaged(c, c->wal.fault_file, c->wal.entry, c->wal.at, "%s", c->wal.fault);
    }
}

int vault_check(struct vault *vault, const char *given) {
    static struct check check;
    struct check *c = &check;
    c->vault = vault;
    files_walk(c, "keys", key_list);
    files_walk(c, "checkpoints", kept_list);
    qsort(c->kept, c->kept_count, sizeof *c->kept, compare_numbers);

    const char *file, *wrong = vault_begin(vault, given, &file);
    if (wrong) {
        damaged(c, file, NOWHERE, NOWHERE, "%s", wrong);
        return EXIT_DAMAGED;
    }
    tree_check(c);
    wal_check(c, given);
    files_walk(c, "blob", blob_check);
    keys_check(c);
    if (c->faults > 0) {
        return EXIT_DAMAGED;
    }
    char root[48];
    sodium_bin2base64(root, sizeof root, vault->checkpoint.root, HASH,
                      sodium_base64_VARIANT_ORIGINAL);
    printf("whole: %s, %" PRIu64 " entries published, %" PRIu64
           " durable, root %s, %zu kept checkpoints, %" PRIu64 " blobs\n",
           vault->checkpoint.origin, vault->checkpoint.size, c->wal.durable, root, c->kept_count,
           c->blobs);
    for (size_t i = 0; i < c->key_count; i++) {
        bool begun, erased;
        epoch_state(c, c->keys[i].epoch, &begun, &erased);
        if (erased && c->keys[i].part == 0) {
            printf("erased: epoch %" PRIu64 "\n", c->keys[i].epoch);
        }
    }
    return 0;
}
