/* pen.c - pango's layouts and cairo's strokes, as few of them as our pages need. */
#include "paper/pen.h"

#define LINE_WIDTH 0.6

/* Fontconfig gives another family in the place of one that is absent; a page in that one could be misread. */
static bool is_installed(const struct pen *pen, const char *family) {
    PangoFontDescription *wanted = pango_font_description_new();
    pango_font_description_set_family_static(wanted, family);
    pango_font_description_set_absolute_size(wanted, 10 * PANGO_SCALE);
    PangoFont *font = pango_font_map_load_font(pen->fonts, pen->context, wanted);
    PangoFontDescription *got = font ? pango_font_describe(font) : NULL;
    const char *name = got ? pango_font_description_get_family(got) : NULL;
    bool is_same = name && bytes_is(bytes_from_string(name), family);
    if (got)
        pango_font_description_free(got);
    g_clear_object(&font);
    pango_font_description_free(wanted);
    return is_same;
}

enum err pen_init(struct pen *pen, cairo_surface_t *surface, struct fault *fault) {
    *pen = (struct pen){.cairo = cairo_create(surface)};
    if (cairo_status(pen->cairo) != CAIRO_STATUS_SUCCESS)
        return fault_set(fault, ERR_MEMORY, "no page can be begun");
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    pen->fonts = pango_cairo_font_map_new();
    pen->context = pango_font_map_create_context(pen->fonts);
    pango_cairo_context_set_resolution(pen->context, 72);         /* a point is a point */
    pango_context_set_round_glyph_positions(pen->context, FALSE); /* paper has no pixels */
    pango_cairo_context_set_font_options(pen->context, options);
    cairo_font_options_destroy(options);
    pango_cairo_update_context(pen->cairo, pen->context);
    pen->layout = pango_layout_new(pen->context);
    pango_layout_set_wrap(pen->layout, PANGO_WRAP_WORD_CHAR);
    if (!is_installed(pen, PEN_SANS) || !is_installed(pen, PEN_MONO))
        return fault_set_subject(fault, ERR_UNSUPPORTED, "a font is not installed",
                                 "fonts-dejavu-core");
    return ERR_OK;
}

void pen_release(struct pen *pen) {
    g_clear_object(&pen->layout);
    g_clear_object(&pen->context);
    g_clear_object(&pen->fonts);
    cairo_destroy(pen->cairo);
    pen->cairo = NULL;
}

static void choose_font(struct pen *pen, const struct pen_font *font) {
    PangoFontDescription *description = pango_font_description_new();
    pango_font_description_set_family_static(description, font->family);
    pango_font_description_set_absolute_size(description, font->size * PANGO_SCALE);
    pango_font_description_set_weight(description,
                                      font->is_bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(pen->layout, description);
    pango_font_description_free(description);
}

double pen_text(struct pen *pen, const struct pen_font *font, struct pen_place place,
                const char *text) {
    int width, depth;
    choose_font(pen, font);
    pango_layout_set_width(pen->layout, place.width > 0 ? (int)(place.width * PANGO_SCALE) : -1);
    pango_layout_set_alignment(pen->layout, place.is_right ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT);
    pango_layout_set_text(pen->layout, text, -1);
    if (place.lines_max && pango_layout_get_line_count(pen->layout) > place.lines_max)
        pen->is_overfull = true;
    cairo_set_source_rgb(pen->cairo, font->grey, font->grey, font->grey);
    cairo_move_to(pen->cairo, place.x, place.y);
    pango_cairo_show_layout(pen->cairo, pen->layout);
    pango_layout_get_size(pen->layout, &width, &depth);
    return (double)depth / PANGO_SCALE;
}

void pen_line(struct pen *pen, double x1, double y1, double x2, double y2) {
    cairo_set_source_rgb(pen->cairo, 0, 0, 0);
    cairo_set_line_width(pen->cairo, LINE_WIDTH);
    cairo_move_to(pen->cairo, x1, y1);
    cairo_line_to(pen->cairo, x2, y2);
    cairo_stroke(pen->cairo);
}

void pen_box(struct pen *pen, double x, double y, double width, double depth) {
    cairo_set_source_rgb(pen->cairo, 0, 0, 0);
    cairo_set_line_width(pen->cairo, LINE_WIDTH);
    cairo_rectangle(pen->cairo, x, y, width, depth);
    cairo_stroke(pen->cairo);
}
