/* digest.c - one hash for what a chart says, whatever the order its entries came in.
 *
 * Every person is written out canonically (no entry numbers, times of receipt or clocks), hashed, the hashes are sorted
 * and hashed again. Ids depend on the order of arrival and so appear nowhere. */
#include "chart/reader.h"

#include "base/pool.h"

#include <nettle/sha2.h>
#include <stdlib.h>

#define PERSON_BYTES ((size_t)512 << 20)

struct hash {
    uint8_t bytes[SHA256_DIGEST_SIZE];
};

struct digest {
    struct chart_reader *reader;
    struct arena arena;
    struct sha256_ctx sha;
    struct hash *hashes;
    size_t count, capacity;
    bool is_lasting; /* only what outlasts the epochs it was said in */
    struct fault *fault;
};

/* ---- canonical parts: each behind its length, so that no two different lists give the same bytes ---- */

static void add_bytes(struct sha256_ctx *sha, struct bytes b) {
    uint8_t size[8];
    store_u64(size, b.size);
    sha256_update(sha, sizeof size, size);
    sha256_update(sha, b.size, b.data);
}

static void add_number(struct sha256_ctx *sha, uint64_t number) {
    uint8_t value[8];
    store_u64(value, number);
    sha256_update(sha, sizeof value, value);
}

static void add_identifier(struct sha256_ctx *sha, const struct fact_identifier *identifier) {
    add_bytes(sha, identifier->authority);
    add_bytes(sha, identifier->type);
    add_bytes(sha, identifier->number);
}

static void add_place(struct sha256_ctx *sha, const struct fact_place *place) {
    add_bytes(sha, place->unit);
    add_bytes(sha, place->room);
    add_bytes(sha, place->bed);
    add_bytes(sha, place->facility);
}

static int compare_hashes(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct hash));
}

/* Lists without an order of their own: hashed one by one, sorted. */
struct unordered {
    struct hash *hashes;
    size_t count;
    struct sha256_ctx item;
};

static bool unordered_init(struct unordered *list, struct arena *arena, size_t count) {
    list->hashes = arena_array(arena, count, sizeof *list->hashes);
    list->count = 0;
    return count == 0 || list->hashes;
}

static struct sha256_ctx *item_begin(struct unordered *list) {
    sha256_init(&list->item);
    return &list->item;
}

static void item_end(struct unordered *list) {
    sha256_digest(&list->item, SHA256_DIGEST_SIZE, list->hashes[list->count++].bytes);
}

static void unordered_add(struct sha256_ctx *sha, struct unordered *list) {
    if (list->count > 1)
        qsort(list->hashes, list->count, sizeof *list->hashes, compare_hashes);
    add_number(sha, list->count);
    sha256_update(sha, list->count * sizeof *list->hashes, (const uint8_t *)list->hashes);
}

static enum err no_room(struct digest *digest) {
    return fault_set(digest->fault, ERR_LIMIT, "one patient is too large to be hashed");
}

/* ---- a person ---- */

static enum err add_identifiers(struct digest *digest, const struct fact_identifier *identifiers,
                                size_t count) {
    struct unordered list;
    if (!unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; i < count; i++) {
        add_identifier(item_begin(&list), &identifiers[i]);
        item_end(&list);
    }
    unordered_add(&digest->sha, &list);
    return ERR_OK;
}

static enum err add_allergies(struct digest *digest, const struct chart_patient *patient) {
    struct unordered list;
    if (!unordered_init(&list, &digest->arena, patient->allergy_count))
        return no_room(digest);
    for (size_t i = 0; i < patient->allergy_count; i++) {
        const struct chart_allergy *a = &patient->allergies[i];
        struct sha256_ctx *item = item_begin(&list);
        const struct bytes parts[] = {a->code,     a->system,   a->text,         a->kind,
                                      a->severity, a->reaction, a->identified_at};
        for (size_t k = 0; k < 7; k++)
            add_bytes(item, parts[k]);
        item_end(&list);
    }
    add_number(&digest->sha, patient->allergy_statement);
    unordered_add(&digest->sha, &list);
    return ERR_OK;
}

static enum err add_banner(struct digest *digest, const struct chart_patient *p) {
    const struct bytes parts[] = {
        p->family_name, p->given_name,      p->birth_name,
        p->used_name,   p->prefix,          p->birth_date,
        p->sex,         p->address,         p->phone,
        p->death,       p->identity_status, bytes_from_string(p->doubt_reason)};
    add_identifier(&digest->sha, &p->main);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        add_bytes(&digest->sha, parts[i]);
    add_number(&digest->sha, p->doubt);
    enum err err = add_identifiers(digest, p->others, p->other_count);
    if (!err)
        err = add_identifiers(digest, p->merged, p->merged_count);
    return err ? err : add_allergies(digest, p);
}

static void add_stay(struct sha256_ctx *item, const struct chart_stay *s) {
    const struct bytes parts[] = {s->class, s->attending, s->service, s->reason};
    add_identifier(item, &s->visit);
    for (size_t k = 0; k < 4; k++)
        add_bytes(item, parts[k]);
    add_place(item, &s->place);
    add_number(item, s->is_present);
    add_number(item, (uint64_t)s->since);
    add_number(item, (uint64_t)s->admitted_at);
    add_number(item, (uint64_t)s->discharged_at);
    add_bytes(item, s->medical_unit);
    add_bytes(item, s->care_unit);
    add_number(item, (uint64_t)s->expected << 1 | s->is_on_leave);
    add_number(item, (uint64_t)s->expected_at);
    add_place(item, &s->expected_place);
}

static enum err add_stays(struct digest *digest, uint64_t id) {
    struct chart_stay *stays;
    struct unordered list;
    size_t count;
    enum err err = chart_stays(digest->reader, &digest->arena, id, &stays, &count, digest->fault);
    if (err)
        return err;
    if (!unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; i < count; i++) {
        add_stay(item_begin(&list), &stays[i]);
        item_end(&list);
    }
    unordered_add(&digest->sha, &list);
    return ERR_OK;
}

static enum err add_moves(struct digest *digest, uint64_t id) {
    struct chart_movement *moves;
    struct unordered list;
    size_t count;
    enum err err = chart_moves(digest->reader, &digest->arena, id, &moves, &count, digest->fault);
    if (err)
        return err;
    if (!unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; i < count; i++) {
        const struct chart_movement *m = &moves[i];
        struct sha256_ctx *item = item_begin(&list);
        add_identifier(item, &m->visit);
        add_number(item, m->class);
        add_bytes(item, m->movement_id);
        add_number(item, (uint64_t)m->holds);
        add_place(item, &m->place);
        add_number(item, m->is_cancelled);
        item_end(&list);
    }
    unordered_add(&digest->sha, &list);
    return ERR_OK;
}

/* One open stay and all that moved it. */
static enum err add_open_stay(struct digest *digest, struct sha256_ctx *open,
                              const struct chart_stay *stay, const struct visit *visit) {
    struct unordered list;
    if (!unordered_init(&list, &digest->arena, visit->movement_count))
        return no_room(digest);
    for (size_t i = 0; i < visit->movement_count; i++) {
        const struct movement *m = &visit->movements[i];
        struct sha256_ctx *item = item_begin(&list);
        add_number(item, m->fact.class);
        add_bytes(item, m->fact.movement_id);
        add_number(item, (uint64_t)m->fact.holds);
        add_place(item, &m->fact.place);
        add_number(item, m->is_cancelled);
        item_end(&list);
    }
    add_stay(open, stay);
    unordered_add(open, &list);
    return ERR_OK;
}

static enum err add_open_stays(struct digest *digest, uint64_t id, bool *is_present) {
    struct person person;
    struct chart_stay *stays;
    struct visit **visits;
    struct unordered list;
    size_t count;
    *is_present = false;
    enum err err = fold_person(&digest->reader->db, id, &person, digest->fault);
    if (!err)
        err = fold_stays(&digest->reader->db, &person, &digest->arena, &stays, &visits, &count,
                         digest->fault);
    if (!err && !unordered_init(&list, &digest->arena, count))
        err = no_room(digest);
    for (size_t i = 0; i < count && !err; i++) {
        *is_present |= stays[i].is_present;
        if (!visit_is_open(visits[i], &stays[i]))
            continue;
        err = add_open_stay(digest, item_begin(&list), &stays[i], visits[i]);
        item_end(&list);
    }
    if (!err)
        unordered_add(&digest->sha, &list);
    return err;
}

static void add_result(struct sha256_ctx *item, const struct chart_result *r) {
    const struct bytes parts[] = {r->code,  r->system, r->text,  r->sub_id, r->type,
                                  r->value, r->unit,   r->range, r->flags,  r->notes};
    for (size_t i = 0; i < 10; i++)
        add_bytes(item, parts[i]);
    add_number(item, r->status);
    add_number(item, (uint64_t)r->observed_at);
    add_number(item, (uint64_t)r->reported_at);
    add_number(item, r->before_count);
    for (size_t i = 0; i < r->before_count; i++) {
        add_bytes(item, r->before[i].value);
        add_bytes(item, r->before[i].unit);
        add_number(item, r->before[i].status);
        add_number(item, (uint64_t)r->before[i].reported_at);
    }
}

static enum err add_results(struct digest *digest, uint64_t id) {
    struct chart_report *reports;
    struct unordered list;
    size_t count;
    enum err err = chart_results(digest->reader, &digest->arena, id, INSTANT_NONE, SIZE_MAX,
                                 &reports, &count, digest->fault);
    if (err)
        return err;
    if (!unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; i < count; i++) {
        const struct chart_report *r = &reports[i];
        struct sha256_ctx *item = item_begin(&list);
        const struct bytes parts[] = {r->placer, r->filler,    r->code,  r->system,
                                      r->text,   r->requester, r->notes, r->feed};
        for (size_t k = 0; k < 8; k++)
            add_bytes(item, parts[k]);
        add_number(item, r->status);
        add_number(item, (uint64_t)r->collected_at);
        add_number(item, (uint64_t)r->reported_at);
        for (size_t k = 0; k < r->result_count; k++)
            add_result(item, &r->results[k]);
        item_end(&list);
    }
    unordered_add(&digest->sha, &list);
    return ERR_OK;
}

static enum err add_diagnoses(struct digest *digest, uint64_t id) {
    struct chart_diagnosis *diagnoses;
    struct unordered list;
    size_t count;
    enum err err =
        chart_diagnoses(digest->reader, &digest->arena, id, &diagnoses, &count, digest->fault);
    if (err)
        return err;
    if (!unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; i < count; i++) {
        struct sha256_ctx *item = item_begin(&list);
        add_bytes(item, diagnoses[i].code);
        add_bytes(item, diagnoses[i].system);
        add_bytes(item, diagnoses[i].text);
        add_bytes(item, diagnoses[i].type);
        add_number(item, (uint64_t)diagnoses[i].at);
        add_bytes(item, diagnoses[i].onset_at);
        add_bytes(item, diagnoses[i].ended_at);
        add_bytes(item, diagnoses[i].state);
        add_number(item, (uint64_t)diagnoses[i].is_problem << 1 | diagnoses[i].is_deleted);
        item_end(&list);
    }
    unordered_add(&digest->sha, &list);
    return ERR_OK;
}

static enum err add_documents(struct digest *digest, uint64_t id) {
    struct chart_document *documents;
    struct unordered list;
    size_t count;
    enum err err =
        chart_documents(digest->reader, &digest->arena, id, &documents, &count, digest->fault);
    if (err)
        return err;
    if (!unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; i < count; i++) {
        const struct chart_document *d = &documents[i];
        struct sha256_ctx *item = item_begin(&list);
        const struct bytes parts[] = {d->id,     d->parent_id,  d->kind,
                                      d->title,  d->completion, d->availability,
                                      d->author, d->media_type, d->text};
        for (size_t k = 0; k < 9; k++)
            add_bytes(item, parts[k]);
        add_number(item, d->encapsulated_bytes);
        add_number(item, (uint64_t)d->at);
        add_number(item, (uint64_t)d->is_addendum << 2 | (uint64_t)d->is_cancelled << 1 | d->is_replaced);
        item_end(&list);
    }
    unordered_add(&digest->sha, &list);
    return ERR_OK;
}

/* Of what the JSON says, everything but where it comes from. */
static void add_order(struct sha256_ctx *item, const struct fact_order *o) {
    const struct bytes parts[] = {
        o->placer,     o->filler,   o->group,     o->parent,    o->code,         o->system,
        o->text,       o->dose,     o->dose_max,  o->dose_unit, o->strength,     o->form,
        o->route,      o->rate,     o->timing,    o->duration,  o->instructions, o->indication,
        o->components, o->priority, o->requester, o->specimen,  o->notes};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        add_bytes(item, parts[i]);
    const int64_t instants[] = {o->starts_at, o->ends_at, o->asked_at, o->effective_at};
    for (size_t i = 0; i < 4; i++)
        add_number(item, (uint64_t)instants[i]);
    add_number(item, (uint64_t)o->kind << 16 | (uint64_t)o->state << 1 | o->is_as_needed);
}

static enum err add_orders(struct digest *digest, uint64_t id) {
    struct unordered list;
    struct chart_order *orders;
    size_t count;
    enum err err = chart_orders(digest->reader, &digest->arena, id, &orders, &count, digest->fault);
    if (!err && !unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; !err && i < count; i++) {
        add_order(item_begin(&list), &orders[i].fact);
        item_end(&list);
    }
    if (!err)
        unordered_add(&digest->sha, &list);
    return err;
}

static enum err add_medication_events(struct digest *digest, uint64_t id) {
    struct unordered list;
    struct chart_medication_event *events;
    size_t count;
    enum err err =
        chart_medication_events(digest->reader, &digest->arena, id, &events, &count, digest->fault);
    if (!err && !unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; !err && i < count; i++) {
        const struct fact_medication_event *e = &events[i].fact;
        const struct bytes parts[] = {
            e->placer, e->filler, e->id,   e->code, e->system,    e->text,   e->amount, e->unit,
            e->form,   e->route,  e->site, e->rate, e->performer, e->reason, e->lot,    e->notes};
        struct sha256_ctx *item = item_begin(&list);
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            add_bytes(item, parts[k]);
        add_number(item, (uint64_t)e->at);
        add_number(item, (uint64_t)e->ended_at);
        add_number(item, (uint64_t)e->kind << 16 | e->state);
        item_end(&list);
    }
    if (!err)
        unordered_add(&digest->sha, &list);
    return err;
}

static enum err add_appointments(struct digest *digest, uint64_t id) {
    struct unordered list;
    struct chart_appointment *appointments;
    size_t count;
    enum err err = chart_appointments(digest->reader, &digest->arena, id, &appointments, &count,
                                      digest->fault);
    if (!err && !unordered_init(&list, &digest->arena, count))
        return no_room(digest);
    for (size_t i = 0; !err && i < count; i++) {
        const struct fact_appointment *a = &appointments[i].fact;
        const struct bytes parts[] = {a->placer, a->filler,    a->code,   a->system,
                                      a->text,   a->kind,      a->reason, a->place,
                                      a->people, a->resources, a->notes};
        struct sha256_ctx *item = item_begin(&list);
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            add_bytes(item, parts[k]);
        add_number(item, (uint64_t)a->starts_at);
        add_number(item, (uint64_t)a->ends_at);
        add_number(item, a->state);
        item_end(&list);
    }
    if (!err)
        unordered_add(&digest->sha, &list);
    return err;
}

static enum err add_lasting(struct digest *digest, uint64_t id) {
    bool is_present;
    enum err err = add_open_stays(digest, id, &is_present);
    return !err && is_present ? add_diagnoses(digest, id) : err;
}

static enum err add_everything(struct digest *digest, uint64_t id) {
    enum err err = add_stays(digest, id);
    if (!err)
        err = add_moves(digest, id);
    if (!err)
        err = add_results(digest, id);
    if (!err)
        err = add_diagnoses(digest, id);
    if (!err)
        err = add_orders(digest, id);
    if (!err)
        err = add_medication_events(digest, id);
    if (!err)
        err = add_appointments(digest, id);
    return err ? err : add_documents(digest, id);
}

static enum err add_person(struct digest *digest, uint64_t id) {
    struct chart_patient patient;
    arena_clear(&digest->arena);
    sha256_init(&digest->sha);
    enum err err = chart_patient(digest->reader, &digest->arena, id, &patient, digest->fault);
    if (!err)
        err = add_banner(digest, &patient);
    if (!err)
        err = digest->is_lasting ? add_lasting(digest, id) : add_everything(digest, id);
    if (err)
        return err;
    if (digest->count == digest->capacity) {
        size_t capacity = digest->capacity ? digest->capacity * 2 : 1024;
        struct hash *larger = memory_grow(digest->hashes, capacity, sizeof *larger);
        if (!larger)
            return fault_set(digest->fault, ERR_MEMORY, "no memory for a digest");
        digest->hashes = larger;
        digest->capacity = capacity;
    }
    sha256_digest(&digest->sha, SHA256_DIGEST_SIZE, digest->hashes[digest->count++].bytes);
    return ERR_OK;
}

#define PERSONS_AT_ONCE 500

static enum err add_everyone(struct digest *digest) {
    uint64_t ids[PERSONS_AT_ONCE], last = 0;
    size_t count;
    enum err err;
    do {
        count = 0;
        sqlite3_stmt *rows = db_statement(&digest->reader->db, SQL_SUBJECT_ALL, digest->fault);
        db_bind_i64(rows, 1, (int64_t)last);
        db_bind_i64(rows, 2, PERSONS_AT_ONCE);
        while (!(err = db_next(&digest->reader->db, rows, digest->fault)))
            ids[count++] = last = (uint64_t)sqlite3_column_int64(rows, 0);
        err = err == ERR_MORE ? ERR_OK : err;
        for (size_t i = 0; i < count && !err; i++)
            err = add_person(digest, ids[i]);
    } while (!err && count == PERSONS_AT_ONCE);
    return err;
}

/* FHIR resources as they came, with whether they are deleted; not when that was said, which may be the time of receipt. */
static enum err add_resources(struct digest *digest) {
    sqlite3_stmt *rows = db_statement(&digest->reader->db, SQL_RESOURCE_DIGEST, digest->fault);
    enum err err;
    while (!(err = db_next(&digest->reader->db, rows, digest->fault))) {
        for (int i = 0; i < 3; i++)
            add_bytes(&digest->sha, db_column_bytes(rows, i));
        add_number(&digest->sha, (uint64_t)sqlite3_column_int64(rows, 3));
        add_bytes(&digest->sha, db_column_bytes(rows, 4));
    }
    return err == ERR_MORE ? ERR_OK : err;
}

static enum err make_digest(struct chart_reader *reader, bool is_lasting, char hex[65],
                            struct fault *fault) {
    struct digest digest = {.reader = reader, .is_lasting = is_lasting, .fault = fault};
    arena_init(&digest.arena, PERSON_BYTES);
    enum err err = add_everyone(&digest);
    if (!err) {
        uint8_t all[SHA256_DIGEST_SIZE];
        struct text text;
        if (digest.count > 1)
            qsort(digest.hashes, digest.count, sizeof *digest.hashes, compare_hashes);
        sha256_init(&digest.sha);
        sha256_update(&digest.sha, digest.count * sizeof *digest.hashes,
                      (const uint8_t *)digest.hashes);
        if (!is_lasting)
            err = add_resources(&digest);
        sha256_digest(&digest.sha, sizeof all, all);
        text_init(&text, hex, 65);
        text_put_hex(&text, bytes_from(all, sizeof all));
    }
    memory_free(digest.hashes);
    arena_release(&digest.arena);
    return err;
}

enum err chart_digest(struct chart_reader *reader, char hex[65], struct fault *fault) {
    return make_digest(reader, false, hex, fault);
}

enum err chart_digest_lasting(struct chart_reader *reader, char hex[65], struct fault *fault) {
    return make_digest(reader, true, hex, fault);
}
