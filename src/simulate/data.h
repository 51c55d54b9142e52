/* data.h - the tables the synthetic hospital is made of: names, places, wards, diagnoses, analyses.
 * Nobody here is real.
 *
 * Shapes     static tables with their counts; texts in UTF-8.
 * Units      values of analyses in thousandths of their unit, ages in years, stays in days.
 * Source     LOINC codes, UCUM units, CIM-10 (ATIH); ranges as French laboratories print them.
 */
#ifndef SIMULATE_DATA_H
#define SIMULATE_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const char *const family_names[];
extern const size_t family_name_count;
/* By sex (0 F, 1 M) and age (0 born before 1970, 1 later). */
struct given_names {
    const char *const *names;
    size_t count;
};
extern const struct given_names given_names[2][2];
extern const char *const street_names[];
extern const size_t street_name_count;
struct city {
    const char *name, *post_code;
};
extern const struct city cities[];
extern const size_t city_count;

enum service {
    SERVICE_URG,
    SERVICE_CARD,
    SERVICE_PNEU,
    SERVICE_CHIR,
    SERVICE_MED,
    SERVICE_PED,
    SERVICE_MAT,
    SERVICE_REA,
    SERVICE_GER,
    SERVICE_ONCO,
    SERVICE_NEURO,
    SERVICE_COUNT
};
struct service_kind {
    const char *code, *name;
    unsigned weight;    /* of all beds, in hundredths */
    unsigned stay_days; /* mean */
    unsigned vitals_s;  /* between two readings */
    unsigned age_low, age_high;
    bool has_single_rooms, is_for_women;
};
extern const struct service_kind service_kinds[SERVICE_COUNT];

enum analyte {
    HEMOGLOBIN,
    HEMATOCRIT,
    ERYTHROCYTES,
    VOLUME,
    LEUKOCYTES,
    PLATELETS,
    SODIUM,
    POTASSIUM,
    CHLORIDE,
    BICARBONATE,
    GLUCOSE,
    CALCIUM,
    CREATININE,
    UREA,
    FILTRATION,
    CRP,
    PROCALCITONIN,
    TROPONIN,
    ALAT,
    ASAT,
    ALKALINE,
    GGT,
    BILIRUBIN,
    PROTHROMBIN,
    INR,
    TCA,
    FIBRINOGEN,
    PH,
    PCO2,
    PO2,
    LACTATE,
    ANALYTE_COUNT
};
struct analyte_kind {
    const char *code, *name, *unit; /* LOINC, French, UCUM */
    int32_t low, high;              /* usual range; low 0: only an upper bound */
    int32_t critical_low, critical_high;
    int32_t center, spread; /* of people who are well */
    int32_t least, most;    /* what a machine may print */
    unsigned decimals;
};
extern const struct analyte_kind analyte_kinds[ANALYTE_COUNT];

#define PANEL_ANALYTES_MAX 6
struct panel {
    const char *code, *name;
    unsigned analyte_count;
    enum analyte analytes[PANEL_ANALYTES_MAX];
};
enum panel_kind {
    PANEL_BLOOD,
    PANEL_IONS,
    PANEL_KIDNEY,
    PANEL_CRP,
    PANEL_TROPONIN,
    PANEL_LIVER,
    PANEL_COAGULATION,
    PANEL_GAS,
    PANEL_COUNT
};
extern const struct panel panels[PANEL_COUNT];

/* What an illness does to analyses, in spreads. */
struct effect {
    enum analyte analyte;
    int spreads;
};
struct diagnosis {
    const char *code, *text;
    enum service service;
    unsigned severity;        /* 0 to 10 */
    struct effect effects[4]; /* until spreads is 0 */
};
extern const struct diagnosis diagnoses[];
extern const size_t diagnosis_count;

struct allergen {
    const char *code, *text, *kind, *severity, *reaction; /* AL1-3, AL1-2, AL1-4, AL1-5 */
};
extern const struct allergen allergens[];
extern const size_t allergen_count;

/* A drug as it is usually prescribed to adults. */
#define DOSE_HOURS_MAX 4
struct drug {
    const char *code, *text;          /* ATC */
    const char *amount, *unit, *form; /* of one dose; UCUM */
    const char *route, *route_text;   /* table 0162 */
    const char *pattern;              /* TQ1-3, table 0335 */
    uint8_t hours[DOSE_HOURS_MAX];    /* of the wall clock, until 0 */
    const char *forbidden_by[2];      /* allergens, by their code; or NULL */
    bool is_for_pregnant;             /* given in the women's ward too */
    unsigned share;                   /* of stays, in thousandths */
};
extern const struct drug drugs[];
extern const size_t drug_count;

/* Lines of reports: findings and what follows from them. */
extern const char *const findings[];
extern const size_t finding_count;
extern const char *const plans[];
extern const size_t plan_count;

#endif
