/* arena.c - memory for one message or page, taken piece by piece and given back all at once.
 *
 * Invariants
 *   1. In a block, used <= dirty <= size; the bytes from dirty on were never handed out and are
 * zero, so that only memory used a second time has to be zeroed again.
 *   2. Blocks before `current` are full or were passed over; those after it do not exist.
 *   3. bytes_used is the sum of what was handed out, rounded up, and never more than bytes_max.
 *   4. Under AddressSanitizer exactly the bytes handed out are readable. */
#include "base/arena.h"
#include "base/poison.h"
#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

#define ALIGN_BYTES       16u
#define FIRST_BLOCK_BYTES ((size_t)64 * 1024)
#define BLOCK_BYTES_MAX   ((size_t)1024 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t size, used, dirty;
    alignas(ALIGN_BYTES) unsigned char data[];
};

void arena_init(struct arena *arena, size_t bytes_max) {
    assert(bytes_max <= SIZE_MAX / 2);
    *arena = (struct arena){.bytes_max = bytes_max};
}

static void free_blocks(struct arena_block *block) {
    while (block) {
        struct arena_block *next = block->next;
        unpoison(block->data, block->size);
        free(block);
        block = next;
    }
}

void arena_release(struct arena *arena) {
    free_blocks(arena->first);
    arena_init(arena, arena->bytes_max);
}

void arena_clear(struct arena *arena) {
    struct arena_block *first = arena->first;
    arena->bytes_used = 0;
    arena->current = first;
    if (!first)
        return;
    free_blocks(first->next);
    first->next = NULL;
    first->used = 0;
    poison(first->data, first->size);
}

static size_t round_up(size_t size) {
    return (size + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
}

/* Each block is twice the last one, within limits, so that a large message needs few of them. */
static size_t next_block_bytes(const struct arena *arena, size_t needed) {
    size_t size = FIRST_BLOCK_BYTES;
    if (arena->current)
        size =
            arena->current->size * 2 < BLOCK_BYTES_MAX ? arena->current->size * 2 : BLOCK_BYTES_MAX;
    if (size > arena->bytes_max - arena->bytes_used)
        size = round_up(arena->bytes_max - arena->bytes_used);
    return size > needed ? size : needed;
}

static struct arena_block *add_block(struct arena *arena, size_t needed) {
    size_t size = next_block_bytes(arena, needed);
    struct arena_block *block = calloc(1, sizeof *block + size);
    if (!block)
        return NULL;
    block->size = size;
    poison(block->data, size);
    if (arena->current)
        arena->current->next = block;
    else
        arena->first = block;
    arena->current = block;
    return block;
}

/* Memory whose first *dirty bytes hold old contents; the rest is zero already. */
static unsigned char *take(struct arena *arena, size_t size, size_t *dirty) {
    if (size > arena->bytes_max - arena->bytes_used)
        return NULL;
    size_t rounded = round_up(size), needed = rounded + POISON_RED_ZONE_BYTES;
    struct arena_block *block = arena->current;
    if (!block || needed > block->size - block->used)
        block = add_block(arena, needed);
    if (!block)
        return NULL;
    unsigned char *memory = block->data + block->used;
    size_t old = block->dirty - block->used;
    *dirty = old < size ? old : size;
    block->used += needed;
    if (block->dirty < block->used)
        block->dirty = block->used;
    size_t room = arena->bytes_max - arena->bytes_used;
    arena->bytes_used += rounded < room ? rounded : room;
    assert(block->used <= block->size && arena->bytes_used <= arena->bytes_max);
    unpoison(memory, size);
    return memory;
}

void *arena_alloc(struct arena *arena, size_t size) {
    size_t dirty;
    unsigned char *memory = take(arena, size, &dirty);
    if (memory && dirty)
        memset(memory, 0, dirty);
    return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size) {
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? NULL : arena_alloc(arena, total);
}

char *arena_string(struct arena *arena, struct bytes b) {
    size_t dirty;
    if (b.size == SIZE_MAX)
        return NULL;
    unsigned char *copy = take(arena, b.size + 1, &dirty);
    if (!copy)
        return NULL;
    if (b.size)
        memcpy(copy, b.data, b.size);
    copy[b.size] = 0;
    return (char *)copy;
}

struct bytes arena_copy(struct arena *arena, struct bytes b) {
    const char *copy = b.size ? arena_string(arena, b) : NULL;
    return copy ? bytes_from(copy, b.size) : BYTES_NONE;
}
