/* How a trainer draws its times, what it minimises and how its rate changes: what a configuration
 * asks for by pointers. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include <flowmatch/trainer.h>

#include "model/model.h"
#include "path/coupling.h"
#include "path/time_sampler.h"
#include "train/loss.h"
#include "train/rate.h"

struct settings {
    struct time_sampler times;
    struct loss loss;
    struct rate rate;
    struct coupling *coupling; /* NULL: sides are independent */
};

/* On failure nothing is held, and each user's destroy has been called, unless its struct could not
 * be read. */
fmatch_status settings_create(struct settings *settings, const fmatch_model *model,
                              const fmatch_trainer_config *config);
/* What it does for the user when it fails, where there is no model to train. */
void settings_give_up(const fmatch_trainer_config *config);
/* Accepts zeroed settings. */
void settings_destroy(struct settings *settings, const fmatch_allocator *allocator);

#endif
