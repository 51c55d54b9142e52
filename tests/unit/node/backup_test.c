/* backup_test.c - the text of a backup, made and read; damaged, hostile and foreign ones are refused as a whole. */
#include "guard.h"
#include "node/backup.h"
#include "tap.h"

#include <assert.h>
#include <ftw.h>
#include <sodium.h>
#include <unistd.h>

static char site_dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st;
    (void)type;
    (void)place;
    return remove(path);
}

static void put_file(const char *name, struct bytes content) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", site_dir, name);
    enum err err = sys_replace_file(NULL, path, content, 0600, NULL);
    assert(!err);
}

/* No vault: the files alone. */
static void make_site(void) {
    static const char *const dirs[] = {"", "/keys", "/vault"};
    char path[256];
    snprintf(site_dir, sizeof site_dir, "/tmp/veilleuse-backup-XXXXXX");
    char *made = mkdtemp(site_dir);
    assert(made);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", site_dir, dirs[i]);
        enum err err = sys_make_dirs(NULL, path, 0700, NULL);
        assert(!err);
    }
    put_file("vault/verifier", BYTES("t/veilleuse/node1/1+00000000+AQ==\nanother\n"));
    put_file("veilleuse.conf", BYTES("# d'un hôpital\nsite = t\n"));
    put_file("keys/signing.key", BYTES("PRIVATE+KEY+...\n"));
    put_file("keys/node.key", BYTES("AGE-SECRET-KEY-1\n"));
    put_file("keys/repeat.key", BYTES("\x00\xff not a text"));
    put_file("keys/empty", BYTES(""));
    put_file("keys/signing.key.new", BYTES("unfinished"));
}

static char text_buffer[BACKUP_TEXT_BYTES_MAX];

static struct bytes collect(void) {
    struct backup backup;
    struct fault fault = {0};
    struct text text;
    is_int(backup_collect(&backup, NULL, site_dir, &fault), ERR_OK);
    text_init(&text, text_buffer, sizeof text_buffer);
    backup_put(&text, &backup);
    ok(!text.full && backup.file_count == 5);
    backup_release(&backup);
    return text_bytes(&text);
}

static void test_round(void) {
    const struct {
        const char *name;
        struct bytes content;
    } wanted[] = {
        {"keys/empty", BYTES("")},
        {"keys/node.key", BYTES("AGE-SECRET-KEY-1\n")},
        {"keys/repeat.key", BYTES("\x00\xff not a text")},
        {"keys/signing.key", BYTES("PRIVATE+KEY+...\n")},
        {"veilleuse.conf", BYTES("# d'un hôpital\nsite = t\n")},
    };
    struct backup backup;
    is_int(backup_read(&backup, collect(), NULL), ERR_OK);
    is_string(backup.log, "t/veilleuse/node1/1+00000000+AQ==");
    is_int(strlen(backup.made_at), strlen("2026-01-01T00:00:00.000Z"));
    is_int(backup.file_count, 5);
    for (size_t i = 0; i < 5; i++) {
        is_string(backup.files[i].name, wanted[i].name);
        ok(bytes_equal(backup.files[i].content, wanted[i].content), "byte for byte");
    }
    backup_release(&backup);
}

static void test_cut(void) {
    struct guard guard;
    struct bytes text = collect();
    guard_init(&guard, text.size);
    uint64_t taken = 0;
    for (size_t size = 0; size + 1 < text.size; size++) {
        struct backup backup;
        struct fault fault = {0};
        enum err err = backup_read(&backup, guard_copy(&guard, bytes_first(text, size)), &fault);
        taken += !err || !fault.code || backup.memory;
    }
    is_int(taken, 0);
}

#define FILES                                                                                      \
    "\"veilleuse.conf\":\"\",\"keys/signing.key\":\"\",\"keys/node.key\":\"\",\"keys/"             \
    "repeat.key\":\"\""
#define HEAD "{\"format\":\"veilleuse-backup/1\",\"log\":\"l\",\"made_at\":\"m\",\"files\":{"

static void test_refused(void) {
    static const struct {
        const char *text;
        enum err wanted;
    } texts[] = {
        {HEAD FILES "}}", ERR_OK},
        {HEAD FILES ",\"keys/other\":{\"base64\":\"AAAA\"}}}", ERR_OK},
        {HEAD FILES ",\"keys/../../etc/passwd\":\"\"}}", ERR_INPUT},
        {HEAD FILES ",\"keys/..\":\"\"}}", ERR_INPUT},
        {HEAD FILES ",\"keys/.hidden\":\"\"}}", ERR_INPUT},
        {HEAD FILES ",\"keys/\":\"\"}}", ERR_INPUT},
        {HEAD FILES ",\"keys/a/b\":\"\"}}", ERR_INPUT},
        {HEAD FILES ",\"/etc/passwd\":\"\"}}", ERR_INPUT},
        {HEAD FILES ",\"vault/verifier\":\"\"}}", ERR_INPUT},
        {HEAD FILES ",\"keys/a\\u0000b\":\"\"}}", ERR_INPUT},
        {HEAD FILES ",\"keys/"
                    "0123456789012345678901234567890123456789012345678901234567890123\":\"\"}}",
         ERR_INPUT},
        {HEAD FILES ",\"keys/node.key\":\"twice\"}}", ERR_INPUT},
        {HEAD FILES ",\"keys/other\":1}}", ERR_INPUT},
        {HEAD FILES ",\"keys/other\":{\"base64\":\"A\"}}}", ERR_INPUT},
        {HEAD "\"keys/signing.key\":\"\",\"keys/node.key\":\"\",\"keys/repeat.key\":\"\"}}",
         ERR_INPUT},
        {HEAD "\"veilleuse.conf\":\"\",\"keys/node.key\":\"\",\"keys/repeat.key\":\"\"}}",
         ERR_INPUT},
        {HEAD "}}", ERR_INPUT},
        {"{\"format\":\"veilleuse-backup/2\",\"log\":\"l\",\"made_at\":\"m\",\"files\":{" FILES
         "}}",
         ERR_UNSUPPORTED},
        {"{\"format\":\"veilleuse-backup/1\",\"log\":\"l\\u001b[2J\",\"made_at\":\"m\",\"files\":"
         "{" FILES "}}",
         ERR_INPUT},
        {"{\"format\":\"veilleuse-backup/1\",\"log\":\"l\",\"files\":{" FILES "}}", ERR_INPUT},
        {"{\"format\":\"veilleuse-backup/1\",\"log\":\"l\",\"made_at\":\"m\",\"files\":[]}",
         ERR_INPUT},
        {"[]", ERR_INPUT},
        {"{}", ERR_INPUT},
        {"", ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct backup backup;
        enum err err = backup_read(&backup, bytes_from_string(texts[i].text), NULL);
        tap_ok(err == texts[i].wanted && (!err || !backup.memory), err_name(err), __FILE__,
               __LINE__, texts[i].text);
        backup_release(&backup);
    }
}

/* 65 names, and more bytes than there is room for. */
static void test_limits(void) {
    struct text text;
    struct backup backup;
    text_init(&text, text_buffer, sizeof text_buffer);
    text_put_string(&text, HEAD FILES);
    for (unsigned i = 0; i < 61; i++)
        text_put_format(&text, ",\"keys/%u\":\"\"", i);
    text_put_string(&text, "}}");
    is_int(backup_read(&backup, text_bytes(&text), NULL), ERR_LIMIT);
    text_init(&text, text_buffer, sizeof text_buffer);
    text_put_string(&text, HEAD FILES ",\"keys/large\":\"");
    for (size_t i = 0; i < BACKUP_BYTES_MAX + 1; i++)
        text_put_char(&text, 'x');
    text_put_string(&text, "\"}}");
    ok(!text.full);
    is_int(backup_read(&backup, text_bytes(&text), NULL), ERR_INPUT);
}

static void test_collect(void) {
    struct backup backup;
    struct fault fault = {0};
    char path[256];
    put_file("keys/odd name", BYTES("x"));
    is_int(backup_collect(&backup, NULL, site_dir, &fault), ERR_UNSUPPORTED);
    ok(strstr(fault.subject, "odd name"), "what a backup cannot carry is named, not left out");
    snprintf(path, sizeof path, "%s/keys/odd name", site_dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/keys/node.key", site_dir);
    unlink(path);
    is_int(backup_collect(&backup, NULL, site_dir, &(struct fault){0}), ERR_INPUT);
    put_file("keys/node.key", BYTES("AGE-SECRET-KEY-1\n"));
}

/* Of sizes at the edges of a chunk; changed anywhere it does not open. */
static void test_sealed(void) {
    static uint8_t sealed[BACKUP_SEALED_BYTES_MAX];
    static char opened[BACKUP_TEXT_BYTES_MAX];
    static const size_t sizes[] = {1, 65535, 65536, 65537, BACKUP_TEXT_BYTES_MAX};
    uint8_t secret[32], public_key[32], other[32];
    size_t sealed_bytes, size;
    randombytes_buf(secret, sizeof secret);
    randombytes_buf(other, sizeof other);
    crypto_scalarmult_base(public_key, secret);
    memset(text_buffer, 'k', sizeof text_buffer);
    for (size_t i = 0; i < 5; i++) {
        struct bytes text = bytes_from(text_buffer, sizes[i]);
        is_int(backup_seal(text, public_key, sealed, &sealed_bytes, NULL), ERR_OK);
        is_int(backup_open(bytes_from(sealed, sealed_bytes), secret, opened, &size, NULL), ERR_OK);
        ok(bytes_equal(bytes_from(opened, size), text));
        is_int(backup_open(bytes_from(sealed, sealed_bytes), other, opened, &size, NULL),
               ERR_CRYPTO);
    }
    is_int(backup_seal(bytes_from(text_buffer, 300), public_key, sealed, &sealed_bytes, NULL),
           ERR_OK);
    uint64_t taken = 0;
    for (size_t at = 0; at < sealed_bytes; at++) {
        sealed[at] ^= 1;
        taken += !backup_open(bytes_from(sealed, sealed_bytes), secret, opened, &size, NULL);
        sealed[at] ^= 1;
        taken += !backup_open(bytes_from(sealed, at), secret, opened, &size, NULL);
    }
    is_int(taken, 0);
}

int main(void) {
    if (sodium_init() < 0)
        return 1;
    make_site();
    test_round();
    test_cut();
    test_refused();
    test_limits();
    test_collect();
    test_sealed();
    nftw(site_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return done();
}
