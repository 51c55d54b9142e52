/* kept.h - resources that came as FHIR, given back whole.
 *
 * Errors     those of the reader of FHIR: what was taken in can be read.
 * Ownership  `arena` is used while writing.
 */
#ifndef FHIR_KEPT_H
#define FHIR_KEPT_H

#include "fhir/fhir.h"

MUST_CHECK enum err kept_put(struct json *json, const struct chart_resource *kept,
                             struct arena *arena, struct fault *fault);

#endif
