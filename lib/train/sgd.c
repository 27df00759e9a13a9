/* Stochastic gradient descent with momentum, as torch.optim.SGD has it. */
#include "train/optimizer.h"

#include "base/configuration.h"
#include "base/status.h"
#include "compute/vector_kernels.h"

#include <math.h>

struct sgd {
    fmatch_optimizer optimizer;
    double momentum;
};

static void sgd_step(const fmatch_optimizer *optimizer, int64_t step, int64_t n,
                     const float *gradient, float *parameters, float *const *state)
{
    (void)step; /* the velocity starts at zero, which makes the first step no exception */
    optimizer->context->kernels->sgd((float)optimizer->learning_rate,
                                     (float)((const struct sgd *)optimizer)->momentum, n, gradient,
                                     parameters, state[0]);
}

static const struct optimizer_kind sgd_kind = {.number = 1, .arrays = 1, .step = sgd_step};

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
    RETURN_IF_FAILED(
        optimizer_create(optimizer, context, sizeof(struct sgd), &sgd_kind, given.learning_rate));
    ((struct sgd *)*optimizer)->momentum = given.momentum;
    return FMATCH_OK;
}
