/* Stochastic sampling: the marginals stay those of the flow, whatever noise there is on the way. */
#include "fixtures.h"

enum { N = 20000 };

/* P(KS statistic > 2.694 / sqrt(n)) is FALSE_ALARM, asymptotically: sqrt(log(2 / 1e-6) / 2). */
#define KS_LIMIT 2.694

struct noise {
    double eta;
    int32_t (*diffusion)(void *user, int64_t n, const double *t, double *g);
    int32_t code; /* returned by a function */
    double value; /* written by a function, if not 0 */
};

static fmatch_status create_on(fmatch_sampler **sampler, const fmatch_model *model, int32_t solver,
                               int64_t steps, struct noise *noise, int32_t grid)
{
    fmatch_stochastic_config stochastic;
    fmatch_stochastic_config_init(&stochastic);
    stochastic.eta = noise->eta;
    stochastic.diffusion = noise->diffusion;
    stochastic.user = noise;
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = solver;
    config.steps = steps;
    config.grid = grid;
    config.stochastic = &stochastic;
    return fmatch_sampler_create(sampler, model, &config);
}

static fmatch_status create(fmatch_sampler **sampler, const fmatch_model *model, int32_t solver,
                            int64_t steps, struct noise *noise)
{
    return create_on(sampler, model, solver, steps, noise, FMATCH_GRID_UNIFORM);
}

static float *draw(const fmatch_model *model, int32_t solver, int64_t steps, struct noise *noise,
                   int64_t n)
{
    fmatch_sampler *sampler;
    float *x = floats(n * fmatch_model_get_dim(model));
    expect_ok(create(&sampler, model, solver, steps, noise));
    expect_ok(fmatch_sampler_draw(sampler, 7, 0, n, NULL, x));
    fmatch_sampler_destroy(&sampler);
    return x;
}

static int32_t wavy(void *user, int64_t n, const double *t, double *g)
{
    (void)user;
    for (int64_t i = 0; i < n; i++)
        g[i] = 0.8 + 0.4 * cos(9 * t[i]);
    return 0;
}

static struct noise noises[] = {
    {0.5, NULL, 0, 0}, {1, NULL, 0, 0}, {2, NULL, 0, 0}, {0, wavy, 0, 0}};

static double moment(const float *x, int64_t n, int32_t dim, int32_t column, double *variance)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i * dim + column];
    for (int64_t i = 0; i < n; i++)
        squares += pow(x[i * dim + column] - sum / (double)n, 2);
    *variance = squares / (double)n;
    return sum / (double)n;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

struct component {
    double weight, mean, std;
};

/* sup |F_n - F| sqrt(n) against a mixture on the line. */
static double ks(float *x, int64_t n, const struct component *c, int components)
{
    double most = 0;
    qsort(x, (size_t)n, sizeof *x, compare);
    for (int64_t i = 0; i < n; i++) {
        double f = 0;
        for (int k = 0; k < components; k++)
            f += c[k].weight * 0.5 * erfc(-(x[i] - c[k].mean) / c[k].std / sqrt(2.0));
        most = fmax(most, fmax(f - (double)i / (double)n, (double)(i + 1) / (double)n - f));
    }
    return most * sqrt((double)n);
}

/* Mean and variance of N draws, whose fourth central moment is given, and the KS statistic: each of
 * the three fails by chance with probability 1e-6 at most. */
static void expect_mixture(const fmatch_model *model, const struct component *c, int components,
                           double fourth)
{
    double mean = 0, variance = 0;
    for (int k = 0; k < components; k++) {
        mean += c[k].weight * c[k].mean;
        variance += c[k].weight * (c[k].std * c[k].std + c[k].mean * c[k].mean);
    }
    variance -= mean * mean;
    for (size_t i = 0; i < COUNT(noises); i++)
        for (int32_t solver = FMATCH_SOLVER_MIDPOINT; solver <= FMATCH_SOLVER_HEUN; solver++) {
            float *x = draw(model, solver, 50, &noises[i], N);
            double seen;
            expect_close(moment(x, N, 1, 0, &seen), mean, Z * sqrt(variance / N),
                         "noise %zu, solver %d: mean", i, (int)solver);
            expect_close(seen, variance, Z * sqrt((fourth - variance * variance) / N),
                         "noise %zu, solver %d: variance", i, (int)solver);
            double statistic = ks(x, N, c, components);
            expect_that(statistic < KS_LIMIT, "noise %zu, solver %d: KS statistic %g", i,
                        (int)solver, statistic);
            free(x);
        }
}

static void a_gaussian_comes_out(void **state)
{
    static const float weight = 1, mean = 0.7f, std = 0.5f;
    static const struct component c = {1, 0.7, 0.5};
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context_of(state), 1, 1, &weight,
                                                    &mean, &std));
    fmatch_model *model = make_closed_form(context_of(state), target);
    expect_mixture(model, &c, 1, 3 * pow(0.5, 4));
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void a_mixture_comes_out(void **state)
{
    static const struct component c[] = {{0.55, -0.85, 0.65}, {0.45, 1.5, 0.25}};
    double mean = 0, fourth = 0;
    for (int k = 0; k < 2; k++)
        mean += c[k].weight * c[k].mean;
    for (int k = 0; k < 2; k++) {
        double d = c[k].mean - mean, v = c[k].std * c[k].std;
        fourth += c[k].weight * (d * d * d * d + 6 * d * d * v + 3 * v * v);
    }
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    expect_mixture(model, c, 2, fourth);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* ---- the methods, written out ---- */

/* dx = (a - g^2 / 2 (1 - t a) / (1 - t)) x dt + g dW carries N(0, 1) to N(0, s^2) along the linear
 * path, with a = (t s^2 - (1 - t)) / (t^2 s^2 + (1 - t)^2) and g^2 = 2 eta (1 - t); g = 0 last. */
static double slope(double t, double s, double square)
{
    double a = (t * s * s - (1 - t)) / (t * t * s * s + (1 - t) * (1 - t));
    return square == 0 ? a : a - square / 2 * (1 - t * a) / (1 - t);
}

/* Variance of what a method makes of it, which is linear in x and in the increments. */
static double variance_of_method(int32_t solver, int steps, double s, double eta)
{
    double variance = 1, h = 1.0 / steps;
    for (int i = 0; i < steps; i++) {
        double t = i * h, e = i == steps - 1 ? 0 : 2 * eta;
        double k0 = slope(t, s, e * (1 - t)), km = slope(t + h / 2, s, e * (1 - t - h / 2));
        double k1 = slope(t + h, s, i == steps - 1 ? 0 : e * (1 - t - h));
        double middle = h * e * (1 - t - h / 2);
        if (solver == FMATCH_SOLVER_EULER)
            variance = pow(1 + h * k0, 2) * variance + h * e * (1 - t);
        else if (solver == FMATCH_SOLVER_MIDPOINT)
            variance = pow(1 + h * km * (1 + h / 2 * k0), 2) * variance +
                       (pow(1 + h * km, 2) + 1) * middle / 2;
        else
            variance = pow(1 + h / 2 * (k0 + k1 * (1 + h * k0)), 2) * variance +
                       pow(1 + h / 2 * k1, 2) * middle;
    }
    return variance;
}

static void methods_have_their_weak_orders(void **state)
{
    static const float weight = 1, mean = 0;
    static const double stds[] = {0.5, 2}, orders[] = {1, 2, 2};
    static const int counts[] = {3, 5, 12};
    enum { MANY = 150000 };
    for (size_t k = 0; k < COUNT(stds); k++) {
        const float std = (float)stds[k];
        const double exact = stds[k] * stds[k];
        fmatch_source *target;
        expect_ok(fmatch_source_create_gaussian_mixture(&target, context_of(state), 1, 1, &weight,
                                                        &mean, &std));
        fmatch_model *model = make_closed_form(context_of(state), target);
        for (int32_t solver = FMATCH_SOLVER_EULER; solver <= FMATCH_SOLVER_HEUN; solver++) {
            struct noise noise = {.eta = 0.5};
            for (size_t i = 0; i < COUNT(counts); i++) {
                float *x = draw(model, solver, counts[i], &noise, MANY);
                double seen, wanted = variance_of_method(solver, counts[i], stds[k], noise.eta);
                moment(x, MANY, 1, 0, &seen);
                expect_close(seen, wanted, Z * wanted * sqrt(2.0 / MANY),
                             "variance after %d steps of solver %d, deviation %g", counts[i],
                             (int)solver, stds[k]);
                free(x);
            }
            double coarse = variance_of_method(solver, 128, stds[k], noise.eta) - exact;
            double fine = variance_of_method(solver, 256, stds[k], noise.eta) - exact;
            expect_close(log2(coarse / fine), orders[solver], 0.1, "weak order of solver %d",
                         (int)solver);
        }
        fmatch_model_destroy(&model);
        fmatch_source_destroy(&target);
    }
}

static void without_noise_it_is_the_flow(void **state)
{
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    for (int32_t solver = FMATCH_SOLVER_EULER; solver <= FMATCH_SOLVER_HEUN; solver++) {
        struct noise none = {.eta = 0};
        float *x = draw(model, solver, 20, &none, 500), y[500];
        fmatch_sampler *sampler = make_sampler(model, solver, 20, 0, 1);
        expect_ok(fmatch_sampler_draw(sampler, 7, 0, 500, NULL, y));
        expect_same_bits(x, y, 500, "eta = 0, solver %d", (int)solver);
        fmatch_sampler_destroy(&sampler);
        free(x);
    }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* ---- every path ---- */

/* A network that is its Gaussian baseline has the exact field of Gaussian data. */
static fmatch_model *make_gaussian_network(fmatch_context *context, const fmatch_path_config *path,
                                           const fmatch_source *noise)
{
    static const float weight = 1, means[] = {2, -1}, stds[] = {0.5f, 3};
    fmatch_source *data;
    expect_ok(fmatch_source_create_gaussian_mixture(&data, context, 2, 1, &weight, means, stds));
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.hidden_layers = 0;
    config.data = data;
    config.path = path;
    config.noise = noise;
    config.baseline = FMATCH_BASELINE_GAUSSIAN;
    config.output_init = FMATCH_OUTPUT_INIT_ZERO;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    fmatch_source_destroy(&data);
    return model;
}

static int32_t squared(void *user, int64_t n, const double *t, double *alpha, double *sigma,
                       double *alpha_rate, double *sigma_rate)
{
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        alpha[i] = t[i] * t[i];
        sigma[i] = 1 - alpha[i];
        alpha_rate[i] = 2 * t[i];
        sigma_rate[i] = -2 * t[i];
    }
    return 0;
}

enum { SOME = 5000 };
static const double means[] = {2, -1}, stds[] = {0.5, 3};
static const float away[] = {1, 4}, wide[] = {2, 0.5f};

/* x_0: noise of the data's moments or of those given, and the path's own in units of the data. */
static float *begin_path(const fmatch_source *normal, double path_noise, bool own)
{
    float *x = floats(2 * SOME);
    expect_ok(fmatch_source_draw(normal, 3, 0, SOME, x));
    for (int64_t i = 0; i < 2 * SOME; i++) {
        double mean = own ? away[i % 2] : means[i % 2], std = own ? wide[i % 2] : stds[i % 2];
        x[i] = (float)(mean + hypot(std, path_noise * stds[i % 2]) * x[i]);
    }
    return x;
}

static void every_path_keeps_its_marginals(void **state)
{
    static const fmatch_schedule_callbacks schedule = {sizeof schedule, 0, squared, NULL, NULL};
    static const struct {
        int32_t kind;
        double path_noise, sigma_min, diffusion,
            more; /* variance at t = 1 in units of the data's */
    } paths[] = {
        {FMATCH_PATH_LINEAR, 0, 0, 0, 0},
        {FMATCH_PATH_LINEAR, 0.5, 0, 0, 0.25},
        {FMATCH_PATH_POLYNOMIAL, 0, 0, 0, 0},
        {FMATCH_PATH_VARIANCE_PRESERVING, 0, 0, 0, 0},
        {FMATCH_PATH_LINEAR_VARIANCE_PRESERVING, 0, 0, 0, 0},
        {FMATCH_PATH_COSINE, 0, 0, 0, 0},
        {FMATCH_PATH_COSINE, 0.5, 0, 0, 0.25},
        {FMATCH_PATH_LIPMAN, 0, 0.3, 0, 0.09},
        {FMATCH_PATH_BROWNIAN_BRIDGE, 0, 0, 0.8, 0},
        {FMATCH_PATH_CALLBACK, 0, 0, 0, 0},
    };
    static const float weight = 1;
    fmatch_source *given, *normal = make_normal(context_of(state), 2);
    expect_ok(fmatch_source_create_gaussian_mixture(&given, context_of(state), 2, 1, &weight, away,
                                                    wide));
    for (size_t p = 0; p < COUNT(paths); p++)
        for (int own = 0; own <= (paths[p].kind != FMATCH_PATH_LIPMAN); own++)
            for (size_t i = 1; i < COUNT(noises); i += 2) {
                fmatch_path_config path;
                fmatch_path_config_init(&path);
                path.kind = paths[p].kind;
                path.noise = paths[p].path_noise;
                path.sigma_min = paths[p].sigma_min;
                path.diffusion = paths[p].diffusion;
                path.schedule = path.kind == FMATCH_PATH_CALLBACK ? &schedule : NULL;
                fmatch_model *model =
                    make_gaussian_network(context_of(state), &path, own ? given : NULL);
                float *x = begin_path(normal, paths[p].path_noise, own);
                fmatch_sampler *sampler;
                /* short steps where a schedule is a root of 1 - t */
                expect_ok(create_on(&sampler, model, FMATCH_SOLVER_MIDPOINT, 100, &noises[i],
                                    FMATCH_GRID_COSINE));
                expect_ok(fmatch_sampler_integrate_stochastic(sampler, 7, 0, SOME, x, NULL, x));
                fmatch_sampler_destroy(&sampler);
                for (int j = 0; j < 2; j++) {
                    double seen, variance = stds[j] * stds[j] * (1 + paths[p].more);
                    /* a step's error comes on top of chance */
                    expect_close(moment(x, SOME, 2, j, &seen), means[j],
                                 (Z / sqrt(SOME) + 0.01) * stds[j],
                                 "path %zu, noise %d and %zu, column %d: mean", p, own, i, j);
                    expect_close(seen, variance, (Z * sqrt(2.0 / SOME) + 0.01) * variance,
                                 "path %zu, noise %d and %zu, column %d: variance", p, own, i, j);
                }
                free(x);
                fmatch_model_destroy(&model);
            }
    fmatch_source_destroy(&given);
    fmatch_source_destroy(&normal);
}

/* ---- bits ---- */

static void a_row_is_the_same_in_any_batch(void **state)
{
    (void)state;
    enum { ROWS = 1000 };
    static const int64_t batches[] = {1, 7, 64, 1000};
    static const int32_t threads[] = {1, 2, 8};
    static float first[2 * ROWS], x[2 * ROWS];
    for (size_t k = 0; k < COUNT(threads); k++) {
        fmatch_context_config config;
        fmatch_context_config_init(&config);
        config.threads = threads[k];
        config.matmul = FMATCH_MATMUL_BUILTIN;
        fmatch_context *context;
        expect_ok(fmatch_context_create(&context, &config));
        fmatch_model *model = make_mlp(context, 2, 2, 16, FMATCH_ACTIVATION_GELU, 3);
        for (int32_t solver = FMATCH_SOLVER_EULER; solver <= FMATCH_SOLVER_HEUN; solver++) {
            fmatch_sampler *sampler;
            expect_ok(create(&sampler, model, solver, 9, &noises[3]));
            for (size_t b = 0; b < COUNT(batches); b++) {
                for (int64_t i = 0; i < ROWS; i += batches[b]) {
                    int64_t n = batches[b] < ROWS - i ? batches[b] : ROWS - i;
                    expect_ok(fmatch_sampler_draw(sampler, 5, 40 + i, n, NULL, x + 2 * i));
                    if (solver == FMATCH_SOLVER_HEUN)
                        expect_ok(fmatch_sampler_integrate_stochastic(sampler, 5, 40 + i, n,
                                                                      x + 2 * i, NULL, x + 2 * i));
                }
                if (solver == FMATCH_SOLVER_HEUN && k == 0 && b == 0)
                    memcpy(first, x, sizeof x);
                if (solver == FMATCH_SOLVER_HEUN)
                    expect_same_bits(x, first, 2 * ROWS, "%d threads, batches of %d",
                                     (int)threads[k], (int)batches[b]);
            }
            fmatch_sampler_destroy(&sampler);
        }
        fmatch_model_destroy(&model);
        fmatch_context_destroy(&context);
    }
}

static void noise_is_new_in_every_step_row_and_seed(void **state)
{
    fmatch_source *target = make_normal(context_of(state), 1);
    fmatch_model *model = make_closed_form(context_of(state), target);
    fmatch_sampler *sampler;
    struct noise noise = {.eta = 1};
    expect_ok(create(&sampler, model, FMATCH_SOLVER_EULER, 3, &noise));
    float start[4] = {0}, x[4], y[4], z[4], path[16];
    expect_ok(fmatch_sampler_integrate(sampler, 4, start, NULL, x));
    expect_ok(fmatch_sampler_integrate_stochastic(sampler, 0, 0, 4, start, NULL, y));
    expect_same_bits(x, y, 4, "integrate has seed 0 and rows from 0");
    expect_ok(fmatch_sampler_integrate_stochastic(sampler, 1, 0, 4, start, NULL, y));
    expect_ok(fmatch_sampler_integrate_stochastic(sampler, 0, 1, 4, start, NULL, z));
    expect_same_bits(x + 1, z, 3, "row 1 of first_row 0 is row 0 of first_row 1");
    expect_ok(fmatch_sampler_integrate_trajectory(sampler, 4, start, NULL, path));
    for (int i = 0; i < 4; i++) {
        expect_that(x[i] != y[i], "row %d is the same for two seeds", i);
        for (int j = 0; j < i; j++)
            expect_that(x[i] != x[j], "rows %d and %d are the same", i, j);
        /* from 0 each step scales what is there and adds its own noise, but for the last */
        double z1 = path[4 + i] / sqrt(2.0 / 3);
        double drift = slope(1.0 / 3, 1, 2 * (2.0 / 3));
        double z2 = (path[8 + i] - (1 + drift / 3) * path[4 + i]) / sqrt(2 * (2.0 / 3) / 3);
        expect_that(fabs(z1 - z2) > 1e-3, "row %d has the same noise in two steps", i);
        expect_close(path[12 + i], (1 + slope(2.0 / 3, 1, 0) / 3) * path[8 + i], 1e-6,
                     "row %d: the last step has no noise", i);
    }
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* ---- a warm start ---- */

static void rows_begin_on_the_way(void **state)
{
    static const struct component c[] = {{0.55, -0.85, 0.65}, {0.45, 1.5, 0.25}};
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_source *normal = make_normal(context_of(state), 1);
    fmatch_model *model = make_closed_form(context_of(state), target);
    float *x0 = floats(N), *x1 = floats(N), *t = floats(N), *x = floats(N), *v = floats(N);
    for (int64_t i = 0; i < N; i++)
        t[i] = 0.25f;
    expect_ok(fmatch_source_draw(normal, 1, 0, N, x0));
    expect_ok(fmatch_source_draw(target, 2, 0, N, x1));
    const fmatch_path_rows rows = {sizeof rows, 1, N, t, x0, x1, NULL};
    for (int noisy = 0; noisy <= 1; noisy++) {
        fmatch_stochastic_config stochastic;
        fmatch_stochastic_config_init(&stochastic);
        fmatch_sampler_config config;
        fmatch_sampler_config_init(&config);
        config.t_start = 0.25;
        config.stochastic = noisy ? &stochastic : NULL;
        fmatch_sampler *sampler;
        expect_ok(fmatch_sampler_create(&sampler, model, &config));
        expect_ok(fmatch_path_evaluate(NULL, &rows, x, v));
        expect_ok(fmatch_sampler_integrate(sampler, N, x, NULL, x));
        double statistic = ks(x, N, c, 2);
        expect_that(statistic < KS_LIMIT, "KS statistic %g, %s noise", statistic,
                    noisy ? "with" : "without");
        fmatch_sampler_destroy(&sampler);
    }
    free(x0);
    free(x1);
    free(t);
    free(x);
    free(v);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&normal);
    fmatch_source_destroy(&target);
}

/* ---- conditions and guidance ---- */

/* v = condition - x / (1 - t) (1 - t): the field to N(condition, 1), null condition 0. */
static int32_t shifted(void *user, int64_t n, const float *x, const float *t,
                       const float *condition, float *v)
{
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        float c = condition ? condition[i] : 0, q = (1 - t[i]) * (1 - t[i]) + t[i] * t[i];
        v[i] = c + (2 * t[i] - 1) / q * (x[i] - t[i] * c);
    }
    return 0;
}

/* Guidance by s between N(0, 1) and N(c, 1) leads to N(s c, 1): the field is linear in c. */
static void guidance_keeps_its_own_marginals(void **state)
{
    fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, shifted, NULL, NULL, 1, FMATCH_NULL_CONDITION_ACCEPTED, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &callbacks, NULL));
    fmatch_stochastic_config stochastic;
    fmatch_stochastic_config_init(&stochastic);
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.guidance = FMATCH_GUIDANCE_SCALE;
    config.guidance_strength = 3;
    config.stochastic = &stochastic;
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, &config));
    float *x = floats(N), *c = floats(N);
    for (int64_t i = 0; i < N; i++)
        c[i] = 0.5f;
    expect_ok(fmatch_sampler_draw(sampler, 1, 0, N, c, x));
    const struct component wanted = {1, 1.5, 1};
    double statistic = ks(x, N, &wanted, 1);
    expect_that(statistic < KS_LIMIT, "KS statistic %g", statistic);
    free(x);
    free(c);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* ---- misuse ---- */

static int32_t given(void *user, int64_t n, const double *t, double *g)
{
    struct noise *noise = user;
    for (int64_t i = 0; i < n; i++)
        if (noise->value != 0)
            g[i] = noise->value;
    expect_that(n > 0 && t[n - 1] < 1, "asked about t = %g", t[n - 1]);
    return noise->code;
}

static void what_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    fmatch_source *target = make_post_target(context);
    fmatch_model *model = make_closed_form(context, target);
    fmatch_velocity_callbacks callbacks = {sizeof callbacks, 0, shifted, NULL, NULL, 0, 0, NULL};
    fmatch_model *other;
    expect_ok(fmatch_model_create_callback(&other, context, 1, &callbacks, target));
    fmatch_sampler *sampler;
    static const struct {
        double eta, value;
        int32_t solver, code;
        fmatch_status status;
        const char *word;
    } cases[] = {
        {-1, 0, 0, 0, FMATCH_ERROR_ARGUMENT, "eta"},
        {1001, 0, 0, 0, FMATCH_ERROR_ARGUMENT, "eta"},
        {NAN, 0, 0, 0, FMATCH_ERROR_ARGUMENT, "eta"},
        {1, 0, FMATCH_SOLVER_RK4, 0, FMATCH_ERROR_UNSUPPORTED, "solver"},
        {1, 0, FMATCH_SOLVER_ADAMS_BASHFORTH, 0, FMATCH_ERROR_UNSUPPORTED, "solver"},
        {1, 0, FMATCH_SOLVER_DORMAND_PRINCE, 0, FMATCH_ERROR_UNSUPPORTED, "solver"},
        {1, 1, 0, 0, FMATCH_ERROR_ARGUMENT, "eta"},
        {0, NAN, 0, 0, FMATCH_ERROR_NOT_FINITE, "diffusion"},
        {0, -1, 0, 0, FMATCH_ERROR_ARGUMENT, "diffusion"},
        {0, 1, 0, -5, FMATCH_ERROR_CALLBACK, "diffusion"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct noise noise = {cases[i].eta, cases[i].value != 0 ? given : NULL, cases[i].code,
                              cases[i].value};
        expect_status(create(&sampler, model, cases[i].solver, 5, &noise), cases[i].status);
        expect_detail(cases[i].word);
        expect_that(!sampler, "case %zu leaves a handle", i);
    }
    assert_int_equal(fmatch_error_callback_code(), -5);
    struct noise plain = {.eta = 1};
    expect_status(create(&sampler, other, 0, 5, &plain), FMATCH_ERROR_UNSUPPORTED);
    expect_detail("normal");
    struct noise silent = {0, given, 0, 0};
    expect_status(create(&sampler, model, 0, 5, &silent), FMATCH_ERROR_NOT_FINITE);
    fmatch_stochastic_config stochastic;
    fmatch_stochastic_config_init(&stochastic);
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.stochastic = &stochastic;
    config.t_start = 1;
    config.t_end = 0;
    expect_status(fmatch_sampler_create(&sampler, model, &config), FMATCH_ERROR_ARGUMENT);
    expect_detail("t_end");
    config.t_start = 0;
    config.t_end = 1;
    stochastic.flags = 1;
    expect_status(fmatch_sampler_create(&sampler, model, &config), FMATCH_ERROR_ARGUMENT);
    stochastic.flags = 0;
    stochastic.struct_size = 3;
    expect_status(fmatch_sampler_create(&sampler, model, &config), FMATCH_ERROR_STRUCT_SIZE);
    float x[1] = {0};
    expect_ok(create(&sampler, model, 0, 1, &plain));
    expect_status(fmatch_sampler_integrate_stochastic(sampler, 0, -1, 1, x, NULL, x),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_sampler_integrate_stochastic(NULL, 0, 0, 1, x, NULL, x),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_sampler_integrate_stochastic(sampler, 0, 0, 1, NULL, NULL, x),
                  FMATCH_ERROR_ARGUMENT);
    expect_ok(fmatch_sampler_integrate_stochastic(sampler, 0, 0, 0, NULL, NULL, NULL));
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&other);
    fmatch_source_destroy(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_gaussian_comes_out),
        world_test(a_mixture_comes_out),
        world_test(methods_have_their_weak_orders),
        world_test(without_noise_it_is_the_flow),
        world_test(every_path_keeps_its_marginals),
        world_test(a_row_is_the_same_in_any_batch),
        world_test(noise_is_new_in_every_step_row_and_seed),
        world_test(rows_begin_on_the_way),
        world_test(guidance_keeps_its_own_marginals),
        world_test(what_is_refused),
    };
    return cmocka_run_group_tests_name("stochastic", tests, NULL, NULL);
}
