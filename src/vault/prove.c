/* prove.c - the proof that one entry stands in the log: made from the tiles on the disk, and verified without them.
 *
 * Invariants
 *   1. All hashes are of the tree of one checkpoint, which was read first. Tiles that a running node replaces
 *      meanwhile are only gone when wider ones stand, and these begin alike.
 *   2. Nothing is handed out that was not read back from its own text and verified, signature and all. So no tile
 *      or bundle is trusted here, and none is checked twice. */
#include "vault/layout.h"

#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

#define VERIFIERS_BYTES_MAX ((size_t)1 << 20) /* some 4,000 epochs of the origin */

struct prove {
    struct sys *sys;
    const char *vault_dir;
    struct fault *fault;
    struct checkpoint_file checkpoint;
    uint8_t *bundle;
    /* The tile at hand: the walk asks for several hashes of one in a row. */
    uint8_t tile[TLOG_TILE_BYTES];
    bool has_tile;
    unsigned tile_level;
    uint64_t tile_number;
};

/* ---- tiles and bundles ---- */

static enum err read_of_width(struct prove *prove, int level, uint64_t number, unsigned width,
                              struct bytes *out, uint8_t *buffer, size_t buffer_bytes,
                              struct fault *fault) {
    char path[VAULT_PATH_BYTES_MAX], relative[160];
    struct text text;
    size_t size;
    text_init(&text, relative, sizeof relative);
    tlog_put_tile_path(&text, level, number, width);
    vault_path(path, prove->vault_dir, "%s", relative);
    enum err err = sys_read_file(prove->sys, path, buffer, buffer_bytes, &size, fault);
    if (!err && level >= 0 && size != (size_t)width * TLOG_HASH_BYTES)
        err = fault_set_subject(fault, ERR_CORRUPT, "the tile is of a wrong size", path);
    *out = bytes_from(buffer, size);
    return err;
}

/* Tile or bundle number `number`, at least `width` wide. The partial one may be gone since the full one stands, and a
 * copy may hold a wider partial one alone. */
static enum err read_tile(struct prove *prove, int level, uint64_t number, unsigned width,
                          struct bytes *out, uint8_t *buffer, size_t buffer_bytes) {
    struct fault own = {0};
    enum err err = read_of_width(prove, level, number, width, out, buffer, buffer_bytes, &own);
    if (err == ERR_NOT_FOUND)
        err = read_of_width(prove, level, number, TLOG_TILE_WIDTH, out, buffer, buffer_bytes,
                            &(struct fault){0});
    for (unsigned wider = width + 1; err == ERR_NOT_FOUND && wider < TLOG_TILE_WIDTH; wider++)
        err = read_of_width(prove, level, number, wider, out, buffer, buffer_bytes,
                            &(struct fault){0});
    if (err == ERR_NOT_FOUND)
        return fault_set_subject(prove->fault, ERR_CORRUPT, "a tile or bundle is missing",
                                 own.subject);
    if (err)
        return fault_set_subject(prove->fault, err, "a tile or bundle cannot be read", own.subject);
    return ERR_OK;
}

/* How wide the tile is in a tree that has `count` hashes at its level. */
static unsigned width_of(uint64_t count, uint64_t number) {
    uint64_t left = count - number * TLOG_TILE_WIDTH;
    return left < TLOG_TILE_WIDTH ? (unsigned)left : TLOG_TILE_WIDTH;
}

/* A tlog_read_hash: a perfect subtree of up to 128 hashes of a tile. */
static enum err read_hash(void *owner, unsigned level, uint64_t number, struct tlog_hash *out) {
    struct prove *prove = owner;
    unsigned tile_level = level / 8, within = level % 8;
    uint64_t first = number << within, tile_number = first / TLOG_TILE_WIDTH;
    unsigned width = width_of(prove->checkpoint.checkpoint.size >> (8 * tile_level), tile_number);
    size_t at = (size_t)(first % TLOG_TILE_WIDTH), count = (size_t)1 << within;
    assert(at + count <= width);
    if (!prove->has_tile || prove->tile_level != tile_level || prove->tile_number != tile_number) {
        struct bytes tile;
        prove->has_tile = false;
        enum err err = read_tile(prove, (int)tile_level, tile_number, width, &tile, prove->tile,
                                 sizeof prove->tile);
        if (err)
            return err;
        prove->has_tile = true;
        prove->tile_level = tile_level;
        prove->tile_number = tile_number;
    }
    struct tlog_hash hashes[TLOG_TILE_WIDTH / 2];
    memcpy(hashes, prove->tile + at * TLOG_HASH_BYTES, count * TLOG_HASH_BYTES);
    tlog_subtree_hash(hashes, count, out);
    return ERR_OK;
}

static enum err read_entry(struct prove *prove, uint64_t index, struct bytes *entry) {
    struct bytes rest;
    uint64_t number = index / TLOG_TILE_WIDTH;
    prove->bundle = memory_alloc(1, BUNDLE_BYTES_MAX);
    if (!prove->bundle)
        return fault_set(prove->fault, ERR_MEMORY, "no memory for a bundle");
    enum err err = read_tile(prove, TLOG_LEVEL_ENTRIES, number,
                             width_of(prove->checkpoint.checkpoint.size, number), &rest,
                             prove->bundle, BUNDLE_BYTES_MAX);
    for (uint64_t i = number * TLOG_TILE_WIDTH; !err; i++) {
        if (rest.size < 2 || rest.size - 2 < load_u16(rest.data))
            return fault_set_at(prove->fault, ERR_CORRUPT, "a bundle ends before its entry", index);
        *entry = bytes_from(rest.data + 2, load_u16(rest.data));
        rest = bytes_skip(rest, 2 + entry->size);
        if (i == index)
            break;
    }
    return err;
}

/* ---- the proof ---- */

/* Is it in the segments, or nowhere? */
static enum err say_why_not(struct prove *prove, const char *verifier_path, uint64_t index) {
    struct vault_reader *reader;
    struct bytes sealed;
    struct stat st;
    if (sys_stat(prove->sys, verifier_path, &st))
        return fault_set_errno(prove->fault, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                               "this is no vault", prove->vault_dir);
    enum err err = vault_reader_open(&reader, prove->sys, prove->vault_dir, prove->fault);
    if (err)
        return err;
    err = vault_reader_sealed(reader, index, UINT64_MAX, &sealed, prove->fault);
    vault_reader_close(reader);
    if (!err)
        return fault_set(
            prove->fault, ERR_MORE,
            "this entry is not published yet; it will be within 15 s where a node runs");
    return err == ERR_MORE
               ? fault_set_at(prove->fault, ERR_NOT_FOUND, "there is no such entry", index)
               : err;
}

static enum err make_proof(struct prove *prove, uint64_t index, struct text *out) {
    struct tlog_proof proof = {.index = index};
    uint64_t size = prove->checkpoint.checkpoint.size;
    proof.note = bytes_from(prove->checkpoint.note, prove->checkpoint.note_bytes);
    enum err err = read_entry(prove, index, &proof.extra);
    if (!err)
        err = tlog_inclusion_prove(index, size, read_hash, prove, proof.hashes, &proof.hash_count);
    if (err)
        return err;
    tlog_put_proof(out, &proof);
    return out->full ? fault_set(prove->fault, ERR_LIMIT, "the proof is larger than its buffer")
                     : ERR_OK;
}

/* With the keys beside the vault: its own mistakes are to be found here, not those of somebody who changed it. */
static enum err verify_own(struct prove *prove, const char *verifier_path, struct bytes proof) {
    struct vault_proof_report report;
    struct fault own = {0};
    size_t size;
    uint8_t *verifiers = memory_alloc(1, VERIFIERS_BYTES_MAX);
    if (!verifiers)
        return fault_set(prove->fault, ERR_MEMORY, "no memory for the verifier keys");
    enum err err = sys_read_file(prove->sys, verifier_path, verifiers, VERIFIERS_BYTES_MAX, &size,
                                 prove->fault);
    if (!err && vault_proof_verify(proof, bytes_from(verifiers, size), &report, &own))
        err = fault_set_subject(prove->fault, ERR_CORRUPT, own.what, prove->vault_dir);
    memory_free(verifiers);
    return err;
}

static enum err prove_entry(struct prove *prove, uint64_t index, struct text *out) {
    char path[VAULT_PATH_BYTES_MAX], verifier_path[VAULT_PATH_BYTES_MAX];
    vault_path(path, prove->vault_dir, "checkpoint");
    vault_path(verifier_path, prove->vault_dir, "verifier");
    enum err err = checkpoint_load(prove->sys, path, &prove->checkpoint, prove->fault);
    if (!err && index >= prove->checkpoint.checkpoint.size)
        err = say_why_not(prove, verifier_path, index);
    if (!err)
        err = make_proof(prove, index, out);
    /* Read after the checkpoint: a key is there before anything is signed with it. */
    return err ? err : verify_own(prove, verifier_path, text_bytes(out));
}

enum err vault_prove(struct sys *sys, const char *vault_dir, uint64_t index, struct text *out,
                     struct fault *fault) {
    struct fault own = {0};
    text_clear(out);
    if (strlen(vault_dir) + 256 > VAULT_PATH_BYTES_MAX)
        return fault_set(fault, ERR_LIMIT, "the path is too long");
    struct prove *prove = memory_alloc(1, sizeof *prove);
    if (!prove)
        return fault_set(fault, ERR_MEMORY, "no memory to prove with");
    prove->sys = sys;
    prove->vault_dir = vault_dir;
    prove->fault = fault ? fault : &own;
    enum err err = prove_entry(prove, index, out);
    if (err)
        text_clear(out);
    memory_free(prove->bundle);
    memory_free(prove);
    return err;
}

/* ---- verified by anyone ---- */

/* Do they differ in what stands behind their last slash alone? */
static bool is_other_epoch(struct bytes origin, const char *name) {
    const char *slash = strrchr(name, '/');
    size_t stem = slash ? (size_t)(slash - name) + 1 : 0;
    return stem > 0 && origin.size > stem && !memcmp(origin.data, name, stem) &&
           !memchr(origin.data + stem, '/', origin.size - stem);
}

/* The seed stays from one epoch of the origin to the next: whoever has the key of one has that of all. */
static bool vouches_for(struct tlog_verifier *verifier, struct bytes origin) {
    return bytes_is(origin, verifier->name) ||
           (is_other_epoch(origin, verifier->name) && !tlog_verifier_rename(verifier, origin));
}

/* With each key of the log that the checkpoint names. Keys of kinds that are not known here are passed over. */
static enum err try_keys(const struct tlog_proof *proof, const struct tlog_checkpoint *checkpoint,
                         const struct tlog_hash *leaf, struct bytes verifiers,
                         struct fault *fault) {
    struct bytes line;
    bool has_key = false, has_key_of_log = false;
    while (bytes_next_part(&verifiers, '\n', &line)) {
        struct tlog_verifier verifier;
        if (bytes_is_empty(bytes_trim(line)))
            continue;
        enum err err = tlog_verifier_read(line, &verifier);
        if (err && err != ERR_UNSUPPORTED)
            return fault_set(fault, ERR_INPUT, "this is no verifier key");
        has_key = has_key || !err;
        if (err || !vouches_for(&verifier, checkpoint->origin))
            continue;
        has_key_of_log = true;
        if (!tlog_proof_verify(proof, leaf, &verifier, 1))
            return ERR_OK;
    }
    if (!has_key)
        return fault_set(fault, ERR_INPUT, "there is no verifier key");
    if (!has_key_of_log)
        return fault_set(fault, ERR_CRYPTO, "the checkpoint is of another log than the key");
    bool leads_up = !tlog_inclusion_verify(proof->index, checkpoint->size, leaf, proof->hashes,
                                           proof->hash_count, &checkpoint->root);
    return fault_set(fault, ERR_CRYPTO,
                     leads_up ? "the checkpoint's signature does not hold"
                              : "the entry is not the one that stands at its place in the tree");
}

static void fill_report(struct vault_proof_report *report, const struct tlog_proof *proof,
                        const struct tlog_checkpoint *checkpoint, const struct tlog_hash *leaf) {
    struct text origin;
    *report = (struct vault_proof_report){.index = proof->index,
                                          .size = checkpoint->size,
                                          .leaf = *leaf,
                                          .root = checkpoint->root,
                                          .entry_bytes = proof->extra.size};
    text_init(&origin, report->origin, sizeof report->origin);
    text_put(&origin, checkpoint->origin);
}

enum err vault_proof_verify(struct bytes text, struct bytes verifiers,
                            struct vault_proof_report *report, struct fault *fault) {
    struct tlog_proof proof;
    struct tlog_checkpoint checkpoint;
    struct tlog_hash leaf;
    struct bytes body;
    *report = (struct vault_proof_report){0};
    uint8_t *extra = memory_alloc(1, TLOG_ENTRY_BYTES_MAX);
    if (!extra || sodium_init() < 0) {
        memory_free(extra);
        return fault_set(fault, ERR_MEMORY, "no memory to verify with");
    }
    enum err err = tlog_proof_read(text, extra, TLOG_ENTRY_BYTES_MAX, &proof);
    if (!err)
        err = tlog_checkpoint_read(proof.note, &checkpoint, &body);
    if (err)
        fault_set(fault, err, "this is no proof of an entry");
    if (!err && bytes_is_empty(proof.extra))
        err = fault_set(fault, ERR_INPUT, "the proof does not carry its entry");
    if (!err) {
        tlog_leaf_hash(proof.extra, &leaf);
        err = try_keys(&proof, &checkpoint, &leaf, verifiers, fault);
    }
    if (!err)
        fill_report(report, &proof, &checkpoint, &leaf);
    memory_free(extra);
    return err;
}
