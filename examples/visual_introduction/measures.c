#include "measures.h"

#include <math.h>
#include <stdlib.h>

/* Grid of the field's error: wide enough that p_t has nothing outside at any t, fine enough that
 * the trapezoidal rule's own error is far below what is printed. */
enum { FIELD_TIMES = 201, FIELD_POINTS = 1201 };
static const double field_reach = 6;

static fmatch_status measure_loss(const fmatch_trainer *trainer, const fmatch_model *exact,
                                  struct measures *measures)
{
    double losses[MEASURED_LOSSES], sum = 0;
    int64_t steps = fmatch_trainer_count_steps(trainer);
    int64_t n = steps < MEASURED_LOSSES ? steps : MEASURED_LOSSES;

    fmatch_status status = fmatch_trainer_get_losses(trainer, steps - n, n, losses);
    if (status != FMATCH_OK)
        return status;
    for (int64_t i = 0; i < n; i++)
        sum += losses[i];
    measures->loss_last_1000 = sum / (double)n;
    return fmatch_model_evaluate_irreducible_loss(exact, &measures->irreducible_loss, NULL);
}

/** E under p_t of (v - u)^2 at one time, as a mean over the grid with weights p_t. */
static fmatch_status field_error_at(double time, const fmatch_model *model,
                                    const fmatch_model *exact, double *error)
{
    static float x[FIELD_POINTS], t[FIELD_POINTS], v[FIELD_POINTS], u[FIELD_POINTS];
    static double density[FIELD_POINTS];
    fmatch_status status;

    for (int i = 0; i < FIELD_POINTS; i++) {
        x[i] = (float)(field_reach * (2.0 * i / (FIELD_POINTS - 1) - 1));
        t[i] = (float)time;
    }
    if ((status = fmatch_model_evaluate(model, FIELD_POINTS, x, t, NULL, v)) != FMATCH_OK ||
        (status = fmatch_model_evaluate(exact, FIELD_POINTS, x, t, NULL, u)) != FMATCH_OK ||
        (status = fmatch_model_evaluate_density(exact, FIELD_POINTS, x, t, density)) != FMATCH_OK)
        return status;

    double sum = 0, mass = 0;
    for (int i = 0; i < FIELD_POINTS; i++) {
        double difference = (double)v[i] - u[i];
        sum += density[i] * difference * difference;
        mass += density[i];
    }
    *error = sum / mass;
    return FMATCH_OK;
}

static fmatch_status measure_field(const fmatch_model *model, const fmatch_model *exact,
                                   struct measures *measures)
{
    double integral = 0;

    for (int j = 0; j < FIELD_TIMES; j++) {
        double error, end = j == 0 || j == FIELD_TIMES - 1 ? 0.5 : 1;
        fmatch_status status = field_error_at((double)j / (FIELD_TIMES - 1), model, exact, &error);
        if (status != FMATCH_OK)
            return status;
        integral += end * error / (FIELD_TIMES - 1);
    }
    measures->field_rmse = sqrt(integral);
    return FMATCH_OK;
}

static fmatch_status create_sampler(fmatch_sampler **sampler, const fmatch_model *model,
                                    int32_t solver, int64_t steps)
{
    fmatch_sampler_config config;

    fmatch_sampler_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.solver = solver;
    config.steps = steps;
    config.t_start = 0;
    config.t_end = 1;
    return fmatch_sampler_create(sampler, model, &config);
}

static void measure_moments(const float *samples, struct measures *measures)
{
    double sum = 0, squares = 0;

    for (int i = 0; i < POST_SAMPLES; i++) {
        sum += samples[i];
        squares += (double)samples[i] * samples[i];
    }
    measures->mean = sum / POST_SAMPLES;
    measures->variance = squares / POST_SAMPLES - measures->mean * measures->mean;
}

static fmatch_status draw_samples(const fmatch_model *model, int32_t solver, int64_t steps,
                                  uint64_t seed, float *samples)
{
    fmatch_sampler *sampler;
    fmatch_status status = create_sampler(&sampler, model, solver, steps);

    if (status == FMATCH_OK)
        status = fmatch_sampler_draw(sampler, seed, 0, POST_SAMPLES, NULL, samples);
    fmatch_sampler_destroy(&sampler);
    return status;
}

/** Euler's samples come last, and stay. */
static fmatch_status measure_distances(fmatch_context *context, const fmatch_model *model,
                                       uint64_t seed, const float *quantiles, float *samples,
                                       struct measures *measures)
{
    fmatch_status status;

    if ((status = draw_samples(model, FMATCH_SOLVER_MIDPOINT, MEASURED_MIDPOINT_STEPS, seed,
                               samples)) != FMATCH_OK ||
        (status = fmatch_metrics_evaluate_wasserstein_1d(
             context, POST_SAMPLES, samples, POST_SAMPLES, quantiles, &measures->w1_midpoint,
             NULL)) != FMATCH_OK)
        return status;
    histogram_fill(&measures->midpoint, -density_reach, density_reach, POST_SAMPLES, samples);
    status = draw_samples(model, FMATCH_SOLVER_EULER, MEASURED_EULER_STEPS, seed, samples);
    if (status != FMATCH_OK)
        return status;
    measure_moments(samples, measures);
    return fmatch_metrics_evaluate_wasserstein_1d(context, POST_SAMPLES, samples, POST_SAMPLES,
                                                  quantiles, &measures->w1, &measures->w2);
}

static fmatch_status measure_samples(fmatch_context *context, const fmatch_model *model,
                                     uint64_t seed, float *samples, struct measures *measures)
{
    float *quantiles = malloc(POST_SAMPLES * sizeof *quantiles);

    if (!quantiles)
        return FMATCH_ERROR_NO_MEMORY;
    post_exact_quantiles(POST_SAMPLES, quantiles);
    fmatch_status status = measure_distances(context, model, seed, quantiles, samples, measures);
    free(quantiles);
    return status;
}

static fmatch_status follow_path(const fmatch_model *model, double path[POST_PATH_TIMES])
{
    fmatch_sampler *sampler;
    float trajectory[POST_PATH_TIMES];

    fmatch_status status = create_sampler(&sampler, model, FMATCH_SOLVER_EULER, POST_PATH_STEPS);
    if (status == FMATCH_OK)
        status =
            fmatch_sampler_integrate_trajectory(sampler, 1, &post_path_start, NULL, trajectory);
    for (int i = 0; status == FMATCH_OK && i < POST_PATH_TIMES; i++)
        path[i] = trajectory[i];
    fmatch_sampler_destroy(&sampler);
    return status;
}

fmatch_status measure(fmatch_context *context, const fmatch_model *model, const fmatch_model *exact,
                      const fmatch_trainer *trainer, uint64_t seed, float *samples,
                      struct measures *measures)
{
    fmatch_status status;

    if ((status = measure_loss(trainer, exact, measures)) != FMATCH_OK ||
        (status = measure_field(model, exact, measures)) != FMATCH_OK ||
        (status = measure_samples(context, model, seed, samples, measures)) != FMATCH_OK ||
        (status = follow_path(model, measures->path)) != FMATCH_OK)
        return status;
    return follow_path(exact, measures->path_exact);
}
