/* prove_test.c - proofs of entries: of any tree, from any tiles that a living vault or a copy may hold; what was changed
 * is never proven, what was proven stays so. */
#include "vault_site.h"

#include "base/random.h"
#include "guard.h"

#include <errno.h>

static char proof_buffer[VAULT_PROOF_BYTES_MAX], vault_dir[VAULT_PATH_BYTES_MAX];
static struct bytes verifiers;
static struct vault_proof_report report;

static void forget_verifiers(void) {
    free((void *)(uintptr_t)verifiers.data);
    verifiers = BYTES_NONE;
}

static void load_verifiers(void) {
    char path[VAULT_PATH_BYTES_MAX];
    forget_verifiers();
    site_path(vault_dir, "vault");
    site_path(path, "vault/verifier");
    verifiers = site_read(path);
}

static enum err prove(struct sys *sys, uint64_t index, struct bytes *proof, struct fault *fault) {
    struct text text;
    text_init(&text, proof_buffer, sizeof proof_buffer);
    enum err err = vault_prove(sys, vault_dir, index, &text, fault);
    *proof = text_bytes(&text);
    return err;
}

#define LEAVES_MAX 66001u

static struct tlog_hash leaves[LEAVES_MAX];

/* As the vault's own reader gives the entries. */
static void load_leaves(uint64_t size) {
    struct vault_reader *reader;
    struct bytes sealed;
    assert(size <= LEAVES_MAX);
    site_must(vault_reader_open(&reader, NULL, vault_dir, NULL), NULL);
    for (uint64_t i = 0; i < size; i++) {
        site_must(vault_reader_sealed(reader, i, UINT64_MAX, &sealed, NULL), NULL);
        tlog_leaf_hash(sealed, &leaves[i]);
    }
    vault_reader_close(reader);
}

/* Proven, verified, and of the right entry. */
static bool proves(uint64_t index, uint64_t size) {
    struct bytes proof;
    struct fault fault = {0};
    if (prove(NULL, index, &proof, &fault) ||
        vault_proof_verify(proof, verifiers, &report, &fault)) {
        printf("# entry %" PRIu64 " of %" PRIu64 ": %s %s\n", index, size, fault.what,
               fault.subject);
        return false;
    }
    return report.index == index && report.size == size && !strcmp(report.origin, SITE_ORIGIN) &&
           !memcmp(&report.leaf, &leaves[index], sizeof report.leaf);
}

static bool proves_all(uint64_t size, uint64_t step) {
    bool good = true;
    for (uint64_t index = 0; index < size && good; index += step)
        good = proves(index, size);
    return good && proves(size - 1, size);
}

static void test_sizes(void) {
    static const uint64_t sizes[] = {1, 2, 3, 100, 255, 256, 257, 511, 512, 700, 1025};
    char earlier[VAULT_PROOF_BYTES_MAX];
    struct bytes proof;
    site_make();
    load_verifiers();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 1024, 64);
    load_leaves(1025);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        site_publish_to(sizes[i]);
        ok(proves_all(sizes[i], sizes[i] > 300 ? 7 : 1), "each entry of a tree of this size");
        if (sizes[i] == 100) {
            site_must(prove(NULL, 42, &proof, NULL), NULL);
            snprintf(earlier, sizeof earlier, "%.*s", (int)proof.size, (const char *)proof.data);
        }
    }
    is_int(vault_proof_verify(bytes_from_string(earlier), verifiers, &report, NULL), ERR_OK);
    ok(report.index == 42 && report.size == 100,
       "a proof made when the vault was smaller still holds");
    vault_writer_close(writer);
}

static void test_levels(void) {
    site_make();
    load_verifiers();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 66000, 2000);
    site_publish_to(66001);
    load_leaves(66001);
    ok(proves_all(66001, 1021), "through three levels of tiles");
    vault_writer_close(writer);
}

/* ---- what is not there ---- */

static void test_absent(void) {
    struct fault fault = {0};
    struct bytes proof;
    site_make();
    load_verifiers();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 99, 10);
    is_int(prove(NULL, 5, &proof, &fault), ERR_MORE);
    site_publish_to(50);
    is_int(prove(NULL, 49, &proof, NULL), ERR_OK);
    is_int(prove(NULL, 50, &proof, NULL), ERR_MORE);
    is_int(proof.size, 0);
    is_int(prove(NULL, 99, &proof, NULL), ERR_MORE);
    is_int(prove(NULL, 100, &proof, NULL), ERR_NOT_FOUND);
    is_int(prove(NULL, UINT64_MAX, &proof, NULL), ERR_NOT_FOUND);
    ok(strstr(fault.what, "not published yet") != NULL, "it is said that publishing is near");
    vault_writer_close(writer);
    site_path(vault_dir, "nowhere");
    fault = (struct fault){0};
    is_int(prove(NULL, 0, &proof, &fault), ERR_NOT_FOUND);
    ok(strstr(fault.what, "no vault") != NULL, "no vault is said to be none");
    site_path(vault_dir, "vault");
    struct text small;
    char few[100];
    text_init(&small, few, sizeof few);
    is_int(vault_prove(NULL, vault_dir, 0, &small, NULL), ERR_LIMIT);
    is_int(small.size, 0);
}

static void move(const char *from, const char *to) {
    char from_path[VAULT_PATH_BYTES_MAX], to_path[VAULT_PATH_BYTES_MAX];
    site_path(from_path, from);
    site_path(to_path, to);
    int result = rename(from_path, to_path);
    assert(result == 0);
}

/* The checkpoint of 300 entries, with the tiles of a vault that went on: wider ones, then full ones. */
static void test_wider(void) {
    char path[VAULT_PATH_BYTES_MAX];
    struct bytes proof;
    struct fault fault = {0};
    struct stat st;
    site_make();
    load_verifiers();
    site_path(path, "vault/checkpoint");
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 699, 100);
    load_leaves(700);
    site_publish_to(300);
    struct bytes at_300 = site_read(path);
    site_publish_to(400);
    struct bytes at_400 = site_read(path);
    site_write(path, at_300);
    move("vault/tile/0/001.p/44", "kept_tile");
    move("vault/tile/entries/001.p/44", "kept_bundle");
    ok(proves_all(300, 1), "a wider partial tile begins with what is wanted");
    move("kept_tile", "vault/tile/0/001.p/44");
    move("kept_bundle", "vault/tile/entries/001.p/44");
    site_write(path, at_400);
    site_publish_to(700);
    site_write(path, at_300);
    char partial[VAULT_PATH_BYTES_MAX];
    site_path(partial, "vault/tile/0/001.p");
    ok(stat(partial, &st) != 0 && errno == ENOENT, "the partial tiles are gone");
    ok(proves_all(300, 1), "the full tile begins with what is wanted");
    move("vault/tile/entries/001", "kept_bundle");
    is_int(prove(NULL, 299, &proof, &fault), ERR_CORRUPT);
    ok(strstr(fault.subject, "tile/entries/001.p/44") != NULL, "the missing file is named");
    is_int(prove(NULL, 255, &proof, NULL), ERR_OK);
    move("kept_bundle", "vault/tile/entries/001");
    move("vault/tile/0/001", "kept_tile");
    is_int(prove(NULL, 255, &proof, NULL), ERR_CORRUPT);
    is_int(proof.size, 0);
    free((void *)(uintptr_t)at_300.data);
    free((void *)(uintptr_t)at_400.data);
    vault_writer_close(writer);
}

/* ---- what was changed ---- */

#define FILES_MAX 32u

static struct {
    char path[VAULT_PATH_BYTES_MAX];
    struct bytes bytes;
} files[FILES_MAX];
static size_t file_count;

static int collect_one(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st;
    (void)place;
    if (type != FTW_F || strstr(path, "/keys/") || strstr(path, "/wal/"))
        return 0;
    assert(file_count < FILES_MAX);
    snprintf(files[file_count].path, sizeof files[0].path, "%s", path);
    files[file_count++].bytes = site_read(path);
    return 0;
}

/* A bit of any file flipped, and any entry asked for: refused, or the very proof that was given before. */
static void test_damage(void) {
    static char whole[VAULT_PROOF_BYTES_MAX];
    struct random random;
    struct bytes proof;
    unsigned refused = 0, wrong = 0;
    site_make();
    load_verifiers();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 699, 100);
    site_publish_to(700);
    nftw(vault_dir, collect_one, 16, FTW_PHYS);
    random_init(&random, 7);
    for (unsigned i = 0; i < 600; i++) {
        size_t which = (size_t)random_below(&random, file_count);
        uint64_t at = random_below(&random, files[which].bytes.size);
        uint64_t index = random_below(&random, 700);
        uint8_t *byte = (uint8_t *)(uintptr_t)files[which].bytes.data + at;
        uint8_t kept = *byte;
        site_must(prove(NULL, index, &proof, NULL), NULL);
        size_t whole_bytes = proof.size;
        memcpy(whole, proof.data, whole_bytes);
        *byte ^= (uint8_t)(1u << random_below(&random, 8));
        site_write(files[which].path, files[which].bytes);
        enum err err = prove(NULL, index, &proof, NULL);
        refused += err != ERR_OK;
        wrong += err ? proof.size > 0 : !bytes_equal(proof, bytes_from(whole, whole_bytes));
        *byte = kept;
        site_write(files[which].path, files[which].bytes);
    }
    is_int(wrong, 0);
    ok(refused > 100 && refused < 600, "some were refused, some not touched");
    while (file_count > 0)
        free((void *)(uintptr_t)files[--file_count].bytes.data);
    vault_writer_close(writer);
}

/* The file with only so many bytes left. */
static void cut(const char *relative, off_t size) {
    char path[VAULT_PATH_BYTES_MAX];
    site_path(path, relative);
    int result = truncate(path, size);
    assert(result == 0);
}

static void test_torn(void) {
    struct fault fault = {0};
    struct bytes proof;
    struct text text;
    site_make();
    load_verifiers();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 299, 100);
    site_publish_to(300);
    cut("vault/tile/entries/001.p/44", 5000);
    is_int(prove(NULL, 256, &proof, NULL), ERR_OK);
    is_int(prove(NULL, 299, &proof, &fault), ERR_CORRUPT);
    ok(strstr(fault.what, "bundle ends") != NULL && fault.at == 299, "the bundle is cut");
    cut("vault/tile/0/001.p/44", 44 * TLOG_HASH_BYTES - 1);
    fault = (struct fault){0};
    is_int(prove(NULL, 3, &proof, &fault), ERR_CORRUPT);
    ok(strstr(fault.subject, "tile/0/001.p/44") != NULL, "the tile is cut");
    cut("vault/tile/entries/000", 0);
    is_int(prove(NULL, 3, &proof, NULL), ERR_CORRUPT);
    is_int(proof.size, 0);
    char long_path[VAULT_PATH_BYTES_MAX];
    memset(long_path, 'a', sizeof long_path);
    long_path[sizeof long_path - 1] = 0;
    text_init(&text, proof_buffer, sizeof proof_buffer);
    is_int(vault_prove(NULL, long_path, 0, &text, NULL), ERR_LIMIT);
    vault_writer_close(writer);
}

/* ---- verified by others ---- */

static enum err verify_with(struct bytes proof, const char *format, const char *a, const char *b,
                            struct fault *fault) {
    char keys[1024];
    struct text text;
    text_init(&text, keys, sizeof keys);
    for (; *format; format++)
        text_put_string(&text, *format == 'a' ? a : *format == 'b' ? b : (char[2]){*format, 0});
    *fault = (struct fault){0};
    return vault_proof_verify(proof, text_bytes(&text), &report, fault);
}

static void put_other_key(char *buffer, size_t buffer_bytes, const char *name, uint8_t seed_byte) {
    struct tlog_signer signer;
    struct text text;
    uint8_t seed[32];
    memset(seed, seed_byte, sizeof seed);
    site_must(tlog_signer_from_seed(&signer, bytes_from_string(name), seed), NULL);
    text_init(&text, buffer, buffer_bytes);
    tlog_put_verifier(&text, &signer.verifier);
}

static void test_keys(void) {
    char own[512], same_name[512], other_name[512];
    struct bytes proof;
    struct fault fault;
    site_make();
    load_verifiers();
    struct bytes line = bytes_trim(verifiers);
    snprintf(own, sizeof own, "%.*s", (int)line.size, (const char *)line.data);
    put_other_key(same_name, sizeof same_name, SITE_ORIGIN, 1);
    put_other_key(other_name, sizeof other_name, "test.example/veilleuse/node-2/1", 1);
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 9, 10);
    site_publish_to(10);
    site_must(prove(NULL, 3, &proof, NULL), NULL);
    is_int(verify_with(proof, "a", own, "", &fault), ERR_OK);
    is_int(verify_with(proof, "\n b\n\na \n", own, other_name, &fault), ERR_OK);
    is_int(verify_with(proof, "b\na\n", own, same_name, &fault), ERR_OK);
    is_int(verify_with(proof, "b\n", own, other_name, &fault), ERR_CRYPTO);
    ok(strstr(fault.what, "another log") != NULL, "the key is of another log");
    is_int(report.size, 0);
    put_other_key(other_name, sizeof other_name, "test.example/veilleuse/node-1/2", 1);
    is_int(verify_with(proof, "b\n", own, other_name, &fault), ERR_CRYPTO);
    ok(strstr(fault.what, "signature") != NULL, "another key of another epoch of the log");
    is_int(verify_with(proof, "b\n", own, same_name, &fault), ERR_CRYPTO);
    ok(strstr(fault.what, "signature") != NULL, "the key is another of that name");
    is_int(verify_with(proof, "", "", "", &fault), ERR_INPUT);
    is_int(verify_with(proof, "\n\n", "", "", &fault), ERR_INPUT);
    is_int(verify_with(proof, "b\na\n", own, "no key", &fault), ERR_INPUT);
    is_int(vault_proof_verify(BYTES_NONE, verifiers, &report, NULL), ERR_INPUT);
    /* The same proof without its extra line. */
    char *extra = strstr(proof_buffer, "extra "), *index = strstr(proof_buffer, "index ");
    memmove(extra, index, strlen(index) + 1);
    is_int(verify_with(bytes_from_string(proof_buffer), "a", own, "", &fault), ERR_INPUT);
    ok(strstr(fault.what, "carry") != NULL, "the entry is missing");
    vault_writer_close(writer);
}

/* The key's own line under another name. */
static void rename_key(char *buffer, size_t buffer_bytes, const char *name) {
    struct tlog_verifier verifier;
    struct text text;
    struct bytes rest = verifiers, line;
    bool is_read = bytes_next_part(&rest, '\n', &line) && !tlog_verifier_read(line, &verifier) &&
                   !tlog_verifier_rename(&verifier, bytes_from_string(name));
    ok(is_read, "the log's key");
    text_init(&text, buffer, buffer_bytes);
    tlog_put_verifier(&text, &verifier);
}

/* Under whatever epoch of the origin it was signed, the same key counts, and only under such. */
static void test_epochs_of_origin(void) {
    static const struct {
        const char *name;
        enum err wanted;
    } cases[] = {{"test.example/veilleuse/node-1/2-0a0b0c0d", ERR_OK},
                 {"test.example/veilleuse/node-1/0", ERR_OK},
                 {"test.example/veilleuse/node-11/1", ERR_CRYPTO},
                 {"test.example/veilleuse/node-1", ERR_CRYPTO},
                 {"test.example/veilleuse/node-1/1/1", ERR_CRYPTO},
                 {"test.example", ERR_CRYPTO}};
    struct bytes proof;
    struct fault fault;
    site_make();
    load_verifiers();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 9, 10);
    site_publish_to(10);
    site_must(prove(NULL, 3, &proof, NULL), NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[512];
        rename_key(line, sizeof line, cases[i].name);
        is_int(verify_with(proof, "a\n", line, "", &fault), cases[i].wanted);
    }
    vault_writer_close(writer);
}

/* Cut anywhere, or with any bit changed, it does not hold. */
static void test_changes(void) {
    static char copy[VAULT_PROOF_BYTES_MAX];
    struct guard guard;
    struct bytes proof;
    unsigned held = 0;
    site_make();
    load_verifiers();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 9, 10);
    site_publish_to(10);
    site_must(prove(NULL, 3, &proof, NULL), NULL);
    memcpy(copy, proof.data, proof.size);
    guard_init(&guard, proof.size);
    for (size_t size = 0; size < proof.size; size++)
        held += !vault_proof_verify(guard_copy(&guard, bytes_first(proof, size)), verifiers,
                                    &report, NULL);
    for (size_t bit = 0; bit < proof.size * 8; bit++) {
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        held += !vault_proof_verify(guard_copy(&guard, bytes_from(copy, proof.size)), verifiers,
                                    &report, NULL);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    }
    is_int(held, 0);
    is_int(vault_proof_verify(guard_copy(&guard, proof), verifiers, &report, NULL), ERR_OK);
    guard_release(&guard);
    vault_writer_close(writer);
}

/* The Nth call fails, until a run goes through clean: never a proof, and always a reason. */
static void test_faults(void) {
    struct bytes proof;
    uint64_t calls = 0;
    bool good = true;
    site_make();
    load_verifiers();
    struct vault_writer *writer = site_writer(NULL, 0);
    site_fill(writer, 1, 299, 100);
    site_publish_to(300);
    for (enum err err = ERR_IO; err && good; calls++) {
        struct sys sys;
        struct fault fault = {0};
        sys_init(&sys);
        sys.fail_at = calls;
        sys.fail_errno = EIO;
        err = prove(&sys, 270, &proof, &fault);
        bool has_failed = sys.call_count > calls;
        /* A close that fails loses nothing. */
        good = err ? err == ERR_IO && proof.size == 0 && fault.code && fault.what : proof.size > 0;
        if (!err && has_failed)
            err = ERR_IO;
    }
    ok(good && calls > 10, "each call of the kernel that fails");
    vault_writer_close(writer);
}

int main(void) {
    test_sizes();
    test_levels();
    test_absent();
    test_wider();
    test_damage();
    test_torn();
    test_keys();
    test_epochs_of_origin();
    test_changes();
    test_faults();
    forget_verifiers();
    site_remove();
    return done();
}
