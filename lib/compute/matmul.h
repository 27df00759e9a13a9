/* Matrix products of float matrices, row-major and contiguous. The one seam behind which a BLAS
 * stands.
 *
 * Rows are cut into blocks that depend on the shape alone. Called from one thread at a time per
 * product. */
#ifndef COMPUTE_MATMUL_H
#define COMPUTE_MATMUL_H

#include <stdint.h>

/* z [n, out] = x [n, in] W^T, with W [out, in]: the forward product. */
void matmul_nt(int64_t n, int32_t out, int32_t in, const float *x, const float *w, float *z);

/* dx [n, in] = dz [n, out] W: the gradient with respect to the input. */
void matmul_nn(int64_t n, int32_t in, int32_t out, const float *dz, const float *w, float *dx);

/* dW [out, in] = dz^T x, summed over n rows: the gradient with respect to the weight. */
void matmul_tn(int32_t out, int32_t in, int64_t n, const float *dz, const float *x, float *dw);

#endif
