/* Coupled rows: blocks of noise and data, drawn together and paired. Block k holds rows k size to
 * (k + 1) size - 1 of the streams, whatever steps use them, so that pairs are a function of the
 * seed. */
#ifndef TRAIN_PAIRS_H
#define TRAIN_PAIRS_H

#include "base/status.h"
#include "path/coupling.h"
#include "train/batch.h"

enum { PAIRS_BLOCKS = 2 }; /* the one in use, and the next */

struct pairs_block {
    int64_t number; /* -1: empty */
    bool coupled;   /* or only drawn */
    struct batch_sides sides;
};

/* A failure of a user's source ahead of time, which is told when its rows are asked for. */
struct pairs_failure {
    fmatch_status status; /* FMATCH_OK: none */
    int64_t number;       /* of the block */
    struct status_kept told;
};

struct pairs {
    struct coupling *coupling;
    struct batch_shape shape;
    int64_t size; /* rows of a block */
    int64_t next; /* block that is prepared ahead */
    struct pairs_block block[PAIRS_BLOCKS];
    struct batch_sides scratch;
    struct pairs_failure failure;
    const struct batch_sides *stored; /* rows of data that pairs are made with; NULL: the block's */
    int32_t *noise_row, *target_row;
};

/* On failure nothing is held. `coupling` is lent. */
fmatch_status pairs_create(struct pairs *pairs, struct coupling *coupling,
                           const fmatch_allocator *allocator, const struct batch_shape *shape,
                           int64_t size);
/* Accepts zeroed pairs. */
void pairs_destroy(struct pairs *pairs, const fmatch_allocator *allocator);

/* Copies rows first_row to first_row + n - 1 of the streams, n at most `size`, preparing what is
 * not there yet. */
fmatch_status pairs_copy(struct pairs *pairs, const struct batch_plan *plan, int64_t first_row,
                         int64_t n, const struct batch_sides *to);

/* Prepares what pairs_copy of these rows needs. */
fmatch_status pairs_prepare(struct pairs *pairs, const struct batch_plan *plan, int64_t first_row,
                            int64_t n);

/* For rows of another seed. */
void pairs_forget(struct pairs *pairs);

/* Is there something to prepare, on whatever thread, for the rows from first_row on? Draws it where
 * a user's function must be run. */
bool pairs_plan_ahead(struct pairs *pairs, const struct batch_plan *plan, int64_t first_row);
/* Prepares it. What goes wrong is said by pairs_copy, which tries again. */
void pairs_couple_ahead(struct pairs *pairs, const struct batch_plan *plan);

#endif
