#include "base/status.h"
#include "context/context.h"
#include "metrics/sample_pair.h"

#include <flowmatch/metrics.h>

#include <math.h>

/* ---- two samples ---- */

/* The largest |i/n - j/m| between values, as the integer |i m - j n|. */
static int64_t largest_step_difference(const struct sorted_pair *sorted, int64_t n, int64_t m)
{
    int64_t i = 0, j = 0, largest = 0;
    while (i < n && j < m) {
        const float at = sorted->x[i] < sorted->y[j] ? sorted->x[i] : sorted->y[j];
        while (i < n && sorted->x[i] <= at)
            i++;
        while (j < m && sorted->y[j] <= at)
            j++;
        const int64_t off = i * m > j * n ? i * m - j * n : j * n - i * m;
        largest = off > largest ? off : largest;
    }
    return largest;
}

fmatch_status fmatch_metrics_evaluate_kolmogorov_smirnov(fmatch_context *context, int64_t n,
                                                         const float *x, int64_t m, const float *y,
                                                         double *statistic)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_NOT_NULL(statistic);
    const struct sample_pair pair = {.dim = 1, .n = n, .x = x, .m = m, .y = y};
    RETURN_IF_FAILED(sample_pair_check(&pair, METRICS_ROWS_MAX));

    struct sorted_pair sorted;
    RETURN_IF_FAILED(sorted_pair_create_copy(&sorted, &context->allocator, &pair));
    *statistic = (double)largest_step_difference(&sorted, n, m) / ((double)n * (double)m);
    sorted_pair_destroy(&sorted, &context->allocator);
    return FMATCH_OK;
}

/* ---- one sample and a distribution function ----
 *
 * Without sorting: among the values in a cell [c/n, (c+1)/n) the largest one has the greatest
 * i/n - u_i and the least one the greatest u_i - (i-1)/n, as ranks in a cell differ by more than
 * values do. Gonzalez, Sahni and Franta, "An Efficient Algorithm for the Kolmogorov-Smirnov and
 * Lilliefors Tests", ACM TOMS 3, 1977. */

struct cell {
    int64_t count;
    double least;
    double largest;
};

static void fill_cells(int64_t n, const double *u, struct cell *cells)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t place = (int64_t)(u[i] * (double)n);
        struct cell *cell = cells + (place < n ? place : n - 1);
        cell->least = cell->count == 0 || u[i] < cell->least ? u[i] : cell->least;
        cell->largest = cell->count == 0 || u[i] > cell->largest ? u[i] : cell->largest;
        cell->count++;
    }
}

static double largest_deviation(int64_t n, const struct cell *cells)
{
    double largest = 0.0;
    int64_t before = 0;
    for (int64_t c = 0; c < n; c++) {
        if (cells[c].count == 0)
            continue;
        largest = fmax(largest, cells[c].least - (double)before / (double)n);
        before += cells[c].count;
        largest = fmax(largest, (double)before / (double)n - cells[c].largest);
    }
    return largest;
}

fmatch_status fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(fmatch_context *context, int64_t n,
                                                             const double *cdf, double *statistic)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("n", n, 1, METRICS_ROWS_MAX);
    CHECK_NOT_NULL(cdf);
    CHECK_NOT_NULL(statistic);
    for (int64_t i = 0; i < n; i++)
        if (!(cdf[i] >= 0.0 && cdf[i] <= 1.0))
            return status_fail(FMATCH_ERROR_ARGUMENT, "cdf[%lld] is %s; it must be between 0 and 1",
                               (long long)i, NUMBER(cdf[i]));

    struct cell *cells = allocation_create(&context->allocator, n, sizeof *cells);
    if (!cells)
        return status_no_memory((size_t)n * sizeof *cells);
    fill_cells(n, cdf, cells);
    *statistic = largest_deviation(n, cells);
    allocation_destroy(&context->allocator, cells);
    return FMATCH_OK;
}
