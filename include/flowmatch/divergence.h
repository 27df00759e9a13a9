/** What a velocity field says beside its values: its divergence, and the score of its path. */
#ifndef FLOWMATCH_DIVERGENCE_H
#define FLOWMATCH_DIVERGENCE_H

#include "model.h"

/** How the divergence, the trace of dv/dx, is had. */
enum fmatch_divergence {
    /**
     * As the sum of its dim terms. A network is differentiated in forward mode, dim tangents of
     * all rows in one product; a closed form has a formula; a callback model gives dv/dx u, or is
     * asked for differences.
     */
    FMATCH_DIVERGENCE_EXACT = 0,
    /**
     * Hutchinson 1990: the mean over probes z, with E z z^T = I, of z^T (dv/dx) z, which has no
     * bias. Grathwohl et al. 2019, "FFJORD".
     */
    FMATCH_DIVERGENCE_HUTCHINSON = 1
};

/** What a probe's numbers are, independent of each other. */
enum fmatch_probe {
    FMATCH_PROBE_RADEMACHER = 0, /**< -1 or 1; no probe has a smaller variance */
    FMATCH_PROBE_GAUSSIAN = 1    /**< standard normal */
};

/** Configuration of a divergence. */
typedef struct fmatch_divergence_config {
    uint32_t struct_size; /**< written by init */
    int32_t method;       /**< an fmatch_divergence. Default EXACT. */
    int32_t probe;        /**< an fmatch_probe, of HUTCHINSON. Default RADEMACHER. */
    int32_t probes;       /**< of a row, of HUTCHINSON, 1 to 65536. Default 1. */
    /**
     * Of the probes, of HUTCHINSON: those of a row depend on (seed, row) alone and are the same at
     * every t. In a network that standardises they live in standardised coordinates, so that the
     * columns' units do not matter. Default 0.
     */
    uint64_t seed;
    /**
     * Step of the central differences for a callback model without a jacobian_vector, 0 to 1, in
     * units of the noise's deviation in each column, where the noise knows its own, else of 1; at
     * least 2^-20 |x|, which float can still tell from 0. Default 0: 2^-8, with which a field is
     * right to 1e-5 whose values and derivatives are about 1 in these units. One that changes over
     * lengths much shorter than the noise's deviation needs a smaller step.
     *
     * Probes move each column by its own step: with D their diagonal matrix, what is averaged is
     * z^T D^-1 (dv/dx) D z, as if the columns had been standardised.
     */
    double finite_difference;
} fmatch_divergence_config;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_divergence_config_init(config)                                                      \
    fmatch_divergence_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_divergence_config_init_sized(fmatch_divergence_config *config, size_t size);

/**
 * Evaluate the divergence of v(x, t), the sum over columns j of dv_j / dx_j. With the built-in
 * product a row has the same bits in any batch.
 *
 * @param model           any.
 * @param config          or NULL for the exact divergence.
 * @param n               rows, 0 to 2^44 / dim.
 * @param x               [n, dim], finite.
 * @param t               [n], finite.
 * @param condition       [n, condition_dim]; NULL: none, or the null condition of all rows.
 * @param first_row       index of the first row in the probes' stream, 0 to 2^44 - n.
 * @param v               [n, dim], written: the velocity; not x. May be NULL.
 * @param divergence      [n], written.
 * @param standard_error  [n], written: of the mean over the probes; nan with one probe, and 0 for
 *                        EXACT. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE
 * (input, or output: detail names the row) · FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_evaluate_divergence(
    const fmatch_model *model, const fmatch_divergence_config *config, int64_t n, const float *x,
    const float *t, const float *condition, int64_t first_row, float *v, double *divergence,
    double *standard_error);

/**
 * Evaluate the score, the gradient of log p_t(x), that the velocity means: on an affine path x_t =
 * alpha x1 + sigma x0 with noise x0 from N(a, b^2), column by column,
 *
 *   -(E[x0 | x_t = x] - a) / (sigma b^2),  E[x0 | x_t = x] = (alpha' x - alpha v) / (alpha' sigma -
 *   sigma' alpha),
 *
 * for the linear path and noise N(0, 1): (t v - x) / (1 - t). A closed-form or callback model is
 * taken to be on the linear path. Near t = 1 the error of v counts 1 / sigma times.
 *
 * @param model      with normal noise, which a mixture of one component is, on a path without noise
 * of its own.
 * @param n          rows, 0 to 2^44 / dim.
 * @param x          [n, dim], finite.
 * @param t          [n], in [0, 1).
 * @param condition  [n, condition_dim]; NULL: none, or the null condition of all rows.
 * @param score      [n, dim], written; not x.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_UNSUPPORTED
 * (the noise is not normal, or the path has noise of its own) · FMATCH_ERROR_CALLBACK ·
 * FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_evaluate_score(const fmatch_model *model,
                                                                        int64_t n, const float *x,
                                                                        const float *t,
                                                                        const float *condition,
                                                                        float *score);

#ifdef __cplusplus
}
#endif

#endif
