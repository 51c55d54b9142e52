/* excerpt.c - a message without its results, its documents, its ended stay: only what has to be stated again.
 *
 * What is left out is decided by the names of segments (sieve.c); whether that was right is then seen by translating both. */
#include "facts/translate.h"

unsigned facts_part_of(enum fact_kind kind) {
    switch (kind) {
    case FACT_PATIENT:
    case FACT_IDENTIFIER:
        return FACTS_PATIENT;
    case FACT_MERGE:
        return FACTS_MERGES;
    case FACT_ALLERGY:
        return FACTS_ALLERGIES;
    case FACT_VISIT:
    case FACT_MOVEMENT:
    case FACT_CANCEL:
    case FACT_VISIT_MERGE:
        return FACTS_STAY;
    case FACT_DIAGNOSIS:
        return FACTS_DIAGNOSES;
    case FACT_ORDER:
    case FACT_APPOINTMENT:
        return FACTS_ORDERS;
    case FACT_REPORT:
    case FACT_DOCUMENT:
    case FACT_MEDICATION_EVENT:
    case FACT_RESOURCE:
        break;
    }
    return 0;
}

/* ---- do both say the same? ---- */

static bool same_place(const struct fact_place *a, const struct fact_place *b) {
    return bytes_equal(a->unit, b->unit) && bytes_equal(a->room, b->room) &&
           bytes_equal(a->bed, b->bed) && bytes_equal(a->facility, b->facility);
}

static bool same_movement(const struct fact_movement *a, const struct fact_movement *b) {
    return a->class == b->class && bytes_equal(a->movement_id, b->movement_id) &&
           a->holds == b->holds && same_place(&a->place, &b->place) &&
           same_place(&a->prior, &b->prior) && a->is_update == b->is_update &&
           bytes_equal(a->nature, b->nature) && bytes_equal(a->medical_unit, b->medical_unit) &&
           bytes_equal(a->care_unit, b->care_unit);
}

static bool same_cancel(const struct fact_cancel *a, const struct fact_cancel *b) {
    return a->class == b->class && bytes_equal(a->movement_id, b->movement_id) &&
           a->holds == b->holds;
}

static bool same_allergy(const struct fact_allergy *a, const struct fact_allergy *b) {
    return a->action == b->action && bytes_equal(a->code, b->code) &&
           bytes_equal(a->system, b->system) && bytes_equal(a->text, b->text) &&
           bytes_equal(a->kind, b->kind) && bytes_equal(a->severity, b->severity) &&
           bytes_equal(a->reaction, b->reaction) &&
           bytes_equal(a->identified_at, b->identified_at) && bytes_equal(a->id, b->id);
}

static bool same_diagnosis(const struct fact_diagnosis *a, const struct fact_diagnosis *b) {
    return bytes_equal(a->code, b->code) && bytes_equal(a->system, b->system) &&
           bytes_equal(a->text, b->text) && bytes_equal(a->type, b->type) && a->at == b->at &&
           bytes_equal(a->id, b->id) && a->is_deleted == b->is_deleted &&
           a->is_problem == b->is_problem && bytes_equal(a->onset_at, b->onset_at) &&
           bytes_equal(a->ended_at, b->ended_at) && bytes_equal(a->state, b->state);
}

static bool same_texts(const struct bytes *a, const struct bytes *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!bytes_equal(a[i], b[i]))
            return false;
    return true;
}

static bool same_order(const struct fact_order *a, const struct fact_order *b) {
    const struct bytes of_a[] = {
        a->placer,     a->filler,     a->group,    a->parent,    a->control,   a->code,
        a->system,     a->text,       a->dose,     a->dose_max,  a->dose_unit, a->strength,
        a->form,       a->route,      a->rate,     a->timing,    a->duration,  a->instructions,
        a->indication, a->components, a->priority, a->requester, a->specimen,  a->notes};
    const struct bytes of_b[] = {
        b->placer,     b->filler,     b->group,    b->parent,    b->control,   b->code,
        b->system,     b->text,       b->dose,     b->dose_max,  b->dose_unit, b->strength,
        b->form,       b->route,      b->rate,     b->timing,    b->duration,  b->instructions,
        b->indication, b->components, b->priority, b->requester, b->specimen,  b->notes};
    return a->kind == b->kind && a->state == b->state && a->starts_at == b->starts_at &&
           a->ends_at == b->ends_at && a->is_as_needed == b->is_as_needed &&
           a->asked_at == b->asked_at && a->effective_at == b->effective_at &&
           same_texts(of_a, of_b, sizeof of_a / sizeof of_a[0]);
}

static bool same_appointment(const struct fact_appointment *a, const struct fact_appointment *b) {
    const struct bytes of_a[] = {a->placer, a->filler, a->code,   a->system,    a->text, a->kind,
                                 a->reason, a->place,  a->people, a->resources, a->notes};
    const struct bytes of_b[] = {b->placer, b->filler, b->code,   b->system,    b->text, b->kind,
                                 b->reason, b->place,  b->people, b->resources, b->notes};
    return a->state == b->state && a->starts_at == b->starts_at && a->ends_at == b->ends_at &&
           same_texts(of_a, of_b, sizeof of_a / sizeof of_a[0]);
}

static bool same_fact(const struct fact *a, const struct fact *b) {
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case FACT_PATIENT:
    case FACT_VISIT:
        return a->cell.field == b->cell.field && a->cell.is_deleted == b->cell.is_deleted &&
               bytes_equal(a->cell.value, b->cell.value);
    case FACT_IDENTIFIER:
        return identifier_equal(&a->identifier, &b->identifier);
    case FACT_MOVEMENT:
        return same_movement(&a->movement, &b->movement);
    case FACT_CANCEL:
        return same_cancel(&a->cancel, &b->cancel);
    case FACT_MERGE:
        return identifier_equal(&a->merge.loser, &b->merge.loser) &&
               identifier_equal(&a->merge.survivor, &b->merge.survivor) &&
               a->merge.is_unlink == b->merge.is_unlink;
    case FACT_ALLERGY:
        return same_allergy(&a->allergy, &b->allergy);
    case FACT_DIAGNOSIS:
        return same_diagnosis(&a->diagnosis, &b->diagnosis);
    case FACT_VISIT_MERGE:
        return identifier_equal(&a->visit_merge.loser, &b->visit_merge.loser) &&
               identifier_equal(&a->visit_merge.survivor, &b->visit_merge.survivor);
    case FACT_ORDER:
        return same_order(a->order, b->order);
    case FACT_APPOINTMENT:
        return same_appointment(a->appointment, b->appointment);
    case FACT_REPORT:
    case FACT_DOCUMENT:
    case FACT_MEDICATION_EVENT:
    case FACT_RESOURCE:
        break;
    }
    return false; /* of no part */
}

static const struct fact *next_of(const struct facts *facts, unsigned parts, size_t *at) {
    while (*at < facts->count) {
        const struct fact *fact = &facts->list[(*at)++];
        if (facts_part_of(fact->kind) & parts)
            return fact;
    }
    return NULL;
}

static bool same_of_patient(const struct facts *a, const struct facts *b, unsigned parts) {
    size_t at_a = 0, at_b = 0;
    if (!bytes_equal(a->application, b->application) || !bytes_equal(a->facility, b->facility) ||
        a->has_subject != b->has_subject || a->said != b->said ||
        a->is_date_doubtful != b->is_date_doubtful ||
        (a->has_subject && !identifier_equal(&a->subject, &b->subject)) ||
        (parts & FACTS_STAY && !identifier_equal(&a->visit, &b->visit)))
        return false;
    for (;;) {
        const struct fact *one = next_of(a, parts, &at_a), *other = next_of(b, parts, &at_b);
        if (!one || !other)
            return one == other;
        if (!same_fact(one, other))
            return false;
    }
}

static bool say_the_same(const struct facts *a, const struct facts *b, unsigned parts) {
    for (; a && b; a = a->next, b = b->next)
        if (!same_of_patient(a, b, parts))
            return false;
    return a == b; /* both at their end */
}

enum err facts_say_the_same(const struct hl7_thin *whole, const struct hl7_thin *part,
                            unsigned parts, const struct facts_context *context,
                            struct arena *arena, bool *is_same) {
    struct facts of_whole, of_part;
    enum err err = facts_from_thinned_hl7(whole, 0, context, arena, &of_whole);
    if (!err)
        err = facts_from_thinned_hl7(part, 0, context, arena, &of_part);
    *is_same = !err && say_the_same(&of_whole, &of_part, parts);
    return err;
}

static enum err put_kept(void *owner, struct bytes piece) {
    text_put(owner, piece);
    return ERR_OK;
}

enum err facts_excerpt(struct bytes body, unsigned parts, const struct facts_context *context,
                       struct arena *arena, struct bytes *excerpt) {
    struct facts_sieve sieve;
    struct facts whole, part;
    struct text text;
    *excerpt = body;
    if (!facts_sieve_init(&sieve, body, parts, put_kept, &text))
        return ERR_OK;
    if (text_init_arena(&text, arena, body.size + 2))
        return ERR_LIMIT;
    enum err err = facts_sieve_feed(&sieve, body);
    if (!err)
        err = facts_sieve_end(&sieve);
    if (err || sieve.is_whole)
        return err;
    err = facts_from_hl7(body, context, arena, &whole);
    if (!err)
        err = facts_from_hl7(text_bytes(&text), context, arena, &part);
    if (!err && say_the_same(&whole, &part, parts))
        *excerpt = text_bytes(&text);
    return err;
}
