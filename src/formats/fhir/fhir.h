/* fhir.h - read FHIR R4 JSON in place: its values, and the datatypes that resources share.
 *
 * Shapes     in: one JSON document. out: nodes that are views INTO it, so that a part can be given back as it came, and a
 *            decimal keeps the digits it was written with. A missing member is NULL, and every function takes NULL.
 * Units      instants in microseconds UTC.
 * Errors     ERR_INPUT: not JSON (RFC 8259), not UTF-8, a lone surrogate, a NUL; fault.at is the offset. ERR_LIMIT: nested deeper
 *            than FHIR_DEPTH_MAX, larger than FHIR_BYTES_MAX, of more than FHIR_VALUES_MAX values, or the arena is full.
 * Ownership  nodes live in the arena; texts are views into the input, or copies in the arena when they were escaped.
 * Limits     as above. Work is linear in the size of the document; nothing recurs on it.
 * Process    any.
 * Source     HL7 FHIR R4 (4.0.1): json, datatypes, references, bundle, http. docs/decisions/010-fhir-is-read-in-place.md.
 */
#ifndef FORMATS_FHIR_FHIR_H
#define FORMATS_FHIR_FHIR_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/time.h"

#define FHIR_DEPTH_MAX  64u
#define FHIR_BYTES_MAX  ((size_t)64 << 20)
#define FHIR_VALUES_MAX ((size_t)2 << 20) /* each takes some 64 bytes of the arena */

enum fhir_kind {
    FHIR_NULL,
    FHIR_FALSE,
    FHIR_TRUE,
    FHIR_NUMBER,
    FHIR_STRING,
    FHIR_OBJECT,
    FHIR_ARRAY
};

struct fhir_node {
    struct bytes raw;  /* as it stands in the input; of a string without its quotes */
    struct bytes name; /* of the member, still escaped; empty in an array */
    enum fhir_kind kind;
    bool is_escaped; /* a string with a backslash in it */
    struct fhir_node *next, *first;
};

/* The whole of `text` is one value with white space around it; a byte order mark in front is passed over. */
MUST_CHECK enum err fhir_read(struct bytes text, struct arena *arena, const struct fhir_node **root,
                              struct fault *fault);

/* The member of that name, of an object; of an array's first item when `node` is one. A null is no member. */
const struct fhir_node *fhir_member(const struct fhir_node *node, const char *name);
/* The members of a choice "value[x]": the first whose name begins so. *suffix is what follows ("Quantity"); may be NULL. */
const struct fhir_node *fhir_choice(const struct fhir_node *node, const char *prefix,
                                    struct bytes *suffix);
/* What to walk: an array's first item; a single value stands for a list of one. */
const struct fhir_node *fhir_items(const struct fhir_node *node);
/* The text of a string, the digits of a number, "true" or "false"; white space at both ends gone. Empty else, or when the
 * arena is full. */
struct bytes fhir_text(const struct fhir_node *node, struct arena *arena);
struct bytes fhir_member_text(const struct fhir_node *node, const char *name, struct arena *arena);
/* The same for what needs no decoding: codes, ids, uris. Compared as they stand. */
bool fhir_is(const struct fhir_node *node, const char *word);
bool fhir_member_is(const struct fhir_node *node, const char *name, const char *word);
bool fhir_is_true(const struct fhir_node *node);
/* date, dateTime or instant; INSTANT_NONE when there is none, or it is of another form. */
int64_t fhir_instant(const struct fhir_node *node, struct zone *zone);
/* A time as RFC 3339 UTC, or a date as it stands when it says no more. Empty when it is neither. */
struct bytes fhir_time_text(const struct fhir_node *node, struct zone *zone, struct arena *arena);

/* ---- references ---- */

enum fhir_reference_kind {
    FHIR_REFERENCE_NONE,      /* neither reference nor identifier: at most a display */
    FHIR_REFERENCE_CONTAINED, /* "#id" */
    FHIR_REFERENCE_RELATIVE,  /* "Patient/123" */
    FHIR_REFERENCE_ABSOLUTE,  /* "http://server/fhir/Patient/123" */
    FHIR_REFERENCE_URN,       /* "urn:uuid:..." or "urn:oid:..." */
    FHIR_REFERENCE_SEARCH,    /* "Patient?identifier=system|value" */
    FHIR_REFERENCE_LOGICAL    /* Reference.identifier alone */
};
struct fhir_reference {
    enum fhir_reference_kind kind;
    struct bytes whole; /* as it came */
    struct bytes base;  /* of an absolute one, without the slash at its end */
    struct bytes type,
        id; /* without version; of a search and a logical one only the type, if it is said */
    struct bytes system, value; /* of a search by identifier and a logical one */
    struct bytes display;
};
struct fhir_reference fhir_reference(const struct fhir_node *node, struct arena *arena);
/* The same of a URL alone: Bundle.entry.fullUrl, Bundle.entry.request.url. */
struct fhir_reference fhir_url(struct bytes url, struct arena *arena);
/* An id (letters, digits, "-", "."; 1 to 64). */
bool fhir_is_id(struct bytes id);
/* A resource type's form: a capital and letters. */
bool fhir_is_type(struct bytes type);

/* ---- datatypes; missing parts are empty ---- */

struct fhir_coding {
    struct bytes code, system,
        text; /* text: CodeableConcept.text, else the coding's display, else its code */
};
/* A CodeableConcept or a Coding: of several codings the one that is userSelected, else the first with a code. */
struct fhir_coding fhir_coding(const struct fhir_node *node, struct arena *arena);
/* Is the code in one of the codings? */
bool fhir_has_code(const struct fhir_node *concept, const char *code);
/* The code of the first coding whose system ends so; empty. */
struct bytes fhir_code_of(const struct fhir_node *concept, const char *system_end,
                          struct arena *arena);
/* A code system's short name where HL7 table 0396 has one ("LN" of http://loinc.org), else the uri as it is. */
struct bytes fhir_system_name(struct bytes uri);

struct fhir_identifier {
    struct bytes system, value;
    struct bytes type; /* code of table 0203, capitals as they stand */
    struct bytes use;
    int64_t ends_at; /* period.end */
};
struct fhir_identifier fhir_identifier(const struct fhir_node *node, struct zone *zone,
                                       struct arena *arena);

struct fhir_quantity {
    struct bytes value; /* with the comparator in front: "<5" */
    struct bytes unit;  /* as people read it, else the code */
};
struct fhir_quantity fhir_quantity(const struct fhir_node *node, struct arena *arena);
/* A number with an exponent written out ("1.0e2"), where decimal.h can; else as it stands. */
struct bytes fhir_decimal(struct bytes number, struct arena *arena);

struct fhir_name {
    struct bytes use, family, given, prefix, text; /* given: all of them */
};
struct fhir_name fhir_name(const struct fhir_node *node, struct arena *arena);
/* "Family, Given", else the text. */
struct bytes fhir_name_line(const struct fhir_name *name, struct arena *arena);
/* Lines, postcode and city, country; else the text. */
struct bytes fhir_address_line(const struct fhir_node *node, struct arena *arena);
/* Narrative.div without its tags, entities decoded, a line for each block. */
struct bytes fhir_narrative(const struct fhir_node *narrative, struct arena *arena);
/* What is not empty, with `between` between. */
struct bytes fhir_join(const struct bytes *parts, size_t count, const char *between,
                       struct arena *arena);
/* All texts of a list of strings, CodeableConcepts or Annotations. */
struct bytes fhir_texts(const struct fhir_node *list, const char *between, struct arena *arena);

#endif
