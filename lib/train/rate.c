#include "train/rate.h"

#include "base/configuration.h"
#include "base/status.h"

#include <math.h>
#include <stddef.h>

static const double PI = 3.14159265358979323846;

/* ---- factors after the warm-up: a step of it, and the share p of all its steps ---- */

static double constant(const fmatch_rate_config *c, int64_t step, double p)
{
    (void)c, (void)step, (void)p;
    return 1.0;
}

static double cosine(const fmatch_rate_config *c, int64_t step, double p)
{
    (void)step;
    return c->end + (1.0 - c->end) * 0.5 * (1.0 + cos(PI * p));
}

static double polynomial(const fmatch_rate_config *c, int64_t step, double p)
{
    (void)step;
    return c->end + (1.0 - c->end) * pow(1.0 - p, c->exponent);
}

static double by_steps(const fmatch_rate_config *c, int64_t step, double p)
{
    (void)p;
    return pow(c->decay, (double)(step / c->every));
}

static double (*const factors[])(const fmatch_rate_config *c, int64_t step, double p) = {
    [FMATCH_RATE_CONSTANT] = constant,     [FMATCH_RATE_COSINE] = cosine,
    [FMATCH_RATE_POLYNOMIAL] = polynomial, [FMATCH_RATE_STEP] = by_steps,
    [FMATCH_RATE_CALLBACK] = constant,
};

/* ---- the configuration ---- */

enum { WARMUP_OF_THE_LENGTH = -1, WARMUPS_IN_A_LENGTH = 100 };

const fmatch_rate_config rate_recommended = {.struct_size = sizeof rate_recommended,
                                             .kind = FMATCH_RATE_COSINE,
                                             .warmup = WARMUP_OF_THE_LENGTH};

void fmatch_rate_config_init_sized(fmatch_rate_config *config, size_t size)
{
    configuration_write(config, size, &rate_recommended, sizeof rate_recommended);
}

static const struct configuration_setting settings[] = {
    {"rate->exponent",
     offsetof(fmatch_rate_config, exponent),
     FMATCH_RATE_POLYNOMIAL,
     {.lowest = 1e-3, .highest = 1e3},
     1.0},
    {"rate->decay",
     offsetof(fmatch_rate_config, decay),
     FMATCH_RATE_STEP,
     {.lowest = 0.0, .highest = 1.0},
     0.1},
};

static fmatch_status check_callbacks(const fmatch_rate_config *c)
{
    if ((c->kind == FMATCH_RATE_CALLBACK) != (c->callbacks != NULL))
        return status_fail(FMATCH_ERROR_ARGUMENT, "rate->callbacks is %s",
                           c->callbacks ? "not NULL; it is for FMATCH_RATE_CALLBACK"
                                        : "NULL; FMATCH_RATE_CALLBACK needs it");
    if (!c->callbacks)
        return FMATCH_OK;
    RETURN_IF_FAILED(configuration_check_flags("rate->callbacks->flags", c->callbacks->flags));
    if (!c->callbacks->evaluate)
        return status_fail(FMATCH_ERROR_ARGUMENT, "rate->callbacks->evaluate is NULL");
    return FMATCH_OK;
}

/* `end` is of two kinds. */
static fmatch_status check_config(fmatch_rate_config *c, int64_t steps)
{
    const bool ends = c->kind == FMATCH_RATE_COSINE || c->kind == FMATCH_RATE_POLYNOMIAL;
    const struct interval end = {.lowest = 0.0, .highest = ends ? 1.0 : 0.0};
    CHECK_RANGE("rate->kind", c->kind, FMATCH_RATE_CONSTANT, FMATCH_RATE_CALLBACK);
    CHECK_RANGE("rate->steps", c->steps, 0, INT64_MAX);
    if (c->steps == 0)
        c->steps = steps;
    CHECK_RANGE("rate->warmup", c->warmup, WARMUP_OF_THE_LENGTH, c->steps);
    if (c->warmup == WARMUP_OF_THE_LENGTH)
        c->warmup = c->steps / WARMUPS_IN_A_LENGTH;
    RETURN_IF_FAILED(configuration_check_double("rate->end", c->end, end));
    RETURN_IF_FAILED(configuration_check_settings(c, c->kind, settings,
                                                  (int32_t)(sizeof settings / sizeof settings[0])));
    if (c->kind == FMATCH_RATE_STEP)
        CHECK_RANGE("rate->every", c->every, 1, INT64_MAX);
    else
        CHECK_RANGE("rate->every", c->every, 0, 0);
    return check_callbacks(c);
}

static fmatch_status create(struct rate *rate, const fmatch_rate_config *config, int64_t steps)
{
    fmatch_rate_config *c = &rate->config;
    *c = (fmatch_rate_config){.steps = steps};
    if (!config)
        return FMATCH_OK;
    RETURN_IF_FAILED(configuration_read(c, sizeof *c, sizeof *c, config, "rate"));
    if (c->callbacks) {
        RETURN_IF_FAILED(configuration_read(&rate->callbacks, sizeof rate->callbacks,
                                            sizeof rate->callbacks, c->callbacks,
                                            "rate->callbacks"));
    }
    const fmatch_status status = check_config(c, steps);
    c->callbacks = NULL; /* the caller's; ours is the copy */
    return status;
}

fmatch_status rate_create(struct rate *rate, const fmatch_rate_config *config, int64_t steps)
{
    *rate = (struct rate){0};
    const fmatch_status status = create(rate, config, steps);
    if (status != FMATCH_OK)
        rate_destroy(rate);
    return status;
}

void rate_give_up(const fmatch_rate_config *config)
{
    struct rate given = {0};
    struct status_kept told;
    status_keep(&told);
    (void)create(&given, config, INT64_MAX);
    rate_destroy(&given);
    status_restore(&told);
}

void rate_destroy(struct rate *rate)
{
    status_keep_and_destroy(rate->callbacks.destroy, rate->callbacks.user);
    *rate = (struct rate){0};
}

/* ---- factors ---- */

int64_t rate_end(const struct rate *rate)
{
    const fmatch_rate_config *c = &rate->config;
    const bool ends = c->kind == FMATCH_RATE_COSINE || c->kind == FMATCH_RATE_POLYNOMIAL;
    return ends && c->end == 0.0 ? c->steps : INT64_MAX;
}

static fmatch_status factor_of_user(const fmatch_rate_callbacks *c, int64_t step, double *factor)
{
    *factor = NAN; /* what is not written shall be noticed */
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = c->evaluate(c->user, step, factor);
    status_restore(&kept);
    RETURN_IF_FAILED(status_of_callback("evaluate", code));
    if (*factor >= 0 && isfinite(*factor))
        return FMATCH_OK;
    return status_fail(FMATCH_ERROR_NOT_FINITE,
                       "the factor of the learning rate is %s at step %lld; it must be at least 0",
                       NUMBER(*factor), (long long)step);
}

fmatch_status rate_evaluate(const struct rate *rate, int64_t step, double *factor)
{
    const fmatch_rate_config *c = &rate->config;
    const int64_t length = c->steps - c->warmup, at = step < c->steps ? step : c->steps;
    const int64_t after = at > c->warmup ? at - c->warmup : 0;
    /* A schedule that is all warm-up is at its end at once. */
    const double p = at >= c->steps ? 1.0 : length > 0 ? (double)after / (double)length : 0.0;
    *factor = factors[c->kind](c, after, p);
    if (c->kind == FMATCH_RATE_CALLBACK)
        RETURN_IF_FAILED(factor_of_user(&rate->callbacks, step, factor));
    if (step < c->warmup)
        *factor *= (double)(step + 1) / (double)c->warmup;
    return FMATCH_OK;
}

fmatch_status fmatch_rate_evaluate(const fmatch_rate_config *config, int64_t steps, int64_t first,
                                   int64_t n, double *factor)
{
    status_begin();
    CHECK_RANGE("steps", steps, 1, INT64_MAX);
    CHECK_RANGE("n", n, 0, INT64_MAX);
    CHECK_RANGE("first", first, 0, INT64_MAX - n);
    struct rate rate = {0};
    RETURN_IF_FAILED(create(&rate, config, steps));
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(factor);
    for (int64_t i = 0; i < n; i++)
        RETURN_IF_FAILED(rate_evaluate(&rate, first + i, &factor[i]));
    return FMATCH_OK;
}
