/* The loss on fixed draws, from which nothing is learned. */
#ifndef TRAIN_EVALUATION_H
#define TRAIN_EVALUATION_H

#include "train/trainer.h"

/* Mean loss over the first n rows of the plan, which shares evaluation's pairs. Its times are drawn
 * for as many rows together as fit: all, or a batch's. May be non-finite. */
fmatch_status evaluation_run(fmatch_trainer *trainer, const struct batch_plan *plan,
                             bool all_together, int64_t n, double *loss);

#endif
