/* look.c - is the clock to be believed by which epochs grow old? */
#include "node/look.h"

#include <stdio.h>
#include <string.h>

#define LOOK_LINE      "veilleuse-look/1"
#define LOOK_BYTES_MAX 1024u
#define BOOT_ID_BYTES  36u
#define BACKWARDS_US   CLOCK_JUMP_US
#define HOUR_US        (3600 * US_PER_S)

/* ---- judging ---- */

static void put_span(struct text *reason, int64_t us) {
    int64_t hours = us / HOUR_US;
    if (hours < 48)
        text_put_format(reason, "%lld h", (long long)hours);
    else
        text_put_format(reason, "%lld days", (long long)((us + LOOK_DAY_US / 2) / LOOK_DAY_US));
}

static void say_watched(struct text *reason, const struct look *now) {
    text_put_string(reason, "the clock is watched for a day first; still ");
    text_put_format(reason, "%lld h",
                    (long long)((now->watch_until - now->ran_us + HOUR_US - 1) / HOUR_US));
}

static void judge_within_run(const struct look *last, struct look *now, bool *keep,
                             struct text *reason) {
    int64_t jumped = (now->now_us - now->ran_us) - (last->now_us - last->ran_us);
    bool is_jump = jumped > LOOK_DAY_US || jumped < -LOOK_DAY_US;
    now->watch_until = last->watch_until;
    if (is_jump && last->watch_until > last->ran_us) {
        now->watch_until = now->ran_us + LOOK_DAY_US; /* put right while it was watched, or wrong */
    } else if (is_jump) {
        *keep = false;
        text_put_string(reason,
                        jumped > 0 ? "the clock jumped ahead by " : "the clock jumped back by ");
        put_span(reason, jumped > 0 ? jumped : -jumped);
    }
}

static void judge_across_runs(const struct look *last, struct look *now, bool *keep,
                              struct text *reason) {
    int64_t away = now->now_us - last->now_us;
    bool was_watched = last->watch_until > last->ran_us;
    if (away < -BACKWARDS_US) {
        *keep = false;
        text_put_string(reason, "the clock is behind the last look at it by ");
        put_span(reason, -away);
    } else if (away > LOOK_OFF_DAYS * LOOK_DAY_US) {
        *keep = false;
        text_put_string(reason, "the machine was off, or its clock was set ahead, by ");
        put_span(reason, away);
    } else if (away > LOOK_DAY_US || was_watched) {
        now->watch_until = now->ran_us + LOOK_DAY_US;
    }
}

void look_judge(const struct look *last, struct look *now, bool *keep, struct text *reason) {
    *keep = true;
    now->is_there = true;
    now->watch_until = 0;
    snprintf(now->lost, sizeof now->lost, "%s", last->lost);
    if (!now->boot[0]) {
        *keep = false;
        text_put_string(reason, "the machine does not tell its starts apart");
    } else if (!last->is_there)
        now->watch_until = now->ran_us + LOOK_DAY_US;
    else if (!strcmp(last->boot, now->boot))
        judge_within_run(last, now, keep, reason);
    else
        judge_across_runs(last, now, keep, reason);
    if (*keep && now->ran_us >= now->watch_until)
        now->watch_until = 0;
    if (*keep && now->watch_until)
        say_watched(reason, now);
}

void look_go_on(struct look *now) {
    now->is_there = true;
    now->watch_until = 0;
    now->lost[0] = 0;
}

/* ---- the machine ---- */

void look_around(struct sys *sys, struct look *now) {
    struct fault none = {0};
    uint8_t buffer[64];
    size_t size = 0;
    *now = (struct look){.now_us = sys_now_us(sys), .ran_us = sys_monotonic_us(sys)};
    if (sys_read_file(sys, "/proc/sys/kernel/random/boot_id", buffer, sizeof buffer, &size, &none))
        size = 0;
    if (size > BOOT_ID_BYTES)
        size = BOOT_ID_BYTES;
    memcpy(now->boot, buffer, size);
    now->boot[size] = 0;
}

/* ---- what is kept ---- */

static void look_path(char *path, size_t path_bytes, const char *site_dir) {
    snprintf(path, path_bytes, "%s/cache/retention", site_dir);
}

static void copy_text(char *to, size_t to_bytes, struct bytes text) {
    snprintf(to, to_bytes, "%.*s", (int)text.size, (const char *)text.data);
}

static bool take_number(struct bytes text, int64_t *number) {
    uint64_t n;
    if (!bytes_to_u64(text, &n) || n > INT64_MAX)
        return false;
    *number = (int64_t)n;
    return true;
}

static bool take_line(struct look *look, struct bytes line) {
    struct bytes name;
    if (!bytes_next_part(&line, ' ', &name))
        return true;
    if (bytes_is(name, "boot"))
        copy_text(look->boot, sizeof look->boot, line);
    else if (bytes_is(name, "lost"))
        copy_text(look->lost, sizeof look->lost, line);
    else if (bytes_is(name, "now"))
        return take_number(line, &look->now_us);
    else if (bytes_is(name, "ran"))
        return take_number(line, &look->ran_us);
    else if (bytes_is(name, "watch"))
        return take_number(line, &look->watch_until);
    return true;
}

void look_load(struct sys *sys, const char *site_dir, struct look *last) {
    char path[4096], buffer[LOOK_BYTES_MAX];
    size_t size = 0;
    struct fault none = {0};
    *last = (struct look){0};
    look_path(path, sizeof path, site_dir);
    if (sys_read_file(sys, path, buffer, sizeof buffer, &size, &none))
        return;
    struct bytes rest = bytes_from(buffer, size), line;
    bool good = bytes_next_part(&rest, '\n', &line) && bytes_is(line, LOOK_LINE);
    while (good && bytes_next_part(&rest, '\n', &line))
        good = take_line(last, line);
    if (good)
        last->is_there = last->now_us > 0 && last->boot[0];
    else
        *last = (struct look){0};
}

void look_save(struct sys *sys, const char *site_dir, const struct look *look) {
    char path[4096], buffer[LOOK_BYTES_MAX];
    struct text text;
    struct fault none = {0};
    look_path(path, sizeof path, site_dir);
    text_init(&text, buffer, sizeof buffer);
    text_put_format(&text, LOOK_LINE "\nboot %s\nnow %lld\nran %lld\nwatch %lld\n", look->boot,
                    (long long)look->now_us, (long long)look->ran_us, (long long)look->watch_until);
    if (look->lost[0])
        text_put_format(&text, "lost %s\n", look->lost);
    if (sys_replace_file(sys, path, text_bytes(&text), 0600, &none))
        return;
}
