/* identifier.c - by which number a patient is known, and which others there are: PID-3, PID-2, PID-4. */
#include "facts/translate.h"

/* ---- what a number is of ---- */

/* By CX.5, tables 0203 and IHE PAM.fr; types that are not here may be anything. */
enum identifier_role number_role(struct bytes type) {
    static const struct {
        char type[8];
        uint8_t size;
        enum identifier_role role;
    } types[] = {
        {"PI", 2, ROLE_BEST},      {"MR", 2, ROLE_BEST},      {"MRN", 3, ROLE_BEST},
        {"PT", 2, ROLE_BEST},      {"SS", 2, ROLE_STATE},     {"NIR", 3, ROLE_STATE},
        {"NIA", 3, ROLE_STATE},    {"DL", 2, ROLE_STATE},     {"PPN", 3, ROLE_STATE},
        {"CZ", 2, ROLE_STATE},     {"MB", 2, ROLE_STATE},     {"HC", 2, ROLE_STATE},
        {"BC", 2, ROLE_STATE},     {"NH", 2, ROLE_NO_PERSON}, {"AN", 2, ROLE_NO_PERSON},
        {"VN", 2, ROLE_NO_PERSON}, {"INS", 3, ROLE_INS},      {"INS-NIR", 7, ROLE_INS},
        {"INS-NIA", 7, ROLE_INS},  {"INS-C", 5, ROLE_INS},    {"INS-A", 5, ROLE_INS},
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
static bool ins_is_taken(struct translation *t, const struct identifier_read *read,
                         bool nir_is_known) {
    if (read->ins == INS_NONE) {
        translate_warn(t,
                       "a national identity number (INS) does not say by its OID which kind it is");
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
