/* people.c - invented people: names, birth dates, addresses, allergies; and their stays. */
#include "simulate/hospital.h"

#include <assert.h>

static uint16_t one_of(struct simulator *simulator, size_t count) {
    return (uint16_t)random_below(&simulator->random, count);
}

static void make_allergies(struct simulator *simulator, struct person *person) {
    if (random_chance(&simulator->random, 220)) {
        person->allergy_count = (uint8_t)random_between(&simulator->random, 1, 100) > 80 ? 2 : 1;
        person->allergies[0] = (uint8_t)one_of(simulator, allergen_count - 1);
        person->allergies[1] = (uint8_t)(person->allergies[0] + 1);
    } else {
        person->has_no_allergy = random_chance(&simulator->random, 620);
    }
}

static void make_address(struct simulator *simulator, struct person *person) {
    person->street = one_of(simulator, street_name_count);
    person->street_number = (unsigned)random_between(&simulator->random, 1, 180);
    person->city = one_of(simulator, city_count);
    person->phone = 600000000u + (uint32_t)random_below(&simulator->random, 180000000);
}

static const struct given_names *given_names_of(struct simulator *simulator,
                                                const struct person *person) {
    bool is_young = time_civil(person->born_at, 0).year >= 1970;
    (void)simulator;
    return &given_names[person->is_man][is_young];
}

static void make_names(struct simulator *simulator, struct person *person) {
    const struct given_names *names = given_names_of(simulator, person);
    person->family = person->birth_family = one_of(simulator, family_name_count);
    person->given = one_of(simulator, names->count);
    person->second_given = one_of(simulator, names->count);
    int age = person_age(simulator, person);
    if (!person->is_man && age > 25 && random_chance(&simulator->random, 550))
        person->birth_family = one_of(simulator, family_name_count);
}

void person_make(struct simulator *simulator, struct person *person, enum service service) {
    const struct service_kind *kind = &service_kinds[service];
    *person = (struct person){.number = ++simulator->person_number};
    person->is_man = !kind->is_for_women && random_chance(&simulator->random, 485);
    /* The mean of two draws: the middle ages of a ward are its most frequent. */
    int64_t low = kind->age_low * 365, high = kind->age_high * 365 + 200;
    int64_t days = (random_between(&simulator->random, low, high) +
                    random_between(&simulator->random, low, high)) /
                   2;
    int64_t born = simulator->options.start_at - days * 24 * HOUR;
    person->born_at = born - born % (24 * HOUR);
    make_names(simulator, person);
    make_address(simulator, person);
    make_allergies(simulator, person);
}

void person_born(struct simulator *simulator, struct person *person, const struct person *mother) {
    *person = *mother;
    person->number = ++simulator->person_number;
    person->provisional = 0;
    person->is_man = random_chance(&simulator->random, 512);
    person->is_newborn = true;
    person->born_at = simulator->now - simulator->now % MINUTE - 20 * MINUTE;
    person->birth_family = person->family;
    const struct given_names *names = given_names_of(simulator, person);
    person->given = one_of(simulator, names->count);
    person->second_given = one_of(simulator, names->count);
    person->allergy_count = 0;
    person->has_no_allergy = false;
}

int person_age(struct simulator *simulator, const struct person *person) {
    int64_t now = simulator->now == INT64_MIN ? simulator->options.start_at : simulator->now;
    return time_age_years(time_civil(person->born_at, 0), time_civil(now, 0));
}

uint16_t diagnosis_of(struct simulator *simulator, enum service service) {
    uint16_t start = one_of(simulator, diagnosis_count);
    for (size_t i = 0; i < diagnosis_count; i++) {
        size_t at = (start + i) % diagnosis_count;
        if (diagnoses[at].service == service)
            return (uint16_t)at;
    }
    return 0;
}

static uint32_t free_stay(struct simulator *simulator) {
    for (uint32_t i = 0; i < simulator->stay_count; i++) {
        uint32_t at = (simulator->free_stay + i) % simulator->stay_count;
        if (!simulator->stays[at].is_used) {
            simulator->free_stay = at + 1;
            return at;
        }
    }
    return NOBODY;
}

/* Somebody who was here before comes back, if he fits the ward. */
static bool person_returns(struct simulator *simulator, struct person *person,
                           enum service service) {
    if (simulator->former_count == 0 || !random_chance(&simulator->random, 60))
        return false;
    uint32_t at = (uint32_t)random_below(&simulator->random, simulator->former_count);
    const struct person *former = &simulator->former[at];
    const struct service_kind *kind = &service_kinds[service];
    int age = person_age(simulator, former);
    if (former->provisional || former->is_newborn || age < (int)kind->age_low ||
        age > (int)kind->age_high || (kind->is_for_women && former->is_man))
        return false;
    *person = *former;
    simulator->former[at] = simulator->former[--simulator->former_count];
    return true;
}

uint32_t stay_open(struct simulator *simulator, enum service service) {
    uint32_t index = free_stay(simulator);
    if (index == NOBODY)
        return NOBODY;
    struct stay *stay = &simulator->stays[index];
    *stay = (struct stay){.is_used = true,
                          .generation = stay->generation + 1,
                          .visit = ++simulator->visit_number,
                          .class = 'I',
                          .ward = (uint16_t)wards_of(simulator, service),
                          .bed = NOWHERE,
                          .prior_bed = NOWHERE,
                          .mother = NOBODY,
                          .admitted_at = simulator->now,
                          .discharged_at = INSTANT_NONE};
    if (!person_returns(simulator, &stay->person, service))
        person_make(simulator, &stay->person, service);
    stay->doctor = (unsigned)random_below(&simulator->random, 3);
    stay->diagnosis = diagnosis_of(simulator, service);
    illness_start(simulator, stay);
    return index;
}

void stay_close(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    assert(stay->is_used);
    bed_free(simulator, stay->bed, index);
    bed_free(simulator, stay->prior_bed, index);
    uint32_t at = simulator->former_count < FORMER_COUNT
                      ? simulator->former_count++
                      : (uint32_t)random_below(&simulator->random, FORMER_COUNT);
    simulator->former[at] = stay->person;
    stay->is_used = false;
}
