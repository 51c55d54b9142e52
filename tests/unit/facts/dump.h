/* dump.h - facts as plain text, one statement a line, for tests to compare and people to read. Empty members are left
 * out; values stand between quotes, with \n for a line break and \x1F for the separator of a stated place. */
#ifndef TESTS_FACTS_DUMP_H
#define TESTS_FACTS_DUMP_H

#include "facts/facts.h"

static inline void dump_quoted(struct text *out, struct bytes value) {
    text_put_char(out, '"');
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '\n')
            text_put_string(out, "\\n");
        else if (value.data[i] < ' ')
            text_put_format(out, "\\x%02X", (unsigned)value.data[i]);
        else
            text_put_char(out, (char)value.data[i]);
    }
    text_put_char(out, '"');
}

static inline void dump_part(struct text *out, const char *name, struct bytes value) {
    if (bytes_is_empty(value))
        return;
    text_put_format(out, " %s=", name);
    dump_quoted(out, value);
}

static inline void dump_instant(struct text *out, const char *name, int64_t at) {
    if (at == INSTANT_NONE)
        return;
    text_put_format(out, " %s=", name);
    time_put_iso_utc(out, at);
}

static inline void dump_identifier(struct text *out, const struct fact_identifier *identifier) {
    const struct bytes parts[] = {identifier->authority, identifier->type, identifier->number};
    for (size_t i = 0; i < 3; i++) {
        text_put_char(out, ' ');
        dump_quoted(out, parts[i]);
    }
}

static inline void dump_place(struct text *out, const char *name, const struct fact_place *place) {
    const struct bytes parts[] = {place->unit, place->room, place->bed, place->facility};
    size_t count = 4;
    while (count && bytes_is_empty(parts[count - 1]))
        count--;
    if (count == 0)
        return;
    text_put_format(out, " %s=", name);
    for (size_t i = 0; i < count; i++) {
        text_put_string(out, i ? "/" : "");
        text_put(out, parts[i]);
    }
}

static inline void dump_cell(struct text *out, const struct fact *fact) {
    static const char *const patient[PATIENT_FIELD_COUNT] = {
        "?",          "family_name", "given_name", "birth_name", "used_name", "prefix",
        "birth_date", "sex",         "address",    "phone",      "death",     "identity_status"};
    static const char *const visit[VISIT_FIELD_COUNT] = {"?",       "class",        "attending",
                                                         "service", "admitted_at",  "discharged_at",
                                                         "reason",  "stated_place", "census"};
    bool is_patient = fact->kind == FACT_PATIENT;
    text_put_format(out, "%s %s ", is_patient ? "patient" : "stay",
                    is_patient ? patient[fact->cell.field] : visit[fact->cell.field]);
    if (fact->cell.is_deleted)
        text_put_string(out, "deleted");
    else
        dump_quoted(out, fact->cell.value);
}

static inline void dump_movement(struct text *out, const struct fact_movement *movement) {
    text_put_format(out, "movement %s", facts_movement_class_name(movement->class));
    dump_instant(out, "holds", movement->holds);
    dump_part(out, "id", movement->movement_id);
    dump_place(out, "place", &movement->place);
    dump_place(out, "prior", &movement->prior);
    dump_part(out, "medical_unit", movement->medical_unit);
    dump_part(out, "care_unit", movement->care_unit);
    dump_part(out, "nature", movement->nature);
    text_put_string(out, movement->is_update ? " update" : "");
}

static inline void dump_allergy(struct text *out, const struct fact_allergy *allergy) {
    static const char *const actions[] = {"?", "add", "update", "delete", "none_known"};
    text_put_format(out, "allergy %s", actions[allergy->action]);
    dump_part(out, "code", allergy->code);
    dump_part(out, "system", allergy->system);
    dump_part(out, "text", allergy->text);
    dump_part(out, "kind", allergy->kind);
    dump_part(out, "severity", allergy->severity);
    dump_part(out, "reaction", allergy->reaction);
    dump_part(out, "identified", allergy->identified_at);
    dump_part(out, "id", allergy->id);
}

static inline void dump_diagnosis(struct text *out, const struct fact_diagnosis *diagnosis) {
    text_put_string(out, "diagnosis");
    dump_part(out, "code", diagnosis->code);
    dump_part(out, "system", diagnosis->system);
    dump_part(out, "text", diagnosis->text);
    dump_part(out, "type", diagnosis->type);
    dump_instant(out, "at", diagnosis->at);
    dump_part(out, "id", diagnosis->id);
    dump_part(out, "onset", diagnosis->onset_at);
    dump_part(out, "ended", diagnosis->ended_at);
    dump_part(out, "state", diagnosis->state);
    text_put_string(out, diagnosis->is_problem ? " problem" : "");
    text_put_string(out, diagnosis->is_deleted ? " deleted" : "");
}

static inline void dump_observation(struct text *out, const struct fact_observation *o) {
    text_put_format(out, "\n  %s", facts_result_status_name(o->status));
    dump_part(out, "code", o->code);
    dump_part(out, "system", o->system);
    dump_part(out, "text", o->text);
    dump_part(out, "sub", o->sub_id);
    dump_part(out, "type", o->type);
    dump_part(out, "value", o->value);
    dump_part(out, "unit", o->unit);
    dump_part(out, "range", o->range);
    dump_part(out, "flags", o->flags);
    dump_instant(out, "observed", o->observed_at);
    dump_part(out, "notes", o->notes);
}

static inline void dump_report(struct text *out, const struct fact_report *report) {
    text_put_format(out, "report %s", facts_result_status_name(report->status));
    dump_part(out, "placer", report->placer);
    dump_part(out, "filler", report->filler);
    dump_part(out, "code", report->code);
    dump_part(out, "system", report->system);
    dump_part(out, "text", report->text);
    dump_instant(out, "collected", report->collected_at);
    dump_instant(out, "reported", report->reported_at);
    dump_part(out, "requester", report->requester);
    dump_part(out, "notes", report->notes);
    for (size_t i = 0; i < report->observation_count; i++)
        dump_observation(out, &report->observations[i]);
}

static inline void dump_document(struct text *out, const struct fact_document *document) {
    text_put_string(out, "document");
    dump_part(out, "id", document->id);
    dump_part(out, "parent", document->parent_id);
    dump_part(out, "kind", document->kind);
    dump_part(out, "title", document->title);
    dump_part(out, "completion", document->completion);
    dump_part(out, "availability", document->availability);
    dump_part(out, "author", document->author);
    dump_instant(out, "at", document->at);
    dump_part(out, "media", document->media_type);
    dump_part(out, "text", document->text);
    if (document->encapsulated_bytes)
        text_put_format(out, " bytes=%llu", (unsigned long long)document->encapsulated_bytes);
    text_put_string(out, document->is_cancelled ? " cancelled" : "");
    text_put_string(out, document->is_replacement ? " replacement" : "");
    text_put_string(out, document->is_addendum ? " addendum" : "");
}

static inline void dump_merge(struct text *out, const struct fact_merge *merge) {
    text_put_string(out, merge->is_unlink ? "unlink" : "merge");
    dump_identifier(out, &merge->loser);
    text_put_string(out, " into");
    dump_identifier(out, &merge->survivor);
}

static inline void dump_order(struct text *out, const struct fact_order *order) {
    text_put_format(out, "order %s %s", facts_order_kind_name(order->kind),
                    order->state ? facts_order_state_name(order->state) : "not_said");
    dump_part(out, "control", order->control);
    dump_part(out, "placer", order->placer);
    dump_part(out, "filler", order->filler);
    dump_part(out, "group", order->group);
    dump_part(out, "parent", order->parent);
    dump_part(out, "code", order->code);
    dump_part(out, "system", order->system);
    dump_part(out, "text", order->text);
    dump_part(out, "dose", order->dose);
    dump_part(out, "dose_max", order->dose_max);
    dump_part(out, "dose_unit", order->dose_unit);
    dump_part(out, "strength", order->strength);
    dump_part(out, "form", order->form);
    dump_part(out, "route", order->route);
    dump_part(out, "rate", order->rate);
    dump_part(out, "timing", order->timing);
    dump_part(out, "duration", order->duration);
    text_put_string(out, order->is_as_needed ? " as_needed" : "");
    dump_instant(out, "starts", order->starts_at);
    dump_instant(out, "ends", order->ends_at);
    dump_part(out, "instructions", order->instructions);
    dump_part(out, "indication", order->indication);
    dump_part(out, "components", order->components);
    dump_part(out, "priority", order->priority);
    dump_part(out, "requester", order->requester);
    dump_instant(out, "asked", order->asked_at);
    dump_instant(out, "effective", order->effective_at);
    dump_part(out, "specimen", order->specimen);
    dump_part(out, "notes", order->notes);
}

static inline void dump_medication_event(struct text *out, const struct fact_medication_event *e) {
    text_put_format(out, "%s %s", facts_medication_event_kind_name(e->kind),
                    facts_medication_event_state_name(e->state));
    dump_part(out, "placer", e->placer);
    dump_part(out, "filler", e->filler);
    dump_part(out, "id", e->id);
    dump_instant(out, "at", e->at);
    dump_instant(out, "ended", e->ended_at);
    dump_part(out, "code", e->code);
    dump_part(out, "system", e->system);
    dump_part(out, "text", e->text);
    dump_part(out, "amount", e->amount);
    dump_part(out, "unit", e->unit);
    dump_part(out, "form", e->form);
    dump_part(out, "route", e->route);
    dump_part(out, "site", e->site);
    dump_part(out, "rate", e->rate);
    dump_part(out, "performer", e->performer);
    dump_part(out, "reason", e->reason);
    dump_part(out, "lot", e->lot);
    dump_part(out, "notes", e->notes);
}

static inline void dump_appointment(struct text *out, const struct fact_appointment *a) {
    text_put_format(out, "appointment %s",
                    a->state ? facts_appointment_state_name(a->state) : "not_said");
    dump_part(out, "placer", a->placer);
    dump_part(out, "filler", a->filler);
    dump_instant(out, "starts", a->starts_at);
    dump_instant(out, "ends", a->ends_at);
    dump_part(out, "code", a->code);
    dump_part(out, "system", a->system);
    dump_part(out, "text", a->text);
    dump_part(out, "kind", a->kind);
    dump_part(out, "reason", a->reason);
    dump_part(out, "place", a->place);
    dump_part(out, "people", a->people);
    dump_part(out, "resources", a->resources);
    dump_part(out, "notes", a->notes);
}

static inline void dump_fact(struct text *out, const struct fact *fact) {
    switch (fact->kind) {
    case FACT_PATIENT:
    case FACT_VISIT:
        dump_cell(out, fact);
        break;
    case FACT_IDENTIFIER:
        text_put_string(out, "identifier");
        dump_identifier(out, &fact->identifier);
        break;
    case FACT_MOVEMENT:
        dump_movement(out, &fact->movement);
        break;
    case FACT_CANCEL:
        text_put_format(out, "cancel %s", facts_movement_class_name(fact->cancel.class));
        dump_instant(out, "holds", fact->cancel.holds);
        dump_part(out, "id", fact->cancel.movement_id);
        break;
    case FACT_MERGE:
        dump_merge(out, &fact->merge);
        break;
    case FACT_ALLERGY:
        dump_allergy(out, &fact->allergy);
        break;
    case FACT_DIAGNOSIS:
        dump_diagnosis(out, &fact->diagnosis);
        break;
    case FACT_REPORT:
        dump_report(out, &fact->report);
        break;
    case FACT_DOCUMENT:
        dump_document(out, &fact->document);
        break;
    case FACT_ORDER:
        dump_order(out, fact->order);
        break;
    case FACT_MEDICATION_EVENT:
        dump_medication_event(out, fact->medication_event);
        break;
    case FACT_APPOINTMENT:
        dump_appointment(out, fact->appointment);
        break;
    case FACT_RESOURCE:
        text_put_format(out, "resource%s", fact->resource.is_deleted ? " deleted" : "");
        dump_part(out, "type", fact->resource.type);
        dump_part(out, "id", fact->resource.id);
        text_put_format(out, " at=%llu bytes=%zu", (unsigned long long)fact->resource.at,
                        fact->resource.json.size);
        break;
    case FACT_VISIT_MERGE:
        text_put_string(out, "stay_merge");
        dump_identifier(out, &fact->visit_merge.loser);
        text_put_string(out, " into");
        dump_identifier(out, &fact->visit_merge.survivor);
        break;
    }
    text_put_char(out, '\n');
}

/* Eight bytes of the message show where a reason points. */
static inline void dump_oddities(struct text *out, const struct facts *facts, struct bytes body) {
    if (facts->aside) {
        text_put_format(out, "aside \"%s\" at ", facts->aside);
        dump_quoted(out, bytes_first(bytes_skip(body, facts->aside_at), 8));
        text_put_char(out, '\n');
    }
    if (facts->warning_count)
        text_put_format(out, "warnings %u \"%s\"\n", facts->warning_count, facts->warning);
}

static inline void dump_facts(struct text *out, const struct facts *facts, struct bytes body) {
    text_put(out, facts->type);
    text_put_char(out, ' ');
    text_put(out, facts->trigger);
    dump_part(out, "control", facts->control_id);
    dump_part(out, "from", facts->application);
    dump_part(out, "at", facts->facility);
    text_put_string(out, facts->is_charset_mismatch ? " charset_mismatch" : "");
    text_put_string(out, "\nsaid ");
    time_put_iso_utc(out, facts->said);
    dump_instant(out, "own", facts->own_time == facts->said ? INSTANT_NONE : facts->own_time);
    text_put_string(out, facts->is_date_doubtful ? " doubtful" : "");
    text_put_string(out, facts->is_ambiguous ? " ambiguous" : "");
    text_put_char(out, '\n');
    if (facts->has_subject) {
        text_put_string(out, "subject");
        dump_identifier(out, &facts->subject);
        text_put_char(out, '\n');
    }
    if (!bytes_is_empty(facts->visit.number)) {
        text_put_string(out, "visit");
        dump_identifier(out, &facts->visit);
        text_put_char(out, '\n');
    }
    for (size_t i = 0; i < facts->count; i++)
        dump_fact(out, &facts->list[i]);
    dump_oddities(out, facts, body);
    if (facts->next) {
        text_put_string(out, "next ");
        dump_facts(out, facts->next, body);
    }
}

#endif
