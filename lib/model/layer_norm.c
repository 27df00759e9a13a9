#include "model/layer_norm.h"

#include "compute/vector_kernels.h"

#include <string.h>

static const float epsilon = 1e-5f;

void layer_norm_forward(const struct layer_norm *norm, const struct vector_kernels *kernels,
                        const float *parameters, int64_t n, float *z, float *normal, float *inverse)
{
    const int32_t width = norm->width;
    for (int64_t i = 0; i < n; i++, z += width, normal += width) {
        const float scale = kernels->normalise(width, epsilon, z, normal);
        if (inverse)
            inverse[i] = scale;
        kernels->multiply_add(width, normal, parameters + norm->gain, parameters + norm->bias, z);
    }
}

void layer_norm_gradient(const struct layer_norm *norm, const struct vector_kernels *kernels,
                         int64_t n, const float *normal, const float *dy, bool accumulate,
                         float *gradient)
{
    const size_t size = (size_t)norm->width * sizeof *gradient;
    if (!accumulate) {
        memset(gradient + norm->gain, 0, size);
        memset(gradient + norm->bias, 0, size);
    }
    kernels->add_rows(n, norm->width, dy, gradient + norm->bias);
    float *gain = gradient + norm->gain;
    for (int64_t i = 0; i < n; i++, normal += norm->width, dy += norm->width)
        kernels->multiply_add(norm->width, normal, dy, gain, gain);
}

void layer_norm_backward(const struct layer_norm *norm, const struct vector_kernels *kernels,
                         const float *parameters, int64_t n, const float *normal,
                         const float *inverse, float *d)
{
    const int32_t width = norm->width;
    for (int64_t i = 0; i < n; i++, d += width, normal += width) {
        kernels->multiply(width, parameters + norm->gain, d);
        kernels->normalise_slope(width, inverse[i], normal, d);
    }
}

void layer_norm_tangent(const struct layer_norm *norm, const struct vector_kernels *kernels,
                        const float *parameters, int64_t n, const float *normal,
                        const float *inverse, float *d)
{
    const int32_t width = norm->width;
    for (int64_t i = 0; i < n; i++, d += width, normal += width) {
        kernels->normalise_slope(width, inverse[i], normal, d);
        kernels->multiply(width, parameters + norm->gain, d);
    }
}
