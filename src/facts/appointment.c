/* appointment.c - an appointment: SCH (or ARQ, which asks for one), its times, services, places, people and equipment. */
#include "facts/translate.h"

/* ---- state ---- */

/* What the event says; of those that only change a service, nothing. */
static enum appointment_state state_of_event(const struct translation *t) {
    static const struct {
        char trigger[4];
        enum appointment_state state;
    } states[] = {
        {"S12", APPOINTMENT_BOOKED},    {"S13", APPOINTMENT_BOOKED},
        {"S14", APPOINTMENT_BOOKED},    {"S15", APPOINTMENT_CANCELLED},
        {"S16", APPOINTMENT_CANCELLED}, {"S17", APPOINTMENT_DELETED},
        {"S26", APPOINTMENT_NO_SHOW},
    };
    bool is_request = bytes_is(t->facts->type, "SRM");
    for (size_t i = 0; !is_request && i < sizeof states / sizeof states[0]; i++)
        if (bytes_is(t->facts->trigger, states[i].trigger))
            return states[i].state;
    bool asks_for_one = bytes_is(t->facts->trigger, "S01") || bytes_is(t->facts->trigger, "S02") ||
                        bytes_is(t->facts->trigger, "S03");
    return is_request && asks_for_one ? APPOINTMENT_PENDING : APPOINTMENT_NOT_SAID;
}

/* SCH-25, table 0278 and what senders write in its place; capitals. */
static enum appointment_state state_of_status(struct bytes status) {
    static const struct {
        const char *code;
        enum appointment_state state;
    } states[] = {
        {"PENDING", APPOINTMENT_PENDING},     {"WAITLIST", APPOINTMENT_PENDING},
        {"BOOKED", APPOINTMENT_BOOKED},       {"OVERBOOK", APPOINTMENT_BOOKED},
        {"SCHEDULED", APPOINTMENT_BOOKED},    {"CONFIRMED", APPOINTMENT_BOOKED},
        {"STARTED", APPOINTMENT_ARRIVED},     {"ARRIVED", APPOINTMENT_ARRIVED},
        {"COMPLETE", APPOINTMENT_FULFILLED},  {"COMPLETED", APPOINTMENT_FULFILLED},
        {"CANCELLED", APPOINTMENT_CANCELLED}, {"CANCELED", APPOINTMENT_CANCELLED},
        {"DC", APPOINTMENT_CANCELLED},        {"DISCONTINUED", APPOINTMENT_CANCELLED},
        {"DELETED", APPOINTMENT_DELETED},     {"NOSHOW", APPOINTMENT_NO_SHOW},
        {"NO-SHOW", APPOINTMENT_NO_SHOW},
    };
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (bytes_is(status, states[i].code))
            return states[i].state;
    return APPOINTMENT_NOT_SAID;
}

/* What an event ends stays ended; else the status is the finer word. */
static enum appointment_state state_said(struct translation *t) {
    enum appointment_state event = state_of_event(t),
                           status = state_of_status(value_upper(t, 25, 1));
    bool is_end = event == APPOINTMENT_CANCELLED || event == APPOINTMENT_DELETED ||
                  event == APPOINTMENT_NO_SHOW;
    return is_end || status == APPOINTMENT_NOT_SAID ? event : status;
}

/* ---- SCH, ARQ ---- */

static struct fact_appointment *open_appointment(struct translation *t) {
    if (t->appointment) {
        translate_warn(t, "a second appointment in one message was not read");
        return NULL;
    }
    struct fact *fact = translate_add(t, FACT_APPOINTMENT);
    if (!fact)
        return NULL;
    t->appointment = fact->appointment;
    t->appointment->starts_at = t->appointment->ends_at = INSTANT_NONE;
    return t->appointment;
}

/* Minutes unless another unit is named. */
static int64_t duration_us(struct translation *t, unsigned field, unsigned unit_field) {
    struct bytes raw = value_raw(t, field, 1), unit = value_upper(t, unit_field, 1);
    uint64_t number;
    if (raw.size > 6 || !bytes_to_u64(raw, &number))
        return 0;
    int64_t seconds = bytes_starts_with(unit, BYTES("S"))   ? 1
                      : bytes_starts_with(unit, BYTES("H")) ? 3600
                      : bytes_starts_with(unit, BYTES("D")) ? 86400
                                                            : 60;
    return (int64_t)number * seconds * US_PER_S;
}

static void put_start(struct translation *t, int64_t at) {
    if (t->appointment->starts_at == INSTANT_NONE)
        t->appointment->starts_at = at;
}

static void put_end(struct translation *t, int64_t at) {
    if (t->appointment->ends_at == INSTANT_NONE)
        t->appointment->ends_at = at;
}

static int64_t component_time(struct translation *t, unsigned field, unsigned component) {
    struct time_read time;
    return time_stated(t, value_raw(t, field, component), &time) ? time.at : INSTANT_NONE;
}

static void put_numbers(struct translation *t, struct fact_appointment *a) {
    a->placer = entity_text(t, 1);
    a->filler = entity_text(t, 2);
    if (!bytes_is_empty(a->placer) || !bytes_is_empty(a->filler))
        return;
    translate_warn(
        t, "an appointment has no number (SCH-1, SCH-2): that of the message stands for it");
    a->placer = t->facts->control_id;
}

static void put_reason(struct translation *t, struct fact_appointment *a) {
    struct coded reason = coded_field(t, 7);
    a->code = reason.code; /* what for, until a service (AIS) says it better */
    a->system = reason.system;
    a->reason = reason.text;
    if (bytes_is_empty(a->reason))
        a->reason = coded_field(t, 6).text;
    a->kind = coded_field(t, 8).text;
}

void translate_sch(struct translation *t) {
    struct fact_appointment *a = t->kind == KIND_APPOINTMENT ? open_appointment(t) : NULL;
    if (!a)
        return;
    put_numbers(t, a);
    a->state = state_said(t);
    put_reason(t, a);
    put_start(t, component_time(t, 11, 4));
    put_end(t, component_time(t, 11, 5));
    t->appointment_duration_us = duration_us(t, 9, 10);
    t->appointment_contact = person_text(t, 16, false);
    if (bytes_is_empty(t->appointment_contact))
        t->appointment_contact = person_text(t, 12, false);
}

/* A request: ARQ-11 is the first range that would do, and no time that was given. */
void translate_arq(struct translation *t) {
    struct fact_appointment *a = t->kind == KIND_APPOINTMENT ? open_appointment(t) : NULL;
    if (!a)
        return;
    put_numbers(t, a);
    a->state = state_of_event(t);
    put_reason(t, a);
    if (a->state != APPOINTMENT_PENDING)
        return;
    put_start(t, component_time(t, 11, 1));
    put_end(t, component_time(t, 11, 2));
}

void appointment_tq1(struct translation *t) {
    if (!t->appointment)
        return;
    put_start(t, value_time(t, 7));
    put_end(t, value_time(t, 8));
}

/* ---- services and resources; the action (table 0206) D takes one out ---- */

static bool is_read(struct translation *t) {
    return t->appointment && !bytes_is(value_upper(t, 2, 1), "D");
}

/* A time of their own: 4 of AIS, 8 of AIG, 6 of AIL and AIP; two fields on its offset, three on its duration. */
static void put_times_of(struct translation *t, unsigned start, unsigned duration) {
    int64_t at = value_time(t, start), lasts = duration_us(t, duration, duration + 1);
    put_start(t, at);
    if (at != INSTANT_NONE && lasts)
        put_end(t, at + lasts);
}

void translate_ais(struct translation *t) {
    if (!is_read(t))
        return;
    struct fact_appointment *a = t->appointment;
    struct coded service = coded_field(t, 3);
    if (bytes_is_empty(a->text)) {
        a->code = service.code;
        a->system = service.system;
    }
    append_text(t, &a->text, service.text, ", ");
    put_times_of(t, 4, 7);
}

/* AIG: 3 what, 4 of which kind. */
void translate_aig(struct translation *t) {
    if (!is_read(t))
        return;
    struct bytes what = coded_field(t, 3).text;
    if (bytes_is_empty(what))
        what = coded_field(t, 4).text;
    append_text(t, &t->appointment->resources, what, "\n");
    put_times_of(t, 8, 11);
}

void translate_ail(struct translation *t) {
    struct bytes parts[4];
    if (!is_read(t))
        return;
    split_field(t, 3, parts, 4);
    for (size_t i = 0; i < 4; i++)
        parts[i] = text_of(t, subcomponent(t, parts[i], 1));
    append_text(t, &t->appointment->place, join_texts(t, parts, 4, " "), ", ");
    put_times_of(t, 6, 9);
}

void translate_aip(struct translation *t) {
    if (!is_read(t))
        return;
    const struct bytes role = coded_field(t, 4).text;
    const struct bytes named[] = {person_text(t, 3, false),
                                  bytes_is_empty(role) ? BYTES_NONE : BYTES("("), role,
                                  bytes_is_empty(role) ? BYTES_NONE : BYTES(")")};
    const struct bytes who[] = {named[0], join_texts(t, named + 1, 3, "")};
    append_text(t, &t->appointment->people,
                bytes_is_empty(named[0]) ? BYTES_NONE : join_texts(t, who, 2, " "), "\n");
    put_times_of(t, 6, 9);
}

void appointment_nte(struct translation *t) {
    struct bytes rest = t->fields[3], repetition;
    while (t->appointment && next_repetition(t, &rest, &repetition)) {
        struct bytes line = layout_of(t, repetition);
        if (!bytes_is_empty(line))
            add_line(t, &t->appointment_notes, line);
    }
}

/* ---- appointments of several patients ---- */

#define COMPANIONS_MAX 64u

bool appointment_companion(struct translation *t, const struct fact_identifier *subject) {
    if (!t->companions)
        t->companions = arena_array(t->arena, COMPANIONS_MAX, sizeof *t->companions);
    if (!t->companions) {
        t->is_full = true;
        return false;
    }
    if (!t->splits || t->companion_count == COMPANIONS_MAX)
        return false;
    t->companions[t->companion_count++] = *subject;
    return true;
}

/* ---- after the last segment ---- */

void finish_appointment(struct translation *t) {
    struct fact_appointment *a = t->appointment;
    if (!a)
        return;
    a->notes = t->appointment_notes.text;
    if (bytes_is_empty(a->people))
        a->people = t->appointment_contact;
    if (bytes_is_empty(a->text))
        a->text = bytes_is_empty(a->reason) ? a->kind : a->reason;
    if (a->ends_at == INSTANT_NONE && a->starts_at != INSTANT_NONE && t->appointment_duration_us)
        a->ends_at = a->starts_at + t->appointment_duration_us;
    if (a->starts_at == INSTANT_NONE && a->state == APPOINTMENT_BOOKED)
        translate_warn(t, "an appointment says no time");
}
