/** What a model's flow looks like: its velocity on a grid, lines along it, and where samples go. */
#ifndef EXAMPLES_MODEL_FLOW_H
#define EXAMPLES_MODEL_FLOW_H

#include "reference_paths.h"

enum {
    FLOW_TIMES = 101,
    FLOW_BINS = 200,
    FLOW_DENSITY_STEPS = 200,
    FLOW_DENSITY_TIMES = FLOW_DENSITY_STEPS + 1
};

struct model_flow {
    struct grid velocity;                      /**< at cell centres */
    double path_lines[PATH_LINES][FLOW_TIMES]; /**< Euler, FLOW_TIMES - 1 steps */
};

/** Zero `flow` first; destroy whatever the status. */
fmatch_status model_flow_collect(struct model_flow *flow, const fmatch_model *model);
void model_flow_destroy(struct model_flow *flow);

/** Density of sampled paths, POST_SAMPLES of them with Euler's method, by counting at every step.
 * Zero `density` first; destroy it whatever the status. */
fmatch_status sampled_density_collect(struct grid *density, const fmatch_model *model,
                                      uint64_t seed);

/** A sampler with a solver's default settings but for its steps. */
fmatch_status create_solver(fmatch_sampler **sampler, const fmatch_model *model, int32_t solver,
                            int64_t steps);

#endif
