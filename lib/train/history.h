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

/* What is said of one step. */
struct history_step {
    double loss, learning_rate, gradient_norm; /* of the gradient before it is clipped */
};

/* Room for some of `ahead` steps after the first `steps`; begins with a few thousand and at least
 * doubles, so that steps seldom allocate. */
fmatch_status history_reserve(struct history *history, const fmatch_allocator *allocator,
                              int64_t steps, int64_t ahead);
/* One of so many steps and validations, to be filled in. On failure nothing is held. */
fmatch_status history_create(struct history *history, const fmatch_allocator *allocator,
                             int64_t steps, int64_t validations);
/* Room for one validation more. */
fmatch_status history_reserve_validation(struct history *history,
                                         const fmatch_allocator *allocator);
/* These need room. Steps count from 0. */
void history_record(struct history *history, int64_t step, const struct history_step *record);
void history_record_validation(struct history *history, int64_t step, double loss);
/* Of the step before `steps`; nan where there was none. */
struct history_step history_last(const struct history *history, int64_t steps);

fmatch_status history_save(const struct history *history, int64_t steps, const char *path,
                           int32_t format);
/* Accepts a zeroed one. */
void history_destroy(struct history *history, const fmatch_allocator *allocator);

#endif
