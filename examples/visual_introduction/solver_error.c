#include "solver_error.h"
#include "model_flow.h"
#include "post.h"

#include <math.h>
#include <stdlib.h>

const int solver_budgets[SOLVER_BUDGETS] = {2, 4, 8, 16, 32, 64, 128, 256};

static const struct {
    int32_t solver;
    int evaluations_a_step;
} solvers[SOLVERS] = {
    [SOLVER_EULER] = {FMATCH_SOLVER_EULER, 1},
    [SOLVER_MIDPOINT] = {FMATCH_SOLVER_MIDPOINT, 2},
};

/** Values of N(0, 1) at the probabilities (i + 1/2) / n. */
static void normal_quantiles(int n, float *quantiles)
{
    double low = -8;

    for (int i = 0; i < n; i++) {
        double probability = (i + 0.5) / n, high = 8;
        /* low stays below this quantile and so below the next one. */
        while (high - low > 1e-9) {
            double middle = 0.5 * (low + high);
            if (0.5 * erfc(-middle / sqrt(2)) < probability)
                low = middle;
            else
                high = middle;
        }
        quantiles[i] = (float)(0.5 * (low + high));
    }
}

static fmatch_status measure_one(double *w2, fmatch_context *context, const fmatch_model *model,
                                 int32_t solver, int64_t steps, const float *start,
                                 const float *target)
{
    float end[SOLVER_START_POINTS];
    fmatch_sampler *sampler;
    fmatch_status status = create_solver(&sampler, model, solver, steps);

    if (status == FMATCH_OK)
        status = fmatch_sampler_integrate(sampler, SOLVER_START_POINTS, start, NULL, end);
    if (status == FMATCH_OK)
        status = fmatch_metrics_evaluate_wasserstein_1d(context, SOLVER_START_POINTS, end,
                                                        SOLVER_START_POINTS, target, NULL, w2);
    fmatch_sampler_destroy(&sampler);
    return status;
}

fmatch_status solver_error_measure(double w2[SOLVERS][SOLVER_BUDGETS], fmatch_context *context,
                                   const fmatch_model *model)
{
    static float start[SOLVER_START_POINTS], target[SOLVER_START_POINTS];

    normal_quantiles(SOLVER_START_POINTS, start);
    post_exact_quantiles(SOLVER_START_POINTS, target);
    for (int s = 0; s < SOLVERS; s++)
        for (int b = 0; b < SOLVER_BUDGETS; b++) {
            int64_t steps = solver_budgets[b] / solvers[s].evaluations_a_step;
            fmatch_status status =
                measure_one(&w2[s][b], context, model, solvers[s].solver, steps, start, target);
            if (status != FMATCH_OK)
                return status;
        }
    return FMATCH_OK;
}
