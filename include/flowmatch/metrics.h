/** Distances between two sets of samples, and measures of the paths between them. */
#ifndef FLOWMATCH_METRICS_H
#define FLOWMATCH_METRICS_H

#include "context.h"
#include "transport.h"

/** How means over pairs of one set with itself are taken. */
enum fmatch_mmd_estimator {
    /** Over all pairs, a row with itself included: the V-statistic, never negative. */
    FMATCH_MMD_BIASED = 0,
    /** Over pairs of different rows: the U-statistic, whose expectation is MMD^2; may be negative.
     */
    FMATCH_MMD_UNBIASED = 1
};

/** Configuration of the maximum mean discrepancy. */
typedef struct fmatch_mmd_config {
    uint32_t struct_size; /**< written by init */
    int32_t estimator;    /**< an fmatch_mmd_estimator. Default BIASED. */
    /**
     * [count] standard deviations of the Gaussian kernels, in the units of the data, 1e-100 to
     * 1e100; NULL: 0.01, 0.1, 1, 10 and 100. Default NULL.
     */
    const double *sigmas;
    int32_t count;  /**< of sigmas: 1 to 1024, or 0 with NULL. Default 0. */
    uint32_t flags; /**< 0 */
} fmatch_mmd_config;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Energy distance, 2 E|X - Y| - E|X - X'| - E|Y - Y'| with Euclidean norms, as the mean over all
 * pairs, each row with itself included: zero for equal sets, never negative. Székely and Rizzo,
 * "Energy statistics", 2013, equation 5 without the square root. Takes time proportional to (n +
 * m)^2 dim.
 *
 * @param dim       columns, 1 to 65536.
 * @param n         rows of x, 1 to 2^31.
 * @param x         [n, dim], finite.
 * @param m         rows of y, 1 to 2^31.
 * @param y         [m, dim], finite.
 * @param distance  written, in the units of the data.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_metrics_evaluate_energy_distance(
    int32_t dim, int64_t n, const float *x, int64_t m, const float *y, double *distance);

/**
 * Wasserstein distances of two samples on the line, exactly: W_p^p is the integral over u of
 * |F^-1(u) - G^-1(u)|^p for the two quantile functions. Villani, "Topics in Optimal
 * Transportation", 2003, theorem 2.18.
 *
 * @param context  whose allocator is used for two sorted copies.
 * @param n        values of x, 1 to 2^31.
 * @param x        [n], finite, in any order.
 * @param m        values of y, 1 to 2^31; may differ from n.
 * @param y        [m], finite, in any order.
 * @param w1       written: W1, in the units of the data. May be NULL.
 * @param w2       written: W2, not squared, in the units of the data. May be NULL. Its square is
 * the W2^2 of other functions.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_metrics_evaluate_wasserstein_1d(fmatch_context *context, int64_t n, const float *x,
                                       int64_t m, const float *y, double *w1, double *w2);

/**
 * Wasserstein distances of two samples of equal size in any dimension, exactly: W_p^p is the least
 * mean over pairs of |x_i - y_p(i)|^p of all permutations p. By assignment, one for W1 and one for
 * W2, as in fmatch_transport_solve_assignment; on the line by sorting.
 *
 * W2 takes time between n^2 and n^3, and W1 longer; what is NULL is not computed.
 *
 * @param context    whose allocator gives memory for the call: about 8.5 n^2 bytes, or 12 n on the
 * line.
 * @param dim        columns, 1 to 65536.
 * @param n          rows of x and of y, 1 to 65536; to 2^31 on the line.
 * @param x          [n, dim], finite.
 * @param y          [n, dim], finite.
 * @param w1         written: W1 with Euclidean distances, in the units of the data. May be NULL.
 * @param w2         written: W2, not squared, in the units of the data. May be NULL.
 * @param w2_square  written: W2^2. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_metrics_evaluate_wasserstein(fmatch_context *context, int32_t dim, int64_t n, const float *x,
                                    const float *y, double *w1, double *w2, double *w2_square);

/**
 * Sliced Wasserstein distance: SW2^2 is the mean over directions of the W2^2 of the two samples
 * projected onto the line, Bonneel et al., "Sliced and Radon Wasserstein Barycenters of Measures",
 * 2015, definition 3, estimated from random directions, uniform on the sphere. Takes time
 * proportional to projections (n + m) dim, and runs on the context's threads.
 *
 * Directions are normal numbers of the library's generator, normalised: number i depends on (seed,
 * i, dim) alone. Projections are rounded to float before they are sorted. In one dimension the
 * result is W2. In the mean over directions SW2^2 <= W2^2 / dim.
 *
 * @param context      serves any number of threads.
 * @param dim          columns, 1 to 65536.
 * @param n            rows of x, 1 to 2^31.
 * @param x            [n, dim], finite.
 * @param m            rows of y, 1 to 2^31; may differ from n.
 * @param y            [m, dim], finite.
 * @param projections  directions, 1 to 2^31; 100 is usual.
 * @param seed         any value; equal seeds give equal directions.
 * @param w2           written: SW2, not squared, in the units of the data. May be NULL.
 * @param w2_square    written: SW2^2. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE (also when a projection is
 * beyond the range of float) · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_metrics_evaluate_sliced_wasserstein(
    fmatch_context *context, int32_t dim, int64_t n, const float *x, int64_t m, const float *y,
    int64_t projections, uint64_t seed, double *w2, double *w2_square);

/**
 * Sinkhorn divergence OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 of two samples with even masses, where
 * OT is entropic transport as in fmatch_transport_solve_sinkhorn, with the squared Euclidean
 * distance as cost (not half of it), in two forms:
 *
 * - divergence: OT is the minimum of sum P C + epsilon KL(P | a b^T), the entropy's term included.
 *   Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn Divergences",
 *   2019, equation 3: zero for equal sets and positive otherwise, up to the solver's tolerance.
 * - transport: OT is sum P C at the same plans, without that term. Genevay, Peyré and Cuturi,
 *   "Learning Generative Models with Sinkhorn Divergences", 2018. Zero for equal sets.
 *
 * Both are squared distances: with epsilon to 0 they become W2^2. An epsilon of the mean cost is
 * that of x and y, in all three terms. The transport of a set to itself is found by averaged
 * updates of its one potential, on the context's threads, and converges in a few dozen iterations;
 * that of x to y by fmatch_transport_solve_sinkhorn, which at a small epsilon may take many
 * thousands. The first form is then good long before the second, since its error is the square of
 * the potentials'.
 *
 * @param context     whose allocator gives memory for the call, about 16 bytes times the square of
 * the larger of n and m.
 * @param dim         columns, 1 to 65536.
 * @param n           rows of x, 1 to 65536.
 * @param x           [n, dim], finite.
 * @param m           rows of y, 1 to 65536; may differ from n.
 * @param y           [m, dim], finite.
 * @param config      or NULL for the recommended values; rho is 0 or infinity.
 * @param divergence  written, in squared units of the data. May be NULL.
 * @param transport   written, in squared units of the data. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_NO_MEMORY · FMATCH_ERROR_STEP_LIMIT when one of the three did not reach the
 * tolerance: then the results are written all the same, and detail says which one and its error.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_metrics_evaluate_sinkhorn_divergence(
    fmatch_context *context, int32_t dim, int64_t n, const float *x, int64_t m, const float *y,
    const fmatch_sinkhorn_config *config, double *divergence, double *transport);

/** Fill in the recommended values. */
#define fmatch_mmd_config_init(config) fmatch_mmd_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_mmd_config_init_sized(fmatch_mmd_config *config, size_t size);

/**
 * Maximum mean discrepancy, squared: MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y) with the sum
 * (not the mean) of Gaussian kernels k(x, y) = sum over s of exp(-|x - y|^2 / (2 sigma_s^2)).
 * Gretton et al., "A Kernel Two-Sample Test", 2012: biased as in equation 5, unbiased as in
 * equation 3. Takes time proportional to (n + m)^2 (dim + count), and runs on the context's
 * threads.
 *
 * @param context     serves any number of threads.
 * @param dim         columns, 1 to 65536.
 * @param n           rows of x, 1 to 2^31; 2 at least for the unbiased estimator.
 * @param x           [n, dim], finite.
 * @param m           rows of y, likewise; may differ from n.
 * @param y           [m, dim], finite.
 * @param config      or NULL for the recommended values.
 * @param mmd_square  written: MMD^2, without a unit.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_metrics_evaluate_mmd(
    fmatch_context *context, int32_t dim, int64_t n, const float *x, int64_t m, const float *y,
    const fmatch_mmd_config *config, double *mmd_square);

/**
 * Kolmogorov and Smirnov's statistic of two samples on the line: the largest |F(z) - G(z)| of their
 * empirical distribution functions, two-sided. Kolmogorov 1933; Smirnov 1939.
 *
 * @param context    whose allocator is used for two sorted copies.
 * @param n          values of x, 1 to 2^31.
 * @param x          [n], finite, in any order.
 * @param m          values of y, 1 to 2^31; may differ from n.
 * @param y          [m], finite, in any order.
 * @param statistic  written, on [0, 1].
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_metrics_evaluate_kolmogorov_smirnov(fmatch_context *context, int64_t n, const float *x,
                                           int64_t m, const float *y, double *statistic);

/**
 * The same statistic of one sample against a continuous distribution function F: the largest
 * |F_n(z) - F(z)| over z, two-sided, from the function's values at the sample.
 *
 * @param context    whose allocator is used.
 * @param n          values, 1 to 2^31.
 * @param cdf        [n], F(x_i) on [0, 1], in any order.
 * @param statistic  written, on [1 / (2 n), 1].
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(
    fmatch_context *context, int64_t n, const double *cdf, double *statistic);

/**
 * Energy, curvature and straightness of paths, as fmatch_sampler_draw_trajectory writes them. The
 * velocity v is the difference quotient of each step: for Euler's method the field at the step's
 * beginning, else its mean over the step. Runs on the context's threads.
 *
 * - energy: the mean over rows of the integral of |v|^2 dt. For times from 0 to 1 it is at least
 * the W2^2 of the two ends (Benamou and Brenier 2000), with equality for optimal transport.
 * - curvature: the mean over rows of the integral of |v - (x_last - x_first) / T|^2 dt with T the
 *   time from end to end: with T = 1 the straightness S of Liu et al., "Flow Straight and Fast",
 *   2023, section 2.2. Zero for straight paths of constant speed.
 * - straightness: the mean over rows of the distance from end to end divided by the length of the
 *   path, on [0, 1]. 1 for straight paths, at whatever speed; a row that never moves counts as 1.
 *
 * @param context       serves any number of threads.
 * @param dim           columns, 1 to 65536.
 * @param times         2 to 2^31.
 * @param t             [times], strictly increasing or strictly decreasing.
 * @param n             rows, >= 1.
 * @param trajectory    [times, n, dim], finite.
 * @param energy        written, in squared units of the data per time. May be NULL.
 * @param curvature     written, in the same units. May be NULL.
 * @param straightness  written. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_metrics_evaluate_path(
    fmatch_context *context, int32_t dim, int64_t times, const double *t, int64_t n,
    const float *trajectory, double *energy, double *curvature, double *straightness);

/**
 * Normalised path energy |T E - W2^2| / W2^2 with the energy E of fmatch_metrics_evaluate_path and
 * T the time from end to end, 1 in the literature: Tong et al., "Improving and generalizing
 * flow-based generative models with minibatch optimal transport", 2024, section 5. Zero for optimal
 * transport. The literature takes Euler's method with 100 steps.
 *
 * @param context     serves any number of threads.
 * @param dim         columns, 1 to 65536.
 * @param times       2 to 2^31.
 * @param t           [times], strictly increasing or strictly decreasing.
 * @param n           rows, >= 1.
 * @param trajectory  [times, n, dim], finite.
 * @param w2_square   W2^2 of the two distributions, squared: positive and finite.
 * @param normalised  written, >= 0.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_metrics_evaluate_normalised_path_energy(
    fmatch_context *context, int32_t dim, int64_t times, const double *t, int64_t n,
    const float *trajectory, double w2_square, double *normalised);

#ifdef __cplusplus
}
#endif

#endif
