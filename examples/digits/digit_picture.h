/** The picture of the samples: for each strength of guidance a block, with a row for each class. */
#ifndef EXAMPLES_DIGIT_PICTURE_H
#define EXAMPLES_DIGIT_PICTURE_H

#include "digit_flow.h"

/**
 * Write a PNG file of n blocks, in which every sample has its nearest training digit beside it.
 * Says on standard output what was written, or that the program draws nothing because it was built
 * without cairo. On failure says why on standard error.
 */
bool digit_picture_write(int n, const struct guided_digits *blocks, const struct digit_rows *train,
                         double held_out_distance, const char *path);

#endif
