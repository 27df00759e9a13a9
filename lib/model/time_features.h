/* How a network sees t: itself, or as cosines and sines of its multiples. */
#ifndef MODEL_TIME_FEATURES_H
#define MODEL_TIME_FEATURES_H

#include <flowmatch/model.h>

struct vector_kernels;

enum { TIME_FREQUENCIES_MAX = 64 };

/* Numbers that the network sees of t, given how often: 0 frequencies are t itself. */
int32_t time_features_width(int32_t frequencies);

/* cos(k pi t), sin(k pi t) for k = 1 to `frequencies` of n times, at to[i step]. */
void time_features_forward(int32_t frequencies, const struct vector_kernels *kernels, int64_t n,
                           const float *t, float *to, int64_t step);

#endif
