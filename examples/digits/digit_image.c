#include "digit_image.h"

#include <math.h>

static void draw_pixels(cairo_t *cairo, double x, double y, double size, const float *pixels)
{
    const double side = size / SIDE;

    /* Edges that two squares share would shine through. */
    cairo_set_antialias(cairo, CAIRO_ANTIALIAS_NONE);
    for (int j = 0; j < PIXELS; j++) {
        double light = 1 - fmin(fmax((double)pixels[j] / INK, 0), 1);
        cairo_set_source_rgb(cairo, light, light, light);
        cairo_rectangle(cairo, x + j % SIDE * side, y + j / SIDE * side, side, side);
        cairo_fill(cairo);
    }
    cairo_set_antialias(cairo, CAIRO_ANTIALIAS_DEFAULT);
}

void digit_image_draw(cairo_t *cairo, double x, double y, double size, const float *pixels,
                      const struct stroke *frame)
{
    const struct colour *colour = &frame->colour;
    double width = frame->width;

    draw_pixels(cairo, x, y, size, pixels);
    cairo_rectangle(cairo, x - width / 2, y - width / 2, size + width, size + width);
    cairo_set_source_rgba(cairo, colour->red, colour->green, colour->blue, frame->opacity);
    cairo_set_line_width(cairo, width);
    cairo_stroke(cairo);
}
