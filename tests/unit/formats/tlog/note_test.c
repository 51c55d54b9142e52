/* note_test.c - checkpoints, keys and signed notes; the first key is that of Go's own note package. */
#include "formats/tlog/tlog.h"
#include "guard.h"
#include "tap.h"

#include <sodium.h>

/* golang.org/x/mod/sumdb/note, its example: the key, a text and the signature it makes. */
static const char go_signer[] =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
static const char go_verifier[] =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char go_text[] = "If you think cryptography is the answer to your problem,\n"
                              "then you don't know what your problem is.\n";
static const char go_signature[] =
    "\xE2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n";

static void test_go_note(void) {
    struct tlog_signer signer;
    struct tlog_verifier verifier;
    char buffer[1024];
    struct text text;
    struct bytes body;
    is_int(tlog_signer_read(bytes_from_string(go_signer), &signer), ERR_OK);
    is_int(tlog_verifier_read(bytes_from_string(go_verifier), &verifier), ERR_OK);
    ok(!memcmp(verifier.public_key, signer.verifier.public_key, 32), "the halves belong together");
    text_init(&text, buffer, sizeof buffer);
    tlog_put_signature(&text, &signer, bytes_from_string(go_text));
    is_string(text.data, go_signature);
    text_init(&text, buffer, sizeof buffer);
    tlog_put_signer(&text, &signer);
    is_string(text.data, go_signer);
    text_init(&text, buffer, sizeof buffer);
    tlog_put_verifier(&text, &verifier);
    is_string(text.data, go_verifier);
    text_init(&text, buffer, sizeof buffer);
    text_put_format(&text, "%s\n%s", go_text, go_signature);
    is_int(tlog_note_verify(text_bytes(&text), &verifier, &body), ERR_OK);
    ok(bytes_is(body, go_text));
}

static void test_keys(void) {
    static const char *const wrong[] = {
        "",
        "+",
        "a+b",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
    };
    struct tlog_verifier verifier;
    struct tlog_signer signer;
    uint8_t seed[32] = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        is_int(tlog_verifier_read(bytes_from_string(wrong[i]), &verifier), ERR_INPUT);
    is_int(
        tlog_verifier_read(
            BYTES("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), &verifier),
        ERR_CRYPTO);
    is_int(
        tlog_verifier_read(
            BYTES("PeterNeumann+c74f20a3+BBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), &verifier),
        ERR_UNSUPPORTED);
    is_int(tlog_signer_read(bytes_from_string(go_verifier), &signer), ERR_INPUT);
    is_int(tlog_signer_from_seed(&signer, BYTES("a name"), seed), ERR_INPUT);
    is_int(tlog_signer_from_seed(&signer, BYTES(""), seed), ERR_INPUT);
    is_int(tlog_signer_from_seed(&signer, BYTES("a+b"), seed), ERR_INPUT);
}

/* A note of our own, signed; *body_bytes gets where its empty line is. */
static struct bytes make_note(struct text *text, const struct tlog_signer *signer,
                              size_t *body_bytes) {
    struct tlog_checkpoint checkpoint = {.origin = bytes_from_string(signer->verifier.name),
                                         .size = 1234067};
    tlog_empty_hash(&checkpoint.root);
    tlog_put_checkpoint(text, &checkpoint);
    *body_bytes = text->size;
    text_put_char(text, '\n');
    tlog_put_signature(text, signer, bytes_from(text->data, *body_bytes));
    return text_bytes(text);
}

static void test_checkpoint(const struct tlog_signer *signer) {
    char buffer[1024];
    struct text text;
    struct bytes body;
    struct tlog_checkpoint checkpoint;
    size_t body_bytes;
    text_init(&text, buffer, sizeof buffer);
    struct bytes note = make_note(&text, signer, &body_bytes);
    is_int(tlog_checkpoint_read(note, &checkpoint, &body), ERR_OK);
    is_int(checkpoint.size, 1234067);
    ok(bytes_is(checkpoint.origin, signer->verifier.name) && bytes_is_empty(checkpoint.extension));
    is_int(body.size, body_bytes);
    is_int(tlog_checkpoint_read(bytes_first(note, body_bytes), &checkpoint, &body), ERR_OK);
    static const char *const wrong[] = {
        "",
        "\n",
        "a\n",
        "a\n1\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "a\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n18446744073709551616\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hS\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nmore\n\nand more\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmo\tre\n",
        "a\x80\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        is_int(tlog_checkpoint_read(bytes_from_string(wrong[i]), &checkpoint, &body), ERR_INPUT);
    is_int(tlog_checkpoint_read(BYTES("a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n"),
                                &checkpoint, &body),
           ERR_OK);
    ok(bytes_is(checkpoint.extension, "more\n"));
}

/* Every bit of the body and of our signature line counts; cut anywhere the note does not hold. */
static void test_changes(const struct tlog_signer *signer) {
    char buffer[1024];
    struct text text;
    struct bytes body;
    struct guard guard;
    size_t body_bytes, held = 0;
    text_init(&text, buffer, sizeof buffer);
    struct bytes note = make_note(&text, signer, &body_bytes);
    guard_init(&guard, sizeof buffer);
    is_int(tlog_note_verify(guard_copy(&guard, note), &signer->verifier, &body), ERR_OK);
    for (size_t bit = 0; bit < note.size * 8; bit++) {
        buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
        held += tlog_note_verify(guard_copy(&guard, note), &signer->verifier, &body) == ERR_OK;
        buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
    }
    is_int(held, 0);
    for (size_t size = 0; size < note.size; size++)
        held += tlog_note_verify(guard_copy(&guard, bytes_first(note, size)), &signer->verifier,
                                 &body) == ERR_OK;
    is_int(held, 0);
    guard_release(&guard);
}

static void test_signatures(const struct tlog_signer *signer) {
    char buffer[2048];
    struct text text;
    struct bytes body;
    size_t body_bytes;
    struct tlog_signer other;
    uint8_t seed[32] = {9};
    is_int(tlog_signer_from_seed(&other, bytes_from_string(signer->verifier.name), seed), ERR_OK);
    text_init(&text, buffer, sizeof buffer);
    make_note(&text, signer, &body_bytes);
    is_int(tlog_note_verify(text_bytes(&text), &other.verifier, &body), ERR_CRYPTO);
    tlog_put_signature(&text, &other, bytes_from(buffer, body_bytes));
    text_put_string(&text, "\xE2\x80\x94 witness.example AAAAAAAA\n");
    is_int(tlog_note_verify(text_bytes(&text), &other.verifier, &body), ERR_OK);
    is_int(tlog_note_verify(text_bytes(&text), &signer->verifier, &body), ERR_OK);
    /* The log's own name, a key of another kind: longer than any Ed25519 signature, and passed over. */
    text_put_format(&text, "\xE2\x80\x94 %s ", signer->verifier.name);
    uint8_t longer[4 + 420] = {0};
    text_put_base64(&text, bytes_from(longer, sizeof longer));
    text_put_char(&text, '\n');
    is_int(tlog_note_verify(text_bytes(&text), &signer->verifier, &body), ERR_OK);
    text_put_string(&text, "not a signature\n");
    is_int(tlog_note_verify(text_bytes(&text), &signer->verifier, &body), ERR_INPUT);
}

int main(void) {
    struct tlog_signer signer;
    uint8_t seed[32] = {7};
    if (sodium_init() < 0)
        skip_all("libsodium does not start");
    is_int(tlog_signer_from_seed(&signer, BYTES("hospital.example/veilleuse/node-1/1"), seed),
           ERR_OK);
    test_go_note();
    test_keys();
    test_checkpoint(&signer);
    test_changes(&signer);
    test_signatures(&signer);
    return done();
}
