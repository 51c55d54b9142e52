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

enum { RECORD_HEAD = 56, RECORD_ENTRY_MAX = 65535 };
static const char not_whole[] = "a record that was durable is not whole";

struct record {
    uint64_t index, durable, at;
    struct view entry;
    size_t whole_bytes; /* with its head and its zeros */
};

/* Whole: its magic, its size within the segment, the entry's leaf hash, zeros behind it. */
static bool record_read(struct view segment, size_t at, struct record *out) {
    const uint8_t *head = segment.data + at;
    uint8_t hash[HASH];
    if (at >= segment.size || segment.size - at < RECORD_HEAD || memcmp(head, "VREC", 4) != 0)
        return false;
    size_t bytes = big_endian(head + 4, 4), whole = (RECORD_HEAD + bytes + 7) & ~(size_t)7;
    *out = (struct record){
        big_endian(head + 8, 8), big_endian(head + 16, 8), at, {head + RECORD_HEAD, bytes}, whole};
    if (bytes == 0 || bytes > RECORD_ENTRY_MAX || whole > segment.size - at ||
        !sodium_is_zero(out->entry.data + bytes, whole - RECORD_HEAD - bytes))
        return false;
    leaf_hash(out->entry, hash);
    return memcmp(hash, head + 24, HASH) == 0;
}

static void fault(struct wal *out, const char *what, uint64_t entry, uint64_t at) {
    if (out->fault)
        return;
    out->fault = what;
    memcpy(out->fault_file, out->file, sizeof out->file);
    out->entry = entry;
    out->at = at;
}

/* Behind a place where the expected record is not: the next whole record. One that was written when more was durable than
 * came before this place shows that durable data are damaged. False: none, or none that can be gone on with. */
static bool record_find(struct view segment, size_t at, uint64_t published, struct wal *out,
                        struct record *record) {
    uint64_t expected = out->durable;
    uint64_t work = 4 * (uint64_t)SEGMENT_MAX; /* bounds what false records may cost */
    for (size_t place = at; place < segment.size && segment.size - place >= RECORD_HEAD;
         place += 8) {
        const uint8_t *head = segment.data + place;
        if (memcmp(head, "VREC", 4) != 0 || big_endian(head + 8, 8) < expected)
            continue;
        uint64_t cost = RECORD_HEAD + (big_endian(head + 4, 4) & RECORD_ENTRY_MAX);
        if (work < cost) {
            fault(out, "holds too many records that are not whole", expected, at);
            return false;
        }
        work -= cost;
        if (!record_read(segment, place, record))
            continue;
        if (record->durable > expected)
            fault(out, not_whole, expected, at);
        if (record->index <= published || out->fault)
            return record->index <= published;
    }
    return false;
}

/* next: where the segment behind this one begins. It was begun at the first index that was missing here, so from there on
 * nothing here counts. */
static void segment_walk(struct view segment, uint64_t published, uint64_t next, struct wal *out,
                         entry_taker *take, void *context) {
    struct record record;
    uint64_t batch = out->durable;
    for (size_t at = 0;; at = record.at + record.whole_bytes) {
        bool broken = !record_read(segment, at, &record) || record.index != out->durable;
        if (broken && out->durable < next && (out->durable < published || next < UINT64_MAX))
            fault(out, not_whole, out->durable, at);
        if ((broken && !record_find(segment, at, published, out, &record)) || record.index >= next)
            return; /* zeros, or the rest of a batch that nobody was answered for */
        /* "To verify" 6: a record begins its batch, or belongs to the batch of the record before it. */
        bool first = record.durable == record.index, follows = at > 0 && record.durable == batch;
        if (!broken && !first && !follows)
            fault(out, "its durable size does not follow from the record before", record.index, at);
        if (record.index >= published)
            take(context, record.index, record.entry, out->file, record.at + RECORD_HEAD);
        batch = record.durable;
        out->durable = record.index + 1;
    }
}

/* 20 digits; blob-<n> and *.new are not finished and do not count. */
static bool segment_name_read(const char *name, uint64_t *first) {
    size_t zeros = strspn(name, "0");
    return strlen(name) == 20 && number_read(name + (zeros < 20 ? zeros : 19), first);
}
static int is_segment(const struct dirent *entry) {
    uint64_t first;
    return segment_name_read(entry->d_name, &first);
}

/* NULL: it cannot be read; errno says why. The caller frees it. */
static uint8_t *segment_load(const struct vault *vault, const char *name, size_t *size) {
    FILE *file = vault_open(vault, name);
    long end = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    uint8_t *data = NULL;
    errno = file ? EIO : errno;
    if (end >= 0 && end <= SEGMENT_MAX) {
        data = allocate((size_t)end);
        rewind(file);
        *size = fread(data, 1, (size_t)end, file);
    }
    if (file)
        fclose(file);
    return data;
}

/* "A segment is removed when the next one begins at or below the published size": those before are none. */
void wal_walk(const struct vault *vault, uint64_t published, struct wal *out, entry_taker *take,
              void *context) {
    char path[PATH_ROOM];
    struct dirent **names;
    uint64_t first, next;
    bool is_first = true;
    *out = (struct wal){.durable = 0};
    snprintf(path, sizeof path, "%s/wal", vault->dir);
    int count = scandir(path, &names, is_segment, alphasort);
    for (int i = 0; i < count; i++) {
        segment_name_read(names[i]->d_name, &first);
        if (i + 1 == count || !segment_name_read(names[i + 1]->d_name, &next))
            next = UINT64_MAX;
        if (next <= published)
            continue;
        snprintf(out->file, sizeof out->file, "wal/%.20s", names[i]->d_name);
        if (is_first && first > published)
            fault(out, "begins beyond the published entries", published, 0);
        is_first = false;
        size_t size = 0;
        uint8_t *segment = segment_load(vault, out->file, &size);
        if (segment) {
            out->durable = first;
            segment_walk((struct view){segment, size}, published, next, out, take, context);
        } else if (errno != ENOENT) { /* one that a running writer has just removed is none */
            fault(out, "cannot be read", first, 0);
        }
        free(segment);
    }
    for (int i = 0; i < count; i++)
        free(names[i]);
    if (count >= 0)
        free(names);
    if (out->durable < published)
        out->durable = published;
}
