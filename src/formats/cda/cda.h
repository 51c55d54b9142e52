/* cda.h - read a CDA document as wards see it: who it is about, and its narrative as a small list of blocks.
 *
 * Shapes     in: the document, in slices. out: its header, and blocks of text in UTF-8, nothing of its markup. A body that is no
 *            XML (nonXMLBody) is given piece by piece to `on_body`, as it stands: of base64 still base64.
 * Errors     ERR_INPUT: not well-formed, or no ClinicalDocument. ERR_UNSUPPORTED: a document type declaration (with it come
 *            entities, and with these whole files or gigabytes), or characters that cannot be read here. ERR_LIMIT: too
 *            deep, too many blocks, the arena is full. fault.at is the line.
 * Ownership  all lives in the caller's arena; cda_release gives back what libxml2 holds.
 * Limits     CDA_DEPTH_MAX, CDA_BLOCK_COUNT_MAX, CDA_VALUE_BYTES_MAX.
 * Process    chart, web. libxml2's pushed SAX: no tree, no network, no file.
 * Source     HL7 CDA Release 2 (2005), Narrative Block schema; CI-SIS "Volet structuration minimale".
 */
#ifndef FORMATS_CDA_CDA_H
#define FORMATS_CDA_CDA_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#define CDA_DEPTH_MAX       100u
#define CDA_BLOCK_COUNT_MAX 20000u
#define CDA_VALUE_BYTES_MAX 65536u /* of a value of the header, or of one block's text */
#define CDA_IDS_MAX         16u

struct cda_id { /* II: root is an OID or UUID */
    struct bytes root, extension;
};

enum cda_block_kind {
    CDA_HEADING, /* of a section; level 1, 2 ... */
    CDA_PARAGRAPH,
    CDA_CAPTION,
    CDA_ITEM,  /* of a list; level 1, 2 ...; ordinal 0: not numbered */
    CDA_TABLE, /* begins; CELLs follow between ROW and ROW, up to TABLE_END */
    CDA_ROW,
    CDA_CELL, /* is_header: th */
    CDA_TABLE_END,
    CDA_MEDIA /* a picture stands here, which is not shown */
};
/* Footnotes stand in brackets where they are; what was raised has a ^ before it, or 10<sup>9</sup> would be read as 109; links are
 * text, with where they lead. A table's cells come after a ROW, up to
 * TABLE_END or, where the reading failed, the end of the list. */
struct cda_block {
    enum cda_block_kind kind;
    unsigned level, ordinal;
    unsigned columns, rows; /* a cell spans, 1 or more */
    bool is_header;
    struct bytes text; /* LF where a line ends */
};

struct cda_document {
    struct cda_id id, set_id;
    struct bytes version;
    struct bytes code, code_name, title, confidentiality;
    struct bytes effective_time; /* as it stands: YYYYMMDDHHMMSS+ZZZZ */
    struct cda_id patient_ids[CDA_IDS_MAX];
    size_t patient_id_count;
    struct bytes family_name, given_name, birth_time,
        sex;             /* the name at birth where one is marked BR, else the first */
    struct bytes author; /* the first: "Family Given", else the device or organization */
    struct bytes custodian;
    struct cda_id visit;   /* encompassingEncounter */
    struct cda_id parent;  /* relatedDocument/parentDocument */
    struct bytes relation; /* RPLC APND XFRM; of `parent` */
    bool has_body;         /* nonXMLBody */
    struct bytes body_media_type;
    bool is_body_base64;
    struct cda_block *blocks;
    size_t block_count;
    bool
        has_deleted_text; /* content revised="delete": not in the blocks, it would be read as if it stood */
};

struct cda_reader;

struct cda_options {
    bool header_only; /* no blocks are made */
    /* May be NULL; its error ends the reading. */
    enum err (*on_body)(void *owner, struct bytes piece, bool is_base64);
    void *owner;
};

MUST_CHECK enum err cda_init(struct cda_reader **reader, struct arena *arena,
                             const struct cda_options *options, struct fault *fault);
MUST_CHECK enum err cda_feed(struct cda_reader *reader, struct bytes slice, struct fault *fault);
/* What was read is in *document, also after an error: as far as it came. */
MUST_CHECK enum err cda_end(struct cda_reader *reader, struct cda_document *document,
                            struct fault *fault);
void cda_release(struct cda_reader *reader);

/* Is the beginning of this XML's root a ClinicalDocument? By its first element's name alone. */
bool cda_is(struct bytes in);

#endif
