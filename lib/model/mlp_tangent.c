#include "model/mlp_tangent.h"

#include "compute/vector_kernels.h"

#include <string.h>

/* The record of a hidden layer: the activation's derivatives [n, out], then, where there is
 * normalisation, the normalised rows [n, out] and what they were multiplied by [n]. */
static int64_t layer_record_size(const struct mlp *mlp, int32_t l, int64_t n)
{
    const int64_t cells = n * mlp->layer[l].out;
    return mlp->norm ? 2 * cells + n : cells;
}

int64_t mlp_record_size(const struct mlp *mlp, int64_t n)
{
    int64_t floats = 0;
    for (int32_t l = 0; l < mlp->layers - 1; l++)
        floats += layer_record_size(mlp, l, n);
    return floats;
}

int64_t mlp_tangent_size(const struct mlp *mlp)
{
    return mlp_buffers(mlp) * MLP_TANGENT_ROWS * mlp->widest;
}

/* What a hidden layer adds to the activated values, or to their tangents, and what a later one will
 * add: the output of the layer that began the block. */
static const float *close_block(const struct mlp *mlp, int32_t l, int64_t elements, float *to,
                                const float *kept)
{
    const struct mlp_shape *shape = &mlp->shape;
    if (mlp_shape_ends_block(shape, l))
        mlp->kernels->add(elements, kept, to);
    return shape->residual_layers > 0 && l % shape->residual_layers == 0 ? to : kept;
}

void mlp_evaluate_recorded(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
                           const struct mlp_rows *rows, float *v, float *record)
{
    const int64_t n = rows->n;
    float *from = scratch;
    const float *kept = NULL;
    mlp_join_input(mlp, parameters.values, rows, from);
    for (int32_t l = 0; l < mlp->layers - 1; l++) {
        const struct linear *layer = &mlp->layer[l];
        const int64_t cells = n * layer->out;
        float *to = mlp_other_buffer(scratch, n * mlp->widest, from, kept);
        linear_forward(layer, &mlp->matmul, parameters, n, from, to);
        if (mlp->norm)
            layer_norm_forward(&mlp->norm[l], mlp->kernels, parameters.values, n, to,
                               record + cells, record + 2 * cells);
        mlp->kernels->activate_with_derivative[mlp->shape.activations[l]](cells, to, to, record);
        kept = close_block(mlp, l, cells, to, kept);
        from = to;
        record += layer_record_size(mlp, l, n);
    }
    linear_forward(&mlp->layer[mlp->layers - 1], &mlp->matmul, parameters, n, from, v);
}

/* Tangents of a hidden layer's products become those of what they are activated to. */
static void pass_activation(const struct mlp *mlp, struct parameter_view parameters, int32_t l,
                            const struct mlp_tangents *t, const float *record, float *d)
{
    const int64_t cells = t->n * mlp->layer[l].out;
    for (int32_t k = 0; k < t->count; k++, d += cells) {
        if (mlp->norm)
            layer_norm_tangent(&mlp->norm[l], mlp->kernels, parameters.values, t->n, record + cells,
                               record + 2 * cells, d);
        mlp->kernels->multiply(cells, record, d);
    }
}

/* From tangents of the first product, if there are hidden layers, to those of the last one's input.
 */
static float *pass_hidden(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
                          const struct mlp_tangents *t, float *first)
{
    const int64_t rows = t->count * t->n;
    const float *record = t->record, *kept = NULL;
    float *d = first;
    for (int32_t l = 0; l < mlp->layers - 1; l++) {
        const struct linear *layer = &mlp->layer[l];
        if (l > 0) {
            float *to = mlp_other_buffer(scratch, rows * mlp->widest, d, kept);
            linear_tangent(layer, &mlp->matmul, parameters, rows, d, to);
            d = to;
        }
        pass_activation(mlp, parameters, l, t, record, d);
        kept = close_block(mlp, l, rows * layer->out, d, kept);
        record += layer_record_size(mlp, l, t->n);
    }
    return d;
}

void mlp_push(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
              const struct mlp_tangents *t, const float *u, float *ju)
{
    const int64_t rows = t->count * t->n, width = mlp->input;
    const int32_t dim = mlp->shape.dim;
    float *d = scratch;
    memset(d, 0, (size_t)(rows * width) * sizeof *d); /* t and the condition stay where they are */
    for (int64_t i = 0; i < rows; i++)
        memcpy(d + i * width + mlp->time, u + i * dim, (size_t)dim * sizeof *d);
    if (mlp->layers > 1) {
        float *first = scratch + rows * mlp->widest;
        linear_tangent(&mlp->layer[0], &mlp->matmul, parameters, rows, d, first);
        d = pass_hidden(mlp, parameters, scratch, t, first);
    }
    linear_tangent(&mlp->layer[mlp->layers - 1], &mlp->matmul, parameters, rows, d, ju);
}

/* A unit vector picks a column of the first weight. */
static void spread_column(const struct mlp *mlp, const float *parameters, int32_t column, int64_t n,
                          float *to)
{
    const struct linear *layer = &mlp->layer[0];
    const int32_t out = layer->out;
    const float *weight = parameters + layer->weight + mlp->time + column;
    for (int32_t o = 0; o < out; o++)
        to[o] = weight[(int64_t)o * layer->in];
    for (int64_t i = 1; i < n; i++)
        memcpy(to + i * out, to, (size_t)out * sizeof *to);
}

void mlp_push_units(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
                    const struct mlp_tangents *t, int32_t first, float *diagonal)
{
    const struct linear *last = &mlp->layer[mlp->layers - 1];
    const int32_t dim = mlp->shape.dim;
    const float *weight = parameters.values + last->weight;
    if (mlp->layers == 1) {
        for (int64_t i = 0; i < t->n; i++)
            for (int64_t j = first; j < first + t->count; j++)
                diagonal[i * dim + j] = weight[j * last->in + mlp->time + j];
        return;
    }
    const int64_t cells = t->n * mlp->layer[0].out;
    for (int32_t k = 0; k < t->count; k++)
        spread_column(mlp, parameters.values, first + k, t->n, scratch + k * cells);
    const float *d = pass_hidden(mlp, parameters, scratch, t, scratch);
    for (int32_t k = 0; k < t->count; k++)
        mlp->products->dot(t->n, last->in, d + k * t->n * last->in, last->in,
                           weight + (int64_t)(first + k) * last->in, 0.0f, diagonal + first + k,
                           dim);
}
