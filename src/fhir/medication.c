/* medication.c - what is to be given, what was given and handed out: MedicationRequest, MedicationAdministration,
 * MedicationDispense, Immunization. */
#include "fhir/put.h"

/* ---- shared with other requests ---- */

void request_id(const struct record *record, size_t at, const char *kind, struct id *id) {
    const struct chart_order *order = &record->orders[at];
    const struct fact_order *f = &order->fact;
    bool is_drug = f->kind == ORDER_MEDICATION;
    const char number[] = {(char)('0' + (int)f->kind), 0};
    const struct bytes parts[] = {bytes_from_string(number),
                                  bytes_is_empty(f->placer) ? f->filler : f->placer,
                                  is_drug ? BYTES_NONE : f->code};
    id_make(id, record, order->member, kind, parts, 3);
}

const char *request_priority(struct bytes priority) {
    return bytes_is(priority, "S")   ? "stat"
           : bytes_is(priority, "A") ? "asap"
           : bytes_is(priority, "R") ? "routine"
                                     : NULL;
}

void put_request_numbers(struct json *json, struct bytes placer, struct bytes filler) {
    if (bytes_is_empty(bytes_trim(placer)) && bytes_is_empty(bytes_trim(filler)))
        return;
    json_name(json, "identifier");
    json_array_begin(json);
    put_order_number(json, placer, "PLAC");
    put_order_number(json, filler, "FILL");
    json_array_end(json);
}

void put_reason(struct json *json, const char *name, struct bytes reason) {
    if (bytes_is_empty(bytes_trim(reason)))
        return;
    json_name(json, name);
    json_array_begin(json);
    put_concept(json, NULL, BYTES_NONE, BYTES_NONE, reason, false);
    json_array_end(json);
}

void put_request_group(struct json *json, const char *name, struct bytes group) {
    if (bytes_is_empty(bytes_trim(group)))
        return;
    json_name(json, name);
    put_order_number(json, group, NULL);
}

void request_facets(const struct record *record, size_t at, struct facets *out) {
    const struct chart_order *order = &record->orders[at];
    out->said = order->source.said;
    out->entry = order->source.entry;
    out->came_as = order->fact.filler;
    facets_add_code(out, order->fact.code, order->fact.system, record->view->arena);
    facets_date(out, order->fact.asked_at, order->fact.asked_at);
    out->identifiers[out->identifier_count++] =
        (struct fact_identifier){.number = order->fact.placer};
    out->identifiers[out->identifier_count++] =
        (struct fact_identifier){.number = order->fact.filler};
}

/* ---- MedicationRequest ---- */

static size_t order_count(const struct record *record) {
    return record->order_count;
}

static bool is_drug(const struct record *record, size_t at) {
    return record->orders[at].fact.kind == ORDER_MEDICATION;
}

static void drug_id(const struct record *record, size_t at, struct id *id) {
    request_id(record, at, "MedicationRequest", id);
}

static const char *drug_status(const struct fact_order *order) {
    switch (order->state) {
    case ORDER_ACTIVE:
        return "active";
    case ORDER_HELD:
        return "on-hold";
    case ORDER_STOPPED:
    case ORDER_REPLACED:
        return "stopped";
    case ORDER_CANCELLED:
        return "cancelled";
    case ORDER_COMPLETED:
        return "completed";
    case ORDER_WRONG:
        return "entered-in-error";
    case ORDER_NOT_SAID:
    case ORDER_REFUSED:
        break;
    }
    return "unknown";
}

static void drug_facets(const struct record *record, size_t at, struct facets *out) {
    request_facets(record, at, out);
    out->status = drug_status(&record->orders[at].fact);
}

static struct bytes dosage_words(struct arena *arena, const struct fact_order *f) {
    const struct bytes parts[] = {f->dose,     f->dose_max,    f->dose_unit, f->strength,
                                  f->form,     f->route,       f->rate,      f->timing,
                                  f->duration, f->instructions};
    struct text text;
    size_t size = 32;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        size += parts[i].size + 3;
    if (text_init_arena(&text, arena, size))
        return BYTES_NONE;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (bytes_is_empty(parts[i]))
            continue;
        text_put_string(&text, text.size ? (i == 1 ? " - " : " ") : "");
        text_put(&text, parts[i]);
    }
    return text_bytes(&text);
}

static void put_dose(struct json *json, const struct fact_order *f) {
    struct decimal low, high;
    bool has_low = decimal_read(bytes_trim(f->dose), &low),
         has_high = decimal_read(bytes_trim(f->dose_max), &high);
    if (!has_low)
        return;
    json_name(json, "doseAndRate");
    json_array_begin(json);
    json_object_begin(json);
    if (has_high && decimal_compare(low, high) < 0) {
        json_name(json, "doseRange");
        json_object_begin(json);
        put_quantity(json, "low", f->dose, f->dose_unit);
        put_quantity(json, "high", f->dose_max, f->dose_unit);
        json_object_end(json);
    } else {
        put_quantity(json, "doseQuantity", f->dose, f->dose_unit);
    }
    json_object_end(json);
    json_array_end(json);
}

static void put_timing(struct json *json, const struct fact_order *f) {
    bool has_bounds = f->starts_at != INSTANT_NONE || f->ends_at != INSTANT_NONE;
    if (!has_bounds && bytes_is_empty(bytes_trim(f->timing)))
        return;
    json_name(json, "timing");
    json_object_begin(json);
    if (has_bounds) {
        json_name(json, "repeat");
        json_object_begin(json);
        json_name(json, "boundsPeriod");
        json_object_begin(json);
        put_instant(json, "start", f->starts_at);
        if (f->ends_at >= f->starts_at)
            put_instant(json, "end", f->ends_at);
        json_object_end(json);
        json_object_end(json);
    }
    put_words(json, "code", f->timing);
    json_object_end(json);
}

static void put_dosage(struct json *json, const struct record *record, const struct fact_order *f) {
    struct bytes words = bytes_trim(dosage_words(record->view->arena, f));
    bool has_timing = f->starts_at != INSTANT_NONE || f->ends_at != INSTANT_NONE;
    if (bytes_is_empty(words) && !has_timing && !f->is_as_needed)
        return;
    json_name(json, "dosageInstruction");
    json_array_begin(json);
    json_object_begin(json);
    put_text(json, "text", words);
    put_text(json, "patientInstruction", f->instructions);
    put_timing(json, f);
    if (f->is_as_needed)
        json_member_bool(json, "asNeededBoolean", true);
    put_words(json, "route", f->route);
    put_dose(json, f);
    json_object_end(json);
    json_array_end(json);
}

static void put_drug_notes(struct json *json, const struct record *record,
                           const struct fact_order *f) {
    struct text text;
    if (text_init_arena(&text, record->view->arena, f->components.size + f->notes.size + 2))
        return;
    text_put(&text, f->components);
    text_put_string(&text, f->components.size && f->notes.size ? "\n" : "");
    text_put(&text, f->notes);
    put_note(json, text_bytes(&text));
}

static void put_drug(struct json *json, const struct record *record, size_t at) {
    const struct chart_order *order = &record->orders[at];
    const struct fact_order *f = &order->fact;
    const char *priority = request_priority(f->priority);
    struct id id;
    drug_id(record, at, &id);
    put_begin(json, "MedicationRequest", &id, &order->source);
    put_request_numbers(json, f->placer, f->filler);
    json_member_string(json, "status", drug_status(f));
    json_member_string(json, "intent", "order");
    if (priority)
        json_member_string(json, "priority", priority);
    put_concept(json, "medicationCodeableConcept", f->code, f->system, f->text, true);
    put_subject(json, "subject", record);
    put_instant(json, "authoredOn", f->asked_at);
    put_display(json, "requester", f->requester);
    put_reason(json, "reasonCode", f->indication);
    put_request_group(json, "groupIdentifier", f->group);
    put_drug_notes(json, record, f);
    put_dosage(json, record, f);
    json_object_end(json);
}

static const struct search_name drug_names[] = {{"status", FACET_STATUS},
                                                {"code", FACET_CODE},
                                                {"authoredon", FACET_DATE},
                                                {"identifier", FACET_IDENTIFIER},
                                                {NULL, FACET_NONE}};

const struct kind kind_medication_request = {
    "MedicationRequest", GATHER_ORDERS, order_count, is_drug, drug_id,
    drug_facets,         put_drug,      drug_names};

/* ---- events ---- */

static size_t event_count(const struct record *record) {
    return record->event_count;
}

static bool is_administration(const struct record *record, size_t at) {
    return record->events[at].fact.kind == MEDICATION_ADMINISTRATION;
}

static bool is_dispense(const struct record *record, size_t at) {
    return record->events[at].fact.kind == MEDICATION_DISPENSE;
}

static bool is_immunization(const struct record *record, size_t at) {
    return record->events[at].fact.kind == MEDICATION_IMMUNIZATION;
}

static void event_id(const struct record *record, size_t at, struct id *id) {
    const struct chart_medication_event *event = &record->events[at];
    const struct fact_medication_event *f = &event->fact;
    const struct bytes parts[] = {f->placer, f->filler,
                                  f->id,     instant_bytes(&f->at),
                                  f->code,   bytes_is_empty(f->code) ? f->text : BYTES_NONE};
    const char *kind = is_administration(record, at) ? "MedicationAdministration"
                       : is_dispense(record, at)     ? "MedicationDispense"
                                                     : "Immunization";
    id_make(id, record, event->member, kind, parts, 6);
}

static bool is_not_done(const struct fact_medication_event *f) {
    return f->state == MEDICATION_EVENT_REFUSED || f->state == MEDICATION_EVENT_NOT_DONE;
}

static const char *event_status(const struct fact_medication_event *f) {
    if (f->state == MEDICATION_EVENT_DELETED)
        return "entered-in-error";
    if (f->kind == MEDICATION_DISPENSE && is_not_done(f))
        return f->state == MEDICATION_EVENT_REFUSED ? "declined" : "cancelled";
    return is_not_done(f) ? "not-done" : "completed";
}

static void event_facets(const struct record *record, size_t at, struct facets *out) {
    const struct chart_medication_event *event = &record->events[at];
    out->status = event_status(&event->fact);
    out->said = event->source.said;
    out->entry = event->source.entry;
    out->came_as = event->fact.id;
    facets_add_code(out, event->fact.code, event->fact.system, record->view->arena);
    facets_date(out, event->fact.at,
                event->fact.ended_at == INSTANT_NONE ? event->fact.at : event->fact.ended_at);
}

static struct bytes event_notes(const struct record *record, const struct fact_medication_event *f,
                                bool with_amount) {
    struct text text;
    if (text_init_arena(&text, record->view->arena,
                        f->notes.size + f->amount.size + f->unit.size + f->rate.size + 64))
        return BYTES_NONE;
    if (f->state == MEDICATION_EVENT_PARTIAL)
        text_put_string(&text, "Partially administered.");
    if (with_amount && !bytes_is_empty(f->amount)) {
        text_put_string(&text, text.size ? " " : "");
        text_put(&text, f->amount);
        text_put_string(&text, f->unit.size ? " " : "");
        text_put(&text, f->unit);
    }
    if (!bytes_is_empty(f->rate)) {
        text_put_string(&text, text.size ? " " : "");
        text_put(&text, f->rate);
    }
    text_put_string(&text, text.size && f->notes.size ? "\n" : "");
    text_put(&text, f->notes);
    return text_bytes(&text);
}

static void put_performer(struct json *json, struct bytes performer) {
    if (bytes_is_empty(bytes_trim(performer)))
        return;
    json_name(json, "performer");
    json_array_begin(json);
    json_object_begin(json);
    put_display(json, "actor", performer);
    json_object_end(json);
    json_array_end(json);
}

static void put_event_time(struct json *json, const struct fact_medication_event *f) {
    if (f->at != INSTANT_NONE && f->ended_at != INSTANT_NONE && f->ended_at > f->at) {
        json_name(json, "effectivePeriod");
        json_object_begin(json);
        put_instant(json, "start", f->at);
        put_instant(json, "end", f->ended_at);
        json_object_end(json);
    } else if (f->at != INSTANT_NONE) {
        put_instant(json, "effectiveDateTime", f->at);
    } else {
        put_absent(json, "effectiveDateTime");
    }
}

/* A dosage must have a dose (mad-1): without one, what is known of it goes into the note. */
static bool put_given_dose(struct json *json, const struct fact_medication_event *f) {
    struct decimal dose;
    if (!decimal_read(bytes_trim(f->amount), &dose))
        return false;
    json_name(json, "dosage");
    json_object_begin(json);
    put_words(json, "site", f->site);
    put_words(json, "route", f->route);
    put_quantity(json, "dose", f->amount, f->unit);
    json_object_end(json);
    return true;
}

static void put_administration(struct json *json, const struct record *record, size_t at) {
    const struct chart_medication_event *event = &record->events[at];
    const struct fact_medication_event *f = &event->fact;
    struct id id;
    event_id(record, at, &id);
    put_begin(json, "MedicationAdministration", &id, &event->source);
    json_member_string(json, "status", event_status(f));
    put_reason(json, "statusReason", is_not_done(f) ? f->reason : BYTES_NONE);
    put_concept(json, "medicationCodeableConcept", f->code, f->system, f->text, true);
    put_subject(json, "subject", record);
    put_event_time(json, f);
    put_performer(json, f->performer);
    put_reason(json, "reasonCode", is_not_done(f) ? BYTES_NONE : f->reason);
    put_based_on(json, "request", f->placer, "MedicationRequest", false);
    bool has_dose = put_given_dose(json, f);
    put_note(json, event_notes(record, f, !has_dose));
    json_object_end(json);
}

static void put_dispense(struct json *json, const struct record *record, size_t at) {
    const struct chart_medication_event *event = &record->events[at];
    const struct fact_medication_event *f = &event->fact;
    struct id id;
    event_id(record, at, &id);
    put_begin(json, "MedicationDispense", &id, &event->source);
    json_member_string(json, "status", event_status(f));
    put_concept(json, "medicationCodeableConcept", f->code, f->system, f->text, true);
    put_subject(json, "subject", record);
    put_performer(json, f->performer);
    put_based_on(json, "authorizingPrescription", f->placer, "MedicationRequest", true);
    bool has_amount = put_quantity(json, "quantity", f->amount, f->unit);
    put_instant(json, "whenHandedOver", f->at);
    put_note(json, event_notes(record, f, !has_amount));
    json_object_end(json);
}

static void put_immunization(struct json *json, const struct record *record, size_t at) {
    const struct chart_medication_event *event = &record->events[at];
    const struct fact_medication_event *f = &event->fact;
    struct id id;
    event_id(record, at, &id);
    put_begin(json, "Immunization", &id, &event->source);
    json_member_string(json, "status", event_status(f));
    if (is_not_done(f))
        put_words(json, "statusReason", f->reason);
    put_concept(json, "vaccineCode", f->code, f->system, f->text, true);
    put_subject(json, "patient", record);
    if (f->at == INSTANT_NONE)
        put_absent(json, "occurrenceDateTime");
    put_instant(json, "occurrenceDateTime", f->at);
    put_text(json, "lotNumber", f->lot);
    put_words(json, "site", f->site);
    put_words(json, "route", f->route);
    bool has_dose = put_quantity(json, "doseQuantity", f->amount, f->unit);
    put_performer(json, f->performer);
    put_note(json, event_notes(record, f, !has_dose));
    json_object_end(json);
}

static const struct search_name administration_names[] = {{"status", FACET_STATUS},
                                                          {"code", FACET_CODE},
                                                          {"effective-time", FACET_DATE},
                                                          {NULL, FACET_NONE}};
static const struct search_name dispense_names[] = {{"status", FACET_STATUS},
                                                    {"code", FACET_CODE},
                                                    {"whenhandedover", FACET_DATE},
                                                    {NULL, FACET_NONE}};
static const struct search_name immunization_names[] = {{"status", FACET_STATUS},
                                                        {"vaccine-code", FACET_CODE},
                                                        {"date", FACET_DATE},
                                                        {NULL, FACET_NONE}};

const struct kind kind_administration = {"MedicationAdministration",
                                         GATHER_EVENTS,
                                         event_count,
                                         is_administration,
                                         event_id,
                                         event_facets,
                                         put_administration,
                                         administration_names};
const struct kind kind_dispense = {"MedicationDispense", GATHER_EVENTS, event_count,
                                   is_dispense,          event_id,      event_facets,
                                   put_dispense,         dispense_names};
const struct kind kind_immunization = {"Immunization",   GATHER_EVENTS,     event_count,
                                       is_immunization,  event_id,          event_facets,
                                       put_immunization, immunization_names};
