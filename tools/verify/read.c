/* read.c - opening: an identity, epoch keys, entries, blobs; printed as NDJSON, or the bodies as they came.
 *
 * What is opened here is authenticated by its epoch's key, not by the log: verify first, then read. */
#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

enum {
    KEY_TEXT_MAX = 1 << 18,
    PARTS_MAX = 1000,
    FAULTS_MAX = 100,
    DICTIONARY_MAX = 49152,
    CHUNK = 65536,
    CHUNK_TAG = 16,
    LOCK_MEMORY_MAX = 268435456, /* "A reader refuses more than 10 passes or 268435456 bytes" */
    LOCK_PASSES_MAX = 10
};

struct reader {
    struct vault *vault;
    uint8_t secret[HASH], public_key[HASH]; /* the identity */
    uint64_t from, to;
    bool raw;
    unsigned faults;
    uint32_t epoch; /* whose key this is; 0: none yet */
    bool has_key;
    uint8_t key[HASH];
    uint32_t dictionary, dictionary_epoch; /* the entry that holds it; 0: none yet */
    uint32_t dictionary_wanted;
    size_t dictionary_bytes;
    uint8_t dictionary_body[DICTIONARY_MAX];
};

/* ---- "Keys": an identity, as the age tool writes it, or locked with a passphrase ---- */

static uint32_t bech32_step(uint32_t sum, unsigned value) {
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    uint32_t next = (sum & 0x1ffffff) << 5 ^ value;
    for (int bit = 0; bit < 5; bit++)
        next ^= sum >> (25 + bit) & 1 ? generator[bit] : 0;
    return next;
}

/* BIP 173: prefix, '1', 52 letters of 5 bits that hold 256 and end in zeros, 6 of a sum, which is made over lower case. */
static bool bech32_read(const char *text, uint8_t out[HASH]) {
    static const char prefix[] = "AGE-SECRET-KEY-", letters[] = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    enum { PREFIX = sizeof prefix - 1, START = PREFIX + 1, SUM = START + 52, END = SUM + 6 };
    uint32_t sum = 1;
    if (strlen(text) != END || strncmp(text, prefix, PREFIX) != 0 || text[PREFIX] != '1')
        return false;
    for (unsigned i = 0; i < PREFIX; i++)
        sum = bech32_step(sum, (unsigned)(prefix[i] | 0x20) >> 5);
    sum = bech32_step(sum, 0);
    for (unsigned i = 0; i < PREFIX; i++)
        sum = bech32_step(sum, (unsigned)prefix[i] & 0x1f);
    memset(out, 0, HASH);
    for (unsigned i = START; i < END; i++) {
        const char *letter = strchr(letters, text[i]);
        if (!letter)
            return false;
        unsigned value = (unsigned)(letter - letters);
        sum = bech32_step(sum, value);
        for (unsigned bit = 0; bit < 5 && i < SUM; bit++) {
            unsigned place = 5 * (i - START) + bit, one = value >> (4 - bit) & 1;
            if (place >= 8 * HASH && one)
                return false;
            if (one)
                out[place / 8] |= (uint8_t)(0x80 >> place % 8);
        }
    }
    return sum == 1;
}

/* "veilleuse-locked-key/1 <salt> <passes> <memory> <nonce || sealed>": text becomes what was locked. */
static bool unlock(char *text, size_t room, const char *passphrase_path) {
    enum { NONCE = crypto_secretbox_NONCEBYTES, TAG = crypto_secretbox_MACBYTES };
    char passphrase[1024], salt_text[32], sealed_text[1024];
    uint8_t salt[crypto_pwhash_SALTBYTES], key[crypto_secretbox_KEYBYTES], sealed[768];
    unsigned long long passes, memory;
    if (sscanf(text, "veilleuse-locked-key/1 %31s %llu %llu %1023s", salt_text, &passes, &memory,
               sealed_text) != 4 ||
        !base64_is(salt_text, strlen(salt_text), salt, sizeof salt) || passes > LOCK_PASSES_MAX ||
        memory > LOCK_MEMORY_MAX)
        return false;
    int64_t bytes = base64_read(sealed_text, strlen(sealed_text), sealed, sizeof sealed, true);
    if (bytes < NONCE + TAG || (size_t)bytes >= room)
        return false;
    own_file_read(passphrase_path, passphrase, sizeof passphrase);
    bool opened = crypto_pwhash(key, sizeof key, passphrase, strcspn(passphrase, "\r\n"), salt,
                                passes, (size_t)memory, crypto_pwhash_ALG_ARGON2ID13) == 0 &&
                  crypto_secretbox_open_easy((uint8_t *)text, sealed + NONCE, (size_t)bytes - NONCE,
                                             sealed, key) == 0;
    text[opened ? bytes - NONCE - TAG : 0] = 0;
    sodium_memzero(passphrase, sizeof passphrase);
    sodium_memzero(key, sizeof key);
    return opened;
}

static bool identity_read(struct reader *r, const char *path, const char *passphrase_path) {
    char text[4096], *rest = text;
    bool found = false;
    own_file_read(path, text, sizeof text);
    if (strncmp(text, "veilleuse-locked-key/", 21) == 0 &&
        (!passphrase_path || !unlock(text, sizeof text, passphrase_path)))
        return false;
    for (char *line; !found && (line = strsep(&rest, "\r\n"));)
        found = bech32_read(line, r->secret);
    sodium_memzero(text, sizeof text);
    return found && crypto_scalarmult_base(r->public_key, r->secret) == 0;
}

/* ---- epoch keys: `recipient <public key> <crypto_box_seal of the key>` in keys/<epoch> and keys/<epoch>.<n> ---- */

static bool key_file_open(struct reader *r, const char *name) {
    static char text[KEY_TEXT_MAX];
    char own[10 + 2 * HASH + 1] = "recipient ", *rest = text;
    uint8_t sealed[HASH + crypto_box_SEALBYTES];
    bool opened = false;
    text_read(r->vault, name, text, sizeof text);
    sodium_bin2hex(own + 10, sizeof own - 10, r->public_key, HASH);
    for (char *line; !opened && (line = strsep(&rest, "\n"));)
        opened = strncmp(line, own, 74) == 0 && line[74] == ' ' &&
                 base64_is(line + 75, strlen(line + 75), sealed, sizeof sealed) &&
                 crypto_box_seal_open(r->key, sealed, sizeof sealed, r->public_key, r->secret) == 0;
    return opened;
}

static bool epoch_open(struct reader *r, uint32_t epoch) {
    char name[NAME_ROOM];
    if (epoch == r->epoch)
        return r->has_key;
    snprintf(name, sizeof name, "keys/%" PRIu32, epoch);
    r->epoch = epoch;
    r->has_key = key_file_open(r, name);
    for (unsigned part = 2; part < PARTS_MAX && !r->has_key; part++) {
        snprintf(name, sizeof name, "keys/%" PRIu32 ".%u", epoch, part);
        r->has_key = key_file_open(r, name);
    }
    return r->has_key;
}

/* ---- unsealing ("Sealed", "Plain") ---- */

/* Opens what was sealed and, with the dictionary that r holds, what was compressed. The envelope lies in memory of this
 * function until its next call. */
static const char *unseal(struct reader *r, struct view entry, const struct header *header,
                          struct plain *plain) {
    enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
    static uint8_t inner[ENTRY_MAX], out[PLAIN_MAX];
    uint8_t clear[ORIGIN_MAX + 42]; /* associated data: the first name || the header */
    const uint8_t *nonce = entry.data + header->bytes;
    size_t left = entry.size - header->bytes, name_bytes = strlen(r->vault->first_name);
    unsigned long long size = 0;
    if (header->open)
        return plain_read((struct view){nonce, left}, plain);
    memcpy(clear, r->vault->first_name, name_bytes);
    memcpy(clear + name_bytes, entry.data, header->bytes);
    if (!epoch_open(r, header->epoch))
        return "no file in keys/ opens its epoch for this identity";
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(inner, &size, NULL, nonce + NONCE, left - NONCE,
                                                   clear, name_bytes + header->bytes, nonce,
                                                   r->key) != 0)
        return "does not open";
    if (!header->compressed)
        return plain_read((struct view){inner, size}, plain);
    size_t frame = ZSTD_findFrameCompressedSize(inner, size);
    if (ZSTD_isError(frame) || frame != size)
        return "is not one Zstandard frame";
    ZSTD_DCtx *context = ZSTD_createDCtx();
    size_t bytes =
        ZSTD_decompress_usingDict(context, out, sizeof out, inner, size, r->dictionary_body,
                                  header->dictionary ? r->dictionary_bytes : 0);
    ZSTD_freeDCtx(context);
    return ZSTD_isError(bytes) ? "has a frame that does not open"
                               : plain_read((struct view){out, bytes}, plain);
}

/* Keeps an entry of kind 6. It is compressed without a dictionary, so no dictionary leads to another. */
static void dictionary_take(void *context, uint64_t index, struct view entry, const char *file,
                            uint64_t at) {
    struct reader *r = context;
    struct header header;
    struct plain plain;
    (void)file, (void)at;
    if (index != r->dictionary_wanted || header_read(entry, &header) || header.dictionary != 0 ||
        unseal(r, entry, &header, &plain) || plain.kind != DICTIONARY ||
        plain.body.size > DICTIONARY_MAX)
        return;
    r->dictionary = (uint32_t)index;
    r->dictionary_epoch = header.epoch;
    r->dictionary_bytes = plain.body.size;
    memcpy(r->dictionary_body, plain.body.data, plain.body.size);
}

/* Entries from..to - 1 of the bundles, then those of wal/ behind them. Gives how many bundles were cut off. */
static unsigned entries_walk(struct reader *r, uint64_t from, uint64_t to, entry_taker *take) {
    uint64_t size = r->vault->checkpoint.size, place[WIDTH + 1];
    uint8_t *bundle = allocate(BUNDLE_MAX);
    unsigned faults = 0;
    for (uint64_t n = from / WIDTH, first; (first = n * WIDTH) < size && first < to; n++) {
        unsigned width = size - first < WIDTH ? (unsigned)(size - first) : WIDTH;
        char name[NAME_ROOM];
        int64_t bytes = tile_read(r->vault, -1, n, width, bundle, BUNDLE_MAX, name);
        unsigned count = bundle_split(bundle, bytes, width, place);
        for (unsigned i = 0; i < count; i++)
            if (first + i >= from && first + i < to)
                take(r, first + i, bundle_entry(bundle, place, i), name, place[i]);
        if (count == width)
            continue;
        fprintf(stderr, "veilleuse-verify: %s ends before entry %" PRIu64 "\n", name,
                first + count);
        if (++faults == FAULTS_MAX)
            break;
    }
    free(bundle);
    if (to > size) {
        struct wal wal;
        wal_walk(r->vault, size, &wal, take, r);
        if (wal.fault)
            fprintf(stderr, "veilleuse-verify: %s: %s\n", wal.fault_file, wal.fault);
        faults += wal.fault != NULL;
    }
    return faults;
}

static const char *entry_open(struct reader *r, struct view entry, struct header *header,
                              struct plain *plain) {
    const char *wrong = header_read(entry, header);
    if (wrong)
        return wrong;
    if (header->dictionary != 0 && header->dictionary != r->dictionary) {
        r->dictionary_wanted = header->dictionary;
        entries_walk(r, header->dictionary, (uint64_t)header->dictionary + 1, dictionary_take);
    }
    if (header->dictionary != 0 &&
        (header->dictionary != r->dictionary || header->epoch != r->dictionary_epoch))
        return "names a dictionary that is none of its epoch's";
    wrong = unseal(r, entry, header, plain);
    if (!wrong && header->open != (plain->kind == KEY_FILE))
        wrong = "is open but not of kind 3, or not open";
    return wrong;
}

/* ---- "Blobs": age v1 with one X25519 recipient ---- */

static void hmac(struct view key, const void *data, size_t bytes, uint8_t out[HASH]) {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key.data, key.size);
    crypto_auth_hmacsha256_update(&state, data, bytes);
    crypto_auth_hmacsha256_final(&state, out);
}

/* RFC 5869 with SHA-256, 32 bytes: info ends in the byte 1 */
static void hkdf(struct view secret, struct view salt, const char *info, uint8_t out[HASH]) {
    uint8_t extracted[HASH];
    hmac(salt, secret.data, secret.size, extracted);
    hmac((struct view){extracted, HASH}, info, strlen(info), out);
}

/* The header, up to the first byte of the payload; gives the file key. Four lines of known lengths. */
static bool age_header_read(FILE *file, const uint8_t epoch_key[HASH], uint8_t file_key[16]) {
    static const char begin[] = "age-encryption.org/v1\n-> X25519 ",
                      label[] = "veilleuse blob identity/1";
    static const uint8_t nonce[12] = {0};
    enum { SHARE = 32, BODY = SHARE + 44, MARK = BODY + 44, MAC = MARK + 4, END = MAC + 44 };
    char head[END];
    uint8_t secret[HASH], salt[2 * HASH], body[32], mac[HASH], shared[HASH], key[HASH],
        wanted[HASH];
    if (fread(head, 1, END, file) != END || memcmp(head, begin, SHARE) != 0 ||
        head[BODY - 1] != '\n' || memcmp(head + MARK - 1, "\n--- ", 5) != 0 ||
        head[END - 1] != '\n' || base64_read(head + SHARE, 43, salt, HASH, false) != HASH ||
        base64_read(head + BODY, 43, body, HASH, false) != HASH ||
        base64_read(head + MAC, 43, mac, HASH, false) != HASH)
        return false;
    crypto_generichash(secret, HASH, (const uint8_t *)label, strlen(label), epoch_key, HASH);
    crypto_scalarmult_base(salt + HASH, secret);
    if (crypto_scalarmult(shared, secret, salt) != 0)
        return false;
    hkdf((struct view){shared, HASH}, (struct view){salt, sizeof salt},
         "age-encryption.org/v1/X25519\x01", key);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(file_key, NULL, NULL, body, sizeof body, NULL, 0,
                                                  nonce, key) != 0)
        return false;
    hkdf((struct view){file_key, 16}, (struct view){nonce, 0}, "header\x01", key);
    hmac((struct view){key, HASH}, head, MAC - 1, wanted); /* up to and with "---" */
    return sodium_memcmp(mac, wanted, HASH) == 0;
}

/* The payload to standard output, each chunk once it is authenticated; NULL, or what is wrong. */
static const char *blob_print(const struct reader *r, const uint8_t name[HASH],
                              uint64_t whole_bytes) {
    static uint8_t sealed[CHUNK + CHUNK_TAG], plain[CHUNK];
    char path[NAME_ROOM];
    uint8_t file_key[16] = {0}, salt[16] = {0}, key[HASH], nonce[12] = {0};
    uint64_t bytes = 0;
    blob_name(path, name);
    FILE *file = vault_open(r->vault, path);
    if (!file)
        return "names a blob that is not there";
    bool good = age_header_read(file, r->key, file_key) && fread(salt, 1, 16, file) == 16;
    hkdf((struct view){file_key, 16}, (struct view){salt, 16}, "payload\x01", key);
    while (good && nonce[11] == 0) {
        size_t size = fread(sealed, 1, sizeof sealed, file);
        int next = size == sizeof sealed ? fgetc(file) : EOF;
        bool is_first = bytes == 0;
        unsigned long long plain_bytes = 0;
        nonce[11] = next == EOF; /* the last one */
        ungetc(next, file);
        good = size >= CHUNK_TAG && (size > CHUNK_TAG || is_first) &&
               crypto_aead_chacha20poly1305_ietf_decrypt(plain, &plain_bytes, NULL, sealed, size,
                                                         NULL, 0, nonce, key) == 0;
        bytes += plain_bytes;
        fwrite(plain, 1, good ? plain_bytes : 0, stdout);
        for (int i = 10; i >= 3 && ++nonce[i] == 0; i--) {
            /* the carry goes on */
        }
    }
    good = good && !ferror(file);
    fclose(file);
    return !good                  ? "names a blob that does not open"
           : bytes != whole_bytes ? "names a blob of another size"
                                  : NULL;
}

/* ---- printing ---- */

/* The length of the UTF-8 letter at data, 0 if it is none (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_letter(const uint8_t *data, size_t left) {
    uint8_t first = data[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((data[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (first == 0xe0 && data[1] < 0xa0) || (first == 0xed && data[1] > 0x9f) ||
               (first == 0xf0 && data[1] < 0x90) || (first == 0xf4 && data[1] > 0x8f);
    return bad ? 0 : size;
}

static bool is_utf8(struct view text) {
    size_t at = 0, size = 1;
    for (; at < text.size && size > 0; at += size)
        size = utf8_letter(text.data + at, text.size - at);
    return size > 0;
}

/* ,"name":"text" - bytes that are no UTF-8 become U+FFFD, control characters are written as numbers. */
static void print_text(const char *name, struct view text) {
    printf(",\"%s\":\"", name);
    for (size_t at = 0, size; at < text.size; at += size ? size : 1) {
        uint8_t letter = text.data[at];
        size = utf8_letter(text.data + at, text.size - at);
        if (size == 0)
            fputs("\\ufffd", stdout);
        else if (letter < ' ' || letter == 0x7f)
            printf("\\u%04x", letter);
        else
            printf("%s%.*s", letter == '"' || letter == '\\' ? "\\" : "", (int)size,
                   (const char *)text.data + at);
    }
    putchar('"');
}

static void print_time(uint64_t received) {
    int64_t micros = (int64_t)received, rest = (micros % 1000000 + 1000000) % 1000000;
    time_t when = (time_t)(micros / 1000000 - (micros % 1000000 < 0));
    struct tm tm = {0};
    gmtime_r(&when, &tm);
    printf(",\"received_at\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", tm.tm_year + 1900,
           tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)rest);
}

static void print_json(uint64_t index, const struct header *header, const struct plain *plain) {
    static const char *const kinds[] = {"", "message", "fact", "key", "blob", "note", "dictionary"};
    static char base64[4 * (PLAIN_MAX / 3 + 1) + 1];
    const uint64_t *number = plain->number;
    char name[NAME_ROOM];
    printf("{\"index\":%" PRIu64 ",\"kind\":\"%s\"", index,
           plain->kind < 7 ? kinds[plain->kind] : "");
    print_text("media_type", plain->text[MEDIA]);
    print_text("source", plain->text[SOURCE]);
    print_time(number[RECEIVED]);
    printf(",\"clock\":%" PRIu64 ",\"flags\":%" PRIu64 ",\"epoch\":%" PRIu32, number[CLOCK],
           number[FLAGS], header->epoch);
    if (plain->text[AUTHOR].size > 0 || plain->text[ROLE].size > 0) {
        print_text("author", plain->text[AUTHOR]);
        print_text("role", plain->text[ROLE]);
    }
    if (plain->restates)
        printf(",\"restates_index\":%" PRIu64 ",\"restates_clock\":%" PRIu64, number[OLDER_INDEX],
               number[OLDER_CLOCK]);
    if (header->has_blob) {
        blob_name(name, header->blob);
        printf(",\"blob\":\"%s\"", name + 8);
    }
    printf(",\"body_bytes\":%" PRIu64, header->has_blob ? number[WHOLE_BYTES] : plain->body.size);
    if (is_utf8(plain->body)) {
        print_text("body", plain->body);
    } else {
        sodium_bin2base64(base64, sizeof base64, plain->body.data, plain->body.size,
                          sodium_base64_VARIANT_ORIGINAL);
        printf(",\"body_base64\":\"%s\"", base64);
    }
    puts("}");
}

static void entry_print(void *context, uint64_t index, struct view entry, const char *file,
                        uint64_t at) {
    struct reader *r = context;
    struct header header;
    struct plain plain;
    if (index < r->from || index >= r->to)
        return;
    const char *wrong = entry_open(r, entry, &header, &plain);
    if (!wrong && !r->raw)
        print_json(index, &header, &plain);
    else if (!wrong && plain.kind == BLOB)
        wrong = header.has_blob ? blob_print(r, header.blob, plain.number[WHOLE_BYTES])
                                : "names no blob";
    else if (!wrong && (plain.kind == MESSAGE || plain.kind == FACT))
        fwrite(plain.body.data, 1, plain.body.size, stdout);
    if (wrong) {
        fprintf(stderr, "veilleuse-verify: %s, entry %" PRIu64 ", byte %" PRIu64 ": %s\n", file,
                index, at, wrong);
        r->faults++;
    }
}

int vault_print(struct vault *vault, const char *identity, const char *passphrase, uint64_t from,
                uint64_t to, bool raw) {
    static struct reader reader;
    struct reader *r = &reader;
    *r = (struct reader){.vault = vault, .from = from, .to = to, .raw = raw};
    if (!identity_read(r, identity, passphrase)) {
        fprintf(stderr, "veilleuse-verify: %s: no X25519 identity that opens\n", identity);
        return EXIT_USAGE;
    }
    unsigned faults = entries_walk(r, from, to, entry_print) + r->faults;
    sodium_memzero(r, sizeof *r);
    return faults ? EXIT_DAMAGED : fflush(stdout) == 0 && !ferror(stdout) ? 0 : EXIT_IO;
}
