/* held.c - which entries hold something that must outlast them: what has to be stated again before their epoch is erased.
 *
 * Every cell and row keeps the key of the statement that holds it. An entry that holds none of those that must stay can go:
 * whatever else it says was said again later, or is let go.
 *
 * Stays. While one is open, or something was said of it later than what goes, all that holds it is held. One that ended, and
 * of which the newest statement goes now, is let go as a whole, by an entry that says so: what is left of it elsewhere, in
 * entries that are younger or were stated again, must not make a stay of its own. That entry itself needs to be held only
 * where what it is about may still be readable: where something older than it is left. */
#include "chart/reader.h"
#include "chart/statement.h"

#define RECORD_BYTES ((size_t)64 << 20)

struct holding {
    struct db *db;
    struct chart_held *held;
    struct arena *out;
    size_t let_go_capacity;
    struct arena arena; /* one record */
    struct fault *fault;
};

static bool is_going(const struct holding *holding, uint64_t entry) {
    return entry >= holding->held->span.from && entry < holding->held->span.to;
}

static void hold(struct holding *holding, uint64_t entry, enum facts_part part) {
    if (!is_going(holding, entry))
        return;
    uint8_t *parts = &holding->held->parts[entry - holding->held->span.from];
    holding->held->count += *parts == 0;
    *parts |= (uint8_t)part;
}

static void hold_cell(struct holding *holding, const struct cell *cell, enum facts_part part) {
    if (!cell->is_set)
        return;
    hold(holding, cell->voice.key.entry, part);
    for (size_t i = 0; i < cell->rival_count; i++)
        hold(holding, cell->rivals[i].key.entry, part);
}

/* ---- patients ---- */

/* A number about which nothing is known but results is still one that a patient had. */
static void hold_subject(struct holding *holding, const struct subject *subject) {
    bool is_bare = subject->other_count == 0;
    for (unsigned field = 1; field < PATIENT_FIELD_COUNT; field++) {
        hold_cell(holding, &subject->cells[field], FACTS_PATIENT);
        is_bare = is_bare && !subject->cells[field].is_set;
    }
    for (size_t i = 0; i < subject->other_count; i++)
        hold(holding, subject->other_entries[i], FACTS_PATIENT);
    if (is_bare)
        hold(holding, subject->named_entry, FACTS_PATIENT);
}

static enum err hold_subjects(struct holding *holding) {
    sqlite3_stmt *rows = db_statement(holding->db, SQL_SUBJECT_RECORDS, holding->fault);
    enum err err;
    while (!(err = db_next(holding->db, rows, holding->fault))) {
        struct subject subject = {0};
        arena_clear(&holding->arena);
        err = subject_unpack(&subject, db_column_bytes(rows, 0), &holding->arena);
        if (err) {
            sqlite3_reset(rows);
            return fault_set(holding->fault, err, "a patient's record cannot be read");
        }
        hold_subject(holding, &subject);
    }
    return err == ERR_MORE ? ERR_OK : err;
}

/* ---- stays ---- */

/* Of all statements that make a stay: when the newest was written, and does one of them go? */
struct statements {
    uint64_t newest;
    bool is_going;
};

static void see_key(const struct holding *holding, const struct key *key,
                    struct statements *statements) {
    if (key->clock > statements->newest)
        statements->newest = key->clock;
    statements->is_going |= is_going(holding, key->entry);
}

static struct statements see_visit(const struct holding *holding, const struct visit *visit) {
    struct statements statements = {0};
    see_key(holding, &visit->subject_key, &statements);
    if (!bytes_is_empty(visit->merged_into.number))
        see_key(holding, &visit->merged_key, &statements);
    for (unsigned field = 1; field < VISIT_FIELD_COUNT; field++) {
        const struct cell *cell = &visit->cells[field];
        if (cell->is_set)
            see_key(holding, &cell->voice.key, &statements);
        for (size_t i = 0; i < cell->rival_count; i++)
            see_key(holding, &cell->rivals[i].key, &statements);
    }
    for (size_t i = 0; i < visit->movement_count; i++)
        see_key(holding, &visit->movements[i].key, &statements);
    for (size_t i = 0; i < visit->cancel_count; i++)
        see_key(holding, &visit->cancels[i].key, &statements);
    return statements;
}

/* That it was let go before still matters: what is said of it since is of a stay that had ended. */
static void hold_visit(struct holding *holding, const struct visit *visit) {
    hold(holding, visit->let_go_entry, FACTS_STAY);
    hold(holding, visit->subject_key.entry, FACTS_STAY);
    if (!bytes_is_empty(visit->merged_into.number))
        hold(holding, visit->merged_key.entry, FACTS_STAY);
    for (unsigned field = 1; field < VISIT_FIELD_COUNT; field++)
        hold_cell(holding, &visit->cells[field], FACTS_STAY);
    for (size_t i = 0; i < visit->movement_count; i++)
        hold(holding, visit->movements[i].key.entry, FACTS_STAY);
    for (size_t i = 0; i < visit->cancel_count; i++)
        hold(holding, visit->cancels[i].key.entry, FACTS_STAY);
}

static struct fact_identifier identifier_at(sqlite3_stmt *row, int at, struct arena *arena) {
    return (struct fact_identifier){arena_copy(arena, db_column_bytes(row, at)),
                                    arena_copy(arena, db_column_bytes(row, at + 1)),
                                    arena_copy(arena, db_column_bytes(row, at + 2))};
}

static enum err let_go(struct holding *holding, sqlite3_stmt *row) {
    struct chart_held *held = holding->held;
    if (held->let_go_count == holding->let_go_capacity) {
        size_t capacity = holding->let_go_capacity ? holding->let_go_capacity * 2 : 256;
        struct chart_let_go *longer = arena_array(holding->out, capacity, sizeof *longer);
        if (!longer)
            return fault_set(holding->fault, ERR_LIMIT, "too many stays end at once");
        if (held->let_go_count)
            memcpy(longer, held->let_go, held->let_go_count * sizeof *longer);
        held->let_go = longer;
        holding->let_go_capacity = capacity;
    }
    struct chart_let_go *stay = &held->let_go[held->let_go_count++];
    *stay = (struct chart_let_go){identifier_at(row, 1, holding->out),
                                  identifier_at(row, 4, holding->out)};
    if (bytes_is_empty(stay->visit.number)) /* what stands there only finds the implicit stay */
        stay->visit = (struct fact_identifier){0};
    return ERR_OK;
}

static enum err judge_visit(struct holding *holding, sqlite3_stmt *row) {
    struct visit visit = {0};
    struct chart_stay stay;
    arena_clear(&holding->arena);
    enum err err = visit_unpack(&visit, db_column_bytes(row, 0), &holding->arena);
    if (err)
        return fault_set(holding->fault, err, "a stay's record cannot be read");
    visit_work_out(&visit, &stay);
    struct statements statements = see_visit(holding, &visit);
    bool is_open = visit_is_open(&visit, &stay);
    if (statements.is_going && !is_open && statements.newest <= holding->held->until)
        return let_go(holding, row);
    hold_visit(holding, &visit);
    return ERR_OK;
}

static enum err hold_visits(struct holding *holding) {
    sqlite3_stmt *rows = db_statement(holding->db, SQL_VISIT_RECORDS, holding->fault);
    enum err err;
    while (!(err = db_next(holding->db, rows, holding->fault)))
        if ((err = judge_visit(holding, rows))) {
            sqlite3_reset(rows);
            return err;
        }
    return err == ERR_MORE ? ERR_OK : err;
}

/* The entries that let stays go. */
static enum err hold_let_go(struct holding *holding) {
    sqlite3_stmt *rows = db_statement(holding->db, SQL_VISIT_LET_GO, holding->fault);
    enum err err;
    while (!(err = db_next(holding->db, rows, holding->fault))) {
        struct visit visit = {0};
        arena_clear(&holding->arena);
        if (!visit_unpack(&visit, db_column_bytes(rows, 0), &holding->arena))
            hold(holding, visit.let_go_entry, FACTS_STAY);
    }
    return err == ERR_MORE ? ERR_OK : err;
}

/* ---- rows that say their entry ---- */

static enum err hold_rows(struct holding *holding, enum sql sql, enum facts_part part) {
    sqlite3_stmt *rows = db_statement(holding->db, sql, holding->fault);
    enum err err;
    db_bind_i64(rows, 1, (int64_t)holding->held->span.from);
    db_bind_i64(rows, 2, (int64_t)holding->held->span.to);
    while (!(err = db_next(holding->db, rows, holding->fault)))
        hold(holding, (uint64_t)sqlite3_column_int64(rows, 0), part);
    return err == ERR_MORE ? ERR_OK : err;
}

/* ---- orders that stand, appointments to come ---- */

static void hold_steps(struct holding *holding, const struct chart_steps *steps) {
    for (size_t i = 0; i < steps->count; i++)
        hold(holding, steps->list[i].source.entry, FACTS_ORDERS);
}

static enum err hold_orders_of(struct holding *holding, uint64_t id) {
    struct person person;
    struct chart_order *orders;
    struct chart_appointment *appointments;
    size_t count;
    int64_t at = hlc_ms(holding->held->until) * US_PER_MS;
    arena_clear(&holding->arena);
    enum err err = fold_person(holding->db, id, &person, holding->fault);
    if (!err)
        err = fold_orders(holding->db, &person, &holding->arena, &orders, &count, holding->fault);
    for (size_t i = 0; !err && i < count; i++)
        if (chart_order_stands(&orders[i], at))
            hold_steps(holding, &orders[i].steps);
    if (!err)
        err = fold_appointments(holding->db, &person, &holding->arena, &appointments, &count,
                                holding->fault);
    for (size_t i = 0; !err && i < count; i++)
        if (appointments[i].fact.starts_at == INSTANT_NONE || appointments[i].fact.starts_at > at)
            hold_steps(holding, &appointments[i].steps);
    return err;
}

#define PERSONS_AT_ONCE 512

/* Of everyone of whom something of the kind is said in what goes. */
static enum err hold_orders(struct holding *holding) {
    uint64_t ids[PERSONS_AT_ONCE], last = 0;
    size_t count;
    enum err err;
    do {
        sqlite3_stmt *rows = db_statement(holding->db, SQL_STATEMENT_PERSONS, holding->fault);
        db_bind_i64(rows, 1, (int64_t)holding->held->span.from);
        db_bind_i64(rows, 2, (int64_t)holding->held->span.to);
        db_bind_i64(rows, 3, (int64_t)last);
        db_bind_i64(rows, 4, PERSONS_AT_ONCE);
        count = 0;
        while (!(err = db_next(holding->db, rows, holding->fault)))
            ids[count++] = last = (uint64_t)sqlite3_column_int64(rows, 0);
        err = err == ERR_MORE ? ERR_OK : err;
        for (size_t i = 0; i < count && !err; i++)
            err = hold_orders_of(holding, ids[i]);
    } while (!err && count == PERSONS_AT_ONCE);
    return err;
}

enum err chart_held(struct chart_reader *reader, struct arena *arena, struct chart_held *held,
                    struct fault *fault) {
    struct holding holding = {.db = &reader->db, .held = held, .out = arena, .fault = fault};
    memset(held->parts, 0, (size_t)(held->span.to - held->span.from));
    held->count = held->let_go_count = 0;
    held->let_go = NULL;
    arena_init(&holding.arena, RECORD_BYTES);
    enum err err = hold_subjects(&holding);
    if (!err)
        err = hold_visits(&holding);
    if (!err && !held->is_oldest)
        err = hold_let_go(&holding);
    if (!err)
        err = hold_rows(&holding, SQL_EDGE_ENTRIES, FACTS_MERGES);
    if (!err)
        err = hold_rows(&holding, SQL_ALLERGY_ENTRIES, FACTS_ALLERGIES);
    if (!err)
        err = hold_rows(&holding, SQL_DIAGNOSIS_ENTRIES, FACTS_DIAGNOSES);
    if (!err)
        err = hold_orders(&holding);
    arena_release(&holding.arena);
    return err;
}

/* ---- the entry that lets stays go ---- */

static void put_identifier(struct text *body, const struct fact_identifier *identifier) {
    const struct bytes parts[] = {identifier->authority, identifier->type, identifier->number};
    for (size_t i = 0; i < 3; i++) {
        uint8_t size[2];
        if (parts[i].size > UINT16_MAX)
            body->full = true;
        store_u16(size, (uint16_t)parts[i].size);
        text_put(body, bytes_from(size, sizeof size));
        text_put(body, parts[i]);
    }
}

void chart_let_go_put(struct text *body, const struct chart_let_go *stay) {
    put_identifier(body, &stay->visit);
    put_identifier(body, &stay->patient);
}
