/* fhir_patient.c - who the patient is: Patient. */
#include "facts/fhir.h"
#include "facts/number.h"

#define NUMBERS_MAX 32u /* more are not read: a patient has a handful */

static void add_cell(struct fhir_work *w, enum patient_field field, struct bytes value) {
    struct fact *fact = bytes_is_empty(value) ? NULL : fhir_add(w, FACT_PATIENT);
    if (!fact)
        return;
    fact->cell.field = (int)field;
    fact->cell.value = value;
}

static void delete_cell(struct fhir_work *w, enum patient_field field) {
    struct fact *fact = fhir_add(w, FACT_PATIENT);
    if (!fact)
        return;
    fact->cell.field = (int)field;
    fact->cell.is_deleted = true;
}

/* ---- numbers ---- */

struct number {
    struct fact_identifier identifier;
    enum identifier_role role;
    enum ins_kind ins;
    bool is_typed, is_past;
};
struct numbers {
    struct number list[NUMBERS_MAX];
    size_t count;
};

static void read_number(struct fhir_work *w, const struct fhir_node *node, struct numbers *all) {
    struct fhir_identifier read = fhir_identifier(node, w->context->zone, w->arena);
    struct bytes oid = bytes_starts_with(read.system, BYTES("urn:oid:"))
                           ? bytes_skip(read.system, 8)
                           : read.system;
    if (bytes_is_empty(read.value))
        return;
    struct number number = {
        .identifier = fhir_number(w, read.system, read.type, read.value),
        .ins = number_ins(oid),
        .is_typed = !bytes_is_empty(read.type),
        .is_past = bytes_is(read.use, "old") ||
                   (read.ends_at != INSTANT_NONE && read.ends_at <= w->facts->said),
    };
    number.role = number.ins == INS_NONE ? number_role(number.identifier.type) : ROLE_INS;
    if (number.ins != INS_NONE)
        number.identifier.authority = oid;
    all->list[all->count++] = number;
}

static void read_numbers(struct fhir_work *w, struct numbers *all) {
    const struct fhir_node *node = fhir_items(own(w, "identifier"));
    all->count = 0;
    for (; node && all->count < NUMBERS_MAX; node = node->next)
        read_number(w, node, all);
    if (node)
        fhir_warn(w, "a patient has more numbers than are read");
}

/* The first of a hospital's own types, one that says its type before one that does not; else the first that may be it. */
static const struct number *choose_number(const struct numbers *all) {
    const struct number *untyped = NULL, *first = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct number *n = &all->list[i];
        if (n->is_past || (n->role != ROLE_BEST && n->role != ROLE_UNKNOWN))
            continue;
        if (n->role == ROLE_BEST && n->is_typed)
            return n;
        if (n->role == ROLE_BEST && !untyped)
            untyped = n;
        if (!first)
            first = n;
    }
    return untyped ? untyped : first;
}

static void add_merge(struct fhir_work *w, struct fact_identifier loser,
                      struct fact_identifier survivor) {
    struct fact *fact = fhir_add(w, FACT_MERGE);
    if (fact)
        fact->merge = (struct fact_merge){.loser = loser, .survivor = survivor};
}

static bool is_listed(const struct facts *facts, const struct fact_identifier *identifier) {
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact_identifier *other = &facts->list[i].identifier;
        if (facts->list[i].kind == FACT_IDENTIFIER &&
            bytes_equal(other->number, identifier->number) &&
            bytes_equal(other->authority, identifier->authority) &&
            bytes_equal(other->type, identifier->type))
            return true;
    }
    return false;
}

static bool has_nir(const struct numbers *all) {
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].ins == INS_NIR && !all->list[i].is_past)
            return true;
    return false;
}

/* Of the French national number only that of a qualified identity counts, the NIR before the NIA. */
static bool is_taken(const struct number *n, bool is_qualified, bool nir_is_known) {
    if (n->role == ROLE_NO_PERSON)
        return false;
    if (n->role != ROLE_INS)
        return true;
    return is_qualified && n->ins != INS_NONE && !n->is_past &&
           !(nir_is_known && n->ins == INS_NIA);
}

/* A reference by a search names the number and not its type: it means this one. */
static void add_untyped(struct fhir_work *w, const struct fact_identifier *chosen) {
    struct fact_identifier bare = *chosen;
    bare.type = BYTES("PI");
    if (!bytes_is(chosen->type, "PI") && !bytes_is_empty(chosen->authority))
        add_merge(w, bare, *chosen);
}

static struct fact_identifier add_numbers(struct fhir_work *w, bool is_qualified) {
    struct numbers all;
    read_numbers(w, &all);
    const struct number *chosen = choose_number(&all);
    for (size_t i = 0; i < all.count; i++) {
        const struct number *n = &all.list[i];
        if (n == chosen || is_listed(w->facts, &n->identifier) ||
            !is_taken(n, is_qualified, has_nir(&all)))
            continue;
        struct fact *fact = fhir_add(w, FACT_IDENTIFIER);
        if (fact)
            fact->identifier = n->identifier;
    }
    if (!chosen)
        return w->facts->subject;
    add_merge(w, w->facts->subject, chosen->identifier);
    add_untyped(w, &chosen->identifier);
    return chosen->identifier;
}

/* link: replaced-by says who survives; the other direction is the other record's to say. A record about the same person is linked
 * as HL7 v2 A24 does: the number that sorts first stands for both. */
static void add_links(struct fhir_work *w, const struct fact_identifier *known_by) {
    for (const struct fhir_node *l = fhir_items(own(w, "link")); l; l = l->next) {
        struct fact_identifier other;
        bool is_replaced = fhir_member_is(l, "type", "replaced-by");
        if ((!is_replaced && !fhir_member_is(l, "type", "seealso")) ||
            !fhir_patient_of(w, fhir_member(l, "other"), &other))
            continue;
        if (is_replaced)
            add_merge(w, *known_by, other);
        else if (bytes_compare(w->facts->subject.number, other.number) > 0)
            add_merge(w, *known_by, other);
        /* else the other record, which links to this one too, says it */
    }
}

/* ---- names ---- */

struct names {
    struct fhir_name usual, official, maiden, plain;
};

static bool is_said(const struct fhir_name *name) {
    return !bytes_is_empty(name->family) || !bytes_is_empty(name->given) ||
           !bytes_is_empty(name->text);
}

static void keep_first(struct fhir_name *kept, const struct fhir_name *name) {
    if (!is_said(kept))
        *kept = *name;
}

static void sort_name(struct names *names, const struct fhir_name *name) {
    if (bytes_is(name->use, "usual"))
        keep_first(&names->usual, name);
    else if (bytes_is(name->use, "official"))
        keep_first(&names->official, name);
    else if (bytes_is(name->use, "maiden"))
        keep_first(&names->maiden, name);
    else if (!bytes_is(name->use, "old") && !bytes_is(name->use, "nickname") &&
             !bytes_is(name->use, "anonymous"))
        keep_first(&names->plain, name);
}

static struct bytes either(struct bytes a, struct bytes b) {
    return bytes_is_empty(a) ? b : a;
}

/* As PID-5: staff call a patient by the usual name (D), else the official one (L); the name of birth is the maiden one (M),
 * else, beside a usual one, the official one. */
static void read_names(struct fhir_work *w) {
    struct names names = {0};
    for (const struct fhir_node *n = fhir_items(own(w, "name")); n; n = n->next) {
        struct fhir_name name = fhir_name(n, w->arena);
        if (is_said(&name))
            sort_name(&names, &name);
    }
    bool has_usual = is_said(&names.usual);
    struct fhir_name rest = is_said(&names.official) ? names.official
                            : is_said(&names.plain)  ? names.plain
                                                     : names.maiden;
    struct fhir_name main = has_usual ? names.usual : rest;
    struct bytes family = either(main.family, rest.family), given = either(main.given, rest.given);
    if (bytes_is_empty(family) && bytes_is_empty(given))
        family = either(main.text, rest.text);
    struct bytes birth = names.maiden.family;
    if (bytes_is_empty(birth) && has_usual)
        birth = names.official.family;
    add_cell(w, PATIENT_FAMILY_NAME, family);
    add_cell(w, PATIENT_GIVEN_NAME, given);
    add_cell(w, PATIENT_PREFIX, either(main.prefix, rest.prefix));
    if (has_usual)
        add_cell(w, PATIENT_USED_NAME, names.usual.family);
    add_cell(w, PATIENT_BIRTH_NAME, birth);
}

/* ---- the rest ---- */

static struct bytes sex_of(const struct fhir_work *w) {
    const struct fhir_node *gender = own(w, "gender");
    return fhir_is(gender, "male")      ? BYTES("M")
           : fhir_is(gender, "female")  ? BYTES("F")
           : fhir_is(gender, "other")   ? BYTES("O")
           : fhir_is(gender, "unknown") ? BYTES("U")
                                        : BYTES_NONE;
}

/* The home's, before others that still hold. */
static const struct fhir_node *best_of(const struct fhir_node *list, const char *use) {
    const struct fhir_node *first = NULL;
    for (const struct fhir_node *i = fhir_items(list); i; i = i->next) {
        if (fhir_member_is(i, "use", use))
            return i;
        if (!first && !fhir_member_is(i, "use", "old"))
            first = i;
    }
    return first;
}

static struct bytes phone_of(const struct fhir_work *w) {
    for (const struct fhir_node *t = fhir_items(own(w, "telecom")); t; t = t->next)
        if ((fhir_member_is(t, "system", "phone") || fhir_member_is(t, "system", "sms")) &&
            !fhir_member_is(t, "use", "old"))
            return fhir_member_text(t, "value", w->arena);
    return BYTES_NONE;
}

static void read_death(struct fhir_work *w) {
    const struct fhir_node *is_dead = own(w, "deceasedBoolean");
    struct bytes when = fhir_time_text(own(w, "deceasedDateTime"), w->context->zone, w->arena);
    if (!bytes_is_empty(when))
        add_cell(w, PATIENT_DEATH, when);
    else if (fhir_is_true(is_dead) || own(w, "deceasedDateTime"))
        add_cell(w, PATIENT_DEATH, BYTES("Y"));
    else if (is_dead)
        delete_cell(w, PATIENT_DEATH);
}

static bool url_says(const struct fhir_node *extension, const char *word) {
    const struct fhir_node *url = fhir_member(extension, "url");
    return url && memmem(url->raw.data, url->raw.size, word, strlen(word));
}

/* The French core profile's extension, plain or with parts: a code of table 0445, as in PID-32. */
static struct bytes identity_status(const struct fhir_work *w) {
    for (const struct fhir_node *e = fhir_items(own(w, "extension")); e; e = e->next) {
        if (!url_says(e, "identity-reliability"))
            continue;
        const struct fhir_node *value = fhir_choice(e, "value", NULL);
        for (const struct fhir_node *part = fhir_items(fhir_member(e, "extension")); part && !value;
             part = part->next)
            value = url_says(part, "identityStatus") ? fhir_choice(part, "value", NULL) : NULL;
        return fhir_coding(value, w->arena).code;
    }
    return BYTES_NONE;
}

void fhir_patient(struct fhir_work *w) {
    struct bytes status = identity_status(w);
    struct fact_identifier known_by = add_numbers(w, bytes_is(status, "VALI"));
    if (!bytes_is_empty(w->base)) /* what names it by its whole address means it too */
        add_merge(w, (struct fact_identifier){w->base, w->facts->subject.type, w->id},
                  w->facts->subject);
    add_links(w, &known_by);
    read_names(w);
    struct bytes born = own_text(w, "birthDate");
    if (own_instant(w, w->resource, "birthDate") != INSTANT_NONE)
        add_cell(w, PATIENT_BIRTH_DATE, bytes_first(born, 10));
    else if (!bytes_is_empty(born))
        fhir_warn(w, "a birth date is not of the form");
    add_cell(w, PATIENT_SEX, sex_of(w));
    add_cell(w, PATIENT_ADDRESS, fhir_address_line(best_of(own(w, "address"), "home"), w->arena));
    add_cell(w, PATIENT_PHONE, phone_of(w));
    read_death(w);
    add_cell(w, PATIENT_IDENTITY_STATUS, status);
}
