/* writer.c - takes entries into the chart: a batch in memory, then one transaction.
 *
 * Invariants
 *   The applied index is in the same transaction as everything the entries below it made.
 *   A record is read at most once a batch and written at most once, however many messages are about it.
 *   Every row is the greatest statement by its key, or one of a set: the order of entries does not matter.
 *
 *   idle --take--> in a batch --take*--> commit: records, derived rows, applied index --> idle
 */
#include "chart/profile.h"
#include "chart/writer.h"

#include "base/embedded.h"
#include "base/pool.h"
#include "chart/as_of.h"

#include <assert.h>
#include <stdio.h>

extern const struct embedded chart_schema[];

#define BATCH_BYTES_MAX   ((size_t)512 << 20)
#define MESSAGE_BYTES_MAX ((size_t)512 << 20)
#define COMMIT_AT_BYTES   ((size_t)48 << 20)
#define CACHE_BYTES       ((size_t)64 << 20)

/* ---- opening ---- */

static enum err set_pragmas(struct chart_writer *writer, struct fault *fault) {
    char line[64];
    size_t cache = writer->options.cache_bytes ? writer->options.cache_bytes : CACHE_BYTES;
    enum err err = db_exec(&writer->db, "PRAGMA page_size = 8192", fault);
    if (!err)
        err = db_exec(&writer->db, "PRAGMA journal_mode = WAL", fault);
    if (!err)
        err = db_exec(&writer->db,
                      writer->options.is_rebuild ? "PRAGMA synchronous = OFF"
                                                 : "PRAGMA synchronous = NORMAL",
                      fault);
    if (!err)
        err = db_exec(&writer->db, "PRAGMA wal_autocheckpoint = 4000", fault);
    if (!err) /* a log that grew is cut back: it takes the room of what people enter */
        err = db_exec(&writer->db, "PRAGMA journal_size_limit = 33554432", fault);
    /* A pragma takes no bound value; this one is a number of ours. */
    snprintf(line, sizeof line, "PRAGMA cache_size = -%zu", cache / 1024);
    return err ? err : db_exec(&writer->db, line, fault);
}

static enum err make_schema(struct chart_writer *writer, struct fault *fault) {
    enum err err = db_exec(&writer->db, "BEGIN IMMEDIATE", fault);
    if (!err)
        err = db_exec(&writer->db, (const char *)chart_schema[0].content.data, fault);
    if (!err)
        err = db_meta_set(&writer->db, "schema", CHART_SCHEMA_VERSION, fault);
    if (!err)
        err = db_meta_set(&writer->db, "translator", CHART_TRANSLATOR_VERSION, fault);
    if (!err)
        err = db_meta_set(&writer->db, "applied", 0, fault);
    if (!err && writer->options.is_past)
        err = as_of_begin(&writer->db, fault);
    return err ? err : db_exec(&writer->db, "COMMIT", fault);
}

static enum err check_version(struct chart_writer *writer, struct fault *fault) {
    int64_t schema = 0, translator = 0;
    struct fault own = {0};
    enum err err = db_meta_get(&writer->db, "schema", &schema, &own);
    if (err) /* no meta table: a new file, or one that was never finished */
        return make_schema(writer, fault);
    err = db_meta_get(&writer->db, "translator", &translator, fault);
    if (err)
        return err;
    if (schema != CHART_SCHEMA_VERSION || translator != CHART_TRANSLATOR_VERSION)
        return fault_set(fault, ERR_STATE, "this chart was made by another version");
    return as_of_is_begun(&writer->db)
               ? fault_set(fault, ERR_STATE,
                           "this is a chart of the past: it takes no more entries")
               : ERR_OK;
}

static int64_t meta_or(struct chart_writer *writer, const char *name, int64_t otherwise) {
    int64_t number;
    return db_meta_get(&writer->db, name, &number, NULL) ? otherwise : number;
}

static enum err max_id(struct chart_writer *writer, const char *sql, uint64_t *next,
                       struct fault *fault) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(writer->db.handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fail(&writer->db, "the chart cannot be read", fault);
    *next = sqlite3_step(statement) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) + 1
                                                  : 1;
    sqlite3_finalize(statement);
    return ERR_OK;
}

static void feed_unpack(struct feed *feed, struct bytes record) {
    struct unpack in = {record, false};
    struct chart_feed *f = &feed->figures;
    f->message_count = unpack_u64(&in);
    f->aside_count = unpack_u64(&in);
    f->mismatch_count = unpack_u64(&in);
    f->warning_count = unpack_u64(&in);
    f->newest_own_time = unpack_i64(&in);
    f->newest_received_at = unpack_i64(&in);
    f->first_received_at = unpack_i64(&in);
    f->newest_movement_at = unpack_i64(&in);
    f->newest_result_at = unpack_i64(&in);
    f->newest_medication_at = unpack_i64(&in);
    profile_unpack(&in, &f->profile);
}

static void feed_pack(const struct feed *feed, struct text *out) {
    const struct chart_feed *f = &feed->figures;
    pack_u64(out, f->message_count);
    pack_u64(out, f->aside_count);
    pack_u64(out, f->mismatch_count);
    pack_u64(out, f->warning_count);
    pack_i64(out, f->newest_own_time);
    pack_i64(out, f->newest_received_at);
    pack_i64(out, f->first_received_at);
    pack_i64(out, f->newest_movement_at);
    pack_i64(out, f->newest_result_at);
    pack_i64(out, f->newest_medication_at);
    profile_pack(&f->profile, out);
}

static struct feed *add_feed(struct chart_writer *writer, uint64_t id, struct bytes application,
                             struct bytes facility) {
    struct feed *feed = arena_alloc(&writer->feed_arena, sizeof *feed);
    if (!feed)
        return NULL;
    *feed = (struct feed){
        .id = id,
        .application = arena_copy(&writer->feed_arena, application),
        .facility = arena_copy(&writer->feed_arena, facility),
        .figures = {.newest_own_time = INSTANT_NONE,
                    .newest_received_at = INSTANT_NONE,
                    .first_received_at = INSTANT_NONE,
                    .newest_movement_at = INSTANT_NONE,
                    .newest_result_at = INSTANT_NONE,
                    .newest_medication_at = INSTANT_NONE},
        .next = writer->feeds,
    };
    writer->feeds = feed;
    return feed;
}

static enum err load_feeds(struct chart_writer *writer, struct fault *fault) {
    sqlite3_stmt *rows = db_statement(&writer->db, SQL_FEED_ALL, fault);
    enum err err;
    while (!(err = db_next(&writer->db, rows, fault))) {
        uint64_t id = (uint64_t)sqlite3_column_int64(rows, 0);
        struct feed *feed =
            add_feed(writer, id, db_column_bytes(rows, 1), db_column_bytes(rows, 2));
        if (!feed)
            return fault_set(fault, ERR_LIMIT, "too many senders");
        feed_unpack(feed, db_column_bytes(rows, 3));
        writer->next_feed = id + 1;
    }
    return err == ERR_MORE ? ERR_OK : err;
}

static enum err load_state(struct chart_writer *writer, struct fault *fault) {
    writer->applied = (uint64_t)meta_or(writer, "applied", 0);
    writer->entry_count = (uint64_t)meta_or(writer, "entries", 0);
    writer->newest_received_at = meta_or(writer, "newest_received_at", INSTANT_NONE);
    writer->first_received_at = meta_or(writer, "first_received_at", INSTANT_NONE);
    writer->census_as_of = meta_or(writer, "census_as_of", INSTANT_NONE);
    writer->next_feed = 1;
    enum err err =
        max_id(writer, "SELECT ifnull(max(id), 0) FROM subject", &writer->next_subject, fault);
    if (!err)
        err = max_id(writer, "SELECT ifnull(max(id), 0) FROM visit", &writer->next_visit, fault);
    return err ? err : load_feeds(writer, fault);
}

/* The caller's list ends with the call. */
static enum err keep_authorities(struct chart_writer *writer, struct fault *fault) {
    size_t count = writer->options.authority_count;
    struct facts_authority *list = arena_array(&writer->feed_arena, count, sizeof *list);
    if (count && !list)
        return fault_set(fault, ERR_MEMORY, "no memory for a chart");
    for (size_t i = 0; i < count; i++) {
        const struct facts_authority *given = &writer->options.authorities[i];
        list[i] = (struct facts_authority){arena_copy(&writer->feed_arena, given->name),
                                           arena_copy(&writer->feed_arena, given->system),
                                           arena_copy(&writer->feed_arena, given->type)};
    }
    writer->options.authorities = list;
    return ERR_OK;
}

enum err chart_writer_open(struct chart_writer **out, const char *path,
                           const struct chart_options *options, struct fault *fault) {
    struct chart_writer *writer = memory_alloc(1, sizeof *writer);
    if (!writer)
        return fault_set(fault, ERR_MEMORY, "no memory for a chart");
    writer->options = *options;
    arena_init(&writer->batch, BATCH_BYTES_MAX);
    arena_init(&writer->message, MESSAGE_BYTES_MAX);
    arena_init(&writer->feed_arena, (size_t)16 << 20);
    writer->scratch = memory_alloc(1, SCRATCH_BYTES);
    enum err err = writer->scratch ? ERR_OK : fault_set(fault, ERR_MEMORY, "no memory for a chart");
    if (!err)
        err = zone_init(&writer->zone, options->zone ? options->zone : "Europe/Paris", fault);
    if (!err)
        err = db_open(&writer->db, path, true, fault);
    if (!err)
        err = keep_authorities(writer, fault);
    if (!err)
        err = set_pragmas(writer, fault);
    if (!err)
        err = check_version(writer, fault);
    if (!err)
        err = load_state(writer, fault);
    if (err) {
        chart_writer_close(writer);
        return err;
    }
    *out = writer;
    return ERR_OK;
}

void chart_writer_close(struct chart_writer *writer) {
    if (!writer)
        return;
    db_close(&writer->db);
    arena_release(&writer->batch);
    arena_release(&writer->message);
    arena_release(&writer->feed_arena);
    memory_free(writer->scratch);
    memory_free(writer->large.out);
    memory_free(writer->whole);
    memory_free(writer);
}

uint64_t chart_writer_applied(const struct chart_writer *writer) {
    return writer->applied;
}

/* ---- records of the batch ---- */

static uint32_t slot_of(const struct fact_identifier *identifier) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    const struct bytes parts[] = {identifier->number, identifier->authority, identifier->type};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < parts[i].size; k++)
            hash = (hash ^ parts[i].data[k]) * 16777619u;
        hash = (hash ^ 0x1F) * 16777619u;
    }
    return hash % SLOTS;
}

static void bind_identifier(sqlite3_stmt *find, const struct fact_identifier *identifier) {
    db_bind_bytes(find, 1, identifier->number);
    db_bind_bytes(find, 2, identifier->authority);
    db_bind_bytes(find, 3, identifier->type);
}

static struct fact_identifier copy_identifier(struct chart_writer *writer,
                                              const struct fact_identifier *identifier) {
    return (struct fact_identifier){arena_copy(&writer->batch, identifier->authority),
                                    arena_copy(&writer->batch, identifier->type),
                                    arena_copy(&writer->batch, identifier->number)};
}

static struct subject *new_subject(struct chart_writer *writer,
                                   const struct fact_identifier *identifier) {
    struct subject *subject = arena_alloc(&writer->batch, sizeof *subject);
    if (!subject)
        return NULL;
    subject->identifier = copy_identifier(writer, identifier);
    subject->newest_result_at = subject->touched_at = INSTANT_NONE;
    subject->named_entry = ENTRY_NONE;
    struct subject **slot = &writer->subject_slots[slot_of(identifier)];
    subject->next_in_slot = *slot;
    *slot = subject;
    subject->next_in_batch = writer->subjects;
    writer->subjects = subject;
    return subject;
}

/* A number seen for the first time gets its row at once, so that everything can refer to it. */
static enum err insert_subject(struct chart_writer *writer, struct subject *subject,
                               struct fault *fault) {
    subject->id = writer->next_subject++;
    sqlite3_stmt *put = db_statement(&writer->db, SQL_SUBJECT_PUT, fault);
    db_bind_i64(put, 1, (int64_t)subject->id);
    db_bind_bytes(put, 2, subject->identifier.authority);
    db_bind_bytes(put, 3, subject->identifier.type);
    db_bind_bytes(put, 4, subject->identifier.number);
    db_bind_blob(put, 5, BYTES_NONE);
    db_bind_i64(put, 6, names_number(&subject->identifier));
    subject->is_new = subject->is_dirty = true;
    return db_run(&writer->db, put, fault);
}

enum err writer_subject(struct chart_writer *writer, const struct fact_identifier *identifier,
                        struct subject **out, struct fault *fault) {
    for (struct subject *s = writer->subject_slots[slot_of(identifier)]; s; s = s->next_in_slot)
        if (identifier_is(&s->identifier, identifier)) {
            *out = s;
            return ERR_OK;
        }
    struct subject *subject = *out = new_subject(writer, identifier);
    if (!subject)
        return fault_set(fault, ERR_LIMIT, "the batch is too large");
    sqlite3_stmt *find = db_statement(&writer->db, SQL_SUBJECT_FIND, fault);
    bind_identifier(find, identifier);
    enum err err = db_next(&writer->db, find, fault);
    if (err == ERR_MORE)
        return insert_subject(writer, subject, fault);
    if (err)
        return err;
    subject->id = (uint64_t)sqlite3_column_int64(find, 0);
    err = subject_unpack(subject, db_column_bytes(find, 1), &writer->batch);
    sqlite3_reset(find);
    return err ? fault_set(fault, err, "a patient's record cannot be read") : ERR_OK;
}

enum err writer_subject_by_id(struct chart_writer *writer, uint64_t id, struct subject **out,
                              struct fault *fault) {
    sqlite3_stmt *get = db_statement(&writer->db, SQL_SUBJECT_GET, fault);
    db_bind_i64(get, 1, (int64_t)id);
    enum err err = db_next(&writer->db, get, fault);
    if (err)
        return err == ERR_MORE ? fault_set(fault, ERR_CORRUPT, "a patient's record is missing")
                               : err;
    struct fact_identifier identifier = {db_column_bytes(get, 0), db_column_bytes(get, 1),
                                         db_column_bytes(get, 2)};
    /* Copied before the statement goes: the views end with it. */
    struct fact_identifier kept = copy_identifier(writer, &identifier);
    sqlite3_reset(get);
    return writer_subject(writer, &kept, out, fault);
}

static struct visit *new_visit(struct chart_writer *writer,
                               const struct fact_identifier *identifier) {
    struct visit *visit = arena_alloc(&writer->batch, sizeof *visit);
    if (!visit)
        return NULL;
    visit->identifier = copy_identifier(writer, identifier);
    visit->let_go_entry = ENTRY_NONE;
    struct visit **slot = &writer->visit_slots[slot_of(identifier)];
    visit->next_in_slot = *slot;
    *slot = visit;
    visit->next_in_batch = writer->visits;
    writer->visits = visit;
    return visit;
}

enum err writer_visit(struct chart_writer *writer, struct subject *subject,
                      const struct fact_identifier *named, struct visit **out,
                      struct fault *fault) {
    char id[24];
    struct fact_identifier identifier = *named;
    if (bytes_is_empty(named->number)) { /* the implicit stay of this patient number */
        snprintf(id, sizeof id, "%llu", (unsigned long long)subject->id);
        identifier = (struct fact_identifier){.authority = bytes_from_string(id)};
    }
    for (struct visit *v = writer->visit_slots[slot_of(&identifier)]; v; v = v->next_in_slot)
        if (identifier_is(&v->identifier, &identifier)) {
            *out = v;
            return ERR_OK;
        }
    struct visit *visit = *out = new_visit(writer, &identifier);
    if (!visit)
        return fault_set(fault, ERR_LIMIT, "the batch is too large");
    sqlite3_stmt *find = db_statement(&writer->db, SQL_VISIT_FIND, fault);
    bind_identifier(find, &identifier);
    enum err err = db_next(&writer->db, find, fault);
    if (err == ERR_MORE) {
        visit->id = writer->next_visit++;
        return ERR_OK;
    }
    if (err)
        return err;
    visit->id = (uint64_t)sqlite3_column_int64(find, 0);
    visit->subject = (uint64_t)sqlite3_column_int64(find, 1);
    err = visit_unpack(visit, db_column_bytes(find, 2), &writer->batch);
    sqlite3_reset(find);
    return err ? fault_set(fault, err, "a stay's record cannot be read") : ERR_OK;
}

enum err writer_feed(struct chart_writer *writer, struct bytes application, struct bytes facility,
                     struct feed **out, struct fault *fault) {
    for (struct feed *feed = writer->feeds; feed; feed = feed->next)
        if (bytes_equal(feed->application, application) && bytes_equal(feed->facility, facility)) {
            *out = feed;
            return ERR_OK;
        }
    *out = add_feed(writer, writer->next_feed++, application, facility);
    return *out ? ERR_OK : fault_set(fault, ERR_LIMIT, "too many senders");
}

/* ---- taking ---- */

static enum err begin(struct chart_writer *writer, struct fault *fault) {
    if (writer->in_batch)
        return ERR_OK;
    enum err err = db_run(&writer->db, db_statement(&writer->db, SQL_BEGIN, fault), fault);
    writer->in_batch = !err;
    return err;
}

static enum err put_aside(struct chart_writer *writer, uint64_t index, int64_t received_at,
                          const struct facts *facts, const char *reason, uint64_t at,
                          struct fault *fault) {
    sqlite3_stmt *put = db_statement(&writer->db, SQL_ASIDE_PUT, fault);
    char type[64];
    struct text text;
    text_init(&text, type, sizeof type);
    text_put(&text, bytes_first(facts->type, 30));
    if (!bytes_is_empty(facts->trigger)) {
        text_put_char(&text, '^');
        text_put(&text, bytes_first(facts->trigger, 30));
    }
    db_bind_i64(put, 1, (int64_t)index);
    db_bind_i64(put, 2, received_at);
    db_bind_bytes(put, 3, facts->application);
    db_bind_bytes(put, 4, text_bytes(&text));
    db_bind_bytes(put, 5, bytes_from_string(reason));
    db_bind_i64(put, 6, (int64_t)at);
    return db_run(&writer->db, put, fault);
}

static void later(int64_t *newest, int64_t at) {
    if (at > *newest)
        *newest = at;
}

static void count_facts(struct chart_feed *f, const struct facts *facts, int64_t received_at) {
    if (!facts->is_date_doubtful)
        later(&f->newest_own_time, facts->own_time);
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->list[i];
        if (fact->kind == FACT_MOVEMENT || fact->kind == FACT_CANCEL)
            later(&f->newest_movement_at, received_at);
        else if (fact->kind == FACT_REPORT)
            later(&f->newest_result_at, received_at);
        else if (fact->kind == FACT_MEDICATION_EVENT ||
                 (fact->kind == FACT_ORDER && fact->order->kind == ORDER_MEDICATION))
            later(&f->newest_medication_at, received_at);
    }
}

/* What is stated again was counted when it came; the times it came at are still the feed's. */
static void count_message(struct feed *feed, const struct facts_batch *batch, struct zone *zone,
                          int64_t received_at, bool is_restated) {
    struct chart_feed *f = &feed->figures;
    bool is_mismatch = false, is_aside = false;
    feed->is_dirty = true;
    for (size_t i = 0; i < batch->count; i++) {
        const struct facts *facts = &batch->list[i];
        count_facts(f, facts, received_at);
        is_mismatch |= facts->is_charset_mismatch;
        is_aside |= facts->aside != NULL;
        f->warning_count += is_restated ? 0 : facts->warning_count;
    }
    f->message_count += !is_restated;
    f->aside_count += is_aside && !is_restated;
    f->mismatch_count += is_mismatch && !is_restated;
    if (f->first_received_at == INSTANT_NONE)
        f->first_received_at = received_at;
    profile_count(&f->profile, zone, received_at);
    later(&f->newest_received_at, received_at);
}

/* ---- large messages ---- */

static void forget_large(struct chart_writer *writer) {
    memory_free(writer->large.out);
    memory_free(writer->whole);
    writer->large.out = writer->whole = NULL;
    writer->is_too_large = false;
}

enum err chart_writer_begin_large(struct chart_writer *writer, const struct vault_entry *entry,
                                  struct fault *fault) {
    bool is_hl7 = bytes_is(entry->media_type, "application/hl7-v2");
    forget_large(writer);
    writer->is_too_large = !is_hl7 && entry->body_bytes > CHART_WHOLE_BYTES_MAX;
    if (writer->is_too_large)
        return ERR_OK;
    writer->whole_bytes = 0;
    writer->whole_room = is_hl7 ? FACTS_THIN_BYTES_MAX : (size_t)entry->body_bytes + 1;
    uint8_t *room = memory_alloc(1, writer->whole_room);
    if (!room)
        return fault_set(fault, ERR_MEMORY, "no memory for a large message");
    if (is_hl7)
        hl7_thin_init(&writer->large, room, FACTS_THIN_BYTES_MAX, FACTS_FIELD_BYTES_MAX);
    else
        writer->whole = room;
    return ERR_OK;
}

void chart_writer_feed_large(struct chart_writer *writer, struct bytes piece) {
    if (writer->large.out && !hl7_thin_feed(&writer->large, piece)) {
        /* The rest is left out: the translation says so. */
    }
    if (!writer->whole)
        return;
    piece = bytes_first(piece, writer->whole_room - writer->whole_bytes);
    if (piece.size)
        memcpy(writer->whole + writer->whole_bytes, piece.data, piece.size);
    writer->whole_bytes += piece.size;
}

/* ---- taking ---- */

/* Whose logical ids FHIR has: what the door was told behind a colon ("import:NAME"). */
static struct bytes source_named(const struct vault_entry *entry) {
    size_t colon = bytes_find(entry->source, ':');
    return colon == BYTES_NOT_FOUND ? BYTES_NONE : bytes_skip(entry->source, colon + 1);
}

static enum err translate_body(struct chart_writer *writer, uint64_t index,
                               const struct vault_entry *entry, struct facts_batch *batch) {
    struct facts_context context = {.received_at = entry->received_at,
                                    .zone = &writer->zone,
                                    .otherwise = writer->options.otherwise,
                                    .source = source_named(entry),
                                    .authorities = writer->options.authorities,
                                    .authority_count = writer->options.authority_count};
    struct arena *arena = &writer->message;
    struct bytes body =
        writer->whole ? bytes_from(writer->whole, writer->whole_bytes) : entry->body;
    if (writer->is_too_large)
        return ERR_LIMIT;
    if (!writer->large.out)
        return facts_from_entry(entry->media_type, body, &context, arena, batch);
    *batch = (struct facts_batch){arena_array(arena, 1, sizeof *batch->list), 1, INSTANT_NONE};
    return batch->list ? facts_from_thinned_hl7(&writer->large, index, &context, arena, batch->list)
                       : ERR_LIMIT;
}

/* What is stated again counts as written when it was first. */
static hlc_stamp clock_of(const struct vault_entry *entry) {
    return entry->is_restated ? entry->restated_clock : entry->clock;
}

static enum err take_batch(struct chart_writer *writer, uint64_t index,
                           const struct vault_entry *entry, const struct facts_batch *batch,
                           struct feed *feed, struct fault *fault) {
    unsigned parts =
        entry->is_restated && entry->restated_parts ? entry->restated_parts : PARTS_ALL;
    unsigned first_part = 0;
    enum err err = ERR_OK;
    for (size_t i = 0; i < batch->count && !err; i++) {
        const struct facts *facts = &batch->list[i];
        struct key key = {!facts->is_date_doubtful, facts->said, clock_of(entry), index};
        if (parts & PARTS_NAMELESS)
            err = writer_take_resource(writer, facts, &key, feed, entry->received_at, fault);
        if (!err)
            err = writer_take_facts(writer, facts, &key, feed, entry->received_at, parts, first_part,
                                    fault);
        first_part += (unsigned)facts->count;
    }
    return err;
}

static const char too_large[] = "the message is too large to be translated";

/* What is listed is the first thing that was not understood. */
static const struct facts *first_aside(const struct facts_batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        if (batch->list[i].aside)
            return &batch->list[i];
    return NULL;
}

static enum err take_message(struct chart_writer *writer, uint64_t index,
                             const struct vault_entry *entry, const char *set_aside,
                             struct fault *fault) {
    struct facts nothing = {.own_time = INSTANT_NONE, .said = entry->received_at, .aside = set_aside};
    struct facts_batch batch = {&nothing, 1, INSTANT_NONE};
    struct feed *feed;
    if (!set_aside && translate_body(writer, index, entry, &batch)) {
        nothing.aside = too_large; /* kept, and said */
        batch = (struct facts_batch){&nothing, 1, INSTANT_NONE};
    }
    struct facts *first = batch.list;
    if (entry->flags & VAULT_UNFRAMED && !first->aside)
        first->aside = "the bytes did not come as a whole message";
    enum err err = writer_feed(writer, first->application, first->facility, &feed, fault);
    if (err)
        return err;
    const struct facts *aside = first_aside(&batch);
    count_message(feed, &batch, &writer->zone, entry->received_at, entry->is_restated);
    if (aside && (!entry->is_restated || set_aside)) /* else it was listed when it came */
        err = put_aside(writer, index, entry->received_at, aside, aside->aside, aside->aside_at, fault);
    if (!err)
        err = take_batch(writer, index, entry, &batch, feed, fault);
    later(&writer->census_as_of, batch.census_as_of);
    if (err != ERR_LIMIT)
        return err;
    /* One record is too large for the chart: what was taken before it stands, the message is listed. */
    *fault = (struct fault){0};
    return put_aside(writer, index, entry->received_at, first, too_large, 0, fault);
}

static enum err take_entry(struct chart_writer *writer, uint64_t index,
                           const struct vault_entry *entry, const char *set_aside,
                           struct fault *fault) {
    if (index < writer->applied)
        return ERR_OK;
    enum err err = begin(writer, fault);
    arena_clear(&writer->message);
    bool is_message = entry->kind == VAULT_MESSAGE || entry->kind == VAULT_BLOB;
    if (!err && entry->kind == VAULT_NOTE && bytes_is(entry->media_type, CHART_LET_GO_MEDIA_TYPE))
        err = writer_let_go(writer, &(struct key){.clock = clock_of(entry), .entry = index},
                            entry->body, fault);
    if (!err && is_message) {
        err = take_message(writer, index, entry, set_aside, fault);
        later(&writer->newest_received_at, entry->received_at);
        if (writer->first_received_at == INSTANT_NONE && !entry->is_restated)
            writer->first_received_at = entry->received_at;
        writer->entry_count += !entry->is_restated;
    }
    if (err)
        return err;
    writer->applied = index + 1;
    /* A batch about very many patients ends early: memory stays bounded. */
    return writer->batch.bytes_used > COMMIT_AT_BYTES ? chart_writer_commit(writer, fault) : ERR_OK;
}

enum err chart_writer_take(struct chart_writer *writer, uint64_t index,
                           const struct vault_entry *entry, const char *set_aside,
                           struct fault *fault) {
    enum err err = take_entry(writer, index, entry, set_aside, fault);
    forget_large(writer);
    return err;
}

/* ---- committing ---- */

static enum err write_subjects(struct chart_writer *writer, struct fault *fault) {
    for (struct subject *subject = writer->subjects; subject; subject = subject->next_in_batch) {
        if (!subject->is_dirty)
            continue;
        struct text record;
        text_init(&record, writer->scratch, SCRATCH_BYTES);
        subject_pack(subject, &record);
        sqlite3_stmt *put = db_statement(&writer->db, SQL_SUBJECT_PUT, fault);
        db_bind_i64(put, 1, (int64_t)subject->id);
        db_bind_bytes(put, 2, subject->identifier.authority);
        db_bind_bytes(put, 3, subject->identifier.type);
        db_bind_bytes(put, 4, subject->identifier.number);
        db_bind_blob(put, 5, text_bytes(&record));
        db_bind_i64(put, 6, 0); /* it was given when the row was made */
        enum err err = record.full ? fault_set(fault, ERR_LIMIT, "a patient's record is too large")
                                   : db_run(&writer->db, put, fault);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err write_visits(struct chart_writer *writer, struct fault *fault) {
    for (struct visit *visit = writer->visits; visit; visit = visit->next_in_batch) {
        if (!visit->is_dirty)
            continue;
        struct text record;
        text_init(&record, writer->scratch, SCRATCH_BYTES);
        visit_pack(visit, &record);
        sqlite3_stmt *put = db_statement(&writer->db, SQL_VISIT_PUT, fault);
        db_bind_i64(put, 1, (int64_t)visit->id);
        db_bind_bytes(put, 2, visit->identifier.authority);
        db_bind_bytes(put, 3, visit->identifier.type);
        db_bind_bytes(put, 4, visit->identifier.number);
        db_bind_i64(put, 5, (int64_t)visit->subject);
        db_bind_blob(put, 6, text_bytes(&record));
        enum err err = record.full ? fault_set(fault, ERR_LIMIT, "a stay's record is too large")
                                   : db_run(&writer->db, put, fault);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err write_feeds(struct chart_writer *writer, struct fault *fault) {
    for (struct feed *feed = writer->feeds; feed; feed = feed->next) {
        if (!feed->is_dirty)
            continue;
        struct text record;
        text_init(&record, writer->scratch, SCRATCH_BYTES);
        feed_pack(feed, &record);
        sqlite3_stmt *put = db_statement(&writer->db, SQL_FEED_PUT, fault);
        db_bind_i64(put, 1, (int64_t)feed->id);
        db_bind_bytes(put, 2, feed->application);
        db_bind_bytes(put, 3, feed->facility);
        db_bind_blob(put, 4, text_bytes(&record));
        enum err err = db_run(&writer->db, put, fault);
        if (err)
            return err;
        feed->is_dirty = false;
    }
    return ERR_OK;
}

static enum err write_meta(struct chart_writer *writer, struct fault *fault) {
    enum err err = db_meta_set(&writer->db, "applied", (int64_t)writer->applied, fault);
    if (!err)
        err = db_meta_set(&writer->db, "entries", (int64_t)writer->entry_count, fault);
    if (!err)
        err = db_meta_set(&writer->db, "newest_received_at", writer->newest_received_at, fault);
    if (!err)
        err = db_meta_set(&writer->db, "census_as_of", writer->census_as_of, fault);
    return err ? err
               : db_meta_set(&writer->db, "first_received_at", writer->first_received_at, fault);
}

void writer_forget_batch(struct chart_writer *writer) {
    arena_clear(&writer->batch);
    arena_clear(&writer->message);
    memset(writer->subject_slots, 0, sizeof writer->subject_slots);
    memset(writer->visit_slots, 0, sizeof writer->visit_slots);
    writer->subjects = NULL;
    writer->visits = NULL;
    writer->edge_ends = NULL;
    writer->edge_end_count = writer->edge_end_capacity = 0;
}

enum err chart_writer_commit(struct chart_writer *writer, struct fault *fault) {
    if (!writer->in_batch)
        return ERR_OK;
    enum err err = write_visits(writer, fault);
    if (!err)
        err = write_subjects(writer, fault);
    if (!err)
        err = write_feeds(writer, fault); /* what is derived names them */
    /* A rebuild derives once, at its end: until then nobody reads. */
    if (!err && !writer->options.is_rebuild)
        err = writer_derive(writer, fault);
    if (!err)
        err = write_meta(writer, fault);
    if (!err)
        err = db_run(&writer->db, db_statement(&writer->db, SQL_COMMIT, fault), fault);
    if (!err)
        writer_forget_batch(writer);
    writer->in_batch = err != ERR_OK;
    return err;
}

static enum err put_as_of(struct chart_writer *writer, const struct chart_as_of *as_of,
                          struct fault *fault) {
    struct chart_as_of whole = *as_of;
    whole.newest_entry = writer->applied ? writer->applied - 1 : CHART_NO_ENTRY;
    return as_of_write(&writer->db, &whole, fault);
}

static enum err settle(struct chart_writer *writer, const struct chart_as_of *as_of,
                       struct fault *fault) {
    enum err err = chart_writer_commit(writer, fault);
    if (!err)
        err = begin(writer, fault);
    if (!err)
        err = writer_derive_all(writer, fault);
    if (!err && as_of)
        err = put_as_of(writer, as_of, fault);
    if (!err)
        err = db_run(&writer->db, db_statement(&writer->db, SQL_COMMIT, fault), fault);
    writer->in_batch = err != ERR_OK;
    if (!err)
        err = db_exec(&writer->db, "PRAGMA synchronous = FULL", fault);
    /* Everything into the file itself, synced. */
    return err ? err : db_exec(&writer->db, "PRAGMA wal_checkpoint(TRUNCATE)", fault);
}

enum err chart_writer_settle(struct chart_writer *writer, struct fault *fault) {
    assert(!writer->options.is_past);
    return settle(writer, NULL, fault);
}

enum err chart_writer_settle_past(struct chart_writer *writer, const struct chart_as_of *as_of,
                                  struct fault *fault) {
    assert(writer->options.is_past && as_of->at != INSTANT_NONE);
    enum err err = settle(writer, as_of, fault);
    /* It may be read from a place where nothing can be written: no file of locks beside it then. */
    return err ? err : db_exec(&writer->db, "PRAGMA journal_mode = DELETE", fault);
}
