#include "train/settings.h"

#include "base/status.h"

fmatch_status settings_create(struct settings *settings, const fmatch_model *model,
                              const fmatch_trainer_config *config)
{
    const fmatch_allocator *allocator = &model->context->allocator;
    const struct path_times range = path_times_of(model->path, model->prediction);
    const struct coupling_shape shape = {.dim = model->dim,
                                         .condition_dim = model->condition.columns,
                                         .classes = model->condition.classes,
                                         .batch = config->batch};
    *settings = (struct settings){0};
    fmatch_status status =
        time_sampler_create(&settings->times, allocator, config->time, range.from, range.to);
    if (status == FMATCH_OK)
        status =
            loss_create(&settings->loss, config->loss, model->dim, model->path, model->prediction);
    else
        loss_give_up(config->loss);
    if (status == FMATCH_OK)
        status = coupling_create(&settings->coupling, model->context, config->coupling, &shape);
    else
        coupling_give_up(config->coupling);
    if (status == FMATCH_OK)
        status = status_check_range("config->steps", config->steps, 1, INT64_MAX);
    if (status == FMATCH_OK)
        status = rate_create(&settings->rate, config->rate, config->steps);
    else
        rate_give_up(config->rate);
    if (status != FMATCH_OK)
        settings_destroy(settings, allocator);
    return status;
}

void settings_give_up(const fmatch_trainer_config *config)
{
    time_sampler_give_up(config->time);
    loss_give_up(config->loss);
    coupling_give_up(config->coupling);
    rate_give_up(config->rate);
}

void settings_destroy(struct settings *settings, const fmatch_allocator *allocator)
{
    coupling_destroy(settings->coupling);
    rate_destroy(&settings->rate);
    loss_destroy(&settings->loss);
    time_sampler_destroy(&settings->times, allocator);
    *settings = (struct settings){0};
}
