/* The BLAS that the library was built with, if any: blas_openblas.c or blas_none.c.
 *
 * Products are called from one thread at a time, and cut into blocks of rows that depend on the
 * shape alone. */
#ifndef COMPUTE_BLAS_H
#define COMPUTE_BLAS_H

#include <stdbool.h>
#include <stdint.h>

struct blas_facts {
    const char *name, *version, *core, *threading; /* "" where unknown; static storage */
    int32_t threads;                               /* that it uses in a product; 0 without a BLAS */
};

bool blas_is_there(void);
struct blas_facts blas_get_facts(void);
void blas_set_threads(int32_t threads);

/* z [n, out] = x [n, in] W^T, with W [out, in]: the forward product. */
void blas_nt(int64_t n, int32_t out, int32_t in, const float *x, const float *w, float *z);

/* dx [n, in] = dz [n, out] W: the gradient with respect to the input. */
void blas_nn(int64_t n, int32_t in, int32_t out, const float *dz, const float *w, float *dx);

/* dW [out, in] = dz^T x, summed over n rows: the gradient with respect to the weight. */
void blas_tn(int32_t out, int32_t in, int64_t n, const float *dz, const float *x, float *dw);

#endif
