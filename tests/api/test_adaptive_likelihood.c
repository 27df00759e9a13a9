/* Log-densities along steps that each row chooses itself: errors against tolerances, probes,
 * guidance, limits, and that a row's result is its own. */
#include "densities.h"

enum { ROWS = 130, MANY = 1000 };

static const int32_t solvers[] = {FMATCH_SOLVER_BOGACKI_SHAMPINE, FMATCH_SOLVER_DORMAND_PRINCE,
                                  FMATCH_SOLVER_TSITOURAS};
static const char *const names[] = {"Bogacki-Shampine", "Dormand-Prince", "Tsitouras"};

static fmatch_likelihood_config config_of(int32_t solver, double tolerance, double t)
{
    fmatch_likelihood_config c;
    fmatch_likelihood_config_init(&c);
    c.solver = solver;
    c.tolerance_absolute = c.tolerance_relative = tolerance;
    c.t = t;
    return c;
}

/* ---- densities that are known ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The error of the middle row in units of the tolerance. */
static double middle_error(const struct mixture *m, const fmatch_likelihood_config *c,
                           const float *x, const double *seen, const char *name, const char *what)
{
    double error[ROWS];
    for (int i = 0; i < ROWS; i++)
        error[i] =
            fabs(seen[i] - mixture_log_density(m, c->t, x + i * m->dim)) / c->tolerance_absolute;
    qsort(error, ROWS, sizeof *error, by_value);
    expect_that(error[ROWS / 2] < 20 && error[ROWS - 1] < 1000,
                "%s, %s in %d dimensions, t = %g, tolerance %g: errors of %g in the middle and %g "
                "at most",
                name, what, (int)m->dim, c->t, c->tolerance_absolute, error[ROWS / 2],
                error[ROWS - 1]);
    return error[ROWS / 2] * c->tolerance_absolute;
}

/* Data and points on the way, of samples and of the same points when given. */
static void errors_follow_the_tolerance(void **state)
{
    static const int32_t dims[] = {1, 2, 10};
    static const double tolerances[] = {1e-3, 1e-4, 1e-5, 1e-6};
    float x[ROWS * MIXTURE_DIM_MOST];
    double seen[ROWS];
    for (size_t k = 0; k < COUNT(dims) * COUNT(solvers) * 2; k++) {
        const size_t s = k / 2 % COUNT(solvers);
        struct mixture m;
        fill_mixture(&m, dims[k / 2 / COUNT(solvers)]);
        fmatch_model *model = make_mixture_field(context_of(state), &m);
        double given[COUNT(tolerances)], drawn[COUNT(tolerances)];
        for (size_t i = 0; i < COUNT(tolerances); i++) {
            const fmatch_likelihood_config c =
                config_of(solvers[s], tolerances[i], k % 2 ? 0.5 : 1);
            expect_ok(fmatch_likelihood_draw(model, &c, 5, 0, ROWS, NULL, x, seen, NULL));
            drawn[i] = middle_error(&m, &c, x, seen, names[s], "drawn");
            expect_ok(fmatch_likelihood_evaluate(model, &c, ROWS, x, NULL, 0, seen, NULL, NULL));
            given[i] = middle_error(&m, &c, x, seen, names[s], "given");
        }
        expect_that(given[3] < fmax(given[0] / 50, 1e-6) && drawn[3] < fmax(drawn[0] / 50, 1e-6),
                    "%s in %d dimensions: errors of %g and %g at 1e-3, of %g and %g at 1e-6",
                    names[s], (int)m.dim, given[0], drawn[0], given[3], drawn[3]);
        fmatch_model_destroy(&model);
    }
}

/* A field of 0 whose divergence, as the caller gives it, is a pulse in the middle. */
struct pulse {
    float height;
};

static int32_t pulse_field(void *user, int64_t n, const float *x, const float *t,
                           const float *condition, float *v)
{
    (void)user, (void)x, (void)condition, (void)t;
    for (int64_t i = 0; i < n; i++)
        v[i] = 0;
    return 0;
}

/* height / (1 + 400 (t - 1/2)^2), whose integral is height / 10 atan 10. */
static int32_t pulse_derivative(void *user, int64_t n, const float *x, const float *t,
                                const float *condition, const float *u, float *v, float *ju)
{
    const struct pulse *p = user;
    for (int64_t i = 0; i < n; i++)
        ju[i] = p->height / (1 + 400 * (t[i] - 0.5f) * (t[i] - 0.5f)) * u[i];
    return pulse_field(user, n, x, t, condition, v);
}

/* x stands still, and by itself asks for a few steps, which see little of the pulse. */
static void the_integral_has_the_tolerance_too(void **state)
{
    struct pulse p = {5};
    const fmatch_velocity_callbacks field = {.struct_size = sizeof field,
                                             .evaluate = pulse_field,
                                             .user = &p,
                                             .jacobian_vector = pulse_derivative};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &field, NULL));
    const float x = 0.5f;
    for (size_t s = 0; s < COUNT(solvers); s++)
        for (double tolerance = 1e-3; tolerance > 0.9e-6; tolerance /= 10) {
            const fmatch_likelihood_config c = config_of(solvers[s], tolerance, 1);
            double seen;
            expect_ok(fmatch_likelihood_evaluate(model, &c, 1, &x, NULL, 0, &seen, NULL, NULL));
            expect_close(seen, normal_log_density(x, 0, 1) - p.height / 10 * atan(10),
                         20 * tolerance, "%s, tolerance %g", names[s], tolerance);
        }
    fmatch_model_destroy(&model);
}

/* Every entry of the derivative is the pulse, so that a probe of two signs has four times the pulse
 * or nothing. */
static int32_t pulse_square(void *user, int64_t n, const float *x, const float *t,
                            const float *condition, const float *u, float *v, float *ju)
{
    for (int64_t i = 0; i < n; i++) {
        const float sum = u[2 * i] + u[2 * i + 1];
        pulse_derivative(user, 1, x, t + i, condition, &sum, v + 2 * i, ju + 2 * i);
        ju[2 * i + 1] = ju[2 * i];
    }
    return pulse_field(user, 2 * n, x, t, condition, v);
}

/* Of half of all rows the first probe sees no pulse; of one in 2^8 no probe does. What 8 probes see
 * together is a whole number of eighths of four pulses. */
static void the_mean_over_the_probes_has_the_tolerance(void **state)
{
    enum { POINTS = 64, PROBES = 8 };
    struct pulse p = {5};
    const fmatch_velocity_callbacks field = {.struct_size = sizeof field,
                                             .evaluate = pulse_field,
                                             .user = &p,
                                             .jacobian_vector = pulse_square};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 2, &field, NULL));
    fmatch_divergence_config d;
    fmatch_divergence_config_init(&d);
    d.method = FMATCH_DIVERGENCE_HUTCHINSON, d.probes = PROBES;
    const float x[2 * POINTS] = {0};
    const double part = 4.0 / PROBES * p.height / 10 * atan(10);
    for (size_t s = 0; s < COUNT(solvers); s++) {
        fmatch_likelihood_config c = config_of(solvers[s], 1e-5, 1);
        c.divergence = &d;
        double seen[POINTS], all = 0;
        expect_ok(fmatch_likelihood_evaluate(model, &c, POINTS, x, NULL, 0, seen, NULL, NULL));
        for (int i = 0; i < POINTS; i++) {
            const double parts = (2 * normal_log_density(0, 0, 1) - seen[i]) / part;
            expect_close(parts, round(parts), 2e-4 / part, "%s, row %d, in eighths", names[s], i);
            all += parts;
        }
        /* 256 of 512 signs: 6 deviations, which 2 seeds of 10^9 exceed */
        expect_close(all, POINTS * PROBES / 2.0, 68, "%s: probes that see it", names[s]);
    }
    fmatch_model_destroy(&model);
}

static void samples_are_those_of_the_sampler(void **state)
{
    struct mixture m;
    fill_mixture(&m, 2);
    fmatch_model *model = make_mixture_field(context_of(state), &m);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_RK4, 400, 0, 1);
    float x[ROWS * 2], wanted[ROWS * 2];
    double density[ROWS];
    expect_ok(fmatch_sampler_draw(sampler, 3, 17, ROWS, NULL, wanted));
    const fmatch_likelihood_config c = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-6, 1);
    expect_ok(fmatch_likelihood_draw(model, &c, 3, 17, ROWS, NULL, x, density, NULL));
    for (int k = 0; k < ROWS * 2; k++)
        expect_close(x[k], wanted[k], 3e-5, "number %d", k);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* ---- Hutchinson ---- */

static void the_standard_error_covers_the_exact_value(void **state)
{
    static float x[MANY * SIDE], x0[MANY * SIDE];
    static double seen[MANY], error[MANY];
    fmatch_model *model = make_linear(context_of(state), true, NULL);
    fill_scattered(x, MANY * SIDE, -2, 2, 1);
    fmatch_divergence_config d;
    fmatch_divergence_config_init(&d);
    d.method = FMATCH_DIVERGENCE_HUTCHINSON;
    fmatch_likelihood_config c = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-5, 0.75);
    c.divergence = &d;
    for (d.probe = 0; d.probe < 2; d.probe++) {
        int within = 0;
        d.probes = 32;
        expect_ok(fmatch_likelihood_evaluate(model, &c, MANY, x, NULL, 0, seen, error, x0));
        for (int i = 0; i < MANY; i++)
            within += fabs(seen[i] - linear_log_density(x0 + i * SIDE, 0.75)) <= 1.96 * error[i];
        expect_that(within >= 920 && within <= 970, "probe %d: %d of %d rows", (int)d.probe, within,
                    (int)MANY);
        d.probes = 1;
        expect_ok(fmatch_likelihood_evaluate(model, &c, 10, x, NULL, 0, seen, error, NULL));
        for (int i = 0; i < 10; i++)
            expect_that(isnan(error[i]) && isfinite(seen[i]), "row %d: %g, error %g", i, seen[i],
                        error[i]);
    }
    c.divergence = NULL;
    expect_ok(fmatch_likelihood_evaluate(model, &c, ROWS, x, NULL, 0, seen, error, x0));
    for (int i = 0; i < ROWS; i++) {
        expect_close(seen[i], linear_log_density(x0 + i * SIDE, 0.75), 2e-4, "exact, row %d", i);
        assert_true(error[i] == 0);
    }
    fmatch_model_destroy(&model);
}

/* Probes are those of the steps of one length, so that both come to the same estimate. */
static void probes_depend_on_the_row_alone(void **state)
{
    static float x[MANY * SIDE];
    double seen[MANY], wanted[MANY], error[MANY], wanted_error[MANY];
    fmatch_model *model = make_linear(context_of(state), true, NULL);
    fill_scattered(x, MANY * SIDE, -2, 2, 1);
    fmatch_divergence_config d;
    fmatch_divergence_config_init(&d);
    d.method = FMATCH_DIVERGENCE_HUTCHINSON;
    d.probes = 3;
    fmatch_likelihood_config c = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-6, 1);
    c.divergence = &d;
    fmatch_likelihood_config fixed;
    fmatch_likelihood_config_init(&fixed);
    fixed.divergence = &d;
    for (d.probe = 0; d.probe < 2; d.probe++) {
        expect_ok(fmatch_likelihood_evaluate(model, &c, MANY, x, NULL, 41, seen, error, NULL));
        expect_ok(fmatch_likelihood_evaluate(model, &fixed, MANY, x, NULL, 41, wanted, wanted_error,
                                             NULL));
        for (int i = 0; i < MANY; i++) {
            expect_close(seen[i], wanted[i], 2e-4, "probe %d, row %d", (int)d.probe, i);
            expect_close(error[i], wanted_error[i], 1e-5, "probe %d, row %d", (int)d.probe, i);
        }
    }
    fmatch_model_destroy(&model);
}

/* ---- bases and guidance ---- */

/* Logistic, of scale 1. */
static int32_t logistic(void *user, int64_t n, const float *x, double *log_density)
{
    *(int64_t *)user += n;
    for (int64_t i = 0; i < n; i++)
        log_density[i] = x[i] > 50 ? -INFINITY : -x[i] - 2 * log1p(exp(-x[i]));
    return 0;
}

/* x e^-c is where a row comes from. */
static void the_base_may_be_the_callers(void **state)
{
    fmatch_model *model = make_growth(context_of(state));
    int64_t asked = 0;
    const fmatch_density_callbacks base = {
        .struct_size = sizeof base, .log_density = logistic, .user = &asked};
    fmatch_likelihood_config c = config_of(FMATCH_SOLVER_TSITOURAS, 1e-6, 1);
    c.base = &base;
    float x[ROWS], conditions[ROWS];
    double seen[ROWS];
    fill_scattered(conditions, ROWS, -1, 1, 2);
    for (int drawn = 0; drawn < 2; drawn++) {
        fill_scattered(x, ROWS, -2, 2, 1);
        x[3] = 1000;
        asked = 0;
        if (drawn)
            expect_ok(fmatch_likelihood_draw(model, &c, 3, 0, ROWS, conditions, x, seen, NULL));
        else
            expect_ok(
                fmatch_likelihood_evaluate(model, &c, ROWS, x, conditions, 0, seen, NULL, NULL));
        for (int i = 0; i < ROWS; i++) {
            const double k = conditions[i], x0 = x[i] * exp(-k);
            if (!drawn && i == 3)
                assert_true(seen[i] == -INFINITY);
            else
                expect_close(seen[i], -x0 - 2 * log1p(exp(-x0)) - k, 1e-4, "drawn %d, row %d",
                             drawn, i);
        }
        assert_int_equal(asked, ROWS);
    }
    fmatch_model_destroy(&model);
}

/* In its window the field is k x with k = 1/2 + s (c - 1/2), else c x; N(0, 1) becomes N(0, e^2K)
 * with K the mean of the two over the way. */
static void guidance_acts_in_its_window(void **state)
{
    static const double windows[][2] = {{0, 1}, {0.25, 0.7}, {0.5, 0.5}};
    fmatch_model *model = make_growth(context_of(state));
    float x[ROWS], conditions[ROWS];
    double seen[ROWS];
    fill_scattered(x, ROWS, -2, 2, 1);
    fill_scattered(conditions, ROWS, -0.5, 1, 2);
    conditions[7] = NAN;
    for (size_t k = 0; k < 2 * COUNT(windows); k++) {
        const double *window = windows[k / 2];
        fmatch_likelihood_config c = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-6, 1);
        c.guidance = FMATCH_GUIDANCE_SCALE;
        c.guidance_strength = 2.5;
        c.guidance_t_start = window[0];
        c.guidance_t_end = window[1];
        if (k % 2)
            expect_ok(fmatch_likelihood_draw(model, &c, 3, 0, ROWS, conditions, x, seen, NULL));
        else
            expect_ok(
                fmatch_likelihood_evaluate(model, &c, ROWS, x, conditions, 0, seen, NULL, NULL));
        for (int i = 0; i < ROWS; i++) {
            const double own = isnan(conditions[i]) ? 0.5 : conditions[i];
            const double mean = own + (window[1] - window[0]) * 1.5 * (own - 0.5);
            expect_close(seen[i], normal_log_density(x[i], 0, exp(mean)), 1e-4,
                         "%s, window from %g to %g, row %d", k % 2 ? "drawn" : "given", window[0],
                         window[1], i);
            if (k % 2)
                continue;
            double alone;
            expect_ok(fmatch_likelihood_evaluate(model, &c, 1, x + i, conditions + i, i, &alone,
                                                 NULL, NULL));
            expect_that(alone == seen[i], "row %d: %.17g by itself, else %.17g", i, alone, seen[i]);
        }
    }
    fmatch_model_destroy(&model);
}

/* ---- a row is its own ---- */

static fmatch_model *make_bent(fmatch_context *context)
{
    fmatch_model *model = make_mlp(context, 3, 2, 24, FMATCH_ACTIVATION_GELU, 3);
    const int64_t count = fmatch_model_count_parameters(model);
    float *parameters = floats(count);
    fill_scattered(parameters, count, -0.6, 0.6, 5);
    write_parameters(model, parameters);
    free(parameters);
    return model;
}

/* What calls on so many rows at a time give: of given points and of samples. */
struct results {
    double given[2][MANY], drawn[2][MANY]; /* log-densities and standard errors */
    float x0[MANY * 3], x[MANY * 3];
    int64_t accepted[MANY];
};

static void follow(const fmatch_model *model, fmatch_likelihood_config c, int64_t batch,
                   const float *points, struct results *to)
{
    for (int64_t i = 0; i < MANY; i += batch) {
        const int64_t n = MANY - i < batch ? MANY - i : batch;
        const fmatch_sampler_rows rows = {.struct_size = sizeof rows, .accepted = to->accepted + i};
        c.rows = &rows;
        expect_ok(fmatch_likelihood_draw(model, &c, 9, i, n, NULL, to->x + 3 * i, to->drawn[0] + i,
                                         to->drawn[1] + i));
        expect_ok(fmatch_likelihood_evaluate(model, &c, n, points + 3 * i, NULL, 5 + i,
                                             to->given[0] + i, to->given[1] + i, to->x0 + 3 * i));
    }
}

static void rows_do_not_depend_on_their_company(void **state)
{
    static const struct {
        int32_t threads;
        int64_t batch;
    } ways[] = {{1, MANY}, {1, 1}, {1, 7}, {1, 64}, {2, MANY}, {2, 64}, {8, MANY}, {8, 300}};
    static struct results wanted, seen;
    static float points[MANY * 3];
    (void)state;
    fill_scattered(points, MANY * 3, -2, 2, 1);
    fmatch_divergence_config d;
    fmatch_divergence_config_init(&d);
    d.method = FMATCH_DIVERGENCE_HUTCHINSON;
    d.probes = 3;
    for (size_t s = 0; s < COUNT(solvers) + 1; s++) {
        const bool exact = s < COUNT(solvers);
        const char *name = exact ? names[s] : "Dormand-Prince with probes";
        fmatch_likelihood_config c =
            config_of(exact ? solvers[s] : FMATCH_SOLVER_DORMAND_PRINCE, 1e-3, 1);
        c.divergence = exact ? NULL : &d;
        for (size_t w = 0; w < COUNT(ways); w++) {
            fmatch_context_config config;
            fmatch_context_config_init(&config);
            config.threads = ways[w].threads;
            config.matmul = FMATCH_MATMUL_BUILTIN;
            fmatch_context *context;
            expect_ok(fmatch_context_create(&context, &config));
            fmatch_model *model = make_bent(context);
            follow(model, c, ways[w].batch, points, w == 0 ? &wanted : &seen);
            fmatch_model_destroy(&model);
            fmatch_context_destroy(&context);
            if (w > 0)
                expect_that(memcmp(&seen, &wanted, sizeof seen) == 0,
                            "%s, %d threads, batches of %d", name, (int)ways[w].threads,
                            (int)ways[w].batch);
        }
        int64_t least = MANY, most = 0;
        for (int i = 0; i < MANY; i++) {
            least = wanted.accepted[i] < least ? wanted.accepted[i] : least;
            most = wanted.accepted[i] > most ? wanted.accepted[i] : most;
        }
        expect_that(most > least, "%s: all rows took %d steps", name, (int)most);
    }
}

/* One row in a hundred shrinks a hundred times as fast. */
static void a_stiff_row_costs_itself_alone(void **state)
{
    enum { N = 400, STIFF = 50 };
    fmatch_model *model = make_growth(context_of(state));
    static float conditions[N], x[N], x_alike[N];
    static double seen[N], alike[N], t[N], smallest[N];
    static int64_t evaluations[N], accepted[N], rejected[N];
    const fmatch_sampler_rows rows = {sizeof rows, 0, t, smallest, evaluations, accepted, rejected};
    fmatch_likelihood_config c = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 1);
    c.rows = &rows;
    for (int i = 0; i < N; i++)
        conditions[i] = -5;
    expect_ok(fmatch_likelihood_draw(model, &c, 1, 0, N, conditions, x_alike, alike, NULL));
    for (int i = STIFF; i < N; i += 100)
        conditions[i] = -500;
    expect_ok(fmatch_likelihood_draw(model, &c, 1, 0, N, conditions, x, seen, NULL));
    int64_t sum = 0;
    for (int i = 0; i < N; i++) {
        sum += evaluations[i];
        assert_true(t[i] == 1 && smallest[i] > 0);
        assert_int_equal(evaluations[i], 2 + 6 * (accepted[i] + rejected[i]));
        if (i % 100 == STIFF)
            expect_close(seen[i], alike[i] + 495, 0.2, "stiff row %d", i);
        else
            expect_that(memcmp(&seen[i], &alike[i], sizeof *seen) == 0 && x[i] == x_alike[i],
                        "row %d: %.17g and %.17g", i, seen[i], alike[i]);
    }
    expect_that(3 * sum < N * evaluations[STIFF], "%d evaluations where the stiff row took %d",
                (int)sum, (int)evaluations[STIFF]);
    fmatch_model_destroy(&model);
}

/* ---- limits ---- */

/* Rows 2 and 90 are too stiff for so many steps; the others arrive. */
static void a_limit_leaves_the_state_and_its_time(void **state)
{
    fmatch_model *model = make_growth(context_of(state));
    float conditions[ROWS], x[ROWS], x0[ROWS];
    double seen[ROWS], error[ROWS], t[ROWS];
    const fmatch_sampler_rows rows = {.struct_size = sizeof rows, .t = t};
    for (size_t s = 0; s < COUNT(solvers); s++) {
        fmatch_likelihood_config c = config_of(solvers[s], 1e-4, 0.75);
        c.steps_max = 40;
        c.rows = &rows;
        fill_scattered(x, ROWS, 1, 2, 1);
        fill_scattered(conditions, ROWS, 0, 1, 2);
        conditions[2] = conditions[90] = 500;
        expect_status(
            fmatch_likelihood_evaluate(model, &c, ROWS, x, conditions, 0, seen, error, x0),
            FMATCH_ERROR_STEP_LIMIT);
        expect_detail("row 2:", "config->steps_max", "2 rows of 130");
        for (int i = 0; i < ROWS; i++) {
            const bool stops = i == 2 || i == 90;
            expect_that(stops ? t[i] > 0.01 && t[i] < 0.75 : t[i] == 0, "%s: row %d at t = %g",
                        names[s], i, t[i]);
            expect_close(x0[i], x[i] * exp(conditions[i] * (t[i] - 0.75)), 1e-3, "%s: x0 of row %d",
                         names[s], i);
            if (stops)
                expect_that(isnan(seen[i]) && isnan(error[i]), "%s: row %d has %g, error %g",
                            names[s], i, seen[i], error[i]);
            else
                expect_close(seen[i], normal_log_density(x[i], 0, exp(0.75 * conditions[i])), 2e-3,
                             "%s: row %d", names[s], i);
        }
    }
    fmatch_model_destroy(&model);
}

/* v = -x, of which row 2's velocity, or its derivative alone, has no value up to t = 1/2. */
struct broken {
    bool velocity;
};

static int32_t broken_field(void *user, int64_t n, const float *x, const float *t,
                            const float *condition, float *v)
{
    const struct broken *b = user;
    for (int64_t i = 0; i < n; i++)
        v[i] = b->velocity && condition[i] > 0 && t[i] < 0.5f ? NAN : -x[i];
    return 0;
}

static int32_t broken_derivative(void *user, int64_t n, const float *x, const float *t,
                                 const float *condition, const float *u, float *v, float *ju)
{
    for (int64_t i = 0; i < n; i++)
        ju[i] = condition[i] > 0 && t[i] < 0.5f ? INFINITY : -u[i];
    return broken_field(user, n, x, t, condition, v);
}

static void what_is_not_finite_names_its_row(void **state)
{
    struct broken broken;
    const fmatch_velocity_callbacks field = {.struct_size = sizeof field,
                                             .evaluate = broken_field,
                                             .condition_dim = 1,
                                             .user = &broken,
                                             .jacobian_vector = broken_derivative};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &field, NULL));
    const float x[] = {0.5f, 0.25f, 0.125f, 1}, conditions[] = {0, 0, 1, 0};
    float x0[4];
    double seen[4], t[4];
    const fmatch_sampler_rows rows = {.struct_size = sizeof rows, .t = t};
    for (int k = 0; k < 2; k++) {
        broken.velocity = k;
        fmatch_likelihood_config c = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 1);
        c.rows = &rows;
        expect_status(fmatch_likelihood_evaluate(model, &c, 4, x, conditions, 33, seen, NULL, x0),
                      FMATCH_ERROR_NOT_FINITE);
        expect_detail("row 2:", "not finite", "t = 0.5", "1 rows of 4");
        for (int i = 0; i < 4; i++)
            if (i == 2)
                expect_that(isnan(seen[i]) && t[i] > 0.499 && t[i] < 0.51, "%g at t = %g", seen[i],
                            t[i]);
            else
                expect_close(seen[i], normal_log_density(x[i], 0, exp(-1)), 2e-3, "row %d", i);
        expect_status(fmatch_likelihood_draw(model, &c, 3, 33, 4, conditions, x0, seen, NULL),
                      FMATCH_ERROR_NOT_FINITE);
        expect_detail("row 35:", "t = 0");
        expect_that(isnan(seen[2]) && t[2] == 0, "%g at t = %g", seen[2], t[2]);
        expect_close(seen[0], normal_log_density(x0[0], 0, exp(-1)), 2e-3, "drawn beside it");
    }
    fmatch_model_destroy(&model);
}

/* Normal, but without a value beyond 10. */
static int32_t base_that_ends(void *user, int64_t n, const float *x, double *log_density)
{
    (void)user;
    for (int64_t i = 0; i < n; i++)
        log_density[i] = fabsf(x[i]) > 10 ? NAN : normal_log_density(x[i], 0, 1);
    return 0;
}

/* One row has no base, another one comes to a limit on steps; which one is first is told. */
static void a_base_without_a_value_leaves_the_other_rows(void **state)
{
    fmatch_model *model = make_growth(context_of(state));
    const fmatch_density_callbacks base = {.struct_size = sizeof base,
                                           .log_density = base_that_ends};
    for (int k = 0; k < 2; k++) {
        float x[] = {1, 0.5f, 0.5f, -2}, conditions[] = {1, 1, 1, 1};
        double seen[4];
        fmatch_likelihood_config c = config_of(FMATCH_SOLVER_DORMAND_PRINCE, 1e-4, 1);
        c.base = &base, c.steps_max = 50;
        x[1 + k] = 50, conditions[2 - k] = 1e4f;
        expect_status(fmatch_likelihood_evaluate(model, &c, 4, x, conditions, 0, seen, NULL, NULL),
                      k == 0 ? FMATCH_ERROR_NOT_FINITE : FMATCH_ERROR_STEP_LIMIT);
        expect_detail("row 1:", k == 0 ? "log-density is nan" : "1 rows of 4");
        for (int i = 0; i < 4; i += 3)
            expect_close(seen[i], normal_log_density(x[i], 0, exp(1)), 2e-3, "row %d", i);
        expect_that(isnan(seen[1]) && isnan(seen[2]), "%g and %g", seen[1], seen[2]);
    }
    fmatch_model_destroy(&model);
}

/* ---- the call ---- */

static void settings_out_of_range_are_named(void **state)
{
    fmatch_model *model = make_growth(context_of(state));
    const float x = 0;
    double seen;
    fmatch_sampler_rows rows = {.struct_size = sizeof rows};
    const fmatch_sampler_rows flagged = {.struct_size = sizeof rows, .flags = 1};
    const int32_t adaptive = FMATCH_SOLVER_TSITOURAS;
    struct {
        const char *name;
        fmatch_likelihood_config config;
    } wrong[] = {{"config->tolerance_absolute", config_of(FMATCH_SOLVER_RK4, 1e-3, 1)},
                 {"config->tolerance_absolute", config_of(adaptive, -1, 1)},
                 {"config->tolerance_relative", config_of(adaptive, 1.5, 1)},
                 {"config->step_first", config_of(adaptive, 0, 1)},
                 {"config->step_largest", config_of(adaptive, 0, 1)},
                 {"config->steps_max", config_of(adaptive, 0, 1)},
                 {"config->steps_max", config_of(adaptive, 0, 1)},
                 {"config->steps_max", config_of(FMATCH_SOLVER_HEUN, 0, 1)},
                 {"config->rows", config_of(FMATCH_SOLVER_HEUN, 0, 1)},
                 {"config->rows->flags", config_of(adaptive, 0, 1)}};
    wrong[3].config.step_first = NAN;
    wrong[4].config.step_largest = 0.01;
    wrong[4].config.step_smallest = 0.02;
    wrong[5].config.steps_max = -1;
    wrong[6].config.steps_max = (int64_t)1 << 32;
    wrong[7].config.steps_max = 1;
    wrong[8].config.rows = &rows;
    wrong[9].config.rows = &flagged;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        expect_status(
            fmatch_likelihood_evaluate(model, &wrong[i].config, 1, &x, NULL, 0, &seen, NULL, NULL),
            FMATCH_ERROR_ARGUMENT);
        expect_detail(wrong[i].name);
    }
    fmatch_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(errors_follow_the_tolerance),
        world_test(the_integral_has_the_tolerance_too),
        world_test(the_mean_over_the_probes_has_the_tolerance),
        world_test(samples_are_those_of_the_sampler),
        world_test(the_standard_error_covers_the_exact_value),
        world_test(probes_depend_on_the_row_alone),
        world_test(the_base_may_be_the_callers),
        world_test(guidance_acts_in_its_window),
        world_test(rows_do_not_depend_on_their_company),
        world_test(a_stiff_row_costs_itself_alone),
        world_test(a_limit_leaves_the_state_and_its_time),
        world_test(what_is_not_finite_names_its_row),
        world_test(a_base_without_a_value_leaves_the_other_rows),
        world_test(settings_out_of_range_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
