/* Grids of times against their formulas, in both directions, and methods on unequal steps. */
#include "fixtures.h"

/* dx/dt = 2 t + 1, so that x = t^2 + t + x(0). */
static int32_t evaluate_line(void *user, int64_t n, const float *x, const float *t,
                             const float *condition, float *v)
{
    (void)user, (void)x, (void)condition;
    for (int64_t i = 0; i < n; i++)
        v[i] = 2 * t[i] + 1;
    return 0;
}

static fmatch_model *make_line(fmatch_context *context)
{
    fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, evaluate_line, NULL, NULL, 0, 0, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, 1, &callbacks, NULL));
    return model;
}

static fmatch_sampler_config config_of(int32_t grid, int64_t steps, double t_start, double t_end)
{
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.grid = grid;
    config.steps = steps;
    config.t_start = t_start;
    config.t_end = t_end;
    return config;
}

static fmatch_sampler *make_with(const fmatch_model *model, const fmatch_sampler_config *config)
{
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, config));
    return sampler;
}

/* ---- formulas on [0, 1], with s = 1 - t as they are written ---- */

static double shifted_time(int64_t i, int64_t n, double shift)
{
    double s = 1 - (double)i / (double)n;
    return 1 - shift * s / (1 + (shift - 1) * s);
}

static double edm_time(int64_t i, int64_t n, double unused)
{
    (void)unused;
    double from = pow(80, 1 / 7.0), to = pow(0.002, 1 / 7.0);
    double sigma = i == n ? 0 : pow(from + (double)i / (double)(n - 1) * (to - from), 7);
    return i == 0 ? 0 : 1 / (1 + sigma);
}

static double cosine_time(int64_t i, int64_t n, double unused)
{
    (void)unused;
    return pow(sin(PI / 2 * (double)i / (double)n), 2);
}

static const struct {
    const char *name;
    int32_t grid;
    double shift, shift_meant;
    double (*time)(int64_t i, int64_t n, double shift);
} grids[] = {{"shifted by 3", FMATCH_GRID_SHIFTED, 0, 3, shifted_time},
             {"shifted by 0.5", FMATCH_GRID_SHIFTED, 0.5, 0.5, shifted_time},
             {"EDM", FMATCH_GRID_EDM, 0, 0, edm_time},
             {"cosine", FMATCH_GRID_COSINE, 0, 0, cosine_time}};

static void grids_are_their_formulas_in_both_directions(void **state)
{
    static const double ends[][2] = {{0, 1}, {1, 0}, {0.25, 0.75}, {0.9, 0.1}};
    static const int64_t counts[] = {1, 2, 3, 18, 200};
    fmatch_model *model = make_line(context_of(state));
    for (size_t g = 0; g < COUNT(grids); g++)
        for (size_t e = 0; e < COUNT(ends); e++)
            for (size_t c = 0; c < COUNT(counts); c++) {
                const int64_t n = counts[c];
                const double from = ends[e][0], to = ends[e][1];
                fmatch_sampler_config config = config_of(grids[g].grid, n, from, to);
                config.shift = grids[g].shift;
                fmatch_sampler *sampler = make_with(model, &config);
                double times[201];
                assert_int_equal(fmatch_sampler_count_times(sampler), n + 1);
                expect_ok(fmatch_sampler_get_times(sampler, times));
                assert_true(times[0] == from && times[n] == to);
                for (int64_t i = 0; i <= n; i++) {
                    const int64_t unit = from < to ? i : n - i;
                    const double u = grids[g].time(unit, n, grids[g].shift_meant);
                    expect_close(times[i], fmin(from, to) + fabs(to - from) * u, 1e-14,
                                 "%s, %d steps from %g to %g, time %d", grids[g].name, (int)n, from,
                                 to, (int)i);
                }
                fmatch_sampler_destroy(&sampler);
            }
    fmatch_model_destroy(&model);
}

/* t = 0.5 goes to 0.25 with a shift of 3, as the literature says. */
static void known_values(void **state)
{
    fmatch_model *model = make_line(context_of(state));
    fmatch_sampler_config config = config_of(FMATCH_GRID_SHIFTED, 2, 0, 1);
    fmatch_sampler *sampler = make_with(model, &config);
    double times[3];
    expect_ok(fmatch_sampler_get_times(sampler, times));
    expect_close(times[1], 0.25, 1e-15, "the middle, shifted");
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

static void given_times_are_the_steps(void **state)
{
    double forward[] = {0.125, 0.25, 0.75, 1}, backward[] = {1, 0.9, 0.125};
    fmatch_model *model = make_line(context_of(state));
    for (int back = 0; back <= 1; back++) {
        fmatch_sampler_config config =
            config_of(FMATCH_GRID_TIMES, 0, back ? 1 : 0.125, back ? 0.125 : 1);
        config.solver = FMATCH_SOLVER_EULER;
        config.times = back ? backward : forward;
        config.times_count = back ? 3 : 4;
        const double *wanted = config.times;
        fmatch_sampler *sampler = make_with(model, &config);
        double times[4];
        float trajectory[4], x = 0.5f;
        assert_int_equal(fmatch_sampler_count_times(sampler), config.times_count);
        assert_int_equal(fmatch_sampler_count_evaluations(sampler), config.times_count - 1);
        expect_ok(fmatch_sampler_get_times(sampler, times));
        expect_ok(fmatch_sampler_integrate_trajectory(sampler, 1, &x, NULL, trajectory));
        double euler = x;
        for (int64_t i = 0; i < config.times_count; i++) {
            assert_true(times[i] == wanted[i]);
            expect_close(trajectory[i], euler, 1e-6, "Euler at time %d", (int)i);
            if (i + 1 < config.times_count)
                euler += (wanted[i + 1] - wanted[i]) * (2 * wanted[i] + 1);
        }
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

/* The caller's array may go. */
static void given_times_are_copied(void **state)
{
    double given[] = {0, 0.5, 1}, times[3];
    fmatch_model *model = make_line(context_of(state));
    fmatch_sampler_config config = config_of(FMATCH_GRID_TIMES, 0, 0, 1);
    config.times = given;
    config.times_count = 3;
    fmatch_sampler *sampler = make_with(model, &config);
    given[1] = 99;
    expect_ok(fmatch_sampler_get_times(sampler, times));
    expect_close(times[1], 0.5, 0, "a time after the caller's array changed");
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

static void times_out_of_order_are_refused(void **state)
{
    static const struct {
        int32_t solver;
        double t_start, t_end, times[3];
        int64_t count;
        const char *word;
    } cases[] = {
        {FMATCH_SOLVER_EULER, 0, 1, {0, 0.5, 0.5}, 3, "times[2]"},
        {FMATCH_SOLVER_EULER, 0, 1, {0, 0.75, 0.5}, 3, "times[2]"},
        {FMATCH_SOLVER_EULER, 1, 0, {0, 0.5, 1}, 3, "times[1]"},
        {FMATCH_SOLVER_EULER, 0, 1, {0, NAN, 1}, 3, "times[1]"},
        {FMATCH_SOLVER_EULER, 0, 0.5, {0, 0.25, 1}, 3, "times[2]"},
        {FMATCH_SOLVER_EULER, 0, 1, {0, 0.25, 0.5}, 3, "t_end"},
        {FMATCH_SOLVER_EULER, 0, 1, {0.25, 0.5, 1}, 3, "t_start"},
        {FMATCH_SOLVER_EULER, 0, 1, {0, 1, 1}, 1, "times_count"},
        {FMATCH_SOLVER_TSITOURAS, 0, 1, {0, 1, 1}, 0, "times_count"},
        {FMATCH_SOLVER_TSITOURAS, 0, 1, {0.5, 0.25, 1}, 3, "times[1]"},
    };
    fmatch_model *model = make_line(context_of(state));
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_sampler_config config =
            config_of(FMATCH_GRID_TIMES, 1, cases[i].t_start, cases[i].t_end);
        config.solver = cases[i].solver;
        config.times = cases[i].times;
        config.times_count = cases[i].count;
        fmatch_sampler *sampler;
        expect_status(fmatch_sampler_create(&sampler, model, &config), FMATCH_ERROR_ARGUMENT);
        expect_detail(cases[i].word);
        assert_null(sampler);
    }
    fmatch_model_destroy(&model);
}

/* A method of order 2 is exact where the slope is a line in t, if it knows how long its steps are.
 */
static void second_order_is_exact_on_unequal_steps(void **state)
{
    static const int32_t solvers[] = {FMATCH_SOLVER_MIDPOINT, FMATCH_SOLVER_HEUN,
                                      FMATCH_SOLVER_ADAMS_BASHFORTH, FMATCH_SOLVER_HEUN3};
    static const int32_t kinds[] = {FMATCH_GRID_UNIFORM, FMATCH_GRID_SHIFTED, FMATCH_GRID_EDM,
                                    FMATCH_GRID_COSINE};
    fmatch_model *model = make_line(context_of(state));
    for (size_t s = 0; s < COUNT(solvers); s++)
        for (size_t k = 0; k < COUNT(kinds); k++)
            for (int back = 0; back <= 1; back++) {
                fmatch_sampler_config config = config_of(kinds[k], 9, back, 1 - back);
                config.solver = solvers[s];
                fmatch_sampler *sampler = make_with(model, &config);
                double t[10];
                float x[10], start = back ? 2.5f : 0.5f;
                expect_ok(fmatch_sampler_get_times(sampler, t));
                expect_ok(fmatch_sampler_integrate_trajectory(sampler, 1, &start, NULL, x));
                for (int i = 0; i < 10; i++)
                    expect_close(x[i], t[i] * t[i] + t[i] + 0.5, 2e-6,
                                 "solver %d, grid %d, back %d, time %d", solvers[s], kinds[k], back,
                                 i);
                fmatch_sampler_destroy(&sampler);
            }
    fmatch_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(grids_are_their_formulas_in_both_directions),
        world_test(known_values),
        world_test(given_times_are_the_steps),
        world_test(given_times_are_copied),
        world_test(times_out_of_order_are_refused),
        world_test(second_order_is_exact_on_unequal_steps),
    };
    return cmocka_run_group_tests_name("grid", tests, NULL, NULL);
}
