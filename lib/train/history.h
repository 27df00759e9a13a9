/* What became of every step. */
#ifndef TRAIN_HISTORY_H
#define TRAIN_HISTORY_H

#include <flowmatch/trainer.h>

#include "base/allocation.h"

enum history_column { HISTORY_LOSS, HISTORY_RATE, HISTORY_NORM, HISTORY_COLUMNS };

struct history_validation {
    int64_t step; /* after which, counted from 1 */
    double loss;
};

/* Columns have one number a step. */
struct history {
    int64_t capacity;                /* steps */
    double *column[HISTORY_COLUMNS]; /* [capacity] each, of one block; steps so far are filled */
    int64_t validations, validation_capacity;
    struct history_validation *validation; /* [validations] */
};

/* Room for some of `ahead` steps after the first `steps`, and for a validation; begins with a few
 * thousand and at least doubles, so that steps seldom allocate. */
fmatch_status history_reserve(struct history *history, const fmatch_allocator *allocator,
                              int64_t steps, int64_t ahead);
/* One of so many steps and validations, to be filled in. On failure nothing is held. */
fmatch_status history_create(struct history *history, const fmatch_allocator *allocator,
                             int64_t steps, int64_t validations);
/* Accepts a zeroed one. */
void history_destroy(struct history *history, const fmatch_allocator *allocator);

#endif
