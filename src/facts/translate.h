/* translate.h - the inside of the translation from HL7 v2: one message on its way to facts.
 *
 * Invariants
 *   1. Segments are read once, in the order they stand in. What needs more than one of them (who, which stay, when it
 *      was said) is gathered here and settled after the last.
 *   2. Facts are only about the first patient of a message. From a PID that names another, nothing more is read but
 *      what a merge says of that pair.
 *   3. Work is linear in the size of the message: a field's repetitions are walked, never counted from its start.
 */
#ifndef FACTS_TRANSLATE_H
#define FACTS_TRANSLATE_H

#include "facts/facts.h"
#include "facts/number.h"

#define FIELDS_MAX 48u
#define NO_FACT    SIZE_MAX
#define FUTURE_US  (5 * 60 * US_PER_S) /* a clock may be this much ahead of ours */

/* What a kind of message is, by MSH-9.1. */
enum message_kind {
    KIND_EVENT,    /* ADT */
    KIND_RESULTS,  /* OBR and OBX are results */
    KIND_DOCUMENT, /* TXA and OBX are a document */
    KIND_ORDERS, /* ORC, OBR, RXO, RXE... are orders, RXA, RXD, RXG what was given and dispensed */
    KIND_ORDER_ANSWER, /* the filler's answer: it says what became of an order */
    KIND_VACCINATION,  /* RXA is a vaccine that was given */
    KIND_APPOINTMENT,
    KIND_PROBLEMS,
    KIND_LATER, /* its own content is not translated; patient, stay, allergies, diagnoses are */
    KIND_ANSWER,
    KIND_QUERY,
    KIND_SYSTEM,
    KIND_UNKNOWN
};

struct kind_of_type {
    char type[4];
    enum message_kind kind;
    bool
        states_place; /* its PV1-3 is where the patient is now, not where an appointment or an account is */
};

/* A text that grows by lines without being copied for each. */
struct lines {
    struct bytes text;
    size_t capacity; /* of the memory behind it; 0: a view of something else */
};

/* Memory behind an observation's value and notes. */
struct observation_room {
    size_t value, notes;
};

struct movement_times {
    struct time_read event, planned;                 /* EVN-6, EVN-3 */
    struct time_read admitted, discharged, movement; /* PV1-44, PV1-45, ZBE-2 */
    struct time_read expected_in, expected_out;      /* PV2-8, PV2-9 */
    bool has_event, has_planned, has_admitted, has_discharged, has_movement, has_expected_in,
        has_expected_out;
};

/* The order at hand, until it becomes a fact (order.c). */
struct order_group {
    bool is_open, has_orc, has_detail;
    bool is_encoded;       /* RXE was there */
    bool route_is_encoded; /* the route stood below RXE */
    bool is_prior;         /* an order of earlier results, which is no order of this message */
    bool is_further;       /* a second OBR under one ORC */
    unsigned count, timing_count;   /* orders of this message so far; TQ1 of this one */
    struct fact_order fact, of_orc; /* of_orc: as its ORC alone left it */
    struct lines notes, reason, components;
    struct bytes first_component;
    /* What was given or dispensed of it. */
    struct fact_medication_event *event; /* the one that notes belong to */
    struct lines event_notes;
    size_t event_count, first_event; /* the first that RXR is of: its place in the list */
    bool has_route;
};

struct translation {
    const struct facts_context *context;
    struct hl7_message message;
    struct arena *arena;
    struct facts *facts;
    size_t capacity;
    uint64_t lead;               /* bytes of the body before its MSH */
    const struct hl7_thin *thin; /* of a message that was thinned; NULL: it is whole */
    uint64_t entry;              /* where the whole is */
    enum message_kind kind;
    bool states_place;      /* PV1-3 of this kind of message is where the patient is */
    bool is_french;         /* MSH-17 or MSH-12.2 */
    bool is_plain;          /* ASCII without escapes: every text is as it lies in the message */
    bool is_full;           /* the arena is: the result is ERR_LIMIT */
    bool splits;            /* further patients become facts of their own */
    bool is_said_ambiguous; /* of is_ambiguous, what comes of MSH-7 and EVN-2 */

    /* The segment at hand, split. */
    struct hl7_segment segment;
    struct bytes last_time; /* a message says the same time over and over */
    struct time_read last_read;
    struct bytes fields[FIELDS_MAX]; /* not cleared: only those that were split are there */

    struct order_group order; /* large, and of few messages: not cleared either until one is opened */

    /* Who. */
    bool has_pid, is_other_patient;
    struct fact_identifier survivor; /* of the PID last read: what an MRG merges into */
    struct bytes survivor_fields[5]; /* its PID-2, 3, 4 at their numbers */
    struct bytes survivor_field;     /* the one that the merge at hand is about */
    bool survivor_is_of_pid_3;
    struct fact_identifier account;  /* PID-18 */

    /* Where and when. */
    bool has_pv1, has_place;
    struct fact_place place, prior, pending; /* PV1-3, 6, 42 */
    struct movement_times times;
    struct bytes movement_id, movement_action, original_event; /* ZBE-1, 4, 6 */
    struct bytes medical_unit, care_unit, nature;              /* ZBE-7, 8, 9 */
    size_t merge_count, visit_merge_count;
    bool has_mrg;
    struct fact_identifier prior_account, prior_visit; /* MRG-3, MRG-5 */
    bool
        is_at_next; /* what follows is about another patient or stay: read_segments stops before it */
    bool is_same_subject; /* ... another stay */

    /* Orders and appointments. */
    bool is_prior_result;        /* below a repeated PID: earlier results of the same patient */
    struct bytes specimen_ahead; /* SPM that stands before its orders */
    struct fact_appointment *appointment;
    struct lines appointment_notes;
    struct bytes appointment_contact;
    int64_t appointment_duration_us;
    struct fact_identifier *companions; /* the others whose appointment it is */
    size_t companion_count;

    /* Results. */
    struct bytes order_placer, order_filler; /* ORC-2, ORC-3 */
    size_t report;                           /* its place in the list; NO_FACT: none is open */
    bool is_report_of_obx;                   /* made of an OBX that stands under no OBR */
    struct observation_room *room;
    size_t observation_capacity;
    size_t observation; /* the one that notes belong to; NO_FACT: the report itself */
    struct lines report_notes;

    /* The document. */
    size_t document;
    struct lines document_text;
    struct bytes document_file_name; /* TXA-16 */
};

/* ---- kinds.c ---- */
const struct kind_of_type *kind_of_message(struct bytes type);

/* ---- translate.c ---- */
void translate_warn(struct translation *t, const char *warning);
/* The first reason stands. `at` counts in the message. */
void translate_aside(struct translation *t, const char *reason, size_t at);
/* A new fact at the end of the list, zeroed; NULL when the arena is full. Earlier facts may move. */
struct fact *translate_add(struct translation *t, enum fact_kind kind);

/* ---- value.c: values of the segment at hand ---- */
/* The next repetition of a field; false at the end. */
bool next_repetition(const struct translation *t, struct bytes *rest, struct bytes *repetition);
/* So many bytes were left out where `raw` ends. */
uint64_t cut_behind(const struct translation *t, struct bytes raw);
struct bytes first_repetition(const struct translation *t, unsigned field);
/* The first `count` components, trimmed; those that are missing are empty. */
void split_components(const struct translation *t, struct bytes repetition, struct bytes *parts,
                      unsigned count);
/* The same of a field's first repetition, in one go. */
void split_field(const struct translation *t, unsigned field, struct bytes *parts, unsigned count);
/* The first subcomponent, trimmed. */
struct bytes subcomponent(const struct translation *t, struct bytes component, unsigned n);
/* Component of the first repetition, its first subcomponent, still escaped. */
struct bytes value_raw(const struct translation *t, unsigned field, unsigned component);
/* The same as text; a null is empty. */
struct bytes value_text(struct translation *t, unsigned field, unsigned component);
/* The same in capitals. */
struct bytes value_upper(struct translation *t, unsigned field, unsigned component);
/* Characters decoded, white space at both ends gone; null is empty. */
struct bytes text_of(struct translation *t, struct bytes raw);
/* The same with the white space in front kept, as columns need it. */
struct bytes layout_of(struct translation *t, struct bytes raw);
struct bytes upper_of(struct translation *t, struct bytes b);
/* A copy with `between` between what is not empty. */
struct bytes join_texts(struct translation *t, const struct bytes *parts, size_t count,
                        const char *between);
void add_line(struct translation *t, struct lines *lines, struct bytes line);
/* value put behind *all, where both say something with `between` between them. */
void append_text(struct translation *t, struct bytes *all, struct bytes value, const char *between);

/* A time of the message; false (and a warning when it is not of the form) if there is none. */
bool time_stated(struct translation *t, struct bytes raw, struct time_read *out);
int64_t value_time(struct translation *t, unsigned field);
struct bytes instant_text(struct translation *t, int64_t at);
/* YYYY, YYYY-MM or YYYY-MM-DD, digits as they stand: a date has no zone. Empty when it is none. */
struct bytes date_text(struct translation *t, struct bytes raw);
/* YYYY-MM-DD HH:MM on the hospital's clocks. */
struct bytes local_time_text(struct translation *t, int64_t at);

/* XCN as "Family, Given" (with " (id)" when asked for), else its id. */
struct bytes person_text(struct translation *t, unsigned field, bool has_id);
/* EI: the entity's id, else its universal id. */
struct bytes entity_text(struct translation *t, unsigned field);
/* A unit's code, as people read it; of a code of digits alone its text. */
struct bytes unit_text(struct translation *t, unsigned field);
/* PL: point of care, room, bed, facility. */
struct fact_place place_of(struct translation *t, unsigned field);
/* The French numbers of establishments (FINESS, 9 digits) and of professionals (RPPS, 11) end in Luhn's check digit. */
bool check_digit_is_right(struct bytes digits);

struct coded {
    struct bytes code, text, system;
};
/* CE or CWE: the first triplet, else the alternate one. A missing text is the code. */
struct coded coded_of(struct translation *t, struct bytes repetition);
struct coded coded_field(struct translation *t, unsigned field);
/* All repetitions of a coded field by their texts (or by their codes). */
struct bytes coded_texts(struct translation *t, unsigned field, const char *between);
struct bytes coded_codes(struct translation *t, unsigned field, const char *between);

/* ---- identifier.c ---- */
struct identifier_read {
    struct fact_identifier identifier;
    enum identifier_role role;
    enum ins_kind ins;
    bool is_expired; /* CX.8 is past */
};
/* A CX; false without a number. */
bool read_identifier(struct translation *t, struct bytes repetition, struct identifier_read *out);
bool identifier_equal(const struct fact_identifier *a, const struct fact_identifier *b);
/* Could it be the number a hospital knows a patient by? Not one of the State, an insurer, a stay. */
bool identifier_may_be_subject(const struct identifier_read *read);
/* All numbers of a PID: of PID-3, then PID-2, then PID-4. */
#define IDENTIFIERS_MAX 32u /* more are not read: a patient has a handful */
struct identifier_list {
    struct identifier_read list[IDENTIFIERS_MAX];
    size_t count, of_pid_3;
};
void read_identifiers(struct translation *t, struct identifier_list *all);
/* The number a patient is known by here; NULL when there is none. */
const struct fact_identifier *choose_subject(const struct identifier_list *all);
/* All but the subject become facts. */
void add_other_identifiers(struct translation *t, const struct identifier_list *all);

/* ---- merge.c ---- */
void translate_mrg(struct translation *t);
/* A second PID where the event is about two. */
void translate_linked_pid(struct translation *t);
/* Does the event join numbers of patients; does it join or move stays? */
bool event_is_merge(struct bytes trigger);
bool event_is_link(struct bytes trigger);
bool event_is_of_visits(struct bytes trigger);
/* Why an event of merges gave none; NULL: it did, or it is no such event. */
const char *reason_no_merge(const struct translation *t);
void finish_visit_merges(struct translation *t);

/* ---- the readers of a segment ---- */
void translate_pid(struct translation *t);
void translate_names(struct translation *t);
void add_cell(struct translation *t, enum fact_kind kind, int field, struct bytes raw);
void add_text_cell(struct translation *t, enum fact_kind kind, int field, struct bytes text);
void translate_evn(struct translation *t);
void check_establishment(struct translation *t, unsigned field);
void translate_pv1(struct translation *t);
void translate_pv2(struct translation *t);
void translate_zbe(struct translation *t);
void translate_al1(struct translation *t);
void translate_iam(struct translation *t);
void translate_dg1(struct translation *t);
void translate_orc(struct translation *t);
void translate_obr(struct translation *t);
void translate_obx(struct translation *t);
void translate_nte(struct translation *t);
void translate_spm(struct translation *t);
void translate_prb(struct translation *t);
void translate_txa(struct translation *t);

/* ---- order.c ---- */
bool is_of_orders(const struct translation *t);
void order_orc(struct translation *t);
void order_obr(struct translation *t);
void order_obx(struct translation *t);
void order_nte(struct translation *t);
void order_spm(struct translation *t);
/* A group without ORC, for an event that stands alone. */
void order_open_bare(struct translation *t);
void order_close(struct translation *t);
void order_quantity_timing(struct translation *t, unsigned field);
void translate_rxo(struct translation *t);
void translate_rxe(struct translation *t);
void translate_rxr(struct translation *t);
void translate_rxc(struct translation *t);
void translate_tq1(struct translation *t);
void translate_ods(struct translation *t);
void translate_odt(struct translation *t);
void translate_rqd(struct translation *t);
void translate_bpo(struct translation *t);

/* ---- medication.c ---- */
void medication_route(struct translation *t, struct bytes route, struct bytes site);
void translate_rxa(struct translation *t);
void translate_rxd(struct translation *t);
void translate_rxg(struct translation *t);

/* ---- appointment.c ---- */
void appointment_tq1(struct translation *t);
void appointment_nte(struct translation *t);
void translate_sch(struct translation *t);
void translate_arq(struct translation *t);
void translate_ais(struct translation *t);
void translate_aig(struct translation *t);
void translate_ail(struct translation *t);
void translate_aip(struct translation *t);
void finish_appointment(struct translation *t);
/* A further patient of the same appointment; false: no room for more. */
bool appointment_companion(struct translation *t, const struct fact_identifier *subject);

/* OBX and NTE of a document. */
void translate_document_content(struct translation *t);
void translate_document_note(struct translation *t);

/* OBX-5 in one readable text, a line for each repetition; *lines keeps the room it grows in. */
void read_value(struct translation *t, struct bytes type, struct lines *lines);
/* Is OBX-5 text or codes, of which several OBX make one value? */
bool type_is_textual(struct bytes type);
bool type_is_encapsulated(struct bytes type);
/* An ED: its media type and the size of what it holds. */
struct bytes media_type_of(struct translation *t, const struct bytes *parts);
uint64_t encapsulated_bytes(const struct translation *t, const struct bytes *parts);

/* ---- after the last segment ---- */
bool event_is_read(struct bytes trigger);
/* A23, A29: there should never have been such a stay, such a person. */
bool event_is_deletion(struct bytes trigger);
void finish_visit(struct translation *t);
void finish_results(struct translation *t);
void finish_document(struct translation *t);

#endif
