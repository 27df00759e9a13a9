/**
 * Optimal transport between two batches of rows: who is paired with whom, so that the pairs are
 * near each other.
 *
 * Costs are double, [n, m] and row-major: cost[i * m + j] is that of sending row i of the noise
 * side to row j of the target side. All functions compute on the calling thread, and their results
 * are the same bits on every instruction set.
 */
#ifndef FLOWMATCH_TRANSPORT_H
#define FLOWMATCH_TRANSPORT_H

#include "source.h"

/** In what epsilon is measured. */
enum fmatch_epsilon_unit {
    FMATCH_EPSILON_OF_MEAN_COST = 0, /**< the mean of all costs, which must be positive */
    FMATCH_EPSILON_ABSOLUTE = 1      /**< the unit of the costs */
};

/** Configuration of entropic transport. */
typedef struct fmatch_sinkhorn_config {
    uint32_t struct_size; /**< written by init */
    int32_t epsilon_unit; /**< an fmatch_epsilon_unit. Default OF_MEAN_COST. */
    double epsilon;       /**< weight of the entropy, 1e-300 to 1e300. Default 0.05. */
    double tolerance; /**< of the marginal's error, see fmatch_sinkhorn_info, >= 0. Default 1e-9. */
    /**
     * Unbalanced transport: weight of the marginals' divergence, in the costs' unit, > 0; mass
     * whose transport costs more than that is worth is left out. 0 or infinity: the marginals are a
     * and b. Default 0.
     */
    double rho;
    int64_t iterations; /**< at most so many, 1 to 2^31. Default 10000. */
} fmatch_sinkhorn_config;

/** What came out of entropic transport. */
typedef struct fmatch_sinkhorn_info {
    uint32_t struct_size; /**< sizeof(fmatch_sinkhorn_info), set by the caller */
    uint32_t flags;       /**< 0 */
    int64_t iterations;   /**< updates of both potentials */
    double epsilon;       /**< in the costs' unit */
    /**
     * sum_i |sum_j P_ij - a'_i| / sum_i a_i of the plan returned, with a' = a for fixed marginals
     * and a'_i = a_i exp(-f_i / rho) otherwise. The other marginal was updated last, and is exact.
     */
    double marginal_error;
    double transport_cost; /**< sum_ij P_ij C_ij, without the entropy */
    /**
     * With the entropy: the dual objective at f and g. For fixed marginals sum_i a_i f_i + sum_j
     * b_j g_j - epsilon (sum_ij P_ij - sum_i a_i sum_j b_j); unbalanced, -rho sum_i a_i (exp(-f_i /
     * rho) - 1) stands for the first sum, and likewise for the second. At convergence it equals
     * sum_ij P_ij C_ij + epsilon KL(P | a b^T), plus rho KL(P 1 | a) + rho KL(P^T 1 | b) if
     * unbalanced, with KL(p | q) = sum p log(p / q) - p + q; before, it is below that minimum.
     */
    double regularised_cost;
    double mass; /**< sum_ij P_ij */
} fmatch_sinkhorn_info;

/** Configuration of semidiscrete transport. */
typedef struct fmatch_semidiscrete_config {
    uint32_t struct_size; /**< written by init */
    int32_t batch;        /**< rows of noise in a step, 2 to 2^20. Default 1024. */
    uint64_t seed;        /**< of the noise. Default 0. */
    int64_t steps;        /**< at most so many, 1 to 2^24. Default 10000. */
    /**
     * In units of the mean squared distance, > 0 to 1000; it falls to a ten-thousandth of this over
     * `steps`. Default 0.02.
     */
    double learning_rate;
    double
        averaging; /**< of the potential, in [0, 1): what a step keeps of the mean. Default 0.99. */
    double tolerance; /**< of the marginal's error, >= 0; 0: all steps are made. Default 1e-3. */
} fmatch_semidiscrete_config;

/** What came out of semidiscrete transport. */
typedef struct fmatch_semidiscrete_info {
    uint32_t struct_size; /**< sizeof(fmatch_semidiscrete_info), set by the caller */
    uint32_t flags;       /**< 0 */
    int64_t steps;        /**< that were made */
    /**
     * chi^2 = sum_j (P(j) - b_j)^2 / b_j, P(j) being the share of noise that goes to row j: an
     * estimate without bias from other noise, which may be below 0. Its standard deviation is about
     * a quarter of the tolerance, or more where that would take above 2^18 rows.
     */
    double marginal_error;
    double cost; /**< E[min_j(|x - y_j|^2 - g_j)] + sum_j b_j g_j, estimated: W2^2 at the optimum */
} fmatch_semidiscrete_info;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The permutation p with the least sum of cost[i, p(i)], exactly: the optimal plan between two
 * batches of equal size and equal weights. Jonker and Volgenant, "A shortest augmenting path
 * algorithm for dense and sparse linear assignment problems", 1987, with prices from a sample of
 * rows and columns to begin with.
 *
 * Exact means: no permutation is cheaper by more than the rounding of sums in double. Of equal
 * costs the lowest index is taken at every choice, so that the result is always the same; it need
 * not be the lexicographically first of the best permutations. Takes time between n^2 and n^3.
 *
 * @param context      whose allocator gives memory for the call.
 * @param n            rows and columns, 0 to 65536.
 * @param cost         [n, n], finite, of either sign.
 * @param permutation  [n], written: row i goes to column permutation[i].
 * @param total        written: the sum of the costs of the pairs, in the order of rows. May be
 * NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE, also when the total is
 * beyond the largest double · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_transport_solve_assignment(
    fmatch_context *context, int64_t n, const double *cost, int32_t *permutation, double *total);

/**
 * The same for two batches of points, with their squared Euclidean distances as costs, which are
 * summed in double. total / n is then the square of the Wasserstein distance W2 between the two
 * batches.
 *
 * @param context      whose allocator gives memory for the call, about 8.5 n^2 bytes.
 * @param dim          columns of x and y, 1 to 65536.
 * @param n            rows of x and of y, 0 to 65536.
 * @param x            [n, dim], finite.
 * @param y            [n, dim], finite.
 * @param permutation  [n], written: row i of x is paired with row permutation[i] of y.
 * @param total        written: the sum of the squared distances of the pairs. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_transport_solve_assignment_points(
    fmatch_context *context, int32_t dim, int64_t n, const float *x, const float *y,
    int32_t *permutation, double *total);

/** Fill in the recommended values. */
#define fmatch_sinkhorn_config_init(config)                                                        \
    fmatch_sinkhorn_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_sinkhorn_config_init_sized(fmatch_sinkhorn_config *config, size_t size);

/**
 * Entropic optimal transport: the plan P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon) by
 * Sinkhorn's iterations, f_i = -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon) and likewise g_j,
 * with epsilon lowered in steps to its value. Cuturi, "Sinkhorn Distances", 2013; Peyré and Cuturi,
 * "Computational Optimal Transport", 2019, section 4.4. Unbalanced, both updates are multiplied by
 * rho / (rho + epsilon): Chizat et al., "Scaling algorithms for unbalanced optimal transport
 * problems", 2018.
 *
 * Nothing overflows at a small epsilon, but the number of iterations grows like 1 / epsilon and
 * faster; what did not converge is told, and given as far as it came.
 *
 * @param context  whose allocator gives memory for the call, about 8 n m bytes.
 * @param n        rows, 1 to 65536.
 * @param m        columns, 1 to 65536.
 * @param cost     [n, m], finite, up to 1e300 in magnitude.
 * @param a        [n], the masses of the rows, >= 0 and not all 0; or NULL: even masses, which add
 * up to those of b, or to 1 without b.
 * @param b        [m], the masses of the columns, likewise. With fixed marginals both must add up
 * to the same within 1e-6 of it, and b is scaled to do so.
 * @param config   or NULL for the recommended values.
 * @param plan     [n, m], written. May be NULL.
 * @param f        [n], written: the potential of the rows, in the costs' unit. May be NULL.
 * @param g        [m], written: the potential of the columns. May be NULL.
 * @param info     its struct_size set; the rest is written. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_NO_MEMORY · FMATCH_ERROR_STEP_LIMIT when the tolerance was not reached: then plan,
 * f, g and info are written all the same, and detail names the error.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_transport_solve_sinkhorn(
    fmatch_context *context, int64_t n, int64_t m, const double *cost, const double *a,
    const double *b, const fmatch_sinkhorn_config *config, double *plan, double *f, double *g,
    fmatch_sinkhorn_info *info);

/** Fill in the recommended values. */
#define fmatch_semidiscrete_config_init(config)                                                    \
    fmatch_semidiscrete_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_semidiscrete_config_init_sized(fmatch_semidiscrete_config *config,
                                                      size_t size);

/**
 * Semidiscrete optimal transport: of a whole noise distribution to the rows y, by squared distance.
 * The potential g maximises E_x[min_j(|x - y_j|^2 - g_j)] + sum_j b_j g_j, by stochastic gradient
 * ascent on batches of noise with an averaged potential; then x goes to the row with the least |x -
 * y_j|^2 - g_j, and row j gets the share b_j of the noise. Genevay, Cuturi, Peyré and Bach,
 * "Stochastic Optimization for Large-scale Optimal Transport", 2016. Takes time proportional to
 * batch m dim per step.
 *
 * @param context    whose allocator and threads are used.
 * @param noise      a source; its weights, if it has any, are not looked at.
 * @param m          rows of y, 1 to 2^31 - 1.
 * @param y          [m, dim], finite, dim being the noise's.
 * @param weights    [m], b_j up to a common factor, positive; or NULL: even ones.
 * @param config     or NULL for the recommended values.
 * @param potential  [m], written: g, in the unit of squared distances, of mean 0 under the weights.
 * @param info       its struct_size set; the rest is written. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_CALLBACK and others of fmatch_source_draw · FMATCH_ERROR_NO_MEMORY ·
 * FMATCH_ERROR_STEP_LIMIT when a tolerance above 0 was not reached: then potential and info are
 * written all the same, and detail names the error.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_transport_solve_semidiscrete(
    fmatch_context *context, const fmatch_source *noise, int64_t m, const float *y,
    const double *weights, const fmatch_semidiscrete_config *config, double *potential,
    fmatch_semidiscrete_info *info);

/**
 * Where rows go under a potential: for each x_i the lowest j with the least |x_i - y_j|^2 - g_j.
 *
 * @param context    whose allocator and threads are used.
 * @param dim        columns, 1 to 65536.
 * @param n          rows of x, >= 0.
 * @param x          [n, dim], finite.
 * @param m          rows of y, 1 to 2^31 - 1.
 * @param y          [m, dim], finite.
 * @param potential  [m], finite; or NULL: zeros, for the nearest rows.
 * @param row        [n], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_transport_evaluate_semidiscrete(
    fmatch_context *context, int32_t dim, int64_t n, const float *x, int64_t m, const float *y,
    const double *potential, int32_t *row);

/**
 * The weight w of conditions in the cost C + w K at which a share `rate` of all pairs (i, j) has
 * C_ij + w K_ij <= C_jj: C_jj is the cost of data j with the noise it came with, and K_ij the
 * distance between the conditions of i and j. Cheng and Schwing, "The Curse of Conditions", 2025
 * (C2OT), section 3.3: 0 if the share is no more than that at w = 0; else doubled from 100 while
 * there are more, and bisected until the share is within 1e-3 of the rate. Where the share jumps
 * over the rate, the least weight with a share below. The pairs (j, j) count when K_jj = 0, so that
 * a rate below 1 / n cannot be reached; then, as wherever it takes more than that, the weight is
 * 1e8.
 *
 * @param n               rows and columns, 1 to 65536.
 * @param cost            [n, n], finite.
 * @param condition_cost  [n, n], finite, >= 0: for instance squared distances.
 * @param rate            in (0, 1]; 0.05 in the paper.
 * @param weight          written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_transport_evaluate_condition_weight(
    int64_t n, const double *cost, const double *condition_cost, double rate, double *weight);

/**
 * Draw from a plan: for each row i a column j with probability P_ij / sum_j P_ij. Row i depends on
 * (seed, first_row + i) and its own masses alone.
 *
 * @param context    whose instruction set is used.
 * @param n          rows, >= 0.
 * @param m          columns, 1 to 2^31 - 1.
 * @param plan       [n, m], finite, >= 0; rows need not have equal masses.
 * @param seed       any value.
 * @param first_row  index of the first row in the stream of this seed, 0 to 2^44 - n.
 * @param column     [n], written; -1 for a row without mass.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_transport_draw_columns(fmatch_context *context, int64_t n, int64_t m, const double *plan,
                              uint64_t seed, int64_t first_row, int32_t *column);

#ifdef __cplusplus
}
#endif

#endif
