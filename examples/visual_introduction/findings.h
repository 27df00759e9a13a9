/** All numbers behind the figures. */
#ifndef EXAMPLES_FINDINGS_H
#define EXAMPLES_FINDINGS_H

#include "model_flow.h"
#include "reference_paths.h"
#include "run_results.h"
#include "solver_error.h"

enum { CURVE_POINTS = 1000, MOVING_AVERAGE = 100 };

/** The exact densities at t = 0 and t = 1. */
struct density_curves {
    double x[CURVE_POINTS];
    double noise[CURVE_POINTS];
    double target[CURVE_POINTS];
};

struct losses {
    int steps;
    double *step;    /**< [steps], 1, 2, 3, ... */
    double *loss;    /**< [steps] */
    double *average; /**< [steps], over this step and those before it, MOVING_AVERAGE at most */
};

/** Samples of one solver, beside the exact target. */
struct reconstruction {
    struct histogram histogram;
    double w2;
    double variance;
};

enum { RECONSTRUCTION_EULER, RECONSTRUCTION_MIDPOINT, RECONSTRUCTIONS };

struct findings {
    const struct run_results *run;
    struct density_curves curves;
    struct reference_paths reference;
    struct losses losses;
    struct model_flow learned, exact;
    struct model_flow recommended;
    struct grid difference;             /**< learned minus exact velocity */
    struct grid recommended_difference; /**< the same of the recommended settings */
    struct histogram samples;           /**< those of the run */
    struct reconstruction reconstructions[RECONSTRUCTIONS];
    struct grid sampled_density;
    double sampled_seconds; /**< that it took */
    double learned_w2[SOLVERS][SOLVER_BUDGETS];
    double exact_w2[SOLVERS][SOLVER_BUDGETS];
};

/** Zero `findings` first; destroy whatever the status. */
fmatch_status findings_collect(struct findings *findings, const struct run_results *run);
void findings_destroy(struct findings *findings);

#endif
