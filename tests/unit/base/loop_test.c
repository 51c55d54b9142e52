/* loop_test.c - the event loop of a role. */
#include "base/loop.h"
#include "tap.h"
#include <fcntl.h>
#include <unistd.h>

#define WATCH_COUNT 3

static struct loop loop;
static struct state {
    struct loop_watch watches[WATCH_COUNT], *victim;
    int calls[WATCH_COUNT], rounds, round_count_max;
    uint32_t last_ready;
} state;

static void on_round(void *owner) {
    struct state *s = owner;
    if (++s->rounds >= s->round_count_max)
        loop.is_stopping = true;
}

static void on_ready(struct loop_watch *watch, uint32_t ready) {
    struct state *s = watch->owner;
    s->calls[watch - s->watches]++;
    s->last_ready = ready;
    if (s->victim && s->victim != watch) {
        loop_watch_clear(&loop, s->victim);
        /* As if it had been freed: were it called, the test would stop here. */
        s->victim->on_ready = NULL;
        s->victim = NULL;
    }
}

static void start(int round_count_max) {
    state = (struct state){.round_count_max = round_count_max};
    is_int(loop_init(&loop, NULL, NULL), ERR_OK);
    loop.on_round = on_round;
    loop.owner = &state;
    loop.tick_ms = 5;
    for (int i = 0; i < WATCH_COUNT; i++)
        state.watches[i] = (struct loop_watch){.fd = -1, .on_ready = on_ready, .owner = &state};
}

static void test_ready(void) {
    int fds[2];
    start(1);
    is_int(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    is_int(loop_watch_set(&loop, &state.watches[0], fds[0], LOOP_READ), ERR_OK);
    is_int(loop_watch_set(&loop, &state.watches[1], fds[1], LOOP_WRITE), ERR_OK);
    is_int(loop_run(&loop, NULL), ERR_OK);
    is_int(state.calls[0], 0);
    is_int(state.calls[1], 1);
    is_int(state.last_ready, LOOP_WRITE);

    is_int(loop_watch_set(&loop, &state.watches[1], fds[1], 0), ERR_OK);
    is_int(state.watches[1].fd, -1);
    ok(write(fds[1], "x", 1) == 1);
    loop.is_stopping = false;
    is_int(loop_run(&loop, NULL), ERR_OK);
    is_int(state.calls[0], 1);
    is_int(state.calls[1], 1);
    is_int(state.last_ready, LOOP_READ);
    ok(loop.now_us > 0 && loop.monotonic_us > 0);

    close(fds[1]);
    loop.is_stopping = false;
    is_int(loop_run(&loop, NULL), ERR_OK);
    is_int(state.last_ready, LOOP_READ | LOOP_WRITE);
    loop_watch_clear(&loop, &state.watches[0]);
    loop_watch_clear(&loop, &state.watches[0]);
    close(fds[0]);
    loop_release(&loop);
}

/* A watch moves to another descriptor, and changes what it wants, and stays known once. */
static void test_change(void) {
    int a[2], b[2];
    start(1);
    ok(pipe2(a, O_CLOEXEC) == 0 && pipe2(b, O_CLOEXEC) == 0);
    ok(write(a[1], "x", 1) == 1 && write(b[1], "x", 1) == 1);
    is_int(loop_watch_set(&loop, &state.watches[0], a[0], LOOP_READ), ERR_OK);
    is_int(loop_watch_set(&loop, &state.watches[0], b[0], LOOP_READ), ERR_OK);
    is_int(loop_watch_set(&loop, &state.watches[0], b[0], LOOP_READ | LOOP_WRITE), ERR_OK);
    is_int(loop_run(&loop, NULL), ERR_OK);
    is_int(state.calls[0], 1);
    is_int(loop_watch_set(&loop, &state.watches[1], 9999, LOOP_READ), ERR_IO);
    is_int(state.watches[1].fd, -1);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
    loop_release(&loop);
}

static void test_removed_in_dispatch(void) {
    int fds[WATCH_COUNT][2], total = 0;
    start(2);
    for (int i = 0; i < WATCH_COUNT; i++) {
        ok(pipe2(fds[i], O_CLOEXEC) == 0 && write(fds[i][1], "x", 1) == 1);
        is_int(loop_watch_set(&loop, &state.watches[i], fds[i][0], LOOP_READ), ERR_OK);
    }
    state.victim = &state.watches[1];
    is_int(loop_run(&loop, NULL), ERR_OK);
    for (int i = 0; i < WATCH_COUNT; i++) {
        total += state.calls[i];
        close(fds[i][0]);
        close(fds[i][1]);
    }
    ok(state.calls[1] == 0 && total == 4, "the others are called twice, the removed one never");
    loop_release(&loop);
}

static void test_tick(void) {
    start(3);
    int64_t before = sys_monotonic_us(NULL);
    is_int(loop_run(&loop, NULL), ERR_OK);
    is_int(state.rounds, 3);
    ok(sys_monotonic_us(NULL) - before >= 14000, "rounds come with the ticks when nothing happens");
    loop_release(&loop);
}

int main(void) {
    test_ready();
    test_change();
    test_removed_in_dispatch();
    test_tick();
    return done();
}
