/* Models: the network against double precision, its parameters, standardisation, copies. */
#include "fixtures.h"

#include <unistd.h>

/* ---- the network's values ---- */

struct shape {
    int32_t dim, layers;
    int32_t widths[5];
};

static const struct shape shapes[] = {
    {1, 2, {64, 64}},           {1, 0, {0}},       {1, 1, {1}},       {2, 1, {7}},  {2, 2, {17, 3}},
    {7, 5, {5, 1, 9, 33, 2}},   {7, 2, {100, 31}}, {64, 2, {64, 50}}, {64, 0, {0}}, {64, 1, {100}},
    {3, 5, {4, 8, 16, 32, 64}},
};

static fmatch_model *make_shaped(fmatch_context *context, const struct shape *shape,
                                 int32_t activation, uint64_t seed, const float *mean,
                                 const float *std)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = shape->dim;
    config.hidden_layers = shape->layers;
    config.hidden_widths = shape->widths;
    config.activation = activation;
    config.seed = seed;
    config.data_mean = mean;
    config.data_std = std;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

/* Sums of up to 100 float products behind each other: 2e-6 of the largest output leaves room for
 * five layers' rounding, and is far below an approximation error that anyone would call wrong. */
static void expect_matches_reference(const fmatch_model *model, const struct reference_net *net,
                                     int64_t n, const char *what)
{
    float *x = floats(n * net->dim), *t = floats(n), *v = floats(n * net->dim);
    double *wanted = calloc((size_t)(n * net->dim + 1), sizeof *wanted), scale = 1e-3;
    fill_scattered(x, n * net->dim, -3, 3, 5);
    fill_scattered(t, n, 0, 1, 6);
    for (int64_t i = 0; i < n; i++)
        reference_net_velocity(net, t[i], x + i * net->dim, wanted + i * net->dim);
    for (int64_t i = 0; i < n * net->dim; i++)
        scale = fmax(scale, fabs(wanted[i]));
    expect_ok(fmatch_model_evaluate(model, n, x, t, NULL, v));
    for (int64_t i = 0; i < n * net->dim; i++)
        expect_close(v[i], wanted[i], 2e-6 * scale, "%s, n %lld, row %lld, column %lld", what,
                     (long long)n, (long long)(i / net->dim), (long long)(i % net->dim));
    free(wanted);
    free(v);
    free(t);
    free(x);
}

static void every_activation_and_shape_matches_double_precision(void **state)
{
    for (int32_t activation = 0; activation < ACTIVATIONS; activation++)
        for (size_t s = 0; s < COUNT(shapes); s++) {
            fmatch_model *model =
                make_shaped(context_of(state), &shapes[s], activation, s + 1, NULL, NULL);
            struct reference_net net = reference_net_of(model, activation, NULL, NULL);
            char what[64];
            snprintf(what, sizeof what, "%s, shape %zu", activation_name(activation), s);
            expect_matches_reference(model, &net, 40, what);
            free(net.parameters);
            fmatch_model_destroy(&model);
        }
}

static void every_batch_size_matches_double_precision(void **state)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 255, 256, 257, 1000};
    for (size_t s = 0; s < 5; s++) {
        fmatch_model *model =
            make_shaped(context_of(state), &shapes[s], FMATCH_ACTIVATION_GELU, 3, NULL, NULL);
        struct reference_net net = reference_net_of(model, FMATCH_ACTIVATION_GELU, NULL, NULL);
        for (size_t i = 0; i < COUNT(sizes); i++)
            expect_matches_reference(model, &net, sizes[i], "gelu");
        free(net.parameters);
        fmatch_model_destroy(&model);
    }
}

/* Large arguments of the activations: weights blown up until exp overflows inside, which must not
 * reach the output as a nan. */
static void saturated_activations_stay_exact(void **state)
{
    for (int32_t activation = 0; activation < ACTIVATIONS; activation++) {
        fmatch_model *model = make_mlp(context_of(state), 1, 1, 33, activation, 4);
        int64_t n;
        float *p = read_parameters(model, &n);
        for (int64_t i = 0; i < 2 * 33 + 33; i++)
            p[i] *= 300;
        write_parameters(model, p);
        struct reference_net net = reference_net_of(model, activation, NULL, NULL);
        expect_matches_reference(model, &net, 100, activation_name(activation));
        free(net.parameters);
        free(p);
        fmatch_model_destroy(&model);
    }
}

static void evaluation_in_place_is_the_same(void **state)
{
    enum { N = 300 };
    fmatch_model *model = make_mlp(context_of(state), 3, 2, 20, FMATCH_ACTIVATION_SILU, 4);
    float x[3 * N], t[N], v[3 * N];
    fill_scattered(x, 3 * N, -2, 2, 1);
    fill_scattered(t, N, 0, 1, 2);
    expect_ok(fmatch_model_evaluate(model, N, x, t, NULL, v));
    expect_ok(fmatch_model_evaluate(model, N, x, t, NULL, x));
    expect_same_bits(x, v, 3 * N, "x is v");
    fmatch_model_destroy(&model);
}

static void input_that_is_not_finite_is_refused_with_its_row(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), 2, 1, 8, FMATCH_ACTIVATION_RELU, 4);
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float x[2 * 30] = {0}, t[30] = {0}, v[2 * 30];
    for (size_t i = 0; i < COUNT(bad); i++) {
        x[2 * 23 + 1] = bad[i];
        expect_status(fmatch_model_evaluate(model, 30, x, t, NULL, v), FMATCH_ERROR_NOT_FINITE);
        expect_detail("23", i == 0 ? "nan" : "inf");
        x[2 * 23 + 1] = 0;
        t[29] = bad[i];
        expect_status(fmatch_model_evaluate(model, 30, x, t, NULL, v), FMATCH_ERROR_NOT_FINITE);
        expect_detail("29", "t");
        t[29] = 0;
    }
    expect_ok(fmatch_model_evaluate(model, 30, x, t, NULL, v));
    fmatch_model_destroy(&model);
}

static void overflow_is_reported_with_its_row(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), 1, 1, 2, FMATCH_ACTIVATION_RELU, 4);
    const float large[] = {0, 1e30f, 0, 1e30f}, zero[] = {0, 0}, sum[] = {1e30f, 1e30f};
    expect_ok(fmatch_model_set_tensor(model, "net.0.weight", 4, large));
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 2, zero));
    expect_ok(fmatch_model_set_tensor(model, "net.2.weight", 2, sum));
    float x[] = {0, 0, 0, 1, 0}, t[5] = {0}, v[5];
    expect_status(fmatch_model_evaluate(model, 5, x, t, NULL, v), FMATCH_ERROR_NOT_FINITE);
    expect_detail("3");
    fmatch_model_destroy(&model);
}

/* ---- parameters ---- */

static void tensors_have_pytorchs_names_and_shapes(void **state)
{
    const struct shape shape = {3, 2, {17, 5}};
    static const struct {
        const char *name;
        int32_t rank;
        int64_t rows, columns;
    } wanted[] = {{"net.0.weight", 2, 17, 4}, {"net.0.bias", 1, 17, 1},  {"net.2.weight", 2, 5, 17},
                  {"net.2.bias", 1, 5, 1},    {"net.4.weight", 2, 3, 5}, {"net.4.bias", 1, 3, 1}};
    fmatch_model *model =
        make_shaped(context_of(state), &shape, FMATCH_ACTIVATION_GELU, 1, NULL, NULL);
    assert_int_equal(fmatch_model_get_dim(model), 3);
    assert_int_equal(fmatch_model_count_tensors(model), COUNT(wanted));
    assert_int_equal(fmatch_model_count_parameters(model), 17 * 4 + 17 + 5 * 17 + 5 + 3 * 5 + 3);
    for (int32_t i = 0; i < (int32_t)COUNT(wanted); i++) {
        fmatch_tensor_info info = tensor_info(model, i);
        assert_string_equal(info.name, wanted[i].name);
        assert_int_equal(info.rank, wanted[i].rank);
        assert_int_equal(info.shape[0], wanted[i].rows);
        assert_int_equal(info.shape[1], wanted[i].columns);
    }
    fmatch_tensor_info info = {.struct_size = sizeof info};
    expect_status(fmatch_model_get_tensor_info(model, 6, &info), FMATCH_ERROR_ARGUMENT);
    expect_detail("index", "6", "5");
    expect_status(fmatch_model_get_tensor_info(model, -1, &info), FMATCH_ERROR_ARGUMENT);
    fmatch_model_destroy(&model);
}

/* A network without hidden layers shows which column of the weights meets which input. */
static void input_order_is_time_then_data(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), 2, 0, 1, FMATCH_ACTIVATION_GELU, 1);
    const float weight[] = {100, 10, 1, -100, 2, 3}, bias[] = {0.5f, 0.25f};
    expect_ok(fmatch_model_set_tensor(model, "net.0.weight", 6, weight));
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 2, bias));
    const float x[] = {3, 7}, t[] = {0.5f};
    float v[2];
    expect_ok(fmatch_model_evaluate(model, 1, x, t, NULL, v));
    expect_close(v[0], 50 + 30 + 7 + 0.5, 1e-5, "first column");
    expect_close(v[1], -50 + 6 + 21 + 0.25, 1e-5, "second column");
    fmatch_model_destroy(&model);
}

static void set_tensor_replaces_exactly_one_array(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), 2, 2, 9, FMATCH_ACTIVATION_GELU, 1);
    int64_t n, offset = 0;
    float *before = read_parameters(model, &n);
    for (int32_t i = 0; i < fmatch_model_count_tensors(model); i++) {
        fmatch_tensor_info info = tensor_info(model, i);
        int64_t count = info.shape[0] * info.shape[1];
        fill_scattered(before + offset, count, -1, 1, (uint64_t)i);
        expect_ok(fmatch_model_set_tensor(model, info.name, count, before + offset));
        float *now = read_parameters(model, &n);
        expect_same_bits(now, before, n, "after setting %s", info.name);
        free(now);
        offset += count;
    }
    free(before);
    fmatch_model_destroy(&model);
}

static void refused_tensors_leave_the_model_as_it_was(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), 2, 1, 4, FMATCH_ACTIVATION_GELU, 1);
    int64_t n;
    float *before = read_parameters(model, &n), values[12] = {0};
    expect_status(fmatch_model_set_tensor(model, "net.1.weight", 12, values),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("net.1.weight");
    expect_status(fmatch_model_get_tensor(model, "net.0.weigh", 12, values), FMATCH_ERROR_ARGUMENT);
    expect_detail("net.0.weigh");
    expect_status(fmatch_model_set_tensor(model, "net.0.weight", 11, values), FMATCH_ERROR_SHAPE);
    expect_detail("11", "12");
    expect_status(fmatch_model_get_tensor(model, "net.0.weight", 13, values), FMATCH_ERROR_SHAPE);
    values[5] = INFINITY;
    expect_status(fmatch_model_set_tensor(model, "net.0.weight", 12, values),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("inf");
    float *now = read_parameters(model, &n);
    expect_same_bits(now, before, n, "after refusals");
    free(now);
    free(before);
    fmatch_model_destroy(&model);
}

/* U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weights and biases: bounds, mean, and variance b^2 / 3
 * whose estimate over n values has standard error b^2 sqrt(4 / 45 / n); alpha FALSE_ALARM each. */
static void initial_values_are_pytorchs_uniform(void **state)
{
    const struct shape shape = {31, 2, {100, 200}};
    fmatch_model *model =
        make_shaped(context_of(state), &shape, FMATCH_ACTIVATION_GELU, 626, NULL, NULL);
    for (int32_t i = 0; i < fmatch_model_count_tensors(model); i++) {
        fmatch_tensor_info weight = tensor_info(model, i / 2 * 2), info = tensor_info(model, i);
        int64_t n = info.shape[0] * info.shape[1];
        double bound = 1 / sqrt((double)weight.shape[1]), m = 0, v = 0, largest = 0;
        float *p = floats(n);
        expect_ok(fmatch_model_get_tensor(model, info.name, n, p));
        for (int64_t k = 0; k < n; k++) {
            m += p[k] / (double)n;
            v += (double)p[k] * p[k] / (double)n;
            largest = fmax(largest, fabs(p[k]));
        }
        expect_that(largest <= bound * (1 + 1e-6), "%s: %g is beyond %g", info.name, largest,
                    bound);
        expect_that(largest >= bound * (1 - log(1 / FALSE_ALARM) / (double)n),
                    "%s: %g is the largest, bound %g", info.name, largest, bound);
        expect_close(m, 0, Z * bound / sqrt(3.0 * (double)n), "mean of %s", info.name);
        expect_close(v, bound * bound / 3, Z * bound * bound * sqrt(4.0 / 45.0 / (double)n),
                     "variance of %s", info.name);
        free(p);
    }
    fmatch_model_destroy(&model);
}

static void initial_values_follow_the_seed(void **state)
{
    fmatch_model *a = make_mlp(context_of(state), 2, 2, 30, FMATCH_ACTIVATION_GELU, 5);
    fmatch_model *b = make_mlp(context_of(state), 2, 2, 30, FMATCH_ACTIVATION_GELU, 5);
    fmatch_model *c = make_mlp(context_of(state), 2, 2, 30, FMATCH_ACTIVATION_GELU, 6);
    expect_same_parameters(a, b, "seed 5 twice");
    int64_t n;
    float *p = read_parameters(a, &n), *q = read_parameters(c, &n);
    int64_t equal = 0;
    for (int64_t i = 0; i < n; i++)
        equal += p[i] == q[i];
    expect_that(equal <= 2, "seeds 5 and 6 share %lld of %lld values", (long long)equal,
                (long long)n);
    free(q);
    free(p);
    fmatch_model_destroy(&a);
    fmatch_model_destroy(&b);
    fmatch_model_destroy(&c);
}

static void presets_are_the_documented_values(void **state)
{
    (void)state;
    for (int32_t preset = FMATCH_PRESET_RECOMMENDED; preset <= FMATCH_PRESET_PLAIN; preset++) {
        fmatch_mlp_config config;
        memset(&config, 0xFF, sizeof config);
        fmatch_mlp_config_init_preset(&config, preset);
        assert_int_equal(config.struct_size, sizeof config);
        assert_int_equal(config.hidden_layers, 2);
        assert_int_equal(config.hidden_width, 64);
        assert_int_equal(config.activation, FMATCH_ACTIVATION_GELU);
        assert_null(config.hidden_widths);
        assert_null(config.data_mean);
        assert_null(config.data_std);
        assert_null(config.noise);
        assert_true(config.prediction == FMATCH_PREDICTION_VELOCITY && config.seed == 0);
    }
}

/* ---- standardisation ---- */

/* A preset that does not exist must not pass for one that does. */
static void unknown_presets_make_no_model(void **state)
{
    static const int32_t unknown[] = {-1, FMATCH_PRESET_PLAIN + 1, 77, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        fmatch_mlp_config config;
        fmatch_mlp_config_init_preset(&config, unknown[i]);
        expect_that(config.struct_size == 0, "preset %d: struct_size %u", (int)unknown[i],
                    (unsigned)config.struct_size);
        config.dim = 1;
        fmatch_model *model = (fmatch_model *)&config;
        expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                      FMATCH_ERROR_STRUCT_SIZE);
        assert_null(model);
        expect_detail("config.struct_size is 0", "preset");
    }
}

/* The default noise is N(mean, std^2), in floats. */
static void standardisation_that_leaves_the_floats_is_refused(void **state)
{
    static const struct {
        float mean[2], std[2];
        const char *words[2];
    } refused[] = {
        {{0, 0}, {1, 1e38f}, {"data_mean[1] is 0", "data_std[1] is 1e+38"}},
        {{3.4e38f, 0}, {1e36f, 1}, {"data_mean[0] is 3.4e+38", "data_std[0] is 1e+36"}},
    };
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 2;
    fmatch_model *model;
    for (size_t i = 0; i < COUNT(refused); i++) {
        config.data_mean = refused[i].mean;
        config.data_std = refused[i].std;
        model = (fmatch_model *)&config;
        expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                      FMATCH_ERROR_ARGUMENT);
        assert_null(model);
        expect_detail(refused[i].words[0], refused[i].words[1], "3.40282e+38");
    }
    const float wide[] = {4.8e37f, 4.8e37f};
    config.data_mean = NULL;
    config.data_std = wide;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    fmatch_model_destroy(&model);
}

static void standardised_network_matches_double_precision(void **state)
{
    const struct shape shape = {3, 2, {20, 11}};
    const float mean[] = {100, -2, 0}, std[] = {10, 0.125f, 1};
    fmatch_model *model =
        make_shaped(context_of(state), &shape, FMATCH_ACTIVATION_TANH, 8, mean, std);
    struct reference_net net = reference_net_of(model, FMATCH_ACTIVATION_TANH, mean, std);
    enum { N = 50 };
    float x[3 * N], t[N], v[3 * N];
    fill_scattered(t, N, 0, 1, 2);
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < N; i++)
            x[3 * i + j] = mean[j] + std[j] * (float)(i - 25) / 10.0f;
    expect_ok(fmatch_model_evaluate(model, N, x, t, NULL, v));
    for (int i = 0; i < N; i++) {
        double wanted[3];
        reference_net_velocity(&net, t[i], x + 3 * i, wanted);
        for (int j = 0; j < 3; j++)
            expect_close(v[3 * i + j], wanted[j], 5e-6 * std[j], "row %d, column %d", i, j);
    }
    free(net.parameters);
    fmatch_model_destroy(&model);
}

/* Training and sampling a x + b gives a times what x gives, plus b: powers of two make it exact but
 * for the rounding of b. */
static void standardisation_is_an_affine_change_of_units(void **state)
{
    enum { N = 64 };
    float x[2 * N], y[2 * N], drawn[2][2 * N];
    const float factor[] = {4, 0.5f}, offset[] = {32, -8};
    fill_scattered(x, 2 * N, -2, 2, 3);
    for (int i = 0; i < 2 * N; i++) {
        x[i] = roundf(x[i] * 1024) / 1024; /* so that a x + b is exact */
        y[i] = factor[i % 2] * x[i] + offset[i % 2];
    }
    for (int k = 0; k < 2; k++) {
        fmatch_array_config array;
        fmatch_array_config_init(&array);
        array.dim = 2;
        array.n = N;
        array.rows = k ? y : x;
        fmatch_source *source;
        expect_ok(fmatch_source_create_array(&source, context_of(state), &array));
        fmatch_mlp_config config;
        fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
        config.dim = 2;
        config.hidden_width = 16;
        config.data_mean = k ? offset : NULL;
        config.data_std = k ? factor : NULL;
        fmatch_model *model;
        expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
        fmatch_trainer *trainer =
            make_trainer(model, make_sgd(context_of(state), 0.05, 0.9), source, 32, 4);
        expect_ok(fmatch_trainer_run(trainer, 50, NULL));
        fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, 10, 0, 1);
        expect_ok(fmatch_sampler_draw(sampler, 1, 0, N, NULL, drawn[k]));
        fmatch_sampler_destroy(&sampler);
        fmatch_trainer_destroy(&trainer);
        fmatch_model_destroy(&model);
        fmatch_source_destroy(&source);
    }
    for (int i = 0; i < 2 * N; i++)
        expect_close(drawn[1][i], factor[i % 2] * drawn[0][i] + offset[i % 2], 1e-4 * factor[i % 2],
                     "row %d, column %d", i / 2, i % 2);
}

/* The default noise of a standardised model is N(mean, std^2) in the units of the data: with a
 * field of zero, samples are the noise. */
static void default_noise_has_the_datas_moments(void **state)
{
    enum { N = 20000 };
    const float mean[] = {100}, std[] = {10};
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.hidden_layers = 0;
    config.data_mean = mean;
    config.data_std = std;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    const float zeros[2] = {0};
    expect_ok(fmatch_model_set_tensor(model, "net.0.weight", 2, zeros));
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 1, zeros));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 3, 0, 1);
    float *x = floats(N);
    expect_ok(fmatch_sampler_draw(sampler, 1, 0, N, NULL, x));
    double m = 0, v = 0;
    for (int i = 0; i < N; i++)
        m += (x[i] - 100) / 10.0 / N;
    for (int i = 0; i < N; i++)
        v += pow((x[i] - 100) / 10.0 - m, 2) / N;
    expect_close(m, 0, Z / sqrt(N), "mean of the noise, standardised");
    expect_close(v, 1, Z * sqrt(2.0 / N), "variance of the noise, standardised");
    free(x);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* ---- copies, noise sources, user's fields ---- */

static void copy_is_independent(void **state)
{
    fmatch_source *target = make_normal(context_of(state), 2);
    fmatch_model *model = make_mlp(context_of(state), 2, 1, 10, FMATCH_ACTIVATION_ELU, 5), *copy;
    fmatch_trainer *trainer =
        make_trainer(model, make_adam(context_of(state), 1e-2), target, 16, 1);
    expect_ok(fmatch_trainer_run(trainer, 5, NULL));
    expect_ok(fmatch_model_create_copy(&copy, model));
    expect_same_parameters(copy, model, "fresh copy");
    int64_t n;
    float *before = read_parameters(copy, &n);
    expect_ok(fmatch_trainer_run(trainer, 5, NULL));
    float *now = read_parameters(copy, &n);
    expect_same_bits(now, before, n, "copy after training the original");
    free(now);
    float ten[10];
    fill_scattered(ten, 10, -1, 1, 1);
    float *original = read_parameters(model, &n);
    expect_ok(fmatch_model_set_tensor(copy, "net.0.bias", 10, ten));
    now = read_parameters(model, &n);
    expect_same_bits(now, original, n, "original after changing the copy");
    free(now);
    free(original);
    free(before);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    float x[2] = {1, 2}, t[1] = {0.5f};
    expect_ok(fmatch_model_evaluate(copy, 1, x, t, NULL, x));
    fmatch_model_destroy(&copy);
}

static void copy_keeps_standardisation_and_noise(void **state)
{
    const float mean[] = {5}, std[] = {3};
    fmatch_source *noise = make_post_target(context_of(state));
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.data_mean = mean;
    config.data_std = std;
    config.noise = noise;
    fmatch_model *model, *copy;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    expect_ok(fmatch_model_create_copy(&copy, model));
    fmatch_sampler *a = make_sampler(model, FMATCH_SOLVER_HEUN, 4, 0, 1);
    fmatch_sampler *b = make_sampler(copy, FMATCH_SOLVER_HEUN, 4, 0, 1);
    float x[20], y[20];
    expect_ok(fmatch_sampler_draw(a, 3, 0, 20, NULL, x));
    expect_ok(fmatch_sampler_draw(b, 3, 0, 20, NULL, y));
    expect_same_bits(y, x, 20, "samples of the copy");
    fmatch_sampler_destroy(&a);
    fmatch_sampler_destroy(&b);
    fmatch_model_destroy(&copy);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&noise);
}

struct field {
    int32_t code;
    int64_t calls, nan_row;
    int destroyed;
};

/* v = (x1 + t, -x0). */
static int32_t rotating_field(void *user, int64_t n, const float *x, const float *t,
                              const float *condition, float *v)
{
    struct field *field = user;
    field->calls++;
    if (condition)
        return -99;
    for (int64_t i = 0; i < n; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        v[2 * i] = b + t[i];
        v[2 * i + 1] = i == field->nan_row ? NAN : -a;
    }
    return field->code;
}

static void field_destroy(void *user)
{
    ((struct field *)user)->destroyed++;
}

static void callback_model_evaluates_the_users_field(void **state)
{
    struct field field = {.nan_row = -1};
    fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, rotating_field, field_destroy, &field, 0, 0, NULL};
    fmatch_model *model, *copy;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 2, &callbacks, NULL));
    assert_int_equal(fmatch_model_count_tensors(model), 0);
    assert_int_equal(fmatch_model_count_parameters(model), 0);
    assert_int_equal(fmatch_model_get_dim(model), 2);
    float x[] = {1, 2, 3, 4}, t[] = {0.25f, 0.5f}, v[4];
    expect_ok(fmatch_model_evaluate(model, 2, x, t, NULL, v));
    assert_true(v[0] == 2.25f && v[1] == -1 && v[2] == 4.5f && v[3] == -3);
    expect_ok(fmatch_model_evaluate(model, 2, x, t, NULL, x));
    expect_same_bits(x, v, 4, "in place");

    field.code = -7;
    expect_status(fmatch_model_evaluate(model, 2, x, t, NULL, v), FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -7);
    field.code = 0;
    field.nan_row = 1;
    expect_status(fmatch_model_evaluate(model, 2, x, t, NULL, v), FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 1", "nan");
    field.nan_row = -1;

    expect_ok(fmatch_model_create_copy(&copy, model));
    fmatch_model_destroy(&model);
    assert_int_equal(field.destroyed, 0);
    expect_ok(fmatch_model_evaluate(copy, 2, x, t, NULL, v));
    fmatch_model_destroy(&copy);
    assert_int_equal(field.destroyed, 1);
}

static void callback_model_that_cannot_be_made_destroys_its_user(void **state)
{
    struct field field = {.nan_row = -1};
    fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, rotating_field, field_destroy, &field, 0, 0, NULL};
    fmatch_source *noise = make_normal(context_of(state), 3);
    fmatch_model *model = (fmatch_model *)&field;
    expect_status(fmatch_model_create_callback(&model, context_of(state), 2, &callbacks, noise),
                  FMATCH_ERROR_SHAPE);
    assert_null(model);
    assert_int_equal(field.destroyed, 1);
    expect_detail("3", "2");
    callbacks.evaluate = NULL;
    expect_status(fmatch_model_create_callback(&model, context_of(state), 2, &callbacks, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("evaluate");
    assert_int_equal(field.destroyed, 2);
    callbacks.evaluate = rotating_field;
    expect_status(fmatch_model_create_callback(NULL, context_of(state), 2, &callbacks, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("model");
    assert_int_equal(field.destroyed, 3);
    fmatch_source_destroy(&noise);
}

/* With a field of zero, samples are the noise that the model was given. */
/* Of each kind of model, with a noise of its own or the caller's; it outlives the model. */
static void every_model_gives_its_noise(void **state)
{
    static const float weight[] = {1}, given_mean[] = {3, -4}, given_std[] = {2, 0.5f},
                       data_mean[] = {100, 0.25f}, data_std[] = {10, 3}, zero[] = {0, 0},
                       one[] = {1, 1};
    fmatch_source *given;
    expect_ok(fmatch_source_create_gaussian_mixture(&given, context_of(state), 2, 1, weight,
                                                    given_mean, given_std));
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = 2;
    config.data_mean = data_mean;
    config.data_std = data_std;
    const fmatch_velocity_callbacks still = {.struct_size = sizeof still,
                                             .evaluate = rotating_field};
    fmatch_model *model[8];
    expect_ok(fmatch_model_create_closed_form(&model[0], context_of(state), given));
    expect_ok(fmatch_model_create_callback(&model[1], context_of(state), 2, &still, NULL));
    expect_ok(fmatch_model_create_mlp(&model[2], context_of(state), &config));
    expect_ok(fmatch_model_create_rescheduled(&model[3], model[2], NULL));
    expect_ok(fmatch_model_create_copy(&model[4], model[2]));
    const char *folder = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof path, "%s/flowmatch_noise_%ld", folder ? folder : "/tmp", (long)getpid());
    config.noise = given;
    expect_ok(fmatch_model_create_mlp(&model[5], context_of(state), &config));
    expect_ok(fmatch_model_save(model[5], path));
    expect_ok(fmatch_model_load(&model[6], context_of(state), path));
    unlink(path);
    expect_ok(fmatch_model_create_callback(&model[7], context_of(state), 2, &still, given));
    for (int k = 0; k < 8; k++) {
        const float *mean = k < 2 ? zero : k < 5 ? data_mean : given_mean;
        const float *std = k < 2 ? one : k < 5 ? data_std : given_std;
        fmatch_source *noise;
        expect_ok(fmatch_model_get_noise(model[k], &noise));
        fmatch_model_destroy(&model[k]);
        float m[2], s[2];
        expect_ok(fmatch_source_evaluate_moments(noise, m, s));
        for (int j = 0; j < 2; j++)
            expect_that(m[j] == mean[j] && s[j] == std[j],
                        "model %d, column %d: N(%g, %g^2) instead of N(%g, %g^2)", k, j, m[j], s[j],
                        mean[j], std[j]);
        float seen[20], wanted[20];
        expect_ok(fmatch_source_draw(noise, 7, 3, 10, seen));
        expect_ok(fmatch_source_draw(given, 7, 3, 10, wanted));
        if (k >= 5)
            expect_same_bits(seen, wanted, 20, "model %d: rows of the caller's noise", k);
        fmatch_source_destroy(&noise);
    }
    fmatch_source_destroy(&given);
}

static void noise_source_is_where_samples_start(void **state)
{
    fmatch_source *noise = make_post_target(context_of(state));
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.hidden_layers = 0;
    config.noise = noise;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    const float zeros[2] = {0};
    expect_ok(fmatch_model_set_tensor(model, "net.0.weight", 2, zeros));
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 1, zeros));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 5, 0, 1);
    float *x = floats(20000), m = 0;
    expect_ok(fmatch_sampler_draw(sampler, 12, 0, 20000, NULL, x));
    for (int i = 0; i < 20000; i++)
        m += x[i] / 20000;
    expect_close(m, 0.2075, Z * sqrt(1.62731875 / 20000), "mean of the samples");
    free(x);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);

    config.dim = 2;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config), FMATCH_ERROR_SHAPE);
    assert_null(model);
    expect_detail("noise", "1", "2");
    fmatch_source_destroy(&noise);
}

/* ---- files that were not written by the library ---- */

#define NETWORK                                                                                    \
    "\"net.0.weight\":{\"dtype\":\"F32\",\"shape\":[3,3],\"data_offsets\":[0,36]},"                \
    "\"net.0.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[36,48]},"                   \
    "\"net.2.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[48,72]},"               \
    "\"net.2.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[72,80]}"
enum { NETWORK_SIZE = 80 };

static char *settings(char text[512], const char *version, const char *noise)
{
    snprintf(text, 512,
             "{\"__metadata__\":{\"flowmatch.version\":\"%s\",\"flowmatch.kind\":\"mlp\","
             "\"flowmatch.dim\":\"2\",\"flowmatch.hidden_widths\":\"3\",\"flowmatch.activation\":"
             "\"gelu\",\"flowmatch.path\":\"linear\",\"flowmatch.prediction\":\"velocity\","
             "\"flowmatch.noise\":\"%s\"},",
             version, noise);
    return text;
}

/* A file of a header and of zeros, in a place of its own. */
static void write_zeros(char path[256], const char *head, const char *arrays, size_t size)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, 256, "%s/flowmatch_model_XXXXXX", folder ? folder : "/tmp");
    FILE *file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    const size_t length = strlen(head) + strlen(arrays) + 1;
    for (int i = 0; i < 8; i++)
        putc((int)(length >> 8 * i & 255), file);
    fprintf(file, "%s%s}", head, arrays);
    for (size_t i = 0; i < size; i++)
        putc(0, file);
    assert_int_equal(fclose(file), 0);
}

/* Loads and removes it; the file is named once in the detail, whatever was found. */
static void expect_refused_file(fmatch_context *context, const char *head, const char *arrays,
                                size_t size, const char *expected)
{
    char path[256];
    write_zeros(path, head, arrays, size);
    fmatch_model *model = (fmatch_model *)path;
    fmatch_status status = fmatch_model_load(&model, context, path);
    unlink(path);
    expect_that(status == FMATCH_ERROR_FORMAT, "%s gives %s", head, fmatch_status_get_name(status));
    assert_null(model);
    expect_detail(path, expected);
    expect_that(!strstr(strstr(fmatch_error_detail(), path) + 1, path), "\"%s\"",
                fmatch_error_detail());
}

static void refused_files_say_once_which_and_why(void **state)
{
    char head[512];
    expect_refused_file(context_of(state), settings(head, "0", "default"), NETWORK, NETWORK_SIZE,
                        "flowmatch.version is 0; it must be at least 1");
    expect_refused_file(
        context_of(state), settings(head, "1", "default"),
        "\"net.0.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}", 24,
        "net.0.weight is [3, 2]; [3, 3] is expected");
    expect_refused_file(context_of(state), settings(head, "1", "default"),
                        "\"net.0.weight\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}",
                        4, "net.0.weight is []; [3, 3] is expected");
    expect_refused_file(context_of(state), settings(head, "1", "gaussian_mixture"),
                        NETWORK ",\"flowmatch.noise.weights\":{\"dtype\":\"F32\",\"shape\":[1],"
                                "\"data_offsets\":[80,84]},"
                                "\"flowmatch.noise.means\":{\"dtype\":\"F32\",\"shape\":[1,2],"
                                "\"data_offsets\":[84,92]},"
                                "\"flowmatch.noise.stds\":{\"dtype\":\"F32\",\"shape\":[1,2],"
                                "\"data_offsets\":[92,100]}",
                        NETWORK_SIZE + 20, "noise: weights sum to 0");
}

/* The weights alone say how many components there are; the rest must be in the file before memory
 * for it is asked for. */
static void mixture_that_is_not_in_the_file_gets_no_memory(void **state)
{
    struct world *world = *state;
    char head[512], path[256];
    write_zeros(path, settings(head, "1", "gaussian_mixture"),
                NETWORK ",\"flowmatch.noise.weights\":{\"dtype\":\"F32\",\"shape\":[65536],"
                        "\"data_offsets\":[80,262224]}",
                NETWORK_SIZE + 4 * 65536);
    fmatch_model *model;
    world->ledger.fail_at = world->ledger.calls + 6; /* what opening and the layout take */
    expect_status(fmatch_model_load(&model, context_of(state), path), FMATCH_ERROR_FORMAT);
    expect_detail(path, "flowmatch.noise.means");
    world->ledger.fail_at = 0;
    unlink(path);
}

static void names_that_the_model_lacks_are_refused(void **state)
{
    static const char *const names[] = {"net.2.bias", "net.0.wieght"}, *const files[] = {"b", "w"};
    const fmatch_tensor_map map = {
        .struct_size = sizeof map, .renamed = 2, .model_names = names, .file_names = files};
    fmatch_model *model = make_mlp(context_of(state), 2, 1, 3, FMATCH_ACTIVATION_GELU, 1);
    char path[256];
    write_zeros(path, "{", NETWORK, NETWORK_SIZE);
    expect_ok(fmatch_model_load_tensors(model, path, NULL));
    expect_status(fmatch_model_load_tensors(model, path, &map), FMATCH_ERROR_ARGUMENT);
    expect_detail("map->model_names[1]", "net.0.wieght");
    unlink(path);
    fmatch_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(every_activation_and_shape_matches_double_precision),
        world_test(every_batch_size_matches_double_precision),
        world_test(saturated_activations_stay_exact),
        world_test(evaluation_in_place_is_the_same),
        world_test(input_that_is_not_finite_is_refused_with_its_row),
        world_test(overflow_is_reported_with_its_row),
        world_test(tensors_have_pytorchs_names_and_shapes),
        world_test(input_order_is_time_then_data),
        world_test(set_tensor_replaces_exactly_one_array),
        world_test(refused_tensors_leave_the_model_as_it_was),
        world_test(initial_values_are_pytorchs_uniform),
        world_test(initial_values_follow_the_seed),
        cmocka_unit_test(presets_are_the_documented_values),
        world_test(unknown_presets_make_no_model),
        world_test(standardisation_that_leaves_the_floats_is_refused),
        world_test(standardised_network_matches_double_precision),
        world_test(standardisation_is_an_affine_change_of_units),
        world_test(default_noise_has_the_datas_moments),
        world_test(copy_is_independent),
        world_test(copy_keeps_standardisation_and_noise),
        world_test(callback_model_evaluates_the_users_field),
        world_test(callback_model_that_cannot_be_made_destroys_its_user),
        world_test(every_model_gives_its_noise),
        world_test(noise_source_is_where_samples_start),
        world_test(refused_files_say_once_which_and_why),
        world_test(mixture_that_is_not_in_the_file_gets_no_memory),
        world_test(names_that_the_model_lacks_are_refused),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
