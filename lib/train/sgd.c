/* Stochastic gradient descent with momentum, as torch.optim.SGD has it. */
#include "train/optimizer.h"

#include "base/configuration.h"
#include "base/status.h"
#include "compute/vector_kernels.h"

#include <math.h>
#include <stddef.h>

struct sgd {
    fmatch_optimizer optimizer;
    fmatch_sgd_config config;
};

static void sgd_step(const fmatch_optimizer *optimizer, const struct optimizer_step *step,
                     int64_t n, const float *gradient, float *parameters, float *const *state)
{
    /* The velocity starts at zero, which makes the first step no exception. */
    const fmatch_sgd_config *c = &((const struct sgd *)optimizer)->config;
    const struct sgd_step scalars = {
        .scale = (float)step->scale,
        .weight_decay = (float)c->weight_decay,
        .momentum = (float)c->momentum,
        .learning_rate = (float)step->learning_rate,
        .of_gradient = c->nesterov ? 1.0f : 0.0f,
        .of_velocity = c->nesterov ? (float)c->momentum : 1.0f,
    };
    optimizer->context->kernels->sgd(&scalars, n, gradient, parameters, state[0]);
}

static const struct optimizer_kind sgd_kind = {
    .number = 1, .config = offsetof(struct sgd, config), .arrays = 1, .step = sgd_step};

void fmatch_sgd_config_init_sized(fmatch_sgd_config *config, size_t size, int32_t preset)
{
    static const fmatch_sgd_config presets[] = {
        [FMATCH_PRESET_RECOMMENDED] = {.learning_rate = 1e-2, .momentum = 0.9},
        [FMATCH_PRESET_PLAIN] = {.learning_rate = 1e-2},
    };
    configuration_write_preset(config, size, preset, presets, 2, sizeof *presets);
}

fmatch_status fmatch_optimizer_create_sgd(fmatch_optimizer **optimizer, fmatch_context *context,
                                          const fmatch_sgd_config *config)
{
    status_begin();
    CHECK_NOT_NULL(optimizer);
    *optimizer = NULL;
    CHECK_NOT_NULL(context);
    fmatch_sgd_config given;
    fmatch_sgd_config_init(&given);
    if (config)
        RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));
    const struct interval decay = {.lowest = 0.0, .highest = 1.0, .open_above = true};
    CHECK_RANGE("config->nesterov", given.nesterov, 0, 1);
    RETURN_IF_FAILED(optimizer_check_rate("config->learning_rate", given.learning_rate));
    RETURN_IF_FAILED(configuration_check_double("config->momentum", given.momentum, decay));
    RETURN_IF_FAILED(optimizer_check_rate("config->weight_decay", given.weight_decay));
    if (given.nesterov && given.momentum == 0.0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->momentum is 0; it must be above 0 as config->nesterov is 1");
    RETURN_IF_FAILED(
        optimizer_create(optimizer, context, sizeof(struct sgd), &sgd_kind, given.learning_rate));
    ((struct sgd *)*optimizer)->config = given;
    return FMATCH_OK;
}
