#include "digit_flow.h"

/* Other draws than the training's, which begins with the seed itself. */
enum { SEED_SAMPLES = 1, SEED_VALIDATION = 2 };

static fmatch_status create_model(struct digit_flow *flow, fmatch_context *context, uint64_t seed)
{
    fmatch_mlp_config network;

    fmatch_mlp_config_init(&network);
    network.data = flow->train; /* pixels that are always paper stay so */
    network.hidden_layers = 3, network.hidden_width = 256;
    network.activation = FMATCH_ACTIVATION_SILU;
    network.seed = seed;
    /* The label is what the digit is conditioned on; guidance asks without it as well. */
    network.condition_dim = 1, network.classes = CLASSES;
    network.null_condition = FMATCH_NULL_CONDITION_ACCEPTED;
    return fmatch_model_create_mlp(&flow->model, context, &network);
}

static fmatch_status create_trainer(struct digit_flow *flow, fmatch_context *context, int64_t steps,
                                    uint64_t seed)
{
    const fmatch_validation_config validation = {.struct_size = sizeof validation,
                                                 .rows = 1024,
                                                 .every = steps < 40 ? 1 : steps / 40,
                                                 .seed = seed + SEED_VALIDATION,
                                                 .source = flow->held_out};
    fmatch_trainer_config training;
    fmatch_status status;

    fmatch_trainer_config_init(&training);
    training.batch = 128, training.seed = seed;
    training.condition_dropout = 0.1;  /* share of rows without their label, as by default */
    training.steps = steps;            /* over which the learning rate falls */
    training.validation = &validation; /* to be shown: nothing is chosen by it */
    if ((status = fmatch_optimizer_create_adam(&flow->optimizer, context, NULL)) != FMATCH_OK)
        return status;
    return fmatch_trainer_create(&flow->trainer, flow->model, flow->optimizer, flow->train,
                                 &training);
}

fmatch_status digit_flow_train(struct digit_flow *flow, fmatch_context *context,
                               const struct digit_rows *train, const struct digit_rows *held_out,
                               int64_t steps, uint64_t seed)
{
    fmatch_status status;

    *flow = (struct digit_flow){0};
    if ((status = digit_rows_create_source(train, context, &flow->train)) != FMATCH_OK ||
        (status = digit_rows_create_source(held_out, context, &flow->held_out)) != FMATCH_OK ||
        (status = create_model(flow, context, seed)) != FMATCH_OK ||
        (status = create_trainer(flow, context, steps, seed)) != FMATCH_OK)
        return status;
    return train_with_record(flow->trainer, steps, &flow->record);
}

void digit_flow_destroy(struct digit_flow *flow)
{
    training_record_destroy(&flow->record);
    fmatch_trainer_destroy(&flow->trainer);
    fmatch_optimizer_destroy(&flow->optimizer);
    fmatch_model_destroy(&flow->model);
    fmatch_source_destroy(&flow->held_out);
    fmatch_source_destroy(&flow->train);
}

fmatch_status digit_flow_draw(const struct digit_flow *flow, const struct digit_rows *train,
                              uint64_t seed, struct guided_digits *digits)
{
    fmatch_sampler *sampler = NULL;
    fmatch_sampler_config solver;

    for (int i = 0; i < SAMPLES; i++)
        digits->labels[i] = (float)(i / EACH);
    fmatch_sampler_config_init(&solver);
    solver.guidance = FMATCH_GUIDANCE_SCALE;
    solver.guidance_strength = digits->scale;
    fmatch_status status = fmatch_sampler_create(&sampler, flow->model, &solver);
    if (status == FMATCH_OK)
        status = fmatch_sampler_draw(sampler, seed + SEED_SAMPLES, 0, SAMPLES, digits->labels,
                                     digits->pixels);
    fmatch_sampler_destroy(&sampler);
    if (status != FMATCH_OK)
        return status;
    nearest_digits_find(train, SAMPLES, digits->pixels, digits->nearest);
    digits->recognised = nearest_digits_share(SAMPLES, digits->nearest, digits->labels);
    digits->distance = nearest_digits_median_distance(SAMPLES, digits->nearest);
    return FMATCH_OK;
}
