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
    static const char *const visit[VISIT_FIELD_COUNT] = {
        "?", "class", "attending", "service", "admitted_at", "discharged_at", "reason", "stated_place"};
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
}

#endif
