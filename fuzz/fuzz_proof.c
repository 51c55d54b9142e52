/* fuzz_proof.c - proofs from any bytes: read, written again, the same; what holds, holds for that entry alone. */
#include "formats/tlog/tlog.h"

#include <assert.h>
#include <sodium.h>

#define EXTRA_BYTES_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key of the corpus' proofs: seed of 32 times 7. */
static void make_signer(struct tlog_signer *signer) {
    uint8_t seed[32];
    memset(seed, 7, sizeof seed);
    enum err err = tlog_signer_from_seed(signer, BYTES("fuzz.example/veilleuse/node/1"), seed);
    assert(!err);
}

/* What holds does not hold for another leaf, for the neighbour's place, or with a hash less. */
static void check_holds(const struct tlog_proof *proof, const struct tlog_verifier *verifier) {
    struct tlog_hash leaf;
    struct tlog_proof changed = *proof;
    enum err err;
    tlog_leaf_hash(proof->extra, &leaf);
    if (tlog_proof_verify(proof, &leaf, verifier, 1))
        return;
    leaf.bytes[proof->index % TLOG_HASH_BYTES] ^= 1;
    err = tlog_proof_verify(proof, &leaf, verifier, 1);
    assert(err == ERR_CRYPTO);
    leaf.bytes[proof->index % TLOG_HASH_BYTES] ^= 1;
    changed.index ^= 1;
    err = tlog_proof_verify(&changed, &leaf, verifier, 1);
    assert(err == ERR_CRYPTO);
    if (proof->hash_count == 0)
        return;
    changed = *proof;
    changed.hash_count--;
    err = tlog_proof_verify(&changed, &leaf, verifier, 1);
    assert(err == ERR_CRYPTO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t extra[EXTRA_BYTES_MAX];
    static char buffer[EXTRA_BYTES_MAX * 2 + TLOG_NOTE_BYTES_MAX + TLOG_PROOF_HASHES_MAX * 64u];
    struct tlog_signer signer;
    struct tlog_proof proof;
    struct text text;
    struct bytes in = bytes_from(data, size);
    if (sodium_init() < 0 || tlog_proof_read(in, extra, sizeof extra, &proof))
        return 0;
    assert(proof.hash_count <= TLOG_PROOF_HASHES_MAX && proof.note.data >= data &&
           proof.note.data + proof.note.size == data + size);
    text_init(&text, buffer, sizeof buffer);
    tlog_put_proof(&text, &proof);
    assert(!text.full && bytes_equal(text_bytes(&text), in));
    make_signer(&signer);
    check_holds(&proof, &signer.verifier);
    return 0;
}
