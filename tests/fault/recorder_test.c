/* recorder_test.c - the power fails, at any moment of a vault's life: from what a disk may then hold the vault comes back, with
 * all that was acknowledged by then, once and byte for byte; it verifies, and what was signed is never signed differently.
 *
 * Lives are recorded, change by change: made, written to in batches, with a blob, published in steps, with new epochs, learnt
 * dictionaries, segments that change and go, partial tiles that go, restarts; the first goes well, in each of the others one
 * call fails, once or until the next restart. Of each life states are made that a crash may leave (disk.h), and looked at
 * (sound.h); some are cut off a second time while they recover. Whatever is random follows from the seed:
 *
 *   SEED=n             another choice (the time, unless said)
 *   STATES=n LIVES=n   of each life, beside every moment of the first; and how many
 *   REPEAT=life:state  one state alone, as a failure has printed it */
#include "fault/disk.h"
#include "fault/fault.h"
#include "seeded.h"

#define LIFE_COUNT        30u
#define STATE_COUNT       50u
#define LIVES_MAX         1000u
#define ENTRY_COUNT_LEAST 250u

/* ---- a life ---- */

struct life {
    unsigned number;
    struct sys sys;
    struct disk disk;
    const struct how *how;
    uint64_t fail_at;
    struct vault_writer *writer;
    struct vault_publisher *publisher;
    uint32_t made_at; /* the site's making was acknowledged */
    uint64_t next_n;
    unsigned refused_count;
};

static void record(void *watcher, const struct sys_event *event) {
    struct life *life = watcher;
    uint32_t before = life->disk.count;
    disk_watch(&life->disk, event);
    witness_watch(NULL, event);
    if (life->disk.count > before)
        life->disk.events[before].call = life->sys.call_count - 1;
}

/* What failed fails no more: the process that met it is gone. */
static void heal(struct life *life) {
    life->sys.fail_at = UINT64_MAX;
    life->sys.was_short = false;
}

static void stop_writer(struct life *life) {
    vault_writer_close(life->writer);
    life->writer = NULL;
}

static void stop_publisher(struct life *life) {
    vault_publisher_close(life->publisher);
    life->publisher = NULL;
}

static void start_writer(struct life *life) {
    if (!life->writer && !(life->writer = open_writer(&life->sys))) {
        heal(life);
        life->writer = open_writer(&life->sys);
    }
    assert(life->writer);
}

static void start_publisher(struct life *life) {
    for (int attempt = 0; !life->publisher && attempt < 2; attempt++)
        if (vault_publisher_open(&life->publisher, &life->sys, site_dir, NULL, memory_dir, NULL))
            heal(life);
    assert(life->publisher);
}

/* A writer that found its disk failing is of no more use; its node starts another. */
static void after(struct life *life, enum err err) {
    assert(!err || life->fail_at != UINT64_MAX);
    life->refused_count += err != ERR_OK;
    if (err && vault_writer_is_suspect(life->writer)) {
        stop_writer(life);
        heal(life);
    }
    if (life->refused_count % 4 == 3)
        heal(life); /* somebody made room on the disk */
}

static void append(struct life *life, uint64_t count) {
    start_writer(life);
    after(life, batch(life->writer, life->next_n, count));
    life->next_n += count;
}

static void append_blob(struct life *life) {
    start_writer(life);
    after(life, blob(life->writer, life->next_n++));
}

static void append_group(struct life *life) {
    start_writer(life);
    after(life, blob_group(life->writer, life->next_n));
    life->next_n += 2 * GROUP_COUNT;
}

static void publish_up_to(struct life *life, uint64_t size) {
    uint64_t published = 0;
    start_writer(life);
    start_publisher(life);
    if (size > vault_writer_durable_size(life->writer))
        size = vault_writer_durable_size(life->writer);
    enum err err = publish_to(life->publisher, size, &published);
    assert(!err || life->fail_at != UINT64_MAX);
    if (!err)
        vault_writer_published(life->writer, published);
    if (err && err != ERR_FULL) {
        stop_publisher(life);
        heal(life);
    }
}

static void begin_epoch(struct life *life) {
    start_writer(life);
    enum err err = vault_writer_rotate(life->writer, NULL);
    if (!err)
        witness_epoch(vault_writer_epoch(life->writer));
    after(life, err);
}

static void tend(struct life *life) {
    start_writer(life);
    uint32_t before = vault_writer_epoch(life->writer);
    enum err err = vault_writer_tend(life->writer, NULL);
    if (!err && vault_writer_epoch(life->writer) != before)
        witness_epoch(vault_writer_epoch(life->writer));
    after(life, err);
}

static void wrap_past(struct life *life) {
    static const uint8_t secret[KEY_BYTES] = {5};
    uint8_t public_key[KEY_BYTES];
    uint32_t epoch_count;
    crypto_scalarmult_base(public_key, secret);
    start_writer(life);
    after(life, vault_writer_wrap_past(life->writer, public_key, &epoch_count, NULL));
}

static void make_site(struct life *life) {
    enum err err = vault_create(&life->sys, site_dir, SITE_ORIGIN, NULL, NULL);
    if (err && err != ERR_STATE) {
        heal(life);
        err = vault_create(&life->sys, site_dir, SITE_ORIGIN, NULL, NULL);
    }
    assert(!err || err == ERR_STATE);
    life->made_at = life->disk.count;
}

/* A life that was killed may have made them, and synced nothing. */
static void make_blob_dirs(struct life *life) {
    for (unsigned first = 0; first < 256; first++) {
        char path[VAULT_PATH_BYTES_MAX];
        vault_path(path, site_dir, "vault/blob/%02x", first);
        if (sys_mkdir(&life->sys, path, 0755))
            heal(life);
    }
}

static void live(struct life *life) {
    make_site(life);
    if (life->number % 4 == 3)
        make_blob_dirs(life);
    append(life, 3);
    publish_up_to(life, 3);
    append(life, 5);
    append_blob(life);
    append_group(life);
    publish_up_to(life, UINT64_MAX);
    for (unsigned i = 0; i < 10; i++)
        append(life, 7); /* what a dictionary can be learnt from */
    begin_epoch(life);
    append(life, 4);
    publish_up_to(life, UINT64_MAX);
    stop_writer(life);
    stop_publisher(life);
    append(life, 60);
    publish_up_to(life, 120);
    append(life, 60);
    publish_up_to(life, UINT64_MAX);
    life->sys.false_now_us = MIDNIGHT_US + 30 * US_PER_S;
    tend(life);
    append(life, 9);
    append_blob(life);
    wrap_past(life);
    publish_up_to(life, 220);
    append(life, 40);
    publish_up_to(life, UINT64_MAX); /* across a full tile */
    append(life, 3);
    stop_writer(life);
    append(life, 2);
    publish_up_to(life, UINT64_MAX);
    stop_writer(life);
    stop_publisher(life);
}

static void set_root(const char *name) {
    snprintf(site_dir, sizeof site_dir, "%s/%s/site", fault_base, name);
    snprintf(memory_dir, sizeof memory_dir, "%s/%s/memory", fault_base, name);
}

static void remove_root(const char *name) {
    char path[VAULT_PATH_BYTES_MAX];
    run_path(path, name);
    nftw(path, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static void life_record(struct life *life, unsigned number, const struct how *how,
                        uint64_t fail_at) {
    char path[VAULT_PATH_BYTES_MAX];
    *life = (struct life){.number = number, .how = how, .fail_at = fail_at, .next_n = 1};
    remove_root("life");
    run_path(path, "life");
    set_root("life");
    int result = mkdir(path, 0755);
    assert(result == 0);
    disk_init(&life->disk, path);
    sound_sys(&life->sys);
    life->sys.watch = record;
    life->sys.watcher = life;
    site_must(sys_make_dirs(&life->sys, memory_dir, 0755, NULL), NULL);
    life->sys.fail_at = fail_at < life->sys.call_count ? life->sys.call_count : fail_at;
    if (how) {
        life->sys.fail_how = how->how;
        life->sys.fail_errno = how->errnum;
        life->sys.fail_for_good = how->for_good;
    }
    memset(witness, 0, sizeof *witness);
    witness_clock = &life->disk.count;
    live(life);
    witness_clock = NULL;
}

/* Any call may fail; those that make something last, or name it, are the ones that matter most. */
static uint64_t choose_call(const struct life *well, struct random *random) {
    uint32_t at = (uint32_t)random_below(random, well->disk.count);
    if (random_chance(random, 300))
        return random_below(random, well->sys.call_count);
    while (well->disk.events[at].kind < DISK_SYNC)
        at = (at + 1) % well->disk.count;
    return well->disk.events[at].call;
}

/* ---- a crash ---- */

/* What had been promised, and seen, when only `prefix` changes had been made. */
static uint32_t promises_until(struct promise *promises, uint32_t count, uint32_t prefix) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (promises[i].at <= prefix) {
            promises[kept] = promises[i];
            promises[kept++].at = 0;
        }
    return kept;
}

static void witness_until(uint32_t prefix) {
    uint32_t kept = 0;
    witness->acked_count = promises_until(witness->acked, witness->acked_count, prefix);
    witness->blob_count = promises_until(witness->blobs, witness->blob_count, prefix);
    witness->epoch_count = promises_until(witness->epochs, witness->epoch_count, prefix);
    for (uint32_t i = 0; i < witness->tree_count; i++)
        if (witness->trees[i].at <= prefix) {
            witness->trees[kept] = witness->trees[i];
            witness->trees[kept++].at = 0;
        }
    witness->tree_count = kept;
}

static struct disk_crash choose_crash(const struct disk *disk, struct random *random,
                                      uint32_t least) {
    static const unsigned kept[] = {0, 100, 500, 900, 1000};
    uint32_t prefix = least + (uint32_t)random_below(random, disk->count - least + 1);
    /* Most can go wrong just before and just after a sync or a change of names. */
    if (random_chance(random, 500))
        while (prefix > least && disk->events[prefix - 1].kind < DISK_SYNC)
            prefix--;
    prefix -= prefix > least && random_chance(random, 300);
    uint64_t model = random_below(random, 100);
    struct disk_crash crash = {
        .model = model < 45   ? DISK_STRICT
                 : model < 85 ? DISK_ORDERED
                              : DISK_PROCESS,
        .prefix = prefix,
        .kept_per_mille = kept[random_below(random, 5)],
        .block_bytes = random_chance(random, 500) ? 512 : 4096,
    };
    crash.is_torn = crash.model != DISK_PROCESS && random_chance(random, 300);
    crash.both = crash.model == DISK_STRICT && random_chance(random, 250);
    random_init(&crash.random, random_u64(random));
    return crash;
}

static void print_crash(const struct disk *disk, const struct disk_crash *crash, const char *when) {
    static const char *const models[] = {"ordered", "strict", "process"};
    static const char *const kinds[] = {"write", "grow", "cut", "sync", "names"};
    printf("# %s: after %u of %u changes, %s, %u of 1000 kept, blocks of %zu%s%s; the last:", when,
           crash->prefix, disk->count, models[crash->model], crash->kept_per_mille,
           crash->block_bytes, crash->is_torn ? ", torn" : "", crash->both ? ", both names" : "");
    for (uint32_t i = crash->prefix < 4 ? 0 : crash->prefix - 4; i < crash->prefix; i++) {
        const struct disk_event *event = &disk->events[i];
        const char *name = "";
        for (uint32_t n = 0; n < disk->name_count && event->kind != DISK_NAMES; n++)
            if (disk->names[n].inode == event->inode)
                name = disk->names[n].text;
        if (event->kind == DISK_NAMES)
            name = disk->names[event->sets[0].name].text;
        printf(" %s %s;", kinds[event->kind], name);
    }
    printf("\n");
}

/* Recover, and be cut off in the middle of it: the state that leaves stands at `run` then. */
static void crash_again(struct random *random) {
    struct life life = {.fail_at = UINT64_MAX, .next_n = SOUND_NUMBER - 100};
    char path[VAULT_PATH_BYTES_MAX];
    run_path(path, "run");
    disk_init(&life.disk, path);
    disk_import(&life.disk, path, DISK_ROOT);
    uint32_t least = life.disk.count;
    sound_sys(&life.sys);
    life.sys.watch = record;
    life.sys.watcher = &life;
    witness_clock = &life.disk.count;
    append(&life, 3);
    publish_up_to(&life, UINT64_MAX);
    append(&life, 3);
    stop_writer(&life);
    stop_publisher(&life);
    witness_clock = NULL;
    struct disk_crash crash = choose_crash(&life.disk, random, least);
    print_crash(&life.disk, &crash, "and again");
    witness_until(crash.prefix);
    remove_root("run");
    disk_materialize(&life.disk, &crash, path);
    disk_release(&life.disk);
}

/* One state of a life, from nothing but the seed, the life and its number. */
static bool look_at(struct life *life, uint32_t state, bool is_every) {
    char path[VAULT_PATH_BYTES_MAX];
    struct random random;
    random_init(&random, fault_seed * 1000003 + life->number * 100003 + state);
    struct disk_crash crash = choose_crash(&life->disk, &random, 0);
    if (is_every)
        crash.prefix = state;
    bool is_made = crash.prefix >= life->made_at;
    struct sound_options sound = {.keeps_origin =
                                      !life->how && is_made && crash.model == DISK_PROCESS};
    print_crash(&life->disk, &crash, "cut off");
    witness_until(crash.prefix);
    remove_root("run");
    run_path(path, "run");
    set_root("run");
    disk_materialize(&life->disk, &crash, path);
    if (mkdir(memory_dir, 0755) && errno != EEXIST)
        return false;
    if (!is_made) {
        struct sys sys;
        sound_sys(&sys);
        enum err err = vault_create(&sys, site_dir, SITE_ORIGIN, NULL, NULL);
        if (err && err != ERR_STATE) {
            printf("# the site cannot be made again: %s\n", err_name(err));
            return false;
        }
    } else if (random_chance(&random, 200)) {
        crash_again(&random);
        sound.keeps_origin = false;
    }
    return is_sound(&sound);
}

/* In a process of its own; what it prints is shown only when it fails. */
static bool try_state(struct life *life, uint32_t state, bool is_every) {
    static char said[65536];
    int status, ends[2];
    size_t size = 0;
    ssize_t got;
    fflush(stdout);
    if (pipe(ends))
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        bool good = look_at(life, state, is_every);
        fflush(stdout);
        _exit(good ? 0 : 1);
    }
    close(ends[1]);
    while (size < sizeof said - 1 && (got = read(ends[0], said + size, sizeof said - 1 - size)) > 0)
        size += (size_t)got;
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    said[size] = 0;
    printf("%s# it ended with %d; SEED=%llu REPEAT=%u:%u repeats it\n", said, status,
           (unsigned long long)fault_seed, life->number, state);
    return false;
}

static void try_life(struct life *life, uint32_t states, uint32_t only) {
    static struct witness master;
    uint32_t bad = 0, every = life->number == 0 ? life->disk.count + 1 : 0;
    char name[200];
    memcpy(&master, witness, sizeof master);
    for (uint32_t state = 0; state < every + states; state++) {
        if (only != UINT32_MAX && only != state)
            continue;
        memcpy(witness, &master, sizeof master);
        bad += !try_state(life, state, state < every);
    }
    snprintf(name, sizeof name, "life %u, %s: %u entries, %u changes, %u states are sound",
             life->number, life->how ? life->how->name : "all well", master.acked_count,
             life->disk.count, every + states);
    /* What was refused was not acknowledged; a life that was refused nothing has much to lose. */
    bool is_rich = life->refused_count > 0 || master.acked_count > ENTRY_COUNT_LEAST;
    tap_ok(bad == 0 && is_rich, "every state is sound", __FILE__, __LINE__, name);
}

/* What may fail in the lives that follow is chosen from the calls of the first, in which nothing does. */
static uint64_t chosen_calls[LIVES_MAX];

static void try_number(unsigned number, struct random *random, unsigned only_life,
                       uint32_t only_state, uint32_t states) {
    static struct life life;
    const struct how *how = &hows[random_below(random, HOW_COUNT - 1)]; /* none crashes */
    seeded_again(random_u64(random));
    if (only_life != UINT32_MAX && number && only_life != number)
        return;
    life_record(&life, number, number ? how : NULL, number ? chosen_calls[number] : UINT64_MAX);
    for (unsigned i = 0; number == 0 && i < LIVES_MAX; i++)
        chosen_calls[i] = choose_call(&life, random);
    if (number)
        printf("# life %u: %s at call %llu\n", number, how->name,
               (unsigned long long)chosen_calls[number]);
    if (only_life == UINT32_MAX || only_life == number)
        try_life(&life, states, only_state);
    disk_release(&life.disk);
}

int main(void) {
    const char *states = getenv("STATES"), *lives = getenv("LIVES"), *repeat = getenv("REPEAT");
    unsigned only_life = UINT32_MAX, only_state = UINT32_MAX;
    unsigned life_count = lives ? (unsigned)strtoul(lives, NULL, 10) : LIFE_COUNT;
    struct random random;
    if (repeat && sscanf(repeat, "%u:%u", &only_life, &only_state) != 2)
        skip_all("REPEAT=life:state");
    seeded_begin();
    fault_begin();
    random_init(&random, fault_seed);
    for (unsigned number = 0; number < life_count && number < LIVES_MAX; number++)
        try_number(number, &random, only_life, only_state,
                   states ? (uint32_t)strtoul(states, NULL, 10) : STATE_COUNT);
    remove_root("life");
    remove_root("run");
    return done();
}
