/** Lines of equal value over a table of numbers. */
#ifndef EXAMPLES_CONTOUR_H
#define EXAMPLES_CONTOUR_H

#include "heat_map.h"
#include "marks.h"

/** Into an open panel, the line on which the grid, linear between the centres of its cells, has the
 * level. Where a nan is near there is none. */
void contour_draw(const struct panel *panel, const struct grid *grid, double level,
                  const struct stroke *stroke);

#endif
