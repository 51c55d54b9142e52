/* vault_test.c - the Nth system call of a vault's life fails: afterwards the vault opens, verifies, and holds everything that
 * was acknowledged.
 *
 * One life, twice: open, append and sync in batches through several segments, store a blob, publish, let published segments
 * go, append more, publish again, close. It is long, and N is sampled; the shorter lives of the other tests of tests/fault are
 * tried at every N. So is a blob's way in here. */
#include "fault/fault.h"

/* Failures are gone through, not round: a publisher that cannot publish does not stop the writer. */
static bool live(struct sys *sys) {
    bool failed = false;
    arm(sys);
    for (uint64_t life = 0; life < 2; life++) {
        struct vault_writer *writer = open_writer(sys);
        if (!writer)
            return false;
        uint64_t from = 100 + life * 1000;
        failed |= batch(writer, from, 3) != ERR_OK;
        failed |= batch(writer, from + 10, 5) != ERR_OK;
        failed |= life == 0 && blob(writer, 50) != ERR_OK;
        failed |= batch(writer, from + 20, 4) != ERR_OK;
        failed |= publish(sys, writer, vault_writer_durable_size(writer)) != ERR_OK;
        failed |= batch(writer, from + 30, 6) != ERR_OK;
        failed |= publish(sys, writer, vault_writer_durable_size(writer)) != ERR_OK;
        failed |= batch(writer, from + 40, 1) != ERR_OK;
        vault_writer_close(writer);
    }
    return !failed;
}

/* A second blob may follow one that failed. */
static bool store_blobs(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    bool good = batch(writer, 1, 2) == ERR_OK;
    arm(sys);
    good = blob(writer, 60) == ERR_OK && good;
    good = blob(writer, 61) == ERR_OK && good;
    good = batch(writer, 10, 2) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

/* Those whose batch failed may be sent again in another. */
static bool store_group(struct sys *sys) {
    struct vault_writer *writer = open_writer(sys);
    bool good = batch(writer, 1, 2) == ERR_OK;
    arm(sys);
    good = blob_group(writer, 60) == ERR_OK && good;
    good = blob(writer, 100) == ERR_OK && good;
    vault_writer_close(writer);
    return good;
}

int main(void) {
    fault_begin();
    run_make_site();
    const struct sound_options sound = {.keeps_origin = true};
    struct prepared empty = prepare("empty");
    try_all(&(struct scenario){"blobs", &empty, store_blobs, sound, 2, 20, NULL, NULL});
    try_all(&(struct scenario){"many blobs", &empty, store_group, sound, 2, 60, NULL, NULL});
    try_all(&(struct scenario){"a life", &empty, live, sound, 16, 400, NULL, NULL});
    prepared_release(&empty);
    run_clear();
    return done();
}
