/** Text on a picture. */
#ifndef EXAMPLES_TEXT_H
#define EXAMPLES_TEXT_H

#include "colour_map.h"
#include <cairo.h>
#include <stdbool.h>

enum text_align { TEXT_LEFT, TEXT_CENTRE, TEXT_RIGHT };
enum text_height { TEXT_BASELINE, TEXT_MIDDLE, TEXT_TOP }; /**< of capitals and digits */

struct text_style {
    double size; /**< in points */
    struct colour colour;
    enum text_align align;
    enum text_height height;
    bool bold;
    bool upward; /**< reads from below to above */
};

/** Write UTF-8 text; what stands between two asterisks is slanted, as variables are. */
void text_draw(cairo_t *cairo, double x, double y, const char *text,
               const struct text_style *style);

/** The length that text_draw will take. */
double text_width(cairo_t *cairo, const char *text, const struct text_style *style);

#endif
