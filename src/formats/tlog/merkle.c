/* merkle.c - the hashes of a Merkle tree, its frontier, and the proofs of RFC 6962. */
#include "formats/tlog/tlog.h"

#include <assert.h>
#include <nettle/sha2.h>

void tlog_leaf_hash(struct bytes entry, struct tlog_hash *out) {
    static const uint8_t prefix = 0x00;
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, 1, &prefix);
    sha256_update(&sha, entry.size, entry.data);
    sha256_digest(&sha, TLOG_HASH_BYTES, out->bytes);
}

void tlog_node_hash(const struct tlog_hash *left, const struct tlog_hash *right,
                    struct tlog_hash *out) {
    uint8_t node[1 + 2 * TLOG_HASH_BYTES];
    node[0] = 0x01;
    memcpy(node + 1, left->bytes, TLOG_HASH_BYTES);
    memcpy(node + 1 + TLOG_HASH_BYTES, right->bytes, TLOG_HASH_BYTES);
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, sizeof node, node);
    sha256_digest(&sha, TLOG_HASH_BYTES, out->bytes);
}

void tlog_empty_hash(struct tlog_hash *out) {
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_digest(&sha, TLOG_HASH_BYTES, out->bytes);
}

void tlog_subtree_hash(const struct tlog_hash *hashes, size_t count, struct tlog_hash *out) {
    struct tlog_frontier frontier;
    tlog_frontier_init(&frontier);
    for (size_t i = 0; i < count; i++)
        tlog_frontier_add(&frontier, &hashes[i]);
    tlog_frontier_root(&frontier, out);
}

void tlog_frontier_init(struct tlog_frontier *frontier) {
    frontier->size = 0;
    frontier->count = 0;
}

/* A new leaf closes as many perfect subtrees as the old size has ones at its low end. */
void tlog_frontier_add(struct tlog_frontier *frontier, const struct tlog_hash *leaf) {
    struct tlog_hash hash = *leaf;
    for (uint64_t size = frontier->size; size & 1; size >>= 1) {
        assert(frontier->count > 0);
        tlog_node_hash(&frontier->hashes[--frontier->count], &hash, &hash);
    }
    assert(frontier->count < 64);
    frontier->hashes[frontier->count++] = hash;
    frontier->size++;
}

void tlog_frontier_root(const struct tlog_frontier *frontier, struct tlog_hash *root) {
    if (frontier->count == 0) {
        tlog_empty_hash(root);
        return;
    }
    *root = frontier->hashes[frontier->count - 1];
    for (unsigned i = frontier->count - 1; i > 0; i--)
        tlog_node_hash(&frontier->hashes[i - 1], root, root);
}

static bool hash_equal(const struct tlog_hash *a, const struct tlog_hash *b) {
    return memcmp(a->bytes, b->bytes, TLOG_HASH_BYTES) == 0;
}

/* RFC 9162 2.1.3.2: the path from the leaf up, with the last node of the level beside it. */
enum err tlog_inclusion_verify(uint64_t index, uint64_t size, const struct tlog_hash *leaf,
                               const struct tlog_hash *proof, size_t count,
                               const struct tlog_hash *root) {
    if (index >= size)
        return ERR_INPUT;
    uint64_t at = index, last = size - 1;
    struct tlog_hash hash = *leaf;
    for (size_t i = 0; i < count; i++) {
        if (last == 0)
            return ERR_CRYPTO;
        if ((at & 1) || at == last) {
            tlog_node_hash(&proof[i], &hash, &hash);
            while (!(at & 1) && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            tlog_node_hash(&hash, &proof[i], &hash);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && hash_equal(&hash, root) ? ERR_OK : ERR_CRYPTO;
}

/* Both roots are made at once, from the last leaf of the subtree upward: that is RFC 9162's walk 2.1.4.2, with a subtree
 * that need not begin at 0. `at` is where it stands, `low` and `last` are the outermost nodes of subtree and tree there. */
static enum err subtree_walk(struct tlog_subtree part, uint64_t size, const struct tlog_hash *proof,
                             size_t count, const struct tlog_hash *root1,
                             const struct tlog_hash *root2) {
    uint64_t low = part.start, at = part.end - 1, last = size - 1;
    bool is_edge =
        at ==
        last; /* then it is whole in the tree at its own height, not at that of its last leaf */
    size_t taken = 0;
    while (low != at && (is_edge || (at & 1))) {
        low >>= 1;
        at >>= 1;
        last >>= 1;
    }
    if (low != at && count == 0)
        return ERR_CRYPTO;
    struct tlog_hash old = low == at ? *root1 : proof[taken++], new = old;
    for (; taken < count; taken++) {
        if (last == 0)
            return ERR_CRYPTO;
        if ((at & 1) || at == last) {
            if (low < at)
                tlog_node_hash(&proof[taken], &old, &old);
            tlog_node_hash(&proof[taken], &new, &new);
            while (!(at & 1) && at != 0) {
                low >>= 1;
                at >>= 1;
                last >>= 1;
            }
        } else {
            tlog_node_hash(&new, &proof[taken], &new);
        }
        low >>= 1;
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && hash_equal(&old, root1) && hash_equal(&new, root2) ? ERR_OK : ERR_CRYPTO;
}

enum err tlog_consistency_verify(uint64_t size1, uint64_t size2, const struct tlog_hash *proof,
                                 size_t count, const struct tlog_hash *root1,
                                 const struct tlog_hash *root2) {
    /* Every tree is consistent with the empty one: a proof of it would show nothing, and is refused. */
    if (size1 == 0 || size1 > size2)
        return ERR_INPUT;
    return subtree_walk((struct tlog_subtree){0, size1}, size2, proof, count, root1, root2);
}

/* It begins at a multiple of the power of two that it fits into. */
static bool subtree_is_valid(struct tlog_subtree part) {
    if (part.start >= part.end)
        return part.start == part.end;
    uint64_t most = part.end - part.start - 1; /* all bits up to its highest are below that power */
    uint64_t mask = most ? UINT64_MAX >> __builtin_clzll(most) : 0;
    return (part.start & mask) == 0;
}

enum err tlog_subtree_inclusion_verify(uint64_t index, struct tlog_subtree part,
                                       const struct tlog_hash *leaf, const struct tlog_hash *proof,
                                       size_t count, const struct tlog_hash *root) {
    if (!subtree_is_valid(part) || index < part.start)
        return ERR_INPUT;
    return tlog_inclusion_verify(index - part.start, part.end - part.start, leaf, proof, count,
                                 root);
}

enum err tlog_subtree_consistency_verify(struct tlog_subtree part, uint64_t size,
                                         const struct tlog_hash *proof, size_t count,
                                         const struct tlog_hash *root1,
                                         const struct tlog_hash *root2) {
    struct tlog_hash empty;
    if (!subtree_is_valid(part) || part.end > size)
        return ERR_INPUT;
    if (part.start < part.end)
        return subtree_walk(part, size, proof, count, root1, root2);
    tlog_empty_hash(&empty);
    return count == 0 && hash_equal(root1, &empty) ? ERR_OK : ERR_CRYPTO;
}

static void put_number(struct text *out, uint64_t number) {
    char groups[8][4];
    unsigned count = 0;
    do {
        unsigned group = (unsigned)(number % 1000);
        groups[count][0] = (char)('0' + group / 100);
        groups[count][1] = (char)('0' + group / 10 % 10);
        groups[count][2] = (char)('0' + group % 10);
        groups[count++][3] = 0;
        number /= 1000;
    } while (number > 0);
    while (count-- > 0) {
        if (count > 0)
            text_put_char(out, 'x');
        text_put_string(out, groups[count]);
        if (count > 0)
            text_put_char(out, '/');
    }
}

void tlog_put_tile_path(struct text *out, int level, uint64_t number, unsigned width) {
    text_put_string(out, "tile/");
    if (level == TLOG_LEVEL_ENTRIES)
        text_put_string(out, "entries");
    else
        text_put_u64(out, (uint64_t)level);
    text_put_char(out, '/');
    put_number(out, number);
    if (width == 0 || width == TLOG_TILE_WIDTH)
        return;
    text_put_string(out, ".p/");
    text_put_u64(out, width);
}

unsigned tlog_partial_width(uint64_t size, unsigned level) {
    return level >= 8 ? 0 : (unsigned)((size >> (8 * level)) % TLOG_TILE_WIDTH);
}
