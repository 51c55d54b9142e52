/* envelope.c - write, read, seal and unseal entries. */
#include "vault/envelope.h"

#include "base/pool.h"

#include <sodium.h>
#include <zstd.h>

#define ENVELOPE_VERSION 1
#define SEAL_VERSION     1
#define NONCE_BYTES      crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES        crypto_aead_xchacha20poly1305_ietf_ABYTES
#define COMPRESS_LEVEL   1
#define HASTE_LEVEL      (-3)
#define COMPRESS_FROM    256u /* bytes: below it nothing is gained */

#define HEADER_BYTES      10u
#define DICTIONARIES_KEPT 4u

enum form { FORM_ZSTD = 1, FORM_BLOB = 2, FORM_OPEN = 4, FORM_ALL = 7 };

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
    if (entry->kind == VAULT_BLOB)
        put_u64(&text, 'n', entry->body_bytes);
    if (entry->is_restated) {
        put_u64(&text, 'i', entry->restated_index);
        put_u64(&text, 'w', entry->restated_clock);
        if (entry->restated_parts)
            put_u64(&text, 'h', entry->restated_parts);
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
    case 'i':
        good = number_of(value, &entry->restated_index);
        break;
    case 'w':
        good = number_of(value, &entry->restated_clock);
        entry->is_restated = true;
        break;
    case 'h':
        good = number_of(value, &number) && number <= UINT32_MAX;
        entry->restated_parts = (uint32_t)number;
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
    if (rest.size == 0 || entry->kind < VAULT_MESSAGE || entry->kind > VAULT_DICTIONARY)
        return ERR_INPUT;
    entry->body = bytes_skip(rest, 1);
    if (entry->kind != VAULT_BLOB)
        entry->body_bytes = entry->body.size;
    return ERR_OK;
}

/* ---- the header ---- */

enum err seal_header_read(struct bytes stored, struct seal_header *header) {
    *header = (struct seal_header){0};
    if (stored.size < HEADER_BYTES)
        return ERR_INPUT;
    if (stored.data[0] != SEAL_VERSION || stored.data[1] & ~FORM_ALL)
        return ERR_UNSUPPORTED;
    bool has_blob = stored.data[1] & FORM_BLOB;
    header->is_compressed = stored.data[1] & FORM_ZSTD;
    header->is_open = stored.data[1] & FORM_OPEN;
    header->dictionary = load_u32(stored.data + 2);
    header->epoch = load_u32(stored.data + 6);
    header->bytes = HEADER_BYTES + (has_blob ? TLOG_HASH_BYTES : 0);
    size_t least = header->bytes + (header->is_open ? 0 : NONCE_BYTES + TAG_BYTES);
    if (stored.size < least)
        return ERR_INPUT;
    if (has_blob)
        header->blob_name = bytes_from(stored.data + HEADER_BYTES, TLOG_HASH_BYTES);
    if (header->is_open && (stored.data[1] != FORM_OPEN || header->dictionary || header->epoch))
        return ERR_INPUT;
    if (!header->is_compressed && header->dictionary)
        return ERR_INPUT;
    return header->is_open || header->epoch ? ERR_OK : ERR_INPUT;
}

enum err open_entry_read(struct bytes stored, struct vault_entry *entry) {
    struct seal_header header;
    enum err err = seal_header_read(stored, &header);
    if (!err && !header.is_open)
        err = ERR_INPUT;
    return err ? err : envelope_read(bytes_skip(stored, header.bytes), entry);
}

bool key_entry_name(const struct vault_entry *entry, struct bytes *file_name, uint32_t *epoch) {
    static const char prefix[] = "vault/keys/";
    struct bytes rest = entry->source, number;
    uint64_t value, nth = 2;
    if (entry->kind != VAULT_KEY || entry->body.size != TLOG_HASH_BYTES ||
        rest.size < sizeof prefix || memcmp(rest.data, prefix, sizeof prefix - 1))
        return false;
    rest = *file_name = bytes_skip(rest, sizeof prefix - 1);
    if (!bytes_next_part(&rest, '.', &number) || !bytes_to_u64(number, &value) || value == 0 ||
        value > UINT32_MAX || (!bytes_is_empty(rest) && !bytes_to_u64(rest, &nth)))
        return false;
    *epoch = (uint32_t)value;
    return nth >= 2;
}

/* ---- sealed ---- */

struct known_dictionary {
    uint32_t index; /* 0: none here */
    ZSTD_DDict *expand;
};

struct sealer {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
    uint32_t dictionary;          /* that `thorough` and `hasty` hold; 0: none */
    ZSTD_CDict *thorough, *hasty; /* the same at two levels */
    size_t dictionary_bytes;
    uint8_t *dictionary_copy;
    struct known_dictionary known[DICTIONARIES_KEPT];
    unsigned known_next;
    size_t name_bytes;
    uint8_t associated[TLOG_ORIGIN_BYTES_MAX + SEAL_HEADER_BYTES_MAX];
    size_t plain_bytes; /* of what was sealed last */
    uint8_t plain[PLAIN_BYTES_MAX + 64];
    uint8_t compressed[PLAIN_BYTES_MAX + 1024];
};

enum err sealer_open(struct sealer **out, const char *log_name) {
    struct sealer *sealer = memory_alloc(1, sizeof *sealer);
    if (!sealer)
        return ERR_MEMORY;
    sealer->compress = ZSTD_createCCtx();
    sealer->decompress = ZSTD_createDCtx();
    sealer->name_bytes = strlen(log_name);
    if (!sealer->compress || !sealer->decompress || sealer->name_bytes > TLOG_ORIGIN_BYTES_MAX) {
        sealer_close(sealer);
        return ERR_MEMORY;
    }
    memcpy(sealer->associated, log_name, sealer->name_bytes);
    *out = sealer;
    return ERR_OK;
}

void sealer_use_no_dictionary(struct sealer *sealer) {
    ZSTD_freeCDict(sealer->thorough);
    ZSTD_freeCDict(sealer->hasty);
    memory_free(sealer->dictionary_copy);
    sealer->dictionary_copy = NULL;
    sealer->thorough = sealer->hasty = NULL;
    sealer->dictionary_bytes = 0;
    sealer->dictionary = 0;
}

void sealer_close(struct sealer *sealer) {
    if (!sealer)
        return;
    sealer_use_no_dictionary(sealer);
    for (unsigned i = 0; i < DICTIONARIES_KEPT; i++)
        ZSTD_freeDDict(sealer->known[i].expand);
    ZSTD_freeCCtx(sealer->compress);
    ZSTD_freeDCtx(sealer->decompress);
    sodium_memzero(sealer, sizeof *sealer);
    memory_free(sealer);
}

enum err sealer_use_dictionary(struct sealer *sealer, uint32_t index, struct bytes dictionary) {
    uint8_t *copy = memory_alloc(1, dictionary.size + 1); /* `dictionary` may be the old copy */
    if (!copy || index == 0) {
        memory_free(copy);
        return ERR_MEMORY;
    }
    memcpy(copy, dictionary.data, dictionary.size);
    sealer_use_no_dictionary(sealer);
    sealer->dictionary_copy = copy;
    sealer->thorough = ZSTD_createCDict(copy, dictionary.size, COMPRESS_LEVEL);
    sealer->hasty = ZSTD_createCDict(copy, dictionary.size, HASTE_LEVEL);
    if (!sealer->thorough || !sealer->hasty) {
        sealer_use_no_dictionary(sealer);
        return ERR_MEMORY;
    }
    sealer->dictionary_bytes = dictionary.size;
    sealer->dictionary = index;
    return ERR_OK;
}

struct bytes sealer_dictionary(const struct sealer *sealer) {
    return bytes_from(sealer->dictionary_copy, sealer->dictionary_bytes);
}

struct bytes sealer_last_plain(const struct sealer *sealer) {
    return bytes_from(sealer->plain, sealer->plain_bytes);
}

static const struct known_dictionary *find_dictionary(const struct sealer *sealer, uint32_t index) {
    for (unsigned i = 0; i < DICTIONARIES_KEPT; i++)
        if (sealer->known[i].index == index)
            return &sealer->known[i];
    return NULL;
}

enum err sealer_add_dictionary(struct sealer *sealer, uint32_t index, struct bytes dictionary) {
    if (index == 0 || find_dictionary(sealer, index))
        return ERR_OK;
    ZSTD_DDict *expand = ZSTD_createDDict(dictionary.data, dictionary.size);
    if (!expand)
        return ERR_MEMORY;
    struct known_dictionary *known = &sealer->known[sealer->known_next++ % DICTIONARIES_KEPT];
    ZSTD_freeDDict(known->expand);
    *known = (struct known_dictionary){index, expand};
    return ERR_OK;
}

/* What is bound to the seal beside the plaintext: the log's name and the header. */
static struct bytes associated(struct sealer *sealer, struct bytes header) {
    memcpy(sealer->associated + sealer->name_bytes, header.data, header.size);
    return bytes_from(sealer->associated, sealer->name_bytes + header.size);
}

/* The compressed form if it is worth it, else the plain one. */
static struct bytes shrink(struct sealer *sealer, const struct vault_entry *entry,
                           size_t plain_bytes, bool in_haste, uint32_t *dictionary, bool *is_zstd) {
    struct bytes plain = bytes_from(sealer->plain, plain_bytes);
    *dictionary = entry->kind == VAULT_DICTIONARY ? 0 : sealer->dictionary;
    *is_zstd = false;
    size_t room = sizeof sealer->compressed, size;
    if (plain_bytes < COMPRESS_FROM)
        size = plain_bytes;
    else if (*dictionary)
        size = ZSTD_compress_usingCDict(sealer->compress, sealer->compressed, room, plain.data,
                                        plain.size, in_haste ? sealer->hasty : sealer->thorough);
    else
        size = ZSTD_compressCCtx(sealer->compress, sealer->compressed, room, plain.data, plain.size,
                                 in_haste ? HASTE_LEVEL : COMPRESS_LEVEL);
    *is_zstd = !ZSTD_isError(size) && size + plain_bytes / 16 < plain_bytes;
    return *is_zstd ? bytes_from(sealer->compressed, size) : plain;
}

static size_t put_header(uint8_t *out, unsigned form, uint32_t dictionary, uint32_t epoch,
                         struct bytes blob_name) {
    out[0] = SEAL_VERSION;
    out[1] = (uint8_t)form;
    store_u32(out + 2, dictionary);
    store_u32(out + 6, epoch);
    if (form & FORM_BLOB)
        memcpy(out + HEADER_BYTES, blob_name.data, TLOG_HASH_BYTES);
    return HEADER_BYTES + (form & FORM_BLOB ? TLOG_HASH_BYTES : 0);
}

static size_t store_open(const struct sealer *sealer, size_t plain_bytes, uint8_t *out) {
    size_t header_bytes = put_header(out, FORM_OPEN, 0, 0, BYTES_NONE);
    memcpy(out + header_bytes, sealer->plain, plain_bytes);
    return header_bytes + plain_bytes;
}

enum err sealer_seal(struct sealer *sealer, const struct vault_entry *entry,
                     const struct seal_options *options, uint8_t *out, size_t *size) {
    size_t plain_bytes;
    bool is_zstd;
    uint32_t dictionary;
    enum err err = envelope_put(entry, sealer->plain, PLAIN_BYTES_MAX, &plain_bytes);
    sealer->plain_bytes = err ? 0 : plain_bytes;
    if (err)
        return err;
    if (!options->key) {
        *size = store_open(sealer, plain_bytes, out);
        return ERR_OK;
    }
    struct bytes plain =
        shrink(sealer, entry, plain_bytes, options->in_haste, &dictionary, &is_zstd);
    unsigned form =
        (is_zstd ? FORM_ZSTD : 0u) | (bytes_is_empty(entry->blob_name) ? 0u : FORM_BLOB);
    size_t header_bytes =
        put_header(out, form, is_zstd ? dictionary : 0, options->epoch, entry->blob_name);
    uint8_t *nonce = out + header_bytes;
    randombytes_buf(nonce, NONCE_BYTES);
    struct bytes data = associated(sealer, bytes_from(out, header_bytes));
    unsigned long long sealed_bytes;
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, &sealed_bytes, plain.data,
                                               plain.size, data.data, data.size, NULL, nonce,
                                               options->key);
    *size = header_bytes + NONCE_BYTES + (size_t)sealed_bytes;
    return ERR_OK;
}

static enum err expand(struct sealer *sealer, size_t size, uint32_t dictionary,
                       struct bytes *plain) {
    const struct known_dictionary *known = dictionary ? find_dictionary(sealer, dictionary) : NULL;
    size_t full =
        known ? ZSTD_decompress_usingDDict(sealer->decompress, sealer->plain, sizeof sealer->plain,
                                           sealer->compressed, size, known->expand)
              : ZSTD_decompressDCtx(sealer->decompress, sealer->plain, sizeof sealer->plain,
                                    sealer->compressed, size);
    if (ZSTD_isError(full))
        return ERR_INPUT;
    *plain = bytes_from(sealer->plain, full);
    return ERR_OK;
}

static enum err unseal(struct sealer *sealer, struct bytes stored, const struct seal_header *header,
                       const uint8_t *key, struct bytes *plain) {
    uint8_t *to = header->is_compressed ? sealer->compressed : sealer->plain;
    size_t room = header->is_compressed ? sizeof sealer->compressed : sizeof sealer->plain;
    struct bytes box = bytes_skip(stored, header->bytes + NONCE_BYTES);
    if (!key || box.size - TAG_BYTES > room)
        return ERR_INPUT;
    struct bytes data = associated(sealer, bytes_first(stored, header->bytes));
    unsigned long long size;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(to, &size, NULL, box.data, box.size, data.data,
                                                   data.size, stored.data + header->bytes, key))
        return ERR_CRYPTO;
    *plain = bytes_from(to, (size_t)size);
    return header->is_compressed ? expand(sealer, (size_t)size, header->dictionary, plain) : ERR_OK;
}

enum err sealer_unseal(struct sealer *sealer, struct bytes stored, const uint8_t key[32],
                       struct vault_entry *entry, uint32_t *dictionary) {
    struct seal_header header;
    struct bytes plain;
    *dictionary = 0;
    enum err err = seal_header_read(stored, &header);
    if (err)
        return err;
    if (header.is_open)
        return envelope_read(bytes_skip(stored, header.bytes), entry);
    if (header.dictionary && !find_dictionary(sealer, header.dictionary)) {
        *dictionary = header.dictionary;
        return ERR_NOT_FOUND;
    }
    err = unseal(sealer, stored, &header, key, &plain);
    if (!err)
        err = envelope_read(plain, entry);
    if (err)
        return err;
    entry->blob_name = header.blob_name;
    return entry->kind == VAULT_BLOB && bytes_is_empty(entry->blob_name) ? ERR_INPUT : ERR_OK;
}
