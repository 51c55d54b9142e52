/* arena.h - memory for one message, request or page, given back all at once.
 *
 * Shapes     a chain of blocks up to a cap; every allocation is zeroed and aligned to 16 bytes.
 * Errors     NULL when the cap is reached: the caller returns ERR_LIMIT.
 * Ownership  what is allocated lives until arena_clear or arena_release.
 * Limits     bytes_max, of what is handed out; the first block is kept over a clear.
 * Process    any. Under AddressSanitizer the slack and a red zone behind each allocation are
 *            poisoned.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *first, *current;
    size_t bytes_max, bytes_used;
};

void arena_init(struct arena *arena, size_t bytes_max);
void arena_release(struct arena *arena);
/* Everything allocated so far is gone; the first block is kept for reuse. */
void arena_clear(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size);
/* `count` elements of `size` bytes; NULL on overflow too. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Copy `b`; data is NULL when full (or when b is empty). The copy is followed by a zero byte. */
struct bytes arena_copy(struct arena *arena, struct bytes b);
/* A zero-terminated copy; NULL when full. */
char *arena_string(struct arena *arena, struct bytes b);

#endif
