#include "train/history.h"

#include "base/status.h"

#include <string.h>

enum { STEPS_AHEAD = 65536, STEPS_FIRST = 8192, VALIDATIONS_FIRST = 256 };

static int64_t capacity_for(int64_t needed, int64_t before, int64_t first)
{
    const int64_t doubled = 2 * before;
    const int64_t least = doubled > first ? doubled : first;
    return needed > least ? needed : least;
}

static fmatch_status reserve_steps(struct history *h, const fmatch_allocator *allocator,
                                   int64_t steps, int64_t needed)
{
    if (needed <= h->capacity)
        return FMATCH_OK;
    const int64_t capacity = capacity_for(needed, h->capacity, STEPS_FIRST);
    double *block = allocation_create(allocator, HISTORY_COLUMNS * capacity, sizeof *block);
    if (!block)
        return status_no_memory(HISTORY_COLUMNS * (size_t)capacity * sizeof *block);
    double *before = h->column[0];
    for (int c = 0; c < HISTORY_COLUMNS; c++) {
        double *column = block + c * capacity;
        if (steps > 0)
            memcpy(column, h->column[c], (size_t)steps * sizeof *column);
        h->column[c] = column;
    }
    allocation_destroy(allocator, before);
    h->capacity = capacity;
    return FMATCH_OK;
}

static fmatch_status reserve_validation(struct history *h, const fmatch_allocator *allocator)
{
    if (h->validations < h->validation_capacity)
        return FMATCH_OK;
    const int64_t capacity =
        capacity_for(h->validations + 1, h->validation_capacity, VALIDATIONS_FIRST);
    struct history_validation *more = allocation_create(allocator, capacity, sizeof *more);
    if (!more)
        return status_no_memory((size_t)capacity * sizeof *more);
    if (h->validations > 0)
        memcpy(more, h->validation, (size_t)h->validations * sizeof *more);
    allocation_destroy(allocator, h->validation);
    h->validation = more;
    h->validation_capacity = capacity;
    return FMATCH_OK;
}

fmatch_status history_reserve(struct history *history, const fmatch_allocator *allocator,
                              int64_t steps, int64_t ahead)
{
    const int64_t needed = steps + (ahead < STEPS_AHEAD ? ahead : STEPS_AHEAD);
    RETURN_IF_FAILED(reserve_steps(history, allocator, steps, needed));
    return reserve_validation(history, allocator);
}

fmatch_status history_create(struct history *history, const fmatch_allocator *allocator,
                             int64_t steps, int64_t validations)
{
    double *block = allocation_create(allocator, HISTORY_COLUMNS * (steps + 1), sizeof *block);
    struct history_validation *validation =
        allocation_create(allocator, validations + 1, sizeof *validation);
    *history = (struct history){.capacity = steps + 1,
                                .validations = validations,
                                .validation_capacity = validations + 1,
                                .validation = validation};
    for (int c = 0; c < HISTORY_COLUMNS; c++)
        history->column[c] = block ? block + c * history->capacity : NULL;
    if (block && validation)
        return FMATCH_OK;
    history_destroy(history, allocator);
    return status_no_memory(HISTORY_COLUMNS * (size_t)(steps + 1) * sizeof *block);
}

void history_destroy(struct history *history, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, history->column[0]);
    allocation_destroy(allocator, history->validation);
    *history = (struct history){0};
}
