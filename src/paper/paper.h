/* paper.h - pages for printers: A4, PDF, French with English beneath.
 *
 * Shapes     what is to be printed as plain structs of UTF-8 texts; out: one PDF file.
 * Errors     ERR_INPUT: a text is missing, or too long for its place. ERR_LIMIT: larger than
 *            PAPER_FILE_BYTES_MAX. ERR_UNSUPPORTED: the fonts are not installed (fonts-dejavu-core).
 *            ERR_IO, ERR_FULL: it could not be written: what stood at the path before stands there still
 *            (or the new file, whole, when only its directory could not be synced).
 * Ownership  nothing of the caller's is kept. What was secret in buffers made here is wiped; cairo's and
 *            pango's own copies are not within reach: such pages are made by short-lived commands only.
 * Process    commands; no role with a socket.
 * Source     ISO/IEC 18004 (QR codes, drawn from libzint's modules).
 */
#ifndef PAPER_PAPER_H
#define PAPER_PAPER_H

#include "base/sys.h"
#include "base/text.h"

#define PAPER_FILE_BYTES_MAX  (2u << 20)
#define PAPER_SHEET_COUNT_MAX 16u

/* The recovery key of a vault, one sheet for each holder of a part. */
struct paper_recovery {
    const char *site_name; /* "Centre hospitalier de ..." */
    const char *origin;    /* name of the vault's log */
    const char *created;   /* the day, as it is to be read in both languages: "2025-07-21" */
    const char *recipient; /* public half of the recovery key: "age1..." */
    unsigned identifier;   /* of the set: slip39_share.identifier */
    unsigned threshold, count;
    const struct bytes
        *words; /* `count` texts as slip39_put_share writes them: words and single spaces */
};
/* `path` becomes a PDF of `count` pages, mode 0600, whole or not at all. */
MUST_CHECK enum err paper_recovery_sheets(struct sys *sys, const char *path,
                                          const struct paper_recovery *recovery,
                                          struct fault *fault);

/* How the sheets show a public key: the first 16 bytes of the SHA-256 of its text, as eight groups of four
 * hex digits, so that `printf %s age1... | sha256sum` shows the same. */
void paper_put_fingerprint(struct text *out, const char *recipient);

#endif
