/* Coordinates that a sampler is given: their velocity is pulled to what leads to them. */
#ifndef SAMPLE_INPAINTING_H
#define SAMPLE_INPAINTING_H

#include "model/model.h"

struct inpainting {
    double strength, end; /* time to which it acts */
};

/* Rows of a block, [n, dim]. A coordinate counts by its mask, or without one if it is not nan. */
struct inpainting_rows {
    int64_t n;
    const float *known;
    const float *mask; /* or NULL */
};

/* v += weight (pull - v), pull the velocity that leads from x at t to the known point. */
fmatch_status inpainting_pull(const struct inpainting *p, const fmatch_model *model, double t,
                              const struct inpainting_rows *rows, const float *x, float *v);

/* noise *= 1 - weight, for noise that begins at t. */
void inpainting_mute(const struct inpainting *p, int32_t dim, double t,
                     const struct inpainting_rows *rows, float *noise);

/* Coordinates of weight 1 as they were given, which is where a pull that acts to t = 1 takes them.
 */
void inpainting_finish(const struct inpainting *p, int32_t dim, double t,
                       const struct inpainting_rows *rows, float *x);

#endif
