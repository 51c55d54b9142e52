/* fhir_encounter.c - stays and where the patient is: Encounter with its locations and what became of it.
 *
 * Every version of an Encounter says all its movements. They are named "Encounter/id#..."; a cancel of that name takes away
 * what earlier versions said and this one no longer does. */
#include "facts/fhir.h"

#include <stdlib.h>

#define STEPS_MAX   128u
#define PART_OF_MAX 6u

static void add_cell(struct fhir_work *w, enum visit_field field, struct bytes value) {
    struct fact *fact = bytes_is_empty(value) ? NULL : fhir_add(w, FACT_VISIT);
    if (!fact)
        return;
    fact->cell.field = (int)field;
    fact->cell.value = value;
}

static void delete_cell(struct fhir_work *w, enum visit_field field) {
    struct fact *fact = fhir_add(w, FACT_VISIT);
    if (!fact)
        return;
    fact->cell.field = (int)field;
    fact->cell.is_deleted = true;
}

/* ---- which stay, of which class ---- */

static struct fact_identifier visit_of(struct fhir_work *w) {
    struct fact_identifier first = {w->context->source, BYTES(FACTS_FHIR_ID_TYPE), w->id};
    bool has_first = false;
    for (const struct fhir_node *i = fhir_items(own(w, "identifier")); i; i = i->next) {
        struct fhir_identifier read = fhir_identifier(i, w->context->zone, w->arena);
        if (bytes_is_empty(read.value) || bytes_is(read.use, "old"))
            continue;
        struct bytes type = bytes_is_empty(read.type) ? BYTES("VN") : read.type;
        struct fact_identifier number = fhir_number(w, read.system, type, read.value);
        if (bytes_is(read.type, "VN") || bytes_is(read.type, "AN"))
            return number;
        if (!has_first)
            first = number;
        has_first = true;
    }
    return first;
}

/* v3 ActEncounterCode to table 0004. */
static struct bytes class_of(const struct fhir_work *w) {
    static const struct {
        const char *code, *class;
    } classes[] = {
        {"IMP", "I"},       {"ACUTE", "I"},      {"NONAC", "I"},      {"EMER", "E"},
        {"AMB", "O"},       {"VR", "O"},         {"HH", "O"},         {"FLD", "O"},
        {"SS", "O"},        {"PRENC", "P"},      {"OBSENC", "B"},     {"inpatient", "I"},
        {"emergency", "E"}, {"outpatient", "O"}, {"ambulatory", "O"},
    };
    const struct fhir_node *class = own(w, "class");
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (fhir_member_is(class, "code", classes[i].code) || fhir_is(class, classes[i].code))
            return bytes_from_string(classes[i].class);
    return BYTES_NONE;
}

static struct bytes attending_of(struct fhir_work *w) {
    static const char *const types[] = {"ATND", "PPRF"};
    for (size_t i = 0; i < 2; i++)
        for (const struct fhir_node *p = fhir_items(own(w, "participant")); p; p = p->next)
            if (fhir_has_code(fhir_member(p, "type"), types[i]))
                return fhir_person(w, fhir_member(p, "individual"));
    return BYTES_NONE;
}

/* ---- places ---- */

struct step {
    struct fact_place place;
    int64_t start;
    bool is_planned;
    size_t at;
};
struct steps {
    struct step list[STEPS_MAX];
    size_t count;
};

/* HL7 location-physical-type. What is of no level of ours counts as the unit, when there is no other. */
static struct bytes *level_of(struct fact_place *place, const struct fhir_node *type) {
    if (fhir_has_code(type, "bd"))
        return &place->bed;
    if (fhir_has_code(type, "ro"))
        return &place->room;
    if (fhir_has_code(type, "bu") || fhir_has_code(type, "si") || fhir_has_code(type, "wi"))
        return &place->facility;
    if (fhir_has_code(type, "wa") || fhir_has_code(type, "area") || !type)
        return &place->unit;
    return NULL;
}

/* What HL7 v2 senders write in PL: the code, else the name. */
static struct bytes location_code(struct fhir_work *w, const struct fhir_target *target,
                                  const struct fhir_node *reference) {
    struct bytes code =
        fhir_member_text(fhir_member(target->resource, "identifier"), "value", w->arena);
    if (bytes_is_empty(code))
        code = fhir_member_text(target->resource, "name", w->arena);
    if (bytes_is_empty(code))
        code = fhir_display(w, reference);
    return bytes_is_empty(code) ? target->id : code;
}

static void fill(struct bytes *level, struct bytes code) {
    if (level && bytes_is_empty(*level))
        *level = code;
}

/* The bed, its room, its ward: up along partOf as far as the document goes. */
static struct fact_place place_of(struct fhir_work *w, const struct fhir_node *location) {
    struct fact_place place = {0};
    const struct fhir_node *reference = fhir_member(location, "location");
    const struct fhir_node *said_type = fhir_member(location, "physicalType");
    for (unsigned i = 0; i < PART_OF_MAX && reference; i++) {
        struct fhir_target target = fhir_resolve(w, reference);
        const struct fhir_node *type = fhir_member(target.resource, "physicalType");
        fill(level_of(&place, type     ? type
                              : i == 0 ? said_type
                                       : NULL),
             location_code(w, &target, reference));
        reference = fhir_member(target.resource, "partOf");
    }
    return place;
}

static int by_start(const void *a, const void *b) {
    const struct step *left = a, *right = b;
    if (left->start != right->start)
        return left->start < right->start ? -1 : 1;
    return (left->at > right->at) - (left->at < right->at);
}

/* A ward, a room and a bed that are listed one by one, of the same time, are one place. */
static bool joins(struct step *step, const struct step *other) {
    struct fact_place *p = &step->place;
    const struct fact_place *o = &other->place;
    if (step->start != other->start || step->is_planned != other->is_planned ||
        (p->unit.size && o->unit.size) || (p->room.size && o->room.size) ||
        (p->bed.size && o->bed.size))
        return false;
    fill(&p->unit, o->unit);
    fill(&p->room, o->room);
    fill(&p->bed, o->bed);
    fill(&p->facility, o->facility);
    return true;
}

static void read_steps(struct fhir_work *w, int64_t begin, struct steps *steps) {
    const struct fhir_node *l = fhir_items(own(w, "location"));
    steps->count = 0;
    for (; l && steps->count < STEPS_MAX; l = l->next) {
        int64_t start = own_instant(w, fhir_member(l, "period"), "start");
        struct step *step = &steps->list[steps->count];
        *step = (struct step){
            .place = place_of(w, l),
            .start = start == INSTANT_NONE ? begin : start,
            .is_planned =
                fhir_member_is(l, "status", "planned") || fhir_member_is(l, "status", "reserved"),
            .at = steps->count++,
        };
    }
    if (l)
        fhir_warn(w, "a stay has more places than are read");
    if (steps->count > 1)
        qsort(steps->list, steps->count, sizeof steps->list[0], by_start);
    size_t kept = 0;
    for (size_t i = 0; i < steps->count; i++)
        if (kept == 0 || !joins(&steps->list[kept - 1], &steps->list[i]))
            steps->list[kept++] = steps->list[i];
    steps->count = kept;
}

/* ---- movements ---- */

static struct bytes movement_name(struct fhir_work *w, const char *what, uint64_t number) {
    char digits[24];
    struct text text;
    text_init(&text, digits, sizeof digits);
    if (number)
        text_put_u64(&text, number);
    const struct bytes parts[] = {w->name, BYTES("#"), bytes_from_string(what), text_bytes(&text)};
    return fhir_join(parts, 4, "", w->arena);
}

static void add_movement(struct fhir_work *w, enum movement_class class, struct bytes name,
                         int64_t holds, const struct fact_place *place) {
    struct fact *fact = fhir_add(w, FACT_MOVEMENT);
    if (!fact)
        return;
    fact->movement = (struct fact_movement){.class = class, .movement_id = name, .holds = holds};
    if (place)
        fact->movement.place = *place;
}

/* What earlier versions said of the movements no longer counts. */
static void add_fresh_start(struct fhir_work *w) {
    struct fact *fact = fhir_add(w, FACT_CANCEL);
    if (fact)
        fact->cancel = (struct fact_cancel){.movement_id = movement_name(w, "", 0)};
}

static const struct fact_place *place_at(const struct steps *steps, int64_t at) {
    const struct fact_place *place = NULL;
    for (size_t i = 0; i < steps->count; i++)
        if (!steps->list[i].is_planned && (steps->list[i].start <= at || !place))
            place = &steps->list[i].place;
    return place;
}

static void add_leaves(struct fhir_work *w, const struct steps *steps) {
    uint64_t number = 0;
    for (const struct fhir_node *h = fhir_items(own(w, "statusHistory")); h; h = h->next) {
        int64_t from = own_instant(w, fhir_member(h, "period"), "start");
        int64_t to = own_instant(w, fhir_member(h, "period"), "end");
        if (!fhir_member_is(h, "status", "onleave") || from == INSTANT_NONE)
            continue;
        number++;
        add_movement(w, MOVEMENT_LEAVE, movement_name(w, "leave", number), from, NULL);
        if (to != INSTANT_NONE)
            add_movement(w, MOVEMENT_RETURN, movement_name(w, "return", number), to,
                         place_at(steps, to));
    }
    if (number == 0 && status_is(w, "onleave"))
        add_movement(w, MOVEMENT_LEAVE, movement_name(w, "leave", 1), w->facts->said, NULL);
}

/* The first place is that of the admission; each other one a transfer, or one to come. */
static void add_steps(struct fhir_work *w, enum movement_class begin_class, int64_t begin,
                      const struct steps *steps) {
    bool has_begun = false;
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->list[i];
        if (step->is_planned) {
            add_movement(w, MOVEMENT_PENDING_TRANSFER, movement_name(w, "planned", i + 1),
                         step->start, &step->place);
        } else if (!has_begun) {
            has_begun = true;
            add_movement(w, begin_class, movement_name(w, "admit", 0), begin, &step->place);
        } else {
            add_movement(w, MOVEMENT_TRANSFER, movement_name(w, "transfer", i + 1), step->start,
                         &step->place);
        }
    }
    if (!has_begun)
        add_movement(w, begin_class, movement_name(w, "admit", 0), begin, NULL);
}

static bool has_begun(const struct fhir_work *w) {
    return status_is(w, "arrived") || status_is(w, "triaged") || status_is(w, "in-progress") ||
           status_is(w, "onleave") || status_is(w, "finished");
}

static void add_begun(struct fhir_work *w, struct bytes class, int64_t begin, int64_t end,
                      const struct steps *steps) {
    bool is_inpatient = bytes_is(class, "I") || bytes_is(class, "B");
    add_steps(w, is_inpatient ? MOVEMENT_ADMIT : MOVEMENT_REGISTER, begin, steps);
    add_leaves(w, steps);
    if (status_is(w, "finished"))
        add_movement(w, MOVEMENT_DISCHARGE, movement_name(w, "discharge", 0),
                     end == INSTANT_NONE ? w->facts->said : end, NULL);
    else if (end != INSTANT_NONE)
        add_movement(w, MOVEMENT_PENDING_DISCHARGE, movement_name(w, "discharge", 0), end, NULL);
}

static int64_t begin_of(const struct fhir_work *w, int64_t start) {
    for (const struct fhir_node *l = fhir_items(own(w, "location")); l; l = l->next) {
        int64_t at = own_instant(w, fhir_member(l, "period"), "start");
        if (at != INSTANT_NONE && (start == INSTANT_NONE))
            start = at;
    }
    return start == INSTANT_NONE ? w->facts->said : start;
}

static void add_times(struct fhir_work *w) {
    const struct fhir_node *period = own(w, "period");
    struct zone *zone = w->context->zone;
    if (has_begun(w))
        add_cell(w, VISIT_ADMITTED_AT,
                 fhir_time_text(fhir_member(period, "start"), zone, w->arena));
    else
        delete_cell(w, VISIT_ADMITTED_AT);
    struct bytes end = fhir_time_text(fhir_member(period, "end"), zone, w->arena);
    if (status_is(w, "finished") && !bytes_is_empty(end))
        add_cell(w, VISIT_DISCHARGED_AT, end);
    else
        delete_cell(w, VISIT_DISCHARGED_AT);
}

void fhir_encounter(struct fhir_work *w) {
    struct steps steps;
    const struct fhir_node *period = own(w, "period");
    int64_t begin = begin_of(w, own_instant(w, period, "start"));
    struct bytes class = class_of(w);
    w->facts->visit = visit_of(w);
    add_fresh_start(w);
    add_times(w);
    if (status_is(w, "cancelled") || status_is(w, "entered-in-error"))
        return;
    add_cell(w, VISIT_CLASS, class);
    add_cell(w, VISIT_ATTENDING, attending_of(w));
    add_cell(w, VISIT_SERVICE, fhir_coding(own(w, "serviceType"), w->arena).text);
    struct bytes reason = fhir_texts(own(w, "reasonCode"), ", ", w->arena);
    add_cell(w, VISIT_REASON,
             bytes_is_empty(reason) ? fhir_people(w, own(w, "reasonReference"), NULL, ", ")
                                    : reason);
    read_steps(w, begin, &steps);
    if (status_is(w, "planned"))
        add_movement(w, MOVEMENT_PREADMIT, movement_name(w, "planned", 0), begin,
                     steps.count ? &steps.list[0].place : NULL);
    else if (has_begun(w))
        add_begun(w, class, begin, own_instant(w, period, "end"), &steps);
    else
        fhir_warn(w, "the stay's status says neither that it began nor that it ended");
}
