/* Times of training: a distribution on [0, 1] as a function of uniform numbers. */
#ifndef PATH_TIME_SAMPLER_H
#define PATH_TIME_SAMPLER_H

#include <flowmatch/time.h>

#include "compute/random_stream.h"
#include "context/context.h"

/* What init writes, and a trainer uses that is given no configuration. */
extern const fmatch_time_config time_recommended;

struct time_sampler {
    fmatch_time_config config;
    fmatch_time_callbacks callbacks;
    double from, to; /* times outside are moved to the ends */
    double *grid;
};

/* NULL is uniform, and not stratified; times are kept within [from, to]. On failure the user's
 * destroy has been called, unless the configuration could not be read. */
fmatch_status time_sampler_create(struct time_sampler *s, const fmatch_allocator *allocator,
                                  const fmatch_time_config *config, double from, double to);
/* What it does for the user when it fails, where there is not even a model. */
void time_sampler_give_up(const fmatch_time_config *config);
/* Accepts a zeroed one. */
void time_sampler_destroy(struct time_sampler *s, const fmatch_allocator *allocator);

/* Does it run a user's function? */
bool time_sampler_on_calling_thread(const struct time_sampler *s);

/* Rows of a stream that are stratified together. */
struct time_batch {
    int64_t first_row, rows;
};

/* Times of rows first to first + n - 1 of the batch. Fails only as a user's function does. */
fmatch_status time_sampler_draw(const struct time_sampler *s, const struct random_stream *stream,
                                struct time_batch batch, int64_t first, int64_t n, float *t);

#endif
