/* translate.h - the inside of the translation: what its files share. */
#ifndef FACTS_TRANSLATE_H
#define FACTS_TRANSLATE_H

#include "facts/facts.h"

#define FIELDS_MAX 64u

/* One message being translated. */
struct translation {
    const struct facts_context *context;
    struct hl7_message message;
    struct arena *arena;
    struct facts *facts;
    size_t capacity;
    bool is_full; /* the arena is: the result is ERR_LIMIT */
    /* The segment at hand, split. */
    struct hl7_segment segment;
    struct bytes fields[FIELDS_MAX];
    /* Gathered on the way. */
    bool has_valid_identity; /* PID-32 has VALI */
    struct fact_identifier survivor; /* of the PID last read: what an MRG merges into */
    struct fact_place place, prior;
    bool has_place;
    int64_t event_at;        /* EVN-6 */
    int64_t admitted_at, discharged_at;
    struct bytes movement_id; /* ZBE-1 */
    int64_t movement_at;      /* ZBE-2 */
    struct bytes movement_action; /* ZBE-4 */
    struct bytes original_event;  /* ZBE-6 */
    struct bytes order_placer, order_filler; /* ORC */
    struct fact_report *report;   /* the one OBX and NTE belong to */
    size_t report_at;             /* its place in the list, which may move when it grows */
    size_t observation_capacity;
    struct fact_observation *observation;
    struct fact_document *document;
    size_t document_at;
};

void translate_warn(struct translation *t, const char *warning);
void translate_aside(struct translation *t, const char *reason, uint64_t at);
/* A new fact at the end of the list; NULL when the arena is full. */
struct fact *translate_add(struct translation *t, enum fact_kind kind);

/* Values of the segment at hand. */
struct bytes value_raw(const struct translation *t, unsigned field, unsigned component);
struct bytes value_text(struct translation *t, unsigned field, unsigned component);
struct bytes text_of(struct translation *t, struct bytes raw);
/* A time of the message, INSTANT_NONE when absent or not of the form. */
int64_t time_of(struct translation *t, struct bytes raw);
int64_t value_time(struct translation *t, unsigned field);
/* RFC 3339 of it, or empty; "" stays `""`. */
struct bytes instant_text(struct translation *t, int64_t at);
/* A CX; false without a number. */
bool identifier_of(struct translation *t, struct bytes repetition, struct fact_identifier *out);
/* Repetition r of a field already split off. False past the last. */
bool repetition_of(const struct translation *t, struct bytes field, unsigned repetition,
                   struct bytes *out);
struct bytes component_of(const struct translation *t, struct bytes repetition, unsigned component);

/* Each reads the segment at hand. */
void translate_pid(struct translation *t);
void translate_pv1(struct translation *t);
void translate_mrg(struct translation *t);
void translate_al1(struct translation *t);
void translate_iam(struct translation *t);
void translate_dg1(struct translation *t);
void translate_orc(struct translation *t);
void translate_obr(struct translation *t);
void translate_obx(struct translation *t);
void translate_nte(struct translation *t);
void translate_txa(struct translation *t);
/* After the last segment: movements of the event. */
void translate_movement(struct translation *t);

#endif
