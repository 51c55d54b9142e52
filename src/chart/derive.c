/* derive.c - what pages read in one go: the census, and the words that patients are found by. */
#include "chart/writer.h"

#define ABNORMAL_WINDOW_US (INT64_C(72) * 3600 * US_PER_S)

struct derive {
    struct chart_writer *writer;
    struct person person;
    struct fault *fault;
};

/* When the abnormal results of the last 72 h before the newest were observed. */
static enum err gather_abnormal(struct derive *derive, struct arena *arena, int64_t newest,
                                struct census_record *record) {
    struct chart_report *reports;
    size_t count;
    int64_t *times = arena_array(arena, CHART_ABNORMAL_MAX, sizeof *times);
    record->abnormal_at = times;
    record->abnormal_count = 0;
    if (newest == INSTANT_NONE)
        return ERR_OK;
    if (!times)
        return ERR_LIMIT;
    enum err err = fold_results(&derive->writer->db, &derive->person, arena,
                                newest - ABNORMAL_WINDOW_US, SIZE_MAX, &reports, &count, derive->fault);
    for (size_t i = 0; i < count && !err; i++)
        for (size_t k = 0; k < reports[i].result_count && record->abnormal_count < CHART_ABNORMAL_MAX; k++)
            if (result_is_abnormal(&reports[i].results[k]))
                times[record->abnormal_count++] = reports[i].results[k].observed_at;
    return err;
}

static enum err put_row(struct derive *derive, const struct census_record *record, uint64_t visit,
                        int64_t touched_at) {
    struct text packed;
    text_init(&packed, derive->writer->scratch, SCRATCH_BYTES);
    census_pack(record, &packed);
    if (packed.full)
        return fault_set(derive->fault, ERR_LIMIT, "a census row is too large");
    sqlite3_stmt *put = db_statement(&derive->writer->db, SQL_CENSUS_PUT, derive->fault);
    db_bind_bytes(put, 1, record->stay.place.unit);
    db_bind_bytes(put, 2, record->stay.place.room);
    db_bind_bytes(put, 3, record->stay.place.bed);
    db_bind_i64(put, 4, (int64_t)visit);
    db_bind_i64(put, 5, (int64_t)record->patient.id);
    db_bind_i64(put, 6, touched_at);
    db_bind_blob(put, 7, text_bytes(&packed));
    return db_run(&derive->writer->db, put, derive->fault);
}

/* ---- words ---- */

static enum err put_word(void *owner, struct bytes word) {
    struct derive *derive = owner;
    sqlite3_stmt *put = db_statement(&derive->writer->db, SQL_WORD_PUT, derive->fault);
    db_bind_bytes(put, 1, word);
    db_bind_i64(put, 2, (int64_t)derive->person.id);
    return db_run(&derive->writer->db, put, derive->fault);
}

static enum err drop_person(struct derive *derive, enum sql sql, uint64_t person) {
    sqlite3_stmt *drop = db_statement(&derive->writer->db, sql, derive->fault);
    db_bind_i64(drop, 1, (int64_t)person);
    return db_run(&derive->writer->db, drop, derive->fault);
}

/* A birth date is one word of its digits. */
static enum err put_birth_date(struct derive *derive, struct bytes date) {
    char digits[16];
    struct text text;
    text_init(&text, digits, sizeof digits);
    for (size_t i = 0; i < date.size; i++)
        if (date.data[i] != '-')
            text_put_char(&text, (char)date.data[i]);
    return text.size ? put_word(derive, text_bytes(&text)) : ERR_OK;
}

static enum err put_words(struct derive *derive, const struct chart_patient *patient) {
    const struct bytes names[] = {patient->family_name, patient->given_name, patient->birth_name,
                                  patient->used_name};
    enum err err = drop_person(derive, SQL_WORD_DROP, patient->id);
    for (size_t i = 0; i < 4 && !err; i++)
        if (!bytes_is_empty(names[i]))
            err = words_of(names[i], true, put_word, derive);
    if (!err)
        err = put_birth_date(derive, patient->birth_date);
    return err;
}

/* ---- one person ---- */

static enum err derive_person(struct derive *derive, struct arena *arena) {
    struct chart_writer *writer = derive->writer;
    struct census_record record = {0};
    struct chart_stay *stays;
    struct visit **visits;
    size_t count = 0;
    int64_t touched_at, newest = INSTANT_NONE;
    enum err err = fold_patient(&writer->db, &derive->person, arena, &record.patient, &touched_at,
                                derive->fault);
    for (size_t m = 0; m < derive->person.member_count && !err; m++) {
        struct subject *subject;
        err = writer_subject_by_id(writer, derive->person.members[m], &subject, derive->fault);
        if (!err && subject->newest_result_at > newest)
            newest = subject->newest_result_at;
        if (!err)
            err = drop_person(derive, SQL_CENSUS_DROP, subject->id);
    }
    if (!err)
        err = fold_stays(&writer->db, &derive->person, arena, &stays, &visits, &count, derive->fault);
    bool has_abnormal = false;
    for (size_t i = 0; i < count && !err; i++) {
        if (!stays[i].is_present)
            continue;
        if (!has_abnormal)
            err = gather_abnormal(derive, arena, newest, &record);
        has_abnormal = true;
        record.stay = stays[i];
        record.newest_result_at = newest;
        if (!err)
            err = put_row(derive, &record, visits[i]->id, touched_at);
    }
    if (!err)
        err = put_words(derive, &record.patient);
    return err;
}

static enum err merge_changed(void *owner, uint64_t id) {
    struct derive *derive = owner;
    struct subject *subject;
    enum err err = writer_subject_by_id(derive->writer, id, &subject, derive->fault);
    if (!err)
        subject->is_derived_dirty = true;
    /* A number that is now merged is no longer found as a person of its own. */
    if (!err)
        err = drop_person(derive, SQL_WORD_DROP, id);
    return err ? err : drop_person(derive, SQL_CENSUS_DROP, id);
}

enum err writer_derive(struct chart_writer *writer, struct fault *fault) {
    struct derive derive = {.writer = writer, .fault = fault};
    enum err err = ERR_OK;
    if (writer->edge_end_count)
        err = merges_work_out(&writer->db, writer->edge_ends, writer->edge_end_count,
                              merge_changed, &derive, fault);
    writer->edge_end_count = 0;
    for (struct subject *subject = writer->subjects; subject && !err; subject = subject->next_in_batch) {
        if (!subject->is_dirty && !subject->is_derived_dirty)
            continue;
        err = fold_person(&writer->db, subject->id, &derive.person, fault);
        /* Its other members in this batch need not do it again. */
        for (size_t m = 0; m < derive.person.member_count && !err; m++) {
            struct subject *member;
            err = writer_subject_by_id(writer, derive.person.members[m], &member, fault);
            if (!err)
                member->is_dirty = member->is_derived_dirty = false;
        }
        arena_clear(&writer->message);
        if (!err)
            err = derive_person(&derive, &writer->message);
    }
    return err;
}

#define PERSONS_AT_ONCE 1000

static enum err merge_seen(void *owner, uint64_t id) {
    (void)owner;
    (void)id;
    return ERR_OK;
}

/* The next persons by id; fewer than PERSONS_AT_ONCE when there are no more. */
static enum err list_persons(struct derive *derive, uint64_t after, uint64_t *ids, size_t *count) {
    sqlite3_stmt *rows = db_statement(&derive->writer->db, SQL_SUBJECT_ALL, derive->fault);
    enum err err;
    *count = 0;
    db_bind_i64(rows, 1, (int64_t)after);
    db_bind_i64(rows, 2, PERSONS_AT_ONCE);
    while (!(err = db_next(&derive->writer->db, rows, derive->fault)))
        ids[(*count)++] = (uint64_t)sqlite3_column_int64(rows, 0);
    return err == ERR_MORE ? ERR_OK : err;
}

enum err writer_derive_all(struct chart_writer *writer, struct fault *fault) {
    struct derive derive = {.writer = writer, .fault = fault};
    uint64_t ids[PERSONS_AT_ONCE], last = 0;
    size_t count = 0;
    enum err err = merges_work_out(&writer->db, NULL, 0, merge_seen, NULL, fault);
    do {
        if (!err)
            err = list_persons(&derive, last, ids, &count);
        for (size_t i = 0; i < count && !err; i++) {
            err = fold_person(&writer->db, last = ids[i], &derive.person, fault);
            arena_clear(&writer->message);
            if (!err)
                err = derive_person(&derive, &writer->message);
        }
        writer_forget_batch(writer);
    } while (!err && count == PERSONS_AT_ONCE);
    return err;
}
