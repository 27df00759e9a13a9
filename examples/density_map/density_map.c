#include "density_map.h"

#include <math.h>
#include <stdlib.h>

fmatch_status density_map_create(struct density_map *map, const struct box *box, int columns,
                                 int rows)
{
    size_t cells = (size_t)columns * (size_t)rows;
    float *centre;

    *map = (struct density_map){.box = *box, .columns = columns, .rows = rows};
    map->centres = centre = malloc(2 * cells * sizeof *map->centres);
    map->log_density = malloc(cells * sizeof *map->log_density);
    if (!map->centres || !map->log_density)
        return FMATCH_ERROR_NO_MEMORY;
    for (int i = 0; i < columns; i++)
        for (int j = 0; j < rows; j++) {
            *centre++ = (float)(box->left + (i + 0.5) * (box->right - box->left) / columns);
            *centre++ = (float)(box->bottom + (j + 0.5) * (box->top - box->bottom) / rows);
        }
    return FMATCH_OK;
}

void density_map_destroy(struct density_map *map)
{
    free(map->centres);
    free(map->log_density);
    *map = (struct density_map){0};
}

fmatch_status evaluate_log_density(const fmatch_model *model, int64_t n, const float *rows,
                                   double *log_density)
{
    fmatch_likelihood_config config;

    fmatch_likelihood_config_init(&config);
    config.steps = MAP_STEPS;
    return fmatch_likelihood_evaluate(model, &config, n, rows, NULL, 0, log_density, NULL, NULL);
}

fmatch_status density_map_of_model(struct density_map *map, const fmatch_model *model)
{
    return evaluate_log_density(model, (int64_t)map->columns * map->rows, map->centres,
                                map->log_density);
}

fmatch_status density_map_of_source(struct density_map *map, const fmatch_source *source)
{
    return fmatch_source_evaluate_log_density(source, (int64_t)map->columns * map->rows,
                                              map->centres, map->log_density);
}

double density_map_integral(const struct density_map *map)
{
    const struct box *box = &map->box;
    double cell = (box->right - box->left) / map->columns * (box->top - box->bottom) / map->rows;
    double sum = 0;

    for (int i = 0; i < map->columns * map->rows; i++)
        sum += exp(map->log_density[i]);
    return sum * cell;
}
