/* pool.c - a fixed number of equal objects; and the only doors to malloc outside arenas.
 *
 * Invariants
 *   1. free_list[0 .. free_count) are the indexes of the objects nobody holds, each once.
 *   2. An object that nobody holds is unreadable under AddressSanitizer. */
#include "base/pool.h"
#include "base/poison.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum err pool_init(struct pool *pool, uint32_t count, size_t object_bytes) {
    assert(count > 0 && object_bytes > 0 && object_bytes < SIZE_MAX - 16);
    *pool = (struct pool){.object_bytes = (object_bytes + 15) & ~(size_t)15, .count = count};
    pool->objects = calloc(count, pool->object_bytes);
    pool->free_list = calloc(count, sizeof *pool->free_list);
    if (!pool->objects || !pool->free_list) {
        pool_release(pool);
        return ERR_MEMORY;
    }
    /* Taken from the end of the list, so that the first objects are used first. */
    for (uint32_t i = 0; i < count; i++)
        pool->free_list[i] = count - 1 - i;
    pool->free_count = count;
    poison(pool->objects, count * pool->object_bytes);
    return ERR_OK;
}

void pool_release(struct pool *pool) {
    if (pool->objects)
        unpoison(pool->objects, pool->count * pool->object_bytes);
    free(pool->objects);
    free(pool->free_list);
    *pool = (struct pool){0};
}

void *pool_take(struct pool *pool) {
    if (pool->free_count == 0)
        return NULL;
    void *object = pool_at(pool, pool->free_list[--pool->free_count]);
    unpoison(object, pool->object_bytes);
    return memset(object, 0, pool->object_bytes);
}

void pool_give(struct pool *pool, void *object) {
    assert(pool->free_count < pool->count);
    pool->free_list[pool->free_count++] = pool_index(pool, object);
    poison(object, pool->object_bytes);
}

uint32_t pool_index(const struct pool *pool, const void *object) {
    size_t offset = (size_t)((const unsigned char *)object - pool->objects);
    assert(offset % pool->object_bytes == 0 && offset / pool->object_bytes < pool->count);
    return (uint32_t)(offset / pool->object_bytes);
}

void *pool_at(const struct pool *pool, uint32_t index) {
    assert(index < pool->count);
    return pool->objects + index * pool->object_bytes;
}

void *memory_alloc(size_t count, size_t size) {
    return calloc(count, size);
}

void *memory_grow(void *memory, size_t count, size_t size) {
    return reallocarray(memory, count, size);
}

void memory_free(void *memory) {
    free(memory);
}
