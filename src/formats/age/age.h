/* age.h - write and read age v1 files to one X25519 recipient, as a stream.
 *
 * Shapes     header, 16-byte nonce, chunks of 64 KiB sealed with ChaCha20-Poly1305; any slices in, pieces out.
 * Errors     ERR_INPUT: not an age file, or cut short. ERR_CRYPTO: not for this key, or changed; `has_key` says which.
 *            ERR_UNSUPPORTED: another version.
 * Ownership  the caller's buffers; secrets inside the structs are wiped by _clear.
 * Limits     one chunk (64 KiB) is held; a header over AGE_HEADER_BYTES_MAX is ERR_INPUT.
 * Source     age-encryption.org/v1 (C2SP age.md): HKDF-SHA-256, X25519 recipient stanza, STREAM.
 */
#ifndef FORMATS_AGE_AGE_H
#define FORMATS_AGE_AGE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

#define AGE_CHUNK_BYTES      65536u
#define AGE_SEALED_BYTES_MAX (AGE_CHUNK_BYTES + 16u)
#define AGE_HEADER_BYTES_MAX 4096u

/* "AGE-SECRET-KEY-1..." and "age1..." are Bech32 of these; text forms are for `veilleuse key` and the age tool. */
void age_public_key(const uint8_t secret[32], uint8_t public_key[32]);
void age_put_secret(struct text *out, const uint8_t secret[32]);
void age_put_recipient(struct text *out, const uint8_t public_key[32]);
/* ERR_INPUT when it is no such text, or mistyped. */
MUST_CHECK enum err age_secret_read(struct bytes text, uint8_t secret[32]);
MUST_CHECK enum err age_recipient_read(struct bytes text, uint8_t public_key[32]);

struct age_writer {
    uint8_t payload_key[32];
    uint64_t chunk_number;
    size_t filled;
    uint8_t chunk[AGE_CHUNK_BYTES];
};
/* Writes the header and nonce into `out` (at most AGE_HEADER_BYTES_MAX). */
MUST_CHECK enum err age_writer_init(struct age_writer *writer, const uint8_t recipient[32],
                                    struct text *out);
/* Take from *in what one chunk holds. *sealed_bytes is 0, or the size of a sealed chunk put in `sealed`.
 * Call again until *in is empty. A full chunk is only sealed when more follows (the last is marked). */
void age_writer_feed(struct age_writer *writer, struct bytes *in,
                     uint8_t sealed[AGE_SEALED_BYTES_MAX], size_t *sealed_bytes);
/* Seal the last chunk (it may be empty only when the whole plaintext is). */
void age_writer_finish(struct age_writer *writer, uint8_t sealed[AGE_SEALED_BYTES_MAX],
                       size_t *sealed_bytes);
void age_writer_clear(struct age_writer *writer);

struct age_reader {
    uint8_t secret[32], payload_key[32];
    uint64_t chunk_number;
    size_t filled, header_filled;
    bool has_key;    /* a stanza opened: the file is for this secret */
    bool has_header; /* and its MAC held: from here on pieces come out */
    bool is_ended;
    uint8_t header[AGE_HEADER_BYTES_MAX];
    uint8_t chunk[AGE_SEALED_BYTES_MAX + 1];
};
void age_reader_init(struct age_reader *reader, const uint8_t secret[32]);
/* Take from *in; *plain_bytes is 0 or the size of a piece put in `plain`. Call again until *in is empty. */
MUST_CHECK enum err age_reader_feed(struct age_reader *reader, struct bytes *in,
                                    uint8_t plain[AGE_CHUNK_BYTES], size_t *plain_bytes);
/* After the last byte: the last chunk, checked to be the last. ERR_INPUT when the file was cut; what stood whole before
 * the cut is given even then. */
MUST_CHECK enum err age_reader_finish(struct age_reader *reader, uint8_t plain[AGE_CHUNK_BYTES],
                                      size_t *plain_bytes);
void age_reader_clear(struct age_reader *reader);

#endif
