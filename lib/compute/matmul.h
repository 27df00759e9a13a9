/* The three products of a linear layer, behind which stand the built-in one and a BLAS. */
#ifndef COMPUTE_MATMUL_H
#define COMPUTE_MATMUL_H

#include "compute/product_kernels.h"

struct matmul {
    const struct product_kernels *kernels; /* of the built-in product; NULL: the BLAS does it */
};

/* A weight [out, in] as PyTorch lays it out, and the same packed for the built-in product. */
struct matmul_weight {
    int32_t out, in;
    const float *values;
    const float *packed; /* from matmul_pack; not read by a BLAS */
};

/* Floats of a packed weight, a multiple of 16. */
int64_t matmul_packed_size(const struct matmul *m, int32_t out, int32_t in);
void matmul_pack(const struct matmul *m, int32_t out, int32_t in, const float *values,
                 float *packed);

/* z [n, out] = x [n, in] W^T + bias [out]; bias NULL: 0. */
void matmul_forward(const struct matmul *m, const struct matmul_weight *w, const float *bias,
                    int64_t n, const float *x, float *z);

/* dx [n, in] = dz [n, out] W. */
void matmul_input_gradient(const struct matmul *m, const struct matmul_weight *w, int64_t n,
                           const float *dz, float *dx);

/* dW [out, in] = dz^T x over n rows, or added to what is there: the latter by the built-in product
 * alone. */
void matmul_weight_gradient(const struct matmul *m, int32_t out, int32_t in, int64_t n,
                            const float *dz, const float *x, bool accumulate, float *dw);

#endif
