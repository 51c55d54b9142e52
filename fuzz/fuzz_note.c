/* fuzz_note.c - checkpoints, signed notes and verifier keys from any bytes: read, written again, the same. */
#include "formats/tlog/tlog.h"

#include <assert.h>
#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key of the corpus' notes: seed of 32 times 7. */
static void make_signer(struct tlog_signer *signer) {
    uint8_t seed[32];
    memset(seed, 7, sizeof seed);
    enum err err = tlog_signer_from_seed(signer, BYTES("fuzz.example/veilleuse/node/1"), seed);
    assert(!err);
}

static bool is_inside(struct bytes view, struct bytes whole) {
    return view.size == 0 ||
           (view.data >= whole.data && view.data + view.size <= whole.data + whole.size);
}

static bool is_same(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* What was read as a checkpoint is written as exactly the signed text it came from. */
static void check_checkpoint(struct bytes in) {
    struct tlog_checkpoint checkpoint;
    struct bytes body;
    char buffer[TLOG_NOTE_BYTES_MAX + 1];
    struct text text;
    if (tlog_checkpoint_read(in, &checkpoint, &body))
        return;
    assert(is_inside(body, in) && is_inside(checkpoint.origin, body) &&
           is_inside(checkpoint.extension, body));
    text_init(&text, buffer, sizeof buffer);
    tlog_put_checkpoint(&text, &checkpoint);
    assert(!text.full && is_same(text_bytes(&text), body));
}

static void check_verifier(struct bytes in) {
    struct tlog_verifier verifier, again;
    char buffer[512];
    struct text text;
    if (tlog_verifier_read(in, &verifier))
        return;
    text_init(&text, buffer, sizeof buffer);
    tlog_put_verifier(&text, &verifier);
    assert(!text.full && !tlog_verifier_read(text_bytes(&text), &again));
    assert(!strcmp(verifier.name, again.name) && verifier.key_id == again.key_id &&
           !memcmp(verifier.public_key, again.public_key, sizeof verifier.public_key));
}

/* A note that holds, holds for its body: with one bit of the body changed it must not. */
static void check_note(struct bytes in, const struct tlog_signer *signer) {
    struct bytes body;
    uint8_t copy[TLOG_NOTE_BYTES_MAX];
    if (tlog_note_verify(in, &signer->verifier, &body))
        return;
    assert(is_inside(body, in) && in.size <= sizeof copy);
    memcpy(copy, in.data, in.size);
    copy[body.data - in.data] ^= 1;
    struct bytes changed_body;
    enum err err = tlog_note_verify(bytes_from(copy, in.size), &signer->verifier, &changed_body);
    assert(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tlog_signer signer;
    struct bytes in = bytes_from(data, size);
    if (sodium_init() < 0)
        return 0;
    make_signer(&signer);
    check_checkpoint(in);
    check_verifier(in);
    check_note(in, &signer);
    return 0;
}
