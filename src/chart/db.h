/* db.h - one SQLite connection with its statements, prepared once. Values are always bound, never formatted in.
 *
 * Errors     ERR_FULL: the disk; ERR_CORRUPT: the file; ERR_IO: all else. fault.what is static, fault.subject SQLite's word.
 */
#ifndef CHART_DB_H
#define CHART_DB_H

#include "base/arena.h"
#include "base/err.h"
#include <sqlite3.h>

enum sql { /* the table is in db.c */
    SQL_BEGIN_READ, SQL_BEGIN, SQL_COMMIT, SQL_META_GET, SQL_META_SET,
    SQL_SUBJECT_FIND, SQL_SUBJECT_GET, SQL_SUBJECT_PUT, SQL_SUBJECT_PERSON_SET, SQL_SUBJECT_PERSON, SQL_SUBJECT_BY_NUMBER,
    SQL_SUBJECT_MEMBERS, SQL_SUBJECT_ALL, SQL_SUBJECT_PRESENT, SQL_SUBJECT_NAMED, SQL_PLACES, SQL_SUBJECT_RECORDS, SQL_SUBJECT_COUNT, SQL_ALIAS_PUT, SQL_ALIAS_BY_NUMBER,
    SQL_VISIT_FIND, SQL_VISIT_PUT, SQL_VISITS_OF, SQL_VISIT_RECORDS, SQL_VISIT_LET_GO,
    SQL_EDGE_GET, SQL_EDGE_PUT, SQL_EDGE_ALL, SQL_EDGE_ENTRIES, SQL_ALLERGY_ENTRIES, SQL_DIAGNOSIS_ENTRIES, SQL_DOUBT_GET, SQL_DOUBT_PUT, SQL_DOUBT_DROP,
    SQL_REPORT_PUT, SQL_REPORTS_OF, SQL_ALLERGY_PUT, SQL_ALLERGIES_OF, SQL_DIAGNOSIS_PUT, SQL_DIAGNOSES_OF, SQL_DOCUMENT_PUT, SQL_DOCUMENTS_OF,
    SQL_STATEMENT_PUT, SQL_STATEMENTS_OF, SQL_STATEMENT_PERSONS,
    SQL_FEED_PUT, SQL_FEED_ALL, SQL_ASIDE_PUT, SQL_ASIDE_LIST, SQL_ASIDE_COUNT,
    SQL_CENSUS_PUT, SQL_CENSUS_DROP, SQL_CENSUS_WARD, SQL_CENSUS_ALL, SQL_CENSUS_COUNT, SQL_CENSUS_WARDS, SQL_CENSUS_PERSON, SQL_CENSUS_BED,
    SQL_WORD_PUT, SQL_WORD_DROP, SQL_WORD_RANGE,
    SQL_RESOURCE_KEYS, SQL_RESOURCE_PUT, SQL_RESOURCE_GONE, SQL_RESOURCE_GET, SQL_RESOURCES_OF, SQL_RESOURCES_LOOSE, SQL_RESOURCE_DIGEST,
    SQL_EDGES_AT,
    SQL_COUNT
};

struct db {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT];
};

MUST_CHECK enum err db_open(struct db *db, const char *path, bool is_writer, struct fault *fault);
void db_close(struct db *db);
/* Fill the fault from SQLite's last error. */
enum err db_fail(struct db *db, const char *what, struct fault *fault);
/* The statement, reset and unbound; NULL after a failure (fault filled). */
sqlite3_stmt *db_statement(struct db *db, enum sql sql, struct fault *fault);
/* Step a statement that gives no rows. */
MUST_CHECK enum err db_run(struct db *db, sqlite3_stmt *statement, struct fault *fault);
/* Step to the next row: ERR_OK a row, ERR_MORE none left. */
MUST_CHECK enum err db_next(struct db *db, sqlite3_stmt *statement, struct fault *fault);
MUST_CHECK enum err db_exec(struct db *db, const char *sql, struct fault *fault);

void db_bind_bytes(sqlite3_stmt *statement, int at, struct bytes text);  /* as TEXT; must outlive the step */
void db_bind_blob(sqlite3_stmt *statement, int at, struct bytes blob);
void db_bind_i64(sqlite3_stmt *statement, int at, int64_t number);
/* A view until the next step or reset. */
struct bytes db_column_bytes(sqlite3_stmt *statement, int at);

MUST_CHECK enum err db_meta_get(struct db *db, const char *name, int64_t *number, struct fault *fault);
MUST_CHECK enum err db_meta_set(struct db *db, const char *name, int64_t number, struct fault *fault);
/* Empty when there is none. */
MUST_CHECK enum err db_meta_get_text(struct db *db, const char *name, char *text, size_t text_bytes,
                                     struct fault *fault);
MUST_CHECK enum err db_meta_set_text(struct db *db, const char *name, struct bytes text, struct fault *fault);

#endif
