/* proof_test.c - proofs made from hashes: against the definition of RFC 6962, the verifying functions, outside vectors; and
 * their text, read strictly. */
#include "base/random.h"
#include "formats/tlog/tlog.h"
#include "guard.h"
#include "tap.h"

#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <sys/stat.h>

#define LEAVES_MAX 300u

static bool is_same_hash(const struct tlog_hash *a, const struct tlog_hash *b) {
    return memcmp(a->bytes, b->bytes, TLOG_HASH_BYTES) == 0;
}

/* ---- a small tree, all of it in memory ---- */

struct tree {
    struct tlog_hash leaves[LEAVES_MAX];
    uint64_t size;
    bool asked_too_much; /* a subtree that is not whole within the tree */
    uint64_t fail_in;    /* this many calls from now on, one fails; 0: never */
};

static struct tree tree;

static struct tlog_hash roots[LEAVES_MAX + 1]
                             [LEAVES_MAX + 1]; /* of [first, end), as far as known */
static bool is_known[LEAVES_MAX + 1][LEAVES_MAX + 1];

static void set_leaf(uint64_t number, struct bytes leaf) {
    tlog_leaf_hash(leaf, &tree.leaves[number]);
    memset(is_known, 0, sizeof is_known);
}

static uint64_t defined_split(uint64_t size) {
    uint64_t k = 1;
    while (k * 2 < size)
        k *= 2;
    return k;
}

/* MTH(D[first:end]), as it is written in RFC 6962. */
static void defined_root(uint64_t first, uint64_t end, struct tlog_hash *out) {
    if (!is_known[first][end] && end - first == 1) {
        roots[first][end] = tree.leaves[first];
    } else if (!is_known[first][end]) {
        struct tlog_hash left, right;
        uint64_t k = defined_split(end - first);
        defined_root(first, first + k, &left);
        defined_root(first + k, end, &right);
        tlog_node_hash(&left, &right, &roots[first][end]);
    }
    is_known[first][end] = true;
    *out = roots[first][end];
}

static enum err read_tree(void *owner, unsigned level, uint64_t number, struct tlog_hash *out) {
    struct tree *from = owner;
    if (from->fail_in && --from->fail_in == 0)
        return ERR_IO;
    if (level > 20 || (number + 1) << level > from->size) {
        from->asked_too_much = true;
        return ERR_STATE;
    }
    defined_root(number << level, (number + 1) << level, out);
    return ERR_OK;
}

/* PATH(m, D[first:end]), word by word. */
static size_t defined_path(uint64_t m, uint64_t first, uint64_t end, struct tlog_hash *proof) {
    if (end - first == 1)
        return 0;
    uint64_t k = defined_split(end - first);
    bool is_left = m < k;
    size_t count = is_left ? defined_path(m, first, first + k, proof)
                           : defined_path(m - k, first + k, end, proof);
    defined_root(is_left ? first + k : first, is_left ? end : first + k, &proof[count]);
    return count + 1;
}

/* SUBPROOF(m, D[first:end], b), word by word. */
static size_t defined_subproof(uint64_t m, uint64_t first, uint64_t end, bool b,
                               struct tlog_hash *proof) {
    if (m == end - first) {
        if (!b)
            defined_root(first, end, proof);
        return b ? 0 : 1;
    }
    uint64_t k = defined_split(end - first);
    bool is_left = m <= k;
    size_t count = is_left ? defined_subproof(m, first, first + k, b, proof)
                           : defined_subproof(m - k, first + k, end, false, proof);
    defined_root(is_left ? first + k : first, is_left ? end : first + k, &proof[count]);
    return count + 1;
}

static bool is_proof(const struct tlog_hash *got, size_t got_count, const struct tlog_hash *wanted,
                     size_t wanted_count) {
    return got_count == wanted_count && !memcmp(got, wanted, got_count * sizeof *got);
}

static bool try_inclusion(uint64_t index, const struct tlog_hash *root) {
    struct tlog_hash proof[TLOG_PROOF_HASHES_MAX], wanted[TLOG_PROOF_HASHES_MAX];
    size_t count;
    return !tlog_inclusion_prove(index, tree.size, read_tree, &tree, proof, &count) &&
           is_proof(proof, count, wanted, defined_path(index, 0, tree.size, wanted)) &&
           !tlog_inclusion_verify(index, tree.size, &tree.leaves[index], proof, count, root);
}

static bool try_consistency(uint64_t size1, const struct tlog_hash *root) {
    struct tlog_hash proof[TLOG_PROOF_HASHES_MAX], wanted[TLOG_PROOF_HASHES_MAX], root1;
    size_t count;
    defined_root(0, size1, &root1);
    return !tlog_consistency_prove(size1, tree.size, read_tree, &tree, proof, &count) &&
           is_proof(proof, count, wanted, defined_subproof(size1, 0, tree.size, true, wanted)) &&
           !tlog_consistency_verify(size1, tree.size, proof, count, &root1, root);
}

static void fill_tree(void) {
    for (uint64_t i = 0; i < LEAVES_MAX; i++)
        set_leaf(i, bytes_from(&i, sizeof i));
}

static void test_all_small(void) {
    uint64_t inclusion_wrong = 0, consistency_wrong = 0;
    fill_tree();
    for (tree.size = 1; tree.size <= LEAVES_MAX; tree.size++) {
        struct tlog_hash root;
        defined_root(0, tree.size, &root);
        for (uint64_t i = 0; i < tree.size; i++) {
            inclusion_wrong += !try_inclusion(i, &root);
            consistency_wrong += !try_consistency(i + 1, &root);
        }
    }
    is_int(inclusion_wrong, 0);
    is_int(consistency_wrong, 0);
    ok(!tree.asked_too_much, "only subtrees within the tree are asked for");
}

/* The Nth call fails, until a run goes through clean: never half a proof. */
static bool passes_on_errors(enum err (*prove)(uint64_t, uint64_t, tlog_read_hash, void *,
                                               struct tlog_hash[TLOG_PROOF_HASHES_MAX], size_t *)) {
    struct tlog_hash proof[TLOG_PROOF_HASHES_MAX];
    size_t count;
    uint64_t calls = 0;
    enum err err = ERR_IO;
    bool good = true;
    while (err && good) {
        tree.fail_in = ++calls;
        err = prove(77, 200, read_tree, &tree, proof, &count);
        good = err ? err == ERR_IO && count == 0 : count >= 8;
    }
    tree.fail_in = 0;
    return good && calls > 8;
}

static void test_refusals(void) {
    struct tlog_hash proof[TLOG_PROOF_HASHES_MAX];
    size_t count = 7;
    tree.size = 200;
    is_int(tlog_inclusion_prove(200, 200, read_tree, &tree, proof, &count), ERR_INPUT);
    is_int(count, 0);
    is_int(tlog_inclusion_prove(0, 0, read_tree, &tree, proof, &count), ERR_INPUT);
    is_int(tlog_consistency_prove(0, 200, read_tree, &tree, proof, &count), ERR_INPUT);
    is_int(tlog_consistency_prove(201, 200, read_tree, &tree, proof, &count), ERR_INPUT);
    is_int(tlog_consistency_prove(200, 200, read_tree, &tree, proof, &count), ERR_OK);
    is_int(count, 0);
    ok(passes_on_errors(tlog_inclusion_prove), "an error of the source ends the making");
    ok(passes_on_errors(tlog_consistency_prove), "of a consistency proof too");
}

/* ---- trees larger than any memory: all leaves alike but a few ---- */

#define ODD_MAX 6u

struct sparse {
    uint64_t size;
    struct tlog_hash plain[64]; /* the perfect subtree of each level that holds no odd leaf */
    uint64_t odd[ODD_MAX];
    bool asked_too_much;
};

static void sparse_init(struct sparse *sparse) {
    tlog_leaf_hash(BYTES("plain"), &sparse->plain[0]);
    for (unsigned level = 1; level < 64; level++)
        tlog_node_hash(&sparse->plain[level - 1], &sparse->plain[level - 1], &sparse->plain[level]);
}

static void sparse_subtree(const struct sparse *sparse, unsigned level, uint64_t number,
                           struct tlog_hash *out) {
    bool has_odd = false;
    for (unsigned i = 0; i < ODD_MAX; i++)
        has_odd = has_odd || sparse->odd[i] >> level == number;
    if (!has_odd) {
        *out = sparse->plain[level];
    } else if (level == 0) {
        tlog_leaf_hash(bytes_from(&number, sizeof number), out);
    } else {
        struct tlog_hash left, right;
        sparse_subtree(sparse, level - 1, 2 * number, &left);
        sparse_subtree(sparse, level - 1, 2 * number + 1, &right);
        tlog_node_hash(&left, &right, out);
    }
}

static enum err read_sparse(void *owner, unsigned level, uint64_t number, struct tlog_hash *out) {
    struct sparse *sparse = owner;
    if (level > 63 || number >= sparse->size >> level)
        sparse->asked_too_much = true;
    sparse_subtree(sparse, level, number, out);
    return ERR_OK;
}

/* The root at `size`: the frontier that so many leaves would have left. */
static void sparse_root(const struct sparse *sparse, uint64_t size, struct tlog_hash *root) {
    struct tlog_frontier frontier;
    tlog_frontier_init(&frontier);
    frontier.size = size;
    for (unsigned level = 64; level-- > 0;)
        if (size >> level & 1)
            sparse_subtree(sparse, level, (size >> level) - 1, &frontier.hashes[frontier.count++]);
    tlog_frontier_root(&frontier, root);
}

static uint64_t any_size(struct random *random) {
    static const uint64_t fixed[] = {UINT64_MAX,
                                     UINT64_MAX - 1,
                                     UINT64_C(1) << 63,
                                     (UINT64_C(1) << 63) + 1,
                                     (UINT64_C(1) << 32) - 1,
                                     65536,
                                     65537};
    uint64_t choice = random_below(random, 4 * sizeof fixed / sizeof fixed[0]);
    if (choice < sizeof fixed / sizeof fixed[0])
        return fixed[choice];
    return (random_u64(random) >> random_below(random, 60)) + 2;
}

static bool try_large(struct sparse *sparse, struct random *random) {
    struct tlog_hash proof[TLOG_PROOF_HASHES_MAX], leaf, root, root1;
    size_t count;
    sparse->size = any_size(random);
    uint64_t index = random_u64(random) % sparse->size,
             size1 = random_u64(random) % sparse->size + 1;
    uint64_t odd[ODD_MAX] = {index, index ^ 1, 0, sparse->size - 1, size1 - 1, size1};
    memcpy(sparse->odd, odd, sizeof odd);
    sparse_subtree(sparse, 0, index, &leaf);
    sparse_root(sparse, sparse->size, &root);
    sparse_root(sparse, size1, &root1);
    return !tlog_inclusion_prove(index, sparse->size, read_sparse, sparse, proof, &count) &&
           !tlog_inclusion_verify(index, sparse->size, &leaf, proof, count, &root) &&
           tlog_inclusion_verify(index ^ 1, sparse->size, &leaf, proof, count, &root) &&
           !tlog_consistency_prove(size1, sparse->size, read_sparse, sparse, proof, &count) &&
           !tlog_consistency_verify(size1, sparse->size, proof, count, &root1, &root);
}

static void test_large(void) {
    static struct sparse sparse;
    struct random random;
    uint64_t wrong = 0, first_wrong = 0;
    random_init(&random, 20260105);
    sparse_init(&sparse);
    for (unsigned i = 0; i < 4000; i++)
        if (!try_large(&sparse, &random) && !wrong++)
            first_wrong = sparse.size;
    if (!ok(wrong == 0, "proofs of trees up to 2^64 - 1 hold"))
        printf("# %" PRIu64 " did not, the first of size %" PRIu64 "\n", wrong, first_wrong);
    ok(!sparse.asked_too_much, "and ask only for subtrees within them");
}

/* ---- outside vectors: the eight leaves of certificate transparency's own tests ---- */

static struct tlog_hash vector_hash(json_t *value) {
    struct tlog_hash hash = {{0}};
    size_t size = 0;
    const char *string = json_string_value(value);
    ok(string && base64_decode(bytes_from_string(string), hash.bytes, sizeof hash.bytes, &size) &&
           size == sizeof hash.bytes,
       "a hash of the vector");
    return hash;
}

static uint64_t vector_number(json_t *vector, const char *name) {
    return (uint64_t)json_integer_value(json_object_get(vector, name));
}

static void try_vector(const char *path, bool is_inclusion) {
    struct tlog_hash proof[TLOG_PROOF_HASHES_MAX], root;
    size_t count = 0;
    enum err err;
    json_t *vector = json_load_file(path, 0, NULL), *wanted = json_object_get(vector, "proof");
    if (is_inclusion) {
        tree.size = vector_number(vector, "treeSize");
        err = tlog_inclusion_prove(vector_number(vector, "leafIdx"), tree.size, read_tree, &tree,
                                   proof, &count);
    } else {
        tree.size = vector_number(vector, "size2");
        err = tlog_consistency_prove(vector_number(vector, "size1"), tree.size, read_tree, &tree,
                                     proof, &count);
    }
    defined_root(0, tree.size, &root);
    struct tlog_hash wanted_root =
        vector_hash(json_object_get(vector, is_inclusion ? "root" : "root2"));
    bool same = !err && count == json_array_size(wanted) && is_same_hash(&root, &wanted_root);
    for (size_t i = 0; i < count && same; i++) {
        struct tlog_hash hash = vector_hash(json_array_get(wanted, i));
        same = is_same_hash(&hash, &proof[i]);
    }
    tap_ok(same, "the proof is the vector's, hash by hash", __FILE__, __LINE__, path);
    json_decref(vector);
}

static void test_vectors(void) {
    static const char *const leaves[8] = {"",
                                          "00",
                                          "10",
                                          "2021",
                                          "3031",
                                          "40414243",
                                          "5051525354555657",
                                          "606162636465666768696a6b6c6d6e6f"};
    const char *data = getenv("VEILLEUSE_DATA");
    for (size_t i = 0; i < 8; i++) {
        uint8_t leaf[16];
        size_t leaf_bytes = strlen(leaves[i]) / 2;
        ok(hex_decode(bytes_from_string(leaves[i]), leaf, leaf_bytes), "a leaf in the test");
        set_leaf(i, bytes_from(leaf, leaf_bytes));
    }
    for (unsigned i = 0; i < 10; i++) {
        char path[PATH_MAX];
        struct stat st;
        const char *kind = i < 5 ? "inclusion" : "consistency";
        snprintf(path, sizeof path, "%s/merkle/%s/%u/happy-path.json",
                 data ? data : "../shared/data", kind, i % 5);
        if (stat(path, &st))
            printf("ok %d - %s # SKIP no vector at %s\n", ++tap_count, kind, path);
        else
            try_vector(path, i < 5);
    }
    fill_tree();
}

/* ---- the text ---- */

#define ENTRY "an entry, sealed"

static struct tlog_signer signer, other_signer;

static void make_signers(void) {
    uint8_t seed[32];
    memset(seed, 7, sizeof seed);
    is_int(tlog_signer_from_seed(&signer, BYTES("hospital.example/veilleuse/node-1/1"), seed),
           ERR_OK);
    memset(seed, 8, sizeof seed);
    is_int(tlog_signer_from_seed(&other_signer, BYTES("hospital.example/veilleuse/node-1/1"), seed),
           ERR_OK);
}

/* The entry at `index` of a tree of `size`, in `text`. */
static struct bytes make_proof(struct text *text, uint64_t index, uint64_t size, struct bytes extra,
                               const char *origin) {
    static char note_buffer[TLOG_NOTE_BYTES_MAX];
    static struct tlog_proof proof;
    struct text note;
    proof = (struct tlog_proof){.index = index, .extra = extra};
    struct tlog_checkpoint checkpoint = {.origin = bytes_from_string(origin), .size = size};
    tree.size = size;
    set_leaf(index, BYTES(ENTRY));
    defined_root(0, size, &checkpoint.root);
    is_int(tlog_inclusion_prove(index, size, read_tree, &tree, proof.hashes, &proof.hash_count),
           ERR_OK);
    text_init(&note, note_buffer, sizeof note_buffer);
    tlog_put_checkpoint(&note, &checkpoint);
    struct bytes body = text_bytes(&note);
    text_put_char(&note, '\n');
    tlog_put_signature(&note, &signer, body);
    proof.note = text_bytes(&note);
    text_clear(text);
    tlog_put_proof(text, &proof);
    ok(!text->full, "the proof has room");
    return text_bytes(text);
}

/* Read and verified; the leaf is that of the extra data. */
static enum err verdict(struct bytes in, const struct tlog_verifier *verifiers, size_t count) {
    static struct tlog_proof proof;
    uint8_t extra[64];
    struct tlog_hash leaf;
    enum err err = tlog_proof_read(in, extra, sizeof extra, &proof);
    if (err)
        return err;
    tlog_leaf_hash(proof.extra, &leaf);
    return tlog_proof_verify(&proof, &leaf, verifiers, count);
}

static void test_text(void) {
    char buffer[8192], again[8192];
    struct text text, text_again;
    static struct tlog_proof proof;
    uint8_t extra[sizeof ENTRY - 1];
    struct guard guard;
    guard_init(&guard, sizeof buffer);
    text_init(&text, buffer, sizeof buffer);
    text_init(&text_again, again, sizeof again);
    struct bytes in =
        guard_copy(&guard, make_proof(&text, 77, 200, BYTES(ENTRY), signer.verifier.name));
    is_int(tlog_proof_read(in, extra, sizeof extra, &proof), ERR_OK);
    ok(proof.index == 77 && proof.hash_count == 8 && bytes_is(proof.extra, ENTRY));
    tlog_put_proof(&text_again, &proof);
    ok(bytes_equal(text_bytes(&text_again), in), "written again it is the same");
    is_int(verdict(in, &signer.verifier, 1), ERR_OK);
    is_int(tlog_proof_read(in, extra, sizeof extra - 1, &proof), ERR_LIMIT);
    in = guard_copy(&guard, make_proof(&text, 0, 1, BYTES_NONE, signer.verifier.name));
    is_int(tlog_proof_read(in, NULL, 0, &proof), ERR_OK);
    ok(proof.index == 0 && proof.hash_count == 0 && bytes_is_empty(proof.extra));
    text_clear(&text_again);
    tlog_put_proof(&text_again, &proof);
    ok(bytes_equal(text_bytes(&text_again), in), "the least proof there is, again the same");
    guard_release(&guard);
}

/* Cut anywhere it is no proof; each bit counts. */
static void test_changes(void) {
    char buffer[8192];
    struct text text;
    struct guard guard;
    size_t held = 0;
    guard_init(&guard, sizeof buffer);
    text_init(&text, buffer, sizeof buffer);
    struct bytes in = make_proof(&text, 77, 200, BYTES(ENTRY), signer.verifier.name);
    for (size_t size = 0; size < in.size; size++)
        held += !verdict(guard_copy(&guard, bytes_first(in, size)), &signer.verifier, 1);
    is_int(held, 0);
    for (size_t bit = 0; bit < in.size * 8; bit++) {
        buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
        held += !verdict(guard_copy(&guard, in), &signer.verifier, 1);
        buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
    }
    is_int(held, 0);
    is_int(verdict(in, &signer.verifier, 1), ERR_OK);
    guard_release(&guard);
}

#define HASH   "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
#define HASHES HASH HASH HASH HASH HASH HASH HASH HASH HASH HASH HASH HASH HASH
#define NOTE   "a\n1\n" HASH "\n\xE2\x80\x94 a AAAAAAAA\n"
#define HEADER TLOG_PROOF_HEADER "\n"

static void test_strictness(void) {
    static const char *const right[] = {
        HEADER "index 0\n\n" NOTE,
        HEADER "index 18446744073709551615\n" HASH "\n" NOTE,
        HEADER "extra AA==\nindex 10\n" HASH HASH "\n" NOTE,
        HEADER "extra AAAA\nindex 10\n" HASHES HASHES HASHES HASHES HASHES "\n" NOTE,
    };
    static const char *const wrong[] = {
        "",
        "c2sp.org/tlog-proof@v2\nindex 0\n\n" NOTE,
        "c2sp.org/tlog-proof@v1 \nindex 0\n\n" NOTE,
        "c2sp.org/tlog-proof@v1\r\nindex 0\n\n" NOTE,
        "\n" HEADER "index 0\n\n" NOTE,
        HEADER "\nindex 0\n\n" NOTE,
        HEADER "extra \nindex 0\n\n" NOTE,
        HEADER "extra\nindex 0\n\n" NOTE,
        HEADER "extra AA\nindex 0\n\n" NOTE,
        HEADER "extra AA=\nindex 0\n\n" NOTE,
        HEADER "extra AB==\nindex 0\n\n" NOTE,
        HEADER "extra ====\nindex 0\n\n" NOTE,
        HEADER "extra AA== \nindex 0\n\n" NOTE,
        HEADER "extra AA_=\nindex 0\n\n" NOTE,
        HEADER "extra AA==\nextra AA==\nindex 0\n\n" NOTE,
        HEADER "index 0\nextra AA==\n\n" NOTE,
        HEADER "index 00\n\n" NOTE,
        HEADER "index 01\n\n" NOTE,
        HEADER "index +1\n\n" NOTE,
        HEADER "index -1\n\n" NOTE,
        HEADER "index \n\n" NOTE,
        HEADER "index  1\n\n" NOTE,
        HEADER "index 1 \n\n" NOTE,
        HEADER "index 0x1\n\n" NOTE,
        HEADER "index 18446744073709551616\n\n" NOTE,
        HEADER "Index 0\n\n" NOTE,
        HEADER "index 0\n" NOTE,
        HEADER "index 0\n\n\n" NOTE,
        HEADER "index 0\n" HASH NOTE,
        HEADER "index 0\n " HASH "\n" NOTE,
        HEADER "index 0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= \n\n" NOTE,
        HEADER "index 0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n\n" NOTE,
        HEADER "index 0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n\n" NOTE,
        HEADER "index 0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==\n\n" NOTE,
        HEADER "index 0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFVV\n\n" NOTE,
        HEADER "index 0\n" HASHES HASHES HASHES HASHES HASHES HASH "\n" NOTE,
        HEADER "index 0\n\n",
        HEADER "index 0\n",
        HEADER "index 0\n\na\n1\n" HASH,
        HEADER "index 0\n\na\n1\n" HASH "\n",
        HEADER "index 0\n\n" NOTE "\n",
        HEADER "index 0\n\n\x01" NOTE,
    };
    static struct tlog_proof proof;
    uint8_t extra[8];
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        tap_ok(!tlog_proof_read(bytes_from_string(right[i]), extra, sizeof extra, &proof),
               "a proof", __FILE__, __LINE__, right[i][0] ? "it is read" : "");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        enum err err = tlog_proof_read(bytes_from_string(wrong[i]), extra, sizeof extra, &proof);
        if (!ok(err == ERR_INPUT, "what is not of the form is refused"))
            printf("# number %zu gave %s\n", i, err_name(err));
    }
}

static void test_verdicts(void) {
    char buffer[8192];
    struct text text;
    struct tlog_verifier both[2] = {other_signer.verifier, signer.verifier};
    text_init(&text, buffer, sizeof buffer);
    struct bytes in = make_proof(&text, 299, 300, BYTES(ENTRY), signer.verifier.name);
    is_int(verdict(in, both, 2), ERR_OK);
    is_int(verdict(in, both, 1), ERR_CRYPTO);
    is_int(verdict(in, both, 0), ERR_CRYPTO);
    in = make_proof(&text, 5, 300, BYTES("another entry"), signer.verifier.name);
    is_int(verdict(in, both, 2), ERR_CRYPTO);
    in = make_proof(&text, 5, 300, BYTES(ENTRY), "hospital.example/veilleuse/node-1/2");
    is_int(verdict(in, both, 2), ERR_CRYPTO);
    /* Of another signed tree: the hashes are of the one, the checkpoint of the other. */
    char other_buffer[8192];
    struct text other;
    text_init(&other, other_buffer, sizeof other_buffer);
    in = make_proof(&text, 5, 300, BYTES(ENTRY), signer.verifier.name);
    struct bytes shorter = make_proof(&other, 5, 299, BYTES(ENTRY), signer.verifier.name);
    const char *note = strstr(buffer, "\n\nhospital"),
               *shorter_note = strstr(other_buffer, "\n\nhospital");
    ok(note && shorter_note && !verdict(in, both, 2) && !verdict(shorter, both, 2), "both hold");
    text.size = (size_t)(note - buffer);
    text_put_string(&text, shorter_note);
    is_int(verdict(text_bytes(&text), both, 2), ERR_CRYPTO);
}

int main(void) {
    if (sodium_init() < 0)
        skip_all("libsodium does not start");
    test_all_small();
    test_refusals();
    test_large();
    test_vectors();
    make_signers();
    test_text();
    test_changes();
    test_strictness();
    test_verdicts();
    return done();
}
