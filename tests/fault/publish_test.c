/* publish_test.c - the Nth system call of publishing fails, for every N: at the very first signature, across full tiles, when the
 * next epoch of the origin begins, and when signed entries are missing. No two trees of one size are ever signed under one
 * origin, and what was published is there. */
#include "fault/fault.h"

#define FRESH 4u   /* entries of a site that has never been signed */
#define TAIL  264u /* of one that was published up to 250 */

/* In steps, as the publish role does: whole bundles first, then the rest. */
static bool across_a_tile(struct sys *sys) {
    struct vault_publisher *publisher;
    uint64_t published = 0;
    arm(sys);
    if (vault_publisher_open(&publisher, sys, site_dir, NULL, memory_dir, NULL))
        return false;
    bool good = vault_publish(publisher, TAIL, true, &published, NULL) == ERR_OK;
    good = publish_to(publisher, TAIL, &published) == ERR_OK && good;
    vault_publisher_close(publisher);
    return good;
}

static bool first_of_all(struct sys *sys) {
    arm(sys);
    return publish(sys, NULL, FRESH) == ERR_OK;
}

/* The writer lives beside, and takes its segments away as soon as it is told that they are published. */
static bool with_a_writer(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    bool good = batch(writer, 1000, 3) == ERR_OK;
    arm(sys);
    good = publish(sys, writer, vault_writer_durable_size(writer)) == ERR_OK && good;
    good = batch(writer, 1010, 3) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

/* In one life, without a start between: more comes while publishing fails. */
static bool in_one_life(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    struct vault_publisher *publisher;
    uint64_t published;
    bool good = batch(writer, 1000, 3) == ERR_OK;
    enum err err = vault_publisher_open(&publisher, sys, site_dir, NULL, memory_dir, NULL);
    site_must(err, NULL);
    arm(sys);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t size = vault_writer_durable_size(writer);
        err = vault_publish(publisher, size, false, &published, NULL);
        if (!err)
            vault_writer_published(writer, published);
        good = !err && batch(writer, 1010 + 10 * i, 3) == ERR_OK && good;
    }
    vault_publisher_close(publisher);
    vault_writer_close(writer);
    return good;
}

static bool a_new_origin(struct sys *sys) {
    arm(sys);
    return publish(sys, NULL, TAIL) == ERR_OK;
}

static struct prepared prepare_tail(const char *name, uint64_t published, uint64_t durable) {
    struct sys sys;
    run_make_site();
    sound_sys(&sys);
    struct vault_writer *writer = open_writer(&sys);
    for (uint64_t at = 1; at < durable; at += 64)
        site_must(batch(writer, at, at + 64 < durable ? 64 : durable - at), NULL);
    if (published)
        site_must(publish(&sys, writer, published), NULL);
    vault_writer_close(writer);
    return prepare(name);
}

/* A machine that was started anew: nothing outside the disk says what was signed last. */
static struct prepared prepare_started_anew(const struct prepared *from) {
    char path[VAULT_PATH_BYTES_MAX];
    run_begin(from);
    run_path(path, "run/memory");
    nftw(path, site_remove_one, 32, FTW_DEPTH | FTW_PHYS);
    int result = mkdir(memory_dir, 0755);
    assert(result == 0);
    return prepare("started-anew");
}

/* Signed, not yet visible, and then the newest segment lost its last batch: what comes now cannot have the same name. */
static struct prepared prepare_lost(void) {
    struct sys sys;
    struct vault_publisher *publisher;
    char path[VAULT_PATH_BYTES_MAX], blocked[VAULT_PATH_BYTES_MAX];
    uint64_t published;
    run_make_site();
    sound_sys(&sys);
    struct vault_writer *writer = open_writer(&sys);
    site_must(batch(writer, 1, 20), NULL);
    site_must(publish(&sys, writer, 15), NULL);
    vault_writer_close(writer);
    writer = open_writer(&sys);
    struct witness before = *witness;
    site_must(batch(writer, 100, 4), NULL);
    uint64_t size = vault_writer_durable_size(writer);
    vault_writer_close(writer);
    site_must(vault_publisher_open(&publisher, &sys, site_dir, NULL, memory_dir, NULL), NULL);
    site_path(blocked, "vault/tile/0/000.p/25");
    assert(size == 25);
    int result = mkdir(blocked, 0755); /* no tile of this name can be put there */
    assert(result == 0);
    enum err err = vault_publish(publisher, size, false, &published, NULL);
    assert(err);
    vault_publisher_close(publisher);
    result = rmdir(blocked);
    segment_path(path, (site_path(blocked, "vault"), blocked), 21);
    result |= truncate(path, 0);
    assert(result == 0);
    *witness = before;
    return prepare("lost");
}

static bool after_a_loss(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    struct vault_publisher *publisher;
    uint64_t published, size = vault_writer_durable_size(writer);
    enum err err = vault_publisher_open(&publisher, sys, site_dir, NULL, memory_dir, NULL);
    site_must(err, NULL);
    assert(size == 21);
    arm(sys);
    bool good = vault_publish(publisher, size, false, &published, NULL) == ERR_OK;
    good = batch(writer, 1000, 6) == ERR_OK && good;
    good = publish_to(publisher, vault_writer_durable_size(writer), &published) == ERR_OK && good;
    vault_publisher_close(publisher);
    vault_writer_close(writer);
    return good;
}

int main(void) {
    const struct sound_options kept = {.keeps_origin = true}, anew = {0},
                               lost = {.may_differ = true};
    fault_begin();
    struct prepared fresh = prepare_tail("fresh", 0, FRESH), tail = prepare_tail("tail", 250, TAIL),
                    started = prepare_started_anew(&tail), missing = prepare_lost();
    try_all(
        &(struct scenario){"the first signature", &fresh, first_of_all, kept, 1, 50, NULL, NULL});
    try_all(&(struct scenario){"across a tile", &tail, across_a_tile, kept, 1, 100, NULL, NULL});
    try_all(&(struct scenario){"with a writer", &tail, with_a_writer, kept, 8, 100, NULL, NULL});
    try_all(&(struct scenario){"in one life", &tail, in_one_life, kept, 8, 100, NULL, NULL});
    try_all(&(struct scenario){"a new origin", &started, a_new_origin, anew, 6, 100, NULL, NULL});
    try_all(&(struct scenario){"after a loss", &missing, after_a_loss, lost, 8, 50, NULL, NULL});
    prepared_release(&fresh);
    prepared_release(&tail);
    prepared_release(&started);
    prepared_release(&missing);
    run_clear();
    return done();
}
