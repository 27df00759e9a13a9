/* Linear layer on rows, z = x W^T + b with W [out, in] as PyTorch stores it. */
#ifndef MODEL_LAYER_H
#define MODEL_LAYER_H

#include <stdint.h>

/* Where a layer's parameters stand in the flat array of all. */
struct linear {
    int32_t in, out;
    int64_t weight, bias;
};

void linear_forward(const struct linear *l, const float *parameters, int64_t n, const float *x,
                    float *z);

/* Writes this layer's part of `gradient`; dx may be NULL for the first layer. */
void linear_backward(const struct linear *l, const float *parameters, int64_t n, const float *x,
                     const float *dz, float *gradient, float *dx);

#endif
