/* visit.c - which stay, where the patient is, and what moved them: EVN, PV1, PV2, ZBE and the event itself. */
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

void translate_evn(struct translation *t) {
    struct facts *facts = t->facts;
    struct time_read recorded;
    if (time_stated(t, value_raw(t, 2, 1), &recorded) && !is_worse(t, &recorded)) {
        facts->said = recorded.at;
        facts->is_ambiguous = recorded.is_ambiguous;
    }
    t->times.has_event = time_stated(t, value_raw(t, 6, 1), &t->times.event);
    struct bytes event = value_upper(t, 1, 1);
    if (bytes_is_empty(facts->trigger)) /* before v2.3 the event may stand only here */
        facts->trigger = event;
    else if (!bytes_is_empty(event) && !bytes_equal(event, facts->trigger))
        translate_warn(t, "EVN-1 names another event than MSH-9");
}

static struct fact_place place_of(struct translation *t, unsigned field) {
    struct bytes parts[4];
    split_field(t, field, parts, 4);
    for (size_t i = 0; i < 4; i++)
        parts[i] = text_of(t, subcomponent(t, parts[i], 1));
    return (struct fact_place){parts[0], parts[1], parts[2], parts[3]};
}

static bool is_bound_to_person(struct bytes trigger) {
    return event_is_merge(trigger) || event_is_link(trigger) || bytes_is(trigger, "A28") ||
           bytes_is(trigger, "A31") || bytes_is(trigger, "A60");
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
    if (hl7_is_null(value_raw(t, 3, 1)))
        add_cell(t, FACT_VISIT, VISIT_REASON, value_raw(t, 3, 1));
    else
        add_text_cell(t, FACT_VISIT, VISIT_REASON, coded_field(t, 3).text);
}

void translate_zbe(struct translation *t) {
    t->movement_id = value_text(t, 1, 1);
    t->times.has_movement = time_stated(t, value_raw(t, 2, 1), &t->times.movement);
    t->movement_action = value_upper(t, 4, 1);
    t->original_event = value_upper(t, 6, 1);
}

/* ---- the event ---- */

enum time_source { TIME_SAID, TIME_ADMITTED, TIME_DISCHARGED };

struct event {
    const char *trigger;
    enum movement_class class;
    enum time_source source;
    bool is_cancel;
};
/* PV1-44 of a transfer or of a change of class is the admission and not when that took place. */
static const struct event events[] = {
    {"A01", MOVEMENT_ADMIT, TIME_ADMITTED, false},
    {"A02", MOVEMENT_TRANSFER, TIME_SAID, false},
    {"A03", MOVEMENT_DISCHARGE, TIME_DISCHARGED, false},
    {"A04", MOVEMENT_REGISTER, TIME_ADMITTED, false},
    {"A05", MOVEMENT_PREADMIT, TIME_ADMITTED, false},
    {"A06", MOVEMENT_TO_INPATIENT, TIME_SAID, false},
    {"A07", MOVEMENT_TO_OUTPATIENT, TIME_SAID, false},
    {"A11", MOVEMENT_ADMIT, TIME_ADMITTED, true},
    {"A12", MOVEMENT_TRANSFER, TIME_SAID, true},
    {"A13", MOVEMENT_DISCHARGE, TIME_DISCHARGED, true},
};

static const struct event *event_named(struct bytes trigger) {
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (bytes_is(trigger, events[i].trigger))
            return &events[i];
    return NULL;
}

bool event_is_read(struct bytes trigger) {
    return event_named(trigger) || event_is_merge(trigger) || event_is_link(trigger) ||
           bytes_is(trigger, "A08") || bytes_is(trigger, "A28") || bytes_is(trigger, "A31") ||
           bytes_is(trigger, "A60") || bytes_is(trigger, "Z99");
}

/* What the message moves; false when it moves nothing. IHE PAM.fr: Z99 corrects the movement that ZBE-1 names, whose event
 * ZBE-6 repeats; ZBE-4 CANCEL of any event takes the movement away. */
static bool event_of(const struct translation *t, struct event *out) {
    bool is_correction = bytes_is(t->facts->trigger, "Z99");
    const struct event *event = event_named(is_correction ? t->original_event : t->facts->trigger);
    if (t->kind != KIND_EVENT || !event || (is_correction && bytes_is_empty(t->movement_id)))
        return false;
    *out = *event;
    if (bytes_is(t->movement_action, "CANCEL"))
        out->is_cancel = true;
    return true;
}

/* The movement's own time, the event's, the stay's where the event begins or ends it, else when it was said. */
static int64_t holds_of(const struct translation *t, const struct event *event, bool *is_ambiguous) {
    const struct movement_times *times = &t->times;
    const struct time_read *found = times->has_movement ? &times->movement
                                    : times->has_event  ? &times->event
                                    : event->source == TIME_ADMITTED && times->has_admitted
                                        ? &times->admitted
                                    : event->source == TIME_DISCHARGED && times->has_discharged
                                        ? &times->discharged
                                        : NULL;
    *is_ambiguous |= found && found->is_ambiguous;
    return found ? found->at : t->facts->said;
}

static void add_movement(struct translation *t, const struct event *event) {
    struct fact *fact = translate_add(t, event->is_cancel ? FACT_CANCEL : FACT_MOVEMENT);
    int64_t holds = holds_of(t, event, &t->facts->is_ambiguous);
    if (!fact)
        return;
    if (event->is_cancel) {
        fact->cancel = (struct fact_cancel){event->class, t->movement_id, holds};
        return;
    }
    bool is_update = bytes_is(t->movement_action, "UPDATE") || bytes_is(t->facts->trigger, "Z99");
    fact->movement = (struct fact_movement){
        .class = event->class,
        .movement_id = t->movement_id,
        .holds = holds,
        .place = t->place,
        .prior = t->prior,
        .is_update = is_update,
    };
    if (!t->has_pv1)
        translate_warn(t, "a movement without PV1 says no place");
    else if (!t->has_place && event->class == MOVEMENT_TRANSFER)
        translate_warn(t, "a transfer says no place (PV1-3)");
}

/* A cancelled admission or discharge leaves no time of it. */
static void add_stay_times(struct translation *t, const struct event *event) {
    bool is_cancel = event && event->is_cancel;
    static const struct bytes null = {(const uint8_t *)"\"\"", 2};
    if (is_cancel && event->class == MOVEMENT_ADMIT)
        add_cell(t, FACT_VISIT, VISIT_ADMITTED_AT, null);
    else if (t->times.has_admitted)
        add_text_cell(t, FACT_VISIT, VISIT_ADMITTED_AT, instant_text(t, t->times.admitted.at));
    if (is_cancel && event->class == MOVEMENT_DISCHARGE)
        add_cell(t, FACT_VISIT, VISIT_DISCHARGED_AT, null);
    else if (t->times.has_discharged)
        add_text_cell(t, FACT_VISIT, VISIT_DISCHARGED_AT, instant_text(t, t->times.discharged.at));
}

/* Where the patient is by a message that moves nobody. After the cancel of a transfer or a discharge PV1-3 is where the
 * patient is again (chapter 3, A12 and A13); in a pending event or an appointment it is a place to come. */
static bool states_place(const struct translation *t, const struct event *event) {
    if (!t->has_place || !t->states_place)
        return false;
    if (t->kind != KIND_EVENT)
        return true;
    return event ? event->is_cancel && event->class != MOVEMENT_ADMIT
                 : bytes_is(t->facts->trigger, "A08");
}

static void add_stated_place(struct translation *t) {
    const struct bytes parts[] = {t->place.unit, t->place.room, t->place.bed, t->place.facility};
    struct text text;
    size_t room = sizeof parts / sizeof parts[0];
    for (size_t i = 0; i < 4; i++)
        room += parts[i].size;
    if (text_init_arena(&text, t->arena, room)) {
        t->is_full = true;
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            text_put_char(&text, 0x1F);
        text_put(&text, parts[i]);
    }
    add_text_cell(t, FACT_VISIT, VISIT_STATED_PLACE, text_bytes(&text));
}

void finish_visit(struct translation *t) {
    struct event event;
    bool is_movement = event_of(t, &event);
    if (bytes_is_empty(t->facts->visit.number))
        t->facts->visit = t->account;
    add_stay_times(t, is_movement ? &event : NULL);
    if (is_movement)
        add_movement(t, &event);
    if (states_place(t, is_movement ? &event : NULL))
        add_stated_place(t);
}
