/**
 * The generator that is lent to callbacks, so that a user's distribution is as reproducible as the
 * library's own.
 */
#ifndef FLOWMATCH_RANDOM_H
#define FLOWMATCH_RANDOM_H

#include "status.h"

/**
 * A view of the counter-based generator Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As
 * Easy as 1, 2, 3", 2011) for the rows that a callback is asked to fill. There is no state to
 * advance: a value is a function of (seed, stream, row, draw), so that row i gets the same numbers
 * however the rows are cut into calls.
 *
 * Thread-safety: unsafe. Valid during the callback it is lent to.
 *
 * Two ways to use it, which may be mixed:
 * - whole blocks: fmatch_random_draw_normal(random, n, k, out) gives k values to each of the n rows
 * of the callback;
 * - row by row, for draws that depend on one another: fmatch_random_set_row(random, i), then draws
 * with n = 1.
 */
typedef struct fmatch_random fmatch_random;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Uniform numbers on [0, 1), multiples of 2^-24.
 *
 * @param random  lent.
 * @param n       rows, at most those of the callback; 1 after fmatch_random_set_row. Rows beyond
 * are not written.
 * @param k       values a row.
 * @param out     [n, k], written. Each call gives new numbers. Nothing is written for n or k below
 * 1, or a NULL.
 */
FMATCH_API void fmatch_random_draw_uniform(fmatch_random *random, int64_t n, int32_t k, float *out);

/**
 * Standard normal numbers by Box and Muller's transform, |z| < 6.8; parameters as in
 * fmatch_random_draw_uniform.
 */
FMATCH_API void fmatch_random_draw_normal(fmatch_random *random, int64_t n, int32_t k, float *out);

/**
 * Uniform integers on [0, bound), bound from 1 to 2^24; parameters as in
 * fmatch_random_draw_uniform.
 */
FMATCH_API void fmatch_random_draw_integer(fmatch_random *random, int64_t n, int32_t k,
                                           int32_t bound, int32_t *out);

/**
 * Go on with row i of the callback alone, from its first number; following draws take n = 1.
 *
 * The numbers are independent of those of whole-block draws. Returning to a row gives the same
 * numbers again.
 */
FMATCH_API void fmatch_random_set_row(fmatch_random *random, int64_t i);

#ifdef __cplusplus
}
#endif

#endif
