/* One step of a trainer. */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "train/trainer.h"

/* Loss and gradient of n rows, drawn or given; `more` of the drawn ones will follow. */
fmatch_status step_differentiate(fmatch_trainer *trainer, const fmatch_batch *given, int64_t n,
                                 bool more, double *loss);

/* With these, one step. Parameters and counters change only if all of it is finite; the history
 * must have room. */
fmatch_status step_take(fmatch_trainer *trainer, const fmatch_batch *given, int64_t n, bool more,
                        double *loss);

/* Room in the history for some of so many steps. */
fmatch_status step_reserve(fmatch_trainer *trainer, int64_t steps);

/* Hand the parameters to the model, which has reserved room. */
fmatch_status step_publish(const fmatch_trainer *trainer);

#endif
