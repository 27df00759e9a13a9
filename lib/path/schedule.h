/* Affine probability paths x_t = alpha(t) x1 + sigma(t) x0 and the velocity alpha' x1 + sigma' x0
 * of a pair. */
#ifndef PATH_SCHEDULE_H
#define PATH_SCHEDULE_H

#include <stdint.h>

struct schedule {
    double alpha, sigma;
    double alpha_rate, sigma_rate; /* derivatives with respect to t */
};

/* alpha = t, sigma = 1 - t: Lipman et al. 2023, equation 22 with sigma_min = 0; Liu et al. 2023. */
struct schedule schedule_linear(double t);

/* x_t and the target velocity of n pairs at times t [n]; all arrays [n, dim]. */
void schedule_interpolate(int64_t n, int32_t dim, const float *t, const float *x0, const float *x1,
                          float *x_t, float *velocity);

#endif
