/* vault_test.c - the Nth system call of a vault's life fails, for every N: afterwards the vault opens, verifies, and
 * holds everything that was acknowledged.
 *
 * One life: open, append and sync in batches through several segments, store blobs, alone and several in one batch with entries
 * between them, publish, let published segments go, append more, publish again, close, open again, append. Each run is a
 * process of its own, so that it can crash. */
#include "unit/vault/vault_site.h"

#include <errno.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ACKED_MAX     256u
#define SEGMENT       2048u
#define RUNS_MAX      4000u
#define BLOB_BYTES    70000u /* and n more of body number n */
#define BLOBS_MAX     16u
#define EXIT_FAILED   1
#define EXIT_CLEAN    0
#define EXIT_NO_STATE 3 /* the writer went on after it should have stopped */

/* What the life was told is durable; written by the child, read by the parent. */
struct acked {
    uint32_t count, blob_count;
    struct {
        uint64_t index, n;
    } entries[ACKED_MAX], blobs[BLOBS_MAX];
};
static struct acked *acked;

static struct vault_writer *open_writer(struct sys *sys) {
    struct vault_writer *writer = NULL;
    struct vault_writer_options options = {.reserve_bytes = UINT64_MAX, .segment_bytes = SEGMENT};
    return vault_writer_open(&writer, sys, site_dir, &options, NULL) ? NULL : writer;
}

/* A batch; acknowledged only when its sync said so. After a full disk it is tried once more, as a sender would. */
static enum err batch(struct vault_writer *writer, uint64_t from, uint64_t count) {
    enum err err = ERR_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        uint64_t indexes[16] = {0};
        err = ERR_OK;
        for (uint64_t i = 0; i < count && !err; i++) {
            bool is_repeat;
            err = site_append(writer, from + i, &indexes[i], &is_repeat, NULL);
        }
        if (!err)
            err = vault_writer_sync(writer, NULL);
        for (uint64_t i = 0; i < count && !err; i++) {
            uint32_t at = acked->count;
            acked->entries[at].index = indexes[i];
            acked->entries[at].n = from + i;
            acked->count = at + 1;
        }
        if (err != ERR_FULL)
            break;
    }
    uint64_t index;
    bool is_repeat;
    if (vault_writer_is_suspect(writer) &&
        site_append(writer, 5000, &index, &is_repeat, NULL) != ERR_STATE)
        _exit(EXIT_NO_STATE);
    return err;
}

static uint8_t blob_byte(uint64_t n, uint64_t at) {
    return (uint8_t)(n * 31 + at * 7 + (at >> 8));
}

static enum err put_blob(struct vault_writer *writer, uint64_t n, uint64_t *index) {
    static uint8_t body[BLOB_BYTES + 256];
    struct vault_blob_writer *stream;
    struct vault_entry entry = {.kind = VAULT_MESSAGE,
                                .media_type = BYTES("application/pdf"),
                                .body = bytes_from(body, 100)};
    bool is_repeat;
    for (size_t i = 0; i < BLOB_BYTES + n; i++)
        body[i] = blob_byte(n, i);
    enum err err = vault_blob_begin(writer, &stream, NULL);
    if (err)
        return err;
    err = vault_blob_feed(stream, bytes_from(body, BLOB_BYTES + n), NULL);
    if (err) {
        vault_blob_abort(stream);
        return err;
    }
    return vault_blob_finish(stream, &(struct vault_append){&entry, true, false}, index, &is_repeat,
                             NULL);
}

/* Body numbers from `from` on, and an entry of number 9000 + n behind each, in one batch. What a sender is told is told of
 * each alone; a batch of which one failed is still synced. */
static enum err blobs(struct vault_writer *writer, uint64_t from, uint64_t count) {
    enum err err = ERR_OK, sync_err;
    struct {
        enum err blob_err, entry_err;
        uint64_t blob_index, entry_index;
    } told[4];
    for (uint64_t i = 0; i < count; i++) {
        bool is_repeat;
        told[i].blob_err = put_blob(writer, from + i, &told[i].blob_index);
        told[i].entry_err =
            site_append(writer, 9000 + from + i, &told[i].entry_index, &is_repeat, NULL);
        if (told[i].blob_err || told[i].entry_err)
            err = ERR_IO;
    }
    sync_err = vault_writer_sync(writer, NULL);
    for (uint64_t i = 0; i < count && !sync_err; i++) {
        if (!told[i].blob_err) {
            acked->blobs[acked->blob_count].index = told[i].blob_index;
            acked->blobs[acked->blob_count].n = from + i;
            acked->blob_count++;
        }
        if (!told[i].entry_err) {
            acked->entries[acked->count].index = told[i].entry_index;
            acked->entries[acked->count].n = 9000 + from + i;
            acked->count++;
        }
    }
    return err ? err : sync_err;
}

static enum err publish(struct sys *sys, struct vault_writer *writer) {
    struct vault_publisher *publisher;
    uint64_t published = 0, size = vault_writer_durable_size(writer);
    enum err err = vault_publisher_open(&publisher, sys, site_dir, site_dir, NULL);
    if (err)
        return err;
    while (!err && published < size)
        err = vault_publish(publisher, size, false, &published, NULL);
    if (err == ERR_FULL) /* once more, without a restart */
        err = vault_publish(publisher, size, false, &published, NULL);
    vault_publisher_close(publisher);
    if (!err)
        vault_writer_published(writer, published);
    return err;
}

/* Failures are gone through, not round: a publisher that cannot publish does not stop the writer. */
static int live(struct sys *sys) {
    bool failed = false;
    for (uint64_t life = 0; life < 2; life++) {
        struct vault_writer *writer = open_writer(sys);
        if (!writer)
            return EXIT_FAILED;
        uint64_t from = 100 + life * 1000;
        failed |= batch(writer, from, 3) != ERR_OK;
        failed |= batch(writer, from + 10, 5) != ERR_OK;
        failed |= blobs(writer, 1 + life * 4, 1) != ERR_OK;
        failed |= batch(writer, from + 20, 4) != ERR_OK;
        failed |= life == 0 && blobs(writer, 2, 3) != ERR_OK;
        failed |= publish(sys, writer) != ERR_OK;
        failed |= batch(writer, from + 30, 6) != ERR_OK;
        failed |= publish(sys, writer) != ERR_OK;
        failed |= batch(writer, from + 40, 1) != ERR_OK;
        vault_writer_close(writer);
    }
    return failed ? EXIT_FAILED : EXIT_CLEAN;
}

/* ---- afterwards ---- */

struct blob_check {
    uint64_t n, at;
    bool is_same;
};

static enum err check_blob(void *owner, struct bytes piece) {
    struct blob_check *check = owner;
    for (size_t i = 0; i < piece.size; i++)
        check->is_same &= piece.data[i] == blob_byte(check->n, check->at + i);
    check->at += piece.size;
    return ERR_OK;
}

static bool holds_blob(struct vault_reader *reader, struct vault_opener *opener, uint64_t index,
                       uint64_t n) {
    struct bytes sealed;
    struct vault_entry entry;
    struct blob_check check = {.n = n, .is_same = true};
    return !vault_reader_sealed(reader, index, UINT64_MAX, &sealed, NULL) &&
           !vault_opener_unseal(opener, sealed, &entry, NULL) &&
           entry.body_bytes == BLOB_BYTES + n &&
           !vault_opener_blob(opener, &entry, check_blob, &check, NULL) && check.is_same &&
           check.at == BLOB_BYTES + n;
}

static bool holds_acked(struct vault_reader *reader, struct vault_opener *opener) {
    struct bytes sealed;
    struct vault_entry entry;
    for (uint32_t i = 0; i < acked->count; i++)
        if (vault_reader_sealed(reader, acked->entries[i].index, UINT64_MAX, &sealed, NULL) ||
            vault_opener_unseal(opener, sealed, &entry, NULL) ||
            !site_entry_is(&entry, acked->entries[i].n))
            return false;
    for (uint32_t i = 0; i < acked->blob_count; i++)
        if (!holds_blob(reader, opener, acked->blobs[i].index, acked->blobs[i].n))
            return false;
    return true;
}

static bool is_whole(const char *when) {
    static struct vault_report report;
    struct vault_verify_options options = {.worker_count = 1};
    struct fault fault = {0};
    enum err err = vault_verify(NULL, site_dir, &options, &report, &fault);
    if (err)
        printf("# %s: %s: %s: %s\n", when, err_name(err), report.damaged_file, report.damage);
    return !err;
}

/* As it lies there, and after a restart that publishes everything: whole, with all that was acknowledged. */
static bool is_sound(void) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader;
    struct vault_opener *opener;
    bool good = is_whole("before the restart");
    struct vault_writer *writer = open_writer(NULL);
    if (!writer) {
        printf("# the writer does not open\n");
        return false;
    }
    uint64_t size = vault_writer_durable_size(writer);
    good =
        batch(writer, 3000, 3) == ERR_OK && vault_writer_durable_size(writer) == size + 3 && good;
    if (publish(NULL, writer)) {
        printf("# publishing does not go on\n");
        good = false;
    }
    vault_writer_close(writer);
    site_path(vault_dir, "vault");
    site_must(vault_reader_open(&reader, NULL, vault_dir, NULL), NULL);
    site_must(vault_opener_open(&opener, NULL, site_dir, NULL), NULL);
    if (!holds_acked(reader, opener)) {
        printf("# something acknowledged is missing\n");
        good = false;
    }
    vault_opener_close(opener);
    vault_reader_close(reader);
    return is_whole("after it") && good;
}

/* ---- every N ---- */

struct how {
    const char *name;
    enum sys_fail_how how;
    int errnum;
    bool for_good;
};

static int run(const struct how *how, uint64_t n, int (*scenario)(struct sys *sys)) {
    struct sys sys;
    int status;
    sys_init(&sys);
    sys.fail_at = n;
    sys.fail_how = how->how;
    sys.fail_errno = how->errnum;
    sys.fail_for_good = how->for_good;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int result = scenario(&sys);
        /* Beyond the last call nothing has failed: the loop is over. */
        _exit(result == EXIT_CLEAN && sys.call_count > n ? EXIT_FAILED : result);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void try_all(const struct how *how) {
    uint64_t n = 0, bad = 0;
    int result = EXIT_FAILED;
    for (; n < RUNS_MAX && result != EXIT_CLEAN; n++) {
        site_make();
        memset(acked, 0, sizeof *acked);
        result = run(how, n, live);
        bool good = (result == EXIT_CLEAN || result == EXIT_FAILED || result == 137) && is_sound();
        if (!good)
            printf("# %s at call %llu (exit %d)\n", how->name, (unsigned long long)n, result);
        bad += !good;
    }
    printf("# %s: %llu runs\n", how->name, (unsigned long long)n);
    tap_ok(bad == 0 && result == EXIT_CLEAN && n > 100, "every run ends sound", __FILE__, __LINE__,
           how->name);
}

static int create(struct sys *sys) {
    return vault_create(sys, site_dir, SITE_ORIGIN, NULL, NULL) ? EXIT_FAILED : EXIT_CLEAN;
}

/* A site whose making was interrupted can be made again, or is there and usable. */
static void try_create(const struct how *how) {
    uint64_t n = 0, bad = 0;
    int result = EXIT_FAILED;
    for (; n < RUNS_MAX && result != EXIT_CLEAN; n++) {
        char path[VAULT_PATH_BYTES_MAX];
        site_make();
        site_path(path, "vault");
        nftw(path, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
        site_path(path, "keys");
        nftw(path, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
        memset(acked, 0, sizeof *acked);
        result = run(how, n, create);
        enum err err = vault_create(NULL, site_dir, SITE_ORIGIN, NULL, NULL);
        bool good = (err == ERR_OK || err == ERR_STATE) && is_sound();
        if (!good)
            printf("# making: %s at call %llu (exit %d), then %s\n", how->name,
                   (unsigned long long)n, result, err_name(err));
        bad += !good;
    }
    tap_ok(bad == 0 && result == EXIT_CLEAN && n > 20, "every making ends sound", __FILE__,
           __LINE__, how->name);
}

int main(void) {
    static const struct how hows[] = {
        {"EIO", SYS_FAIL_ERRNO, EIO, false},
        {"ENOSPC", SYS_FAIL_ERRNO, ENOSPC, false},
        {"ENOSPC from there on", SYS_FAIL_ERRNO, ENOSPC, true},
        {"EIO from there on", SYS_FAIL_ERRNO, EIO, true},
        {"a write cut short", SYS_FAIL_SHORT, ENOSPC, false},
        {"crash", SYS_FAIL_CRASH, 0, false},
    };
    mallopt(M_MMAP_THRESHOLD,
            1 << 20); /* large buffers fresh from the kernel each time: much faster here */
    acked = mmap(NULL, sizeof *acked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(acked != MAP_FAILED);
    for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++) {
        try_all(&hows[i]);
        try_create(&hows[i]);
    }
    site_remove();
    return done();
}
