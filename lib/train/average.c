#include "train/average.h"

#include "compute/vector_kernels.h"

double average_share(double decay, int64_t k)
{
    const double early = (1.0 + (double)k) / (10.0 + (double)k);
    return 1.0 - (decay < early ? decay : early);
}

/* So many that a thread is worth waking for them. */
enum { SHARE_VALUES = 16384 };

struct task {
    const struct vector_kernels *kernels;
    int64_t count;
    float share;
    const float *values;
    float *average;
};

static void take_some(void *argument, int64_t index)
{
    const struct task *t = argument;
    const int64_t first = index * SHARE_VALUES, rest = t->count - first;
    t->kernels->approach(rest < SHARE_VALUES ? rest : SHARE_VALUES, t->share, t->values + first,
                         t->average + first);
}

void average_take(fmatch_context *context, int64_t count, double share, const float *values,
                  float *average)
{
    struct task task = {.kernels = context->kernels,
                        .count = count,
                        .share = (float)share,
                        .values = values,
                        .average = average};
    context_run(context, (count + SHARE_VALUES - 1) / SHARE_VALUES, take_some, &task);
}
