/* Two sets of rows that are compared, x [n, dim] and y [m, dim]. */
#ifndef METRICS_SAMPLE_PAIR_H
#define METRICS_SAMPLE_PAIR_H

#include "base/allocation.h"

enum { METRICS_DIM_MAX = 65536 };

#define METRICS_ROWS_MAX ((int64_t)1 << 31) /* so that the product of two is below 2^63 */

struct sample_pair {
    int32_t dim;
    int64_t n;
    const float *x;
    int64_t m;
    const float *y;
};

/* Columns from 1 to METRICS_DIM_MAX, rows from 1 to rows_max, and everything finite. */
fmatch_status sample_pair_check(const struct sample_pair *pair, int64_t rows_max);

/* Memory for two sets of numbers to be sorted in. */
struct sorted_pair {
    float *x;
    float *y;
    float *scratch; /* as long as the longer one */
};

fmatch_status sorted_pair_create(struct sorted_pair *sorted, const fmatch_allocator *allocator,
                                 int64_t n, int64_t m);
void sorted_pair_destroy(struct sorted_pair *sorted, const fmatch_allocator *allocator);

/* Sorts what x [n] and y [m] hold. */
void sorted_pair_sort(const struct sorted_pair *sorted, int64_t n, int64_t m);

/* Sorted copies of a pair of dimension 1. */
fmatch_status sorted_pair_create_copy(struct sorted_pair *sorted, const fmatch_allocator *allocator,
                                      const struct sample_pair *pair);

#endif
