#include "model/baseline.h"

#include "base/allocation.h"
#include "base/status.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { AT_ONCE = PATH_TIMES_AT_ONCE };

/* ---- moments ---- */

/* Where q is not above this, x_t tells nothing any more: a constant side's has no noise left. It is
 * below the square of any float's distance from 1. */
static double least_variance(double data, double noise)
{
    const double other = data == 0.0 ? noise : noise == 0.0 ? data : 0.0;
    return fmax(1e-15 * other, FLT_MIN);
}

static double unit_of(const struct baseline *b, const struct baseline_moments *m)
{
    const double s = m->data_std, n = m->noise_std;
    if (s == 0.0 && !path_is_noisy(b->path))
        return 0.0;
    return b->prediction == FMATCH_PREDICTION_DATA    ? s
           : b->prediction == FMATCH_PREDICTION_NOISE ? n
                                                      : sqrt(s * s + n * n);
}

static fmatch_status allocate(struct baseline *b, const fmatch_allocator *allocator)
{
    b->column = allocation_create(allocator, b->dim, sizeof *b->column);
    b->unit = allocation_create(allocator, b->dim, sizeof *b->unit);
    if (b->column && b->unit)
        return FMATCH_OK;
    const int32_t dim = b->dim;
    baseline_destroy(b, allocator);
    return status_no_memory((size_t)dim * (sizeof *b->column + sizeof *b->unit));
}

fmatch_status baseline_create(struct baseline *b, const fmatch_allocator *allocator,
                              const struct path *path, int32_t prediction, int32_t dim,
                              const struct baseline_moments *moments)
{
    *b = (struct baseline){.path = path, .prediction = prediction, .dim = dim};
    RETURN_IF_FAILED(allocate(b, allocator));
    for (int32_t j = 0; j < dim; j++) {
        const struct baseline_moments *m = &moments[j];
        const double data = (double)m->data_std * m->data_std;
        const double noise = (double)m->noise_std * m->noise_std;
        b->column[j] = (struct baseline_column){.data_mean = m->data_mean,
                                                .data_variance = (float)data,
                                                .noise_mean = m->noise_mean,
                                                .noise_variance = (float)noise,
                                                .least = (float)least_variance(data, noise)};
        b->unit[j] = (float)unit_of(b, m);
    }
    return FMATCH_OK;
}

fmatch_status baseline_copy(struct baseline *copy, const fmatch_allocator *allocator,
                            const struct baseline *b)
{
    *copy = (struct baseline){.path = b->path, .prediction = b->prediction, .dim = b->dim};
    RETURN_IF_FAILED(allocate(copy, allocator));
    memcpy(copy->column, b->column, (size_t)b->dim * sizeof *b->column);
    memcpy(copy->unit, b->unit, (size_t)b->dim * sizeof *b->unit);
    return FMATCH_OK;
}

void baseline_destroy(struct baseline *baseline, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, baseline->unit);
    allocation_destroy(allocator, baseline->column);
    *baseline = (struct baseline){0};
}

/* ---- rows ---- */

/* Of a column at some times. */
struct coefficients {
    float mean[AT_ONCE], scale[AT_ONCE]; /* mu, 1 / sqrt(q + 1e-6) */
    float offset[AT_ONCE], gain[AT_ONCE];
};

/* A prediction's covariance with x_t is the sum of two factors times the variances, and `own`; its
 * mean that of two others times the means. */
struct weights {
    const float *data_mean, *noise_mean, *data, *noise, *own;
};

static const float zeros[AT_ONCE], ones[AT_ONCE] = {
#define EIGHT 1, 1, 1, 1, 1, 1, 1, 1
                                       EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT};

static struct weights weights_of(int32_t prediction, const struct path_schedules *s)
{
    if (prediction == FMATCH_PREDICTION_DATA)
        return (struct weights){ones, zeros, s->alpha, zeros, zeros};
    if (prediction == FMATCH_PREDICTION_NOISE)
        return (struct weights){zeros, ones, zeros, s->sigma, zeros};
    return (struct weights){s->alpha_rate, s->sigma_rate, s->alpha_product, s->sigma_product,
                            s->covariance};
}

static void compute_coefficients(const struct baseline_column *column, int32_t n,
                                 const struct path_schedules *s, const struct weights *w,
                                 struct coefficients *restrict to)
{
    const struct baseline_column c = *column;
    const float *restrict data_mean = w->data_mean, *restrict noise_mean = w->noise_mean;
    const float *restrict data = w->data, *restrict noise = w->noise, *restrict own = w->own;
    for (int32_t i = 0; i < n; i++) {
        const float alpha = s->alpha[i], sigma = s->sigma[i];
        const float q =
            alpha * alpha * c.data_variance + sigma * sigma * c.noise_variance + s->variance[i];
        const float covariance = data[i] * c.data_variance + noise[i] * c.noise_variance + own[i];
        to->mean[i] = alpha * c.data_mean + sigma * c.noise_mean;
        to->scale[i] = 1.0f / sqrtf(q + 1e-6f);
        to->offset[i] = data_mean[i] * c.data_mean + noise_mean[i] * c.noise_mean;
        to->gain[i] = (q > c.least ? covariance : 0.0f) / (q > c.least ? q : 1.0f);
    }
}

/* Columns from `first` on that have the same moments. */
static int32_t equal_columns(const struct baseline *b, int32_t first)
{
    int32_t next = first + 1;
    while (next < b->dim && memcmp(&b->column[next], &b->column[first], sizeof *b->column) == 0)
        next++;
    return next - first;
}

/* A block of columns in rows of `dim`. */
static void take_off_columns(const struct coefficients *restrict c, int32_t n, int32_t dim,
                             int32_t columns, const float *x, float *seen, float *restrict rest)
{
    if (dim == 1) {
        for (int32_t i = 0; i < n; i++) {
            const float off = x[i] - c->mean[i];
            seen[i] = off * c->scale[i];
            rest[i] -= c->offset[i] + c->gain[i] * off;
        }
        return;
    }
    for (int32_t i = 0; i < n; i++)
        for (int64_t k = (int64_t)i * dim; k < (int64_t)i * dim + columns; k++) {
            const float off = x[k] - c->mean[i];
            seen[k] = off * c->scale[i];
            rest[k] -= c->offset[i] + c->gain[i] * off;
        }
}

static bool all_equal(int32_t n, const float *t)
{
    int32_t i = 1;
    while (i < n && t[i] == t[0])
        i++;
    return i >= n;
}

static void spread(int32_t n, struct coefficients *c)
{
    for (int32_t i = 1; i < n; i++) {
        c->mean[i] = c->mean[0];
        c->scale[i] = c->scale[0];
        c->offset[i] = c->offset[0];
        c->gain[i] = c->gain[0];
    }
}

/* With `slope`, without what does not depend on x. */
static fmatch_status take_off(const struct baseline *b, int64_t n, const float *t, const float *x,
                              bool slope, float *seen, float *rest)
{
    const int32_t dim = b->dim;
    for (int64_t first = 0; first < n; first += AT_ONCE) {
        const int32_t rows = n - first < AT_ONCE ? (int32_t)(n - first) : AT_ONCE;
        const bool one = all_equal(rows, t + first); /* as a sampler's rows have */
        struct path_schedules s;
        struct coefficients c;
        RETURN_IF_FAILED(path_schedules_at(b->path, one ? 1 : rows, t + first, &s));
        const struct weights w = weights_of(b->prediction, &s);
        for (int32_t j = 0, columns; j < dim; j += columns) {
            const int64_t offset = first * dim + j;
            columns = equal_columns(b, j);
            compute_coefficients(&b->column[j], one ? 1 : rows, &s, &w, &c);
            if (one)
                spread(rows, &c);
            if (slope)
                memset(c.mean, 0, sizeof c.mean), memset(c.offset, 0, sizeof c.offset);
            take_off_columns(&c, rows, dim, columns, x + offset, seen + offset, rest + offset);
        }
    }
    return FMATCH_OK;
}

fmatch_status baseline_take_off(const struct baseline *b, int64_t n, const float *t, const float *x,
                                float *seen, float *rest)
{
    return take_off(b, n, t, x, false, seen, rest);
}

fmatch_status baseline_slopes(const struct baseline *b, int64_t n, const float *t, float *seen,
                              float *rest)
{
    for (int64_t i = 0; i < n * b->dim; i++) {
        seen[i] = 1.0f;
        rest[i] = 0.0f;
    }
    return take_off(b, n, t, seen, true, seen, rest);
}

void baseline_scale(const struct baseline *b, int64_t n, float *values)
{
    const int32_t dim = b->dim;
    if (dim == 1) {
        const float unit = b->unit[0];
        for (int64_t i = 0; i < n; i++)
            values[i] *= unit;
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < dim; j++)
            values[i * dim + j] *= b->unit[j];
}
