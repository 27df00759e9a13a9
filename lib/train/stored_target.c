#include "train/stored_target.h"

#include "base/status.h"
#include "model/mlp_model.h"

#include <string.h>

/* Moves row i of the sides to row k. */
static void move_row(const struct batch_sides *sides, const struct batch_shape *shape, int64_t i,
                     int64_t k)
{
    const struct batch_sides from = batch_sides_from(sides, shape, i);
    const struct batch_sides to = batch_sides_from(sides, shape, k);
    if (i != k)
        batch_sides_copy(&from, shape, 1, &to);
}

/* Rows' weights become masses: those of 0 go, and what is left counts once. */
static fmatch_status take_weights(struct stored_target *stored, const fmatch_allocator *allocator,
                                  const struct batch_shape *shape)
{
    float *weight = stored->sides.weight;
    if (!weight)
        return FMATCH_OK;
    stored->weight = allocation_create(allocator, stored->m, sizeof *stored->weight);
    if (!stored->weight)
        return status_no_memory((size_t)stored->m * sizeof *stored->weight);
    int64_t kept = 0;
    double sum = 0.0;
    for (int64_t i = 0; i < stored->m; i++) {
        if (weight[i] == 0.0f)
            continue;
        stored->weight[kept] = weight[i];
        sum += weight[i];
        move_row(&stored->sides, shape, i, kept++);
    }
    if (kept == 0)
        return status_fail(FMATCH_ERROR_ARGUMENT, "all weights of the target's rows are 0");
    stored->m = kept;
    for (int64_t i = 0; i < kept; i++) {
        stored->weight[i] /= sum;
        weight[i] = 1.0f;
    }
    return FMATCH_OK;
}

static fmatch_status read_rows(struct stored_target *stored, const struct batch_plan *plan,
                               const struct batch_shape *shape)
{
    const fmatch_source *target = plan->target;
    const fmatch_allocator *allocator = &plan->model->context->allocator;
    RETURN_IF_FAILED(mlp_model_network_noise(plan->model, &stored->noise));
    RETURN_IF_FAILED(batch_sides_create(&stored->sides, allocator, shape, stored->m));
    const struct source_rows rows = {.x = stored->sides.x1,
                                     .condition = stored->sides.condition,
                                     .weight = stored->sides.weight};
    RETURN_IF_FAILED(target->kind->read(target, 0, stored->m, &rows));
    if (rows.condition)
        RETURN_IF_FAILED(condition_check(&plan->model->condition, "the target's condition",
                                         stored->m, rows.condition));
    mlp_model_standardise(plan->model, stored->m, rows.x, rows.x);
    return take_weights(stored, allocator, shape);
}

fmatch_status stored_target_create(struct stored_target *stored, const struct batch_plan *plan,
                                   const struct batch_shape *shape)
{
    *stored = (struct stored_target){.m = fmatch_source_count_rows(plan->target)};
    if (stored->m == 0)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "coupling->kind is SEMIDISCRETE; the target stores no rows");
    if (stored->m > INT32_MAX)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "coupling->kind is SEMIDISCRETE; the target has %lld rows, at most %d "
                           "can be transported to",
                           (long long)stored->m, (int)INT32_MAX);
    const fmatch_status status = read_rows(stored, plan, shape);
    if (status != FMATCH_OK)
        stored_target_destroy(stored, &plan->model->context->allocator);
    return status;
}

void stored_target_destroy(struct stored_target *stored, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, stored->weight);
    batch_sides_destroy(&stored->sides, allocator);
    source_release(stored->noise);
    *stored = (struct stored_target){0};
}

struct coupling_target stored_target_view(const struct stored_target *stored)
{
    return (struct coupling_target){
        .noise = stored->noise, .m = stored->m, .rows = stored->sides.x1, .weight = stored->weight};
}
