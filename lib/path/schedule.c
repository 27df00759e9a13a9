#include "path/schedule.h"

struct schedule schedule_linear(double t)
{
    return (struct schedule){.alpha = t, .sigma = 1.0 - t, .alpha_rate = 1.0, .sigma_rate = -1.0};
}

void schedule_interpolate(int64_t n, int32_t dim, const float *t, const float *x0, const float *x1,
                          float *x_t, float *velocity)
{
    for (int64_t i = 0; i < n; i++) {
        const struct schedule s = schedule_linear(t[i]);
        const float alpha = (float)s.alpha, sigma = (float)s.sigma;
        const float alpha_rate = (float)s.alpha_rate, sigma_rate = (float)s.sigma_rate;
        for (int64_t j = i * dim; j < (i + 1) * dim; j++) {
            x_t[j] = alpha * x1[j] + sigma * x0[j];
            velocity[j] = alpha_rate * x1[j] + sigma_rate * x0[j];
        }
    }
}
