#include "model/layer.h"

#include "compute/vector_kernels.h"

#include <string.h>

static struct matmul_weight weight_of(const struct linear *l, struct parameter_view parameters)
{
    return (struct matmul_weight){.out = l->out,
                                  .in = l->in,
                                  .values = parameters.values + l->weight,
                                  .packed = parameters.packed + l->packed};
}

void linear_pack(const struct linear *l, const struct matmul *m, const float *values, float *packed)
{
    matmul_pack(m, l->out, l->in, values + l->weight, packed + l->packed);
}

void linear_forward(const struct linear *l, const struct matmul *m,
                    struct parameter_view parameters, int64_t n, const float *x, float *z)
{
    const struct matmul_weight w = weight_of(l, parameters);
    matmul_forward(m, &w, parameters.values + l->bias, n, x, z);
}

void linear_tangent(const struct linear *l, const struct matmul *m,
                    struct parameter_view parameters, int64_t n, const float *dx, float *dz)
{
    const struct matmul_weight w = weight_of(l, parameters);
    matmul_forward(m, &w, NULL, n, dx, dz);
}

void linear_backward(const struct linear *l, const struct matmul *m,
                     const struct vector_kernels *kernels, struct parameter_view parameters,
                     int64_t n, const float *x, const float *dz, bool accumulate, float *gradient,
                     float *dx)
{
    const struct matmul_weight w = weight_of(l, parameters);
    matmul_weight_gradient(m, l->out, l->in, n, dz, x, accumulate, gradient + l->weight);

    float *bias = gradient + l->bias;
    if (!accumulate)
        memset(bias, 0, (size_t)l->out * sizeof *bias);
    kernels->add_rows(n, l->out, dz, bias);

    if (dx)
        matmul_input_gradient(m, &w, n, dz, dx);
}
