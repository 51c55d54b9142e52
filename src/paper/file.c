/* file.c - cairo writes a PDF piece by piece into memory; only the whole of it goes to the disk. */
#include "paper/file.h"
#include "base/text.h"
#include "paper/paper.h"
#include "paper/pen.h"

#include <sodium.h>

static cairo_status_t take_piece(void *context, const unsigned char *data, unsigned size) {
    struct paper_file *file = context;
    if (size > PAPER_FILE_BYTES_MAX - file->size)
        return CAIRO_STATUS_WRITE_ERROR;
    memcpy(file->data + file->size, data, size);
    file->size += size;
    return CAIRO_STATUS_SUCCESS;
}

static void describe(struct paper_file *file, struct sys *sys, const char *title) {
    char date[64];
    struct text text;
    text_init(&text, date, sizeof date);
    time_put_iso_utc(&text, sys_now_us(sys));
    cairo_pdf_surface_set_metadata(file->surface, CAIRO_PDF_METADATA_TITLE, title);
    cairo_pdf_surface_set_metadata(file->surface, CAIRO_PDF_METADATA_CREATE_DATE, date);
}

enum err paper_file_init(struct paper_file *file, struct sys *sys, const char *title,
                         struct fault *fault) {
    *file = (struct paper_file){.data = sodium_malloc(PAPER_FILE_BYTES_MAX)};
    if (!file->data)
        return fault_set(fault, ERR_MEMORY, "no memory for a file");
    file->surface =
        cairo_pdf_surface_create_for_stream(take_piece, file, PEN_A4_WIDTH, PEN_A4_DEPTH);
    if (cairo_surface_status(file->surface) != CAIRO_STATUS_SUCCESS)
        return fault_set(fault, ERR_MEMORY, "no memory for a file");
    describe(file, sys, title);
    return ERR_OK;
}

enum err paper_file_save(struct paper_file *file, struct sys *sys, const char *path,
                         struct fault *fault) {
    cairo_surface_finish(file->surface);
    cairo_status_t status = cairo_surface_status(file->surface);
    if (status == CAIRO_STATUS_WRITE_ERROR)
        return fault_set_subject(fault, ERR_LIMIT, "the file is too large", path);
    if (status != CAIRO_STATUS_SUCCESS)
        return fault_set_subject(fault, ERR_MEMORY, "the pages cannot be drawn", path);
    return sys_replace_file(sys, path, bytes_from(file->data, file->size), 0600, fault);
}

void paper_file_release(struct paper_file *file) {
    if (file->surface)
        cairo_surface_destroy(file->surface); /* it may still write into data */
    sodium_free(file->data);
    *file = (struct paper_file){0};
}
