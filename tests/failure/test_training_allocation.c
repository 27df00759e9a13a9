/* Training with every setting: any allocation of its creation may fail, and the steady state
 * allocates nothing. */
#include "../api/fixtures.h"

enum { DIM = 2, BATCH = 20 };

static int32_t straight(void *user, int64_t n, const double *t, double *alpha, double *sigma,
                        double *alpha_rate, double *sigma_rate)
{
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        alpha[i] = t[i];
        sigma[i] = 1 - t[i];
        alpha_rate[i] = 1;
        sigma_rate[i] = -1;
    }
    return 0;
}

static int32_t ones(void *user, int64_t n, const float *t, double *weight)
{
    (void)user;
    for (int64_t i = 0; i < n; i++)
        weight[i] = 1 + t[i];
    return 0;
}

static int32_t in_order(void *user, fmatch_random *random, int64_t n, int32_t dim,
                        const float *noise, const float *target, int32_t condition_dim,
                        const float *condition, int32_t *noise_row, int32_t *target_row)
{
    (void)user, (void)random, (void)dim, (void)noise, (void)target, (void)condition_dim;
    (void)condition;
    for (int32_t i = 0; i < n; i++)
        noise_row[i] = target_row[i] = i;
    return 0;
}

static int32_t slower(void *user, int64_t step, double *factor)
{
    (void)user;
    *factor = 1 / (double)(step + 1);
    return 0;
}

static int64_t offered, destroyed;

static void count_destroy(void *user)
{
    (void)user;
    destroyed++;
}

static const fmatch_schedule_callbacks schedule = {
    .struct_size = sizeof schedule, .evaluate = straight, .destroy = count_destroy};
static const fmatch_loss_callbacks weigh = {
    .struct_size = sizeof weigh, .weigh = ones, .destroy = count_destroy};
static const fmatch_coupling_callbacks pair = {
    .struct_size = sizeof pair, .pair = in_order, .destroy = count_destroy};
static const fmatch_rate_callbacks rates = {
    .struct_size = sizeof rates, .evaluate = slower, .destroy = count_destroy};
static const double grid[] = {0.2, 0.6};

/* Handles of one life. */
struct holdings {
    fmatch_source *target;
    fmatch_model *model, *copy;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
    fmatch_sampler *sampler;
};

static void give_up(struct holdings *h)
{
    fmatch_sampler_destroy(&h->sampler);
    fmatch_trainer_destroy(&h->trainer);
    fmatch_optimizer_destroy(&h->optimizer);
    fmatch_model_destroy(&h->copy);
    fmatch_model_destroy(&h->model);
    fmatch_source_destroy(&h->target);
}

#define RETURN_IF_FAILED(call)                                                                     \
    do {                                                                                           \
        fmatch_status status_ = (call);                                                            \
        if (status_ != FMATCH_OK)                                                                  \
            return status_;                                                                        \
    } while (0)

static fmatch_status make_target(fmatch_source **target, fmatch_context *context, bool stored)
{
    static const float rows[] = {0, 1, 2, 3, 4, 5}, labels[] = {0, 1, 0}, weights[] = {1, 0, 2};
    fmatch_toy_config toy;
    fmatch_toy_config_init(&toy);
    toy.labels = 1;
    fmatch_array_config array;
    fmatch_array_config_init(&array);
    array.dim = DIM;
    array.n = 3;
    array.rows = rows;
    array.condition_dim = 1;
    array.conditions = labels;
    array.weights = weights;
    return stored ? fmatch_source_create_array(target, context, &array)
                  : fmatch_source_create_toy(target, context, &toy);
}

static fmatch_status make_model(struct holdings *h, fmatch_context *context, bool stored)
{
    static const float deviation = 2;
    RETURN_IF_FAILED(make_target(&h->target, context, stored));
    fmatch_path_config path;
    fmatch_path_config_init(&path);
    path.kind = FMATCH_PATH_CALLBACK;
    path.noise = 0.1;
    path.schedule = &schedule;
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = DIM;
    config.hidden_layers = 2;
    config.hidden_width = 5;
    config.time_features = FMATCH_TIME_FEATURES_FOURIER;
    config.residual_layers = 1;
    config.normalisation = FMATCH_NORMALISATION_LAYER;
    config.condition_std = &deviation;
    config.condition_dim = 1;
    config.classes = 2;
    config.null_condition = FMATCH_NULL_CONDITION_ACCEPTED;
    config.path = &path;
    offered++;
    RETURN_IF_FAILED(fmatch_model_create_mlp(&h->model, context, &config));
    return fmatch_model_create_copy(&h->copy, h->model);
}

static fmatch_status make_trainer_of(struct holdings *h, const fmatch_coupling_config *coupling)
{
    const fmatch_time_config time = {
        .struct_size = sizeof time, .kind = FMATCH_TIME_GRID, .grid = grid, .grid_count = 2};
    const fmatch_loss_config loss = {.struct_size = sizeof loss,
                                     .kind = FMATCH_LOSS_PSEUDO_HUBER,
                                     .weight = FMATCH_LOSS_WEIGHT_CALLBACK,
                                     .callbacks = &weigh};
    const fmatch_rate_config rate = {
        .struct_size = sizeof rate, .kind = FMATCH_RATE_CALLBACK, .callbacks = &rates};
    fmatch_validation_config validation;
    fmatch_validation_config_init(&validation);
    validation.every = 2;
    validation.rows = 3 * BATCH;
    validation.patience = 0;
    validation.source = coupling->kind == FMATCH_COUPLING_SEMIDISCRETE ? NULL : h->target;
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = BATCH;
    config.rate = &rate;
    config.validation = &validation;
    config.accumulate = 3;
    config.clip_norm = 0.1;
    config.average_decay = 0.9;
    config.publish = FMATCH_PUBLISH_BEST;
    config.time = &time;
    config.loss = &loss;
    config.coupling = coupling;
    offered += 2 + (coupling->callbacks != NULL);
    return fmatch_trainer_create(&h->trainer, h->model, h->optimizer, h->target, &config);
}

static fmatch_status live(struct holdings *h, fmatch_context *context,
                          const fmatch_coupling_config *coupling)
{
    RETURN_IF_FAILED(make_model(h, context, coupling->kind == FMATCH_COUPLING_SEMIDISCRETE));
    RETURN_IF_FAILED(fmatch_optimizer_create_adam(&h->optimizer, context, NULL));
    RETURN_IF_FAILED(make_trainer_of(h, coupling));
    RETURN_IF_FAILED(fmatch_trainer_run(h->trainer, 3, NULL));
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.steps = 2;
    config.guidance = FMATCH_GUIDANCE_SCALE;
    config.guidance_strength = 2;
    RETURN_IF_FAILED(fmatch_sampler_create(&h->sampler, h->model, &config));
    const float labels[3] = {0, 1, NAN};
    float x[3 * DIM];
    return fmatch_sampler_draw(h->sampler, 1, 0, 3, labels, x);
}

static const fmatch_semidiscrete_config few_steps = {.struct_size = sizeof few_steps,
                                                     .batch = 16,
                                                     .steps = 3,
                                                     .learning_rate = 0.1,
                                                     .averaging = 0.5};

static const fmatch_coupling_config couplings[] = {
    {.struct_size = sizeof *couplings,
     .kind = FMATCH_COUPLING_SEMIDISCRETE,
     .semidiscrete = &few_steps,
     .condition = FMATCH_CONDITION_COUPLING_NONE,
     .condition_rate = 0.05},
    {.struct_size = sizeof *couplings, .kind = FMATCH_COUPLING_EXACT, .condition_rate = 0.05},
    {.struct_size = sizeof *couplings,
     .kind = FMATCH_COUPLING_EXACT,
     .batch = 3 * BATCH,
     .pairing = FMATCH_PAIRING_REPLACEMENT,
     .condition_rate = 0.05},
    {.struct_size = sizeof *couplings, .kind = FMATCH_COUPLING_ENTROPIC, .condition_rate = 0.05},
    {.struct_size = sizeof *couplings,
     .kind = FMATCH_COUPLING_CALLBACK,
     .callbacks = &pair,
     .condition_rate = 0.05},
};

static void each_allocation_may_fail(void **state)
{
    struct ledger *ledger = &((struct world *)*state)->ledger;
    for (size_t i = 0; i < COUNT(couplings); i++) {
        const int64_t before = ledger->live;
        bool failed = true;
        int64_t k = 0;
        while (failed) {
            struct holdings h = {0};
            offered = destroyed = 0;
            ledger->fail_at = ledger->calls + ++k;
            const fmatch_status status = live(&h, context_of(state), &couplings[i]);
            failed = ledger->calls >= ledger->fail_at;
            ledger->fail_at = 0;
            expect_that(status == (failed ? FMATCH_ERROR_NO_MEMORY : FMATCH_OK),
                        "coupling %zu, allocation %lld: %s (\"%s\")", i, (long long)k,
                        fmatch_status_get_name(status), fmatch_error_detail());
            give_up(&h);
            expect_that(ledger->live == before, "coupling %zu, allocation %lld: %lld blocks left",
                        i, (long long)k, (long long)(ledger->live - before));
            expect_that(offered == destroyed,
                        "coupling %zu, allocation %lld: %lld of %lld destroyed", i, (long long)k,
                        (long long)destroyed, (long long)offered);
        }
        expect_that(k > 20, "coupling %zu: only %lld allocations", i, (long long)k);
    }
}

static void steps_allocate_nothing(void **state)
{
    struct ledger *ledger = &((struct world *)*state)->ledger;
    for (size_t i = 0; i < COUNT(couplings); i++) {
        struct holdings h = {0};
        expect_ok(live(&h, context_of(state), &couplings[i]));
        expect_ok(fmatch_trainer_run(h.trainer, 10, NULL));
        const int64_t calls = ledger->calls;
        double loss;
        expect_ok(fmatch_trainer_run(h.trainer, 20, NULL));
        expect_ok(fmatch_trainer_evaluate(h.trainer, 1, 100, &loss));
        expect_that(ledger->calls == calls, "coupling %zu: %lld allocations in 20 steps", i,
                    (long long)(ledger->calls - calls));
        give_up(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(each_allocation_may_fail),
        world_test(steps_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
