/* Misuse: every refusal has its status, a detail that names argument, value and range, and does no
 * damage. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "npy_bytes.h"

/* One handle of each kind, all valid. */
struct things {
    fmatch_context *context;
    fmatch_source *mixture, *array;
    fmatch_model *mlp, *exact;
    fmatch_optimizer *optimizer; /* bound to the trainer */
    fmatch_trainer *trainer;
    fmatch_sampler *sampler;
    float expected[3]; /* of the sampler, while nobody trains */
};

static struct things make_things(fmatch_context *context)
{
    static const float rows[] = {1, 2, 3, 4};
    struct things things = {.context = context,
                            .mixture = make_post_target(context),
                            .mlp = make_mlp(context, 1, 1, 4, FMATCH_ACTIVATION_SILU, 1),
                            .optimizer = make_adam(context, 1e-3)};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = 4;
    config.rows = rows;
    expect_ok(fmatch_source_create_array(&things.array, context, &config));
    things.exact = make_closed_form(context, things.mixture);
    expect_ok(
        fmatch_trainer_create(&things.trainer, things.mlp, things.optimizer, things.mixture, NULL));
    things.sampler = make_sampler(things.mlp, FMATCH_SOLVER_HEUN, 2, 0, 1);
    expect_ok(fmatch_sampler_draw(things.sampler, 1, 0, 3, NULL, things.expected));
    return things;
}

/* Every handle still does what it did. */
static void expect_unharmed(struct things *things, const char *after)
{
    float x[3], t[3] = {0};
    double loss;
    expect_ok(fmatch_source_draw(things->mixture, 1, 0, 3, x));
    expect_ok(fmatch_source_draw(things->array, 1, 0, 3, x));
    expect_ok(fmatch_model_evaluate(things->exact, 3, x, t, NULL, x));
    expect_ok(fmatch_trainer_evaluate(things->trainer, 1, 3, &loss));
    assert_int_equal(fmatch_trainer_count_steps(things->trainer), 0);
    expect_ok(fmatch_sampler_draw(things->sampler, 1, 0, 3, NULL, x));
    expect_same_bits(x, things->expected, 3, "samples after %s", after);
    assert_string_equal(fmatch_error_detail(), "");
}

static void destroy_things(struct things *things)
{
    fmatch_sampler_destroy(&things->sampler);
    fmatch_trainer_destroy(&things->trainer);
    fmatch_optimizer_destroy(&things->optimizer);
    fmatch_model_destroy(&things->exact);
    fmatch_model_destroy(&things->mlp);
    fmatch_source_destroy(&things->array);
    fmatch_source_destroy(&things->mixture);
}

#define expect_refused(things, call, status, ...)                                                  \
    do {                                                                                           \
        expect_status(call, status);                                                               \
        expect_detail(__VA_ARGS__);                                                                \
        expect_unharmed((things), #call);                                                          \
    } while (0)

static int32_t draw_zeros(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    (void)user, (void)random, (void)first_row;
    memset(x, 0, (size_t)n * sizeof *x);
    return 0;
}

static int32_t zero_field(void *user, int64_t n, const float *x, const float *t,
                          const float *condition, float *v)
{
    (void)user, (void)x, (void)t, (void)condition;
    memset(v, 0, (size_t)n * sizeof *v);
    return 0;
}

/* ---- NULL for each required pointer ---- */

#define refuses_null(call, name) expect_refused(&w, call, FMATCH_ERROR_ARGUMENT, name)

/* A create function with NULL in place of a parent or a configuration: the out-pointer is nulled.
 */
#define create_refuses_null(type, function, name, ...)                                             \
    do {                                                                                           \
        type *made = (type *)&w;                                                                   \
        expect_refused(&w, function(&made, __VA_ARGS__), FMATCH_ERROR_ARGUMENT, name);             \
        assert_null(made);                                                                         \
    } while (0)

static void sources_refuse_null(void **state)
{
    struct things w = make_things(context_of(state));
    const float one[] = {1};
    float x[4];
    fmatch_array_config array;
    fmatch_array_config_init(&array);
    array.dim = 1;
    array.n = 1;
    fmatch_source_callbacks callbacks = {.struct_size = sizeof callbacks};
    double log_density;

    refuses_null(fmatch_source_create_normal(NULL, w.context, 1), "source");
    create_refuses_null(fmatch_source, fmatch_source_create_normal, "context", NULL, 1);
    refuses_null(fmatch_source_create_gaussian_mixture(NULL, w.context, 1, 1, one, one, one),
                 "source");
    create_refuses_null(fmatch_source, fmatch_source_create_gaussian_mixture, "context", NULL, 1, 1,
                        one, one, one);
    create_refuses_null(fmatch_source, fmatch_source_create_gaussian_mixture, "weights", w.context,
                        1, 1, NULL, one, one);
    create_refuses_null(fmatch_source, fmatch_source_create_gaussian_mixture, "means", w.context, 1,
                        1, one, NULL, one);
    create_refuses_null(fmatch_source, fmatch_source_create_gaussian_mixture, "stds", w.context, 1,
                        1, one, one, NULL);
    create_refuses_null(fmatch_source, fmatch_source_create_array, "rows", w.context, &array);
    array.rows = one;
    refuses_null(fmatch_source_create_array(NULL, w.context, &array), "source");
    create_refuses_null(fmatch_source, fmatch_source_create_array, "context", NULL, &array);
    create_refuses_null(fmatch_source, fmatch_source_create_array, "config", w.context, NULL);
    refuses_null(fmatch_source_create_csv(NULL, w.context, "x.csv", NULL), "source");
    create_refuses_null(fmatch_source, fmatch_source_create_csv, "context", NULL, "x.csv", NULL);
    create_refuses_null(fmatch_source, fmatch_source_create_csv, "path", w.context, NULL, NULL);
    refuses_null(fmatch_source_create_npy(NULL, w.context, "x.npy", NULL), "source");
    create_refuses_null(fmatch_source, fmatch_source_create_npy, "context", NULL, "x.npy", NULL);
    create_refuses_null(fmatch_source, fmatch_source_create_npy, "path", w.context, NULL, NULL);
    refuses_null(fmatch_source_create_toy(NULL, w.context, NULL), "source");
    create_refuses_null(fmatch_source, fmatch_source_create_toy, "context", NULL, NULL);
    create_refuses_null(fmatch_source, fmatch_source_create_callback, "draw", w.context, 1,
                        &callbacks);
    callbacks.draw = draw_zeros;
    create_refuses_null(fmatch_source, fmatch_source_create_callback, "callbacks", w.context, 1,
                        NULL);
    create_refuses_null(fmatch_source, fmatch_source_create_callback, "context", NULL, 1,
                        &callbacks);
    refuses_null(fmatch_source_create_callback(NULL, w.context, 1, &callbacks), "source");
    refuses_null(fmatch_source_get_rows(NULL, 0, 1, x), "source");
    refuses_null(fmatch_source_get_rows(w.array, 0, 1, NULL), "x");
    refuses_null(fmatch_source_draw(NULL, 1, 0, 1, x), "source");
    refuses_null(fmatch_source_draw(w.mixture, 1, 0, 1, NULL), "x");
    refuses_null(fmatch_source_draw_rows(NULL, 1, 0, 1, x, x, x), "source");
    refuses_null(fmatch_source_draw_rows(w.mixture, 1, 0, 1, NULL, x, x), "x");
    refuses_null(fmatch_source_get_conditions(NULL, 0, 1, x), "source");
    refuses_null(fmatch_source_get_conditions(w.array, 0, 1, NULL), "condition");
    refuses_null(fmatch_source_get_weights(NULL, 0, 1, x), "source");
    refuses_null(fmatch_source_get_weights(w.array, 0, 1, NULL), "weight");
    refuses_null(fmatch_source_evaluate_log_density(NULL, 1, x, &log_density), "source");
    refuses_null(fmatch_source_evaluate_log_density(w.mixture, 1, NULL, &log_density), "x");
    refuses_null(fmatch_source_evaluate_log_density(w.mixture, 1, x, NULL), "log_density");
    refuses_null(fmatch_source_evaluate_moments(NULL, x, x + 1), "source");
    refuses_null(fmatch_source_evaluate_moments(w.mixture, NULL, x), "mean");
    refuses_null(fmatch_source_evaluate_moments(w.mixture, x, NULL), "std");
    assert_int_equal(fmatch_source_get_dim(NULL), 0);
    assert_int_equal(fmatch_source_count_rows(NULL), 0);
    destroy_things(&w);
}

static void models_refuse_null(void **state)
{
    struct things w = make_things(context_of(state));
    float x[4] = {0}, t[4] = {0};
    double d;
    fmatch_mlp_config mlp;
    fmatch_mlp_config_init(&mlp);
    mlp.dim = 1;
    fmatch_velocity_callbacks callbacks = {sizeof callbacks, 0, zero_field, NULL, NULL, 0, 0, NULL};
    fmatch_tensor_info info = {.struct_size = sizeof info};

    refuses_null(fmatch_model_create_mlp(NULL, w.context, &mlp), "model");
    create_refuses_null(fmatch_model, fmatch_model_create_mlp, "context", NULL, &mlp);
    create_refuses_null(fmatch_model, fmatch_model_create_mlp, "config", w.context, NULL);
    refuses_null(fmatch_model_create_callback(NULL, w.context, 1, &callbacks, NULL), "model");
    create_refuses_null(fmatch_model, fmatch_model_create_callback, "context", NULL, 1, &callbacks,
                        NULL);
    create_refuses_null(fmatch_model, fmatch_model_create_callback, "callbacks", w.context, 1, NULL,
                        NULL);
    callbacks.evaluate = NULL;
    create_refuses_null(fmatch_model, fmatch_model_create_callback, "evaluate", w.context, 1,
                        &callbacks, NULL);
    refuses_null(fmatch_model_create_closed_form(NULL, w.context, w.mixture), "model");
    create_refuses_null(fmatch_model, fmatch_model_create_closed_form, "context", NULL, w.mixture);
    create_refuses_null(fmatch_model, fmatch_model_create_closed_form, "target", w.context, NULL);
    refuses_null(fmatch_model_create_copy(NULL, w.mlp), "copy");
    create_refuses_null(fmatch_model, fmatch_model_create_copy, "model", NULL);
    refuses_null(fmatch_model_evaluate(NULL, 1, x, t, NULL, x), "model");
    refuses_null(fmatch_model_evaluate(w.mlp, 1, NULL, t, NULL, x), "x");
    refuses_null(fmatch_model_evaluate(w.mlp, 1, x, NULL, NULL, x), "t");
    refuses_null(fmatch_model_evaluate(w.mlp, 1, x, t, NULL, NULL), "v");
    expect_refused(&w, fmatch_model_evaluate(w.mlp, 1, x, t, x, x), FMATCH_ERROR_ARGUMENT,
                   "condition");
    refuses_null(fmatch_model_evaluate_log_density(NULL, 1, x, t, &d), "model");
    refuses_null(fmatch_model_evaluate_log_density(w.exact, 1, NULL, t, &d), "x");
    refuses_null(fmatch_model_evaluate_log_density(w.exact, 1, x, NULL, &d), "t");
    refuses_null(fmatch_model_evaluate_log_density(w.exact, 1, x, t, NULL), "log_density");
    refuses_null(fmatch_model_evaluate_density(NULL, 1, x, t, &d), "model");
    refuses_null(fmatch_model_evaluate_density(w.exact, 1, x, t, NULL), "density");
    refuses_null(fmatch_model_evaluate_irreducible_loss(NULL, &d, NULL), "model");
    refuses_null(fmatch_model_evaluate_irreducible_loss(w.exact, NULL, &d), "loss");
    refuses_null(fmatch_model_get_tensor_info(NULL, 0, &info), "model");
    refuses_null(fmatch_model_get_tensor_info(w.mlp, 0, NULL), "info");
    refuses_null(fmatch_model_get_tensor(NULL, "net.0.bias", 4, x), "model");
    refuses_null(fmatch_model_get_tensor(w.mlp, NULL, 4, x), "name");
    refuses_null(fmatch_model_get_tensor(w.mlp, "net.0.bias", 4, NULL), "values");
    refuses_null(fmatch_model_set_tensor(NULL, "net.0.bias", 4, x), "model");
    refuses_null(fmatch_model_set_tensor(w.mlp, NULL, 4, x), "name");
    refuses_null(fmatch_model_set_tensor(w.mlp, "net.0.bias", 4, NULL), "values");
    fmatch_source *noise;
    refuses_null(fmatch_model_get_noise(NULL, &noise), "model");
    refuses_null(fmatch_model_get_noise(w.mlp, NULL), "noise");
    assert_int_equal(fmatch_model_get_dim(NULL), 0);
    assert_int_equal(fmatch_model_count_tensors(NULL), 0);
    assert_int_equal(fmatch_model_count_parameters(NULL), 0);
    destroy_things(&w);
}

static void training_refuses_null(void **state)
{
    struct things w = make_things(context_of(state));
    fmatch_optimizer *optimizer = make_sgd(w.context, 0.1, 0);
    float x[4] = {0};
    double d;
    fmatch_batch batch = {sizeof batch, 0, 1, x, x, x, NULL, NULL};
    fmatch_batch empty = {sizeof empty, 0, 1, NULL, x, x, NULL, NULL};
    fmatch_progress progress = {sizeof progress, 0, 1, NULL, NULL};

    refuses_null(fmatch_optimizer_create_adam(NULL, w.context, NULL), "optimizer");
    create_refuses_null(fmatch_optimizer, fmatch_optimizer_create_adam, "context", NULL, NULL);
    refuses_null(fmatch_optimizer_create_sgd(NULL, w.context, NULL), "optimizer");
    create_refuses_null(fmatch_optimizer, fmatch_optimizer_create_sgd, "context", NULL, NULL);
    refuses_null(fmatch_optimizer_set_learning_rate(NULL, 1), "optimizer");
    refuses_null(fmatch_trainer_create(NULL, w.mlp, optimizer, w.mixture, NULL), "trainer");
    create_refuses_null(fmatch_trainer, fmatch_trainer_create, "model", NULL, optimizer, w.mixture,
                        NULL);
    create_refuses_null(fmatch_trainer, fmatch_trainer_create, "optimizer", w.mlp, NULL, w.mixture,
                        NULL);
    refuses_null(fmatch_trainer_run(NULL, 1, NULL), "trainer");
    refuses_null(fmatch_trainer_run(w.trainer, 1, &progress), "report");
    refuses_null(fmatch_trainer_run_batch(NULL, &batch, &d), "trainer");
    refuses_null(fmatch_trainer_run_batch(w.trainer, NULL, &d), "batch");
    refuses_null(fmatch_trainer_run_batch(w.trainer, &empty, &d), "target");
    refuses_null(fmatch_trainer_evaluate_batch(NULL, &batch, &d), "trainer");
    refuses_null(fmatch_trainer_evaluate_batch(w.trainer, NULL, &d), "batch");
    refuses_null(fmatch_trainer_evaluate_batch(w.trainer, &empty, &d), "target");
    refuses_null(fmatch_trainer_get_gradient(NULL, "net.0.bias", 4, x), "trainer");
    refuses_null(fmatch_trainer_get_gradient(w.trainer, NULL, 4, x), "name");
    refuses_null(fmatch_trainer_get_gradient(w.trainer, "net.0.bias", 4, NULL), "values");
    refuses_null(fmatch_trainer_evaluate(NULL, 1, 1, &d), "trainer");
    refuses_null(fmatch_trainer_evaluate(w.trainer, 1, 1, NULL), "loss");
    refuses_null(fmatch_trainer_get_losses(NULL, 0, 0, &d), "trainer");
    assert_int_equal(fmatch_trainer_count_steps(NULL), 0);
    fmatch_optimizer_destroy(&optimizer);
    destroy_things(&w);
}

static void sampling_and_metrics_refuse_null(void **state)
{
    struct things w = make_things(context_of(state));
    float x[12] = {0};
    double d;
    refuses_null(fmatch_context_create(NULL, NULL), "context");
    refuses_null(fmatch_sampler_create(NULL, w.mlp, NULL), "sampler");
    create_refuses_null(fmatch_sampler, fmatch_sampler_create, "model", NULL, NULL);
    refuses_null(fmatch_sampler_draw(NULL, 1, 0, 1, NULL, x), "sampler");
    refuses_null(fmatch_sampler_draw(w.sampler, 1, 0, 1, NULL, NULL), "x");
    expect_refused(&w, fmatch_sampler_draw(w.sampler, 1, 0, 1, x, x), FMATCH_ERROR_ARGUMENT,
                   "condition");
    refuses_null(fmatch_sampler_draw_trajectory(NULL, 1, 0, 1, NULL, x), "sampler");
    refuses_null(fmatch_sampler_draw_trajectory(w.sampler, 1, 0, 1, NULL, NULL), "trajectory");
    refuses_null(fmatch_sampler_integrate(NULL, 1, x, NULL, x), "sampler");
    refuses_null(fmatch_sampler_integrate(w.sampler, 1, NULL, NULL, x), "x_start");
    refuses_null(fmatch_sampler_integrate(w.sampler, 1, x, NULL, NULL), "x_end");
    refuses_null(fmatch_sampler_integrate_trajectory(NULL, 1, x, NULL, x), "sampler");
    refuses_null(fmatch_sampler_integrate_trajectory(w.sampler, 1, NULL, NULL, x), "x_start");
    refuses_null(fmatch_sampler_integrate_trajectory(w.sampler, 1, x, NULL, NULL), "trajectory");
    refuses_null(fmatch_sampler_get_times(NULL, &d), "sampler");
    refuses_null(fmatch_sampler_get_times(w.sampler, NULL), "times");
    fmatch_sampler_info info = {.struct_size = sizeof info};
    fmatch_sampler_rows rows = {.struct_size = sizeof rows};
    refuses_null(fmatch_sampler_get_info(NULL, &info), "sampler");
    refuses_null(fmatch_sampler_get_info(w.sampler, NULL), "info");
    refuses_null(fmatch_sampler_get_rows(NULL, 0, 1, &rows), "sampler");
    refuses_null(fmatch_sampler_get_rows(w.sampler, 0, 1, NULL), "rows");
    expect_refused(&w, fmatch_sampler_get_rows(w.sampler, 0, 4, &rows), FMATCH_ERROR_ARGUMENT, "n");
    expect_refused(&w, fmatch_sampler_get_rows(w.sampler, 4, 0, &rows), FMATCH_ERROR_ARGUMENT,
                   "first");
    refuses_null(fmatch_metrics_evaluate_energy_distance(1, 1, NULL, 1, x, &d), "x");
    refuses_null(fmatch_metrics_evaluate_energy_distance(1, 1, x, 1, NULL, &d), "y");
    refuses_null(fmatch_metrics_evaluate_energy_distance(1, 1, x, 1, x, NULL), "distance");
    refuses_null(fmatch_metrics_evaluate_wasserstein_1d(NULL, 1, x, 1, x, &d, &d), "context");
    refuses_null(fmatch_metrics_evaluate_wasserstein_1d(w.context, 1, NULL, 1, x, &d, &d), "x");
    refuses_null(fmatch_metrics_evaluate_wasserstein_1d(w.context, 1, x, 1, NULL, &d, &d), "y");
    const double t[] = {0, 1};
    refuses_null(fmatch_metrics_evaluate_sliced_wasserstein(NULL, 1, 1, x, 1, x, 1, 1, &d, &d),
                 "context");
    refuses_null(
        fmatch_metrics_evaluate_sliced_wasserstein(w.context, 1, 1, NULL, 1, x, 1, 1, &d, &d), "x");
    refuses_null(
        fmatch_metrics_evaluate_sliced_wasserstein(w.context, 1, 1, x, 1, NULL, 1, 1, &d, &d), "y");
    refuses_null(fmatch_metrics_evaluate_wasserstein(NULL, 1, 1, x, x, &d, &d, &d), "context");
    refuses_null(fmatch_metrics_evaluate_wasserstein(w.context, 1, 1, NULL, x, &d, &d, &d), "x");
    refuses_null(fmatch_metrics_evaluate_wasserstein(w.context, 1, 1, x, NULL, &d, &d, &d), "y");
    refuses_null(fmatch_metrics_evaluate_sinkhorn_divergence(NULL, 1, 1, x, 1, x, NULL, &d, &d),
                 "context");
    refuses_null(
        fmatch_metrics_evaluate_sinkhorn_divergence(w.context, 1, 1, NULL, 1, x, NULL, &d, &d),
        "x");
    refuses_null(
        fmatch_metrics_evaluate_sinkhorn_divergence(w.context, 1, 1, x, 1, NULL, NULL, &d, &d),
        "y");
    refuses_null(fmatch_metrics_evaluate_mmd(NULL, 1, 1, x, 1, x, NULL, &d), "context");
    refuses_null(fmatch_metrics_evaluate_mmd(w.context, 1, 1, NULL, 1, x, NULL, &d), "x");
    refuses_null(fmatch_metrics_evaluate_mmd(w.context, 1, 1, x, 1, NULL, NULL, &d), "y");
    refuses_null(fmatch_metrics_evaluate_mmd(w.context, 1, 1, x, 1, x, NULL, NULL), "mmd_square");
    refuses_null(fmatch_metrics_evaluate_kolmogorov_smirnov(NULL, 1, x, 1, x, &d), "context");
    refuses_null(fmatch_metrics_evaluate_kolmogorov_smirnov(w.context, 1, NULL, 1, x, &d), "x");
    refuses_null(fmatch_metrics_evaluate_kolmogorov_smirnov(w.context, 1, x, 1, NULL, &d), "y");
    refuses_null(fmatch_metrics_evaluate_kolmogorov_smirnov(w.context, 1, x, 1, x, NULL),
                 "statistic");
    refuses_null(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(NULL, 1, t, &d), "context");
    refuses_null(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(w.context, 1, NULL, &d), "cdf");
    refuses_null(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(w.context, 1, t, NULL),
                 "statistic");
    refuses_null(fmatch_metrics_evaluate_path(NULL, 1, 2, t, 1, x, &d, &d, &d), "context");
    refuses_null(fmatch_metrics_evaluate_path(w.context, 1, 2, NULL, 1, x, &d, &d, &d), "t");
    refuses_null(fmatch_metrics_evaluate_path(w.context, 1, 2, t, 1, NULL, &d, &d, &d),
                 "trajectory");
    refuses_null(fmatch_metrics_evaluate_normalised_path_energy(NULL, 1, 2, t, 1, x, 1, &d),
                 "context");
    refuses_null(fmatch_metrics_evaluate_normalised_path_energy(w.context, 1, 2, t, 1, x, 1, NULL),
                 "normalised");
    destroy_things(&w);
}

/* ---- scalars out of range ---- */

static void arguments_out_of_range_are_refused(void **state)
{
    struct things w = make_things(context_of(state));
    float x[12] = {0};
    double d;
    fmatch_source *source;
    static const struct {
        int32_t value;
        const char *text;
    } dims[] = {{0, "0"}, {-3, "-3"}, {65537, "65537"}, {INT32_MIN, "-2147483648"}};
    fmatch_source_callbacks draw = {.struct_size = sizeof draw};
    for (size_t i = 0; i < COUNT(dims); i++) {
        expect_refused(&w, fmatch_source_create_normal(&source, w.context, dims[i].value),
                       FMATCH_ERROR_ARGUMENT, "dim", dims[i].text, "1", "65536");
        expect_refused(
            &w,
            fmatch_source_create_gaussian_mixture(&source, w.context, dims[i].value, 1, x, x, x),
            FMATCH_ERROR_ARGUMENT, "dim", dims[i].text, "65536");
        expect_refused(
            &w,
            fmatch_source_create_gaussian_mixture(&source, w.context, 1, dims[i].value, x, x, x),
            FMATCH_ERROR_ARGUMENT, "components", dims[i].text, "65536");
        expect_status(fmatch_source_create_callback(&source, w.context, dims[i].value, &draw),
                      FMATCH_ERROR_ARGUMENT);
        expect_status(fmatch_metrics_evaluate_energy_distance(dims[i].value, 1, x, 1, x, &d),
                      FMATCH_ERROR_ARGUMENT);
    }
    expect_refused(&w, fmatch_source_draw(w.mixture, 1, 0, -1, x), FMATCH_ERROR_ARGUMENT, "n", "-1",
                   "0");
    expect_refused(&w, fmatch_source_draw(w.mixture, 1, -2, 1, x), FMATCH_ERROR_ARGUMENT,
                   "first_row", "-2", "0");
    expect_refused(&w, fmatch_model_evaluate(w.mlp, -7, x, x, NULL, x), FMATCH_ERROR_ARGUMENT, "n",
                   "-7", "0");
    expect_refused(&w, fmatch_model_evaluate_density(w.exact, -7, x, x, &d), FMATCH_ERROR_ARGUMENT,
                   "n", "-7", "0");
    expect_refused(&w, fmatch_trainer_run(w.trainer, -1, NULL), FMATCH_ERROR_ARGUMENT, "steps",
                   "-1", "0");
    expect_refused(&w, fmatch_trainer_evaluate(w.trainer, 1, 0, &d), FMATCH_ERROR_ARGUMENT, "n",
                   "0", "1");
    expect_refused(&w, fmatch_trainer_get_losses(w.trainer, 0, 1, &d), FMATCH_ERROR_ARGUMENT, "1",
                   "0");
    expect_refused(&w, fmatch_sampler_draw(w.sampler, 1, 0, -1, NULL, x), FMATCH_ERROR_ARGUMENT,
                   "n", "-1", "0");
    expect_refused(&w, fmatch_sampler_draw(w.sampler, 1, -9, 1, NULL, x), FMATCH_ERROR_ARGUMENT,
                   "first_row", "-9", "0");
    expect_refused(&w, fmatch_sampler_integrate(w.sampler, -1, x, NULL, x), FMATCH_ERROR_ARGUMENT,
                   "n", "-1", "0");
    expect_refused(&w, fmatch_optimizer_set_learning_rate(w.optimizer, INFINITY),
                   FMATCH_ERROR_ARGUMENT, "learning_rate", "inf", "0");
    destroy_things(&w);
}

static void mixtures_out_of_range_are_refused(void **state)
{
    static const struct {
        float weights[2], means[2], stds[2];
        fmatch_status status;
        const char *words[2];
    } cases[] = {
        {{1, -0.5f}, {0, 1}, {1, 1}, FMATCH_ERROR_ARGUMENT, {"weights", "-0.5"}},
        {{0, 0}, {0, 1}, {1, 1}, FMATCH_ERROR_ARGUMENT, {"weights", "0"}},
        {{1, 1}, {0, 1}, {1, 0}, FMATCH_ERROR_ARGUMENT, {"stds", "0"}},
        {{1, 1}, {0, 1}, {-2, 1}, FMATCH_ERROR_ARGUMENT, {"stds", "-2"}},
        {{NAN, 1}, {0, 1}, {1, 1}, FMATCH_ERROR_NOT_FINITE, {"weights", "nan"}},
        {{1, 1}, {0, INFINITY}, {1, 1}, FMATCH_ERROR_NOT_FINITE, {"means", "inf"}},
        {{1, 1}, {0, 1}, {1, NAN}, FMATCH_ERROR_NOT_FINITE, {"stds", "nan"}},
    };
    struct things w = make_things(context_of(state));
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_source *source = (fmatch_source *)&w;
        expect_refused(&w,
                       fmatch_source_create_gaussian_mixture(&source, w.context, 1, 2,
                                                             cases[i].weights, cases[i].means,
                                                             cases[i].stds),
                       cases[i].status, cases[i].words[0], cases[i].words[1]);
        assert_null(source);
    }
    destroy_things(&w);
}

/* ---- structs ---- */

union any_config {
    uint32_t struct_size;
    fmatch_context_config context;
    fmatch_allocator allocator;
    fmatch_log_sink log;
    fmatch_array_config array;
    fmatch_csv_config csv;
    fmatch_npy_config npy;
    fmatch_toy_config toy;
    fmatch_source_callbacks source;
    fmatch_velocity_callbacks velocity;
    fmatch_mlp_config mlp;
    fmatch_adam_config adam;
    fmatch_sgd_config sgd;
    fmatch_trainer_config trainer;
    fmatch_sampler_config sampler, adaptive;
    fmatch_sampler_info sampler_info;
    fmatch_sampler_rows sampler_rows;
    fmatch_progress progress;
    fmatch_batch batch;
    fmatch_tensor_info info;
    fmatch_trainer_info standing;
    unsigned char bytes[512];
};

static int destroyed;

static void count_destroy(void *user)
{
    (void)user;
    destroyed++;
}

static int32_t report_nothing(void *user, const fmatch_progress_info *info)
{
    (void)user, (void)info;
    return 0;
}

static void write_nothing(void *user, int32_t level, const char *message)
{
    (void)user, (void)level, (void)message;
}

static void *plain_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void plain_free(void *user, void *pointer, size_t size)
{
    (void)user, (void)size;
    free(pointer);
}

/* prepare writes a valid struct; use hands it to the library, destroys what came of it, and answers
 * with the status. */

static void prepare_context(union any_config *c)
{
    fmatch_context_config_init(&c->context);
}

static fmatch_status use_context(struct things *w, union any_config *c)
{
    fmatch_context *made = w->context;
    fmatch_status status = fmatch_context_create(&made, &c->context);
    assert_true((made != NULL) == (status == FMATCH_OK));
    fmatch_context_destroy(&made);
    return status;
}

static void prepare_allocator(union any_config *c)
{
    c->allocator =
        (fmatch_allocator){sizeof c->allocator, 0, plain_alloc, plain_free, count_destroy, NULL};
}

static fmatch_status use_allocator(struct things *w, union any_config *c)
{
    union any_config config;
    prepare_context(&config);
    config.context.allocator = &c->allocator;
    return use_context(w, &config);
}

static void prepare_log(union any_config *c)
{
    c->log = (fmatch_log_sink){sizeof c->log, 0, write_nothing, count_destroy, NULL};
}

static fmatch_status use_log(struct things *w, union any_config *c)
{
    union any_config config;
    prepare_context(&config);
    config.context.log = &c->log;
    return use_context(w, &config);
}

static void prepare_array(union any_config *c)
{
    static const float rows[] = {1, 2};
    fmatch_array_config_init(&c->array);
    c->array.dim = 1;
    c->array.n = 2;
    c->array.rows = rows;
    c->array.destroy = count_destroy;
}

static fmatch_status finish_source(fmatch_source *made, fmatch_status status)
{
    assert_true((made != NULL) == (status == FMATCH_OK));
    fmatch_source_destroy(&made);
    return status;
}

static fmatch_status use_array(struct things *w, union any_config *c)
{
    fmatch_source *made = w->array;
    fmatch_status status = fmatch_source_create_array(&made, w->context, &c->array);
    return finish_source(made, status);
}

static void prepare_csv(union any_config *c)
{
    fmatch_csv_config_init(&c->csv);
}

static fmatch_status use_csv(struct things *w, union any_config *c)
{
    fmatch_source *made = w->array;
    fmatch_status status =
        fmatch_source_create_csv(&made, w->context, "examples/data/faithful.csv", &c->csv);
    return finish_source(made, status);
}

static void prepare_npy(union any_config *c)
{
    fmatch_npy_config_init(&c->npy);
}

static fmatch_status use_npy(struct things *w, union any_config *c)
{
    static const float values[] = {1, 2, 3, 4};
    const struct bytes file = npy_floats(2, 2, values);
    char path[256];
    write_file(path, &file);
    fmatch_source *made = w->array;
    fmatch_status status = fmatch_source_create_npy(&made, w->context, path, &c->npy);
    unlink(path);
    return finish_source(made, status);
}

static void prepare_toy(union any_config *c)
{
    fmatch_toy_config_init(&c->toy);
}

static fmatch_status use_toy(struct things *w, union any_config *c)
{
    fmatch_source *made = w->array;
    fmatch_status status = fmatch_source_create_toy(&made, w->context, &c->toy);
    return finish_source(made, status);
}

static void prepare_source(union any_config *c)
{
    c->source = (fmatch_source_callbacks){
        .struct_size = sizeof c->source, .draw = draw_zeros, .destroy = count_destroy};
}

static fmatch_status use_source(struct things *w, union any_config *c)
{
    fmatch_source *made = w->array;
    fmatch_status status = fmatch_source_create_callback(&made, w->context, 1, &c->source);
    return finish_source(made, status);
}

static fmatch_status finish_model(fmatch_model *made, fmatch_status status)
{
    assert_true((made != NULL) == (status == FMATCH_OK));
    fmatch_model_destroy(&made);
    return status;
}

static void prepare_velocity(union any_config *c)
{
    c->velocity = (fmatch_velocity_callbacks){
        sizeof c->velocity, 0, zero_field, count_destroy, NULL, 0, 0, NULL};
}

static fmatch_status use_velocity(struct things *w, union any_config *c)
{
    fmatch_model *made = w->mlp;
    fmatch_status status = fmatch_model_create_callback(&made, w->context, 1, &c->velocity, NULL);
    return finish_model(made, status);
}

static void prepare_mlp(union any_config *c)
{
    fmatch_mlp_config_init(&c->mlp);
    c->mlp.dim = 1;
}

static fmatch_status use_mlp(struct things *w, union any_config *c)
{
    fmatch_model *made = w->mlp;
    fmatch_status status = fmatch_model_create_mlp(&made, w->context, &c->mlp);
    return finish_model(made, status);
}

static fmatch_status finish_optimizer(fmatch_optimizer *made, fmatch_status status)
{
    assert_true((made != NULL) == (status == FMATCH_OK));
    fmatch_optimizer_destroy(&made);
    return status;
}

static void prepare_adam(union any_config *c)
{
    fmatch_adam_config_init(&c->adam);
}

static fmatch_status use_adam(struct things *w, union any_config *c)
{
    fmatch_optimizer *made = w->optimizer;
    fmatch_status status = fmatch_optimizer_create_adam(&made, w->context, &c->adam);
    return finish_optimizer(made, status);
}

static void prepare_sgd(union any_config *c)
{
    fmatch_sgd_config_init(&c->sgd);
}

static fmatch_status use_sgd(struct things *w, union any_config *c)
{
    fmatch_optimizer *made = w->optimizer;
    fmatch_status status = fmatch_optimizer_create_sgd(&made, w->context, &c->sgd);
    return finish_optimizer(made, status);
}

static void prepare_trainer(union any_config *c)
{
    fmatch_trainer_config_init(&c->trainer);
}

static fmatch_status use_trainer(struct things *w, union any_config *c)
{
    fmatch_optimizer *optimizer = make_adam(w->context, 1e-3);
    fmatch_trainer *made = w->trainer;
    fmatch_status status = fmatch_trainer_create(&made, w->mlp, optimizer, w->mixture, &c->trainer);
    char detail[256];
    snprintf(detail, sizeof detail, "%s", fmatch_error_detail());
    assert_true((made != NULL) == (status == FMATCH_OK));
    fmatch_trainer_destroy(&made);
    fmatch_optimizer_destroy(&optimizer);
    assert_string_equal(fmatch_error_detail(), detail); /* destroy functions leave the detail */
    return status;
}

static void prepare_sampler(union any_config *c)
{
    fmatch_sampler_config_init(&c->sampler);
}

static void prepare_adaptive(union any_config *c)
{
    prepare_sampler(c);
    c->adaptive.solver = FMATCH_SOLVER_DORMAND_PRINCE;
    c->adaptive.step_smallest = 0.125;
}

static void prepare_sampler_info(union any_config *c)
{
    c->sampler_info = (fmatch_sampler_info){.struct_size = sizeof c->sampler_info};
}

static fmatch_status use_sampler_info(struct things *w, union any_config *c)
{
    return fmatch_sampler_get_info(w->sampler, &c->sampler_info);
}

static void prepare_sampler_rows(union any_config *c)
{
    c->sampler_rows = (fmatch_sampler_rows){.struct_size = sizeof c->sampler_rows};
}

static fmatch_status use_sampler_rows(struct things *w, union any_config *c)
{
    return fmatch_sampler_get_rows(w->sampler, 0, 3, &c->sampler_rows);
}

static fmatch_status use_sampler(struct things *w, union any_config *c)
{
    fmatch_sampler *made = w->sampler;
    fmatch_status status = fmatch_sampler_create(&made, w->mlp, &c->sampler);
    assert_true((made != NULL) == (status == FMATCH_OK));
    fmatch_sampler_destroy(&made);
    return status;
}

static fmatch_status use_adaptive(struct things *w, union any_config *c)
{
    return use_sampler(w, c);
}

static void prepare_progress(union any_config *c)
{
    c->progress = (fmatch_progress){sizeof c->progress, 0, 1, report_nothing, NULL};
}

static fmatch_status use_progress(struct things *w, union any_config *c)
{
    return fmatch_trainer_run(w->trainer, 0, &c->progress);
}

static void prepare_batch(union any_config *c)
{
    static const float one[] = {1};
    c->batch = (fmatch_batch){sizeof c->batch, 0, 1, one, one, one, NULL, NULL};
}

static fmatch_status use_batch(struct things *w, union any_config *c)
{
    return fmatch_trainer_evaluate_batch(w->trainer, &c->batch, NULL);
}

static void prepare_info(union any_config *c)
{
    c->info.struct_size = sizeof c->info;
}

static fmatch_status use_info(struct things *w, union any_config *c)
{
    return fmatch_model_get_tensor_info(w->mlp, 0, &c->info);
}

static void prepare_standing(union any_config *c)
{
    c->standing.struct_size = sizeof c->standing;
}

static fmatch_status use_standing(struct things *w, union any_config *c)
{
    return fmatch_trainer_get_info(w->trainer, &c->standing);
}

static const struct struct_case {
    const char *name;
    size_t size;
    void (*prepare)(union any_config *config);
    fmatch_status (*use)(struct things *things, union any_config *config);
} structs[] = {
    {"fmatch_context_config", sizeof(fmatch_context_config), prepare_context, use_context},
    {"fmatch_allocator", sizeof(fmatch_allocator), prepare_allocator, use_allocator},
    {"fmatch_log_sink", sizeof(fmatch_log_sink), prepare_log, use_log},
    {"fmatch_array_config", sizeof(fmatch_array_config), prepare_array, use_array},
    {"fmatch_csv_config", sizeof(fmatch_csv_config), prepare_csv, use_csv},
    {"fmatch_npy_config", sizeof(fmatch_npy_config), prepare_npy, use_npy},
    {"fmatch_toy_config", sizeof(fmatch_toy_config), prepare_toy, use_toy},
    {"fmatch_source_callbacks", sizeof(fmatch_source_callbacks), prepare_source, use_source},
    {"fmatch_velocity_callbacks", sizeof(fmatch_velocity_callbacks), prepare_velocity,
     use_velocity},
    {"fmatch_mlp_config", sizeof(fmatch_mlp_config), prepare_mlp, use_mlp},
    {"fmatch_adam_config", sizeof(fmatch_adam_config), prepare_adam, use_adam},
    {"fmatch_sgd_config", sizeof(fmatch_sgd_config), prepare_sgd, use_sgd},
    {"fmatch_trainer_config", sizeof(fmatch_trainer_config), prepare_trainer, use_trainer},
    {"fmatch_sampler_config", sizeof(fmatch_sampler_config), prepare_sampler, use_sampler},
    {"fmatch_sampler_config, adaptive", sizeof(fmatch_sampler_config), prepare_adaptive,
     use_adaptive},
    {"fmatch_sampler_info", sizeof(fmatch_sampler_info), prepare_sampler_info, use_sampler_info},
    {"fmatch_sampler_rows", sizeof(fmatch_sampler_rows), prepare_sampler_rows, use_sampler_rows},
    {"fmatch_progress", sizeof(fmatch_progress), prepare_progress, use_progress},
    {"fmatch_batch", sizeof(fmatch_batch), prepare_batch, use_batch},
    {"fmatch_tensor_info", sizeof(fmatch_tensor_info), prepare_info, use_info},
    {"fmatch_trainer_info", sizeof(fmatch_trainer_info), prepare_standing, use_standing},
};

static void expect_struct_status(struct things *things, const struct struct_case *c,
                                 union any_config *config, fmatch_status wanted, const char *what)
{
    fmatch_status status = c->use(things, config);
    expect_that(status == wanted, "%s with %s gives %s (\"%s\")", c->name, what,
                fmatch_status_get_name(status), fmatch_error_detail());
    if (wanted == FMATCH_ERROR_STRUCT_SIZE)
        expect_detail("struct_size");
}

static void struct_sizes_are_checked(void **state)
{
    static const uint32_t wrong[] = {0, 3, 4, UINT32_MAX};
    struct things w = make_things(context_of(state));
    for (size_t i = 0; i < COUNT(structs); i++) {
        union any_config config;
        memset(&config, 0, sizeof config);
        structs[i].prepare(&config);
        expect_struct_status(&w, &structs[i], &config, FMATCH_OK, "its own size");
        for (size_t k = 0; k < COUNT(wrong); k++) {
            char what[32];
            snprintf(what, sizeof what, "struct_size %u", (unsigned)wrong[k]);
            config.struct_size = wrong[k];
            expect_struct_status(&w, &structs[i], &config, FMATCH_ERROR_STRUCT_SIZE, what);
            expect_unharmed(&w, what);
        }
    }
    destroy_things(&w);
}

/* A later caller's longer struct is welcome as long as it does not use what this library does not
 * know. */
static void longer_structs_need_a_zero_tail(void **state)
{
    struct things w = make_things(context_of(state));
    for (size_t i = 0; i < COUNT(structs); i++) {
        union any_config config;
        memset(&config, 0, sizeof config);
        structs[i].prepare(&config);
        config.struct_size = (uint32_t)structs[i].size + 24;
        expect_struct_status(&w, &structs[i], &config, FMATCH_OK, "a longer size and a zero tail");
        if (structs[i].use == use_info)
            continue; /* the library writes this one */
        config.bytes[structs[i].size + 24] = 1;
        expect_struct_status(&w, &structs[i], &config, FMATCH_OK, "a byte behind its tail");
        config.bytes[structs[i].size + 23] = 1;
        expect_struct_status(&w, &structs[i], &config, FMATCH_ERROR_STRUCT_SIZE,
                             "a tail that is not zero");
        config.bytes[structs[i].size + 23] = 0;
        config.bytes[structs[i].size] = 0x80;
        expect_struct_status(&w, &structs[i], &config, FMATCH_ERROR_STRUCT_SIZE,
                             "a tail that does not begin with zero");
        expect_unharmed(&w, "a longer struct");
    }
    destroy_things(&w);
}

enum kind { I32, U32, I64, F64, POINTER };

/* A field set to a bad value, and what the detail says of it. */
static const struct field_case {
    void (*prepare)(union any_config *config);
    fmatch_status (*use)(struct things *things, union any_config *config);
    const char *name;
    size_t offset;
    enum kind kind;
    double value;
    const char *words[3];
} fields[] = {
#define FIELD(what, member, kind, value, ...)                                                      \
    {                                                                                              \
        prepare_##what, use_##what, #member, offsetof(union any_config, what.member), kind, value, \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
    FIELD(context, threads, I32, 0, "0", "1", "1024"),
    FIELD(context, threads, I32, -5, "-5", "1", "1024"),
    FIELD(context, threads, I32, 1025, "1025", "1", "1024"),
    FIELD(context, instruction_set, I32, -1, "-1"),
    FIELD(context, instruction_set, I32, 3, "3", "0", "2"),
    FIELD(context, matmul, I32, 3, "3", "0", "2"),
    FIELD(allocator, flags, U32, 8, "8", "0"),
    FIELD(allocator, alloc, POINTER, 0, "NULL"),
    FIELD(allocator, free, POINTER, 0, "NULL"),
    FIELD(log, flags, U32, 2, "2", "0"),
    FIELD(log, write, POINTER, 0, "NULL"),
    FIELD(array, dim, I32, 0, "0", "1", "65536"),
    FIELD(array, dim, I32, 65537, "65537", "1", "65536"),
    FIELD(array, n, I64, 0, "0", "1"),
    FIELD(array, n, I64, -4, "-4", "1"),
    FIELD(array, rows, POINTER, 0, "NULL"),
    FIELD(array, memory, I32, 2, "2", "0", "1"),
    FIELD(array, memory, I32, -1, "-1", "0", "1"),
    FIELD(array, order, I32, 3, "3", "0", "2"),
    FIELD(csv, order, I32, 3, "3", "0", "2"),
    FIELD(csv, order, I32, -1, "-1", "0", "2"),
    FIELD(csv, flags, U32, 2, "2", "0"),
    FIELD(csv, weight_column, I32, -2, "-2", "-1"),
    FIELD(csv, condition_dim, I32, 1, "1", "NULL"),
    FIELD(npy, order, I32, 3, "3", "0", "2"),
    FIELD(npy, flags, U32, 2, "2", "0"),
    FIELD(npy, dim, I32, 1, "1", "NULL"),
    FIELD(npy, condition_dim, I32, -1, "-1", "0", "65536"),
    FIELD(npy, weight_column, I32, 2, "2", "0", "1"),
    FIELD(toy, kind, I32, 9, "9", "0", "8"),
    FIELD(toy, convention, I32, 6, "6", "0", "5"),
    FIELD(toy, labels, I32, 2, "2", "0", "1"),
    FIELD(toy, noise, F64, -2, "-2", "0"),
    FIELD(source, flags, U32, 1, "1", "0"),
    FIELD(source, draw, POINTER, 0, "NULL"),
    FIELD(velocity, flags, U32, 1, "1", "0"),
    FIELD(velocity, evaluate, POINTER, 0, "NULL"),
    FIELD(mlp, dim, I32, 0, "0", "1", "65536"),
    FIELD(mlp, dim, I32, 65537, "65537", "1", "65536"),
    FIELD(mlp, hidden_layers, I32, -1, "-1", "0", "64"),
    FIELD(mlp, hidden_layers, I32, 65, "65", "0", "64"),
    FIELD(mlp, hidden_width, I32, 0, "0", "1", "65536"),
    FIELD(mlp, hidden_width, I32, -3, "-3", "1", "65536"),
    FIELD(mlp, hidden_width, I32, 65537, "65537", "1", "65536"),
    FIELD(mlp, activation, I32, 8, "8", "0", "7"),
    FIELD(mlp, activation, I32, -1, "-1", "0", "7"),
    FIELD(mlp, prediction, I32, 3, "3", "0", "2"),
    FIELD(mlp, condition_dim, I32, -1, "-1", "0", "65536"),
    FIELD(mlp, time_features, I32, 2, "2", "0", "1"),
    FIELD(mlp, time_frequencies, I32, 65, "65", "0", "64"),
    FIELD(mlp, residual_layers, I32, -1, "-1", "0", "64"),
    FIELD(mlp, normalisation, I32, 2, "2", "0", "1"),
    FIELD(mlp, output_init, I32, -1, "-1", "0", "1"),
    FIELD(adam, flags, U32, 1, "1", "0"),
    FIELD(adam, learning_rate, F64, -0.5, "-0.5", "0"),
    FIELD(adam, learning_rate, F64, NAN, "nan", "0"),
    FIELD(adam, learning_rate, F64, INFINITY, "inf"),
    FIELD(adam, beta1, F64, 1, "1", "0"),
    FIELD(adam, beta1, F64, -0.25, "-0.25", "0", "1"),
    FIELD(adam, beta2, F64, 1.5, "1.5", "0", "1"),
    FIELD(adam, beta2, F64, NAN, "nan", "0", "1"),
    FIELD(adam, epsilon, F64, 0, "0"),
    FIELD(adam, epsilon, F64, -1, "-1", "0"),
    FIELD(adam, weight_decay, F64, -1, "-1", "0", "200"),
    FIELD(adam, weight_decay, F64, 201, "201", "0", "200"), /* 1 / learning_rate */
    FIELD(adam, weight_decay, F64, NAN, "nan", "0"),
    FIELD(sgd, nesterov, I32, 2, "2", "0", "1"),
    FIELD(sgd, learning_rate, F64, -0.5, "-0.5", "0"),
    FIELD(sgd, momentum, F64, 1, "1", "0"),
    FIELD(sgd, momentum, F64, -0.5, "-0.5", "0", "1"),
    FIELD(sgd, weight_decay, F64, -1, "-1", "0"),
    FIELD(sgd, weight_decay, F64, INFINITY, "inf"),
    FIELD(trainer, steps, I64, 0, "0", "at least 1"),
    FIELD(trainer, steps, I64, -1, "-1", "at least 1"),
    FIELD(trainer, clip_norm, F64, -1, "-1", "0"),
    FIELD(trainer, clip_norm, F64, NAN, "nan"),
    FIELD(trainer, clip_norm, F64, INFINITY, "inf"),
    FIELD(trainer, average_decay, F64, 1, "1", "0"),
    FIELD(trainer, average_decay, F64, -0.5, "-0.5", "0", "1"),
    FIELD(trainer, average_decay, F64, NAN, "nan", "0"),
    FIELD(trainer, publish, I32, -1, "-1", "0", "2"),
    FIELD(trainer, publish, I32, 3, "3", "0", "2"),
    FIELD(trainer, accumulate, I32, 0, "0", "1", "65536"),
    FIELD(trainer, accumulate, I32, 65537, "65537", "1", "65536"),
    FIELD(trainer, batch, I32, 0, "0", "1", "16777216"),
    FIELD(trainer, batch, I32, -1, "-1", "1", "16777216"),
    FIELD(trainer, batch, I32, 16777217, "16777217", "1", "16777216"),
    FIELD(sampler, solver, I32, 10, "10", "0", "9"),
    FIELD(sampler, solver, I32, -1, "-1", "0", "9"),
    FIELD(sampler, grid, I32, -1, "-1", "0", "4"),
    FIELD(sampler, grid, I32, 5, "5", "0", "4"),
    FIELD(sampler, grid, I32, FMATCH_GRID_TIMES, "times", "NULL"),
    FIELD(sampler, times_count, I64, 2, "times_count", "TIMES"),
    FIELD(sampler, shift, F64, 3, "shift", "3", "another kind"),
    FIELD(sampler, steps_max, I32, 100, "steps_max", "100"), /* of a solver that is not adaptive */
    FIELD(sampler, tolerance_absolute, F64, 1e-3, "tolerance_absolute", "0.001", "another kind"),
    FIELD(sampler, tolerance_relative, F64, NAN, "tolerance_relative", "nan"),
    FIELD(sampler, step_first, F64, 0.5, "step_first", "0.5"),
    FIELD(sampler, step_smallest, F64, 0.5, "step_smallest", "0.5"),
    FIELD(sampler, step_largest, F64, 0.5, "step_largest", "0.5"),
    FIELD(adaptive, grid, I32, FMATCH_GRID_COSINE, "grid", "3", "adaptive"),
    FIELD(adaptive, steps_max, I32, -1, "steps_max", "-1", "16777216"),
    FIELD(adaptive, steps_max, I32, 16777217, "steps_max", "16777217"),
    FIELD(adaptive, tolerance_absolute, F64, -1, "tolerance_absolute", "-1"),
    FIELD(adaptive, tolerance_absolute, F64, INFINITY, "tolerance_absolute", "inf"),
    FIELD(adaptive, tolerance_relative, F64, 2, "tolerance_relative", "2", "1"),
    FIELD(adaptive, tolerance_relative, F64, NAN, "tolerance_relative", "nan"),
    FIELD(adaptive, step_first, F64, 1.5, "step_first", "1.5", "1"),
    FIELD(adaptive, step_smallest, F64, -1, "step_smallest", "-1", "0"),
    FIELD(adaptive, step_largest, F64, 0.0625, "step_largest", "0.0625", "step_smallest"),
    FIELD(adaptive, step_largest, F64, 2, "step_largest", "2", "1"),
    FIELD(sampler, steps, I64, 0, "0", "1", "16777216"),
    FIELD(sampler, steps, I64, -2, "-2", "1", "16777216"),
    FIELD(sampler, steps, I64, 16777217, "16777217", "1", "16777216"),
    FIELD(sampler, t_start, F64, -0.125, "-0.125", "0", "1"),
    FIELD(sampler, t_start, F64, NAN, "nan", "0", "1"),
    FIELD(sampler, t_start, F64, 1, "1"), /* equals t_end */
    FIELD(sampler, t_end, F64, 1.5, "1.5", "0", "1"),
    FIELD(sampler, t_end, F64, 0, "0", "t_start"),
    FIELD(sampler_rows, flags, U32, 1, "1", "0"),
    FIELD(progress, flags, U32, 1, "1", "0"),
    FIELD(progress, every, I64, -1, "-1", "0"),
    FIELD(progress, report, POINTER, 0, "NULL"),
    FIELD(batch, flags, U32, 1, "1", "0"),
    FIELD(batch, n, I64, 0, "0", "1", "16777216"),
    FIELD(batch, n, I64, 16777217, "16777217", "1", "16777216"),
    FIELD(batch, target, POINTER, 0, "NULL"),
#undef FIELD
};

static void put_value(union any_config *config, const struct field_case *field)
{
    unsigned char *place = config->bytes + field->offset;
    int32_t i32 = field->kind == I32 ? (int32_t)field->value : 0;
    uint32_t u32 = field->kind == U32 ? (uint32_t)field->value : 0;
    int64_t i64 = field->kind == I64 ? (int64_t)field->value : 0;
    void *null = NULL;
    const struct {
        const void *bytes;
        size_t size;
    } values[] = {[I32] = {&i32, sizeof i32},
                  [U32] = {&u32, sizeof u32},
                  [I64] = {&i64, sizeof i64},
                  [F64] = {&field->value, sizeof field->value},
                  [POINTER] = {&null, sizeof null}};
    memcpy(place, values[field->kind].bytes, values[field->kind].size);
}

static void fields_out_of_range_are_refused(void **state)
{
    struct things w = make_things(context_of(state));
    for (size_t i = 0; i < COUNT(fields); i++) {
        union any_config config;
        memset(&config, 0, sizeof config);
        fields[i].prepare(&config);
        put_value(&config, &fields[i]);
        fmatch_status status = fields[i].use(&w, &config);
        expect_that(status == FMATCH_ERROR_ARGUMENT, "%s = %g (case %zu) gives %s", fields[i].name,
                    fields[i].value, i, fmatch_status_get_name(status));
        expect_detail(fields[i].name);
        for (size_t k = 0; k < COUNT(fields[i].words) && fields[i].words[k]; k++)
            expect_detail(fields[i].words[k]);
        expect_unharmed(&w, fields[i].name);
    }
    destroy_things(&w);
}

/* Arrays inside the configuration of a network. */
static void bad_arrays_of_a_network_are_refused(void **state)
{
    struct things w = make_things(context_of(state));
    const int32_t widths[] = {4, 0};
    const float nan[] = {NAN}, negative[] = {-1}, infinite[] = {INFINITY};
    fmatch_mlp_config config;
    fmatch_model *model;
    fmatch_mlp_config_init(&config);
    config.dim = 1;
    config.hidden_widths = widths;
    expect_refused(&w, fmatch_model_create_mlp(&model, w.context, &config), FMATCH_ERROR_ARGUMENT,
                   "hidden_widths", "1", "0", "65536");
    config.hidden_widths = NULL;
    config.data_mean = nan;
    expect_refused(&w, fmatch_model_create_mlp(&model, w.context, &config), FMATCH_ERROR_NOT_FINITE,
                   "data_mean", "nan");
    config.data_mean = NULL;
    config.data_std = infinite;
    expect_refused(&w, fmatch_model_create_mlp(&model, w.context, &config), FMATCH_ERROR_NOT_FINITE,
                   "data_std", "inf");
    config.data_std = negative;
    expect_refused(&w, fmatch_model_create_mlp(&model, w.context, &config), FMATCH_ERROR_ARGUMENT,
                   "data_std", "-1");
    assert_null(model);
    destroy_things(&w);
}

/* Sizes whose product overflows, or that no machine has: a clean status, nothing allocated. */
static void impossible_sizes_are_refused(void **state)
{
    struct things w = make_things(context_of(state));
    fmatch_mlp_config config;
    fmatch_model *model;
    fmatch_mlp_config_init(&config);
    config.dim = 65536;
    config.hidden_layers = 64;
    config.hidden_width = 65536;
    expect_status(fmatch_model_create_mlp(&model, w.context, &config), FMATCH_ERROR_NO_MEMORY);
    assert_null(model);
    const float row[] = {1};
    fmatch_array_config array;
    fmatch_array_config_init(&array);
    array.dim = 65536;
    array.n = INT64_MAX;
    array.rows = row;
    fmatch_source *source;
    fmatch_status status = fmatch_source_create_array(&source, w.context, &array);
    expect_that(status == FMATCH_ERROR_ARGUMENT || status == FMATCH_ERROR_NO_MEMORY,
                "an array of 2^63 rows gives %s", fmatch_status_get_name(status));
    float x;
    status = fmatch_source_draw(w.mixture, 1, INT64_MAX, 2, &x);
    expect_that(status == FMATCH_ERROR_ARGUMENT, "rows beyond 2^63 give %s",
                fmatch_status_get_name(status));
    expect_unharmed(&w, "impossible sizes");
    destroy_things(&w);
}

/* ---- destroy and destroyers ---- */

static void destroy_accepts_nothing(void **state)
{
    (void)state;
    fmatch_context *context = NULL;
    fmatch_source *source = NULL;
    fmatch_model *model = NULL;
    fmatch_optimizer *optimizer = NULL;
    fmatch_trainer *trainer = NULL;
    fmatch_sampler *sampler = NULL;
    fmatch_context_destroy(NULL);
    fmatch_context_destroy(&context);
    fmatch_source_destroy(NULL);
    fmatch_source_destroy(&source);
    fmatch_model_destroy(NULL);
    fmatch_model_destroy(&model);
    fmatch_optimizer_destroy(NULL);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_trainer_destroy(NULL);
    fmatch_trainer_destroy(&trainer);
    fmatch_sampler_destroy(NULL);
    fmatch_sampler_destroy(&sampler);
    fmatch_context_config_init_sized(NULL, 100);
    fmatch_mlp_config_init_sized(NULL, 100, FMATCH_PRESET_PLAIN);
}

static void destroy_nulls_the_handle(void **state)
{
    struct things w = make_things(context_of(state));
    destroy_things(&w);
    assert_true(!w.sampler && !w.trainer && !w.optimizer && !w.exact && !w.mlp && !w.array &&
                !w.mixture);
    destroy_things(&w);
}

/* The user's destroy runs once however a create fails, and not when its struct could not be read.
 */
static void users_destroy_runs_once_for_each_create(void **state)
{
    struct things w = make_things(context_of(state));
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (fields[i].use != use_array && fields[i].use != use_source &&
            fields[i].use != use_velocity && fields[i].use != use_allocator &&
            fields[i].use != use_log)
            continue;
        union any_config config;
        memset(&config, 0, sizeof config);
        fields[i].prepare(&config);
        put_value(&config, &fields[i]);
        destroyed = 0;
        expect_that(fields[i].use(&w, &config) != FMATCH_OK, "case %zu passes", i);
        expect_that(destroyed == 1, "%s, case %zu: destroy ran %d times", fields[i].name, i,
                    destroyed);
        fields[i].prepare(&config);
        destroyed = 0;
        expect_ok(fields[i].use(&w, &config));
        expect_that(destroyed == 1, "a whole life of case %zu: destroy ran %d times", i, destroyed);
        config.struct_size = 4;
        destroyed = 0;
        expect_status(fields[i].use(&w, &config), FMATCH_ERROR_STRUCT_SIZE);
        expect_that(destroyed == 0, "unreadable, case %zu: destroy ran %d times", i, destroyed);
    }
    destroy_things(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(sources_refuse_null),
        world_test(models_refuse_null),
        world_test(training_refuses_null),
        world_test(sampling_and_metrics_refuse_null),
        world_test(arguments_out_of_range_are_refused),
        world_test(mixtures_out_of_range_are_refused),
        world_test(struct_sizes_are_checked),
        world_test(longer_structs_need_a_zero_tail),
        world_test(fields_out_of_range_are_refused),
        world_test(bad_arrays_of_a_network_are_refused),
        world_test(impossible_sizes_are_refused),
        cmocka_unit_test(destroy_accepts_nothing),
        world_test(destroy_nulls_the_handle),
        world_test(users_destroy_runs_once_for_each_create),
    };
    return cmocka_run_group_tests_name("misuse", tests, NULL, NULL);
}
