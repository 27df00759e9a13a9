#include "reference_paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double velocity_reach = 2.2;
const double path_line_reach = 3.2;

double path_line_start(int i)
{
    return path_line_reach * (2.0 * i / (PATH_LINES - 1) - 1);
}

static void count_density(struct grid *density, const float *x0, const float *x1)
{
    double share = density->rows / (density->top - density->bottom) / POST_SAMPLES;

    for (int j = 0; j < density->columns; j++) {
        double t = grid_column_centre(density, j);
        for (int i = 0; i < POST_SAMPLES; i++) {
            int row = grid_row_of(density, (1 - t) * x0[i] + t * x1[i]);
            if (row >= 0 && row < density->rows)
                *grid_at(density, j, row) += share;
        }
    }
}

/** Mean of x1 - x0 over the pairs that pass through a cell; what lies outside counts at the edge.
 */
static void average_velocity(struct grid *velocity, const float *x0, const float *x1, double empty)
{
    int count[REFERENCE_VELOCITY_BINS];

    for (int j = 0; j < velocity->columns; j++) {
        double t = grid_column_centre(velocity, j), *mean = grid_at(velocity, j, 0);
        memset(count, 0, sizeof count);
        for (int i = 0; i < POST_SAMPLES; i++) {
            int row = grid_row_of(velocity, (1 - t) * x0[i] + t * x1[i]);
            row = row < 0 ? 0 : row >= velocity->rows ? velocity->rows - 1 : row;
            mean[row] += (double)x1[i] - x0[i];
            count[row]++;
        }
        for (int row = 0; row < velocity->rows; row++)
            mean[row] = count[row] ? mean[row] / count[row] : empty;
    }
}

/** Euler's method on the table. */
static void follow_table(const struct grid *velocity,
                         double lines[PATH_LINES][REFERENCE_VELOCITY_TIMES])
{
    double step = 1.0 / (REFERENCE_VELOCITY_TIMES - 1);

    for (int i = 0; i < PATH_LINES; i++) {
        double x = path_line_start(i);
        for (int j = 0; j < REFERENCE_VELOCITY_TIMES; j++) {
            int row = grid_row_of(velocity, x);
            row = row < 0 ? 0 : row >= velocity->rows ? velocity->rows - 1 : row;
            lines[i][j] = x;
            x += step * *grid_at(velocity, j, row);
        }
    }
}

static fmatch_status tabulate(struct reference_paths *paths, const float *x0, const float *x1)
{
    struct grid wide = {0};

    if (!grid_create_over_time(&paths->density, REFERENCE_DENSITY_TIMES, REFERENCE_DENSITY_BINS,
                               density_reach) ||
        !grid_create_over_time(&paths->velocity, REFERENCE_VELOCITY_TIMES, REFERENCE_VELOCITY_BINS,
                               velocity_reach) ||
        !grid_create_over_time(&wide, REFERENCE_VELOCITY_TIMES, REFERENCE_VELOCITY_BINS,
                               path_line_reach)) {
        grid_destroy(&wide);
        return FMATCH_ERROR_NO_MEMORY;
    }
    count_density(&paths->density, x0, x1);
    average_velocity(&paths->velocity, x0, x1, NAN);
    average_velocity(&wide, x0, x1, 0); /* path lines begin beyond what is shown */
    follow_table(&wide, paths->path_lines);
    grid_destroy(&wide);
    histogram_fill(&paths->noise, -density_reach, density_reach, POST_SAMPLES, x0);
    histogram_fill(&paths->target, -density_reach, density_reach, POST_SAMPLES, x1);
    memcpy(paths->shown_noise, x0, sizeof paths->shown_noise);
    memcpy(paths->shown_target, x1, sizeof paths->shown_target);
    return FMATCH_OK;
}

fmatch_status reference_paths_collect(struct reference_paths *paths, const fmatch_source *noise,
                                      const fmatch_source *target, uint64_t seed)
{
    float *x0 = malloc(POST_SAMPLES * sizeof *x0), *x1 = malloc(POST_SAMPLES * sizeof *x1);
    fmatch_status status = x0 && x1 ? FMATCH_OK : (fmatch_status)FMATCH_ERROR_NO_MEMORY;

    /* Two seeds: with one, noise and data would come from the same random numbers. */
    if (status == FMATCH_OK)
        status = fmatch_source_draw(noise, seed, 0, POST_SAMPLES, x0);
    if (status == FMATCH_OK)
        status = fmatch_source_draw(target, seed + 1, 0, POST_SAMPLES, x1);
    if (status == FMATCH_OK)
        status = tabulate(paths, x0, x1);
    free(x0);
    free(x1);
    return status;
}

void reference_paths_destroy(struct reference_paths *paths)
{
    grid_destroy(&paths->density);
    grid_destroy(&paths->velocity);
}
