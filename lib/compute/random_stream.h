/* Named streams of random numbers, and the generator that callbacks are lent.
 *
 * The counter of a Philox block is {block lo, block hi, draw, stream}, its key the seed; so a value
 * is a function of (seed, stream, draw, element), and nothing has a state to save. */
#ifndef COMPUTE_RANDOM_STREAM_H
#define COMPUTE_RANDOM_STREAM_H

#include "compute/vector_kernels.h"
#include "flowmatch/random.h"

/* What the numbers are for. Saved trainers and published seeds rely on the values: never renumber.
 * Below 128, see RANDOM_ROW_BIT in random_stream.c. */
enum random_stream_name {
    STREAM_INITIALISATION = 1,
    STREAM_SOURCE = 2,
    STREAM_SAMPLER_NOISE = 3,
    STREAM_TRAIN_NOISE = 4,
    STREAM_TRAIN_TARGET = 5,
    STREAM_TRAIN_TIME = 6,
    STREAM_EVALUATE_NOISE = 7,
    STREAM_EVALUATE_TARGET = 8,
    STREAM_EVALUATE_TIME = 9,
    STREAM_TRAIN_PATH_NOISE = 10,
    STREAM_TRAIN_DROPOUT = 11,
    STREAM_TRAIN_COUPLING = 12,
    STREAM_EVALUATE_PATH_NOISE = 13,
    STREAM_EVALUATE_DROPOUT = 14,
    STREAM_EVALUATE_COUPLING = 15,
    STREAM_DIVERGENCE_PROBE = 24,
    STREAM_SAMPLER_STEP = 25,
    STREAM_METRICS_DIRECTION = 32,
    STREAM_TRANSPORT_PLAN = 48,
    STREAM_TRANSPORT_NOISE = 49,
    STREAM_TRANSPORT_TEST = 50
};

struct random_stream {
    const struct vector_kernels *kernels;
    uint64_t seed;
    uint32_t stream; /* an enum random_stream_name */
};

/* Elements first_element to first_element + n - 1 of draw number `draw`. */
void random_stream_uniform(const struct random_stream *s, uint32_t draw, uint64_t first_element,
                           int64_t n, float *out);
void random_stream_normal(const struct random_stream *s, uint32_t draw, uint64_t first_element,
                          int64_t n, float *out);

/* Integers on [0, bound), bound >= 1. A value's probability is off 1/bound by less than 2^-32. */
void random_stream_integer(const struct random_stream *s, uint32_t draw, uint64_t first_element,
                           int64_t n, int32_t bound, int32_t *out);

/* The generator lent to a callback for rows first_row to first_row + rows - 1. Draws for other rows
 * write nothing. */
struct fmatch_random {
    struct random_stream stream;
    int64_t first_row;
    int64_t rows;
    uint32_t draw;     /* number of the next whole-block draw */
    int64_t row;       /* within the rows lent; -1 while drawing whole blocks */
    uint64_t position; /* next unused element of that row */
};

struct fmatch_random random_lend(const struct random_stream *s, int64_t first_row, int64_t rows);

#endif
