/* chart.h - the hospital's present state, made from facts, in SQLite; and the questions it answers.
 *
 * Shapes     writer: entries in, in any order of arrival, one transaction a batch. Reader: structs in the caller's arena.
 *            The chart is a function of the SET of entries (docs/facts.md): every cell keeps the key
 *            (said, clock, origin, index) of the statement that holds it.
 * Units      instants in microseconds UTC; a date of birth is text, YYYY-MM-DD or shorter.
 * Errors     ERR_IO / ERR_FULL / ERR_CORRUPT from SQLite; ERR_STATE: schema or translator of another version (rebuild);
 *            ERR_NOT_FOUND: no such patient, ward, entry.
 * Ownership  answers live in the arena given.
 * Limits     lists are given in pages where a ward could not hold them.
 * Process    writer: chart role alone. Reader: web and commands, read-only.
 */
#ifndef CHART_CHART_H
#define CHART_CHART_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/json.h"
#include "base/sys.h"
#include "base/time.h"
#include "facts/facts.h"
#include "vault/vault.h"

#define CHART_SCHEMA_VERSION     5
#define CHART_TRANSLATOR_VERSION 6

/* ---- generations: DIR/chart/<generation>.db, DIR/chart/current names the one in use ---- */
MUST_CHECK enum err chart_current_path(struct sys *sys, const char *site_dir, char *path,
                                       size_t path_bytes, uint64_t *generation, struct fault *fault);
void chart_generation_path(const char *site_dir, uint64_t generation, char *path, size_t path_bytes);
/* Make `generation` the current one (durably) and remove older files. */
MUST_CHECK enum err chart_switch_to(struct sys *sys, const char *site_dir, uint64_t generation,
                                    struct fault *fault);

/* ---- a chart of the past: a file beside the living chart, of what had been received up to a moment, of the entries up to
 * one, or both. It says so in every answer, and is never brought up again. ---- */
#define CHART_NO_ENTRY UINT64_MAX
struct chart_as_of {
    int64_t at;              /* the moment it shows; INSTANT_NONE: a chart of the present */
    int64_t until;           /* the limit in time, included; INSTANT_NONE: none was given */
    uint64_t until_entry;    /* the limit by entry, included; CHART_NO_ENTRY: none was given */
    uint64_t newest_entry;   /* of those that are in it; CHART_NO_ENTRY: none is */
    uint64_t doubtful_count; /* entries of a doubtful clock: the limit in time may err */
    int64_t made_at;
    char made_by[65], made_on[65]; /* an account of the machine, a node */
};
/* The member "as_of", null of a chart of the present. */
void chart_put_as_of(struct json *json, const struct chart_as_of *as_of);

/* ---- writer ---- */
struct chart_writer;
struct chart_options {
    const char *zone;            /* IANA name for times without offset; default Europe/Paris */
    enum hl7_charset otherwise;  /* default HL7_LATIN9 */
    bool is_rebuild;             /* no sync until chart_writer_settle: a crash means starting again */
    bool is_past;                /* a new file, of the past: unreadable until chart_writer_settle_past */
    size_t cache_bytes;          /* for records and pages; 0: 64 MiB */
    const struct facts_authority *authorities; /* of FHIR identifiers */
    size_t authority_count;
};
/* Open or create the file. ERR_STATE: made by another schema or translator. */
MUST_CHECK enum err chart_writer_open(struct chart_writer **writer, const char *path,
                                      const struct chart_options *options, struct fault *fault);
void chart_writer_close(struct chart_writer *writer);
/* The next entry wanted: every entry below is in the chart. */
uint64_t chart_writer_applied(const struct chart_writer *writer);
/* A body that does not come whole: begin, feed its pieces, then take its entry. An HL7 v2 message is thinned: what is long in
 * it is cut, and says in which entry the whole is. Anything else is held up to CHART_WHOLE_BYTES_MAX, and set aside beyond. */
#define CHART_WHOLE_BYTES_MAX ((uint64_t)64 << 20)
MUST_CHECK enum err chart_writer_begin_large(struct chart_writer *writer,
                                             const struct vault_entry *entry, struct fault *fault);
void chart_writer_feed_large(struct chart_writer *writer, struct bytes piece);
/* Translate and take in one entry (kind, source, times, whole body). Entries come in index order, but their facts
 * may be of any time. `set_aside`: do not translate, list it with this reason (it killed the role twice); NULL normally. */
MUST_CHECK enum err chart_writer_take(struct chart_writer *writer, uint64_t index,
                                      const struct vault_entry *entry, const char *set_aside,
                                      struct fault *fault);
/* End the batch: derived rows, applied index and facts in one transaction. */
MUST_CHECK enum err chart_writer_commit(struct chart_writer *writer, struct fault *fault);
/* After a rebuild: make it durable, ready to be switched to. */
MUST_CHECK enum err chart_writer_settle(struct chart_writer *writer, struct fault *fault);
/* The same for one opened with `is_past`: what it is of goes into the transaction of the rows that are read, and the file is
 * whole without a second one beside it. `newest_entry` is the writer's to say. */
MUST_CHECK enum err chart_writer_settle_past(struct chart_writer *writer,
                                             const struct chart_as_of *as_of, struct fault *fault);

/* ---- reader ---- */
struct chart_reader;
/* Opens read-only; the file need not have a writer. ERR_INPUT, ERR_CORRUPT: no chart; ERR_STATE: of another version, or of
 * the past and never finished. */
MUST_CHECK enum err chart_reader_open(struct chart_reader **reader, const char *path,
                                      struct fault *fault);
void chart_reader_close(struct chart_reader *reader);
/* All questions between begin and end see one state. */
MUST_CHECK enum err chart_reader_begin(struct chart_reader *reader, struct fault *fault);
void chart_reader_end(struct chart_reader *reader);
/* What it is of; lives as long as the reader. */
const struct chart_as_of *chart_as_of(const struct chart_reader *reader);

struct chart_state {
    uint64_t applied;       /* entries below this are in it */
    int64_t newest_received_at; /* INSTANT_NONE when empty */
    uint64_t patient_count, present_count, aside_count, entry_count;
    int64_t known_since;    /* receipt of the first message */
    int64_t census_as_of;   /* of the newest list of everyone present; INSTANT_NONE: none was given */
};
MUST_CHECK enum err chart_state(struct chart_reader *reader, struct chart_state *out, struct fault *fault);

/* Where something on a screen comes from. */
struct chart_source {
    uint64_t entry;      /* index in the vault */
    int64_t said;
};

enum chart_doubt {
    CHART_SURE = 0,
    CHART_IN_DOUBT = 1, /* cycle, two survivors, birth date or sex differ */
    CHART_MERGED = 2,
    CHART_SAME_NAME = 4, /* another in the ward */
    CHART_PROVISIONAL = 8,
    CHART_DISPUTED = 16 /* two sources disagree about name, birth date or sex */
};

/* What another source said at the very moment of the statement that is shown, and that differs from it. */
struct chart_dispute {
    const char *field;  /* as the JSON names it */
    struct bytes value; /* empty: deleted */
    struct bytes feed;
    struct chart_source source;
};

enum allergy_statement { ALLERGIES_NOT_RECORDED, ALLERGIES_NONE_KNOWN, ALLERGIES_LISTED };

/* Under which of a person's numbers a thing was first said, in what follows `member`: 0: chart_patient's main, n: merged[n - 1].
 * What is named after it keeps its name when numbers are merged. */
struct chart_allergy {
    struct bytes code, system, text, kind, severity, reaction, identified_at;
    struct bytes feed;   /* who says so */
    size_t member;
    struct chart_source source;
};

struct chart_patient {   /* the banner */
    uint64_t id;         /* the person's id in this chart: of the survivor */
    struct bytes family_name, given_name, birth_name, used_name, prefix, birth_date, sex, address, phone, death, identity_status;
    struct fact_identifier main;       /* the IPP: the survivor's first number */
    struct fact_identifier *others;
    size_t other_count;
    struct fact_identifier *merged;    /* numbers that were merged into this one */
    size_t merged_count;
    unsigned doubt;      /* set of enum chart_doubt */
    const char *doubt_reason; /* static text; NULL */
    enum allergy_statement allergy_statement;
    struct chart_allergy *allergies;
    size_t allergy_count;
    struct chart_dispute *disputes;
    size_t dispute_count;
    struct chart_source identity_source;
};

struct chart_stay {
    struct fact_identifier visit;
    size_t member;
    struct bytes class, attending, service, reason;
    bool is_present;
    bool is_place_stated;       /* known only from a message that is no movement */
    bool is_from_census;        /* known only from a list of who is present */
    int64_t census_at;          /* as of when the newest list that has this stay is; INSTANT_NONE: no list has it */
    bool is_on_leave;           /* away for a while, the bed kept */
    struct bytes medical_unit, care_unit; /* of the movement that placed the patient */
    enum movement_class expected; /* announced and not done or cancelled since: a pending class; 0: nothing */
    int64_t expected_at;          /* INSTANT_NONE: no time was said */
    struct fact_place expected_place;
    struct fact_place place;
    int64_t since;              /* at this place */
    int64_t admitted_at, discharged_at; /* INSTANT_NONE */
    struct chart_dispute *disputes;
    size_t dispute_count;
    struct chart_source source;
};

/* An inpatient who was there when the newest list was made, and is not on it. */
bool chart_stay_is_unlisted(const struct chart_stay *stay, int64_t census_as_of);

/* One bed of the census. */
#define CHART_ABNORMAL_MAX 200u
struct chart_census_row {
    struct chart_patient patient;
    struct chart_stay stay;
    int64_t newest_result_at;   /* INSTANT_NONE */
    uint32_t abnormal_count;    /* abnormal results of the last 72 h before now_us; CHART_ABNORMAL_MAX: or more */
};
struct chart_ward {
    struct bytes code;          /* PV1-3.1; empty: no unit said */
    uint64_t present_count;
    int64_t newest_received_at;
};
MUST_CHECK enum err chart_wards(struct chart_reader *reader, struct arena *arena, struct chart_ward **wards,
                                size_t *count, struct fault *fault);
/* Patients present in a ward (data NULL: everywhere), by room, bed, name. */
MUST_CHECK enum err chart_census(struct chart_reader *reader, struct arena *arena, struct bytes ward,
                                 int64_t now_us, struct chart_census_row **rows, size_t *count,
                                 struct fault *fault);

MUST_CHECK enum err chart_patient(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                  struct chart_patient *out, struct fault *fault);
/* A number of a patient as 16 hex digits and more, the same in every chart and no secret: of SHA-256 over its authority, type
 * and number, each after its size (32 bits). `hex` gets 64 digits and a zero. */
void chart_name_identifier(const struct fact_identifier *identifier, char hex[65]);
/* The person that has, or had, the number whose name begins with these 16 digits, and which member it is. ERR_NOT_FOUND. */
MUST_CHECK enum err chart_find_name(struct chart_reader *reader, struct bytes hex16, uint64_t *id,
                                    size_t *member, struct fault *fault);
/* Survivors after `after`, by id, at most ids_max; `present_only`: those who have a bed now. */
MUST_CHECK enum err chart_persons(struct chart_reader *reader, uint64_t after, bool present_only,
                                  uint64_t *ids, size_t ids_max, size_t *count, struct fault *fault);
/* The places that have a patient now, each once, by unit, room, bed. */
MUST_CHECK enum err chart_places(struct chart_reader *reader, struct arena *arena,
                                 struct fact_place **places, size_t *count, struct fault *fault);
/* By any of a person's numbers (number alone, or all three; empty members match anything). Gives the survivor's ids, at
 * most ids_max; *count may be larger. */
MUST_CHECK enum err chart_find_identifier(struct chart_reader *reader, const struct fact_identifier *wanted,
                                          uint64_t *ids, size_t ids_max, size_t *count, struct fault *fault);
MUST_CHECK enum err chart_stays(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                struct chart_stay **stays, size_t *count, struct fault *fault);

struct chart_movement {
    struct fact_identifier visit;
    enum movement_class class;
    struct bytes movement_id;
    int64_t holds;
    struct fact_place place;
    struct bytes medical_unit, care_unit;
    bool is_cancelled;
    struct chart_source source, cancel_source;
};
MUST_CHECK enum err chart_moves(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                struct chart_movement **moves, size_t *count, struct fault *fault);

struct chart_version { /* what a result said at some time */
    struct bytes value, unit;
    enum result_status status;
    int64_t reported_at;
    struct chart_source source;
};
struct chart_result {
    struct bytes code, system, text, sub_id, type, value, unit, range, flags, notes;
    enum result_status status;
    int64_t observed_at, reported_at;
    struct bytes feed;
    struct chart_source source;
    struct chart_version *before; /* what stood before, newest first */
    size_t before_count;
};
/* Is a result outside its range, by its flags (table 0078)? Never for one that was taken back. */
bool result_is_abnormal(const struct chart_result *result);
/* Deleted and wrong ones are not shown in lists. */
bool result_is_listed(const struct chart_result *result);

struct chart_report {
    struct bytes placer, filler, code, system, text, requester, notes;
    enum result_status status;
    int64_t collected_at, reported_at;
    struct bytes feed;
    size_t member;
    struct chart_result *results;
    size_t result_count;
    struct chart_source source;
};
/* Newest first; from `since` (INSTANT_NONE: all), at most `count_max` reports. Deleted and wrong results keep their status;
 * pages leave them out of lists. */
MUST_CHECK enum err chart_results(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                  int64_t since, size_t count_max, struct chart_report **reports,
                                  size_t *count, struct fault *fault);

struct chart_diagnosis {
    struct bytes code, system, text, type, onset_at, ended_at, state;
    int64_t at;
    bool is_problem; /* of the problem list */
    bool is_deleted; /* it was taken back: pages leave it out */
    struct bytes agent; /* what tells it from the patient's others */
    size_t member;
    struct chart_source source;
};
MUST_CHECK enum err chart_diagnoses(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                    struct chart_diagnosis **out, size_t *count, struct fault *fault);
struct chart_document {
    struct bytes id, parent_id, kind, title, completion, availability, author, media_type, text;
    uint64_t encapsulated_bytes;
    int64_t at;
    bool is_replaced, is_cancelled;
    bool is_replacement, is_addendum; /* of parent_id: stands instead of it; beside it */
    size_t member;
    struct chart_source source;
};
MUST_CHECK enum err chart_documents(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                    struct chart_document **out, size_t *count, struct fault *fault);

/* One of the statements that an order or an appointment is made of. */
struct chart_step {
    struct bytes control; /* ORC-1 as it came */
    const char *state;    /* "" when it says none */
    struct bytes feed;
    struct chart_source source;
};
struct chart_steps {
    struct chart_step *list; /* oldest first */
    size_t count;
};
struct chart_order {
    struct fact_order fact; /* what all statements say together */
    struct bytes feed;      /* of the last one */
    size_t member;
    struct chart_steps steps;
    struct chart_source source;
};
/* Of every kind, by start, else by when it was asked for, newest first. */
MUST_CHECK enum err chart_orders(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                 struct chart_order **orders, size_t *count, struct fault *fault);
/* Does it still stand at that moment? One that was never said to have begun does not. */
bool chart_order_stands(const struct chart_order *order, int64_t at);

struct chart_medication_event {
    struct fact_medication_event fact;
    struct bytes feed;
    size_t member;
    struct chart_source source;
};
/* Newest first; those taken back are among them. */
MUST_CHECK enum err chart_medication_events(struct chart_reader *reader, struct arena *arena,
                                            uint64_t id, struct chart_medication_event **events,
                                            size_t *count, struct fault *fault);

struct chart_appointment {
    struct fact_appointment fact;
    struct bytes feed;
    size_t member;
    struct chart_steps steps;
    struct chart_source source;
};
/* By start. */
MUST_CHECK enum err chart_appointments(struct chart_reader *reader, struct arena *arena, uint64_t id,
                                       struct chart_appointment **appointments, size_t *count,
                                       struct fault *fault);

/* A FHIR resource as it came. */
struct chart_resource {
    struct bytes type, id, source;
    uint64_t patient;   /* of the survivor; 0: of no patient */
    int64_t said;       /* of this version, or of its deletion */
    bool is_deleted;
    struct bytes json;  /* of the last version before the deletion, too; empty: only its deletion is known */
    struct chart_source from;
};
/* ERR_NOT_FOUND: there is none. `source` empty: the first of that type and id. */
MUST_CHECK enum err chart_resource(struct chart_reader *reader, struct arena *arena, struct bytes type, struct bytes id,
                                   struct bytes source, struct chart_resource *out, struct fault *fault);
/* Of a person, by type (empty: of every type) and id; deleted ones are among them. */
MUST_CHECK enum err chart_resources_of(struct chart_reader *reader, struct arena *arena, uint64_t patient,
                                       struct bytes type, struct chart_resource **out, size_t *count,
                                       struct fault *fault);
/* Of no patient, of a type, by id, at most count_max behind (after_id, after_source): pages. */
MUST_CHECK enum err chart_resources_loose(struct chart_reader *reader, struct arena *arena, struct bytes type,
                                          struct bytes after_id, struct bytes after_source, size_t count_max,
                                          struct chart_resource **out, size_t *count, struct fault *fault);

/* Does every word of `query` begin a word of `name`? Accents, case and hyphens are forgiven. */
bool chart_name_has(struct bytes name, struct bytes query);

struct chart_hit {
    struct chart_patient patient;
    bool is_present;
    struct fact_place place;
};
/* By name (accents, case and hyphens forgiven; every word a prefix), birth date (any usual form), number, bed. */
MUST_CHECK enum err chart_search(struct chart_reader *reader, struct arena *arena, struct bytes query,
                                 size_t count_max, struct chart_hit **hits, size_t *count,
                                 struct fault *fault);

/* How many messages came in each hour of the week, on the hospital's clocks, in the last weeks. */
#define PROFILE_HOURS     168u
#define PROFILE_WEEKS     5u
#define PROFILE_WEEKS_MIN 2u /* whole ones; with fewer nothing is known to be usual */
struct chart_week {
    uint32_t number; /* since 1970; 0: none */
    uint32_t counts[PROFILE_HOURS];
};
struct chart_profile {
    struct chart_week weeks[PROFILE_WEEKS];
};

struct chart_feed { /* one sending application */
    struct bytes application, facility;
    uint64_t message_count, aside_count, mismatch_count, warning_count;
    int64_t newest_own_time, newest_received_at, first_received_at;
    /* Newest receipt by what it carried, INSTANT_NONE when never: ages of their own. */
    int64_t newest_movement_at, newest_result_at, newest_medication_at;
    struct chart_profile profile;
};
/* How many messages usually come in the time since the last one, in thousandths; -1: what is usual is not known yet. */
int64_t chart_feed_missed(const struct chart_feed *feed, struct zone *zone, int64_t now);

enum freshness {
    FRESH_CURRENT,
    FRESH_LATE,
    FRESH_OLD, /* messages come, but by their own time they are hours old: a backlog, or a wrong clock */
    FRESH_SILENT,
    FRESH_NEVER
};
/* When it is late and silent, in seconds, as long as nothing is usual, or whatever is (is_own: set for this feed). */
struct chart_patience {
    int64_t late_s, silent_s;
    bool is_own;
};
enum freshness chart_feed_judge(const struct chart_feed *feed, struct zone *zone, int64_t now,
                                const struct chart_patience *patience);
MUST_CHECK enum err chart_feeds(struct chart_reader *reader, struct arena *arena, struct chart_feed **feeds,
                                size_t *count, struct fault *fault);

struct chart_aside {
    uint64_t entry;
    int64_t received_at;
    struct bytes feed, type, reason;
    uint64_t at; /* byte offset */
};
MUST_CHECK enum err chart_asides(struct chart_reader *reader, struct arena *arena, uint64_t from_entry, /* downwards; UINT64_MAX: newest */
                                 size_t count_max, struct chart_aside **asides, size_t *count,
                                 struct fault *fault);

/* A hash of a canonical dump without entry numbers and times of receipt: equal sets of entries give equal digests.
 * `hex` gets 64 characters and a zero. */
MUST_CHECK enum err chart_digest(struct chart_reader *reader, char hex[65], struct fault *fault);
/* The same of what outlasts the epochs it was said in alone (chart_held): it is equal before an epoch is erased and after
 * the chart has been rebuilt. */
MUST_CHECK enum err chart_digest_lasting(struct chart_reader *reader, char hex[65],
                                         struct fault *fault);

/* ---- what must outlast its epoch ---- */

/* An ended stay that is let go: from then on nothing counts that was said of it before. */
struct chart_let_go {
    struct fact_identifier visit; /* number empty: what was said of this patient's stay without naming one */
    struct fact_identifier patient;
};
/* An entry of kind VAULT_NOTE and this type lists them; its clock says before when. */
#define CHART_LET_GO_MEDIA_TYPE "application/vnd.veilleuse.let-go"
/* One more at the end of such an entry's body. */
void chart_let_go_put(struct text *body, const struct chart_let_go *stay);

struct chart_held {
    /* Given: entries from..to-1 are to go; `until`: the clock of the newest of them; no entry before them is left. */
    struct vault_span span;
    hlc_stamp until;
    bool is_oldest;
    uint8_t *parts; /* room for to - from; gets what each holds (enum facts_part), 0: nothing */
    /* Found: how many hold something, and the stays to let go. */
    uint64_t count;
    struct chart_let_go *let_go;
    size_t let_go_count;
};
/* Which entries hold something that must outlast them, because they state it: who a patient is, with all numbers and
 * names; merges and links; allergies, "none known" and what was taken back among them; problems, and the diagnoses of patients
 * present; orders that still stand and appointments to come;
 * stays that are open, or of which something was said later than `until`, with all their movements. An ended stay of
 * which they say something, and nobody anything later, is to be let go as a whole: a part of it could look like a stay
 * that never ended. `let_go` lives in the arena. */
MUST_CHECK enum err chart_held(struct chart_reader *reader, struct arena *arena,
                               struct chart_held *held, struct fault *fault);

/* The answers as JSON, documented in docs/chart-json.md and stable. */
enum chart_question { CHART_CENSUS, CHART_PATIENT, CHART_RESULTS, CHART_MOVES, CHART_ALLERGIES, CHART_DIAGNOSES, CHART_DOCUMENTS, CHART_ORDERS, CHART_MEDICATION,
                      CHART_ADMINISTRATIONS, CHART_APPOINTMENTS, CHART_FEEDS, CHART_ASIDE, CHART_STATE };
struct chart_ask {
    enum chart_question question;
    struct bytes ward;      /* census: one ward, or data NULL */
    uint64_t patient_id;    /* of one person, found before */
    bool all_patients;      /* patient, results, moves...: everyone */
    int64_t now_us; /* what "the last 72 h" are before; of a chart of the past its moment */
};
/* Writes one JSON document into pieces given to `take`, so that a large chart needs no large memory. */
typedef enum err (*chart_take)(void *owner, struct bytes piece);
MUST_CHECK enum err chart_answer_json(struct chart_reader *reader, const struct chart_ask *ask,
                                      chart_take take, void *owner, struct fault *fault);

#endif
