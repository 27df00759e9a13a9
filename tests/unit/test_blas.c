/* The three matrix products against sums in double, at shapes on both sides of every block border.
 */
#include "compute/blas.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Small whole numbers and eighths: their sums are exact in float, so that any order of summation
 * agrees. */
static float number_at(int64_t i, uint32_t salt)
{
    const uint32_t mixed = ((uint32_t)i + salt) * 2654435761u;
    return (float)((int32_t)(mixed >> 28) - 8) / 8.0f;
}

static float *numbers(int64_t count, uint32_t salt)
{
    float *x = malloc(sizeof *x * (size_t)(count > 0 ? count : 1));
    assert_non_null(x);
    for (int64_t i = 0; i < count; i++)
        x[i] = number_at(i, salt);
    return x;
}

/* sum over k of a[i, k] b[j, k], where a strides tell how the matrices lie in memory. */
static void expect_product(const char *what, int64_t rows, int64_t columns, int64_t depth,
                           const float *a, int64_t a_row, int64_t a_depth, const float *b,
                           int64_t b_column, int64_t b_depth, const float *c)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < depth; k++)
                sum += (double)a[i * a_row + k * a_depth] * b[j * b_column + k * b_depth];
            if (c[i * columns + j] != (float)sum)
                fail_msg("%s %lldx%lldx%lld: [%lld, %lld] is %.9g, not %.9g", what, (long long)rows,
                         (long long)columns, (long long)depth, (long long)i, (long long)j,
                         (double)c[i * columns + j], sum);
        }
}

static const struct shape {
    int64_t n;
    int32_t out, in;
} shapes[] = {
    {1, 1, 1},    {1, 64, 64},   {63, 64, 64},    {64, 64, 64},  {65, 64, 64},  {256, 64, 2},
    {256, 1, 64}, {1000, 3, 17}, {257, 100, 100}, {33, 129, 65}, {48, 200, 90}, {17, 600, 400},
};

#define FOR_EACH_SHAPE(s)                                                                          \
    for (const struct shape *s = shapes; s < shapes + sizeof shapes / sizeof shapes[0]; s++)

static void forward_product(void **state)
{
    (void)state;
    FOR_EACH_SHAPE(s)
    {
        float *x = numbers(s->n * s->in, 1), *w = numbers((int64_t)s->out * s->in, 2);
        float *z = numbers(s->n * s->out, 3);
        blas_nt(s->n, s->out, s->in, x, w, z);
        expect_product("x W^T", s->n, s->out, s->in, x, s->in, 1, w, s->in, 1, z);
        free(x);
        free(w);
        free(z);
    }
}

static void input_gradient_product(void **state)
{
    (void)state;
    FOR_EACH_SHAPE(s)
    {
        float *dz = numbers(s->n * s->out, 4), *w = numbers((int64_t)s->out * s->in, 5);
        float *dx = numbers(s->n * s->in, 6);
        blas_nn(s->n, s->in, s->out, dz, w, dx);
        expect_product("dz W", s->n, s->in, s->out, dz, s->out, 1, w, 1, s->in, dx);
        free(dz);
        free(w);
        free(dx);
    }
}

static void weight_gradient_product(void **state)
{
    (void)state;
    FOR_EACH_SHAPE(s)
    {
        float *dz = numbers(s->n * s->out, 7), *x = numbers(s->n * s->in, 8);
        float *dw = numbers((int64_t)s->out * s->in, 9);
        blas_tn(s->out, s->in, s->n, dz, x, dw);
        expect_product("dz^T x", s->out, s->in, s->n, dz, 1, s->out, x, 1, s->in, dw);
        free(dz);
        free(x);
        free(dw);
    }
}

static void no_rows_give_no_gradient(void **state)
{
    (void)state;
    float nothing = 0.0f, dw[6] = {1, 2, 3, 4, 5, 6};
    blas_tn(2, 3, 0, &nothing, &nothing, dw);
    for (int i = 0; i < 6; i++)
        if (dw[i] != 0.0f)
            fail_msg("dW[%d] is %g after no rows, not 0", i, (double)dw[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_product),
        cmocka_unit_test(input_gradient_product),
        cmocka_unit_test(weight_gradient_product),
        cmocka_unit_test(no_rows_give_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
