/* names.c - names for patients that are the same in every chart made of the same record, and finding them again. */
#include "chart/reader.h"
#include "chart/writer.h"

#include <nettle/sha2.h>

static void add(struct sha256_ctx *hash, struct bytes part) {
    uint8_t size[4];
    store_u32(size, (uint32_t)part.size);
    sha256_update(hash, sizeof size, size);
    if (part.size)
        sha256_update(hash, part.size, part.data);
}

static void digest(const struct fact_identifier *identifier, uint8_t out[SHA256_DIGEST_SIZE]) {
    struct sha256_ctx hash;
    sha256_init(&hash);
    add(&hash, identifier->authority);
    add(&hash, identifier->type);
    add(&hash, identifier->number);
    sha256_digest(&hash, SHA256_DIGEST_SIZE, out);
}

void chart_name_identifier(const struct fact_identifier *identifier, char hex[65]) {
    uint8_t name[SHA256_DIGEST_SIZE];
    struct text text;
    digest(identifier, name);
    text_init(&text, hex, 65);
    text_put_hex(&text, bytes_from(name, sizeof name));
}

int64_t names_number(const struct fact_identifier *identifier) {
    uint8_t name[SHA256_DIGEST_SIZE];
    digest(identifier, name);
    return (int64_t)load_u64(name);
}

enum err chart_find_name(struct chart_reader *reader, struct bytes hex16, uint64_t *id,
                         size_t *member, struct fault *fault) {
    uint8_t name[8];
    struct person person;
    if (hex16.size != 16 || !hex_decode(hex16, name, sizeof name))
        return fault_set(fault, ERR_NOT_FOUND, "there is no such patient");
    sqlite3_stmt *get = db_statement(&reader->db, SQL_SUBJECT_NAMED, fault);
    db_bind_i64(get, 1, (int64_t)load_u64(name));
    enum err err = db_next(&reader->db, get, fault);
    if (err)
        return err == ERR_MORE ? fault_set(fault, ERR_NOT_FOUND, "there is no such patient") : err;
    uint64_t subject = (uint64_t)sqlite3_column_int64(get, 0);
    sqlite3_reset(get);
    err = fold_person(&reader->db, subject, &person, fault);
    if (err)
        return err;
    *id = person.id;
    for (*member = 0; *member < person.member_count; (*member)++)
        if (person.members[*member] == subject)
            return ERR_OK;
    return fault_set(fault, ERR_NOT_FOUND, "there is no such patient");
}

enum err chart_persons(struct chart_reader *reader, uint64_t after, bool present_only,
                       uint64_t *ids, size_t ids_max, size_t *count, struct fault *fault) {
    enum sql sql = present_only ? SQL_SUBJECT_PRESENT : SQL_SUBJECT_ALL;
    sqlite3_stmt *rows = db_statement(&reader->db, sql, fault);
    enum err err;
    db_bind_i64(rows, 1, (int64_t)after);
    db_bind_i64(rows, 2, (int64_t)ids_max);
    *count = 0;
    while (!(err = db_next(&reader->db, rows, fault)) && *count < ids_max)
        ids[(*count)++] = (uint64_t)sqlite3_column_int64(rows, 0);
    if (rows)
        sqlite3_reset(rows);
    return err == ERR_MORE || !err ? ERR_OK : err;
}

#define PLACES_MAX 65536u

enum err chart_places(struct chart_reader *reader, struct arena *arena, struct fact_place **places,
                      size_t *count, struct fault *fault) {
    size_t capacity = 0;
    sqlite3_stmt *rows = db_statement(&reader->db, SQL_PLACES, fault);
    enum err err;
    *places = NULL;
    *count = 0;
    while (!(err = db_next(&reader->db, rows, fault))) {
        if (*count == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            struct fact_place *larger =
                capacity <= PLACES_MAX ? arena_array(arena, capacity, sizeof *larger) : NULL;
            if (!larger) {
                sqlite3_reset(rows);
                return fault_set(fault, ERR_LIMIT, "too much for one page");
            }
            if (*count)
                memcpy(larger, *places, *count * sizeof *larger);
            *places = larger;
        }
        (*places)[(*count)++] =
            (struct fact_place){.unit = arena_copy(arena, db_column_bytes(rows, 0)),
                                .room = arena_copy(arena, db_column_bytes(rows, 1)),
                                .bed = arena_copy(arena, db_column_bytes(rows, 2))};
    }
    return err == ERR_MORE ? ERR_OK : err;
}
