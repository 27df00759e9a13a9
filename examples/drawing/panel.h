/** A panel of a picture: a frame with two axes, into which marks are drawn. */
#ifndef EXAMPLES_PANEL_H
#define EXAMPLES_PANEL_H

#include "axis.h"
#include "text.h"

struct rectangle {
    double x, y, width, height; /**< in points, from the picture's top left corner */
};

struct panel {
    cairo_t *cairo;
    struct rectangle frame;
    struct axis x, y;
    const char *title; /**< or NULL */
};

/** Lay the ground, and clip to the frame what is drawn until panel_close. */
void panel_open(const struct panel *panel);

/** Draw frame, ticks, numbers, labels and title. */
void panel_close(const struct panel *panel);

double panel_x(const struct panel *panel, double value);
double panel_y(const struct panel *panel, double value);

/** The colour and the sizes that all text of a picture shares. */
extern const struct text_style panel_number_style;
extern const struct text_style panel_label_style;
extern const struct text_style panel_title_style;

#endif
