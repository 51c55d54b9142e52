/* age.c - age v1 files: one X25519 recipient, chunks of 64 KiB, nothing else. */
#include "formats/age/age.h"
#include "formats/age/stanza.h"

#include <assert.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <sodium.h>

#define FILE_KEY_BYTES 16u
#define NONCE_BYTES    16u
#define TAG_BYTES      crypto_aead_chacha20poly1305_ietf_ABYTES
#define WRAPPED_BYTES  (FILE_KEY_BYTES + TAG_BYTES)
#define VERSION_LINE   "age-encryption.org/v1\n"

static void hkdf(struct bytes salt, struct bytes secret, const char *info, uint8_t out[32]) {
    struct hmac_sha256_ctx context;
    uint8_t key[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&context, salt.size, salt.data);
    hkdf_extract(&context, (nettle_hash_update_func *)hmac_sha256_update,
                 (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE, secret.size,
                 secret.data, key);
    hmac_sha256_set_key(&context, sizeof key, key);
    hkdf_expand(&context, (nettle_hash_update_func *)hmac_sha256_update,
                (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE, strlen(info),
                (const uint8_t *)info, 32, out);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&context, sizeof context);
}

static void header_mac(const uint8_t file_key[FILE_KEY_BYTES], struct bytes header,
                       uint8_t mac[32]) {
    uint8_t key[32];
    struct hmac_sha256_ctx context;
    hkdf(BYTES_NONE, bytes_from(file_key, FILE_KEY_BYTES), "header", key);
    hmac_sha256_set_key(&context, sizeof key, key);
    hmac_sha256_update(&context, header.size, header.data);
    hmac_sha256_digest(&context, 32, mac);
    sodium_memzero(key, sizeof key);
}

/* The key that wraps the file key: of the shared secret, salted with both public halves. False for a low-order point. */
static bool wrap_key(const uint8_t secret[32], const uint8_t point[32], const uint8_t share[32],
                     const uint8_t recipient[32], uint8_t out[32]) {
    uint8_t shared[32], salt[64];
    if (crypto_scalarmult_curve25519(shared, secret, point))
        return false;
    memcpy(salt, share, 32);
    memcpy(salt + 32, recipient, 32);
    hkdf(bytes_from(salt, sizeof salt), bytes_from(shared, sizeof shared),
         "age-encryption.org/v1/X25519", out);
    sodium_memzero(shared, sizeof shared);
    return true;
}

void age_public_key(const uint8_t secret[32], uint8_t public_key[32]) {
    crypto_scalarmult_curve25519_base(public_key, secret);
}

/* ---- Bech32 (BIP 173), for the texts of keys ---- */

#define SECRET_PREFIX    "age-secret-key-"
#define RECIPIENT_PREFIX "age"
#define BECH32_GROUPS    52u /* of five bits, for 32 bytes */

static const char *bech32_digits(bool upper) {
    return upper ? "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" : "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
}

static uint32_t bech32_step(uint32_t sum, uint8_t value) {
    static const uint32_t generators[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                           0x2a1462b3};
    uint32_t top = sum >> 25;
    sum = (sum & 0x1ffffff) << 5 ^ value;
    for (int i = 0; i < 5; i++)
        if (top >> i & 1)
            sum ^= generators[i];
    return sum;
}

/* The g-th group of five bits; 256 bits end with a group that is padded with zeros. */
static uint8_t five_bits(const uint8_t data[32], unsigned group) {
    unsigned value = 0;
    for (unsigned bit = 5 * group; bit < 5 * group + 5; bit++)
        value = value << 1 | (bit < 256 ? (unsigned)data[bit / 8] >> (7 - bit % 8) & 1u : 0u);
    return (uint8_t)value;
}

/* `prefix` in lower case; the checksum is of the lower-case form, whatever is printed. */
static void put_bech32(struct text *out, const char *prefix, const uint8_t data[32], bool upper) {
    const char *digits = bech32_digits(upper);
    uint32_t sum = 1;
    for (const char *c = prefix; *c; c++)
        sum = bech32_step(sum, (uint8_t)*c >> 5);
    sum = bech32_step(sum, 0);
    for (const char *c = prefix; *c; c++) {
        sum = bech32_step(sum, *c & 31);
        text_put_char(out, upper && *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
    }
    text_put_char(out, '1');
    for (unsigned group = 0; group < BECH32_GROUPS; group++) {
        uint8_t value = five_bits(data, group);
        sum = bech32_step(sum, value);
        text_put_char(out, digits[value]);
    }
    for (int i = 0; i < 6; i++)
        sum = bech32_step(sum, 0);
    sum ^= 1;
    for (int i = 5; i >= 0; i--)
        text_put_char(out, digits[sum >> (5 * i) & 31]);
}

void age_put_secret(struct text *out, const uint8_t secret[32]) {
    put_bech32(out, SECRET_PREFIX, secret, true);
}

void age_put_recipient(struct text *out, const uint8_t public_key[32]) {
    put_bech32(out, RECIPIENT_PREFIX, public_key, false);
}

/* The value of a digit; 32 when it is none. One case throughout. */
static uint8_t bech32_value(uint8_t digit, bool upper) {
    const char *digits = bech32_digits(upper);
    for (uint8_t value = 0; value < 32; value++)
        if (digits[value] == digit)
            return value;
    return 32;
}

static enum err read_bech32(struct bytes text, const char *prefix, bool upper, uint8_t data[32]) {
    uint8_t values[BECH32_GROUPS];
    char buffer[128];
    struct text again;
    size_t skip = strlen(prefix) + 1;
    if (text.size != skip + BECH32_GROUPS + 6)
        return ERR_INPUT;
    for (unsigned group = 0; group < BECH32_GROUPS; group++) {
        values[group] = bech32_value(text.data[skip + group], upper);
        if (values[group] == 32)
            return ERR_INPUT;
    }
    memset(data, 0, 32);
    for (unsigned bit = 0; bit < 256; bit++)
        data[bit / 8] |= (uint8_t)((values[bit / 5] >> (4 - bit % 5) & 1) << (7 - bit % 8));
    /* Written again it must be the same: prefix, padding and checksum in one look. */
    text_init(&again, buffer, sizeof buffer);
    put_bech32(&again, prefix, data, upper);
    bool is_same = again.size == text.size && !sodium_memcmp(again.data, text.data, text.size);
    sodium_memzero(buffer, sizeof buffer);
    sodium_memzero(values, sizeof values);
    return is_same ? ERR_OK : ERR_INPUT;
}

enum err age_secret_read(struct bytes text, uint8_t secret[32]) {
    return read_bech32(text, SECRET_PREFIX, true, secret);
}

enum err age_recipient_read(struct bytes text, uint8_t public_key[32]) {
    return read_bech32(text, RECIPIENT_PREFIX, false, public_key);
}

/* ---- chunks ---- */

/* Eleven bytes of counter and one that marks the last chunk. */
static void chunk_nonce(uint64_t number, bool is_last, uint8_t nonce[12]) {
    memset(nonce, 0, 12);
    store_u64(nonce + 3, number);
    nonce[11] = is_last;
}

static void seal_chunk(struct age_writer *writer, struct bytes plain, bool is_last, uint8_t *sealed,
                       size_t *sealed_bytes) {
    uint8_t nonce[12];
    unsigned long long size;
    chunk_nonce(writer->chunk_number++, is_last, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed, &size, plain.data, plain.size, NULL, 0, NULL,
                                              nonce, writer->payload_key);
    *sealed_bytes = (size_t)size;
}

static void seal_gathered(struct age_writer *writer, bool is_last, uint8_t *sealed,
                          size_t *sealed_bytes) {
    seal_chunk(writer, bytes_from(writer->chunk, writer->filled), is_last, sealed, sealed_bytes);
    writer->filled = 0;
}

/* ---- writing ---- */

/* base64 without padding, as age's header has it. */
static void put_base64(struct text *out, const void *data, size_t size) {
    char encoded[96];
    assert(sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) <=
           sizeof encoded);
    sodium_bin2base64(encoded, sizeof encoded, data, size,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    text_put_string(out, encoded);
}

static bool wrap_file_key(const uint8_t file_key[FILE_KEY_BYTES], const uint8_t recipient[32],
                          uint8_t share[32], uint8_t wrapped[WRAPPED_BYTES]) {
    static const uint8_t nonce[12];
    uint8_t secret[32], key[32];
    randombytes_buf(secret, sizeof secret);
    age_public_key(secret, share);
    bool good = wrap_key(secret, recipient, share, recipient, key);
    if (good)
        crypto_aead_chacha20poly1305_ietf_encrypt(wrapped, NULL, file_key, FILE_KEY_BYTES, NULL, 0,
                                                  NULL, nonce, key);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(key, sizeof key);
    return good;
}

enum err age_writer_init(struct age_writer *writer, const uint8_t recipient[32], struct text *out) {
    uint8_t file_key[FILE_KEY_BYTES], share[32], wrapped[WRAPPED_BYTES], mac[32],
        nonce[NONCE_BYTES];
    randombytes_buf(file_key, sizeof file_key);
    randombytes_buf(nonce, sizeof nonce);
    if (!wrap_file_key(file_key, recipient, share, wrapped))
        return ERR_INPUT;
    size_t start = out->size;
    text_put_string(out, VERSION_LINE "-> X25519 ");
    put_base64(out, share, sizeof share);
    text_put_char(out, '\n');
    put_base64(out, wrapped, sizeof wrapped);
    text_put_string(out, "\n---");
    header_mac(file_key, bytes_skip(text_bytes(out), start), mac);
    text_put_char(out, ' ');
    put_base64(out, mac, sizeof mac);
    text_put_char(out, '\n');
    text_put(out, bytes_from(nonce, sizeof nonce));
    writer->chunk_number = 0;
    writer->filled = 0;
    hkdf(bytes_from(nonce, sizeof nonce), bytes_from(file_key, sizeof file_key), "payload",
         writer->payload_key);
    sodium_memzero(file_key, sizeof file_key);
    return out->full ? ERR_LIMIT : ERR_OK;
}

void age_writer_feed(struct age_writer *writer, struct bytes *in,
                     uint8_t sealed[AGE_SEALED_BYTES_MAX], size_t *sealed_bytes) {
    *sealed_bytes = 0;
    if (bytes_is_empty(*in))
        return;
    /* Something follows what fills a chunk: that chunk is not the last. */
    if (writer->filled == AGE_CHUNK_BYTES) {
        seal_gathered(writer, false, sealed, sealed_bytes);
        return;
    }
    if (writer->filled == 0 && in->size > AGE_CHUNK_BYTES) { /* sealed from where it lies */
        seal_chunk(writer, bytes_first(*in, AGE_CHUNK_BYTES), false, sealed, sealed_bytes);
        *in = bytes_skip(*in, AGE_CHUNK_BYTES);
        return;
    }
    struct bytes part = bytes_first(*in, AGE_CHUNK_BYTES - writer->filled);
    memcpy(writer->chunk + writer->filled, part.data, part.size);
    writer->filled += part.size;
    *in = bytes_skip(*in, part.size);
}

void age_writer_finish(struct age_writer *writer, uint8_t sealed[AGE_SEALED_BYTES_MAX],
                       size_t *sealed_bytes) {
    seal_gathered(writer, true, sealed, sealed_bytes);
}

void age_writer_clear(struct age_writer *writer) {
    sodium_memzero(writer, sizeof *writer);
}

/* ---- reading ---- */

void age_reader_init(struct age_reader *reader, const uint8_t secret[32]) {
    memset(reader, 0, offsetof(struct age_reader, header));
    memcpy(reader->secret, secret, 32);
}

/* The header ends with the line of its MAC: "--- base64 LF", then the nonce. 0: not yet. */
static size_t header_end(const struct age_reader *reader) {
    static const char mark[] = "\n--- ";
    const uint8_t *mac = memmem(reader->header, reader->header_filled, mark, sizeof mark - 1);
    if (!mac)
        return 0;
    size_t at = (size_t)(mac - reader->header) + 1;
    size_t end =
        bytes_find(bytes_skip(bytes_from(reader->header, reader->header_filled), at), '\n');
    return end == BYTES_NOT_FOUND ? 0 : at + end + 1;
}

/* ERR_CRYPTO: the stanza is not for this secret. ERR_INPUT: it is not of the form, or its share is a point of low order,
 * with which everybody would share the same secret. */
static enum err open_stanza(const uint8_t secret[32], const struct stanza *stanza,
                            uint8_t file_key[FILE_KEY_BYTES]) {
    static const uint8_t nonce[12];
    uint8_t key[32], share[32], recipient[32];
    age_public_key(secret, recipient);
    /* The size is looked at first: a sealed text of another size could be made to open under two keys. */
    if (!stanza_base64(stanza->arguments, share, sizeof share) ||
        stanza->body_bytes != WRAPPED_BYTES || !wrap_key(secret, share, share, recipient, key))
        return ERR_INPUT;
    int result = crypto_aead_chacha20poly1305_ietf_decrypt(file_key, NULL, NULL, stanza->body,
                                                           WRAPPED_BYTES, NULL, 0, nonce, key);
    sodium_memzero(key, sizeof key);
    return result ? ERR_CRYPTO : ERR_OK;
}

/* Stanzas of other kinds, or for other keys, are passed over, but read to the letter. *rest becomes the last line. */
static enum err find_file_key(struct age_reader *reader, struct bytes *rest,
                              uint8_t file_key[FILE_KEY_BYTES]) {
    struct stanza stanza;
    unsigned count = 0;
    bool has_passphrase = false;
    enum err err;
    while (!(err = stanza_next(rest, &stanza))) {
        count++;
        has_passphrase = has_passphrase || bytes_is(stanza.type, "scrypt");
        if (reader->has_key || !bytes_is(stanza.type, "X25519"))
            continue;
        err = open_stanza(reader->secret, &stanza, file_key);
        if (err == ERR_INPUT)
            return err;
        reader->has_key = !err;
    }
    if (err != ERR_MORE || count == 0 || (has_passphrase && count > 1))
        return ERR_INPUT; /* who knows a passphrase must know that nobody else can have written the file */
    return ERR_OK;
}

static enum err open_header(struct age_reader *reader, size_t end) {
    struct bytes header = bytes_from(reader->header, end), version = BYTES(VERSION_LINE);
    if (!bytes_starts_with(header, version))
        return bytes_starts_with(header, BYTES("age-encryption.org/")) ? ERR_UNSUPPORTED
                                                                       : ERR_INPUT;
    uint8_t file_key[FILE_KEY_BYTES], mac[32], wanted[32];
    struct bytes rest = bytes_skip(header, version.size);
    enum err err = find_file_key(reader, &rest, file_key);
    if (!err)
        err = stanza_end_read(bytes_first(rest, rest.size - 1), mac);
    if (!err && !reader->has_key)
        err = ERR_CRYPTO;
    if (err)
        goto out;
    header_mac(file_key, bytes_first(header, end - rest.size + 3), wanted);
    if (sodium_memcmp(mac, wanted, sizeof mac))
        err = ERR_CRYPTO;
    hkdf(bytes_from(reader->header + end, NONCE_BYTES), bytes_from(file_key, sizeof file_key),
         "payload", reader->payload_key);
out:
    sodium_memzero(file_key, sizeof file_key);
    return err;
}

static enum err open_chunk(struct age_reader *reader, bool is_last, uint8_t *plain,
                           size_t *plain_bytes) {
    uint8_t nonce[12];
    unsigned long long size;
    chunk_nonce(reader->chunk_number, is_last, nonce);
    if (reader->filled < TAG_BYTES ||
        crypto_aead_chacha20poly1305_ietf_decrypt(plain, &size, NULL, reader->chunk, reader->filled,
                                                  NULL, 0, nonce, reader->payload_key))
        return ERR_CRYPTO;
    *plain_bytes = (size_t)size;
    reader->chunk_number++;
    reader->filled = 0;
    return ERR_OK;
}

/* Gather header and nonce; what is left over belongs to the first chunk. */
static enum err feed_header(struct age_reader *reader, struct bytes *in) {
    while (!bytes_is_empty(*in) && !reader->has_header) {
        if (reader->header_filled == AGE_HEADER_BYTES_MAX)
            return ERR_INPUT;
        reader->header[reader->header_filled++] = in->data[0];
        *in = bytes_skip(*in, 1);
        size_t end = header_end(reader);
        if (end == 0 || reader->header_filled < end + NONCE_BYTES)
            continue;
        enum err err = open_header(reader, end);
        if (err)
            return err;
        reader->has_header = true;
        sodium_memzero(reader->secret, sizeof reader->secret); /* it opens other files too */
    }
    return ERR_OK;
}

enum err age_reader_feed(struct age_reader *reader, struct bytes *in,
                         uint8_t plain[AGE_CHUNK_BYTES], size_t *plain_bytes) {
    *plain_bytes = 0;
    enum err err = feed_header(reader, in);
    if (err || bytes_is_empty(*in))
        return err;
    if (reader->is_ended)
        return ERR_CRYPTO;
    /* A full chunk is opened only when more follows: then it is not the last. If it is, what it says is good all the
     * same, and is given; what stands behind it was put there by somebody else. */
    if (reader->filled == AGE_SEALED_BYTES_MAX) {
        if (!open_chunk(reader, false, plain, plain_bytes))
            return ERR_OK;
        reader->is_ended = !open_chunk(reader, true, plain, plain_bytes);
        return reader->is_ended ? ERR_OK : ERR_CRYPTO;
    }
    struct bytes part = bytes_first(*in, AGE_SEALED_BYTES_MAX - reader->filled);
    memcpy(reader->chunk + reader->filled, part.data, part.size);
    reader->filled += part.size;
    *in = bytes_skip(*in, part.size);
    return ERR_OK;
}

enum err age_reader_finish(struct age_reader *reader, uint8_t plain[AGE_CHUNK_BYTES],
                           size_t *plain_bytes) {
    *plain_bytes = 0;
    if (!reader->has_header || reader->is_ended)
        return ERR_INPUT;
    reader->is_ended = true;
    bool is_full = reader->filled == AGE_SEALED_BYTES_MAX;
    bool is_empty_extra = reader->filled == TAG_BYTES && reader->chunk_number > 0;
    enum err err = open_chunk(reader, true, plain, plain_bytes);
    if (!err) /* an empty last chunk is never written */
        return is_empty_extra ? ERR_INPUT : ERR_OK;
    /* Cut at a chunk's edge: what stands last is not marked as the last. */
    return is_full && !open_chunk(reader, false, plain, plain_bytes) ? ERR_INPUT : err;
}

void age_reader_clear(struct age_reader *reader) {
    sodium_memzero(reader, sizeof *reader);
}
