/* entry.c - the page's "Entry", and files read with a limit. */
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "Sealed": what stands in clear before the nonce, or before the plaintext of an open entry. */
const char *header_read(struct view entry, struct header *out) {
    const uint8_t *data = entry.data;
    *out = (struct header){.bytes = 10};
    if (entry.size > 0 && data[0] > 1)
        return "is of a newer version than this reader knows";
    if (entry.size < 12 || data[0] != 1)
        return "is no entry of version 1";
    if (entry.size > ENTRY_MAX)
        return "is larger than an entry may be";
    out->compressed = data[1] & 1;
    out->has_blob = data[1] & 2;
    out->open = data[1] & 4;
    out->dictionary = (uint32_t)big_endian(data + 2, 4);
    out->epoch = (uint32_t)big_endian(data + 6, 4);
    if (data[1] > 7 || (out->open && data[1] != 4))
        return "has form bits that version 1 does not";
    if (out->open ? out->epoch != 0 || out->dictionary != 0 : out->epoch == 0)
        return "names an epoch, or none, where it must not";
    if (out->has_blob) {
        out->blob = data + 10;
        out->bytes = 42;
    }
    size_t least =
        crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES;
    return !out->open && entry.size < out->bytes + least ? "is cut off" : NULL;
}

static bool field_take(struct plain *out, uint8_t tag, struct view value) {
    static const char texts[TEXT_FIELDS] = "msao", numbers[NUMBER_FIELDS] = "fcrniw";
    const char *text = memchr(texts, tag, sizeof texts);
    const char *number = memchr(numbers, tag, sizeof numbers);
    if (text) {
        out->text[text - texts] = value;
        return value.size <= 512;
    }
    if (number && value.size == 8)
        out->number[number - numbers] = big_endian(value.data, 8);
    else if (tag == 'k' && value.size == 1)
        out->kind = value.data[0];
    else /* passed over when it is newer, or the digest for repeats, which is the writer's own */
        return !number && tag != 'k';
    return true;
}

/* "Plain (the envelope)". */
const char *plain_read(struct view envelope, struct plain *out) {
    const uint8_t *data = envelope.data;
    bool seen[256] = {false};
    size_t at = 1;
    *out = (struct plain){0};
    if (envelope.size > 0 && data[0] > 1)
        return "has an envelope of a newer version than this reader knows";
    if (envelope.size < 1 || data[0] != 1)
        return "has no envelope of version 1";
    while (at < envelope.size && data[at] != 'B') {
        uint8_t tag = data[at];
        size_t left = envelope.size - at,
               size = left < 3 ? 0 : (size_t)big_endian(data + at + 1, 2);
        if (left < 3 || left - 3 < size || seen[tag] ||
            !field_take(out, tag, (struct view){data + at + 3, size}))
            return "has an envelope whose fields are not of the form";
        seen[tag] = true;
        at += 3 + size;
    }
    if (at >= envelope.size || !seen['k'])
        return "has an envelope without body or kind";
    out->body = (struct view){data + at + 1, envelope.size - at - 1};
    out->restates = seen['i'] && seen['w'];
    return NULL;
}

/* ---- files ---- */

void *allocate(size_t bytes) {
    void *memory = calloc(1, bytes ? bytes : 1);
    if (memory)
        return memory;
    fputs("veilleuse-verify: no memory\n", stderr);
    exit(EXIT_IO);
}

size_t own_file_read(const char *path, char *out, size_t room) {
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(out, 1, room - 1, file) : 0;
    out[size] = 0;
    if (!file || ferror(file)) {
        fprintf(stderr, "veilleuse-verify: %s: %s\n", path, strerror(errno));
        exit(EXIT_NOT_FOUND);
    }
    fclose(file);
    return size;
}

/* No link is followed, and nothing but a regular file is read: a copy may hold a pipe, or a link to elsewhere. */
FILE *vault_open(const struct vault *vault, const char *name) {
    char path[PATH_ROOM];
    struct stat status;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", vault->dir, name) >= sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return fdopen(descriptor, "rb");
    if (descriptor >= 0) {
        close(descriptor);
        errno = EINVAL;
    }
    return NULL;
}

int64_t vault_read(const struct vault *vault, const char *name, void *buffer, size_t max) {
    FILE *file = vault_open(vault, name);
    if (!file)
        return -1;
    size_t size = fread(buffer, 1, max, file);
    int fault = ferror(file) ? EIO : size == max && fgetc(file) != EOF ? EFBIG : 0;
    fclose(file);
    errno = fault;
    return fault ? -1 : (int64_t)size;
}

int64_t text_read(const struct vault *vault, const char *name, char *text, size_t room) {
    int64_t size = vault_read(vault, name, text, room - 1);
    text[size > 0 ? size : 0] = 0;
    errno = size < 0 ? errno : EBADMSG;
    return size >= 0 && strlen(text) == (size_t)size ? size : -1;
}

int64_t tile_read(const struct vault *vault, int level, uint64_t n, unsigned width, void *buffer,
                  size_t max, char name[NAME_ROOM]) {
    tile_name(name, level, n, width);
    int64_t size = vault_read(vault, name, buffer, max);
    if (size < 0 && errno == ENOENT && width < WIDTH) {
        char full[NAME_ROOM];
        tile_name(full, level, n, WIDTH);
        size = vault_read(vault, full, buffer, max);
        if (size >= 0)
            memcpy(name, full, NAME_ROOM);
    }
    return size;
}

unsigned bundle_split(const uint8_t *data, int64_t size, unsigned width,
                      uint64_t place[WIDTH + 1]) {
    unsigned count = 0;
    uint64_t left = size > 0 ? (uint64_t)size : 0;
    for (place[0] = 0; count < width && left >= 2; count++) {
        uint64_t bytes = 2 + big_endian(data + place[count], 2);
        if (left < bytes)
            break;
        left -= bytes;
        place[count + 1] = place[count] + bytes;
    }
    return count;
}

struct view bundle_entry(const uint8_t *data, const uint64_t place[WIDTH + 1], unsigned i) {
    return (struct view){data + place[i] + 2, place[i + 1] - place[i] - 2};
}

void blob_name(char out[NAME_ROOM], const uint8_t name[HASH]) {
    char hex[2 * HASH + 1];
    sodium_bin2hex(hex, sizeof hex, name, HASH);
    snprintf(out, NAME_ROOM, "blob/%.2s/%s", hex, hex);
}
