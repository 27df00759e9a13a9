/** How the times of training are drawn. */
#ifndef FLOWMATCH_TIME_H
#define FLOWMATCH_TIME_H

#include "context.h"
#include "random.h"

/** Distributions of t on [0, 1], each as a function of a uniform number u. t = 1 is data. */
enum fmatch_time {
    FMATCH_TIME_UNIFORM = 0, /**< t = u */
    /**
     * t = 1 / (1 + exp(-(mean + deviation z))), z standard normal: Esser et al. 2024, "Scaling
     * rectified flow transformers", section 3.1. Karras et al.'s noise levels are mean 1.2 and
     * deviation 1.2; MeanFlow's are 0.4 and 1.
     */
    FMATCH_TIME_LOGIT_NORMAL = 1,
    /** t = 1 - u - scale (cos^2(pi u / 2) - 1 + u): the same, its "mode sampling". */
    FMATCH_TIME_MODE = 2,
    /** t = 1 - 1 / (tan(pi u / 2) + 1): the same, its "CosMap". */
    FMATCH_TIME_COSMAP = 3,
    /** t = u^(1 / (1 + exponent)), of density (1 + exponent) t^exponent. */
    FMATCH_TIME_POWER_LAW = 4,
    /** One of the given times, all equally often. */
    FMATCH_TIME_GRID = 5,
    /** A user's function. */
    FMATCH_TIME_CALLBACK = 6
};

/** A user's times. */
typedef struct fmatch_time_callbacks {
    uint32_t struct_size; /**< sizeof(fmatch_time_callbacks) */
    uint32_t flags;       /**< 0 */
    /**
     * Fill t [n], in [0, 1], for rows first_row to first_row + n - 1. Take all randomness from
     * `random`. Runs on the thread that called the library.
     *
     * Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a negative one is
     * the custom.
     */
    int32_t (*draw)(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *t);
    /** Or NULL; called once, with the trainer or when create fails; not by fmatch_time_draw. */
    void (*destroy)(void *user);
    void *user;
} fmatch_time_callbacks;

/** Configuration of the times. A setting of another kind than `kind` must be 0. */
typedef struct fmatch_time_config {
    uint32_t struct_size; /**< written by init */
    int32_t kind;         /**< an fmatch_time. Default UNIFORM. */
    /**
     * 1: of the u of a batch of B rows, one is in each of the intervals from i / B to (i + 1) / B,
     * in an order drawn anew for each batch. That leaves each row's distribution as it is, and
     * makes the batch's mean less noisy. Without effect for CALLBACK. Default 1.
     */
    int32_t stratified;
    int32_t grid_count; /**< of GRID, 1 to 2^24 */
    /**
     * The distribution on [0, 1] is squeezed into [margin_start, 1 - margin_end]; times of a grid
     * or of a function are moved to its ends. In [0, 1). Default 0.
     */
    double margin_start;
    double margin_end;                      /**< in [0, 1 - margin_start). Default 0. */
    double mean;                            /**< of LOGIT_NORMAL, -100 to 100 */
    double deviation;                       /**< of LOGIT_NORMAL, 0.01 to 100. 0: 1. */
    double scale;                           /**< of MODE, -1 to 2 / (pi - 2) */
    double exponent;                        /**< of POWER_LAW, -0.99 to 100 */
    const double *grid;                     /**< of GRID: [grid_count], in [0, 1]; copied */
    const fmatch_time_callbacks *callbacks; /**< of CALLBACK; copied */
} fmatch_time_config;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_time_config_init(config) fmatch_time_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_time_config_init_sized(fmatch_time_config *config, size_t size);

/**
 * Draw times as a trainer does. Row i depends on (seed, first_row + i, batch) alone.
 *
 * @param context    whose kernels are used.
 * @param config     NULL: uniform, and not stratified.
 * @param seed       any value; equal seeds give equal times.
 * @param first_row  index of the first row, 0 to 2^44 - n.
 * @param batch      rows that are stratified together, >= 1.
 * @param n          rows, 0 to 2^44.
 * @param t          [n], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_CALLBACK ·
 * FMATCH_ERROR_NOT_FINITE (what a function gave).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_time_draw(fmatch_context *context,
                                                             const fmatch_time_config *config,
                                                             uint64_t seed, int64_t first_row,
                                                             int64_t batch, int64_t n, float *t);

#ifdef __cplusplus
}
#endif

#endif
