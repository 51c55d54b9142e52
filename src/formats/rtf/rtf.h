/* rtf.h - the text of an RTF document, as a page can show it: no layout, no pictures, no fields' instructions.
 *
 * Shapes     in: the whole document. out: UTF-8, a line for a paragraph, a tab between the cells of a table's row.
 * Errors     ERR_INPUT: it does not begin as RTF. ERR_LIMIT: groups deeper than RTF_DEPTH_MAX, or `out` is full; what was read
 *            by then stands in `out`.
 * Ownership  nothing is allocated.
 * Lenient    a document that ends too early gives what it holds, and `is_cut`.
 * Source     Microsoft, Rich Text Format Specification 1.9.1. Of code pages 1252 is read; a letter of any other that is not
 *            also said as \u becomes U+FFFD, and `has_unknown_letters` tells.
 */
#ifndef FORMATS_RTF_RTF_H
#define FORMATS_RTF_RTF_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

#define RTF_DEPTH_MAX 128u

struct rtf_report {
    bool is_cut, has_unknown_letters, has_pictures;
};

bool rtf_is(struct bytes in);
MUST_CHECK enum err rtf_put_text(struct text *out, struct bytes in, struct rtf_report *report,
                                 struct fault *fault);

#endif
