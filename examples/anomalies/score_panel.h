/** How the log-densities of groups of rows are distributed, in one panel. */
#ifndef EXAMPLES_SCORE_PANEL_H
#define EXAMPLES_SCORE_PANEL_H

#include "../drawing/chart.h"
#include "row_group.h"

enum { SCORE_GROUPS = 5 /**< at most */ };

/** In which the marks of group k are drawn, here and elsewhere; the normal group is 0. */
extern const struct stroke score_strokes[SCORE_GROUPS];

/** Fill `frame` with the normal group as an area and the others as lines, and a legend above;
 * shares are of all rows, those beyond `low` and `high` too. */
void score_panel_draw(cairo_t *cairo, const struct rectangle *frame, double low, double high, int n,
                      const struct row_group *groups);

#endif
