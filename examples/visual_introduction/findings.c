#include "findings.h"
#include "../stopwatch.h"

#include <stdlib.h>

static const double curve_reach = 3;

/* Euler's 50 steps are the post's; the midpoint rule gets as many evaluations of the network. */
static const struct {
    int32_t solver;
    int64_t steps;
} reconstruction_solvers[RECONSTRUCTIONS] = {
    [RECONSTRUCTION_EULER] = {FMATCH_SOLVER_EULER, 50},
    [RECONSTRUCTION_MIDPOINT] = {FMATCH_SOLVER_MIDPOINT, 25},
};

static fmatch_status collect_curves(struct density_curves *curves, const fmatch_model *exact)
{
    float x[CURVE_POINTS], start[CURVE_POINTS], end[CURVE_POINTS];
    fmatch_status status;

    for (int i = 0; i < CURVE_POINTS; i++) {
        curves->x[i] = curve_reach * (2.0 * i / (CURVE_POINTS - 1) - 1);
        x[i] = (float)curves->x[i];
        start[i] = 0;
        end[i] = 1;
    }
    status = fmatch_model_evaluate_density(exact, CURVE_POINTS, x, start, curves->noise);
    if (status == FMATCH_OK)
        status = fmatch_model_evaluate_density(exact, CURVE_POINTS, x, end, curves->target);
    return status;
}

static void average_losses(struct losses *losses)
{
    double sum = 0;

    for (int i = 0; i < losses->steps; i++) {
        int n = i < MOVING_AVERAGE ? i + 1 : MOVING_AVERAGE;
        sum += losses->loss[i] - (i < MOVING_AVERAGE ? 0 : losses->loss[i - MOVING_AVERAGE]);
        losses->step[i] = i + 1;
        losses->average[i] = sum / n;
    }
}

static fmatch_status collect_losses(struct losses *losses, const fmatch_trainer *trainer)
{
    size_t steps = (size_t)fmatch_trainer_count_steps(trainer);

    losses->steps = (int)steps;
    losses->step = malloc((steps + 1) * sizeof(double));
    losses->loss = malloc((steps + 1) * sizeof(double));
    losses->average = malloc((steps + 1) * sizeof(double));
    if (!losses->step || !losses->loss || !losses->average)
        return FMATCH_ERROR_NO_MEMORY;
    fmatch_status status = fmatch_trainer_get_losses(trainer, 0, losses->steps, losses->loss);
    if (status == FMATCH_OK)
        average_losses(losses);
    return status;
}

static fmatch_status collect_reference(struct reference_paths *reference,
                                       const struct run_results *run)
{
    fmatch_source *noise;
    fmatch_status status = fmatch_source_create_normal(&noise, run->context, 1);

    if (status == FMATCH_OK)
        status = reference_paths_collect(reference, noise, run->target, run->summary->seed + 1);
    fmatch_source_destroy(&noise);
    return status;
}

static fmatch_status subtract_fields(struct grid *difference, const struct model_flow *learned,
                                     const struct model_flow *exact)
{
    if (!grid_create_over_time(difference, FLOW_TIMES, FLOW_BINS, velocity_reach))
        return FMATCH_ERROR_NO_MEMORY;
    for (int i = 0; i < FLOW_TIMES * FLOW_BINS; i++)
        difference->values[i] = learned->velocity.values[i] - exact->velocity.values[i];
    return FMATCH_OK;
}

static fmatch_status collect_flows(struct findings *f, const struct run_results *run)
{
    fmatch_status status;

    if ((status = model_flow_collect(&f->learned, run->model)) != FMATCH_OK ||
        (status = model_flow_collect(&f->recommended, run->recommended)) != FMATCH_OK ||
        (status = model_flow_collect(&f->exact, run->exact)) != FMATCH_OK ||
        (status = subtract_fields(&f->difference, &f->learned, &f->exact)) != FMATCH_OK)
        return status;
    return subtract_fields(&f->recommended_difference, &f->recommended, &f->exact);
}

static double variance_of(int n, const float *samples)
{
    double sum = 0, squares = 0;

    for (int i = 0; i < n; i++) {
        sum += samples[i];
        squares += (double)samples[i] * samples[i];
    }
    return squares / n - sum / n * (sum / n);
}

static fmatch_status reconstruct(struct reconstruction *reconstruction,
                                 const struct run_results *run, int which, float *samples,
                                 const float *quantiles)
{
    fmatch_sampler *sampler;
    fmatch_status status = create_solver(&sampler, run->model, reconstruction_solvers[which].solver,
                                         reconstruction_solvers[which].steps);

    if (status == FMATCH_OK)
        status = fmatch_sampler_draw(sampler, run->summary->seed, 0, POST_SAMPLES, NULL, samples);
    fmatch_sampler_destroy(&sampler);
    if (status != FMATCH_OK)
        return status;
    histogram_fill(&reconstruction->histogram, -density_reach, density_reach, POST_SAMPLES,
                   samples);
    reconstruction->variance = variance_of(POST_SAMPLES, samples);
    return fmatch_metrics_evaluate_wasserstein_1d(run->context, POST_SAMPLES, samples, POST_SAMPLES,
                                                  quantiles, NULL, &reconstruction->w2);
}

static fmatch_status collect_reconstructions(struct findings *findings,
                                             const struct run_results *run)
{
    float *samples = malloc(POST_SAMPLES * sizeof *samples);
    float *quantiles = malloc(POST_SAMPLES * sizeof *quantiles);
    fmatch_status status = samples && quantiles ? FMATCH_OK : (fmatch_status)FMATCH_ERROR_NO_MEMORY;

    if (status == FMATCH_OK)
        post_exact_quantiles(POST_SAMPLES, quantiles);
    for (int i = 0; status == FMATCH_OK && i < RECONSTRUCTIONS; i++)
        status = reconstruct(&findings->reconstructions[i], run, i, samples, quantiles);
    free(samples);
    free(quantiles);
    return status;
}

fmatch_status findings_collect(struct findings *findings, const struct run_results *run)
{
    fmatch_status status;

    findings->run = run;
    histogram_fill(&findings->samples, -density_reach, density_reach, POST_SAMPLES, run->samples);
    if ((status = collect_curves(&findings->curves, run->exact)) != FMATCH_OK ||
        (status = collect_reference(&findings->reference, run)) != FMATCH_OK ||
        (status = collect_losses(&findings->losses, run->trainer)) != FMATCH_OK ||
        (status = collect_flows(findings, run)) != FMATCH_OK ||
        (status = collect_reconstructions(findings, run)) != FMATCH_OK ||
        (status = solver_error_measure(findings->learned_w2, run->context, run->model)) !=
            FMATCH_OK ||
        (status = solver_error_measure(findings->exact_w2, run->context, run->exact)) != FMATCH_OK)
        return status;
    double start = seconds_now();
    status = sampled_density_collect(&findings->sampled_density, run->model, run->summary->seed);
    findings->sampled_seconds = seconds_now() - start;
    return status;
}

void findings_destroy(struct findings *findings)
{
    reference_paths_destroy(&findings->reference);
    model_flow_destroy(&findings->learned);
    model_flow_destroy(&findings->recommended);
    model_flow_destroy(&findings->exact);
    grid_destroy(&findings->difference);
    grid_destroy(&findings->recommended_difference);
    grid_destroy(&findings->sampled_density);
    free(findings->losses.step);
    free(findings->losses.loss);
    free(findings->losses.average);
    *findings = (struct findings){0};
}
