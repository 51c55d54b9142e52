/* fhir_reference.c - what references of a FHIR document point to, and what that is called. */
#include "facts/fhir.h"

#include <stdlib.h>

#define PEOPLE_MAX 32u

/* ---- the index of a Bundle ---- */

static int compare_targets(const void *a, const void *b) {
    const struct fhir_target *left = a, *right = b;
    int order = bytes_compare(left->key, right->key);
    return order ? order : (left->at > right->at) - (left->at < right->at);
}

static void add_target(struct fhir_work *w, struct bytes key, struct fhir_target target) {
    if (bytes_is_empty(key))
        return;
    target.key = key;
    target.at = w->target_count;
    w->targets[w->target_count++] = target;
}

static struct bytes type_and_id(struct fhir_work *w, struct bytes type, struct bytes id) {
    const struct bytes parts[] = {type, id};
    return bytes_is_empty(type) || bytes_is_empty(id) ? BYTES_NONE
                                                      : fhir_join(parts, 2, "/", w->arena);
}

enum err fhir_index(struct fhir_work *w, const struct fhir_node *bundle) {
    const struct fhir_node *entries = fhir_items(fhir_member(bundle, "entry"));
    size_t count = 0;
    for (const struct fhir_node *entry = entries; entry; entry = entry->next)
        count++;
    w->target_count = 0;
    w->targets = arena_array(w->arena, count * 2, sizeof *w->targets);
    if (count && !w->targets)
        return ERR_LIMIT;
    for (const struct fhir_node *entry = entries; entry; entry = entry->next) {
        const struct fhir_node *resource = fhir_member(entry, "resource");
        struct fhir_reference url =
            fhir_url(fhir_member_text(entry, "fullUrl", w->arena), w->arena);
        struct fhir_target target = {
            .type = fhir_member_text(resource, "resourceType", w->arena),
            .resource = resource,
        };
        if (!resource)
            continue;
        target.id = facts_fhir_entry_id(entry, w->bundle_id, w->arena);
        struct bytes local = fhir_member_text(resource, "id", w->arena);
        add_target(w, url.whole, target);
        add_target(w, type_and_id(w, target.type, bytes_is_empty(local) ? target.id : local),
                   target);
    }
    if (w->target_count > 1)
        qsort(w->targets, w->target_count, sizeof *w->targets, compare_targets);
    return ERR_OK;
}

static const struct fhir_target *find_target(const struct fhir_work *w, struct bytes key) {
    size_t from = 0, to = w->target_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (bytes_compare(w->targets[middle].key, key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from < w->target_count && bytes_equal(w->targets[from].key, key) ? &w->targets[from]
                                                                            : NULL;
}

static const struct fhir_node *find_contained(const struct fhir_work *w, struct bytes id) {
    for (const struct fhir_node *c = fhir_items(own(w, "contained")); c; c = c->next) {
        struct bytes own = fhir_member_text(c, "id", w->arena);
        if (own.size && own.data[0] == '#')
            own = bytes_skip(own, 1);
        if (bytes_equal(own, id))
            return c;
    }
    return NULL;
}

/* ---- resolving ---- */

static struct fhir_target resolve(struct fhir_work *w, const struct fhir_reference *r) {
    struct fhir_target out = {.key = r->whole, .type = r->type, .id = r->id};
    const struct fhir_target *found = NULL;
    if (r->kind == FHIR_REFERENCE_CONTAINED) {
        out.resource = find_contained(w, r->id);
        out.type = fhir_member_text(out.resource, "resourceType", w->arena);
        out.id = BYTES_NONE; /* it has none outside */
        return out;
    }
    if (r->kind == FHIR_REFERENCE_URN || r->kind == FHIR_REFERENCE_ABSOLUTE)
        found = find_target(w, r->whole);
    else if (r->kind == FHIR_REFERENCE_RELATIVE)
        found = find_target(w, type_and_id(w, r->type, r->id));
    return found ? *found : out;
}

struct fhir_target fhir_resolve(struct fhir_work *w, const struct fhir_node *reference) {
    struct fhir_reference r = fhir_reference(reference, w->arena);
    return resolve(w, &r);
}

struct fhir_target fhir_lookup(struct fhir_work *w, struct bytes url) {
    struct fhir_reference r = fhir_url(url, w->arena);
    return resolve(w, &r);
}

struct bytes fhir_name_of(struct fhir_work *w, const struct fhir_node *reference) {
    struct fhir_reference r = fhir_reference(reference, w->arena);
    struct fhir_target target = resolve(w, &r);
    struct bytes base = r.kind == FHIR_REFERENCE_ABSOLUTE && !target.resource ? r.base
                        : bytes_is(w->context->source, FACTS_FHIR_SOURCE)     ? BYTES_NONE
                                                                              : w->context->source;
    const struct bytes parts[] = {base, target.type, target.id};
    return bytes_is_empty(target.id) ? BYTES_NONE : fhir_join(parts, 3, "/", w->arena);
}

/* ---- numbers ---- */

static struct bytes without_urn(struct bytes system) {
    return bytes_starts_with(system, BYTES("urn:oid:")) ? bytes_skip(system, 8) : system;
}

struct fact_identifier fhir_number(struct fhir_work *w, struct bytes system, struct bytes type,
                                   struct bytes value) {
    struct bytes authority = without_urn(system), given = BYTES_NONE;
    for (size_t i = 0; i < w->context->authority_count; i++) {
        const struct facts_authority *a = &w->context->authorities[i];
        if (!bytes_equal(without_urn(a->system), without_urn(system)))
            continue;
        authority = a->name;
        given = a->type;
        break;
    }
    if (bytes_is_empty(type))
        type = bytes_is_empty(given) ? BYTES("PI") : given;
    return (struct fact_identifier){authority, type, value};
}

struct bytes fhir_typed_number(struct fhir_work *w, const char *type) {
    for (const struct fhir_node *i = fhir_items(own(w, "identifier")); i; i = i->next) {
        struct fhir_identifier identifier = fhir_identifier(i, w->context->zone, w->arena);
        if (bytes_is(identifier.type, type))
            return identifier.value;
    }
    return BYTES_NONE;
}

bool fhir_patient_of(struct fhir_work *w, const struct fhir_node *reference,
                     struct fact_identifier *patient) {
    struct fhir_reference r = fhir_reference(reference, w->arena);
    struct fhir_target target = resolve(w, &r);
    bool is_patient = bytes_is(target.type, "Patient") ||
                      (bytes_is_empty(target.type) && r.kind != FHIR_REFERENCE_NONE &&
                       r.kind != FHIR_REFERENCE_CONTAINED);
    if (!is_patient)
        return false;
    if (r.kind == FHIR_REFERENCE_SEARCH || r.kind == FHIR_REFERENCE_LOGICAL) {
        *patient = fhir_number(w, r.system, BYTES_NONE, r.value);
        return !bytes_is_empty(r.value);
    }
    struct bytes authority =
        r.kind == FHIR_REFERENCE_ABSOLUTE && !target.resource ? r.base : w->context->source;
    *patient = (struct fact_identifier){authority, BYTES(FACTS_FHIR_ID_TYPE), target.id};
    return !bytes_is_empty(target.id);
}

/* ---- in words ---- */

/* A person's name and number; of anything else its name. */
static struct bytes described(struct fhir_work *w, const struct fhir_node *resource,
                              bool with_number) {
    const struct fhir_node *name = fhir_member(resource, "name");
    if (!name || fhir_items(name)->kind == FHIR_STRING) {
        struct bytes title = fhir_text(name, w->arena);
        return bytes_is_empty(title) ? fhir_coding(fhir_member(resource, "code"), w->arena).text
                                     : title;
    }
    struct fhir_name read = fhir_name(name, w->arena);
    struct bytes line = fhir_name_line(&read, w->arena);
    struct bytes number = fhir_member_text(fhir_member(resource, "identifier"), "value", w->arena);
    if (!with_number || bytes_is_empty(number))
        return line;
    const struct bytes parts[] = {line, BYTES(" ("), number, BYTES(")")};
    return bytes_is_empty(line) ? number : fhir_join(parts, 4, "", w->arena);
}

static struct bytes words_for(struct fhir_work *w, const struct fhir_node *reference,
                              bool with_number) {
    struct fhir_reference r = fhir_reference(reference, w->arena);
    struct fhir_target target = resolve(w, &r);
    struct bytes words = described(w, target.resource, with_number);
    if (bytes_is_empty(words))
        words = r.display;
    return bytes_is_empty(words) ? r.value : words;
}

struct bytes fhir_display(struct fhir_work *w, const struct fhir_node *reference) {
    struct bytes display = fhir_member_text(reference, "display", w->arena);
    return bytes_is_empty(display) ? words_for(w, reference, false) : display;
}

struct bytes fhir_person(struct fhir_work *w, const struct fhir_node *reference) {
    return words_for(w, reference, true);
}

struct bytes fhir_people(struct fhir_work *w, const struct fhir_node *list, const char *member,
                         const char *between) {
    struct bytes parts[PEOPLE_MAX];
    size_t count = 0;
    for (const struct fhir_node *i = fhir_items(list); i && count < PEOPLE_MAX; i = i->next)
        parts[count++] = fhir_display(w, member ? fhir_member(i, member) : i);
    return fhir_join(parts, count, between, w->arena);
}

/* What a drug made up for a patient is made of. */
static struct bytes ingredients(struct fhir_work *w, const struct fhir_node *medication,
                                const char *between) {
    struct bytes parts[PEOPLE_MAX];
    size_t count = 0;
    const struct fhir_node *i = fhir_items(fhir_member(medication, "ingredient"));
    for (; i && count < PEOPLE_MAX; i = i->next) {
        const struct fhir_node *item = fhir_member(i, "itemCodeableConcept");
        struct fhir_quantity amount =
            fhir_quantity(fhir_member(fhir_member(i, "strength"), "numerator"), w->arena);
        struct fhir_quantity in =
            fhir_quantity(fhir_member(fhir_member(i, "strength"), "denominator"), w->arena);
        const struct bytes of[] = {in.value, in.unit};
        const struct bytes words[] = {item ? fhir_coding(item, w->arena).text
                                           : fhir_display(w, fhir_member(i, "itemReference")),
                                      amount.value, amount.unit,
                                      bytes_is_empty(in.value) ? BYTES_NONE : BYTES("/"),
                                      fhir_join(of, 2, " ", w->arena)};
        parts[count++] = fhir_join(words, 5, " ", w->arena);
    }
    return fhir_join(parts, count, between, w->arena);
}

struct bytes fhir_medication_form(struct fhir_work *w, const struct fhir_node *resource) {
    struct fhir_target target = fhir_resolve(w, fhir_member(resource, "medicationReference"));
    return fhir_coding(fhir_member(target.resource, "form"), w->arena).text;
}

struct bytes fhir_medication_components(struct fhir_work *w, const struct fhir_node *resource) {
    struct fhir_target target = fhir_resolve(w, fhir_member(resource, "medicationReference"));
    return ingredients(w, target.resource, "\n");
}

struct fhir_coding fhir_medication(struct fhir_work *w, const struct fhir_node *resource) {
    const struct fhir_node *concept = fhir_member(resource, "medicationCodeableConcept");
    const struct fhir_node *reference = fhir_member(resource, "medicationReference");
    if (concept)
        return fhir_coding(concept, w->arena);
    struct fhir_target target = fhir_resolve(w, reference);
    struct fhir_coding coding = fhir_coding(fhir_member(target.resource, "code"), w->arena);
    if (bytes_is_empty(coding.text))
        coding.text = fhir_display(w, reference);
    if (bytes_is_empty(coding.text))
        coding.text = ingredients(w, target.resource, " + ");
    if (bytes_is_empty(coding.text))
        coding.text = fhir_name_of(w, reference);
    return coding;
}

struct bytes fhir_notes(struct fhir_work *w, const struct fhir_node *resource) {
    return fhir_texts(fhir_member(resource, "note"), "\n", w->arena);
}
