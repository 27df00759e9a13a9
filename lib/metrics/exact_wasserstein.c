#include "base/status.h"
#include "context/context.h"
#include "metrics/sample_pair.h"
#include "metrics/wasserstein.h"
#include "path/assignment.h"

#include <flowmatch/metrics.h>

#include <math.h>

/* What is wanted, and what came out. */
struct distances {
    bool wants_w1, wants_w2;
    double w1, w2_square;
};

static fmatch_status on_the_line(fmatch_context *context, const struct sample_pair *pair,
                                 struct distances *d)
{
    struct sorted_pair sorted;
    RETURN_IF_FAILED(sorted_pair_create_copy(&sorted, &context->allocator, pair));
    const struct quantile_distances found =
        wasserstein_of_sorted(pair->n, sorted.x, pair->m, sorted.y);
    sorted_pair_destroy(&sorted, &context->allocator);
    d->w1 = found.w1;
    d->w2_square = found.w2_square;
    return FMATCH_OK;
}

/* cost [n, n] and permutation [n] are memory. The squares become distances after their turn. */
static fmatch_status assign(const fmatch_allocator *allocator, const struct sample_pair *pair,
                            double *cost, int32_t *permutation, struct distances *d)
{
    const int64_t n = pair->n;
    struct assignment assignment;
    RETURN_IF_FAILED(assignment_create(&assignment, allocator, n));
    assignment_fill_cost(&assignment, pair->dim, n, pair->x, n, pair->y, cost);
    if (d->wants_w2)
        d->w2_square = assignment_solve(&assignment, n, cost, permutation) / (double)n;
    for (int64_t i = 0; d->wants_w1 && i < n * n; i++)
        cost[i] = sqrt(cost[i]);
    if (d->wants_w1)
        d->w1 = assignment_solve(&assignment, n, cost, permutation) / (double)n;
    assignment_destroy(&assignment, allocator);
    return FMATCH_OK;
}

static fmatch_status by_assignment(fmatch_context *context, const struct sample_pair *pair,
                                   struct distances *d)
{
    const fmatch_allocator *allocator = &context->allocator;
    const int64_t n = pair->n;
    double *cost = allocation_create(allocator, n * n, sizeof *cost);
    int32_t *permutation = allocation_create(allocator, n, sizeof *permutation);
    const fmatch_status status =
        cost && permutation
            ? assign(allocator, pair, cost, permutation, d)
            : status_no_memory((size_t)(n * n) * sizeof *cost + (size_t)n * sizeof *permutation);
    allocation_destroy(allocator, permutation);
    allocation_destroy(allocator, cost);
    return status;
}

fmatch_status fmatch_metrics_evaluate_wasserstein(fmatch_context *context, int32_t dim, int64_t n,
                                                  const float *x, const float *y, double *w1,
                                                  double *w2, double *w2_square)
{
    status_begin();
    CHECK_NOT_NULL(context);
    const struct sample_pair pair = {.dim = dim, .n = n, .x = x, .m = n, .y = y};
    RETURN_IF_FAILED(sample_pair_check(&pair, dim == 1 ? METRICS_ROWS_MAX : ASSIGNMENT_N_MAX));

    struct distances found = {.wants_w1 = w1, .wants_w2 = w2 || w2_square};
    RETURN_IF_FAILED((dim == 1 ? on_the_line : by_assignment)(context, &pair, &found));
    if (w1)
        *w1 = found.w1;
    if (w2)
        *w2 = sqrt(found.w2_square);
    if (w2_square)
        *w2_square = found.w2_square;
    return FMATCH_OK;
}
