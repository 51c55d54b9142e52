/* arena_test.c - memory given back all at once. */
#include "base/arena.h"
#include "base/poison.h"
#include "base/random.h"
#include "tap.h"

static bool is_zero(const unsigned char *memory, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (memory[i])
            return false;
    return true;
}

static void test_zeroed_and_aligned(void) {
    struct arena arena;
    struct random random;
    unsigned wrong = 0;
    random_init(&random, 1);
    arena_init(&arena, 4u << 20);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 200; i++) {
            size_t size = random_below(&random, i % 50 == 0 ? 100000 : 300);
            unsigned char *memory = arena_alloc(&arena, size);
            wrong += !memory || (uintptr_t)memory % 16 || !is_zero(memory, size);
            if (memory)
                memset(memory, 0xaa, size);
        }
        arena_clear(&arena);
    }
    is_int(wrong, 0);
    arena_release(&arena);
    ok(arena.first == NULL && arena.bytes_used == 0);
}

static void test_cap(void) {
    struct arena arena;
    arena_init(&arena, 1000);
    ok(arena_alloc(&arena, 1001) == NULL);
    ok(arena_alloc(&arena, SIZE_MAX) == NULL && arena_alloc(&arena, SIZE_MAX - 8) == NULL);
    ok(arena_alloc(&arena, 1000) != NULL, "the whole of the cap can be had");
    ok(arena_alloc(&arena, 1) == NULL);
    arena_clear(&arena);
    for (int i = 0; i < 10; i++)
        ok(arena_alloc(&arena, 96) != NULL);
    ok(arena_alloc(&arena, 96) == NULL && arena_alloc(&arena, 16) != NULL);
    arena_release(&arena);

    arena_init(&arena, 8u << 20);
    ok(arena_alloc(&arena, 100) && arena_alloc(&arena, 5u << 20) && arena_alloc(&arena, 2u << 20));
    ok(arena_alloc(&arena, 2u << 20) == NULL);
    ok(arena_array(&arena, SIZE_MAX / 2, 3) == NULL, "an overflow of count times size");
    ok(arena_array(&arena, 10, 8) != NULL);
    arena_release(&arena);
}

static void test_copies(void) {
    struct arena arena;
    arena_init(&arena, 64);
    struct bytes copy = arena_copy(&arena, BYTES("Dax"));
    ok(bytes_is(copy, "Dax") && copy.data[3] == 0);
    ok(arena_copy(&arena, BYTES_NONE).data == NULL);
    is_string(arena_string(&arena, BYTES_NONE), "");
    ok(arena_string(&arena, BYTES("this one is longer than what is left now")) == NULL);
    ok(arena_copy(&arena, BYTES("this one is longer than what is left now")).data == NULL);
    arena_release(&arena);
}

#ifdef POISON_IS_ON
static void test_poison(void) {
    struct arena arena;
    arena_init(&arena, 4096);
    unsigned char *a = arena_alloc(&arena, 10), *b = arena_alloc(&arena, 16);
    ok(!__asan_address_is_poisoned(a + 9) && __asan_address_is_poisoned(a + 10));
    ok(__asan_address_is_poisoned(b + 16), "a red zone behind every allocation");
    arena_clear(&arena);
    ok(__asan_address_is_poisoned(a), "what was cleared cannot be read");
    arena_release(&arena);
}
#else
static void test_poison(void) {
    ok(POISON_RED_ZONE_BYTES == 0, "no red zones without AddressSanitizer");
}
#endif

int main(void) {
    test_zeroed_and_aligned();
    test_cap();
    test_copies();
    test_poison();
    return done();
}
