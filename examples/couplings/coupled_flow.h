/** One flow for each coupling: the same network, trained and measured in the same way. */
#ifndef EXAMPLES_COUPLED_FLOW_H
#define EXAMPLES_COUPLED_FLOW_H

#include <flowmatch/flowmatch.h>

enum {
    DIM = 2,
    BATCH = 256,      /**< rows that are coupled, in training and in the picture of the pairs */
    ROWS = 2000,      /**< that the flow is measured with */
    PATH_STEPS = 100, /**< of Euler's method for the paths, as in the literature */
    BUDGETS = 7
};

/** Evaluations of the field for a sample. */
extern const int budgets[BUDGETS];

/** What is carried to what, and the rows that all flows are measured with. */
struct problem {
    fmatch_context *context;
    fmatch_source *noise, *target;
    float start[ROWS * DIM];  /**< noise that the flows begin with */
    float wanted[ROWS * DIM]; /**< fresh rows of the target */
    double transport;         /**< W2^2 from start to wanted */
    /** From wanted to other rows of the target, the mean over some sets: as good as it gets. */
    double w2_floor, energy_distance_floor;
};

struct distances {
    double w2, energy_distance; /**< from samples to the target */
};

struct coupled_flow {
    const char *name;
    int32_t kind; /**< an fmatch_coupling */
    double seconds, loss, energy, normalised_energy, curvature, straightness;
    struct distances distances[BUDGETS];
    int32_t noise_row[BATCH], target_row[BATCH]; /**< pairs of the first rows of the problem */
    double pair_cost;                            /**< mean squared distance of theirs */
    float paths[(PATH_STEPS + 1) * ROWS * DIM];  /**< [times, rows, dim] */
};

fmatch_status problem_create(struct problem *problem, uint64_t seed);
void problem_destroy(struct problem *problem);

/** Train a network under the coupling that `flow` names, and fill in the rest of it. */
fmatch_status coupled_flow_run(struct coupled_flow *flow, const struct problem *problem,
                               int64_t steps, uint64_t seed);

#endif
