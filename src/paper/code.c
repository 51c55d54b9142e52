/* code.c - libzint finds the modules of a code; here they become squares. */
#include "paper/code.h"

#include <sodium.h>
#include <zint.h>

#define QR_CORRECTION_M 2

static bool is_dark(const struct zint_symbol *symbol, int row, int column) {
    return symbol->encoded_data[row][column / 8] >> column % 8 & 1;
}

/* One path for all, so that no viewer draws a seam between two squares. */
static void draw_modules(cairo_t *cairo, const struct zint_symbol *symbol, double x, double y,
                         double width) {
    double module = width / symbol->width;
    cairo_set_source_rgb(cairo, 0, 0, 0);
    for (int row = 0; row < symbol->rows; row++)
        for (int column = 0, end; column < symbol->width; column = end + 1) {
            for (end = column; end < symbol->width && is_dark(symbol, row, end);)
                end++;
            if (end > column)
                cairo_rectangle(cairo, x + column * module, y + row * module,
                                (end - column) * module, module);
        }
    cairo_fill(cairo);
}

enum err code_draw_qr(struct pen *pen, struct bytes text, double x, double y, double width,
                      struct fault *fault) {
    struct zint_symbol *symbol = ZBarcode_Create();
    if (!symbol)
        return fault_set(fault, ERR_MEMORY, "no code can be begun");
    symbol->symbology = BARCODE_QRCODE;
    symbol->option_1 = QR_CORRECTION_M;
    symbol->input_mode = DATA_MODE;
    int result = ZBarcode_Encode(symbol, text.data, (int)text.size);
    enum err err = ERR_OK;
    if (result >= ZINT_ERROR)
        err = fault_set(fault, result == ZINT_ERROR_MEMORY ? ERR_MEMORY : ERR_INPUT,
                        "the text does not go into a QR code");
    else
        draw_modules(pen->cairo, symbol, x, y, width);
    sodium_memzero(symbol->encoded_data, sizeof symbol->encoded_data);
    sodium_memzero(symbol->text, sizeof symbol->text);
    ZBarcode_Delete(symbol);
    return err;
}
