/* Linear assignment: the permutation p that minimises the sum of cost[i, p(i)], exactly.
 *
 * Successive shortest augmenting paths over dual prices (Jonker and Volgenant, "A shortest
 * augmenting path algorithm for dense and sparse linear assignment problems", Computing 38, 1987),
 * from the prices of a quarter of the rows and columns, solved first in the same way: in a batch
 * drawn from two distributions these are nearly right, and the paths become short. */
#ifndef PATH_ASSIGNMENT_H
#define PATH_ASSIGNMENT_H

#include "base/allocation.h"
#include "compute/transport_kernels.h"

/* Largest |cost| that assignment_solve takes: sums of 2^17 costs must stay finite. */
#define ASSIGNMENT_COST_MAX 1e300

enum { ASSIGNMENT_N_MAX = 65536 };

/* Memory for problems up to n_max, and what the last solution leaves behind. */
struct assignment {
    const struct transport_kernels *kernels;
    int64_t n_max;
    double *price;    /* [n] v: with u_i = min_j(cost[i, j] - v_j), u_i + v_j = cost[i, j] where
                         matched, to rounding */
    double *open;     /* [n] the prices, -infinity where a search has been */
    double *distance; /* [n] */
    double *block_least;
    double *coarse; /* the costs of all coarser problems */
    int64_t *via;   /* [n] the row over which a search reached a column */
    int32_t *row_of;
    int32_t *rows;    /* those without a column */
    int32_t *visited; /* columns, in the order of a search */
};

/* For problems of at most n_max, 0 <= n_max <= ASSIGNMENT_N_MAX. On failure there is nothing to
 * destroy. */
fmatch_status assignment_create(struct assignment *a, const fmatch_allocator *allocator,
                                int64_t n_max);
void assignment_destroy(struct assignment *a, const fmatch_allocator *allocator);

/* Writes permutation [n], and returns its cost, summed in the order of rows. Ties go to the lowest
 * index at every choice. cost [n, n] is finite and at most ASSIGNMENT_COST_MAX in magnitude; n <=
 * n_max. */
double assignment_solve(struct assignment *a, int64_t n, const double *cost, int32_t *permutation);

/* cost[i m + j] = |x_i - y_j|^2 for x [n, dim] and y [m, dim], in double. */
void assignment_fill_cost(const struct assignment *a, int64_t dim, int64_t n, const float *x,
                          int64_t m, const float *y, double *cost);

#endif
