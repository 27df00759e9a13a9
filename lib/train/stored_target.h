/* All stored rows of a target, as a semidiscrete coupling transports noise to them. */
#ifndef TRAIN_STORED_TARGET_H
#define TRAIN_STORED_TARGET_H

#include "path/coupling.h"
#include "train/batch.h"

struct stored_target {
    int64_t m;                /* rows whose weight is not 0 */
    struct batch_sides sides; /* x1 in standardised coordinates; weights, if there are, are 1 */
    double *weight;           /* [m], of sum 1; NULL: even */
    fmatch_source *noise;     /* in standardised coordinates */
};

/* On failure nothing is held. */
fmatch_status stored_target_create(struct stored_target *stored, const struct batch_plan *plan,
                                   const struct batch_shape *shape);
/* Accepts a zeroed one. */
void stored_target_destroy(struct stored_target *stored, const fmatch_allocator *allocator);

struct coupling_target stored_target_view(const struct stored_target *stored);

#endif
