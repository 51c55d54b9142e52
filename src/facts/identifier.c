/* identifier.c - by which number a patient is known, which others there are, and which were merged: PID-3, MRG. */
#include "facts/translate.h"

static bool is_one_of(struct bytes word, const char *const *words) {
    for (; *words; words++)
        if (bytes_is(word, *words))
            return true;
    return false;
}

/* ---- what a number is of ---- */

/* By CX.5, tables 0203 and IHE PAM.fr; types that are not here may be anything. */
enum identifier_role number_role(struct bytes type) {
    static const struct {
        char type[8];
        uint8_t size;
        enum identifier_role role;
    } types[] = {
        {"PI", 2, ROLE_BEST},       {"MR", 2, ROLE_BEST},      {"MRN", 3, ROLE_BEST},
        {"PT", 2, ROLE_BEST},       {"SS", 2, ROLE_STATE},     {"NIR", 3, ROLE_STATE},
        {"NIA", 3, ROLE_STATE},     {"DL", 2, ROLE_STATE},     {"PPN", 3, ROLE_STATE},
        {"CZ", 2, ROLE_STATE},      {"MB", 2, ROLE_STATE},     {"HC", 2, ROLE_STATE},
        {"BC", 2, ROLE_STATE},      {"NH", 2, ROLE_NO_PERSON}, {"AN", 2, ROLE_NO_PERSON},
        {"VN", 2, ROLE_NO_PERSON},  {"INS", 3, ROLE_INS},      {"INS-NIR", 7, ROLE_INS},
        {"INS-NIA", 7, ROLE_INS},   {"INS-C", 5, ROLE_INS},    {"INS-A", 5, ROLE_INS},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (type.size == types[i].size && !memcmp(type.data, types[i].type, type.size))
            return types[i].role;
    return ROLE_UNKNOWN;
}

/* The French national identity number: which of them its authority's OID says. */
enum ins_kind number_ins(struct bytes oid) {
    static const struct bytes root = {(const uint8_t *)"1.2.250.1.213.1.4.", 18};
    static const char *const last[] = {"8", "9", "10", "11"};
    if (!bytes_starts_with(oid, root))
        return INS_NONE;
    for (size_t i = 0; i < 4; i++)
        if (bytes_is(bytes_skip(oid, root.size), last[i]))
            return (enum ins_kind)(INS_NIR + i);
    return INS_NONE;
}

/* CX: 1 number, 2 check digit, 3 its scheme, 4 authority (HD: namespace & universal id), 5 type, 8 expiry. */
bool read_identifier(struct translation *t, struct bytes repetition, struct identifier_read *out) {
    struct bytes parts[8];
    split_components(t, repetition, parts, 8);
    struct bytes number = text_of(t, subcomponent(t, parts[0], 1));
    if (bytes_is_empty(number))
        return false;
    struct bytes space = text_of(t, subcomponent(t, parts[3], 1));
    struct bytes oid = text_of(t, subcomponent(t, parts[3], 2));
    struct bytes type = upper_of(t, text_of(t, subcomponent(t, parts[4], 1)));
    struct time_read expiry;
    bool is_expired =
        time_stated(t, parts[7], &expiry) && expiry.at + 24 * 3600 * US_PER_S <= t->facts->said;
    *out = (struct identifier_read){
        .identifier = {bytes_is_empty(space) ? oid : space, type, number},
        .ins = number_ins(bytes_is_empty(oid) ? space : oid),
        .is_expired = is_expired,
    };
    out->role = out->ins == INS_NONE ? number_role(type) : ROLE_INS;
    if (out->ins != INS_NONE && !bytes_is_empty(oid))
        out->identifier.authority = oid;
    return true;
}

bool identifier_equal(const struct fact_identifier *a, const struct fact_identifier *b) {
    return bytes_equal(a->number, b->number) && bytes_equal(a->authority, b->authority) &&
           bytes_equal(a->type, b->type);
}

/* ---- PID ---- */

/* Only the qualified identity gives the national number; what it replaces has an end. */
static bool ins_is_taken(struct translation *t, const struct identifier_read *read, bool nir_is_known) {
    if (read->ins == INS_NONE) {
        translate_warn(t, "a national identity number (INS) does not say by its OID which kind it is");
        return false;
    }
    return !read->is_expired && !(nir_is_known && read->ins == INS_NIA);
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

bool identifier_may_be_subject(const struct identifier_read *read) {
    return read->role == ROLE_BEST || read->role == ROLE_UNKNOWN;
}

void read_identifiers(struct translation *t, struct identifier_list *all) {
    static const unsigned fields[] = {3, 2, 4};
    struct bytes repetition;
    all->count = all->of_pid_3 = 0;
    for (size_t i = 0; i < 3; i++) {
        struct bytes rest = t->fields[fields[i]];
        while (!bytes_is_empty(rest) && all->count < IDENTIFIERS_MAX &&
               next_repetition(t, &rest, &repetition))
            all->count += read_identifier(t, repetition, &all->list[all->count]);
        if (i == 0)
            all->of_pid_3 = all->count;
    }
    if (all->count == IDENTIFIERS_MAX)
        translate_warn(t, "a patient has more numbers than are read");
}

/* In PID-3 the first of a hospital's own types; else the first that may be it, in the order of the list. */
const struct fact_identifier *choose_subject(const struct identifier_list *all) {
    const struct fact_identifier *first = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct identifier_read *read = &all->list[i];
        if (!identifier_may_be_subject(read))
            continue;
        if (i < all->of_pid_3 && read->role == ROLE_BEST)
            return &read->identifier;
        if (!first)
            first = &read->identifier;
    }
    return first;
}

static bool is_listed(const struct identifier_list *all, size_t before,
                      const struct fact_identifier *identifier) {
    for (size_t i = 0; i < before; i++)
        if (identifier_equal(&all->list[i].identifier, identifier))
            return true;
    return false;
}

static bool has_nir(const struct identifier_list *all) {
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].ins == INS_NIR && !all->list[i].is_expired)
            return true;
    return false;
}

void add_other_identifiers(struct translation *t, const struct identifier_list *all) {
    bool takes_ins = is_qualified(t);
    for (size_t i = 0; i < all->count; i++) {
        const struct identifier_read *read = &all->list[i];
        const struct fact_identifier *identifier = &read->identifier;
        if (identifier_equal(identifier, &t->facts->subject) || is_listed(all, i, identifier) ||
            read->role == ROLE_NO_PERSON)
            continue;
        if (read->role == ROLE_INS && !(takes_ins && ins_is_taken(t, read, has_nir(all))))
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
