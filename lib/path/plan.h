/* Drawing from a transport plan. */
#ifndef PATH_PLAN_H
#define PATH_PLAN_H

#include "compute/random_stream.h"

/* For each row i of plan [n, m] a column j with probability P_ij / sum_j P_ij, from element
 * 2 (first + i) and the next of the stream; -1 for a row without mass. */
void plan_draw_columns(int64_t n, int64_t m, const double *plan, const struct random_stream *stream,
                       int64_t first, int32_t *column);

#endif
