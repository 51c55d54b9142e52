/* identifier.c - by which number a patient is known, which others there are, and which were merged: PID-3, MRG. */
#include "facts/translate.h"

/* More repetitions than this are not read: a patient has a handful of numbers. */
#define IDENTIFIERS_MAX 32u

static bool is_one_of(struct bytes word, const char *const *words) {
    for (; *words; words++)
        if (bytes_is(word, *words))
            return true;
    return false;
}

/* CX: 1 number, 2 check digit, 3 its scheme, 4 authority (HD: namespace & universal id), 5 type, 8 expiry. */
bool read_identifier(struct translation *t, struct bytes repetition, struct identifier_read *out) {
    struct bytes parts[8];
    split_components(t, repetition, parts, 8);
    struct bytes number = text_of(t, subcomponent(t, parts[0], 1));
    if (bytes_is_empty(number))
        return false;
    struct bytes space = text_of(t, subcomponent(t, parts[3], 1));
    struct time_read expiry;
    *out = (struct identifier_read){.oid = text_of(t, subcomponent(t, parts[3], 2))};
    out->is_expired =
        time_stated(t, parts[7], &expiry) && expiry.at + 24 * 3600 * US_PER_S <= t->facts->said;
    out->identifier = (struct fact_identifier){
        .authority = bytes_is_empty(space) ? out->oid : space,
        .type = upper_of(t, text_of(t, subcomponent(t, parts[4], 1))),
        .number = number,
    };
    if (bytes_is_empty(out->oid))
        out->oid = space;
    if (identifier_is_ins(out))
        out->identifier.authority = out->oid;
    return true;
}

bool identifier_equal(const struct fact_identifier *a, const struct fact_identifier *b) {
    return bytes_equal(a->number, b->number) && bytes_equal(a->authority, b->authority) &&
           bytes_equal(a->type, b->type);
}

/* ---- the French national identity number ---- */

enum ins_kind { INS_NONE, INS_NIR, INS_NIA, INS_TEST, INS_DEMONSTRATION };

static enum ins_kind ins_kind_of(const struct identifier_read *read) {
    static const char *const oids[] = {"1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9",
                                       "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"};
    for (size_t i = 0; i < sizeof oids / sizeof oids[0]; i++)
        if (bytes_is(read->oid, oids[i]))
            return (enum ins_kind)(INS_NIR + i);
    return INS_NONE;
}

bool identifier_is_ins(const struct identifier_read *read) {
    static const char *const types[] = {"INS", "INS-NIR", "INS-NIA", "INS-C", "INS-A", NULL};
    return ins_kind_of(read) != INS_NONE || is_one_of(read->identifier.type, types);
}

/* Only the qualified identity gives the national number; what it replaces has an end. */
static bool ins_is_taken(struct translation *t, const struct identifier_read *read, bool has_nir) {
    enum ins_kind kind = ins_kind_of(read);
    if (kind == INS_NONE) {
        translate_warn(t, "a national identity number (INS) does not say by its OID which kind it is");
        return false;
    }
    return !read->is_expired && !(has_nir && kind == INS_NIA);
}

/* PID-32, any repetition. */
static bool is_qualified(const struct translation *t) {
    struct bytes rest = t->fields[32], repetition;
    while (next_repetition(t, &rest, &repetition))
        if (bytes_is(subcomponent(t, hl7_component_of(&t->message.delimiters, repetition, 1), 1),
                     "VALI"))
            return true;
    return false;
}

/* ---- PID ---- */

bool identifier_may_be_subject(const struct identifier_read *read) {
    static const char *const never[] = {"SS", "NH", "NIR", "NIA", "DL", "PPN", "AN", "VN",
                                        "MB", "HC", "BC",  "CZ",  NULL};
    return !identifier_is_ins(read) && !is_one_of(read->identifier.type, never);
}

bool choose_subject(struct translation *t, struct fact_identifier *subject) {
    static const char *const best[] = {"PI", "MR", "MRN", "PT", NULL};
    static const unsigned fields[] = {3, 2, 4};
    struct identifier_read read;
    bool is_found = false;
    for (size_t i = 0; i < 3 && !is_found; i++) {
        struct bytes rest = t->fields[fields[i]], repetition;
        for (unsigned r = 0; r < IDENTIFIERS_MAX && next_repetition(t, &rest, &repetition); r++) {
            if (!read_identifier(t, repetition, &read) || !identifier_may_be_subject(&read))
                continue;
            bool is_best = i == 0 && is_one_of(read.identifier.type, best);
            if (is_best || !is_found)
                *subject = read.identifier;
            is_found = true;
            if (is_best)
                return true;
        }
    }
    return is_found;
}

static size_t gather_identifiers(struct translation *t, struct identifier_read *list, bool *has_nir) {
    static const unsigned fields[] = {3, 2, 4};
    struct bytes repetition;
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        struct bytes rest = t->fields[fields[i]];
        while (count < IDENTIFIERS_MAX && next_repetition(t, &rest, &repetition)) {
            if (!read_identifier(t, repetition, &list[count]))
                continue;
            *has_nir |= ins_kind_of(&list[count]) == INS_NIR && !list[count].is_expired;
            count++;
        }
    }
    if (count == IDENTIFIERS_MAX)
        translate_warn(t, "a patient has more numbers than are read");
    return count;
}

static bool is_listed(const struct identifier_read *list, size_t count,
                      const struct fact_identifier *identifier) {
    for (size_t i = 0; i < count; i++)
        if (identifier_equal(&list[i].identifier, identifier))
            return true;
    return false;
}

/* Not the billing number, which a family shares, nor those of a stay. */
static bool is_of_person(const struct fact_identifier *identifier) {
    static const char *const others[] = {"NH", "AN", "VN", NULL};
    return !is_one_of(identifier->type, others);
}

void add_other_identifiers(struct translation *t) {
    struct identifier_read list[IDENTIFIERS_MAX];
    bool has_nir = false, takes_ins = is_qualified(t);
    size_t count = gather_identifiers(t, list, &has_nir);
    for (size_t i = 0; i < count; i++) {
        const struct fact_identifier *identifier = &list[i].identifier;
        if (identifier_equal(identifier, &t->facts->subject) || is_listed(list, i, identifier) ||
            !is_of_person(identifier))
            continue;
        if (identifier_is_ins(&list[i]) && !(takes_ins && ins_is_taken(t, &list[i], has_nir)))
            continue;
        struct fact *fact = translate_add(t, FACT_IDENTIFIER);
        if (fact)
            fact->identifier = *identifier;
    }
}

/* ---- merges ---- */

bool event_is_merge(struct bytes trigger) {
    static const char *const events[] = {"A18", "A30", "A34", "A36", "A39", "A40", "A47", NULL};
    return is_one_of(trigger, events);
}

bool event_is_link(struct bytes trigger) {
    return bytes_is(trigger, "A24") || bytes_is(trigger, "A37");
}

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
    bool is_found = agrees(loser, &full);
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

void translate_mrg(struct translation *t) {
    bool is_itself = false;
    if (!event_is_merge(t->facts->trigger))
        return;
    if (bytes_is_empty(t->survivor.number)) {
        translate_aside(t, "MRG stands before any PID that names a number", t->segment.at);
        return;
    }
    /* MRG-4 was the number in the older forms. */
    if (merge_field(t, 1, &is_itself) + (is_itself ? 0 : merge_field(t, 4, &is_itself)) == 0)
        translate_aside(t, is_itself ? "a number cannot be merged into itself"
                                     : "MRG names no patient number",
                        t->segment.at);
}

/* A24 says that two records are one person, without a winner: the number that sorts first stands for both, so that
 * links alone never make a circle. A37 takes away what joined them, in either direction. */
void translate_linked_pid(struct translation *t) {
    struct fact_identifier first = t->facts->subject, second = t->survivor;
    int order = bytes_compare(first.number, second.number);
    if (bytes_is(t->facts->trigger, "A37")) {
        add_merge(t, second, first, true);
        add_merge(t, first, second, true);
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
