/* Validation in the course of training: which parameters were best, and when patience ends. */
#ifndef TRAIN_VALIDATION_H
#define TRAIN_VALIDATION_H

#include <flowmatch/trainer.h>

#include "train/batch.h"

struct validation {
    fmatch_validation_config config; /* every = 0: there is none */
    fmatch_source *source;           /* kept; NULL: the trainer's target */
    struct time_sampler times;       /* the trainer's but stratified; what it points to is lent */
    struct batch_plan plan;
};

/* What became of it so far. */
struct validation_state {
    int64_t step;      /* after which it was made last; 0: never */
    double loss;       /* of that one; nan before the first */
    int64_t best_step; /* of the least loss; 0: none yet */
    double best_loss;  /* infinite before that */
    int64_t waited;    /* validations since then, or since the first step */
};

/* Checks the configuration and keeps its source; NULL gives none. On failure nothing is held. */
fmatch_status validation_create(struct validation *validation,
                                const fmatch_validation_config *config);
/* Accepts a zeroed one. */
void validation_destroy(struct validation *validation);

/* Its rows: those of the evaluation's plan, with its own seed, times and source. */
void validation_plan(struct validation *validation, const struct batch_plan *evaluation);

void validation_state_begin(struct validation_state *state);

/* Validates if that is due after the steps so far and was not done. */
fmatch_status validation_run(fmatch_trainer *trainer);

/* Is patience at its end? */
bool validation_has_stopped(const struct validation *validation,
                            const struct validation_state *state);

#endif
