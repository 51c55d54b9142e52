/* fuzz_keys.c - the small files of keys, recovery and signatures that a copy may bring along, from any bytes. */
#include "vault/continuity.h"
#include "vault/keys.h"

#include <assert.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char site_dir[64];

static void put_file(const char *name, const uint8_t *data, size_t size) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", site_dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t written = write(fd, data, size);
    assert(fd >= 0 && written == (ssize_t)size);
    close(fd);
}

static void clean_up(void) {
    static const char *const files[] = {"keys/node.key",
                                        "keys/recipients",
                                        "keys/signing.key",
                                        "keys/changing",
                                        "vault/verifier",
                                        "vault/recovery",
                                        "vault/keys/1",
                                        "vault/keys",
                                        "vault",
                                        "keys",
                                        ""};
    char path[128];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", site_dir, files[i]);
        if (remove(path) && i + 1 == sizeof files / sizeof files[0])
            perror(path);
    }
}

static void make_site(void) {
    static const char node[] =
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n";
    static const char *const dirs[] = {"keys", "vault", "vault/keys"};
    char path[128];
    snprintf(site_dir, sizeof site_dir, "%s/veilleuse-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    char *made = mkdtemp(site_dir);
    int started = sodium_init();
    assert(made && started >= 0);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", site_dir, dirs[i]);
        if (sys_make_dirs(NULL, path, 0700, NULL))
            abort();
    }
    put_file("keys/node.key", (const uint8_t *)node, sizeof node - 1);
    atexit(clean_up);
}

static void take(void *owner, const uint8_t *public_key, const char *label) {
    (void)public_key;
    assert(strlen(label) <= VAULT_LABEL_BYTES_MAX);
    (*(size_t *)owner)++;
}

static void check_signed_tree(struct bytes in) {
    struct signed_tree tree, again;
    char buffer[512];
    struct text text;
    if (!signed_tree_read(in, NULL, &tree))
        return;
    text_init(&text, buffer, sizeof buffer);
    signed_tree_put(&text, &tree, "origin");
    bool read = signed_tree_read(bytes_trim(text_bytes(&text)), "origin", &again);
    assert(read && tree.size == again.size &&
           !memcmp(tree.root.bytes, again.root.bytes, TLOG_HASH_BYTES));
}

/* The first byte chooses the file. Whatever it holds is read, or refused. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"vault/recovery", "keys/recipients",  "vault/keys/1",
                                        "vault/verifier", "keys/signing.key", "keys/changing"};
    /* The key of the locked files of the corpus; none is worked out from a passphrase here. */
    static const struct vault_unlock unlock = {
        .salt = "sixteen letters!", .passes = 1, .memory_bytes = 8192};
    if (size == 0)
        return 0;
    if (!site_dir[0])
        make_site();
    check_signed_tree(bytes_from(data, size));
    put_file(names[data[0] % 6], data + 1, size - 1);
    char vault_dir[80], name[TLOG_ORIGIN_BYTES_MAX + 1];
    struct vault_recovery recovery;
    struct tlog_signer signer;
    struct epoch_keys *keys;
    const uint8_t *key;
    size_t count = 0;
    bool locked;
    snprintf(vault_dir, sizeof vault_dir, "%s/vault", site_dir);
    if (!vault_recovery_read(NULL, vault_dir, &recovery, NULL))
        assert(recovery.threshold > 0 && recovery.share_count <= VAULT_SHARE_COUNT_MAX);
    if (!vault_recipients_each(NULL, site_dir, take, &count, NULL))
        assert(count <= RECIPIENT_COUNT_MAX);
    if (!keys_read_log_name(NULL, site_dir, name, NULL))
        assert(strlen(name) <= TLOG_ORIGIN_BYTES_MAX);
    if (!keys_read_signer(NULL, site_dir, &unlock, &signer, NULL))
        assert(signer.verifier.name[0]);
    if (!epoch_keys_open(&keys, NULL, site_dir, &unlock, NULL)) {
        if (!epoch_keys_find(keys, 1, &key, NULL))
            assert(key);
        epoch_keys_close(keys);
    }
    if (vault_keys_are_locked(NULL, site_dir, &locked, NULL))
        locked = false;
    char path[128]; /* while it is there no other key file counts */
    snprintf(path, sizeof path, "%s/keys/changing", site_dir);
    unlink(path);
    return 0;
}
