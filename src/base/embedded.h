/* embedded.h - files that are part of the program, put there by tools/embed. */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

#include "base/bytes.h"

struct embedded {
    const char *name;     /* without its folder */
    struct bytes content; /* followed by a zero byte */
};

#endif
