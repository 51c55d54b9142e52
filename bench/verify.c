/* verify.c - how fast a vault is verified, beside reading and hashing the same bytes.
 *
 * usage: verify [ENTRIES]     of a kilobyte that does not compress; 300,000 by default */
#include "vault_site.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <sodium.h>

static void fill(const char *dir, uint64_t count) {
    struct bodies bodies;
    struct vault_publisher *publisher;
    struct fault fault = {0};
    bodies_init(&bodies, 4096, true);
    struct vault_writer *writer = site_writer(dir);
    for (uint64_t done = 0; done < count; done += 2048)
        site_batch(writer, &bodies, 2048);
    uint64_t size = vault_writer_durable_size(writer), published = 0;
    bench_must(vault_publisher_open(&publisher, NULL, dir, NULL, dir, &fault),
               "opening the publisher");
    int64_t since = bench_now_us();
    while (published < size)
        bench_must(vault_publish(publisher, size, false, &published, &fault), "publishing");
    bench_line(NULL, "publish", (double)size * 1e6 / (double)(bench_now_us() - since), "/s");
    vault_writer_published(writer, published);
    vault_publisher_close(publisher);
    vault_writer_close(writer);
    bodies_release(&bodies);
}

static void verify(const char *dir, unsigned workers, bool quick, const char *name) {
    struct vault_report report;
    struct fault fault = {0};
    struct vault_verify_options options = {.quick = quick, .worker_count = workers};
    int64_t since = bench_now_us();
    enum err err = vault_verify(NULL, dir, &options, &report, &fault);
    int64_t us = bench_now_us() - since;
    if (err)
        fprintf(stderr, "bench: %s: %s\n", report.damaged_file, report.damage);
    bench_must(err, name);
    if (quick)
        bench_line(NULL, name, (double)us / 1000, "ms");
    else
        bench_line(NULL, name, (double)report.bytes_read / (double)us, "MB/s");
}

/* ---- the limits: the same bundles, only read; the same bytes, only hashed ---- */

static uint64_t read_bytes;
static uint8_t buffer[1 << 20];

static int read_one(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st;
    (void)place;
    if (type != FTW_F || !strstr(path, "/tile/"))
        return 0;
    int fd = sys_open(NULL, path, O_RDONLY, 0);
    ssize_t size;
    while (fd >= 0 && (size = sys_read(NULL, fd, buffer, sizeof buffer)) > 0)
        read_bytes += (uint64_t)size;
    return fd < 0 ? -1 : sys_close(NULL, fd);
}

static void limit_read(const char *dir) {
    read_bytes = 0;
    int64_t since = bench_now_us();
    bench_must(nftw(dir, read_one, 32, FTW_PHYS) ? ERR_IO : ERR_OK, "reading");
    bench_line(NULL, "limit_read_files", (double)read_bytes / (double)(bench_now_us() - since),
               "MB/s");
}

static void limit_hash(uint64_t bytes) {
    struct tlog_hash leaf;
    int64_t since = bench_now_us();
    for (uint64_t done = 0; done < bytes; done += ENTRY_BYTES + 129)
        tlog_leaf_hash(bytes_from(buffer + done % (sizeof buffer / 2), ENTRY_BYTES + 129), &leaf);
    bench_line(NULL, "limit_sha256_one_core", (double)bytes / (double)(bench_now_us() - since),
               "MB/s");
}

int main(int argument_count, char **arguments) {
    uint64_t count = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 300000;
    char dir[VAULT_PATH_BYTES_MAX];
    bench_must(sodium_init() < 0 ? ERR_CRYPTO : ERR_OK, "libsodium");
    bench_header("verify");
    site_make(dir);
    fill(dir, count);
    limit_read(dir);
    limit_hash(count * ENTRY_BYTES);
    verify(dir, 1, false, "verify_1_process");
    verify(dir, 2, false, "verify_2_processes");
    verify(dir, 0, true, "verify_quick");
    site_remove(dir);
    return 0;
}
