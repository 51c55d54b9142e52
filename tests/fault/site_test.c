/* site_test.c - the Nth system call fails while a site's chart is made again from its vault, and while an epoch goes with all that
 * belongs to it (what must stay is stated again, as the chart says; its key, its blobs), SQLite's calls included. The vault is
 * sound; the chart is the one before or the one after, never half of one; and the next that tries comes to the same end as
 * one to which nothing happened. */
#include "fault/fault.h"
#include "fault/kernel.h"
#include "node/restate.h"
#include "node/site_chart.h"
#include "unit/chart/chart_site.h"

#define OLD_PATIENTS 8u
#define NEW_PATIENTS 4u
#define BLOB_N       60u

static struct config config;
static char whole_digest[65], lasting_digest[65];

static void append_patient(struct vault_writer *writer, unsigned number) {
    char line[256], buffer[4096];
    uint64_t index;
    bool is_repeat;
    snprintf(line, sizeof line,
             "GAM A01 20260208T08:00:%02u.000\nPID|1||%u^^^CHV^PI||DUPONT^Jeanne||19450714|F\n"
             "PV1|1|I|CARD^101^A||||||||||||||||S%u^^^CHV^VN",
             number % 60, number, number);
    struct bytes body = message_of(line, buffer, sizeof buffer);
    struct vault_entry entry = {
        .kind = VAULT_MESSAGE,
        .media_type = BYTES("application/hl7-v2"),
        .source = BYTES("mllp/test"),
        .received_at = sys_now_us(NULL),
        .body = body,
        .body_bytes = body.size,
    };
    site_must(vault_writer_append(writer, &(struct vault_append){&entry, true, false}, &index,
                                  &is_repeat, NULL),
              NULL);
    site_must(vault_writer_sync(writer, NULL), NULL);
}

/* ---- charts ---- */

static bool chart_digests(char whole[65], char lasting[65]) {
    char path[VAULT_PATH_BYTES_MAX];
    uint64_t generation;
    struct chart_reader *reader;
    struct fault fault = {0};
    if (chart_current_path(NULL, site_dir, path, sizeof path, &generation, &fault) ||
        chart_reader_open(&reader, path, &fault))
        return false;
    bool good = !chart_reader_begin(reader, &fault) && !chart_digest(reader, whole, &fault) &&
                !chart_digest_lasting(reader, lasting, &fault);
    chart_reader_end(reader);
    chart_reader_close(reader);
    return good;
}

static enum err make_chart(void) {
    struct fault fault = {0};
    uint64_t taken;
    return site_chart_rebuild(site_dir, NULL, &config, &taken, &fault);
}

static bool rebuild(struct sys *sys) {
    arm(sys);
    kernel_begin(sys);
    enum err err = make_chart();
    kernel_end(sys);
    return err == ERR_OK;
}

/* Each is what the vault says, whichever of the two it is. */
static bool end_rebuild(void) {
    char whole[65] = "", lasting[65] = "", again[65] = "";
    bool good = chart_digests(whole, lasting) && !strcmp(lasting, lasting_digest) &&
                !strcmp(whole, whole_digest);
    if (!good)
        printf("# the chart is neither the one before nor the one after\n");
    if (make_chart() || !chart_digests(again, lasting) || strcmp(lasting, lasting_digest)) {
        printf("# the chart cannot be made again\n");
        good = false;
    }
    return good;
}

/* ---- an epoch goes ---- */

static void leave(struct door *door) {
    vault_writer_close(door->writer);
    sys_close(NULL, door->role_fd);
    sys_close(NULL, door->lock_fd);
}

/* What stops it when nothing was to fail is said. */
static void say(const struct fault *fault) {
    char line[512];
    fault_format(fault, line, sizeof line);
    if (!kernel_plan.is_made)
        printf("# %s\n", line);
}

static enum err drop_epoch(void) {
    struct unlocking unlocking = {.is_done = true};
    struct door door;
    struct epoch_look look;
    struct restated done;
    struct fault fault = {0};
    enum err err = door_open(&door, site_dir, &unlocking, &fault);
    if (!err) {
        err = epoch_look(&door, 1, &look, &fault);
        if (!err)
            err = restate_and_drop(&door, &config, &look, "a test", &done, &fault);
        leave(&door);
    }
    if (err)
        say(&fault);
    return err;
}

static bool restate(struct sys *sys) {
    arm(sys);
    kernel_begin(sys);
    enum err err = drop_epoch();
    kernel_end(sys);
    return err == ERR_OK;
}

static bool is_there(const char *relative) {
    char path[VAULT_PATH_BYTES_MAX];
    struct stat st;
    site_path(path, relative);
    return stat(path, &st) == 0;
}

static enum err count_blob(void *owner, const uint8_t name[TLOG_HASH_BYTES]) {
    (void)name;
    ++*(unsigned *)owner;
    return ERR_OK;
}

static bool end_restate(void) {
    char whole[65] = "", lasting[65] = "";
    unsigned blob_count = 0;
    struct vault_span span = {0, witness->erased_to};
    enum err err = drop_epoch();
    site_must(vault_blobs_each(NULL, site_dir, &span, count_blob, &blob_count, NULL), NULL);
    bool is_gone = !is_there("vault/keys/1") && !is_there("vault/keys/1.erasing") && !blob_count;
    if (err || !is_gone)
        printf("# the epoch does not go: %s\n", err_name(err));
    bool good = !err && is_gone && !make_chart() && chart_digests(whole, lasting) &&
                !strcmp(lasting, lasting_digest);
    if (!good)
        printf("# the chart does not hold what must outlast the epoch\n");
    return good;
}

/* ---- what both begin with ---- */

static struct prepared prepare_site(void) {
    struct sys sys;
    char path[VAULT_PATH_BYTES_MAX];
    run_make_site();
    sound_sys(&sys);
    struct vault_writer *writer = open_writer(&sys);
    for (unsigned i = 0; i < OLD_PATIENTS; i++)
        append_patient(writer, 1 + i);
    site_must(blob(writer, BLOB_N), NULL);
    witness->erased_to = vault_writer_durable_size(writer);
    site_must(vault_writer_rotate(writer, NULL), NULL);
    witness_epoch(vault_writer_epoch(writer));
    for (unsigned i = 0; i < NEW_PATIENTS; i++)
        append_patient(writer, 100 + i);
    site_must(publish(&sys, writer, vault_writer_durable_size(writer)), NULL);
    vault_writer_close(writer);
    site_path(path, "chart");
    site_must(sys_make_dirs(NULL, path, 0700, NULL), NULL);
    site_path(path, "run");
    site_must(sys_make_dirs(NULL, path, 0700, NULL), NULL);
    site_must(make_chart(), NULL);
    bool good = chart_digests(whole_digest, lasting_digest);
    assert(good);
    return prepare("site");
}

int main(void) {
    const struct sound_options sound = {0};
    sound_has_own_clock = true;
    fault_begin();
    config_default(&config);
    snprintf(config.node, sizeof config.node, "node1");
    struct prepared site = prepare_site();
    try_all(&(struct scenario){"a rebuild", &site, rebuild, sound, 16, 30, NULL, end_rebuild});
    site.witness->erased_epoch = 1;
    try_all(&(struct scenario){"an epoch goes", &site, restate, sound, 16, 40, NULL, end_restate});
    prepared_release(&site);
    run_clear();
    return done();
}
