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

static bool bech32_read(const char *text, const char *prefix, uint8_t out[HASH]) /* BIP 173 */
{
    static const char letters[] = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    size_t prefix_bytes = strlen(prefix), count = 2 * prefix_bytes + 1;
    uint8_t values[128] = {0};
    if (strlen(text) != prefix_bytes + 1 + 52 + 6 || strncmp(text, prefix, prefix_bytes) != 0 ||
        text[prefix_bytes] != '1') {
        return false;
    }
    for (size_t i = 0; i < prefix_bytes; i++) { /* the sum is made over lower case */
        values[i] = (uint8_t)((prefix[i] | 0x20) >> 5);
        values[prefix_bytes + 1 + i] = prefix[i] & 0x1f;
    }
    for (const char *at = text + prefix_bytes + 1; *at; at++) {
        const char *letter = strchr(letters, *at);
        if (!letter) {
            return false;
        }
        values[count++] = (uint8_t)(letter - letters);
    }
    uint32_t sum = 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t top = sum >> 25;
        sum = (sum & 0x1ffffff) << 5 ^ values[i];
        for (int bit = 0; bit < 5; bit++) {
            sum ^= top >> bit & 1 ? generator[bit] : 0;
        }
    }
    uint32_t bits = 0, held = 0;
    size_t bytes = 0;
    for (size_t i = 2 * prefix_bytes + 1; i < count - 6; i++) {
        bits = (bits << 5 | values[i]) & 0xfff;
        held += 5;
        if (held >= 8 && bytes < HASH) {
            held -= 8;
            out[bytes++] = (uint8_t)(bits >> held);
        }
    }
    return sum == 1 && bytes == HASH && (bits & ((1U << held) - 1)) == 0;
}

static void own_file_read(const char *path, char *out, size_t max) {
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(out, 1, max - 1, file) : 0;
    out[size] = 0;
    if (!file || ferror(file)) {
        fprintf(stderr, "veilleuse-verify: %s: %s\n", path, strerror(errno));
        exit(EXIT_NOT_FOUND);
    }
    fclose(file);
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
        memory > LOCK_MEMORY_MAX) {
        return false;
    }
    int64_t bytes = base64_read(sealed_text, strlen(sealed_text), sealed, sizeof sealed, true);
    if (bytes < NONCE + TAG || (size_t)bytes >= room) {
        return false;
    }
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
    char text[4096];
    own_file_read(path, text, sizeof text);
    if (strncmp(text, "veilleuse-locked-key/", 21) == 0 &&
        (!passphrase_path || !unlock(text, sizeof text, passphrase_path))) {
        return false;
    }
    bool found = false;
    char *rest = text;
    for (char *line; !found && (line = strsep(&rest, "\r\n"));) {
        found = bech32_read(line, "AGE-SECRET-KEY-", r->secret);
    }
    sodium_memzero(text, sizeof text);
    return found && crypto_scalarmult_base(r->public_key, r->secret) == 0;
}

/* ---- epoch keys: `recipient <public key> <crypto_box_seal of the key>` in keys/<epoch> and keys/<epoch>.<n> ---- */

static bool key_file_open(struct reader *r, const char *name) {
    static char text[KEY_TEXT_MAX];
    char own[10 + 2 * HASH + 1] = "recipient ";
    uint8_t sealed[HASH + crypto_box_SEALBYTES];
    bool opened = false;
    text_read(r->vault, name, text, sizeof text);
    sodium_bin2hex(own + 10, sizeof own - 10, r->public_key, HASH);
    char *rest = text;
    for (char *line; !opened && (line = strsep(&rest, "\n"));) {
        opened = strncmp(line, own, 74) == 0 && line[74] == ' ' &&
                 base64_is(line + 75, strlen(line + 75), sealed, sizeof sealed) &&
                 crypto_box_seal_open(r->key, sealed, sizeof sealed, r->public_key, r->secret) == 0;
    }
    return opened;
}

static bool epoch_open(struct reader *r, uint32_t epoch) {
    if (epoch != r->epoch) {
        char name[NAME_ROOM];
        snprintf(name, sizeof name, "keys/%" PRIu32, epoch);
        r->epoch = epoch;
        r->has_key = key_file_open(r, name);
        for (unsigned part = 2; part < PARTS_MAX && !r->has_key; part++) {
            snprintf(name, sizeof name, "keys/%" PRIu32 ".%u", epoch, part);
            r->has_key = key_file_open(r, name);
        }
    }
    return r->has_key;
}

/* ---- unsealing ("Sealed", "Plain") ---- */

/* Opens what was sealed and, with the dictionary that r holds, what was compressed. The envelope lies in memory of this
 * function until its next call. */
static const char *unseal(struct reader *r, const uint8_t *entry, size_t bytes,
                          const struct header *header, struct plain *plain) {
    enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
    static uint8_t inner[ENTRY_MAX], out[PLAIN_MAX];
    uint8_t clear[ORIGIN_MAX + 42]; /* associated data: the first name || the header */
    const uint8_t *nonce = entry + header->bytes, *sealed = nonce + NONCE;
    if (header->open) {
        return plain_read(nonce, bytes - header->bytes, plain);
    }
    size_t name_bytes = strlen(r->vault->first_name);
    unsigned long long size = 0;
    memcpy(clear, r->vault->first_name, name_bytes);
    memcpy(clear + name_bytes, entry, header->bytes);
    if (!epoch_open(r, header->epoch)) {
        return "no file in keys/ opens its epoch for this identity";
    }
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            inner, &size, NULL, sealed, bytes - header->bytes - NONCE, clear,
            name_bytes + header->bytes, nonce, r->key) != 0) {
        return "does not open";
    }
    if (!header->compressed) {
        return plain_read(inner, size, plain);
    }
    size_t frame = ZSTD_findFrameCompressedSize(inner, size);
    if (ZSTD_isError(frame) || frame != size) {
        return "is not one Zstandard frame";
    }
    ZSTD_DCtx *context = ZSTD_createDCtx();
    size_t out_bytes =
        ZSTD_decompress_usingDict(context, out, sizeof out, inner, size, r->dictionary_body,
                                  header->dictionary ? r->dictionary_bytes : 0);
    ZSTD_freeDCtx(context);
    return ZSTD_isError(out_bytes) ? "has a frame that does not open"
                                   : plain_read(out, out_bytes, plain);
}

/* Keeps an entry of kind 6. It is compressed without a dictionary, so no dictionary leads to another. */
static void dictionary_take(void *context, uint64_t index, const uint8_t *entry, size_t bytes,
                            const char *file, uint64_t at) {
    struct reader *r = context;
    struct header header;
    struct plain plain;
    (void)file, (void)at;
    if (index == r->dictionary_wanted && !header_read(entry, bytes, &header) &&
        header.dictionary == 0 && !unseal(r, entry, bytes, &header, &plain) &&
        plain.kind == DICTIONARY && plain.body.size <= DICTIONARY_MAX) {
        r->dictionary = (uint32_t)index;
        r->dictionary_epoch = header.epoch;
        r->dictionary_bytes = plain.body.size;
        memcpy(r->dictionary_body, plain.body.data, plain.body.size);
    }
}

/* Entries from..to - 1 of the bundles, then those of wal/ behind them. Gives how many bundles were cut off. */
static unsigned entries_walk(struct reader *r, uint64_t from, uint64_t to, entry_taker *take) {
    uint64_t size = r->vault->checkpoint.size, place[WIDTH + 1];
    uint8_t *bundle = allocate(BUNDLE_MAX);
    unsigned faults = 0;
    for (uint64_t n = from / WIDTH; n * WIDTH < size && n * WIDTH < to && faults < FAULTS_MAX;
         n++) {
        unsigned width = size - n * WIDTH < WIDTH ? (unsigned)(size - n * WIDTH) : WIDTH;
        char name[NAME_ROOM];
        int64_t bytes = tile_read(r->vault, -1, n, width, bundle, BUNDLE_MAX, name);
        unsigned count = bundle_split(bundle, bytes, width, place);
        for (unsigned i = 0; i < count; i++) {
            if (n * WIDTH + i >= from && n * WIDTH + i < to) {
                take(r, n * WIDTH + i, bundle + place[i] + 2, place[i + 1] - place[i] - 2, name,
                     place[i]);
            }
        }
        if (count < width) {
            fprintf(stderr, "veilleuse-verify: %s ends before entry %" PRIu64 "\n", name,
                    n * WIDTH + count);
            faults++;
        }
    }
    free(bundle);
    if (to > size) {
        struct wal wal;
        wal_walk(r->vault, size, &wal, take, r);
        if (wal.fault) {
            fprintf(stderr, "veilleuse-verify: %s: %s\n", wal.fault_file, wal.fault);
            faults++;
        }
    }
    return faults;
}

static const char *entry_open(struct reader *r, const uint8_t *entry, size_t bytes,
                              struct header *header, struct plain *plain) {
    const char *wrong = header_read(entry, bytes, header);
    if (wrong) {
        return wrong;
    }
    if (header->dictionary != 0 && header->dictionary != r->dictionary) {
        r->dictionary_wanted = header->dictionary;
        entries_walk(r, header->dictionary, (uint64_t)header->dictionary + 1, dictionary_take);
    }
    if (header->dictionary != 0 &&
        (header->dictionary != r->dictionary || header->epoch != r->dictionary_epoch)) {
        return "names a dictionary that is none of its epoch's";
    }
    wrong = unseal(r, entry, bytes, header, plain);
    return wrong                                       ? wrong
           : header->open == (plain->kind == KEY_FILE) ? NULL
                                                       : "is open but not of kind 3, or not open";
}

/* ---- "Blobs": age v1 with one X25519 recipient ---- */

static void hkdf(const uint8_t *secret, size_t secret_bytes, const uint8_t *salt, size_t salt_bytes,
                 const char *info, uint8_t out[HASH]) /* RFC 5869, SHA-256, 32 bytes */
{
    static const uint8_t last = 1;
    uint8_t extracted[HASH];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, salt, salt_bytes);
    crypto_auth_hmacsha256_update(&state, secret, secret_bytes);
    crypto_auth_hmacsha256_final(&state, extracted);
    crypto_auth_hmacsha256_init(&state, extracted, sizeof extracted);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)info, strlen(info));
    crypto_auth_hmacsha256_update(&state, &last, 1);
    crypto_auth_hmacsha256_final(&state, out);
}

/* The header, up to the first byte of the payload; gives the file key. Four lines of known lengths. */
static bool age_header_read(FILE *file, const uint8_t epoch_key[HASH], uint8_t file_key[16]) {
    static const char begin[] = "age-encryption.org/v1\n-> X25519 ",
                      label[] = "veilleuse blob identity/1";
    enum { SHARE = 32, BODY = SHARE + 44, MARK = BODY + 44, MAC = MARK + 4, END = MAC + 44 };
    char head[END];
    uint8_t secret[HASH], salt[2 * HASH], body[32], mac[HASH], shared[HASH], key[HASH],
        wanted[HASH];
    static const uint8_t nonce[12] = {0};
    if (fread(head, 1, END, file) != END || memcmp(head, begin, SHARE) != 0 ||
        head[BODY - 1] != '\n' || memcmp(head + MARK - 1, "\n--- ", 5) != 0 ||
        head[END - 1] != '\n' || base64_read(head + SHARE, 43, salt, HASH, false) != HASH ||
        base64_read(head + BODY, 43, body, HASH, false) != HASH ||
        base64_read(head + MAC, 43, mac, HASH, false) != HASH) {
        return false;
    }
    crypto_generichash(secret, sizeof secret, (const uint8_t *)label, strlen(label), epoch_key,
                       HASH);
    crypto_scalarmult_base(salt + HASH, secret);
    if (crypto_scalarmult(shared, secret, salt) != 0) {
        return false;
    }
    hkdf(shared, sizeof shared, salt, sizeof salt, "age-encryption.org/v1/X25519", key);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(file_key, NULL, NULL, body, sizeof body, NULL, 0,
                                                  nonce, key) != 0) {
        return false;
    }
    hkdf(file_key, 16, (const uint8_t *)"", 0, "header", key);
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, sizeof key);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)head,
                                  MAC - 1); /* up to and with "---" */
    crypto_auth_hmacsha256_final(&state, wanted);
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
    if (!file) {
        return "names a blob that is not there";
    }
    bool good =
        age_header_read(file, r->key, file_key) && fread(salt, 1, sizeof salt, file) == sizeof salt;
    hkdf(file_key, sizeof file_key, salt, sizeof salt, "payload", key);
    for (uint64_t chunk = 0; good && nonce[11] == 0; chunk++) {
        size_t size = fread(sealed, 1, sizeof sealed, file);
        int next = size == sizeof sealed ? fgetc(file) : EOF;
        for (int i = 0; i < 8; i++) {
            nonce[3 + i] = (uint8_t)(chunk >> 8 * (7 - i));
        }
        nonce[11] = next == EOF; /* the last one */
        ungetc(next, file);
        unsigned long long plain_bytes = 0;
        good = size >= CHUNK_TAG && (size > CHUNK_TAG || chunk == 0) &&
               crypto_aead_chacha20poly1305_ietf_decrypt(plain, &plain_bytes, NULL, sealed, size,
                                                         NULL, 0, nonce, key) == 0;
        bytes += plain_bytes;
        fwrite(plain, 1, good ? plain_bytes : 0, stdout);
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
    size_t size = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;
    if (size > left) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool bad = (first == 0xe0 && data[1] < 0xa0) || (first == 0xed && data[1] > 0x9f) ||
               (first == 0xf0 && data[1] < 0x90) || (first == 0xf4 && data[1] > 0x8f);
    return bad ? 0 : size;
}

static bool is_utf8(struct view text) {
    size_t at = 0, size = 1;
    while (at < text.size && (size = utf8_letter(text.data + at, text.size - at)) > 0) {
        at += size;
    }
    return size > 0;
}

/* ,"name":"text" - bytes that are no UTF-8 become U+FFFD, control characters are written as numbers. */
static void print_text(const char *name, struct view text) {
    printf(",\"%s\":\"", name);
    for (size_t at = 0; at < text.size;) {
        size_t size = utf8_letter(text.data + at, text.size - at);
        uint8_t letter = text.data[at];
        if (size == 0) {
            fputs("\\ufffd", stdout);
            size = 1;
        } else if (letter < ' ' || letter == 0x7f) {
            printf("\\u%04x", letter);
        } else {
            fputs(letter == '"' || letter == '\\' ? "\\" : "", stdout);
            fwrite(text.data + at, 1, size, stdout);
        }
        at += size;
    }
    putchar('"');
}

static void print_time(uint64_t received) {
    int64_t micros = (int64_t)received, seconds = micros / 1000000, rest = micros % 1000000;
    if (rest < 0) {
        rest += 1000000;
        seconds--;
    }
    struct tm tm = {0};
    time_t when = (time_t)seconds;
    gmtime_r(&when, &tm);
    printf(",\"received_at\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", tm.tm_year + 1900,
           tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)rest);
}

static void print_json(uint64_t index, const struct header *header, const struct plain *plain) {
    static const char *const kinds[] = {"", "message", "fact", "key", "blob", "note", "dictionary"};
    printf("{\"index\":%" PRIu64 ",\"kind\":\"%s\"", index,
           plain->kind < 7 ? kinds[plain->kind] : "");
    print_text("media_type", plain->media);
    print_text("source", plain->source);
    print_time(plain->received);
    printf(",\"clock\":%" PRIu64 ",\"flags\":%" PRIu64 ",\"epoch\":%" PRIu32, plain->clock,
           plain->flags, header->epoch);
    if (plain->author.size > 0 || plain->role.size > 0) {
        print_text("author", plain->author);
        print_text("role", plain->role);
    }
    if (plain->restates) {
        printf(",\"restates_index\":%" PRIu64 ",\"restates_clock\":%" PRIu64, plain->older_index,
               plain->older_clock);
    }
    if (header->has_blob) {
        char name[NAME_ROOM];
        blob_name(name, header->blob);
        printf(",\"blob\":\"%s\"", name + 8);
    }
    printf(",\"body_bytes\":%" PRIu64, header->has_blob ? plain->whole_bytes : plain->body.size);
    if (is_utf8(plain->body)) {
        print_text("body", plain->body);
    } else {
        static char base64[4 * (PLAIN_MAX / 3 + 1) + 1];
        sodium_bin2base64(base64, sizeof base64, plain->body.data, plain->body.size,
                          sodium_base64_VARIANT_ORIGINAL);
        printf(",\"body_base64\":\"%s\"", base64);
    }
    puts("}");
}

static void entry_print(void *context, uint64_t index, const uint8_t *entry, size_t bytes,
                        const char *file, uint64_t at) {
    struct reader *r = context;
    struct header header;
    struct plain plain;
    if (index < r->from || index >= r->to) {
        return;
    }
    const char *wrong = entry_open(r, entry, bytes, &header, &plain);
    if (!wrong && !r->raw) {
        print_json(index, &header, &plain);
    } else if (!wrong && plain.kind == BLOB) {
        wrong = header.has_blob ? blob_print(r, header.blob, plain.whole_bytes) : "names no blob";
    } else if (!wrong && (plain.kind == MESSAGE || plain.kind == FACT)) {
        fwrite(plain.body.data, 1, plain.body.size, stdout);
    }
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
