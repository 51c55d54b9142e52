/* results.c - vital signs and analyses: figures that fit a person, an illness and the figures
 * before them.
 *
 * A value is center + deviation * spread / 100. A deviation tends to what the illness makes of it,
 * with chance beside; so values of one person follow each other, and come back to the usual as the
 * illness passes.
 */
#include "simulate/hospital.h"

#include <assert.h>

#define ILLNESS_FULL 1000

static int noise(struct simulator *simulator, int spread) {
    return (int)random_normal_milli(&simulator->random, 0, spread);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

/* ---- illness ---- */

static int target_of(const struct stay *stay, enum analyte analyte) {
    const struct diagnosis *diagnosis = &diagnoses[stay->diagnosis];
    for (size_t i = 0; i < 4 && diagnosis->effects[i].spreads; i++)
        if (diagnosis->effects[i].analyte == analyte)
            return diagnosis->effects[i].spreads * 100 * stay->illness / ILLNESS_FULL;
    return 0;
}

void illness_start(struct simulator *simulator, struct stay *stay) {
    stay->illness = (int)random_between(&simulator->random, ILLNESS_FULL / 3, ILLNESS_FULL);
    for (unsigned i = 0; i < ANALYTE_COUNT; i++)
        stay->deviations[i] = target_of(stay, (enum analyte)i) + noise(simulator, 70);
}

void illness_day(struct simulator *simulator, struct stay *stay) {
    (void)simulator;
    stay->illness = stay->illness * 82 / 100;
}

/* ---- vital signs ---- */

enum vital { HEART_RATE, SYSTOLIC, DIASTOLIC, TEMPERATURE, SATURATION, BREATHING };

static const struct vital_kind {
    const char *code, *name, *unit;
    unsigned decimals;
} vital_kinds[VITAL_COUNT] = {
    {"8867-4", "Fréquence cardiaque", "/min", 0},
    {"8480-6", "Pression artérielle systolique", "mm[Hg]", 0},
    {"8462-4", "Pression artérielle diastolique", "mm[Hg]", 0},
    {"8310-5", "Température corporelle", "Cel", 1},
    {"59408-5", "Saturation en oxygène (SpO2)", "%", 0},
    {"9279-1", "Fréquence respiratoire", "/min", 0},
};

struct vital_range { /* thousandths: center, spread, low, high */
    int32_t center, spread, low, high;
};
/* By age: under 1 year, under 12, older. */
static const struct vital_range vital_ranges[3][VITAL_COUNT] = {
    {{138000, 11000, 100000, 170000},
     {82000, 8000, 65000, 105000},
     {50000, 6000, 35000, 65000},
     {36900, 250, 36000, 38000},
     {98000, 1000, 94000, 100000},
     {42000, 6000, 28000, 60000}},
    {{98000, 11000, 70000, 130000},
     {102000, 8000, 85000, 120000},
     {62000, 7000, 45000, 80000},
     {36900, 300, 36000, 38000},
     {98000, 1000, 94000, 100000},
     {23000, 4000, 16000, 32000}},
    {{77000, 11000, 50000, 100000},
     {129000, 14000, 90000, 150000},
     {74000, 9000, 50000, 90000},
     {36800, 300, 36000, 38000},
     {96500, 1300, 92000, 100000},
     {16500, 2500, 12000, 22000}},
};

static const struct vital_range *ranges_for(struct simulator *simulator, const struct stay *stay) {
    int age = person_age(simulator, &stay->person);
    return vital_ranges[age < 1 ? 0 : age < 12 ? 1 : 2];
}

/* The severely ill breathe and beat faster, saturate and stand lower; fever belongs to
 * inflammation. */
static int vital_target(const struct stay *stay, enum vital vital) {
    int severity = (int)diagnoses[stay->diagnosis].severity * stay->illness / ILLNESS_FULL;
    switch (vital) {
    case HEART_RATE:
        return severity * 22;
    case SYSTOLIC:
    case DIASTOLIC:
        return severity > 6 ? severity * -18 : 0;
    case TEMPERATURE:
        return stay->deviations[CRP] > 600 ? 500 : 0;
    case SATURATION:
        return severity * -22;
    case BREATHING:
        return severity * 26;
    }
    return 0;
}

static const char *flag_of(int64_t value, int64_t low, int64_t high, int64_t critical_low,
                           int64_t critical_high) {
    if (critical_high && value > critical_high)
        return "HH";
    if (critical_low && value < critical_low)
        return "LL";
    return value > high ? "H" : low && value < low ? "L" : "N";
}

static void put_range(struct message *message, int64_t low, int64_t high, unsigned decimals) {
    if (low)
        put_milli(message, low, decimals);
    put_raw(message, low ? "-" : "<");
    put_milli(message, high, decimals);
}

/* OBX of one figure. Without a time of its own (INSTANT_NONE) it is of OBR-7. */
struct figure {
    const char *code, *name, *unit, *flag;
    int64_t value, low, high, at;
    unsigned decimals;
    char status;
};

static void put_figure(struct simulator *simulator, unsigned set_id, const struct figure *figure) {
    struct message *message = &simulator->message;
    put_segment(message, "OBX");
    put_field(message, 1);
    put_number(message, set_id);
    put_field(message, 2);
    put_raw(message, "NM");
    put_field(message, 3);
    put_format(message, "%s^", figure->code);
    put_escaped(message, figure->name);
    put_raw(message, "^LN");
    put_field(message, 5);
    put_milli(message, figure->value, figure->decimals);
    put_field(message, 6);
    put_escaped(message, figure->unit);
    put_raw(message, "^^UCUM");
    put_field(message, 7);
    put_range(message, figure->low, figure->high, figure->decimals);
    put_field(message, 8);
    put_raw(message, figure->flag);
    put_field(message, 11);
    put_format(message, "%c", figure->status);
    if (figure->at != INSTANT_NONE) {
        put_field(message, 14);
        put_time(message, figure->at);
    }
}

static void put_vital(struct simulator *simulator, struct stay *stay, enum vital vital) {
    const struct vital_kind *kind = &vital_kinds[vital];
    const struct vital_range *range = &ranges_for(simulator, stay)[vital];
    int *deviation = &stay->vitals[vital];
    *deviation += (vital_target(stay, vital) - *deviation) / 8 + noise(simulator, 28);
    int64_t value = range->center + (int64_t)*deviation * range->spread / 100;
    value = clamp(value, range->low / 3, vital == SATURATION ? 100000 : range->high * 2);
    if (vital == TEMPERATURE)
        value = clamp(value, 34000, 41500);
    struct figure figure = {.code = kind->code,
                            .name = kind->name,
                            .unit = kind->unit,
                            .flag = flag_of(value, range->low, range->high, 0, 0),
                            .value = value,
                            .low = range->low,
                            .high = range->high,
                            .at = INSTANT_NONE,
                            .decimals = kind->decimals,
                            .status = 'F'};
    put_figure(simulator, (unsigned)vital + 1, &figure);
}

struct request {
    uint64_t placer, filler; /* placer 0: nobody asked, a device told; filler 0: only asked for */
    const char *filler_prefix, *code, *name;
    int64_t at;
    unsigned doctor;
    char status;
};

static void put_request(struct simulator *simulator, const struct request *request) {
    struct message *message = &simulator->message;
    put_segment(message, "OBR");
    put_field(message, 1);
    put_raw(message, "1");
    if (request->placer) {
        put_field(message, 2);
        put_format(message, "D%llu^DPI", (unsigned long long)request->placer);
    }
    if (request->filler) {
        put_field(message, 3);
        put_format(message, "%s%llu^%s", request->filler_prefix,
                   (unsigned long long)request->filler, request->placer ? "LABO" : "MONIT");
    }
    put_field(message, 4);
    put_format(message, "%s^", request->code);
    put_escaped(message, request->name);
    put_raw(message, "^L");
    put_field(message, 7);
    put_time(message, request->at);
    if (request->placer) {
        put_field(message, 16);
        put_doctor(message, request->doctor);
    }
    if (!request->filler)
        return;
    put_field(message, 22);
    put_time(message, simulator->now);
    put_field(message, 25);
    put_format(message, "%c", request->status);
}

void tell_vitals(struct simulator *simulator, uint32_t index) {
    struct stay *stay = &simulator->stays[index];
    int64_t at = simulator->now - random_between(&simulator->random, 2, 20) * US_PER_S;
    put_header(simulator, SPEAKER_MONITORS, "ORU", "R01", "ORU_R01");
    put_person(simulator, stay);
    put_visit(simulator, stay);
    struct request request = {.filler = ++simulator->reading_number,
                              .filler_prefix = "M",
                              .code = "VITAUX",
                              .name = "Signes vitaux",
                              .at = at,
                              .status = 'F'};
    put_request(simulator, &request);
    for (unsigned vital = 0; vital < VITAL_COUNT; vital++)
        put_vital(simulator, stay, (enum vital)vital);
}

/* ---- analyses ---- */

/* What is printed: rounded as the laboratory rounds, so that flags agree with what can be read. */
static int64_t rounded(int64_t value, unsigned decimals) {
    static const int64_t steps[] = {1000, 100, 10, 1};
    int64_t step = steps[decimals];
    return (value + step / 2) / step * step;
}

static int64_t measure(struct simulator *simulator, struct stay *stay, enum analyte analyte) {
    const struct analyte_kind *kind = &analyte_kinds[analyte];
    int *deviation = &stay->deviations[analyte];
    *deviation += (target_of(stay, analyte) - *deviation) / 4 + noise(simulator, 35);
    int of_sex = !stay->person.is_man && analyte == HEMOGLOBIN ? -60 : 0;
    int64_t value = kind->center + (int64_t)(*deviation + of_sex) * kind->spread / 100;
    if (analyte == FILTRATION) { /* follows from what was measured before it */
        int64_t creatinine =
            analyte_kinds[CREATININE].center +
            (int64_t)stay->deviations[CREATININE] * analyte_kinds[CREATININE].spread / 100;
        int64_t age = person_age(simulator, &stay->person);
        value =
            INT64_C(92000) * 74000 / clamp(creatinine, 22000, 1200000) * (1240 - age * 6) / 1000;
    }
    return rounded(clamp(value, kind->least, kind->most), kind->decimals);
}

/* Red cells go together. */
static void bind_blood(struct stay *stay) {
    stay->deviations[HEMATOCRIT] = stay->deviations[HEMOGLOBIN];
    stay->deviations[ERYTHROCYTES] = stay->deviations[HEMOGLOBIN] * 9 / 10;
}

static uint32_t free_order(struct simulator *simulator) {
    for (uint32_t i = 0; i < simulator->order_count; i++) {
        uint32_t at = (simulator->free_order + i) % simulator->order_count;
        if (!simulator->orders[at].is_used) {
            simulator->free_order = at + 1;
            return at;
        }
    }
    return NOBODY;
}

/* The placer's number alone: the laboratory gives its own with the result. */
static void tell_order(struct simulator *simulator, const struct order *order,
                       const struct stay *stay) {
    struct message *message = &simulator->message;
    struct request request = {.placer = order->number,
                              .code = panels[order->panel].code,
                              .name = panels[order->panel].name,
                              .at = order->collected_at,
                              .doctor = stay->ward * 3u + stay->doctor};
    put_header(simulator, SPEAKER_DOCUMENTS, "OML", "O21", "OML_O21");
    put_person(simulator, stay);
    put_visit(simulator, stay);
    put_segment(message, "ORC");
    put_field(message, 1);
    put_raw(message, "NW");
    put_field(message, 2);
    put_format(message, "D%llu^DPI", (unsigned long long)order->number);
    put_field(message, 9);
    put_time(message, simulator->now);
    put_field(message, 12);
    put_doctor(message, request.doctor);
    put_request(simulator, &request);
}

void order_make(struct simulator *simulator, uint32_t stay_index, enum panel_kind panel) {
    struct stay *stay = &simulator->stays[stay_index];
    uint32_t index = stay->is_gone ? NOBODY : free_order(simulator);
    if (index == NOBODY)
        return;
    struct order *order = &simulator->orders[index];
    *order = (struct order){.is_used = true,
                            .generation = order->generation + 1,
                            .stay = stay_index,
                            .stay_generation = stay->generation,
                            .panel = panel,
                            .number = ++simulator->order_number,
                            .collected_at = simulator->now,
                            .corrected = PANEL_ANALYTES_MAX};
    for (unsigned i = 0; i < panels[panel].analyte_count; i++) {
        order->values[i] = measure(simulator, stay, panels[panel].analytes[i]);
        if (panels[panel].analytes[i] == HEMOGLOBIN)
            bind_blood(stay);
    }
    tell_order(simulator, order, stay);
    bool has_preliminary = random_chance(&simulator->random, 350);
    if (has_preliminary)
        happen(simulator, after_minutes(simulator, simulator->now, 25, 45), EVENT_PRELIMINARY,
               index, order->generation, 0);
    happen(simulator, after_minutes(simulator, simulator->now, 48, 140), EVENT_FINAL, index,
           order->generation, 0);
}

/* A final result that turns out wrong: one value was of another tube. */
static void plan_correction(struct simulator *simulator, uint32_t index) {
    struct order *order = &simulator->orders[index];
    if (!random_chance(&simulator->random, 12)) {
        order->is_used = false;
        return;
    }
    order->corrected =
        (uint32_t)random_below(&simulator->random, panels[order->panel].analyte_count);
    happen(simulator, after_minutes(simulator, simulator->now, 20, 150), EVENT_CORRECTED, index,
           order->generation, 0);
}

static void put_order(struct simulator *simulator, const struct order *order,
                      const struct stay *stay, char status) {
    struct message *message = &simulator->message;
    const struct panel *panel = &panels[order->panel];
    put_segment(message, "ORC");
    put_field(message, 1);
    put_raw(message, "RE");
    put_field(message, 2);
    put_format(message, "D%llu^DPI", (unsigned long long)order->number);
    put_field(message, 3);
    put_format(message, "L%llu^LABO", (unsigned long long)order->number);
    put_field(message, 5);
    put_raw(message, status == 'P' ? "IP" : "CM");
    struct request request = {.placer = order->number,
                              .filler = order->number,
                              .filler_prefix = "L",
                              .code = panel->code,
                              .name = panel->name,
                              .at = order->collected_at,
                              .doctor = stay->ward * 3u + stay->doctor,
                              .status = status};
    put_request(simulator, &request);
}

static void put_value(struct simulator *simulator, const struct order *order, unsigned nth,
                      char status) {
    const struct analyte_kind *kind = &analyte_kinds[panels[order->panel].analytes[nth]];
    struct figure figure = {.code = kind->code,
                            .name = kind->name,
                            .unit = kind->unit,
                            .flag = flag_of(order->values[nth], kind->low, kind->high,
                                            kind->critical_low, kind->critical_high),
                            .value = order->values[nth],
                            .low = kind->low,
                            .high = kind->high,
                            .at = order->collected_at,
                            .decimals = kind->decimals,
                            .status = status};
    put_figure(simulator, nth + 1, &figure);
}

void tell_result(struct simulator *simulator, uint32_t index, char status) {
    struct order *order = &simulator->orders[index];
    const struct stay *stay = &simulator->stays[order->stay];
    if (!stay->is_used || stay->generation != order->stay_generation) {
        order->is_used = false;
        return;
    }
    const struct panel *panel = &panels[order->panel];
    if (status == 'C') {
        const struct analyte_kind *kind = &analyte_kinds[panel->analytes[order->corrected]];
        int64_t value =
            order->values[order->corrected] + (int64_t)noise(simulator, 150) * kind->spread / 100;
        order->values[order->corrected] =
            rounded(clamp(value, kind->least, kind->most), kind->decimals);
    }
    put_header(simulator, SPEAKER_LABORATORY, "ORU", "R01", "ORU_R01");
    put_person(simulator, stay);
    put_visit(simulator, stay);
    put_order(simulator, order, stay, status);
    /* What is preliminary is the first half. */
    unsigned count = status == 'P' ? (panel->analyte_count + 1) / 2 : panel->analyte_count;
    for (unsigned nth = 0; nth < count; nth++)
        put_value(simulator, order, nth, status == 'C' && nth != order->corrected ? 'F' : status);
    if (status == 'F')
        plan_correction(simulator, index);
    else if (status == 'C')
        order->is_used = false;
}
