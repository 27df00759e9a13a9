/* What a user is told in the course of a run. */
#ifndef TRAIN_REPORTER_H
#define TRAIN_REPORTER_H

#include "train/trainer.h"

struct reporter {
    fmatch_progress progress; /* its report is NULL when nobody listens */
    int64_t steps, every;
    double began;
    double loss_sum; /* since the last report */
    int64_t losses;
};

fmatch_status reporter_begin(struct reporter *reporter, const fmatch_progress *progress,
                             int64_t steps);

/* After each step of the run, counted from 1. */
fmatch_status reporter_step(struct reporter *reporter, fmatch_trainer *trainer, int64_t step,
                            double loss);

#endif
