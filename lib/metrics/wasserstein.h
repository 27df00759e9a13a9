/* Wasserstein distances of sorted numbers. */
#ifndef METRICS_WASSERSTEIN_H
#define METRICS_WASSERSTEIN_H

#include <stdint.h>

struct quantile_distances {
    double w1;
    double w2_square;
};

/* Of x [n] and y [m], ascending; n and m are at most METRICS_ROWS_MAX. */
struct quantile_distances wasserstein_of_sorted(int64_t n, const float *x, int64_t m,
                                                const float *y);

#endif
