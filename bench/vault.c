/* vault.c - how many entries, and how large documents, a second the vault makes durable, beside what the machine could do at
 * best.
 *
 * usage: vault [ENTRIES [entries | documents]]     per figure; 300,000 by default. VEILLEUSE_BENCH_DIR: a directory on the
 * disk to measure. `.._cpu`: the same work by the processor's time that it took, as if the disk made nobody wait. */
#include "vault/envelope.h"
#include "vault_site.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <nettle/umac.h>
#include <signal.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <zstd.h>

#define PIECE_BYTES  (256u * 1024u)
#define GROUP_COUNT  128u /* files synced together */
#define WINDOW_BYTES (UINT64_C(4) << 20)

static double per_s(uint64_t count, int64_t since) {
    int64_t us = bench_now_us() - since;
    return (double)count * 1e6 / (double)(us > 0 ? us : 1);
}

/* ---- the machine's limits ---- */

static void limit_sha256(struct bodies *bodies, uint64_t count) {
    struct tlog_hash leaf;
    int64_t since = bench_now_us();
    for (uint64_t i = 0; i < count; i++)
        tlog_leaf_hash(bodies_next(bodies), &leaf);
    bench_line(NULL, "limit_leaf_hash_1KiB", per_s(count, since), "/s");
}

static void limit_aead(struct bodies *bodies, uint64_t count) {
    uint8_t key[32] = {1}, nonce[24], sealed[ENTRY_BYTES + 16];
    struct tlog_hash leaf;
    int64_t since = bench_now_us();
    for (uint64_t i = 0; i < count; i++) {
        struct bytes body = bodies_next(bodies);
        randombytes_buf(nonce, sizeof nonce);
        crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, body.data, body.size, NULL, 0,
                                                   NULL, nonce, key);
        tlog_leaf_hash(bytes_from(sealed, sizeof sealed), &leaf);
    }
    bench_line(NULL, "limit_seal_and_leaf_1KiB", per_s(count, since), "/s");
}

static void limit_disk(const char *dir, size_t write_bytes, const char *name) {
    char path[VAULT_PATH_BYTES_MAX];
    struct bench samples;
    const off_t file_bytes = 64 << 20;
    uint8_t *data = memory_alloc(1, write_bytes);
    bench_must(data ? ERR_OK : ERR_MEMORY, "a buffer");
    randombytes_buf(data, write_bytes);
    snprintf(path, sizeof path, "%s/raw", dir);
    int fd = sys_open(NULL, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    bench_must(fd < 0 || sys_fallocate(NULL, fd, 0, file_bytes) || sys_fsync(NULL, fd) ? ERR_IO
                                                                                       : ERR_OK,
               path);
    bench_init(&samples, 4096);
    int64_t since = bench_now_us();
    uint64_t count = 0;
    for (off_t at = 0; at + (off_t)write_bytes <= file_bytes && count < 1024; count++) {
        int64_t begun = bench_now_us();
        bench_must(sys_pwrite_all(NULL, fd, bytes_from(data, write_bytes), at, path, NULL), path);
        bench_must(sys_fdatasync(NULL, fd) ? ERR_IO : ERR_OK, path);
        bench_add(&samples, (double)(bench_now_us() - begun));
        at += (off_t)write_bytes;
    }
    bench_line(&samples, name, per_s(count, since), "/s(us)");
    bench_release(&samples);
    sys_close(NULL, fd);
    sys_unlink(NULL, path);
    memory_free(data);
}

/* What each level of zstd costs and gains on a message of a kilobyte; docs/PERFORMANCE.md says which was chosen. */
static void zstd_levels(struct bodies *bodies, uint64_t count) {
    static const int levels[] = {-7, -5, -3, -1, 1, 2, 3};
    ZSTD_CCtx *context = ZSTD_createCCtx();
    uint8_t out[2 * ENTRY_BYTES];
    bench_must(context ? ERR_OK : ERR_MEMORY, "zstd");
    for (size_t l = 0; l < sizeof levels / sizeof levels[0]; l++) {
        char name[64];
        uint64_t total = 0;
        int64_t since = bench_now_us();
        for (uint64_t i = 0; i < count; i++) {
            struct bytes body = bodies_next(bodies);
            size_t size =
                ZSTD_compressCCtx(context, out, sizeof out, body.data, body.size, levels[l]);
            bench_must(ZSTD_isError(size) ? ERR_STATE : ERR_OK, "zstd");
            total += size;
        }
        snprintf(name, sizeof name, "zstd_level_%d", levels[l]);
        bench_line(NULL, name, per_s(count, since), "/s");
        snprintf(name, sizeof name, "zstd_level_%d_size", levels[l]);
        bench_line(NULL, name, 100.0 * (double)total / (double)(count * ENTRY_BYTES), "%");
    }
    ZSTD_freeCCtx(context);
}

static void sealer_speed(struct bodies *bodies, uint64_t count, bool in_haste, const char *name) {
    struct sealer *sealer;
    uint8_t key[32] = {1};
    static uint8_t out[PLAIN_BYTES_MAX + SEAL_BYTES];
    uint64_t total = 0;
    bench_must(sealer_open(&sealer, "bench"), "a sealer");
    int64_t since = bench_now_us();
    for (uint64_t i = 0; i < count; i++) {
        size_t size;
        struct vault_entry entry = site_entry(bodies_next(bodies));
        entry.digest = bytes_from(key, 16);
        struct seal_options options = {.epoch = 1, .key = key, .in_haste = in_haste};
        bench_must(sealer_seal(sealer, &entry, &options, out, &size), "sealing");
        total += size;
    }
    char size_name[64];
    bench_line(NULL, name, per_s(count, since), "/s");
    snprintf(size_name, sizeof size_name, "%s_bytes", name);
    bench_line(NULL, size_name, (double)total / (double)count, "bytes");
    sealer_close(sealer);
}

/* ---- the vault ---- */

static void durable(const char *dir, struct bodies *bodies, uint64_t count, size_t batch,
                    const char *name) {
    struct vault_writer *writer = site_writer(dir);
    struct bench samples;
    bench_init(&samples, 65536);
    site_batch(writer, bodies, batch); /* the first begins a segment */
    int64_t since = bench_now_us();
    uint64_t done = 0;
    for (; done < count; done += batch) {
        int64_t begun = bench_now_us();
        site_batch(writer, bodies, batch);
        bench_add(&samples, (double)(bench_now_us() - begun));
    }
    bench_line(&samples, name, per_s(done, since), "/s(us)");
    bench_release(&samples);
    vault_writer_close(writer);
}

struct shared {
    uint64_t durable, published;
    bool is_over;
};

/* The publish role's loop: whole bundles while the writer works, the rest at the end. */
static void publish_all(const char *dir, struct shared *shared) {
    struct vault_publisher *publisher;
    struct fault fault = {0};
    bench_must(vault_publisher_open(&publisher, NULL, dir, NULL, dir, &fault),
               "opening the publisher");
    for (;;) {
        bool is_over = __atomic_load_n(&shared->is_over, __ATOMIC_ACQUIRE);
        uint64_t size = __atomic_load_n(&shared->durable, __ATOMIC_ACQUIRE);
        uint64_t before = vault_published_size(publisher), published;
        bench_must(vault_publish(publisher, size, !is_over, &published, &fault), "publishing");
        __atomic_store_n(&shared->published, published, __ATOMIC_RELEASE);
        if (is_over && published == size)
            break;
        if (published == before)
            usleep(200);
    }
    vault_publisher_close(publisher);
}

static void durable_while_published(const char *dir, struct bodies *bodies, uint64_t count,
                                    size_t batch) {
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bench_must(shared == MAP_FAILED ? ERR_MEMORY : ERR_OK, "shared memory");
    struct vault_writer *writer = site_writer(dir);
    uint64_t first = vault_writer_durable_size(writer), done = 0;
    shared->durable = first;
    pid_t child = fork();
    if (child == 0) {
        publish_all(dir, shared);
        _exit(0);
    }
    while (__atomic_load_n(&shared->published, __ATOMIC_ACQUIRE) + TLOG_TILE_WIDTH < first)
        usleep(1000); /* what was there before is published first, unmeasured */
    int64_t since = bench_now_us();
    for (; done < count; done += batch) {
        site_batch(writer, bodies, batch);
        __atomic_store_n(&shared->durable, vault_writer_durable_size(writer), __ATOMIC_RELEASE);
        vault_writer_published(writer, __atomic_load_n(&shared->published, __ATOMIC_ACQUIRE));
    }
    bench_line(NULL, "durable_hl7_while_published", per_s(done, since), "/s");
    __atomic_store_n(&shared->is_over, true, __ATOMIC_RELEASE);
    int status;
    waitpid(child, &status, 0);
    bench_must(status ? ERR_STATE : ERR_OK, "the publisher");
    bench_line(NULL, "published_behind_it", per_s(shared->published - first, since), "/s");
    vault_writer_close(writer);
    munmap(shared, sizeof *shared);
}

/* ---- documents ---- */

static int64_t cpu_now_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * US_PER_S + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

struct stopwatch {
    int64_t since, cpu_since;
};

static struct stopwatch begin_measuring(void) {
    return (struct stopwatch){bench_now_us(), cpu_now_us()};
}

static void measured(const struct stopwatch *watch, const char *name, uint64_t bytes) {
    char cpu_name[64];
    int64_t cpu_us = cpu_now_us() - watch->cpu_since;
    bench_line(NULL, name, per_s(bytes, watch->since) / 1e6, "MB/s");
    snprintf(cpu_name, sizeof cpu_name, "%s_cpu", name);
    bench_line(NULL, cpu_name, (double)bytes / (double)(cpu_us ? cpu_us : 1), "MB/s");
}

/* Each of the passes that a document's bytes go through, alone, over what the processor's cache holds. */
static void limit_passes(const uint8_t *piece) {
    static uint8_t sealed[64 * 1024 + 16];
    static const uint8_t key[32] = {1}, nonce[12] = {2};
    const uint64_t count = 8192, bytes = count * 64 * 1024;
    struct sha256_ctx sha;
    uint8_t hash[32];
    struct stopwatch watch = begin_measuring();
    for (uint64_t i = 0; i < count; i++)
        crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, piece, 64 * 1024, NULL, 0, NULL,
                                                  nonce, key);
    measured(&watch, "limit_chacha20poly1305", bytes);
    sha256_init(&sha);
    watch = begin_measuring();
    for (uint64_t i = 0; i < count; i++)
        sha256_update(&sha, 64 * 1024, piece);
    sha256_digest(&sha, sizeof hash, hash);
    measured(&watch, "limit_sha256", bytes);
    struct umac128_ctx umac;
    umac128_set_key(&umac, key);
    watch = begin_measuring();
    for (uint64_t i = 0; i < count; i++)
        umac128_update(&umac, 64 * 1024, piece);
    measured(&watch, "limit_umac128", bytes);
}

static int raw_file(const char *dir, uint64_t number, const uint8_t *piece, uint64_t bytes) {
    char path[VAULT_PATH_BYTES_MAX + 64];
    snprintf(path, sizeof path, "%s/raw-%llu-%llu", dir, (unsigned long long)bytes,
             (unsigned long long)number);
    int fd = sys_open(NULL, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    bench_must(fd < 0 ? ERR_IO : ERR_OK, path);
    for (uint64_t at = 0; at < bytes; at += PIECE_BYTES) {
        size_t size = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        bench_must(sys_write_all(NULL, fd, bytes_from(piece, size), path, NULL), path);
        bench_must(sys_write_back(NULL, fd, (off_t)at, 0, false) ? ERR_IO : ERR_OK, path);
        if (at > WINDOW_BYTES &&
            at % WINDOW_BYTES == 0) /* what has arrived leaves the page cache */
            bench_must(sys_write_back(NULL, fd, 0, (off_t)(at - WINDOW_BYTES), true) ||
                               posix_fadvise(fd, 0, (off_t)(at - WINDOW_BYTES), POSIX_FADV_DONTNEED)
                           ? ERR_IO
                           : ERR_OK,
                       path);
    }
    return fd;
}

/* The same for several at once as the vault has it: written out, then the file system synced, twice. */
static void sync_group(const char *dir, const int *fds, uint64_t count) {
    if (count < 8) {
        for (uint64_t i = 0; i < count; i++)
            bench_must(sys_fdatasync(NULL, fds[i]) ? ERR_IO : ERR_OK, "syncing");
        bench_must(sys_sync_dir(NULL, dir, NULL), "syncing");
        return;
    }
    int fd = sys_open(NULL, dir, O_RDONLY | O_DIRECTORY, 0);
    for (uint64_t i = 0; i < count; i++)
        bench_must(sys_write_back(NULL, fds[i], 0, 0, true) ? ERR_IO : ERR_OK, "syncing");
    bench_must(fd < 0 || sys_syncfs(NULL, fd) || sys_syncfs(NULL, fd) ? ERR_IO : ERR_OK, "syncing");
    sys_close(NULL, fd);
}

/* Files of the same size written and synced in the same way, with nothing done to their bytes. They are removed with the site:
 * a file system may take an inode that was freed a moment ago only after a long search. */
static void limit_files(const char *dir, const uint8_t *piece, uint64_t bytes, uint64_t count,
                        const char *name) {
    int fds[GROUP_COUNT];
    struct stopwatch watch = begin_measuring();
    for (uint64_t at = 0; at < count; at += GROUP_COUNT) {
        uint64_t n = count - at < GROUP_COUNT ? count - at : GROUP_COUNT;
        for (uint64_t i = 0; i < n; i++)
            fds[i] = raw_file(dir, at + i, piece, bytes);
        sync_group(dir, fds, n);
        for (uint64_t i = 0; i < n; i++)
            sys_close(NULL, fds[i]);
    }
    measured(&watch, name, bytes * count);
}

static void one_document(struct vault_writer *writer, uint8_t *piece, uint64_t bytes,
                         uint64_t number) {
    struct vault_blob_writer *blob;
    struct fault fault = {0};
    uint64_t index;
    bool is_repeat;
    memcpy(piece, &number, sizeof number);
    bench_must(vault_blob_begin(writer, &blob, &fault), "a blob");
    for (uint64_t at = 0; at < bytes; at += PIECE_BYTES) {
        size_t size = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        bench_must(vault_blob_feed(blob, bytes_from(piece, size), &fault), "a blob");
    }
    struct vault_entry entry = site_entry(bytes_from(piece, 4096));
    bench_must(vault_blob_finish(blob, &(struct vault_append){&entry, true, false}, &index,
                                 &is_repeat, &fault),
               "a blob");
    bench_must(is_repeat ? ERR_STATE : ERR_OK, "a document that is new");
    if (vault_writer_is_ripe(writer))
        bench_must(vault_writer_sync(writer, &fault), "syncing");
}

static void documents(const char *dir, uint8_t *piece, uint64_t bytes, uint64_t count,
                      const char *name) {
    struct vault_writer *writer = site_writer(dir);
    struct stopwatch watch = begin_measuring();
    for (uint64_t i = 0; i < count; i++)
        one_document(writer, piece, bytes, vault_writer_durable_size(writer) << 32 | i);
    bench_must(vault_writer_sync(writer, NULL), "syncing");
    measured(&watch, name, bytes * count);
    vault_writer_close(writer);
}

static void measure_documents(const char *dir) {
    static const struct {
        const char *name;
        uint64_t bytes, count;
    } sizes[] = {
        {"64KiB", 64 << 10, 4096},
        {"1MiB", 1 << 20, 512},
        {"256MiB", 256 << 20, 2},
    };
    static uint8_t piece[PIECE_BYTES];
    randombytes_buf(piece, sizeof piece);
    limit_passes(piece);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "limit_files_%s", sizes[i].name);
        limit_files(dir, piece, sizes[i].bytes, sizes[i].count, name);
        snprintf(name, sizeof name, "document%s_%s", sizes[i].count > 2 ? "s" : "", sizes[i].name);
        documents(dir, piece, sizes[i].bytes, sizes[i].count, name);
    }
}

static void measure_entries(const char *dir, uint64_t count) {
    struct bodies hl7, noise;
    bodies_init(&hl7, 4096, false);
    bodies_init(&noise, 4096, true);
    noise.number = hl7.number + (UINT64_C(1) << 32);
    limit_sha256(&hl7, count);
    limit_aead(&hl7, count);
    limit_disk(dir, 64 * 1024, "limit_write_sync_64KiB");
    limit_disk(dir, 256 * 1024, "limit_write_sync_256KiB");
    limit_disk(dir, 1024 * 1024, "limit_write_sync_1MiB");
    zstd_levels(&hl7, count / 4);
    sealer_speed(&hl7, count, false, "seal_hl7");
    sealer_speed(&hl7, count, true, "seal_hl7_in_haste");
    sealer_speed(&noise, count, true, "seal_random_in_haste");

    durable(dir, &hl7, count / 32, 1, "durable_hl7_batch_1");
    durable(dir, &hl7, count, 256, "durable_hl7_batch_256");
    durable(dir, &hl7, count, 2048, "durable_hl7_batch_2048");
    durable(dir, &noise, count, 2048, "durable_random_batch_2048");
    durable_while_published(dir, &hl7, count, 2048);
    bodies_release(&hl7);
    bodies_release(&noise);
}

int main(int argument_count, char **arguments) {
    uint64_t count = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 300000;
    const char *only = argument_count > 2 ? arguments[2] : NULL;
    char dir[VAULT_PATH_BYTES_MAX];
    bench_must(sodium_init() < 0 ? ERR_CRYPTO : ERR_OK, "libsodium");
    bench_header("vault");
    site_make(dir);
    if (!only || !strcmp(only, "entries"))
        measure_entries(dir, count);
    if (!only || !strcmp(only, "documents"))
        measure_documents(dir);
    site_remove(dir);
    return 0;
}
