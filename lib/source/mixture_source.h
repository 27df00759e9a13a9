/* What the closed-form field needs to know of a Gaussian mixture. */
#ifndef SOURCE_MIXTURE_SOURCE_H
#define SOURCE_MIXTURE_SOURCE_H

#include "source/source.h"

/* Diagonal covariances; weights sum to one. */
struct mixture {
    int32_t dim, components;
    const double *weights;       /* [components] */
    const double *given_weights; /* [components], as the caller gave them */
    const double *cumulative;    /* [components], the last one 1 */
    const double *means;         /* [components, dim] */
    const double *stds;          /* [components, dim] */
};

/* The component that a number on [0, 1) chooses; never one of weight 0. */
int32_t mixture_choose(const struct mixture *m, float uniform);

/* Logarithm of the density at x [dim]. */
double mixture_log_density(const struct mixture *m, const float *x);

/* The mixture behind a source of that kind, NULL for others. Lives as long as the source. */
const struct mixture *mixture_source_get(const fmatch_source *source);

/* Is it normal, whatever its means and deviations? A mixture of one component is. */
bool mixture_source_is_normal(const fmatch_source *source);

#endif
