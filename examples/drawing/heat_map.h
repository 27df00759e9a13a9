/** A table of numbers as colours, and the bar that explains them. */
#ifndef EXAMPLES_HEAT_MAP_H
#define EXAMPLES_HEAT_MAP_H

#include "panel.h"

/** Values on a grid of cells, column by column, each from below to above. */
struct grid {
    int columns, rows;
    double left, right, bottom, top; /**< outer edges of the outer cells */
    double *values;                  /**< [columns, rows]; nan: nothing is known there */
};

/** All zero, with columns centred on `times` times from 0 to 1 and rows from -reach to reach. False
 * when there is no memory. */
bool grid_create_over_time(struct grid *grid, int times, int rows, double reach);
void grid_destroy(struct grid *grid);

double grid_column_centre(const struct grid *grid, int column);
double grid_row_centre(const struct grid *grid, int row);
/** The row that a value falls into, which may be outside the grid. */
int grid_row_of(const struct grid *grid, double value);
double *grid_at(const struct grid *grid, int column, int row);

/** Largest magnitude, nan aside. */
double grid_largest(const struct grid *grid);

enum heat_cells {
    HEAT_CELLS_FLAT,  /**< each cell has one colour: counts */
    HEAT_CELLS_SMOOTH /**< values in between are interpolated: functions */
};

/** Fill an open panel; where there is a nan, or no cell, the ground stays. */
void heat_map_draw(const struct panel *panel, const struct grid *grid,
                   const struct colour_scale *scale, enum heat_cells cells);

/** An upright bar with numbers on its right and a label above. */
void colour_bar_draw(cairo_t *cairo, const struct rectangle *frame,
                     const struct colour_scale *scale, const char *label);

#endif
