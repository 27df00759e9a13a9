/* Maximum mean discrepancy, against its definition, values by hand and NumPy's. */
#include "fixtures.h"

static double mmd_with(fmatch_context *context, int32_t dim, int64_t n, const float *x, int64_t m,
                       const float *y, int32_t estimator, int32_t count, const double *sigmas)
{
    fmatch_mmd_config config;
    fmatch_mmd_config_init(&config);
    config.estimator = estimator;
    config.count = count;
    config.sigmas = sigmas;
    double square;
    expect_ok(fmatch_metrics_evaluate_mmd(context, dim, n, x, m, y, &config, &square));
    return square;
}

/* Sets of the Python lines
 *   x = [(37*i % 101)/16 - 3 for i in range(n)],  y = [(53*i % 89)/8 - 4.5 for i in range(m)] */
static void fill_sets(float *x, int n, float *y, int m)
{
    for (int i = 0; i < n; i++)
        x[i] = (float)(37 * i % 101) / 16 - 3;
    for (int i = 0; i < m; i++)
        y[i] = (float)(53 * i % 89) / 8 - 4.5f;
}

/* In NumPy 1.24 with kernels from scipy.spatial.distance.cdist; 23 and 17 rows of one column, 8 and
 * 5 of three. */
static void mmd_matches_numpy(void **state)
{
    static const double two[] = {0.5, 2.5};
    static const struct {
        int32_t dim;
        int n, m, count;
        double biased, unbiased;
    } cases[] = {{1, 23, 17, 0, 0.2690133732374198, -0.022003940371475572},
                 {1, 23, 17, 2, 0.23453931776930825, 0.09541248019942761},
                 {3, 8, 5, 0, 1.135247905127196, 0.10421184820421336},
                 {3, 8, 5, 2, 0.8175415779628818, 0.23125170867097788}};
    fmatch_context *context = context_of(state);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int n = cases[i].n, m = cases[i].m;
        const int32_t dim = cases[i].dim;
        const double *sigmas = cases[i].count ? two : NULL;
        float x[24], y[17];
        fill_sets(x, n * dim, y, m * dim);
        expect_close(mmd_with(context, dim, n, x, m, y, FMATCH_MMD_BIASED, cases[i].count, sigmas),
                     cases[i].biased, 1e-14, "biased, case %zu", i);
        expect_close(
            mmd_with(context, dim, n, x, m, y, FMATCH_MMD_UNBIASED, cases[i].count, sigmas),
            cases[i].unbiased, 1e-14, "unbiased, case %zu", i);
    }
}

/* One row each: 2 (1 - k). Two rows each, by hand. */
static void mmd_by_hand(void **state)
{
    fmatch_context *context = context_of(state);
    const double one[] = {1}, half = exp(-0.5), four = exp(-2.0);
    const float x[] = {0, 1}, y[] = {1, 2}, far[] = {1e6f, -1e6f};
    double square;
    expect_ok(fmatch_metrics_evaluate_mmd(context, 1, 1, x, 1, y, NULL, &square));
    const double wanted = exp(-5000.0) + exp(-50.0) + exp(-0.5) + exp(-0.005) + exp(-0.00005);
    expect_close(square, 2 * (5 - wanted), 1e-14, "one row each, recommended sigmas");
    expect_close(mmd_with(context, 1, 2, x, 2, y, FMATCH_MMD_BIASED, 1, one),
                 2 * (2 + 2 * half) / 4 - 2 * (2 * half + four + 1) / 4, 1e-15, "biased");
    expect_close(mmd_with(context, 1, 2, x, 2, y, FMATCH_MMD_UNBIASED, 1, one),
                 2 * half - 2 * (2 * half + four + 1) / 4, 1e-15, "unbiased");
    expect_close(mmd_with(context, 1, 2, x, 2, far, FMATCH_MMD_BIASED, 1, one),
                 (2 + 2 * half) / 4 + 0.5, 1e-15, "far away");
}

static double mean_kernel(int32_t dim, int64_t n, const float *x, int64_t m, const float *y,
                          int32_t count, const double *sigmas, bool different)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            double square = 0;
            for (int32_t k = 0; k < dim; k++)
                square += pow((double)x[i * dim + k] - y[j * dim + k], 2);
            for (int32_t s = 0; s < count && !(different && i == j); s++)
                sum += exp(-square / (2 * sigmas[s] * sigmas[s]));
        }
    return sum / ((double)n * (double)(different ? m - 1 : m));
}

/* Sizes around the blocks of rows, on several threads with the same bits. */
static void mmd_matches_all_pairs(void **state)
{
    (void)state;
    static const double sigmas[] = {0.3, 1, 7};
    static const struct {
        int32_t dim;
        int64_t n, m;
    } cases[] = {{1, 32, 65}, {2, 200, 129}, {67, 33, 2}, {130, 5, 70}};
    for (size_t c = 0; c < COUNT(cases); c++) {
        const int32_t dim = cases[c].dim;
        const int64_t n = cases[c].n, m = cases[c].m;
        float *x = floats(n * dim), *y = floats(m * dim);
        fill_scattered(x, n * dim, -1, 1, c);
        fill_scattered(y, m * dim, -1, 1.5, c + 100);
        for (int unbiased = 0; unbiased < 2; unbiased++) {
            const double wanted = mean_kernel(dim, n, x, n, x, 3, sigmas, unbiased) +
                                  mean_kernel(dim, m, y, m, y, 3, sigmas, unbiased) -
                                  2 * mean_kernel(dim, n, x, m, y, 3, sigmas, false);
            double first = 0;
            for (int32_t threads = 1; threads <= 3; threads++) {
                fmatch_context_config config = forced_context_config();
                config.threads = threads;
                fmatch_context *context;
                expect_ok(fmatch_context_create(&context, &config));
                const double seen = mmd_with(context, dim, n, x, m, y, unbiased, 3, sigmas);
                first = threads == 1 ? seen : first;
                expect_close(seen, first, 0, "%d threads", threads);
                fmatch_context_destroy(&context);
            }
            expect_close(first, wanted, 1e-13, "case %zu, unbiased %d", c, unbiased);
        }
        free(y);
        free(x);
    }
}

static void identities_of_mmd(void **state)
{
    fmatch_context *context = context_of(state);
    enum { DIM = 2, N = 70, M = 50 };
    static const double sigmas[] = {0.5, 2}, larger[] = {2, 8};
    float x[DIM * N], y[DIM * M], copy[DIM * N];
    fill_scattered(x, DIM * N, -1, 1, 5);
    fill_scattered(y, DIM * M, -1, 2, 6);
    memcpy(copy, x, sizeof x);
    const double square = mmd_with(context, DIM, N, x, M, y, FMATCH_MMD_BIASED, 2, sigmas);
    expect_close(mmd_with(context, DIM, M, y, N, x, FMATCH_MMD_BIASED, 2, sigmas), square, 1e-14,
                 "exchanged");
    expect_close(mmd_with(context, DIM, N, x, N, copy, FMATCH_MMD_BIASED, 2, sigmas), 0, 1e-14,
                 "equal sets");
    expect_close(mmd_with(context, DIM, N, x, N, x, FMATCH_MMD_BIASED, 2, sigmas), 0, 0,
                 "a set and itself");
    /* Rows of one array, but not the same ones. */
    expect_close(mmd_with(context, DIM, N, x, M, x, FMATCH_MMD_BIASED, 2, sigmas),
                 mmd_with(context, DIM, N, x, M, copy, FMATCH_MMD_BIASED, 2, sigmas), 1e-14,
                 "a set and its beginning");
    for (int i = 0; i < DIM * N; i++)
        x[i] *= 4;
    for (int i = 0; i < DIM * M; i++)
        y[i] *= 4;
    expect_close(mmd_with(context, DIM, N, x, M, y, FMATCH_MMD_BIASED, 2, larger), square, 1e-14,
                 "data and sigmas four times as large");
}

/* N(0, 1) against N(1, 1) with sigma = 1: E k = exp(-d^2 / 6) / sqrt(3) for means d apart, so that
 * MMD^2 = 2 (1 - exp(-1 / 6)) / sqrt(3). The unbiased estimate's deviation is 0.528 / sqrt(n), by
 * quadrature of its first-order term; the chance of a false alarm is 1e-6. */
static void mmd_of_normals(void **state)
{
    enum { N = 2000 };
    fmatch_context *context = context_of(state);
    fmatch_source *normal = make_normal(context, 1);
    static float x[N], y[N];
    static const double one[] = {1};
    expect_ok(fmatch_source_draw(normal, 1, 0, N, x));
    expect_ok(fmatch_source_draw(normal, 2, 0, N, y));
    for (int i = 0; i < N; i++)
        y[i] += 1;
    const double wanted = 2 * (1 - exp(-1.0 / 6)) / sqrt(3.0);
    expect_close(mmd_with(context, 1, N, x, N, y, FMATCH_MMD_UNBIASED, 1, one), wanted,
                 Z * 0.528 / sqrt(N), "MMD^2");
    fmatch_source_destroy(&normal);
}

static void bad_mmd_input_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    float x[] = {1, 2, 3, 4};
    double square, sigmas[] = {1, 2};
    fmatch_mmd_config config;
    fmatch_mmd_config_init(&config);
#define refused(...)                                                                               \
    do {                                                                                           \
        expect_status(fmatch_metrics_evaluate_mmd(context, 2, 2, x, 2, x, &config, &square),       \
                      FMATCH_ERROR_ARGUMENT);                                                      \
        expect_detail(__VA_ARGS__);                                                                \
        fmatch_mmd_config_init(&config);                                                           \
    } while (0)
    config.count = 2;
    refused("config->count", "2");
    config.sigmas = sigmas;
    refused("config->count", "0", "1024");
    config.estimator = 2;
    refused("config->estimator", "2");
    config.flags = 4;
    refused("config->flags", "4");
    static const double bad[] = {0, -1, INFINITY, NAN};
    for (size_t i = 0; i < COUNT(bad); i++) {
        sigmas[1] = bad[i];
        config.sigmas = sigmas;
        config.count = 2;
        refused("config->sigmas[1]", "1e-100");
    }
    config.struct_size = 3;
    expect_status(fmatch_metrics_evaluate_mmd(context, 2, 2, x, 2, x, &config, &square),
                  FMATCH_ERROR_STRUCT_SIZE);
    fmatch_mmd_config_init(&config);
    config.estimator = FMATCH_MMD_UNBIASED;
    expect_status(fmatch_metrics_evaluate_mmd(context, 2, 1, x, 2, x, &config, &square),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "1", "2");
    expect_status(fmatch_metrics_evaluate_mmd(context, 2, 2, x, 1, x, &config, &square),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("m", "1", "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(mmd_matches_numpy),
        world_test(mmd_by_hand),
        cmocka_unit_test(mmd_matches_all_pairs),
        world_test(identities_of_mmd),
        world_test(mmd_of_normals),
        world_test(bad_mmd_input_is_refused),
    };
    return cmocka_run_group_tests_name("mmd", tests, NULL, NULL);
}
