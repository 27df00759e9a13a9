/* One step of a trainer. */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "train/trainer.h"

/* Loss and gradient of the caller's rows; or, without them, of the batches that make a step of the
 * trainer's own, where `more` steps will follow. */
fmatch_status step_differentiate(fmatch_trainer *trainer, const fmatch_batch *given, bool more,
                                 struct history_step *step);

/* With these, one step. Parameters, average and counters change only if all of it is finite; the
 * history must have room. */
fmatch_status step_take(fmatch_trainer *trainer, const fmatch_batch *given, bool more,
                        struct history_step *step);

/* Room in the history for some of so many steps. */
fmatch_status step_reserve(fmatch_trainer *trainer, int64_t steps);

/* Hand parameters to the model, which has reserved room. */
fmatch_status step_publish(const fmatch_trainer *trainer);

#endif
