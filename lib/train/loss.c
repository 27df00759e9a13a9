#include "train/loss.h"

/* Sums in double, in eight chains that do not wait for one another. */
double loss_square_sum(int64_t n, const float *v, const float *u)
{
    enum { CHAINS = 8 };
    double sums[CHAINS] = {0};
    int64_t i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int c = 0; c < CHAINS; c++) {
            const double off = (double)v[i + c] - u[i + c];
            sums[c] += off * off;
        }
    for (; i < n; i++)
        sums[i % CHAINS] += ((double)v[i] - u[i]) * ((double)v[i] - u[i]);
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

void loss_mean_square_gradient(int64_t n, int64_t total, const float *v, const float *u, float *dv)
{
    const float scale = (float)(2.0 / (double)total);
    for (int64_t i = 0; i < n; i++)
        dv[i] = scale * (v[i] - u[i]);
}
