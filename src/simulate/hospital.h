/* hospital.h - what the files of the simulator share: wards, beds, people, stays, and the writing
 * about them.
 *
 * Shapes     everything lives in arrays and is named by its index; NOWHERE and NOBODY stand for
 *            none.
 * Units      instants in microseconds, rounded to milliseconds; deviations in hundredths of an
 *            analyte's spread.
 * Ownership  struct simulator owns all; an event or order that outlives its stay is void by
 *            generation.
 */
#ifndef SIMULATE_HOSPITAL_H
#define SIMULATE_HOSPITAL_H

#include "simulate/data.h"
#include "simulate/message.h"
#include "simulate/queue.h"
#include "simulate/simulate.h"

#define NOWHERE            UINT32_MAX
#define NOBODY             UINT32_MAX
#define FACILITY           "CHV"
#define MINUTE             (60 * US_PER_S)
#define HOUR               (60 * MINUTE)
#define FORMER_COUNT       256u
#define ALLERGY_COUNT      3u
#define VITAL_COUNT        6u
#define WARD_COUNT         256u
#define PRESCRIPTION_COUNT 4u

struct ward {
    char code[16], name[32];
    enum service service;
    uint32_t first_bed, bed_count;
    unsigned unit; /* the number accountants know it by */
};

struct bed {
    uint16_t ward;
    uint16_t room;
    char letter;   /* P at the door, F at the window; 1 alone */
    uint32_t stay; /* NOBODY: free */
};

struct person {
    uint64_t number;      /* IPP */
    uint64_t provisional; /* not 0: told under this number until the merge */
    uint16_t family, birth_family, given, second_given, street, city;
    unsigned street_number;
    uint32_t phone;
    bool is_man;
    int64_t born_at; /* of newborns to the minute */
    bool is_newborn;
    uint8_t allergies[ALLERGY_COUNT], allergy_count;
    bool has_no_allergy; /* stated; otherwise nobody asked */
};

/* Of one drug, from its order to its end. */
struct prescription {
    bool is_active, is_held;
    uint8_t drug;
    uint64_t number;               /* placer, ORC-2 */
    uint32_t administration_count; /* RXA-2 of the last dose */
    int64_t started_at;
};

struct stay {
    bool is_used, is_gone, is_leaving;
    uint32_t generation;
    struct person person;
    uint64_t visit;
    char class; /* PV1-2: I E O */
    uint16_t ward;
    uint32_t bed, prior_bed;
    uint32_t mother; /* of a newborn, who lies beside her */
    int64_t admitted_at, discharged_at;
    uint16_t diagnosis;
    unsigned doctor;
    int illness;          /* in thousandths, falls as the days pass */
    uint64_t movement_id; /* of the last movement; a cancel names it */
    int64_t movement_at;
    int deviations[ANALYTE_COUNT];
    int vitals[VITAL_COUNT];
    struct prescription prescriptions[PRESCRIPTION_COUNT];
};

struct order {
    bool is_used;
    uint32_t generation, stay, stay_generation;
    enum panel_kind panel;
    uint64_t number;
    int64_t collected_at;
    int64_t values[PANEL_ANALYTES_MAX];
    uint32_t corrected; /* which value; PANEL_ANALYTES_MAX: none */
};

/* Which part of the hospital speaks. */
enum speaker {
    SPEAKER_ADMISSIONS,
    SPEAKER_LABORATORY,
    SPEAKER_MONITORS,
    SPEAKER_DOCUMENTS,
    SPEAKER_PHARMACY
};

struct simulator {
    struct simulator_options options;
    struct random random, spoilt_chance,
        drug_chance; /* drugs have chance of their own: they change nobody else's */
    struct zone zone;
    struct message message;
    char buffer[32768];
    bool has_message;
    enum err err;
    int64_t now; /* of the message being written: later than every one before */
    struct event_queue queue;
    struct ward wards[WARD_COUNT];
    uint32_t ward_count;
    struct bed *beds;
    uint32_t bed_count;
    struct stay *stays;
    uint32_t stay_count;
    struct order *orders;
    uint32_t order_count;
    struct person former[FORMER_COUNT];
    uint32_t former_count, free_stay, free_order; /* where a search for a free one begins */
    uint64_t person_number, visit_number, movement_number, order_number, document_number,
        prescription_number, dispense_number;
    uint64_t reading_number, message_number;
};

enum event_kind {
    EVENT_ADMIT_FIRST, /* one who was there before the simulation began; argument: bed */
    EVENT_ARRIVE,      /* at the emergency department; the next arrival is put */
    EVENT_EMERGENCY_END,
    EVENT_TO_WARD, /* admitted while still in the emergency department */
    EVENT_PLAN,    /* every morning */
    EVENT_PLANNED, /* index: ward; argument: how often it was put off */
    EVENT_DAY,     /* every morning of a stay */
    EVENT_VITALS,
    EVENT_LABORATORY, /* argument: panel */
    EVENT_PRELIMINARY,
    EVENT_FINAL,
    EVENT_CORRECTED, /* index: order */
    EVENT_DOCUMENT,  /* argument: kind */
    EVENT_UPDATE,    /* A08 */
    EVENT_PERSON,    /* A28 of one who is expected, A31 of one who is here; argument: is here */
    EVENT_MOVE,      /* argument: service, or SERVICE_COUNT: within the ward */
    EVENT_DISCHARGE,
    EVENT_CANCEL_ADMIT,
    EVENT_CANCEL_MOVE,
    EVENT_CANCEL_DISCHARGE,
    EVENT_BED_FREE, /* argument: bed */
    EVENT_STAY_END,
    EVENT_MERGE,
    EVENT_BIRTH,
    EVENT_PRESCRIBE, /* argument: which prescription of the stay */
    EVENT_DISPENSE,  /* likewise, and below */
    EVENT_DOSE,      /* the next one is put */
    EVENT_HOLD,
    EVENT_RELEASE,
    EVENT_STOP,
    EVENT_OUTPATIENT /* the next one is put */
};

/* ---- simulator.c: time and events ---- */
void happen(struct simulator *simulator, int64_t at, enum event_kind kind, uint32_t index,
            uint32_t generation, uint32_t argument);
void happen_to(struct simulator *simulator, uint32_t stay, int64_t at, enum event_kind kind,
               uint32_t argument);
/* A moment from low to high, both in minutes after `at`. */
int64_t after_minutes(struct simulator *simulator, int64_t at, int64_t low, int64_t high);
/* The next time after `at` that the clocks on the wall show hour:minute. */
int64_t next_at_hour(struct simulator *simulator, int64_t at, int hour, int minute);
struct civil_time local_time(struct simulator *simulator, int64_t at);

/* ---- wards.c: beds ---- */
MUST_CHECK enum err wards_make(struct simulator *simulator);
uint32_t wards_of(const struct simulator *simulator, enum service service); /* the first one */
/* A free bed of the service, else of any ward but emergency, intensive care, children's and
 * women's; or NOWHERE. */
uint32_t bed_find(struct simulator *simulator, enum service service);
void bed_take(struct simulator *simulator, uint32_t bed, uint32_t stay);
void bed_free(struct simulator *simulator, uint32_t bed, uint32_t stay);

/* ---- people.c ---- */
void person_make(struct simulator *simulator, struct person *person, enum service service);
void person_born(struct simulator *simulator, struct person *person, const struct person *mother);
int person_age(struct simulator *simulator, const struct person *person);
/* A new stay of a new person, or of a former patient; NOBODY when there is no memory. */
uint32_t stay_open(struct simulator *simulator, enum service service);
void stay_close(struct simulator *simulator, uint32_t stay);
uint16_t diagnosis_of(struct simulator *simulator, enum service service);

/* ---- segments.c ---- */
void put_header(struct simulator *simulator, enum speaker speaker, const char *type,
                const char *trigger, const char *structure);
void put_event(struct simulator *simulator, const char *trigger, int64_t happened_at);
void put_person(struct simulator *simulator, const struct stay *stay);
void put_visit(struct simulator *simulator, const struct stay *stay);
void put_allergies(struct simulator *simulator, const struct person *person);
void put_diagnosis(struct simulator *simulator, const struct stay *stay);
void put_doctor(struct message *message, unsigned doctor);
/* ZBE; `action` INSERT or CANCEL, `original` the event that is cancelled, or "". */
void put_movement(struct simulator *simulator, const struct stay *stay, const char *action,
                  const char *original);
void put_merged(struct simulator *simulator, uint64_t loser); /* MRG */
/* "B" beside the mother, else the bed's. */
void put_place(struct simulator *simulator, const struct stay *stay, uint32_t bed);
/* A whole ADT message about a stay; a movement gets a number of its own, and took place at
 * `holds`. */
void tell_movement(struct simulator *simulator, uint32_t stay, const char *trigger,
                   const char *structure, int64_t holds);
void tell_cancel(struct simulator *simulator, uint32_t stay, const char *trigger,
                 const char *structure, const char *original);
void tell_update(struct simulator *simulator, uint32_t stay, const char *trigger,
                 const char *structure);
void tell_merge(struct simulator *simulator, uint32_t stay);

/* ---- flow.c: people come, move and go ---- */
void flow_start(struct simulator *simulator);
void flow_event(struct simulator *simulator, const struct event *event);

/* ---- medication.c: drugs from their order to their end ---- */
void medication_plan(struct simulator *simulator, uint32_t stay);
void medication_event(struct simulator *simulator, const struct event *event);

/* ---- spoil.c: what badly set up systems make of a message, at the rate of the options ---- */
struct bytes spoil(struct simulator *simulator, struct bytes message);

/* ---- results.c, documents.c ---- */
void illness_start(struct simulator *simulator, struct stay *stay);
void illness_day(struct simulator *simulator, struct stay *stay);
void tell_vitals(struct simulator *simulator, uint32_t stay);
void order_make(struct simulator *simulator, uint32_t stay, enum panel_kind panel);
void tell_result(struct simulator *simulator, uint32_t order, char status); /* P F C */
enum document_kind {
    DOCUMENT_EMERGENCY,
    DOCUMENT_STAY,
    DOCUMENT_VISIT,
    DOCUMENT_IMAGING,
    DOCUMENT_COUNT
};
void tell_document(struct simulator *simulator, uint32_t stay, enum document_kind kind);

#endif
