#include <flowmatch/metrics.h>

#include "base/status.h"
#include "metrics/sample_pair.h"

#include <math.h>

/* Mean over all pairs of |x_i - y_j|. */
static double mean_distance(int32_t dim, int64_t n, const float *x, int64_t m, const float *y)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double row_sum = 0.0;
        for (int64_t j = 0; j < m; j++) {
            double square = 0.0;
            for (int32_t k = 0; k < dim; k++) {
                const double off = (double)x[i * dim + k] - y[j * dim + k];
                square += off * off;
            }
            row_sum += sqrt(square);
        }
        sum += row_sum / (double)m;
    }
    return sum / (double)n;
}

fmatch_status fmatch_metrics_evaluate_energy_distance(int32_t dim, int64_t n, const float *x,
                                                      int64_t m, const float *y, double *distance)
{
    status_begin();
    CHECK_NOT_NULL(distance);
    const struct sample_pair pair = {.dim = dim, .n = n, .x = x, .m = m, .y = y};
    RETURN_IF_FAILED(sample_pair_check(&pair));

    const double d = 2.0 * mean_distance(dim, n, x, m, y) - mean_distance(dim, n, x, n, x) -
                     mean_distance(dim, m, y, m, y);
    *distance = d > 0.0 ? d : 0.0; /* below zero by rounding alone */
    return FMATCH_OK;
}
