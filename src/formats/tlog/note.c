/* note.c - checkpoints and signed notes: written, read, signed, verified. */
#include "formats/tlog/lines.h"

#include <nettle/sha2.h>
#include <sodium.h>

#define ALGORITHM_ED25519 0x01
#define SIGNER_PREFIX     "PRIVATE+KEY+"
#define SIGNATURE_PREFIX  "\xE2\x80\x94 " /* EM DASH, space */

/* SHA-256(name || LF || type || public key)[:4] */
static uint32_t key_id(struct bytes name, const uint8_t public_key[32]) {
    static const uint8_t middle[2] = {'\n', ALGORITHM_ED25519};
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&sha);
    sha256_update(&sha, name.size, name.data);
    sha256_update(&sha, sizeof middle, middle);
    sha256_update(&sha, 32, public_key);
    sha256_digest(&sha, sizeof digest, digest);
    return load_u32(digest);
}

static bool name_is_valid(struct bytes name) {
    if (name.size == 0 || name.size > TLOG_NAME_BYTES_MAX || !bytes_is_utf8(name, NULL))
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] == '+' || name.data[i] == 0x7F)
            return false;
    return true;
}

static enum err verifier_set(struct tlog_verifier *verifier, struct bytes name,
                             const uint8_t public_key[32]) {
    if (!name_is_valid(name))
        return ERR_INPUT;
    memcpy(verifier->name, name.data, name.size);
    verifier->name[name.size] = 0;
    memcpy(verifier->public_key, public_key, 32);
    verifier->key_id = key_id(name, public_key);
    return ERR_OK;
}

enum err tlog_verifier_rename(struct tlog_verifier *verifier, struct bytes name) {
    uint8_t public_key[32];
    memcpy(public_key, verifier->public_key, sizeof public_key);
    return verifier_set(verifier, name, public_key);
}

enum err tlog_signer_from_seed(struct tlog_signer *signer, struct bytes name,
                               const uint8_t seed[32]) {
    uint8_t public_key[32];
    crypto_sign_ed25519_seed_keypair(public_key, signer->secret_key, seed);
    return verifier_set(&signer->verifier, name, public_key);
}

/* "<name>+<hex key id>+<base64(type || key)>", the form that both halves of a key share. */
static void put_key(struct text *out, const struct tlog_verifier *verifier, const uint8_t key[32]) {
    uint8_t typed[33], id[4];
    typed[0] = ALGORITHM_ED25519;
    memcpy(typed + 1, key, 32);
    store_u32(id, verifier->key_id);
    text_put_string(out, verifier->name);
    text_put_char(out, '+');
    text_put_hex(out, bytes_from(id, sizeof id));
    text_put_char(out, '+');
    text_put_base64(out, bytes_from(typed, sizeof typed));
    sodium_memzero(typed, sizeof typed);
}

/* The key's base64 may hold '+' itself: only the first two are separators. */
static enum err read_key(struct bytes text, struct bytes *name, uint32_t *id, uint8_t key[32]) {
    struct bytes rest = bytes_trim(text), id_text;
    uint8_t id_bytes[4], typed[33];
    size_t size;
    if (!bytes_next_part(&rest, '+', name) || !bytes_next_part(&rest, '+', &id_text) ||
        !hex_decode(id_text, id_bytes, sizeof id_bytes) ||
        !base64_decode(rest, typed, sizeof typed, &size) || size != sizeof typed)
        return ERR_INPUT;
    if (typed[0] != ALGORITHM_ED25519)
        return ERR_UNSUPPORTED;
    *id = load_u32(id_bytes);
    memcpy(key, typed + 1, 32);
    sodium_memzero(typed, sizeof typed);
    return ERR_OK;
}

void tlog_put_verifier(struct text *out, const struct tlog_verifier *verifier) {
    put_key(out, verifier, verifier->public_key);
}

enum err tlog_verifier_read(struct bytes text, struct tlog_verifier *out) {
    struct bytes name;
    uint32_t id;
    uint8_t key[32];
    enum err err = read_key(text, &name, &id, key);
    if (!err)
        err = verifier_set(out, name, key);
    return err ? err : out->key_id == id ? ERR_OK : ERR_CRYPTO;
}

void tlog_put_signer(struct text *out, const struct tlog_signer *signer) {
    text_put_string(out, SIGNER_PREFIX);
    put_key(out, &signer->verifier, signer->secret_key);
}

enum err tlog_signer_read(struct bytes text, struct tlog_signer *signer) {
    struct bytes name, prefix = BYTES(SIGNER_PREFIX);
    uint32_t id;
    uint8_t seed[32];
    if (!bytes_starts_with(text, prefix))
        return ERR_INPUT;
    enum err err = read_key(bytes_skip(text, prefix.size), &name, &id, seed);
    if (!err)
        err = tlog_signer_from_seed(signer, name, seed);
    sodium_memzero(seed, sizeof seed);
    return err ? err : signer->verifier.key_id == id ? ERR_OK : ERR_CRYPTO;
}

void tlog_put_checkpoint(struct text *out, const struct tlog_checkpoint *checkpoint) {
    text_put(out, checkpoint->origin);
    text_put_char(out, '\n');
    text_put_u64(out, checkpoint->size);
    text_put_char(out, '\n');
    text_put_base64(out, bytes_from(checkpoint->root.bytes, TLOG_HASH_BYTES));
    text_put_char(out, '\n');
    text_put(out, checkpoint->extension);
}

/* The body ends at the last empty line; a body alone has none. */
static bool split_note(struct bytes note, struct bytes *body, struct bytes *signatures) {
    if (note.size == 0 || note.size > TLOG_NOTE_BYTES_MAX || note.data[note.size - 1] != '\n' ||
        !text_is_clean(note))
        return false;
    for (size_t i = note.size - 1; i > 0; i--)
        if (note.data[i] == '\n' && note.data[i - 1] == '\n') {
            *body = bytes_first(note, i);
            *signatures = bytes_skip(note, i + 1);
            return signatures->size > 0;
        }
    *body = note;
    *signatures = BYTES_NONE;
    return true;
}

/* Extension lines are never empty (tlog-checkpoint). */
static bool has_empty_line(struct bytes lines) {
    struct bytes line;
    while (line_next(&lines, &line))
        if (line.size == 0)
            return true;
    return false;
}

enum err tlog_checkpoint_read(struct bytes note, struct tlog_checkpoint *out, struct bytes *body) {
    struct bytes signatures, rest, origin, size, root;
    if (!split_note(note, body, &signatures))
        return ERR_INPUT;
    rest = *body;
    if (!line_next(&rest, &origin) || !line_next(&rest, &size) || !line_next(&rest, &root))
        return ERR_INPUT;
    if (origin.size == 0 || origin.size > TLOG_ORIGIN_BYTES_MAX || !line_number(size, &out->size) ||
        !line_hash(root, &out->root) || has_empty_line(rest))
        return ERR_INPUT;
    out->origin = origin;
    out->extension = rest;
    return ERR_OK;
}

void tlog_put_signature(struct text *out, const struct tlog_signer *signer, struct bytes body) {
    uint8_t line[4 + crypto_sign_ed25519_BYTES];
    store_u32(line, signer->verifier.key_id);
    crypto_sign_ed25519_detached(line + 4, NULL, body.data, body.size, signer->secret_key);
    text_put_string(out, SIGNATURE_PREFIX);
    text_put_string(out, signer->verifier.name);
    text_put_char(out, ' ');
    text_put_base64(out, bytes_from(line, sizeof line));
    text_put_char(out, '\n');
}

/* One signature line. ERR_MORE: of another key, to be passed over. */
static enum err check_signature(struct bytes line, struct bytes body,
                                const struct tlog_verifier *verifier) {
    struct bytes prefix = BYTES(SIGNATURE_PREFIX), name;
    uint8_t signature[4 + crypto_sign_ed25519_BYTES];
    size_t size;
    if (!bytes_starts_with(line, prefix))
        return ERR_INPUT;
    struct bytes rest = bytes_skip(line, prefix.size);
    if (!bytes_next_part(&rest, ' ', &name) || !name_is_valid(name))
        return ERR_INPUT;
    if (!bytes_is(name, verifier->name))
        return ERR_MORE;
    /* The key's number alone first: a key of this name may be of another kind, with signatures of another size. */
    if (rest.size < 8 || !base64_decode(bytes_first(rest, 8), signature, 6, &size) || size < 5)
        return ERR_INPUT;
    if (load_u32(signature) != verifier->key_id)
        return ERR_MORE;
    if (!base64_decode(rest, signature, sizeof signature, &size) || size != sizeof signature ||
        crypto_sign_ed25519_verify_detached(signature + 4, body.data, body.size,
                                            verifier->public_key))
        return ERR_CRYPTO;
    return ERR_OK;
}

enum err tlog_note_verify(struct bytes note, const struct tlog_verifier *verifier,
                          struct bytes *body) {
    struct bytes signatures, line;
    if (!split_note(note, body, &signatures) || bytes_is_empty(signatures))
        return ERR_INPUT;
    bool found = false;
    while (line_next(&signatures, &line)) {
        enum err err = check_signature(line, *body, verifier);
        if (err == ERR_INPUT || err == ERR_CRYPTO)
            return err;
        found = found || err == ERR_OK;
    }
    return found && bytes_is_empty(signatures) ? ERR_OK : ERR_CRYPTO;
}
