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

/* ---- outside vectors ---- */

#define PROOF_MAX 80u

struct vector {
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

/* Read as a real, since jansson knows no integers above INT64_MAX; those in the vectors are small, or 2^64 - 1. */
static uint64_t vector_number(struct vector *vector, const char *name) {
    double value = json_real_value(json_object_get(vector->json, name));
    return value < 0x1p63 ? (uint64_t)value : UINT64_MAX;
}

static enum err vector_verdict(struct vector *vector) {
    json_t *proof = json_object_get(vector->json, "proof");
    for (size_t i = 0; i < json_array_size(proof) && i < PROOF_MAX; i++)
        vector->proof[vector->proof_count++] = vector_hash(vector, json_array_get(proof, i));
    if (json_object_get(vector->json, "leafIdx")) {
        uint64_t index = vector_number(vector, "leafIdx"), size = vector_number(vector, "treeSize");
        struct tlog_hash leaf = vector_hash(vector, json_object_get(vector->json, "leafHash"));
        struct tlog_hash root = vector_hash(vector, json_object_get(vector->json, "root"));
        return tlog_inclusion_verify(index, size, &leaf, vector->proof, vector->proof_count, &root);
    }
    uint64_t size1 = vector_number(vector, "size1"), size2 = vector_number(vector, "size2");
    struct tlog_hash root1 = vector_hash(vector, json_object_get(vector->json, "root1"));
    struct tlog_hash root2 = vector_hash(vector, json_object_get(vector->json, "root2"));
    return tlog_consistency_verify(size1, size2, vector->proof, vector->proof_count, &root1,
                                   &root2);
}

static void try_vector(const char *path) {
    struct vector vector = {.json = json_load_file(path, JSON_DECODE_INT_AS_REAL, NULL),
                            .is_well_formed = true};
    enum err err = vector_verdict(&vector);
    bool refused = err != ERR_OK || !vector.is_well_formed;
    bool wanted = json_is_true(json_object_get(vector.json, "wantErr"));
    tap_ok(vector.json && refused == wanted, "the expected verdict", __FILE__, __LINE__, path);
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
    static const char *const kinds[] = {"inclusion", "consistency"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/merkle/%s", data ? data : "../shared/data", kinds[i]);
        if (stat(path, &st))
            printf("ok %d - %s # SKIP no vectors at %s\n", ++tap_count, kinds[i], path);
        else
            try_directory(path, 0);
    }
}

int main(void) {
    test_trees();
    test_frontier();
    test_paths();
    test_vectors();
    return done();
}
