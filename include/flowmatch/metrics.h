/** Distances between two sets of samples. */
#ifndef FLOWMATCH_METRICS_H
#define FLOWMATCH_METRICS_H

#include "context.h"

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
 * @param n         rows of x, >= 1.
 * @param x         [n, dim], finite.
 * @param m         rows of y, >= 1.
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
 * @param n        values of x, >= 1.
 * @param x        [n], finite, in any order.
 * @param m        values of y, >= 1; may differ from n.
 * @param y        [m], finite, in any order.
 * @param w1       written: W1, in the units of the data. May be NULL.
 * @param w2       written: W2, not squared, in the units of the data. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_metrics_evaluate_wasserstein_1d(fmatch_context *context, int64_t n, const float *x,
                                       int64_t m, const float *y, double *w1, double *w2);

#ifdef __cplusplus
}
#endif

#endif
