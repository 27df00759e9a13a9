#include "learned_flow.h"
#include "progress.h"

#include <stdio.h>

static fmatch_status create_network(fmatch_model **model, fmatch_context *context,
                                    const fmatch_source *data, const struct learning *learning)
{
    fmatch_mlp_config network;

    fmatch_mlp_config_init(&network);
    network.data = data; /* its dimension, mean and deviation are measured */
    network.noise = learning->noise;
    network.hidden_layers = learning->hidden_layers;
    network.hidden_width = learning->hidden_width;
    network.time_features = FMATCH_TIME_FEATURES_FOURIER; /* half the divergence from two moons */
    network.seed = learning->seed;
    return fmatch_model_create_mlp(model, context, &network);
}

static fmatch_status train(fmatch_model *model, fmatch_context *context, const fmatch_source *data,
                           const struct learning *learning)
{
    fmatch_optimizer *optimizer = NULL;
    fmatch_trainer *trainer = NULL;
    fmatch_trainer_config training;
    fmatch_status status;

    fmatch_trainer_config_init(&training);
    training.batch = learning->batch, training.seed = learning->seed;
    training.steps = learning->steps; /* over which the learning rate falls */
    if ((status = fmatch_optimizer_create_adam(&optimizer, context, NULL)) == FMATCH_OK &&
        (status = fmatch_trainer_create(&trainer, model, optimizer, data, &training)) == FMATCH_OK)
        status = train_with_progress(trainer, learning->steps);
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    return status;
}

fmatch_status learn_flow(fmatch_model **model, fmatch_context *context, const fmatch_source *data,
                         const struct learning *learning)
{
    fmatch_status status = create_network(model, context, data, learning);

    if (status == FMATCH_OK)
        status = train(*model, context, data, learning);
    if (status != FMATCH_OK)
        fmatch_model_destroy(model);
    return status;
}

fmatch_status create_context(fmatch_context **context, int32_t threads)
{
    fmatch_context_config config;

    fmatch_context_config_init(&config);
    config.threads = threads;
    return fmatch_context_create(context, &config);
}

int report_status(const char *program, fmatch_status status)
{
    if (status == FMATCH_OK)
        return 0;
    fprintf(stderr, "%s: %s: %s\n", program, fmatch_status_get_text(status), fmatch_error_detail());
    return 1;
}
