/* Training passes of a multilayer perceptron: forward, which leaves a tape, and backward over it.
 */
#ifndef MODEL_MLP_TAPE_H
#define MODEL_MLP_TAPE_H

#include "model/mlp.h"

/* What a forward pass leaves for the backward pass, in one block of floats. */
struct mlp_tape {
    int64_t rows;     /* capacity */
    float *input;     /* [rows, mlp->input] */
    float **output;   /* [layers] of [rows, out]: activated ones, the last one v */
    float **slope;    /* [layers - 1] of [rows, out]: derivatives of the activation */
    float **normal;   /* [layers - 1] of [rows, out]: normalised, before gain and bias */
    float **inverse;  /* [layers - 1] of [rows]: what normalising multiplied by */
    float *dz, *next; /* [rows, widest] each */
    float *sum;       /* [rows, widest]: gradient of a residual block's output; or NULL */
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
