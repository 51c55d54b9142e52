/* merkle_test.c - hashes, frontier, tile paths, and proofs against the vectors of transparency-dev/merkle. */
#include "formats/tlog/tlog.h"
#include "tap.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>

static struct tlog_hash hash_of_hex(const char *hex) {
    struct tlog_hash hash = {{0}};
    ok(hex_decode(bytes_from_string(hex), hash.bytes, sizeof hash.bytes), "a hash in the test");
    return hash;
}

static bool is_hash(const struct tlog_hash *got, const char *hex) {
    struct tlog_hash wanted = hash_of_hex(hex);
    return memcmp(got->bytes, wanted.bytes, sizeof wanted.bytes) == 0;
}

/* The eight leaves that certificate transparency's own tests use, and the roots of their trees. */
static const char *const ct_leaves[8] = {"",
                                         "00",
                                         "10",
                                         "2021",
                                         "3031",
                                         "40414243",
                                         "5051525354555657",
                                         "606162636465666768696a6b6c6d6e6f"};
static const char *const ct_roots[9] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

static void test_trees(void) {
    struct tlog_frontier frontier;
    struct tlog_hash leaves[8], root;
    tlog_frontier_init(&frontier);
    for (unsigned size = 0; size <= 8; size++) {
        tlog_frontier_root(&frontier, &root);
        ok(is_hash(&root, ct_roots[size]), "the root that RFC 6962's reference gives");
        tlog_subtree_hash(leaves, size, &root);
        ok(is_hash(&root, ct_roots[size]), "the same by the subtree");
        if (size == 8)
            break;
        uint8_t leaf[16];
        size_t leaf_bytes = strlen(ct_leaves[size]) / 2;
        ok(hex_decode(bytes_from_string(ct_leaves[size]), leaf, leaf_bytes), "a leaf in the test");
        tlog_leaf_hash(bytes_from(leaf, leaf_bytes), &leaves[size]);
        tlog_frontier_add(&frontier, &leaves[size]);
    }
}

/* The root by the definition of RFC 6962, written down without any cleverness: pairs, level by level, the odd one up. */
static void plain_root(struct tlog_hash *hashes, size_t count, struct tlog_hash *root) {
    for (; count > 1; count = (count + 1) / 2)
        for (size_t i = 0; i < (count + 1) / 2; i++) {
            if (2 * i + 1 < count)
                tlog_node_hash(&hashes[2 * i], &hashes[2 * i + 1], &hashes[i]);
            else
                hashes[i] = hashes[2 * i];
        }
    *root = hashes[0];
}

static void test_frontier(void) {
    struct tlog_frontier frontier;
    static struct tlog_hash leaves[700], scratch[700];
    struct tlog_hash root, wanted;
    bool all_same = true;
    tlog_frontier_init(&frontier);
    for (size_t i = 0; i < 700; i++) {
        tlog_leaf_hash(bytes_from(&i, sizeof i), &leaves[i]);
        tlog_frontier_add(&frontier, &leaves[i]);
        memcpy(scratch, leaves, sizeof leaves);
        plain_root(scratch, i + 1, &wanted);
        tlog_frontier_root(&frontier, &root);
        all_same = all_same && memcmp(&root, &wanted, sizeof root) == 0;
    }
    ok(all_same, "roots of all sizes to 700 are those of the definition");
    is_int(frontier.size, 700);
}

static void path_is(int level, uint64_t number, unsigned width, const char *wanted) {
    char buffer[128];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    tlog_put_tile_path(&text, level, number, width);
    is_string(text.data, wanted);
}

static void test_paths(void) {
    path_is(0, 0, 256, "tile/0/000");
    path_is(0, 0, 0, "tile/0/000");
    path_is(1, 273, 256, "tile/1/273");
    path_is(0, 1234067, 256, "tile/0/x001/x234/067");
    path_is(0, 1234067, 8, "tile/0/x001/x234/067.p/8");
    path_is(TLOG_LEVEL_ENTRIES, 1000, 255, "tile/entries/x001/000.p/255");
    path_is(63, 999, 256, "tile/63/999");
    path_is(0, UINT64_MAX / 256, 1, "tile/0/x072/x057/x594/x037/x927/935.p/1");
    is_int(tlog_partial_width(0, 0), 0);
    is_int(tlog_partial_width(256, 0), 0);
    is_int(tlog_partial_width(256, 1), 1);
    is_int(tlog_partial_width(70000, 0), 70000 % 256);
    is_int(tlog_partial_width(70000, 1), 70000 / 256 % 256);
    is_int(tlog_partial_width(70000, 2), 1);
    is_int(tlog_partial_width(UINT64_MAX, 7), 255);
    is_int(tlog_partial_width(UINT64_MAX, 8), 0);
}

/* ---- subtrees ---- */

#define LEAVES_MAX 70u

/* The proof that [start, end) stands in a tree, by the definition of draft-ietf-plants-merkle-tree-certs 4.4.1. */
static size_t plain_proof(const struct tlog_hash *leaves, struct tlog_subtree part, size_t size,
                          bool is_known, struct tlog_hash *proof) {
    size_t count, split = 1;
    if (part.start == 0 && part.end == size) {
        tlog_subtree_hash(leaves, size, proof);
        return !is_known;
    }
    while (2 * split < size)
        split *= 2;
    bool goes_right = part.end > split;
    if (!goes_right)
        count = plain_proof(leaves, part, split, is_known, proof);
    else if (part.start >= split)
        count =
            plain_proof(leaves + split, (struct tlog_subtree){part.start - split, part.end - split},
                        size - split, is_known, proof);
    else
        count = plain_proof(leaves + split, (struct tlog_subtree){0, part.end - split},
                            size - split, false, proof);
    tlog_subtree_hash(goes_right ? leaves : leaves + split, goes_right ? split : size - split,
                      &proof[count]);
    return count + 1;
}

/* One proof holds, and nothing beside it does. */
static bool only_this_holds(struct tlog_subtree part, size_t size, struct tlog_hash *proof,
                            size_t count, struct tlog_hash *root1, struct tlog_hash *root2) {
    unsigned taken = 0;
    if (tlog_subtree_consistency_verify(part, size, proof, count, root1, root2))
        return false;
    for (size_t i = 0; i < count + 2; i++) {
        struct tlog_hash *changed = i < count ? &proof[i] : i == count ? root1 : root2;
        changed->bytes[i % TLOG_HASH_BYTES] ^= 1;
        taken += !tlog_subtree_consistency_verify(part, size, proof, count, root1, root2);
        changed->bytes[i % TLOG_HASH_BYTES] ^= 1;
    }
    taken += !tlog_subtree_consistency_verify(part, size, proof, count + 1, root1, root2);
    taken += count && !tlog_subtree_consistency_verify(part, size, proof, count - 1, root1, root2);
    return taken == 0;
}

static void test_subtrees(void) {
    static struct tlog_hash leaves[LEAVES_MAX], proof[LEAVES_MAX];
    struct tlog_hash root1, root2;
    unsigned held = 0, refused = 0, all = 0;
    for (size_t i = 0; i < LEAVES_MAX; i++)
        tlog_leaf_hash(bytes_from(&i, sizeof i), &leaves[i]);
    for (size_t size = 1; size <= LEAVES_MAX; size++)
        for (uint64_t start = 0; start < size; start++)
            for (uint64_t end = start + 1; end <= size; end++, all++) {
                struct tlog_subtree part = {start, end};
                uint64_t power = 1;
                while (power < end - start)
                    power *= 2;
                tlog_subtree_hash(leaves + start, end - start, &root1);
                tlog_subtree_hash(leaves, size, &root2);
                if (start % power == 0)
                    held += only_this_holds(part, size, proof,
                                            plain_proof(leaves, part, size, true, proof), &root1,
                                            &root2);
                else
                    refused += tlog_subtree_consistency_verify(part, size, proof, 0, &root1,
                                                               &root2) == ERR_INPUT;
            }
    is_int(held + refused, all);
    ok(held > 8000 && refused > 8000, "many of each");
}

/* ---- outside vectors ---- */

#define PROOF_MAX 80u

struct vector {
    const char *text;
    json_t *json;
    bool is_well_formed;
    struct tlog_hash proof[PROOF_MAX];
    size_t proof_count;
};

/* Some vectors hold texts shorter than a hash, to be compared like one: filled up with zeros they still differ. */
static struct tlog_hash vector_hash(struct vector *vector, json_t *value) {
    struct tlog_hash hash = {{0}};
    size_t size = 0;
    const char *string = json_string_value(value);
    if (!string ||
        !base64_decode(bytes_from_string(string), hash.bytes, sizeof hash.bytes, &size) ||
        size == 0)
        vector->is_well_formed = false;
    return hash;
}

/* Out of the text: jansson knows no integers above INT64_MAX, and reads them as reals that are only near. */
static uint64_t vector_number(const struct vector *vector, const char *name) {
    char member[32];
    snprintf(member, sizeof member, "\"%s\": ", name);
    const char *at = strstr(vector->text, member);
    return at ? strtoull(at + strlen(member), NULL, 10) : 0;
}

static bool vector_has(const struct vector *vector, const char *name) {
    return json_object_get(vector->json, name) != NULL;
}

static enum err inclusion_verdict(struct vector *vector) {
    struct tlog_hash leaf = vector_hash(vector, json_object_get(vector->json, "leafHash"));
    struct tlog_hash root = vector_hash(vector, json_object_get(vector->json, "root"));
    struct tlog_subtree part = {vector_number(vector, "start"), vector_number(vector, "end")};
    uint64_t index = vector_number(vector, "leafIdx"), size = vector_number(vector, "treeSize");
    return vector_has(vector, "treeSize")
               ? tlog_inclusion_verify(index, size, &leaf, vector->proof, vector->proof_count,
                                       &root)
               : tlog_subtree_inclusion_verify(index, part, &leaf, vector->proof,
                                               vector->proof_count, &root);
}

static enum err consistency_verdict(struct vector *vector) {
    struct tlog_hash root1 = vector_hash(vector, json_object_get(vector->json, "root1"));
    struct tlog_hash root2 = vector_hash(vector, json_object_get(vector->json, "root2"));
    struct tlog_subtree part = {vector_number(vector, "start"), vector_number(vector, "end")};
    if (vector_has(vector, "size1"))
        return tlog_consistency_verify(vector_number(vector, "size1"),
                                       vector_number(vector, "size2"), vector->proof,
                                       vector->proof_count, &root1, &root2);
    return tlog_subtree_consistency_verify(part, vector_number(vector, "size"), vector->proof,
                                           vector->proof_count, &root1, &root2);
}

static enum err vector_verdict(struct vector *vector) {
    json_t *proof = json_object_get(vector->json, "proof");
    for (size_t i = 0; i < json_array_size(proof) && i < PROOF_MAX; i++)
        vector->proof[vector->proof_count++] = vector_hash(vector, json_array_get(proof, i));
    return vector_has(vector, "leafIdx") ? inclusion_verdict(vector) : consistency_verdict(vector);
}

static int good_count, bad_count;

static void try_vector(const char *path) {
    static char text[65536];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[size] = 0;
    if (file)
        fclose(file);
    struct vector vector = {.text = text,
                            .json = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL),
                            .is_well_formed = true};
    enum err err = vector_verdict(&vector);
    bool refused = err != ERR_OK || !vector.is_well_formed;
    json_t *wanted = json_object_get(vector.json, "wantErr");
    tap_ok(json_is_boolean(wanted) && refused == json_is_true(wanted), "the expected verdict",
           __FILE__, __LINE__, path);
    good_count += json_is_false(wanted);
    bad_count += json_is_true(wanted);
    json_decref(vector.json);
}

static void try_directory(const char *path, unsigned depth) {
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char inner[PATH_MAX];
        struct stat st;
        snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && !stat(inner, &st)) {
            if (S_ISREG(st.st_mode))
                try_vector(inner);
            else if (depth < 4)
                try_directory(inner, depth + 1);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static void test_vectors(void) {
    char path[PATH_MAX];
    struct stat st;
    const char *data = getenv("VEILLEUSE_DATA");
    static const char *const kinds[] = {"inclusion", "consistency", "subtreeinclusion",
                                        "subtreeconsistency"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        good_count = bad_count = 0;
        snprintf(path, sizeof path, "%s/merkle/%s", data ? data : "../shared/data", kinds[i]);
        if (stat(path, &st))
            printf("ok %d - %s # SKIP no vectors at %s\n", ++tap_count, kinds[i], path);
        else {
            try_directory(path, 0);
            printf("# %s: %d to accept, %d to refuse\n", kinds[i], good_count, bad_count);
            ok(good_count > 0 && bad_count > 0, "there were vectors of both kinds");
        }
    }
}

int main(void) {
    test_trees();
    test_frontier();
    test_paths();
    test_subtrees();
    test_vectors();
    return done();
}
