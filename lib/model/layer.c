#include "model/layer.h"

#include "compute/matmul.h"

#include <string.h>

void linear_forward(const struct linear *l, const float *parameters, int64_t n, const float *x,
                    float *z)
{
    matmul_nt(n, l->out, l->in, x, parameters + l->weight, z);
    const float *bias = parameters + l->bias;
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < l->out; j++)
            z[i * l->out + j] += bias[j];
}

void linear_backward(const struct linear *l, const float *parameters, int64_t n, const float *x,
                     const float *dz, float *gradient, float *dx)
{
    matmul_tn(l->out, l->in, n, dz, x, gradient + l->weight);

    float *bias = gradient + l->bias;
    memset(bias, 0, (size_t)l->out * sizeof *bias);
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < l->out; j++)
            bias[j] += dz[i * l->out + j];

    if (dx)
        matmul_nn(n, l->in, l->out, dz, parameters + l->weight, dx);
}
