/* shown.h - what a file is, whatever its sender calls it, and whether a page may show it.
 *
 * A file is shown only when its bytes begin as what its sender says it is. Then a browser gets it under that type and is told not
 * to guess another. Everything else is offered as bytes to be kept. */
#ifndef WEB_SHOWN_H
#define WEB_SHOWN_H

#include "base/base.h"
#include "facts/facts.h"
#include "formats/cda/cda.h"
#include "formats/rtf/rtf.h"

enum shown_kind {
    SHOWN_NOT,
    SHOWN_PDF,
    SHOWN_PNG,
    SHOWN_JPEG,
    SHOWN_GIF,
    SHOWN_TEXT,
    SHOWN_RTF,
    SHOWN_CDA,
    SHOWN_ELSEWHERE
};

struct shown_file {
    struct bytes name, said_type; /* by the sender */
    struct bytes bytes;           /* decoded, as far as that went */
    enum shown_kind kind;
    const char *why;    /* a msgid: why it is not shown, or what is wrong with it; NULL: nothing */
    const char *detail; /* a msgid: what in particular; NULL: no more than that */
    struct bytes text;  /* of TEXT and RTF; where it is: ELSEWHERE */
    struct rtf_report rtf;
    struct cda_document cda;
    /* The body of a CDA document that is no XML: inside of it. */
    enum shown_kind body_kind;
    struct bytes body;
};

/* The media type that a browser is told; NULL: it is offered as bytes. */
const char *shown_media_type(enum shown_kind kind);
const char *shown_suffix(enum shown_kind kind); /* ".pdf"; of what is not known ".bin" */
bool shown_is_image(enum shown_kind kind);
/* By its first bytes alone. */
enum shown_kind shown_kind_of_bytes(struct bytes bytes);
/* Decode a file and decide. All lives in the arena or in what `content` points into; ERR_LIMIT: the arena is full. */
MUST_CHECK enum err shown_read(const struct facts_content *content, struct arena *arena,
                               struct shown_file *file);
/* A whole entry that is a file. */
MUST_CHECK enum err shown_read_bytes(struct bytes said_type, struct bytes bytes,
                                     struct arena *arena, struct shown_file *file);

#endif
