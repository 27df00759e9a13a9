/* Adam: Kingma and Ba 2015, algorithm 1, with the order of operations of torch.optim.Adam, and with
 * a decay of torch.optim.AdamW: Loshchilov and Hutter 2019. */
#include "train/optimizer.h"

#include "base/configuration.h"
#include "base/status.h"
#include "compute/vector_kernels.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

struct adam {
    fmatch_optimizer optimizer;
    fmatch_adam_config config;
};

static void adam_step(const fmatch_optimizer *optimizer, const struct optimizer_step *step,
                      int64_t n, const float *gradient, float *parameters, float *const *state)
{
    const fmatch_adam_config *a = &((const struct adam *)optimizer)->config;
    const double correction1 = 1.0 - pow(a->beta1, (double)step->number);
    const double correction2 = 1.0 - pow(a->beta2, (double)step->number);
    const struct adam_step scalars = {
        .scale = (float)step->scale,
        .decay = (float)(1.0 - step->learning_rate * a->weight_decay),
        .beta1 = (float)a->beta1,
        .one_minus_beta1 = (float)(1.0 - a->beta1),
        .beta2 = (float)a->beta2,
        .one_minus_beta2 = (float)(1.0 - a->beta2),
        .step_size = (float)(step->learning_rate / correction1),
        .root_scale = (float)(1.0 / sqrt(correction2)),
        .epsilon = (float)a->epsilon,
    };
    optimizer->context->kernels->adam(&scalars, n, gradient, parameters, state[0], state[1]);
}

static const struct optimizer_kind adam_kind = {
    .number = 0, .config = offsetof(struct adam, config), .arrays = 2, .step = adam_step};

void fmatch_adam_config_init_sized(fmatch_adam_config *config, size_t size, int32_t preset)
{
    static const fmatch_adam_config presets[] = {
        [FMATCH_PRESET_RECOMMENDED] = {.learning_rate = 5e-3,
                                       .beta1 = 0.9,
                                       .beta2 = 0.999,
                                       .epsilon = 1e-8},
        [FMATCH_PRESET_PLAIN] = {.learning_rate = 1e-3,
                                 .beta1 = 0.9,
                                 .beta2 = 0.999,
                                 .epsilon = 1e-8},
    };
    configuration_write_preset(config, size, preset, presets, 2, sizeof *presets);
}

static fmatch_status check_config(const fmatch_adam_config *c)
{
    const struct interval decay = {.lowest = 0.0, .highest = 1.0, .open_above = true};
    const struct interval of_a_float = {.lowest = FLT_MIN, .highest = FLT_MAX};
    RETURN_IF_FAILED(configuration_check_flags("config->flags", c->flags));
    RETURN_IF_FAILED(optimizer_check_rate("config->learning_rate", c->learning_rate));
    const struct interval weight_decay = {.highest = optimizer_highest_rate(c->learning_rate)};
    RETURN_IF_FAILED(
        configuration_check_double("config->weight_decay", c->weight_decay, weight_decay));
    RETURN_IF_FAILED(configuration_check_double("config->beta1", c->beta1, decay));
    RETURN_IF_FAILED(configuration_check_double("config->beta2", c->beta2, decay));
    return configuration_check_double("config->epsilon", c->epsilon, of_a_float);
}

fmatch_status fmatch_optimizer_create_adam(fmatch_optimizer **optimizer, fmatch_context *context,
                                           const fmatch_adam_config *config)
{
    status_begin();
    CHECK_NOT_NULL(optimizer);
    *optimizer = NULL;
    CHECK_NOT_NULL(context);
    fmatch_adam_config given;
    fmatch_adam_config_init(&given);
    if (config)
        RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));
    RETURN_IF_FAILED(check_config(&given));
    RETURN_IF_FAILED(
        optimizer_create(optimizer, context, sizeof(struct adam), &adam_kind, given.learning_rate));
    ((struct adam *)*optimizer)->config = given;
    (*optimizer)->highest_rate = optimizer_highest_rate(given.weight_decay);
    return FMATCH_OK;
}
