/* pool.h - a fixed number of equal objects, sized at start: connections, sessions, timers.
 *
 * Shapes     `count` objects of `object_bytes`; an object is found again by its index.
 * Errors     pool_take returns NULL when all are taken. pool_init returns ERR_MEMORY.
 * Ownership  the pool owns the objects; taking gives a zeroed one, pool_give returns it.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/err.h"
#include <stddef.h>

struct pool {
    unsigned char *objects;
    uint32_t *free_list;
    size_t object_bytes;
    uint32_t count, free_count;
};

MUST_CHECK enum err pool_init(struct pool *pool, uint32_t count, size_t object_bytes);
void pool_release(struct pool *pool);
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *object);
uint32_t pool_index(const struct pool *pool, const void *object);
void *pool_at(const struct pool *pool, uint32_t index);
static inline uint32_t pool_taken_count(const struct pool *pool) {
    return pool->count - pool->free_count;
}

/* Memory for the few things whose size is only known at run time (hash tables, caches): zeroed, or
 * NULL. These are the only doors to malloc outside arenas. */
void *memory_alloc(size_t count, size_t size);
void *memory_grow(void *memory, size_t count, size_t size);
void memory_free(void *memory);

#endif
