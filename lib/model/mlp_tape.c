#include "model/mlp_tape.h"

#include "base/allocation.h"
#include "base/status.h"
#include "compute/vector_kernels.h"

#include <string.h>

/* Floats of a row of everything on the tape. */
static int64_t floats_of_row(const struct mlp *mlp)
{
    int64_t floats = mlp->input + 2 * (int64_t)mlp->widest;
    if (mlp->shape.residual_layers > 0)
        floats += mlp->widest;
    for (int32_t l = 0; l < mlp->layers; l++)
        floats += 2 * (int64_t)mlp->layer[l].out;
    for (int32_t l = 0; mlp->norm && l < mlp->layers - 1; l++)
        floats += mlp->norm[l].width + 1;
    return floats;
}

static float *take(float **next, int64_t floats)
{
    float *taken = *next;
    *next += floats;
    return taken;
}

static void divide_block(struct mlp_tape *tape, const struct mlp *mlp)
{
    const int64_t rows = tape->rows;
    float *next = tape->block;
    tape->slope = tape->output + mlp->layers;
    tape->normal = tape->slope + mlp->layers;
    tape->inverse = tape->normal + mlp->layers;
    for (int32_t l = 0; l < mlp->layers; l++) {
        tape->output[l] = take(&next, rows * mlp->layer[l].out);
        tape->slope[l] = take(&next, rows * mlp->layer[l].out);
        if (mlp->norm && l < mlp->layers - 1)
            tape->normal[l] = take(&next, rows * mlp->layer[l].out);
    }
    tape->dz = take(&next, rows * mlp->widest);
    tape->next = take(&next, rows * mlp->widest);
    if (mlp->shape.residual_layers > 0)
        tape->sum = take(&next, rows * mlp->widest);
    tape->input = take(&next, rows * mlp->input);
    for (int32_t l = 0; mlp->norm && l < mlp->layers - 1; l++)
        tape->inverse[l] = take(&next, rows);
}

fmatch_status mlp_tape_create(struct mlp_tape *tape, const struct mlp *mlp,
                              const fmatch_allocator *allocator, int64_t rows)
{
    const int64_t floats = rows * floats_of_row(mlp);
    *tape = (struct mlp_tape){.rows = rows};
    tape->output = allocation_create(allocator, 4 * (int64_t)mlp->layers, sizeof *tape->output);
    tape->block = allocation_create(allocator, floats, sizeof(float));
    if (!tape->output || !tape->block) {
        mlp_tape_destroy(tape, allocator);
        return status_no_memory((size_t)floats * sizeof(float));
    }
    divide_block(tape, mlp);
    return FMATCH_OK;
}

void mlp_tape_destroy(struct mlp_tape *tape, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, tape->block);
    allocation_destroy(allocator, tape->output);
    *tape = (struct mlp_tape){0};
}

/* ---- what is done row by row ---- */

/* Work on the rows of a hidden layer, in shares for the context's threads. */
struct hidden {
    const struct mlp *mlp;
    const float *parameters;
    const struct mlp_tape *tape;
    int32_t l;
    int64_t n;
    float *d; /* backward: gradient of the layer's output, which becomes that of its activation's
               * input, or of its product */
};

enum { SHARE_ROWS = 64 };

/* The rows of a share, and where its elements begin. */
struct share {
    int64_t first, rows, begin, elements;
};

static struct share share_of(const struct hidden *h, int64_t index)
{
    const int64_t first = index * SHARE_ROWS, rest = h->n - first;
    const int64_t rows = rest < SHARE_ROWS ? rest : SHARE_ROWS, out = h->mlp->layer[h->l].out;
    return (struct share){first, rows, first * out, rows * out};
}

static void activate_share(void *argument, int64_t index)
{
    const struct hidden *h = argument;
    const struct mlp *mlp = h->mlp;
    const struct mlp_tape *tape = h->tape;
    const struct share s = share_of(h, index);
    const int32_t l = h->l;
    float *a = tape->output[l] + s.begin;
    if (mlp->norm)
        layer_norm_forward(&mlp->norm[l], mlp->kernels, h->parameters, s.rows, a,
                           tape->normal[l] + s.begin, tape->inverse[l] + s.first);
    mlp->kernels->activate_with_derivative[mlp->shape.activations[l]](s.elements, a, a,
                                                                      tape->slope[l] + s.begin);
    if (mlp_shape_ends_block(&mlp->shape, l))
        mlp->kernels->add(s.elements, tape->output[l - mlp->shape.residual_layers] + s.begin, a);
}

/* A block's output gives its gradient also to the block's input, for which tape->sum keeps it. */
static void pass_block(const struct hidden *h, const struct share *s)
{
    const struct mlp_shape *shape = &h->mlp->shape;
    float *sum = h->tape->sum + s->begin;
    if (h->l % shape->residual_layers != 0)
        return;
    if (h->l + shape->residual_layers < shape->hidden_layers)
        h->mlp->kernels->add(s->elements, sum, h->d + s->begin);
    if (h->l > 0)
        memcpy(sum, h->d + s->begin, (size_t)s->elements * sizeof *sum);
}

static void scale_share(void *argument, int64_t index)
{
    const struct hidden *h = argument;
    const struct share s = share_of(h, index);
    if (h->mlp->shape.residual_layers > 0)
        pass_block(h, &s);
    h->mlp->kernels->multiply(s.elements, h->tape->slope[h->l] + s.begin, h->d + s.begin);
}

static void normalise_share(void *argument, int64_t index)
{
    const struct hidden *h = argument;
    const struct share s = share_of(h, index);
    layer_norm_backward(&h->mlp->norm[h->l], h->mlp->kernels, h->parameters, s.rows,
                        h->tape->normal[h->l] + s.begin, h->tape->inverse[h->l] + s.first,
                        h->d + s.begin);
}

static void run_shares(fmatch_context *context, void (*task)(void *argument, int64_t index),
                       struct hidden *h)
{
    const int64_t shares = (h->n + SHARE_ROWS - 1) / SHARE_ROWS;
    if (context)
        context_run(context, shares, task, h);
    else
        for (int64_t i = 0; i < shares; i++)
            task(h, i);
}

/* ---- the passes ---- */

float *mlp_forward(const struct mlp *mlp, const struct mlp_pass *pass, struct mlp_tape *tape,
                   const struct mlp_rows *rows)
{
    const int64_t n = rows->n;
    mlp_join_input(mlp, pass->parameters.values, rows, tape->input);
    const float *from = tape->input;
    for (int32_t l = 0; l < mlp->layers; l++) {
        linear_forward(&mlp->layer[l], &pass->matmul, pass->parameters, n, from, tape->output[l]);
        struct hidden all = {
            .mlp = mlp, .parameters = pass->parameters.values, .tape = tape, .l = l, .n = n};
        if (l < mlp->layers - 1)
            run_shares(pass->context, activate_share, &all);
        from = tape->output[l];
    }
    return tape->output[mlp->layers - 1];
}

/* The part of the gradient that goes to the vectors of labels and of the null condition, from dx of
 * the first layer. */
static void condition_backward(const struct mlp *mlp, const struct mlp_rows *rows, const float *dx,
                               bool accumulate, float *gradient)
{
    const int64_t behind_layers = mlp->layout.tensor[mlp->layer_tensors].offset;
    if (!accumulate)
        memset(gradient + behind_layers, 0,
               (size_t)(mlp->layout.count - behind_layers) * sizeof *gradient);
    condition_embed_gradient(&mlp->shape.condition, rows->n, rows->condition,
                             dx + mlp->time + mlp->shape.dim, mlp->input, gradient);
}

/* From the gradient of hidden layer l's output to that of its product. */
static void hidden_backward(const struct mlp_pass *pass, struct hidden *all, bool accumulate,
                            float *gradient)
{
    const struct mlp *mlp = all->mlp;
    run_shares(pass->context, scale_share, all);
    if (!mlp->norm)
        return;
    layer_norm_gradient(&mlp->norm[all->l], mlp->kernels, all->n, all->tape->normal[all->l], all->d,
                        accumulate, gradient);
    run_shares(pass->context, normalise_share, all);
}

void mlp_backward(const struct mlp *mlp, const struct mlp_pass *pass, struct mlp_tape *tape,
                  const struct mlp_rows *rows, bool accumulate, float *gradient)
{
    const int64_t n = rows->n;
    const bool input_learns = mlp->layout.tensors > mlp->layer_tensors;
    float *dz = tape->dz, *dx = tape->next;
    for (int32_t l = mlp->layers - 1; l >= 0; l--) {
        const float *x = l > 0 ? tape->output[l - 1] : tape->input;
        linear_backward(&mlp->layer[l], &pass->matmul, mlp->kernels, pass->parameters, n, x, dz,
                        accumulate, gradient, l > 0 || input_learns ? dx : NULL);
        if (l == 0)
            break;
        struct hidden all = {.mlp = mlp,
                             .parameters = pass->parameters.values,
                             .tape = tape,
                             .l = l - 1,
                             .n = n,
                             .d = dx};
        hidden_backward(pass, &all, accumulate, gradient);
        float *swap = dz;
        dz = dx;
        dx = swap;
    }
    if (input_learns)
        condition_backward(mlp, rows, dx, accumulate, gradient);
}
