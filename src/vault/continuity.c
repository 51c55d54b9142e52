/* continuity.c - has this disk been signed on since, elsewhere or by a later state of itself?
 *
 *   remembered N --intend M--> N, about to be M --keys/signed says M--> settle --> remembered M
 *   Nothing of M can be seen before it is settled; so a disk that says N, or M, while a claim is under way is the one there was. */
#include "vault/continuity.h"

#include "vault/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define MEMORY_BYTES_MAX (2u * (TLOG_ORIGIN_BYTES_MAX + 128u))

void signed_tree_put(struct text *out, const struct signed_tree *tree, const char *origin) {
    text_put_u64(out, tree->size);
    text_put_char(out, ' ');
    text_put_base64(out, bytes_from(tree->root.bytes, TLOG_HASH_BYTES));
    text_put_char(out, ' ');
    text_put_string(out, origin);
    text_put_char(out, '\n');
}

bool signed_tree_read(struct bytes line, const char *origin, struct signed_tree *tree) {
    struct bytes number, root;
    size_t root_bytes;
    return bytes_next_part(&line, ' ', &number) && bytes_to_u64(number, &tree->size) &&
           bytes_next_part(&line, ' ', &root) &&
           base64_decode(root, tree->root.bytes, TLOG_HASH_BYTES, &root_bytes) &&
           root_bytes == TLOG_HASH_BYTES && (!origin || !line.data || bytes_is(line, origin));
}

/* The name holds what the key is and for which origin. */
static void memory_path(char path[VAULT_PATH_BYTES_MAX], const char *memory_dir,
                        const struct tlog_verifier *verifier) {
    struct sha256_ctx sha;
    uint8_t hash[8];
    char hex[17];
    struct text text;
    sha256_init(&sha);
    sha256_update(&sha, strlen(verifier->name), (const uint8_t *)verifier->name);
    sha256_update(&sha, sizeof verifier->public_key, verifier->public_key);
    sha256_digest(&sha, sizeof hash, hash);
    text_init(&text, hex, sizeof hex);
    text_put_hex(&text, bytes_from(hash, sizeof hash));
    vault_path(path, memory_dir, "veilleuse-%s", hex);
}

/* Nobody else's file, and nothing that stands for one. */
static bool is_ours(struct sys *sys, int fd) {
    struct stat st;
    return !sys_fstat(sys, fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           st.st_nlink == 1;
}

static void read_memory(struct continuity *continuity) {
    char buffer[MEMORY_BYTES_MAX];
    ssize_t size = sys_pread(continuity->sys, continuity->fd, buffer, sizeof buffer, 0);
    struct bytes rest = bytes_from(buffer, size > 0 ? (size_t)size : 0), line;
    if (!size || !bytes_next_part(&rest, '\n', &line) ||
        !signed_tree_read(line, continuity->origin, &continuity->last))
        return;
    continuity->was_there = true;
    struct signed_tree next;
    if (bytes_next_part(&rest, '\n', &line) && signed_tree_read(line, continuity->origin, &next))
        continuity->next = next;
}

void continuity_open(struct continuity *continuity, struct sys *sys, const char *memory_dir,
                     const struct tlog_verifier *verifier) {
    char path[VAULT_PATH_BYTES_MAX];
    *continuity = (struct continuity){.sys = sys, .fd = -1};
    snprintf(continuity->origin, sizeof continuity->origin, "%s", verifier->name);
    memory_path(path, memory_dir, verifier);
    int fd = sys_open(sys, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    bool is_good = sys_is_memory(sys, fd) && is_ours(sys, fd);
    continuity->is_held = is_good && flock(fd, LOCK_EX | LOCK_NB);
    if (!is_good || continuity->is_held) {
        sys_close(sys, fd);
        return;
    }
    continuity->fd = fd;
    read_memory(continuity);
}

void continuity_close(struct continuity *continuity) {
    if (continuity->fd >= 0)
        sys_close(continuity->sys, continuity->fd);
    continuity->fd = -1;
}

static bool is_same(const struct signed_tree *a, const struct signed_tree *b) {
    return a->size == b->size && !memcmp(a->root.bytes, b->root.bytes, TLOG_HASH_BYTES);
}

bool continuity_is_shown(const struct continuity *continuity, const struct signed_tree *on_disk) {
    if (continuity->fd < 0 || !continuity->was_there)
        return false;
    return is_same(&continuity->last, on_disk) ||
           (continuity->next.size && is_same(&continuity->next, on_disk));
}

/* One write of at most a few hundred bytes into memory; what a crash leaves half written shows no continuity. */
static enum err write_memory(struct continuity *continuity, struct fault *fault) {
    char buffer[MEMORY_BYTES_MAX];
    struct text text;
    if (continuity->fd < 0)
        return ERR_OK;
    text_init(&text, buffer, sizeof buffer);
    signed_tree_put(&text, &continuity->last, continuity->origin);
    if (continuity->next.size)
        signed_tree_put(&text, &continuity->next, continuity->origin);
    enum err err = sys_pwrite_all(continuity->sys, continuity->fd, text_bytes(&text), 0,
                                  "the memory of what was signed", fault);
    if (!err && sys_ftruncate(continuity->sys, continuity->fd, (off_t)text.size))
        err = fault_set_errno(fault, ERR_IO, errno, "what was signed cannot be remembered", "");
    return err;
}

enum err continuity_intend(struct continuity *continuity, const struct signed_tree *next,
                           struct fault *fault) {
    continuity->next = *next;
    return write_memory(continuity, fault);
}

enum err continuity_settle(struct continuity *continuity, const struct signed_tree *tree,
                           struct fault *fault) {
    continuity->last = *tree;
    continuity->next = (struct signed_tree){0};
    return write_memory(continuity, fault);
}
