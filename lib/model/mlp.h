/* Multilayer perceptron on rows [t, x, condition] -> v: its parameters, and its evaluation. */
#ifndef MODEL_MLP_H
#define MODEL_MLP_H

#include "context/context.h"
#include "model/layer.h"
#include "model/layer_norm.h"
#include "model/mlp_shape.h"
#include "model/parameters.h"

struct random_stream;

enum {
    MLP_TENSORS_MAX =
        2 * (MLP_HIDDEN_LAYERS_MAX + 1) + 2 * MLP_HIDDEN_LAYERS_MAX + CONDITION_TENSORS_MAX
};

struct mlp {
    const struct vector_kernels *kernels;
    const struct product_kernels *products;
    struct matmul matmul; /* of evaluation; training may choose another */
    struct mlp_shape shape;
    int32_t input, time;     /* columns of the input, and those of t, which are the first */
    int32_t layers;          /* linear ones: hidden layers and the output */
    int32_t widest;          /* of the input and all outputs */
    struct linear *layer;    /* [layers] */
    struct layer_norm *norm; /* [layers - 1] between a hidden layer and its activation; or NULL */
    float *standard;         /* the condition's mean and std */
    int32_t layer_tensors;   /* those behind them are the condition's */
    struct parameter_layout layout;
    int64_t packed_count; /* floats of all packed weights */
};

/* On failure nothing is held. */
fmatch_status mlp_init(struct mlp *mlp, fmatch_context *context, const struct mlp_shape *shape);
void mlp_destroy(struct mlp *mlp, const fmatch_allocator *allocator);

/* Every weight and bias from U(-1/sqrt(in), 1/sqrt(in)), the default of torch.nn.Linear, or of the
 * output 0; gains 1 and their biases 0; the condition's vectors from N(0, 1). */
void mlp_initialise(const struct mlp *mlp, const struct random_stream *stream, float *parameters);

/* Pack all weights for the built-in product; `packed` has packed_count floats. */
void mlp_pack(const struct mlp *mlp, const float *values, float *packed);

/* Rows that pass through all layers together: so few that what a layer writes is in the cache when
 * the next one reads it, and of a wide network so many that its weights are not read too often. */
int64_t mlp_rows_together(const struct mlp *mlp);

/* Layers read one buffer and write another; where there are residual blocks, a third holds what the
 * block will add. */
int64_t mlp_buffers(const struct mlp *mlp);
/* The first of them, each of `size` floats, that is neither of two; which may be NULL. */
float *mlp_other_buffer(float *buffers, int64_t size, const float *from, const float *kept);

/* Floats of scratch that mlp_evaluate needs for n rows. */
int64_t mlp_evaluate_size(const struct mlp *mlp, int64_t n);

/* What the network is asked about. */
struct mlp_rows {
    int64_t n;
    const float *t, *x;     /* [n], [n, dim] */
    const float *condition; /* [n, columns]; NULL: the null condition, if there are conditions */
};

/* v [n, dim], which may be x. */
void mlp_evaluate(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
                  const struct mlp_rows *rows, float *v);

/* The network's input, [n, mlp->input]. */
void mlp_join_input(const struct mlp *mlp, const float *parameters, const struct mlp_rows *rows,
                    float *input);

#endif
