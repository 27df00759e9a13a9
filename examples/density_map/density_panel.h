/** A density map on a picture: shades for log p, and lines at stated levels of it. */
#ifndef EXAMPLES_DENSITY_PANEL_H
#define EXAMPLES_DENSITY_PANEL_H

#include "../drawing/chart.h"
#include "density_map.h"

/** Fill an open panel; below the scale's low end everything has one colour. */
void density_panel_fill(const struct panel *panel, const struct density_map *map,
                        const struct colour_scale *scale, int levels, const double *level);

/** The bar that explains shades and lines. */
void density_panel_draw_bar(cairo_t *cairo, const struct rectangle *frame,
                            const struct colour_scale *scale, int levels, const double *level);

#endif
