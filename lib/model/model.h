/* The model handle: a velocity field on the path, in the units of the data, and its noise. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <flowmatch/model.h>

#include "base/reference_count.h"
#include "base/status.h"
#include "context/context.h"
#include "model/condition.h"
#include "model/parameters.h"
#include "path/path.h"
#include "source/source.h"

/* Rows that a kind evaluates at once: enough for a product, few enough for the cache. */
enum { MODEL_BLOCK_ROWS = 256 };

/* What a velocity field is asked about. */
struct model_rows {
    int64_t n;
    const float *x, *t;     /* [n, dim], [n] */
    const float *condition; /* [n, columns]; NULL: the null condition, if there are conditions */
};

struct divergence; /* model/divergence.h */

struct model_kind {
    bool on_calling_thread; /* it runs a user's function, which no other thread may */
    /* Floats of scratch that evaluate needs for n rows, at most MODEL_BLOCK_ROWS; a multiple of 16.
     */
    int64_t (*scratch_size)(const fmatch_model *model, int64_t n);
    /* v [n, dim] for at most MODEL_BLOCK_ROWS rows; v may be x. Non-finite results are the caller's
     * to find. */
    fmatch_status (*evaluate)(const fmatch_model *model, const struct parameter_snapshot *snapshot,
                              float *scratch, const struct model_rows *rows, float *v);
    /* The same with what a divergence asks; v is not x. */
    int64_t (*diverge_size)(const fmatch_model *model, int64_t n);
    fmatch_status (*diverge)(const fmatch_model *model, const struct parameter_snapshot *snapshot,
                             float *scratch, const struct model_rows *rows,
                             const struct divergence *divergence, float *v);
    fmatch_status (*copy)(fmatch_model **copy, const fmatch_model *model);
    /* What the kind holds, the struct itself left to the handle. */
    void (*destroy)(fmatch_model *model);
};

struct fmatch_model {
    struct reference_count references;
    const struct model_kind *kind;
    fmatch_context *context;
    int32_t dim;
    struct condition condition; /* of no columns for a model without */
    fmatch_source *noise;
    struct path *path;                     /* that a network is trained on; NULL for other models */
    int32_t prediction;                    /* what the network's output is */
    const struct parameter_layout *layout; /* of no tensors for a model without parameters */
    struct parameter_store store;
    fmatch_model *original; /* that a rescheduled model reads; NULL for other models */
};

/* Allocate the struct of a kind, `size` bytes that begin with a fmatch_model; it holds context and
 * noise. */
fmatch_status model_create(fmatch_model **model, fmatch_context *context, size_t size,
                           const struct model_kind *kind, int32_t dim, const fmatch_source *noise);

fmatch_model *model_retain(const fmatch_model *model);
void model_release(fmatch_model *model);

/* A model with the parameters of one moment. */
struct model_view {
    const fmatch_model *model;
    struct parameter_snapshot *snapshot;
};

/* Take and give up the newest parameters. Never fails, allocates or locks. */
void model_view_begin(struct model_view *view);
void model_view_end(struct model_view *view);

/* At most MODEL_BLOCK_ROWS rows, with scratch of the size that the kind says. */
fmatch_status model_view_evaluate(const struct model_view *view, float *scratch,
                                  const struct model_rows *rows, float *v);

struct model_rows model_rows_part(const fmatch_model *model, const struct model_rows *all,
                                  int64_t first, int64_t n);

/* Rows cut into blocks, which the lanes of a call share: each lane takes the next block that is
 * free, and has its own scratch. `block` must depend on the rows of its block alone. */
struct model_blocks {
    int64_t n;
    fmatch_status (*block)(void *user, int32_t lane, int64_t first, int64_t rows);
    void *user;
};

/* Lanes for n rows: at most the context's threads, and one where a user's function is run. */
int32_t model_blocks_lanes(const fmatch_model *model, int64_t n);

/* What is said of the first failure of lanes that share a call, on whatever thread it was: of the
 * one whose place is the lowest. */
struct lane_failure {
    atomic_int_fast64_t place; /* none is there: above all places */
    atomic_flag busy;
    fmatch_status status;
    struct status_kept kept;
};

void lane_failure_keep(struct lane_failure *failure, int64_t place, fmatch_status status);

/* The failure's status, with its detail and code; FMATCH_OK if there was none. */
fmatch_status lane_failure_tell(const struct lane_failure *failure);

/* Runs all blocks, or fails as the first block that fails, in the order of rows, would by itself.
 */
fmatch_status model_blocks_run(const fmatch_model *model, const struct model_blocks *blocks);

#endif
