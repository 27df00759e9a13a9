/* Paths by their public functions, against values computed in other ways. */
#include "fixtures.h"

#include <float.h>

static fmatch_path_config path_of(int32_t kind)
{
    fmatch_path_config config;
    fmatch_path_config_init(&config);
    config.kind = kind;
    if (kind == FMATCH_PATH_BROWNIAN_BRIDGE)
        config.diffusion = 0.7;
    return config;
}

struct schedule {
    double alpha, sigma, alpha_rate, sigma_rate;
};

static struct schedule schedule_at(const fmatch_path_config *config, double t)
{
    struct schedule s;
    expect_ok(fmatch_path_evaluate_schedule(config, 1, &t, &s.alpha, &s.sigma, &s.alpha_rate,
                                            &s.sigma_rate));
    return s;
}

/* Values of fifty digits' arithmetic, from the formulas alone. */
static void schedules_match_high_precision(void **state)
{
    (void)state;
    static const struct {
        int32_t kind;
        double exponent, t;
        struct schedule wanted;
    } cases[] = {
        {FMATCH_PATH_LINEAR, 0, 0.3, {0.3, 0.7, 1, -1}},
        {FMATCH_PATH_POLYNOMIAL, 3, 0.5, {0.125, 0.875, 0.75, -0.75}},
        {FMATCH_PATH_POLYNOMIAL, 0, 0.5, {0.25, 0.75, 1, -1}},
        {FMATCH_PATH_VARIANCE_PRESERVING,
         0,
         0.5,
         {0.281182880797, 0.959654202068, 1.412943976, -0.413998768224}},
        {FMATCH_PATH_VARIANCE_PRESERVING,
         0,
         0.9,
         {0.946721798821, 0.322052535525, 0.989324279768, -2.90826731183}},
        {FMATCH_PATH_LINEAR_VARIANCE_PRESERVING, 0, 0.6, {0.6, 0.8, 1, -0.75}},
        {FMATCH_PATH_COSINE,
         0,
         0.1,
         {0.15643446504, 0.987688340595, 1.55145721742, -0.245726683069}},
        {FMATCH_PATH_BROWNIAN_BRIDGE, 0, 0.25, {0.25, 0.75, 1, -1}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_path_config config = path_of(cases[i].kind);
        config.exponent = cases[i].exponent;
        const struct schedule s = schedule_at(&config, cases[i].t), w = cases[i].wanted;
        expect_close(s.alpha, w.alpha, 1e-9, "alpha of case %zu", i);
        expect_close(s.sigma, w.sigma, 1e-9, "sigma of case %zu", i);
        expect_close(s.alpha_rate, w.alpha_rate, 1e-8, "alpha' of case %zu", i);
        expect_close(s.sigma_rate, w.sigma_rate, 1e-8, "sigma' of case %zu", i);
    }
}

static void ends_are_exact(void **state)
{
    (void)state;
    static const int32_t kinds[] = {FMATCH_PATH_LINEAR, FMATCH_PATH_POLYNOMIAL,
                                    FMATCH_PATH_LINEAR_VARIANCE_PRESERVING, FMATCH_PATH_COSINE,
                                    FMATCH_PATH_LIPMAN};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const fmatch_path_config config = path_of(kinds[i]);
        const struct schedule start = schedule_at(&config, 0), end = schedule_at(&config, 1);
        expect_that(start.alpha == 0 && start.sigma == 1, "kind %d starts at %g, %g", (int)kinds[i],
                    start.alpha, start.sigma);
        expect_that(end.alpha == 1 && end.sigma == 0, "kind %d ends at %g, %g", (int)kinds[i],
                    end.alpha, end.sigma);
    }
    const fmatch_path_config vp = path_of(FMATCH_PATH_VARIANCE_PRESERVING);
    expect_close(schedule_at(&vp, 0).alpha, exp(-5.025), 1e-15, "alpha(0)");
    expect_that(schedule_at(&vp, 1).alpha == 1 && schedule_at(&vp, 1).sigma == 0, "ends");
    expect_that(isfinite(schedule_at(&vp, 1).sigma_rate), "sigma'(1)");
    fmatch_path_config root = path_of(FMATCH_PATH_POLYNOMIAL);
    root.exponent = 0.5;
    expect_that(isfinite(schedule_at(&root, 0).alpha_rate), "alpha'(0) of a root");
    fmatch_path_config lipman = path_of(FMATCH_PATH_LIPMAN);
    lipman.sigma_min = 0.1;
    expect_close(schedule_at(&lipman, 1).sigma, 0.1, 1e-15, "sigma(1)");
}

static const int32_t affine[] = {FMATCH_PATH_LINEAR,
                                 FMATCH_PATH_POLYNOMIAL,
                                 FMATCH_PATH_VARIANCE_PRESERVING,
                                 FMATCH_PATH_LINEAR_VARIANCE_PRESERVING,
                                 FMATCH_PATH_COSINE,
                                 FMATCH_PATH_LIPMAN};

static void derivatives_are_those_of_the_schedule(void **state)
{
    (void)state;
    const double h = 1e-6;
    for (size_t i = 0; i < COUNT(affine); i++)
        for (double t = 0.05; t < 0.96; t += 0.05) {
            const fmatch_path_config config = path_of(affine[i]);
            const struct schedule s = schedule_at(&config, t), after = schedule_at(&config, t + h),
                                  before = schedule_at(&config, t - h);
            expect_close(s.alpha_rate, (after.alpha - before.alpha) / (2 * h), 1e-7,
                         "alpha' of kind %d at %g", (int)affine[i], t);
            expect_close(s.sigma_rate, (after.sigma - before.sigma) / (2 * h), 1e-7,
                         "sigma' of kind %d at %g", (int)affine[i], t);
        }
}

static void inverse_of_the_ratio_returns(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(affine); i++)
        for (double t = 0.02; t < 0.99; t += 0.03) {
            const fmatch_path_config config = path_of(affine[i]);
            const struct schedule s = schedule_at(&config, t);
            const double ratio = s.alpha / s.sigma;
            double back;
            expect_ok(fmatch_path_evaluate_inverse_ratio(&config, 1, &ratio, &back));
            expect_close(back, t, 1e-12, "kind %d", (int)affine[i]);
        }
    const fmatch_path_config vp = path_of(FMATCH_PATH_VARIANCE_PRESERVING);
    const double ratios[] = {0, 1e-300, 1e-5, INFINITY};
    double t[4];
    expect_ok(fmatch_path_evaluate_inverse_ratio(&vp, 4, ratios, t));
    assert_true(t[0] == 0 && t[1] == 0 && t[2] == 0 && t[3] == 1);
}

/* ---- rows ---- */

enum { N = 5, DIM = 2 };
static const float times[N] = {0.125f, 0.25f, 0.5f, 0.75f, 0.875f};
static const float noise[N * DIM] = {1, -2, 0.5f, 3, -1, 0, 2, 2, -0.25f, 1};
static const float data[N * DIM] = {0, 1, 2, -1, 4, 0.5f, -3, 1, 1, 1};
static const float own[N * DIM] = {0.5f, -1, 1, 0.25f, 2, -2, 0, 1, -0.5f, 0.75f};

static fmatch_path_rows rows_with(const float *z)
{
    return (fmatch_path_rows){.struct_size = sizeof(fmatch_path_rows),
                              .dim = DIM,
                              .n = N,
                              .t = times,
                              .x0 = noise,
                              .x1 = data,
                              .z = z};
}

static void rows_are_on_the_path(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(affine); k++) {
        fmatch_path_config config = path_of(affine[k]);
        config.noise = k % 2 ? 0.3 : 0;
        const fmatch_path_rows rows = rows_with(k % 2 ? own : NULL);
        float x[N * DIM], v[N * DIM];
        expect_ok(fmatch_path_evaluate(&config, &rows, x, v));
        for (int i = 0; i < N * DIM; i++) {
            const struct schedule s = schedule_at(&config, times[i / DIM]);
            expect_close(x[i], s.alpha * data[i] + s.sigma * noise[i] + config.noise * own[i], 1e-6,
                         "x of kind %d, value %d", (int)affine[k], i);
            expect_close(v[i], s.alpha_rate * data[i] + s.sigma_rate * noise[i], 2e-5,
                         "v of kind %d, value %d", (int)affine[k], i);
        }
    }
}

/* The velocity in the form with the difference to the mean, in double. */
static void bridges_velocity_is_the_papers(void **state)
{
    (void)state;
    const fmatch_path_config config = path_of(FMATCH_PATH_BROWNIAN_BRIDGE);
    const fmatch_path_rows rows = rows_with(own);
    float x[N * DIM], v[N * DIM];
    expect_ok(fmatch_path_evaluate(&config, &rows, x, v));
    for (int i = 0; i < N * DIM; i++) {
        const double t = times[i / DIM], mean = t * data[i] + (1 - t) * noise[i];
        const double there = mean + 0.7 * sqrt(t * (1 - t)) * own[i];
        expect_close(x[i], there, 1e-6, "x, value %d", i);
        expect_close(v[i], (1 - 2 * t) / (2 * t * (1 - t)) * (there - mean) + data[i] - noise[i],
                     1e-5, "v, value %d", i);
    }
}

static void predictions_convert_and_return(void **state)
{
    (void)state;
    static const float *const ends[] = {NULL, data, noise};
    for (size_t k = 0; k < COUNT(affine); k++) {
        const fmatch_path_config config = path_of(affine[k]);
        const fmatch_path_rows rows = rows_with(NULL);
        float x[N * DIM], v[N * DIM], seen[N * DIM];
        expect_ok(fmatch_path_evaluate(&config, &rows, x, v));
        for (int from = 0; from < 3; from++)
            for (int to = 0; to < 3; to++) {
                expect_ok(fmatch_path_evaluate_prediction(&config, from, to, DIM, N, times, x,
                                                          from ? ends[from] : v, seen));
                for (int i = 0; i < N * DIM; i++)
                    expect_close(seen[i], to ? ends[to][i] : v[i], 2e-4,
                                 "kind %d, from %d to %d, value %d", (int)affine[k], from, to, i);
            }
    }
}

/* ---- a user's schedule ---- */

static int32_t cosine_again(void *user, int64_t n, const double *t, double *alpha, double *sigma,
                            double *alpha_rate, double *sigma_rate)
{
    if (user)
        ++*(int *)user;
    for (int64_t i = 0; i < n; i++) {
        alpha[i] = sin(PI / 2 * t[i]);
        sigma[i] = cos(PI / 2 * t[i]);
        alpha_rate[i] = PI / 2 * sigma[i];
        sigma_rate[i] = -PI / 2 * alpha[i];
    }
    return 0;
}

static int32_t no_schedule(void *user, int64_t n, const double *t, double *alpha, double *sigma,
                           double *alpha_rate, double *sigma_rate)
{
    cosine_again(NULL, n, t, alpha, sigma, alpha_rate, sigma_rate);
    if (user)
        return -7;
    sigma_rate[0] = NAN;
    return 0;
}

static void schedules_of_users_are_the_built_in_ones(void **state)
{
    (void)state;
    int calls = 0;
    const fmatch_schedule_callbacks callbacks = {
        .struct_size = sizeof callbacks, .evaluate = cosine_again, .user = &calls};
    fmatch_path_config config = path_of(FMATCH_PATH_CALLBACK);
    config.schedule = &callbacks;
    const fmatch_path_config cosine = path_of(FMATCH_PATH_COSINE);
    const fmatch_path_rows rows = rows_with(NULL);
    float x[N * DIM], v[N * DIM], x_again[N * DIM], v_again[N * DIM];
    expect_ok(fmatch_path_evaluate(&cosine, &rows, x, v));
    expect_ok(fmatch_path_evaluate(&config, &rows, x_again, v_again));
    expect_same_bits(x, x_again, N * DIM, "x");
    expect_same_bits(v, v_again, N * DIM, "v");
    assert_true(calls > 0);
    double ratio = 2, t, t_again;
    expect_ok(fmatch_path_evaluate_inverse_ratio(&cosine, 1, &ratio, &t));
    expect_ok(fmatch_path_evaluate_inverse_ratio(&config, 1, &ratio, &t_again));
    expect_close(t_again, t, 1e-12, "by bisection");
}

/* 150 times are asked for together, not one by one, and each gets its own values. */
static void many_times_take_few_calls(void **state)
{
    (void)state;
    enum { MANY = 150 };
    int calls = 0;
    const fmatch_schedule_callbacks callbacks = {
        .struct_size = sizeof callbacks, .evaluate = cosine_again, .user = &calls};
    fmatch_path_config config = path_of(FMATCH_PATH_CALLBACK);
    config.schedule = &callbacks;
    double t[MANY], values[4][MANY];
    for (int i = 0; i < MANY; i++)
        t[i] = i / (MANY - 1.0);
    expect_ok(fmatch_path_evaluate_schedule(&config, MANY, t, values[0], values[1], values[2],
                                            values[3]));
    expect_that(calls <= 3, "%d calls", calls);
    for (int i = 0; i < MANY; i++) {
        expect_close(values[0][i], sin(PI / 2 * t[i]), 1e-15, "alpha at %g", t[i]);
        expect_close(values[1][i], cos(PI / 2 * t[i]), 1e-15, "sigma at %g", t[i]);
        expect_close(values[2][i], PI / 2 * cos(PI / 2 * t[i]), 1e-15, "alpha' at %g", t[i]);
        expect_close(values[3][i], -PI / 2 * sin(PI / 2 * t[i]), 1e-15, "sigma' at %g", t[i]);
    }
}

static void failing_schedules_are_reported(void **state)
{
    (void)state;
    int user = 0;
    fmatch_schedule_callbacks callbacks = {
        .struct_size = sizeof callbacks, .evaluate = no_schedule, .user = &user};
    fmatch_path_config config = path_of(FMATCH_PATH_CALLBACK);
    config.schedule = &callbacks;
    double t = 0.5, a, s, ar, sr;
    expect_status(fmatch_path_evaluate_schedule(&config, 1, &t, &a, &s, &ar, &sr),
                  FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -7);
    callbacks.user = NULL;
    expect_status(fmatch_path_evaluate_schedule(&config, 1, &t, &a, &s, &ar, &sr),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("sigma_rate", "nan", "0.5");
}

static int32_t only_alpha_and_sigma(void *user, int64_t n, const double *t, double *alpha,
                                    double *sigma, double *alpha_rate, double *sigma_rate)
{
    (void)user, (void)alpha_rate, (void)sigma_rate;
    for (int64_t i = 0; i < n; i++) {
        alpha[i] = t[i];
        sigma[i] = 1 - t[i];
    }
    return 0;
}

static void what_a_schedule_leaves_out_is_noticed(void **state)
{
    (void)state;
    const fmatch_schedule_callbacks whole = {.struct_size = sizeof whole, .evaluate = cosine_again},
                                    part = {.struct_size = sizeof part,
                                            .evaluate = only_alpha_and_sigma};
    fmatch_path_config config = path_of(FMATCH_PATH_CALLBACK);
    double t = 0.5, a, s, ar, sr;
    config.schedule = &whole; /* leaves finite numbers where the other's will be */
    expect_ok(fmatch_path_evaluate_schedule(&config, 1, &t, &a, &s, &ar, &sr));
    config.schedule = &part;
    expect_status(fmatch_path_evaluate_schedule(&config, 1, &t, &a, &s, &ar, &sr),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("alpha_rate", "nan", "0.5");
}

/* ---- what is refused ---- */

static void expect_refused(fmatch_path_config config, const char *word)
{
    double t = 0.5, a, s, ar, sr;
    expect_status(fmatch_path_evaluate_schedule(&config, 1, &t, &a, &s, &ar, &sr),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail(word);
}

static void contradicting_settings_are_refused(void **state)
{
    (void)state;
    expect_refused(path_of(-1), "kind");
    expect_refused(path_of(8), "kind");
    expect_refused(path_of(FMATCH_PATH_CALLBACK), "schedule");
    fmatch_path_config config = path_of(FMATCH_PATH_LINEAR);
    config.exponent = 2;
    expect_refused(config, "exponent");
    config = path_of(FMATCH_PATH_POLYNOMIAL);
    config.exponent = -1;
    expect_refused(config, "exponent");
    config = path_of(FMATCH_PATH_BROWNIAN_BRIDGE);
    config.diffusion = 0;
    expect_refused(config, "diffusion");
    config = path_of(FMATCH_PATH_BROWNIAN_BRIDGE);
    config.noise = 0.1;
    expect_refused(config, "noise");
    config = path_of(FMATCH_PATH_VARIANCE_PRESERVING);
    config.beta_min = 5;
    config.beta_max = 4;
    expect_refused(config, "beta_max");
    config = path_of(FMATCH_PATH_COSINE);
    config.noise = NAN;
    expect_refused(config, "noise");
    const fmatch_schedule_callbacks callbacks = {.struct_size = sizeof callbacks,
                                                 .evaluate = cosine_again};
    config = path_of(FMATCH_PATH_LINEAR);
    config.schedule = &callbacks;
    expect_refused(config, "schedule");
}

static void impossible_rows_are_refused(void **state)
{
    (void)state;
    float x[N * DIM], v[N * DIM];
    const fmatch_path_config bridge = path_of(FMATCH_PATH_BROWNIAN_BRIDGE);
    fmatch_path_rows rows = rows_with(NULL);
    expect_status(fmatch_path_evaluate(&bridge, &rows, x, v), FMATCH_ERROR_ARGUMENT);
    expect_detail("rows->z");
    rows = rows_with(own);
    expect_status(fmatch_path_evaluate(NULL, &rows, x, v), FMATCH_ERROR_ARGUMENT);
    expect_detail("rows->z");
    const float bad[N] = {0.5f, 0.5f, 1, 0.5f, 0.5f};
    rows.t = bad;
    expect_status(fmatch_path_evaluate(&bridge, &rows, x, v), FMATCH_ERROR_ARGUMENT);
    expect_detail("t[2]", "(0, 1)");
    expect_status(fmatch_path_evaluate_prediction(&bridge, 0, 1, DIM, N, times, data, data, x),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_status(fmatch_path_evaluate_prediction(NULL, 0, 3, DIM, N, times, data, data, x),
                  FMATCH_ERROR_ARGUMENT);
}

/* ---- models and trainers on paths ---- */

static fmatch_model *make_model_on(fmatch_context *context, const fmatch_path_config *path,
                                   int32_t prediction)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = DIM;
    config.hidden_layers = 1;
    config.hidden_width = 6;
    config.path = path;
    config.prediction = prediction;
    config.seed = 4;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

/* One and the same network, read as three predictions: the velocities are conversions of what it
 * gives as a velocity. */
static void model_gives_the_velocity_that_its_prediction_means(void **state)
{
    for (size_t k = 0; k < COUNT(affine); k++) {
        const fmatch_path_config path = path_of(affine[k]);
        float output[N * DIM], v[N * DIM], wanted[N * DIM];
        fmatch_model *plain = make_model_on(context_of(state), &path, FMATCH_PREDICTION_VELOCITY);
        expect_ok(fmatch_model_evaluate(plain, N, data, times, NULL, output));
        fmatch_model_destroy(&plain);
        for (int32_t prediction = 1; prediction < 3; prediction++) {
            fmatch_model *model = make_model_on(context_of(state), &path, prediction);
            expect_ok(fmatch_model_evaluate(model, N, data, times, NULL, v));
            expect_ok(fmatch_path_evaluate_prediction(&path, prediction, 0, DIM, N, times, data,
                                                      output, wanted));
            expect_same_bits(v, wanted, N * DIM, "kind %d, prediction %d", (int)affine[k],
                             (int)prediction);
            fmatch_model_destroy(&model);
        }
    }
}

/* The trainer's loss is that of the path's rows. */
static void trainer_fits_the_target_of_the_path(void **state)
{
    for (size_t k = 0; k < COUNT(affine); k++)
        for (int32_t prediction = 0; prediction < 3; prediction++) {
            const fmatch_path_config path = path_of(affine[k]);
            const fmatch_path_rows rows = rows_with(NULL);
            float x[N * DIM], target[N * DIM], output[N * DIM];
            expect_ok(fmatch_path_evaluate(&path, &rows, x, target));
            fmatch_model *plain =
                make_model_on(context_of(state), &path, FMATCH_PREDICTION_VELOCITY);
            expect_ok(fmatch_model_evaluate(plain, N, x, times, NULL, output));
            fmatch_model_destroy(&plain);
            double wanted = 0, loss;
            for (int i = 0; i < N * DIM; i++) {
                const float *right = prediction == 0 ? target : prediction == 1 ? data : noise;
                wanted += pow((double)output[i] - right[i], 2) / (N * DIM);
            }
            fmatch_model *model = make_model_on(context_of(state), &path, prediction);
            fmatch_trainer *trainer =
                make_trainer(model, make_adam(context_of(state), 1e-3), NULL, N, 0);
            const fmatch_batch batch = {
                .struct_size = sizeof batch, .n = N, .target = data, .noise = noise, .t = times};
            expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
            expect_close(loss, wanted, 1e-5 * wanted, "kind %d, prediction %d", (int)affine[k],
                         (int)prediction);
            fmatch_trainer_destroy(&trainer);
            fmatch_model_destroy(&model);
        }
}

/* Training draws times inside a bridge's ends, and the caller's must be there, too. */
static void bridges_are_trained_inside_their_ends(void **state)
{
    const fmatch_path_config bridge = path_of(FMATCH_PATH_BROWNIAN_BRIDGE);
    fmatch_model *model = make_model_on(context_of(state), &bridge, FMATCH_PREDICTION_VELOCITY);
    fmatch_source *target = make_normal(context_of(state), DIM);
    fmatch_trainer *trainer =
        make_trainer(model, make_adam(context_of(state), 1e-3), target, 5000, 0);
    expect_ok(fmatch_trainer_run(trainer, 3, NULL));
    const float end[N] = {0.5f, 0, 0.5f, 0.5f, 0.5f};
    const fmatch_batch batch = {.struct_size = sizeof batch, .n = N, .target = data, .t = end};
    double loss;
    expect_status(fmatch_trainer_run_batch(trainer, &batch, &loss), FMATCH_ERROR_ARGUMENT);
    expect_detail("batch->t[1]", "(0, 1)");
    fmatch_trainer_destroy(&trainer);
    fmatch_source_destroy(&target);
    fmatch_model_destroy(&model);
}

static void count_destroy(void *user)
{
    ++*(int *)user;
}

static void models_share_a_users_schedule(void **state)
{
    int destroyed = 0;
    const fmatch_schedule_callbacks callbacks = {.struct_size = sizeof callbacks,
                                                 .evaluate = cosine_again,
                                                 .destroy = count_destroy,
                                                 .user = &destroyed};
    fmatch_path_config path = path_of(FMATCH_PATH_CALLBACK);
    path.schedule = &callbacks;
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 0;
    config.path = &path;
    fmatch_model *model, *copy;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                  FMATCH_ERROR_ARGUMENT);
    assert_int_equal(destroyed, 1);
    expect_status(fmatch_model_create_mlp(&model, NULL, &config), FMATCH_ERROR_ARGUMENT);
    expect_detail("context is NULL");
    assert_int_equal(destroyed, 2);
    expect_status(fmatch_model_create_mlp(NULL, context_of(state), &config), FMATCH_ERROR_ARGUMENT);
    assert_int_equal(destroyed, 3);
    destroyed = 0;
    const fmatch_schedule_callbacks uncounted = {.struct_size = sizeof uncounted,
                                                 .evaluate = no_schedule,
                                                 .destroy = count_destroy,
                                                 .user = &destroyed};
    path.schedule = &uncounted;
    model = make_model_on(context_of(state), &path, FMATCH_PREDICTION_DATA);
    expect_ok(fmatch_model_create_copy(&copy, model));
    fmatch_model_destroy(&model);
    assert_int_equal(destroyed, 0);
    float v[N * DIM];
    expect_status(fmatch_model_evaluate(copy, N, data, times, NULL, v), FMATCH_ERROR_CALLBACK);
    fmatch_source *target = make_normal(context_of(state), DIM);
    fmatch_trainer *trainer =
        make_trainer(copy, make_adam(context_of(state), 1e-3), target, 300, 0);
    expect_status(fmatch_trainer_run(trainer, 1, NULL), FMATCH_ERROR_CALLBACK);
    fmatch_trainer_destroy(&trainer);
    fmatch_source_destroy(&target);
    fmatch_model_destroy(&copy);
    assert_int_equal(destroyed, 1);
}

static void lipmans_path_needs_normal_noise(void **state)
{
    const fmatch_path_config path = path_of(FMATCH_PATH_LIPMAN);
    const float weight = 1, mean[DIM] = {0, 1}, std[DIM] = {1, 1};
    fmatch_source *mixture;
    expect_ok(fmatch_source_create_gaussian_mixture(&mixture, context_of(state), DIM, 1, &weight,
                                                    mean, std));
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = DIM;
    config.path = &path;
    config.noise = mixture;
    fmatch_model *model;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_detail("LIPMAN", "noise");
    fmatch_source *normal = make_normal(context_of(state), DIM);
    config.noise = normal;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    fmatch_model_destroy(&model);
    config.data_mean = mean; /* N(0, I) in data units is not what the network sees */
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                  FMATCH_ERROR_UNSUPPORTED);
    fmatch_source_destroy(&normal);
    fmatch_source_destroy(&mixture);
}

#define path_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_match_high_precision),
        cmocka_unit_test(ends_are_exact),
        cmocka_unit_test(derivatives_are_those_of_the_schedule),
        cmocka_unit_test(inverse_of_the_ratio_returns),
        cmocka_unit_test(rows_are_on_the_path),
        cmocka_unit_test(bridges_velocity_is_the_papers),
        cmocka_unit_test(predictions_convert_and_return),
        cmocka_unit_test(schedules_of_users_are_the_built_in_ones),
        cmocka_unit_test(many_times_take_few_calls),
        cmocka_unit_test(failing_schedules_are_reported),
        cmocka_unit_test(what_a_schedule_leaves_out_is_noticed),
        cmocka_unit_test(contradicting_settings_are_refused),
        cmocka_unit_test(impossible_rows_are_refused),
        path_test(model_gives_the_velocity_that_its_prediction_means),
        path_test(trainer_fits_the_target_of_the_path),
        path_test(bridges_are_trained_inside_their_ends),
        path_test(models_share_a_users_schedule),
        path_test(lipmans_path_needs_normal_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
