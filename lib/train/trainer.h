/* The trainer handle: draws batches, fits its own copy of the parameters, and publishes it to the
 * model. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <flowmatch/trainer.h>

#include "train/batch.h"
#include "train/gradient.h"
#include "train/history.h"
#include "train/optimizer.h"
#include "train/pairs.h"
#include "train/settings.h"
#include "train/stored_target.h"
#include "train/validation.h"

enum { BATCH_MAX = 1 << 24 };

/* What a trainer is doing, which decides what a callback may ask of it. */
enum activity { IDLE, REPORTING, WORKING };

/* What steps change: all that a training which goes on elsewhere must know of this one, beside its
 * optimizer's steps, learning rate and state. */
struct training {
    int64_t steps;     /* taken */
    int64_t rows;      /* of the streams of noise, data and times that these used up */
    float *parameters; /* [count of the network] */
    float *average;    /* [count], the parameters' moving average; NULL: none */
    float *best;       /* [count], what had the least validation loss; NULL: no validation */
    struct validation_state validation;
    struct history history;
};

/* Accepts a zeroed one. */
void training_destroy(struct training *training, const fmatch_allocator *allocator);
/* The parameters that are evaluated: the average, if there is one. */
static inline const float *training_evaluated(const struct training *training)
{
    return training->average ? training->average : training->parameters;
}

struct fmatch_trainer {
    struct reference_count references;
    enum activity activity;
    fmatch_model *model;
    const struct mlp *network;
    fmatch_optimizer *optimizer;
    fmatch_source *target; /* or NULL */
    int32_t batch, accumulate;
    double clip_norm, average_decay;
    int32_t publish; /* an fmatch_publish */
    struct settings settings;
    struct batch_plan plan, evaluation;
    struct pairs pairs, evaluation_pairs;
    struct stored_target stored; /* of a semidiscrete coupling */
    struct validation validation;

    struct training training;
    struct gradient gradient;   /* of a batch */
    float *mean_gradient;       /* [count], of the batches of a step; NULL: there is one */
    const float *last_gradient; /* [count], of the last step or batch; NULL: none */
    struct batch room;
};

/* Around every call that runs callbacks: a callback may enter again only between steps, and only to
 * evaluate; one that destroys the trainer only gives the handle up. `most` is the most that the
 * trainer may be doing. */
fmatch_status trainer_enter(fmatch_trainer *trainer, enum activity most, enum activity *before);
/* Hands the status on. */
fmatch_status trainer_leave(fmatch_trainer *trainer, enum activity before, fmatch_status status);

const fmatch_allocator *trainer_allocator(const fmatch_trainer *trainer);

/* Room for batches of so many rows, with weights or without. */
fmatch_status trainer_reserve_rows(fmatch_trainer *trainer, int64_t rows, bool weighted);

#endif
