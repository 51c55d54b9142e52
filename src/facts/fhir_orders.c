/* fhir_orders.c - what is ordered, given and planned: requests, administrations, immunizations, appointments.
 *
 * An order is known by its name, "MedicationRequest/id", as its filler's number: what refers to it names no other. */
#include "facts/fhir.h"

#define DOSAGES_MAX 16u
#define TIMES_MAX   16u

/* The arena is full: a fact without its content is none. */
static void drop_last(struct fhir_work *w) {
    w->facts->count--;
    w->is_full = true;
}

/* ---- states ---- */

struct word {
    const char *word;
    int state;
};

static int state_of(const struct fhir_work *w, const struct word *words, size_t count,
                    int otherwise) {
    for (size_t i = 0; i < count; i++)
        if (status_is(w, words[i].word))
            return words[i].state;
    return otherwise;
}

static enum order_state order_state(const struct fhir_work *w) {
    static const struct word words[] = {
        {"active", ORDER_ACTIVE},       {"on-hold", ORDER_HELD},
        {"stopped", ORDER_STOPPED},     {"revoked", ORDER_CANCELLED},
        {"cancelled", ORDER_CANCELLED}, {"not-taken", ORDER_STOPPED},
        {"completed", ORDER_COMPLETED}, {"entered-in-error", ORDER_WRONG},
    };
    return (enum order_state)state_of(w, words, sizeof words / sizeof words[0], ORDER_NOT_SAID);
}

/* Table 0485. */
static struct bytes priority_of(const struct fhir_work *w) {
    const struct fhir_node *priority = own(w, "priority");
    return fhir_is(priority, "routine")                               ? BYTES("R")
           : fhir_is(priority, "urgent") || fhir_is(priority, "asap") ? BYTES("A")
           : fhir_is(priority, "stat")                                ? BYTES("S")
                                                                      : BYTES_NONE;
}

/* ---- dosage ---- */

static struct bytes glue(struct fhir_work *w, struct bytes a, const char *between, struct bytes b) {
    const struct bytes parts[] = {a, b};
    return fhir_join(parts, 2, between, w->arena);
}

static struct bytes amount_text(struct fhir_work *w, const struct fhir_node *quantity) {
    struct fhir_quantity q = fhir_quantity(quantity, w->arena);
    return bytes_is_empty(q.value) ? BYTES_NONE : glue(w, q.value, " ", q.unit);
}

/* "2x/1 d", with the hours and the moments that are named. */
static struct bytes repeat_text(struct fhir_work *w, const struct fhir_node *repeat) {
    struct bytes frequency = fhir_member_text(repeat, "frequency", w->arena);
    struct bytes period = glue(w, fhir_member_text(repeat, "period", w->arena), " ",
                               fhir_member_text(repeat, "periodUnit", w->arena));
    struct bytes often = BYTES_NONE;
    if (!bytes_is_empty(period)) {
        const struct bytes parts[] = {bytes_is_empty(frequency) ? BYTES("1") : frequency,
                                      BYTES("x/"), period};
        often = fhir_join(parts, 3, "", w->arena);
    } else if (!bytes_is_empty(frequency)) {
        often = glue(w, frequency, "", BYTES("x"));
    }
    const struct bytes parts[] = {often,
                                  fhir_texts(fhir_member(repeat, "dayOfWeek"), " ", w->arena),
                                  fhir_texts(fhir_member(repeat, "timeOfDay"), " ", w->arena),
                                  fhir_texts(fhir_member(repeat, "when"), " ", w->arena)};
    return fhir_join(parts, 4, " ", w->arena);
}

static struct bytes timing_text(struct fhir_work *w, const struct fhir_node *dosage) {
    const struct fhir_node *timing = fhir_member(dosage, "timing");
    const struct bytes parts[] = {fhir_coding(fhir_member(timing, "code"), w->arena).text,
                                  repeat_text(w, fhir_member(timing, "repeat")),
                                  fhir_texts(fhir_member(timing, "event"), " ", w->arena)};
    return bytes_is_empty(parts[0]) ? fhir_join(parts + 1, 2, " ", w->arena) : parts[0];
}

static struct bytes rate_text(struct fhir_work *w, const struct fhir_node *dose) {
    const struct fhir_node *ratio = fhir_member(dose, "rateRatio");
    if (ratio)
        return glue(w, amount_text(w, fhir_member(ratio, "numerator")), " / ",
                    amount_text(w, fhir_member(ratio, "denominator")));
    const struct fhir_node *range = fhir_member(dose, "rateRange");
    if (range)
        return glue(w, amount_text(w, fhir_member(range, "low")), "-",
                    amount_text(w, fhir_member(range, "high")));
    return amount_text(w, fhir_member(dose, "rateQuantity"));
}

static void read_dose(struct fhir_work *w, const struct fhir_node *dose, struct fact_order *order) {
    const struct fhir_node *range = fhir_member(dose, "doseRange");
    struct fhir_quantity low = fhir_quantity(
        range ? fhir_member(range, "low") : fhir_member(dose, "doseQuantity"), w->arena);
    struct fhir_quantity high = fhir_quantity(fhir_member(range, "high"), w->arena);
    order->dose = low.value;
    order->dose_max = high.value;
    order->dose_unit = bytes_is_empty(low.unit) ? high.unit : low.unit;
    order->rate = rate_text(w, dose);
}

static void read_bounds(struct fhir_work *w, const struct fhir_node *repeat,
                        struct fact_order *order) {
    const struct fhir_node *period = fhir_member(repeat, "boundsPeriod");
    order->starts_at = own_instant(w, period, "start");
    order->ends_at = own_instant(w, period, "end");
    order->duration = amount_text(w, fhir_member(repeat, "boundsDuration"));
}

/* One line that says all of a dosage, where its own text does not. */
static struct bytes dosage_line(struct fhir_work *w, const struct fhir_node *dosage) {
    struct bytes text = fhir_member_text(dosage, "text", w->arena);
    struct fact_order order = {0};
    if (!bytes_is_empty(text))
        return text;
    read_dose(w, fhir_member(dosage, "doseAndRate"), &order);
    const struct bytes parts[] = {glue(w, order.dose, "-", order.dose_max), order.dose_unit,
                                  order.rate, timing_text(w, dosage),
                                  fhir_coding(fhir_member(dosage, "route"), w->arena).text};
    return fhir_join(parts, 5, " ", w->arena);
}

static struct bytes instructions_of(struct fhir_work *w, const struct fhir_node *dosages) {
    struct bytes lines[DOSAGES_MAX * 3];
    size_t count = 0, dosage_count = 0;
    for (const struct fhir_node *d = dosages; d; d = d->next)
        dosage_count++;
    for (const struct fhir_node *d = dosages; d && count + 3 <= DOSAGES_MAX * 3; d = d->next) {
        lines[count++] =
            dosage_count > 1 ? dosage_line(w, d) : fhir_member_text(d, "text", w->arena);
        lines[count++] = fhir_texts(fhir_member(d, "additionalInstruction"), ", ", w->arena);
        lines[count++] = fhir_member_text(d, "patientInstruction", w->arena);
    }
    if (dosage_count > DOSAGES_MAX)
        fhir_warn(w, "an order has more dosages than are read");
    return fhir_join(lines, count, "\n", w->arena);
}

/* The first dosage in parts; where there are several, each in a line. */
static void read_dosage(struct fhir_work *w, const char *member, struct fact_order *order) {
    const struct fhir_node *dosage = fhir_items(own(w, member));
    const struct fhir_node *timing = fhir_member(dosage, "timing");
    read_dose(w, fhir_member(dosage, "doseAndRate"), order);
    read_bounds(w, fhir_member(timing, "repeat"), order);
    order->timing = timing_text(w, dosage);
    order->route = fhir_coding(fhir_member(dosage, "route"), w->arena).text;
    order->is_as_needed = fhir_is_true(fhir_member(dosage, "asNeededBoolean")) ||
                          fhir_member(dosage, "asNeededCodeableConcept");
    order->instructions = instructions_of(w, dosage);
}

/* ---- orders ---- */

static struct fact_order order_of(struct fhir_work *w, enum order_kind kind,
                                  struct fhir_coding coding) {
    int64_t asked = own_instant(w, w->resource, "authoredOn");
    return (struct fact_order){
        .kind = kind,
        .placer = fhir_typed_number(w, "PLAC"),
        .filler = w->name,
        .group = fhir_member_text(own(w, "groupIdentifier"), "value", w->arena),
        .state = order_state(w),
        .code = coding.code,
        .system = coding.system,
        .text = coding.text,
        .starts_at = INSTANT_NONE,
        .ends_at = INSTANT_NONE,
        .indication = fhir_texts(own(w, "reasonCode"), ", ", w->arena),
        .priority = priority_of(w),
        .requester = fhir_person(w, own(w, "requester")),
        .asked_at = asked == INSTANT_NONE ? w->facts->said : asked,
        .effective_at = INSTANT_NONE,
        .notes = fhir_notes(w, w->resource),
    };
}

static void add_order(struct fhir_work *w, const struct fact_order *order) {
    if (bytes_is_empty(order->text)) {
        fhir_aside(w, "an order does not say what is ordered");
        return;
    }
    struct fact *fact = fhir_add(w, FACT_ORDER);
    if (!fact)
        return;
    fact->order = arena_alloc(w->arena, sizeof *fact->order);
    if (fact->order)
        *fact->order = *order;
    else
        drop_last(w);
}

/* A prohibition among the orders could be taken for one. */
static bool is_prohibition(struct fhir_work *w) {
    if (!fhir_is_true(own(w, "doNotPerform")))
        return false;
    fhir_aside(w, "an order not to do something is kept and not translated");
    return true;
}

void fhir_medication_request(struct fhir_work *w) {
    if (is_prohibition(w))
        return;
    struct fact_order order = order_of(w, ORDER_MEDICATION, fhir_medication(w, w->resource));
    order.control = own_text(w, "intent");
    order.form = fhir_medication_form(w, w->resource);
    order.components = fhir_medication_components(w, w->resource);
    order.parent = fhir_name_of(w, own(w, "priorPrescription"));
    read_dosage(w, "dosageInstruction", &order);
    add_order(w, &order);
}

/* What a patient takes, whoever ordered it: its control says that it is such a statement. */
void fhir_medication_statement(struct fhir_work *w) {
    struct fact_order order = order_of(w, ORDER_MEDICATION, fhir_medication(w, w->resource));
    const struct fhir_node *period = own(w, "effectivePeriod");
    int64_t at = own_instant(w, w->resource, "effectiveDateTime");
    int64_t asserted = own_instant(w, w->resource, "dateAsserted");
    order.control = BYTES("MedicationStatement");
    order.form = fhir_medication_form(w, w->resource);
    order.components = fhir_medication_components(w, w->resource);
    read_dosage(w, "dosage", &order);
    if (order.starts_at == INSTANT_NONE)
        order.starts_at = period ? own_instant(w, period, "start") : at;
    if (order.ends_at == INSTANT_NONE)
        order.ends_at = own_instant(w, period, "end");
    order.requester = fhir_person(w, own(w, "informationSource"));
    order.asked_at = asserted == INSTANT_NONE ? w->facts->said : asserted;
    add_order(w, &order);
}

static enum order_kind service_kind(const struct fhir_work *w) {
    const struct fhir_node *category = own(w, "category");
    return fhir_has_code(category, "108252007") || fhir_has_code(category, "laboratory")
               ? ORDER_LABORATORY
           : fhir_has_code(category, "363679005") || fhir_has_code(category, "imaging")
               ? ORDER_IMAGING
               : ORDER_SERVICE;
}

void fhir_service_request(struct fhir_work *w) {
    if (is_prohibition(w))
        return;
    struct fact_order order = order_of(w, service_kind(w), fhir_coding(own(w, "code"), w->arena));
    const struct fhir_node *period = own(w, "occurrencePeriod");
    struct fhir_target specimen = fhir_resolve(w, fhir_items(own(w, "specimen")));
    int64_t at = own_instant(w, w->resource, "occurrenceDateTime");
    order.control = own_text(w, "intent");
    order.starts_at = period ? own_instant(w, period, "start") : at;
    order.ends_at = own_instant(w, period, "end");
    order.parent = fhir_name_of(w, fhir_items(own(w, "replaces")));
    order.instructions = own_text(w, "patientInstruction");
    order.specimen = fhir_coding(fhir_member(specimen.resource, "type"), w->arena).text;
    order.is_as_needed = fhir_is_true(own(w, "asNeededBoolean"));
    add_order(w, &order);
}

/* ---- given, handed out ---- */

static enum medication_event_state event_state(const struct fhir_work *w) {
    static const struct word words[] = {
        {"completed", MEDICATION_EVENT_COMPLETE},       {"in-progress", MEDICATION_EVENT_PARTIAL},
        {"stopped", MEDICATION_EVENT_PARTIAL},          {"on-hold", MEDICATION_EVENT_PARTIAL},
        {"preparation", MEDICATION_EVENT_PARTIAL},      {"not-done", MEDICATION_EVENT_NOT_DONE},
        {"cancelled", MEDICATION_EVENT_NOT_DONE},       {"declined", MEDICATION_EVENT_NOT_DONE},
        {"entered-in-error", MEDICATION_EVENT_DELETED},
    };
    enum medication_event_state state =
        (enum medication_event_state)state_of(w, words, sizeof words / sizeof words[0], 0);
    bool is_refused = fhir_has_code(own(w, "statusReason"), "PATOBJ"); /* v3 ActReason */
    return state == MEDICATION_EVENT_NOT_DONE && is_refused ? MEDICATION_EVENT_REFUSED : state;
}

static struct fact_medication_event event_of(struct fhir_work *w, enum medication_event_kind kind,
                                             struct fhir_coding coding) {
    return (struct fact_medication_event){
        .kind = kind,
        .state = event_state(w),
        .id = w->name,
        .is_identified = true,
        .at = INSTANT_NONE,
        .ended_at = INSTANT_NONE,
        .code = coding.code,
        .system = coding.system,
        .text = coding.text,
        .performer = fhir_people(w, own(w, "performer"), "actor", ", "),
        .reason = fhir_texts(own(w, "statusReason"), ", ", w->arena),
        .notes = fhir_notes(w, w->resource),
    };
}

static void add_event(struct fhir_work *w, const struct fact_medication_event *event) {
    if (bytes_is_empty(event->text)) {
        fhir_aside(w, "an event of medication does not say which drug");
        return;
    }
    if (!event->state) {
        fhir_aside(w, "an event of medication does not say whether it took place");
        return;
    }
    struct fact *fact = fhir_add(w, FACT_MEDICATION_EVENT);
    if (!fact)
        return;
    fact->medication_event = arena_alloc(w->arena, sizeof *fact->medication_event);
    if (fact->medication_event)
        *fact->medication_event = *event;
    else
        drop_last(w);
}

static void set_amount(struct fhir_work *w, const struct fhir_node *quantity,
                       struct fact_medication_event *event) {
    struct fhir_quantity amount = fhir_quantity(quantity, w->arena);
    event->amount = amount.value;
    event->unit = amount.unit;
}

void fhir_medication_administration(struct fhir_work *w) {
    struct fact_medication_event event =
        event_of(w, MEDICATION_ADMINISTRATION, fhir_medication(w, w->resource));
    const struct fhir_node *period = own(w, "effectivePeriod");
    const struct fhir_node *dosage = own(w, "dosage");
    event.filler = fhir_name_of(w, own(w, "request"));
    event.form = fhir_medication_form(w, w->resource);
    event.at =
        period ? own_instant(w, period, "start") : own_instant(w, w->resource, "effectiveDateTime");
    event.ended_at = own_instant(w, period, "end");
    set_amount(w, fhir_member(dosage, "dose"), &event);
    event.route = fhir_coding(fhir_member(dosage, "route"), w->arena).text;
    event.site = fhir_coding(fhir_member(dosage, "site"), w->arena).text;
    event.rate = rate_text(w, dosage);
    const struct bytes notes[] = {fhir_member_text(dosage, "text", w->arena), event.notes};
    event.notes = fhir_join(notes, 2, "\n", w->arena);
    add_event(w, &event);
}

void fhir_medication_dispense(struct fhir_work *w) {
    struct fact_medication_event event =
        event_of(w, MEDICATION_DISPENSE, fhir_medication(w, w->resource));
    const struct fhir_node *when = own(w, "whenHandedOver");
    event.filler = fhir_name_of(w, fhir_items(own(w, "authorizingPrescription")));
    event.at = fhir_instant(when ? when : own(w, "whenPrepared"), w->context->zone);
    set_amount(w, own(w, "quantity"), &event);
    event.reason = fhir_coding(own(w, "statusReasonCodeableConcept"), w->arena).text;
    const struct bytes notes[] = {instructions_of(w, fhir_items(own(w, "dosageInstruction"))),
                                  event.notes};
    event.notes = fhir_join(notes, 2, "\n", w->arena);
    add_event(w, &event);
}

void fhir_immunization(struct fhir_work *w) {
    struct fact_medication_event event =
        event_of(w, MEDICATION_IMMUNIZATION, fhir_coding(own(w, "vaccineCode"), w->arena));
    event.at = own_instant(w, w->resource, "occurrenceDateTime");
    set_amount(w, own(w, "doseQuantity"), &event);
    event.route = fhir_coding(own(w, "route"), w->arena).text;
    event.site = fhir_coding(own(w, "site"), w->arena).text;
    event.lot = own_text(w, "lotNumber");
    add_event(w, &event);
}

/* ---- appointments ---- */

static enum appointment_state appointment_state(const struct fhir_work *w) {
    static const struct word words[] = {
        {"proposed", APPOINTMENT_PENDING},    {"pending", APPOINTMENT_PENDING},
        {"waitlist", APPOINTMENT_PENDING},    {"booked", APPOINTMENT_BOOKED},
        {"arrived", APPOINTMENT_ARRIVED},     {"checked-in", APPOINTMENT_ARRIVED},
        {"fulfilled", APPOINTMENT_FULFILLED}, {"cancelled", APPOINTMENT_CANCELLED},
        {"noshow", APPOINTMENT_NO_SHOW},      {"entered-in-error", APPOINTMENT_DELETED},
    };
    return (enum appointment_state)state_of(w, words, sizeof words / sizeof words[0],
                                            APPOINTMENT_NOT_SAID);
}

/* Those of the participants who are of these types, a line each. */
static struct bytes participants(struct fhir_work *w, const char *const *types) {
    struct bytes lines[TIMES_MAX];
    size_t count = 0;
    for (const struct fhir_node *p = fhir_items(own(w, "participant")); p && count < TIMES_MAX;
         p = p->next) {
        const struct fhir_node *actor = fhir_member(p, "actor");
        struct fhir_target target = fhir_resolve(w, actor);
        for (size_t i = 0; types[i] && count < TIMES_MAX; i++)
            if (bytes_is(target.type, types[i]))
                lines[count++] = fhir_display(w, actor);
    }
    return fhir_join(lines, count, "\n", w->arena);
}

void fhir_appointment(struct fhir_work *w) {
    static const char *const places[] = {"Location", NULL};
    static const char *const people[] = {"Practitioner", "PractitionerRole", NULL};
    static const char *const resources[] = {"Device", "HealthcareService", NULL};
    struct fhir_coding service = fhir_coding(own(w, "serviceType"), w->arena);
    struct bytes description = own_text(w, "description");
    const struct bytes notes[] = {own_text(w, "comment"), own_text(w, "patientInstruction")};
    struct fact *fact = fhir_add(w, FACT_APPOINTMENT);
    if (!fact)
        return;
    fact->appointment = arena_alloc(w->arena, sizeof *fact->appointment);
    if (!fact->appointment) {
        drop_last(w);
        return;
    }
    *fact->appointment = (struct fact_appointment){
        .placer = fhir_typed_number(w, "PLAC"),
        .filler = w->name,
        .state = appointment_state(w),
        .starts_at = own_instant(w, w->resource, "start"),
        .ends_at = own_instant(w, w->resource, "end"),
        .code = service.code,
        .system = service.system,
        .text = bytes_is_empty(service.text) ? description : service.text,
        .kind = fhir_coding(own(w, "appointmentType"), w->arena).text,
        .reason = fhir_texts(own(w, "reasonCode"), ", ", w->arena),
        .place = participants(w, places),
        .people = participants(w, people),
        .resources = participants(w, resources),
        .notes = fhir_join(notes, 2, "\n", w->arena),
    };
}
