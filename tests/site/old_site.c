/* old_site.c - makes a vault whose entries are old, for tests of what happens when they are: the vault's own writer, with a
 * clock of another day. The program itself has no such door.
 *
 *   old_site create DIR ORIGIN AT          DIR/vault and DIR/keys, which must not be there
 *   old_site add DIR AT FILE [fact]        every HL7 message of FILE, one each hundredth of a second
 *   old_site rotate DIR AT                 the next epoch begins
 * AT is in seconds since 1970. No node may run. */
#include "formats/hl7/hl7.h"
#include "vault/vault.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEP_US (10 * US_PER_MS)

static struct sys sys;

static void must(enum err err, const struct fault *fault) {
    char line[512];
    if (!err)
        return;
    fault_format(fault, line, sizeof line);
    fprintf(stderr, "old_site: %s: %s\n", err_name(err), line);
    exit(1);
}

static struct vault_writer *open_writer(const char *dir) {
    struct vault_writer *writer;
    struct fault fault = {0};
    struct vault_writer_options options = {.reserve_bytes = UINT64_MAX};
    must(vault_writer_open(&writer, &sys, dir, &options, &fault), &fault);
    return writer;
}

/* What this life saw of the clock is nobody's business: it would be a jump to the next. */
static void close_writer(struct vault_writer *writer, const char *dir) {
    char path[1024];
    struct fault fault = {0};
    must(vault_writer_sync(writer, &fault), &fault);
    vault_writer_close(writer);
    snprintf(path, sizeof path, "%s/cache/clock", dir);
    unlink(path);
}

static void add_one(struct vault_writer *writer, struct bytes body, enum vault_kind kind) {
    struct fault fault = {0};
    struct vault_entry entry = {
        .kind = kind,
        .media_type = BYTES("application/hl7-v2"),
        .source = BYTES("mllp/main"),
        .received_at = sys_now_us(&sys),
        .body = body,
        .body_bytes = body.size,
    };
    struct vault_append append = {&entry, false, false};
    uint64_t index;
    bool is_repeat;
    if (body.size <= VAULT_INLINE_BYTES_MAX) {
        must(vault_writer_append(writer, &append, &index, &is_repeat, &fault), &fault);
    } else {
        struct vault_blob_writer *blob;
        must(vault_blob_begin(writer, &blob, &fault), &fault);
        must(vault_blob_feed(blob, body, &fault), &fault);
        entry.body = bytes_first(body, 4096);
        must(vault_blob_finish(blob, &append, &index, &is_repeat, &fault), &fault);
    }
    if (vault_writer_pending_bytes(writer) > (1u << 20))
        must(vault_writer_sync(writer, &fault), &fault);
    sys.false_now_us += STEP_US;
}

static void add(const char *dir, const char *path, enum vault_kind kind) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) || st.st_size == 0) {
        fprintf(stderr, "old_site: cannot read %s\n", path);
        exit(1);
    }
    const void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    struct bytes message;
    size_t at = 0;
    struct vault_writer *writer = open_writer(dir);
    while (hl7_batch_next(bytes_from(data, (size_t)st.st_size), &at, &message))
        add_one(writer, message, kind);
    close_writer(writer, dir);
}

int main(int argc, char **argv) {
    struct fault fault = {0};
    const char *command = argc > 1 ? argv[1] : "";
    bool is_create = !strcmp(command, "create");
    if (argc < 4 + is_create) {
        fprintf(stderr,
                "usage: old_site create DIR ORIGIN AT | add DIR AT FILE [fact] | rotate DIR AT\n");
        return 64;
    }
    sys_init(&sys);
    sys.has_false_clock = true;
    sys.false_now_us = strtoll(argv[3 + is_create], NULL, 10) * US_PER_S;
    if (is_create) {
        must(vault_create(&sys, argv[2], argv[3], NULL, &fault), &fault);
        close_writer(open_writer(argv[2]), argv[2]);
    } else if (!strcmp(command, "add") && argc > 4) {
        add(argv[2], argv[4], argc > 5 ? VAULT_FACT : VAULT_MESSAGE);
    } else if (!strcmp(command, "rotate")) {
        struct vault_writer *writer = open_writer(argv[2]);
        must(vault_writer_rotate(writer, &fault), &fault);
        close_writer(writer, argv[2]);
    }
    return 0;
}
