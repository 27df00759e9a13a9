#include "model_flow.h"

#include <stdlib.h>

fmatch_status create_solver(fmatch_sampler **sampler, const fmatch_model *model, int32_t solver,
                            int64_t steps)
{
    fmatch_sampler_config config;

    fmatch_sampler_config_init(&config);
    config.solver = solver;
    config.steps = steps;
    return fmatch_sampler_create(sampler, model, &config);
}

static fmatch_status evaluate_on_grid(struct grid *velocity, const fmatch_model *model)
{
    float x[FLOW_BINS], t[FLOW_BINS], v[FLOW_BINS];

    for (int j = 0; j < velocity->columns; j++) {
        for (int i = 0; i < velocity->rows; i++) {
            x[i] = (float)grid_row_centre(velocity, i);
            t[i] = (float)j / (float)(velocity->columns - 1);
        }
        fmatch_status status = fmatch_model_evaluate(model, velocity->rows, x, t, NULL, v);
        if (status != FMATCH_OK)
            return status;
        for (int i = 0; i < velocity->rows; i++)
            *grid_at(velocity, j, i) = v[i];
    }
    return FMATCH_OK;
}

static fmatch_status follow_model(double lines[PATH_LINES][FLOW_TIMES], const fmatch_model *model)
{
    float start[PATH_LINES], trajectory[FLOW_TIMES][PATH_LINES];
    fmatch_sampler *sampler;

    for (int i = 0; i < PATH_LINES; i++)
        start[i] = (float)path_line_start(i);
    fmatch_status status = create_solver(&sampler, model, FMATCH_SOLVER_EULER, FLOW_TIMES - 1);
    if (status == FMATCH_OK)
        status = fmatch_sampler_integrate_trajectory(sampler, PATH_LINES, start, NULL,
                                                     &trajectory[0][0]);
    for (int i = 0; status == FMATCH_OK && i < PATH_LINES; i++)
        for (int j = 0; j < FLOW_TIMES; j++)
            lines[i][j] = trajectory[j][i];
    fmatch_sampler_destroy(&sampler);
    return status;
}

fmatch_status model_flow_collect(struct model_flow *flow, const fmatch_model *model)
{
    fmatch_status status;

    if (!grid_create_over_time(&flow->velocity, FLOW_TIMES, FLOW_BINS, velocity_reach))
        return FMATCH_ERROR_NO_MEMORY;
    if ((status = evaluate_on_grid(&flow->velocity, model)) != FMATCH_OK)
        return status;
    return follow_model(flow->path_lines, model);
}

void model_flow_destroy(struct model_flow *flow)
{
    grid_destroy(&flow->velocity);
}

/* Rows of one call: their trajectory, [times, rows], stays in the processor's cache. */
enum { ROWS_AT_ONCE = 1000 };

static void count_trajectory(struct grid *density, const float *trajectory)
{
    double share = density->rows / (density->top - density->bottom) / POST_SAMPLES;

    for (int j = 0; j < density->columns; j++)
        for (int i = 0; i < ROWS_AT_ONCE; i++) {
            int row = grid_row_of(density, trajectory[j * ROWS_AT_ONCE + i]);
            if (row >= 0 && row < density->rows)
                *grid_at(density, j, row) += share;
        }
}

fmatch_status sampled_density_collect(struct grid *density, const fmatch_model *model,
                                      uint64_t seed)
{
    float *trajectory = malloc(FLOW_DENSITY_TIMES * ROWS_AT_ONCE * sizeof *trajectory);
    fmatch_sampler *sampler = NULL;
    fmatch_status status = FMATCH_ERROR_NO_MEMORY;

    if (trajectory &&
        grid_create_over_time(density, FLOW_DENSITY_TIMES, REFERENCE_DENSITY_BINS, density_reach))
        status = create_solver(&sampler, model, FMATCH_SOLVER_EULER, FLOW_DENSITY_STEPS);
    for (int64_t row = 0; status == FMATCH_OK && row < POST_SAMPLES; row += ROWS_AT_ONCE) {
        status = fmatch_sampler_draw_trajectory(sampler, seed, row, ROWS_AT_ONCE, NULL, trajectory);
        if (status == FMATCH_OK)
            count_trajectory(density, trajectory);
    }
    fmatch_sampler_destroy(&sampler);
    free(trajectory);
    return status;
}
