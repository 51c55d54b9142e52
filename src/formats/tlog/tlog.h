/* tlog.h - transparency log arithmetic and texts: Merkle hashes, tile paths, checkpoints, signed notes, proofs.
 *
 * Shapes     hashes of 32 bytes; a tree of `size` leaves is held as its frontier (at most 64 hashes).
 * Units      sizes and indexes in entries, uint64_t.
 * Errors     ERR_INPUT: not of the form. ERR_CRYPTO: well-formed, but a signature or hash does not hold.
 * Ownership  nothing is allocated; texts go into the caller's struct text; views point into the input.
 * Source     RFC 6962 section 2.1, RFC 9162 section 2.1; C2SP tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature, tlog-proof.
 */
#ifndef FORMATS_TLOG_TLOG_H
#define FORMATS_TLOG_TLOG_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

#define TLOG_HASH_BYTES       32
#define TLOG_TILE_WIDTH       256
#define TLOG_TILE_BYTES       (TLOG_TILE_WIDTH * TLOG_HASH_BYTES)
#define TLOG_ENTRY_BYTES_MAX  65535
#define TLOG_ORIGIN_BYTES_MAX 256
#define TLOG_NOTE_BYTES_MAX   65536 /* 16 signatures, also of the longer kinds to come */

struct tlog_hash {
    uint8_t bytes[TLOG_HASH_BYTES];
};

/* SHA-256(0x00 || entry), SHA-256(0x01 || left || right), SHA-256(""). */
void tlog_leaf_hash(struct bytes entry, struct tlog_hash *out);
void tlog_node_hash(const struct tlog_hash *left, const struct tlog_hash *right,
                    struct tlog_hash *out);
void tlog_empty_hash(struct tlog_hash *out);
/* The root of a complete tile's hashes (count a power of two), or of any count by RFC 6962 splitting. */
void tlog_subtree_hash(const struct tlog_hash *hashes, size_t count, struct tlog_hash *out);

/* The frontier: the roots of the perfect subtrees of a tree, largest first. */
struct tlog_frontier {
    uint64_t size;
    struct tlog_hash hashes[64];
    unsigned count;
};
void tlog_frontier_init(struct tlog_frontier *frontier);
void tlog_frontier_add(struct tlog_frontier *frontier, const struct tlog_hash *leaf);
void tlog_frontier_root(const struct tlog_frontier *frontier, struct tlog_hash *root);

/* "tile/0/x001/234", "tile/entries/x001/x234/067.p/12"; width 256 (or 0) is a full tile. */
enum { TLOG_LEVEL_ENTRIES = -1 };
void tlog_put_tile_path(struct text *out, int level, uint64_t number, unsigned width);
/* Width of the partial tile at `level` in a tree of `size`; 0: none. */
unsigned tlog_partial_width(uint64_t size, unsigned level);

/* Proofs (RFC 6962 2.1.1, 2.1.2): do `count` hashes show what they claim? */
MUST_CHECK enum err tlog_inclusion_verify(uint64_t index, uint64_t size,
                                          const struct tlog_hash *leaf,
                                          const struct tlog_hash *proof, size_t count,
                                          const struct tlog_hash *root);
MUST_CHECK enum err tlog_consistency_verify(uint64_t size1, uint64_t size2,
                                            const struct tlog_hash *proof, size_t count,
                                            const struct tlog_hash *root1,
                                            const struct tlog_hash *root2);

/* The same for the entries [start, end) alone, where start is a multiple of the power of two that they fit into: is the
 * leaf among them, do they stand in the tree? (draft-ietf-plants-merkle-tree-certs 4.3, 4.4.) None at all are in every tree. */
struct tlog_subtree {
    uint64_t start, end;
};
MUST_CHECK enum err tlog_subtree_inclusion_verify(uint64_t index, struct tlog_subtree part,
                                                  const struct tlog_hash *leaf,
                                                  const struct tlog_hash *proof, size_t count,
                                                  const struct tlog_hash *root);
MUST_CHECK enum err tlog_subtree_consistency_verify(struct tlog_subtree part, uint64_t size,
                                                    const struct tlog_hash *proof, size_t count,
                                                    const struct tlog_hash *root1,
                                                    const struct tlog_hash *root2);

/* Make them, from the roots of perfect subtrees: `read` gives that of the 2^level leaves from number << level on. It is
 * asked only for subtrees that lie whole within the tree; an error of it ends the making. ERR_INPUT: no such entry or
 * smaller tree. */
#define TLOG_PROOF_HASHES_MAX 65
typedef enum err (*tlog_read_hash)(void *owner, unsigned level, uint64_t number,
                                   struct tlog_hash *out);
MUST_CHECK enum err tlog_inclusion_prove(uint64_t index, uint64_t size, tlog_read_hash read,
                                         void *owner, struct tlog_hash proof[TLOG_PROOF_HASHES_MAX],
                                         size_t *count);
MUST_CHECK enum err tlog_consistency_prove(uint64_t size1, uint64_t size2, tlog_read_hash read,
                                           void *owner,
                                           struct tlog_hash proof[TLOG_PROOF_HASHES_MAX],
                                           size_t *count);

struct tlog_checkpoint {
    struct bytes origin;
    uint64_t size;
    struct tlog_hash root;
    struct bytes extension; /* lines after the root, with their LF; usually empty */
};
/* The three lines of a checkpoint's body. */
void tlog_put_checkpoint(struct text *out, const struct tlog_checkpoint *checkpoint);
/* Read a body or a whole note; *body is the signed text (with its last LF). */
MUST_CHECK enum err tlog_checkpoint_read(struct bytes note, struct tlog_checkpoint *out,
                                         struct bytes *body);

/* Keys as signed notes write them. Name: no space, no '+', not empty. */
#define TLOG_NAME_BYTES_MAX 200
struct tlog_verifier {
    char name[TLOG_NAME_BYTES_MAX + 1];
    uint32_t key_id;
    uint8_t public_key[32];
};
struct tlog_signer {
    struct tlog_verifier verifier;
    uint8_t secret_key[64]; /* libsodium's Ed25519 form: seed || public key; wipe after use */
};
MUST_CHECK enum err tlog_signer_from_seed(struct tlog_signer *signer, struct bytes name,
                                          const uint8_t seed[32]);
/* "PRIVATE+KEY+<name>+<hex key id>+<base64(0x01 || seed)>", as golang.org/x/mod/sumdb/note writes it. */
void tlog_put_signer(struct text *out, const struct tlog_signer *signer);
MUST_CHECK enum err tlog_signer_read(struct bytes text, struct tlog_signer *signer);
/* "<name>+<hex key id>+<base64(0x01 || public key)>" */
void tlog_put_verifier(struct text *out, const struct tlog_verifier *verifier);
MUST_CHECK enum err tlog_verifier_read(struct bytes text, struct tlog_verifier *out);
/* The same key under another name. ERR_INPUT: that is no name for a key. */
MUST_CHECK enum err tlog_verifier_rename(struct tlog_verifier *verifier, struct bytes name);
/* The signature line for `body`: "EM-DASH name base64(id || signature) LF". The caller writes body, LF, lines. */
void tlog_put_signature(struct text *out, const struct tlog_signer *signer, struct bytes body);
/* Is there a good signature of `verifier` in the note? Unknown lines are passed over; ERR_CRYPTO when bad or none. */
MUST_CHECK enum err tlog_note_verify(struct bytes note, const struct tlog_verifier *verifier,
                                     struct bytes *body);

/* A proof as a text: index, hashes from the leaf's sibling up, the signed checkpoint, extra data that nobody vouches for. */
struct tlog_proof {
    uint64_t index;
    struct bytes extra; /* empty: none */
    struct tlog_hash hashes[TLOG_PROOF_HASHES_MAX];
    size_t hash_count;
    struct bytes note; /* the checkpoint, with its signatures */
};
#define TLOG_PROOF_HEADER "c2sp.org/tlog-proof@v1"
void tlog_put_proof(struct text *out, const struct tlog_proof *proof);
/* Exactly what tlog_put_proof writes. `note` is a view into `text`; `extra` is decoded into the buffer, ERR_LIMIT when
 * that is too small. That the note is a checkpoint with signature lines is checked, not whose they are. */
MUST_CHECK enum err tlog_proof_read(struct bytes text, uint8_t *extra, size_t extra_bytes,
                                    struct tlog_proof *out);
/* Does it show that `leaf` stands at its index in a tree that one of the verifiers signed, under its own name as the
 * origin? ERR_CRYPTO when not. */
MUST_CHECK enum err tlog_proof_verify(const struct tlog_proof *proof, const struct tlog_hash *leaf,
                                      const struct tlog_verifier *verifiers, size_t verifier_count);

#endif
