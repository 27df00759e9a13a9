/* From one affine path to another: the same pairs of noise and data at other times and scales. */
#ifndef PATH_RESCHEDULING_H
#define PATH_RESCHEDULING_H

#include "path/path.h"

/* x at a time of the new path is `scale` times a point of the old one at t; pace is dt / dr, and
 * stretch the derivative of log(scale), r the new path's time. */
struct rescheduling {
    float t;
    double scale, pace, stretch;
};

/* Do both paths mix noise and data alone, and end at the data? UNSUPPORTED otherwise. */
fmatch_status rescheduling_check(const struct path *from, const struct path *to);

/* At r, or where r is outside of [0, 1] or a rate is infinite at a time near by. Fails only as a
 * user's schedule does. */
fmatch_status rescheduling_at(const struct path *from, const struct path *to, double r,
                              struct rescheduling *at);

#endif
