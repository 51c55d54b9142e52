/* poison.h - tell AddressSanitizer which of our memory nobody may touch; nothing without it. */
#ifndef BASE_POISON_H
#define BASE_POISON_H

#include <stddef.h>

/* gcc defines a macro, clang answers a question. */
#if defined(__SANITIZE_ADDRESS__)
#define POISON_IS_ON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_IS_ON 1
#endif
#endif

#ifdef POISON_IS_ON
#include <sanitizer/asan_interface.h>
#define POISON_RED_ZONE_BYTES 16u
static inline void poison(const void *memory, size_t size) {
    __asan_poison_memory_region(memory, size);
}
static inline void unpoison(const void *memory, size_t size) {
    __asan_unpoison_memory_region(memory, size);
}
#else
#define POISON_RED_ZONE_BYTES 0u
static inline void poison(const void *memory, size_t size) {
    (void)memory;
    (void)size;
}
static inline void unpoison(const void *memory, size_t size) {
    (void)memory;
    (void)size;
}
#endif

#endif
