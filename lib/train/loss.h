/* What the velocity of a batch is measured by. */
#ifndef TRAIN_LOSS_H
#define TRAIN_LOSS_H

#include <stdint.h>

/* Sum over n numbers of (v - u)^2. */
double loss_square_sum(int64_t n, const float *v, const float *u);

/* Gradient with respect to v of the mean of (v - u)^2 over `total` numbers, of which these are n: 2
 * (v - u) / total. */
void loss_mean_square_gradient(int64_t n, int64_t total, const float *v, const float *u, float *dv);

#endif
