/* Inpainting: given coordinates come out as given, and the others follow the field. */
#include "fixtures.h"

#define RHO 0.8

/* The field from N(0, I) to the correlated normal with deviations 1, which is diagonal in sum and
 * difference: a(t) of variances 1 + rho and 1 - rho. */
static double rate(double t, double variance)
{
    return (t * variance - (1 - t)) / (t * t * variance + (1 - t) * (1 - t));
}

static int32_t correlated(void *user, int64_t n, const float *x, const float *t,
                          const float *condition, float *v)
{
    (void)user;
    (void)condition;
    for (int64_t i = 0; i < n; i++) {
        double sum = rate(t[i], 1 + RHO) * (x[2 * i] + x[2 * i + 1]) / 2;
        double rest = rate(t[i], 1 - RHO) * (x[2 * i] - x[2 * i + 1]) / 2;
        v[2 * i] = (float)(sum + rest);
        v[2 * i + 1] = (float)(sum - rest);
    }
    return 0;
}

static fmatch_model *make_correlated(fmatch_context *context)
{
    fmatch_velocity_callbacks callbacks = {sizeof callbacks, 0, correlated, NULL, NULL, 0, 0, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, 2, &callbacks, NULL));
    return model;
}

/* x1 of the second column is c known + d x0 of the first + e x0 of the second: dx/dt = p x + q y
 * with y = t known + (1 - t) x0, by steps of Heun. */
static void coefficients(double *c, double *d, double *e)
{
    enum { STEPS = 4000 };
    double x[3] = {0, 0, 1}, h = 1.0 / STEPS;
    for (int i = 0; i < STEPS; i++) {
        double t = i * h, k[2][3];
        for (int stage = 0; stage < 2; stage++) {
            double s = t + stage * h, p = (rate(s, 1 + RHO) + rate(s, 1 - RHO)) / 2,
                   q = (rate(s, 1 + RHO) - rate(s, 1 - RHO)) / 2;
            double y[3] = {s, 1 - s, 0};
            for (int j = 0; j < 3; j++)
                k[stage][j] = p * (x[j] + (stage ? h * k[0][j] : 0)) + q * y[j];
        }
        for (int j = 0; j < 3; j++)
            x[j] += h / 2 * (k[0][j] + k[1][j]);
    }
    *c = x[0];
    *d = x[1];
    *e = x[2];
}

enum { N = 40000 };

static void fill_known(float *known, float *mask, double value)
{
    for (int64_t i = 0; i < N; i++) {
        known[2 * i] = (float)value;
        known[2 * i + 1] = NAN;
        mask[2 * i] = 1;
        mask[2 * i + 1] = 0;
    }
}

static void given_coordinates_come_out_as_given(void **state)
{
    fmatch_model *model = make_correlated(context_of(state));
    float *known = floats(2 * N), *mask = floats(2 * N), *x = floats(2 * N), *y = floats(2 * N);
    fill_known(known, mask, 1.7);
    for (int32_t solver = FMATCH_SOLVER_EULER; solver <= FMATCH_SOLVER_ADAMS_BASHFORTH; solver++) {
        fmatch_sampler *sampler = make_sampler(model, solver, 30, 0, 1);
        expect_ok(fmatch_sampler_draw_inpainted(sampler, 3, 0, 500, NULL, known, mask, x));
        expect_ok(fmatch_sampler_draw_inpainted(sampler, 3, 0, 500, NULL, known, NULL, y));
        expect_same_bits(x, y, 1000, "nan says the same as a mask");
        for (int i = 0; i < 500; i++)
            expect_that(x[2 * i] == known[2 * i] && isfinite(x[2 * i + 1]),
                        "solver %d, row %d: %g, %g", (int)solver, i, x[2 * i], x[2 * i + 1]);
        fmatch_sampler_destroy(&sampler);
    }
    free(known);
    free(mask);
    free(x);
    free(y);
    fmatch_model_destroy(&model);
}

/* The others have the distribution of the flow that sees the given ones on their lines: mean c
 * known, variance d^2 + e^2. It is no conditional distribution, whose mean is rho known. */
static void the_others_follow_the_field(void **state)
{
    double c, d, e;
    coefficients(&c, &d, &e);
    fmatch_model *model = make_correlated(context_of(state));
    float *known = floats(2 * N), *mask = floats(2 * N), *x = floats(2 * N);
    fill_known(known, mask, 1.7);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, 100, 0, 1);
    expect_ok(fmatch_sampler_draw_inpainted(sampler, 3, 0, N, NULL, known, NULL, x));
    double mean = 0, variance = 0, wanted = d * d + e * e;
    for (int64_t i = 0; i < N; i++)
        mean += x[2 * i + 1] / N;
    for (int64_t i = 0; i < N; i++)
        variance += pow(x[2 * i + 1] - mean, 2) / N;
    print_message("# mean %.4f of the known, %.2f of the conditional; deviation %.4f, not %.4f\n",
                  mean / 1.7, RHO, sqrt(variance), sqrt(1 - RHO * RHO));
    expect_close(mean, c * 1.7, Z * sqrt(wanted / N) + 1e-3, "mean of the other column");
    expect_close(variance, wanted, Z * wanted * sqrt(2.0 / N) + 1e-3, "its variance");
    fmatch_sampler_destroy(&sampler);
    free(known);
    free(mask);
    free(x);
    fmatch_model_destroy(&model);
}

/* ---- one step, written out ---- */

static fmatch_sampler *make_pulling(const fmatch_model *model, int64_t steps, double strength,
                                    double t_end, double eta)
{
    fmatch_stochastic_config stochastic;
    fmatch_stochastic_config_init(&stochastic);
    stochastic.eta = eta;
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = FMATCH_SOLVER_EULER;
    config.steps = steps;
    config.inpainting_strength = strength;
    config.inpainting_t_end = t_end;
    config.stochastic = eta > 0 ? &stochastic : NULL;
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, &config));
    return sampler;
}

/* Noise along the way makes the others forget where they began: they come to the conditional
 * distribution, to a few per cent with eta = 30. */
static void much_noise_gives_the_conditional_distribution(void **state)
{
    enum { SOME = 10000 };
    fmatch_model *model = make_correlated(context_of(state));
    float *known = floats(2 * N), *mask = floats(2 * N), *x = floats(2 * N);
    fill_known(known, mask, 1.7);
    fmatch_sampler *sampler = make_pulling(model, 800, 1, 0, 30);
    expect_ok(fmatch_sampler_draw_inpainted(sampler, 3, 0, SOME, NULL, known, NULL, x));
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < SOME; i++)
        mean += x[2 * i + 1] / SOME;
    for (int64_t i = 0; i < SOME; i++)
        variance += pow(x[2 * i + 1] - mean, 2) / SOME;
    expect_close(mean / 1.7, RHO, 0.05, "mean of the other column, over the known");
    expect_close(sqrt(variance), sqrt(1 - RHO * RHO), 0.05, "its deviation");
    fmatch_sampler_destroy(&sampler);
    free(known);
    free(mask);
    free(x);
    fmatch_model_destroy(&model);
}

static void the_pull_has_its_strength_and_its_end(void **state)
{
    fmatch_source *target = make_normal(context_of(state), 1);
    fmatch_model *model = make_closed_form(context_of(state), target);
    static const double strengths[] = {0, 1, 0.5, 0.5, 0.25}, ends[] = {0, 0.4, 0, 0.4, 0.7};
    static const float masks[] = {1, 1, 1, 0.5f, 1};
    for (size_t k = 0; k < COUNT(ends); k++) {
        const float known = 3;
        float x;
        fmatch_sampler *plain = make_sampler(model, FMATCH_SOLVER_EULER, 2, 0, 1);
        float path[3];
        expect_ok(fmatch_sampler_draw_trajectory(plain, 9, 0, 1, NULL, path));
        fmatch_sampler_destroy(&plain);
        fmatch_sampler *sampler = make_pulling(model, 2, strengths[k], ends[k], 0);
        expect_ok(fmatch_sampler_draw_inpainted(sampler, 9, 0, 1, NULL, &known, &masks[k], &x));
        double wanted = path[0], end = ends[k] == 0 ? 1 : ends[k];
        for (int i = 0; i < 2; i++) {
            double t = 0.5 * i, v = (2 * t - 1) / (t * t + (1 - t) * (1 - t)) * wanted;
            double w = t <= end ? (strengths[k] == 0 ? 1 : strengths[k]) * masks[k] : 0;
            wanted += 0.5 * (v + w * ((known - wanted) / (1 - t) - v));
        }
        expect_close(x, wanted, 2e-6, "case %zu", k);
        fmatch_sampler_destroy(&sampler);
    }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* With every coordinate given, noise along the way does not touch them, and on any path, in units
 * of any data, the pull leads there. */
static void the_pull_leads_there_on_every_path(void **state)
{
    static const int32_t kinds[] = {FMATCH_PATH_LINEAR, FMATCH_PATH_POLYNOMIAL,
                                    FMATCH_PATH_LINEAR_VARIANCE_PRESERVING, FMATCH_PATH_COSINE};
    static const float mean[] = {5, -20}, std[] = {2, 0.5f}, known[] = {4, -21};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        fmatch_path_config path;
        fmatch_path_config_init(&path);
        path.kind = kinds[k];
        fmatch_mlp_config config;
        fmatch_mlp_config_init(&config);
        config.dim = 2;
        config.path = &path;
        config.data_mean = mean;
        config.data_std = std;
        fmatch_model *model;
        expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
        for (int noisy = 0; noisy <= 1; noisy++) {
            /* an end a little before 1, so that nothing but the pull leads there; the noise left
             * is at most 0.032 of what it was */
            fmatch_sampler *sampler = make_pulling(model, 1000, 1, 0.9995, noisy);
            float x[2];
            expect_ok(fmatch_sampler_draw_inpainted(sampler, 2, 0, 1, NULL, known, NULL, x));
            for (int j = 0; j < 2; j++)
                expect_close(x[j], known[j], 0.1 * std[j], "path %d, column %d, noise %d",
                             (int)kinds[k], j, noisy);
            fmatch_sampler_destroy(&sampler);
        }
        fmatch_model_destroy(&model);
    }
}

static void rows_are_the_same_in_any_batch(void **state)
{
    (void)state;
    enum { ROWS = 1000 };
    static const int64_t batches[] = {1, 7, 64, 1000};
    static const int32_t threads[] = {1, 2, 8};
    static float first[2 * ROWS], x[2 * ROWS], known[2 * ROWS];
    fill_scattered(known, 2 * ROWS, -1, 1, 4);
    for (int64_t i = 0; i < 2 * ROWS; i += 3)
        known[i] = NAN;
    for (size_t k = 0; k < COUNT(threads); k++) {
        fmatch_context_config config;
        fmatch_context_config_init(&config);
        config.threads = threads[k];
        config.matmul = FMATCH_MATMUL_BUILTIN;
        fmatch_context *context;
        expect_ok(fmatch_context_create(&context, &config));
        fmatch_model *model = make_mlp(context, 2, 2, 16, FMATCH_ACTIVATION_GELU, 3);
        fmatch_sampler *sampler = make_pulling(model, 9, 0.5, 0, 1);
        for (size_t b = 0; b < COUNT(batches); b++) {
            for (int64_t i = 0; i < ROWS; i += batches[b]) {
                int64_t n = batches[b] < ROWS - i ? batches[b] : ROWS - i;
                expect_ok(fmatch_sampler_draw_inpainted(sampler, 5, i, n, NULL, known + 2 * i, NULL,
                                                        x + 2 * i));
            }
            if (k == 0 && b == 0)
                memcpy(first, x, sizeof x);
            expect_same_bits(x, first, 2 * ROWS, "%d threads, batches of %d", (int)threads[k],
                             (int)batches[b]);
        }
        fmatch_sampler_destroy(&sampler);
        fmatch_model_destroy(&model);
        fmatch_context_destroy(&context);
    }
}

static void nothing_given_is_an_ordinary_draw(void **state)
{
    fmatch_model *model = make_correlated(context_of(state));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_HEUN, 7, 0, 1);
    float known[20], x[20], y[20];
    for (int i = 0; i < 20; i++)
        known[i] = NAN;
    expect_ok(fmatch_sampler_draw_inpainted(sampler, 3, 5, 10, NULL, known, NULL, x));
    expect_ok(fmatch_sampler_draw(sampler, 3, 5, 10, NULL, y));
    expect_same_bits(x, y, 20, "nothing is given");
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

static void what_is_refused(void **state)
{
    fmatch_model *model = make_correlated(context_of(state));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 2, 0, 1);
    fmatch_sampler *late = make_sampler(model, FMATCH_SOLVER_EULER, 2, 0.5, 1);
    fmatch_sampler *adaptive = make_sampler(model, FMATCH_SOLVER_DORMAND_PRINCE, 50, 0, 1);
    float known[2] = {1, NAN}, mask[2] = {1, 0}, x[2];
    const struct {
        fmatch_sampler *sampler;
        const float *known;
        float mask[2];
        float *x;
        fmatch_status status;
        const char *word;
    } cases[] = {
        {NULL, known, {1, 0}, x, FMATCH_ERROR_ARGUMENT, "sampler"},
        {sampler, NULL, {1, 0}, x, FMATCH_ERROR_ARGUMENT, "known"},
        {sampler, known, {1, 0}, NULL, FMATCH_ERROR_ARGUMENT, "x"},
        {sampler, known, {1, 1}, x, FMATCH_ERROR_NOT_FINITE, "column 1"},
        {sampler, known, {-1, 0}, x, FMATCH_ERROR_ARGUMENT, "mask"},
        {sampler, known, {2, 0}, x, FMATCH_ERROR_ARGUMENT, "mask"},
        {sampler, known, {NAN, 0}, x, FMATCH_ERROR_ARGUMENT, "mask"},
        {late, known, {1, 0}, x, FMATCH_ERROR_STATE, "t_start"},
        {adaptive, known, {1, 0}, x, FMATCH_ERROR_UNSUPPORTED, "adaptive"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_status(fmatch_sampler_draw_inpainted(cases[i].sampler, 1, 0, 1, NULL, cases[i].known,
                                                    cases[i].mask, cases[i].x),
                      cases[i].status);
        expect_detail(cases[i].word);
    }
    expect_ok(fmatch_sampler_draw_inpainted(sampler, 1, 0, 0, NULL, NULL, NULL, NULL));
    expect_ok(fmatch_sampler_draw_inpainted(sampler, 1, 0, 1, NULL, known, mask, x));
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    fmatch_sampler *none;
    config.inpainting_strength = 1.5;
    expect_status(fmatch_sampler_create(&none, model, &config), FMATCH_ERROR_ARGUMENT);
    expect_detail("inpainting_strength");
    config.inpainting_strength = 0;
    config.inpainting_t_end = -1;
    expect_status(fmatch_sampler_create(&none, model, &config), FMATCH_ERROR_ARGUMENT);
    expect_detail("inpainting_t_end");
    fmatch_sampler_destroy(&sampler);
    fmatch_sampler_destroy(&late);
    fmatch_sampler_destroy(&adaptive);
    fmatch_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(given_coordinates_come_out_as_given),
        world_test(the_others_follow_the_field),
        world_test(much_noise_gives_the_conditional_distribution),
        world_test(the_pull_has_its_strength_and_its_end),
        world_test(the_pull_leads_there_on_every_path),
        world_test(rows_are_the_same_in_any_batch),
        world_test(nothing_given_is_an_ordinary_draw),
        world_test(what_is_refused),
    };
    return cmocka_run_group_tests_name("inpainting", tests, NULL, NULL);
}
