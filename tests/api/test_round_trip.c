/* Data to noise and back: what comes back, and what the noise is. */
#include "fixtures.h"

/* Of three components, whose columns depend on one another. */
static fmatch_source *make_plane_target(fmatch_context *context)
{
    static const float weights[] = {0.3f, 0.3f, 0.4f}, means[] = {-1, 0, 1, 0.5f, 0, -1.2f},
                       stds[] = {0.3f, 0.5f, 0.4f, 0.3f, 0.6f, 0.35f};
    fmatch_source *source;
    expect_ok(fmatch_source_create_gaussian_mixture(&source, context, 2, 3, weights, means, stds));
    return source;
}

static void carry(const fmatch_model *model, fmatch_sampler_config *config, double t_start,
                  double t_end, int64_t n, const float *from, float *to)
{
    fmatch_sampler *sampler;
    config->t_start = t_start;
    config->t_end = t_end;
    expect_ok(fmatch_sampler_create(&sampler, model, config));
    expect_ok(fmatch_sampler_integrate(sampler, n, from, NULL, to));
    fmatch_sampler_destroy(&sampler);
}

/* Root mean square of what rows of data differ by after they were noise, or at time t. */
static double round_trip(const fmatch_model *model, const fmatch_source *target,
                         fmatch_sampler_config *config, double t)
{
    enum { N = 400 };
    int32_t dim = fmatch_model_get_dim(model);
    float *x = floats(N * dim), *back = floats(N * dim);
    double squares = 0;
    expect_ok(fmatch_source_draw(target, 1, 0, N, x));
    carry(model, config, 1, t, N, x, back);
    carry(model, config, t, 1, N, back, back);
    for (int64_t i = 0; i < N * dim; i++)
        squares += pow((double)back[i] - x[i], 2);
    free(x);
    free(back);
    return sqrt(squares / (N * dim));
}

/* A step of a method of order p ends at the flow + C h^(p + 1), and a step back at the flow back +
 * C
 * (-h)^(p + 1): where p is even the two cancel, and the round trip has the order p + 1. */
static void errors_fall_with_the_order_of_a_round_trip(void **state)
{
    static const struct {
        const char *name;
        int32_t solver;
        int64_t steps; /* where neither higher orders nor rounding are seen */
        double order, tolerance;
    } solvers[] = {
        {"Euler", FMATCH_SOLVER_EULER, 80, 1, 0.1},
        {"midpoint", FMATCH_SOLVER_MIDPOINT, 40, 3, 0.15},
        {"Heun", FMATCH_SOLVER_HEUN, 40, 3, 0.15},
        {"Adams-Bashforth", FMATCH_SOLVER_ADAMS_BASHFORTH, 40, 3, 0.2},
        {"Heun 3", FMATCH_SOLVER_HEUN3, 20, 3, 0.15},
        {"RK4", FMATCH_SOLVER_RK4, 10, 5, 0.4},
        {"RK4, 3/8", FMATCH_SOLVER_RK4_THREE_EIGHTHS, 10, 5, 0.4},
    };
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    for (size_t s = 0; s < COUNT(solvers); s++) {
        fmatch_sampler_config config;
        fmatch_sampler_config_init(&config);
        config.solver = solvers[s].solver;
        config.steps = solvers[s].steps;
        double coarse = round_trip(model, target, &config, 0);
        config.steps *= 2;
        double fine = round_trip(model, target, &config, 0);
        expect_close(log2(coarse / fine), solvers[s].order, solvers[s].tolerance,
                     "order of %s (errors %g, %g)", solvers[s].name, coarse, fine);
    }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* Rounding to float is 1e-7 of x; the flow stretches that on its way. */
static void rows_come_back_but_for_rounding(void **state)
{
    fmatch_source *targets[] = {make_post_target(context_of(state)),
                                make_plane_target(context_of(state))};
    for (size_t k = 0; k < COUNT(targets); k++) {
        fmatch_model *model = make_closed_form(context_of(state), targets[k]);
        fmatch_sampler_config config;
        fmatch_sampler_config_init(&config);
        config.solver = FMATCH_SOLVER_RK4;
        for (double t = 0; t < 0.8; t += 0.35) {
            double error = round_trip(model, targets[k], &config, t);
            expect_that(error < 2e-6, "target %zu, by t = %g: error %g", k, t, error);
        }
        fmatch_model_destroy(&model);
        fmatch_source_destroy(&targets[k]);
    }
}

/* What a tolerance bounds is the error of a step; ten of these are what they add up to. */
static void tolerances_bound_the_error_of_a_round_trip(void **state)
{
    static const int32_t solvers[] = {FMATCH_SOLVER_BOGACKI_SHAMPINE, FMATCH_SOLVER_DORMAND_PRINCE,
                                      FMATCH_SOLVER_TSITOURAS};
    fmatch_source *target = make_plane_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    for (size_t s = 0; s < COUNT(solvers); s++)
        for (double tolerance = 1e-3; tolerance > 5e-6; tolerance /= 10) {
            fmatch_sampler_config config;
            fmatch_sampler_config_init(&config);
            config.solver = solvers[s];
            config.tolerance_absolute = config.tolerance_relative = tolerance;
            double error = round_trip(model, target, &config, 0);
            expect_that(error < 10 * tolerance && error > tolerance / 100,
                        "solver %d, tolerance %g: error %g", (int)solvers[s], tolerance, error);
        }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's, times sqrt(n), of values that should be uniform on [0, 1]; P(it is over
 * 2.694) is FALSE_ALARM, asymptotically: sqrt(log(2 / 1e-6) / 2). */
static void expect_uniform(int64_t n, double *u, const char *what)
{
    double most = 0;
    qsort(u, (size_t)n, sizeof *u, compare);
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fmax(u[i] - (double)i / (double)n, (double)(i + 1) / (double)n - u[i]));
    expect_that(most * sqrt((double)n) < 2.694, "KS statistic %g of %s", most * sqrt((double)n),
                what);
}

/* Each column, the columns' correlation, and the radius, whose exp(-r^2 / 2) is uniform. */
static void expect_standard_normal(int64_t n, const float *z)
{
    double *first = malloc((size_t)n * sizeof *first), *second = malloc((size_t)n * sizeof *second);
    double *radial = malloc((size_t)n * sizeof *radial), product = 0;
    for (int64_t i = 0; i < n; i++) {
        double a = z[2 * i], b = z[2 * i + 1];
        first[i] = 0.5 * erfc(-a / sqrt(2.0));
        second[i] = 0.5 * erfc(-b / sqrt(2.0));
        radial[i] = exp(-(a * a + b * b) / 2);
        product += a * b;
    }
    expect_close(product / (double)n, 0, Z / sqrt((double)n), "covariance of the columns");
    expect_uniform(n, first, "column 0");
    expect_uniform(n, second, "column 1");
    expect_uniform(n, radial, "the radius");
    free(first);
    free(second);
    free(radial);
}

static void data_become_standard_normal_noise(void **state)
{
    enum { N = 20000 };
    fmatch_source *target = make_plane_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    float *x = floats(2 * N), *z = floats(2 * N);
    expect_ok(fmatch_source_draw(target, 3, 0, N, x));
    for (int adaptive = 0; adaptive <= 1; adaptive++) {
        fmatch_sampler_config config;
        fmatch_sampler_config_init(&config);
        config.solver = adaptive ? FMATCH_SOLVER_DORMAND_PRINCE : FMATCH_SOLVER_RK4;
        config.tolerance_absolute = config.tolerance_relative = adaptive ? 1e-4 : 0;
        carry(model, &config, 1, 0, N, x, z);
        expect_standard_normal(N, z);
    }
    free(x);
    free(z);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(errors_fall_with_the_order_of_a_round_trip),
        world_test(rows_come_back_but_for_rounding),
        world_test(tolerances_bound_the_error_of_a_round_trip),
        world_test(data_become_standard_normal_noise),
    };
    return cmocka_run_group_tests_name("round_trip", tests, NULL, NULL);
}
