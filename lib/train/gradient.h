/* Loss and gradient of a batch: rows cut into shards, shards gathered into groups, and the groups'
 * gradients added in order. How rows are cut depends on their number and the network alone, never
 * on threads. */
#ifndef TRAIN_GRADIENT_H
#define TRAIN_GRADIENT_H

#include "model/baseline.h"
#include "model/mlp_tape.h"
#include "train/batch.h"
#include "train/loss.h"

struct gradient_group {
    struct mlp_tape tape;
    float *gradient; /* [count]; the first group's is the sum in the end */
    double loss;     /* sum over rows */
};

struct gradient {
    fmatch_context *context;
    const struct mlp *network;
    const struct baseline *baseline; /* NULL: there is none */
    const struct loss *measure;
    struct matmul matmul;
    int64_t rows;       /* capacity */
    int64_t shard_rows; /* of a tape */
    int32_t groups;     /* there are */
    struct gradient_group *group;
    float *packed; /* weights, if the built-in product is used */
};

/* For batches of up to `rows`. On failure nothing is held. `loss` and `baseline`, which may be
 * NULL, are lent. */
fmatch_status gradient_create(struct gradient *g, const struct mlp *network,
                              const struct baseline *baseline, const struct loss *loss,
                              fmatch_context *context, int64_t rows);
/* Accepts a zeroed one. */
void gradient_destroy(struct gradient *g);

/* Work of another kind that a thread may do meanwhile. */
struct gradient_aside {
    void (*run)(void *user);
    void *user;
};

struct batch_loss {
    double mean, weights; /* the rows' sum of weights, which count as one each without */
};

/* Fill n rows of the batch, and compute the loss and its gradient. The gradient is [count] at
 * gradient_result, and may be non-finite, as the loss may. `aside` may be NULL. */
fmatch_status gradient_run(struct gradient *g, const float *parameters, const struct batch *batch,
                           const struct batch_origin *origin, int64_t n,
                           const struct gradient_aside *aside, struct batch_loss *loss);

float *gradient_result(const struct gradient *g);

/* Fill n rows and compute the loss alone. */
fmatch_status gradient_evaluate(struct gradient *g, const float *parameters,
                                const struct batch *batch, const struct batch_origin *origin,
                                int64_t n, struct batch_loss *loss);

#endif
