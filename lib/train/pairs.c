#include "train/pairs.h"

#include "base/status.h"

#include <string.h>

/* ---- memory ---- */

static fmatch_status create(struct pairs *pairs, const fmatch_allocator *allocator)
{
    const int64_t rows = pairs->size;
    for (int i = 0; i < PAIRS_BLOCKS; i++)
        RETURN_IF_FAILED(
            batch_sides_create(&pairs->block[i].sides, allocator, &pairs->shape, rows));
    RETURN_IF_FAILED(batch_sides_create(&pairs->scratch, allocator, &pairs->shape, rows));
    pairs->noise_row = allocation_create(allocator, 2 * rows, sizeof *pairs->noise_row);
    if (!pairs->noise_row)
        return status_no_memory(2 * (size_t)rows * sizeof *pairs->noise_row);
    pairs->target_row = pairs->noise_row + rows;
    return FMATCH_OK;
}

fmatch_status pairs_create(struct pairs *pairs, struct coupling *coupling,
                           const fmatch_allocator *allocator, const struct batch_shape *shape,
                           int64_t size)
{
    *pairs = (struct pairs){.coupling = coupling, .shape = *shape, .size = size};
    for (int i = 0; i < PAIRS_BLOCKS; i++)
        pairs->block[i].number = -1;
    const fmatch_status status = create(pairs, allocator);
    if (status != FMATCH_OK)
        pairs_destroy(pairs, allocator);
    return status;
}

void pairs_destroy(struct pairs *pairs, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, pairs->noise_row);
    batch_sides_destroy(&pairs->scratch, allocator);
    for (int i = 0; i < PAIRS_BLOCKS; i++)
        batch_sides_destroy(&pairs->block[i].sides, allocator);
    *pairs = (struct pairs){0};
}

/* ---- blocks ---- */

static struct pairs_block *block_of(struct pairs *pairs, int64_t number)
{
    return &pairs->block[number % PAIRS_BLOCKS];
}

static fmatch_status draw_block(struct pairs *pairs, const struct batch_plan *plan, int64_t number)
{
    struct pairs_block *block = block_of(pairs, number);
    if (block->number == number)
        return FMATCH_OK;
    block->number = -1;
    block->coupled = false;
    RETURN_IF_FAILED(batch_draw_sides(plan, number * pairs->size, pairs->size, &block->sides));
    block->number = number;
    return FMATCH_OK;
}

/* to[i] = from[row[i]], rows of `columns`. */
static void gather(int64_t n, int32_t columns, const int32_t *row, const float *from, float *to)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(to + i * columns, from + (int64_t)row[i] * columns, (size_t)columns * sizeof *to);
}

/* Sides in the order of the pairs, through the scratch, which the block's rows become. */
static void order_block(struct pairs *pairs, struct pairs_block *block)
{
    const struct batch_shape *shape = &pairs->shape;
    const struct batch_sides from = block->sides, to = pairs->scratch;
    const struct batch_sides *data = pairs->stored ? pairs->stored : &from;
    gather(pairs->size, shape->dim, pairs->noise_row, from.x0, to.x0);
    gather(pairs->size, shape->dim, pairs->target_row, data->x1, to.x1);
    if (to.condition)
        gather(pairs->size, shape->columns, pairs->target_row, data->condition, to.condition);
    if (to.weight)
        gather(pairs->size, 1, pairs->target_row, data->weight, to.weight);
    block->sides = to;
    pairs->scratch = from;
}

static fmatch_status couple_block(struct pairs *pairs, const struct batch_plan *plan,
                                  int64_t number)
{
    struct pairs_block *block = block_of(pairs, number);
    const struct coupling_rows rows = {
        .noise = block->sides.x0, .target = block->sides.x1, .condition = block->sides.condition};
    const struct random_stream stream =
        source_stream(plan->target, plan->seed, plan->streams.coupling);
    RETURN_IF_FAILED(coupling_solve(pairs->coupling, &rows, &stream, number * pairs->size,
                                    pairs->noise_row, pairs->target_row));
    order_block(pairs, block);
    block->coupled = true;
    return FMATCH_OK;
}

static fmatch_status prepare(struct pairs *pairs, const struct batch_plan *plan, int64_t number)
{
    struct pairs_failure *failure = &pairs->failure;
    if (failure->status != FMATCH_OK && failure->number == number) {
        const fmatch_status status = failure->status;
        failure->status = FMATCH_OK; /* another call may try again */
        status_restore(&failure->told);
        return status;
    }
    RETURN_IF_FAILED(draw_block(pairs, plan, number));
    return block_of(pairs, number)->coupled ? FMATCH_OK : couple_block(pairs, plan, number);
}

fmatch_status pairs_copy(struct pairs *pairs, const struct batch_plan *plan, int64_t first_row,
                         int64_t n, const struct batch_sides *to)
{
    for (int64_t done = 0; done < n;) {
        const int64_t number = (first_row + done) / pairs->size;
        const int64_t inside = first_row + done - number * pairs->size;
        const int64_t rest = pairs->size - inside;
        const int64_t rows = n - done < rest ? n - done : rest;
        RETURN_IF_FAILED(prepare(pairs, plan, number));
        const struct batch_sides from =
            batch_sides_from(&block_of(pairs, number)->sides, &pairs->shape, inside);
        const struct batch_sides there = batch_sides_from(to, &pairs->shape, done);
        batch_sides_copy(&from, &pairs->shape, rows, &there);
        done += rows;
    }
    return FMATCH_OK;
}

fmatch_status pairs_prepare(struct pairs *pairs, const struct batch_plan *plan, int64_t first_row,
                            int64_t n)
{
    const int64_t last = (first_row + n - 1) / pairs->size;
    for (int64_t number = first_row / pairs->size; number <= last; number++)
        RETURN_IF_FAILED(prepare(pairs, plan, number));
    return FMATCH_OK;
}

void pairs_forget(struct pairs *pairs)
{
    for (int i = 0; i < PAIRS_BLOCKS; i++)
        pairs->block[i].number = -1;
}

/* ---- the next block ---- */

static bool is_on_calling_thread(const struct batch_plan *plan)
{
    return plan->target->kind->on_calling_thread || plan->model->noise->kind->on_calling_thread;
}

bool pairs_plan_ahead(struct pairs *pairs, const struct batch_plan *plan, int64_t first_row)
{
    const int64_t number = first_row / pairs->size;
    pairs->next = number;
    const struct pairs_block *block = block_of(pairs, number);
    if (coupling_on_calling_thread(pairs->coupling) || (block->number == number && block->coupled))
        return false;
    if (!is_on_calling_thread(plan))
        return true;
    struct status_kept kept;
    status_keep(&kept);
    const fmatch_status status = draw_block(pairs, plan, number);
    if (status != FMATCH_OK) {
        pairs->failure.status = status;
        pairs->failure.number = number;
        status_keep(&pairs->failure.told);
    }
    status_restore(&kept);
    return status == FMATCH_OK;
}

void pairs_couple_ahead(struct pairs *pairs, const struct batch_plan *plan)
{
    (void)!prepare(pairs, plan, pairs->next);
}
