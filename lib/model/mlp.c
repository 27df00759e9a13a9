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

static void lay_out(struct mlp *mlp, const int32_t *hidden_widths)
{
    int32_t in = 1 + mlp->dim;
    int64_t offset = 0;
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
        mlp->layer[l] =
            (struct linear){.in = in, .out = out, .weight = weight->offset, .bias = bias->offset};
        mlp->widest = out > mlp->widest ? out : mlp->widest;
        in = out;
    }
    mlp->layout.tensors = 2 * mlp->layers;
    mlp->layout.count = offset;
}

fmatch_status mlp_init(struct mlp *mlp, const fmatch_allocator *allocator,
                       const struct vector_kernels *kernels, int32_t dim, int32_t hidden_layers,
                       const int32_t *hidden_widths, int32_t activation)
{
    const int32_t layers = hidden_layers + 1;
    *mlp = (struct mlp){.kernels = kernels, .dim = dim, .layers = layers, .activation = activation};
    mlp->layer = allocation_create(allocator, layers, sizeof *mlp->layer);
    mlp->layout.tensor = allocation_create(allocator, 2 * layers, sizeof *mlp->layout.tensor);
    if (!mlp->layer || !mlp->layout.tensor) {
        mlp_destroy(mlp, allocator);
        return status_no_memory((size_t)layers *
                                (sizeof *mlp->layer + 2 * sizeof *mlp->layout.tensor));
    }
    lay_out(mlp, hidden_widths);
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
        const float bound = (float)(1.0 / sqrt((double)mlp->layer[i / 2].in));
        float *values = parameters + t->offset;
        random_stream_uniform(stream, (uint32_t)i, 0, count, values);
        for (int64_t k = 0; k < count; k++)
            values[k] = (2.0f * values[k] - 1.0f) * bound;
    }
}

static void join_input(int64_t n, int32_t dim, const float *t, const float *x, float *input)
{
    for (int64_t i = 0; i < n; i++) {
        input[i * (dim + 1)] = t[i];
        memcpy(input + i * (dim + 1) + 1, x + i * dim, (size_t)dim * sizeof *x);
    }
}

/* ---- evaluation ---- */

int64_t mlp_evaluate_size(const struct mlp *mlp, int64_t n)
{
    return 2 * n * mlp->widest;
}

void mlp_evaluate(const struct mlp *mlp, const float *parameters, float *scratch, int64_t n,
                  const float *t, const float *x, float *v)
{
    float *from = scratch, *to = scratch + n * mlp->widest;
    join_input(n, mlp->dim, t, x, from);
    for (int32_t l = 0; l < mlp->layers - 1; l++) {
        const struct linear *layer = &mlp->layer[l];
        linear_forward(layer, parameters, n, from, to);
        mlp->kernels->activate[mlp->activation](n * layer->out, to, to);
        float *swap = from;
        from = to;
        to = swap;
    }
    linear_forward(&mlp->layer[mlp->layers - 1], parameters, n, from, v);
}

/* ---- training ---- */

fmatch_status mlp_tape_create(struct mlp_tape *tape, const struct mlp *mlp,
                              const fmatch_allocator *allocator, int64_t rows)
{
    int64_t floats = 1 + mlp->dim + 2 * (int64_t)mlp->widest;
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

float *mlp_forward(const struct mlp *mlp, const float *parameters, struct mlp_tape *tape, int64_t n,
                   const float *t, const float *x)
{
    join_input(n, mlp->dim, t, x, tape->input);
    const float *from = tape->input;
    for (int32_t l = 0; l < mlp->layers; l++) {
        const struct linear *layer = &mlp->layer[l];
        float *to = tape->output[l];
        linear_forward(layer, parameters, n, from, to);
        if (l < mlp->layers - 1)
            mlp->kernels->activate_with_derivative[mlp->activation](n * layer->out, to, to,
                                                                    tape->slope[l]);
        from = to;
    }
    return tape->output[mlp->layers - 1];
}

void mlp_backward(const struct mlp *mlp, const float *parameters, struct mlp_tape *tape, int64_t n,
                  float *gradient)
{
    float *dz = tape->dz, *dx = tape->next;
    for (int32_t l = mlp->layers - 1; l >= 0; l--) {
        const struct linear *layer = &mlp->layer[l];
        const float *x = l > 0 ? tape->output[l - 1] : tape->input;
        linear_backward(layer, parameters, n, x, dz, gradient, l > 0 ? dx : NULL);
        if (l == 0)
            break;
        const float *slope = tape->slope[l - 1];
        for (int64_t k = 0; k < n * layer->in; k++)
            dx[k] *= slope[k];
        float *swap = dz;
        dz = dx;
        dx = swap;
    }
}
