/* proof.c - proofs of inclusion and of consistency: made, written as a text, read, verified.
 *
 * RFC 6962 defines proofs by splitting a tree at the largest power of two below its size. Here the same is a walk down
 * from the root that keeps the range [first, end) it stands in; what it leaves aside is the proof, last hash first.
 * Every such range begins at a multiple of a power of two not smaller than itself, so it is made of perfect subtrees. */
#include "formats/tlog/lines.h"

#include <assert.h>

struct making {
    tlog_read_hash read;
    void *owner;
    struct tlog_hash *proof;
    size_t count;
};

/* The largest power of two below `size`, which is at least 2. */
static uint64_t split_of(uint64_t size) {
    return UINT64_C(1) << (63 - __builtin_clzll(size - 1));
}

/* The root over [first, end): its perfect subtrees from the right, the smallest first. */
static enum err put_range(struct making *making, uint64_t first, uint64_t end) {
    struct tlog_hash root = {{0}}, hash;
    for (uint64_t at = end; at > first;) {
        unsigned fits = 63 - (unsigned)__builtin_clzll(at - first);
        unsigned aligned = (unsigned)__builtin_ctzll(at);
        unsigned level = aligned < fits ? aligned : fits;
        uint64_t begin = at - (UINT64_C(1) << level);
        enum err err = making->read(making->owner, level, begin >> level, &hash);
        if (err)
            return err;
        if (at == end)
            root = hash;
        else
            tlog_node_hash(&hash, &root, &root);
        at = begin;
    }
    assert(making->count < TLOG_PROOF_HASHES_MAX);
    making->proof[making->count++] = root;
    return ERR_OK;
}

static void turn_round(struct tlog_hash *proof, size_t count) {
    for (size_t i = 0; i < count / 2; i++) {
        struct tlog_hash hash = proof[i];
        proof[i] = proof[count - 1 - i];
        proof[count - 1 - i] = hash;
    }
}

/* PATH(m, D[n]) of RFC 6962 2.1.1. */
enum err tlog_inclusion_prove(uint64_t index, uint64_t size, tlog_read_hash read, void *owner,
                              struct tlog_hash proof[TLOG_PROOF_HASHES_MAX], size_t *count) {
    struct making making = {.read = read, .owner = owner, .proof = proof};
    uint64_t first = 0, end = size;
    enum err err = index < size ? ERR_OK : ERR_INPUT;
    while (!err && end - first > 1) {
        uint64_t middle = first + split_of(end - first);
        if (index < middle) {
            err = put_range(&making, middle, end);
            end = middle;
        } else {
            err = put_range(&making, first, middle);
            first = middle;
        }
    }
    turn_round(proof, making.count);
    *count = err ? 0 : making.count;
    return err;
}

/* PROOF(m, D[n]) of RFC 6962 2.1.2. Where the walk has only gone left it ends at the old tree, whose root the reader
 * of the proof has; else at its last perfect subtree, which is then part of the proof. */
enum err tlog_consistency_prove(uint64_t size1, uint64_t size2, tlog_read_hash read, void *owner,
                                struct tlog_hash proof[TLOG_PROOF_HASHES_MAX], size_t *count) {
    struct making making = {.read = read, .owner = owner, .proof = proof};
    uint64_t first = 0, end = size2;
    enum err err = size1 > 0 && size1 <= size2 ? ERR_OK : ERR_INPUT;
    while (!err && end != size1) {
        uint64_t middle = first + split_of(end - first);
        if (size1 <= middle) {
            err = put_range(&making, middle, end);
            end = middle;
        } else {
            err = put_range(&making, first, middle);
            first = middle;
        }
    }
    if (!err && first > 0)
        err = put_range(&making, first, end);
    turn_round(proof, making.count);
    *count = err ? 0 : making.count;
    return err;
}

/* ---- the text ---- */

void tlog_put_proof(struct text *out, const struct tlog_proof *proof) {
    text_put_string(out, TLOG_PROOF_HEADER "\n");
    if (!bytes_is_empty(proof->extra)) {
        text_put_string(out, "extra ");
        text_put_base64(out, proof->extra);
        text_put_char(out, '\n');
    }
    text_put_string(out, "index ");
    text_put_u64(out, proof->index);
    text_put_char(out, '\n');
    for (size_t i = 0; i < proof->hash_count; i++) {
        text_put_base64(out, bytes_from(proof->hashes[i].bytes, TLOG_HASH_BYTES));
        text_put_char(out, '\n');
    }
    text_put_char(out, '\n');
    text_put(out, proof->note);
}

/* How many bytes so much base64 stands for. */
static size_t decoded_bytes(struct bytes in) {
    size_t padding = 0;
    while (padding < 2 && padding < in.size && in.data[in.size - 1 - padding] == '=')
        padding++;
    return in.size / 4 * 3 - (in.size >= 4 ? padding : 0);
}

static enum err read_extra(struct bytes in, uint8_t *extra, size_t extra_bytes,
                           struct tlog_proof *out) {
    size_t size;
    if (in.size == 0) /* "If no extra data is present, this line is omitted" */
        return ERR_INPUT;
    if (decoded_bytes(in) > extra_bytes)
        return ERR_LIMIT;
    if (!base64_decode(in, extra, extra_bytes, &size) || size == 0)
        return ERR_INPUT;
    out->extra = bytes_from(extra, size);
    return ERR_OK;
}

static enum err read_hashes(struct bytes *rest, struct tlog_proof *out) {
    struct bytes line;
    while (line_next(rest, &line)) {
        if (line.size == 0)
            return ERR_OK;
        if (out->hash_count == TLOG_PROOF_HASHES_MAX ||
            !line_hash(line, &out->hashes[out->hash_count]))
            return ERR_INPUT;
        out->hash_count++;
    }
    return ERR_INPUT;
}

static enum err read_note(struct bytes note, struct tlog_proof *out) {
    struct tlog_checkpoint checkpoint;
    struct bytes body;
    out->note = note;
    enum err err = tlog_checkpoint_read(note, &checkpoint, &body);
    return err ? err : body.size < note.size ? ERR_OK : ERR_INPUT;
}

enum err tlog_proof_read(struct bytes text, uint8_t *extra, size_t extra_bytes,
                         struct tlog_proof *out) {
    struct bytes rest = text, line, extra_prefix = BYTES("extra "), index_prefix = BYTES("index ");
    *out = (struct tlog_proof){0};
    if (!line_next(&rest, &line) || !bytes_is(line, TLOG_PROOF_HEADER) || !line_next(&rest, &line))
        return ERR_INPUT;
    if (bytes_starts_with(line, extra_prefix)) {
        enum err err = read_extra(bytes_skip(line, extra_prefix.size), extra, extra_bytes, out);
        if (err)
            return err;
        if (!line_next(&rest, &line))
            return ERR_INPUT;
    }
    if (!bytes_starts_with(line, index_prefix) ||
        !line_number(bytes_skip(line, index_prefix.size), &out->index))
        return ERR_INPUT;
    enum err err = read_hashes(&rest, out);
    return err ? err : read_note(rest, out);
}

/* The checkpoint is read from what was signed, so that no other text can come between. */
static bool is_signed_by(struct bytes note, const struct tlog_verifier *verifier,
                         struct tlog_checkpoint *checkpoint) {
    struct bytes signed_text, body;
    return !tlog_note_verify(note, verifier, &signed_text) &&
           !tlog_checkpoint_read(signed_text, checkpoint, &body) && body.size == signed_text.size &&
           bytes_is(checkpoint->origin, verifier->name);
}

enum err tlog_proof_verify(const struct tlog_proof *proof, const struct tlog_hash *leaf,
                           const struct tlog_verifier *verifiers, size_t verifier_count) {
    struct tlog_checkpoint checkpoint;
    for (size_t i = 0; i < verifier_count; i++)
        if (is_signed_by(proof->note, &verifiers[i], &checkpoint))
            return tlog_inclusion_verify(proof->index, checkpoint.size, leaf, proof->hashes,
                                         proof->hash_count, &checkpoint.root)
                       ? ERR_CRYPTO
                       : ERR_OK;
    return ERR_CRYPTO;
}
