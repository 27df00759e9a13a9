/* Optimal transport as callers see it: arguments are checked, and memory is had for one call. */
#include <flowmatch/transport.h>

#include "base/status.h"
#include "context/context.h"
#include "path/assignment.h"

#include <math.h>

#define DIM_MAX 65536

static fmatch_status check_doubles(const char *name, int64_t rows, int64_t columns,
                                   const double *values)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            if (!isfinite(values[i * columns + j]))
                return status_fail(FMATCH_ERROR_NOT_FINITE, "%s: row %lld, column %lld is %s", name,
                                   (long long)i, (long long)j, NUMBER(values[i * columns + j]));
    return FMATCH_OK;
}

/* ---- assignment ---- */

static fmatch_status solve_assignment(fmatch_context *context, int64_t n, const double *cost,
                                      int32_t *permutation, double *total)
{
    struct assignment a;
    RETURN_IF_FAILED(assignment_create(&a, &context->allocator, n));
    *total = assignment_solve(&a, n, cost, permutation);
    assignment_destroy(&a, &context->allocator);
    return FMATCH_OK;
}

/* Costs beyond what the solver's sums can hold are scaled by a power of two; the total is summed
 * from the true ones. */
static fmatch_status solve_scaled(fmatch_context *context, int64_t n, const double *cost,
                                  int32_t *permutation, double *total)
{
    double *scaled = allocation_create(&context->allocator, n * n, sizeof *scaled);
    if (!scaled)
        return status_no_memory((size_t)(n * n) * sizeof *scaled);
    for (int64_t i = 0; i < n * n; i++)
        scaled[i] = cost[i] * 0x1p-20;
    const fmatch_status status = solve_assignment(context, n, scaled, permutation, total);
    allocation_destroy(&context->allocator, scaled);
    if (status != FMATCH_OK)
        return status;

    *total = 0.0;
    for (int64_t i = 0; i < n; i++)
        *total += cost[i * n + permutation[i]];
    if (!isfinite(*total))
        return status_fail(FMATCH_ERROR_NOT_FINITE, "total is %s: costs are too large to be added",
                           NUMBER(*total));
    return FMATCH_OK;
}

static double largest_magnitude(int64_t n, const double *values)
{
    double largest = 0.0;
    for (int64_t i = 0; i < n; i++)
        largest = fabs(values[i]) > largest ? fabs(values[i]) : largest;
    return largest;
}

fmatch_status fmatch_transport_solve_assignment(fmatch_context *context, int64_t n,
                                                const double *cost, int32_t *permutation,
                                                double *total)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("n", n, 0, ASSIGNMENT_N_MAX);
    CHECK_NOT_NULL(cost);
    CHECK_NOT_NULL(permutation);
    RETURN_IF_FAILED(check_doubles("cost", n, n, cost));
    const bool large = largest_magnitude(n * n, cost) > ASSIGNMENT_COST_MAX;
    double sum = 0.0;
    RETURN_IF_FAILED(large ? solve_scaled(context, n, cost, permutation, &sum)
                           : solve_assignment(context, n, cost, permutation, &sum));
    if (total)
        *total = sum;
    return FMATCH_OK;
}

fmatch_status fmatch_transport_solve_assignment_points(fmatch_context *context, int32_t dim,
                                                       int64_t n, const float *x, const float *y,
                                                       int32_t *permutation, double *total)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("dim", dim, 1, DIM_MAX);
    CHECK_RANGE("n", n, 0, ASSIGNMENT_N_MAX);
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(y);
    CHECK_NOT_NULL(permutation);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, dim, x));
    RETURN_IF_FAILED(status_check_finite("y", 0, n, dim, y));

    struct assignment a;
    RETURN_IF_FAILED(assignment_create(&a, &context->allocator, n));
    double *cost = allocation_create(&context->allocator, n * n, sizeof *cost);
    if (cost) {
        assignment_fill_cost(&a, dim, n, x, n, y, cost);
        const double sum = assignment_solve(&a, n, cost, permutation);
        if (total)
            *total = sum;
    }
    allocation_destroy(&context->allocator, cost);
    assignment_destroy(&a, &context->allocator);
    return cost ? FMATCH_OK : status_no_memory((size_t)(n * n) * sizeof *cost);
}
