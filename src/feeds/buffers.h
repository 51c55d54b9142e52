/* buffers.h - the memory that connections share: pieces of three sizes, taken when bytes wait and
 * given back at once.
 *
 * Errors     buffers_take returns NULL when the budget of that size is used up: the connection
 *            waits.
 * Ownership  a piece is the taker's until buffers_give.
 * Limits     small pieces for every connection (input, output, head of a large message); a fixed
 *            number of larger ones, so that a thousand idle connections cost next to nothing and
 *            hostile ones no more than the budget.
 * Process    feeds.
 */
#ifndef FEEDS_BUFFERS_H
#define FEEDS_BUFFERS_H

#include "base/base.h"

enum buffer_size { BUFFER_SMALL, BUFFER_MEDIUM, BUFFER_LARGE, BUFFER_SIZE_COUNT };

struct buffers {
    struct pool pools[BUFFER_SIZE_COUNT];
};

struct buffer {
    uint8_t *data; /* NULL: none held */
    enum buffer_size size;
};

MUST_CHECK enum err buffers_init(struct buffers *buffers, uint32_t connection_count_max);
void buffers_release(struct buffers *buffers);
size_t buffer_bytes(enum buffer_size size); /* 4, 16 and 64 KiB */
/* The smallest size that holds `bytes`, which are at most 64 KiB. */
enum buffer_size buffer_size_for(size_t bytes);
bool buffers_take(struct buffers *buffers, enum buffer_size size, struct buffer *buffer);
/* Gives back what is held, if anything. */
void buffers_give(struct buffers *buffers, struct buffer *buffer);
/* Take the next larger piece and move the first `used` bytes over. False: none is free, or there
 * is none larger. */
bool buffers_grow(struct buffers *buffers, struct buffer *buffer, size_t used);

#endif
