/* The trainer's gradient against central differences of a loss computed in double precision by code
 * that is not the library's. */
#include "fixtures.h"

struct case_of_gradient {
    int32_t dim, layers;
    int32_t widths[5];
    int64_t n;
    bool standardised;
};

static const struct case_of_gradient cases[] = {
    {1, 2, {16, 16}, 20, false},
    {2, 1, {7}, 17, false},
    {3, 0, {0}, 9, false},
    {1, 1, {1}, 1, false},
    {2, 5, {5, 4, 6, 3, 9}, 33, false},
    {3, 2, {17, 10}, 40, true},
    {1, 2, {33, 12}, 50, true},
};

static const float mean3[] = {10, -0.5f, 3}, std3[] = {4, 0.25f, 1};

/* The rows of a batch; near the model's scale. */
struct rows {
    float *noise, *target, *t;
};

static struct rows make_rows(const struct case_of_gradient *c)
{
    int64_t values = c->n * c->dim;
    struct rows rows = {floats(values), floats(values), floats(c->n)};
    fill_scattered(rows.noise, values, -2, 2, 1);
    fill_scattered(rows.target, values, -2, 2, 2);
    fill_scattered(rows.t, c->n, 0, 1, 3);
    for (int64_t i = 0; c->standardised && i < values; i++) {
        rows.noise[i] = mean3[i % c->dim] + std3[i % c->dim] * rows.noise[i];
        rows.target[i] = mean3[i % c->dim] + std3[i % c->dim] * rows.target[i];
    }
    return rows;
}

static fmatch_model *make_case_model(fmatch_context *context, const struct case_of_gradient *c,
                                     int32_t activation)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = c->dim;
    config.hidden_layers = c->layers;
    config.hidden_widths = c->widths;
    config.activation = activation;
    config.seed = 9;
    config.data_mean = c->standardised ? mean3 : NULL;
    config.data_std = c->standardised ? std3 : NULL;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

/* Central difference in double with step h: error h^2 / 6 of the third derivative plus 1e-16 / h.
 * At a kink (ReLU, ELU's and SELU's second derivative) the step may straddle it for one row; a
 * second, smaller step tells. */
static double difference(struct reference_net *net, const struct case_of_gradient *c,
                         const struct rows *rows, int64_t i, double h)
{
    double kept = net->parameters[i];
    net->parameters[i] = kept + h;
    double above = reference_net_loss(net, c->n, rows->noise, rows->target, rows->t);
    net->parameters[i] = kept - h;
    double below = reference_net_loss(net, c->n, rows->noise, rows->target, rows->t);
    net->parameters[i] = kept;
    return (above - below) / (2 * h);
}

/* Relative to the largest element of the gradient: 1e-4. */
static void expect_gradient(fmatch_context *context, const struct case_of_gradient *c,
                            int32_t activation, const char *what)
{
    struct rows rows = make_rows(c);
    fmatch_model *model = make_case_model(context, c, activation);
    struct reference_net net = reference_net_of(model, activation, c->standardised ? mean3 : NULL,
                                                c->standardised ? std3 : NULL);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-3), NULL, 1, 0);
    fmatch_batch batch = {sizeof batch, 0, c->n, rows.target, rows.noise, rows.t, NULL, NULL};
    double loss, scale = 0;
    expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
    double wanted_loss = reference_net_loss(&net, c->n, rows.noise, rows.target, rows.t);
    expect_close(loss, wanted_loss, 2e-6 * wanted_loss, "%s: loss", what);

    float *gradient = read_gradient(trainer, model);
    double *wanted = calloc((size_t)net.count, sizeof *wanted);
    for (int64_t i = 0; i < net.count; i++) {
        wanted[i] = difference(&net, c, &rows, i, 1e-6);
        scale = fmax(scale, fabs(wanted[i]));
    }
    for (int64_t i = 0; i < net.count; i++) {
        if (fabs(gradient[i] - wanted[i]) > 1e-4 * scale)
            wanted[i] = difference(&net, c, &rows, i, 1e-8);
        expect_close(gradient[i], wanted[i], 1e-4 * scale, "%s: derivative %lld of %lld", what,
                     (long long)i, (long long)net.count);
    }
    expect_that(scale > 1e-3, "%s: the gradient vanishes (%g), the test shows nothing", what,
                scale);
    free(wanted);
    free(gradient);
    free(net.parameters);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    free(rows.noise);
    free(rows.target);
    free(rows.t);
}

static void gradients_match_central_differences(void **state)
{
    for (int32_t activation = 0; activation < ACTIVATIONS; activation++)
        for (size_t i = 0; i < COUNT(cases); i++) {
            char what[64];
            snprintf(what, sizeof what, "%s, case %zu", activation_name(activation), i);
            expect_gradient(context_of(state), &cases[i], activation, what);
        }
}

/* A batch that is cut into row blocks inside gives the mean over all of them. */
static void gradient_of_a_large_batch_is_the_mean_of_its_parts(void **state)
{
    const struct case_of_gradient whole = {2, 2, {64, 64}, 1000, false};
    struct rows rows = make_rows(&whole);
    fmatch_model *model = make_case_model(context_of(state), &whole, FMATCH_ACTIVATION_GELU);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context_of(state), 1e-3), NULL, 1, 0);
    int64_t count = fmatch_model_count_parameters(model);
    double *sum = calloc((size_t)count, sizeof *sum), loss, sum_loss = 0;
    for (int64_t first = 0; first < 1000; first += 8) {
        fmatch_batch part = {
            sizeof part,    0,    8,   rows.target + 2 * first, rows.noise + 2 * first,
            rows.t + first, NULL, NULL};
        expect_ok(fmatch_trainer_evaluate_batch(trainer, &part, &loss));
        float *g = read_gradient(trainer, model);
        for (int64_t i = 0; i < count; i++)
            sum[i] += g[i] / 125.0;
        sum_loss += loss / 125.0;
        free(g);
    }
    fmatch_batch batch = {sizeof batch, 0, 1000, rows.target, rows.noise, rows.t, NULL, NULL};
    expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
    expect_close(loss, sum_loss, 2e-6 * loss, "loss");
    float *g = read_gradient(trainer, model);
    double scale = 0;
    for (int64_t i = 0; i < count; i++)
        scale = fmax(scale, fabs(sum[i]));
    for (int64_t i = 0; i < count; i++)
        expect_close(g[i], sum[i], 1e-5 * scale, "derivative %lld", (long long)i);
    free(g);
    free(sum);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    free(rows.noise);
    free(rows.target);
    free(rows.t);
}

/* Evaluating says what run_batch will say, and changes nothing. */
static void evaluating_a_batch_takes_no_step(void **state)
{
    const struct case_of_gradient c = {2, 1, {10}, 30, false};
    struct rows rows = make_rows(&c);
    fmatch_model *model = make_case_model(context_of(state), &c, FMATCH_ACTIVATION_TANH);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context_of(state), 1e-3), NULL, 1, 0);
    fmatch_batch batch = {sizeof batch, 0, c.n, rows.target, rows.noise, rows.t, NULL, NULL};
    int64_t n;
    float *before = read_parameters(model, &n);
    double loss, again;
    expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
    expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, NULL));
    assert_int_equal(fmatch_trainer_count_steps(trainer), 0);
    float *evaluated = read_gradient(trainer, model), *now = read_parameters(model, &n);
    expect_same_bits(now, before, n, "parameters after evaluating");
    free(now);
    expect_ok(fmatch_trainer_run_batch(trainer, &batch, &again));
    assert_true(loss == again);
    assert_int_equal(fmatch_trainer_count_steps(trainer), 1);
    float *stepped = read_gradient(trainer, model);
    expect_same_bits(stepped, evaluated, n, "gradient of the step");
    now = read_parameters(model, &n);
    expect_that(memcmp(now, before, (size_t)n * sizeof *now) != 0, "the step changed none of %lld",
                (long long)n);
    free(now);
    free(stepped);
    free(evaluated);
    free(before);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    free(rows.noise);
    free(rows.target);
    free(rows.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(gradients_match_central_differences),
        world_test(gradient_of_a_large_batch_is_the_mean_of_its_parts),
        world_test(evaluating_a_batch_takes_no_step),
    };
    return cmocka_run_group_tests_name("trainer_gradient", tests, NULL, NULL);
}
