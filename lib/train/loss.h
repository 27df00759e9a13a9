/* What the velocity of a batch is measured by. */
#ifndef TRAIN_LOSS_H
#define TRAIN_LOSS_H

#include <stdint.h>

/* Mean over all n numbers of (v - u)^2. */
double loss_mean_square(int64_t n, const float *v, const float *u);

/* Its gradient with respect to v, 2 (v - u) / n. */
void loss_mean_square_gradient(int64_t n, const float *v, const float *u, float *dv);

#endif
