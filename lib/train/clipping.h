/* Gradients of a bounded norm: Pascanu, Mikolov and Bengio 2013, "On the difficulty of training
 * recurrent neural networks", algorithm 1. */
#ifndef TRAIN_CLIPPING_H
#define TRAIN_CLIPPING_H

#include "context/context.h"

/* Euclidean norm of gradient [count], which is finite exactly where all of it is. */
double clipping_norm(fmatch_context *context, int64_t count, const float *gradient);

/* What a gradient of this norm is multiplied by, so that it is `most` at the most; 0: any. */
double clipping_scale(double norm, double most);

#endif
