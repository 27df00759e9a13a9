/* The score of a path from its velocity. */
#include <flowmatch/divergence.h>

#include "base/configuration.h"
#include "base/status.h"
#include "model/mlp_model.h"
#include "source/mixture_source.h"

static fmatch_status check_model(const fmatch_model *model)
{
    if (!mixture_source_is_normal(model->noise))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the model's noise is not normal; its score does not follow from v");
    if (model->path && path_is_noisy(model->path))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the path has noise of its own; its score does not follow from v");
    return FMATCH_OK;
}

static fmatch_status check_times(int64_t n, const float *t)
{
    CHECK_NOT_NULL(t);
    for (int64_t i = 0; i < n; i++)
        if (!(t[i] >= 0 && t[i] < 1))
            return status_fail(FMATCH_ERROR_ARGUMENT, "t[%lld] is %s; it must be in [0, 1)",
                               (long long)i, NUMBER(t[i]));
    return FMATCH_OK;
}

/* A model without a path of its own is on the linear one. */
static fmatch_status schedule_at(const fmatch_model *model, float t, struct schedule *to)
{
    if (!model->path) {
        *to = schedule_linear(t);
        return FMATCH_OK;
    }
    struct path_schedules s;
    RETURN_IF_FAILED(path_schedules_at(model->path, 1, &t, &s));
    *to = (struct schedule){s.alpha[0], s.sigma[0], s.alpha_rate[0], s.sigma_rate[0]};
    return FMATCH_OK;
}

/* The path is affine in standardised coordinates, (x - m) / s, which leaves in the noise that it
 * means, m + (alpha' (x - m) - alpha v) / (alpha' sigma - sigma' alpha), of the scales only m.
 * Where the divisor vanishes, as in path.c, x has nothing of the data but their mean. */
static fmatch_status turn_row(const fmatch_model *model, const float *mean, const double *noise,
                              const float *x, float t, float *v)
{
    const double *noise_std = noise + model->dim;
    struct schedule s;
    RETURN_IF_FAILED(schedule_at(model, t, &s));
    const double determinant = schedule_determinant(&s);
    const bool regular = schedule_is_regular(determinant);
    const double of_x = regular ? s.alpha_rate / determinant : 1.0 / s.sigma;
    const double of_v = regular ? s.alpha / determinant : 0.0;
    for (int32_t j = 0; j < model->dim; j++) {
        const double m = mean ? mean[j] : 0.0;
        const double x0 = m + of_x * (x[j] - m) - of_v * v[j];
        v[j] = (float)((noise[j] - x0) / (s.sigma * noise_std[j] * noise_std[j]));
    }
    return FMATCH_OK;
}

static fmatch_status turn_rows(const fmatch_model *model, int64_t n, const float *x, const float *t,
                               float *v)
{
    const fmatch_allocator *allocator = &model->context->allocator;
    const int32_t dim = model->dim;
    const float *mean = mlp_model_units_of(model).mean;
    double *noise = allocation_create(allocator, 2 * (int64_t)dim, sizeof *noise);
    if (!noise)
        return status_no_memory(2 * (size_t)dim * sizeof *noise);
    model->noise->kind->moments(model->noise, noise, noise + dim);
    fmatch_status status = FMATCH_OK;
    for (int64_t i = 0; i < n && status == FMATCH_OK; i++)
        status = turn_row(model, mean, noise, x + i * dim, t[i], v + i * dim);
    allocation_destroy(allocator, noise);
    return status == FMATCH_OK ? status_check_finite("score", 0, n, dim, v) : status;
}

fmatch_status fmatch_model_evaluate_score(const fmatch_model *model, int64_t n, const float *x,
                                          const float *t, const float *condition, float *score)
{
    status_begin();
    CHECK_NOT_NULL(model);
    RETURN_IF_FAILED(check_model(model));
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / model->dim);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(score);
    RETURN_IF_FAILED(check_times(n, t));
    RETURN_IF_FAILED(fmatch_model_evaluate(model, n, x, t, condition, score));
    return turn_rows(model, n, x, t, score);
}
