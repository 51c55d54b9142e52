/* publish_test.c - bundles, tiles and checkpoints: the tree that is signed, growth, crashes, refusals. */
#include "vault_site.h"

#include <glob.h>

#include <dirent.h>
#include <sodium.h>

static struct tlog_verifier verifier;

static void load_verifier(void) {
    char path[VAULT_PATH_BYTES_MAX];
    site_path(path, "vault/verifier");
    struct bytes text = site_read(path);
    site_must(tlog_verifier_read(text, &verifier), NULL);
    free((void *)(uintptr_t)text.data);
}

/* The checkpoint on disk is signed, of this size, and its root is that of the entries as the reader gives them. */
static bool tree_is(uint64_t size) {
    char path[VAULT_PATH_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX];
    static struct checkpoint_file file, kept;
    struct tlog_frontier frontier;
    struct tlog_hash leaf, root;
    struct vault_reader *reader;
    struct bytes body;
    site_path(path, "vault/checkpoint");
    site_path(vault_dir, "vault");
    site_must(checkpoint_load(NULL, path, &file, NULL), NULL);
    site_must(vault_reader_open(&reader, NULL, vault_dir, NULL), NULL);
    tlog_frontier_init(&frontier);
    for (uint64_t i = 0; i < size; i++) {
        struct bytes sealed;
        site_must(vault_reader_sealed(reader, i, size, &sealed, NULL), NULL);
        tlog_leaf_hash(sealed, &leaf);
        tlog_frontier_add(&frontier, &leaf);
    }
    vault_reader_close(reader);
    tlog_frontier_root(&frontier, &root);
    vault_path(path, vault_dir, "checkpoints/%llu", (unsigned long long)size);
    site_must(checkpoint_load(NULL, path, &kept, NULL), NULL);
    return file.checkpoint.size == size && !memcmp(&root, &file.checkpoint.root, sizeof root) &&
           bytes_is(file.checkpoint.origin, SITE_ORIGIN) &&
           !tlog_note_verify(bytes_from(file.note, file.note_bytes), &verifier, &body) &&
           kept.note_bytes == file.note_bytes && !memcmp(kept.note, file.note, file.note_bytes);
}

static bool exists(const char *relative) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    site_path(path, relative);
    return stat(path, &st) == 0;
}

/* What this machine remembers of the site's signatures, outside its disk: of the newest origin. */
static void find_memory(char path[VAULT_PATH_BYTES_MAX]) {
    glob_t found;
    char pattern[VAULT_PATH_BYTES_MAX];
    struct stat st;
    int64_t newest = -1;
    site_path(pattern, "veilleuse-*");
    path[0] = 0;
    if (glob(pattern, 0, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (stat(found.gl_pathv[i], &st))
            continue;
        int64_t at = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        if (at > newest)
            snprintf(path, VAULT_PATH_BYTES_MAX, "%s", found.gl_pathv[i]);
        newest = at > newest ? at : newest;
    }
    globfree(&found);
}

static void test_growth(void) {
    static const uint64_t sizes[] = {1, 2, 100, 255, 256, 257, 511, 512, 700, 1024, 1025};
    struct vault_publisher *publisher;
    struct fault fault = {0};
    uint64_t published;
    site_make();
    load_verifier();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 1024, 64);
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    is_int(vault_published_size(publisher), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        is_int(vault_publish(publisher, sizes[i], false, &published, &fault), ERR_OK);
        is_int(published, sizes[i]);
        ok(tree_is(sizes[i]), "the tree of this size");
        if (i % 3 == 1) { /* a publisher that takes up the tree from the disk */
            vault_publisher_close(publisher);
            site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
            is_int(vault_published_size(publisher), sizes[i]);
        }
    }
    is_int(vault_publish(publisher, 1025, false, &published, NULL), ERR_OK);
    is_int(published, 1025);
    vault_publisher_close(publisher);
    ok(exists("vault/tile/0/000") && exists("vault/tile/entries/003") &&
       exists("vault/tile/1/000.p/4"));
    ok(exists("vault/tile/0/004.p/1") && exists("vault/tile/entries/004.p/1"));
    ok(!exists("vault/tile/0/000.p") && !exists("vault/tile/entries/001.p"),
       "partial tiles go once full");
    vault_writer_published(writer, 1025);
    vault_writer_close(writer);
    ok(site_holds(1, 1024), "all of it is read from the bundles");
}

static void test_whole_only(void) {
    struct vault_publisher *publisher;
    uint64_t published;
    site_make();
    load_verifier();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 299, 100);
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL), NULL);
    is_int(vault_publish(publisher, 200, true, &published, NULL), ERR_OK);
    is_int(published, 0);
    is_int(vault_publish(publisher, 300, true, &published, NULL), ERR_OK);
    is_int(published, 256);
    ok(tree_is(256));
    is_int(vault_publish(publisher, 300, false, &published, NULL), ERR_OK);
    is_int(published, 300);
    is_int(vault_publish(publisher, 300, true, &published, NULL), ERR_OK);
    is_int(published, 300);
    vault_publisher_close(publisher);
    vault_writer_close(writer);
}

/* 66,000 entries make a full tile of level 1 and one of level 2; a bounded number of rounds. */
static void test_two_levels(void) {
    struct vault_publisher *publisher;
    uint64_t published = 0, rounds = 0;
    site_make();
    load_verifier();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 66000, 2000);
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL), NULL);
    for (; published < 66001; rounds++)
        site_must(vault_publish(publisher, 66001, false, &published, NULL), NULL);
    ok(rounds > 1 && rounds < 10, "in rounds");
    ok(exists("vault/tile/1/000") && exists("vault/tile/2/000.p/1") &&
       exists("vault/tile/1/001.p/1"));
    vault_publisher_close(publisher);
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL), NULL);
    is_int(vault_published_size(publisher), 66001);
    vault_publisher_close(publisher);
    ok(tree_is(66001));
    vault_writer_published(writer, 66001);
    vault_writer_close(writer);
}

/* A reader that was opened before goes on while partial bundles are replaced and segments go. */
static void test_reader_across(void) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader;
    bool good = true;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 4096);
    site_path(vault_dir, "vault");
    site_must(vault_reader_open(&reader, NULL, vault_dir, NULL), NULL);
    for (uint64_t n = 1; n < 600; n += 13) {
        struct bytes sealed;
        site_fill(writer, n, 13, 13);
        for (uint64_t index = n > 40 ? n - 40 : 0; index < n + 13; index++)
            good = good && !vault_reader_sealed(reader, index, n + 13, &sealed, NULL);
        if (n % 3 == 1) {
            site_publish_to(n + 7);
            vault_writer_published(writer, n + 7);
        }
    }
    ok(good, "every entry was there at every moment");
    vault_reader_close(reader);
    vault_writer_close(writer);
}

/* ---- refusals ---- */

static void test_differing_rewrite(void) {
    struct vault_publisher *publisher;
    struct fault fault = {0};
    char path[VAULT_PATH_BYTES_MAX];
    uint64_t published;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 299, 100);
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL), NULL);
    site_path(path, "vault/tile/0");
    site_must(sys_make_dirs(NULL, path, 0755, NULL), NULL);
    site_path(path, "vault/tile/0/000");
    site_write(path, BYTES("another tile"));
    is_int(vault_publish(publisher, 300, false, &published, &fault), ERR_CORRUPT);
    ok(strstr(fault.subject, "tile/0/000") != NULL, "the file is named");
    is_int(published, 0);
    ok(!exists("vault/checkpoint"), "nothing was signed");
    unlink(path);
    is_int(vault_publish(publisher, 300, false, &published, NULL), ERR_OK);
    is_int(published, 300);
    vault_publisher_close(publisher);
    vault_writer_close(writer);
}

/* What was claimed before a crash is what is published after it, and no other tree of that size. */
static void test_signed_ahead(void) {
    struct vault_publisher *publisher;
    struct fault fault = {0};
    char signed_path[VAULT_PATH_BYTES_MAX], path[VAULT_PATH_BYTES_MAX], line[256];
    char memory_path[VAULT_PATH_BYTES_MAX];
    uint64_t published;
    struct text text;
    site_make();
    load_verifier();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 299, 100);
    site_publish_to(150);
    site_path(path, "vault/checkpoint");
    site_path(signed_path, "keys/signed");
    struct bytes checkpoint = site_read(path);
    site_publish_to(200);

    site_write(path, checkpoint); /* as if the last rename had not happened */
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    is_int(vault_published_size(publisher), 150);
    is_int(vault_publish(publisher, 300, false, &published, &fault), ERR_OK);
    is_int(published, 200);
    ok(tree_is(200), "exactly what had been claimed, first");
    vault_publisher_close(publisher);

    /* The disk and the memory agree on another tree of that size: that name signs no other; the origin's next epoch does. */
    site_write(path, checkpoint);
    text_init(&text, line, sizeof line);
    text_put_string(&text, "200 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= " SITE_ORIGIN "\n");
    site_write(signed_path, text_bytes(&text));
    find_memory(memory_path);
    struct bytes memory_then = site_read(memory_path);
    site_write(memory_path, text_bytes(&text));
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    is_int(vault_publish(publisher, 300, false, &published, &fault), ERR_OK);
    is_int(published, 150);
    bool is_new, is_remembered;
    ok(strncmp(vault_publisher_origin(publisher, &is_new, &is_remembered),
               "test.example/veilleuse/node-1/2-", 32) == 0 &&
       is_new && is_remembered);
    is_int((intmax_t)vault_publisher_lost_from(publisher), 150);
    is_int(vault_publish(publisher, 300, false, &published, &fault), ERR_OK);
    is_int(published, 300);
    vault_publisher_close(publisher);
    site_write(memory_path, memory_then);
    free((void *)(uintptr_t)memory_then.data);
    struct bytes signed_now = site_read(signed_path);
    site_write(signed_path, BYTES("nonsense\n"));
    is_int(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL), ERR_CORRUPT);
    site_write(signed_path, signed_now);
    site_publish_to(300);
    static struct vault_report report;
    is_int(vault_verify(NULL, site_dir, &(struct vault_verify_options){0}, &report, NULL), ERR_OK);
    is_int(report.published_size, 300);
    free((void *)(uintptr_t)signed_now.data);
    vault_writer_close(writer);
    free((void *)(uintptr_t)checkpoint.data);
}

static void is_origin(const struct vault_publisher *publisher, bool wanted_new) {
    bool is_new, is_remembered;
    const char *origin = vault_publisher_origin(publisher, &is_new, &is_remembered);
    is_int(is_new, wanted_new);
    is_int(strcmp(origin, SITE_ORIGIN) != 0, wanted_new);
}

/* What the disk says was signed last is not what this machine remembers: the origin's next epoch begins. */
static void test_origins(void) {
    struct vault_publisher *publisher, *second;
    struct fault fault = {0};
    char signed_path[VAULT_PATH_BYTES_MAX], memory_path[VAULT_PATH_BYTES_MAX];
    uint64_t published;
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 299, 100);
    site_publish_to(150);
    site_path(signed_path, "keys/signed");
    struct bytes old_signed = site_read(signed_path);
    site_publish_to(200);

    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    is_origin(publisher, false);
    site_must(vault_publisher_open(&second, NULL, site_dir, NULL, site_dir, &fault), &fault);
    is_origin(second, true); /* the first one still holds the memory */
    vault_publisher_close(second);
    vault_publisher_close(publisher);

    site_make();
    writer = (vault_writer_close(writer), site_writer(NULL, 0));
    site_fill(writer, 1, 299, 100);
    site_publish_to(200);
    site_path(signed_path, "keys/signed");
    site_write(signed_path, old_signed); /* of another log, and smaller: a disk from elsewhen */
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    is_origin(publisher, true);
    is_int(vault_publish(publisher, 300, false, &published, &fault), ERR_OK);
    is_int(published, 300);
    vault_publisher_close(publisher);
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    bool is_new, is_remembered;
    vault_publisher_origin(publisher, &is_new, &is_remembered);
    ok(!is_new && is_remembered, "and goes on from then");
    vault_publisher_close(publisher);

    /* The machine was started anew: nothing is remembered. */
    for (unsigned i = 0; i < 2; i++) {
        find_memory(memory_path);
        ok(unlink(memory_path) == 0);
    }
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    is_origin(publisher, true);
    vault_publisher_close(publisher);

    /* More was signed than is here. */
    find_memory(memory_path);
    struct bytes memory = site_read(memory_path);
    char line[512];
    snprintf(line, sizeof line, "99999%.*s", (int)memory.size - 3, (const char *)memory.data + 3);
    site_write(memory_path, bytes_from_string(line));
    site_write(signed_path, bytes_from_string(line));
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    vault_publisher_origin(publisher, &is_new, &is_remembered);
    ok(!is_new);
    is_int(vault_publish(publisher, 300, false, &published, &fault), ERR_OK);
    is_origin(publisher, true);
    is_int((intmax_t)vault_publisher_lost_from(publisher), 300);
    vault_publisher_close(publisher);
    vault_writer_close(writer);
    free((void *)(uintptr_t)memory.data);
    free((void *)(uintptr_t)old_signed.data);
}

/* Two copies of a site that never signed anything, served at once: one keeps the name, the other begins the next. */
static void test_fresh_copies(void) {
    struct vault_publisher *first, *second;
    struct fault fault = {0};
    char command[256], copy[80];
    uint64_t published;
    site_make();
    snprintf(copy, sizeof copy, "%s-copy", site_dir);
    snprintf(command, sizeof command, "cp -a %s %s", site_dir, copy);
    int result = system(command);
    assert(result == 0);
    site_must(vault_publisher_open(&first, NULL, site_dir, NULL, site_dir, &fault), &fault);
    site_must(vault_publisher_open(&second, NULL, copy, NULL, site_dir, &fault), &fault);
    is_origin(first, false);
    is_origin(second, true);
    is_int(vault_publish(first, 1, false, &published, &fault), ERR_OK);
    is_int(vault_publish(second, 1, false, &published, &fault), ERR_OK);
    vault_publisher_close(first);
    vault_publisher_close(second);
    nftw(copy, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static void test_foreign_checkpoint(void) {
    struct vault_publisher *publisher;
    char path[VAULT_PATH_BYTES_MAX];
    site_make();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 20, 20);
    site_publish_to(10);
    site_path(path, "vault/tile/0/000.p/10");
    struct bytes tile = site_read(path);
    uint8_t *changed = malloc(tile.size);
    memcpy(changed, tile.data, tile.size);
    changed[77] ^= 4;
    site_write(path, bytes_from(changed, tile.size));
    is_int(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL), ERR_CORRUPT);
    site_write(path, tile);
    site_path(path, "vault/checkpoint");
    struct bytes note = site_read(path);
    uint8_t *other = malloc(note.size);
    memcpy(other, note.data, note.size);
    other[note.size - 10] ^= 1;
    site_write(path, bytes_from(other, note.size));
    ok(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL) != ERR_OK,
       "a bad signature is refused");
    site_write(path, note);
    site_publish_to(21);
    vault_writer_close(writer);
    free(changed);
    free(other);
    free((void *)(uintptr_t)tile.data);
    free((void *)(uintptr_t)note.data);
}

int main(void) {
    test_growth();
    test_whole_only();
    test_two_levels();
    test_reader_across();
    test_differing_rewrite();
    test_signed_ahead();
    test_origins();
    test_fresh_copies();
    test_foreign_checkpoint();
    site_remove();
    return done();
}
