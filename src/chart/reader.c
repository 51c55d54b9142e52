/* reader.c - the questions a chart answers: census, patient, stays, moves, results, lists. */
#include "chart/reader.h"

#include "chart/profile.h"
#include "chart/statement.h"

#include "base/pool.h"
#include "chart/as_of.h"

#define MAP_BYTES "268435456"

static enum err check_schema(struct chart_reader *reader, struct fault *fault) {
    int64_t schema = 0;
    enum err err = ERR_NOT_FOUND;
    if (sqlite3_table_column_metadata(reader->db.handle, NULL, "meta", "value", NULL, NULL, NULL,
                                      NULL, NULL) == SQLITE_OK)
        err = db_meta_get(&reader->db, "schema", &schema, fault);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_INPUT, "this file is not a chart");
    if (err || schema == CHART_SCHEMA_VERSION)
        return err;
    return fault_set(fault, ERR_STATE,
                     schema > CHART_SCHEMA_VERSION
                         ? "this chart was made by a newer version of the program"
                         : "this chart was made by an older version of the program");
}

enum err chart_reader_open(struct chart_reader **out, const char *path, struct fault *fault) {
    struct chart_reader *reader = memory_alloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, ERR_MEMORY, "no memory for a chart");
    enum err err = db_open(&reader->db, path, false, fault);
    if (!err)
        err = db_exec(&reader->db, "PRAGMA mmap_size = " MAP_BYTES, fault);
    if (!err)
        err = check_schema(reader, fault);
    if (!err)
        err = as_of_read(&reader->db, &reader->as_of, fault);
    if (err) {
        chart_reader_close(reader);
        return err;
    }
    *out = reader;
    return ERR_OK;
}

void chart_reader_close(struct chart_reader *reader) {
    if (!reader)
        return;
    db_close(&reader->db);
    memory_free(reader);
}

enum err chart_reader_begin(struct chart_reader *reader, struct fault *fault) {
    if (reader->in_read)
        return ERR_OK;
    enum err err = db_run(&reader->db, db_statement(&reader->db, SQL_BEGIN_READ, fault), fault);
    reader->in_read = !err;
    return err;
}

void chart_reader_end(struct chart_reader *reader) {
    if (!reader->in_read)
        return;
    reader->in_read = false;
    struct fault fault = {0};
    enum err err = db_run(&reader->db, db_statement(&reader->db, SQL_COMMIT, &fault), &fault);
    (void)err; /* a read that ends changes nothing */
}

const struct chart_as_of *chart_as_of(const struct chart_reader *reader) {
    return &reader->as_of;
}

/* ---- state ---- */

static enum err count(struct chart_reader *reader, enum sql sql, uint64_t *number,
                      struct fault *fault) {
    sqlite3_stmt *get = db_statement(&reader->db, sql, fault);
    enum err err = db_next(&reader->db, get, fault);
    if (err)
        return err;
    *number = (uint64_t)sqlite3_column_int64(get, 0);
    sqlite3_reset(get);
    return ERR_OK;
}

static int64_t meta_or(struct chart_reader *reader, const char *name, int64_t otherwise) {
    int64_t number;
    return db_meta_get(&reader->db, name, &number, NULL) ? otherwise : number;
}

enum err chart_state(struct chart_reader *reader, struct chart_state *out, struct fault *fault) {
    *out = (struct chart_state){
        .applied = (uint64_t)meta_or(reader, "applied", 0),
        .entry_count = (uint64_t)meta_or(reader, "entries", 0),
        .newest_received_at = meta_or(reader, "newest_received_at", INSTANT_NONE),
        .known_since = meta_or(reader, "first_received_at", INSTANT_NONE),
        .census_as_of = meta_or(reader, "census_as_of", INSTANT_NONE),
    };
    enum err err = count(reader, SQL_SUBJECT_COUNT, &out->patient_count, fault);
    if (!err)
        err = count(reader, SQL_CENSUS_COUNT, &out->present_count, fault);
    return err ? err : count(reader, SQL_ASIDE_COUNT, &out->aside_count, fault);
}

/* ---- lists that grow in the arena ---- */

/* One more element of `size` bytes behind `count`; NULL when the arena is full. */
static void *grow(struct arena *arena, void *list, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return list;
    *capacity = *capacity ? *capacity * 2 : 32;
    void *larger = arena_array(arena, *capacity, size);
    if (larger && count)
        memcpy(larger, list, count * size);
    return larger;
}

static enum err too_much(sqlite3_stmt *rows, struct fault *fault) {
    sqlite3_reset(rows);
    return fault_set(fault, ERR_LIMIT, "too much for one page");
}

/* ---- census ---- */

enum err chart_wards(struct chart_reader *reader, struct arena *arena, struct chart_ward **wards,
                     size_t *ward_count, struct fault *fault) {
    size_t capacity = 0;
    enum err err;
    sqlite3_stmt *rows = db_statement(&reader->db, SQL_CENSUS_WARDS, fault);
    *wards = NULL;
    *ward_count = 0;
    while (!(err = db_next(&reader->db, rows, fault))) {
        *wards = grow(arena, *wards, *ward_count, &capacity, sizeof **wards);
        if (!*wards)
            return too_much(rows, fault);
        (*wards)[(*ward_count)++] = (struct chart_ward){
            .code = arena_copy(arena, db_column_bytes(rows, 0)),
            .present_count = (uint64_t)sqlite3_column_int64(rows, 1),
            .newest_received_at = sqlite3_column_int64(rows, 2),
        };
    }
    return err == ERR_MORE ? ERR_OK : err;
}

#define ABNORMAL_WINDOW_US (INT64_C(72) * 3600 * US_PER_S)

static void fill_row(struct chart_census_row *row, const struct census_record *record,
                     int64_t now_us) {
    *row = (struct chart_census_row){
        .patient = record->patient,
        .stay = record->stay,
        .newest_result_at = record->newest_result_at,
    };
    for (size_t i = 0; i < record->abnormal_count; i++)
        row->abnormal_count += record->abnormal_at[i] >= now_us - ABNORMAL_WINDOW_US;
}

struct folded_name {
    char text[2 * WORD_BYTES_MAX];
    struct text out;
};

static enum err add_word(void *owner, struct bytes word) {
    struct text *out = owner;
    text_put(out, word);
    return ERR_OK;
}

static void fold_name(struct folded_name *name, struct bytes family) {
    text_init(&name->out, name->text, sizeof name->text);
    enum err err = words_of(family, false, add_word, &name->out);
    (void)err; /* add_word never fails */
}

/* Two patients of one family name in one ward are both flagged, whatever their given names. */
static enum err flag_same_names(struct chart_census_row *rows, size_t row_count,
                                struct arena *arena) {
    struct folded_name *names = arena_array(arena, row_count, sizeof *names);
    if (row_count && !names)
        return ERR_LIMIT;
    for (size_t i = 0; i < row_count; i++)
        fold_name(&names[i], rows[i].patient.family_name);
    for (size_t i = 0; i < row_count; i++)
        for (size_t k = i + 1;
             k < row_count && bytes_equal(rows[i].stay.place.unit, rows[k].stay.place.unit); k++)
            if (names[i].out.size && rows[i].patient.id != rows[k].patient.id &&
                bytes_equal(text_bytes(&names[i].out), text_bytes(&names[k].out))) {
                rows[i].patient.doubt |= CHART_SAME_NAME;
                rows[k].patient.doubt |= CHART_SAME_NAME;
            }
    return ERR_OK;
}

enum err chart_census(struct chart_reader *reader, struct arena *arena, struct bytes ward,
                      int64_t now_us, struct chart_census_row **out, size_t *row_count,
                      struct fault *fault) {
    size_t capacity = 0;
    enum err err;
    sqlite3_stmt *rows =
        db_statement(&reader->db, ward.data ? SQL_CENSUS_WARD : SQL_CENSUS_ALL, fault);
    if (ward.data)
        db_bind_bytes(rows, 1, ward);
    *out = NULL;
    *row_count = 0;
    while (!(err = db_next(&reader->db, rows, fault))) {
        struct census_record record = {0};
        *out = grow(arena, *out, *row_count, &capacity, sizeof **out);
        err = *out ? census_unpack(&record, db_column_bytes(rows, 0), arena) : ERR_LIMIT;
        if (err)
            return too_much(rows, fault);
        fill_row(&(*out)[(*row_count)++], &record, now_us);
    }
    if (err != ERR_MORE)
        return err;
    return flag_same_names(*out, *row_count, arena)
               ? fault_set(fault, ERR_LIMIT, "too much for one page")
               : ERR_OK;
}

bool chart_stay_is_unlisted(const struct chart_stay *stay, int64_t census_as_of) {
    return census_as_of != INSTANT_NONE && stay->is_present && bytes_is(stay->class, "I") &&
           stay->since < census_as_of && stay->census_at < census_as_of;
}

/* ---- one person ---- */

enum err chart_patient(struct chart_reader *reader, struct arena *arena, uint64_t id,
                       struct chart_patient *out, struct fault *fault) {
    struct person person;
    enum err err = fold_person(&reader->db, id, &person, fault);
    return err ? err : fold_patient(&reader->db, &person, arena, out, NULL, fault);
}

static enum err collect_ids(struct chart_reader *reader, enum sql sql,
                            const struct fact_identifier *wanted, uint64_t *ids, size_t ids_max,
                            size_t *found, struct fault *fault) {
    enum err err;
    sqlite3_stmt *rows = db_statement(&reader->db, sql, fault);
    db_bind_bytes(rows, 1, wanted->number);
    while (!(err = db_next(&reader->db, rows, fault))) {
        uint64_t id = (uint64_t)sqlite3_column_int64(rows, 0);
        bool fits =
            (bytes_is_empty(wanted->authority) ||
             bytes_equal(wanted->authority, db_column_bytes(rows, 1))) &&
            (bytes_is_empty(wanted->type) || bytes_equal(wanted->type, db_column_bytes(rows, 2)));
        for (size_t i = 0; i < *found && i < ids_max && fits; i++)
            fits = ids[i] != id;
        if (!fits)
            continue;
        if (*found < ids_max)
            ids[*found] = id;
        (*found)++;
    }
    return err == ERR_MORE ? ERR_OK : err;
}

enum err chart_find_identifier(struct chart_reader *reader, const struct fact_identifier *wanted,
                               uint64_t *ids, size_t ids_max, size_t *found, struct fault *fault) {
    *found = 0;
    enum err err = collect_ids(reader, SQL_SUBJECT_BY_NUMBER, wanted, ids, ids_max, found, fault);
    /* A patient's own number goes before what others carry as a second one. */
    if (err || *found > 0)
        return err;
    return collect_ids(reader, SQL_ALIAS_BY_NUMBER, wanted, ids, ids_max, found, fault);
}

enum err chart_stays(struct chart_reader *reader, struct arena *arena, uint64_t id,
                     struct chart_stay **stays, size_t *stay_count, struct fault *fault) {
    struct person person;
    enum err err = fold_person(&reader->db, id, &person, fault);
    return err ? err : fold_stays(&reader->db, &person, arena, stays, NULL, stay_count, fault);
}

enum err chart_moves(struct chart_reader *reader, struct arena *arena, uint64_t id,
                     struct chart_movement **moves, size_t *move_count, struct fault *fault) {
    struct person person;
    struct chart_stay *stays;
    struct visit **visits;
    size_t stay_count, total = 0;
    enum err err = fold_person(&reader->db, id, &person, fault);
    if (!err)
        err = fold_stays(&reader->db, &person, arena, &stays, &visits, &stay_count, fault);
    if (err)
        return err;
    for (size_t i = 0; i < stay_count; i++)
        total += visits[i]->movement_count;
    *move_count = 0;
    *moves = arena_array(arena, total, sizeof **moves);
    if (total && !*moves)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = 0; i < stay_count; i++)
        for (size_t k = 0; k < visits[i]->movement_count; k++) {
            const struct movement *m = &visits[i]->movements[k];
            (*moves)[(*move_count)++] = (struct chart_movement){
                .visit = visits[i]->identifier,
                .class = m->fact.class,
                .movement_id = m->fact.movement_id,
                .holds = m->fact.holds,
                .place = m->fact.place,
                .medical_unit = m->fact.medical_unit,
                .care_unit = m->fact.care_unit,
                .is_cancelled = m->is_cancelled,
                .source = {m->key.entry, m->key.said},
                .cancel_source = {m->cancel_key.entry, m->cancel_key.said},
            };
        }
    return ERR_OK;
}

enum err chart_results(struct chart_reader *reader, struct arena *arena, uint64_t id, int64_t since,
                       size_t count_max, struct chart_report **reports, size_t *report_count,
                       struct fault *fault) {
    struct person person;
    enum err err = fold_person(&reader->db, id, &person, fault);
    return err ? err
               : fold_results(&reader->db, &person, arena, since, count_max, reports, report_count,
                              fault);
}

/* ---- lists of one person ---- */

enum err chart_diagnoses(struct chart_reader *reader, struct arena *arena, uint64_t id,
                         struct chart_diagnosis **out, size_t *diagnosis_count,
                         struct fault *fault) {
    struct person person;
    size_t capacity = 0;
    enum err err = fold_person(&reader->db, id, &person, fault);
    *out = NULL;
    *diagnosis_count = 0;
    for (size_t m = 0; m < person.member_count && !err; m++) {
        sqlite3_stmt *rows = db_statement(&reader->db, SQL_DIAGNOSES_OF, fault);
        db_bind_i64(rows, 1, (int64_t)person.members[m]);
        while (!(err = db_next(&reader->db, rows, fault))) {
            *out = grow(arena, *out, *diagnosis_count, &capacity, sizeof **out);
            if (!*out)
                return too_much(rows, fault);
            struct chart_diagnosis *d = &(*out)[(*diagnosis_count)++];
            struct unpack in = {arena_copy(arena, db_column_bytes(rows, 2)), false};
            *d = (struct chart_diagnosis){
                .member = m,
                .agent = arena_copy(arena, db_column_bytes(rows, 3)),
                .source = {(uint64_t)sqlite3_column_int64(rows, 1), sqlite3_column_int64(rows, 0)}};
            d->code = unpack_bytes(&in);
            d->system = unpack_bytes(&in);
            d->text = unpack_bytes(&in);
            d->type = unpack_bytes(&in);
            d->onset_at = unpack_bytes(&in);
            d->ended_at = unpack_bytes(&in);
            d->state = unpack_bytes(&in);
            d->at = unpack_i64(&in);
            uint64_t bits = unpack_u64(&in);
            d->is_deleted = bits & 1;
            d->is_problem = bits & 2;
        }
        err = err == ERR_MORE ? ERR_OK : err;
    }
    return err;
}

/* A cancelled document says nothing of its own: what it was is kept in the vault. */
static void document_unpack(struct chart_document *d, struct unpack *in) {
    struct bytes *const parts[] = {&d->parent_id,    &d->kind,   &d->title,      &d->completion,
                                   &d->availability, &d->author, &d->media_type, &d->text};
    for (size_t i = 0; i < 8; i++)
        *parts[i] = unpack_bytes(in);
    d->encapsulated_bytes = unpack_u64(in);
    d->at = unpack_i64(in);
    uint64_t bits = unpack_u64(in);
    d->is_cancelled = bits & 1;
    d->is_replacement = bits & 2;
    d->is_addendum = bits & 4;
}

static void mark_replaced(struct chart_document *documents, size_t document_count) {
    for (size_t i = 0; i < document_count; i++)
        for (size_t k = 0; k < document_count && documents[i].is_replacement; k++)
            if (k != i && !bytes_is_empty(documents[i].parent_id) &&
                bytes_equal(documents[k].id, documents[i].parent_id))
                documents[k].is_replaced = true;
}

#define DOCUMENTS_MAX 4096u

enum err chart_documents(struct chart_reader *reader, struct arena *arena, uint64_t id,
                         struct chart_document **out, size_t *document_count, struct fault *fault) {
    struct person person;
    size_t capacity = 0;
    enum err err = fold_person(&reader->db, id, &person, fault);
    *out = NULL;
    *document_count = 0;
    for (size_t m = 0; m < person.member_count && !err; m++) {
        sqlite3_stmt *rows = db_statement(&reader->db, SQL_DOCUMENTS_OF, fault);
        db_bind_i64(rows, 1, (int64_t)person.members[m]);
        while (!(err = db_next(&reader->db, rows, fault))) {
            *out = *document_count < DOCUMENTS_MAX
                       ? grow(arena, *out, *document_count, &capacity, sizeof **out)
                       : NULL;
            if (!*out)
                return too_much(rows, fault);
            struct chart_document *d = &(*out)[*document_count];
            struct unpack in = {arena_copy(arena, db_column_bytes(rows, 3)), false};
            *d = (struct chart_document){
                .id = arena_copy(arena, db_column_bytes(rows, 0)),
                .member = m,
                .source = {(uint64_t)sqlite3_column_int64(rows, 2), sqlite3_column_int64(rows, 1)}};
            document_unpack(d, &in);
            (*document_count)++;
        }
        err = err == ERR_MORE ? ERR_OK : err;
    }
    mark_replaced(*out, *document_count);
    return err;
}

enum err chart_orders(struct chart_reader *reader, struct arena *arena, uint64_t id,
                      struct chart_order **orders, size_t *order_count, struct fault *fault) {
    struct person person;
    enum err err = fold_person(&reader->db, id, &person, fault);
    return err ? err : fold_orders(&reader->db, &person, arena, orders, order_count, fault);
}

bool chart_order_stands(const struct chart_order *order, int64_t at) {
    enum order_state state = order->fact.state;
    bool is_over = order->fact.ends_at != INSTANT_NONE && order->fact.ends_at <= at;
    return (state == ORDER_ACTIVE || state == ORDER_HELD || state == ORDER_NOT_SAID) && !is_over;
}

enum err chart_medication_events(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                 struct chart_medication_event **events, size_t *event_count,
                                 struct fault *fault) {
    struct person person;
    enum err err = fold_person(&reader->db, id, &person, fault);
    return err ? err
               : fold_medication_events(&reader->db, &person, arena, events, event_count, fault);
}

enum err chart_appointments(struct chart_reader *reader, struct arena *arena, uint64_t id,
                            struct chart_appointment **appointments, size_t *appointment_count,
                            struct fault *fault) {
    struct person person;
    enum err err = fold_person(&reader->db, id, &person, fault);
    return err ? err
               : fold_appointments(&reader->db, &person, arena, appointments, appointment_count,
                                   fault);
}

/* ---- feeds and what was set aside ---- */

enum err chart_feeds(struct chart_reader *reader, struct arena *arena, struct chart_feed **feeds,
                     size_t *feed_count, struct fault *fault) {
    size_t capacity = 0;
    enum err err;
    sqlite3_stmt *rows = db_statement(&reader->db, SQL_FEED_ALL, fault);
    *feeds = NULL;
    *feed_count = 0;
    while (!(err = db_next(&reader->db, rows, fault))) {
        *feeds = grow(arena, *feeds, *feed_count, &capacity, sizeof **feeds);
        if (!*feeds)
            return too_much(rows, fault);
        struct chart_feed *f = &(*feeds)[(*feed_count)++];
        struct unpack in = {db_column_bytes(rows, 3), false};
        f->application = arena_copy(arena, db_column_bytes(rows, 1));
        f->facility = arena_copy(arena, db_column_bytes(rows, 2));
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
    return err == ERR_MORE ? ERR_OK : err;
}

enum err chart_asides(struct chart_reader *reader, struct arena *arena, uint64_t from_entry,
                      size_t count_max, struct chart_aside **asides, size_t *aside_count,
                      struct fault *fault) {
    size_t capacity = 0;
    enum err err;
    sqlite3_stmt *rows = db_statement(&reader->db, SQL_ASIDE_LIST, fault);
    db_bind_i64(rows, 1, from_entry > INT64_MAX ? INT64_MAX : (int64_t)from_entry);
    db_bind_i64(rows, 2, count_max > INT64_MAX ? INT64_MAX : (int64_t)count_max);
    *asides = NULL;
    *aside_count = 0;
    while (!(err = db_next(&reader->db, rows, fault))) {
        *asides = grow(arena, *asides, *aside_count, &capacity, sizeof **asides);
        if (!*asides)
            return too_much(rows, fault);
        (*asides)[(*aside_count)++] = (struct chart_aside){
            .entry = (uint64_t)sqlite3_column_int64(rows, 0),
            .received_at = sqlite3_column_int64(rows, 1),
            .feed = arena_copy(arena, db_column_bytes(rows, 2)),
            .type = arena_copy(arena, db_column_bytes(rows, 3)),
            .reason = arena_copy(arena, db_column_bytes(rows, 4)),
            .at = (uint64_t)sqlite3_column_int64(rows, 5),
        };
    }
    return err == ERR_MORE ? ERR_OK : err;
}
