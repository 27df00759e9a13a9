/** Couplings: which noise is paired with which data. */
#ifndef FLOWMATCH_COUPLING_H
#define FLOWMATCH_COUPLING_H

#include "source.h"
#include "transport.h"

/** How pairs of noise and data are made, from batches of both. */
enum fmatch_coupling {
    /** As they come: Lipman et al. 2023, Liu et al. 2023. */
    FMATCH_COUPLING_INDEPENDENT = 0,
    /**
     * The assignment of least squared distance: Pooladian et al. 2023, "Multisample flow matching";
     * Tong et al. 2024, "Improving and generalizing flow-based generative models with minibatch
     * optimal transport".
     */
    FMATCH_COUPLING_EXACT = 1,
    /** Draws from the entropic plan: Tong et al. 2024, section 3.3. */
    FMATCH_COUPLING_ENTROPIC = 2,
    /**
     * Draws from the entropic plan whose marginals may differ from the batches': Chizat et al.
     * 2018, "Scaling algorithms for unbalanced optimal transport problems".
     */
    FMATCH_COUPLING_UNBALANCED = 3,
    /**
     * Each noise goes to the stored row of the target, an array or a file, with the least squared
     * distance minus a potential, which is found once when the trainer is created: no bias of the
     * batch. Rows' weights are the masses that they get.
     */
    FMATCH_COUPLING_SEMIDISCRETE = 4,
    /** A user's function pairs them. */
    FMATCH_COUPLING_CALLBACK = 5
};

/** How an exact coupling uses its plan. */
enum fmatch_pairing {
    /** Every row of both sides once. */
    FMATCH_PAIRING_PERMUTATION = 0,
    /** Pairs drawn from the plan with replacement: rows may come twice or not at all. */
    FMATCH_PAIRING_REPLACEMENT = 1
};

/**
 * What a coupling makes of conditions. Distance alone would pair noise and data across conditions,
 * which makes a conditional model's noise depend on the condition: Cheng and Schwing 2025, "The
 * curse of conditions: analyzing and improving optimal transport for conditional flow-based
 * generation" (C2OT).
 */
enum fmatch_condition_coupling {
    /** Each label's rows among themselves, and ADAPTIVE for other columns. */
    FMATCH_CONDITION_COUPLING_AUTO = 0,
    /** Each label's rows among themselves; other columns do not count. */
    FMATCH_CONDITION_COUPLING_CLASSES = 1,
    /**
     * Labels among themselves; and for other columns, squared distance + condition_weight times the
     * squared distance of the conditions.
     */
    FMATCH_CONDITION_COUPLING_WEIGHT = 2,
    /**
     * The same with the weight that condition_rate asks for, found anew for each batch, or each
     * label's part of it. It needs at least 1 / condition_rate rows to be below its most, 1e8.
     */
    FMATCH_CONDITION_COUPLING_ADAPTIVE = 3,
    /** Not at all. */
    FMATCH_CONDITION_COUPLING_NONE = 4
};

/** A user's coupling. */
typedef struct fmatch_coupling_callbacks {
    uint32_t struct_size; /**< sizeof(fmatch_coupling_callbacks) */
    uint32_t flags;       /**< 0 */
    /**
     * Write pairs: noise_row [n] and target_row [n], each from 0 to n - 1, for noise [n, dim],
     * target [n, dim] and condition [n, condition_dim], NULL if there is none. All randomness comes
     * from `random`, whose rows are those of the batch. Runs on the thread that called the library.
     *
     * Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a negative one is
     * the custom.
     */
    int32_t (*pair)(void *user, fmatch_random *random, int64_t n, int32_t dim, const float *noise,
                    const float *target, int32_t condition_dim, const float *condition,
                    int32_t *noise_row, int32_t *target_row);
    /** Or NULL; called once, with the last reference or when create fails. */
    void (*destroy)(void *user);
    void *user;
} fmatch_coupling_callbacks;

/** Configuration of a coupling. */
typedef struct fmatch_coupling_config {
    uint32_t struct_size; /**< written by init */
    int32_t kind;         /**< an fmatch_coupling. Default INDEPENDENT. */
    int32_t pairing;      /**< an fmatch_pairing, of EXACT. Default PERMUTATION. */
    /**
     * Rows of either side that are coupled together, 1 to 16384: a multiple of the training's
     * batch. Default 0: as many as that.
     */
    int32_t batch;
    /**
     * Of ENTROPIC and UNBALANCED; NULL: its recommended values with a tolerance of 1e-3. UNBALANCED
     * needs its rho, which ENTROPIC must leave at 0.
     */
    const fmatch_sinkhorn_config *sinkhorn;
    /** Of SEMIDISCRETE; NULL: its recommended values. */
    const fmatch_semidiscrete_config *semidiscrete;
    const fmatch_coupling_callbacks *callbacks; /**< of CALLBACK, copied */
    int32_t condition;                          /**< an fmatch_condition_coupling. Default AUTO. */
    uint32_t flags;                             /**< 0 */
    double condition_weight;                    /**< of WEIGHT, >= 0 */
    /**
     * Of ADAPTIVE, in (0, 1]: the share of all possible pairs that are as cheap as the pair as it
     * came. Default 0.05.
     */
    double condition_rate;
} fmatch_coupling_config;

/** Rows to be paired; lent for the call. */
typedef struct fmatch_coupling_rows {
    uint32_t struct_size;   /**< sizeof(fmatch_coupling_rows) */
    int32_t dim;            /**< columns, 1 to 65536 */
    int64_t n;              /**< rows of either side, 1 to 16384 */
    const float *noise;     /**< [n, dim], finite */
    const float *target;    /**< [n, dim], finite */
    const float *condition; /**< [n, condition_dim], of the data; NULL: none */
    int32_t condition_dim;  /**< columns of a condition, 0 to 65536 */
    int32_t classes;        /**< labels in the first of them; 0: it is no label */
} fmatch_coupling_rows;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_coupling_config_init(config)                                                        \
    fmatch_coupling_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_coupling_config_init_sized(fmatch_coupling_config *config, size_t size);

/**
 * Pair rows of noise with rows of data as a trainer would, in the units they are given in.
 *
 * @param context     whose allocator and threads are used.
 * @param config      any kind but SEMIDISCRETE, for which fmatch_transport_solve_semidiscrete gives
 * the potential.
 * @param seed        of pairs that are drawn.
 * @param rows        both sides.
 * @param noise_row   [n], written: pair i is of noise row noise_row[i] ...
 * @param target_row  [n], written: ... and data row target_row[i]. A permutation leaves the data in
 * order: target_row[i] is i.
 * @param cost        written: mean squared distance of the pairs. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_CALLBACK · FMATCH_ERROR_STEP_LIMIT (Sinkhorn did not converge) ·
 * FMATCH_ERROR_UNSUPPORTED · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_coupling_solve(
    fmatch_context *context, const fmatch_coupling_config *config, uint64_t seed,
    const fmatch_coupling_rows *rows, int32_t *noise_row, int32_t *target_row, double *cost);

#ifdef __cplusplus
}
#endif

#endif
