/* request.c - ServiceRequest, Specimen and Appointment: what else is asked for, of what, and when somebody comes. */
#include "fhir/put.h"

/* ---- ServiceRequest ---- */

static size_t order_count(const struct record *record) {
    return record->order_count;
}

static bool is_service(const struct record *record, size_t at) {
    return record->orders[at].fact.kind != ORDER_MEDICATION;
}

static void service_id(const struct record *record, size_t at, struct id *id) {
    request_id(record, at, "ServiceRequest", id);
}

static void specimen_id(const struct record *record, size_t at, struct id *id) {
    request_id(record, at, "Specimen", id);
}

static const char *service_status(const struct fact_order *order) {
    switch (order->state) {
    case ORDER_ACTIVE:
        return "active";
    case ORDER_HELD:
        return "on-hold";
    case ORDER_STOPPED:
    case ORDER_CANCELLED:
    case ORDER_REPLACED:
        return "revoked";
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

/* The standard's own examples of categories: SNOMED CT's procedures. */
static const char *category_of(enum order_kind kind, const char **display) {
    *display = kind == ORDER_LABORATORY ? "Laboratory procedure" : "Imaging";
    return kind == ORDER_LABORATORY ? "108252007" : kind == ORDER_IMAGING ? "363679005" : NULL;
}

static void service_facets(const struct record *record, size_t at, struct facets *out) {
    const char *display;
    request_facets(record, at, out);
    out->status = service_status(&record->orders[at].fact);
    facets_add_category(out, "http://snomed.info/sct",
                        category_of(record->orders[at].fact.kind, &display));
}

static void put_category(struct json *json, const struct fact_order *f) {
    const char *display, *code = category_of(f->kind, &display);
    if (!code && f->kind != ORDER_DIET)
        return;
    json_name(json, "category");
    json_array_begin(json);
    json_object_begin(json);
    if (code) {
        json_name(json, "coding");
        json_array_begin(json);
        put_coding(json, "http://snomed.info/sct", code, display);
        json_array_end(json);
    } else {
        json_member_string(json, "text", "diet");
    }
    json_object_end(json);
    json_array_end(json);
}

static void put_occurrence(struct json *json, const struct fact_order *f) {
    if (f->starts_at == INSTANT_NONE && f->ends_at == INSTANT_NONE)
        return;
    json_name(json, "occurrencePeriod");
    json_object_begin(json);
    put_instant(json, "start", f->starts_at);
    if (f->ends_at >= f->starts_at)
        put_instant(json, "end", f->ends_at);
    json_object_end(json);
}

static bool has_specimen(const struct fact_order *f) {
    return f->kind != ORDER_MEDICATION && !bytes_is_empty(bytes_trim(f->specimen));
}

static void put_service(struct json *json, const struct record *record, size_t at) {
    const struct chart_order *order = &record->orders[at];
    const struct fact_order *f = &order->fact;
    const char *priority = request_priority(f->priority);
    struct id id;
    service_id(record, at, &id);
    put_begin(json, "ServiceRequest", &id, &order->source);
    put_request_numbers(json, f->placer, f->filler);
    put_request_group(json, "requisition", f->group);
    json_member_string(json, "status", service_status(f));
    json_member_string(json, "intent", "order");
    put_category(json, f);
    if (priority)
        json_member_string(json, "priority", priority);
    put_concept(json, "code", f->code, f->system, f->text, true);
    put_subject(json, "subject", record);
    put_occurrence(json, f);
    if (f->is_as_needed)
        json_member_bool(json, "asNeededBoolean", true);
    put_instant(json, "authoredOn", f->asked_at);
    put_display(json, "requester", f->requester);
    put_reason(json, "reasonCode", f->indication);
    if (has_specimen(f)) {
        specimen_id(record, at, &id);
        json_name(json, "specimen");
        json_array_begin(json);
        put_reference(json, NULL, "Specimen", &id, f->specimen);
        json_array_end(json);
    }
    put_note(json, f->notes);
    put_text(json, "patientInstruction", f->instructions);
    json_object_end(json);
}

static const struct search_name service_names[] = {
    {"status", FACET_STATUS},         {"code", FACET_CODE},
    {"category", FACET_CATEGORY},     {"authored", FACET_DATE},
    {"identifier", FACET_IDENTIFIER}, {NULL, FACET_NONE}};

const struct kind kind_service_request = {"ServiceRequest", GATHER_ORDERS, order_count,
                                          is_service,       service_id,    service_facets,
                                          put_service,      service_names};

/* ---- Specimen: known from the order that asks about it ---- */

static bool is_specimen(const struct record *record, size_t at) {
    return has_specimen(&record->orders[at].fact);
}

static void specimen_facets(const struct record *record, size_t at, struct facets *out) {
    out->said = record->orders[at].source.said;
}

static void put_specimen(struct json *json, const struct record *record, size_t at) {
    const struct chart_order *order = &record->orders[at];
    struct id id;
    specimen_id(record, at, &id);
    put_begin(json, "Specimen", &id, &order->source);
    put_words(json, "type", order->fact.specimen);
    put_subject(json, "subject", record);
    service_id(record, at, &id);
    json_name(json, "request");
    json_array_begin(json);
    put_reference(json, NULL, "ServiceRequest", &id, BYTES_NONE);
    json_array_end(json);
    json_object_end(json);
}

static const struct search_name specimen_names[] = {{NULL, FACET_NONE}};

const struct kind kind_specimen = {"Specimen",  GATHER_ORDERS,   order_count,  is_specimen,
                                   specimen_id, specimen_facets, put_specimen, specimen_names};

/* ---- Appointment ---- */

static size_t appointment_count(const struct record *record) {
    return record->appointment_count;
}

static void appointment_id(const struct record *record, size_t at, struct id *id) {
    const struct chart_appointment *a = &record->appointments[at];
    const struct bytes part = bytes_is_empty(a->fact.placer) ? a->fact.filler : a->fact.placer;
    id_make(id, record, a->member, "Appointment", &part, 1);
}

/* Nobody has said: the standard has no word for that, and pending claims the least. */
static const char *appointment_status(const struct fact_appointment *f) {
    switch (f->state) {
    case APPOINTMENT_BOOKED:
        return "booked";
    case APPOINTMENT_PENDING:
        return "pending";
    case APPOINTMENT_ARRIVED:
        return "arrived";
    case APPOINTMENT_FULFILLED:
        return "fulfilled";
    case APPOINTMENT_CANCELLED:
        return "cancelled";
    case APPOINTMENT_NO_SHOW:
        return "noshow";
    case APPOINTMENT_DELETED:
        return "entered-in-error";
    case APPOINTMENT_NOT_SAID:
        break;
    }
    return "pending";
}

static void appointment_facets(const struct record *record, size_t at, struct facets *out) {
    const struct chart_appointment *a = &record->appointments[at];
    out->status = appointment_status(&a->fact);
    out->said = a->source.said;
    out->entry = a->source.entry;
    out->came_as = a->fact.filler;
    facets_date(out, a->fact.starts_at, a->fact.starts_at);
    out->identifiers[out->identifier_count++] = (struct fact_identifier){.number = a->fact.placer};
    out->identifiers[out->identifier_count++] = (struct fact_identifier){.number = a->fact.filler};
}

/* Booked means that everybody has agreed. The standard has no word for an answer that is not known: needs-action claims the
 * least. */
static void put_answer(struct json *json, const struct fact_appointment *f) {
    bool is_agreed = f->state == APPOINTMENT_BOOKED || f->state == APPOINTMENT_ARRIVED ||
                     f->state == APPOINTMENT_FULFILLED;
    json_member_string(json, "status", is_agreed ? "accepted" : "needs-action");
}

static void put_participants(struct json *json, const struct record *record,
                             const struct fact_appointment *f) {
    const struct bytes lists[] = {f->people, f->place, f->resources};
    json_name(json, "participant");
    json_array_begin(json);
    json_object_begin(json);
    put_subject(json, "actor", record);
    put_answer(json, f);
    json_object_end(json);
    for (size_t i = 0; i < 3; i++) {
        struct bytes rest = lists[i], line;
        while (bytes_next_part(&rest, '\n', &line)) {
            if (bytes_is_empty(bytes_trim(line)))
                continue;
            json_object_begin(json);
            put_display(json, "actor", line);
            put_answer(json, f);
            json_object_end(json);
        }
    }
    json_array_end(json);
}

/* Both ends or neither (app-2): an end that nobody said is said to be unknown. */
static void put_times(struct json *json, const struct fact_appointment *f) {
    bool may_lack_both = f->state == APPOINTMENT_CANCELLED;
    bool has_any = f->starts_at != INSTANT_NONE || f->ends_at != INSTANT_NONE;
    put_instant(json, "start", f->starts_at);
    if (f->starts_at == INSTANT_NONE && (has_any || !may_lack_both))
        put_absent(json, "start");
    put_instant(json, "end", f->ends_at);
    if (f->ends_at == INSTANT_NONE && (has_any || !may_lack_both))
        put_absent(json, "end");
}

static void put_appointment(struct json *json, const struct record *record, size_t at) {
    const struct chart_appointment *a = &record->appointments[at];
    const struct fact_appointment *f = &a->fact;
    struct id id;
    appointment_id(record, at, &id);
    put_begin(json, "Appointment", &id, &a->source);
    put_request_numbers(json, f->placer, f->filler);
    json_member_string(json, "status", appointment_status(f));
    if (!bytes_is_empty(bytes_trim(f->code)) || !bytes_is_empty(bytes_trim(f->text))) {
        json_name(json, "serviceType");
        json_array_begin(json);
        put_concept(json, NULL, f->code, f->system, f->text, true);
        json_array_end(json);
    }
    put_words(json, "appointmentType", f->kind);
    put_reason(json, "reasonCode", f->reason);
    put_times(json, f);
    put_text(json, "comment", f->notes);
    put_participants(json, record, f);
    json_object_end(json);
}

static const struct search_name appointment_names[] = {{"status", FACET_STATUS},
                                                       {"date", FACET_DATE},
                                                       {"identifier", FACET_IDENTIFIER},
                                                       {NULL, FACET_NONE}};

const struct kind kind_appointment = {
    "Appointment",  GATHER_APPOINTMENTS, appointment_count, NULL,
    appointment_id, appointment_facets,  put_appointment,   appointment_names};
