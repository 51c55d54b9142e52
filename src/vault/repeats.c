/* repeats.c - the memory of bodies already taken. */
#include "vault/repeats.h"

#include "base/pool.h"
#include "vault/layout.h"

#include <fcntl.h>
#include <unistd.h>

#define GENERATION_US   (INT64_C(7) * 24 * 3600 * US_PER_S)
#define CAPACITY_FIRST  4096u
#define INDEX_FORGOTTEN UINT64_MAX
#define RECORD_MARK     0x52455054u /* "REPT" */
#define LOAD_BYTES      (64u * 1024u * REPEAT_RECORD_BYTES)

struct repeat_slot {
    uint8_t digest[DIGEST_BYTES];
    uint64_t index_plus_one; /* 0: empty */
};

/* The digest is keyed and so as good as random: its first bytes are its place. */
static struct repeat_slot *slot_of(const struct repeat_table *table,
                                   const uint8_t digest[DIGEST_BYTES]) {
    uint32_t mask = table->capacity - 1;
    for (uint32_t at = load_u32(digest) & mask;; at = (at + 1) & mask) {
        struct repeat_slot *slot = &table->slots[at];
        if (slot->index_plus_one == 0 || !memcmp(slot->digest, digest, DIGEST_BYTES))
            return slot;
    }
}

static bool table_init(struct repeat_table *table, uint32_t capacity) {
    *table = (struct repeat_table){.capacity = capacity};
    table->slots = memory_alloc(capacity, sizeof *table->slots);
    return table->slots != NULL;
}

static bool table_grow(struct repeat_table *table) {
    struct repeat_table larger;
    if (!table_init(&larger, table->capacity * 2))
        return false;
    larger.begun_at = table->begun_at;
    larger.count = table->count;
    for (uint32_t i = 0; i < table->capacity; i++)
        if (table->slots[i].index_plus_one)
            *slot_of(&larger, table->slots[i].digest) = table->slots[i];
    memory_free(table->slots);
    *table = larger;
    return true;
}

enum err repeats_init(struct repeats *repeats, uint32_t count_max) {
    *repeats = (struct repeats){.fd = -1, .count_max = count_max};
    return table_init(&repeats->current, CAPACITY_FIRST) &&
                   table_init(&repeats->previous, CAPACITY_FIRST)
               ? ERR_OK
               : ERR_MEMORY;
}

void repeats_release(struct repeats *repeats, struct sys *sys) {
    memory_free(repeats->current.slots);
    memory_free(repeats->previous.slots);
    if (repeats->fd >= 0)
        sys_close(sys, repeats->fd);
    *repeats = (struct repeats){.fd = -1};
}

static bool table_find(const struct repeat_table *table, const uint8_t *digest, uint64_t *index) {
    const struct repeat_slot *slot = slot_of(table, digest);
    if (slot->index_plus_one == 0 || slot->index_plus_one == INDEX_FORGOTTEN)
        return false;
    *index = slot->index_plus_one - 1;
    return true;
}

bool repeats_find(const struct repeats *repeats, const uint8_t digest[DIGEST_BYTES],
                  uint64_t *index) {
    return table_find(&repeats->current, digest, index) ||
           table_find(&repeats->previous, digest, index);
}

static void turn_over(struct repeats *repeats, int64_t now_us) {
    struct repeat_table fresh;
    if (!table_init(&fresh, CAPACITY_FIRST))
        return;
    fresh.begun_at = now_us;
    memory_free(repeats->previous.slots);
    repeats->previous = repeats->current;
    repeats->current = fresh;
}

void repeats_add(struct repeats *repeats, const uint8_t digest[DIGEST_BYTES], uint64_t index,
                 int64_t now_us) {
    struct repeat_table *table = &repeats->current;
    if (table->begun_at == 0)
        table->begun_at = now_us;
    if (table->count >= repeats->count_max / 2 || now_us - table->begun_at > GENERATION_US)
        turn_over(repeats, now_us);
    /* Seven eighths full: the next size. Without memory for it the oldest generation goes early. */
    if (table->count >= table->capacity / 8 * 7 && !table_grow(table))
        turn_over(repeats, now_us);
    if (table->count + 1 >= table->capacity)
        return; /* no memory for either: this body is not remembered */
    struct repeat_slot *slot = slot_of(table, digest);
    table->count += slot->index_plus_one == 0;
    memcpy(slot->digest, digest, DIGEST_BYTES);
    slot->index_plus_one = index + 1;
}

static void table_forget(struct repeat_table *table, const uint8_t *digest, uint64_t index) {
    struct repeat_slot *slot = slot_of(table, digest);
    if (slot->index_plus_one == index + 1)
        slot->index_plus_one = INDEX_FORGOTTEN;
}

/* In both: the generations may have turned over since it was added. */
void repeats_forget(struct repeats *repeats, const uint8_t digest[DIGEST_BYTES], uint64_t index) {
    table_forget(&repeats->current, digest, index);
    table_forget(&repeats->previous, digest, index);
}

/* ---- the cache file: records in the order of entries, without gaps ---- */

static uint32_t record_check(const uint8_t *record) {
    uint32_t check = RECORD_MARK;
    for (unsigned i = 0; i < DIGEST_BYTES + 8; i += 4)
        check ^= load_u32(record + i);
    return check;
}

void repeat_record_put(uint8_t out[REPEAT_RECORD_BYTES], const uint8_t digest[DIGEST_BYTES],
                       uint64_t index) {
    memcpy(out, digest, DIGEST_BYTES);
    store_u64(out + DIGEST_BYTES, index);
    store_u32(out + DIGEST_BYTES + 8, record_check(out));
}

static bool take_record(struct repeats *repeats, const uint8_t *record, uint64_t durable_size,
                        int64_t now_us) {
    uint64_t index = load_u64(record + DIGEST_BYTES);
    if (load_u32(record + DIGEST_BYTES + 8) != record_check(record) || index >= durable_size ||
        (repeats->known_size > 0 && index != repeats->known_size))
        return false;
    repeats_add(repeats, record, index, now_us);
    repeats->known_size = index + 1;
    return true;
}

/* From `at` on; the first odd record ends what can be used, and is where this returns. */
static off_t load_records(struct repeats *repeats, struct sys *sys, uint8_t *buffer, off_t at,
                          uint64_t durable_size, int64_t now_us) {
    ssize_t size;
    do {
        size = sys_pread(sys, repeats->fd, buffer, LOAD_BYTES, at);
        for (ssize_t i = 0; size - i >= (ssize_t)REPEAT_RECORD_BYTES;
             i += (ssize_t)REPEAT_RECORD_BYTES) {
            if (!take_record(repeats, buffer + i, durable_size, now_us))
                return at;
            at += (off_t)REPEAT_RECORD_BYTES;
        }
    } while (size == (ssize_t)LOAD_BYTES);
    return at;
}

/* Bring what lies in [from, end) to the file's start. A crash in between leaves a place where indexes fall back: there
 * the next load ends, and the vault says the rest. False: the file is of no use. */
static bool move_to_start(struct repeats *repeats, struct sys *sys, uint8_t *buffer, off_t from,
                          off_t end) {
    for (off_t at = from; at < end;) {
        size_t wanted = end - at < (off_t)LOAD_BYTES ? (size_t)(end - at) : LOAD_BYTES;
        ssize_t size = sys_pread(sys, repeats->fd, buffer, wanted, at);
        if (size <= 0 || sys_pwrite(sys, repeats->fd, buffer, (size_t)size, at - from) != size)
            return false;
        at += size;
    }
    return true;
}

/* Where to begin in a file that has grown to twice what is remembered: only its end counts. */
static off_t begin_of(const struct repeats *repeats, off_t file_bytes) {
    off_t kept = (off_t)repeats->count_max * (off_t)REPEAT_RECORD_BYTES;
    off_t whole = file_bytes - file_bytes % (off_t)REPEAT_RECORD_BYTES;
    return whole > 2 * kept ? whole - kept : 0;
}

static void close_cache(struct repeats *repeats, struct sys *sys) {
    sys_close(sys, repeats->fd);
    repeats->fd = -1;
}

void repeats_load(struct repeats *repeats, struct sys *sys, const char *site_dir,
                  uint64_t durable_size, int64_t now_us) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    uint8_t *buffer = memory_alloc(1, LOAD_BYTES);
    vault_path(path, site_dir, "cache/repeats");
    repeats->fd = buffer ? sys_open(sys, path, O_RDWR | O_CREAT, 0600) : -1;
    repeats->known_size = 0;
    if (repeats->fd >= 0) {
        off_t begin = sys_fstat(sys, repeats->fd, &st) ? 0 : begin_of(repeats, st.st_size);
        off_t end = load_records(repeats, sys, buffer, begin, durable_size, now_us);
        if ((begin > 0 && !move_to_start(repeats, sys, buffer, begin, end)) ||
            sys_ftruncate(sys, repeats->fd, end - begin) ||
            lseek(repeats->fd, end - begin, SEEK_SET) < 0)
            close_cache(repeats, sys);
    }
    memory_free(buffer);
}

void repeats_save(struct repeats *repeats, struct sys *sys, struct bytes records) {
    if (repeats->fd < 0 || bytes_is_empty(records))
        return;
    ssize_t written = sys_write(sys, repeats->fd, records.data, records.size);
    if (written == (ssize_t)records.size)
        return;
    /* A cache with a hole would forget entries in silence: better none. */
    if (sys_ftruncate(sys, repeats->fd, 0)) {
        /* The file is left as it is; its next reader stops at the odd record. */
    }
    close_cache(repeats, sys);
}
