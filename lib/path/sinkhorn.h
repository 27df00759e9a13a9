/* Entropic optimal transport by Sinkhorn's iterations.
 *
 * The plan is P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon), and the iterations are those of the
 * potentials f and g in the logarithmic domain; see fmatch_transport_solve_sinkhorn. Most of them
 * are made by factors u and v upon a matrix K of exponentials that stands still (Schmitzer,
 * "Stabilized sparse scaling algorithms for entropy regularized transport problems", 2019):
 * multiplications in the place of exponentials. When a factor leaves the range in which that is as
 * exact, the iteration is made over the logarithms, and K anew from its potentials. */
#ifndef PATH_SINKHORN_H
#define PATH_SINKHORN_H

#include "base/allocation.h"
#include "compute/transport_kernels.h"

struct sinkhorn_problem {
    int64_t n, m;
    const double *cost; /* [n, m] */
    const double *a;    /* [n], >= 0, or NULL: even, with the mass of b, or of 1 without b */
    const double *b;    /* [m], likewise; with fixed marginals scaled to the mass of a */
    double epsilon;     /* > 0, absolute */
    double rho;         /* > 0; infinity: the marginals are a and b */
    double tolerance;
    int64_t iterations; /* at most so many */
};

struct sinkhorn_result {
    int64_t iterations;
    double marginal_error, transport_cost, regularised_cost, mass;
};

/* Memory for problems up to [n_max, m_max]. */
struct sinkhorn {
    const struct transport_kernels *kernels;
    double *exponentials; /* [n, m] K_ij = exp((f_i + g_j - C_ij) / epsilon) */
    double *u, *next_u;   /* [n] factors of its rows */
    double *v;            /* [m] and of its columns */
    double *weighted;     /* [m] b_j v_j */
    double *sums;         /* [m] of columns */
    double *open;         /* [m] potentials, -infinity where b_j is 0 */
    double *block_least;
    double *a, *b; /* the weights in use */
};

/* n_max and m_max >= 1. On failure there is nothing to destroy. */
fmatch_status sinkhorn_create(struct sinkhorn *s, const fmatch_allocator *allocator, int64_t n_max,
                              int64_t m_max);
void sinkhorn_destroy(struct sinkhorn *s, const fmatch_allocator *allocator);

/* Solves for the potentials f [n] and g [m], from nothing. True when the error of the marginal not
 * just updated is within the tolerance; else what there is after the last iteration. plan [n, m]
 * may be NULL. */
bool sinkhorn_solve(struct sinkhorn *s, const struct sinkhorn_problem *problem, double *f,
                    double *g, double *plan, struct sinkhorn_result *result);

#endif
