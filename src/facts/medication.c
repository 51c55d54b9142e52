/* medication.c - what was given, dispensed, injected as a vaccine: RXA, RXD and RXG under the order they are of. */
#include "facts/translate.h"

/* ---- an event ---- */

static struct fact_medication_event *add_event(struct translation *t,
                                               enum medication_event_kind kind) {
    struct order_group *g = &t->order;
    if (t->kind == KIND_ORDER_ANSWER || !is_of_orders(t))
        return NULL; /* an answer repeats what the message it answers has said */
    if (!g->is_open)
        order_open_bare(t);
    struct fact *fact = translate_add(t, FACT_MEDICATION_EVENT);
    if (!fact)
        return NULL;
    g->event = fact->medication_event;
    g->event_notes = (struct lines){0};
    if (g->has_route || g->event_count == 0)
        g->first_event = t->facts->count - 1;
    g->has_route = false;
    g->event_count++;
    *g->event = (struct fact_medication_event){
        .kind = kind,
        .state = MEDICATION_EVENT_COMPLETE,
        .placer = g->fact.placer,
        .filler = g->fact.filler,
        .at = INSTANT_NONE,
        .ended_at = INSTANT_NONE,
    };
    return g->event;
}

/* What the event does not name is what was ordered. */
static void put_drug(struct translation *t, struct fact_medication_event *event, unsigned field) {
    struct coded drug = coded_field(t, field);
    const struct fact_order *order = &t->order.fact;
    if (bytes_is_empty(drug.text))
        drug = (struct coded){order->code, order->text, order->system};
    event->code = drug.code;
    event->system = drug.system;
    event->text = drug.text;
    if (bytes_is_empty(drug.text))
        translate_warn(t, "what was given or dispensed is not named");
}

static void add_words(struct translation *t, struct bytes words) {
    if (bytes_is_empty(words))
        return;
    add_line(t, &t->order.event_notes, words);
    t->order.event->notes = t->order.event_notes.text;
}

/* RXR stands behind the events it is of: all since the last RXR. */
void medication_route(struct translation *t, struct bytes route, struct bytes site) {
    if (t->order.has_route)
        return;
    for (size_t i = t->order.first_event; i < t->facts->count; i++) {
        if (t->facts->list[i].kind != FACT_MEDICATION_EVENT)
            continue;
        struct fact_medication_event *event = t->facts->list[i].medication_event;
        if (bytes_is_empty(event->route))
            event->route = route;
        if (bytes_is_empty(event->site))
            event->site = site;
    }
    t->order.has_route = true;
}

/* ---- administrations ---- */

/* Table 0322; RXA-21 D takes it back. CVX 998 says that no vaccine was given. */
static enum medication_event_state state_of(struct translation *t,
                                            const struct fact_medication_event *event) {
    static const struct {
        char code[3];
        enum medication_event_state state;
    } states[] = {
        {"CP", MEDICATION_EVENT_COMPLETE},
        {"PA", MEDICATION_EVENT_PARTIAL},
        {"RE", MEDICATION_EVENT_REFUSED},
        {"NA", MEDICATION_EVENT_NOT_DONE},
    };
    struct bytes code = value_upper(t, 20, 1);
    if (bytes_is(value_upper(t, 21, 1), "D"))
        return MEDICATION_EVENT_DELETED;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (bytes_is(code, states[i].code))
            return states[i].state;
    if (!bytes_is_empty(code)) {
        /* Never "given" on a word that is not understood. */
        translate_warn(t,
                       "a completion status (RXA-20) is none of table 0322: taken as partly given");
        return MEDICATION_EVENT_PARTIAL;
    }
    if (event->kind == MEDICATION_IMMUNIZATION && bytes_is(event->code, "998"))
        return MEDICATION_EVENT_NOT_DONE;
    return bytes_is_empty(coded_field(t, 18).text) ? MEDICATION_EVENT_COMPLETE
                                                   : MEDICATION_EVENT_REFUSED;
}

void translate_rxa(struct translation *t) {
    bool is_vaccine = t->kind == KIND_VACCINATION;
    struct fact_medication_event *event =
        add_event(t, is_vaccine ? MEDICATION_IMMUNIZATION : MEDICATION_ADMINISTRATION);
    if (!event)
        return;
    struct bytes amount = value_text(t, 6, 1), refusal = coded_field(t, 18).text;
    put_drug(t, event, 5);
    event->id = value_text(t, 2, 1);
    event->at = value_time(t, 3);
    event->ended_at = value_time(t, 4);
    event->state = state_of(t, event);
    if (!bytes_is(amount, "999")) { /* the standard's way to say that it is not known */
        event->amount = amount;
        event->unit = unit_text(t, 7);
    }
    event->form = coded_field(t, 8).text;
    add_words(t, coded_texts(t, 9, ", "));
    event->performer = person_text(t, 10, false);
    event->rate = value_text(t, 12, 1);
    event->lot = value_text(t, 15, 1);
    event->reason = bytes_is_empty(refusal) ? coded_texts(t, 19, ", ") : refusal;
    if (event->at == INSTANT_NONE)
        translate_warn(t, "an administration says no time (RXA-3)");
}

/* ---- dispenses ---- */

void translate_rxd(struct translation *t) {
    struct fact_medication_event *event = add_event(t, MEDICATION_DISPENSE);
    if (!event)
        return;
    struct bytes prescription = value_text(t, 7, 1), number = value_text(t, 1, 1);
    put_drug(t, event, 2);
    event->id = bytes_is_empty(number) ? prescription : number;
    if (bytes_is_empty(event->placer) && bytes_is_empty(event->filler))
        event->filler = prescription;
    event->at = value_time(t, 3);
    event->amount = value_text(t, 4, 1);
    event->unit = unit_text(t, 5);
    event->form = coded_field(t, 6).text;
    add_words(t, coded_texts(t, 9, ", "));
    event->performer = person_text(t, 10, false);
    add_words(t, coded_texts(t, 15, ", "));
    event->lot = value_text(t, 18, 1);
}

/* RXG: what the pharmacy hands over to be given; its time is the fourth component of RXG-3, or that of the TQ1 that follows. */
void translate_rxg(struct translation *t) {
    struct fact_medication_event *event = add_event(t, MEDICATION_DISPENSE);
    struct time_read time;
    if (!event)
        return;
    put_drug(t, event, 4);
    event->id = value_text(t, 1, 1);
    if (time_stated(t, value_raw(t, 3, 4), &time))
        event->at = time.at;
    event->amount = value_text(t, 5, 1);
    event->unit = unit_text(t, 7);
    event->form = coded_field(t, 8).text;
    add_words(t, coded_texts(t, 9, ", "));
    add_words(t, coded_texts(t, 13, ", "));
    const struct bytes rate[] = {value_text(t, 15, 1), unit_text(t, 16)};
    event->rate = join_texts(t, rate, 2, " ");
    event->lot = value_text(t, 19, 1);
}
