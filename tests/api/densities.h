/* Fields whose densities are known: closed forms of mixtures, and linear ones. */
#ifndef FLOWMATCH_TESTS_API_DENSITIES_H
#define FLOWMATCH_TESTS_API_DENSITIES_H

#include "fixtures.h"

static inline double normal_log_density(double x, double mean, double std)
{
    const double z = (x - mean) / std;
    return -0.5 * z * z - log(std) - 0.5 * log(2 * PI);
}

enum { MIXTURE_DIM_MOST = 10 };

struct mixture {
    int32_t dim, components;
    float weights[3], means[3 * MIXTURE_DIM_MOST], stds[3 * MIXTURE_DIM_MOST];
};

static inline void fill_mixture(struct mixture *m, int32_t dim)
{
    *m = (struct mixture){.dim = dim, .components = 3, .weights = {0.5f, 0.2f, 0.3f}};
    fill_scattered(m->means, 3 * (int64_t)dim, -1.5, 1.5, 3);
    fill_scattered(m->stds, 3 * (int64_t)dim, 0.3, 1.2, 4);
}

static inline double mixture_log_density(const struct mixture *m, double t, const float *x)
{
    double each[3], largest = -INFINITY, sum = 0;
    for (int k = 0; k < m->components; k++) {
        each[k] = log(m->weights[k]);
        for (int32_t j = 0; j < m->dim; j++)
            each[k] += normal_log_density(x[j], t * m->means[k * m->dim + j],
                                          hypot(1 - t, t * m->stds[k * m->dim + j]));
        largest = fmax(largest, each[k]);
    }
    for (int k = 0; k < m->components; k++)
        sum += exp(each[k] - largest);
    return largest + log(sum);
}

static inline fmatch_model *make_mixture_field(fmatch_context *context, const struct mixture *m)
{
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context, m->dim, m->components,
                                                    m->weights, m->means, m->stds));
    fmatch_model *model = make_closed_form(context, target);
    fmatch_source_destroy(&target);
    return model;
}

enum { SIDE = 10 };

static inline double matrix(int i, int j)
{
    return 0.3 * cos(1.0 + 3.7 * i + 1.3 * j * j);
}

/* v = t A x + c, whose divergence has the integral t^2 / 2 tr A whatever the path. */
static inline int32_t linear_field(void *user, int64_t n, const float *x, const float *t,
                                   const float *condition, float *v)
{
    (void)user;
    double a[SIDE][SIDE];
    for (int k = 0; k < SIDE * SIDE; k++)
        a[k / SIDE][k % SIDE] = matrix(k / SIDE, k % SIDE);
    for (int64_t r = 0; r < n; r++)
        for (int i = 0; i < SIDE; i++) {
            double sum = condition ? condition[r] : 0;
            for (int j = 0; j < SIDE; j++)
                sum += t[r] * a[i][j] * x[r * SIDE + j];
            v[r * SIDE + i] = (float)sum;
        }
    return 0;
}

static inline int32_t linear_derivative(void *user, int64_t n, const float *x, const float *t,
                                        const float *condition, const float *u, float *v, float *ju)
{
    return linear_field(user, n, x, t, condition, v) | linear_field(user, n, u, t, NULL, ju);
}

static inline fmatch_model *make_linear(fmatch_context *context, bool jacobian,
                                        const fmatch_source *noise)
{
    const fmatch_velocity_callbacks c = {.struct_size = sizeof c,
                                         .evaluate = linear_field,
                                         .condition_dim = 1,
                                         .null_condition = FMATCH_NULL_CONDITION_ACCEPTED,
                                         .jacobian_vector = jacobian ? linear_derivative : NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, SIDE, &c, noise));
    return model;
}

/* The base at x0, which the call itself gives, and what the divergence takes off. */
static inline double linear_log_density(const float *x0, double t)
{
    double sum = 0;
    for (int j = 0; j < SIDE; j++)
        sum += normal_log_density(x0[j], 0, 1) - t * t / 2 * matrix(j, j);
    return sum;
}

/* v = c x, and x / 2 under the null condition. */
static inline int32_t growth(void *user, int64_t n, const float *x, const float *t,
                             const float *condition, float *v)
{
    (void)user, (void)t;
    for (int64_t i = 0; i < n; i++)
        v[i] = (condition && !isnan(condition[i]) ? condition[i] : 0.5f) * x[i];
    return 0;
}

static inline int32_t growth_derivative(void *user, int64_t n, const float *x, const float *t,
                                        const float *condition, const float *u, float *v, float *ju)
{
    return growth(user, n, x, t, condition, v) | growth(user, n, u, t, condition, ju);
}

/* Of one column. */
static inline fmatch_model *make_growth(fmatch_context *context)
{
    const fmatch_velocity_callbacks c = {.struct_size = sizeof c,
                                         .evaluate = growth,
                                         .condition_dim = 1,
                                         .null_condition = FMATCH_NULL_CONDITION_ACCEPTED,
                                         .jacobian_vector = growth_derivative};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, 1, &c, NULL));
    return model;
}

#endif
