/* clock.c - may the node's clock be believed? What a writer knows of it from its last life.
 *
 * cache/clock holds the boot's number and by how much the wall clock was ahead of CLOCK_BOOTTIME: while the machine has not
 * started anew, both clocks must still agree, whatever time has passed. Across a start of the machine only a clock that
 * went back, behind the newest entry, can be noticed.
 */
#include "vault/writer.h"

#include <stdio.h>
#include <string.h>

#define BOOT_ID_BYTES  36u
#define SAVE_BEYOND_US US_PER_S

static bool read_boot_id(struct sys *sys, char id[BOOT_ID_BYTES + 1]) {
    struct fault fault = {0};
    size_t size = 0;
    uint8_t buffer[64];
    if (sys_read_file(sys, "/proc/sys/kernel/random/boot_id", buffer, sizeof buffer, &size,
                      &fault) ||
        size < BOOT_ID_BYTES)
        return false;
    memcpy(id, buffer, BOOT_ID_BYTES);
    id[BOOT_ID_BYTES] = 0;
    return true;
}

static int64_t ahead_us(struct sys *sys) {
    return sys_now_us(sys) - sys_monotonic_us(sys);
}

/* The cache may be absent or of another boot: then there is nothing to compare with. */
static bool read_saved(struct vault_writer *writer, const char *boot_id, int64_t *saved_us) {
    char path[VAULT_PATH_BYTES_MAX];
    uint8_t buffer[128];
    size_t size = 0;
    struct fault fault = {0};
    vault_path(path, writer->site_dir, "cache/clock");
    if (sys_read_file(writer->sys, path, buffer, sizeof buffer, &size, &fault))
        return false;
    struct bytes rest = bytes_trim(bytes_from(buffer, size)), id;
    uint64_t number;
    if (!bytes_next_part(&rest, ' ', &id) || !bytes_is(id, boot_id) ||
        !bytes_to_u64(rest, &number) || number > INT64_MAX)
        return false;
    *saved_us = (int64_t)number;
    return true;
}

static bool is_jump(int64_t us) {
    return us > CLOCK_JUMP_US || us < -CLOCK_JUMP_US;
}

void writer_clock_open(struct vault_writer *writer) {
    int64_t saved_us;
    if (!read_boot_id(writer->sys, writer->boot_id))
        return;
    writer->is_clock_doubtful =
        read_saved(writer, writer->boot_id, &saved_us) && is_jump(ahead_us(writer->sys) - saved_us);
    writer_clock_save(writer);
}

/* A cache: when it cannot be written, the next life knows less. */
void writer_clock_save(struct vault_writer *writer) {
    int64_t now_us = ahead_us(writer->sys), moved_us = now_us - writer->clock_saved_us;
    if (!writer->boot_id[0] || now_us < 0 ||
        (moved_us < SAVE_BEYOND_US && moved_us > -SAVE_BEYOND_US))
        return;
    char path[VAULT_PATH_BYTES_MAX], line[128];
    struct fault fault = {0};
    vault_path(path, writer->site_dir, "cache/clock");
    int size = snprintf(line, sizeof line, "%s %lld\n", writer->boot_id, (long long)now_us);
    if (!sys_replace_file(writer->sys, path, bytes_from((uint8_t *)line, (size_t)size), 0600,
                          &fault))
        writer->clock_saved_us = now_us;
}

bool vault_writer_clock_is_doubtful(const struct vault_writer *writer) {
    int64_t behind_us = hlc_ms(writer->hlc.last) * US_PER_MS - sys_now_us(writer->sys);
    return writer->is_clock_doubtful || sys_clock_has_jumped(writer->sys) ||
           behind_us > CLOCK_JUMP_US;
}
