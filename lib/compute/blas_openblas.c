#include "compute/blas.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

bool blas_is_there(void)
{
    return true;
}

/* The configuration reads "OpenBLAS 0.3.21 NO_LAPACKE ...": the version is its second word. */
static const char *version_word(void)
{
    static _Thread_local char version[32];
    if (sscanf(openblas_get_config(), "%*s %31s", version) != 1)
        version[0] = '\0';
    return version;
}

struct blas_facts blas_get_facts(void)
{
    static const char *const threading[] = {"serial", "pthread", "OpenMP"};
    const int parallel = openblas_get_parallel();
    return (struct blas_facts){.name = "OpenBLAS",
                               .version = version_word(),
                               .core = openblas_get_corename(),
                               .threading =
                                   parallel >= 0 && parallel <= 2 ? threading[parallel] : "",
                               .threads = openblas_get_num_threads()};
}

void blas_set_threads(int32_t threads)
{
    openblas_set_num_threads(threads);
}

/* OpenBLAS wakes its threads when M N K exceeds this (interface/gemm.c, SMP_THRESHOLD_MIN = 65536
 * times 4). For small networks waking them costs more than the product, so that calls are kept at
 * or below it. */
enum { SINGLE_THREAD_WORK = 262144, ROWS_MIN = 16, ROWS_MAX = 1 << 20 };

/* Rows of a block. Where even 16 rows are above the threshold, threads are worth their waking and
 * blocks are large. */
static int64_t rows_of_block(int64_t n, int64_t out, int64_t in)
{
    int64_t rows = SINGLE_THREAD_WORK / (out * in);
    rows = rows < ROWS_MIN ? ROWS_MAX : rows - rows % ROWS_MIN;
    return n < rows ? n : rows;
}

void blas_nt(int64_t n, int32_t out, int32_t in, const float *x, const float *w, float *z)
{
    const int64_t block = rows_of_block(n, out, in);
    for (int64_t i = 0; i < n; i += block) {
        const int64_t rows = n - i < block ? n - i : block;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, out, in, 1.0f, x + i * in,
                    in, w, in, 0.0f, z + i * out, out);
    }
}

void blas_nn(int64_t n, int32_t in, int32_t out, const float *dz, const float *w, float *dx)
{
    const int64_t block = rows_of_block(n, out, in);
    for (int64_t i = 0; i < n; i += block) {
        const int64_t rows = n - i < block ? n - i : block;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, in, out, 1.0f,
                    dz + i * out, out, w, in, 0.0f, dx + i * in, in);
    }
}

void blas_tn(int32_t out, int32_t in, int64_t n, const float *dz, const float *x, float *dw)
{
    const int64_t block = rows_of_block(n, out, in);
    for (int64_t i = 0; i < n; i += block) {
        const int64_t rows = n - i < block ? n - i : block;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, (int)rows, 1.0f, dz + i * out,
                    out, x + i * in, in, i == 0 ? 0.0f : 1.0f, dw, in);
    }
    if (n == 0)
        memset(dw, 0, sizeof *dw * (size_t)out * (size_t)in);
}
