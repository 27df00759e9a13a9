#include "train/batch.h"

#include "base/status.h"
#include "model/mlp_model.h"
#include "path/schedule.h"

#include <string.h>

fmatch_status batch_create(struct batch *batch, const fmatch_allocator *allocator, int32_t dim,
                           int64_t rows)
{
    const int64_t cells = rows * dim;
    *batch = (struct batch){0};
    float *x0 = allocation_create(allocator, 4 * cells + rows, sizeof *x0);
    if (!x0)
        return status_no_memory((size_t)(4 * cells + rows) * sizeof *x0);
    *batch = (struct batch){.rows = rows,
                            .x0 = x0,
                            .x1 = x0 + cells,
                            .x = x0 + 2 * cells,
                            .u = x0 + 3 * cells,
                            .t = x0 + 4 * cells};
    return FMATCH_OK;
}

void batch_destroy(struct batch *batch, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, batch->x0);
    *batch = (struct batch){0};
}

bool batch_is_alone(const struct batch_origin *origin)
{
    const bool data_given = origin->given && origin->given->target;
    const bool noise_given = origin->given && origin->given->noise;
    return (!data_given && origin->target->kind->on_calling_thread) ||
           (!noise_given && origin->model->noise->kind->on_calling_thread);
}

/* Rows of the caller's array, or of a source's stream. */
static fmatch_status fill_side(const struct batch_origin *origin, const float *given,
                               const fmatch_source *source, uint32_t purpose, int64_t first,
                               int64_t n, float *rows)
{
    const int32_t dim = origin->model->dim;
    if (given) {
        memcpy(rows, given + first * dim, (size_t)(n * dim) * sizeof *rows);
        return FMATCH_OK;
    }
    const struct random_stream stream = source_stream(source, origin->seed, purpose);
    const struct source_rows drawn = {.x = rows};
    return source_draw(source, &stream, origin->first_row + first, n, &drawn);
}

static void fill_times(const struct batch_origin *origin, int64_t first, int64_t n, float *t)
{
    const float *given = origin->given ? origin->given->t : NULL;
    if (given) {
        memcpy(t, given + first, (size_t)n * sizeof *t);
        return;
    }
    const struct random_stream stream =
        source_stream(origin->model->noise, origin->seed, origin->time);
    random_stream_uniform(&stream, 0, (uint64_t)(origin->first_row + first), n, t);
}

fmatch_status batch_fill(const struct batch *batch, const struct batch_origin *origin,
                         int64_t first, int64_t n)
{
    const fmatch_model *model = origin->model;
    const fmatch_batch *given = origin->given;
    const int64_t offset = first * model->dim;
    float *x0 = batch->x0 + offset, *x1 = batch->x1 + offset, *t = batch->t + first;
    RETURN_IF_FAILED(fill_side(origin, given ? given->target : NULL, origin->target, origin->data,
                               first, n, x1));
    RETURN_IF_FAILED(
        fill_side(origin, given ? given->noise : NULL, model->noise, origin->noise, first, n, x0));
    fill_times(origin, first, n, t);
    mlp_model_standardise(model, n, x0, x0);
    mlp_model_standardise(model, n, x1, x1);
    schedule_interpolate(n, model->dim, t, x0, x1, batch->x + offset, batch->u + offset);
    return FMATCH_OK;
}
