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

/* ---- Kolmogorov and Smirnov ---- */

/* scipy.stats.ks_2samp(x, y).statistic and ks_1samp(x, norm.cdf).statistic of SciPy 1.10.1 with the
 * sets above. */
static void kolmogorov_smirnov_matches_scipy(void **state)
{
    fmatch_context *context = context_of(state);
    float x[23], y[17];
    double statistic, cdf[23];
    fill_scipy_sets(x, 23, y, 17);
    expect_ok(fmatch_metrics_evaluate_kolmogorov_smirnov(context, 23, x, 17, y, &statistic));
    expect_close(statistic, 0.35294117647058826, 1e-15, "two samples");
    expect_ok(fmatch_metrics_evaluate_kolmogorov_smirnov(context, 17, y, 23, x, &statistic));
    expect_close(statistic, 0.35294117647058826, 1e-15, "two samples, exchanged");
    for (int i = 0; i < 23; i++)
        cdf[i] = 0.5 * erfc(-x[i] / sqrt(2.0));
    expect_ok(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(context, 23, cdf, &statistic));
    expect_close(statistic, 0.245262703154289, 1e-14, "against the normal");
}

static void known_kolmogorov_smirnov(void **state)
{
    static const struct {
        int64_t n, m;
        float x[4], y[4];
        double statistic;
    } cases[] = {
        {1, 1, {1}, {1}, 0},
        {1, 1, {1}, {2}, 1},
        {2, 2, {0, 1}, {1, 0}, 0},
        {4, 2, {2, 1, 2, 1}, {1, 2}, 0},
        {2, 3, {0, 3}, {0, 0, 3}, 2.0 / 3 - 0.5},
        {1, 4, {2.5f}, {1, 2, 3, 4}, 0.5},
        {1, 2, {-0.0f}, {0.0f, 1}, 0.5}, /* one zero, whatever its sign */
    };
    static const struct {
        int64_t n;
        double cdf[5], statistic;
    } one_sample[] = {{1, {0.5}, 0.5},       {1, {0}, 1},
                      {1, {1}, 1},           {2, {0.75, 0.25}, 0.25},
                      {3, {1, 1, 1}, 1},     {5, {0.9, 0.41, 0.05, 0.42, 0.4}, 0.38},
                      {4, {0, 0, 1, 1}, 0.5}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        double seen;
        expect_ok(fmatch_metrics_evaluate_kolmogorov_smirnov(
            context_of(state), cases[i].n, cases[i].x, cases[i].m, cases[i].y, &seen));
        expect_close(seen, cases[i].statistic, 1e-15, "case %zu", i);
    }
    for (size_t i = 0; i < COUNT(one_sample); i++) {
        double seen;
        expect_ok(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(context_of(state), one_sample[i].n,
                                                                 one_sample[i].cdf, &seen));
        expect_close(seen, one_sample[i].statistic, 1e-15, "one sample, case %zu", i);
    }
}

static double share_up_to(int64_t n, const float *x, float z)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += x[i] <= z;
    return (double)count / (double)n;
}

static void kolmogorov_smirnov_matches_counting(void **state)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        const int64_t n = 1 + (int64_t)(seed * 7 % 40), m = 1 + (int64_t)(seed * 11 % 60);
        float x[40], y[60];
        double cdf[40], seen, wanted = 0, one_wanted = 0;
        fill_scattered(x, n, 0, 1, seed);
        fill_scattered(y, m, 0.2, 1.2, seed + 1000);
        for (int64_t i = 0; i < n && seed % 2; i++)
            x[i] = roundf(8 * x[i]) / 8;
        for (int64_t j = 0; j < m && seed % 2; j++)
            y[j] = roundf(8 * y[j]) / 8;
        for (int64_t i = 0; i < n + m; i++) {
            const float z = i < n ? x[i] : y[i - n];
            wanted = fmax(wanted, fabs(share_up_to(n, x, z) - share_up_to(m, y, z)));
        }
        for (int64_t i = 0; i < n; i++) {
            cdf[i] = x[i];
            const double below = share_up_to(n, x, nextafterf(x[i], -1));
            one_wanted = fmax(one_wanted, fmax(share_up_to(n, x, x[i]) - x[i], x[i] - below));
        }
        expect_ok(fmatch_metrics_evaluate_kolmogorov_smirnov(context_of(state), n, x, m, y, &seen));
        expect_close(seen, wanted, 1e-14, "seed %llu", (unsigned long long)seed);
        expect_ok(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(context_of(state), n, cdf, &seen));
        expect_close(seen, one_wanted, 1e-14, "one sample, seed %llu", (unsigned long long)seed);
    }
}

/* ---- sliced Wasserstein distance ---- */

static double sliced_square(fmatch_context *context, int32_t dim, int64_t n, const float *x,
                            int64_t m, const float *y, int64_t projections, uint64_t seed)
{
    double w2, square;
    expect_ok(fmatch_metrics_evaluate_sliced_wasserstein(context, dim, n, x, m, y, projections,
                                                         seed, &w2, &square));
    expect_close(w2 * w2, square, 1e-14 * square, "the square of SW2");
    return square;
}

static void sliced_in_one_dimension_is_exact(void **state)
{
    float x[23], y[17];
    fill_scipy_sets(x, 23, y, 17);
    const double square = sliced_square(context_of(state), 1, 23, x, 17, y, 9, 5);
    expect_close(sqrt(square), 2.049106906544929, 1e-12, "SW2, one column");
}

/* The first direction of a seed, up to sign: the squared projections of the axes e_k and of
 * e_0 + e_k. */
static void find_direction(fmatch_context *context, int32_t dim, uint64_t seed, double *direction)
{
    float x[8] = {0};
    const float zero[8] = {0};
    for (int32_t k = 0; k < dim; k++) {
        x[k] = 1;
        direction[k] = sqrt(sliced_square(context, dim, 1, x, 1, zero, 1, seed));
        x[0] = 1;
        const double both = sqrt(sliced_square(context, dim, 1, x, 1, zero, 1, seed));
        if (k > 0 && both < fmax(direction[0], direction[k]))
            direction[k] = -direction[k];
        x[k] = x[0] = 0;
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort_projections(int32_t dim, int64_t n, const float *x, const double *direction,
                             double *sorted)
{
    for (int64_t i = 0; i < n; i++) {
        sorted[i] = 0;
        for (int32_t k = 0; k < dim; k++)
            sorted[i] += x[i * dim + k] * direction[k];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
}

static void sliced_matches_projections(void **state)
{
    enum { DIM = 5, N = 30, M = 20 };
    float x[DIM * N], y[DIM * M];
    fill_scattered(x, DIM * N, -2, 1, 1);
    fill_scattered(y, DIM * M, -1, 3, 2);
    for (uint64_t seed = 0; seed < 20; seed++) {
        double direction[DIM], u[N], v[M], norm = 0, wanted = 0;
        find_direction(context_of(state), DIM, seed, direction);
        for (int k = 0; k < DIM; k++)
            norm += direction[k] * direction[k];
        expect_close(norm, 1, 1e-6, "length of the direction of seed %d", (int)seed);
        sort_projections(DIM, N, x, direction, u);
        sort_projections(DIM, M, y, direction, v);
        for (int c = 0; c < N * M; c++)
            wanted += pow(u[c / M] - v[c / N], 2) / (N * M);
        const double seen = sliced_square(context_of(state), DIM, N, x, M, y, 1, seed);
        expect_close(seen, wanted, 1e-5 * wanted, "seed %d", (int)seed);
    }
}

/* Shifted by c, the square along each direction is (theta c)^2: in the mean |c|^2 / dim, with the
 * variance |c|^4 (3 / (dim (dim + 2)) - 1 / dim^2) for directions uniform on the sphere. The chance
 * of a false alarm is 1e-6. */
static void sliced_shift_has_the_mean_of_the_sphere(void **state)
{
    enum { PROJECTIONS = 20000 };
    static const int32_t dims[] = {2, 3, 8};
    for (size_t d = 0; d < COUNT(dims); d++) {
        const double dim = dims[d];
        float x[3 * 8], y[3 * 8];
        fill_scattered(x, 3 * dims[d], 0, 1, 7);
        double c_square = 0;
        for (int i = 0; i < 3 * dims[d]; i++) {
            const float c = (float)(1 + i % dims[d]);
            x[i] = roundf(64 * x[i]) / 64;
            y[i] = x[i] + c;
            c_square += i < dims[d] ? c * c : 0;
        }
        const double deviation = c_square * sqrt(3 / (dim * (dim + 2)) - 1 / (dim * dim));
        const double seen = sliced_square(context_of(state), dims[d], 3, x, 3, y, PROJECTIONS, 3);
        expect_close(seen, c_square / dim, Z * deviation / sqrt(PROJECTIONS), "dim %d", dims[d]);
    }
}

static void sliced_is_a_distance_and_scales(void **state)
{
    fmatch_context *context = context_of(state);
    enum { DIM = 3, N = 40, M = 25 };
    float x[DIM * N], y[DIM * M], twice[2 * DIM * M];
    fill_scattered(x, DIM * N, -2, 1, 1);
    fill_scattered(y, DIM * M, -1, 3, 2);
    memcpy(twice, y, sizeof y);
    memcpy(twice + DIM * M, y, sizeof y);
    const double square = sliced_square(context, DIM, N, x, M, y, 50, 8);
    expect_close(sliced_square(context, DIM, M, y, N, x, 50, 8), square, 1e-12, "exchanged");
    expect_close(sliced_square(context, DIM, M, y, 2 * M, twice, 50, 8), 0, 1e-12, "doubled");
    expect_close(sliced_square(context, DIM, N, x, N, x, 50, 8), 0, 0, "a set and itself");
    expect_that(sliced_square(context, DIM, N, x, M, y, 50, 9) != square, "%g: seeds are equal",
                square);
    for (int i = 0; i < DIM * N; i++)
        x[i] *= 4;
    for (int i = 0; i < DIM * M; i++)
        y[i] *= 4;
    expect_close(sliced_square(context, DIM, N, x, M, y, 50, 8), 16 * square, 1e-12 * square,
                 "four times as large");
}

static void sliced_is_the_same_on_any_threads(void **state)
{
    (void)state;
    enum { DIM = 7, N = 300, M = 200 };
    float x[DIM * N], y[DIM * M];
    fill_scattered(x, DIM * N, -2, 1, 1);
    fill_scattered(y, DIM * M, -1, 3, 2);
    double first = 0;
    for (int32_t threads = 1; threads <= 5; threads++) {
        fmatch_context_config config = forced_context_config();
        config.threads = threads;
        fmatch_context *context;
        expect_ok(fmatch_context_create(&context, &config));
        const double square = sliced_square(context, DIM, N, x, M, y, 33, 4);
        first = threads == 1 ? square : first;
        expect_close(square, first, 0, "%d threads", threads);
        fmatch_context_destroy(&context);
    }
}

static void bad_sliced_input_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    float x[] = {1, 2, 3, 4}, huge[] = {3e38f, 3e38f, 3e38f, -3e38f};
    double a, b;
    expect_status(fmatch_metrics_evaluate_sliced_wasserstein(context, 2, 2, x, 2, x, 0, 1, &a, &b),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("projections", "0", "1");
    expect_status(fmatch_metrics_evaluate_sliced_wasserstein(context, 2, 0, x, 2, x, 1, 1, &a, &b),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "0", "1");
    expect_status(
        fmatch_metrics_evaluate_sliced_wasserstein(context, 2, 1, huge, 2, huge, 50, 1, &a, &b),
        FMATCH_ERROR_NOT_FINITE);
    double cdf[] = {0.5, 1.5};
    expect_status(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(context, 2, cdf, &a),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("cdf[1]", "1.5", "between 0 and 1");
    cdf[1] = NAN;
    expect_status(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(context, 2, cdf, &a),
                  FMATCH_ERROR_ARGUMENT);
    x[3] = NAN;
    expect_status(fmatch_metrics_evaluate_kolmogorov_smirnov(context, 4, x, 2, x, &a),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("x", "3", "nan");
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
        world_test(kolmogorov_smirnov_matches_scipy),
        world_test(known_kolmogorov_smirnov),
        world_test(kolmogorov_smirnov_matches_counting),
        world_test(sliced_in_one_dimension_is_exact),
        world_test(sliced_matches_projections),
        world_test(sliced_shift_has_the_mean_of_the_sphere),
        world_test(sliced_is_a_distance_and_scales),
        cmocka_unit_test(sliced_is_the_same_on_any_threads),
        world_test(bad_sliced_input_is_refused),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
