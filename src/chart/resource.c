/* resource.c - FHIR resources as they came: kept with the facts made of them, and given back whole.
 *
 * Invariants
 *   A row has the content with the greatest key and the greatest key of a deletion, each on its own: neither depends on what came
 *   first.
 *   What is older than its deletion is taken back with the deletion's key, whichever of the two comes later: all that can be
 *   taken back of a version is said again as if it were entered in error.
 */
#include "chart/reader.h"
#include "chart/writer.h"

/* Behind all places that facts of an entry can have. */
#define WITHDRAWN_PART (1u << 31)

struct row {
    bool is_there, has_content, is_gone;
    struct key content, gone;
    uint64_t subject;
    struct bytes json; /* a view until the next statement of this kind */
};

static struct key key_at(sqlite3_stmt *row, int at) {
    return (struct key){sqlite3_column_int(row, at) > 0, sqlite3_column_int64(row, at + 1),
                        (uint64_t)sqlite3_column_int64(row, at + 2),
                        (uint64_t)sqlite3_column_int64(row, at + 3)};
}

static void bind_key(sqlite3_stmt *put, int at, const struct key *key) {
    db_bind_i64(put, at, key->is_sure);
    db_bind_i64(put, at + 1, key->said);
    db_bind_i64(put, at + 2, (int64_t)key->clock);
    db_bind_i64(put, at + 3, (int64_t)key->entry);
}

static void bind_name(sqlite3_stmt *statement, const struct fact_resource *resource) {
    db_bind_bytes(statement, 1, resource->type);
    db_bind_bytes(statement, 2, resource->id);
    db_bind_bytes(statement, 3, resource->source);
}

static enum err find_row(struct chart_writer *writer, const struct fact_resource *resource,
                         struct row *row, sqlite3_stmt **found, struct fault *fault) {
    sqlite3_stmt *get = *found = db_statement(&writer->db, SQL_RESOURCE_KEYS, fault);
    *row = (struct row){0};
    bind_name(get, resource);
    enum err err = db_next(&writer->db, get, fault);
    if (err)
        return err == ERR_MORE ? ERR_OK : err;
    row->is_there = true;
    row->content = key_at(get, 0);
    row->has_content = sqlite3_column_int64(get, 3) >= 0;
    row->gone = key_at(get, 4);
    row->is_gone = sqlite3_column_int64(get, 7) >= 0;
    row->subject = (uint64_t)sqlite3_column_int64(get, 8);
    row->json = db_column_bytes(get, 9);
    return ERR_OK;
}

/* ---- what a deletion takes back ---- */

static unsigned part_of(const struct fact_resource *resource) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    const struct bytes parts[] = {resource->type, resource->id, resource->source};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < parts[i].size; k++)
            hash = (hash ^ parts[i].data[k]) * 16777619u;
    return WITHDRAWN_PART | (hash & 0x7FFFFFF0u);
}

static enum err withdraw(struct chart_writer *writer, const struct fact_resource *resource,
                         const struct facts *about, const struct key *key, struct feed *feed,
                         int64_t received_at, struct fault *fault) {
    struct facts facts = {.has_subject = about->has_subject,
                          .subject = about->subject,
                          .is_date_doubtful = !key->is_sure};
    struct facts_context context = {.received_at = received_at,
                                    .zone = &writer->zone,
                                    .authorities = writer->options.authorities,
                                    .authority_count = writer->options.authority_count};
    enum err err = facts_from_deleted_fhir(resource, &context, key->said, &writer->message, &facts);
    if (err)
        return fault_set(fault, err, "a resource is too large to be taken back");
    return writer_take_facts(writer, &facts, key, feed, received_at, PARTS_ALL, part_of(resource),
                             fault);
}

/* The version that stands, when this deletion is the later one. */
static enum err withdraw_row(struct chart_writer *writer, const struct fact_resource *resource,
                             const struct row *row, const struct key *key, struct feed *feed,
                             int64_t received_at, struct fault *fault) {
    struct fact_resource whole = *resource;
    struct facts about = {0};
    whole.json = arena_copy(&writer->message, row->json);
    if (!whole.json.data || row->subject == 0)
        return ERR_OK;
    struct subject *subject;
    enum err err = writer_subject_by_id(writer, row->subject, &subject, fault);
    if (err)
        return err;
    about.has_subject = true;
    about.subject = subject->identifier;
    return withdraw(writer, &whole, &about, key, feed, received_at, fault);
}

/* ---- taking ---- */

static enum err put_gone(struct chart_writer *writer, const struct fact_resource *resource,
                         const struct key *key, struct fault *fault) {
    sqlite3_stmt *put = db_statement(&writer->db, SQL_RESOURCE_GONE, fault);
    bind_name(put, resource);
    bind_key(put, 4, key);
    return db_run(&writer->db, put, fault);
}

static enum err put_content(struct chart_writer *writer, const struct facts *facts,
                            const struct fact_resource *resource, const struct key *key,
                            struct fault *fault) {
    struct subject *subject = NULL;
    enum err err =
        facts->has_subject ? writer_subject(writer, &facts->subject, &subject, fault) : ERR_OK;
    if (err)
        return err;
    sqlite3_stmt *put = db_statement(&writer->db, SQL_RESOURCE_PUT, fault);
    bind_name(put, resource);
    db_bind_i64(put, 4, subject ? (int64_t)subject->id : 0);
    bind_key(put, 5, key);
    db_bind_blob(put, 9, resource->json);
    return db_run(&writer->db, put, fault);
}

static enum err take_deletion(struct chart_writer *writer, const struct fact_resource *resource,
                              const struct row *row, const struct key *key, struct feed *feed,
                              int64_t received_at, struct fault *fault) {
    if (row->is_gone && key_compare(key, &row->gone) <= 0)
        return ERR_OK;
    bool takes_back = row->has_content && key_compare(key, &row->content) > 0;
    enum err err =
        takes_back ? withdraw_row(writer, resource, row, key, feed, received_at, fault) : ERR_OK;
    return err ? err : put_gone(writer, resource, key, fault);
}

enum err writer_take_resource(struct chart_writer *writer, const struct facts *facts,
                              const struct key *key, struct feed *feed, int64_t received_at,
                              struct fault *fault) {
    if (facts->count == 0 || facts->list[0].kind != FACT_RESOURCE)
        return ERR_OK;
    const struct fact_resource *resource = &facts->list[0].resource;
    struct row row;
    sqlite3_stmt *found;
    if (bytes_is_empty(resource->id))
        return ERR_OK; /* a deletion that names nothing: it was set aside */
    enum err err = find_row(writer, resource, &row, &found, fault);
    if (!err && resource->is_deleted)
        err = take_deletion(writer, resource, &row, key, feed, received_at, fault);
    row.json = arena_copy(&writer->message, row.json);
    if (found)
        sqlite3_reset(found);
    if (err || resource->is_deleted)
        return err;
    if (row.has_content && key_compare(key, &row.content) <= 0)
        return ERR_OK; /* a later version says what there is, and what is taken back */
    err = put_content(writer, facts, resource, key, fault);
    if (!err && row.is_gone && facts->has_subject && key_compare(key, &row.gone) < 0)
        err = withdraw(writer, resource, facts, &row.gone, feed, received_at, fault);
    /* What the newest version said is taken back last, so that what stays of it does not depend on the order of arrival. */
    if (!err && row.is_gone && row.has_content && key_compare(key, &row.content) < 0)
        err = withdraw_row(writer, resource, &row, &row.gone, feed, received_at, fault);
    return err;
}

/* ---- giving back ---- */

static enum err read_resource(struct chart_reader *reader, struct arena *arena, sqlite3_stmt *row,
                              struct chart_resource *out, struct fault *fault) {
    struct key content = key_at(row, 4), gone = key_at(row, 8);
    bool has_content = sqlite3_column_int64(row, 7) >= 0;
    bool is_gone = sqlite3_column_int64(row, 11) >= 0;
    struct bytes json = db_column_bytes(row, 12);
    struct person person;
    *out = (struct chart_resource){
        .type = arena_copy(arena, db_column_bytes(row, 0)),
        .id = arena_copy(arena, db_column_bytes(row, 1)),
        .source = arena_copy(arena, db_column_bytes(row, 2)),
        .patient = (uint64_t)sqlite3_column_int64(row, 3),
        .is_deleted = is_gone && (!has_content || key_compare(&gone, &content) > 0),
        .json = arena_copy(arena, json),
    };
    const struct key *last = out->is_deleted ? &gone : &content;
    out->said = last->said;
    out->from = (struct chart_source){last->entry, last->said};
    if (json.size && !out->json.data)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    if (out->patient == 0)
        return ERR_OK;
    enum err err = fold_person(&reader->db, out->patient, &person, fault);
    out->patient = person.id;
    return err;
}

enum err chart_resource(struct chart_reader *reader, struct arena *arena, struct bytes type,
                        struct bytes id, struct bytes source, struct chart_resource *out,
                        struct fault *fault) {
    sqlite3_stmt *get = db_statement(&reader->db, SQL_RESOURCE_GET, fault);
    db_bind_bytes(get, 1, type);
    db_bind_bytes(get, 2, id);
    db_bind_bytes(get, 3, source);
    enum err err = db_next(&reader->db, get, fault);
    if (err)
        return err == ERR_MORE ? fault_set(fault, ERR_NOT_FOUND, "there is no such resource") : err;
    err = !bytes_is_empty(source) && !bytes_equal(source, db_column_bytes(get, 2))
              ? fault_set(fault, ERR_NOT_FOUND, "there is no such resource")
              : read_resource(reader, arena, get, out, fault);
    sqlite3_reset(get);
    return err;
}

/* All rows of a statement, behind what is there. */
static enum err gather(struct chart_reader *reader, struct arena *arena, sqlite3_stmt *rows,
                       struct chart_resource **list, size_t *count, size_t *capacity,
                       struct fault *fault) {
    enum err err;
    while (!(err = db_next(&reader->db, rows, fault))) {
        if (*count == *capacity) {
            size_t more = *capacity ? *capacity * 2 : 32;
            struct chart_resource *longer = arena_array(arena, more, sizeof *longer);
            if (!longer) {
                sqlite3_reset(rows);
                return fault_set(fault, ERR_LIMIT, "too much for one page");
            }
            if (*count)
                memcpy(longer, *list, *count * sizeof *longer);
            *list = longer;
            *capacity = more;
        }
        err = read_resource(reader, arena, rows, &(*list)[(*count)++], fault);
        if (err) {
            sqlite3_reset(rows);
            return err;
        }
    }
    return err == ERR_MORE ? ERR_OK : err;
}

enum err chart_resources_of(struct chart_reader *reader, struct arena *arena, uint64_t patient,
                            struct bytes type, struct chart_resource **out, size_t *count,
                            struct fault *fault) {
    struct person person;
    size_t capacity = 0;
    *out = NULL;
    *count = 0;
    enum err err = fold_person(&reader->db, patient, &person, fault);
    for (size_t m = 0; m < person.member_count && !err; m++) {
        sqlite3_stmt *rows = db_statement(&reader->db, SQL_RESOURCES_OF, fault);
        db_bind_i64(rows, 1, (int64_t)person.members[m]);
        db_bind_bytes(rows, 2, type);
        db_bind_bytes(rows, 3, bytes_is_empty(type) ? BYTES("\x7F") : type);
        err = gather(reader, arena, rows, out, count, &capacity, fault);
    }
    return err;
}

enum err chart_resources_loose(struct chart_reader *reader, struct arena *arena, struct bytes type,
                               struct bytes after_id, struct bytes after_source, size_t count_max,
                               struct chart_resource **out, size_t *count, struct fault *fault) {
    size_t capacity = 0;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *rows = db_statement(&reader->db, SQL_RESOURCES_LOOSE, fault);
    db_bind_bytes(rows, 1, type);
    db_bind_bytes(rows, 2, after_id);
    db_bind_bytes(rows, 3, after_source);
    db_bind_i64(rows, 4, (int64_t)count_max);
    return gather(reader, arena, rows, out, count, &capacity, fault);
}
