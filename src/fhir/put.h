/* put.h - the data types of FHIR, written from what the chart holds: names, codes, quantities, dates, references.
 *
 * What is not known is left out; where the standard demands it, its absence is said (data-absent-reason).
 */
#ifndef FHIR_PUT_H
#define FHIR_PUT_H

#include "fhir/record.h"

/* ---- codes of the standard's own systems ---- */
#define TERMINOLOGY   "http://terminology.hl7.org/CodeSystem/"
#define TAG_IDENTITY  "urn:veilleuse:identity"
#define TAG_FRESHNESS "urn:veilleuse:freshness"
#define TAG_AS_OF     "urn:veilleuse:data-as-of"
#define TAG_SUBSET    TERMINOLOGY "v3-ObservationValue"

/* A member that is left out when it says nothing; white space at both ends goes. */
void put_text(struct json *json, const char *name, struct bytes text);
void put_instant(struct json *json, const char *name, int64_t at);
/* A date or time as text, if FHIR can say it so. */
bool put_date(struct json *json, const char *name, struct bytes date);
bool is_fhir_date(struct bytes date);
/* A primitive that must be there and is not known: "_name": its absence. */
void put_absent(struct json *json, const char *name);

/* One Coding; system, code, display: NULL or empty are left out. */
void put_coding(struct json *json, const char *system, const char *code, const char *display);
/* A member that is a CodeableConcept with one such coding. */
void put_code(struct json *json, const char *name, const char *system, const char *code,
              const char *display);
void put_words(struct json *json, const char *name, struct bytes text);
/* A CodeableConcept of a v2 code: the address of its system if there is one, else the code as it came. `is_needed`: absence
 * is said. As the value of a name already written: name NULL. */
void put_concept(struct json *json, const char *name, struct bytes code, struct bytes system,
                 struct bytes text, bool is_needed);
/* The address of a coding system of table 0396; empty when there is none. */
struct bytes system_address(struct bytes system, struct text *room);
bool is_fhir_code(struct bytes code);

/* An Identifier: `kind` PLAC, FILL, or NULL. */
void put_order_number(struct json *json, struct bytes value, const char *kind);
void put_identifier(struct json *json, const struct fact_identifier *identifier, const char *use);
/* The system that an identifier of this authority is given with; empty: none. */
struct bytes identifier_system(const struct fact_identifier *identifier, struct text *room);

/* A Quantity of a number and a unit; false, and nothing written, when `value` is no number. "<5" has a comparator. */
bool put_quantity(struct json *json, const char *name, struct bytes value, struct bytes unit);
bool is_ucum(struct bytes unit);

void put_note(struct json *json, struct bytes text);
void put_display(struct json *json, const char *name, struct bytes display);
void put_reference(struct json *json, const char *name, const char *type, const struct id *id,
                   struct bytes display);
/* To the person, with their name, which says so when the identity is in doubt. */
void put_subject(struct json *json, const char *name, const struct record *record);
/* A request by its number: it may not be here. */
void put_based_on(struct json *json, const char *name, struct bytes placer, const char *type,
                  bool is_list);

/* {"resourceType": ..., "id": ..., "meta": ... of an entry and when it was said. */
void put_begin(struct json *json, const char *type, const struct id *id,
               const struct chart_source *source);

/* Of a Bundle: "meta" with how old the newest data are. */
void put_age_meta(struct json *json, const struct fhir_view *view);

/* <div> of plain text: escaped twice, for XHTML and for JSON. */
void put_narrative(struct json *json, struct arena *arena, struct bytes text);

#endif
