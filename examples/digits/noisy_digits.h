/** Digits as a continuous distribution, which has a density: whole numbers of ink have none. */
#ifndef EXAMPLES_NOISY_DIGITS_H
#define EXAMPLES_NOISY_DIGITS_H

#include "digit_rows.h"

/**
 * Create a source of the rows in their order, over and over, with uniform noise on [0, 1) added to
 * every pixel, new each time, and without labels. The integral of a density over such a cube of
 * noise is the probability of a digit (Theis, van den Oord and Bethge 2016). It borrows the rows.
 */
fmatch_status noisy_digits_create_source(const struct digit_rows *rows, fmatch_context *context,
                                         fmatch_source **source);

/** Train a model of such a source. */
fmatch_status noisy_digits_learn(fmatch_model **model, fmatch_context *context,
                                 const fmatch_source *source, int64_t steps, uint64_t seed);

#endif
