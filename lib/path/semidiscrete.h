/* Transport of a whole noise distribution to stored rows: a potential g, under which x goes to the
 * row y_j with the least |x - y_j|^2 - g_j; see fmatch_transport_solve_semidiscrete. */
#ifndef PATH_SEMIDISCRETE_H
#define PATH_SEMIDISCRETE_H

#include <flowmatch/transport.h>

#include "source/source.h"

struct semidiscrete_problem {
    fmatch_context *context; /* whose allocator and threads are used */
    const fmatch_source *noise;
    int64_t m;
    const float *y;        /* [m, dim] of the noise */
    const double *weights; /* [m], positive, of sum 1; or NULL: even */
    int64_t batch, steps;
    double learning_rate; /* in units of the mean squared distance */
    double averaging, tolerance;
    uint64_t seed;
};

struct semidiscrete_result {
    int64_t steps;
    double marginal_error; /* chi square, estimated without bias */
    double cost;           /* the dual objective */
};

/* Writes the potential [m], of weighted mean 0. */
fmatch_status semidiscrete_solve(const struct semidiscrete_problem *p, double *potential,
                                 struct semidiscrete_result *result);

/* The row of y [m, dim] to which each row of x [n, dim] goes, and what it costs there less the
 * potential. On the context's threads. */
void semidiscrete_assign(fmatch_context *context, int64_t dim, int64_t n, const float *x, int64_t m,
                         const float *y, const double *potential, int32_t *row, double *least);

#endif
