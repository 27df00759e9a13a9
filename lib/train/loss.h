/* What the predictions of a batch are measured by. */
#ifndef TRAIN_LOSS_H
#define TRAIN_LOSS_H

#include <flowmatch/loss.h>

#include "path/path.h"

struct loss {
    fmatch_loss_config config; /* defaults filled in */
    const struct path *path;   /* lent */
    int32_t prediction;
    fmatch_loss_callbacks callbacks;
};

/* NULL is the mean square. On failure the user's destroy has been called, unless the configuration
 * could not be read. */
fmatch_status loss_create(struct loss *loss, const fmatch_loss_config *config, int32_t dim,
                          const struct path *path, int32_t prediction);
/* What it does for the user when it fails, where there is not even a model. */
void loss_give_up(const fmatch_loss_config *config);
/* Accepts a zeroed one. */
void loss_destroy(struct loss *loss);

/* Some rows of a batch. */
struct loss_rows {
    int64_t n;
    int32_t dim;
    const float *predicted, *target; /* [n, dim] */
    const float *t;                  /* [n] */
    const float *weight;             /* [n], the rows' own; or NULL */
};

/* Sum over the rows of weight times loss. With `gradient` [n, dim], also `scale` times its
 * derivative with respect to the predictions. Fails only as a user's weight does. */
fmatch_status loss_evaluate(const struct loss *loss, const struct loss_rows *rows, double scale,
                            double *sum, float *gradient);

#endif
