/* The rows of a training step: pairs of noise and data, their conditions, weights and times, and
 * what the path makes of them. */
#ifndef TRAIN_BATCH_H
#define TRAIN_BATCH_H

#include <flowmatch/trainer.h>

#include "model/model.h"
#include "path/time_sampler.h"

/* The two sides of a batch, in standardised coordinates. */
struct batch_sides {
    float *x0, *x1;   /* [rows, dim] */
    float *condition; /* [rows, columns], of the data; or NULL */
    float *weight;    /* [rows], of the data; or NULL */
};

struct batch_shape {
    int32_t dim, columns; /* of x, of a condition */
    bool weighted;        /* rows have weights */
    bool noisy;           /* the path has noise of its own */
};

/* On failure nothing is held. Give up with batch_sides_destroy. */
fmatch_status batch_sides_create(struct batch_sides *sides, const fmatch_allocator *allocator,
                                 const struct batch_shape *shape, int64_t rows);
/* Accepts zeroed sides. */
void batch_sides_destroy(struct batch_sides *sides, const fmatch_allocator *allocator);

/* The same sides from row `first` on. */
struct batch_sides batch_sides_from(const struct batch_sides *sides,
                                    const struct batch_shape *shape, int64_t first);

void batch_sides_copy(const struct batch_sides *from, const struct batch_shape *shape, int64_t rows,
                      const struct batch_sides *to);

/* Room for rows. */
struct batch {
    int64_t rows; /* capacity */
    struct batch_shape shape;
    struct batch_sides sides;
    float *x, *u, *z, *t; /* [rows, dim], t [rows]; z, the path's noise, may be NULL. One block. */
};

fmatch_status batch_create(struct batch *batch, const fmatch_allocator *allocator,
                           const struct batch_shape *shape, int64_t rows);
/* Accepts a zeroed batch. */
void batch_destroy(struct batch *batch, const fmatch_allocator *allocator);

/* Streams of random numbers, by purpose. */
struct batch_streams {
    uint32_t noise, data, time, path_noise, dropout, coupling;
};

struct pairs;

/* Where the rows of batch after batch come from. */
struct batch_plan {
    const fmatch_model *model;   /* whose noise, path and standardisation are used */
    const fmatch_source *target; /* or NULL, where the caller gives rows */
    const struct time_sampler *times;
    struct pairs *pairs; /* coupled rows; NULL: sides are independent */
    struct batch_streams streams;
    uint64_t seed;
    double dropout; /* probability of the null condition */
};

/* One batch. */
struct batch_origin {
    const struct batch_plan *plan;
    const fmatch_batch *given; /* the caller's rows; or NULL */
    int64_t first_row;         /* in the streams */
    int64_t rows;              /* in all */
    /* Rows whose times are drawn together, of which these are some. */
    struct time_batch together;
};

/* Do its rows have weights of their own? */
bool batch_is_weighted(const struct batch_origin *origin);

/* Must sides and times be drawn on the calling thread, all at once? */
bool batch_is_alone(const struct batch_origin *origin);

/* Rows first_row to first_row + n - 1 of the plan's streams, independent of one another. */
fmatch_status batch_draw_sides(const struct batch_plan *plan, int64_t first_row, int64_t n,
                               const struct batch_sides *to);

/* Sides and times of rows first to first + n - 1 of the batch. */
fmatch_status batch_draw(const struct batch *batch, const struct batch_origin *origin,
                         int64_t first, int64_t n);

/* What follows from them; any thread may do it, and it fails only as a user's schedule does. */
fmatch_status batch_finish(const struct batch *batch, const struct batch_origin *origin,
                           int64_t first, int64_t n);

#endif
