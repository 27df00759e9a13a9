/* The assignment solver from inside: against all permutations where they are few, and by its own
 * dual prices, which prove a solution of any size. */
#include "../api/fixtures.h"

#include "base/allocation.h"
#include "compute/instruction_set.h"
#include "path/assignment.h"

#include <float.h>

static const fmatch_allocator *allocator = &allocation_default;

static void solver_for(struct assignment *a, int64_t n_max)
{
    expect_ok(assignment_create(a, allocator, n_max));
}

static double *doubles(int64_t n)
{
    double *x = calloc(n > 0 ? (size_t)n : 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static void expect_permutation(int64_t n, const int32_t *permutation)
{
    unsigned char *seen = calloc((size_t)n, 1);
    for (int64_t i = 0; i < n; i++) {
        expect_that(permutation[i] >= 0 && permutation[i] < n && !seen[permutation[i]],
                    "row %lld has column %d", (long long)i, permutation[i]);
        seen[permutation[i]] = 1;
    }
    free(seen);
}

static double least_of_all(int n, const double *cost, int row, unsigned taken)
{
    if (row == n)
        return 0;
    double least = INFINITY;
    for (int j = 0; j < n; j++) {
        if (taken >> j & 1)
            continue;
        const double sum = cost[row * n + j] + least_of_all(n, cost, row + 1, taken | 1u << j);
        least = sum < least ? sum : least;
    }
    return least;
}

/* Kinds of costs: integers with many ties, uniform, of either sign, sixty decades, equal rows, all
 * of them equal, squared distances between points of which many coincide. */
enum { KINDS = 7 };

static void fill_costs(double *cost, int n, int kind, uint64_t seed)
{
    float *u = floats(n * n);
    fill_scattered(u, n * n, 0, 1, seed);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            const double x = u[i * n + j], a = floor(3 * u[i]), b = floor(3 * u[n * (n - 1) + j]);
            cost[i * n + j] = kind == 0   ? floor(4 * x)
                              : kind == 1 ? x
                              : kind == 2 ? 1e6 * (x - 0.5)
                              : kind == 3 ? pow(10, 600 * (x - 0.5))
                              : kind == 4 ? floor(10 * u[j]) / 7
                              : kind == 5 ? -2.5
                                          : (a - b) * (a - b);
        }
    free(u);
}

static void all_permutations_agree(void **state)
{
    (void)state;
    struct assignment a;
    solver_for(&a, 7);
    for (int n = 1; n <= 7; n++)
        for (int kind = 0; kind < KINDS; kind++)
            for (uint64_t seed = 0; seed < (n < 7 ? 100 : 20); seed++) {
                double cost[49];
                int32_t permutation[7];
                fill_costs(cost, n, kind, seed * 64 + (uint64_t)(n * KINDS + kind));
                const double total = assignment_solve(&a, n, cost, permutation);
                expect_permutation(n, permutation);
                double largest = 0, sum = 0;
                for (int i = 0; i < n; i++) {
                    largest = fmax(largest, fabs(cost[i * n + permutation[i]]));
                    sum += cost[i * n + permutation[i]];
                }
                const double least = least_of_all(n, cost, 0, 0);
                expect_that(fabs(total - least) <= 1e-13 * n * largest,
                            "n %d, kind %d, seed %llu: %.17g; the least is %.17g", n, kind,
                            (unsigned long long)seed, total, least);
                expect_that(total == sum, "total %.17g, sum %.17g", total, sum);
            }
    assignment_destroy(&a, allocator);
}

/* Duality: for any prices v, the sum of v_j and of u_i = min_j(cost[i, j] - v_j) is at most the
 * cost of any permutation; so a permutation with this cost is the best. */
static double dual_bound(int64_t n, const double *cost, const double *v)
{
    double bound = 0;
    for (int64_t i = 0; i < n; i++) {
        double u = INFINITY;
        for (int64_t j = 0; j < n; j++)
            u = fmin(u, cost[i * n + j] - v[j]);
        bound += u + v[i];
    }
    return bound;
}

static void expect_proved(struct assignment *a, int64_t n, const double *cost, const char *what)
{
    int32_t *permutation = calloc((size_t)n, sizeof *permutation);
    double largest = 0;
    const double total = assignment_solve(a, n, cost, permutation);
    for (int64_t i = 0; i < n * n; i++)
        largest = fmax(largest, fabs(cost[i]));
    expect_permutation(n, permutation);
    const double bound = dual_bound(n, cost, a->price);
    expect_that(total - bound <= 1e-12 * largest * (double)n, "%s, n %lld: %.17g, bound %.17g",
                what, (long long)n, total, bound);
    free(permutation);
}

static void prices_prove_large_ones(void **state)
{
    (void)state;
    static const int64_t sizes[] = {31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 513};
    struct assignment a;
    solver_for(&a, 513);
    double *cost = doubles(513 * 513);
    for (size_t s = 0; s < COUNT(sizes); s++) {
        const int64_t n = sizes[s];
        for (int kind = 0; kind < KINDS; kind++) {
            if (kind == 3)
                continue;
            fill_costs(cost, (int)n, kind, s * KINDS + (uint64_t)kind);
            expect_proved(&a, n, cost, "costs");
        }
        for (int32_t dim = 1; dim <= 5; dim += 2) {
            float *x = floats(n * dim), *y = floats(n * dim);
            fill_scattered(x, n * dim, -1, 1, s);
            fill_scattered(y, n * dim, 1, 4, s + 100);
            assignment_fill_cost(&a, dim, n, x, n, y, cost);
            expect_proved(&a, n, cost, "points");
            assignment_fill_cost(&a, dim, n, x, n, x, cost);
            expect_proved(&a, n, cost, "points and themselves");
            free(y);
            free(x);
        }
    }
    free(cost);
    assignment_destroy(&a, allocator);
}

/* In one dimension the sorted order is optimal: both sides ascending. */
static void sorted_order_on_the_line(void **state)
{
    (void)state;
    enum { N = 300 };
    struct assignment a;
    solver_for(&a, N);
    float x[N], y[N];
    int32_t permutation[N];
    double *cost = doubles(N * N);
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i * 7 % N) / 8;
        y[i] = (float)(i * 11 % N) / 4 - 20;
    }
    assignment_fill_cost(&a, 1, N, x, N, y, cost);
    assignment_solve(&a, N, cost, permutation);
    for (int i = 0; i < N; i++)
        expect_that(y[permutation[i]] == (float)(i * 7 % N) / 4 - 20, "row %d has %g", i,
                    y[permutation[i]]);
    free(cost);
    assignment_destroy(&a, allocator);
}

static void ties_go_to_the_lowest_index(void **state)
{
    (void)state;
    struct assignment a;
    solver_for(&a, 200);
    double *cost = doubles(200 * 200);
    int32_t permutation[200];
    static const int64_t sizes[] = {1, 2, 5, 32, 33, 63, 64, 65, 200};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        const int64_t n = sizes[s];
        expect_that(assignment_solve(&a, n, cost, permutation) == 0, "total");
        for (int64_t i = 0; i < n; i++)
            expect_that(permutation[i] == i, "n %lld: row %lld has column %d", (long long)n,
                        (long long)i, permutation[i]);
    }
    free(cost);
    assignment_destroy(&a, allocator);
}

static void costs_of_points(void **state)
{
    (void)state;
    static const int32_t dims[] = {1, 2, 3, 63, 64, 65, 200};
    enum { N = 9, M = 71 };
    struct assignment a;
    solver_for(&a, 0);
    for (size_t s = 0; s < COUNT(dims); s++) {
        const int32_t dim = dims[s];
        float *x = floats(N * dim), *y = floats(M * dim);
        double cost[N * M];
        fill_scattered(x, N * dim, -3, 3, s);
        fill_scattered(y, M * dim, -3, 3, s + 7);
        assignment_fill_cost(&a, dim, N, x, M, y, cost);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < M; j++) {
                double sum = 0;
                for (int k = 0; k < dim; k++)
                    sum += pow((double)x[i * dim + k] - y[j * dim + k], 2);
                expect_close(cost[i * M + j], sum, 1e-13 * sum, "dim %d, row %d, column %d", dim, i,
                             j);
            }
        free(y);
        free(x);
    }
    assignment_destroy(&a, allocator);
}

/* Every instruction set gives the same bits, since nothing is fused and minima have no order. */
static void instruction_sets_agree(void **state)
{
    (void)state;
    enum { N = 333, DIM = 3 };
    struct assignment a;
    solver_for(&a, N);
    float *x = floats(N * DIM), *y = floats(N * DIM);
    double *costs[2] = {doubles(N * N), doubles(N * N)}, totals[2];
    int32_t permutations[2][N];
    fill_scattered(x, N * DIM, -3, 3, 1);
    fill_scattered(y, N * DIM, -1, 6, 2);
    for (int s = 0; s < 2; s++) {
        if (s == 1)
            a.kernels = instruction_set_get(FMATCH_INSTRUCTION_SET_BASELINE)->transport;
        assignment_fill_cost(&a, DIM, N, x, N, y, costs[s]);
        totals[s] = assignment_solve(&a, N, costs[s], permutations[s]);
    }
    assert_memory_equal(costs[0], costs[1], N * N * sizeof(double));
    assert_memory_equal(permutations[0], permutations[1], sizeof permutations[0]);
    assert_memory_equal(&totals[0], &totals[1], sizeof totals[0]);
    free(costs[1]);
    free(costs[0]);
    free(y);
    free(x);
    assignment_destroy(&a, allocator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_permutations_agree),   cmocka_unit_test(prices_prove_large_ones),
        cmocka_unit_test(sorted_order_on_the_line), cmocka_unit_test(ties_go_to_the_lowest_index),
        cmocka_unit_test(costs_of_points),          cmocka_unit_test(instruction_sets_agree),
    };
    return cmocka_run_group_tests_name("assignment", tests, NULL, NULL);
}
