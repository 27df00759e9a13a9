#include "model/mlp.h"

#include "base/allocation.h"
#include "base/status.h"
#include "compute/random_stream.h"
#include "compute/vector_kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- shape and parameters ---- */

static void name_tensor(struct tensor *t, int32_t layer, const char *what)
{
    /* torch.nn.Sequential numbers the activations too. */
    snprintf(t->name, sizeof t->name, "net.%d.%s", (int)(2 * layer), what);
}

static int32_t input_width(const struct mlp *mlp)
{
    return 1 + mlp->dim + condition_width(&mlp->condition);
}

/* The vectors that stand for labels and for the null condition, behind the layers. */
static void lay_out_condition(struct mlp *mlp)
{
    struct condition *c = &mlp->condition;
    const int32_t plain = condition_plain_columns(c);
    struct tensor *next = mlp->layout.tensor + mlp->layout.tensors;
    if (c->classes > 0) {
        c->label_vectors = mlp->layout.count;
        *next++ = (struct tensor){.name = "embedding.weight",
                                  .rank = 2,
                                  .shape = {c->classes + (c->null ? 1 : 0), c->embedding},
                                  .offset = c->label_vectors};
        mlp->layout.count += (int64_t)(c->classes + (c->null ? 1 : 0)) * c->embedding;
    }
    if (c->null && plain > 0) {
        c->null_vector = mlp->layout.count;
        *next++ = (struct tensor){
            .name = "null_condition", .rank = 1, .shape = {plain, 1}, .offset = c->null_vector};
        mlp->layout.count += plain;
    }
    mlp->layout.tensors = (int32_t)(next - mlp->layout.tensor);
}

static void lay_out(struct mlp *mlp, const int32_t *hidden_widths)
{
    int32_t in = input_width(mlp);
    int64_t offset = 0, packed = 0;
    mlp->widest = in;
    for (int32_t l = 0; l < mlp->layers; l++) {
        const int32_t out = l < mlp->layers - 1 ? hidden_widths[l] : mlp->dim;
        struct tensor *weight = &mlp->layout.tensor[2 * l], *bias = weight + 1;
        *weight = (struct tensor){.rank = 2, .shape = {out, in}, .offset = offset};
        offset += (int64_t)out * in;
        *bias = (struct tensor){.rank = 1, .shape = {out, 1}, .offset = offset};
        offset += out;
        name_tensor(weight, l, "weight");
        name_tensor(bias, l, "bias");
        mlp->layer[l] = (struct linear){
            .in = in, .out = out, .weight = weight->offset, .bias = bias->offset, .packed = packed};
        packed += matmul_packed_size(&(struct matmul){mlp->products}, out, in);
        mlp->widest = out > mlp->widest ? out : mlp->widest;
        in = out;
    }
    mlp->layout.tensors = 2 * mlp->layers;
    mlp->layout.count = offset;
    mlp->packed_count = packed;
    lay_out_condition(mlp);
}

fmatch_status mlp_init(struct mlp *mlp, fmatch_context *context, const struct mlp_shape *shape)
{
    const fmatch_allocator *allocator = &context->allocator;
    const int32_t layers = shape->hidden_layers + 1, tensors = 2 * layers + CONDITION_TENSORS_MAX;
    *mlp = (struct mlp){.kernels = context->kernels,
                        .products = context->products,
                        .dim = shape->dim,
                        .layers = layers,
                        .activation = shape->activation,
                        .condition = shape->condition};
    if (context->matmul != FMATCH_MATMUL_BLAS)
        mlp->matmul.kernels = context->products;
    mlp->layer = allocation_create(allocator, layers, sizeof *mlp->layer);
    mlp->layout.tensor = allocation_create(allocator, tensors, sizeof *mlp->layout.tensor);
    if (!mlp->layer || !mlp->layout.tensor) {
        mlp_destroy(mlp, allocator);
        return status_no_memory((size_t)layers * sizeof *mlp->layer +
                                (size_t)tensors * sizeof *mlp->layout.tensor);
    }
    lay_out(mlp, shape->hidden_widths);
    return FMATCH_OK;
}

void mlp_destroy(struct mlp *mlp, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, mlp->layout.tensor);
    allocation_destroy(allocator, mlp->layer);
    *mlp = (struct mlp){0};
}

void mlp_initialise(const struct mlp *mlp, const struct random_stream *stream, float *parameters)
{
    for (int32_t i = 0; i < mlp->layout.tensors; i++) {
        const struct tensor *t = &mlp->layout.tensor[i];
        const int64_t count = t->shape[0] * t->shape[1];
        if (i >= 2 * mlp->layers) {
            random_stream_normal(stream, (uint32_t)i, 0, count, parameters + t->offset);
            continue;
        }
        const float bound = (float)(1.0 / sqrt((double)mlp->layer[i / 2].in));
        float *values = parameters + t->offset;
        random_stream_uniform(stream, (uint32_t)i, 0, count, values);
        for (int64_t k = 0; k < count; k++)
            values[k] = (2.0f * values[k] - 1.0f) * bound;
    }
}

void mlp_pack(const struct mlp *mlp, const float *values, float *packed)
{
    const struct matmul m = {mlp->products};
    for (int32_t l = 0; l < mlp->layers; l++)
        linear_pack(&mlp->layer[l], &m, values, packed);
}

static void join_input(const struct mlp *mlp, const float *parameters, const struct mlp_rows *rows,
                       float *input)
{
    const int32_t dim = mlp->dim, width = input_width(mlp);
    for (int64_t i = 0; i < rows->n; i++) {
        input[i * width] = rows->t[i];
        memcpy(input + i * width + 1, rows->x + i * dim, (size_t)dim * sizeof *input);
    }
    if (mlp->condition.columns > 0)
        condition_embed(&mlp->condition, parameters, rows->n, rows->condition, input + 1 + dim,
                        width);
}

/* ---- evaluation ---- */

/* Rows that pass through all layers together: so few that what a layer writes is in the cache when
 * the next one reads it, and of a wide network so many that its weights are not read too often. */
static int64_t rows_together(const struct mlp *mlp)
{
    enum { NARROW = 160, FEW = 48, MANY = 240 };
    return mlp->widest <= NARROW ? FEW : MANY;
}

int64_t mlp_evaluate_size(const struct mlp *mlp, int64_t n)
{
    const int64_t rows = n < rows_together(mlp) ? n : rows_together(mlp);
    return 2 * rows * mlp->widest;
}

static void evaluate_together(const struct mlp *mlp, struct parameter_view parameters,
                              float *scratch, const struct mlp_rows *rows, float *v)
{
    const int64_t n = rows->n;
    float *from = scratch, *to = scratch + n * mlp->widest;
    join_input(mlp, parameters.values, rows, from);
    for (int32_t l = 0; l < mlp->layers - 1; l++) {
        const struct linear *layer = &mlp->layer[l];
        linear_forward(layer, &mlp->matmul, parameters, n, from, to);
        mlp->kernels->activate[mlp->activation](n * layer->out, to, to);
        float *swap = from;
        from = to;
        to = swap;
    }
    linear_forward(&mlp->layer[mlp->layers - 1], &mlp->matmul, parameters, n, from, v);
}

static struct mlp_rows some_rows(const struct mlp *mlp, const struct mlp_rows *all, int64_t first,
                                 int64_t n)
{
    return (struct mlp_rows){
        .n = n,
        .t = all->t + first,
        .x = all->x + first * mlp->dim,
        .condition = all->condition ? all->condition + first * mlp->condition.columns : NULL};
}

void mlp_evaluate(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
                  const struct mlp_rows *rows, float *v)
{
    const int64_t together = rows_together(mlp);
    for (int64_t i = 0; i < rows->n; i += together) {
        const int64_t n = rows->n - i < together ? rows->n - i : together;
        const struct mlp_rows some = some_rows(mlp, rows, i, n);
        evaluate_together(mlp, parameters, scratch, &some, v + i * mlp->dim);
    }
}

/* ---- training ---- */

fmatch_status mlp_tape_create(struct mlp_tape *tape, const struct mlp *mlp,
                              const fmatch_allocator *allocator, int64_t rows)
{
    int64_t floats = input_width(mlp) + 2 * (int64_t)mlp->widest;
    for (int32_t l = 0; l < mlp->layers; l++)
        floats += 2 * (int64_t)mlp->layer[l].out;

    *tape = (struct mlp_tape){.rows = rows};
    tape->output = allocation_create(allocator, 2 * (int64_t)mlp->layers, sizeof *tape->output);
    float *next = allocation_create(allocator, rows * floats, sizeof *next);
    tape->block = next;
    if (!tape->output || !next) {
        mlp_tape_destroy(tape, allocator);
        return status_no_memory((size_t)(rows * floats) * sizeof *next);
    }
    tape->slope = tape->output + mlp->layers;
    for (int32_t l = 0; l < mlp->layers; l++) {
        tape->output[l] = next;
        next += rows * mlp->layer[l].out;
        tape->slope[l] = next;
        next += rows * mlp->layer[l].out;
    }
    tape->dz = next;
    tape->next = tape->dz + rows * mlp->widest;
    tape->input = tape->next + rows * mlp->widest;
    return FMATCH_OK;
}

void mlp_tape_destroy(struct mlp_tape *tape, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, tape->block);
    allocation_destroy(allocator, tape->output);
    *tape = (struct mlp_tape){0};
}

/* Element-wise work on the rows of a layer, in shares for the context's threads. */
struct share {
    const struct mlp *mlp;
    int64_t n;
    int32_t columns;
    float *a, *slope;
};

enum { SHARE_ROWS = 64 };

static int64_t elements_of_share(const struct share *s, int64_t index)
{
    const int64_t rest = s->n - index * SHARE_ROWS;
    return (rest < SHARE_ROWS ? rest : SHARE_ROWS) * s->columns;
}

static void activate_share(void *argument, int64_t index)
{
    const struct share *s = argument;
    const int64_t begin = index * SHARE_ROWS * s->columns;
    s->mlp->kernels->activate_with_derivative[s->mlp->activation](
        elements_of_share(s, index), s->a + begin, s->a + begin, s->slope + begin);
}

static void scale_share(void *argument, int64_t index)
{
    const struct share *s = argument;
    const int64_t begin = index * SHARE_ROWS * s->columns;
    s->mlp->kernels->multiply(elements_of_share(s, index), s->slope + begin, s->a + begin);
}

static void run_shares(fmatch_context *context, void (*task)(void *argument, int64_t index),
                       struct share *s)
{
    const int64_t shares = (s->n + SHARE_ROWS - 1) / SHARE_ROWS;
    if (context)
        context_run(context, shares, task, s);
    else
        for (int64_t i = 0; i < shares; i++)
            task(s, i);
}

float *mlp_forward(const struct mlp *mlp, const struct mlp_pass *pass, struct mlp_tape *tape,
                   const struct mlp_rows *rows)
{
    const int64_t n = rows->n;
    join_input(mlp, pass->parameters.values, rows, tape->input);
    const float *from = tape->input;
    for (int32_t l = 0; l < mlp->layers; l++) {
        const struct linear *layer = &mlp->layer[l];
        float *to = tape->output[l];
        linear_forward(layer, &pass->matmul, pass->parameters, n, from, to);
        struct share all = {
            .mlp = mlp, .n = n, .columns = layer->out, .a = to, .slope = tape->slope[l]};
        if (l < mlp->layers - 1)
            run_shares(pass->context, activate_share, &all);
        from = to;
    }
    return tape->output[mlp->layers - 1];
}

/* The part of the gradient that goes to the vectors of labels and of the null condition, from dx of
 * the first layer. */
static void condition_backward(const struct mlp *mlp, const struct mlp_rows *rows, const float *dx,
                               bool accumulate, float *gradient)
{
    const struct tensor *last_bias = &mlp->layout.tensor[2 * mlp->layers - 1];
    const int64_t behind_layers = last_bias->offset + last_bias->shape[0];
    if (!accumulate)
        memset(gradient + behind_layers, 0,
               (size_t)(mlp->layout.count - behind_layers) * sizeof *gradient);
    condition_embed_gradient(&mlp->condition, rows->n, rows->condition, dx + 1 + mlp->dim,
                             input_width(mlp), gradient);
}

void mlp_backward(const struct mlp *mlp, const struct mlp_pass *pass, struct mlp_tape *tape,
                  const struct mlp_rows *rows, bool accumulate, float *gradient)
{
    const int64_t n = rows->n;
    const bool input_learns = mlp->layout.tensors > 2 * mlp->layers;
    float *dz = tape->dz, *dx = tape->next;
    for (int32_t l = mlp->layers - 1; l >= 0; l--) {
        const struct linear *layer = &mlp->layer[l];
        const float *x = l > 0 ? tape->output[l - 1] : tape->input;
        linear_backward(layer, &pass->matmul, mlp->kernels, pass->parameters, n, x, dz, accumulate,
                        gradient, l > 0 || input_learns ? dx : NULL);
        if (l == 0)
            break;
        struct share all = {
            .mlp = mlp, .n = n, .columns = layer->in, .a = dx, .slope = tape->slope[l - 1]};
        run_shares(pass->context, scale_share, &all);
        float *swap = dz;
        dz = dx;
        dx = swap;
    }
    if (input_learns)
        condition_backward(mlp, rows, dx, accumulate, gradient);
}
