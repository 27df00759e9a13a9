/* Outputs, gradients and ten optimizer steps against PyTorch's, from pytorch_golden.h. */
#include "../api/fixtures.h"

struct golden {
    const char *name;
    int32_t dim, layers;
    int32_t widths[6], activations[6];
    int32_t frequencies, residual, norm;
    int64_t count;
    double loss; /* of the first batch */
    const float *parameters, *x, *t, *output, *noise, *target, *times, *gradient, *adam, *sgd;
};

/* How steps of one of these networks are taken, and where ten of them lead. */
struct golden_rule {
    const char *name;
    const struct golden *network;
    bool adam;
    double learning_rate, weight_decay;
    int32_t nesterov;
    double clip_norm;
    const float *parameters, *norms;
};

#include "pytorch_golden.h"

static fmatch_model *make_golden(fmatch_context *context, const struct golden *golden)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = golden->dim;
    config.hidden_layers = golden->layers;
    config.hidden_widths = golden->widths;
    config.activations = golden->activations;
    config.time_features = golden->frequencies > 0;
    config.time_frequencies = golden->frequencies;
    config.residual_layers = golden->residual;
    config.normalisation = golden->norm;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    assert_int_equal(fmatch_model_count_parameters(model), golden->count);
    write_parameters(model, golden->parameters);
    return model;
}

static fmatch_batch batch_of(const struct golden *golden, int64_t step)
{
    int64_t values = step * GOLDEN_ROWS * golden->dim;
    return (fmatch_batch){sizeof(fmatch_batch),
                          0,
                          GOLDEN_ROWS,
                          golden->target + values,
                          golden->noise + values,
                          golden->times + step * GOLDEN_ROWS,
                          NULL,
                          NULL};
}

static double largest(const float *values, int64_t n)
{
    double found = 0;
    for (int64_t i = 0; i < n; i++)
        found = fmax(found, fabs(values[i]));
    return found;
}

static void outputs_agree(void **state)
{
    for (size_t g = 0; g < COUNT(goldens); g++) {
        const struct golden *golden = &goldens[g];
        fmatch_model *model = make_golden(context_of(state), golden);
        int64_t n = (int64_t)GOLDEN_ROWS * golden->dim;
        float *v = floats(n);
        expect_ok(fmatch_model_evaluate(model, GOLDEN_ROWS, golden->x, golden->t, NULL, v));
        for (int64_t i = 0; i < n; i++)
            expect_close(v[i], golden->output[i], 1e-6 * largest(golden->output, n),
                         "%s: output %lld", golden->name, (long long)i);
        free(v);
        fmatch_model_destroy(&model);
    }
}

static void losses_and_gradients_agree(void **state)
{
    for (size_t g = 0; g < COUNT(goldens); g++) {
        const struct golden *golden = &goldens[g];
        fmatch_model *model = make_golden(context_of(state), golden);
        fmatch_trainer *trainer =
            make_trainer(model, make_adam(context_of(state), 1e-3), NULL, 1, 0);
        fmatch_batch batch = batch_of(golden, 0);
        double loss;
        expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
        expect_close(loss, golden->loss, 1e-6 * golden->loss, "%s: loss", golden->name);
        float *gradient = read_gradient(trainer, model);
        double scale = largest(golden->gradient, golden->count);
        for (int64_t i = 0; i < golden->count; i++)
            expect_close(gradient[i], golden->gradient[i], 1e-5 * scale, "%s: derivative %lld",
                         golden->name, (long long)i);
        free(gradient);
        fmatch_trainer_destroy(&trainer);
        fmatch_model_destroy(&model);
    }
}

static float *parameters_after_ten_steps(fmatch_context *context, const struct golden *golden,
                                         fmatch_optimizer *optimizer)
{
    fmatch_model *model = make_golden(context, golden);
    fmatch_trainer *trainer = make_trainer(model, optimizer, NULL, 1, 0);
    for (int64_t step = 0; step < GOLDEN_STEPS; step++) {
        fmatch_batch batch = batch_of(golden, step);
        expect_ok(fmatch_trainer_run_batch(trainer, &batch, NULL));
    }
    int64_t n;
    float *parameters = read_parameters(model, &n);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    return parameters;
}

static void expect_near(const struct golden *golden, const float *seen, const float *wanted,
                        double each, double root_mean_square)
{
    double sum = 0;
    for (int64_t i = 0; i < golden->count; i++) {
        expect_close(seen[i], wanted[i], each, "%s: parameter %lld", golden->name, (long long)i);
        sum += ((double)seen[i] - wanted[i]) * ((double)seen[i] - wanted[i]);
    }
    double root = sqrt(sum / (double)golden->count);
    expect_that(root <= root_mean_square, "%s: root mean square difference %g, allowed %g",
                golden->name, root, root_mean_square);
}

/* Adam divides the gradient by its own size, so where a derivative is near zero its rounding error
 * (1e-7 of the largest) becomes a visible part of the step of 1e-3: single parameters may be off by
 * a hundredth of the way that ten steps go, 1e-4. Most are not: the root mean square stays at
 * float's rounding of parameters near 1. Forgetting a bias correction would show as 1e-3, epsilon
 * inside the root as 1e-5. */
static void ten_steps_of_adam_agree(void **state)
{
    for (size_t g = 0; g < COUNT(goldens); g++) {
        float *seen = parameters_after_ten_steps(context_of(state), &goldens[g],
                                                 make_adam(context_of(state), 1e-3));
        expect_near(&goldens[g], seen, goldens[g].adam, 1e-4, 1e-6);
        free(seen);
    }
}

/* Momentum is linear in the gradient: rounding stays rounding. */
static void ten_steps_of_sgd_agree(void **state)
{
    for (size_t g = 0; g < COUNT(goldens); g++) {
        float *seen = parameters_after_ten_steps(context_of(state), &goldens[g],
                                                 make_sgd(context_of(state), 0.05, 0.9));
        double scale = fmax(1, largest(goldens[g].sgd, goldens[g].count));
        expect_near(&goldens[g], seen, goldens[g].sgd, 4e-6 * scale, 1e-6 * scale);
        free(seen);
    }
}

static fmatch_optimizer *make_optimizer(fmatch_context *context, const struct golden_rule *rule)
{
    fmatch_adam_config adam;
    fmatch_sgd_config sgd;
    fmatch_adam_config_init_preset(&adam, FMATCH_PRESET_PLAIN);
    fmatch_sgd_config_init(&sgd);
    adam.learning_rate = sgd.learning_rate = rule->learning_rate;
    adam.weight_decay = sgd.weight_decay = rule->weight_decay;
    sgd.nesterov = rule->nesterov;
    fmatch_optimizer *optimizer;
    expect_ok(rule->adam ? fmatch_optimizer_create_adam(&optimizer, context, &adam)
                         : fmatch_optimizer_create_sgd(&optimizer, context, &sgd));
    return optimizer;
}

/* AdamW, decay and Nesterov's momentum in SGD, and torch.nn.utils.clip_grad_norm_: parameters
 * within the limits of above, and the norm before clipping at every step. */
static void ten_steps_by_other_rules_agree(void **state)
{
    for (size_t r = 0; r < COUNT(golden_rules); r++) {
        const struct golden_rule *rule = &golden_rules[r];
        fmatch_model *model = make_golden(context_of(state), rule->network);
        fmatch_optimizer *optimizer = make_optimizer(context_of(state), rule);
        fmatch_trainer_config config;
        fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
        config.clip_norm = rule->clip_norm;
        fmatch_trainer *trainer;
        expect_ok(fmatch_trainer_create(&trainer, model, optimizer, NULL, &config));
        int clipped = 0;
        for (int64_t step = 0; step < GOLDEN_STEPS; step++) {
            const fmatch_batch batch = batch_of(rule->network, step);
            fmatch_trainer_info info = {.struct_size = sizeof info};
            expect_ok(fmatch_trainer_run_batch(trainer, &batch, NULL));
            expect_ok(fmatch_trainer_get_info(trainer, &info));
            expect_close(info.gradient_norm, rule->norms[step], 1e-5 * rule->norms[step],
                         "%s: norm at step %lld", rule->name, (long long)step);
            clipped += info.gradient_norm > rule->clip_norm;
        }
        expect_that(rule->clip_norm == 0 || (clipped > 0 && clipped < GOLDEN_STEPS),
                    "%s: %d steps are clipped", rule->name, clipped);
        int64_t n;
        float *seen = read_parameters(model, &n);
        const double scale = fmax(1, largest(rule->parameters, n));
        expect_near(rule->network, seen, rule->parameters, rule->adam ? 1e-4 : 4e-6 * scale,
                    1e-6 * scale);
        free(seen);
        fmatch_trainer_destroy(&trainer);
        fmatch_optimizer_destroy(&optimizer);
        fmatch_model_destroy(&model);
    }
}

static void every_activation_is_covered(void **state)
{
    (void)state;
    for (int32_t activation = 0; activation < ACTIVATIONS; activation++) {
        bool found = false;
        for (size_t g = 0; g < COUNT(goldens); g++)
            found = found || (goldens[g].activations[0] == activation && goldens[g].layers > 0);
        expect_that(found, "no golden values for %s", activation_name(activation));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(outputs_agree),
        world_test(losses_and_gradients_agree),
        world_test(ten_steps_of_adam_agree),
        world_test(ten_steps_of_sgd_agree),
        world_test(ten_steps_by_other_rules_agree),
        cmocka_unit_test(every_activation_is_covered),
    };
    return cmocka_run_group_tests_name("pytorch", tests, NULL, NULL);
}
