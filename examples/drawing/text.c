#include "text.h"

#include <stddef.h>
#include <string.h>

static const char font[] = "DejaVu Sans";
/* Height of a capital of DejaVu Sans, for a size of one. */
static const double capital = 0.73;

static void choose_font(cairo_t *cairo, const struct text_style *style, bool slanted)
{
    cairo_select_font_face(cairo, font,
                           slanted ? CAIRO_FONT_SLANT_OBLIQUE : CAIRO_FONT_SLANT_NORMAL,
                           style->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, style->size);
}

/* Hinting would move letters to whole pixels and make the spacing uneven. */
static void switch_hinting_off(cairo_t *cairo)
{
    cairo_font_options_t *options = cairo_font_options_create();

    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cairo, options);
    cairo_font_options_destroy(options);
}

/** Copy the piece up to the next asterisk, and give what follows it, or NULL after the last. */
static const char *next_piece(const char *text, char *piece, size_t size)
{
    size_t length = strcspn(text, "*");
    size_t copied = length < size ? length : size - 1;

    memcpy(piece, text, copied);
    piece[copied] = '\0';
    return text[length] ? text + length + 1 : NULL;
}

double text_width(cairo_t *cairo, const char *text, const struct text_style *style)
{
    double width = 0;
    bool slanted = false;

    switch_hinting_off(cairo);
    for (; text; slanted = !slanted) {
        char piece[256];
        cairo_text_extents_t extents;
        text = next_piece(text, piece, sizeof piece);
        choose_font(cairo, style, slanted);
        cairo_text_extents(cairo, piece, &extents);
        width += extents.x_advance;
    }
    return width;
}

void text_draw(cairo_t *cairo, double x, double y, const char *text, const struct text_style *style)
{
    static const double aligned[] = {[TEXT_LEFT] = 0, [TEXT_CENTRE] = 0.5, [TEXT_RIGHT] = 1};
    static const double lowered[] = {[TEXT_BASELINE] = 0, [TEXT_MIDDLE] = 0.5, [TEXT_TOP] = 1};
    bool slanted = false;

    cairo_save(cairo);
    cairo_translate(cairo, x, y);
    if (style->upward)
        cairo_rotate(cairo, -1.5707963267948966);
    cairo_set_source_rgb(cairo, style->colour.red, style->colour.green, style->colour.blue);
    cairo_move_to(cairo, -aligned[style->align] * text_width(cairo, text, style),
                  lowered[style->height] * capital * style->size);
    for (; text; slanted = !slanted) {
        char piece[256];
        text = next_piece(text, piece, sizeof piece);
        choose_font(cairo, style, slanted);
        cairo_show_text(cairo, piece);
    }
    cairo_new_path(cairo);
    cairo_restore(cairo);
}
