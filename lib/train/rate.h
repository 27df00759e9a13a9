/* How the learning rate changes: a factor as a function of the step. */
#ifndef TRAIN_RATE_H
#define TRAIN_RATE_H

#include <flowmatch/rate.h>

/* What a trainer uses where it is told nothing. */
extern const fmatch_rate_config rate_recommended;

struct rate {
    fmatch_rate_config config; /* defaults filled in; its length is known */
    fmatch_rate_callbacks callbacks;
};

/* NULL is a factor of 1. `steps` is the length where the configuration has none. On failure the
 * user's destroy has been called, unless the configuration could not be read. */
fmatch_status rate_create(struct rate *rate, const fmatch_rate_config *config, int64_t steps);
/* What it does for the user when it fails, where there is not even a model. */
void rate_give_up(const fmatch_rate_config *config);
/* Accepts a zeroed one. */
void rate_destroy(struct rate *rate);

/* The step from which on the factor is 0; INT64_MAX: none. */
int64_t rate_end(const struct rate *rate);

/* Factor of a step, which counts from 0. Fails only as a user's function does. */
fmatch_status rate_evaluate(const struct rate *rate, int64_t step, double *factor);

#endif
