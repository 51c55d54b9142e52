/* db.c - SQLite behind a few functions. */
#include "chart/db.h"

#include "base/text.h"

#include <stdio.h>

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_META_GET] = "SELECT value FROM meta WHERE name = ?1",
    [SQL_META_SET] = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)",
    [SQL_SUBJECT_FIND] = "SELECT id, record FROM subject WHERE number = ?1 AND authority = ?2 AND type = ?3",
    [SQL_SUBJECT_GET] = "SELECT authority, type, number, record FROM subject WHERE id = ?1",
    [SQL_SUBJECT_PUT] =
        "INSERT INTO subject (id, authority, type, number, person, record, name) VALUES (?1, ?2, ?3, ?4, ?1, ?5, ?6) "
        "ON CONFLICT (id) DO UPDATE SET record = excluded.record",
    [SQL_SUBJECT_PERSON_SET] = "UPDATE subject SET person = ?2 WHERE id = ?1",
    [SQL_SUBJECT_PERSON] = "SELECT person FROM subject WHERE id = ?1",
    [SQL_SUBJECT_BY_NUMBER] = "SELECT person, authority, type FROM subject WHERE number = ?1",
    [SQL_SUBJECT_MEMBERS] = "SELECT id FROM subject WHERE person = ?1 AND person <> id ORDER BY id",
    [SQL_SUBJECT_ALL] = "SELECT id FROM subject WHERE person = id AND id > ?1 ORDER BY id LIMIT ?2",
    [SQL_SUBJECT_PRESENT] = "SELECT DISTINCT person FROM census WHERE person > ?1 ORDER BY person LIMIT ?2",
    [SQL_SUBJECT_NAMED] = "SELECT id, person FROM subject WHERE name = ?1",
    [SQL_PLACES] = "SELECT DISTINCT ward, room, bed FROM census ORDER BY ward, room, bed",
    [SQL_SUBJECT_RECORDS] = "SELECT record FROM subject",
    [SQL_SUBJECT_COUNT] = "SELECT max(id) - (SELECT count(*) FROM subject WHERE person <> id) FROM subject",
    [SQL_ALIAS_PUT] = "INSERT OR IGNORE INTO alias (number, authority, type, subject) VALUES (?1, ?2, ?3, ?4)",
    [SQL_ALIAS_BY_NUMBER] =
        "SELECT subject.person, alias.authority, alias.type FROM alias JOIN subject ON subject.id = alias.subject "
        "WHERE alias.number = ?1",
    [SQL_VISIT_FIND] = "SELECT id, subject, record FROM visit WHERE number = ?1 AND authority = ?2 AND type = ?3",
    [SQL_VISIT_PUT] =
        "INSERT INTO visit (id, authority, type, number, subject, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT (id) DO UPDATE SET record = excluded.record, subject = excluded.subject",
    [SQL_VISITS_OF] = "SELECT id, authority, type, number, record FROM visit WHERE subject = ?1 ORDER BY id",
    [SQL_VISIT_RECORDS] =
        "SELECT visit.record, visit.authority, visit.type, visit.number, subject.authority, subject.type, "
        "subject.number FROM visit JOIN subject ON subject.id = visit.subject",
    [SQL_VISIT_LET_GO] = "SELECT record FROM visit WHERE subject = 0",
    [SQL_EDGE_ENTRIES] = "SELECT entry FROM edge WHERE entry >= ?1 AND entry < ?2",
    [SQL_ALLERGY_ENTRIES] = "SELECT entry FROM allergy WHERE entry >= ?1 AND entry < ?2",
    [SQL_DIAGNOSIS_ENTRIES] =
        "SELECT diagnosis.entry FROM diagnosis JOIN subject ON subject.id = diagnosis.subject "
        "WHERE diagnosis.entry >= ?1 AND diagnosis.entry < ?2 AND (subject.person IN (SELECT person FROM census) "
        "OR diagnosis.agent LIKE 'problem|%')",
    [SQL_EDGE_GET] = "SELECT sure, said, clock, entry FROM edge WHERE loser = ?1 AND survivor = ?2",
    [SQL_DOUBT_GET] = "SELECT reason FROM doubt WHERE person = ?1",
    [SQL_DOUBT_PUT] = "INSERT OR REPLACE INTO doubt (person, reason) VALUES (?1, ?2)",
    [SQL_DOUBT_DROP] = "DELETE FROM doubt WHERE person = ?1",
    [SQL_EDGE_PUT] =
        "INSERT OR REPLACE INTO edge (loser, survivor, sure, said, clock, entry, is_unlink) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_EDGE_ALL] = "SELECT loser, survivor, sure, said, clock, entry, is_unlink FROM edge ORDER BY loser, survivor",
    [SQL_REPORT_PUT] =
        "INSERT OR REPLACE INTO report (subject, reported_at, entry, part, record) VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_REPORTS_OF] =
        "SELECT record FROM report WHERE subject = ?1 AND reported_at >= ?2 ORDER BY reported_at DESC, entry DESC "
        "LIMIT ?3",
    [SQL_ALLERGY_PUT] =
        "INSERT INTO allergy (subject, feed, agent, sure, said, clock, entry, record) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (subject, feed, agent) DO UPDATE SET "
        "sure = excluded.sure, said = excluded.said, clock = excluded.clock, entry = excluded.entry, "
        "record = excluded.record WHERE (excluded.sure, excluded.said, excluded.clock, excluded.entry) >= "
        "(sure, said, clock, entry)",
    [SQL_ALLERGIES_OF] = "SELECT feed, said, entry, record FROM allergy WHERE subject = ?1 ORDER BY agent, feed",
    [SQL_DIAGNOSIS_PUT] =
        "INSERT INTO diagnosis (subject, agent, sure, said, clock, entry, record) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (subject, agent) DO UPDATE SET "
        "sure = excluded.sure, said = excluded.said, clock = excluded.clock, entry = excluded.entry, "
        "record = excluded.record WHERE (excluded.sure, excluded.said, excluded.clock, excluded.entry) >= "
        "(sure, said, clock, entry)",
    [SQL_DIAGNOSES_OF] = "SELECT said, entry, record, agent FROM diagnosis WHERE subject = ?1 ORDER BY said DESC, agent",
    [SQL_DOCUMENT_PUT] =
        "INSERT INTO document (subject, document, sure, said, clock, entry, record) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (subject, document) DO UPDATE SET "
        "sure = excluded.sure, said = excluded.said, clock = excluded.clock, entry = excluded.entry, "
        "record = excluded.record WHERE (excluded.sure, excluded.said, excluded.clock, excluded.entry) >= "
        "(sure, said, clock, entry)",
    [SQL_DOCUMENTS_OF] = "SELECT document, said, entry, record FROM document WHERE subject = ?1 ORDER BY said DESC, document",
    [SQL_STATEMENT_PUT] =
        "INSERT OR REPLACE INTO statement (subject, kind, entry, part, record) VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_STATEMENTS_OF] = "SELECT record, part FROM statement WHERE subject = ?1 AND kind = ?2",
    [SQL_STATEMENT_PERSONS] =
        "SELECT DISTINCT subject.person FROM statement JOIN subject ON subject.id = statement.subject "
        "WHERE statement.entry >= ?1 AND statement.entry < ?2 AND subject.person > ?3 ORDER BY subject.person LIMIT ?4",
    [SQL_FEED_PUT] =
        "INSERT INTO feed (id, application, facility, record) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (id) DO UPDATE SET record = excluded.record",
    [SQL_FEED_ALL] = "SELECT id, application, facility, record FROM feed ORDER BY id",
    [SQL_ASIDE_PUT] =
        "INSERT OR REPLACE INTO aside (entry, received_at, feed, type, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_ASIDE_LIST] =
        "SELECT entry, received_at, feed, type, reason, at FROM aside WHERE entry <= ?1 ORDER BY entry DESC LIMIT ?2",
    [SQL_ASIDE_COUNT] = "SELECT count(*) FROM aside",
    [SQL_CENSUS_PUT] =
        "INSERT OR REPLACE INTO census (ward, room, bed, visit, person, touched_at, record) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_CENSUS_DROP] = "DELETE FROM census WHERE person = ?1",
    [SQL_CENSUS_WARD] = "SELECT record FROM census WHERE ward = ?1 ORDER BY room, bed, visit",
    [SQL_CENSUS_ALL] = "SELECT record FROM census ORDER BY ward, room, bed, visit",
    [SQL_CENSUS_COUNT] = "SELECT count(*) FROM census",
    [SQL_CENSUS_WARDS] = "SELECT ward, count(*), max(touched_at) FROM census GROUP BY ward ORDER BY ward",
    [SQL_CENSUS_PERSON] = "SELECT record FROM census WHERE person = ?1",
    [SQL_CENSUS_BED] = "SELECT person FROM census WHERE bed = ?1 COLLATE NOCASE OR room = ?1 COLLATE NOCASE",
    [SQL_WORD_PUT] = "INSERT OR IGNORE INTO word (word, person) VALUES (?1, ?2)",
    [SQL_WORD_DROP] = "DELETE FROM word WHERE person = ?1",
    [SQL_RESOURCE_KEYS] =
        "SELECT sure, said, clock, entry, gone_sure, gone_said, gone_clock, gone_entry, subject, json FROM resource "
        "WHERE type = ?1 AND id = ?2 AND source = ?3",
    [SQL_RESOURCE_PUT] =
        "INSERT INTO resource (type, id, source, subject, sure, said, clock, entry, json, gone_sure, gone_said, "
        "gone_clock, gone_entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, 0, -1) "
        "ON CONFLICT (type, id, source) DO UPDATE SET subject = excluded.subject, sure = excluded.sure, "
        "said = excluded.said, clock = excluded.clock, entry = excluded.entry, json = excluded.json",
    [SQL_RESOURCE_GONE] =
        "INSERT INTO resource (type, id, source, subject, gone_sure, gone_said, gone_clock, gone_entry, json, sure, "
        "said, clock, entry) VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, NULL, -1, 0, 0, -1) "
        "ON CONFLICT (type, id, source) DO UPDATE SET gone_sure = excluded.gone_sure, gone_said = excluded.gone_said, "
        "gone_clock = excluded.gone_clock, gone_entry = excluded.gone_entry",
    [SQL_RESOURCE_GET] =
        "SELECT type, id, source, subject, sure, said, clock, entry, gone_sure, gone_said, gone_clock, gone_entry, json "
        "FROM resource WHERE type = ?1 AND id = ?2 AND source >= ?3 ORDER BY source LIMIT 1",
    [SQL_RESOURCES_OF] =
        "SELECT type, id, source, subject, sure, said, clock, entry, gone_sure, gone_said, gone_clock, gone_entry, json "
        "FROM resource WHERE subject = ?1 AND type >= ?2 AND type <= ?3 ORDER BY type, id",
    [SQL_RESOURCES_LOOSE] =
        "SELECT type, id, source, subject, sure, said, clock, entry, gone_sure, gone_said, gone_clock, gone_entry, json "
        "FROM resource WHERE subject = 0 AND type = ?1 AND (id, source) > (?2, ?3) ORDER BY id, source LIMIT ?4",
    [SQL_RESOURCE_DIGEST] =
        "SELECT type, id, source, "
        "(gone_sure, gone_said, gone_clock, gone_entry) > (sure, said, clock, entry), json FROM resource "
        "ORDER BY type, id, source",
    [SQL_EDGES_AT] = "SELECT loser, survivor, is_unlink FROM edge WHERE loser = ?1 OR survivor = ?1",
    [SQL_WORD_RANGE] = "SELECT DISTINCT person FROM word WHERE word >= ?1 AND word < ?2 LIMIT ?3",
};

enum err db_fail(struct db *db, const char *what, struct fault *fault) {
    int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_CANTOPEN;
    enum err err = code == SQLITE_FULL                              ? ERR_FULL
                   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ERR_CORRUPT
                                                                    : ERR_IO;
    return fault_set_subject(fault, err, what, db->handle ? sqlite3_errmsg(db->handle) : "");
}

enum err db_exec(struct db *db, const char *sql, struct fault *fault) {
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK
               ? ERR_OK
               : db_fail(db, "the chart refuses a statement", fault);
}

enum err db_open(struct db *db, const char *path, bool is_writer, struct fault *fault) {
    *db = (struct db){0};
    int flags = is_writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    flags |= SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
    if (code == SQLITE_OK && !is_writer) {
        /* Without a writer the shared index may be missing, which a read-only connection cannot make. */
        code = sqlite3_exec(db->handle, "SELECT 1 FROM sqlite_master", NULL, NULL, NULL);
        if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) {
            sqlite3_close(db->handle);
            code = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
            if (code == SQLITE_OK)
                code = sqlite3_exec(db->handle, "PRAGMA query_only = 1", NULL, NULL, NULL);
        }
    }
    if (code != SQLITE_OK) {
        enum err err = db_fail(db, "the chart cannot be opened", fault);
        db_close(db);
        return err;
    }
    sqlite3_busy_timeout(db->handle, 5000);
    return ERR_OK;
}

void db_close(struct db *db) {
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->handle);
    *db = (struct db){0};
}

sqlite3_stmt *db_statement(struct db *db, enum sql sql, struct fault *fault) {
    sqlite3_stmt **statement = &db->statements[sql];
    if (!*statement && sqlite3_prepare_v3(db->handle, texts[sql], -1, SQLITE_PREPARE_PERSISTENT,
                                          statement, NULL) != SQLITE_OK) {
        enum err err = db_fail(db, "the chart refuses a statement", fault);
        (void)err;
        return NULL;
    }
    sqlite3_reset(*statement);
    return *statement;
}

enum err db_run(struct db *db, sqlite3_stmt *statement, struct fault *fault) {
    if (!statement)
        return ERR_IO;
    int code = sqlite3_step(statement);
    enum err err = code == SQLITE_DONE ? ERR_OK : db_fail(db, "the chart cannot be written", fault);
    sqlite3_reset(statement);
    return err;
}

enum err db_next(struct db *db, sqlite3_stmt *statement, struct fault *fault) {
    if (!statement)
        return ERR_IO;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return ERR_OK;
    enum err err = code == SQLITE_DONE ? ERR_MORE : db_fail(db, "the chart cannot be read", fault);
    sqlite3_reset(statement);
    return err;
}

void db_bind_bytes(sqlite3_stmt *statement, int at, struct bytes text) {
    if (statement)
        sqlite3_bind_text(statement, at, text.data ? (const char *)text.data : "", (int)text.size,
                          SQLITE_STATIC);
}

void db_bind_blob(sqlite3_stmt *statement, int at, struct bytes blob) {
    if (statement)
        sqlite3_bind_blob(statement, at, blob.data ? (const void *)blob.data : "", (int)blob.size,
                          SQLITE_STATIC);
}

void db_bind_i64(sqlite3_stmt *statement, int at, int64_t number) {
    if (statement)
        sqlite3_bind_int64(statement, at, number);
}

struct bytes db_column_bytes(sqlite3_stmt *statement, int at) {
    const void *data = sqlite3_column_blob(statement, at);
    return bytes_from(data, (size_t)sqlite3_column_bytes(statement, at));
}

enum err db_meta_get(struct db *db, const char *name, int64_t *number, struct fault *fault) {
    sqlite3_stmt *get = db_statement(db, SQL_META_GET, fault);
    db_bind_bytes(get, 1, bytes_from_string(name));
    enum err err = db_next(db, get, fault);
    if (!err)
        *number = sqlite3_column_int64(get, 0);
    if (get)
        sqlite3_reset(get);
    return err == ERR_MORE ? ERR_NOT_FOUND : err;
}

enum err db_meta_get_text(struct db *db, const char *name, char *text, size_t text_bytes,
                          struct fault *fault) {
    struct text out;
    text_init(&out, text, text_bytes);
    sqlite3_stmt *get = db_statement(db, SQL_META_GET, fault);
    db_bind_bytes(get, 1, bytes_from_string(name));
    enum err err = db_next(db, get, fault);
    if (!err)
        text_put(&out, db_column_bytes(get, 0));
    if (get)
        sqlite3_reset(get);
    return err == ERR_MORE ? ERR_OK : err;
}

enum err db_meta_set_text(struct db *db, const char *name, struct bytes text, struct fault *fault) {
    sqlite3_stmt *set = db_statement(db, SQL_META_SET, fault);
    db_bind_bytes(set, 1, bytes_from_string(name));
    db_bind_bytes(set, 2, text);
    return db_run(db, set, fault);
}

enum err db_meta_set(struct db *db, const char *name, int64_t number, struct fault *fault) {
    sqlite3_stmt *set = db_statement(db, SQL_META_SET, fault);
    db_bind_bytes(set, 1, bytes_from_string(name));
    db_bind_i64(set, 2, number);
    return db_run(db, set, fault);
}
