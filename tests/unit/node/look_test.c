/* look_test.c - when the clock is believed: within one run of the machine, across its starts, and what is kept of a look. */
#include "node/look.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR (3600 * US_PER_S)
#define DAY  LOOK_DAY_US
#define NOW  (1795446000 * US_PER_S)
#define RAN  (50 * DAY)

static const struct look trusted = {
    .is_there = true, .boot = "boot-1", .now_us = NOW, .ran_us = RAN};

static char reason_buffer[200];
static struct text reason;
static bool keep;

static struct look judge(const struct look *last, const char *boot, int64_t now_us,
                         int64_t ran_us) {
    struct look now = {.now_us = now_us, .ran_us = ran_us};
    snprintf(now.boot, sizeof now.boot, "%s", boot);
    text_init(&reason, reason_buffer, sizeof reason_buffer);
    look_judge(last, &now, &keep, &reason);
    return now;
}

/* Believed, watched ("watch"), or refused until a person says so. */
static void is_judged(const struct look *last, const char *boot, int64_t now_us, int64_t ran_us,
                      const char *wanted) {
    struct look now = judge(last, boot, now_us, ran_us);
    const char *got = !keep             ? reason_buffer
                      : now.watch_until ? "watch"
                      : reason.size     ? "a reason, but kept"
                                        : "believed";
    ok(now.is_there, "it is a look");
    is_string(got, wanted);
}

static void test_within_a_run(void) {
    is_judged(&trusted, "boot-1", NOW + HOUR, RAN + HOUR, "believed");
    is_judged(&trusted, "boot-1", NOW + 300 * DAY, RAN + 300 * DAY, "believed");
    /* a jump of up to 24 hours is none, of more it is, in either direction */
    is_judged(&trusted, "boot-1", NOW + HOUR + DAY, RAN + HOUR, "believed");
    is_judged(&trusted, "boot-1", NOW + HOUR + DAY + 1, RAN + HOUR,
              "the clock jumped ahead by 24 h");
    is_judged(&trusted, "boot-1", NOW + HOUR - DAY, RAN + HOUR, "believed");
    is_judged(&trusted, "boot-1", NOW + HOUR - DAY - 1, RAN + HOUR,
              "the clock jumped back by 24 h");
    is_judged(&trusted, "boot-1", NOW + 400 * DAY, RAN, "the clock jumped ahead by 400 days");
}

static void test_across_runs(void) {
    is_judged(&trusted, "boot-2", NOW + DAY, HOUR, "believed");
    is_judged(&trusted, "boot-2", NOW + DAY + 1, HOUR, "watch");
    is_judged(&trusted, "boot-2", NOW + LOOK_OFF_DAYS * DAY, HOUR, "watch");
    is_judged(&trusted, "boot-2", NOW + LOOK_OFF_DAYS * DAY + 1, HOUR,
              "the machine was off, or its clock was set ahead, by 31 days");
    is_judged(&trusted, "boot-2", NOW - 9 * 60 * US_PER_S, HOUR, "believed");
    is_judged(&trusted, "boot-2", NOW - HOUR, HOUR,
              "the clock is behind the last look at it by 1 h");
    is_judged(&trusted, "", NOW, RAN, "the machine does not tell its starts apart");
}

static void test_watching(void) {
    struct look none = {0}, watched = judge(&none, "boot-1", NOW, RAN);
    ok(keep && watched.watch_until == RAN + DAY, "a first look is watched for a day");
    is_string(reason_buffer, "the clock is watched for a day first; still 24 h");
    is_judged(&watched, "boot-1", NOW + DAY - 1, RAN + DAY - 1, "watch");
    is_judged(&watched, "boot-1", NOW + DAY, RAN + DAY, "believed");
    /* put right meanwhile: another day from there; started anew meanwhile: the same */
    struct look later = judge(&watched, "boot-1", NOW + 3 * DAY, RAN + HOUR);
    ok(keep && later.watch_until == RAN + HOUR + DAY,
       "a jump while it is watched begins a day anew");
    later = judge(&watched, "boot-2", NOW + HOUR, 60);
    ok(keep && later.watch_until == 60 + DAY, "so does a start of the machine");
}

static void test_go_on(void) {
    struct look lost = trusted;
    snprintf(lost.lost, sizeof lost.lost, "17");
    struct look now = judge(&lost, "boot-1", NOW + 9 * DAY, RAN);
    ok(!keep, "refused");
    is_string(now.lost, "17");
    look_go_on(&now);
    ok(now.is_there && now.watch_until == 0 && !now.lost[0], "a person's word ends both");
    is_judged(&now, "boot-1", NOW + 9 * DAY + HOUR, RAN + HOUR, "believed");
}

static void put_file(const char *dir, const char *content) {
    char path[300];
    snprintf(path, sizeof path, "%s/cache/retention", dir);
    FILE *file = fopen(path, "w");
    ok(file && fputs(content, file) >= 0 && !fclose(file), "written");
}

/* What was cut off or spoilt is as if it were not there: then the clock is watched anew. */
static void test_kept(void) {
    char dir[] = "/tmp/look-test.XXXXXX", path[300];
    struct look saved = trusted, loaded;
    ok(mkdtemp(dir), "a directory");
    snprintf(path, sizeof path, "%s/cache", dir);
    ok(!mkdir(path, 0700), "its cache");
    look_load(NULL, dir, &loaded);
    ok(!loaded.is_there, "nothing yet");
    saved.watch_until = RAN + DAY;
    snprintf(saved.lost, sizeof saved.lost, "4711");
    look_save(NULL, dir, &saved);
    look_load(NULL, dir, &loaded);
    ok(loaded.is_there && !strcmp(loaded.boot, saved.boot) && loaded.now_us == saved.now_us &&
           loaded.ran_us == saved.ran_us && loaded.watch_until == saved.watch_until &&
           !strcmp(loaded.lost, saved.lost),
       "what was kept is what there was");
    static const char *const spoilt[] = {
        "",
        "veilleuse-look/2\nboot b\nnow 5\nran 5\nwatch 0\n",
        "veilleuse-look/1\nboot b\nnow -5\nran 5\nwatch 0\n",
        "veilleuse-look/1\nboot b\nnow 99999999999999999999\n",
        "veilleuse-look/1\nnow 5\nran 5\nwatch 0\n",
    };
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
        put_file(dir, spoilt[i]);
        look_load(NULL, dir, &loaded);
        ok(!loaded.is_there, "spoilt: %zu", i);
    }
    snprintf(path, sizeof path, "%s/cache/retention", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/cache", dir);
    rmdir(path);
    rmdir(dir);
}

static void test_machine(void) {
    struct look now;
    look_around(NULL, &now);
    ok(now.now_us > NOW / 2 && now.ran_us > 0 && strlen(now.boot) == 36, "this machine");
}

int main(void) {
    test_within_a_run();
    test_across_runs();
    test_watching();
    test_go_on();
    test_kept();
    test_machine();
    return done();
}
