#include "metrics/wasserstein.h"

#include "base/status.h"
#include "context/context.h"
#include "metrics/sample_pair.h"

#include <flowmatch/metrics.h>

#include <math.h>

/* Both quantile functions are constant between their jumps at i/n and j/m; walk over the union of
 * the jumps. Positions are kept as the integers i m and j n, so that equal ones are equal. */
struct quantile_distances wasserstein_of_sorted(int64_t n, const float *x, int64_t m,
                                                const float *y)
{
    struct quantile_distances found = {0.0, 0.0};
    int64_t i = 0, j = 0;
    double at = 0.0;
    while (i < n && j < m) {
        const double off = fabs((double)x[i] - y[j]);
        const double x_jump = (double)(i + 1) / (double)n, y_jump = (double)(j + 1) / (double)m;
        const int64_t x_position = (i + 1) * m, y_position = (j + 1) * n;
        const double next = x_position < y_position ? x_jump : y_jump;
        found.w1 += (next - at) * off;
        found.w2_square += (next - at) * off * off;
        at = next;
        i += x_position <= y_position;
        j += y_position <= x_position;
    }
    return found;
}

fmatch_status fmatch_metrics_evaluate_wasserstein_1d(fmatch_context *context, int64_t n,
                                                     const float *x, int64_t m, const float *y,
                                                     double *w1, double *w2)
{
    status_begin();
    CHECK_NOT_NULL(context);
    const struct sample_pair pair = {.dim = 1, .n = n, .x = x, .m = m, .y = y};
    RETURN_IF_FAILED(sample_pair_check(&pair, METRICS_ROWS_MAX));

    struct sorted_pair sorted;
    RETURN_IF_FAILED(sorted_pair_create_copy(&sorted, &context->allocator, &pair));
    const struct quantile_distances found = wasserstein_of_sorted(n, sorted.x, m, sorted.y);
    sorted_pair_destroy(&sorted, &context->allocator);
    if (w1)
        *w1 = found.w1;
    if (w2)
        *w2 = sqrt(found.w2_square);
    return FMATCH_OK;
}
