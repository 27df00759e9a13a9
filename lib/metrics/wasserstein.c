#include <flowmatch/metrics.h>

#include "base/status.h"
#include "compute/sorting.h"
#include "context/context.h"

#include <math.h>

#define ROWS_MAX ((int64_t)1 << 31) /* so that the product of two is below 2^63 */

/* Both quantile functions are constant between their jumps at i/n and j/m; walk over the union of
 * the jumps. Positions are kept as the integers i m and j n, so that equal ones are equal. */
static void integrate_quantiles(int64_t n, const float *x, int64_t m, const float *y, double *w1,
                                double *w2_square)
{
    int64_t i = 0, j = 0;
    double at = 0.0;
    *w1 = *w2_square = 0.0;
    while (i < n && j < m) {
        const double off = fabs((double)x[i] - y[j]);
        const double x_jump = (double)(i + 1) / (double)n, y_jump = (double)(j + 1) / (double)m;
        const int64_t x_position = (i + 1) * m, y_position = (j + 1) * n;
        const double next = x_position < y_position ? x_jump : y_jump;
        *w1 += (next - at) * off;
        *w2_square += (next - at) * off * off;
        at = next;
        i += x_position <= y_position;
        j += y_position <= x_position;
    }
}

fmatch_status fmatch_metrics_evaluate_wasserstein_1d(fmatch_context *context, int64_t n,
                                                     const float *x, int64_t m, const float *y,
                                                     double *w1, double *w2)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("n", n, 1, ROWS_MAX);
    CHECK_RANGE("m", m, 1, ROWS_MAX);
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(y);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, 1, x));
    RETURN_IF_FAILED(status_check_finite("y", 0, m, 1, y));

    const fmatch_allocator *allocator = &context->allocator;
    float *sorted_x = allocation_create_copy(allocator, n, sizeof *x, x);
    float *sorted_y = allocation_create_copy(allocator, m, sizeof *y, y);
    fmatch_status status = FMATCH_OK;
    float *scratch = allocation_create(allocator, n > m ? n : m, sizeof *scratch);
    if (!sorted_x || !sorted_y || !scratch) {
        status = status_no_memory((size_t)(n + m + (n > m ? n : m)) * sizeof *x);
    } else {
        sorting_ascending(n, sorted_x, scratch);
        sorting_ascending(m, sorted_y, scratch);
        double distance, square;
        integrate_quantiles(n, sorted_x, m, sorted_y, &distance, &square);
        if (w1)
            *w1 = distance;
        if (w2)
            *w2 = sqrt(square);
    }
    allocation_destroy(allocator, scratch);
    allocation_destroy(allocator, sorted_y);
    allocation_destroy(allocator, sorted_x);
    return status;
}
