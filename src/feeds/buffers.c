/* buffers.c - pieces of memory of three sizes, shared by all connections. */
#include "feeds/buffers.h"

#include <assert.h>

/* Small: input, output and head at once for each connection. The others are a budget for all. */
#define SMALL_PER_CONNECTION 3u
#define MEDIUM_COUNT         512u
#define LARGE_COUNT          512u

static const size_t sizes[BUFFER_SIZE_COUNT] = {4096, 16384, 65536};

size_t buffer_bytes(enum buffer_size size) {
    return sizes[size];
}

enum buffer_size buffer_size_for(size_t bytes) {
    assert(bytes <= sizes[BUFFER_LARGE]);
    enum buffer_size size = BUFFER_SMALL;
    while (sizes[size] < bytes)
        size++;
    return size;
}

enum err buffers_init(struct buffers *buffers, uint32_t connection_count_max) {
    const uint32_t counts[BUFFER_SIZE_COUNT] = {connection_count_max * SMALL_PER_CONNECTION,
                                                MEDIUM_COUNT, LARGE_COUNT};
    *buffers = (struct buffers){0};
    for (unsigned i = 0; i < BUFFER_SIZE_COUNT; i++)
        if (pool_init(&buffers->pools[i], counts[i], sizes[i])) {
            buffers_release(buffers);
            return ERR_MEMORY;
        }
    return ERR_OK;
}

void buffers_release(struct buffers *buffers) {
    for (unsigned i = 0; i < BUFFER_SIZE_COUNT; i++)
        pool_release(&buffers->pools[i]);
}

bool buffers_take(struct buffers *buffers, enum buffer_size size, struct buffer *buffer) {
    assert(!buffer->data);
    *buffer = (struct buffer){pool_take(&buffers->pools[size]), size};
    return buffer->data != NULL;
}

void buffers_give(struct buffers *buffers, struct buffer *buffer) {
    if (buffer->data)
        pool_give(&buffers->pools[buffer->size], buffer->data);
    buffer->data = NULL;
}

bool buffers_grow(struct buffers *buffers, struct buffer *buffer, size_t used) {
    struct buffer larger = {0};
    if (buffer->size == BUFFER_LARGE || !buffers_take(buffers, buffer->size + 1, &larger))
        return false;
    memcpy(larger.data, buffer->data, used);
    buffers_give(buffers, buffer);
    *buffer = larger;
    return true;
}
