/** Samplers: integrate dx/dt = v(x, t). */
#ifndef FLOWMATCH_SAMPLER_H
#define FLOWMATCH_SAMPLER_H

#include "model.h"

/**
 * Carries rows from t_start to t_end; for both directions, create two.
 *
 * Thread-safety: unsafe. One thread at a time; any number of samplers may share a model. A callback
 * that runs within a call may destroy the sampler, but calling it ends in FMATCH_ERROR_STATE.
 */
typedef struct fmatch_sampler fmatch_sampler;

/**
 * Fixed-step methods of Runge and Kutta, with their order and evaluations of the field (NFE) a
 * step.
 */
enum fmatch_solver {
    FMATCH_SOLVER_EULER = 0,    /**< order 1, 1 NFE; the field is taken at the start of the step */
    FMATCH_SOLVER_MIDPOINT = 1, /**< order 2, 2 NFE */
    FMATCH_SOLVER_HEUN = 2,     /**< order 2, 2 NFE; the trapezoidal rule, explicit */
    FMATCH_SOLVER_RK4 = 3       /**< order 4, 4 NFE; the classical method */
};

/**
 * Classifier-free guidance, Ho and Salimans 2022, in the two conventions of the field: the
 * velocities under the condition, v_c, and under the null condition, v_0, are combined. A row whose
 * condition is the null condition stays as it is.
 */
enum fmatch_guidance {
    FMATCH_GUIDANCE_NONE = 0,  /**< v_c */
    FMATCH_GUIDANCE_SCALE = 1, /**< v_0 + s (v_c - v_0): 1 is none, 0 leaves the condition out */
    FMATCH_GUIDANCE_WEIGHT = 2 /**< (1 + w) v_c - w v_0: 0 is none; the same as s = 1 + w */
};

/** Configuration of a sampler. */
typedef struct fmatch_sampler_config {
    uint32_t struct_size; /**< written by init */
    int32_t solver;       /**< an fmatch_solver. Default MIDPOINT. */
    int64_t steps;        /**< of equal length, 1 to 2^24. Default 50. */
    double t_start;       /**< in [0, 1]. Default 0, noise. */
    /** In [0, 1], not t_start. Default 1, data. Below t_start the flow runs backward. */
    double t_end;
    double guidance_strength; /**< s or w. Default 0. */
    double guidance_t_start;  /**< guidance acts from here, in [0, 1]. Default 0. */
    double guidance_t_end;    /**< to here, in [guidance_t_start, 1]. Default 1. */
    int32_t guidance;         /**< an fmatch_guidance. Default NONE. */
    uint32_t flags;           /**< 0 */
} fmatch_sampler_config;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_sampler_config_init(config)                                                         \
    fmatch_sampler_config_init_preset((config), FMATCH_PRESET_RECOMMENDED)
/** Fill in the values of a named preset, an fmatch_preset. PLAIN: Euler with 100 steps. */
#define fmatch_sampler_config_init_preset(config, preset)                                          \
    fmatch_sampler_config_init_sized((config), sizeof *(config), (preset))
FMATCH_API void fmatch_sampler_config_init_sized(fmatch_sampler_config *config, size_t size,
                                                 int32_t preset);

/**
 * Create a sampler.
 *
 * @param sampler  written: the new handle, owned by the caller; NULL on failure.
 * @param model    any. Each call uses the parameters that the model has when it begins.
 * @param config   or NULL for the recommended values.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_UNSUPPORTED
 * (guidance of a model that does not accept the null condition) · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_create(
    fmatch_sampler **sampler, const fmatch_model *model, const fmatch_sampler_config *config);

/** Give the handle up. Accepts NULL and a NULL handle. */
FMATCH_API void fmatch_sampler_destroy(fmatch_sampler **sampler);

/**
 * Draw noise and integrate it.
 *
 * Row i starts from noise that depends on (seed, first_row + i) alone.
 *
 * @param sampler    with t_start = 0.
 * @param seed       any value; equal seeds give equal samples.
 * @param first_row  index of the first row in the stream of this seed, 0 to 2^44 - n: draw 1000 now
 * and 1000 later without repeats.
 * @param n          rows to draw, 0 to 2^44 / dim.
 * @param condition  [n, condition_dim]; NULL: none, or the null condition of all rows.
 * @param x          [n, dim], written. On failure its contents are unspecified, and the sampler can
 * be used again.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STATE (t_start is not 0) ·
 * FMATCH_ERROR_NOT_FINITE (detail names the row and t) · FMATCH_ERROR_CALLBACK.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_draw(fmatch_sampler *sampler,
                                                                uint64_t seed, int64_t first_row,
                                                                int64_t n, const float *condition,
                                                                float *x);

/**
 * Draw noise and integrate it, as fmatch_sampler_draw does, keeping every step in trajectory
 * [steps + 1, n, dim].
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_sampler_draw_trajectory(fmatch_sampler *sampler, uint64_t seed, int64_t first_row, int64_t n,
                               const float *condition, float *trajectory);

/**
 * Integrate given points from t_start to t_end.
 *
 * @param sampler    any.
 * @param n          rows, 0 to 2^44 / dim.
 * @param x_start    [n, dim], finite.
 * @param condition  [n, condition_dim]; NULL: none, or the null condition of all rows.
 * @param x_end      [n, dim], written. May be x_start. On failure its contents are unspecified.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE (detail names the row, and t)
 * · FMATCH_ERROR_CALLBACK.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_integrate(
    fmatch_sampler *sampler, int64_t n, const float *x_start, const float *condition, float *x_end);

/**
 * Integrate given points, as fmatch_sampler_integrate does, keeping every step in trajectory
 * [steps + 1, n, dim].
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_sampler_integrate_trajectory(fmatch_sampler *sampler, int64_t n, const float *x_start,
                                    const float *condition, float *trajectory);

/** Times of a trajectory, steps + 1; 0 for NULL. */
FMATCH_API int64_t fmatch_sampler_count_times(const fmatch_sampler *sampler);

/**
 * Copy the times of a trajectory, from t_start to t_end.
 *
 * @param sampler  any.
 * @param times    [fmatch_sampler_count_times], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_get_times(const fmatch_sampler *sampler,
                                                                     double *times);

/**
 * Evaluations of the velocity field that a row costs (NFE), two for each guided one; 0 for NULL.
 */
FMATCH_API int64_t fmatch_sampler_count_evaluations(const fmatch_sampler *sampler);

#ifdef __cplusplus
}
#endif

#endif
