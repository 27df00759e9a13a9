/* Log-densities along the flow, against densities that are known. */
#include "densities.h"

enum { ROWS = 130, MANY = 1000 };

static fmatch_likelihood_config config_with(int32_t solver, int64_t steps, double t)
{
    fmatch_likelihood_config c;
    fmatch_likelihood_config_init(&c);
    c.solver = solver;
    c.steps = steps;
    c.t = t;
    return c;
}

/* ---- densities that are known ---- */

static const float mean3[] = {10, -0.5f, 3}, std3[] = {4, 0.25f, 1.5f};

/* With an output of 0 the baseline is the exact field of N(m, s^2), so that before training the
 * log-density is that of the data's Gaussian, in the data's units. */
static void a_new_network_has_the_gaussian(void **state)
{
    fmatch_mlp_config network;
    fmatch_mlp_config_init(&network);
    network.dim = 3;
    network.data_mean = mean3;
    network.data_std = std3;
    float x[ROWS * 3], x0[ROWS * 3];
    double seen[ROWS], error[ROWS];
    fill_scattered(x, ROWS * 3, -3, 3, 1);
    for (int k = 0; k < ROWS * 3; k++)
        x[k] = mean3[k % 3] + std3[k % 3] * x[k];
    for (int32_t prediction = 0; prediction < 3; prediction++) {
        network.prediction = prediction;
        fmatch_model *model;
        expect_ok(fmatch_model_create_mlp(&model, context_of(state), &network));
        expect_ok(fmatch_likelihood_evaluate(model, NULL, ROWS, x, NULL, 0, seen, error, x0));
        for (int i = 0; i < ROWS; i++) {
            double wanted = 0;
            for (int j = 0; j < 3; j++) {
                wanted += normal_log_density(x[3 * i + j], mean3[j], std3[j]);
                /* noise and data have the same distribution, and the flow keeps the order */
                expect_close(x0[3 * i + j], x[3 * i + j], 2e-5 * std3[j] * (prediction ? 100 : 1),
                             "x0 of row %d", i);
            }
            /* at t = 1 the other predictions are divided by 0.005, not by 0 */
            expect_close(seen[i], wanted, prediction ? 0.02 : 1e-5, "prediction %d, row %d",
                         (int)prediction, i);
            assert_true(error[i] == 0);
        }
        fmatch_model_destroy(&model);
    }
}

/* At data and on the way, of given points and of samples. */
static void mixtures_have_their_density(void **state)
{
    static const int32_t dims[] = {1, 2, 10};
    float x[ROWS * MIXTURE_DIM_MOST];
    double seen[ROWS];
    for (size_t d = 0; d < COUNT(dims); d++) {
        struct mixture m;
        fill_mixture(&m, dims[d]);
        fmatch_model *model = make_mixture_field(context_of(state), &m);
        for (double t = 0.5; t <= 1; t += 0.5) {
            const fmatch_likelihood_config c = config_with(FMATCH_SOLVER_RK4, 200, t);
            expect_ok(fmatch_likelihood_draw(model, &c, 5, 0, ROWS, NULL, x, seen, NULL));
            for (int i = 0; i < ROWS; i++)
                expect_close(seen[i], mixture_log_density(&m, t, x + i * m.dim), 1e-4,
                             "drawn in %d dimensions, t = %g, row %d", (int)m.dim, t, i);
            expect_ok(fmatch_likelihood_evaluate(model, &c, ROWS, x, NULL, 0, seen, NULL, NULL));
            for (int i = 0; i < ROWS; i++)
                expect_close(seen[i], mixture_log_density(&m, t, x + i * m.dim), 1e-4,
                             "given in %d dimensions, t = %g, row %d", (int)m.dim, t, i);
        }
        fmatch_model_destroy(&model);
    }
}

/* Euler's error falls as 1 / n, that of the methods of second order as 1 / n^2; RK4's, while the
 * integral's of order 6 is the larger one, faster than 1 / n^4. */
static void each_solver_has_its_order(void **state)
{
    struct mixture m;
    fill_mixture(&m, 2);
    fmatch_model *model = make_mixture_field(context_of(state), &m);
    float x[ROWS * 2];
    double seen[ROWS];
    fill_scattered(x, ROWS * 2, -1.5, 1.5, 1);
    static const double orders[] = {1, 2, 2, 4, 3, 4, 2};
    for (int32_t solver = 0; solver < (int32_t)COUNT(orders); solver++) {
        double error[2] = {0};
        for (int fine = 0; fine < 2; fine++) {
            const int64_t steps = (orders[solver] > 3 ? 10 : 40) << fine;
            const fmatch_likelihood_config c = config_with(solver, steps, 1);
            expect_ok(fmatch_likelihood_evaluate(model, &c, ROWS, x, NULL, 0, seen, NULL, NULL));
            for (int i = 0; i < ROWS; i++)
                error[fine] += fabs(seen[i] - mixture_log_density(&m, 1, x + 2 * i)) / ROWS;
        }
        const double order = log2(error[0] / error[1]);
        expect_that(
            order > orders[solver] - 0.3 && order < orders[solver] + (orders[solver] < 4 ? 0.3 : 4),
            "order of solver %d is %g, errors %g and %g", (int)solver, order, error[0], error[1]);
    }
    fmatch_model_destroy(&model);
}

/* v = t^degree / 100 x. */
struct polynomial {
    int degree;
};

static int32_t polynomial_field(void *user, int64_t n, const float *x, const float *t,
                                const float *condition, float *v)
{
    const struct polynomial *p = user;
    (void)condition;
    for (int64_t i = 0; i < n; i++)
        v[i] = (float)(0.01 * pow(t[i], p->degree)) * x[i];
    return 0;
}

static int32_t polynomial_derivative(void *user, int64_t n, const float *x, const float *t,
                                     const float *condition, const float *u, float *v, float *ju)
{
    return polynomial_field(user, n, x, t, condition, v) |
           polynomial_field(user, n, u, t, condition, ju);
}

/* The integral of t^degree / 100 is exact up to the degree that the rule of so many steps has, and
 * not beyond: the trapezium, Simpson's, three eighths, Boole's, and Gregory's of order 5 on. */
static void the_integral_has_its_order(void **state)
{
    static const struct {
        int64_t steps;
        int exact;
    } rules[] = {{1, 1}, {2, 3}, {3, 3}, {4, 5}, {5, 5}, {7, 5}};
    for (size_t r = 0; r < COUNT(rules); r++)
        for (int degree = 0; degree <= rules[r].exact + 1; degree++) {
            struct polynomial p = {degree};
            const fmatch_velocity_callbacks field = {.struct_size = sizeof field,
                                                     .evaluate = polynomial_field,
                                                     .user = &p,
                                                     .jacobian_vector = polynomial_derivative};
            fmatch_model *model;
            expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &field, NULL));
            const fmatch_likelihood_config c =
                config_with(FMATCH_SOLVER_MIDPOINT, rules[r].steps, 1);
            const float x = 0.5f;
            float x0;
            double seen;
            expect_ok(fmatch_likelihood_evaluate(model, &c, 1, &x, NULL, 0, &seen, NULL, &x0));
            const double off = fabs(normal_log_density(x0, 0, 1) - seen - 0.01 / (degree + 1));
            expect_that(degree > rules[r].exact ? off > 1e-7 : off < 3e-8,
                        "%d steps, t^%d: off by %g", (int)rules[r].steps, degree, off);
            fmatch_model_destroy(&model);
        }
}

static void samples_are_those_of_the_sampler(void **state)
{
    struct mixture m;
    fill_mixture(&m, 2);
    fmatch_model *model = make_mixture_field(context_of(state), &m);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_HEUN, 20, 0, 1);
    const fmatch_likelihood_config c = config_with(FMATCH_SOLVER_HEUN, 20, 1);
    float x[ROWS * 2], wanted[ROWS * 2];
    double density[ROWS];
    expect_ok(fmatch_sampler_draw(sampler, 3, 17, ROWS, NULL, wanted));
    expect_ok(fmatch_likelihood_draw(model, &c, 3, 17, ROWS, NULL, x, density, NULL));
    for (int k = 0; k < ROWS * 2; k++)
        expect_close(x[k], wanted[k], 1e-5, "number %d", k);
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
    fmatch_likelihood_config c = config_with(FMATCH_SOLVER_RK4, 8, 0.75);
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
    fmatch_model_destroy(&model);
}

/* ---- fields and bases of the caller's own ---- */

static void callbacks_have_their_density(void **state)
{
    float x[ROWS * SIDE], x0[ROWS * SIDE];
    double seen[ROWS];
    fill_scattered(x, ROWS * SIDE, -2, 2, 1);
    for (int jacobian = 0; jacobian < 2; jacobian++) {
        fmatch_model *model = make_linear(context_of(state), jacobian, NULL);
        expect_ok(fmatch_likelihood_evaluate(model, NULL, ROWS, x, NULL, 0, seen, NULL, x0));
        for (int i = 0; i < ROWS; i++)
            expect_close(seen[i], linear_log_density(x0 + i * SIDE, 1), jacobian ? 1e-5 : 3e-4,
                         "jacobian %d, row %d", jacobian, i);
        fmatch_model_destroy(&model);
    }
}

static int32_t shift(void *user, int64_t n, const float *x, const float *t, const float *condition,
                     float *v)
{
    (void)user, (void)x, (void)t;
    for (int64_t i = 0; i < n; i++)
        v[i] = condition ? condition[i] : 0;
    return 0;
}

/* Logistic, of scale 1; a code other than 0 is returned. */
static int32_t logistic(void *user, int64_t n, const float *x, double *log_density)
{
    for (int64_t i = 0; i < n; i++)
        log_density[i] = x[i] > 50 ? -INFINITY : -x[i] - 2 * log1p(exp(-x[i]));
    return user ? *(int32_t *)user : 0;
}

/* v is the row's condition c, so that p_t(x) = p_0(x - t c). */
static void the_base_may_be_anything_and_conditions_are_of_a_row(void **state)
{
    fmatch_source *noise = make_post_target(context_of(state)), *array;
    const float rows[] = {1, 2};
    fmatch_array_config a;
    fmatch_array_config_init(&a);
    a.dim = 1;
    a.n = 2;
    a.rows = rows;
    expect_ok(fmatch_source_create_array(&array, context_of(state), &a));
    const fmatch_velocity_callbacks field = {
        .struct_size = sizeof field, .evaluate = shift, .condition_dim = 1};
    const fmatch_density_callbacks base = {.struct_size = sizeof base, .log_density = logistic};
    fmatch_likelihood_config c = config_with(FMATCH_SOLVER_EULER, 3, 0.5);
    float x[ROWS], conditions[ROWS];
    double seen[ROWS];
    fill_scattered(x, ROWS, -3, 3, 1);
    fill_scattered(conditions, ROWS, -3, 3, 2);
    x[3] = 100;
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &field, noise));
    for (int own = 0; own < 2; own++) {
        c.base = own ? &base : NULL;
        expect_ok(fmatch_likelihood_evaluate(model, &c, ROWS, x, conditions, 0, seen, NULL, NULL));
        for (int i = 0; i < ROWS; i++) {
            const double at = x[i] - 0.5 * conditions[i];
            double wanted = log(0.55 * exp(normal_log_density(at, -0.85, 0.65)) +
                                0.45 * exp(normal_log_density(at, 1.5, 0.25)));
            if (own)
                wanted = -at - 2 * log1p(exp(-at));
            if (i == 3) /* far outside, where the sum above is 0 */
                expect_that(own ? seen[i] == -INFINITY : seen[i] < -9000, "%g", seen[i]);
            else
                expect_close(seen[i], wanted, 1e-4, "own %d, row %d", own, i);
        }
    }
    fmatch_model_destroy(&model);
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &field, array));
    c.base = NULL;
    expect_status(fmatch_likelihood_evaluate(model, &c, 1, x, conditions, 0, seen, NULL, NULL),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_detail("log-density", "config->base");
    c.base = &base;
    expect_ok(fmatch_likelihood_draw(model, &c, 1, 0, 5, conditions, x, seen, NULL));
    for (int i = 0; i < 5; i++) {
        const double at = x[i] - 0.5 * conditions[i];
        expect_that(fabs(at - 1) < 1e-5 || fabs(at - 2) < 1e-5, "noise is %g", at);
        expect_close(seen[i], -at - 2 * log1p(exp(-at)), 1e-5, "drawn row %d", i);
    }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&array);
    fmatch_source_destroy(&noise);
}

/* Guided, the field is k x with k = 1/2 + s (c - 1/2), under which N(0, 1) becomes N(0, e^2k). */
static void guidance_has_its_density(void **state)
{
    const fmatch_velocity_callbacks field = {.struct_size = sizeof field,
                                             .evaluate = growth,
                                             .condition_dim = 1,
                                             .null_condition = FMATCH_NULL_CONDITION_ACCEPTED};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &field, NULL));
    float x[ROWS], conditions[ROWS];
    double seen[ROWS];
    fill_scattered(x, ROWS, -2, 2, 1);
    fill_scattered(conditions, ROWS, -0.5, 1, 2);
    conditions[7] = NAN;
    fmatch_likelihood_config c = config_with(FMATCH_SOLVER_RK4, 50, 1);
    for (int drawn = 0; drawn < 2; drawn++)
        for (c.guidance = 0; c.guidance < 3; c.guidance++) {
            c.guidance_strength = c.guidance == FMATCH_GUIDANCE_NONE ? 0 : 1.5;
            const double s = c.guidance == FMATCH_GUIDANCE_NONE    ? 1
                             : c.guidance == FMATCH_GUIDANCE_SCALE ? 1.5
                                                                   : 2.5;
            if (drawn)
                expect_ok(fmatch_likelihood_draw(model, &c, 3, 0, ROWS, conditions, x, seen, NULL));
            else
                expect_ok(fmatch_likelihood_evaluate(model, &c, ROWS, x, conditions, 0, seen, NULL,
                                                     NULL));
            for (int i = 0; i < ROWS; i++) {
                const double k = isnan(conditions[i]) ? 0.5 : 0.5 + s * (conditions[i] - 0.5);
                expect_close(seen[i], normal_log_density(x[i], 0, exp(k)), 1e-4,
                             "drawn %d, guidance %d, row %d", drawn, (int)c.guidance, i);
            }
        }
    fmatch_model_destroy(&model);
    struct mixture m;
    fill_mixture(&m, 1);
    model = make_mixture_field(context_of(state), &m);
    c.guidance = FMATCH_GUIDANCE_SCALE;
    expect_status(fmatch_likelihood_evaluate(model, &c, 1, x, NULL, 0, seen, NULL, NULL),
                  FMATCH_ERROR_UNSUPPORTED);
    c.guidance = 3;
    expect_status(fmatch_likelihood_evaluate(model, &c, 1, x, NULL, 0, seen, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("config->guidance");
    fmatch_model_destroy(&model);
}

/* With guidance on a part of [0, 1], inside or from an end, of any length, x grows by e^k where k
 * is 1/2 + s (c - 1/2) on that part and c on the rest: exactly what fourth-order steps make of it,
 * as long as neither they nor the integral cross the jumps. */
static void guidance_on_the_way_has_its_density(void **state)
{
    static const double parts[][2] = {{0.3, 0.7}, {0.303, 0.707}, {0, 0.411},
                                      {0.299, 1}, {0.5, 0.5},     {0.3, 0.1 + 0.2}};
    static const int32_t solvers[] = {FMATCH_SOLVER_RK4, FMATCH_SOLVER_ADAMS_BASHFORTH,
                                      FMATCH_SOLVER_TSITOURAS};
    const fmatch_velocity_callbacks field = {.struct_size = sizeof field,
                                             .evaluate = growth,
                                             .condition_dim = 1,
                                             .null_condition = FMATCH_NULL_CONDITION_ACCEPTED};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &field, NULL));
    float x[ROWS], conditions[ROWS];
    double seen[ROWS];
    fill_scattered(conditions, ROWS, -0.5, 1, 2);
    conditions[7] = NAN;
    for (size_t p = 0; p < COUNT(parts); p++)
        for (size_t s = 0; s < 2 * COUNT(solvers); s++) {
            const bool drawn = s % 2;
            const bool rough = solvers[s / 2] == FMATCH_SOLVER_ADAMS_BASHFORTH;
            fmatch_likelihood_config c = config_with(solvers[s / 2], rough ? 400 : 50, 1);
            c.guidance = FMATCH_GUIDANCE_SCALE;
            c.guidance_strength = 2.5;
            c.guidance_t_start = parts[p][0];
            c.guidance_t_end = parts[p][1];
            fill_scattered(x, ROWS, -2, 2, 1);
            if (drawn)
                expect_ok(fmatch_likelihood_draw(model, &c, 3, 0, ROWS, conditions, x, seen, NULL));
            else
                expect_ok(fmatch_likelihood_evaluate(model, &c, ROWS, x, conditions, 0, seen, NULL,
                                                     NULL));
            for (int i = 0; i < ROWS; i++) {
                const double own = isnan(conditions[i]) ? 0.5 : conditions[i];
                const double k = own + 1.5 * (own - 0.5) * (parts[p][1] - parts[p][0]);
                expect_close(seen[i], normal_log_density(x[i], 0, exp(k)), rough ? 1e-3 : 2e-4,
                             "solver %d, drawn %d, guidance from %g to %g, row %d",
                             (int)solvers[s / 2], drawn, parts[p][0], parts[p][1], i);
            }
        }
    fmatch_model_destroy(&model);
}

/* ---- bits ---- */

static fmatch_model *make_deep(fmatch_context *context)
{
    fmatch_mlp_config c;
    fmatch_mlp_config_init(&c);
    c.dim = 3;
    c.hidden_layers = 3;
    c.hidden_width = 24;
    c.residual_layers = 1;
    c.output_init = FMATCH_OUTPUT_INIT_UNIFORM;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &c));
    return model;
}

static void rows_are_independent_of_the_batch_and_of_threads(void **state)
{
    (void)state;
    static float x[MANY * 3], drawn[MANY * 3], first_drawn[MANY * 3];
    static double seen[4][MANY], first[4][MANY];
    fill_scattered(x, MANY * 3, -2, 2, 1);
    fmatch_divergence_config d;
    fmatch_divergence_config_init(&d);
    d.method = FMATCH_DIVERGENCE_HUTCHINSON;
    d.probes = 3;
    fmatch_likelihood_config c = config_with(FMATCH_SOLVER_MIDPOINT, 3, 1);
    static const int64_t batches[] = {MANY, 64, 7, 1};
    static const int32_t threads[] = {1, 2, 8};
    const size_t smaller = forced_matmul() == FMATCH_MATMUL_BLAS ? 1 : COUNT(batches);
    for (int exact = 0; exact < 2; exact++) {
        c.divergence = exact ? NULL : &d;
        for (size_t k = 0; k < COUNT(threads); k++) {
            fmatch_context_config config = forced_context_config();
            config.threads = threads[k];
            fmatch_context *context;
            expect_ok(fmatch_context_create(&context, &config));
            fmatch_model *model = make_deep(context);
            for (size_t b = 0; b < smaller; b++) {
                const bool reference = k == 0 && b == 0;
                double(*to)[MANY] = reference ? first : seen;
                float *x1 = reference ? first_drawn : drawn;
                for (int64_t i = 0; i < MANY; i += batches[b]) {
                    const int64_t n = MANY - i < batches[b] ? MANY - i : batches[b];
                    expect_ok(fmatch_likelihood_evaluate(model, &c, n, x + 3 * i, NULL, 5 + i,
                                                         to[0] + i, to[1] + i, NULL));
                    expect_ok(fmatch_likelihood_draw(model, &c, 9, i, n, NULL, x1 + 3 * i,
                                                     to[2] + i, to[3] + i));
                }
                if (reference)
                    continue;
                expect_same_bits(drawn, first_drawn, MANY * 3, "samples");
                for (int j = 0; j < 4; j++)
                    for (int i = 0; i < MANY; i++)
                        expect_that(memcmp(&seen[j][i], &first[j][i], sizeof(double)) == 0,
                                    "exact %d, %d threads, batches of %lld, output %d, row %d: "
                                    "%.17g and %.17g",
                                    exact, (int)threads[k], (long long)batches[b], j, i, seen[j][i],
                                    first[j][i]);
            }
            fmatch_model_destroy(&model);
            fmatch_context_destroy(&context);
        }
    }
}

/* ---- failures ---- */

static void settings_out_of_range_are_named(void **state)
{
    fmatch_model *model = make_linear(context_of(state), true, NULL);
    float x[SIDE] = {0};
    double seen;
    fmatch_divergence_config d;
    fmatch_divergence_config_init(&d);
    d.method = 7;
    fmatch_density_callbacks none = {.struct_size = sizeof none};
    struct {
        const char *name;
        fmatch_likelihood_config config;
    } wrong[] = {{"config->solver", config_with(-1, 5, 1)},
                 {"config->solver", config_with(99, 5, 1)},
                 {"config->steps", config_with(0, 0, 1)},
                 {"config->steps", config_with(0, ((int64_t)1 << 24) + 1, 1)},
                 {"config->t", config_with(0, 5, 0)},
                 {"config->t", config_with(0, 5, 1.01)},
                 {"config->t", config_with(0, 5, NAN)},
                 {"config->divergence->method", config_with(0, 5, 1)},
                 {"config->base->log_density", config_with(0, 5, 1)}};
    wrong[7].config.divergence = &d;
    wrong[8].config.base = &none;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        expect_status(
            fmatch_likelihood_evaluate(model, &wrong[i].config, 1, x, NULL, 0, &seen, NULL, NULL),
            FMATCH_ERROR_ARGUMENT);
        expect_detail(wrong[i].name);
        expect_status(
            fmatch_likelihood_draw(model, &wrong[i].config, 0, 0, 1, NULL, x, &seen, NULL),
            FMATCH_ERROR_ARGUMENT);
        expect_detail(wrong[i].name);
    }
    expect_status(fmatch_likelihood_evaluate(NULL, NULL, 1, x, NULL, 0, &seen, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_likelihood_evaluate(model, NULL, 1, NULL, NULL, 0, &seen, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_likelihood_evaluate(model, NULL, 1, x, NULL, 0, NULL, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("log_density");
    expect_status(fmatch_likelihood_evaluate(model, NULL, 1, x, NULL, -1, &seen, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_likelihood_draw(model, NULL, 0, 0, 1, NULL, NULL, &seen, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_ok(fmatch_likelihood_evaluate(model, NULL, 0, NULL, NULL, 0, NULL, NULL, NULL));
    expect_ok(fmatch_likelihood_draw(model, NULL, 0, 0, 0, NULL, NULL, NULL, NULL));
    fmatch_model_destroy(&model);
}

/* v = 1e30 x, which leaves the floats in a few steps unless x is 0. */
static int32_t explode(void *user, int64_t n, const float *x, const float *t,
                       const float *condition, float *v)
{
    (void)user, (void)t, (void)condition;
    for (int64_t i = 0; i < n; i++)
        v[i] = 1e30f * x[i];
    return 0;
}

static void failures_on_the_way_name_the_row(void **state)
{
    const fmatch_velocity_callbacks field = {.struct_size = sizeof field, .evaluate = explode};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &field, NULL));
    float x[ROWS] = {0};
    x[123] = 1;
    double seen[ROWS];
    expect_status(fmatch_likelihood_evaluate(model, NULL, ROWS, x, NULL, 0, seen, NULL, NULL),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 123", "t = ");
    int32_t code = -5;
    const fmatch_density_callbacks base = {
        .struct_size = sizeof base, .log_density = logistic, .user = &code};
    fmatch_likelihood_config c = config_with(0, 5, 1);
    c.base = &base;
    x[123] = 0;
    expect_status(fmatch_likelihood_evaluate(model, &c, ROWS, x, NULL, 0, seen, NULL, NULL),
                  FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -5);
    fmatch_model_destroy(&model);
}

static void allocations_may_fail(void **state)
{
    struct world *world = *state;
    fmatch_model *model = make_deep(world->context);
    const fmatch_likelihood_config c = config_with(0, 1, 1);
    float x[ROWS * 3] = {0};
    double seen[ROWS];
    for (int drawn = 0; drawn < 2; drawn++) {
        fmatch_status status = FMATCH_ERROR_NO_MEMORY;
        int64_t failures = 0;
        for (int64_t k = 1; status == FMATCH_ERROR_NO_MEMORY; k++) {
            world->ledger.fail_at = world->ledger.calls + k;
            const int64_t live = world->ledger.live;
            status =
                drawn ? fmatch_likelihood_draw(model, &c, 1, 0, ROWS, NULL, x, seen, NULL)
                      : fmatch_likelihood_evaluate(model, &c, ROWS, x, NULL, 0, seen, NULL, NULL);
            assert_int_equal(world->ledger.live, live);
            failures += status == FMATCH_ERROR_NO_MEMORY;
        }
        world->ledger.fail_at = 0;
        expect_ok(status);
        assert_int_equal(failures, 1);
    }
    fmatch_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_new_network_has_the_gaussian),
        world_test(mixtures_have_their_density),
        world_test(each_solver_has_its_order),
        world_test(the_integral_has_its_order),
        world_test(samples_are_those_of_the_sampler),
        world_test(the_standard_error_covers_the_exact_value),
        world_test(callbacks_have_their_density),
        world_test(the_base_may_be_anything_and_conditions_are_of_a_row),
        world_test(guidance_has_its_density),
        world_test(guidance_on_the_way_has_its_density),
        world_test(rows_are_independent_of_the_batch_and_of_threads),
        world_test(settings_out_of_range_are_named),
        world_test(failures_on_the_way_name_the_row),
        world_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
