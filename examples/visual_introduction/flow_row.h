/** The layout of most figures: noise on the left, time in the middle, target on the right. */
#ifndef EXAMPLES_FLOW_ROW_H
#define EXAMPLES_FLOW_ROW_H

#include "figure_drawings.h"

struct flow_row {
    cairo_t *cairo;
    double top, height; /**< of the panels, in points */
    double reach;       /**< the vertical axis runs from -reach to reach */
    bool bar;           /**< leave room for a colour bar at the right */
    bool upper;         /**< another row follows below: no numbers and labels for time */
};

struct panel flow_row_left(const struct flow_row *row, const char *title);
struct panel flow_row_middle(const struct flow_row *row, const char *title);
struct panel flow_row_right(const struct flow_row *row, const char *title);
struct rectangle flow_row_bar(const struct flow_row *row);

/** A side panel with a smooth density, or with a histogram and, if `x` is not NULL, the density as
 * a line over it. */
void draw_side_density(const struct panel *panel, int n, const double *x, const double *density,
                       const struct colour *colour);
void draw_side_histogram(const struct panel *panel, const struct histogram *histogram, int n,
                         const double *x, const double *density, const struct colour *colour);

#endif
