/* envelope.c - write, read, seal and unseal entries. */
#include "vault/envelope.h"

#include "base/pool.h"

#include <sodium.h>
#include <zstd.h>

#define ENVELOPE_VERSION 1
#define SEAL_VERSION     1
#define NONCE_BYTES      crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define COMPRESS_LEVEL   1
#define HASTE_LEVEL      (-3)
#define COMPRESS_FROM    256u /* bytes: below it nothing is gained */

enum compression { COMPRESSION_NONE = 0, COMPRESSION_ZSTD = 1 };

/* ---- plain ---- */

static void put_field(struct text *out, char tag, struct bytes value) {
    uint8_t length[2];
    if (bytes_is_empty(value))
        return;
    if (value.size > 512)
        out->full = true;
    store_u16(length, (uint16_t)value.size);
    text_put_char(out, tag);
    text_put(out, bytes_from(length, sizeof length));
    text_put(out, value);
}

static void put_u64(struct text *out, char tag, uint64_t number) {
    uint8_t value[8];
    store_u64(value, number);
    put_field(out, tag, bytes_from(value, sizeof value));
}

enum err envelope_put(const struct vault_entry *entry, uint8_t *out, size_t out_bytes,
                      size_t *size) {
    struct text text;
    uint8_t kind = (uint8_t)entry->kind;
    text_init(&text, (char *)out, out_bytes);
    text_put_char(&text, ENVELOPE_VERSION);
    put_field(&text, 'k', bytes_from(&kind, 1));
    if (entry->flags)
        put_u64(&text, 'f', entry->flags);
    put_field(&text, 'm', entry->media_type);
    put_field(&text, 's', entry->source);
    put_u64(&text, 'c', entry->clock);
    put_u64(&text, 'r', (uint64_t)entry->received_at);
    put_field(&text, 'a', entry->author);
    put_field(&text, 'o', entry->role);
    put_field(&text, 'd', entry->digest);
    if (!bytes_is_empty(entry->blob_name)) {
        put_field(&text, 'b', entry->blob_name);
        put_u64(&text, 'n', entry->body_bytes);
    }
    text_put_char(&text, 'B');
    text_put(&text, entry->body);
    *size = text.size;
    return text.full ? ERR_LIMIT : ERR_OK;
}

static bool number_of(struct bytes value, uint64_t *number) {
    if (value.size != 8)
        return false;
    *number = load_u64(value.data);
    return true;
}

static enum err take_field(struct vault_entry *entry, uint8_t tag, struct bytes value) {
    uint64_t number = 0;
    bool good = true;
    switch (tag) {
    case 'k':
        good = value.size == 1;
        entry->kind = good ? (enum vault_kind)value.data[0] : entry->kind;
        break;
    case 'f':
        good = number_of(value, &number) && number <= UINT32_MAX;
        entry->flags = (uint32_t)number;
        break;
    case 'c':
        good = number_of(value, &number);
        entry->clock = number;
        break;
    case 'r':
        good = number_of(value, &number);
        entry->received_at = (int64_t)number;
        break;
    case 'n':
        good = number_of(value, &number);
        entry->body_bytes = number;
        break;
    case 'm':
        entry->media_type = value;
        break;
    case 's':
        entry->source = value;
        break;
    case 'a':
        entry->author = value;
        break;
    case 'o':
        entry->role = value;
        break;
    case 'd':
        entry->digest = value;
        break;
    case 'b':
        good = value.size == TLOG_HASH_BYTES;
        entry->blob_name = value;
        break;
    default:
        break; /* a field of a later minor addition: passed over */
    }
    return good ? ERR_OK : ERR_INPUT;
}

enum err envelope_read(struct bytes plain, struct vault_entry *entry) {
    *entry = (struct vault_entry){0};
    if (plain.size < 2)
        return ERR_INPUT;
    if (plain.data[0] != ENVELOPE_VERSION)
        return ERR_UNSUPPORTED;
    struct bytes rest = bytes_skip(plain, 1);
    while (rest.size > 0 && rest.data[0] != 'B') {
        if (rest.size < 3)
            return ERR_INPUT;
        size_t length = load_u16(rest.data + 1);
        if (rest.size - 3 < length)
            return ERR_INPUT;
        enum err err = take_field(entry, rest.data[0], bytes_from(rest.data + 3, length));
        if (err)
            return err;
        rest = bytes_skip(rest, 3 + length);
    }
    if (rest.size == 0 || entry->kind < VAULT_MESSAGE || entry->kind > VAULT_NOTE)
        return ERR_INPUT;
    entry->body = bytes_skip(rest, 1);
    if (bytes_is_empty(entry->blob_name))
        entry->body_bytes = entry->body.size;
    return ERR_OK;
}

/* ---- sealed ---- */

struct sealer {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
    size_t origin_bytes;
    uint8_t associated[TLOG_ORIGIN_BYTES_MAX + SEAL_HEADER_BYTES];
    uint8_t plain[PLAIN_BYTES_MAX + 64];
    uint8_t compressed[PLAIN_BYTES_MAX + 1024];
};

enum err sealer_open(struct sealer **out, const char *origin) {
    struct sealer *sealer = memory_alloc(1, sizeof *sealer);
    if (!sealer)
        return ERR_MEMORY;
    sealer->compress = ZSTD_createCCtx();
    sealer->decompress = ZSTD_createDCtx();
    sealer->origin_bytes = strlen(origin);
    if (!sealer->compress || !sealer->decompress || sealer->origin_bytes > TLOG_ORIGIN_BYTES_MAX) {
        sealer_close(sealer);
        return ERR_MEMORY;
    }
    memcpy(sealer->associated, origin, sealer->origin_bytes);
    *out = sealer;
    return ERR_OK;
}

void sealer_close(struct sealer *sealer) {
    if (!sealer)
        return;
    ZSTD_freeCCtx(sealer->compress);
    ZSTD_freeDCtx(sealer->decompress);
    sodium_memzero(sealer, sizeof *sealer);
    memory_free(sealer);
}

/* What is bound to the seal beside the plaintext: the log's origin and the header. */
static struct bytes associated(struct sealer *sealer, const uint8_t *header) {
    memcpy(sealer->associated + sealer->origin_bytes, header, SEAL_HEADER_BYTES);
    return bytes_from(sealer->associated, sealer->origin_bytes + SEAL_HEADER_BYTES);
}

/* The compressed form if it is worth it, else the plain one. */
static struct bytes shrink(struct sealer *sealer, size_t plain_bytes, bool in_haste,
                           enum compression *compression) {
    *compression = COMPRESSION_NONE;
    struct bytes plain = bytes_from(sealer->plain, plain_bytes);
    if (plain_bytes < COMPRESS_FROM)
        return plain;
    size_t size =
        ZSTD_compressCCtx(sealer->compress, sealer->compressed, sizeof sealer->compressed,
                          plain.data, plain.size, in_haste ? HASTE_LEVEL : COMPRESS_LEVEL);
    if (ZSTD_isError(size) || size + plain_bytes / 16 > plain_bytes)
        return plain;
    *compression = COMPRESSION_ZSTD;
    return bytes_from(sealer->compressed, size);
}

enum err sealer_seal(struct sealer *sealer, const struct vault_entry *entry, bool in_haste,
                     uint32_t epoch, const uint8_t key[32], uint8_t *out, size_t *size) {
    size_t plain_bytes;
    enum err err = envelope_put(entry, sealer->plain, PLAIN_BYTES_MAX, &plain_bytes);
    if (err)
        return err;
    enum compression compression;
    struct bytes plain = shrink(sealer, plain_bytes, in_haste, &compression);
    out[0] = SEAL_VERSION;
    out[1] = (uint8_t)compression;
    store_u32(out + 2, 0); /* no dictionary */
    store_u32(out + 6, epoch);
    uint8_t *nonce = out + SEAL_HEADER_BYTES;
    randombytes_buf(nonce, NONCE_BYTES);
    struct bytes data = associated(sealer, out);
    unsigned long long sealed_bytes;
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, &sealed_bytes, plain.data,
                                               plain.size, data.data, data.size, NULL, nonce, key);
    *size = SEAL_HEADER_BYTES + NONCE_BYTES + (size_t)sealed_bytes;
    return ERR_OK;
}

enum err sealed_epoch(struct bytes sealed, uint32_t *epoch) {
    if (sealed.size < SEAL_BYTES)
        return ERR_INPUT;
    if (sealed.data[0] != SEAL_VERSION)
        return ERR_UNSUPPORTED;
    *epoch = load_u32(sealed.data + 6);
    return ERR_OK;
}

static enum err expand(struct sealer *sealer, size_t size, struct bytes *plain) {
    size_t full = ZSTD_decompressDCtx(sealer->decompress, sealer->plain, sizeof sealer->plain,
                                      sealer->compressed, size);
    if (ZSTD_isError(full))
        return ERR_INPUT;
    *plain = bytes_from(sealer->plain, full);
    return ERR_OK;
}

enum err sealer_unseal(struct sealer *sealer, struct bytes sealed, const uint8_t key[32],
                       struct vault_entry *entry) {
    uint32_t epoch;
    enum err err = sealed_epoch(sealed, &epoch);
    if (err)
        return err;
    if (sealed.data[1] > COMPRESSION_ZSTD || load_u32(sealed.data + 2) != 0)
        return ERR_UNSUPPORTED;
    bool is_compressed = sealed.data[1] == COMPRESSION_ZSTD;
    uint8_t *to = is_compressed ? sealer->compressed : sealer->plain;
    size_t room = is_compressed ? sizeof sealer->compressed : sizeof sealer->plain;
    if (sealed.size - SEAL_BYTES > room)
        return ERR_INPUT;
    const uint8_t *nonce = sealed.data + SEAL_HEADER_BYTES;
    struct bytes data = associated(sealer, sealed.data);
    unsigned long long size;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(to, &size, NULL, nonce + NONCE_BYTES,
                                                   sealed.size - SEAL_HEADER_BYTES - NONCE_BYTES,
                                                   data.data, data.size, nonce, key))
        return ERR_CRYPTO;
    struct bytes plain = bytes_from(to, (size_t)size);
    if (is_compressed)
        err = expand(sealer, (size_t)size, &plain);
    return err ? err : envelope_read(plain, entry);
}
