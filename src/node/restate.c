/* restate.c - what must outlast an epoch is stated again, until the chart holds nothing of it; then the epoch is erased.
 *
 *   ask the chart --something is held--> append it again, let ended stays go --the chart has taken it--> ask again
 *                 \--nothing--> erase the key --> remove the blobs
 *   Killed anywhere, the next run begins by asking: what was stated again is not held by the old entry any more. */
#include "node/restate.h"

#include "chart/chart.h"
#include "facts/facts.h"
#include "node/site_chart.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHART_PATIENCE_US (300 * US_PER_S)
#define ROUNDS_MAX        3
#define LOOK_BACK         64u /* entries, to see that an epoch is young */
#define NOTE_BYTES_MAX    ((size_t)32 << 10)
#define HELD_BYTES_MAX    ((size_t)256 << 20)
#define MESSAGE_BYTES_MAX                                                                          \
    ((size_t)32 << 20) /* of facts of one message; beyond, it stays as it is */
#define BLOB_NAMES_MAX 1000000u

/* ---- looking at an epoch ---- */

static enum err see_entry(void *owner, const struct site_entry *seen, struct fault *fault) {
    struct epoch_look *look = owner;
    const struct vault_entry *entry = &seen->entry;
    int64_t at = entry->is_restated ? hlc_ms(entry->clock) * US_PER_MS : entry->received_at;
    (void)fault;
    /* The beginning of the next epoch stands open behind this one's entries; what is erased says nothing. */
    if (entry->kind == VAULT_KEY || bytes_is(entry->media_type, VAULT_ERASED_MEDIA_TYPE))
        return ERR_OK;
    look->fact_count += entry->kind == VAULT_FACT;
    if (at > look->newest_at)
        look->newest_at = at;
    if (!entry->is_restated && entry->clock > look->until)
        look->until = entry->clock;
    return ERR_OK;
}

static enum err see_clock(void *owner, const struct site_entry *seen, struct fault *fault) {
    hlc_stamp *newest = owner;
    (void)fault;
    if (seen->entry.kind != VAULT_KEY && seen->entry.clock > *newest)
        *newest = seen->entry.clock;
    return ERR_OK;
}

/* Erased spans that join onto entry 0, which anybody can read, and reach up to the epoch. */
struct reach {
    uint64_t to;
};

static enum err take_span(void *owner, const struct vault_span *span) {
    struct reach *reach = owner;
    if (span->from <= reach->to && span->to > reach->to)
        reach->to = span->to;
    return ERR_OK;
}

static bool has_key(const char *dir, uint32_t epoch) {
    char path[SITE_PATH_BYTES];
    struct stat st;
    snprintf(path, sizeof path, "%s/vault/keys/%u", dir, epoch);
    return !sys_stat(NULL, path, &st) || errno != ENOENT;
}

enum err epoch_look(const struct door *door, uint32_t epoch, struct epoch_look *look,
                    struct fault *fault) {
    const char *dir = door->site_dir;
    const struct vault_unlock *unlock = door->unlocking->unlock;
    struct reach reach = {1};
    *look = (struct epoch_look){.epoch = epoch, .newest_at = INSTANT_NONE};
    look->is_erased = !has_key(dir, epoch);
    enum err err = vault_epoch_range(NULL, dir, epoch, &look->span.from, &look->span.to, fault);
    if (!err)
        err = vault_erased_each(NULL, dir, take_span, &reach, fault);
    look->is_oldest = !err && reach.to >= look->span.from;
    if (!err && !look->is_erased)
        err = site_each_entry(NULL, dir, unlock, look->span.from, look->span.to, see_entry, look,
                              fault);
    if (!err && !look->is_erased && look->until == 0)
        err = site_each_entry(NULL, dir, unlock, look->span.from, look->span.to, see_clock,
                              &look->until, fault);
    return err;
}

enum err epoch_is_younger(const struct door *door, uint32_t epoch, int64_t at, bool *is_younger,
                          struct fault *fault) {
    struct epoch_look look = {.newest_at = INSTANT_NONE};
    uint64_t from, to;
    enum err err = vault_epoch_range(NULL, door->site_dir, epoch, &from, &to, fault);
    if (err)
        return err;
    if (to - from > LOOK_BACK)
        from = to - LOOK_BACK;
    err = site_each_entry(NULL, door->site_dir, door->unlocking->unlock, from, to, see_entry, &look,
                          fault);
    *is_younger = look.newest_at > at;
    return err;
}

enum err restate_lock(const char *dir, int *fd, struct fault *fault) {
    return site_role_lock(NULL, dir, "retain", fd, fault);
}

/* ---- asking the chart ---- */

struct restating {
    struct door *door;
    const struct config *config;
    struct zone zone;
    const struct epoch_look *look;
    struct chart_held held;
    struct arena held_arena, message_arena;
    struct restated *done;
};

/* So far that it has taken all that was durable when this was called. */
static enum err bring_chart_up(struct restating *restating, struct fault *fault) {
    const char *dir = restating->door->site_dir;
    if (!restating->door->is_linked)
        return site_chart_bring_current_up(dir, restating->door->unlocking->unlock,
                                           restating->config, fault);
    uint64_t size = site_vault_size(dir);
    if (size == 0)
        return fault_set(fault, ERR_IO, "the vault cannot be read");
    return site_chart_wait(dir, size, CHART_PATIENCE_US, fault);
}

static enum err open_chart(const char *dir, struct chart_reader **reader, struct fault *fault) {
    char path[SITE_PATH_BYTES];
    uint64_t generation;
    enum err err = chart_current_path(NULL, dir, path, sizeof path, &generation, fault);
    return err ? err : chart_reader_open(reader, path, fault);
}

static enum err ask_chart(struct restating *restating, struct fault *fault) {
    struct chart_reader *reader;
    arena_clear(&restating->held_arena);
    enum err err = bring_chart_up(restating, fault);
    if (!err)
        err = open_chart(restating->door->site_dir, &reader, fault);
    if (err)
        return err;
    err = chart_reader_begin(reader, fault);
    if (!err)
        err = chart_held(reader, &restating->held_arena, &restating->held, fault);
    chart_reader_end(reader);
    chart_reader_close(reader);
    return err;
}

static enum err begin(struct restating *restating, struct door *door, const struct config *config,
                      const struct epoch_look *look, struct restated *done, struct fault *fault) {
    *restating = (struct restating){.door = door, .config = config, .look = look, .done = done};
    restating->held =
        (struct chart_held){.span = look->span, .until = look->until, .is_oldest = look->is_oldest};
    arena_init(&restating->held_arena, HELD_BYTES_MAX);
    arena_init(&restating->message_arena, MESSAGE_BYTES_MAX);
    restating->held.parts = memory_alloc((size_t)(look->span.to - look->span.from), 1);
    enum err err = restating->held.parts ? zone_init(&restating->zone, config->zone, fault)
                                         : fault_set(fault, ERR_MEMORY, "no memory for an epoch");
    return err;
}

static void end(struct restating *restating) {
    memory_free(restating->held.parts);
    arena_release(&restating->held_arena);
    arena_release(&restating->message_arena);
}

/* ---- stating again ---- */

static unsigned parts_of(const struct restating *restating, uint64_t index) {
    return restating->held.parts[index - restating->look->span.from];
}

static struct append_request request_of(const struct restating *restating,
                                        const struct site_entry *held) {
    const struct vault_entry *entry = &held->entry;
    return (struct append_request){
        .kind = entry->kind == VAULT_NOTE ? VAULT_NOTE : VAULT_MESSAGE,
        .flags = entry->flags,
        .received_at = entry->received_at,
        .media_type = entry->media_type,
        .source = entry->source,
        .author = entry->author,
        .role = entry->role,
        .is_restated = true,
        .restated_index = entry->is_restated ? entry->restated_index : held->index,
        .restated_clock = entry->is_restated ? entry->restated_clock : entry->clock,
        .restated_parts = parts_of(restating, held->index),
    };
}

static bool is_message(const struct vault_entry *entry) {
    return bytes_is(entry->media_type, "application/hl7-v2");
}

static struct facts_context context_of(struct restating *restating,
                                       const struct vault_entry *entry) {
    return (struct facts_context){.received_at = entry->received_at,
                                  .zone = &restating->zone,
                                  .otherwise = restating->config->characters};
}

/* Of a message only what has to stay; where that cannot be told for want of memory, all of it. */
static enum err state_small_again(struct restating *restating, const struct site_entry *held,
                                  struct fault *fault) {
    struct append_request request = request_of(restating, held);
    struct facts_context context = context_of(restating, &held->entry);
    request.body = held->entry.body;
    arena_clear(&restating->message_arena);
    if (is_message(&held->entry) &&
        facts_excerpt(held->entry.body, request.restated_parts, &context, &restating->message_arena,
                      &request.body))
        request.body = held->entry.body;
    return door_append(restating->door, &request, fault);
}

/* ---- what is too large to be held: read once to see what can be left out, then once more on its way into the vault ---- */

struct thinning {
    struct hl7_thin whole, part; /* as the chart reads them */
    struct facts_sieve sieve;
};

/* What goes beyond the room is left out, of both alike. */
static enum err put_thinned(void *owner, struct bytes piece) {
    (void)hl7_thin_feed(owner, piece);
    return ERR_OK;
}

static enum err thin_piece(void *owner, struct bytes piece) {
    struct thinning *thinning = owner;
    enum err err = put_thinned(&thinning->whole, piece);
    return err ? err : facts_sieve_feed(&thinning->sieve, piece);
}

/* *is_less: what stays says the same. Where that cannot be told, for want of memory too, all of it stays. */
static enum err see_both(struct restating *restating, const struct site_entry *held,
                         struct thinning *thinning, bool *is_less, struct fault *fault) {
    struct facts_context context = context_of(restating, &held->entry);
    enum err err = site_entry_body(held, thin_piece, thinning, fault);
    if (!err)
        err = facts_sieve_end(&thinning->sieve);
    if (err || thinning->sieve.is_whole)
        return err;
    arena_clear(&restating->message_arena);
    if (facts_say_the_same(&thinning->whole, &thinning->part, parts_of(restating, held->index),
                           &context, &restating->message_arena, is_less))
        *is_less = false;
    return ERR_OK;
}

static enum err can_be_less(struct restating *restating, const struct site_entry *held,
                            bool *is_less, struct fault *fault) {
    struct thinning *thinning = &(struct thinning){0};
    *is_less = false;
    if (!is_message(&held->entry) ||
        !facts_sieve_init(&thinning->sieve, held->entry.body, parts_of(restating, held->index),
                          put_thinned, &thinning->part))
        return ERR_OK;
    uint8_t *room = memory_alloc(2, FACTS_THIN_BYTES_MAX);
    if (!room)
        return fault_set(fault, ERR_MEMORY, "no memory for a large message");
    hl7_thin_init(&thinning->whole, room, FACTS_THIN_BYTES_MAX, FACTS_FIELD_BYTES_MAX);
    hl7_thin_init(&thinning->part, room + FACTS_THIN_BYTES_MAX, FACTS_THIN_BYTES_MAX,
                  FACTS_FIELD_BYTES_MAX);
    enum err err = see_both(restating, held, thinning, is_less, fault);
    memory_free(room);
    return err;
}

/* On its way: held as long as it fits into an entry, uploaded from there on. */
struct sending {
    struct door *door;
    struct fault *fault;
    struct door_upload upload;
    bool is_upload;
    size_t filled;
    uint8_t begun[VAULT_INLINE_BYTES_MAX];
};

static enum err send_piece(void *owner, struct bytes piece) {
    struct sending *sending = owner;
    enum err err = ERR_OK;
    if (!sending->is_upload && piece.size <= sizeof sending->begun - sending->filled) {
        memcpy(sending->begun + sending->filled, piece.data, piece.size);
        sending->filled += piece.size;
        return ERR_OK;
    }
    if (!sending->is_upload) {
        err = door_upload_begin(sending->door, &sending->upload, sending->fault);
        sending->is_upload = !err;
        if (!err)
            err = door_upload_feed(sending->door, &sending->upload,
                                   bytes_from(sending->begun, sending->filled), sending->fault);
    }
    return err ? err : door_upload_feed(sending->door, &sending->upload, piece, sending->fault);
}

static enum err sieve_piece(void *owner, struct bytes piece) {
    return facts_sieve_feed(owner, piece);
}

static enum err send_body(struct sending *sending, const struct site_entry *held, unsigned parts,
                          bool is_less, struct fault *fault) {
    struct facts_sieve sieve;
    if (!is_less)
        return site_entry_body(held, send_piece, sending, fault);
    if (!facts_sieve_init(&sieve, held->entry.body, parts, send_piece, sending))
        return fault_set(fault, ERR_CORRUPT, "a message is not what it was a moment ago");
    enum err err = site_entry_body(held, sieve_piece, &sieve, fault);
    return err ? err : facts_sieve_end(&sieve);
}

static enum err state_large_again(struct restating *restating, const struct site_entry *held,
                                  struct fault *fault) {
    struct append_request request = request_of(restating, held);
    struct sending sending = {.door = restating->door, .fault = fault};
    bool is_less;
    enum err err = can_be_less(restating, held, &is_less, fault);
    if (!err)
        err = send_body(&sending, held, request.restated_parts, is_less, fault);
    if (!err && sending.is_upload)
        return door_upload_end(restating->door, &sending.upload, &request, fault);
    if (sending.is_upload)
        door_upload_abort(&sending.upload);
    request.body = bytes_from(sending.begun, sending.filled);
    return err ? err : door_append(restating->door, &request, fault);
}

static enum err state_again(void *owner, const struct site_entry *held, struct fault *fault) {
    struct restating *restating = owner;
    if (parts_of(restating, held->index) == 0)
        return ERR_OK;
    enum err err = site_entry_is_large(held) ? state_large_again(restating, held, fault)
                                             : state_small_again(restating, held, fault);
    restating->done->entry_count += !err;
    return err;
}

static enum err append_note(struct restating *restating, struct text *body, struct fault *fault) {
    if (body->size == 0)
        return ERR_OK;
    struct append_request request = {
        .kind = VAULT_NOTE,
        .received_at = sys_now_us(NULL),
        .media_type = BYTES(CHART_LET_GO_MEDIA_TYPE),
        .source = BYTES("retention"),
        .body = text_bytes(body),
    };
    enum err err = door_append(restating->door, &request, fault);
    text_clear(body);
    return err;
}

static enum err let_go(struct restating *restating, struct fault *fault) {
    char buffer[NOTE_BYTES_MAX + 8192];
    struct text body;
    enum err err = ERR_OK;
    text_init(&body, buffer, sizeof buffer);
    for (size_t i = 0; i < restating->held.let_go_count && !err; i++) {
        chart_let_go_put(&body, &restating->held.let_go[i]);
        if (body.full)
            return fault_set(fault, ERR_LIMIT, "a stay's number is too long");
        if (body.size > NOTE_BYTES_MAX)
            err = append_note(restating, &body, fault);
        restating->done->stay_count += !err;
    }
    return err ? err : append_note(restating, &body, fault);
}

static enum err restate(struct restating *restating, struct fault *fault) {
    const struct chart_held *held = &restating->held;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        enum err err = ask_chart(restating, fault);
        if (err || (held->count == 0 && held->let_go_count == 0))
            return err;
        err = site_each_entry(NULL, restating->door->site_dir, restating->door->unlocking->unlock,
                              held->span.from, held->span.to, state_again, restating, fault);
        if (!err)
            err = let_go(restating, fault);
        if (!err)
            err = door_settle(restating->door, fault);
        if (err)
            return err;
    }
    return fault_set_at(fault, ERR_STATE,
                        "it holds entries that cannot be stated again; how many:", held->count);
}

/* ---- blobs ---- */

struct names {
    uint8_t *list;
    size_t count, capacity;
};

static enum err take_name(void *owner, const uint8_t name[TLOG_HASH_BYTES]) {
    struct names *names = owner;
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 256;
        uint8_t *longer =
            capacity <= BLOB_NAMES_MAX ? memory_grow(names->list, capacity, TLOG_HASH_BYTES) : NULL;
        if (!longer)
            return ERR_INTERRUPTED; /* the next run removes the rest */
        names->list = longer;
        names->capacity = capacity;
    }
    memcpy(names->list + TLOG_HASH_BYTES * names->count++, name, TLOG_HASH_BYTES);
    return ERR_OK;
}

/* Their names stand in the headers of the epoch's own entries, and, because each is sealed to the epoch it was taken in, in no
 * others. */
static enum err drop_blobs(struct door *door, const struct epoch_look *look, uint64_t *dropped,
                           struct fault *fault) {
    struct names names = {0};
    enum err err = vault_blobs_each(NULL, door->site_dir, &look->span, take_name, &names, fault);
    if (err == ERR_INTERRUPTED)
        err = ERR_OK;
    for (size_t at = 0; at < names.count && !err; at += KEYS_BLOB_COUNT_MAX) {
        size_t count =
            names.count - at < KEYS_BLOB_COUNT_MAX ? names.count - at : KEYS_BLOB_COUNT_MAX;
        struct keys_request request = {
            .order = KEYS_DROP_BLOBS,
            .epoch = look->epoch,
            .names = bytes_from(names.list + at * TLOG_HASH_BYTES, count * TLOG_HASH_BYTES),
        };
        uint64_t number = 0;
        err = door_order(door, &request, &number, fault);
        *dropped += number;
    }
    memory_free(names.list);
    return err;
}

/* ---- what a killed run leaves ---- */

static void mark_path(char path[SITE_PATH_BYTES], const char *dir) {
    snprintf(path, SITE_PATH_BYTES, "%s/cache/erasing", dir);
}

/* A cache: without it blobs that nobody can open may stay. */
static void mark(const char *dir, uint32_t epoch) {
    char path[SITE_PATH_BYTES], line[16];
    struct fault none = {0};
    int size = snprintf(line, sizeof line, "%u\n", epoch);
    mark_path(path, dir);
    if (sys_replace_file(NULL, path, bytes_from(line, (size_t)size), 0600, &none))
        return;
}

static void unmark(const char *dir) {
    char path[SITE_PATH_BYTES];
    mark_path(path, dir);
    if (sys_unlink(NULL, path))
        return; /* then the next run looks once more */
}

uint32_t restate_interrupted(const char *dir) {
    char path[SITE_PATH_BYTES], buffer[32];
    size_t size = 0;
    uint64_t epoch;
    struct fault none = {0};
    mark_path(path, dir);
    if (sys_read_file(NULL, path, buffer, sizeof buffer, &size, &none) ||
        !bytes_to_u64(bytes_trim(bytes_from(buffer, size)), &epoch) || epoch > UINT32_MAX)
        return 0;
    return (uint32_t)epoch;
}

/* ---- all of it ---- */

enum err restate_count(struct door *door, const struct config *config,
                       const struct epoch_look *look, struct restated *count, struct fault *fault) {
    struct restating restating;
    *count = (struct restated){0};
    enum err err = begin(&restating, door, config, look, count, fault);
    if (!err)
        err = ask_chart(&restating, fault);
    count->entry_count = restating.held.count;
    count->stay_count = restating.held.let_go_count;
    end(&restating);
    return err;
}

static enum err may_drop(const struct epoch_look *look, struct fault *fault) {
    return look->fact_count
               ? fault_set_at(fault, ERR_STATE,
                              "this epoch holds entries of a downtime that were not given back:",
                              look->fact_count)
               : ERR_OK;
}

enum err restate_and_drop(struct door *door, const struct config *config,
                          const struct epoch_look *look, const char *why, struct restated *done,
                          struct fault *fault) {
    struct restating restating;
    struct keys_request erase = {
        .order = KEYS_ERASE, .epoch = look->epoch, .why = bytes_from_string(why)};
    uint64_t now;
    *done = (struct restated){0};
    enum err err = may_drop(look, fault);
    if (err)
        return err;
    if (!look->is_erased) {
        err = begin(&restating, door, config, look, done, fault);
        if (!err)
            err = restate(&restating, fault);
        end(&restating);
    }
    if (!err && !look->is_erased) {
        site_chart_note_erased(door->site_dir);
        mark(door->site_dir, look->epoch);
        err = door_order(door, &erase, &now, fault);
    }
    if (!err)
        err = drop_blobs(door, look, &done->blob_count, fault);
    if (!err)
        unmark(door->site_dir);
    return err;
}
