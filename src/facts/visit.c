/* visit.c - which stay, and where the patient is: EVN, PV1, PV2, ZBE. What the event makes of it is event.c. */
#include "facts/translate.h"

/* ---- segments ---- */

static bool same_day(const struct translation *t, int64_t a, int64_t b) {
    struct civil_time x = time_civil(a, zone_offset_at(t->context->zone, a));
    struct civil_time y = time_civil(b, zone_offset_at(t->context->zone, b));
    return x.year == y.year && x.month == y.month && x.day == y.day;
}

/* A date alone says less about the order of statements than MSH-7 of the same day does. */
static bool is_worse(const struct translation *t, const struct time_read *recorded) {
    return recorded->precision <= TIME_DAY && t->facts->own_time != INSTANT_NONE &&
           same_day(t, recorded->at, t->facts->own_time);
}

/* HD: 2 is a FINESS where it has nine digits, in a message of the French profile. */
void check_establishment(struct translation *t, unsigned field) {
    struct bytes number = value_raw(t, field, 2);
    if (t->is_french && number.size == 9 && bytes_is_digits(number) &&
        !check_digit_is_right(number))
        translate_warn(t,
                       "an establishment's number (FINESS) is not one: its check digit is wrong");
}

void translate_evn(struct translation *t) {
    struct facts *facts = t->facts;
    struct time_read recorded;
    if (time_stated(t, value_raw(t, 2, 1), &recorded) && !is_worse(t, &recorded)) {
        facts->said = recorded.at;
        facts->is_ambiguous = recorded.is_ambiguous;
    }
    t->is_said_ambiguous = facts->is_ambiguous;
    t->times.has_planned = time_stated(t, value_raw(t, 3, 1), &t->times.planned);
    t->times.has_event = time_stated(t, value_raw(t, 6, 1), &t->times.event);
    check_establishment(t, 7);
    struct bytes event = value_upper(t, 1, 1);
    if (bytes_is_empty(facts->trigger)) /* before v2.3 the event may stand only here */
        facts->trigger = event;
    else if (!bytes_is_empty(event) && !bytes_equal(event, facts->trigger))
        translate_warn(t, "EVN-1 names another event than MSH-9");
}

static bool is_bound_to_person(struct bytes trigger) {
    return event_is_merge(trigger) || event_is_link(trigger) || bytes_is(trigger, "A28") ||
           bytes_is(trigger, "A29") || bytes_is(trigger, "A31") || bytes_is(trigger, "A60");
}

/* PV1-2 N: the segment is there because the structure wants one. */
static bool pv1_says_nothing(const struct translation *t) {
    bool names_visit = !bytes_is_empty(value_raw(t, 19, 1));
    return bytes_is(value_raw(t, 2, 1), "N") ||
           (t->kind == KIND_EVENT && is_bound_to_person(t->facts->trigger) && !names_visit);
}

static void read_visit_number(struct translation *t) {
    struct identifier_read read;
    if (read_identifier(t, first_repetition(t, 19), &read))
        t->facts->visit = read.identifier;
}

void translate_pv1(struct translation *t) {
    if (t->has_pv1) {
        translate_warn(t, "a second PV1 was not read");
        return;
    }
    t->has_pv1 = true;
    if (pv1_says_nothing(t))
        return;
    read_visit_number(t);
    t->place = place_of(t, 3);
    t->prior = place_of(t, 6);
    t->pending = place_of(t, 42);
    t->has_place = t->place.unit.size || t->place.room.size || t->place.bed.size;
    t->times.has_admitted = time_stated(t, value_raw(t, 44, 1), &t->times.admitted);
    t->times.has_discharged = time_stated(t, value_raw(t, 45, 1), &t->times.discharged);
    add_cell(t, FACT_VISIT, VISIT_CLASS, value_raw(t, 2, 1));
    if (hl7_is_null(value_raw(t, 7, 1)))
        add_cell(t, FACT_VISIT, VISIT_ATTENDING, value_raw(t, 7, 1));
    else
        add_text_cell(t, FACT_VISIT, VISIT_ATTENDING, person_text(t, 7, true));
    add_cell(t, FACT_VISIT, VISIT_SERVICE, value_raw(t, 10, 1));
    /* The times become cells when the event is known to be no cancel of them. */
    if (hl7_is_null(value_raw(t, 44, 1)))
        add_cell(t, FACT_VISIT, VISIT_ADMITTED_AT, value_raw(t, 44, 1));
    if (hl7_is_null(value_raw(t, 45, 1)))
        add_cell(t, FACT_VISIT, VISIT_DISCHARGED_AT, value_raw(t, 45, 1));
}

void translate_pv2(struct translation *t) {
    t->times.has_expected_in = time_stated(t, value_raw(t, 8, 1), &t->times.expected_in);
    t->times.has_expected_out = time_stated(t, value_raw(t, 9, 1), &t->times.expected_out);
    if (hl7_is_null(value_raw(t, 3, 1)))
        add_cell(t, FACT_VISIT, VISIT_REASON, value_raw(t, 3, 1));
    else
        add_text_cell(t, FACT_VISIT, VISIT_REASON, coded_field(t, 3).text);
}

/* XON: 10 the unit's number, in older forms 3; else 1, its name. */
static struct bytes unit_of(struct translation *t, unsigned field) {
    static const unsigned components[] = {10, 3, 1};
    struct bytes unit = BYTES_NONE;
    for (size_t i = 0; i < 3 && bytes_is_empty(unit); i++)
        unit = value_text(t, field, components[i]);
    return unit;
}

void translate_zbe(struct translation *t) {
    t->movement_id = value_text(t, 1, 1);
    t->times.has_movement = time_stated(t, value_raw(t, 2, 1), &t->times.movement);
    t->movement_action = value_upper(t, 4, 1);
    t->original_event = value_upper(t, 6, 1);
    t->medical_unit = unit_of(t, 7);
    t->care_unit = unit_of(t, 8);
    t->nature = value_upper(t, 9, 1);
    if (!bytes_is_empty(value_raw(t, 3, 1)))
        translate_warn(t, "a movement's end (ZBE-3) is not read: the next movement ends it");
    if (!bytes_is_empty(t->movement_action) && !bytes_is(t->movement_action, "INSERT") &&
        !bytes_is(t->movement_action, "UPDATE") && !bytes_is(t->movement_action, "CANCEL"))
        translate_warn(t, "ZBE-4 is none of INSERT, UPDATE, CANCEL: taken as INSERT");
    if (bytes_is_empty(t->movement_id))
        translate_warn(t, "ZBE names no movement (ZBE-1)");
}
