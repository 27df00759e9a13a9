/* Mixture of Gaussians with diagonal covariance: draw 0 of a row chooses the component, draw 1
 * gives its normals. */
#include "source/mixture_source.h"

#include "base/status.h"
#include "source/normal_source.h"

#include <float.h>
#include <math.h>

enum { COMPONENTS_MAX = 65536, DRAW_BLOCK = 256 };

struct mixture_source {
    fmatch_source source;
    struct mixture mixture;
    double *values; /* all arrays of the mixture, one after the other */
};

int32_t mixture_choose(const struct mixture *m, float uniform)
{
    int32_t low = 0, high = m->components - 1;
    while (low < high) {
        const int32_t middle = (low + high) / 2;
        if (uniform < m->cumulative[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static fmatch_status mixture_draw(const fmatch_source *source, const struct random_stream *stream,
                                  int64_t first_row, int64_t n, const struct source_rows *rows)
{
    float *x = rows->x;
    const struct mixture *m = &((const struct mixture_source *)source)->mixture;
    const int32_t dim = source->dim;

    random_stream_normal(stream, 1, (uint64_t)first_row * (uint64_t)dim, n * dim, x);
    for (int64_t begin = 0; begin < n; begin += DRAW_BLOCK) {
        const int64_t count = n - begin < DRAW_BLOCK ? n - begin : DRAW_BLOCK;
        float uniform[DRAW_BLOCK];
        random_stream_uniform(stream, 0, (uint64_t)(first_row + begin), count, uniform);
        for (int64_t i = 0; i < count; i++) {
            const int32_t k = mixture_choose(m, uniform[i]);
            const double *mean = m->means + (int64_t)k * dim, *std = m->stds + (int64_t)k * dim;
            float *row = x + (begin + i) * dim;
            for (int32_t j = 0; j < dim; j++)
                row[j] = (float)(mean[j] + std[j] * row[j]);
        }
    }
    return FMATCH_OK;
}

static void mixture_moments(const fmatch_source *source, double *mean, double *std)
{
    const struct mixture *m = &((const struct mixture_source *)source)->mixture;
    for (int32_t j = 0; j < m->dim; j++) {
        mean[j] = 0.0;
        for (int32_t k = 0; k < m->components; k++)
            mean[j] += m->weights[k] * m->means[(int64_t)k * m->dim + j];
        double variance = 0.0;
        for (int32_t k = 0; k < m->components; k++) {
            const double off = m->means[(int64_t)k * m->dim + j] - mean[j];
            const double s = m->stds[(int64_t)k * m->dim + j];
            variance += m->weights[k] * (s * s + off * off);
        }
        std[j] = sqrt(variance);
    }
}

static double component_log_density(const struct mixture *m, int32_t k, const float *x)
{
    const double *mean = m->means + (int64_t)k * m->dim, *std = m->stds + (int64_t)k * m->dim;
    double log_density = log(m->weights[k]);
    for (int32_t j = 0; j < m->dim; j++)
        log_density += normal_log_density_at(x[j], mean[j], std[j]);
    return log_density;
}

double mixture_log_density(const struct mixture *m, const float *x)
{
    /* The sum of the components, relative to the largest so far. */
    double largest = -(double)INFINITY, sum = 0.0;
    for (int32_t k = 0; k < m->components; k++) {
        const double log_density = component_log_density(m, k, x);
        if (log_density > largest) {
            sum = sum * exp(largest - log_density) + 1.0;
            largest = log_density;
        } else if (log_density > -(double)INFINITY) {
            sum += exp(log_density - largest);
        }
    }
    return largest + log(sum);
}

static fmatch_status mixture_evaluate(const fmatch_source *source, int64_t n, const float *x,
                                      double *log_density)
{
    const struct mixture *m = &((const struct mixture_source *)source)->mixture;
    for (int64_t i = 0; i < n; i++)
        log_density[i] = mixture_log_density(m, x + i * m->dim);
    return FMATCH_OK;
}

static void mixture_destroy(fmatch_source *source)
{
    allocation_destroy(&source->context->allocator, ((struct mixture_source *)source)->values);
}

static const struct source_kind mixture_kind = {.draw = mixture_draw,
                                                .moments = mixture_moments,
                                                .log_density = mixture_evaluate,
                                                .destroy = mixture_destroy};

const struct mixture *mixture_source_get(const fmatch_source *source)
{
    return source->kind == &mixture_kind ? &((const struct mixture_source *)source)->mixture : NULL;
}

bool mixture_source_is_normal(const fmatch_source *source)
{
    const struct mixture *mixture = mixture_source_get(source);
    return mixture ? mixture->components == 1 : normal_source_is(source);
}

static fmatch_status check_weights(int32_t components, const float *weights, double *sum)
{
    *sum = 0.0;
    for (int32_t k = 0; k < components; k++) {
        if (!isfinite(weights[k]))
            return status_fail(FMATCH_ERROR_NOT_FINITE, "weights[%d] is %s", (int)k,
                               NUMBER(weights[k]));
        if (weights[k] < 0)
            return status_fail(FMATCH_ERROR_ARGUMENT, "weights[%d] is %s; it must be at least 0",
                               (int)k, NUMBER(weights[k]));
        *sum += weights[k];
    }
    if (*sum <= 0)
        return status_fail(FMATCH_ERROR_ARGUMENT, "weights sum to %s; it must be above 0",
                           NUMBER(*sum));
    return FMATCH_OK;
}

static fmatch_status check_parameters(int32_t dim, int32_t components, const float *weights,
                                      const float *means, const float *stds, double *weight_sum)
{
    CHECK_RANGE("dim", dim, 1, DIM_MAX);
    CHECK_RANGE("components", components, 1, COMPONENTS_MAX);
    CHECK_NOT_NULL(weights);
    CHECK_NOT_NULL(means);
    CHECK_NOT_NULL(stds);
    RETURN_IF_FAILED(check_weights(components, weights, weight_sum));
    RETURN_IF_FAILED(status_check_finite("means", 0, components, dim, means));
    RETURN_IF_FAILED(status_check_finite("stds", 0, components, dim, stds));
    for (int64_t i = 0; i < (int64_t)components * dim; i++) {
        const long long k = i / dim, j = i % dim;
        if (stds[i] <= 0)
            return status_fail(FMATCH_ERROR_ARGUMENT, "stds[%lld][%lld] is %s; it must be above 0",
                               k, j, NUMBER(stds[i]));
        if (!normal_source_fits(means[i], stds[i]))
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "means[%lld][%lld] is %s and stds[%lld][%lld] is %s; |mean| + 7 std "
                               "must be at most %s",
                               k, j, NUMBER(means[i]), k, j, NUMBER(stds[i]), NUMBER(FLT_MAX));
    }
    return FMATCH_OK;
}

static fmatch_status hold_parameters(struct mixture_source *s, int32_t components,
                                     const float *weights, const float *means, const float *stds,
                                     double weight_sum)
{
    const int64_t cells = (int64_t)components * s->source.dim;
    const int64_t count = 3 * (int64_t)components + 2 * cells;
    s->values = allocation_create(&s->source.context->allocator, count, sizeof *s->values);
    if (!s->values)
        return status_no_memory((size_t)count * sizeof *s->values);

    double *weight = s->values, *given = weight + components, *cumulative = given + components;
    double *mean = cumulative + components, *std = mean + cells;
    double sum = 0.0;
    for (int32_t k = 0; k < components; k++) {
        given[k] = weights[k];
        weight[k] = weights[k] / weight_sum;
        cumulative[k] = sum += weight[k];
    }
    cumulative[components - 1] = 1.0;
    for (int64_t i = 0; i < cells; i++) {
        mean[i] = means[i];
        std[i] = stds[i];
    }
    s->mixture = (struct mixture){.dim = s->source.dim,
                                  .components = components,
                                  .weights = weight,
                                  .given_weights = given,
                                  .cumulative = cumulative,
                                  .means = mean,
                                  .stds = std};
    return FMATCH_OK;
}

fmatch_status fmatch_source_create_gaussian_mixture(fmatch_source **source, fmatch_context *context,
                                                    int32_t dim, int32_t components,
                                                    const float *weights, const float *means,
                                                    const float *stds)
{
    status_begin();
    CHECK_NOT_NULL(source);
    *source = NULL;
    double weight_sum = 0.0;
    RETURN_IF_FAILED(check_parameters(dim, components, weights, means, stds, &weight_sum));

    fmatch_source *s;
    RETURN_IF_FAILED(source_create(&s, context, sizeof(struct mixture_source), &mixture_kind, dim));
    const fmatch_status status =
        hold_parameters((struct mixture_source *)s, components, weights, means, stds, weight_sum);
    if (status != FMATCH_OK) {
        source_release(s);
        return status;
    }
    *source = s;
    return FMATCH_OK;
}
