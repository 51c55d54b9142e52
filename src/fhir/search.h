/* search.h - a question read out of a request's parameters, and whether a resource answers it. */
#ifndef FHIR_SEARCH_H
#define FHIR_SEARCH_H

#include "fhir/record.h"

#define CONDITIONS_MAX 32u
#define VALUES_MAX     32u
#define FOUND_MAX      500u /* patients by name or birth date; more is too many to mean one */

struct condition { /* any of its values */
    enum facet facet;
    struct bytes values[VALUES_MAX];
    size_t value_count;
};
struct cursor { /* where a page begins: behind this resource, or behind this person */
    bool is_set, is_whole;
    uint64_t person;
    size_t type;
    struct id id;
};
struct question {
    const struct fhir_view *view;
    const struct fhir_request *request;
    const struct kind *types[KIND_COUNT + 1];
    size_t type_count;
    struct condition conditions[CONDITIONS_MAX];
    size_t condition_count;
    size_t count;
    bool only_count, with_patient;
    struct cursor cursor;
    /* Whose: a list, or everybody by id. */
    bool is_walk, present_only;
    uint64_t *persons;
    size_t person_count;
    struct arena *arena; /* of the question: outlives each record */
    /* What is wrong with it: an issue type, and why. */
    unsigned status;
    const char *issue;
    char why[200];
};

/* Reads the parameters. false: what is wrong is in the question. */
bool question_read(struct question *question);
/* Finds out whose resources may answer. */
bool question_find(struct question *question);
bool question_refuse(struct question *question, unsigned status, const char *issue,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Does the item at this place answer every condition? */
bool question_matches(const struct question *question, const struct kind *kind,
                      const struct record *record, size_t at);
/* A date with a prefix that is known; `ap` is not. */
bool date_is_asked_well(struct bytes value, struct zone *zone);
/* The person whose name the value begins with: "Patient/<id>", "<id>", an address. ERR_NOT_FOUND. */
MUST_CHECK enum err find_person(const struct fhir_view *view, struct bytes value, uint64_t *person,
                                size_t *member, struct fault *fault);
/* Whose the resource is that came as FHIR under this id. ERR_NOT_FOUND: there is none, or it is nobody's. */
MUST_CHECK enum err person_of_kept(const struct fhir_view *view, const char *type, struct bytes id,
                                   uint64_t *person, struct fault *fault);
/* The address of this question again, from another place on. */
void put_address(struct text *out, const struct question *question, const struct cursor *cursor);

#endif
