/* The prediction that would be exact if noise and data were independent Gaussians, column by
 * column: a network's output is added to it.
 *
 * With data N(m, s^2), noise N(a, b^2) and x_t = alpha x1 + sigma x0 + noise of the path of
 * variance r, whose covariance with the velocity is k: x_t is N(mu, q), mu = alpha m + sigma a, q =
 * alpha^2 s^2 + sigma^2 b^2 + r, and what is predicted has the conditional mean, by Gaussian
 * regression,
 *
 *   velocity  alpha' m + sigma' a + (alpha alpha' s^2 + sigma sigma' b^2 + k) / q (x - mu)
 *   data      m + alpha s^2 / q (x - mu)
 *   noise     a + sigma b^2 / q (x - mu).
 *
 * Everything is in standardised coordinates. */
#ifndef MODEL_BASELINE_H
#define MODEL_BASELINE_H

#include "path/path.h"

/* Of one column. */
struct baseline_moments {
    float data_mean, data_std, noise_mean, noise_std;
};

struct baseline_column {
    float data_mean, data_variance, noise_mean, noise_variance;
    float least; /* q with which x_t still tells something */
};

struct baseline {
    const struct path *path; /* lent */
    int32_t prediction, dim;
    struct baseline_column *column; /* [dim]; NULL: there is no baseline */
    float *unit;                    /* [dim], of the network's output */
};

/* moments [dim]. A unit is that of what is left to predict: sqrt(s^2 + b^2), s or b; 0 where data
 * is constant and x_t tells the noise, which leaves nothing. */
fmatch_status baseline_create(struct baseline *baseline, const fmatch_allocator *allocator,
                              const struct path *path, int32_t prediction, int32_t dim,
                              const struct baseline_moments *moments);
fmatch_status baseline_copy(struct baseline *copy, const fmatch_allocator *allocator,
                            const struct baseline *baseline);
/* Accepts a zeroed one. */
void baseline_destroy(struct baseline *baseline, const fmatch_allocator *allocator);

/* Takes the baseline at n rows off `rest` [n, dim], and writes what the network sees of x [n, dim],
 * (x - mu) / sqrt(q + 1e-6); `seen` may be x. Any thread may, and it fails only as a user's
 * schedule does. */
fmatch_status baseline_take_off(const struct baseline *baseline, int64_t n, const float *t,
                                const float *x, float *seen, float *rest);

/* The derivatives of what baseline_take_off writes with respect to x, column by column: of what the
 * network sees, and of the rest. */
fmatch_status baseline_slopes(const struct baseline *baseline, int64_t n, const float *t,
                              float *seen, float *rest);

/* Output of the network into the units of the prediction, or a gradient back. */
void baseline_scale(const struct baseline *baseline, int64_t n, float *values);

#endif
