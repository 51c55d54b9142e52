/* identity.c - who the patient is, which stay, where, and merges: PID, PV1, MRG and the event itself. */
#include "facts/translate.h"

/* ---- PID ---- */

static void add_cell(struct translation *t, enum fact_kind kind, int field, struct bytes raw) {
    if (bytes_is_empty(raw))
        return;
    struct fact *fact = translate_add(t, kind);
    if (!fact)
        return;
    fact->cell.field = field;
    fact->cell.is_deleted = hl7_is_null(raw);
    fact->cell.value = fact->cell.is_deleted ? BYTES_NONE : text_of(t, raw);
}

static bool type_is_one_of(struct bytes type, const char *const *types) {
    for (; *types; types++)
        if (bytes_is(type, *types))
            return true;
    return false;
}

/* INS by its assigning authority: NIR, NIA, test, demonstration. */
static bool is_ins(const struct fact_identifier *identifier) {
    static const struct bytes root = {(const uint8_t *)"1.2.250.1.213.1.4.", 18};
    return bytes_is(identifier->type, "INS") || bytes_is(identifier->type, "INS-NIR") ||
           bytes_starts_with(identifier->authority, root);
}

static bool is_never_subject(const struct fact_identifier *identifier) {
    static const char *const types[] = {"SS", "NH", "DL", "PPN", "AN", "VN", "MB", "HC", NULL};
    return is_ins(identifier) || type_is_one_of(identifier->type, types);
}

static bool identifier_equal(const struct fact_identifier *a, const struct fact_identifier *b) {
    return bytes_equal(a->authority, b->authority) && bytes_equal(a->type, b->type) &&
           bytes_equal(a->number, b->number);
}

/* First a hospital's own number by its type, then the first that could be one, then the older places. */
static bool choose_subject(struct translation *t, struct fact_identifier *subject) {
    static const char *const best[] = {"PI", "MR", "MRN", "PT", NULL};
    struct bytes repetition;
    struct fact_identifier identifier, first = {0};
    bool has_first = false;
    for (unsigned r = 1; repetition_of(t, t->fields[3], r, &repetition); r++) {
        if (!identifier_of(t, repetition, &identifier) || is_never_subject(&identifier))
            continue;
        if (type_is_one_of(identifier.type, best)) {
            *subject = identifier;
            return true;
        }
        if (!has_first)
            first = identifier;
        has_first = true;
    }
    static const unsigned older[] = {2, 4};
    for (size_t i = 0; i < 2 && !has_first; i++)
        has_first = repetition_of(t, t->fields[older[i]], 1, &repetition) &&
                    identifier_of(t, repetition, &first);
    *subject = first;
    return has_first;
}

static void add_identifiers(struct translation *t, struct bytes field) {
    struct bytes repetition;
    struct fact_identifier identifier;
    for (unsigned r = 1; repetition_of(t, field, r, &repetition); r++) {
        if (!identifier_of(t, repetition, &identifier) ||
            identifier_equal(&identifier, &t->facts->subject))
            continue;
        /* An identity that nobody has verified gives no national identity number. */
        if (is_ins(&identifier) && !t->has_valid_identity)
            continue;
        struct fact *fact = translate_add(t, FACT_IDENTIFIER);
        if (fact)
            fact->identifier = identifier;
    }
}

static bool identity_has_status(struct translation *t, const char *status) {
    struct bytes repetition;
    for (unsigned r = 1; repetition_of(t, t->fields[32], r, &repetition); r++)
        if (bytes_is(bytes_trim(component_of(t, repetition, 1)), status))
            return true;
    return false;
}

/* XPN: family (FN), given, further given, suffix, prefix, degree, type. */
static struct bytes name_part(struct translation *t, struct bytes name, unsigned component) {
    return bytes_trim(
        hl7_subcomponent_of(&t->message.delimiters, component_of(t, name, component), 1));
}

static bool find_name(struct translation *t, const char *type, struct bytes *out) {
    struct bytes repetition;
    for (unsigned r = 1; repetition_of(t, t->fields[5], r, &repetition); r++)
        if (bytes_is(component_of(t, repetition, 7), type) &&
            !bytes_is_empty(name_part(t, repetition, 1))) {
            *out = repetition;
            return true;
        }
    return false;
}

static void add_given(struct translation *t, struct bytes name) {
    struct bytes first = name_part(t, name, 2), further = name_part(t, name, 3);
    struct text text;
    if (bytes_is_empty(further) || hl7_is_null(first) || hl7_is_null(further)) {
        add_cell(t, FACT_PATIENT, PATIENT_GIVEN_NAME, first);
        return;
    }
    if (text_init_arena(&text, t->arena, first.size + further.size + 2)) {
        t->is_full = true;
        return;
    }
    text_put(&text, first);
    text_put_char(&text, ' ');
    text_put(&text, further);
    add_cell(t, FACT_PATIENT, PATIENT_GIVEN_NAME, text_bytes(&text));
}

/* The name staff call the patient by is the first name given, unless a usual one (D) is sent beside a legal one (L):
 * then D is what is used and L, as in France, the name of birth. M (maiden) and B (birth) are names of birth. */
static void read_names(struct translation *t) {
    struct bytes main = BYTES_NONE, legal, usual, birth;
    repetition_of(t, t->fields[5], 1, &main);
    bool has_legal = find_name(t, "L", &legal), has_usual = find_name(t, "D", &usual);
    bool has_birth = find_name(t, "M", &birth) || find_name(t, "B", &birth);
    if (has_usual && has_legal) {
        add_cell(t, FACT_PATIENT, PATIENT_USED_NAME, name_part(t, usual, 1));
        main = usual;
        if (!has_birth)
            birth = legal;
        has_birth = true;
    } else if (has_legal) {
        main = legal;
    }
    add_cell(t, FACT_PATIENT, PATIENT_FAMILY_NAME, name_part(t, main, 1));
    add_given(t, main);
    add_cell(t, FACT_PATIENT, PATIENT_PREFIX, name_part(t, main, 5));
    if (has_birth)
        add_cell(t, FACT_PATIENT, PATIENT_BIRTH_NAME, name_part(t, birth, 1));
}

/* As far as it is given: YYYY, YYYY-MM, YYYY-MM-DD. A date has no zone: digits are taken as they stand. */
static void read_birth_date(struct translation *t) {
    struct bytes raw = value_raw(t, 7, 1);
    struct time_read time;
    if (bytes_is_empty(raw) || hl7_is_null(raw)) {
        add_cell(t, FACT_PATIENT, PATIENT_BIRTH_DATE, raw);
        return;
    }
    if (!time_read_hl7(raw, t->context->zone, &time)) {
        translate_warn(t, "a birth date is not of the form");
        return;
    }
    size_t digits = raw.size >= 8 ? 8 : raw.size >= 6 ? 6 : 4;
    struct text text;
    if (text_init_arena(&text, t->arena, 12)) {
        t->is_full = true;
        return;
    }
    text_put(&text, bytes_first(raw, 4));
    for (size_t at = 4; at < digits; at += 2) {
        text_put_char(&text, '-');
        text_put(&text, bytes_from(raw.data + at, 2));
    }
    add_cell(t, FACT_PATIENT, PATIENT_BIRTH_DATE, text_bytes(&text));
}

/* XAD in one line: street, other, postal code and city, country. */
static void read_address(struct translation *t) {
    static const unsigned order[] = {1, 2, 5, 3, 6};
    struct bytes repetition = BYTES_NONE;
    struct text text;
    repetition_of(t, t->fields[11], 1, &repetition);
    if (bytes_is_empty(repetition) || hl7_is_null(repetition)) {
        add_cell(t, FACT_PATIENT, PATIENT_ADDRESS, repetition);
        return;
    }
    if (text_init_arena(&text, t->arena, repetition.size * 3 + 16)) {
        t->is_full = true;
        return;
    }
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct bytes part = name_part(t, repetition, order[i]);
        if (bytes_is_empty(part) || hl7_is_null(part))
            continue;
        bool is_city = order[i] == 3 && text.size > 0;
        text_put_string(&text, text.size == 0 ? "" : is_city ? " " : ", ");
        hl7_put_text(&text, &t->message, part);
    }
    if (text.size == 0)
        return;
    struct fact *fact = translate_add(t, FACT_PATIENT);
    if (fact) {
        fact->cell.field = PATIENT_ADDRESS;
        fact->cell.value = text_bytes(&text);
    }
}

/* XTN: the old form is one text, the new one has parts; 12 is the number as dialled. */
static void read_phone(struct translation *t) {
    struct bytes number = value_raw(t, 13, 1);
    static const unsigned parts[] = {12, 7};
    for (size_t i = 0; i < 2 && bytes_is_empty(number); i++)
        number = value_raw(t, 13, parts[i]);
    add_cell(t, FACT_PATIENT, PATIENT_PHONE, number);
}

static void read_death(struct translation *t) {
    struct bytes when = value_raw(t, 29, 1);
    int64_t at = time_of(t, when);
    if (at != INSTANT_NONE)
        add_cell(t, FACT_PATIENT, PATIENT_DEATH, instant_text(t, at));
    else if (bytes_is(value_raw(t, 30, 1), "Y"))
        add_cell(t, FACT_PATIENT, PATIENT_DEATH, BYTES("Y"));
    else if (bytes_is(value_raw(t, 30, 1), "N") || hl7_is_null(when))
        add_cell(t, FACT_PATIENT, PATIENT_DEATH, BYTES("\"\""));
}

static void read_visit_number(struct translation *t, struct bytes field) {
    struct bytes repetition = BYTES_NONE;
    struct fact_identifier visit;
    if (!bytes_is_empty(t->facts->visit.number))
        return;
    repetition_of(t, field, 1, &repetition);
    if (identifier_of(t, repetition, &visit))
        t->facts->visit = visit;
}

void translate_pid(struct translation *t) {
    if (t->facts->has_subject) {
        /* Merge messages repeat PID and MRG: the facts are about the first, each MRG is about its own pair. */
        struct fact_identifier next;
        if (choose_subject(t, &next))
            t->survivor = next;
        return;
    }
    t->has_valid_identity = identity_has_status(t, "VALI");
    t->facts->has_subject = choose_subject(t, &t->facts->subject);
    if (!t->facts->has_subject) {
        translate_aside(t, "the PID segment names no patient number", t->segment.at);
        return;
    }
    t->survivor = t->facts->subject;
    add_identifiers(t, t->fields[3]);
    add_identifiers(t, t->fields[2]);
    read_names(t);
    read_birth_date(t);
    add_cell(t, FACT_PATIENT, PATIENT_SEX, value_raw(t, 8, 1));
    read_address(t);
    read_phone(t);
    read_death(t);
    add_cell(t, FACT_PATIENT, PATIENT_IDENTITY_STATUS, value_raw(t, 32, 1));
}

/* ---- PV1 ---- */

static struct fact_place place_of(struct translation *t, unsigned field) {
    return (struct fact_place){
        .unit = value_text(t, field, 1),
        .room = value_text(t, field, 2),
        .bed = value_text(t, field, 3),
        .facility = value_text(t, field, 4),
    };
}

/* XCN as "Family, Given (id)". */
static void read_attending(struct translation *t) {
    struct bytes id = value_raw(t, 7, 1), family = value_raw(t, 7, 2), given = value_raw(t, 7, 3);
    struct text text;
    size_t bound = (id.size + family.size + given.size) * 3 + 16;
    if (bytes_is_empty(family)) {
        add_cell(t, FACT_VISIT, VISIT_ATTENDING, id);
        return;
    }
    if (text_init_arena(&text, t->arena, bound)) {
        t->is_full = true;
        return;
    }
    hl7_put_text(&text, &t->message, family);
    if (!bytes_is_empty(given)) {
        text_put_string(&text, ", ");
        hl7_put_text(&text, &t->message, given);
    }
    if (!bytes_is_empty(id)) {
        text_put_string(&text, " (");
        hl7_put_text(&text, &t->message, id);
        text_put_char(&text, ')');
    }
    struct fact *fact = translate_add(t, FACT_VISIT);
    if (fact) {
        fact->cell.field = VISIT_ATTENDING;
        fact->cell.value = text_bytes(&text);
    }
}

void translate_pv1(struct translation *t) {
    read_visit_number(t, t->fields[19]);
    t->place = place_of(t, 3);
    t->prior = place_of(t, 6);
    t->has_place = !bytes_is_empty(t->place.unit) || !bytes_is_empty(t->place.room) ||
                   !bytes_is_empty(t->place.bed);
    t->admitted_at = value_time(t, 44);
    t->discharged_at = value_time(t, 45);
    add_cell(t, FACT_VISIT, VISIT_CLASS, value_raw(t, 2, 1));
    read_attending(t);
    add_cell(t, FACT_VISIT, VISIT_SERVICE, value_raw(t, 10, 1));
    if (hl7_is_null(value_raw(t, 44, 1)) || t->admitted_at != INSTANT_NONE)
        add_cell(t, FACT_VISIT, VISIT_ADMITTED_AT,
                 t->admitted_at == INSTANT_NONE ? BYTES("\"\"") : instant_text(t, t->admitted_at));
    if (hl7_is_null(value_raw(t, 45, 1)) || t->discharged_at != INSTANT_NONE)
        add_cell(t, FACT_VISIT, VISIT_DISCHARGED_AT,
                 t->discharged_at == INSTANT_NONE ? BYTES("\"\"")
                                                  : instant_text(t, t->discharged_at));
}

/* ---- MRG ---- */

static bool is_merge(struct bytes trigger) {
    static const char *const triggers[] = {"A18", "A34", "A36", "A40", NULL};
    return type_is_one_of(trigger, triggers);
}

void translate_mrg(struct translation *t) {
    struct bytes repetition = BYTES_NONE;
    struct fact_identifier loser;
    if (!is_merge(t->facts->trigger))
        return;
    if (!repetition_of(t, t->fields[1], 1, &repetition) || !identifier_of(t, repetition, &loser)) {
        if (!repetition_of(t, t->fields[4], 1, &repetition) || !identifier_of(t, repetition, &loser)) {
            translate_aside(t, "the MRG segment names no patient number", t->segment.at);
            return;
        }
    }
    /* A number sent bare is of the survivor's authority and type: they come from one numbering. */
    const struct fact_identifier *survivor = &t->survivor;
    if (bytes_is_empty(loser.authority))
        loser.authority = survivor->authority;
    if (bytes_is_empty(loser.type))
        loser.type = survivor->type;
    if (!t->facts->has_subject || identifier_equal(&loser, survivor)) {
        translate_aside(t, "a patient cannot be merged into itself", t->segment.at);
        return;
    }
    struct fact *fact = translate_add(t, FACT_MERGE);
    if (fact)
        fact->merge = (struct fact_merge){.loser = loser, .survivor = *survivor};
}

/* ---- the event ---- */

struct event {
    const char *trigger;
    enum movement_class class;
    bool is_cancel;
};
static const struct event events[] = {
    {"A01", MOVEMENT_ADMIT, false},        {"A02", MOVEMENT_TRANSFER, false},
    {"A03", MOVEMENT_DISCHARGE, false},    {"A04", MOVEMENT_REGISTER, false},
    {"A05", MOVEMENT_PREADMIT, false},     {"A06", MOVEMENT_TO_INPATIENT, false},
    {"A07", MOVEMENT_TO_OUTPATIENT, false}, {"A11", MOVEMENT_ADMIT, true},
    {"A12", MOVEMENT_TRANSFER, true},      {"A13", MOVEMENT_DISCHARGE, true},
};

static const struct event *event_named(struct bytes trigger) {
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (bytes_is(trigger, events[i].trigger))
            return &events[i];
    return NULL;
}

/* When it took place: the movement's own time, the event's, the stay's where it begins or ends with it, else when it was said. */
static int64_t event_time(const struct translation *t, const struct event *event) {
    if (t->movement_at != INSTANT_NONE)
        return t->movement_at;
    if (t->event_at != INSTANT_NONE)
        return t->event_at;
    bool begins = event->class == MOVEMENT_ADMIT || event->class == MOVEMENT_REGISTER ||
                  event->class == MOVEMENT_PREADMIT;
    if (begins && !event->is_cancel && t->admitted_at != INSTANT_NONE)
        return t->admitted_at;
    if (event->class == MOVEMENT_DISCHARGE && t->discharged_at != INSTANT_NONE)
        return t->discharged_at;
    return t->facts->said;
}

static void state_place(struct translation *t) {
    struct text text;
    const struct fact_place *place = &t->place;
    size_t bound = place->unit.size + place->room.size + place->bed.size + place->facility.size + 8;
    if (!t->has_place)
        return;
    if (text_init_arena(&text, t->arena, bound)) {
        t->is_full = true;
        return;
    }
    text_put(&text, place->unit);
    text_put_char(&text, 0x1F);
    text_put(&text, place->room);
    text_put_char(&text, 0x1F);
    text_put(&text, place->bed);
    text_put_char(&text, 0x1F);
    text_put(&text, place->facility);
    struct fact *fact = translate_add(t, FACT_VISIT);
    if (fact) {
        fact->cell.field = VISIT_STATED_PLACE;
        fact->cell.value = text_bytes(&text);
    }
}

static void add_movement(struct translation *t, const struct event *event) {
    struct fact *fact = translate_add(t, event->is_cancel ? FACT_CANCEL : FACT_MOVEMENT);
    if (!fact)
        return;
    int64_t holds = event_time(t, event);
    if (event->is_cancel)
        fact->cancel = (struct fact_cancel){event->class, t->movement_id, holds};
    else
        fact->movement =
            (struct fact_movement){event->class, t->movement_id, holds, t->place, t->prior};
}

void translate_movement(struct translation *t) {
    if (!t->facts->has_subject)
        return;
    const struct event *event =
        bytes_is(t->facts->type, "ADT") ? event_named(t->facts->trigger) : NULL;
    if (event && !event->is_cancel && bytes_is(t->movement_action, "CANCEL")) {
        struct event cancel = {event->trigger, event->class, true};
        add_movement(t, &cancel);
        return;
    }
    if (event)
        add_movement(t, event);
    else
        state_place(t);
}

const char *facts_movement_class_name(enum movement_class class) {
    static const char *const names[] = {"unknown",  "admit",     "register",     "preadmit",
                                        "transfer", "discharge", "to_inpatient", "to_outpatient"};
    return (unsigned)class < sizeof names / sizeof names[0] ? names[class] : names[0];
}
