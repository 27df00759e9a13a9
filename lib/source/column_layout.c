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

static fmatch_status put(struct column_layout *layout, int32_t column, int32_t place)
{
    if (layout->place[column] >= 0)
        return status_fail(FMATCH_ERROR_ARGUMENT, "column %d is named twice", (int)column);
    layout->place[column] = place;
    return FMATCH_OK;
}

static fmatch_status put_list(struct column_layout *layout, const char *name, const int32_t *list,
                              int32_t count, int32_t first_place)
{
    for (int32_t i = 0; i < count; i++) {
        if (list[i] < 0 || list[i] >= layout->columns)
            return status_fail(FMATCH_ERROR_ARGUMENT, "%s[%d] is %d; it must be between 0 and %d",
                               name, (int)i, (int)list[i], (int)layout->columns - 1);
        RETURN_IF_FAILED(put(layout, list[i], first_place + i));
    }
    return FMATCH_OK;
}

/* Gives x the columns that nothing has named; their places come before all others. */
static void put_rest(struct column_layout *layout)
{
    int32_t place = 0;
    for (int32_t c = 0; c < layout->columns; c++)
        if (layout->place[c] < 0)
            layout->place[c] = place++;
}

static fmatch_status fill(struct column_layout *layout, const struct column_choice *choice)
{
    for (int32_t c = 0; c < layout->columns; c++)
        layout->place[c] = -1;
    RETURN_IF_FAILED(put_list(layout, names[0], choice->x, choice->x_count, 0));
    RETURN_IF_FAILED(
        put_list(layout, names[1], choice->condition, choice->condition_count, layout->dim));
    if (layout->weighted) {
        CHECK_RANGE("config->weight_column", choice->weight, 0, layout->columns - 1);
        RETURN_IF_FAILED(put(layout, choice->weight, layout->dim + layout->condition_dim));
    }
    if (choice->x_count == 0)
        put_rest(layout);
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
    struct column_layout made = {.columns = columns,
                                 .dim = choice->x_count > 0 ? choice->x_count : columns - others,
                                 .condition_dim = choice->condition_count,
                                 .weighted = weighted};
    if (choice->x_count > 0 || others > 0) {
        made.place = allocation_create(allocator, columns, sizeof *made.place);
        if (!made.place)
            return status_no_memory((size_t)columns * sizeof *made.place);
        const fmatch_status status = fill(&made, choice);
        if (status != FMATCH_OK) {
            allocation_destroy(allocator, made.place);
            return status;
        }
    }
    *layout = made;
    return FMATCH_OK;
}

void column_layout_destroy(struct column_layout *layout, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, layout->place);
    *layout = (struct column_layout){0};
}
