/* Optimal transport through the public interface. */
#include "fixtures.h"

/* scipy.optimize.linear_sum_assignment (SciPy 1.10.1) of
 *   cost = [[((37*i + 11) * (53*j + 7) % 97) / 8 - 3 for j in range(n)] for i in range(n)] */
static void assignment_matches_scipy(void **state)
{
    static const struct {
        int n;
        double total;
    } cases[] = {{1, 6.625}, {5, 3.625}, {20, -34.375}, {64, -172.5}, {100, -286.625}};
    for (size_t c = 0; c < COUNT(cases); c++) {
        const int n = cases[c].n;
        double *cost = calloc((size_t)(n * n), sizeof *cost), total, sum = 0;
        int32_t permutation[100];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                cost[i * n + j] = (double)((37 * i + 11) * (53 * j + 7) % 97) / 8 - 3;
        expect_ok(
            fmatch_transport_solve_assignment(context_of(state), n, cost, permutation, &total));
        for (int i = 0; i < n; i++)
            sum += cost[i * n + permutation[i]];
        expect_close(total, cases[c].total, 0, "n = %d", n);
        expect_close(total, sum, 0, "sum of the pairs, n = %d", n);
        free(cost);
    }
}

/* Points moved by a constant, in another order: each goes to its image, in any dimension. */
static void moved_points_find_their_images(void **state)
{
    enum { N = 150 };
    for (int32_t dim = 1; dim <= 33; dim += 8) {
        float *x = floats(N * dim), *y = floats(N * dim);
        int32_t permutation[N];
        double total;
        fill_scattered(x, N * dim, 0, 16, (uint64_t)dim);
        for (int i = 0; i < N; i++)
            for (int k = 0; k < dim; k++) {
                x[i * dim + k] = roundf(x[i * dim + k] * 256) / 256;
                y[(i * 7 % N) * dim + k] = x[i * dim + k] + 0.5f;
            }
        expect_ok(fmatch_transport_solve_assignment_points(context_of(state), dim, N, x, y,
                                                           permutation, &total));
        expect_close(total, N * dim * 0.25, 1e-9, "dim %d", dim);
        for (int i = 0; i < N && dim > 1; i++)
            expect_that(permutation[i] == i * 7 % N, "row %d of dim %d goes to %d", i, dim,
                        permutation[i]);
        expect_ok(fmatch_transport_solve_assignment_points(context_of(state), dim, N, x, y,
                                                           permutation, NULL));
        free(y);
        free(x);
    }
}

static void extreme_costs(void **state)
{
    fmatch_context *context = context_of(state);
    const double huge = 1.7e308;
    const double costs[] = {huge, -huge, 1, 2, huge, huge, -huge, 0, huge};
    int32_t permutation[3];
    double total;
    expect_ok(fmatch_transport_solve_assignment(context, 3, costs, permutation, &total));
    assert_int_equal(permutation[0], 1);
    assert_int_equal(permutation[1], 2);
    assert_int_equal(permutation[2], 0);
    expect_that(total == -huge, "total %g", total);

    const double tiny[] = {3e-300, 1e300, 1e300, 2e-308};
    expect_ok(fmatch_transport_solve_assignment(context, 2, tiny, permutation, &total));
    expect_that(total == 3e-300 + 2e-308, "total %g", total);

    const double beyond[] = {huge, huge, huge, huge};
    expect_status(fmatch_transport_solve_assignment(context, 2, beyond, permutation, &total),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("total", "inf");

    total = 7;
    expect_ok(fmatch_transport_solve_assignment(context, 0, costs, permutation, &total));
    expect_that(total == 0, "total of nothing %g", total);
}

static void bad_input_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    double cost[] = {1, 2, NAN, 4}, total;
    float x[] = {1, 2, 3, INFINITY}, y[] = {1, 2, 3, 4};
    int32_t permutation[2];
    expect_status(fmatch_transport_solve_assignment(context, 2, cost, permutation, &total),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("cost", "row 1", "column 0", "nan");
    expect_status(fmatch_transport_solve_assignment(context, -1, cost, permutation, &total),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "-1", "65536");
    expect_status(fmatch_transport_solve_assignment(NULL, 2, cost, permutation, &total),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_assignment(context, 2, NULL, permutation, &total),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_assignment(context, 2, cost, NULL, &total),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(
        fmatch_transport_solve_assignment_points(context, 2, 2, x, y, permutation, &total),
        FMATCH_ERROR_NOT_FINITE);
    expect_detail("x", "row 1", "inf");
    expect_status(
        fmatch_transport_solve_assignment_points(context, 2, 2, y, x, permutation, &total),
        FMATCH_ERROR_NOT_FINITE);
    expect_status(
        fmatch_transport_solve_assignment_points(context, 0, 2, y, y, permutation, &total),
        FMATCH_ERROR_ARGUMENT);
    expect_detail("dim", "0", "65536");
    expect_status(
        fmatch_transport_solve_assignment_points(context, 2, 65537, y, y, permutation, &total),
        FMATCH_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(assignment_matches_scipy),
        world_test(moved_points_find_their_images),
        world_test(extreme_costs),
        world_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
