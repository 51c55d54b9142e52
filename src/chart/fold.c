/* fold.c - a person out of the records of their numbers. */
#include "chart/fold.h"

#include "chart/merges.h"

#include <stdlib.h>

/* ---- who ---- */

static enum err find_doubt(struct db *db, struct person *person, struct fault *fault) {
    sqlite3_stmt *get = db_statement(db, SQL_DOUBT_GET, fault);
    db_bind_i64(get, 1, (int64_t)person->id);
    enum err err = db_next(db, get, fault);
    if (err)
        return err == ERR_MORE ? ERR_OK : err;
    person->doubt = CHART_IN_DOUBT;
    person->doubt_reason = merge_doubt_text((enum merge_doubt)sqlite3_column_int64(get, 0));
    sqlite3_reset(get);
    return ERR_OK;
}

enum err fold_person(struct db *db, uint64_t subject, struct person *person, struct fault *fault) {
    *person = (struct person){0};
    sqlite3_stmt *get = db_statement(db, SQL_SUBJECT_PERSON, fault);
    db_bind_i64(get, 1, (int64_t)subject);
    enum err err = db_next(db, get, fault);
    if (err)
        return err == ERR_MORE ? fault_set(fault, ERR_NOT_FOUND, "there is no such patient") : err;
    person->id = (uint64_t)sqlite3_column_int64(get, 0);
    sqlite3_reset(get);
    person->members[person->member_count++] = person->id;
    get = db_statement(db, SQL_SUBJECT_MEMBERS, fault);
    db_bind_i64(get, 1, (int64_t)person->id);
    while (!(err = db_next(db, get, fault)) && person->member_count < PERSON_MEMBERS_MAX)
        person->members[person->member_count++] = (uint64_t)sqlite3_column_int64(get, 0);
    if (get)
        sqlite3_reset(get);
    if (err && err != ERR_MORE)
        return err;
    return person->member_count > 1 ? find_doubt(db, person, fault) : ERR_OK;
}

static enum err load_subject(struct db *db, uint64_t id, struct arena *arena, struct subject *subject,
                             struct fault *fault) {
    sqlite3_stmt *get = db_statement(db, SQL_SUBJECT_GET, fault);
    *subject = (struct subject){.id = id};
    db_bind_i64(get, 1, (int64_t)id);
    enum err err = db_next(db, get, fault);
    if (err)
        return err == ERR_MORE ? fault_set(fault, ERR_CORRUPT, "a patient's record is missing") : err;
    subject->identifier = (struct fact_identifier){
        .authority = arena_copy(arena, db_column_bytes(get, 0)),
        .type = arena_copy(arena, db_column_bytes(get, 1)),
        .number = arena_copy(arena, db_column_bytes(get, 2)),
    };
    err = subject_unpack(subject, db_column_bytes(get, 3), arena);
    sqlite3_reset(get);
    return err ? fault_set(fault, err, "a patient's record cannot be read") : ERR_OK;
}

/* ---- the banner ---- */

static bool has_identifier(const struct chart_patient *patient, const struct fact_identifier *identifier) {
    if (identifier_is(&patient->main, identifier))
        return true;
    for (size_t i = 0; i < patient->other_count; i++)
        if (identifier_is(&patient->others[i], identifier))
            return true;
    for (size_t i = 0; i < patient->merged_count; i++)
        if (identifier_is(&patient->merged[i], identifier))
            return true;
    return false;
}

/* A logical id of FHIR, or the number without its type that a search names: it was joined to the number it means, and no two
 * numbers were merged. */
static bool is_other_number(const struct subject *survivor, const struct subject *member) {
    const struct fact_identifier *a = &survivor->identifier, *b = &member->identifier;
    return !bytes_is(b->type, FACTS_FHIR_ID_TYPE) &&
           !(bytes_equal(a->number, b->number) && bytes_equal(a->authority, b->authority));
}

static enum err gather_identifiers(struct chart_patient *patient, const struct subject *subjects,
                                   size_t count, struct arena *arena) {
    size_t others = 0;
    for (size_t i = 0; i < count; i++)
        others += subjects[i].other_count;
    patient->main = subjects[0].identifier;
    patient->merged = arena_array(arena, count, sizeof *patient->merged);
    patient->others = arena_array(arena, others, sizeof *patient->others);
    if (!patient->merged || (others && !patient->others))
        return ERR_LIMIT;
    for (size_t i = 1; i < count; i++)
        if (is_other_number(&subjects[0], &subjects[i]))
            patient->merged[patient->merged_count++] = subjects[i].identifier;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < subjects[i].other_count; k++)
            if (!has_identifier(patient, &subjects[i].others[k]))
                patient->others[patient->other_count++] = subjects[i].others[k];
    return ERR_OK;
}

/* The greatest key among all members, field by field. */
static enum err fold_cell(const struct subject *subjects, size_t count, unsigned field,
                          struct arena *arena, struct cell *winner) {
    enum err err = ERR_OK;
    *winner = (struct cell){0};
    for (size_t i = 0; i < count; i++) {
        const struct cell *cell = &subjects[i].cells[field];
        if (cell->is_set && !err)
            err = cell_take(winner, &cell->voice, arena);
        for (size_t k = 0; k < cell->rival_count && !err; k++)
            err = cell_take(winner, &cell->rivals[k], arena);
    }
    return err;
}

/* Two members that state different birth dates or sexes may be two people. */
static bool members_differ(const struct subject *subjects, size_t count, unsigned field) {
    struct bytes first = BYTES_NONE;
    for (size_t i = 0; i < count; i++) {
        struct bytes value = cell_value(&subjects[i].cells[field]);
        if (bytes_is_empty(value))
            continue;
        if (!bytes_is_empty(first) && !bytes_equal(first, value))
            return true;
        first = value;
    }
    return false;
}

static size_t other_numbers(const struct subject *subjects, size_t count) {
    size_t others = 0;
    for (size_t i = 1; i < count; i++)
        others += is_other_number(&subjects[0], &subjects[i]);
    return others;
}

static void judge_doubt(struct chart_patient *patient, const struct subject *subjects, size_t count) {
    if (other_numbers(subjects, count) > 0)
        patient->doubt |= CHART_MERGED;
    const char *reason = members_differ(subjects, count, PATIENT_BIRTH_DATE)
                             ? "merged numbers have different birth dates"
                         : members_differ(subjects, count, PATIENT_SEX)
                             ? "merged numbers have different sexes"
                             : NULL;
    if (!reason)
        return;
    patient->doubt |= CHART_IN_DOUBT;
    patient->doubt_reason = reason;
}

enum err fold_feed_name(struct db *db, struct arena *arena, uint64_t id, struct bytes *name,
                        struct fault *fault) {
    struct text text;
    sqlite3_stmt *all = db_statement(db, SQL_FEED_ALL, fault);
    enum err err;
    *name = BYTES_NONE;
    while (!(err = db_next(db, all, fault))) {
        if ((uint64_t)sqlite3_column_int64(all, 0) != id)
            continue;
        struct bytes application = db_column_bytes(all, 1), facility = db_column_bytes(all, 2);
        err = text_init_arena(&text, arena, application.size + facility.size + 2);
        if (err)
            break;
        text_put(&text, application);
        if (!bytes_is_empty(facility)) {
            text_put_char(&text, '/');
            text_put(&text, facility);
        }
        *name = text_bytes(&text);
        break;
    }
    if (all)
        sqlite3_reset(all);
    return err == ERR_MORE ? ERR_OK : err;
}

/* ---- disputes ---- */

struct disputes {
    struct chart_dispute *list;
    size_t count, capacity;
};

static enum err disputes_add(struct disputes *disputes, struct db *db, struct arena *arena,
                             const char *field, const struct cell *cell, struct fault *fault) {
    for (size_t i = 0; i < cell->rival_count; i++) {
        const struct voice *rival = &cell->rivals[i];
        if (!rival_differs(cell, rival))
            continue;
        if (!disputes->list) /* rare: room for all that could be */
            disputes->list = arena_array(arena, disputes->capacity, sizeof *disputes->list);
        if (!disputes->list)
            return fault_set(fault, ERR_LIMIT, "too much for one page");
        struct chart_dispute *dispute = &disputes->list[disputes->count++];
        *dispute = (struct chart_dispute){.field = field,
                                          .value = rival->value,
                                          .source = {rival->key.entry, rival->key.said}};
        enum err err = fold_feed_name(db, arena, rival->feed, &dispute->feed, fault);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* ---- allergies ---- */

static bool same_agent(const struct chart_allergy *a, const struct chart_allergy *b) {
    return bytes_equal(a->code, b->code) && bytes_equal(a->text, b->text) &&
           bytes_equal(a->reaction, b->reaction);
}

/* It keeps the number that it was said under first. */
static bool is_listed_already(struct chart_patient *patient, const struct chart_allergy *allergy) {
    for (size_t i = 0; i < patient->allergy_count; i++) {
        struct chart_allergy *listed = &patient->allergies[i];
        if (!same_agent(listed, allergy))
            continue;
        if (allergy->source.said < listed->source.said)
            listed->member = allergy->member;
        return true;
    }
    return false;
}

/* One stored statement; only what stands is listed. "None known" never hides an allergy that another source lists. */
static enum err take_allergy(struct chart_patient *patient, sqlite3_stmt *row, struct arena *arena,
                             size_t member, size_t capacity, uint64_t *feed) {
    struct chart_allergy allergy = {0};
    struct unpack in = {arena_copy(arena, db_column_bytes(row, 3)), false};
    enum allergy_action action = (enum allergy_action)unpack_u64(&in);
    struct bytes *const parts[] = {&allergy.code,     &allergy.system,   &allergy.text,         &allergy.kind,
                                   &allergy.severity, &allergy.reaction, &allergy.identified_at};
    for (size_t i = 0; i < 7; i++)
        *parts[i] = unpack_bytes(&in);
    allergy.source = (struct chart_source){(uint64_t)sqlite3_column_int64(row, 2),
                                           sqlite3_column_int64(row, 1)};
    *feed = (uint64_t)sqlite3_column_int64(row, 0);
    if (in.is_short)
        return ERR_CORRUPT;
    if (action == ALLERGY_NONE_KNOWN && patient->allergy_statement == ALLERGIES_NOT_RECORDED)
        patient->allergy_statement = ALLERGIES_NONE_KNOWN;
    allergy.member = member;
    if ((action != ALLERGY_ADD && action != ALLERGY_UPDATE) || is_listed_already(patient, &allergy) ||
        patient->allergy_count == capacity)
        return ERR_OK;
    patient->allergies[patient->allergy_count++] = allergy;
    patient->allergy_statement = ALLERGIES_LISTED;
    return ERR_OK;
}

#define ALLERGIES_MAX 256u

static enum err gather_allergies(struct db *db, const struct person *person, struct arena *arena,
                                 struct chart_patient *patient, struct fault *fault) {
    uint64_t feeds[ALLERGIES_MAX];
    struct chart_allergy list[ALLERGIES_MAX];
    patient->allergies = list;
    for (size_t m = 0; m < person->member_count; m++) {
        sqlite3_stmt *rows = db_statement(db, SQL_ALLERGIES_OF, fault);
        db_bind_i64(rows, 1, (int64_t)person->members[m]);
        enum err err;
        while (!(err = db_next(db, rows, fault))) {
            uint64_t feed;
            size_t before = patient->allergy_count;
            err = take_allergy(patient, rows, arena, m, ALLERGIES_MAX, &feed);
            if (err) {
                sqlite3_reset(rows);
                return fault_set(fault, err, "an allergy cannot be read");
            }
            if (patient->allergy_count > before)
                feeds[before] = feed;
        }
        if (err != ERR_MORE)
            return err;
    }
    size_t count = patient->allergy_count;
    patient->allergies = arena_array(arena, count, sizeof *patient->allergies);
    if (count && !patient->allergies)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        patient->allergies[i] = list[i];
        enum err err = fold_feed_name(db, arena, feeds[i], &patient->allergies[i].feed, fault);
        if (err)
            return err;
    }
    return ERR_OK;
}

static const char *const patient_field_names[PATIENT_FIELD_COUNT] = {
    [PATIENT_FAMILY_NAME] = "family_name", [PATIENT_GIVEN_NAME] = "given_name",
    [PATIENT_BIRTH_NAME] = "birth_name",   [PATIENT_USED_NAME] = "used_name",
    [PATIENT_PREFIX] = "prefix",           [PATIENT_BIRTH_DATE] = "birth_date",
    [PATIENT_SEX] = "sex",                 [PATIENT_ADDRESS] = "address",
    [PATIENT_PHONE] = "phone",             [PATIENT_DEATH] = "death",
    [PATIENT_IDENTITY_STATUS] = "identity_status",
};

static bool is_identity(unsigned field) {
    return field == PATIENT_FAMILY_NAME || field == PATIENT_GIVEN_NAME ||
           field == PATIENT_BIRTH_NAME || field == PATIENT_BIRTH_DATE || field == PATIENT_SEX;
}

enum err fold_patient(struct db *db, const struct person *person, struct arena *arena,
                      struct chart_patient *out, int64_t *touched_at, struct fault *fault) {
    struct subject *subjects = arena_array(arena, person->member_count, sizeof *subjects);
    *out = (struct chart_patient){.id = person->id, .doubt = person->doubt,
                                  .doubt_reason = person->doubt_reason};
    if (!subjects)
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    if (touched_at)
        *touched_at = INSTANT_NONE;
    for (size_t i = 0; i < person->member_count; i++) {
        enum err err = load_subject(db, person->members[i], arena, &subjects[i], fault);
        if (err)
            return err;
        if (touched_at && subjects[i].touched_at > *touched_at)
            *touched_at = subjects[i].touched_at;
    }
    struct bytes *const values[PATIENT_FIELD_COUNT] = {
        [PATIENT_FAMILY_NAME] = &out->family_name, [PATIENT_GIVEN_NAME] = &out->given_name,
        [PATIENT_BIRTH_NAME] = &out->birth_name,   [PATIENT_USED_NAME] = &out->used_name,
        [PATIENT_PREFIX] = &out->prefix,           [PATIENT_BIRTH_DATE] = &out->birth_date,
        [PATIENT_SEX] = &out->sex,                 [PATIENT_ADDRESS] = &out->address,
        [PATIENT_PHONE] = &out->phone,             [PATIENT_DEATH] = &out->death,
        [PATIENT_IDENTITY_STATUS] = &out->identity_status,
    };
    struct disputes disputes = {.capacity = PATIENT_FIELD_COUNT * RIVALS_MAX};
    for (unsigned field = 1; field < PATIENT_FIELD_COUNT; field++) {
        struct cell cell;
        if (fold_cell(subjects, person->member_count, field, arena, &cell))
            return fault_set(fault, ERR_LIMIT, "too much for one page");
        *values[field] = cell_value(&cell);
        if (field == PATIENT_FAMILY_NAME)
            out->identity_source = (struct chart_source){cell.voice.key.entry, cell.voice.key.said};
        size_t before = disputes.count;
        enum err err = disputes_add(&disputes, db, arena, patient_field_names[field], &cell, fault);
        if (err)
            return err;
        if (disputes.count > before && is_identity(field))
            out->doubt |= CHART_DISPUTED;
    }
    out->disputes = disputes.list;
    out->dispute_count = disputes.count;
    if (bytes_is(out->identity_status, "PROV") || bytes_is(out->identity_status, "DOUA"))
        out->doubt |= CHART_PROVISIONAL;
    judge_doubt(out, subjects, person->member_count);
    enum err err = gather_identifiers(out, subjects, person->member_count, arena);
    return err ? fault_set(fault, err, "too much for one page")
               : gather_allergies(db, person, arena, out, fault);
}

/* ---- stays ---- */

static int compare_stays(const void *a, const void *b) {
    const struct chart_stay *left = a, *right = b;
    if (left->is_present != right->is_present)
        return left->is_present ? -1 : 1;
    if (left->since != right->since)
        return left->since > right->since ? -1 : 1;
    return bytes_compare(left->visit.number, right->visit.number);
}

static enum err take_visit(sqlite3_stmt *row, uint64_t subject, struct arena *arena,
                           struct visit *visit) {
    *visit = (struct visit){.id = (uint64_t)sqlite3_column_int64(row, 0), .subject = subject};
    visit->identifier = (struct fact_identifier){
        .authority = arena_copy(arena, db_column_bytes(row, 1)),
        .type = arena_copy(arena, db_column_bytes(row, 2)),
        .number = arena_copy(arena, db_column_bytes(row, 3)),
    };
    /* The implicit stay has no number of its own; what stands there only finds it again. */
    if (bytes_is_empty(visit->identifier.number))
        visit->identifier = (struct fact_identifier){0};
    return visit_unpack(visit, db_column_bytes(row, 4), arena);
}

/* Unit, room, bed and facility, as people write them. */
static struct bytes place_text(struct arena *arena, struct bytes packed) {
    struct text text;
    if (text_init_arena(&text, arena, packed.size + 1))
        return BYTES_NONE;
    for (size_t i = 0; i < packed.size; i++)
        text_put_char(&text, packed.data[i] == 0x1F ? ' ' : (char)packed.data[i]);
    return bytes_trim(text_bytes(&text));
}

static enum err stay_disputes(struct db *db, const struct visit *visit, struct arena *arena,
                              struct chart_stay *stay, struct fault *fault) {
    static const char *const names[VISIT_FIELD_COUNT] = {
        [VISIT_CLASS] = "class",
        [VISIT_ATTENDING] = "attending",
        [VISIT_SERVICE] = "service",
        [VISIT_ADMITTED_AT] = "admitted_at",
        [VISIT_DISCHARGED_AT] = "discharged_at",
        [VISIT_REASON] = "reason",
        [VISIT_STATED_PLACE] = "place",
        [VISIT_CENSUS] = "census_at",
    };
    struct disputes disputes = {.capacity = VISIT_FIELD_COUNT * RIVALS_MAX};
    for (unsigned field = 1; field < VISIT_FIELD_COUNT; field++) {
        enum err err =
            disputes_add(&disputes, db, arena, names[field], &visit->cells[field], fault);
        if (err)
            return err;
    }
    for (size_t i = 0; i < disputes.count; i++)
        if (!strcmp(disputes.list[i].field, "place"))
            disputes.list[i].value = place_text(arena, disputes.list[i].value);
    stay->disputes = disputes.list;
    stay->dispute_count = disputes.count;
    return ERR_OK;
}

static struct visit *survivor_of(struct visit **list, size_t count, const struct visit *visit) {
    for (size_t steps = 0; steps < count && !bytes_is_empty(visit->merged_into.number); steps++) {
        const struct visit *next = NULL;
        for (size_t i = 0; i < count && !next; i++)
            if (identifier_is(&list[i]->identifier, &visit->merged_into))
                next = list[i];
        if (!next)
            return NULL; /* nothing is known of it yet: this one stands for itself */
        visit = next;
    }
    for (size_t i = 0; i < count; i++) /* a circle ends where it was entered */
        if (list[i] == visit)
            return list[i];
    return NULL;
}

/* Stays that are part of another one (A50, A51) go into it. */
static enum err merge_visits(struct visit **list, size_t *count, struct arena *arena) {
    size_t kept = 0, all = *count;
    struct visit **rest = arena_array(arena, all, sizeof *rest);
    if (all && !rest)
        return ERR_LIMIT;
    for (size_t i = 0; i < all; i++) {
        struct visit *survivor =
            bytes_is_empty(list[i]->merged_into.number) ? NULL : survivor_of(list, all, list[i]);
        bool is_part =
            survivor && survivor != list[i] && bytes_is_empty(survivor->merged_into.number);
        if (is_part && visit_absorb(survivor, list[i], arena))
            return ERR_LIMIT;
        if (!is_part)
            rest[kept++] = list[i];
    }
    if (kept)
        memcpy(list, rest, kept * sizeof *rest);
    *count = kept;
    return ERR_OK;
}

static size_t member_of(const struct person *person, uint64_t subject) {
    for (size_t m = 0; m < person->member_count; m++)
        if (person->members[m] == subject)
            return m;
    return 0;
}

enum err fold_stays(struct db *db, const struct person *person, struct arena *arena,
                    struct chart_stay **stays, struct visit ***visits, size_t *count,
                    struct fault *fault) {
    size_t capacity = 0;
    struct visit **list = NULL;
    *count = 0;
    for (size_t m = 0; m < person->member_count; m++) {
        sqlite3_stmt *rows = db_statement(db, SQL_VISITS_OF, fault);
        db_bind_i64(rows, 1, (int64_t)person->members[m]);
        enum err err;
        while (!(err = db_next(db, rows, fault))) {
            if (*count == capacity) {
                struct visit **larger = arena_array(arena, capacity = capacity ? capacity * 2 : 8, sizeof *larger);
                if (larger && *count)
                    memcpy(larger, list, *count * sizeof *larger);
                list = larger;
            }
            struct visit *visit = list ? arena_alloc(arena, sizeof *visit) : NULL;
            err = visit ? take_visit(rows, person->members[m], arena, visit) : ERR_LIMIT;
            if (err) {
                sqlite3_reset(rows);
                return fault_set(fault, err, "a stay cannot be read");
            }
            list[(*count)++] = visit;
        }
        if (err != ERR_MORE)
            return err;
    }
    enum err merged = merge_visits(list, count, arena);
    struct chart_stay *out = arena_array(arena, *count, sizeof *out);
    if (merged || (*count && !out))
        return fault_set(fault, ERR_LIMIT, "too much for one page");
    for (size_t i = 0; i < *count; i++) {
        visit_work_out(list[i], &out[i]);
        out[i].member = member_of(person, list[i]->subject);
        enum err err = stay_disputes(db, list[i], arena, &out[i], fault);
        if (err)
            return err;
    }
    if (visits)
        *visits = list;
    else if (*count > 1)
        qsort(out, *count, sizeof *out, compare_stays);
    *stays = out;
    return ERR_OK;
}
