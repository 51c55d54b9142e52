/* words_of_documents.c - what a page says of documents and of what is in them. */
#include "web/views.h"

/* ---- documents ---- */

struct bytes document_name(struct page *page, const struct chart_document *document) {
    if (document->title.size)
        return document->title;
    return document->kind.size ? document->kind
                               : bytes_from_string(page_sentence(page, "Document"));
}

bool result_is_file(const struct chart_result *result) {
    return bytes_is(result->type, "ED");
}

/* TXA-17, table 0271: dictated, documented, in progress, incomplete, pre-authenticated. */
bool document_is_unsigned(const struct chart_document *document) {
    static const char *const states[] = {"DI", "DO", "IP", "IN", "PA"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (bytes_is(document->completion, states[i]))
            return !document->is_cancelled;
    return false;
}

bool document_is_of(const struct chart_document *later, const struct chart_document *document) {
    return later != document && (later->is_replacement || later->is_addendum) &&
           !bytes_is_empty(document->id) && bytes_equal(later->parent_id, document->id);
}

const struct chart_document *document_parent(const struct chart_document *document,
                                             const struct chart_document *all, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (document_is_of(document, &all[i]))
            return &all[i];
    return NULL;
}

/* ---- files ---- */

struct bytes plain_type(struct bytes media_type) {
    size_t end = bytes_find(media_type, ';');
    return end == BYTES_NOT_FOUND ? media_type : bytes_first(media_type, end);
}

struct bytes file_title(struct page *page, const struct shown_file *file, size_t n) {
    struct text text;
    if (file->name.size)
        return file->name;
    if (text_init_arena(&text, page->arena, 128))
        return BYTES_NONE;
    text_put_format(&text, "%s %zu", page_sentence(page, "File"), n + 1);
    return text_bytes(&text);
}

struct bytes cda_birth_date(struct page *page, const struct cda_document *document) {
    struct bytes at = document->birth_time;
    struct text text;
    size_t size = at.size < 8 ? at.size : 8;
    if ((size != 4 && size != 6 && size != 8) || !bytes_is_digits(bytes_first(at, size)) ||
        text_init_arena(&text, page->arena, 16))
        return BYTES_NONE;
    for (size_t i = 0; i < size; i++) {
        if (i == 4 || i == 6)
            text_put_char(&text, '-');
        text_put_char(&text, (char)at.data[i]);
    }
    return text_bytes(&text);
}

/* Names as they are compared: ASCII letters in capitals, all else as it is. */
static bool same_name(struct bytes a, struct bytes b) {
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        uint8_t x = a.data[i], y = b.data[i];
        x = x >= 'a' && x <= 'z' ? (uint8_t)(x - 'a' + 'A') : x;
        y = y >= 'a' && y <= 'z' ? (uint8_t)(y - 'a' + 'A') : y;
        if (x != y)
            return false;
    }
    return true;
}

bool file_is_of_other(struct page *page, const struct document_view *view,
                      const struct shown_file *file) {
    const struct chart_patient *p = &view->patient;
    struct bytes born = cda_birth_date(page, &file->cda), name = file->cda.family_name;
    if (p->id == 0)
        return false; /* filed under nobody */
    bool has_name = name.size && p->family_name.size;
    if (born.size == 10 && p->birth_date.size == 10)
        return !bytes_equal(born, p->birth_date);
    return has_name && !same_name(name, p->family_name) && !same_name(name, p->birth_name) &&
           !same_name(name, p->used_name);
}

bool cda_is_restricted(const struct cda_document *document) {
    return bytes_is(document->confidentiality, "R") || bytes_is(document->confidentiality, "V");
}

/* ---- blocks of a narrative ---- */

uint64_t block_depth(const struct cda_block *block) {
    return block->level < 1 ? 1 : block->level > 4 ? 4 : block->level;
}

struct bytes block_mark(struct page *page, const struct cda_block *block) {
    struct text text;
    if (!block->ordinal)
        return BYTES("•");
    if (text_init_arena(&text, page->arena, 16))
        return BYTES_NONE;
    text_put_format(&text, "%u.", block->ordinal);
    return text_bytes(&text);
}

const char *block_span(struct page *page, unsigned span, unsigned columns) {
    struct text text;
    if (text_init_arena(&text, page->arena, 16))
        return "1";
    text_put_u64(&text, span < columns ? span : columns);
    return text.data;
}

size_t block_row_end(const struct cda_block *blocks, size_t count, size_t at) {
    while (at < count && blocks[at].kind == CDA_CELL)
        at++;
    return at;
}

bool block_row_has_values(const struct cda_block *cells, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!cells[i].is_header)
            return true;
    return false;
}

/* The most columns of any row; a caption spans them all and does not count. */
unsigned block_columns(const struct cda_block *blocks, size_t count, size_t at) {
    unsigned most = 1, columns = 0;
    for (; at < count && blocks[at].kind != CDA_TABLE_END; at++) {
        if (blocks[at].kind == CDA_ROW)
            columns = 0;
        else if (blocks[at].kind == CDA_CELL && blocks[at].columns < 100)
            columns += blocks[at].columns;
        most = columns > most ? columns : most;
    }
    return most;
}
