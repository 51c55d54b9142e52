/* kept.h - resources that came as FHIR, given back whole.
 *
 * Errors     those of the reader of FHIR: what was taken in can be read.
 * Ownership  `arena` is used while writing.
 */
#ifndef FHIR_KEPT_H
#define FHIR_KEPT_H

#include "fhir/record.h"

/* The resource that this item of the chart was made of: of the same patient, and with nothing newer said by anybody else. NULL:
 * there is none, or not only that; *err as the chart says. */
const struct chart_resource *kept_of(const struct record *record, const struct kind *kind,
                                     size_t at, enum err *err);
/* Does this name ("Type/id") stand for a resource of the patient that is of another type? */
bool came_as_another(const struct record *record, struct bytes name, const char *type);
MUST_CHECK enum err kept_put(struct json *json, const struct chart_resource *kept,
                             struct arena *arena, struct fault *fault);

#endif
