/* The model handle: a velocity field on the path, in the units of the data, and its noise. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <flowmatch/model.h>

#include "base/reference_count.h"
#include "context/context.h"
#include "model/parameters.h"
#include "source/source.h"

/* Rows that a kind evaluates at once: enough for a product, few enough for the cache. */
enum { MODEL_BLOCK_ROWS = 256 };

struct model_kind {
    /* Floats of scratch that evaluate needs for MODEL_BLOCK_ROWS rows. */
    int64_t (*scratch_size)(const fmatch_model *model);
    /* v [n, dim] for at most MODEL_BLOCK_ROWS rows; v may be x. Non-finite results are the caller's
     * to find. */
    fmatch_status (*evaluate)(const fmatch_model *model, const float *parameters, float *scratch,
                              int64_t n, const float *x, const float *t, float *v);
    fmatch_status (*copy)(fmatch_model **copy, const fmatch_model *model);
    /* What the kind holds, the struct itself left to the handle. */
    void (*destroy)(fmatch_model *model);
};

struct fmatch_model {
    struct reference_count references;
    const struct model_kind *kind;
    fmatch_context *context;
    int32_t dim;
    fmatch_source *noise;
    const struct parameter_layout *layout; /* of no tensors for a model without parameters */
    struct parameter_store store;
};

/* Allocate the struct of a kind, `size` bytes that begin with a fmatch_model; it holds context and
 * noise. */
fmatch_status model_create(fmatch_model **model, fmatch_context *context, size_t size,
                           const struct model_kind *kind, int32_t dim, const fmatch_source *noise);

fmatch_model *model_retain(const fmatch_model *model);
void model_release(fmatch_model *model);

/* A model with the parameters of one moment, and scratch for one thread. */
struct model_view {
    const fmatch_model *model;
    struct parameter_snapshot *snapshot;
    float *scratch;
};

/* Take and give up the newest parameters. Never fails, allocates or locks. */
void model_view_begin(struct model_view *view);
void model_view_end(struct model_view *view);

/* At most MODEL_BLOCK_ROWS rows. */
fmatch_status model_view_evaluate(const struct model_view *view, int64_t n, const float *x,
                                  const float *t, float *v);

#endif
