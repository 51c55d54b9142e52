/* fuzz_facts.c - facts from any bytes: every text is UTF-8, every fact has a patient, the same bytes say the same. */
#include "facts/facts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_BYTES ((size_t)16 << 20)
#define RECEIVED_AT (1795446000 * US_PER_S)

static void check_texts(const struct bytes *texts, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert(bytes_is_utf8(texts[i], NULL) && (texts[i].size == 0 || texts[i].data));
}

static void check_identifier(const struct fact_identifier *identifier) {
    const struct bytes texts[] = {identifier->authority, identifier->type, identifier->number};
    check_texts(texts, 3);
    assert(identifier->number.size);
}

static void check_place(const struct fact_place *place) {
    const struct bytes texts[] = {place->unit, place->room, place->bed, place->facility};
    check_texts(texts, 4);
}

static void check_observation(const struct fact_observation *o) {
    const struct bytes texts[] = {o->code,  o->system, o->text,  o->sub_id, o->type,
                                  o->value, o->unit,   o->range, o->flags,  o->notes};
    check_texts(texts, sizeof texts / sizeof texts[0]);
    assert(o->status <= RESULT_CANCELLED);
}

static void check_report(const struct fact_report *report) {
    const struct bytes texts[] = {report->placer, report->filler,    report->code, report->system,
                                  report->text,   report->requester, report->notes};
    check_texts(texts, sizeof texts / sizeof texts[0]);
    assert(report->reported_at != INSTANT_NONE && report->status <= RESULT_CANCELLED);
    for (size_t i = 0; i < report->observation_count; i++)
        check_observation(&report->observations[i]);
}

static void check_document(const struct fact_document *document) {
    const struct bytes texts[] = {document->id,     document->parent_id,  document->kind,
                                  document->title,  document->completion, document->availability,
                                  document->author, document->media_type, document->text};
    check_texts(texts, sizeof texts / sizeof texts[0]);
    assert(document->at != INSTANT_NONE);
}

static void check_clinical(const struct fact *fact) {
    if (fact->kind == FACT_ALLERGY) {
        const struct fact_allergy *a = &fact->allergy;
        const struct bytes texts[] = {a->code,     a->system,   a->text,          a->kind,
                                      a->severity, a->reaction, a->identified_at, a->id};
        check_texts(texts, sizeof texts / sizeof texts[0]);
        assert(a->text.size && a->action >= ALLERGY_ADD && a->action <= ALLERGY_NONE_KNOWN);
    } else {
        const struct fact_diagnosis *d = &fact->diagnosis;
        const struct bytes texts[] = {d->code, d->system,   d->text,     d->type,
                                      d->id,   d->onset_at, d->ended_at, d->state};
        check_texts(texts, sizeof texts / sizeof texts[0]);
        assert(d->text.size);
    }
}

static void check_movement(const struct fact_movement *movement) {
    check_place(&movement->place);
    check_place(&movement->prior);
    const struct bytes texts[] = {movement->movement_id, movement->medical_unit,
                                  movement->care_unit, movement->nature};
    check_texts(texts, 4);
    assert(movement->holds != INSTANT_NONE && movement->class >= MOVEMENT_ADMIT &&
           movement->class < MOVEMENT_CLASS_COUNT);
}

static void check_order(const struct fact_order *o) {
    const struct bytes texts[] = {
        o->placer,     o->filler,     o->group,    o->parent,    o->control,   o->code,
        o->system,     o->text,       o->dose,     o->dose_max,  o->dose_unit, o->strength,
        o->form,       o->route,      o->rate,     o->timing,    o->duration,  o->instructions,
        o->indication, o->components, o->priority, o->requester, o->specimen,  o->notes};
    check_texts(texts, sizeof texts / sizeof texts[0]);
    assert(o->kind <= ORDER_SERVICE && o->state <= ORDER_REFUSED && o->asked_at != INSTANT_NONE);
    assert(o->placer.size || o->filler.size);
}

static void check_medication_event(const struct fact_medication_event *e) {
    const struct bytes texts[] = {e->placer,    e->filler, e->id,   e->code,  e->system, e->text,
                                  e->amount,    e->unit,   e->form, e->route, e->site,   e->rate,
                                  e->performer, e->reason, e->lot,  e->notes};
    check_texts(texts, sizeof texts / sizeof texts[0]);
    assert(e->kind >= MEDICATION_ADMINISTRATION && e->kind <= MEDICATION_IMMUNIZATION);
    assert(e->state >= MEDICATION_EVENT_COMPLETE && e->state <= MEDICATION_EVENT_DELETED);
}

static void check_appointment(const struct fact_appointment *a) {
    const struct bytes texts[] = {a->placer, a->filler, a->code,   a->system,    a->text, a->kind,
                                  a->reason, a->place,  a->people, a->resources, a->notes};
    check_texts(texts, sizeof texts / sizeof texts[0]);
    assert(a->state <= APPOINTMENT_DELETED);
}

static void check_fact(const struct fact *fact) {
    switch (fact->kind) {
    case FACT_PATIENT:
    case FACT_VISIT:
        check_texts(&fact->cell.value, 1);
        assert(fact->cell.field > 0 && fact->cell.is_deleted == (fact->cell.value.size == 0));
        assert(fact->cell.field <
               (fact->kind == FACT_PATIENT ? (int)PATIENT_FIELD_COUNT : (int)VISIT_FIELD_COUNT));
        break;
    case FACT_IDENTIFIER:
        check_identifier(&fact->identifier);
        break;
    case FACT_MOVEMENT:
        check_movement(&fact->movement);
        break;
    case FACT_CANCEL:
        check_texts(&fact->cancel.movement_id, 1);
        assert(fact->cancel.holds != INSTANT_NONE);
        break;
    case FACT_MERGE:
        check_identifier(&fact->merge.loser);
        check_identifier(&fact->merge.survivor);
        break;
    case FACT_ALLERGY:
    case FACT_DIAGNOSIS:
        check_clinical(fact);
        break;
    case FACT_REPORT:
        check_report(&fact->report);
        break;
    case FACT_DOCUMENT:
        check_document(&fact->document);
        break;
    case FACT_ORDER:
        check_order(fact->order);
        break;
    case FACT_MEDICATION_EVENT:
        check_medication_event(fact->medication_event);
        break;
    case FACT_APPOINTMENT:
        check_appointment(fact->appointment);
        break;
    case FACT_VISIT_MERGE:
        check_identifier(&fact->visit_merge.loser);
        check_identifier(&fact->visit_merge.survivor);
        break;
    default:
        assert(false && "a fact of no kind");
    }
}

static void check_facts(const struct facts *facts, size_t body_bytes) {
    const struct bytes texts[] = {facts->application, facts->facility, facts->type, facts->trigger,
                                  facts->control_id};
    check_texts(texts, sizeof texts / sizeof texts[0]);
    assert(facts->has_subject || facts->count == 0);
    assert(!facts->aside || facts->aside_at <= body_bytes);
    assert(facts->aside || facts->has_subject);
    assert((facts->warning_count > 0) == (facts->warning != NULL));
    assert(facts->said != INSTANT_NONE);
    if (facts->has_subject)
        check_identifier(&facts->subject);
    for (size_t i = 0; i < facts->count; i++)
        check_fact(&facts->list[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct facts_context context = {.received_at = RECEIVED_AT, .zone = NULL, .otherwise = HL7_LATIN9};
    struct arena arena;
    struct facts facts;
    arena_init(&arena, ARENA_BYTES);
    enum err err = facts_from_hl7(bytes_from(data, size), &context, &arena, &facts);
    assert(err == ERR_OK || err == ERR_LIMIT);
    for (const struct facts *each = &facts; !err && each; each = each->next)
        check_facts(each, size);
    arena_release(&arena);
    return 0;
}
