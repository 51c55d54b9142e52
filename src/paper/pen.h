/* pen.h - texts, lines and squares on a page, measured in points from its upper left corner. */
#ifndef PAPER_PEN_H
#define PAPER_PEN_H

#include "base/bytes.h"
#include "base/err.h"

#include <pango/pangocairo.h>

#define PEN_PER_MM   (72.0 / 25.4)
#define PEN_A4_WIDTH (210 * PEN_PER_MM)
#define PEN_A4_DEPTH (297 * PEN_PER_MM)

struct pen_font {
    const char *family;
    double size;
    bool is_bold;
    double grey; /* 0 black, 1 white */
};

struct pen_place {
    double x, y;   /* upper left */
    double width;  /* lines are broken to fit in it; 0: never */
    int lines_max; /* 0: any number; a text of more marks the pen as overfull */
    bool is_right; /* ends at x + width instead of beginning at x */
};

struct pen {
    cairo_t *cairo;
    PangoFontMap *fonts;
    PangoContext *context;
    PangoLayout *layout;
    bool is_overfull; /* some text did not fit its place */
};

/* ERR_UNSUPPORTED when a family is not installed, ERR_MEMORY when there is no memory left. */
MUST_CHECK enum err pen_init(struct pen *pen, cairo_surface_t *surface, struct fault *fault);
void pen_release(struct pen *pen);
/* The text, UTF-8; gives back how deep it is, so that the next can stand beneath. */
double pen_text(struct pen *pen, const struct pen_font *font, struct pen_place place,
                const char *text);
void pen_line(struct pen *pen, double x1, double y1, double x2, double y2);
void pen_box(struct pen *pen, double x, double y, double width, double depth);

#define PEN_SANS "DejaVu Sans"
#define PEN_MONO "DejaVu Sans Mono" /* its l, 1, O and 0 are four different shapes */

#endif
