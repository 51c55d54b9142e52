/* records.c - pack and unpack records; cells, movements and cancels by the rules of order. */
#include "chart/records.h"

#include <stdlib.h>

#define VALUE_BYTES_MAX 65536u

/* ---- keys and cells ---- */

int key_compare(const struct key *a, const struct key *b) {
    if (a->is_sure != b->is_sure)
        return a->is_sure ? 1 : -1;
    if (a->said != b->said)
        return a->said < b->said ? -1 : 1;
    if (a->clock != b->clock)
        return a->clock < b->clock ? -1 : 1;
    return (a->entry > b->entry) - (a->entry < b->entry);
}

static int moment_compare(const struct key *a, const struct key *b) {
    if (a->is_sure != b->is_sure)
        return a->is_sure ? 1 : -1;
    return (a->said > b->said) - (a->said < b->said);
}

/* The place of this source's statement in the cell: NULL when it has none. */
static struct voice *voice_of(struct cell *cell, uint64_t feed) {
    if (cell->voice.feed == feed)
        return &cell->voice;
    for (size_t i = 0; i < cell->rival_count; i++)
        if (cell->rivals[i].feed == feed)
            return &cell->rivals[i];
    return NULL;
}

static struct voice *weakest_rival(struct cell *cell) {
    struct voice *weakest = &cell->rivals[0];
    for (size_t i = 1; i < cell->rival_count; i++)
        if (key_compare(&cell->rivals[i].key, &weakest->key) < 0)
            weakest = &cell->rivals[i];
    return weakest;
}

bool cell_wants(const struct cell *cell, const struct voice *voice) {
    int order = cell->is_set ? moment_compare(&voice->key, &cell->voice.key) : 1;
    if (order != 0)
        return order > 0;
    return voice->feed != cell->voice.feed || key_compare(&voice->key, &cell->voice.key) >= 0;
}

/* Where a rival's statement goes: over its source's earlier one, into free room, or over the weakest. Of more sources than
 * there is room for those with the greatest keys stay, which does not depend on the order. NULL: nowhere. */
static struct voice *place_for(struct cell *cell, const struct voice *voice) {
    struct voice *place = voice_of(cell, voice->feed);
    if (!place && cell->rival_count < RIVALS_MAX)
        return &cell->rivals[cell->rival_count++];
    if (!place)
        place = weakest_rival(cell);
    return key_compare(&voice->key, &place->key) >= 0 ? place : NULL;
}

static enum err take_rival(struct cell *cell, const struct voice *voice, struct arena *arena) {
    if (!cell->rivals)
        cell->rivals = arena_array(arena, RIVALS_MAX, sizeof *cell->rivals);
    if (!cell->rivals)
        return ERR_LIMIT;
    struct voice *place = place_for(cell, voice);
    if (!place)
        return ERR_OK;
    *place = *voice;
    if (key_compare(&place->key, &cell->voice.key) > 0) {
        *place = cell->voice;
        cell->voice = *voice;
    }
    return ERR_OK;
}

enum err cell_take(struct cell *cell, const struct voice *voice, struct arena *arena) {
    if (!cell_wants(cell, voice))
        return ERR_OK;
    if (!cell->is_set || moment_compare(&voice->key, &cell->voice.key) > 0)
        *cell = (struct cell){.is_set = true, .voice = *voice};
    else if (voice->feed == cell->voice.feed)
        cell->voice = *voice;
    else
        return take_rival(cell, voice, arena);
    return ERR_OK;
}

struct bytes cell_value(const struct cell *cell) {
    return cell->is_set && !cell->voice.is_deleted ? cell->voice.value : BYTES_NONE;
}

bool rival_differs(const struct cell *cell, const struct voice *rival) {
    return rival->is_deleted != cell->voice.is_deleted ||
           !bytes_equal(rival->value, cell->voice.value);
}

void key_pack(struct text *out, const struct key *key) {
    pack_u64(out, key->is_sure);
    pack_i64(out, key->said);
    pack_u64(out, key->clock);
    pack_u64(out, key->entry);
}

struct key key_unpack(struct unpack *in) {
    struct key key;
    key.is_sure = unpack_u64(in) != 0;
    key.said = unpack_i64(in);
    key.clock = unpack_u64(in);
    key.entry = unpack_u64(in);
    return key;
}

static void voice_pack(struct text *out, const struct voice *voice) {
    key_pack(out, &voice->key);
    pack_u64(out, voice->feed << 1 | voice->is_deleted);
    pack_bytes(out, voice->value);
}

static struct voice voice_unpack(struct unpack *in) {
    struct voice voice = {.key = key_unpack(in)};
    uint64_t feed = unpack_u64(in);
    voice.feed = feed >> 1;
    voice.is_deleted = feed & 1;
    voice.value = unpack_bytes(in);
    return voice;
}

/* A cell's number and how many rivals it has, then the voices; 0 ends the list. */
static void cells_pack(struct text *out, const struct cell *cells, unsigned count) {
    for (unsigned i = 1; i < count; i++) {
        if (!cells[i].is_set)
            continue;
        pack_u64(out, i * (RIVALS_MAX + 1) + cells[i].rival_count);
        voice_pack(out, &cells[i].voice);
        for (size_t k = 0; k < cells[i].rival_count; k++)
            voice_pack(out, &cells[i].rivals[k]);
    }
    pack_u64(out, 0);
}

static enum err cells_unpack(struct unpack *in, struct cell *cells, unsigned count,
                             struct arena *arena) {
    uint64_t tag;
    while ((tag = unpack_u64(in)) != 0 && !in->is_short) {
        struct cell cell = {.is_set = true, .rival_count = tag % (RIVALS_MAX + 1)};
        cell.voice = voice_unpack(in);
        if (cell.rival_count &&
            !(cell.rivals = arena_array(arena, RIVALS_MAX, sizeof *cell.rivals)))
            return ERR_LIMIT;
        for (size_t k = 0; k < cell.rival_count; k++)
            cell.rivals[k] = voice_unpack(in);
        if (tag / (RIVALS_MAX + 1) < count)
            cells[tag / (RIVALS_MAX + 1)] = cell;
    }
    return ERR_OK;
}

/* ---- identifiers ---- */

void identifier_pack(struct text *out, const struct fact_identifier *identifier) {
    pack_bytes(out, identifier->authority);
    pack_bytes(out, identifier->type);
    pack_bytes(out, identifier->number);
}

struct fact_identifier identifier_unpack(struct unpack *in) {
    struct fact_identifier identifier;
    identifier.authority = unpack_bytes(in);
    identifier.type = unpack_bytes(in);
    identifier.number = unpack_bytes(in);
    return identifier;
}

bool identifier_is(const struct fact_identifier *a, const struct fact_identifier *b) {
    return bytes_equal(a->number, b->number) && bytes_equal(a->authority, b->authority) &&
           bytes_equal(a->type, b->type);
}

/* ---- subjects ---- */

void subject_pack(const struct subject *subject, struct text *out) {
    cells_pack(out, subject->cells, PATIENT_FIELD_COUNT);
    pack_u64(out, subject->other_count);
    for (size_t i = 0; i < subject->other_count; i++) {
        identifier_pack(out, &subject->others[i]);
        pack_u64(out, subject->other_entries[i]);
    }
    pack_u64(out, subject->named_entry + 1); /* ENTRY_NONE is 0 */
    pack_i64(out, subject->newest_result_at);
    pack_i64(out, subject->touched_at);
}

/* The record is copied once; every value is a view into the copy. */
bool record_unpack(struct unpack *in, struct bytes record, struct arena *arena) {
    in->is_short = false;
    in->rest = arena_copy(arena, record);
    return in->rest.data != NULL || record.size == 0;
}

enum err subject_unpack(struct subject *subject, struct bytes record, struct arena *arena) {
    struct unpack in;
    if (!record_unpack(&in, record, arena))
        return ERR_LIMIT;
    if (cells_unpack(&in, subject->cells, PATIENT_FIELD_COUNT, arena))
        return ERR_LIMIT;
    subject->other_count = unpack_count(&in);
    subject->others = arena_array(arena, subject->other_count, sizeof *subject->others);
    subject->other_entries =
        arena_array(arena, subject->other_count, sizeof *subject->other_entries);
    if (subject->other_count && (!subject->others || !subject->other_entries))
        return ERR_LIMIT;
    for (size_t i = 0; i < subject->other_count; i++) {
        subject->others[i] = identifier_unpack(&in);
        subject->other_entries[i] = unpack_u64(&in);
    }
    subject->named_entry = unpack_u64(&in) - 1;
    subject->newest_result_at = unpack_i64(&in);
    subject->touched_at = unpack_i64(&in);
    return in.is_short ? ERR_CORRUPT : ERR_OK;
}

/* ---- visits ---- */

void place_pack(struct text *out, const struct fact_place *place) {
    pack_bytes(out, place->unit);
    pack_bytes(out, place->room);
    pack_bytes(out, place->bed);
    pack_bytes(out, place->facility);
}

struct fact_place place_unpack(struct unpack *in) {
    struct fact_place place;
    place.unit = unpack_bytes(in);
    place.room = unpack_bytes(in);
    place.bed = unpack_bytes(in);
    place.facility = unpack_bytes(in);
    return place;
}

void visit_pack(const struct visit *visit, struct text *out) {
    key_pack(out, &visit->subject_key);
    cells_pack(out, visit->cells, VISIT_FIELD_COUNT);
    pack_u64(out, visit->movement_count);
    for (size_t i = 0; i < visit->movement_count; i++) {
        const struct movement *movement = &visit->movements[i];
        key_pack(out, &movement->key);
        pack_u64(out, movement->fact.class);
        pack_bytes(out, movement->fact.movement_id);
        pack_i64(out, movement->fact.holds);
        place_pack(out, &movement->fact.place);
        place_pack(out, &movement->fact.prior);
        pack_bytes(out, movement->fact.medical_unit);
        pack_bytes(out, movement->fact.care_unit);
    }
    pack_u64(out, visit->cancel_count);
    for (size_t i = 0; i < visit->cancel_count; i++) {
        key_pack(out, &visit->cancels[i].key);
        pack_u64(out, visit->cancels[i].fact.class);
        pack_bytes(out, visit->cancels[i].fact.movement_id);
        pack_i64(out, visit->cancels[i].fact.holds);
    }
    pack_u64(out, visit->let_go_clock);
    pack_u64(out, visit->let_go_entry + 1); /* ENTRY_NONE is 0 */
    identifier_pack(out, &visit->merged_into);
    key_pack(out, &visit->merged_key);
}

static void movement_unpack(struct unpack *in, struct movement *movement) {
    movement->key = key_unpack(in);
    movement->fact.class = (enum movement_class)unpack_u64(in);
    movement->fact.movement_id = unpack_bytes(in);
    movement->fact.holds = unpack_i64(in);
    movement->fact.place = place_unpack(in);
    movement->fact.prior = place_unpack(in);
    movement->fact.medical_unit = unpack_bytes(in);
    movement->fact.care_unit = unpack_bytes(in);
}

enum err visit_unpack(struct visit *visit, struct bytes record, struct arena *arena) {
    struct unpack in;
    if (!record_unpack(&in, record, arena))
        return ERR_LIMIT;
    visit->subject_key = key_unpack(&in);
    if (cells_unpack(&in, visit->cells, VISIT_FIELD_COUNT, arena))
        return ERR_LIMIT;
    visit->movement_count = visit->movement_capacity = unpack_count(&in);
    visit->movements = arena_array(arena, visit->movement_count, sizeof *visit->movements);
    for (size_t i = 0; visit->movements && i < visit->movement_count; i++)
        movement_unpack(&in, &visit->movements[i]);
    visit->cancel_count = visit->cancel_capacity = unpack_count(&in);
    visit->cancels = arena_array(arena, visit->cancel_count, sizeof *visit->cancels);
    if ((visit->movement_count && !visit->movements) || (visit->cancel_count && !visit->cancels))
        return ERR_LIMIT;
    for (size_t i = 0; i < visit->cancel_count; i++) {
        struct cancel *cancel = &visit->cancels[i];
        cancel->key = key_unpack(&in);
        cancel->fact.class = (enum movement_class)unpack_u64(&in);
        cancel->fact.movement_id = unpack_bytes(&in);
        cancel->fact.holds = unpack_i64(&in);
    }
    visit->let_go_clock = unpack_u64(&in);
    visit->let_go_entry = unpack_u64(&in) - 1;
    visit->merged_into = identifier_unpack(&in);
    visit->merged_key = key_unpack(&in);
    return in.is_short ? ERR_CORRUPT : ERR_OK;
}

/* ---- stays that are let go ---- */

/* What was written later stays; of several voices the greatest is the cell's. */
static void cell_let_go(struct cell *cell, uint64_t clock) {
    struct cell kept = {.rivals = cell->rivals};
    for (size_t i = 0; i < cell->rival_count; i++) {
        struct voice rival = cell->rivals[i];
        if (rival.key.clock > clock)
            kept.rivals[kept.rival_count++] = rival;
    }
    kept.is_set = cell->is_set && cell->voice.key.clock > clock;
    kept.voice = cell->voice;
    if (!kept.is_set && kept.rival_count) {
        struct voice *best = &kept.rivals[0];
        for (size_t i = 1; i < kept.rival_count; i++)
            if (key_compare(&kept.rivals[i].key, &best->key) > 0)
                best = &kept.rivals[i];
        kept.is_set = true;
        kept.voice = *best;
        *best = kept.rivals[--kept.rival_count];
    }
    *cell = kept.is_set ? kept : (struct cell){0};
}

static bool drop_statements(struct visit *visit, uint64_t clock) {
    size_t movements = 0, cancels = 0;
    bool is_left = false;
    for (unsigned field = 1; field < VISIT_FIELD_COUNT; field++) {
        cell_let_go(&visit->cells[field], clock);
        is_left |= visit->cells[field].is_set;
    }
    for (size_t i = 0; i < visit->movement_count; i++)
        if (visit->movements[i].key.clock > clock)
            visit->movements[movements++] = visit->movements[i];
    for (size_t i = 0; i < visit->cancel_count; i++)
        if (visit->cancels[i].key.clock > clock)
            visit->cancels[cancels++] = visit->cancels[i];
    visit->movement_count = movements;
    visit->cancel_count = cancels;
    if (visit->merged_key.clock <= clock) {
        visit->merged_into = (struct fact_identifier){0};
        visit->merged_key = (struct key){0};
    }
    return is_left || movements || cancels || !bytes_is_empty(visit->merged_into.number);
}

void visit_let_go(struct visit *visit, const struct key *key) {
    if (key->clock < visit->let_go_clock)
        return;
    visit->let_go_clock = key->clock;
    if (visit->let_go_entry == ENTRY_NONE || key->entry > visit->let_go_entry)
        visit->let_go_entry = key->entry;
    bool is_left = drop_statements(visit, key->clock);
    if (visit->subject_key.clock <= key->clock)
        visit->subject_key = (struct key){0};
    if (!is_left)
        visit->subject = 0;
}

/* ---- movements ---- */

static bool same_movement(const struct fact_movement *a, const struct fact_movement *b) {
    if (!bytes_is_empty(a->movement_id) || !bytes_is_empty(b->movement_id))
        return bytes_equal(a->movement_id, b->movement_id);
    return a->class == b->class && a->holds == b->holds;
}

static void *grown(struct arena *arena, const void *old, size_t count, size_t *capacity,
                   size_t size) {
    *capacity = *capacity ? *capacity * 2 : 4;
    void *list = arena_array(arena, *capacity, size);
    if (list && count)
        memcpy(list, old, count * size);
    return list;
}

enum err visit_take_movement(struct visit *visit, const struct key *key,
                             const struct fact_movement *fact, struct arena *arena) {
    for (size_t i = 0; i < visit->movement_count; i++) {
        struct movement *movement = &visit->movements[i];
        if (!same_movement(&movement->fact, fact))
            continue;
        if (key_compare(key, &movement->key) > 0)
            *movement = (struct movement){.key = *key, .fact = *fact};
        return ERR_OK;
    }
    if (visit->movement_count == visit->movement_capacity) {
        visit->movements = grown(arena, visit->movements, visit->movement_count,
                                 &visit->movement_capacity, sizeof *visit->movements);
        if (!visit->movements)
            return ERR_LIMIT;
    }
    visit->movements[visit->movement_count++] = (struct movement){.key = *key, .fact = *fact};
    return ERR_OK;
}

/* A cancel said twice by two messages is one when it names the same movement at the same time. */
enum err visit_take_cancel(struct visit *visit, const struct key *key,
                           const struct fact_cancel *fact, struct arena *arena) {
    for (size_t i = 0; i < visit->cancel_count; i++) {
        struct cancel *cancel = &visit->cancels[i];
        if (cancel->fact.class != fact->class || cancel->fact.holds != fact->holds ||
            !bytes_equal(cancel->fact.movement_id, fact->movement_id))
            continue;
        if (key_compare(key, &cancel->key) > 0)
            cancel->key = *key;
        return ERR_OK;
    }
    if (visit->cancel_count == visit->cancel_capacity) {
        visit->cancels = grown(arena, visit->cancels, visit->cancel_count, &visit->cancel_capacity,
                               sizeof *visit->cancels);
        if (!visit->cancels)
            return ERR_LIMIT;
    }
    visit->cancels[visit->cancel_count++] = (struct cancel){.key = *key, .fact = *fact};
    return ERR_OK;
}

enum err visit_absorb(struct visit *visit, const struct visit *other, struct arena *arena) {
    enum err err = ERR_OK;
    for (unsigned field = 1; field < VISIT_FIELD_COUNT && !err; field++) {
        const struct cell *cell = &other->cells[field];
        if (cell->is_set)
            err = cell_take(&visit->cells[field], &cell->voice, arena);
        for (size_t i = 0; i < cell->rival_count && !err; i++)
            err = cell_take(&visit->cells[field], &cell->rivals[i], arena);
    }
    for (size_t i = 0; i < other->movement_count && !err; i++)
        err =
            visit_take_movement(visit, &other->movements[i].key, &other->movements[i].fact, arena);
    for (size_t i = 0; i < other->cancel_count && !err; i++)
        err = visit_take_cancel(visit, &other->cancels[i].key, &other->cancels[i].fact, arena);
    return err;
}

static int compare_movements(const void *a, const void *b) {
    const struct movement *left = a, *right = b;
    if (left->fact.holds != right->fact.holds)
        return left->fact.holds < right->fact.holds ? -1 : 1;
    return key_compare(&left->key, &right->key);
}

static int compare_cancels(const void *a, const void *b) {
    return key_compare(&((const struct cancel *)a)->key, &((const struct cancel *)b)->key);
}

/* Announced only: it moves nobody. */
static bool is_pending(enum movement_class class) {
    return class >= MOVEMENT_PENDING_ADMIT && class <= MOVEMENT_PENDING_DISCHARGE;
}

/* A11 takes away an admission or a registration; the others their own class. */
static bool may_cancel(const struct cancel *cancel, const struct movement *movement) {
    if (cancel->fact.class == MOVEMENT_ADMIT)
        return movement->fact.class == MOVEMENT_ADMIT || movement->fact.class == MOVEMENT_REGISTER;
    return cancel->fact.class == movement->fact.class;
}

static void strike(struct movement *movement, struct cancel *cancel) {
    movement->is_cancelled = true;
    movement->cancel_key = cancel->key;
    cancel->is_used = true;
}

/* Class 0: all of that name that were said before. */
static void apply_fresh_start(struct visit *visit, struct cancel *cancel) {
    for (size_t i = 0; i < visit->movement_count; i++) {
        struct movement *movement = &visit->movements[i];
        if (bytes_starts_with(movement->fact.movement_id, cancel->fact.movement_id) &&
            key_compare(&movement->key, &cancel->key) < 0)
            strike(movement, cancel);
    }
    cancel->is_used = true;
}

/* By id; else same class and time; else the latest of its class before it. */
static void apply_cancel(struct visit *visit, struct cancel *cancel) {
    struct movement *latest = NULL;
    if (cancel->fact.class == 0) {
        apply_fresh_start(visit, cancel);
        return;
    }
    for (size_t i = 0; i < visit->movement_count; i++) {
        struct movement *movement = &visit->movements[i];
        if (!bytes_is_empty(cancel->fact.movement_id) &&
            bytes_equal(cancel->fact.movement_id, movement->fact.movement_id)) {
            strike(movement, cancel);
            return;
        }
    }
    for (size_t i = 0; i < visit->movement_count; i++) {
        struct movement *movement = &visit->movements[i];
        bool both_named = !bytes_is_empty(cancel->fact.movement_id) &&
                          !bytes_is_empty(movement->fact.movement_id);
        if (both_named || movement->is_cancelled || !may_cancel(cancel, movement))
            continue;
        /* What is announced lies ahead, and its cancel need not say when: the one said last before it is meant. */
        if (is_pending(movement->fact.class)) {
            if (key_compare(&movement->key, &cancel->key) < 0 &&
                (!latest || key_compare(&movement->key, &latest->key) > 0))
                latest = movement;
            continue;
        }
        if (movement->fact.holds == cancel->fact.holds) {
            strike(movement, cancel);
            return;
        }
        /* Sorted by time: the last that fits is the latest. What was said after the cancel is not meant by it. */
        if (movement->fact.holds < cancel->fact.holds &&
            key_compare(&movement->key, &cancel->key) < 0)
            latest = movement;
    }
    if (latest)
        strike(latest, cancel);
}

static struct fact_place stated_place(struct bytes value) {
    struct fact_place place = {0};
    struct bytes *const parts[] = {&place.unit, &place.room, &place.bed, &place.facility};
    for (size_t i = 0; i < 4; i++)
        if (!bytes_next_part(&value, 0x1F, parts[i]))
            break;
    return place;
}

/* A discharge said without a movement, or a stay known only from results: present as long as nothing says otherwise. One that
 * had ended and was let go is not begun again by a late result that says where the patient was. */
static void work_out_stated(const struct visit *visit, struct chart_stay *stay) {
    const struct cell *place = &visit->cells[VISIT_STATED_PLACE];
    struct bytes value = cell_value(place);
    bool is_bedded =
        bytes_is(stay->class, "I") || bytes_is(stay->class, "E") || bytes_is(stay->class, "B");
    stay->place = stated_place(value);
    stay->is_place_stated = !bytes_is_empty(value);
    stay->is_from_census = stay->is_place_stated && !place->voice.key.is_sure && stay->census_at != INSTANT_NONE;
    stay->since = place->is_set ? place->voice.key.said : INSTANT_NONE;
    stay->source = (struct chart_source){place->voice.key.entry, place->voice.key.said};
    stay->is_present = stay->is_place_stated && is_bedded && !visit->let_go_clock &&
                       bytes_is_empty(cell_value(&visit->cells[VISIT_DISCHARGED_AT]));
}

static int64_t cell_instant(const struct cell *cell) {
    struct time_read time;
    struct bytes value = cell_value(cell);
    return !bytes_is_empty(value) && time_read_iso(value, NULL, &time) ? time.at : INSTANT_NONE;
}

/* A leave says where the patient comes back to, if anything. */
static bool is_move(enum movement_class class) {
    return class != MOVEMENT_DISCHARGE && class != MOVEMENT_LEAVE && !is_pending(class);
}

/* What carries out an announcement: of the three classes in their order. */
static bool carries_out(enum movement_class class, enum movement_class pending) {
    static const enum movement_class done[] = {MOVEMENT_ADMIT, MOVEMENT_TRANSFER,
                                               MOVEMENT_DISCHARGE};
    return class == MOVEMENT_DISCHARGE || class == done[pending - MOVEMENT_PENDING_ADMIT];
}

/* The latest said of those that were neither done, cancelled nor overtaken since. */
static void work_out_expected(const struct visit *visit, struct chart_stay *stay) {
    const struct movement *pending = NULL;
    for (size_t i = 0; i < visit->movement_count; i++) {
        const struct movement *m = &visit->movements[i];
        if (!m->is_cancelled && is_pending(m->fact.class) &&
            (!pending || key_compare(&m->key, &pending->key) > 0))
            pending = m;
    }
    for (size_t i = 0; pending && i < visit->movement_count; i++) {
        const struct movement *m = &visit->movements[i];
        if (!m->is_cancelled && carries_out(m->fact.class, pending->fact.class) &&
            key_compare(&m->key, &pending->key) > 0)
            return;
    }
    if (!pending)
        return;
    stay->expected = pending->fact.class;
    stay->expected_at = pending->fact.holds;
    stay->expected_place = pending->fact.place;
}

/* A movement without a place (a class change) leaves the patient where they were. */
static bool has_place(const struct fact_place *place) {
    return place->unit.size || place->room.size || place->bed.size;
}

/* A patient may come before the day that was planned: then the plan places nobody any more. */
static bool has_more_than_plans(const struct visit *visit) {
    for (size_t i = 0; i < visit->movement_count; i++) {
        const struct movement *m = &visit->movements[i];
        if (!m->is_cancelled && !is_pending(m->fact.class) && m->fact.class != MOVEMENT_PREADMIT)
            return true;
    }
    return false;
}

/* The last that holds, but for what is only announced; of those before and with it the last that says a place. */
static const struct movement *last_done(const struct visit *visit, const struct movement **placed,
                                        struct chart_stay *stay) {
    const struct movement *last = NULL;
    bool is_admitted = has_more_than_plans(visit);
    for (size_t i = 0; i < visit->movement_count; i++) {
        const struct movement *movement = &visit->movements[i];
        bool is_overtaken = is_admitted && movement->fact.class == MOVEMENT_PREADMIT;
        if (movement->is_cancelled || is_pending(movement->fact.class) || is_overtaken)
            continue;
        last = movement;
        if (has_place(&movement->fact.place) && is_move(movement->fact.class))
            *placed = movement;
        if (movement->fact.class == MOVEMENT_DISCHARGE)
            stay->discharged_at = movement->fact.holds;
        else if (movement->fact.class == MOVEMENT_ADMIT && stay->admitted_at == INSTANT_NONE)
            stay->admitted_at = movement->fact.holds;
    }
    return last;
}

static void work_out_moves(const struct visit *visit, struct chart_stay *stay) {
    const struct movement *placed = NULL, *last = last_done(visit, &placed, stay);
    work_out_expected(visit, stay);
    if (!last)
        return; /* all cancelled, or nothing done yet: the stay does not take place */
    const struct movement *shown = placed ? placed : last;
    stay->is_present =
        last->fact.class != MOVEMENT_DISCHARGE && last->fact.class != MOVEMENT_PREADMIT;
    if (stay->is_present)
        stay->discharged_at = INSTANT_NONE;
    stay->is_on_leave = last->fact.class == MOVEMENT_LEAVE;
    stay->place = shown->fact.place;
    stay->medical_unit = shown->fact.medical_unit;
    stay->care_unit = shown->fact.care_unit;
    stay->since = shown->fact.holds;
    stay->source = (struct chart_source){last->key.entry, last->key.said};
}

void visit_work_out(struct visit *visit, struct chart_stay *stay) {
    *stay = (struct chart_stay){
        .visit = visit->identifier,
        .class = cell_value(&visit->cells[VISIT_CLASS]),
        .attending = cell_value(&visit->cells[VISIT_ATTENDING]),
        .service = cell_value(&visit->cells[VISIT_SERVICE]),
        .reason = cell_value(&visit->cells[VISIT_REASON]),
        .since = INSTANT_NONE,
        .expected_at = INSTANT_NONE,
        .census_at = cell_instant(&visit->cells[VISIT_CENSUS]),
        .admitted_at = cell_instant(&visit->cells[VISIT_ADMITTED_AT]),
        .discharged_at = cell_instant(&visit->cells[VISIT_DISCHARGED_AT]),
    };
    if (visit->movement_count > 1)
        qsort(visit->movements, visit->movement_count, sizeof *visit->movements, compare_movements);
    if (visit->cancel_count > 1)
        qsort(visit->cancels, visit->cancel_count, sizeof *visit->cancels, compare_cancels);
    for (size_t i = 0; i < visit->movement_count; i++)
        visit->movements[i].is_cancelled = false;
    for (size_t i = 0; i < visit->cancel_count; i++) {
        visit->cancels[i].is_used = false;
        apply_cancel(visit, &visit->cancels[i]);
    }
    if (visit->movement_count == 0)
        work_out_stated(visit, stay);
    else
        work_out_moves(visit, stay);
}

bool visit_is_open(const struct visit *visit, const struct chart_stay *stay) {
    for (size_t i = visit->movement_count; i-- > 0;)
        if (!visit->movements[i].is_cancelled)
            return visit->movements[i].fact.class != MOVEMENT_DISCHARGE;
    return visit->movement_count == 0 && stay->is_present;
}

/* ---- results ---- */

/* A page cannot show a value of megabytes: the chart keeps its beginning and says so; the whole is in the entry. */
void value_pack(struct text *out, struct bytes value) {
    static const struct bytes mark = {(const uint8_t *)"\n[...]", 6};
    if (value.size <= VALUE_BYTES_MAX) {
        pack_bytes(out, value);
        return;
    }
    size_t kept = VALUE_BYTES_MAX;
    while (kept > 0 && (value.data[kept] & 0xC0) == 0x80)
        kept--; /* not in the middle of a character */
    pack_u64(out, kept + mark.size);
    text_put(out, bytes_first(value, kept));
    text_put(out, mark);
}

void report_pack(const struct stored_report *report, struct text *out) {
    const struct fact_report *fact = &report->fact;
    key_pack(out, &report->key);
    pack_u64(out, report->feed);
    const struct bytes texts[] = {fact->placer, fact->filler,    fact->code, fact->system,
                                  fact->text,   fact->requester, fact->notes};
    for (size_t i = 0; i < 7; i++)
        value_pack(out, texts[i]);
    pack_i64(out, fact->collected_at);
    pack_i64(out, fact->reported_at);
    pack_u64(out, fact->status);
    pack_u64(out, fact->observation_count);
    for (size_t k = 0; k < fact->observation_count; k++) {
        const struct fact_observation *o = &fact->observations[k];
        const struct bytes parts[] = {o->code,  o->system, o->text,  o->sub_id, o->type,
                                      o->value, o->unit,   o->range, o->flags,  o->notes};
        for (size_t i = 0; i < 10; i++)
            value_pack(out, parts[i]);
        pack_u64(out, o->status);
        pack_i64(out, o->observed_at);
    }
}

static void observation_unpack(struct unpack *in, struct fact_observation *o) {
    struct bytes *const parts[] = {&o->code,  &o->system, &o->text,  &o->sub_id, &o->type,
                                   &o->value, &o->unit,   &o->range, &o->flags,  &o->notes};
    for (size_t i = 0; i < 10; i++)
        *parts[i] = unpack_bytes(in);
    o->status = (enum result_status)unpack_u64(in);
    o->observed_at = unpack_i64(in);
}

enum err report_unpack(struct stored_report *report, struct bytes record, struct arena *arena) {
    struct unpack in;
    struct fact_report *fact = &report->fact;
    if (!record_unpack(&in, record, arena))
        return ERR_LIMIT;
    report->key = key_unpack(&in);
    report->feed = unpack_u64(&in);
    struct bytes *const texts[] = {&fact->placer, &fact->filler,    &fact->code, &fact->system,
                                   &fact->text,   &fact->requester, &fact->notes};
    for (size_t i = 0; i < 7; i++)
        *texts[i] = unpack_bytes(&in);
    fact->collected_at = unpack_i64(&in);
    fact->reported_at = unpack_i64(&in);
    fact->status = (enum result_status)unpack_u64(&in);
    fact->observation_count = unpack_count(&in);
    fact->observations = arena_array(arena, fact->observation_count, sizeof *fact->observations);
    if (fact->observation_count && !fact->observations)
        return ERR_LIMIT;
    for (size_t i = 0; i < fact->observation_count; i++)
        observation_unpack(&in, &fact->observations[i]);
    return in.is_short ? ERR_CORRUPT : ERR_OK;
}
