/* Divergences of a model's velocity: exact, or Hutchinson's mean over probes z of z^T (dv/dx) z. */
#ifndef MODEL_DIVERGENCE_H
#define MODEL_DIVERGENCE_H

#include <flowmatch/divergence.h>

#include "compute/random_stream.h"

struct model_view;
struct model_rows;

/* How it is had. */
struct divergence_method {
    int32_t probes; /* of a row; 0: exact */
    int32_t probe;  /* an fmatch_probe */
    double step;    /* of finite differences */
    struct random_stream stream;
};

/* NULL is the exact divergence. */
fmatch_status divergence_method_read(struct divergence_method *method,
                                     const struct vector_kernels *kernels, const char *name,
                                     const fmatch_divergence_config *config);

/* Numbers that a row's estimate has: one for each probe. */
static inline int32_t divergence_terms(const struct divergence_method *method)
{
    return method->probes > 0 ? method->probes : 1;
}

/* Rows whose terms are kept at once. */
int64_t divergence_rows_together(const struct divergence_method *method);

/* What a kind is asked about n rows beside v: `weight` of the row times each term is added to
 * terms [divergence_terms, stride]. */
struct divergence {
    const struct divergence_method *method;
    int64_t *row;   /* [n], in the probes' stream */
    double *weight; /* [n] */
    double *terms;
    int64_t stride;
};

/* Term k of row i. Without a weight it does not matter, finite or not. */
static inline void divergence_add(const struct divergence *d, int32_t k, int64_t i, double term)
{
    if (d->weight[i] != 0.0)
        d->terms[k * d->stride + i] += d->weight[i] * term;
}

struct divergence divergence_part(const struct divergence *d, int64_t first);

/* Probe number k of n rows, z [n, dim]. */
void divergence_probe(const struct divergence *d, int32_t k, int64_t n, int32_t dim, float *z);

/* Mean [n] of the terms, and its standard error, if that is not NULL. */
void divergence_mean(const struct divergence *d, int64_t n, double *mean, double *standard_error);

#endif
