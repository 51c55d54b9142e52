/* random_test.c - repeatable random numbers. */
#include "base/random.h"
#include "tap.h"

/* The first numbers of xoshiro256** from the state {1, 2, 3, 4}: the first two follow from its
 * definition by hand (2 * 5 turned by 7 times 9, then 0), the others are those widely published. */
static void test_known(void) {
    struct random random = {{1, 2, 3, 4}};
    ok(random_u64(&random) == 11520);
    ok(random_u64(&random) == 0);
    ok(random_u64(&random) == 1509978240);
    ok(random_u64(&random) == UINT64_C(1215971899390074240));
}

static void test_repeatable(void) {
    struct random a, b, c;
    random_init(&a, 42);
    random_init(&b, 42);
    random_init(&c, 43);
    unsigned same = 0, alike = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t n = random_u64(&a);
        same += n == random_u64(&b);
        alike += n == random_u64(&c);
    }
    is_int(same, 100);
    is_int(alike, 0);
    char bytes[13] = "............";
    random_fill(&a, bytes, 12);
    ok(bytes[12] == 0, "no byte past the end");
    char others[12];
    random_fill(&b, others, 12);
    ok(memcmp(bytes, others, 12) == 0);
}

static void test_ranges(void) {
    struct random random;
    unsigned counts[6] = {0}, wrong = 0, hits = 0;
    random_init(&random, 3);
    for (int i = 0; i < 60000; i++) {
        counts[random_below(&random, 6)]++;
        int64_t n = random_between(&random, -3, 3);
        wrong += n < -3 || n > 3;
        hits += random_chance(&random, 250);
    }
    is_int(wrong, 0);
    for (int i = 0; i < 6; i++)
        ok(counts[i] > 9500 && counts[i] < 10500, "each of six about as often");
    ok(hits > 14400 && hits < 15600, "a quarter of the time");
    random_between(&random, INT64_MIN, INT64_MAX);
    is_int(random_below(&random, 1), 0);
    is_int(random_between(&random, 5, 5), 5);
    ok(!random_chance(&random, 0) && random_chance(&random, 1000));
}

static void test_shapes(void) {
    struct random random;
    int64_t sum = 0, far = 0, waits = 0, long_waits = 0;
    random_init(&random, 4);
    for (int i = 0; i < 100000; i++) {
        int64_t n = random_normal_milli(&random, 37000, 500), w = random_waiting(&random, 1000000);
        sum += n;
        far += n < 36000 || n > 38000; /* past two spreads: 4.6 of 100 */
        waits += w;
        long_waits += w > 1000000; /* longer than the mean: 36.8 of 100 */
    }
    ok(sum / 100000 >= 36990 && sum / 100000 <= 37010, "the mean of a normal");
    ok(far > 4000 && far < 5000, "the spread of a normal");
    ok(waits / 100000 > 985000 && waits / 100000 < 1015000, "the mean of a waiting time");
    ok(long_waits > 36000 && long_waits < 37600, "the shape of a waiting time");
    is_int(random_waiting(&random, 0), 0);
}

int main(void) {
    test_known();
    test_repeatable();
    test_ranges();
    test_shapes();
    return done();
}
