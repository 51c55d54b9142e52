/* facts.h - what a message says: the clinical vocabulary, and its translation from HL7 v2 and from FHIR R4.
 *
 * Shapes     in: one message. out: struct facts, a list of statements about one patient (two for a merge), each with
 *            the standard's field it came from. Empty field: no fact. "" : a fact whose value is "deleted". Where a message
 *            speaks of several patients, `next` is of the next one.
 *            FHIR: struct facts_batch, one struct facts for each resource.
 * Units      instants in microseconds UTC; texts in UTF-8, escapes decoded.
 * Errors     translation never fails for content: what is not understood makes `aside` (why, at which byte), and what was
 *            understood of the rest stands. ERR_LIMIT: the arena is full.
 * Ownership  everything lives in the caller's arena (or the message's bytes).
 * Process    chart. No disk, no clock: the time of receipt is passed in.
 * Source     HL7 v2.1 to v2.8 chapters 2, 3, 4, 7, 9, 10, 12 (what is read of each: docs/hl7.md); FHIR R4 (4.0.1),
 *            docs/fhir-in.md; domain rules of docs/facts.md (order, identity, movements).
 */
#ifndef FACTS_FACTS_H
#define FACTS_FACTS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/time.h"
#include "formats/fhir/fhir.h"
#include "formats/hl7/hl7.h"

/* Matched on all three. authority: CX.4 namespace, else its universal id; of a national identity number (INS) always the
 * universal id, because it alone tells NIR, NIA, test and demonstration apart. Type: CX.5, upper case, may be empty. */
struct fact_identifier {
    struct bytes authority, type, number;
};

/* Where a patient is: PV1-3 point of care, room, bed, facility. */
struct fact_place {
    struct bytes unit, room, bed, facility;
};

enum patient_field { /* numbers are stored in charts */
    PATIENT_FAMILY_NAME = 1, /* PID-5.1, the name staff call the patient by (rule in docs/facts.md) */
    PATIENT_GIVEN_NAME,      /* PID-5.2 and further given names PID-5.3 */
    PATIENT_BIRTH_NAME,      /* PID-5 type M or B or, beside a D and in France, L; PID-6 is the mother's and not this */
    PATIENT_USED_NAME,       /* PID-5 type D */
    PATIENT_PREFIX,          /* PID-5.5 */
    PATIENT_BIRTH_DATE,      /* PID-7 as YYYY, YYYY-MM or YYYY-MM-DD */
    PATIENT_SEX,             /* PID-8: M F O U A N */
    PATIENT_ADDRESS,         /* PID-11 in one line */
    PATIENT_PHONE,           /* PID-13, first */
    PATIENT_DEATH,           /* PID-29 as RFC 3339 (a date alone when no more was said), else PID-30 Y */
    PATIENT_IDENTITY_STATUS, /* PID-32: PROV VALI DPOT DOUA COLP COLV ANOM CACH ..., a space between several */
    PATIENT_FIELD_COUNT
};
enum visit_field {
    VISIT_CLASS = 1,    /* PV1-2: I O E P R B */
    VISIT_ATTENDING,    /* PV1-7 as "Family, Given (id)" */
    VISIT_SERVICE,      /* PV1-10 */
    VISIT_ADMITTED_AT,  /* PV1-44, RFC 3339 */
    VISIT_DISCHARGED_AT, /* PV1-45 */
    VISIT_REASON,       /* PV2-3 */
    VISIT_STATED_PLACE, /* PV1-3 of a message that is no movement: unit, room, bed, facility with 0x1F between */
    VISIT_CENSUS,       /* of the newest census that lists the stay: as of when, RFC 3339 */
    VISIT_FIELD_COUNT
};

enum movement_class { /* stored */
    MOVEMENT_ADMIT = 1, MOVEMENT_REGISTER, MOVEMENT_PREADMIT, MOVEMENT_TRANSFER, MOVEMENT_DISCHARGE,
    MOVEMENT_TO_INPATIENT /* A06 */, MOVEMENT_TO_OUTPATIENT /* A07 */,
    MOVEMENT_LEAVE /* A21 */, MOVEMENT_RETURN /* A22 */,
    /* Announced, not done: they move nobody. `holds` is when it is to be (EVN-3, PV2-8, 9). */
    MOVEMENT_PENDING_ADMIT /* A14 */, MOVEMENT_PENDING_TRANSFER /* A15 */, MOVEMENT_PENDING_DISCHARGE /* A16 */,
    MOVEMENT_CLASS_COUNT
};

enum allergy_action { ALLERGY_ADD = 1, ALLERGY_UPDATE, ALLERGY_DELETE, ALLERGY_NONE_KNOWN };

struct fact_allergy {
    enum allergy_action action;
    struct bytes code, system, text; /* AL1-3 / IAM-3 */
    struct bytes kind;               /* AL1-2: DA FA MA EA ... */
    struct bytes severity;           /* AL1-4: SV MO MI U */
    struct bytes reaction;           /* AL1-5, repetitions joined by ", " */
    struct bytes identified_at;      /* AL1-6 as RFC 3339 date; IAM-11, else IAM-13 */
    struct bytes id;                 /* IAM-7: identified statements win one by one; empty: none (AL1) */
};
struct fact_diagnosis {
    struct bytes code, system, text, type; /* DG1-3, DG1-4, DG1-6; PRB-3 */
    int64_t at;                            /* DG1-5, PRB-7 or INSTANT_NONE */
    struct bytes id;                       /* DG1-20, PRB-4; empty: none */
    bool is_deleted;                       /* DG1-21 D, PRB-1 DE: it no longer stands */
    bool is_problem;                       /* of the problem list (PRB), not of this stay (DG1) */
    struct bytes onset_at, ended_at;       /* PRB-16, PRB-9, as RFC 3339 or a date */
    struct bytes state;                    /* active inactive resolved recurrence relapse remission; empty: not said */
};
enum result_status { /* OBX-11, OBR-25; stored */
    RESULT_UNKNOWN, RESULT_PENDING /* I O S */, RESULT_PRELIMINARY /* P R A */, RESULT_FINAL /* F U */,
    RESULT_CORRECTED /* C */, RESULT_DELETED /* D */, RESULT_WRONG /* W */, RESULT_CANCELLED /* X N */
};
struct fact_observation {
    struct bytes code, system, text; /* OBX-3 */
    struct bytes sub_id;             /* OBX-4 */
    struct bytes type;               /* OBX-2 */
    struct bytes value;              /* OBX-5 readable; a value of several lines has LF between */
    struct bytes unit, range, flags; /* OBX-6, 7, 8 */
    enum result_status status;       /* OBX-11, else OBR-25 */
    int64_t observed_at;             /* OBX-14, else OBR-7, or INSTANT_NONE */
    struct bytes notes;              /* NTE that follow, LF between */
};
struct fact_report { /* one OBR and its OBX */
    struct bytes placer, filler;     /* OBR-2 / ORC-2, OBR-3 / ORC-3 (entity id) */
    struct bytes code, system, text; /* OBR-4 */
    int64_t collected_at;            /* OBR-7 */
    int64_t reported_at;             /* OBR-22, else MSH-7: the `said` of results */
    enum result_status status;       /* OBR-25 */
    struct bytes requester;          /* OBR-16 */
    struct bytes notes;
    struct fact_observation *observations;
    size_t observation_count;
};
struct fact_document {
    struct bytes id, parent_id;      /* TXA-12, TXA-13 */
    struct bytes kind, title;        /* TXA-2, OBX-3 or TXA-16 */
    struct bytes completion, availability; /* TXA-17, TXA-19 */
    struct bytes author;             /* TXA-9 */
    int64_t at;                      /* TXA-4, else TXA-6, else said */
    struct bytes media_type;         /* text/plain, or of the ED */
    struct bytes text;               /* text content, LF between lines; empty when encapsulated */
    uint64_t encapsulated_bytes;     /* size of ED content (still base64 in the entry) */
    bool is_cancelled, is_replacement; /* T11, T09/T10: of parent_id */
    bool is_addendum;                  /* T05/T06: stands beside parent_id */
};
/* ---- what is ordered, given, planned. Several messages speak of one order or appointment, each of some of its fields:
 * an empty field says nothing; the statements are put together in the order of their keys (docs/chart-json.md). ---- */

enum order_kind { /* stored */
    ORDER_KIND_NOT_SAID, /* an ORC alone that names an order by its number: of whatever kind that is */
    ORDER_MEDICATION, ORDER_LABORATORY, ORDER_IMAGING, ORDER_DIET, ORDER_SERVICE /* any other */
};
enum order_state { /* stored; ORC-1 and ORC-5 */
    ORDER_NOT_SAID, ORDER_ACTIVE /* NW RO RL XO IP SC HE */, ORDER_HELD /* HD */, ORDER_STOPPED /* DC */,
    ORDER_CANCELLED /* CA */, ORDER_COMPLETED /* CM */, ORDER_REPLACED /* RP RU: by another order */,
    ORDER_WRONG /* entered in error: HL7 v2 has no code of it */,
    ORDER_REFUSED /* UA UH UD DE: asked for and not done: the order stands as it was */
};
struct fact_order {
    enum order_kind kind;
    struct bytes placer, filler, group; /* ORC-2, ORC-3, ORC-4 (entity id); one of the first two is there */
    struct bytes parent;                /* ORC-8, OBR-29 placer: the order this one replaces or belongs to */
    struct bytes control;               /* ORC-1 as it came */
    enum order_state state;
    struct bytes code, system, text;    /* RXE-2, RXO-1, OBR-4, ODS-3 */
    struct bytes dose, dose_max, dose_unit, strength, form, route, rate; /* RXE-3, 4, 5, 25+26, 6; RXR-1; RXE-23+24 */
    struct bytes timing;                /* in words or as the code came: RXE-1 / TQ1-3, ORC-7, "Q6H", "1-0-1" */
    struct bytes duration;              /* TQ1-6, RXE-1.3: "D7" */
    int64_t starts_at, ends_at;         /* TQ1-7, 8, RXE-1.4, 5, ORC-7.4, 5, or INSTANT_NONE */
    bool is_as_needed;                  /* "PRN" in the timing */
    struct bytes instructions, indication; /* RXE-7, TQ1-10, 11; RXE-27, OBR-31 */
    struct bytes components;            /* RXC, a line each */
    struct bytes priority;              /* TQ1-9, ORC-7.6, OBR-27.6: S A R ... */
    struct bytes requester;             /* ORC-12, else OBR-16 */
    int64_t asked_at;                   /* ORC-9, else said */
    int64_t effective_at;               /* ORC-15: when what is ordered here begins to hold, or INSTANT_NONE */
    struct bytes specimen;              /* SPM-4, OBR-15 */
    struct bytes notes;
};

enum medication_event_kind { MEDICATION_ADMINISTRATION = 1 /* RXA */, MEDICATION_DISPENSE /* RXD, RXG */,
                             MEDICATION_IMMUNIZATION /* RXA of VXU */ }; /* stored */
enum medication_event_state { /* stored; RXA-20, RXA-21 */
    MEDICATION_EVENT_COMPLETE = 1, MEDICATION_EVENT_PARTIAL, MEDICATION_EVENT_REFUSED, MEDICATION_EVENT_NOT_DONE,
    MEDICATION_EVENT_DELETED
};
struct fact_medication_event {
    enum medication_event_kind kind;
    enum medication_event_state state;
    struct bytes placer, filler;     /* of the order */
    struct bytes id;                 /* tells it from others of the same order: RXA-2, RXD-1, RXD-7 */
    bool is_identified;              /* id alone tells it from all others, whatever else changes (FHIR) */
    int64_t at, ended_at;            /* RXA-3, 4; RXD-3; or INSTANT_NONE */
    struct bytes code, system, text; /* RXA-5, RXD-2 */
    struct bytes amount, unit, form, route, site, rate; /* RXA-6, 7, 8; RXR-1, 2; RXA-12 */
    struct bytes performer;          /* RXA-10, RXD-10 */
    struct bytes reason;             /* RXA-18 (refused), RXA-19 */
    struct bytes lot;                /* RXA-15 */
    struct bytes notes;
};

enum appointment_state { /* stored; trigger, else SCH-25 */
    APPOINTMENT_NOT_SAID, APPOINTMENT_BOOKED, APPOINTMENT_PENDING, APPOINTMENT_ARRIVED, APPOINTMENT_FULFILLED,
    APPOINTMENT_CANCELLED /* S15, S16 */, APPOINTMENT_NO_SHOW /* S26 */, APPOINTMENT_DELETED /* S17: entered in error */
};
struct fact_appointment {
    struct bytes placer, filler;     /* SCH-1, SCH-2 */
    enum appointment_state state;
    int64_t starts_at, ends_at;      /* SCH-11, TQ1-7, 8, AIS-4; INSTANT_NONE */
    struct bytes code, system, text; /* AIS-3, else SCH-7: what for */
    struct bytes kind;               /* SCH-8 */
    struct bytes reason;             /* SCH-7, SCH-6 */
    struct bytes place;              /* AIL-3: unit room bed facility in one line */
    struct bytes people;             /* AIP-3, a line each; else SCH-16, SCH-12 */
    struct bytes resources;          /* AIG-3, a line each */
    struct bytes notes;
};

struct fact_movement {
    enum movement_class class;
    struct bytes movement_id;        /* ZBE-1, empty when none */
    int64_t holds;                   /* when it took place */
    struct fact_place place, prior;  /* PV1-3, PV1-6; where a pending transfer goes: PV1-42 */
    struct bytes medical_unit, care_unit; /* ZBE-7, ZBE-8 (XON.10, else its name); empty: not said */
    struct bytes nature;             /* ZBE-9, what the movement changes: S care unit, H lodging, M medical unit, L bed, D, SM */
    bool is_update;                  /* ZBE-4 UPDATE: corrects the movement of that id, inserts none */
};
struct fact_cancel {
    /* What is cancelled (A11 cancels ADMIT or REGISTER: class ADMIT). 0: every movement whose id begins with movement_id and
     * that was said earlier, for a source that says all of a stay's movements each time (FHIR). */
    enum movement_class class;
    struct bytes movement_id;
    int64_t holds;                   /* when what is cancelled took place (EVN-6 of a cancel says that), else said */
};
struct fact_merge { /* MRG-1 into PID-3; A24 links, A37 (and an A43 that moves a number) unlinks */
    struct fact_identifier loser, survivor;
    bool is_unlink;
};

struct fact_visit_merge { /* A42, A45, A50, A51: MRG-5 into PV1-19; A35, A36, A41, A44, A49: MRG-3 into PID-18 */
    struct fact_identifier loser, survivor;
};

/* A FHIR resource, understood or not, as it came, so that it can be given back whole. */
struct fact_resource {
    struct bytes source;   /* whose logical ids these are */
    struct bytes type, id; /* its logical id; of one without, its urn:uuid, else a digest of its content */
    struct bytes json;     /* empty when deleted */
    uint64_t at;           /* where it stands in the body */
    bool is_deleted;       /* Bundle.entry.request DELETE */
};

enum fact_kind { FACT_PATIENT = 1, FACT_IDENTIFIER, FACT_VISIT, FACT_MOVEMENT, FACT_CANCEL, FACT_MERGE, FACT_ALLERGY,
                 FACT_DIAGNOSIS, FACT_REPORT, FACT_DOCUMENT, FACT_ORDER, FACT_MEDICATION_EVENT, FACT_APPOINTMENT,
                 FACT_VISIT_MERGE, FACT_RESOURCE };

struct fact {
    enum fact_kind kind;
    union {
        struct {
            int field; /* enum patient_field or visit_field */
            bool is_deleted;
            struct bytes value;
        } cell;
        struct fact_identifier identifier; /* another number of the subject */
        struct fact_movement movement;
        struct fact_cancel cancel;
        struct fact_merge merge;
        struct fact_allergy allergy;
        struct fact_diagnosis diagnosis;
        struct fact_report report;
        struct fact_document document;
        struct fact_order *order; /* large and rare: elsewhere in the arena */
        struct fact_medication_event *medication_event;
        struct fact_appointment *appointment;
        struct fact_visit_merge visit_merge;
        struct fact_resource resource;
    };
};

struct facts {
    /* Who says so. */
    struct bytes application, facility; /* MSH-3, MSH-4, first component */
    struct bytes type, trigger, control_id;
    int64_t own_time;      /* MSH-7 or INSTANT_NONE */
    bool is_charset_mismatch;
    /* About whom. */
    bool has_subject;
    struct fact_identifier subject;
    struct fact_identifier visit; /* number empty: the message names none */
    /* When it was said: EVN-2, else MSH-7, else time of receipt. */
    int64_t said;
    bool is_date_doubtful; /* said, or an OBR-22, more than 5 minutes after receipt: outranks nothing */
    bool is_ambiguous;     /* said or a movement's holds lies in the hour that October repeats */
    struct fact *list;
    size_t count;
    /* Not understood: why (static text, in English, also a msgid) and the byte it is about. */
    const char *aside;
    uint64_t aside_at; /* counted in the body as given */
    /* Read leniently: how many oddities, the first in words. */
    uint32_t warning_count;
    const char *warning;
    /* The same message's facts about the next patient (A17, results of several), or about a further stay (A45); NULL: no more. */
    struct facts *next;
};

/* What a FHIR Identifier.system is called in CX.4 of the same hospital's HL7 v2 messages. */
struct facts_authority {
    struct bytes name, system; /* system: the uri; "urn:oid:" in front may be left out */
    struct bytes type;         /* of numbers of this system, where the identifier does not say; empty: PI */
};
struct facts_context {
    int64_t received_at;
    struct zone *zone;
    enum hl7_charset otherwise; /* the feed's configured set */
    /* FHIR alone. */
    struct bytes source; /* whose logical ids the resources have: FACTS_FHIR_SOURCE where nobody says */
    const struct facts_authority *authorities;
    size_t authority_count;
};
#define FACTS_FHIR_SOURCE "FHIR"
/* The type of an identifier that is a logical id: a reference, and not a number that people were given. */
#define FACTS_FHIR_ID_TYPE "FHIR"

/* What an entry says of several patients: one `struct facts` for each, all of one sender. Of what could not be understood at all
 * there is one that says why. */
struct facts_batch {
    struct facts *list;
    size_t count;
    int64_t census_as_of; /* of a list of everyone present: as of when; else INSTANT_NONE */
};
/* Translate an entry by its media type. `arena` also holds the result. Of a type that no translator knows `aside` says so. */
MUST_CHECK enum err facts_from_entry(struct bytes media_type, struct bytes body,
                                     const struct facts_context *context, struct arena *arena,
                                     struct facts_batch *batch);

/* A list of who is present, as CSV with a line of names (docs/census.md). Its statements outrank nothing: they add who is missing
 * and delete nothing. What its file does not say stands in the entry's media type. */
struct facts_census {
    int64_t as_of;
    struct bytes authority, type;             /* of the patients' numbers, as HL7 v2 senders write them (CX.4, CX.5) */
    struct bytes visit_authority, visit_type; /* of the stays' */
};
void facts_census_put_type(struct text *type, const struct facts_census *census);
/* false: it is no census. */
bool facts_census_read_type(struct bytes type, struct arena *arena, struct facts_census *census);
MUST_CHECK enum err facts_from_census(struct bytes body, const struct facts_census *given,
                                      const struct facts_context *context, struct arena *arena,
                                      struct facts_batch *batch);

/* A file that lay in a watched folder (`folder` in veilleuse.conf). What it does not say itself stands in the entry's media type. */
enum filed_kind { FILED_OTHER, FILED_PDF, FILED_CDA, FILED_KIND_COUNT };
struct facts_filed {
    enum filed_kind kind;
    int64_t at;                    /* when it was last written */
    struct bytes feed;             /* the folder's name */
    struct bytes authority, type;  /* of the hospital's patient numbers, as HL7 v2 senders write them (CX.4, CX.5) */
    struct bytes number;           /* of a PDF: out of its name; empty: it does not say */
    struct bytes root;             /* of a CDA document's numbers: the OID that is `authority` */
    struct bytes name;             /* of the file */
};
#define FACTS_FILED_TYPE_BYTES_MAX 1000u
void facts_filed_put_type(struct text *type, const struct facts_filed *filed);
/* false: it is no such file. */
bool facts_filed_read_type(struct bytes type, struct arena *arena, struct facts_filed *filed);
MUST_CHECK enum err facts_from_filed(struct bytes body, const struct facts_filed *filed,
                                     const struct facts_context *context, struct arena *arena,
                                     struct facts_batch *batch);

/* Translate one message. `arena` also holds the result, and what follows it as `next`. */
MUST_CHECK enum err facts_from_hl7(struct bytes body, const struct facts_context *context,
                                   struct arena *arena, struct facts *facts);

/* Of a message too large to be held so much is read, and so much of each of its fields (hl7_thin_init). */
#define FACTS_THIN_BYTES_MAX  ((size_t)8 << 20)
#define FACTS_FIELD_BYTES_MAX ((size_t)256 << 10)
/* The same of such a message, of its first patient only. A text that was cut says so, and where the whole is: in entry `entry` of the
 * vault. Sizes are those of the whole. */
MUST_CHECK enum err facts_from_thinned_hl7(const struct hl7_thin *thin, uint64_t entry,
                                           const struct facts_context *context,
                                           struct arena *arena, struct facts *facts);

/* Translate a resource, a Bundle of any kind, or NDJSON. Each resource gives its own facts, in the order they stand in; the first of
 * them is FACT_RESOURCE. What is no JSON or no resource gives facts without any, that say why. */
MUST_CHECK enum err facts_from_fhir(struct bytes body, const struct facts_context *context,
                                    struct arena *arena, struct facts_batch *batch);
/* What a resource says once it has been deleted: as if it were entered in error. `resource` has its json; of `facts` the
 * subject, who says it and when are the caller's to set. A Patient says nothing then: who was known stays known. */
MUST_CHECK enum err facts_from_deleted_fhir(const struct fact_resource *resource,
                                            const struct facts_context *context, int64_t said,
                                            struct arena *arena, struct facts *facts);
/* The id that a resource of this content has where it names none: 32 hex digits and a zero. */
#define FACTS_FHIR_ID_BYTES 33
void facts_fhir_id(struct bytes json, char id[FACTS_FHIR_ID_BYTES]);
/* The id of a resource in a Bundle: its own, or that of its urn:uuid. Where it is sent to be created (POST) under a name that is no
 * UUID, or under none, that name may stand for another in the next Bundle: then it is made of the Bundle (`bundle_id`, of
 * facts_fhir_id) and the name. Empty: the arena is full. */
struct bytes facts_fhir_entry_id(const struct fhir_node *entry,
                                 const char bundle_id[FACTS_FHIR_ID_BYTES], struct arena *arena);

/* Kinds of facts that may have to outlast the epoch of the entry that states them, as a set; the numbers are part of the
 * vault's format (field `h`). Results and documents are of none. */
enum facts_part {
    FACTS_PATIENT = 1, /* who it is: names, birth date, numbers */
    FACTS_MERGES = 2,
    FACTS_ALLERGIES = 4,
    FACTS_STAY = 8, /* movements, cancels, and what is said of the stay */
    FACTS_DIAGNOSES = 16,
    FACTS_ORDERS = 32,      /* orders that still stand, appointments to come */
};
unsigned facts_part_of(enum fact_kind kind);
/* Of a message, the segments that do not carry what is in no set of `parts`: results, documents, an ended stay. Each
 * stays as it was, byte for byte. It says the same of `parts`, at the same time; where leaving anything out would change
 * that, and where nothing is to be left out, it is `body` itself. ERR_LIMIT: the arena is full. */
MUST_CHECK enum err facts_excerpt(struct bytes body, unsigned parts,
                                  const struct facts_context *context, struct arena *arena,
                                  struct bytes *excerpt);


/* The same of a message too large to be held, in slices. Each piece of what stays goes to `take`, whose error is handed back.
 * `first`: the message's beginning, which is fed again; false: it does not say what message this is, and nothing can be
 * left out. The caller sees whether both say the same. */
typedef enum err (*facts_take)(void *owner, struct bytes piece);
struct facts_sieve {
    facts_take take;
    void *owner;
    unsigned parts;
    uint64_t lead; /* bytes before the MSH that are to come */
    uint8_t delimiter, name[4];
    unsigned name_bytes;
    bool is_event, has_header, is_named, is_keeping, is_over;
    bool is_whole; /* nothing was left out so far */
};
bool facts_sieve_init(struct facts_sieve *sieve, struct bytes first, unsigned parts,
                      facts_take take, void *owner);
MUST_CHECK enum err facts_sieve_feed(struct facts_sieve *sieve, struct bytes slice);
MUST_CHECK enum err facts_sieve_end(struct facts_sieve *sieve);
/* Does `part`, thinned as `whole` is, say the same of `parts`, at the same time? ERR_LIMIT: the arena is full. */
MUST_CHECK enum err facts_say_the_same(const struct hl7_thin *whole, const struct hl7_thin *part,
                                       unsigned parts, const struct facts_context *context,
                                       struct arena *arena, bool *is_same);

/* A file that a message carries, or names: OBX-5 of type ED or RP. */
enum facts_encoding { CONTENT_BASE64, CONTENT_HEX, CONTENT_TEXT /* in UTF-8, escapes decoded */,
                      CONTENT_ELSEWHERE /* RP: `data` says where */ };
struct facts_content {
    struct bytes media_type; /* as the sender says, in lower case; empty: not said */
    struct bytes name;       /* OBX-3 */
    enum facts_encoding encoding;
    struct bytes data;       /* base64, hex: a view into the message, still encoded */
    uint8_t escape;          /* HL7's escape character, which may stand in `data` */
};
#define FACTS_CONTENTS_MAX 32u
/* All of a message, at most FACTS_CONTENTS_MAX; of a document's, plain text is left out: it is in the document's text. Whether what
 * is in them can be decoded is not looked at. ERR_INPUT: this is no message. */
MUST_CHECK enum err facts_contents(struct bytes body, const struct facts_context *context,
                                   struct arena *arena, struct facts_content **list, size_t *count,
                                   struct fault *fault);

/* A light look, for feeds with on_unknown = AE: would the message's kind be understood? */
bool facts_understands(const struct hl7_header *header);

const char *facts_result_status_name(enum result_status status);   /* "final" ... (FHIR Observation.status words) */
const char *facts_order_kind_name(enum order_kind kind);           /* "medication" "laboratory" ... */
const char *facts_order_state_name(enum order_state state);       /* FHIR request-status words, "" when not said */
const char *facts_medication_event_kind_name(enum medication_event_kind kind);
const char *facts_medication_event_state_name(enum medication_event_state state);
const char *facts_appointment_state_name(enum appointment_state state); /* FHIR Appointment.status words */
const char *facts_movement_class_name(enum movement_class class); /* "admit" "transfer" ... */

#endif
