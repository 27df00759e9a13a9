/* Times between which a flow is followed. */
#ifndef SAMPLE_GRID_H
#define SAMPLE_GRID_H

#include <flowmatch/sampler.h>

#include "base/allocation.h"

/* Times 0 to `steps`, strictly in the direction from `start` to `end`. */
struct grid {
    int32_t kind; /* an fmatch_grid */
    int64_t steps;
    double start, end;
    double shift;
    double *times; /* [steps + 1] of the kind TIMES */
};

/* From a configuration that has been checked, but for the grid. An adaptive solver takes no steps
 * from it: its times are those of output, the two ends if there are none. */
fmatch_status grid_create(struct grid *grid, const fmatch_allocator *allocator,
                          const fmatch_sampler_config *config, bool adaptive);
void grid_destroy(struct grid *grid, const fmatch_allocator *allocator);

double grid_time(const struct grid *grid, int64_t i);

#endif
