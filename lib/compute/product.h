/* The built-in matrix product: small networks at the speed of the processor, without a lock, memory
 * or threads of its own.
 *
 * Every element is one chain of multiply-adds over depth in fixed order, so that a row's bits do
 * not depend on the other rows, on how many there are, or on where it stands. */
#ifndef COMPUTE_PRODUCT_H
#define COMPUTE_PRODUCT_H

#include "compute/product_kernels.h"

/* c = start + a b for a [rows, depth] and b [depth, columns]. */
struct product {
    int64_t rows, columns, depth;
    const float *a; /* element (i, k) at a[i a_row + k a_depth] */
    int64_t a_row, a_depth;
    const float *b; /* element (k, j) at b[k b_depth + j]; in tiles, if b_tile is not 0 */
    int64_t b_depth;
    int64_t b_tile;     /* distance of two tiles of columns of a packed b */
    const float *start; /* [columns], added to every row; NULL: 0. With `accumulate`, c itself is
                           the start. */
    bool accumulate;
    float *c; /* element (i, j) at c[i c_row + j] */
    int64_t c_row;
};

void product_run(const struct product_kernels *kernels, const struct product *p);

/* Floats that product_pack writes. */
int64_t product_packed_size(const struct product_kernels *kernels, int64_t columns, int64_t depth);

/* Pack b, whose element (k, j) is at from[k depth_step + j column_step], into tiles of columns
 * padded with zeros: b_depth = kernels->columns and b_tile = depth * kernels->columns from then on.
 */
void product_pack(const struct product_kernels *kernels, int64_t columns, int64_t depth,
                  const float *from, int64_t column_step, int64_t depth_step, float *packed);

#endif
