#include "model/mlp.h"

#include "base/allocation.h"
#include "base/status.h"
#include "compute/random_stream.h"
#include "compute/vector_kernels.h"
#include "model/time_features.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- parameters ---- */

/* The next array of the layout, behind all others. */
static struct tensor *add_tensor(struct mlp *mlp, int32_t rank, int64_t rows, int64_t columns)
{
    struct tensor *t = &mlp->layout.tensor[mlp->layout.tensors++];
    *t = (struct tensor){.rank = rank, .shape = {rows, columns}, .offset = mlp->layout.count};
    mlp->layout.count += rows * columns;
    return t;
}

/* A weight and its bias, under the number that torch.nn.Sequential gives their module. Returns
 * where the weight is; the bias is behind it. */
static int64_t add_module(struct mlp *mlp, int32_t number, int32_t rank, int64_t out, int64_t in)
{
    struct tensor *weight = add_tensor(mlp, rank, out, in), *bias = add_tensor(mlp, 1, out, 1);
    snprintf(weight->name, sizeof weight->name, "net.%d.weight", (int)number);
    snprintf(bias->name, sizeof bias->name, "net.%d.bias", (int)number);
    return weight->offset;
}

/* The vectors that stand for labels and for the null condition, behind the layers. */
static void lay_out_condition(struct mlp *mlp)
{
    struct condition *c = &mlp->shape.condition;
    const int32_t plain = condition_plain_columns(c);
    mlp->layer_tensors = mlp->layout.tensors;
    if (c->classes > 0) {
        struct tensor *t = add_tensor(mlp, 2, c->classes + (c->null ? 1 : 0), c->embedding);
        strcpy(t->name, "embedding.weight");
        c->label_vectors = t->offset;
    }
    if (c->null && plain > 0) {
        struct tensor *t = add_tensor(mlp, 1, plain, 1);
        strcpy(t->name, "null_condition");
        c->null_vector = t->offset;
    }
}

static void lay_out(struct mlp *mlp)
{
    const int32_t modules = mlp->norm ? 3 : 2; /* of a hidden layer: linear, norm, activation */
    mlp->time = time_features_width(mlp->shape.time_frequencies);
    mlp->input = mlp->time + mlp->shape.dim + condition_width(&mlp->shape.condition);
    mlp->widest = mlp->input;
    int32_t in = mlp->input;
    for (int32_t l = 0; l < mlp->layers; l++) {
        const bool hidden = l < mlp->layers - 1;
        const int32_t out = hidden ? mlp->shape.hidden_widths[l] : mlp->shape.dim;
        const int64_t weight = add_module(mlp, modules * l, 2, out, in);
        mlp->layer[l] = (struct linear){.in = in,
                                        .out = out,
                                        .weight = weight,
                                        .bias = weight + (int64_t)out * in,
                                        .packed = mlp->packed_count};
        mlp->packed_count += matmul_packed_size(&(struct matmul){mlp->products}, out, in);
        if (hidden && mlp->norm) {
            const int64_t gain = add_module(mlp, modules * l + 1, 1, out, 1);
            mlp->norm[l] = (struct layer_norm){.width = out, .gain = gain, .bias = gain + out};
        }
        mlp->widest = out > mlp->widest ? out : mlp->widest;
        in = out;
    }
    lay_out_condition(mlp);
}

/* The condition's mean and std become the network's own. */
static fmatch_status hold_standard(struct mlp *mlp, const fmatch_allocator *allocator)
{
    struct condition *c = &mlp->shape.condition;
    const float *mean = c->mean, *std = c->std;
    c->mean = c->std = NULL;
    if ((!mean && !std) || c->columns == 0)
        return FMATCH_OK;
    mlp->standard = allocation_create(allocator, 2 * (int64_t)c->columns, sizeof(float));
    if (!mlp->standard)
        return status_no_memory(2 * (size_t)c->columns * sizeof(float));
    for (int32_t j = 0; j < c->columns; j++) {
        const bool label = c->classes > 0 && j == 0;
        mlp->standard[j] = mean && !label ? mean[j] : 0.0f;
        mlp->standard[c->columns + j] = std && !label ? std[j] : 1.0f;
    }
    c->mean = mlp->standard;
    c->std = mlp->standard + c->columns;
    return FMATCH_OK;
}

static fmatch_status hold_layers(struct mlp *mlp, const fmatch_allocator *allocator)
{
    const int32_t hidden = mlp->layers - 1;
    const bool norm = mlp->shape.normalisation == FMATCH_NORMALISATION_LAYER && hidden > 0;
    const int32_t tensors = 2 * mlp->layers + (norm ? 2 * hidden : 0) + CONDITION_TENSORS_MAX;
    mlp->layer = allocation_create(allocator, mlp->layers, sizeof *mlp->layer);
    mlp->layout.tensor = allocation_create(allocator, tensors, sizeof *mlp->layout.tensor);
    if (norm)
        mlp->norm = allocation_create(allocator, hidden, sizeof *mlp->norm);
    if (!mlp->layer || !mlp->layout.tensor || (norm && !mlp->norm))
        return status_no_memory((size_t)mlp->layers * sizeof *mlp->layer +
                                (size_t)tensors * sizeof *mlp->layout.tensor);
    return hold_standard(mlp, allocator);
}

fmatch_status mlp_init(struct mlp *mlp, fmatch_context *context, const struct mlp_shape *shape)
{
    *mlp = (struct mlp){.kernels = context->kernels,
                        .products = context->products,
                        .shape = *shape,
                        .layers = shape->hidden_layers + 1};
    if (context->matmul != FMATCH_MATMUL_BLAS)
        mlp->matmul.kernels = context->products;
    const fmatch_status status = hold_layers(mlp, &context->allocator);
    if (status == FMATCH_OK)
        lay_out(mlp);
    else
        mlp_destroy(mlp, &context->allocator);
    return status;
}

void mlp_destroy(struct mlp *mlp, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, mlp->standard);
    allocation_destroy(allocator, mlp->norm);
    allocation_destroy(allocator, mlp->layout.tensor);
    allocation_destroy(allocator, mlp->layer);
    *mlp = (struct mlp){0};
}

static void fill_uniform(const struct random_stream *stream, uint32_t draw, double bound,
                         int64_t count, float *values)
{
    random_stream_uniform(stream, draw, 0, count, values);
    for (int64_t k = 0; k < count; k++)
        values[k] = (2.0f * values[k] - 1.0f) * (float)bound;
}

void mlp_initialise(const struct mlp *mlp, const struct random_stream *stream, float *parameters)
{
    memset(parameters, 0, (size_t)mlp->layout.count * sizeof *parameters);
    uint32_t draw = 0;
    for (int32_t l = 0; l < mlp->layers; l++, draw += 2) {
        const struct linear *layer = &mlp->layer[l];
        const double bound = 1.0 / sqrt((double)layer->in);
        if (l == mlp->layers - 1 && mlp->shape.output_init == FMATCH_OUTPUT_INIT_ZERO)
            continue;
        fill_uniform(stream, draw, bound, (int64_t)layer->out * layer->in,
                     parameters + layer->weight);
        fill_uniform(stream, draw + 1, bound, layer->out, parameters + layer->bias);
        for (int32_t k = 0; mlp->norm && l < mlp->layers - 1 && k < layer->out; k++)
            parameters[mlp->norm[l].gain + k] = 1.0f;
    }
    for (int32_t i = mlp->layer_tensors; i < mlp->layout.tensors; i++, draw++) {
        const struct tensor *t = &mlp->layout.tensor[i];
        random_stream_normal(stream, draw, 0, t->shape[0] * t->shape[1], parameters + t->offset);
    }
}

void mlp_pack(const struct mlp *mlp, const float *values, float *packed)
{
    const struct matmul m = {mlp->products};
    for (int32_t l = 0; l < mlp->layers; l++)
        linear_pack(&mlp->layer[l], &m, values, packed);
}

/* ---- evaluation ---- */

void mlp_join_input(const struct mlp *mlp, const float *parameters, const struct mlp_rows *rows,
                    float *input)
{
    const struct mlp_shape *s = &mlp->shape;
    const int32_t width = mlp->input, time = mlp->time;
    if (s->time_frequencies > 0)
        time_features_forward(s->time_frequencies, mlp->kernels, rows->n, rows->t, input, width);
    for (int64_t i = 0; i < rows->n; i++) {
        if (s->time_frequencies == 0)
            input[i * width] = rows->t[i];
        memcpy(input + i * width + time, rows->x + i * s->dim, (size_t)s->dim * sizeof *input);
    }
    if (s->condition.columns > 0)
        condition_embed(&s->condition, parameters, rows->n, rows->condition, input + time + s->dim,
                        width);
}

int64_t mlp_rows_together(const struct mlp *mlp)
{
    enum { NARROW = 160, FEW = 48, MANY = 240 };
    return mlp->widest <= NARROW ? FEW : MANY;
}

int64_t mlp_buffers(const struct mlp *mlp)
{
    return mlp->shape.residual_layers > 0 ? 3 : 2;
}

int64_t mlp_evaluate_size(const struct mlp *mlp, int64_t n)
{
    const int64_t rows = n < mlp_rows_together(mlp) ? n : mlp_rows_together(mlp);
    return mlp_buffers(mlp) * rows * mlp->widest;
}

float *mlp_other_buffer(float *buffers, int64_t size, const float *from, const float *kept)
{
    while (buffers == from || buffers == kept)
        buffers += size;
    return buffers;
}

static void evaluate_together(const struct mlp *mlp, struct parameter_view parameters,
                              float *scratch, const struct mlp_rows *rows, float *v)
{
    const int64_t n = rows->n;
    const struct mlp_shape *shape = &mlp->shape;
    float *from = scratch, *kept = NULL;
    mlp_join_input(mlp, parameters.values, rows, from);
    for (int32_t l = 0; l < mlp->layers - 1; l++) {
        const struct linear *layer = &mlp->layer[l];
        float *to = mlp_other_buffer(scratch, n * mlp->widest, from, kept);
        linear_forward(layer, &mlp->matmul, parameters, n, from, to);
        if (mlp->norm)
            layer_norm_forward(&mlp->norm[l], mlp->kernels, parameters.values, n, to, to, NULL);
        mlp->kernels->activate[shape->activations[l]](n * layer->out, to, to);
        if (mlp_shape_ends_block(shape, l))
            mlp->kernels->add(n * layer->out, kept, to);
        if (shape->residual_layers > 0 && l % shape->residual_layers == 0)
            kept = to;
        from = to;
    }
    linear_forward(&mlp->layer[mlp->layers - 1], &mlp->matmul, parameters, n, from, v);
}

static struct mlp_rows some_rows(const struct mlp *mlp, const struct mlp_rows *all, int64_t first,
                                 int64_t n)
{
    const struct mlp_shape *s = &mlp->shape;
    return (struct mlp_rows){
        .n = n,
        .t = all->t + first,
        .x = all->x + first * s->dim,
        .condition = all->condition ? all->condition + first * s->condition.columns : NULL};
}

void mlp_evaluate(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
                  const struct mlp_rows *rows, float *v)
{
    const int64_t together = mlp_rows_together(mlp);
    for (int64_t i = 0; i < rows->n; i += together) {
        const int64_t n = rows->n - i < together ? rows->n - i : together;
        const struct mlp_rows some = some_rows(mlp, rows, i, n);
        evaluate_together(mlp, parameters, scratch, &some, v + i * mlp->shape.dim);
    }
}
