/* Sums of a function of the distance over all pairs of rows of two sets. */
#ifndef METRICS_PAIR_SUMS_H
#define METRICS_PAIR_SUMS_H

#include "compute/instruction_set.h"
#include "metrics/sample_pair.h"

/* Sum of a function of `squares` [n], squared distances. */
typedef double squares_sum(const struct pair_kernels *kernels, const void *settings, int64_t n,
                           const double *squares);

/* With the rows of x as y, in one array, blocks of different rows are computed once and counted
 * twice. */
struct pair_sums {
    const struct instruction_set *instructions;
    struct sample_pair pair;
    squares_sum *sum;
    const void *settings;
};

/* Blocks of rows of x that make up the sum. */
int64_t pair_sums_count_blocks(const struct pair_sums *p);

/* The share of one block: over its rows and all rows of y. */
double pair_sums_of_block(const struct pair_sums *p, int64_t block);

/* The whole sum, block after block, on the calling thread. */
double pair_sums_total(const struct pair_sums *p);

/* The same bits, on the context's threads. */
fmatch_status pair_sums_run(fmatch_context *context, const struct pair_sums *p, double *total);

#endif
