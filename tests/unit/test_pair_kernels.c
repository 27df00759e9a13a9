/* Sums over pairs, against the C library in long double, for every instruction set that this
 * processor has. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compute/instruction_set.h"
#include "flowmatch/context.h"

enum { N = 4000 };

/* From 1e-12 to 1e4, and none twice in the same place. */
static double square_at(int i)
{
    return i == 0 ? 0.0 : pow(10.0, -12.0 + 16.0 * (i * 1237 % N) / N);
}

static void expect_sum(double seen, long double wanted, double relative, const char *what, int n)
{
    if (fabsl(seen - wanted) <= relative * wanted)
        return;
    print_error("%s of %d: %.17g instead of %.17Lg\n", what, n, seen, wanted);
    fail();
}

static void each_exponential(const struct pair_kernels *kernels)
{
    for (int i = 0; i < N; i++) {
        const double square = square_at(i), exponent = -0.7 * square;
        const double seen = kernels->sum_gaussians(1, &square, 0.7);
        if (exponent >= -708.0)
            expect_sum(seen, expl((long double)exponent), 4e-16, "exp", i);
        else if (seen != 0.0)
            fail_msg("exp(%g) is %g", exponent, seen);
    }
    const double zero = 0.0, huge = 1e308;
    assert_true(kernels->sum_gaussians(1, &zero, 1e300) == 1.0);
    assert_true(kernels->sum_gaussians(1, &huge, 1e300) == 0.0);
}

/* Lengths with every remainder of a vector. A sum of n values is off by n roundings at most. */
static void each_sum(const struct pair_kernels *kernels)
{
    static double squares[N];
    for (int n = 0; n <= N; n += n < 40 ? 1 : 660) {
        long double roots = 0, gaussians = 0;
        for (int i = 0; i < n; i++) {
            squares[i] = square_at(i);
            roots += sqrtl((long double)squares[i]);
            gaussians += expl((long double)(-0.01 * squares[i]));
        }
        const double relative = (n + 4) * 1.2e-16;
        expect_sum(kernels->sum_roots(n, squares), roots, relative, "roots", n);
        expect_sum(kernels->sum_gaussians(n, squares, 0.01), gaussians, relative, "gaussians", n);
    }
}

static void sums_match_the_c_library(void **state)
{
    (void)state;
    static const int32_t sets[] = {FMATCH_INSTRUCTION_SET_BASELINE, FMATCH_INSTRUCTION_SET_AVX2};
    for (int s = 0; s < 2; s++) {
        const struct instruction_set *set = instruction_set_get(sets[s]);
        if (!set) /* the processor lacks it */
            continue;
        each_exponential(set->pairs);
        each_sum(set->pairs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_match_the_c_library)};
    return cmocka_run_group_tests_name("pair_kernels", tests, NULL, NULL);
}
