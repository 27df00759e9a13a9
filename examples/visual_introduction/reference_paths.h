/** What can be seen of a flow without a model: straight lines between noise and data, in bulk. */
#ifndef EXAMPLES_REFERENCE_PATHS_H
#define EXAMPLES_REFERENCE_PATHS_H

#include "../drawing/heat_map.h"
#include "histogram.h"
#include "post.h"
#include <flowmatch/flowmatch.h>

enum {
    REFERENCE_SHOWN = 7, /**< pairs that are drawn as lines */
    REFERENCE_DENSITY_TIMES = 101,
    REFERENCE_DENSITY_BINS = 480,
    REFERENCE_VELOCITY_TIMES = 21,
    REFERENCE_VELOCITY_BINS = 200,
    PATH_LINES = 9
};

extern const double velocity_reach;  /**< fields are */
extern const double path_line_reach; /**< path lines start between -this and this */

struct reference_paths {
    float shown_noise[REFERENCE_SHOWN], shown_target[REFERENCE_SHOWN];
    struct histogram noise, target;
    struct grid density;  /**< of x_t, by counting */
    struct grid velocity; /**< mean of x1 - x0 by place and time; nan where no pair passes */
    double path_lines[PATH_LINES][REFERENCE_VELOCITY_TIMES]; /**< along the mean velocity */
};

/** Zero `paths` first; destroy whatever the status. */
fmatch_status reference_paths_collect(struct reference_paths *paths, const fmatch_source *noise,
                                      const fmatch_source *target, uint64_t seed);
void reference_paths_destroy(struct reference_paths *paths);

/** Where path line i starts. */
double path_line_start(int i);

#endif
