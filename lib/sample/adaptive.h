/* Rows through steps of their own: an embedded pair's estimate of the error sets each row's. */
#ifndef SAMPLE_ADAPTIVE_H
#define SAMPLE_ADAPTIVE_H

#include "sample/flow.h"

/* Floats that a lane needs, in whole cache lines. */
int64_t adaptive_lane_size(const struct flow *flow, int64_t rows);

/* Every row gets as far as it can, whatever happens to others; the records say how far. Fails as
 * the first row does that has not arrived, or as a user's function did. */
fmatch_status adaptive_run(const struct flow *flow);

#endif
