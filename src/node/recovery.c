/* recovery.c - the key that opens a vault when every node is lost, on paper in several hands. */
#include "node/recovery.h"

#include "base/time.h"
#include "formats/age/age.h"
#include "paper/paper.h"

#include <nettle/sha2.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES 1024u

bool recovery_read_split(const char *text, struct recovery *recovery) {
    struct bytes rest = bytes_from_string(text), threshold;
    uint64_t k, n;
    if (!bytes_next_part(&rest, '/', &threshold) || !bytes_to_u64(threshold, &k) ||
        !bytes_to_u64(rest, &n) || k == 0 || k > n || n > SLIP39_SHARE_COUNT_MAX ||
        (k == 1 && n > 1)) {
        fprintf(stderr,
                "veilleuse: --shares takes K/N: K of N shares give the key back, 2 to 16 of "
                "at most 16, or 1/1\n");
        return false;
    }
    recovery->threshold = (unsigned)k;
    recovery->count = (unsigned)n;
    return true;
}

enum err recovery_make(struct recovery *recovery, struct fault *fault) {
    randombytes_buf(recovery->secret, sizeof recovery->secret);
    age_public_key(recovery->secret, recovery->public_key);
    struct slip39_options options = {.threshold = recovery->threshold, .count = recovery->count};
    enum err err = slip39_split(bytes_from(recovery->secret, sizeof recovery->secret), &options,
                                randombytes_buf, recovery->shares);
    return err ? fault_set(fault, err, "the recovery key cannot be split so") : ERR_OK;
}

void recovery_clear(struct recovery *recovery) {
    sodium_memzero(recovery, sizeof *recovery);
}

/* SHA-256 of the share's words: it names a share and tells nothing of it. */
static void hash_share(const struct slip39_share *share, uint8_t hash[TLOG_HASH_BYTES]) {
    char words[SLIP39_TEXT_BYTES_MAX];
    struct text text;
    struct sha256_ctx sha;
    text_init(&text, words, sizeof words);
    slip39_put_share(&text, share);
    sha256_init(&sha);
    sha256_update(&sha, text.size, (const uint8_t *)words);
    sha256_digest(&sha, TLOG_HASH_BYTES, hash);
    sodium_memzero(words, sizeof words);
    sodium_memzero(&sha, sizeof sha);
}

enum err recovery_write_public(const struct recovery *recovery, const char *site_dir,
                               struct fault *fault) {
    char vault_dir[PATH_BYTES];
    struct vault_recovery public = {.threshold = recovery->threshold,
                                    .share_count = recovery->count};
    memcpy(public.public_key, recovery->public_key, sizeof public.public_key);
    for (unsigned i = 0; i < recovery->count; i++)
        hash_share(&recovery->shares[i], public.share_hashes[i]);
    snprintf(vault_dir, sizeof vault_dir, "%s/vault", site_dir);
    return vault_recovery_write(NULL, vault_dir, &public, fault);
}

/* ---- giving out ---- */

static void give_out_text(const struct recovery *recovery, const char *recipient) {
    printf(
        "\nThe recovery key, %s, in %u shares; any %u of them open this vault when every node is\n"
        "lost. They are shown this once and kept nowhere: write or print each on a sheet of its "
        "own,\n"
        "and give them to different people. `veilleuse key recover` takes them.\n",
        recipient, recovery->count, recovery->threshold);
    for (unsigned i = 0; i < recovery->count; i++) {
        char words[SLIP39_TEXT_BYTES_MAX];
        struct text text;
        text_init(&text, words, sizeof words);
        slip39_put_share(&text, &recovery->shares[i]);
        printf("\nshare %u of %u:\n%s\n", i + 1, recovery->count, words);
        sodium_memzero(words, sizeof words);
    }
}

static enum err give_out_pdf(const struct recovery *recovery, const char *site_name,
                             const char *origin, const char *recipient, const char *path,
                             struct fault *fault) {
    char(*words)[SLIP39_TEXT_BYTES_MAX] =
        sodium_allocarray(SLIP39_SHARE_COUNT_MAX, sizeof words[0]);
    struct bytes texts[SLIP39_SHARE_COUNT_MAX];
    char day[32];
    struct text text;
    if (!words)
        return fault_set(fault, ERR_MEMORY, "no memory for the sheets");
    for (unsigned i = 0; i < recovery->count; i++) {
        text_init(&text, words[i], sizeof words[i]);
        slip39_put_share(&text, &recovery->shares[i]);
        texts[i] = text_bytes(&text);
    }
    text_init(&text, day, sizeof day);
    time_put_iso_utc(&text, sys_now_us(NULL));
    day[10] = 0; /* 2026-11-25T... */
    struct paper_recovery paper = {
        .site_name = site_name,
        .origin = origin,
        .created = day,
        .recipient = recipient,
        .identifier = recovery->shares[0].identifier,
        .threshold = recovery->threshold,
        .count = recovery->count,
        .words = texts,
    };
    enum err err = paper_recovery_sheets(NULL, path, &paper, fault);
    sodium_free(words);
    if (!err)
        printf(
            "The recovery key's %u sheets are in %s: print it, give each sheet to another person, "
            "then delete the file.\nAny %u of them open this vault when every node is lost.\n",
            recovery->count, path, recovery->threshold);
    return err;
}

enum err recovery_give_out(const struct recovery *recovery, const char *site_name,
                           const char *origin, const char *pdf_path, struct fault *fault) {
    char recipient[128];
    struct text text;
    text_init(&text, recipient, sizeof recipient);
    age_put_recipient(&text, recovery->public_key);
    if (pdf_path)
        return give_out_pdf(recovery, site_name, origin, recipient, pdf_path, fault);
    give_out_text(recovery, recipient);
    return fflush(stdout) ? fault_set(fault, ERR_IO, "the shares cannot be written out") : ERR_OK;
}

/* ---- putting together ---- */

enum err recovery_read_shares(const char *path, char *buffer, struct bytes *text,
                              struct fault *fault) {
    size_t filled = 0;
    ssize_t size;
    enum err err = ERR_OK;
    if (path) {
        err = sys_read_file(NULL, path, buffer, RECOVERY_SHARES_BYTES_MAX, &filled, fault);
    } else {
        if (isatty(STDIN_FILENO))
            fprintf(stderr, "Type the shares, one a line, then an empty line (Ctrl-D):\n");
        while (filled < RECOVERY_SHARES_BYTES_MAX &&
               (size = sys_read(NULL, STDIN_FILENO, buffer + filled,
                                RECOVERY_SHARES_BYTES_MAX - filled)) > 0)
            filled += (size_t)size;
    }
    *text = bytes_from(buffer, filled);
    return err;
}

struct gathered {
    struct slip39_share shares[SLIP39_SHARE_COUNT_MAX];
    unsigned lines[SLIP39_SHARE_COUNT_MAX]; /* where each was read */
    unsigned count;
    bool has_wrong;
};

static void say_wrong(struct gathered *gathered, unsigned line, const char *what, unsigned word) {
    gathered->has_wrong = true;
    fprintf(stderr, "veilleuse: the share in line %u: %s", line, what);
    if (word)
        fprintf(stderr, " (word %u)", word);
    fputc('\n', stderr);
}

/* Is it one of those the vault names? */
static bool is_named(const struct vault_recovery *public, const struct slip39_share *share) {
    uint8_t hash[TLOG_HASH_BYTES];
    hash_share(share, hash);
    for (unsigned i = 0; i < public->share_count; i++)
        if (!memcmp(hash, public->share_hashes[i], sizeof hash))
            return true;
    return false;
}

static void take_line(struct gathered *gathered, const struct vault_recovery *public,
                      struct bytes line, unsigned number) {
    struct slip39_verdict verdict;
    struct slip39_share share;
    if (slip39_read_share(line, &share, &verdict)) {
        bool has_word = verdict.problem == SLIP39_NO_WORD || verdict.problem == SLIP39_CHECKSUM;
        say_wrong(gathered, number, slip39_problem_text(verdict.problem),
                  has_word ? verdict.at : 0);
        return;
    }
    if (public->share_count && !is_named(public, &share))
        say_wrong(gathered, number, "it is no share of this vault's recovery key", 0);
    else if (gathered->count == SLIP39_SHARE_COUNT_MAX)
        say_wrong(gathered, number, "there are too many shares", 0);
    else {
        gathered->lines[gathered->count] = number;
        gathered->shares[gathered->count++] = share;
    }
    sodium_memzero(&share, sizeof share);
}

/* A line that says "share 2 of 5:", holds no letter or is a comment is none. */
static bool is_share_line(struct bytes line) {
    bool has_letter = false;
    line = bytes_trim(line);
    for (size_t i = 0; i < line.size; i++)
        has_letter |= (line.data[i] | 0x20) >= 'a' && (line.data[i] | 0x20) <= 'z';
    return has_letter && line.data[0] != '#' && line.data[line.size - 1] != ':';
}

static enum err join(struct gathered *gathered, uint8_t secret[VAULT_PUBLIC_KEY_BYTES],
                     struct fault *fault) {
    struct slip39_verdict verdict = {0};
    uint8_t whole[SLIP39_SECRET_BYTES_MAX];
    size_t size = 0;
    enum err err =
        slip39_combine(gathered->shares, gathered->count, BYTES_NONE, whole, &size, &verdict);
    if (!err && size != VAULT_PUBLIC_KEY_BYTES)
        err = ERR_INPUT;
    if (!err)
        memcpy(secret, whole, VAULT_PUBLIC_KEY_BYTES);
    sodium_memzero(whole, sizeof whole);
    if (verdict.problem == SLIP39_TOO_FEW)
        fprintf(stderr, "veilleuse: %u more %s needed\n", verdict.at,
                verdict.at == 1 ? "share is" : "shares are");
    else if (err && verdict.problem != SLIP39_DIGEST && verdict.at < gathered->count)
        say_wrong(gathered, gathered->lines[verdict.at], slip39_problem_text(verdict.problem), 0);
    if (err == ERR_MORE)
        err = ERR_INPUT;
    return err ? fault_set(fault, err, "these shares do not give the recovery key") : ERR_OK;
}

enum err recovery_combine(const char *vault_dir, struct bytes text,
                          uint8_t secret[VAULT_PUBLIC_KEY_BYTES], struct fault *fault) {
    struct vault_recovery public;
    struct fault own = {0};
    struct bytes line;
    enum err err = vault_recovery_read(NULL, vault_dir, &public, &own);
    if (err == ERR_NOT_FOUND)
    public = (struct vault_recovery){0};
    else if (err) fprintf(
        stderr, "veilleuse: %s/recovery cannot be read: shares are not checked against it\n",
        vault_dir);
    struct gathered *gathered = sodium_malloc(sizeof *gathered);
    if (!gathered)
        return fault_set(fault, ERR_MEMORY, "no memory for the shares");
    memset(gathered, 0, sizeof *gathered);
    for (unsigned number = 1; bytes_next_part(&text, '\n', &line); number++)
        if (is_share_line(line))
            take_line(gathered, &public, line, number);
    /* A wrong one is named; if enough others are right, they suffice. */
    bool enough = public.threshold && gathered->count >= public.threshold;
    err = gathered->count == 0 ? fault_set(fault, ERR_INPUT, "there is no share to be read")
          : gathered->has_wrong && !enough
              ? fault_set(fault, ERR_INPUT, "a share is wrong, and there are too few without it")
              : join(gathered, secret, fault);
    uint8_t public_key[VAULT_PUBLIC_KEY_BYTES];
    if (!err)
        age_public_key(secret, public_key);
    if (!err && public.threshold && memcmp(public_key, public.public_key, sizeof public_key))
        err = fault_set(fault, ERR_CRYPTO, "the shares give another key than this vault's");
    sodium_free(gathered);
    return err;
}
