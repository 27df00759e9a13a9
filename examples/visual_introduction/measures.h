/** How good a trained model of the post's problem is, beside what is known exactly. */
#ifndef EXAMPLES_MEASURES_H
#define EXAMPLES_MEASURES_H

#include "histogram.h"
#include "post.h"

enum { MEASURED_EULER_STEPS = 100, MEASURED_MIDPOINT_STEPS = 50, MEASURED_LOSSES = 1000 };

struct measures {
    double loss_last_1000;   /**< mean loss of the last 1000 steps, or of all if there are fewer */
    double irreducible_loss; /**< what no network can go below */
    double field_rmse;       /**< root of the integral over t of E under p_t of (v - u)^2 */
    double w1, w2;           /**< Wasserstein distances of the samples to the exact target */
    double w1_midpoint;      /**< of as many by the midpoint rule, MEASURED_MIDPOINT_STEPS steps */
    struct histogram midpoint; /**< of those */
    double mean, variance;     /**< of the samples */
    double path[POST_PATH_TIMES];
    double path_exact[POST_PATH_TIMES]; /**< the same solver on the exact field */
};

/**
 * Measure a trained model.
 *
 * @param exact    the closed-form model of the same target.
 * @param samples  [POST_SAMPLES], written: the samples that were measured, Euler's.
 */
fmatch_status measure(fmatch_context *context, const fmatch_model *model, const fmatch_model *exact,
                      const fmatch_trainer *trainer, uint64_t seed, float *samples,
                      struct measures *measures);

#endif
