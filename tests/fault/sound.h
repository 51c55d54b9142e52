/* sound.h - what a vault owes after anything went wrong: all that was acknowledged, once and byte for byte; that each entry
 * opens; that it verifies; and, among all checkpoints ever seen, never two trees of one size under one origin.
 *
 * A witness, in memory that outlives a crashed process, is told what was acknowledged and sees each checkpoint as it
 * appears; `is_sound` then restarts the vault and asks for all of it. */
#ifndef TESTS_FAULT_SOUND_H
#define TESTS_FAULT_SOUND_H

#include "unit/vault/vault_site.h"

#include "vault/envelope.h"
#include "vault/keys.h"

#include <sodium.h>
#include <sys/mman.h>

#define ACKED_MAX    1024u
#define BLOBS_MAX    48u
#define TREES_MAX    512u
#define NUMBERS_MAX  16384u /* entries are numbered below this */
#define BLOB_BYTES   70000u
#define SEGMENT      2048u
#define SOUND_NUMBER 16000u                           /* what a restart appends */
#define MIDNIGHT_US  (INT64_C(1767657600) * US_PER_S) /* 2026-01-06 00:00 UTC */
#define EXIT_WRONG   3 /* of a life that found something wrong itself */

static char memory_dir[96];

/* ---- what was promised, and what was seen ---- */

struct promise {
    uint64_t index, n;
    uint32_t at; /* when, by witness_clock */
};

struct seen_tree {
    char origin[TLOG_ORIGIN_BYTES_MAX + 1];
    uint64_t size;
    struct tlog_hash root;
    uint32_t at;
};

struct witness {
    uint32_t acked_count, blob_count, tree_count, epoch_count, restart_count;
    struct promise acked[ACKED_MAX], blobs[BLOBS_MAX],
        epochs[16]; /* n: the number of an epoch that began */
    /* Of this epoch, whose entries are those below an index, the key may be gone, and the blobs with it; 0: of none. */
    uint32_t erased_epoch;
    uint64_t erased_to;
    uint32_t restated_count;
    struct promise restated[16]; /* n: the entry that states number n again */
    struct seen_tree trees[TREES_MAX];
    char
        two_trees[TLOG_ORIGIN_BYTES_MAX + 64]; /* the first origin and size that was signed twice */
};
static struct witness *witness;
static const uint32_t
    *witness_clock; /* of a recorder: how many changes it has seen; NULL: time does not matter */

static inline void witness_open(void) {
    witness =
        mmap(NULL, sizeof *witness, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(witness != MAP_FAILED);
}

static inline uint32_t witness_now(void) {
    return witness_clock ? *witness_clock : 0;
}

static inline void witness_acked(uint64_t index, uint64_t n) {
    assert(witness->acked_count < ACKED_MAX && n < NUMBERS_MAX);
    witness->acked[witness->acked_count++] = (struct promise){index, n, witness_now()};
}

static inline void witness_blob(uint64_t index, uint64_t n) {
    assert(witness->blob_count < BLOBS_MAX);
    witness->blobs[witness->blob_count++] = (struct promise){index, n, witness_now()};
}

static inline void witness_restated(uint64_t index, uint64_t n) {
    assert(witness->restated_count < 16);
    witness->restated[witness->restated_count++] = (struct promise){index, n, witness_now()};
}

static inline void witness_epoch(uint32_t epoch) {
    assert(witness->epoch_count < 16);
    witness->epochs[witness->epoch_count++] = (struct promise){0, epoch, witness_now()};
}

static inline void witness_tree(const struct tlog_checkpoint *checkpoint) {
    for (uint32_t i = 0; i < witness->tree_count; i++) {
        const struct seen_tree *tree = &witness->trees[i];
        if (tree->size != checkpoint->size || !bytes_is(checkpoint->origin, tree->origin))
            continue;
        if (memcmp(&tree->root, &checkpoint->root, sizeof tree->root) && !witness->two_trees[0])
            snprintf(witness->two_trees, sizeof witness->two_trees, "%s at %llu", tree->origin,
                     (unsigned long long)tree->size);
        return;
    }
    assert(witness->tree_count < TREES_MAX);
    struct seen_tree *tree = &witness->trees[witness->tree_count++];
    tree->size = checkpoint->size;
    tree->root = checkpoint->root;
    tree->at = witness_now();
    snprintf(tree->origin, sizeof tree->origin, "%.*s", (int)checkpoint->origin.size,
             (const char *)checkpoint->origin.data);
}

/* What stands there as a checkpoint, whoever may see it from now on. */
static inline void witness_note(const char *path) {
    struct checkpoint_file file;
    if (checkpoint_load(NULL, path, &file, NULL)) {
        printf("# %s is no checkpoint\n", path);
        witness->two_trees[0] = '?';
    } else if (file.note_bytes) {
        witness_tree(&file.checkpoint);
    }
}

static inline bool is_checkpoint_path(const char *path) {
    const char *slash = strrchr(path, '/'), *dir = strstr(path, "/checkpoints/");
    return (slash && !strcmp(slash, "/checkpoint")) || (dir && !strchr(path, '.'));
}

static inline void witness_watch(void *watcher, const struct sys_event *event) {
    (void)watcher;
    if (event->change == SYS_RENAMED && is_checkpoint_path(event->to))
        witness_note(event->to);
}

/* The machine as all lives of a test see it: its clock stands some minutes before midnight, unless what is tried looks at the
 * machine's own. */
static bool sound_has_own_clock;
static inline void sound_sys(struct sys *sys) {
    sys_init(sys);
    sys->has_false_clock = !sound_has_own_clock;
    sys->false_now_us = MIDNIGHT_US - 120 * US_PER_S;
    sys->watch = witness_watch;
}

/* ---- the steps of a life: what is acknowledged is told to the witness ---- */

static inline struct vault_writer *open_writer(struct sys *sys) {
    struct vault_writer *writer = NULL;
    struct fault fault = {0};
    struct vault_writer_options options = {.reserve_bytes = UINT64_MAX, .segment_bytes = SEGMENT};
    if (!vault_writer_open(&writer, sys, site_dir, &options, &fault))
        return writer;
    if (sys->fail_at == UINT64_MAX) {
        char line[512];
        fault_format(&fault, line, sizeof line);
        printf("# the writer does not open: %s\n", line);
    }
    return NULL;
}

/* A batch; acknowledged only when its sync said so. After a full disk it is tried once more, as a sender would. */
static inline enum err batch(struct vault_writer *writer, uint64_t from, uint64_t count) {
    enum err err = ERR_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        uint64_t indexes[128] = {0};
        assert(count <= 128);
        err = ERR_OK;
        for (uint64_t i = 0; i < count && !err; i++) {
            bool is_repeat;
            err = site_append(writer, from + i, &indexes[i], &is_repeat, NULL);
        }
        if (!err)
            err = vault_writer_sync(writer, NULL);
        for (uint64_t i = 0; i < count && !err; i++)
            witness_acked(indexes[i], from + i);
        if (err != ERR_FULL)
            break;
    }
    uint64_t index;
    bool is_repeat;
    if (vault_writer_is_suspect(writer) &&
        site_append(writer, NUMBERS_MAX - 1, &index, &is_repeat, NULL) != ERR_STATE) {
        printf("# the writer goes on after it should have stopped\n");
        _exit(EXIT_WRONG);
    }
    return err;
}

static inline uint8_t blob_byte(uint64_t n, size_t i) {
    return (uint8_t)(n + i * 7 + i / 251 * 13);
}

static inline enum err put_blob(struct vault_writer *writer, uint64_t n, uint64_t *index) {
    static uint8_t body[BLOB_BYTES];
    struct vault_blob_writer *stream;
    struct vault_entry entry = {.kind = VAULT_MESSAGE,
                                .media_type = BYTES("application/pdf"),
                                .body = bytes_from(body, 100)};
    bool is_repeat;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = blob_byte(n, i);
    enum err err = vault_blob_begin(writer, &stream, NULL);
    if (err)
        return err;
    err = vault_blob_feed(stream, bytes_from(body, sizeof body), NULL);
    if (err) {
        vault_blob_abort(stream);
        return err;
    }
    return vault_blob_finish(stream, &(struct vault_append){&entry, true, false}, index, &is_repeat,
                             NULL);
}

static inline enum err blob(struct vault_writer *writer, uint64_t n) {
    uint64_t index;
    enum err err = put_blob(writer, n, &index);
    if (!err)
        err = vault_writer_sync(writer, NULL);
    if (!err)
        witness_blob(index, n);
    return err;
}

/* So many are synced in another way than a few (settle.c). Their numbers are even from `n` on; behind each stands an entry of
 * the next odd one, in the same batch. Each is told of itself alone; a batch of which one failed is synced all the same. */
#define GROUP_COUNT 9u

static inline enum err blob_group(struct vault_writer *writer, uint64_t n) {
    enum err errs[2 * GROUP_COUNT], err = ERR_OK;
    uint64_t indexes[2 * GROUP_COUNT];
    for (size_t i = 0; i < 2 * GROUP_COUNT; i++) {
        bool is_repeat;
        errs[i] = i % 2 ? site_append(writer, n + i, &indexes[i], &is_repeat, NULL)
                        : put_blob(writer, n + i, &indexes[i]);
        err = err ? err : errs[i];
    }
    enum err sync_err = vault_writer_sync(writer, NULL);
    for (size_t i = 0; i < 2 * GROUP_COUNT && !sync_err; i++)
        if (!errs[i] && i % 2)
            witness_acked(indexes[i], n + i);
        else if (!errs[i])
            witness_blob(indexes[i], n + i);
    return sync_err ? sync_err : err;
}

/* As the publish role does; after a full disk once more, without a restart. */
static inline enum err publish_to(struct vault_publisher *publisher, uint64_t size,
                                  uint64_t *published) {
    enum err err = ERR_OK;
    *published = vault_published_size(publisher);
    for (int attempt = 0; attempt < 2; attempt++) {
        err = ERR_OK;
        while (!err && *published < size)
            err = vault_publish(publisher, size, false, published, NULL);
        if (err != ERR_FULL)
            break;
    }
    return err;
}

static inline enum err publish(struct sys *sys, struct vault_writer *writer, uint64_t size) {
    struct vault_publisher *publisher;
    uint64_t published = 0;
    enum err err = vault_publisher_open(&publisher, sys, site_dir, NULL, memory_dir, NULL);
    if (err)
        return err;
    err = publish_to(publisher, size, &published);
    vault_publisher_close(publisher);
    if (!err && writer)
        vault_writer_published(writer, published);
    return err;
}

/* ---- afterwards ---- */

static inline bool is_whole(const char *when) {
    static struct vault_report report;
    struct vault_verify_options options = {.worker_count = 1};
    struct fault fault = {0};
    enum err err = vault_verify(NULL, site_dir, &options, &report, &fault);
    if (err)
        printf("# %s: %s: %s: %s (%s %s)\n", when, err_name(err), report.damaged_file,
               report.damage, fault.what ? fault.what : "", fault.subject);
    return !err;
}

struct blob_check {
    uint64_t n;
    size_t at;
    bool is_same;
};

static inline enum err check_piece(void *owner, struct bytes piece) {
    struct blob_check *check = owner;
    for (size_t i = 0; i < piece.size; i++)
        check->is_same &= piece.data[i] == blob_byte(check->n, check->at++);
    return ERR_OK;
}

/* What an entry may have been sealed with: a key file that the log names before it, and that is the one named. */
#define EPOCHS_MAX 64u

static inline void take_key_entry(bool is_of_log[EPOCHS_MAX], const struct vault_entry *entry) {
    char vault_dir[VAULT_PATH_BYTES_MAX], file[EPOCH_FILE_BYTES_MAX];
    uint8_t hash[TLOG_HASH_BYTES];
    struct bytes name;
    uint32_t epoch;
    if (!key_entry_name(entry, &name, &epoch) || bytes_find(name, '.') != BYTES_NOT_FOUND)
        return;
    assert(epoch < EPOCHS_MAX);
    epoch_file_name(file, epoch, 1);
    site_path(vault_dir, "vault");
    is_of_log[epoch] = !epoch_file_hash(NULL, vault_dir, file, hash, NULL) &&
                       !memcmp(hash, entry->body.data, sizeof hash);
}

/* All of the log, from its first entry to its last. */
struct walk_log {
    struct vault_reader *reader;
    struct vault_opener *opener;
    bool is_of_log[EPOCHS_MAX]; /* by epoch */
    struct tlog_frontier frontier;
    hlc_stamp clock;
    uint64_t index;
    uint8_t times[NUMBERS_MAX]; /* each number was found */
    uint64_t found_at[NUMBERS_MAX];
    uint32_t restated_count; /* of those acknowledged, found again */
    bool is_erased;          /* the epoch that may be */
    bool may_differ;         /* what was signed may have been lost: then under another origin */
};

static inline bool roots_hold(const struct walk_log *walk) {
    struct tlog_hash root;
    bool is_made = false;
    for (uint32_t i = 0; i < witness->tree_count; i++) {
        if (witness->trees[i].size != walk->frontier.size)
            continue;
        if (!is_made)
            tlog_frontier_root(&walk->frontier, &root);
        is_made = true;
        if (memcmp(&root, &witness->trees[i].root, sizeof root)) {
            printf("# %s was signed at %llu over other entries\n", witness->trees[i].origin,
                   (unsigned long long)walk->frontier.size);
            return false;
        }
    }
    return true;
}

static inline bool take_blob(struct walk_log *walk, const struct vault_entry *entry) {
    struct blob_check check = {.is_same = true};
    bool is_acked = false;
    for (uint32_t i = 0; i < witness->blob_count; i++)
        if (witness->blobs[i].index == walk->index) {
            is_acked = true;
            check.n = witness->blobs[i].n;
        }
    if (!is_acked)
        check.n = entry->body.data[0];
    bool is_good = !vault_opener_blob(walk->opener, entry, check_piece, &check, NULL) &&
                   check.is_same && check.at == BLOB_BYTES;
    if (is_good && is_acked)
        walk->times[check.n]++;
    return is_good;
}

static inline bool take_leaf(struct walk_log *walk, struct bytes sealed) {
    struct tlog_hash leaf;
    tlog_leaf_hash(sealed, &leaf);
    tlog_frontier_add(&walk->frontier, &leaf);
    return walk->may_differ || roots_hold(walk);
}

static inline bool take_restated(struct walk_log *walk, const struct vault_entry *entry) {
    for (uint32_t i = 0; i < witness->restated_count; i++)
        if (witness->restated[i].index == walk->index) {
            struct vault_entry wanted = site_entry(witness->restated[i].n);
            walk->restated_count++;
            return site_is_same(entry->body, wanted.body) &&
                   entry->received_at == wanted.received_at;
        }
    return true; /* nobody was answered for it */
}

static inline bool take_entry(struct walk_log *walk, struct bytes sealed,
                              const struct vault_entry *entry) {
    struct seal_header header;
    if (seal_header_read(sealed, &header) || entry->clock <= walk->clock)
        return false;
    walk->clock = entry->clock;
    if (header.is_open)
        take_key_entry(walk->is_of_log, entry);
    else if (header.epoch >= EPOCHS_MAX || !walk->is_of_log[header.epoch])
        return false;
    if (!take_leaf(walk, sealed))
        return false;
    if (entry->is_restated)
        return take_restated(walk, entry);
    if (entry->kind == VAULT_BLOB)
        return take_blob(walk, entry);
    if (!bytes_is(entry->source, "mllp/lab"))
        return true; /* not one of the numbered */
    uint64_t n = load_u64(entry->body.data);
    if (n >= NUMBERS_MAX || !site_entry_is(entry, n))
        return false;
    walk->times[n]++;
    walk->found_at[n] = walk->index;
    return true;
}

/* Sealed under an epoch that is erased: what it says cannot be asked any more, but that it stands in the tree. */
static inline bool is_of_erased(struct walk_log *walk, struct bytes sealed) {
    struct seal_header header;
    bool is_so = !seal_header_read(sealed, &header) && !header.is_open && header.epoch &&
                 header.epoch == witness->erased_epoch;
    walk->is_erased |= is_so;
    return is_so;
}

static inline bool is_gone(const struct walk_log *walk, uint64_t index) {
    return walk->is_erased && index < witness->erased_to;
}

static inline bool holds_acked(const struct walk_log *walk) {
    bool good = true;
    if (walk->restated_count != witness->restated_count) {
        printf("# %u entries were stated again, and %u are there\n", witness->restated_count,
               walk->restated_count);
        good = false;
    }
    for (uint32_t i = 0; i < witness->acked_count; i++) {
        uint64_t n = witness->acked[i].n;
        if (is_gone(walk, witness->acked[i].index) && walk->times[n] == 0)
            continue;
        if (walk->times[n] == 1 && walk->found_at[n] == witness->acked[i].index)
            continue;
        printf("# number %llu was acknowledged as entry %llu, and is there %u times (%llu)\n",
               (unsigned long long)n, (unsigned long long)witness->acked[i].index, walk->times[n],
               (unsigned long long)walk->found_at[n]);
        good = false;
    }
    for (uint32_t i = 0; i < witness->blob_count; i++)
        if (walk->times[witness->blobs[i].n] != 1 && !is_gone(walk, witness->blobs[i].index)) {
            printf("# the blob of entry %llu is missing\n",
                   (unsigned long long)witness->blobs[i].index);
            good = false;
        }
    for (uint32_t n = 0; n < NUMBERS_MAX; n++)
        if (walk->times[n] > 1) {
            printf("# number %u is there %u times\n", n, walk->times[n]);
            good = false;
        }
    return good;
}

static inline bool log_is_good(uint64_t size, bool may_differ) {
    static struct walk_log walk;
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct bytes sealed;
    struct vault_entry entry;
    walk = (struct walk_log){.may_differ = may_differ};
    tlog_frontier_init(&walk.frontier);
    site_path(vault_dir, "vault");
    site_must(vault_reader_open(&walk.reader, NULL, vault_dir, NULL), NULL);
    site_must(vault_opener_open(&walk.opener, NULL, site_dir, NULL, NULL), NULL);
    bool good = true;
    for (; walk.index < size && good; walk.index++) {
        struct fault fault = {0};
        enum err err = vault_reader_sealed(walk.reader, walk.index, size, &sealed, &fault);
        if (!err)
            err = vault_opener_unseal(walk.opener, sealed, &entry, &fault);
        good = err == ERR_NOT_FOUND && is_of_erased(&walk, sealed)
                   ? take_leaf(&walk, sealed)
                   : !err && take_entry(&walk, sealed, &entry);
        if (!good)
            printf("# entry %llu is not as it must be: %s %s\n", (unsigned long long)walk.index,
                   err_name(err), fault.what ? fault.what : "");
    }
    vault_opener_close(walk.opener);
    vault_reader_close(walk.reader);
    return good && holds_acked(&walk);
}

/* A sender who has not heard sends again: what was acknowledged is known as it was. The first and the last are asked for. What is
 * erased is older than any sender's memory. */
static inline bool repeats_are_known(struct vault_writer *writer) {
    for (uint32_t i = 0; i < witness->acked_count; i++) {
        if ((i >= 4 && i + 40 < witness->acked_count) ||
            witness->acked[i].index < witness->erased_to)
            continue;
        uint64_t index;
        bool is_repeat;
        if (site_append(writer, witness->acked[i].n, &index, &is_repeat, NULL) || !is_repeat ||
            index != witness->acked[i].index) {
            printf("# number %llu is not known as a repeat\n",
                   (unsigned long long)witness->acked[i].n);
            return false;
        }
    }
    return true;
}

struct sound_options {
    bool may_differ;    /* signed entries were lost on purpose */
    bool keeps_origin;  /* the restart must go on under the origin that the disk says */
    bool is_unverified; /* do not verify as it lies there: damaged on purpose */
};

static inline bool restart_publisher(struct sys *sys, struct vault_writer *writer,
                                     const struct sound_options *options) {
    struct vault_publisher *publisher;
    struct fault fault = {0};
    uint64_t published = 0;
    bool is_new = false, is_remembered = false;
    enum err err = vault_publisher_open(&publisher, sys, site_dir, NULL, memory_dir, &fault);
    if (!err) {
        err = publish_to(publisher, vault_writer_durable_size(writer), &published);
        vault_publisher_origin(publisher, &is_new, &is_remembered);
        vault_publisher_close(publisher);
    }
    if (err)
        printf("# publishing does not go on: %s %s %s\n", err_name(err),
               fault.what ? fault.what : "", fault.subject);
    else
        vault_writer_published(writer, published);
    if (!is_remembered || (is_new && options->keeps_origin)) {
        printf("# the origin was not kept\n");
        return false;
    }
    return !err;
}

/* As it lies there, and after a restart that publishes everything. */
static inline bool is_sound(const struct sound_options *options) {
    struct sys sys;
    char path[VAULT_PATH_BYTES_MAX];
    bool good = options->is_unverified || is_whole("before the restart");
    sound_sys(&sys);
    site_path(path, "vault/checkpoint");
    witness_note(path);
    struct vault_writer *writer = open_writer(&sys);
    if (!writer)
        return false;
    for (uint32_t i = 0; i < witness->epoch_count; i++)
        good = vault_writer_epoch(writer) >= witness->epochs[i].n && good;
    good = repeats_are_known(writer) && good;
    uint64_t size = vault_writer_durable_size(writer);
    good = batch(writer, SOUND_NUMBER + 3 * witness->restart_count++, 3) == ERR_OK && good;
    good = vault_writer_durable_size(writer) == size + 3 && good;
    good = restart_publisher(&sys, writer, options) && good;
    size = vault_writer_durable_size(writer);
    vault_writer_close(writer);
    good = log_is_good(size, options->may_differ) && good;
    if (witness->two_trees[0]) {
        printf("# two trees were signed: %s\n", witness->two_trees);
        good = false;
    }
    return is_whole("after it") && good;
}

#endif
