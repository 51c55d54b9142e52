/* medication.c - drugs of a stay: ordered, dispensed, given at their hours, sometimes held, and
 * stopped.
 *
 *   planned --RDE NW--> active --RDE HD--> held --RDE RL--> active --RDE DC--> ended
 *                         \--RDS once, RAS at each hour--/
 *
 * Invariants
 *   Chance is drawn from drug_chance alone: what is told of drugs changes nothing else of a seed.
 *   Nobody is ordered what an allergy known at the time of the order forbids.
 *   A dose is told of an active order that is not held, and of one who is here.
 */
#include "simulate/hospital.h"

#include <assert.h>

#define ADULT_YEARS   18
#define DRUG_ALL_DAYS 4

static bool chance(struct simulator *simulator, unsigned per_mille) {
    return random_chance(&simulator->drug_chance, per_mille);
}

static int64_t later(struct simulator *simulator, int64_t low_minutes, int64_t high_minutes) {
    return simulator->now +
           random_between(&simulator->drug_chance, low_minutes * 60000, high_minutes * 60000) *
               US_PER_MS;
}

static bool is_allergic(const struct person *person, const struct drug *drug) {
    for (unsigned i = 0; i < person->allergy_count; i++)
        for (unsigned k = 0; k < 2; k++)
            if (drug->forbidden_by[k] &&
                strcmp(allergens[person->allergies[i]].code, drug->forbidden_by[k]) == 0)
                return true;
    return false;
}

/* Chance is drawn for every drug, whether or not it may be given. */
void medication_plan(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    bool is_pregnant = simulator->wards[stay->ward].service == SERVICE_MAT;
    uint32_t count = 0;
    if (stay->mother != NOBODY || person_age(simulator, &stay->person) < ADULT_YEARS)
        return;
    for (size_t i = 0; i < drug_count && count < PRESCRIPTION_COUNT; i++) {
        if (!chance(simulator, drugs[i].share) || (is_pregnant && !drugs[i].is_for_pregnant))
            continue;
        stay->prescriptions[count] = (struct prescription){.drug = (uint8_t)i};
        happen_to(simulator, index, later(simulator, 10, 120), EVENT_PRESCRIBE, count++);
    }
}

/* ---- segments ---- */

static void put_drug(struct message *message, unsigned field, const struct drug *drug) {
    put_field(message, field);
    put_format(message, "%s^", drug->code);
    put_escaped(message, drug->text);
    put_raw(message, "^WC"); /* table 0396: ATC of the WHO */
}

static void put_coded(struct message *message, unsigned field, const char *code, const char *text,
                      const char *system) {
    put_field(message, field);
    put_format(message, "%s^", code);
    put_escaped(message, text);
    put_format(message, "^%s", system);
}

static void put_unit(struct message *message, unsigned field, const struct drug *drug) {
    put_coded(message, field, drug->unit, strcmp(drug->unit, "[iU]") == 0 ? "UI" : drug->unit,
              "UCUM");
}

static void put_form(struct message *message, unsigned field, const struct drug *drug) {
    put_field(message, field);
    put_raw(message, "^");
    put_escaped(message, drug->form);
}

static void put_route(struct message *message, const struct drug *drug) {
    put_segment(message, "RXR");
    put_coded(message, 1, drug->route, drug->route_text, "HL70162");
}

static void put_control(struct simulator *simulator, const struct stay *stay,
                        const struct prescription *prescription, const char *control,
                        const char *status) {
    struct message *message = &simulator->message;
    put_segment(message, "ORC");
    put_field(message, 1);
    put_raw(message, control);
    put_field(message, 2);
    put_format(message, "M%llu^DPI", (unsigned long long)prescription->number);
    if (status[0]) {
        put_field(message, 5);
        put_raw(message, status);
    }
    put_field(message, 9);
    put_time(message, simulator->now);
    put_field(message, 12);
    put_doctor(message, stay->ward * 3u + stay->doctor);
}

static void begin(struct simulator *simulator, const struct stay *stay, enum speaker speaker,
                  const char *type, const char *trigger, const char *structure) {
    put_header(simulator, speaker, type, trigger, structure);
    put_person(simulator, stay);
    put_visit(simulator, stay);
}

/* ---- messages ---- */

static void tell_order(struct simulator *simulator, const struct stay *stay,
                       const struct prescription *prescription, const char *control,
                       const char *status) {
    struct message *message = &simulator->message;
    const struct drug *drug = &drugs[prescription->drug];
    begin(simulator, stay, SPEAKER_DOCUMENTS, "RDE", "O11", "RDE_O11");
    put_control(simulator, stay, prescription, control, status);
    put_segment(message, "RXE");
    put_drug(message, 2, drug);
    put_field(message, 3);
    put_raw(message, drug->amount);
    put_unit(message, 5, drug);
    put_form(message, 6, drug);
    put_segment(message, "TQ1");
    put_field(message, 1);
    put_raw(message, "1");
    put_field(message, 3);
    put_raw(message, drug->pattern);
    put_field(message, 7);
    put_time(message, prescription->started_at);
    put_route(message, drug);
}

static unsigned doses_a_day(const struct drug *drug) {
    unsigned count = 0;
    while (count < DOSE_HOURS_MAX && drug->hours[count])
        count++;
    return count;
}

static void tell_dispense(struct simulator *simulator, const struct stay *stay,
                          const struct prescription *prescription) {
    struct message *message = &simulator->message;
    const struct drug *drug = &drugs[prescription->drug];
    begin(simulator, stay, SPEAKER_PHARMACY, "RDS", "O13", "RDS_O13");
    put_control(simulator, stay, prescription, "RE", "");
    put_segment(message, "RXD");
    put_field(message, 1);
    put_raw(message, "1");
    put_drug(message, 2, drug);
    put_field(message, 3);
    put_time(message, simulator->now);
    put_field(message, 4);
    put_number(message, doses_a_day(drug) * DRUG_ALL_DAYS);
    put_coded(message, 5, "{dose}", "dose", "UCUM");
    put_form(message, 6, drug);
    put_field(message, 7);
    put_format(message, "P%llu", (unsigned long long)++simulator->dispense_number);
    put_route(message, drug);
}

static void tell_dose(struct simulator *simulator, const struct stay *stay,
                      struct prescription *prescription) {
    struct message *message = &simulator->message;
    const struct drug *drug = &drugs[prescription->drug];
    int64_t at = simulator->now - random_between(&simulator->drug_chance, 20, 300) * US_PER_S;
    bool is_refused = chance(simulator, 20), is_omitted = !is_refused && chance(simulator, 25);
    begin(simulator, stay, SPEAKER_DOCUMENTS, "RAS", "O17", "RAS_O17");
    put_control(simulator, stay, prescription, "RE", "");
    put_segment(message, "RXA");
    put_field(message, 1);
    put_raw(message, "0");
    put_field(message, 2);
    put_number(message, ++prescription->administration_count);
    for (unsigned field = 3; field <= 4; field++) {
        put_field(message, field);
        put_time(message, at);
    }
    put_drug(message, 5, drug);
    put_field(message, 6);
    put_raw(message, is_refused || is_omitted ? "0" : drug->amount);
    put_unit(message, 7, drug);
    put_form(message, 8, drug);
    if (is_refused || is_omitted) {
        put_field(message, 18);
        put_format(message, "^%s", is_refused ? "Refus du patient" : "À jeun pour un examen");
    }
    put_field(message, 20);
    put_raw(message, is_refused ? "RE" : is_omitted ? "NA" : "CP");
    put_field(message, 21);
    put_raw(message, "A");
    put_route(message, drug);
}

/* ---- what happens ---- */

/* The next hour of the drug, told up to 40 minutes after it. */
static void next_dose(struct simulator *simulator, uint32_t index, uint32_t nth) {
    const struct drug *drug = &drugs[simulator->stays[index].prescriptions[nth].drug];
    int64_t soonest = INT64_MAX;
    for (unsigned i = 0; i < doses_a_day(drug); i++) {
        int64_t at = next_at_hour(simulator, simulator->now, drug->hours[i], 0);
        soonest = at < soonest ? at : soonest;
    }
    assert(soonest != INT64_MAX);
    int64_t late_s = random_between(&simulator->drug_chance, 60, 2400);
    happen_to(simulator, index, soonest + late_s * US_PER_S, EVENT_DOSE, nth);
}

static void prescribe(struct simulator *simulator, uint32_t index, uint32_t nth) {
    struct stay *stay = &simulator->stays[index];
    struct prescription *prescription = &stay->prescriptions[nth];
    if (stay->is_gone || is_allergic(&stay->person, &drugs[prescription->drug]))
        return;
    prescription->is_active = true;
    prescription->number = ++simulator->prescription_number;
    prescription->started_at = simulator->now;
    tell_order(simulator, stay, prescription, "NW", "IP");
    happen_to(simulator, index, later(simulator, 10, 40), EVENT_DISPENSE, nth);
    next_dose(simulator, index, nth);
    if (chance(simulator, 60))
        happen_to(simulator, index, later(simulator, 300, 2000), EVENT_HOLD, nth);
    if (chance(simulator, 500))
        happen_to(simulator, index, later(simulator, 1200, 7200), EVENT_STOP, nth);
}

static void dose(struct simulator *simulator, uint32_t index, uint32_t nth) {
    struct stay *stay = &simulator->stays[index];
    struct prescription *prescription = &stay->prescriptions[nth];
    next_dose(simulator, index, nth);
    if (!prescription->is_held)
        tell_dose(simulator, stay, prescription);
}

static void hold(struct simulator *simulator, uint32_t index, uint32_t nth, bool is_held) {
    struct stay *stay = &simulator->stays[index];
    struct prescription *prescription = &stay->prescriptions[nth];
    prescription->is_held = is_held;
    tell_order(simulator, stay, prescription, is_held ? "HD" : "RL", is_held ? "HD" : "IP");
    if (is_held)
        happen_to(simulator, index, later(simulator, 360, 1440), EVENT_RELEASE, nth);
}

static void stop(struct simulator *simulator, uint32_t index, uint32_t nth) {
    struct stay *stay = &simulator->stays[index];
    stay->prescriptions[nth].is_active = false;
    tell_order(simulator, stay, &stay->prescriptions[nth], "DC", "DC");
}

/* A discharge may be cancelled: until the stay ends, doses of one who is gone are passed over. */
void medication_event(struct simulator *simulator, const struct event *event) {
    const struct stay *stay = &simulator->stays[event->index];
    bool is_new = event->kind == EVENT_PRESCRIBE;
    if (!is_new && !stay->prescriptions[event->argument].is_active)
        return;
    if (stay->is_gone) {
        if (event->kind == EVENT_DOSE)
            next_dose(simulator, event->index, event->argument);
        return;
    }
    if (is_new)
        prescribe(simulator, event->index, event->argument);
    else if (event->kind == EVENT_DISPENSE)
        tell_dispense(simulator, stay, &stay->prescriptions[event->argument]);
    else if (event->kind == EVENT_DOSE)
        dose(simulator, event->index, event->argument);
    else if (event->kind == EVENT_STOP)
        stop(simulator, event->index, event->argument);
    else
        hold(simulator, event->index, event->argument, event->kind == EVENT_HOLD);
}
