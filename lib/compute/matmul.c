#include "compute/matmul.h"

#include "compute/blas.h"
#include "compute/product.h"

#include <string.h>

enum {
    THIN_OUT = 4, /* outputs for which single dot products beat tiles that are mostly padding */
    THIN_IN = 15, /* inputs for which dW is computed transposed, with the outputs as columns */
    TRANSPOSED_OUT = 256 /* outputs of a transposed block, which stays in the cache */
};

int64_t matmul_packed_size(const struct matmul *m, int32_t out, int32_t in)
{
    return m->kernels ? (product_packed_size(m->kernels, out, in) + 15) / 16 * 16 : 0;
}

void matmul_pack(const struct matmul *m, int32_t out, int32_t in, const float *values,
                 float *packed)
{
    if (m->kernels)
        product_pack(m->kernels, out, in, values, in, 1, packed);
}

static void add_bias(int64_t n, int32_t out, const float *bias, float *z)
{
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < out; j++)
            z[i * out + j] += bias[j];
}

void matmul_forward(const struct matmul *m, const struct matmul_weight *w, const float *bias,
                    int64_t n, const float *x, float *z)
{
    if (!m->kernels) {
        blas_nt(n, w->out, w->in, x, w->values, z);
        if (bias)
            add_bias(n, w->out, bias, z);
        return;
    }
    if (w->out <= THIN_OUT) {
        for (int32_t j = 0; j < w->out; j++)
            m->kernels->dot(n, w->in, x, w->in, w->values + (int64_t)j * w->in,
                            bias ? bias[j] : 0.0f, z + j, w->out);
        return;
    }
    const struct product p = {.rows = n,
                              .columns = w->out,
                              .depth = w->in,
                              .a = x,
                              .a_row = w->in,
                              .a_depth = 1,
                              .b = w->packed,
                              .b_depth = m->kernels->columns,
                              .b_tile = (int64_t)w->in * m->kernels->columns,
                              .start = bias,
                              .c = z,
                              .c_row = w->out};
    product_run(m->kernels, &p);
}

void matmul_input_gradient(const struct matmul *m, const struct matmul_weight *w, int64_t n,
                           const float *dz, float *dx)
{
    if (!m->kernels) {
        blas_nn(n, w->in, w->out, dz, w->values, dx);
        return;
    }
    const struct product p = {.rows = n,
                              .columns = w->in,
                              .depth = w->out,
                              .a = dz,
                              .a_row = w->out,
                              .a_depth = 1,
                              .b = w->values,
                              .b_depth = w->in,
                              .c = dx,
                              .c_row = w->in};
    product_run(m->kernels, &p);
}

/* dW^T of some outputs in a block of its own, then turned: for few inputs the outputs fill the
 * tiles better. */
static void weight_gradient_transposed(const struct matmul *m, int32_t out, int32_t in, int64_t n,
                                       const float *dz, const float *x, bool accumulate, float *dw)
{
    float block[THIN_IN * TRANSPOSED_OUT];
    for (int32_t first = 0; first < out; first += TRANSPOSED_OUT) {
        const int32_t columns = out - first < TRANSPOSED_OUT ? out - first : TRANSPOSED_OUT;
        for (int32_t i = 0; accumulate && i < in; i++)
            for (int32_t j = 0; j < columns; j++)
                block[i * columns + j] = dw[(int64_t)(first + j) * in + i];
        const struct product p = {.rows = in,
                                  .columns = columns,
                                  .depth = n,
                                  .a = x,
                                  .a_row = 1,
                                  .a_depth = in,
                                  .b = dz + first,
                                  .b_depth = out,
                                  .accumulate = accumulate,
                                  .c = block,
                                  .c_row = columns};
        product_run(m->kernels, &p);
        for (int32_t i = 0; i < in; i++)
            for (int32_t j = 0; j < columns; j++)
                dw[(int64_t)(first + j) * in + i] = block[i * columns + j];
    }
}

void matmul_weight_gradient(const struct matmul *m, int32_t out, int32_t in, int64_t n,
                            const float *dz, const float *x, bool accumulate, float *dw)
{
    if (!m->kernels) {
        blas_tn(out, in, n, dz, x, dw);
        return;
    }
    if (in <= THIN_IN && out > in) {
        weight_gradient_transposed(m, out, in, n, dz, x, accumulate, dw);
        return;
    }
    const struct product p = {.rows = out,
                              .columns = in,
                              .depth = n,
                              .a = dz,
                              .a_row = 1,
                              .a_depth = out,
                              .b = x,
                              .b_depth = in,
                              .accumulate = accumulate,
                              .c = dw,
                              .c_row = in};
    product_run(m->kernels, &p);
}
