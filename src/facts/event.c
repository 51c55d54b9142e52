/* event.c - what the event of a message does: movements, announcements and their cancels (MSH-9, EVN-1, ZBE-6). */
#include "facts/translate.h"

/* ---- the events ---- */

enum time_source { TIME_SAID, TIME_ADMITTED, TIME_DISCHARGED, TIME_EXPECTED_IN, TIME_EXPECTED_OUT };

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
    {"A14", MOVEMENT_PENDING_ADMIT, TIME_EXPECTED_IN, false},
    {"A15", MOVEMENT_PENDING_TRANSFER, TIME_SAID, false},
    {"A16", MOVEMENT_PENDING_DISCHARGE, TIME_EXPECTED_OUT, false},
    {"A17", MOVEMENT_TRANSFER, TIME_SAID, false},
    {"A21", MOVEMENT_LEAVE, TIME_SAID, false},
    {"A22", MOVEMENT_RETURN, TIME_SAID, false},
    {"A25", MOVEMENT_PENDING_DISCHARGE, TIME_EXPECTED_OUT, true},
    {"A26", MOVEMENT_PENDING_TRANSFER, TIME_SAID, true},
    {"A27", MOVEMENT_PENDING_ADMIT, TIME_EXPECTED_IN, true},
    {"A38", MOVEMENT_PREADMIT, TIME_ADMITTED, true},
    {"A52", MOVEMENT_LEAVE, TIME_SAID, true},
    {"A53", MOVEMENT_RETURN, TIME_SAID, true},
};

static const struct event *event_named(struct bytes trigger) {
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (bytes_is(trigger, events[i].trigger))
            return &events[i];
    return NULL;
}

/* Events that move nobody and join nothing: what their segments say is all they say. */
struct plain_event {
    char trigger[4];
    bool states_place; /* PV1-3 is where the patient is */
};
/* Tracking (A09, A10, A32, A33): the one who departs (A09) is still said to be where they leave from; who arrives, or
 * after a cancel, is at PV1-3. Bed and ward of an inpatient are changed by A02 alone. */
static const struct plain_event plain_events[] = {
    {"A08", true}, {"A09", false}, {"A10", true},  {"A28", false}, {"A31", false},
    {"A32", true}, {"A33", true},  {"A54", true},  {"A55", true},  {"A60", false},
    {"A61", true}, {"A62", true},  {"Z99", false},
};

static const struct plain_event *plain_event_named(struct bytes trigger) {
    for (size_t i = 0; i < sizeof plain_events / sizeof plain_events[0]; i++)
        if (bytes_is(trigger, plain_events[i].trigger))
            return &plain_events[i];
    return NULL;
}

bool event_is_deletion(struct bytes trigger) {
    return bytes_is(trigger, "A23") || bytes_is(trigger, "A29");
}

bool event_is_read(struct bytes trigger) {
    return event_named(trigger) || plain_event_named(trigger) || event_is_merge(trigger) ||
           event_is_link(trigger) || event_is_of_visits(trigger);
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

static bool is_pending(enum movement_class class) {
    return class == MOVEMENT_PENDING_ADMIT || class == MOVEMENT_PENDING_TRANSFER ||
           class == MOVEMENT_PENDING_DISCHARGE;
}

/* ---- when ---- */

/* Of what is announced: the planned time of the event (EVN-3), else the expected one of the stay (PV2-8, PV2-9). */
static const struct time_read *planned_time(const struct movement_times *times,
                                            const struct event *event) {
    if (!is_pending(event->class))
        return NULL;
    return times->has_planned                                              ? &times->planned
           : event->source == TIME_EXPECTED_IN && times->has_expected_in   ? &times->expected_in
           : event->source == TIME_EXPECTED_OUT && times->has_expected_out ? &times->expected_out
                                                                           : NULL;
}

/* The movement's own time, the event's, the stay's where the event begins or ends it, else when it was said. */
static int64_t holds_of(const struct translation *t, const struct event *event,
                        bool *is_ambiguous) {
    const struct movement_times *times = &t->times;
    const struct time_read *planned = planned_time(times, event);
    const struct time_read *found =
        times->has_movement                                         ? &times->movement
        : planned                                                   ? planned
        : times->has_event                                          ? &times->event
        : event->source == TIME_ADMITTED && times->has_admitted     ? &times->admitted
        : event->source == TIME_DISCHARGED && times->has_discharged ? &times->discharged
                                                                    : NULL;
    *is_ambiguous |= found && found->is_ambiguous;
    return found ? found->at : t->facts->said;
}

/* ---- where ---- */

static bool says_place(const struct fact_place *place) {
    return place->unit.size || place->room.size || place->bed.size;
}

/* Where an announced movement goes is PV1-42, and PV1-3 where the patient still is; senders that leave PV1-42 out write in
 * PV1-3 where it goes. A discharge goes nowhere. */
static void put_places(const struct translation *t, struct fact_movement *movement) {
    bool has_pending = says_place(&t->pending);
    movement->place = t->place;
    movement->prior = t->prior;
    if (movement->class == MOVEMENT_PENDING_DISCHARGE) {
        movement->prior = t->place;
        movement->place = (struct fact_place){0};
    } else if (is_pending(movement->class) && has_pending) {
        movement->prior = t->place;
        movement->place = t->pending;
    }
}

static void warn_of_place(struct translation *t, const struct event *event) {
    if (!t->has_pv1)
        translate_warn(t, "a movement without PV1 says no place");
    else if (!t->has_place && event->class == MOVEMENT_TRANSFER)
        translate_warn(t, "a transfer says no place (PV1-3)");
    else if (event->class == MOVEMENT_PENDING_TRANSFER && !says_place(&t->pending))
        translate_warn(t,
                       "a pending transfer says no pending place (PV1-42): PV1-3 is taken for it");
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
    fact->movement = (struct fact_movement){
        .class = event->class,
        .movement_id = t->movement_id,
        .holds = holds,
        .medical_unit = t->medical_unit,
        .care_unit = t->care_unit,
        .nature = t->nature,
        .is_update = bytes_is(t->movement_action, "UPDATE") || bytes_is(t->facts->trigger, "Z99"),
    };
    put_places(t, &fact->movement);
    warn_of_place(t, event);
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

/* After the cancel of a movement PV1-3 is where the patient is again (chapter 3, A12 and A13); after that of an admission
 * the patient is nowhere. An announcement leaves the patient where PV1-3 says, if it says elsewhere where it goes. */
static bool event_states_place(const struct translation *t, const struct event *event) {
    if (event->is_cancel)
        return event->class != MOVEMENT_ADMIT && event->class != MOVEMENT_PREADMIT &&
               event->class != MOVEMENT_PENDING_ADMIT;
    return event->class == MOVEMENT_PENDING_DISCHARGE ||
           (event->class == MOVEMENT_PENDING_TRANSFER && says_place(&t->pending));
}

/* Where the patient is by a message that moves nobody; an appointment's place is one to come. */
static bool states_place(const struct translation *t, const struct event *event) {
    if (!t->has_place || !t->states_place)
        return false;
    if (t->kind != KIND_EVENT)
        return true;
    const struct plain_event *plain = plain_event_named(t->facts->trigger);
    return event ? event_states_place(t, event) : plain && plain->states_place;
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
    finish_visit_merges(t);
    if (bytes_is_empty(t->facts->visit.number))
        t->facts->visit = t->account;
    add_stay_times(t, is_movement ? &event : NULL);
    if (is_movement)
        add_movement(t, &event);
    if (states_place(t, is_movement ? &event : NULL))
        add_stated_place(t);
}
