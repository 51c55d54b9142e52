/* main.c - veilleuse-verify: the command line. */
#include "verify.h"

#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

static const char usage_text[] =
    "usage: veilleuse-verify [--key LINE | --key-file FILE] VAULT\n"
    "       veilleuse-verify [--key LINE | --key-file FILE] --identity FILE [--passphrase-file "
    "FILE]\n"
    "                        [--from N] [--to N] [--raw] VAULT\n"
    "       veilleuse-verify {--key LINE | --key-file FILE} --proof FILE\n"
    "VAULT is a site's directory, its vault directory, or a copy of it. LINE is a line of "
    "`verifier` that\n"
    "came by another way. Exits 0 whole, 65 damaged, 66 not found, 64 wrong use.\n";

/* ---- tlog-proof: extra (the sealed entry), index, the path, an empty line, the checkpoint ---- */

/* What stands behind `start` in the line that *rest begins with; *rest goes on behind it. NULL: it begins otherwise. */
static const char *line_next(char **rest, const char *start) {
    char *line = *rest, *end = strchr(line, '\n');
    if (!end || strncmp(line, start, strlen(start)) != 0)
        return NULL;
    *end = 0;
    *rest = end + 1;
    return line + strlen(start);
}

/* One of the lines has the key that signed it, under an origin that differs in its epoch only. */
static bool is_signed_by(const char *given, const char *note, const struct checkpoint *checkpoint) {
    struct key key;
    while (*given)
        if (!verifier_line_next(&given, &key) && same_stem(key.name, checkpoint->origin) &&
            !checkpoint_signed(note, checkpoint, key.public_key))
            return true;
    return false;
}

static const char *proof_check(char *text, const char *given, struct checkpoint *checkpoint,
                               uint64_t *index, uint8_t leaf[HASH]) {
    static uint8_t entry[65535];
    uint8_t path[65][HASH];
    size_t count = 0;
    const char *line = line_next(&text, "c2sp.org/tlog-proof@v1");
    if (!line || *line)
        return "is no tlog-proof of version 1";
    line = line_next(&text, "extra ");
    int64_t bytes = line ? base64_read(line, strlen(line), entry, sizeof entry, true) : -1;
    if (bytes < 0)
        return "has no sealed entry as its extra data";
    line = line_next(&text, "index ");
    if (!line || !number_read(line, index))
        return "has no index";
    while ((line = line_next(&text, "")) && *line)
        if (count == 65 || !base64_is(line, strlen(line), path[count++], HASH))
            return "has a path that is none";
    if (!line)
        return "has no checkpoint";
    const char *wrong = checkpoint_read(text, checkpoint);
    if (wrong)
        return wrong;
    if (!is_signed_by(given, text, checkpoint))
        return "no key that was given has signed its checkpoint";
    leaf_hash((struct view){entry, (size_t)bytes}, leaf);
    return proof_holds(leaf, *index, checkpoint->size, path, count, checkpoint->root)
               ? NULL
               : "does not lead to the signed root";
}

static int proof_print(const char *path, const char *given) {
    static char text[1 << 18];
    struct checkpoint checkpoint;
    uint64_t index;
    uint8_t leaf[HASH];
    char hex[2 * HASH + 1], root[48];
    const char *wrong = "is no text";
    if (own_file_read(path, text, sizeof text) == strlen(text))
        wrong = proof_check(text, given, &checkpoint, &index, leaf);
    if (wrong) {
        printf("NOT PROVEN: %s: %s\n", path, wrong);
        return EXIT_DAMAGED;
    }
    sodium_bin2hex(hex, sizeof hex, leaf, HASH);
    base64_of_hash(checkpoint.root, root);
    printf("proven: entry %" PRIu64 " of %s, among %" PRIu64 " entries, root %s, leaf %s\n", index,
           checkpoint.origin, checkpoint.size, root, hex);
    return 0;
}

/* ---- options ---- */

/* The keys from elsewhere, as lines: all of them must be verifier keys. */
static bool given_read(const char *line, const char *path, char *out, size_t room) {
    struct key key;
    const char *lines = out, *wrong;
    snprintf(out, room, "%s\n", line ? line : "");
    if (path)
        own_file_read(path, out, room);
    do
        wrong = verifier_line_next(&lines, &key);
    while (!wrong && *lines);
    if (wrong)
        fprintf(stderr, "veilleuse-verify: --key: %s\n", wrong);
    return !wrong;
}

static bool is_there(const char *dir, const char *name) {
    char path[PATH_ROOM];
    struct stat status;
    snprintf(path, sizeof path, "%.3500s/%s", dir, name);
    return stat(path, &status) == 0;
}

/* A site's directory holds the vault as vault/. */
static bool vault_find(const char *path, struct vault *vault) {
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size > sizeof vault->dir - 8)
        return false;
    memcpy(vault->dir, path, size);
    if (is_there(vault->dir, "vault"))
        memcpy(vault->dir + size, "/vault", 7);
    return is_there(vault->dir, "verifier") || is_there(vault->dir, "checkpoint") ||
           is_there(vault->dir, "tile");
}

int main(int count, char **arguments) {
    enum { NONE, KEY, KEYS, IDENTITY, PASSPHRASE, FROM, TO, PROOF, RAW, OPTIONS };
    static const struct option options[] = {{"key", 1, NULL, KEY},
                                            {"key-file", 1, NULL, KEYS},
                                            {"identity", 1, NULL, IDENTITY},
                                            {"passphrase-file", 1, NULL, PASSPHRASE},
                                            {"from", 1, NULL, FROM},
                                            {"to", 1, NULL, TO},
                                            {"proof", 1, NULL, PROOF},
                                            {"raw", 0, NULL, RAW},
                                            {NULL, 0, NULL, 0}};
    static char given[LINES_MAX];
    static struct vault vault;
    const char *value[OPTIONS] = {NULL}, *file;
    bool good = sodium_init() >= 0;
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;)
        if (option > NONE && option < OPTIONS)
            value[option] = optarg ? optarg : "";
        else
            good = false;
    uint64_t from = 0, to = UINT64_MAX;
    bool trusted = value[KEY] || value[KEYS], reads = value[IDENTITY];
    const char *path = optind + 1 == count ? arguments[optind] : NULL;
    if ((value[FROM] && !number_read(value[FROM], &from)) ||
        (value[TO] && !number_read(value[TO], &to)) || optind + (path != NULL) != count ||
        (!reads && (value[RAW] || value[FROM] || value[TO] || value[PASSPHRASE])) ||
        (value[PROOF] ? path || reads || !trusted : !path) || !good) {
        fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    if (trusted && !given_read(value[KEY], value[KEYS], given, sizeof given))
        return EXIT_USAGE;
    if (value[PROOF])
        return proof_print(value[PROOF], given);
    if (!vault_find(path, &vault)) {
        fprintf(stderr, "veilleuse-verify: %s: no vault is there\n", path);
        return EXIT_NOT_FOUND;
    }
    if (!reads) {
        if (!trusted)
            fputs("key: the vault's own `verifier`, so only accidents are noticed; give --key from "
                  "elsewhere\n",
                  stderr);
        return vault_check(&vault, trusted ? given : NULL);
    }
    const char *wrong = vault_begin(&vault, trusted ? given : NULL, &file);
    if (wrong) {
        printf("DAMAGED: %s: %s\n", file, wrong);
        return EXIT_DAMAGED;
    }
    return vault_print(&vault, value[IDENTITY], value[PASSPHRASE], from, to, value[RAW]);
}
