/* wal.c - the page's "The writer's segments": which records count, and whether what is missing was durable.
 *
 * A record counts while it is whole and its index is the expected one. Where that ends inside a segment, what comes next
 * tells a torn write from damage: a whole record further on that was written when more was durable than what is missing.
 * What is missing below `published`, the size of the checkpoint, was durable in any case. It is a fault, but the bundles
 * have those entries, so the walk goes on behind it. */
#include "verify.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_HEAD = 56, SEGMENTS_MAX = 1 << 20 };

struct record {
    uint64_t index, durable, at;
    const uint8_t *entry;
    size_t bytes, whole_bytes; /* of the entry; of the record with its zeros */
};

/* Whole: its magic, its size within the segment, the entry's leaf hash, zeros behind it. */
static bool record_read(const uint8_t *segment, size_t size, size_t at, struct record *out) {
    uint8_t hash[HASH];
    if (size - at < RECORD_HEAD || memcmp(segment + at, "VREC", 4) != 0) {
        return false;
    }
    const uint8_t *head = segment + at;
    *out = (struct record){big_endian(head + 8, 8), big_endian(head + 16, 8), at,
                           head + RECORD_HEAD,      big_endian(head + 4, 4),  0};
    if (out->bytes == 0 || out->bytes > 65535 || out->bytes > size - at - RECORD_HEAD) {
        return false;
    }
    out->whole_bytes = (RECORD_HEAD + out->bytes + 7) & ~(size_t)7;
    if (out->whole_bytes > size - at ||
        !sodium_is_zero(out->entry + out->bytes, out->whole_bytes - RECORD_HEAD - out->bytes)) {
        return false;
    }
    leaf_hash(out->entry, out->bytes, hash);
    return memcmp(hash, head + 24, HASH) == 0;
}

static void fault(struct wal *out, const char *what, uint64_t entry, uint64_t at) {
    if (!out->fault) {
        out->fault = what;
        memcpy(out->fault_file, out->file, sizeof out->file);
        out->entry = entry;
        out->at = at;
    }
}

/* Behind a place where the expected record is not: the next whole record. One that was written when more was durable than
 * came before this place shows that durable data are damaged. False: none, or none that can be gone on with. */
static bool record_find(const uint8_t *segment, size_t size, size_t at, uint64_t published,
                        struct wal *out, struct record *record) {
    uint64_t expected = out->durable,
             work = 4 * (uint64_t)SEGMENT_MAX; /* bounds what false records may cost */
    for (size_t place = at; place < size && size - place >= RECORD_HEAD; place += 8) {
        if (memcmp(segment + place, "VREC", 4) != 0 ||
            big_endian(segment + place + 8, 8) < expected) {
            continue;
        }
        uint64_t cost = RECORD_HEAD + (big_endian(segment + place + 4, 4) & 0xffff);
        if (work < cost) {
            fault(out, "holds too many records that are not whole", expected, at);
            return false;
        }
        work -= cost;
        if (record_read(segment, size, place, record)) {
            if (record->durable > expected) {
                fault(out, "a record that was durable is not whole", expected, at);
            }
            if (record->index <= published || out->fault) {
                return record->index <= published;
            }
        }
    }
    return false;
}

/* next: where the segment behind this one begins. It was begun at the first index that was missing here, so from there on
 * nothing here counts. */
static void segment_walk(const uint8_t *segment, size_t size, uint64_t published, uint64_t next,
                         struct wal *out, entry_taker *take, void *context) {
    uint64_t batch = out->durable;
    size_t at = 0;
    for (;;) {
        struct record record;
        bool broken =
            at >= size || !record_read(segment, size, at, &record) || record.index != out->durable;
        if (broken && out->durable < next && (out->durable < published || next < UINT64_MAX)) {
            fault(out, "a record that was durable is not whole", out->durable, at);
        }
        if ((broken && !record_find(segment, size, at, published, out, &record)) ||
            record.index >= next) {
            return; /* zeros, or the rest of a batch that nobody was answered for */
        }
        /* "To verify" 6: a record begins its batch, or belongs to the batch of the record before it. */
        bool first = record.durable == record.index, follows = at > 0 && record.durable == batch;
        if (!broken && !first && !follows) {
            fault(out, "its durable size does not follow from the record before", record.index, at);
        }
        if (take && record.index >= published) {
            take(context, record.index, record.entry, record.bytes, out->file,
                 record.at + RECORD_HEAD);
        }
        batch = record.durable;
        out->durable = record.index + 1;
        at = record.at + record.whole_bytes;
    }
}

/* The first index of each segment, in order. */
static uint64_t *segments_list(const struct vault *vault, size_t *count) {
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/wal", vault->dir);
    DIR *directory = opendir(path);
    *count = 0;
    if (!directory) {
        return NULL;
    }
    uint64_t *list = allocate(SEGMENTS_MAX * sizeof *list);
    for (struct dirent *entry; (entry = readdir(directory)) && *count < SEGMENTS_MAX;) {
        const char *digits = entry->d_name + strspn(entry->d_name, "0");
        uint64_t index = 0;
        if (strlen(entry->d_name) != 20 || strspn(entry->d_name, "0123456789") != 20 ||
            (*digits && !number_read(digits, strlen(digits), &index))) {
            continue; /* blob-<n>, *.new: not finished, they do not count */
        }
        list[(*count)++] = index;
    }
    closedir(directory);
    qsort(list, *count, sizeof *list, compare_numbers);
    return list;
}

void wal_walk(const struct vault *vault, uint64_t published, struct wal *out, entry_taker *take,
              void *context) {
    size_t count;
    uint64_t *starts = segments_list(vault, &count);
    *out = (struct wal){.durable = 0};
    uint8_t *segment = NULL;
    size_t room = 0;
    size_t begin =
        0; /* "removed when the next one begins at or below the published size": those before are none */
    while (begin + 1 < count && starts[begin + 1] <= published) {
        begin++;
    }
    for (size_t i = begin; i < count; i++) {
        snprintf(out->file, sizeof out->file, "wal/%020llu", (unsigned long long)starts[i]);
        if (i == begin && starts[i] > published) {
            fault(out, "begins beyond the published entries", published, 0);
        }
        FILE *file = vault_open(vault, out->file);
        if (!file || fseeko(file, 0, SEEK_END) != 0 || ftello(file) < 0 ||
            ftello(file) > SEGMENT_MAX) {
            if (file || errno != ENOENT) { /* one that a running writer has just removed is none */
                fault(out, "cannot be read", starts[i], 0);
            }
        } else {
            size_t size = (size_t)ftello(file);
            if (size > room) {
                free(segment);
                segment = allocate(size);
                room = size;
            }
            rewind(file);
            size = fread(segment, 1, size, file);
            out->durable = starts[i];
            segment_walk(segment, size, published, i + 1 < count ? starts[i + 1] : UINT64_MAX, out,
                         take, context);
        }
        if (file) {
            fclose(file);
        }
    }
    if (out->durable < published) {
        out->durable = published;
    }
    free(segment);
    free(starts);
}
