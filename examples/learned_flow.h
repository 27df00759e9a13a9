/** A network trained on a source with the recommended settings: all that a program needs to know of
 * training when it is about something else. */
#ifndef EXAMPLES_LEARNED_FLOW_H
#define EXAMPLES_LEARNED_FLOW_H

#include <flowmatch/flowmatch.h>

struct learning {
    const fmatch_source *noise; /**< at t = 0; NULL: normal, with the data's mean and deviation */
    int32_t hidden_layers, hidden_width;
    int32_t batch;
    int64_t steps;
    uint64_t seed;
};

/**
 * Create a model of the source's rows and train it, with a display as train_with_progress has it.
 *
 * @param model  written: the new handle, owned by the caller; NULL on failure.
 */
fmatch_status learn_flow(fmatch_model **model, fmatch_context *context, const fmatch_source *data,
                         const struct learning *learning);

/** A context like any other, of so many threads. */
fmatch_status create_context(fmatch_context **context, int32_t threads);

/** "program: status: detail" on standard error, unless the status is FMATCH_OK. The exit status of
 * the program: 0 or 1. */
int report_status(const char *program, fmatch_status status);

#endif
