/* Models with conditions: what the network sees of labels, columns and the null condition, and
 * guidance. */
#include "fixtures.h"

enum { DIM = 2, CLASSES = 4, EMBEDDING = 3, PLAIN = 2, COLUMNS = 1 + PLAIN, WIDTH = 5 };

static fmatch_mlp_config conditional_config(void)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = DIM;
    config.hidden_layers = 1;
    config.hidden_width = WIDTH;
    config.activation = FMATCH_ACTIVATION_TANH;
    config.seed = 3;
    config.condition_dim = COLUMNS;
    config.classes = CLASSES;
    config.embedding_dim = EMBEDDING;
    config.null_condition = FMATCH_NULL_CONDITION_ACCEPTED;
    return config;
}

static fmatch_model *make_model(fmatch_context *context, fmatch_mlp_config config)
{
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

static fmatch_model *make_conditional(fmatch_context *context)
{
    return make_model(context, conditional_config());
}

static void tensor_of(const fmatch_model *model, const char *name, int64_t count, float *values)
{
    expect_ok(fmatch_model_get_tensor(model, name, count, values));
}

/* The network in double, from its tensors; condition NULL is the null condition. */
static void velocity_by_hand(const fmatch_model *model, double t, const float *x,
                             const float *condition, double *v)
{
    enum { IN = 1 + DIM + EMBEDDING + PLAIN };
    float w0[WIDTH * IN], b0[WIDTH], w1[DIM * WIDTH], b1[DIM];
    float embedding[(CLASSES + 1) * EMBEDDING], null[PLAIN];
    tensor_of(model, "net.0.weight", WIDTH * IN, w0);
    tensor_of(model, "net.0.bias", WIDTH, b0);
    tensor_of(model, "net.2.weight", DIM * WIDTH, w1);
    tensor_of(model, "net.2.bias", DIM, b1);
    tensor_of(model, "embedding.weight", (CLASSES + 1) * EMBEDDING, embedding);
    tensor_of(model, "null_condition", PLAIN, null);
    double input[IN] = {t};
    for (int j = 0; j < DIM; j++)
        input[1 + j] = x[j];
    for (int j = 0; j < EMBEDDING; j++)
        input[1 + DIM + j] = embedding[(condition ? (int)condition[0] : CLASSES) * EMBEDDING + j];
    for (int j = 0; j < PLAIN; j++)
        input[1 + DIM + EMBEDDING + j] = condition ? condition[1 + j] : null[j];
    for (int k = 0; k < DIM; k++)
        v[k] = b1[k];
    for (int i = 0; i < WIDTH; i++) {
        double z = b0[i];
        for (int j = 0; j < IN; j++)
            z += w0[i * IN + j] * input[j];
        for (int k = 0; k < DIM; k++)
            v[k] += w1[k * WIDTH + i] * tanh(z);
    }
}

enum { ROWS = 7 };
static const float points[ROWS * DIM] = {0.1f, -1,   2, 0.5f, -0.3f, 0, 1,
                                         1,    0.2f, 3, -2,   0.4f,  0, 0};
static const float times[ROWS] = {0, 0.25f, 0.5f, 0.75f, 1, 0.1f, 0.9f};
static const float conditions[ROWS * COLUMNS] = {
    0, 1, -2, 3, 0.5f, 0.25f, NAN, 0, 0, 1, -1, 0.5, NAN, 7, 8, 2, 0, 0, 0.0f, 1, -2,
};

static bool is_null(int64_t i)
{
    return isnan(conditions[i * COLUMNS]);
}

static void network_sees_labels_columns_and_null(void **state)
{
    fmatch_model *model = make_conditional(context_of(state));
    float v[ROWS * DIM], of_null[ROWS * DIM];
    expect_ok(fmatch_model_evaluate(model, ROWS, points, times, conditions, v));
    expect_ok(fmatch_model_evaluate(model, ROWS, points, times, NULL, of_null));
    for (int64_t i = 0; i < ROWS; i++) {
        double wanted[DIM], wanted_null[DIM];
        velocity_by_hand(model, times[i], points + i * DIM,
                         is_null(i) ? NULL : conditions + i * COLUMNS, wanted);
        velocity_by_hand(model, times[i], points + i * DIM, NULL, wanted_null);
        for (int k = 0; k < DIM; k++) {
            expect_close(v[i * DIM + k], wanted[k], 1e-6, "row %lld", (long long)i);
            expect_close(of_null[i * DIM + k], wanted_null[k], 1e-6, "null, row %lld",
                         (long long)i);
        }
    }
    assert_int_equal(fmatch_model_get_condition_dim(model), COLUMNS);
    assert_int_equal(fmatch_model_count_classes(model), CLASSES);
    fmatch_model_destroy(&model);
}

static void rows_with_conditions_are_independent_of_the_batch(void **state)
{
    fmatch_model *model = make_conditional(context_of(state));
    float v[ROWS * DIM], alone[DIM];
    expect_ok(fmatch_model_evaluate(model, ROWS, points, times, conditions, v));
    for (int64_t i = 0; i < ROWS && forced_matmul() != FMATCH_MATMUL_BLAS; i++) {
        expect_ok(fmatch_model_evaluate(model, 1, points + i * DIM, times + i,
                                        conditions + i * COLUMNS, alone));
        expect_same_bits(alone, v + i * DIM, DIM, "row %lld", (long long)i);
    }
    fmatch_model_destroy(&model);
}

static void expect_refused(const fmatch_model *model, const float *row, fmatch_status wanted,
                           const char *word)
{
    float v[DIM];
    expect_status(fmatch_model_evaluate(model, 1, points, times, row, v), wanted);
    expect_detail("condition", word);
}

static void bad_conditions_are_named(void **state)
{
    fmatch_model *model = make_conditional(context_of(state));
    expect_refused(model, (const float[]){0.5f, 0, 0}, FMATCH_ERROR_ARGUMENT, "0.5");
    expect_refused(model, (const float[]){-1, 0, 0}, FMATCH_ERROR_ARGUMENT, "-1");
    expect_refused(model, (const float[]){CLASSES, 0, 0}, FMATCH_ERROR_ARGUMENT, "between 0 and 3");
    expect_refused(model, (const float[]){1, 0, INFINITY}, FMATCH_ERROR_NOT_FINITE, "column 2");
    expect_refused(model, (const float[]){1, NAN, 0}, FMATCH_ERROR_NOT_FINITE, "column 1");
    fmatch_model_destroy(&model);

    fmatch_mlp_config config = conditional_config();
    config.null_condition = FMATCH_NULL_CONDITION_REFUSED;
    model = make_model(context_of(state), config);
    expect_refused(model, NULL, FMATCH_ERROR_ARGUMENT, "null condition");
    expect_refused(model, (const float[]){NAN, 0, 0}, FMATCH_ERROR_NOT_FINITE, "null condition");
    fmatch_model_destroy(&model);
}

static void expect_config_refused(void **state, fmatch_mlp_config config, const char *word)
{
    fmatch_model *model;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail(word);
}

static void contradicting_settings_are_refused(void **state)
{
    fmatch_mlp_config config = conditional_config();
    config.condition_dim = 0;
    expect_config_refused(state, config, "classes");
    config.classes = 0;
    config.embedding_dim = 0;
    expect_config_refused(state, config, "null_condition");
    config = conditional_config();
    config.classes = 0;
    expect_config_refused(state, config, "embedding_dim");
    config = conditional_config();
    config.classes = 65537;
    expect_config_refused(state, config, "65536");
    config = conditional_config();
    config.null_condition = 2;
    expect_config_refused(state, config, "null_condition");
}

static void copies_keep_the_condition(void **state)
{
    fmatch_model *model = make_conditional(context_of(state)), *copy;
    float v[ROWS * DIM], again[ROWS * DIM];
    expect_ok(fmatch_model_evaluate(model, ROWS, points, times, conditions, v));
    expect_ok(fmatch_model_create_copy(&copy, model));
    expect_ok(fmatch_model_evaluate(copy, ROWS, points, times, conditions, again));
    expect_same_bits(v, again, ROWS * DIM, "copy");
    fmatch_model_destroy(&copy);
    fmatch_model_destroy(&model);
}

/* ---- guidance ---- */

static fmatch_sampler_config guided(int32_t guidance, double strength)
{
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = FMATCH_SOLVER_EULER;
    config.steps = 4;
    config.guidance = guidance;
    config.guidance_strength = strength;
    return config;
}

static void integrate(const fmatch_model *model, const fmatch_sampler_config *config,
                      const float *condition, float *x_end, int64_t evaluations)
{
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, config));
    expect_ok(fmatch_sampler_integrate(sampler, ROWS, points, condition, x_end));
    assert_int_equal(fmatch_sampler_count_evaluations(sampler), evaluations);
    fmatch_sampler_destroy(&sampler);
}

/* Euler's steps with v_0 + s (v_c - v_0) where t is in [begin, end]. */
static void integrate_by_hand(const fmatch_model *model, double s, double begin, double end,
                              float *x)
{
    float at[ROWS], v[ROWS * DIM], null[ROWS * DIM];
    memcpy(x, points, sizeof points);
    for (int step = 0; step < 4; step++) {
        const double t = 0.25 * step;
        for (int i = 0; i < ROWS; i++)
            at[i] = (float)t;
        expect_ok(fmatch_model_evaluate(model, ROWS, x, at, conditions, v));
        expect_ok(fmatch_model_evaluate(model, ROWS, x, at, NULL, null));
        for (int i = 0; i < ROWS * DIM; i++)
            x[i] +=
                (float)(0.25 * (t >= begin && t <= end ? null[i] + s * (v[i] - null[i]) : v[i]));
    }
}

static void expect_near(const float *seen, const float *wanted, const char *what)
{
    for (int i = 0; i < ROWS * DIM; i++)
        expect_close(seen[i], wanted[i], 2e-6, "%s, value %d", what, i);
}

static void guidance_combines_two_velocities(void **state)
{
    fmatch_model *model = make_conditional(context_of(state));
    float seen[ROWS * DIM], wanted[ROWS * DIM], same[ROWS * DIM];
    fmatch_sampler_config config = guided(FMATCH_GUIDANCE_SCALE, 2.5);
    integrate(model, &config, conditions, seen, 8);
    integrate_by_hand(model, 2.5, 0, 1, wanted);
    expect_near(seen, wanted, "scale 2.5");

    config = guided(FMATCH_GUIDANCE_WEIGHT, 1.5);
    integrate(model, &config, conditions, same, 8);
    expect_same_bits(seen, same, ROWS * DIM, "weight 1.5 and scale 2.5");

    config = guided(FMATCH_GUIDANCE_SCALE, 2.5);
    config.guidance_t_start = 0.25;
    config.guidance_t_end = 0.5;
    integrate(model, &config, conditions, seen, 6);
    integrate_by_hand(model, 2.5, 0.25, 0.5, wanted);
    expect_near(seen, wanted, "interval");

    config = guided(FMATCH_GUIDANCE_SCALE, 0);
    integrate(model, &config, conditions, seen, 8);
    config = guided(FMATCH_GUIDANCE_NONE, 0);
    integrate(model, &config, NULL, wanted, 4);
    expect_near(seen, wanted, "scale 0 is the null condition");
    integrate(model, &config, conditions, seen, 4);
    config = guided(FMATCH_GUIDANCE_WEIGHT, 0);
    integrate(model, &config, conditions, wanted, 4);
    expect_same_bits(seen, wanted, ROWS * DIM, "weight 0 is none");
    fmatch_model_destroy(&model);
}

/* Without a condition there are no two velocities to take. */
static void evaluations_that_were_not_guided_count_once(void **state)
{
    fmatch_model *model = make_conditional(context_of(state));
    const fmatch_sampler_config config = guided(FMATCH_GUIDANCE_SCALE, 2.5);
    fmatch_sampler *sampler;
    fmatch_sampler_info info = {.struct_size = sizeof info};
    float x[ROWS * DIM];
    expect_ok(fmatch_sampler_create(&sampler, model, &config));
    expect_ok(fmatch_sampler_integrate(sampler, ROWS, points, NULL, x));
    expect_ok(fmatch_sampler_get_info(sampler, &info));
    assert_int_equal(info.evaluations, 4 * ROWS);
    expect_ok(fmatch_sampler_integrate(sampler, ROWS, points, conditions, x));
    expect_ok(fmatch_sampler_get_info(sampler, &info));
    assert_int_equal(info.evaluations, 8 * ROWS);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

static void expect_sampler_refused(const fmatch_model *model, fmatch_sampler_config config,
                                   fmatch_status wanted, const char *word)
{
    fmatch_sampler *sampler;
    expect_status(fmatch_sampler_create(&sampler, model, &config), wanted);
    expect_detail(word);
}

static void impossible_guidance_is_refused(void **state)
{
    fmatch_mlp_config settings = conditional_config();
    settings.null_condition = FMATCH_NULL_CONDITION_REFUSED;
    fmatch_model *without_null = make_model(context_of(state), settings);
    fmatch_model *plain = make_mlp(context_of(state), DIM, 1, 4, FMATCH_ACTIVATION_TANH, 1),
                 *model = make_conditional(context_of(state));
    const fmatch_sampler_config scale = guided(FMATCH_GUIDANCE_SCALE, 2);
    expect_sampler_refused(without_null, scale, FMATCH_ERROR_UNSUPPORTED, "null condition");
    expect_sampler_refused(plain, scale, FMATCH_ERROR_UNSUPPORTED, "null condition");
    expect_sampler_refused(model, guided(3, 1), FMATCH_ERROR_ARGUMENT, "guidance");
    expect_sampler_refused(model, guided(FMATCH_GUIDANCE_NONE, 1), FMATCH_ERROR_ARGUMENT,
                           "guidance_strength");
    expect_sampler_refused(model, guided(FMATCH_GUIDANCE_SCALE, NAN), FMATCH_ERROR_ARGUMENT,
                           "guidance_strength");
    fmatch_sampler_config config = scale;
    config.guidance_t_start = 0.6;
    config.guidance_t_end = 0.5;
    expect_sampler_refused(model, config, FMATCH_ERROR_ARGUMENT, "guidance_t_end");
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&plain);
    fmatch_model_destroy(&without_null);
}

/* ---- a user's field ---- */

/* v = condition, or 5 for the null condition, of all rows or of one. */
static int32_t condition_as_velocity(void *user, int64_t n, const float *x, const float *t,
                                     const float *condition, float *v)
{
    (void)user;
    (void)x;
    (void)t;
    for (int64_t i = 0; i < n; i++)
        v[i] = condition && !isnan(condition[i]) ? condition[i] : 5;
    return 0;
}

static void users_fields_get_their_conditions(void **state)
{
    const fmatch_velocity_callbacks callbacks = {.struct_size = sizeof callbacks,
                                                 .evaluate = condition_as_velocity,
                                                 .condition_dim = 1,
                                                 .null_condition = FMATCH_NULL_CONDITION_ACCEPTED};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &callbacks, NULL));
    enum { MANY = 600 };
    float *x = floats(MANY), *condition = floats(MANY), *end = floats(MANY);
    fill_scattered(x, MANY, -1, 1, 1);
    fill_scattered(condition, MANY, -1, 1, 2);
    condition[7] = NAN;
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 2, 0, 1);
    expect_ok(fmatch_sampler_integrate(sampler, MANY, x, condition, end));
    for (int i = 0; i < MANY; i++)
        expect_close(end[i], x[i] + (i == 7 ? 5 : condition[i]), 1e-6, "row %d", i);
    expect_ok(fmatch_sampler_integrate(sampler, MANY, x, NULL, end));
    for (int i = 0; i < MANY; i++)
        expect_close(end[i], x[i] + 5, 1e-6, "null, row %d", i);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    free(end);
    free(condition);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(network_sees_labels_columns_and_null, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(rows_with_conditions_are_independent_of_the_batch,
                                        world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(bad_conditions_are_named, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(contradicting_settings_are_refused, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(copies_keep_the_condition, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(guidance_combines_two_velocities, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(evaluations_that_were_not_guided_count_once, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(impossible_guidance_is_refused, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(users_fields_get_their_conditions, world_setup,
                                        world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
