/* reader.h - the inside of the reading of a CDA document: where the parser stands, and the narrative on its way to blocks. */
#ifndef FORMATS_CDA_READER_H
#define FORMATS_CDA_READER_H

#include "base/text.h"
#include "formats/cda/cda.h"

#include <libxml/parser.h>

#define CDA_PATH_BYTES 1024u
#define CDA_LISTS_MAX  16u

struct cda_list {
    bool is_ordered;
    unsigned ordinal;
};

/* Zeroed to begin. Depths are of the element that began it; 0: none is open. */
struct narrative {
    size_t depth;         /* of section/text */
    size_t deleted_depth; /* of content revised="delete" */
    size_t table_depth, row_depth, cell_depth, link_depth;
    struct cda_list lists[CDA_LISTS_MAX];
    size_t list_count;
    struct cda_block pending; /* what the text being gathered will be */
    bool has_space;           /* white space came: one space before the next letter */
    struct bytes link;
    size_t block_capacity;
};

struct cda_attribute {
    struct bytes name, value;
};
struct cda_element {
    struct bytes name;
    const xmlChar **attributes; /* of libxml2: five pointers each */
    int attribute_count;
};

struct cda_reader {
    struct arena *arena;
    struct cda_options options;
    struct cda_document document;
    xmlParserCtxtPtr parser;
    xmlSAXHandler sax;
    enum err err;
    struct fault fault;
    bool has_root, is_author_known, is_name_known;

    /* From the root to the element at hand; an element of another namespace is "?". */
    char path[CDA_PATH_BYTES];
    size_t path_bytes, depth;
    size_t path_before[CDA_DEPTH_MAX + 1];
    size_t section_count;

    size_t value_depth; /* of the element whose text is gathered into `value`; 0: none */
    struct text value;
    struct narrative narrative;
};

/* ---- reader.c ---- */
void cda_fail(struct cda_reader *reader, enum err err, const char *what);
/* The value of an attribute, empty when it is absent; a view until the element's callback ends. */
struct bytes cda_attribute(const struct cda_element *element, const char *name);
/* A copy in the arena; too long or no room: the reading fails. */
struct bytes cda_keep(struct cda_reader *reader, struct bytes value);

/* ---- narrative.c ---- */
void narrative_begin_element(struct cda_reader *reader, const struct cda_element *element);
void narrative_end_element(struct cda_reader *reader, struct bytes name);
void narrative_text(struct cda_reader *reader, struct bytes text);
void narrative_add(struct cda_reader *reader, const struct cda_block *block);
/* The end of section/text, or of the reading. */
void narrative_end(struct cda_reader *reader);

#endif
