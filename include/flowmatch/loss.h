/** What a prediction is measured by. */
#ifndef FLOWMATCH_LOSS_H
#define FLOWMATCH_LOSS_H

#include "status.h"

/** Loss of a row with error e, the prediction less its target, in dim columns. */
enum fmatch_loss {
    FMATCH_LOSS_SQUARE = 0, /**< ||e||^2 / dim */
    /**
     * sqrt(||e||^2 + c^2) - c, less moved by outliers: Song and Dhariwal 2024, "Improved techniques
     * for training consistency models", section 3.3.
     */
    FMATCH_LOSS_PSEUDO_HUBER = 1
};

/** Weight of a row's loss. */
enum fmatch_loss_weight {
    FMATCH_LOSS_WEIGHT_NONE = 0, /**< 1 */
    /** 1 / (1 - t)^2, 1 - t at least 0.005: Esser et al. 2024, appendix B.1. */
    FMATCH_LOSS_WEIGHT_SIGMA_SQRT = 1,
    /** 2 / (pi (1 - 2 s + 2 s^2)) with s = 1 - t: the same. */
    FMATCH_LOSS_WEIGHT_COSMAP = 2,
    /**
     * 1 / (l + c)^p for a row of loss l, taken as a constant: Geng et al. 2025, "Mean flows for
     * one-step generative modeling", section 4.3.
     */
    FMATCH_LOSS_WEIGHT_ADAPTIVE = 3,
    /** A user's function of t. */
    FMATCH_LOSS_WEIGHT_CALLBACK = 4,
    /**
     * What makes the square loss of a prediction that of the velocity it means: (D / sigma)^2 for
     * data and (D / alpha)^2 for noise, with D = alpha' sigma - sigma' alpha and divisors of at
     * least 0.05; 1 for the velocity.
     */
    FMATCH_LOSS_WEIGHT_VELOCITY = 5
};

/** A user's weight. */
typedef struct fmatch_loss_callbacks {
    uint32_t struct_size; /**< sizeof(fmatch_loss_callbacks) */
    uint32_t flags;       /**< 0 */
    /**
     * Write weight [n], finite and >= 0, for times t [n]. May be called from several threads, and
     * must give the same values each time.
     *
     * Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a negative one is
     * the custom.
     */
    int32_t (*weigh)(void *user, int64_t n, const float *t, double *weight);
    /** Or NULL; called once, with the trainer or when create fails. */
    void (*destroy)(void *user);
    void *user;
} fmatch_loss_callbacks;

/**
 * Configuration of the loss: the sum over rows of weight times loss, over the number of rows, or
 * over the sum of the rows' own weights where they have some.
 */
typedef struct fmatch_loss_config {
    uint32_t struct_size;     /**< written by init */
    int32_t kind;             /**< an fmatch_loss. Default SQUARE. */
    double huber_c;           /**< of PSEUDO_HUBER, 1e-6 to 1e6. Default 0: 0.00054 sqrt(dim). */
    int32_t weight;           /**< an fmatch_loss_weight. Default NONE. */
    uint32_t flags;           /**< 0 */
    double adaptive_c;        /**< of ADAPTIVE, 1e-6 to 1e6. Default 0: 0.01. */
    double adaptive_exponent; /**< of ADAPTIVE, 0 to 2. Default 0: 1. */
    const fmatch_loss_callbacks *callbacks; /**< of CALLBACK; copied */
} fmatch_loss_config;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_loss_config_init(config) fmatch_loss_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_loss_config_init_sized(fmatch_loss_config *config, size_t size);

#ifdef __cplusplus
}
#endif

#endif
