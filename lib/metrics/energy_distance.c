#include "base/status.h"
#include "metrics/pair_sums.h"

#include <flowmatch/metrics.h>

static double sum_distances(const struct pair_kernels *kernels, const void *settings, int64_t n,
                            const double *squares)
{
    (void)settings;
    return kernels->sum_roots(n, squares);
}

/* Mean over all pairs of |x_i - y_j|. */
static double mean_distance(int32_t dim, int64_t n, const float *x, int64_t m, const float *y)
{
    const struct pair_sums sums = {
        .instructions = instruction_set_get(FMATCH_INSTRUCTION_SET_AUTO),
        .pair = {.dim = dim, .n = n, .x = x, .m = m, .y = y},
        .sum = sum_distances,
    };
    return pair_sums_total(&sums) / ((double)n * (double)m);
}

fmatch_status fmatch_metrics_evaluate_energy_distance(int32_t dim, int64_t n, const float *x,
                                                      int64_t m, const float *y, double *distance)
{
    status_begin();
    CHECK_NOT_NULL(distance);
    const struct sample_pair pair = {.dim = dim, .n = n, .x = x, .m = m, .y = y};
    RETURN_IF_FAILED(sample_pair_check(&pair, METRICS_ROWS_MAX));

    const double d = 2.0 * mean_distance(dim, n, x, m, y) - mean_distance(dim, n, x, n, x) -
                     mean_distance(dim, m, y, m, y);
    *distance = d > 0.0 ? d : 0.0; /* below zero by rounding alone */
    return FMATCH_OK;
}
