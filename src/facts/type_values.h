/* type_values.h - what a file does not say itself, as parameters of its entry's media type: an instant, then texts in
 * hexadecimal digits, so that whatever they hold the type stays one line of ASCII. */
#ifndef FACTS_TYPE_VALUES_H
#define FACTS_TYPE_VALUES_H

#include "base/arena.h"
#include "base/text.h"
#include "base/time.h"

void type_values_put(struct text *type, int64_t at, const struct bytes *values, size_t count);
/* `rest`: behind what names the type. false: it is not of this form, or the arena is full. */
bool type_values_read(struct bytes rest, struct arena *arena, int64_t *at, struct bytes *values,
                      size_t count);

#endif
