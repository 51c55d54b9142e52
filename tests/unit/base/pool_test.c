/* pool_test.c - a fixed number of equal objects. */
#include "base/poison.h"
#include "base/pool.h"
#include "tap.h"

struct thing {
    uint64_t a;
    char b[13];
};

/* AddressSanitizer stops at such a request, where the real malloc answers NULL. */
static void test_overflow(void) {
#ifndef POISON_IS_ON
    struct pool pool;
    is_int(pool_init(&pool, UINT32_MAX, SIZE_MAX / 4), ERR_MEMORY);
    ok(memory_alloc(SIZE_MAX / 2, 4) == NULL && memory_grow(NULL, SIZE_MAX / 2, 4) == NULL);
#endif
}

int main(void) {
    struct pool pool;
    struct thing *things[5];
    is_int(pool_init(&pool, 5, sizeof(struct thing)), ERR_OK);
    for (uint32_t i = 0; i < 5; i++) {
        things[i] = pool_take(&pool);
        ok(things[i] && (uintptr_t)things[i] % 16 == 0);
        is_int(pool_index(&pool, things[i]), i);
        memset(things[i], 0xff, sizeof *things[i]);
    }
    ok(pool_take(&pool) == NULL, "none is left");
    is_int(pool_taken_count(&pool), 5);
    pool_give(&pool, things[3]);
    is_int(pool_taken_count(&pool), 4);
    struct thing *again = pool_take(&pool);
    ok(again == things[3] && again->a == 0 && again->b[12] == 0, "given again, zeroed");
    ok(pool_at(&pool, 2) == things[2]);
    pool_release(&pool);
    ok(pool.objects == NULL && pool.count == 0);

    uint64_t *numbers = memory_alloc(4, sizeof *numbers);
    ok(numbers && numbers[3] == 0);
    uint64_t *more = memory_grow(numbers, 400, sizeof *numbers);
    ok(more != NULL);
    memory_free(more);
    test_overflow();
    return done();
}
