/** How the learning rate changes in the course of training. */
#ifndef FLOWMATCH_RATE_H
#define FLOWMATCH_RATE_H

#include "status.h"

/**
 * Factor of the learning rate after the warm-up, with p from 0 at its end to 1 at the end of the
 * schedule, where it stays.
 */
enum fmatch_rate {
    FMATCH_RATE_CONSTANT = 0, /**< 1 */
    /** end + (1 - end) (1 + cos(pi p)) / 2: Loshchilov and Hutter 2017, "SGDR", equation 5. */
    FMATCH_RATE_COSINE = 1,
    FMATCH_RATE_POLYNOMIAL = 2, /**< end + (1 - end) (1 - p)^exponent */
    FMATCH_RATE_STEP = 3,       /**< decay^floor(steps since the warm-up / every) */
    FMATCH_RATE_CALLBACK = 4    /**< a user's function of the step, also beyond the end */
};

/** A user's schedule. */
typedef struct fmatch_rate_callbacks {
    uint32_t struct_size; /**< sizeof(fmatch_rate_callbacks) */
    uint32_t flags;       /**< 0 */
    /**
     * Write the factor, finite and >= 0, of a step, which counts from 0. Runs on the thread that
     * trains, and must give the same value each time.
     *
     * Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a negative one is
     * the custom.
     */
    int32_t (*evaluate)(void *user, int64_t step, double *factor);
    /** Or NULL; called once, with the trainer or when create fails. */
    void (*destroy)(void *user);
    void *user;
} fmatch_rate_callbacks;

/** Configuration of a schedule. A setting of another kind than the schedule's must be 0. */
typedef struct fmatch_rate_config {
    uint32_t struct_size; /**< written by init */
    int32_t kind;         /**< an fmatch_rate. Default COSINE. */
    /** Length in steps, the warm-up included, >= 0. Default 0: the trainer's `steps`. */
    int64_t steps;
    /**
     * Steps over which the factor rises in a line, (step + 1) / warmup of what it would be; 0 to
     * the length. Default -1: a hundredth of it.
     */
    int64_t warmup;
    double end;      /**< of COSINE and POLYNOMIAL, 0 to 1. Default 0. */
    double exponent; /**< of POLYNOMIAL, 1e-3 to 1e3. Default 0: 1, a line. */
    double decay;    /**< of STEP, 0 to 1. Default 0: 0.1. */
    int64_t every;   /**< of STEP, >= 1; must be set */
    const fmatch_rate_callbacks *callbacks; /**< of CALLBACK; copied */
} fmatch_rate_config;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_rate_config_init(config) fmatch_rate_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_rate_config_init_sized(fmatch_rate_config *config, size_t size);

/**
 * Factors of the learning rate as a trainer uses them.
 *
 * @param config  the schedule; NULL: constant.
 * @param steps   its length where config->steps is 0, >= 1.
 * @param first   first step, >= 0; steps count from 0.
 * @param n       steps, >= 0.
 * @param factor  [n], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_CALLBACK. The destroy function of the callbacks is not called.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_rate_evaluate(const fmatch_rate_config *config,
                                                                 int64_t steps, int64_t first,
                                                                 int64_t n, double *factor);

#ifdef __cplusplus
}
#endif

#endif
