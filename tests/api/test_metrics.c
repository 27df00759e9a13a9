/* Distances between samples, against SciPy's values and against their definitions. */
#include "fixtures.h"

/* Two sets of numbers that are floats exactly, the same as in the Python lines below:
 *   x = [(37*i % 101)/16 - 3 for i in range(n)],  y = [(53*i % 89)/8 - 4.5 for i in range(m)] */
static void fill_scipy_sets(float *x, int n, float *y, int m)
{
    for (int i = 0; i < n; i++)
        x[i] = (float)(37 * i % 101) / 16 - 3;
    for (int i = 0; i < m; i++)
        y[i] = (float)(53 * i % 89) / 8 - 4.5f;
}

/* scipy.stats.wasserstein_distance(x, y) with n = 23, m = 17 (SciPy 1.10.1), and W2 of the quantile
 * functions on the common grid of 23 * 17 cells. */
static void wasserstein_matches_scipy(void **state)
{
    float x[23], y[17];
    double w1, w2;
    fill_scipy_sets(x, 23, y, 17);
    expect_ok(fmatch_metrics_evaluate_wasserstein_1d(context_of(state), 23, x, 17, y, &w1, &w2));
    expect_close(w1, 1.7130754475703323, 1e-12, "W1");
    expect_close(w2, 2.049106906544929, 1e-12, "W2");
    double swapped;
    expect_ok(
        fmatch_metrics_evaluate_wasserstein_1d(context_of(state), 17, y, 23, x, &swapped, NULL));
    expect_close(swapped, w1, 1e-12, "W1, arguments exchanged");
    expect_ok(
        fmatch_metrics_evaluate_wasserstein_1d(context_of(state), 17, y, 23, x, NULL, &swapped));
    expect_close(swapped, w2, 1e-12, "W2, arguments exchanged");
}

/* With scipy.spatial.distance.cdist: 2 cdist(x, y).mean() - cdist(x, x).mean() - cdist(y,
 * y).mean(), for the sets above in one column and, 8 x 3 against 5 x 3, in three. */
static void energy_distance_matches_scipy(void **state)
{
    (void)state;
    float x[24], y[17];
    double distance;
    fill_scipy_sets(x, 24, y, 17);
    expect_ok(fmatch_metrics_evaluate_energy_distance(1, 23, x, 17, y, &distance));
    expect_close(distance, 0.7469739535978963, 1e-12, "one column");
    expect_ok(fmatch_metrics_evaluate_energy_distance(3, 8, x, 5, y, &distance));
    expect_close(distance, 2.555667470063405, 1e-12, "three columns");
}

static void known_distances(void **state)
{
    static const struct {
        int64_t n, m;
        float x[4], y[4];
        double w1, w2, energy;
    } cases[] = {
        {1, 1, {2}, {5}, 3, 3, 6},
        {1, 2, {0}, {-1, 1}, 1, 1, 2 * 1 - 0 - 1.0},
        {2, 2, {0, 1}, {1, 0}, 0, 0, 0},
        {2, 2, {0, 0}, {1, 3}, 2, 2.23606797749978969, 2 * 2 - 0 - 1.0},
        {3, 3, {5, 5, 5}, {5, 5, 5}, 0, 0, 0}, /* ties */
        {4, 2, {1, 1, 2, 2}, {2, 1}, 0, 0, 0}, /* equal as distributions */
        {2, 3, {0, 3}, {0, 0, 3}, 0.5, 1.22474487139158905, 2 * (1.5) - 1.5 - 4.0 / 3},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        double w1, w2, energy;
        expect_ok(fmatch_metrics_evaluate_wasserstein_1d(context_of(state), cases[i].n, cases[i].x,
                                                         cases[i].m, cases[i].y, &w1, &w2));
        expect_ok(fmatch_metrics_evaluate_energy_distance(1, cases[i].n, cases[i].x, cases[i].m,
                                                          cases[i].y, &energy));
        expect_close(w1, cases[i].w1, 1e-12, "W1 of case %zu", i);
        expect_close(w2, cases[i].w2, 1e-12, "W2 of case %zu", i);
        expect_close(energy, cases[i].energy, 1e-12, "energy distance of case %zu", i);
    }
}

static double mean_distance(int32_t dim, int64_t n, const float *x, int64_t m, const float *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < m; k++) {
            double square = 0;
            for (int32_t j = 0; j < dim; j++)
                square += pow((double)x[i * dim + j] - y[k * dim + j], 2);
            sum += sqrt(square);
        }
    return sum / ((double)n * (double)m);
}

static void energy_distance_matches_all_pairs(void **state)
{
    (void)state;
    static const struct {
        int32_t dim;
        int64_t n, m;
    } cases[] = {{1, 1, 300}, {2, 100, 257}, {5, 64, 3}, {17, 33, 40}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int32_t dim = cases[i].dim;
        int64_t n = cases[i].n, m = cases[i].m;
        float *x = floats(n * dim), *y = floats(m * dim);
        fill_scattered(x, n * dim, -3, 3, 1);
        fill_scattered(y, m * dim, -2, 4, 2);
        double seen, wanted = 2 * mean_distance(dim, n, x, m, y) - mean_distance(dim, n, x, n, x) -
                              mean_distance(dim, m, y, m, y);
        expect_ok(fmatch_metrics_evaluate_energy_distance(dim, n, x, m, y, &seen));
        expect_close(seen, wanted, 1e-10, "dim %d, %lld rows and %lld", dim, (long long)n,
                     (long long)m);
        expect_ok(fmatch_metrics_evaluate_energy_distance(dim, n, x, n, x, &seen));
        expect_close(seen, 0, 1e-12, "a set and itself, dim %d", dim);
        expect_that(seen >= 0, "distance of a set to itself is %g", seen);
        free(y);
        free(x);
    }
}

/* W_p^p as a sum over cells of the common grid of n m quantiles. */
static void wasserstein_matches_common_grid(void **state)
{
    static const int64_t sizes[][2] = {{1, 7}, {10, 10}, {6, 9}, {100, 37}, {64, 256}};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        int64_t n = sizes[s][0], m = sizes[s][1];
        float *x = floats(n), *y = floats(m);
        fill_scattered(x, n, -3, 3, s);
        fill_scattered(y, m, -2, 5, s + 100);
        for (int64_t i = 0; i < n; i++)
            x[i] = roundf(4 * x[i]) / 4; /* many ties */
        float *kept_x = floats(n), *kept_y = floats(m);
        memcpy(kept_x, x, (size_t)n * sizeof *x);
        memcpy(kept_y, y, (size_t)m * sizeof *y);
        double w1, w2, sum = 0, squares = 0;
        expect_ok(fmatch_metrics_evaluate_wasserstein_1d(context_of(state), n, x, m, y, &w1, &w2));
        expect_same_bits(x, kept_x, n, "x is left in its order");
        expect_same_bits(y, kept_y, m, "y is left in its order");
        for (int64_t i = 1; i < n; i++) /* insertion sort: not the library's */
            for (int64_t k = i; k > 0 && x[k] < x[k - 1]; k--) {
                float swapped = x[k];
                x[k] = x[k - 1];
                x[k - 1] = swapped;
            }
        for (int64_t i = 1; i < m; i++)
            for (int64_t k = i; k > 0 && y[k] < y[k - 1]; k--) {
                float swapped = y[k];
                y[k] = y[k - 1];
                y[k - 1] = swapped;
            }
        for (int64_t c = 0; c < n * m; c++) {
            double d = fabs((double)x[c / m] - y[c / n]);
            sum += d;
            squares += d * d;
        }
        expect_close(w1, sum / (double)(n * m), 1e-10, "W1 of %lld and %lld", (long long)n,
                     (long long)m);
        expect_close(w2, sqrt(squares / (double)(n * m)), 1e-10, "W2 of %lld and %lld",
                     (long long)n, (long long)m);
        free(kept_y);
        free(kept_x);
        free(y);
        free(x);
    }
}

/* Shifted by c, W1 = W2 = |c|; far from zero. */
static void shift_is_measured_exactly(void **state)
{
    float x[1000], y[1000];
    fill_scattered(x, 1000, 0, 1, 3);
    for (int i = 0; i < 1000; i++) {
        x[i] = roundf(x[i] * 1024) / 1024 + 4096;
        y[999 - i] = x[i] + 0.25f;
    }
    double w1, w2;
    expect_ok(
        fmatch_metrics_evaluate_wasserstein_1d(context_of(state), 1000, x, 1000, y, &w1, &w2));
    expect_close(w1, 0.25, 1e-12, "W1");
    expect_close(w2, 0.25, 1e-12, "W2");
}

static void bad_input_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    float x[] = {1, 2, 3, 4}, y[] = {5, NAN, 7, 8};
    double a, b;
    expect_status(fmatch_metrics_evaluate_wasserstein_1d(context, 4, x, 4, y, &a, &b),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("y", "1", "nan");
    expect_status(fmatch_metrics_evaluate_energy_distance(2, 2, y, 2, x, &a),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("x", "nan");
    y[1] = -INFINITY;
    expect_status(fmatch_metrics_evaluate_energy_distance(1, 4, x, 4, y, &a),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("y", "inf");
    expect_status(fmatch_metrics_evaluate_wasserstein_1d(context, 0, x, 4, x, &a, &b),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "0", "1");
    expect_status(fmatch_metrics_evaluate_wasserstein_1d(context, 4, x, -1, x, &a, &b),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("m", "-1", "1");
    expect_status(fmatch_metrics_evaluate_energy_distance(0, 4, x, 4, x, &a),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("dim", "0", "65536");
    expect_status(fmatch_metrics_evaluate_energy_distance(1, 0, x, 4, x, &a),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_metrics_evaluate_energy_distance(1, 4, x, 0, x, &a),
                  FMATCH_ERROR_ARGUMENT);
    expect_ok(fmatch_metrics_evaluate_energy_distance(1, 4, x, 4, x, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(wasserstein_matches_scipy),
        cmocka_unit_test(energy_distance_matches_scipy),
        world_test(known_distances),
        cmocka_unit_test(energy_distance_matches_all_pairs),
        world_test(wasserstein_matches_common_grid),
        world_test(shift_is_measured_exactly),
        world_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
