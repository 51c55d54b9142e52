/* sources.c - counts for each sending application, found by a small hash table.
 *
 * Invariants
 *   The table is at most a quarter full, so a search ends soon at a free place.
 *   The last element of the list is "(others)" once the list is full. */
#include "feeds/sources.h"

#include <assert.h>

#define TABLE_SIZE 512u

void sources_init(struct sources *sources) {
    memset(sources, 0, sizeof *sources);
}

static uint32_t hash(uint32_t state, struct bytes b) {
    for (size_t i = 0; i < b.size; i++)
        state = (state ^ b.data[i]) * 16777619u;
    return (state ^ 0xffu) * 16777619u;
}

static bool is_name(const char *name, struct bytes b) {
    return strlen(name) == b.size &&
           memcmp(name, b.data ? b.data : (const uint8_t *)"", b.size) == 0;
}

static void set_name(char name[SOURCE_NAME_BYTES], struct bytes b) {
    if (b.size)
        memcpy(name, b.data, b.size);
    name[b.size] = 0;
}

static struct bytes cut_name(struct bytes b) {
    b = bytes_first(b, SOURCE_NAME_BYTES - 1);
    size_t zero = bytes_find(b, 0);
    return zero == BYTES_NOT_FOUND ? b : bytes_first(b, zero);
}

static struct source *add(struct sources *sources, struct bytes application,
                          struct bytes facility) {
    struct source *source = &sources->list[sources->count++];
    set_name(source->application, application);
    set_name(source->facility, facility);
    source->newest_at = INSTANT_NONE;
    return source;
}

static struct source *others(struct sources *sources) {
    if (sources->count < SOURCE_COUNT_MAX)
        add(sources, BYTES("(others)"), BYTES_NONE);
    return &sources->list[SOURCE_COUNT_MAX - 1];
}

struct source *sources_find(struct sources *sources, struct bytes application,
                            struct bytes facility) {
    application = cut_name(application);
    facility = cut_name(facility);
    uint32_t at = hash(hash(2166136261u, application), facility) % TABLE_SIZE;
    for (; sources->table[at]; at = (at + 1) % TABLE_SIZE) {
        struct source *source = &sources->list[sources->table[at] - 1];
        if (is_name(source->application, application) && is_name(source->facility, facility))
            return source;
    }
    if (sources->count >= SOURCE_COUNT_MAX - 1)
        return others(sources);
    sources->table[at] = (uint8_t)(sources->count + 1);
    return add(sources, application, facility);
}

void sources_put_json(const struct sources *sources, struct json *json) {
    json_array_begin(json);
    for (uint32_t i = 0; i < sources->count; i++) {
        const struct source *source = &sources->list[i];
        json_object_begin(json);
        json_member_string(json, "application", source->application);
        json_member_string(json, "facility", source->facility);
        json_member_u64(json, "messages", source->messages);
        json_member_u64(json, "aa", source->aa);
        json_member_u64(json, "ae", source->ae);
        json_member_u64(json, "ar", source->ar);
        json_member_u64(json, "repeats", source->repeats);
        json_member_u64(json, "oversize", source->oversize);
        json_member_u64(json, "unframed", source->unframed);
        json_member_instant(json, "newest_at", source->newest_at);
        json_object_end(json);
    }
    json_array_end(json);
}
