/* Linear layer on rows, z = x W^T + b with W [out, in] as PyTorch stores it. */
#ifndef MODEL_LAYER_H
#define MODEL_LAYER_H

#include "compute/matmul.h"

struct vector_kernels;

/* Where a layer's parameters stand in the flat array of all, and its packed weight in that of the
 * packed ones. */
struct linear {
    int32_t in, out;
    int64_t weight, bias, packed;
};

/* All parameters of a network, flat, and the packed weights made from them. */
struct parameter_view {
    const float *values, *packed;
};

void linear_pack(const struct linear *l, const struct matmul *m, const float *values,
                 float *packed);

void linear_forward(const struct linear *l, const struct matmul *m,
                    struct parameter_view parameters, int64_t n, const float *x, float *z);

/* The same without the bias: of tangents. */
void linear_tangent(const struct linear *l, const struct matmul *m,
                    struct parameter_view parameters, int64_t n, const float *dx, float *dz);

/* This layer's part of `gradient`, written or added to; dx may be NULL for the first layer. */
void linear_backward(const struct linear *l, const struct matmul *m,
                     const struct vector_kernels *kernels, struct parameter_view parameters,
                     int64_t n, const float *x, const float *dz, bool accumulate, float *gradient,
                     float *dx);

#endif
