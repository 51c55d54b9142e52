/* keys_test.c - secret key files under a passphrase: their form, who can read them, and the change of it, with the Nth
 * system call failing. */
#include "unit/vault/vault_site.h"
#include "vault/keys.h"

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <sys/wait.h>

#define FILE_COUNT 3
static const char *const files[FILE_COUNT] = {"signing.key", "node.key", "repeat.key"};
static const struct vault_lock_cost cheap = {1, 8192};

/* As they were in clear. */
static char before[FILE_COUNT][KEY_FILE_BYTES_MAX];

static struct bytes read_file(const char *name) {
    char path[VAULT_PATH_BYTES_MAX], relative[64];
    snprintf(relative, sizeof relative, "keys/%s", name);
    site_path(path, relative);
    return site_read(path);
}

static void write_file(const char *name, struct bytes content) {
    char path[VAULT_PATH_BYTES_MAX], relative[64];
    snprintf(relative, sizeof relative, "keys/%s", name);
    site_path(path, relative);
    site_write(path, content);
}

static void forget(struct bytes file) {
    union {
        const uint8_t *in;
        void *out;
    } data = {file.data};
    free(data.out);
}

static void make(void) {
    site_make();
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct bytes file = read_file(files[i]);
        snprintf(before[i], sizeof before[i], "%.*s", (int)file.size, (const char *)file.data);
        forget(file);
    }
}

static bool files_are_as_before(void) {
    bool good = true;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct bytes file = read_file(files[i]);
        good = good && bytes_is(file, before[i]);
        forget(file);
    }
    return good;
}

/* All three give what they held in clear. */
static bool contents_are_as_before(const struct vault_unlock *unlock) {
    char buffer[KEY_FILE_BYTES_MAX];
    bool good = true;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct bytes content;
        good = good && !key_file_read(NULL, site_dir, unlock, files[i], buffer, &content, NULL) &&
               bytes_equal(content, bytes_trim(bytes_from_string(before[i])));
    }
    return good;
}

static struct vault_unlock *unlock_with(const char *passphrase, enum err wanted) {
    struct vault_unlock *unlock = NULL;
    struct fault fault = {0};
    enum err err =
        vault_unlock_make(&unlock, NULL, site_dir, bytes_from_string(passphrase), &fault);
    if (err != wanted)
        printf("# %s: %s, %s\n", passphrase, err_name(err), fault.what ? fault.what : "");
    tap_ok(err == wanted && fault.code == wanted && (!err || !unlock), err_name(wanted), __FILE__,
           __LINE__, passphrase);
    return unlock;
}

static void lock_site(const char *passphrase) {
    struct fault fault = {0};
    make();
    site_must(vault_passphrase_change(NULL, site_dir, NULL, bytes_from_string(passphrase), &cheap,
                                      &fault),
              &fault);
}

/* ---- the form ---- */

/* The line of docs/format/vault.md, made by another implementation: Go's argon2.IDKey and nacl/secretbox. */
static void test_other_implementation(void) {
    static const char line[] =
        "veilleuse-locked-key/1 EBESExQVFhcYGRobHB0eHw== 2 65536 "
        "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXNFbyeyxKi9HnGBNXw7kp3Jf+XC1pZgA/"
        "HfESEnetR/kWac8y7o3YOt3dILRZaEtNjM7X4Do7w6wCQ11OfnkpwKVDnvPF/wC5o8boM4zqKqeD\n";
    static const char inside[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes content;
    make();
    for (size_t i = 0; i < FILE_COUNT; i++)
        write_file(files[i], bytes_from_string(line));
    struct vault_unlock *unlock = unlock_with("une veilleuse dans la nuit", ERR_OK);
    is_int(key_file_read(NULL, site_dir, unlock, "repeat.key", buffer, &content, NULL), ERR_OK);
    ok(bytes_is(content, inside), "what another implementation locked is read");
    vault_unlock_free(unlock);
    unlock_with("une veilleuse dans la nuit ", ERR_AUTH);
    unlock_with("", ERR_AUTH);
}

/* Taken apart by hand, as the format says. */
static bool opens_by_hand(struct bytes file, const char *passphrase, const char *wanted) {
    char salt64[64], sealed64[KEY_FILE_BYTES_MAX], line[KEY_FILE_BYTES_MAX];
    uint8_t salt[16], key[32], sealed[KEY_FILE_BYTES_MAX], plain[KEY_FILE_BYTES_MAX];
    unsigned long long passes, memory;
    size_t salt_bytes, size;
    snprintf(line, sizeof line, "%.*s", (int)file.size, (const char *)file.data);
    if (sscanf(line, "veilleuse-locked-key/1 %63s %llu %llu %4095s", salt64, &passes, &memory,
               sealed64) != 4 ||
        file.data[file.size - 1] != '\n' ||
        !base64_decode(bytes_from_string(salt64), salt, sizeof salt, &salt_bytes) ||
        !base64_decode(bytes_from_string(sealed64), sealed, sizeof sealed, &size) ||
        crypto_pwhash(key, sizeof key, passphrase, strlen(passphrase), salt, passes, (size_t)memory,
                      crypto_pwhash_ALG_ARGON2ID13) ||
        crypto_secretbox_open_easy(plain, sealed + 24, size - 24, sealed, key))
        return false;
    return salt_bytes == 16 && bytes_is(bytes_from(plain, size - 40), wanted);
}

static void test_form(void) {
    struct stat st;
    char path[VAULT_PATH_BYTES_MAX];
    bool locked = true;
    make();
    is_int(vault_keys_are_locked(NULL, site_dir, &locked, NULL), ERR_OK);
    ok(!locked && unlock_with("anything", ERR_OK) == NULL, "a new site has no passphrase");
    is_int(vault_passphrase_change(NULL, site_dir, NULL, BYTES("soir"), NULL, NULL), ERR_OK);
    is_int(vault_keys_are_locked(NULL, site_dir, &locked, NULL), ERR_OK);
    ok(locked);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct bytes file = read_file(files[i]);
        tap_ok(opens_by_hand(file, "soir", before[i]), "opened by hand", __FILE__, __LINE__,
               files[i]);
        ok(memmem(file.data, file.size, " 3 67108864 ", 12), "three passes over 64 MiB");
        forget(file);
        snprintf(path, sizeof path, "%s/keys/%s", site_dir, files[i]);
        ok(!stat(path, &st) && (st.st_mode & 0777) == 0600);
    }
    struct vault_unlock *unlock = unlock_with("soir", ERR_OK);
    ok(contents_are_as_before(unlock));
    site_path(path, "keys/changing");
    ok(stat(path, &st) && errno == ENOENT, "nothing is left of the change");
    is_int(vault_passphrase_change(NULL, site_dir, unlock, BYTES_NONE, NULL, NULL), ERR_OK);
    vault_unlock_free(unlock);
    ok(files_are_as_before(), "without a passphrase they are as before, byte for byte");
}

/* Whatever a file asks for or looks like, it is refused at once. */
static void test_hostile_lines(void) {
    static const struct {
        const char *how;
        enum err wanted;
    } lines[] = {
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 11 8192 AAAA", ERR_LIMIT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 0 8192 AAAA", ERR_LIMIT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 4294967296 8192 AAAA", ERR_LIMIT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1 1 AAAA", ERR_LIMIT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1 268435457 AAAA", ERR_LIMIT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1 18446744073709551615 AAAA", ERR_LIMIT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1 99999999999999999999999 AAAA", ERR_CORRUPT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== -1 8192 AAAA", ERR_CORRUPT},
        {"1 AAAAAAAAAAAAAAAAAAAA 1 8192 AAAA", ERR_CORRUPT},
        {"1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 1 8192 AAAA", ERR_CORRUPT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1 8192", ERR_CORRUPT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1", ERR_CORRUPT},
        {"1", ERR_CORRUPT},
        {"2 AAAAAAAAAAAAAAAAAAAAAA== 1 8192 AAAA", ERR_UNSUPPORTED},
        {"", ERR_UNSUPPORTED},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1 8192 AAAA", ERR_CORRUPT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1 8192 ", ERR_CORRUPT},
        {"1 AAAAAAAAAAAAAAAAAAAAAA== 1 8192 %%%%", ERR_CORRUPT},
    };
    char line[256];
    make();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct vault_unlock *unlock = NULL;
        snprintf(line, sizeof line, "veilleuse-locked-key/%s\n", lines[i].how);
        write_file("signing.key", bytes_from_string(line));
        enum err err = vault_unlock_make(&unlock, NULL, site_dir, BYTES("soir"), NULL);
        tap_ok(err == lines[i].wanted && !unlock, err_name(err), __FILE__, __LINE__, lines[i].how);
    }
}

/* Cut anywhere or changed anywhere, a locked file gives nothing; nor does it with another's place. */
static void test_damage(void) {
    char buffer[KEY_FILE_BYTES_MAX];
    struct bytes content;
    uint64_t taken = 0;
    lock_site("soir");
    struct vault_unlock *unlock = unlock_with("soir", ERR_OK);
    struct bytes file = read_file("node.key");
    char copy[KEY_FILE_BYTES_MAX];
    for (size_t cut = 0; cut + 1 < file.size; cut++) {
        write_file("node.key", bytes_first(file, cut));
        enum err err = key_file_read(NULL, site_dir, unlock, "node.key", buffer, &content, NULL);
        uint8_t secret[KEY_BYTES];
        taken += !err && !keys_read_node(NULL, site_dir, unlock, secret, NULL);
    }
    ok(taken == 0, "cut anywhere, it gives no key");
    for (size_t at = 0; at + 1 < file.size; at++) {
        uint8_t secret[KEY_BYTES];
        memcpy(copy, file.data, file.size);
        copy[at] = (char)(copy[at] == 'B' ? 'C' : 'B');
        write_file("node.key", bytes_from(copy, file.size));
        taken += !keys_read_node(NULL, site_dir, unlock, secret, NULL);
    }
    ok(taken == 0, "changed anywhere, it gives no key");
    vault_unlock_free(unlock);
    write_file("node.key", file);
    is_int(vault_passphrase_change(NULL, site_dir, unlock = unlock_with("soir", ERR_OK),
                                   BYTES("soir"), &cheap, NULL),
           ERR_OK);
    vault_unlock_free(unlock);
    write_file("node.key", file);
    forget(file);
    unlock_with("soir", ERR_AUTH);
}

/* ---- the vault's users ---- */

static bool signing_key_is_locked(void) {
    struct bytes file = read_file("signing.key");
    bool locked = bytes_starts_with(file, BYTES("veilleuse-locked-key/1 "));
    forget(file);
    return locked;
}

static void test_users(void) {
    struct vault_writer *writer = NULL;
    struct vault_opener *opener = NULL;
    struct vault_publisher *publisher = NULL;
    struct vault_writer_options options = {.reserve_bytes = UINT64_MAX};
    uint64_t published = 0;
    bool is_new, is_remembered;
    lock_site("soir");
    is_int(vault_writer_open(&writer, NULL, site_dir, &options, NULL), ERR_AUTH);
    is_int(vault_opener_open(&opener, NULL, site_dir, NULL, NULL), ERR_AUTH);
    is_int(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL), ERR_AUTH);
    unlock_with("matin", ERR_AUTH);

    struct vault_unlock *unlock = unlock_with("soir", ERR_OK);
    options.unlock = unlock;
    site_must(vault_writer_open(&writer, NULL, site_dir, &options, NULL), NULL);
    site_must(vault_publisher_open(&publisher, NULL, site_dir, unlock, site_dir, NULL), NULL);
    site_must(vault_opener_open(&opener, NULL, site_dir, unlock, NULL), NULL);
    vault_unlock_free(unlock); /* from here on nobody needs ours */
    site_fill(writer, 1, 20, 5);
    is_int(vault_writer_rotate(writer, NULL), ERR_OK);
    uint64_t size = vault_writer_durable_size(writer);
    is_int(vault_publish(publisher, size, false, &published, NULL), ERR_OK);
    is_int(published, size);
    /* Fewer entries than were signed: the origin's next epoch begins while it runs, and its key is written. */
    is_int(vault_publish(publisher, size - 1, false, &published, NULL), ERR_OK);
    vault_publisher_origin(publisher, &is_new, &is_remembered);
    ok(is_new && signing_key_is_locked(), "a new origin's key is written under the passphrase too");
    vault_publisher_close(publisher);
    vault_opener_close(opener);
    vault_writer_close(writer);
    is_int(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, NULL), ERR_AUTH);
    unlock = unlock_with("soir", ERR_OK);
    is_int(vault_publisher_open(&publisher, NULL, site_dir, unlock, site_dir, NULL), ERR_OK);
    vault_publisher_close(publisher);
    vault_unlock_free(unlock);
}

/* A site from before there was keys/recipients. */
static void test_old_site(void) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    struct recipients recipients = {0};
    make();
    site_path(path, "keys/recipients");
    ok(!unlink(path));
    is_int(vault_passphrase_change(NULL, site_dir, NULL, BYTES("soir"), &cheap, NULL), ERR_OK);
    ok(!stat(path, &st), "its recipients are written down before the node's key is locked");
    is_int(recipients_read(NULL, site_dir, NULL, &recipients, NULL), ERR_OK);
    ok(recipients.count == 1 && !strcmp(recipients.labels[0], "node"));
}

/* ---- the Nth system call fails ---- */

struct how {
    const char *name;
    enum sys_fail_how how;
    int errnum;
    bool for_good;
};

/* From one passphrase to another; NULL: none. */
struct change {
    const char *name, *from, *to;
};

enum { EXIT_CLEAN, EXIT_FAILED, EXIT_ODD };

static int change_in_child(const struct how *how, uint64_t n, const struct change *change) {
    struct sys sys;
    struct vault_unlock *unlock = NULL;
    sys_init(&sys);
    if (change->from &&
        vault_unlock_make(&unlock, NULL, site_dir, bytes_from_string(change->from), NULL))
        return EXIT_ODD;
    sys.fail_at = n;
    sys.fail_how = how->how;
    sys.fail_errno = how->errnum;
    sys.fail_for_good = how->for_good;
    enum err err = vault_passphrase_change(&sys, site_dir, unlock,
                                           change->to ? bytes_from_string(change->to) : BYTES_NONE,
                                           &cheap, NULL);
    vault_unlock_free(unlock);
    /* What failed may have been no harm; then a later N is still to come. */
    return err || sys.call_count > n ? EXIT_FAILED : EXIT_CLEAN;
}

static bool opens(const char *passphrase, struct vault_unlock **unlock) {
    bool locked = false;
    *unlock = NULL;
    if (vault_keys_are_locked(NULL, site_dir, &locked, NULL) || locked != (passphrase != NULL))
        return false;
    return !passphrase ||
           !vault_unlock_make(unlock, NULL, site_dir, bytes_from_string(passphrase), NULL);
}

/* With the one or the other, never both nor none; and all three files are then what they were. */
static bool is_sound(const struct change *change) {
    struct vault_unlock *old, *new, *unlock;
    struct vault_publisher *publisher;
    bool has_old = opens(change->from, &old), has_new = opens(change->to, &new);
    bool good = has_old != has_new && contents_are_as_before(has_new ? new : old);
    unlock = has_new ? new : old;
    /* The signer ends what was interrupted, knowing no passphrase but through its key. */
    good = good && !vault_publisher_open(&publisher, NULL, site_dir, unlock, site_dir, NULL);
    if (good)
        vault_publisher_close(publisher);
    good = good && contents_are_as_before(unlock);
    char path[VAULT_PATH_BYTES_MAX];
    site_path(path, "keys/changing");
    good = good && access(path, F_OK);
    /* And the change can be made, or made again. */
    good = good && !vault_passphrase_change(NULL, site_dir, unlock, BYTES("encore"), &cheap, NULL);
    vault_unlock_free(old);
    vault_unlock_free(new);
    good = good && opens("encore", &unlock) && contents_are_as_before(unlock);
    if (good)
        vault_unlock_free(unlock);
    return good;
}

/* The same keys again, under `passphrase`. */
static void put_back(const char *passphrase) {
    char path[VAULT_PATH_BYTES_MAX];
    site_path(path, "keys/changing");
    unlink(path);
    for (size_t i = 0; i < FILE_COUNT; i++)
        write_file(files[i], bytes_from_string(before[i]));
    if (passphrase)
        site_must(vault_passphrase_change(NULL, site_dir, NULL, bytes_from_string(passphrase),
                                          &cheap, NULL),
                  NULL);
}

static void try_change(const struct how *how, const struct change *change) {
    uint64_t n = 0, bad = 0;
    int result = EXIT_FAILED;
    make();
    for (; n < 500 && result != EXIT_CLEAN; n++) {
        int status;
        put_back(change->from);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            _exit(change_in_child(how, n, change));
        waitpid(pid, &status, 0);
        result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        bool good =
            (result == EXIT_CLEAN || result == EXIT_FAILED || result == 137) && is_sound(change);
        if (!good)
            printf("# %s, %s at call %llu: %d\n", change->name, how->name, (unsigned long long)n,
                   result);
        bad += !good;
    }
    printf("# %s, %s: %llu runs\n", change->name, how->name, (unsigned long long)n);
    tap_ok(bad == 0 && result == EXIT_CLEAN && n > 25, change->name, __FILE__, __LINE__, how->name);
}

static void test_changes(void) {
    static const struct how hows[] = {
        {"EIO", SYS_FAIL_ERRNO, EIO, false},
        {"EIO from there on", SYS_FAIL_ERRNO, EIO, true},
        {"ENOSPC", SYS_FAIL_ERRNO, ENOSPC, false},
        {"a write cut short", SYS_FAIL_SHORT, ENOSPC, false},
        {"crash", SYS_FAIL_CRASH, 0, false},
    };
    static const struct change changes[] = {
        {"set", NULL, "soir"}, {"change", "soir", "matin"}, {"remove", "soir", NULL}};
    for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++)
        for (size_t j = 0; j < sizeof changes / sizeof changes[0]; j++)
            try_change(&hows[i], &changes[j]);
}

int main(void) {
    if (sodium_init() < 0)
        return 1;
    /* Large buffers fresh from the kernel each time: much faster here. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    test_other_implementation();
    test_form();
    test_hostile_lines();
    test_damage();
    test_users();
    test_old_site();
    test_changes();
    site_remove();
    return done();
}
