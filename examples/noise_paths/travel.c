#include "travel.h"
#include "../visual_introduction/post.h"

#include <math.h>

/* Other draws than the training's, which has the seed itself. */
enum { SEED_STARTS = 1, SEED_WANTED = 2, SEED_WAY = 3 };

static fmatch_status measure_w1(const struct journey *journey, const float *rows, double *w1)
{
    return fmatch_metrics_evaluate_wasserstein_1d(journey->context, journey->n, rows, journey->n,
                                                  journey->quantiles, w1, NULL);
}

static fmatch_status measure_floor(struct journey *journey, uint64_t seed)
{
    static float rows[MOST_TRAVELLERS];
    fmatch_status status =
        fmatch_source_draw(journey->target, seed + SEED_WANTED, 0, journey->n, rows);

    return status == FMATCH_OK ? measure_w1(journey, rows, &journey->floor) : status;
}

fmatch_status journey_create(struct journey *j, int64_t n, uint64_t seed)
{
    fmatch_status status;

    j->n = n;
    post_exact_quantiles(n, j->quantiles);
    if ((status = fmatch_context_create(&j->context, NULL)) != FMATCH_OK ||
        (status = fmatch_source_create_normal(&j->noise, j->context, 1)) != FMATCH_OK ||
        (status = fmatch_source_create_gaussian_mixture(&j->target, j->context, 1, POST_COMPONENTS,
                                                        post_weights, post_means, post_stds)) !=
            FMATCH_OK ||
        (status = fmatch_model_create_closed_form(&j->exact, j->context, j->target)) != FMATCH_OK ||
        (status = fmatch_source_draw(j->noise, seed + SEED_STARTS, 0, n, j->starts)) != FMATCH_OK)
        return status;
    return measure_floor(j, seed);
}

void journey_destroy(struct journey *journey)
{
    fmatch_model_destroy(&journey->exact);
    fmatch_source_destroy(&journey->target);
    fmatch_source_destroy(&journey->noise);
    fmatch_context_destroy(&journey->context);
}

/** Noise into both stages of a step: weak order 2; and without noise a method of order 2. */
static fmatch_status create_sampler(fmatch_sampler **sampler, const fmatch_model *model, double eta)
{
    fmatch_stochastic_config noise;
    fmatch_sampler_config config;

    fmatch_stochastic_config_init(&noise);
    noise.eta = eta;
    fmatch_sampler_config_init(&config);
    config.solver = FMATCH_SOLVER_HEUN;
    config.steps = TRAVEL_STEPS;
    config.stochastic = &noise;
    return fmatch_sampler_create(sampler, model, &config);
}

static double correlation_of(int64_t n, const float *a, const float *b)
{
    double sum[2] = {0}, squares[2] = {0}, product = 0;

    for (int64_t i = 0; i < n; i++) {
        sum[0] += a[i], sum[1] += b[i];
        squares[0] += a[i] * a[i], squares[1] += b[i] * b[i];
        product += a[i] * b[i];
    }
    return (product - sum[0] * sum[1] / (double)n) /
           sqrt((squares[0] - sum[0] * sum[0] / (double)n) *
                (squares[1] - sum[1] * sum[1] / (double)n));
}

static fmatch_status run_exact(struct travel *travel, const struct journey *journey, uint64_t seed)
{
    fmatch_sampler *sampler = NULL;
    fmatch_status status;

    if ((status = create_sampler(&sampler, journey->exact, travel->eta)) == FMATCH_OK &&
        (status = fmatch_sampler_integrate_trajectory(sampler, SHOWN_PATHS, journey->starts, NULL,
                                                      travel->paths)) == FMATCH_OK &&
        (status = fmatch_sampler_integrate_stochastic(sampler, seed + SEED_WAY, 0, journey->n,
                                                      journey->starts, NULL, travel->ends)) ==
            FMATCH_OK)
        status = measure_w1(journey, travel->ends, &travel->exact_w1);
    travel->correlation = correlation_of(journey->n, journey->starts, travel->ends);
    fmatch_sampler_destroy(&sampler);
    return status;
}

static fmatch_status run_learned(struct travel *travel, const struct journey *journey,
                                 const fmatch_model *learned, uint64_t seed)
{
    static float ends[MOST_TRAVELLERS];
    fmatch_sampler *sampler = NULL;
    fmatch_status status;

    if ((status = create_sampler(&sampler, learned, travel->eta)) == FMATCH_OK &&
        (status = fmatch_sampler_integrate_stochastic(sampler, seed + SEED_WAY, 0, journey->n,
                                                      journey->starts, NULL, ends)) == FMATCH_OK)
        status = measure_w1(journey, ends, &travel->learned_w1);
    fmatch_sampler_destroy(&sampler);
    return status;
}

fmatch_status travel_run(struct travel *travel, const struct journey *journey,
                         const fmatch_model *learned, uint64_t seed)
{
    fmatch_status status = run_exact(travel, journey, seed);

    return status == FMATCH_OK ? run_learned(travel, journey, learned, seed) : status;
}
