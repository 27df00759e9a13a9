/* The rows of a training step: pairs of noise and data, their times, and what the path makes of
 * them. */
#ifndef TRAIN_BATCH_H
#define TRAIN_BATCH_H

#include <flowmatch/trainer.h>

#include "model/model.h"

/* Room for rows, all in standardised coordinates. */
struct batch {
    int64_t rows;               /* capacity */
    float *x0, *x1, *x, *u, *t; /* [rows, dim], t [rows]; one block */
    float *condition;           /* [rows, columns], or NULL */
};

fmatch_status batch_create(struct batch *batch, const fmatch_allocator *allocator, int32_t dim,
                           int64_t rows);
/* Accepts a zeroed batch. */
void batch_destroy(struct batch *batch, const fmatch_allocator *allocator);

/* Where rows come from: the caller's where given, else draws. */
struct batch_origin {
    const fmatch_model *model;   /* whose noise and standardisation are used */
    const fmatch_source *target; /* or NULL, with given->target */
    const fmatch_batch *given;   /* or NULL */
    uint64_t seed;
    uint32_t noise, data, time; /* streams */
    int64_t first_row;          /* in them */
};

/* Must all rows be drawn on the calling thread? */
bool batch_is_alone(const struct batch_origin *origin);

/* Rows first to first + n - 1 of the batch. */
fmatch_status batch_fill(const struct batch *batch, const struct batch_origin *origin,
                         int64_t first, int64_t n);

#endif
