/** What a run leaves behind. */
#ifndef EXAMPLES_RUN_RESULTS_H
#define EXAMPLES_RUN_RESULTS_H

#include "summary.h"

/** Lent to whoever shows it. */
struct run_results {
    fmatch_context *context;
    const fmatch_source *target;
    const fmatch_model *model, *recommended, *exact;
    const fmatch_trainer *trainer;
    const float *samples; /**< [POST_SAMPLES], those that were measured */
    const struct summary *summary;
};

#endif
