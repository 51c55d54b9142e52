/* vault_site.h - a throw-away site for the tests of the vault, and entries whose content follows from a number. */
#ifndef TESTS_VAULT_SITE_H
#define TESTS_VAULT_SITE_H

#include "tap.h"
#include "vault/layout.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#define SITE_ORIGIN "test.example/veilleuse/node-1/1"

static char site_dir[64];

static int site_remove_one(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void site_remove(void) {
    if (site_dir[0])
        nftw(site_dir, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
    site_dir[0] = 0;
}

static inline void site_must(enum err err, const struct fault *fault) {
    char line[512] = "";
    if (!err)
        return;
    if (fault)
        fault_format(fault, line, sizeof line);
    printf("Bail out! %s: %s\n", err_name(err), line);
    site_remove();
    exit(1);
}

/* A fresh site in a fresh directory; the one before is removed. */
static inline void site_make(void) {
    struct fault fault = {0};
    site_remove();
    /* In memory where that can be: what is tested is the order of calls, not the disk. */
    snprintf(site_dir, sizeof site_dir, "%s/veilleuse-vault-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    char *made = mkdtemp(site_dir);
    assert(made);
    site_must(vault_create(NULL, site_dir, SITE_ORIGIN, NULL, &fault), &fault);
}

static inline void site_path(char path[VAULT_PATH_BYTES_MAX], const char *relative) {
    vault_path(path, site_dir, "%s", relative);
}

static inline struct vault_writer *site_writer(struct sys *sys, uint64_t segment_bytes) {
    struct vault_writer *writer;
    struct fault fault = {0};
    struct vault_writer_options options = {.reserve_bytes = UINT64_MAX,
                                           .segment_bytes = segment_bytes};
    site_must(vault_writer_open(&writer, sys, site_dir, &options, &fault), &fault);
    return writer;
}

/* Body number n: its size and bytes follow from n; two numbers never share a body. */
static inline struct bytes site_body(uint64_t n) {
    static uint8_t body[VAULT_INLINE_BYTES_MAX];
    size_t size = n % 97 == 0 ? VAULT_INLINE_BYTES_MAX : 8 + (size_t)(n * 7919 % 900);
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(i % 16 ? 'A' + (n + i) % 20 : n >> (i / 16 % 8 * 8));
    store_u64(body, n);
    return bytes_from(body, size);
}

static inline struct vault_entry site_entry(uint64_t n) {
    return (struct vault_entry){
        .kind = n % 5 == 4 ? VAULT_FACT : VAULT_MESSAGE,
        .flags = n % 7 == 0 ? VAULT_CLOCK_DOUBTFUL : 0,
        .media_type = BYTES("application/hl7-v2"),
        .source = BYTES("mllp/lab"),
        .received_at = 1763900000000000 + (int64_t)n,
        .author = n % 5 == 4 ? BYTES("dupont") : BYTES_NONE,
        .role = n % 5 == 4 ? BYTES("nurse") : BYTES_NONE,
        .body = site_body(n),
    };
}

static inline enum err site_append(struct vault_writer *writer, uint64_t n, uint64_t *index,
                                   bool *is_repeat, struct fault *fault) {
    struct vault_entry entry = site_entry(n);
    return vault_writer_append(writer, &(struct vault_append){&entry, true, false}, index,
                               is_repeat, fault);
}

/* `count` entries from number `from` on, durable in batches of `batch`. */
static inline void site_fill(struct vault_writer *writer, uint64_t from, uint64_t count,
                             uint64_t batch) {
    struct fault fault = {0};
    for (uint64_t n = from; n < from + count; n++) {
        uint64_t index;
        bool is_repeat;
        site_must(site_append(writer, n, &index, &is_repeat, &fault), &fault);
        if ((n - from + 1) % batch == 0)
            site_must(vault_writer_sync(writer, &fault), &fault);
    }
    site_must(vault_writer_sync(writer, &fault), &fault);
}

static inline bool site_is_same(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool site_entry_is(const struct vault_entry *got, uint64_t n) {
    struct vault_entry wanted = site_entry(n);
    return got->kind == wanted.kind && got->flags == wanted.flags &&
           site_is_same(got->media_type, wanted.media_type) &&
           site_is_same(got->source, wanted.source) && got->received_at == wanted.received_at &&
           site_is_same(got->author, wanted.author) && site_is_same(got->role, wanted.role) &&
           site_is_same(got->body, wanted.body) && got->body_bytes == wanted.body.size &&
           got->digest.size == 16 && bytes_is_empty(got->blob_name);
}

/* Is entry 1 + i body number from + i, for all of them, in order, by a reader and an opener of their own? The clocks
 * must rise. */
static inline bool site_holds(uint64_t from, uint64_t count) {
    char vault_dir[VAULT_PATH_BYTES_MAX];
    struct vault_reader *reader;
    struct vault_opener *opener;
    struct fault fault = {0};
    hlc_stamp last = 0;
    bool good = true;
    site_path(vault_dir, "vault");
    site_must(vault_reader_open(&reader, NULL, vault_dir, &fault), &fault);
    site_must(vault_opener_open(&opener, NULL, site_dir, NULL, &fault), &fault);
    for (uint64_t i = 0; i < 1 + count && good; i++) {
        struct bytes sealed;
        struct vault_entry entry;
        site_must(vault_reader_sealed(reader, i, UINT64_MAX, &sealed, &fault), &fault);
        site_must(vault_opener_unseal(opener, sealed, &entry, &fault), &fault);
        good = entry.clock > last &&
               (i == 0 ? entry.kind == VAULT_KEY : site_entry_is(&entry, from + i - 1));
        last = entry.clock;
    }
    vault_opener_close(opener);
    vault_reader_close(reader);
    return good;
}

/* A whole file, in memory that the caller frees. */
static inline struct bytes site_read(const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *data = malloc((size_t)st.st_size + 1);
    ssize_t size = read(fd, data, (size_t)st.st_size);
    assert(size == st.st_size);
    close(fd);
    return bytes_from(data, (size_t)size);
}

static inline void site_write(const char *path, struct bytes data) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert(fd >= 0);
    ssize_t size = write(fd, data.data, data.size);
    assert(size == (ssize_t)data.size);
    close(fd);
}

static inline void site_publish_to(uint64_t size) {
    struct vault_publisher *publisher;
    struct fault fault = {0};
    uint64_t published = 0;
    site_must(vault_publisher_open(&publisher, NULL, site_dir, NULL, site_dir, &fault), &fault);
    while (published < size)
        site_must(vault_publish(publisher, size, false, &published, &fault), &fault);
    vault_publisher_close(publisher);
}

#endif
