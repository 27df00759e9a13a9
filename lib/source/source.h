/* The source handle: where rows come from. Each kind is a struct that begins with the handle, and a
 * table. */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <flowmatch/source.h>

#include "base/reference_count.h"
#include "compute/random_stream.h"
#include "context/context.h"

enum { DIM_MAX = 65536 };

/* Rows of a stream are numbered below this, so that row times dim fits into an element's number. */
#define SOURCE_ROWS_MAX ((int64_t)1 << 44)

/* Where n rows go: x [n, dim], condition [n, condition_dim], weight [n]. NULL: not wanted. */
struct source_rows {
    float *x;
    float *condition;
    float *weight;
};

/* What a kind does not have is NULL. */
struct source_kind {
    bool on_calling_thread; /* it runs a user's function, which no other thread may */
    /* Rows first_row to first_row + n - 1 of the stream; finite. x is always wanted; condition and
     * weight are NULL for a source without them. */
    fmatch_status (*draw)(const fmatch_source *source, const struct random_stream *stream,
                          int64_t first_row, int64_t n, const struct source_rows *rows);
    /* How many rows are stored, and these, in the order in which they are stored. */
    int64_t (*count)(const fmatch_source *source);
    fmatch_status (*read)(const fmatch_source *source, int64_t first_row, int64_t n,
                          const struct source_rows *rows);
    /* Exact moments of a distribution; without, they are estimated from draws. */
    void (*moments)(const fmatch_source *source, double *mean, double *std);
    /* Logarithm of the density, at n finite points. */
    fmatch_status (*log_density)(const fmatch_source *source, int64_t n, const float *x,
                                 double *log_density);
    /* What the kind holds, the struct itself left to the handle. */
    void (*destroy)(fmatch_source *source);
};

struct fmatch_source {
    struct reference_count references;
    const struct source_kind *kind;
    fmatch_context *context;
    int32_t dim;
    int32_t condition_dim; /* 0: no condition */
    bool weighted;         /* rows have weights; else each is 1 */
};

/* Allocate the struct of a kind, `size` bytes that begin with a fmatch_source; it holds the
 * context. */
fmatch_status source_create(fmatch_source **source, fmatch_context *context, size_t size,
                            const struct source_kind *kind, int32_t dim);

fmatch_source *source_retain(const fmatch_source *source);
void source_release(fmatch_source *source);

/* Rows without the checks of the public function. */
fmatch_status source_draw(const fmatch_source *source, const struct random_stream *stream,
                          int64_t first_row, int64_t n, const struct source_rows *rows);

/* Moments of the columns of x, and of so many columns of the condition behind them: means, then
 * deviations, into zeroed `moments`. With draws > 0, from at most so many of them; with 0, over all
 * stored rows. Exact where the kind knows them. */
fmatch_status source_measure(const fmatch_source *source, int32_t condition_columns, int64_t draws,
                             double *moments);

/* Weights are finite and at least 0; of all stored ones together, one is above 0. `name` is what
 * holds them, for the detail. */
fmatch_status source_check_weight(const char *name, int64_t row, float weight);
fmatch_status source_check_weights(const char *name, int64_t n, const float *weights);

/* The stream of a purpose for a seed, with the context's kernels. */
struct random_stream source_stream(const fmatch_source *source, uint64_t seed, uint32_t purpose);

#endif
