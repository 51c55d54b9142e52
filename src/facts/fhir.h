/* fhir.h - the inside of the translation from FHIR: a document on its way to facts.
 *
 * Invariants
 *   1. Each resource gives facts of its own, said when it says (meta.lastUpdated, else Bundle.timestamp, else the time of
 *      receipt); what it needs of another one is looked up in the same document only, so that the facts of an entry never
 *      depend on what came before it.
 *   2. A patient is named by a logical id (authority: the source, type FACTS_FHIR_ID_TYPE); the Patient resource joins it to the
 *      hospital's number by a merge. So whatever comes first, the person is one.
 *   3. What can change between versions of a resource has a name that does not: "Type/id".
 */
#ifndef FACTS_FHIR_H
#define FACTS_FHIR_H

#include "facts/facts.h"
#include "formats/fhir/fhir.h"

#define FUTURE_US (5 * 60 * US_PER_S) /* a clock may be this much ahead of ours */

/* A resource of the document, found by its fullUrl or by "Type/id". */
struct fhir_target {
    struct bytes key;
    struct bytes type, id;
    const struct fhir_node *resource;
    size_t at; /* the first of several */
};

struct fhir_work {
    const struct facts_context *context;
    struct arena *arena;
    struct facts_batch *batch;
    size_t batch_capacity;
    struct bytes body;
    struct fhir_target *targets;
    size_t target_count;
    int64_t bundle_at; /* Bundle.timestamp */
    char bundle_id[FACTS_FHIR_ID_BYTES];
    bool is_full;
    bool is_withdrawn; /* the resource at hand has been deleted */

    /* The resource at hand. */
    struct facts *facts;
    size_t capacity;
    const struct fhir_node *resource;
    struct bytes type, id;
    struct bytes base; /* of its absolute fullUrl; empty */
    struct bytes name; /* "Type/id", with the source in front when it is not the usual one */
};

/* ---- fhir.c ---- */
struct fact *fhir_add(struct fhir_work *w, enum fact_kind kind);
void fhir_warn(struct fhir_work *w, const char *warning);
void fhir_aside(struct fhir_work *w, const char *reason);

/* ---- fhir_reference.c ---- */
MUST_CHECK enum err fhir_index(struct fhir_work *w, const struct fhir_node *bundle);
/* What a reference points to; type and id empty when it names none. resource: only when it is in the document. */
struct fhir_target fhir_resolve(struct fhir_work *w, const struct fhir_node *reference);
/* The same of a URL alone. */
struct fhir_target fhir_lookup(struct fhir_work *w, struct bytes url);
/* "Type/id" of what is referred to, as w->name has it; empty. */
struct bytes fhir_name_of(struct fhir_work *w, const struct fhir_node *reference);
/* In words: its display, else the name of what it points to, else an identifier. */
struct bytes fhir_display(struct fhir_work *w, const struct fhir_node *reference);
/* The same of a person, as "Family, Given (id)" where that is known. */
struct bytes fhir_person(struct fhir_work *w, const struct fhir_node *reference);
/* Of a list of references, or of a member of each item; a line each. */
struct bytes fhir_people(struct fhir_work *w, const struct fhir_node *list, const char *member,
                         const char *between);
/* false: it names no patient. */
bool fhir_patient_of(struct fhir_work *w, const struct fhir_node *reference,
                     struct fact_identifier *patient);
struct fact_identifier fhir_number(struct fhir_work *w, struct bytes system, struct bytes type,
                                   struct bytes value);
/* The number of that type of table 0203 among the resource's identifiers; empty. */
struct bytes fhir_typed_number(struct fhir_work *w, const char *type);
/* A medication by code or by reference. */
struct fhir_coding fhir_medication(struct fhir_work *w, const struct fhir_node *resource);
struct bytes fhir_medication_form(struct fhir_work *w, const struct fhir_node *resource);
/* What it is made of, a line each. */
struct bytes fhir_medication_components(struct fhir_work *w, const struct fhir_node *resource);
/* Annotations, a line each. */
struct bytes fhir_notes(struct fhir_work *w, const struct fhir_node *resource);

/* ---- shorthands of the resource at hand ---- */
static inline const struct fhir_node *own(const struct fhir_work *w, const char *name) {
    return fhir_member(w->resource, name);
}
static inline struct bytes own_text(const struct fhir_work *w, const char *name) {
    return fhir_member_text(w->resource, name, w->arena);
}
static inline int64_t own_instant(const struct fhir_work *w, const struct fhir_node *node,
                                  const char *name) {
    return fhir_instant(fhir_member(node, name), w->context->zone);
}
static inline bool status_is(const struct fhir_work *w, const char *status) {
    return w->is_withdrawn ? !strcmp(status, "entered-in-error")
                           : fhir_member_is(w->resource, "status", status);
}
/* By its status, its verification, or because it was deleted. */
static inline bool is_in_error(const struct fhir_work *w) {
    return status_is(w, "entered-in-error") ||
           fhir_has_code(own(w, "verificationStatus"), "entered-in-error") ||
           fhir_member_is(w->resource, "docStatus", "entered-in-error");
}

/* ---- fhir_documents.c: attachments as documents of the resource at hand ---- */
void fhir_add_forms(struct fhir_work *w, const struct fhir_node *forms, struct bytes kind,
                    int64_t at);

/* ---- one reader for each kind of resource ---- */
void fhir_patient(struct fhir_work *w);
void fhir_encounter(struct fhir_work *w);
void fhir_allergy(struct fhir_work *w);
void fhir_condition(struct fhir_work *w);
void fhir_flag(struct fhir_work *w);
void fhir_observation(struct fhir_work *w);
void fhir_diagnostic_report(struct fhir_work *w);
void fhir_document_reference(struct fhir_work *w);
void fhir_composition(struct fhir_work *w);
void fhir_procedure(struct fhir_work *w);
void fhir_care_plan(struct fhir_work *w);
void fhir_medication_request(struct fhir_work *w);
void fhir_medication_statement(struct fhir_work *w);
void fhir_medication_administration(struct fhir_work *w);
void fhir_medication_dispense(struct fhir_work *w);
void fhir_immunization(struct fhir_work *w);
void fhir_service_request(struct fhir_work *w);
void fhir_appointment(struct fhir_work *w);

#endif
