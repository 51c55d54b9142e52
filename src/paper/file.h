/* file.h - a PDF file that is written in memory, and stands on the disk whole or not at all. */
#ifndef PAPER_FILE_H
#define PAPER_FILE_H

#include "base/sys.h"

#include <cairo-pdf.h>

struct paper_file {
    cairo_surface_t *surface;
    uint8_t *data; /* locked in memory and wiped when freed: what is printed may be a key */
    size_t size;
};

/* A4 pages; `title` is shown by viewers. */
MUST_CHECK enum err paper_file_init(struct paper_file *file, struct sys *sys, const char *title,
                                    struct fault *fault);
/* No more pages; the file takes its place, readable by its owner only. */
MUST_CHECK enum err paper_file_save(struct paper_file *file, struct sys *sys, const char *path,
                                    struct fault *fault);
void paper_file_release(struct paper_file *file);

#endif
