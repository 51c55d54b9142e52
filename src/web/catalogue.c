/* catalogue.c - look up sentences. */
#include "web/catalogue.h"

#include <string.h>

const struct catalogue *catalogue_find(const char *language) {
    for (size_t i = 0; i < catalogue_count; i++)
        if (strcmp(catalogues[i].language, language) == 0)
            return &catalogues[i];
    return NULL;
}

const char *catalogue_sentence(const struct catalogue *catalogue, const char *id) {
    size_t low = 0, high = catalogue ? catalogue->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(catalogue->sentences[middle].id, id);
        if (order == 0)
            return catalogue->sentences[middle].text;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return id;
}
