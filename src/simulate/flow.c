/* flow.c - people come, move and go: through the emergency department, by appointment, at birth;
 * and some mistakes are made.
 *
 * A stay's way:
 *
 *   emergency (A04) --> home (A03)
 *       \--> admitted (A06 to a bed, or A01 and later A02) --\
 *   planned (A01) --------------------------------------------> in a bed --(A02 ...)--> home (A03)
 *   born (A01), beside the mother ----------------------------> leaves with her (A03)
 *   outpatient (A28, A04) --> home (A03)
 *
 * In one of forty cases the last step is cancelled some minutes later (A11, A12, A13).
 */
#include "simulate/hospital.h"

#define ADMIT_TRIES_MAX 8u

/* How many arrive at each hour of the day, in parts of 237. */
static const unsigned arrivals_by_hour[24] = {4,  3,  2,  2,  2,  3,  5,  8,  12, 15, 16, 15,
                                              14, 14, 14, 13, 13, 14, 15, 15, 13, 11, 8,  6};
#define ARRIVALS_SUM 237u

static bool chance(struct simulator *simulator, unsigned per_mille) {
    return random_chance(&simulator->random, per_mille);
}

static int64_t after(struct simulator *simulator, int64_t low_minutes, int64_t high_minutes) {
    return after_minutes(simulator, simulator->now, low_minutes, high_minutes);
}

/* When what is told now took place: some moments ago, but after what took place before. */
static int64_t just_now(struct simulator *simulator, const struct stay *stay) {
    int64_t holds = simulator->now - random_between(&simulator->random, 20, 240) * US_PER_S;
    int64_t earliest = stay->movement_at + US_PER_S;
    holds = holds < earliest ? earliest : holds;
    return holds > simulator->now ? simulator->now : holds;
}

static uint32_t per_day(const struct simulator *simulator, unsigned per_thousand_beds) {
    uint32_t count = simulator->bed_count * per_thousand_beds / 1000;
    return count ? count : 1;
}

static void happen_alone(struct simulator *simulator, int64_t at, enum event_kind kind,
                         uint32_t index, uint32_t argument) {
    happen(simulator, at, kind, index, 0, argument);
}

/* ---- every day of a stay ---- */

static void begin_vitals(struct simulator *simulator, uint32_t index) {
    const struct stay *stay = &simulator->stays[index];
    unsigned every_s = service_kinds[simulator->wards[stay->ward].service].vitals_s;
    int64_t wait = random_between(&simulator->random, 5, (int64_t)every_s) * US_PER_S;
    happen_to(simulator, index, simulator->now + wait, EVENT_VITALS, 0);
}

static void begin_days(struct simulator *simulator, uint32_t index) {
    int64_t morning = next_at_hour(simulator, simulator->now, 5, 0);
    happen_to(simulator, index, after_minutes(simulator, morning, 0, 50), EVENT_DAY, 0);
}

static void vitals_again(struct simulator *simulator, uint32_t index) {
    const struct stay *stay = &simulator->stays[index];
    if (stay->is_gone || stay->class == 'O')
        return;
    int64_t every_s = service_kinds[simulator->wards[stay->ward].service].vitals_s;
    int64_t wait_s = random_between(&simulator->random, every_s * 3 / 4, every_s * 5 / 4);
    tell_vitals(simulator, index);
    happen_to(simulator, index, simulator->now + wait_s * US_PER_S, EVENT_VITALS, 0);
}

static void plan_laboratory(struct simulator *simulator, uint32_t index, int64_t from) {
    static const unsigned usual[PANEL_COUNT] = {700, 700, 620, 420, 40, 260, 260, 40};
    const struct stay *stay = &simulator->stays[index];
    enum service service = simulator->wards[stay->ward].service;
    unsigned share = service == SERVICE_PED || service == SERVICE_MAT ? 400 : 1000;
    for (unsigned panel = 0; panel < PANEL_COUNT; panel++) {
        unsigned likely = usual[panel];
        if ((panel == PANEL_TROPONIN && service == SERVICE_CARD) ||
            (panel == PANEL_GAS && service == SERVICE_PNEU))
            likely = 550;
        if (service == SERVICE_REA)
            likely = 900;
        if (chance(simulator, likely * share / 1000))
            happen_to(simulator, index, after_minutes(simulator, from, 0, 90), EVENT_LABORATORY,
                      panel);
    }
}

/* Chance is drawn anew each morning, so stays have the mean of their service and no memory. */
static bool is_ready_to_leave(struct simulator *simulator, const struct stay *stay) {
    unsigned days = service_kinds[simulator->wards[stay->ward].service].stay_days;
    return !stay->is_leaving && simulator->now - stay->admitted_at > 20 * HOUR &&
           chance(simulator, 1000 / days);
}

static void plan_departure(struct simulator *simulator, uint32_t index) {
    int64_t morning = next_at_hour(simulator, simulator->now, 9, 0);
    simulator->stays[index].is_leaving = true;
    happen_to(simulator, index, after_minutes(simulator, morning, 0, 80), EVENT_DOCUMENT,
              DOCUMENT_STAY);
    happen_to(simulator, index, after_minutes(simulator, morning, 90, 330), EVENT_DISCHARGE, 0);
}

static void plan_move(struct simulator *simulator, uint32_t index) {
    const struct stay *stay = &simulator->stays[index];
    enum service service = simulator->wards[stay->ward].service;
    enum service wanted = diagnoses[stay->diagnosis].service;
    if (service == SERVICE_REA && chance(simulator, 200))
        happen_to(simulator, index, after(simulator, 240, 720), EVENT_MOVE,
                  wanted == SERVICE_REA ? SERVICE_MED : wanted);
    else if (service != SERVICE_REA && service != SERVICE_MAT && chance(simulator, 12))
        happen_to(simulator, index, after(simulator, 60, 1200), EVENT_MOVE, SERVICE_REA);
    else if (service != wanted && wanted != SERVICE_URG && wanted != SERVICE_MAT &&
             chance(simulator, 400))
        happen_to(simulator, index, after(simulator, 240, 720), EVENT_MOVE, wanted);
    else if (service != SERVICE_MAT && chance(simulator, 40))
        happen_to(simulator, index, after(simulator, 240, 900), EVENT_MOVE, SERVICE_COUNT);
}

static void day(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    if (stay->is_gone)
        return;
    bool is_intensive = simulator->wards[stay->ward].service == SERVICE_REA;
    illness_day(simulator, stay);
    plan_laboratory(simulator, index, next_at_hour(simulator, simulator->now, 6, 0));
    for (int hour = 14; is_intensive && hour < 24; hour += 8)
        plan_laboratory(simulator, index, next_at_hour(simulator, simulator->now, hour, 0));
    if (is_ready_to_leave(simulator, stay))
        plan_departure(simulator, index);
    else if (!stay->is_leaving)
        plan_move(simulator, index);
    if (chance(simulator, 130))
        happen_to(simulator, index, after(simulator, 180, 840), EVENT_DOCUMENT,
                  chance(simulator, 400) ? DOCUMENT_IMAGING : DOCUMENT_VISIT);
    if (chance(simulator, 250))
        happen_to(simulator, index, after(simulator, 120, 840), EVENT_UPDATE, 0);
    if (chance(simulator, 30))
        happen_to(simulator, index, after(simulator, 240, 720), EVENT_PERSON, 1);
    happen_to(simulator, index, after(simulator, 23 * 60 + 50, 24 * 60 + 5), EVENT_DAY, 0);
}

/* An update that says something new: a doctor, or an allergy that nobody had asked about. */
static void update(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    struct person *person = &stay->person;
    if (stay->is_gone)
        return;
    if (!person->has_no_allergy && person->allergy_count == 0 && chance(simulator, 500)) {
        person->has_no_allergy = chance(simulator, 800);
        if (!person->has_no_allergy) {
            person->allergies[0] = (uint8_t)random_below(&simulator->random, allergen_count);
            person->allergy_count = 1;
        }
    }
    stay->doctor = (stay->doctor + 1) % 3;
    tell_update(simulator, index, "A08", "ADT_A01");
}

static void person_update(struct simulator *simulator, uint32_t index, bool is_here) {
    struct person *person = &simulator->stays[index].person;
    if (is_here) {
        person->phone = 600000000u + (uint32_t)random_below(&simulator->random, 180000000);
        person->street_number = (unsigned)random_between(&simulator->random, 1, 180);
    }
    tell_update(simulator, index, is_here ? "A31" : "A28", "ADT_A05");
}

/* ---- in ---- */

static void settle_in(struct simulator *simulator, uint32_t index) {
    begin_vitals(simulator, index);
    begin_days(simulator, index);
    medication_plan(simulator, index);
}

/* He was there before the simulation began: admitted some days ago, told now. */
static void admit_first(struct simulator *simulator, uint32_t bed) {
    enum service service = simulator->wards[simulator->beds[bed].ward].service;
    uint32_t index = simulator->beds[bed].stay == NOBODY ? stay_open(simulator, service) : NOBODY;
    if (index == NOBODY)
        return;
    struct stay *stay = &simulator->stays[index];
    int64_t mean = service_kinds[service].stay_days * 24 * HOUR / 2;
    int64_t ago = HOUR + random_waiting(&simulator->random, mean / US_PER_MS) * US_PER_MS;
    if (service == SERVICE_URG)
        ago = after(simulator, 20, 200) - simulator->now;
    stay->admitted_at = simulator->now - ago;
    bed_take(simulator, bed, index);
    if (service == SERVICE_URG) {
        stay->class = 'E';
        tell_movement(simulator, index, "A04", "ADT_A01", stay->admitted_at);
        begin_vitals(simulator, index);
        happen_to(simulator, index, after(simulator, 20, 200), EVENT_EMERGENCY_END, 0);
        return;
    }
    tell_movement(simulator, index, "A01", "ADT_A01", stay->admitted_at);
    plan_laboratory(simulator, index, simulator->now);
    settle_in(simulator, index);
}

static void arrive(struct simulator *simulator) {
    struct civil_time now = local_time(simulator, simulator->now);
    uint64_t parts = (uint64_t)per_day(simulator, 330) * arrivals_by_hour[now.hour];
    int64_t mean_ms = (int64_t)(3600000ull * ARRIVALS_SUM / parts);
    int64_t wait = random_waiting(&simulator->random, mean_ms) * US_PER_MS;
    happen_alone(simulator, simulator->now + (wait < HOUR ? wait : HOUR), EVENT_ARRIVE, 0, 0);
    uint32_t index = wait < HOUR ? stay_open(simulator, SERVICE_URG) : NOBODY;
    if (index == NOBODY)
        return;
    struct stay *stay = &simulator->stays[index];
    uint32_t bed = bed_find(simulator, SERVICE_URG);
    stay->class = 'E';
    stay->admitted_at = simulator->now - random_between(&simulator->random, 30, 240) * US_PER_S;
    if (bed != NOWHERE)
        bed_take(simulator, bed, index);
    if (chance(simulator, 25)) {
        stay->person.provisional = 990000000 + simulator->person_number % 10000000;
        happen_to(simulator, index, after(simulator, 40, 240), EVENT_MERGE, 0);
    }
    tell_movement(simulator, index, "A04", "ADT_A01", stay->admitted_at);
    begin_vitals(simulator, index);
    if (chance(simulator, 600))
        plan_laboratory(simulator, index, after(simulator, 15, 40));
    happen_to(simulator, index, after(simulator, 60, 330), EVENT_EMERGENCY_END, 0);
}

static void planned(struct simulator *simulator, uint32_t ward, uint32_t tries) {
    enum service service = simulator->wards[ward].service;
    uint32_t bed = bed_find(simulator, service);
    if (bed == NOWHERE) {
        if (tries < ADMIT_TRIES_MAX)
            happen_alone(simulator, after(simulator, 20, 60), EVENT_PLANNED, ward, tries + 1);
        return;
    }
    uint32_t index = stay_open(simulator, service);
    if (index == NOBODY)
        return;
    struct stay *stay = &simulator->stays[index];
    bed_take(simulator, bed, index);
    stay->admitted_at = simulator->now - random_between(&simulator->random, 60, 400) * US_PER_S;
    tell_movement(simulator, index, "A01", "ADT_A01", stay->admitted_at);
    if (chance(simulator, 25)) {
        happen_to(simulator, index, after(simulator, 2, 10), EVENT_CANCEL_ADMIT, 0);
        return;
    }
    plan_laboratory(simulator, index, after(simulator, 20, 60));
    settle_in(simulator, index);
    if (service == SERVICE_MAT && chance(simulator, 850))
        happen_to(simulator, index, after(simulator, 120, 900), EVENT_BIRTH, 0);
}

/* Each morning the wards are filled up to where they usually stand, women in labour at any hour. */
static void plan(struct simulator *simulator) {
    for (uint32_t i = 0; i < simulator->ward_count; i++) {
        const struct ward *ward = &simulator->wards[i];
        uint32_t taken = 0;
        if (ward->service == SERVICE_URG)
            continue;
        for (uint32_t bed = 0; bed < ward->bed_count; bed++) {
            uint32_t stay = simulator->beds[ward->first_bed + bed].stay;
            taken += stay != NOBODY && !simulator->stays[stay].is_leaving;
        }
        uint32_t wanted = ward->bed_count * 92 / 100;
        for (uint32_t n = taken; n < wanted; n++) {
            bool at_any_hour = ward->service == SERVICE_MAT || ward->service == SERVICE_REA;
            if (chance(simulator, 800))
                happen_alone(simulator,
                             at_any_hour ? after(simulator, 10, 1400) : after(simulator, 100, 520),
                             EVENT_PLANNED, i, 0);
        }
    }
    int64_t next = next_at_hour(simulator, simulator->now + HOUR, 6, 20);
    happen_alone(simulator, next, EVENT_PLAN, 0, 0);
}

static void birth(struct simulator *simulator, uint32_t mother) {
    if (simulator->stays[mother].is_gone)
        return;
    uint32_t index = stay_open(simulator, SERVICE_MAT);
    if (index == NOBODY)
        return;
    struct stay *stay = &simulator->stays[index];
    person_born(simulator, &stay->person, &simulator->stays[mother].person);
    stay->mother = mother;
    stay->ward = simulator->stays[mother].ward;
    stay->admitted_at = stay->person.born_at;
    stay->illness = 0;
    tell_movement(simulator, index, "A01", "ADT_A01", stay->admitted_at);
    begin_vitals(simulator, index);
}

static void outpatient(struct simulator *simulator) {
    struct civil_time now = local_time(simulator, simulator->now);
    int64_t mean_ms = INT64_C(9) * 3600000 / per_day(simulator, 250);
    int64_t wait = (1 + random_waiting(&simulator->random, mean_ms)) * US_PER_MS;
    if (now.hour < 8 || now.hour >= 17 || now.weekday == 0 || now.weekday == 6) {
        int64_t morning = next_at_hour(simulator, simulator->now, 8, 15);
        happen_alone(simulator, morning + wait, EVENT_OUTPATIENT, 0, 0);
        return;
    }
    happen_alone(simulator, simulator->now + wait, EVENT_OUTPATIENT, 0, 0);
    uint32_t index = stay_open(simulator, SERVICE_MED);
    if (index == NOBODY)
        return;
    struct stay *stay = &simulator->stays[index];
    stay->class = 'O';
    stay->admitted_at = simulator->now - random_between(&simulator->random, 30, 200) * US_PER_S;
    /* A new file is made some minutes before its owner is registered. */
    if (chance(simulator, 250)) {
        stay->admitted_at = after(simulator, 3, 15);
        happen_to(simulator, index, stay->admitted_at + MINUTE, EVENT_TO_WARD, 0);
        tell_update(simulator, index, "A28", "ADT_A05");
        return;
    }
    tell_movement(simulator, index, "A04", "ADT_A01", stay->admitted_at);
    if (chance(simulator, 300))
        plan_laboratory(simulator, index, simulator->now);
    if (chance(simulator, 400))
        happen_to(simulator, index, after(simulator, 20, 60), EVENT_DOCUMENT, DOCUMENT_VISIT);
    happen_to(simulator, index, after(simulator, 25, 80), EVENT_DISCHARGE, 0);
}

/* ---- on ---- */

/* Leaves the old bed, which is cleaned before anybody else lies in it. */
static void change_bed(struct simulator *simulator, uint32_t index, uint32_t bed) {
    struct stay *stay = &simulator->stays[index];
    stay->prior_bed = stay->bed;
    if (stay->prior_bed != NOWHERE)
        happen_to(simulator, index, after(simulator, 20, 40), EVENT_BED_FREE, stay->prior_bed);
    bed_take(simulator, bed, index);
}

static void emergency_end(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    if (!chance(simulator, 270) || stay->person.provisional) {
        happen_to(simulator, index, after(simulator, 2, 15), EVENT_DOCUMENT, DOCUMENT_EMERGENCY);
        happen_to(simulator, index, after(simulator, 16, 40), EVENT_DISCHARGE, 0);
        return;
    }
    int age = person_age(simulator, &stay->person);
    static const enum service adults[] = {SERVICE_MED,   SERVICE_CHIR, SERVICE_CARD, SERVICE_PNEU,
                                          SERVICE_NEURO, SERVICE_REA,  SERVICE_MED,  SERVICE_CHIR};
    enum service service = age < 16   ? SERVICE_PED
                           : age > 82 ? SERVICE_GER
                                      : adults[random_below(&simulator->random, 8)];
    uint32_t bed = bed_find(simulator, service);
    if (bed == NOWHERE) { /* waits on a stretcher */
        happen_to(simulator, index, after(simulator, 40, 120), EVENT_EMERGENCY_END, 0);
        return;
    }
    stay->diagnosis = diagnosis_of(simulator, service);
    illness_start(simulator, stay);
    stay->class = 'I';
    if (chance(simulator, 500)) {
        change_bed(simulator, index, bed);
        tell_movement(simulator, index, "A06", "ADT_A06", just_now(simulator, stay));
        plan_laboratory(simulator, index, after(simulator, 20, 60));
        begin_days(simulator, index);
        medication_plan(simulator, index);
        return;
    }
    tell_movement(simulator, index, "A01", "ADT_A01", just_now(simulator, stay));
    happen_to(simulator, index, after(simulator, 5, 40), EVENT_TO_WARD, service);
}

/* The second step of what began in another way: to the bed after an A01, or to the desk after an
 * A28. */
static void second_step(struct simulator *simulator, uint32_t index, enum service service) {
    struct stay *stay = &simulator->stays[index];
    if (stay->class == 'O') {
        tell_movement(simulator, index, "A04", "ADT_A01", stay->admitted_at);
        happen_to(simulator, index, after(simulator, 25, 80), EVENT_DISCHARGE, 0);
        return;
    }
    uint32_t bed = bed_find(simulator, service);
    if (bed == NOWHERE) {
        happen_to(simulator, index, after(simulator, 20, 60), EVENT_TO_WARD, service);
        return;
    }
    change_bed(simulator, index, bed);
    tell_movement(simulator, index, "A02", "ADT_A02", just_now(simulator, stay));
    plan_laboratory(simulator, index, after(simulator, 20, 60));
    begin_days(simulator, index);
    medication_plan(simulator, index);
}

static void move(struct simulator *simulator, uint32_t index, enum service service) {
    struct stay *stay = &simulator->stays[index];
    if (stay->is_gone || stay->is_leaving)
        return;
    if (service == SERVICE_COUNT)
        service = simulator->wards[stay->ward].service;
    uint32_t bed = bed_find(simulator, service);
    if (bed == NOWHERE)
        return;
    change_bed(simulator, index, bed);
    tell_movement(simulator, index, "A02", "ADT_A02", just_now(simulator, stay));
    if (chance(simulator, 100))
        happen_to(simulator, index, after(simulator, 3, 12), EVENT_CANCEL_MOVE, 0);
}

static void merge(struct simulator *simulator, uint32_t index) {
    if (simulator->stays[index].person.provisional)
        tell_merge(simulator, index);
}

/* ---- out ---- */

static void discharge(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    if (stay->is_gone)
        return;
    if (stay->person.provisional) { /* nobody leaves without a name */
        tell_merge(simulator, index);
        happen_to(simulator, index, after(simulator, 5, 20), EVENT_DISCHARGE, 0);
        return;
    }
    stay->is_gone = true;
    stay->discharged_at = just_now(simulator, stay);
    tell_movement(simulator, index, "A03", "ADT_A03", stay->discharged_at);
    for (uint32_t i = 0; i < simulator->stay_count; i++) {
        const struct stay *child = &simulator->stays[i];
        if (child->is_used && child->mother == index && !child->is_gone)
            happen_to(simulator, i, simulator->now + 2 * US_PER_S, EVENT_DISCHARGE, 0);
    }
    if (stay->class == 'I' && stay->mother == NOBODY && chance(simulator, 25)) {
        happen_to(simulator, index, after(simulator, 3, 12), EVENT_CANCEL_DISCHARGE, 0);
        return;
    }
    if (stay->bed != NOWHERE)
        happen_to(simulator, index, after(simulator, 25, 45), EVENT_BED_FREE, stay->bed);
    happen_to(simulator, index, after(simulator, 300, 400), EVENT_STAY_END, 0);
}

/* ---- mistakes taken back ---- */

static void cancel_admit(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    tell_cancel(simulator, index, "A11", "ADT_A09", "A01");
    stay->is_gone = true;
    stay_close(simulator, index);
}

static void cancel_move(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    uint32_t prior = stay->prior_bed, bed = stay->bed;
    if (stay->is_gone || prior == NOWHERE || simulator->beds[prior].stay != index)
        return;
    bed_take(simulator, prior, index);
    bed_free(simulator, bed, index);
    stay->prior_bed = NOWHERE;
    tell_cancel(simulator, index, "A12", "ADT_A12", "A02");
}

static void cancel_discharge(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    stay->is_gone = false;
    stay->discharged_at = INSTANT_NONE;
    tell_cancel(simulator, index, "A13", "ADT_A01", "A03");
    begin_vitals(simulator, index);
    happen_to(simulator, index, after(simulator, 60, 240), EVENT_DISCHARGE, 0);
}

static void free_bed(struct simulator *simulator, uint32_t index, uint32_t bed) {
    struct stay *stay = &simulator->stays[index];
    if (stay->prior_bed == bed)
        stay->prior_bed = NOWHERE;
    if (stay->bed != bed || stay->is_gone)
        bed_free(simulator, bed, index);
}

/* ---- all of it ---- */

void flow_start(struct simulator *simulator) {
    int64_t start = simulator->options.start_at;
    for (uint32_t bed = 0; bed < simulator->bed_count; bed++)
        if (chance(simulator, 900))
            happen_alone(simulator, after_minutes(simulator, start, -180, 0), EVENT_ADMIT_FIRST, 0,
                         bed);
    happen_alone(simulator, start, EVENT_ARRIVE, 0, 0);
    happen_alone(simulator, start, EVENT_OUTPATIENT, 0, 0);
    happen_alone(simulator, next_at_hour(simulator, start, 6, 20), EVENT_PLAN, 0, 0);
}

static void order_event(struct simulator *simulator, const struct event *event) {
    char status = event->kind == EVENT_PRELIMINARY ? 'P' : event->kind == EVENT_FINAL ? 'F' : 'C';
    tell_result(simulator, event->index, status);
}

static void come(struct simulator *simulator, const struct event *event) {
    switch ((enum event_kind)event->kind) {
    case EVENT_ADMIT_FIRST:
        admit_first(simulator, event->argument);
        break;
    case EVENT_ARRIVE:
        arrive(simulator);
        break;
    case EVENT_PLAN:
        plan(simulator);
        break;
    case EVENT_PLANNED:
        planned(simulator, event->index, event->argument);
        break;
    case EVENT_OUTPATIENT:
        outpatient(simulator);
        break;
    default:
        break;
    }
}

static void stay_event(struct simulator *simulator, const struct event *event) {
    uint32_t index = event->index, argument = event->argument;
    switch ((enum event_kind)event->kind) {
    case EVENT_EMERGENCY_END:
        emergency_end(simulator, index);
        break;
    case EVENT_TO_WARD:
        second_step(simulator, index, (enum service)argument);
        break;
    case EVENT_DAY:
        day(simulator, index);
        break;
    case EVENT_VITALS:
        vitals_again(simulator, index);
        break;
    case EVENT_LABORATORY:
        order_make(simulator, index, (enum panel_kind)argument);
        break;
    case EVENT_DOCUMENT:
        tell_document(simulator, index, (enum document_kind)argument);
        break;
    case EVENT_UPDATE:
        update(simulator, index);
        break;
    case EVENT_PERSON:
        person_update(simulator, index, argument != 0);
        break;
    case EVENT_MOVE:
        move(simulator, index, (enum service)argument);
        break;
    case EVENT_DISCHARGE:
        discharge(simulator, index);
        break;
    case EVENT_CANCEL_ADMIT:
        cancel_admit(simulator, index);
        break;
    case EVENT_CANCEL_MOVE:
        cancel_move(simulator, index);
        break;
    case EVENT_CANCEL_DISCHARGE:
        cancel_discharge(simulator, index);
        break;
    case EVENT_BED_FREE:
        free_bed(simulator, index, argument);
        break;
    case EVENT_STAY_END:
        stay_close(simulator, index);
        break;
    case EVENT_MERGE:
        merge(simulator, index);
        break;
    case EVENT_BIRTH:
        birth(simulator, index);
        break;
    case EVENT_PRESCRIBE:
    case EVENT_DISPENSE:
    case EVENT_DOSE:
    case EVENT_HOLD:
    case EVENT_RELEASE:
    case EVENT_STOP:
        medication_event(simulator, event);
        break;
    default:
        break;
    }
}

void flow_event(struct simulator *simulator, const struct event *event) {
    if (event->kind == EVENT_PRELIMINARY || event->kind == EVENT_FINAL ||
        event->kind == EVENT_CORRECTED)
        order_event(simulator, event);
    else if (event->kind == EVENT_ADMIT_FIRST || event->kind == EVENT_ARRIVE ||
             event->kind == EVENT_PLAN || event->kind == EVENT_PLANNED ||
             event->kind == EVENT_OUTPATIENT)
        come(simulator, event);
    else
        stay_event(simulator, event);
}
