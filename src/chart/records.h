/* records.h - what is known under one patient number, and of one stay, as statements with their keys.
 *
 * Shapes     a cell holds the statement with the greatest key; a stay keeps every movement and every cancel, and its
 *            state is worked out from the set of them. So the order of arrival cannot matter.
 * Ownership  values live in the arena that a record was read into.
 */
#ifndef CHART_RECORDS_H
#define CHART_RECORDS_H

#include "chart/chart.h"
#include "chart/pack.h"

/* Rule 3: doubtful dates below all others, then said, then the clock of the entry, then its index. */
struct key {
    bool is_sure;
    int64_t said;
    uint64_t clock, entry;
};
int key_compare(const struct key *a, const struct key *b);

#define ENTRY_NONE UINT64_MAX

/* One source's statement of a single value. */
struct voice {
    struct key key;
    uint64_t feed;
    bool is_deleted;
    struct bytes value;
};
/* The statement that holds; beside it what other sources said at that same moment (rule 10), of each its last. */
#define RIVALS_MAX 3u
struct cell {
    bool is_set;
    uint8_t rival_count;
    struct voice voice;
    struct voice *rivals; /* RIVALS_MAX of them once there is one */
};
/* Would the statement change the cell? */
bool cell_wants(const struct cell *cell, const struct voice *voice);
/* Take it, if so. ERR_LIMIT: no room for a rival. */
MUST_CHECK enum err cell_take(struct cell *cell, const struct voice *voice, struct arena *arena);
/* Empty when unset or deleted. */
struct bytes cell_value(const struct cell *cell);
/* Does a rival say something else? */
bool rival_differs(const struct cell *cell, const struct voice *rival);

struct subject {
    uint64_t id;
    struct fact_identifier identifier;
    struct cell cells[PATIENT_FIELD_COUNT];
    struct fact_identifier *others;
    uint64_t *other_entries; /* beside each, the newest entry that names it */
    size_t other_count;
    uint64_t named_entry; /* the newest that is about this number; ENTRY_NONE: known from merges alone */
    int64_t newest_result_at, touched_at;
    bool is_new, is_dirty, is_derived_dirty;
    struct subject *next_in_batch, *next_in_slot;
};

struct movement {
    struct key key;
    struct fact_movement fact;
    bool is_cancelled; /* worked out */
    struct key cancel_key;
};
struct cancel {
    struct key key;
    struct fact_cancel fact;
    bool is_used; /* worked out */
};
struct visit {
    uint64_t id, subject;
    struct fact_identifier identifier;
    struct key subject_key;
    /* Let go: what was written up to this clock does not count; the entry that says so. 0, ENTRY_NONE: never. */
    uint64_t let_go_clock, let_go_entry;
    /* It is part of another stay of the same patient; said by this key. number empty: it is not. */
    struct fact_identifier merged_into;
    struct key merged_key;
    struct cell cells[VISIT_FIELD_COUNT];
    struct movement *movements;
    struct cancel *cancels;
    size_t movement_count, movement_capacity, cancel_count, cancel_capacity;
    bool is_new, is_dirty;
    struct visit *next_in_batch, *next_in_slot;
};

void key_pack(struct text *out, const struct key *key);
struct key key_unpack(struct unpack *in);
/* A text for a page: of a very long one its beginning, which says so. */
void value_pack(struct text *out, struct bytes value);
/* A record copied into the arena, ready to be read. false: no room. */
bool record_unpack(struct unpack *in, struct bytes record, struct arena *arena);

void subject_pack(const struct subject *subject, struct text *out);
MUST_CHECK enum err subject_unpack(struct subject *subject, struct bytes record, struct arena *arena);
void visit_pack(const struct visit *visit, struct text *out);
MUST_CHECK enum err visit_unpack(struct visit *visit, struct bytes record, struct arena *arena);

/* The same movement said twice is one, with the content of the greater key. */
MUST_CHECK enum err visit_take_movement(struct visit *visit, const struct key *key,
                                        const struct fact_movement *fact, struct arena *arena);
MUST_CHECK enum err visit_take_cancel(struct visit *visit, const struct key *key,
                                      const struct fact_cancel *fact, struct arena *arena);

/* All that was said of `other` is said of `visit` too. */
MUST_CHECK enum err visit_absorb(struct visit *visit, const struct visit *other, struct arena *arena);

/* Nothing that was written of it up to the key's clock counts; with nothing left it is nobody's until something is said
 * again. */
void visit_let_go(struct visit *visit, const struct key *key);

/* Rule 7: which movements are cancelled, and what follows: where, since when, present or not. Sorts the movements by
 * (holds, key). */
void visit_work_out(struct visit *visit, struct chart_stay *stay);
/* Worked out: the patient is there, or expected. */
bool visit_is_open(const struct visit *visit, const struct chart_stay *stay);

void place_pack(struct text *out, const struct fact_place *place);
struct fact_place place_unpack(struct unpack *in);
void identifier_pack(struct text *out, const struct fact_identifier *identifier);
struct fact_identifier identifier_unpack(struct unpack *in);
bool identifier_is(const struct fact_identifier *a, const struct fact_identifier *b);

/* A result's statement, as stored. `feed` is the sender's id. */
struct stored_report {
    struct key key;
    uint64_t feed;
    size_t member; /* of its person, at reading */
    struct fact_report fact;
};
void report_pack(const struct stored_report *report, struct text *out);
MUST_CHECK enum err report_unpack(struct stored_report *report, struct bytes record,
                                  struct arena *arena);

#endif
