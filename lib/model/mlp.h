/* Multilayer perceptron on rows [t, x] -> v: forward for evaluation, forward and backward for
 * training. */
#ifndef MODEL_MLP_H
#define MODEL_MLP_H

#include "model/layer.h"
#include "model/parameters.h"

struct vector_kernels;
struct random_stream;

enum { MLP_HIDDEN_LAYERS_MAX = 64 };

struct mlp {
    const struct vector_kernels *kernels;
    int32_t dim;
    int32_t layers; /* linear ones: hidden layers and the output */
    int32_t widest; /* of the input and all outputs */
    int32_t activation;
    struct linear *layer; /* [layers] */
    struct parameter_layout layout;
};

/* hidden_widths [hidden_layers]. On failure nothing is held. */
fmatch_status mlp_init(struct mlp *mlp, const fmatch_allocator *allocator,
                       const struct vector_kernels *kernels, int32_t dim, int32_t hidden_layers,
                       const int32_t *hidden_widths, int32_t activation);
void mlp_destroy(struct mlp *mlp, const fmatch_allocator *allocator);

/* Every weight and bias from U(-1/sqrt(in), 1/sqrt(in)), the default of torch.nn.Linear. */
void mlp_initialise(const struct mlp *mlp, const struct random_stream *stream, float *parameters);

/* Floats of scratch that mlp_evaluate needs for n rows. */
int64_t mlp_evaluate_size(const struct mlp *mlp, int64_t n);

/* v [n, dim] from t [n] and x [n, dim]; v may be x. */
void mlp_evaluate(const struct mlp *mlp, const float *parameters, float *scratch, int64_t n,
                  const float *t, const float *x, float *v);

/* What a forward pass leaves for the backward pass, in one block of floats. */
struct mlp_tape {
    int64_t rows;     /* capacity */
    float *input;     /* [rows, 1 + dim] */
    float **output;   /* [layers] of [rows, out]: activated ones, the last one v */
    float **slope;    /* [layers - 1] of [rows, out]: derivatives of the activation */
    float *dz, *next; /* [rows, widest] each */
    void *block;
};

fmatch_status mlp_tape_create(struct mlp_tape *tape, const struct mlp *mlp,
                              const fmatch_allocator *allocator, int64_t rows);
/* Accepts a zeroed tape. */
void mlp_tape_destroy(struct mlp_tape *tape, const fmatch_allocator *allocator);

/* v [n, dim], which lives on the tape. */
float *mlp_forward(const struct mlp *mlp, const float *parameters, struct mlp_tape *tape, int64_t n,
                   const float *t, const float *x);

/* Gradient with respect to all parameters, from dv [n, dim] in tape->dz; follows mlp_forward on the
 * same rows. */
void mlp_backward(const struct mlp *mlp, const float *parameters, struct mlp_tape *tape, int64_t n,
                  float *gradient);

#endif
