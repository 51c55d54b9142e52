/* log.c - the public formats: Merkle trees, names of tiles, verifier keys, signed checkpoints, inclusion proofs. */
#include "verify.h"

#include <sodium.h>
#include <string.h>

/* SHA-256 over what stands in front, and what comes behind it. */
static void hash_of(struct view front, struct view rest, uint8_t out[HASH]) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, front.data, front.size);
    crypto_hash_sha256_update(&state, rest.data, rest.size);
    crypto_hash_sha256_final(&state, out);
}

/* ---- RFC 6962, section 2.1; the page's "Tree" ---- */

void leaf_hash(struct view entry, uint8_t out[HASH]) {
    hash_of((struct view){(const uint8_t[]){0x00}, 1}, entry, out);
}

static void node_hash(const uint8_t left[HASH], const uint8_t right[HASH], uint8_t out[HASH]) {
    uint8_t front[1 + HASH] = {0x01};
    memcpy(front + 1, left, HASH);
    hash_of((struct view){front, sizeof front}, (struct view){right, HASH}, out);
}

/* As a binary counter is raised: each bit that was set joins its subtree with the new one. The subtree that ends with this
 * leaf is left in peak[l] for every l up to the last one joined, so after 256^L leaves peak[8 * L] is a hash of a level-L tile. */
void tree_push(struct tree *tree, const uint8_t leaf[HASH]) {
    uint8_t hash[HASH], joined[HASH];
    unsigned level = 0;
    memcpy(hash, leaf, HASH);
    for (; tree->size >> level & 1; level++) {
        node_hash(tree->peak[level], hash, joined);
        memcpy(tree->peak[level], hash, HASH);
        memcpy(hash, joined, HASH);
    }
    memcpy(tree->peak[level], hash, HASH);
    tree->size++;
}

void tree_root(const struct tree *tree, uint8_t out[HASH]) {
    bool begun = false;
    crypto_hash_sha256(out, NULL, 0); /* of the empty tree */
    for (unsigned level = 0; level < 64; level++) {
        if (!(tree->size >> level & 1))
            continue;
        if (begun)
            node_hash(tree->peak[level], out, out);
        else
            memcpy(out, tree->peak[level], HASH);
        begun = true;
    }
}

/* RFC 9162, section 2.1.3.2. */
bool proof_holds(const uint8_t leaf[HASH], uint64_t index, uint64_t size, uint8_t path[][HASH],
                 size_t path_count, const uint8_t root[HASH]) {
    uint64_t node = index, last = size - 1;
    uint8_t hash[HASH];
    memcpy(hash, leaf, HASH);
    for (size_t i = 0; i < path_count && index < size; i++) {
        if (last == 0)
            return false;
        if (node & 1 || node == last) {
            node_hash(path[i], hash, hash);
            for (; !(node & 1) && node; node >>= 1)
                last >>= 1;
        } else {
            node_hash(hash, path[i], hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return index < size && last == 0 && memcmp(hash, root, HASH) == 0;
}

/* ---- numbers, base64, names of tiles (tlog-tiles) ---- */

bool number_read(const char *text, uint64_t *out) {
    uint64_t value = 0;
    for (const char *digit = text; *digit; digit++)
        if (*digit < '0' || *digit > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value))
            return false;
    *out = value;
    return text[0] && (text[0] != '0' || !text[1]);
}

uint64_t big_endian(const uint8_t *data, unsigned bytes) {
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | *data++;
    return value;
}

/* libsodium refuses missing padding, blanks and bits that nobody reads; but it takes '+' and '/' with their highest bit set. */
int64_t base64_read(const char *text, size_t letters, uint8_t *out, size_t room, bool padded) {
    int form = padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
    size_t size = 0;
    for (size_t i = 0; i < letters; i++)
        if ((unsigned char)text[i] >= 0x80)
            return -1;
    return sodium_base642bin(out, room, text, letters, NULL, &size, NULL, form) ? -1
                                                                                : (int64_t)size;
}

bool base64_is(const char *text, size_t letters, uint8_t *out, size_t bytes) {
    return base64_read(text, letters, out, bytes, true) == (int64_t)bytes;
}

void base64_of_hash(const uint8_t hash[HASH], char out[48]) {
    sodium_bin2base64(out, 48, hash, HASH, sodium_base64_VARIANT_ORIGINAL);
}

void tile_name(char out[NAME_ROOM], int level, uint64_t n, unsigned width) {
    uint64_t group = 1;
    while (n / group >= 1000)
        group *= 1000;
    int at = level < 0 ? snprintf(out, NAME_ROOM, "tile/entries")
                       : snprintf(out, NAME_ROOM, "tile/%d", level);
    for (; group > 0; group /= 1000)
        at += snprintf(out + at, NAME_ROOM - (size_t)at, group > 1 ? "/x%03u" : "/%03u",
                       (unsigned)(n / group % 1000));
    if (width < WIDTH)
        snprintf(out + at, NAME_ROOM - (size_t)at, ".p/%u", width);
}

/* ---- signed-note and tlog-checkpoint ---- */

/* key id = SHA-256(name || LF || 0x01 || public key), its first four bytes */
static void key_id(const char *name, const uint8_t public_key[HASH], uint8_t out[4]) {
    uint8_t typed[2 + HASH] = {'\n', 0x01}, hash[HASH];
    memcpy(typed + 2, public_key, HASH);
    hash_of((struct view){(const uint8_t *)name, strlen(name)}, (struct view){typed, sizeof typed},
            hash);
    memcpy(out, hash, 4);
}

/* <stem>/<epoch>: printable, no blank, no '+', and an epoch behind the last '/' */
static bool origin_is_sound(const char *name, size_t bytes) {
    if (bytes == 0 || bytes > ORIGIN_MAX || name[bytes - 1] == '/' || !memchr(name, '/', bytes))
        return false;
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f || name[i] == '+')
            return false;
    return true;
}

/* <name>+<key id, 8 hexadecimal digits>+base64(0x01 || public key) */
const char *verifier_line_next(const char **lines, struct key *out) {
    const char *line = *lines, *end = strchr(line, '\n'), *plus = strchr(line, '+');
    uint8_t typed[1 + HASH], id[4];
    char hex[9];
    if (!end)
        return "its last line has no end";
    *lines = end + 1;
    if (!plus || end - plus < 10 || plus[9] != '+' ||
        !origin_is_sound(line, (size_t)(plus - line)) ||
        !base64_is(plus + 10, (size_t)(end - plus) - 10, typed, sizeof typed) || typed[0] != 0x01)
        return "a line is not of the form <name>+<key id>+<Ed25519 key>";
    *out = (struct key){0};
    memcpy(out->name, line, (size_t)(plus - line));
    memcpy(out->public_key, typed + 1, HASH);
    key_id(out->name, out->public_key, id);
    sodium_bin2hex(hex, sizeof hex, id, sizeof id);
    return memcmp(hex, plus + 1, 8) ? "a key's id does not follow from its name and the key" : NULL;
}

/* The stem of an origin: "<site>/veilleuse/<node>/". Behind it stands the epoch. */
bool same_stem(const char *a, const char *b) {
    size_t stem = (size_t)(strrchr(a, '/') - a) + 1;
    return strncmp(a, b, stem) == 0 && !strchr(b + stem, '/');
}

/* The text is three lines (no extension lines in this log), then an empty line, then signatures. It is made again from
 * what was read and must be the same, so there is one way only to write it. */
const char *checkpoint_read(const char *note, struct checkpoint *out) {
    char digits[21], root[45], again[ORIGIN_MAX + 80];
    bool good = sscanf(note, "%200[^\n]\n%20[0-9]\n%44[^\n]\n", out->origin, digits, root) == 3;
    if (good) {
        snprintf(again, sizeof again, "%s\n%s\n%s\n\n", out->origin, digits, root);
        out->text_bytes = strlen(again) - 1;
        good = strncmp(note, again, strlen(again)) == 0 &&
               origin_is_sound(out->origin, strlen(out->origin)) &&
               number_read(digits, &out->size) && base64_is(root, strlen(root), out->root, HASH);
    }
    return good ? NULL : "the note is no checkpoint";
}

/* Signature lines: em dash, blank, name, blank, base64(id || signature). Those of other keys are passed over. */
const char *checkpoint_signed(const char *note, const struct checkpoint *checkpoint,
                              const uint8_t public_key[HASH]) {
    uint8_t id[4], found[4 + crypto_sign_BYTES];
    char own[ORIGIN_MAX + 8];
    size_t own_bytes = (size_t)snprintf(own, sizeof own, "\xe2\x80\x94 %s ", checkpoint->origin);
    bool signed_by_log = false;
    key_id(checkpoint->origin, public_key, id);
    for (const char *line = note + checkpoint->text_bytes + 1, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end || strncmp(line, own, 4) != 0)
            return "a line behind the note's text is no signature";
        if (strncmp(line, own, own_bytes) != 0 ||
            !base64_is(line + own_bytes, (size_t)(end - line) - own_bytes, found, sizeof found) ||
            memcmp(found, id, 4) != 0)
            continue;
        if (crypto_sign_verify_detached(found + 4, (const uint8_t *)note, checkpoint->text_bytes,
                                        public_key) != 0)
            return "the signature does not hold";
        signed_by_log = true;
    }
    return signed_by_log ? NULL : "no signature is the log's";
}
