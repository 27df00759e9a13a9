/* Semidiscrete transport: cells on the line, where quantiles say what they are, and brute force. */
#include "fixtures.h"

/* Quantile of the standard normal, by bisection of erfc. */
static double normal_quantile(double p)
{
    double low = -40, high = 40;
    for (int k = 0; k < 200; k++) {
        const double x = (low + high) / 2;
        if (erfc(-x / sqrt(2)) / 2 < p)
            low = x;
        else
            high = x;
    }
    return low;
}

/* On the line transport keeps the order: y_j gets the noise between the quantiles of b_0 + .. +
 * b_(j-1) and b_0 + .. + b_j. The cells' common boundary is where |x - y_j|^2 - g_j is equal on
 * both sides; and the cost is the integral over the cells, whose moments of the normal density are
 * closed forms. The boundaries are wanted within 0.02: a chi square of 1e-4 moves 5 cells' masses
 * by less than 0.005, on a density above 0.17 at every boundary. */
static void cells_on_the_line_are_quantiles(void **state)
{
    enum { M = 5 };
    static const float y[M] = {-2, -0.5f, 0.25f, 3, 4};
    static const double weights[M] = {2, 4, 1, 5, 3}; /* of 15 */
    fmatch_source *noise = make_normal(context_of(state), 1);
    fmatch_semidiscrete_config config;
    fmatch_semidiscrete_config_init(&config);
    config.tolerance = 1e-4;
    config.steps = 3000;
    config.seed = 3;
    fmatch_semidiscrete_info info = {.struct_size = sizeof info};
    double g[M], mean = 0, below = 0, cost = 0, from = -40;
    expect_ok(fmatch_transport_solve_semidiscrete(context_of(state), noise, M, y, weights, &config,
                                                  g, &info));
    expect_that(info.marginal_error <= 1e-4, "chi square %g", info.marginal_error);
    for (int j = 0; j < M; j++) {
        mean += weights[j] * g[j];
        below += weights[j] / 15;
        const double to = j + 1 < M ? normal_quantile(below) : 40;
        const double p = weights[j] / 15, at_from = exp(-from * from / 2) / sqrt(2 * PI),
                     at_to = exp(-to * to / 2) / sqrt(2 * PI);
        cost += p * (1 + (double)y[j] * y[j]) + from * at_from - to * at_to -
                2 * y[j] * (at_from - at_to);
        if (j + 1 < M) {
            const double seen =
                ((double)y[j + 1] + y[j] - (g[j + 1] - g[j]) / ((double)y[j + 1] - y[j])) / 2;
            expect_close(seen, to, 0.02, "boundary above row %d", j);
        }
        from = to;
    }
    expect_close(mean, 0, 1e-10, "weighted mean of the potential");
    expect_close(info.cost, cost, 0.05, "cost");
    fmatch_source_destroy(&noise);
}

static void rows_go_to_the_least(void **state)
{
    static const struct {
        int32_t dim;
        int n, m;
    } cases[] = {{1, 1, 1}, {2, 300, 31}, {3, 65, 257}, {64, 33, 64}, {65, 40, 33}, {200, 5, 100}};
    for (size_t c = 0; c < COUNT(cases); c++) {
        const int32_t dim = cases[c].dim;
        const int n = cases[c].n, m = cases[c].m;
        float *x = floats(n * dim), *y = floats(m * dim), *u = floats(m);
        double *g = calloc((size_t)m, sizeof *g);
        int32_t *row = calloc((size_t)n, sizeof *row);
        fill_scattered(x, n * dim, -1, 1, c);
        fill_scattered(y, m * dim, -1, 2, c + 50);
        fill_scattered(u, m, -1, 1, c + 90);
        for (int with = 0; with < 2; with++) {
            for (int j = 0; j < m; j++)
                g[j] = with * u[j];
            expect_ok(fmatch_transport_evaluate_semidiscrete(context_of(state), dim, n, x, m, y,
                                                             with ? g : NULL, row));
            for (int i = 0; i < n; i++) {
                int wanted = 0;
                double least = INFINITY;
                for (int j = 0; j < m; j++) {
                    double value = -g[j];
                    for (int k = 0; k < dim; k++)
                        value += pow((double)x[i * dim + k] - y[j * dim + k], 2);
                    if (value < least) {
                        least = value;
                        wanted = j;
                    }
                }
                expect_that(row[i] == wanted, "case %zu, row %d: %d, not %d", c, i, row[i], wanted);
            }
        }
        free(row);
        free(g);
        free(u);
        free(y);
        free(x);
    }
    /* Ties: the lowest. */
    const float zeros[70] = {0};
    int32_t row = 7;
    expect_ok(fmatch_transport_evaluate_semidiscrete(context_of(state), 1, 1, zeros, 70, zeros,
                                                     NULL, &row));
    assert_int_equal(row, 0);
}

/* In two dimensions: each row gets its share of noise, within five standard deviations of the
 * counts and of what the tolerance allows. */
static void every_row_gets_its_share(void **state)
{
    enum { M = 40, N = 20000 };
    float y[M * 2], *x = floats(N * 2);
    int32_t *row = calloc(N, sizeof *row);
    int counts[M] = {0};
    double g[M];
    fill_scattered(y, M * 2, -1, 5, 1);
    fmatch_source *noise = make_normal(context_of(state), 2);
    expect_ok(
        fmatch_transport_solve_semidiscrete(context_of(state), noise, M, y, NULL, NULL, g, NULL));
    expect_ok(fmatch_source_draw(noise, 77, 0, N, x));
    expect_ok(fmatch_transport_evaluate_semidiscrete(context_of(state), 2, N, x, M, y, g, row));
    double chi_square = 0;
    for (int i = 0; i < N; i++)
        counts[row[i]]++;
    for (int j = 0; j < M; j++)
        chi_square += pow(counts[j] / (double)N - 1.0 / M, 2) * M;
    /* Its mean is (M - 1) / N + 1e-3, its deviation sqrt(2 M) / N and a quarter of the tolerance.
     */
    expect_that(chi_square < (M - 1.0) / N + 1e-3 + 5 * (sqrt(2.0 * M) / N + 2.5e-4),
                "chi square %g", chi_square);
    free(row);
    free(x);
    fmatch_source_destroy(&noise);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    enum { M = 30 };
    float y[M * 2];
    double g[2][M];
    fill_scattered(y, M * 2, -1, 5, 1);
    for (int t = 0; t < 2; t++) {
        fmatch_context_config settings = forced_context_config();
        settings.threads = t ? 3 : 1;
        fmatch_context *context;
        expect_ok(fmatch_context_create(&context, &settings));
        fmatch_source *noise = make_normal(context, 2);
        fmatch_semidiscrete_config config;
        fmatch_semidiscrete_config_init(&config);
        config.steps = 50;
        config.tolerance = 0;
        fmatch_semidiscrete_info info = {.struct_size = sizeof info};
        expect_ok(
            fmatch_transport_solve_semidiscrete(context, noise, M, y, NULL, &config, g[t], &info));
        assert_int_equal(info.steps, 50);
        fmatch_source_destroy(&noise);
        fmatch_context_destroy(&context);
    }
    assert_memory_equal(g[0], g[1], sizeof g[0]);
}

static void bad_input_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    fmatch_source *noise = make_normal(context, 1);
    float y[] = {1, 2};
    double weights[] = {1, 1}, g[2];
    int32_t row[2];
#define SOLVE(config)                                                                              \
    fmatch_transport_solve_semidiscrete(context, noise, 2, y, weights, (config), g, NULL)
    static const struct {
        const char *field;
        int32_t batch;
        int64_t steps;
        double learning_rate, averaging, tolerance;
    } cases[] = {
        {"batch", 1, 1, 1, 0, 0},         {"steps", 2, 0, 1, 0, 0},
        {"learning_rate", 2, 1, 0, 0, 0}, {"learning_rate", 2, 1, NAN, 0, 0},
        {"averaging", 2, 1, 1, 1, 0},     {"averaging", 2, 1, 1, -0.1, 0},
        {"tolerance", 2, 1, 1, 0, -1},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        const fmatch_semidiscrete_config config = {.struct_size = sizeof config,
                                                   .batch = cases[c].batch,
                                                   .steps = cases[c].steps,
                                                   .learning_rate = cases[c].learning_rate,
                                                   .averaging = cases[c].averaging,
                                                   .tolerance = cases[c].tolerance};
        expect_status(SOLVE(&config), FMATCH_ERROR_ARGUMENT);
        expect_detail(cases[c].field);
    }
    fmatch_semidiscrete_config config;
    fmatch_semidiscrete_config_init(&config);
    config.steps = 1;
    weights[1] = 2;
    expect_status(SOLVE(&config), FMATCH_ERROR_STEP_LIMIT);
    expect_detail("1 steps", "error", "0.001");
    expect_that(isfinite(g[0]) && isfinite(g[1]), "potential %g, %g", g[0], g[1]);
    fmatch_semidiscrete_info info = {.struct_size = 8};
    expect_status(fmatch_transport_solve_semidiscrete(context, noise, 2, y, NULL, NULL, g, &info),
                  FMATCH_ERROR_STRUCT_SIZE);
    weights[1] = 0;
    expect_status(SOLVE(NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("weights[1]", "positive");
    weights[1] = 1;
    y[1] = NAN;
    expect_status(SOLVE(NULL), FMATCH_ERROR_NOT_FINITE);
    y[1] = 2;
    expect_status(fmatch_transport_solve_semidiscrete(context, noise, 0, y, NULL, NULL, g, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_semidiscrete(NULL, noise, 2, y, NULL, NULL, g, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_semidiscrete(context, NULL, 2, y, NULL, NULL, g, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_semidiscrete(context, noise, 2, NULL, NULL, NULL, g, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_semidiscrete(context, noise, 2, y, NULL, NULL, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
#undef SOLVE
    g[0] = 0;
    g[1] = NAN;
    expect_status(fmatch_transport_evaluate_semidiscrete(context, 1, 2, y, 2, y, g, row),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("potential", "row 1", "nan");
    expect_status(fmatch_transport_evaluate_semidiscrete(context, 0, 2, y, 2, y, NULL, row),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_evaluate_semidiscrete(context, 1, -1, y, 2, y, NULL, row),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_evaluate_semidiscrete(context, 1, 2, y, 2, y, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_ok(fmatch_transport_evaluate_semidiscrete(context, 1, 0, y, 2, y, NULL, row));
    fmatch_source_destroy(&noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(cells_on_the_line_are_quantiles),
        world_test(rows_go_to_the_least),
        world_test(every_row_gets_its_share),
        cmocka_unit_test(threads_change_no_bit),
        world_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests_name("semidiscrete", tests, NULL, NULL);
}
