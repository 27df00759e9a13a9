/* Layer normalisation of rows: y = gain (z - mean) / sqrt(variance + 1e-5) + bias, mean and
 * variance over the row (Ba et al. 2016). */
#ifndef MODEL_LAYER_NORM_H
#define MODEL_LAYER_NORM_H

#include <stdbool.h>
#include <stdint.h>

struct vector_kernels;

/* Where its parameters stand in the flat array of all. */
struct layer_norm {
    int32_t width;
    int64_t gain, bias;
};

/* z [n, width] becomes y; `normal` is y before gain and bias, and may be z where it is not needed
 * after, `inverse` [n] is 1 / sqrt(variance + 1e-5), or NULL. */
void layer_norm_forward(const struct layer_norm *norm, const struct vector_kernels *kernels,
                        const float *parameters, int64_t n, float *z, float *normal,
                        float *inverse);

/* Gain's and bias's part of `gradient`, written or added to, from dy. */
void layer_norm_gradient(const struct layer_norm *norm, const struct vector_kernels *kernels,
                         int64_t n, const float *normal, const float *dy, bool accumulate,
                         float *gradient);

/* dy [n, width] becomes dz. */
void layer_norm_backward(const struct layer_norm *norm, const struct vector_kernels *kernels,
                         const float *parameters, int64_t n, const float *normal,
                         const float *inverse, float *d);

/* A tangent of z [n, width] becomes that of y. */
void layer_norm_tangent(const struct layer_norm *norm, const struct vector_kernels *kernels,
                        const float *parameters, int64_t n, const float *normal,
                        const float *inverse, float *d);

#endif
