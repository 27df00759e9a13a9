/* Samplers: orders of the solvers, directions, trajectories, and that row i is row i. */
#include "fixtures.h"

/* ---- a field with a known solution ---- */

/* dx/dt = 5 sin(2 t + 1) x and dx/dt = -6 t x^2, side by side; rows and calls are counted. */
struct field {
    int64_t rows, calls;
    int32_t code;        /* returned when t reaches fail_t */
    float fail_t, nan_t; /* 9: never */
    int64_t nan_row;     /* of a call; -1: the rows whose second column is 0, and stays so */
};

static int32_t field_evaluate(void *user, int64_t n, const float *x, const float *t,
                              const float *condition, float *v)
{
    struct field *field = user;
    (void)condition;
    field->rows += n;
    field->calls++;
    for (int64_t i = 0; i < n; i++) {
        if (t[i] >= field->fail_t)
            return field->code;
        float a = x[2 * i], b = x[2 * i + 1];
        v[2 * i] = 5 * sinf(2 * t[i] + 1) * a;
        v[2 * i + 1] = -6 * t[i] * b * b;
        if (t[i] >= field->nan_t && (field->nan_row < 0 ? b == 0 : i == field->nan_row))
            v[2 * i] = NAN;
    }
    return 0;
}

static void exact_solution(double t0, double t1, const float *x, double *end)
{
    end[0] = x[0] * exp(2.5 * (cos(2 * t0 + 1) - cos(2 * t1 + 1)));
    end[1] = 1 / (1 / (double)x[1] + 3 * (t1 * t1 - t0 * t0));
}

static struct field calm_field(void)
{
    return (struct field){.fail_t = 9, .nan_t = 9};
}

static fmatch_model *make_field(fmatch_context *context, struct field *field)
{
    fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, field_evaluate, NULL, field, 0, 0, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, 2, &callbacks, NULL));
    return model;
}

static const struct {
    const char *name;
    int order, evaluations, more; /* of the first step */
    int64_t steps;                /* where the asymptotic regime is reached, and rounding is not */
    double tolerance;
} solvers[] = {
    {"Euler", 1, 1, 0, 128, 0.1},
    {"midpoint", 2, 2, 0, 128, 0.1},
    {"Heun", 2, 2, 0, 128, 0.1},
    {"RK4", 4, 4, 0, 16, 0.2},
    {"Heun 3", 3, 3, 0, 64, 0.35},
    {"RK4, 3/8", 4, 4, 0, 16, 0.5},
    {"Adams-Bashforth", 2, 1, 1, 128, 0.1},
};

/* Relative error of both columns after integrating from one end to the other. */
static void solver_error(fmatch_model *model, int32_t solver, int64_t steps, double t_start,
                         double t_end, double *error)
{
    const float start[] = {t_start < t_end ? 0.3f : 3.0f, t_start < t_end ? 3.0f : 0.3f};
    float x[2];
    double end[2];
    fmatch_sampler *sampler = make_sampler(model, solver, steps, t_start, t_end);
    expect_ok(fmatch_sampler_integrate(sampler, 1, start, NULL, x));
    exact_solution(t_start, t_end, start, end);
    for (int j = 0; j < 2; j++)
        error[j] = fabs(x[j] - end[j]) / fabs(end[j]);
    fmatch_sampler_destroy(&sampler);
}

static void solvers_show_their_orders_in_both_directions(void **state)
{
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    for (int32_t s = 0; s < (int32_t)COUNT(solvers); s++)
        for (int backward = 0; backward <= 1; backward++) {
            double coarse[2], fine[2];
            solver_error(model, s, solvers[s].steps, backward, 1 - backward, coarse);
            solver_error(model, s, 2 * solvers[s].steps, backward, 1 - backward, fine);
            for (int j = 0; j < 2; j++)
                expect_close(log2(coarse[j] / fine[j]), solvers[s].order, solvers[s].tolerance,
                             "order of %s, %s, column %d (errors %g, %g)", solvers[s].name,
                             backward ? "backward" : "forward", j, coarse[j], fine[j]);
        }
    fmatch_model_destroy(&model);
}

/* One step of each method on dx/dt = 5 sin(2 t + 1) x, written out: tells midpoint from Heun. */
static void one_step_is_the_textbooks(void **state)
{
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    double a = 5 * sin(1.0), m = 5 * sin(1.5), b = 5 * sin(2.0), h = 0.5;
    double k1 = a, k2 = m * (1 + h / 2 * k1), k3 = m * (1 + h / 2 * k2), k4 = b * (1 + h * k3);
    double third = 5 * sin(1 + h * 2 / 3), thirds = 5 * sin(1 + h * 4 / 3);
    double l2 = third * (1 + h / 3 * k1), l3 = thirds * (1 + h * (l2 - k1 / 3)),
           l4 = b * (1 + h * (k1 - l2 + l3));
    const double wanted[] = {1 + h * a,
                             1 + h * m * (1 + h / 2 * a),
                             1 + h / 2 * (a + b * (1 + h * a)),
                             1 + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4),
                             1 + h / 4 * (k1 + 3 * thirds * (1 + h * 2 / 3 * l2)),
                             1 + h / 8 * (k1 + 3 * l2 + 3 * l3 + l4),
                             1 + h * m * (1 + h / 2 * a)};
    for (int32_t s = 0; s < (int32_t)COUNT(solvers); s++) {
        fmatch_sampler *sampler = make_sampler(model, s, 1, 0, 0.5);
        const float start[] = {1, 0};
        float x[2];
        expect_ok(fmatch_sampler_integrate(sampler, 1, start, NULL, x));
        expect_close(x[0], wanted[s], 1e-6 * wanted[s], "%s", solvers[s].name);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

static void evaluations_are_counted(void **state)
{
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    for (int32_t s = 0; s < (int32_t)COUNT(solvers); s++) {
        fmatch_sampler *sampler = make_sampler(model, s, 7, 0, 1);
        float x[2 * 30] = {0};
        field.rows = 0;
        expect_ok(fmatch_sampler_integrate(sampler, 30, x, NULL, x));
        int64_t evaluations = fmatch_sampler_count_evaluations(sampler);
        expect_that(evaluations == 7 * solvers[s].evaluations + solvers[s].more &&
                        field.rows == 30 * evaluations,
                    "%s: %lld evaluations a row announced, %lld made for 30 rows", solvers[s].name,
                    (long long)evaluations, (long long)field.rows);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

/* ---- times and trajectories ---- */

static void times_are_equally_spaced(void **state)
{
    static const double ends[][2] = {{0, 1}, {1, 0}, {0.25, 0.75}, {0.9, 0.1}};
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    for (size_t e = 0; e < COUNT(ends); e++) {
        enum { STEPS = 15 };
        fmatch_sampler *sampler =
            make_sampler(model, FMATCH_SOLVER_EULER, STEPS, ends[e][0], ends[e][1]);
        double times[STEPS + 1];
        assert_int_equal(fmatch_sampler_count_times(sampler), STEPS + 1);
        expect_ok(fmatch_sampler_get_times(sampler, times));
        for (int i = 0; i <= STEPS; i++)
            expect_close(times[i], ends[e][0] + (ends[e][1] - ends[e][0]) * i / STEPS, 1e-15,
                         "time %d", i);
        assert_true(times[0] == ends[e][0] && times[STEPS] == ends[e][1]);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

static void trajectory_begins_and_ends_as_integrate_does(void **state)
{
    enum { N = 300, STEPS = 9 };
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    float start[2 * N], end[2 * N], *trajectory = floats((STEPS + 1) * 2 * N);
    fill_scattered(start, 2 * N, 0.1, 2, 1);
    for (int32_t s = 0; s < (int32_t)COUNT(solvers); s++) {
        fmatch_sampler *sampler = make_sampler(model, s, STEPS, 0, 1);
        expect_ok(fmatch_sampler_integrate(sampler, N, start, NULL, end));
        expect_ok(fmatch_sampler_integrate_trajectory(sampler, N, start, NULL, trajectory));
        expect_same_bits(trajectory, start, 2 * N, "%s: first", solvers[s].name);
        expect_same_bits(trajectory + STEPS * 2 * N, end, 2 * N, "%s: last", solvers[s].name);
        /* In the middle: the state after k steps of the same length. */
        fmatch_sampler *part = make_sampler(model, s, 3, 0, 3.0 / STEPS);
        expect_ok(fmatch_sampler_integrate(part, N, start, NULL, end));
        for (int i = 0; i < 2 * N; i++)
            expect_close(trajectory[3 * 2 * N + i], end[i], 1e-5, "%s: after 3 steps, %d",
                         solvers[s].name, i);
        fmatch_sampler_destroy(&part);
        fmatch_sampler_destroy(&sampler);
    }
    free(trajectory);
    fmatch_model_destroy(&model);
}

static void integration_in_place_is_the_same(void **state)
{
    enum { N = 40 };
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    float x[2 * N], end[2 * N];
    for (int32_t s = 0; s < (int32_t)COUNT(solvers); s++) {
        fill_scattered(x, 2 * N, 0.1, 2, 1);
        fmatch_sampler *sampler = make_sampler(model, s, 5, 0, 1);
        expect_ok(fmatch_sampler_integrate(sampler, N, x, NULL, end));
        expect_ok(fmatch_sampler_integrate(sampler, N, x, NULL, x));
        expect_same_bits(x, end, 2 * N, "%s in place", solvers[s].name);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

static void back_and_forth_returns(void **state)
{
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler *there = make_sampler(model, FMATCH_SOLVER_RK4, 64, 0.25, 0.75);
    fmatch_sampler *back = make_sampler(model, FMATCH_SOLVER_RK4, 64, 0.75, 0.25);
    const float start[] = {0.5f, 1.5f};
    float x[2];
    double exact[2];
    expect_ok(fmatch_sampler_integrate(there, 1, start, NULL, x));
    exact_solution(0.25, 0.75, start, exact);
    for (int j = 0; j < 2; j++)
        expect_close(x[j], exact[j], 2e-6 * fabs(exact[j]), "from 0.25 to 0.75, column %d", j);
    expect_ok(fmatch_sampler_integrate(back, 1, x, NULL, x));
    for (int j = 0; j < 2; j++)
        expect_close(x[j], start[j], 2e-6, "there and back, column %d", j);
    fmatch_sampler_destroy(&there);
    fmatch_sampler_destroy(&back);
    fmatch_model_destroy(&model);
}

/* ---- drawing ---- */

/* A callback noise that shows itself: row i is (seeded normal, i). */
static int32_t numbered_noise(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                              float *x)
{
    (void)user;
    fmatch_random_draw_normal(random, n, 2, x);
    for (int64_t i = 0; i < n; i++)
        x[2 * i + 1] = (float)(first_row + i) / 1024;
    return 0;
}

static void draw_integrates_the_noise_of_its_rows(void **state)
{
    enum { N = 500, STEPS = 6 };
    fmatch_source_callbacks callbacks = {.struct_size = sizeof callbacks, .draw = numbered_noise};
    fmatch_source *noise;
    expect_ok(fmatch_source_create_callback(&noise, context_of(state), 2, &callbacks));
    struct field field = calm_field();
    fmatch_velocity_callbacks velocity = {
        sizeof velocity, 0, field_evaluate, NULL, &field, 0, 0, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 2, &velocity, noise));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_HEUN, STEPS, 0, 1);
    float *trajectory = floats((STEPS + 1) * 2 * N), *end = floats(2 * N), *drawn = floats(2 * N);
    expect_ok(fmatch_sampler_draw_trajectory(sampler, 4, 100, N, NULL, trajectory));
    for (int i = 0; i < N; i++)
        expect_close(trajectory[2 * i + 1], (100 + i) / 1024.0, 0, "noise of row %d", i);
    expect_ok(fmatch_sampler_integrate(sampler, N, trajectory, NULL, end));
    expect_ok(fmatch_sampler_draw(sampler, 4, 100, N, NULL, drawn));
    expect_same_bits(drawn, end, 2 * N, "draw and integrate");
    expect_same_bits(drawn, trajectory + STEPS * 2 * N, 2 * N, "draw and its trajectory");
    free(drawn);
    free(end);
    free(trajectory);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&noise);
}

static void rows_do_not_depend_on_splits(void **state)
{
    enum { N = 1000 };
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, 8, 0, 1);
    static const int64_t splits[][4] = {{1, 7, 992}, {999, 1}, {256, 256, 488}};
    float whole[N], parts[N];
    expect_ok(fmatch_sampler_draw(sampler, 7, 5, N, NULL, whole));
    for (size_t s = 0; s < COUNT(splits); s++) {
        for (int64_t row = 0, p = 0; row < N; row += splits[s][p], p++)
            expect_ok(fmatch_sampler_draw(sampler, 7, 5 + row, splits[s][p], NULL, parts + row));
        expect_same_bits(parts, whole, N, "split %zu", s);
    }
    expect_ok(fmatch_sampler_draw(sampler, 8, 5, N, NULL, parts));
    expect_that(memcmp(parts, whole, sizeof whole) != 0, "seeds 7 and 8 give the same %d rows", N);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* The noise of a draw is standard normal, and no row is any other row. */
static void default_noise_is_standard_normal(void **state)
{
    enum { N = 50000 };
    fmatch_source *target = make_normal(context_of(state), 2);
    fmatch_model *model = make_closed_form(context_of(state), target);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 1, 0, 1);
    float *x = floats(2 * 2 * N);
    expect_ok(fmatch_sampler_draw_trajectory(sampler, 3, 0, N, NULL, x));
    for (int j = 0; j < 2; j++) {
        double m = 0, v = 0, next = 0;
        for (int i = 0; i < N; i++) {
            m += x[2 * i + j];
            v += x[2 * i + j] * x[2 * i + j];
            next += i > 0 ? x[2 * i + j] * x[2 * i - 2 + j] : 0;
        }
        expect_close(m / N, 0, Z / sqrt(N), "mean of column %d", j);
        expect_close(v / N, 1, Z * sqrt(2.0 / N), "variance of column %d", j);
        expect_close(next / N, 0, Z / sqrt(N), "row to row, column %d", j);
    }
    free(x);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* ---- through the closed-form field ---- */

static void euler_path_is_the_published_one(void **state)
{
    static const double path[] = {0.850000, 0.807167, 0.771380, 0.744322, 0.728226, 0.726004,
                                  0.741199, 0.777318, 0.835979, 0.914383, 1.005506, 1.102445,
                                  1.201417, 1.301032, 1.400880, 1.500850};
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 15, 0, 1);
    const float start = 0.85f;
    float seen[16];
    expect_ok(fmatch_sampler_integrate_trajectory(sampler, 1, &start, NULL, seen));
    for (int i = 0; i < 16; i++)
        expect_close(seen[i], path[i], 1e-5, "step %d", i);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static double normal_cdf(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

static double post_cdf(double x)
{
    return 0.55 * normal_cdf((x + 0.85) / 0.65) + 0.45 * normal_cdf((x - 1.5) / 0.25);
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Midpoint with 50 steps leaves a bias far below the Kolmogorov-Smirnov limit of 50 000 samples,
 * 0.0120 at a false-alarm rate of 1e-6; Euler with 15 steps leaves 0.02 and more and must be
 * caught. */
static void samples_follow_the_target(void **state)
{
    enum { N = 50000 };
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    float *x = floats(N);
    double limit = sqrt(log(2.0 / FALSE_ALARM) / (2.0 * N));
    for (int coarse = 0; coarse <= 1; coarse++) {
        fmatch_sampler *sampler = make_sampler(
            model, coarse ? FMATCH_SOLVER_EULER : FMATCH_SOLVER_MIDPOINT, coarse ? 15 : 50, 0, 1);
        expect_ok(fmatch_sampler_draw(sampler, 1, 0, N, NULL, x));
        qsort(x, N, sizeof *x, compare_floats);
        double worst = 0;
        for (int i = 0; i < N; i++)
            worst = fmax(worst, fabs(post_cdf(x[i]) - (i + 0.5) / N));
        if (coarse)
            expect_that(worst > limit, "Euler's error %g is not seen, limit %g", worst, limit);
        else
            expect_that(worst <= limit, "largest difference %g, limit %g", worst, limit);
        fmatch_sampler_destroy(&sampler);
    }
    free(x);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* Integrated backward, data becomes standard normal noise. */
static void data_flows_back_to_noise(void **state)
{
    enum { N = 20000 };
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_RK4, 50, 1, 0);
    float *x = floats(N);
    expect_ok(fmatch_source_draw(target, 6, 0, N, x));
    expect_ok(fmatch_sampler_integrate(sampler, N, x, NULL, x));
    double m = 0, v = 0;
    for (int i = 0; i < N; i++) {
        m += x[i];
        v += x[i] * x[i];
    }
    expect_close(m / N, 0, Z / sqrt(N), "mean of the noise");
    expect_close(v / N, 1, Z * sqrt(2.0 / N), "variance of the noise");
    float y[4];
    expect_status(fmatch_sampler_draw(sampler, 1, 0, 4, NULL, y), FMATCH_ERROR_STATE);
    expect_detail("t_start", "1");
    free(x);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* ---- what a sampler is made of ---- */

static void sampler_takes_the_models_newest_parameters(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), 1, 0, 1, FMATCH_ACTIVATION_RELU, 1);
    const float zeros[2] = {0}, one = 1, two = 2, start = 0;
    float x;
    expect_ok(fmatch_model_set_tensor(model, "net.0.weight", 2, zeros));
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 1, &one));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 4, 0, 1);
    expect_ok(fmatch_sampler_integrate(sampler, 1, &start, NULL, &x));
    expect_close(x, 1, 1e-6, "with bias 1");
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 1, &two));
    expect_ok(fmatch_sampler_integrate(sampler, 1, &start, NULL, &x));
    expect_close(x, 2, 1e-6, "with bias 2");
    fmatch_model_destroy(&model);
    expect_ok(fmatch_sampler_integrate(sampler, 1, &start, NULL, &x));
    expect_close(x, 2, 1e-6, "without the model's handle");
    fmatch_sampler_destroy(&sampler);
}

static void presets_are_the_documented_values(void **state)
{
    (void)state;
    fmatch_sampler_config config;
    memset(&config, 0xFF, sizeof config);
    fmatch_sampler_config_init(&config);
    assert_int_equal(config.solver, FMATCH_SOLVER_MIDPOINT);
    assert_int_equal(config.steps, 50);
    assert_true(config.t_start == 0 && config.t_end == 1);
    fmatch_sampler_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    assert_int_equal(config.struct_size, sizeof config);
    assert_int_equal(config.solver, FMATCH_SOLVER_EULER);
    assert_int_equal(config.steps, 100);
    assert_true(config.t_start == 0 && config.t_end == 1);
}

static void no_config_means_the_recommended_one(void **state)
{
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, NULL));
    assert_int_equal(fmatch_sampler_count_times(sampler), 51);
    assert_int_equal(fmatch_sampler_count_evaluations(sampler), 100);
    fmatch_sampler_destroy(&sampler);
    assert_int_equal(fmatch_sampler_count_times(NULL), 0);
    assert_int_equal(fmatch_sampler_count_evaluations(NULL), 0);
    fmatch_model_destroy(&model);
}

static void no_rows_is_no_work(void **state)
{
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_RK4, 3, 0, 1);
    float x[2] = {7, 8};
    expect_ok(fmatch_sampler_draw(sampler, 1, 0, 0, NULL, x));
    expect_ok(fmatch_sampler_integrate(sampler, 0, x, NULL, x));
    expect_ok(fmatch_sampler_draw_trajectory(sampler, 1, 0, 0, NULL, x));
    assert_int_equal(field.rows, 0);
    assert_true(x[0] == 7 && x[1] == 8);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* ---- failures inside ---- */

static void failing_field_is_reported_and_the_sampler_lives(void **state)
{
    enum { N = 600 };
    struct field field = calm_field();
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 8, 0, 1);
    float start[2 * N], before[2 * N], x[2 * N];
    fill_scattered(start, 2 * N, 0.1, 1, 1);
    expect_ok(fmatch_sampler_integrate(sampler, N, start, NULL, before));
    field.fail_t = 0.5f;
    field.code = -31;
    expect_status(fmatch_sampler_integrate(sampler, N, start, NULL, x), FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -31);
    field.fail_t = 9;
    field.nan_t = 0.4375f; /* the first time at or behind it is 0.5 */
    field.nan_row = 3;
    expect_status(fmatch_sampler_integrate(sampler, N, start, NULL, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 3", "nan", "0.5");
    expect_status(fmatch_sampler_draw(sampler, 1, 0, N, NULL, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 3", "nan", "0.5");
    field.nan_row = -1;
    start[2 * 411 + 1] = 0;
    expect_status(fmatch_sampler_integrate(sampler, N, start, NULL, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 411", "nan", "0.5");
    field.nan_t = 9;
    fill_scattered(start, 2 * N, 0.1, 1, 1);
    expect_ok(fmatch_sampler_integrate(sampler, N, start, NULL, x));
    expect_same_bits(x, before, 2 * N, "after the failures");
    start[2 * 411] = INFINITY;
    expect_status(fmatch_sampler_integrate(sampler, N, start, NULL, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("411", "inf");
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* The field stays finite but the state overflows, in the last step or before it. */
static void overflowing_state_is_reported(void **state)
{
    enum { N = 400, ROW = 300 };
    fmatch_model *model = make_mlp(context_of(state), 1, 0, 1, FMATCH_ACTIVATION_RELU, 1);
    const float zeros[2] = {0}, huge = 3e38f;
    expect_ok(fmatch_model_set_tensor(model, "net.0.weight", 2, zeros));
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 1, &huge));
    for (int64_t steps = 1; steps <= 2; steps++) {
        fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, steps, 0, 1);
        float x[N] = {0};
        x[ROW] = 3e38f;
        expect_status(fmatch_sampler_integrate(sampler, N, x, NULL, x), FMATCH_ERROR_NOT_FINITE);
        expect_detail("row 300", "t =");
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(solvers_show_their_orders_in_both_directions),
        world_test(one_step_is_the_textbooks),
        world_test(evaluations_are_counted),
        world_test(times_are_equally_spaced),
        world_test(trajectory_begins_and_ends_as_integrate_does),
        world_test(integration_in_place_is_the_same),
        world_test(back_and_forth_returns),
        world_test(draw_integrates_the_noise_of_its_rows),
        world_test(rows_do_not_depend_on_splits),
        world_test(default_noise_is_standard_normal),
        world_test(euler_path_is_the_published_one),
        world_test(samples_follow_the_target),
        world_test(data_flows_back_to_noise),
        world_test(sampler_takes_the_models_newest_parameters),
        cmocka_unit_test(presets_are_the_documented_values),
        world_test(no_config_means_the_recommended_one),
        world_test(no_rows_is_no_work),
        world_test(failing_field_is_reported_and_the_sampler_lives),
        world_test(overflowing_state_is_reported),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
