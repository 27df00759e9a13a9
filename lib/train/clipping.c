#include "train/clipping.h"

#include "compute/vector_kernels.h"

#include <math.h>

/* Shares depend on the number of parameters alone, and are added up in order. */
enum { SHARES_MAX = 64, SHARE_VALUES = 16384 };

struct task {
    const struct vector_kernels *kernels;
    int64_t count, share;
    const float *gradient;
    double sum[SHARES_MAX];
};

static void sum_share(void *argument, int64_t index)
{
    struct task *t = argument;
    const int64_t first = index * t->share, rest = t->count - first;
    t->sum[index] = t->kernels->square_sum(rest < t->share ? rest : t->share, t->gradient + first);
}

double clipping_norm(fmatch_context *context, int64_t count, const float *gradient)
{
    struct task task = {.kernels = context->kernels, .count = count, .gradient = gradient};
    const int64_t least = (count + SHARES_MAX - 1) / SHARES_MAX;
    task.share = least > SHARE_VALUES ? least : SHARE_VALUES;
    const int64_t shares = (count + task.share - 1) / task.share;
    context_run(context, shares, sum_share, &task);
    double sum = 0.0;
    for (int64_t i = 0; i < shares; i++)
        sum += task.sum[i];
    return sqrt(sum);
}

/* As torch.nn.utils.clip_grad_norm_ has it. */
double clipping_scale(double norm, double most)
{
    return most > 0.0 && norm > most ? most / (norm + 1e-6) : 1.0;
}
