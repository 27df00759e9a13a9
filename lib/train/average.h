/* Weighted means of arrays of parameters, taken in one after the other. */
#ifndef TRAIN_AVERAGE_H
#define TRAIN_AVERAGE_H

#include "context/context.h"

/* 1 - d_k of the moving average after step k, which counts from 0: d_k = min(decay, (1 + k) / (10 +
 * k)), so that the first steps, which are far off, are soon forgotten. */
double average_share(double decay, int64_t k);

/* average += share (values - average), both [count] and finite, and so it stays. */
void average_take(fmatch_context *context, int64_t count, double share, const float *values,
                  float *average);

#endif
