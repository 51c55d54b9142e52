/* fault.h - the Nth system call of a scenario fails, in each of the ways a call can fail; afterwards the vault must be sound.
 *
 * A scenario begins with a copy of a site that was prepared once, and runs in a process of its own, so that it can crash. It
 * arms the plan where its trial begins: calls are counted from there. N goes up until a run goes through clean; with `step`
 * above 1 only some N are tried, from a seed that is printed (SEED=n repeats them). */
#ifndef TESTS_FAULT_FAULT_H
#define TESTS_FAULT_FAULT_H

#include "fault/sound.h"

#include "base/random.h"

#include <errno.h>
#include <malloc.h>
#include <sys/wait.h>
#include <time.h>

#define RUNS_MAX    4000u
#define EXIT_CLEAN  0
#define EXIT_FAILED 1
#define EXIT_CRASH  137

static char fault_base[48];
static uint64_t fault_seed;

/* ---- a directory for each run, the site and the memory of what was signed in it ---- */

static inline void run_path(char path[VAULT_PATH_BYTES_MAX], const char *name) {
    vault_path(path, fault_base, "%s", name);
}

static inline void fault_end(void) {
    nftw(fault_base, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static inline void fault_begin(void) {
    const char *seed = getenv("SEED");
    if (access("/dev/shm", W_OK))
        skip_all("there is no /dev/shm: what was signed last could not be remembered");
    snprintf(fault_base, sizeof fault_base, "/dev/shm/veilleuse-fault-XXXXXX");
    char *made = mkdtemp(fault_base);
    assert(made);
    snprintf(site_dir, sizeof site_dir, "%s/run/site", fault_base);
    snprintf(memory_dir, sizeof memory_dir, "%s/run/memory", fault_base);
    fault_seed = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    printf("# seed %llu\n", (unsigned long long)fault_seed);
    /* Large buffers fresh from the kernel each time: much faster here. */
    mallopt(M_MMAP_THRESHOLD, 1 << 16);
    witness_open();
    atexit(fault_end);
}

static const char *copy_from, *copy_to;

static inline int copy_one(const char *path, const struct stat *st, int type, struct FTW *place) {
    char to[VAULT_PATH_BYTES_MAX];
    (void)place;
    snprintf(to, sizeof to, "%s%s", copy_to, path + strlen(copy_from));
    if (type == FTW_D)
        return mkdir(to, 0755);
    struct bytes file = site_read(path);
    site_write(to, file);
    free((void *)(uintptr_t)file.data);
    return chmod(to, st->st_mode & 0777);
}

static inline void copy_tree(const char *from, const char *to) {
    copy_from = from;
    copy_to = to;
    int result = nftw(from, copy_one, 32, FTW_PHYS);
    assert(result == 0);
}

/* ---- prepared sites ---- */

struct prepared {
    char dir[VAULT_PATH_BYTES_MAX];
    struct witness *witness;
};

/* An empty run directory, with nothing promised. */
static inline void run_clear(void) {
    char path[VAULT_PATH_BYTES_MAX];
    run_path(path, "run");
    nftw(path, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
    memset(witness, 0, sizeof *witness);
}

static inline void run_make(void) {
    char path[VAULT_PATH_BYTES_MAX];
    run_clear();
    run_path(path, "run");
    int result = mkdir(path, 0755) | mkdir(site_dir, 0755) | mkdir(memory_dir, 0755);
    assert(result == 0);
}

/* A site as it is made, without a writer. */
static inline void run_make_site(void) {
    struct sys sys;
    struct fault fault = {0};
    run_make();
    sound_sys(&sys);
    site_must(vault_create(&sys, site_dir, SITE_ORIGIN, NULL, &fault), &fault);
}

/* The run as it is now is what runs of a scenario begin with. */
static inline struct prepared prepare(const char *name) {
    struct prepared prepared;
    char path[VAULT_PATH_BYTES_MAX];
    run_path(path, "run");
    run_path(prepared.dir, name);
    prepared.witness = malloc(sizeof *witness);
    memcpy(prepared.witness, witness, sizeof *witness);
    int result = rename(path, prepared.dir);
    assert(result == 0);
    return prepared;
}

static inline void run_begin(const struct prepared *prepared) {
    char path[VAULT_PATH_BYTES_MAX];
    run_clear();
    run_path(path, "run");
    copy_tree(prepared->dir, path);
    memcpy(witness, prepared->witness, sizeof *witness);
}

static inline void prepared_release(struct prepared *prepared) {
    nftw(prepared->dir, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
    free(prepared->witness);
}

/* ---- every N ---- */

struct how {
    const char *name;
    enum sys_fail_how how;
    int errnum;
    bool for_good;
};

static const struct how hows[] = {
    {"EIO", SYS_FAIL_ERRNO, EIO, false},
    {"EIO from there on", SYS_FAIL_ERRNO, EIO, true},
    {"ENOSPC", SYS_FAIL_ERRNO, ENOSPC, false},
    {"ENOSPC from there on", SYS_FAIL_ERRNO, ENOSPC, true},
    {"EINTR", SYS_FAIL_ERRNO, EINTR, false},
    {"EINTR from there on", SYS_FAIL_ERRNO, EINTR, true},
    {"a write cut short", SYS_FAIL_SHORT, ENOSPC, false},
    {"writes cut short from there on", SYS_FAIL_SHORT, ENOSPC, true},
    {"crash", SYS_FAIL_CRASH, 0, false},
};
#define HOW_COUNT (sizeof hows / sizeof hows[0])

struct scenario {
    const char *name;
    const struct prepared *prepared;
    /* True: all went well. It calls `arm` once. */
    bool (*live)(struct sys *sys);
    struct sound_options sound;
    uint64_t step;       /* 1: every N; else about one in so many */
    uint64_t least_runs; /* how many calls it must have, at least: it would be no trial otherwise */
    void (*mend)(void);  /* before it is looked at; NULL: nothing */
    bool (*end)(
        void); /* what was cut off is ended by the next that tries, and looked at again; NULL: nothing */
};

static uint64_t armed_n;
static inline void arm(struct sys *sys) {
    sys->fail_at = sys->call_count + armed_n;
}

static inline int run_one(const struct scenario *scenario, const struct how *how, uint64_t n) {
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct sys sys;
        sound_sys(&sys);
        sys.fail_how = how->how;
        sys.fail_errno = how->errnum;
        sys.fail_for_good = how->for_good;
        armed_n = n;
        bool is_good = scenario->live(&sys);
        /* Beyond the last call nothing has failed: the loop is over. */
        bool is_over = sys.call_count <= sys.fail_at;
        if (is_over && !is_good)
            printf("# it fails when nothing fails\n");
        fflush(stdout);
        _exit(!is_over ? EXIT_FAILED : is_good ? EXIT_CLEAN : EXIT_WRONG);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool try_one(const struct scenario *scenario, const struct how *how, uint64_t n,
                           int *result) {
    struct sound_options sound = scenario->sound;
    /* A memory of what was signed that could not be read, or was written by half, shows nothing: then the origin's next epoch
     * begins, rightly. */
    sound.keeps_origin &= how->how == SYS_FAIL_CRASH;
    run_begin(scenario->prepared);
    *result = run_one(scenario, how, n);
    if (scenario->mend)
        scenario->mend();
    bool good = (*result == EXIT_CLEAN || *result == EXIT_FAILED || *result == EXIT_CRASH) &&
                is_sound(&sound);
    if (good && scenario->end)
        good = scenario->end() && is_sound(&sound);
    if (!good)
        printf("# %s: %s at call %llu (exit %d); ONLY='%s' AT=%llu repeats it\n", scenario->name,
               how->name, (unsigned long long)n, *result, how->name, (unsigned long long)n);
    return good;
}

/* One way of failing. ONLY and AT in the environment: that one, at that call alone. */
static inline void try_how(const struct scenario *scenario, const struct how *how) {
    const char *only = getenv("ONLY"), *at = getenv("AT");
    uint64_t runs = 0, bad = 0, n = 0, step = scenario->step;
    struct random random;
    int result = EXIT_FAILED;
    if (only && strcmp(only, how->name))
        return;
    random_init(&random, fault_seed);
    if (at) {
        bad = !try_one(scenario, how, strtoull(at, NULL, 10), &result);
        tap_ok(bad == 0, "the run ends sound", __FILE__, __LINE__, scenario->name);
        return;
    }
    if (step > 1)
        n = random_below(&random, step);
    for (; runs < RUNS_MAX && result != EXIT_CLEAN && result != EXIT_WRONG; runs++) {
        bad += !try_one(scenario, how, n, &result);
        n += step > 1 ? 1 + random_below(&random, 2 * step - 1) : 1;
    }
    char name[200];
    snprintf(name, sizeof name, "%s: %s: %llu runs end sound", scenario->name, how->name,
             (unsigned long long)runs);
    tap_ok(bad == 0 && result == EXIT_CLEAN && runs * step > scenario->least_runs,
           "every run ends sound", __FILE__, __LINE__, name);
}

static inline void try_all(const struct scenario *scenario) {
    for (size_t i = 0; i < HOW_COUNT; i++)
        try_how(scenario, &hows[i]);
}

#endif
