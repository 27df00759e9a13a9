/** Probability paths: how noise becomes data, and what a network can predict on the way. */
#ifndef FLOWMATCH_PATH_H
#define FLOWMATCH_PATH_H

#include "context.h"

/**
 * Paths from noise x0 (t = 0) to data x1 (t = 1). An affine path is x_t = alpha(t) x1 + sigma(t) x0
 * with velocity alpha' x1 + sigma' x0: Lipman et al. 2023, section 4.
 */
enum fmatch_path {
    /** alpha = t, sigma = 1 - t: Liu et al. 2023; Lipman et al. 2023 with sigma_min = 0. */
    FMATCH_PATH_LINEAR = 0,
    /**
     * alpha = t^n, sigma = 1 - t^n, n the exponent. With n below 1 the velocity is infinite at t =
     * 0: uniform steps are far off there, midpoint ones less, and adaptive or short ones are not.
     */
    FMATCH_PATH_POLYNOMIAL = 1,
    /**
     * alpha = exp(-T / 2), sigma = sqrt(1 - exp(-T)), T = (1 - t)^2 (beta_max - beta_min) / 2 + (1
     * - t) beta_min: the variance-preserving diffusion of Song et al. 2021, in our time. alpha(0)
     * is not 0 but exp(-(beta_max + beta_min) / 4), 0.0066.
     */
    FMATCH_PATH_VARIANCE_PRESERVING = 2,
    /** alpha = t, sigma = sqrt(1 - t^2). */
    FMATCH_PATH_LINEAR_VARIANCE_PRESERVING = 3,
    /** alpha = sin(pi t / 2), sigma = cos(pi t / 2): Albergo and Vanden-Eijnden 2023, example. */
    FMATCH_PATH_COSINE = 4,
    /** The same path under the name of Tong et al. 2024, where it comes with noise. */
    FMATCH_PATH_TRIGONOMETRIC = FMATCH_PATH_COSINE,
    /**
     * alpha = t, sigma = 1 - (1 - sigma_min) t: Lipman et al. 2023, equations 20 to 23. Their
     * derivation takes x0 from N(0, I); with another noise distribution a model refuses it.
     */
    FMATCH_PATH_LIPMAN = 5,
    /**
     * x_t = t x1 + (1 - t) x0 + diffusion sqrt(t (1 - t)) z, z standard normal, with velocity x1 -
     * x0 + diffusion (1 - 2 t) z / (2 sqrt(t (1 - t))): Tong et al. 2024, equation 17, in the form
     * without cancellation. The velocity's variance is infinite at both ends, so that training
     * keeps 1e-3 from them.
     */
    FMATCH_PATH_BROWNIAN_BRIDGE = 6,
    /** alpha and sigma from a user's function. */
    FMATCH_PATH_CALLBACK = 7
};

/**
 * What the network's output is. The others follow from it and x_t, except where a path has noise of
 * its own: v = alpha' x1 + sigma' x0; from data, x0 = (x_t - alpha x1) / sigma; from noise, x1 =
 * (x_t - sigma x0) / alpha, both with divisors of at least 0.005, which vanish at the ends; and
 * from a velocity, x1 = (sigma v - sigma' x_t) / D and x0 = (alpha' x_t - alpha v) / D with D =
 * alpha' sigma - sigma' alpha. Where D is 0, at t = 0 of a polynomial path, a velocity says nothing
 * of the data, which is then 0.
 */
enum fmatch_prediction {
    FMATCH_PREDICTION_VELOCITY = 0,
    FMATCH_PREDICTION_DATA = 1, /**< x1; trained for t to 0.995 */
    FMATCH_PREDICTION_NOISE = 2 /**< x0; trained for t from 0.005 */
};

/** A user's schedule of an affine path. */
typedef struct fmatch_schedule_callbacks {
    uint32_t struct_size; /**< sizeof(fmatch_schedule_callbacks) */
    uint32_t flags;       /**< 0 */
    /**
     * Write alpha, sigma and their derivatives with respect to t at n times in [0, 1]; all [n],
     * finite. alpha rises and sigma falls. May be called from several threads, and must give the
     * same values each time.
     *
     * Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a negative one is
     * the custom.
     */
    int32_t (*evaluate)(void *user, int64_t n, const double *t, double *alpha, double *sigma,
                        double *alpha_rate, double *sigma_rate);
    /** Or NULL; called once, with the last model or when create fails; not by a function below. */
    void (*destroy)(void *user);
    void *user;
} fmatch_schedule_callbacks;

/** Configuration of a path. A setting of another kind than the path's must be 0. */
typedef struct fmatch_path_config {
    uint32_t struct_size; /**< written by init */
    int32_t kind;         /**< an fmatch_path. Default LINEAR. */
    /**
     * Standard deviation s of noise added to an affine path, x_t + s z, z standard normal, which
     * leaves the velocity as it is: Tong et al. 2024, section 3.2. At t = 0 the path is then at x0
     * + s z; a sampler begins at x0 as theirs does, too narrow by that s. 0 to 1e3. Default 0.
     */
    double noise;
    double exponent;  /**< of POLYNOMIAL, 0.01 to 100. Default 0: 2. */
    double beta_min;  /**< of VARIANCE_PRESERVING, >= 0. Default 0: 0.1. */
    double beta_max;  /**< of VARIANCE_PRESERVING, 1 to 1e3, at least beta_min. Default 0: 20. */
    double sigma_min; /**< of LIPMAN, 0 to 1. Default 0. */
    double diffusion; /**< of BROWNIAN_BRIDGE, 1e-6 to 1e3; must be set */
    const fmatch_schedule_callbacks *schedule; /**< of CALLBACK, copied */
} fmatch_path_config;

/** Rows on a path; lent for the call. */
typedef struct fmatch_path_rows {
    uint32_t struct_size; /**< sizeof(fmatch_path_rows) */
    int32_t dim;          /**< columns, 1 to 65536 */
    int64_t n;            /**< rows, 0 to 2^44 / dim */
    const float *t;       /**< [n], in [0, 1] */
    const float *x0;      /**< [n, dim], noise */
    const float *x1;      /**< [n, dim], data */
    const float *z;       /**< [n, dim], the path's own noise; NULL for a path without */
} fmatch_path_rows;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_path_config_init(config) fmatch_path_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_path_config_init_sized(fmatch_path_config *config, size_t size);

/**
 * x_t and the velocity of given pairs, as training makes them.
 *
 * @param config    the path; NULL: linear.
 * @param rows      pairs and times, as they are: a bridge's t must be inside (0, 1).
 * @param x_t       [n, dim], written.
 * @param velocity  [n, dim], written: the conditional velocity of the pair at t.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_CALLBACK.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_path_evaluate(const fmatch_path_config *config,
                                                                 const fmatch_path_rows *rows,
                                                                 float *x_t, float *velocity);

/**
 * The schedule of an affine path. Where a derivative is infinite, sigma' of both
 * variance-preserving paths at t = 1 and alpha' and sigma' of a polynomial with exponent below 1 at
 * t = 0, it is taken 1e-5 inside. A bridge has alpha = t and sigma = 1 - t.
 *
 * @param config      the path; NULL: linear.
 * @param n           times, >= 0.
 * @param t           [n], in [0, 1].
 * @param alpha       [n], written.
 * @param sigma       [n], written.
 * @param alpha_rate  [n], written: d alpha / dt.
 * @param sigma_rate  [n], written: d sigma / dt.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_CALLBACK.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_path_evaluate_schedule(const fmatch_path_config *config, int64_t n, const double *t,
                              double *alpha, double *sigma, double *alpha_rate, double *sigma_rate);

/**
 * Times at which alpha / sigma has given values, the inverse of the signal-to-noise ratio's root.
 *
 * @param config  the path; NULL: linear. A schedule by callback is inverted by bisection.
 * @param n       ratios, >= 0.
 * @param ratio   [n], >= 0; infinity gives 1, and a ratio below alpha(0) / sigma(0) gives 0.
 * @param t       [n], written, in [0, 1].
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_CALLBACK.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_path_evaluate_inverse_ratio(
    const fmatch_path_config *config, int64_t n, const double *ratio, double *t);

/**
 * From one prediction to another.
 *
 * @param config  the path; NULL: linear.
 * @param from    an fmatch_prediction: what is given.
 * @param to      an fmatch_prediction: what is wanted.
 * @param dim     columns, 1 to 65536.
 * @param n       rows, 0 to 2^44 / dim.
 * @param t       [n], in [0, 1].
 * @param x_t     [n, dim].
 * @param given   [n, dim].
 * @param wanted  [n, dim], written. May be `given`.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_UNSUPPORTED (a path with noise, whose predictions do not follow from each other) ·
 * FMATCH_ERROR_CALLBACK.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_path_evaluate_prediction(
    const fmatch_path_config *config, int32_t from, int32_t to, int32_t dim, int64_t n,
    const float *t, const float *x_t, const float *given, float *wanted);

#ifdef __cplusplus
}
#endif

#endif
