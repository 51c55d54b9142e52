/* segments.c - the segments of HL7 v2.5 messages as a French hospital sends them (IHE PAM), and
 * whole ADT messages. */
#include "simulate/hospital.h"

#define AUTHORITY "CHV&1.2.250.1.999.1.1&ISO"

static const struct {
    const char *application, *charset;
} speakers[] = {
    [SPEAKER_ADMISSIONS] = {"GAM", "UNICODE UTF-8"},
    [SPEAKER_LABORATORY] = {"LABO", "8859/15"},
    [SPEAKER_MONITORS] = {"MONIT", "8859/15"},
    [SPEAKER_DOCUMENTS] = {"DPI", "UNICODE UTF-8"},
    [SPEAKER_PHARMACY] = {"PHARMA", "UNICODE UTF-8"},
};

void put_header(struct simulator *simulator, enum speaker speaker, const char *type,
                const char *trigger, const char *structure) {
    struct message *message = &simulator->message;
    message->is_latin9 = strcmp(speakers[speaker].charset, "8859/15") == 0;
    simulator->has_message = true;
    put_segment(message, "MSH|^~\\&");
    message->field = 2;
    put_field(message, 3);
    put_raw(message, speakers[speaker].application);
    put_field(message, 4);
    put_raw(message, FACILITY);
    put_field(message, 5);
    put_raw(message, "VEILLEUSE");
    put_field(message, 6);
    put_raw(message, FACILITY);
    put_field(message, 7);
    put_time(message, simulator->now);
    put_field(message, 9);
    put_format(message, "%s^%s^%s", type, trigger, structure);
    put_field(message, 10);
    put_format(message, "%05llX%09llu", (unsigned long long)(simulator->options.seed & 0xfffff),
               (unsigned long long)++simulator->message_number);
    put_field(message, 11);
    put_raw(message, "P");
    put_field(message, 12);
    put_raw(message, "2.5");
    put_field(message, 17);
    put_raw(message, "FRA");
    put_field(message, 18);
    put_raw(message, speakers[speaker].charset);
    put_field(message, 19);
    put_raw(message, "FR");
}

void put_event(struct simulator *simulator, const char *trigger, int64_t happened_at) {
    struct message *message = &simulator->message;
    put_segment(message, "EVN");
    put_field(message, 1);
    put_raw(message, trigger);
    put_field(message, 2);
    put_time(message, simulator->now);
    if (happened_at != INSTANT_NONE) {
        put_field(message, 6);
        put_time(message, happened_at);
    }
}

/* ---- who ---- */

static const char *title_of(struct simulator *simulator, const struct person *person) {
    if (person_age(simulator, person) < 18)
        return "";
    return person->is_man ? "M" : "MME";
}

static void put_name(struct simulator *simulator, const struct person *person, uint16_t family,
                     char type) {
    struct message *message = &simulator->message;
    bool is_young = time_civil(person->born_at, 0).year >= 1970;
    const struct given_names *names = &given_names[person->is_man][is_young];
    put_escaped(message, family_names[family]);
    put_raw(message, "^");
    put_escaped(message, names->names[person->given]);
    put_raw(message, "^");
    put_escaped(message, names->names[person->second_given]);
    put_format(message, "^^%s^^%c", title_of(simulator, person), type);
}

static void put_names(struct simulator *simulator, const struct person *person) {
    if (person->birth_family != person->family) {
        put_name(simulator, person, person->family, 'D');
        put_raw(&simulator->message, "~");
    }
    put_name(simulator, person, person->birth_family, 'L');
}

static void put_birth(struct message *message, const struct person *person) {
    struct civil_time born = time_civil(person->born_at, 0);
    if (person->is_newborn)
        put_time(message, person->born_at);
    else
        put_format(message, "%04d%02d%02d", born.year, born.month, born.day);
}

static void put_address(struct message *message, const struct person *person) {
    put_format(message, "%u ", person->street_number);
    put_escaped(message, street_names[person->street]);
    put_raw(message, "^^");
    put_escaped(message, cities[person->city].name);
    put_format(message, "^^%s^FRA^H", cities[person->city].post_code);
}

static uint64_t told_number(const struct person *person) {
    return person->provisional ? person->provisional : person->number;
}

void put_person(struct simulator *simulator, const struct stay *stay) {
    struct message *message = &simulator->message;
    const struct person *person = &stay->person;
    put_segment(message, "PID");
    put_field(message, 1);
    put_raw(message, "1");
    put_field(message, 3);
    put_format(message, "%llu^^^" AUTHORITY "^PI", (unsigned long long)told_number(person));
    put_field(message, 5);
    put_names(simulator, person);
    put_field(message, 7);
    put_birth(message, person);
    put_field(message, 8);
    put_raw(message, person->is_man ? "M" : "F");
    put_field(message, 11);
    put_address(message, person);
    put_field(message, 13);
    put_format(message, "0%u^PRN^CP", person->phone);
    put_field(message, 18);
    put_format(message, "%llu^^^" AUTHORITY "^AN", (unsigned long long)stay->visit);
    put_field(message, 32);
    put_raw(message, person->provisional ? "PROV" : "VALI");
}

void put_merged(struct simulator *simulator, uint64_t loser) {
    struct message *message = &simulator->message;
    put_segment(message, "MRG");
    put_field(message, 1);
    put_format(message, "%llu^^^" AUTHORITY "^PI", (unsigned long long)loser);
}

/* ---- where and by whom ---- */

void put_place(struct simulator *simulator, const struct stay *stay, uint32_t bed) {
    struct message *message = &simulator->message;
    if (stay->mother != NOBODY)
        bed = simulator->stays[stay->mother].bed;
    if (stay->class == 'O') {
        put_format(message, "CONS^C%llu^^" FACILITY, (unsigned long long)(1 + stay->visit % 12));
    } else if (bed == NOWHERE) {
        put_format(message, "%s^ATTENTE^^" FACILITY, simulator->wards[stay->ward].code);
    } else {
        const struct bed *at = &simulator->beds[bed];
        put_format(message, "%s^%u^%c^" FACILITY, simulator->wards[at->ward].code,
                   (unsigned)at->room, stay->mother != NOBODY ? 'B' : at->letter);
    }
}

/* The last digit of an RPPS, by Luhn's rule: every second digit before it, from the right, counts double. */
static unsigned check_digit(uint64_t number) {
    unsigned sum = 0;
    for (bool is_doubled = true; number; number /= 10, is_doubled = !is_doubled) {
        unsigned digit = (unsigned)(number % 10) * (is_doubled ? 2 : 1);
        sum += digit > 9 ? digit - 9 : digit;
    }
    return (10 - sum % 10) % 10;
}

void put_doctor(struct message *message, unsigned doctor) {
    const char *given =
        given_names[doctor % 2][1].names[doctor * 7 % given_names[doctor % 2][1].count];
    uint64_t number = UINT64_C(1010000000) + 123457 + doctor * 7919;
    put_format(message, "%llu%u^", (unsigned long long)number, check_digit(number));
    put_escaped(message, family_names[doctor * 31 % family_name_count]);
    put_raw(message, "^");
    put_escaped(message, given);
    put_raw(message, "^^^DR^^^RPPS&1.2.250.1.71.4.2.1&ISO^L^^^RPPS");
}

void put_visit(struct simulator *simulator, const struct stay *stay) {
    struct message *message = &simulator->message;
    put_segment(message, "PV1");
    put_field(message, 1);
    put_raw(message, "1");
    put_field(message, 2);
    put_format(message, "%c", stay->class);
    put_field(message, 3);
    put_place(simulator, stay, stay->bed);
    if (stay->person.is_newborn) {
        put_field(message, 4);
        put_raw(message, "N");
    }
    if (stay->prior_bed != NOWHERE) {
        put_field(message, 6);
        put_place(simulator, stay, stay->prior_bed);
    }
    put_field(message, 7);
    put_doctor(message, stay->ward * 3u + stay->doctor);
    put_field(message, 10);
    put_raw(message, service_kinds[simulator->wards[stay->ward].service].code);
    put_field(message, 19);
    put_format(message, "%llu^^^" AUTHORITY "^VN", (unsigned long long)stay->visit);
    put_field(message, 44);
    put_time(message, stay->admitted_at);
    if (stay->discharged_at != INSTANT_NONE) {
        put_field(message, 45);
        put_time(message, stay->discharged_at);
    }
}

void put_movement(struct simulator *simulator, const struct stay *stay, const char *action,
                  const char *original) {
    struct message *message = &simulator->message;
    const struct ward *ward = &simulator->wards[stay->ward];
    put_segment(message, "ZBE");
    put_field(message, 1);
    put_format(message, "%llu^GAM", (unsigned long long)stay->movement_id);
    put_field(message, 2);
    put_time(message, stay->movement_at);
    put_field(message, 4);
    put_raw(message, action);
    put_field(message, 5);
    put_raw(message, "N");
    if (original[0]) {
        put_field(message, 6);
        put_raw(message, original);
    }
    for (unsigned field = 7; field <= 8; field++) {
        put_field(message, field);
        put_escaped(message, ward->name);
        put_format(message, "^^^^^" AUTHORITY "^UF^^^%u", ward->unit);
    }
    put_field(message, 9);
    put_raw(message, "HMS");
}

/* ---- what is known of them ---- */

void put_allergies(struct simulator *simulator, const struct person *person) {
    struct message *message = &simulator->message;
    for (unsigned i = 0; i < person->allergy_count; i++) {
        const struct allergen *allergen = &allergens[person->allergies[i]];
        put_segment(message, "AL1");
        put_field(message, 1);
        put_number(message, i + 1);
        put_field(message, 2);
        put_raw(message, allergen->kind);
        put_field(message, 3);
        put_format(message, "%s^", allergen->code);
        put_escaped(message, allergen->text);
        put_raw(message, "^L");
        put_field(message, 4);
        put_raw(message, allergen->severity);
        put_field(message, 5);
        put_escaped(message, allergen->reaction);
    }
    if (person->has_no_allergy) {
        put_segment(message, "AL1|1");
        message->field = 1;
        put_field(message, 3);
        put_raw(message, "716186003^Aucune allergie connue^SCT");
    }
}

void put_diagnosis(struct simulator *simulator, const struct stay *stay) {
    struct message *message = &simulator->message;
    const struct diagnosis *diagnosis = &diagnoses[stay->diagnosis];
    put_segment(message, "DG1");
    put_field(message, 1);
    put_raw(message, "1");
    put_field(message, 3);
    put_format(message, "%s^", diagnosis->code);
    put_escaped(message, diagnosis->text);
    put_raw(message, "^I10");
    put_field(message, 5);
    put_time(message, stay->admitted_at);
    put_field(message, 6);
    put_raw(message, stay->class == 'I' ? "A" : "W");
}

/* ---- whole messages ---- */

static void put_adt(struct simulator *simulator, const struct stay *stay, const char *trigger,
                    const char *structure, int64_t happened_at) {
    put_header(simulator, SPEAKER_ADMISSIONS, "ADT", trigger, structure);
    put_event(simulator, trigger, happened_at);
    put_person(simulator, stay);
}

void tell_movement(struct simulator *simulator, uint32_t index, const char *trigger,
                   const char *structure, int64_t holds) {
    struct stay *stay = &simulator->stays[index];
    bool is_arrival = trigger[2] == '1' || trigger[2] == '4';
    stay->movement_id = ++simulator->movement_number;
    stay->movement_at = holds;
    put_adt(simulator, stay, trigger, structure, holds);
    put_visit(simulator, stay);
    put_movement(simulator, stay, "INSERT", "");
    if (is_arrival)
        put_allergies(simulator, &stay->person);
    if (is_arrival || trigger[2] == '6')
        put_diagnosis(simulator, stay);
}

void tell_cancel(struct simulator *simulator, uint32_t index, const char *trigger,
                 const char *structure, const char *original) {
    const struct stay *stay = &simulator->stays[index];
    put_adt(simulator, stay, trigger, structure, stay->movement_at);
    put_visit(simulator, stay);
    put_movement(simulator, stay, "CANCEL", original);
}

void tell_update(struct simulator *simulator, uint32_t index, const char *trigger,
                 const char *structure) {
    const struct stay *stay = &simulator->stays[index];
    put_adt(simulator, stay, trigger, structure, INSTANT_NONE);
    if (trigger[1] == '0')
        put_visit(simulator, stay);
    else
        put_segment(&simulator->message, "PV1|1|N");
    put_allergies(simulator, &stay->person);
    if (trigger[1] == '0')
        put_diagnosis(simulator, stay);
}

void tell_merge(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    uint64_t loser = stay->person.provisional;
    stay->person.provisional = 0;
    put_adt(simulator, stay, "A40", "ADT_A39", INSTANT_NONE);
    put_merged(simulator, loser);
}
