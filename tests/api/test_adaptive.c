/* Steps that each row chooses itself: errors against tolerances, orders, dense output, limits, and
 * that a row's result is its own. */
#include "fixtures.h"

#include <limits.h>
#include <stdatomic.h>

static const int32_t solvers[] = {FMATCH_SOLVER_BOGACKI_SHAMPINE, FMATCH_SOLVER_DORMAND_PRINCE,
                                  FMATCH_SOLVER_TSITOURAS};
static const char *const names[] = {"Bogacki-Shampine", "Dormand-Prince", "Tsitouras"};
static const int order[] = {3, 5, 5};

static fmatch_sampler_config config_of(int32_t solver, double tolerance, double t_start,
                                       double t_end)
{
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = solver;
    config.tolerance_absolute = config.tolerance_relative = tolerance;
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

static fmatch_sampler_info info_of(const fmatch_sampler *sampler)
{
    fmatch_sampler_info info = {.struct_size = sizeof info};
    expect_ok(fmatch_sampler_get_info(sampler, &info));
    return info;
}

/* ---- fields of the caller's ---- */

typedef float slope_function(float x, float t, float setting);

/* v = slope(x, t, setting) in each column but the last, which is the row's setting and stays. */
struct field {
    slope_function *slope;
    int32_t dim;
    int64_t rows;
};

static int32_t field_evaluate(void *user, int64_t n, const float *x, const float *t,
                              const float *condition, float *v)
{
    struct field *f = user;
    (void)condition;
    f->rows += n;
    for (int64_t i = 0; i < n; i++) {
        const float *row = x + i * f->dim;
        for (int32_t j = 0; j < f->dim; j++)
            v[i * f->dim + j] = j == f->dim - 1 ? 0 : f->slope(row[j], t[i], row[f->dim - 1]);
    }
    return 0;
}

static fmatch_model *make_field(fmatch_context *context, struct field *field)
{
    fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, field_evaluate, NULL, field, 0, 0, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, field->dim, &callbacks, NULL));
    return model;
}

static float wave(float x, float t, float setting)
{
    (void)setting;
    return 5 * sinf(2 * t + 1) * x;
}

static double wave_at(double t0, double t1, double x)
{
    return x * exp(2.5 * (cos(2 * t0 + 1) - cos(2 * t1 + 1)));
}

static float decay(float x, float t, float setting)
{
    (void)t;
    return -setting * x;
}

static float still(float x, float t, float setting)
{
    (void)x, (void)t, (void)setting;
    return 0;
}

/* Polynomials of degree 3 and 2 in t, and their integrals. */
static float cubic(float x, float t, float setting)
{
    (void)x, (void)setting;
    return 4 * t * t * t - 6 * t * t + 1;
}

static float square(float x, float t, float setting)
{
    (void)x, (void)setting;
    return 6 * t * t - 4 * t + 1;
}

static double cubic_at(double t)
{
    return t * t * t * t - 2 * t * t * t + t;
}

static double square_at(double t)
{
    return 2 * t * t * t - 2 * t * t + t;
}

/* ---- errors ---- */

/* The path of x0 from N(0, 1) to N(m, s^2). */
enum { GAUSSIAN_DIM = 2 };
static const float gaussian_mean[] = {1.5f, -0.5f}, gaussian_std[] = {0.25f, 2.0f};

static double gaussian_at(int j, double t, double x0)
{
    double s = gaussian_std[j];
    return t * gaussian_mean[j] + sqrt((1 - t) * (1 - t) + t * t * s * s) * x0;
}

static fmatch_model *make_gaussian(fmatch_context *context)
{
    static const float weight[] = {1};
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context, GAUSSIAN_DIM, 1, weight,
                                                    gaussian_mean, gaussian_std));
    fmatch_model *model = make_closed_form(context, target);
    fmatch_source_destroy(&target);
    return model;
}

/* The flow on the line keeps order: x lies where the target's distribution function is that of the
 * normal at x0. */
static double post_error(double x0, double x)
{
    double cdf = 0, density = 0;
    const double weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5}, stds[] = {0.65f, 0.25};
    for (int k = 0; k < 2; k++) {
        double z = (x - means[k]) / stds[k], w = weights[k] / (weights[0] + weights[1]);
        cdf += w * 0.5 * erfc(-z / sqrt(2));
        density += w * exp(-0.5 * z * z) / stds[k] / sqrt(2 * PI);
    }
    return fabs(cdf - 0.5 * erfc(-x0 / sqrt(2))) / density;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void errors_follow_the_tolerance(void **state)
{
    enum { N = 101 };
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    float x0[N], x[N];
    double error[N];
    fill_scattered(x0, N, -2, 2, 1);
    for (size_t s = 0; s < COUNT(solvers); s++)
        for (double tolerance = 1e-2; tolerance > 0.9e-5; tolerance /= 10) {
            fmatch_sampler_config config = config_of(solvers[s], tolerance, 0, 1);
            fmatch_sampler *sampler = make_with(model, &config);
            expect_ok(fmatch_sampler_integrate(sampler, N, x0, NULL, x));
            for (int i = 0; i < N; i++)
                error[i] = post_error(x0[i], x[i]) / tolerance;
            qsort(error, N, sizeof *error, by_value);
            expect_that(error[N / 2] < 5 && error[N - 1] < 100,
                        "%s, tolerance %g: errors of %g in the middle and %g at most", names[s],
                        tolerance, error[N / 2], error[N - 1]);
            fmatch_sampler_destroy(&sampler);
        }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void data_goes_back_to_its_noise(void **state)
{
    enum { N = 50 };
    fmatch_model *model = make_gaussian(context_of(state));
    float noise[2 * N], data[2 * N], x[2 * N];
    fill_scattered(noise, 2 * N, -2, 2, 1);
    for (int i = 0; i < 2 * N; i++)
        data[i] = (float)gaussian_at(i % 2, 1, noise[i]);
    for (size_t s = 0; s < COUNT(solvers); s++) {
        fmatch_sampler_config config = config_of(solvers[s], 1e-6, 1, 0);
        fmatch_sampler *sampler = make_with(model, &config);
        expect_ok(fmatch_sampler_integrate(sampler, N, data, NULL, x));
        for (int i = 0; i < 2 * N; i++)
            expect_close(x[i], noise[i], 2e-5, "%s, number %d", names[s], i);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

/* With a relative tolerance a row of 1024 times another's numbers takes its steps; with an absolute
 * one it takes more. */
static void tolerances_are_relative_and_absolute(void **state)
{
    struct field field = {decay, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    for (size_t s = 0; s < COUNT(solvers); s++)
        for (int relative = 0; relative <= 1; relative++) {
            fmatch_sampler_config config = config_of(solvers[s], 0, 0, 1);
            config.tolerance_absolute = relative ? 1e-30 : 1e-4;
            config.tolerance_relative = relative ? 1e-4 : 1e-30;
            fmatch_sampler *sampler = make_with(model, &config);
            float x[] = {1, 4, 1024, 4};
            int64_t evaluations[2];
            expect_ok(fmatch_sampler_integrate(sampler, 2, x, NULL, x));
            fmatch_sampler_rows rows = {.struct_size = sizeof rows, .evaluations = evaluations};
            expect_ok(fmatch_sampler_get_rows(sampler, 0, 2, &rows));
            if (relative)
                expect_close(x[2], 1024 * x[0], 0, "%s: 1024 times the row", names[s]);
            expect_that((evaluations[0] == evaluations[1]) == (relative == 1),
                        "%s, relative %d: %d and %d evaluations", names[s], relative,
                        (int)evaluations[0], (int)evaluations[1]);
            fmatch_sampler_destroy(&sampler);
        }
    fmatch_model_destroy(&model);
}

/* ---- orders ---- */

/* z' = z (a + b cos(k t)) of complex z, in two columns. */
static const double spiral_a[] = {0.2, -2.8}, spiral_b[] = {2.4, -3.4}, spiral_k = 7.8;

static int32_t evaluate_spiral(void *user, int64_t n, const float *x, const float *t,
                               const float *condition, float *v)
{
    (void)user, (void)condition;
    for (int64_t i = 0; i < n; i++) {
        const double c = cos(spiral_k * t[i]);
        const double re = spiral_a[0] + spiral_b[0] * c, im = spiral_a[1] + spiral_b[1] * c;
        v[2 * i] = (float)(re * x[2 * i] - im * x[2 * i + 1]);
        v[2 * i + 1] = (float)(re * x[2 * i + 1] + im * x[2 * i]);
    }
    return 0;
}

/* y' = 0.8 (1 + t) (1 + y^2) in each column. */
static int32_t evaluate_tangent(void *user, int64_t n, const float *x, const float *t,
                                const float *condition, float *v)
{
    (void)user, (void)condition;
    for (int64_t i = 0; i < 2 * n; i++)
        v[i] = 0.8f * (1 + t[i / 2]) * (1 + x[i] * x[i]);
    return 0;
}

static const struct problem {
    int32_t (*evaluate)(void *, int64_t, const float *, const float *, const float *, float *);
    double start[2];
} spiral = {evaluate_spiral, {1, 0}}, tangent = {evaluate_tangent, {-0.9, -0.9}};

static void solve_problem(const struct problem *problem, double *end)
{
    if (problem == &tangent) {
        end[0] = end[1] = tan(atan(problem->start[0]) + 1.2);
        return;
    }
    const double s = sin(spiral_k) / spiral_k;
    const double growth = exp(spiral_a[0] + spiral_b[0] * s), angle = spiral_a[1] + spiral_b[1] * s;
    end[0] = growth * cos(angle);
    end[1] = growth * sin(angle);
}

/* After steps of one length, where nothing is too large an error. */
static double error_of_equal_steps(fmatch_context *context, const struct problem *problem,
                                   int32_t solver, int steps, int back)
{
    fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, problem->evaluate, NULL, NULL, 0, 0, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, 2, &callbacks, NULL));
    fmatch_sampler_config config = config_of(solver, 0, back, 1 - back);
    config.tolerance_absolute = 1e30;
    config.step_first = config.step_largest = 1.0 / steps;
    fmatch_sampler *sampler = make_with(model, &config);
    double end[2];
    solve_problem(problem, end);
    const double *from = back ? end : problem->start, *to = back ? problem->start : end;
    float x[] = {(float)from[0], (float)from[1]};
    expect_ok(fmatch_sampler_integrate(sampler, 1, x, NULL, x));
    fmatch_sampler_info info = info_of(sampler);
    expect_that(info.accepted == steps && info.rejected == 0, "%d steps asked for, %d taken", steps,
                (int)info.accepted);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    return hypot(x[0] - to[0], x[1] - to[1]);
}

static void solvers_show_their_orders(void **state)
{
    /* Step counts before rounding is seen; a pair of order 5 is still above its order there. */
    static const struct {
        const struct problem *problem;
        int steps;
        double allowed;
    } cases[] = {{&spiral, 32, 0.15}, {&spiral, 8, 0.9}, {&tangent, 2, 0.4}};
    for (size_t s = 0; s < COUNT(solvers); s++)
        for (int back = 0; back <= (cases[s].problem == &spiral); back++) {
            double error[2];
            for (int k = 0; k < 2; k++)
                error[k] = error_of_equal_steps(context_of(state), cases[s].problem, solvers[s],
                                                cases[s].steps << k, back);
            expect_close(log2(error[0] / error[1]), order[s], cases[s].allowed,
                         "order of %s, back %d (%g, %g)", names[s], back, error[0], error[1]);
        }
}

/* ---- dense output ---- */

/* In one step: a quartic where the order between steps is 4, a cubic where it is 3. */
static void interpolation_is_exact_for_its_polynomials(void **state)
{
    static const double times[] = {0.0625, 0.25, 0.5, 0.8125};
    for (size_t s = 0; s < COUNT(solvers); s++) {
        struct field field = {order[s] == 3 ? square : cubic, 2, 0};
        fmatch_model *model = make_field(context_of(state), &field);
        fmatch_sampler_config config = config_of(solvers[s], 0, 0, 1);
        config.tolerance_absolute = 1e30;
        config.step_first = 1;
        config.grid = FMATCH_GRID_TIMES;
        config.times = times;
        config.times_count = COUNT(times);
        fmatch_sampler *sampler = make_with(model, &config);
        const float start[] = {0, 0};
        float x[2 * COUNT(times)];
        expect_ok(fmatch_sampler_integrate_trajectory(sampler, 1, start, NULL, x));
        assert_int_equal(info_of(sampler).accepted, 1);
        for (size_t i = 0; i < COUNT(times); i++)
            expect_close(x[2 * i], order[s] == 3 ? square_at(times[i]) : cubic_at(times[i]), 1e-6,
                         "%s at %g", names[s], times[i]);
        fmatch_sampler_destroy(&sampler);
        fmatch_model_destroy(&model);
    }
}

static void trajectories_lie_on_the_path(void **state)
{
    enum { N = 40, TIMES = 33 };
    fmatch_model *model = make_gaussian(context_of(state));
    float noise[2 * N], start[2 * N], end[2 * N], *trajectory = floats(TIMES * 2 * N);
    double times[TIMES], read[TIMES];
    fill_scattered(noise, 2 * N, -2, 2, 1);
    for (size_t s = 0; s < COUNT(solvers); s++)
        for (int back = 0; back <= 1; back++) {
            for (int i = 0; i < TIMES; i++)
                times[i] = back ? 1 - i / (TIMES - 1.0) : i / (TIMES - 1.0);
            for (int i = 0; i < 2 * N; i++)
                start[i] = (float)gaussian_at(i % 2, back, noise[i]);
            fmatch_sampler_config config = config_of(solvers[s], 1e-5, back, 1 - back);
            config.grid = FMATCH_GRID_TIMES;
            config.times = times;
            config.times_count = TIMES;
            fmatch_sampler *sampler = make_with(model, &config);
            assert_int_equal(fmatch_sampler_count_times(sampler), TIMES);
            expect_ok(fmatch_sampler_get_times(sampler, read));
            assert_memory_equal(read, times, sizeof times);
            expect_ok(fmatch_sampler_integrate(sampler, N, start, NULL, end));
            expect_ok(fmatch_sampler_integrate_trajectory(sampler, N, start, NULL, trajectory));
            expect_same_bits(trajectory, start, 2 * N, "%s: first", names[s]);
            expect_same_bits(trajectory + (TIMES - 1) * 2 * N, end, 2 * N, "%s: last", names[s]);
            for (int i = 0; i < TIMES * 2 * N; i++)
                expect_close(trajectory[i],
                             gaussian_at(i % 2, times[i / (2 * N)], noise[i % (2 * N)]), 1e-3,
                             "%s, back %d, number %d", names[s], back, i);
            fmatch_sampler_destroy(&sampler);
        }
    free(trajectory);
    fmatch_model_destroy(&model);
}

/* Without times of its own a trajectory is both ends; and times need not hold them. */
static void trajectories_of_few_times(void **state)
{
    static const double middle[] = {0.5};
    struct field field = {wave, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-5, 0, 1);
    fmatch_sampler *ends = make_with(model, &config);
    config.grid = FMATCH_GRID_TIMES;
    config.times = middle;
    config.times_count = 1;
    fmatch_sampler *one = make_with(model, &config);
    const float start[] = {0.5f, 1};
    float x[4];
    double times[2];
    assert_int_equal(fmatch_sampler_count_times(ends), 2);
    expect_ok(fmatch_sampler_get_times(ends, times));
    assert_true(times[0] == 0 && times[1] == 1);
    expect_ok(fmatch_sampler_integrate_trajectory(ends, 1, start, NULL, x));
    expect_close(x[0], 0.5, 0, "at the start");
    expect_close(x[2], wave_at(0, 1, 0.5), 1e-3, "at the end");
    assert_int_equal(fmatch_sampler_count_times(one), 1);
    expect_ok(fmatch_sampler_integrate_trajectory(one, 1, start, NULL, x));
    expect_close(x[0], wave_at(0, 0.5, 0.5), 1e-3, "in the middle");
    fmatch_sampler_destroy(&ends);
    fmatch_sampler_destroy(&one);
    fmatch_model_destroy(&model);
}

/* ---- a row is its own ---- */

static fmatch_context *make_context(int32_t threads)
{
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.threads = threads;
    config.matmul = FMATCH_MATMUL_BUILTIN;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    return context;
}

enum { ROWS = 1000, TIMES = 3 };

/* A network of random weights, which bends the paths. */
static fmatch_sampler *make_network_sampler(fmatch_context *context, int32_t solver)
{
    static const double times[TIMES] = {0.25, 0.5, 1};
    fmatch_model *model = make_mlp(context, 2, 2, 32, FMATCH_ACTIVATION_GELU, 3);
    int64_t count = fmatch_model_count_parameters(model);
    float *parameters = floats(count);
    fill_scattered(parameters, count, -0.6, 0.6, 5);
    write_parameters(model, parameters);
    free(parameters);
    fmatch_sampler_config config = config_of(solver, 1e-4, 0, 1);
    config.grid = FMATCH_GRID_TIMES;
    config.times = times;
    config.times_count = TIMES;
    fmatch_sampler *sampler = make_with(model, &config);
    fmatch_model_destroy(&model);
    return sampler;
}

/* All rows in calls of so many, trajectory [ROWS, TIMES, 2] and evaluations [ROWS]. */
static void follow(int32_t solver, int32_t threads, int64_t batch, float *trajectory,
                   int64_t *evaluations)
{
    fmatch_context *context = make_context(threads);
    fmatch_sampler *sampler = make_network_sampler(context, solver);
    float *part = floats(batch * TIMES * 2);
    for (int64_t first = 0; first < ROWS; first += batch) {
        const int64_t n = ROWS - first < batch ? ROWS - first : batch;
        expect_ok(fmatch_sampler_draw_trajectory(sampler, 7, first, n, NULL, part));
        for (int64_t i = 0; i < n; i++)
            for (int t = 0; t < TIMES; t++)
                memcpy(trajectory + ((first + i) * TIMES + t) * 2, part + (t * n + i) * 2,
                       2 * sizeof *part);
        fmatch_sampler_rows rows = {.struct_size = sizeof rows, .evaluations = evaluations + first};
        expect_ok(fmatch_sampler_get_rows(sampler, 0, n, &rows));
    }
    free(part);
    fmatch_sampler_destroy(&sampler);
    fmatch_context_destroy(&context);
}

static void rows_do_not_depend_on_their_company(void **state)
{
    static const struct {
        int32_t threads;
        int64_t batch;
    } ways[] = {{1, 1}, {1, 7}, {1, 64}, {2, 1000}, {8, 1000}, {8, 300}};
    (void)state;
    float *wanted = floats(ROWS * TIMES * 2), *seen = floats(ROWS * TIMES * 2);
    static int64_t cost[ROWS], seen_cost[ROWS];
    for (size_t s = 0; s < COUNT(solvers); s++) {
        follow(solvers[s], 1, ROWS, wanted, cost);
        int64_t least = cost[0], most = cost[0];
        for (int i = 0; i < ROWS; i++) {
            least = cost[i] < least ? cost[i] : least;
            most = cost[i] > most ? cost[i] : most;
        }
        expect_that(most > least, "%s: all rows took %d evaluations", names[s], (int)most);
        for (size_t w = 0; w < COUNT(ways); w++) {
            follow(solvers[s], ways[w].threads, ways[w].batch, seen, seen_cost);
            expect_same_bits(seen, wanted, ROWS * TIMES * 2, "%s, %d threads, batches of %d",
                             names[s], (int)ways[w].threads, (int)ways[w].batch);
            assert_memory_equal(seen_cost, cost, sizeof cost);
        }
    }
    free(wanted);
    free(seen);
}

/* One row in a hundred decays a hundred times as fast. */
static void a_stiff_row_costs_itself_alone(void **state)
{
    enum { N = 400 };
    struct field field = {decay, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 0, 1);
    fmatch_sampler *sampler = make_with(model, &config);
    static float x[2 * N];
    static int64_t evaluations[N], accepted[N], rejected[N];
    static double t[N], smallest[N];
    for (int i = 0; i < N; i++) {
        x[2 * i] = 1;
        x[2 * i + 1] = i % 100 == 50 ? 500 : 5;
    }
    expect_ok(fmatch_sampler_integrate(sampler, N, x, NULL, x));
    fmatch_sampler_rows rows = {sizeof rows, 0, t, smallest, evaluations, accepted, rejected};
    expect_ok(fmatch_sampler_get_rows(sampler, 0, N, &rows));
    fmatch_sampler_info info = info_of(sampler);
    int64_t sums[3] = {0};
    double least = 1;
    for (int i = 0; i < N; i++) {
        sums[0] += evaluations[i];
        sums[1] += accepted[i];
        sums[2] += rejected[i];
        least = fmin(least, smallest[i]);
        assert_true(t[i] == 1);
        assert_int_equal(evaluations[i], 2 + 6 * (accepted[i] + rejected[i]));
        if (i % 100 != 50)
            expect_that(evaluations[i] == evaluations[0], "row %d took %d evaluations, row 0 %d", i,
                        (int)evaluations[i], (int)evaluations[0]);
    }
    expect_that(3 * sums[0] < N * evaluations[50], "%d evaluations where the stiff row took %d",
                (int)sums[0], (int)evaluations[50]);
    expect_that(info.rows == N && info.stopped == 0 && info.evaluations == sums[0] &&
                    info.accepted == sums[1] && info.rejected == sums[2] &&
                    info.step_smallest == least && field.rows == sums[0],
                "%d evaluations in all, %d of rows, %d made", (int)info.evaluations, (int)sums[0],
                (int)field.rows);
    assert_int_equal(fmatch_sampler_count_evaluations(sampler), (sums[0] + N - 1) / N);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* ---- limits ---- */

static void limits_leave_the_state_and_its_time(void **state)
{
    enum { N = 300 };
    static const double times[] = {0, 1};
    fmatch_model *model = make_gaussian(context_of(state));
    float noise[2 * N], x[2 * N], trajectory[4 * N];
    double t[N];
    fill_scattered(noise, 2 * N, -2, 2, 1);
    for (int which = 0; which < 2; which++) {
        fmatch_sampler_config config = config_of(FMATCH_SOLVER_BOGACKI_SHAMPINE, 1e-6, 0, 1);
        config.grid = FMATCH_GRID_TIMES;
        config.times = times;
        config.times_count = 2;
        config.steps_max = which == 0 ? 20 : 0;
        config.step_smallest = which == 1 ? 0.05 : 0;
        fmatch_sampler *sampler = make_with(model, &config);
        expect_status(fmatch_sampler_integrate(sampler, N, noise, NULL, x),
                      FMATCH_ERROR_STEP_LIMIT);
        expect_detail("row 0", which == 0 ? "steps_max" : "too small", "300 rows");
        fmatch_sampler_rows rows = {.struct_size = sizeof rows, .t = t};
        expect_ok(fmatch_sampler_get_rows(sampler, 0, N, &rows));
        assert_int_equal(info_of(sampler).stopped, N);
        for (int i = 0; i < 2 * N; i++) {
            expect_that(t[i / 2] >= 0 && t[i / 2] < 1, "row %d reached %g", i / 2, t[i / 2]);
            expect_close(x[i], gaussian_at(i % 2, t[i / 2], noise[i]), 2e-5,
                         "limit %d, number %d at %g", which, i, t[i / 2]);
        }
        expect_status(fmatch_sampler_integrate_trajectory(sampler, N, noise, NULL, trajectory),
                      FMATCH_ERROR_STEP_LIMIT);
        expect_same_bits(trajectory, noise, 2 * N, "the start of a trajectory cut short");
        for (int i = 0; i < 2 * N; i++)
            assert_true(isnan(trajectory[2 * N + i]));
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

static float huge(float x, float t, float setting)
{
    (void)x, (void)t, (void)setting;
    return 1e38f;
}

/* The first guess of a field that is 0 or huge, and many of one that decays, are below what is
 * allowed, which such steps may well be. */
static void a_guess_that_is_too_short_is_raised(void **state)
{
    static const struct {
        slope_function *slope;
        double smallest, largest, end;
        int steps; /* 0: any number */
    } cases[] = {{still, 1e-5, 0, 1, 0},
                 {still, 0.1, 0.1, 1, 10},
                 {decay, 0.01, 0, 0.0497871, 0},
                 {decay, 0.04, 0, 0.0497871, 0},
                 {decay, 0.05, 0.05, 0.0497871, 20},
                 {huge, 0, 0, 1e38, 0}};
    for (size_t k = 0; k < COUNT(cases); k++) {
        struct field field = {cases[k].slope, 2, 0};
        fmatch_model *model = make_field(context_of(state), &field);
        for (size_t s = 1; s < COUNT(solvers); s++) {
            fmatch_sampler_config config = config_of(solvers[s], 1e-5, 0, 1);
            config.step_smallest = cases[k].smallest;
            config.step_largest = cases[k].largest;
            fmatch_sampler *sampler = make_with(model, &config);
            float x[] = {1, 3};
            expect_ok(fmatch_sampler_integrate(sampler, 1, x, NULL, x));
            expect_close(x[0], cases[k].end, 1e-4 * cases[k].end, "case %zu, %s", k, names[s]);
            const int taken = (int)info_of(sampler).accepted;
            expect_that(cases[k].steps == 0 || taken == cases[k].steps, "case %zu: %d steps", k,
                        taken);
            fmatch_sampler_destroy(&sampler);
        }
        fmatch_model_destroy(&model);
    }
}

static void a_row_stops_after_the_shortest_step_was_tried(void **state)
{
    struct field field = {decay, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 0, 1);
    config.step_first = config.step_smallest = 0.1;
    fmatch_sampler *sampler = make_with(model, &config);
    float x[] = {1, 1000};
    expect_status(fmatch_sampler_integrate(sampler, 1, x, NULL, x), FMATCH_ERROR_STEP_LIMIT);
    expect_detail("row 0", "too small", "t = 0 after 1 steps");
    fmatch_sampler_destroy(&sampler);
    config.step_first = 0.01;
    expect_status(fmatch_sampler_create(&sampler, model, &config), FMATCH_ERROR_ARGUMENT);
    expect_detail("config->step_first is 0.01", "config->step_smallest, 0.1");
    fmatch_model_destroy(&model);
}

/* Others arrive beside a row that does not. */
static void one_row_that_stops_leaves_the_others(void **state)
{
    struct field field = {decay, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_TSITOURAS, 1e-4, 0, 1);
    config.steps_max = 60;
    fmatch_sampler *sampler = make_with(model, &config);
    float x[] = {1, 2, 1, 2000, 1, 3};
    expect_status(fmatch_sampler_integrate(sampler, 3, x, NULL, x), FMATCH_ERROR_STEP_LIMIT);
    expect_detail("row 1", "steps_max", "1 rows of 3");
    assert_int_equal(info_of(sampler).stopped, 1);
    expect_close(x[0], exp(-2), 1e-3, "the row before");
    expect_close(x[4], exp(-3), 1e-3, "the row behind");
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* Not a number below -0.05, where a step that is too long ends up. */
static float decay_above(float x, float t, float setting)
{
    (void)t;
    return x < -0.05f ? NAN : -setting * x;
}

static float explode(float x, float t, float setting)
{
    (void)t, (void)setting;
    return x * x;
}

static void steps_that_overflow_are_tried_again(void **state)
{
    struct field field = {decay_above, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    for (size_t s = 0; s < COUNT(solvers); s++) {
        fmatch_sampler_config config = config_of(solvers[s], 1e-4, 0, 1);
        config.step_first = 1;
        fmatch_sampler *sampler = make_with(model, &config);
        float x[] = {1, 20};
        expect_ok(fmatch_sampler_integrate(sampler, 1, x, NULL, x));
        expect_close(x[0], exp(-20), 1e-3, "%s", names[s]);
        expect_that(info_of(sampler).rejected > 0, "%s: no step was rejected", names[s]);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

/* x' = x^2 from 2 is infinite at t = 1/2. */
static void an_explosion_is_named(void **state)
{
    struct field field = {explode, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    for (size_t s = 0; s < COUNT(solvers); s++) {
        fmatch_sampler_config config = config_of(solvers[s], 1e-3, 0, 1);
        fmatch_sampler *sampler = make_with(model, &config);
        float x[] = {0.5f, 0, 2, 0};
        fmatch_status status = fmatch_sampler_integrate(sampler, 2, x, NULL, x);
        expect_that(status == FMATCH_ERROR_STEP_LIMIT || status == FMATCH_ERROR_NOT_FINITE,
                    "%s: %s", names[s], fmatch_status_get_name(status));
        expect_detail("row 1", "t = 0.", "1 rows of 2");
        double t[2];
        fmatch_sampler_rows rows = {.struct_size = sizeof rows, .t = t};
        expect_ok(fmatch_sampler_get_rows(sampler, 0, 2, &rows));
        expect_close(t[1], 0.5, 1e-2, "%s: where it is infinite", names[s]);
        expect_close(x[0], 1, 1e-2, "%s: the row beside it", names[s]);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

static void a_field_without_a_value_is_named(void **state)
{
    struct field field = {decay_above, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 0.25, 1);
    fmatch_sampler *sampler = make_with(model, &config);
    float x[] = {1, 1, 1, 1, -1, 1, 1, 1};
    expect_status(fmatch_sampler_integrate(sampler, 4, x, NULL, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 2", "t = 0.25");
    expect_close(x[4], -1, 0, "the row's state");
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

static float end_at_half(float x, float t, float setting)
{
    (void)t, (void)setting;
    return x < 0.5f ? 1 : NAN;
}

static void a_row_stops_where_the_field_ends(void **state)
{
    struct field field = {end_at_half, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    for (size_t s = 0; s < COUNT(solvers); s++) {
        fmatch_sampler_config config = config_of(solvers[s], 1e-4, 0, 1);
        fmatch_sampler *sampler = make_with(model, &config);
        float x[] = {-2, 0, 0, 0};
        expect_status(fmatch_sampler_integrate(sampler, 2, x, NULL, x), FMATCH_ERROR_NOT_FINITE);
        expect_detail("row 1", "not finite", "t = 0.5", "1 rows of 2");
        expect_close(x[0], -1, 1e-6, "%s: the row beside it", names[s]);
        expect_close(x[2], 0.5, 1e-6, "%s: where the field ends", names[s]);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

static void a_field_of_zero_is_crossed(void **state)
{
    struct field field = {still, 2, 0};
    fmatch_model *model = make_field(context_of(state), &field);
    for (size_t s = 0; s < COUNT(solvers); s++) {
        fmatch_sampler_config config = config_of(solvers[s], 0, 1, 0);
        fmatch_sampler *sampler = make_with(model, &config);
        float x[] = {3, 0, 0, 0};
        expect_ok(fmatch_sampler_integrate(sampler, 2, x, NULL, x));
        assert_true(x[0] == 3 && x[2] == 0);
        expect_that(info_of(sampler).accepted <= 2 * 8, "%s: %d steps", names[s],
                    (int)info_of(sampler).accepted);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

/* ---- guidance ---- */

/* v = c x under a condition c, and 0 under none. */
static int32_t evaluate_condition(void *user, int64_t n, const float *x, const float *t,
                                  const float *condition, float *v)
{
    (void)t;
    *(int64_t *)user += n;
    for (int64_t i = 0; i < n; i++)
        v[i] = condition ? condition[i] * x[i] : 0;
    return 0;
}

static void guidance_acts_on_each_row_by_its_time(void **state)
{
    enum { N = 300 };
    static const double intervals[][2] = {{0, 1}, {0.25, 0.75}};
    int64_t made = 0;
    fmatch_velocity_callbacks callbacks = {sizeof callbacks,
                                           0,
                                           evaluate_condition,
                                           NULL,
                                           &made,
                                           1,
                                           FMATCH_NULL_CONDITION_ACCEPTED,
                                           NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &callbacks, NULL));
    float condition[N], x[N];
    fill_scattered(condition, N, -2, 2, 1);
    for (size_t k = 0; k < COUNT(intervals); k++) {
        fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-5, 0, 1);
        config.guidance = FMATCH_GUIDANCE_SCALE;
        config.guidance_strength = 1.5;
        config.guidance_t_start = intervals[k][0];
        config.guidance_t_end = intervals[k][1];
        fmatch_sampler *sampler = make_with(model, &config);
        const double length = intervals[k][1] - intervals[k][0];
        for (int i = 0; i < N; i++)
            x[i] = 1;
        made = 0;
        expect_ok(fmatch_sampler_integrate(sampler, N, x, condition, x));
        for (int i = 0; i < N; i++)
            expect_close(x[i], exp(condition[i] * (1 + 0.5 * length)), 1e-3, "interval %zu, row %d",
                         k, i);
        const int64_t evaluations = info_of(sampler).evaluations;
        expect_that(k == 0 ? evaluations == made : evaluations <= made,
                    "%d evaluations said, %d made", (int)evaluations, (int)made);
        expect_that(evaluations < 300 * N, "%d evaluations", (int)evaluations);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

/* v = cos(3 t), or -x under a condition: no difficult field anywhere. */
static int32_t evaluate_easy(void *user, int64_t n, const float *x, const float *t,
                             const float *condition, float *v)
{
    (void)user;
    for (int64_t i = 0; i < n; i++)
        v[i] = condition && !isnan(condition[i]) ? -x[i] : cosf(3 * t[i]);
    return 0;
}

static fmatch_model *make_easy(fmatch_context *context)
{
    const fmatch_velocity_callbacks callbacks = {.struct_size = sizeof callbacks,
                                                 .evaluate = evaluate_easy,
                                                 .condition_dim = 1,
                                                 .null_condition = FMATCH_NULL_CONDITION_ACCEPTED};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, 1, &callbacks, NULL));
    return model;
}

/* However short the step was that ended there. */
static void behind_an_edge_of_guidance_steps_have_their_length(void **state)
{
    fmatch_model *model = make_easy(context_of(state));
    for (int k = 0; k <= 200; k++) {
        fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 0, 1);
        config.guidance = FMATCH_GUIDANCE_SCALE;
        config.guidance_strength = 2;
        config.guidance_t_start = k == 200 ? 0.3 : 0.2 + 0.0025 * k;
        config.guidance_t_end = k == 200 ? 0.1 + 0.2 : 0.9; /* an ulp behind */
        config.step_smallest = k % 2 ? 0.03 : 0;
        fmatch_sampler *sampler = make_with(model, &config);
        float x = 1, condition = 1;
        expect_ok(fmatch_sampler_integrate(sampler, 1, &x, &condition, &x));
        const fmatch_sampler_info info = info_of(sampler);
        expect_that(info.accepted + info.rejected <= 10, "guidance from %g: %d steps, %d rejected",
                    config.guidance_t_start, (int)info.accepted, (int)info.rejected);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

/* They take the steps of a sampler without guidance, whatever their neighbours do. */
static void rows_of_the_null_condition_stay_as_they_are(void **state)
{
    enum { N = 20 };
    fmatch_model *model = make_easy(context_of(state));
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_TSITOURAS, 1e-4, 0, 1);
    fmatch_sampler *plain = make_with(model, &config);
    config.guidance = FMATCH_GUIDANCE_WEIGHT;
    config.guidance_strength = 2;
    config.guidance_t_start = 0.3;
    config.guidance_t_end = 0.7;
    fmatch_sampler *guided = make_with(model, &config);
    float x[N], seen[2][N], condition[N];
    int64_t steps[2][N], evaluations[2][N];
    fill_scattered(x, N, -2, 2, 1);
    for (int i = 0; i < N; i++)
        condition[i] = i % 2 ? NAN : 1;
    for (int k = 0; k < 2; k++) {
        fmatch_sampler *sampler = k ? guided : plain;
        expect_ok(fmatch_sampler_integrate(sampler, N, x, condition, seen[k]));
        const fmatch_sampler_rows rows = {
            .struct_size = sizeof rows, .accepted = steps[k], .evaluations = evaluations[k]};
        expect_ok(fmatch_sampler_get_rows(sampler, 0, N, &rows));
    }
    for (int i = 0; i < N; i++) {
        const bool same = seen[0][i] == seen[1][i] && steps[0][i] == steps[1][i] &&
                          evaluations[0][i] == evaluations[1][i];
        expect_that(same == (i % 2 == 1), "row %d: %.9g after %d steps, guided %.9g after %d", i,
                    seen[0][i], (int)steps[0][i], seen[1][i], (int)steps[1][i]);
    }
    fmatch_sampler_destroy(&guided);
    fmatch_sampler_destroy(&plain);
    fmatch_model_destroy(&model);
}

/* ---- the call ---- */

static void drawn_rows_are_noise_integrated(void **state)
{
    enum { N = 600 };
    fmatch_model *model = make_gaussian(context_of(state));
    fmatch_source *noise = make_normal(context_of(state), 2);
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-5, 0, 1);
    fmatch_sampler *sampler = make_with(model, &config);
    static float drawn[4 * N], x[2 * N];
    expect_ok(fmatch_sampler_draw_trajectory(sampler, 5, 30, N, NULL, drawn));
    expect_ok(fmatch_sampler_integrate(sampler, N, drawn, NULL, x));
    expect_same_bits(x, drawn + 2 * N, 2 * N, "from the noise that was drawn");
    expect_ok(fmatch_sampler_draw(sampler, 5, 130, N - 100, NULL, x));
    expect_same_bits(x, drawn + 2 * (N + 100), 2 * (N - 100), "from another first row");
    fmatch_sampler_destroy(&sampler);
    fmatch_source_destroy(&noise);
    fmatch_model_destroy(&model);
}

static void settings_that_are_not_used_or_nonsense(void **state)
{
    fmatch_model *model = make_easy(context_of(state));
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 0, 1);
    config.steps = 0;
    fmatch_sampler *sampler = make_with(model, &config);
    fmatch_sampler_info info = {.struct_size = sizeof info, .flags = 4};
    expect_status(fmatch_sampler_get_info(sampler, &info), FMATCH_ERROR_ARGUMENT);
    expect_detail("info->flags");
    fmatch_sampler_destroy(&sampler);
    config.guidance_t_start = NAN;
    expect_status(fmatch_sampler_create(&sampler, model, &config), FMATCH_ERROR_ARGUMENT);
    expect_detail("config->guidance_t_start is nan");
    fmatch_model_destroy(&model);
}

static void fixed_steps_have_statistics_too(void **state)
{
    fmatch_model *model = make_gaussian(context_of(state));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_HEUN, 8, 0.5, 1);
    float x[6] = {0};
    int64_t evaluations[2], accepted[2];
    double t[2];
    assert_int_equal(info_of(sampler).rows, 0);
    expect_ok(fmatch_sampler_integrate(sampler, 3, x, NULL, x));
    fmatch_sampler_info info = info_of(sampler);
    expect_that(info.rows == 3 && info.stopped == 0 && info.evaluations == 48 &&
                    info.accepted == 24 && info.rejected == 0,
                "%d rows, %d evaluations, %d steps", (int)info.rows, (int)info.evaluations,
                (int)info.accepted);
    expect_close(info.step_smallest, 0.0625, 1e-15, "the step");
    fmatch_sampler_rows rows = {
        .struct_size = sizeof rows, .t = t, .evaluations = evaluations, .accepted = accepted};
    expect_ok(fmatch_sampler_get_rows(sampler, 1, 2, &rows));
    assert_true(evaluations[0] == 16 && evaluations[1] == 16 && accepted[1] == 8 && t[1] == 1);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* Whatever the reason, and with either kind of solver. */
static void a_call_that_failed_leaves_no_rows(void **state)
{
    static const int32_t kinds[] = {FMATCH_SOLVER_HEUN, FMATCH_SOLVER_TSITOURAS};
    fmatch_model *model = make_gaussian(context_of(state));
    for (size_t k = 0; k < COUNT(kinds); k++) {
        fmatch_sampler_config config = config_of(kinds[k], 0, 0, 1);
        fmatch_sampler *sampler = make_with(model, &config);
        float x[] = {1, 2, 3, 4};
        const float bad[] = {1, NAN};
        expect_ok(fmatch_sampler_integrate(sampler, 2, x, NULL, x));
        assert_int_equal(info_of(sampler).rows, 2);
        expect_status(fmatch_sampler_integrate(sampler, 1, bad, NULL, x), FMATCH_ERROR_NOT_FINITE);
        assert_int_equal(info_of(sampler).rows, 0);
        expect_ok(fmatch_sampler_draw(sampler, 1, 0, 2, NULL, x));
        expect_status(fmatch_sampler_draw(sampler, 1, -1, 2, NULL, x), FMATCH_ERROR_ARGUMENT);
        assert_int_equal(info_of(sampler).rows, 0);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
}

/* A callback that fails at its fifth call, and asks the sampler about the call it is in. */
struct asking {
    fmatch_sampler *sampler;
    int calls;
    fmatch_status answer;
};

static int32_t evaluate_asking(void *user, int64_t n, const float *x, const float *t,
                               const float *condition, float *v)
{
    struct asking *asking = user;
    fmatch_sampler_info info = {.struct_size = sizeof info};
    (void)t, (void)condition;
    asking->answer = fmatch_sampler_get_info(asking->sampler, &info);
    memcpy(v, x, (size_t)n * sizeof *v);
    return ++asking->calls == 5 ? -7 : 0;
}

static void a_callback_that_fails_ends_the_call(void **state)
{
    struct asking asking = {0};
    fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, evaluate_asking, NULL, &asking, 0, 0, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &callbacks, NULL));
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-5, 0, 1);
    asking.sampler = make_with(model, &config);
    float x[] = {1, 2};
    expect_status(fmatch_sampler_integrate(asking.sampler, 2, x, NULL, x), FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -7);
    assert_int_equal(asking.calls, 5);
    assert_int_equal(asking.answer, FMATCH_ERROR_STATE);
    assert_int_equal(info_of(asking.sampler).rows, 0);
    expect_ok(fmatch_sampler_integrate(asking.sampler, 2, x, NULL, x));
    fmatch_sampler_destroy(&asking.sampler);
    fmatch_model_destroy(&model);
}

/* A schedule of the caller's, on any thread, that has no values late on the way. */
/* Of which one fails, or those of a time if that is below 0. */
struct schedule_calls {
    atomic_long made;
    long failing;
};

static int32_t evaluate_schedule(void *user, int64_t n, const double *t, double *alpha,
                                 double *sigma, double *alpha_rate, double *sigma_rate)
{
    struct schedule_calls *calls = user;
    if (atomic_fetch_add(&calls->made, 1) == calls->failing)
        return -4;
    for (int64_t i = 0; i < n; i++) {
        if (calls->failing < 0 && t[i] > 0.6 && t[i] < 0.7)
            return -3;
        alpha[i] = t[i];
        sigma[i] = 1 - t[i];
        alpha_rate[i] = 1;
        sigma_rate[i] = -1;
    }
    return 0;
}

/* For good, or once. */
static void a_failure_on_another_thread_is_told(void **state)
{
    (void)state;
    struct schedule_calls calls = {.failing = LONG_MAX};
    fmatch_context *context = make_context(2);
    fmatch_schedule_callbacks schedule = {
        .struct_size = sizeof schedule, .evaluate = evaluate_schedule, .user = &calls};
    fmatch_path_config path;
    fmatch_path_config_init(&path);
    path.kind = FMATCH_PATH_CALLBACK;
    path.schedule = &schedule;
    fmatch_mlp_config net;
    fmatch_mlp_config_init(&net);
    net.dim = 1;
    net.path = &path;
    net.prediction = FMATCH_PREDICTION_DATA;
    net.baseline = FMATCH_BASELINE_NONE;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &net));
    fmatch_sampler_config config = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 0, 1);
    config.step_largest = 0.05;
    fmatch_sampler *sampler = make_with(model, &config);
    float *x = floats(ROWS);
    for (int often = 0; often <= 1; often++) {
        calls.failing = often ? -1 : atomic_load(&calls.made) + 50;
        expect_status(fmatch_sampler_draw(sampler, 1, 0, ROWS, NULL, x), FMATCH_ERROR_CALLBACK);
        assert_int_equal(fmatch_error_callback_code(), often ? -3 : -4);
        expect_detail("returned");
    }
    free(x);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(errors_follow_the_tolerance),
        world_test(data_goes_back_to_its_noise),
        world_test(tolerances_are_relative_and_absolute),
        world_test(solvers_show_their_orders),
        world_test(interpolation_is_exact_for_its_polynomials),
        world_test(trajectories_lie_on_the_path),
        world_test(trajectories_of_few_times),
        world_test(rows_do_not_depend_on_their_company),
        world_test(a_stiff_row_costs_itself_alone),
        world_test(limits_leave_the_state_and_its_time),
        world_test(a_guess_that_is_too_short_is_raised),
        world_test(a_row_stops_after_the_shortest_step_was_tried),
        world_test(one_row_that_stops_leaves_the_others),
        world_test(steps_that_overflow_are_tried_again),
        world_test(an_explosion_is_named),
        world_test(a_field_without_a_value_is_named),
        world_test(a_row_stops_where_the_field_ends),
        world_test(a_field_of_zero_is_crossed),
        world_test(guidance_acts_on_each_row_by_its_time),
        world_test(behind_an_edge_of_guidance_steps_have_their_length),
        world_test(rows_of_the_null_condition_stay_as_they_are),
        world_test(drawn_rows_are_noise_integrated),
        world_test(settings_that_are_not_used_or_nonsense),
        world_test(fixed_steps_have_statistics_too),
        world_test(a_call_that_failed_leaves_no_rows),
        world_test(a_callback_that_fails_ends_the_call),
        world_test(a_failure_on_another_thread_is_told),
    };
    return cmocka_run_group_tests_name("adaptive", tests, NULL, NULL);
}
