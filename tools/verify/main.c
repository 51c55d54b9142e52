/* main.c - veilleuse-verify: the command line. */
#include "verify.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
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

static int usage(void) {
    fputs(usage_text, stderr);
    return EXIT_USAGE;
}

/* ---- tlog-proof: extra (the sealed entry), index, the path, an empty line, the checkpoint ---- */

static char *line_next(char **rest) {
    char *line = *rest, *end = line ? strchr(line, '\n') : NULL;
    if (!end) {
        return NULL;
    }
    *end = 0;
    *rest = end + 1;
    return line;
}

static const char *proof_check(char *text, const char *given, struct checkpoint *checkpoint,
                               uint64_t *index, uint8_t leaf[HASH]) {
    static uint8_t entry[65535];
    uint8_t path[65][HASH];
    int64_t entry_bytes = 0;
    size_t count = 0;
    char *rest = text, *line = line_next(&rest);
    if (!line || strcmp(line, "c2sp.org/tlog-proof@v1") != 0) {
        return "is no tlog-proof of version 1";
    }
    line = line_next(&rest);
    if (!line || strncmp(line, "extra ", 6) != 0 ||
        (entry_bytes = base64_read(line + 6, strlen(line + 6), entry, sizeof entry, true)) < 0) {
        return "has no sealed entry as its extra data";
    }
    line = line_next(&rest);
    if (!line || strncmp(line, "index ", 6) != 0 ||
        !number_read(line + 6, strlen(line + 6), index)) {
        return "has no index";
    }
    while ((line = line_next(&rest)) && *line) {
        if (count == 65 || !base64_is(line, strlen(line), path[count++], HASH)) {
            return "has a path that is none";
        }
    }
    if (!line) {
        return "has no checkpoint";
    }
    const char *wrong = checkpoint_read(rest, checkpoint);
    struct key key;
    for (bool held = false; !wrong && !held;) {
        if (!*given) {
            return "no key that was given has signed its checkpoint";
        }
        held = !verifier_line_next(&given, &key) && same_stem(key.name, checkpoint->origin) &&
               !checkpoint_signed(rest, checkpoint, key.public_key);
    }
    if (wrong) {
        return wrong;
    }
    leaf_hash(entry, (size_t)entry_bytes, leaf);
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
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "veilleuse-verify: %s: not found\n", path);
        return EXIT_NOT_FOUND;
    }
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    const char *wrong =
        strlen(text) != bytes ? "is no text" : proof_check(text, given, &checkpoint, &index, leaf);
    if (wrong) {
        printf("NOT PROVEN: %s: %s\n", path, wrong);
        return EXIT_DAMAGED;
    }
    sodium_bin2hex(hex, sizeof hex, leaf, HASH);
    sodium_bin2base64(root, sizeof root, checkpoint.root, HASH, sodium_base64_VARIANT_ORIGINAL);
    printf("proven: entry %" PRIu64 " of %s, among %" PRIu64 " entries, root %s, leaf %s\n", index,
           checkpoint.origin, checkpoint.size, root, hex);
    return 0;
}

/* ---- options ---- */

/* The keys from elsewhere, as lines: all of them must be verifier keys. */
static bool given_read(const char *line, const char *path, char *out, size_t room) {
    struct key key;
    snprintf(out, room, "%s\n", line ? line : "");
    if (path) {
        FILE *file = fopen(path, "rb");
        size_t size = file ? fread(out, 1, room - 1, file) : 0;
        out[size] = 0;
        if (file) {
            fclose(file);
        }
    }
    const char *lines = out, *wrong = NULL;
    do {
        wrong = verifier_line_next(&lines, &key);
    } while (!wrong && *lines);
    if (wrong) {
        fprintf(stderr, "veilleuse-verify: --key: %s\n", wrong);
    }
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
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    if (size > sizeof vault->dir - 8) {
        return false;
    }
    memcpy(vault->dir, path, size);
    if (is_there(vault->dir, "vault")) {
        memcpy(vault->dir + size, "/vault", 7);
    }
    return is_there(vault->dir, "verifier") || is_there(vault->dir, "checkpoint") ||
           is_there(vault->dir, "tile");
}

int main(int count, char **arguments) {
    enum { KEY, KEY_FILE_OPTION, IDENTITY, PASSPHRASE, FROM, TO, PROOF, OPTIONS };
    static const char *const names[] = {"--key",  "--key-file", "--identity", "--passphrase-file",
                                        "--from", "--to",       "--proof"};
    const char *value[OPTIONS] = {NULL}, *path = NULL;
    bool raw = false;
    for (int i = 1; i < count; i++) {
        int option = 0;
        while (option < OPTIONS && strcmp(arguments[i], names[option]) != 0) {
            option++;
        }
        if (option < OPTIONS && i + 1 < count) {
            value[option] = arguments[++i];
        } else if (strcmp(arguments[i], "--raw") == 0) {
            raw = true;
        } else if (arguments[i][0] != '-' && !path) {
            path = arguments[i];
        } else {
            return usage();
        }
    }
    uint64_t from = 0, to = UINT64_MAX;
    static char given[LINES_MAX];
    bool trusted = value[KEY] || value[KEY_FILE_OPTION];
    if ((value[FROM] && !number_read(value[FROM], strlen(value[FROM]), &from)) ||
        (value[TO] && !number_read(value[TO], strlen(value[TO]), &to)) ||
        (!value[IDENTITY] && (raw || value[FROM] || value[TO] || value[PASSPHRASE])) ||
        (value[PROOF] ? path || value[IDENTITY] || !trusted : !path) || sodium_init() < 0) {
        return usage();
    }
    if (trusted && !given_read(value[KEY], value[KEY_FILE_OPTION], given, sizeof given)) {
        return EXIT_USAGE;
    }
    if (value[PROOF]) {
        return proof_print(value[PROOF], given);
    }
    static struct vault vault;
    if (!vault_find(path, &vault)) {
        fprintf(stderr, "veilleuse-verify: %s: no vault is there\n", path);
        return EXIT_NOT_FOUND;
    }
    if (!value[IDENTITY]) {
        if (!trusted) {
            fputs("key: the vault's own `verifier`, so only accidents are noticed; give --key from "
                  "elsewhere\n",
                  stderr);
        }
        return vault_check(&vault, trusted ? given : NULL);
    }
    const char *file, *wrong = vault_begin(&vault, trusted ? given : NULL, &file);
    if (wrong) {
        printf("DAMAGED: %s: %s\n", file, wrong);
        return EXIT_DAMAGED;
    }
    return vault_print(&vault, value[IDENTITY], value[PASSPHRASE], from, to, raw);
}
