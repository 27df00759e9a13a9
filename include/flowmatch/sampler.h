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
 * Methods of Runge and Kutta and of Adams and Bashforth, with their order and evaluations of the
 * field (NFE) a step. The first seven take the steps of a grid.
 *
 * The last three are adaptive: from an estimate of the error every row chooses steps of its own,
 * whatever shares its batch, by a proportional-integral control (Hairer and Wanner 1996, IV.2, beta
 * = 0.06 for order 5); the first step is chosen as Hairer, Norsett and Wanner 1993, II.4 do. Their
 * NFE are those of a step that is tried; a row takes two more to begin with, or one with
 * step_first, and one more behind an edge of guidance. Tableaux: Hairer, Norsett and Wanner 1993;
 * Bogacki and Shampine 1989; Dormand and Prince 1980, with their own weights of the error;
 * Tsitouras 2011.
 */
enum fmatch_solver {
    FMATCH_SOLVER_EULER = 0,    /**< order 1, 1 NFE; the field is taken at the start of the step */
    FMATCH_SOLVER_MIDPOINT = 1, /**< order 2, 2 NFE */
    FMATCH_SOLVER_HEUN = 2,     /**< order 2, 2 NFE; the trapezoidal rule, explicit */
    FMATCH_SOLVER_RK4 = 3,      /**< order 4, 4 NFE; the classical method */
    FMATCH_SOLVER_HEUN3 = 4,    /**< order 3, 3 NFE */
    FMATCH_SOLVER_RK4_THREE_EIGHTHS = 5, /**< order 4, 4 NFE; the 3/8 rule */
    FMATCH_SOLVER_ADAMS_BASHFORTH = 6,   /**< order 2, 1 NFE; the first step is a midpoint step */
    FMATCH_SOLVER_BOGACKI_SHAMPINE = 7,  /**< adaptive, order 3, 3 NFE; between steps order 3 */
    FMATCH_SOLVER_DORMAND_PRINCE = 8,    /**< adaptive, order 5, 6 NFE; between steps order 4 */
    FMATCH_SOLVER_TSITOURAS = 9          /**< adaptive, order 5, 6 NFE; between steps order 4 */
};

/**
 * Where the steps of N end. Grids other than UNIFORM and TIMES are functions on [0, 1] in the
 * direction of the data, stretched to lie between t_start and t_end; a sampler that runs backward
 * stops at the same times. The ends are t_start and t_end exactly.
 */
enum fmatch_grid {
    FMATCH_GRID_UNIFORM = 0, /**< steps of equal length */
    /** t = 1 - s' with s' = shift s / (1 + (shift - 1) s), s = 1 - i / N: Esser et al. 2024. */
    FMATCH_GRID_SHIFTED = 1,
    /**
     * t_i = 1 / (1 + sigma_i), sigma_i = (80^(1/7) + i / (N - 1) (0.002^(1/7) - 80^(1/7)))^7 for i
     * from 1 to N - 1: Karras et al. 2022. Time 0 stands for i = 0, where sigma is 80 and t 1/81.
     */
    FMATCH_GRID_EDM = 2,
    FMATCH_GRID_COSINE = 3, /**< t = (1 - cos(pi i / N)) / 2: dense at both ends */
    FMATCH_GRID_TIMES = 4   /**< config->times */
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

/**
 * Noise along the way that leaves the distribution at every t as it is: the sampler follows dx = (v
 * + g(t)^2 / 2 score) dt + g(t) dW, where the score, the gradient of log p_t, is what the velocity
 * says of the noise: -x0 / sigma of its conversion (Song et al. 2021; Albergo et al. 2023). Where a
 * column's noise at t = 0 has the deviation s, its g is s g(t), so that units do not matter.
 *
 * It holds for normal noise, and data paired with it independently in training; for paths with
 * noise of their own too. A model without a path counts as the linear one. solver EULER is Euler's
 * and Maruyama's method, of weak order 1; MIDPOINT and HEUN take the noise into their stages, and
 * are of weak order 2. The last step has g = 0. Near t = 1 the score of narrow data is large, and
 * there a g that does not vanish needs small steps.
 */
typedef struct fmatch_stochastic_config {
    uint32_t struct_size; /**< written by init */
    uint32_t flags;       /**< 0 */
    /**
     * g^2 = 2 eta sigma(t), of which nothing is singular: the drift is v - eta x0. 0 is the flow
     * itself. In [0, 1000], and 0 with diffusion. Default 1.
     */
    double eta;
    /**
     * Or NULL: write g(t), in [0, 1e6], at n times. Called while the sampler is created, about
     * starts and middles of steps, never about t_end.
     *
     * Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a negative one is
     * the custom.
     */
    int32_t (*diffusion)(void *user, int64_t n, const double *t, double *g);
    void *user;
} fmatch_stochastic_config;

/** Configuration of a sampler. */
typedef struct fmatch_sampler_config {
    uint32_t struct_size; /**< written by init */
    int32_t solver;       /**< an fmatch_solver. Default MIDPOINT. */
    int64_t steps;  /**< of a grid other than TIMES, 1 to 2^24; adaptive: unused. Default 50. */
    double t_start; /**< in [0, 1]. Default 0, noise. */
    /** In [0, 1], not t_start. Default 1, data. Below t_start the flow runs backward. */
    double t_end;
    double guidance_strength; /**< s or w. Default 0. */
    double guidance_t_start;  /**< guidance acts from here, in [0, 1]. Default 0. */
    double guidance_t_end;    /**< to here, in [guidance_t_start, 1]. Default 1. */
    int32_t guidance;         /**< an fmatch_guidance. Default NONE. */
    uint32_t flags;           /**< 0 */
    int32_t grid;      /**< an fmatch_grid. Default UNIFORM. Adaptive solvers: UNIFORM, or TIMES. */
    int32_t steps_max; /**< adaptive: tries of a row, 1 to 2^24; 0: 10 000 */
    double shift;      /**< of SHIFTED, in [0.001, 1000]; 0: 3 */
    /**
     * Of TIMES, [times_count], strictly in the direction from t_start to t_end, and copied. They
     * are where steps end, from t_start to t_end itself; of an adaptive solver, the times of its
     * trajectories, which may be any on the way.
     */
    const double *times;
    int64_t times_count; /**< 2 to 2^24 + 1; adaptive: from 1; 0 for another grid */
    /**
     * Adaptive: a step is taken if the root of the mean over columns of (error / (absolute +
     * relative max(|x|, |x after it|)))^2 is at most 1. In [1e-30, FLT_MAX]; 0: 1e-5. Networks
     * compute in float: below 1e-6 their rounding is what is measured.
     */
    double tolerance_absolute;
    double tolerance_relative; /**< in [1e-30, 1]; 0: 1e-5 */
    double step_first; /**< adaptive: length of the first try, from step_smallest to 1; 0: chosen */
    /**
     * Adaptive, to 1; 0: no limit. No shorter steps but a row's last, and the last ones before
     * guidance begins or ends; a row stops where one of this length is rejected.
     */
    double step_smallest;
    double step_largest; /**< adaptive: no longer ones, from step_smallest to 1; 0: no limit */
    /** Or NULL. With solver EULER, MIDPOINT or HEUN, and t_end above t_start. */
    const fmatch_stochastic_config *stochastic;
    double inpainting_strength; /**< of fmatch_sampler_draw_inpainted, in [0, 1]; 0: 1 */
    double inpainting_t_end;    /**< to which it acts, in [0, 1]; 0: 1 */
} fmatch_sampler_config;

/** What the last call took: of all rows together. */
typedef struct fmatch_sampler_info {
    uint32_t struct_size; /**< set by the caller */
    uint32_t flags;       /**< 0 */
    int64_t rows;         /**< of the call; 0 before the first one */
    int64_t stopped;      /**< rows that did not reach t_end */
    int64_t evaluations;  /**< of the field, two for each guided one */
    int64_t accepted;     /**< steps */
    int64_t rejected;     /**< steps that were tried and not taken */
    double step_smallest; /**< that was taken, the last one of a row included; 0: none */
} fmatch_sampler_info;

/**
 * The same of each row, as arrays [n] of the caller's, each of which may be NULL. A row that
 * stopped short of t_end has its state in x_end, and the time of that state in t.
 */
typedef struct fmatch_sampler_rows {
    uint32_t struct_size; /**< set by the caller */
    uint32_t flags;       /**< 0 */
    double *t;            /**< that the row reached */
    double *step_smallest;
    int64_t *evaluations;
    int64_t *accepted;
    int64_t *rejected;
} fmatch_sampler_rows;

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

/** Fill in the recommended values. */
#define fmatch_stochastic_config_init(config)                                                      \
    fmatch_stochastic_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_stochastic_config_init_sized(fmatch_stochastic_config *config, size_t size);

/**
 * Create a sampler.
 *
 * @param sampler  written: the new handle, owned by the caller; NULL on failure.
 * @param model    any. Each call uses the parameters that the model has when it begins.
 * @param config   or NULL for the recommended values.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_UNSUPPORTED
 * (guidance of a model that does not accept the null condition; stochastic with another solver, or
 * of a model whose noise is not normal: a mixture of one component is) · FMATCH_ERROR_NOT_FINITE
 * and FMATCH_ERROR_CALLBACK (of diffusion) · FMATCH_ERROR_NO_MEMORY.
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
 * @param x          [n, dim], written. On failure its contents are unspecified, but for an adaptive
 * solver's step limit and velocities that are not finite, where each row has the state that it
 * reached; fmatch_sampler_get_rows says when. The sampler can be used again.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STATE (t_start is not 0) ·
 * FMATCH_ERROR_NOT_FINITE (detail names the row and t; an adaptive solver first tries smaller
 * steps) · FMATCH_ERROR_STEP_LIMIT (adaptive: a row came to steps_max or step_smallest; detail
 * names it) · FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_draw(fmatch_sampler *sampler,
                                                                uint64_t seed, int64_t first_row,
                                                                int64_t n, const float *condition,
                                                                float *x);

/**
 * Draw noise and integrate it, as fmatch_sampler_draw does, keeping every time of
 * fmatch_sampler_get_times in trajectory [times, n, dim]. An adaptive solver interpolates between
 * its steps; a row that stopped short has nan at the times that it has not reached.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_sampler_draw_trajectory(fmatch_sampler *sampler, uint64_t seed, int64_t first_row, int64_t n,
                               const float *condition, float *trajectory);

/**
 * Draw with some coordinates given: their velocity v becomes v + w (u - v), where u leads straight
 * from where they are to the known point, (known - x) / (1 - t) on the linear path and the
 * velocity of a prediction of data on others, and w = inpainting_strength mask, to
 * inpainting_t_end. Others follow the model's velocity, which sees the given ones on their way: by
 * itself not to the conditional distribution, but near it with much noise along the way, of which
 * the given ones have none. Where w is 1 and the pull acts to t = 1, the known value comes out as
 * it was given.
 *
 * @param sampler    with t_start = 0 and a solver that is not adaptive.
 * @param known      [n, dim], finite where w > 0. May be x.
 * @param mask       [n, dim], in [0, 1]; NULL: 0 where known is nan, else 1.
 *
 * The other parameters and statuses are those of fmatch_sampler_draw; also FMATCH_ERROR_UNSUPPORTED
 * (an adaptive solver).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_draw_inpainted(
    fmatch_sampler *sampler, uint64_t seed, int64_t first_row, int64_t n, const float *condition,
    const float *known, const float *mask, float *x);

/**
 * Integrate given points from t_start to t_end. Of a stochastic sampler, as
 * fmatch_sampler_integrate_stochastic with seed 0 and first_row 0.
 *
 * To begin on the way, take t_start = t and points x_t that fmatch_path_evaluate makes of data x1
 * and noise x0, of which fmatch_model_get_noise has more.
 *
 * @param sampler    any.
 * @param n          rows, 0 to 2^44 / dim.
 * @param x_start    [n, dim], finite.
 * @param condition  [n, condition_dim]; NULL: none, or the null condition of all rows.
 * @param x_end      [n, dim], written. May be x_start. On failure as for fmatch_sampler_draw.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE (detail names the row, and t)
 * · FMATCH_ERROR_STEP_LIMIT · FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_integrate(
    fmatch_sampler *sampler, int64_t n, const float *x_start, const float *condition, float *x_end);

/**
 * Integrate given points, as fmatch_sampler_integrate does; the noise along the way of row i
 * depends on (seed, first_row + i) alone. Without noise the two do not matter.
 *
 * @param seed       any value.
 * @param first_row  0 to 2^44 - n.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_integrate_stochastic(
    fmatch_sampler *sampler, uint64_t seed, int64_t first_row, int64_t n, const float *x_start,
    const float *condition, float *x_end);

/**
 * Integrate given points, as fmatch_sampler_integrate does, with a trajectory as of
 * fmatch_sampler_draw_trajectory.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_sampler_integrate_trajectory(fmatch_sampler *sampler, int64_t n, const float *x_start,
                                    const float *condition, float *trajectory);

/**
 * Times of a trajectory: one more than the steps of the grid; of an adaptive solver times_count, or
 * 2, the ends. 0 for NULL.
 */
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
 * Evaluations of the velocity field that a row costs (NFE), two for each guided one; 0 for NULL. Of
 * an adaptive solver what the last call took, the mean over rows rounded up; 0 before it.
 */
FMATCH_API int64_t fmatch_sampler_count_evaluations(const fmatch_sampler *sampler);

/**
 * What the last call took.
 *
 * A call that failed leaves 0 rows, but for FMATCH_ERROR_STEP_LIMIT and the FMATCH_ERROR_NOT_FINITE
 * of an adaptive solver.
 *
 * @param info  written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_STATE (called
 * from a callback of the call itself).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_get_info(const fmatch_sampler *sampler,
                                                                    fmatch_sampler_info *info);

/**
 * What each row took of the last call.
 *
 * @param first  first row, from 0, counted in that call.
 * @param n      rows, 0 to those of fmatch_sampler_get_info behind first.
 * @param rows   its arrays are written.
 *
 * @return as fmatch_sampler_get_info.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_sampler_get_rows(
    const fmatch_sampler *sampler, int64_t first, int64_t n, const fmatch_sampler_rows *rows);

#ifdef __cplusplus
}
#endif

#endif
