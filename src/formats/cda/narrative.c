/* narrative.c - the narrative block of a section, as paragraphs, lists and tables of plain text.
 *
 * Invariants
 *   1. Between CDA_TABLE and CDA_TABLE_END there are only rows and cells, and a cell comes after a row.
 *   2. Text of one block lies in reader->value until it is flushed; inside a cell nothing is flushed before its end.
 */
#include "formats/cda/reader.h"

static bool in_cell(const struct cda_reader *reader) {
    return reader->narrative.cell_depth > 0;
}

/* ---- blocks ---- */

void narrative_add(struct cda_reader *reader, const struct cda_block *block) {
    struct cda_document *document = &reader->document;
    struct narrative *n = &reader->narrative;
    if (reader->err)
        return;
    if (document->block_count == CDA_BLOCK_COUNT_MAX) {
        cda_fail(reader, ERR_LIMIT, "the document has more paragraphs and cells than can be shown");
        return;
    }
    if (document->block_count == n->block_capacity) {
        size_t capacity = n->block_capacity ? n->block_capacity * 2 : 64;
        struct cda_block *blocks = arena_array(reader->arena, capacity, sizeof *blocks);
        if (!blocks) {
            cda_fail(reader, ERR_LIMIT, "the document is too large to be shown");
            return;
        }
        if (document->block_count)
            memcpy(blocks, document->blocks, document->block_count * sizeof *blocks);
        document->blocks = blocks;
        n->block_capacity = capacity;
    }
    document->blocks[document->block_count++] = *block;
}

static void add_mark(struct cda_reader *reader, enum cda_block_kind kind) {
    narrative_add(reader, &(struct cda_block){.kind = kind});
}

/* What was gathered becomes a block; what comes after it is a paragraph until something else is said. */
static void flush(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    struct bytes text = bytes_trim(text_bytes(&reader->value));
    if (text.size) {
        n->pending.text = cda_keep(reader, text);
        narrative_add(reader, &n->pending);
        n->pending = (struct cda_block){.kind = CDA_PARAGRAPH};
    }
    text_clear(&reader->value);
    n->has_space = false;
}

static void begin_block(struct cda_reader *reader, enum cda_block_kind kind) {
    flush(reader);
    reader->narrative.pending = (struct cda_block){.kind = kind};
}

/* ---- text ---- */

/* A block that grows too long goes on in another; a cell cannot. */
static void make_room(struct cda_reader *reader) {
    if (reader->value.size + 8 < reader->value.capacity)
        return;
    if (in_cell(reader))
        cda_fail(reader, ERR_LIMIT, "a cell of a table is too long to be shown");
    else
        flush(reader);
}

static void put(struct cda_reader *reader, const char *string) {
    make_room(reader);
    text_put_string(&reader->value, string);
}

/* A new line inside a block; white space around it goes. */
static void put_line_end(struct cda_reader *reader) {
    reader->narrative.has_space = false;
    if (reader->value.size)
        put(reader, "\n");
}

/* Inside a cell: what would be a block is a line. */
static void put_new_line(struct cda_reader *reader) {
    reader->narrative.has_space = false;
    if (reader->value.size && reader->value.data[reader->value.size - 1] != '\n')
        put(reader, "\n");
}

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_with_space(const struct text *text) {
    return text->size == 0 || is_space((uint8_t)text->data[text->size - 1]);
}

/* As in HTML: white space, however much, is one space. */
void narrative_text(struct cda_reader *reader, struct bytes text) {
    struct narrative *n = &reader->narrative;
    if (n->deleted_depth) {
        reader->document.has_deleted_text = true;
        return;
    }
    if (n->table_depth && !in_cell(reader))
        return; /* between cells there is nothing but white space */
    for (size_t i = 0; i < text.size && !reader->err;) {
        size_t size = bytes_utf8_length(bytes_skip(text, i));
        if (is_space(text.data[i])) {
            n->has_space = true;
            i++;
            continue;
        }
        make_room(reader);
        if (n->has_space && !ends_with_space(&reader->value))
            text_put_char(&reader->value, ' ');
        n->has_space = false;
        text_put(&reader->value, bytes_from(text.data + i, size ? size : 1));
        i += size ? size : 1;
    }
}

/* ---- tables ---- */

static unsigned span_of(const struct cda_element *element, const char *name) {
    uint64_t number;
    bool is_number = bytes_to_u64(cda_attribute(element, name), &number);
    return is_number && number >= 1 && number <= 100 ? (unsigned)number : 1;
}

static void begin_table(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    if (in_cell(reader)) {
        put_new_line(reader);
        return;
    }
    if (n->table_depth)
        return;
    flush(reader);
    n->table_depth = reader->depth;
    add_mark(reader, CDA_TABLE);
}

static void begin_row(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    if (in_cell(reader)) {
        put_new_line(reader);
    } else if (n->table_depth) {
        n->row_depth = reader->depth;
        add_mark(reader, CDA_ROW);
    }
}

static void begin_cell(struct cda_reader *reader, const struct cda_element *element) {
    struct narrative *n = &reader->narrative;
    if (in_cell(reader)) {
        if (!ends_with_space(&reader->value))
            put(reader, "\t");
        return;
    }
    if (!n->table_depth) {
        begin_block(reader, CDA_PARAGRAPH);
        return;
    }
    if (!n->row_depth)
        begin_row(reader);
    text_clear(&reader->value);
    n->has_space = false;
    n->cell_depth = reader->depth;
    n->pending = (struct cda_block){.kind = CDA_CELL,
                                    .is_header = bytes_is(element->name, "th"),
                                    .columns = span_of(element, "colspan"),
                                    .rows = span_of(element, "rowspan")};
}

static void end_cell(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    n->cell_depth = 0;
    n->pending.text = cda_keep(reader, bytes_trim(text_bytes(&reader->value)));
    narrative_add(reader, &n->pending);
    n->pending = (struct cda_block){.kind = CDA_PARAGRAPH};
    text_clear(&reader->value);
}

/* A caption of a table stands before it: between its rows it could not be shown. */
static void begin_caption(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    if (in_cell(reader)) {
        put_new_line(reader);
        return;
    }
    if (n->table_depth && !n->row_depth) {
        add_mark(reader, CDA_ROW);
        n->row_depth = reader->depth;
    }
    if (n->table_depth) {
        n->cell_depth = reader->depth;
        n->pending =
            (struct cda_block){.kind = CDA_CELL, .is_header = true, .columns = 100, .rows = 1};
        return;
    }
    begin_block(reader, CDA_CAPTION);
}

/* ---- lists ---- */

static void begin_list(struct cda_reader *reader, const struct cda_element *element) {
    struct narrative *n = &reader->narrative;
    if (!in_cell(reader) && !n->table_depth)
        flush(reader);
    if (n->list_count == CDA_LISTS_MAX) {
        cda_fail(reader, ERR_LIMIT, "lists are nested too deeply");
        return;
    }
    n->lists[n->list_count++] =
        (struct cda_list){.is_ordered = bytes_is(cda_attribute(element, "listType"), "ordered")};
}

static void begin_item(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    struct cda_list loose = {0};
    struct cda_list *list = n->list_count ? &n->lists[n->list_count - 1] : &loose;
    list->ordinal++;
    if (!in_cell(reader)) {
        begin_block(reader, CDA_ITEM);
        n->pending.level = n->list_count ? (unsigned)n->list_count : 1;
        n->pending.ordinal = list->is_ordered ? list->ordinal : 0;
        return;
    }
    char mark[16];
    struct text text;
    text_init(&text, mark, sizeof mark);
    if (list->is_ordered)
        text_put_format(&text, "%u. ", list->ordinal);
    else
        text_put_string(&text, "• ");
    put_new_line(reader);
    put(reader, mark);
}

/* ---- elements ---- */

static void begin_paragraph(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    bool is_first_of_item =
        n->pending.kind == CDA_ITEM && bytes_is_empty(bytes_trim(text_bytes(&reader->value)));
    if (in_cell(reader))
        put_new_line(reader);
    else if (!is_first_of_item)
        begin_block(reader, CDA_PARAGRAPH);
}

static void begin_content(struct cda_reader *reader, const struct cda_element *element) {
    struct narrative *n = &reader->narrative;
    if (!n->deleted_depth && bytes_is(cda_attribute(element, "revised"), "delete"))
        n->deleted_depth = reader->depth;
}

static void put_between(struct cda_reader *reader, const char *string) {
    struct narrative *n = &reader->narrative;
    if (n->has_space && !ends_with_space(&reader->value))
        put(reader, " ");
    n->has_space = false;
    put(reader, string);
}

static void begin_link(struct cda_reader *reader, const struct cda_element *element) {
    struct narrative *n = &reader->narrative;
    if (n->link_depth)
        return;
    n->link_depth = reader->depth;
    n->link = cda_keep(reader, cda_attribute(element, "href"));
}

static void end_link(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    n->link_depth = 0;
    if (bytes_is_empty(n->link))
        return;
    n->has_space = true;
    put_between(reader, "(");
    narrative_text(reader, n->link);
    put(reader, ")");
    n->link = BYTES_NONE;
}

static void begin_media(struct cda_reader *reader) {
    if (in_cell(reader)) {
        put_between(reader, "▣");
        return;
    }
    if (reader->narrative.table_depth)
        return;
    flush(reader);
    add_mark(reader, CDA_MEDIA);
}

/* Where white space alone may stand, what is inline belongs to no text. */
static bool is_between_cells(const struct cda_reader *reader) {
    return reader->narrative.table_depth && !in_cell(reader);
}

static void begin_inline(struct cda_reader *reader, const struct cda_element *element) {
    if (is_between_cells(reader) || reader->narrative.deleted_depth)
        return;
    if (bytes_is(element->name, "br"))
        put_line_end(reader);
    else if (bytes_is(element->name, "sup"))
        put_between(reader, "^");
    else if (bytes_is(element->name, "footnote"))
        put_between(reader, "[");
    else if (bytes_is(element->name, "footnoteRef"))
        put_between(reader, "[*]");
    else if (bytes_is(element->name, "linkHtml"))
        begin_link(reader, element);
}

void narrative_begin_element(struct cda_reader *reader, const struct cda_element *element) {
    struct bytes name = element->name;
    if (bytes_is(name, "content"))
        begin_content(reader, element);
    else if (bytes_is(name, "table"))
        begin_table(reader);
    else if (bytes_is(name, "tr"))
        begin_row(reader);
    else if (bytes_is(name, "td") || bytes_is(name, "th"))
        begin_cell(reader, element);
    else if (bytes_is(name, "caption"))
        begin_caption(reader);
    else if (bytes_is(name, "list"))
        begin_list(reader, element);
    else if (is_between_cells(reader))
        return;
    else if (bytes_is(name, "paragraph"))
        begin_paragraph(reader);
    else if (bytes_is(name, "item"))
        begin_item(reader);
    else if (bytes_is(name, "renderMultiMedia"))
        begin_media(reader);
    else
        begin_inline(reader, element);
}

static void end_table(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    n->table_depth = n->row_depth = 0;
    add_mark(reader, CDA_TABLE_END);
}

static void end_block(struct cda_reader *reader) {
    if (in_cell(reader))
        put_new_line(reader);
    else if (!is_between_cells(reader))
        flush(reader);
}

void narrative_end_element(struct cda_reader *reader, struct bytes name) {
    struct narrative *n = &reader->narrative;
    size_t depth = reader->depth;
    if (n->deleted_depth == depth)
        n->deleted_depth = 0;
    if (n->cell_depth == depth)
        end_cell(reader);
    else if (n->table_depth == depth)
        end_table(reader);
    else if (n->row_depth == depth)
        n->row_depth = 0;
    else if (n->link_depth == depth)
        end_link(reader);
    else if (bytes_is(name, "footnote") && !is_between_cells(reader) && !n->deleted_depth)
        put(reader, "]");
    else if (bytes_is(name, "list") && n->list_count > 0)
        n->list_count--;
    else if (bytes_is(name, "paragraph") || bytes_is(name, "item") || bytes_is(name, "caption"))
        end_block(reader);
}

void narrative_end(struct cda_reader *reader) {
    struct narrative *n = &reader->narrative;
    if (n->depth == 0)
        return;
    size_t capacity = n->block_capacity;
    if (in_cell(reader))
        end_cell(reader);
    else
        flush(reader);
    if (n->table_depth)
        end_table(reader);
    *n = (struct narrative){.block_capacity = capacity};
    text_clear(&reader->value);
}
