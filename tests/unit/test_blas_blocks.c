/* How products are cut for OpenBLAS, seen by a cblas_sgemm of our own that stands in for it. */
#include "compute/blas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cblas.h>
#include <cmocka.h>

enum { SINGLE_THREAD_WORK = 262144 };

static int64_t calls, work, largest;

void cblas_sgemm(const enum CBLAS_ORDER order, const enum CBLAS_TRANSPOSE trans_a,
                 const enum CBLAS_TRANSPOSE trans_b, const blasint m, const blasint n,
                 const blasint k, const float alpha, const float *a, const blasint lda,
                 const float *b, const blasint ldb, const float beta, float *c, const blasint ldc)
{
    (void)order, (void)trans_a, (void)trans_b, (void)alpha, (void)a, (void)lda, (void)b, (void)ldb;
    (void)beta, (void)c, (void)ldc;
    const int64_t product = (int64_t)m * n * k;
    calls++;
    work += product;
    largest = product > largest ? product : largest;
}

static const struct shape {
    int64_t n;
    int32_t out, in;
} shapes[] = {{256, 64, 2},    {256, 64, 64},   {256, 1, 64},    {1000, 64, 64},
              {16384, 64, 64}, {256, 128, 128}, {7, 128, 128},   {100000, 3, 17},
              {256, 129, 127}, {256, 128, 129}, {512, 512, 512}, {31, 1000, 100}};

#define FOR_EACH_SHAPE(s)                                                                          \
    for (const struct shape *s = shapes; s < shapes + sizeof shapes / sizeof shapes[0]; s++)

/* Each call stays below OpenBLAS's threshold for waking threads wherever 16 rows do; and all of the
 * work is done. */
static void expect_cut(const char *what, const struct shape *s)
{
    const int64_t all = s->n * s->out * s->in;
    const bool small = 16 * (int64_t)s->out * s->in <= SINGLE_THREAD_WORK;
    if (work != all)
        fail_msg("%s %lldx%dx%d: %lld products were done, not %lld", what, (long long)s->n,
                 (int)s->out, (int)s->in, (long long)work, (long long)all);
    if (small && largest > SINGLE_THREAD_WORK)
        fail_msg("%s %lldx%dx%d: one call has M N K = %lld", what, (long long)s->n, (int)s->out,
                 (int)s->in, (long long)largest);
    if (!small && calls != 1)
        fail_msg("%s %lldx%dx%d: %lld calls where threads are worth waking", what, (long long)s->n,
                 (int)s->out, (int)s->in, (long long)calls);
    calls = work = largest = 0;
}

static void calls_stay_below_the_threshold(void **state)
{
    (void)state;
    FOR_EACH_SHAPE(s)
    {
        const int64_t widest = s->out > s->in ? s->out : s->in;
        const int64_t rows = s->n > widest ? s->n : widest;
        float *x = calloc((size_t)(rows * widest), sizeof *x); /* never touched: only addressed */
        assert_non_null(x);
        blas_nt(s->n, s->out, s->in, x, x, x);
        expect_cut("x W^T", s);
        blas_nn(s->n, s->in, s->out, x, x, x);
        expect_cut("dz W", s);
        blas_tn(s->out, s->in, s->n, x, x, x);
        expect_cut("dz^T x", s);
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_stay_below_the_threshold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
