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
const char *header_read(const uint8_t *entry, size_t bytes, struct header *out) {
    *out = (struct header){.bytes = 10};
    if (bytes > 0 && entry[0] > 1) {
        return "is of a newer version than this reader knows";
    }
    if (bytes < 12 || entry[0] != 1) {
        return "is no entry of version 1";
    }
    if (bytes > ENTRY_MAX) {
        return "is larger than an entry may be";
    }
    out->compressed = entry[1] & 1;
    out->has_blob = entry[1] & 2;
    out->open = entry[1] & 4;
    out->dictionary = (uint32_t)big_endian(entry + 2, 4);
    out->epoch = (uint32_t)big_endian(entry + 6, 4);
    if (entry[1] > 7 || (out->open && entry[1] != 4)) {
        return "has form bits that version 1 does not";
    }
    if (out->open ? out->epoch != 0 || out->dictionary != 0 : out->epoch == 0) {
        return "names an epoch, or none, where it must not";
    }
    if (out->has_blob) {
        out->blob = entry + 10;
        out->bytes = 42;
    }
    if (!out->open && bytes < out->bytes + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES +
                                  crypto_aead_xchacha20poly1305_ietf_ABYTES) {
        return "is cut off";
    }
    return NULL;
}

static bool field_take(struct plain *out, uint8_t tag, struct view value, bool *index,
                       bool *clock) {
    struct view *text = tag == 'm'   ? &out->media
                        : tag == 's' ? &out->source
                        : tag == 'a' ? &out->author
                                     : &out->role;
    uint64_t *number = tag == 'f'   ? &out->flags
                       : tag == 'c' ? &out->clock
                       : tag == 'r' ? &out->received
                       : tag == 'n' ? &out->whole_bytes
                       : tag == 'i' ? &out->older_index
                                    : &out->older_clock;
    switch (tag) {
    case 'k':
        out->kind = value.size == 1 ? value.data[0] : 0;
        return value.size == 1;
    case 'm':
    case 's':
    case 'a':
    case 'o':
        *text = value;
        return value.size <= 512;
    case 'i':
    case 'w':
        *(tag == 'i' ? index : clock) = true;
        /* fall through */
    case 'f':
    case 'c':
    case 'r':
    case 'n':
        *number = value.size == 8 ? big_endian(value.data, 8) : 0;
        return value.size == 8;
    default:
        return true; /* passed over: newer, or the digest for repeats, which is the writer's own */
    }
}

/* "Plain (the envelope)". */
const char *plain_read(const uint8_t *data, size_t bytes, struct plain *out) {
    bool seen[256] = {false}, index = false, clock = false;
    *out = (struct plain){0};
    if (bytes > 0 && data[0] > 1) {
        return "has an envelope of a newer version than this reader knows";
    }
    if (bytes < 1 || data[0] != 1) {
        return "has no envelope of version 1";
    }
    size_t at = 1;
    while (at < bytes && data[at] != 'B') {
        uint8_t tag = data[at];
        size_t size = bytes - at >= 3 ? (size_t)big_endian(data + at + 1, 2) : 0;
        if (bytes - at < 3 || bytes - at - 3 < size || seen[tag] ||
            !field_take(out, tag, (struct view){data + at + 3, size}, &index, &clock)) {
            return "has an envelope whose fields are not of the form";
        }
        seen[tag] = true;
        at += 3 + size;
    }
    if (at >= bytes || !seen['k']) {
        return "has an envelope without body or kind";
    }
    out->body = (struct view){data + at + 1, bytes - at - 1};
    out->restates = index && clock;
    return NULL;
}

/* ---- files ---- */

void *allocate(size_t bytes) {
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory) {
        fputs("veilleuse-verify: no memory\n", stderr);
        exit(EXIT_IO);
    }
    return memory;
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
    if (descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        return fdopen(descriptor, "rb");
    }
    if (descriptor >= 0) {
        close(descriptor);
        errno = EINVAL;
    }
    return NULL;
}

int64_t vault_read(const struct vault *vault, const char *name, void *buffer, size_t max) {
    FILE *file = vault_open(vault, name);
    if (!file) {
        return -1;
    }
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
        if (size >= 0) {
            memcpy(name, full, NAME_ROOM);
        }
    }
    return size;
}

unsigned bundle_split(const uint8_t *data, int64_t size, unsigned width,
                      uint64_t place[WIDTH + 1]) {
    unsigned count = 0;
    uint64_t at = 0, left = size > 0 ? (uint64_t)size : 0;
    place[0] = 0;
    while (count < width && left >= 2 && left - 2 >= big_endian(data + at, 2)) {
        uint64_t bytes = 2 + big_endian(data + at, 2);
        at += bytes;
        left -= bytes;
        place[++count] = at;
    }
    return count;
}

void blob_name(char out[NAME_ROOM], const uint8_t name[HASH]) {
    char hex[2 * HASH + 1];
    sodium_bin2hex(hex, sizeof hex, name, HASH);
    snprintf(out, NAME_ROOM, "blob/%.2s/%s", hex, hex);
}
