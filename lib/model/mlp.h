/* Multilayer perceptron on rows [t, x, condition] -> v: forward for evaluation, forward and
 * backward for training. */
#ifndef MODEL_MLP_H
#define MODEL_MLP_H

#include "context/context.h"
#include "model/condition.h"
#include "model/layer.h"
#include "model/parameters.h"

struct random_stream;

enum {
    MLP_HIDDEN_LAYERS_MAX = 64,
    MLP_TENSORS_MAX = 2 * (MLP_HIDDEN_LAYERS_MAX + 1) + CONDITION_TENSORS_MAX
};

struct mlp {
    const struct vector_kernels *kernels;
    const struct product_kernels *products;
    struct matmul matmul; /* of evaluation; training may choose another */
    int32_t dim;
    int32_t layers; /* linear ones: hidden layers and the output */
    int32_t widest; /* of the input and all outputs */
    int32_t activation;
    struct condition condition;
    struct linear *layer; /* [layers] */
    struct parameter_layout layout;
    int64_t packed_count; /* floats of all packed weights */
};

/* What an mlp is made of. */
struct mlp_shape {
    int32_t dim, hidden_layers;
    const int32_t *hidden_widths; /* [hidden_layers] */
    int32_t activation;
    struct condition condition; /* where its parameters are is for the mlp to say */
};

/* On failure nothing is held. */
fmatch_status mlp_init(struct mlp *mlp, fmatch_context *context, const struct mlp_shape *shape);
void mlp_destroy(struct mlp *mlp, const fmatch_allocator *allocator);

/* Every weight and bias from U(-1/sqrt(in), 1/sqrt(in)), the default of torch.nn.Linear. */
void mlp_initialise(const struct mlp *mlp, const struct random_stream *stream, float *parameters);

/* Pack all weights for the built-in product; `packed` has packed_count floats. */
void mlp_pack(const struct mlp *mlp, const float *values, float *packed);

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

/* What a forward pass leaves for the backward pass, in one block of floats. */
struct mlp_tape {
    int64_t rows;     /* capacity */
    float *input;     /* [rows, 1 + dim + condition] */
    float **output;   /* [layers] of [rows, out]: activated ones, the last one v */
    float **slope;    /* [layers - 1] of [rows, out]: derivatives of the activation */
    float *dz, *next; /* [rows, widest] each */
    void *block;
};

fmatch_status mlp_tape_create(struct mlp_tape *tape, const struct mlp *mlp,
                              const fmatch_allocator *allocator, int64_t rows);
/* Accepts a zeroed tape. */
void mlp_tape_destroy(struct mlp_tape *tape, const fmatch_allocator *allocator);

/* How a pass over a tape's rows computes. */
struct mlp_pass {
    struct matmul matmul;
    struct parameter_view parameters;
    fmatch_context
        *context; /* whose threads share the element-wise work of a large pass; NULL: nobody's */
};

/* v [n, dim], which lives on the tape. */
float *mlp_forward(const struct mlp *mlp, const struct mlp_pass *pass, struct mlp_tape *tape,
                   const struct mlp_rows *rows);

/* Gradient with respect to all parameters, written or added to, from dv [n, dim] in tape->dz;
 * follows mlp_forward on the same rows. */
void mlp_backward(const struct mlp *mlp, const struct mlp_pass *pass, struct mlp_tape *tape,
                  const struct mlp_rows *rows, bool accumulate, float *gradient);

#endif
