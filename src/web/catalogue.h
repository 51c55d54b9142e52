/* catalogue.h - the sentences of the pages in each language, made from lang/<language>.po by tools/catalogue. */
#ifndef WEB_CATALOGUE_H
#define WEB_CATALOGUE_H

#include <stddef.h>

struct sentence {
    const char *id, *text;
};
struct catalogue {
    const char *language;
    const struct sentence *sentences; /* sorted by id */
    size_t count;
};
extern const struct catalogue catalogues[];
extern const size_t catalogue_count;

/* The catalogue of a language, NULL when there is none. */
const struct catalogue *catalogue_find(const char *language);
/* The sentence; the id itself, which is English, when it is not in the catalogue. */
const char *catalogue_sentence(const struct catalogue *catalogue, const char *id);

#endif
