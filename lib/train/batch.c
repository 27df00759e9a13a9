#include "train/batch.h"

#include "base/status.h"
#include "model/mlp_model.h"
#include "path/path.h"
#include "train/pairs.h"

#include <math.h>
#include <string.h>

/* ---- memory ---- */

static int64_t floats_of_sides(const struct batch_shape *shape)
{
    return 2 * (int64_t)shape->dim + shape->columns + shape->weighted;
}

static struct batch_sides sides_in(const struct batch_shape *shape, int64_t rows, float *block)
{
    const int64_t cells = rows * shape->dim;
    float *condition = block + 2 * cells, *weight = condition + rows * shape->columns;
    return (struct batch_sides){.x0 = block,
                                .x1 = block + cells,
                                .condition = shape->columns > 0 ? condition : NULL,
                                .weight = shape->weighted ? weight : NULL};
}

fmatch_status batch_sides_create(struct batch_sides *sides, const fmatch_allocator *allocator,
                                 const struct batch_shape *shape, int64_t rows)
{
    const int64_t floats = rows * floats_of_sides(shape);
    *sides = (struct batch_sides){0};
    float *block = allocation_create(allocator, floats, sizeof *block);
    if (!block)
        return status_no_memory((size_t)floats * sizeof *block);
    *sides = sides_in(shape, rows, block);
    return FMATCH_OK;
}

void batch_sides_destroy(struct batch_sides *sides, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, sides->x0);
    *sides = (struct batch_sides){0};
}

struct batch_sides batch_sides_from(const struct batch_sides *sides,
                                    const struct batch_shape *shape, int64_t first)
{
    return (struct batch_sides){
        .x0 = sides->x0 + first * shape->dim,
        .x1 = sides->x1 + first * shape->dim,
        .condition = sides->condition ? sides->condition + first * shape->columns : NULL,
        .weight = sides->weight ? sides->weight + first : NULL};
}

static void copy_rows(int64_t rows, int32_t columns, const float *from, float *to)
{
    if (from && to)
        memcpy(to, from, (size_t)(rows * columns) * sizeof *to);
}

void batch_sides_copy(const struct batch_sides *from, const struct batch_shape *shape, int64_t rows,
                      const struct batch_sides *to)
{
    copy_rows(rows, shape->dim, from->x0, to->x0);
    copy_rows(rows, shape->dim, from->x1, to->x1);
    copy_rows(rows, shape->columns, from->condition, to->condition);
    copy_rows(rows, 1, from->weight, to->weight);
    for (int64_t i = 0; to->weight && !from->weight && i < rows; i++)
        to->weight[i] = 1.0f;
}

fmatch_status batch_create(struct batch *batch, const fmatch_allocator *allocator,
                           const struct batch_shape *shape, int64_t rows)
{
    const int64_t cells = rows * shape->dim, of_sides = rows * floats_of_sides(shape);
    const int64_t floats = of_sides + (shape->noisy ? 3 : 2) * cells + rows;
    *batch = (struct batch){0};
    float *block = allocation_create(allocator, floats, sizeof *block);
    if (!block)
        return status_no_memory((size_t)floats * sizeof *block);
    float *x = block + of_sides;
    *batch = (struct batch){.rows = rows,
                            .shape = *shape,
                            .sides = sides_in(shape, rows, block),
                            .x = x,
                            .u = x + cells,
                            .t = x + 2 * cells,
                            .z = shape->noisy ? x + 2 * cells + rows : NULL};
    return FMATCH_OK;
}

void batch_destroy(struct batch *batch, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, batch->sides.x0);
    *batch = (struct batch){0};
}

/* ---- sides ---- */

bool batch_is_alone(const struct batch_origin *origin)
{
    const struct batch_plan *plan = origin->plan;
    const bool data_given = origin->given && origin->given->target;
    const bool noise_given = origin->given && origin->given->noise;
    return (plan->pairs && !origin->given) || time_sampler_on_calling_thread(plan->times) ||
           (!data_given && plan->target->kind->on_calling_thread) ||
           (!noise_given && plan->model->noise->kind->on_calling_thread);
}

bool batch_is_weighted(const struct batch_origin *origin)
{
    return origin->given ? origin->given->weight != NULL : origin->plan->target->weighted;
}

static fmatch_status draw_noise(const struct batch_plan *plan, int64_t first_row, int64_t n,
                                float *x0)
{
    const fmatch_source *noise = plan->model->noise;
    const struct random_stream stream = source_stream(noise, plan->seed, plan->streams.noise);
    return source_draw(noise, &stream, first_row, n, &(struct source_rows){.x = x0});
}

static void standardise_sides(const struct batch_plan *plan, int64_t n,
                              const struct batch_sides *sides)
{
    mlp_model_standardise(plan->model, n, sides->x0, sides->x0);
    mlp_model_standardise(plan->model, n, sides->x1, sides->x1);
}

fmatch_status batch_draw_sides(const struct batch_plan *plan, int64_t first_row, int64_t n,
                               const struct batch_sides *to)
{
    const struct random_stream stream = source_stream(plan->target, plan->seed, plan->streams.data);
    const struct source_rows data = {.x = to->x1, .condition = to->condition, .weight = to->weight};
    RETURN_IF_FAILED(source_draw(plan->target, &stream, first_row, n, &data));
    if (to->condition)
        RETURN_IF_FAILED(
            condition_check(&plan->model->condition, "the target's condition", n, to->condition));
    RETURN_IF_FAILED(draw_noise(plan, first_row, n, to->x0));
    standardise_sides(plan, n, to);
    return FMATCH_OK;
}

/* The caller's rows, paired as they come; a condition that is not given is the null condition. */
static fmatch_status take_given(const struct batch *batch, const struct batch_origin *origin,
                                int64_t first, int64_t n, const struct batch_sides *to)
{
    const struct batch_plan *plan = origin->plan;
    const fmatch_batch *given = origin->given;
    const struct batch_shape *shape = &batch->shape;
    const size_t cells = (size_t)(n * shape->dim);
    memcpy(to->x1, given->target + first * shape->dim, cells * sizeof *to->x1);
    if (given->noise)
        memcpy(to->x0, given->noise + first * shape->dim, cells * sizeof *to->x0);
    else
        RETURN_IF_FAILED(draw_noise(plan, origin->first_row + first, n, to->x0));
    for (int64_t i = 0; to->condition && !given->condition && i < n * shape->columns; i++)
        to->condition[i] = NAN;
    if (to->condition && given->condition)
        memcpy(to->condition, given->condition + first * shape->columns,
               (size_t)(n * shape->columns) * sizeof *to->condition);
    for (int64_t i = 0; to->weight && i < n; i++)
        to->weight[i] = given->weight ? given->weight[first + i] : 1.0f;
    standardise_sides(plan, n, to);
    return FMATCH_OK;
}

/* ---- times ---- */

static struct random_stream stream_of(const struct batch_plan *plan, uint32_t purpose)
{
    return source_stream(plan->model->noise, plan->seed, purpose);
}

static fmatch_status fill_times(const struct batch_origin *origin, int64_t first, int64_t n,
                                float *t)
{
    const float *given = origin->given ? origin->given->t : NULL;
    if (given) {
        memcpy(t, given + first, (size_t)n * sizeof *t);
        return FMATCH_OK;
    }
    const struct random_stream stream = stream_of(origin->plan, origin->plan->streams.time);
    const int64_t before = origin->first_row - origin->together.first_row;
    return time_sampler_draw(origin->plan->times, &stream, origin->together, before + first, n, t);
}

static fmatch_status draw_sides(const struct batch *batch, const struct batch_origin *origin,
                                int64_t first, int64_t n)
{
    const struct batch_sides to = batch_sides_from(&batch->sides, &batch->shape, first);
    if (origin->given)
        return take_given(batch, origin, first, n, &to);
    if (origin->plan->pairs)
        return pairs_copy(origin->plan->pairs, origin->plan, origin->first_row + first, n, &to);
    return batch_draw_sides(origin->plan, origin->first_row + first, n, &to);
}

fmatch_status batch_draw(const struct batch *batch, const struct batch_origin *origin,
                         int64_t first, int64_t n)
{
    RETURN_IF_FAILED(draw_sides(batch, origin, first, n));
    return fill_times(origin, first, n, batch->t + first);
}

/* ---- what follows from them ---- */

/* Rows whose number says so get the null condition. */
static void drop_conditions(const struct batch_origin *origin, const struct batch_shape *shape,
                            int64_t first, int64_t n, float *condition)
{
    enum { BLOCK = 256 };
    const struct batch_plan *plan = origin->plan;
    if (!condition || plan->dropout <= 0.0)
        return;
    const struct random_stream stream = stream_of(plan, plan->streams.dropout);
    for (int64_t i = 0; i < n; i += BLOCK) {
        const int64_t rows = n - i < BLOCK ? n - i : BLOCK;
        float u[BLOCK];
        random_stream_uniform(&stream, 0, (uint64_t)(origin->first_row + first + i), rows, u);
        for (int64_t k = 0; k < rows; k++)
            if (u[k] < (float)plan->dropout)
                condition[(i + k) * shape->columns] = NAN;
    }
}

fmatch_status batch_finish(const struct batch *batch, const struct batch_origin *origin,
                           int64_t first, int64_t n)
{
    const struct batch_plan *plan = origin->plan;
    const struct batch_sides sides = batch_sides_from(&batch->sides, &batch->shape, first);
    const int32_t dim = batch->shape.dim;
    const int64_t offset = first * dim;
    drop_conditions(origin, &batch->shape, first, n, sides.condition);
    float *z = batch->z ? batch->z + offset : NULL;
    if (z) {
        const struct random_stream stream = stream_of(plan, plan->streams.path_noise);
        random_stream_normal(&stream, 0, (uint64_t)((origin->first_row + first) * dim), n * dim, z);
    }
    const struct path_rows rows = {
        .n = n, .dim = dim, .t = batch->t + first, .x0 = sides.x0, .x1 = sides.x1, .z = z};
    return path_interpolate(plan->model->path, plan->model->prediction, &rows, batch->x + offset,
                            batch->u + offset);
}
