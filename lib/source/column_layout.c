#include "source/column_layout.h"

#include "base/allocation.h"
#include "base/status.h"

static const char *const names[] = {"config->columns", "config->condition_columns"};

static fmatch_status check_list(const char *name, const char *count_name, const int32_t *list,
                                int32_t count)
{
    CHECK_RANGE(count_name, count, 0, DIM_MAX);
    if (count > 0 && !list)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is %d and %s is NULL", count_name, (int)count,
                           name);
    if (count == 0 && list)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is 0 and %s is not NULL", count_name, name);
    return FMATCH_OK;
}

fmatch_status column_layout_check(const struct column_choice *choice)
{
    RETURN_IF_FAILED(check_list(names[0], "config->dim", choice->x, choice->x_count));
    RETURN_IF_FAILED(
        check_list(names[1], "config->condition_dim", choice->condition, choice->condition_count));
    CHECK_RANGE("config->weight_column", choice->weight, -1, DIM_MAX - 1);
    return FMATCH_OK;
}

/* Notes that a column is used; `used` is [columns]. */
static fmatch_status take(bool *used, int32_t column)
{
    if (used[column])
        return status_fail(FMATCH_ERROR_ARGUMENT, "column %d is named twice", (int)column);
    used[column] = true;
    return FMATCH_OK;
}

static fmatch_status take_list(bool *used, int32_t columns, const char *name, const int32_t *list,
                               int32_t count, int32_t *to)
{
    for (int32_t i = 0; i < count; i++) {
        if (list[i] < 0 || list[i] >= columns)
            return status_fail(FMATCH_ERROR_ARGUMENT, "%s[%d] is %d; it must be between 0 and %d",
                               name, (int)i, (int)list[i], (int)columns - 1);
        RETURN_IF_FAILED(take(used, list[i]));
        to[i] = list[i];
    }
    return FMATCH_OK;
}

static fmatch_status fill(struct column_layout *layout, bool *used, int32_t columns,
                          const struct column_choice *choice)
{
    RETURN_IF_FAILED(take_list(used, columns, names[0], choice->x, choice->x_count, layout->x));
    RETURN_IF_FAILED(take_list(used, columns, names[1], choice->condition, choice->condition_count,
                               layout->condition));
    if (layout->weighted) {
        CHECK_RANGE("config->weight_column", choice->weight, 0, columns - 1);
        RETURN_IF_FAILED(take(used, choice->weight));
    }
    if (choice->x_count > 0)
        return FMATCH_OK;
    for (int32_t c = 0, next = 0; c < columns; c++)
        if (!used[c])
            layout->x[next++] = c;
    return FMATCH_OK;
}

fmatch_status column_layout_create(struct column_layout *layout, const fmatch_allocator *allocator,
                                   int32_t columns, const struct column_choice *choice)
{
    const bool weighted = choice->weight >= 0;
    const int32_t others = choice->condition_count + weighted;
    *layout = (struct column_layout){0};
    if (choice->x_count == 0 && others >= columns)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "condition and weight take %d columns of %d; none is left for x",
                           (int)others, (int)columns);
    struct column_layout made = {.dim = choice->x_count > 0 ? choice->x_count : columns - others,
                                 .condition_dim = choice->condition_count,
                                 .weighted = weighted,
                                 .weight = choice->weight,
                                 .whole = choice->x_count == 0 && others == 0};
    const int64_t count = (int64_t)made.dim + made.condition_dim;
    made.x = allocation_create(allocator, count, sizeof *made.x);
    made.condition = made.x ? made.x + made.dim : NULL;
    bool *used = allocation_create(allocator, columns, sizeof *used);
    const fmatch_status status =
        made.x && used ? fill(&made, used, columns, choice)
                       : status_no_memory((size_t)count * sizeof *made.x + (size_t)columns);
    allocation_destroy(allocator, used);
    if (status == FMATCH_OK)
        *layout = made;
    else
        allocation_destroy(allocator, made.x);
    return status;
}

void column_layout_destroy(struct column_layout *layout, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, layout->x);
    *layout = (struct column_layout){0};
}
