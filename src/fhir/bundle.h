/* bundle.h - a Bundle being written: as many resources as fit, and never a half one. */
#ifndef FHIR_BUNDLE_H
#define FHIR_BUNDLE_H

#include "fhir/search.h"

struct bundle {
    struct text *out;
    struct json json;
    const struct fhir_view *view;
    size_t capacity; /* the text's own: the end of it is kept for the end of the bundle */
    struct json json_before;
    size_t size_before; /* as it was before the resource being written */
    size_t written;
};
/* `type`: searchset, document. */
void bundle_begin(struct bundle *bundle, const struct fhir_view *view, struct text *out,
                  const char *type);
/* Between them a resource is put into bundle->json. `mode`: match, include, outcome; NULL: none. */
void bundle_entry_begin(struct bundle *bundle, const char *type, const struct id *id);
/* false: it did not fit, and is not there. */
bool bundle_entry_end(struct bundle *bundle, const char *mode);
/* What the chart knows may be old: the client is told so in the bundle itself. */
void bundle_put_age(struct bundle *bundle);

#endif
