/* No BLAS: the built-in product does everything, and nobody asks for these. */
#include "compute/blas.h"

bool blas_is_there(void)
{
    return false;
}

struct blas_facts blas_get_facts(void)
{
    return (struct blas_facts){.name = "", .version = "", .core = "", .threading = ""};
}

void blas_set_threads(int32_t threads)
{
    (void)threads;
}

void blas_nt(int64_t n, int32_t out, int32_t in, const float *x, const float *w, float *z)
{
    (void)n, (void)out, (void)in, (void)x, (void)w, (void)z;
}

void blas_nn(int64_t n, int32_t in, int32_t out, const float *dz, const float *w, float *dx)
{
    (void)n, (void)in, (void)out, (void)dz, (void)w, (void)dx;
}

void blas_tn(int32_t out, int32_t in, int64_t n, const float *dz, const float *x, float *dw)
{
    (void)out, (void)in, (void)n, (void)dz, (void)x, (void)dw;
}
