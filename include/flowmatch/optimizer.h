/** Optimizers: how a gradient changes the parameters. */
#ifndef FLOWMATCH_OPTIMIZER_H
#define FLOWMATCH_OPTIMIZER_H

#include "context.h"

/**
 * Thread-safety: unsafe. An optimizer belongs to the one trainer that is created with it, and holds
 * the state that goes with that trainer's parameters.
 */
typedef struct fmatch_optimizer fmatch_optimizer;

/**
 * Adam: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1. With a
 * weight_decay AdamW: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
 */
typedef struct fmatch_adam_config {
    uint32_t struct_size; /**< written by init */
    uint32_t flags;       /**< 0 */
    double learning_rate; /**< 0 to 3.4e38. Default 5e-3, which fits a rate that falls. */
    double beta1;         /**< decay of the first moment, in [0, 1). Default 0.9. */
    double beta2;         /**< decay of the second moment, in [0, 1). Default 0.999. */
    double epsilon; /**< 1.2e-38 to 3.4e38, added to the root of the second moment. Default 1e-8. */
    /**
     * >= 0: before a step parameters are multiplied by 1 - learning_rate weight_decay, as
     * torch.optim.AdamW does; at most 1 / learning_rate. Default 0.
     */
    double weight_decay;
} fmatch_adam_config;

/**
 * Stochastic gradient descent with momentum as in PyTorch: g += weight_decay parameter, b =
 * momentum b + g, then parameter -= learning_rate b, or with Nesterov's momentum learning_rate (g +
 * momentum b).
 */
typedef struct fmatch_sgd_config {
    uint32_t struct_size; /**< written by init */
    int32_t nesterov;     /**< 0 or 1; 1 needs a momentum. Default 0. */
    double learning_rate; /**< 0 to 3.4e38. Default 1e-2. */
    double momentum;      /**< in [0, 1). Default 0.9. */
    double weight_decay;  /**< 0 to 3.4e38. Default 0. */
} fmatch_sgd_config;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_adam_config_init(config)                                                            \
    fmatch_adam_config_init_preset((config), FMATCH_PRESET_RECOMMENDED)
/** Fill in the values of a named preset, an fmatch_preset. PLAIN: 1e-3, 0.9, 0.999, 1e-8, 0. */
#define fmatch_adam_config_init_preset(config, preset)                                             \
    fmatch_adam_config_init_sized((config), sizeof *(config), (preset))
FMATCH_API void fmatch_adam_config_init_sized(fmatch_adam_config *config, size_t size,
                                              int32_t preset);

/** Fill in the recommended values. */
#define fmatch_sgd_config_init(config)                                                             \
    fmatch_sgd_config_init_preset((config), FMATCH_PRESET_RECOMMENDED)
/** Fill in the values of a named preset, an fmatch_preset. PLAIN: 1e-2, no momentum. */
#define fmatch_sgd_config_init_preset(config, preset)                                              \
    fmatch_sgd_config_init_sized((config), sizeof *(config), (preset))
FMATCH_API void fmatch_sgd_config_init_sized(fmatch_sgd_config *config, size_t size,
                                             int32_t preset);

/**
 * Create an Adam optimizer.
 *
 * @param optimizer  written: the new handle, owned by the caller; NULL on failure.
 * @param context    parent.
 * @param config     or NULL for the recommended values.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_optimizer_create_adam(
    fmatch_optimizer **optimizer, fmatch_context *context, const fmatch_adam_config *config);

/** Create an optimizer for stochastic gradient descent; parameters and statuses as for Adam. */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_optimizer_create_sgd(
    fmatch_optimizer **optimizer, fmatch_context *context, const fmatch_sgd_config *config);

/** Give the handle up; a trainer keeps its optimizer alive. Accepts NULL and a NULL handle. */
FMATCH_API void fmatch_optimizer_destroy(fmatch_optimizer **optimizer);

/** The present learning rate; 0 for NULL. */
FMATCH_API double fmatch_optimizer_get_learning_rate(const fmatch_optimizer *optimizer);

/**
 * Change the learning rate from the next step on.
 *
 * @param optimizer      whose trainer is not running.
 * @param learning_rate  0 to 3.4e38, and at most 1 / weight_decay of AdamW.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_optimizer_set_learning_rate(fmatch_optimizer *optimizer, double learning_rate);

#ifdef __cplusplus
}
#endif

#endif
