/* merge.c - numbers that turned out to be of one patient, and stays that turned out to be one: MRG, and PID of a link.
 *
 * MRG: 1 the patient's former numbers, 2 an alternate one, 3 the account, 4 the number of older forms, 5 the stay. */
#include "facts/translate.h"

/* ---- which event joins what ---- */

struct merge_event {
    char trigger[4];
    uint8_t
        patient[2]; /* fields of MRG with a patient's number, the one that counts first; 0: none */
    uint8_t survivor;    /* the field of PID that stands against them */
    bool account, visit; /* MRG-3 goes into PID-18, MRG-5 into PV1-19 */
    bool
        moves; /* the stay that is named goes to the patient of PID; its number may stay the same */
};
static const struct merge_event events[] = {
    {"A18", {1, 4}, 3, false, false, false}, {"A30", {1, 4}, 3, false, false, false},
    {"A34", {1, 4}, 3, false, false, false}, {"A36", {1, 4}, 3, true, false, false},
    {"A39", {1, 4}, 3, false, false, false}, {"A40", {1, 4}, 3, false, false, false},
    {"A43", {1, 4}, 3, false, false, false}, {"A46", {4, 1}, 2, false, false, false},
    {"A47", {1, 4}, 3, false, false, false}, {"A48", {2, 1}, 4, false, false, false},
    {"A35", {0, 0}, 3, true, false, false},  {"A41", {0, 0}, 3, true, false, false},
    {"A44", {0, 0}, 3, true, false, true},   {"A49", {0, 0}, 3, true, false, false},
    {"A42", {0, 0}, 3, false, true, false},  {"A45", {0, 0}, 3, false, true, true},
    {"A50", {0, 0}, 3, false, true, false},  {"A51", {0, 0}, 3, false, true, true},
};

static const struct merge_event *event_named(struct bytes trigger) {
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (bytes_is(trigger, events[i].trigger))
            return &events[i];
    return NULL;
}

bool event_is_merge(struct bytes trigger) {
    const struct merge_event *event = event_named(trigger);
    return event && event->patient[0];
}

bool event_is_of_visits(struct bytes trigger) {
    const struct merge_event *event = event_named(trigger);
    return event && !event->patient[0];
}

bool event_is_link(struct bytes trigger) {
    return bytes_is(trigger, "A24") || bytes_is(trigger, "A37");
}

/* ---- patients ---- */

static void add_merge(struct translation *t, struct fact_identifier loser,
                      struct fact_identifier survivor, bool is_unlink) {
    struct fact *fact = translate_add(t, FACT_MERGE);
    if (fact)
        fact->merge = (struct fact_merge){loser, survivor, is_unlink};
    t->merge_count++;
}

/* What is given of one identifier agrees with another. */
static bool agrees(const struct fact_identifier *sparse, const struct fact_identifier *full) {
    return (bytes_is_empty(sparse->authority) || bytes_equal(sparse->authority, full->authority)) &&
           (bytes_is_empty(sparse->type) || bytes_equal(sparse->type, full->type));
}

/* A number sent bare is of the numbering that the survivor's is of: its authority and type are those of the first
 * number in PID-3 that agrees with what MRG-1 does say, the survivor's main number before all others. */
static void complete_loser(struct translation *t, struct fact_identifier *loser) {
    struct fact_identifier full = t->survivor;
    struct bytes rest = t->survivor_field, repetition;
    if (!bytes_is_empty(loser->authority) && !bytes_is_empty(loser->type))
        return;
    bool is_found = t->survivor_is_of_pid_3 && agrees(loser, &full);
    for (unsigned r = 0; r < IDENTIFIERS_MAX && !is_found && next_repetition(t, &rest, &repetition);
         r++) {
        struct identifier_read read;
        is_found = read_identifier(t, repetition, &read) && agrees(loser, &read.identifier);
        if (is_found)
            full = read.identifier;
    }
    if (!is_found)
        return;
    loser->authority = full.authority;
    loser->type = full.type;
}

/* Every number of MRG-1 that a patient may be known by is of the one who goes. */
static unsigned merge_field(struct translation *t, unsigned field, bool *is_itself) {
    struct bytes rest = t->fields[field], repetition;
    unsigned count = 0;
    for (unsigned r = 0; r < IDENTIFIERS_MAX && next_repetition(t, &rest, &repetition); r++) {
        struct identifier_read read;
        if (!read_identifier(t, repetition, &read) || !identifier_may_be_subject(&read))
            continue;
        complete_loser(t, &read.identifier);
        *is_itself |= identifier_equal(&read.identifier, &t->survivor);
        if (identifier_equal(&read.identifier, &t->survivor))
            continue;
        add_merge(t, read.identifier, t->survivor, false);
        count++;
    }
    return count;
}

static void unlink_both(struct translation *t, struct fact_identifier a, struct fact_identifier b) {
    add_merge(t, a, b, true);
    add_merge(t, b, a, true);
}

/* A43 with one number on both sides: it goes on, but no longer belongs to the patient whom MRG-4 names. */
static void move_number(struct translation *t) {
    struct identifier_read read;
    if (read_identifier(t, first_repetition(t, 4), &read) && identifier_may_be_subject(&read) &&
        !identifier_equal(&read.identifier, &t->survivor))
        unlink_both(t, read.identifier, t->survivor);
    else
        translate_aside(t, "a number cannot be merged into itself", t->segment.at);
}

static void merge_patients(struct translation *t, const struct merge_event *event) {
    bool is_itself = false;
    unsigned count = 0;
    if (bytes_is_empty(t->survivor.number)) {
        translate_aside(t, "MRG stands before any PID that names a number", t->segment.at);
        return;
    }
    t->survivor_is_of_pid_3 = event->survivor == 3;
    t->survivor_field = t->survivor_fields[event->survivor];
    for (size_t i = 0; i < 2 && count == 0 && !is_itself; i++)
        count += merge_field(t, event->patient[i], &is_itself);
    if (count == 0 && is_itself && bytes_is(t->facts->trigger, "A43"))
        move_number(t);
    else if (count == 0)
        translate_aside(
            t, is_itself ? "a number cannot be merged into itself" : "MRG names no patient number",
            t->segment.at);
}

/* ---- stays ---- */

static void read_prior(struct translation *t, unsigned field, struct fact_identifier *prior) {
    struct identifier_read read;
    if (read_identifier(t, first_repetition(t, field), &read))
        *prior = read.identifier;
}

void translate_mrg(struct translation *t) {
    const struct merge_event *event = event_named(t->facts->trigger);
    if (t->kind != KIND_EVENT || !event)
        return;
    if (event_is_of_visits(t->facts->trigger) && t->has_mrg) {
        /* A45 moves several stays of one patient: each has its MRG and its PV1. */
        t->is_at_next = t->is_same_subject = t->splits && t->facts->has_subject;
        if (!t->is_at_next && t->facts->has_subject)
            translate_aside(t, "the message speaks of further stays: they were not read",
                            t->segment.at);
        return;
    }
    t->has_mrg = true;
    if (event->account)
        read_prior(t, 3, &t->prior_account);
    if (event->visit)
        read_prior(t, 5, &t->prior_visit);
    if (event->patient[0])
        merge_patients(t, event);
}

/* A number sent bare is of the numbering of the one it goes into. */
static void merge_visit(struct translation *t, struct fact_identifier loser,
                        const struct fact_identifier *survivor) {
    if (bytes_is_empty(loser.number) || bytes_is_empty(survivor->number))
        return;
    if (bytes_is_empty(loser.authority))
        loser.authority = survivor->authority;
    if (bytes_is_empty(loser.type))
        loser.type = survivor->type;
    if (identifier_equal(&loser, survivor))
        return;
    struct fact *fact = translate_add(t, FACT_VISIT_MERGE);
    if (fact)
        fact->visit_merge = (struct fact_visit_merge){loser, *survivor};
    t->visit_merge_count++;
}

void finish_visit_merges(struct translation *t) {
    if (!t->has_mrg)
        return;
    merge_visit(t, t->prior_visit, &t->facts->visit);
    merge_visit(t, t->prior_account, &t->account);
}

/* ---- what is missing ---- */

const char *reason_no_merge(const struct translation *t) {
    struct bytes trigger = t->facts->trigger;
    const struct merge_event *event = event_named(trigger);
    if (event_is_link(trigger))
        return t->merge_count ? NULL : "an event about two patients names only one";
    if (!event)
        return NULL;
    if (event->patient[0])
        return t->merge_count ? NULL : "a merge without MRG";
    if (!t->has_mrg && !bytes_is(trigger, "A51"))
        return "a merge without MRG";
    bool is_moved = event->moves && !bytes_is_empty(t->facts->visit.number);
    return t->visit_merge_count || is_moved ? NULL : "an event about two stays names only one";
}

/* ---- links ---- */

/* A24 says that two records are one person, without a winner: the number that sorts first stands for both, so that
 * links alone never make a circle. A37 takes away what joined them, in either direction. */
void translate_linked_pid(struct translation *t) {
    struct fact_identifier first = t->facts->subject, second = t->survivor;
    int order = bytes_compare(first.number, second.number);
    if (bytes_is(t->facts->trigger, "A37")) {
        unlink_both(t, second, first);
        return;
    }
    if (!order)
        order = bytes_compare(first.authority, second.authority);
    if (!order)
        order = bytes_compare(first.type, second.type);
    if (order <= 0)
        add_merge(t, second, first, false);
    else
        add_merge(t, first, second, false);
}
