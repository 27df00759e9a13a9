/** The log-density of a model, or of a source that has one, at the centres of a box of cells. */
#ifndef EXAMPLES_DENSITY_MAP_H
#define EXAMPLES_DENSITY_MAP_H

#include <flowmatch/flowmatch.h>

enum { MAP_STEPS = 40 /**< of the likelihood's solver: twice as many change nothing to be seen */ };

struct box {
    double left, right, bottom, top;
};

struct density_map {
    struct box box;
    int columns, rows;
    float *centres;      /**< [columns, rows, 2], column by column, each from below to above */
    double *log_density; /**< [columns, rows], in the same order */
};

/** Centres of cells, without densities. To be destroyed in any case. */
fmatch_status density_map_create(struct density_map *map, const struct box *box, int columns,
                                 int rows);
void density_map_destroy(struct density_map *map);

fmatch_status density_map_of_model(struct density_map *map, const fmatch_model *model);
fmatch_status density_map_of_source(struct density_map *map, const fmatch_source *source);

/** The sum of the densities times the area of a cell: of a density that the box holds, 1. */
double density_map_integral(const struct density_map *map);

/** log p of rows [n, 2] or of any other dimension, with the settings of the map. */
fmatch_status evaluate_log_density(const fmatch_model *model, int64_t n, const float *rows,
                                   double *log_density);

#endif
