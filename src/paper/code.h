/* code.h - a QR code on a page. */
#ifndef PAPER_CODE_H
#define PAPER_CODE_H

#include "paper/pen.h"

/* `text` as a QR code, error correction M (15 % may be lost), `width` wide without its white margin, which the
 * caller leaves free: four modules, less than a tenth of the width, on each side. */
MUST_CHECK enum err code_draw_qr(struct pen *pen, struct bytes text, double x, double y,
                                 double width, struct fault *fault);

#endif
