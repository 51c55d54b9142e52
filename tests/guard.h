/* guard.h - bytes for a test that end exactly where memory ends: reading one too far stops the
 * test. */
#ifndef TESTS_GUARD_H
#define TESTS_GUARD_H

#include "base/bytes.h"
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
    uint8_t *pages;
    size_t page_bytes, bytes_max; /* of the readable pages; one unreadable page follows */
};

static inline void guard_init(struct guard *guard, size_t bytes_max) {
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t readable = (bytes_max / page_bytes + 1) * page_bytes;
    void *pages = mmap(NULL, readable + page_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(pages != MAP_FAILED);
    *guard = (struct guard){(uint8_t *)pages, page_bytes, readable};
    int result = mprotect(guard->pages + readable, page_bytes, PROT_NONE);
    assert(result == 0);
}

/* A copy of `b` that lies against the unreadable page; gone with the next one. */
static inline struct bytes guard_copy(struct guard *guard, struct bytes b) {
    assert(b.size <= guard->bytes_max);
    uint8_t *to = guard->pages + guard->bytes_max - b.size;
    if (b.size)
        memcpy(to, b.data, b.size);
    return bytes_from(to, b.size);
}

static inline void guard_release(struct guard *guard) {
    munmap(guard->pages, guard->bytes_max + guard->page_bytes);
}

#endif
