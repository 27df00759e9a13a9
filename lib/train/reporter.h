/* What a user is told in the course of a run. */
#ifndef TRAIN_REPORTER_H
#define TRAIN_REPORTER_H

#include "train/trainer.h"

struct reporter {
    fmatch_progress progress; /* its report is NULL when nobody listens */
    int64_t steps, every;
    double began;
    /* Since the last report, which was at `reported`. */
    double reported, loss_sum, norm_sum;
    int64_t sums;
};

fmatch_status reporter_begin(struct reporter *reporter, const fmatch_progress *progress,
                             int64_t steps);

/* After each step of the run, counted from 1, of which this may be the last. */
fmatch_status reporter_step(struct reporter *reporter, fmatch_trainer *trainer, int64_t number,
                            bool last, const struct history_step *step);

#endif
