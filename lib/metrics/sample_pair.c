#include "metrics/sample_pair.h"

#include "base/status.h"
#include "compute/sorting.h"

#include <string.h>

fmatch_status sample_pair_check(const struct sample_pair *pair, int64_t rows_max)
{
    const float *x = pair->x, *y = pair->y;
    CHECK_RANGE("dim", pair->dim, 1, METRICS_DIM_MAX);
    CHECK_RANGE("n", pair->n, 1, rows_max);
    CHECK_RANGE("m", pair->m, 1, rows_max);
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(y);
    RETURN_IF_FAILED(status_check_finite("x", 0, pair->n, pair->dim, x));
    return status_check_finite("y", 0, pair->m, pair->dim, y);
}

fmatch_status sorted_pair_create(struct sorted_pair *sorted, const fmatch_allocator *allocator,
                                 int64_t n, int64_t m)
{
    const int64_t longer = n > m ? n : m;
    float *memory = allocation_create(allocator, n + m + longer, sizeof *memory);
    if (!memory)
        return status_no_memory((size_t)(n + m + longer) * sizeof *memory);
    *sorted = (struct sorted_pair){.x = memory, .y = memory + n, .scratch = memory + n + m};
    return FMATCH_OK;
}

void sorted_pair_destroy(struct sorted_pair *sorted, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, sorted->x);
}

void sorted_pair_sort(const struct sorted_pair *sorted, int64_t n, int64_t m)
{
    sorting_ascending(n, sorted->x, sorted->scratch);
    sorting_ascending(m, sorted->y, sorted->scratch);
}

fmatch_status sorted_pair_create_copy(struct sorted_pair *sorted, const fmatch_allocator *allocator,
                                      const struct sample_pair *pair)
{
    RETURN_IF_FAILED(sorted_pair_create(sorted, allocator, pair->n, pair->m));
    memcpy(sorted->x, pair->x, (size_t)pair->n * sizeof *sorted->x);
    memcpy(sorted->y, pair->y, (size_t)pair->m * sizeof *sorted->y);
    sorted_pair_sort(sorted, pair->n, pair->m);
    return FMATCH_OK;
}
