/* as_of.c - a chart of the past knows what it is of, and says so.
 *
 * Invariants
 *   `past` stands from the transaction that makes the tables; what the chart is of, only once every row stands. A file whose
 *   making was interrupted is therefore neither of the present nor of the past: nobody reads it. */
#include "chart/as_of.h"

/* A limit that was not given has no row. */
static const struct number {
    const char *name;
    size_t at;
} instants[] = {{"as_of", offsetof(struct chart_as_of, at)},
                {"as_of_until", offsetof(struct chart_as_of, until)},
                {"as_of_made_at", offsetof(struct chart_as_of, made_at)}},
  entries[] = {{"as_of_until_entry", offsetof(struct chart_as_of, until_entry)},
               {"as_of_newest_entry", offsetof(struct chart_as_of, newest_entry)},
               {"as_of_doubtful", offsetof(struct chart_as_of, doubtful_count)}};
enum { NUMBER_COUNT = 3 };

static int64_t *instant_of(struct chart_as_of *as_of, size_t i) {
    return (int64_t *)((char *)as_of + instants[i].at);
}

static uint64_t *entry_of(struct chart_as_of *as_of, size_t i) {
    return (uint64_t *)((char *)as_of + entries[i].at);
}

enum err as_of_begin(struct db *db, struct fault *fault) {
    return db_meta_set(db, "past", 1, fault);
}

bool as_of_is_begun(struct db *db) {
    int64_t is_past;
    return !db_meta_get(db, "past", &is_past, NULL);
}

enum err as_of_write(struct db *db, const struct chart_as_of *as_of, struct fault *fault) {
    struct chart_as_of copy = *as_of;
    enum err err = ERR_OK;
    for (size_t i = 0; i < NUMBER_COUNT && !err; i++)
        if (*instant_of(&copy, i) != INSTANT_NONE)
            err = db_meta_set(db, instants[i].name, *instant_of(&copy, i), fault);
    for (size_t i = 0; i < NUMBER_COUNT && !err; i++)
        if (*entry_of(&copy, i) != CHART_NO_ENTRY)
            err = db_meta_set(db, entries[i].name, (int64_t)*entry_of(&copy, i), fault);
    if (!err)
        err = db_meta_set_text(db, "as_of_made_by", bytes_from_string(copy.made_by), fault);
    return err ? err
               : db_meta_set_text(db, "as_of_made_on", bytes_from_string(copy.made_on), fault);
}

enum err as_of_read(struct db *db, struct chart_as_of *as_of, struct fault *fault) {
    *as_of =
        (struct chart_as_of){.at = INSTANT_NONE, .until = INSTANT_NONE, .made_at = INSTANT_NONE};
    if (!as_of_is_begun(db))
        return ERR_OK;
    enum err err = ERR_OK;
    for (size_t i = 0; i < NUMBER_COUNT && !err; i++) {
        err = db_meta_get(db, instants[i].name, instant_of(as_of, i), fault);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    for (size_t i = 0; i < NUMBER_COUNT && !err; i++) {
        int64_t number = -1;
        err = db_meta_get(db, entries[i].name, &number, fault);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
        *entry_of(as_of, i) = number < 0 ? CHART_NO_ENTRY : (uint64_t)number;
    }
    if (!err)
        err = db_meta_get_text(db, "as_of_made_by", as_of->made_by, sizeof as_of->made_by, fault);
    if (!err)
        err = db_meta_get_text(db, "as_of_made_on", as_of->made_on, sizeof as_of->made_on, fault);
    if (!err && as_of->at == INSTANT_NONE)
        err =
            fault_set(fault, ERR_STATE, "this chart of the past was never finished: make it again");
    return err;
}

static void put_entry(struct json *json, const char *name, uint64_t entry) {
    json_name(json, name);
    if (entry == CHART_NO_ENTRY)
        json_put_null(json);
    else
        json_put_u64(json, entry);
}

void chart_put_as_of(struct json *json, const struct chart_as_of *as_of) {
    json_name(json, "as_of");
    if (as_of->at == INSTANT_NONE) {
        json_put_null(json);
        return;
    }
    json_object_begin(json);
    json_member_instant(json, "at", as_of->at);
    json_member_instant(json, "until", as_of->until);
    put_entry(json, "until_entry", as_of->until_entry);
    put_entry(json, "newest_entry", as_of->newest_entry);
    json_member_u64(json, "clock_doubtful", as_of->doubtful_count);
    json_member_instant(json, "made_at", as_of->made_at);
    json_member_bytes(json, "made_by", bytes_from_string(as_of->made_by));
    json_member_bytes(json, "made_on", bytes_from_string(as_of->made_on));
    json_object_end(json);
}
