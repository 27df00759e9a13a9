/* Blocks of rows through the steps of a grid. */
#ifndef SAMPLE_FIXED_STEPS_H
#define SAMPLE_FIXED_STEPS_H

#include "sample/flow.h"

/* Floats that a lane needs, in whole cache lines. */
int64_t fixed_steps_lane_size(const struct flow *flow, int64_t rows);

fmatch_status fixed_steps_run(const struct flow *flow);

/* Evaluations of a row, two for each guided one. */
int64_t fixed_steps_count_evaluations(const struct solver *solver, const struct grid *grid,
                                      const struct guidance *guidance);

#endif
