/** A flow from noise to digits of a class that is asked for, and its samples. */
#ifndef EXAMPLES_DIGIT_FLOW_H
#define EXAMPLES_DIGIT_FLOW_H

#include "../progress.h"
#include "nearest_digits.h"

enum {
    EACH = 100, /**< samples for each class */
    SAMPLES = CLASSES * EACH
};

struct digit_flow {
    fmatch_source *train, *held_out;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
    struct training_record record;
};

/** Samples under one strength of guidance, and what they turned out to be. */
struct guided_digits {
    double scale; /**< s of v_0 + s (v_c - v_0); 1 is none */
    float pixels[SAMPLES * PIXELS];
    float labels[SAMPLES]; /**< what was asked for, EACH in a row */
    struct nearest_digit nearest[SAMPLES];
    double recognised; /**< share */
    double distance;   /**< median, to the nearest training digit */
};

/** Train a model on digits. To be destroyed in any case; the rows are borrowed until then. */
fmatch_status digit_flow_train(struct digit_flow *flow, fmatch_context *context,
                               const struct digit_rows *train, const struct digit_rows *held_out,
                               int64_t steps, uint64_t seed);

void digit_flow_destroy(struct digit_flow *flow);

/** Fill in all but the scale, which is given. Every scale begins with the same noise. */
fmatch_status digit_flow_draw(const struct digit_flow *flow, const struct digit_rows *train,
                              uint64_t seed, struct guided_digits *digits);

#endif
