/** Log-densities of a flow: of given points, and of samples while they are drawn. */
#ifndef FLOWMATCH_LIKELIHOOD_H
#define FLOWMATCH_LIKELIHOOD_H

#include "divergence.h"
#include "sampler.h"

/** A log-density of the caller's own. */
typedef struct fmatch_density_callbacks {
    uint32_t struct_size; /**< sizeof(fmatch_density_callbacks) */
    uint32_t flags;       /**< 0 */
    /**
     * Write the log-density [n] at x [n, dim], in nats; -inf outside of the support. Runs on the
     * calling thread. Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a
     * negative one is the custom.
     */
    int32_t (*log_density)(void *user, int64_t n, const float *x, double *log_density);
    void *user;
} fmatch_density_callbacks;

/**
 * How a log-density is had. Along a path dx/dt = v(x, t) it falls by the divergence of v (Chen et
 * al. 2018, "Neural ordinary differential equations"),
 *
 *   log p_t(x_t) = log p_0(x_0) - integral from 0 to t of (div v)(x_s, s) ds.
 *
 * With steps of one length a solver follows x, and the divergence is taken once a step, where the
 * step begins, and at the end; its integral is Gregory's, of order 6 in the step. Where guidance
 * begins or ends on the way the field jumps: there the way is cut, each part has steps of equal
 * length, the number next to its share of `steps` but at least 2, and an integral of its own. An
 * adaptive solver follows the integral as one more coordinate, and so takes the divergence at every
 * evaluation; every row has steps of its own, as of a sampler. x and the integral are kept in
 * double; everything is in the units of the data, so that standardisation is counted in.
 */
typedef struct fmatch_likelihood_config {
    uint32_t struct_size; /**< written by init */
    int32_t solver;       /**< an fmatch_solver. Default RK4. */
    int64_t steps;        /**< of equal length, 1 to 2^24; not of adaptive solvers. Default 50. */
    double t;             /**< of the density, above 0 and at most 1. Default 1, data. */
    const fmatch_divergence_config *divergence; /**< NULL: exact */
    /** Log-density of the noise, instead of that of the model's noise; NULL: that one's. */
    const fmatch_density_callbacks *base;
    /** Guidance as a sampler has it; the density is then that of the guided flow. */
    double guidance_strength; /**< s or w. Default 0. */
    double guidance_t_start;  /**< guidance acts from here, in [0, 1]. Default 0. */
    double guidance_t_end;    /**< to here, in [guidance_t_start, 1]. Default 1. */
    int32_t guidance;         /**< an fmatch_guidance. Default NONE. */
    uint32_t flags;           /**< 0 */
    /**
     * Of adaptive solvers, as of fmatch_sampler_config; 0 for others. A step is taken if x is
     * within the tolerance as of a sampler, and the error of the integral l, which is the mean over
     * the probes, is at most absolute + relative max(|l|, |l after it|): the larger one of the two
     * is the error of the step, in however many dimensions.
     */
    double tolerance_absolute; /**< 1e-30 to FLT_MAX; 0: 1e-5 */
    double tolerance_relative; /**< 1e-30 to 1; 0: 1e-5 */
    double step_first;         /**< length of the first try, from step_smallest to 1; 0: chosen */
    double step_smallest;      /**< a row stops where one of this length is rejected; 0: no limit */
    double step_largest;       /**< no longer ones, from step_smallest to 1; 0: no limit */
    int64_t steps_max;         /**< tries of a row, 1 to 2^24; 0: 10 000 */
    /** Or NULL. What each row took of an adaptive solver: its arrays [n] are written. */
    const fmatch_sampler_rows *rows;
} fmatch_likelihood_config;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_likelihood_config_init(config)                                                      \
    fmatch_likelihood_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_likelihood_config_init_sized(fmatch_likelihood_config *config, size_t size);

/**
 * Evaluate log p_t(x) of given points: follow them back to t = 0. With the built-in product a row
 * has the same bits in any batch.
 *
 * @param model           any; without config->base its noise has a log-density, see
 *                        fmatch_source_evaluate_log_density.
 * @param config          or NULL for the recommended values.
 * @param n               rows, 0 to 2^44 / dim.
 * @param x               [n, dim], finite, at config->t.
 * @param condition       [n, condition_dim]; NULL: none, or the null condition of all rows.
 * @param first_row       index of the first row in the probes' stream, 0 to 2^44 - n.
 * @param log_density     [n], written, in nats.
 * @param standard_error  [n], written: of the mean over the probes, each of which is the same all
 *                        along the path; nan with one probe, and 0 where the divergence is exact.
 *                        May be NULL.
 * @param x0              [n, dim], written: the noise that becomes x; not x. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE
 * (detail names the row, and t) · FMATCH_ERROR_STEP_LIMIT (likewise) · FMATCH_ERROR_UNSUPPORTED
 * (the noise has no log-density; guidance of a model that does not accept the null condition) ·
 * FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NO_MEMORY. On failure outputs are unspecified, but where
 * rows of an adaptive solver come to a limit on steps, or to velocities or divergences that are not
 * finite: then the log-density and error of those rows are nan, x0 has the states that were
 * reached, config->rows says when, and all other rows have arrived.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_likelihood_evaluate(const fmatch_model *model, const fmatch_likelihood_config *config,
                           int64_t n, const float *x, const float *condition, int64_t first_row,
                           double *log_density, double *standard_error, float *x0);

/**
 * Draw samples at config->t with their log-density: noise, as fmatch_sampler_draw draws it, and the
 * divergence along its path.
 *
 * @param model           as for fmatch_likelihood_evaluate.
 * @param config          or NULL for the recommended values.
 * @param seed            of the noise; the probes have that of their own configuration.
 * @param first_row       index of the first row in the streams, 0 to 2^44 - n.
 * @param n               rows, 0 to 2^44 / dim.
 * @param condition       [n, condition_dim]; NULL: none, or the null condition of all rows.
 * @param x               [n, dim], written.
 * @param log_density     [n], written, in nats.
 * @param standard_error  [n], written, as by fmatch_likelihood_evaluate. May be NULL.
 *
 * @return as fmatch_likelihood_evaluate, with x for x0, and what drawing from the noise gives.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_likelihood_draw(const fmatch_model *model, const fmatch_likelihood_config *config,
                       uint64_t seed, int64_t first_row, int64_t n, const float *condition,
                       float *x, double *log_density, double *standard_error);

#ifdef __cplusplus
}
#endif

#endif
