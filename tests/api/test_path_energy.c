/* Energy, curvature and straightness of paths, against closed forms and their definitions. */
#include "fixtures.h"

struct measures {
    double energy, curvature, straightness;
};

static struct measures measures_of(fmatch_context *context, int32_t dim, int64_t times,
                                   const double *t, int64_t n, const float *trajectory)
{
    struct measures seen;
    expect_ok(fmatch_metrics_evaluate_path(context, dim, times, t, n, trajectory, &seen.energy,
                                           &seen.curvature, &seen.straightness));
    return seen;
}

static void expect_measures(struct measures seen, struct measures wanted, double tolerance,
                            const char *what)
{
    expect_close(seen.energy, wanted.energy, tolerance, "energy, %s", what);
    expect_close(seen.curvature, wanted.curvature, tolerance, "curvature, %s", what);
    expect_close(seen.straightness, wanted.straightness, tolerance, "straightness, %s", what);
}

/* Three rows by hand: one that arrives early, one that comes back, one that stays. */
static void uneven_steps_by_hand(void **state)
{
    const double t[] = {0, 0.25, 1}, slow[] = {1, 1.5, 3};
    const float trajectory[] = {0, 0, 7, 1, 1, 7, 1, 0, 7},
                reversed[] = {1, 0, 7, 1, 1, 7, 0, 0, 7};
    const struct measures wanted = {(4 + 16 / 3.0 + 0) / 3, (3 + 16 / 3.0 + 0) / 3, 2 / 3.0};
    const struct measures half = {wanted.energy / 2, wanted.curvature / 2, wanted.straightness};
    fmatch_context *context = context_of(state);
    expect_measures(measures_of(context, 1, 3, t, 3, trajectory), wanted, 1e-14, "T = 1");
    expect_measures(measures_of(context, 1, 3, slow, 3, trajectory), half, 1e-14, "T = 2");
    const double reversed_t[] = {1, 0.25, 0};
    expect_measures(measures_of(context, 1, 3, reversed_t, 3, reversed), wanted, 1e-14, "backward");
}

static void straight_paths_of_constant_speed(void **state)
{
    enum { TIMES = 9 };
    double t[TIMES];
    float trajectory[TIMES * 2 * 2];
    for (int k = 0; k < TIMES; k++) {
        t[k] = k / 8.0;
        const float at[] = {1 + 3 * (float)t[k], 4 * (float)t[k], -2 * (float)t[k], 5};
        memcpy(trajectory + 4 * k, at, sizeof at);
    }
    const struct measures wanted = {(25 + 4) / 2.0, 0, 1};
    expect_measures(measures_of(context_of(state), 2, TIMES, t, 2, trajectory), wanted, 1e-14,
                    "lines");
}

/* A quarter of the unit circle in even steps is a polygon with chords 2 sin(pi / (4 steps)). */
static void quarter_circle(void **state)
{
    enum { STEPS = 30 };
    double t[STEPS + 1];
    float trajectory[2 * (STEPS + 1)];
    for (int k = 0; k <= STEPS; k++) {
        t[k] = (double)k / STEPS;
        trajectory[2 * k] = (float)cos(PI / 2 * t[k]);
        trajectory[2 * k + 1] = (float)sin(PI / 2 * t[k]);
    }
    const double chord = 2 * sin(PI / 4 / STEPS), energy = STEPS * STEPS * chord * chord;
    const struct measures wanted = {energy, energy - 2, sqrt(2.0) / (STEPS * chord)};
    expect_measures(measures_of(context_of(state), 2, STEPS + 1, t, 1, trajectory), wanted, 2e-6,
                    "quarter circle");
}

/* Definitions, row by row, with the curvature as energy - |x_last - x_first|^2 / T. */
static struct measures by_definition(int32_t dim, int64_t times, const double *t, int64_t n,
                                     const float *x)
{
    struct measures sums = {0, 0, 0};
    for (int64_t i = 0; i < n; i++) {
        double energy = 0, length = 0, chord = 0;
        for (int64_t k = 1; k < times; k++) {
            double square = 0;
            for (int32_t j = 0; j < dim; j++)
                square += pow((double)x[(k * n + i) * dim + j] - x[((k - 1) * n + i) * dim + j], 2);
            energy += square / (t[k] - t[k - 1]);
            length += sqrt(square);
        }
        for (int32_t j = 0; j < dim; j++)
            chord += pow((double)x[((times - 1) * n + i) * dim + j] - x[i * dim + j], 2);
        sums.energy += energy / (double)n;
        sums.curvature += (energy - chord / (t[times - 1] - t[0])) / (double)n;
        sums.straightness += sqrt(chord) / length / (double)n;
    }
    return sums;
}

static void random_paths_match_the_definitions(void **state)
{
    static const struct {
        int32_t dim;
        int64_t times, n;
    } cases[] = {{1, 2, 1}, {2, 5, 63}, {3, 4, 65}, {2, 3, 3001}, {70, 11, 5}};
    for (size_t c = 0; c < COUNT(cases); c++) {
        const int64_t times = cases[c].times, n = cases[c].n, values = times * n * cases[c].dim;
        double t[11];
        float *x = floats(values);
        fill_scattered(x, values, -1, 2, c);
        for (int64_t k = 0; k < times; k++)
            t[k] = 0.1 + 0.01 * (double)(k * k) + 0.02 * (double)k;
        struct measures first = {0, 0, 0};
        for (int32_t threads = 1; threads <= 3; threads++) {
            fmatch_context_config config = forced_context_config();
            config.threads = threads;
            fmatch_context *context;
            expect_ok(fmatch_context_create(&context, &config));
            const struct measures seen = measures_of(context, cases[c].dim, times, t, n, x);
            first = threads == 1 ? seen : first;
            expect_measures(seen, first, 0, "other threads");
            fmatch_context_destroy(&context);
        }
        const struct measures wanted = by_definition(cases[c].dim, times, t, n, x);
        expect_measures(first, wanted, 1e-11 * wanted.energy, "random");
        free(x);
    }
    (void)state;
}

/* Along the exact field of the post's mixture the energy is the integral of E|u|^2, 0.8336091655 by
 * quadrature, and W2^2 is 0.2525658645, by quadrature over quantiles. One row's energy has the
 * standard deviation 0.5 at most (0.485 measured); the chance of a false alarm is 1e-6.
 * Straightness 1 is that of monotone paths alone. */
static void exact_field_has_the_energy_of_quadrature(void **state)
{
    enum { ROWS = 20000, STEPS = 100 };
    fmatch_context *context = context_of(state);
    fmatch_source *target = make_post_target(context);
    fmatch_model *model = make_closed_form(context, target);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, STEPS, 0, 1);
    float *trajectory = floats((STEPS + 1) * (int64_t)ROWS);
    double t[STEPS + 1], normalised;
    expect_ok(fmatch_sampler_get_times(sampler, t));
    expect_ok(fmatch_sampler_draw_trajectory(sampler, 1, 0, ROWS, NULL, trajectory));
    const struct measures seen = measures_of(context, 1, STEPS + 1, t, ROWS, trajectory);
    const double allowed = Z * 0.5 / sqrt(ROWS);
    expect_close(seen.energy, 0.8336091655, allowed, "energy");
    expect_that(seen.straightness > 0.3 && seen.straightness < 1, "straightness %g",
                seen.straightness);
    expect_ok(fmatch_metrics_evaluate_normalised_path_energy(
        context, 1, STEPS + 1, t, ROWS, trajectory, 0.2525658645, &normalised));
    expect_close(normalised, 0.8336091655 / 0.2525658645 - 1, allowed / 0.2525658645, "normalised");
    free(trajectory);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void normalised_energy_by_hand(void **state)
{
    const double t[] = {0, 1, 2};
    const float x[] = {0, 1, 2}; /* energy 1 + 1 over a time of 2 */
    static const double cases[][2] = {{4, 0}, {2, 1}, {8, 0.5}, {1, 3}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        double seen;
        expect_ok(fmatch_metrics_evaluate_normalised_path_energy(context_of(state), 1, 3, t, 1, x,
                                                                 cases[i][0], &seen));
        expect_close(seen, cases[i][1], 1e-15, "W2^2 = %g", cases[i][0]);
    }
}

static void bad_paths_are_refused(void **state)
{
    fmatch_context *context = context_of(state);
    float x[] = {0, 1, 2, 3};
    double t[] = {0, 0.5, 0.5, 1}, d;
#define evaluate_path(...) fmatch_metrics_evaluate_path(context, __VA_ARGS__, NULL, NULL, NULL)
    expect_status(evaluate_path(1, 4, t, 1, x), FMATCH_ERROR_ARGUMENT);
    expect_detail("t[2]", "0.5", "increase");
    t[2] = 0.25;
    expect_status(evaluate_path(1, 4, t, 1, x), FMATCH_ERROR_ARGUMENT);
    expect_detail("t[2]", "0.25", "increase");
    t[1] = t[0];
    expect_status(evaluate_path(1, 2, t, 2, x), FMATCH_ERROR_ARGUMENT);
    t[1] = INFINITY;
    expect_status(evaluate_path(1, 2, t, 2, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("t[1]", "inf");
    t[1] = 0.5;
    expect_status(evaluate_path(0, 2, t, 2, x), FMATCH_ERROR_ARGUMENT);
    expect_detail("dim", "0", "65536");
    expect_status(evaluate_path(1, 1, t, 2, x), FMATCH_ERROR_ARGUMENT);
    expect_detail("times", "1", "2");
    expect_status(evaluate_path(1, 2, t, 0, x), FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "0", "1");
    static const double squares[] = {0, -1, INFINITY, NAN};
    for (size_t i = 0; i < COUNT(squares); i++) {
        expect_status(
            fmatch_metrics_evaluate_normalised_path_energy(context, 1, 2, t, 2, x, squares[i], &d),
            FMATCH_ERROR_ARGUMENT);
        expect_detail("w2_square", "positive");
    }
    x[3] = NAN;
    expect_status(evaluate_path(1, 2, t, 2, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("trajectory", "nan");
    expect_ok(evaluate_path(1, 3, (const double[]){0, 1, 2}, 1, x));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(uneven_steps_by_hand),
        world_test(straight_paths_of_constant_speed),
        world_test(quarter_circle),
        cmocka_unit_test(random_paths_match_the_definitions),
        world_test(exact_field_has_the_energy_of_quadrature),
        world_test(normalised_energy_by_hand),
        world_test(bad_paths_are_refused),
    };
    return cmocka_run_group_tests_name("path_energy", tests, NULL, NULL);
}
