/**
 * Optimal transport between two batches of rows: who is paired with whom, so that the pairs are
 * near each other.
 *
 * Costs are double, [n, m] and row-major: cost[i * m + j] is that of sending row i of the noise
 * side to row j of the target side. All functions compute on the calling thread, and their results
 * are the same bits on every instruction set.
 */
#ifndef FLOWMATCH_TRANSPORT_H
#define FLOWMATCH_TRANSPORT_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The permutation p with the least sum of cost[i, p(i)], exactly: the optimal plan between two
 * batches of equal size and equal weights. Jonker and Volgenant, "A shortest augmenting path
 * algorithm for dense and sparse linear assignment problems", 1987, with prices from a sample of
 * rows and columns to begin with.
 *
 * Exact means: no permutation is cheaper by more than the rounding of sums in double. Of equal
 * costs the lowest index is taken at every choice, so that the result is always the same; it need
 * not be the lexicographically first of the best permutations. Takes time between n^2 and n^3.
 *
 * @param context      whose allocator gives memory for the call.
 * @param n            rows and columns, 0 to 65536.
 * @param cost         [n, n], finite, of either sign.
 * @param permutation  [n], written: row i goes to column permutation[i].
 * @param total        written: the sum of the costs of the pairs, in the order of rows. May be
 * NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE, also when the total is
 * beyond the largest double · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_transport_solve_assignment(
    fmatch_context *context, int64_t n, const double *cost, int32_t *permutation, double *total);

/**
 * The same for two batches of points, with their squared Euclidean distances as costs, which are
 * summed in double. total / n is then the square of the Wasserstein distance W2 between the two
 * batches.
 *
 * @param context      whose allocator gives memory for the call, about 8.5 n^2 bytes.
 * @param dim          columns of x and y, 1 to 65536.
 * @param n            rows of x and of y, 0 to 65536.
 * @param x            [n, dim], finite.
 * @param y            [n, dim], finite.
 * @param permutation  [n], written: row i of x is paired with row permutation[i] of y.
 * @param total        written: the sum of the squared distances of the pairs. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_transport_solve_assignment_points(
    fmatch_context *context, int32_t dim, int64_t n, const float *x, const float *y,
    int32_t *permutation, double *total);

#ifdef __cplusplus
}
#endif

#endif
